//! The real firmware of the Raspberry Pi Pico in an emulator, and what its panels show: the same pixels as the host draws.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io::Write;

use edgegen_app::caption::{Caption, Layout};
use edgegen_app::gallery::Grid;
use edgegen_app::{Act, Show};
use edgegen_export::{ModelFile, repack};
use edgegen_runtime::{Model, Shape};
use edgegen_sim::boards::{self, Board};
use edgegen_sim::firmware::{self, Firmware};
use edgegen_sim::rp2040::{self, Boot, Outcome, Panel};
use edgegen_sim::{PanelSpec, stage};
use edgegen_tests::shipped;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::primitives::{ContainsPoint, PointsIter, Rectangle};
use image::RgbImage;

const DISPLAY_PACK: Boot = Boot { panel: Panel::St7789, press: None, quiet: None, seconds: 20.0 };
const OLED: Boot = Boot { panel: Panel::Ssd1306 { plugged: 0.0 }, ..DISPLAY_PACK };

/// The board, or nothing where the emulator or the compiler is missing; says what, and fails where it is required.
fn pico() -> Option<Board> {
    let board = boards::find("pico").unwrap();
    let Err(missing) = rp2040::check().and_then(|()| firmware::check(board.cpu)) else { return Some(board) };
    assert!(std::env::var_os("EDGEGEN_BOARDS").is_none(), "{missing:#}");
    // Straight to the terminal: what a passing test prints is not shown.
    let mut terminal = std::io::stderr();
    writeln!(terminal, "skipped on the pico: {missing:#}").unwrap();
    None
}

/// The firmware for a panel, around a model in the board's packing.
fn build(board: &Board, panel: &str, model: &str) -> (Firmware, ModelFile) {
    let file = repack(&shipped(model), board.cpu.packing()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.egm");
    std::fs::write(&path, file.bytes()).unwrap();
    (Firmware::build(&path, board, board.panel(Some(panel)).unwrap(), board.cpu).unwrap(), file)
}

/// The panel's gallery: which part of the panel is the caption's, and where the images are.
struct Gallery {
    caption: Option<Rectangle>,
    grid: Grid,
    shape: Shape,
}

impl Gallery {
    fn new(model: &ModelFile, PanelSpec { width, height, .. }: PanelSpec) -> Self {
        let shape = Model::parse_any(model.bytes()).unwrap().output();
        let layout = Layout::new(Rectangle::new(Point::zero(), Size::new(width, height)), |area| {
            let grid = Grid::fit(area, shape);
            (grid.columns, grid.rows, grid.scale, grid.shrink)
        });
        Self { caption: layout.caption, grid: Grid::fit(layout.picture, shape), shape }
    }

    /// The cell of a pixel and the row in it, if it is of an image.
    fn cell(&self, at: Point) -> Option<(u32, u32)> {
        (0..self.grid.cells()).find_map(|index| {
            let placement = self.grid.placement(index);
            let area = Rectangle::new(placement.top_left, placement.size(self.shape));
            area.contains(at).then(|| (index, (at.y - area.top_left.y) as u32))
        })
    }

    /// Asserts that a photo shows the beginning of the gallery, at least `least` images, just as `host` has them, which is the
    /// whole gallery without its caption; then perhaps the first rows of one more, and nothing else. The caption is left out.
    fn assert_begins(&self, photo: &RgbImage, host: &RgbImage, least: u32) {
        assert_eq!(photo.dimensions(), host.dimensions());
        let cells: Vec<_> = photo
            .enumerate_pixels()
            .map(|(x, y, pixel)| (self.cell(Point::new(x as i32, y as i32)), *pixel, *host.get_pixel(x, y)))
            .collect();
        let differing = cells.iter().filter(|(_, shown, expected)| shown != expected);
        let images = differing.filter_map(|(cell, ..)| cell.map(|(index, _)| index)).min().unwrap_or(self.grid.cells());
        assert!(images >= least, "image {images} differs");
        // Of the image in work, up to the last row that is not black.
        let lit = cells.iter().filter(|(_, shown, _)| shown.0 != [0; 3]).filter_map(|(cell, ..)| *cell);
        let begun = lit.filter(|(index, _)| *index == images).map(|(_, row)| row).max();
        for ((x, y, pixel), (cell, _, expected)) in photo.enumerate_pixels().zip(&cells) {
            if self.caption.is_some_and(|area| area.contains(Point::new(x as i32, y as i32))) {
                continue;
            }
            let drawn = cell.is_none_or(|(index, row)| index < images || index == images && Some(row) <= begun);
            let expected = if drawn { *expected } else { image::Rgb([0; 3]) };
            assert_eq!(*pixel, expected, "pixel {x}, {y}");
        }
    }

    /// Asserts that a photo has the caption of a gallery from seed 1, with some plausible time for an image.
    fn assert_caption(&self, photo: &RgbImage) {
        let area = self.caption.unwrap();
        let (width, height) = photo.dimensions();
        let shown: Vec<bool> = area.points().map(|at| photo.get_pixel(at.x as u32, at.y as u32).0 != [0; 3]).collect();
        let found = (50..2000).any(|millis| {
            let rates: BTreeSet<u64> = (millis..millis + 50).map(|period| 10_000 / period).collect();
            rates.into_iter().any(|tenths_per_second| {
                let caption = Caption { act: Act::Gallery, seed: 1, millis: Some(millis), tenths_per_second };
                let mut panel = Strip { panel: Size::new(width, height), area, lit: vec![false; shown.len()] };
                let Ok(()) = caption.draw(&mut panel, area);
                panel.lit == shown
            })
        });
        assert!(found, "no caption has these pixels");
    }
}

/// A part of a panel.
struct Strip {
    panel: Size,
    area: Rectangle,
    lit: Vec<bool>,
}

impl OriginDimensions for Strip {
    fn size(&self) -> Size {
        self.panel
    }
}

impl DrawTarget for Strip {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(at, color) in pixels.into_iter().filter(|Pixel(at, _)| self.area.contains(*at)) {
            let place = at - self.area.top_left;
            self.lit[(place.y as u32 * self.area.size.width + place.x as u32) as usize] = color.is_on();
        }
        Ok(())
    }
}

/// The gallery that the host draws, whole and without its caption.
fn host(model: &ModelFile, spec: PanelSpec) -> RgbImage {
    let images = Gallery::new(model, spec).grid.cells();
    let show = Show { caption: false, ..Show::default() };
    stage::record(model.bytes(), &show, spec, images as usize).pictures.pop().unwrap()
}

/// Boots and compares the panel with the host's.
fn draws(panel: &str, model: &str, boot: Boot, least: u32) {
    let Some(board) = pico() else { return };
    let (firmware, file) = build(&board, panel, model);
    let shot = rp2040::boot(&firmware.elf(), boot).unwrap();
    let expected = if boot.quiet.is_some() { Outcome::Quiet } else { Outcome::Time };
    assert_eq!(shot.outcome, expected, "{}", shot.text);
    let label = format!("model {model} ");
    assert!(shot.text.starts_with(&label) && shot.text.contains("gallery from seed 1\n"), "{}", shot.text);
    let spec = board.panel(Some(panel)).unwrap().spec();
    let gallery = Gallery::new(&file, spec);
    // With the portable packing: what the board has packed for its kernel shows the same.
    gallery.assert_begins(&shot.picture, &host(&shipped(model), spec), least);
    gallery.assert_caption(&shot.picture);
    assert!(boot.quiet.is_none() || shot.seconds > 4.0, "long enough for the watchdog, had it not been fed");
}

#[test]
fn digits_on_the_display_pack() {
    draws("st7789", "mnist-dcgan", Boot { seconds: 1.2, ..DISPLAY_PACK }, 2);
}

#[test]
fn emoji_on_the_display_pack() {
    draws("st7789", "emoji-dcgan", Boot { seconds: 1.5, ..DISPLAY_PACK }, 1);
}

#[test]
fn digits_on_the_oled() {
    draws("ssd1306", "mnist-dcgan", Boot { quiet: Some(3.0), ..OLED }, 8);
}

#[test]
fn a_damaged_model_is_told_on_the_panel() {
    let Some(board) = pico() else { return };
    let (firmware, file) = build(&board, "st7789", "mnist-dcgan");
    let mut elf = std::fs::read(firmware.elf()).unwrap();
    // Bits of the flash image: in the header, among the weights, in the last byte.
    let start = elf.windows(file.bytes().len()).position(|bytes| bytes == file.bytes()).unwrap();
    for (at, bit) in [(4, 0), (file.bytes().len() / 2, 3), (file.bytes().len() - 1, 7)] {
        let mut damaged = file.bytes().to_vec();
        damaged[at] ^= 1 << bit;
        elf[start..start + damaged.len()].copy_from_slice(&damaged);
        let path = firmware.elf().with_file_name("damaged.elf");
        std::fs::write(&path, &elf).unwrap();

        let shot = rp2040::boot(&path, Boot { quiet: Some(0.1), ..DISPLAY_PACK }).unwrap();
        assert_eq!(shot.outcome, Outcome::Quiet, "{}", shot.text);
        let reason = Model::parse_any(&damaged).unwrap_err().to_string();
        assert_eq!(shot.text, format!("fault {reason}\n"));
        let host = stage::record(&damaged, &Show::default(), board.panel(None).unwrap().spec(), 1);
        assert!(host.pictures == [shot.picture], "the error screen differs");
    }
}

#[test]
fn an_oled_may_come_later() {
    let Some(board) = pico() else { return };
    let (firmware, file) = build(&board, "ssd1306", "mnist-dcgan");
    let boot = Boot { panel: Panel::Ssd1306 { plugged: 0.5 }, seconds: 1.6, ..OLED };
    let shot = rp2040::boot(&firmware.elf(), boot).unwrap();
    let told: Vec<&str> = shot.text.lines().skip(2).collect();
    let [fails, works] = told[..] else { panic!("{}", shot.text) };
    assert!(fails.starts_with("panel fails") && works == "panel works again", "{}", shot.text);
    let spec = board.panel(Some("ssd1306")).unwrap().spec();
    Gallery::new(&file, spec).assert_begins(&shot.picture, &host(&file, spec), 1);
}

#[test]
fn a_stuck_bus_starts_the_board_anew() {
    let Some(board) = pico() else { return };
    let (firmware, _) = build(&board, "ssd1306", "mnist-dcgan");
    let shot = rp2040::boot(&firmware.elf(), Boot { panel: Panel::StuckBus, ..OLED }).unwrap();
    assert_eq!(shot.outcome, Outcome::Reset, "{}", shot.text);
    assert!((3.9..4.5).contains(&shot.seconds), "after {} s", shot.seconds);
}

#[test]
fn a_press_goes_to_the_next_act() {
    let Some(board) = pico() else { return };
    let (firmware, _) = build(&board, "ssd1306", "mnist-dcgan");
    let shot = rp2040::boot(&firmware.elf(), Boot { press: Some(0.1), seconds: 0.4, ..OLED }).unwrap();
    let told: Vec<&str> = shot.text.lines().skip(1).collect();
    assert_eq!(told, ["gallery from seed 1", "walk from seed 1"]);
}
