//! The chip's registers, as far as they are needed.
//!
//! Broadcom, BCM2835 ARM Peripherals; on the Raspberry Pi 3 (BCM2837) they lie at 0x3F00_0000. The watchdog is in no public
//! data sheet: Linux, drivers/watchdog/bcm2835_wdt.c, has its registers.

use core::arch::asm;

/// Where the peripherals begin.
const PERIPHERALS: usize = 0x3F00_0000;
/// Function of pins 10…19, three bits each; 4 is "alternate function 0".
pub const GPFSEL1: usize = PERIPHERALS + 0x20_0004;
/// Mailbox from and to the graphics processor.
pub const MAILBOX: usize = PERIPHERALS + 0xB880;
/// The PL011.
pub const UART: usize = PERIPHERALS + 0x20_1000;

const PM_RSTC: usize = PERIPHERALS + 0x10_001C;
const PM_WDOG: usize = PERIPHERALS + 0x10_0024;
const PM_PASSWORD: u32 = 0x5A00_0000;
/// What the watchdog does: a full reset.
const PM_FULL_RESET: u32 = 0x20;

pub fn read(register: usize) -> u32 {
    // SAFETY: callers pass the registers named in this crate alone: aligned, always mapped, and none of them memory that
    // Rust knows of. One core, no interrupts: nothing else uses them.
    unsafe { (register as *const u32).read_volatile() }
}

pub fn write(register: usize, value: u32) {
    // SAFETY: as for `read`.
    unsafe { (register as *mut u32).write_volatile(value) }
}

/// The processor's timer, in wrapping.
pub fn ticks() -> u32 {
    let ticks: u64;
    // SAFETY: reads a register that all exception levels may read.
    unsafe { asm!("isb", "mrs {}, cntpct_el0", out(reg) ticks, options(nomem, nostack)) };
    ticks as u32
}

/// Its ticks a second: 19.2 million, in QEMU 62.5 million.
pub fn ticks_per_second() -> u32 {
    let hertz: u64;
    // SAFETY: reads a register that all exception levels may read.
    unsafe { asm!("mrs {}, cntfrq_el0", out(reg) hertz, options(nomem, nostack)) };
    hertz as u32
}

/// Starts the board anew in a moment, by its watchdog.
pub fn restart() -> ! {
    write(PM_WDOG, PM_PASSWORD | 0x1_0000);
    write(PM_RSTC, PM_PASSWORD | PM_FULL_RESET);
    loop {
        core::hint::spin_loop();
    }
}
