//! `dcgan`: a convolutional generator that doubles a small map until it is an image.
//!
//! Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep Convolutional GANs" (2016):
//!
//! ```text
//! z ─linear─► C₀ × b × b ─×2─► C₁ × 2b × 2b ─×2─► … ─head─► image        batch norm, ReLU, tanh
//! image ─conv 4×4 /2─► … ─linear─► score                                 LeakyReLU 0.2
//! ```
//!
//! b, between 4 and 7, follows from the image size and the number of doublings: 28 = 7·4, 32 = 4·8, 64 = 4·16.
//!
//! `blocks = "residual"` makes each doubling a residual block, so that a second convolution at the larger size has a
//! way past it. The blocks of SNGAN (Miyato et al., 2018, appendix B) and BigGAN (Brock et al., 2019, appendix B)
//! normalize first; here each convolution is normalized behind itself, as in He et al., "Deep Residual Learning"
//! (2016), so that export folds all of it into the weights, and the 1 × 1 convolution of the shortcut stands before the
//! enlargement, which is the same at a quarter of the work:
//!
//! ```text
//! x ─×2─► norm, ReLU ─conv 3×3─► norm ─⊕─► ReLU
//! └─conv 1×1─► norm ─nearest ×2────────┘
//! ```
//!
//! Knobs: `blocks`, `upsample` (the three forms of the doubling cost the same on a device once exported), `norm`,
//! `head`, `loss` and `spectral_norm`. The paper's game is `loss = "non-saturating"` with Adam (2e-4, 0.5); the default
//! is hinge with a spectrally normalized critic (Miyato et al., 2018), which needs no other regularizer. A map as large
//! as the image costs most of the time on a CPU; `head = "transposed"` avoids it, `"conv3"` smooths the last doubling.

use std::ops::RangeInclusive;

use anyhow::{Result, ensure};
use burn::tensor::Device;
use edgegen_export::layers::PixelRange;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::adversarial::{Adversarial, Loss, Players};
use super::penalty::Penalty;
use super::sizes::{advice, halvings, nearest_multiple, reduced, written};
use super::tricks::Tricks;
use super::{Generator, Kind, System};
use crate::nets::{Init, Net, NetBuilder};
use crate::recipe::{Prior, Recipe, Size};
use crate::rng::Rng;

/// The table `[dcgan]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Length of the latent vector.
    pub latent: usize,
    /// How it is drawn.
    pub prior: Prior,
    /// Channels of the maps, smallest map first.
    pub channels: Vec<usize>,
    /// What a doubling is made of.
    pub blocks: Blocks,
    /// How a map is doubled.
    pub upsample: Upsample,
    /// Normalization of the generator.
    pub norm: Norm,
    /// Slope of the generator's hidden activations below zero; 0 is ReLU.
    pub leak: f32,
    /// How the last map becomes an image.
    pub head: Head,
    /// Channels of the critic, largest map first. Each layer halves an even map and keeps an odd one.
    pub critic_channels: Vec<usize>,
    /// Whether the critic's weights are spectrally normalized.
    pub spectral_norm: bool,
    /// What the players minimize.
    pub loss: Loss,
    /// What else the critic minimizes: `"none"`, `{ gradient = 10.0 }` (WGAN-GP) or `{ zero-centred = 1.0 }` (R1 and
    /// R2).
    pub penalty: Penalty,
    /// Classes that the generator can be asked for; 0 in a `dcgan`, see [`cgan`](super::cgan).
    pub classes: usize,
    /// What else is done, for all games ([`tricks`](super::tricks)).
    pub tricks: Tricks,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            latent: 32,
            prior: Prior::Gaussian,
            channels: vec![64, 32],
            blocks: Blocks::Plain,
            upsample: Upsample::Transposed,
            norm: Norm::Batch,
            leak: 0.0,
            head: Head::Transposed,
            critic_channels: vec![32, 64],
            spectral_norm: true,
            loss: Loss::Hinge,
            penalty: Penalty::None,
            classes: 0,
            tricks: Tricks::default(),
        }
    }
}

/// What a doubling is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blocks {
    /// The doubling alone.
    Plain,
    /// The doubling and a 3 × 3 convolution behind it, with a shortcut past both.
    Residual,
}

/// How a map is doubled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upsample {
    /// 4 × 4 transposed convolution with stride 2.
    Transposed,
    /// 3 × 3 convolution to four times the channels, then depth to space (Shi et al., 2016).
    PixelShuffle,
    /// Nearest-neighbour enlargement, then a 3 × 3 convolution (Odena et al., 2016).
    Nearest,
}

/// Normalization of the generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// Batch normalization, which export folds into the weights; weights start as N(0, 0.02²).
    Batch,
    /// None; weights start as He et al. (2015) have it.
    None,
}

/// How the last map becomes an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// A 3 × 3 convolution on a map as large as the image.
    Conv3,
    /// A 4 × 4 transposed convolution on a map half as large: one doubling more for the same channels.
    Transposed,
}

/// How many channel counts there may be.
const COUNTS: RangeInclusive<usize> = 1..=6;
/// Sides of the first map.
const FIRST_MAP: RangeInclusive<usize> = 4..=7;

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "dcgan",
    about: "convolutional generator and critic, images of 8 to 448 pixels",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        Ok(Generator {
            net: generator(&config, recipe, device, rng),
            prior: config.prior,
            classes: config.classes,
            pixels: PixelRange::Symmetric,
            more: vec![],
        })
    },
    build,
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    ensure!(config.classes == 0, "[dcgan] knows no classes, found {}: use system = \"cgan\"", config.classes);
    check(&config, recipe)?;
    Ok(Table::try_from(config)?)
}

/// Checks all but the number of classes.
pub(super) fn check(config: &Config, recipe: &Recipe) -> Result<()> {
    let table = &recipe.system;
    config.penalty.check(table)?;
    config.tricks.check(table, config.loss, config.penalty, config.classes)?;
    ensure!(config.latent >= 1, "[{table}] latent must be at least 1, found 0");
    ensure!(
        COUNTS.contains(&config.channels.len()) && !config.channels.contains(&0),
        "[{table}] channels must list 1 to 6 positive numbers, found {:?}",
        config.channels
    );
    ensure!(
        !config.critic_channels.is_empty() && !config.critic_channels.contains(&0),
        "[{table}] critic_channels must list positive numbers, found {:?}",
        config.critic_channels
    );
    ensure!(
        config.blocks == Blocks::Plain || config.channels.len() >= 2,
        "[{table}] expected at least two channels for blocks = \"residual\", which lie between two maps, found {:?}",
        config.channels
    );
    ensure!((0.0..1.0).contains(&config.leak), "[{table}] leak must be at least 0 and below 1, found {}", config.leak);
    let (size, count) = (recipe.data.size, config.channels.len());
    let scale = 1 << doublings(config);
    // The shorter side of the first map is one of a few; the longer may be any.
    let side = size.h.min(size.w);
    let fits = |times: &usize| halvings(size) >= *times && FIRST_MAP.contains(&(side >> times));
    let fitting = (0..8).find(fits);
    let fitting = fitting.map(|times| times + count - doublings(config)).filter(|count| COUNTS.contains(count));
    let nearest = FIRST_MAP.map(|first| first * scale).min_by_key(|possible| possible.abs_diff(side)).unwrap_or(side);
    let longer = |side: usize| nearest_multiple(side.into(), scale).h.max(nearest);
    let nearest = match size.side() {
        Some(_) => nearest.into(),
        None if size.h < size.w => Size { h: nearest, w: longer(size.w) },
        None => Size { h: longer(size.h), w: nearest },
    };
    ensure!(
        fitting == Some(count),
        "[{table}] expected [data] size = {}, {}, {} or {}{} for {count} channel counts, which double a map {} times, found size = {} with channels = {:?}: {}",
        4 * scale,
        5 * scale,
        6 * scale,
        7 * scale,
        if size.side().is_some() {
            String::new()
        } else {
            format!(" for the shorter side, and a multiple of {scale} for the longer,")
        },
        doublings(config),
        written(size),
        config.channels,
        advice("channels", &config.channels, fitting, size, nearest),
    );
    Ok(())
}

/// Doublings between the first map and the image.
fn doublings(config: &Config) -> usize {
    match config.head {
        Head::Conv3 => config.channels.len() - 1,
        Head::Transposed => config.channels.len(),
    }
}

pub(super) fn build(recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Box<dyn System>> {
    let config: Config = recipe.settings()?;
    let players = Players {
        generator: generator(&config, recipe, device, rng),
        critic: critic(&config, recipe, device, rng),
        loss: config.loss,
        penalty: config.penalty,
        tricks: config.tricks,
        classes: config.classes,
        prior: config.prior,
        pixels: PixelRange::Symmetric,
        more: vec![],
        mixing: 0.0,
    };
    Ok(Box::new(Adversarial::new(players, &recipe.train, device)))
}

pub(super) fn generator(config: &Config, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
    let first = reduced(recipe.data.size, doublings(config));
    let init = match config.norm {
        Norm::Batch => Init::Normal(0.02),
        Norm::None => Init::He,
    };
    let mut net = NetBuilder::new([config.latent + config.classes, 1, 1], init, device, rng);
    net = hidden(config, net.linear([config.channels[0], first.h, first.w]));
    for &channels in &config.channels[1..] {
        net = match config.blocks {
            Blocks::Plain => hidden(config, doubled(config, net, channels)),
            Blocks::Residual => residual(config, net, channels),
        };
    }
    match config.head {
        Head::Conv3 => net.conv(recipe.data.channels, 3, 1, 1),
        Head::Transposed => net.conv_transpose(recipe.data.channels, 4, 2, 1),
    }
    .tanh()
    .build()
}

fn doubled<'a>(config: &Config, net: NetBuilder<'a>, channels: usize) -> NetBuilder<'a> {
    match config.upsample {
        Upsample::Transposed => net.conv_transpose(channels, 4, 2, 1),
        Upsample::PixelShuffle => net.conv_pixel_shuffle(channels, 2),
        Upsample::Nearest => net.upsample_nearest(2).conv(channels, 3, 1, 1),
    }
}

fn residual<'a>(config: &Config, mut net: NetBuilder<'a>, channels: usize) -> NetBuilder<'a> {
    let start = net.mark();
    net = normalized(config, net.conv(channels, 1, 1, 0)).upsample_nearest(2);
    let shortcut = net.mark();
    net = hidden(config, doubled(config, net.at(start), channels));
    net = normalized(config, net.conv(channels, 3, 1, 1)).add(shortcut);
    activated(config, net)
}

/// What follows each layer of the generator but the last.
fn hidden<'a>(config: &Config, net: NetBuilder<'a>) -> NetBuilder<'a> {
    activated(config, normalized(config, net)).dropout(config.tricks.keep_generator)
}

fn normalized<'a>(config: &Config, net: NetBuilder<'a>) -> NetBuilder<'a> {
    match config.norm {
        Norm::Batch => net.batch_norm(),
        Norm::None => net,
    }
}

fn activated<'a>(config: &Config, net: NetBuilder<'a>) -> NetBuilder<'a> {
    if config.leak > 0.0 { net.leaky_relu(config.leak) } else { net.relu() }
}

/// The critic of a recipe before its first step.
pub(super) fn untrained_critic(recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Net> {
    Ok(critic(&recipe.settings()?, recipe, device, rng))
}

/// The critic; of the configuration only what is said of critics counts.
pub(super) fn critic(config: &Config, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
    let init = if config.spectral_norm { Init::He } else { Init::Normal(0.02) };
    scores(config, NetBuilder::new(recipe.image(), init, device, rng).spectral_norm(config.spectral_norm))
}

/// The layers of the critic on what `net` is so far.
pub(super) fn scores(config: &Config, mut net: NetBuilder<'_>) -> Net {
    for &channels in &config.critic_channels {
        let [_, h, w] = net.shape();
        net = if h.is_multiple_of(2) && w.is_multiple_of(2) && h.min(w) > 4 {
            net.conv(channels, 4, 2, 1)
        } else {
            net.conv(channels, 3, 1, 1)
        };
        net = net.leaky_relu(0.2);
    }
    net.batch_deviation(config.tricks.minibatch_deviation).linear([1 + config.classes, 1, 1]).build()
}

#[cfg(test)]
mod tests;
