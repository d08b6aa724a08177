//! Hands the linker its script; the memory map comes from edgegen-lm3s6965.

fn main() {
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rustc-link-arg-bins=--nmagic");
}
