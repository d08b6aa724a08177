//! A voice of cepstra: pulses and noise through the spectra that they stand for.
//!
//! ```text
//! e = pulses of F0 where a voice sounds, white noise where none does, both of power 1
//! M = magnitudes of the cepstra · |STFT e| / √Σ w²
//! S ← M · STFT e / |STFT e|        n times: S ← M · S' / |S'|, S' = STFT(samples of S)
//! ```
//!
//! The source and its filter are the classic picture of speech (Fant, 1960). Spectra that are multiplied frame by frame
//! belong to no samples; the iteration goes to samples whose spectra have magnitudes near M (Griffin and Lim, "Signal
//! Estimation from Modified Short-Time Fourier Transform", 1984, §IV). Its phases begin as those of the source, for
//! cepstra are too smooth to say where harmonics are.

use rustfft::num_complex::Complex32;

use super::cepstrum::{BINS, Frames, magnitudes};
use super::{CEPSTRA, HOP, RATE};
use crate::rng::Rng;

/// Iterations of [`speak`].
const ITERATIONS: usize = 30;

/// The source of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Source {
    /// Pulses a second.
    pub pitch: f32,
    /// Share of the power that pulses have; the rest is noise.
    pub voiced: f32,
}

/// Samples at [`RATE`] of frames of cepstra, [`HOP`] a frame. `seed` draws the noise.
///
/// # Panics
///
/// If there are not as many sources as frames, or a pitch is not above 0.
pub fn speak(cepstra: &[[f32; CEPSTRA]], sources: &[Source], seed: u64) -> Vec<f32> {
    assert_eq!(cepstra.len(), sources.len(), "one source for each frame");
    let frames = Frames::new();
    let scale = frames.energy().sqrt();
    let mut spectra = frames.spectra(&excitation(sources, seed));
    let targets: Vec<[f32; BINS]> = cepstra
        .iter()
        .zip(&spectra)
        .map(|(row, source)| {
            let envelope = magnitudes(row);
            std::array::from_fn(|bin| envelope[bin] * source[bin].norm() / scale)
        })
        .collect();
    for iteration in 0..=ITERATIONS {
        for (spectrum, target) in spectra.iter_mut().zip(&targets) {
            for (value, target) in spectrum.iter_mut().zip(target) {
                *value = match value.norm() {
                    0.0 => Complex32::new(*target, 0.0),
                    norm => *value * (target * scale / norm) / scale,
                };
            }
        }
        if iteration < ITERATIONS {
            spectra = frames.spectra(&frames.samples(&spectra));
        }
    }
    frames.samples(&spectra)
}

/// Pulses and noise of power 1.
fn excitation(sources: &[Source], seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed, 0);
    let mut phase = 0.0;
    let mut samples = Vec::with_capacity(sources.len() * HOP);
    for at in 0..sources.len() * HOP {
        // The source of the nearest frame.
        let Source { pitch, voiced } = sources[((at + HOP / 2) / HOP).min(sources.len() - 1)];
        assert!(pitch > 0.0, "expected a pitch above 0, found {pitch}");
        phase += pitch / RATE as f32;
        let pulse = if phase >= 1.0 {
            phase -= 1.0;
            (RATE as f32 / pitch).sqrt()
        } else {
            0.0
        };
        samples.push(voiced.sqrt() * pulse + (1.0 - voiced).sqrt() * rng.normal());
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::cepstrum::{cepstra, distance};

    #[test]
    fn the_source_has_power_one_and_the_pitch() {
        for voiced in [0.0, 0.5, 1.0] {
            let samples = excitation(&[Source { pitch: 100.0, voiced }; 200], 1);
            let power = samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32;
            assert!((power - 1.0).abs() < 0.05, "{voiced}: {power}");
        }
        let pulses = excitation(&[Source { pitch: 100.0, voiced: 1.0 }; 200], 1);
        assert_eq!(pulses.iter().filter(|&&sample| sample > 0.0).count(), 100);
    }

    #[test]
    fn what_is_spoken_has_the_cepstra_again() {
        // A tilted spectrum with a bump, that moves.
        let row = |at: usize| {
            let mut row = [0.0; CEPSTRA];
            (row[0], row[1], row[2]) = (-25.0, 15.0, 6.0 * (at as f32 / 20.0).sin());
            row
        };
        let rows: Vec<_> = (0..120).map(row).collect();
        let source = |at: usize| Source { pitch: 120.0, voiced: if at < 60 { 1.0 } else { 0.0 } };
        let samples = speak(&rows, &(0..120).map(source).collect::<Vec<_>>(), 1);
        assert_eq!(samples.len(), 120 * HOP);
        let again = cepstra(&samples);
        let off = |range: std::ops::Range<usize>| {
            let count = range.len() as f32;
            range.map(|at| distance(&rows[at], &again[at])).sum::<f32>() / count
        };
        assert!(off(10..50) < 5.0 && off(70..110) < 5.0, "{} {}", off(10..50), off(70..110));
        let silent = distance(&rows[30], &[0.0; CEPSTRA]);
        assert!(silent > 10.0, "what the measure says of no likeness: {silent}");
    }
}
