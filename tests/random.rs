//! Random networks for property tests: every kind of layer, with branches that come together again; and one of the
//! usual shape with random weights, for tests and benchmarks of size and speed.

use std::path::Path;

use edgegen_export::calibrate::input_code;
use edgegen_export::function::Function;
use edgegen_export::layers::{Input, LatentInput, Layer, Network, Node, Over, PixelRange, Window};
use edgegen_export::{Label, ModelFile, export_as};
use edgegen_runtime::graph::{Border, Prior, Width};
use edgegen_runtime::{Point, Shape};
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

/// A network in the making, with random weights.
#[derive(Debug)]
pub struct Graph {
    /// The nodes so far.
    pub nodes: Vec<Node>,
    /// Their shapes.
    pub shapes: Vec<Shape>,
    /// Where weights come from.
    pub values: Values,
}

impl Graph {
    /// A network that begins with a latent vector, which is node 0.
    pub fn new(input: LatentInput, seed: u64) -> Self {
        let mut graph = Self { nodes: vec![], shapes: vec![], values: Values(seed) };
        graph.push(Layer::Input(Input::Latent(input)), &[]);
        graph
    }

    /// Adds a layer; `None` when it does not fit what it reads or what it makes is not of a sensible size.
    pub fn push(&mut self, layer: Layer, reads: &[usize]) -> Option<usize> {
        let name = format!("node {}", self.nodes.len());
        let node = Node { name, layer, reads: reads.to_vec() };
        let shape = node.output(&self.shapes).ok()?;
        if shape.h > 60 || shape.w > 60 || shape.c > 64 {
            return None;
        }
        self.nodes.push(node);
        self.shapes.push(shape);
        Some(self.nodes.len() - 1)
    }

    /// Adds a fully connected layer that reads node `source`.
    pub fn dense(&mut self, source: usize, shape: Shape) -> Option<usize> {
        let weight = self.values.take(shape.len() * self.shapes[source].len());
        let bias = self.values.take(shape.len());
        self.push(Layer::Dense { shape, weight, bias }, &[source])
    }

    /// Adds a convolution.
    pub fn conv(&mut self, source: usize, window: Window) -> Option<usize> {
        let inputs = usize::from(self.shapes[source].c).checked_div(window.groups)?;
        let weight = self.values.take(inputs * window.channels * window.kernel[0] * window.kernel[1]);
        let bias = self.values.take(window.channels);
        self.push(Layer::Conv { window, weight, bias }, &[source])
    }

    /// Adds a transposed convolution.
    pub fn conv_transpose(&mut self, source: usize, window: Window, output_padding: [usize; 2]) -> Option<usize> {
        let inputs = usize::from(self.shapes[source].c);
        let outputs = window.channels.checked_div(window.groups)?;
        let weight = self.values.take(inputs * outputs * window.kernel[0] * window.kernel[1]);
        let bias = self.values.take(window.channels);
        let sensible = (0..2).all(|axis| output_padding[axis] < window.stride[axis]);
        let layer = Layer::ConvTranspose { window, output_padding, weight, bias };
        if sensible { self.push(layer, &[source]) } else { None }
    }

    /// Adds a batch normalization.
    pub fn batch_norm(&mut self, source: usize) -> Option<usize> {
        let channels = usize::from(self.shapes[source].c);
        let layer = Layer::BatchNorm {
            gamma: self.values.take(channels),
            beta: self.values.take(channels),
            mean: self.values.take(channels),
            variance: self.values.take(channels).iter().map(|v| v.abs() + 0.3).collect(),
            epsilon: 1e-5,
        };
        self.push(layer, &[source])
    }

    /// Adds a normalization by statistics.
    pub fn normalize(&mut self, source: usize, over: Over, centred: bool) -> Option<usize> {
        let channels = usize::from(self.shapes[source].c);
        let (gamma, beta) = (self.values.take(channels), self.values.take(channels));
        self.push(Layer::Normalize { over, centred, gamma, beta, epsilon: 1e-3 }, &[source])
    }

    /// Adds a function that is done by a clamp or one that takes a table.
    pub fn activation(&mut self, source: usize) -> Option<usize> {
        let function = match (self.values.value() * 3.0 + 3.0) as u32 {
            0 => Function::X,
            1 => Function::relu(),
            2 => Function::leaky_relu(0.2),
            3 => Function::tanh(),
            4 => Function::elu(1.0),
            _ => Function::sigmoid(),
        };
        self.push(Layer::Activation(function), &[source])
    }

    /// The network whose image is the last node.
    pub fn network(self, pixels: PixelRange) -> Network {
        Network { nodes: self.nodes, pixels }
    }
}

/// A convolution of stride 1 in one group that keeps the size of a map, for an odd `kernel`.
pub fn window(channels: usize, kernel: usize) -> Window {
    let (kernel, padding) = ([kernel; 2], [[kernel / 2; 2]; 2]);
    Window { channels, kernel, stride: [1; 2], padding, dilation: [1; 2], groups: 1 }
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

/// What follows the map so far.
#[derive(Clone, Debug)]
enum Block {
    Conv {
        window: Window,
    },
    Transposed {
        window: Window,
        output_padding: [usize; 2],
    },
    Upsampled {
        factor: [usize; 2],
        window: Window,
    },
    Shuffled {
        factor: usize,
        blocks_first: bool,
        window: Window,
    },
    /// Groups as many as channels, or 2.
    Grouped {
        depthwise: bool,
        window: Window,
    },
    Bordered {
        border: Border,
        padding: [[usize; 2]; 2],
        kernel: [usize; 2],
    },
    Linear {
        factor: [usize; 2],
    },
    Pooled {
        window: Window,
    },
    Normalized {
        groups: usize,
        pixel: bool,
        centred: bool,
    },
    /// The map plus what two convolutions make of it.
    Residual {
        kernel: usize,
    },
    /// Squeeze and excitation: the map times a factor for each channel from its means.
    Gated,
    /// Times one vector and plus another, both made from the latent vector.
    Modulated,
    /// With the latent vector at each pixel, or with what a convolution makes of it.
    Concatenated {
        latent: bool,
        kernel: usize,
    },
    Sliced {
        starts: [usize; 3],
        less: [usize; 3],
    },
    PerChannel,
    /// The map plus noise: a value for each pixel or for each channel too, times a factor.
    Noisy {
        single: bool,
        uniform: bool,
    },
}

fn windows() -> impl Strategy<Value = Window> {
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    let sides = [[0usize..3, 0usize..3], [0usize..3, 0usize..3]];
    (1usize..5, pair(1..5), pair(1..4), sides, pair(1..3)).prop_map(|(channels, kernel, stride, padding, dilation)| {
        Window { channels, kernel, stride, padding, dilation, groups: 1 }
    })
}

fn plain(window: Window) -> Window {
    Window { stride: [1, 1], dilation: [1, 1], ..window }
}

/// The kinds of a chain of layers.
fn chain_block() -> impl Strategy<Value = Block> {
    let factor = || [1usize..5, 1usize..5];
    prop_oneof![
        windows().prop_map(|window| Block::Conv { window }),
        (windows(), [0usize..2, 0usize..2])
            .prop_map(|(window, output_padding)| Block::Transposed { window, output_padding }),
        (windows(), factor()).prop_map(|(window, factor)| Block::Upsampled { factor, window: plain(window) }),
        (windows(), 1usize..3, any::<bool>()).prop_map(|(window, factor, blocks_first)| Block::Shuffled {
            factor,
            blocks_first,
            window: plain(window)
        }),
    ]
}

fn graph_block() -> impl Strategy<Value = Block> {
    let border = prop_oneof![Just(Border::Zero), Just(Border::Reflect), Just(Border::Repeat)];
    let sides = || [[0usize..3, 0usize..3], [0usize..3, 0usize..3]];
    let odd = || prop_oneof![Just(1usize), Just(3)];
    prop_oneof![
        (windows(), any::<bool>()).prop_map(|(window, depthwise)| Block::Grouped { depthwise, window }),
        (border, sides(), [1usize..4, 1usize..4]).prop_map(|(border, padding, kernel)| Block::Bordered {
            border,
            padding,
            kernel
        }),
        (prop_oneof![1usize..5, Just(6), Just(8)], 1usize..6)
            .prop_map(|(rows, columns)| Block::Linear { factor: [rows, columns] }),
        windows().prop_map(|window| Block::Pooled { window }),
        (1usize..4, any::<bool>(), any::<bool>()).prop_map(|(groups, pixel, centred)| Block::Normalized {
            groups,
            pixel,
            centred
        }),
        odd().prop_map(|kernel| Block::Residual { kernel }),
        Just(Block::Gated),
        Just(Block::Modulated),
        (any::<bool>(), odd()).prop_map(|(latent, kernel)| Block::Concatenated { latent, kernel }),
        ([0usize..2, 0usize..2, 0usize..2], [0usize..2, 0usize..2, 0usize..2])
            .prop_map(|(starts, less)| Block::Sliced { starts, less }),
        Just(Block::PerChannel),
    ]
}

/// Random plans.
pub fn plan() -> impl Strategy<Value = Plan> {
    let blocks = prop::collection::vec(prop_oneof![chain_block(), graph_block()], 1..5);
    // Drawn last, so that what failed before is drawn again as it was.
    let noise = prop::option::weighted(0.3, (0usize..5, any::<bool>(), any::<bool>()));
    let parts = (any::<u64>(), 1usize..9, (1u16..6, 1u16..6, 1u16..6), blocks, noise);
    parts.prop_map(|(seed, latent, base, mut blocks, noise)| {
        if let Some((place, single, uniform)) = noise {
            blocks.insert(place.min(blocks.len()), Block::Noisy { single, uniform });
        }
        Plan { seed, latent, base, blocks }
    })
}

/// The codes of a network's inputs other than constants at a point, `[h, w, c]`, as the interpreters take them.
pub fn codes(network: &Network, point: Point) -> Vec<Vec<i8>> {
    let code = |input: &Input| {
        let (values, code) = (input.values_at(point), input_code(input));
        let shape = input.shape().unwrap_or(Shape { h: 1, w: 1, c: 1 });
        let (area, channels) = (usize::from(shape.h) * usize::from(shape.w), usize::from(shape.c));
        (0..values.len()).map(|at| code.encode(values[at % channels * area + at / channels]) as i8).collect()
    };
    network.inputs().map(code).collect()
}

/// The network of a plan. It reads a latent vector of `plan.latent` values, and perhaps noise.
pub fn network(plan: &Plan) -> Network {
    let mut choice = Values(plan.seed);
    let prior = if choice.value() > 0.0 { Prior::Gaussian } else { Prior::Uniform };
    let pixels = if choice.value() > 0.0 { PixelRange::Symmetric } else { PixelRange::Unit };
    let mut graph = Graph::new(LatentInput::new(prior, plan.latent), plan.seed ^ 1);
    let (h, w, c) = plan.base;
    let mut last = start(&mut graph, Shape { h, w, c }, choice.value() > 0.0).unwrap_or(0);
    for block in &plan.blocks {
        let before = graph.nodes.len();
        // Not every window fits every map; what would give nothing or too much is left out.
        let made = block.push(&mut graph, last).and_then(|node| finish(&mut graph, node, choice.value()));
        let made = made.filter(|&node| graph.shapes[node].h <= 40 && graph.shapes[node].w <= 40);
        match made {
            Some(node) => last = node,
            None => {
                graph.nodes.truncate(before);
                graph.shapes.truncate(before);
            }
        }
    }
    graph.network(pixels)
}

/// A dense layer behind the latent vector. With batch normalization all its positions share their biases, as in a
/// DCGAN.
fn start(graph: &mut Graph, shape: Shape, normalized: bool) -> Option<usize> {
    if !normalized {
        return graph.dense(0, shape);
    }
    let weight = graph.values.take(shape.len() * graph.shapes[0].len());
    let dense = graph.push(Layer::Dense { shape, weight, bias: vec![0.0; shape.len()] }, &[0])?;
    let norm = graph.batch_norm(dense)?;
    graph.activation(norm)
}

/// A nonlinearity, with a batch normalization before it, behind it or not at all.
fn finish(graph: &mut Graph, node: usize, choice: f32) -> Option<usize> {
    if choice < 0.0 {
        let norm = graph.batch_norm(node)?;
        return graph.activation(norm);
    }
    let active = graph.activation(node)?;
    if choice < 0.5 { graph.batch_norm(active) } else { Some(active) }
}

impl Block {
    /// Adds it behind node `last`. `None` where it does not fit.
    fn push(&self, graph: &mut Graph, last: usize) -> Option<usize> {
        let shape = graph.shapes[last];
        let channels = usize::from(shape.c);
        let vector = Shape { h: 1, w: 1, ..shape };
        match self.clone() {
            Block::Conv { window } => graph.conv(last, window),
            Block::Transposed { window, output_padding } => graph.conv_transpose(last, window, output_padding),
            Block::Upsampled { factor, window } => {
                let enlarged = graph.push(Layer::UpsampleNearest { factor }, &[last])?;
                graph.conv(enlarged, window)
            }
            Block::Shuffled { factor, blocks_first, window } => {
                let window = Window { channels: window.channels * factor * factor, ..window };
                let conv = graph.conv(last, window)?;
                graph.push(Layer::PixelShuffle { factor, blocks_first }, &[conv])
            }
            Block::Grouped { depthwise, window } => {
                let groups = if depthwise { channels } else { 2 };
                let channels = if depthwise { channels } else { 2 * window.channels };
                graph.conv(last, Window { channels, groups, ..window })
            }
            Block::Bordered { border, padding, kernel } => {
                let padded = graph.push(Layer::Pad { padding, border }, &[last])?;
                graph.conv(padded, Window { kernel, padding: [[0; 2]; 2], ..window(channels, 1) })
            }
            Block::Linear { factor } => graph.push(Layer::UpsampleLinear { factor }, &[last]),
            Block::Pooled { window } => {
                let exclude_padding = window.channels % 2 == 0;
                graph.push(Layer::AveragePool { window, exclude_padding }, &[last])
            }
            Block::Normalized { groups, pixel, centred } => {
                let over = if pixel { Over::Pixel } else { Over::Groups { groups } };
                graph.normalize(last, over, centred)
            }
            Block::Residual { kernel } => {
                let first = graph.conv(last, window(channels, kernel))?;
                let active = graph.activation(first)?;
                let second = graph.conv(active, window(channels, kernel))?;
                graph.push(Layer::Add { scales: [1.0, 0.5] }, &[last, second])
            }
            Block::Gated => {
                let mean = graph.push(Layer::GlobalMean, &[last])?;
                let dense = graph.dense(mean, vector)?;
                let gate = graph.push(Layer::Activation(Function::sigmoid()), &[dense])?;
                graph.push(Layer::Mul, &[gate, last])
            }
            Block::Modulated => {
                let (scale, shift) = (graph.dense(0, vector)?, graph.dense(0, vector)?);
                let scaled = graph.push(Layer::Mul, &[last, scale])?;
                graph.push(Layer::Add { scales: [1.0; 2] }, &[scaled, shift])
            }
            Block::Concatenated { latent, kernel } => {
                let other = if latent {
                    let factor = [shape.h, shape.w].map(usize::from);
                    graph.push(Layer::UpsampleNearest { factor }, &[0])?
                } else {
                    graph.conv(last, window(2, kernel))?
                };
                let reads = if kernel == 1 { [other, last] } else { [last, other] };
                let concat = graph.push(Layer::Concat, &reads)?;
                graph.conv(concat, window(channels, kernel))
            }
            Block::Sliced { starts, less } => {
                let all = [shape.c, shape.h, shape.w].map(usize::from);
                let size = |axis: usize| all[axis].checked_sub(starts[axis] + less[axis]);
                let sizes = [size(0)?, size(1)?, size(2)?];
                graph.push(Layer::Slice { starts, sizes }, &[last])
            }
            Block::PerChannel => {
                let slopes = graph.values.take(channels);
                graph.push(Layer::ChannelFunctions(slopes.into_iter().map(Function::leaky_relu).collect()), &[last])
            }
            Block::Noisy { single, uniform } => {
                let shape = if single { Shape { c: 1, ..shape } } else { shape };
                let prior = if uniform { Prior::Uniform } else { Prior::Gaussian };
                let number = graph.nodes.len() as u16;
                let noise = graph.push(Layer::Input(Input::Noise { shape, prior, number }), &[])?;
                graph.push(Layer::Add { scales: [1.0, 0.5] }, &[last, noise])
            }
        }
    }
}

/// The 64×64 RGB generator of design.md §5 with random weights: 4×4×128 → 8×8×64 → 16×16×32 → 32×32×16 → 64×64×3.
pub fn rgb64() -> Network {
    let mut values = Values(64);
    let shape = Shape { h: 4, w: 4, c: 128 };
    let weight = values.take(shape.len() * 64);
    let mut layers =
        vec![Layer::Dense { shape, weight, bias: values.take(shape.len()) }, Layer::Activation(Function::relu())];
    for (input, channels) in [(128, 64), (64, 32), (32, 16), (16, 3)] {
        let window = Window { kernel: [4, 4], stride: [2, 2], padding: [[1; 2]; 2], ..window(channels, 1) };
        let weight = values.take(input * channels * 16).iter().map(|w| w * 2.0 / (input as f32).sqrt()).collect();
        layers.push(Layer::ConvTranspose { window, output_padding: [0, 0], weight, bias: values.take(channels) });
        layers.push(Layer::Activation(if channels == 3 { Function::tanh() } else { Function::relu() }));
    }
    Network::chain(LatentInput::new(Prior::Gaussian, 64), layers, PixelRange::Symmetric)
}

/// A model whose nodes between latent vector and image have int16 codes, 12×12 pixels of one grey.
pub fn int16() -> ModelFile {
    let shape = Shape { h: 12, w: 12, c: 4 };
    let mut values = Values(16);
    let layers = [
        Layer::Dense { shape, weight: values.take(shape.len() * 8), bias: values.take(shape.len()) },
        Layer::Conv { window: window(1, 3), weight: values.take(9 * 4), bias: values.take(1) },
        Layer::Activation(Function::tanh()),
    ];
    let network = Network::chain(LatentInput::new(Prior::Gaussian, 8), layers, PixelRange::Symmetric);
    let examples: Vec<_> = (0..8).map(|seed| network.inputs_at(Point::seed(seed))).collect();
    let exported = export_as(&network, &examples, Label { name: "int16", metadata: &[] }, Width::Int16);
    exported.expect("its layers fit").file
}

/// The shape of the image of [`in_turn`].
pub const IN_TURN: Shape = Shape { h: 20, w: 12, c: 1 };

/// An image that reads itself: rows by noise, one of three classes and three earlier rows; with `below`, up to 4, rows
/// that are drawn later take the place of some of them.
pub fn in_turn(below: usize) -> Network {
    let mut values = Values(21);
    let pixels = PixelRange::Symmetric;
    let rows = Window { kernel: [3, 3], padding: [[4 - below, below], [1, 1]], ..Window::causal(4, 3, 2) };
    let layers: [(Layer, &[usize]); 10] = [
        (Layer::Input(Input::Class { classes: 3, stride: 0 }), &[]),
        (Layer::Input(Input::Noise { shape: IN_TURN, prior: Prior::Uniform, number: 0 }), &[]),
        (Layer::Input(Input::Previous { shape: IN_TURN, pixels }), &[]),
        (Layer::Conv { window: rows, weight: values.take(4 * 9), bias: values.take(4) }, &[2]),
        (Layer::Dense { shape: Shape { h: 1, w: 1, c: 4 }, weight: values.take(12), bias: values.take(4) }, &[0]),
        (Layer::Add { scales: [2.0, 1.0] }, &[3, 4]),
        (Layer::Activation(Function::tanh()), &[5]),
        (Layer::Conv { window: window(1, 1), weight: values.take(4), bias: values.take(1) }, &[6]),
        (Layer::Add { scales: [2.0, 0.4] }, &[7, 1]),
        (Layer::Activation(Function::tanh()), &[8]),
    ];
    named(layers, pixels)
}

/// Each kind of input once, 4×5 pixels of one grey: a latent vector of 6 values, one of three classes as an input of
/// its own, and an image, to which what the two give is added.
pub fn every_input() -> Network {
    let shape = Shape { h: 4, w: 5, c: 1 };
    let mut values = Values(17);
    let layers: [(Layer, &[usize]); 7] = [
        (Layer::Input(Input::Latent(LatentInput::new(Prior::UnitUniform, 6))), &[]),
        (Layer::Input(Input::Class { classes: 3, stride: 0 }), &[]),
        (Layer::Input(Input::Image { shape, pixels: PixelRange::Symmetric }), &[]),
        (Layer::Concat, &[0, 1]),
        (Layer::Dense { shape, weight: values.take(20 * 9), bias: values.take(20) }, &[3]),
        (Layer::Add { scales: [1.0, 2.0] }, &[4, 2]),
        (Layer::Activation(Function::tanh()), &[5]),
    ];
    named(layers, PixelRange::Symmetric)
}

/// Layers and what they read as a network.
fn named<const N: usize>(layers: [(Layer, &[usize]); N], pixels: PixelRange) -> Network {
    let nodes = layers.into_iter().enumerate();
    let nodes =
        nodes.map(|(index, (layer, reads))| Node { name: format!("node {index}"), layer, reads: reads.to_vec() });
    Network { nodes: nodes.collect(), pixels }
}
