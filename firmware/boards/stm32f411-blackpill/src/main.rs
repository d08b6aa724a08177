//! edgegen on the WeAct Black Pill with an STM32F411: clocks, bus, display, then the app. README.md has pins and wiring.

#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m::singleton;
use edgegen_app::{Show, show};
use edgegen_board::{Board, Clock, start_anew};
use edgegen_runtime::{Arena, embed_model};
use embassy_stm32::gpio::{Input, Level, Output, Pull, Speed};
use embassy_stm32::rcc::{APBPrescaler, Pll, PllMul, PllPDiv, PllPreDiv, PllSource, Sysclk};
use embassy_stm32::spi::{Config, MODE_3, Spi};
use embassy_stm32::time::mhz;
use embassy_stm32::wdg::IndependentWatchdog;
use embedded_hal_bus::spi::ExclusiveDevice;
use mipidsi::Builder;
use mipidsi::interface::SpiInterface;
use mipidsi::models::ST7789;
use mipidsi::options::ColorInversion;

/// Working memory for the model, of 128 KiB.
const ARENA_BYTES: usize = 96 * 1024;

/// How long the program may take from one feeding of the watchdog to the next, in microseconds.
const PATIENCE: u32 = 4_000_000;

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
    let bus = Spi::new_blocking_txonly(p.SPI1, p.PA5, p.PA7, config);
    let [select, reset] = [Output::new(p.PB10, Level::High, Speed::High), Output::new(p.PB1, Level::High, Speed::Low)];
    let Ok(device) = ExclusiveDevice::new_no_delay(bus, select);
    // One row of the panel.
    let buffer = singleton!(: [u8; 480] = [0; 480]).expect("main runs once");
    let interface = SpiInterface::new(device, Output::new(p.PB0, Level::Low, Speed::High), buffer);
    let panel = Builder::new(ST7789, interface).display_size(240, 240).invert_colors(ColorInversion::Inverted);
    let Ok(mut display) = panel.reset_pin(reset).init(&mut clock) else { start_anew() };

    let arena = singleton!(: Arena<ARENA_BYTES> = Arena::new()).expect("main runs once");
    // Seen through, the compiler would check parts of the model at build time, and leave out a model that fails.
    let model = black_box(embed_model!(env!("EDGEGEN_MODEL_FILE")));
    let board = Board::new(clock, || button.is_low(), || watchdog.pet());
    show(&mut display, model, &mut arena.0, &Show::default(), board)
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
