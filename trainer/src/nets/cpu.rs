//! The layers' operations on the CPU, written for training.
//!
//! Burn's own operations for the CPU (burn-flex) take about three times as long for a training step as PyTorch does;
//! `benches/train` measures it. These take their place where all tensors are on `Device::flex()` or its autodiff
//! twin and hold 32-bit floats: [`operations`](super::operations::operations) then gives [`OnFlex`] to a layer, and Burn's
//! own everywhere else. The tests here hold both to the same numbers.
//!
//! What makes them fast: a map keeps the channels of a pixel side by side ([`maps`]), a convolution is one matrix
//! product for each block of the batch that fits the cache ([`conv`]), and each layer goes over its map once.
//!
//! Results do not depend on the number of threads, so a resumed run goes on bit for bit.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Device, GradientCheckpointingStrategy, Tensor};
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::ops::{Backward, NodeGuard, OpsKind};
use burn_flex::FlexTensor;
use edgegen_export::layers::Window;
use rayon::prelude::*;

use super::layer::PointwiseKind;
use super::operations::{Burn, Operations};
use patches::Geometry;

pub mod conv;
pub mod dense;
pub mod enlarge;
pub mod gemm;
pub mod join;
pub mod maps;
pub mod norm;
pub mod patches;
pub mod pointwise;
pub mod spectral;
pub mod style;
pub mod update;

/// The operations of this module, for tensors that [`suits`]; what it cannot do is left to Burn's.
#[derive(Clone, Copy, Debug)]
pub struct OnFlex;

impl Operations for OnFlex {
    fn dense(&self, x: Tensor<4>, weight: Tensor<2>, bias: Tensor<1>, output: [usize; 3]) -> Tensor<4> {
        dense::dense(x, weight, bias, output)
    }

    fn conv2d(&self, x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, window: &Window) -> Tensor<4> {
        if Geometry::suits(window) {
            conv::conv2d(x, weight, bias, window)
        } else {
            Burn.conv2d(x, weight, bias, window)
        }
    }

    fn conv_transpose2d(&self, x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, window: &Window) -> Tensor<4> {
        if Geometry::suits(window) {
            conv::conv_transpose2d(x, weight, bias, window)
        } else {
            Burn.conv_transpose2d(x, weight, bias, window)
        }
    }

    fn nearest(&self, x: Tensor<4>, factor: [usize; 2]) -> Tensor<4> {
        if factor[0] == factor[1] { enlarge::nearest(x, factor[0]) } else { Burn.nearest(x, factor) }
    }

    fn depth_to_space(&self, x: Tensor<4>, factor: usize) -> Tensor<4> {
        enlarge::depth_to_space(x, factor)
    }

    fn pointwise(&self, kind: PointwiseKind, x: Tensor<4>) -> Tensor<4> {
        pointwise::pointwise(kind, x)
    }

    fn scale(&self, x: Tensor<4>, factors: Tensor<4>) -> Tensor<4> {
        style::scale(x, factors)
    }

    fn add_noise(&self, x: Tensor<4>, noise: Tensor<4>, strength: Tensor<1>, bias: Tensor<1>) -> Tensor<4> {
        // It would get no gradient here.
        let is_constant = !noise.is_autodiff();
        if is_constant { style::add_noise(x, noise, strength, bias) } else { Burn.add_noise(x, noise, strength, bias) }
    }

    fn scale_by_sign(&self, g: Tensor<4>, x: Tensor<4>, slope: f32) -> Tensor<4> {
        pointwise::scale_by_sign(g, x, slope)
    }

    fn add(&self, first: Tensor<4>, second: Tensor<4>, scales: [f32; 2]) -> Tensor<4> {
        let (dims, [batch, channels, h, w]) = (first.dims(), second.dims());
        if dims == second.dims() {
            join::add(first, second, scales)
        } else if scales == [1.0; 2] && dims[..2] == [batch, channels] && [h, w] == [1; 2] {
            style::shift(first, second)
        } else {
            Burn.add(first, second, scales)
        }
    }

    fn batch_norm(&self, x: Tensor<4>, gamma: Tensor<1>, beta: Tensor<1>, epsilon: f64) -> Tensor<4> {
        norm::batch_norm(x, gamma, beta, epsilon)
    }

    fn with_statistics(&self, x: Tensor<4>, of_channels: [Tensor<1>; 4], epsilon: f64) -> Tensor<4> {
        if x.is_autodiff() || of_channels.iter().any(Tensor::is_autodiff) {
            return Burn.with_statistics(x, of_channels, epsilon);
        }
        norm::with_statistics(x, of_channels, epsilon)
    }

    fn iterate(&self, weight: Tensor<2>, left: Tensor<1>) -> Tensor<1> {
        spectral::iterate(weight, left)
    }

    fn spectral_norm(&self, weight: Tensor<2>, left: Tensor<1>) -> Tensor<2> {
        spectral::normalized(weight, left)
    }

    fn blend(&self, mean: Tensor<1>, source: Tensor<1>, decay: f64) -> Tensor<1> {
        if mean.is_autodiff() { Burn.blend(mean, source, decay) } else { update::blend(mean, source, decay) }
    }
}

/// A tensor with its place in the graph.
type Tracked = FloatTensor<Autodiff<Flex>>;

/// Whether the operations here can read `tensor`.
pub fn suits<const D: usize>(tensor: &Tensor<D>) -> bool {
    let device = tensor.device();
    tensor.dtype() == DType::F32
        && matches!(device.gradient_checkpointing_strategy(), None | Some(GradientCheckpointingStrategy::Disabled))
        && device.inner() == Device::flex()
}

fn any_autodiff(devices: &[Device]) -> bool {
    devices.iter().any(Device::is_autodiff)
}

/// The values of a tensor that [`suits`], without its place in the graph.
fn bare<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    tensor.inner().try_into_primitive::<Flex>().expect("`suits` has seen that the tensor is on flex")
}

/// A tensor that [`suits`], a constant if it is on a device without autodiff.
fn tracked<const D: usize>(tensor: Tensor<D>) -> Tracked {
    if tensor.is_autodiff() {
        tensor.try_into_primitive::<Autodiff<Flex>>().expect("`suits` has seen that the tensor is on flex")
    } else {
        Tracked::new(bare(tensor))
    }
}

/// Puts an operation and its output into the graph.
fn record<O, const N: usize, const D: usize>(
    operation: O,
    inputs: [NodeGuard; N],
    state: O::State,
    output: FlexTensor,
) -> Tensor<D>
where
    O: Backward<Flex, N>,
{
    let output = match operation.prepare::<NoCheckpointing>(inputs).compute_bound().stateful() {
        OpsKind::Tracked(operation) => operation.finish(state, output),
        OpsKind::UnTracked(operation) => operation.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

/// The sum of vectors of the same length, added in their order.
fn add_up(parts: Vec<Vec<f32>>) -> Vec<f32> {
    parts
        .into_iter()
        .reduce(|mut sum, part| {
            sum.iter_mut().zip(&part).for_each(|(sum, value)| *sum += value);
            sum
        })
        .unwrap_or_default()
}

/// Rows whose sum is one part of a sum over all rows.
const ROWS: usize = 1024;

/// The sum of all rows of `width` values.
fn column_sums(rows: &[f32], width: usize) -> Vec<f32> {
    let parts = rows
        .par_chunks(ROWS * width)
        .map(|rows| {
            let mut sum = vec![0.0; width];
            pulp::Arch::new().dispatch(
                #[inline(always)]
                || {
                    for row in rows.chunks_exact(width) {
                        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
                    }
                },
            );
            sum
        })
        .collect();
    add_up(parts)
}

#[cfg(test)]
mod tests;
