//! edgegen on the Nucleo-H743ZI: clocks, bus, display, then the app. README.md has pins and wiring.

#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m::singleton;
use edgegen_app::{Show, show};
use edgegen_board::{Board, Clock, start_anew};
use edgegen_runtime::{Arena, embed_model};
use embassy_stm32::gpio::{Input, Level, Output, Pull, Speed};
use embassy_stm32::rcc::{AHBPrescaler, APBPrescaler, Hse, HseMode, Pll, PllDiv, PllMul, PllPreDiv, PllSource};
use embassy_stm32::rcc::{Sysclk, VoltageScale};
use embassy_stm32::spi::{Config, MODE_3, Spi};
use embassy_stm32::time::mhz;
use embassy_stm32::wdg::IndependentWatchdog;
use embedded_hal_bus::spi::ExclusiveDevice;
use mipidsi::Builder;
use mipidsi::interface::SpiInterface;
use mipidsi::models::ST7789;
use mipidsi::options::ColorInversion;

/// Working memory for the model, of the 128 KiB that are as fast as the processor.
const ARENA_BYTES: usize = 96 * 1024;

/// How long the program may take from one feeding of the watchdog to the next, in microseconds.
const PATIENCE: u32 = 4_000_000;

#[cortex_m_rt::entry]
fn main() -> ! {
    let p = embassy_stm32::init(clocks());
    let mut core = cortex_m::Peripherals::take().expect("main runs once");
    // Program and weights are read from flash, at an eighth of the processor's speed.
    core.SCB.enable_icache();
    core.SCB.enable_dcache(&mut core.CPUID);
    let mut clock = Clock::start(core.DCB, core.DWT, 480_000_000);
    let mut watchdog = IndependentWatchdog::new(p.IWDG1, PATIENCE);
    watchdog.unleash();
    let button = Input::new(p.PC13, Pull::Down);

    let mut config = Config::default();
    // Clock idle high: modules without a select pin want it, the others take it.
    config.mode = MODE_3;
    config.frequency = mhz(30);
    let bus = Spi::new_blocking_txonly(p.SPI1, p.PA5, p.PB5, config);
    let [select, reset] = [Output::new(p.PD14, Level::High, Speed::High), Output::new(p.PF3, Level::High, Speed::Low)];
    let Ok(device) = ExclusiveDevice::new_no_delay(bus, select);
    // One row of the panel.
    let buffer = singleton!(: [u8; 480] = [0; 480]).expect("main runs once");
    let interface = SpiInterface::new(device, Output::new(p.PD15, Level::Low, Speed::High), buffer);
    let panel = Builder::new(ST7789, interface).display_size(240, 240).invert_colors(ColorInversion::Inverted);
    let Ok(mut display) = panel.reset_pin(reset).init(&mut clock) else { start_anew() };

    let arena = singleton!(: Arena<ARENA_BYTES> = Arena::new()).expect("main runs once");
    // Seen through, the compiler would check parts of the model at build time, and leave out a model that fails.
    let model = black_box(embed_model!(env!("EDGEGEN_MODEL_FILE")));
    let board = Board::new(clock, || button.is_high(), || watchdog.pet());
    show(&mut display, model, &mut arena.0, &Show::parse(env!("EDGEGEN_SHOW")), board)
}

/// 480 MHz from the 8 MHz that the board's debug probe gives; 120 MHz for SPI.
fn clocks() -> embassy_stm32::Config {
    let mut config = embassy_stm32::Config::default();
    config.rcc.hse = Some(Hse { freq: mhz(8), mode: HseMode::Bypass });
    config.rcc.pll1 = Some(Pll {
        source: PllSource::HSE,
        prediv: PllPreDiv::DIV2,
        mul: PllMul::MUL240,
        fracn: None,
        divp: Some(PllDiv::DIV2),
        divq: Some(PllDiv::DIV8),
        divr: None,
    });
    config.rcc.sys = Sysclk::PLL1_P;
    config.rcc.voltage_scale = VoltageScale::Scale0;
    // 240 MHz for memories and 120 MHz for peripherals, the chip's most.
    config.rcc.ahb_pre = AHBPrescaler::DIV2;
    config.rcc.apb1_pre = APBPrescaler::DIV2;
    config.rcc.apb2_pre = APBPrescaler::DIV2;
    config.rcc.apb3_pre = APBPrescaler::DIV2;
    config.rcc.apb4_pre = APBPrescaler::DIV2;
    config
}
