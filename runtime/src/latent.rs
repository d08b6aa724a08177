//! Seed to latent vector, in integers, the same on every target.
//!
//! The generator is xoshiro128++ (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021) of the
//! `rand_xoshiro` crate, seeded through SplitMix64, so neighbouring seeds give unrelated vectors.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro128PlusPlus;

use crate::graph::Prior;

mod gaussian;
pub mod keyframes;
mod point;
mod walk;

pub use keyframes::Keyframes;
pub use point::Point;
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

/// 32 random bits as a normal code by inversion: the lowest bit is the sign, the other 31 find the magnitude.
fn normal(bits: u32) -> i8 {
    let position = bits >> 1;
    let magnitude = gaussian::CUMULATIVE.partition_point(|&below| below <= position) as i8; // 0 … 127
    if bits & 1 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn known_vectors() {
        let mut codes = [0; 8];
        fill(Prior::Gaussian, 1, &mut codes);
        let first = codes;
        fill(Prior::Gaussian, 1, &mut codes);
        assert_eq!(first, codes);
        fill(Prior::Gaussian, 2, &mut codes);
        assert_ne!(first, codes);
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
