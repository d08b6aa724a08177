//! Classifier two-sample test: if nothing tells two sets apart better than a coin, they may be of one distribution.

use rand::seq::SliceRandom;

use crate::mmd::Test;
use crate::{Features, Standard, rng};

const STEPS: usize = 300;
const RATE: f32 = 0.5;
/// Weight decay; without it separable sets drive the weights to infinity.
const DECAY: f32 = 1e-3;

/// Accuracy on held-out halves of a logistic regression that was fitted to the other halves, and its permutation p-value.
///
/// Lopez-Paz and Oquab, "Revisiting Classifier Two-Sample Tests" (2017), with a linear classifier on the given features: what
/// it can see depends on them. Sets are cut to the same size. The labels of the held-out half are permuted for the p-value, which
/// is exact for a fixed classifier.
///
/// # Panics
///
/// If the sets differ in dims or the smaller has fewer than 4 samples.
pub fn test(x: &Features, y: &Features, permutations: usize, seed: u64) -> Test {
    let count = x.len().min(y.len());
    assert!(count >= 4, "a classifier needs 4 samples of each set, found {count}");
    let mut rng = rng(seed);
    let mut half = |set: &Features| {
        let mut order: Vec<usize> = (0..set.len()).collect();
        order.shuffle(&mut rng);
        (set.select(order[..count / 2].iter().copied()), set.select(order[count / 2..count].iter().copied()))
    };
    let ((x_fit, x_test), (y_fit, y_test)) = (half(x), half(y));
    let (fit, test) = (x_fit.concat(&y_fit), x_test.concat(&y_test));
    let standard = Standard::fit(&fit);
    let weights = logistic(&standard.apply(&fit), x_fit.len());
    let says_y: Vec<bool> = standard.apply(&test).samples().map(|sample| score(&weights, sample) > 0.0).collect();
    let mut is_y: Vec<bool> = (0..test.len()).map(|at| at >= x_test.len()).collect();
    let accuracy =
        |is_y: &[bool]| says_y.iter().zip(is_y).filter(|(says, is)| says == is).count() as f64 / says_y.len() as f64;
    Test::by_permutation(&mut is_y, permutations, &mut rng, accuracy)
}

/// Weights and bias, by gradient descent on the mean log loss; the first `zeros` samples are class 0.
fn logistic(features: &Features, zeros: usize) -> Vec<f32> {
    let (count, dims) = (features.len() as f32, features.dims());
    let mut weights = vec![0.0; dims + 1];
    for _ in 0..STEPS {
        let mut gradient = vec![0.0; dims + 1];
        for (index, sample) in features.samples().enumerate() {
            let target = if index < zeros { 0.0 } else { 1.0 };
            let error = 1.0 / (1.0 + (-score(&weights, sample)).exp()) - target;
            gradient.iter_mut().zip(sample.iter().chain([&1.0])).for_each(|(sum, x)| *sum += error * x / count);
        }
        weights.iter_mut().zip(&gradient).for_each(|(weight, slope)| *weight -= RATE * (slope + DECAY * *weight));
    }
    weights
}

fn score(weights: &[f32], sample: &[f32]) -> f32 {
    weights.iter().zip(sample.iter().chain([&1.0])).map(|(weight, x)| weight * x).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal;

    #[test]
    fn rejects_the_true_hypothesis_as_often_as_it_should() {
        // 200 tests at 5 %; ties of the accuracy make the test a little careful.
        let rejected = (0..200u64)
            .filter(|&run| {
                test(&normal(100, 2, 0.0, 2 * run), &normal(100, 2, 0.0, 2 * run + 1), 99, run).p_value <= 0.05
            })
            .count();
        assert!((2..=14).contains(&rejected), "{rejected} of 200");
    }

    #[test]
    fn sees_a_shift_of_half_a_deviation() {
        let seen = (0..20u64)
            .filter(|&run| {
                test(&normal(200, 2, 0.0, 2 * run), &normal(200, 2, 0.5, 2 * run + 1), 99, run).p_value <= 0.05
            })
            .count();
        assert!(seen >= 19, "{seen} of 20");
    }
}
