//! Embeds the model at `EDGEGEN_MODEL` and hands the linker its scripts.

use std::env;

fn main() {
    println!("cargo::rerun-if-env-changed=EDGEGEN_MODEL");
    println!("cargo::rerun-if-changed=memory.x");
    match env::var("EDGEGEN_MODEL") {
        Ok(model) => println!("cargo::rerun-if-changed={model}\ncargo::rustc-env=EDGEGEN_MODEL_FILE={model}"),
        Err(_) => println!("cargo::error=There is no model: set EDGEGEN_MODEL to the path of an .egm file."),
    }
    println!("cargo::rustc-link-search={}", env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rustc-link-arg-bins=--nmagic");
}
