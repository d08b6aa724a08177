//! Enlarging and shrinking.
//!
//! The triangle filter is that of the crate `image`, to the byte (a test compares): separable, rows first, weights
//! normalized, `f32` sums from the first pixel to the last. It is written out here because a photo has a hundred times the
//! pixels of what is learned from it, and this takes a few channels of bytes in whole rows, which a compiler makes vectors
//! of, where the crate converts every pixel to four floats.

use std::ops::Range;

use crate::config::{Resize, Size};

/// The part `x`, `y` of an image `[H, W, C]`, brought to `size`.
pub fn resample(
    pixels: &[u8],
    shape: [usize; 3],
    y: Range<usize>,
    x: Range<usize>,
    size: Size,
    resize: Resize,
) -> Vec<u8> {
    let [_, width, c] = shape;
    if (y.len(), x.len()) == (size.h, size.w) {
        return y.flat_map(|row| &pixels[(row * width + x.start) * c..(row * width + x.end) * c]).copied().collect();
    }
    match resize {
        Resize::Nearest => {
            let from =
                |out: usize, range: &Range<usize>, len: usize| range.start + (2 * out + 1) * range.len() / (2 * len);
            let columns: Vec<usize> = (0..size.w).map(|out| from(out, &x, size.w)).collect();
            let row = |out: usize| {
                let row = from(out, &y, size.h) * width;
                columns.iter().flat_map(move |column| &pixels[(row + column) * c..][..c])
            };
            (0..size.h).flat_map(row).copied().collect()
        }
        Resize::Triangle => triangle(pixels, [width, c], y, x, size),
    }
}

fn triangle(pixels: &[u8], [width, c]: [usize; 2], y: Range<usize>, x: Range<usize>, size: Size) -> Vec<u8> {
    let (down, across) = (weights(y.len(), size.h), weights(x.len(), size.w));
    let mut sums = vec![0.0f32; x.len() * c];
    let mut out = Vec::with_capacity(size.h * size.w * c);
    for (top, weights) in &down {
        sums.fill(0.0);
        for (row, weight) in (y.start + top..).zip(weights) {
            let row = &pixels[(row * width + x.start) * c..][..x.len() * c];
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += f32::from(value) * weight;
            }
        }
        for (left, weights) in &across {
            for channel in 0..c {
                let values = sums[left * c + channel..].iter().step_by(c);
                let sum = values.zip(weights).fold(0.0f32, |sum, (value, weight)| sum + value * weight);
                out.push(sum.clamp(0.0, 255.0).round() as u8);
            }
        }
    }
    out
}

/// For each of `to` pixels the first of `from` pixels that it is made of, and their weights.
fn weights(from: usize, to: usize) -> Vec<(usize, Vec<f32>)> {
    let ratio = from as f32 / to as f32;
    let scale = ratio.max(1.0);
    let one = |out: usize| {
        let centre = (out as f32 + 0.5) * ratio;
        let left = ((centre - scale).floor() as i64).clamp(0, from as i64 - 1);
        let right = ((centre + scale).ceil() as i64).clamp(left + 1, from as i64);
        let centre = centre - 0.5;
        let mut weights: Vec<f32> =
            (left..right).map(|at| (1.0 - ((at as f32 - centre) / scale).abs()).max(0.0)).collect();
        let sum = weights.iter().fold(0.0f32, |sum, weight| sum + weight);
        weights.iter_mut().for_each(|weight| *weight /= sum);
        (left as usize, weights)
    };
    (0..to).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::imageops::{FilterType, crop_imm, resize};
    use image::{GrayImage, RgbImage};

    /// Bytes without a pattern.
    fn noise(count: usize) -> Vec<u8> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn the_filters_are_those_of_the_crate() {
        for (height, width) in [(28, 28), (5, 7), (37, 91), (200, 3), (301, 257), (1, 1), (64, 64)] {
            for (h, w) in [(28, 28), (32, 32), (64, 48), (1, 1), (9, 130), (64, 64)] {
                let (y, x) = (height / 5..height, 0..width - width / 4);
                let (rows, columns) = (y.len() as u32, x.len() as u32);
                for (ours, theirs) in [(Resize::Triangle, FilterType::Triangle), (Resize::Nearest, FilterType::Nearest)]
                {
                    let grey = noise(height * width);
                    let image = GrayImage::from_raw(width as u32, height as u32, grey.clone()).unwrap();
                    let part = crop_imm(&image, 0, y.start as u32, columns, rows).to_image();
                    let expected = resize(&part, w as u32, h as u32, theirs).into_raw();
                    let found = resample(&grey, [height, width, 1], y.clone(), x.clone(), Size { h, w }, ours);
                    assert!(found == expected, "grey {height}×{width} to {h}×{w}, {ours:?}");
                    let rgb = noise(height * width * 3);
                    let image = RgbImage::from_raw(width as u32, height as u32, rgb.clone()).unwrap();
                    let part = crop_imm(&image, 0, y.start as u32, columns, rows).to_image();
                    let expected = resize(&part, w as u32, h as u32, theirs).into_raw();
                    let found = resample(&rgb, [height, width, 3], y.clone(), x.clone(), Size { h, w }, ours);
                    assert!(found == expected, "colour {height}×{width} to {h}×{w}, {ours:?}");
                }
            }
        }
    }
}
