//! Convolutions.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use edgegen_export::layers::Window;

use super::spectral::normalized;
use crate::nets::operations::operations;

/// Convolution.
#[derive(Module, Debug)]
pub struct Conv {
    /// `[out, in / groups, ky, kx]`.
    pub weight: Param<Tensor<4>>,
    /// `[out]`.
    pub bias: Param<Tensor<1>>,
    /// As [`Linear::gain`](super::Linear::gain).
    pub gain: f32,
    /// Left singular vector `[out]` of a spectrally normalized layer.
    pub spectral: Option<Param<Tensor<1>>>,
    /// Kernel, step, border and groups.
    #[module(skip)]
    pub window: Window,
}

impl Conv {
    /// As [`Linear::normalized_weight`](super::Linear::normalized_weight).
    pub fn normalized_weight(&self) -> Tensor<4> {
        normalized(self.weight.val(), self.spectral.as_ref(), self.gain)
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let weight = self.normalized_weight();
        operations(&[&x, &weight]).conv2d(x, weight, self.bias.val(), &self.window)
    }
}

/// Transposed convolution.
#[derive(Module, Debug)]
pub struct ConvTranspose {
    /// `[in, out / groups, ky, kx]`.
    pub weight: Param<Tensor<4>>,
    /// `[out]`.
    pub bias: Param<Tensor<1>>,
    /// As [`Linear::gain`](super::Linear::gain).
    pub gain: f32,
    /// Kernel, enlargement (its step), what is cut from each side (its border, the same before and after), and groups.
    #[module(skip)]
    pub window: Window,
}

impl ConvTranspose {
    /// As [`Linear::normalized_weight`](super::Linear::normalized_weight).
    pub fn normalized_weight(&self) -> Tensor<4> {
        normalized(self.weight.val(), None, self.gain)
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let weight = self.normalized_weight();
        operations(&[&x, &weight]).conv_transpose2d(x, weight, self.bias.val(), &self.window)
    }
}
