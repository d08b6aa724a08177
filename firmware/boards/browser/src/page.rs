//! The page as the show sees it: its clock, its button, and where lines go.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

use edgegen_app::Platform;
use heapless::String;

/// Whether the page's button was pressed.
static PRESSED: AtomicBool = AtomicBool::new(false);

#[link(wasm_import_module = "page")]
unsafe extern "C" {
    /// Microseconds of the page's clock, wrapping.
    safe fn ticks() -> u32;
    /// A line for the page's log: where its text lies, and how many bytes it has.
    safe fn line(text: *const u8, len: usize);
}

/// Presses the button.
pub fn press() {
    PRESSED.store(true, Ordering::Relaxed);
}

/// Microseconds of the page's clock, wrapping.
pub fn now() -> u32 {
    ticks()
}

/// Tells the page a line; what is longer than 256 bytes is cut off.
pub fn tell(text: fmt::Arguments<'_>) {
    let mut buffer = String::<256>::new();
    let _ = buffer.write_fmt(text);
    line(buffer.as_ptr(), buffer.len());
}

/// What the show asks of a board.
pub struct Page;

impl Platform for Page {
    fn ticks(&mut self) -> u32 {
        now()
    }

    fn ticks_per_second(&self) -> u32 {
        1_000_000
    }

    fn pressed(&mut self) -> bool {
        PRESSED.swap(false, Ordering::Relaxed)
    }

    fn report(&mut self, line: fmt::Arguments<'_>) {
        tell(line);
    }
}
