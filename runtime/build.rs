//! Tells the kernels which instruction set the target has, where stable Rust cannot: `cfg(edgegen_isa = "…")`.
//!
//! DSP and vector instructions of Cortex-M follow from the target and from `-C target-cpu`.

use std::env;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(edgegen_isa, values(\"armv6m\", \"dsp\", \"mve\"))");
    println!("cargo::rerun-if-changed=build.rs");
    let target = env::var("TARGET").unwrap_or_default();
    if !target.starts_with("thumb") {
        return;
    }
    // Flags are separated by 0x1f; `-C target-cpu=x` may be one or two of them.
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let cpu = flags.split('\x1f').filter_map(|flag| flag.split_once("target-cpu=")).map(|(_, cpu)| cpu).next_back();
    let isa = match cpu {
        Some("cortex-m55" | "cortex-m85") => "mve",
        Some("cortex-m33" | "cortex-m35p" | "cortex-m4" | "cortex-m7") => "dsp",
        _ if target.starts_with("thumbv7em") => "dsp",
        _ => "armv6m",
    };
    println!("cargo::rustc-cfg=edgegen_isa=\"{isa}\"");
    // The assembler does not hear of `-C target-cpu`, and Armv8-M has DSP instructions in some CPUs only.
    let directive = cpu.filter(|_| target.starts_with("thumbv8m")).map(|cpu| format!(".cpu {cpu}"));
    println!("cargo::rustc-env=EDGEGEN_CPU_DIRECTIVE={}", directive.unwrap_or_default());
}
