//! Factors of symmetric positive matrices.

use ndarray::{Array1, Array2};

/// The lower triangle L of `matrix` = L Lᵀ (Golub and Van Loan, "Matrix Computations", algorithm 4.2.1).
///
/// # Panics
///
/// If the matrix is not positive definite.
pub(super) fn cholesky(matrix: &Array2<f64>) -> Array2<f64> {
    let n = matrix.nrows();
    let mut lower = Array2::zeros((n, n));
    for i in 0..n {
        for j in 0..=i {
            let (above, below) = (lower.row(i), lower.row(j));
            let known: f64 = above.iter().zip(&below).take(j).map(|(a, b): (&f64, &f64)| a * b).sum();
            let rest = matrix[(i, j)] - known;
            lower[(i, j)] = if i == j {
                assert!(
                    rest > 0.0,
                    "expected a positive definite covariance, found a pivot of {rest}: raise the floor"
                );
                rest.sqrt()
            } else {
                rest / lower[(j, j)]
            };
        }
    }
    lower
}

/// L⁻¹ of a lower triangle.
pub(super) fn invert(lower: &Array2<f64>) -> Array2<f64> {
    let n = lower.nrows();
    let mut inverse = Array2::<f64>::zeros((n, n));
    for i in 0..n {
        let mut row = Array1::zeros(n);
        for j in 0..i {
            // Rows of the inverse are combined, because they lie together.
            row.scaled_add(-lower[(i, j)], &inverse.row(j));
        }
        row[i] = 1.0;
        inverse.row_mut(i).assign(&(row / lower[(i, i)]));
    }
    inverse
}

/// log |matrix| from its Cholesky factor.
pub(super) fn log_determinant(lower: &Array2<f64>) -> f64 {
    2.0 * lower.diag().iter().map(|x| x.ln()).sum::<f64>()
}

/// uᵢ √λᵢ in rows, of all eigenvalues λᵢ of a symmetric positive semidefinite matrix, the largest first.
///
/// One-sided Jacobi (Hestenes, 1958): turning pairs of rows until all are orthogonal multiplies the matrix U Λ Uᵀ by Uᵀ
/// from the left, and its rows become λᵢ uᵢ. Rows lie together in memory, which makes it fit for some hundreds of them.
pub(super) fn scaled_eigenvectors(mut matrix: Array2<f64>) -> Array2<f64> {
    const SWEEPS: usize = 60;
    const ORTHOGONAL: f64 = 1e-11;
    let n = matrix.nrows();
    let mut squares: Vec<f64> = matrix.rows().into_iter().map(|row| row.dot(&row)).collect();
    let least = 1e-30 * squares.iter().copied().fold(0.0, f64::max);
    for _ in 0..SWEEPS {
        let mut turned = false;
        for p in 1..n {
            for q in 0..p {
                if squares[p] <= least || squares[q] <= least {
                    continue;
                }
                let (mut upper, mut lower) = matrix.multi_slice_mut((ndarray::s![q, ..], ndarray::s![p, ..]));
                let product = upper.dot(&lower);
                if product.abs() <= ORTHOGONAL * (squares[p] * squares[q]).sqrt() {
                    continue;
                }
                turned = true;
                // The smaller of both angles that make the rows orthogonal.
                let tau = (squares[p] - squares[q]) / (2.0 * product);
                let tangent = tau.signum() / (tau.abs() + tau.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                let sine = tangent * cosine;
                for (x, y) in upper.iter_mut().zip(&mut lower) {
                    (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
                }
                squares[q] = upper.dot(&upper);
                squares[p] = lower.dot(&lower);
            }
        }
        if !turned {
            break;
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| squares[b].total_cmp(&squares[a]));
    let mut sorted = matrix.select(ndarray::Axis(0), &order);
    for (mut row, index) in sorted.rows_mut().into_iter().zip(order) {
        // |row| = λ, so that row / √λ is u √λ.
        let scale = if squares[index] > least { squares[index].powf(-0.25) } else { 0.0 };
        row *= scale;
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// B Bᵀ of a fixed B.
    fn positive(n: usize) -> Array2<f64> {
        let b = Array2::from_shape_fn((n, n), |(i, j)| ((i * 7 + j * 3 + i * j) % 11) as f64 - 4.0);
        b.dot(&b.t()) + Array2::<f64>::eye(n)
    }

    fn near(a: &Array2<f64>, b: &Array2<f64>) -> bool {
        (a - b).iter().all(|x| x.abs() < 1e-8)
    }

    #[test]
    fn factors_multiply_to_their_matrix() {
        let matrix = positive(7);
        let lower = cholesky(&matrix);
        assert!(near(&lower.dot(&lower.t()), &matrix));
        assert!(near(&invert(&lower).dot(&lower), &Array2::eye(7)));
        assert!((log_determinant(&cholesky(&array![[4.0, 2.0], [2.0, 3.0]])) - 8f64.ln()).abs() < 1e-12);
        let rows = scaled_eigenvectors(matrix.clone());
        assert!(near(&rows.t().dot(&rows), &matrix));
        let gram = rows.dot(&rows.t());
        assert!((0..7).all(|i| (0..i).all(|j| gram[(i, j)].abs() < 1e-6 && gram[(i, i)] <= gram[(j, j)])));
    }

    #[test]
    fn eigenvectors_by_hand_also_without_full_rank() {
        let rows = scaled_eigenvectors(array![[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 0.0]]);
        assert!((rows[(0, 0)].abs() - 1.5f64.sqrt()).abs() < 1e-12 && (rows[(0, 0)] - rows[(0, 1)]).abs() < 1e-12);
        assert!((rows[(1, 0)].abs() - 0.5f64.sqrt()).abs() < 1e-12 && (rows[(1, 0)] + rows[(1, 1)]).abs() < 1e-12);
        assert!(rows.row(2).iter().all(|&x| x == 0.0));
    }
}
