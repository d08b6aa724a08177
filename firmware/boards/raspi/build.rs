//! The model to embed, and the linker's script.

fn main() {
    edgegen_embed::model();
    let here = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    println!("cargo::rerun-if-changed=kernel8.x");
    println!("cargo::rustc-link-arg-bins=-T{here}/kernel8.x");
    println!("cargo::rustc-link-arg-bins=--nmagic");
}
