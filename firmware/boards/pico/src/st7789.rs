//! Pico Display Pack 2.0: an ST7789 of 320×240 on SPI0, lying on its side. Or a module with an ST7735S on the same
//! wires.

use edgegen_app::{PanelSetup, Platform, Show};
use edgegen_board::lcd::{Glass, Lcd};
use edgegen_board::start_anew;
use embassy_rp::dma::InterruptHandler;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::peripherals::{DMA_CH0, PIN_16, PIN_17, PIN_18, PIN_19, PIN_20, SPI0};
use embassy_rp::spi::{Config, Spi};
use embassy_rp::{Peri, bind_interrupts};
use embassy_time::Delay;
use mipidsi::Builder;
#[cfg(feature = "st7735")]
use mipidsi::models::ST7735s as Controller;
#[cfg(not(feature = "st7735"))]
use mipidsi::models::ST7789 as Controller;
use mipidsi::options::Rotation;

/// Bits a second: half the clock, and what the pack's maker uses.
const SPEED: u32 = if cfg!(feature = "st7735") { SLOWER } else { 62_500_000 };
/// The shortest cycle of an ST7735S is 66 ns.
const SLOWER: u32 = 15_000_000;

bind_interrupts!(struct Interrupts {
    DMA_IRQ_0 => InterruptHandler<DMA_CH0>;
});

/// What the pack is on.
pub struct Wires {
    pub spi: Peri<'static, SPI0>,
    pub dma: Peri<'static, DMA_CH0>,
    pub clock: Peri<'static, PIN_18>,
    pub data: Peri<'static, PIN_19>,
    pub select: Peri<'static, PIN_17>,
    pub data_command: Peri<'static, PIN_16>,
    pub backlight: Peri<'static, PIN_20>,
}

/// Shows the model on the panel.
pub fn run(wires: Wires, model: &[u8], arena: &mut [i8], board: impl Platform) -> ! {
    let mut config = Config::default();
    config.frequency = SPEED;
    let bus = Spi::new_txonly(wires.spi, wires.clock, wires.data, wires.dma, Interrupts, config);
    let mut lcd = Lcd::new(bus, Output::new(wires.select, Level::High), Output::new(wires.data_command, Level::Low));
    let mut glass = Glass::of::<Controller>().rotated(Rotation::Deg90).inverted();
    if cfg!(feature = "st7735") {
        // The usual module of 0.96": the middle of the memory, blue first.
        glass = glass.sized(80, 160).at(26, 1).bgr();
    }
    let glass = glass.fitted(&PanelSetup::parse(env!("EDGEGEN_PANEL")));
    if glass.prepare(Builder::new(Controller, lcd.interface())).init(&mut Delay).is_err() {
        start_anew();
    }
    let _backlight = Output::new(wires.backlight, Level::High);
    lcd.show(&glass, model, arena, &Show::parse(env!("EDGEGEN_SHOW")), board)
}
