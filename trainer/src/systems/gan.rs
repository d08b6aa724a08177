//! `gan`: the game of 2014, two multilayer perceptrons.
//!
//! The generator tries to make images that the critic takes for real ones:
//!
//! ```text
//! min_G max_D  E_x log D(x) + E_z log(1 − D(G(z)))
//! ```
//!
//! Goodfellow et al., "Generative Adversarial Nets" (2014), eq. 1. Their MNIST networks: G reads 100 uniform numbers
//! through ReLU layers into a sigmoid, D is a maxout network of 5 pieces with dropout (keep 0.8 at the input, 0.5
//! inside). Here the same nets with smaller hidden layers by default, so that a CPU trains them in minutes, and Adam
//! in place of SGD with momentum.
//!
//! Knobs: `loss` (`minimax` saturates early on, `non-saturating` is what the paper trains with, §3), the sizes,
//! `maxout_pieces` (0 for LeakyReLU), the dropout, and k as `[train] critic_steps`. For points of the plane, take `output = "linear"`. A `penalty`
//! needs a critic of LeakyReLUs without dropout. With `classes`, the generator draws the class it is asked for, as in [`cgan`](super::cgan).
//! `[gan.tricks]` is for all games ([`tricks`](super::tricks)).

use anyhow::{Result, ensure};
use burn::tensor::Device;
use edgegen_export::layers::PixelRange;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::adversarial::{Adversarial, Loss, Players};
use super::penalty::Penalty;
use super::tricks::Tricks;
use super::{Generator, Kind, System};
use crate::nets::{Init, Net, NetBuilder};
use crate::recipe::{Prior, Recipe};
use crate::rng::Rng;

/// The table `[gan]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Length of the latent vector.
    pub latent: usize,
    /// How it is drawn.
    pub prior: Prior,
    /// Widths of the generator's hidden layers; the paper has 1200, 1200.
    pub hidden: Vec<usize>,
    /// Widths of the critic's hidden layers; the paper has 240, 240.
    pub critic_hidden: Vec<usize>,
    /// Linear pieces of each maxout unit of the critic; 0 for LeakyReLU(0.2) instead.
    pub maxout_pieces: usize,
    /// Probability that the critic sees a pixel while it trains.
    pub keep_input: f32,
    /// Probability that a hidden unit of the critic takes part while it trains.
    pub keep_hidden: f32,
    /// Range and last layer of the generator.
    pub output: Output,
    /// What the players minimize.
    pub loss: Loss,
    /// What else the critic minimizes: `"none"`, `{ gradient = 10.0 }` (WGAN-GP) or `{ zero-centred = 1.0 }` (R1 and
    /// R2).
    pub penalty: Penalty,
    /// Classes that the generator can be asked for; 0 for none.
    pub classes: usize,
    /// What else is done.
    pub tricks: Tricks,
}

/// The generator's last layer, and with it what its values mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// Values in [0, 1], as in the paper.
    Sigmoid,
    /// Values in [−1, 1].
    Tanh,
    /// Values around [−1, 1]: points of the plane.
    Linear,
}

impl Output {
    fn pixels(self) -> PixelRange {
        match self {
            Self::Sigmoid => PixelRange::Unit,
            Self::Tanh | Self::Linear => PixelRange::Symmetric,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            latent: 100,
            prior: Prior::Uniform,
            hidden: vec![256, 256],
            critic_hidden: vec![128, 128],
            maxout_pieces: 5,
            keep_input: 0.8,
            keep_hidden: 0.5,
            output: Output::Sigmoid,
            loss: Loss::NonSaturating,
            penalty: Penalty::None,
            classes: 0,
            tricks: Tricks::default(),
        }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "gan",
    about: "the MLP game of 2014 for images and points of the plane, maxout critic with dropout",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        Ok(Generator {
            net: generator(&config, image(recipe), device, rng),
            prior: config.prior,
            classes: config.classes,
            pixels: config.output.pixels(),
            more: vec![],
        })
    },
    build,
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    ensure!(config.latent >= 1, "[gan] latent must be at least 1, found 0");
    ensure!(
        !config.hidden.contains(&0) && !config.critic_hidden.contains(&0),
        "[gan] hidden layers must have at least 1 unit: remove the 0"
    );
    for (key, keep) in [("keep_input", config.keep_input), ("keep_hidden", config.keep_hidden)] {
        ensure!(keep > 0.0 && keep <= 1.0, "[gan] {key} must be above 0 and at most 1 (no dropout), found {keep}");
    }
    config.penalty.check("gan")?;
    config.tricks.check("gan", config.loss, config.penalty, config.classes)?;
    ensure!(config.classes <= 256, "[gan] classes must be at most 256, found {}", config.classes);
    ensure!(
        config.penalty == Penalty::None
            || config.maxout_pieces == 0 && config.keep_input == 1.0 && config.keep_hidden == 1.0,
        "[gan] a penalty needs a critic with a slope everywhere: set maxout_pieces = 0, keep_input = 1.0 and keep_hidden = 1.0"
    );
    Ok(Table::try_from(config)?)
}

fn build(recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Box<dyn System>> {
    let config: Config = recipe.settings()?;
    let players = Players {
        generator: generator(&config, image(recipe), device, rng),
        critic: critic(&config, image(recipe), device, rng),
        loss: config.loss,
        penalty: config.penalty,
        tricks: config.tricks,
        classes: config.classes,
        prior: config.prior,
        pixels: config.output.pixels(),
        more: vec![],
        mixing: 0.0,
    };
    Ok(Box::new(Adversarial::new(players, &recipe.train, device)))
}

fn image(recipe: &Recipe) -> [usize; 3] {
    recipe.image()
}

fn generator(config: &Config, image: [usize; 3], device: &Device, rng: &mut Rng) -> Net {
    let mut net = NetBuilder::new([config.latent + config.classes, 1, 1], Init::He, device, rng);
    for &units in &config.hidden {
        net = net.linear([units, 1, 1]).relu().dropout(config.tricks.keep_generator);
    }
    let net = net.linear(image);
    match config.output {
        Output::Sigmoid => net.sigmoid(),
        Output::Tanh => net.tanh(),
        Output::Linear => net,
    }
    .build()
}

/// The critic of a recipe before its first step.
pub(super) fn untrained_critic(recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Net> {
    Ok(critic(&recipe.settings()?, image(recipe), device, rng))
}

fn critic(config: &Config, image: [usize; 3], device: &Device, rng: &mut Rng) -> Net {
    let mut net = NetBuilder::new(image, Init::He, device, rng).dropout(config.keep_input);
    for &units in &config.critic_hidden {
        net = match config.maxout_pieces {
            0 => net.linear([units, 1, 1]).leaky_relu(0.2),
            pieces => net.linear([units * pieces, 1, 1]).maxout(pieces),
        };
        net = net.dropout(config.keep_hidden);
    }
    net.batch_deviation(config.tricks.minibatch_deviation).linear([1 + config.classes, 1, 1]).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::Mode;
    use burn::tensor::Tensor;

    fn recipe(table: &str) -> Result<Recipe> {
        Recipe::parse(&format!("system = \"gan\"\n[data]\nname = \"mnist\"\nsize = 8\n[gan]\n{table}"))
    }

    #[test]
    fn networks_have_the_shapes_of_the_paper() {
        let config = Config { hidden: vec![1200, 1200], critic_hidden: vec![240, 240], ..Config::default() };
        let device = Device::flex();
        let mut rng = Rng::new(0, 0);
        let generator = generator(&config, [1, 28, 28], &device, &mut rng);
        let critic = critic(&config, [1, 28, 28], &device, &mut rng);
        let latents = Tensor::<4>::zeros([3, 100, 1, 1], &device);
        let images = generator.forward(latents, &mut Mode::Eval);
        assert_eq!(images.dims(), [3, 1, 28, 28]);
        assert_eq!(critic.forward(images, &mut Mode::Eval).dims(), [3, 1, 1, 1]);
    }

    #[test]
    fn bad_tables_are_refused() {
        for (table, expected) in [
            ("latent = 0", "latent must be at least 1"),
            ("keep_hidden = 0.0", "keep_hidden must be above 0"),
            ("classes = 257", "classes must be at most 256"),
            ("penalty = { zero-centred = 1.0 }", "set maxout_pieces = 0"),
            ("[gan.tricks]\nauxiliary_classifier = true", "[gan.tricks] auxiliary_classifier needs classes"),
            ("loss = \"earth-mover\"", "[gan] loss: unknown variant `earth-mover`"),
        ] {
            let message = format!("{:#}", recipe(table).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
        assert!(recipe("loss = \"minimax\"").is_ok());
    }
}
