//! The systems: each turns a recipe into networks, losses and a training step.
//!
//! A system is one file here, always in the same order: its idea, equation, paper and knobs; `Config`; networks;
//! losses; `impl`; tests. It joins the program by one line in [`SYSTEMS`]. Epochs, files, progress and resuming are
//! the loop's business (`train.rs`); systems never see them.

use std::path::Path;

use anyhow::{Context, Result, bail};
use burn::tensor::{Device, Tensor, TensorData};
use edgegen_export::layers::{Input, LatentInput, PixelRange};
use edgegen_runtime::Point;
use toml::Table;

use crate::nets::{Mode, Net};
use crate::recipe::{Prior, Recipe};
use crate::rng::Rng;

pub mod adda;
pub mod adversarial;
pub mod augment;
pub mod backtranslation;
pub mod began;
pub mod biggan;
pub mod cgan;
pub mod cogan;
pub mod cyclegan;
pub mod dcgan;
pub mod distancegan;
pub mod dtn;
pub mod flow;
pub mod gan;
pub mod gaussian;
pub mod gmm;
pub mod growing;
pub mod iaf;
pub mod judge;
pub mod kmeans;
pub mod learner;
pub mod likelihood;
pub mod linear;
pub mod made;
pub mod maf;
pub mod parallel_wavenet;
pub mod penalty;
pub mod pix2pix;
pub mod pool;
mod sizes;
pub mod speech;
pub mod stackgan;
pub mod style;
pub mod translation;
pub mod tricks;
pub mod unpaired;
pub mod unrolled;
pub mod vae;
pub mod wavegan;
pub mod wavenet;
pub mod words;

/// All systems.
pub const SYSTEMS: &[&Kind] = &[
    &gan::KIND,
    &dcgan::KIND,
    &cgan::KIND,
    &wavegan::KIND,
    &style::KIND,
    &biggan::KIND,
    &growing::KIND,
    &words::KIND,
    &stackgan::KIND,
    &began::KIND,
    &unrolled::KIND,
    &vae::KIND,
    &pix2pix::KIND,
    &speech::KIND,
    &cyclegan::KIND,
    &distancegan::KIND,
    &cogan::KIND,
    &dtn::KIND,
    &adda::KIND,
    &judge::KIND,
    &gaussian::KIND,
    &kmeans::KIND,
    &gmm::KIND,
    &made::KIND,
    &maf::KIND,
    &iaf::KIND,
    &wavenet::KIND,
    &parallel_wavenet::KIND,
    &backtranslation::KIND,
];

/// Systems whose classes are parts that they found by themselves, not the classes of their data.
pub const CLUSTERING: &[&str] = &[kmeans::KIND.name, gmm::KIND.name];

/// Systems that learn from pairs of images.
pub const PAIRED: &[&str] = &[pix2pix::KIND.name, speech::KIND.name];

/// Systems that learn from two sets of images, none of which belongs to one of the other.
pub const UNPAIRED: &[&str] = &[
    cyclegan::KIND.name,
    distancegan::KIND.name,
    dtn::KIND.name,
    adda::KIND.name,
    cogan::KIND.name,
    backtranslation::KIND.name,
];

/// Systems whose images are sentences.
pub const TRANSLATING: &[&str] = &[backtranslation::KIND.name];

/// Systems that draw an image of each of two sets from one latent vector, side by side.
pub const COUPLED: &[&str] = &[cogan::KIND.name];

/// Systems that learn what is known of images beside their class, where [data] attributes names some.
pub const DESCRIBED: &[&str] = &[judge::KIND.name, words::KIND.name, stackgan::KIND.name];

/// Whether the system of `recipe` learns what is known of images beside their class; a judge does where it is asked to.
pub fn learns_attributes(recipe: &Recipe) -> bool {
    let name = &*recipe.system;
    DESCRIBED.contains(&name) && (name != judge::KIND.name || !recipe.data.attributes.is_empty())
}

/// Systems that tell classes and draw nothing.
pub const JUDGES: &[&str] = &[judge::KIND.name, adda::KIND.name];

/// The form of what one of [`JUDGES`] trains.
///
/// # Errors
///
/// If the recipe is of another system, or its table is wrong.
pub fn judge(recipe: &Recipe) -> Result<judge::Config> {
    match &*recipe.system {
        name if name == judge::KIND.name => recipe.settings(),
        name if name == adda::KIND.name => Ok(recipe.settings::<adda::Config>()?.judge()),
        name => bail!("expected a system that tells classes ({}), found {name}", JUDGES.join(", ")),
    }
}

/// The untrained critic of a system whose critic says of an image alone how real it is.
///
/// # Errors
///
/// If the recipe is of another system, or its table is wrong.
pub fn critic(recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Net> {
    match &*recipe.system {
        name if name == gan::KIND.name => gan::untrained_critic(recipe, device, rng),
        name if name == dcgan::KIND.name || name == cgan::KIND.name => dcgan::untrained_critic(recipe, device, rng),
        name => bail!("expected a system with a critic of single images (gan, dcgan, cgan), found {name}"),
    }
}

/// Whether a system turns images into images.
pub fn translates(name: &str) -> bool {
    let draws = JUDGES.contains(&name) || COUPLED.contains(&name);
    (PAIRED.contains(&name) || UNPAIRED.contains(&name)) && !draws
}

/// What a recipe's `system = "…"` may name.
#[derive(Debug)]
pub struct Kind {
    /// The name, which is also that of the system's table in a recipe.
    pub name: &'static str,
    /// One line for listings.
    pub about: &'static str,
    /// Checks the system's table, also against image size and channels, and returns it with defaults filled in.
    pub normalize: fn(&Recipe) -> Result<Table>,
    /// The untrained generator alone, into which saved weights are loaded; an error if the system makes none.
    pub generator: fn(&Recipe, &Device, &mut Rng) -> Result<Generator>,
    /// The untrained system on a device with autodiff.
    pub build: fn(&Recipe, &Device, &mut Rng) -> Result<Box<dyn System>>,
}

/// A system while it trains.
pub trait System {
    /// One step: as many critic updates as the recipe asks for, and one update of the generator.
    fn step(&mut self, step: &mut Step<'_>) -> Losses;

    /// What has been learned so far, as it ships: averaged weights, with statistics, without autodiff.
    fn trained(&self) -> Trained;

    /// The way back, where a system learns both: a generator of the same form, from what should be made to what is
    /// read.
    fn back(&self) -> Option<Generator> {
        None
    }

    /// What it says of test images, which come batch by batch as `[batch, C, H, W]` in [−1, 1]: likelihoods and the like, by name. Most
    /// systems say nothing.
    fn score(&self, test: &mut dyn FnMut() -> Option<Tensor<4>>) -> Losses {
        let _ = test;
        Losses::new()
    }

    /// Writes the whole state into the existing folder `folder`.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    fn save(&self, folder: &Path) -> Result<()>;

    /// Takes over the state that [`System::save`] wrote for the same recipe.
    ///
    /// # Errors
    ///
    /// If a file is missing or does not fit the recipe.
    fn load(&mut self, folder: &Path) -> Result<()>;
}

/// What the loop hands to a step.
pub struct Step<'a> {
    /// Learning rate of the generator at this step.
    pub lr_generator: f64,
    /// Learning rate of the critic at this step.
    pub lr_critic: f64,
    /// Decay of the averaged weights at this step.
    pub ema: f64,
    /// Source of latents and dropout masks.
    pub rng: &'a mut Rng,
    /// The next batch of real images; each call gives a fresh one.
    pub next_batch: &'a mut dyn FnMut() -> Batch,
}

/// Real images.
#[derive(Clone, Debug)]
pub struct Batch {
    /// For [`PAIRED`] systems, what each of the images should be made from, and for [`UNPAIRED`] ones as many images of
    /// the other set:
    /// `[batch, C, H, W]` in [−1, 1].
    pub inputs: Option<Tensor<4>>,
    /// One class for each of them, from 0; empty without `inputs`, or if they have no labels.
    pub input_labels: Vec<u8>,
    /// `[batch, C, H, W]` in [−1, 1].
    pub images: Tensor<4>,
    /// One class an image, from 0; empty if the data has no labels.
    pub labels: Vec<u8>,
    /// For [`DESCRIBED`] systems the value of each attribute, image after image: a number in its words, or
    /// [`UNSEEN`](crate::data::UNSEEN); else empty.
    pub attributes: Vec<u8>,
}

impl Batch {
    /// Images of one set alone.
    pub fn alone(images: Tensor<4>, labels: Vec<u8>) -> Self {
        Self { inputs: None, input_labels: Vec::new(), images, labels, attributes: Vec::new() }
    }
}

impl std::fmt::Debug for Step<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Step")
            .field("lr_generator", &self.lr_generator)
            .field("lr_critic", &self.lr_critic)
            .field("ema", &self.ema)
            .finish_non_exhaustive()
    }
}

/// Named values of one step, in the order in which they are shown.
pub type Losses = Vec<(&'static str, f32)>;

/// What a system makes.
#[derive(Clone, Debug)]
pub enum Trained {
    /// Something that draws.
    Generator(Generator),
    /// A classifier that judges what others draw; its output is one score a class.
    Judge(Net),
}

impl Trained {
    /// Its weights.
    pub fn net(&self) -> &Net {
        match self {
            Self::Generator(generator) => &generator.net,
            Self::Judge(net) => net,
        }
    }
}

/// A generator with what is needed to use it.
#[derive(Clone, Debug)]
pub struct Generator {
    /// From a latent vector, with one value for each class behind it, `[batch, dims + classes, 1, 1]`, or from an image
    /// `[batch, C, H, W]` in [−1, 1], to images `[batch, C, H, W]`.
    pub net: Net,
    /// How latent vectors are drawn.
    pub prior: Prior,
    /// Classes that can be asked for, 0 where none can.
    pub classes: usize,
    /// What the output means as pixels.
    pub pixels: PixelRange,
    /// What the net's inputs behind the first are.
    pub more: Vec<Input>,
}

impl Generator {
    /// `[C, H, W]` of the image that it reads, if it reads one and no latent vector.
    pub fn fed(&self) -> Option<[usize; 3]> {
        Some(self.net.inputs[0]).filter(|shape| shape[1..] != [1, 1])
    }

    /// The latent vector that it reads, as the exporter says it.
    pub fn input(&self) -> LatentInput {
        let prior = match self.prior {
            Prior::Gaussian => edgegen_runtime::Prior::Gaussian,
            Prior::Uniform => edgegen_runtime::Prior::Uniform,
        };
        LatentInput { prior, dims: self.net.inputs[0][0] - self.classes, classes: self.classes }
    }

    /// `count` latent vectors that `rng` draws, of all classes in turn.
    pub fn draw(&self, count: usize, rng: &mut Rng) -> Vec<Vec<f32>> {
        let LatentInput { dims, classes, .. } = self.input();
        let one = |index: usize| {
            let latent = draw(self.prior, dims, rng);
            latent
                .into_iter()
                .chain((0..classes).map(move |class| f32::from(u8::from(class == index % classes))))
                .collect()
        };
        (0..count).map(one).collect()
    }

    /// What a generator without a picture reads at a point: the values of all its inputs, one behind the other.
    pub fn values_at(&self, point: Point) -> Vec<f32> {
        let mut values = self.input().vector_at(point);
        values.extend(self.more.iter().flat_map(|input| input.values_at(point)));
        values
    }

    /// Images of latent vectors, or of images C × H × W in [−1, 1], in batches, without autodiff: C × H × W values
    /// each, in the range of [`Generator::pixels`]. Behind a vector the values of the other inputs may stand
    /// ([`Generator::values_at`]); without them image n has those of seed n.
    ///
    /// # Panics
    ///
    /// If an input has another length than that of the net's first, or of all together.
    pub fn generate(&self, inputs: &[Vec<f32>], device: &Device) -> Vec<Vec<f32>> {
        const BATCH: usize = 64;
        let lengths: Vec<usize> = self.net.inputs.iter().map(|shape| shape.iter().product()).collect();
        let (first, all) = (lengths[0], lengths.iter().sum::<usize>());
        let image_len: usize = self.net.output.iter().product();
        let device = device.clone().inner();
        let mut images = Vec::with_capacity(inputs.len());
        for (start, batch) in inputs.chunks(BATCH).enumerate() {
            let whole = |(index, input): (usize, &Vec<f32>)| {
                let given = input.len();
                assert!(given == first || given == all, "inputs must have {first} or {all} values, found {given}");
                let rest = if given == all { &[][..] } else { &self.more };
                let point = Point::seed((start * BATCH + index) as u64);
                let mut values = input.clone();
                values.extend(rest.iter().flat_map(|input| input.values_at(point)));
                values
            };
            let batch: Vec<Vec<f32>> = batch.iter().enumerate().map(whole).collect();
            let mut from = 0;
            let mut tensors = Vec::with_capacity(lengths.len());
            for (&[c, h, w], length) in self.net.inputs.iter().zip(&lengths) {
                let values: Vec<f32> = batch.iter().flat_map(|input| &input[from..from + length]).copied().collect();
                tensors.push(Tensor::from_data(TensorData::new(values, [batch.len(), c, h, w]), &device));
                from += length;
            }
            let output = self.net.forward_all(tensors, &mut Mode::Eval).into_data();
            let values = output.try_to_vec::<f32>().expect("networks compute in 32-bit floats");
            images.extend(values.chunks(image_len).map(<[f32]>::to_vec));
        }
        images
    }
}

/// `batch` latent vectors `[batch, dims, 1, 1]`, drawn on the host.
pub fn latents(prior: Prior, batch: usize, dims: usize, rng: &mut Rng, device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(draw(prior, batch * dims, rng), [batch, dims, 1, 1]), device)
}

fn draw(prior: Prior, count: usize, rng: &mut Rng) -> Vec<f32> {
    let mut one = || match prior {
        Prior::Gaussian => rng.normal(),
        Prior::Uniform => 2.0 * rng.unit() - 1.0,
    };
    (0..count).map(|_| one()).collect()
}

/// A row for each class number, 1 at its place and 0 elsewhere, `[batch, classes, 1, 1]`.
pub fn one_hot(labels: &[u8], classes: usize, device: &Device) -> Tensor<4> {
    let mut values = vec![0.0; labels.len() * classes];
    for (row, &label) in values.chunks_mut(classes).zip(labels) {
        row[usize::from(label)] = 1.0;
    }
    Tensor::from_data(TensorData::new(values, [labels.len(), classes, 1, 1]), device)
}

/// The system called `name`.
///
/// # Errors
///
/// If there is none, with the names there are.
pub fn find(name: &str) -> Result<&'static Kind> {
    SYSTEMS
        .iter()
        .find(|kind| kind.name == name)
        .copied()
        .with_context(|| format!("unknown system \"{name}\", expected one of {}", names()))
}

/// All names, for messages.
pub fn names() -> String {
    let names: Vec<_> = SYSTEMS.iter().map(|kind| kind.name).collect();
    names.join(", ")
}
