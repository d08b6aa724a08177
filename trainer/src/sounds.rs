//! Sounds to files: WAV, and waves as a picture.
//!
//! A model makes companded bytes ([`edgegen_runtime::sound`]); here they are samples, −32767 … 32767.

use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, Result};
use edgegen_runtime::sound;
use image::{GrayImage, Luma};

use crate::files;
use crate::images::{LETTER, write_label};

/// Silence behind each of several sounds in a file, in milliseconds.
pub const PAUSE_MILLIS: u32 = 200;

/// A sound as a picture shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wave {
    /// What stands above it, in Latin-1.
    pub title: String,
    /// −32767 … 32767.
    pub samples: Vec<i16>,
}

/// The samples of a model's image.
pub fn samples(image: &[u8]) -> Vec<i16> {
    image.iter().map(|&byte| sound::sample(byte)).collect()
}

/// Sounds one after the other, with silence between them.
pub fn in_a_row(sounds: &[Vec<i16>], rate: u32) -> Vec<i16> {
    let pause = (u64::from(rate) * u64::from(PAUSE_MILLIS) / 1000) as usize;
    sounds.join(&vec![0; pause][..])
}

/// Writes a WAV file of 16 bits and one channel.
///
/// # Errors
///
/// A file that cannot be written.
pub fn save_wav(path: &Path, samples: &[i16], rate: u32) -> Result<()> {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = Cursor::new(Vec::new());
    let mut write = || {
        let mut writer = hound::WavWriter::new(&mut file, spec)?;
        samples.iter().try_for_each(|&sample| writer.write_sample(sample))?;
        writer.finalize()
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    files::replace_bytes(path, &file.into_inner())
}

/// Room of a wave in a picture, and of the words above and below it.
const WAVE: [u32; 2] = [480, 160];
const MARGIN: u32 = 12;
const BACKGROUND: u8 = 16;
const FRAME: u8 = 72;
const INK: u8 = 255;

/// Writes a picture of waves, so many side by side, as PNG: time to the right in milliseconds, −1 … 1 of full scale
/// upwards, each column of pixels from the lowest to the highest of its samples.
///
/// # Errors
///
/// A file that cannot be written.
pub fn save_waves(path: &Path, waves: &[Wave], rate: u32, columns: usize) -> Result<()> {
    let columns = columns.clamp(1, waves.len().max(1)) as u32;
    let line = LETTER[1] as u32;
    let cell = [WAVE[0] + 2 * MARGIN, WAVE[1] + 2 * line + MARGIN];
    let rows = (waves.len() as u32).div_ceil(columns);
    let mut picture = GrayImage::from_pixel(columns * cell[0], rows * cell[1], Luma([BACKGROUND]));
    for (index, wave) in (0..).zip(waves) {
        let corner = [index % columns * cell[0] + MARGIN, index / columns * cell[1]];
        draw(&mut picture, corner, wave, rate);
    }
    files::replace(path, |temporary| Ok(picture.save(temporary)?))
}

/// Title, frame, wave and the times below.
fn draw(picture: &mut GrayImage, [left, top]: [u32; 2], wave: &Wave, rate: u32) {
    let [width, height] = WAVE;
    let [letter, line] = LETTER.map(|size| size as u32);
    let sheet_width = picture.width() as usize;
    let mut write = |text: &str, x: u32, y: u32| write_label(picture, sheet_width, 1, text, (x as usize, y as usize));
    write(&wave.title, left, top);
    let millis = 1000.0 * wave.samples.len() as f64 / f64::from(rate.max(1));
    let step = tick(millis);
    let ticks: Vec<(u32, String)> = (0..)
        .map(|index| f64::from(index) * step)
        .take_while(|&at| at <= millis)
        .map(|at| ((at / millis.max(f64::MIN_POSITIVE) * f64::from(width - 1)).round() as u32, format!("{at}")))
        .collect();
    for (index, (x, text)) in ticks.iter().enumerate() {
        let text = if index + 1 == ticks.len() { format!("{text} ms") } else { text.clone() };
        // Words at the end of the axis stand left of their tick, so that they do not run out of the cell.
        let room = (width + MARGIN).saturating_sub(text.len() as u32 * letter);
        write(&text, left + (*x).min(room), top + line + height);
    }
    let top = top + line;
    let axis = top + height / 2;
    for x in 0..width {
        picture.put_pixel(left + x, axis, Luma([FRAME]));
    }
    for y in 0..height {
        for (x, _) in &ticks {
            picture.put_pixel(left + x, top + y, Luma([FRAME]));
        }
    }
    let count = wave.samples.len();
    let place = |sample: i16| {
        let down = (i32::from(i16::MAX) - i32::from(sample)).max(0) as f64 / f64::from(2 * i32::from(i16::MAX));
        top + (down * f64::from(height - 1)).round() as u32
    };
    for x in 0..width as usize {
        let [start, end] = [x, x + 1].map(|x| x * count / width as usize);
        // One more at the left, so that columns join.
        let some = &wave.samples[start.saturating_sub(1)..end.max(start + 1).min(count)];
        let (Some(&low), Some(&high)) = (some.iter().min(), some.iter().max()) else { continue };
        for y in place(high)..=place(low) {
            picture.put_pixel(left + x as u32, y, Luma([INK]));
        }
    }
}

/// Milliseconds from one mark of the axis to the next: 1, 2 or 5 times a power of ten, four to ten of them in all.
fn tick(millis: f64) -> f64 {
    let power = 10f64.powf((millis.max(1e-3) / 10.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| millis / step <= 10.0).unwrap_or(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wav_file_holds_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let sounds = [samples(&[0, 127, 255]), samples(&[128, 200])];
        let written = in_a_row(&sounds, 1000);
        assert_eq!(written.len(), 3 + 200 + 2);
        save_wav(&path, &written, 1000).unwrap();
        let mut reader = hound::WavReader::open(&path).unwrap();
        let spec = reader.spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 1000, 16));
        let read: Vec<i16> = reader.samples().collect::<Result<_, _>>().unwrap();
        assert_eq!(read, written);
        assert_eq!((read[..3].to_vec(), read[204]), (vec![-32767, 0, 32767], sound::sample(200)));
    }

    #[test]
    fn marks_of_the_axis_are_round_numbers() {
        assert_eq!([256.0, 100.0, 2000.0, 7.0, 0.5].map(tick), [50.0, 10.0, 200.0, 1.0, 0.05]);
    }

    #[test]
    fn a_wave_lies_where_it_should() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        // 480 samples: one a column. Full scale for the first half, then silence.
        let samples = (0..480).map(|at| if at < 240 { 32767 } else { 0 }).collect();
        let wave = Wave { title: "kick".to_owned(), samples };
        save_waves(&path, &[wave.clone(), wave], 8000, 2).unwrap();
        let picture = image::open(&path).unwrap().into_luma8();
        assert_eq!(picture.dimensions(), (2 * 504, 212));
        let [top, middle] = [20, 20 + 80];
        for left in [12, 12 + 504] {
            assert_eq!(picture.get_pixel(left + 100, top).0, [INK]);
            assert_eq!(picture.get_pixel(left + 100, middle).0, [FRAME], "the axis");
            assert_eq!(picture.get_pixel(left + 300, middle).0, [INK]);
            assert_eq!(picture.get_pixel(left + 300, top).0, [BACKGROUND]);
        }
    }

    #[test]
    fn no_samples_are_no_panic() {
        let folder = tempfile::tempdir().unwrap();
        let wave = Wave { title: String::new(), samples: vec![] };
        save_waves(&folder.path().join("a.png"), &[wave], 8000, 4).unwrap();
    }
}
