//! Mixtures of Gaussians by expectation and maximization.
//!
//! ```text
//! p(x) = Σ_k π_k N(x; μ_k, Σ_k)
//! E:  r_nk = π_k N(x_n; μ_k, Σ_k) / p(x_n)
//! M:  π_k = Σ_n r_nk / N      μ_k = Σ_n r_nk x_n / Σ_n r_nk      Σ_k = Σ_n r_nk (x_n − μ_k)(x_n − μ_k)ᵀ / Σ_n r_nk + floor · I
//! ```
//!
//! Dempster, Laird and Rubin, "Maximum Likelihood from Incomplete Data via the EM Algorithm" (1977); Bishop, "Pattern Recognition and Machine
//! Learning" (2006), eq. 9.23 to 9.27. Without a floor no step makes the samples less likely; with one, which keeps a component from
//! shrinking onto a point, only steps that would go below it can. Densities are kept as logarithms, sums of them taken by log-sum-exp.

use ndarray::{Array1, Array2, Axis};

use super::normal::{Moments, directions_of};
use super::{by_block, kmeans, linear};
use crate::Features;

/// Which covariances the components have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covariance {
    /// Each its own.
    Full,
    /// One for all, Σ = Σ_n Σ_k r_nk (x_n − μ_k)(x_n − μ_k)ᵀ / N: what images of many pixels have enough samples for.
    Tied,
}

/// A mixture.
#[derive(Clone, Debug, PartialEq)]
pub struct Gmm {
    kind: Covariance,
    floor: f64,
    /// π.
    weights: Array1<f64>,
    /// μ, `[components, dims]`.
    means: Array2<f64>,
    /// Σ of each component, or the one of all.
    covariances: Vec<Array2<f64>>,
}

/// Sums over samples, weighted with responsibilities.
struct Sums {
    /// Σ_n log p(x_n), up to what [`Covariance::Tied`] adds afterwards.
    log_likelihood: f64,
    /// Σ_n r_nk.
    counts: Array1<f64>,
    /// Σ_n r_nk x_n.
    firsts: Array2<f64>,
    /// Σ_n r_nk x_n x_nᵀ of each component, for [`Covariance::Full`].
    seconds: Vec<Array2<f64>>,
}

impl Gmm {
    /// From these parameters: `weights` of each component, `means` and `covariances` (one if tied) one after the other, row by row.
    ///
    /// # Panics
    ///
    /// If their numbers do not fit each other.
    pub fn new(kind: Covariance, floor: f64, weights: &[f64], means: &[f64], covariances: &[f64]) -> Self {
        let components = weights.len();
        let dims = means.len() / components;
        let of = if kind == Covariance::Full { components } else { 1 };
        assert!(means.len() == components * dims && covariances.len() == of * dims * dims, "parameters of one mixture");
        let matrix = |rows: usize, values: &[f64]| {
            Array2::from_shape_vec((rows, dims), values.to_vec()).expect("the length was checked")
        };
        Self {
            kind,
            floor,
            weights: Array1::from(weights.to_vec()),
            means: matrix(components, means),
            covariances: covariances.chunks(dims * dims).map(|values| matrix(dims, values)).collect(),
        }
    }

    /// A first guess: centres by [`kmeans::seed`], and the M step for samples that belong to the nearest one alone.
    ///
    /// # Panics
    ///
    /// If there are fewer samples than components.
    pub fn start(samples: &Features, components: usize, kind: Covariance, floor: f64, seed: u64) -> Self {
        let centres = kmeans::seed(samples, components, seed);
        let dims = samples.dims();
        let centred = |block: &Array2<f64>| {
            let rows = Features::new(dims, block.iter().map(|&x| x as f32).collect());
            let mut shares = Array2::zeros((rows.len(), components));
            for (mut row, (nearest, _)) in shares.rows_mut().into_iter().zip(kmeans::nearest(&rows, &centres)) {
                row[nearest] = 1.0;
            }
            (0.0, shares)
        };
        let mut moments = Moments::new(dims);
        moments.add(samples);
        let mut first = Self {
            kind,
            floor,
            weights: Array1::zeros(components),
            means: centres.matrix().mapv(f64::from),
            covariances: Vec::new(),
        };
        let sums = first.sums(samples, centred);
        first.maximize(&sums, &moments);
        first
    }

    /// One step of EM; returns the mean log-likelihood of the samples before it, in nats.
    ///
    /// # Panics
    ///
    /// If the samples have other dims, or a covariance is not positive definite.
    pub fn step(&mut self, samples: &Features) -> f64 {
        let (sums, moments, log_likelihood) = self.expect(samples);
        self.maximize(&sums, &moments);
        log_likelihood
    }

    /// Mean log-likelihood of samples, in nats.
    ///
    /// # Panics
    ///
    /// As [`Gmm::step`].
    pub fn log_likelihood(&self, samples: &Features) -> f64 {
        self.expect(samples).2
    }

    /// π.
    pub fn weights(&self) -> Vec<f64> {
        self.weights.to_vec()
    }

    /// μ of the components, one after the other.
    pub fn means(&self) -> Vec<f64> {
        self.means.iter().copied().collect()
    }

    /// Σ of the components, or the one of all, row by row, one after the other.
    pub fn covariances(&self) -> Vec<f64> {
        self.covariances.iter().flatten().copied().collect()
    }

    /// [`Normal::directions`](super::normal::Normal::directions) of the covariance of component `index`, or the one of all.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn directions(&self, index: usize, directions: usize) -> Vec<f32> {
        directions_of(&self.covariances[index], directions)
    }

    fn expect(&self, samples: &Features) -> (Sums, Moments, f64) {
        assert_eq!(samples.dims(), self.means.ncols(), "samples of one kind");
        let count = samples.len() as f64;
        let constant = -0.5 * samples.dims() as f64 * std::f64::consts::TAU.ln();
        let factors: Vec<Array2<f64>> = self.covariances.iter().map(linear::cholesky).collect();
        let inverses: Vec<Array2<f64>> = factors.iter().map(linear::invert).collect();
        let logs = self.weights.mapv(f64::ln);
        match self.kind {
            Covariance::Full => {
                let dets: Array1<f64> = factors.iter().map(linear::log_determinant).collect();
                let sums = self.sums(samples, |block| {
                    let mut scores = Array2::zeros((block.nrows(), self.weights.len()));
                    for (component, inverse) in inverses.iter().enumerate() {
                        let white = (block - &self.means.row(component)).dot(&inverse.t());
                        let squares = white.map_axis(Axis(1), |row| row.dot(&row));
                        scores
                            .column_mut(component)
                            .assign(&(squares * -0.5 + logs[component] - 0.5 * dets[component]));
                    }
                    responsibilities(scores)
                });
                // Products of each component hold those of all.
                let moments = Moments::new(samples.dims());
                let log_likelihood = sums.log_likelihood / count + constant;
                (sums, moments, log_likelihood)
            }
            Covariance::Tied => {
                // −½ xᵀ P x is the same for all components: it has no part in responsibilities, and its sum is that of the moments.
                let precision = inverses[0].t().dot(&inverses[0]);
                let pulled = self.means.dot(&precision);
                let offsets = logs - (&pulled * &self.means).sum_axis(Axis(1)) * 0.5;
                let sums = self.sums(samples, |block| responsibilities(block.dot(&pulled.t()) + &offsets));
                let mut moments = Moments::new(samples.dims());
                moments.add(samples);
                let quadratic = (&precision * &moments.second()).sum();
                let common = constant - 0.5 * (linear::log_determinant(&factors[0]) + quadratic);
                let log_likelihood = sums.log_likelihood / count + common;
                (sums, moments, log_likelihood)
            }
        }
    }

    /// Sums with the responsibilities `[rows, components]` that `respond` gives to a block, and the log-likelihood that it says.
    fn sums(&self, samples: &Features, respond: impl Fn(&Array2<f64>) -> (f64, Array2<f64>) + Sync) -> Sums {
        let (components, dims) = self.means.dim();
        let full = self.kind == Covariance::Full;
        let blocks = by_block(samples, |block| {
            let (log_likelihood, shares) = respond(block);
            let second = |share: ndarray::ArrayView1<'_, f64>| (block * &share.insert_axis(Axis(1))).t().dot(block);
            let seconds = if full { shares.columns().into_iter().map(second).collect() } else { Vec::new() };
            Sums { log_likelihood, counts: shares.sum_axis(Axis(0)), firsts: shares.t().dot(block), seconds }
        });
        let mut all = Sums {
            log_likelihood: 0.0,
            counts: Array1::zeros(components),
            firsts: Array2::zeros((components, dims)),
            seconds: vec![Array2::zeros((dims, dims)); if full { components } else { 0 }],
        };
        for block in blocks {
            all.log_likelihood += block.log_likelihood;
            all.counts += &block.counts;
            all.firsts += &block.firsts;
            all.seconds.iter_mut().zip(&block.seconds).for_each(|(sum, second)| *sum += second);
        }
        all
    }

    fn maximize(&mut self, sums: &Sums, moments: &Moments) {
        // A component that nothing belongs to any more stays where it is, with next to no weight.
        let counts = &sums.counts + 10.0 * f64::EPSILON;
        let total = counts.sum();
        self.weights = &counts / total;
        for ((mut mean, first), &count) in self.means.rows_mut().into_iter().zip(sums.firsts.rows()).zip(&counts) {
            if count > 1e-9 {
                mean.assign(&(&first / count));
            }
        }
        let mut covariances = match self.kind {
            Covariance::Full => {
                let parts = sums.seconds.iter().zip(&counts).zip(self.means.rows());
                parts
                    .map(|((second, &count), mean)| {
                        let mean = mean.insert_axis(Axis(0));
                        second / count - mean.t().dot(&mean)
                    })
                    .collect()
            }
            Covariance::Tied => {
                let weighted = &self.means * &self.weights.view().insert_axis(Axis(1));
                vec![moments.second() - weighted.t().dot(&self.means)]
            }
        };
        for covariance in &mut covariances {
            covariance.diag_mut().iter_mut().for_each(|variance| *variance += self.floor);
        }
        self.covariances = covariances;
    }
}

/// From log (π_k N_k) of each row to the sum of their log-sum-exp and each one's share of it.
fn responsibilities(mut scores: Array2<f64>) -> (f64, Array2<f64>) {
    let mut sum = 0.0;
    for mut row in scores.rows_mut() {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.mapv_inplace(|score| (score - largest).exp());
        let total = row.sum();
        row /= total;
        sum += largest + total.ln();
    }
    (sum, scores)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixture::Mixture;

    #[test]
    fn eight_gaussians_find_the_eight_of_a_ring() {
        let ring = Mixture::ring(8, 0.02);
        let samples = ring.sample(5_000, 1);
        let mut gmm = Gmm::start(&samples, 8, Covariance::Full, 1e-6, 3);
        let mut before = f64::NEG_INFINITY;
        for _ in 0..40 {
            let now = gmm.step(&samples);
            assert!(now >= before - 1e-9, "{now} after {before}");
            before = now;
        }
        for centre in &ring.centres {
            let near = |mean: &[f64]| (mean[0] - f64::from(centre[0])).hypot(mean[1] - f64::from(centre[1])) < 0.02;
            assert_eq!(gmm.means().chunks(2).filter(|mean| near(mean)).count(), 1, "{centre:?}: {:?}", gmm.means());
        }
        assert!(gmm.weights().iter().all(|weight| (weight - 0.125).abs() < 0.02));
    }

    #[test]
    fn the_likelihood_never_falls() {
        // Overlapping and far fewer components than kinds of samples, where EM has something to do.
        let samples = Mixture::grid(0.4).sample(3_000, 2);
        for kind in [Covariance::Full, Covariance::Tied] {
            for seed in 0..3 {
                let mut gmm = Gmm::start(&samples, 6, kind, 1e-9, seed);
                let steps: Vec<f64> = (0..40).map(|_| gmm.step(&samples)).collect();
                assert!(steps.windows(2).all(|pair| pair[1] >= pair[0] - 1e-9), "{kind:?}: {steps:?}");
                assert!(steps[39] > steps[0] + 1e-3, "{kind:?} learned nothing: {steps:?}");
            }
        }
    }

    #[test]
    fn one_component_is_the_gaussian() {
        let samples = crate::normal(1_000, 3, 1.0, 5);
        let mut moments = Moments::new(3);
        moments.add(&samples);
        let normal = super::super::normal::Normal::fit(&moments, 0.01);
        for kind in [Covariance::Full, Covariance::Tied] {
            let mut gmm = Gmm::start(&samples, 1, kind, 0.01, 0);
            gmm.step(&samples);
            let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
            assert!(near(&gmm.means(), &normal.mean()) && near(&gmm.covariances(), &normal.covariance()));
            assert!((gmm.log_likelihood(&samples) - normal.log_likelihood(&moments)).abs() < 1e-9);
        }
    }

    #[test]
    fn far_points_have_finite_likelihoods() {
        let gmm = Gmm::new(Covariance::Full, 0.0, &[0.5, 0.5], &[0.0, 1.0], &[1e-4, 1e-4]);
        let far = Features::new(1, vec![50.0]);
        let expected = -0.5 * (49.0f64 / 0.01).powi(2) - (0.01 * std::f64::consts::TAU.sqrt()).ln() + 0.5f64.ln();
        assert!((gmm.log_likelihood(&far) / expected - 1.0).abs() < 1e-9);
    }
}
