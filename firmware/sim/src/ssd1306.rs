//! An OLED panel of 128×64 pixels with an SSD1306 or an SH1106, from the bytes on its I2C bus to the picture on its
//! glass.
//!
//! Written from Solomon Systech, SSD1306 data sheet, rev. 1.1: 8.1.5.2 "I2C bus write data", 8.7 "Graphic display data RAM", chapters
//! 9 and 10 for the commands; the SH1106 from memory, not checked against its data sheet. It shares no code with the
//! firmware's driver. Of the addressing modes it knows horizontal and page addressing; the SH1106 has only the latter.

use image::{Rgb, RgbImage};

/// Pixels in a row.
pub const WIDTH: u32 = 128;
/// Rows.
pub const HEIGHT: u32 = 64;
/// Rows of eight pixels, one byte high.
const PAGES: u8 = 8;

/// The controller of a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    /// 128 columns, all of them seen.
    Ssd1306,
    /// 132 columns; the glass is in front of those in the middle.
    Sh1106,
}

impl Controller {
    /// Columns of the memory.
    fn columns(self) -> u8 {
        match self {
            Self::Ssd1306 => 128,
            Self::Sh1106 => 132,
        }
    }
}

/// The panel.
#[derive(Clone, Debug)]
pub struct Oled {
    controller: Controller,
    /// A byte is eight pixels one below the other, bit 0 on top; page by page.
    memory: Vec<u8>,
    on: bool,
    inverted: bool,
    /// Column 127 of the memory at the left: 0xA1. Panels are built so that this is upright.
    segments_remapped: bool,
    /// Rows from the last to the first: 0xC8. Panels are built so that this is upright.
    outputs_remapped: bool,
    /// After reset it is page by page.
    horizontal: bool,
    /// Another mode, which this panel does not know.
    unknown: bool,
    columns: [u8; 2],
    pages: [u8; 2],
    at: [u8; 2],
    /// Bytes of a message so far.
    message: Vec<u8>,
    /// A command that waits for its parameters.
    command: Vec<u8>,
}

impl Oled {
    /// The panel after power-on: off. Its memory holds what chance put there.
    pub fn new(controller: Controller) -> Self {
        Self {
            controller,
            memory: vec![0x55; usize::from(controller.columns()) * usize::from(PAGES)],
            on: false,
            inverted: false,
            segments_remapped: false,
            outputs_remapped: false,
            horizontal: false,
            unknown: false,
            columns: [0, 127],
            pages: [0, PAGES - 1],
            at: [0, 0],
            message: Vec::new(),
            command: Vec::new(),
        }
    }

    /// A message begins: the panel's address was on the bus.
    pub fn start(&mut self) {
        self.message.clear();
    }

    /// Takes a byte of a message. The first is a control byte: 0x00 before commands, 0x40 before data.
    pub fn take(&mut self, byte: u8) {
        self.message.push(byte);
        match self.message.as_slice() {
            [_] => {}
            [0x00, ..] => self.order(byte),
            [0x40, ..] => self.write(byte),
            // The form with a control byte before each byte: none of the drivers here uses it.
            _ => {}
        }
    }

    fn order(&mut self, byte: u8) {
        self.command.push(byte);
        if self.controller == Controller::Sh1106 && matches!(self.command[0], 0x20..=0x22 | 0x8D) {
            // Commands that it does not have; a parameter that follows is a command of its own.
            self.command.clear();
            return;
        }
        match *self.command.as_slice() {
            // Those that wait for one parameter, or for two.
            [0x20 | 0x81 | 0x8D | 0xA8 | 0xD3 | 0xD5 | 0xD9 | 0xDA | 0xDB | 0xD6]
            | [0x21 | 0x22]
            | [0x21 | 0x22, _] => return,
            [low @ 0x00..=0x0F] => self.at[0] = self.at[0] & 0xF0 | low,
            [high @ 0x10..=0x1F] => self.at[0] = self.at[0] & 0x0F | high << 4,
            [page @ 0xB0..=0xB7] => self.at[1] = page & 7,
            [0x20, mode] => (self.horizontal, self.unknown) = (mode & 3 == 0, matches!(mode & 3, 1 | 3)),
            [0x21, first, last] => (self.columns, self.at[0]) = ([first & 127, last & 127], first & 127),
            [0x22, first, last] => (self.pages, self.at[1]) = ([first & 7, last & 7], first & 7),
            [0xA0 | 0xA1] => self.segments_remapped = byte & 1 == 1,
            [0xA6 | 0xA7] => self.inverted = byte & 1 == 1,
            [0xAE | 0xAF] => self.on = byte & 1 == 1,
            [0xC0 | 0xC8] => self.outputs_remapped = byte == 0xC8,
            _ => {}
        }
        self.command.clear();
    }

    /// Writes eight pixels and moves on: along the page, then to the next page, then to the window's start.
    fn write(&mut self, byte: u8) {
        if self.unknown {
            return;
        }
        let columns = self.controller.columns();
        let [column, page] = &mut self.at;
        if let Some(pixels) =
            (*column < columns).then(|| usize::from(*page) * usize::from(columns) + usize::from(*column))
        {
            self.memory[pixels] = byte;
        }
        if !self.horizontal {
            // The SSD1306 goes on at the page's start, the SH1106 stays at its end.
            *column = match self.controller {
                Controller::Ssd1306 => (*column + 1) % columns,
                Controller::Sh1106 => column.saturating_add(1).min(columns),
            };
            return;
        }
        if *column != self.columns[1] {
            *column = (*column + 1) & 127;
            return;
        }
        *column = self.columns[0];
        *page = if *page == self.pages[1] { self.pages[0] } else { (*page + 1) & (PAGES - 1) };
    }

    /// What a person sees on the usual module, whose glass is mounted with segments and outputs turned round.
    pub fn picture(&self) -> RgbImage {
        let columns = u32::from(self.controller.columns());
        let beside = (columns - WIDTH) / 2;
        RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
            let column = beside + if self.segments_remapped { x } else { WIDTH - 1 - x };
            let row = if self.outputs_remapped { y } else { HEIGHT - 1 - y };
            let bit = self.memory[(row / 8 * columns + column) as usize] >> (row % 8) & 1 == 1;
            Rgb([if self.on && bit != self.inverted { 255 } else { 0 }; 3])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(panel: &mut Oled, control: u8, bytes: &[u8]) {
        panel.start();
        panel.take(control);
        bytes.iter().for_each(|&byte| panel.take(byte));
    }

    /// On, horizontal addressing, upright, black.
    fn started() -> Oled {
        let mut panel = Oled::new(Controller::Ssd1306);
        panel.memory.fill(0);
        send(&mut panel, 0x00, &[0xA8, 63, 0x20, 0x00, 0xA1, 0xC8, 0x8D, 0x14, 0xAF]);
        panel
    }

    fn lit(panel: &Oled) -> Vec<(u32, u32)> {
        panel.picture().enumerate_pixels().filter(|(_, _, pixel)| pixel.0 != [0; 3]).map(|(x, y, _)| (x, y)).collect()
    }

    #[test]
    fn a_window_fills_page_by_page_and_wraps() {
        let mut panel = started();
        send(&mut panel, 0x00, &[0x21, 3, 4]);
        send(&mut panel, 0x00, &[0x22, 1, 2]);
        send(&mut panel, 0x40, &[0x01, 0x80, 0x02]);
        assert_eq!(lit(&panel), [(3, 8), (4, 15), (3, 17)]);
        send(&mut panel, 0x40, &[0x00, 0x00]);
        assert_eq!(lit(&panel), [(4, 15), (3, 17)]);
    }

    #[test]
    fn a_command_may_be_cut_into_messages() {
        let mut panel = started();
        for byte in [0x21, 0xAE & 127, 127, 0x22, 7, 7] {
            send(&mut panel, 0x00, &[byte]);
        }
        send(&mut panel, 0x40, &[0x80]);
        assert_eq!(lit(&panel), [(0x2E, 63)]);
    }

    #[test]
    fn off_inverted_and_turned() {
        let mut panel = started();
        send(&mut panel, 0x40, &[0x01]);
        assert_eq!(lit(&panel), [(0, 0)]);
        send(&mut panel, 0x00, &[0xA0, 0xC0]);
        assert_eq!(lit(&panel), [(127, 63)]);
        send(&mut panel, 0x00, &[0xA7]);
        assert_eq!(lit(&panel).len(), 128 * 64 - 1);
        send(&mut panel, 0x00, &[0xAE]);
        assert_eq!(lit(&panel), []);
    }

    #[test]
    fn page_by_page() {
        let mut panel = started();
        send(&mut panel, 0x00, &[0x20, 0x02, 0xB2, 0x0E, 0x17]);
        send(&mut panel, 0x40, &[0x01, 0x02, 0x80]);
        assert_eq!(lit(&panel), [(126, 16), (127, 17), (0, 23)]);
    }

    #[test]
    fn an_sh1106_has_columns_beside_its_glass() {
        let mut panel = Oled::new(Controller::Sh1106);
        panel.memory.fill(0);
        // With the commands of the other controller, whose parameters are commands here.
        send(&mut panel, 0x00, &[0x8D, 0x14, 0x20, 0x02, 0x21, 0x22, 0xA1, 0xC8, 0xAF, 0xB7, 0x01, 0x10]);
        send(&mut panel, 0x40, &[0xFF, 0x01, 0x02]);
        assert_eq!(lit(&panel), [(0, 56), (1, 57)]);
        send(&mut panel, 0x00, &[0x01, 0x18]);
        send(&mut panel, 0x40, &[0x80, 0xFF, 0xFF, 0xFF]);
        assert_eq!(lit(&panel), [(0, 56), (1, 57), (127, 63)], "what is beyond is lost");
    }

    #[test]
    fn other_addressing_is_not_taken_for_this_one() {
        let mut panel = started();
        send(&mut panel, 0x00, &[0x20, 0x01]);
        send(&mut panel, 0x40, &[0xFF]);
        assert_eq!(lit(&panel), []);
    }
}
