//! Any image to the size and channels of the recipe; and the choice of a few among many.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng};

use crate::config::{Background, Config, Fit, Size};
use crate::dataset::Dataset;
use crate::resample::resample;

/// Fits every image of `dataset` to what `config` asks for and keeps at most `config.limit` images.
pub fn fit_dataset(dataset: Dataset, config: &Config) -> Dataset {
    let total = dataset.len();
    let shape = [config.size.h, config.size.w, config.channels];
    if dataset.shape == shape && config.limit.is_none_or(|limit| limit >= total) {
        return dataset;
    }
    let kept = select(total, config.limit, dataset.labels.as_deref());
    let images = kept.iter().flat_map(|&index| fit_image(dataset.image(index), dataset.shape, config)).collect();
    let labels = dataset.labels.map(|labels| kept.iter().map(|&index| labels[index]).collect());
    Dataset { images, labels, shape, ..dataset }
}

/// Crops, pads or stretches an image `[H, W, C]`, resamples it to `config.size` and changes its channels (1 or 3).
///
/// # Panics
///
/// If `pixels` are not H · W · C bytes.
pub fn fit_image(pixels: &[u8], shape: [usize; 3], config: &Config) -> Vec<u8> {
    let fill = match config.background {
        Background::Contrast => [0; 3],
        Background::Color(color) => color,
    };
    fit_over(pixels, shape, config, fill)
}

/// [`fit_image`] with margins of `fill`, red, green and blue.
pub(crate) fn fit_over(pixels: &[u8], shape: [usize; 3], config: &Config, fill: [u8; 3]) -> Vec<u8> {
    let &Config { size, channels, resize, .. } = config;
    let [height, width, _] = shape;
    assert_eq!(pixels.len(), shape.iter().product::<usize>(), "an image of {shape:?}");
    let pixels = convert(pixels, shape[2], channels);
    let shape = [height, width, channels];
    match config.fit {
        Fit::Crop => {
            let [y, x] = cropped(height, width, size);
            resample(&pixels, shape, y, x, size, resize)
        }
        Fit::Stretch => resample(&pixels, shape, 0..height, 0..width, size, resize),
        Fit::Pad => {
            let inner = padded(height, width, size);
            let picture = resample(&pixels, shape, 0..height, 0..width, inner, resize);
            let fill = match channels {
                1 => vec![luma(fill[0], fill[1], fill[2])],
                _ => fill.to_vec(),
            };
            let mut image = fill.repeat(size.h * size.w);
            let (top, left) = ((size.h - inner.h) / 2, (size.w - inner.w) / 2);
            for (row, line) in picture.chunks_exact(inner.w * channels).enumerate() {
                image[((top + row) * size.w + left) * channels..][..line.len()].copy_from_slice(line);
            }
            image
        }
    }
}

/// Rows and columns of the middle that has the shape of `size`.
pub(crate) fn cropped(height: usize, width: usize, size: Size) -> [std::ops::Range<usize>; 2] {
    let Size { h, w } = size;
    let (rows, columns) = if width * h > height * w {
        (height, ((height * w + h / 2) / h).clamp(1, width))
    } else {
        (((width * h + w / 2) / w).clamp(1, height), width)
    };
    let (top, left) = ((height - rows) / 2, (width - columns) / 2);
    [top..top + rows, left..left + columns]
}

/// The size of the whole image inside of `size`.
fn padded(height: usize, width: usize, size: Size) -> Size {
    let Size { h, w } = size;
    if width * h > height * w {
        Size { h: ((height * w + width / 2) / width).clamp(1, h), w }
    } else {
        Size { h, w: ((width * h + height / 2) / height).clamp(1, w) }
    }
}

fn convert(pixels: &[u8], from: usize, to: usize) -> Cow<'_, [u8]> {
    match (from, to) {
        (1, 3) => pixels.iter().flat_map(|&grey| [grey; 3]).collect(),
        (3, 1) => pixels.chunks_exact(3).map(|rgb| luma(rgb[0], rgb[1], rgb[2])).collect(),
        _ => pixels.into(),
    }
}

/// ITU-R BT.601 luma; the weights add up to 256, so that grey stays the same grey.
pub(crate) fn luma(red: u8, green: u8, blue: u8) -> u8 {
    ((77 * u32::from(red) + 150 * u32::from(green) + 29 * u32::from(blue) + 128) >> 8) as u8
}

/// At most `limit` of `total` places, in order: one of each class, as far as the limit goes, and others at random, always the same ones.
///
/// Not evenly spaced ones: sets may be sorted, and in others, as in MNIST, sources take turns, so that every sixth image is no fair choice.
pub fn select(total: usize, limit: Option<usize>, labels: Option<&[u8]>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..total).collect();
    let Some(limit) = limit.filter(|&limit| limit < total) else { return order };
    shuffle(&mut order);
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

/// Fisher–Yates, always the same; the trainer's stream 4 of seed 0, so that a limit keeps the images that it kept before.
fn shuffle(items: &mut [usize]) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(4u64.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    for last in (1..items.len()).rev() {
        let place = (u128::from(rng.next_u64()) * (last as u128 + 1)) >> 64;
        items.swap(last, place as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Resize;

    fn config(size: impl Into<Size>, channels: usize) -> Config {
        Config::new("", size, channels)
    }

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
        assert_eq!(fit_image(&[1, 2, 3, 4, 5, 6, 7, 8], [2, 4, 1], &config(2, 1)), [2, 3, 6, 7]);
        assert_eq!(fit_image(&[1, 2, 3, 4, 5, 6, 7, 8], [4, 2, 1], &config(2, 1)), [3, 4, 5, 6]);
        // A wide size takes all columns of a square and its middle rows.
        let square: Vec<u8> = (0..16).collect();
        assert_eq!(fit_image(&square, [4, 4, 1], &config([2, 4], 1)), [4, 5, 6, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn pad_and_stretch_keep_all_of_it() {
        let wide = [10, 20, 30, 40];
        let nearest = Config { fit: Fit::Pad, resize: Resize::Nearest, ..config(4, 1) };
        let grey = Background::Color([9; 3]);
        let padded = fit_image(&wide, [1, 4, 1], &Config { background: grey, ..nearest.clone() });
        assert_eq!(padded, [9, 9, 9, 9, 10, 20, 30, 40, 9, 9, 9, 9, 9, 9, 9, 9]);
        let stretched = fit_image(&wide, [1, 4, 1], &Config { fit: Fit::Stretch, ..nearest });
        assert_eq!(stretched, [10, 20, 30, 40].repeat(4));
    }

    #[test]
    fn nearest_makes_no_new_colours() {
        let art = [0, 255, 255, 0];
        let large = fit_image(&art, [2, 2, 1], &Config { resize: Resize::Nearest, ..config(4, 1) });
        assert_eq!(large, [0, 0, 255, 255, 0, 0, 255, 255, 255, 255, 0, 0, 255, 255, 0, 0]);
        assert!(fit_image(&art, [2, 2, 1], &config(4, 1)).iter().any(|&value| value != 0 && value != 255));
    }

    #[test]
    fn flat_images_stay_flat_through_every_conversion() {
        for (side, size) in [(28, 32), (64, 28), (5, 5)] {
            let grey = vec![77; side * side];
            assert!(fit_image(&grey, [side, side, 1], &config(size, 1)).iter().all(|&v| v == 77));
            let rgb = fit_image(&grey, [side, side, 1], &config(size, 3));
            assert_eq!(rgb.len(), size * size * 3);
            assert!(fit_image(&rgb, [size, size, 3], &config(side, 1)).iter().all(|&v| v == 77));
        }
    }

    #[test]
    fn labels_follow_their_images() {
        let dataset = Dataset {
            name: String::new(),
            images: vec![0, 1, 2, 3],
            labels: Some(vec![0, 1, 2, 3]),
            class_names: Vec::new(),
            shape: [1, 1, 1],
        };
        let kept = fit_dataset(dataset, &Config { limit: Some(2), ..config(1, 3) });
        assert_eq!((kept.len(), kept.shape), (2, [1, 1, 3]));
        let labels = kept.labels.unwrap();
        assert_eq!(kept.images, labels.iter().flat_map(|&label| [label; 3]).collect::<Vec<_>>());
    }
}
