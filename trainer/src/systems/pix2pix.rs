//! `pix2pix`: a generator that turns an image x into the image y that belongs to it, learned from pairs.
//!
//! ```text
//! L_G = gan · L_adv(D(x, G(x))) + l1 · |y − G(x)| + l2 · (y − G(x))²          means over pixels, images in [−1, 1]
//! L_D = that of the chosen loss, with D(x, y) real and D(x, G(x)) generated
//! ```
//!
//! Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (2017), eq. 4, there with gan = 1
//! and l1 = 100, which under Adam is
//! the same as 0.01 and 1. An adversarial loss in addition to a squared error is the same system: l2 = 1, l1 = 0. With
//! gan = 0 there is no
//! critic, with l1 = l2 = 0 only the game. Both players see the same batch, and D(x, G(x)) is computed from the image
//! that G then
//! learns from.
//!
//! Dropout on the way up is the only noise, as in the paper (§3.1), but only while training: on a device nothing draws
//! it, and there
//! and in all samples the same input makes the same image.
//!
//! Knobs: the weights; `loss` (hinge, least-squares, non-saturating, minimax); the networks, see
//! [`translation`](super::translation): `channels`,
//! `skips`, `blocks`, `norm`, `keep`, `critic_channels`, `spectral_norm`.

use std::path::Path;

use anyhow::{Result, ensure};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::adversarial::Loss;
use super::learner::{Average, Learner};
use super::translation::{Norm, Translator, absolute, patch_critic, translator};
use super::{Batch, Kind, Losses, Step, System, Trained};
use crate::nets::{Mode, Net};
use crate::recipe::Recipe;
use crate::rng::Rng;

/// The table `[pix2pix]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Weight of the adversarial loss.
    pub gan: f32,
    /// Weight of the mean absolute error.
    pub l1: f32,
    /// Weight of the mean squared error.
    pub l2: f32,
    /// What the players minimize.
    pub loss: Loss,
    /// Channels of the generator's maps, largest map first, see [`Translator::channels`].
    pub channels: Vec<usize>,
    /// Whether the generator is a U-Net.
    pub skips: bool,
    /// Residual blocks on the smallest map.
    pub blocks: usize,
    /// Normalization of the generator.
    pub norm: Norm,
    /// Share of values that dropout keeps on the generator's way up; 1 for no dropout.
    pub keep: f32,
    /// Channels of the critic, largest map first.
    pub critic_channels: Vec<usize>,
    /// Whether the critic's weights are spectrally normalized.
    pub spectral_norm: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            gan: 0.01,
            l1: 1.0,
            l2: 0.0,
            loss: Loss::Hinge,
            channels: vec![16, 32, 64],
            skips: true,
            blocks: 0,
            norm: Norm::None,
            keep: 1.0,
            critic_channels: vec![32, 64],
            spectral_norm: true,
        }
    }
}

impl Config {
    fn translator(&self) -> Translator<'_> {
        let Self { ref channels, skips, blocks, norm, keep, .. } = *self;
        Translator { channels, skips, blocks, norm, keep }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "pix2pix",
    about: "an image from an image, learned from pairs: U-Net, patch critic, L1 and L2",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        Ok(translator(network(&config, recipe, device, rng)))
    },
    build: |recipe, device, rng| Ok(Box::new(Pix2Pix::new(recipe, device, rng)?)),
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    config.translator().check(recipe)?;
    let weights = [config.gan, config.l1, config.l2];
    ensure!(
        weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0) && weights.iter().any(|&weight| weight > 0.0),
        "[pix2pix] gan, l1 and l2 must be at least 0 and not all 0, found {weights:?}"
    );
    ensure!(
        !matches!(config.loss, Loss::Wasserstein | Loss::Relativistic),
        "[pix2pix] loss must be hinge, least-squares, non-saturating or minimax, found one that needs a penalty"
    );
    ensure!(
        !config.critic_channels.is_empty() && !config.critic_channels.contains(&0),
        "[pix2pix] critic_channels must list positive numbers, found {:?}",
        config.critic_channels
    );
    Ok(Table::try_from(config)?)
}

fn network(config: &Config, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
    let image = recipe.image();
    config.translator().build(image, image[0], device, rng)
}

/// Both players and the average of the generator.
struct Pix2Pix {
    generator: Learner,
    critic: Learner,
    average: Average,
    config: Config,
    critic_steps: usize,
}

impl Pix2Pix {
    fn new(recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Self> {
        let config: Config = recipe.settings()?;
        let [c, h, w] = recipe.image();
        let net = network(&config, recipe, device, rng);
        let critic = patch_critic(&config.critic_channels, [2 * c, h, w], config.spectral_norm, device, rng);
        Ok(Self {
            average: Average::of(&net),
            generator: Learner::new("generator", net, &recipe.train),
            critic: Learner::new("critic", critic, &recipe.train),
            config,
            critic_steps: recipe.train.critic_steps,
        })
    }

    /// One update of the critic; returns its loss and the mean scores of real and generated pairs.
    fn step_critic(&mut self, read: &Tensor<4>, real: Tensor<4>, fake: Tensor<4>, step: &mut Step<'_>) -> [f32; 3] {
        self.critic.net.power_iteration();
        let batch = real.dims()[0];
        let pairs = Tensor::cat(vec![beside(read, real), beside(read, fake)], 0);
        let scores = self.critic.net.forward(pairs, &mut Mode::Train(step.rng));
        let [real, fake] = [0, batch].map(|start| scores.clone().narrow(0, start, batch));
        let means = [&real, &fake].map(|scores| scalar(scores.clone().mean()));
        let loss = self.config.loss.critic(real, fake);
        let value = scalar(loss.clone());
        self.critic.update(&mut loss.backward(), step.lr_critic);
        [value, means[0], means[1]]
    }
}

/// What the critic reads: the channels of an image behind those of the one that it was made from.
fn beside(read: &Tensor<4>, image: Tensor<4>) -> Tensor<4> {
    Tensor::cat(vec![read.clone(), image], 1)
}

/// The two images of each pair.
fn pair(batch: Batch) -> [Tensor<4>; 2] {
    let Batch { inputs, images, .. } = batch;
    [inputs.expect("the loop gives pairs to this system"), images]
}

impl System for Pix2Pix {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let Config { gan, l1, l2, loss, .. } = self.config;
        let plays = gan > 0.0;
        for _ in 1..if plays { self.critic_steps } else { 1 } {
            let [read, real] = pair((step.next_batch)());
            let fake = self.generator.net.valid().forward(read.clone(), &mut Mode::Train(step.rng));
            self.step_critic(&read, real, fake, step);
        }
        let [read, real] = pair((step.next_batch)());
        let fake = self.generator.net.forward(read.clone(), &mut Mode::Train(step.rng));
        let critic = plays.then(|| self.step_critic(&read, real.clone(), fake.clone().inner(), step));

        let error = fake.clone() - Tensor::from_inner(real);
        let errors = [absolute(error.clone()).mean(), error.square().mean()];
        let [absolute, squared] = errors.each_ref().map(|error| scalar(error.clone()));
        let weighted = errors.into_iter().zip([l1, l2]).filter(|(_, weight)| *weight > 0.0);
        let mut terms: Vec<Tensor<1>> = weighted.map(|(error, weight)| error.mul_scalar(weight)).collect();
        let mut losses = Losses::new();
        if let Some([critic, of_real, of_fake]) = critic {
            let fixed = self.critic.net.clone().no_grad();
            let scores = fixed.forward(beside(&Tensor::from_inner(read), fake), &mut Mode::Train(step.rng));
            let adversarial = loss.generator(scores, None);
            let generator = scalar(adversarial.clone());
            losses.extend([
                ("critic", critic),
                ("generator", generator),
                ("score_real", of_real),
                ("score_fake", of_fake),
            ]);
            terms.push(adversarial.mul_scalar(gan));
        }
        losses.extend([("l1", absolute), ("l2", squared)]);
        let whole = terms.into_iter().reduce(|sum, term| sum + term).expect("checked: some weight is above 0");
        self.generator.update(&mut whole.backward(), step.lr_generator);
        self.average.0.average(&self.generator.net, step.ema);
        losses
    }

    fn trained(&self) -> Trained {
        Trained::Generator(translator(self.average.0.clone()))
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.generator.save(folder)?;
        self.critic.save(folder)?;
        self.average.save(folder)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        self.generator.load(folder)?;
        self.critic.load(folder)?;
        self.average.load(folder)
    }
}

fn scalar(value: Tensor<1>) -> f32 {
    value.into_scalar::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::lower;
    use burn::tensor::TensorData;
    use edgegen_export::compare::compare_with;
    use edgegen_export::{Label, export_with};

    fn recipe(table: &str) -> Result<Recipe> {
        let channels = if table.contains("channels") { "" } else { "channels = [6, 8, 10]\n" };
        Recipe::parse(&format!(
            "system = \"pix2pix\"\n[data]\nname = \"x\"\nsize = 12\n[train]\nbatch = 8\n[pix2pix]\ncritic_channels = [6, 8]\n{channels}{table}"
        ))
    }

    /// Images with a bar somewhere, and their negatives.
    fn bars(rng: &mut Rng) -> Batch {
        let mut values = vec![-0.8f32; 8 * 144];
        for image in values.chunks_exact_mut(144) {
            let place = rng.below(12);
            (0..12).for_each(|row| image[row * 12 + place] = 0.8);
        }
        let tensor = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, [8, 1, 12, 12]), &Device::flex());
        let negatives = values.iter().map(|value| -value).collect();
        Batch { inputs: Some(tensor(values)), ..Batch::alone(tensor(negatives), Vec::new()) }
    }

    /// The losses of the first and of the last of some steps, and what was trained.
    fn trained(table: &str, steps: usize) -> [Losses; 2] {
        let recipe = recipe(table).unwrap();
        let (device, mut rng) = (Device::flex().autodiff(), Rng::new(1, 0));
        let mut system = (KIND.build)(&recipe, &device, &mut rng).unwrap();
        let mut order = Rng::new(2, 0);
        let mut next_batch = || bars(&mut order);
        let mut losses = Vec::new();
        for _ in 0..steps {
            losses.push(system.step(&mut Step {
                lr_generator: 3e-3,
                lr_critic: 3e-3,
                ema: 0.9,
                rng: &mut rng,
                next_batch: &mut next_batch,
            }));
        }
        [losses[0].clone(), losses[steps - 1].clone()]
    }

    fn value(losses: &Losses, name: &str) -> f32 {
        losses.iter().find(|(found, _)| *found == name).unwrap().1
    }

    #[test]
    fn all_weights_learn_the_pairs() {
        for (table, named) in [
            ("gan = 0.0", 2),
            ("gan = 0.0\nl1 = 0.0\nl2 = 1.0", 2),
            ("keep = 0.9\nloss = \"least-squares\"", 6),
            ("l1 = 0.0\nl2 = 1.0\nloss = \"non-saturating\"", 6),
        ] {
            let [first, last] = trained(table, 60);
            assert_eq!(last.len(), named, "{table}: {last:?}");
            let errors = [&first, &last].map(|losses| value(losses, "l1"));
            assert!(errors[1] < 0.3 * errors[0], "{table}: {errors:?}");
        }
        // The game alone moves the generator, too, towards what the critic takes for real.
        let [first, last] = trained("gan = 1.0\nl1 = 0.0", 60);
        assert!(value(&last, "l1") < value(&first, "l1"), "{first:?} {last:?}");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (table, expected) in [
            ("gan = 0.0\nl1 = 0.0", "not all 0"),
            ("l1 = -1.0", "at least 0"),
            ("loss = \"wasserstein\"", "loss must be hinge"),
            ("keep = 0.0", "keep must lie above 0"),
        ] {
            let message = format!("{:#}", recipe(table).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
        let text = "system = \"pix2pix\"\n[data]\nname = \"x\"\nsize = 30";
        let message = format!("{:#}", Recipe::parse(text).unwrap_err());
        assert!(message.contains("multiple of 4") && message.contains("use size = 32"), "{message}");
    }

    #[test]
    fn lowered_it_says_the_same_and_int8_is_near() {
        for table in ["", "skips = false\nblocks = 1", "channels = [8, 12]\nblocks = 1\nnorm = \"instance\""] {
            let recipe = recipe(table).unwrap();
            let (device, mut rng) = (Device::flex(), Rng::new(3, 0));
            let generator = (KIND.generator)(&recipe, &device, &mut rng).unwrap();
            assert_eq!(generator.fed(), Some([1, 12, 12]));
            let network = lower(&generator).unwrap();
            let mut pictures = || -> Vec<Vec<f32>> {
                bars(&mut rng)
                    .inputs
                    .unwrap()
                    .into_data()
                    .try_to_vec::<f32>()
                    .unwrap()
                    .chunks(144)
                    .map(<[f32]>::to_vec)
                    .collect()
            };
            let [examples, others] = [pictures(), pictures()];
            for (burn, picture) in generator.generate(&others, &device).into_iter().zip(&others) {
                let layers = network.forward(std::slice::from_ref(picture)).unwrap().values;
                assert!(burn.iter().zip(layers).all(|(a, b)| (a - b).abs() < 1e-4), "{table}");
            }
            let [examples, others] =
                [examples, others].map(|set| set.into_iter().map(|picture| vec![picture]).collect::<Vec<_>>());
            let exported = export_with(&network, &examples, Label { name: "test", metadata: &[] }).unwrap();
            let found = compare_with(&network, &exported, &others).unwrap();
            assert!(found.psnr_db >= 30.0, "{table}: {} dB, worst {}", found.psnr_db, found.worst);
        }
    }
}
