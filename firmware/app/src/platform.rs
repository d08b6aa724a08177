//! What the show asks of a board besides its panel.

use core::fmt;

#[cfg(feature = "sound")]
use crate::sound::Speaker;

/// Clock, button, watchdog and a line to the host.
///
/// Only the clock is required: a board without a button leaves [`Platform::pressed`] as it is, and the show goes on by itself
/// with [`Show::auto_seconds`](crate::Show::auto_seconds).
pub trait Platform {
    /// A free-running counter that wraps at 2³². It is looked at before each image and at each row of it, which must
    /// be more often than it wraps.
    fn ticks(&mut self) -> u32;

    /// How many ticks a second has, at least 1.
    fn ticks_per_second(&self) -> u32;

    /// Whether the button was pressed since this was asked last; once for each press. A board that polls its pin here
    /// is asked before each image and between rows.
    fn pressed(&mut self) -> bool {
        false
    }

    /// Feeds the watchdog. Called at least once a row, of sounds once every 64 samples, and all the time while the
    /// show waits: what lies between two calls is the making and sending of that, or the clearing of the panel.
    fn feed(&mut self) {}

    /// Tells the host a line, without its line break: the model, changes of mode, and what is wrong.
    fn report(&mut self, line: fmt::Arguments<'_>) {
        let _ = line;
    }

    /// Where sounds go; without a speaker their waves are on the panel for as long as they would last.
    #[cfg(feature = "sound")]
    fn speaker(&mut self) -> Option<&mut dyn Speaker> {
        None
    }
}

/// A clock, and a place for reports: all that a program without button and watchdog has.
#[derive(Debug)]
pub struct Plain<C, W> {
    /// Reads the counter.
    pub clock: C,
    /// Its ticks a second.
    pub hertz: u32,
    /// Where lines go.
    pub out: W,
}

impl<C: FnMut() -> u32, W: fmt::Write> Platform for Plain<C, W> {
    fn ticks(&mut self) -> u32 {
        (self.clock)()
    }

    fn ticks_per_second(&self) -> u32 {
        self.hertz
    }

    fn report(&mut self, line: fmt::Arguments<'_>) {
        // A lost line does not stop the picture.
        let _ = writeln!(self.out, "{line}");
    }
}

impl<P: Platform> Platform for &mut P {
    fn ticks(&mut self) -> u32 {
        (**self).ticks()
    }

    fn ticks_per_second(&self) -> u32 {
        (**self).ticks_per_second()
    }

    fn pressed(&mut self) -> bool {
        (**self).pressed()
    }

    fn feed(&mut self) {
        (**self).feed();
    }

    fn report(&mut self, line: fmt::Arguments<'_>) {
        (**self).report(line);
    }

    #[cfg(feature = "sound")]
    fn speaker(&mut self) -> Option<&mut dyn Speaker> {
        (**self).speaker()
    }
}

/// A platform that is heard.
#[cfg(feature = "sound")]
#[derive(Debug)]
pub struct WithSpeaker<P, S> {
    /// All but the speaker.
    pub platform: P,
    /// The speaker.
    pub speaker: S,
}

#[cfg(feature = "sound")]
impl<P: Platform, S: Speaker> Platform for WithSpeaker<P, S> {
    fn ticks(&mut self) -> u32 {
        self.platform.ticks()
    }

    fn ticks_per_second(&self) -> u32 {
        self.platform.ticks_per_second()
    }

    fn pressed(&mut self) -> bool {
        self.platform.pressed()
    }

    fn feed(&mut self) {
        self.platform.feed();
    }

    fn report(&mut self, line: fmt::Arguments<'_>) {
        self.platform.report(line);
    }

    fn speaker(&mut self) -> Option<&mut dyn Speaker> {
        Some(&mut self.speaker)
    }
}

/// A platform whose clock does not wrap and whose presses are not lost while a row is made.
#[derive(Debug)]
pub(crate) struct Watched<P> {
    platform: P,
    last: u32,
    now: u64,
    pressed: bool,
}

impl<P: Platform> Watched<P> {
    pub(crate) fn new(mut platform: P) -> Self {
        let last = platform.ticks();
        Self { platform, last, now: 0, pressed: false }
    }

    /// Feeds the watchdog, looks at button and clock, and gives the ticks since the start.
    pub(crate) fn turn(&mut self) -> u64 {
        self.platform.feed();
        self.pressed |= self.platform.pressed();
        let ticks = self.platform.ticks();
        self.now += u64::from(ticks.wrapping_sub(self.last));
        self.last = ticks;
        self.now
    }

    /// Whether a press waits.
    pub(crate) fn is_pressed(&self) -> bool {
        self.pressed
    }

    /// Whether the button was pressed since this was asked last.
    pub(crate) fn take_press(&mut self) -> bool {
        core::mem::take(&mut self.pressed)
    }

    /// Ticks as milliseconds.
    pub(crate) fn millis(&self, ticks: u64) -> u64 {
        ticks.saturating_mul(1000) / u64::from(self.platform.ticks_per_second().max(1))
    }

    /// Milliseconds as ticks.
    pub(crate) fn ticks(&self, millis: u64) -> u64 {
        millis.saturating_mul(u64::from(self.platform.ticks_per_second())) / 1000
    }

    pub(crate) fn report(&mut self, line: fmt::Arguments<'_>) {
        self.platform.report(line);
    }

    #[cfg(feature = "sound")]
    pub(crate) fn speaker(&mut self) -> Option<&mut dyn Speaker> {
        self.platform.speaker()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Clock(u32, bool);

    impl Platform for Clock {
        fn ticks(&mut self) -> u32 {
            self.0 = self.0.wrapping_add(1 << 31);
            self.0
        }

        fn ticks_per_second(&self) -> u32 {
            1 << 31
        }

        fn pressed(&mut self) -> bool {
            core::mem::take(&mut self.1)
        }
    }

    #[test]
    fn the_clock_goes_on_where_the_counter_wraps() {
        let mut platform = Watched::new(Clock(7, false));
        assert_eq!([platform.turn(), platform.turn(), platform.turn()], [1 << 31, 2 << 31, 3 << 31]);
        assert_eq!((platform.millis(3 << 31), platform.ticks(500)), (3000, 1 << 30));
    }

    #[test]
    fn a_press_waits_until_it_is_asked_for() {
        let mut platform = Watched::new(Clock(0, true));
        platform.turn();
        platform.turn();
        assert!(platform.take_press());
        assert!(!platform.take_press());
    }
}
