//! From a trained network to the exporter's float network.
//!
//! Weights already lie as the list wants them, so lowering copies. What exists for training only goes: dropout is the
//! identity, and spectral normalization and maxout belong to critics, which are never exported.

use anyhow::{Context, Result, bail, ensure};
use burn::module::Param;
use burn::tensor::Tensor;
use edgegen_export::function::Function;
use edgegen_export::layers::{self, Network, Window};
use edgegen_runtime::graph::Shape;

use crate::nets::layer::{Layer, PointwiseKind};
use crate::systems::Generator;

/// The float network of a generator.
///
/// # Errors
///
/// If the net has a layer that only critics may have, or a map of more than 65 535 rows, columns or channels.
pub fn lower(generator: &Generator) -> Result<Network> {
    let Generator { net, pixels, .. } = generator;
    let [_, 1, 1] = net.input else {
        bail!("expected a net that reads a vector, found an input of {:?}: only generators can be exported", net.input);
    };
    let mut list = Vec::with_capacity(net.layers.len());
    for layer in &net.layers {
        list.push(match layer {
            Layer::Linear(linear) => {
                refuse_spectral(linear.spectral.is_some())?;
                let [c, h, w] = linear.shape;
                layers::Layer::Dense {
                    shape: Shape { h: narrow(h)?, w: narrow(w)?, c: narrow(c)? },
                    weight: values(&linear.weight),
                    bias: values(&linear.bias),
                }
            }
            Layer::Conv(conv) => {
                refuse_spectral(conv.spectral.is_some())?;
                let [out, _, kernel_y, kernel_x] = conv.weight.dims();
                layers::Layer::Conv {
                    window: window(out, [kernel_y, kernel_x], conv.stride, conv.padding),
                    weight: values(&conv.weight),
                    bias: values(&conv.bias),
                }
            }
            Layer::ConvTranspose(conv) => {
                let [_, out, kernel_y, kernel_x] = conv.weight.dims();
                layers::Layer::ConvTranspose {
                    window: window(out, [kernel_y, kernel_x], conv.stride, conv.padding),
                    output_padding: [0; 2],
                    weight: values(&conv.weight),
                    bias: values(&conv.bias),
                }
            }
            Layer::UpsampleNearest(layer) => layers::Layer::UpsampleNearest { factor: [layer.factor; 2] },
            Layer::PixelShuffle(layer) => layers::Layer::PixelShuffle { factor: layer.factor, blocks_first: false },
            Layer::BatchNorm(norm) => layers::Layer::BatchNorm {
                gamma: values(&norm.gamma),
                beta: values(&norm.beta),
                mean: values(&norm.mean),
                variance: values(&norm.variance),
                epsilon: norm.epsilon as f32,
            },
            Layer::Pointwise(layer) => layers::Layer::Activation(match layer.kind {
                PointwiseKind::Relu => Function::relu(),
                PointwiseKind::LeakyRelu(slope) => Function::leaky_relu(slope),
                PointwiseKind::Tanh => Function::tanh(),
                PointwiseKind::Sigmoid => Function::sigmoid(),
            }),
            Layer::Dropout(_) => continue,
            Layer::Maxout(_) => {
                bail!("expected layers that a device can run, found maxout: only generators can be exported")
            }
            Layer::BatchDeviation(_) => {
                bail!(
                    "expected layers that a device can run, found a batch's deviation: only generators can be exported"
                )
            }
        });
    }
    Ok(Network::chain(generator.input(), list, *pixels))
}

fn window(channels: usize, kernel: [usize; 2], stride: usize, padding: usize) -> Window {
    Window { channels, kernel, stride: [stride; 2], padding: [[padding; 2]; 2], dilation: [1; 2], groups: 1 }
}

fn refuse_spectral(present: bool) -> Result<()> {
    ensure!(!present, "expected plain weights, found a spectrally normalized layer: only generators can be exported");
    Ok(())
}

fn narrow(value: usize) -> Result<u16> {
    u16::try_from(value).with_context(|| format!("expected at most 65535 rows, columns or channels, found {value}"))
}

fn values<const D: usize>(param: &Param<Tensor<D>>) -> Vec<f32> {
    param.val().into_data().try_to_vec().expect("networks compute in 32-bit floats")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::{Init, Mode, Net, NetBuilder};
    use crate::recipe::Prior;
    use crate::rng::Rng;
    use crate::systems::latents;
    use burn::tensor::Device;
    use edgegen_export::layers::PixelRange;

    /// Lowered and interpreted, the net must say what Burn says.
    fn agrees(build: impl Fn(NetBuilder<'_>) -> NetBuilder<'_>, prior: Prior, pixels: PixelRange) {
        let device = Device::flex();
        let mut rng = Rng::new(11, 0);
        let mut net = build(NetBuilder::new([6, 1, 1], Init::Normal(0.3), &device, &mut rng)).build();
        net.estimate_statistics(latents(prior, 32, 6, &mut rng, &device));
        // Shipped nets have γ and β of their own, too.
        for layer in &mut net.layers {
            if let Layer::BatchNorm(norm) = layer {
                for param in [&mut norm.gamma, &mut norm.beta] {
                    *param = param.clone().map(|x| {
                        let noise: Vec<f32> = (0..x.dims()[0]).map(|_| 0.3 * rng.normal()).collect();
                        x + Tensor::<1>::from_floats(noise.as_slice(), &device)
                    });
                }
            }
        }
        let generator = Generator { net, prior, classes: 2, pixels };
        let network = lower(&generator).unwrap();
        let latent = network.latent().unwrap();
        assert_eq!((latent.dims, latent.classes), (4, 2));
        let inputs: Vec<Vec<f32>> = (0..4).map(|_| (0..6).map(|_| rng.normal()).collect()).collect();
        for (latent, expected) in inputs.iter().zip(generator.generate(&inputs, &device)) {
            let found = network.forward(std::slice::from_ref(latent)).unwrap().values;
            assert_eq!(found.len(), expected.len());
            let difference = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(difference < 1e-4, "{difference}");
            let spread = expected.iter().fold(0.0f32, |m, x| m.max(x.abs()));
            assert!(spread > 1e-2, "a blank image proves nothing");
        }
    }

    #[test]
    fn transposed_convolution() {
        agrees(
            |net| {
                net.linear([8, 3, 3])
                    .batch_norm()
                    .relu()
                    .conv_transpose(6, 4, 2, 1)
                    .batch_norm()
                    .leaky_relu(0.2)
                    .conv_transpose(3, 3, 2, 1)
                    .tanh()
            },
            Prior::Gaussian,
            PixelRange::Symmetric,
        );
    }

    #[test]
    fn pixel_shuffle() {
        agrees(
            |net| {
                net.linear([8, 4, 4])
                    .batch_norm()
                    .relu()
                    .conv_pixel_shuffle(5, 2)
                    .batch_norm()
                    .relu()
                    .conv(1, 3, 1, 1)
                    .tanh()
            },
            Prior::Gaussian,
            PixelRange::Symmetric,
        );
    }

    #[test]
    fn nearest() {
        agrees(
            |net| {
                net.linear([8, 4, 4])
                    .relu()
                    .dropout(0.5)
                    .upsample_nearest(2)
                    .conv(5, 3, 1, 1)
                    .batch_norm()
                    .relu()
                    .conv(3, 3, 1, 1)
                    .tanh()
            },
            Prior::Uniform,
            PixelRange::Symmetric,
        );
    }

    #[test]
    fn perceptron() {
        agrees(|net| net.linear([20, 1, 1]).relu().linear([1, 5, 5]).sigmoid(), Prior::Uniform, PixelRange::Unit);
    }

    #[test]
    fn critics_are_refused() {
        let device = Device::flex();
        let mut rng = Rng::new(0, 0);
        let critic = NetBuilder::new([1, 4, 4], Init::He, &device, &mut rng).linear([1, 1, 1]).build();
        let lowered = |net: &Net| {
            lower(&Generator { net: net.clone(), prior: Prior::Gaussian, classes: 0, pixels: PixelRange::Unit })
        };
        assert!(lowered(&critic).is_err());
        let forward = Net { input: [16, 1, 1], ..critic };
        assert!(lowered(&forward).is_ok());
        let spectral =
            NetBuilder::new([4, 1, 1], Init::He, &device, &mut rng).spectral_norm(true).linear([1, 1, 1]).build();
        let message = lowered(&spectral).unwrap_err().to_string();
        assert!(message.contains("spectrally"), "{message}");
        let latent = Tensor::<4>::ones([1, 4, 1, 1], &device);
        assert_eq!(spectral.forward(latent, &mut Mode::Eval).dims(), [1, 1, 1, 1]);
    }
}
