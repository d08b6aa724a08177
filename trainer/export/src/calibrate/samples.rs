//! Some of the values that a stage makes, by which its range is chosen.

use std::borrow::Cow;

/// Values kept of each stage at most.
const SAMPLES: usize = 60_000;
/// Channels of which one example must show some, where a stage has as many: the ranges of eight tell that of all.
const CHANNELS: usize = 8;
/// The largest step at which the same places are taken of each example; a larger one leaves most of a map unseen, its
/// border first.
const STEP: usize = 100;

/// Which example it is, and how many there are.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    pub number: usize,
    pub of: usize,
    /// Whether maps bear the pattern of a constant: then the same places of all examples say nothing of the others.
    pub patterned: bool,
}

impl Turn {
    /// The step at which about as many of `len` values are taken as each example may keep.
    fn step(self, len: usize) -> usize {
        // An odd step does not fall in step with the even numbers of channels.
        (len / (SAMPLES / self.of.max(1) + 1)) | 1
    }

    /// Where it begins, so that all examples together begin everywhere in `step` values.
    fn start(self, step: usize) -> usize {
        self.number * step / self.of.max(1)
    }
}

/// Some of the values that a stage makes before its function.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples {
    pub values: Vec<f32>,
    /// The channel of each, where they have factors.
    pub channels: Vec<u16>,
}

impl Samples {
    /// Takes every n-th value of an example.
    pub fn extend(&mut self, values: &[f32], channels: usize, turn: Turn) {
        let (start, step) = places(values.len(), channels, turn);
        self.values.extend(values.iter().skip(start).step_by(step));
    }

    /// Takes all channels of every n-th pixel of an example.
    pub fn extend_by_pixels(&mut self, values: &[f32], channels: usize, turn: Turn) {
        let step = turn.step(values.len());
        // A map may have fewer pixels than the step.
        let start = turn.start(step.min((values.len() / channels.max(1)).max(1)));
        for pixel in values.chunks_exact(channels).skip(start).step_by(step) {
            self.values.extend(pixel);
            self.channels.extend(0..channels as u16);
        }
    }

    /// Puts those of another example behind these.
    pub fn append(&mut self, mut other: Self) {
        self.values.append(&mut other.values);
        self.channels.append(&mut other.channels);
    }

    /// The values, each divided by the factor of its channel.
    pub fn divided(&self, factors: &[f32]) -> Cow<'_, [f32]> {
        if factors.is_empty() {
            return Cow::Borrowed(&self.values);
        }
        let channels = self.values.iter().zip(&self.channels);
        channels.map(|(value, &channel)| value / factors[usize::from(channel)]).collect()
    }
}

/// Which of `len` values of `channels` channels are taken of an example: the first one, and the step.
///
/// A step that shares a factor with the channels meets only some of them, and so do few values of a long vector. Where
/// one example shows too little, each begins elsewhere. Where it shows enough, all begin at the first value: models that
/// were exported before stay as they are, byte for byte.
fn places(len: usize, channels: usize, turn: Turn) -> (usize, usize) {
    let step = turn.step(len);
    let (met, taken) = (channels / common(step, channels).max(1), len.div_ceil(step));
    let enough = !turn.patterned && met >= channels.min(CHANNELS) && taken >= channels && step <= STEP;
    (if enough { 0 } else { turn.start(step) }, step)
}

/// The greatest common divisor.
fn common(mut a: usize, mut b: usize) -> usize {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All places that are taken of `len` values in 256 examples.
    fn taken(len: usize, channels: usize, patterned: bool) -> Vec<bool> {
        let mut taken = vec![false; len];
        for number in 0..256 {
            let (start, step) = places(len, channels, Turn { number, of: 256, patterned });
            taken.iter_mut().skip(start).step_by(step).for_each(|place| *place = true);
        }
        taken
    }

    #[test]
    fn examples_together_show_every_place_where_one_shows_too_little() {
        // A step that meets one of three channels, a long vector, and a large map.
        for (len, channels) in [(5 * 143 * 3, 3), (3000, 3000), (64 * 64 * 8, 8)] {
            assert!(taken(len, channels, false).iter().all(|&place| place), "{len}");
        }
        // Of a map so large that there are fewer examples than steps, some of each channel and quarter.
        let (side, channels) = (128, 64);
        let taken = taken(side * side * channels, channels, false);
        for quarter in taken.chunks(taken.len() / 4) {
            assert!((0..channels).all(|channel| quarter.iter().skip(channel).step_by(channels).any(|&place| place)));
        }
    }

    #[test]
    fn examples_together_show_every_place_of_a_constant_pattern() {
        let (len, channels) = (4 * 4 * 64, 64);
        assert!(taken(len, channels, true).iter().all(|&place| place));
        assert!(!taken(len, channels, false).iter().all(|&place| place));
    }

    #[test]
    fn a_map_that_one_example_shows_is_taken_at_the_same_places() {
        // Stages of shipped models, with the step of each.
        for (len, channels, step) in [(4704, 24, 21), (16_384, 16, 69), (784, 1, 3)] {
            for number in [0, 255] {
                assert_eq!(places(len, channels, Turn { number, of: 256, patterned: false }), (0, step));
            }
        }
    }
}
