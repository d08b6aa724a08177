//! A judge for images that have none: own pictures, without labels.
//!
//! It learns from the training images themselves, by telling which way up each was turned: Gidaris, Singh and Komodakis, "Unsupervised
//! Representation Learning by Predicting Image Rotations" (2018). Its features are then those of a network that knows these images and
//! nothing else. It is not Inception, and figures through it compare only with others through the same judge, on the same images; the
//! same images give the same judge.

use std::sync::Arc;

use anyhow::{Context, Result};
use burn::tensor::Device;

use super::Judge;
use crate::data::{Dataset, fit_image};
use crate::recipe::{DataConfig, Recipe};
use crate::train::{self, Options};

/// Quarter turns, each a class.
const TURNS: usize = 4;
/// Steps of training.
const STEPS: u64 = 1_000;
/// Images in a batch, if there are so many.
const BATCH: usize = 64;
/// Training images that it learns from, at most; each is shown in all turns.
const IMAGES: usize = 5_000;
/// Larger images are fitted to this side.
const SIDE: usize = 64;

/// Trains the judge of `train`, square images of 1 or 3 channels.
///
/// # Errors
///
/// If no temporary folder can be made, or the training fails.
pub fn learn(train: &Dataset, quiet: bool, device: &Device) -> Result<Judge> {
    let [h, _, c] = train.shape;
    let side = h.min(SIDE);
    let mut turned = turned(train, IMAGES);
    let fitting = DataConfig::new("", side, c);
    turned.images = turned.images.chunks(h * h * c).flat_map(|image| fit_image(image, train.shape, &fitting)).collect();
    turned.shape = [side, side, c];
    let batch = BATCH.min(turned.len());
    let halvings = side.ilog2().min(3) as usize;
    let recipe = Recipe::parse(&format!(
        "system = \"judge\"\nseed = 1\n[data]\nname = \"rotations\"\nsize = {side}\nchannels = {c}\n\
         [train]\nsteps = {STEPS}\nbatch = {batch}\nlr_critic = 2e-3\nbeta1 = 0.9\nbeta2 = 0.999\nema = 0.99\n\
         sample_every = {STEPS}\ncheckpoint_every = {STEPS}\n\
         [judge]\nclasses = {TURNS}\nchannels = {:?}",
        &[16, 32, 64][..halvings]
    ))?;
    let folder = tempfile::tempdir().context("could not make a temporary folder")?;
    let out = folder.path().join("judge");
    let options = Options {
        device: "flex".into(),
        out: out.clone(),
        resume: false,
        tensorboard: false,
        quiet,
        stop: Arc::default(),
    };
    train::train_on(&recipe, &turned, &options)?;
    let mut judge = Judge::load(&out, device)?;
    judge.of_rotations = true;
    Ok(judge)
}

/// Up to `most` images of a set, evenly spaced, each in all four turns; the labels are the numbers of quarter turns.
pub fn turned(dataset: &Dataset, most: usize) -> Dataset {
    let every = dataset.len().div_ceil(most).max(1);
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for index in (0..dataset.len()).step_by(every) {
        let mut image = dataset.image(index).to_vec();
        for turns in 0..TURNS {
            images.extend_from_slice(&image);
            labels.push(turns as u8);
            image = quarter(&image, dataset.shape);
        }
    }
    let class_names = Vec::new();
    Dataset { name: dataset.name.clone(), images, labels: Some(labels), class_names, shape: dataset.shape }
}

/// A square image turned by a quarter to the right.
fn quarter(image: &[u8], [side, _, c]: [usize; 3]) -> Vec<u8> {
    let pixel = |at: usize| {
        let (y, x) = (at / side, at % side);
        &image[((side - 1 - x) * side + y) * c..][..c]
    };
    (0..side * side).flat_map(pixel).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_goes_to_the_right_and_four_are_none() {
        assert_eq!(quarter(&[1, 2, 3, 4], [2, 2, 1]), [3, 1, 4, 2]);
        let colours: Vec<u8> = (0..27).collect();
        let around = (0..4).fold(colours.clone(), |image, _| quarter(&image, [3, 3, 3]));
        assert_eq!(around, colours);
        assert_eq!(quarter(&colours, [3, 3, 3])[..3], [18, 19, 20], "what was at the bottom left is at the top left");
    }

    #[test]
    fn it_learns_which_way_up_images_are() {
        // Bright above, with a little that differs.
        let image = |index: usize| {
            (0..64 * 3).map(move |at| if at < 96 { 200 + (index % 50) as u8 } else { (at * index % 40) as u8 })
        };
        let set = |range: std::ops::Range<usize>| Dataset {
            name: "sky".into(),
            images: range.flat_map(image).collect(),
            labels: None,
            class_names: Vec::new(),
            shape: [8, 8, 3],
        };
        let judge = learn(&set(0..40), true, &Device::flex()).unwrap();
        let tests = turned(&set(40..50), 5);
        assert_eq!(tests.len(), 5 * TURNS);
        let images: Vec<Vec<u8>> = (0..tests.len()).map(|index| tests.image(index).to_vec()).collect();
        let right = judge
            .look(&images)
            .classes
            .iter()
            .zip(tests.labels.unwrap())
            .filter(|(a, b)| **a == usize::from(*b))
            .count();
        assert!(right >= 18, "{right} of 20");
        assert!(judge.of_rotations && judge.name().contains("not Inception"));
    }
}
