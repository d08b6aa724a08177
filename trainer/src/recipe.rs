//! The recipe: everything that decides what a training run makes, in one TOML file.
//!
//! ```toml
//! system = "dcgan"
//! [data]
//! name = "mnist"
//! size = 28
//! [train]
//! steps = 6000
//! [dcgan]
//! channels = [64, 32, 16]
//! ```
//!
//! Everything but `system` and the data's name has a default. The table called like the system belongs to it
//! (`systems/dcgan.rs` documents `[dcgan]`). A run folder keeps the recipe with all defaults written out.

use anyhow::Result;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub use edgegen_data::{Background, Config as DataConfig, Fit, Resize, Size};

/// A checked recipe.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Name of the system that trains.
    pub system: String,
    /// Decides initial weights, latents and the order of the images.
    pub seed: u64,
    /// What it learns from.
    pub data: DataConfig,
    /// How it learns.
    pub train: TrainConfig,
    /// The system's own table, with defaults filled in.
    pub settings: Table,
}

/// The table `[train]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Steps; one is one update of the generator.
    pub steps: u64,
    /// Images in a batch.
    pub batch: usize,
    /// Mirror half of the images, drawn anew each epoch.
    pub flip: bool,
    /// Move each image by up to so many pixels both ways, drawn anew each epoch; pixels at the border are repeated.
    pub shift: usize,
    /// Adam's learning rate for the generator.
    pub lr_generator: f64,
    /// Adam's learning rate for the critic.
    pub lr_critic: f64,
    /// Adam's decay of the gradient's mean.
    pub beta1: f64,
    /// Adam's decay of the gradient's square.
    pub beta2: f64,
    /// How both learning rates change over the run.
    pub schedule: Schedule,
    /// Updates of the critic before each update of the generator (k of Goodfellow et al., 2014, algorithm 1).
    pub critic_steps: usize,
    /// Decay per step of the averaged weights that ship; early steps use min(ema, (1 + t) / (10 + t)).
    pub ema: f64,
    /// Steps between sample sheets.
    pub sample_every: u64,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            steps: 6000,
            batch: 64,
            flip: false,
            shift: 0,
            lr_generator: 1e-3,
            lr_critic: 1e-3,
            beta1: 0.0,
            beta2: 0.99,
            schedule: Schedule::Cosine,
            critic_steps: 1,
            ema: 0.998,
            sample_every: 500,
            checkpoint_every: 500,
        }
    }
}

/// Learning rate over the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Always the same.
    Constant,
    /// Half a cosine from the full rate down to a tenth of it at the last step.
    Cosine,
}

impl Schedule {
    /// Factor of the learning rate at `step` (from 0) of `steps`.
    pub fn factor(self, step: u64, steps: u64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Cosine => {
                let done = (step as f64 / steps.max(1) as f64).min(1.0);
                0.1 + 0.45 * (1.0 + (std::f64::consts::PI * done).cos())
            }
        }
    }
}

/// The distribution of latent values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prior {
    /// Standard normal.
    Gaussian,
    /// Uniform on [−1, 1].
    Uniform,
}

impl Recipe {
    /// The recipe as TOML, with all defaults written out.
    pub fn to_toml(&self) -> String {
        let mut table = Table::new();
        table.insert("system".into(), Value::String(self.system.clone()));
        table.insert("seed".into(), Value::Integer(self.seed as i64));
        let plain = "strings and numbers always serialize";
        table.insert("data".into(), Value::try_from(&self.data).expect(plain));
        table.insert("train".into(), Value::try_from(&self.train).expect(plain));
        table.insert(self.system.clone(), Value::Table(self.settings.clone()));
        toml::to_string(&table).expect(plain)
    }

    /// `[C, H, W]` of the images, as networks see them.
    pub fn image(&self) -> [usize; 3] {
        [self.data.channels, self.data.size.h, self.data.size.w]
    }

    /// The system's own table as its config.
    ///
    /// # Errors
    ///
    /// If the table has an unknown key or a value of the wrong kind.
    pub fn settings<C: DeserializeOwned>(&self) -> Result<C> {
        section(&self.system, self.settings.clone())
    }
}

/// Reads one table, saying its name when it is wrong.
pub(crate) fn section<C: DeserializeOwned>(name: &str, table: Table) -> Result<C> {
    Value::Table(table)
        .try_into()
        .map_err(|error: toml::de::Error| anyhow::anyhow!("[{name}] {}", error.message().trim().replace('\n', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_ends_at_a_tenth() {
        assert!((Schedule::Cosine.factor(0, 10) - 1.0).abs() < 1e-12);
        assert!((Schedule::Cosine.factor(10, 10) - 0.1).abs() < 1e-12);
        assert_eq!(Schedule::Constant.factor(5, 10), 1.0);
    }
}
