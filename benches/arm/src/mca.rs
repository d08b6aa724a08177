//! Cycles of the inner loops, estimated by llvm-mca from LLVM's models of processors.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use edgegen_sim::{Cpu, toolchain};

use crate::board::Bench;
use crate::loops::{self, LLVM, Loop};

/// Rounds of a loop that llvm-mca runs.
const ROUNDS: u32 = 100;

/// A processor and where its kernel comes from.
struct Model {
    /// LLVM's name of it.
    cpu: &'static str,
    /// LLVM's target.
    target: &'static str,
    /// Whether LLVM has a model of it.
    modelled: bool,
    program: Program,
    /// What names of the kernel's functions contain.
    kernel: &'static str,
}

enum Program {
    /// The bench firmware.
    Firmware(Cpu),
    /// The runtime compiled for AArch64 Linux.
    AArch64,
}

const MODELS: [Model; 7] = [
    Model {
        cpu: "cortex-m0",
        target: "thumbv6m-none-eabi",
        modelled: false,
        program: Program::Firmware(Cpu::CortexM0),
        kernel: "kernels::armv6m",
    },
    Model {
        cpu: "cortex-m4",
        target: "thumbv7em-none-eabi",
        modelled: true,
        program: Program::Firmware(Cpu::CortexM4),
        kernel: "kernels::dsp",
    },
    Model {
        cpu: "cortex-m7",
        target: "thumbv7em-none-eabi",
        modelled: true,
        program: Program::Firmware(Cpu::CortexM7),
        kernel: "kernels::dsp",
    },
    Model {
        cpu: "cortex-m33",
        target: "thumbv8m.main-none-eabi",
        modelled: true,
        program: Program::Firmware(Cpu::CortexM33),
        kernel: "kernels::dsp",
    },
    Model {
        cpu: "cortex-m55",
        target: "thumbv8.1m.main-none-eabi",
        modelled: true,
        program: Program::Firmware(Cpu::CortexM55),
        kernel: "kernels::mve",
    },
    Model {
        cpu: "cortex-a53",
        target: "aarch64-unknown-linux-gnu",
        modelled: true,
        program: Program::AArch64,
        kernel: "kernels::neon",
    },
    Model {
        cpu: "cortex-a72",
        target: "aarch64-unknown-linux-gnu",
        modelled: true,
        program: Program::AArch64,
        kernel: "kernels::neon",
    },
];

/// Prints the table.
///
/// # Errors
///
/// When a compiler or LLVM's tools are missing, saying what to install.
pub fn print() -> Result<()> {
    println!(
        "Cycles of inner loops by llvm-mca {LLVM}: {ROUNDS} rounds, every load a hit in the nearest memory. LE, the branch of \
        Armv8.1-M's low-overhead loops, is left out: it takes no time after the first round, and LLVM has no figure for it.\n"
    );
    println!(
        "| core | loop | products | instructions | each product | cycles | each product |\n|---|---|---:|---:|---:|---:|---:|"
    );
    for model in &MODELS {
        let loops = model.program().and_then(|(_bench, program)| loops::find(&program, model.cpu, model.kernel));
        let loops = match loops {
            Ok(loops) => loops,
            Err(error) => {
                println!("| {} | {error:#} | | | | | |", model.cpu);
                continue;
            }
        };
        if loops.is_empty() {
            println!("| {} | no loop with products in {} | | | | | |", model.cpu, model.kernel);
        }
        for found in &loops {
            let Loop { function, instructions, products } = found;
            let (count, products) = (instructions.len(), f64::from(*products));
            let cycles = if model.modelled {
                match cycles(found, model.target, model.cpu) {
                    Ok(cycles) => format!("{cycles:.1} | {:.3}", cycles / products),
                    Err(error) => format!("{error:#} |"),
                }
            } else {
                format!("LLVM {LLVM} has no model of this core |")
            };
            println!(
                "| {} | {function} | {products} | {count} | {:.3} | {cycles} |",
                model.cpu,
                count as f64 / products
            );
        }
    }
    Ok(())
}

impl Model {
    /// The program with the kernel; a firmware lives as long as what is returned with it.
    fn program(&self) -> Result<(Option<Bench>, PathBuf)> {
        match self.program {
            Program::Firmware(cpu) => {
                let bench = Bench::build(cpu)?;
                let elf = bench.elf.clone();
                Ok((Some(bench), elf))
            }
            Program::AArch64 => Ok((None, aarch64(self.target)?)),
        }
    }
}

/// The runtime compiled for a target with operating system, as an archive of object files.
fn aarch64(target: &str) -> Result<PathBuf> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/mca"));
    let status = toolchain::host("cargo")?
        .args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "edgegen-runtime",
            "--features",
            "std",
            "--target",
            target,
            "--target-dir",
        ])
        .arg(folder)
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "cannot compile for {target}: rustup target add {target}");
    Ok(folder.join(target).join("release/libedgegen_runtime.rlib"))
}

/// Cycles of a round.
fn cycles(found: &Loop, target: &str, cpu: &str) -> Result<f64> {
    let mca = format!("llvm-mca-{LLVM}");
    let mut child = Command::new(&mca)
        .arg(format!("-mtriple={target}"))
        .arg(format!("-mcpu={cpu}"))
        .arg(format!("-iterations={ROUNDS}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("expected {mca}: on Debian, apt-get install llvm-{LLVM}"))?;
    let timed: Vec<&str> =
        found.instructions.iter().map(String::as_str).filter(|text| !text.starts_with("le ")).collect();
    let text = format!("again:\n{}\n", timed.join("\n"));
    child.stdin.take().context("llvm-mca takes no input")?.write_all(text.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("llvm-mca: {}", complaint.lines().next().unwrap_or("failed"));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let total =
        text.lines().find_map(|line| line.strip_prefix("Total Cycles:")).context("llvm-mca counts no cycles")?;
    Ok(total.trim().parse::<f64>()? / f64::from(ROUNDS))
}
