//! Hands the linker its scripts.

fn main() {
    edgegen_embed::link();
}
