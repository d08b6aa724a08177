//! What happens where nothing can go on: the board starts anew.

#![allow(unsafe_code)] // the signature that cortex-m-rt wants of the hard fault

use core::panic::PanicInfo;

use cortex_m::asm;
use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};

/// Cycles before the start: time for a debug probe to halt a board that fails over and over, and below any watchdog here.
const PAUSE: u32 = 40_000_000;

/// Resets the chip after a pause of some tenths of a second.
pub fn start_anew() -> ! {
    cortex_m::interrupt::disable();
    asm::delay(PAUSE);
    SCB::sys_reset()
}

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    start_anew()
}

#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    start_anew()
}
