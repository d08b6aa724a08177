//! `words`: a [`dcgan`](super::dcgan) that draws what a caption says.
//!
//! A caption is a bag of words, one word for each attribute of the data ([data] attributes), as ones in a vector y. An
//! embedding makes a short vector c of them, and the generator reads it behind the latent vector. The critic has a
//! score for any image and one for each word, D(x, y) = s₀(x) + Σ y_w s_w(x): the projection of Miyato and Koyama
//! (2018) with a linear embedding of the words.
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
//! A colour of something that an image does not show ([`UNSEEN`](crate::data::UNSEEN)) is any of them, drawn anew each
//! time, so that no combination of words is unknown to the generator. `[data] held_out` keeps some combinations out of
//! training.
//!
//! On a device each attribute is an input of its own, and a class names one combination of all. Without a choice it
//! follows from the seed.
//!
//! Knobs: those of the nets as in `dcgan`; `embedding`, `augmentation` (λ; 0 for none), `matching`, `interpolation`
//! (the share; 0 for none).

use anyhow::{Result, ensure};
use burn::tensor::Device;
use edgegen_export::layers::{Input, PixelRange};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::adversarial::Loss;
use super::dcgan::{self, Head, Norm, Upsample};
use super::{Generator, Kind};
use crate::nets::layer::{Join, JoinKind, Layer};
use crate::nets::{Init, Net, NetBuilder, Source};
use crate::recipe::{Prior, Recipe};
use crate::rng::Rng;

mod game;

pub(super) use game::Training;

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
        let net = composed(config.latent, &words, nets.embedder, None, nets.image);
        Ok(generator(&config, net, &words))
    },
    build: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        let words = vocabulary(recipe)?;
        let nets = Nets::new(&config, recipe, words.iter().sum(), device, rng);
        let critic = dcgan::critic(&config.dcgan(words.iter().sum()), recipe, device, rng);
        Ok(Box::new(Training::new(config, words, nets, None, critic, recipe, device)))
    },
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    check(&config, recipe)?;
    Ok(Table::try_from(config)?)
}

/// Checks knobs and sizes of nets for the images of `recipe`.
pub(super) fn check(config: &Config, recipe: &Recipe) -> Result<()> {
    check_game(config, &recipe.system)?;
    dcgan::check(&config.dcgan(0), recipe)
}

/// Checks the knobs of the game in the table `table`.
pub(super) fn check_game(config: &Config, table: &str) -> Result<()> {
    ensure!(config.embedding >= 1, "[{table}] embedding must be at least 1, found 0");
    ensure!(
        config.augmentation >= 0.0 && (0.0..=1.0).contains(&config.interpolation),
        "[{table}] augmentation must be at least 0 and interpolation 0 to 1, found {} and {}",
        config.augmentation,
        config.interpolation
    );
    ensure!(
        config.loss != Loss::Relativistic,
        "[{table}] loss compares images of two kinds with those of one, expected one other than \"relativistic\""
    );
    Ok(())
}

/// How many words each attribute has, if there are not too many combinations.
pub(super) fn vocabulary(recipe: &Recipe) -> Result<Vec<usize>> {
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
    pub(super) fn dcgan(&self, classes: usize) -> dcgan::Config {
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
pub(super) struct Nets {
    /// Words `[batch, words, 1, 1]` to μ `[batch, embedding, 1, 1]`.
    pub(super) embedder: Net,
    /// Words to log σ + 2, so that σ starts small.
    pub(super) spread: Net,
    /// A latent vector and c behind it to images.
    pub(super) image: Net,
}

impl Nets {
    pub(super) fn new(config: &Config, recipe: &Recipe, words: usize, device: &Device, rng: &mut Rng) -> Self {
        let [embedder, spread] = embeddings(words, config.embedding, device, rng);
        Self { embedder, spread, image: dcgan::generator(&config.dcgan(0), recipe, device, rng) }
    }
}

/// The untrained nets from `words` words to μ and to log σ + 2.
pub(super) fn embeddings(words: usize, embedding: usize, device: &Device, rng: &mut Rng) -> [Net; 2] {
    let (words, vector) = ([words, 1, 1], [embedding, 1, 1]);
    let embedder = NetBuilder::new(words, Init::He, device, rng).linear(vector).relu().linear(vector).build();
    let spread = NetBuilder::new(words, Init::Normal(0.02), device, rng).linear(vector).build();
    [embedder, spread]
}

/// One net of a latent vector and the words of each attribute: `embedder`, `image` and, where that reads an image and
/// no latent vector, `front`, which makes it of the same inputs.
pub(super) fn composed(latent: usize, words: &[usize], embedder: Net, front: Option<Net>, image: Net) -> Net {
    let inputs = [latent].iter().chain(words).map(|&count| [count, 1, 1]).collect();
    let mut net = Net { layers: Vec::new(), reads: Vec::new(), inputs, output: image.output };
    let join = |net: &mut Net, reads| {
        net.layers.push(Layer::Join(Join { kind: JoinKind::Concat }));
        net.reads.push(reads);
        Source::Layer(net.layers.len() - 1)
    };
    let append = |net: &mut Net, part: Net, starts: &[Source]| {
        let first = net.layers.len();
        let moved = |source| match source {
            Source::Input(input) => starts[input],
            Source::Layer(layer) => Source::Layer(first + layer),
        };
        net.reads.extend(part.reads.into_iter().map(|reads| reads.into_iter().map(moved).collect()));
        net.layers.extend(part.layers);
        Source::Layer(net.layers.len() - 1)
    };
    let own: Vec<Source> = (0..=words.len()).map(Source::Input).collect();
    let start = front.map(|front| append(&mut net, front, &own));
    let caption = own[2..].iter().fold(own[1], |so_far, &input| join(&mut net, vec![so_far, input]));
    let mean = append(&mut net, embedder, &[caption]);
    let starts = match start {
        Some(start) => vec![start, mean],
        None => vec![join(&mut net, vec![own[0], mean])],
    };
    append(&mut net, image, &starts);
    net
}

pub(super) fn generator(config: &Config, net: Net, words: &[usize]) -> Generator {
    let mut stride = 1;
    let class = |&classes: &usize| {
        let input = Input::Class { classes, stride };
        stride *= classes;
        input
    };
    let more = words.iter().map(class).collect();
    Generator { net, prior: config.prior, classes: 0, pixels: PixelRange::Symmetric, more }
}

#[cfg(test)]
mod tests;
