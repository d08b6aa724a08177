//! The sub-commands and parts of sub-commands that need Burn. In a build without training `no_training.rs` takes the
//! place of this module.

pub mod compare;
pub mod data;
pub mod demo;
pub mod devices;
pub mod eval;
pub mod lab;
pub mod morph;
pub mod new;
pub mod report;
mod room;
mod speech;
mod stacked;
pub mod studio;
pub mod train;

use std::path::Path;

use anyhow::{Context, Result};

use crate::data::plane::{Plane, in_view};
use crate::data::{Pairs, Split, vocabularies};
use crate::rng::Rng;
pub use crate::run::Run;
use crate::systems::TRANSLATING;
use crate::{device, images, translate};
pub use speech::{SPOKEN_RATE, speaks, spoken};

/// Whether this build can train.
pub const BUILT_IN: bool = true;

/// Opens a run folder on the CPU.
pub fn open(folder: &Path) -> Result<Run> {
    Run::load(folder, &device::open("flex")?)
}

/// `count` of a run's test images, or training images where there is no test part, and what the run makes of them: input, output and,
/// where it is known, target of each, the `[h, w, c]` of all, and how many stand in a row of a sheet.
pub fn translated(run: &Run, count: usize) -> Result<(Vec<Vec<u8>>, [usize; 3], usize)> {
    let Pairs { inputs, targets, matched } = run.sides(Split::Test).or_else(|_| run.sides(Split::Train))?;
    let count = count.min(inputs.len());
    let values = |index| run.picture(inputs.image(index));
    let outputs = run.generate_pixels(&(0..count).map(values).collect::<Vec<_>>());
    let row = |(index, output)| {
        let target = matched.then(|| targets.image(index).to_vec());
        [Some(inputs.image(index).to_vec()), Some(output), target].into_iter().flatten()
    };
    let columns = if matched { 9 } else { 8 };
    Ok((outputs.into_iter().enumerate().flat_map(row).collect(), run.shape(), columns))
}

/// `count` of a run's test sentences, or training sentences where there is no test part: a line with each and its
/// translation and, where it is known, one with what it should be.
pub fn sentences(run: &Run, count: usize) -> Result<Vec<String>> {
    let Pairs { inputs, targets, matched } = run.sides(Split::Test).or_else(|_| run.sides(Split::Train))?;
    let [read, meant] = [&inputs, &targets].map(|set| translate::sentences(set, count));
    let said = translate::translated(&run.generator, &read, &device::open("flex")?);
    let language = usize::from(run.recipe.data.reverse);
    let more: Vec<_> = matched.then_some(("truth", 1 - language, &*meant)).into_iter().collect();
    let vocabularies = vocabularies(&run.recipe.data)?;
    Ok(translate::lines(vocabularies.as_ref(), language, [&read, &said], &more))
}

/// Whether a run translates sentences.
pub fn translates(run: &Run) -> bool {
    TRANSLATING.contains(&&*run.recipe.system)
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
