//! The loop: data → step → log → sample sheet → checkpoint. The only place with epochs and files.
//!
//! A run folder holds
//!
//! | file | what |
//! | --- | --- |
//! | `recipe.toml` | the recipe as run, with all defaults written out |
//! | `metrics.jsonl` | one line a step: losses, scores, learning rates; signs of failure; measures |
//! | `events.out.tfevents.edgegen` | with `--tensorboard`: the same numbers for TensorBoard |
//! | `samples/step-N.png` | the averaged generator on the same latents each time; points of the plane over real ones; of pairs input, output and target; sentences with their translations |
//! | `samples/film.gif` | of points, all of these in turn |
//! | `generator.safetensors` | the averaged weights, as they ship; of a judge, `judge.safetensors` |
//! | `report.html` | how it went, in one page, written anew with each sheet and checkpoint |
//! | `checkpoint/` | everything that [`Options::resume`] needs to go on bit for bit |
//! | `lock` | held by the process that trains there |
//!
//! A line of `metrics.jsonl` with the key `sign` says what went wrong at its step: `diverged`, `critic_won`, `collapsed` or `saturated`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::{Serialize, Serializer};

use crate::data::plane::Plane;
use crate::data::{self, Account, Attributes, Dataset, Pairs, Split};
use crate::device;
use crate::recipe::Recipe;
use crate::stderr;
use crate::systems::{self, Losses};

mod events;
mod feed;
mod folder;
mod measure;
mod order;
mod progress;
pub mod report;
mod resume;
mod session;
mod verdict;

use progress::Progress;
use session::{Data, Session};
pub use session::{METRICS, SAMPLES};
pub use verdict::Outcome;

/// How a run is done, apart from what it makes.
#[derive(Clone, Debug)]
pub struct Options {
    /// A name of [`device::DEVICES`].
    pub device: String,
    /// The run folder.
    pub out: PathBuf,
    /// Go on from the folder's checkpoint.
    pub resume: bool,
    /// Write an event file for TensorBoard, too.
    pub tensorboard: bool,
    /// Print nothing.
    pub quiet: bool,
    /// Set it (from a Ctrl-C handler) to make the run save and end after the current step.
    pub stop: Arc<AtomicBool>,
}

/// How a run ended.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Steps done in all, earlier sessions included.
    pub steps: u64,
    /// Steps done in this session.
    pub session_steps: u64,
    /// Seconds this session took.
    pub seconds: f64,
    /// Real images the critic saw per second in this session.
    pub images_per_second: f64,
    /// Values of the last step; empty if this session had none.
    #[serde(serialize_with = "as_map")]
    pub losses: Losses,
    /// Whether it ended early because of [`Options::stop`].
    pub stopped: bool,
    /// What became of it.
    pub outcome: Outcome,
    /// What to change, if it failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub advice: String,
    /// The last sample sheet; a judge draws none.
    pub sheet: Option<PathBuf>,
    /// What was read, where this run read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Account>,
}

fn as_map<S: Serializer>(losses: &Losses, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(losses.iter().copied())
}

/// Loads the recipe's data and trains on it.
///
/// # Errors
///
/// If the data, the device or the run folder cannot be used, or a loss is no longer finite.
pub fn train(recipe: &Recipe, options: &Options) -> Result<Summary> {
    // Before the data is loaded, which can take long.
    device::open(&options.device)?;
    folder::look(&options.out, options.resume)?;
    if let Some(plane) = Plane::chosen(&recipe.data) {
        return in_pool(recipe, Data::Points(&plane), options);
    }
    if systems::PAIRED.contains(&&*recipe.system) {
        return train_on_pairs(recipe, &data::load_pairs(&recipe.data, Split::Train)?, options);
    }
    let loading = progress::Loading::new(options.quiet);
    let seen = |done, total| {
        loading.file(done, total);
        !options.stop.load(Ordering::Relaxed)
    };
    let say = |account: &Account| {
        if !options.quiet {
            stderr::line(&account.text());
        }
    };
    if systems::UNPAIRED.contains(&&*recipe.system) {
        let (pairs, accounts) = data::load_unpaired(&recipe.data, Split::Train, &seen)?;
        loading.finish();
        accounts.iter().for_each(say);
        return train_on_pairs(recipe, &pairs, options);
    }
    // A judge of what should be made learns from that side alone; a generator of what is read, from the other one.
    ensure!(
        recipe.system == systems::judge::KIND.name || recipe.data.reverse || !data::has_pairs(&recipe.data.name),
        "expected a data set of single images, found {}, which has pairs: use system = \"pix2pix\", data.reverse = true for what \
         that reads, or another data.name",
        recipe.data.name
    );
    let attributes = described(recipe)?;
    let (dataset, account) = data::read(&recipe.data, Split::Train, &seen)?;
    loading.finish();
    say(&account);
    let mut recipe = recipe.clone();
    // The numbers of classes mean these names from now on, whatever the folder comes to hold.
    recipe.data.classes.clone_from(&dataset.class_names);
    let Some(attributes) = attributes else {
        return Ok(Summary { data: Some(account), ..train_on(&recipe, &dataset, options)? });
    };
    Ok(Summary { data: Some(account), ..train_on_described(&recipe, &dataset, &attributes, options)? })
}

/// What is known of the images of `recipe`, where its system learns it.
///
/// # Errors
///
/// If the recipe names attributes that its system or its data does not know.
pub fn described(recipe: &Recipe) -> Result<Option<Attributes>> {
    let Recipe { system, data, .. } = recipe;
    if !systems::learns_attributes(recipe) {
        ensure!(
            data.attributes.is_empty() && data.held_out == 0,
            "expected [data] attributes and held_out for one of the systems {}, found them for {system}: leave them out",
            systems::DESCRIBED.join(", ")
        );
        return Ok(None);
    }
    let attributes = data::attributes(data, Split::Train)?.with_context(|| {
        format!("expected a data set with attributes (avatars, fun-emoji) for {system}, found {}", data.name)
    })?;
    attributes.learned(&data.attributes).map(Some)
}

/// Trains on `dataset`, whose images must have the size the recipe says.
///
/// # Errors
///
/// As [`train`].
pub fn train_on(recipe: &Recipe, dataset: &Dataset, options: &Options) -> Result<Summary> {
    check_images(recipe, dataset)?;
    in_pool(recipe, Data::Images(dataset, None), options)
}

/// Trains on `dataset` and what is known of its images, one by one.
///
/// # Errors
///
/// As [`train`].
pub fn train_on_described(
    recipe: &Recipe,
    dataset: &Dataset,
    attributes: &Attributes,
    options: &Options,
) -> Result<Summary> {
    check_images(recipe, dataset)?;
    ensure!(
        attributes.len() == dataset.len(),
        "expected attributes of all {} images of {}, found those of {}",
        dataset.len(),
        dataset.name,
        attributes.len()
    );
    let mut recipe = recipe.clone();
    recipe.data.attributes = attributes.vocabulary();
    in_pool(&recipe, Data::Images(dataset, Some(attributes)), options)
}

/// Trains on `pairs`, whose images must have the size the recipe says.
///
/// # Errors
///
/// As [`train`].
pub fn train_on_pairs(recipe: &Recipe, pairs: &Pairs, options: &Options) -> Result<Summary> {
    check_images(recipe, &pairs.inputs)?;
    check_images(recipe, &pairs.targets)?;
    in_pool(recipe, Data::Pairs(pairs), options)
}

fn check_images(recipe: &Recipe, dataset: &Dataset) -> Result<()> {
    let config = &recipe.train;
    let [h, w, c] = dataset.shape;
    let (size, channels) = (recipe.data.size, recipe.data.channels);
    ensure!(
        [h, w, c] == [size.h, size.w, channels],
        "expected images of {size}×{channels} as the recipe says, found {h}×{w}×{c} in {}",
        dataset.name
    );
    ensure!(
        dataset.len() >= config.batch,
        "expected at least one batch of {} images, found {} in {}: lower [train] batch",
        config.batch,
        dataset.len(),
        dataset.name
    );
    Ok(())
}

fn in_pool(recipe: &Recipe, data: Data<'_>, options: &Options) -> Result<Summary> {
    // Rayon's threads help a thread of their own pool that works, too, but another one they would only let wait: twice a
    // layer, and long on a machine that has more to do. A pool for each run keeps runs from helping each other.
    let threads = rayon::ThreadPoolBuilder::new().build().context("cannot start threads")?;
    threads.install(|| run(recipe, data, options))
}

fn run(recipe: &Recipe, data: Data<'_>, options: &Options) -> Result<Summary> {
    recipe.check()?;
    let expected = match data {
        Data::Pairs(pairs) if pairs.matched => systems::PAIRED.contains(&&*recipe.system),
        Data::Pairs(_) => systems::UNPAIRED.contains(&&*recipe.system),
        _ => !systems::PAIRED.contains(&&*recipe.system) && !systems::UNPAIRED.contains(&&*recipe.system),
    };
    ensure!(
        expected,
        "expected {} for system = \"{}\", found {}: change [data] or the system",
        match &*recipe.system {
            name if systems::PAIRED.contains(&name) => "pairs of images",
            name if systems::UNPAIRED.contains(&name) => "two sets of images",
            _ => "single images or points",
        },
        recipe.system,
        recipe.data.name
    );
    let config = &recipe.train;
    let plain = device::open(&options.device)?;
    let mut session = Session::open(recipe, data, options, &plain)?;
    let mut losses = Losses::new();
    let mut stopped = false;
    let first = session.step_count();
    let start = Instant::now();
    let mut progress = Progress::new(options.quiet, first, config);
    if !options.quiet {
        session.notes().iter().for_each(|note| progress.say(note));
    }
    report_on(&mut session, &progress);

    while session.step_count() < config.steps {
        if options.stop.load(Ordering::Relaxed) {
            stopped = true;
            break;
        }
        let (values, sign) = match session.step() {
            Ok(done) => done,
            Err(error) => {
                report_on(&mut session, &progress);
                return Err(error);
            }
        };
        losses = values;
        let step = session.step_count();
        progress.step(step, &losses);
        let drawn = if step.is_multiple_of(config.sample_every) { session.sample_and_judge()? } else { None };
        if step.is_multiple_of(config.eval_every) {
            session.measure()?;
        }
        for sign in [sign, drawn].into_iter().flatten() {
            progress.say(&format!("warning at step {step}: {}", sign.advice(recipe)));
        }
        if step.is_multiple_of(config.checkpoint_every) && step != config.steps {
            session.save()?;
        }
        if step.is_multiple_of(config.sample_every) || step.is_multiple_of(config.checkpoint_every) {
            report_on(&mut session, &progress);
        }
    }
    session.save()?;
    let sheet = session.last_sheet()?;
    if sheet.is_some() {
        session.film()?;
    }
    report_on(&mut session, &progress);
    let seconds = start.elapsed().as_secs_f64();
    let steps = session.step_count();
    progress.finish(stopped, &options.out);
    let seen = (steps - first) * (config.batch * config.critic_steps) as u64;
    let outcome = session.outcome();
    Ok(Summary {
        steps,
        session_steps: steps - first,
        seconds,
        images_per_second: seen as f64 / seconds.max(1e-9),
        losses,
        stopped,
        outcome,
        advice: outcome.advice(recipe),
        sheet,
        data: None,
    })
}

/// A run without a report is better than none.
fn report_on(session: &mut Session<'_>, progress: &Progress) {
    if let Some(why) = session.report() {
        progress.say(&format!("warning: {why}"));
    }
}

#[cfg(test)]
mod tests;
