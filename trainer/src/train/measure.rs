//! How good a generator is while it trains: a few cheap measures on a small set, always of the same latent vectors beside
//! the same real images. `edgegen eval` measures thoroughly, on images that no generator has seen.

use anyhow::{Result, ensure};
use burn::tensor::Device;
use edgegen_metrics::{Features, frechet, neighbours, sliced};

use crate::data::Dataset;
use crate::judge::Judge;
use crate::recipe::Recipe;
use crate::rng::Rng;
use crate::run::to_pixels;
use crate::systems::Generator;

mod sentences;

pub(super) use sentences::Measure as OfSentences;

/// Generated images, and as many real ones, at most.
const COUNT: usize = 1_000;
/// Fewer say nothing.
const LEAST: usize = 20;
/// Neighbours of precision and recall.
const NEIGHBOURS: usize = 3;
/// Directions of the sliced Wasserstein distance.
const DIRECTIONS: usize = 128;
/// Stream of the seed for all that is drawn here, so that measuring changes nothing in what is learned.
const STREAM: u64 = 7;

/// Names and values, as they stand in `metrics.jsonl`.
pub(super) type Values = Vec<(&'static str, f64)>;

/// What a generator is measured with.
pub(super) struct Measure {
    judge: Option<Judge>,
    inputs: Vec<Vec<f32>>,
    real: Seen,
    /// What as many other real images come to.
    floor: Values,
    seed: u64,
}

/// Images as the measures see them.
struct Seen {
    /// In the features of the judge, if there is one.
    features: Option<Features>,
    pixels: Features,
}

impl Measure {
    /// Chooses images of `dataset`, and looks through the shipped judge of its data, where there is one for such
    /// images.
    ///
    /// # Errors
    ///
    /// If there are fewer than two times [`LEAST`] images, or the judge cannot be loaded.
    pub(super) fn new(recipe: &Recipe, dataset: &Dataset, generator: &Generator, device: &Device) -> Result<Self> {
        ensure!(
            dataset.len() >= 2 * LEAST,
            "expected at least {} images to measure with, found {} in {}: leave out [train] eval_every",
            2 * LEAST,
            dataset.len(),
            dataset.name
        );
        let judge = Judge::for_images(&recipe.data.name, dataset.shape, device)?;
        let mut rng = Rng::new(recipe.seed, STREAM);
        let mut order: Vec<usize> = (0..dataset.len()).collect();
        rng.shuffle(&mut order);
        let count = COUNT.min(dataset.len() / 2);
        let images = |indices: &[usize]| indices.iter().map(|&index| dataset.image(index).to_vec()).collect::<Vec<_>>();
        let real = Seen::new(judge.as_ref(), &images(&order[..count]));
        let inputs = generator.draw(count, &mut rng);
        let mut measure = Self { judge, inputs, real, floor: Values::new(), seed: recipe.seed };
        let others = Seen::new(measure.judge.as_ref(), &images(&order[count..2 * count]));
        measure.floor = measure.values(&others);
        Ok(measure)
    }

    /// What it looks through and what real images come to, in a sentence.
    pub(super) fn note(&self) -> String {
        let by = self.judge.as_ref().map_or_else(
            || "without a judge, of which none is shipped for this data,".to_owned(),
            |judge| format!("through the judge {}", judge.hash),
        );
        let floor: Vec<String> = self.floor.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
        format!("measures of {} images {by}; other real images come to {}", self.inputs.len(), floor.join(", "))
    }

    /// The measures of a generator, and of distances what other real images come to. Draws no random number.
    pub(super) fn of(&self, generator: &Generator, device: &Device) -> Values {
        let outputs = generator.generate(&self.inputs, device);
        let images: Vec<Vec<u8>> =
            outputs.iter().map(|image| to_pixels(image, generator.net.output, generator.pixels)).collect();
        let mut values = self.values(&Seen::new(self.judge.as_ref(), &images));
        let of_real = |(name, value): &(&str, f64)| match *name {
            "frechet" => Some(("frechet_real", *value)),
            "sliced" => Some(("sliced_real", *value)),
            _ => None,
        };
        values.extend(self.floor.iter().filter_map(of_real));
        values
    }

    fn values(&self, made: &Seen) -> Values {
        let mut values = Values::new();
        if let (Some(real), Some(made)) = (&self.real.features, &made.features) {
            // With fewer images their covariance has no full rank.
            if real.len() > real.dims() {
                values.push(("frechet", frechet::distance(real, made)));
            }
            let overlap = neighbours::overlap(real, made, NEIGHBOURS);
            values.extend([("precision", overlap.precision), ("recall", overlap.recall)]);
        }
        values.push(("sliced", sliced::distance(&self.real.pixels, &made.pixels, DIRECTIONS, self.seed)));
        values
    }
}

impl Seen {
    fn new(judge: Option<&Judge>, images: &[Vec<u8>]) -> Self {
        let features = judge.map(|judge| judge.look(images).features);
        Self { features, pixels: Features::from_pixels(images.iter().map(Vec::as_slice)) }
    }
}
