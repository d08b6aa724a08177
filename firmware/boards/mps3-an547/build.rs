//! The model to embed, the memory map, and the linker's scripts.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    edgegen_embed::model();
    edgegen_embed::link();

    // 512 KiB for the program and 512 KiB for its variables, where all machines but one have them: instruction and data TCM
    // of the Corstone-300 (AN547), SSRAM1 and SSRAM2 of the boards with an M3, M4 or M7, flash and RAM of the nRF51. The
    // IoTKit with its M33 (AN505) starts in secure state in SSRAM1's secure alias, and the one of SSRAM2 has RAM enough.
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let (flash, ram) =
        if flags.contains("target-cpu=cortex-m33") { (0x1000_0000, 0x3800_0000) } else { (0, 0x2000_0000) };
    let map = format!(
        "MEMORY {{\n  FLASH : ORIGIN = {flash:#010x}, LENGTH = 512K\n  RAM : ORIGIN = {ram:#010x}, LENGTH = 512K\n}}\n"
    );
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(folder.join("memory.x"), map).expect("cargo made the folder");
    println!("cargo::rustc-link-search={}", folder.display());
}
