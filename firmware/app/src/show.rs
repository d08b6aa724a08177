//! The show: what runs on a board from power on to power off.
//!
//! One button is enough. A press goes to the next act:
//!
//! ```text
//! gallery ─► walk ─► class 0 ─► class 1 ─► … ─► gallery
//! gallery ─► walk ─► gallery                               a model without classes
//! gallery ─► walk ─► mix ─► noise ─► gallery               one with styles and noise
//! gallery ─► picture 0 ─► picture 1 ─► … ─► gallery        a model that makes images of pictures
//! gallery ─► walk ─► class 0 ─► … ─► drums ─► gallery      one that makes sound (feature `sound`)
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

use crate::act::Show;
use crate::fault::{self, NoPictures};
use crate::platform::{Platform, Watched};
use crate::screen::{Counted, ErrorOf, Screen};
use crate::stage::{Frame, RETRY_MILLIS, Stage};

/// How long an error screen stays before the model is looked at again.
const FAULT_MILLIS: u64 = 10_000;

/// Shows `model` for ever.
///
/// * `screen`: any display, or [`Buffered`](crate::Buffered).
/// * `model`: the bytes of an `.egm` file, 16-byte aligned.
/// * `arena`: working memory, at least as many bytes as the model's `Model::arena_bytes` or `edgegen inspect` says;
///   what is left of it holds sounds.
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
            Ok(model) => {
                #[cfg(feature = "sound")]
                let (arena, rest) = arena.split_at_mut(model.arena_bytes().min(arena.len()));
                match (NoPictures::find(&model), Generator::new(&model, arena)) {
                    (Some(missing), _) => text(&missing),
                    (_, Ok(generator)) => {
                        #[cfg(feature = "sound")]
                        let stage = Stage::new(generator, show, platform, rest);
                        #[cfg(not(feature = "sound"))]
                        let stage = Stage::new(generator, show, platform);
                        return perform(screen, stage, &mut more);
                    }
                    (_, Err(error)) => text(&error),
                }
            }
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
            Ok(Frame::Waiting) => {}
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
