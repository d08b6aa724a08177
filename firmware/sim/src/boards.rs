//! What boards have, to tell whether a model fits before anything is built.

/// A board, as the linker and a person see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Board {
    /// Name of its folder in `firmware/boards`.
    pub name: &'static str,
    /// Its processor.
    pub core: &'static str,
    /// Bytes of flash.
    pub flash: u32,
    /// Bytes of RAM.
    pub ram: u32,
    /// Bytes of flash that the program takes besides the model, at most; `tests/boards.rs` links it and looks.
    pub program_flash: u32,
    /// Bytes of RAM that the program takes besides the arena, the stack's reserve included.
    pub program_ram: u32,
}

/// All boards that firmware is there for.
pub const ALL: [Board; 1] = [Board {
    name: "lm3s6965evb",
    core: "Cortex-M3 (emulated with M0, M4, M7, M33 or M55 too)",
    flash: 256 * 1024,
    ram: 64 * 1024,
    program_flash: 68 * 1024,
    program_ram: 28 * 1024,
}];
