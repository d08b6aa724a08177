//! An SSD1306 of 128×64 on I2C0.

use edgegen_board::oled::Oled;
use embassy_rp::Peri;
use embassy_rp::i2c::{Config, I2c};
use embassy_rp::peripherals::{I2C0, PIN_4, PIN_5};
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::pixelcolor::BinaryColor;

/// Opens the panel, if it answers.
pub fn open(
    i2c: Peri<'static, I2C0>,
    clock_pin: Peri<'static, PIN_5>,
    data: Peri<'static, PIN_4>,
) -> Option<impl DrawTarget<Color = BinaryColor>> {
    let mut config = Config::default();
    // The controller's fastest.
    config.frequency = 400_000;
    Oled::open(I2c::new_blocking(i2c, clock_pin, data, config)).ok()
}
