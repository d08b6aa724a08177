//! `gmm`: a mixture of Gaussians by expectation and maximization.
//!
//! ```text
//! p(x) = Σ_k π_k N(x; μ_k, Σ)        x = μ_k + A z,   A Aᵀ ≈ Σ
//! ```
//!
//! Dempster, Laird and Rubin (1977); the steps are in [`edgegen_metrics::baselines::gmm`]. Components share one covariance: of an image of
//! 784 pixels there are too few samples for one each, and so what ships is one linear layer, which reads the latent vector and behind it which
//! component to draw. A step is one step of EM on one batch, so the batch should be the whole set: `[train] batch = 60000`. Seeds take the
//! components in turn, whatever their weights. Learning rates mean nothing.
//!
//! Knobs: `components`; `latent`, the directions of Σ that ship; `floor`, added to each variance in each step.

use std::cell::OnceCell;
use std::path::Path;

use anyhow::{Result, ensure};
use burn::tensor::Tensor;
use edgegen_metrics::Features;
use edgegen_metrics::baselines::gmm::{self, Gmm};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::likelihood::Unit;
use super::{Generator, Kind, Losses, Step, System, Trained, linear};
use crate::recipe::Recipe;

/// The table `[gmm]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Number of Gaussians.
    pub components: usize,
    /// Which covariances they have; only `"tied"` makes a generator.
    pub covariance: Covariance,
    /// Directions of the covariance that ship, the length of the latent vector.
    pub latent: usize,
    /// Added to the variance of each pixel, of values from 0 to 1, in each step.
    pub floor: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { components: 10, covariance: Covariance::Tied, latent: 64, floor: 1e-3 }
    }
}

/// Which covariances the components have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Covariance {
    /// One for all.
    Tied,
    /// Each its own, as [`gmm::Covariance::Full`] fits them to points; no linear layer draws from that.
    Full,
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "gmm",
    about: "mixture of Gaussians by EM; which component to draw is chosen on the device",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        Ok(linear::generator(config.latent, config.components, recipe, device, rng))
    },
    build: |recipe, device, rng| {
        let empty = (KIND.generator)(recipe, &device.clone().inner(), rng)?;
        let (config, unit) = (recipe.settings()?, Unit::of(recipe));
        Ok(Box::new(Training { config, unit, mixture: None, empty, made: OnceCell::new() }))
    },
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    let (batch, pixels) = (recipe.train.batch, linear::pixels(recipe));
    ensure!(
        config.covariance == Covariance::Tied,
        "[gmm] covariance = \"full\" makes no generator of one linear layer, which alone can be exported: use \"tied\""
    );
    ensure!(
        (1..=batch).contains(&config.components),
        "[gmm] components must be 1 to [train] batch = {batch}, best the whole set, found {}",
        config.components
    );
    ensure!(
        (1..=pixels).contains(&config.latent),
        "[gmm] latent must be 1 to {pixels}, the values of an image, found {}",
        config.latent
    );
    ensure!(config.floor > 0.0, "[gmm] floor must be above 0, found {}", config.floor);
    Ok(Table::try_from(config)?)
}

/// The mixture so far; none before the first step.
struct Training {
    config: Config,
    unit: Unit,
    mixture: Option<Gmm>,
    /// Without weights.
    empty: Generator,
    /// What the mixture comes to; eigenvectors take seconds, and are asked for more than once a step.
    made: OnceCell<Generator>,
}

impl Training {
    const FILE: &str = "mixture.f64";
}

impl System for Training {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let samples = linear::samples((step.next_batch)().images);
        let Config { components, floor, .. } = self.config;
        let mixture = self.mixture.get_or_insert_with(|| {
            let seed = step.rng.below(usize::MAX) as u64;
            Gmm::start(&samples, components, gmm::Covariance::Tied, floor, seed)
        });
        let log_likelihood = mixture.step(&samples);
        self.made = OnceCell::new();
        let least = mixture.weights().into_iter().fold(f64::INFINITY, f64::min);
        vec![("log_likelihood", log_likelihood as f32), ("least_weight", least as f32)]
    }

    fn trained(&self) -> Trained {
        let Some(mixture) = &self.mixture else { return Trained::Generator(self.empty.clone()) };
        let made = self.made.get_or_init(|| {
            let Config { components, latent, .. } = self.config;
            let (directions, means) = (mixture.directions(0, latent), mixture.means());
            let pixels = means.len() / components;
            let row = |pixel: usize| {
                let of = means.iter().skip(pixel).step_by(pixels).map(|&mean| mean as f32);
                directions[pixel * latent..][..latent].iter().copied().chain(of)
            };
            linear::filled(&self.empty, (0..pixels).flat_map(row).collect(), vec![0.0; pixels])
        });
        Trained::Generator(made.clone())
    }

    /// Mean log-density of test images, in nats, of pixels from 0 to 1, and bits for each grey level.
    fn score(&self, test: &mut dyn FnMut() -> Option<Tensor<4>>) -> Losses {
        let Some(mixture) = &self.mixture else { return Losses::new() };
        let batches: Vec<Features> = linear::all_samples(test).collect();
        let Some(all) = batches.into_iter().reduce(|all, batch| all.concat(&batch)) else { return Losses::new() };
        self.unit.losses(mixture.log_likelihood(&all))
    }

    fn save(&self, folder: &Path) -> Result<()> {
        let values =
            self.mixture.as_ref().map_or_else(Vec::new, |m| [m.weights(), m.means(), m.covariances()].concat());
        linear::save(&folder.join(Self::FILE), &values)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        let Config { components, floor, .. } = self.config;
        let pixels = linear::pixels_of(&self.empty);
        let (means, covariance) = (components * pixels, pixels * pixels);
        let values = linear::load(&folder.join(Self::FILE), components + means + covariance)?;
        self.mixture = (!values.is_empty()).then(|| {
            let (weights, rest) = values.split_at(components);
            let (means, covariance) = rest.split_at(means);
            Gmm::new(gmm::Covariance::Tied, floor, weights, means, covariance)
        });
        self.made = OnceCell::new();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use crate::systems::Batch;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn components_are_drawn_around_their_means() {
        let recipe = Recipe::parse(
            "system = \"gmm\"\n[data]\nname = \"x\"\nsize = 4\n[gmm]\ncomponents = 2\nlatent = 1\nfloor = 1e-6",
        )
        .unwrap();
        let device = Device::flex();
        let (mut rng, mut draw) = (Rng::new(1, 0), Rng::new(2, 0));
        let mut system = (KIND.build)(&recipe, &device.clone().autodiff(), &mut rng).unwrap();
        // Grey levels 0.2 and 0.7, both with a deviation of 0.05.
        let mut next_batch = || {
            let image = |at: usize| vec![[0.2, 0.7][at % 2] + 0.05 * draw.normal(); 16];
            let values: Vec<f32> = (0..400).flat_map(image).map(|x| 2.0 * x - 1.0).collect();
            Batch::alone(Tensor::from_data(TensorData::new(values, [400, 1, 4, 4]), &device), Vec::new())
        };
        for _ in 0..5 {
            let mut step =
                Step { lr_generator: 0.0, lr_critic: 0.0, ema: 0.0, rng: &mut rng, next_batch: &mut next_batch };
            system.step(&mut step);
        }
        let Trained::Generator(generator) = system.trained() else { panic!("a generator ships") };
        let mut means: Vec<f32> = [[1.0, 0.0], [0.0, 1.0]]
            .map(|class| generator.generate(&[[&[0.0][..], &class].concat()], &device)[0][3])
            .to_vec();
        means.sort_by(f32::total_cmp);
        assert!((means[0] - 0.2).abs() < 0.02 && (means[1] - 0.7).abs() < 0.02, "{means:?}");
        let [low, high] = [-1.0, 1.0].map(|z| generator.generate(&[vec![z, 1.0, 0.0]], &device)[0][3]);
        assert!(((high - low).abs() - 0.1).abs() < 0.02, "two deviations: {low} {high}");
    }

    #[test]
    fn what_cannot_ship_is_refused() {
        let text = "system = \"gmm\"\n[data]\nname = \"x\"\n[gmm]\ncovariance = \"full\"";
        assert!(format!("{:#}", Recipe::parse(text).unwrap_err()).contains("one linear layer"));
    }
}
