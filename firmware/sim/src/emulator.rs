//! One door to all emulators, and to the simulated panel where a board has none: `board.toml` says which.
//!
//! A new emulator is a module of its own, a name in [`Emulator`] and a line in [`check`] and [`run`].

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use edgegen_app::caption::Layout;
use edgegen_app::image::most_images;
use edgegen_app::sound::Waves;
use edgegen_app::{Act, Pair, PanelSetup, Show, drums, scatter};
use edgegen_runtime::Model;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::primitives::Rectangle;
use image::RgbImage;

use crate::Report;
use crate::boards::{Board, Emulator, Panel};
use crate::cpu::Cpu;
use crate::firmware::{self, Firmware};
use crate::panel;
use crate::photo::to_png;
use crate::qemu::Boot;
use crate::report::Ending;
use crate::spec::{PanelColors, PanelSpec};
use crate::ssd1306::Controller;
use crate::st7789::Glass;
use crate::{qemu, raspi, rp2040, stage};

/// What to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scene<'a> {
    /// Seed of the first image.
    pub seed: u64,
    /// The act that the show begins with, `gallery`, `walk` or `class=3`; `None` for a gallery without captions, where
    /// there is one, in which sounds are images of one column.
    pub act: Option<&'a str>,
}

/// What was seen, and heard where the firmware says something.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Photo of the panel, a PNG file.
    pub png: Vec<u8>,
    /// The report, from firmware and panels that draw one gallery and end.
    pub report: Option<Report>,
    /// Instructions spent on making each image of the report, where an emulator counts them.
    pub instructions: Vec<u64>,
    /// Most bytes of stack in use, where an emulator tells.
    pub stack_bytes: Option<u32>,
    /// Lines of text from the show.
    pub text: String,
    /// What came out of the speaker, of a model that makes sound on a board that has one.
    pub heard: Option<Heard>,
}

/// A recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Samples a second.
    pub rate: u32,
    /// −32767 … 32767.
    pub samples: Vec<i16>,
}

impl Scene<'_> {
    /// The words of this scene for [`Show::parse`]; the show then stays with its act until somebody presses the button.
    pub fn words(&self) -> String {
        format!("{} seed={} auto=0", self.act.unwrap_or("gallery"), self.seed)
    }
}

/// Whether a board's emulator and a compiler for it are here.
///
/// # Errors
///
/// When not, with a sentence that says what to install; or when nothing boots the board.
pub fn check(board: &Board, cpu: Cpu) -> Result<()> {
    match (board.emulator, cpu) {
        (Emulator::Qemu, Cpu::CortexA53) => raspi::check()?,
        (Emulator::Qemu, _) => return qemu::check(cpu),
        (Emulator::Rp2040js, _) => rp2040::check()?,
        (Emulator::QemuUser | Emulator::Chromium | Emulator::None, _) => bail!("nothing here boots the {}", board.name),
    }
    firmware::check(cpu)
}

/// Whether a board's firmware can be built to begin with an act.
///
/// # Errors
///
/// When it shows what its emulator's command line asks for.
pub fn has_act(board: &Board, act: Option<&str>) -> Result<()> {
    let shows = board.emulator != Emulator::Qemu || board.cpu == Cpu::CortexA53;
    ensure!(
        shows || act.is_none_or(|act| act == "gallery"),
        "the firmware of the {} shows what its emulator asks for: look at a {} with `edgegen sim`",
        board.name,
        act.unwrap_or("show")
    );
    Ok(())
}

/// Builds a board's firmware around a model and looks at its panel in the board's emulator.
///
/// # Errors
///
/// Those of [`check`], [`Firmware::build`] and the emulator; a model that the board refuses is one too.
pub fn run(model: &Path, board: &Board, panel: &Panel, cpu: Cpu, scene: Scene<'_>) -> Result<Seen> {
    check(board, cpu)?;
    let bytes = fs::read(model).with_context(|| format!("there is no model at {}", model.display()))?;
    let show = || Firmware::build_show(model, board, panel, cpu, &scene.words());
    match (board.emulator, cpu) {
        (Emulator::Qemu, Cpu::CortexA53) => on_raspi(&show()?),
        (Emulator::Qemu, _) => {
            let (words, mut place) = (scene.words(), Vec::new());
            let show = match scene.act {
                Some(_) => Some((words.as_str(), images(panel::aligned(&bytes, &mut place), panel.spec(), scene)?)),
                None => None,
            };
            let shot = qemu::run(model, board, cpu, Boot { seed: scene.seed, show, ..Boot::default() })?;
            if show.is_some() {
                return Ok(Seen {
                    png: shot.png,
                    report: None,
                    instructions: Vec::new(),
                    stack_bytes: Some(shot.stack_bytes),
                    text: shot.text,
                    heard: None,
                });
            }
            Ok(Seen {
                png: shot.png,
                report: Some(shot.report),
                instructions: shot.instructions,
                stack_bytes: Some(shot.stack_bytes),
                text: String::new(),
                heard: None,
            })
        }
        (Emulator::Rp2040js, _) => on_rp2040(&show()?, panel, scene, &bytes),
        (Emulator::QemuUser | Emulator::Chromium | Emulator::None, _) => bail!("nothing here boots the {}", board.name),
    }
}

/// Until the gallery is complete and stays, or for three seconds of an act that never rests, two bars of a drum
/// machine.
fn on_rp2040(firmware: &Firmware, panel: &Panel, scene: Scene<'_>, model: &[u8]) -> Result<Seen> {
    let mut place = Vec::new();
    let on_board = match panel.colors {
        PanelColors::Binary => {
            let controller = if panel.name == "sh1106" { Controller::Sh1106 } else { Controller::Ssd1306 };
            rp2040::Panel::Oled { controller, quarters: (4 - panel.setup.quarters) % 4, plugged: 0.0 }
        }
        _ if panel.name == "st7735" => rp2040::Panel::St7735(glass(Glass::SMALL, &panel.setup)),
        _ => rp2040::Panel::St7789(glass(Glass::LANDSCAPE, &panel.setup)),
    };
    // A complete gallery stays for five seconds; one image takes less than two.
    let (quiet, seconds) = match Show::parse(&scene.words()).act {
        Act::Gallery | Act::Picture(_) | Act::Art => (Some(3.0), 60.0),
        Act::Drums => (None, 5.0),
        _ => (None, 3.0),
    };
    let boot = rp2040::Boot { panel: on_board, press: None, quiet, seconds };
    let shot = rp2040::boot(&firmware.elf(), boot)?;
    let model = Model::parse_any(panel::aligned(model, &mut place))?;
    let heard = model.sample_rate().map(|rate| Heard { rate, samples: shot.samples(rate) });
    Ok(Seen { stack_bytes: Some(shot.stack_bytes), heard, ..seen(&shot.picture, shot.text)? })
}

/// The panel in place of `own` that a setup is right for, as a person holds it who built it in that way.
fn glass(own: Glass, setup: &PanelSetup) -> Glass {
    Glass {
        size: setup.size.map_or(own.size, <[u16; 2]>::from),
        // Another glass begins somewhere else.
        offset: setup.offset.map_or(if setup.size.is_some() { [0, 0] } else { own.offset }, <[u16; 2]>::from),
        // Its picture is turned clockwise: held upright, the glass is turned the other way.
        quarters: (own.quarters + 4 - setup.quarters) % 4,
        inverse: own.inverse != setup.invert,
        bgr: own.bgr != setup.bgr,
    }
}

/// Until two photos in a row are the same, and show something.
fn on_raspi(firmware: &Firmware) -> Result<Seen> {
    let mut before = None;
    let shot = raspi::boot(&firmware.elf(), Duration::from_secs(60), |photo| {
        let something = photo.pixels().any(|pixel| pixel != photo.get_pixel(0, 0));
        let same = before.as_ref() == Some(photo);
        before = Some(photo.clone());
        something && same
    })?;
    seen(&shot.picture, shot.text)
}

/// A photo of the show, unless it refused the model.
fn seen(picture: &RgbImage, text: String) -> Result<Seen> {
    if let Some(reason) = text.lines().find_map(|line| line.strip_prefix("fault ")) {
        bail!("the board refused the model: {reason}");
    }
    Ok(Seen { png: to_png(picture)?, report: None, instructions: Vec::new(), stack_bytes: None, text, heard: None })
}

/// After how many images of the show to look at a panel.
fn images(model: &[u8], spec: PanelSpec, scene: Scene<'_>) -> Result<usize> {
    match Show::parse(&scene.words()).act {
        Act::Gallery => {
            let area = Rectangle::new(Point::zero(), Size::new(spec.width, spec.height));
            let model = Model::parse_any(model)?;
            if model.sample_rate().is_some() {
                let layout = Layout::new(area, |_| ());
                return Ok(Waves::fit(layout.picture).cells() as usize);
            }
            if scatter::is_point(model.output()) {
                return Ok((scatter::DOTS / scatter::AT_A_TIME) as usize);
            }
            let shape = Pair::of(&model, area.size).shape();
            Ok(Layout::gallery(area, shape, most_images(&model)).1.cells() as usize)
        }
        // Before it goes on to the next one.
        Act::Picture(_) | Act::Art => Ok(1),
        // The board, then two bars.
        Act::Drums => Ok(1 + 2 * drums::STEPS as usize),
        // Far enough that it has left the first seed.
        _ => Ok(4),
    }
}

/// The app on a simulated panel of this size, without any firmware: the same pixels.
///
/// # Errors
///
/// When the model cannot be run.
pub fn simulate(model: &[u8], spec: PanelSpec, scene: Scene<'_>) -> Result<Seen> {
    if scene.act.is_none() {
        let photo = panel::photo(model, scene.seed, spec)?;
        if let Some(Ending::Fault(reason)) = &photo.report.ending {
            bail!("the app refused the model: {reason}");
        }
        return Ok(Seen { report: Some(photo.report), ..seen(&photo.image, String::new())? });
    }
    let show = Show::parse(&scene.words());
    let images = images(model, spec, scene)?;
    let mut recording = stage::record(model, &show, spec, images);
    let rate = Model::parse_any(panel::aligned(model, &mut Vec::new())).ok().and_then(|model| model.sample_rate());
    let heard = rate.map(|rate| Heard { rate, samples: core::mem::take(&mut recording.samples) });
    let text = recording.lines.join("\n") + "\n";
    match recording.pictures.pop() {
        Some(picture) => Ok(Seen { heard, ..seen(&picture, text)? }),
        None => bail!("a panel of {}×{} has no room for an image", spec.width, spec.height),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boards;

    #[test]
    fn a_scene_in_the_words_of_the_show() {
        let scene = Scene { seed: 7, act: Some("class=3") };
        let show = Show::parse(&scene.words());
        assert_eq!((show.seed, show.act, show.auto_seconds), (7, Act::Class(3), 0));
        assert_eq!(Show::parse(&Scene { seed: 0, act: None }.words()).act, Act::Gallery);
    }

    #[test]
    fn what_nothing_boots_is_said() {
        for board in boards::all().unwrap().iter().filter(|board| !board.emulator.boots()) {
            let error = check(board, board.cpu).unwrap_err().to_string();
            assert_eq!(error, format!("nothing here boots the {}", board.name));
        }
    }

    #[test]
    fn no_model_is_refused_in_every_scene() {
        for act in [None, Some("walk")] {
            let error = simulate(b"no model", PanelSpec::OLED, Scene { seed: 1, act }).unwrap_err().to_string();
            assert!(error.contains("refused the model: expected a model file"), "{error}");
        }
        assert!(simulate(b"no model", PanelSpec::OLED, Scene { seed: 1, act: Some("gallery") }).is_err());
    }
}
