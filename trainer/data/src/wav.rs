//! One WAV file to a sound of the rate and length of the set, or refused in one sentence.
//!
//! Channels are averaged, another rate is brought to that of the set by a windowed sinc, and the sound starts where it
//! begins to be heard: 2 ms before the first sample that is at most 40 dB below the loudest, so that no hit is a
//! silence with something behind it. What is longer is cut there and fades out in its last 5 ms; behind what is shorter
//! there is silence. Loudness stays as it is.

use std::fs;
use std::io::Cursor;
use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use hound::{SampleFormat, WavReader, WavSpec};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Async, FixedAsync, Resampler, SincInterpolationParameters};

use crate::config::Config;
use crate::sound::compress;

/// Rates that files may have.
const RATES: RangeInclusive<u32> = 1_000..=384_000;
/// Longer files are recordings to be cut into sounds.
const MAX_SECONDS: usize = 600;
/// Part of the loudest sample from which on a sound is heard: −40 dB.
const HEARD: f32 = 0.01;
/// Parts of a second that a sound starts before it is heard, and in which it fades where it is cut.
const BEFORE: u32 = 500;
const FADE: u32 = 200;
/// Samples that are resampled at a time.
const CHUNK: usize = 1_024;

/// What a file held, and the sound that it became.
#[derive(Clone, Debug)]
pub(crate) struct Sound {
    /// A level of the μ-law for each sample.
    pub levels: Vec<u8>,
    /// `16-bit WAV at 44100 Hz`.
    pub format: String,
    /// Of the whole file.
    pub seconds: f64,
    pub channels: u16,
    /// Whether it has samples beyond ±1, which are clipped.
    pub is_clipped: bool,
    /// Whether it is longer than the sounds of the set.
    pub is_cut: bool,
    /// Whether it is shorter.
    pub is_padded: bool,
}

/// Reads the file at `path` as `config` says; `rate` is that of the set.
///
/// # Errors
/// With the reason alone, without the path: empty, no WAV file, cut short, of another kind, no samples or too many.
pub(crate) fn open(path: &Path, config: &Config, rate: u32) -> Result<Sound> {
    let (spec, samples) = decode(&fs::read(path)?)?;
    let seconds = samples.len() as f64 / f64::from(spec.sample_rate);
    let samples = resampled(samples, spec.sample_rate, rate)?;
    let loudest = samples.iter().fold(0f32, |loudest, sample| loudest.max(sample.abs()));
    let heard = samples.iter().position(|sample| loudest > 0.0 && sample.abs() >= HEARD * loudest).unwrap_or(0);
    let own = &samples[heard.saturating_sub((rate / BEFORE) as usize)..];
    let count = config.size.h;
    let is_cut = own.len() > count;
    let fade = ((rate / FADE) as usize).min(count);
    let level = |at: usize| {
        let left = if is_cut { (count - at).min(fade) as f32 / fade.max(1) as f32 } else { 1.0 };
        compress(left * own.get(at).copied().unwrap_or(0.0))
    };
    let kind = if spec.sample_format == SampleFormat::Float { " float" } else { "" };
    Ok(Sound {
        levels: (0..count).map(level).collect(),
        format: format!("{}-bit{kind} WAV at {} Hz", spec.bits_per_sample, spec.sample_rate),
        seconds,
        channels: spec.channels,
        is_clipped: loudest > 1.0 && spec.sample_format == SampleFormat::Float,
        is_cut,
        is_padded: own.len() < count,
    })
}

/// The samples of a WAV file at `rate`, the mean of its channels, full loudness at ±1; all of them, as they are.
///
/// # Errors
///
/// With the reason alone, without the path, if it is no WAV file that can be read.
pub fn read_wav(path: &Path, rate: u32) -> Result<Vec<f32>> {
    let (spec, samples) = decode(&fs::read(path)?)?;
    resampled(samples, spec.sample_rate, rate)
}

/// The mean of the channels, full loudness at ±1.
fn decode(bytes: &[u8]) -> Result<(WavSpec, Vec<f32>)> {
    ensure!(!bytes.is_empty(), "it is empty");
    ensure!(is_wav(bytes), "its content is no WAV file");
    let mut reader = WavReader::new(Cursor::new(bytes)).map_err(fault)?;
    let spec = reader.spec();
    let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = spec;
    ensure!(
        RATES.contains(&sample_rate) && channels > 0,
        "it has {sample_rate} samples a second and {channels} channels, which nobody can hear"
    );
    let frames = reader.duration() as usize;
    ensure!(frames > 0, "it has no samples");
    ensure!(
        frames <= MAX_SECONDS * sample_rate as usize,
        "it lasts {} minutes, at most 10 are read: cut it into its sounds",
        frames / sample_rate as usize / 60
    );
    let values: Result<Vec<f32>, hound::Error> = match sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect(),
        SampleFormat::Int => {
            let full = 2f32.powi(i32::from(bits_per_sample) - 1);
            reader.samples::<i32>().map(|sample| sample.map(|sample| sample as f32 / full)).collect()
        }
    };
    let values = values.map_err(fault)?;
    ensure!(values.iter().all(|value| value.is_finite()), "it has samples that are no numbers");
    let mean = |frame: &[f32]| frame.iter().sum::<f32>() / frame.len() as f32;
    Ok((spec, values.chunks_exact(usize::from(channels)).map(mean).collect()))
}

/// Whether a file begins as a WAV file does.
pub(crate) fn is_wav(start: &[u8]) -> bool {
    start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WAVE")
}

fn fault(error: hound::Error) -> anyhow::Error {
    match error {
        hound::Error::Unsupported | hound::Error::TooWide | hound::Error::InvalidSampleFormat => {
            anyhow!("its kind of WAV is not supported: convert it to 16 bits PCM")
        }
        other => anyhow!("it is damaged or cut short ({})", other.to_string().replace('\n', " ")),
    }
}

fn resampled(samples: Vec<f32>, from: u32, to: u32) -> Result<Vec<f32>> {
    if from == to {
        return Ok(samples);
    }
    let parameters = SincInterpolationParameters::default();
    let ratio = f64::from(to) / f64::from(from);
    let mut resampler = Async::<f32>::new_sinc(ratio, 1.0, &parameters, CHUNK, 1, FixedAsync::Input)
        .with_context(|| format!("cannot bring {from} Hz to {to} Hz"))?;
    let input = InterleavedSlice::new(&samples, 1, samples.len()).context("one channel of samples")?;
    let mut output = vec![0.0; resampler.process_all_needed_output_len(samples.len())];
    let room = output.len();
    let mut buffer = InterleavedSlice::new_mut(&mut output, 1, room).context("one channel of samples")?;
    let (_, made) = resampler
        .process_all_into_buffer(&input, &mut buffer, samples.len(), None)
        .with_context(|| format!("cannot bring {from} Hz to {to} Hz"))?;
    output.truncate(made);
    if output.is_empty() {
        bail!("it is shorter than one sample at {to} Hz");
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound::expand;
    use std::f32::consts::TAU;
    use std::path::PathBuf;

    const RATE: u32 = 8_000;

    fn config(samples: usize) -> Config {
        Config::new("", [samples, 1], 1)
    }

    /// A file of `seconds` of a sine of 440 Hz, after a tenth of a second of silence.
    fn file(folder: &Path, spec: WavSpec, seconds: f32) -> PathBuf {
        let path = folder.join("x.wav");
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        for at in 0..(seconds * spec.sample_rate as f32) as u32 {
            let time = at as f32 / spec.sample_rate as f32 - 0.1;
            let value = if time < 0.0 { 0.0 } else { 0.5 * (TAU * 440.0 * time + 1.0).sin() };
            // Of several channels only the first has the sine: the mean has it half as loud.
            for channel in 0..spec.channels {
                let value = if channel == 0 { value } else { 0.0 };
                match spec.sample_format {
                    SampleFormat::Float => writer.write_sample(value).unwrap(),
                    SampleFormat::Int => {
                        let full = 2f32.powi(i32::from(spec.bits_per_sample) - 1) - 1.0;
                        writer.write_sample((value * full) as i32).unwrap();
                    }
                }
            }
        }
        writer.finalize().unwrap();
        path
    }

    fn spec(channels: u16, sample_rate: u32, bits_per_sample: u16) -> WavSpec {
        let sample_format = if bits_per_sample == 32 { SampleFormat::Float } else { SampleFormat::Int };
        WavSpec { channels, sample_rate, bits_per_sample, sample_format }
    }

    #[test]
    fn every_usual_kind_sounds_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let whole = WavSpec { sample_format: SampleFormat::Int, ..spec(1, 44_100, 32) };
        for (spec, format) in [
            (spec(1, 8_000, 8), "8-bit WAV at 8000 Hz"),
            (spec(2, 44_100, 16), "16-bit WAV at 44100 Hz"),
            (spec(1, 96_000, 24), "24-bit WAV at 96000 Hz"),
            (whole, "32-bit WAV at 44100 Hz"),
            (spec(2, 11_025, 32), "32-bit float WAV at 11025 Hz"),
        ] {
            let sound = open(&file(folder.path(), spec, 0.3), &config(1_000), RATE).unwrap();
            assert_eq!((&*sound.format, sound.levels.len(), sound.is_cut), (format, 1_000, true));
            assert!((sound.seconds - 0.3).abs() < 1e-3 && !sound.is_clipped && !sound.is_padded);
            let loudness = 0.5 / f32::from(spec.channels);
            // It is heard at once, 16 samples or a little more behind the start, whatever the resampler rings before.
            let heard = |level: &&u8| expand(**level).abs() > 0.5 * loudness;
            let silent = sound.levels.iter().take_while(|level| !heard(level)).count();
            assert!((10..26).contains(&silent), "{format}: {silent} samples of silence");
            let samples: Vec<f32> = sound.levels.iter().map(|&level| expand(level)).collect();
            let turns = samples[40..840].windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
            assert!((43..=45).contains(&turns), "{format}: 44 turns in a tenth of a second, not {turns}");
            let peak = samples[100..800].iter().fold(0f32, |peak, sample| peak.max(sample.abs()));
            assert!((peak / loudness - 1.0).abs() < 0.05, "{format}: {peak} of {loudness}");
            assert!(samples[999].abs() < 0.03, "it fades where it is cut");
        }
    }

    #[test]
    fn a_whole_file_keeps_its_silence_and_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), spec(1, 22_050, 16), 0.3);
        let samples = read_wav(&path, 16_000).unwrap();
        assert!(samples.len().abs_diff(4_800) < 3, "{}", samples.len());
        let loud = samples.iter().position(|sample| sample.abs() > 0.1).unwrap();
        assert!(loud.abs_diff(1_600) < 40, "it begins after a tenth of a second, not {loud}");
        assert_eq!(read_wav(&path, 22_050).unwrap().len(), 6_615);
    }

    #[test]
    fn what_cannot_be_heard_again_is_gone_and_nothing_folds_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("high.wav");
        let mut writer = hound::WavWriter::create(&path, spec(1, 44_100, 16)).unwrap();
        for at in 0..22_050 {
            let tones = (TAU * 5_000.0 * at as f32 / 44_100.0).sin() + (TAU * 9_000.0 * at as f32 / 44_100.0).sin();
            writer.write_sample((tones * 16_000.0) as i16).unwrap();
        }
        writer.finalize().unwrap();
        let (_, samples) = decode(&fs::read(&path).unwrap()).unwrap();
        let low = resampled(samples, 44_100, RATE).unwrap();
        assert!(low.len().abs_diff(4_000) < 3, "{}", low.len());
        let peak = low[500..3_500].iter().fold(0f32, |peak, sample| peak.max(sample.abs()));
        assert!(peak < 1e-3, "{peak} of two tones above half the rate");
    }

    #[test]
    fn short_ones_have_silence_behind_them() {
        let folder = tempfile::tempdir().unwrap();
        let sound = open(&file(folder.path(), spec(1, RATE, 16), 0.15), &config(2_048), RATE).unwrap();
        assert!(sound.is_padded && !sound.is_cut);
        assert!(sound.levels[500..].iter().all(|&level| level == 128));
        assert!(sound.levels[..400].iter().any(|&level| level > 200));
    }

    #[test]
    fn what_cannot_be_read_is_said_in_one_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let whole = fs::read(file(folder.path(), spec(1, RATE, 16), 0.2)).unwrap();
        let path = folder.path().join("bad.wav");
        let reason = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let error = format!("{:#}", open(&path, &config(64), RATE).unwrap_err());
            assert!(!error.contains('\n') && !error.contains("bad.wav"), "{error}");
            error
        };
        assert_eq!(reason(b""), "it is empty");
        assert_eq!(reason(b"ID3 and so on, an MP3 with another name"), "its content is no WAV file");
        for length in [13, 20, 40, whole.len() / 2, whole.len() - 1] {
            assert!(reason(&whole[..length]).contains("cut short"), "{length} of {} bytes", whole.len());
        }
        let data = whole.windows(4).position(|four| four == b"data").unwrap();
        let mut none = whole[..data + 8].to_vec();
        none[data + 4..].fill(0);
        assert_eq!(reason(&none), "it has no samples");
        // μ-law, which WAV files of telephones have.
        let mut packed = whole.clone();
        let format = whole.windows(4).position(|four| four == b"fmt ").unwrap() + 8;
        packed[format] = 7;
        assert!(reason(&packed).contains("convert it to 16 bits PCM"), "{}", reason(&packed));
        let mut slow = whole.clone();
        slow[format + 4..format + 12].fill(0);
        assert!(!reason(&slow).is_empty());
        let path = folder.path().join("nan.wav");
        let mut writer = hound::WavWriter::create(&path, spec(1, RATE, 32)).unwrap();
        writer.write_sample(f32::NAN).unwrap();
        writer.finalize().unwrap();
        assert!(reason(&fs::read(&path).unwrap()).contains("no numbers"));
    }
}
