//! The sub-commands and parts of sub-commands that need Burn. In a build without training `no_training.rs` takes the
//! place of this module.

pub mod data;
pub mod demo;
pub mod devices;
pub mod eval;
pub mod lab;
pub mod morph;
mod stacked;
pub mod train;

use std::path::Path;

use anyhow::{Context, Result};

use crate::data::plane::{Plane, in_view};
use crate::rng::Rng;
pub use crate::run::Run;
use crate::{device, images};

/// Whether this build can train.
pub const BUILT_IN: bool = true;

/// Opens a run folder on the CPU.
pub fn open(folder: &Path) -> Result<Run> {
    Run::load(folder, &device::open("flex")?)
}

/// The points of a run on a mixture of the plane, all in one picture over as many real ones, and its `[h, w, c]`.
pub fn scattered(run: &Run, seed: u64, count: usize) -> Result<(Vec<Vec<u8>>, [usize; 3])> {
    let name = &run.recipe.data.name;
    let plane =
        Plane::named(name).with_context(|| format!("expected a mixture of the plane, found the data {name}"))?;
    let outputs = run.generate(&run.inputs(seed, count));
    let (real, _) = plane.draw(outputs.len(), &mut Rng::new(seed, 0));
    let picture = images::scatter(&real, &in_view(&outputs, run.pixels()));
    Ok((vec![picture], [images::SCATTER, images::SCATTER, 3]))
}
