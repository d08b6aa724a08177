//! Finds the model to embed and hands the linker its scripts.
//!
//! `EDGEGEN_MODEL` is the path of an `.egm` file; without it, models/mnist-dcgan/model.egm of this repository.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-env-changed=EDGEGEN_MODEL");
    let here = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let model = env::var("EDGEGEN_MODEL").unwrap_or_else(|_| format!("{here}/../../../models/mnist-dcgan/model.egm"));
    let Ok(model) = Path::new(&model).canonicalize() else {
        println!("cargo::error=There is no model at {model}: set EDGEGEN_MODEL to the path of an .egm file.");
        return;
    };
    println!("cargo::rerun-if-changed={}", model.display());
    println!("cargo::rustc-env=EDGEGEN_MODEL_FILE={}", model.display());

    // Here and not in .cargo/config.toml, where a RUSTFLAGS of the user's would silently replace them.
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "none") {
        println!("cargo::rustc-link-arg-bins=-Tlink.x");
        // Without page alignment between segments, which a microcontroller has no use for.
        println!("cargo::rustc-link-arg-bins=--nmagic");
    }
}
