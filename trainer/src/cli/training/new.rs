//! `edgegen new FOLDER`: from a folder of pictures to a recipe that fits a board and trains within an hour.

mod choose;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use edgegen_sim::boards;
use serde::Serialize;

use super::room;
use crate::cli::{Console, Ending, bytes, interrupt, quoted};
use crate::data::{self, Account, Dataset, Split};
use crate::files;
use crate::recipe::{DataConfig, Recipe, Size};
use crate::train::{self, Options};
use choose::{Choice, Facts};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A folder of pictures, with a folder for each class where there are classes
    #[arg(value_name = "FOLDER")]
    data: PathBuf,
    /// The board that shall draw, one of `edgegen boards`
    #[arg(long, default_value = "pico")]
    board: String,
    /// Its panel, if it can have another than its first
    #[arg(long)]
    panel: Option<String>,
    /// Minutes that the training may take on this computer
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// The recipe to write [default: the folder's name with .toml]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Go on without pictures that cannot be read
    #[arg(long)]
    skip_bad: bool,
}

/// Side that pictures are looked at in.
const LOOK: usize = 64;
/// Share of the minutes that steps may take; sheets, checkpoints and a busy computer have the rest.
const SHARE: f64 = 0.8;
/// With fewer nothing is learned: a smaller network is the better choice.
const LEAST_STEPS: u64 = 2_000;

#[derive(Debug, Serialize)]
struct Report {
    recipe: PathBuf,
    board: String,
    panel: String,
    data: Account,
    /// What was chosen, as `table.key = value`, and why.
    choices: Vec<[String; 2]>,
    /// Bytes of flash of the model, and that there are.
    flash: [u64; 2],
    /// The same of RAM.
    ram: [u64; 2],
    /// Measured on this computer.
    seconds_per_step: f64,
    minutes: f64,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let board = boards::find(&args.board)?;
    let panel = board.panel(args.panel.as_deref())?;
    let whole = std::fs::canonicalize(&args.data).with_context(|| format!("cannot read {}", args.data.display()))?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => Path::new(whole.file_name().context("expected a folder with a name")?).with_extension("toml"),
    };
    ensure!(!out.exists(), "expected no file yet at {}, found one: choose another --out, or remove it", out.display());
    let name = args.data.to_string_lossy();
    let (dataset, account) = read(&name, Size::from([LOOK, LOOK]), 3, args.skip_bad)?;
    console.say(&account.text());
    let facts = Facts::new(&dataset, &account, panel)?;

    for choice in Choice::all(&facts) {
        let text = choice.recipe(&name, args.skip_bad, choice.most_steps());
        let mut recipe = Recipe::parse(&text).with_context(|| format!("the recipe made for {name}"))?;
        recipe.data.classes.clone_from(&dataset.class_names);
        let fit = room::fit(&recipe, &board)?;
        if !fit.fits {
            console.say(&format!("{}: {}", choice.title(), fit.verdict()));
            continue;
        }
        let seconds = time(&recipe, choice.timed_steps(), args.skip_bad)?;
        let steps = ((60.0 * args.minutes as f64 * SHARE / seconds) as u64).min(choice.most_steps()) / 100 * 100;
        if steps < LEAST_STEPS && !choice.is_least {
            console.say(&format!("{}: {seconds:.2} s a step is too slow for {} minutes", choice.title(), args.minutes));
            continue;
        }
        let steps = steps.max(100);
        let minutes = steps as f64 * seconds / 60.0;
        let why = format!("{seconds:.3} s a step on this computer: about {minutes:.0} min");
        let mut choices = choice.reasons.clone();
        choices.push([format!("train.steps = {steps}"), why]);
        let fits = format!("{} of flash and {} of RAM on the {}", bytes(fit.flash[0]), bytes(fit.ram[0]), board.name);
        let title = format!("{}, for {} on {}: {fits}.", account.source, panel.title, board.title);
        files::replace_bytes(&out, choice.commented(&name, args.skip_bad, steps, &title, &choices).as_bytes())?;
        let report = Report {
            recipe: out,
            board: board.name.clone(),
            panel: panel.name.clone(),
            data: account,
            choices,
            flash: fit.flash,
            ram: fit.ram,
            seconds_per_step: seconds,
            minutes,
        };
        return console.show(&report, || text_of(&report, &fits));
    }
    bail!("expected a model that fits the {}, found none, however small: choose another --board", board.name)
}

fn read(name: &str, size: Size, channels: usize, skip_bad: bool) -> Result<(Dataset, Account)> {
    // What a person names here is a path, also where one of our own sets has the same name.
    let config = DataConfig { skip_bad, ..DataConfig::new(name, size, channels) };
    data::read(&config, Split::Train, &|_, _| !interrupt::stop_flag().load(std::sync::atomic::Ordering::Relaxed))
}

/// Seconds that a step of `recipe` takes, by some of them; the sheet of samples at their end counts as well, so a step
/// is rather over- than underestimated.
fn time(recipe: &Recipe, steps: u64, skip_bad: bool) -> Result<f64> {
    let mut recipe = recipe.clone();
    recipe.train.steps = steps;
    recipe.data.skip_bad = skip_bad;
    let folder = tempfile::tempdir().context("could not make a temporary folder")?;
    let options = Options {
        device: "flex".into(),
        out: folder.path().join("run"),
        resume: false,
        tensorboard: false,
        quiet: true,
        stop: interrupt::stop_flag(),
    };
    let summary = train::train(&recipe, &options)?;
    ensure!(!summary.stopped, "stopped before a recipe was written");
    Ok(summary.seconds / steps as f64)
}

fn text_of(report: &Report, fits: &str) -> String {
    let lines = report.choices.iter().map(|[choice, why]| format!("{choice}: {why}"));
    let (recipe, board) = (quoted(&report.recipe), &report.board);
    format!(
        "{}\nit takes {fits}\nnext: edgegen train {recipe} --board {board}",
        std::iter::once(format!("{}:", report.recipe.display())).chain(lines).collect::<Vec<_>>().join("\n")
    )
}
