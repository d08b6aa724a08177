//! Lowered and interpreted, a net must say what Burn says.

use super::*;
use crate::nets::layer::{Conditional, Way};
use crate::nets::{Chain, Init, Mode, Net, NetBuilder};
use crate::recipe::Prior;
use crate::rng::Rng;
use crate::run::to_pixels;
use crate::systems::latents;
use burn::tensor::{Device, TensorData};
use edgegen_export::Label;
use edgegen_export::fold::fold;
use edgegen_export::layers::{LatentInput, PixelRange, Window};
use edgegen_runtime::Model;
use edgegen_runtime::graph::Border;

mod wavenet;
mod weights;

/// A generator of six latent values.
fn agrees(build: impl Fn(NetBuilder<'_>) -> NetBuilder<'_>, prior: Prior, pixels: PixelRange) {
    let device = Device::flex();
    let mut rng = Rng::new(11, 0);
    let mut net = build(NetBuilder::new([6, 1, 1], Init::Normal(0.3), &device, &mut rng)).build();
    net.estimate_statistics(vec![latents(prior, 32, 6, &mut rng, &device)]);
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
    let generator = Generator { net, prior, classes: 2, pixels, more: vec![] };
    let network = lower(&generator).unwrap();
    let latent = network.latent().unwrap();
    assert_eq!((latent.dims, latent.classes), (4, 2));
    let inputs: Vec<Vec<f32>> = (0..4).map(|_| (0..6).map(|_| rng.normal()).collect()).collect();
    for (latent, expected) in inputs.iter().zip(generator.generate(&inputs, &device)) {
        same(&network, std::slice::from_ref(latent), &expected);
    }
    // And what a device draws of it is the float image, up to the noise of eight bits.
    let exported = edgegen_export::export(&network, 64, Label { name: "test", metadata: &[] }).unwrap();
    let model = Model::parse_any(exported.file.bytes()).unwrap();
    let seeds = 0..8;
    let drawn: Vec<Vec<u8>> = seeds.clone().map(|seed| edgegen_export::image(&model, seed)).collect();
    let points: Vec<Vec<f32>> = seeds.map(|seed| latent.vector(seed)).collect();
    let shape = generator.net.output;
    let float = generator.generate(&points, &device);
    let float: Vec<Vec<u8>> = float.iter().map(|image| to_pixels(image, shape, pixels)).collect();
    let psnr = edgegen_metrics::pixels::difference(&float, &drawn).psnr;
    assert!(psnr > 30.0, "{psnr} dB");
}

/// Layers of conditionals, in one pass and value by value, both orders, with a normalization between.
#[test]
fn conditionals_become_plain_layers() {
    let chain = |way, reversed, hidden| Chain { hidden, conditional: Conditional::Gaussian, reversed, way };
    for (way, hidden) in [(Way::OnePass, &[9, 12][..]), (Way::InTurn, &[9, 12]), (Way::InTurn, &[3])] {
        agrees(
            |net| net.autoregressive(chain(way, false, hidden)).batch_norm().autoregressive(chain(way, true, hidden)),
            Prior::Gaussian,
            PixelRange::Symmetric,
        );
    }
}

#[test]
fn what_a_device_cannot_draw_is_refused() {
    let refused = |dims: usize, conditional: Conditional| {
        let (device, mut rng) = (Device::flex(), Rng::new(0, 0));
        let chain = Chain { hidden: &[4], conditional, reversed: false, way: Way::InTurn };
        let net = NetBuilder::new([dims, 1, 1], Init::He, &device, &mut rng).autoregressive(chain).build();
        let generator = Generator { net, prior: Prior::Gaussian, classes: 0, pixels: PixelRange::Unit, more: vec![] };
        lower(&generator).unwrap_err().to_string()
    };
    assert!(refused(17, Conditional::Gaussian).contains("at most 16 values"));
    assert!(refused(4, Conditional::Bernoulli).contains("found bits"));
}

#[track_caller]
fn same(network: &Network, inputs: &[Vec<f32>], expected: &[f32]) {
    let found = network.forward(inputs).unwrap().values;
    assert_eq!(found.len(), expected.len());
    let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference < 1e-4, "{difference}");
    let [low, high] = [f32::min, f32::max].map(|end| expected.iter().copied().reduce(end).unwrap());
    assert!(high - low > 1e-2, "a blank image proves nothing");
}

/// A net of any inputs, the first of them of shape `first`. What is folded into stages has to say the same again.
#[track_caller]
fn net_agrees(first: [usize; 3], build: impl FnOnce(NetBuilder<'_>) -> NetBuilder<'_>) -> Net {
    let (device, mut rng) = (Device::flex(), Rng::new(12, 0));
    let net = build(NetBuilder::new(first, Init::He, &device, &mut rng)).build();
    let inputs: Vec<Input> = net
        .inputs
        .iter()
        .map(|&[c, h, w]| match [h, w] {
            [1, 1] => Input::Latent(LatentInput::new(edgegen_runtime::Prior::Gaussian, c)),
            _ => {
                let shape = Shape { h: h as u16, w: w as u16, c: c as u16 };
                Input::Image { shape, pixels: PixelRange::Symmetric }
            }
        })
        .collect();
    let network = lower_net(&net, &inputs, PixelRange::Symmetric).unwrap();
    let drawn: Vec<Vec<f32>> =
        net.inputs.iter().map(|shape| (0..shape.iter().product()).map(|_| rng.normal()).collect()).collect();
    let tensors = net
        .inputs
        .iter()
        .zip(&drawn)
        .map(|(&[c, h, w], values)| Tensor::<4>::from_data(TensorData::new(values.clone(), [1, c, h, w]), &device));
    let output = net.forward_all(tensors.collect(), &mut Mode::Eval);
    assert_eq!(output.dims()[1..], net.output);
    let expected: Vec<f32> = output.into_data().try_to_vec().unwrap();
    same(&network, &drawn, &expected);
    let staged = fold(&network).unwrap();
    let folded = staged.trace(&drawn).pop().unwrap();
    let [c, h, w] = net.output;
    // Stages keep the channels of a pixel together.
    for (at, &expected) in expected.iter().enumerate() {
        let (channel, pixel) = (at / (h * w), at % (h * w));
        let found = folded[pixel * c + channel];
        assert!((found - expected).abs() < 1e-4, "folded: {found} and {expected} at {at}");
    }
    net
}

#[test]
fn sums_and_products() {
    net_agrees([3, 5, 4], |mut net| {
        let input = net.mark();
        net = net.conv(4, 3, 1, 1).relu();
        let left = net.mark();
        net = net.at(input).conv(4, 1, 1, 0);
        let right = net.mark();
        net = net.add_scaled(left, [0.5, -2.0]).leaky_relu(0.2).multiply(right);
        // A vector for all pixels, and a channel for all channels.
        let map = net.mark();
        net = net.global_mean();
        let vector = net.mark();
        net = net.at(map).multiply(vector).add(vector);
        let map = net.mark();
        net = net.conv(1, 3, 1, 1).sigmoid();
        let mask = net.mark();
        net.at(map).multiply(mask).add(mask)
    });
}

#[test]
fn concatenation_and_parts() {
    net_agrees([5, 4, 6], |mut net| {
        let input = net.mark();
        net = net.part(0, 2).tanh();
        let first = net.mark();
        net.at(input).part(2, 3).concat(first).conv(4, 3, 1, 1).part(1, 3)
    });
}

#[test]
fn gates_of_a_wavenet() {
    net_agrees([2, 9, 1], |mut net| {
        net = net.conv_with(Window::causal(6, 2, 2));
        let both = net.mark();
        net = net.part(0, 3).tanh();
        let content = net.mark();
        net.at(both).part(3, 3).sigmoid().multiply(content)
    });
}

#[test]
fn normalizations_of_an_image() {
    net_agrees([3, 6, 5], |net| net.conv(4, 3, 1, 1).instance_norm().relu().conv(3, 3, 1, 1).pixel_norm());
}

#[test]
fn borders() {
    net_agrees([2, 5, 4], |net| {
        net.reflect_pad(2).conv(3, 3, 1, 0).pad([[1, 0], [2, 1]], Border::Repeat).conv(2, 2, 1, 0)
    });
    net_agrees([2, 5, 4], |net| net.conv(2, 3, 1, 1).pad([[0, 2], [1, 0]], Border::Zero).conv(2, 3, 1, 0));
}

#[test]
fn kernels_of_any_shape() {
    let window =
        |kernel, stride, padding, dilation, groups| Window { channels: 4, kernel, stride, padding, dilation, groups };
    for window in [
        window([1, 5], [1, 1], [[0, 0], [2, 2]], [1, 1], 1),
        window([3, 2], [2, 1], [[1, 1], [1, 0]], [1, 1], 1),
        window([3, 3], [1, 1], [[2, 2], [3, 3]], [2, 3], 1),
        window([3, 3], [1, 1], [[1, 1], [1, 1]], [1, 1], 4),
        window([3, 1], [1, 2], [[0, 2], [0, 0]], [1, 1], 2),
    ] {
        net_agrees([4, 7, 8], |net| net.conv_with(window).relu().conv(2, 1, 1, 0));
    }
}

#[test]
fn transposed_kernels_of_any_shape() {
    let window =
        |kernel, stride, padding, dilation, groups| Window { channels: 4, kernel, stride, padding, dilation, groups };
    for window in [
        window([4, 1], [2, 1], [[1, 1], [0, 0]], [1, 1], 1),
        window([5, 3], [2, 3], [[2, 2], [0, 0]], [1, 1], 1),
        window([4, 4], [2, 2], [[1, 1], [1, 1]], [1, 1], 2),
    ] {
        net_agrees([4, 5, 3], |net| net.conv_transpose_with(window).relu().conv(2, 1, 1, 0));
    }
}

#[test]
fn one_axis_alone_grows_and_shrinks() {
    net_agrees([2, 6, 1], |net| {
        net.upsample_nearest_by([2, 1])
            .conv_with(Window::causal(3, 3, 1))
            .relu()
            .average_pool_by([3, 1])
            .conv(2, 1, 1, 0)
    });
}

#[test]
fn means_of_pixels() {
    net_agrees([3, 4, 6], |net| net.conv(4, 3, 1, 1).average_pool(2).conv(3, 1, 1, 0));
    net_agrees([3, 4, 6], |net| net.conv(4, 3, 1, 1).relu().global_mean().linear([2, 3, 3]));
}

#[test]
fn u_net() {
    net_agrees([1, 8, 8], |mut net| {
        net = net.conv(3, 3, 1, 1).leaky_relu(0.2);
        let large = net.mark();
        net = net.conv(4, 4, 2, 1).leaky_relu(0.2);
        let middle = net.mark();
        net = net.conv(6, 4, 2, 1).relu();
        net = net.conv_transpose(4, 4, 2, 1).relu().concat(middle);
        net.upsample_nearest(2).conv(3, 3, 1, 1).relu().concat(large).conv(1, 3, 1, 1).tanh()
    });
}

#[test]
fn residual() {
    agrees(
        |net| {
            let mut net = net.linear([6, 3, 3]).batch_norm().relu();
            let start = net.mark();
            net = net.conv(4, 1, 1, 0).batch_norm().upsample_nearest(2);
            let shortcut = net.mark();
            net = net.at(start).conv_transpose(4, 4, 2, 1).batch_norm().relu().conv(4, 3, 1, 1).batch_norm();
            net.add(shortcut).relu().conv_transpose(1, 4, 2, 1).tanh()
        },
        Prior::Gaussian,
        PixelRange::Symmetric,
    );
}

#[test]
fn residual_that_normalizes_first() {
    agrees(
        |net| {
            let mut net = net.linear([6, 3, 3]);
            let start = net.mark();
            net = net.conv(4, 1, 1, 0).upsample_nearest(2);
            let shortcut = net.mark();
            net = net.at(start).batch_norm().relu().upsample_nearest(2).conv(4, 3, 1, 1).batch_norm().relu();
            net.conv(4, 3, 1, 1).add(shortcut).batch_norm().relu().conv(1, 3, 1, 1).tanh()
        },
        Prior::Gaussian,
        PixelRange::Symmetric,
    );
}

#[test]
fn style() {
    let net = net_agrees([5, 1, 1], |net| {
        let mut net = net.pixel_norm().linear([6, 1, 1]).leaky_relu(0.2);
        let style = net.mark();
        net = net.input([4, 3, 3]).conv(4, 3, 1, 1).instance_norm().modulate(style).leaky_relu(0.2);
        net = net.upsample_nearest(2).conv(3, 3, 1, 1).instance_norm().modulate(style).leaky_relu(0.2);
        net.conv(1, 1, 1, 0).tanh()
    });
    assert_eq!(net.inputs, [[5, 1, 1], [4, 3, 3]]);
}

#[test]
fn modulated_weights_and_noise() {
    net_agrees([5, 1, 1], |mut net| {
        let z = net.mark();
        net = net.input([1, 6, 6]);
        let noise = net.mark();
        let (from, to) = (net.count(), net.count() + 3);
        net = net.at(z).linear([6, 1, 1]).leaky_relu(0.2).truncation();
        let w = net.mark();
        net = net.at(z).again(from..to, [6, 1, 1]).add(w);
        let w = net.mark();
        net = net.at(w).linear_around([4, 1, 1], 1.0);
        let style = net.mark();
        net = net.at(w).constant([4, 3, 3]).modulated_conv(3, 3, style, true, true).noise(noise).leaky_relu(0.2);
        let map = net.mark();
        net = net.at(w).linear_around([3, 1, 1], 1.0);
        let style = net.mark();
        net.at(map).modulated_conv(1, 1, style, false, false).tanh()
    });
}

/// What is read behind the latent vector is filled by the device as it is here.
#[test]
fn a_mixed_style_is_drawn_by_the_device() {
    let device = Device::flex();
    let recipe = "system = \"style\"\nseed = 1\n[data]\nname = \"x\"\nsize = 16\nchannels = 1\n[style]\nlatent = 6\nstyle = 12\nchannels = [12, 10, 8]\nnoise = 2";
    let recipe = crate::recipe::Recipe::parse(recipe).unwrap();
    let mut generator = (crate::systems::style::KIND.generator)(&recipe, &device, &mut Rng::new(4, 0)).unwrap();
    for layer in &mut generator.net.layers {
        if let Layer::Noise(noise) = layer {
            noise.strength = noise.strength.clone().map(|strength| strength + 0.3);
        }
    }
    let network = lower(&generator).unwrap();
    let exported = edgegen_export::export(&network, 256, Label { name: "test", metadata: &[] }).unwrap();
    let model = Model::parse_any(exported.file.bytes()).unwrap();
    assert_eq!((model.styles(), model.has_noise()), (3, true));
    let style = edgegen_runtime::latent::Style::of;
    let points: Vec<_> = (0..6)
        .map(edgegen_runtime::Point::seed)
        .flat_map(|point| [point, point.styled(style(90, 0, 1)), point.styled(style(91, 1, 3))])
        .collect();
    let drawn: Vec<Vec<u8>> = points.iter().map(|&point| edgegen_export::image_at(&model, point)).collect();
    let inputs: Vec<Vec<f32>> = points.iter().map(|&point| generator.values_at(point)).collect();
    let float: Vec<Vec<u8>> = generator
        .generate(&inputs, &device)
        .iter()
        .map(|image| to_pixels(image, generator.net.output, generator.pixels))
        .collect();
    let psnr = edgegen_metrics::pixels::difference(&float, &drawn).psnr;
    assert!(psnr > 30.0, "{psnr} dB");
    // The images themselves differ far more than that.
    let moved = edgegen_metrics::pixels::difference(&float[..17], &float[1..]).psnr;
    assert!(moved < 24.0, "{moved} dB");
}

#[test]
fn causal_stack() {
    let net = net_agrees([1, 16, 1], |mut net| {
        net = net.conv_with(Window::causal(4, 2, 1));
        for dilation in [1, 2, 4] {
            let before = net.mark();
            net = net.conv_with(Window::causal(4, 2, dilation)).tanh().add(before);
        }
        net.conv(2, 1, 1, 0)
    });
    assert_eq!(net.output, [2, 16, 1]);
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let (device, mut rng) = (Device::flex(), Rng::new(0, 0));
    let net = NetBuilder::new([1, 4, 4], Init::He, &device, &mut rng).conv(1, 3, 1, 1).build();
    let latent = Input::Latent(LatentInput::new(edgegen_runtime::Prior::Gaussian, 16));
    let message = lower_net(&net, &[latent], PixelRange::Unit).unwrap_err().to_string();
    assert!(message.contains("inputs of [[1, 4, 4]]") && message.contains("found [[16, 1, 1]]"), "{message}");
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
        lower(&Generator {
            net: net.clone(),
            prior: Prior::Gaussian,
            classes: 0,
            pixels: PixelRange::Unit,
            more: vec![],
        })
    };
    assert!(lowered(&critic).is_err());
    let forward = Net { inputs: vec![[16, 1, 1]], ..critic };
    assert!(lowered(&forward).is_ok());
    let maxout = NetBuilder::new([4, 1, 1], Init::He, &device, &mut rng).linear([4, 2, 2]).maxout(2).build();
    let message = lowered(&maxout).unwrap_err().to_string();
    assert!(message.contains("found maxout"), "{message}");
}
