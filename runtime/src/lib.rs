#![doc = include_str!("../README.md")]
//!
//! ## Where things are
//!
//! | module | what it knows |
//! |---|---|
//! | [`graph`] | the model as data: nodes with their shapes, reads, padding, ring heights |
//! | [`mod@format`] | the file around it |
//! | `about` | name and metadata, decoded when asked for |
//! | [`walk`] | which row of which node comes next |
//! | `arena` | where rows lie in memory |
//! | `weights` | where weights and tables lie in the file |
//! | [`ops`] | one file an operator: shapes, never the CPU |
//! | `rules` | what is checked before anything is drawn |
//! | [`model`] | a checked model |
//! | [`stream`] | the rows of an image |
//! | [`packing`] | the order of weights that each instruction set reads |
//! | [`kernels`] | one file an instruction set: slices, never a shape |
//! | [`fixed`] | the arithmetic, written down once |
//! | [`latent`] | seed to latent vector and noise, and the way from one to the next |
//! | [`pictures`] | images that a model brings along, to read |
//! | [`sound`] | images of one column as samples of sound |

#![no_std]
#![deny(missing_docs, missing_debug_implementations, unsafe_code, rustdoc::broken_intra_doc_links)]

#[cfg(any(test, feature = "std"))]
extern crate std;

mod about;
mod arena;
pub mod error;
pub mod fixed;
pub mod format;
pub mod graph;
pub mod kernels;
pub mod latent;
pub mod model;
pub mod ops;
pub mod packing;
pub mod pictures;
mod rules;
pub mod sound;
pub mod stream;
pub mod walk;
mod weights;

pub use error::{GeneratorError, ParseError};
pub use graph::{Prior, Shape};
pub use latent::Point;
pub use model::Model;
pub use packing::Packing;
pub use pictures::{Feed, Picture, Pictures, Still};
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
