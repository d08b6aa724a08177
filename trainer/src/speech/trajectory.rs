//! The smooth curve that values and their changes agree on best.
//!
//! A model that looks at one frame says what a coefficient is there (c), how it changes (Δ) and how that changes (Δ²).
//! The three need not agree; the curve that they are likeliest for, each with a variance of its own, solves
//!
//! ```text
//! Δ_t = (c_{t+1} − c_{t−1}) / 2        Δ²_t = c_{t+1} − 2 c_t + c_{t−1}        o = W c, W of 3T rows
//! Wᵀ Σ⁻¹ W c = Wᵀ Σ⁻¹ ô        c = R ô
//! ```
//!
//! Tokuda et al., "Speech parameter generation algorithms for HMM-based speech synthesis" (2000), eq. 6 to 9. Before
//! the first frame and behind the last the curve goes on as it is there. Here changes come times [`SCALES`], so that
//! all three have about the same variance and Σ is 1; W and R are the same for all coefficients.

/// What changes are multiplied by, so that of speech they vary about as much as values do.
pub const SCALES: [f32; 2] = [3.0, 3.0];

/// Weights of the frames before, here and behind for value, Δ and Δ², scales included.
fn windows() -> [[f64; 3]; 3] {
    let [first, second] = SCALES.map(f64::from);
    [[0.0, 1.0, 0.0], [-0.5 * first, 0.0, 0.5 * first], [second, -2.0 * second, second]]
}

/// The place that offset 0, 1 or 2 of a window at frame `at` of `count` reads: the frame before, here or behind.
fn reads(at: usize, offset: usize, count: usize) -> usize {
    (at + offset).saturating_sub(1).min(count - 1)
}

/// Scaled changes of a curve: Δ and Δ² of each frame.
pub fn changes(curve: &[f32]) -> [Vec<f32>; 2] {
    let count = curve.len();
    let of = |window: [f64; 3]| {
        let at = |at: usize| {
            (0..3).map(|offset| window[offset] * f64::from(curve[reads(at, offset, count)])).sum::<f64>() as f32
        };
        (0..count).map(at).collect()
    };
    let [_, first, second] = windows();
    [of(first), of(second)]
}

/// WᵀW of some frames, factored: two numbers beside the diagonal are all that it has.
#[derive(Debug)]
pub struct Smoother {
    /// L of L Lᵀ: of each row the diagonal and the two before it.
    factor: Vec<[f64; 3]>,
}

impl Smoother {
    /// For curves of `count` frames.
    pub fn new(count: usize) -> Self {
        let mut rows = vec![[0.0f64; 3]; count];
        for window in windows() {
            for at in 0..count {
                for (a, b) in (0..9).map(|pair| (pair / 3, pair % 3)) {
                    let [row, column] = [a, b].map(|offset| reads(at, offset, count));
                    if row >= column {
                        rows[row][row - column] += window[a] * window[b];
                    }
                }
            }
        }
        for row in 0..count {
            for back in (0..3.min(row + 1)).rev() {
                let column = row - back;
                // Further columns that both rows have.
                let shared: f64 = (1..3 - back)
                    .filter(|&more| column >= more)
                    .map(|more| rows[row][back + more] * rows[column][more])
                    .sum();
                let rest = rows[row][back] - shared;
                rows[row][back] = if back == 0 { rest.sqrt() } else { rest / rows[column][0] };
            }
        }
        Self { factor: rows }
    }

    /// The curve of what was said of each frame: value, scaled Δ and Δ².
    ///
    /// # Panics
    ///
    /// If the three have other lengths than the smoother.
    pub fn curve(&self, said: [&[f32]; 3]) -> Vec<f32> {
        let count = self.factor.len();
        let mut curve = vec![0.0f64; count];
        for (window, values) in windows().into_iter().zip(said) {
            assert_eq!(values.len(), count, "one value for each frame");
            for (at, &value) in values.iter().enumerate() {
                for (offset, weight) in window.into_iter().enumerate() {
                    curve[reads(at, offset, count)] += weight * f64::from(value);
                }
            }
        }
        for row in 0..count {
            let before: f64 = (1..3.min(row + 1)).map(|back| self.factor[row][back] * curve[row - back]).sum();
            curve[row] = (curve[row] - before) / self.factor[row][0];
        }
        for row in (0..count).rev() {
            let behind: f64 = (1..3)
                .filter(|&ahead| row + ahead < count)
                .map(|ahead| self.factor[row + ahead][ahead] * curve[row + ahead])
                .sum();
            curve[row] = (curve[row] - behind) / self.factor[row][0];
        }
        curve.into_iter().map(|value| value as f32).collect()
    }

    /// R: `[count][3 · count]`, row after row; the columns are the values of all frames, then Δ, then Δ².
    pub fn matrix(&self) -> Vec<f32> {
        let count = self.factor.len();
        let mut matrix = vec![0.0; count * 3 * count];
        let mut one = vec![0.0; 3 * count];
        for column in 0..3 * count {
            one[column] = 1.0;
            let said = [0, 1, 2].map(|part| &one[part * count..][..count]);
            for (row, value) in self.curve(said).into_iter().enumerate() {
                matrix[row * 3 * count + column] = value;
            }
            one[column] = 0.0;
        }
        matrix
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn noise(count: usize, seed: u64) -> Vec<f32> {
        let mut rng = Rng::new(seed, 0);
        (0..count).map(|_| rng.normal()).collect()
    }

    #[test]
    fn what_agrees_is_its_own_curve() {
        for count in [1, 2, 3, 4, 50] {
            let curve = noise(count, 1);
            let [first, second] = changes(&curve);
            let back = Smoother::new(count).curve([&curve, &first, &second]);
            assert!(curve.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-4), "{count}: {curve:?} {back:?}");
        }
        let [first, second] = changes(&[1.0, 2.0, 4.0]);
        assert_eq!([first, second], [vec![1.5, 4.5, 3.0], vec![3.0, 3.0, -6.0]]);
    }

    #[test]
    fn no_other_curve_fits_better() {
        let said = [1, 2, 3].map(|seed| noise(20, seed));
        let smoother = Smoother::new(20);
        let best = smoother.curve(said.each_ref().map(Vec::as_slice));
        let error = |curve: &[f32]| -> f64 {
            let [first, second] = changes(curve);
            let off = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
            off(curve, &said[0]) + off(&first, &said[1]) + off(&second, &said[2])
        };
        for at in 0..20 {
            for by in [-0.02, 0.02] {
                let mut other = best.clone();
                other[at] += by;
                assert!(error(&other) > error(&best), "frame {at}");
            }
        }
    }

    #[test]
    fn the_matrix_does_the_same() {
        let (count, said) = (9, noise(27, 4));
        let smoother = Smoother::new(count);
        let expected = smoother.curve([0, 1, 2].map(|part| &said[part * count..][..count]));
        let matrix = smoother.matrix();
        for (row, expected) in matrix.chunks(3 * count).zip(expected) {
            let found: f32 = row.iter().zip(&said).map(|(a, b)| a * b).sum();
            assert!((found - expected).abs() < 1e-5);
        }
    }
}
