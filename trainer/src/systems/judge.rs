//! `judge`: a small classifier that measures look through.
//!
//! Fréchet distances, precision and recall compare images by what a network sees in them. Inception knows photographs and "is pretty
//! meaningless" on digits (pytorch-fid, issue 12), so each labelled data set gets a judge of its own: three convolutions of stride 2, one
//! hidden layer whose activations are the features, one score a class. It minimizes the cross-entropy
//!
//! ```text
//! L = −E log softmax(judge(x))[label of x]
//! ```
//!
//! Its weights ship in `trainer/judges/` and are frozen: a figure can be compared with another only if both were taken through
//! the same judge, which is why every figure is printed with the hash of its weights.
//!
//! Knobs: `channels` of the convolutions, `features`, `classes`.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::learner::{Average, Learner};
use super::sizes::{advice, written};
use super::{Batch, Kind, Losses, Step, System, Trained};
use crate::nets::{Init, Mode, Net, NetBuilder};
use crate::recipe::{Recipe, Size};
use crate::rng::Rng;

/// The table `[judge]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Channels of the convolutions; each halves both sides.
    pub channels: Vec<usize>,
    /// Units of the hidden layer.
    pub features: usize,
    /// Classes of the data.
    pub classes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { channels: vec![16, 32, 64], features: 64, classes: 10 }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "judge",
    about: "a classifier whose features the measures of `edgegen eval` look through",
    normalize,
    generator: |_, _, _| bail!("a judge draws nothing: give a run of a generator"),
    build: |recipe, device, rng| {
        let net = net(recipe, device, rng)?;
        let (average, device) = (Average::of(&net), device.clone().inner());
        Ok(Box::new(Training { judge: Learner::new("judge", net, &recipe.train), average, device }))
    },
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    ensure!(
        !config.channels.contains(&0) && config.features >= 1,
        "[judge] layers must have at least 1 unit: remove the 0"
    );
    let (size, channels) = (recipe.data.size, &config.channels);
    let least = 1 << channels.len();
    let side = size.h.min(size.w);
    ensure!(
        side >= least,
        "[judge] {} channels, convolutions of stride 2, need [data] size of at least {least}, found {} with channels = {channels:?}: {}",
        channels.len(),
        written(size),
        advice(
            "channels",
            channels,
            Some(side.ilog2() as usize),
            size,
            Size { h: size.h.max(least), w: size.w.max(least) }
        )
    );
    ensure!(config.classes >= 2, "[judge] classes must be at least 2, found {}", config.classes);
    Ok(Table::try_from(config)?)
}

/// The untrained judge: convolutions, the hidden layer with its ReLU, and the scores.
///
/// # Errors
///
/// If the recipe's table is wrong.
pub fn net(recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Net> {
    let config: Config = recipe.settings()?;
    let mut net = NetBuilder::new(recipe.image(), Init::He, device, rng);
    for &channels in &config.channels {
        net = net.conv(channels, 3, 2, 1).relu();
    }
    Ok(net.linear([config.features, 1, 1]).relu().linear([config.classes, 1, 1]).build())
}

/// A judge that learns.
struct Training {
    judge: Learner,
    average: Average,
    device: Device,
}

impl System for Training {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let Batch { images, labels, .. } = (step.next_batch)();
        let count = labels.len();
        assert_eq!(count, images.dims()[0], "a judge learns from labelled images");
        let labels: Vec<i64> = labels.into_iter().map(i64::from).collect();
        let labels = Tensor::<2, Int>::from_data(TensorData::new(labels, [count, 1]), &self.device);
        let net = &self.judge.net;
        let scores = net.forward(images, &mut Mode::Train(step.rng)).reshape([count, net.output[0]]);
        let right = scores.clone().inner().argmax(1).equal(labels.clone()).int().sum().into_scalar::<i64>();
        let loss = activation::log_softmax(scores, 1).gather(1, labels).mean().neg();
        self.judge.update(&mut loss.backward(), step.lr_critic);
        self.average.0.average(&self.judge.net, step.ema);
        vec![("loss", loss.into_scalar::<f32>()), ("accuracy", right as f32 / count as f32)]
    }

    fn trained(&self) -> Trained {
        Trained::Judge(self.average.0.clone())
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.judge.save(folder)?;
        self.average.save(folder)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        self.judge.load(folder)?;
        self.average.load(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Module;

    fn recipe(size: usize) -> Result<Recipe> {
        Recipe::parse(&format!("system = \"judge\"\n[data]\nname = \"mnist\"\nsize = {size}\n[judge]\nclasses = 2"))
    }

    #[test]
    fn has_as_many_weights_as_the_classifier_of_the_literature_table() {
        // systems.md: 3 convolutions of 16, 32, 64, a layer of 64, ten classes: 89 546.
        let recipe = Recipe::parse("system = \"judge\"\n[data]\nname = \"mnist\"").unwrap();
        assert_eq!(net(&recipe, &Device::flex(), &mut Rng::new(0, 0)).unwrap().num_params(), 89_546);
    }

    #[test]
    fn learns_to_tell_left_from_right() {
        let device = Device::flex().autodiff();
        let recipe = recipe(8).unwrap();
        let mut rng = Rng::new(1, 0);
        let mut system = (KIND.build)(&recipe, &device, &mut rng).unwrap();
        let mut last = Losses::new();
        for _ in 0..60 {
            last = system.step(&mut Step {
                lr_generator: 0.0,
                lr_critic: 3e-3,
                ema: 0.5,
                rng: &mut rng,
                next_batch: &mut || {
                    let labels: Vec<u8> = (0..16).map(|at| at % 2).collect();
                    let image =
                        |label: u8| (0..64).map(move |at| if (at % 8 < 4) == (label == 0) { 1.0 } else { -1.0 });
                    let values: Vec<f32> = labels.iter().flat_map(|&label| image(label)).collect();
                    Batch {
                        inputs: None,
                        input_labels: Vec::new(),
                        images: Tensor::from_data(TensorData::new(values, [16, 1, 8, 8]), &Device::flex()),
                        labels,
                    }
                },
            });
        }
        assert!(last[0].1 < 0.05 && last[1].1 == 1.0, "{last:?}");
        assert!(matches!(system.trained(), Trained::Judge(net) if net.output == [2, 1, 1]));
    }

    #[test]
    fn impossible_sizes_are_refused() {
        assert!(
            recipe(4).unwrap_err().to_string().contains("size of at least 8, found 4"),
            "{:#}",
            recipe(4).unwrap_err()
        );
    }
}
