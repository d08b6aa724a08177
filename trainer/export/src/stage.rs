//! A stage: one node of the runtime, still in float.
//!
//! Weights already lie as the runtime reads them, in blocks: a block makes the channels of one position of a fully
//! connected stage, or of one pair of phases and one group of a convolution. Maps are H × W × C here.

use edgegen_runtime::Shape;
use edgegen_runtime::graph::{Axis, Border, Read};

use crate::function::Function;
use crate::layers::{Input, PixelRange};

mod product;
mod trace;

pub use trace::each_example;

/// A generator as a list of stages in an order in which each reads only earlier ones; the last one is the image.
#[derive(Clone, Debug, PartialEq)]
pub struct Staged {
    /// The stages.
    pub stages: Vec<Stage>,
    /// What the last values mean as pixels.
    pub pixels: PixelRange,
}

/// One node.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// What the person's own file calls the layer that it comes from.
    pub name: String,
    /// Shape of what it makes.
    pub shape: Shape,
    /// What it computes.
    pub op: Op,
    /// What it reads: stages, as positions in the list, and their rows.
    pub reads: Vec<Read>,
    /// Applied to every value that it computes.
    pub function: Function,
    /// What its readers find beside it.
    pub border: Border,
}

/// The operator of a stage; see [`edgegen_runtime::graph`].
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Where a network starts.
    Input(Input),
    /// Weights times what a pixel reads.
    Product {
        /// Over the pixels of a row; [`Axis::NONE`] where it is fully connected.
        columns: Axis,
        /// Groups of channels.
        groups: usize,
        /// Weights and biases; one block for each position (h, w), or each vertical phase, horizontal phase and group.
        /// A convolution of as many groups as channels has one block for each pair of phases, `[ky, kx, c]`.
        blocks: Vec<Block>,
    },
    /// `scale[c] · (scales[0] · a + scales[1] · b) + bias[c]`.
    Add {
        /// Factors of the two.
        scales: [f32; 2],
        /// Factor of each channel.
        scale: Vec<f32>,
        /// Added to each channel.
        bias: Vec<f32>,
    },
    /// `scale[c] · a · b + bias[c]`.
    Multiply {
        /// Factor of each channel.
        scale: Vec<f32>,
        /// Added to each channel.
        bias: Vec<f32>,
    },
    /// One value of one of the sources.
    Copy {
        /// Which one; the fields are those of [`edgegen_runtime::graph::Copy`].
        map: CopyMap,
        /// A function of its own for each channel of the first source, applied before [`Stage::function`]; or none.
        functions: Vec<Function>,
    },
    /// A mean over all pixels or of each pixel, of as many groups of channels as it has channels itself.
    Reduce {
        /// Over all pixels.
        map: bool,
        /// Of squares.
        square: bool,
    },
}

/// Which value a [`Op::Copy`] takes; see [`edgegen_runtime::graph::Copy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyMap {
    /// Rows and columns that repeat, or that are one block of depth to space.
    pub enlarge: [usize; 2],
    /// Column of the first source that column 0 is.
    pub first_column: usize,
    /// Channel of the first source that channel 0 is.
    pub first_channel: usize,
    /// Channels of the first source from one channel, row of a block and column of a block to the next.
    pub steps: [usize; 3],
    /// Channels that come from the first source.
    pub split: usize,
}

impl CopyMap {
    /// Everything of a source of `channels` channels as it is.
    pub fn identity(channels: usize) -> Self {
        Self { enlarge: [1; 2], first_column: 0, first_channel: 0, steps: [1, 0, 0], split: channels }
    }
}

/// The weights of one position, or of one pair of phases and one group.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// `[channel, tap…, input channel]`, or `[tap…, channel]` of a depthwise convolution.
    pub weights: Vec<f32>,
    /// `[channel]`.
    pub bias: Vec<f32>,
}

/// Whether a convolution has a group for each of its input channels and as many outputs, so that its blocks are `[tap…,
/// channel]`.
pub fn is_depthwise(groups: usize, inputs: usize, outputs: usize) -> bool {
    groups > 1 && groups == inputs && groups == outputs
}
