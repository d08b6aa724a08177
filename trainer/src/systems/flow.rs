//! What autoregressive systems share: the space that data live in, exact densities, samplers, and learning by likelihood.
//!
//! ```text
//! log p(x) = log N(u; 0, I) − Σ_k Σ_i α_i^k + Σ_k Σ_i (log |γ_i| − ½ log(v_i + ε))
//! ```
//!
//! with u what is left of x after all layers: each takes `u = (x − μ(x)) e^{−α(x)}`, and the batch normalization behind it
//! `γ (u − m)/√(v + ε) + β` (Papamakarios et al., "Masked Autoregressive Flow for Density Estimation", 2017, §3; γ there is
//! the logarithm of ours). The net that learns is a list of [`Autoregressive`] layers and normalizations that goes from data
//! to noise; what ships goes the other way and has the same weights.

use std::f64::consts::TAU;
use std::path::Path;

use anyhow::Result;
use burn::tensor::{Device, Tensor, TensorData, activation};
use edgegen_export::layers::PixelRange;

use super::learner::{Average, Learner};
use super::likelihood::{bits, in_units, levels};
use super::{Generator, Losses, Step, System, Trained};
use crate::nets::layer::{Autoregressive, BatchNorm, Conditional, Conditionals, Layer, Pointwise, PointwiseKind, Way};
use crate::nets::{Chain, Init, Net, NetBuilder, Source};
use crate::recipe::{Prior, Recipe};
use crate::rng::Rng;

/// What a network sees of the data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Space {
    /// Points of the plane as they are.
    Points,
    /// Grey levels with a random part of a level added, (level + u)/256, squeezed to [λ, 1 − λ] and taken through the inverse of the
    /// sigmoid: numbers without bounds (Papamakarios et al., 2017, appendix D). λ keeps black and white finite.
    Logit(f64),
    /// Bits, white with the probability of the grey level, drawn anew each time (Salakhutdinov and Murray, 2008).
    Bits,
}

/// Data as a network sees them.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `[batch, D, 1, 1]`.
    pub x: Tensor<4>,
    /// What is added to a log-density of x for that of the data: of points in their set's units, of images of grey levels.
    /// In nats, a mean over the batch.
    pub volume: f64,
}

impl Space {
    /// The space of the recipe's data: logits of images, points as they are.
    pub fn of(recipe: &Recipe, lambda: f64) -> Self {
        if recipe.image() == [2, 1, 1] { Self::Points } else { Self::Logit(lambda) }
    }

    /// What is seen of `images` `[batch, C, H, W]` in [−1, 1].
    pub fn see(self, images: Tensor<4>, rng: &mut Rng) -> Seen {
        let [batch, c, h, w] = images.dims();
        let dims = c * h * w;
        if self == Self::Points {
            return Seen { x: images.reshape([batch, dims, 1, 1]), volume: 0.0 };
        }
        let device = images.device();
        let mut values = images.into_data().try_to_vec::<f32>().expect("networks compute in 32-bit floats");
        let mut volume = 0.0;
        for value in &mut values {
            let unit = 0.5 * (*value + 1.0);
            let noise = rng.unit();
            *value = match self {
                Self::Logit(lambda) => {
                    let level = (255.0 * unit).round();
                    let squeezed = lambda + (1.0 - 2.0 * lambda) * f64::from(level + noise) / 256.0;
                    volume += ((1.0 - 2.0 * lambda) / (squeezed * (1.0 - squeezed))).ln();
                    (squeezed / (1.0 - squeezed)).ln() as f32
                }
                _ => f32::from(u8::from(noise < unit)),
            };
        }
        let volume = if self == Self::Bits { 0.0 } else { volume / batch as f64 + levels(dims) };
        Seen { x: Tensor::from_data(TensorData::new(values, [batch, dims, 1, 1]), &device), volume }
    }

    fn pixels(self) -> PixelRange {
        if self == Self::Points { PixelRange::Symmetric } else { PixelRange::Unit }
    }
}

/// A stack of layers of conditionals.
#[derive(Clone, Debug)]
pub struct Stack<'a> {
    /// How many; every other one takes the values from the last to the first.
    pub blocks: usize,
    /// Units of each one's hidden layers.
    pub hidden: &'a [usize],
    /// Of bits there can be one layer only.
    pub conditional: Conditional,
    /// What they depend on.
    pub way: Way,
    /// A normalization behind each.
    pub batch_norm: bool,
}

impl Stack<'_> {
    /// The net over `dims` values, before it has learned.
    pub fn net(&self, dims: usize, device: &Device, rng: &mut Rng) -> Net {
        let mut net = NetBuilder::new([dims, 1, 1], Init::He, device, rng);
        for block in 0..self.blocks {
            let Self { hidden, conditional, way, .. } = *self;
            net = net.autoregressive(Chain { hidden, conditional, reversed: block % 2 == 1, way });
            if self.batch_norm {
                net = net.batch_norm();
            }
        }
        net.build()
    }
}

/// Mean and variance of one normalization's input, `[D]`.
pub type Statistics = [Tensor<1>; 2];

/// The log-density that `net`, a [`Stack`] that makes values in turn, gives each sample, in nats.
///
/// With `seen`, normalizations use the statistics of the batch and put them there; without, their own.
///
/// # Shapes
///   - `x` `[batch, D, 1, 1]`, output `[batch]`
///
/// # Panics
///
/// If the net has other layers.
pub fn log_density(net: &Net, mut x: Tensor<4>, mut seen: Option<&mut Vec<Statistics>>) -> Tensor<1> {
    let batch = x.dims()[0];
    let mut log_det = Tensor::<4>::zeros([batch, 1, 1, 1], &x.device().inner());
    for layer in &net.layers {
        match layer {
            Layer::Autoregressive(layer) => {
                let Conditionals { location, log_scale } = layer.conditionals(x.clone());
                let Some(log_scale) = log_scale else { return log_bits(x, location) };
                x = (x - location) * log_scale.clone().neg().exp();
                log_det = log_det - log_scale.sum_dim(1);
            }
            Layer::BatchNorm(norm) => {
                let [c, ..] = net.output;
                let wide = |vector: Tensor<1>| vector.reshape([1, c, 1, 1]);
                let [mean, variance] = if let Some(seen) = &mut seen {
                    let mean = x.clone().mean_dim(0);
                    let variance = (x.clone() - mean.clone()).square().mean_dim(0);
                    seen.push([&mean, &variance].map(|vector| vector.clone().detach().reshape([c])));
                    [mean, variance]
                } else {
                    [norm.mean.val(), norm.variance.val()].map(wide)
                };
                let variance = variance.add_scalar(norm.epsilon);
                let gamma = wide(norm.gamma.val());
                x = (x - mean) / variance.clone().sqrt() * gamma.clone() + wide(norm.beta.val());
                log_det = log_det + (gamma.square().log() - variance.log()).mul_scalar(0.5).sum_dim(1);
            }
            _ => unreachable!("a stack has conditionals and normalizations alone"),
        }
    }
    (log_normal(x) + log_det).reshape([batch])
}

/// log N(u; 0, I) of each sample, `[batch, 1, 1, 1]`.
pub fn log_normal(u: Tensor<4>) -> Tensor<4> {
    let dims = u.dims()[1];
    u.square().sum_dim(1).mul_scalar(-0.5).add_scalar(-0.5 * dims as f64 * TAU.ln())
}

/// x log σ(s) + (1 − x) log(1 − σ(s)) = log σ(s) − (1 − x) s, of each sample.
fn log_bits(x: Tensor<4>, scores: Tensor<4>) -> Tensor<1> {
    let batch = x.dims()[0];
    let each = activation::log_sigmoid(scores.clone()) - x.neg().add_scalar(1.0) * scores;
    each.sum_dim(1).reshape([batch])
}

/// Samples of a [`Stack`] that makes values in one pass, without normalizations, and their log-densities by it (Kingma et al.,
/// 2016, eq. 11).
///
/// # Shapes
///   - `z` and samples `[batch, D, 1, 1]`, log-densities `[batch, 1, 1, 1]`
///
/// # Panics
///
/// If the net is another.
pub fn draw_in_one_pass(net: &Net, z: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
    let log = log_normal(z.clone());
    chain(net).fold((z, log), |(x, log), layer| {
        let (x, log_scale) = layer.one_pass(x);
        (x, log - log_scale.sum_dim(1))
    })
}

/// The log-density by such a stack of what others made, `[batch, 1, 1, 1]`: each layer is undone value by value, D steps.
///
/// # Shapes
///   - `x` `[batch, D, 1, 1]`, without gradients
///
/// # Panics
///
/// If the net is another.
pub fn density_in_turn(net: &Net, x: Tensor<4>) -> Tensor<4> {
    let [batch, ..] = x.dims();
    let log_det = Tensor::zeros([batch, 1, 1, 1], &x.device());
    let (z, log_det) = chain(net).rev().fold((x, log_det), |(x, log_det), layer| {
        let z = layer.in_turn(x, |value, location, log_scale| [(value - location) * (-log_scale).exp(); 2]);
        let Conditionals { log_scale, .. } = layer.conditionals(z.clone());
        let log_scale = log_scale.expect("stacks of one pass have Gaussian conditionals");
        (z, log_det - log_scale.sum_dim(1))
    });
    log_normal(z) + log_det
}

/// What draws from a stack, which `net` is: from noise back to data, with the same weights.
///
/// # Panics
///
/// If the net has other layers than a stack.
pub fn sampler(net: &Net, space: Space, image: [usize; 3]) -> Generator {
    let mut layers: Vec<Layer> = net.layers.iter().rev().map(inverse).collect();
    if let Some(Layer::Autoregressive(last)) = layers.last_mut() {
        last.shape = image;
    }
    finished(layers, net.inputs[0], space, image)
}

/// A stack that says densities, of what [`sampler`] made of it: from data to noise. A sigmoid at the end is left out.
///
/// # Panics
///
/// If `net` has other layers than a sampler.
pub fn undone(net: &Net) -> Net {
    let layers = net.layers.iter().rev().filter(|layer| !matches!(layer, Layer::Pointwise(_)));
    chained(layers.map(inverse).collect(), net.inputs[0], net.inputs[0])
}

/// Layers of which each reads the one before it.
fn chained(layers: Vec<Layer>, input: [usize; 3], output: [usize; 3]) -> Net {
    let reads = (0..layers.len()).map(|at| vec![at.checked_sub(1).map_or(Source::Input(0), Source::Layer)]);
    Net { reads: reads.collect(), layers, inputs: vec![input], output }
}

/// A chain of layers that makes data, as a generator.
pub fn finished(mut layers: Vec<Layer>, input: [usize; 3], space: Space, image: [usize; 3]) -> Generator {
    if matches!(space, Space::Logit(_)) {
        layers.push(Layer::Pointwise(Pointwise { kind: PointwiseKind::Sigmoid }));
    }
    let net = chained(layers, input, image);
    let prior = if space == Space::Bits { Prior::Uniform } else { Prior::Gaussian };
    Generator { net, prior, classes: 0, pixels: space.pixels(), more: vec![] }
}

/// What undoes a layer of a stack: x = (u − β)·√(v + ε)/γ + m is a normalization, too.
fn inverse(layer: &Layer) -> Layer {
    match layer {
        Layer::Autoregressive(layer) => Layer::Autoregressive(layer.clone()),
        Layer::BatchNorm(norm) => {
            let deviation = norm.variance.val().add_scalar(norm.epsilon).sqrt();
            let slope = deviation / norm.gamma.val();
            Layer::BatchNorm(BatchNorm {
                gamma: norm.gamma.clone().map(|_| slope),
                beta: norm.beta.clone().map(|_| norm.mean.val()),
                mean: norm.mean.clone().map(|_| norm.beta.val()),
                variance: norm.variance.clone().map(|variance| variance.ones_like()),
                epsilon: 0.0,
            })
        }
        _ => unreachable!("a stack has conditionals and normalizations alone"),
    }
}

/// A stack that learns: the most likely weights for the data.
#[derive(Debug)]
pub struct Density {
    flow: Learner,
    /// The average of its weights, and of its normalizations' statistics.
    pub average: Average,
    /// What it sees.
    pub space: Space,
    image: [usize; 3],
    /// Added to log-densities, see [`in_units`].
    units: f64,
}

impl Density {
    /// Before the first step.
    pub fn new(stack: &Stack<'_>, space: Space, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Self {
        let image = recipe.image();
        let net = stack.net(image.iter().product(), device, rng);
        Self {
            average: Average::of(&net),
            flow: Learner::new("flow", net, &recipe.train),
            space,
            image,
            units: in_units(recipe),
        }
    }

    /// One step up the likelihood of `images`; gives it in nats and in bits for each dimension.
    pub fn learn(&mut self, images: Tensor<4>, step: &mut Step<'_>) -> [f32; 2] {
        let Seen { x, volume } = self.space.see(images, step.rng);
        let mut statistics = Vec::new();
        let log = log_density(&self.flow.net, x, Some(&mut statistics)).mean();
        let mut gradients = log.clone().neg().backward();
        self.flow.update(&mut gradients, step.lr_generator);
        let norms = self.flow.net.layers.iter_mut().filter_map(|layer| match layer {
            Layer::BatchNorm(norm) => Some(norm),
            _ => None,
        });
        // The average takes them over at the pace at which it takes over weights.
        for (norm, [mean, variance]) in norms.zip(statistics) {
            norm.mean = norm.mean.clone().map(|_| mean);
            norm.variance = norm.variance.clone().map(|_| variance);
        }
        self.average.0.average(&self.flow.net, step.ema);
        let nats = f64::from(log.into_scalar::<f32>()) + self.units;
        [nats as f32, bits(nats + volume, self.dims()) as f32]
    }

    fn dims(&self) -> usize {
        self.image.iter().product()
    }
}

impl System for Density {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let images = (step.next_batch)().images;
        let [nats, bits] = self.learn(images, step);
        vec![("log_likelihood", nats), ("bits_per_dimension", bits)]
    }

    fn trained(&self) -> Trained {
        Trained::Generator(sampler(&self.average.0, self.space, self.image))
    }

    /// The log-likelihood by the averaged weights, in nats: of images in the space that the net sees, of points in their
    /// set's units; its standard error; and bits for each dimension, of images of their grey levels.
    fn score(&self, test: &mut dyn FnMut() -> Option<Tensor<4>>) -> Losses {
        let mut rng = Rng::new(0, u64::MAX);
        let mut score = Score::default();
        while let Some(images) = test() {
            let Seen { x, volume } = self.space.see(images, &mut rng);
            score.add(log_density(&self.average.0, x, None), volume);
        }
        score.losses(self.units, self.dims())
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.flow.save(folder)?;
        self.average.save(folder)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        self.flow.load(folder)?;
        self.average.load(folder)
    }
}

/// Sums over test data.
#[derive(Clone, Copy, Debug, Default)]
pub struct Score {
    count: f64,
    sum: f64,
    squares: f64,
    volume: f64,
}

impl Score {
    /// Adds the log-densities of a batch and its [`Seen::volume`].
    pub fn add(&mut self, log: Tensor<1>, volume: f64) {
        let log = log.into_data().try_to_vec::<f32>().expect("networks compute in 32-bit floats");
        self.count += log.len() as f64;
        self.volume += volume * log.len() as f64;
        self.sum += log.iter().map(|&log| f64::from(log)).sum::<f64>();
        self.squares += log.iter().map(|&log| f64::from(log).powi(2)).sum::<f64>();
    }

    /// Their mean and its standard error.
    pub fn mean(self) -> [f64; 2] {
        let mean = self.sum / self.count;
        [mean, ((self.squares / self.count - mean * mean).max(0.0) / self.count).sqrt()]
    }

    /// What to say of them.
    pub fn losses(self, units: f64, dims: usize) -> Losses {
        let [mean, error] = self.mean();
        let nats = mean + units;
        vec![
            ("test_log_likelihood", nats as f32),
            ("standard_error", error as f32),
            ("bits_per_dimension", bits(nats + self.volume / self.count, dims) as f32),
        ]
    }
}

/// The [`Autoregressive`] layers of a net, from the first to the last.
pub fn chain(net: &Net) -> impl DoubleEndedIterator<Item = &Autoregressive> {
    net.layers.iter().filter_map(|layer| match layer {
        Layer::Autoregressive(layer) => Some(layer),
        _ => None,
    })
}

#[cfg(test)]
pub(super) mod tests;
