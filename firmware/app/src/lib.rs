#![doc = include_str!("../README.md")]
//!
//! ## One gallery
//!
//! [`run`] draws one gallery and returns, for tests and for photos:
//!
//! ```
//! use edgegen_app::{Ending, Request, run};
//! # use embedded_graphics::mock_display::MockDisplay;
//! # use embedded_graphics::pixelcolor::Gray4;
//! # let mut display = MockDisplay::<Gray4>::new();
//! # display.set_allow_overdraw(true);
//! # display.set_allow_out_of_bounds_drawing(true);
//! # let (model_bytes, mut arena, mut text) = ([0u8; 4], [0i8; 16], String::new());
//! let request = Request::parse("seed=7 rows");    // from a command line, a serial port or a button
//! let clock = || 0;                               // ticks of the board's timer
//! let ending = run(&mut display, &model_bytes, &mut arena, &request, &mut text, clock)?;
//! assert_eq!(ending, Ending::Fault);              // four zero bytes are no model: the panel and `text` say so
//! # Ok::<(), core::convert::Infallible>(())
//! ```
//!
//! ## Where things are
//!
//! | module | what it knows |
//! |---|---|
//! | [`color`] | image bytes to the panel's colours, with dithering where there are two |
//! | [`image`] | where one image goes, and how a row becomes pixels |
//! | [`pair`] | a picture that a model reads beside the image made of it |
//! | [`gallery`] | a grid of images, one seed each |
//! | [`scatter`] | points of the plane as dots |
//! | [`fault`] | an error on the panel |
//! | [`report`] | the text that a board sends to its host |
//! | [`act`] | what the show shows, and how fast |
//! | `art` | a frame around a picture, its signature and its plate (feature `art`) |
//! | `sound` | a wave on the panel, and where its samples go (feature `sound`) |
//! | `drums` | a bar of sixteen steps (feature `sound`) |
//! | [`show`](mod@show) | the show that goes on for ever: button, faults |
//! | [`stage`] | the show one frame at a time |
//! | [`caption`] | the words beside a picture, and the room for them |
//! | [`platform`] | what the show asks of a board besides its panel |
//! | [`overlap`] | rows that travel by DMA while the next are made |
//! | [`screen`] | displays that show at once and displays that must be told |
//! | [`setup`] | how a person's panel differs from the board's |

#![no_std]
#![deny(missing_docs, missing_debug_implementations, unsafe_code, rustdoc::broken_intra_doc_links)]

#[cfg(test)]
extern crate std;

pub mod act;
#[cfg(feature = "art")]
pub mod art;
pub mod caption;
pub mod color;
#[cfg(feature = "sound")]
pub mod drums;
pub mod fault;
pub mod gallery;
pub mod image;
pub mod overlap;
pub mod pair;
pub mod platform;
pub mod report;
pub mod scatter;
pub mod screen;
pub mod setup;
pub mod show;
#[cfg(feature = "sound")]
pub mod sound;
pub mod stage;

pub use act::{Act, Show};
pub use color::PanelColor;
pub use gallery::GalleryReport;
pub use image::{Placement, RowSource};
pub use overlap::{DoubleBuffered, Polled, RowBus};
pub use pair::Pair;
#[cfg(feature = "sound")]
pub use platform::WithSpeaker;
pub use platform::{Plain, Platform};
pub use report::{Reporter, Request};
pub use screen::{Buffered, Screen};
pub use setup::PanelSetup;
pub use show::{show, show_images, show_while};
#[cfg(feature = "sound")]
pub use sound::Speaker;
pub use stage::{Frame, Stage};

use core::fmt::{Display, Write};

use edgegen_runtime::{Generator, Model};
use embedded_graphics::draw_target::DrawTarget;
use heapless::String;

/// How a [`run`] came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The gallery is on the panel.
    Done(GalleryReport),
    /// The model cannot be run; the reason is on the panel and in the report.
    Fault,
}

/// Draws the gallery of `model` and reports on `out`; a model that cannot be run gives an error screen instead.
///
/// * `model`: the bytes of an `.egm` file, 16-byte aligned.
/// * `arena`: working memory, at least as many bytes as the model's `Model::arena_bytes` or `edgegen inspect` says.
/// * `clock`: a free-running counter, wrapping at 2³²; only differences are used.
///
/// # Errors
///
/// Those of the display.
pub fn run<D>(
    display: &mut D,
    model: &[u8],
    arena: &mut [i8],
    request: &Request,
    out: impl Write,
    clock: impl FnMut() -> u32,
) -> Result<Ending, D::Error>
where
    D: DrawTarget,
    D::Color: PanelColor,
{
    let mut report = Reporter::new(out, clock, request.rows);
    let refuse = |display: &mut D, reason: &dyn Display, report: &mut Reporter<_, _>| {
        let mut text = String::<256>::new();
        // What does not fit in the buffer would not fit on a panel either.
        let _ = write!(text, "{reason}");
        fault::show(display, &text)?;
        report.fault(reason);
        Ok(Ending::Fault)
    };

    let model = match Model::parse(model) {
        Ok(model) => model,
        Err(error) => return refuse(display, &error, &mut report),
    };
    if let Some(missing) = fault::NoPictures::find(&model) {
        return refuse(display, &missing, &mut report);
    }
    report.model(model.name(), model.output(), model.arena_bytes());
    let mut generator = match Generator::new(&model, arena) {
        Ok(generator) => generator,
        Err(error) => return refuse(display, &error, &mut report),
    };
    let gallery = gallery::run(display, &mut generator, request.seed, &mut report)?;
    report.done(&gallery);
    Ok(Ending::Done(gallery))
}
