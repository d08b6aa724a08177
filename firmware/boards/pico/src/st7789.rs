//! Pico Display Pack 2.0: an ST7789 of 320×240 on SPI0, lying on its side.

use core::pin::pin;

use cortex_m::singleton;
use edgegen_app::{DoubleBuffered, Platform, Polled, Show, show};
use edgegen_board::lcd::{Lcd, ROW_BYTES};
use edgegen_board::start_anew;
use embassy_rp::dma::InterruptHandler;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::peripherals::{DMA_CH0, PIN_16, PIN_17, PIN_18, PIN_19, PIN_20, SPI0};
use embassy_rp::spi::{Config, Spi};
use embassy_rp::{Peri, bind_interrupts};
use embassy_time::Delay;
use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::Rgb565;
use mipidsi::Builder;
use mipidsi::models::ST7789;
use mipidsi::options::{ColorInversion, Orientation, Rotation};

/// Bits a second: half the clock, and what the pack's maker uses.
const SPEED: u32 = 62_500_000;

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
    let panel = Builder::new(ST7789, lcd.interface()).orientation(Orientation::new().rotate(Rotation::Deg90));
    if panel.invert_colors(ColorInversion::Inverted).init(&mut Delay).is_err() {
        start_anew();
    }
    let _backlight = Output::new(wires.backlight, Level::High);
    let rows = singleton!(: [[u8; ROW_BYTES]; 2] = [[0; ROW_BYTES]; 2]).expect("runs once");
    let under_way = pin!(None);
    let bus = Polled::new(lcd, under_way, Lcd::send);
    let rows = rows.each_mut().map(|row| &mut row[..]);
    let mut display = DoubleBuffered::<_, Rgb565>::new(bus, Size::new(320, 240), rows);
    show(&mut display, model, arena, &Show::default(), board)
}
