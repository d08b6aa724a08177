//! The show of a model that makes sound: each sound as a wave, drawn while it is made and then played, and the act
//! [`Act::Drums`].
//!
//! ```text
//! rows ─► a column of the wave ─► panel
//!      └► codes in memory ─► samples ─► speaker, at the right rate, while the show looks at the button and goes on
//! ```

use core::convert::Infallible;
use core::fmt::Write;

use edgegen_runtime::graph::Source;
use edgegen_runtime::latent::STEPS;
use edgegen_runtime::sound::expand;
use edgegen_runtime::{Generator, Model, latent};
use embedded_graphics::geometry::Dimensions;
use embedded_graphics::primitives::Rectangle;

use super::{Frame, Stage};
use crate::act::{Act, Offer, Show};
use crate::caption::{Caption, Layout, Name};
use crate::drums::{self, Board, Mixer, Pattern};
use crate::image::Placement;
use crate::platform::{Platform, Watched};
use crate::screen::{ErrorOf, Screen};
use crate::sound::{Trace, Waves, bytes, tenths_of_real_time};

/// Samples that are made between two looks at speaker, button and watchdog.
const AT_A_TIME: usize = 64;
/// Samples that a speaker is handed at one look at most.
const MOST_AT_ONCE: usize = 4096;
/// Silence between two sounds.
const PAUSE_MILLIS: u64 = 200;
/// Sounds from seed to seed.
const WALK: u32 = 8;

/// What the show of sounds keeps besides the stage's own.
#[derive(Debug, Default)]
pub(super) struct Sounds<'a> {
    /// Samples a second; 0 of a model that makes no sound.
    rate: u32,
    /// Samples of a sound.
    samples: usize,
    /// Codes: those of one sound, or of the drum machine's two banks.
    memory: &'a mut [i8],
    /// The next sample of the one sound, if it plays.
    playing: Option<usize>,
    mixer: Option<Mixer>,
    /// A sample for which there was no room yet.
    waiting: Option<i16>,
    /// When what plays began, and how much of it went out since: what a board without a speaker goes by.
    began: u64,
    given: u64,
    /// Voices of the next bar that are made already, and how long they took.
    made: usize,
    ticks: u64,
    /// Whether the steps are on the panel, and bar and step of the mark there.
    board: bool,
    mark: Option<(u64, u32)>,
}

impl<'a> Sounds<'a> {
    /// Those of a model, if it makes some, and what it offers with so much memory.
    pub(super) fn new<P: Platform>(
        model: &Model<'_>,
        memory: &'a mut [i8],
        platform: &mut Watched<P>,
        offer: Offer,
    ) -> (Self, Offer) {
        let Some(rate) = model.sample_rate() else { return (Self::default(), offer) };
        if let Some(speaker) = platform.speaker() {
            speaker.start(rate);
        }
        let (needed, found) = (bytes(model), memory.len());
        if found < needed {
            platform.report(format_args!("no sound: expected {needed} bytes more of arena, found {found}"));
        }
        let drums = found >= drums::bytes(model);
        let sounds = Self { rate, samples: model.output().h.into(), memory, ..Self::default() };
        (sounds, Offer { drums, ..offer })
    }

    /// Ends what plays; the speaker comes to rest at silence.
    pub(super) fn stop(&mut self) {
        if self.playing.is_some() || self.mixer.is_some() || self.waiting.is_some() {
            self.waiting = Some(0);
        }
        (self.playing, self.mixer, self.made, self.ticks) = (None, None, 0, 0);
        self.wipe();
    }

    /// What was on the panel is gone.
    pub(super) fn wipe(&mut self) {
        (self.board, self.mark) = (false, None);
    }

    fn begin(&mut self, now: u64) {
        (self.began, self.given) = (now, 0);
    }

    /// Hands the speaker as many samples as it takes.
    fn pump<P: Platform>(&mut self, platform: &mut Watched<P>) {
        let now = platform.turn();
        for _ in 0..MOST_AT_ONCE {
            let Some(sample) = self.waiting.take().or_else(|| self.next()) else { return };
            let is_taken = match platform.speaker() {
                Some(speaker) => speaker.take(sample),
                // What nobody hears takes its time all the same.
                None => self.given * 1000 < platform.millis(now - self.began) * u64::from(self.rate),
            };
            if !is_taken {
                self.waiting = Some(sample);
                return;
            }
            self.given += 1;
        }
    }

    fn next(&mut self) -> Option<i16> {
        if let Some(mixer) = &mut self.mixer {
            if mixer.is_over() && self.made == mixer.voices() {
                mixer.next_bar();
                self.made = 0;
            }
            return Some(mixer.sample(self.memory));
        }
        let next = self.playing?;
        // A sample of silence behind the last one, at which the speaker rests.
        let sample = if next < self.samples { self.memory.get(next).map_or(0, |&code| expand(code)) } else { 0 };
        self.playing = (next < self.samples).then_some(next + 1);
        Some(sample)
    }

    /// A tenth of how many times faster than they last so many sounds were made.
    fn tenths_of_real_time(&self, sounds: usize, millis: u64) -> u64 {
        tenths_of_real_time(sounds * self.samples, self.rate, millis)
    }
}

/// Makes a sound and hands its codes on, some at a time with the number of the first, with looks at speaker and button
/// in between. Returns the ticks that making it took, unless a press broke it off.
fn make<P: Platform, E>(
    generator: &mut Generator<'_>,
    platform: &mut Watched<P>,
    sounds: &mut Sounds<'_>,
    point: latent::Point,
    mut take: impl FnMut(&mut [i8], usize, &[i8]) -> Result<(), E>,
) -> Result<Option<u64>, E> {
    let (mut rows, mut ticks) = (generator.sample_at(point), 0);
    for first in (0..sounds.samples).step_by(AT_A_TIME) {
        sounds.pump(platform);
        if platform.is_pressed() {
            // The rest of the sound is not waited for: the next frame sees to the press.
            return Ok(None);
        }
        let began = platform.turn();
        let mut codes = [0; AT_A_TIME];
        let count = AT_A_TIME.min(sounds.samples - first);
        for code in codes.iter_mut().take(count) {
            let byte = rows.next_row().and_then(|row| row.first().copied());
            *code = byte.map_or(0, Source::pixel_code);
        }
        ticks += platform.turn() - began;
        take(sounds.memory, first, codes.get(..count).unwrap_or(&[]))?;
    }
    Ok(Some(ticks))
}

/// Keeps codes at a place in memory, as many as there is room for.
fn keep(memory: &mut [i8], start: usize, codes: &[i8]) {
    memory.iter_mut().skip(start).zip(codes).for_each(|(place, &code)| *place = code);
}

impl<'a, P: Platform> Stage<'a, P> {
    /// As [`Stage::open`], with memory for sounds: what is left of the arena. [`sound::bytes`](crate::sound::bytes) of
    /// it are enough to play what a model makes, [`drums::bytes`] for the drum machine.
    pub fn open_with(generator: Generator<'a>, show: &Show, platform: P, memory: &'a mut [i8]) -> Self {
        Self::new(generator, show, Watched::new(platform), memory)
    }

    /// Whether there are sounds to show.
    pub(super) fn is_sound(&self) -> bool {
        self.sounds.rate > 0
    }

    /// Looks after the speaker; whether the next frame waits for it.
    pub(super) fn is_playing(&mut self) -> bool {
        let Self { platform, sounds, .. } = self;
        let before = sounds.playing.is_some();
        sounds.pump(platform);
        let after = sounds.playing.is_some();
        if before && !after {
            self.due = self.due.max(platform.turn() + platform.ticks(PAUSE_MILLIS));
        }
        after
    }

    /// Draws and plays the next sound, or what changes of the drum machine.
    pub(super) fn sound<S: Screen>(&mut self, screen: &mut S, panel: Rectangle, now: u64) -> Result<Frame, ErrorOf<S>> {
        let layout = match self.show.caption {
            true => Layout::new(panel, |_| ()),
            false => Layout { picture: panel, caption: None },
        };
        match self.act {
            Act::Drums => self.drums(screen, layout),
            _ => self.wave(screen, layout, now),
        }
    }

    fn wave<S: Screen>(&mut self, screen: &mut S, layout: Layout, now: u64) -> Result<Frame, ErrorOf<S>> {
        let waves = Waves::fit(layout.picture);
        let (area, count, stride) = match self.act {
            Act::Gallery => (waves.cell(self.step), waves.cells(), 1),
            Act::Class(_) => (layout.picture, 1, 1),
            Act::Walk if !self.is_keyed() => (layout.picture, WALK, u32::from(STEPS) / WALK),
            _ => (layout.picture, self.steps(), 1),
        };
        let point = self.point(stride * self.step);
        let mut trace = Trace::new(area, self.sounds.samples as u32);
        let Self { generator, platform, sounds, .. } = self;
        let ticks = make(generator, platform, sounds, point, |memory, first, codes| {
            keep(memory, first, codes);
            codes.iter().try_for_each(|&code| trace.take(screen.display(), expand(code)))
        })?;
        let Some(ticks) = ticks else { return Ok(Frame::Waiting) };
        let caption = self.measure(now);
        if let Some(area) = layout.caption {
            let millis = self.platform.millis(ticks);
            let tenths_of_real_time = Some(self.sounds.tenths_of_real_time(1, millis));
            Caption { millis, tenths_of_real_time, ..caption }.draw(screen.display(), area)?;
        }
        screen.flush()?;
        let act = self.act;
        self.advance(now, count);
        if self.sounds.memory.len() >= self.sounds.samples {
            let now = self.platform.turn();
            self.sounds.begin(now);
            self.sounds.playing = Some(0);
        }
        Ok(Frame::Drawn { act, point, placement: Placement { top_left: area.top_left, scale: 1, shrink: 1 } })
    }

    fn drums<S: Screen>(&mut self, screen: &mut S, layout: Layout) -> Result<Frame, ErrorOf<S>> {
        let model = self.generator.model();
        let (voices, pattern) = (drums::voices(model), Pattern::of(self.seed));
        let names = (0..voices).map(|voice| model.class_name(voice as u16).unwrap_or(""));
        let board = Board::new(layout.picture, screen.display().bounding_box(), voices, names.clone());
        let mark = self.sounds.mixer.as_ref().map(|mixer| (mixer.bar(), mixer.step()));
        let drawn = Frame::Drawn {
            act: self.act,
            point: drums::point(model, self.seed, mark.map_or(0, |(bar, _)| bar), 0),
            placement: Placement { top_left: layout.picture.top_left, scale: 1, shrink: 1 },
        };
        if !self.sounds.board {
            names.enumerate().try_for_each(|(voice, name)| board.draw_name(screen.display(), voice, name))?;
            (0..drums::STEPS).try_for_each(|step| board.draw_step(screen.display(), &pattern, step, false))?;
            self.caption(screen, layout, 0)?;
            self.sounds.board = true;
            return screen.flush().map(|()| drawn);
        }
        if mark != self.sounds.mark {
            if let Some((_, step)) = self.sounds.mark {
                board.draw_step(screen.display(), &pattern, step, false)?;
            }
            if let Some((bar, step)) = mark {
                board.draw_step(screen.display(), &pattern, step, true)?;
                if self.sounds.mark.is_none_or(|(shown, _)| shown != bar) {
                    self.caption(screen, layout, bar)?;
                }
            }
            screen.flush()?;
            self.sounds.mark = mark;
            return Ok(drawn);
        }
        self.make_voice(voices, pattern);
        Ok(Frame::Waiting)
    }

    /// Makes a sound of the next bar if one is missing; with all of the first bar it begins.
    fn make_voice(&mut self, voices: usize, pattern: Pattern) {
        let Self { generator, platform, sounds, seed, .. } = self;
        let (bank, bar) = match &sounds.mixer {
            Some(mixer) => (mixer.free(), mixer.bar() + 1),
            None => (Some(0), 0),
        };
        let Some(bank) = bank.filter(|_| sounds.made < voices) else { return };
        let start = (bank * voices + sounds.made) * sounds.samples;
        let point = drums::point(generator.model(), *seed, bar, sounds.made);
        let Ok::<_, Infallible>(ticks) = make(generator, platform, sounds, point, |memory, first, codes| {
            keep(memory, start + first, codes);
            Ok(())
        });
        let Some(ticks) = ticks else { return };
        sounds.ticks = if sounds.made == 0 { ticks } else { sounds.ticks + ticks };
        sounds.made += 1;
        if sounds.made == voices && sounds.mixer.is_none() {
            sounds.mixer = Some(Mixer::new(pattern, voices, sounds.samples, sounds.rate));
            sounds.made = 0;
            sounds.begin(platform.turn());
        }
    }

    /// What the drum machine says of a bar.
    fn caption<S: Screen>(&mut self, screen: &mut S, layout: Layout, bar: u64) -> Result<(), ErrorOf<S>> {
        let Some(area) = layout.caption else { return Ok(()) };
        let mut class = Name::new();
        // A number of 20 digits fits.
        let _ = write!(class, "bar {}", bar + 1);
        let millis = self.platform.millis(self.sounds.ticks);
        let voices = drums::voices(self.generator.model());
        let real_time = (millis > 0).then(|| self.sounds.tenths_of_real_time(voices, millis));
        let caption = Caption {
            act: self.act,
            class,
            seed: self.seed,
            of_keyframes: false,
            millis,
            tenths_per_second: 0,
            tenths_of_real_time: real_time,
        };
        caption.draw(screen.display(), area)
    }
}
