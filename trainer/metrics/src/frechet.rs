//! The Fréchet distance of two sets of samples, each taken for a Gaussian.

use ndarray::{Array1, Array2, ArrayViewMut2, Axis};

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
    mean: Array1<f64>,
    covariance: Array2<f64>,
}

impl Gaussian {
    /// The moments of `features`.
    ///
    /// # Panics
    ///
    /// If there are fewer than 2 samples.
    pub fn fit(features: &Features) -> Self {
        let count = features.len();
        assert!(count >= 2, "a covariance needs 2 samples, found {count}");
        let mut centred = features.matrix().mapv(f64::from);
        let mean = centred.sum_axis(Axis(0)) / count as f64;
        centred -= &mean;
        let covariance = centred.t().dot(&centred) / (count - 1) as f64;
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
        let (values, vectors) = eigen(self.covariance.clone());
        // V · √Λ · Vᵀ
        let root = (&vectors * &values.mapv(|value| value.max(0.0).sqrt())).dot(&vectors.t());
        let (values, _) = eigen(root.dot(&other.covariance).dot(&root));
        let cross: f64 = values.iter().map(|value| value.max(0.0).sqrt()).sum();
        let trace = self.covariance.diag().sum() + other.covariance.diag().sum();
        (&self.mean - &other.mean).mapv(|x| x * x).sum() + trace - 2.0 * cross
    }
}

/// Eigenvalues of a symmetric matrix and its eigenvectors, in columns, by cyclic Jacobi rotations: each makes one element off the diagonal
/// zero, and after a few sweeps all of them are (Golub and Van Loan, "Matrix Computations", §8.5). A few dozen rows are its size.
fn eigen(mut matrix: Array2<f64>) -> (Array1<f64>, Array2<f64>) {
    const SWEEPS: usize = 60;
    let n = matrix.nrows();
    let mut vectors = Array2::eye(n);
    let scale: f64 = matrix.iter().map(|x| x * x).sum();
    for _ in 0..SWEEPS {
        let off: f64 = (0..n).flat_map(|p| (0..p).map(move |q| (p, q))).map(|at| matrix[at].powi(2)).sum();
        if off <= 1e-28 * scale {
            break;
        }
        for p in 1..n {
            for q in 0..p {
                if matrix[(p, q)] == 0.0 {
                    continue;
                }
                // The smaller of both angles that make (p, q) zero.
                let tau = (matrix[(q, q)] - matrix[(p, p)]) / (2.0 * matrix[(p, q)]);
                let tangent = tau.signum() / (tau.abs() + tau.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                let rotation = [cosine, tangent * cosine];
                rotate(matrix.view_mut(), p, q, rotation);
                rotate(matrix.view_mut().reversed_axes(), p, q, rotation);
                rotate(vectors.view_mut(), p, q, rotation);
            }
        }
    }
    (matrix.diag().to_owned(), vectors)
}

/// Turns columns p and q against each other.
fn rotate(mut matrix: ArrayViewMut2<'_, f64>, p: usize, q: usize, [cosine, sine]: [f64; 2]) {
    for mut row in matrix.rows_mut() {
        let (x, y) = (row[p], row[q]);
        row[p] = cosine * x - sine * y;
        row[q] = sine * x + cosine * y;
    }
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
    fn eigenvalues_by_hand() {
        let (mut values, vectors) = eigen(ndarray::array![[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 5.0]]);
        assert!((vectors.t().dot(&vectors) - Array2::<f64>::eye(3)).iter().all(|x| x.abs() < 1e-12));
        values.as_slice_mut().unwrap().sort_by(f64::total_cmp);
        assert!((values - ndarray::array![1.0, 3.0, 5.0]).iter().all(|x| x.abs() < 1e-12));
    }

    #[test]
    fn a_constant_dimension_does_no_harm() {
        let a = Features::new(2, vec![1.0, 4.0, 3.0, 4.0]);
        let b = Features::new(2, vec![1.0, 6.0, 3.0, 6.0]);
        assert!((distance(&a, &b) - 4.0).abs() < 1e-9);
    }
}
