//! What can make images and be timed.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use edgegen_export::layers::{Map, Network};
use edgegen_export::onnx;

/// Latent vectors that every contender goes through, again and again.
pub const LATENTS: usize = 16;
/// Seed of the first; the others follow.
pub const SEED: u64 = 2_000_000;
/// Largest difference to the interpreter that a float runtime may show, in parts of the largest value.
pub const FLOAT_ERROR: f32 = 1e-4;

/// A network that all contenders make images of.
#[derive(Debug)]
pub struct Task {
    /// What it is called.
    pub name: String,
    /// The layers.
    pub network: Network,
    /// The same as an ONNX file.
    pub onnx: Vec<u8>,
    /// Latent vectors of the seeds from [`SEED`] on.
    pub latents: Vec<Vec<f32>>,
    /// What the interpreter makes of them.
    pub images: Vec<Map>,
}

impl Task {
    /// Interprets a network, to know what everybody should say.
    pub fn new(name: &str, network: Network) -> Result<Self> {
        let onnx = onnx::to_bytes(&network, name)?;
        let latent = network.latent().context("expected a generator with a latent vector")?;
        let latents: Vec<_> = (0..LATENTS as u64).map(|index| latent.vector(SEED + index)).collect();
        let images =
            latents.iter().map(|latent| network.forward(std::slice::from_ref(latent))).collect::<Result<_, _>>()?;
        Ok(Self { name: name.into(), network, onnx, latents, images })
    }

    /// Peak signal to noise ratio of grey levels, `[c, h, w]` for each latent vector, against the interpreter's.
    pub fn psnr(&self, images: &[Vec<f32>]) -> Result<f64> {
        ensure!(images.len() == self.images.len(), "expected {} images, found {}", self.images.len(), images.len());
        let (mut sum, mut count) = (0.0, 0usize);
        for (found, expected) in images.iter().zip(&self.images) {
            let len = expected.values.len();
            ensure!(found.len() == len, "expected images of {len} values, found {}", found.len());
            for (&found, &expected) in found.iter().zip(&expected.values) {
                sum += f64::from(found - self.network.pixels.level(expected)).powi(2);
            }
            count += len;
        }
        Ok(10.0 * (255.0 * 255.0 * count as f64 / sum).log10())
    }

    /// Largest difference of an image, `[c, h, w]`, to the interpreter's, in parts of the largest value.
    pub fn difference(&self, latent: usize, image: &[f32]) -> f32 {
        let expected = &self.images[latent].values;
        let largest = expected.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
        let differences = expected.iter().zip(image).map(|(expected, found)| (expected - found).abs());
        // A NaN must not get lost.
        differences.fold(0.0, |most, difference| if difference <= most { most } else { difference }) / largest
    }
}

/// Those that take part.
pub type Contenders = Vec<Box<dyn Contender>>;

/// A runtime with a network in it.
pub trait Contender {
    /// What it is called in tables.
    fn name(&self) -> String;

    /// What a reader should know about it, or nothing.
    fn note(&self) -> String {
        String::new()
    }

    /// Grey levels from 0 to 255 that it makes of the task's latent vectors, `[c, h, w]`.
    ///
    /// # Errors
    ///
    /// When it computes something else than it should.
    fn levels(&mut self, task: &Task) -> Result<Vec<Vec<f32>>>;

    /// Makes `count` images, going through the latent vectors; how long that took.
    ///
    /// # Errors
    ///
    /// When it cannot run.
    fn time(&mut self, count: usize) -> Result<Duration>;
}
