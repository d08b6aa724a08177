//! The Fréchet distance of two sets of samples, each taken for a Gaussian.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use crate::Features;

/// `|μ₁ − μ₂|² + Tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½)`: the squared Wasserstein-2 distance of two Gaussians.
///
/// Dowson and Landau, "The Fréchet distance between multivariate normal distributions" (1982), eq. 1; used on features
/// of a classifier by Heusel et al., "GANs Trained by a Two Time-Scale Update Rule …" (2017), eq. 6. Covariances are the unbiased
/// ones, as in NumPy's `cov`. The figure depends on the features and on both numbers of samples: say them with it.
///
/// # Panics
///
/// If the sets differ in dims or one has fewer than 2 samples.
pub fn distance(a: &Features, b: &Features) -> f64 {
    Gaussian::fit(a).distance(&Gaussian::fit(b))
}

/// Mean and covariance of a set.
#[derive(Clone, Debug)]
pub struct Gaussian {
    mean: DVector<f64>,
    covariance: DMatrix<f64>,
}

impl Gaussian {
    /// The moments of `features`.
    ///
    /// # Panics
    ///
    /// If there are fewer than 2 samples.
    pub fn fit(features: &Features) -> Self {
        assert!(features.len() >= 2, "a covariance needs 2 samples, found {}", features.len());
        let mut centred = features.columns_f64();
        let mean = centred.column_mean();
        for mut column in centred.column_iter_mut() {
            column -= &mean;
        }
        let covariance = &centred * centred.transpose() / (features.len() - 1) as f64;
        Self { mean, covariance }
    }

    /// See [`distance()`].
    ///
    /// `Tr (Σ₁ Σ₂)^½` is the sum of the square roots of the eigenvalues of `Σ₁^½ Σ₂ Σ₁^½`, which is symmetric: no complex roots appear,
    /// as they do where a matrix square root of `Σ₁ Σ₂` is taken.
    ///
    /// # Panics
    ///
    /// If the two differ in dims.
    pub fn distance(&self, other: &Self) -> f64 {
        assert_eq!(self.mean.len(), other.mean.len(), "features of one kind");
        let root = square_root(self.covariance.clone());
        let product = &root * &other.covariance * &root;
        // Rounding leaves the product a little asymmetric.
        let product = (&product + product.transpose()) * 0.5;
        let cross: f64 = product.symmetric_eigenvalues().iter().map(|value| value.max(0.0).sqrt()).sum();
        (&self.mean - &other.mean).norm_squared() + self.covariance.trace() + other.covariance.trace() - 2.0 * cross
    }
}

/// The positive square root of a symmetric matrix without negative eigenvalues.
fn square_root(matrix: DMatrix<f64>) -> DMatrix<f64> {
    let SymmetricEigen { eigenvectors, eigenvalues } = matrix.symmetric_eigen();
    let roots = DMatrix::from_diagonal(&eigenvalues.map(|value| value.max(0.0).sqrt()));
    &eigenvectors * roots * eigenvectors.transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sets_are_at_distance_zero() {
        let features = Features::new(2, vec![1.0, 2.0, 3.0, 1.0, 0.0, 5.0, 2.0, 2.0]);
        assert!(distance(&features, &features).abs() < 1e-9);
    }

    #[test]
    fn one_dimension_by_hand() {
        // Means 2 and 6, deviations 1 and 3: (2 − 6)² + (1 − 3)².
        let a = Features::new(1, vec![1.0, 2.0, 3.0]);
        let b = Features::new(1, vec![3.0, 6.0, 9.0]);
        assert!((distance(&a, &b) - 20.0).abs() < 1e-9);
        assert!((distance(&b, &a) - 20.0).abs() < 1e-9);
    }

    #[test]
    fn a_constant_dimension_does_no_harm() {
        let a = Features::new(2, vec![1.0, 4.0, 3.0, 4.0]);
        let b = Features::new(2, vec![1.0, 6.0, 3.0, 6.0]);
        assert!((distance(&a, &b) - 4.0).abs() < 1e-9);
    }
}
