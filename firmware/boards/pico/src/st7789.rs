//! Pico Display Pack 2.0: an ST7789 of 320×240 on SPI0, lying on its side.

use core::fmt::Debug;

use cortex_m::singleton;
use edgegen_board::start_anew;
use embassy_rp::Peri;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::peripherals::{PIN_16, PIN_17, PIN_18, PIN_19, PIN_20, SPI0};
use embassy_rp::spi::{Config, Spi};
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::pixelcolor::Rgb565;
use embedded_hal_bus::spi::ExclusiveDevice;
use mipidsi::Builder;
use mipidsi::interface::SpiInterface;
use mipidsi::models::ST7789;
use mipidsi::options::{ColorInversion, Orientation, Rotation};

/// Bits a second: half the clock, and what the pack's maker uses.
const SPEED: u32 = 62_500_000;

/// Opens the panel. It cannot answer, so it is taken to be there.
pub fn open(
    spi: Peri<'static, SPI0>,
    clock_pin: Peri<'static, PIN_18>,
    data: Peri<'static, PIN_19>,
    select: Peri<'static, PIN_17>,
    data_command: Peri<'static, PIN_16>,
    backlight: Peri<'static, PIN_20>,
) -> impl DrawTarget<Color = Rgb565, Error: Debug> {
    let mut config = Config::default();
    config.frequency = SPEED;
    let bus = Spi::new_blocking_txonly(spi, clock_pin, data, config);
    let Ok(device) = ExclusiveDevice::new_no_delay(bus, Output::new(select, Level::High));
    // One row of the panel.
    let buffer = singleton!(: [u8; 640] = [0; 640]).expect("main runs once");
    let interface = SpiInterface::new(device, Output::new(data_command, Level::Low), buffer);
    let display = Builder::new(ST7789, interface)
        .orientation(Orientation::new().rotate(Rotation::Deg90))
        .invert_colors(ColorInversion::Inverted)
        .init(&mut embassy_time::Delay);
    // It stays on; dropped, the pin would be an input again.
    core::mem::forget(Output::new(backlight, Level::High));
    let Ok(display) = display else { start_anew() };
    display
}
