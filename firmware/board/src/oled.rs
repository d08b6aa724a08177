//! An SSD1306 that may be missing, or come later.

use core::fmt;

use display_interface::DisplayError;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_hal::i2c::I2c;
use ssd1306::mode::{BufferedGraphicsMode, DisplayConfig};
use ssd1306::prelude::{DisplayRotation, DisplaySize128x64, I2CInterface};
use ssd1306::{I2CDisplayInterface, Ssd1306};

type Driver<I> = Ssd1306<I2CInterface<I>, DisplaySize128x64, BufferedGraphicsMode<DisplaySize128x64>>;

/// A panel of 128×64 pixels on an I2C bus, at the usual address 0x3C. Drawing goes to memory, [`Oled::flush`] to the panel.
///
/// A panel that does not answer gives an error each time it is drawn on, and is switched on by the first drawing that
/// finds it: it may be plugged in while the program runs.
pub struct Oled<I> {
    driver: Driver<I>,
    on: bool,
}

impl<I: I2c> Oled<I> {
    /// A panel, not yet switched on.
    pub fn new(bus: I) -> Self {
        let interface = I2CDisplayInterface::new(bus);
        let driver = Ssd1306::new(interface, DisplaySize128x64, DisplayRotation::Rotate0);
        Self { driver: driver.into_buffered_graphics_mode(), on: false }
    }

    /// Sends what was drawn since the last time.
    ///
    /// # Errors
    ///
    /// When no panel answers.
    pub fn flush(&mut self) -> Result<(), DisplayError> {
        let sent = self.driver.flush();
        self.on &= sent.is_ok();
        sent
    }

    /// Switches the panel on, black, if it is not.
    fn wake(&mut self) -> Result<(), DisplayError> {
        if !self.on {
            self.driver.init()?;
            self.driver.flush()?;
            self.on = true;
        }
        Ok(())
    }
}

impl<I: I2c> DrawTarget for Oled<I> {
    type Color = BinaryColor;
    type Error = DisplayError;

    fn draw_iter<P: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: P) -> Result<(), DisplayError> {
        self.wake()?;
        self.driver.draw_iter(pixels)
    }

    fn clear(&mut self, color: BinaryColor) -> Result<(), DisplayError> {
        self.wake()?;
        self.driver.clear(color)
    }
}

impl<I> OriginDimensions for Oled<I> {
    fn size(&self) -> Size {
        Size::new(128, 64)
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

    /// Commands follow a control byte of 0; this one switches the panel on.
    const ON: [u8; 2] = [0, 0xAF];

    #[test]
    fn a_panel_may_be_missing_come_and_go() {
        let bus = Bus::default();
        let mut panel = Oled::new(bus.clone());
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
        // Row 9 is bit 1 of the second page.
        assert_eq!(bus.told.borrow().last(), Some(&2));
        assert_eq!(switched_on(), 0);

        bus.answers.set(false);
        panel.draw_iter(pixel()).unwrap();
        assert!(panel.flush().is_err(), "pulled out");
        bus.answers.set(true);
        panel.draw_iter(pixel()).unwrap();
        panel.flush().unwrap();
        assert_eq!(switched_on(), 1, "switched on once more");
    }
}
