//! Energy distance: how far two sets of samples are from being drawn from one distribution, in the units of the samples.

use rayon::prelude::*;

use crate::Features;

/// `2 E|X − Y| − E|X − X′| − E|Y − Y′|` over all pairs of the sets, each sample with itself included, so that it is never negative.
///
/// Székely and Rizzo, "Energy statistics: A class of statistics based on distances" (2013), eq. 6. Of two sets of n samples of one distribution
/// it comes to about `2 E|X − X′| / n`, not to 0. Time grows with the square of the number of samples.
///
/// # Panics
///
/// If the sets differ in dims or one is empty.
pub fn distance(x: &Features, y: &Features) -> f64 {
    assert!(x.dims() == y.dims() && !x.is_empty() && !y.is_empty(), "two sets of samples of one kind");
    2.0 * mean_distance(x, y) - mean_distance(x, x) - mean_distance(y, y)
}

fn mean_distance(a: &Features, b: &Features) -> f64 {
    let rows: Vec<f64> = (0..a.len())
        .into_par_iter()
        .map(|index| {
            let from = a.sample(index);
            b.samples().map(|to| distance_of(from, to)).sum()
        })
        .collect();
    rows.iter().sum::<f64>() / (a.len() * b.len()) as f64
}

fn distance_of(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal;

    #[test]
    fn of_points_by_hand() {
        // |X − Y| is 3 and 5, |X − X′| 4 in two of four pairs, |Y − Y′| 0.
        let x = Features::new(2, vec![0.0, 0.0, 0.0, 4.0]);
        let y = Features::new(2, vec![3.0, 0.0]);
        assert!((distance(&x, &y) - (2.0 * 4.0 - 2.0)).abs() < 1e-12);
        assert_eq!(distance(&x, &x), 0.0);
    }

    #[test]
    fn of_two_gaussians() {
        // In one dimension E|N(μ, 2)| = 2/√π · e^(−μ²/4) + μ erf(μ/2), which is 1.39928 at μ = 1 and 2/√π at 0.
        let found = distance(&normal(4_000, 1, 0.0, 1), &normal(4_000, 1, 1.0, 2));
        assert!((found - 2.0 * (1.399_28 - std::f64::consts::FRAC_2_SQRT_PI)).abs() < 0.04, "{found}");
        let none = distance(&normal(2_000, 1, 0.0, 1), &normal(2_000, 1, 0.0, 2));
        assert!(none > 0.0 && none < 0.01, "{none}");
    }
}
