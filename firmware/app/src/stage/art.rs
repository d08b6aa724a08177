//! The act [`Act::Art`]: a picture hangs in its frame for a while, then it slowly becomes the next.
//!
//! ```text
//! hangs, signed ─► walks, unsigned ─► hangs, signed ─► …         Show::auto_seconds, 0 for ever
//! a press: its plate, for some seconds;   a press at the plate: on to the next
//! ```

use core::fmt::Write;

use edgegen_runtime::{Model, Still};
use embedded_graphics::geometry::Dimensions;

use super::{Frame, RETRY_MILLIS, Stage};
use crate::art::{Hanging, Line, PLATE_LINES};
use crate::platform::Platform;
use crate::scatter;
use crate::screen::{ErrorOf, Screen};

/// Least time from one step of the walk to the next: ten seconds from picture to picture.
const PACE_MILLIS: u32 = 150;
/// How long a plate stays.
const PLATE_MILLIS: u64 = 8000;

/// What this act keeps besides the stage's own.
#[derive(Debug, Default)]
pub(super) struct Exhibit {
    /// When the plate was screwed on.
    plate: Option<u64>,
    /// Whether the picture on the panel is signed.
    signed: bool,
}

/// Whether a model makes pictures to hang: points of the plane and sounds are none.
pub(super) fn can_hang(model: &Model<'_>) -> bool {
    let is_sound = cfg!(feature = "sound") && model.sample_rate().is_some();
    !is_sound && !scatter::is_point(model.output())
}

impl<P: Platform> Stage<'_, P> {
    /// [`Stage::frame`] of this act.
    pub(super) fn art_frame<S: Screen>(&mut self, screen: &mut S) -> Result<Frame, ErrorOf<S>> {
        let now = self.platform.turn();
        if now < self.due {
            return Ok(Frame::Waiting);
        }
        let drawn = self.art_frame_at(screen, now);
        if drawn.is_err() {
            (self.fresh, self.exhibit.plate) = (true, None);
            self.due = self.platform.turn() + self.platform.ticks(RETRY_MILLIS);
        }
        drawn
    }

    fn art_frame_at<S: Screen>(&mut self, screen: &mut S, now: u64) -> Result<Frame, ErrorOf<S>> {
        let panel = screen.display().bounding_box();
        let hanging = Hanging::new(panel, self.generator.model().output());
        // A press waits until there is a picture that it can be about.
        let pressed = !self.fresh && self.platform.take_press();
        match self.exhibit.plate {
            Some(_) if pressed => self.leave(now),
            Some(since) if now - since < self.platform.ticks(PLATE_MILLIS) => return Ok(Frame::Waiting),
            Some(_) => (self.fresh, self.exhibit.plate) = (true, None),
            None if pressed => {
                if hanging.plate(screen.display(), &self.title())? {
                    screen.flush()?;
                    self.exhibit.plate = Some(now);
                    return Ok(Frame::Waiting);
                }
                self.leave(now);
            }
            None => {}
        }
        if self.step == 0 && self.exhibit.signed && !self.fresh {
            let hangs = self.platform.ticks(1000 * u64::from(self.show.auto_seconds));
            if hangs == 0 || now - self.entered < hangs {
                return Ok(Frame::Waiting);
            }
            self.step = 1;
        }
        self.paint(screen, &hanging, now)
    }

    fn paint<S: Screen>(&mut self, screen: &mut S, hanging: &Hanging, now: u64) -> Result<Frame, ErrorOf<S>> {
        if core::mem::take(&mut self.fresh) {
            hanging.frame(screen.display())?;
        } else if self.step == 1 {
            hanging.wipe(screen.display())?;
        }
        let (point, placement) = (self.point(self.step), hanging.picture);
        let shape = self.generator.model().output();
        let Self { generator, platform, .. } = self;
        let mut rows = generator.translate(point, Still::new(&[]));
        for y in 0..u32::from(shape.h) {
            platform.turn();
            if platform.is_pressed() {
                // All is painted anew when the plate has gone.
                return Ok(Frame::Waiting);
            }
            placement.draw_row(screen.display(), y, rows.next_row().unwrap_or(&[]), usize::from(shape.c))?;
        }
        if self.step == 0 {
            let number = self.number();
            hanging.sign(screen.display(), number)?;
            self.platform.report(format_args!("hangs {number}"));
            self.exhibit.signed = true;
        }
        screen.flush()?;
        self.due = now + self.platform.ticks(u64::from(self.show.pace_millis.max(PACE_MILLIS)));
        if self.step > 0 {
            self.step += 1;
            if self.step >= self.steps() {
                self.hang_next(now);
            }
        }
        Ok(Frame::Drawn { act: self.act, point, placement })
    }

    /// Away from what hangs; from a walk to its end.
    fn leave(&mut self, now: u64) {
        (self.fresh, self.exhibit.plate) = (true, None);
        if self.step == 0 {
            self.step = 1;
        } else {
            self.hang_next(now);
        }
    }

    fn hang_next(&mut self, now: u64) {
        (self.step, self.entered, self.exhibit.signed) = (0, now, false);
        if self.is_keyed() {
            self.keyframe = if self.keyframe + 1 < self.keyframes { self.keyframe + 1 } else { 0 };
        } else {
            self.seed = self.seed.wrapping_add(1);
        }
    }

    /// Seed, or keyframe, of the picture.
    fn number(&self) -> u64 {
        if self.is_keyed() { self.keyframe.into() } else { self.seed }
    }

    /// Model, seed, and how far it is on its way.
    fn title(&self) -> [Line; PLATE_LINES] {
        let mut lines = [const { Line::new() }; PLATE_LINES];
        let [name, seed, steps] = &mut lines;
        let model = self.generator.model();
        for letter in model.name().chars().filter(char::is_ascii) {
            if name.push(letter).is_err() {
                break;
            }
        }
        let shape = model.output();
        // The longest, a seed of 20 digits, fits.
        let _ = write!(seed, "{} {}", if self.is_keyed() { "key" } else { "seed" }, self.number());
        let _ = match self.step {
            0 => write!(steps, "{} x {} pixels", shape.w, shape.h),
            step => write!(steps, "step {step} of {}", self.steps()),
        };
        lines
    }
}
