//! What reads several maps: sums, products and concatenation.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::nets::operations::operations;

/// Two or more maps made one.
#[derive(Module, Debug)]
pub struct Join {
    /// How.
    #[module(skip)]
    pub kind: JoinKind,
}

/// The kinds of [`Join`]. One of two maps that are added or multiplied may be a vector `[batch, C, 1, 1]`, which then
/// counts for all pixels, or have one channel, which then counts for all channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum JoinKind {
    /// The first times the first number plus the second times the second.
    Add([f32; 2]),
    /// Value by value.
    Multiply,
    /// The channels of one behind those of the other.
    Concat,
}

impl Join {
    pub(super) fn forward(&self, mut reads: Vec<Tensor<4>>) -> Tensor<4> {
        if self.kind == JoinKind::Concat {
            return Tensor::cat(reads, 1);
        }
        let second = reads.pop().expect("a join reads several maps");
        let first = reads.pop().expect("a join reads several maps");
        match self.kind {
            JoinKind::Add(scales) => operations(&[&first, &second]).add(first, second, scales),
            _ => first * second,
        }
    }
}
