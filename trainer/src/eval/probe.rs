//! Whether a critic has learned what is in images: a linear classifier on its features, beside one on pixels and one on
//! the features of the same critic before its first step.
//!
//! Radford et al., "Unsupervised Representation Learning with DCGANs" (2016), §5, classify CIFAR-10 and SVHN, with 1000
//! labels, by such features. Whether a GAN's training has any part in it, only the untrained critic can tell.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use edgegen_export::layers::PixelRange;
use edgegen_metrics::probe::Probe;
use edgegen_metrics::{Features, classes};
use serde::Serialize;

use crate::data::Dataset;
use crate::nets::{Mode, Net};
use crate::rng::Rng;
use crate::run::Run;
use crate::{checkpoint, systems};

/// Labelled images that are learned from.
pub const LABELS: usize = 1000;
/// Weights of the penalty that are tried.
const RIDGES: [f32; 5] = [1e-4, 1e-3, 1e-2, 1e-1, 1.0];
/// Images at a time.
const BATCH: usize = 250;

/// Shares of test images that are put into the right class, and from how many features.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Probed {
    /// Labelled images that were learned from.
    pub labels: usize,
    /// By what the last layer of the critic reads.
    pub critic: f64,
    /// By the same of a critic before its first step.
    pub untrained: f64,
    /// How many features these are.
    pub features: usize,
    /// By pixels.
    pub pixels: f64,
}

/// Probes the critic of the newest checkpoint in the run folder `folder`, whose run is `run`, on labelled training and
/// test images.
///
/// # Errors
///
/// If there is no checkpoint with a critic of single images in it, or the images have no labels.
pub fn probe(folder: &Path, run: &Run, [train, test]: [&Dataset; 2], seed: u64, device: &Device) -> Result<Probed> {
    let newest = checkpoint::newest(folder)?;
    let (_, checkpoint) = newest.with_context(|| {
        format!(
            "expected a checkpoint, whose critic can be probed, found none in {}: train its recipe",
            folder.display()
        )
    })?;
    let (Some(labels), Some(expected)) = (&train.labels, &test.labels) else {
        anyhow::bail!("expected images with labels for --probe, found none in {}: leave it out", train.name);
    };
    ensure!(
        train.len() >= LABELS,
        "expected at least {LABELS} training images for --probe, found {} in {}",
        train.len(),
        train.name
    );
    let device = device.clone().inner();
    let untrained = systems::critic(&run.recipe, &device, &mut Rng::new(run.recipe.seed, 10))?;
    let mut critic = untrained.clone();
    checkpoint::load_net(&mut critic, &checkpoint.join("critic.safetensors"))?;

    let mut order: Vec<usize> = (0..train.len()).collect();
    Rng::new(seed, 9).shuffle(&mut order);
    order.truncate(LABELS);
    let learned: Vec<usize> = order.iter().map(|&index| usize::from(labels[index])).collect();
    let expected: Vec<usize> = expected.iter().map(|&label| usize::from(label)).collect();
    let count = 1 + learned.iter().chain(&expected).max().copied().unwrap_or(0);
    let right = |features: &dyn Fn(&[&[u8]]) -> Features| {
        let images: Vec<&[u8]> = order.iter().map(|&index| train.image(index)).collect();
        let features_of_all = features(&images);
        let probe = Probe::fit_best(&features_of_all, &learned, count, &RIDGES);
        let indices: Vec<usize> = (0..test.len()).collect();
        let said = indices.chunks(BATCH).flat_map(|some| {
            probe.classes(&features(&some.iter().map(|&index| test.image(index)).collect::<Vec<_>>()))
        });
        (classes::accuracy(&said.collect::<Vec<_>>(), &expected), features_of_all.dims())
    };
    let range = run.pixels();
    let of = |net: &Net| right(&|images| features(net, images, range, &device));
    let (critic, dims) = of(&critic);
    let (untrained, _) = of(&untrained);
    let (pixels, _) = right(&|images| Features::from_pixels(images.iter().copied()));
    Ok(Probed { labels: LABELS, critic, untrained, features: dims, pixels })
}

/// What the last layer of a critic reads, of images `[H, W, C]` in the range that it was trained on.
fn features(critic: &Net, images: &[&[u8]], range: PixelRange, device: &Device) -> Features {
    let [c, h, w] = critic.inputs[0];
    let mut values = Vec::new();
    let mut dims = 1;
    for batch in images.chunks(BATCH) {
        let planes: Vec<f32> = batch.iter().flat_map(|image| range.planes(image, c)).collect();
        let images = Tensor::from_data(TensorData::new(planes, [batch.len(), c, h, w]), device);
        let seen = critic.before_last(images, &mut Mode::Eval);
        dims = seen.dims()[1..].iter().product();
        values.extend(seen.into_data().try_to_vec::<f32>().expect("critics compute in 32-bit floats"));
    }
    Features::new(dims, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;

    #[test]
    fn features_are_what_the_last_layer_reads() {
        for (system, table, dims, range) in [
            ("dcgan", "channels = [4]\ncritic_channels = [6]", 6 * 4 * 4, PixelRange::Symmetric),
            ("gan", "hidden = [4]\ncritic_hidden = [7]", 7, PixelRange::Unit),
        ] {
            let text = format!("system = \"{system}\"\n[data]\nname = \"x\"\nsize = 8\n[{system}]\n{table}");
            let recipe = Recipe::parse(&text).unwrap();
            let critic = systems::critic(&recipe, &Device::flex(), &mut Rng::new(1, 0)).unwrap();
            let images: Vec<Vec<u8>> = (0..3).map(|index| vec![60 * index; 64]).collect();
            let images: Vec<&[u8]> = images.iter().map(Vec::as_slice).collect();
            let seen = features(&critic, &images, range, &Device::flex());
            assert_eq!((seen.len(), seen.dims()), (3, dims), "{system}");
            assert_ne!(seen.sample(0), seen.sample(2));
        }
        let judge = Recipe::parse("system = \"judge\"\n[data]\nname = \"x\"\nsize = 8").unwrap();
        let error = systems::critic(&judge, &Device::flex(), &mut Rng::new(1, 0)).unwrap_err().to_string();
        assert!(error.contains("found judge"), "{error}");
    }
}
