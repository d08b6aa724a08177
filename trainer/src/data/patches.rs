//! Digits over patches of colour: the target of adaptation from `mnist`, after MNIST-M.
//!
//! Ganin et al., "Domain-Adversarial Training of Neural Networks" (2016), §5.2.4, take the absolute difference of a
//! digit and a patch of a photo, channel by channel. The patches here are of emoji (`emoji.rs`), which can be fetched
//! by name: 28×28 of 64×64 pixels, out of the middle, where emoji have their colours. Image i is digit i of the same
//! part of
//! `mnist`, with its label; its patch depends on i alone, and test digits lie over test emoji.

use std::path::Path;

use anyhow::Result;

use super::catalogue::{self, DatasetInfo};
use super::{Dataset, Split, emoji, idx};
use crate::rng::Rng;

/// The name to give as `data.name`.
pub(super) const NAME: &str = "mnist-patches";
/// The sets that digits and patches are taken from.
pub(super) const SOURCES: [&str; 2] = ["mnist", "emoji"];

/// Pixels at each border of an emoji that are left out.
const BORDER: usize = 8;

pub(super) fn info() -> DatasetInfo {
    let [digits, patches] = SOURCES.map(|name| catalogue::info(catalogue::find(name).expect("the catalogue has it")));
    DatasetInfo {
        name: NAME,
        what: "digits of mnist over patches of emoji",
        licence: "as mnist and emoji",
        shape: [28, 28, 3],
        rate: None,
        bytes: digits.bytes + patches.bytes,
        sources: Vec::new(),
        present: digits.present && patches.present,
        ..digits
    }
}

/// Reads one part from the folders of [`SOURCES`].
pub(super) fn load([digits, emoji]: [&Path; 2], split: Split) -> Result<Dataset> {
    let seed = match split {
        Split::Train => 1,
        Split::Test => 2,
    };
    Ok(lay(&idx::load_folder(digits, split)?, &emoji::load_pairs(emoji, split)?, seed))
}

/// Grey `digits` over patches of coloured `pictures`, which are larger.
fn lay(digits: &Dataset, pictures: &[Dataset; 2], seed: u64) -> Dataset {
    let [h, w, _] = digits.shape;
    let mut images = Vec::with_capacity(digits.images.len() * 3);
    for index in 0..digits.len() {
        let mut rng = Rng::new(seed, index as u64);
        let drawn = &pictures[rng.below(2)];
        let picture = drawn.image(rng.below(drawn.len()));
        let [height, width, _] = drawn.shape;
        let top = BORDER + rng.below(height - h - 2 * BORDER + 1);
        let left = BORDER + rng.below(width - w - 2 * BORDER + 1);
        for (at, digit) in digits.image(index).iter().enumerate() {
            let pixel = &picture[((top + at / w) * width + left + at % w) * 3..][..3];
            images.extend(pixel.iter().map(|value| value.abs_diff(*digit)));
        }
    }
    Dataset { name: NAME.to_owned(), images, shape: [h, w, 3], ..digits.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digit_is_the_difference_to_its_patch() {
        let digits = Dataset {
            name: String::new(),
            images: [[0, 255], [255, 0]].concat().repeat(500),
            labels: Some([3, 4].repeat(500)),
            class_names: Vec::new(),
            shape: [1, 2, 1],
        };
        // Each pixel says where it is and whose it is.
        let picture = |whose: u8| Dataset {
            name: String::new(),
            images: (0..20 * 21).flat_map(|at| [at as u8 / 21, at as u8 % 21, whose]).collect(),
            labels: None,
            class_names: Vec::new(),
            shape: [20, 21, 3],
        };
        let pictures = [picture(10), picture(20)];
        let laid = lay(&digits, &pictures, 1);
        assert_eq!((laid.len(), laid.shape, &laid.labels), (1000, [1, 2, 3], &digits.labels));
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..laid.len() {
            let pixels = laid.image(index).as_chunks::<3>().0;
            let bright = usize::from(index % 2 == 0);
            let [y, x, whose] = pixels[1 - bright];
            assert_eq!(pixels[bright], [255 - y, if bright == 1 { 255 - x - 1 } else { 255 - x + 1 }, 255 - whose]);
            seen.insert([y, x - if bright == 1 { 0 } else { 1 }, whose]);
        }
        let places = |whose| (8..=11).flat_map(move |y| (8..=11).map(move |x| [y, x, whose]));
        assert!(seen.into_iter().eq(std::collections::BTreeSet::from_iter(places(10).chain(places(20)))));
    }
}
