//! `kmeans`: the images are those nearest to which all others lie. High likelihoods by Parzen windows, and no diversity at all.
//!
//! ```text
//! min Σ_n |x_n − c_{k(n)}|²        k(n): the centre nearest to x_n;  then c_k = mean of the x_n with k(n) = k
//! ```
//!
//! Lloyd, "Least squares quantization in PCM" (1982), begun as Arthur and Vassilvitskii, "k-means++" (2007), say. A step is one pass over one batch, so
//! the batch should be the whole set: `[train] batch = 60000`. What ships is a linear layer that reads which centre to draw; seeds take
//! the centres in turn. Learning rates mean nothing.
//!
//! Knobs: `centres`.

use std::path::Path;

use anyhow::{Result, ensure};
use burn::tensor::Tensor;
use edgegen_metrics::Features;
use edgegen_metrics::baselines::kmeans;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::{Generator, Kind, Losses, Step, System, Trained, linear};
use crate::recipe::Recipe;

/// The table `[kmeans]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Number of centres.
    pub centres: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { centres: 64 }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "kmeans",
    about: "centres by Lloyd's passes; which one to draw is chosen on the device",
    normalize,
    generator: |recipe, device, rng| {
        Ok(linear::generator(0, recipe.settings::<Config>()?.centres, recipe, device, rng))
    },
    build: |recipe, device, rng| {
        let empty = (KIND.generator)(recipe, &device.clone().inner(), rng)?;
        Ok(Box::new(Training { centres: None, empty }))
    },
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    let batch = recipe.train.batch;
    ensure!(
        (1..=batch).contains(&config.centres),
        "[kmeans] centres must be 1 to [train] batch = {batch}, best the whole set, found {}",
        config.centres
    );
    Ok(Table::try_from(config)?)
}

/// The centres so far; none before the first step.
struct Training {
    centres: Option<Features>,
    /// Without weights.
    empty: Generator,
}

impl Training {
    const FILE: &str = "centres.f64";
}

impl System for Training {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let samples = linear::samples((step.next_batch)().images);
        let centres = self
            .centres
            .take()
            .unwrap_or_else(|| kmeans::seed(&samples, self.empty.classes, step.rng.below(usize::MAX) as u64));
        let kmeans::Pass { centres, counts, inertia } = kmeans::lloyd(&samples, &centres);
        self.centres = Some(centres);
        let empty = counts.iter().filter(|&&count| count == 0).count();
        vec![("inertia", (inertia / samples.len() as f64) as f32), ("empty", empty as f32)]
    }

    fn trained(&self) -> Trained {
        let Some(centres) = &self.centres else { return Trained::Generator(self.empty.clone()) };
        let pixels = centres.dims();
        let weight = (0..pixels).flat_map(|pixel| centres.samples().map(move |centre| centre[pixel])).collect();
        Trained::Generator(linear::filled(&self.empty, weight, vec![0.0; pixels]))
    }

    /// Mean squared distance of test images to their nearest centre, of pixels from 0 to 1.
    fn score(&self, test: &mut dyn FnMut() -> Option<Tensor<4>>) -> Losses {
        let Some(centres) = &self.centres else { return Losses::new() };
        let squares: Vec<f32> = linear::all_samples(test)
            .flat_map(|samples| kmeans::nearest(&samples, centres))
            .map(|(_, square)| square)
            .collect();
        vec![("test_inertia", squares.iter().sum::<f32>() / squares.len() as f32)]
    }

    fn save(&self, folder: &Path) -> Result<()> {
        let values: Vec<f64> = self.centres.iter().flat_map(Features::samples).flatten().map(|&x| x.into()).collect();
        linear::save(&folder.join(Self::FILE), &values)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        let pixels = linear::pixels_of(&self.empty);
        let values = linear::load(&folder.join(Self::FILE), self.empty.classes * pixels)?;
        let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
        self.centres = (!values.is_empty()).then(|| Features::new(pixels, values));
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
    fn each_kind_of_image_becomes_one_that_ships() {
        let recipe =
            Recipe::parse("system = \"kmeans\"\n[data]\nname = \"x\"\nsize = 4\n[kmeans]\ncentres = 3").unwrap();
        let device = Device::flex();
        let mut rng = Rng::new(1, 0);
        let mut system = (KIND.build)(&recipe, &device.clone().autodiff(), &mut rng).unwrap();
        let mut next_batch = || {
            let values: Vec<f32> = (0..30).flat_map(|image| vec![[-1.0, 0.0, 1.0][image % 3]; 16]).collect();
            Batch::alone(Tensor::from_data(TensorData::new(values, [30, 1, 4, 4]), &device), Vec::new())
        };
        let mut step = Step { lr_generator: 0.0, lr_critic: 0.0, ema: 0.0, rng: &mut rng, next_batch: &mut next_batch };
        assert_eq!(system.step(&mut step), [("inertia", 0.0), ("empty", 0.0)]);
        let Trained::Generator(generator) = system.trained() else { panic!("a generator ships") };
        assert_eq!((generator.input().dims, generator.input().classes), (0, 3));
        let mut levels: Vec<f32> =
            generator.generate(&generator.draw(3, &mut rng), &device).iter().map(|image| image[7]).collect();
        levels.sort_by(f32::total_cmp);
        assert_eq!(levels, [0.0, 0.5, 1.0]);
    }

    #[test]
    fn a_batch_has_at_least_as_many_images_as_centres() {
        let text = "system = \"kmeans\"\n[data]\nname = \"x\"\n[train]\nbatch = 10\n[kmeans]\ncentres = 11";
        assert!(format!("{:#}", Recipe::parse(text).unwrap_err()).contains("1 to [train] batch = 10"));
    }
}
