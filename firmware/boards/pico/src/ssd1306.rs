//! An SSD1306 of 128×64 on I2C0.

use edgegen_app::{Buffered, Screen};
use edgegen_board::oled::Oled;
use embassy_rp::Peri;
use embassy_rp::i2c::{Blocking, Config, I2c};
use embassy_rp::peripherals::{I2C0, PIN_4, PIN_5};

type Bus = I2c<'static, I2C0, Blocking>;

/// The panel; whether it is there shows when it is drawn on.
pub fn open(
    i2c: Peri<'static, I2C0>,
    clock_pin: Peri<'static, PIN_5>,
    data: Peri<'static, PIN_4>,
) -> impl Screen<Display = Oled<Bus>> {
    let mut config = Config::default();
    // The controller's fastest.
    config.frequency = 400_000;
    Buffered::new(Oled::new(I2c::new_blocking(i2c, clock_pin, data, config)), Oled::flush)
}
