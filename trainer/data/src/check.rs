//! What is odd about a set of fitted images.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::account::ClassCount;
use crate::dataset::Dataset;

/// Standard deviation, in levels, below which an image shows nothing.
const FLAT: f64 = 2.0;
/// Below this, a set is small for any generator.
const FEW: usize = 100;
/// The largest class has so many times the images of the smallest.
const UNEVEN: usize = 10;
/// Mean difference, in levels, between images that look the same.
const NEAR: u64 = 4;

/// Warnings about a set; `name` gives the file of an image.
pub fn check(dataset: &Dataset, counts: &[ClassCount], name: impl Fn(usize) -> String) -> Vec<String> {
    let mut warnings = Vec::new();
    let total = dataset.len();
    let flat: Vec<usize> = (0..total).filter(|&index| deviation(dataset.image(index)) < FLAT).collect();
    if let Some(&first) = flat.first() {
        warnings.push(format!("{} of {total} images are nearly one single level, {} first", flat.len(), name(first)));
    }
    if total < FEW {
        warnings.push(format!("{total} images are few: a generator learns from hundreds, better thousands"));
    }
    let (least, most) = (counts.iter().min_by_key(|class| class.count), counts.iter().max_by_key(|class| class.count));
    if let (Some(least), Some(most)) = (least, most)
        && most.count >= UNEVEN * least.count.max(1)
    {
        warnings.push(format!(
            "classes are uneven: {} has {} images, {} {}",
            most.name, most.count, least.name, least.count
        ));
    }
    let copies = copies(dataset, &flat);
    if let Some(&(copy, of)) = copies.first() {
        warnings.push(format!(
            "{} of {total} images are the same as another or nearly so, {} as {} first",
            copies.len(),
            name(copy),
            name(of)
        ));
    }
    warnings
}

/// How many images of `test` are in `train`, too, byte for byte.
pub fn shared_images(train: &Dataset, test: &Dataset) -> usize {
    if train.shape != test.shape {
        return 0;
    }
    let seen: HashSet<&[u8]> = (0..train.len()).map(|index| train.image(index)).collect();
    (0..test.len()).filter(|&index| seen.contains(test.image(index))).count()
}

fn deviation(image: &[u8]) -> f64 {
    let count = image.len() as f64;
    let mean = image.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
    (image.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count).sqrt()
}

/// Images that look like an earlier one, each with it. Images of one level say nothing.
fn copies(dataset: &Dataset, flat: &[usize]) -> Vec<(usize, usize)> {
    let flat: HashSet<usize> = flat.iter().copied().collect();
    let mut same: HashMap<u64, usize> = HashMap::new();
    let mut alike: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    let mut copies = Vec::new();
    for index in (0..dataset.len()).filter(|index| !flat.contains(index)) {
        let image = dataset.image(index);
        let mut hasher = DefaultHasher::new();
        image.hash(&mut hasher);
        if let Some(&of) = same.get(&hasher.finish()).filter(|&&of| dataset.image(of) == image) {
            copies.push((index, of));
            continue;
        }
        same.insert(hasher.finish(), index);
        // Sets of small drawings fill one group with thousands: a few of it are enough to compare with.
        let group = alike.entry(gradients(image, dataset.shape)).or_default();
        match group.iter().find(|&&of| near(image, dataset.image(of))) {
            Some(&of) => copies.push((index, of)),
            None if group.len() < 8 => group.push(index),
            None => {}
        }
    }
    copies
}

fn near(a: &[u8], b: &[u8]) -> bool {
    let difference: u64 = a.iter().zip(b).map(|(&a, &b)| u64::from(a.abs_diff(b))).sum();
    difference <= NEAR * a.len() as u64
}

/// A bit for each of 8 × 8 neighbours in a grid of 9 × 8 means: whether the left one is brighter.
fn gradients(image: &[u8], [h, w, c]: [usize; 3]) -> u64 {
    let mean = |row: usize, column: usize| {
        let range = |at: usize, of: usize, len: usize| (at * len / of)..((at + 1) * len / of).max(at * len / of + 1);
        let mut sum = 0;
        for y in range(row, 8, h) {
            for x in range(column, 9, w) {
                sum += image[(y * w + x) * c..][..c].iter().map(|&value| u64::from(value)).sum::<u64>();
            }
        }
        sum / (range(row, 8, h).len() * range(column, 9, w).len()) as u64
    };
    let mut bits = 0;
    for row in 0..8 {
        for column in 0..8 {
            bits = bits << 1 | u64::from(mean(row, column) > mean(row, column + 1));
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(images: &[Vec<u8>]) -> Dataset {
        let images = images.concat();
        Dataset { name: String::new(), images, labels: None, class_names: Vec::new(), shape: [8, 9, 1] }
    }

    fn ramp(step: u8) -> Vec<u8> {
        (0..72).map(|at| (at % 9) as u8 * step + at as u8).collect()
    }

    #[test]
    fn odd_images_are_told() {
        let images = set(&[ramp(3), ramp(20), vec![7; 72], ramp(3), ramp(20).iter().map(|v| v + 1).collect()]);
        let warnings = check(&images, &[], |index| format!("n{index}"));
        assert!(warnings[0].contains("1 of 5 images are nearly one single level, n2"), "{warnings:?}");
        assert!(warnings[1].contains("5 images are few"), "{warnings:?}");
        assert!(warnings[2].contains("2 of 5") && warnings[2].contains("n3 as n0"), "{warnings:?}");
        assert_eq!(shared_images(&images, &set(&[ramp(3), ramp(5)])), 1);
    }

    #[test]
    fn good_sets_are_not_scolded() {
        let noise = |seed: u32| {
            let mut state = seed;
            (0..72)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect::<Vec<u8>>()
        };
        let counts = [("a", 60), ("b", 60)].map(|(name, count)| ClassCount { name: name.into(), count });
        let images: Vec<_> = (0..120).map(noise).collect();
        assert!(check(&set(&images), &counts, |_| String::new()).is_empty());
        let uneven = [("a", 100), ("b", 10)].map(|(name, count)| ClassCount { name: name.into(), count });
        assert!(check(&set(&images), &uneven, |_| String::new())[0].contains("a has 100 images, b 10"));
    }
}
