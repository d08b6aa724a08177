//! `just test-gpu`: trains small networks on every device of this build and holds each run against that of `flex`.
//!
//! A device computes the same sums in another order, so its numbers differ by rounding, and training makes the
//! difference grow. How much is allowed is measured, not chosen. A sum of n terms is off by about √n · 2⁻²⁴ of its
//! terms' size (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, §2.8: a rule of thumb for random
//! rounding errors); the longest sums here, gradients of a convolution's weights, have batch · H · W terms. After the
//! first step every weight is moved by that much up or down, the run goes on, and the difference at its end is what one
//! step's rounding comes to. All steps round: √steps times the largest of three such differences is the tolerance. It
//! is worth something only if it finds mistakes, so a run with learning rates five percent larger has to lie outside
//! it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;

mod record;
mod run;

use record::{Comparison, Record};
use run::{Command, Deviation, STEPS, Trace};

/// The recipes by name.
const RECIPES: [(&str, &str); 4] = [
    ("dcgan", include_str!("../recipes/dcgan.toml")),
    ("cgan", include_str!("../recipes/cgan.toml")),
    ("vae", include_str!("../recipes/vae.toml")),
    ("wgan-gp", include_str!("../recipes/wgan-gp.toml")),
];

/// Terms of the longest sum: batch · H · W of the images, in the gradient of a weight of the last convolution.
const TERMS: f64 = 16.0 * 16.0 * 16.0;

/// Train on every device of a build of edgegen and hold the runs against those of the CPU
#[derive(Debug, Parser)]
struct Args {
    /// The command, built with the devices as features
    #[arg(long, default_value = "target/debug/edgegen")]
    edgegen: PathBuf,
    /// A device that has to be there; any other one is left out where it does not open
    #[arg(long)]
    require: Vec<String>,
    /// Write the record into this folder
    #[arg(long)]
    record: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all runs lie within the tolerance.
fn run(args: &Args) -> Result<bool> {
    let command = Command::new(&args.edgegen)?;
    let mut record = Record::new()?;
    let (devices, missing) = command.devices()?;
    for required in &args.require {
        ensure!(
            devices.contains(required),
            "expected a build with the device {required}, found {}: build it with --features {required}",
            devices.join(", ")
        );
    }
    for name in &missing {
        record.note(command.refuses(name, &[], &["--features", name])?);
    }
    let mut opened = Vec::new();
    for name in devices.into_iter().filter(|name| name != "flex") {
        match command.opens(&name) {
            Ok(()) => {}
            Err(error) if args.require.contains(&name) => return Err(error),
            Err(error) => {
                record.note(format!("{name}: skipped, {error:#}"));
                continue;
            }
        }
        if cfg!(target_os = "linux") && ["wgpu", "vulkan"].contains(&&*name) {
            // The machine as the loader of drivers sees it where none is installed.
            let without = [("VK_ICD_FILENAMES", "/none"), ("VK_DRIVER_FILES", "/none")];
            record.note(command.refuses(&name, &without, &["--device flex"])?);
        }
        opened.push(name);
    }
    println!("{}", record::HEAD);
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    for (name, recipe) in RECIPES {
        let folder = folder.path().join(name);
        let runs = run::Runs::new(&command, &folder, recipe)?;
        let flex = runs.whole("flex", recipe)?;
        let tolerance = tolerance(&runs, &flex)?;
        let mut compare = |what: &str, trace: &Trace, inside: bool| {
            let comparison = Comparison::new(name, what, trace.against(&flex), tolerance, inside);
            println!("{}", comparison.line());
            record.comparisons.push(comparison);
        };
        let faster = recipe.replace("= 1e-", "= 1.05e-");
        compare("flex, rates 5 % larger", &runs.whole("flex", &faster)?, false);
        for device in &opened {
            compare(device, &runs.whole(device, recipe)?, true);
            compare(&format!("flex, {device}, flex"), &runs.in_turns(device)?, true);
        }
    }
    if let Some(folder) = &args.record {
        println!("record: {}", record.write(folder)?.display());
    }
    Ok(record.comparisons.iter().all(|comparison| comparison.passed))
}

/// What rounding may come to; see the head of this file.
fn tolerance(runs: &run::Runs<'_>, flex: &Trace) -> Result<Deviation> {
    let untouched = runs.nudged(0, 0.0)?.against(flex);
    ensure!(
        untouched == Deviation::default(),
        "expected a run that was stopped and went on to be the same bit for bit, found {untouched:?}"
    );
    let rounding = TERMS.sqrt() / f64::from(1u32 << 24);
    let mut largest = Deviation::default();
    for seed in 1..=3 {
        largest = largest.max(runs.nudged(seed, rounding)?.against(flex));
    }
    Ok(largest.times((STEPS as f64).sqrt()))
}
