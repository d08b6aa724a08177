//! What systems without gradients share: samples as rows, a generator of one linear layer, numbers on disk.
//!
//! ```text
//! x = A v + b        v the latent vector with the classes behind it
//! ```
//!
//! Pixels run from 0 to 1 here; what leaves that range is cut off where it becomes a grey level, on the device by the last table.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use edgegen_export::layers::PixelRange;
use edgegen_metrics::Features;

use super::Generator;
use crate::files;
use crate::nets::layer::Layer;
use crate::nets::{Init, Net, NetBuilder};
use crate::recipe::{Prior, Recipe};
use crate::rng::Rng;

/// Values of an image of the recipe.
pub fn pixels(recipe: &Recipe) -> usize {
    recipe.image().iter().product()
}

/// Values of an image that `generator` makes.
pub fn pixels_of(generator: &Generator) -> usize {
    generator.net.output.iter().product()
}

/// Images `[batch, C, H, W]` in [−1, 1] as rows in [0, 1].
pub fn samples(images: Tensor<4>) -> Features {
    let [_, c, h, w] = images.dims();
    let values = images.into_data().try_to_vec::<f32>().expect("networks compute in 32-bit floats");
    Features::new(c * h * w, values.into_iter().map(|value| 0.5 * (value + 1.0)).collect())
}

/// The next batch after batch of test images as rows, until there are no more.
pub fn all_samples(test: &mut dyn FnMut() -> Option<Tensor<4>>) -> impl Iterator<Item = Features> {
    std::iter::from_fn(move || test().map(samples))
}

/// A generator of one linear layer, from `latent` Gaussian values and `classes`, before its weights are known.
pub fn generator(latent: usize, classes: usize, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Generator {
    let net = NetBuilder::new([latent + classes, 1, 1], Init::Normal(0.0), device, rng).linear(recipe.image()).build();
    Generator { net, prior: Prior::Gaussian, classes, pixels: PixelRange::Unit, more: vec![] }
}

/// `generator` with the weights `[pixels, latent + classes]` and biases `[pixels]`.
///
/// # Panics
///
/// If it is not one of [`generator()`], or the numbers are not as many as it has.
pub fn filled(generator: &Generator, weight: Vec<f32>, bias: Vec<f32>) -> Generator {
    let mut generator = generator.clone();
    let Net { layers, .. } = &mut generator.net;
    let Some(Layer::Linear(linear)) = layers.first_mut() else { panic!("a generator of one linear layer") };
    let replaced = |old: Vec<usize>, values: Vec<f32>| TensorData::new(values, old);
    linear.weight =
        linear.weight.clone().map(|old| Tensor::from_data(replaced(old.dims().to_vec(), weight), &old.device()));
    linear.bias = linear.bias.clone().map(|old| Tensor::from_data(replaced(old.dims().to_vec(), bias), &old.device()));
    generator
}

/// Writes numbers into the file `path`, eight bytes each, little-endian: JSON would not keep every bit.
///
/// # Errors
///
/// If the file cannot be written.
pub fn save(path: &Path, values: &[f64]) -> Result<()> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    files::replace_bytes(path, &bytes)
}

/// Reads what [`save`] wrote.
///
/// # Errors
///
/// If the file cannot be read, or there are neither `count` numbers in it nor, before the first step, none.
pub fn load(path: &Path, count: usize) -> Result<Vec<f64>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (values, rest) = bytes.as_chunks::<8>();
    ensure!(
        rest.is_empty() && (values.is_empty() || values.len() == count),
        "expected {count} numbers of 8 bytes in {}, found {} bytes: the checkpoint is of another recipe",
        path.display(),
        bytes.len()
    );
    Ok(values.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.f64");
        let values = [1.0 / 3.0, -0.0, f64::MIN_POSITIVE / 3.0];
        save(&path, &values).unwrap();
        assert!(load(&path, 3).unwrap().iter().zip(values).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert!(load(&path, 2).unwrap_err().to_string().contains("expected 2 numbers"));
        save(&path, &[]).unwrap();
        assert!(load(&path, 3).unwrap().is_empty());
    }

    #[test]
    fn one_layer_is_the_affine_map() {
        let recipe =
            Recipe::parse("system = \"kmeans\"\n[data]\nname = \"x\"\nsize = 4\n[kmeans]\ncentres = 1").unwrap();
        let device = Device::flex();
        let plain = generator(1, 1, &recipe, &device, &mut Rng::new(0, 0));
        let weight = (0..16).flat_map(|pixel| [pixel as f32, 100.0]).collect();
        let images = filled(&plain, weight, vec![0.5; 16]).generate(&[vec![2.0, 1.0]], &device);
        assert!(images[0].iter().enumerate().all(|(pixel, &x)| x == 2.0 * pixel as f32 + 100.5), "{images:?}");
    }
}
