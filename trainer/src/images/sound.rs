//! A sound as a picture: its wave, and under it its spectrogram.
//!
//! The wave has for each column of pixels the lowest and highest of its samples. The spectrogram has time to the right
//! and frequency upwards, to half the rate; of windows of 256 samples (Hann) the magnitude in decibels, where 0 is a
//! sine of full loudness and −80 black.

use std::f32::consts::TAU;

use edgegen_data::sound::expand;
use image::{Rgb, RgbImage};

/// `[H, W, C]` of a picture.
pub const SHAPE: [usize; 3] = [2 * HEIGHT + GAP, WIDTH, 3];

/// Columns of wave and spectrogram.
const WIDTH: usize = 144;
/// Rows of each.
const HEIGHT: usize = 64;
const GAP: usize = 1;
/// Samples of a window of the spectrogram.
const WINDOW: usize = 256;
/// Decibels from the darkest to the brightest colour.
const RANGE: f32 = 80.0;
const GROUND: Rgb<u8> = Rgb([18, 22, 30]);
const WAVE: Rgb<u8> = Rgb([120, 220, 200]);
/// Colours of the spectrogram from −80 dB to 0.
const COLOURS: [[f32; 3]; 4] = [[0.0, 0.0, 0.0], [90.0, 20.0, 110.0], [230.0, 90.0, 50.0], [255.0, 245.0, 190.0]];

/// The pictures of sounds, for a sheet.
pub fn sounds(levels: &[Vec<u8>]) -> Vec<Vec<u8>> {
    levels.iter().map(|levels| sound(levels)).collect()
}

/// The picture of a sound, a level of the μ-law for each sample, as bytes of the form [`SHAPE`].
pub fn sound(levels: &[u8]) -> Vec<u8> {
    let samples: Vec<f32> = levels.iter().map(|&level| expand(level)).collect();
    let mut picture = RgbImage::from_pixel(WIDTH as u32, SHAPE[0] as u32, GROUND);
    draw_wave(&samples, &mut picture);
    draw_spectrogram(&samples, &mut picture);
    picture.into_raw()
}

fn draw_wave(samples: &[f32], picture: &mut RgbImage) {
    let row = |sample: f32| (0.5 * (1.0 - sample) * (HEIGHT - 1) as f32).round() as u32;
    for column in 0..WIDTH {
        let start = column * samples.len() / WIDTH;
        let end = ((column + 1) * samples.len() / WIDTH).max(start + 1).min(samples.len());
        let own = samples[start..end].iter();
        let [low, high] = own.fold([1f32, -1f32], |[low, high], &sample| [low.min(sample), high.max(sample)]);
        for y in row(high)..=row(low) {
            picture.put_pixel(column as u32, y, WAVE);
        }
    }
}

fn draw_spectrogram(samples: &[f32], picture: &mut RgbImage) {
    let hann: Vec<f32> = (0..WINDOW).map(|at| 0.5 - 0.5 * (TAU * (at as f32 + 0.5) / WINDOW as f32).cos()).collect();
    let total: f32 = hann.iter().sum();
    // A row's frequency is an odd multiple of one in 4 · HEIGHT of the rate, so a table of as many turns has all
    // phases.
    let turns: Vec<(f32, f32)> = (0..4 * HEIGHT).map(|at| (TAU * at as f32 / (4 * HEIGHT) as f32).sin_cos()).collect();
    for column in 0..WIDTH {
        let first = (column * samples.len() / WIDTH) as isize - (WINDOW / 2) as isize;
        let seen = |at: usize| samples.get((first + at as isize) as usize).map_or(0.0, |sample| sample * hann[at]);
        let window: Vec<f32> = (0..WINDOW).map(seen).collect();
        for row in 0..HEIGHT {
            let step = 2 * row + 1;
            let [mut real, mut imaginary] = [0.0; 2];
            for (at, sample) in window.iter().enumerate() {
                let (sin, cos) = turns[at * step % turns.len()];
                real += sample * cos;
                imaginary += sample * sin;
            }
            let magnitude = 2.0 * real.hypot(imaginary) / total;
            let loudness = 1.0 + 20.0 * magnitude.max(1e-9).log10() / RANGE;
            picture.put_pixel(column as u32, (SHAPE[0] - 1 - row) as u32, colour(loudness));
        }
    }
}

/// The colour of a loudness from 0 to 1.
fn colour(loudness: f32) -> Rgb<u8> {
    let place = loudness.clamp(0.0, 1.0) * (COLOURS.len() - 1) as f32;
    let below = (place as usize).min(COLOURS.len() - 2);
    let share = place - below as f32;
    let mix = |channel: usize| (1.0 - share) * COLOURS[below][channel] + share * COLOURS[below + 1][channel];
    Rgb([0, 1, 2].map(|channel| mix(channel).round() as u8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgegen_data::sound::compress;

    fn picture(sound: impl Fn(usize) -> f32) -> Vec<u8> {
        super::sound(&(0..2048).map(|at| compress(sound(at))).collect::<Vec<_>>())
    }

    #[test]
    fn a_tone_is_one_bright_line_at_its_frequency() {
        // A quarter of the rate: the middle of the spectrogram.
        let picture = picture(|at| 0.5 * (TAU * at as f32 / 4.0).sin());
        let brightness = |row: usize| -> u32 {
            let line = &picture[3 * WIDTH * (SHAPE[0] - 1 - row)..][..3 * WIDTH];
            line.iter().map(|&value| u32::from(value)).sum::<u32>() / WIDTH as u32
        };
        let brightest = (0..HEIGHT).max_by_key(|&row| brightness(row)).unwrap();
        assert!([31, 32].contains(&brightest), "row {brightest}");
        assert!(brightness(brightest) > 4 * brightness(10) && brightness(brightest) > 4 * brightness(55));
    }

    #[test]
    fn a_wave_is_drawn_where_it_is_loud() {
        let picture = picture(|at| if at < 1024 { if at % 2 == 0 { 0.9 } else { -0.9 } } else { 0.0 });
        let lit = |column: usize| (0..HEIGHT).filter(|row| picture[3 * (row * WIDTH + column)] == WAVE.0[0]).count();
        assert_eq!([lit(10), lit(60)], [58; 2]);
        assert!([1, 2].contains(&lit(100)), "silence is a line, not {} pixels", lit(100));
        // Half of the spectrogram is black, too, but for the window around the end.
        let dark = (90..WIDTH).all(|column| picture[3 * (WIDTH * (HEIGHT + GAP + 20) + column)] < 20);
        assert!(dark);
    }

    #[test]
    fn short_sounds_have_a_picture_too() {
        assert_eq!(sound(&[128; 7]).len(), SHAPE.iter().product::<usize>());
    }
}
