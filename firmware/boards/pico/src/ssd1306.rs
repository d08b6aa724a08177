//! An OLED of 128×64 with an SSD1306 or SH1106 on I2C0.

use edgegen_app::{Buffered, PanelSetup, Platform, Show, show};
use edgegen_board::oled::Oled;
use embassy_rp::Peri;
use embassy_rp::i2c::{Config, I2c};
use embassy_rp::peripherals::{I2C0, PIN_4, PIN_5};

/// What the panel is on.
pub struct Wires {
    pub i2c: Peri<'static, I2C0>,
    pub clock: Peri<'static, PIN_5>,
    pub data: Peri<'static, PIN_4>,
}

/// Shows the model on the panel.
pub fn run(wires: Wires, model: &[u8], arena: &mut [i8], board: impl Platform) -> ! {
    let mut config = Config::default();
    // The controller's fastest.
    config.frequency = 400_000;
    let bus = I2c::new_blocking(wires.i2c, wires.clock, wires.data, config);
    let setup = PanelSetup::parse(env!("EDGEGEN_PANEL"));
    let panel = if cfg!(feature = "sh1106") { Oled::sh1106(bus, &setup) } else { Oled::ssd1306(bus, &setup) };
    let mut display = Buffered::new(panel, Oled::flush);
    show(&mut display, model, arena, &Show::parse(env!("EDGEGEN_SHOW")), board)
}
