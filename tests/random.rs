//! Random networks for property tests: every kind of layer, kernel, stride, padding and dilation; and one of the usual
//! shape with random weights, for tests and benchmarks of size and speed.

use std::path::Path;

use edgegen_export::ModelFile;
use edgegen_export::layers::{Activation, Input, Layer, Network, PixelRange, Window};
use edgegen_runtime::{Prior, Shape};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// Values from −1 to 1 that depend on nothing but a seed.
#[derive(Debug)]
pub struct Values(pub u64);

impl Values {
    /// The next value.
    pub fn value(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32 / (1 << 23) as f32) - 1.0
    }

    /// The next `count` values.
    pub fn take(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.value()).collect()
    }
}

/// A model file of `models/`.
///
/// # Panics
///
/// When there is none of this name.
pub fn shipped(name: &str) -> ModelFile {
    let models = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../models"));
    match ModelFile::read(&models.join(name).join("model.egm")) {
        Ok(file) => file,
        Err(error) => panic!("models/{name}: {error}"),
    }
}

/// How property tests run: the cases that failed before, then `count` new ones. Of a failing case the seed is written
/// beside the test, such as `rows.regressions` beside `rows.rs`; that file belongs into the repository.
pub fn cases(count: u32) -> ProptestConfig {
    let beside_the_test = FileFailurePersistence::WithSource("regressions");
    ProptestConfig { cases: count, failure_persistence: Some(Box::new(beside_the_test)), ..ProptestConfig::default() }
}

/// What a random network is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Of all weights.
    pub seed: u64,
    /// Latent values.
    pub latent: usize,
    base: (u16, u16, u16),
    blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
enum Block {
    Conv { window: Window },
    Transposed { window: Window, output_padding: [usize; 2] },
    Upsampled { factor: usize, window: Window },
    Shuffled { factor: usize, window: Window },
}

fn window() -> impl Strategy<Value = Window> {
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    (1usize..5, pair(1..5), pair(1..4), pair(0..3), pair(1..3)).prop_map(
        |(channels, kernel, stride, padding, dilation)| Window { channels, kernel, stride, padding, dilation },
    )
}

fn plain(window: Window) -> Window {
    Window { stride: [1, 1], dilation: [1, 1], ..window }
}

fn block() -> impl Strategy<Value = Block> {
    prop_oneof![
        window().prop_map(|window| Block::Conv { window }),
        (window(), [0usize..2, 0usize..2]).prop_map(|(window, extra)| Block::Transposed {
            window: Window { dilation: [1, 1], ..window },
            output_padding: extra
        }),
        (window(), 2usize..5).prop_map(|(window, factor)| Block::Upsampled { factor, window: plain(window) }),
        (window(), 1usize..3).prop_map(|(window, factor)| Block::Shuffled { factor, window: plain(window) }),
    ]
}

/// Random plans.
pub fn plan() -> impl Strategy<Value = Plan> {
    let blocks = prop::collection::vec(block(), 1..4);
    (any::<u64>(), 1usize..9, (1u16..6, 1u16..6, 1u16..6), blocks).prop_map(|(seed, latent, base, blocks)| Plan {
        seed,
        latent,
        base,
        blocks,
    })
}

/// The network of a plan.
pub fn network(plan: &Plan) -> Network {
    let mut values = Values(plan.seed);
    let (h, w, c) = plan.base;
    let shape = Shape { h, w, c };
    let normalized = values.value() > 0.0;
    let bias = if normalized { vec![0.0; shape.len()] } else { values.take(shape.len()) };
    let mut layers = vec![Layer::Dense { shape, weight: values.take(shape.len() * plan.latent), bias }];
    if normalized {
        // Then all positions share their biases, as in a DCGAN.
        layers.push(batch_norm(usize::from(c), &mut values));
        layers.push(activation(&mut values));
    }
    let mut shape = shape;
    for block in &plan.blocks {
        let input = usize::from(shape.c);
        let (mut before, layer, after) = match block.clone() {
            Block::Conv { window } => (vec![], conv(window, input, &mut values), vec![]),
            Block::Upsampled { factor, window } => {
                (vec![Layer::UpsampleNearest { factor }], conv(window, input, &mut values), vec![])
            }
            Block::Shuffled { factor, window } => {
                let window = Window { channels: window.channels * factor * factor, ..window };
                (vec![], conv(window, input, &mut values), vec![Layer::PixelShuffle { factor }])
            }
            Block::Transposed { window, output_padding } => {
                let weight = values.take(input * window.channels * window.kernel[0] * window.kernel[1]);
                let bias = values.take(window.channels);
                (vec![], Layer::ConvTranspose { window, output_padding, weight, bias }, vec![])
            }
        };
        before.push(layer);
        before.extend(after);
        // Not every window fits every map; leave out those that would give nothing or too much.
        let Some(next) = before.iter().try_fold(shape, sensible) else { continue };
        shape = next;
        layers.extend(before);
        layers.push(batch_norm(usize::from(shape.c), &mut values));
        layers.push(activation(&mut values));
    }
    let prior = if values.value() > 0.0 { Prior::Gaussian } else { Prior::Uniform };
    let pixels = if values.value() > 0.0 { PixelRange::Symmetric } else { PixelRange::Unit };
    Network { input: Input::new(prior, plan.latent), layers, pixels }
}

/// The 64×64 RGB generator of design.md §5 with random weights: 4×4×128 → 8×8×64 → 16×16×32 → 32×32×16 → 64×64×3.
pub fn rgb64() -> Network {
    let mut values = Values(64);
    let shape = Shape { h: 4, w: 4, c: 128 };
    let weight = values.take(shape.len() * 64);
    let mut layers =
        vec![Layer::Dense { shape, weight, bias: values.take(shape.len()) }, Layer::Activation(Activation::Relu)];
    for (input, channels) in [(128, 64), (64, 32), (32, 16), (16, 3)] {
        let window = Window { channels, kernel: [4, 4], stride: [2, 2], padding: [1, 1], dilation: [1, 1] };
        let weight = values.take(input * channels * 16).iter().map(|w| w * 2.0 / (input as f32).sqrt()).collect();
        layers.push(Layer::ConvTranspose { window, output_padding: [0, 0], weight, bias: values.take(channels) });
        layers.push(Layer::Activation(if channels == 3 { Activation::Tanh } else { Activation::Relu }));
    }
    Network { input: Input::new(Prior::Gaussian, 64), layers, pixels: PixelRange::Symmetric }
}

fn batch_norm(channels: usize, values: &mut Values) -> Layer {
    Layer::BatchNorm {
        gamma: values.take(channels),
        beta: values.take(channels),
        mean: values.take(channels),
        variance: values.take(channels).iter().map(|v| v.abs() + 0.3).collect(),
        epsilon: 1e-5,
    }
}

/// One that is done by a clamp or one that takes a table.
fn activation(values: &mut Values) -> Layer {
    Layer::Activation(match (values.value() * 2.5 + 2.5) as u32 {
        0 => Activation::Identity,
        1 => Activation::Relu,
        2 => Activation::LeakyRelu { slope: 0.2 },
        3 => Activation::Tanh,
        _ => Activation::Sigmoid,
    })
}

fn conv(window: Window, input: usize, values: &mut Values) -> Layer {
    let weight = values.take(input * window.channels * window.kernel[0] * window.kernel[1]);
    Layer::Conv { window, weight, bias: values.take(window.channels) }
}

fn sensible(shape: Shape, layer: &Layer) -> Option<Shape> {
    let reach = |window: &Window, axis: usize| window.dilation[axis] * (window.kernel[axis] - 1) + 1;
    let sides = [usize::from(shape.h), usize::from(shape.w)];
    let fits = (0..2).all(|axis| match layer {
        Layer::Conv { window, .. } => sides[axis] + 2 * window.padding[axis] >= reach(window, axis),
        Layer::ConvTranspose { window, output_padding, .. } => {
            output_padding[axis] < window.stride[axis]
                && (sides[axis] - 1) * window.stride[axis] + reach(window, axis) + output_padding[axis]
                    > 2 * window.padding[axis]
        }
        _ => true,
    });
    fits.then(|| layer.output(shape)).filter(|shape| shape.h <= 40 && shape.w <= 40)
}
