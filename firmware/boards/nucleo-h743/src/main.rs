//! edgegen on the Nucleo-H743ZI: clocks, bus, display, then the app. README.md has pins and wiring.

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

/// Working memory for the model, of the 128 KiB that are as fast as the processor.
const ARENA_BYTES: usize = 96 * 1024;

/// How long the program may take from one feeding of the watchdog to the next, in microseconds.
const PATIENCE: u32 = 4_000_000;

#[cortex_m_rt::entry]
fn main() -> ! {
    let p = clocks::start();
    let mut core = cortex_m::Peripherals::take().expect("main runs once");
    // Program and weights are read from flash, at an eighth of the processor's speed.
    core.SCB.enable_icache();
    core.SCB.enable_dcache(&mut core.CPUID);
    let clock = Clock::start(core.DCB, core.DWT, clocks::HERTZ);
    let mut watchdog = IndependentWatchdog::new(p.IWDG1, PATIENCE);
    watchdog.unleash();
    let button = Input::new(p.PC13, Pull::Down);
    let wires = st7789::Wires {
        spi: p.SPI1,
        clock: p.PA5,
        data: p.PB5,
        select: p.PD14.into(),
        data_command: p.PD15.into(),
        reset: p.PF3.into(),
    };

    let arena = singleton!(: Arena<ARENA_BYTES> = Arena::new()).expect("main runs once");
    // Seen through, the compiler would check parts of the model at build time, and leave out a model that fails.
    let model = black_box(embed_model!(env!("EDGEGEN_MODEL_FILE")));
    let board = Board::new(clock, || button.is_high(), || watchdog.pet());
    st7789::run(wires, clock, model, &mut arena.0, board)
}
