//! Speech of espeak-ng: sentences as it says them, frame by frame, with the phones that it says.
//!
//! `edgegen data fetch speech` has the program espeak-ng of this machine say 360 sentences of a small grammar and keeps
//! what it said, at 16 kHz, with its phones and where each of them lies. Which phones it says, espeak-ng prints;
//! when, it does not, so `align.rs` finds that out.
//!
//! An example is a window of a sentence, and time runs down the rows, 5 ms each:
//!
//! | | channel 0 | channel 1 | channel 2 |
//! | --- | --- | --- | --- |
//! | input, columns 0 to 22 | features of the phone before | of the one that is spoken | of the next |
//! | input, column 23 | time since the one before ended | place in the phone | time until the next begins |
//! | input, column 24 | time since the sentence began | length of the phone | time until the sentence ends |
//! | target, 25 columns | mel cepstra (`speech/cepstrum.rs`) | their Δ | their Δ² (`speech/trajectory.rs`) |
//!
//! All values lie in [−1, 1]. A cepstral coefficient c is (c − μ) / 4σ, with mean and deviation over the training
//! sentences; its changes have the same unit and the scales of `trajectory.rs`. What lies beyond is clipped.
//!
//! | file | what |
//! | --- | --- |
//! | `sentences.rs` | what is said |
//! | `phones.rs` | phones and their features |
//! | `align.rs` | where phones lie |

mod align;
pub mod phones;
mod sentences;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use edgegen_data::{read_wav, select};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::align::align;
use self::phones::{FEATURES, Phone, SILENCE, VOICED};
use super::catalogue::{DatasetInfo, cache_folder};
use super::{Dataset, Pairs, Split};
use crate::files;
use crate::recipe::DataConfig;
use crate::sounds::save_wav;
use crate::speech::cepstrum::cepstra;
use crate::speech::trajectory::changes;
use crate::speech::voice::Source;
use crate::speech::{CEPSTRA, HOP, RATE};

/// The name to give as `data.name`.
pub const NAME: &str = "speech";
/// Channels of an input and of a target.
pub const CHANNELS: usize = 3;
/// Frames of a window, as [`info`] tells.
const FRAMES: usize = 128;
/// Sentences of both parts.
const SENTENCES: [usize; 2] = [300, 60];
/// Windows of [`FRAMES`] frames in them, as espeak-ng 1.51 says them.
const WINDOWS: [usize; 2] = [1_373, 282];
const SEED: u64 = 1;
/// What says so.
const PROGRAM: &str = "espeak-ng";
/// The file beside the sounds.
const INDEX: &str = "speech.json";
/// Deviations that the end of the range is away from the mean.
pub const RANGE: f32 = 4.0;
/// Frames at which times end: 0.2 s, and 4 s of a sentence.
const NEAR: f32 = 40.0;
const FAR: f32 = 800.0;
/// Frames of silence that are kept at both ends of a sentence.
const QUIET: usize = 10;
/// Hertz at the start of a sentence and at its end.
const PITCH: [f32; 2] = [125.0, 85.0];

pub(super) fn info() -> DatasetInfo {
    let folder = cache_folder().ok().map(|root| root.join(NAME));
    DatasetInfo {
        name: NAME,
        what: "phones and mel cepstra of sentences said by espeak-ng, pairs",
        licence: "MIT OR Apache-2.0 (the sentences)",
        count: WINDOWS,
        shape: [FRAMES, CEPSTRA, CHANNELS],
        rate: None,
        classes: 0,
        bytes: 0,
        sources: vec![format!("the program {PROGRAM}")],
        present: folder.as_ref().is_some_and(|folder| folder.join(INDEX).is_file()),
        folder,
    }
}

/// What the index says of a sentence.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Said {
    text: String,
    phones: Vec<Phone>,
    /// The frame that each phone ends before.
    ends: Vec<usize>,
}

/// The index: which program has spoken, and what, in both parts.
#[derive(Debug, Serialize, Deserialize)]
struct Index {
    program: String,
    parts: [Vec<Said>; 2],
}

fn file_name(part: usize, sentence: usize) -> String {
    format!("{}-{sentence:03}.wav", [Split::Train, Split::Test][part].name())
}

/// Has all sentences said into `root`/speech, unless they are there, and returns that folder.
pub(super) fn fetch(root: &Path, report: &dyn Fn(&str)) -> Result<PathBuf> {
    let target = root.join(NAME);
    if target.join(INDEX).is_file() {
        return Ok(target);
    }
    let program = version()?;
    fs::create_dir_all(root)
        .with_context(|| format!("cannot make the data folder {}: set EDGEGEN_DATA to another", root.display()))?;
    let temporary = tempfile::Builder::new().prefix(".fetch-").tempdir_in(root)?;
    let folder = temporary.path().join(NAME);
    fs::create_dir(&folder)?;
    let texts = sentences::sentences(SENTENCES, SEED);
    report(&format!("{NAME}: {program} says {} sentences", texts.iter().map(Vec::len).sum::<usize>()));
    let all: Vec<(usize, usize, &str)> = texts
        .iter()
        .enumerate()
        .flat_map(|(part, texts)| texts.iter().enumerate().map(move |(at, text)| (part, at, &**text)))
        .collect();
    let spoken: Vec<(Vec<Phone>, Vec<[f32; CEPSTRA]>)> = all
        .par_iter()
        .map(|&(part, at, text)| {
            let (phones, samples) = say(text, temporary.path())?;
            save_wav(&folder.join(file_name(part, at)), &samples, RATE)?;
            Ok((phones, cepstra(&to_floats(&samples))))
        })
        .collect::<Result<_>>()?;
    report(&format!("{NAME}: looking for the phones"));
    let ranges = align(&spoken)?;
    let mut said = all.iter().zip(spoken).zip(ranges).map(|((&(.., text), (phones, _)), ranges)| Said {
        text: text.to_owned(),
        phones,
        ends: ranges.iter().map(|range| range.end).collect(),
    });
    let parts = SENTENCES.map(|count| said.by_ref().take(count).collect());
    let index = serde_json::to_vec(&Index { program, parts })?;
    files::replace_bytes(&folder.join(INDEX), &index)?;
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    fs::rename(&folder, &target)?;
    report(&format!("{NAME}: kept in {}", target.display()));
    Ok(target)
}

/// The name and version of the program.
fn version() -> Result<String> {
    let output = Command::new(PROGRAM).arg("--version").output();
    let output = output.ok().filter(|output| output.status.success()).with_context(|| {
        format!("expected the program {PROGRAM} for the set {NAME}, found none that runs: on Debian, apt-get install {PROGRAM}")
    })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    Ok(format!("{PROGRAM} {}", version.unwrap_or("of unknown version")))
}

/// Phones and samples at [`RATE`] of a text.
fn say(text: &str, folder: &Path) -> Result<(Vec<Phone>, Vec<i16>)> {
    let file = tempfile::Builder::new().suffix(".wav").tempfile_in(folder)?;
    let output = Command::new(PROGRAM)
        .args(["-v", "en", "-z", "-x", "--sep=_", "-w"])
        .arg(file.path())
        .arg(text)
        .output()
        .with_context(|| format!("cannot start {PROGRAM}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("{PROGRAM} failed: {}", said.lines().next().unwrap_or("it does not say why"));
    }
    let phones = phones::parse(&String::from_utf8_lossy(&output.stdout))?;
    let samples = read_wav(file.path(), RATE).with_context(|| format!("cannot read what {PROGRAM} wrote"))?;
    let rounded = samples.iter().map(|sample| (sample * f32::from(i16::MAX)).round() as i16).collect();
    Ok((phones, rounded))
}

fn to_floats(samples: &[i16]) -> Vec<f32> {
    samples.iter().map(|&sample| f32::from(sample) / f32::from(i16::MAX)).collect()
}

/// What cepstra in [−1, 1] mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    mean: [f32; CEPSTRA],
    deviation: [f32; CEPSTRA],
}

impl Scale {
    fn of(sentences: &[Sentence]) -> Self {
        let rows = || sentences.iter().flat_map(|sentence| &sentence.cepstra);
        let count = rows().count().max(1) as f64;
        let moment = |at: usize, power: i32, mean: f64| {
            rows().map(|row| (f64::from(row[at]) - mean).powi(power)).sum::<f64>() / count
        };
        let mean: [f64; CEPSTRA] = std::array::from_fn(|at| moment(at, 1, 0.0));
        let deviation = std::array::from_fn(|at| moment(at, 2, mean[at]).sqrt().max(1e-6) as f32);
        Self { mean: mean.map(|value| value as f32), deviation }
    }

    /// A coefficient as a value in [−1, 1], or beyond.
    pub fn value(&self, at: usize, coefficient: f32) -> f32 {
        (coefficient - self.mean[at]) / (RANGE * self.deviation[at])
    }

    /// The coefficient that a value means.
    pub fn coefficient(&self, at: usize, value: f32) -> f32 {
        value * RANGE * self.deviation[at] + self.mean[at]
    }
}

/// A sentence as it was said.
#[derive(Clone, Debug)]
pub struct Sentence {
    /// Its words.
    pub text: String,
    phones: Vec<Phone>,
    ends: Vec<usize>,
    /// One row a frame.
    pub cepstra: Vec<[f32; CEPSTRA]>,
}

impl Sentence {
    /// The frames from just before the first phone to just behind the last.
    fn heard(&self) -> std::ops::Range<usize> {
        let is_silent = |at: &usize| self.phones[*at].name == SILENCE;
        let count = self.phones.len();
        let first = (0..count).take_while(is_silent).last().map_or(0, |at| self.ends[at]);
        let last = (0..count).rev().find(|at| !is_silent(at)).map_or(0, |at| self.ends[at]);
        first.saturating_sub(QUIET)..(last + QUIET).min(self.cepstra.len())
    }

    /// The phone of a frame, and the frames that it has.
    fn phone(&self, frame: usize) -> (usize, std::ops::Range<usize>) {
        let at = self.ends.partition_point(|&end| end <= frame).min(self.ends.len() - 1);
        (at, if at == 0 { 0 } else { self.ends[at - 1] }..self.ends[at])
    }

    /// What a generator reads of a frame: [`CEPSTRA`] columns of each channel.
    ///
    /// # Errors
    ///
    /// If a phone is unknown.
    pub fn input(&self, frame: usize) -> Result<[[f32; CEPSTRA]; CHANNELS]> {
        let (at, own) = self.phone(frame);
        let silence = Phone::silence();
        let neighbour = |offset: usize| (at + offset).checked_sub(1).and_then(|at| self.phones.get(at));
        let heard = self.heard();
        // In [−1, 1], of a number of frames.
        let time = |frames: usize, most: f32| 2.0 * (frames as f32 / most).min(1.0) - 1.0;
        let place = 2.0 * ((frame - own.start) as f32 + 0.5) / own.len().max(1) as f32 - 1.0;
        let more = [
            [time(frame - own.start, NEAR), time(frame.saturating_sub(heard.start), FAR)],
            [place, time(own.len(), NEAR)],
            [time(own.end.saturating_sub(frame + 1), NEAR), time(heard.end.saturating_sub(frame + 1), FAR)],
        ];
        let mut input = [[0.0; CEPSTRA]; CHANNELS];
        for (offset, (columns, more)) in input.iter_mut().zip(more).enumerate() {
            columns[..FEATURES].copy_from_slice(&neighbour(offset).unwrap_or(&silence).features()?);
            columns[FEATURES..].copy_from_slice(&more);
        }
        Ok(input)
    }

    /// What the voice does in each frame: pulses in voiced phones, half of them noise in voiced fricatives, of a pitch
    /// that falls evenly.
    ///
    /// # Errors
    ///
    /// If a phone is unknown.
    pub fn sources(&self) -> Result<Vec<Source>> {
        let count = self.cepstra.len();
        let source = |frame: usize| {
            let features = self.phones[self.phone(frame).0].features()?;
            let done = frame as f32 / count as f32;
            let voiced = features[VOICED] * if features[phones::FRICATIVE] > 0.0 { 0.5 } else { 1.0 };
            Ok(Source { pitch: PITCH[0] + done * (PITCH[1] - PITCH[0]), voiced })
        };
        (0..count).map(source).collect()
    }
}

/// The sentences of a part, and what their cepstra mean.
#[derive(Clone, Debug)]
pub struct Speech {
    /// That of the training sentences.
    pub scale: Scale,
    /// In the order in which they were made.
    pub sentences: Vec<Sentence>,
}

impl Speech {
    /// Reads the sentences that [`fetch`](super::fetch()) has had said.
    ///
    /// # Errors
    ///
    /// If they have not been fetched, or a file is damaged.
    pub fn load(split: Split) -> Result<Self> {
        Self::read(&cache_folder()?.join(NAME), split)
    }

    fn read(folder: &Path, split: Split) -> Result<Self> {
        let index = fs::read(folder.join(INDEX)).with_context(|| {
            format!(
                "expected the data set {NAME} in {}, found none: run `edgegen data fetch {NAME}` once",
                folder.display()
            )
        })?;
        let index: Index = serde_json::from_slice(&index).with_context(|| {
            format!("expected an index in {}, found another file: remove the folder and fetch again", folder.display())
        })?;
        let [train, test] = [0, 1].map(|part| {
            index.parts[part]
                .par_iter()
                .enumerate()
                .map(|(at, Said { text, phones, ends })| {
                    let path = folder.join(file_name(part, at));
                    let samples = read_wav(&path, RATE).with_context(|| format!("cannot read {}", path.display()))?;
                    let cepstra = cepstra(&samples);
                    ensure!(
                        ends.last() == Some(&cepstra.len()) && ends.len() == phones.len(),
                        "expected {} to last as long as {INDEX} says, found {} frames: remove the folder and fetch again",
                        path.display(),
                        cepstra.len()
                    );
                    Ok(Sentence { text: text.clone(), phones: phones.clone(), ends: ends.clone(), cepstra })
                })
                .collect::<Result<Vec<_>>>()
        });
        let (train, test) = (train?, test?);
        let scale = Scale::of(&train);
        Ok(Self { scale, sentences: if split == Split::Train { train } else { test } })
    }

    /// Windows of `frames` frames each, evenly over each sentence: inputs and targets, H × W × C bytes.
    fn windows(&self, frames: usize) -> Result<[Vec<u8>; 2]> {
        let mut images = [Vec::new(), Vec::new()];
        for sentence in &self.sentences {
            let heard = sentence.heard();
            let Some(rest) = heard.len().checked_sub(frames) else { continue };
            let inputs: Vec<_> = heard.clone().map(|frame| sentence.input(frame)).collect::<Result<_>>()?;
            let targets = self.targets(&sentence.cepstra[heard]);
            let count = rest.div_ceil(frames) + 1;
            for window in 0..count {
                let first = window * rest / (count - 1).max(1);
                for (all, rows) in images.iter_mut().zip([&inputs, &targets]) {
                    all.extend(rows[first..][..frames].iter().flat_map(to_bytes));
                }
            }
        }
        Ok(images)
    }

    /// Values and their changes in each frame.
    fn targets(&self, cepstra: &[[f32; CEPSTRA]]) -> Vec<[[f32; CEPSTRA]; CHANNELS]> {
        let mut targets = vec![[[0.0; CEPSTRA]; CHANNELS]; cepstra.len()];
        for at in 0..CEPSTRA {
            let curve: Vec<f32> = cepstra.iter().map(|row| self.scale.value(at, row[at])).collect();
            let [first, second] = changes(&curve);
            for (frame, target) in targets.iter_mut().enumerate() {
                [target[0][at], target[1][at], target[2][at]] = [curve[frame], first[frame], second[frame]];
            }
        }
        targets
    }
}

/// A row of pixels, column by column, of values in [−1, 1].
fn to_bytes(row: &[[f32; CEPSTRA]; CHANNELS]) -> Vec<u8> {
    (0..CEPSTRA)
        .flat_map(|column| row.iter().map(move |channel| ((channel[column] + 1.0) * 127.5).round() as u8))
        .collect()
}

/// The windows of one part, of as many frames as `config` has rows, no more of them than its limit.
pub(super) fn load(config: &DataConfig, split: Split) -> Result<Pairs> {
    let &DataConfig { size, channels, limit, .. } = config;
    ensure!(
        size.w == CEPSTRA && channels == CHANNELS && size.h >= 2,
        "expected frames of {NAME} as rows of {CEPSTRA} pixels of {CHANNELS} channels, found {size}×{channels}: write \
         size = [{FRAMES}, {CEPSTRA}] and channels = {CHANNELS} in [data]"
    );
    let whole = Speech::load(split)?.windows(size.h)?;
    let length = size.h * size.w * channels;
    let kept = select(whole[0].len() / length, limit, None);
    ensure!(!kept.is_empty(), "expected sentences of at least {} frames, found none: lower data.size", size.h);
    let [inputs, targets] = whole.map(|all| Dataset {
        name: NAME.to_owned(),
        images: kept.iter().flat_map(|index| &all[index * length..][..length]).copied().collect(),
        labels: None,
        class_names: Vec::new(),
        shape: [size.h, size.w, channels],
    });
    Ok(Pairs { inputs, targets, matched: true })
}

/// Seconds of some frames.
pub fn seconds(frames: usize) -> f64 {
    (frames * HOP) as f64 / f64::from(RATE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn phone(name: &str) -> Phone {
        Phone { name: name.to_owned(), stressed: false }
    }

    /// Silence, s, i: and silence, of 20, 12, 30 and 15 frames.
    fn sentence() -> Sentence {
        let mut rng = Rng::new(1, 0);
        Sentence {
            text: "see".to_owned(),
            phones: ["_", "s", "i:", "_"].map(phone).to_vec(),
            ends: vec![20, 32, 62, 77],
            cepstra: (0..77).map(|_| std::array::from_fn(|at| at as f32 + rng.normal())).collect(),
        }
    }

    #[test]
    fn a_frame_knows_its_phones_and_its_place() {
        let sentence = sentence();
        assert_eq!(sentence.heard(), 10..72);
        let [before, own, next] = sentence.input(26).unwrap();
        for (columns, name) in [(before, "_"), (own, "s"), (next, "i:")] {
            assert_eq!(columns[..FEATURES], phone(name).features().unwrap());
        }
        // The seventh of twelve frames: six have gone, five are to come; sixteen of 62 frames of the sentence.
        let near = |frames: f32| 2.0 * frames / NEAR - 1.0;
        assert_eq!([before[23], own[23], next[23]], [near(6.0), 2.0 * 6.5 / 12.0 - 1.0, near(5.0)]);
        assert_eq!([before[24], own[24]], [2.0 * 16.0 / FAR - 1.0, near(12.0)]);
        let sources = sentence.sources().unwrap();
        assert_eq!([sources[25].voiced, sources[40].voiced], [0.0, 1.0]);
        assert!(sources[0].pitch > sources[70].pitch);
    }

    #[test]
    fn windows_cover_a_sentence_and_values_come_back() {
        let sentences = vec![sentence()];
        let speech = Speech { scale: Scale::of(&sentences), sentences };
        let [inputs, targets] = speech.windows(25).unwrap();
        let length = 25 * CEPSTRA * CHANNELS;
        // 62 frames: three windows, the last of which ends where the sentence does.
        assert_eq!([inputs.len(), targets.len()], [3 * length; 2]);
        for (window, first) in [(0, 10), (1, 28), (2, 47)] {
            for at in [0, 7, 24] {
                let byte = targets[window * length + 4 * CEPSTRA * CHANNELS + at * CHANNELS];
                let found = speech.scale.coefficient(at, f32::from(byte) / 127.5 - 1.0);
                let expected = speech.sentences[0].cepstra[first + 4][at];
                // Half a step of 8σ / 255.
                assert!((found - expected).abs() < 0.02, "{window} {at}: {found} {expected}");
            }
        }
        assert!(speech.windows(63).unwrap()[0].is_empty(), "too short");
    }

    #[test]
    fn other_sizes_and_missing_files_are_refused() {
        let config = DataConfig::new(NAME, 28, 1);
        let error = load(&config, Split::Train).unwrap_err().to_string();
        assert!(error.contains("size = [128, 25] and channels = 3"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let error = Speech::read(folder.path(), Split::Test).unwrap_err().to_string();
        assert!(error.contains("edgegen data fetch speech"), "{error}");
    }

    #[test]
    fn what_was_kept_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = Rng::new(2, 0);
        let samples: Vec<i16> = (0..77 * HOP).map(|_| (3000.0 * rng.normal()) as i16).collect();
        let Sentence { text, phones, ends, .. } = sentence();
        let said = Said { text, phones, ends };
        for part in [0, 1] {
            save_wav(&folder.path().join(file_name(part, 0)), &samples, RATE).unwrap();
        }
        let parts = [vec![said.clone()], vec![said]];
        let index = Index { program: "espeak-ng 0".into(), parts };
        fs::write(folder.path().join(INDEX), serde_json::to_vec(&index).unwrap()).unwrap();
        let speech = Speech::read(folder.path(), Split::Test).unwrap();
        assert_eq!((speech.sentences.len(), speech.sentences[0].cepstra.len()), (1, 77));
        fs::write(folder.path().join(file_name(1, 0)), b"RIFF").unwrap();
        assert!(format!("{:#}", Speech::read(folder.path(), Split::Test).unwrap_err()).contains("test-000.wav"));
    }
}
