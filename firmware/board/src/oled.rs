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
