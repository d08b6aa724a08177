//! Measures of points of the plane, which need no judge: their modes are known.

use edgegen_metrics::mixture::Modes;
use edgegen_metrics::{Features, energy, mmd};
use serde::Serialize;

use crate::data::plane::Plane;

/// Points of each set in the energy distance.
const ENERGY: usize = 2_000;
/// Points of each set in the two-sample test, and its permutations.
const TESTED: usize = 500;
const PERMUTATIONS: usize = 199;

/// How one set of points does.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Spread {
    /// Modes that at least one point in 1 000 is nearest to and within 3 deviations of.
    pub modes: usize,
    /// Share of points within 3 deviations of some centre; 98.9 % of the mixture's own.
    pub high_quality: f64,
    /// KL(points ‖ uniform) of the modes of those points, in nats.
    pub reverse_kl: f64,
    /// Energy distance to the mixture, 2 000 points of each, in the mixture's units.
    pub energy: f64,
    /// p-value of MMD² against the mixture, 500 points of each, 199 permutations.
    pub mmd_p: f64,
}

impl Spread {
    /// Measures `points`, which are in the mixture's units; `seed` draws the mixture's own.
    ///
    /// # Panics
    ///
    /// If there are fewer than 2 points.
    pub fn of(plane: &Plane, points: &Features, seed: u64) -> Self {
        let real = plane.mixture.sample(ENERGY, seed);
        // 20 of 20 000 in the literature's set-up.
        let Modes { found, high_quality, reverse_kl } = plane.mixture.modes(points, points.len().div_ceil(1_000));
        Self {
            modes: found,
            high_quality,
            reverse_kl,
            energy: energy::distance(&real, &points.first(ENERGY)),
            mmd_p: mmd::test(&real.first(TESTED), &points.first(TESTED), PERMUTATIONS, seed).p_value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgegen_metrics::mixture::Mixture;

    #[test]
    fn the_mixture_passes_and_what_is_collapsed_does_not() {
        let ring = Plane::named("ring").unwrap();
        let itself = Spread::of(&ring, &ring.mixture.sample(5_000, 1), 2);
        assert!(itself.modes == 8 && itself.high_quality > 0.98 && itself.reverse_kl < 0.01, "{itself:?}");
        assert!(itself.energy < 0.01 && itself.mmd_p > 0.05, "{itself:?}");
        let three = Mixture { centres: ring.mixture.centres[..3].to_vec(), deviation: 0.01 };
        let collapsed = Spread::of(&ring, &three.sample(5_000, 1), 2);
        assert!(collapsed.modes == 3 && collapsed.high_quality > 0.98, "{collapsed:?}");
        assert!((collapsed.reverse_kl - (8f64 / 3.0).ln()).abs() < 0.01, "{collapsed:?}");
        assert!(collapsed.energy > 0.1 && collapsed.mmd_p < 0.01, "{collapsed:?}");
    }
}
