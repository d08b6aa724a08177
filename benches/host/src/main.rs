//! `just bench-host`: prints tables and writes the dated record.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use edgegen_bench_host::contender::{Contenders, Task};
use edgegen_bench_host::measure::{Settings, least, measure};
use edgegen_bench_host::ort::Ort;
use edgegen_bench_host::ours::Ours;
use edgegen_bench_host::record::{Record, Row, TaskRecord};
use edgegen_bench_host::tract::Apart;
use edgegen_export::onnx::read::{self, Assume};
use edgegen_tests::rgb64;

/// Time whole generators on one thread, beside tract and onnxruntime
#[derive(Debug, Parser)]
struct Args {
    /// ONNX files of generators, besides the 64×64 RGB one with random weights
    networks: Vec<PathBuf>,
    /// Python with onnxruntime and onnx
    #[arg(long, default_value = "python3")]
    python: String,
    /// Turns of each contender
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How long a turn takes, in milliseconds
    #[arg(long, default_value_t = 10)]
    turn: u64,
    /// Write the record into this folder
    #[arg(long)]
    record: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let settings = Settings { rounds: args.rounds.into(), turn: Duration::from_millis(args.turn) };
    let mut record = Record::new(settings)?;
    let mut tasks = vec![Task::new("rgb64, random weights", rgb64())?];
    for path in &args.networks {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let network = read::from_bytes(&bytes, path.parent(), &Assume::default())
            .with_context(|| path.display().to_string())?
            .network;
        tasks.push(Task::new(&path.file_stem().unwrap_or_default().to_string_lossy(), network)?);
    }
    for task in tasks {
        let (found, version) = compete(&task, &args.python, settings).with_context(|| task.name.clone())?;
        println!("{}\n", found.table());
        record.tasks.push(found);
        if !record.peers.contains(&version) {
            record.peers.push(version);
        }
    }
    if let Some(folder) = &args.record {
        println!("record: {}.{{json,md}}", record.write(folder)?.display());
    }
    Ok(())
}

/// Lets all contenders make the images of a task; gives what was found, and the version of onnxruntime.
fn compete(task: &Task, python: &str, settings: Settings) -> Result<(TaskRecord, String)> {
    let ours = Ours::new(task)?;
    let mut contenders: Contenders = ours.contenders()?;
    contenders.push(Box::new(Apart::new(task)?));
    let (ort, sessions) = Ort::start(python, task)?;
    contenders.extend(sessions);

    let mut rows = Vec::new();
    for contender in &mut contenders {
        let psnr = task.psnr(&contender.levels(task)?)?;
        rows.push(Row {
            name: contender.name(),
            median_ms: 0.0,
            min_ms: 0.0,
            images_per_second: 0.0,
            psnr_db: psnr.is_finite().then_some(psnr),
            note: contender.note(),
        });
    }
    let times = measure(&mut contenders, settings)?;
    let mut ort = ort.borrow_mut();
    let mut calls = Vec::new();
    for _ in 0..20 {
        calls.push(ort.calls(200)?.as_secs_f64() * 1e3 / 200.0);
    }
    let mut found = TaskRecord {
        name: task.name.clone(),
        shape: format!("{} latent values → {}", task.latents[0].len(), task.images[0].shape),
        macs: ours.macs()?,
        call_ms: least(&calls),
        failed: ort.failed.clone(),
        rows,
        ratios: Vec::new(),
        verdicts: Vec::new(),
    };
    found.sum_up(&times);
    Ok((found, ort.version.clone()))
}
