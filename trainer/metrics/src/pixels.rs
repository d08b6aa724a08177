//! Measures on pixels: how far int8 is from float, and whether upsampling left its pattern.

/// How two sets of images differ, image by image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Peak signal-to-noise ratio in dB, with a peak of 255 and the mean square over all pixels of all images; infinite if all are equal.
    pub psnr: f64,
    /// Mean absolute difference, in levels of 255.
    pub mean: f64,
    /// 99.9 % of pixels differ by at most this many levels.
    pub p999: u8,
    /// The largest difference.
    pub max: u8,
}

/// Differences of pixels of the same place.
///
/// # Panics
///
/// If the sets have not the same number of images of the same lengths, or there is no pixel.
pub fn difference(a: &[Vec<u8>], b: &[Vec<u8>]) -> Difference {
    assert_eq!(a.len(), b.len(), "as many images of one as of the other");
    let mut counts = [0u64; 256];
    for (a, b) in a.iter().zip(b) {
        assert_eq!(a.len(), b.len(), "images of one size");
        a.iter().zip(b).for_each(|(&x, &y)| counts[usize::from(x.abs_diff(y))] += 1);
    }
    let total: u64 = counts.iter().sum();
    assert!(total > 0, "a difference of nothing");
    let mean = |power: i32| {
        counts.iter().enumerate().map(|(levels, &count)| (levels as f64).powi(power) * count as f64).sum::<f64>()
            / total as f64
    };
    let mut seen = 0;
    let p999 = counts
        .iter()
        .position(|count| {
            seen += count;
            seen as f64 >= 0.999 * total as f64
        })
        .unwrap_or_default();
    let max = counts.iter().rposition(|&count| count > 0).unwrap_or_default();
    Difference { psnr: 10.0 * (255.0 * 255.0 / mean(2)).log10(), mean: mean(1), p999: p999 as u8, max: max as u8 }
}

/// Energy at the three frequencies of a pattern that repeats every two pixels, over the mean energy of all other frequencies but the constant one.
///
/// For each channel of each image: the Fourier coefficients at (π, 0), (0, π) and (π, π) are sums of pixels with alternating signs. By Parseval the
/// energy of all frequencies is the sum of squares. A transposed convolution whose kernel its stride does not divide leaves energy
/// there (Odena et al., "Deconvolution and Checkerboard Artifacts", 2016); white noise has 1.
///
/// `shape` is `[H, W, C]`, pixels with the channels innermost, even H and W.
///
/// # Panics
///
/// If an image has another length.
pub fn checkerboard<'a>(images: impl IntoIterator<Item = &'a [u8]>, shape: [usize; 3]) -> f64 {
    let [h, w, c] = shape;
    let pixels = (h * w) as f64;
    let (mut pattern, mut rest) = (0.0, 0.0);
    for image in images {
        assert_eq!(image.len(), h * w * c, "images of {h}×{w}×{c}");
        for channel in 0..c {
            // Sums over pixels of even and odd rows and columns.
            let mut sums = [[0.0f64; 2]; 2];
            let mut square = 0.0;
            for y in 0..h {
                for x in 0..w {
                    let value = f64::from(image[(y * w + x) * c + channel]);
                    sums[y % 2][x % 2] += value;
                    square += value * value;
                }
            }
            let [[a, b], [d, e]] = sums;
            let constant = (a + b + d + e).powi(2);
            let alternating = (a - b + d - e).powi(2) + (a + b - d - e).powi(2) + (a - b - d + e).powi(2);
            pattern += alternating / 3.0;
            rest += (square * pixels - constant - alternating) / (pixels - 4.0);
        }
    }
    if rest > 0.0 { pattern / rest } else { 0.0 }
}

/// Energy of fine detail: the mean square of `4·p − above − below − left − right` over all pixels p inside the border,
/// channel by channel.
///
/// That filter, the discrete Laplacian, has the gain 0 for what is constant or a slope and 8, the largest, for a
/// checkerboard. Images that are blurred, as a mean
/// over what could be there, have less of it than real ones (Isola et al., "Image-to-Image Translation with Conditional
/// Adversarial Networks", 2017, §3.2).
///
/// `shape` is `[H, W, C]`, pixels with the channels innermost, H and W at least 3.
///
/// # Panics
///
/// If an image has another length.
pub fn detail<'a>(images: impl IntoIterator<Item = &'a [u8]>, shape: [usize; 3]) -> f64 {
    let [h, w, c] = shape;
    let (mut sum, mut count) = (0.0, 0.0);
    for image in images {
        assert_eq!(image.len(), h * w * c, "images of {h}×{w}×{c}");
        for (y, x) in (1..h - 1).flat_map(|y| (c..(w - 1) * c).map(move |x| (y, x))) {
            let at = y * w * c + x;
            let around = [at - w * c, at + w * c, at - c, at + c].map(|at| f64::from(image[at]));
            let difference = 4.0 * f64::from(image[at]) - around.iter().sum::<f64>();
            sum += difference * difference;
            count += 1.0;
        }
    }
    if count > 0.0 { sum / count } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;
    use rand::RngExt as _;

    #[test]
    fn difference_by_hand() {
        let found = difference(&[vec![10, 20], vec![30, 40]], &[vec![10, 23], vec![34, 40]]);
        assert!((found.psnr - 10.0 * (65025.0f64 / 6.25).log10()).abs() < 1e-9);
        assert_eq!((found.mean, found.p999, found.max), (1.75, 4, 4));
        assert_eq!(difference(&[vec![1]], &[vec![1]]).psnr, f64::INFINITY);
    }

    #[test]
    fn percentile_leaves_out_a_thousandth() {
        let mut b = vec![0; 10_000];
        b[..9].fill(200);
        assert_eq!(difference(&[vec![0; 10_000]], &[b.clone()]).p999, 0);
        b[..11].fill(200);
        assert_eq!(difference(&[vec![0; 10_000]], &[b]).p999, 200);
    }

    #[test]
    fn detail_by_hand() {
        let slope: Vec<u8> = (0..5 * 6 * 3).map(|at| (10 * (at / 3 % 6) + at % 3) as u8).collect();
        assert_eq!(detail([slope.as_slice()], [5, 6, 3]), 0.0);
        let board: Vec<u8> = (0..25).map(|at| 100 + at % 2).collect();
        // One level more or less than the mean, times the gain of 8.
        assert_eq!(detail([board.as_slice()], [5, 5, 1]), (0.5f64 * 8.0).powi(2));
        let (sharp, soft) = ([0, 0, 0, 200, 200, 200].repeat(4), [0, 50, 100, 150, 200, 200].repeat(4));
        assert!(detail([soft.as_slice()], [4, 6, 1]) < 0.2 * detail([sharp.as_slice()], [4, 6, 1]));
    }

    #[test]
    fn checkerboard_of_noise_is_one_and_of_a_pattern_is_large() {
        let mut rng = rng(1);
        let noise: Vec<Vec<u8>> = (0..400).map(|_| (0..16 * 16).map(|_| rng.random_range(64..192)).collect()).collect();
        let of_noise = checkerboard(noise.iter().map(Vec::as_slice), [16, 16, 1]);
        assert!((of_noise - 1.0).abs() < 0.15, "{of_noise}");
        let tiled: Vec<Vec<u8>> = noise
            .iter()
            .map(|image| {
                image.iter().enumerate().map(|(at, &x)| x + 40 * u8::from((at / 16 + at % 16) % 2 == 0)).collect()
            })
            .collect();
        let of_tiles = checkerboard(tiled.iter().map(Vec::as_slice), [16, 16, 1]);
        assert!(of_tiles > 10.0 * of_noise, "{of_tiles}");
        let wave = |at: usize| 100.0 + 50.0 * (std::f64::consts::TAU * (at / 16) as f64 / 16.0).cos();
        let smooth: Vec<u8> = (0..256).map(|at| wave(at).round() as u8).collect();
        let of_wave = checkerboard([smooth.as_slice()], [16, 16, 1]);
        assert!(of_wave < 0.01, "{of_wave}");
    }
}
