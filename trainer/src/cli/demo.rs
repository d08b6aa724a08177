//! `edgegen demo`: the whole way. The shipped model draws, then a small one is trained and taken to the panel.

use std::path::{Path, PathBuf};

use anyhow::Result;
use edgegen_export::ModelFile;
use edgegen_sim::emulator::{Scene, Seen};
use edgegen_sim::qemu;
use edgegen_sim::{Cpu, PanelSpec, boards, panel};
use serde::Serialize;

use super::source::{Source, emulate, project, read_model};
use super::{Console, Ending, grouped, training};
use crate::{files, images};

/// The model that is drawn before anything is trained.
const SHIPPED: &str = "models/mnist-dcgan/model.egm";
/// Images on a sample sheet.
const SHEET: usize = 64;
/// The board that the firmware is run on, and its processor.
const BOARD: &str = "lm3s6965evb";
const CPU: Cpu = Cpu::CortexM4;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// One half alone; a build without training has only the first
    #[arg(long, value_enum)]
    pub only: Option<Half>,
    /// Steps to train, instead of the recipe's
    #[arg(long)]
    pub steps: Option<u64>,
    /// Where the pictures go
    #[arg(long, default_value = "out/demo")]
    pub out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Half {
    /// The shipped model draws, here and on the emulated board
    Shipped,
    /// A model of your own is trained, exported, and drawn by the same board
    Trained,
}

/// What the emulated board counted.
#[derive(Debug, Serialize)]
pub struct BoardFigures {
    cpu: &'static str,
    instructions_per_sample: u64,
}

impl std::fmt::Display for BoardFigures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} instructions on {}", grouped(self.instructions_per_sample), self.cpu)
    }
}

/// What the first half shows.
#[derive(Debug, Serialize)]
struct Shipped {
    pictures: [PathBuf; 2],
    /// `None` where no board can be emulated; the panel then is simulated.
    board: Option<BoardFigures>,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let only = args.only.or((!training::BUILT_IN).then_some(Half::Shipped));
    if only != Some(Half::Trained) {
        let shipped = shipped(&args.out, console)?;
        if only == Some(Half::Shipped) {
            return console.show(&shipped, || shipped_text(&shipped, args.only.is_none()));
        }
        console.say(&shipped_text(&shipped, false));
    }
    training::demo::run(args, console)
}

/// The shipped model, as a sheet and on the panel.
fn shipped(out: &Path, console: Console) -> Result<Shipped> {
    let model = read_model(&project().join(SHIPPED))?;
    let [sheet, photo] = ["shipped.png", "shipped-panel.png"].map(|name| out.join(name));
    draw_sheet(&Source::Model(model.clone()), &sheet)?;
    let board = photograph(&model, &photo, console)?;
    if board.is_none() {
        files::replace_bytes(&photo, &panel::photo(model.bytes(), 0, PanelSpec::OLED)?.png()?)?;
    }
    Ok(Shipped { pictures: [sheet, photo], board })
}

fn shipped_text(shipped: &Shipped, is_all: bool) -> String {
    let Shipped { pictures: [sheet, photo], board } = shipped;
    let panel = match board {
        Some(board) => format!("on the panel of an emulated board: {} ({board})", photo.display()),
        None => format!("on a simulated panel: {}", photo.display()),
    };
    let next = match is_all {
        true => {
            "\nnext: an edgegen with training, `cargo build --package edgegen`, trains a model of your own and takes it the same way"
        }
        false => "",
    };
    format!("digits drawn by the shipped model: {}\n{panel}{next}", sheet.display())
}

pub fn draw_sheet(source: &Source, path: &Path) -> Result<()> {
    let (pictures, shape) = source.images(0, SHEET, None)?;
    images::save(path, &pictures, shape, SHEET.isqrt())
}

/// Boots the firmware with `model` on the emulated board and photographs its panel; `None`, with a line that says why,
/// where there is no emulator.
pub fn photograph(model: &ModelFile, photo: &Path, console: Console) -> Result<Option<BoardFigures>> {
    if let Err(missing) = qemu::check(CPU) {
        console.say(&format!("the emulated board is left out: {missing:#}"));
        return Ok(None);
    }
    console.say(&format!("building the firmware and booting it on an emulated {}", CPU.name()));
    let board = boards::find(BOARD)?;
    let scene = Scene { seed: 0, act: None };
    let Seen { png, instructions, .. } = emulate(model, &board, board.panel(None)?, CPU, scene)?;
    files::replace_bytes(photo, &png)?;
    let instructions_per_sample = instructions.iter().sum::<u64>() / instructions.len().max(1) as u64;
    Ok(Some(BoardFigures { cpu: CPU.name(), instructions_per_sample }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_model_is_there() {
        read_model(&project().join(SHIPPED)).unwrap();
    }
}
