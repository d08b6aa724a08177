//! Parts, borders and means of a map.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::{AvgPoolOptions, PadMode};
use edgegen_runtime::graph::Border;

/// Some of the channels, next to each other.
#[derive(Module, Debug)]
pub struct Part {
    /// The first of them.
    pub first: usize,
    /// How many.
    pub count: usize,
}

impl Part {
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        x.narrow(1, self.first, self.count)
    }
}

/// Rows and columns around a map.
#[derive(Module, Debug)]
pub struct Pad {
    /// `[[top, bottom], [left, right]]`.
    #[module(skip)]
    pub padding: [[usize; 2]; 2],
    /// What stands in them.
    #[module(skip)]
    pub border: Border,
}

impl Pad {
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mode = match self.border {
            Border::Zero => PadMode::Constant(0.0),
            Border::Reflect => PadMode::Reflect,
            Border::Repeat => PadMode::Edge,
        };
        x.pad(self.padding.map(|[before, after]| (before, after)), mode)
    }
}

/// Means of pixels.
#[derive(Module, Debug)]
pub struct Pool {
    /// Of which.
    #[module(skip)]
    pub kind: PoolKind,
}

/// The kinds of [`Pool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// Of each block of so many rows and columns.
    Block([usize; 2]),
    /// Of all pixels of a channel.
    Map,
}

impl Pool {
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self.kind {
            PoolKind::Map => x.mean_dim(3).mean_dim(2),
            PoolKind::Block(sides) => avg_pool2d(
                x,
                AvgPoolOptions {
                    kernel_size: sides,
                    stride: sides,
                    padding: [(0, 0); 2],
                    count_include_pad: true,
                    ceil_mode: false,
                },
            ),
        }
    }
}
