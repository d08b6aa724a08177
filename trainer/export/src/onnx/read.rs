//! ONNX files as people's exporters write them, to a network.
//!
//! `tract` parses the file, infers the shapes and folds constants; what follows maps its operators, fewer than ONNX
//! has, to [layers](crate::layers::Layer). It also runs the file, so that everything made of it can be compared with
//! it: [`Oracle`].
//!
//! | part | what it does |
//! |---|---|
//! | `load` | finds the file's bytes and those of its weights, tells other kinds of files by name |
//! | `rewrite` | makes what exporters write alike, without `Upsample`; refuses contradictions |
//! | `noise` | makes inputs of what the file draws itself |
//! | `inputs` | which input is the latent vector, the class or an image |
//! | `reader` | walks through the graph; the files beside it do one kind of operator each |
//! | `view` | where a tensor's values stand among those of a node |
//! | `output` | which output is the picture, what its values mean |
//! | `tidy` | drops what nobody reads, moves permutations into weights |
//!
//! Source: the [ONNX operators](https://onnx.ai/onnx/operators/).

mod features;
mod guard;
mod inputs;
mod join;
mod load;
mod modulation;
mod moves;
mod noise;
mod oracle;
mod output;
mod pads;
mod partial;
mod pointwise;
mod product;
mod reader;
mod resize;
mod rewrite;
mod statistics;
mod tidy;
mod view;

use std::path::Path;

use edgegen_runtime::graph::{Prior, Shape};

pub use oracle::Oracle;

use super::error::OnnxError;
use crate::layers::{Network, PixelRange};

/// What is not in the file; each is found out where that can be done, or assumed, if nothing is said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assume {
    /// How latent vectors are drawn.
    pub prior: Option<AssumedPrior>,
    /// What the values of the picture mean.
    pub range: Option<AssumedRange>,
    /// Rows, columns and channels of the image that is read, if its size is free, else of the picture, if it is a flat
    /// vector.
    pub shape: Option<Shape>,
    /// How many classes there are.
    pub classes: Option<usize>,
    /// Name of the output that is the picture.
    pub output: Option<String>,
}

/// How latent vectors are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssumedPrior {
    /// Each value from the standard normal distribution.
    Gaussian,
    /// Each value evenly from −1 to 1.
    Uniform,
    /// Each value evenly from 0 to 1.
    Uniform01,
}

/// What the values of the picture mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssumedRange {
    /// They are pixels of this range.
    Pixels(PixelRange),
    /// They are logits: a sigmoid makes 0 … 1 of them, which is added to the network.
    Logits,
}

/// A generator from a file.
#[derive(Debug)]
pub struct Import {
    /// The generator.
    pub network: Network,
    /// What was assumed and why, a sentence each.
    pub notes: Vec<String>,
    /// The file itself, to compare with.
    pub oracle: Oracle,
}

/// The generator in the file at `path`, whose weights may lie in other files beside it.
///
/// # Errors
///
/// [`OnnxError`] says which node is no layer of ours, or what must be told by [`Assume`].
pub fn from_path(path: &Path, assume: &Assume) -> Result<Import, OnnxError> {
    let bytes = std::fs::read(path).map_err(|error| OnnxError::Path {
        path: path.display().to_string(),
        error: error.to_string(),
        remedy: "check the path",
    })?;
    from_bytes(&bytes, path.parent(), assume)
}

/// The generator in the bytes of a file. Weights in other files are looked for in `folder`.
///
/// # Errors
///
/// As [`from_path`].
pub fn from_bytes(bytes: &[u8], folder: Option<&Path>, assume: &Assume) -> Result<Import, OnnxError> {
    let mut model = load::decode(bytes)?;
    load::weights(&mut model, folder)?;
    reader::read(&mut model, assume)
}

impl AssumedPrior {
    /// The distribution on the device, and the scale and offset that make a value of the file's latent vector of one of
    /// it.
    fn drawn(self) -> (Prior, f32, f32) {
        match self {
            Self::Gaussian => (Prior::Gaussian, 1.0, 0.0),
            Self::Uniform => (Prior::Uniform, 1.0, 0.0),
            Self::Uniform01 => (Prior::Uniform, 0.5, 0.5),
        }
    }
}
