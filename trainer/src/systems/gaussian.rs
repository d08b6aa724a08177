//! `gaussian`: all images are one Gaussian. The least that a generator has to beat.
//!
//! Maximum likelihood in closed form, from sums over everything seen so far:
//!
//! ```text
//! μ = Σ x / N        Σ = Σ x xᵀ / N − μ μᵀ = U Λ Uᵀ
//! x = μ + A z,       A = U √Λ of the largest eigenvalues, z ~ N(0, I)
//! ```
//!
//! What ships is the probabilistic principal component analysis of Tipping and Bishop (1999) without its noise: one linear layer. A step adds a batch to the
//! sums; one epoch is all there is to learn, and learning rates mean nothing.
//!
//! Knobs: `latent`, the number of directions kept; `floor`, added to each variance where likelihoods are taken.

use std::cell::OnceCell;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::tensor::{Device, Tensor};
use edgegen_metrics::baselines::normal::{Moments, Normal};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::likelihood::Unit;
use super::{Generator, Kind, Losses, Step, System, Trained, linear};
use crate::recipe::Recipe;
use crate::rng::Rng;

/// The table `[gaussian]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Directions of the covariance that ship, the length of the latent vector.
    pub latent: usize,
    /// Added to the variance of each pixel, of values from 0 to 1, where likelihoods are taken: pixels that never vary have no density without.
    pub floor: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { latent: 64, floor: 1e-3 }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "gaussian",
    about: "one Gaussian by maximum likelihood; its principal directions ship as a linear layer",
    normalize,
    generator: |recipe, device, rng| Ok(linear::generator(recipe.settings::<Config>()?.latent, 0, recipe, device, rng)),
    build: |recipe, device, rng| Ok(Box::new(Training::new(recipe, device, rng)?)),
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    let pixels = linear::pixels(recipe);
    ensure!(
        (1..=pixels).contains(&config.latent),
        "[gaussian] latent must be 1 to {pixels}, the values of an image, found {}",
        config.latent
    );
    ensure!(config.floor > 0.0, "[gaussian] floor must be above 0, found {}", config.floor);
    Ok(Table::try_from(config)?)
}

/// The sums so far.
struct Training {
    config: Config,
    unit: Unit,
    moments: Moments,
    /// Without weights.
    empty: Generator,
    /// What the sums come to; eigenvectors take seconds, and are asked for more than once a step.
    made: OnceCell<Generator>,
}

impl Training {
    const FILE: &str = "moments.f64";

    fn new(recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Self> {
        let device = device.clone().inner();
        let empty = (KIND.generator)(recipe, &device, rng)?;
        let moments = Moments::new(linear::pixels(recipe));
        Ok(Self { config: recipe.settings()?, unit: Unit::of(recipe), moments, empty, made: OnceCell::new() })
    }
}

impl System for Training {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        self.moments.add(&linear::samples((step.next_batch)().images));
        self.made = OnceCell::new();
        vec![("images", self.moments.count as f32), ("variance", self.moments.variance() as f32)]
    }

    fn trained(&self) -> Trained {
        if self.moments.count == 0.0 {
            return Trained::Generator(self.empty.clone());
        }
        let made = self.made.get_or_init(|| {
            let normal = Normal::fit(&self.moments, 0.0);
            let mean = normal.mean().into_iter().map(|value| value as f32).collect();
            linear::filled(&self.empty, normal.directions(self.config.latent), mean)
        });
        Trained::Generator(made.clone())
    }

    /// Mean log-density of test images by the whole covariance, in nats, of pixels from 0 to 1, and bits for each grey level.
    fn score(&self, test: &mut dyn FnMut() -> Option<Tensor<4>>) -> Losses {
        let mut moments = Moments::new(linear::pixels_of(&self.empty));
        linear::all_samples(test).for_each(|samples| moments.add(&samples));
        let log = Normal::fit(&self.moments, self.config.floor).log_likelihood(&moments);
        self.unit.losses(log)
    }

    fn save(&self, folder: &Path) -> Result<()> {
        linear::save(&folder.join(Self::FILE), &self.moments.values())
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        let dims = linear::pixels_of(&self.empty);
        let values = linear::load(&folder.join(Self::FILE), 1 + dims + dims * dims)?;
        self.moments = Moments::from_values(dims, &values).context("expected sums in the checkpoint, found none")?;
        self.made = OnceCell::new();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::Batch;
    use burn::tensor::TensorData;

    #[test]
    fn what_ships_draws_images_like_those_seen() {
        let recipe =
            Recipe::parse("system = \"gaussian\"\n[data]\nname = \"x\"\nsize = 4\n[gaussian]\nlatent = 2").unwrap();
        let device = Device::flex();
        let mut rng = Rng::new(1, 0);
        let mut system = (KIND.build)(&recipe, &device.clone().autodiff(), &mut rng).unwrap();
        // Pixels 0.5 + 0.1 u, the right half 0.25 + 0.2 v.
        let mut draw = Rng::new(2, 0);
        for _ in 0..4 {
            let mut next_batch = || {
                let image = |_| {
                    let (u, v) = (draw.normal(), draw.normal());
                    (0..16).map(move |at| if at % 4 < 2 { 0.5 + 0.1 * u } else { 0.25 + 0.2 * v })
                };
                let values: Vec<f32> = (0..500).flat_map(image).map(|x| 2.0 * x - 1.0).collect();
                Batch::alone(Tensor::from_data(TensorData::new(values, [500, 1, 4, 4]), &device), Vec::new())
            };
            system.step(&mut Step {
                lr_generator: 0.0,
                lr_critic: 0.0,
                ema: 0.0,
                rng: &mut rng,
                next_batch: &mut next_batch,
            });
        }
        let Trained::Generator(generator) = system.trained() else { panic!("a generator ships") };
        let images = generator.generate(&generator.draw(4_000, &mut rng), &device);
        for (at, mean, deviation) in [(0, 0.5, 0.1), (5, 0.5, 0.1), (3, 0.25, 0.2)] {
            let values: Vec<f32> = images.iter().map(|image| image[at]).collect();
            let found = values.iter().sum::<f32>() / 4_000.0;
            let spread = (values.iter().map(|x| (x - found).powi(2)).sum::<f32>() / 4_000.0).sqrt();
            assert!((found - mean).abs() < 0.02 && (spread - deviation).abs() < 0.015, "{at}: {found} {spread}");
        }
        assert!(images.iter().all(|image| (image[0] - image[13]).abs() < 1e-4), "one direction for each half");
    }

    #[test]
    fn more_directions_than_pixels_are_refused() {
        let text = "system = \"gaussian\"\n[data]\nname = \"x\"\nsize = 4\n[gaussian]\nlatent = 17";
        assert!(format!("{:#}", Recipe::parse(text).unwrap_err()).contains("1 to 16"));
    }
}
