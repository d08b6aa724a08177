//! `biggan`: a residual generator that the class and the latent vector steer at every size.
//!
//! Brock, Donahue and Simonyan, "Large Scale GAN Training for High Fidelity Natural Image Synthesis" (2019), at the
//! scale of a microcontroller: their §3 and appendix B without their self-attention and their 512 pixels.
//!
//! ```text
//! z = z₀ z₁ … z_B        a part for the first map and for each block (skip-z)
//! e = E·y                one embedding of the class for all blocks
//!
//! z₀ ─linear─► C₀ × b × b ─ norm, ReLU ─ block(z₁, e) ─ … ─ block(z_B, e) ─ conv 3×3 ─ tanh
//!
//! block:  x ─nearest ×2─ conv 3×3 ─ norm ─ · γ₁ + β₁ ─ ReLU ─ conv 3×3 ─ norm ─ · γ₂ + β₂ ─⊕─ ReLU
//!         └─conv 1×1 ─ norm ─ nearest ×2 ──────────────────────────────────────────────────┘
//!         γ = 1 + W·(z_b, e),  β = V·(z_b, e)        one for each channel, other W, V at each place
//! ```
//!
//! A norm is batch normalization (with a factor and an offset of its own where none is drawn). The paper normalizes
//! first; here each convolution is normalized behind itself, as in [`dcgan`](super::dcgan)'s residual blocks, so that
//! export folds it into the weights. Weights of both players are over their largest singular value and start
//! orthogonal; the generator pays for filters that are alike (their eq. 3; `orthogonal` in `[biggan.tricks]`, 0.0001
//! where that table is left out). The critic scores classes by projection ([`adversarial`](super::adversarial)), the
//! loss is the hinge, `[train] critic_steps` should be 2 and the critic's rate above the generator's (theirs 2e-4 and
//! 5e-5). The truncation trick (§3.1) is `edgegen sample --truncation` and `eval --truncation`.
//!
//! Knobs: `classes`, `latent`, `embedding`, the channels of both.

use anyhow::{Result, ensure};
use burn::tensor::Device;
use edgegen_export::layers::PixelRange;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::adversarial::{Adversarial, Loss, Players};
use super::dcgan::{self, Head};
use super::penalty::Penalty;
use super::sizes::reduced;
use super::tricks::Tricks;
use super::{Generator, Kind};
use crate::nets::{Init, Mark, Net, NetBuilder};
use crate::recipe::{Prior, Recipe};
use crate::rng::Rng;

/// The table `[biggan]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Classes that the generator can be asked for.
    pub classes: usize,
    /// Length of the latent vector, of which the first map and each block have an equal part.
    pub latent: usize,
    /// How it is drawn.
    pub prior: Prior,
    /// Length of the embedding of a class.
    pub embedding: usize,
    /// Channels of the generator's maps, smallest map first; a block lies between two of them.
    pub channels: Vec<usize>,
    /// Channels of the critic, largest map first, as of a `dcgan`.
    pub critic_channels: Vec<usize>,
    /// What the players minimize.
    pub loss: Loss,
    /// What else is done, for all games ([`tricks`](super::tricks)).
    pub tricks: Tricks,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            classes: 10,
            latent: 30,
            prior: Prior::Gaussian,
            embedding: 16,
            channels: vec![64, 48, 32],
            critic_channels: vec![32, 64, 64],
            loss: Loss::Hinge,
            tricks: Tricks { orthogonal: 1e-4, ..Tricks::default() },
        }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "biggan",
    about: "residual generator of classes with conditional batch norm, images of 8 to 224 pixels",
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
            penalty: Penalty::None,
            tricks: config.tricks,
            classes: config.classes,
            prior: config.prior,
            pixels: PixelRange::Symmetric,
            more: vec![],
            mixing: 0.0,
        };
        Ok(Box::new(Adversarial::new(players, &recipe.train, device)))
    },
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    ensure!((2..=256).contains(&config.classes), "[biggan] classes must be 2 to 256, found {}", config.classes);
    ensure!(config.embedding >= 1, "[biggan] embedding must be at least 1, found 0");
    ensure!(
        config.channels.len() >= 2,
        "[biggan] expected at least two channels, between which a block lies, found {:?}",
        config.channels
    );
    dcgan::check(&alike(&config), recipe)?;
    let parts = config.channels.len();
    ensure!(
        config.latent.is_multiple_of(parts),
        "[biggan] expected latent in {parts} equal parts, for the first map and {} blocks, found {}: use {}",
        parts - 1,
        config.latent,
        config.latent.next_multiple_of(parts)
    );
    Ok(Table::try_from(config)?)
}

/// The `dcgan` with maps of the same sizes and the same critic.
fn alike(config: &Config) -> dcgan::Config {
    dcgan::Config {
        latent: config.latent,
        channels: config.channels.clone(),
        critic_channels: config.critic_channels.clone(),
        head: Head::Conv3,
        loss: config.loss,
        classes: config.classes,
        tricks: config.tricks.clone(),
        ..dcgan::Config::default()
    }
}

fn generator(config: &Config, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
    let [colours, ..] = recipe.image();
    let blocks = config.channels.len() - 1;
    let first = reduced(recipe.data.size, blocks);
    let part = config.latent / (blocks + 1);
    let mut net = NetBuilder::new([config.latent + config.classes, 1, 1], Init::Orthogonal, device, rng);
    let input = net.mark();
    // The embedding is a table, not a map of something: its size is its own.
    net = net.part(config.latent, config.classes).linear([config.embedding, 1, 1]).spectral_norm(true);
    let class = net.mark();
    net = net.at(input).part(0, part).linear([config.channels[0], first.h, first.w]).batch_norm().relu();
    for (block, &channels) in config.channels[1..].iter().enumerate() {
        let map = net.mark();
        net = net.at(input).part((block + 1) * part, part).concat(class);
        let style = net.mark();
        net = residual(net.at(map), channels, style).dropout(config.tricks.keep_generator);
    }
    net.conv(colours, 3, 1, 1).tanh().build()
}

fn residual(mut net: NetBuilder<'_>, channels: usize, style: Mark) -> NetBuilder<'_> {
    let start = net.mark();
    net = net.conv(channels, 1, 1, 0).batch_norm().upsample_nearest(2);
    let shortcut = net.mark();
    net = net.at(start).upsample_nearest(2).conv(channels, 3, 1, 1).batch_norm_alone().modulate(style).relu();
    net.conv(channels, 3, 1, 1).batch_norm_alone().modulate(style).add(shortcut).relu()
}

fn critic(config: &Config, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
    let net = NetBuilder::new(recipe.image(), Init::Orthogonal, device, rng).spectral_norm(true);
    dcgan::scores(&alike(config), net)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::{Batch, Losses, Step, System, Trained};
    use burn::tensor::{Tensor, TensorData};

    fn recipe(table: &str) -> Result<Recipe> {
        Recipe::parse(&format!(
            "system = \"biggan\"\n[data]\nname = \"x\"\nsize = 16\n[train]\nbatch = 6\ncritic_steps = 2\n[biggan]\nclasses = 3\n{table}"
        ))
    }

    const SMALL: &str = "latent = 6\nembedding = 4\nchannels = [6, 5, 4]\ncritic_channels = [4, 6]";

    fn play(table: &str, steps: u64) -> (Box<dyn System>, Losses) {
        let recipe = recipe(table).unwrap();
        let mut rng = Rng::new(1, 0);
        let mut system = (KIND.build)(&recipe, &Device::flex().autodiff(), &mut rng).unwrap();
        let mut losses = Losses::new();
        for _ in 0..steps {
            let mut next_batch = || {
                let pixels: Vec<f32> =
                    (0..6 * 256).map(|at| ((at / 256) as f32 * 0.7 + at as f32 * 0.1).sin()).collect();
                let images = Tensor::from_data(TensorData::new(pixels, [6, 1, 16, 16]), &Device::flex());
                Batch::alone(images, vec![0, 1, 2, 0, 1, 2])
            };
            let (lr_generator, lr_critic, ema) = (1e-2, 1e-2, 0.9);
            let mut step = Step { lr_generator, lr_critic, ema, rng: &mut rng, next_batch: &mut next_batch };
            losses = system.step(&mut step);
        }
        (system, losses)
    }

    #[test]
    fn each_part_of_what_it_reads_changes_the_image() {
        let (system, losses) = play(SMALL, 3);
        assert!(losses.iter().all(|(_, value)| value.is_finite()), "{losses:?}");
        let Trained::Generator(generator) = system.trained() else { panic!("a generator ships") };
        assert_eq!((generator.net.output, generator.input().dims, generator.classes), ([1, 16, 16], 6, 3));
        let plain = vec![0.5, -0.5, 1.0, 0.2, -1.0, 0.7, 1.0, 0.0, 0.0];
        let other = |at: usize| {
            let mut other = plain.clone();
            match at {
                6.. => (other[6], other[at]) = (0.0, 1.0),
                _ => other[at] += 1.0,
            }
            other
        };
        // A value of each of the three parts, and the other classes.
        let inputs: Vec<Vec<f32>> = [plain.clone()].into_iter().chain([0, 2, 5, 7, 8].map(other)).collect();
        let images = generator.generate(&inputs, &Device::flex());
        for (a, image) in images.iter().enumerate() {
            assert!(images[..a].iter().all(|earlier| earlier != image), "{a}");
        }
    }

    #[test]
    fn what_ships_says_the_same_as_a_network_of_the_exporter() {
        let (system, _) = play(SMALL, 3);
        let Trained::Generator(generator) = system.trained() else { panic!("a generator ships") };
        let network = crate::lower::lower(&generator).unwrap();
        let inputs = generator.draw(3, &mut Rng::new(4, 0));
        for (input, expected) in inputs.iter().zip(generator.generate(&inputs, &Device::flex())) {
            let found = network.forward(std::slice::from_ref(input)).unwrap().values;
            let difference = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(difference < 1e-4, "{difference}");
        }
    }

    #[test]
    fn alike_filters_cost() {
        let last = |weight: &str| play(&format!("{SMALL}\n[biggan.tricks]\northogonal = {weight}"), 1).1;
        let [none, some] = ["0.0", "1.0"].map(last);
        // The loss that is shown is the game's own, and the first step is the same but for it.
        assert_eq!(none, some);
        let weights = |weight: &str| {
            let (system, _) = play(&format!("{SMALL}\n[biggan.tricks]\northogonal = {weight}"), 30);
            let Trained::Generator(generator) = system.trained() else { panic!("a generator ships") };
            generator.net.likeness().unwrap().into_scalar::<f32>()
        };
        let [none, some] = ["0.0", "1.0"].map(weights);
        assert!(some < 0.5 * none, "{none} without, {some} with");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (table, expected) in [
            (
                "latent = 32\nchannels = [6, 5, 4]",
                "latent in 3 equal parts, for the first map and 2 blocks, found 32: use 33",
            ),
            ("channels = [4]", "at least two channels"),
            ("channels = [4, 4]", "use channels = [4, 4, 2] for images of 16×16"),
            ("embedding = 0", "embedding must be at least 1"),
            ("[biggan.tricks]\northogonal = -1.0", "[biggan.tricks] orthogonal must not be negative"),
        ] {
            let message = format!("{:#}", recipe(table).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
        assert_eq!(recipe(SMALL).unwrap().settings::<Config>().unwrap().tricks.orthogonal, 1e-4);
    }
}
