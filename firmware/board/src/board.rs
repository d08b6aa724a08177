//! What the show asks of a board: clock, button, watchdog.

use edgegen_app::Platform;

use crate::Clock;

/// How long a button's contacts may bounce: what happens within this time of a press or a release is part of it.
const BOUNCE_MILLIS: u32 = 20;

/// A board with a button and a watchdog.
#[derive(Debug)]
pub struct Board<B, W> {
    clock: Clock,
    button: B,
    watchdog: W,
    down: bool,
    /// When the button last went down or up.
    moved: u32,
}

impl<B: FnMut() -> bool, W: FnMut()> Board<B, W> {
    /// `button` tells whether the button is held down, `watchdog` feeds the watchdog.
    pub fn new(clock: Clock, button: B, watchdog: W) -> Self {
        Self { clock, button, watchdog, down: false, moved: clock.now() }
    }
}

impl<B: FnMut() -> bool, W: FnMut()> Platform for Board<B, W> {
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
}
