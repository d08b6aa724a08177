//! `just ablation`: trains on the ring with one thing changed at a time, and writes down what became of it.
//!
//! `cases.rs` says what is varied, `record.rs` what is kept. Figures are those of `edgegen eval`.

mod cases;
mod record;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use edgegen::data::Plane;
use edgegen::eval::plane::Spread;
use edgegen::recipe::Recipe;
use edgegen::run::Run;
use edgegen::{device, train};

use cases::Experiment;
use record::{Row, Table};

/// Points that a run is measured on, and the first seed.
const POINTS: (usize, u64) = (20_000, 0);

#[derive(Debug, Parser)]
#[command(about = "Train on the ring with one thing changed at a time")]
struct Args {
    /// tricks, rates, unrolled or course [default: all]
    experiments: Vec<String>,
    /// Steps of each run, instead of the experiment's
    #[arg(long)]
    steps: Option<u64>,
    /// Seeds of each case, instead of the experiment's
    #[arg(long)]
    seeds: Option<u64>,
    /// Only cases whose name contains this; nothing is recorded then
    #[arg(long, default_value = "")]
    only: String,
    /// Write a record into this folder
    #[arg(long, value_name = "FOLDER")]
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
    let all = cases::experiments();
    for name in &args.experiments {
        ensure!(
            all.iter().any(|experiment| experiment.name == name),
            "expected tricks, rates, unrolled or course, found {name}: give names of experiments"
        );
    }
    for experiment in
        all.iter().filter(|one| args.experiments.is_empty() || args.experiments.iter().any(|name| name == one.name))
    {
        let table = experiment_table(experiment, args)?;
        if let (Some(folder), "") = (&args.record, &*args.only) {
            println!("record: {}.{{json,md}}", record::write(&table, folder)?.display());
        }
    }
    Ok(())
}

fn experiment_table(experiment: &Experiment, args: &Args) -> Result<Table> {
    let Experiment { name, about, .. } = *experiment;
    let mut table = Table { name, about, points: POINTS.0, rows: Vec::new() };
    for case in experiment.cases.iter().filter(|case| case.name.contains(&args.only)) {
        let train = experiment.recipe(case, 1, args.steps)?.train;
        let mut row = Row {
            name: case.name.clone(),
            column: case.column.clone(),
            steps: train.steps,
            batch: train.batch,
            found: Vec::new(),
            seconds: 0.0,
        };
        for seed in 1..=args.seeds.unwrap_or(experiment.seeds) {
            let (spread, seconds) = measured(&experiment.recipe(case, seed, args.steps)?)?;
            row.found.push(spread);
            row.seconds += seconds;
        }
        println!("{}", row.line());
        table.rows.push(row);
    }
    Ok(table)
}

/// Trains in a temporary folder and measures; also the seconds that training took.
fn measured(recipe: &Recipe) -> Result<(Spread, f64)> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let options = train::Options {
        device: "flex".into(),
        out: folder.path().to_owned(),
        resume: false,
        quiet: true,
        stop: Arc::default(),
    };
    let seconds = train::train(recipe, &options)?.seconds;
    let run = Run::load(folder.path(), &device::open("flex")?)?;
    let plane = Plane::named(&recipe.data.name).context("the laboratory trains on points")?;
    let (count, seed) = POINTS;
    let outputs = run.generate(&run.inputs(seed, count));
    Ok((Spread::of(&plane, &plane.points(&outputs, run.generator.pixels), seed), seconds))
}
