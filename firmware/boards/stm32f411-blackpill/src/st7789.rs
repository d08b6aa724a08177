//! A module with an ST7789 of 240×240 on SPI1.

use edgegen_app::{PanelSetup, Platform, Show};
use edgegen_board::lcd::{Glass, Lcd};
use edgegen_board::{Clock, start_anew};
use embassy_stm32::dma::InterruptHandler;
use embassy_stm32::gpio::{AnyPin, Level, Output, Speed};
use embassy_stm32::peripherals::{DMA2_CH3, PA5, PA7, SPI1};
use embassy_stm32::spi::{Config, MODE_3, Spi};
use embassy_stm32::time::mhz;
use embassy_stm32::{Peri, bind_interrupts};
use mipidsi::Builder;
use mipidsi::models::ST7789;

bind_interrupts!(struct Interrupts {
    DMA2_STREAM3 => InterruptHandler<DMA2_CH3>;
});

/// What the panel is on.
pub struct Wires {
    pub spi: Peri<'static, SPI1>,
    pub dma: Peri<'static, DMA2_CH3>,
    pub clock: Peri<'static, PA5>,
    pub data: Peri<'static, PA7>,
    pub select: Peri<'static, AnyPin>,
    pub data_command: Peri<'static, AnyPin>,
    pub reset: Peri<'static, AnyPin>,
}

/// Shows the model on the panel.
pub fn run(wires: Wires, mut clock: Clock, model: &[u8], arena: &mut [i8], board: impl Platform) -> ! {
    let mut config = Config::default();
    // Clock idle high: modules without a select pin want it, the others take it.
    config.mode = MODE_3;
    config.frequency = mhz(25);
    let bus = Spi::new_txonly(wires.spi, wires.clock, wires.data, wires.dma, Interrupts, config);
    let high = |pin| Output::new(pin, Level::High, Speed::High);
    let mut lcd = Lcd::new(bus, high(wires.select), high(wires.data_command));
    let mut reset = high(wires.reset);
    let glass = Glass::of::<ST7789>().sized(240, 240).inverted();
    let glass = glass.fitted(&PanelSetup::parse(env!("EDGEGEN_PANEL")));
    let panel = glass.prepare(Builder::new(ST7789, lcd.interface()));
    if panel.reset_pin(&mut reset).init(&mut clock).is_err() {
        start_anew();
    }
    lcd.show(&glass, model, arena, &Show::parse(env!("EDGEGEN_SHOW")), board)
}
