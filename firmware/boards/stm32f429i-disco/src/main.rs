//! edgegen on the STM32F429 Discovery: clocks, bus, display, then the app. README.md has the pins.

#![no_std]
#![no_main]

mod clocks;
mod ili9341;

use core::hint::black_box;

use cortex_m::singleton;
use edgegen_board::{Board, Clock};
use edgegen_runtime::{Arena, embed_model};
use embassy_stm32::gpio::{Input, Pull};
use embassy_stm32::wdg::IndependentWatchdog;

/// Working memory for the model, of 192 KiB.
const ARENA_BYTES: usize = 128 * 1024;

/// How long the program may take from one feeding of the watchdog to the next, in microseconds.
const PATIENCE: u32 = 4_000_000;

#[cortex_m_rt::entry]
fn main() -> ! {
    let p = clocks::start();
    let core = cortex_m::Peripherals::take().expect("main runs once");
    let clock = Clock::start(core.DCB, core.DWT, clocks::HERTZ);
    let mut watchdog = IndependentWatchdog::new(p.IWDG, PATIENCE);
    watchdog.unleash();
    let button = Input::new(p.PA0, Pull::Down);
    let wires = ili9341::Wires {
        spi: p.SPI5,
        dma: p.DMA2_CH4,
        clock: p.PF7,
        data: p.PF9,
        select: p.PC2.into(),
        data_command: p.PD13.into(),
    };

    let arena = singleton!(: Arena<ARENA_BYTES> = Arena::new()).expect("main runs once");
    // Seen through, the compiler would check parts of the model at build time, and leave out a model that fails.
    let model = black_box(embed_model!(env!("EDGEGEN_MODEL_FILE")));
    let board = Board::new(clock, || button.is_high(), || watchdog.pet());
    ili9341::run(wires, clock, model, &mut arena.0, board)
}
