//! `cogan`: images of two sets at once, one pair from each latent vector, learned without a single pair.
//!
//! Two games are played side by side, of generator and critic of each set. The generators have their first layers in
//! common, which decide what is drawn, and the critics their last ones:
//!
//! ```text
//! z ─tied─► what it is ─┬─own─► left image  ─own─┐
//!                       └─own─► right image ─own─┴─tied─► a score each
//! ```
//!
//! Liu and Tuzel, "Coupled Generative Adversarial Networks" (2016), eq. 2 and 4: nothing but the tied weights makes the
//! two images of a vector belong together.
//!
//! What ships is one generator that draws both images side by side, so that a panel shows them as a pair: the left one
//! padded at its right, the right one at its left, and the sum of the two. As channels of one image a panel could show
//! neither of them.
//!
//! Knobs: `tied`, how many of the generators' maps are common; `own`, how many layers each critic has for itself; the
//! sizes; `loss`.

use std::path::Path;

use anyhow::{Result, ensure};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use edgegen_export::layers::PixelRange;
use edgegen_runtime::graph::Border;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::adversarial::Loss;
use super::learner::{Average, Learner};
use super::sizes::{halvings, reduced, written};
use super::unpaired::{scalar, sets};
use super::{Generator, Kind, Losses, Step, System, Trained, latents};
use crate::nets::{Init, Mode, Net, NetBuilder};
use crate::recipe::{Prior, Recipe};
use crate::rng::Rng;

/// The table `[cogan]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Length of the latent vector.
    pub latent: usize,
    /// Channels of a generator's maps, smallest map first; each doubles the one before it, and the image the last one.
    pub channels: Vec<usize>,
    /// How many of these maps both generators have in common, from the first on.
    pub tied: usize,
    /// Channels of a critic's maps, largest map first. Each layer halves an even map and keeps an odd one.
    pub critic_channels: Vec<usize>,
    /// How many of these maps each critic has for itself, from the first on.
    pub own: usize,
    /// Whether the critics' weights are spectrally normalized.
    pub spectral_norm: bool,
    /// What the players minimize.
    pub loss: Loss,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            latent: 32,
            channels: vec![64, 32],
            tied: 2,
            critic_channels: vec![32, 64, 96],
            own: 1,
            spectral_norm: true,
            loss: Loss::Hinge,
        }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "cogan",
    about: "pairs of images of two sets from one latent vector, learned without pairs by generators with tied layers",
    normalize,
    generator: |recipe, device, rng| Ok(shipped(generator(&recipe.settings()?, recipe, device, rng))),
    build: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        let generator = generator(&config, recipe, device, rng);
        let [left, right, tied] = critics(&config, recipe, device, rng);
        let train = &recipe.train;
        Ok(Box::new(CoGan {
            average: Average::of(&generator),
            generator: Learner::new("generator", generator, train),
            own: [("critic-left", left), ("critic-right", right)].map(|(name, net)| Learner::new(name, net, train)),
            tied: Learner::new("critic", tied, train),
            loss: config.loss,
            latent: config.latent,
            batch: train.batch,
            critic_steps: train.critic_steps,
            device: device.clone().inner(),
        }))
    },
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    ensure!(config.latent >= 1, "[cogan] latent must be at least 1, found 0");
    for (key, channels) in [("channels", &config.channels), ("critic_channels", &config.critic_channels)] {
        ensure!(
            (1..=6).contains(&channels.len()) && !channels.contains(&0),
            "[cogan] {key} must list 1 to 6 positive numbers, found {channels:?}"
        );
    }
    let (size, times) = (recipe.data.size, config.channels.len());
    let first = reduced(size, times);
    ensure!(
        halvings(size) >= times && first.h.min(first.w) >= 2,
        "[cogan] expected an image that {times} channel counts, which double a map {times} times, come to, found size = {}: \
         take fewer channel counts, or a size that can be halved so often",
        written(size)
    );
    ensure!(
        (1..=times).contains(&config.tied),
        "[cogan] tied must be from 1 to {times}, as many as there are channels, found {}",
        config.tied
    );
    ensure!(
        (1..=config.critic_channels.len()).contains(&config.own),
        "[cogan] own must be from 1 to {}, as many as there are critic_channels, found {}",
        config.critic_channels.len(),
        config.own
    );
    ensure!(
        !matches!(config.loss, Loss::Wasserstein | Loss::Relativistic),
        "[cogan] loss must be hinge, least-squares, non-saturating or minimax, found one that needs a penalty"
    );
    Ok(Table::try_from(config)?)
}

fn shipped(net: Net) -> Generator {
    Generator { net, prior: Prior::Gaussian, classes: 0, pixels: PixelRange::Symmetric, more: vec![] }
}

/// Both generators in one net: `[latent, 1, 1]` to `[C, H, 2 W]`.
fn generator<'a>(config: &Config, recipe: &Recipe, device: &'a Device, rng: &'a mut Rng) -> Net {
    let [channels, _, width] = recipe.image();
    let first = reduced(recipe.data.size, config.channels.len());
    let mut net = NetBuilder::new([config.latent, 1, 1], Init::Normal(0.02), device, rng);
    net = net.linear([config.channels[0], first.h, first.w]).batch_norm().relu();
    let doubled = |net: NetBuilder<'a>, channels: &[usize]| {
        channels.iter().fold(net, |net, &channels| net.conv_transpose(channels, 4, 2, 1).batch_norm().relu())
    };
    net = doubled(net, &config.channels[1..config.tied]);
    let common = net.mark();
    let own = |net: NetBuilder<'a>, padding: [usize; 2]| {
        let net = doubled(net.at(common), &config.channels[config.tied..]);
        net.conv_transpose(channels, 4, 2, 1).tanh().pad([[0; 2], padding], Border::Zero)
    };
    net = own(net, [0, width]);
    let left = net.mark();
    own(net, [width, 0]).add(left).build()
}

/// What each critic has for itself, and what both have in common.
fn critics(config: &Config, recipe: &Recipe, device: &Device, rng: &mut Rng) -> [Net; 3] {
    let init = if config.spectral_norm { Init::He } else { Init::Normal(0.02) };
    let (own, tied) = config.critic_channels.split_at(config.own);
    let layers = |from: [usize; 3], channels: &[usize], rng: &mut Rng| {
        let net = NetBuilder::new(from, init, device, rng).spectral_norm(config.spectral_norm);
        let net = channels.iter().fold(net, |net, &channels| {
            let [_, h, w] = net.shape();
            let is_halved = h.is_multiple_of(2) && w.is_multiple_of(2) && h.min(w) > 4;
            let net = if is_halved { net.conv(channels, 4, 2, 1) } else { net.conv(channels, 3, 1, 1) };
            net.leaky_relu(0.2)
        });
        if from == recipe.image() { net } else { net.linear([1, 1, 1]) }.build()
    };
    let [left, right] = [0; 2].map(|_| layers(recipe.image(), own, rng));
    let tied = layers(left.output, tied, rng);
    [left, right, tied]
}

/// Left and right image of each pair, of `[batch, C, H, 2 W]`.
fn halves(pairs: &Tensor<4>) -> [Tensor<4>; 2] {
    let width = pairs.dims()[3] / 2;
    [0, width].map(|start| pairs.clone().narrow(3, start, width))
}

/// Scores of as many left and right images, `[batch, 1, 1, 1]` each.
fn score(own: [&Net; 2], tied: &Net, images: [Tensor<4>; 2], rng: &mut Rng) -> [Tensor<4>; 2] {
    let batch = images[0].dims()[0];
    let [left, right] = images;
    let seen = [(own[0], left), (own[1], right)].map(|(net, images)| net.forward(images, &mut Mode::Train(rng)));
    let scores = tied.forward(Tensor::cat(seen.into(), 0), &mut Mode::Train(rng));
    [0, batch].map(|start| scores.clone().narrow(0, start, batch))
}

/// Latent vectors from which the shipped statistics are estimated.
const STATISTICS_BATCH: usize = 512;

#[derive(Debug)]
struct CoGan {
    /// Both generators.
    generator: Learner,
    average: Average,
    /// What each critic has for itself, of left images and of right ones.
    own: [Learner; 2],
    tied: Learner,
    loss: Loss,
    latent: usize,
    batch: usize,
    critic_steps: usize,
    device: Device,
}

impl CoGan {
    fn latents(&self, rng: &mut Rng) -> Tensor<4> {
        latents(Prior::Gaussian, self.batch, self.latent, rng, &self.device)
    }

    /// One update of the critics; returns their loss and the mean scores of real and generated images.
    fn step_critics(&mut self, step: &mut Step<'_>) -> [f32; 3] {
        self.own.iter_mut().chain([&mut self.tied]).for_each(|part| part.net.power_iteration());
        let real = sets((step.next_batch)());
        let z = self.latents(step.rng);
        let fake = halves(&self.generator.net.valid().forward(z, &mut Mode::Train(step.rng)));
        let [left, right] = real;
        let [left_fake, right_fake] = fake;
        let shown = [[left, left_fake], [right, right_fake]].map(|both| Tensor::cat(both.into(), 0));
        let scores = score(self.own.each_ref().map(|own| &own.net), &self.tied.net, shown, step.rng);
        let [left, right] = scores.map(|scores| [0, self.batch].map(|at| scores.clone().narrow(0, at, self.batch)));
        let mean = |at: usize| 0.5 * (scalar(&left[at].clone().mean()) + scalar(&right[at].clone().mean()));
        let [real, fake] = [mean(0), mean(1)];
        let loss = [left, right].map(|[real, fake]| self.loss.critic(real, fake)).into_iter().reduce(|a, b| a + b);
        let loss = loss.expect("there are two sides");
        let value = scalar(&loss);
        let mut gradients = loss.backward();
        self.own.iter_mut().chain([&mut self.tied]).for_each(|part| part.update(&mut gradients, step.lr_critic));
        [value, real, fake]
    }

    /// One update of the generators and of their average; returns their loss.
    fn step_generators(&mut self, step: &mut Step<'_>) -> f32 {
        let z = self.latents(step.rng);
        let fake = halves(&self.generator.net.forward(z, &mut Mode::Train(step.rng)));
        let fixed = self.own.each_ref().map(|own| own.net.clone().no_grad());
        let scores = score(fixed.each_ref(), &self.tied.net.clone().no_grad(), fake, step.rng);
        let [left, right] = scores.map(|scores| self.loss.generator(scores, None));
        let loss = left + right;
        let value = scalar(&loss);
        self.generator.update(&mut loss.backward(), step.lr_generator);
        self.average.0.average(&self.generator.net, step.ema);
        value
    }
}

impl System for CoGan {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let mut critics = [0.0; 3];
        for _ in 0..self.critic_steps {
            critics = self.step_critics(step);
        }
        let generator = self.step_generators(step);
        let [critic, real, fake] = critics;
        vec![("critic", critic), ("generator", generator), ("score_real", real), ("score_fake", fake)]
    }

    fn trained(&self) -> Trained {
        let mut net = self.average.0.clone();
        // Always the same latents, so that the same weights ship with the same statistics.
        let mut rng = Rng::new(0, u64::MAX);
        let z = latents(Prior::Gaussian, STATISTICS_BATCH, self.latent, &mut rng, &self.device);
        net.estimate_statistics(vec![z]);
        Trained::Generator(shipped(net))
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.generator.save(folder)?;
        self.own.iter().chain([&self.tied]).try_for_each(|part| part.save(folder))?;
        self.average.save(folder)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        self.generator.load(folder)?;
        self.own.iter_mut().chain([&mut self.tied]).try_for_each(|part| part.load(folder))?;
        self.average.load(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::lower;
    use crate::systems;
    use crate::systems::Batch;
    use burn::tensor::TensorData;

    fn recipe(table: &str) -> Result<Recipe> {
        Recipe::parse(&format!(
            "system = \"cogan\"\n[data]\nname = \"x\"\nsize = 12\n[train]\nbatch = 16\n[cogan]\nlatent = 4\n{table}"
        ))
    }

    const SMALL: &str = "channels = [12, 8]\ntied = 2\ncritic_channels = [8, 12]";

    #[test]
    fn both_images_stand_side_by_side_on_a_device_too() {
        for tied in [1, 2] {
            let recipe = recipe(&format!("channels = [6, 4]\ntied = {tied}")).unwrap();
            let device = Device::flex();
            let generator = (KIND.generator)(&recipe, &device, &mut Rng::new(1, 0)).unwrap();
            assert_eq!((generator.net.output, generator.fed()), ([1, 12, 24], None));
            let heads = generator.net.layers.iter().filter(|layer| matches!(layer, crate::nets::layer::Layer::Pad(_)));
            assert_eq!(heads.count(), 2);
            lower(&generator).unwrap();
        }
    }

    /// What is common is one layer, and what is not has its own weights: a change of one head leaves the other image as
    /// it is.
    #[test]
    fn each_image_has_a_head_of_its_own() {
        let recipe = recipe(SMALL).unwrap();
        let mut rng = Rng::new(1, 0);
        let mut net = generator(&recipe.settings().unwrap(), &recipe, &Device::flex(), &mut rng);
        let z = latents(Prior::Gaussian, 3, 4, &mut rng, &Device::flex());
        let before = halves(&net.forward(z.clone(), &mut Mode::Eval));
        let convolutions: Vec<usize> = (0..net.layers.len())
            .filter(|&at| matches!(net.layers[at], crate::nets::layer::Layer::ConvTranspose(_)))
            .collect();
        let [_, left, _] = convolutions[..] else { panic!("one tied doubling and two heads, found {convolutions:?}") };
        let crate::nets::layer::Layer::ConvTranspose(head) = &mut net.layers[left] else { unreachable!() };
        head.bias = head.bias.clone().map(|bias| bias.add_scalar(0.5));
        let after = halves(&net.forward(z, &mut Mode::Eval));
        let moved = [0, 1].map(|side| scalar(&(before[side].clone() - after[side].clone()).abs().mean().reshape([1])));
        assert!(moved[0] > 0.1 && moved[1] == 0.0, "{moved:?}");
    }

    /// Bright bars on dark and dark bars on bright, never in pairs: after a few hundred steps both images of a vector
    /// have their bars in one place.
    #[test]
    fn pairs_come_from_tied_layers() {
        const SIDE: usize = 12;
        let recipe = recipe(SMALL).unwrap();
        let mut rng = Rng::new(1, 0);
        let mut order = Rng::new(2, 0);
        let mut system =
            (systems::find("cogan").unwrap().build)(&recipe, &Device::flex().autodiff(), &mut rng).unwrap();
        let mut next_batch = || {
            let mut side = |dark: f32| {
                let mut values = vec![dark; 16 * SIDE * SIDE];
                for image in values.chunks_exact_mut(SIDE * SIDE) {
                    let place = if order.below(2) == 0 { 2 } else { 8 };
                    for row in 0..SIDE {
                        image[row * SIDE + place..][..2].fill(-dark);
                    }
                }
                Tensor::from_data(TensorData::new(values, [16, 1, SIDE, SIDE]), &Device::flex())
            };
            let (inputs, images) = (Some(side(-0.8)), side(0.8));
            Batch { inputs, ..Batch::alone(images, Vec::new()) }
        };
        for _ in 0..200 {
            let step =
                &mut Step { lr_generator: 3e-3, lr_critic: 3e-3, ema: 0.9, rng: &mut rng, next_batch: &mut next_batch };
            let losses = system.step(step);
            assert!(losses.iter().all(|(_, value)| value.is_finite()), "{losses:?}");
        }
        let Trained::Generator(generator) = system.trained() else { panic!("it draws") };
        let images = generator.generate(&generator.draw(64, &mut rng), &Device::flex());
        // Left brighter at the left half of the image, right darker there, or the other way round.
        let together = images.iter().filter(|image| {
            let lean = |from: usize| -> f32 {
                image.chunks(2 * SIDE).map(|row| row[from + 2] + row[from + 3] - row[from + 8] - row[from + 9]).sum()
            };
            lean(0) * lean(SIDE) < 0.0
        });
        let together = together.count();
        assert!(together >= 56, "{together} of 64 pairs belong together");
    }

    #[test]
    fn bad_tables_are_refused() {
        for (table, expected) in [
            ("tied = 0", "tied must be from 1 to 2"),
            ("tied = 3", "tied must be from 1 to 2"),
            ("own = 4", "own must be from 1 to 3"),
            ("channels = [4, 4, 4]", "3 channel counts, which double a map 3 times"),
            ("loss = \"wasserstein\"", "loss must be hinge"),
        ] {
            let message = format!("{:#}", recipe(table).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
    }
}
