//! An SSD1306 panel of 128×64 pixels, from the bytes on its I2C bus to the picture on its glass.
//!
//! Written from Solomon Systech, SSD1306 data sheet, rev. 1.1: 8.1.5.2 "I2C bus write data", 8.7 "Graphic display data RAM", chapters
//! 9 and 10 for the commands. It shares nothing with the firmware's driver. Of the three addressing modes it knows the
//! horizontal one, which is not the one after reset.

use image::{Rgb, RgbImage};

/// Pixels in a row.
pub const WIDTH: u32 = 128;
/// Rows.
pub const HEIGHT: u32 = 64;
/// Rows of eight pixels, one byte high.
const PAGES: u8 = 8;

/// The panel.
#[derive(Clone, Debug)]
pub struct Ssd1306 {
    /// A byte is eight pixels one below the other, bit 0 on top; page by page.
    memory: [u8; 1024],
    on: bool,
    inverted: bool,
    /// Column 127 of the memory at the left: 0xA1. Panels are built so that this is upright.
    segments_remapped: bool,
    /// Rows from the last to the first: 0xC8. Panels are built so that this is upright.
    outputs_remapped: bool,
    horizontal: bool,
    columns: [u8; 2],
    pages: [u8; 2],
    at: [u8; 2],
    /// Bytes of a message so far.
    message: Vec<u8>,
    /// A command that waits for its parameters.
    command: Vec<u8>,
}

impl Default for Ssd1306 {
    fn default() -> Self {
        Self::new()
    }
}

impl Ssd1306 {
    /// The panel after power-on: off. Its memory holds what chance put there.
    pub fn new() -> Self {
        Self {
            memory: [0x55; 1024],
            on: false,
            inverted: false,
            segments_remapped: false,
            outputs_remapped: false,
            horizontal: false,
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
        match *self.command.as_slice() {
            // Those that wait for one parameter, or for two.
            [0x20 | 0x81 | 0x8D | 0xA8 | 0xD3 | 0xD5 | 0xD9 | 0xDA | 0xDB | 0xD6]
            | [0x21 | 0x22]
            | [0x21 | 0x22, _] => return,
            [0x20, mode] => self.horizontal = mode & 3 == 0,
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
        if !self.horizontal {
            return;
        }
        let [column, page] = &mut self.at;
        self.memory[usize::from(*page) * WIDTH as usize + usize::from(*column)] = byte;
        if *column != self.columns[1] {
            *column = (*column + 1) & 127;
            return;
        }
        *column = self.columns[0];
        *page = if *page == self.pages[1] { self.pages[0] } else { (*page + 1) & (PAGES - 1) };
    }

    /// What a person sees on the usual module, whose glass is mounted with segments and outputs turned round.
    pub fn picture(&self) -> RgbImage {
        RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
            let column = if self.segments_remapped { x } else { WIDTH - 1 - x };
            let row = if self.outputs_remapped { y } else { HEIGHT - 1 - y };
            let bit = self.memory[(row / 8 * WIDTH + column) as usize] >> (row % 8) & 1 == 1;
            Rgb([if self.on && bit != self.inverted { 255 } else { 0 }; 3])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(panel: &mut Ssd1306, control: u8, bytes: &[u8]) {
        panel.start();
        panel.take(control);
        bytes.iter().for_each(|&byte| panel.take(byte));
    }

    /// On, horizontal addressing, upright, black.
    fn started() -> Ssd1306 {
        let mut panel = Ssd1306::new();
        panel.memory.fill(0);
        send(&mut panel, 0x00, &[0xA8, 63, 0x20, 0x00, 0xA1, 0xC8, 0x8D, 0x14, 0xAF]);
        panel
    }

    fn lit(panel: &Ssd1306) -> Vec<(u32, u32)> {
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
    fn other_addressing_is_not_taken_for_this_one() {
        let mut panel = started();
        send(&mut panel, 0x00, &[0x20, 0x02]);
        send(&mut panel, 0x40, &[0xFF]);
        assert_eq!(lit(&panel), []);
    }
}
