//! edgegen on the Stellaris LM3S6965 evaluation board, as QEMU emulates it: `../../arm run --release`.
//!
//! Clock, bus, display, then the app; the report goes to the semihosting console. The board runs on any Cortex-M that
//! QEMU puts into it (`-cpu cortex-m0 … cortex-m55`).

#![no_std]
#![no_main]

mod host;
mod lm3s6965;
mod ssd0323;

use core::hint::black_box;

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::singleton;
use edgegen_app::{Ending, Request, run};
use edgegen_runtime::{Arena, embed_model};
use ssd0323::{PICTURE_BYTES, Ssd0323};

/// Working memory for the model. Of the chip's 64 KiB the panel's picture takes 4 and the stack the rest.
const ARENA_BYTES: usize = 36 * 1024;

/// SysTick counts down in 24 bits.
const SYSTICK_MASK: u32 = 0x00FF_FFFF;

edgegen_runtime::start_vectors!();

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut line = [0; 128];
    let request = Request::parse(host::command_line(&mut line));

    let picture = singleton!(: [u8; PICTURE_BYTES] = [0; PICTURE_BYTES]).expect("main runs once");
    let mut display = Ssd0323::new(lm3s6965::Ssi0Panel::new(), picture);
    let arena = singleton!(: Arena<ARENA_BYTES> = Arena::new()).expect("main runs once");

    let mut systick = cortex_m::Peripherals::take().expect("main runs once").SYST;
    systick.set_reload(SYSTICK_MASK);
    systick.clear_current();
    systick.set_clock_source(SystClkSource::Core);
    systick.enable_counter();
    // Processor cycles (in QEMU with -icount shift=0: 20 instructions). Right while it is read at least every 0.3 s.
    let (mut cycles, mut last) = (0u32, SYSTICK_MASK);
    let clock = || {
        let now = cortex_m::peripheral::SYST::get_current();
        cycles = cycles.wrapping_add(last.wrapping_sub(now) & SYSTICK_MASK);
        last = now;
        cycles
    };

    // Seen through, the compiler would check parts of the model at build time, and leave out a model that fails.
    let model = black_box(embed_model!(env!("EDGEGEN_MODEL_FILE")));
    let Ok(ending) = run(&mut display, model, &mut arena.0, &request, host::Text, clock);
    if request.hold {
        loop {
            cortex_m::asm::wfi();
        }
    }
    host::exit(matches!(ending, Ending::Done(_)))
}
