//! The two ways to enlarge a map that only move values: depth to space, and each pixel repeated.
//!
//! Both take what one small pixel becomes to a block of `factor` × `factor` large ones. Depth to space (Shi et al., 2016)
//! gives each pixel of the block channels of its own, `in[c·f² + fy·f + fx]` to `out[c]` at `(fy, fx)`; its gradient goes
//! the same way back. Nearest-neighbour enlargement gives all of them the same; its gradient is the sum of the block.

use burn::backend::Flex;
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::maps::{dims, map, pixels};
use super::{any_autodiff, bare, record, tracked};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    DepthToSpace,
    Nearest,
}

/// Depth to space of `x` `[batch, C · factor², H, W]`.
pub fn depth_to_space(x: Tensor<4>, factor: usize) -> Tensor<4> {
    enlarge(Kind::DepthToSpace, x, factor)
}

/// Each pixel of `x` `[batch, C, H, W]` `factor` × `factor` times.
pub fn nearest(x: Tensor<4>, factor: usize) -> Tensor<4> {
    enlarge(Kind::Nearest, x, factor)
}

fn enlarge(kind: Kind, x: Tensor<4>, factor: usize) -> Tensor<4> {
    if !any_autodiff(&[x.device()]) {
        return Tensor::from_primitive::<Flex>(kind.larger(&bare(x), factor));
    }
    let (x, node) = tracked(x).into_parts();
    record(kind, [node], factor, kind.larger(&x, factor))
}

impl Kind {
    fn larger(self, small: &FlexTensor, factor: usize) -> FlexTensor {
        let [batch, depth, height, width] = dims(small);
        let channels = match self {
            Self::DepthToSpace => depth / (factor * factor),
            Self::Nearest => depth,
        };
        let small = pixels(small);
        let mut large = vec![0.0; small.len() / depth * channels * factor * factor];
        // A row of small pixels becomes `factor` rows of large ones.
        let rows = large.par_chunks_mut(factor * width * factor * channels).zip(small.par_chunks(width * depth));
        rows.for_each(|(large, small)| {
            for (fy, large) in large.chunks_mut(width * factor * channels).enumerate() {
                for (at, large) in large.chunks_mut(channels).enumerate() {
                    let small = &small[at / factor * depth..][..depth];
                    match self {
                        Self::DepthToSpace => {
                            let part = small[fy * factor + at % factor..].iter().step_by(factor * factor);
                            large.iter_mut().zip(part).for_each(|(large, small)| *large = *small);
                        }
                        Self::Nearest => large.copy_from_slice(small),
                    }
                }
            }
        });
        map(large, [batch, channels, height * factor, width * factor])
    }

    /// The gradient of the small map from that of the large one.
    fn smaller(self, large: &FlexTensor, factor: usize) -> FlexTensor {
        let [batch, channels, height, width] = dims(large);
        let (height, width) = (height / factor, width / factor);
        let depth = match self {
            Self::DepthToSpace => channels * factor * factor,
            Self::Nearest => channels,
        };
        let large = pixels(large);
        let mut small = vec![0.0; batch * height * width * depth];
        let rows = small.par_chunks_mut(width * depth).zip(large.par_chunks(factor * width * factor * channels));
        rows.for_each(|(small, large)| {
            for (fy, large) in large.chunks(width * factor * channels).enumerate() {
                for (at, large) in large.chunks(channels).enumerate() {
                    let small = &mut small[at / factor * depth..][..depth];
                    match self {
                        Self::DepthToSpace => {
                            let part = small[fy * factor + at % factor..].iter_mut().step_by(factor * factor);
                            part.zip(large).for_each(|(small, large)| *small = *large);
                        }
                        Self::Nearest => small.iter_mut().zip(large).for_each(|(small, large)| *small += large),
                    }
                }
            }
        });
        map(small, [batch, depth, height, width])
    }
}

impl Backward<Flex, 1> for Kind {
    /// The factor.
    type State = usize;

    fn backward(self, ops: Ops<usize, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        if let [Some(node)] = ops.parents {
            gradients.register::<Flex>(node.id, self.smaller(&gradient, ops.state));
        }
    }
}
