//! A module with an ST7789 of 240×240 on SPI1, the processor sending: DMA does not reach the memory that is as fast as it.

use cortex_m::singleton;
use edgegen_app::{PanelSetup, Platform, Show, show};
use edgegen_board::lcd::Glass;
use edgegen_board::{Clock, start_anew};
use embassy_stm32::Peri;
use embassy_stm32::gpio::{AnyPin, Level, Output, Speed};
use embassy_stm32::peripherals::{PA5, PB5, SPI1};
use embassy_stm32::spi::{Config, MODE_3, Spi};
use embassy_stm32::time::mhz;
use embedded_hal_bus::spi::ExclusiveDevice;
use mipidsi::Builder;
use mipidsi::interface::SpiInterface;
use mipidsi::models::ST7789;

/// What the panel is on.
pub struct Wires {
    pub spi: Peri<'static, SPI1>,
    pub clock: Peri<'static, PA5>,
    pub data: Peri<'static, PB5>,
    pub select: Peri<'static, AnyPin>,
    pub data_command: Peri<'static, AnyPin>,
    pub reset: Peri<'static, AnyPin>,
}

/// Shows the model on the panel.
pub fn run(wires: Wires, mut clock: Clock, model: &[u8], arena: &mut [i8], board: impl Platform) -> ! {
    let mut config = Config::default();
    // Clock idle high: modules without a select pin want it, the others take it.
    config.mode = MODE_3;
    config.frequency = mhz(30);
    let bus = Spi::new_blocking_txonly(wires.spi, wires.clock, wires.data, config);
    let high = |pin| Output::new(pin, Level::High, Speed::High);
    let Ok(device) = ExclusiveDevice::new_no_delay(bus, high(wires.select));
    // One row of the panel.
    let buffer = singleton!(: [u8; 480] = [0; 480]).expect("runs once");
    let interface = SpiInterface::new(device, high(wires.data_command), buffer);
    let glass = Glass::of::<ST7789>().sized(240, 240).inverted();
    let glass = glass.fitted(&PanelSetup::parse(env!("EDGEGEN_PANEL")));
    let panel = glass.prepare(Builder::new(ST7789, interface));
    let Ok(mut display) = panel.reset_pin(high(wires.reset)).init(&mut clock) else { start_anew() };
    show(&mut display, model, arena, &Show::parse(env!("EDGEGEN_SHOW")), board)
}
