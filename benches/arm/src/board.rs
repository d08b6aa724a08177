//! The bench firmware on an emulated board.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use edgegen_export::ModelFile;
use edgegen_sim::{Cpu, qemu};

/// Instructions that the firmware's calibration runs.
const CALIBRATION: u64 = 100_000;

/// What the firmware counted.
#[derive(Clone, Debug)]
pub struct Counts {
    /// Instructions of `Model::parse`.
    pub parse: u64,
    /// Bytes of stack of `Model::parse`.
    pub parse_stack: u64,
    /// Instructions of each image.
    pub images: Vec<u64>,
    /// Most bytes of stack of an image.
    pub run_stack: u64,
}

impl Counts {
    /// Instructions of an image, the mean.
    pub fn image(&self) -> u64 {
        self.images.iter().sum::<u64>() / self.images.len() as u64
    }
}

/// Builds the firmware around a model and runs it.
///
/// # Errors
///
/// When it does not build or fit, and what it says when it fails.
pub fn count(model: &ModelFile, cpu: Cpu, folder: &Path) -> Result<Counts> {
    let path = folder.join("model.egm");
    std::fs::write(&path, model.bytes()).context("cannot write the model")?;
    let output = cpu
        .cargo("bench")?
        .args(["build", "--release", "--quiet", "--target", cpu.target()])
        .env("EDGEGEN_MODEL", &path)
        .output()
        .context("cannot start firmware/arm")?;
    ensure!(output.status.success(), "the bench firmware: {}", String::from_utf8_lossy(&output.stderr));
    let elf = cpu.release_folder()?.join("edgegen-bench");
    let output = qemu::command(cpu)
        .args(["-semihosting-config", "enable=on,target=native", "-kernel"])
        .arg(&elf)
        .stdin(Stdio::null())
        .output()
        .context("cannot start QEMU")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "the bench firmware on {cpu}: {text}");

    let field = |line: &str, index: usize| -> Result<u64> {
        line.split(' ').nth(index).and_then(|word| word.parse().ok()).with_context(|| format!("no number in {line}"))
    };
    let line =
        |name: &str| text.lines().find(|line| line.starts_with(name)).with_context(|| format!("no {name}: {text}"));
    // What a tick is, is measured; whole instructions, because the clock is one.
    let per_tick = (CALIBRATION as f64 / field(line("calibration")?, 1)? as f64).round() as u64;
    let images: Vec<&str> = text.lines().filter(|line| line.starts_with("image")).collect();
    ensure!(!images.is_empty(), "no image: {text}");
    Ok(Counts {
        parse: field(line("parse")?, 1)? * per_tick,
        parse_stack: field(line("parse")?, 2)?,
        images: images.iter().map(|line| Ok(field(line, 1)? * per_tick)).collect::<Result<_>>()?,
        run_stack: images.iter().map(|line| field(line, 2)).collect::<Result<Vec<_>>>()?.into_iter().max().unwrap_or(0),
    })
}
