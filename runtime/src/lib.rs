//! Runs int8 generative models on microcontrollers: no allocator, no floats, kilobytes of RAM.
//!
//! A generator only grows: to emit one row of its image, each layer needs two or three rows of the layer below. So no
//! layer ever stores its output. Every edge of the graph owns a ring of a few rows, and the image leaves row by row,
//! straight to a display.
//!
//! # Draw an image
//!
//! ```
//! # use edgegen_runtime::{Generator, Model};
//! # fn draw(bytes: &[u8], arena: &mut [i8]) -> Result<(), Box<dyn std::error::Error>> {
//! let model = Model::parse(bytes)?;               // every check there is happens here
//! let mut generator = Generator::new(&model, arena)?;
//! generator.draw(7, |row| {                       // 7 is the seed: the same bytes on every target
//!     // `row` is width × channels bytes, 0 black … 255 white: send it to the panel
//! #   assert_eq!(row.len(), usize::from(model.output().w) * usize::from(model.output().c));
//! });
//! # Ok(())
//! # }
//! # let _ = draw;
//! ```
//!
//! [`Generator::sample`] gives the rows one by one instead, for a display that sets the pace.
//! [`Generator::sample_at`] draws a [`Point`] between two seeds, or of a class.
//!
//! In firmware the bytes come from [`embed_model!`] and the memory from a static [`Arena`].
//! For Cortex-M55 and M85 it switches the vectors on with [`start_vectors!`].
//!
//! # Where things are
//!
//! | module | what it knows |
//! |---|---|
//! | [`graph`] | the model as data: shapes, operators, padding, ring heights |
//! | [`model`] | the file around it, and every check |
//! | [`stream`] | which row of which edge comes next |
//! | [`packing`] | the order of weights that each instruction set reads |
//! | [`ops`] | one file an operator: shapes, never the CPU |
//! | [`kernels`] | one file an instruction set: slices, never a shape |
//! | [`fixed`] | the arithmetic, written down once |
//! | [`latent`] | seed to latent vector, and the way from one to the next |

#![no_std]
#![deny(missing_docs, missing_debug_implementations, unsafe_code, rustdoc::broken_intra_doc_links)]

#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod error;
pub mod fixed;
pub mod graph;
pub mod kernels;
pub mod latent;
pub mod model;
pub mod ops;
pub mod packing;
pub mod stream;

pub use error::{GeneratorError, ParseError};
pub use graph::{Prior, Shape};
pub use latent::Point;
pub use model::Model;
pub use packing::Packing;
pub use stream::{Generator, Rows};

/// Working memory of a [`Generator`], aligned for every instruction set.
///
/// ```
/// # use edgegen_runtime::Arena;
/// let mut arena = Arena::<8192>::new();
/// let bytes: &mut [i8] = &mut arena.0;
/// assert_eq!(bytes.len(), 8192);
/// ```
#[derive(Debug)]
#[repr(C, align(16))]
pub struct Arena<const BYTES: usize>(pub [i8; BYTES]);

impl<const BYTES: usize> Arena<BYTES> {
    /// Zeroed memory.
    pub const fn new() -> Self {
        Self([0; BYTES])
    }
}

impl<const BYTES: usize> Default for Arena<BYTES> {
    fn default() -> Self {
        Self::new()
    }
}

/// Puts a model file into the program, aligned as [`Model::parse`] wants it: a `&'static [u8]`.
///
/// The path is relative to the source file, as for `include_bytes!`; `env!("…")` works too.
#[macro_export]
macro_rules! embed_model {
    ($path:expr) => {{
        #[repr(C, align(16))]
        struct Aligned<Bytes: ?Sized>(Bytes);
        static MODEL: &Aligned<[u8]> = &Aligned(*include_bytes!($path));
        &MODEL.0
    }};
}
