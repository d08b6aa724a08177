//! OLED panels of 128×64 pixels on I2C that may be missing, or come later: SSD1306 and SH1106.
//!
//! Commands as in Solomon Systech, SSD1306 data sheet, rev. 1.1, chapters 9 and 10; those of the SH1106 from memory,
//! tried in our emulator and on no hardware yet. Both take pixels page by page (rows of eight pixels, one byte high); the SH1106 knows no other way.

use core::fmt;

use edgegen_app::PanelSetup;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_hal::i2c::I2c;

/// The usual address.
const ADDRESS: u8 = 0x3C;
/// Columns of the glass.
const WIDTH: usize = 128;
/// Its rows.
const HEIGHT: usize = 64;
/// Columns that are sent, or not, together.
const CHUNK: usize = 16;
/// The first byte of a message with commands.
const COMMANDS: u8 = 0x00;
/// The first byte of a message with pixels.
const PIXELS: u8 = 0x40;

/// Sets a panel up and switches it on. Commands of the SSD1306 alone, and what follows them, mean nothing that matters
/// to an SH1106: they set the address that each page sets again.
const START: [u8; 25] = [
    0xAE, // off
    0xD5, 0x80, // clock
    0xA8, 0x3F, // 64 rows
    0xD3, 0x00, // the first row is the first output
    0x40, // and the first of the memory
    0x8D, 0x14, // charge pump on, SSD1306 alone
    0x20, 0x02, // page by page, SSD1306 alone
    0xA1, 0xC8, // upright where modules have their connector at the top
    0xDA, 0x12, // outputs in turns
    0x81, 0x5F, // contrast
    0xD9, 0x22, // precharge
    0xDB, 0x20, // level of a dark pixel
    0xA4, // from the memory
    0x2E, // no scrolling, SSD1306 alone
    0xAF, // on
];

/// A panel on an I2C bus, at the usual address 0x3C. Drawing goes to memory, [`Oled::flush`] to the panel.
///
/// A panel that does not answer gives an error each time it is drawn on, and is switched on by the first drawing that
/// finds it: it may be plugged in while the program runs.
pub struct Oled<I> {
    bus: I,
    /// Eight pixels a byte, one below the other, the first in bit 0; page by page.
    pixels: [[u8; WIDTH]; HEIGHT / 8],
    /// A bit for each chunk of a page that has changed since it was sent.
    changed: [u8; HEIGHT / 8],
    quarters: u8,
    inverted: bool,
    /// The controller's column of the first pixel.
    column: usize,
    on: bool,
}

impl<I: I2c> Oled<I> {
    /// A panel with an SSD1306, not yet switched on.
    pub fn ssd1306(bus: I, setup: &PanelSetup) -> Self {
        Self::new(bus, setup, 0)
    }

    /// A panel with an SH1106, whose memory has 132 columns with the glass in their middle; not yet switched on.
    pub fn sh1106(bus: I, setup: &PanelSetup) -> Self {
        Self::new(bus, setup, 2)
    }

    fn new(bus: I, setup: &PanelSetup, column: u16) -> Self {
        Self {
            bus,
            pixels: [[0; WIDTH]; HEIGHT / 8],
            changed: [u8::MAX; HEIGHT / 8],
            quarters: setup.quarters % 4,
            inverted: setup.invert,
            column: setup.offset.map_or(column, |(column, _)| column).into(),
            on: false,
        }
    }

    /// Sends what was drawn since the last time.
    ///
    /// # Errors
    ///
    /// When no panel answers.
    pub fn flush(&mut self) -> Result<(), I::Error> {
        let sent = self.send();
        self.on &= sent.is_ok();
        sent
    }

    fn send(&mut self) -> Result<(), I::Error> {
        for (page, (pixels, changed)) in self.pixels.iter().zip(&mut self.changed).enumerate() {
            // Whether the controller's address already is that of the chunk.
            let mut there = false;
            for (index, chunk) in pixels.as_chunks::<CHUNK>().0.iter().enumerate() {
                if *changed >> index & 1 == 0 {
                    there = false;
                    continue;
                }
                if !there {
                    let column = self.column + index * CHUNK;
                    let [low, high] = [column & 15, column >> 4 & 15].map(|half| half as u8);
                    self.bus.write(ADDRESS, &[COMMANDS, 0xB0 | page as u8, low, 0x10 | high])?;
                }
                let mut message = [PIXELS; 1 + CHUNK];
                message[1..].copy_from_slice(chunk);
                self.bus.write(ADDRESS, &message)?;
                there = true;
            }
            *changed = 0;
        }
        Ok(())
    }

    /// Switches the panel on, black, if it is not.
    fn wake(&mut self) -> Result<(), I::Error> {
        if !self.on {
            let mut message = [COMMANDS; 1 + START.len()];
            message[1..].copy_from_slice(&START);
            self.bus.write(ADDRESS, &message)?;
            self.bus.write(ADDRESS, &[COMMANDS, if self.inverted { 0xA7 } else { 0xA6 }])?;
            self.fill(false);
            self.send()?;
            self.on = true;
        }
        Ok(())
    }

    fn fill(&mut self, lit: bool) {
        self.pixels = [[if lit { u8::MAX } else { 0 }; WIDTH]; HEIGHT / 8];
        self.changed = [u8::MAX; HEIGHT / 8];
    }

    /// Column and row on the glass of a pixel of the picture, none for one beside it.
    fn place(&self, x: i32, y: i32) -> Option<(usize, usize)> {
        let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
        let Size { width, height } = self.size();
        let (last_x, last_y) = ((width as usize - 1).checked_sub(x)?, (height as usize - 1).checked_sub(y)?);
        Some(match self.quarters {
            0 => (x, y),
            // What was on top is at the right.
            1 => (last_y, x),
            2 => (last_x, last_y),
            _ => (y, last_x),
        })
    }
}

impl<I: I2c> DrawTarget for Oled<I> {
    type Color = BinaryColor;
    type Error = I::Error;

    fn draw_iter<P: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: P) -> Result<(), I::Error> {
        self.wake()?;
        for Pixel(point, color) in pixels {
            let Some((column, row)) = self.place(point.x, point.y) else { continue };
            let byte = &mut self.pixels[row / 8][column];
            *byte = *byte & !(1 << (row % 8)) | u8::from(color.is_on()) << (row % 8);
            self.changed[row / 8] |= 1 << (column / CHUNK);
        }
        Ok(())
    }

    fn clear(&mut self, color: BinaryColor) -> Result<(), I::Error> {
        self.wake()?;
        self.fill(color.is_on());
        Ok(())
    }
}

impl<I> OriginDimensions for Oled<I> {
    fn size(&self) -> Size {
        let (width, height) = (WIDTH as u32, HEIGHT as u32);
        if self.quarters.is_multiple_of(2) { Size::new(width, height) } else { Size::new(height, width) }
    }
}

impl<I> fmt::Debug for Oled<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oled").field("on", &self.on).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::geometry::Point;
    use embedded_hal::i2c::{ErrorKind, ErrorType, NoAcknowledgeSource, Operation};
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;
    use std::vec::Vec;

    /// A bus on which a panel answers or does not, and what it was told.
    #[derive(Clone, Default)]
    struct Bus {
        answers: Rc<Cell<bool>>,
        told: Rc<RefCell<Vec<u8>>>,
    }

    impl ErrorType for Bus {
        type Error = ErrorKind;
    }

    impl I2c for Bus {
        fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
            assert_eq!(address, 0x3C);
            if !self.answers.get() {
                return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
            }
            for operation in operations {
                if let Operation::Write(bytes) = operation {
                    self.told.borrow_mut().extend_from_slice(bytes);
                }
            }
            Ok(())
        }
    }

    /// The end of what sets a panel up: the last command switches it on.
    const ON: [u8; 2] = [0x2E, 0xAF];

    #[test]
    fn a_panel_may_be_missing_come_and_go() {
        let bus = Bus::default();
        let mut panel = Oled::ssd1306(bus.clone(), &PanelSetup::default());
        let pixel = || [Pixel(Point::new(5, 9), BinaryColor::On)];
        let switched_on = || bus.told.take().windows(2).filter(|&bytes| bytes == ON).count();

        assert!(panel.clear(BinaryColor::Off).is_err(), "nobody there");
        assert!(panel.draw_iter(pixel()).is_err());
        assert_eq!(switched_on(), 0);

        bus.answers.set(true);
        panel.clear(BinaryColor::Off).unwrap();
        panel.flush().unwrap();
        assert_eq!(switched_on(), 1);
        panel.draw_iter(pixel()).unwrap();
        assert!(bus.told.borrow().is_empty(), "drawing goes to memory");
        panel.flush().unwrap();
        // Row 9 is bit 1 of the second page; five columns without a pixel come before it.
        assert_eq!(bus.told.borrow()[..11], [COMMANDS, 0xB1, 0, 0x10, PIXELS, 0, 0, 0, 0, 0, 2]);
        assert_eq!(switched_on(), 0);

        bus.answers.set(false);
        panel.draw_iter(pixel()).unwrap();
        assert!(panel.flush().is_err(), "pulled out");
        bus.answers.set(true);
        panel.draw_iter(pixel()).unwrap();
        panel.flush().unwrap();
        assert_eq!(switched_on(), 1, "switched on once more");
    }

    /// The pixel at the upper left of the picture: page, column and byte of the only chunk that is sent for it.
    fn corner(mut panel: impl FnMut(Bus) -> Oled<Bus>) -> (u8, u8, u8) {
        let bus = Bus::default();
        bus.answers.set(true);
        let mut panel = panel(bus.clone());
        panel.clear(BinaryColor::Off).unwrap();
        panel.flush().unwrap();
        bus.told.take();
        panel.draw_iter([Pixel(Point::zero(), BinaryColor::On)]).unwrap();
        panel.flush().unwrap();
        let told = bus.told.take();
        let [COMMANDS, page, low, high, PIXELS, ref chunk @ ..] = told[..] else { panic!("{told:?}") };
        assert_eq!(chunk.len(), CHUNK);
        let at = chunk.iter().position(|&byte| byte != 0).unwrap();
        (page & 15, ((high & 15) << 4) + low + at as u8, chunk[at])
    }

    #[test]
    fn a_picture_turns_clockwise() {
        let corners = [0, 1, 2, 3]
            .map(|quarters| corner(|bus| Oled::ssd1306(bus, &PanelSetup { quarters, ..PanelSetup::default() })));
        assert_eq!(corners, [(0, 0, 1), (0, 127, 1), (7, 127, 0x80), (7, 0, 0x80)]);
    }

    #[test]
    fn an_sh1106_has_two_columns_beside_the_glass() {
        assert_eq!(corner(|bus| Oled::sh1106(bus, &PanelSetup::default())), (0, 2, 1));
        assert_eq!(corner(|bus| Oled::sh1106(bus, &PanelSetup::parse("offset=4,0"))), (0, 4, 1));
    }

    #[test]
    fn only_what_changed_is_sent() {
        let bus = Bus::default();
        bus.answers.set(true);
        let mut panel = Oled::ssd1306(bus.clone(), &PanelSetup::parse("invert"));
        panel.clear(BinaryColor::Off).unwrap();
        assert!(bus.told.take().windows(2).any(|bytes| bytes == [COMMANDS, 0xA7]), "inverted");
        panel.flush().unwrap();
        bus.told.take();
        // Two chunks side by side, and none.
        let lit = |x| Pixel(Point::new(x, 63), BinaryColor::On);
        panel.draw_iter([lit(16), lit(47), lit(-1), lit(128)]).unwrap();
        panel.flush().unwrap();
        let told = bus.told.take();
        assert_eq!(told[..6], [COMMANDS, 0xB7, 0, 0x11, PIXELS, 0x80]);
        assert_eq!((told[21], told.last(), told.len()), (PIXELS, Some(&0x80), 4 + 2 * 17));
        panel.flush().unwrap();
        assert!(bus.told.take().is_empty());
    }
}
