//! Measures of points of the plane, which need no judge: their modes are known. And samplers that are bad on purpose, which the measures must give
//! away.

use edgegen_metrics::mixture::{Mixture, Modes};
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

/// What is wrong with a set of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// Not all modes are found.
    ModesMissing,
    /// The reverse KL divergence is above 0.05: some modes are much rarer than others.
    Uneven,
    /// Under two thirds of the points lie within 3 deviations of a mode.
    BetweenModes,
}

/// Samplers that are bad on purpose: half of the modes only, half of them ten times rarer, and modes five times too wide.
pub fn controls(plane: &Plane, count: usize, seed: u64) -> [(&'static str, Features); 3] {
    let Mixture { centres, deviation } = &plane.mixture;
    let half = &centres[..centres.len() / 2];
    let of = |centres: Vec<[f32; 2]>, deviation: f32| Mixture { centres, deviation }.sample(count, seed);
    [
        ("collapsed", of(half.to_vec(), *deviation)),
        ("uneven", of([&half.repeat(9), &centres[..]].concat(), *deviation)),
        ("wide", of(centres.clone(), 5.0 * deviation)),
    ]
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

    /// What is wrong with the points.
    pub fn flags(&self, plane: &Plane) -> Vec<Flag> {
        let wrong = [
            (Flag::ModesMissing, self.modes < plane.mixture.centres.len()),
            (Flag::Uneven, self.reverse_kl > 0.05),
            (Flag::BetweenModes, self.high_quality < 2.0 / 3.0),
        ];
        wrong.into_iter().filter_map(|(flag, is_so)| is_so.then_some(flag)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixtures_pass_and_bad_samplers_are_flagged() {
        for plane in Plane::all() {
            let itself = Spread::of(&plane, &plane.mixture.sample(20_000, 1), 2);
            assert!(itself.high_quality > 0.98 && itself.reverse_kl < 0.01 && itself.mmd_p > 0.05, "{itself:?}");
            assert_eq!(itself.flags(&plane), []);
            let [collapsed, uneven, wide] =
                controls(&plane, 20_000, 1).map(|(_, points)| Spread::of(&plane, &points, 2));
            // Of a curve, the modes next to both ends of what is left are near enough to be found, too.
            let is_curve = matches!(plane.name, "moons" | "circles");
            let half = plane.mixture.centres.len() / 2;
            assert!(collapsed.modes == half || is_curve && collapsed.modes <= half + 2, "{collapsed:?}");
            assert_eq!(collapsed.flags(&plane), [Flag::ModesMissing, Flag::Uneven], "{collapsed:?}");
            assert_eq!(uneven.flags(&plane), [Flag::Uneven], "{uneven:?}");
            let flags = wide.flags(&plane);
            // The modes of a curve share what lies between them, and those at its ends and outside get more of it.
            assert!(flags == [Flag::BetweenModes] || is_curve && flags.contains(&Flag::BetweenModes), "{wide:?}");
            assert!(collapsed.energy > 10.0 * itself.energy && collapsed.mmd_p < 0.01, "{collapsed:?}");
        }
    }
}
