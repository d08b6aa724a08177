//! Any image to the size and channels of the recipe.

use std::collections::BTreeSet;

use image::imageops::{FilterType, crop_imm, resize};
use image::{ImageBuffer, Luma, Pixel, Rgb};

use super::Dataset;
use crate::rng::Rng;

/// Fits every image of `dataset` to `size`×`size`×`channels` and keeps at most `limit` images.
pub(super) fn fit(dataset: Dataset, size: usize, channels: usize, limit: Option<usize>) -> Dataset {
    let total = dataset.len();
    let shape = [size, size, channels];
    if dataset.shape == shape && limit.is_none_or(|limit| limit >= total) {
        return dataset;
    }
    let kept = select(total, limit, dataset.labels.as_deref());
    let images =
        kept.iter().flat_map(|&index| fit_image(dataset.image(index), dataset.shape, size, channels)).collect();
    let labels = dataset.labels.map(|labels| kept.iter().map(|&index| labels[index]).collect());
    Dataset { name: dataset.name, images, labels, shape }
}

/// At most `limit` of `total` places, in order: one of each class, as far as the limit goes, and others at random, always the same ones.
///
/// Not evenly spaced ones: sets may be sorted, and in others, as in MNIST, sources take turns, so that every sixth image is no fair choice.
pub(super) fn select(total: usize, limit: Option<usize>, labels: Option<&[u8]>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..total).collect();
    let Some(limit) = limit.filter(|&limit| limit < total) else { return order };
    Rng::new(0, 4).shuffle(&mut order);
    if let Some(labels) = labels {
        let mut seen = BTreeSet::new();
        let firsts: BTreeSet<usize> = order.iter().copied().filter(|&index| seen.insert(labels[index])).collect();
        // A stable sort: the first of each class comes to the front, in an order that is random, too.
        order.sort_by_key(|index| !firsts.contains(index));
    }
    order.truncate(limit);
    order.sort_unstable();
    order
}

/// Crops the central square of an image `[H, W, C]`, resamples it to `size`×`size` and changes its channels (1 or 3).
///
/// # Panics
///
/// If `pixels` are not H · W · C bytes.
pub fn fit_image(pixels: &[u8], shape: [usize; 3], size: usize, channels: usize) -> Vec<u8> {
    let [height, width, _] = shape;
    let pixels = convert(pixels, shape[2], channels);
    match channels {
        1 => square::<Luma<u8>>(pixels, width, height, size),
        _ => square::<Rgb<u8>>(pixels, width, height, size),
    }
}

fn convert(pixels: &[u8], from: usize, to: usize) -> Vec<u8> {
    match (from, to) {
        (1, 3) => pixels.iter().flat_map(|&grey| [grey; 3]).collect(),
        (3, 1) => pixels.chunks_exact(3).map(|rgb| luma(rgb[0], rgb[1], rgb[2])).collect(),
        _ => pixels.to_vec(),
    }
}

/// ITU-R BT.601 luma; the weights add up to 256, so that grey stays the same grey.
fn luma(red: u8, green: u8, blue: u8) -> u8 {
    ((77 * u32::from(red) + 150 * u32::from(green) + 29 * u32::from(blue) + 128) >> 8) as u8
}

fn square<P: Pixel<Subpixel = u8> + 'static>(pixels: Vec<u8>, width: usize, height: usize, size: usize) -> Vec<u8> {
    if (width, height) == (size, size) {
        return pixels;
    }
    let image: ImageBuffer<P, _> =
        ImageBuffer::from_raw(width as u32, height as u32, pixels).expect("a data set holds H·W·C bytes an image");
    let side = width.min(height);
    let (x, y) = ((width - side) / 2, (height - side) / 2);
    let cropped = crop_imm(&image, x as u32, y as u32, side as u32, side as u32).to_image();
    if side == size {
        return cropped.into_raw();
    }
    // The triangle filter averages over the source pixels when it shrinks, and never rings at hard edges.
    resize(&cropped, size as u32, size as u32, FilterType::Triangle).into_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_never_more_than_there_is() {
        assert_eq!(select(3, Some(9), None), [0, 1, 2]);
        assert_eq!(select(3, None, None), [0, 1, 2]);
        assert!(select(3, Some(0), None).is_empty() && select(0, Some(3), None).is_empty());
    }

    #[test]
    fn a_limit_favours_no_source_and_leaves_no_class_out() {
        // Two sources take turns; a class of three images is hidden at the end.
        let total = 6_000;
        let labels: Vec<u8> =
            (0..total).map(|index| if index < total - 3 { (index / 2 % 4) as u8 } else { 9 }).collect();
        let kept = select(total, Some(1_000), Some(&labels));
        assert!(kept.len() == 1_000 && kept.is_sorted() && kept.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(kept, select(total, Some(1_000), Some(&labels)), "always the same");
        let even = kept.iter().filter(|&index| index % 2 == 0).count();
        assert!((420..580).contains(&even), "five deviations around a half: {even}");
        for class in [0, 1, 2, 3] {
            let count = kept.iter().filter(|&&index| labels[index] == class).count();
            assert!((180..320).contains(&count), "five deviations around a quarter: {count}");
        }
        for limit in [5, 6, 100] {
            let classes: BTreeSet<u8> =
                select(total, Some(limit), Some(&labels)).into_iter().map(|index| labels[index]).collect();
            assert_eq!(classes.len(), 5, "{limit}");
        }
    }

    #[test]
    fn crop_takes_the_middle() {
        assert_eq!(fit_image(&[1, 2, 3, 4, 5, 6, 7, 8], [2, 4, 1], 2, 1), [2, 3, 6, 7]);
        assert_eq!(fit_image(&[1, 2, 3, 4, 5, 6, 7, 8], [4, 2, 1], 2, 1), [3, 4, 5, 6]);
    }

    #[test]
    fn flat_images_stay_flat_through_every_conversion() {
        for (side, size) in [(28, 32), (64, 28), (5, 5)] {
            let grey = vec![77; side * side];
            assert!(fit_image(&grey, [side, side, 1], size, 1).iter().all(|&v| v == 77));
            let rgb = fit_image(&grey, [side, side, 1], size, 3);
            assert_eq!(rgb.len(), size * size * 3);
            assert!(fit_image(&rgb, [size, size, 3], side, 1).iter().all(|&v| v == 77));
        }
    }

    #[test]
    fn labels_follow_their_images() {
        let dataset =
            Dataset { name: String::new(), images: vec![0, 1, 2, 3], labels: Some(vec![0, 1, 2, 3]), shape: [1, 1, 1] };
        let kept = fit(dataset, 1, 3, Some(2));
        assert_eq!((kept.len(), kept.shape), (2, [1, 1, 3]));
        let labels = kept.labels.unwrap();
        assert_eq!(kept.images, labels.iter().flat_map(|&label| [label; 3]).collect::<Vec<_>>());
    }
}
