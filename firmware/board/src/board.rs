//! What the show asks of a board: clock, button, watchdog, and a line to the host.

use core::fmt::{self, Write};

use edgegen_app::Platform;

use crate::Timer;

/// How long a button's contacts may bounce: what happens within this time of a press or a release is part of it.
const BOUNCE_MILLIS: u32 = 20;

/// A board with a button and a watchdog.
#[derive(Debug)]
pub struct Board<T, B, W, H = Nobody> {
    clock: T,
    button: B,
    watchdog: W,
    host: H,
    down: bool,
    /// When the button last went down or up.
    moved: u32,
}

/// No host: what a board reports is lost.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Write for Nobody {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}

impl<T: Timer, B: FnMut() -> bool, W: FnMut()> Board<T, B, W> {
    /// `button` tells whether the button is held down, `watchdog` feeds the watchdog.
    pub fn new(clock: T, button: B, watchdog: W) -> Self {
        Self { clock, button, watchdog, host: Nobody, down: false, moved: clock.now() }
    }

    /// The same board with a host that hears its reports, say through a serial port.
    pub fn with_host<H: Write>(self, host: H) -> Board<T, B, W, H> {
        let Self { clock, button, watchdog, down, moved, .. } = self;
        Board { clock, button, watchdog, host, down, moved }
    }
}

impl<T: Timer, B: FnMut() -> bool, W: FnMut(), H: Write> Platform for Board<T, B, W, H> {
    fn ticks(&mut self) -> u32 {
        self.clock.now()
    }

    fn ticks_per_second(&self) -> u32 {
        self.clock.hertz()
    }

    fn pressed(&mut self) -> bool {
        let (now, down) = (self.clock.now(), (self.button)());
        let settled = now.wrapping_sub(self.moved) > self.clock.hertz() / 1000 * BOUNCE_MILLIS;
        if down == self.down || !settled {
            return false;
        }
        (self.down, self.moved) = (down, now);
        down
    }

    fn feed(&mut self) {
        (self.watchdog)();
    }

    fn report(&mut self, line: fmt::Arguments<'_>) {
        // A lost line does not stop the picture.
        let _ = writeln!(self.host, "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::string::String;

    impl Timer for &Cell<u32> {
        fn now(self) -> u32 {
            self.get()
        }

        fn hertz(self) -> u32 {
            1000
        }
    }

    #[test]
    fn a_bouncing_button_is_pressed_once() {
        // 10 ms before the counter wraps.
        let (clock, down) = (Cell::new(u32::MAX - 9), Cell::new(false));
        let mut board = Board::new(&clock, || down.get(), || {});
        let mut at = |millis: u32, held: bool| {
            clock.set((u32::MAX - 9).wrapping_add(millis));
            down.set(held);
            board.pressed()
        };
        let seen = [(5, true), (30, true), (31, false), (33, true), (60, true), (90, false), (92, true), (120, true)];
        let pressed = seen.map(|(millis, held)| at(millis, held));
        // At 5 it has just started; at 31 and 92 the contacts bounce; the release at 90 is none.
        assert_eq!(pressed, [false, true, false, false, false, false, false, true]);
    }

    #[test]
    fn the_host_hears_lines() {
        let (clock, mut heard, fed) = (Cell::new(0), String::new(), Cell::new(0));
        let mut board = Board::new(&clock, || false, || fed.set(fed.get() + 1)).with_host(&mut heard);
        board.report(format_args!("walk from seed {}", 7));
        board.feed();
        assert_eq!((heard.as_str(), fed.get()), ("walk from seed 7\n", 1));
    }
}
