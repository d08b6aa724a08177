//! A drum machine: a bar of sixteen steps, on each of which some of a model's sounds begin. Of the feature `sound`.
//!
//! A voice is a class, or of a model without classes one of four seeds. When each begins follows from the seed:
//! a Euclidean rhythm (Toussaint, "The Euclidean Algorithm Generates Traditional Musical Rhythms", 2005), which is so
//! many beats as evenly over the steps as whole numbers allow, from a step of its own on.

use edgegen_runtime::sound::expand;
use edgegen_runtime::{Model, Prior, latent};
use embedded_graphics::Drawable;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::{Baseline, Text};

use crate::PanelColor;
use crate::caption::font;

/// Steps of a bar, sixteenths.
pub const STEPS: u32 = 16;
/// Voices at most.
pub const VOICES: usize = 8;
/// Voices of a model without classes.
const SEEDS: usize = 4;
/// Steps a second: 120 beats a minute, four steps a beat.
const STEPS_PER_SECOND: u32 = 8;
/// How many beats a voice can have; the first voice, which carries the bar, has one of the middle ones.
const BEATS: [u32; 6] = [2, 3, 4, 5, 7, 8];
/// Letters of a name at most.
const NAME_LETTERS: u32 = 5;
/// Grey of a step without a beat, of one with a beat, and of a beat that sounds, like that of the mark.
const EMPTY: u8 = 40;
const BEAT: u8 = 150;
const NOW: u8 = 255;

/// How many voices a model has.
pub fn voices(model: &Model<'_>) -> usize {
    match usize::from(model.classes()) {
        0 => SEEDS,
        classes => classes.min(VOICES),
    }
}

/// Where the sound of a voice in a bar lies in latent space: other sounds in each bar.
pub fn point(model: &Model<'_>, seed: u64, bar: u64, voice: usize) -> latent::Point {
    let at = latent::Point::seed(seed.wrapping_add(bar.wrapping_mul(VOICES as u64)).wrapping_add(voice as u64));
    if model.classes() > 0 { at.of_class(voice as u16) } else { at }
}

/// Which voice begins on which step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    /// A bit for each step, the first one lowest.
    beats: [u16; VOICES],
}

impl Pattern {
    /// The pattern of a seed.
    pub fn of(seed: u64) -> Self {
        let mut drawn = [0; 2 * VOICES];
        latent::fill(Prior::Uniform, seed, &mut drawn);
        let mut beats = [0; VOICES];
        for (index, (beats, drawn)) in beats.iter_mut().zip(drawn.chunks_exact(2)).enumerate() {
            let [count, first] = [0, 1].map(|at| drawn.get(at).map_or(0, |&code| u32::from(code as u8)));
            let choice = if index == 0 { &BEATS[2..4] } else { &BEATS[..] };
            let count = choice.get(count as usize % choice.len()).copied().unwrap_or(1);
            let first = if index == 0 { 0 } else { first };
            *beats = (0..STEPS).filter(|step| (step + first) * count % STEPS < count).map(|step| 1 << step).sum();
        }
        Self { beats }
    }

    /// Whether a voice begins on a step of the bar.
    pub fn begins(&self, voice: usize, step: u32) -> bool {
        self.beats.get(voice).is_some_and(|beats| beats >> (step % STEPS) & 1 == 1)
    }
}

/// Mixes the sounds of a bar. There are two banks of sounds: one plays while the other is made.
#[derive(Clone, Copy, Debug)]
pub struct Mixer {
    pattern: Pattern,
    voices: usize,
    /// Samples of a sound, and of a step.
    samples: usize,
    step_samples: u32,
    /// Samples of the bar so far, and the bar.
    at: u32,
    bar: u64,
    /// The bank that begins to sound on a beat.
    bank: usize,
    /// Bank and next sample of what sounds.
    sounding: [Option<(usize, usize)>; VOICES],
}

impl Mixer {
    /// Before the first bar, whose sounds are in bank 0: `voices` sounds of `samples` samples, one behind the other.
    pub fn new(pattern: Pattern, voices: usize, samples: usize, rate: u32) -> Self {
        let step_samples = (rate / STEPS_PER_SECOND).max(1);
        Self { pattern, voices, samples, step_samples, at: 0, bar: 0, bank: 0, sounding: [None; VOICES] }
    }

    /// The step of the bar whose samples come.
    pub fn step(&self) -> u32 {
        (self.at / self.step_samples).min(STEPS - 1)
    }

    /// How many voices there are.
    pub fn voices(&self) -> usize {
        self.voices
    }

    /// The bar, from 0.
    pub fn bar(&self) -> u64 {
        self.bar
    }

    /// The bank that does not play, once nothing of it sounds any more.
    pub fn free(&self) -> Option<usize> {
        let other = 1 - self.bank;
        let sounds = self.sounding.iter().flatten().any(|&(bank, _)| bank == other);
        (!sounds).then_some(other)
    }

    /// Whether the bar is over. [`Mixer::next_bar`] begins another one, and [`Mixer::sample`] else the same again.
    pub fn is_over(&self) -> bool {
        self.at >= STEPS * self.step_samples
    }

    /// Begins the next bar with the sounds of the other bank.
    pub fn next_bar(&mut self) {
        (self.at, self.bar, self.bank) = (0, self.bar + 1, 1 - self.bank);
    }

    /// The next sample: half the sum of what sounds, so that two loud voices together are not clipped.
    pub fn sample(&mut self, banks: &[i8]) -> i16 {
        if self.is_over() {
            self.at = 0;
        }
        if self.at.is_multiple_of(self.step_samples) {
            let step = self.step();
            for voice in (0..self.voices).filter(|&voice| self.pattern.begins(voice, step)) {
                if let Some(sounding) = self.sounding.get_mut(voice) {
                    *sounding = Some((self.bank, 0));
                }
            }
        }
        self.at += 1;
        let mut sum = 0;
        for (voice, sounding) in self.sounding.iter_mut().enumerate() {
            let Some((bank, next)) = sounding else { continue };
            let place = (*bank * self.voices + voice) * self.samples + *next;
            sum += i32::from(expand(banks.get(place).copied().unwrap_or(0)));
            *next += 1;
            if *next >= self.samples {
                *sounding = None;
            }
        }
        (sum / 2).clamp(-i32::from(i16::MAX), i16::MAX.into()) as i16
    }
}

/// The steps on the panel: a row for each voice, a column for each step, and below a mark that goes along.
#[derive(Clone, Copy, Debug)]
pub struct Board {
    /// Of the steps, at the right of the names.
    area: Rectangle,
    voices: u32,
    /// Width of the names, and their letters; none where nothing has a name or the panel is too small.
    names: Option<(u32, &'static MonoFont<'static>)>,
}

impl Board {
    /// All of an area of a panel. The names of the voices stand at its left, where they have some and there is room.
    pub fn new<'n>(area: Rectangle, panel: Rectangle, voices: usize, names: impl Iterator<Item = &'n str>) -> Self {
        let voices = voices.max(1) as u32;
        let font = font(panel);
        let letters = names.map(|name| name.len() as u32).max().unwrap_or(0).min(NAME_LETTERS);
        let width = letters * font.character_size.width + font.character_size.width / 2;
        let has_room = 4 * width <= area.size.width && voices * font.character_size.height <= area.size.height;
        if letters == 0 || !has_room {
            return Self { area, voices, names: None };
        }
        let steps = Rectangle::new(area.top_left + Size::new(width, 0), area.size - Size::new(width, 0));
        Self { area: steps, voices, names: Some((width, font)) }
    }

    /// Writes the name of a voice beside its row.
    ///
    /// # Errors
    ///
    /// Those of the display.
    pub fn draw_name<D>(&self, display: &mut D, voice: usize, name: &str) -> Result<(), D::Error>
    where
        D: DrawTarget,
        D::Color: PanelColor,
    {
        let Some((width, font)) = self.names else { return Ok(()) };
        let style = MonoTextStyle::new(font, D::Color::from_grey(255, Point::zero()));
        let pitch = self.pitch();
        let down = voice as u32 * pitch + pitch.saturating_sub(font.character_size.height) / 2;
        let at = self.area.top_left + Size::new(0, down) - Size::new(width, 0);
        let end = name.char_indices().nth(NAME_LETTERS as usize).map_or(name.len(), |(end, _)| end);
        let name = name.get(..end).unwrap_or("");
        Text::with_baseline(name, at, style, Baseline::Top).draw(display).map(|_| ())
    }

    /// From one voice to the next.
    fn pitch(&self) -> u32 {
        self.area.size.height.saturating_sub(self.mark()) / self.voices
    }

    /// Height of the mark.
    fn mark(&self) -> u32 {
        (self.area.size.height / 24).max(1)
    }

    /// Draws the column of a step; `is_now` where the bar is there.
    ///
    /// # Errors
    ///
    /// Those of the display.
    pub fn draw_step<D>(&self, display: &mut D, pattern: &Pattern, step: u32, is_now: bool) -> Result<(), D::Error>
    where
        D: DrawTarget,
        D::Color: PanelColor,
    {
        let [left, right] = [step, step + 1].map(|step| step * self.area.size.width / STEPS);
        // Nothing between cells that have no room for it.
        let gapped = |side: u32| side - (side / 8).clamp(u32::from(side > 1), 4);
        let (width, pitch) = (gapped((right - left).max(1)), self.pitch());
        let left = self.area.top_left + Size::new(left, 0);
        for voice in 0..self.voices {
            let cell = Rectangle::new(left + Size::new(0, voice * pitch), Size::new(width, gapped(pitch)));
            let grey = match (pattern.begins(voice as usize, step), is_now) {
                (false, _) => EMPTY,
                (true, false) => BEAT,
                (true, true) => NOW,
            };
            fill(display, cell, if grey == EMPTY && D::Color::DITHERED { 0 } else { grey })?;
            if grey == EMPTY && D::Color::DITHERED {
                // Two or sixteen greys: a dot says more than a few of its pixels.
                let dot = Rectangle::with_center(cell.center(), Size::new_equal(1));
                fill(display, dot.intersection(&cell), NOW)?;
            }
        }
        let bottom = self.area.size.height.saturating_sub(self.mark());
        let mark = Rectangle::new(left + Size::new(0, bottom), Size::new(width, self.mark()));
        fill(display, mark.intersection(&self.area), if is_now { NOW } else { 0 })
    }
}

fn fill<D>(display: &mut D, area: Rectangle, grey: u8) -> Result<(), D::Error>
where
    D: DrawTarget,
    D::Color: PanelColor,
{
    let at = |index: u32| {
        let width = area.size.width.max(1);
        area.top_left + Size::new(index % width, index / width)
    };
    let pixels = area.size.width * area.size.height;
    display.fill_contiguous(&area, (0..pixels).map(|index| D::Color::from_grey(grey, at(index))))
}

/// Room for the two banks of a model, in bytes.
pub fn bytes(model: &Model<'_>) -> usize {
    model.sample_rate().map_or(0, |_| 2 * voices(model) * usize::from(model.output().h))
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::mock_display::MockDisplay;
    use embedded_graphics::pixelcolor::Gray8;
    use embedded_graphics::prelude::GrayColor;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn beats_are_as_even_as_whole_numbers_allow() {
        for seed in 0..200 {
            let pattern = Pattern::of(seed);
            for voice in 0..VOICES {
                let beats: Vec<u32> = (0..STEPS).filter(|&step| pattern.begins(voice, step)).collect();
                assert!(BEATS.contains(&(beats.len() as u32)), "seed {seed}, voice {voice}: {beats:?}");
                let around = beats.iter().cycle().skip(1);
                let gaps: Vec<u32> =
                    beats.iter().zip(around).map(|(one, next)| (next + STEPS - one - 1) % STEPS).collect();
                let [least, most] = [gaps.iter().min().unwrap(), gaps.iter().max().unwrap()];
                assert!(most - least <= 1, "seed {seed}, voice {voice}: {beats:?}");
            }
            assert!(pattern.begins(0, 0), "the first voice begins the bar");
        }
        assert!((0..20).map(Pattern::of).collect::<Vec<_>>().windows(2).any(|pair| pair[0] != pair[1]));
    }

    /// Two voices of three samples, eight samples a second: a step a sample.
    #[test]
    fn the_mixer_sums_what_sounds() {
        let pattern = Pattern { beats: [0b1, 0b100, 0, 0, 0, 0, 0, 0] };
        let mut mixer = Mixer::new(pattern, 2, 3, 8);
        let banks: Vec<i8> = vec![127, 100, 50, 127, 127, 127, /* the other bank */ 1, 2, 3, 0, 0, -127];
        assert_eq!(mixer.free(), Some(1));
        let heard: Vec<i16> = (0..16).map(|_| mixer.sample(&banks)).collect();
        let half = |codes: &[i8]| (codes.iter().map(|&code| i32::from(expand(code))).sum::<i32>() / 2) as i16;
        assert_eq!(heard[..6], [half(&[127]), half(&[100]), half(&[50, 127]), half(&[127]), half(&[127]), 0]);
        assert!(heard[6..].iter().all(|&sample| sample == 0) && mixer.is_over());
        mixer.next_bar();
        assert_eq!((mixer.bar(), mixer.step(), mixer.free()), (1, 0, Some(0)));
        let heard: Vec<i16> = (0..5).map(|_| mixer.sample(&banks)).collect();
        assert_eq!(heard, [half(&[1]), half(&[2]), half(&[3]), 0, half(&[-127])]);
    }

    #[test]
    fn what_still_sounds_is_not_made_anew() {
        let mut mixer = Mixer::new(Pattern { beats: [1 << 15, 0, 0, 0, 0, 0, 0, 0] }, 1, 4, 8);
        let banks = [10, 20, 30, 40, 1, 2, 3, 4];
        (0..16).for_each(|_| _ = mixer.sample(&banks));
        mixer.next_bar();
        assert_eq!(mixer.free(), None, "three samples of the last beat are left");
        let heard: Vec<i16> = (0..4).map(|_| 2 * mixer.sample(&banks)).collect();
        assert_eq!(heard, [20, 30, 40, 0].map(|code| expand(code) / 2 * 2));
        assert_eq!(mixer.free(), Some(0));
    }

    #[test]
    fn a_bar_without_new_sounds_comes_again() {
        let mut mixer = Mixer::new(Pattern { beats: [0b11; VOICES] }, 1, 1, 8);
        let bar = |mixer: &mut Mixer| (0..16).map(|_| mixer.sample(&[90, 0])).collect::<Vec<_>>();
        assert_eq!(bar(&mut mixer), bar(&mut mixer));
        assert_eq!(mixer.bar(), 0);
    }

    #[test]
    fn loud_voices_are_clipped_at_full_scale() {
        let mut mixer = Mixer::new(Pattern { beats: [1; VOICES] }, VOICES, 1, 8);
        assert_eq!(mixer.sample(&[127; VOICES]), i16::MAX);
        let mut mixer = Mixer::new(Pattern { beats: [1; VOICES] }, VOICES, 1, 8);
        assert_eq!(mixer.sample(&[-127; VOICES]), -i16::MAX);
    }

    #[test]
    fn a_step_lies_in_its_column() {
        let pattern = Pattern { beats: [0b10, 0, 0, 0, 0, 0, 0, 0] };
        for (width, height, voices) in [(64, 60, 4), (16, 9, 8), (5, 5, 4), (1, 1, 1), (0, 0, 2)] {
            let area = Rectangle::new(Point::zero(), Size::new(width, height));
            let board = Board::new(area, area, voices, core::iter::empty());
            let mut display = MockDisplay::<Gray8>::new();
            // Where there are fewer columns than steps some share one.
            display.set_allow_overdraw(width < STEPS);
            for step in 0..STEPS {
                board.draw_step(&mut display, &pattern, step, step == 1).unwrap();
            }
            let drawn = display.affected_area();
            assert!(drawn.intersection(&area) == drawn);
            if width == 64 {
                let grey = |x, y| display.get_pixel(Point::new(x, y)).map(|grey| grey.luma());
                assert_eq!([grey(0, 0), grey(4, 0), grey(4, 20)], [Some(EMPTY), Some(NOW), Some(EMPTY)]);
                assert_eq!([grey(0, 59), grey(4, 59)], [Some(0), Some(NOW)]);
            }
        }
    }
}
