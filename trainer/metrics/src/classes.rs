//! Measures on the classes that a classifier gives to samples.

/// How often each of `classes` classes occurs.
///
/// # Panics
///
/// If a label is not below `classes`.
pub fn histogram(labels: &[usize], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    labels.iter().for_each(|&label| counts[label] += 1);
    counts
}

/// Share of samples whose class is the one that was asked for.
///
/// # Panics
///
/// If there are not as many of one as of the other.
pub fn accuracy(found: &[usize], asked: &[usize]) -> f64 {
    assert_eq!(found.len(), asked.len(), "one class asked for each sample");
    found.iter().zip(asked).filter(|(found, asked)| found == asked).count() as f64 / found.len().max(1) as f64
}

/// Number of classes that occur at least `least` times: modes, where each class is one (1 and stacked MNIST's 1 000 classes of Metz et
/// al., "Unrolled Generative Adversarial Networks", 2017; 20 for the ring of Lin et al., "PacGAN", 2018).
pub fn modes(counts: &[usize], least: usize) -> usize {
    counts.iter().filter(|&&count| count >= least.max(1)).count()
}

/// KL(generated ‖ real) in nats, of histograms: the reverse divergence that Metz et al. and Lin et al. report.
///
/// Infinite if something is generated that does not occur in reality.
///
/// # Panics
///
/// If the histograms have different lengths or one is empty of counts.
pub fn reverse_kl(generated: &[usize], real: &[usize]) -> f64 {
    assert_eq!(generated.len(), real.len(), "histograms of the same classes");
    let total = |counts: &[usize]| counts.iter().sum::<usize>() as f64;
    let (all_generated, all_real) = (total(generated), total(real));
    assert!(all_generated > 0.0 && all_real > 0.0, "a histogram of nothing");
    generated
        .iter()
        .zip(real)
        .filter(|(generated, _)| **generated > 0)
        .map(|(&generated, &real)| {
            let p = generated as f64 / all_generated;
            p * (p / (real as f64 / all_real)).ln()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_modes() {
        let counts = histogram(&[0, 2, 2, 3, 2], 5);
        assert_eq!(counts, [1, 0, 3, 1, 0]);
        assert_eq!((modes(&counts, 1), modes(&counts, 2), modes(&counts, 0)), (3, 1, 3));
        assert_eq!(accuracy(&[1, 2, 3, 4], &[1, 2, 0, 4]), 0.75);
    }

    #[test]
    fn divergence_by_hand() {
        assert_eq!(reverse_kl(&[5, 5], &[1, 1]), 0.0);
        assert!((reverse_kl(&[2, 0], &[1, 1]) - 2f64.ln()).abs() < 1e-12);
        let expected = 0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln();
        assert!((reverse_kl(&[3, 1], &[2, 2]) - expected).abs() < 1e-12);
        assert_eq!(reverse_kl(&[1, 1], &[1, 0]), f64::INFINITY);
    }
}
