//! `growing`: a generator and a critic that begin with small pictures and grow until they make large ones.
//!
//! Karras, Aila, Laine and Lehtinen, "Progressive Growing of GANs for Improved Quality, Stability, and Variation"
//! (2018): for 32 × 32 there are three phases, of 8, 16 and 32. A new size is faded in, in both players alike:
//!
//! ```text
//! G:  ─ x ─nearest ×2─ conv 3×3 ─ x' ─ toRGB' ─ · α ──────┐
//!     └── toRGB ─ nearest ×2 ─────────────── · (1 − α) ─ ⊕ ─ tanh
//! D:  picture ─ fromRGB' ─ conv 4×4 /2 ───── · α ──────┐
//!     └─────── mean of 2 × 2 ─ fromRGB ── · (1 − α) ─ ⊕ ─ conv 4×4 /2 ─ … ─ batch's deviation ─ linear ─ score
//! ```
//!
//! and real pictures are faded in the same way. Both nets have all their layers from the start, and the α of each size
//! says how much of it there is ([`Fade`](crate::nets::layer::Fade)): what has no part is not computed, has no gradient
//! and does not ship. Pictures always have full size, those of an earlier phase as blocks of equal pixels, of which the
//! critic takes means; so all that a game can be played with remains as it is ([`adversarial`](super::adversarial)).
//!
//! Weights have an equalized learning rate (§4.1): they are around 1, so a step of Adam is a smaller part of them than
//! elsewhere, and in a short training the generator wants a rate of 5e-3, not a `dcgan`'s 1e-3. The paper normalizes
//! each pixel behind each convolution (§4.2), which a device pays for: at 32 × 32 with a tenth of the time and with 6.5
//! KB of RAM in place of 4.4 (`edgegen inspect`), so `norm` says whether. Here one convolution stands where the paper
//! has two.
//!
//! The paper's game is `loss = "wasserstein"`, `penalty = { gradient = 10.0 }`, `spectral_norm = false`, drift 0.001
//! (`[growing.tricks]`), Adam (1e-3; 0, 0.99) and an average of 0.999; the default is hinge with a spectrally
//! normalized critic, as of `dcgan`, which needs a third of the time.
//!
//! Knobs: `grow` (false: all sizes from the start, the same nets), `phase` and `fade`, in steps, the channels of each
//! map, `norm`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;
use burn::tensor::{Device, Tensor};
use edgegen_export::layers::PixelRange;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::adversarial::{Adversarial, Loss, Players};
use super::dcgan::{self, Head};
use super::penalty::Penalty;
use super::sizes::reduced;
use super::tricks::Tricks;
use super::{Batch, Generator, Kind, Losses, Step, System, Trained};
use crate::files;
use crate::nets::operations::operations;
use crate::nets::{Init, Net, NetBuilder};
use crate::recipe::{Prior, Recipe};
use crate::rng::Rng;

/// The table `[growing]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Length of the latent vector.
    pub latent: usize,
    /// How it is drawn.
    pub prior: Prior,
    /// Whether it grows; otherwise all sizes are there from the start.
    pub grow: bool,
    /// Steps that a size stays before the next one comes; the last one stays to the end.
    pub phase: u64,
    /// Steps in which the next size is faded in.
    pub fade: u64,
    /// Channels of the generator's maps, smallest map first. The second map is that of the first pictures.
    pub channels: Vec<usize>,
    /// Normalization of the generator.
    pub norm: Norm,
    /// Channels of the critic's maps, largest map first, as many.
    pub critic_channels: Vec<usize>,
    /// Whether the critic's weights are spectrally normalized; otherwise their learning rate is equalized.
    pub spectral_norm: bool,
    /// What the players minimize.
    pub loss: Loss,
    /// What else the critic minimizes: `"none"`, `{ gradient = 10.0 }` (WGAN-GP) or `{ zero-centred = 1.0 }` (R1 and
    /// R2).
    pub penalty: Penalty,
    /// What else is done, for all games ([`tricks`](super::tricks)); the batch's deviation is always there.
    pub tricks: Tricks,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            latent: 32,
            prior: Prior::Gaussian,
            grow: true,
            phase: 600,
            fade: 600,
            channels: vec![64, 48, 32],
            norm: Norm::Pixel,
            critic_channels: vec![32, 48, 64],
            spectral_norm: true,
            loss: Loss::Hinge,
            penalty: Penalty::None,
            tricks: Tricks::default(),
        }
    }
}

/// Normalization of the generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// Each pixel over the root mean square of its channels.
    Pixel,
    /// None, which is cheaper on a device.
    None,
}

/// Slope of hidden activations below zero.
const LEAK: f32 = 0.2;

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "growing",
    about: "generator and critic that grow from small pictures to large ones, images of 16 to 224 pixels",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        Ok(Generator {
            net: generator(&config, recipe, device, rng),
            prior: config.prior,
            classes: 0,
            pixels: PixelRange::Symmetric,
            more: vec![],
        })
    },
    build: |recipe, device, rng| Ok(Box::new(Growing::new(recipe, device, rng)?)),
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    let maps = config.channels.len();
    ensure!(
        maps >= 3,
        "[growing] expected channels of at least three maps, which make pictures of two sizes, found {:?}: use system = \"dcgan\" for one",
        config.channels
    );
    // Latent vector, counts and the sides of the maps are as a dcgan's whose last map is as large as the image.
    dcgan::check(
        &dcgan::Config {
            latent: config.latent,
            channels: config.channels.clone(),
            critic_channels: config.critic_channels.clone(),
            head: Head::Conv3,
            loss: config.loss,
            penalty: config.penalty,
            tricks: config.tricks.clone(),
            ..dcgan::Config::default()
        },
        recipe,
    )?;
    ensure!(
        config.critic_channels.len() == maps,
        "[growing] expected {maps} critic_channels, one for each of the generator's maps, found {:?}",
        config.critic_channels
    );
    let grown = schedule(&config).grown();
    ensure!(
        recipe.train.steps > grown,
        "[growing] expected [train] steps above {grown}, where pictures of phase = {} and fade = {} have grown to full size, found {}: write more steps or shorter phases",
        config.phase,
        config.fade,
        recipe.train.steps
    );
    Ok(Table::try_from(config)?)
}

fn generator(config: &Config, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
    let [colours, ..] = recipe.image();
    let first = reduced(recipe.data.size, config.channels.len() - 1);
    let mut net = NetBuilder::new([config.latent, 1, 1], Init::He, device, rng).equalized(true);
    net = hidden(config, net.linear([config.channels[0], first.h, first.w]));
    let mut smaller = None;
    for &channels in &config.channels[1..] {
        net = hidden(config, net.upsample_nearest(2).conv(channels, 3, 1, 1));
        let map = net.mark();
        net = net.conv(colours, 1, 1, 0);
        let picture = match smaller {
            None => net.mark(),
            Some(smaller) => {
                let picture = net.mark();
                net = net.at(smaller).upsample_nearest(2);
                let old = net.mark();
                net = net.at(picture).fade(old);
                net.mark()
            }
        };
        smaller = Some(picture);
        net = net.at(map);
    }
    net.at(smaller.expect("at least three channel counts")).tanh().build()
}

fn hidden<'a>(config: &Config, net: NetBuilder<'a>) -> NetBuilder<'a> {
    let net = net.leaky_relu(LEAK);
    let net = match config.norm {
        Norm::Pixel => net.pixel_norm(),
        Norm::None => net,
    };
    net.dropout(config.tricks.keep_generator)
}

fn critic(config: &Config, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
    let mut net = NetBuilder::new(recipe.image(), Init::He, device, rng)
        .spectral_norm(config.spectral_norm)
        .equalized(!config.spectral_norm);
    let (&last, pictures) = config.critic_channels.split_last().expect("at least three channel counts");
    let mut picture = net.mark();
    net = net.conv(pictures[0], 1, 1, 0).leaky_relu(LEAK);
    for &channels in &pictures[1..] {
        net = net.conv(channels, 4, 2, 1).leaky_relu(LEAK);
        let new = net.mark();
        net = net.at(picture).average_pool(2);
        picture = net.mark();
        net = net.conv(channels, 1, 1, 0).leaky_relu(LEAK);
        let old = net.mark();
        net = net.at(new).fade(old);
    }
    net.conv(last, 4, 2, 1).leaky_relu(LEAK).batch_deviation(true).linear([1, 1, 1]).build()
}

/// When which size comes.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    /// How many sizes come after the first one, 0 where nothing grows.
    sizes: usize,
    phase: u64,
    fade: u64,
}

fn schedule(config: &Config) -> Schedule {
    let sizes = if config.grow { config.channels.len() - 2 } else { 0 };
    Schedule { sizes, phase: config.phase, fade: config.fade }
}

impl Schedule {
    /// The α of each size but the first, smallest first, in step `step` (from 0).
    fn shares(self, step: u64) -> Vec<f32> {
        let share = |size: u64| {
            let start = (size + 1) * self.phase + size * self.fade;
            match step.checked_sub(start) {
                None => 0.0,
                Some(steps) if steps < self.fade => ((steps + 1) as f64 / self.fade as f64) as f32,
                Some(_) => 1.0,
            }
        };
        (0..self.sizes as u64).map(share).collect()
    }

    /// The step from which on all are there.
    fn grown(self) -> u64 {
        self.sizes as u64 * (self.phase + self.fade)
    }
}

/// A game whose players grow.
#[derive(Debug)]
struct Growing {
    game: Adversarial,
    schedule: Schedule,
    /// Steps done.
    done: u64,
    /// Side of the largest pictures, the shorter one.
    side: usize,
}

impl Growing {
    fn new(recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Self> {
        let config: Config = recipe.settings()?;
        let players = Players {
            generator: generator(&config, recipe, device, rng),
            critic: critic(&config, recipe, device, rng),
            loss: config.loss,
            penalty: config.penalty,
            tricks: config.tricks.clone(),
            classes: 0,
            prior: config.prior,
            pixels: PixelRange::Symmetric,
            more: vec![],
            mixing: 0.0,
        };
        let size = recipe.data.size;
        let mut growing = Self {
            game: Adversarial::new(players, &recipe.train, device),
            schedule: schedule(&config),
            done: 0,
            side: size.h.min(size.w),
        };
        growing.fade(&vec![0.0; growing.schedule.sizes]);
        Ok(growing)
    }

    /// Sets the α of each size, smallest first, in all nets. The critic's first layers are for the largest one.
    fn fade(&mut self, shares: &[f32]) {
        let largest_first: Vec<f32> = shares.iter().rev().copied().collect();
        let [generator, average, critic] = self.game.nets();
        generator.fade(shares);
        average.fade(shares);
        critic.fade(&largest_first);
    }

    /// The α of each size in this step. A net that was larger stays so: a run may start from another's weights.
    fn shares(&mut self) -> Vec<f32> {
        let [generator, ..] = self.game.nets();
        let now = generator.shares();
        self.schedule.shares(self.done).into_iter().zip(now).map(|(share, now)| share.max(now)).collect()
    }
}

impl System for Growing {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let shares = self.shares();
        self.fade(&shares);
        let Step { lr_generator, lr_critic, ema, ref mut rng, ref mut next_batch } = *step;
        let mut faded = || {
            let batch = next_batch();
            Batch { images: faded(batch.images, &shares), ..batch }
        };
        let mut losses = self.game.step(&mut Step { lr_generator, lr_critic, ema, rng, next_batch: &mut faded });
        // The average of the weights is none of the α.
        self.fade(&shares);
        self.done += 1;
        if self.schedule.sizes > 0 {
            let smallest = (self.side >> self.schedule.sizes) as f32;
            losses.push(("size", shares.iter().fold(smallest, |side, share| side * (1.0 + share))));
        }
        losses
    }

    fn trained(&self) -> Trained {
        self.game.trained()
    }

    fn save(&self, folder: &Path) -> Result<()> {
        files::replace_bytes(&folder.join(FILE), &self.done.to_le_bytes())?;
        self.game.save(folder)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let bytes = <[u8; 8]>::try_from(&bytes[..])
            .with_context(|| format!("expected 8 bytes in {}, found {}", path.display(), bytes.len()))?;
        self.done = u64::from_le_bytes(bytes);
        self.game.load(folder)
    }
}

/// What a checkpoint keeps of the growth: the steps done, 64 bits, little-endian.
const FILE: &str = "growth";

/// Images as they are in the middle of a fade: between the means of their blocks in the one size and in the next, with
/// the pixels of the whole image. Otherwise as they are, since the critic takes the means of blocks itself.
fn faded(images: Tensor<4>, shares: &[f32]) -> Tensor<4> {
    let Some(size) = shares.iter().position(|share| (0.0..1.0).contains(share)) else { return images };
    let share = shares[size];
    if share == 0.0 {
        return images;
    }
    // Of the next size there is a pixel for each block of so many.
    let block = 1 << (shares.len() - 1 - size);
    let [old, new] = [2 * block, block].map(|block| blocks(images.clone(), block));
    old * (1.0 - share) + new * share
}

/// The mean of each block of `side` × `side` pixels in all of its pixels.
fn blocks(images: Tensor<4>, side: usize) -> Tensor<4> {
    if side == 1 {
        return images;
    }
    let options = AvgPoolOptions {
        kernel_size: [side; 2],
        stride: [side; 2],
        padding: [(0, 0); 2],
        count_include_pad: true,
        ceil_mode: false,
    };
    let means = avg_pool2d(images, options);
    operations(&[&means]).nearest(means, [side; 2])
}

#[cfg(test)]
mod tests;
