//! edgegen on the WeAct Black Pill with an STM32F411: clocks, bus, display, then the app. README.md has pins and wiring.

#![no_std]
#![no_main]

mod clocks;
mod st7789;

use core::hint::black_box;

use cortex_m::singleton;
use edgegen_board::{Board, Clock};
use edgegen_runtime::{Arena, embed_model};
use embassy_stm32::gpio::{Input, Pull};
use embassy_stm32::wdg::IndependentWatchdog;

/// Working memory for the model, of 128 KiB.
const ARENA_BYTES: usize = 96 * 1024;

/// How long the program may take from one feeding of the watchdog to the next, in microseconds.
const PATIENCE: u32 = 4_000_000;

#[cortex_m_rt::entry]
fn main() -> ! {
    let p = clocks::start();
    let core = cortex_m::Peripherals::take().expect("main runs once");
    let clock = Clock::start(core.DCB, core.DWT, clocks::HERTZ);
    let mut watchdog = IndependentWatchdog::new(p.IWDG, PATIENCE);
    watchdog.unleash();
    let button = Input::new(p.PA0, Pull::Up);
    let wires = st7789::Wires {
        spi: p.SPI1,
        dma: p.DMA2_CH3,
        clock: p.PA5,
        data: p.PA7,
        select: p.PB10.into(),
        data_command: p.PB0.into(),
        reset: p.PB1.into(),
    };

    let arena = singleton!(: Arena<ARENA_BYTES> = Arena::new()).expect("main runs once");
    // Seen through, the compiler would check parts of the model at build time, and leave out a model that fails.
    let model = black_box(embed_model!(env!("EDGEGEN_MODEL_FILE")));
    let board = Board::new(clock, || button.is_low(), || watchdog.pet());
    st7789::run(wires, clock, model, &mut arena.0, board)
}
