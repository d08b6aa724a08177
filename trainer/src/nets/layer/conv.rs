//! Convolutions.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use edgegen_export::layers::Window;

use super::spectral::normalized;
use crate::nets::cpu;

/// Convolution.
#[derive(Module, Debug)]
pub struct Conv {
    /// `[out, in / groups, ky, kx]`.
    pub weight: Param<Tensor<4>>,
    /// `[out]`.
    pub bias: Param<Tensor<1>>,
    /// Left singular vector `[out]` of a spectrally normalized layer.
    pub spectral: Option<Param<Tensor<1>>>,
    /// Kernel, step, border and groups.
    #[module(skip)]
    pub window: Window,
}

impl Conv {
    /// As [`Linear::normalized_weight`](super::Linear::normalized_weight).
    pub(in crate::nets) fn normalized_weight(&self) -> Tensor<4> {
        normalized(self.weight.val(), self.spectral.as_ref())
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let weight = self.normalized_weight();
        if let Some([stride, padding]) = even(&self.window).filter(|_| cpu::suits(&x) && cpu::suits(&weight)) {
            return cpu::conv::conv2d(x, weight, self.bias.val(), stride, padding);
        }
        let Window { stride, padding, dilation, groups, .. } = self.window;
        let padding = padding.map(|[before, after]| (before, after));
        conv2d(x, weight, Some(self.bias.val()), ConvOptions { stride, padding, dilation, groups })
    }
}

/// Transposed convolution.
#[derive(Module, Debug)]
pub struct ConvTranspose {
    /// `[in, out / groups, ky, kx]`.
    pub weight: Param<Tensor<4>>,
    /// `[out]`.
    pub bias: Param<Tensor<1>>,
    /// Kernel, enlargement (its step), what is cut from each side (its border, the same before and after), and groups.
    #[module(skip)]
    pub window: Window,
}

impl ConvTranspose {
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let weight = self.weight.val();
        if let Some([stride, padding]) = even(&self.window).filter(|_| cpu::suits(&x) && cpu::suits(&weight)) {
            return cpu::conv::conv_transpose2d(x, weight, self.bias.val(), stride, padding);
        }
        let Window { stride, padding, dilation, groups, .. } = self.window;
        let options = ConvTransposeOptions::new(stride, padding.map(|[before, _]| before), [0; 2], dilation, groups);
        conv_transpose2d(x, weight, Some(self.bias.val()), options)
    }
}

/// Step and border of a window where they are the same on all sides and nothing else is asked for.
fn even(window: &Window) -> Option<[usize; 2]> {
    let Window { stride: [stride, _], padding: [[padding, _], _], .. } = *window;
    let plain = Window { stride: [stride; 2], padding: [[padding; 2]; 2], dilation: [1; 2], groups: 1, ..*window };
    (plain == *window).then_some([stride, padding])
}
