//! Matrices whose rows or columns are orthogonal.

use crate::rng::Rng;

/// A random matrix `[rows, columns]`, row after row, whose rows are orthogonal and of length 1, or its columns where
/// there are fewer of them: vectors of N(0, 1), each made orthogonal to those before it (Gram and Schmidt).
pub(super) fn orthogonal(rows: usize, columns: usize, rng: &mut Rng) -> Vec<f32> {
    let [count, length] = [rows.min(columns), rows.max(columns)];
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    for _ in 0..count {
        let mut vector: Vec<f64> = (0..length).map(|_| f64::from(rng.normal())).collect();
        // Twice, because the first time leaves what rounding has left.
        for _ in 0..2 {
            for other in &vectors {
                let along = dot(other, &vector);
                vector.iter_mut().zip(other).for_each(|(value, other)| *value -= along * other);
            }
            let norm = dot(&vector, &vector).sqrt();
            vector.iter_mut().for_each(|value| *value /= norm);
        }
        vectors.push(vector);
    }
    let value = |row: usize, column: usize| {
        let value = if rows <= columns { vectors[row][column] } else { vectors[column][row] };
        value as f32
    };
    (0..rows * columns).map(|at| value(at / columns, at % columns)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewer_are_orthogonal() {
        for [rows, columns] in [[4, 4], [3, 20], [20, 3]] {
            let matrix = orthogonal(rows, columns, &mut Rng::new(3, 0));
            let vector = |index: usize| -> Vec<f64> {
                let row = |at: usize| matrix[if rows <= columns { index * columns + at } else { at * columns + index }];
                (0..rows.max(columns)).map(|at| f64::from(row(at))).collect()
            };
            for a in 0..rows.min(columns) {
                for b in 0..=a {
                    let expected = if a == b { 1.0 } else { 0.0 };
                    assert!((dot(&vector(a), &vector(b)) - expected).abs() < 1e-6, "{a} and {b}");
                }
            }
        }
    }
}
