//! `just bench-train`: a training step and its layers beside PyTorch and Burn's own operations, in turns of one run.
//! `just bench-gpu`: the step on a GPU beside PyTorch on the same.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use edgegen::device;
use edgegen::recipe::Recipe;

mod measure;
mod ours;
mod peer;
mod record;

use measure::{Contender, measure};
use peer::Peer;
use record::{CaseRecord, HEAD, Record};

/// The device that layers are timed on, too.
const CPU: &str = "flex";

/// Time a training step and its layers beside PyTorch and Burn's own operations
#[derive(Debug, Parser)]
struct Args {
    /// The recipe; the layers are always those of fashion-dcgan
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../trainer/recipes/fashion-dcgan.toml"))]
    recipe: PathBuf,
    /// The recipe of a style-based generator
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../trainer/recipes/faces-style.toml"))]
    style: PathBuf,
    /// Python with PyTorch
    #[arg(long, default_value = "python3")]
    python: String,
    /// Where both sides compute: flex (the CPU), or a GPU of this build, on which only the steps are timed
    #[arg(long, default_value = CPU)]
    device: String,
    /// Turns of each contender
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How long a turn takes, in milliseconds
    #[arg(long, default_value_t = 100.0)]
    turn: f64,
    /// Threads of each side
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Let PyTorch's threads spin while they wait, its default: faster on a machine that nobody else uses, and many times
    /// slower on one that is shared
    #[arg(long)]
    spin: bool,
    /// Only cases whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Write the record into this folder
    #[arg(long)]
    record: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // As a run does: the thread that works is one of Rayon's.
    let threads = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build();
    match threads.map_err(Into::into).and_then(|threads| threads.install(|| run(&args))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let [recipe, style] = [Recipe::load(&args.recipe)?, Recipe::load(&args.style)?];
    let rounds = usize::from(args.rounds);
    let device = device::open(&args.device)?;
    let place = if args.device == CPU { "cpu" } else { "cuda" };
    let mut peer = Peer::start(&args.python, [&recipe, &style], place, args.threads, args.spin)?;
    let mut record = Record::new(
        format!("{}, threads that {}", peer.version, if args.spin { "spin" } else { "sleep while they wait" }),
        args.device.clone(),
        args.threads,
        recipe.train.batch,
        rounds,
    )?;
    println!("{}\n{HEAD}", record.peer);
    let is_timed = |name: &&str| name.contains(&args.only) && (args.device == CPU || ours::STEPS.contains(name));
    for name in ours::names().into_iter().filter(is_timed) {
        let (ours, burns) = ours::cases(name, [&recipe, &style], &device)?;
        let last = format!("{name} last");
        let mut contenders = vec![
            ("edgegen", Contender::Here(ours)),
            ("PyTorch", Contender::There(name)),
            ("PyTorch, channels last", Contender::There(&last)),
        ];
        contenders.extend(burns.map(|case| ("Burn", Contender::Here(case))));
        let (names, mut contenders): (Vec<_>, Vec<_>) = contenders.into_iter().unzip();
        let case = CaseRecord::new(name, &names, &measure(&mut contenders, &mut peer, rounds, args.turn)?);
        print!("{}", case.lines());
        record.cases.push(case);
    }
    if let Some(folder) = &args.record {
        println!("record: {}.{{json,md}}", record.write(folder)?.display());
    }
    Ok(())
}
