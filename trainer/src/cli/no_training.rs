//! Stands in for `training.rs` in a build without training: the same sub-commands, each of which says what is missing.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Result, bail};
use edgegen_data::{Attribute, Config};
use edgegen_export::layers::{LatentInput, Network};
use edgegen_runtime::{Point, Shape};

use super::{Console, Ending};

/// Whether this build can train.
pub const BUILT_IN: bool = false;

/// Any arguments, so that a command line which is right with training gets an answer about training.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    ignored: Vec<OsString>,
}

/// Stands in for the sub-command of the module that it is called by.
pub fn run(_: &Args, _: Console) -> Result<Ending> {
    Err(missing())
}

pub mod data {
    use super::*;
    use crate::cli::check;

    #[derive(Debug, clap::Args)]
    pub struct Args {
        #[command(subcommand)]
        command: Command,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Command {
        /// Say what `train` would read: images, classes, sizes, what is left out, what is odd
        Check(check::Args),
        #[command(external_subcommand)]
        Other(Vec<OsString>),
    }

    pub fn run(args: &Args, console: Console) -> Result<Ending> {
        match &args.command {
            Command::Check(args) => {
                let read = |config: &Config, split| {
                    edgegen_data::prepare(Path::new(&config.name), split, config, None, &|_, _| true)
                };
                check::run(args, None, read, console)
            }
            Command::Other(_) => Err(missing()),
        }
    }
}
pub mod compare {
    pub use super::{Args, run};
}
pub mod eval {
    pub use super::{Args, run};
}
pub mod lab {
    pub use super::{Args, run};
}
pub mod morph {
    pub use super::{Args, run};
}
pub mod new {
    pub use super::{Args, run};
}
pub mod report {
    pub use super::{Args, run};
}
pub mod train {
    pub use super::{Args, run};
}

pub mod devices {
    use super::*;

    pub fn run(_: Console) -> Result<Ending> {
        Err(missing())
    }
}

pub mod demo {
    use super::*;
    use crate::cli::demo::Args;

    pub fn run(_: &Args, _: Console) -> Result<Ending> {
        Err(missing())
    }
}

pub mod studio {
    use super::*;
    use crate::cli::play::Args;

    pub fn run(_: &Path, _: &Args, _: Console) -> Result<Ending> {
        Err(missing())
    }
}

/// A run that is open, which there cannot be.
#[derive(Debug)]
pub enum Run {}

impl Run {
    pub fn facts(&self) -> Vec<(&str, &str)> {
        match *self {}
    }

    pub fn fed(&self) -> Option<Shape> {
        match *self {}
    }

    pub fn sample_rate(&self) -> Option<u32> {
        match *self {}
    }

    pub fn class_names(&self) -> &[String] {
        match *self {}
    }

    pub fn words(&self) -> &[Attribute] {
        match *self {}
    }

    pub fn input(&self) -> LatentInput {
        match *self {}
    }

    pub fn styles(&self) -> usize {
        match *self {}
    }

    pub fn truncated(&self, _: f32) -> Option<Self> {
        match *self {}
    }

    pub fn values_at(&self, _: Point) -> Vec<f32> {
        match *self {}
    }

    pub fn shape(&self) -> [usize; 3] {
        match *self {}
    }

    pub fn network(&self) -> Result<Network> {
        match *self {}
    }

    pub fn apart(&self, _: &[f32]) -> Vec<Vec<f32>> {
        match *self {}
    }

    pub fn examples(&self, _: &Network, _: usize, _: usize) -> Result<[Vec<Vec<Vec<f32>>>; 2]> {
        match *self {}
    }

    pub fn generate(&self, _: &[Vec<f32>]) -> Vec<Vec<f32>> {
        match *self {}
    }

    pub fn generate_pixels(&self, _: &[Vec<f32>]) -> Vec<Vec<u8>> {
        match *self {}
    }
}

/// Draws points of an open run.
pub fn scattered(run: &Run, _: u64, _: usize) -> Result<(Vec<Vec<u8>>, [usize; 3])> {
    match *run {}
}

/// Pairs of an open run's data with what the run makes of them.
pub fn translated(run: &Run, _: usize) -> Result<(Vec<Vec<u8>>, [usize; 3], usize)> {
    match *run {}
}

/// A sentence that was spoken; without training none is.
#[derive(Debug)]
pub struct Spoken {
    pub text: String,
    pub samples: Vec<i16>,
    pub distance: f32,
}

/// Samples a second of what is spoken.
pub const SPOKEN_RATE: u32 = 16_000;

/// Lines of an open run that translates sentences.
pub fn sentences(run: &Run, _: usize) -> Result<Vec<String>> {
    match *run {}
}

/// Whether an open run translates sentences.
pub fn translates(run: &Run) -> bool {
    match *run {}
}

/// Whether an open run makes speech.
pub fn speaks(run: &Run) -> bool {
    match *run {}
}

/// Test sentences of an open run.
pub fn spoken(run: &Run, _: u64, _: usize) -> Result<Vec<Spoken>> {
    match *run {}
}

/// Refuses a run folder.
pub fn open(folder: &Path) -> Result<Run> {
    bail!("expected a model file, found the folder {}: for runs {HOW}, or give a model file", folder.display())
}

fn missing() -> anyhow::Error {
    anyhow::anyhow!("expected an edgegen with training, found one that was built without: {HOW}")
}

/// What to do about it.
const HOW: &str = "build edgegen with its default features, `cargo build --package edgegen`";
