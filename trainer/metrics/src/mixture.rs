//! Two-dimensional mixtures of Gaussians, on which a lost mode can be seen and counted.

use rand::RngExt as _;
use rand_distr::{Distribution, StandardNormal};

use crate::{Features, classes, rng};

/// Equal Gaussians around given centres.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    /// Where the modes are.
    pub centres: Vec<[f32; 2]>,
    /// Standard deviation of each in both directions.
    pub deviation: f32,
}

/// What a sampler makes of a [`Mixture`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Modes {
    /// Modes that enough samples are nearest to and within 3 deviations of.
    pub found: usize,
    /// Share of samples within 3 deviations of some centre. Of the mixture itself it is 98.9 %: `1 − exp(−9/2)`.
    pub high_quality: f64,
    /// KL(samples ‖ uniform) of the nearest centres of high-quality samples, in nats.
    pub reverse_kl: f64,
}

impl Mixture {
    /// `modes` centres evenly on the unit circle, no two the same.
    pub fn ring(modes: usize, deviation: f32) -> Self {
        let angle = |mode: usize| std::f32::consts::TAU * mode as f32 / modes as f32;
        Self { centres: (0..modes).map(|mode| [angle(mode).cos(), angle(mode).sin()]).collect(), deviation }
    }

    /// 5 × 5 centres, 2 apart, around the origin.
    pub fn grid(deviation: f32) -> Self {
        let at = |index: usize| 2.0 * index as f32 - 4.0;
        Self { centres: (0..25).map(|mode| [at(mode % 5), at(mode / 5)]).collect(), deviation }
    }

    /// Two half circles of radius 1 that reach into each other, around the origin, as chains of `modes` Gaussians each.
    pub fn moons(modes: usize, deviation: f32) -> Self {
        let angle = |mode: usize| std::f32::consts::PI * mode as f32 / (modes - 1) as f32;
        let upper = (0..modes).map(|mode| [angle(mode).cos() - 0.5, angle(mode).sin() - 0.25]);
        let lower = (0..modes).map(|mode| [0.5 - angle(mode).cos(), 0.25 - angle(mode).sin()]);
        Self { centres: upper.chain(lower).collect(), deviation }
    }

    /// Circles of radius 1 and ½ around the origin, as chains of `modes` Gaussians and half as many: as dense on both.
    pub fn circles(modes: usize, deviation: f32) -> Self {
        let outer = Self::ring(modes, deviation).centres;
        let inner = Self::ring(modes / 2, deviation).centres.into_iter().map(|centre| centre.map(|at| 0.5 * at));
        Self { centres: outer.into_iter().chain(inner).collect(), deviation }
    }

    /// The logarithm of the density at a point, in nats.
    pub fn log_density(&self, point: [f32; 2]) -> f64 {
        let variance = f64::from(self.deviation).powi(2);
        let square = |centre: &[f32; 2]| {
            centre.iter().zip(point).map(|(&at, x)| (f64::from(x) - f64::from(at)).powi(2)).sum::<f64>()
        };
        let exponents: Vec<f64> = self.centres.iter().map(|centre| -0.5 * square(centre) / variance).collect();
        let largest = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = exponents.iter().map(|exponent| (exponent - largest).exp()).sum();
        largest + sum.ln() - (self.centres.len() as f64 * std::f64::consts::TAU * variance).ln()
    }

    /// The mean of [`Mixture::log_density`] over samples; of its own, minus its entropy.
    ///
    /// # Panics
    ///
    /// If the samples are not points of the plane.
    pub fn log_likelihood(&self, samples: &Features) -> f64 {
        assert_eq!(samples.dims(), 2, "points of the plane");
        let logs = samples.samples().map(|point| self.log_density([point[0], point[1]]));
        logs.sum::<f64>() / samples.len() as f64
    }

    /// `count` points of it.
    pub fn sample(&self, count: usize, seed: u64) -> Features {
        let mut rng = rng(seed);
        let mut values = Vec::with_capacity(2 * count);
        for _ in 0..count {
            let centre = self.centres[rng.random_range(0..self.centres.len())];
            for at in centre {
                let noise: f32 = StandardNormal.sample(&mut rng);
                values.push(at + self.deviation * noise);
            }
        }
        Features::new(2, values)
    }

    /// Which modes `samples` found; one counts from `least` high-quality samples on (20 of 20 000 in the literature's set-up).
    ///
    /// Srivastava et al., "VEEGAN" (2017), §4.1, and Lin et al., "PacGAN" (2018), §4.1.
    ///
    /// # Panics
    ///
    /// If the samples are not points of the plane.
    pub fn modes(&self, samples: &Features, least: usize) -> Modes {
        assert_eq!(samples.dims(), 2, "points of the plane");
        let near: Vec<usize> = samples
            .samples()
            .filter_map(|point| {
                let square = |centre: &[f32; 2]| (point[0] - centre[0]).powi(2) + (point[1] - centre[1]).powi(2);
                let squares = self.centres.iter().map(square).enumerate();
                let (mode, square) = squares.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
                (square <= (3.0 * self.deviation).powi(2)).then_some(mode)
            })
            .collect();
        let counts = classes::histogram(&near, self.centres.len());
        let reverse_kl =
            if near.is_empty() { f64::INFINITY } else { classes::reverse_kl(&counts, &vec![1; self.centres.len()]) };
        Modes {
            found: classes::modes(&counts, least),
            high_quality: near.len() as f64 / samples.len() as f64,
            reverse_kl,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixture_has_all_its_modes() {
        for mixture in [Mixture::ring(8, 0.01), Mixture::grid(0.05)] {
            let modes = mixture.modes(&mixture.sample(20_000, 1), 20);
            assert_eq!(modes.found, mixture.centres.len());
            assert!((modes.high_quality - 0.989).abs() < 0.004, "{modes:?}");
            assert!(modes.reverse_kl < 0.002, "{modes:?}");
        }
    }

    #[test]
    fn ring_has_no_centre_twice() {
        let ring = Mixture::ring(8, 0.01);
        for (index, a) in ring.centres.iter().enumerate() {
            assert!(ring.centres[..index].iter().all(|b| (a[0] - b[0]).abs() + (a[1] - b[1]).abs() > 0.5));
        }
    }

    #[test]
    fn the_density_is_that_of_the_samples() {
        // Far apart, each Gaussian has its own entropy, and which one it is ln 8 nats.
        let ring = Mixture::ring(8, 0.01);
        let entropy = 1.0 + (std::f64::consts::TAU * 1e-4).ln() + 8f64.ln();
        let found = ring.log_likelihood(&ring.sample(20_000, 1));
        assert!((found + entropy).abs() < 0.03, "{found} {entropy}");
        // A sum over squares is one.
        for mixture in [Mixture::moons(32, 0.1), Mixture::circles(48, 0.08)] {
            let at = |index: usize| 0.02 * (index as f32 - 100.0);
            let cells = (0..40_000).map(|cell| mixture.log_density([at(cell % 200), at(cell / 200)]).exp());
            let sum = cells.sum::<f64>() * 4e-4;
            assert!((sum - 1.0).abs() < 1e-3, "{sum}");
        }
    }

    #[test]
    fn chains_have_no_gaps() {
        for mixture in [Mixture::moons(32, 0.1), Mixture::circles(48, 0.08)] {
            let centres = &mixture.centres;
            let next = |a: &[f32; 2]| {
                let distance = |b: &[f32; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
                centres.iter().map(distance).filter(|&distance| distance > 0.0).fold(f32::INFINITY, f32::min)
            };
            assert!(centres.iter().all(|centre| next(centre) < 2.0 * mixture.deviation));
        }
    }

    #[test]
    fn a_collapsed_sampler_is_seen() {
        let ring = Mixture::ring(8, 0.01);
        let one = Mixture { centres: vec![ring.centres[3]], deviation: 0.01 };
        let modes = ring.modes(&one.sample(5000, 2), 20);
        assert_eq!(modes.found, 1);
        assert!((modes.reverse_kl - 8f64.ln()).abs() < 1e-9);
        let nowhere = Features::new(2, vec![9.0, 9.0]);
        assert_eq!(ring.modes(&nowhere, 1), Modes { found: 0, high_quality: 0.0, reverse_kl: f64::INFINITY });
    }
}
