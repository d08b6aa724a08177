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
//! where maps are added, each of them has the gradient of the sum, and where pixels of a block are averaged, each has
//! its share of the mean's. The deviation of a batch is no linear map, but its gradient is written down in the values
//! themselves: g then is that of the sum of all scores, by way of which images differ, too. So one differentiation of a
//! function of g is exact: the masks jump, they do not vary, as in double back-propagation of the same net elsewhere
//! (Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, algorithm 1; Mescheder et al., "Which Training
//! Methods for GANs do actually Converge?", 2018, eq. 9).

use burn::tensor::Tensor;
use burn::tensor::module::conv_transpose2d;
use burn::tensor::ops::ConvTransposeOptions;
use edgegen_export::layers::Window;

use super::layer::{Join, JoinKind, Layer, PointwiseKind, Pool, PoolKind};
use super::operations::operations;
use super::{Mode, Net, Source};

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
    /// If a layer is none of linear, convolution, transposed convolution, ReLU, leaky ReLU, means of blocks, a batch's
    /// deviation and the sum of two maps: what is normalized over a batch has no gradient of one image alone.
    pub fn score_and_gradient(&self, images: Tensor<4>, head: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let mut maps: Vec<Option<Tensor<4>>> = Vec::with_capacity(self.layers.len());
        let read = |maps: &[Option<Tensor<4>>], source: Source| match source {
            Source::Input(_) => images.clone(),
            Source::Layer(layer) => maps[layer].clone().expect("a layer that is read has run"),
        };
        let running = self.running();
        for (layer, reads) in self.layers.iter().zip(&running) {
            let output = reads.as_ref().map(|reads| {
                let reads = reads.iter().map(|&source| read(&maps, source)).collect();
                layer.forward(reads, &mut Mode::Eval)
            });
            maps.push(output);
        }
        let mut of_image = None;
        let mut of_layers = vec![None; maps.len()];
        of_layers[maps.len() - 1] = Some(head);
        for (at, (layer, reads)) in self.layers.iter().zip(&running).enumerate().rev() {
            let (Some(g), Some(reads)) = (of_layers[at].take(), reads) else { continue };
            let scales = match (layer, reads.len()) {
                (Layer::Join(Join { kind: JoinKind::Add(scales) }), _) => Some(*scales),
                (Layer::Fade(_), 1) => Some([1.0; 2]),
                (Layer::Fade(fade), _) => Some(fade.scales()),
                _ => None,
            };
            if let Some(scales) = scales {
                for (&source, scale) in reads.iter().zip(scales) {
                    let shape = read(&maps, source).dims();
                    assert_eq!(shape, g.dims(), "expected a critic that adds maps of one shape");
                    collect(&mut of_image, &mut of_layers, source, g.clone().mul_scalar(scale));
                }
                continue;
            }
            let x = read(&maps, reads[0]);
            collect(&mut of_image, &mut of_layers, reads[0], back(layer, g, x));
        }
        let scores = maps.pop().flatten().expect("a critic has layers");
        (scores, of_image.expect("a critic reads its image"))
    }
}

/// Adds to the gradient of what a layer read.
fn collect(of_image: &mut Option<Tensor<4>>, of_layers: &mut [Option<Tensor<4>>], source: Source, more: Tensor<4>) {
    let sum = match source {
        Source::Input(_) => of_image,
        Source::Layer(layer) => &mut of_layers[layer],
    };
    *sum = Some(match sum.take() {
        Some(sum) => sum + more,
        None => more,
    });
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
            let Window { kernel, stride, padding, dilation, groups, .. } = conv.window;
            assert!(padding.iter().all(|[a, b]| a == b), "expected a critic with even borders, found {padding:?}");
            let padding = padding.map(|[before, _]| before);
            // Where the last rows of the input were not reached, they have gradient 0: the output padding.
            let missed = [0, 1].map(|axis| {
                let reached = dilation[axis] * (kernel[axis] - 1) + 1 + (g.dims()[2 + axis] - 1) * stride[axis];
                shape[2 + axis] + 2 * padding[axis] - reached
            });
            if missed == [0; 2] {
                let none = Tensor::zeros([shape[1]], &weight.device());
                let window = Window { channels: shape[1], ..conv.window };
                return operations(&[&g, &weight]).conv_transpose2d(g, weight, none, &window);
            }
            conv_transpose2d(g, weight, None, ConvTransposeOptions::new(stride, padding, missed, dilation, groups))
        }
        Layer::ConvTranspose(conv) => {
            let weight = conv.normalized_weight();
            let none = Tensor::zeros([shape[1]], &weight.device());
            let window = Window { channels: shape[1], ..conv.window };
            operations(&[&g, &weight]).conv2d(g, weight, none, &window)
        }
        Layer::Pointwise(pointwise) => {
            let slope = match pointwise.kind {
                PointwiseKind::Relu => 0.0,
                PointwiseKind::LeakyRelu(slope) => slope,
                kind => panic!("expected a critic of (leaky) ReLUs, found {kind:?}"),
            };
            let x = x.inner();
            operations(&[&g, &x]).scale_by_sign(g, x, slope)
        }
        Layer::Pool(Pool { kind: PoolKind::Block(sides) }) => {
            operations(&[&g]).nearest(g, *sides).div_scalar((sides[0] * sides[1]) as f32)
        }
        // Of N values in a batch of B, the mean of √(variance + ε) has by each the slope (x − mean) / (N · B · √(…)).
        Layer::BatchDeviation(layer) => {
            let [batch, c, h, w] = shape;
            let centred = x.clone() - x.mean_dim(0);
            let deviation = centred.clone().square().mean_dim(0).add_scalar(layer.epsilon).sqrt();
            let all = g.clone().narrow(1, c, 1).sum().reshape([1, 1, 1, 1]);
            let slope = (centred / deviation).div_scalar((batch * c * h * w) as f32);
            g.narrow(1, 0, c) + slope * all
        }
        other => panic!("expected a critic of linear layers and (leaky) ReLUs, found {other:?}"),
    }
}
