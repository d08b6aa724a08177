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
    /// Folder of the run whose weights it starts from; nothing for weights drawn by the seed.
    pub from: Option<String>,
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
    /// Steps between measures on a small set; 0 for none.
    pub eval_every: u64,
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
            eval_every: 0,
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
        if let Some(run) = &self.from {
            table.insert("from".into(), Value::String(run.clone()));
        }
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

/// Reads one table, saying its name, and the key's where one has a value of the wrong kind, when it is wrong.
pub(crate) fn section<C: DeserializeOwned>(name: &str, table: Table) -> Result<C> {
    Value::Table(table).try_into().map_err(|error: toml::de::Error| {
        // Only the display names the key, on a line of its own: in `tricks.replay`.
        let display = error.to_string();
        let key = display.lines().find_map(|line| line.strip_prefix("in `")?.strip_suffix('`'));
        let message = plain(&error.message().trim().replace('\n', " "));
        match key {
            Some(key) if !message.contains(&format!("`{key}`")) => anyhow::anyhow!("[{name}] {key}: {message}"),
            _ => anyhow::anyhow!("[{name}] {message}"),
        }
    })
}

/// What serde says of a value of the wrong kind, in words of a recipe.
fn plain(message: &str) -> String {
    let wrong = ["invalid type: ", "invalid value: "].iter().find_map(|start| message.strip_prefix(start));
    let Some((found, expected)) = wrong.and_then(|rest| rest.split_once(", expected ")) else {
        return message.to_owned();
    };
    let expected = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 on",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        other => other,
    };
    format!("expected {expected}, found {}", found.replace('`', ""))
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
