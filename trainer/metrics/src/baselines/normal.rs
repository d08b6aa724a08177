//! One Gaussian, by maximum likelihood: μ is the mean of the samples, Σ their mean square around it.

use ndarray::{Array1, Array2, Axis};

use super::{by_block, linear};
use crate::Features;

/// Sums over samples, from which everything that a Gaussian wants to know of them follows. They can be added to batch by batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Number of samples.
    pub count: f64,
    /// Σ x.
    sum: Array1<f64>,
    /// Σ x xᵀ.
    products: Array2<f64>,
}

impl Moments {
    /// Of no samples of `dims` values.
    pub fn new(dims: usize) -> Self {
        Self { count: 0.0, sum: Array1::zeros(dims), products: Array2::zeros((dims, dims)) }
    }

    /// Adds samples.
    ///
    /// # Panics
    ///
    /// If they have other dims.
    pub fn add(&mut self, samples: &Features) {
        assert_eq!(samples.dims(), self.sum.len(), "samples of one kind");
        for (sum, products) in by_block(samples, |block| (block.sum_axis(Axis(0)), block.t().dot(block))) {
            self.sum += &sum;
            self.products += &products;
        }
        self.count += samples.len() as f64;
    }

    /// Variance of a value, averaged over the values of a sample; of no samples, NaN.
    pub fn variance(&self) -> f64 {
        let squares = self.products.diag().sum() / self.count;
        let mean = &self.sum / self.count;
        (squares - mean.dot(&mean)) / self.sum.len() as f64
    }

    /// All numbers: the count, the sum, the products row by row.
    pub fn values(&self) -> Vec<f64> {
        [self.count].iter().chain(&self.sum).chain(&self.products).copied().collect()
    }

    /// From [`Moments::values`] of samples of `dims` values, or nothing if their number is another.
    pub fn from_values(dims: usize, values: &[f64]) -> Option<Self> {
        let (&count, rest) = values.split_first()?;
        let (sum, products) = rest.split_at_checked(dims)?;
        let products = Array2::from_shape_vec((dims, dims), products.to_vec()).ok()?;
        Some(Self { count, sum: Array1::from(sum.to_vec()), products })
    }

    /// Σ (x − m) (x − m)ᵀ / count around a point m.
    pub(super) fn around(&self, point: &Array1<f64>) -> Array2<f64> {
        let mean = &self.sum / self.count;
        let outer =
            |a: &Array1<f64>, b: &Array1<f64>| a.clone().insert_axis(Axis(1)).dot(&b.clone().insert_axis(Axis(0)));
        let cross = outer(&mean, point);
        &self.products / self.count - &cross - cross.t() + outer(point, point)
    }

    /// Σ x xᵀ / count.
    pub(super) fn second(&self) -> Array2<f64> {
        &self.products / self.count
    }
}

/// N(μ, Σ).
#[derive(Clone, Debug, PartialEq)]
pub struct Normal {
    mean: Array1<f64>,
    covariance: Array2<f64>,
}

impl Normal {
    /// The Gaussian that makes the samples most likely: μ = Σ x / N, Σ = Σ (x − μ)(x − μ)ᵀ / N. `floor` is added to each variance, without
    /// which a value that never varies has no density.
    ///
    /// # Panics
    ///
    /// If there are no samples.
    pub fn fit(moments: &Moments, floor: f64) -> Self {
        assert!(moments.count > 0.0, "a Gaussian of no samples");
        let mean = &moments.sum / moments.count;
        let mut covariance = moments.around(&mean);
        covariance.diag_mut().iter_mut().for_each(|variance| *variance += floor);
        Self { mean, covariance }
    }

    /// With this mean and this covariance, row by row.
    ///
    /// # Panics
    ///
    /// If the covariance is not as many rows and columns.
    pub fn new(mean: &[f64], covariance: &[f64]) -> Self {
        let shape = (mean.len(), mean.len());
        let covariance = Array2::from_shape_vec(shape, covariance.to_vec()).expect("a square covariance");
        Self { mean: Array1::from(mean.to_vec()), covariance }
    }

    /// μ.
    pub fn mean(&self) -> Vec<f64> {
        self.mean.to_vec()
    }

    /// Σ, row by row.
    pub fn covariance(&self) -> Vec<f64> {
        self.covariance.iter().copied().collect()
    }

    /// Mean log-density of samples, in nats, of which only the moments matter: −½ (d log 2π + log |Σ| + tr Σ⁻¹ E (x − μ)(x − μ)ᵀ).
    ///
    /// # Panics
    ///
    /// If Σ is not positive definite.
    pub fn log_likelihood(&self, of: &Moments) -> f64 {
        let lower = linear::cholesky(&self.covariance);
        let inverse = linear::invert(&lower);
        let quadratic = (&inverse.dot(&of.around(&self.mean)) * &inverse).sum();
        let dims = self.mean.len() as f64;
        -0.5 * (dims * std::f64::consts::TAU.ln() + linear::log_determinant(&lower) + quadratic)
    }

    /// The matrix A, `[dims, directions]` row by row, with A Aᵀ nearest to Σ: uᵢ √λᵢ of the largest eigenvalues in columns (principal components;
    /// Tipping and Bishop, 1999). Where z is standard normal, μ + A z is a sample. Directions beyond the dims are 0.
    pub fn directions(&self, directions: usize) -> Vec<f32> {
        directions_of(&self.covariance, directions)
    }
}

/// [`Normal::directions`] of a covariance.
pub(super) fn directions_of(covariance: &Array2<f64>, directions: usize) -> Vec<f32> {
    let rows = linear::scaled_eigenvectors(covariance.clone());
    let dims = covariance.nrows();
    let at = |dim: usize, direction: usize| if direction < dims { rows[(direction, dim)] as f32 } else { 0.0 };
    (0..dims).flat_map(|dim| (0..directions).map(move |direction| (dim, direction))).map(|(d, i)| at(d, i)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal as draws;

    /// Correlated points of the plane around (3, 3).
    fn points() -> Features {
        let raw = draws(500, 2, 3.0, 8);
        Features::new(2, raw.samples().flat_map(|point| [point[0], 0.6 * point[0] + 0.5 * point[1]]).collect())
    }

    fn moments(samples: &Features) -> Moments {
        let mut moments = Moments::new(samples.dims());
        moments.add(samples);
        moments
    }

    #[test]
    fn closed_form_is_where_numeric_ascent_of_the_likelihood_ends() {
        let moments = moments(&points());
        // μ and the triangle L of Σ = L Lᵀ; each gradient by differences of the likelihood alone.
        let normal = |p: &[f64; 5]| {
            let [a, b, c] = [p[2], p[3], p[4]];
            Normal::new(&p[..2], &[a * a, a * b, a * b, b * b + c * c])
        };
        let likelihood = |p: &[f64; 5]| normal(p).log_likelihood(&moments);
        let mut at = [0.0, 0.0, 2.0, 0.0, 2.0];
        for _ in 0..20_000 {
            let mut next = at;
            for (index, value) in next.iter_mut().enumerate() {
                let moved = |by: f64| {
                    let mut moved = at;
                    moved[index] += by;
                    likelihood(&moved)
                };
                *value += 0.05 * (moved(1e-5) - moved(-1e-5)) / 2e-5;
            }
            at = next;
        }
        let (closed, numeric) = (Normal::fit(&moments, 0.0), normal(&at));
        for (a, b) in [(closed.mean(), numeric.mean()), (closed.covariance(), numeric.covariance())] {
            assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-3), "{a:?} {b:?}");
        }
    }

    #[test]
    fn sums_of_batches_are_sums_of_all() {
        let all = points();
        let mut batches = Moments::new(2);
        for start in (0..500).step_by(125) {
            batches.add(&all.select(start..start + 125));
        }
        let whole = moments(&all);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9 * b.abs().max(1.0);
        assert!(batches.values().iter().zip(whole.values()).all(|(&a, b)| close(a, b)));
        assert_eq!(Moments::from_values(2, &whole.values()), Some(whole.clone()));
        assert_eq!(Moments::from_values(3, &whole.values()), None);
    }

    #[test]
    fn all_directions_make_the_covariance_and_one_its_longest_axis() {
        let normal = Normal::new(&[0.0; 2], &[5.0, 2.0, 2.0, 2.0]);
        let a = normal.directions(3);
        let product = |i: usize, j: usize| (0..3).map(|k| a[3 * i + k] * a[3 * j + k]).sum::<f32>();
        let found = [product(0, 0), product(0, 1), product(1, 0), product(1, 1)];
        assert!(found.iter().zip([5.0, 2.0, 2.0, 2.0]).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?}");
        // Eigenvalues 6 and 1; the first eigenvector is (2, 1) / √5.
        let one = normal.directions(1);
        assert!((one[0].abs() - 4.8f32.sqrt()).abs() < 1e-5 && (one[0] - 2.0 * one[1]).abs() < 1e-5, "{one:?}");
    }
}
