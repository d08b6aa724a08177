//! What a linear classifier reads out of features: multinomial logistic regression.
//!
//! ```text
//! P(y | x) ∝ exp(w_y · x),   minimize  −mean log P(y | x) + ½ ridge · Σ |w_y|²
//! ```
//!
//! (Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 2009, §4.4.) Linear probes of a network
//! that has learned without labels say how much of the classes it has found by itself (Radford et al., "DCGAN", 2016,
//! §5).
//!
//! There may be many more features than samples. The minimum is a sum of samples, w_y = Σ a_iy x_i, so that gradient
//! descent needs no more than the samples' products with each other; it goes with Nesterov's momentum at the step that
//! the largest eigenvalue of these allows (Böhning, 1992: the loss is nowhere steeper than half of it).

use ndarray::{Array2, Axis};

use crate::{Features, Standard};

/// Steps of gradient descent at most, and the largest change of a sample's share at which it ends.
const STEPS: usize = 500;
const PRECISION: f32 = 1e-7;
/// Steps of the power iteration for the largest eigenvalue.
const POWER: usize = 30;

/// A classifier that is linear in features.
#[derive(Clone, Debug)]
pub struct Probe {
    standard: Standard,
    /// `[dims + 1, classes]`, the last row for a constant.
    weights: Array2<f32>,
}

impl Probe {
    /// Learns `labels`, each below `classes`, from standardised features, with |x|² around 1.
    ///
    /// # Panics
    ///
    /// If there is no sample, or not a label for each.
    pub fn fit(features: &Features, labels: &[usize], classes: usize, ridge: f32) -> Self {
        assert!(!labels.is_empty() && features.len() == labels.len(), "a label for each sample");
        let standard = Standard::fit(features);
        let x = with_constant(&standard, features);
        let products = x.dot(&x.t());
        let count = labels.len();
        let mut wanted = Array2::zeros((count, classes));
        labels.iter().enumerate().for_each(|(at, &label)| wanted[[at, label]] = 1.0);
        let rate = 1.0 / (0.5 * largest(&products) / count as f32 + ridge);
        let mut shares = Array2::<f32>::zeros((count, classes));
        let mut before = shares.clone();
        for step in 0..STEPS {
            let ahead = &shares + &((&shares - &before) * (step as f32 / (step as f32 + 3.0)));
            let error = (softmax(products.dot(&ahead)) - &wanted) / count as f32;
            let next = &ahead - &((error + &ahead * ridge) * rate);
            let change = (&next - &shares).iter().fold(0.0f32, |most, change| most.max(change.abs()));
            before = std::mem::replace(&mut shares, next);
            if change < PRECISION {
                break;
            }
        }
        Self { standard, weights: x.t().dot(&shares) }
    }

    /// As [`Probe::fit`] with the ridge of `ridges` that does best on a fifth of the samples, learned from the others;
    /// the first of equals.
    ///
    /// # Panics
    ///
    /// As [`Probe::fit`], if there are fewer than five samples, or no ridge.
    pub fn fit_best(features: &Features, labels: &[usize], classes: usize, ridges: &[f32]) -> Self {
        let held = labels.len() / 5;
        assert!(held > 0 && !ridges.is_empty(), "samples to choose a ridge by");
        let [test, train] = [features.first(held), features.select(held..features.len())];
        let right = |ridge: f32| {
            let said = Self::fit(&train, &labels[held..], classes, ridge).classes(&test);
            said.iter().zip(labels).filter(|(said, label)| said == label).count()
        };
        let mut best = (ridges[0], right(ridges[0]));
        for &ridge in &ridges[1..] {
            let right = right(ridge);
            if right > best.1 {
                best = (ridge, right);
            }
        }
        Self::fit(features, labels, classes, best.0)
    }

    /// The most likely class of each sample.
    pub fn classes(&self, features: &Features) -> Vec<usize> {
        let most = |row: ndarray::ArrayView1<'_, f32>| {
            (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or_default()
        };
        self.scores(features).axis_iter(Axis(0)).map(most).collect()
    }

    /// w_y · x, `[samples, classes]`.
    fn scores(&self, features: &Features) -> Array2<f32> {
        with_constant(&self.standard, features).dot(&self.weights)
    }
}

/// Standardised features over √dims, and a 1 behind them.
fn with_constant(standard: &Standard, features: &Features) -> Array2<f32> {
    let dims = features.dims();
    let scale = 1.0 / (dims as f32).sqrt();
    let features = standard.apply(features);
    let mut x = Array2::ones((features.len(), dims + 1));
    for (mut row, sample) in x.axis_iter_mut(Axis(0)).zip(features.samples()) {
        row.iter_mut().zip(sample).for_each(|(x, value)| *x = value * scale);
    }
    x
}

/// Scores as probabilities, row by row.
fn softmax(mut scores: Array2<f32>) -> Array2<f32> {
    for mut row in scores.axis_iter_mut(Axis(0)) {
        let most = row.iter().fold(f32::NEG_INFINITY, |most, &score| most.max(score));
        row.mapv_inplace(|score| (score - most).exp());
        let sum = row.sum();
        row /= sum;
    }
    scores
}

/// The largest eigenvalue of a matrix that has no negative one.
fn largest(matrix: &Array2<f32>) -> f32 {
    let mut vector = ndarray::Array1::<f32>::ones(matrix.nrows());
    let mut value = 0.0;
    for _ in 0..POWER {
        let next = matrix.dot(&vector);
        value = next.dot(&next).sqrt();
        vector = next / value.max(f32::MIN_POSITIVE);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logistic::{self, Case};
    use crate::normal;

    fn two_clouds(count: usize, apart: f32) -> (Features, Vec<usize>) {
        let features = normal(count, 3, 0.0, 1).concat(&normal(count, 3, apart, 2));
        (features, [vec![0; count], vec![1; count]].concat())
    }

    /// Of two classes the weights are opposite, w₁ = −w₀ = w/2, and w is what Newton's method finds with half the
    /// ridge.
    #[test]
    fn two_classes_are_logistic_regression() {
        let (features, labels) = two_clouds(60, 0.8);
        let probe = Probe::fit(&features, &labels, 2, 0.02);
        let x = with_constant(&probe.standard, &features);
        let cases: Vec<Case> = x
            .axis_iter(Axis(0))
            .zip(&labels)
            .map(|(row, &label)| Case {
                features: row.iter().map(|&x| f64::from(x)).collect(),
                offset: 0.0,
                positive: label == 1,
            })
            .collect();
        let expected = logistic::fit(&cases, 0.01);
        for (row, expected) in probe.weights.axis_iter(Axis(0)).zip(expected) {
            let found = f64::from(row[1] - row[0]);
            assert!((found - expected).abs() < 1e-3, "{found} {expected}");
        }
    }

    #[test]
    fn separate_classes_are_told_apart() {
        let clouds: Vec<Features> = (0..3).map(|class| normal(40, 2, 9.0 * class as f32, class as u64)).collect();
        let features = clouds[0].concat(&clouds[1]).concat(&clouds[2]);
        let labels: Vec<usize> = (0..120).map(|at| at / 40).collect();
        assert_eq!(Probe::fit(&features, &labels, 3, 1e-3).classes(&features), labels);
    }

    /// The first fifth is one cloud alone, by which one cannot tell ridges: the first stays.
    #[test]
    fn of_equal_ridges_the_first_is_taken_and_all_samples_are_learned() {
        let (features, labels) = two_clouds(50, 9.0);
        let best = Probe::fit_best(&features, &labels, 2, &[0.01, 0.1]);
        assert_eq!(best.weights, Probe::fit(&features, &labels, 2, 0.01).weights);
    }
}
