//! Mel cepstra: the shape of a spectrum in a few numbers that hardly depend on each other.
//!
//! ```text
//! X = DFT of 400 samples (Hann)        p_k = |X_k|² / Σ w²
//! m_b = ln max(Σ_k t_b(k) p_k, ε)      40 triangles t_b, evenly spaced on the mel scale, each with the sum 1
//! c_i = s_i Σ_b m_b cos(π i (b + ½) / 40)        s_0 = √(1/40), else √(2/40): orthonormal
//! ```
//!
//! Davis and Mermelstein, "Comparison of Parametric Representations for Monosyllabic Word Recognition" (1980), there
//! with logarithms of magnitudes. ε is −70 dB of white noise of full loudness. Backwards, what the first coefficients
//! say of m_b is joined by straight lines on the mel scale.

use std::f32::consts::{PI, TAU};
use std::sync::Arc;

use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

use super::{CEPSTRA, HOP, RATE};

/// Samples that a frame sees: 25 ms.
pub const WINDOW: usize = 400;
/// Samples of a transform; the window lies at its start.
pub const TRANSFORM: usize = 512;
/// Frequencies from 0 to half the rate.
pub const BINS: usize = TRANSFORM / 2 + 1;
/// Triangles on the mel scale.
const BANDS: usize = 40;
/// What counts as silence: −70 dB.
const FLOOR: f32 = 1e-7;

/// What the transforms of frames share.
pub struct Frames {
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
    window: Vec<f32>,
}

impl Frames {
    /// Plans the transforms.
    pub fn new() -> Self {
        let mut planner = FftPlanner::new();
        Self {
            forward: planner.plan_fft_forward(TRANSFORM),
            inverse: planner.plan_fft_inverse(TRANSFORM),
            window: (0..WINDOW).map(|at| 0.5 - 0.5 * (TAU * (at as f32 + 0.5) / WINDOW as f32).cos()).collect(),
        }
    }

    /// Σ w².
    pub fn energy(&self) -> f32 {
        self.window.iter().map(|weight| weight * weight).sum()
    }

    /// The spectrum of each frame; that of frame t is around sample t · [`HOP`], and beyond both ends there is silence.
    pub fn spectra(&self, samples: &[f32]) -> Vec<[Complex32; BINS]> {
        let count = samples.len().div_ceil(HOP);
        let spectrum = |frame: usize| {
            let first = (frame * HOP) as isize - (WINDOW / 2) as isize;
            let sample = |at: usize| samples.get((first + at as isize) as usize).copied().unwrap_or(0.0);
            let mut values = [Complex32::ZERO; TRANSFORM];
            for (at, value) in values[..WINDOW].iter_mut().enumerate() {
                *value = Complex32::new(sample(at) * self.window[at], 0.0);
            }
            self.forward.process(&mut values);
            std::array::from_fn(|bin| values[bin])
        };
        (0..count).map(spectrum).collect()
    }

    /// The samples whose spectra come nearest to these (Griffin and Lim, 1984, eq. 6), `spectra.len()` · [`HOP`] of
    /// them.
    pub fn samples(&self, spectra: &[[Complex32; BINS]]) -> Vec<f32> {
        let count = spectra.len() * HOP;
        let [mut sum, mut weights] = [vec![0.0f32; count], vec![0.0f32; count]];
        for (frame, spectrum) in spectra.iter().enumerate() {
            let whole = |bin: usize| if bin < BINS { spectrum[bin] } else { spectrum[TRANSFORM - bin].conj() };
            let mut values: [Complex32; TRANSFORM] = std::array::from_fn(whole);
            self.inverse.process(&mut values);
            let first = (frame * HOP) as isize - (WINDOW / 2) as isize;
            for (at, weight) in self.window.iter().enumerate() {
                let place = (first + at as isize) as usize;
                if place < count {
                    sum[place] += weight * values[at].re / TRANSFORM as f32;
                    weights[place] += weight * weight;
                }
            }
        }
        sum.iter().zip(weights).map(|(sum, weight)| sum / weight.max(f32::MIN_POSITIVE)).collect()
    }
}

impl Default for Frames {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frames").finish_non_exhaustive()
    }
}

fn mel(hertz: f32) -> f32 {
    2595.0 * (1.0 + hertz / 700.0).log10()
}

/// The place of a bin among the bands: band b has its middle at b, and reaches from b − 1 to b + 1.
fn place(bin: usize) -> f32 {
    let hertz = bin as f32 * RATE as f32 / TRANSFORM as f32;
    mel(hertz) / mel(RATE as f32 / 2.0) * (BANDS + 1) as f32 - 1.0
}

/// s_i cos(π i (b + ½) / 40).
fn cosine(coefficient: usize, band: usize) -> f32 {
    let scale = if coefficient == 0 { 1.0 } else { 2.0f32 };
    (scale / BANDS as f32).sqrt() * (PI * coefficient as f32 * (band as f32 + 0.5) / BANDS as f32).cos()
}

/// The cepstra of samples in [−1, 1] at [`RATE`], one row each [`HOP`] samples.
pub fn cepstra(samples: &[f32]) -> Vec<[f32; CEPSTRA]> {
    let frames = Frames::new();
    let energy = frames.energy();
    let mut triangles = vec![[0.0f32; BINS]; BANDS];
    for (band, triangle) in triangles.iter_mut().enumerate() {
        for (bin, weight) in triangle.iter_mut().enumerate() {
            *weight = (1.0 - (place(bin) - band as f32).abs()).max(0.0);
        }
        // The lowest bands are narrower than two bins: one without any takes the nearest.
        if triangle.iter().all(|&weight| weight == 0.0) {
            let off = |bin: &usize| (place(*bin) - band as f32).abs();
            let nearest = (0..BINS).min_by(|a, b| off(a).total_cmp(&off(b))).expect("there are bins");
            triangle[nearest] = 1.0;
        }
        let sum: f32 = triangle.iter().sum();
        triangle.iter_mut().for_each(|weight| *weight /= sum);
    }
    let cosines: Vec<[f32; BANDS]> =
        (0..CEPSTRA).map(|coefficient| std::array::from_fn(|band| cosine(coefficient, band))).collect();
    let row = |spectrum: [Complex32; BINS]| {
        let powers = spectrum.map(|value| value.norm_sqr() / energy);
        let level = |triangle: &[f32; BINS]| {
            triangle.iter().zip(&powers).map(|(weight, power)| weight * power).sum::<f32>().max(FLOOR).ln()
        };
        let levels: Vec<f32> = triangles.iter().map(level).collect();
        std::array::from_fn(|at| cosines[at].iter().zip(&levels).map(|(cosine, level)| cosine * level).sum())
    };
    frames.spectra(samples).into_iter().map(row).collect()
}

/// The magnitudes that a frame's cepstra stand for: √p_k of each bin.
pub fn magnitudes(cepstra: &[f32; CEPSTRA]) -> [f32; BINS] {
    let level = |band: usize| -> f32 { (0..CEPSTRA).map(|at| cepstra[at] * cosine(at, band)).sum() };
    let levels: Vec<f32> = (0..BANDS).map(level).collect();
    std::array::from_fn(|bin| {
        let place = place(bin).clamp(0.0, (BANDS - 1) as f32);
        let below = (place as usize).min(BANDS - 2);
        let share = place - below as f32;
        (0.5 * ((1.0 - share) * levels[below] + share * levels[below + 1])).exp()
    })
}

/// Mel-cepstral distance of two frames in decibels, (10 / ln 10) √(Σ d² / 40): the root mean square of how far their
/// levels in bands are apart. The first coefficient, loudness, is left out, as usual (Kubichek, "Mel-cepstral distance
/// measure for objective speech quality assessment", 1993, there for coefficients of another scale).
pub fn distance(a: &[f32; CEPSTRA], b: &[f32; CEPSTRA]) -> f32 {
    let sum: f32 = a.iter().zip(b).skip(1).map(|(a, b)| (a - b) * (a - b)).sum();
    // Orthonormal rows: the sum over bands of squared levels is that over coefficients.
    10.0 / std::f32::consts::LN_10 * (sum / BANDS as f32).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn white_noise_is_flat_and_its_loudness_is_the_first_coefficient() {
        let mut rng = Rng::new(1, 0);
        let samples: Vec<f32> = (0..RATE).map(|_| 0.1 * rng.normal()).collect();
        let rows = cepstra(&samples);
        assert_eq!(rows.len(), RATE as usize / HOP);
        let inner = &rows[5..rows.len() - 5];
        let mean: Vec<f32> =
            (0..CEPSTRA).map(|at| inner.iter().map(|row| row[at]).sum::<f32>() / inner.len() as f32).collect();
        // −20 dB in all bands; the logarithm of a mean of few bins lies a little lower.
        let expected = (BANDS as f32).sqrt() * 0.01f32.ln();
        assert!((mean[0] / expected - 1.0).abs() < 0.06, "{} {expected}", mean[0]);
        let power: f32 = magnitudes(&mean.try_into().unwrap()).iter().map(|m| m * m).sum::<f32>() / BINS as f32;
        assert!((power / 0.01 - 1.0).abs() < 0.25, "{power}");
    }

    #[test]
    fn a_tone_stands_where_it_is() {
        let tone: Vec<f32> = (0..4_000).map(|at| 0.5 * (TAU * 1_000.0 * at as f32 / RATE as f32).sin()).collect();
        let found = magnitudes(&cepstra(&tone)[25]);
        let loudest = (0..BINS).max_by(|&a, &b| found[a].total_cmp(&found[b])).unwrap();
        assert!(loudest.abs_diff(32) <= 2, "{loudest}");
        assert!(found[32] > 20.0 * found[100] && found[32] > 20.0 * found[5]);
    }

    #[test]
    fn spectra_give_the_samples_back() {
        let mut rng = Rng::new(2, 0);
        let samples: Vec<f32> = (0..30 * HOP).map(|_| rng.normal()).collect();
        let frames = Frames::new();
        let back = frames.samples(&frames.spectra(&samples));
        assert_eq!(back.len(), samples.len());
        assert!(samples.iter().zip(back).all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn distance_is_that_of_levels() {
        // A tilt of the spectrum: c_1 alone, whose levels have a mean square of c₁² / 40.
        let [mut a, b] = [[0.0; CEPSTRA]; 2];
        a[0] = 7.0;
        assert_eq!(distance(&a, &b), 0.0, "loudness is left out");
        a[1] = 3.0;
        let levels = (0..BANDS).map(|band| 3.0 * cosine(1, band) * 10.0 / std::f32::consts::LN_10);
        let expected = (levels.map(|level| level * level).sum::<f32>() / BANDS as f32).sqrt();
        assert!((distance(&a, &b) - expected).abs() < 1e-4);
    }
}
