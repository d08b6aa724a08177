//! The model as data. The exporter writes these types, the runtime reads them; the postcard encoding of [`Graph`]
//! is the middle part of a model file.
//!
//! Edge 0 is the latent vector, with a value for each class behind it where there are classes, and operator `i` writes edge `i + 1`, so an operator can only read what stands before
//! it. Each edge is stored as a ring of rows; a row is `W·C` bytes with C innermost, between its left and right padding.

use serde::{Deserialize, Deserializer, Serialize};

/// Operators of a graph at most; it bounds what a parsed model takes in RAM.
pub const MAX_OPS: usize = 16;
/// Edges of a graph at most: the latent vector and one for each operator.
pub const MAX_EDGES: usize = MAX_OPS + 1;
/// Output phases of one axis at most, which is the largest upsampling factor of one operator.
pub const MAX_PHASES: usize = 4;
/// Runs of input bytes that one output pixel reads at most: kernel rows, times kernel columns where those are dilated.
pub const MAX_LANES: usize = 25;
/// Key–value pairs of metadata at most.
pub const MAX_METADATA: usize = 12;

/// A list of at most `N`, with a length of one byte: a parsed model stays small.
pub type List<T, const N: usize> = heapless::Vec<T, N, u8>;

/// A part of the graph in a function of its own, not inlined wherever there is such a part: reading is cold.
#[inline(never)]
fn apart<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    T::deserialize(from)
}

/// A whole model, except for its weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph<'a> {
    /// What the model is called, e.g. `mnist-dcgan`.
    #[serde(deserialize_with = "apart")]
    pub name: &'a str,
    /// The input.
    pub latent: Latent,
    /// `ops.len() + 1` edges; the last one is the image.
    #[serde(deserialize_with = "apart")]
    pub edges: List<Edge, MAX_EDGES>,
    /// Operators in an order in which each reads only earlier edges.
    #[serde(deserialize_with = "apart")]
    pub ops: List<Op, MAX_OPS>,
    /// Free-form facts for people: recipe, data, licence, steps.
    #[serde(deserialize_with = "apart")]
    pub metadata: List<(&'a str, &'a str), MAX_METADATA>,
}

impl Graph<'_> {
    /// How many classes the model can draw by choice: edge 0 has a value for each, behind the [`Latent::dims`] values of
    /// the latent vector. 0 for a model without classes.
    pub fn classes(&self) -> u16 {
        self.edges.first().map_or(0, |edge| edge.shape.c.saturating_sub(self.latent.dims))
    }
}

/// Height, width and channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Rows.
    #[serde(deserialize_with = "apart")]
    pub h: u16,
    /// Pixels in a row.
    #[serde(deserialize_with = "apart")]
    pub w: u16,
    /// Values in a pixel.
    #[serde(deserialize_with = "apart")]
    pub c: u16,
}

impl Shape {
    /// Values in a row: `w · c`.
    pub fn row_len(&self) -> usize {
        usize::from(self.w) * usize::from(self.c)
    }

    /// Values in all: `h · w · c`; `usize::MAX` if that is more than a `usize` holds.
    pub fn len(&self) -> usize {
        usize::from(self.h).saturating_mul(self.row_len())
    }

    /// Whether there is no value in it.
    pub fn is_empty(&self) -> bool {
        self.h == 0 || self.w == 0 || self.c == 0
    }
}

impl core::fmt::Display for Shape {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}×{}×{}", self.h, self.w, self.c)
    }
}

/// The latent vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latent {
    /// The distribution it is drawn from.
    pub prior: Prior,
    /// Its length, without the values for classes that [`Graph::classes`] counts.
    #[serde(deserialize_with = "apart")]
    pub dims: u16,
}

/// The distribution of latent values, with the meaning of one int8 step. The zero point is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prior {
    /// Standard normal: one step is [`Prior::GAUSSIAN_STEPS`]⁻¹, so codes ±127 are ±3.97 σ, where it is clipped.
    Gaussian,
    /// Uniform on [−1, 1]: one step is [`Prior::UNIFORM_STEPS`]⁻¹.
    Uniform,
}

impl Prior {
    /// Codes in one standard deviation of [`Prior::Gaussian`].
    pub const GAUSSIAN_STEPS: u8 = 32;
    /// Codes from 0 to 1 of [`Prior::Uniform`].
    pub const UNIFORM_STEPS: u8 = 127;

    /// Codes in one unit of the latent variable; the scale of edge 0 is its inverse.
    pub fn steps(self) -> u8 {
        match self {
            Prior::Gaussian => Self::GAUSSIAN_STEPS,
            Prior::Uniform => Self::UNIFORM_STEPS,
        }
    }
}

/// An activation: its shape, and the ring of rows that holds the part of it that is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The activation without its padding.
    #[serde(deserialize_with = "apart")]
    pub shape: Shape,
    /// Padding that the consumers want. Padding rows pass through the ring like any other row.
    #[serde(deserialize_with = "apart")]
    pub padding: Padding,
    /// The code that stands for 0.0, in the padding too.
    pub zero_point: i8,
    /// Height of the ring.
    #[serde(deserialize_with = "apart")]
    pub ring_rows: u16,
}

impl Edge {
    /// Bytes from one row of the ring to the next: padding, row, padding, rounded up to a multiple of 4.
    pub fn row_bytes(&self) -> usize {
        let pixels = usize::from(self.padding.left) + usize::from(self.shape.w) + usize::from(self.padding.right);
        (pixels * usize::from(self.shape.c)).next_multiple_of(4)
    }

    /// Bytes of the whole ring.
    pub fn ring_bytes(&self) -> usize {
        self.row_bytes() * usize::from(self.ring_rows)
    }

    /// Rows with the padding.
    pub fn padded_rows(&self) -> u32 {
        u32::from(self.padding.top) + u32::from(self.shape.h) + u32::from(self.padding.bottom)
    }
}

/// Pixels of padding at each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Padding {
    /// Rows above.
    pub top: u8,
    /// Rows below.
    pub bottom: u8,
    /// Pixels before each row.
    pub left: u8,
    /// Pixels after each row.
    pub right: u8,
}

/// One operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Fully connected, see [`crate::ops::dense`].
    Dense(Dense),
    /// Convolution in phases, see [`crate::ops::phase_conv`].
    PhaseConv(PhaseConv),
}

impl Op {
    /// The edge it reads.
    pub fn source(&self) -> usize {
        match self {
            Op::Dense(dense) => usize::from(dense.source),
            Op::PhaseConv(conv) => usize::from(conv.source),
        }
    }
}

/// `y = W·x + b`, the result seen as a map of the output edge's shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dense {
    /// The edge it reads, of shape 1 × 1 × n and without padding.
    pub source: u8,
    /// Weights `[h, w, c, n]`; a block is a position.
    #[serde(deserialize_with = "apart")]
    pub bank: Bank,
}

/// A convolution whose output pixels fall into phases: `output[P·m + p]` reads the input from `step·m + start[p]` on.
///
/// Both axes work alike. A plain convolution has one phase and `step` is its stride; a transposed convolution of stride
/// s has s phases and step 1. Upsampling followed by a convolution and pixel shuffle are the same with other weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseConv {
    /// The edge it reads.
    pub source: u8,
    /// Weights: for each vertical phase, for each horizontal phase, `[c, ky, kx, input c]`; a block is such a pair.
    #[serde(deserialize_with = "apart")]
    pub bank: Bank,
    /// Over rows.
    #[serde(deserialize_with = "apart")]
    pub vertical: Axis,
    /// Over the pixels of a row.
    #[serde(deserialize_with = "apart")]
    pub horizontal: Axis,
}

/// One axis of a [`PhaseConv`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// Input positions from one output position of a phase to the next.
    pub step: u8,
    /// Input positions from one tap to the next.
    pub dilation: u8,
    /// Output position `o` belongs to phase `o mod phases.len()`.
    #[serde(deserialize_with = "apart")]
    pub phases: List<Phase, MAX_PHASES>,
}

impl Axis {
    /// Phase and index within it of output position `position`.
    pub fn split(&self, position: u16) -> (usize, u16) {
        let phases = self.phases.len().max(1);
        let position = usize::from(position);
        // Both fit: the quotient is no larger than `position`.
        (position % phases, (position / phases) as u16)
    }

    /// First and last input position, padding counted negative, that output position `position` reads.
    /// `None` where its phase has no tap.
    pub fn reads(&self, position: u16) -> Option<(i32, i32)> {
        let (phase, index) = self.split(position);
        let phase = self.phases.get(phase)?;
        let first = i32::from(index) * i32::from(self.step) + i32::from(phase.start);
        let span = i32::from(phase.taps.checked_sub(1)?) * i32::from(self.dilation);
        Some((first, first + span))
    }

    /// Taps of the phase that has most.
    #[inline(never)]
    pub fn most_taps(&self) -> usize {
        self.phases.iter().map(|phase| usize::from(phase.taps)).max().unwrap_or(0)
    }

    /// Taps of all phases.
    pub fn total_taps(&self) -> usize {
        self.phases.iter().map(|phase| usize::from(phase.taps)).sum()
    }
}

/// One phase of an [`Axis`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// Input position of the first tap of output position 0 of this phase; negative in the padding.
    pub start: i8,
    /// Number of taps, 0 where no input reaches this phase.
    pub taps: u8,
}

/// Weights and how their sums become int8 again. Weights come in blocks that each make `c` channels; the order within a
/// block is the model's [`Packing`](crate::packing::Packing), and where the packing is portable as told here. Offsets count bytes
/// from the start of the data part and are multiples of 16.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bank {
    /// Offset of the int8 weights.
    #[serde(deserialize_with = "apart")]
    pub weights: u32,
    /// Offset of the biases (i32 each), which as many multipliers (i32 each) follow.
    #[serde(deserialize_with = "apart")]
    pub channels: u32,
    /// Whether all blocks share `c` biases and multipliers; else each block has its own.
    pub shared: bool,
    /// Added after the multiplication: the zero point of what the table is indexed with, or of the output.
    pub zero_point: i8,
    /// Least result before the table.
    pub low: i8,
    /// Greatest result before the table.
    pub high: i8,
    /// Offset of a 256-byte table, indexed with the result + 128.
    #[serde(deserialize_with = "apart")]
    pub table: Option<u32>,
}
