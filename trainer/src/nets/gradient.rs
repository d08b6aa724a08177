//! The gradient of a score with respect to the image it was given, written as a network of its own.
//!
//! Penalties on that gradient (WGAN-GP, R1, R2) need its derivative by the weights, and Burn differentiates once only. But for a net of
//! linear maps and leaky ReLUs the gradient is again such a net, run backwards over the same weights:
//!
//! ```text
//! y = W x + b          g_x = Wᵀ g_y
//! y = conv(x, W)       g_x = conv_transpose(g_y, W)
//! y = leaky(x)         g_x = m ⊙ g_y,   m = 1 where x > 0, the slope elsewhere, a constant of the weights almost everywhere
//! ```
//!
//! so one differentiation of a function of g is exact: the masks jump, they do not vary, as in double back-propagation of the same net
//! elsewhere (Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, algorithm 1; Mescheder et al., "Which Training Methods for GANs do
//! actually Converge?", 2018, eq. 9).

use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Tensor, activation};

use super::layer::{Layer, PointwiseKind};
use super::{Mode, Net};

impl Net {
    /// Scores of images, and the gradient of a weighted sum of each image's scores with respect to the image; the derivative of both by the
    /// weights can be taken.
    ///
    /// # Shapes
    ///   - Input `[batch, C, H, W]`
    ///   - `head`, the weights of the sum, and the scores `[batch, scores, 1, 1]`, gradient as the input
    ///
    /// # Panics
    ///
    /// If a layer is none of linear, convolution, transposed convolution, ReLU and leaky ReLU: what is normalized over a batch has no
    /// gradient of one image alone.
    pub fn score_and_gradient(&self, images: Tensor<4>, head: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let mut inputs = Vec::with_capacity(self.layers.len());
        let scores = self.layers.iter().fold(images, |x, layer| {
            inputs.push(x.clone());
            layer.forward(x, &mut Mode::Eval)
        });
        let gradient = self.layers.iter().zip(inputs).rev().fold(head, |g, (layer, x)| back(layer, g, x));
        (scores, gradient)
    }
}

/// Through one layer backwards: `g` is the gradient of its output, `x` its input.
fn back(layer: &Layer, g: Tensor<4>, x: Tensor<4>) -> Tensor<4> {
    let shape = x.dims();
    match layer {
        Layer::Linear(linear) => {
            let weight = linear.normalized_weight();
            let [outputs, _] = weight.dims();
            g.reshape([shape[0], outputs]).matmul(weight).reshape(shape)
        }
        Layer::Conv(conv) => {
            let weight = conv.normalized_weight();
            let [_, _, kernel, _] = weight.dims();
            let [h, w] = [g.dims()[2], g.dims()[3]];
            // Where the last rows of the input were not reached, they have gradient 0: the output padding.
            let missed = |input: usize, output: usize| input + 2 * conv.padding - kernel - (output - 1) * conv.stride;
            let padding_out = [missed(shape[2], h), missed(shape[3], w)];
            let options = ConvTransposeOptions::new([conv.stride; 2], [conv.padding; 2], padding_out, [1; 2], 1);
            conv_transpose2d(g, weight, None, options)
        }
        Layer::ConvTranspose(conv) => {
            conv2d(g, conv.weight.val(), None, ConvOptions::new([conv.stride; 2], [conv.padding; 2], [1; 2], 1))
        }
        Layer::Pointwise(pointwise) => {
            let slope = match pointwise.kind {
                PointwiseKind::Relu => 0.0,
                PointwiseKind::LeakyRelu(slope) => slope,
                kind => panic!("expected a critic of (leaky) ReLUs, found {kind:?}"),
            };
            let positive = activation::relu(x.inner().sign());
            g * positive.mul_scalar(1.0 - slope).add_scalar(slope)
        }
        other => panic!("expected a critic of linear layers and (leaky) ReLUs, found {other:?}"),
    }
}
