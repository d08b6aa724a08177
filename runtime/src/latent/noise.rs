//! Noise: a value for each place of a map, drawn from the seed.
//!
//! Each row has a seed of its own, so that it does not matter when it is made, nor whether those before it were:
//!
//! ```text
//! seed of row y of noise n = seed + (2¹⁶ · (n + 1) + y) · M         modulo 2⁶⁴
//! ```
//!
//! M is odd, so that no two rows of an image share one; it is a multiplier of good spectral quality from Steele and
//! Vigna ("Computationally easy, spectrally good multipliers for congruential pseudorandom number generators", 2022),
//! so that neighbouring seeds do not either. The latent vector has the seed itself.

use crate::graph::Prior;
use crate::latent::keyframes::LEG;
use crate::latent::{Noise, Point, STEPS, walk};

/// M.
const MULTIPLIER: u64 = 0xD134_2543_DE82_EF95;

/// Fills `codes` with row `row` of noise `number`, `code / prior.steps()` each, at a point: on the way from one seed to
/// the next values go [as those of a latent vector](walk). Of keyframes their numbers are the seeds. [`Noise`] says
/// what else the seeds may be.
pub fn noise(prior: Prior, point: Point, number: u16, row: u16, codes: &mut [i8]) {
    match Way::of(&point) {
        Some(way) => way.draw(prior, number, row, codes),
        None => codes.fill(0),
    }
}

/// Between which seeds noise lies, and at which step of [`STEPS`].
pub(crate) struct Way {
    from: u64,
    to: u64,
    step: u16,
}

impl Way {
    /// That of a point; nothing where its noise is off.
    #[inline(never)]
    fn of(point: &Point) -> Option<Self> {
        let (from, to) = match point.noise {
            Noise::OfPoint => (point.from, point.to),
            Noise::Seed(seed) => return Some(Self { from: seed, to: seed, step: 0 }),
            Noise::Off => return None,
        };
        let step = if point.of_keyframes { point.step.min(LEG) * (STEPS / LEG) } else { point.step };
        Some(Self { from, to, step })
    }

    /// As [`noise`].
    #[inline(never)]
    pub(crate) fn draw(&self, prior: Prior, number: u16, row: u16, codes: &mut [i8]) {
        let place = ((u64::from(number) + 1) << 16 | u64::from(row)).wrapping_mul(MULTIPLIER);
        walk(prior, self.from.wrapping_add(place), self.to.wrapping_add(place), self.step, codes);
    }
}

/// What noise takes of a [`Point`], as it lies in the arena while a model is drawn: on the stack it would be there for
/// models without noise, too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeds(pub(crate) [i8; 20]);

impl Seeds {
    /// Those of a point.
    pub(crate) fn of(point: &Point) -> Self {
        let way = Way::of(point);
        let off = way.is_none();
        let Way { from, to, step } = way.unwrap_or(Way { from: 0, to: 0, step: 0 });
        let more = [step.min(STEPS) as u8, off.into(), 0, 0];
        let mut bytes = from.to_le_bytes().into_iter().chain(to.to_le_bytes()).chain(more);
        Self([0; 20].map(|_: i8| bytes.next().unwrap_or(0) as i8))
    }

    /// The way that they note; nothing where noise is off.
    #[cfg(feature = "all-operators")]
    pub(crate) fn way(bytes: &[i8]) -> Option<Way> {
        let (from, rest) = bytes.split_first_chunk()?;
        let (to, rest) = rest.split_first_chunk()?;
        let &[step, 0, _, _] = rest else { return None };
        let seed = |bytes: &[i8; 8]| u64::from_le_bytes(bytes.map(|byte| byte as u8));
        Some(Way { from: seed(from), to: seed(to), step: u16::from(step as u8) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::fill;
    use std::vec;
    use std::vec::Vec;

    fn row(point: Point, number: u16, y: u16, len: usize) -> Vec<i8> {
        let mut codes = vec![99; len];
        noise(Prior::Gaussian, point, number, y, &mut codes);
        codes
    }

    #[test]
    fn known_rows() {
        // Computed by an independent program from the definition above and those of `latent`; they never change.
        assert_eq!(row(Point::seed(0), 0, 0, 6), KNOWN[0]);
        assert_eq!(row(Point::seed(7), 0, 1, 6), KNOWN[1]);
        assert_eq!(row(Point::seed(u64::MAX), 3, 65_535, 6), KNOWN[2]);
    }

    const KNOWN: [[i8; 6]; 3] = [[58, -24, 9, 48, -29, 8], [-77, -13, 45, 13, 2, -34], [-46, 9, -66, 32, 72, -49]];

    #[test]
    fn rows_numbers_and_seeds_differ_and_none_is_the_latent_vector() {
        let mut rows: Vec<Vec<i8>> = Vec::new();
        for seed in 0..4 {
            let mut latent = vec![0; 32];
            fill(Prior::Gaussian, seed, &mut latent);
            rows.push(latent);
            for (number, y) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (65_535, 65_535)] {
                rows.push(row(Point::seed(seed), number, y, 32));
            }
        }
        let count = rows.len();
        rows.sort();
        rows.dedup();
        assert_eq!(rows.len(), count);
    }

    #[test]
    fn rows_are_independent_and_normal() {
        // 200 rows of 500 values: mean, variance, and what neighbours in both directions have in common.
        let rows: Vec<Vec<f64>> = (0..200)
            .map(|y| row(Point::seed(3), 0, y, 500).iter().map(|&code| f64::from(code) / 32.0).collect())
            .collect();
        let all = || rows.iter().flatten();
        let count = all().count() as f64;
        let mean = all().sum::<f64>() / count;
        let variance = all().map(|value| value * value).sum::<f64>() / count;
        let beside = rows.iter().flat_map(|row| row.windows(2)).map(|pair| pair[0] * pair[1]).sum::<f64>() / count;
        let below =
            rows.windows(2).flat_map(|pair| pair[0].iter().zip(&pair[1])).map(|(a, b)| a * b).sum::<f64>() / count;
        // The standard error of each is about 1 / √100 000 = 0.003.
        assert!(mean.abs() < 0.013 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        assert!(beside.abs() < 0.013 && below.abs() < 0.013, "{beside} {below}");
    }

    #[test]
    fn seeds_are_kept_in_the_arena() {
        for point in [Point::seed(u64::MAX), Point::walk(1 << 40, (3 << 33) + 7, 64), Point::keyframe(0, 1, 8)] {
            for noise in [Noise::OfPoint, Noise::Seed(77), Noise::Off] {
                let point = point.with_noise(noise);
                let mut kept = vec![0; 30];
                if let Some(way) = Seeds::way(&Seeds::of(&point).0) {
                    way.draw(Prior::Gaussian, 1, 2, &mut kept);
                }
                assert_eq!(kept, row(point, 1, 2, 30), "{point:?}");
            }
        }
        assert!(Seeds::way(&[0; 19]).is_none());
    }

    #[test]
    fn noise_may_have_a_seed_of_its_own_or_be_off() {
        let at = |noise| row(Point::walk(8, 9, 20).with_noise(noise), 2, 5, 40);
        assert_eq!(at(Noise::Seed(7)), row(Point::seed(7), 2, 5, 40));
        assert_ne!(at(Noise::OfPoint), at(Noise::Seed(8)));
        assert_eq!(at(Noise::Off), [0; 40]);
    }

    #[test]
    fn both_ends_of_a_way_are_the_seeds() {
        let at = |point| row(point, 2, 5, 40);
        assert_eq!(at(Point::walk(8, 9, 0)), at(Point::seed(8)));
        assert_eq!(at(Point::walk(8, 9, STEPS)), at(Point::seed(9)));
        assert_eq!(at(Point::keyframe(8, 9, LEG)), at(Point::seed(9)));
        assert_eq!(at(Point::keyframe(8, 9, LEG / 2)), at(Point::walk(8, 9, STEPS / 2)));
        assert_ne!(at(Point::walk(8, 9, STEPS / 2)), at(Point::seed(8)));
    }
}
