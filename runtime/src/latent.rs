//! Seed to latent vector, in integers, the same on every target.
//!
//! The generator is xoshiro128++ (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021) of the
//! `rand_xoshiro` crate, seeded through SplitMix64, so neighbouring seeds give unrelated vectors.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro128PlusPlus;

use crate::graph::Prior;

mod gaussian;
pub mod keyframes;
mod noise;
mod point;
mod walk;

pub use keyframes::Keyframes;
pub(crate) use noise::Seeds;
pub use noise::noise;
pub(crate) use point::remainder;
pub use point::{Noise, Point, Style, combination};
pub use walk::{STEPS, walk};

/// 1.0 as a weight of [`blend`].
const ONE: i32 = 1 << 15;

/// Fills `codes` with the latent vector of `seed`: values are `code / prior.steps()`.
pub fn fill(prior: Prior, seed: u64, codes: &mut [i8]) {
    blend(prior, seed, codes, 0, ONE);
}

/// Makes `keep` · code + `take` · drawn of each code and the one that `seed` draws in its place, both weights in 1/[`ONE`] and at most that;
/// to the nearest, ties up, clipped to ±127.
#[inline(never)]
fn blend(prior: Prior, seed: u64, codes: &mut [i8], keep: i32, take: i32) {
    let mut random = Xoshiro128PlusPlus::seed_from_u64(seed);
    for code in codes {
        let bits = random.next_u32();
        let drawn = match prior {
            Prior::Gaussian => normal(bits),
            Prior::Uniform => uniform(bits),
            Prior::UnitUniform => unit_uniform(bits),
        };
        // At most 2 · 128 · 2¹⁵ in magnitude: far from overflow.
        let sum = i32::from(*code) * keep + i32::from(drawn) * take;
        *code = ((sum + ONE / 2) >> 15).clamp(-127, 127) as i8;
    }
}

/// 32 random bits as one of 255 equally likely codes, −127 … 127.
fn uniform(bits: u32) -> i8 {
    let scaled = (u64::from(bits) * 255) >> 32; // 0 … 254
    (scaled as i32 - 127) as i8
}

/// 32 random bits as one of 128 equally likely codes, 0 … 127.
fn unit_uniform(bits: u32) -> i8 {
    (bits >> 25) as i8
}

/// 32 random bits as a normal code by inversion: the lowest bit is the sign, the other 31 find the magnitude.
fn normal(bits: u32) -> i8 {
    let position = bits >> 1;
    let magnitude = gaussian::CUMULATIVE.partition_point(|&below| below <= position) as i8; // 0 … 127
    if bits & 1 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Latent;
    use std::vec;

    // Computed by an independent program from the papers' definitions, with erf and sine in float64. They never change:
    // one seed gives the same bytes on every target and for ever.

    /// Seed, its first nine Gaussian codes, its first nine uniform ones.
    const FILLED: [(u64, [i8; 9], [i8; 9]); 6] = [
        (0, [-11, 19, -35, -46, -10, -4, 41, 6, 58], [-57, -12, 56, 90, -67, -99, 76, -88, 109]),
        (1, [22, -27, 47, 27, -12, -35, -58, -24, -30], [0, 26, 90, 24, -51, 58, 109, 11, 40]),
        (2, [12, -1, 10, -10, -31, -46, 54, -27, 9], [-51, -121, -67, -65, 42, 88, 105, 25, -72]),
        (7, [-4, 2, 16, -14, -2, -41, 16, 36, 19], [-103, -113, -32, -43, -112, 75, -27, 62, -11]),
        (1 << 32, [-9, -17, -9, 5, 71, -29, -18, 25, 2], [-69, -23, -70, -95, 121, 35, -19, 15, -117]),
        (u64::MAX, [28, -12, 26, -6, 13, 1, -26, -1, -4], [30, -52, 23, -93, -47, -124, 22, -123, -105]),
    ];

    /// Seeds at both ends of a way, the step, and the Gaussian and the uniform codes there.
    type Walked = (u64, u64, u16, &'static [i8], &'static [i8]);
    const WALKED: [Walked; 4] = [
        (1, 2, 1, &[22, -27, 47, 27, -13], &[-1, 24, 88, 23, -50]),
        (2, 1, 32, &[24, -20, 40, 12, -30, -57, -3], &[-25, -47, 12, -20, -4, 73, 107]),
        (u64::MAX, 0, 45, &[3, 12, -20, -44, -3, -3, 25, 5, 50], &[-31, -24, 46, 36, -61, -106, 60, -98, 45]),
        (7, 1 << 32, 63, &[-9, -17, -9], &[-70, -24, -69]),
    ];

    #[test]
    fn known_vectors() {
        for (seed, gaussian, uniform) in FILLED {
            for (prior, known) in [(Prior::Gaussian, gaussian), (Prior::Uniform, uniform)] {
                // A shorter vector is the start of a longer one, so every length, odd ones too, is known.
                for dims in 0..=known.len() {
                    let mut codes = vec![99; dims];
                    fill(prior, seed, &mut codes);
                    assert_eq!(codes, known[..dims], "{prior:?}, seed {seed}, {dims} values");
                }
            }
        }
        for (from, to, step, gaussian, uniform) in WALKED {
            for (prior, known) in [(Prior::Gaussian, gaussian), (Prior::Uniform, uniform)] {
                let mut codes = vec![99; known.len()];
                walk(prior, from, to, step, &mut codes);
                assert_eq!(codes, known, "{prior:?}, step {step} from {from} to {to}");
            }
        }
    }

    #[test]
    fn known_vectors_with_classes() {
        let known: [(Prior, u16, Point, &[i8]); 4] = [
            // Seeds 2⁶⁴ − 1 and 0 are both of class 0 of three.
            (Prior::Gaussian, 5, Point::walk(u64::MAX, 0, 45), &[3, 12, -20, -44, -3, 32, 0, 0]),
            (Prior::Uniform, 3, Point::walk(7, 8, 20), &[-106, -85, -36, 0, 0, 87, 40, 0]),
            (Prior::Gaussian, 1, Point::seed(2).of_class(1), &[12, 0, 32]),
            (Prior::Uniform, 3, Point::walk(1, 2, 32).of_class(3), &[-25, -47, 12, 0, 0, 0, 127]),
        ];
        for (prior, dims, point, known) in known {
            let mut codes = vec![99; known.len()];
            point.fill(Latent { prior, dims }, &mut codes);
            assert_eq!(codes, known, "{prior:?} {point:?}");
        }
    }

    #[test]
    fn moments() {
        for (prior, variance) in [(Prior::Gaussian, 1.0), (Prior::Uniform, 1.0 / 3.0)] {
            let mut codes = vec![0; 200_000];
            fill(prior, 3, &mut codes);
            let values = codes.iter().map(|&code| f64::from(code) / f64::from(prior.steps()));
            let count = codes.len() as f64;
            let mean = values.clone().sum::<f64>() / count;
            let found = values.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
            assert!(mean.abs() < 0.01, "{prior:?} mean {mean}");
            assert!((found / variance - 1.0).abs() < 0.02, "{prior:?} variance {found}");
        }
    }

    #[test]
    fn the_table_is_the_error_function() {
        for (k, &entry) in gaussian::CUMULATIVE.iter().enumerate() {
            let exact = (1u64 << 31) as f64 * libm::erf((k as f64 + 0.5) / 32.0 / 2f64.sqrt());
            assert!((f64::from(entry) - exact).abs() <= 0.51, "{k}: {entry} {exact}");
        }
    }

    #[test]
    fn extremes_of_the_bits() {
        assert_eq!((uniform(0), uniform(u32::MAX)), (-127, 127));
        assert_eq!((normal(0), normal(1)), (0, 0));
        assert_eq!((normal(u32::MAX - 1), normal(u32::MAX)), (127, -127));
    }
}
