//! `made`: one network that has the distribution of each pixel given those before it.
//!
//! ```text
//! log p(x) = Σ log p(x_i | x_<i)
//! ```
//!
//! Germain et al., "MADE: Masked Autoencoder for Distribution Estimation" (2015). Masks on the weights see to it that what is said of a pixel depends on
//! those before it alone ([`Autoregressive`](crate::nets::layer::Autoregressive)); a hidden layer of at least D − 1 units has every degree, a narrower one
//! spreads its degrees evenly, and both layers and masks stay the same (one order, one mask). Of bits the generator draws one after the other from uniform
//! noise, and shows of each the probability of white that it was drawn by, as a VAE's decoder does.
//!
//! Knobs: `conditionals`, `"bernoulli"` for bits or `"gaussian"` for logits of grey levels (points as they are); `hidden`, units of
//! each hidden layer; `lambda` of the logits.

use anyhow::{Result, ensure};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::flow::{Density, Space, Stack, sampler};
use super::{Generator, Kind};
use crate::nets::layer::{Conditional, Way};
use crate::recipe::Recipe;
use crate::rng::Rng;

/// p(x_i | x_<i).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conditionals {
    /// Black or white with a probability.
    Bernoulli,
    /// N(μ, e^{2α}).
    Gaussian,
}

/// The table `[made]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// p(x_i | x_<i).
    pub conditionals: Conditionals,
    /// Units of each hidden layer.
    pub hidden: Vec<usize>,
    /// How near to black and white logits are taken, of Gaussians.
    pub lambda: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { conditionals: Conditionals::Bernoulli, hidden: vec![512], lambda: 1e-6 }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "made",
    about: "each pixel given those before it, by one network with masks; exact likelihood",
    normalize,
    generator: |recipe, device, rng| Ok(generator(&recipe.settings()?, recipe, device, rng)),
    build: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        Ok(Box::new(Density::new(&config.stack(), config.space(recipe), recipe, device, rng)))
    },
};

impl Config {
    fn stack(&self) -> Stack<'_> {
        let conditional = match self.conditionals {
            Conditionals::Bernoulli => Conditional::Bernoulli,
            Conditionals::Gaussian => Conditional::Gaussian,
        };
        Stack { blocks: 1, hidden: &self.hidden, conditional, way: Way::InTurn, batch_norm: false }
    }

    fn space(&self, recipe: &Recipe) -> Space {
        match self.conditionals {
            Conditionals::Bernoulli => Space::Bits,
            Conditionals::Gaussian => Space::of(recipe, self.lambda),
        }
    }
}

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    check("made", &config.hidden, config.lambda)?;
    ensure!(
        config.conditionals == Conditionals::Gaussian || recipe.image() != [2, 1, 1],
        "[made] expected conditionals = \"gaussian\" for points of the plane, found \"bernoulli\", which are for images"
    );
    Ok(Table::try_from(config)?)
}

/// Checks what the systems of this family have in common.
pub(super) fn check(system: &str, hidden: &[usize], lambda: f64) -> Result<()> {
    ensure!(
        !hidden.is_empty() && !hidden.contains(&0),
        "[{system}] expected hidden layers of at least 1 unit, found hidden = {hidden:?}: [64] has one layer of 64"
    );
    ensure!(
        lambda > 0.0 && lambda < 0.5,
        "[{system}] lambda must be above 0 and below 0.5, found {lambda}: the papers have 1e-6 for MNIST, 0.05 for CIFAR-10"
    );
    Ok(())
}

fn generator(config: &Config, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Generator {
    let image = recipe.image();
    sampler(&config.stack().net(image.iter().product(), device, rng), config.space(recipe), image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_tables_are_refused() {
        for (data, table, expected) in [
            ("mnist", "hidden = []", "expected hidden layers"),
            ("mnist", "hidden = [8, 0]", "found hidden = [8, 0]"),
            ("mnist", "lambda = 0.5", "lambda must be above 0"),
            ("ring", "", "expected conditionals = \"gaussian\" for points"),
        ] {
            let text = format!("system = \"made\"\n[data]\nname = \"{data}\"\n[made]\n{table}");
            let message = format!("{:#}", Recipe::parse(&text).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
    }
}
