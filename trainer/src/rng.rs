//! The one source of randomness of a training run.
//!
//! Initial weights, latents, dropout masks and the order of the images all come from this generator and never from
//! the device's own, because its whole state can be written to a checkpoint: a resumed run continues bit for bit,
//! and a seed means the same on every device.

use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng};
use serde::{Deserialize, Serialize};

/// xoshiro256++ (Blackman and Vigna, 2019) with the few draws that training needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rng(Xoshiro256PlusPlus);

impl Rng {
    /// A generator for stream `stream` of `seed`. Streams of one seed are unrelated to each other.
    pub fn new(seed: u64, stream: u64) -> Self {
        // An odd constant (2^64 / golden ratio) keeps neighbouring seeds and streams apart before SplitMix64 mixes them.
        Self(Xoshiro256PlusPlus::seed_from_u64(seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// Uniform in [0, 1), 24 random bits.
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u64() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f32 {
        StandardNormal.sample(&mut self.0)
    }

    /// Uniform in 0 .. `bound`; the bias of at most `bound` / 2^64 is out of any test's sight.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }

    /// Fisher–Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_survives_serde() {
        let mut rng = Rng::new(7, 1);
        rng.normal();
        let text = serde_json::to_string(&rng).unwrap();
        let mut restored: Rng = serde_json::from_str(&text).unwrap();
        assert_eq!(rng.unit(), restored.unit());
        assert_eq!(rng.normal(), restored.normal());
    }

    #[test]
    fn moments() {
        let mut rng = Rng::new(0, 0);
        let n = 20_000;
        let normal: Vec<f32> = (0..n).map(|_| rng.normal()).collect();
        let mean = normal.iter().sum::<f32>() / n as f32;
        let variance = normal.iter().map(|x| x * x).sum::<f32>() / n as f32;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        assert!((0..n).all(|_| (0.0..1.0).contains(&rng.unit())));
    }

    #[test]
    fn shuffle_is_a_permutation() {
        let mut items: Vec<usize> = (0..100).collect();
        Rng::new(3, 0).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
