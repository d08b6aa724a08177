//! The model as data: a list of nodes, each with the rows that it reads and the ring that holds its own.
//!
//! A node reads only nodes before it; the last one is the image. Each is stored as a ring of rows; a row is `W·C` codes
//! of one [`Width`] with C innermost, between its left and right padding. Nodes lie in the model file as they
//! stand here, 112 bytes each, and are read in place: nothing of them is copied into RAM.
//!
//! | kind | parameters | what a value is |
//! |---|---|---|
//! | [`Kind::Input`] | [`Input`] | latent, class, style, noise, fed from outside, or a constant |
//! | [`Kind::Product`] | [`Product`] | weights times what a pixel reads |
//! | [`Kind::Join`] | [`Join`] | the sum or the product of two nodes |
//! | [`Kind::Copy`] | [`struct@Copy`] | one value of one of two nodes, through a table |
//! | [`Kind::Reduce`] | [`Reduce`] | a mean, or a mean of squares |

use bytemuck::{Pod, Zeroable};
use serde::Serialize;

mod axis;
mod input;

pub use axis::{Axis, Phase, Phases, Read, TooMany};
pub use input::{Input, Latent, Prior, Source};

/// Nodes of a graph at most; it bounds what parsing takes of the stack.
pub const MAX_NODES: usize = 255;
/// Nodes that one node reads at most.
pub const MAX_READS: usize = 2;
/// Output phases of one axis at most, which is the largest upsampling factor of one node.
pub const MAX_PHASES: usize = 4;
/// Runs of input bytes that one output pixel reads at most: kernel rows, times kernel columns where those are dilated
/// or channels are grouped.
pub const MAX_LANES: usize = 25;
/// Key–value pairs of metadata at most.
pub const MAX_METADATA: usize = 12;

/// A list of at most `N`, with a length of one byte.
pub type List<T, const N: usize> = heapless::Vec<T, N, u8>;

/// What a model file says about itself, for people and tools; the postcard encoding of it stands behind the nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct About<'a> {
    /// What the model is called, e.g. `mnist-dcgan`.
    pub name: &'a str,
    /// Free-form facts for people: recipe, data, licence, steps.
    pub metadata: List<(&'a str, &'a str), MAX_METADATA>,
}

/// Height, width and channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
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

    /// Whether it has one row and one column.
    pub fn is_vector(&self) -> bool {
        self.h == 1 && self.w == 1
    }
}

impl core::fmt::Display for Shape {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}×{}×{}", self.h, self.w, self.c)
    }
}

/// A node: its shape, the ring of rows that holds the part of it that is needed, and how a row is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Node {
    /// Its values without padding.
    pub shape: Shape,
    /// Height of the ring.
    pub ring_rows: u16,
    /// Where the ring starts among all rings, in bytes: behind that of the node before.
    pub ring: u32,
    /// Padding that its readers want.
    pub padding: Padding,
    /// The code that stands for 0.0, in the padding too.
    pub zero_point: i8,
    /// [`Border`] as a number: what stands in the padding.
    pub border: u8,
    /// [`Kind`] as a number: how its values are made.
    pub kind: u8,
    /// How many of `reads` count.
    pub read_count: u8,
    /// How sums become int8 again.
    pub rounding: Rounding,
    /// What it reads; those beyond `read_count` are zeros.
    pub reads: [Read; MAX_READS],
    /// [`Input`], [`Product`], [`Join`], [`struct@Copy`] or [`Reduce`] in its first bytes, then zeros.
    pub parameters: [u32; PARAMETER_WORDS],
    /// [`Width`] as a number: what its codes are.
    pub width: u8,
    /// Zeros.
    pub reserved: [u8; 3],
}

/// Words of parameters of a node.
pub const PARAMETER_WORDS: usize = 7;
/// Bytes of a node in the file.
pub const NODE_BYTES: usize = size_of::<Node>();

const _: () = assert!(NODE_BYTES == 112, "docs/format.md says so");

/// What stands in the parameters of a kind of node.
pub trait Parameters: Pod {
    /// The kind.
    const KIND: Kind;
}

/// The first bytes of `words`, which are long enough for all that implement [`Parameters`].
fn parameter_bytes<P: Parameters>(words: &[u32; PARAMETER_WORDS]) -> &[u8] {
    const { assert!(size_of::<P>() <= 4 * PARAMETER_WORDS && align_of::<P>() <= 4) };
    bytemuck::cast_slice(words).get(..size_of::<P>()).unwrap_or_default()
}

impl Node {
    /// A node that nothing is known of but its kind and parameters.
    pub fn new<P: Parameters>(parameters: &P) -> Self {
        let mut node = Self { kind: P::KIND as u8, ..Self::zeroed() };
        node.set_parameters(parameters);
        node
    }

    /// Puts other parameters in place of those that it has; its kind stays.
    pub fn set_parameters<P: Parameters>(&mut self, parameters: &P) {
        let bytes = bytemuck::bytes_of(parameters);
        bytemuck::cast_slice_mut(&mut self.parameters).iter_mut().zip(bytes).for_each(|(to, &from)| *to = from);
    }

    /// Its kind; `None` where the number stands for none.
    pub fn kind(&self) -> Option<Kind> {
        Kind::ALL.get(usize::from(self.kind)).copied()
    }

    /// Its parameters, if it is of the kind that has them.
    pub fn parameters<P: Parameters>(&self) -> Option<&P> {
        if self.kind != P::KIND as u8 {
            return None;
        }
        bytemuck::try_from_bytes(parameter_bytes::<P>(&self.parameters)).ok()
    }

    /// What it reads.
    pub fn reads(&self) -> &[Read] {
        self.reads.get(..usize::from(self.read_count)).unwrap_or(&self.reads)
    }

    /// Whether its codes are int16.
    pub fn is_wide(&self) -> bool {
        // Where the feature is missing such nodes are refused, and the compiler leaves out what they need.
        cfg!(feature = "int16") && self.width == Width::Int16 as u8
    }

    /// Bytes of codes, one or two each.
    #[inline(always)]
    pub(crate) fn code_bytes(&self, codes: usize) -> usize {
        // Rows ask so often that a comparison counts: the number of a width is that of bits to shift.
        if cfg!(feature = "int16") { codes << (self.width & 1) } else { codes }
    }

    /// Bytes of a pixel.
    #[inline(always)]
    pub(crate) fn pixel_bytes(&self) -> usize {
        self.code_bytes(self.shape.c.into())
    }

    /// Bytes of a row without its padding.
    #[inline(always)]
    pub(crate) fn content_bytes(&self) -> usize {
        self.code_bytes(self.shape.row_len())
    }

    /// Bytes from one row of the ring to the next: padding, row, padding, rounded up to a multiple of 4.
    pub fn row_bytes(&self) -> usize {
        let pixels = usize::from(self.padding.left) + usize::from(self.shape.w) + usize::from(self.padding.right);
        (pixels * self.pixel_bytes()).next_multiple_of(4)
    }

    /// Bytes from the start of a row of the ring to its first pixel behind the padding.
    pub(crate) fn left(&self) -> usize {
        usize::from(self.padding.left) * self.pixel_bytes()
    }

    /// Bytes of the whole ring.
    pub fn ring_bytes(&self) -> usize {
        self.row_bytes() * usize::from(self.ring_rows)
    }

    /// Whether all its rows are there from the start of an image: a latent vector, a class, what mixes styles.
    pub fn is_filled(&self) -> bool {
        let source = self.parameters::<Input>().and_then(Input::source);
        source.is_some_and(|source| matches!(source, Source::Latent | Source::Class | Source::Style | Source::Mix))
    }

    /// Whether its rows are those of the image, one row late: see [`Source::Previous`].
    #[inline(always)]
    pub fn is_previous(&self) -> bool {
        // Where the feature is missing such nodes are refused, and the compiler leaves out what they need. Not by
        // `parameters`, which is longer: the source is the lower half of the first word.
        cfg!(feature = "int16")
            && self.kind == Kind::Input as u8
            && self.parameters[0] as u16 == Source::Previous as u16
    }

    /// Padding rows above and below that pass through the ring: those of a mirrored or repeated border are rows that
    /// are there anyway, and their readers find them.
    pub fn made_padding(&self) -> [u8; 2] {
        if self.border == Border::Zero as u8 { [self.padding.top, self.padding.bottom] } else { [0; 2] }
    }

    /// Rows that pass through the ring.
    pub fn made_rows(&self) -> u32 {
        let [top, bottom] = self.made_padding();
        u32::from(top) + u32::from(self.shape.h) + u32::from(bottom)
    }
}

/// How the values of a node are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// See [`Input`].
    Input,
    /// See [`Product`].
    Product,
    /// See [`Join`].
    Join,
    /// See [`struct@Copy`].
    Copy,
    /// See [`Reduce`].
    Reduce,
}

impl Kind {
    /// All of them; the position is the number in the file.
    pub const ALL: [Self; 5] = [Self::Input, Self::Product, Self::Join, Self::Copy, Self::Reduce];
}

/// What the codes of a node are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Width {
    /// int8, −127 … 127, with a zero point.
    #[default]
    Int8,
    /// int16, little-endian, with zero point 0: for what eight bits are too coarse, such as flows and sound. The image
    /// is of int8 codes, and so are inputs other than constants.
    Int16,
}

impl Width {
    /// All of them; the position is the number in the file.
    pub const ALL: [Self; 2] = [Self::Int8, Self::Int16];

    /// Bytes of a code.
    pub fn bytes(self) -> usize {
        match self {
            Self::Int8 => 1,
            Self::Int16 => 2,
        }
    }
}

/// Pixels of padding at each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
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

/// What stands in the padding of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Border {
    /// Zeros.
    #[default]
    Zero,
    /// The rows and columns beside the outermost one, mirrored at it: `c b │ a b c │ b a`.
    Reflect,
    /// The outermost row or column again: `a a │ a b c │ c c`.
    Repeat,
}

impl Border {
    /// All of them; the position is the number in the file.
    pub const ALL: [Self; 3] = [Self::Zero, Self::Reflect, Self::Repeat];

    /// Where position `at` of an axis of `size` finds its value: within 0 … `size` − 1, but for [`Border::Zero`].
    pub fn inside(self, at: i32, size: i32) -> i32 {
        match self {
            Self::Zero => at,
            Self::Reflect if at < 0 => -at,
            Self::Reflect if at >= size => 2 * (size - 1) - at,
            Self::Reflect => at,
            // `clamp` would panic where the size is 0.
            Self::Repeat => at.min(size - 1).max(0),
        }
    }
}

/// How the sums of a [`Product`], a [`Join`] or a [`Reduce`] become codes: see [`crate::fixed`]. Offsets count bytes
/// from the start of the data part and are multiples of 16.
///
/// Of int16 codes `low` and `high` are the high bytes of the bounds, −2⁸ · 128 … 2⁸ · 127 + 255, and the table has 257
/// values, see [`WideOutput`](crate::fixed::WideOutput).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Rounding {
    /// Offset of the biases (i32 each), which as many multipliers (i32 each) follow: one of each for each channel of a
    /// block, or for each channel of each block.
    pub channels: u32,
    /// Offset of a table of 256 codes, indexed with the result + 128; [`Rounding::NO_TABLE`] where there is none.
    pub table: u32,
    /// 1 where all blocks share their biases and multipliers; else 0, and each block has its own.
    pub shared: u8,
    /// Added after the multiplication: the zero point of what the table is indexed with, or of the output.
    pub zero_point: i8,
    /// Least result before the table.
    pub low: i8,
    /// Greatest result before the table.
    pub high: i8,
}

impl Rounding {
    /// No table starts there, as it would not be at a multiple of 16.
    pub const NO_TABLE: u32 = u32::MAX;
    /// Of a node that makes no sums.
    pub const NONE: Self = Self { channels: 0, table: Self::NO_TABLE, shared: 1, zero_point: 0, low: -128, high: 127 };

    /// Where the table is.
    pub fn table(&self) -> Option<u32> {
        Some(self.table).filter(|&table| table != Self::NO_TABLE)
    }
}

/// Weights times what a pixel reads: fully connected layers and convolutions, see [`crate::ops::product`]. It reads one
/// node.
///
/// A fully connected layer has [`Axis::NONE`] for its columns and [`Axis::FIRST`] for its rows; it reads a node of one
/// row and one column, and its result is seen as a map. Weights are `[h, w, c, n]`; its blocks are those of
/// [`Product::dense_blocks`].
///
/// A convolution has weights for each vertical phase, for each horizontal phase, for each group:
/// `[c / groups, ky, kx, input c / groups]`; a block is such a triple. One with as many groups as input and output
/// channels (depthwise) has `[ky, kx, c]` for each pair of phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Product {
    /// Offset of the int8 weights in the data, in the order of the model's [`Packing`](crate::packing::Packing).
    pub weights: u32,
    /// Groups of channels that are convolved apart.
    pub groups: u16,
    /// Over the pixels of a row. The one over rows stands in [`Node::reads`].
    pub columns: Axis,
}

impl Parameters for Product {
    const KIND: Kind = Kind::Product;
}

impl Product {
    /// How many blocks a fully connected layer has for an output of `shape`, and channels in each. Where blocks share
    /// their channels, a block is a position; else it is a row, `[w, c]` of them, so that nothing is lost where kernels
    /// take several channels together and a position has one.
    pub fn dense_blocks(shape: Shape, shared: bool) -> (usize, usize) {
        let Shape { h, w, c } = shape;
        let [h, w, c] = [h, w, c].map(usize::from);
        if shared { (h * w, c) } else { (h, w * c) }
    }
}

/// Two nodes value by value, see [`crate::ops::join`]. Either may have one row, one column or one channel where the
/// result has more: then it is spread over them. [`Node::rounding`] has one bias and multiplier for each channel.
///
/// ```text
/// add:       sum = factors[0] · a + factors[1] · b + bias[c]
/// multiply:  sum = (a − its zero point) · (b − its zero point) + bias[c]
/// ```
///
/// Where a or b are int16 codes, of a product both, what comes before the bias is ⌊(… + 2⁷) / 2⁸⌋.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Join {
    /// 0: add, 1: multiply.
    pub multiply: u16,
    /// Factors of a sum, −2¹⁴ … 2¹⁴; 0 for a product.
    pub factors: [i16; 2],
    /// Zeros.
    pub reserved: u16,
}

impl Parameters for Join {
    const KIND: Kind = Kind::Join;
}

/// Each value is one of a source's, through a table: concatenation, part of a map, repeated pixels, depth to space, a
/// vector seen as a map, any function of one value. See [`crate::ops::copy`].
///
/// ```text
/// value [y, x, k] for k < split, of the first source:
///     row      as `reads[0].rows` says for y
///     column   first_column + ⌊x / enlarge[1]⌋
///     channel  first_channel + k · steps[0] + (y mod enlarge[0]) · steps[1] + (x mod enlarge[1]) · steps[2]
/// for k ≥ split, of the second source: row as `reads[1].rows` says, column x, channel k − split
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Copy {
    /// Offset of the table of each source, or [`Rounding::NO_TABLE`] where it keeps its codes and both are of one
    /// [`Width`]. For int8 codes a table has an entry for each code + 128, for int16 codes 257 values, see
    /// [`interpolate`](crate::fixed::interpolate); entries are codes of the result, and where an int8 image is made of
    /// int16 codes what [`grey_level`](crate::fixed::grey_level) takes.
    pub tables: [u32; 2],
    /// Rows and columns that repeat, or that are one block of depth to space.
    pub enlarge: [u16; 2],
    /// Column of the first source that column 0 is.
    pub first_column: u16,
    /// Channel of the first source that channel 0 is.
    pub first_channel: u16,
    /// Channels of the first source from one channel, row of a block and column of a block to the next.
    pub steps: [u16; 3],
    /// Channels that come from the first source; all of them where there is no second.
    pub split: u16,
    /// 1 where the first source has a table for each of its channels, one behind the other; else 0.
    pub channel_tables: u16,
    /// Zeros.
    pub reserved: u16,
}

impl Parameters for Copy {
    const KIND: Kind = Kind::Copy;
}

/// A mean of one node, see [`crate::ops::reduce`]: of all pixels (the result has one row and one column), or of each
/// pixel. Channels are taken together in as many groups as the result has channels. [`Node::rounding`] divides: it has
/// one bias and multiplier for each channel.
///
/// ```text
/// sum = Σ over pixels and channels of the group (value − zero point)         or of its square
///                                                                 or of int16 codes ⌊(square + 2¹³) / 2¹⁴⌋
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Reduce {
    /// 1: over all pixels, 0: of each pixel.
    pub map: u16,
    /// 1: of squares, 0: of values.
    pub square: u16,
}

impl Parameters for Reduce {
    const KIND: Kind = Kind::Reduce;
}
