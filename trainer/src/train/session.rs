//! A run that is going on: its system, its data and its files.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use edgegen_export::layers::PixelRange;
use serde_json::Map;

use super::Options;
use super::events::Events;
use super::feed::{Feed, Points};
use super::folder::{self, Claim};
use super::measure::{Measure, OfSentences, Values};
use super::order::{Inputs, Order};
use super::verdict::{Look, Outcome, Watch};
use super::{report, resume};
use crate::checkpoint::{self, Signs, State};
use crate::data::plane::{Plane, in_view};
use crate::data::{Attributes, Dataset, Pairs};
use crate::examples::{self, EXAMPLES};
use crate::recipe::Recipe;
use crate::rng::Rng;
use crate::run::{BACK, GENERATOR, JUDGE, RECIPE, to_pixels};
use crate::systems::{self, CLUSTERING, COUPLED, Generator, Losses, Step, System, TRANSLATING, Trained};
use crate::{data, files, images, translate};

/// Name of the metrics in a run folder.
pub const METRICS: &str = "metrics.jsonl";
/// Name of the folder of sample sheets in it.
pub const SAMPLES: &str = "samples";
/// Columns and rows of a sample sheet.
const GRID: usize = 8;
/// Pairs on a sample sheet, three in a row.
const PAIRS: usize = 24;
/// Generated and real points on a picture of the plane.
const SCATTERED: usize = 2_000;
/// Milliseconds that the film shows each of them.
const FILM_DELAY_MS: u32 = 500;
/// Images of the data that samples are compared with, at most.
const COMPARED: usize = 512;

/// What a run learns from.
#[derive(Clone, Copy)]
pub(super) enum Data<'a> {
    /// With what is known of each, where the system learns it.
    Images(&'a Dataset, Option<&'a Attributes>),
    Pairs(&'a Pairs),
    Points(&'a Plane),
}

impl Data<'_> {
    /// Number of classes, 0 without labels.
    fn classes(self) -> usize {
        match self {
            Self::Images(dataset, _) => dataset.classes(),
            Self::Pairs(Pairs { inputs, matched: false, .. }) => inputs.classes(),
            Self::Pairs(pairs) => pairs.targets.classes(),
            Self::Points(plane) => plane.mixture.centres.len(),
        }
    }

    /// The names of the classes in brackets, if they have some.
    fn listed(self) -> String {
        match self {
            Self::Images(Dataset { class_names, .. }, _) if !class_names.is_empty() => {
                format!(" ({})", class_names.join(", "))
            }
            _ => String::new(),
        }
    }

    /// What generated samples are compared with: by class, if the generator is `conditional`.
    fn look(self, conditional: bool, is_coupled: bool, seed: u64) -> Look {
        let group = |label: Option<u8>| label.filter(|_| conditional).map_or(0, usize::from);
        let samples: Vec<_> = match self {
            Self::Pairs(Pairs { inputs, targets, .. }) if is_coupled => {
                let count = inputs.len().min(targets.len());
                let both = |index: usize| [inputs, targets].map(|set| levels(set.image(index))).concat();
                (0..count).step_by(count.div_ceil(COMPARED)).map(|index| (0, both(index))).collect()
            }
            Self::Images(dataset, _) | Self::Pairs(Pairs { targets: dataset, .. }) => {
                let every = dataset.len().div_ceil(COMPARED);
                let indices = (0..dataset.len()).step_by(every);
                let of = |index: usize| dataset.labels.as_ref().map(|labels| labels[index]);
                indices.map(|index| (group(of(index)), levels(dataset.image(index)))).collect()
            }
            Self::Points(plane) => {
                let (points, labels) = plane.draw(COMPARED, &mut Rng::new(seed, 4));
                let labels = labels.into_iter().map(|label| group(Some(label)));
                return Look::of_points(&labels.zip(points.chunks(2).map(<[f32]>::to_vec)).collect::<Vec<_>>());
            }
        };
        Look::at(&samples)
    }
}

/// The first `count` images as a generator reads them.
fn to_values(dataset: &Dataset, count: usize) -> Vec<Vec<f32>> {
    (0..count).map(|index| PixelRange::Symmetric.planes(dataset.image(index), dataset.shape[2])).collect()
}

/// A generator that reads pictures, with the statistics of `inputs` where it normalizes by those of a batch: systems do
/// not keep what they have been shown. They are those of the examples, so that equal weights ship alike.
fn settled(mut generator: Generator, inputs: &Dataset, device: &Device) -> Generator {
    if generator.net.has_statistics() {
        let [h, w, c] = inputs.shape;
        let examples = examples::choose(inputs);
        let values: Vec<f32> = examples.iter().flat_map(|picture| PixelRange::Symmetric.planes(picture, c)).collect();
        let pictures = TensorData::new(values, [examples.len(), c, h, w]);
        generator.net.estimate_statistics(vec![Tensor::from_data(pictures, &device.clone().inner())]);
    }
    generator
}

/// Bytes of pixels as values from 0 to 1.
fn levels(pixels: &[u8]) -> Vec<f32> {
    pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect()
}

/// What a run is measured with.
enum Measures {
    Images(Box<Measure>),
    Sentences(OfSentences),
}

impl Measures {
    fn note(&self) -> String {
        match self {
            Self::Images(measure) => measure.note(),
            Self::Sentences(measure) => measure.note(),
        }
    }

    fn of(&self, generator: &Generator, back: Option<&Generator>, device: &Device) -> Values {
        match (self, back) {
            (Self::Images(measure), _) => measure.of(generator, device),
            (Self::Sentences(measure), Some(back)) => measure.of(generator, back, device),
            (Self::Sentences(_), None) => Values::new(),
        }
    }
}

/// A run that is going on.
pub(super) struct Session<'a> {
    recipe: &'a Recipe,
    out: &'a Path,
    device: &'a Device,
    device_name: &'a str,
    system: Box<dyn System>,
    data: Data<'a>,
    feed: Feed<'a>,
    state: State,
    metrics: Vec<u8>,
    events: Option<Events>,
    grid: Vec<Vec<f32>>,
    /// Classes that the grid takes in turn, at least 1.
    groups: usize,
    watch: Watch,
    measure: Option<Measures>,
    /// The latest sample sheet and the step it was drawn after.
    sheet: Option<(u64, PathBuf)>,
    notes: Vec<String>,
    /// Whether all reports so far could be written.
    has_report: bool,
    /// The run folder is this process's as long as it lives.
    _claim: Claim,
}

impl<'a> Session<'a> {
    /// Begins a run, or goes on where its folder's checkpoint left off.
    pub(super) fn open(recipe: &'a Recipe, data: Data<'a>, options: &'a Options, device: &'a Device) -> Result<Self> {
        let out = options.out.as_path();
        // One stream of the seed for each use: a change of one does not shift the others.
        let [mut weights, latents, order, mut grid] = [0, 1, 2, 3].map(|stream| Rng::new(recipe.seed, stream));
        let kind = systems::find(&recipe.system)?;
        let mut system = (kind.build)(recipe, &device.clone().autodiff(), &mut weights)?;
        let count = match data {
            Data::Images(..) => GRID * GRID,
            Data::Pairs(pairs) => PAIRS.min(pairs.inputs.len()),
            Data::Points(_) => SCATTERED,
        };
        let (classes, grid) = match (system.trained(), data) {
            // Of attributes it knows more than classes.
            (Trained::Judge(_), Data::Images(_, Some(_))) => (0, Vec::new()),
            (Trained::Judge(net), _) => (net.output[0], Vec::new()),
            (Trained::Generator(generator), Data::Pairs(pairs)) if generator.fed().is_some() => {
                (0, to_values(&pairs.inputs, count))
            }
            (Trained::Generator(generator), _) => (generator.classes, generator.draw(count, &mut grid)),
        };
        let groups = if CLUSTERING.contains(&&*recipe.system) { 1 } else { classes.max(1) };
        // Without labels there are 0 classes; who finds classes by itself asks for none.
        ensure!(
            classes == 0 || CLUSTERING.contains(&&*recipe.system) || classes == data.classes(),
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
        let mut notes = Vec::new();
        if let Some(run) = recipe.from.as_deref().filter(|_| !options.resume) {
            notes.push(resume::start_from(Path::new(run), recipe, &mut *system)?);
        }
        let mut claim = folder::claim(out, options.resume)?;
        let fingerprint = match data {
            Data::Images(dataset, _) => Some(resume::fingerprint(&[dataset])),
            Data::Pairs(Pairs { inputs, targets, .. }) => Some(resume::fingerprint(&[targets, inputs])),
            Data::Points(_) => None,
        };
        let mut written = recipe.clone();
        let state = match claim.found.take() {
            Some((state, folder)) => {
                let before = Recipe::load(&out.join(RECIPE))?;
                let changes = resume::check(&before, recipe, [state.data.as_ref(), fingerprint.as_ref()], out)?;
                system.load(&folder)?;
                notes.push(format!("going on from step {} of {}", state.step, out.display()));
                notes.extend(changes.iter().map(|change| format!("with {change}")));
                written.from = before.from;
                State { data: fingerprint, ..state }
            }
            None => State { step: 0, rng: latents, order, position: 0, data: fingerprint, signs: Signs::default() },
        };
        fs::create_dir_all(out.join(SAMPLES)).with_context(|| format!("cannot create {}", out.display()))?;
        files::replace_bytes(&out.join(RECIPE), written.to_toml().as_bytes())?;
        if let (Data::Pairs(Pairs { inputs, .. }), Trained::Generator(generator)) = (data, system.trained())
            && generator.fed().is_some()
            && examples::are_pictures(inputs)
        {
            examples::write(&out.join(EXAMPLES), inputs)?;
        }
        folder::truncate_metrics(&out.join(METRICS), state.step)?;
        let events = options.tensorboard.then(|| Events::begin(out, &out.join(METRICS))).transpose()?;
        let train = &recipe.train;
        let look = (!grid.is_empty()).then(|| data.look(groups > 1, COUPLED.contains(&&*recipe.system), recipe.seed));
        let watch = Watch::new(recipe, state.signs.clone(), look);
        let measure = match (train.eval_every, system.trained(), data) {
            (0, ..) => None,
            (_, Trained::Generator(generator), Data::Images(dataset, _)) => {
                Some(Measures::Images(Box::new(Measure::new(recipe, dataset, &generator, device)?)))
            }
            (_, Trained::Generator(_), Data::Pairs(pairs)) if TRANSLATING.contains(&&*recipe.system) => {
                Some(Measures::Sentences(OfSentences::new(recipe, pairs)))
            }
            _ => anyhow::bail!(
                "expected a generator of single images or sentences with [train] eval_every, found system = \"{}\" on {}: leave it out",
                recipe.system,
                recipe.data.name
            ),
        };
        notes.extend(measure.as_ref().map(Measures::note));
        let feed = match data {
            Data::Images(dataset, attributes) => {
                let order = Order::new(dataset, None, train, state.order.clone(), state.position);
                Feed::Images(order.with_attributes(attributes))
            }
            Data::Pairs(&Pairs { ref inputs, ref targets, matched }) => {
                let inputs = Inputs { dataset: inputs, matched };
                Feed::Images(Order::new(targets, Some(inputs), train, state.order.clone(), state.position))
            }
            Data::Points(plane) => Feed::Points(Points { plane, batch: train.batch, rng: state.order.clone() }),
        };
        let (metrics, sheet) = (Vec::new(), None);
        let run = Self {
            recipe,
            out,
            device,
            device_name: &options.device,
            has_report: true,
            system,
            data,
            feed,
            state,
            metrics,
            events,
            grid,
            groups,
            watch,
            measure,
            sheet,
            notes,
            _claim: claim,
        };
        Ok(run)
    }

    /// Steps done in all.
    pub(super) fn step_count(&self) -> u64 {
        self.state.step
    }

    /// What a person should know before it goes on, a line each.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What became of the run so far.
    pub(super) fn outcome(&self) -> Outcome {
        self.watch.outcome(self.state.step)
    }

    /// One step; gives its losses, and what has just gone wrong.
    pub(super) fn step(&mut self) -> Result<(Losses, Option<Outcome>)> {
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
        if let Some((name, value)) = losses.iter().find(|(_, value)| !value.is_finite()) {
            self.flush_metrics()?;
            let way = match checkpoint::newest(self.out)? {
                Some((State { step, .. }, _)) => format!("go on from step {step} with --resume"),
                None => "begin again".to_owned(),
            };
            anyhow::bail!(
                "expected finite losses, found {name} = {value} at step {}: lower lr_generator and lr_critic (now {} and {}) in \
                 the recipe and {way}",
                self.state.step,
                train.lr_generator,
                train.lr_critic
            );
        }
        let sign = self.watch.losses(&losses);
        self.log(&losses, rate, sign)?;
        Ok((losses, sign))
    }

    fn log(&mut self, losses: &Losses, rate: f64, sign: Option<Outcome>) -> Result<()> {
        let train = &self.recipe.train;
        let mut line = Map::new();
        line.insert("step".into(), self.state.step.into());
        for &(name, value) in losses {
            line.insert(name.into(), f64::from(value).into());
        }
        line.insert("lr_generator".into(), (rate * train.lr_generator).into());
        line.insert("lr_critic".into(), (rate * train.lr_critic).into());
        self.log_sign(sign, line)?;
        // A person who follows the file wants to see it move; a disk does not want every line.
        if self.state.step.is_multiple_of(10) {
            self.flush_metrics()?;
        }
        Ok(())
    }

    /// Adds a line to the metrics, with what has just gone wrong in it.
    fn log_sign(&mut self, sign: Option<Outcome>, mut line: Map<String, serde_json::Value>) -> Result<()> {
        if let Some(sign) = sign {
            line.insert("sign".into(), sign.name().into());
        }
        serde_json::to_writer(&mut self.metrics, &line)?;
        self.metrics.push(b'\n');
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
        if let Some(events) = &self.events {
            events.append(&self.metrics)?;
        }
        self.metrics.clear();
        Ok(())
    }

    /// What has been learned so far, as it ships.
    fn trained(&self) -> Trained {
        match (self.system.trained(), self.data) {
            (Trained::Generator(generator), Data::Pairs(Pairs { inputs, .. })) if generator.fed().is_some() => {
                Trained::Generator(settled(generator, inputs, self.device))
            }
            (trained, _) => trained,
        }
    }

    /// The way back as it ships.
    fn back(&self) -> Option<Generator> {
        let back = self.system.back()?;
        let Data::Pairs(Pairs { targets, .. }) = self.data else { return Some(back) };
        Some(settled(back, targets, self.device))
    }

    /// Draws a sample sheet; gives what its samples show for the first time.
    pub(super) fn sample_and_judge(&mut self) -> Result<Option<Outcome>> {
        let sign = self.sample()?;
        if sign.is_some() {
            let step = Map::from_iter([("step".to_owned(), self.state.step.into())]);
            self.log_sign(sign, step)?;
        }
        Ok(sign)
    }

    /// Measures the generator and writes that down.
    pub(super) fn measure(&mut self) -> Result<()> {
        let (Some(measure), Trained::Generator(generator)) = (&self.measure, self.trained()) else {
            return Ok(());
        };
        let mut line = Map::from_iter([("step".to_owned(), self.state.step.into())]);
        // What is not finite, a JSON file cannot say.
        let values = measure.of(&generator, self.back().as_ref(), self.device);
        line.extend(values.into_iter().map(|(name, value)| (name.to_owned(), value.into())));
        self.log_sign(None, line)
    }

    /// The sample sheet of this step, drawn if it is not there yet; a judge draws none.
    pub(super) fn last_sheet(&mut self) -> Result<Option<PathBuf>> {
        if self.sheet.as_ref().is_none_or(|(step, _)| *step != self.state.step) {
            self.sample()?;
        }
        Ok(self.sheet.as_ref().map(|(_, path)| path.clone()))
    }

    fn sample(&mut self) -> Result<Option<Outcome>> {
        let Trained::Generator(generator) = self.trained() else { return Ok(None) };
        let outputs = generator.generate(&self.grid, self.device);
        let path = self.out.join(SAMPLES).join(format!("step-{}.png", self.state.step));
        let [c, h, w] = generator.net.output;
        let pixels = |image: &Vec<f32>| to_pixels(image, [c, h, w], generator.pixels);
        let samples: Vec<Vec<f32>> = match self.data {
            Data::Pairs(Pairs { inputs, .. }) if TRANSLATING.contains(&&*self.recipe.system) => {
                let vocabularies = data::vocabularies(&self.recipe.data)?;
                let read = translate::sentences(inputs, outputs.len());
                let said: Vec<Vec<u8>> = outputs.iter().map(pixels).collect();
                let back = self.back().map(|back| translate::translated(&back, &said, self.device));
                let language = usize::from(self.recipe.data.reverse);
                let more: Vec<_> = back.iter().map(|back| ("back", language, &**back)).collect();
                let (page, shape) =
                    images::page(&translate::lines(vocabularies.as_ref(), language, [&read, &said], &more));
                images::save_grid(&path, &[page], shape, 1)?;
                said.iter().map(|sentence| levels(sentence)).collect()
            }
            Data::Pairs(Pairs { inputs, targets, matched }) if generator.fed().is_some() => {
                let made: Vec<Vec<u8>> = outputs.iter().map(pixels).collect();
                // Beside what should be made, where that is known, else beside what the way back makes of it, if there
                // is one.
                let back = self.back().filter(|_| !matched);
                let back: Option<Vec<Vec<u8>>> =
                    back.map(|back| back.generate(&outputs, self.device).iter().map(pixels).collect());
                let row = |(index, output): (usize, &Vec<u8>)| {
                    let third = match &back {
                        Some(back) => Some(back[index].clone()),
                        None => matched.then(|| targets.image(index).to_vec()),
                    };
                    [Some(inputs.image(index).to_vec()), Some(output.clone()), third].into_iter().flatten()
                };
                let sheet: Vec<Vec<u8>> = made.iter().enumerate().flat_map(row).collect();
                let columns = if *matched || back.is_some() { 9 } else { 8 };
                images::save_grid(&path, &sheet, [h, w, c], columns)?;
                made.iter().map(|image| levels(image)).collect()
            }
            Data::Images(..) | Data::Pairs(_) => {
                let sheet: Vec<Vec<u8>> = outputs.iter().map(pixels).collect();
                if self.recipe.data.rate.is_some() {
                    images::save_grid(&path, &images::sounds(&sheet), images::SOUND, GRID)?;
                } else {
                    images::save_grid(&path, &sheet, [h, w, c], GRID)?;
                }
                sheet.iter().map(|image| levels(image)).collect()
            }
            Data::Points(plane) => {
                // Always the same real points, so that only what moves in the film has changed.
                let (real, _) = plane.draw(SCATTERED, &mut Rng::new(self.recipe.seed, 4));
                let made = in_view(&outputs, generator.pixels);
                let picture = images::scatter(&real, &made);
                images::save_grid(&path, &[picture], [images::SCATTER, images::SCATTER, 3], 1)?;
                made.chunks(2).map(<[f32]>::to_vec).collect()
            }
        };
        self.sheet = Some((self.state.step, path));
        let in_groups = samples.into_iter().enumerate().map(|(index, sample)| (index % self.groups, sample));
        Ok(self.watch.samples(self.state.step, Look::at(&in_groups.collect::<Vec<_>>())))
    }

    /// Makes a film of the pictures of points so far, if it is points that it learns.
    pub(super) fn film(&self) -> Result<()> {
        if !matches!(self.data, Data::Points(_)) {
            return Ok(());
        }
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

    /// Writes the report of what is in the folder; gives why it cannot, the first time.
    pub(super) fn report(&mut self) -> Option<String> {
        let written = self.flush_metrics().and_then(|()| report::write(self.out, self.device_name));
        let error = written.err().filter(|_| self.has_report)?;
        self.has_report = false;
        Some(format!("the run goes on without a report: {error:#}"))
    }

    pub(super) fn save(&mut self) -> Result<()> {
        self.flush_metrics()?;
        self.state.signs.clone_from(&self.watch.signs);
        (self.state.order, self.state.position) = self.feed.position();
        let system = &self.system;
        checkpoint::save(self.out, &self.state, |folder| system.save(folder))?;
        let trained = self.trained();
        let name = match trained {
            Trained::Generator(_) => GENERATOR,
            Trained::Judge(_) => JUDGE,
        };
        checkpoint::save_net(trained.net(), &self.out.join(name))?;
        if let Some(back) = self.back() {
            // A run of its own, so that whatever reads a run can read it.
            let folder = self.out.join(BACK);
            fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
            let mut recipe = self.recipe.clone();
            recipe.data.reverse = !recipe.data.reverse;
            files::replace_bytes(&folder.join(RECIPE), recipe.to_toml().as_bytes())?;
            if let Data::Pairs(Pairs { targets, .. }) = self.data
                && examples::are_pictures(targets)
            {
                examples::write(&folder.join(EXAMPLES), targets)?;
            }
            checkpoint::save_net(&back.net, &folder.join(GENERATOR))?;
        }
        Ok(())
    }
}
