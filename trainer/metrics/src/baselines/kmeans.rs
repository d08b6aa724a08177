//! k-means: the centres from which a set is least far.

use rand::RngExt as _;
use rayon::prelude::*;

use crate::{Features, neighbours, rng};

/// What one pass found.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// The mean of the samples that each old centre was nearest to; a centre nearest to none stays where it was.
    pub centres: Features,
    /// Samples at each old centre.
    pub counts: Vec<usize>,
    /// Σ |x − nearest old centre|².
    pub inertia: f64,
}

/// `count` samples as first centres: each is drawn with a probability proportional to its squared distance to the nearest one so far.
///
/// Arthur and Vassilvitskii, "k-means++: The Advantages of Careful Seeding" (2007), §2.2.
///
/// # Panics
///
/// If there are no samples, or fewer than `count`.
pub fn seed(samples: &Features, count: usize, seed: u64) -> Features {
    assert!(count > 0 && samples.len() >= count, "expected {count} samples to begin with, found {}", samples.len());
    let mut rng = rng(seed);
    let mut chosen = vec![rng.random_range(0..samples.len())];
    let mut squares = vec![f32::INFINITY; samples.len()];
    while chosen.len() < count {
        let centre = samples.sample(chosen[chosen.len() - 1]);
        squares.par_iter_mut().enumerate().for_each(|(index, square)| {
            let to_new: f32 = samples.sample(index).iter().zip(centre).map(|(x, c)| (x - c) * (x - c)).sum();
            *square = square.min(to_new);
        });
        let total: f64 = squares.iter().map(|&square| f64::from(square)).sum();
        let mut rest = rng.random_range(0.0..1.0) * total;
        let drawn = squares.iter().position(|&square| {
            rest -= f64::from(square);
            rest < 0.0
        });
        // Rounding, or a set of fewer places than centres, may draw none: then any one does.
        chosen.push(drawn.unwrap_or_else(|| rng.random_range(0..samples.len())));
    }
    samples.select(chosen)
}

/// The nearest of `centres` to each sample, and its squared distance.
pub fn nearest(samples: &Features, centres: &Features) -> Vec<(usize, f32)> {
    const BLOCK: usize = 500;
    let starts: Vec<usize> = (0..samples.len()).step_by(BLOCK).collect();
    let blocks: Vec<Vec<(usize, f32)>> = starts
        .into_par_iter()
        .map(|start| {
            let block = samples.select(start..(start + BLOCK).min(samples.len()));
            let distances = neighbours::squared_distances(&block, centres);
            let least = |row: ndarray::ArrayView1<'_, f32>| {
                row.iter().copied().enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap_or((0, f32::NAN))
            };
            distances.rows().into_iter().map(least).collect()
        })
        .collect();
    blocks.into_iter().flatten().collect()
}

/// One pass of Lloyd, "Least squares quantization in PCM" (1982): each sample to its nearest centre, each centre to the mean of its samples.
/// The inertia never grows from pass to pass.
///
/// # Panics
///
/// If samples and centres differ in dims.
pub fn lloyd(samples: &Features, centres: &Features) -> Pass {
    let dims = samples.dims();
    let mut sums = vec![0.0f64; centres.len() * dims];
    let mut counts = vec![0usize; centres.len()];
    let mut inertia = 0.0;
    for (sample, (centre, square)) in samples.samples().zip(nearest(samples, centres)) {
        counts[centre] += 1;
        inertia += f64::from(square);
        let sum = &mut sums[centre * dims..][..dims];
        sum.iter_mut().zip(sample).for_each(|(sum, &x)| *sum += f64::from(x));
    }
    let moved = (0..centres.len()).flat_map(|centre| {
        let (count, old) = (counts[centre], centres.sample(centre));
        let sum = &sums[centre * dims..][..dims];
        sum.iter().zip(old).map(move |(&sum, &old)| if count > 0 { (sum / count as f64) as f32 } else { old })
    });
    Pass { centres: Features::new(dims, moved.collect()), counts, inertia }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixture::Mixture;

    #[test]
    fn one_pass_by_hand() {
        let samples = Features::new(1, vec![0.0, 1.0, 4.0, 6.0]);
        let pass = lloyd(&samples, &Features::new(1, vec![1.0, 5.0, 99.0]));
        assert_eq!(pass.centres, Features::new(1, vec![0.5, 5.0, 99.0]));
        assert_eq!((pass.counts, pass.inertia), (vec![2, 2, 0], 3.0));
    }

    #[test]
    fn inertia_never_grows() {
        let samples = crate::normal(2_000, 5, 0.0, 3);
        let mut centres = seed(&samples, 12, 1);
        let mut before = f64::INFINITY;
        for _ in 0..20 {
            let pass = lloyd(&samples, &centres);
            assert!(pass.inertia <= before * (1.0 + 1e-6), "{} after {before}", pass.inertia);
            (before, centres) = (pass.inertia, pass.centres);
        }
    }

    #[test]
    fn careful_seeds_lie_in_modes_of_their_own() {
        let ring = Mixture::ring(8, 0.01);
        let samples = ring.sample(4_000, 1);
        for seed_of in 0..5 {
            let seeds = seed(&samples, 8, seed_of);
            assert!(ring.modes(&seeds, 1).found >= 7, "at most one mode is left out: {seeds:?}");
        }
    }

    #[test]
    fn more_centres_than_places_are_no_harm() {
        let samples = Features::new(1, vec![2.0, 2.0, 2.0]);
        assert_eq!(seed(&samples, 3, 0), samples);
    }
}
