//! The model to embed, and the linker's scripts.

fn main() {
    edgegen_embed::model();
    edgegen_embed::link();
    // Places the second stage of the boot loader; embassy-rp brings it.
    println!("cargo::rustc-link-arg-bins=-Tlink-rp.x");
}
