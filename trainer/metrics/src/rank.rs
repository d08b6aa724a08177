//! Rank correlation: whether two measurements put things into the same order.

/// Spearman's ρ of two equally long lists: the correlation of their ranks, equal values sharing the mean of theirs; 1
/// for the same order, −1 for the opposite, near 0 for none.
///
/// Spearman, "The Proof and Measurement of Association between Two Things" (1904). NaN where all values of a list are
/// equal.
///
/// # Panics
///
/// If the lists differ in length.
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "lists of the same things");
    let [a, b] = [ranks(a), ranks(b)];
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum() };
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

/// The rank of each value from 0 on.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let shared = first as f64 + (equal.len() as f64 - 1.0) / 2.0;
        equal.iter().for_each(|&index| ranks[index] = shared);
        first += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_all_that_counts() {
        let values = [3.0, -1.0, 10.0, 4.0];
        assert!((spearman(&values, &values.map(f64::exp)) - 1.0).abs() < 1e-12);
        assert!((spearman(&values, &values.map(|value| -value)) + 1.0).abs() < 1e-12);
        // By hand: ranks 0, 1, 2, 3 beside 1, 0, 3, 2 differ by 1 each: 1 − 6·4 / (4·15).
        assert!((spearman(&[1.0, 2.0, 3.0, 4.0], &[2.0, 1.0, 4.0, 3.0]) - 0.6).abs() < 1e-12);
    }

    #[test]
    fn equal_values_share_a_rank() {
        assert_eq!(ranks(&[5.0, 1.0, 5.0, 0.0]), [2.5, 1.0, 2.5, 0.0]);
        assert!(spearman(&[1.0, 1.0], &[1.0, 2.0]).is_nan());
    }
}
