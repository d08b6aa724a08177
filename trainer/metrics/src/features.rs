//! Samples as a matrix.

use ndarray::ArrayView2;

/// N samples of `dims` values each.
#[derive(Clone, PartialEq)]
pub struct Features {
    dims: usize,
    values: Vec<f32>,
}

// Thousands of values tell nobody anything.
impl std::fmt::Debug for Features {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Features").field("len", &self.len()).field("dims", &self.dims).finish_non_exhaustive()
    }
}

impl Features {
    /// Samples one after the other, `dims` values each.
    ///
    /// # Panics
    ///
    /// If `dims` is 0 or `values` is not a whole number of samples.
    pub fn new(dims: usize, values: Vec<f32>) -> Self {
        assert!(
            dims > 0 && values.len().is_multiple_of(dims),
            "{} values are no samples of {dims} values",
            values.len()
        );
        Self { dims, values }
    }

    /// Images of bytes as values in [0, 1].
    ///
    /// # Panics
    ///
    /// If there is no image or their lengths differ.
    pub fn from_pixels<'a>(images: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut images = images.into_iter().peekable();
        let dims = images.peek().map_or(0, |image| image.len());
        let mut values = Vec::new();
        for image in images {
            assert_eq!(image.len(), dims, "images of one size");
            values.extend(image.iter().map(|&byte| f32::from(byte) / 255.0));
        }
        Self::new(dims, values)
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.values.len() / self.dims
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Values of one sample.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// Sample `index`.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn sample(&self, index: usize) -> &[f32] {
        &self.values[index * self.dims..][..self.dims]
    }

    /// All samples in order.
    pub fn samples(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.dims)
    }

    /// The samples at `indices`.
    ///
    /// # Panics
    ///
    /// If one of them is not there.
    pub fn select(&self, indices: impl IntoIterator<Item = usize>) -> Self {
        Self::new(self.dims, indices.into_iter().flat_map(|index| self.sample(index)).copied().collect())
    }

    /// The first `count` samples, or all.
    pub fn first(&self, count: usize) -> Self {
        self.select(0..count.min(self.len()))
    }

    /// The samples of `self`, then those of `other`.
    ///
    /// # Panics
    ///
    /// If they differ in [`dims`](Self::dims).
    pub fn concat(&self, other: &Self) -> Self {
        assert_eq!(self.dims, other.dims, "samples of one kind");
        Self::new(self.dims, [self.values.as_slice(), &other.values].concat())
    }

    /// `[N, dims]`.
    pub(crate) fn matrix(&self) -> ArrayView2<'_, f32> {
        ArrayView2::from_shape((self.len(), self.dims), &self.values).expect("checked when it was made")
    }

    /// |sample|² of each.
    pub(crate) fn squared_norms(&self) -> Vec<f32> {
        self.samples().map(|sample| sample.iter().map(|x| x * x).sum()).collect()
    }
}

/// Shifts and scales each value so that a reference set has mean 0 and variance 1 in each.
///
/// Kernels of a fixed width, such as that of KID, need it: raw features of a ReLU layer make KID meaninglessly large.
#[derive(Clone, Debug)]
pub struct Standard {
    mean: Vec<f32>,
    scale: Vec<f32>,
}

impl Standard {
    /// Means and deviations of `reference`. Deviations of less than a tenth of the root mean square of all are raised to that: a value
    /// that hardly ever varies would otherwise count for more than all others together.
    pub fn fit(reference: &Features) -> Self {
        let count = reference.len().max(1) as f64;
        let mut mean = vec![0.0f64; reference.dims];
        let mut square = mean.clone();
        for sample in reference.samples() {
            for ((mean, square), &x) in mean.iter_mut().zip(&mut square).zip(sample) {
                *mean += f64::from(x) / count;
                *square += f64::from(x).powi(2) / count;
            }
        }
        let variances: Vec<f64> =
            mean.iter().zip(&square).map(|(mean, square)| (square - mean * mean).max(0.0)).collect();
        let least = variances.iter().sum::<f64>() / variances.len() as f64 / 100.0;
        let scale = variances.iter().map(|&variance| match variance.max(least) {
            0.0 => 1.0,
            variance => (1.0 / variance.sqrt()) as f32,
        });
        let scale = scale.collect();
        Self { mean: mean.into_iter().map(|mean| mean as f32).collect(), scale }
    }

    /// The samples shifted and scaled.
    pub fn apply(&self, features: &Features) -> Features {
        let standardise = |sample: &[f32]| -> Vec<f32> {
            let with = self.mean.iter().zip(&self.scale);
            sample.iter().zip(with).map(|(x, (mean, scale))| (x - mean) * scale).collect()
        };
        Features::new(features.dims, features.samples().flat_map(standardise).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_rows() {
        let features = Features::new(2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!((features.len(), features.sample(1)), (3, &[3.0, 4.0][..]));
        assert_eq!(features.select([2, 0]), Features::new(2, vec![5.0, 6.0, 1.0, 2.0]));
        assert_eq!(features.matrix().row(2).to_vec(), [5.0, 6.0]);
    }

    #[test]
    fn pixels_become_unit_values() {
        let images: [&[u8]; 2] = [&[0, 255], &[51, 102]];
        assert_eq!(Features::from_pixels(images), Features::new(2, vec![0.0, 1.0, 0.2, 0.4]));
    }

    #[test]
    fn standardised_reference_has_mean_zero_and_variance_one() {
        let features = Features::new(2, vec![1.0, 7.0, 3.0, 7.0, 8.0, 7.0]);
        let found = Standard::fit(&features).apply(&features);
        let first: Vec<f32> = found.samples().map(|sample| sample[0]).collect();
        assert!(first.iter().sum::<f32>().abs() < 1e-6);
        assert!((first.iter().map(|x| x * x).sum::<f32>() / 3.0 - 1.0).abs() < 1e-5);
        assert!(found.samples().all(|sample| sample[1] == 0.0));
    }
}
