//! The loop: data → step → log → sample sheet → checkpoint. The only place with epochs and files.
//!
//! A run folder holds
//!
//! | file | what |
//! | --- | --- |
//! | `recipe.toml` | the recipe as run, with all defaults written out |
//! | `metrics.jsonl` | one line a step: losses, scores, learning rates |
//! | `samples/step-N.png` | the averaged generator on the same latents each time; points of the plane over real ones |
//! | `samples/film.gif` | of points, all of these in turn |
//! | `generator.safetensors` | the averaged weights, as they ship; of a judge, `judge.safetensors` |
//! | `checkpoint/` | everything that [`Options::resume`] needs to go on bit for bit |

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use burn::tensor::Device;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::checkpoint::{self, State};
use crate::data::plane::{Plane, in_view};
use crate::data::{self, Account, Dataset, Split};
use crate::recipe::Recipe;
use crate::rng::Rng;
use crate::run::{GENERATOR, JUDGE, RECIPE, to_pixels};
use crate::systems::{self, Losses, Step, System, Trained};
use crate::{device, files, images};

mod feed;
mod order;
mod progress;

use feed::{Feed, Points};
use order::Order;
use progress::Progress;

const METRICS: &str = "metrics.jsonl";
const SAMPLES: &str = "samples";
/// Columns and rows of a sample sheet.
const GRID: usize = 8;
/// Generated and real points on a picture of the plane.
const SCATTERED: usize = 2_000;
/// Milliseconds that the film shows each of them.
const FILM_DELAY_MS: u32 = 500;

/// How a run is done, apart from what it makes.
#[derive(Clone, Debug)]
pub struct Options {
    /// A name of [`device::DEVICES`].
    pub device: String,
    /// The run folder.
    pub out: PathBuf,
    /// Go on from the folder's checkpoint, if there is one.
    pub resume: bool,
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
    if let Some(plane) = Plane::chosen(&recipe.data) {
        return in_pool(recipe, Data::Points(&plane), options);
    }
    let loading = progress::Loading::new(options.quiet);
    let (dataset, account) = data::read(&recipe.data, Split::Train, &|done, total| {
        loading.file(done, total);
        !options.stop.load(Ordering::Relaxed)
    })?;
    loading.finish();
    if !options.quiet {
        eprintln!("{}", account.text());
    }
    let mut recipe = recipe.clone();
    // The numbers of classes mean these names from now on, whatever the folder comes to hold.
    recipe.data.classes.clone_from(&dataset.class_names);
    Ok(Summary { data: Some(account), ..train_on(&recipe, &dataset, options)? })
}

/// Trains on `dataset`, whose images must have the size the recipe says.
///
/// # Errors
///
/// As [`train`].
pub fn train_on(recipe: &Recipe, dataset: &Dataset, options: &Options) -> Result<Summary> {
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
    in_pool(recipe, Data::Images(dataset), options)
}

/// What a run learns from.
#[derive(Clone, Copy)]
enum Data<'a> {
    Images(&'a Dataset),
    Points(&'a Plane),
}

impl Data<'_> {
    /// Number of classes, 0 without labels.
    fn classes(self) -> usize {
        match self {
            Self::Images(dataset) => dataset.classes(),
            Self::Points(plane) => plane.mixture.centres.len(),
        }
    }

    /// The names of the classes in brackets, if they have some.
    fn listed(self) -> String {
        match self {
            Self::Images(Dataset { class_names, .. }) if !class_names.is_empty() => {
                format!(" ({})", class_names.join(", "))
            }
            _ => String::new(),
        }
    }
}

fn in_pool(recipe: &Recipe, data: Data<'_>, options: &Options) -> Result<Summary> {
    // Rayon's threads help a thread of their own pool that works, too, but another one they would only let wait: twice a
    // layer, and long on a machine that has more to do. A pool for each run keeps runs from helping each other.
    let threads = rayon::ThreadPoolBuilder::new().build().context("cannot start threads")?;
    threads.install(|| run(recipe, data, options))
}

fn run(recipe: &Recipe, data: Data<'_>, options: &Options) -> Result<Summary> {
    recipe.check()?;
    let config = &recipe.train;
    let plain = device::open(&options.device)?;
    let mut session = Session::open(recipe, data, options, &plain)?;
    let mut losses = Losses::new();
    let mut stopped = false;
    let first = session.state.step;
    let start = Instant::now();
    let mut progress = Progress::new(options.quiet, first, config);

    while session.state.step < config.steps {
        if options.stop.load(Ordering::Relaxed) {
            stopped = true;
            break;
        }
        losses = session.step()?;
        let step = session.state.step;
        progress.step(step, &losses);
        let last = step == config.steps;
        if step.is_multiple_of(config.sample_every) && !last {
            session.sample()?;
        }
        if step.is_multiple_of(config.checkpoint_every) && !last {
            session.save()?;
        }
    }
    session.save()?;
    let sheet = session.sample()?;
    if let (Data::Points(_), Some(_)) = (data, &sheet) {
        session.film()?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let session_steps = session.state.step - first;
    progress.finish(stopped, &options.out);
    let seen = session_steps * (config.batch * config.critic_steps) as u64;
    Ok(Summary {
        steps: session.state.step,
        session_steps,
        seconds,
        images_per_second: seen as f64 / seconds.max(1e-9),
        losses,
        stopped,
        sheet,
        data: None,
    })
}

/// A run that is going on.
struct Session<'a> {
    recipe: &'a Recipe,
    out: &'a Path,
    device: &'a Device,
    system: Box<dyn System>,
    data: Data<'a>,
    feed: Feed<'a>,
    state: State,
    metrics: Vec<u8>,
    grid: Vec<Vec<f32>>,
}

impl<'a> Session<'a> {
    /// Begins a run, or goes on where its folder's checkpoint left off.
    fn open(recipe: &'a Recipe, data: Data<'a>, options: &'a Options, device: &'a Device) -> Result<Self> {
        let out = options.out.as_path();
        // One stream of the seed for each use: a change of one does not shift the others.
        let [mut weights, latents, order, mut grid] = [0, 1, 2, 3].map(|stream| Rng::new(recipe.seed, stream));
        let kind = systems::find(&recipe.system)?;
        let mut system = (kind.build)(recipe, &device.clone().autodiff(), &mut weights)?;
        let found = checkpoint::recover(out)?;
        let state = match found {
            Some((state, folder)) if options.resume => {
                check_same(recipe, out)?;
                system.load(&folder)?;
                state
            }
            Some(_) => {
                bail!("{} already holds a run: add --resume to go on with it, or choose another --out", out.display())
            }
            None => State { step: 0, rng: latents, order, position: 0 },
        };
        fs::create_dir_all(out.join(SAMPLES)).with_context(|| format!("cannot create {}", out.display()))?;
        files::replace_bytes(&out.join(RECIPE), recipe.to_toml().as_bytes())?;
        truncate_metrics(&out.join(METRICS), state.step)?;
        let count = match data {
            Data::Images(_) => GRID * GRID,
            Data::Points(_) => SCATTERED,
        };
        let (classes, grid) = match system.trained() {
            Trained::Judge(net) => (net.output[0], Vec::new()),
            Trained::Generator(generator) => (generator.classes, generator.draw(count, &mut grid)),
        };
        // Without labels there are 0 classes; who finds classes by itself asks for none.
        ensure!(
            classes == 0 || systems::CLUSTERING.contains(&&*recipe.system) || classes == data.classes(),
            "expected images of {classes} classes, as [{}] says, found {} classes in {}{}: {}",
            recipe.system,
            data.classes(),
            recipe.data.name,
            data.listed(),
            match data.classes() {
                0 =>
                    "put the images of each class into a folder of its own, or take a system without classes".to_owned(),
                found => format!("write classes = {found} in [{}], or change the data", recipe.system),
            }
        );
        let train = &recipe.train;
        let feed = match data {
            Data::Images(dataset) => Feed::Images(Order::new(dataset, train, state.order.clone(), state.position)),
            Data::Points(plane) => Feed::Points(Points { plane, batch: train.batch, rng: state.order.clone() }),
        };
        Ok(Self { recipe, out, device, system, data, feed, state, metrics: Vec::new(), grid })
    }

    fn step(&mut self) -> Result<Losses> {
        let train = &self.recipe.train;
        let step = self.state.step;
        let rate = train.schedule.factor(step, train.steps);
        let ramp = (1 + step) as f64 / (10 + step) as f64;
        let (device, feed) = (self.device, &mut self.feed);
        let losses = self.system.step(&mut Step {
            lr_generator: rate * train.lr_generator,
            lr_critic: rate * train.lr_critic,
            ema: train.ema.min(ramp),
            rng: &mut self.state.rng,
            next_batch: &mut || feed.next_batch(device),
        });
        self.state.step += 1;
        for (name, value) in &losses {
            ensure!(
                value.is_finite(),
                "expected finite losses, found {name} = {value} at step {}: lower lr_generator and lr_critic, the last checkpoint is kept",
                self.state.step
            );
        }
        self.log(&losses, rate)?;
        Ok(losses)
    }

    fn log(&mut self, losses: &Losses, rate: f64) -> Result<()> {
        let train = &self.recipe.train;
        let mut line = Map::new();
        line.insert("step".into(), self.state.step.into());
        for &(name, value) in losses {
            line.insert(name.into(), f64::from(value).into());
        }
        line.insert("lr_generator".into(), (rate * train.lr_generator).into());
        line.insert("lr_critic".into(), (rate * train.lr_critic).into());
        serde_json::to_writer(&mut self.metrics, &line)?;
        self.metrics.push(b'\n');
        // A person who follows the file wants to see it move; a disk does not want every line.
        if self.state.step.is_multiple_of(10) {
            self.flush_metrics()?;
        }
        Ok(())
    }

    fn flush_metrics(&mut self) -> Result<()> {
        let path = self.out.join(METRICS);
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(&self.metrics))
            .with_context(|| format!("cannot write {}", path.display()))?;
        self.metrics.clear();
        Ok(())
    }

    fn sample(&self) -> Result<Option<PathBuf>> {
        let Trained::Generator(generator) = self.system.trained() else { return Ok(None) };
        let outputs = generator.generate(&self.grid, self.device);
        let path = self.out.join(SAMPLES).join(format!("step-{}.png", self.state.step));
        match self.data {
            Data::Images(_) => {
                let [c, h, w] = generator.net.output;
                let pixels = |image: &Vec<f32>| to_pixels(image, [c, h, w], generator.pixels);
                let sheet: Vec<Vec<u8>> = outputs.iter().map(pixels).collect();
                images::save_grid(&path, &sheet, [h, w, c], GRID)?;
            }
            Data::Points(plane) => {
                // Always the same real points, so that only what moves in the film has changed.
                let (real, _) = plane.draw(SCATTERED, &mut Rng::new(self.recipe.seed, 4));
                let picture = images::scatter(&real, &in_view(&outputs, generator.pixels));
                images::save_grid(&path, &[picture], [images::SCATTER, images::SCATTER, 3], 1)?;
            }
        }
        Ok(Some(path))
    }

    /// Makes a film of the pictures of points so far.
    fn film(&self) -> Result<()> {
        let folder = self.out.join(SAMPLES);
        let steps = (0..=self.state.step).map(|step| folder.join(format!("step-{step}.png")));
        let mut frames = Vec::new();
        let mut shape = [0; 3];
        for path in steps.filter(|path| path.is_file()) {
            let picture = image::open(&path).with_context(|| format!("cannot read {}", path.display()))?.into_rgb8();
            shape = [picture.height() as usize, picture.width() as usize, 3];
            frames.push(picture.into_raw());
        }
        images::save_gif(&folder.join("film.gif"), &frames, shape, FILM_DELAY_MS)
    }

    fn save(&mut self) -> Result<()> {
        self.flush_metrics()?;
        (self.state.order, self.state.position) = self.feed.position();
        let system = &self.system;
        checkpoint::save(self.out, &self.state, |folder| system.save(folder))?;
        let trained = system.trained();
        let name = match trained {
            Trained::Generator(_) => GENERATOR,
            Trained::Judge(_) => JUDGE,
        };
        checkpoint::save_net(trained.net(), &self.out.join(name))
    }
}

/// A run goes on with the recipe it began with; only its length and how often it reports may change.
fn check_same(recipe: &Recipe, out: &Path) -> Result<()> {
    let path = out.join(RECIPE);
    let mut before = Recipe::load(&path)?;
    before.train.steps = recipe.train.steps;
    before.train.sample_every = recipe.train.sample_every;
    before.train.checkpoint_every = recipe.train.checkpoint_every;
    // Runs from before classes had names note none.
    if before.data.classes.is_empty() {
        before.data.classes.clone_from(&recipe.data.classes);
    }
    ensure!(
        before == *recipe,
        "the run in {} was begun with another recipe: resume with {} or choose another --out",
        out.display(),
        path.display()
    );
    Ok(())
}

/// Forgets lines after the checkpoint: the steps they tell of will be done again.
fn truncate_metrics(path: &Path, step: u64) -> Result<()> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", path.display()));
        }
    };
    let kept: String = text
        .split_inclusive('\n')
        .take_while(|line| {
            serde_json::from_str::<Value>(line).ok().and_then(|line| line["step"].as_u64()).is_some_and(|at| at <= step)
        })
        .collect();
    if kept.len() != text.len() {
        files::replace_bytes(path, kept.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
