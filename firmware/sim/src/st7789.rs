//! An ST7789 or ST7735S and its glass, from the bytes on its serial bus to the picture.
//!
//! Written from Sitronix, ST7789V data sheet, version 1.6: 8.4 "Serial interface" (D/CX), 8.8 "Data colour coding", 8.12
//! "Address control" with table "MV, MX, MY", chapter 9 for the commands. It shares nothing with the firmware's driver, whose
//! mistakes it is there to show. The ST7735S takes the same commands and has a smaller memory. Of the many settings of
//! voltages and timing it knows none; a command that it does not know is passed over with its parameters.

use image::{Rgb, RgbImage, imageops};

/// Columns of an ST7789's memory, with the connector below.
pub const COLUMNS: u16 = 240;
/// Its rows.
pub const ROWS: u16 = 320;
/// Columns and rows of an ST7735S's memory.
pub const ST7735: [u16; 2] = [132, 162];

/// Bits of MADCTL.
mod madctl {
    /// Rows from bottom to top.
    pub const MY: u8 = 1 << 7;
    /// Columns from right to left.
    pub const MX: u8 = 1 << 6;
    /// The column address counts rows, and the row address columns.
    pub const MV: u8 = 1 << 5;
    /// Blue first.
    pub const BGR: u8 = 1 << 3;
}

/// What is in front of the controller, and which way up a person sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glass {
    /// Columns and rows, with the connector below.
    pub size: [u16; 2],
    /// Column and row of the memory that it begins with.
    pub offset: [u16; 2],
    /// How often it was turned by a quarter, clockwise, when it was built in.
    pub quarters: u8,
    /// Made for inverted drive (IPS): its colours are right with INVON, and the opposite without.
    pub inverse: bool,
    /// Blue where the controller has red.
    pub bgr: bool,
}

impl Glass {
    /// All of the memory, upright, as modules with this controller are: 240 wide, 320 high.
    pub const PORTRAIT: Self = Self { size: [COLUMNS, ROWS], offset: [0, 0], quarters: 0, inverse: true, bgr: false };
    /// The connector at the right, as on the Pico Display Pack 2.0: 320 wide, 240 high.
    pub const LANDSCAPE: Self = Self { quarters: 3, ..Self::PORTRAIT };
    /// The usual module of 0.96" with an ST7735S, its connector at the right: 160 wide, 80 high.
    pub const SMALL: Self = Self { size: [80, 160], offset: [26, 1], quarters: 3, inverse: true, bgr: true };
}

/// The panel.
#[derive(Clone, Debug)]
pub struct St7789 {
    /// Columns and rows of the memory.
    extent: [u16; 2],
    /// RGB565 of each pixel, row by row.
    memory: Vec<u16>,
    awake: bool,
    on: bool,
    inverted: bool,
    madctl: u8,
    /// Bits of a pixel on the bus: COLMOD's low nibble.
    colmod: u8,
    /// First and last, in the address counters' own directions.
    columns: [u16; 2],
    rows: [u16; 2],
    at: [u16; 2],
    command: u8,
    parameters: Vec<u8>,
}

impl Default for St7789 {
    fn default() -> Self {
        Self::new()
    }
}

impl St7789 {
    /// The panel after power-on: asleep and dark. Its memory holds what chance put there, here a grey that no test expects.
    pub fn new() -> Self {
        Self::with_memory([COLUMNS, ROWS])
    }

    /// Another controller with the same commands.
    pub fn with_memory(extent: [u16; 2]) -> Self {
        Self {
            extent,
            memory: vec![0x8410; usize::from(extent[0]) * usize::from(extent[1])],
            awake: false,
            on: false,
            inverted: false,
            madctl: 0,
            colmod: 6,
            columns: [0, extent[0] - 1],
            rows: [0, extent[1] - 1],
            at: [0, 0],
            command: 0,
            parameters: Vec::new(),
        }
    }

    /// Takes a byte from the bus; `data` is the level of D/CX at its last bit.
    pub fn take(&mut self, byte: u8, data: bool) {
        if data {
            self.parameters.push(byte);
            self.parameter();
        } else {
            self.command = byte;
            self.parameters.clear();
            self.order();
        }
    }

    /// What a command does before its parameters come.
    fn order(&mut self) {
        match self.command {
            // SWRESET leaves the memory as it is.
            0x01 => *self = Self { memory: std::mem::take(&mut self.memory), ..Self::with_memory(self.extent) },
            0x10 => self.awake = false,
            0x11 => self.awake = true,
            0x20 => self.inverted = false,
            0x21 => self.inverted = true,
            0x28 => self.on = false,
            0x29 => self.on = true,
            // RAMWR starts at the window's first pixel, RAMWRC (0x3C) where the last write has ended.
            0x2C => self.at = [self.columns[0], self.rows[0]],
            _ => {}
        }
    }

    /// What a command does with the parameters so far.
    fn parameter(&mut self) {
        match (self.command, self.parameters.as_slice()) {
            (0x2A, &[a, b, c, d]) => self.columns = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])],
            (0x2B, &[a, b, c, d]) => self.rows = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])],
            (0x36, &[bits]) => self.madctl = bits,
            (0x3A, &[bits]) => self.colmod = bits & 0x7,
            (0x2C | 0x3C, bytes) => {
                let Some(color) = color(self.colmod, bytes) else { return };
                self.parameters.clear();
                self.write(color);
            }
            _ => {}
        }
    }

    /// Writes a pixel and moves on: along the window's row, then to its next row, then to its start.
    fn write(&mut self, color: u16) {
        if let Some(index) = self.place(self.at) {
            self.memory[index] = color;
        }
        let [column, row] = &mut self.at;
        if *column != self.columns[1] {
            *column += 1;
            return;
        }
        *column = self.columns[0];
        *row = if *row == self.rows[1] { self.rows[0] } else { *row + 1 };
    }

    /// The pixel that the address counters mean; none where they point beyond the memory.
    fn place(&self, [x, y]: [u16; 2]) -> Option<usize> {
        let [columns, rows] = self.extent;
        let (column, row) = if self.madctl & madctl::MV == 0 { (x, y) } else { (y, x) };
        let column = if self.madctl & madctl::MX == 0 { column } else { (columns - 1).checked_sub(column)? };
        let row = if self.madctl & madctl::MY == 0 { row } else { (rows - 1).checked_sub(row)? };
        (column < columns && row < rows).then(|| usize::from(row) * usize::from(columns) + usize::from(column))
    }

    /// What a person sees, one picture pixel for each panel pixel: the memory if the panel is awake and on, else black.
    ///
    /// Five and six bits become eight as the nearest part of 255.
    pub fn picture(&self, glass: Glass) -> RgbImage {
        let upright = RgbImage::from_fn(glass.size[0].into(), glass.size[1].into(), |x, y| {
            let (column, row) = (x as usize + usize::from(glass.offset[0]), y as usize + usize::from(glass.offset[1]));
            if !self.awake || !self.on {
                return Rgb([0; 3]);
            }
            let color = self.memory[row * usize::from(self.extent[0]) + column];
            let color = if self.inverted == glass.inverse { color } else { !color };
            let [mut r, mut b] = [wide(color >> 11, 31), wide(color & 31, 31)];
            if (self.madctl & madctl::BGR != 0) != glass.bgr {
                std::mem::swap(&mut r, &mut b);
            }
            Rgb([r, wide(color >> 5 & 63, 63), b])
        });
        turned(upright, glass.quarters)
    }
}

/// A picture after so many quarter turns, clockwise.
pub(crate) fn turned(picture: RgbImage, quarters: u8) -> RgbImage {
    match quarters % 4 {
        0 => picture,
        1 => imageops::rotate90(&picture),
        2 => imageops::rotate180(&picture),
        _ => imageops::rotate270(&picture),
    }
}

/// `level` of `max` as level of 255, to the nearest.
fn wide(level: u16, max: u16) -> u8 {
    ((level * 255 + max / 2) / max) as u8
}

/// The RGB565 colour in the bytes of one pixel, when they are all there.
fn color(colmod: u8, bytes: &[u8]) -> Option<u16> {
    match (colmod, bytes) {
        (5, &[high, low]) => Some(u16::from_be_bytes([high, low])),
        // 18 bits, six in the high bits of each of three bytes.
        (6, &[r, g, b]) => Some(u16::from(r >> 3) << 11 | u16::from(g >> 2) << 5 | u16::from(b >> 3)),
        // 12 bits a pixel or nonsense: no driver here uses it, and a picture without pixels shows it.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: [u8; 2] = [0xF8, 0x00];

    fn send(panel: &mut St7789, command: u8, parameters: &[u8]) {
        panel.take(command, false);
        parameters.iter().for_each(|&byte| panel.take(byte, true));
    }

    /// Awake, on, inverted drive, 16 bits a pixel, black.
    fn started(madctl: u8) -> St7789 {
        let mut panel = St7789::new();
        panel.memory.fill(0);
        for (command, parameters) in
            [(0x11, vec![]), (0x29, vec![]), (0x21, vec![]), (0x3A, vec![0x55]), (0x36, vec![madctl])]
        {
            send(&mut panel, command, &parameters);
        }
        panel
    }

    fn window(panel: &mut St7789, columns: [u16; 2], rows: [u16; 2]) {
        for (command, [first, last]) in [(0x2A, columns), (0x2B, rows)] {
            send(panel, command, &[first.to_be_bytes(), last.to_be_bytes()].concat());
        }
    }

    /// The pixels that are not black.
    fn lit(picture: &RgbImage) -> Vec<(u32, u32)> {
        picture.enumerate_pixels().filter(|(_, _, pixel)| pixel.0 != [0; 3]).map(|(x, y, _)| (x, y)).collect()
    }

    #[test]
    fn dark_until_awake_and_on() {
        let mut panel = St7789::new();
        assert_eq!(lit(&panel.picture(Glass::PORTRAIT)), []);
        send(&mut panel, 0x29, &[]);
        assert_eq!(lit(&panel.picture(Glass::PORTRAIT)), []);
        send(&mut panel, 0x11, &[]);
        assert_eq!(lit(&panel.picture(Glass::PORTRAIT)).len(), 240 * 320);
        send(&mut panel, 0x01, &[]);
        assert_eq!(lit(&panel.picture(Glass::PORTRAIT)), []);
    }

    #[test]
    fn a_window_fills_row_by_row_and_wraps() {
        let mut panel = started(0);
        window(&mut panel, [10, 11], [20, 21]);
        send(&mut panel, 0x2C, &[RED, RED, RED].concat());
        assert_eq!(lit(&panel.picture(Glass::PORTRAIT)), [(10, 20), (11, 20), (10, 21)]);
        // Goes on where it was; then from the start again.
        send(&mut panel, 0x3C, &[RED, [0, 0]].concat());
        assert_eq!(lit(&panel.picture(Glass::PORTRAIT)), [(11, 20), (10, 21), (11, 21)]);
        send(&mut panel, 0x2C, &RED);
        assert_eq!(lit(&panel.picture(Glass::PORTRAIT)).len(), 4);
    }

    #[test]
    fn orientation_bits() {
        // The first two pixels of a window of the whole panel, as seen in portrait.
        for (bits, expected) in [
            (0x00, [(0, 0), (1, 0)]),
            (0x40, [(238, 0), (239, 0)]),
            (0x80, [(0, 319), (1, 319)]),
            (0xC0, [(238, 319), (239, 319)]),
            (0x20, [(0, 0), (0, 1)]),
            (0x60, [(239, 0), (239, 1)]),
            (0xA0, [(0, 318), (0, 319)]),
            (0xE0, [(239, 318), (239, 319)]),
        ] {
            let mut panel = started(bits);
            let last = if bits & 0x20 == 0 { [239, 319] } else { [319, 239] };
            window(&mut panel, [0, last[0]], [0, last[1]]);
            send(&mut panel, 0x2C, &[RED, RED].concat());
            assert_eq!(lit(&panel.picture(Glass::PORTRAIT)), expected, "{bits:#x}");
        }
    }

    #[test]
    fn the_pack_is_upright_in_landscape() {
        let mut panel = started(0x70);
        window(&mut panel, [5, 6], [7, 7]);
        send(&mut panel, 0x2C, &[RED, RED].concat());
        let picture = panel.picture(Glass::LANDSCAPE);
        assert_eq!(picture.dimensions(), (320, 240));
        assert_eq!(lit(&picture), [(5, 7), (6, 7)]);
    }

    #[test]
    fn another_glass() {
        let mut panel = started(0);
        window(&mut panel, [52, 53], [41, 41]);
        send(&mut panel, 0x2C, &[RED, RED].concat());
        let glass = Glass { size: [135, 240], offset: [52, 40], ..Glass::PORTRAIT };
        assert_eq!(panel.picture(glass).dimensions(), (135, 240));
        assert_eq!(lit(&panel.picture(glass)), [(0, 1), (1, 1)]);
        // What was below, on the left, is at the upper left after a quarter turn.
        assert_eq!(lit(&panel.picture(Glass { quarters: 1, ..glass })), [(238, 0), (238, 1)]);
        assert_eq!(lit(&panel.picture(Glass { quarters: 2, ..glass })), [(133, 238), (134, 238)]);
        assert_eq!(panel.picture(Glass { bgr: true, ..glass }).get_pixel(0, 1).0, [0, 0, 255]);
        assert_eq!(panel.picture(Glass { inverse: false, ..glass }).get_pixel(0, 1).0, [0, 255, 255]);
    }

    #[test]
    fn colours() {
        let shown = |setup: &[(u8, &[u8])], pixel: &[u8]| {
            let mut panel = started(0);
            setup.iter().for_each(|(command, parameters)| send(&mut panel, *command, parameters));
            send(&mut panel, 0x2C, pixel);
            panel.picture(Glass::PORTRAIT).get_pixel(0, 0).0
        };
        assert_eq!(shown(&[], &RED), [255, 0, 0]);
        // 16 of 31, 32 of 63.
        assert_eq!(shown(&[], &[0x84, 0x10]), [132, 130, 132]);
        assert_eq!(shown(&[], &[0x18, 0x63]), [25, 12, 25]);
        assert_eq!(shown(&[(0x36, &[0x08])], &RED), [0, 0, 255]);
        assert_eq!(shown(&[(0x20, &[])], &RED), [0, 255, 255]);
        assert_eq!(shown(&[(0x3A, &[0x66])], &[0xFC, 0, 0]), [255, 0, 0]);
        // Half a pixel is none.
        assert_eq!(shown(&[], &[0xF8]), [0, 0, 0]);
    }

    #[test]
    fn beyond_the_memory_nothing_is_drawn() {
        let mut panel = started(0);
        window(&mut panel, [239, 242], [319, 400]);
        send(&mut panel, 0x2C, &[RED; 9].concat());
        assert_eq!(lit(&panel.picture(Glass::PORTRAIT)), [(239, 319)]);
    }
}
