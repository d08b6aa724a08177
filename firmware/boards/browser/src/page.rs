//! The page as the show sees it: its clock, its button, its speaker, and where lines go.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

use edgegen_app::{Platform, Speaker};
use heapless::String;

/// Whether the page's button was pressed.
static PRESSED: AtomicBool = AtomicBool::new(false);
/// Whether the page plays what the speaker is handed.
static LISTENS: AtomicBool = AtomicBool::new(false);

#[link(wasm_import_module = "page")]
unsafe extern "C" {
    /// Microseconds of the page's clock, wrapping.
    safe fn ticks() -> u32;
    /// A line for the page's log: where its text lies, and how many bytes it has.
    safe fn line(text: *const u8, len: usize);
    /// The next sample of a sound, −32767 to 32767; whether there was room for it.
    safe fn sample(sample: i32) -> u32;
}

/// Presses the button.
pub fn press() {
    PRESSED.store(true, Ordering::Relaxed);
}

/// Whether sounds are to be heard.
pub fn listen(listens: bool) {
    LISTENS.store(listens, Ordering::Relaxed);
}

/// Whether somebody hears them.
pub fn listens() -> bool {
    LISTENS.load(Ordering::Relaxed)
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

    fn speaker(&mut self) -> Option<&mut dyn Speaker> {
        listens().then_some(self as &mut dyn Speaker)
    }
}

impl Speaker for Page {
    /// The page has read it among the facts.
    fn start(&mut self, _rate: u32) {}

    fn take(&mut self, value: i16) -> bool {
        sample(value.into()) != 0
    }
}
