//! Sliced Wasserstein distance: the exact distance along random directions, averaged.

use rand::seq::index;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::{Features, rng};

/// `(mean over directions of W₂²)^½`, where W₂² of two sets of numbers of equal size is the mean squared difference once both are sorted.
///
/// Bonneel et al., "Sliced and Radon Wasserstein Barycenters of Measures" (2015), eq. 8. Of the larger set as many samples are
/// taken as the smaller has. Directions are uniform on the sphere.
///
/// # Panics
///
/// If the sets differ in dims, one is empty or `directions` is 0.
pub fn distance(a: &Features, b: &Features, directions: usize, seed: u64) -> f64 {
    assert!(a.dims() == b.dims() && directions > 0, "sets of one kind and a direction to look along");
    let count = a.len().min(b.len());
    assert!(count > 0, "a distance to nothing");
    let mut rng = rng(seed);
    let mut take = |set: &Features| set.select(index::sample(&mut rng, set.len(), count).into_iter());
    let (a, b) = (take(a), take(b));
    let axes: Vec<Vec<f32>> = (0..directions)
        .map(|_| {
            let axis: Vec<f32> = (0..a.dims()).map(|_| StandardNormal.sample(&mut rng)).collect();
            let length = axis.iter().map(|x: &f32| x * x).sum::<f32>().sqrt();
            axis.into_iter().map(|x| x / length).collect()
        })
        .collect();
    let squares: Vec<f64> = axes
        .par_iter()
        .map(|axis| {
            let (a, b) = (projected(&a, axis), projected(&b, axis));
            a.iter().zip(&b).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>() / count as f64
        })
        .collect();
    (squares.iter().sum::<f64>() / directions as f64).sqrt()
}

fn projected(set: &Features, axis: &[f32]) -> Vec<f32> {
    let mut values: Vec<f32> =
        set.samples().map(|sample| sample.iter().zip(axis).map(|(x, along)| x * along).sum()).collect();
    values.sort_by(f32::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shift_in_one_dimension_is_its_length() {
        let a = Features::new(1, vec![3.0, 1.0, 2.0]);
        let b = Features::new(1, vec![6.0, 7.0, 8.0]);
        assert!((distance(&a, &b, 3, 0) - 5.0).abs() < 1e-6);
        assert_eq!(distance(&a, &a, 3, 0), 0.0);
    }

    #[test]
    fn shift_in_many_dimensions() {
        // A shift by v gives E (v·θ)² = |v|² / d.
        let points: Vec<f32> = (0..4000).map(|at| (at as f32 * 0.7).sin()).collect();
        let a = Features::new(4, points.clone());
        let b = Features::new(4, points.iter().map(|x| x + 1.0).collect());
        let found = distance(&a, &b, 2000, 1);
        assert!((found - 1.0).abs() < 0.05, "{found}");
    }
}
