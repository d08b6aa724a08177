//! Counts instructions and stack of parsing a model and drawing with it, on QEMU's lm3s6965evb with `-icount shift=0`.
//!
//! ```text
//! calibration TICKS        of 100 000 instructions
//! parse TICKS STACK        STACK in bytes, of this call alone
//! image TICKS STACK CRC32  one line for each image
//! ```

#![no_std]
#![no_main]

use core::arch::asm;
use core::hint::black_box;

use cortex_m::peripheral::{SYST, syst::SystClkSource};
use cortex_m::singleton;
use cortex_m_semihosting::{debug, hprintln};
use edgegen_runtime::model::checksum;
use edgegen_runtime::{Arena, Generator, Model, embed_model};

edgegen_runtime::start_vectors!();

/// Working memory of the models that are measured.
const ARENA_BYTES: usize = 24 * 1024;
/// Images to draw; they should take about the same.
const IMAGES: u64 = 3;
/// System control: run-mode clock configuration, as it is after reset but with the least divider. QEMU's SysTick then counts
/// every 5 ns, which are 5 instructions.
const RCC: (usize, u32) = (0x400F_E060, 0x078E_3AC0 & !(0xF << 23));
/// What unused stack is filled with.
const PAINT: u32 = 0xC0DE_F00D;

#[cortex_m_rt::entry]
fn main() -> ! {
    // SAFETY: the register of the chip that QEMU emulates; nothing else uses it.
    unsafe { (RCC.0 as *mut u32).write_volatile(RCC.1) };
    let mut systick = cortex_m::Peripherals::take().expect("main runs once").SYST;
    systick.set_reload(0x00FF_FFFF);
    systick.clear_current();
    systick.set_clock_source(SystClkSource::Core);
    systick.enable_counter();

    let (ticks, _, ()) = measured(calibrate);
    hprintln!("calibration {}", ticks);

    let arena = singleton!(: Arena<ARENA_BYTES> = Arena::new()).expect("main runs once");
    let (ticks, stack, model) = measured(|| Model::parse(black_box(embed_model!(env!("EDGEGEN_MODEL_FILE")))));
    let model = match model {
        Ok(model) => model,
        Err(error) => fail(format_args!("{error}")),
    };
    hprintln!("parse {} {}", ticks, stack);
    let mut generator = match Generator::new(&model, &mut arena.0) {
        Ok(generator) => generator,
        Err(error) => fail(format_args!("{error}")),
    };
    for seed in 0..IMAGES {
        let (ticks, stack, ()) = measured(|| {
            generator.draw(black_box(seed), |row| {
                black_box(row);
            });
        });
        let mut crc = 0u32;
        generator.draw(seed, |row| crc = checksum(row) ^ crc.rotate_left(1));
        hprintln!("image {} {} {:08x}", ticks, stack, crc);
    }
    debug::exit(debug::EXIT_SUCCESS);
    loop {
        cortex_m::asm::wfi();
    }
}

/// 100 000 instructions: 50 000 times around a loop of two.
fn calibrate() {
    // SAFETY: counts a register of its own down.
    unsafe {
        asm!("2:", "subs {0}, #1", "bne 2b", inout(reg) 50_000 => _, options(nomem, nostack));
    }
}

/// What a call takes: ticks, bytes of stack, and its result.
#[inline(never)]
fn measured<T>(call: impl FnOnce() -> T) -> (u32, u32, T) {
    let top = paint();
    let start = SYST::get_current();
    let result = call();
    let end = SYST::get_current();
    (start.wrapping_sub(end) & 0x00FF_FFFF, used(top), result)
}

unsafe extern "C" {
    /// End of the variables, where the stack may grow down to; the linker script of cortex-m-rt has it.
    static mut __sheap: u32;
}

/// Fills the unused stack; gives where it begins.
#[inline(never)]
fn paint() -> usize {
    let top = stack_pointer() - 64;
    let mut word = (&raw mut __sheap) as usize;
    while word < top {
        // SAFETY: between the variables and the stack pointer there is nothing; no interrupt is enabled.
        unsafe { (word as *mut u32).write_volatile(PAINT) };
        word += 4;
    }
    top
}

/// Bytes below `top` that are no longer as [`paint`] left them, down to the lowest.
#[inline(never)]
fn used(top: usize) -> u32 {
    let mut word = (&raw const __sheap) as usize;
    // SAFETY: as for `paint`, and reading only.
    while word < top && unsafe { (word as *const u32).read_volatile() } == PAINT {
        word += 4;
    }
    (top - word) as u32 + 64
}

fn stack_pointer() -> usize {
    let pointer: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

fn fail(reason: core::fmt::Arguments<'_>) -> ! {
    hprintln!("fault {}", reason);
    debug::exit(debug::EXIT_FAILURE);
    loop {
        cortex_m::asm::wfi();
    }
}

/// A fault of the processor.
///
/// # Safety
///
/// Called by the processor alone.
#[cortex_m_rt::exception]
unsafe fn HardFault(frame: &cortex_m_rt::ExceptionFrame) -> ! {
    fail(format_args!("hard fault at {:#010x}", frame.pc()))
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    fail(format_args!("{info}"))
}
