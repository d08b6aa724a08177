//! The board's own ILI9341 of 240×320 on SPI5.

use edgegen_app::{PanelSetup, Platform, Show};
use edgegen_board::lcd::{Glass, Lcd};
use edgegen_board::{Clock, start_anew};
use embassy_stm32::dma::InterruptHandler;
use embassy_stm32::gpio::{AnyPin, Level, Output, Speed};
use embassy_stm32::peripherals::{DMA2_CH4, PF7, PF9, SPI5};
use embassy_stm32::spi::{Config, Spi};
use embassy_stm32::time::khz;
use embassy_stm32::{Peri, bind_interrupts};
use mipidsi::Builder;
use mipidsi::models::ILI9341Rgb565;
use mipidsi::options::Rotation;

bind_interrupts!(struct Interrupts {
    DMA2_STREAM4 => InterruptHandler<DMA2_CH4>;
});

/// What the panel is on.
pub struct Wires {
    pub spi: Peri<'static, SPI5>,
    pub dma: Peri<'static, DMA2_CH4>,
    pub clock: Peri<'static, PF7>,
    pub data: Peri<'static, PF9>,
    pub select: Peri<'static, AnyPin>,
    pub data_command: Peri<'static, AnyPin>,
}

/// Shows the model on the panel.
pub fn run(wires: Wires, mut clock: Clock, model: &[u8], arena: &mut [i8], board: impl Platform) -> ! {
    let mut config = Config::default();
    // An eighth of the bus clock. The controller's data sheet ends at 10 MHz, the next step is half of this.
    config.frequency = khz(10_500);
    let bus = Spi::new_txonly(wires.spi, wires.clock, wires.data, wires.dma, Interrupts, config);
    let high = |pin| Output::new(pin, Level::High, Speed::High);
    let mut lcd = Lcd::new(bus, high(wires.select), high(wires.data_command));
    // Upright with the debug probe's socket at the top.
    let glass = Glass::of::<ILI9341Rgb565>().bgr().rotated(Rotation::Deg180);
    let glass = glass.fitted(&PanelSetup::parse(env!("EDGEGEN_PANEL")));
    if glass.prepare(Builder::new(ILI9341Rgb565, lcd.interface())).init(&mut clock).is_err() {
        start_anew();
    }
    lcd.show(&glass, model, arena, &Show::parse(env!("EDGEGEN_SHOW")), board)
}
