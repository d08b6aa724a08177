//! How deep the stack gets: fill what is free with a pattern, run, look how far the pattern is gone.

use cortex_m::register::msp;

const PATTERN: u32 = 0xC5A3_5C3A;
/// Bytes below the stack pointer that stay as they are: the compiler may read the pointer before it pushes registers.
const MARGIN: u32 = 64;

unsafe extern "C" {
    /// End of the program's variables, from the linker.
    static mut __sheap: u32;
}

/// A stack that is being watched.
pub struct Watch {
    base: u32,
}

impl Watch {
    /// Fills the free stack. What is called from the caller from now on is measured.
    #[inline(never)]
    pub fn start() -> Self {
        let base = msp::read();
        for address in free(base) {
            // SAFETY: between the program's variables and what this function pushes; there are no interrupts.
            unsafe { (address as *mut u32).write_volatile(PATTERN) };
        }
        Self { base }
    }

    /// Bytes from the stack pointer that [`Watch::start`] had down to the lowest that has been written to since.
    #[inline(never)]
    pub fn deepest(&self) -> u32 {
        // SAFETY: as above; the memory is there, whatever it holds.
        let untouched = |address: &u32| unsafe { (*address as *const u32).read_volatile() } == PATTERN;
        let first = free(self.base).find(|address| !untouched(address));
        first.map_or(MARGIN, |address| self.base - address)
    }
}

/// The words between the variables and the stack pointer.
fn free(stack_pointer: u32) -> impl Iterator<Item = u32> {
    let start = (&raw const __sheap) as u32;
    (start.next_multiple_of(4)..stack_pointer - MARGIN).step_by(4)
}
