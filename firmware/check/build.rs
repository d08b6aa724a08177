//! Hands the linker its script; the memory map comes from edgegen-lm3s6965.

fn main() {
    edgegen_embed::link();
}
