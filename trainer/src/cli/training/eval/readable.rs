//! Whether what is known of images can still be read out of what was made of them.
//!
//! A face and the emoji that is made of it have no attribute in common that one judge could look for: which mouth of
//! the one stands for which of the other, the generator has made up. So a linear classifier learns it, from the
//! pixels of one half of the outputs, and is asked about the other half. An attribute that leaves no trace comes to
//! its most frequent value.

use anyhow::Result;
use edgegen_metrics::probe::Probe;
use edgegen_metrics::{Features, classes};

use crate::cli::pictures::redrawn;
use crate::data::{self, Attributes, Dataset, Split};
use crate::recipe::DataConfig;

/// Images at most, half of them to learn from.
const IMAGES: usize = 2_000;
/// Side of the images that are looked at, at most.
const SIDE: usize = 16;
/// Weights of the penalty that are tried.
const RIDGES: [f32; 3] = [1e-3, 1e-2, 1e-1];

/// The attributes of inputs.
#[derive(Debug)]
pub struct Readable {
    /// For each attribute the values of all images.
    values: Vec<Vec<usize>>,
}

impl Readable {
    /// Of the first `count` test inputs, where the data know attributes of them and there are images enough.
    ///
    /// # Errors
    ///
    /// If the attributes cannot be read.
    pub fn of(config: &DataConfig, inputs: &Dataset, count: usize) -> Result<Option<Self>> {
        let named = |name: &str| DataConfig { name: name.to_owned(), target: None, ..config.clone() };
        let set = if config.reverse { config.target.as_deref() } else { Some(&*config.name) };
        let Some(attributes) = set.map(|set| data::attributes(&named(set), Split::Test)).transpose()?.flatten() else {
            return Ok(None);
        };
        let count = count.min(IMAGES);
        if count < 2 * RIDGES.len() * 5 || attributes.len() != inputs.len() {
            return Ok(None);
        }
        let Attributes { names, values, .. } = &attributes;
        let of = |at: usize| values.iter().skip(at).step_by(names.len()).take(count).map(|&value| value.into());
        Ok(Some(Self { values: (0..names.len()).map(|at| of(at).collect()).collect() }))
    }

    /// The share of attributes, the mean of all of them, that is read right out of `images` `[H, W, C]`, one made of
    /// each input.
    pub fn share(&self, images: &[Vec<u8>], shape: [usize; 3]) -> f64 {
        let [h, w, c] = shape;
        let small = [h.min(SIDE), w.min(SIDE), c];
        let half = self.half();
        let pixels: Vec<Vec<u8>> = images.iter().take(2 * half).map(|image| redrawn(image, shape, small)).collect();
        let [learned, asked] =
            [&pixels[..half], &pixels[half..]].map(|some| Features::from_pixels(some.iter().map(Vec::as_slice)));
        self.mean(|values| {
            let count = 1 + values.iter().max().copied().unwrap_or(0);
            let probe = Probe::fit_best(&learned, &values[..half], count, &RIDGES);
            classes::accuracy(&probe.classes(&asked), &values[half..2 * half])
        })
    }

    /// What the most frequent value of the first half comes to.
    pub fn by_frequency(&self) -> f64 {
        let half = self.half();
        self.mean(|values| {
            let often = |value: &usize| values[..half].iter().filter(|other| *other == value).count();
            let most = (0..=values.iter().max().copied().unwrap_or(0)).max_by_key(often).unwrap_or(0);
            classes::accuracy(&vec![most; half], &values[half..2 * half])
        })
    }

    fn half(&self) -> usize {
        self.values.first().map_or(0, |values| values.len() / 2)
    }

    fn mean(&self, of: impl Fn(&[usize]) -> f64) -> f64 {
        self.values.iter().map(|values| of(values)).sum::<f64>() / self.values.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_read_and_what_is_not_is_guessed() {
        // The first attribute is how bright an image is, the second is not in it; three in four have the value 0.
        let first: Vec<usize> = (0..80).map(|index| index % 3).collect();
        let second: Vec<usize> = (0..80).map(|index| usize::from(index / 2 % 4 == 1)).collect();
        let images: Vec<Vec<u8>> = first.iter().map(|&value| vec![20 + 100 * value as u8; 4]).collect();
        let readable =
            |values: &[&Vec<usize>]| Readable { values: values.iter().map(|&values| values.clone()).collect() };
        assert!((readable(&[&first]).share(&images, [2, 2, 1]) - 1.0).abs() < 1e-9);
        assert!((readable(&[&second]).by_frequency() - 0.75).abs() < 1e-9);
        let both = readable(&[&first, &second]);
        assert!((both.share(&images, [2, 2, 1]) - 0.875).abs() < 0.01, "{}", both.share(&images, [2, 2, 1]));
    }
}
