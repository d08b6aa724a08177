//! The laboratory: what the lectures on generative adversarial networks claim, measured and drawn.
//!
//! An [`Experiment`] is a value with a claim, its equation and a function that fills a [`Report`]: figures, some with what
//! they must come to, and pictures. [`run`] runs one and writes its folder; [`page`] makes one page of all that were run.
//! To add one, write a file here with a constant `EXPERIMENT` and put it on the list in [`EXPERIMENTS`].

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::files;

pub mod page;
pub mod plot;
pub mod record;
mod report;

mod game;

mod convergence;
mod density_ratio;
mod divergences;
mod flow;
mod grid;
mod learning;
mod likelihood;
mod mode_collapse;
mod optimal_critic;
mod optimum;
mod oscillation;
mod passes;
mod plane;
mod rates;
mod saturation;
mod tricks;
mod two_sample;

pub use report::{Expected, Figure, Picture, Report, number};

/// All experiments, in the order of the lectures.
pub const EXPERIMENTS: &[&Experiment] = &[
    &saturation::EXPERIMENT,
    &optimal_critic::EXPERIMENT,
    &optimum::EXPERIMENT,
    &divergences::EXPERIMENT,
    &learning::EXPERIMENT,
    &plane::EXPERIMENT,
    &convergence::EXPERIMENT,
    &oscillation::EXPERIMENT,
    &mode_collapse::EXPERIMENT,
    &grid::EXPERIMENT,
    &rates::EXPERIMENT,
    &tricks::EXPERIMENT,
    &likelihood::EXPERIMENT,
    &two_sample::EXPERIMENT,
    &density_ratio::EXPERIMENT,
    &flow::EXPERIMENT,
    &passes::EXPERIMENT,
];

/// A claim of a lecture and how it is checked.
#[derive(Debug)]
pub struct Experiment {
    /// The name on the command line, and of its folder.
    pub name: &'static str,
    /// A heading.
    pub title: &'static str,
    /// The lectures that claim it.
    pub lecture: &'static str,
    /// The claim in a sentence or two, for people.
    pub claim: &'static str,
    /// Its equation as text, for terminals.
    pub equation: &'static str,
    /// The same equation: what stands inside `<math>`.
    pub mathml: &'static str,
    /// Where a lecture's formula slips: what it says, and what is right.
    pub slip: Option<&'static str>,
    /// Steps of each of its trainings, 0 where nothing is trained.
    pub steps: u64,
    /// Fills the report.
    pub run: fn(&Options, &mut Report) -> Result<()>,
}

/// How an experiment is done.
#[derive(Clone, Debug)]
pub struct Options {
    /// All that is random follows from it.
    pub seed: u64,
    /// Steps of each training.
    pub steps: u64,
    /// Where pictures go: the folder of the experiment.
    pub folder: PathBuf,
    /// Print nothing while it runs.
    pub quiet: bool,
}

/// What an experiment found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Found {
    /// The experiment.
    pub name: String,
    /// The seed.
    pub seed: u64,
    /// Steps of each training, 0 where nothing is trained.
    pub steps: u64,
    /// Seconds that it took.
    pub seconds: f64,
    /// What was measured.
    pub figures: Vec<Figure>,
    /// What was drawn.
    pub pictures: Vec<Picture>,
}

/// The file in an experiment's folder that [`page::write`] reads.
const FOUND: &str = "found.json";

/// The experiment called `name`, if there is one.
pub fn find(name: &str) -> Option<&'static Experiment> {
    EXPERIMENTS.iter().find(|experiment| experiment.name == name).copied()
}

/// Runs `experiment` and writes its pictures and figures into `out/<name>`; `steps` in place of its own, if given.
///
/// # Errors
///
/// If it cannot be done or a file cannot be written. A claim that does not hold is not an error here: see
/// [`Found::failed`].
pub fn run(experiment: &Experiment, out: &Path, seed: u64, steps: Option<u64>, quiet: bool) -> Result<Found> {
    let steps = if experiment.steps == 0 { 0 } else { steps.unwrap_or(experiment.steps) };
    let options = Options { seed, steps, folder: out.join(experiment.name), quiet };
    let start = Instant::now();
    // A pool of its own, as for a training: threads that help each other's runs would only wait.
    let pool = rayon::ThreadPoolBuilder::new().build().context("cannot start threads")?;
    let mut report = Report::new(experiment.name, &options);
    pool.install(|| (experiment.run)(&options, &mut report)).with_context(|| experiment.name.to_owned())?;
    let (figures, pictures) = report.finish();
    let seconds = start.elapsed().as_secs_f64();
    let found = Found { name: experiment.name.to_owned(), seed, steps, seconds, figures, pictures };
    files::replace_bytes(&options.folder.join(FOUND), serde_json::to_string_pretty(&found)?.as_bytes())?;
    Ok(found)
}

impl Found {
    /// What `out/<name>` holds of an earlier run, if anything.
    pub fn load(out: &Path, name: &str) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(out.join(name).join(FOUND)).ok()?).ok()
    }

    /// The figures that are not what they must be.
    pub fn failed(&self) -> impl Iterator<Item = &Figure> {
        self.figures.iter().filter(|figure| figure.holds == Some(false))
    }
}

#[cfg(test)]
mod tests;
