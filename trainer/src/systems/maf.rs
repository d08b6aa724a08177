//! `maf`: a masked autoregressive flow, with the exact likelihood in one pass and samples in D steps.
//!
//! ```text
//! x_i = μ_i(x_<i) + e^{α_i(x_<i)} u_i,  u ~ N(0, I)        log p(x) = log N(u) − Σ α_i
//! ```
//!
//! Papamakarios et al., "Masked Autoregressive Flow for Density Estimation" (2017): a stack of MADEs, each on what is left of the data by the one before, in
//! reversed order, with a batch normalization behind each ([`flow`](super::flow)). Differences from the paper: what ships has averaged weights and
//! statistics averaged over the last steps, where the paper takes those of the whole training set at the end (the density is exact with either); no
//! weight decay; no early stop.
//!
//! Knobs: `blocks`, MADEs in the stack; `hidden`, units of each one's hidden layers; `batch_norm`; `lambda` of the logits of images.

use anyhow::{Result, ensure};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::flow::{Density, Space, Stack, sampler};
use super::{Generator, Kind, made};
use crate::nets::layer::{Conditional, Way};
use crate::recipe::Recipe;
use crate::rng::Rng;

/// The table `[maf]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// MADEs in the stack.
    pub blocks: usize,
    /// Units of each one's hidden layers.
    pub hidden: Vec<usize>,
    /// A batch normalization behind each.
    pub batch_norm: bool,
    /// How near to black and white logits are taken, of images.
    pub lambda: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { blocks: 5, hidden: vec![64, 64], batch_norm: true, lambda: 1e-6 }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "maf",
    about: "masked autoregressive flow: exact likelihood in one pass, samples in as many steps as values",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        Ok(config.sampler(recipe, device, rng))
    },
    build: |recipe, device, rng| Ok(build(recipe, device, rng)?),
};

/// The untrained flow.
///
/// # Errors
///
/// If the recipe's table is wrong.
pub fn build(recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Box<Density>> {
    let config: Config = recipe.settings()?;
    let space = Space::of(recipe, config.lambda);
    Ok(Box::new(Density::new(&config.stack(), space, recipe, device, rng)))
}

impl Config {
    /// What draws, before it has learned.
    pub(super) fn sampler(&self, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Generator {
        let image = recipe.image();
        let net = self.stack().net(image.iter().product(), device, rng);
        sampler(&net, Space::of(recipe, self.lambda), image)
    }

    fn stack(&self) -> Stack<'_> {
        Stack {
            blocks: self.blocks,
            hidden: &self.hidden,
            conditional: Conditional::Gaussian,
            way: Way::InTurn,
            batch_norm: self.batch_norm,
        }
    }
}

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    ensure!(config.blocks >= 1, "[maf] blocks must be at least 1, found 0");
    made::check("maf", &config.hidden, config.lambda)?;
    Ok(Table::try_from(config)?)
}
