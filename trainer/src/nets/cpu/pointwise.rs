//! Functions of each value alone: one pass forward, one backward, from the output alone.

use burn::backend::Flex;
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops};
use burn_flex::FlexTensor;
use pulp::Arch;
use rayon::prelude::*;

use super::maps::{dims, map, pixels};
use super::{any_autodiff, bare, record, tracked};
use crate::nets::layer::PointwiseKind;

/// Values that one thread works on at a time.
const PIECE: usize = 1 << 14;

/// `kind` of every value of `x`.
pub fn pointwise(kind: PointwiseKind, x: Tensor<4>) -> Tensor<4> {
    if !any_autodiff(&[x.device()]) {
        return Tensor::from_primitive::<Flex>(forward(kind, &bare(x)));
    }
    let x = tracked(x);
    let output = forward(kind, x.primitive());
    record(kind, [x.node()], output.clone(), output)
}

fn forward(kind: PointwiseKind, x: &FlexTensor) -> FlexTensor {
    let values = pixels(x);
    let mut out = vec![0.0; values.len()];
    out.par_chunks_mut(PIECE).zip(values.par_chunks(PIECE)).for_each(|(out, x)| match kind {
        PointwiseKind::Relu => apply(out, x, |x| if x > 0.0 { x } else { 0.0 }),
        PointwiseKind::LeakyRelu(slope) => apply(out, x, |x| if x > 0.0 { x } else { slope * x }),
        PointwiseKind::Tanh => out.iter_mut().zip(x).for_each(|(y, x)| *y = x.tanh()),
        PointwiseKind::Sigmoid => out.iter_mut().zip(x).for_each(|(y, x)| *y = 1.0 / (1.0 + (-x).exp())),
    });
    map(out, dims(x))
}

impl Backward<Flex, 1> for PointwiseKind {
    /// The output; its sign is the input's also where ReLU is leaky.
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let [Some(node)] = ops.parents else { return };
        let (dy, y) = (pixels(&gradient), pixels(&ops.state));
        let mut dx = dy.to_vec();
        dx.par_chunks_mut(PIECE).zip(y.par_chunks(PIECE)).for_each(|(dx, y)| match self {
            Self::Relu => apply_to(dx, y, |y| if y > 0.0 { 1.0 } else { 0.0 }),
            Self::LeakyRelu(slope) => apply_to(dx, y, |y| if y > 0.0 { 1.0 } else { slope }),
            Self::Tanh => apply_to(dx, y, |y| 1.0 - y * y),
            Self::Sigmoid => apply_to(dx, y, |y| y * (1.0 - y)),
        });
        gradients.register::<Flex>(node.id, map(dx, dims(&gradient)));
    }
}

fn apply(out: &mut [f32], x: &[f32], function: impl Fn(f32) -> f32) {
    Arch::new().dispatch(
        #[inline(always)]
        || out.iter_mut().zip(x).for_each(|(y, x)| *y = function(*x)),
    );
}

/// Multiplies a gradient by the derivative, which is a function of the output.
fn apply_to(gradient: &mut [f32], y: &[f32], derivative: impl Fn(f32) -> f32) {
    Arch::new().dispatch(
        #[inline(always)]
        || gradient.iter_mut().zip(y).for_each(|(gradient, y)| *gradient *= derivative(*y)),
    );
}
