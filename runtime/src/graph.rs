//! The model as data. The exporter writes these types by serde, the runtime reads them by its own few lines (`parts`); the
//! postcard encoding of [`Graph`] is the middle part of a model file.
//!
//! Edge 0 is the latent vector, with a value for each class behind it where there are classes, and operator `i` writes edge `i + 1`, so an operator can only read what stands before
//! it. Each edge is stored as a ring of rows; a row is `W·C` bytes with C innermost, between its left and right padding.

use core::ops::{Deref, DerefMut};

use bytemuck::{Pod, Zeroable};
use serde::{Serialize, Serializer};

/// Operators of a graph at most; it bounds what parsing takes of the stack.
pub const MAX_OPS: usize = 16;
/// Edges of a graph at most: the latent vector and one for each operator.
pub const MAX_EDGES: usize = MAX_OPS + 1;
/// Output phases of one axis at most, which is the largest upsampling factor of one operator.
pub const MAX_PHASES: usize = 4;
/// Runs of input bytes that one output pixel reads at most: kernel rows, times kernel columns where those are dilated.
pub const MAX_LANES: usize = 25;
/// Key–value pairs of metadata at most.
pub const MAX_METADATA: usize = 12;

/// A list of at most `N`, with a length of one byte.
pub type List<T, const N: usize> = heapless::Vec<T, N, u8>;

/// A whole model, except for its weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Graph<'a> {
    /// What the model is called, e.g. `mnist-dcgan`.
    pub name: &'a str,
    /// The input.
    pub latent: Latent,
    /// `ops.len() + 1` edges; the last one is the image.
    pub edges: List<Edge, MAX_EDGES>,
    /// Operators in an order in which each reads only earlier edges.
    pub ops: List<Op, MAX_OPS>,
    /// Free-form facts for people: recipe, data, licence, steps.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable, Serialize)]
#[repr(C)]
pub struct Shape {
    /// Rows.
    pub h: u16,
    /// Pixels in a row.
    pub w: u16,
    /// Values in a pixel.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Latent {
    /// The distribution it is drawn from.
    pub prior: Prior,
    /// Its length, without the values for classes that [`Graph::classes`] counts.
    pub dims: u16,
}

/// The distribution of latent values, with the meaning of one int8 step. The zero point is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// The activation without its padding.
    pub shape: Shape,
    /// Padding that the consumers want. Padding rows pass through the ring like any other row.
    pub padding: Padding,
    /// The code that stands for 0.0, in the padding too.
    pub zero_point: i8,
    /// Height of the ring.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable, Serialize)]
#[repr(C)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

    /// Its weights.
    pub fn bank(&self) -> &Bank {
        match self {
            Op::Dense(dense) => &dense.bank,
            Op::PhaseConv(conv) => &conv.bank,
        }
    }

    /// Which rows of its source its rows read: [`Axis::reads`].
    pub fn vertical(&self) -> Axis {
        match self {
            Op::Dense(_) => Axis::FIRST,
            Op::PhaseConv(conv) => conv.vertical,
        }
    }
}

/// `y = W·x + b`, the result seen as a map of the output edge's shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dense {
    /// The edge it reads, of shape 1 × 1 × n and without padding.
    pub source: u8,
    /// Weights `[h, w, c, n]`; the blocks are those of [`Dense::blocks`].
    pub bank: Bank,
}

impl Dense {
    /// How many blocks the bank has for an output of `shape`, and channels in each. Where blocks share their channels, a block is a position; else it is
    /// a row, `[w, c]` of them, so that nothing is lost where kernels take several channels together and a position has one.
    pub fn blocks(shape: Shape, shared: bool) -> (usize, usize) {
        let Shape { h, w, c } = shape;
        let [h, w, c] = [h, w, c].map(usize::from);
        if shared { (h * w, c) } else { (h, w * c) }
    }
}

/// A convolution whose output pixels fall into phases: `output[P·m + p]` reads the input from `step·m + start[p]` on.
///
/// Both axes work alike. A plain convolution has one phase and `step` is its stride; a transposed convolution of stride
/// s has s phases and step 1. Upsampling followed by a convolution and pixel shuffle are the same with other weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PhaseConv {
    /// The edge it reads.
    pub source: u8,
    /// Weights: for each vertical phase, for each horizontal phase, `[c, ky, kx, input c]`; a block is such a pair.
    pub bank: Bank,
    /// Over rows.
    pub vertical: Axis,
    /// Over the pixels of a row.
    pub horizontal: Axis,
}

/// One axis of a [`PhaseConv`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable, Serialize)]
#[repr(C)]
pub struct Axis {
    /// Input positions from one output position of a phase to the next.
    pub step: u8,
    /// Input positions from one tap to the next.
    pub dilation: u8,
    /// Output position `o` belongs to phase `o mod phases.len()`.
    pub phases: Phases,
}

impl Axis {
    /// The axis of an operator that reads position 0 for each position: a fully connected layer's, over rows.
    pub const FIRST: Self = {
        let none = Phase { start: 0, taps: 0 };
        let mut all = [none; MAX_PHASES];
        all[0].taps = 1;
        Self { step: 0, dilation: 1, phases: Phases { count: 1, all } }
    };

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

/// The phases of an [`Axis`], at most [`MAX_PHASES`]: bytes and nothing else, so that they can lie in an arena. Made from a
/// slice by `try_from`.
#[derive(Clone, Copy, Default, Pod, Zeroable)]
#[repr(C)]
pub struct Phases {
    pub(crate) count: u8,
    pub(crate) all: [Phase; MAX_PHASES],
}

impl TryFrom<&[Phase]> for Phases {
    type Error = TooMany;

    fn try_from(phases: &[Phase]) -> Result<Self, TooMany> {
        let mut all = [Phase::default(); MAX_PHASES];
        all.get_mut(..phases.len()).ok_or(TooMany)?.copy_from_slice(phases);
        Ok(Self { count: phases.len() as u8, all })
    }
}

/// There are more than fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl Deref for Phases {
    type Target = [Phase];

    fn deref(&self) -> &[Phase] {
        self.all.get(..usize::from(self.count)).unwrap_or_default()
    }
}

impl DerefMut for Phases {
    fn deref_mut(&mut self) -> &mut [Phase] {
        self.all.get_mut(..usize::from(self.count)).unwrap_or_default()
    }
}

impl PartialEq for Phases {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Phases {}

impl core::fmt::Debug for Phases {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        (**self).fmt(f)
    }
}

impl Serialize for Phases {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(to)
    }
}

/// One phase of an [`Axis`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable, Serialize)]
#[repr(C)]
pub struct Phase {
    /// Input position of the first tap of output position 0 of this phase; negative in the padding.
    pub start: i8,
    /// Number of taps, 0 where no input reaches this phase.
    pub taps: u8,
}

/// Weights and how their sums become int8 again. Weights come in blocks that each make `c` channels; the order within a
/// block is the model's [`Packing`](crate::packing::Packing), and where the packing is portable as told here. Offsets count bytes
/// from the start of the data part and are multiples of 16.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bank {
    /// Offset of the int8 weights.
    pub weights: u32,
    /// Offset of the biases (i32 each), which as many multipliers (i32 each) follow.
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
    pub table: Option<u32>,
}
