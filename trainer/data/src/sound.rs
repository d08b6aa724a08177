//! A sound as an image: a row of one grey pixel for each sample, its level the sample companded by the μ-law.
//!
//! ```text
//! y = sgn(x) · ln(1 + μ|x|) / ln(1 + μ),  μ = 255        level = (y + 1) · 127.5
//! ```
//!
//! Quiet samples so have finer steps than loud ones, and 256 levels do where evenly spaced ones would hiss (ITU-T
//! G.711; van den Oord et al., "WaveNet: A Generative Model for Raw Audio", 2016, §2.2). Silence lies between two
//! levels, 80 dB under a full one.

/// The μ of the law.
const MU: f32 = 255.0;

/// The level of a sample; what lies beyond ±1 is clipped.
pub fn compress(sample: f32) -> u8 {
    let companded = (MU * sample.abs().min(1.0)).ln_1p() / MU.ln_1p();
    ((companded.copysign(sample) + 1.0) * 127.5).round() as u8
}

/// The sample of a level, in [−1, 1].
pub fn expand(level: u8) -> f32 {
    let companded = f32::from(level) / 127.5 - 1.0;
    (((companded.abs() * MU.ln_1p()).exp_m1()) / MU).copysign(companded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_come_back_and_quiet_samples_have_finer_steps() {
        for level in 0..=255 {
            assert_eq!(compress(expand(level)), level);
        }
        assert_eq!([expand(0), expand(255)], [-1.0, 1.0]);
        assert_eq!([compress(-7.0), compress(7.0), compress(0.0)], [0, 255, 128]);
        let step = |level: u8| expand(level + 1) - expand(level);
        assert!(step(254) > 0.04 && step(128) < 2e-4, "{} {}", step(254), step(128));
        assert!(expand(128).abs() < 1e-4, "silence is {}", expand(128));
        // G.711 halves the step at each of its eight chords; so do the chords' ends here, nearly.
        assert!((0.49..0.53).contains(&(step(127 + 64) / step(127 + 80))), "{}", step(191) / step(207));
    }
}
