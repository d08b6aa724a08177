//! Spectral normalization (Miyato et al., 2018): `Ŵ = W / σ` with `σ = uᵀ·W·v`, `v = Wᵀu / |Wᵀu|`.
//!
//! u and v count as constants, so by the quotient rule (their eq. 12)
//!
//! ```text
//! dW = (dŴ − ⟨dŴ, Ŵ⟩ · u·vᵀ) / σ
//! ```

use burn::backend::Flex;
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops};
use burn_flex::FlexTensor;
use pulp::Arch;

use super::maps::values;
use super::{any_autodiff, bare, record, tracked};

#[derive(Clone, Copy, Debug)]
struct Normalized;

/// What the backward pass needs.
#[derive(Clone, Debug)]
struct State {
    weight: FlexTensor,
    left: Vec<f32>,
    right: Vec<f32>,
    sigma: f32,
}

/// `weight` `[out, rest]` divided by its largest singular value as `left` `[out]`, the left singular vector, has it.
pub fn normalized(weight: Tensor<2>, left: Tensor<1>) -> Tensor<2> {
    let left = values(&bare(left)).to_vec();
    if !any_autodiff(&[weight.device()]) {
        return Tensor::from_primitive::<Flex>(forward(&bare(weight), &left).0);
    }
    let weight = tracked(weight);
    let (output, right, sigma) = forward(weight.primitive(), &left);
    let state = State { weight: output.clone(), left, right, sigma };
    record(Normalized, [weight.node()], state, output)
}

/// The left singular vector after one power iteration, `W·v / |W·v|` with `v = Wᵀu / |Wᵀu|`.
pub fn iterate(weight: Tensor<2>, left: Tensor<1>) -> Tensor<1> {
    let (weight, left) = (bare(weight), bare(left));
    let (weight, left) = (values(&weight), values(&left));
    let right = unit(times_rows(&left, &weight));
    let columns = right.len();
    let next = unit(weight.chunks_exact(columns).map(|row| dot(row, &right)).collect());
    Tensor::from_primitive::<Flex>(super::maps::plain(next, [left.len()]))
}

/// Ŵ, v and σ.
fn forward(weight: &FlexTensor, left: &[f32]) -> (FlexTensor, Vec<f32>, f32) {
    let flat = values(weight);
    let product = times_rows(left, &flat);
    let right = unit(product.clone());
    let sigma = dot(&product, &right);
    let out = flat.iter().map(|weight| weight / sigma).collect();
    (like(weight, out), right, sigma)
}

impl Backward<Flex, 1> for Normalized {
    type State = State;

    fn backward(self, ops: Ops<State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let [Some(node)] = ops.parents else { return };
        let State { weight, left, right, sigma } = ops.state;
        let (dy, y) = (values(&gradient), values(&weight));
        let along = dot(&dy, &y) / sigma;
        let mut out = vec![0.0; dy.len()];
        let rows = out.chunks_exact_mut(right.len()).zip(dy.chunks_exact(right.len()));
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for ((out, dy), left) in rows.zip(&left) {
                    let along = along * left;
                    for ((out, dy), right) in out.iter_mut().zip(dy).zip(&right) {
                        *out = dy / sigma - along * right;
                    }
                }
            },
        );
        gradients.register::<Flex>(node.id, like(&gradient, out));
    }
}

/// `values` in the shape of `tensor`.
fn like(tensor: &FlexTensor, values: Vec<f32>) -> FlexTensor {
    let shape = tensor.layout().shape().clone();
    FlexTensor::new(burn::tensor::Bytes::from_elems(values), burn_flex::Layout::contiguous(shape), tensor.dtype())
}

/// `leftᵀ · rows`.
fn times_rows(left: &[f32], rows: &[f32]) -> Vec<f32> {
    let columns = rows.len() / left.len();
    let mut out = vec![0.0; columns];
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for (row, left) in rows.chunks_exact(columns).zip(left) {
                out.iter_mut().zip(row).for_each(|(out, value)| *out += left * value);
            }
        },
    );
    out
}

/// The inner product, in sixteen sums side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 16];
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let ([a, rest_a], [b, rest_b]) = (split(a), split(b));
            for (a, b) in a.chunks_exact(16).zip(b.chunks_exact(16)) {
                for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
                    *sum += a * b;
                }
            }
            for (sum, (a, b)) in sums.iter_mut().zip(rest_a.iter().zip(rest_b)) {
                *sum += a * b;
            }
        },
    );
    sums.iter().sum()
}

fn split(values: &[f32]) -> [&[f32]; 2] {
    let (whole, rest) = values.split_at(values.len() / 16 * 16);
    [whole, rest]
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let norm = dot(&vector, &vector).sqrt() + 1e-12;
    vector.iter_mut().for_each(|value| *value /= norm);
    vector
}
