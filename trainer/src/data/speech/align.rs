//! Where each phone begins: sentences and their frames laid side by side, from nothing but the order of the phones.
//!
//! Each phone is three parts after each other, each of at least a frame and with a Gaussian of its own over cepstra and
//! their changes, the same wherever the phone stands. All begin alike in even parts of their sentences; then they are
//! learned from where they lie, and laid where they are likeliest, in turn:
//!
//! ```text
//! best(t, s) = log N(x_t; μ_s, σ_s²) + max(best(t − 1, s), best(t − 1, s − 1))        Viterbi (1967)
//! ```
//!
//! That is the flat start of segmental k-means (Juang and Rabiner, "The segmental K-means algorithm for estimating
//! parameters of hidden Markov models", 1990). One voice that always says a phone in the same way makes it easy.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Result, ensure};
use rayon::prelude::*;

use super::phones::Phone;
use crate::speech::CEPSTRA;
use crate::speech::trajectory::changes;

/// Parts of a phone.
const PARTS: usize = 3;
/// Cepstra that are looked at, the first ones.
const SEEN: usize = 13;
/// Numbers of a frame: cepstra and Δ.
const SIZE: usize = 2 * SEEN;
/// Times that all is learned and laid anew.
const ROUNDS: usize = 12;
/// Least variance, as a part of that of all frames.
const LEAST: f64 = 0.01;

type Frame = [f32; SIZE];

/// The frames of each phone of each sentence.
///
/// # Errors
///
/// If a sentence has fewer frames than three for each phone.
pub(super) fn align(sentences: &[(Vec<Phone>, Vec<[f32; CEPSTRA]>)]) -> Result<Vec<Vec<Range<usize>>>> {
    for (phones, rows) in sentences {
        ensure!(
            rows.len() >= PARTS * phones.len(),
            "expected at least {PARTS} frames for each phone, found {} for {}: speak slower",
            rows.len(),
            phones.len()
        );
    }
    let mut numbers = BTreeMap::new();
    for phone in sentences.iter().flat_map(|(phones, _)| phones) {
        let next = numbers.len();
        numbers.entry(&*phone.name).or_insert(next);
    }
    // Of each place in a sentence the Gaussian, of each frame the numbers.
    let parts: Vec<Vec<usize>> = sentences
        .iter()
        .map(|(phones, _)| {
            phones.iter().flat_map(|phone| (0..PARTS).map(|part| PARTS * numbers[&*phone.name] + part)).collect()
        })
        .collect();
    let frames: Vec<Vec<Frame>> = sentences.iter().map(|(_, rows)| seen(rows)).collect();
    let mut places: Vec<Vec<usize>> =
        parts.iter().zip(&frames).map(|(parts, frames)| even(parts.len(), frames.len())).collect();
    for _ in 0..ROUNDS {
        let gaussians = learn(&frames, &parts, &places, PARTS * numbers.len());
        places = frames.par_iter().zip(&parts).map(|(frames, parts)| lay(frames, parts, &gaussians)).collect();
    }
    let ranges = |(places, (phones, _)): (&Vec<usize>, &(Vec<Phone>, _))| {
        let start = |phone: usize| places.partition_point(|&place| place < PARTS * phone);
        (0..phones.len()).map(|phone| start(phone)..start(phone + 1)).collect()
    };
    Ok(places.iter().zip(sentences).map(ranges).collect())
}

/// What is looked at of each frame.
fn seen(rows: &[[f32; CEPSTRA]]) -> Vec<Frame> {
    let mut frames = vec![[0.0; SIZE]; rows.len()];
    for at in 0..SEEN {
        let curve: Vec<f32> = rows.iter().map(|row| row[at]).collect();
        let [first, _] = changes(&curve);
        for (frame, (value, change)) in frames.iter_mut().zip(curve.iter().zip(first)) {
            (frame[at], frame[SEEN + at]) = (*value, change);
        }
    }
    frames
}

/// The place of each frame where all places are equally long.
fn even(places: usize, frames: usize) -> Vec<usize> {
    (0..frames).map(|frame| frame * places / frames).collect()
}

/// A Gaussian without covariances.
#[derive(Clone, Debug)]
struct Gaussian {
    mean: [f32; SIZE],
    /// 1 / σ².
    precision: [f32; SIZE],
    /// Σ log σ.
    scale: f32,
}

impl Gaussian {
    /// Log-density, less a constant.
    fn of(&self, frame: &Frame) -> f32 {
        let values = frame.iter().zip(&self.mean).zip(&self.precision);
        let sum: f32 = values.map(|((value, mean), precision)| (value - mean) * (value - mean) * precision).sum();
        -0.5 * sum - self.scale
    }
}

/// Gaussians of what lies where.
fn learn(frames: &[Vec<Frame>], parts: &[Vec<usize>], places: &[Vec<usize>], count: usize) -> Vec<Gaussian> {
    // Last the one of all frames.
    let mut sums = vec![([0.0f64; SIZE], [0.0f64; SIZE], 0.0f64); count + 1];
    for ((frames, parts), places) in frames.iter().zip(parts).zip(places) {
        for (frame, &place) in frames.iter().zip(places) {
            for own in [parts[place], count] {
                let (first, second, many) = &mut sums[own];
                *many += 1.0;
                for at in 0..SIZE {
                    let value = f64::from(frame[at]);
                    first[at] += value;
                    second[at] += value * value;
                }
            }
        }
    }
    let moments = |(first, second, many): &([f64; SIZE], [f64; SIZE], f64)| -> [[f64; SIZE]; 2] {
        let many = many.max(1.0);
        let mean = first.map(|sum| sum / many);
        [mean, std::array::from_fn(|at| (second[at] / many - mean[at] * mean[at]).max(0.0))]
    };
    let [_, whole] = moments(&sums[count]);
    let gaussian = |sum: &([f64; SIZE], [f64; SIZE], f64)| {
        let [mean, variance] = moments(sum);
        let variance: [f64; SIZE] = std::array::from_fn(|at| variance[at].max(LEAST * whole[at]).max(1e-9));
        Gaussian {
            mean: mean.map(|value| value as f32),
            precision: variance.map(|value| (1.0 / value) as f32),
            scale: variance.iter().map(|value| 0.5 * value.ln()).sum::<f64>() as f32,
        }
    };
    sums[..count].iter().map(gaussian).collect()
}

/// The likeliest places of a sentence's frames.
fn lay(frames: &[Frame], parts: &[usize], gaussians: &[Gaussian]) -> Vec<usize> {
    let count = parts.len();
    let mut best = vec![f32::NEG_INFINITY; count];
    let mut came = vec![false; frames.len() * count];
    for (at, frame) in frames.iter().enumerate() {
        for place in (0..count).rev() {
            let stay = best[place];
            let step = match (place, at) {
                (0, 0) => 0.0,
                (0, _) => f32::NEG_INFINITY,
                _ => best[place - 1],
            };
            came[at * count + place] = step > stay;
            let before = step.max(stay);
            best[place] = if before == f32::NEG_INFINITY { before } else { before + gaussians[parts[place]].of(frame) };
        }
    }
    let mut places = vec![count - 1; frames.len()];
    for at in (1..frames.len()).rev() {
        let place = places[at];
        places[at - 1] = place - usize::from(came[at * count + place]);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::speech::phones::SILENCE;
    use crate::rng::Rng;

    #[test]
    fn phones_are_found_where_they_are() {
        // Three phones and silence, each its own cepstra, in sentences of any order and lengths.
        let names = ["a", "s", "m"];
        let level = |name: &str, at: usize| match (name, at) {
            (SILENCE, 0) => -100.0,
            ("a", 1) => 9.0,
            ("s", 1) => -9.0,
            ("m", 2) => 9.0,
            _ => 0.0,
        };
        let mut rng = Rng::new(1, 0);
        let (mut sentences, mut expected) = (Vec::new(), Vec::new());
        for _ in 0..30 {
            let mut phones = vec![Phone::silence()];
            let mut last = 3;
            for _ in 0..6 {
                let next = (0..).map(|_| rng.below(3)).find(|&next| next != last).unwrap();
                last = next;
                phones.push(Phone { name: names[next].to_owned(), stressed: false });
            }
            phones.push(Phone::silence());
            let (mut rows, mut ranges) = (Vec::new(), Vec::new());
            for phone in &phones {
                let start = rows.len();
                for _ in 0..6 + rng.below(20) {
                    rows.push(std::array::from_fn(|at| level(&phone.name, at) + rng.normal()));
                }
                ranges.push(start..rows.len());
            }
            sentences.push((phones, rows));
            expected.push(ranges);
        }
        let found = align(&sentences).unwrap();
        let off = |(found, expected): (&Range<usize>, &Range<usize>)| found.start.abs_diff(expected.start);
        let offs: Vec<usize> = found.iter().flatten().zip(expected.iter().flatten()).map(off).collect();
        let far = offs.iter().filter(|&&off| off > 2).count();
        assert!(far * 20 < offs.len(), "{far} of {} begin more than two frames off", offs.len());
        let short = [(vec![Phone::silence(); 4], vec![[0.0; CEPSTRA]; 11])];
        assert!(align(&short).unwrap_err().to_string().contains("found 11 for 4"));
    }
}
