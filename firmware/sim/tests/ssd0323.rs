//! The lm3s6965evb's panel driver against a model of its controller: after any drawing the controller's memory shows what
//! a simulated display shows.

#[path = "../../boards/lm3s6965evb/src/ssd0323.rs"]
#[allow(dead_code, missing_debug_implementations)]
mod ssd0323;

use std::cell::RefCell;
use std::rc::Rc;

use edgegen_app::PanelColor;
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_5X8;
use embedded_graphics::pixelcolor::Gray4;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{Circle, PrimitiveStyle, Rectangle};
use embedded_graphics::text::Text;
use embedded_graphics_simulator::SimulatorDisplay;
use ssd0323::{Bus, HEIGHT, PICTURE_BYTES, Ssd0323, WIDTH};

/// SSD0323 as its data sheet describes the commands that the driver uses after the start.
#[derive(Default)]
struct Controller {
    columns: (u8, u8),
    rows: (u8, u8),
    at: (u8, u8),
    memory: Vec<[u8; 64]>,
    /// What came in, data bytes counted and not kept.
    commands: Vec<Vec<u8>>,
    data_bytes: usize,
}

#[derive(Clone, Default)]
struct Wire(Rc<RefCell<Controller>>);

impl Bus for Wire {
    fn command(&mut self, bytes: &[u8]) {
        let mut panel = self.0.borrow_mut();
        match *bytes {
            [0x15, first, last] => {
                assert!(first <= last && last < 64, "columns {first}…{last}");
                panel.columns = (first, last);
                panel.at.0 = first;
            }
            [0x75, first, last] => {
                assert!(first <= last && last < 80, "rows {first}…{last}");
                panel.rows = (first, last);
                panel.at.1 = first;
            }
            _ => {}
        }
        panel.commands.push(bytes.to_vec());
    }

    fn data(&mut self, bytes: &[u8]) {
        let mut panel = self.0.borrow_mut();
        panel.memory.resize(80, [0xAA; 64]);
        panel.data_bytes += bytes.len();
        for &byte in bytes {
            let (column, row) = panel.at;
            panel.memory[usize::from(row)][usize::from(column)] = byte;
            panel.at = if column < panel.columns.1 {
                (column + 1, row)
            } else {
                (panel.columns.0, if row < panel.rows.1 { row + 1 } else { panel.rows.0 })
            };
        }
    }
}

impl Wire {
    fn level(&self, x: u32, y: u32) -> u8 {
        let byte = self.0.borrow().memory[y as usize][x as usize / 2];
        if x.is_multiple_of(2) { byte >> 4 } else { byte & 0xF }
    }

    fn assert_shows(&self, expected: &SimulatorDisplay<Gray4>) {
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                let level = expected.get_pixel(Point::new(x as i32, y as i32)).luma();
                assert_eq!(self.level(x, y), level, "pixel {x}, {y}");
            }
        }
    }
}

fn started() -> (Wire, Ssd0323<'static, Wire>, SimulatorDisplay<Gray4>) {
    let wire = Wire::default();
    // Not black: the driver must not trust what it is given.
    let panel = Ssd0323::new(wire.clone(), Box::leak(Box::new([0x77; PICTURE_BYTES])));
    (wire, panel, SimulatorDisplay::new(Size::new(WIDTH, HEIGHT)))
}

#[test]
fn starts_black_and_switches_on_last() {
    let (wire, _panel, black) = started();
    wire.assert_shows(&black);
    let commands = &wire.0.borrow().commands;
    assert_eq!(commands.first(), Some(&vec![0xAE]));
    assert_eq!(commands.last(), Some(&vec![0xAF]));
}

#[test]
fn odd_edges_keep_their_neighbours() {
    let (wire, mut panel, mut expected) = started();
    let mut state = 1u32;
    let mut random = move |bound: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % bound
    };
    for _ in 0..300 {
        // Some reach beyond the panel, on any side.
        let corner = Point::new(random(140) as i32 - 6, random(76) as i32 - 6);
        let area = Rectangle::new(corner, Size::new(random(12), random(12)));
        let levels: Vec<Gray4> = (0..144).map(|_| Gray4::new(random(16) as u8)).collect();
        panel.fill_contiguous(&area, levels.iter().copied()).unwrap();
        expected.fill_contiguous(&area, levels.iter().copied()).unwrap();
    }
    wire.assert_shows(&expected);
}

#[test]
fn text_and_shapes() {
    fn draw<D: DrawTarget<Color = Gray4>>(display: &mut D) -> Result<(), D::Error> {
        let style = MonoTextStyle::new(&FONT_5X8, Gray4::from_grey(200, Point::zero()));
        Text::new("seed 7", Point::new(3, 9), style).draw(display)?;
        Circle::new(Point::new(71, 21), 33).into_styled(PrimitiveStyle::with_stroke(Gray4::WHITE, 2)).draw(display)
    }
    let (wire, mut panel, mut expected) = started();
    draw(&mut panel).unwrap();
    draw(&mut expected).unwrap();
    wire.assert_shows(&expected);
}

#[test]
fn a_row_of_an_image_costs_its_own_bytes() {
    let (wire, mut panel, _) = started();
    let before = wire.0.borrow().data_bytes;
    panel.fill_contiguous(&Rectangle::new(Point::new(3, 5), Size::new(28, 1)), [Gray4::WHITE; 28]).unwrap();
    // Pixels 3…30 lie in bytes 1…15.
    assert_eq!(wire.0.borrow().data_bytes - before, 15);
    let commands = &wire.0.borrow().commands;
    assert_eq!(commands[commands.len() - 2..], [vec![0x15, 1, 15], vec![0x75, 5, 5]]);
}

#[test]
fn nothing_outside_is_sent() {
    let (wire, mut panel, _) = started();
    let before = wire.0.borrow().commands.len();
    panel.fill_contiguous(&Rectangle::new(Point::new(128, 0), Size::new(4, 4)), [Gray4::WHITE; 16]).unwrap();
    panel.draw_iter([Pixel(Point::new(-1, 3), Gray4::WHITE)]).unwrap();
    panel.draw_iter([]).unwrap();
    assert_eq!(wire.0.borrow().commands.len(), before);
}
