//! From one seed's latent vector to another's in 64 steps, in integers.
//!
//! **Gaussian prior**: along a great circle, `cos θ · a + sin θ · b` with θ from 0 to π/2. If a and b are independent draws of
//! N(0, I), each point of the way is one again: a sum of independent normal vectors is normal, its mean is 0 and its
//! covariance (cos² θ + sin² θ) I = I. So the generator sees nothing on the way that it was not trained on, while
//! linear weights 1 − t, t shrink the variance to ½ in the middle. It is the spherical interpolation of Shoemake ("Animating
//! rotation with quaternion curves", 1985) and White ("Sampling generative networks", 2016), sin((1 − t) Ω) / sin Ω and
//! sin(t Ω) / sin Ω, for the angle Ω = π/2; the angle between two draws differs from it by about 1 / √dims. Fixed, it needs neither
//! division nor square root, and both ends are met exactly.
//!
//! **Uniform priors**: in a straight line, which does not leave the cube that the prior fills.

use crate::graph::Prior;
use crate::latent::{ONE, blend, fill};

/// Steps from one seed to the next. A step turns by 1.4°, so a value of one standard deviation moves by less than one code: more
/// steps would show the same picture twice.
pub const STEPS: u16 = 64;

/// `SINE[k]` = round(2¹⁵ sin(π/2 · k / 64)); the cosine is the same table read from its end. A test computes it again.
const SINE: [u16; STEPS as usize + 1] = [
    0, 804, 1608, 2411, 3212, 4011, 4808, 5602, 6393, 7180, 7962, 8740, 9512, 10279, 11039, 11793, 12540, 13279, 14010,
    14733, 15447, 16151, 16846, 17531, 18205, 18868, 19520, 20160, 20788, 21403, 22006, 22595, 23170, 23732, 24279,
    24812, 25330, 25833, 26320, 26791, 27246, 27684, 28106, 28511, 28899, 29269, 29622, 29957, 30274, 30572, 30853,
    31114, 31357, 31581, 31786, 31972, 32138, 32286, 32413, 32522, 32610, 32679, 32729, 32758, 32768,
];

/// Fills `codes` with what lies `step` of [`STEPS`] on the way from the latent vector of seed `from` to that of seed `to`.
///
/// Step 0 is `from`, step [`STEPS`] and any beyond is `to`, as [`fill`] gives them. Values are rounded to the nearest code, ties
/// up, and clipped to ±127, which only meets values beyond 2.8 standard deviations in both vectors.
#[inline(never)] // latent vectors and noise share it
pub fn walk(prior: Prior, from: u64, to: u64, step: u16, codes: &mut [i8]) {
    let step = step.min(STEPS);
    fill(prior, from, codes);
    if step == 0 {
        return;
    }
    let weight = |step: u16| match prior {
        Prior::Gaussian => SINE.get(usize::from(step)).map_or(0, |&sine| i32::from(sine)),
        Prior::Uniform | Prior::UnitUniform => i32::from(step) * (ONE / i32::from(STEPS)),
    };
    blend(prior, to, codes, weight(STEPS - step), weight(step));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn at(prior: Prior, step: u16, dims: usize) -> Vec<i8> {
        let mut codes = vec![0; dims];
        walk(prior, 5, 6, step, &mut codes);
        codes
    }

    fn of(prior: Prior, seed: u64, dims: usize) -> Vec<i8> {
        let mut codes = vec![0; dims];
        fill(prior, seed, &mut codes);
        codes
    }

    #[test]
    fn the_table_is_the_sine() {
        for (k, &sine) in SINE.iter().enumerate() {
            let exact = 32768.0 * libm::sin(core::f64::consts::FRAC_PI_2 * k as f64 / 64.0);
            assert_eq!(f64::from(sine), libm::round(exact), "{k}");
        }
    }

    #[test]
    fn both_ends_are_the_seeds() {
        for prior in [Prior::Gaussian, Prior::Uniform] {
            assert_eq!(at(prior, 0, 300), of(prior, 5, 300));
            assert_eq!(at(prior, STEPS, 300), of(prior, 6, 300));
            assert_eq!(at(prior, u16::MAX, 300), of(prior, 6, 300));
        }
    }

    #[test]
    fn each_step_is_the_nearest_code_of_the_formula() {
        let (a, b) = (of(Prior::Gaussian, 5, 1000), of(Prior::Gaussian, 6, 1000));
        for step in 0..=STEPS {
            let angle = core::f64::consts::FRAC_PI_2 * f64::from(step) / 64.0;
            for ((&a, &b), found) in a.iter().zip(&b).zip(at(Prior::Gaussian, step, 1000)) {
                let exact = (libm::cos(angle) * f64::from(a) + libm::sin(angle) * f64::from(b)).clamp(-127.0, 127.0);
                // Half a code of rounding, and half a 2¹⁵th of two codes for the table.
                assert!((exact - f64::from(found)).abs() < 0.504, "step {step}: {a} {b} {exact} {found}");
            }
        }
    }

    #[test]
    fn the_variance_is_that_of_the_prior_all_the_way() {
        const DIMS: usize = 100_000;
        for step in 0..=STEPS {
            let sum: i64 = at(Prior::Gaussian, step, DIMS).iter().map(|&code| i64::from(code).pow(2)).sum();
            let variance = sum as f64 / DIMS as f64 / 32f64.powi(2);
            // The standard error is √(2 / 100 000) = 0.0045; a straight line would give 0.5 in the middle.
            assert!((variance - 1.0).abs() < 0.02, "step {step}: {variance}");
        }
    }

    #[test]
    fn no_step_is_large() {
        for step in 0..STEPS {
            let (here, there) = (at(Prior::Gaussian, step, 1000), at(Prior::Gaussian, step + 1, 1000));
            let most = here.iter().zip(&there).map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs()).max();
            // π/2 / 64 of a radius of at most 127 √2, and rounding.
            assert!(most <= Some(5), "step {step}: {most:?}");
        }
    }

    #[test]
    fn a_uniform_walk_is_straight() {
        let (a, b) = (of(Prior::Uniform, 5, 300), of(Prior::Uniform, 6, 300));
        let half = at(Prior::Uniform, STEPS / 2, 300);
        for ((a, b), half) in a.into_iter().zip(b).zip(half) {
            assert_eq!(i32::from(half), (i32::from(a) + i32::from(b) + 1) >> 1);
        }
    }
}
