//! The samplers that came before: a Gaussian, k-means, a mixture of Gaussians. A measure that ranks them above real images, as the Parzen
//! window does, has judged itself.
//!
//! | module | what | source |
//! |---|---|---|
//! | [`normal`] | one Gaussian in closed form, from sums; its principal directions | maximum likelihood |
//! | [`kmeans`] | Lloyd's passes, seeded by k-means++ | Lloyd, 1982; Arthur and Vassilvitskii, 2007 |
//! | [`gmm`] | mixtures of Gaussians by EM | Dempster, Laird and Rubin, 1977 |
//!
//! All sums are of `f64`, over blocks of samples in a fixed order: the same samples give the same bits on any number of threads.

pub mod gmm;
pub mod kmeans;
pub mod normal;

mod linear;

use ndarray::Array2;
use rayon::prelude::*;

use crate::Features;

/// Samples in a block.
const BLOCK: usize = 2_000;

/// What `work` makes of each block of `samples`, `[rows, dims]`, in order.
fn by_block<T: Send>(samples: &Features, work: impl Fn(&Array2<f64>) -> T + Sync) -> Vec<T> {
    let matrix = samples.matrix();
    let starts: Vec<usize> = (0..samples.len()).step_by(BLOCK).collect();
    starts
        .into_par_iter()
        .map(|start| {
            let rows = start..(start + BLOCK).min(samples.len());
            work(&matrix.slice(ndarray::s![rows, ..]).mapv(f64::from))
        })
        .collect()
}
