//! `words`: a [`dcgan`](super::dcgan) that draws what a caption says.
//!
//! A caption is a bag of words, one word for each attribute of the data ([data] attributes), as ones in a vector y. An
//! embedding makes a short vector c of them, and the generator reads it behind the latent vector. The critic has a score
//! for any image and one for each word, D(x, y) = s₀(x) + Σ y_w s_w(x): the projection of Miyato and Koyama (2018) with
//! a linear embedding of the words.
//!
//! ```text
//! c = μ(y) + σ(y) ⊙ ε,  ε ~ N(0, 1)          conditioning augmentation
//! L_D = ℓ_real(D(x, y)) + ½ (ℓ_fake(D(G(z, c), y)) + ℓ_fake(D(x, y')))          y' what another image of the batch shows
//! L_G = ℓ_G(D(G(z, c), y)) + λ KL(N(μ, σ²) ‖ N(0, 1))
//! ```
//!
//! The third term of L_D makes the critic matching-aware: a real image with a wrong caption is as bad as a drawn one
//! (Reed et al., "Generative Adversarial Text to Image Synthesis", 2016, algorithm 1, GAN-CLS). For a share of the
//! captions that G is given y is halfway between those of two images, which no image shows (there §4.3, GAN-INT, β =
//! ½). Conditioning augmentation is that of Zhang et al., "StackGAN" (2017), §3.2, whose KL term here is the mean over
//! the values of c. What ships reads words and takes c = μ(y): images of one caption differ by the latent vector alone.
//!
//! A colour of something that an image does not show ([`UNSEEN`]) is any of them, drawn anew each time, so that no
//! combination of words is unknown to the generator. `[data] held_out` keeps some combinations out of training.
//!
//! On a device each attribute is an input of its own, and a class names one combination of all. Without a choice it
//! follows from the seed.
//!
//! Knobs: those of the nets as in `dcgan`; `embedding`, `augmentation` (λ; 0 for none), `matching`, `interpolation` (the
//! share; 0 for none).

use std::path::Path;

use anyhow::{Result, ensure};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use edgegen_export::layers::{Input, PixelRange};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::adversarial::{Loss, STATISTICS_BATCH, scalar, select};
use super::dcgan::{self, Head, Norm, Upsample};
use super::learner::{Average, Learner};
use super::{Batch, Generator, Kind, Losses, Step, System, Trained, latents};
use crate::data::UNSEEN;
use crate::nets::layer::{Join, JoinKind, Layer};
use crate::nets::{Init, Mode, Net, NetBuilder, Source};
use crate::recipe::{Prior, Recipe};
use crate::rng::Rng;

/// The table `[words]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Length of the latent vector.
    pub latent: usize,
    /// How it is drawn.
    pub prior: Prior,
    /// Length of the vector that a caption becomes.
    pub embedding: usize,
    /// Weight λ of the KL term of conditioning augmentation; 0 for captions as they are.
    pub augmentation: f32,
    /// Whether real images with wrong captions are a third kind.
    pub matching: bool,
    /// The share of the captions given to the generator that lie halfway between two.
    pub interpolation: f32,
    /// Channels of the maps, smallest map first.
    pub channels: Vec<usize>,
    /// How a map is doubled.
    pub upsample: Upsample,
    /// Normalization of the generator.
    pub norm: Norm,
    /// How the last map becomes an image.
    pub head: Head,
    /// Channels of the critic, largest map first.
    pub critic_channels: Vec<usize>,
    /// Whether the critic's weights are spectrally normalized.
    pub spectral_norm: bool,
    /// What the players minimize.
    pub loss: Loss,
}

impl Default for Config {
    fn default() -> Self {
        let dcgan::Config {
            latent, prior, channels, upsample, norm, head, critic_channels, spectral_norm, loss, ..
        } = dcgan::Config::default();
        Self {
            latent,
            prior,
            embedding: 32,
            augmentation: 0.1,
            matching: true,
            interpolation: 0.5,
            channels,
            upsample,
            norm,
            head,
            critic_channels,
            spectral_norm,
            loss,
        }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "words",
    about: "a dcgan that draws what a caption says: a word for each attribute",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        let words = vocabulary(recipe)?;
        let nets = Nets::new(&config, recipe, words.iter().sum(), device, rng);
        Ok(generator(&config, composed(config.latent, &words, nets.embedder, nets.image), &words))
    },
    build: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        let words = vocabulary(recipe)?;
        Ok(Box::new(Training::new(config, words, recipe, device, rng)))
    },
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    ensure!(config.embedding >= 1, "[words] embedding must be at least 1, found 0");
    ensure!(
        config.augmentation >= 0.0 && (0.0..=1.0).contains(&config.interpolation),
        "[words] augmentation must be at least 0 and interpolation 0 to 1, found {} and {}",
        config.augmentation,
        config.interpolation
    );
    ensure!(
        config.loss != Loss::Relativistic,
        "[words] loss compares images of two kinds with those of one, expected one other than \"relativistic\""
    );
    dcgan::check(&config.dcgan(0), recipe)?;
    Ok(Table::try_from(config)?)
}

/// How many words each attribute has, if there are not too many combinations.
fn vocabulary(recipe: &Recipe) -> Result<Vec<usize>> {
    let words = super::judge::words(recipe)?;
    ensure!(
        !words.is_empty(),
        "expected [data] attributes, whose words the generator reads, found none: train it on its data"
    );
    let combinations = words.iter().fold(1, |product: usize, &count| product.saturating_mul(count));
    ensure!(
        combinations <= u16::MAX.into(),
        "expected [data] attributes with at most 65 535 combinations of their words, found {} of {combinations}: name fewer",
        words.len()
    );
    Ok(words)
}

impl Config {
    /// The same nets as those of a dcgan; `classes` are scores of the critic.
    fn dcgan(&self, classes: usize) -> dcgan::Config {
        dcgan::Config {
            latent: self.latent + self.embedding,
            prior: self.prior,
            channels: self.channels.clone(),
            upsample: self.upsample,
            norm: self.norm,
            head: self.head,
            critic_channels: self.critic_channels.clone(),
            spectral_norm: self.spectral_norm,
            loss: self.loss,
            classes,
            ..dcgan::Config::default()
        }
    }
}

/// The untrained nets of the generator.
struct Nets {
    /// Words `[batch, words, 1, 1]` to μ `[batch, embedding, 1, 1]`.
    embedder: Net,
    /// Words to log σ + 2, so that σ starts small.
    spread: Net,
    /// A latent vector and c behind it to images.
    image: Net,
}

impl Nets {
    fn new(config: &Config, recipe: &Recipe, words: usize, device: &Device, rng: &mut Rng) -> Self {
        let vector = [config.embedding, 1, 1];
        let words = [words, 1, 1];
        let embedder = NetBuilder::new(words, Init::He, device, rng).linear(vector).relu().linear(vector).build();
        let spread = NetBuilder::new(words, Init::Normal(0.02), device, rng).linear(vector).build();
        Self { embedder, spread, image: dcgan::generator(&config.dcgan(0), recipe, device, rng) }
    }
}

/// One net of a latent vector and the words of each attribute: `embedder` and `image`.
fn composed(latent: usize, words: &[usize], embedder: Net, image: Net) -> Net {
    let inputs = [latent].iter().chain(words).map(|&count| [count, 1, 1]).collect();
    let output = image.output;
    let mut net = Net { layers: Vec::new(), reads: Vec::new(), inputs, output };
    let join = |net: &mut Net, reads| {
        net.layers.push(Layer::Join(Join { kind: JoinKind::Concat }));
        net.reads.push(reads);
        Source::Layer(net.layers.len() - 1)
    };
    let append = |net: &mut Net, part: Net, start: Source| {
        let first = net.layers.len();
        let moved = |source| match source {
            Source::Input(_) => start,
            Source::Layer(layer) => Source::Layer(first + layer),
        };
        net.reads.extend(part.reads.into_iter().map(|reads| reads.into_iter().map(moved).collect()));
        net.layers.extend(part.layers);
        Source::Layer(net.layers.len() - 1)
    };
    let caption =
        (2..=words.len()).fold(Source::Input(1), |so_far, input| join(&mut net, vec![so_far, Source::Input(input)]));
    let mean = append(&mut net, embedder, caption);
    let whole = join(&mut net, vec![Source::Input(0), mean]);
    append(&mut net, image, whole);
    net
}

fn generator(config: &Config, net: Net, words: &[usize]) -> Generator {
    let mut stride = 1;
    let class = |&classes: &usize| {
        let input = Input::Class { classes, stride };
        stride *= classes;
        input
    };
    let more = words.iter().map(class).collect();
    Generator { net, prior: config.prior, classes: 0, pixels: PixelRange::Symmetric, more }
}

/// A game that is going on.
struct Training {
    config: Config,
    words: Vec<usize>,
    batch: usize,
    critic_steps: usize,
    device: Device,
    embedder: Learner,
    spread: Learner,
    image: Learner,
    critic: Learner,
    average_embedder: Average,
    average_image: Average,
}

impl Training {
    fn new(config: Config, words: Vec<usize>, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Self {
        let count = words.iter().sum();
        let Nets { embedder, spread, image } = Nets::new(&config, recipe, count, device, rng);
        let critic = dcgan::critic(&config.dcgan(count), recipe, device, rng);
        let learner = |name, net| Learner::new(name, net, &recipe.train);
        Self {
            config,
            words,
            batch: recipe.train.batch,
            critic_steps: recipe.train.critic_steps,
            device: device.clone().inner(),
            average_embedder: Average::of(&embedder),
            average_image: Average::of(&image),
            embedder: learner("embedder", embedder),
            spread: learner("spread", spread),
            image: learner("generator", image),
            critic: learner("critic", critic),
        }
    }

    /// Ones for the words of captions, `[batch, words, 1, 1]`, from one value for each attribute.
    fn ones(&self, values: &[u8], rng: &mut Rng) -> Tensor<4> {
        let count: usize = self.words.iter().sum();
        let batch = values.len() / self.words.len();
        let mut ones = vec![0.0; batch * count];
        for (row, values) in ones.chunks_mut(count).zip(values.chunks(self.words.len())) {
            let mut rest = row;
            for (&value, &words) in values.iter().zip(&self.words) {
                let (own, behind) = rest.split_at_mut(words);
                own[if value == UNSEEN { rng.below(words) } else { value.into() }] = 1.0;
                rest = behind;
            }
        }
        Tensor::from_data(TensorData::new(ones, [batch, count, 1, 1]), &self.device)
    }

    /// For each caption that of the next image of the batch that shows something else; its own if all are alike.
    fn others(&self, values: &[u8]) -> Vec<u8> {
        let captions: Vec<&[u8]> = values.chunks(self.words.len()).collect();
        let other = |at: usize| {
            let next = (1..captions.len()).map(|by| captions[(at + by) % captions.len()]);
            next.into_iter().find(|&caption| caption != captions[at]).unwrap_or(captions[at])
        };
        (0..captions.len()).flat_map(other).copied().collect()
    }

    /// c without gradients.
    fn caption(&self, ones: &Tensor<4>, rng: &mut Rng) -> Tensor<4> {
        let mean = self.embedder.net.valid().forward(ones.clone(), &mut Mode::Train(rng));
        if self.config.augmentation == 0.0 {
            return mean;
        }
        let log = self.spread.net.valid().forward(ones.clone(), &mut Mode::Train(rng)).sub_scalar(2.0);
        let noise = latents(Prior::Gaussian, mean.dims()[0], self.config.embedding, rng, &self.device);
        mean + log.exp() * noise
    }

    /// One update of the critic; returns its loss and the mean scores of real images, real ones with wrong captions and
    /// generated ones.
    fn step_critic(&mut self, step: &mut Step<'_>) -> [f32; 4] {
        self.critic.net.power_iteration();
        let Batch { images, attributes, .. } = (step.next_batch)();
        let ones = self.ones(&attributes, step.rng);
        let wrong = self.ones(&self.others(&attributes), step.rng);
        let latents = latents(self.config.prior, self.batch, self.config.latent, step.rng, &self.device);
        let inputs = Tensor::cat(vec![latents, self.caption(&ones, step.rng)], 1);
        let fake = self.image.net.valid().forward(inputs, &mut Mode::Train(step.rng));
        let scores = self.critic.net.forward(Tensor::cat(vec![images, fake], 0), &mut Mode::Train(step.rng));
        let [real, fake] = [0, self.batch].map(|start| scores.clone().narrow(0, start, self.batch));
        let [of_real, of_wrong, of_fake] =
            [(&real, &ones), (&real, &wrong), (&fake, &ones)].map(|(scores, ones)| select(scores.clone(), &head(ones)));
        let means = [&of_real, &of_wrong, &of_fake].map(|score| scalar(score.clone().mean()));
        let bad = if self.config.matching { Tensor::cat(vec![of_fake, of_wrong], 0) } else { of_fake };
        let loss = self.config.loss.critic(of_real, bad);
        self.critic.update(&mut loss.backward(), step.lr_critic);
        [scalar(loss), means[0], means[1], means[2]]
    }

    /// One update of the generator and of its averages; returns its loss and the KL term.
    fn step_generator(&mut self, step: &mut Step<'_>) -> [f32; 2] {
        let Batch { attributes, .. } = (step.next_batch)();
        let ones = self.ones(&attributes, step.rng);
        let mixed = (self.config.interpolation * self.batch as f32).round() as usize;
        let ones = if mixed == 0 {
            ones
        } else {
            let others = self.ones(&self.others(&attributes), step.rng).narrow(0, 0, mixed);
            let between = (ones.clone().narrow(0, 0, mixed) + others).mul_scalar(0.5);
            let whole = (mixed < self.batch).then(|| ones.narrow(0, mixed, self.batch - mixed));
            Tensor::cat([Some(between), whole].into_iter().flatten().collect(), 0)
        };
        let mean = self.embedder.net.forward(ones.clone(), &mut Mode::Train(step.rng));
        let (caption, divergence) = if self.config.augmentation == 0.0 {
            (mean, None)
        } else {
            let log = self.spread.net.forward(ones.clone(), &mut Mode::Train(step.rng)).sub_scalar(2.0);
            let noise = latents(Prior::Gaussian, self.batch, self.config.embedding, step.rng, &self.device);
            let caption = mean.clone() + log.clone().exp() * Tensor::from_inner(noise);
            (caption, Some(divergence(mean, log)))
        };
        let latents = latents(self.config.prior, self.batch, self.config.latent, step.rng, &self.device);
        let inputs = Tensor::cat(vec![Tensor::from_inner(latents), caption], 1);
        let fake = self.image.net.forward(inputs, &mut Mode::Train(step.rng));
        let scores = self.critic.net.clone().no_grad().forward(fake, &mut Mode::Train(step.rng));
        let loss = self.config.loss.generator(select(scores, &head(&ones)), None);
        let values = [scalar(loss.clone()), divergence.clone().map_or(0.0, scalar)];
        let whole =
            divergence.map_or(loss.clone(), |divergence| loss + divergence.mul_scalar(self.config.augmentation));
        let mut gradients = whole.backward();
        for learner in [&mut self.image, &mut self.embedder] {
            learner.update(&mut gradients, step.lr_generator);
        }
        if self.config.augmentation > 0.0 {
            self.spread.update(&mut gradients, step.lr_generator);
        }
        self.average_image.0.average(&self.image.net, step.ema);
        self.average_embedder.0.average(&self.embedder.net, step.ema);
        values
    }
}

/// Which of the critic's scores count: that of any image, and those of the words, `[batch, 1 + words, 1, 1]`.
fn head(ones: &Tensor<4>) -> Tensor<4> {
    Tensor::cat(vec![ones.clone().narrow(1, 0, 1).ones_like(), ones.clone()], 1)
}

/// KL(N(μ, σ²) ‖ N(0, 1)) for each value, ½ (μ² + σ² − 1) − log σ, in the mean over all, `[1]`.
fn divergence(mean: Tensor<4>, log: Tensor<4>) -> Tensor<1> {
    let variance = log.clone().mul_scalar(2.0).exp();
    ((mean.square() + variance).sub_scalar(1.0).mul_scalar(0.5) - log).mean()
}

impl System for Training {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let mut critic = [0.0; 4];
        for _ in 0..self.critic_steps {
            critic = self.step_critic(step);
        }
        let [generator, kl] = self.step_generator(step);
        let [loss, real, wrong, fake] = critic;
        let mut losses = vec![
            ("critic", loss),
            ("generator", generator),
            ("score_real", real),
            ("score_wrong", wrong),
            ("score_fake", fake),
        ];
        if self.config.augmentation > 0.0 {
            losses.push(("kl", kl));
        }
        losses
    }

    fn trained(&self) -> Trained {
        let (embedder, mut image) = (self.average_embedder.0.clone(), self.average_image.0.clone());
        if image.has_statistics() {
            // Always the same latents and captions, so that the same weights ship with the same statistics.
            let mut rng = Rng::new(0, u64::MAX);
            let latents = latents(self.config.prior, STATISTICS_BATCH, self.config.latent, &mut rng, &self.device);
            let values = vec![UNSEEN; STATISTICS_BATCH * self.words.len()];
            let captions = embedder.forward(self.ones(&values, &mut rng), &mut Mode::Eval);
            image.estimate_statistics(vec![Tensor::cat(vec![latents, captions], 1)]);
        }
        Trained::Generator(generator(
            &self.config,
            composed(self.config.latent, &self.words, embedder, image),
            &self.words,
        ))
    }

    fn save(&self, folder: &Path) -> Result<()> {
        for learner in [&self.embedder, &self.spread, &self.image, &self.critic] {
            learner.save(folder)?;
        }
        self.average_image.save(folder)?;
        self.average_embedder.save_as(folder, AVERAGE_EMBEDDER)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        for learner in [&mut self.embedder, &mut self.spread, &mut self.image, &mut self.critic] {
            learner.load(folder)?;
        }
        self.average_image.load(folder)?;
        self.average_embedder.load_as(folder, AVERAGE_EMBEDDER)
    }
}

/// What the file of the averaged embedder is called in a checkpoint.
const AVERAGE_EMBEDDER: &str = "average-embedder";

#[cfg(test)]
mod tests;
