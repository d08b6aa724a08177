//! `wavenet`: each sample of a sound given those before it.
//!
//! ```text
//! log p(x | y) = Σ log p(x_t | x_<t, y)
//! ```
//!
//! van den Oord et al., "WaveNet: A Generative Model for Raw Audio" (2016): a stack of gated causal convolutions whose
//! dilations double ([`Wavenet`](crate::nets::layer::Wavenet)), here with a mixture of logistics over the 256 levels of
//! the μ-law in place of their softmax. It learns by teacher forcing: what a sample depends on are the samples of the
//! data, so all of a sound are learned in one pass. The generator makes them one after the other, each from two numbers
//! of uniform noise by the inverses of distribution functions, so that a seed means a sound.
//!
//! Likelihoods are of sounds without their class, p(x) = Σ p(x | y) / classes, and exact: a level has a probability.
//!
//! With one logistic or two (`components`) it is exported: a device has the levels that it has played as an input, so
//! its rings are the cache of a sound in turn, and a sample is m + s log(u / (1 − u)) of noise u.
//!
//! Knobs: `channels`, `skips`, `dilations` (of one stack), `stacks`, `components`, `classes`.

use std::path::Path;

use anyhow::{Result, ensure};
use burn::tensor::{Device, Tensor};
use edgegen_export::layers::{Input, PixelRange};
use edgegen_runtime::Shape;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::flow::Score;
use super::learner::{Average, Learner};
use super::likelihood::bits;
use super::{Batch, Generator, Kind, Losses, Step, System, Trained, one_hot};
use crate::nets::layer::{Layer, Wavenet};
use crate::nets::{Init, Net, NetBuilder, Waves};
use crate::recipe::{Prior, Recipe};
use crate::rng::Rng;

/// The table `[wavenet]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Channels of the blocks.
    pub channels: usize,
    /// Channels of what goes past them to the output.
    pub skips: usize,
    /// How many samples each block of a stack looks back.
    pub dilations: Vec<usize>,
    /// Stacks, one behind the other.
    pub stacks: usize,
    /// Logistics of the mixture.
    pub components: usize,
    /// Classes that it can be asked for; 0 for none.
    pub classes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            channels: 16,
            skips: 32,
            dilations: vec![1, 2, 4, 8, 16, 32, 64, 128],
            stacks: 2,
            components: 5,
            classes: 0,
        }
    }
}

/// Sounds that a likelihood is computed of at a time.
const AT_A_TIME: usize = 10;

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "wavenet",
    about: "each sample of a sound given those before it; exact likelihood",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        Ok(finished(config.net(recipe, device, rng), config.classes))
    },
    build: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        let net = config.net(recipe, device, rng);
        let (average, classes) = (Average::of(&net), config.classes);
        Ok(Box::new(Training { average, learner: Learner::new("wavenet", net, &recipe.train), classes }))
    },
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    config.check("wavenet", recipe)?;
    Ok(Table::try_from(config)?)
}

impl Config {
    /// Checks the numbers of the table `table`.
    pub(super) fn check(&self, table: &str, recipe: &Recipe) -> Result<()> {
        ensure!(
            (1..=1024).contains(&self.components),
            "[{table}] components must be 1 to 1024, found {}",
            self.components
        );
        check_blocks(table, self.channels, self.skips, &self.dilations)?;
        ensure!((1..=1024).contains(&self.stacks), "[{table}] stacks must be 1 to 1024, found {}", self.stacks);
        ensure!(self.classes <= 256, "[{table}] classes must be at most 256, found {}", self.classes);
        ensure!(
            recipe.data.rate.is_some(),
            "[{table}] expected sounds, found [data] without rate: write rate = 8000 and size = [2048, 1] there, or take made"
        );
        Ok(())
    }

    /// An untrained net.
    pub(super) fn net(&self, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
        let dilations = self.dilations.repeat(self.stacks);
        let &Self { channels, skips, components, classes, .. } = self;
        let waves = Waves { channels, skips, dilations: &dilations, components, classes };
        // A generator reads something first: without classes a value that does not count.
        let first = [classes.max(1), 1, 1];
        NetBuilder::new(first, Init::He, device, rng).wavenet(recipe.data.size.h, &waves).build()
    }
}

/// Checks the numbers of gated blocks in the table `table`.
pub(super) fn check_blocks(table: &str, channels: usize, skips: usize, dilations: &[usize]) -> Result<()> {
    for (key, count) in [("channels", channels), ("skips", skips)] {
        ensure!((1..=1024).contains(&count), "[{table}] {key} must be 1 to 1024, found {count}");
    }
    ensure!(
        !dilations.is_empty() && dilations.iter().all(|dilation| (1..=4096).contains(dilation)),
        "[{table}] dilations must list numbers from 1 to 4096, found {dilations:?}"
    );
    Ok(())
}

/// A generator of a net that reads classes and noise.
pub(super) fn finished(net: Net, classes: usize) -> Generator {
    let [_, [c, rows, _]] = net.inputs[..] else { panic!("expected a net of classes and noise") };
    // Recipes end far below 65 536.
    let shape = Shape { h: rows as u16, w: 1, c: c as u16 };
    let noise = Input::Noise { shape, prior: edgegen_runtime::Prior::Uniform, number: 0 };
    Generator { net, prior: Prior::Uniform, classes, pixels: PixelRange::Symmetric, more: vec![noise] }
}

/// Bits of a draw from as many of each kind.
fn entropy(counts: &[u64]) -> f64 {
    let total = counts.iter().sum::<u64>() as f64;
    let of = |&count: &u64| if count > 0 { -(count as f64 / total) * (count as f64 / total).log2() } else { 0.0 };
    counts.iter().map(of).sum()
}

/// The only layer of a net of this system.
///
/// # Panics
///
/// If it is of another.
pub(super) fn only(net: &Net) -> &Wavenet {
    match &net.layers[..] {
        [Layer::Wavenet(wavenet)] => wavenet,
        _ => panic!("expected the one layer of a WaveNet"),
    }
}

/// A WaveNet that learns.
#[derive(Debug)]
struct Training {
    learner: Learner,
    average: Average,
    classes: usize,
}

impl Training {
    /// The classes as the net reads them, if it does.
    fn one_hot(&self, labels: &[u8], device: &Device) -> Option<Tensor<4>> {
        (self.classes > 0).then(|| one_hot(labels, self.classes, device))
    }
}

impl System for Training {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let Batch { images, labels, .. } = (step.next_batch)();
        let dims: usize = images.dims()[1..].iter().product();
        let classes = self.one_hot(&labels, &images.device()).map(Tensor::from_inner);
        let log = only(&self.learner.net).log_probability(Tensor::from_inner(images), classes.as_ref()).mean();
        // Of a sample, so that learning rates mean the same for sounds of any length.
        let mut gradients = log.clone().div_scalar(-(dims as f64)).backward();
        self.learner.update(&mut gradients, step.lr_generator);
        self.average.0.average(&self.learner.net, step.ema);
        let nats = log.into_scalar::<f32>();
        vec![("log_likelihood", nats), ("bits_per_dimension", bits(nats.into(), dims) as f32)]
    }

    fn trained(&self) -> Trained {
        Trained::Generator(finished(self.average.0.clone(), self.classes))
    }

    /// The log-likelihood by the averaged weights in nats, its standard error, and bits for each sample; and the bits
    /// that a sample takes of who knows nothing but how frequent each level is: the entropy of order 0.
    fn score(&self, test: &mut dyn FnMut() -> Option<Tensor<4>>) -> Losses {
        let net = only(&self.average.0);
        let mut score = Score::default();
        let mut dims = 1;
        let mut counts = [0u64; 256];
        while let Some(images) = test() {
            dims = images.dims()[1..].iter().product();
            let values: Vec<f32> = images.clone().into_data().try_to_vec().expect("data are 32-bit floats");
            values.iter().for_each(|value| counts[((value + 1.0) * 127.5).round() as usize] += 1);
            for some in images.split(AT_A_TIME, 0) {
                let count = some.dims()[0];
                let of_class = |class: usize| {
                    let classes = self.one_hot(&vec![class as u8; count], &some.device());
                    net.log_probability(some.clone(), classes.as_ref()).reshape([1, count as i32])
                };
                let logs: Vec<Tensor<2>> = (0..self.classes.max(1)).map(of_class).collect();
                let logs = Tensor::cat(logs, 0);
                let most = logs.clone().max_dim(0);
                let log = (logs - most.clone()).exp().mean_dim(0).log() + most;
                score.add(log.reshape([count]), 0.0);
            }
        }
        let mut losses = score.losses(0.0, dims);
        losses.push(("bits_of_order_0", entropy(&counts) as f32));
        losses
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.learner.save(folder)?;
        self.average.save(folder)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        self.learner.load(folder)?;
        self.average.load(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    fn recipe(table: &str) -> Result<Recipe> {
        Recipe::parse(&format!(
            "system = \"wavenet\"\n[data]\nname = \"x\"\nsize = [64, 1]\nrate = 8000\n[train]\nbatch = 8\n[wavenet]\n{table}"
        ))
    }

    /// Square waves of 4 samples for class 0 and of 8 for class 1, at a random phase.
    fn squares(rng: &mut Rng) -> (Vec<f32>, Vec<u8>) {
        let mut values = Vec::new();
        let labels: Vec<u8> = (0..8).map(|index| index % 2).collect();
        for &label in &labels {
            let (half, phase) = (2 << label, rng.below(8));
            let level = |at: usize| if ((at + phase) / half).is_multiple_of(2) { 40.0 } else { 215.0 };
            values.extend((0..64).map(|at| level(at) / 127.5 - 1.0));
        }
        (values, labels)
    }

    #[test]
    fn it_learns_what_comes_next_in_each_class() {
        let table = "channels = 8\nskips = 16\ndilations = [1, 2, 4]\nstacks = 1\ncomponents = 2\nclasses = 2";
        let recipe = recipe(table).unwrap();
        let (device, mut rng, mut drawn) = (Device::flex().autodiff(), Rng::new(1, 0), Rng::new(2, 0));
        let net = recipe.settings::<Config>().unwrap().net(&recipe, &device, &mut rng);
        let (average, learner) = (Average::of(&net), Learner::new("wavenet", net, &recipe.train));
        let mut system = Training { learner, average, classes: 2 };
        let batch = |drawn: &mut Rng| {
            let (values, labels) = squares(drawn);
            Batch::alone(Tensor::from_data(TensorData::new(values, [8, 1, 64, 1]), &Device::flex()), labels)
        };
        let mut bits = Vec::new();
        for _ in 0..300 {
            let mut next_batch = || batch(&mut drawn);
            let mut step =
                Step { lr_generator: 1e-2, lr_critic: 0.0, ema: 0.9, rng: &mut rng, next_batch: &mut next_batch };
            bits.push(system.step(&mut step)[1].1);
        }
        assert!(bits[299] < bits[0] - 3.0, "{} at first, then {}", bits[0], bits[299]);
        let Batch { images, labels, .. } = batch(&mut drawn);
        let of = |labels: &[u8]| -> Vec<f32> {
            let classes = system.one_hot(labels, &Device::flex());
            let log = only(&system.average.0).log_probability(images.clone(), classes.as_ref());
            log.into_data().try_to_vec().unwrap()
        };
        let others: Vec<u8> = labels.iter().map(|label| 1 - label).collect();
        let [right, wrong] = [of(&labels), of(&others)];
        let [with, without] = [&right, &wrong].map(|logs| logs.iter().sum::<f32>() / 8.0);
        assert!(with > without, "{with} nats with the classes, {without} with the others'");
        let mut once = Some(images.clone());
        let score = system.score(&mut || once.take());
        assert_eq!([score[2].0, score[3].0], ["bits_per_dimension", "bits_of_order_0"]);
        // Two levels, one as frequent as the other.
        assert!((score[3].1 - 1.0).abs() < 1e-3, "{score:?}");
        // p(x) is the mean over the classes.
        let mean =
            |(right, wrong): (&f32, &f32)| right.max(*wrong) + (-(right - wrong).abs()).exp().ln_1p() - 2f32.ln();
        let expected = right.iter().zip(&wrong).map(mean).sum::<f32>() / 8.0;
        assert!((score[0].1 - expected).abs() < 1e-2, "{score:?}, expected {expected}");
        let Trained::Generator(generator) = system.trained() else { panic!("a generator ships") };
        let sounds = generator.generate(&generator.draw(2, &mut Rng::new(3, 0)), &Device::flex());
        assert!(sounds.iter().all(|sound| sound.len() == 64) && sounds[0] != sounds[1]);
    }

    #[test]
    fn images_are_refused() {
        let text = "system = \"wavenet\"\n[data]\nname = \"x\"\nsize = 32";
        assert!(format!("{:#}", Recipe::parse(text).unwrap_err()).contains("rate = 8000"));
        assert!(format!("{:#}", recipe("dilations = []").unwrap_err()).contains("dilations must list"));
    }
}
