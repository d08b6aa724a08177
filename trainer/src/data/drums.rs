//! Drum hits that the program synthesizes: kick, snare, hat and clap.
//!
//! Each hit is a recipe of sines, noise and decays, as drum machines of the eighties have them, with parameters drawn
//! anew, evenly from these ranges. A decay of τ is the factor e^(−t/τ).
//!
//! | class | what | parameters |
//! | --- | --- | --- |
//! | kick | a sine that falls from f₀ to f₁ with e^(−t/τf); a click of noise, decay 2 ms; tanh of `drive` times the sum | f₁ 45 … 65 Hz, f₀ 150 … 350 Hz, τf 8 … 25 ms, decay 45 … 90 ms, click 0.1 … 0.4, drive 1 … 3 |
//! | snare | a sine of f and one of r·f, half as loud; noise above a corner | f 160 … 240 Hz, r 1.5 … 1.8, their decay 20 … 50 ms; corner 700 … 1400 Hz, decay 35 … 80 ms, share of noise 0.4 … 0.75 |
//! | hat | noise above a corner, filtered twice | corner 2200 … 3000 Hz, decay 8 … 25 ms, of one in three, which is open, 40 … 70 ms |
//! | clap | noise of a band, in bursts after each other, the last one longer | middle 900 … 1500 Hz, Q 1 … 2, 3 or 4 bursts every 8 … 12 ms, decay 3 … 5 ms, of the last 30 … 60 ms |
//!
//! Its highest sample then has a loudness of 0.5 to 0.95, and the last eighth of the time fades out. Noise is uniform.
//! The filters are of second order, from Robert Bristow-Johnson's "Cookbook formulae for audio equalizer biquad filter
//! coefficients", the high-pass with Q = 1/√2.

use std::f32::consts::{FRAC_1_SQRT_2, PI, TAU};

use anyhow::{Result, ensure};
use edgegen_data::select;
use edgegen_data::sound::compress;

use super::catalogue::DatasetInfo;
use super::{Dataset, Split};
use crate::recipe::DataConfig;
use crate::rng::Rng;

/// The name to give as `data.name`.
pub(super) const NAME: &str = "drums";
/// The classes, by their numbers.
const CLASSES: [&str; 4] = ["kick", "snare", "hat", "clap"];
/// Samples a second, as [`info`] tells.
pub(super) const RATE: u32 = 8_000;
/// Samples of a hit, as [`info`] tells: 0.256 s.
const SAMPLES: usize = 2_048;

fn count(split: Split) -> usize {
    match split {
        Split::Train => 8_000,
        Split::Test => 2_000,
    }
}

fn seed(split: Split) -> u64 {
    match split {
        Split::Train => 7,
        Split::Test => 8,
    }
}

pub(super) fn info() -> DatasetInfo {
    DatasetInfo {
        name: NAME,
        what: "drum hits synthesized by edgegen itself",
        licence: "MIT OR Apache-2.0",
        count: [count(Split::Train), count(Split::Test)],
        shape: [SAMPLES, 1, 1],
        rate: Some(RATE),
        classes: CLASSES.len(),
        bytes: 0,
        sources: Vec::new(),
        folder: None,
        present: true,
    }
}

/// Synthesizes one part at the rate and length of `config`, no more than its limit.
pub(super) fn load(split: Split, config: &DataConfig) -> Result<Dataset> {
    let DataConfig { size, channels, rate, .. } = *config;
    let Some(rate) = rate.filter(|_| size.w == 1 && channels == 1) else {
        anyhow::bail!(
            "expected drums as sounds, found images of {size}×{channels}: write size = [{SAMPLES}, 1] and rate = {RATE} in [data]"
        )
    };
    ensure!(rate >= 4_000, "expected a rate of at least 4000 Hz for drums, found {rate}: raise [data] rate");
    let labels: Vec<u8> = (0..count(split)).map(|index| (index % CLASSES.len()) as u8).collect();
    let kept = select(labels.len(), config.limit, Some(&labels));
    let hit = |&index: &usize| {
        let mut rng = Rng::new(seed(split), index as u64);
        hit(usize::from(labels[index]), size.h, rate as f32, &mut rng).into_iter().map(compress)
    };
    Ok(Dataset {
        name: NAME.to_owned(),
        images: kept.iter().flat_map(hit).collect(),
        labels: Some(kept.iter().map(|&index| labels[index]).collect()),
        class_names: CLASSES.map(str::to_owned).to_vec(),
        shape: [size.h, 1, 1],
    })
}

/// `samples` samples of a hit of `class`.
fn hit(class: usize, samples: usize, rate: f32, rng: &mut Rng) -> Vec<f32> {
    let mut hit = match class {
        0 => kick(samples, rate, rng),
        1 => snare(samples, rate, rng),
        2 => hat(samples, rate, rng),
        _ => clap(samples, rate, rng),
    };
    let peak = hit.iter().fold(f32::MIN_POSITIVE, |peak, sample| peak.max(sample.abs()));
    let loudness = between(rng, 0.5, 0.95);
    for (at, sample) in hit.iter_mut().enumerate() {
        // From 0 where it fades in eighths of the whole to 1 at its end.
        let late = (8.0 * at as f32 / samples as f32 - 7.0).max(0.0);
        *sample *= loudness / peak * 0.5 * (1.0 + (PI * late).cos());
    }
    hit
}

fn kick(samples: usize, rate: f32, rng: &mut Rng) -> Vec<f32> {
    let [last, first] = [between(rng, 45.0, 65.0), between(rng, 150.0, 350.0)];
    let [fall, decay] = [between(rng, 8.0, 25.0), between(rng, 45.0, 90.0)];
    let [click, drive] = [between(rng, 0.1, 0.4), between(rng, 1.0, 3.0)];
    let mut phase = 0.0;
    let sample = |at: usize| {
        let ms = milliseconds(at, rate);
        phase += (last + (first - last) * (-ms / fall).exp()) / rate;
        let sine = (TAU * phase).sin() * (-ms / decay).exp();
        (drive * (sine + click * noise(rng) * (-ms / 2.0).exp())).tanh()
    };
    (0..samples).map(sample).collect()
}

fn snare(samples: usize, rate: f32, rng: &mut Rng) -> Vec<f32> {
    let [pitch, ratio, ringing] = [between(rng, 160.0, 240.0), between(rng, 1.5, 1.8), between(rng, 20.0, 50.0)];
    let mut filter = Filter::high_pass(between(rng, 700.0, 1_400.0) / rate);
    let [decay, share] = [between(rng, 35.0, 80.0), between(rng, 0.4, 0.75)];
    let sample = |at: usize| {
        let ms = milliseconds(at, rate);
        let turn = TAU * pitch * ms / 1_000.0;
        let tone = (turn.sin() + 0.5 * (ratio * turn).sin()) / 1.5 * (-ms / ringing).exp();
        (1.0 - share) * tone + share * filter.next(noise(rng)) * (-ms / decay).exp()
    };
    (0..samples).map(sample).collect()
}

fn hat(samples: usize, rate: f32, rng: &mut Rng) -> Vec<f32> {
    let corner = between(rng, 2_200.0, 3_000.0).min(0.4 * rate);
    let decay = if rng.below(3) == 0 { between(rng, 40.0, 70.0) } else { between(rng, 8.0, 25.0) };
    let mut filters = [(); 2].map(|()| Filter::high_pass(corner / rate));
    let sample = |at: usize| {
        let bright = filters.iter_mut().fold(noise(rng), |sample, filter| filter.next(sample));
        bright * (-milliseconds(at, rate) / decay).exp()
    };
    (0..samples).map(sample).collect()
}

fn clap(samples: usize, rate: f32, rng: &mut Rng) -> Vec<f32> {
    let mut filter = Filter::band_pass(between(rng, 900.0, 1_500.0) / rate, between(rng, 1.0, 2.0));
    let [gap, short, long] = [between(rng, 8.0, 12.0), between(rng, 3.0, 5.0), between(rng, 30.0, 60.0)];
    let last = 2 + rng.below(2);
    let sample = |at: usize| {
        let ms = milliseconds(at, rate);
        let burst = ((ms / gap) as usize).min(last);
        let decay = if burst == last { long } else { short };
        filter.next(noise(rng)) * (-(ms - burst as f32 * gap) / decay).exp()
    };
    (0..samples).map(sample).collect()
}

fn milliseconds(samples: usize, rate: f32) -> f32 {
    1_000.0 * samples as f32 / rate
}

fn noise(rng: &mut Rng) -> f32 {
    between(rng, -1.0, 1.0)
}

fn between(rng: &mut Rng, low: f32, high: f32) -> f32 {
    low + (high - low) * rng.unit()
}

/// A filter of second order, in the transposed direct form II.
struct Filter {
    /// Of the input, now and one and two samples ago.
    ahead: [f32; 3],
    /// Of the output, one and two samples ago.
    back: [f32; 2],
    state: [f32; 2],
}

impl Filter {
    /// `corner` is a part of the rate.
    fn high_pass(corner: f32) -> Self {
        let cos = (TAU * corner).cos();
        Self::new(corner, FRAC_1_SQRT_2, [0.5 * (1.0 + cos), -(1.0 + cos), 0.5 * (1.0 + cos)])
    }

    /// The middle of the band passes as it is.
    fn band_pass(middle: f32, q: f32) -> Self {
        let alpha = (TAU * middle).sin() / (2.0 * q);
        Self::new(middle, q, [alpha, 0.0, -alpha])
    }

    fn new(frequency: f32, q: f32, ahead: [f32; 3]) -> Self {
        let (sin, cos) = (TAU * frequency).sin_cos();
        let alpha = sin / (2.0 * q);
        let scale = 1.0 + alpha;
        Self {
            ahead: ahead.map(|factor| factor / scale),
            back: [-2.0 * cos / scale, (1.0 - alpha) / scale],
            state: [0.0; 2],
        }
    }

    fn next(&mut self, sample: f32) -> f32 {
        let Self { ahead, back, state } = self;
        let output = ahead[0] * sample + state[0];
        *state = [ahead[1] * sample - back[0] * output + state[1], ahead[2] * sample - back[1] * output];
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgegen_data::sound::expand;

    fn config() -> DataConfig {
        DataConfig { rate: Some(RATE), ..DataConfig::new(NAME, [SAMPLES, 1], 1) }
    }

    fn hits(class: usize) -> impl Iterator<Item = Vec<f32>> {
        (0..40).map(move |index| hit(class, SAMPLES, RATE as f32, &mut Rng::new(7, index)))
    }

    /// How often the signal changes its sign in a second, while it is loud.
    fn crossings(hit: &[f32]) -> f32 {
        let start = &hit[..SAMPLES / 8];
        let changes = start.windows(2).filter(|pair| pair[0] * pair[1] < 0.0).count();
        changes as f32 * RATE as f32 / start.len() as f32
    }

    #[test]
    fn hits_are_loud_then_fade_and_are_never_clipped() {
        for (class, name) in CLASSES.into_iter().enumerate() {
            for hit in hits(class) {
                let peak = hit.iter().fold(0f32, |peak, sample| peak.max(sample.abs()));
                assert!((0.5..0.951).contains(&peak), "{peak}");
                let mean = hit.iter().sum::<f32>() / SAMPLES as f32;
                assert!(mean.abs() < 0.03, "{name} has a mean of {mean}");
                let end = hit[SAMPLES - 20..].iter().fold(0f32, |peak, sample| peak.max(sample.abs()));
                assert!(end < 0.01, "{name} ends with {end}");
            }
        }
    }

    #[test]
    fn classes_sound_different() {
        let [kick, snare, hat, clap] =
            [0, 1, 2, 3].map(|class| hits(class).map(|hit| crossings(&hit)).sum::<f32>() / 40.0);
        assert!(kick < 1_000.0 && kick < snare && hat > 4_000.0, "{kick} {snare} {hat}");
        assert!((1_500.0..4_000.0).contains(&clap), "{clap}");
        // A clap's first burst is gone when the second comes.
        let energy = |hit: &[f32], ms: std::ops::Range<usize>| {
            hit[8 * ms.start..8 * ms.end].iter().map(|sample| sample * sample).sum::<f32>()
        };
        for hit in hits(3) {
            assert!(energy(&hit, 6..8) < 0.5 * energy(&hit, 0..2).max(energy(&hit, 2..4)), "no gap");
        }
    }

    #[test]
    fn filters_have_their_gains() {
        let gain = |mut filter: Filter, frequency: f32| {
            let tone = (0..4_000).map(|at| filter.next((TAU * frequency * at as f32).sin()));
            tone.skip(2_000).fold(0f32, |peak, sample| peak.max(sample.abs()))
        };
        assert!((gain(Filter::high_pass(0.1), 0.1) - FRAC_1_SQRT_2).abs() < 0.01, "3 dB less at the corner");
        assert!(gain(Filter::high_pass(0.1), 0.01) < 0.011, "40 dB less a decade below");
        assert!((gain(Filter::band_pass(0.15, 1.5), 0.15) - 1.0).abs() < 0.01);
        assert!(gain(Filter::band_pass(0.15, 1.5), 0.015) < 0.1);
    }

    #[test]
    fn parts_differ_and_limits_keep_every_class() {
        let few = DataConfig { limit: Some(8), ..config() };
        let train = load(Split::Train, &few).unwrap();
        assert_eq!((train.len(), train.shape, train.classes()), (8, [SAMPLES, 1, 1], 4));
        assert_eq!(train, load(Split::Train, &few).unwrap());
        assert_ne!(train.images, load(Split::Test, &few).unwrap().images);
        assert!(expand(*train.image(0).iter().max().unwrap()) > 0.4);
    }

    #[test]
    fn another_rate_plays_the_same_pitch() {
        // Without the click, whose noise is drawn sample by sample.
        let turns = |times: usize| {
            let hit = hit(0, times * SAMPLES, (times as u32 * RATE) as f32, &mut Rng::new(7, 0));
            hit[times * SAMPLES / 10..].windows(2).filter(|pair| pair[0] * pair[1] < 0.0).count()
        };
        assert!(turns(1) > 15 && turns(1).abs_diff(turns(2)) <= 1, "{} {}", turns(1), turns(2));
    }

    #[test]
    fn images_of_drums_are_refused() {
        for wrong in [DataConfig::new(NAME, 28, 1), DataConfig { channels: 3, ..config() }] {
            let error = load(Split::Train, &wrong).unwrap_err().to_string();
            assert!(error.contains("size = [2048, 1] and rate = 8000"), "{error}");
        }
    }
}
