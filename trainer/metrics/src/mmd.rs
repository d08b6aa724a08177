//! Maximum mean discrepancy: are two sets of samples drawn from one distribution?

use ndarray::Array2;
use rand::seq::{SliceRandom, index};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::{Features, Standard, rng};

/// Kernel inception distance of Bińkowski et al., "Demystifying MMD GANs" (2018), in features of any kind: unbiased
/// MMD² with the kernel `(x·y / dims + 1)³`, averaged over subsets.
///
/// Features are standardised by `real` first ([`Standard`]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kid {
    /// Mean of MMD² over the subsets; negative values happen where the sets are alike.
    pub mean: f64,
    /// Standard deviation over the subsets.
    pub deviation: f64,
}

/// KID over `subsets` subsets of `size` samples of each set; torch-fidelity takes 100 of 1 000.
///
/// # Panics
///
/// If the sets differ in dims, or `size` or one of the sets is below 2, or `subsets` is 0.
pub fn kid(real: &Features, generated: &Features, subsets: usize, size: usize, seed: u64) -> Kid {
    assert!(subsets > 0, "KID needs a subset");
    let standard = Standard::fit(real);
    let (real, generated) = (standard.apply(real), standard.apply(generated));
    let size = size.min(real.len()).min(generated.len());
    let scale = 1.0 / real.dims() as f32;
    let mut rng = rng(seed);
    let values: Vec<f64> = (0..subsets)
        .map(|_| {
            let x = real.select(index::sample(&mut rng, real.len(), size));
            let y = generated.select(index::sample(&mut rng, generated.len(), size));
            let kernel = |a: &Features, b: &Features| {
                a.matrix().dot(&b.matrix().t()).mapv_into(|product| (product * scale + 1.0).powi(3))
            };
            unbiased(&kernel(&x, &x), &kernel(&y, &y), &kernel(&x, &y))
        })
        .collect();
    let mean = values.iter().sum::<f64>() / subsets as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / subsets as f64;
    Kid { mean, deviation: variance.sqrt() }
}

/// MMD²_u of Gretton et al., "A Kernel Two-Sample Test" (2012), eq. 3, from the kernel matrices of x with x, y with y, x with y.
fn unbiased(xx: &Array2<f32>, yy: &Array2<f32>, xy: &Array2<f32>) -> f64 {
    let sum = |matrix: &Array2<f32>| matrix.iter().map(|&value| f64::from(value)).sum::<f64>();
    let off_diagonal =
        |matrix: &Array2<f32>| sum(matrix) - matrix.diag().iter().map(|&value| f64::from(value)).sum::<f64>();
    let pairs = |matrix: &Array2<f32>| (matrix.nrows() * (matrix.nrows() - 1)) as f64;
    off_diagonal(xx) / pairs(xx) + off_diagonal(yy) / pairs(yy) - 2.0 * sum(xy) / xy.len() as f64
}

/// A two-sample test: the statistic and how often chance alone reaches it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// The statistic of the two sets.
    pub statistic: f64,
    /// Share of permutations of the pooled samples with a statistic at least as large, the sets themselves counted as one.
    pub p_value: f64,
}

/// Unbiased MMD² with the Gaussian kernel `exp(−|x − y|² / 2σ²)`, σ² half the median squared distance of the pooled samples (the median
/// heuristic of Gretton et al., 2012, §8), and its permutation p-value.
///
/// Memory and time grow with the square of the number of samples: a few hundred of each are usual.
///
/// # Panics
///
/// If the sets differ in dims or one has fewer than 2 samples.
pub fn test(x: &Features, y: &Features, permutations: usize, seed: u64) -> Test {
    let (n, m) = (x.len(), y.len());
    assert!(n >= 2 && m >= 2, "a two-sample test needs 2 samples of each, found {n} and {m}");
    let kernel = gaussian(&x.concat(y));
    let mut order: Vec<usize> = (0..n + m).collect();
    Test::by_permutation(&mut order, permutations, &mut rng(seed), |order| pooled(&kernel, order, n))
}

impl Test {
    /// The statistic of `items` as they are, and how often it is reached after they are shuffled.
    pub(crate) fn by_permutation<T>(
        items: &mut [T],
        permutations: usize,
        rng: &mut Xoshiro256PlusPlus,
        of: impl Fn(&[T]) -> f64,
    ) -> Self {
        let statistic = of(items);
        let reached = (0..permutations)
            .filter(|_| {
                items.shuffle(rng);
                of(items) >= statistic
            })
            .count();
        Self { statistic, p_value: (reached + 1) as f64 / (permutations + 1) as f64 }
    }
}

fn gaussian(pooled: &Features) -> Array2<f32> {
    let distances = crate::neighbours::squared_distances(pooled, pooled);
    let mut below: Vec<f32> = distances
        .rows()
        .into_iter()
        .enumerate()
        .flat_map(|(at, row)| row.iter().copied().take(at).collect::<Vec<_>>())
        .collect();
    let middle = below.len() / 2;
    let (_, &mut median, _) = below.select_nth_unstable_by(middle, f32::total_cmp);
    let scale = if median > 0.0 { -1.0 / median } else { -1.0 };
    distances.mapv_into(|distance| (distance * scale).exp())
}

/// MMD² where the first `n` of `order` are x and the others y.
fn pooled(kernel: &Array2<f32>, order: &[usize], n: usize) -> f64 {
    let m = order.len() - n;
    let mut is_x = vec![false; order.len()];
    order[..n].iter().for_each(|&index| is_x[index] = true);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for column in 1..order.len() {
        for row in 0..column {
            let value = f64::from(kernel[(row, column)]);
            match (is_x[row], is_x[column]) {
                (true, true) => xx += value,
                (false, false) => yy += value,
                _ => xy += value,
            }
        }
    }
    let pairs = |count: usize| (count * (count - 1)) as f64 / 2.0;
    xx / pairs(n) + yy / pairs(m) - 2.0 * xy / (n * m) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal;

    #[test]
    fn rejects_the_true_hypothesis_as_often_as_it_should() {
        // 200 tests at 5 %: 10 expected, standard deviation 3.1.
        let rejected = (0..200u64)
            .filter(|&run| {
                test(&normal(30, 2, 0.0, 2 * run), &normal(30, 2, 0.0, 2 * run + 1), 99, run).p_value <= 0.05
            })
            .count();
        assert!((6..=14).contains(&rejected), "{rejected} of 200 where 10 are expected");
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

    #[test]
    fn kid_of_one_distribution_is_near_zero_and_of_two_is_not() {
        let same = kid(&normal(2000, 2, 0.0, 1), &normal(2000, 2, 0.0, 2), 20, 500, 0);
        assert!(same.mean.abs() < 3.0 * same.deviation, "{same:?}");
        let other = kid(&normal(2000, 2, 0.0, 1), &normal(2000, 2, 1.0, 2), 20, 500, 0);
        assert!(other.mean > 10.0 * other.deviation && other.mean > 0.1, "{other:?}");
    }
}
