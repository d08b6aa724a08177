//! Differentiable augmentation: the critic sees real and generated images alike through random changes, and the generator's gradient goes back
//! through them. With few training images this keeps the critic from knowing them by heart, and the changes do not leak into what is generated.
//!
//! ```text
//! L_D = f(D(T(x))) + g(D(T(G(z))))        L_G = h(D(T(G(z))))        T drawn anew for each image each time
//! ```
//!
//! Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training" (2020), eq. 6 to 8, with the strengths of §4: brightness ± a quarter of the
//! range, saturation × 0 … 2, contrast × 0.5 … 1.5; a translation of up to an eighth of the side; a square of half the side cut out. What is
//! moved in or cut out is 0.

use burn::tensor::{Device, Int, Tensor, TensorData};
use edgegen_export::layers::PixelRange;
use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// One kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Augmentation {
    /// Brightness, saturation and contrast. Grey images have no saturation.
    Colour,
    /// The image moves to a side.
    Translation,
    /// A square is cut out.
    Cutout,
}

impl Augmentation {
    /// Changes each image of a batch `[batch, C, H, W]`, whose values lie in `range`, with the probability `share`.
    pub fn apply(self, images: Tensor<4>, range: PixelRange, share: f32, rng: &mut Rng) -> Tensor<4> {
        match self {
            Self::Colour => colour(images, range, share, rng),
            Self::Translation => {
                let [_, _, height, width] = images.dims();
                let reach = [height, width].map(|side| (side as f32 / 8.0).round() as usize);
                let by = |reach: usize, rng: &mut Rng| rng.below(2 * reach + 1) as isize - reach as isize;
                moved(images, share, rng, |rng| [by(reach[0], rng), by(reach[1], rng)])
            }
            Self::Cutout => cut(images, share, rng),
        }
    }
}

/// One number for each image, `[batch, 1, 1, 1]`: of `draw`, or `neutral` for an image that is left as it is.
fn factors(
    images: &Tensor<4>,
    [share, neutral]: [f32; 2],
    rng: &mut Rng,
    mut draw: impl FnMut(&mut Rng) -> f32,
) -> Tensor<4> {
    let batch = images.dims()[0];
    let values: Vec<f32> = (0..batch).map(|_| if rng.unit() < share { draw(rng) } else { neutral }).collect();
    Tensor::from_data(TensorData::new(values, [batch, 1, 1, 1]), &plain(images))
}

/// The device without autodiff: what is drawn has no gradient.
fn plain(images: &Tensor<4>) -> Device {
    images.device().inner()
}

fn colour(images: Tensor<4>, range: PixelRange, share: f32, rng: &mut Rng) -> Tensor<4> {
    let span = range.span();
    let shift = factors(&images, [share, 0.0], rng, |rng| span * (rng.unit() - 0.5) / 2.0);
    let mut images = images + shift;
    if images.dims()[1] > 1 {
        let factor = factors(&images, [share, 1.0], rng, |rng| 2.0 * rng.unit());
        let grey = images.clone().mean_dim(1);
        images = (images - grey.clone()) * factor + grey;
    }
    let factor = factors(&images, [share, 1.0], rng, |rng| 0.5 + rng.unit());
    let mean = images.clone().mean_dim(1).mean_dim(2).mean_dim(3);
    (images - mean.clone()) * factor + mean
}

/// Moves each image down and to the right by what `draw` says; `[0, 0]` for an image that is left as it is.
fn moved(images: Tensor<4>, share: f32, rng: &mut Rng, mut draw: impl FnMut(&mut Rng) -> [isize; 2]) -> Tensor<4> {
    let shape @ [batch, channels, height, width] = images.dims();
    let mut sources = Vec::with_capacity(shape.iter().product());
    let mut inside = Vec::with_capacity(sources.capacity());
    for _ in 0..batch {
        let [down, right] = if rng.unit() < share { draw(rng) } else { [0, 0] };
        for (channel, y, x) in
            (0..channels).flat_map(|c| (0..height).flat_map(move |y| (0..width).map(move |x| (c, y, x))))
        {
            let from = y.checked_add_signed(-down).zip(x.checked_add_signed(-right));
            let from = from.filter(|&(y, x)| y < height && x < width);
            inside.push(f32::from(u8::from(from.is_some())));
            sources.push(from.map_or(0, |(y, x)| ((channel * height + y) * width + x) as i32));
        }
    }
    let device = plain(&images);
    let row = [batch, channels * height * width];
    let sources = Tensor::<2, Int>::from_data(TensorData::new(sources, row), &device);
    let inside = Tensor::<4>::from_data(TensorData::new(inside, shape), &device);
    images.reshape(row).gather(1, sources).reshape(shape) * inside
}

/// Cuts a square of half the side out of each image; its middle lies anywhere, so that a part of it may lie outside.
fn cut(images: Tensor<4>, share: f32, rng: &mut Rng) -> Tensor<4> {
    let [batch, _, height, width] = images.dims();
    let size = [height, width].map(|side| (side as f32 / 2.0).round() as usize);
    let mut kept = Vec::with_capacity(batch * height * width);
    for _ in 0..batch {
        let middle =
            (rng.unit() < share).then(|| [rng.below(height + 1 - size[0] % 2), rng.below(width + 1 - size[1] % 2)]);
        let is_cut = |at: usize, middle: usize, size: usize| (middle..middle + size).contains(&(at + size / 2));
        let of =
            |y: usize, x: usize| middle.is_some_and(|[top, left]| is_cut(y, top, size[0]) && is_cut(x, left, size[1]));
        kept.extend(
            (0..height).flat_map(|y| (0..width).map(move |x| (y, x))).map(|(y, x)| f32::from(u8::from(!of(y, x)))),
        );
    }
    let kept = Tensor::<4>::from_data(TensorData::new(kept, [batch, 1, height, width]), &plain(&images));
    images * kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Augmentation; 3] = [Augmentation::Colour, Augmentation::Translation, Augmentation::Cutout];
    const SHAPE: [usize; 4] = [3, 3, 8, 8];
    const LENGTH: usize = 3 * 8 * 8;

    fn noise(rng: &mut Rng) -> Vec<f32> {
        (0..SHAPE.iter().product()).map(|_| rng.normal()).collect()
    }

    fn tensor(values: &[f32], device: &Device) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.to_vec(), SHAPE), device)
    }

    fn applied(augmentation: Augmentation, values: &[f32], range: PixelRange, share: f32, seed: u64) -> Vec<f32> {
        let images = tensor(values, &Device::flex());
        augmentation.apply(images, range, share, &mut Rng::new(seed, 0)).into_data().try_to_vec().unwrap()
    }

    #[test]
    fn a_share_of_none_changes_nothing_and_one_of_some_changes_some() {
        let values = noise(&mut Rng::new(1, 0));
        for augmentation in ALL {
            let left = applied(augmentation, &values, PixelRange::Symmetric, 0.0, 5);
            let most = left.iter().zip(&values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(most < 1e-6, "{augmentation:?}: {most}");
            let changed = |seed: u64| {
                let found = applied(augmentation, &values, PixelRange::Symmetric, 0.5, seed);
                (0..3)
                    .filter(|image| {
                        let of = image * LENGTH..(image + 1) * LENGTH;
                        found[of.clone()].iter().zip(&values[of]).any(|(a, b)| (a - b).abs() > 1e-3)
                    })
                    .count()
            };
            let count: usize = (0..20).map(changed).sum();
            assert!((15..=55).contains(&count), "{augmentation:?}: {count} of 60");
        }
    }

    #[test]
    fn colours_are_stretched_around_their_means() {
        let values = noise(&mut Rng::new(2, 0));
        for (range, span) in [(PixelRange::Symmetric, 2.0), (PixelRange::Unit, 1.0)] {
            let found = applied(Augmentation::Colour, &values, range, 1.0, 6);
            // The same draws: whether, and how much, for each image of each change.
            let mut rng = Rng::new(6, 0);
            let mut draws = || -> Vec<f32> { (0..3).map(|_| (rng.unit(), rng.unit()).1).collect() };
            let (shift, saturation, contrast) = (draws(), draws(), draws());
            for image in 0..3 {
                let mut pixels: Vec<[f32; 3]> = (0..64)
                    .map(|at| {
                        [0, 1, 2].map(|c| values[image * LENGTH + c * 64 + at] + span * (shift[image] - 0.5) / 2.0)
                    })
                    .collect();
                for pixel in &mut pixels {
                    let grey = pixel.iter().sum::<f32>() / 3.0;
                    *pixel = pixel.map(|value| grey + 2.0 * saturation[image] * (value - grey));
                }
                let mean = pixels.iter().flatten().sum::<f32>() / LENGTH as f32;
                for (at, pixel) in pixels.iter().enumerate() {
                    for c in 0..3 {
                        let expected = mean + (0.5 + contrast[image]) * (pixel[c] - mean);
                        assert!((found[image * LENGTH + c * 64 + at] - expected).abs() < 1e-5);
                    }
                }
            }
        }
    }

    #[test]
    fn images_move_by_an_eighth_at_most() {
        let values = noise(&mut Rng::new(3, 0));
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..30 {
            let found = applied(Augmentation::Translation, &values, PixelRange::Symmetric, 1.0, seed);
            for image in 0..3 {
                let at = |values: &[f32], c: usize, y: isize, x: isize| {
                    let inside = (0..8).contains(&y) && (0..8).contains(&x);
                    if inside { values[image * LENGTH + c * 64 + 8 * y as usize + x as usize] } else { 0.0 }
                };
                let ways: Vec<(isize, isize)> = (-1..=1)
                    .flat_map(|down| (-1..=1).map(move |right| (down, right)))
                    .filter(|&(down, right)| {
                        (0..LENGTH).all(|index| {
                            let (c, y, x) = (index / 64, (index / 8 % 8) as isize, (index % 8) as isize);
                            at(&found, c, y, x) == at(&values, c, y - down, x - right)
                        })
                    })
                    .collect();
                assert_eq!(ways.len(), 1, "moved as a whole, all channels alike");
                seen.insert(ways[0]);
            }
        }
        assert_eq!(seen.len(), 9, "in all directions");
    }

    #[test]
    fn a_square_is_cut_out() {
        let values = vec![1.0; SHAPE.iter().product()];
        let mut areas = std::collections::BTreeSet::new();
        for seed in 0..60 {
            let found = applied(Augmentation::Cutout, &values, PixelRange::Symmetric, 1.0, seed);
            for image in found.chunks(LENGTH) {
                let cut: Vec<usize> = (0..64).filter(|&at| image[at] == 0.0).collect();
                assert!(image.chunks(64).all(|plane| plane == &image[..64]), "from all channels");
                let (rows, columns): (std::collections::BTreeSet<_>, std::collections::BTreeSet<_>) =
                    cut.iter().map(|at| (at / 8, at % 8)).unzip();
                assert_eq!(cut.len(), rows.len() * columns.len(), "one rectangle");
                assert!((2..=4).contains(&rows.len()) && (2..=4).contains(&columns.len()), "{rows:?} {columns:?}");
                areas.insert(cut.len());
            }
        }
        assert_eq!(areas.last(), Some(&16), "a square of 4 where it lies within the image");
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let mut rng = Rng::new(4, 0);
        let (values, weights) = (noise(&mut rng), noise(&mut rng));
        let device = Device::flex().autodiff();
        for augmentation in ALL {
            let images = tensor(&values, &device).require_grad();
            let changed = augmentation.apply(images.clone(), PixelRange::Symmetric, 1.0, &mut Rng::new(7, 0));
            let gradients = (changed * tensor(&weights, &device.clone().inner())).sum().backward();
            let slopes: Vec<f32> = images.grad(&gradients).unwrap().into_data().try_to_vec().unwrap();
            let value = |values: &[f32]| -> f64 {
                let found = applied(augmentation, values, PixelRange::Symmetric, 1.0, 7);
                found.iter().zip(&weights).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            for at in [0, 70, 191, 200, 333, 575] {
                let mut other = values.clone();
                // All of them are linear but for rounding, so the step may be large.
                other[at] += 1.0;
                let expected = value(&other) - value(&values);
                assert!(
                    (f64::from(slopes[at]) - expected).abs() < 1e-3,
                    "{augmentation:?} {at}: {} {expected}",
                    slopes[at]
                );
            }
        }
    }
}
