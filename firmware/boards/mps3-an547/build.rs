//! Finds the model to embed, writes the memory map and hands the linker its scripts.
//!
//! `EDGEGEN_MODEL` is the path of an `.egm` file; without it, models/emoji-dcgan/model.egm of this repository.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=EDGEGEN_MODEL");
    let here = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let model = env::var("EDGEGEN_MODEL").unwrap_or_else(|_| format!("{here}/../../../models/emoji-dcgan/model.egm"));
    let Ok(model) = Path::new(&model).canonicalize() else {
        println!("cargo::error=There is no model at {model}: set EDGEGEN_MODEL to the path of an .egm file.");
        return;
    };
    println!("cargo::rerun-if-changed={}", model.display());
    println!("cargo::rustc-env=EDGEGEN_MODEL_FILE={}", model.display());

    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    // Without page alignment between segments, which a microcontroller has no use for.
    println!("cargo::rustc-link-arg-bins=--nmagic");
    memory_map();
}

/// 512 KiB for the program and 512 KiB for its variables, where all machines but one have them: instruction and data TCM of
/// the Corstone-300 (AN547), SSRAM1 and SSRAM2 of the boards with an M3, M4 or M7, flash and RAM of the nRF51. The IoTKit with
/// its M33 (AN505) starts in secure state, in the secure alias of SSRAM1, and has most RAM in the one of SSRAM2.
fn memory_map() {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let (flash, ram) =
        if flags.contains("target-cpu=cortex-m33") { (0x1000_0000, 0x3800_0000) } else { (0, 0x2000_0000) };
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let map = format!(
        "MEMORY\n{{\n  FLASH : ORIGIN = {flash:#010x}, LENGTH = 512K\n  RAM : ORIGIN = {ram:#010x}, LENGTH = 512K\n}}\n"
    );
    fs::write(folder.join("memory.x"), map).expect("cargo made the folder");
    println!("cargo::rustc-link-search={}", folder.display());
}
