//! Speech of a run: test sentences in its voice.

use anyhow::{Result, ensure};

use crate::cli::training::Run;
use crate::data::Split;
use crate::data::speech::{CHANNELS, Sentence, Speech};
use crate::speech::cepstrum::{cepstra, distance};
use crate::speech::trajectory::Smoother;
use crate::speech::{CEPSTRA, RATE, voice};
use crate::systems;

/// A sentence that was spoken.
#[derive(Clone, Debug)]
pub struct Spoken {
    /// What was said.
    pub text: String,
    /// −32767 … 32767, at [`RATE`].
    pub samples: Vec<i16>,
    /// How far its cepstra are from those of espeak-ng saying the same, in decibels: mean of the frames in which
    /// espeak-ng is heard.
    pub distance: f32,
}

/// Samples a second of what is spoken.
pub const SPOKEN_RATE: u32 = RATE;

/// Whether a run makes speech.
pub fn speaks(run: &Run) -> bool {
    run.recipe.system == systems::speech::KIND.name
}

/// `count` test sentences from number `first` on, as the run says them: its trajectories over whole sentences, through
/// pulses and noise. Behind the last sentence comes the first.
///
/// # Errors
///
/// If the sentences have not been fetched, or the run is of other frames.
pub fn spoken(run: &Run, first: u64, count: usize) -> Result<Vec<Spoken>> {
    let [frames, width, _] = run.shape();
    ensure!(width == CEPSTRA, "expected a run of frames of {CEPSTRA} cepstra, found {width}: train on the set speech");
    let speech = Speech::load(Split::Test)?;
    let all = speech.sentences.len() as u64;
    ensure!(all > 0, "expected test sentences, found none: fetch the set speech again");
    (0..count as u64)
        .map(|index| {
            let sentence = &speech.sentences[(first.wrapping_add(index) % all) as usize];
            let said = said(run, sentence, frames)?;
            let curves = smooth(&said, &speech);
            let samples = voice::speak(&curves, &sentence.sources()?, first.wrapping_add(index));
            let own = cepstra(&samples);
            // Louder than −50 dB of a full tone, so that silence, in which anything is far, does not count.
            let heard: Vec<usize> = (0..curves.len()).filter(|&at| sentence.cepstra[at][0] > HEARD).collect();
            let off = heard.iter().map(|&at| distance(&own[at], &sentence.cepstra[at])).sum::<f32>();
            let distance = off / heard.len().max(1) as f32;
            Ok(Spoken { text: sentence.text.clone(), samples: to_samples(&samples), distance })
        })
        .collect()
}

/// The least first coefficient of a frame that is heard: √40 times the mean level of its bands, here ln 10⁻⁵.
const HEARD: f32 = -72.8;

/// What the generator says of each frame, value, Δ and Δ² of each coefficient; windows follow each other, and in the
/// last one the last frame is repeated.
fn said(run: &Run, sentence: &Sentence, frames: usize) -> Result<Vec<[[f32; CEPSTRA]; CHANNELS]>> {
    let count = sentence.cepstra.len();
    let inputs: Vec<_> = (0..count).map(|frame| sentence.input(frame)).collect::<Result<_>>()?;
    let window = |first: usize| -> Vec<f32> {
        let row = |frame: usize| &inputs[(first + frame).min(count - 1)];
        (0..CHANNELS).flat_map(|channel| (0..frames).flat_map(move |frame| row(frame)[channel])).collect()
    };
    let windows: Vec<Vec<f32>> = (0..count).step_by(frames).map(window).collect();
    let made = run.generate(&windows);
    let at = |frame: usize, channel: usize, at: usize| {
        made[frame / frames][(channel * frames + frame % frames) * CEPSTRA + at]
    };
    let row = |frame: usize| {
        std::array::from_fn(|channel| std::array::from_fn(|coefficient| at(frame, channel, coefficient)))
    };
    Ok((0..count).map(row).collect())
}

/// The cepstra that values and changes of a whole sentence agree on best.
fn smooth(said: &[[[f32; CEPSTRA]; CHANNELS]], speech: &Speech) -> Vec<[f32; CEPSTRA]> {
    let smoother = Smoother::new(said.len());
    let mut rows = vec![[0.0; CEPSTRA]; said.len()];
    for at in 0..CEPSTRA {
        let parts = [0, 1, 2].map(|channel: usize| said.iter().map(|row| row[channel][at]).collect::<Vec<f32>>());
        let curve = smoother.curve(parts.each_ref().map(Vec::as_slice));
        rows.iter_mut().zip(curve).for_each(|(row, value)| row[at] = speech.scale.coefficient(at, value));
    }
    rows
}

fn to_samples(samples: &[f32]) -> Vec<i16> {
    samples.iter().map(|sample| (sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16).collect()
}
