//! `wavegan`: a [`dcgan`](super::dcgan) of sounds, along time alone.
//!
//! Donahue, McAuley and Puckette, "Adversarial Audio Synthesis" (ICLR 2019), §3.2: the two-dimensional layers of a
//! DCGAN become one-dimensional, a 5 × 5 kernel one of 25 samples and a doubling of both sides one fourfold enlargement
//! of time, so that a layer sees and adds as much as before:
//!
//! ```text
//! z, class ─linear─► C₀ × b ─×4─► C₁ × 4b ─×4─► … ─×4─► 1 × samples      batch norm, ReLU, tanh
//! sound ─conv k /4─► … ─linear─► score                                   LeakyReLU 0.2
//! ```
//!
//! A sound is an image of one column, a row for each sample, companded by the μ-law
//! ([`edgegen_data::sound`]), so the layers are convolutions with windows k × 1 and the rows stream as those of images
//! do. The paper's 16 384 samples have five layers, b = 16; k is even here, so that an enlargement is exactly fourfold.
//!
//! Where there are classes, both players know them as in a [`cgan`](super::cgan). The paper's game is WGAN-GP,
//! `loss = "wasserstein"` with `penalty = { gradient = 10.0 }` and five steps of the critic for one of the generator;
//! the default is hinge with a spectrally normalized critic (Miyato et al., 2018), which needs one. Its phase shuffle,
//! random shifts inside of the critic that hide the phase of artefacts, is left out.
//!
//! Knobs: `channels`, `kernel`, `critic_channels`, `classes`, `norm`, `loss`, `penalty`, `spectral_norm`, `tricks`.

use anyhow::{Result, ensure};
use burn::tensor::Device;
use edgegen_export::layers::{PixelRange, Window};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::adversarial::{Adversarial, Loss, Players};
use super::dcgan::Norm;
use super::penalty::Penalty;
use super::tricks::Tricks;
use super::{Generator, Kind, System};
use crate::nets::{Init, Net, NetBuilder};
use crate::recipe::{Prior, Recipe};
use crate::rng::Rng;

/// The table `[wavegan]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Length of the latent vector.
    pub latent: usize,
    /// How it is drawn.
    pub prior: Prior,
    /// Channels of the maps, shortest map first; each is followed by a fourfold enlargement.
    pub channels: Vec<usize>,
    /// Samples that a layer of either player sees: even, from 4 on.
    pub kernel: usize,
    /// Normalization of the generator.
    pub norm: Norm,
    /// Channels of the critic, longest map first. Each layer makes a quarter of a map.
    pub critic_channels: Vec<usize>,
    /// Whether the critic's weights are spectrally normalized.
    pub spectral_norm: bool,
    /// What the players minimize.
    pub loss: Loss,
    /// What else the critic minimizes, as in a `dcgan`.
    pub penalty: Penalty,
    /// Classes that the generator can be asked for; 0 for none.
    pub classes: usize,
    /// What else is done, for all games ([`tricks`](super::tricks)).
    pub tricks: Tricks,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            latent: 32,
            prior: Prior::Gaussian,
            channels: vec![64, 48, 32, 16],
            kernel: 24,
            norm: Norm::Batch,
            critic_channels: vec![16, 32, 64, 96],
            spectral_norm: true,
            loss: Loss::Hinge,
            penalty: Penalty::None,
            classes: 0,
            tricks: Tricks::default(),
        }
    }
}

/// How many times longer a layer makes a map.
const FACTOR: usize = 4;

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "wavegan",
    about: "a dcgan of sounds, along time alone, with or without classes",
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
    build: |recipe, device, rng| {
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
        let system: Box<dyn System> = Box::new(Adversarial::new(players, &recipe.train, device));
        Ok(system)
    },
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    config.penalty.check("wavegan")?;
    config.tricks.check("wavegan", config.loss, config.penalty, config.classes)?;
    ensure!(config.latent >= 1, "[wavegan] latent must be at least 1, found 0");
    ensure!(config.classes <= 256, "[wavegan] classes must be at most 256, found {}", config.classes);
    ensure!(
        config.kernel >= FACTOR && config.kernel.is_multiple_of(2),
        "[wavegan] kernel must be even and at least {FACTOR}, found {}",
        config.kernel
    );
    for (key, channels) in [("channels", &config.channels), ("critic_channels", &config.critic_channels)] {
        ensure!(
            (1..=8).contains(&channels.len()) && !channels.contains(&0),
            "[wavegan] {key} must list 1 to 8 positive numbers, found {channels:?}"
        );
    }
    ensure!(
        recipe.data.rate.is_some(),
        "[wavegan] expected sounds, found [data] without rate: write rate = 8000 and size = [2048, 1] there, or take dcgan"
    );
    let (samples, times) = (recipe.data.size.h, FACTOR.pow(config.channels.len() as u32));
    ensure!(
        samples.is_multiple_of(times),
        "[wavegan] expected [data] size = [n, 1] with a multiple of {times} for {} channels, each of which makes time {FACTOR} times \
         longer, found {samples}: use size = [{}, 1], or other channels",
        config.channels.len(),
        (samples.max(times) + times / 2) / times * times
    );
    Ok(Table::try_from(config)?)
}

/// Exactly four times as long, or a quarter.
fn window(channels: usize, kernel: usize) -> Window {
    let side = (kernel - FACTOR) / 2;
    Window {
        channels,
        kernel: [kernel, 1],
        stride: [FACTOR, 1],
        padding: [[side; 2], [0; 2]],
        dilation: [1; 2],
        groups: 1,
    }
}

fn generator(config: &Config, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
    let first = recipe.data.size.h / FACTOR.pow(config.channels.len() as u32);
    let init = match config.norm {
        Norm::Batch => Init::Normal(0.02),
        Norm::None => Init::He,
    };
    let mut net = NetBuilder::new([config.latent + config.classes, 1, 1], init, device, rng);
    net = hidden(config, net.linear([config.channels[0], first, 1]));
    for &channels in &config.channels[1..] {
        net = hidden(config, net.conv_transpose_with(window(channels, config.kernel)));
    }
    net.conv_transpose_with(window(1, config.kernel)).tanh().build()
}

/// What follows each layer of the generator but the last.
fn hidden<'a>(config: &Config, net: NetBuilder<'a>) -> NetBuilder<'a> {
    let net = if config.norm == Norm::Batch { net.batch_norm() } else { net };
    net.relu().dropout(config.tricks.keep_generator)
}

fn critic(config: &Config, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
    let init = if config.spectral_norm { Init::He } else { Init::Normal(0.02) };
    let mut net = NetBuilder::new(recipe.image(), init, device, rng).spectral_norm(config.spectral_norm);
    for &channels in &config.critic_channels {
        // What is too short for another quarter stays as long.
        let window = match net.shape()[1] {
            long if long.is_multiple_of(FACTOR) && long > FACTOR => window(channels, config.kernel),
            _ => {
                Window { kernel: [3, 1], stride: [1; 2], padding: [[1; 2], [0; 2]], ..window(channels, config.kernel) }
            }
        };
        net = net.conv_with(window).leaky_relu(0.2);
    }
    net.batch_deviation(config.tricks.minibatch_deviation).linear([1 + config.classes, 1, 1]).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::{Batch, Step, Trained};
    use burn::tensor::Tensor;

    fn recipe(samples: usize, table: &str) -> Result<Recipe> {
        let text = format!(
            "system = \"wavegan\"\n[data]\nname = \"x\"\nsize = [{samples}, 1]\nrate = 8000\n[train]\nbatch = 4\n[wavegan]\n{table}"
        );
        Recipe::parse(&text)
    }

    #[test]
    fn sounds_of_each_class_come_out_and_both_players_learn() {
        let recipe =
            recipe(192, "classes = 3\nlatent = 5\nchannels = [6, 4]\ncritic_channels = [4, 4, 4, 4]\nkernel = 8")
                .unwrap();
        let (device, mut rng) = (Device::flex().autodiff(), Rng::new(1, 0));
        let mut system = (KIND.build)(&recipe, &device, &mut rng).unwrap();
        let Trained::Generator(before) = system.trained() else { panic!("a generator ships") };
        let mut next_batch = || Batch::alone(Tensor::zeros([4, 1, 192, 1], &Device::flex()), vec![0, 1, 2, 1]);
        for _ in 0..3 {
            let mut step =
                Step { lr_generator: 1e-2, lr_critic: 1e-2, ema: 0.0, rng: &mut rng, next_batch: &mut next_batch };
            let losses = system.step(&mut step);
            assert!(losses.iter().all(|(_, value)| value.is_finite()), "{losses:?}");
        }
        let Trained::Generator(generator) = system.trained() else { panic!("a generator ships") };
        assert_eq!((generator.net.output, generator.classes, generator.input().dims), ([1, 192, 1], 3, 5));
        let drawn = generator.draw(2, &mut Rng::new(2, 0));
        let sounds = generator.generate(&drawn, &Device::flex());
        assert_ne!(sounds[0], sounds[1]);
        assert_ne!(sounds, before.generate(&drawn, &Device::flex()), "nothing was learned");
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_does() {
        let message = |samples, table| format!("{:#}", recipe(samples, table).unwrap_err());
        assert!(message(2000, "").contains("multiple of 256") && message(2000, "").contains("size = [2048, 1]"));
        assert!(message(2048, "kernel = 7").contains("kernel must be even"));
        let images = "system = \"wavegan\"\n[data]\nname = \"x\"\nsize = 32";
        assert!(format!("{:#}", Recipe::parse(images).unwrap_err()).contains("rate = 8000"));
    }
}
