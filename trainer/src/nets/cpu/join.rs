//! The sum of two maps: one pass forward, and backward none where nothing is scaled.

use burn::backend::Flex;
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::maps::{change, pixels};
use super::{any_autodiff, bare, record, tracked};

/// Values that one thread works on at a time.
const PIECE: usize = 1 << 14;

#[derive(Clone, Copy, Debug)]
struct Add;

/// `scales[0]·a + scales[1]·b` of maps of the same shape.
pub fn add(a: Tensor<4>, b: Tensor<4>, scales: [f32; 2]) -> Tensor<4> {
    if !any_autodiff(&[a.device(), b.device()]) {
        return Tensor::from_primitive::<Flex>(sum(bare(a), &bare(b), scales));
    }
    let ((a, node_a), (b, node_b)) = (tracked(a).into_parts(), tracked(b).into_parts());
    record(Add, [node_a, node_b], scales, sum(a, &b, scales))
}

fn sum(a: FlexTensor, b: &FlexTensor, [of_a, of_b]: [f32; 2]) -> FlexTensor {
    let b = pixels(b);
    change(a, |a| {
        a.par_chunks_mut(PIECE).zip(b.par_chunks(PIECE)).for_each(|(a, b)| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a = of_a * *a + of_b * b);
        });
    })
}

impl Backward<Flex, 2> for Add {
    /// The factors of the two.
    type State = [f32; 2];

    fn backward(self, ops: Ops<[f32; 2], 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        for (node, scale) in ops.parents.into_iter().zip(ops.state) {
            let Some(node) = node else { continue };
            let scaled = match scale {
                1.0 => gradient.clone(),
                _ => change(gradient.clone(), |values| values.iter_mut().for_each(|value| *value *= scale)),
            };
            gradients.register::<Flex>(node.id, scaled);
        }
    }
}
