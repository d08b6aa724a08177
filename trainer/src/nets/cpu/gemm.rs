//! The matrix product, on slices that are checked.

use gemm::Parallelism;

/// A matrix in a slice: element `(row, column)` is at `row · row_step + column · column_step`.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_step: usize,
    column_step: usize,
}

impl<'a> Matrix<'a> {
    /// `rows` × `columns` values, row after row.
    ///
    /// # Panics
    ///
    /// If `data` has another length.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "a matrix of {rows} × {columns}");
        Self { data, rows, columns, row_step: columns, column_step: 1 }
    }

    /// Its mirror image at the diagonal, without a copy.
    pub fn transposed(self) -> Self {
        Self { rows: self.columns, columns: self.rows, row_step: self.column_step, column_step: self.row_step, ..self }
    }
}

/// How a product is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// `out = a · b`.
    Set,
    /// `out = out + a · b`.
    Add,
}

/// Whether a product may use all cores. The result is the same to the last bit: only rows and columns are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// The calling thread alone, where the caller has shared out the work already.
    One,
    /// Rayon's.
    All,
}

/// `a · b` into `out`, row after row.
///
/// # Panics
///
/// If the sizes do not fit together.
pub fn product(out: &mut [f32], write: Write, a: Matrix<'_>, b: Matrix<'_>, threads: Threads) {
    assert_eq!(a.columns, b.rows, "inner sizes of a matrix product");
    assert_eq!(out.len(), a.rows * b.columns, "size of a matrix product");
    let step = |step: usize| isize::try_from(step).expect("a slice has at most isize::MAX values");
    let parallelism = match threads {
        Threads::One => Parallelism::None,
        Threads::All => Parallelism::Rayon(0),
    };
    let beta = 1.0;
    // SAFETY: `Matrix::new` has checked that every (row, column) of `a` and `b` lies in its slice, and transposing only
    // exchanges the names; `out` has exactly rows · columns values, is not shared, and all three outlive the call.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out.as_mut_ptr(),
            1,
            step(b.columns),
            write == Write::Add,
            a.data.as_ptr(),
            step(a.column_step),
            step(a.row_step),
            b.data.as_ptr(),
            step(b.column_step),
            step(b.row_step),
            1.0,
            beta,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_every_orientation() {
        // [1 2 3; 4 5 6] · [1 2; 3 4; 5 6] = [22 28; 49 64]
        let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let columns = [1.0, 4.0, 2.0, 5.0, 3.0, 6.0];
        let straight = Matrix::new(&rows, 2, 3);
        let turned = Matrix::new(&columns, 3, 2).transposed();
        let right = Matrix::new(&rows, 3, 2);
        for a in [straight, turned] {
            for threads in [Threads::One, Threads::All] {
                let mut out = [1.0; 4];
                product(&mut out, Write::Set, a, right, threads);
                assert_eq!(out, [22.0, 28.0, 49.0, 64.0]);
                product(&mut out, Write::Add, a, right, threads);
                assert_eq!(out, [44.0, 56.0, 98.0, 128.0]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "inner sizes")]
    fn sizes_must_fit() {
        let values = [0.0; 6];
        product(&mut [0.0; 4], Write::Set, Matrix::new(&values, 2, 3), Matrix::new(&values, 2, 3), Threads::One);
    }
}
