//! edgegen on the WeAct Black Pill with an STM32F411: clocks, bus, display, then the app. README.md has pins and wiring.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::pin::pin;

use cortex_m::singleton;
use edgegen_app::{DoubleBuffered, Polled, Show, show};
use edgegen_board::lcd::{Lcd, ROW_BYTES};
use edgegen_board::{Board, Clock, start_anew};
use edgegen_runtime::{Arena, embed_model};
use embassy_stm32::Peri;
use embassy_stm32::bind_interrupts;
use embassy_stm32::dma::InterruptHandler;
use embassy_stm32::gpio::{AnyPin, Input, Level, Output, Pull, Speed};
use embassy_stm32::peripherals::DMA2_CH3;
use embassy_stm32::rcc::{APBPrescaler, Pll, PllMul, PllPDiv, PllPreDiv, PllSource, Sysclk};
use embassy_stm32::spi::{Config, MODE_3, Spi};
use embassy_stm32::time::mhz;
use embassy_stm32::wdg::IndependentWatchdog;
use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::Rgb565;
use mipidsi::Builder;
use mipidsi::models::ST7789;
use mipidsi::options::ColorInversion;

/// Working memory for the model, of 128 KiB.
const ARENA_BYTES: usize = 96 * 1024;

/// How long the program may take from one feeding of the watchdog to the next, in microseconds.
const PATIENCE: u32 = 4_000_000;

bind_interrupts!(struct Interrupts {
    DMA2_STREAM3 => InterruptHandler<DMA2_CH3>;
});

#[cortex_m_rt::entry]
fn main() -> ! {
    let p = embassy_stm32::init(clocks());
    // Reset leaves the flash without its cache and prefetch; at 100 MHz a word would take four cycles.
    embassy_stm32::pac::FLASH.acr().modify(|w| {
        w.set_icen(true);
        w.set_dcen(true);
        w.set_prften(true);
    });
    let core = cortex_m::Peripherals::take().expect("main runs once");
    let mut clock = Clock::start(core.DCB, core.DWT, 100_000_000);
    let mut watchdog = IndependentWatchdog::new(p.IWDG, PATIENCE);
    watchdog.unleash();
    let button = Input::new(p.PA0, Pull::Up);

    let mut config = Config::default();
    // Clock idle high: modules without a select pin want it, the others take it.
    config.mode = MODE_3;
    config.frequency = mhz(25);
    let bus = Spi::new_txonly(p.SPI1, p.PA5, p.PA7, p.DMA2_CH3, Interrupts, config);
    let [select, data_command] = [p.PB10.into(), p.PB0.into()].map(high);
    let mut reset = high(p.PB1.into());
    let mut lcd = Lcd::new(bus, select, data_command);
    let panel = Builder::new(ST7789, lcd.interface()).display_size(240, 240);
    let panel = panel.invert_colors(ColorInversion::Inverted).reset_pin(&mut reset);
    if panel.init(&mut clock).is_err() {
        start_anew();
    }
    let rows = singleton!(: [[u8; ROW_BYTES]; 2] = [[0; ROW_BYTES]; 2]).expect("main runs once");
    let under_way = pin!(None);
    let bus = Polled::new(lcd, under_way, Lcd::send);
    let mut display =
        DoubleBuffered::<_, Rgb565>::new(bus, Size::new(240, 240), rows.each_mut().map(|row| &mut row[..]));

    let arena = singleton!(: Arena<ARENA_BYTES> = Arena::new()).expect("main runs once");
    // Seen through, the compiler would check parts of the model at build time, and leave out a model that fails.
    let model = black_box(embed_model!(env!("EDGEGEN_MODEL_FILE")));
    let board = Board::new(clock, || button.is_low(), || watchdog.pet());
    show(&mut display, model, &mut arena.0, &Show::parse(env!("EDGEGEN_SHOW")), board)
}

/// A fast output, high.
fn high(pin: Peri<'static, AnyPin>) -> Output<'static> {
    Output::new(pin, Level::High, Speed::High)
}

/// 100 MHz from the chip's own oscillator of 16 MHz: boards come with crystals of 25 and of 8 MHz.
fn clocks() -> embassy_stm32::Config {
    let mut config = embassy_stm32::Config::default();
    config.rcc.pll_src = PllSource::HSI;
    config.rcc.pll =
        Some(Pll { prediv: PllPreDiv::DIV8, mul: PllMul::MUL100, divp: Some(PllPDiv::DIV2), divq: None, divr: None });
    config.rcc.sys = Sysclk::PLL1_P;
    // At most 50 MHz on this bus.
    config.rcc.apb1_pre = APBPrescaler::DIV2;
    config
}
