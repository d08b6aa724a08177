//! Whether curves move as much, and as fast, as they should: two measures of how over-smoothed speech is.
//!
//! Models that minimize a squared error say the mean of what could be, whose curves are flatter than any natural one.
//! The global variance tells how wide a coefficient swings (Toda and Tokuda, "A Speech Parameter Generation Algorithm
//! Considering Global Variance for HMM-Based Speech Synthesis", 2007, eq. 21), the modulation spectrum how fast
//! (Takamichi et al., "Postfilters to Modify the Modulation Spectrum for Statistical Parametric Speech Synthesis",
//! 2016, §II).
//!
//! A sequence is `[frame][dimension]`, row after row.

use std::f64::consts::TAU;

/// The variance over the frames of a sequence, averaged over all sequences, for each of `dims` dimensions.
///
/// # Panics
///
/// If there is no sequence, or one is empty or has no whole frames.
pub fn global_variance(sequences: &[Vec<f32>], dims: usize) -> Vec<f64> {
    mean(sequences, dims, dims, |curve| {
        let count = curve.len() as f64;
        let middle = curve.iter().sum::<f64>() / count;
        vec![curve.iter().map(|value| (value - middle) * (value - middle)).sum::<f64>() / count]
    })
}

/// The modulation spectrum: 10 log₁₀ of the power |Σ_t c_t e^(−2πi k t / T)|² / T, k = 1 … T / 2, averaged over all
/// sequences, in decibels; for each of `dims` dimensions a row of T / 2 values. Powers below 10⁻¹² count as that.
///
/// # Panics
///
/// If there is no sequence, or sequences differ in length or have fewer than two whole frames.
pub fn modulation_spectrum(sequences: &[Vec<f32>], dims: usize) -> Vec<f64> {
    let frames = sequences.first().map_or(0, Vec::len) / dims;
    assert!(frames >= 2 && sequences.iter().all(|sequence| sequence.len() == frames * dims), "equally long sequences");
    let turns: Vec<(f64, f64)> = (0..frames).map(|at| (TAU * at as f64 / frames as f64).sin_cos()).collect();
    mean(sequences, dims, dims * (frames / 2), |curve| {
        let power = |rate: usize| {
            let sums = curve.iter().enumerate().fold([0.0; 2], |[real, imaginary], (at, value)| {
                let (sin, cos) = turns[at * rate % frames];
                [real + value * cos, imaginary + value * sin]
            });
            (sums[0] * sums[0] + sums[1] * sums[1]) / frames as f64
        };
        (1..=frames / 2).map(|rate| 10.0 * power(rate).max(1e-12).log10()).collect()
    })
}

/// The mean over all sequences of what `of` says of each dimension's curve; `total` numbers in all.
fn mean(sequences: &[Vec<f32>], dims: usize, total: usize, of: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    assert!(
        sequences.iter().all(|sequence| !sequence.is_empty() && sequence.len().is_multiple_of(dims)),
        "expected sequences of whole frames"
    );
    assert!(!sequences.is_empty(), "expected a sequence");
    let mut sums = vec![0.0; total];
    for sequence in sequences {
        for (dimension, sums) in sums.chunks_exact_mut(total / dims).enumerate() {
            let curve: Vec<f64> = sequence.iter().skip(dimension).step_by(dims).map(|&value| value.into()).collect();
            sums.iter_mut().zip(of(&curve)).for_each(|(sum, value)| *sum += value);
        }
    }
    sums.iter().map(|sum| sum / sequences.len() as f64).collect()
}

/// The mean over dimensions of |ln(generated / natural)| of global variances: 0 where all swing as wide as they should.
///
/// # Panics
///
/// If the lists differ in length.
pub fn variance_ratio(generated: &[f64], natural: &[f64]) -> f64 {
    assert_eq!(generated.len(), natural.len(), "lists of the same dimensions");
    let sum: f64 = generated.iter().zip(natural).map(|(generated, natural)| (generated / natural).ln().abs()).sum();
    sum / natural.len() as f64
}

/// The root mean square difference of two modulation spectra, in decibels.
///
/// # Panics
///
/// If they differ in length.
pub fn modulation_distance(generated: &[f64], natural: &[f64]) -> f64 {
    assert_eq!(generated.len(), natural.len(), "spectra of the same curves");
    let sum: f64 = generated.iter().zip(natural).map(|(a, b)| (a - b) * (a - b)).sum();
    (sum / natural.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two dimensions: waves of `rates[d]` turns in 32 frames and amplitudes `heights[d]`, around 3.
    fn waves(heights: [f64; 2], rates: [usize; 2]) -> Vec<f32> {
        let value = |at: usize, d: usize| 3.0 + heights[d] * (TAU * (rates[d] * at) as f64 / 32.0 + 0.3).sin();
        (0..32).flat_map(|at| [value(at, 0), value(at, 1)].map(|value| value as f32)).collect()
    }

    #[test]
    fn a_wave_has_half_its_square_as_variance_all_at_its_rate() {
        let sequences = [waves([2.0, 1.0], [4, 9]), waves([4.0, 1.0], [4, 9])];
        let variance = global_variance(&sequences, 2);
        assert!((variance[0] - 5.0).abs() < 1e-4 && (variance[1] - 0.5).abs() < 1e-5, "{variance:?}");
        let spectrum = modulation_spectrum(&sequences[..1], 2);
        assert_eq!(spectrum.len(), 2 * 16);
        // A wave of height h has the power h² T / 4 at its rate.
        for (row, (height, rate)) in spectrum.chunks(16).zip([(2.0f64, 4), (1.0, 9)]) {
            let expected = 10.0 * (height * height * 8.0).log10();
            for (at, &level) in row.iter().enumerate() {
                if at + 1 == rate {
                    assert!((level - expected).abs() < 1e-3, "{level} {expected}");
                } else {
                    assert!(level < -60.0, "rate {}: {level}", at + 1);
                }
            }
        }
    }

    #[test]
    fn half_as_wide_is_known_in_both_measures() {
        let [natural, flat] = [[2.0, 1.0], [1.0, 0.5]].map(|heights| [waves(heights, [4, 9])]);
        let [wide, narrow] = [&natural, &flat].map(|set| global_variance(set, 2));
        assert!((variance_ratio(&narrow, &wide) - 4f64.ln()).abs() < 1e-4);
        assert_eq!(variance_ratio(&wide, &wide), 0.0);
        assert!((modulation_distance(&[0.0, 6.0], &[0.0, 0.0]) - 18f64.sqrt()).abs() < 1e-12);
    }
}
