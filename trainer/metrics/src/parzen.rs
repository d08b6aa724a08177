//! Parzen window log-likelihood, by the protocol of 2014. A historical row: it does not rank samplers.
//!
//! Training images themselves score less than k-means centres, so nothing should be accepted by it (Theis et al., "A note on
//! the evaluation of generative models", 2016).

use rayon::prelude::*;

use crate::{Features, neighbours};

/// Log-likelihood in nats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogLikelihood {
    /// Mean over the test samples.
    pub mean: f64,
    /// Standard deviation over the test samples, divided by the square root of their number.
    pub error: f64,
    /// The width that validation chose.
    pub sigma: f64,
}

/// Isotropic Gaussians of width σ around `samples`; σ out of ten values from 0.1 to 1, evenly in the logarithm, is the best for
/// `validation`; the score is that of `test`.
///
/// Goodfellow et al., "Generative Adversarial Nets" (2014), §5, and their `parzen_ll.py`: 10 000 samples, 1 000 images of the training set for
/// validation, pixels in [0, 1].
///
/// # Panics
///
/// If the sets differ in dims or one is empty.
pub fn log_likelihood(samples: &Features, validation: &Features, test: &Features) -> LogLikelihood {
    assert!(!samples.is_empty() && !validation.is_empty() && !test.is_empty(), "expected samples in each set");
    let sigmas: Vec<f64> = (0..10).map(|step| 10f64.powf(f64::from(step) / 9.0 - 1.0)).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let scores: Vec<f64> = each(samples, validation, &sigmas).iter().map(|values| mean(values)).collect();
    let best = (0..sigmas.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap_or_default();
    let sigma = sigmas[best];
    let values = each(samples, test, &[sigma]).pop().unwrap_or_default();
    let average = mean(&values);
    let variance = values.iter().map(|value| (value - average).powi(2)).sum::<f64>() / values.len() as f64;
    LogLikelihood { mean: average, error: (variance / values.len() as f64).sqrt(), sigma }
}

/// For each σ the log-likelihood of each of `points`.
fn each(samples: &Features, points: &Features, sigmas: &[f64]) -> Vec<Vec<f64>> {
    const BLOCK: usize = 100;
    let (count, dims) = (samples.len() as f64, points.dims() as f64);
    let blocks: Vec<Vec<Vec<f64>>> = (0..points.len())
        .step_by(BLOCK)
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|start| {
            let block = points.select(start..(start + BLOCK).min(points.len()));
            let distances = neighbours::squared_distances(&block, samples);
            let score = |sigma: f64| {
                let normaliser = count.ln() + dims * (sigma * std::f64::consts::TAU.sqrt()).ln();
                distances
                    .rows()
                    .into_iter()
                    .map(|row| log_sum_exp(row.iter().map(|&d| -f64::from(d) / (2.0 * sigma * sigma))) - normaliser)
                    .collect()
            };
            sigmas.iter().map(|&sigma| score(sigma)).collect()
        })
        .collect();
    (0..sigmas.len()).map(|at| blocks.iter().flat_map(|block| block[at].iter().copied()).collect()).collect()
}

fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = values.clone().fold(f64::NEG_INFINITY, f64::max);
    largest + values.map(|value| (value - largest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sample_is_one_gaussian() {
        let centre = Features::new(2, vec![0.0, 0.0]);
        let points = Features::new(2, vec![0.3, 0.4, 0.0, 0.0]);
        let found = log_likelihood(&centre, &points, &points);
        let density =
            |square: f64| -square / (2.0 * found.sigma.powi(2)) - (std::f64::consts::TAU * found.sigma.powi(2)).ln();
        assert!((found.mean - (density(0.25) + density(0.0)) / 2.0).abs() < 1e-6);
        assert!((found.error - (density(0.0) - density(0.25)) / 2.0 / 2f64.sqrt()).abs() < 1e-6);
        // The best σ² for a mean square of 0.125 in 2 dims is 0.0625.
        assert!((0.2..0.3).contains(&found.sigma), "{}", found.sigma);
    }
}
