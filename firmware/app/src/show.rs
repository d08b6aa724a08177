//! The show: what runs on a board from power on to power off.
//!
//! One button is enough. A press goes to the next act:
//!
//! ```text
//! gallery ─► walk ─► class 0 ─► class 1 ─► … ─► gallery
//! gallery ─► walk ─► gallery                               a model without classes
//! ```
//!
//! and where [`Show::auto_seconds`] says so, that time without a press is one. Nothing ends the show: a model that cannot be run
//! gives an error screen, and is looked at again after a press or some seconds; a panel that returns an error is tried again; all
//! the while the watchdog is fed. What hangs in the driver of a panel is beyond the show: give the bus a time limit,
//! or leave it to the watchdog.

use core::cell::Cell;
use core::fmt::{Debug, Display, Write};

use edgegen_runtime::{Generator, Model};
use heapless::String;

use crate::fault;
use crate::platform::{Platform, Watched};
use crate::screen::{Counted, ErrorOf, Screen};
use crate::stage::Stage;

/// How long a refused model or a failing panel is left alone.
pub(crate) const RETRY_MILLIS: u64 = 1000;
/// How long an error screen stays before the model is looked at again.
const FAULT_MILLIS: u64 = 10_000;

/// What to show, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Show {
    /// First seed.
    pub seed: u64,
    /// First act.
    pub act: Act,
    /// Least time from one image to the next, in milliseconds; slower boards take their time.
    pub pace_millis: u32,
    /// How long a full gallery stays before it is drawn anew, in milliseconds.
    pub gallery_millis: u32,
    /// After so many seconds without a press the show goes on by itself; 0 for never.
    pub auto_seconds: u32,
    /// Seed, class, frame time and frames a second beside the picture, where there is room.
    pub caption: bool,
}

impl Default for Show {
    /// Seed 1, gallery first, 20 images a second at most, a gallery for 5 seconds, a new act each minute, with captions.
    fn default() -> Self {
        Self { seed: 1, act: Act::Gallery, pace_millis: 50, gallery_millis: 5000, auto_seconds: 60, caption: true }
    }
}

impl Show {
    /// Reads words such as `walk seed=7` or `class=3 pace=100 auto=0`, in any order; others (a program's name) are passed over.
    ///
    /// `gallery`, `walk` and `class=` (or `class`, the first one) name the first act; `seed=`, `pace=` (milliseconds) and `auto=` (seconds)
    /// are as the fields; `bare` leaves the captions out.
    pub fn parse(line: &str) -> Self {
        let mut show = Self::default();
        for word in line.split_ascii_whitespace() {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match key {
                "gallery" => show.act = Act::Gallery,
                "walk" => show.act = Act::Walk,
                "class" => show.act = Act::Class(value.parse().unwrap_or(0)),
                "seed" => show.seed = value.parse().unwrap_or(show.seed),
                "pace" => show.pace_millis = value.parse().unwrap_or(show.pace_millis),
                "auto" => show.auto_seconds = value.parse().unwrap_or(show.auto_seconds),
                "bare" => show.caption = false,
                _ => {}
            }
        }
        show
    }
}

/// What is on the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A grid of images, one seed each, drawn one after the other; then the next seeds.
    Gallery,
    /// One large image on its way from seed to seed, [`STEPS`](edgegen_runtime::latent::STEPS) steps each; of a model with
    /// [`Keyframes`](edgegen_runtime::latent::Keyframes) on the way through them.
    Walk,
    /// As [`Act::Walk`], with the class held.
    Class(u16),
}

impl Act {
    /// The act that follows, for a model of `classes` classes.
    pub fn next(self, classes: u16) -> Self {
        let class = match self {
            Act::Gallery => return Act::Walk,
            Act::Walk => 0,
            Act::Class(class) => class.saturating_add(1),
        };
        if class < classes { Act::Class(class) } else { Act::Gallery }
    }
}

impl Display for Act {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Act::Gallery => f.write_str("gallery"),
            Act::Walk => f.write_str("walk"),
            Act::Class(class) => write!(f, "class {class}"),
        }
    }
}

/// Shows `model` for ever.
///
/// * `screen`: any display, or [`Buffered`](crate::Buffered).
/// * `model`: the bytes of an `.egm` file, 16-byte aligned.
/// * `arena`: working memory. A model says in its header how many bytes it needs.
pub fn show<S>(screen: &mut S, model: &[u8], arena: &mut [i8], show: &Show, platform: impl Platform) -> !
where
    S: Screen,
    ErrorOf<S>: Debug,
{
    let mut platform = platform;
    loop {
        show_while(screen, model, arena, show, &mut platform, || true);
    }
}

/// As [`show`], as long as `more` says so, which is asked before each frame: for programs that end.
pub fn show_while<S>(
    screen: &mut S,
    model: &[u8],
    arena: &mut [i8],
    show: &Show,
    platform: impl Platform,
    mut more: impl FnMut() -> bool,
) where
    S: Screen,
    ErrorOf<S>: Debug,
{
    let mut platform = Watched::new(platform);
    while more() {
        // The error screen is drawn with nothing borrowed from the model, which is read again afterwards.
        let reason = match Model::parse(model) {
            Ok(model) => match Generator::new(&model, arena) {
                Ok(generator) => return perform(screen, Stage::new(generator, show, platform), &mut more),
                Err(error) => text(&error),
            },
            Err(error) => text(&error),
        };
        platform.report(format_args!("fault {reason}"));
        refuse(screen, &reason, &mut platform, &mut more);
    }
}

/// As [`show`], for so many images, or as many error screens: for programs that end.
pub fn show_images<S>(screen: &mut S, model: &[u8], arena: &mut [i8], show: &Show, platform: impl Platform, images: u64)
where
    S: Screen,
    ErrorOf<S>: Debug,
{
    let drawn = Cell::new(0);
    show_while(&mut Counted { screen, drawn: &drawn }, model, arena, show, platform, || drawn.get() < images);
}

/// Frame after frame.
fn perform<S, P>(screen: &mut S, mut stage: Stage<'_, P>, more: &mut impl FnMut() -> bool)
where
    S: Screen,
    ErrorOf<S>: Debug,
    P: Platform,
{
    let mut failing = false;
    while more() {
        match stage.frame(screen) {
            Ok(crate::stage::Frame::Waiting) => {}
            Ok(_) => {
                if core::mem::take(&mut failing) {
                    stage.report(format_args!("panel works again"));
                }
            }
            Err(error) => {
                if !core::mem::replace(&mut failing, true) {
                    stage.report(format_args!("panel fails: {error:?}; trying again"));
                }
            }
        }
    }
}

/// An error screen, until the button is pressed or some time is over.
fn refuse<S, P>(screen: &mut S, reason: &str, platform: &mut Watched<P>, more: &mut impl FnMut() -> bool)
where
    S: Screen,
    ErrorOf<S>: Debug,
    P: Platform,
{
    let began = platform.turn();
    let (mut shown, mut due, mut failing) = (false, began, false);
    while more() {
        let now = platform.turn();
        if platform.take_press() || now - began > platform.ticks(FAULT_MILLIS) {
            return;
        }
        if shown || now < due {
            continue;
        }
        due = now + platform.ticks(RETRY_MILLIS);
        match fault::show(screen.display(), reason).and_then(|()| screen.flush()) {
            Ok(()) => shown = true,
            Err(error) if !failing => {
                failing = true;
                platform.report(format_args!("panel fails: {error:?}; trying again"));
            }
            Err(_) => {}
        }
    }
}

/// What does not fit in the buffer would not fit on a panel either.
fn text(reason: &dyn Display) -> String<256> {
    let mut text = String::new();
    let _ = write!(text, "{reason}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_in_words() {
        let show = Show::parse("firmware.elf class=3 seed=18446744073709551615 auto=0 pace=7 bare");
        let expected = Show {
            seed: u64::MAX,
            act: Act::Class(3),
            pace_millis: 7,
            auto_seconds: 0,
            caption: false,
            ..Show::default()
        };
        assert_eq!(show, expected);
        assert_eq!(Show::parse("walk").act, Act::Walk);
        assert_eq!(Show::parse("class").act, Act::Class(0));
        assert_eq!(Show::parse("walking seed=x"), Show::default());
    }

    #[test]
    fn the_button_goes_round() {
        assert_eq!([Act::Gallery.next(0), Act::Walk.next(0)], [Act::Walk, Act::Gallery]);
        let round = [Act::Gallery, Act::Walk, Act::Class(0), Act::Class(1)];
        assert_eq!(round.map(|act| act.next(2)), [Act::Walk, Act::Class(0), Act::Class(1), Act::Gallery]);
        assert_eq!(Act::Class(u16::MAX).next(u16::MAX), Act::Gallery);
    }
}
