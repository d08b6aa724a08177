//! An SSD1306 that shows what is drawn at once.

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

/// A panel of 128×64 pixels on an I2C bus, at the usual address 0x3C.
///
/// The controller takes eight pixels a byte, one above the other, so the driver keeps the picture (1 KiB) and sends the
/// bytes that a drawing call has touched. The driver alone would wait for its `flush`, which a
/// [`DrawTarget`](embedded_graphics::draw_target::DrawTarget) does not have.
pub struct Oled<I> {
    driver: Driver<I>,
}

impl<I: I2c> Oled<I> {
    /// Switches the panel on, black.
    ///
    /// # Errors
    ///
    /// When no panel answers.
    pub fn open(bus: I) -> Result<Self, DisplayError> {
        let interface = I2CDisplayInterface::new(bus);
        let mut driver =
            Ssd1306::new(interface, DisplaySize128x64, DisplayRotation::Rotate0).into_buffered_graphics_mode();
        driver.init()?;
        driver.flush()?;
        Ok(Self { driver })
    }
}

impl<I: I2c> DrawTarget for Oled<I> {
    type Color = BinaryColor;
    type Error = DisplayError;

    fn draw_iter<P: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: P) -> Result<(), DisplayError> {
        self.driver.draw_iter(pixels)?;
        self.driver.flush()
    }

    fn clear(&mut self, color: BinaryColor) -> Result<(), DisplayError> {
        self.driver.clear(color)?;
        self.driver.flush()
    }
}

impl<I> OriginDimensions for Oled<I> {
    fn size(&self) -> Size {
        Size::new(128, 64)
    }
}
