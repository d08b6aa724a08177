//! Stacked MNIST: three digits in one picture, one for each colour channel, which makes 1 000 kinds of images.
//!
//! The bench of mode collapse since Metz et al., "Unrolled Generative Adversarial Networks" (2017), §3.3.1: a classifier of digits reads each
//! channel, so that kinds can be counted (`eval/stacked.rs`). The set is not fetched but drawn from the images of `mnist`: channel
//! c of image i shows one of them that depends on the part, i and c alone. There are no labels, because they would not fit a byte.

use std::path::Path;

use anyhow::Result;

use super::catalogue::{self, DatasetInfo};
use super::{Dataset, Split, idx};
use crate::rng::Rng;

/// The name to give as `data.name`.
pub const NAME: &str = "stacked-mnist";
/// The set whose images are stacked.
pub const SOURCE: &str = "mnist";
/// Images of each part; as many test images as the literature draws samples.
const COUNT: [usize; 2] = [60_000, 26_000];

pub(super) fn info() -> DatasetInfo {
    let source = catalogue::info(catalogue::find(SOURCE).expect("the catalogue has it"));
    DatasetInfo {
        name: NAME,
        what: "three digits of mnist, one a colour channel",
        count: COUNT,
        shape: [28, 28, 3],
        rate: None,
        classes: 0,
        sources: Vec::new(),
        ..source
    }
}

/// Stacks the digits in `folder`, the folder of `mnist`.
pub(super) fn load(folder: &Path, split: Split) -> Result<Dataset> {
    let (count, seed) = match split {
        Split::Train => (COUNT[0], 1),
        Split::Test => (COUNT[1], 2),
    };
    Ok(stack(&idx::load_folder(folder, split)?, count, seed))
}

/// `count` stacks of three grey images of `digits`.
fn stack(digits: &Dataset, count: usize, seed: u64) -> Dataset {
    let [h, w, _] = digits.shape;
    let mut images = vec![0; count * h * w * 3];
    for (index, image) in images.chunks_exact_mut(h * w * 3).enumerate() {
        let mut rng = Rng::new(seed, index as u64);
        let planes = [(); 3].map(|()| digits.image(rng.below(digits.len())));
        for (at, value) in image.iter_mut().enumerate() {
            *value = planes[at % 3][at / 3];
        }
    }
    Dataset { name: NAME.to_owned(), images, labels: None, class_names: Vec::new(), shape: [h, w, 3] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_images_of_the_source_drawn_apart() {
        let digits = Dataset {
            name: String::new(),
            images: (0..10).flat_map(|i| [i, 100 + i]).collect(),
            labels: None,
            class_names: Vec::new(),
            shape: [1, 2, 1],
        };
        let stacked = stack(&digits, 2_000, 1);
        assert_eq!((stacked.len(), stacked.shape), (2_000, [1, 2, 3]));
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..2_000 {
            let [r, g, b, r2, g2, b2] = *stacked.image(index) else { panic!("six values") };
            assert_eq!([r2, g2, b2], [r, g, b].map(|value| 100 + value));
            seen.insert([r, g, b]);
        }
        // 2 000 draws of 1 000 kinds leave about e⁻² of them out.
        assert!((820..910).contains(&seen.len()), "{}", seen.len());
        assert_eq!(stack(&digits, 5, 1).images[..], stacked.images[..30], "an image does not depend on their number");
        assert_ne!(stack(&digits, 5, 2).images[..], stacked.images[..30]);
    }
}
