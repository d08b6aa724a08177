//! Lets the linker find the chip's memory map, in all programs that use this crate.

fn main() {
    edgegen_embed::memory();
}
