//! The fully connected layer between maps: `y = W·x + b`, both read in C, H, W order.
//!
//! Maps lie channels last, so the rows and columns of W are put in that order first, which moves fewer values than the
//! maps have wherever the batch is not tiny, and nothing at all between vectors.

use std::borrow::Cow;

use burn::backend::Flex;
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops};
use burn_flex::FlexTensor;

use super::gemm::{Matrix, Threads, Write, product};
use super::maps::{dims, map, pixels, plain, values};
use super::{any_autodiff, bare, record, tracked};

#[derive(Clone, Copy, Debug)]
struct Dense;

/// What the backward pass needs; an input that no gradient needs is not kept.
#[derive(Clone, Debug)]
struct State {
    x: Option<FlexTensor>,
    weight: Option<FlexTensor>,
    sizes: Sizes,
}

/// `[C, H, W]` of both maps, and the batch.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    batch: usize,
    input: [usize; 3],
    output: [usize; 3],
}

/// `x` `[batch, C, H, W]` to `[batch, output]` with `weight` `[out, in]` and `bias` `[out]`.
pub fn dense(x: Tensor<4>, weight: Tensor<2>, bias: Tensor<1>, output: [usize; 3]) -> Tensor<4> {
    let [batch, c, h, w] = x.dims();
    let sizes = Sizes { batch, input: [c, h, w], output };
    if !any_autodiff(&[x.device(), weight.device(), bias.device()]) {
        return Tensor::from_primitive::<Flex>(forward(&sizes, &bare(x), &bare(weight), &bare(bias)));
    }
    let (x, weight, bias) = (tracked(x), tracked(weight), tracked(bias));
    let output = forward(&sizes, x.primitive(), weight.primitive(), bias.primitive());
    let state = State {
        x: weight.is_tracked().then(|| x.primitive().clone()),
        weight: x.is_tracked().then(|| weight.primitive().clone()),
        sizes,
    };
    record(Dense, [x.node(), weight.node(), bias.node()], state, output)
}

impl Sizes {
    fn inputs(&self) -> usize {
        self.input.iter().product()
    }

    fn outputs(&self) -> usize {
        self.output.iter().product()
    }

    /// `weight` with rows and columns channels last.
    fn channels_last<'a>(&self, weight: &'a FlexTensor) -> Cow<'a, [f32]> {
        let weight = values(weight);
        if order(self.input).is_none() && order(self.output).is_none() {
            return weight;
        }
        let mut out = vec![0.0; weight.len()];
        self.reorder(|ours, theirs, columns| match columns {
            Some(columns) => out[ours].iter_mut().zip(columns).for_each(|(out, &at)| *out = weight[theirs.start + at]),
            None => out[ours].copy_from_slice(&weight[theirs]),
        });
        Cow::Owned(out)
    }

    /// A gradient with rows and columns channels last as the weights `[out, in]` are.
    fn channels_first(&self, gradient: Vec<f32>) -> Vec<f32> {
        if order(self.input).is_none() && order(self.output).is_none() {
            return gradient;
        }
        let mut out = vec![0.0; gradient.len()];
        self.reorder(|ours, theirs, columns| match columns {
            Some(columns) => {
                gradient[ours].iter().zip(columns).for_each(|(value, &at)| out[theirs.start + at] = *value)
            }
            None => out[theirs].copy_from_slice(&gradient[ours]),
        });
        out
    }

    /// Calls `row` for each row channels last with its range there, its range in the weights, and the order of columns.
    fn reorder(&self, mut row: impl FnMut(std::ops::Range<usize>, std::ops::Range<usize>, Option<&[usize]>)) {
        let (inputs, columns, rows) = (self.inputs(), order(self.input), order(self.output));
        for ours in 0..self.outputs() {
            let theirs = rows.as_ref().map_or(ours, |rows| rows[ours]);
            row(ours * inputs..(ours + 1) * inputs, theirs * inputs..(theirs + 1) * inputs, columns.as_deref());
        }
    }
}

/// For each place of a map channels last the same value's place channels first; nothing if they are the same.
fn order([c, h, w]: [usize; 3]) -> Option<Vec<usize>> {
    (c > 1 && h * w > 1).then(|| (0..c * h * w).map(|at| at % c * h * w + at / c).collect())
}

fn forward(sizes: &Sizes, x: &FlexTensor, weight: &FlexTensor, bias: &FlexTensor) -> FlexTensor {
    let (inputs, outputs) = (sizes.inputs(), sizes.outputs());
    let (x, weight, bias) = (pixels(x), sizes.channels_last(weight), values(bias));
    let bias: Vec<f32> = match order(sizes.output) {
        Some(order) => order.iter().map(|&at| bias[at]).collect(),
        None => bias.to_vec(),
    };
    let mut out = bias.repeat(sizes.batch);
    let weight = Matrix::new(&weight, outputs, inputs).transposed();
    product(&mut out, Write::Add, Matrix::new(&x, sizes.batch, inputs), weight, Threads::All);
    let [c, h, w] = sizes.output;
    map(out, [sizes.batch, c, h, w])
}

impl Backward<Flex, 3> for Dense {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let State { x, weight, sizes } = ops.state;
        let (batch, inputs, outputs) = (sizes.batch, sizes.inputs(), sizes.outputs());
        debug_assert_eq!(dims(&gradient)[0], batch);
        let dy = pixels(&gradient);
        let [node_x, node_weight, node_bias] = ops.parents;
        if let Some(node) = node_bias {
            let sums = super::column_sums(&dy, outputs);
            let mut result = vec![0.0; outputs];
            match order(sizes.output) {
                Some(order) => order.iter().zip(&sums).for_each(|(&at, sum)| result[at] = *sum),
                None => result.copy_from_slice(&sums),
            }
            gradients.register::<Flex>(node.id, plain(result, [outputs]));
        }
        let dy = Matrix::new(&dy, batch, outputs);
        if let (Some(node), Some(x)) = (node_weight, x) {
            let x = pixels(&x);
            let mut result = vec![0.0; outputs * inputs];
            product(&mut result, Write::Set, dy.transposed(), Matrix::new(&x, batch, inputs), Threads::All);
            gradients.register::<Flex>(node.id, plain(sizes.channels_first(result), [outputs, inputs]));
        }
        if let (Some(node), Some(weight)) = (node_x, weight) {
            let weight = sizes.channels_last(&weight);
            let mut result = vec![0.0; batch * inputs];
            product(&mut result, Write::Set, dy, Matrix::new(&weight, outputs, inputs), Threads::All);
            let [c, h, w] = sizes.input;
            gradients.register::<Flex>(node.id, map(result, [batch, c, h, w]));
        }
    }
}
