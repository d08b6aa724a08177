//! Batch normalization with the statistics of the batch (Ioffe and Szegedy, 2015).
//!
//! With x̂ = (x − mean) / √(variance + ε) over the R pixels of a channel:
//!
//! ```text
//! y = γ·x̂ + β      dβ = Σ dy      dγ = Σ dy·x̂      dx = γ/√(variance + ε) · (dy − dβ/R − x̂·dγ/R)
//! ```

use burn::backend::Flex;
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops};
use burn_flex::FlexTensor;
use pulp::Arch;
use rayon::prelude::*;

use super::maps::{dims, map, pixels, plain, values};
use super::{ROWS, add_up, any_autodiff, bare, record, tracked};

#[derive(Clone, Copy, Debug)]
struct BatchNorm;

/// What the backward pass needs.
#[derive(Clone, Debug)]
struct State {
    x: FlexTensor,
    gamma: FlexTensor,
    mean: Vec<f32>,
    /// 1 / √(variance + ε).
    scale: Vec<f32>,
}

/// Normalizes each channel of `x` `[batch, C, H, W]` over batch and pixels, then `γ·x̂ + β` with `gamma`, `beta` `[C]`.
pub fn batch_norm(x: Tensor<4>, gamma: Tensor<1>, beta: Tensor<1>, epsilon: f64) -> Tensor<4> {
    if !any_autodiff(&[x.device(), gamma.device(), beta.device()]) {
        let (output, ..) = forward(&bare(x), &bare(gamma), &bare(beta), epsilon);
        return Tensor::from_primitive::<Flex>(output);
    }
    let (x, gamma, beta) = (tracked(x), tracked(gamma), tracked(beta));
    let (output, mean, scale) = forward(x.primitive(), gamma.primitive(), beta.primitive(), epsilon);
    let state = State { x: x.primitive().clone(), gamma: gamma.primitive().clone(), mean, scale };
    record(BatchNorm, [x.node(), gamma.node(), beta.node()], state, output)
}

/// The output, the mean and 1 / √(variance + ε).
fn forward(x: &FlexTensor, gamma: &FlexTensor, beta: &FlexTensor, epsilon: f64) -> (FlexTensor, Vec<f32>, Vec<f32>) {
    let shape = dims(x);
    let channels = shape[1];
    let (x, gamma, beta) = (pixels(x), values(gamma), values(beta));
    let count = (x.len() / channels) as f32;
    let mut mean = super::column_sums(&x, channels);
    mean.iter_mut().for_each(|mean| *mean /= count);
    let squares = sum_rows(&x, &x, channels, |x, _, mean| (x - mean) * (x - mean), &mean);
    let scale: Vec<f32> = squares.iter().map(|&sum| (1.0 / (f64::from(sum / count) + epsilon).sqrt()) as f32).collect();
    // y = factor·x + shift
    let factor: Vec<f32> = gamma.iter().zip(&scale).map(|(gamma, scale)| gamma * scale).collect();
    let shift: Vec<f32> =
        beta.iter().zip(mean.iter().zip(&factor)).map(|(beta, (mean, factor))| beta - mean * factor).collect();
    let mut out = vec![0.0; x.len()];
    out.par_chunks_mut(ROWS * channels).zip(x.par_chunks(ROWS * channels)).for_each(|(out, x)| {
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for (out, x) in out.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
                    for (((out, x), factor), shift) in out.iter_mut().zip(x).zip(&factor).zip(&shift) {
                        *out = x * factor + shift;
                    }
                }
            },
        );
    });
    (map(out, shape), mean, scale)
}

impl Backward<Flex, 3> for BatchNorm {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let shape = dims(&gradient);
        let channels = shape[1];
        let State { x, gamma, mean, scale } = ops.state;
        let (dy, x, gamma) = (pixels(&gradient), pixels(&x), values(&gamma));
        let dbeta = super::column_sums(&dy, channels);
        let mut dgamma = sum_rows(&dy, &x, channels, |dy, x, mean| dy * (x - mean), &mean);
        dgamma.iter_mut().zip(&scale).for_each(|(sum, scale)| *sum *= scale);
        let [node_x, node_gamma, node_beta] = ops.parents;
        if let Some(node) = node_x {
            let count = (x.len() / channels) as f32;
            // dx = a·dy + b·x + c
            let a: Vec<f32> = gamma.iter().zip(&scale).map(|(gamma, scale)| gamma * scale).collect();
            let b: Vec<f32> = (0..channels).map(|c| -a[c] * scale[c] * dgamma[c] / count).collect();
            let c: Vec<f32> = (0..channels).map(|c| -a[c] * dbeta[c] / count - b[c] * mean[c]).collect();
            let mut dx = vec![0.0; x.len()];
            let step = ROWS * channels;
            dx.par_chunks_mut(step).zip(dy.par_chunks(step).zip(x.par_chunks(step))).for_each(|(dx, (dy, x))| {
                Arch::new().dispatch(
                    #[inline(always)]
                    || {
                        let rows = dy.chunks_exact(channels).zip(x.chunks_exact(channels));
                        for (dx, (dy, x)) in dx.chunks_exact_mut(channels).zip(rows) {
                            let factors = a.iter().zip(&b).zip(&c);
                            for (((dx, dy), x), ((a, b), c)) in dx.iter_mut().zip(dy).zip(x).zip(factors) {
                                *dx = a * dy + (b * x + c);
                            }
                        }
                    },
                );
            });
            gradients.register::<Flex>(node.id, map(dx, shape));
        }
        if let Some(node) = node_gamma {
            gradients.register::<Flex>(node.id, plain(dgamma, [channels]));
        }
        if let Some(node) = node_beta {
            gradients.register::<Flex>(node.id, plain(dbeta, [channels]));
        }
    }
}

/// Σ over rows of `term(first, second, constant)`, column by column.
fn sum_rows(
    first: &[f32],
    second: &[f32],
    width: usize,
    term: impl Fn(f32, f32, f32) -> f32 + Sync,
    constant: &[f32],
) -> Vec<f32> {
    let parts = first
        .par_chunks(ROWS * width)
        .zip(second.par_chunks(ROWS * width))
        .map(|(first, second)| {
            let mut sums = vec![0.0; width];
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (first, second) in first.chunks_exact(width).zip(second.chunks_exact(width)) {
                        let terms = first.iter().zip(second).zip(constant);
                        for (sum, ((first, second), constant)) in sums.iter_mut().zip(terms) {
                            *sum += term(*first, *second, *constant);
                        }
                    }
                },
            );
            sums
        })
        .collect();
    add_up(parts)
}
