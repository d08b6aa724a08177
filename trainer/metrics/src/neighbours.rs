//! Measures by nearest neighbours: all exact, by brute force over blocks of matrix products.

use ndarray::Array2;
use rayon::prelude::*;

use crate::Features;

/// Samples of one block; their distances to 60 000 others are 60 MB.
const BLOCK: usize = 256;

/// |a − b|² of each pair, `[N of a, N of b]`, from |a|² + |b|² − 2 a·b and never negative.
///
/// # Panics
///
/// If the sets differ in dims.
pub fn squared_distances(a: &Features, b: &Features) -> Array2<f32> {
    assert_eq!(a.dims(), b.dims(), "samples of one kind");
    let (norms_a, norms_b) = (a.squared_norms(), b.squared_norms());
    // Row after row: of single columns ndarray makes a product that lies column after column.
    let mut distances = a.matrix().dot(&b.matrix().t()).as_standard_layout().into_owned();
    for (mut row, norm_a) in distances.rows_mut().into_iter().zip(&norms_a) {
        row.iter_mut().zip(&norms_b).for_each(|(value, norm_b)| *value = (norm_a + norm_b - 2.0 * *value).max(0.0));
    }
    distances
}

/// For each sample of `to`, `pick` of its squared distances to all of `from`; blocks run in parallel and come in order.
fn by_block<T: Send>(from: &Features, to: &Features, pick: impl Fn(usize, &mut [f32]) -> T + Sync) -> Vec<T> {
    let starts: Vec<usize> = (0..to.len()).step_by(BLOCK).collect();
    let blocks: Vec<Vec<T>> = starts
        .into_par_iter()
        .map(|start| {
            let block = to.select(start..(start + BLOCK).min(to.len()));
            let mut distances = squared_distances(&block, from);
            let rows =
                distances.as_slice_mut().expect("a product is laid out row after row").chunks_exact_mut(from.len());
            rows.enumerate().map(|(at, row)| pick(start + at, row)).collect()
        })
        .collect();
    blocks.into_iter().flatten().collect()
}

/// Squared distance of each sample to its k-th nearest other sample of the same set.
///
/// # Panics
///
/// If there are not more than `k` samples, or `k` is 0.
pub fn radii(set: &Features, k: usize) -> Vec<f32> {
    assert!(k > 0 && set.len() > k, "the {k}-th neighbour needs more than {k} samples, found {}", set.len());
    // Each sample is its own nearest: the k-th other is at place k, counted from 0.
    by_block(set, set, |index, distances| {
        distances[index] = 0.0;
        *distances.select_nth_unstable_by(k, f32::total_cmp).1
    })
}

/// How much of each set lies within the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    /// Share of generated samples inside some ball of a real one: are samples realistic?
    pub precision: f64,
    /// Share of real samples inside some ball of a generated one: does the generator make everything?
    pub recall: f64,
    /// Mean number of real balls around a generated sample, over k: precision that outliers cannot fool. Above 1 where
    /// generated samples crowd in dense regions.
    pub density: f64,
    /// Share of real samples whose ball holds a generated one.
    pub coverage: f64,
}

/// Precision and recall of Kynkäänniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models" (2019), eq. 1 and 2,
/// density and coverage of Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models" (2020), eq. 3 and 4.
///
/// The ball of a sample reaches to its `k`-th neighbour in its own set; k = 3 here and in the first paper.
///
/// # Panics
///
/// If the sets differ in dims or one has not more than `k` samples.
pub fn overlap(real: &Features, generated: &Features, k: usize) -> Overlap {
    let (real_radii, generated_radii) = (radii(real, k), radii(generated, k));
    let inside: Vec<usize> = by_block(real, generated, |_, distances| {
        distances.iter().zip(&real_radii).filter(|(distance, radius)| distance <= radius).count()
    });
    let of_real: Vec<(bool, bool)> = by_block(generated, real, |index, distances| {
        let recalled = distances.iter().zip(&generated_radii).any(|(distance, radius)| distance <= radius);
        (recalled, distances.iter().any(|&distance| distance <= real_radii[index]))
    });
    let share = |count: usize, of: usize| count as f64 / of as f64;
    Overlap {
        precision: share(inside.iter().filter(|&&count| count > 0).count(), generated.len()),
        recall: share(of_real.iter().filter(|(recalled, _)| *recalled).count(), real.len()),
        density: share(inside.iter().sum(), k * generated.len()),
        coverage: share(of_real.iter().filter(|(_, covered)| *covered).count(), real.len()),
    }
}

/// Index and distance (not squared) of the nearest sample of `from`, for each of `to`.
///
/// # Panics
///
/// If the sets differ in dims or `from` is empty.
pub fn nearest(from: &Features, to: &Features) -> Vec<(usize, f32)> {
    assert!(!from.is_empty(), "nothing to be near to");
    by_block(from, to, |_, distances| {
        let (index, distance) = distances
            .iter()
            .enumerate()
            .min_by(|(_, a), (_, b)| a.total_cmp(b))
            .expect("checked above that there is one");
        (index, distance.sqrt())
    })
}

/// Are samples copies of training images? Compared with how near real images that were held out lie to the training set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memorisation {
    /// Median distance of a generated sample to the training set over the median of a held-out one. About 1 is healthy.
    pub ratio: f64,
    /// Share of generated samples nearer than all but 1 % of the held-out ones; 1 % is expected by chance.
    pub too_near: f64,
}

impl Memorisation {
    /// Row 13 of the lectures' table: the ratio within 0.8 … 1.3, at most 5 % too near.
    pub fn is_healthy(&self) -> bool {
        (0.8..=1.3).contains(&self.ratio) && self.too_near <= 0.05
    }
}

/// Distances are Euclidean in whatever the sets hold; pixels in [0, 1] are usual.
///
/// # Panics
///
/// If the sets differ in dims or one is empty.
pub fn memorisation(train: &Features, held_out: &Features, generated: &Features) -> Memorisation {
    let distances = |to: &Features| {
        let mut distances: Vec<f32> = nearest(train, to).into_iter().map(|(_, distance)| distance).collect();
        distances.sort_by(f32::total_cmp);
        distances
    };
    let (held_out, generated) = (distances(held_out), distances(generated));
    let median = |sorted: &[f32]| f64::from(sorted[sorted.len() / 2]);
    let first_percentile = held_out[held_out.len() / 100];
    let too_near = generated.partition_point(|&distance| distance < first_percentile);
    Memorisation { ratio: median(&generated) / median(&held_out), too_near: too_near as f64 / generated.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal;

    #[test]
    fn line_by_hand() {
        // Real 0, 1, 3, 7 with first-neighbour radii 1, 1, 2, 4; generated 2, 10, 11 with radii 8, 1, 1.
        let real = Features::new(1, vec![0.0, 1.0, 3.0, 7.0]);
        let generated = Features::new(1, vec![2.0, 10.0, 11.0]);
        assert_eq!(radii(&real, 1), [1.0, 1.0, 4.0, 16.0]);
        let found = overlap(&real, &generated, 1);
        // 2 is in the balls of 1 and 3 (and 7: 5 > 4 is not); 10 in that of 7; 11 in that of 7, exactly on its edge.
        assert_eq!(found.precision, 1.0);
        assert_eq!(found.density, 4.0 / 3.0);
        // All real ones are in the ball of 2; the balls of 1, 3 and 7 hold a generated sample.
        assert_eq!((found.recall, found.coverage), (1.0, 0.75));
    }

    #[test]
    fn block_wise_agrees_with_one_pair_at_a_time() {
        let (from, to) = (normal(700, 5, 0.0, 1), normal(600, 5, 0.0, 2));
        for (at, (index, distance)) in nearest(&from, &to).into_iter().enumerate().step_by(6) {
            let plain =
                |a: &[f32]| -> f32 { a.iter().zip(to.sample(at)).map(|(x, y)| (x - y).powi(2)).sum::<f32>().sqrt() };
            let expected = from.samples().map(plain).fold(f32::INFINITY, f32::min);
            assert!((distance - expected).abs() < 1e-3 && (plain(from.sample(index)) - expected).abs() < 1e-3);
        }
    }

    #[test]
    fn one_distribution_overlaps_and_a_copy_is_found() {
        let (train, test, generated) = (normal(2000, 8, 0.0, 1), normal(500, 8, 0.0, 2), normal(500, 8, 0.0, 3));
        let found = overlap(&train.first(500), &generated, 3);
        assert!(found.precision > 0.7 && found.recall > 0.7 && found.coverage > 0.7, "{found:?}");
        assert!((found.density - 1.0).abs() < 0.3, "{found:?}");
        let honest = memorisation(&train, &test, &generated);
        assert!(honest.is_healthy(), "{honest:?}");
        let copies = memorisation(&train, &test, &train.first(500));
        assert!(!copies.is_healthy() && copies.too_near > 0.9, "{copies:?}");
        // Half copies is enough to be found.
        let half = memorisation(&train, &test, &train.first(250).concat(&generated.first(250)));
        assert!(!half.is_healthy(), "{half:?}");
    }
}
