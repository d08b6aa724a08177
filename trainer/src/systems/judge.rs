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
//! Where [data] attributes names what else is known of the images, it has a head for each attribute, a softmax over its
//! words, instead of the scores of classes, all on the same features; L is their mean. What an image does not show,
//! such as the colour of hair that is not there, counts nowhere.
//!
//! Of sounds, images of one column, a convolution sees nine samples and has stride 4.
//!
//! Its weights ship in `trainer/judges/` and are frozen: a figure can be compared with another only if both were taken through
//! the same judge, which is why every figure is printed with the hash of its weights.
//!
//! Knobs: `channels` of the convolutions, `features`, `classes`.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use edgegen_export::layers::Window;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::learner::{Average, Learner};
use super::sizes::{advice, written};
use super::{Batch, Kind, Losses, Step, System, Trained};
use crate::data::UNSEEN;
use crate::nets::{Init, Mode, Net, NetBuilder};
use crate::recipe::{Recipe, Size};
use crate::rng::Rng;

/// The table `[judge]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Channels of the convolutions; each halves both sides, of sounds makes a quarter.
    pub channels: Vec<usize>,
    /// Units of the hidden layer.
    pub features: usize,
    /// Classes of the data; with attributes it is not looked at.
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
        let words = words(recipe)?;
        let net = recipe.settings::<Config>()?.net(recipe, device, rng);
        let average = Average::of(&net);
        Ok(Box::new(Training { judge: Learner::new("judge", net, &recipe.train), average, words }))
    },
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    config.check(recipe)?;
    Ok(Table::try_from(config)?)
}

/// How many words each of the recipe's attributes has; nothing where it has none.
///
/// # Errors
///
/// If the words are not known yet.
pub fn words(recipe: &Recipe) -> Result<Vec<usize>> {
    let attributes = &recipe.data.attributes;
    if let Some(nameless) = attributes.iter().find(|attribute| attribute.words.is_empty()) {
        bail!(
            "expected the words of [data] attributes, as a run notes them, found none of \"{}\": train it on its data",
            nameless.name
        );
    }
    Ok(attributes.iter().map(|attribute| attribute.words.len()).collect())
}

impl Config {
    /// Checks the table of `recipe` that these stand in, and the size of the images.
    ///
    /// # Errors
    ///
    /// With the first value that does not fit.
    pub fn check(&self, recipe: &Recipe) -> Result<()> {
        let (table, size, channels) = (&recipe.system, recipe.data.size, &self.channels);
        ensure!(
            !channels.contains(&0) && self.features >= 1,
            "[{table}] layers must have at least 1 unit: remove the 0"
        );
        let (side, stride) = if recipe.data.rate.is_some() { (size.h, 4usize) } else { (size.h.min(size.w), 2) };
        let least = stride.saturating_pow(channels.len() as u32);
        ensure!(
            side >= least,
            "[{table}] {} channels, convolutions of stride {stride}, need [data] size of at least {least}, found {} with channels = {channels:?}: {}",
            channels.len(),
            written(size),
            advice(
                "channels",
                channels,
                Some(side.ilog(stride) as usize),
                size,
                Size { h: size.h.max(least), w: if stride == 4 { size.w } else { size.w.max(least) } }
            )
        );
        ensure!(self.classes >= 2, "[{table}] classes must be at least 2, found {}", self.classes);
        Ok(())
    }

    /// The untrained judge: convolutions, the hidden layer with its ReLU, and the scores, of all words where `recipe`
    /// has attributes.
    pub fn net(&self, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
        let mut net = NetBuilder::new(recipe.image(), Init::He, device, rng);
        for &channels in &self.channels {
            let window = if recipe.data.rate.is_some() {
                Window {
                    kernel: [9, 1],
                    stride: [4, 1],
                    padding: [[4; 2], [0; 2]],
                    ..Window::square(channels, 1, 1, 0)
                }
            } else {
                Window::square(channels, 3, 2, 1)
            };
            net = net.conv_with(window).relu();
        }
        let words: usize = recipe.data.attributes.iter().map(|attribute| attribute.words.len()).sum();
        let outputs = if words > 0 { words } else { self.classes };
        net.linear([self.features, 1, 1]).relu().linear([outputs, 1, 1]).build()
    }
}

/// The mean cross-entropy of what `net` says of images without autodiff, `[1]`, and the share that it puts into the
/// right class.
///
/// # Panics
///
/// If there is no label for each image.
pub fn cross_entropy(net: &Net, images: Tensor<4>, labels: &[u8], rng: &mut Rng) -> (Tensor<1>, f32) {
    let (count, device) = (labels.len(), images.device());
    assert_eq!(count, images.dims()[0], "a judge learns from labelled images");
    let labels: Vec<i64> = labels.iter().copied().map(i64::from).collect();
    let labels = Tensor::<2, Int>::from_data(TensorData::new(labels, [count, 1]), &device);
    let scores = net.forward(images, &mut Mode::Train(rng)).reshape([count, net.output[0]]);
    let right = scores.clone().inner().argmax(1).equal(labels.clone()).int().sum().into_scalar::<i64>();
    (activation::log_softmax(scores, 1).gather(1, labels).mean().neg(), right as f32 / count as f32)
}

/// The mean over attributes of `words` words each of the cross-entropy of their heads, `[1]`, and the shares that each
/// puts into the right place; those that nothing shows count as right.
///
/// # Panics
///
/// If `values` has not one for each image and attribute.
pub fn cross_entropies(
    net: &Net,
    images: Tensor<4>,
    values: &[u8],
    words: &[usize],
    rng: &mut Rng,
) -> (Tensor<1>, Vec<f32>) {
    let (batch, device) = (images.dims()[0], images.device());
    assert_eq!(values.len(), batch * words.len(), "a judge of attributes learns from images that have them");
    let scores = net.forward(images, &mut Mode::Train(rng)).reshape([batch, net.output[0]]);
    let (mut loss, mut right, mut first) = (Tensor::zeros([1], &device), Vec::new(), 0);
    for (attribute, &count) in words.iter().enumerate() {
        let own: Vec<u8> = values.iter().skip(attribute).step_by(words.len()).copied().collect();
        let seen: Vec<f32> = own.iter().map(|&value| f32::from(u8::from(value != UNSEEN))).collect();
        let numbers: Vec<i64> = own.iter().map(|&value| if value == UNSEEN { 0 } else { value.into() }).collect();
        let shown = seen.iter().sum::<f32>();
        let numbers = Tensor::<2, Int>::from_data(TensorData::new(numbers, [batch, 1]), &device);
        let seen = Tensor::<2>::from_data(TensorData::new(seen, [batch, 1]), &device.clone().inner());
        let head = scores.clone().narrow(1, first, count);
        first += count;
        let found = head.clone().inner().argmax(1).equal(numbers.clone().inner()).int().float() * seen.clone();
        right.push(if shown > 0.0 { found.sum().into_scalar::<f32>() / shown } else { 1.0 });
        let seen = Tensor::from_inner(seen);
        loss = loss - (activation::log_softmax(head, 1).gather(1, numbers) * seen).sum().div_scalar(shown.max(1.0));
    }
    (loss.div_scalar(words.len() as f32), right)
}

/// A judge that learns.
struct Training {
    judge: Learner,
    average: Average,
    /// Words of each attribute; without attributes it learns classes.
    words: Vec<usize>,
}

impl System for Training {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let Batch { images, labels, attributes, .. } = (step.next_batch)();
        let net = &self.judge.net;
        let (loss, right) = if self.words.is_empty() {
            let (loss, right) = cross_entropy(net, images, &labels, step.rng);
            (loss, vec![right])
        } else {
            cross_entropies(net, images, &attributes, &self.words, step.rng)
        };
        self.judge.update(&mut loss.backward(), step.lr_critic);
        self.average.0.average(&self.judge.net, step.ema);
        let mut losses =
            vec![("loss", loss.into_scalar::<f32>()), ("accuracy", right.iter().sum::<f32>() / right.len() as f32)];
        if !self.words.is_empty() {
            losses.push(("accuracy_worst", right.iter().copied().fold(1.0, f32::min)));
        }
        losses
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
        let net = Config::default().net(&recipe, &Device::flex(), &mut Rng::new(0, 0));
        assert_eq!(net.num_params(), 89_546);
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
                    Batch::alone(Tensor::from_data(TensorData::new(values, [16, 1, 8, 8]), &Device::flex()), labels)
                },
            });
        }
        assert!(last[0].1 < 0.05 && last[1].1 == 1.0, "{last:?}");
        assert!(matches!(system.trained(), Trained::Judge(net) if net.output == [2, 1, 1]));
    }

    #[test]
    fn tells_several_attributes_and_leaves_out_what_nothing_shows() {
        let device = Device::flex().autodiff();
        let mut recipe = recipe(8).unwrap();
        let attribute = |name: &str, words: &[&str]| {
            let words = words.iter().map(|&word| word.to_owned()).collect();
            edgegen_data::Attribute { name: name.into(), words }
        };
        recipe.data.attributes = vec![attribute("side", &["left", "right"]), attribute("level", &["a", "b", "c"])];
        let mut rng = Rng::new(1, 0);
        let mut system = (KIND.build)(&recipe, &device, &mut rng).unwrap();
        // The level is one of three, and not to be seen where the bright half is the right one.
        let batch = || {
            let values: Vec<[u8; 2]> =
                (0..18).map(|at| if at % 2 == 0 { [0, at / 2 % 3] } else { [1, UNSEEN] }).collect();
            let image = |&[side, level]: &[u8; 2]| {
                let bright = if level == UNSEEN { 1.0 } else { [0.2, 0.6, 1.0][usize::from(level)] };
                (0..64).map(move |at| if (at % 8 < 4) == (side == 0) { bright } else { -1.0 })
            };
            let images: Vec<f32> = values.iter().flat_map(image).collect();
            let images = Tensor::from_data(TensorData::new(images, [18, 1, 8, 8]), &Device::flex());
            Batch { attributes: values.concat(), ..Batch::alone(images, Vec::new()) }
        };
        let mut last = Losses::new();
        for _ in 0..150 {
            let (lr_generator, lr_critic, ema) = (0.0, 3e-3, 0.5);
            last = system.step(&mut Step { lr_generator, lr_critic, ema, rng: &mut rng, next_batch: &mut || batch() });
        }
        assert!(last[0].1 < 0.1 && last[2] == ("accuracy_worst", 1.0), "{last:?}");
        let Trained::Judge(net) = system.trained() else { panic!("a judge ships") };
        assert_eq!(net.output, [5, 1, 1]);

        recipe.data.attributes[1].words.clear();
        let error = (KIND.build)(&recipe, &device, &mut rng).map(drop).unwrap_err().to_string();
        assert!(error.contains("the words of [data] attributes") && error.contains("level"), "{error}");
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
