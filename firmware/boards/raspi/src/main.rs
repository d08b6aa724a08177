//! edgegen on the Raspberry Pi 3 without an operating system: its HDMI output is the panel, the report goes out on the PL011.
//!
//! Start-up, bus, display, then the app. README.md says how it gets onto a memory card.

#![no_std]
#![no_main]

mod framebuffer;
mod mailbox;
mod registers;
mod start;
mod uart;

use core::fmt::{self, Write};
use core::hint::black_box;

use edgegen_app::{Platform, Show, show};
use edgegen_runtime::{Arena, embed_model};
use framebuffer::Framebuffer;
use uart::Uart;

/// Working memory for the model. kernel8.x has a stack of so much and 256 KiB more.
const ARENA_BYTES: usize = 4 * 1024 * 1024;

/// Called by `start` once, on one core, with a stack and zeroed variables; the other cores sleep.
extern "C" fn main() -> ! {
    let uart = Uart::new();
    // Asked for before caches are on: the graphics processor answers in memory, and knows nothing of them.
    let Some(surface) = mailbox::framebuffer(framebuffer::WIDTH, framebuffer::HEIGHT) else {
        panic!("the graphics processor gives no framebuffer of {}×{}", framebuffer::WIDTH, framebuffer::HEIGHT);
    };
    start::enable_caches();

    let mut display = Framebuffer::new(surface);
    // On the stack, for which kernel8.x leaves room.
    let mut arena = Arena::<ARENA_BYTES>::new();
    // Seen through, the compiler would check parts of the model at build time, and leave out a model that fails.
    let model = black_box(embed_model!(env!("EDGEGEN_MODEL_FILE")));
    show(&mut display, model, &mut arena.0, &Show::parse(env!("EDGEGEN_SHOW")), Raspi(uart))
}

/// Clock and serial port.
struct Raspi(Uart);

impl Platform for Raspi {
    fn ticks(&mut self) -> u32 {
        registers::ticks()
    }

    fn ticks_per_second(&self) -> u32 {
        registers::ticks_per_second()
    }

    fn report(&mut self, line: fmt::Arguments<'_>) {
        let _ = writeln!(self.0, "{line}");
    }
}

/// Says where and why, and starts the board anew.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    let _ = writeln!(Uart::new(), "panic {info}");
    registers::restart()
}
