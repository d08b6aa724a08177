//! `just size`: what the runtime takes of flash, by the part of it that a symbol belongs to, and of stack.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use edgegen_sim::Cpu;

use crate::board::count;

/// Parts of the program, each with what its symbols contain; the first that fits takes a symbol.
const PARTS: [(&str, &[&str]); 10] = [
    ("kernels: scalar", &["kernels::scalar"]),
    ("kernels: armv6m, dsp or mve", &["kernels::armv6m", "kernels::dsp", "kernels::mve", "edgegen_dsp", "edgegen_mve"]),
    ("kernels: driver", &["kernels::blocked"]),
    ("operator: dense", &["ops::dense"]),
    ("operator: phase_conv", &["ops::phase_conv"]),
    ("executor", &["edgegen_runtime::stream", "edgegen_runtime::ops"]),
    ("latent", &["edgegen_runtime::latent", "xoshiro"]),
    ("parse", &["edgegen_runtime", "postcard", "serde", "heapless", "crc", "from_utf8"]),
    ("memory functions of Rust", &["mem", "__aeabi"]),
    ("start and vectors", &["", "Reset", "__INTERRUPTS"]),
];

/// Prints both tables for each kind of core.
pub fn print() -> Result<()> {
    println!("Flash of a program that parses and draws, without model (firmware/proof), and stack with mnist-dcgan:\n");
    let folder = tempfile::tempdir()?;
    let model = edgegen_tests::shipped("mnist-dcgan");
    for cpu in [Cpu::CortexM0, Cpu::CortexM4, Cpu::CortexM33, Cpu::CortexM55] {
        let parts = flash(cpu)?;
        println!("{cpu}");
        for (part, bytes) in &parts {
            println!("  {bytes:>6} B  {part}");
        }
        println!("  {:>6} B  all", parts.values().sum::<u64>());
        let counts = count(&edgegen_export::repack(&model, cpu.packing())?, cpu, folder.path())?;
        println!("  stack of drawing {} B, of parsing {} B\n", counts.run_stack, counts.parse_stack);
    }
    Ok(())
}

/// Bytes of flash of each part of the smallest program.
pub fn flash(cpu: Cpu) -> Result<BTreeMap<&'static str, u64>> {
    let built = cpu
        .cargo("proof")?
        .args(["build", "--release", "--quiet", "--target", cpu.target()])
        .output()
        .context("cargo")?;
    ensure!(built.status.success(), "firmware/proof: {}", String::from_utf8_lossy(&built.stderr));
    let elf = cpu.release_folder()?.join("edgegen-proof");
    let output = Command::new("llvm-nm-19").args(["--print-size", "--defined-only"]).arg(&elf).output();
    let text = output.context("expected llvm-nm-19: apt-get install llvm-19")?.stdout;
    let mut parts = BTreeMap::new();
    for line in String::from_utf8_lossy(&text).lines() {
        // address size kind name
        let [_, size, kind, name] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
        if !"tTrRwW".contains(kind) {
            continue;
        }
        let name = format!("{:#}", rustc_demangle::demangle(name));
        let part = PARTS.iter().find(|(_, marks)| marks.iter().any(|mark| name.contains(mark)));
        *parts.entry(part.map_or("rest", |part| part.0)).or_insert(0) += u64::from_str_radix(size, 16)?;
    }
    Ok(parts)
}
