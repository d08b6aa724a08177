//! GAN-train: how well a classifier that has only seen generated images knows real ones.
//!
//! Ravuri and Vinyals, "Classification Accuracy Score for Conditional Generative Models" (2019); Shmelkov et al., "How good is my GAN?" (2018), whose GAN-test,
//! the accuracy of a classifier of real images on generated ones, is [`Figures::asked`](super::Figures::asked). A generator that leaves out kinds of a
//! class does badly here and well there.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use burn::tensor::Device;
use edgegen_metrics::classes;

use super::Judge;
use crate::data::Dataset;
use crate::recipe::Recipe;
use crate::run::RECIPE;
use crate::train::{self, Options};

/// Steps of training, of the batch of the judge's own recipe.
pub const STEPS: u64 = 800;

/// Share of the images of `test` that a network like the judge of the folder `judge` classifies right after it has learned `images`, of the classes
/// `labels`, for [`STEPS`] steps.
///
/// # Errors
///
/// If the folder has no recipe, there is less than a batch of images, or no temporary folder can be made.
pub fn accuracy(
    judge: &Path,
    images: &[Vec<u8>],
    labels: &[usize],
    test: &Dataset,
    seed: u64,
    device: &Device,
) -> Result<f64> {
    let mut recipe = Recipe::load(&judge.join(RECIPE))?;
    if !recipe.data.attributes.is_empty() {
        // It learns classes alone: of generated images no more is known.
        recipe.data.attributes.clear();
        recipe.settings.insert("classes".into(), toml::Value::Integer(test.classes() as i64));
    }
    recipe.seed = seed;
    recipe.train.steps = STEPS;
    (recipe.train.sample_every, recipe.train.checkpoint_every) = (STEPS, STEPS);
    let learned = Dataset {
        name: "generated".into(),
        images: images.concat(),
        labels: Some(labels.iter().map(|&label| label as u8).collect()),
        class_names: test.class_names.clone(),
        shape: test.shape,
    };
    let folder = tempfile::tempdir().context("could not make a temporary folder")?;
    let out = folder.path().join("judge");
    let options = Options {
        device: "flex".into(),
        out: out.clone(),
        resume: false,
        tensorboard: false,
        quiet: true,
        stop: Arc::default(),
    };
    train::train_on(&recipe, &learned, &options)?;
    let pictures: Vec<Vec<u8>> = (0..test.len()).map(|index| test.image(index).to_vec()).collect();
    let expected: Vec<usize> = test.labels.iter().flatten().map(|&label| usize::from(label)).collect();
    Ok(classes::accuracy(&Judge::load(&out, device)?.look(&pictures).classes, &expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images of two classes: the left or the right half is bright, with a little noise.
    fn images(labels: &[usize]) -> Vec<Vec<u8>> {
        let level = |at: usize, index: usize, label: usize| {
            let noise = (at * 7 + index * 13) % 31;
            if (at % 8 < 4) == (label == 0) { 200 + noise as u8 } else { 20 + noise as u8 }
        };
        labels.iter().enumerate().map(|(index, &label)| (0..64).map(|at| level(at, index, label)).collect()).collect()
    }

    #[test]
    fn what_was_generated_is_learned_and_tested_on_real_images() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = "system = \"judge\"\n[data]\nname = \"x\"\nsize = 8\n[train]\nbatch = 8\n[judge]\nchannels = [4]\nfeatures = 5\nclasses = 2";
        std::fs::write(folder.path().join(RECIPE), recipe).unwrap();
        let labels: Vec<usize> = (0..40).map(|index| index % 2).collect();
        let test = Dataset {
            name: "x".into(),
            images: images(&labels).concat(),
            labels: Some(labels.iter().map(|&label| label as u8).collect()),
            class_names: Vec::new(),
            shape: [8, 8, 1],
        };
        let after =
            |said: &[usize]| accuracy(folder.path(), &images(&labels), said, &test, 1, &Device::flex()).unwrap();
        assert_eq!(after(&labels), 1.0);
        let swapped: Vec<usize> = labels.iter().map(|label| 1 - label).collect();
        assert_eq!(after(&swapped), 0.0, "classes that a generator confuses are learned confused");
    }
}
