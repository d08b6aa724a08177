//! What layers compute with: one interface, and one place where it is decided who does the work.
//!
//! [`Operations`] are Burn's, which every device has; [`OnFlex`] does those anew that a training step on
//! the CPU spends its time on. [`operations`] chooses by where the tensors are. A layer calls what it gets and knows of
//! no device, and another device with operations of its own is one more implementation and one more line there.

use burn::tensor::module::{batch_norm, batch_norm_train, conv_transpose2d, conv2d, interpolate, linear};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions, InterpolateMode, InterpolateOptions};
use burn::tensor::{Tensor, activation};
use edgegen_export::layers::Window;

use super::cpu::{self, OnFlex};
use super::layer::PointwiseKind;

/// The operations for tensors that all are on one device, some of them with autodiff or none.
pub fn operations(tensors: &[&dyn Placed]) -> &'static dyn Operations {
    if tensors.iter().all(|tensor| tensor.suits_flex()) { &OnFlex } else { &Burn }
}

/// A tensor with any number of axes.
pub trait Placed {
    /// See [`cpu::suits`].
    fn suits_flex(&self) -> bool;
}

impl<const D: usize> Placed for Tensor<D> {
    fn suits_flex(&self) -> bool {
        cpu::suits(self)
    }
}

/// Burn's own, on any device.
#[derive(Clone, Copy, Debug)]
pub struct Burn;

impl Operations for Burn {}

/// Operations of layers, each as Burn has it unless an implementation does it in another way. All are differentiable
/// but for [`iterate`](Operations::iterate) and [`blend`](Operations::blend).
pub trait Operations {
    /// `W·x + b`.
    ///
    /// # Shapes
    ///   - `x`: `[batch, …]`, `weight`: `[out, in]`, `bias`: `[out]`
    ///   - Output: `[batch, C, H, W]`, the last three being `output`
    fn dense(&self, x: Tensor<4>, weight: Tensor<2>, bias: Tensor<1>, output: [usize; 3]) -> Tensor<4> {
        let batch = x.dims()[0];
        let [c, h, w] = output;
        linear(x.reshape([batch as i64, -1]), weight.transpose(), Some(bias)).reshape([batch, c, h, w])
    }

    /// Convolution.
    ///
    /// # Shapes
    ///   - `x`: `[batch, in, H, W]`, `weight`: `[out, in / groups, ky, kx]`, `bias`: `[out]`
    fn conv2d(&self, x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, window: &Window) -> Tensor<4> {
        let Window { stride, padding, dilation, groups, .. } = *window;
        let padding = padding.map(|[before, after]| (before, after));
        conv2d(x, weight, Some(bias), ConvOptions { stride, padding, dilation, groups })
    }

    /// Transposed convolution; the window's border, the same before and after, is cut off.
    ///
    /// # Shapes
    ///   - `x`: `[batch, in, H, W]`, `weight`: `[in, out / groups, ky, kx]`, `bias`: `[out]`
    fn conv_transpose2d(&self, x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, window: &Window) -> Tensor<4> {
        let Window { stride, padding, dilation, groups, .. } = *window;
        let options = ConvTransposeOptions::new(stride, padding.map(|[before, _]| before), [0; 2], dilation, groups);
        conv_transpose2d(x, weight, Some(bias), options)
    }

    /// Each pixel repeated `factor` times, `[vertical, horizontal]`.
    fn nearest(&self, x: Tensor<4>, factor: [usize; 2]) -> Tensor<4> {
        let [_, _, h, w] = x.dims();
        let size = [h * factor[0], w * factor[1]];
        interpolate(x, InterpolateOptions::new(InterpolateMode::Nearest).with_output_size(size))
    }

    /// `in[c·f² + fy·f + fx, y, x]` becomes `out[c, y·f + fy, x·f + fx]`.
    fn depth_to_space(&self, x: Tensor<4>, f: usize) -> Tensor<4> {
        let [batch, c, h, w] = x.dims();
        let out = c / (f * f);
        x.reshape([batch, out, f, f, h, w]).permute([0, 1, 4, 2, 5, 3]).reshape([batch, out, h * f, w * f])
    }

    /// A function of each value alone.
    fn pointwise(&self, kind: PointwiseKind, x: Tensor<4>) -> Tensor<4> {
        match kind {
            PointwiseKind::Relu => activation::relu(x),
            // slope·x + (1 − slope)·max(0, x): Burn's own leaky ReLU masks, ten times slower backwards on a CPU.
            PointwiseKind::LeakyRelu(slope) => {
                activation::relu(x.clone()).mul_scalar(1.0 - slope) + x.mul_scalar(slope)
            }
            PointwiseKind::Tanh => activation::tanh(x),
            PointwiseKind::Sigmoid => activation::sigmoid(x),
        }
    }

    /// Each map of `x`, `[batch, C, H, W]`, times a factor of its own, `[batch, C, 1, 1]`.
    fn scale(&self, x: Tensor<4>, factors: Tensor<4>) -> Tensor<4> {
        x * factors
    }

    /// `x + strength · noise + bias`.
    ///
    /// # Shapes
    ///   - `x`: `[batch, C, H, W]`, `noise`: `[batch, 1, H, W]`, `strength`: `[1]`, `bias`: `[C]`
    fn add_noise(&self, x: Tensor<4>, noise: Tensor<4>, strength: Tensor<1>, bias: Tensor<1>) -> Tensor<4> {
        let channels = x.dims()[1] as i32;
        x + (noise * strength.reshape([1, 1, 1, 1]) + bias.reshape([1, channels, 1, 1]))
    }

    /// `g` where `x` is above 0, and `slope · g` elsewhere: through a leaky ReLU backwards. `x` has no gradient.
    fn scale_by_sign(&self, g: Tensor<4>, x: Tensor<4>, slope: f32) -> Tensor<4> {
        let positive = activation::relu(x.sign());
        g * positive.mul_scalar(1.0 - slope).add_scalar(slope)
    }

    /// `first` times the first scale plus `second` times the second; one of them may be broadcast.
    fn add(&self, first: Tensor<4>, second: Tensor<4>, scales: [f32; 2]) -> Tensor<4> {
        let scaled = |x: Tensor<4>, scale: f32| if scale == 1.0 { x } else { x.mul_scalar(scale) };
        scaled(first, scales[0]) + scaled(second, scales[1])
    }

    /// Batch normalization by the statistics of `x` itself.
    fn batch_norm(&self, x: Tensor<4>, gamma: Tensor<1>, beta: Tensor<1>, epsilon: f64) -> Tensor<4> {
        batch_norm_train(x, gamma, beta, epsilon).output
    }

    /// Batch normalization by γ, β, mean and variance, each `[C]`.
    fn with_statistics(&self, x: Tensor<4>, of_channels: [Tensor<1>; 4], epsilon: f64) -> Tensor<4> {
        let [gamma, beta, mean, variance] = of_channels;
        batch_norm(x, gamma, beta, mean, variance, epsilon)
    }

    /// The left singular vector after one power iteration, without gradient: `v ← Wᵀu / |Wᵀu|`, `u ← W·v / |W·v|`.
    ///
    /// # Shapes
    ///   - `weight`: `[out, rest]`, `left` and output: `[out]`
    fn iterate(&self, weight: Tensor<2>, left: Tensor<1>) -> Tensor<1> {
        let matrix = weight.inner();
        let v = unit(left.inner().reshape([1, -1]).matmul(matrix.clone()));
        unit(v.matmul(matrix.transpose())).reshape([-1])
    }

    /// `W / σ` with `σ = uᵀ·W·v`: u and v count as constants, so the gradient flows through W alone (Miyato et al.,
    /// 2018, eq. 12).
    ///
    /// # Shapes
    ///   - `weight` and output: `[out, rest]`, `left`: `[out]`
    fn spectral_norm(&self, weight: Tensor<2>, left: Tensor<1>) -> Tensor<2> {
        let u = left.inner().reshape([1, -1]);
        let v = unit(u.clone().matmul(weight.clone().inner()));
        let sigma = (u.matmul(weight.clone()) * v).sum();
        weight / sigma.reshape([1; 2])
    }

    /// `decay · mean + (1 − decay) · source`, without gradient.
    fn blend(&self, mean: Tensor<1>, source: Tensor<1>, decay: f64) -> Tensor<1> {
        mean.mul_scalar(decay) + source.inner().mul_scalar(1.0 - decay)
    }
}

fn unit(vector: Tensor<2>) -> Tensor<2> {
    let norm = vector.clone().square().sum().sqrt().add_scalar(1e-12);
    vector / norm.reshape([1, 1])
}
