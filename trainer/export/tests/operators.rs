//! Each operator from float to int8: what every node of the file makes of its own int8 sources is what the float stage
//! makes of the same values, to within a step or two; the runtime draws what the interpreter says; and what is lost
//! from input to image stays small.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use edgegen_export::calibrate::calibrate;
use edgegen_export::centre::centre;
use edgegen_export::compare::compare;
use edgegen_export::cost::cost;
use edgegen_export::estimate::{Rates, instructions};
use edgegen_export::function::{Binary, Function};
use edgegen_export::layers::{Input, LatentInput, Layer, Network, Node, Over, PixelRange, Window, picture};
use edgegen_export::quantize::{QuantizedOp, QuantizedStage, quantize};
use edgegen_export::{ExportError, Label, export, export_as, fold, native, pack, reference, repack};
use edgegen_runtime::graph::{Border, Prior, Width};
use edgegen_runtime::{Generator, Model, Packing, Point, Shape};

/// A network that reads an image of 8 × 6 pixels and 3 channels.
struct Draft(Network);

impl Draft {
    fn new() -> Self {
        let shape = Shape { h: 8, w: 6, c: 3 };
        let mut draft = Self(Network { nodes: vec![], pixels: PixelRange::Symmetric });
        draft.add(Layer::Input(Input::Image { shape, pixels: PixelRange::Symmetric }), &[]);
        draft
    }

    /// Adds a layer and gives its place.
    fn add(&mut self, layer: Layer, reads: &[usize]) -> usize {
        let name = format!("node {}", self.0.nodes.len());
        self.0.nodes.push(Node { name, layer, reads: reads.to_vec() });
        self.0.nodes.len() - 1
    }

    fn conv(&mut self, source: usize, inputs: usize, channels: usize, kernel: usize, groups: usize) -> usize {
        let padding = [[(kernel - 1) / 2; 2]; 2];
        let window = Window { channels, kernel: [kernel; 2], stride: [1; 2], padding, dilation: [1; 2], groups };
        let mut values = Values(source as u64 + 1);
        let per_channel = inputs / groups * kernel * kernel;
        let size = (3.0 / per_channel as f32).sqrt();
        let weight = values.take(channels * per_channel).iter().map(|value| size * value).collect();
        self.add(
            Layer::Conv { window, weight, bias: values.take(channels).iter().map(|v| 0.2 * v).collect() },
            &[source],
        )
    }

    /// A convolution of 1 × 1 to three channels and tanh, so that there is an image.
    fn image(&mut self, source: usize, inputs: usize) {
        let conv = self.conv(source, inputs, 3, 1, 1);
        self.add(Layer::Activation(Function::tanh()), &[conv]);
    }
}

struct Values(u64);

impl Values {
    /// From −1 to 1.
    fn take(&mut self, count: usize) -> Vec<f32> {
        let next = |_| {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(next).collect()
    }
}

/// What came of a network.
struct Outcome {
    stages: Vec<QuantizedStage>,
    /// Signal-to-noise ratio of each stage in dB.
    snr: Vec<f64>,
    /// The same for what it adds to the errors of what it reads.
    own: Vec<f64>,
}

impl Outcome {
    fn stage(&self, name: &str) -> usize {
        self.stages.iter().position(|stage| stage.name == name).unwrap()
    }
}

/// Quantizes a network and compares each stage; a code may be `steps` off, of a product or a function with a table some
/// more.
fn check(network: &Network, steps: i32) -> Outcome {
    let inputs = |seed: u64| network.inputs_at(Point::seed(seed));
    let examples: Vec<_> = (1000..1096).map(inputs).collect();
    let mut staged = fold::fold(network).unwrap();
    centre(&mut staged, &examples);
    let codes = calibrate(&staged, &examples, Width::Int8).unwrap();
    let stages = quantize(&staged, &codes).unwrap();
    let file = pack::pack(&stages, Label { name: "test", metadata: &[] }).unwrap();
    let model = Model::parse(file.bytes()).unwrap();
    let native = native(&file).unwrap();
    let fast = Model::parse(native.bytes()).unwrap();
    for packing in [Packing::Armv6m, Packing::Dsp, Packing::Mve, Packing::Simd128, Packing::X86] {
        // Parsed once more in there.
        let packed = repack(&file, packing).unwrap();
        let model = Model::parse_any(packed.bytes()).unwrap();
        assert_eq!(cost(&model).file_bytes, packed.bytes().len() as u64);
        assert_eq!(cost(&model).ops.iter().map(|op| op.ring_bytes).sum::<usize>(), rings(&model));
        assert_eq!(instructions(&model).is_some(), Rates::of(packing).is_some());
    }
    for (name, [int8, int16]) in both_widths(network) {
        println!("{name:24} {int8:6.1} dB with int8, {int16:6.1} dB with int16");
    }
    let last = stages.len() - 1;
    let mut energies = vec![[0.0f64; 3]; stages.len()];
    for seed in 0..4 {
        let float = staged.trace(&inputs(seed));
        let is_input =
            |stage: &&QuantizedStage| matches!(&stage.op, QuantizedOp::Input { values, .. } if values.is_empty());
        let encoded = stages.iter().zip(&float).filter(|(stage, _)| is_input(stage));
        let encoded: Vec<Vec<i8>> = encoded
            .map(|(stage, values)| values.iter().map(|&value| stage.codes.code.encode(value) as i8).collect())
            .collect();
        let int8 = reference::trace(&model, &encoded);
        let drawn = draw(&model, seed);
        assert_eq!(int8[last].iter().map(|&code| code as u8).collect::<Vec<_>>(), drawn, "the runtime, seed {seed}");
        assert_eq!(draw(&fast, seed), drawn, "the kernel of this computer, seed {seed}");

        let decode = |index: usize| -> Vec<f32> {
            let channels = usize::from(stages[index].shape.c);
            int8[index].iter().enumerate().map(|(at, &code)| stages[index].codes.decode(code, at % channels)).collect()
        };
        let decoded: Vec<Vec<f32>> = (0..stages.len()).map(decode).collect();
        for (index, stage) in stages.iter().enumerate() {
            let channels = usize::from(stage.shape.c);
            let own = staged.sums(index, &decoded);
            for (at, sum) in own.into_iter().enumerate() {
                let value = staged.stages[index].function.apply(sum);
                let (found, signal) = if index == last {
                    (f32::from(int8[index][at] as u8), staged.pixels.level(float[index][at]))
                } else {
                    (decoded[index][at], float[index][at])
                };
                energies[index][0] += f64::from(signal).powi(2);
                energies[index][1] += f64::from(found - signal).powi(2);
                let exact = if index == last { staged.pixels.level(value) } else { value };
                energies[index][2] += f64::from(found - exact).powi(2);
                let (expected, code) = if index == last {
                    (staged.pixels.level(value).round() as i32, i32::from(int8[index][at] as u8))
                } else {
                    let value = value / stage.codes.factor(at % channels);
                    (i32::from(stage.codes.code.encode(value)), i32::from(int8[index][at]))
                };
                let table = match &stage.op {
                    QuantizedOp::Product { sums, .. }
                    | QuantizedOp::Join { sums, .. }
                    | QuantizedOp::Reduce { sums, .. } => sums.table.is_some(),
                    _ => false,
                };
                // Rounded weights add up.
                let steps = steps + i32::from(matches!(stage.op, QuantizedOp::Product { .. }));
                let steps = if table { steps + 3 } else { steps };
                assert!(
                    (expected - code).abs() <= steps,
                    "{} ({:?}), value {at}: {code}, not {expected}",
                    stage.name,
                    staged.stages[index].function
                );
            }
        }
    }
    let decibels =
        |noise: usize| energies.iter().map(|energies| 10.0 * (energies[0] / energies[noise]).log10()).collect();
    let outcome = Outcome { snr: decibels(1), own: decibels(2), stages };
    for (stage, (snr, own)) in outcome.stages.iter().zip(outcome.snr.iter().zip(&outcome.own)) {
        println!(
            "{:24} {:>10} {snr:6.1} dB, alone {own:6.1} dB, {:?}",
            stage.name,
            stage.shape.to_string(),
            stage.codes
        );
    }
    outcome
}

/// Signal-to-noise ratio of each stage in dB with int8 and with int16 codes, by name.
fn both_widths(network: &Network) -> Vec<(String, [f64; 2])> {
    let examples: Vec<_> = (1000..1096).map(|seed| network.inputs_at(Point::seed(seed))).collect();
    let label = Label { name: "test", metadata: &[] };
    let [int8, int16] = [Width::Int8, Width::Int16].map(|width| {
        let exported = export_as(network, &examples, label, width).unwrap();
        let model = Model::parse(exported.file.bytes()).unwrap();
        let wide = model.nodes().iter().filter(|node| node.is_wide()).count();
        assert_eq!(wide > 0, width == Width::Int16);
        compare(network, &exported, 8, 0).unwrap()
    });
    assert!(int16.psnr_db > int8.psnr_db, "{} dB with int16, {} dB with int8", int16.psnr_db, int8.psnr_db);
    let figures = int8.stage_snr_db.iter().zip(&int16.stage_snr_db).map(|(&int8, &int16)| [int8, int16]);
    int8.stages.iter().cloned().zip(figures).collect()
}

/// Where the last ring ends.
fn rings(model: &Model<'_>) -> usize {
    model.nodes().last().map_or(0, |node| node.ring as usize + node.ring_bytes())
}

/// The image that the runtime makes of the picture of a seed.
fn draw(model: &Model<'_>, seed: u64) -> Vec<u8> {
    let mut arena = vec![0; model.arena_bytes()];
    let mut generator = Generator::new(model, &mut arena).unwrap();
    let fed = model.fed().map(|shape| (picture(shape, seed), shape.row_len()));
    let feed = |y: u16, row: &mut [u8]| {
        let (picture, len) = fed.as_ref().unwrap();
        row.copy_from_slice(&picture[usize::from(y) * len..][..*len]);
    };
    let mut rows = generator.translate(Point::seed(seed), feed);
    let mut image = Vec::new();
    while let Some(row) = rows.next_row() {
        image.extend_from_slice(row);
    }
    image
}

#[test]
fn sums_of_two() {
    let mut draft = Draft::new();
    let a = draft.conv(0, 3, 5, 3, 1);
    let b = draft.conv(0, 3, 5, 1, 1);
    let b = draft.add(Layer::Activation(Function::relu()), &[b]);
    let sum = draft.add(Layer::Add { scales: [0.7, -2.5] }, &[a, b]);
    let scale = vec![1.0, -0.5, 2.0, -3.0, 0.0];
    let sum = draft.add(Layer::Affine { scale, offset: vec![0.1, 0.2, -0.3, 0.0, 0.4] }, &[sum]);
    let sum = draft.add(Layer::Activation(Function::leaky_relu(0.2)), &[sum]);
    // A vector for all pixels.
    let mean = draft.add(Layer::GlobalMean, &[sum]);
    let sum = draft.add(Layer::Add { scales: [1.0, 3.0] }, &[sum, mean]);
    draft.image(sum, 5);
    let outcome = check(&draft.0, 1);
    assert!(outcome.snr.last().unwrap() > &28.0, "{:?}", outcome.snr);
}

#[test]
fn products_of_two() {
    let mut draft = Draft::new();
    let a = draft.conv(0, 3, 5, 3, 1);
    let b = draft.conv(0, 3, 5, 1, 1);
    let b = draft.add(Layer::Activation(Function::sigmoid()), &[b]);
    let product = draft.add(Layer::Mul, &[a, b]);
    let scale = vec![1.0, -0.5, 2.0, -3.0, 1e-12];
    let product = draft.add(Layer::Affine { scale, offset: vec![0.1, 0.2, -0.3, 0.0, 0.4] }, &[product]);
    // A gate of each channel, and one of each pixel.
    let mean = draft.add(Layer::GlobalMean, &[product]);
    let gate = draft.add(Layer::Activation(Function::sigmoid()), &[mean]);
    let product = draft.add(Layer::Mul, &[product, gate]);
    let single = draft.conv(0, 3, 1, 1, 1);
    let product = draft.add(Layer::Mul, &[single, product]);
    draft.image(product, 5);
    let outcome = check(&draft.0, 1);
    assert!(outcome.snr.last().unwrap() > &30.0, "{:?}", outcome.snr);
}

#[test]
fn copies() {
    let mut draft = Draft::new();
    let a = draft.conv(0, 3, 4, 3, 1);
    let b = draft.conv(0, 3, 2, 1, 1);
    let b = draft.add(Layer::Affine { scale: vec![9.0, 4.0], offset: vec![1.0, 0.0] }, &[b]);
    let both = draft.add(Layer::Concat, &[a, b]);
    let functions = (0..6).map(|c| Function::leaky_relu(0.1 * c as f32)).collect();
    let both = draft.add(Layer::ChannelFunctions(functions), &[both]);
    let part = draft.add(Layer::Slice { starts: [1, 2, 1], sizes: [4, 4, 3] }, &[both]);
    let shuffled = draft.add(Layer::PixelShuffle { factor: 2, blocks_first: false }, &[part]);
    let image = draft.add(Layer::Activation(Function::tanh()), &[shuffled]);
    let _ = image;
    let outcome = check(&draft.0, 1);
    assert!(outcome.snr.last().unwrap() > &30.0, "{:?}", outcome.snr);
}

#[test]
fn an_image_of_concatenated_parts() {
    let mut draft = Draft::new();
    let a = draft.conv(0, 3, 2, 3, 1);
    let b = draft.conv(0, 3, 1, 1, 1);
    let b = draft.add(Layer::Activation(Function::tanh()), &[b]);
    draft.add(Layer::Concat, &[a, b]);
    check(&draft.0, 1);
}

#[test]
fn groups_of_channels() {
    let mut draft = Draft::new();
    let wide = draft.conv(0, 3, 8, 1, 1);
    let wide = draft.add(Layer::Activation(Function::relu()), &[wide]);
    let grouped = draft.conv(wide, 8, 4, 3, 2);
    let depthwise = draft.conv(grouped, 4, 4, 3, 4);
    let each = draft.conv(depthwise, 4, 4, 1, 4);
    draft.image(each, 4);
    let outcome = check(&draft.0, 1);
    assert!(outcome.snr.last().unwrap() > &30.0, "{:?}", outcome.snr);
}

#[test]
fn borders() {
    let mut draft = Draft::new();
    let mirrored = draft.add(Layer::Pad { padding: [[1, 1], [1, 1]], border: Border::Reflect }, &[0]);
    let window =
        Window { channels: 4, kernel: [3; 2], stride: [1; 2], padding: [[0; 2]; 2], dilation: [1; 2], groups: 1 };
    let weight = Values(5).take(4 * 27).iter().map(|value| 0.3 * value).collect();
    let conv = draft.add(Layer::Conv { window, weight, bias: vec![0.1; 4] }, &[mirrored]);
    let larger = draft.add(Layer::UpsampleLinear { factor: [2, 2] }, &[conv]);
    draft.image(larger, 4);
    let outcome = check(&draft.0, 1);
    assert!(outcome.snr.last().unwrap() > &30.0, "{:?}", outcome.snr);
}

#[test]
fn constants_and_classes() {
    let mut draft = Draft(Network { nodes: vec![], pixels: PixelRange::Unit });
    let latent = draft.add(Layer::Input(Input::Latent(LatentInput::new(Prior::UnitUniform, 6))), &[]);
    let class = draft.add(Layer::Input(Input::Class { classes: 3, stride: 0 }), &[]);
    let shape = Shape { h: 4, w: 5, c: 2 };
    let values = Values(3).take(40).iter().map(|value| 3.0 * value).collect();
    let learned = draft.add(Layer::Input(Input::Constant { shape, values }), &[]);
    let both = draft.add(Layer::Concat, &[latent, class]);
    let dense = Layer::Dense { shape, weight: Values(4).take(40 * 9), bias: Values(5).take(40) };
    let style = draft.add(dense, &[both]);
    let sum = draft.add(Layer::Add { scales: [1.0, 1.0] }, &[learned, style]);
    draft.add(Layer::Activation(Function::sigmoid()), &[sum]);
    let outcome = check(&draft.0, 1);
    assert!(outcome.snr.last().unwrap() > &30.0, "{:?}", outcome.snr);
}

/// A latent vector beside classes of two and three values, each combination of which is one class.
fn combination(strides: [usize; 2]) -> Network {
    let mut draft = Draft(Network { nodes: vec![], pixels: PixelRange::Unit });
    let latent = draft.add(Layer::Input(Input::Latent(LatentInput::new(Prior::Gaussian, 4))), &[]);
    let two = draft.add(Layer::Input(Input::Class { classes: 2, stride: strides[0] }), &[]);
    let three = draft.add(Layer::Input(Input::Class { classes: 3, stride: strides[1] }), &[]);
    let both = draft.add(Layer::Concat, &[latent, two]);
    let all = draft.add(Layer::Concat, &[both, three]);
    let shape = Shape { h: 4, w: 5, c: 2 };
    let dense = Layer::Dense { shape, weight: Values(4).take(40 * 9), bias: Values(5).take(40) };
    let map = draft.add(dense, &[all]);
    draft.add(Layer::Activation(Function::sigmoid()), &[map]);
    draft.0
}

#[test]
fn a_class_can_be_a_combination_of_several_inputs() {
    let network = combination([1, 2]);
    let outcome = check(&network, 1);
    assert!(outcome.snr.last().unwrap() > &30.0, "{:?}", outcome.snr);
    let words = [("words", "hair: bob, curls\nglasses: round, square, none")];
    let label = Label { name: "tiny", metadata: &words };
    let file = export(&network, 16, label).unwrap().file;
    assert_eq!(file.bytes()[6], 3, "the minor version rises");
    let model = Model::parse(file.bytes()).unwrap();
    assert_eq!(model.classes(), 6);
    assert!(model.words(5).eq(["curls", "none"]) && model.words(2).eq(["bob", "square"]));
    // Class 3 is the second value of two, and the second of three.
    let values = network.inputs_at(Point::seed(7).of_class(3));
    assert_eq!(values[1..], [vec![0.0, 1.0], vec![0.0, 1.0, 0.0]]);
    let image = |point| edgegen_export::image_at(&model, point);
    let images: Vec<_> = (0..6).map(|class| image(Point::seed(7).of_class(class))).collect();
    assert!((1..6).all(|class| !images[..class].contains(&images[class])));
    let own = edgegen_runtime::latent::combination(7, 6).unwrap();
    assert_eq!(image(Point::seed(7)), images[usize::from(own)]);
    // No file can hold as many.
    let error = export(&combination([1, 30_000]), 16, label).unwrap_err().to_string();
    assert!(error.contains("combinations of classes"), "{error}");
}

/// A map of 8 × 8 pixels and 6 channels of normal values around `offsets` and of sizes `sizes`, from a latent vector.
fn normal_map(sizes: [f32; 6], offsets: [f32; 6]) -> (Draft, usize) {
    let mut draft = Draft(Network { nodes: vec![], pixels: PixelRange::Symmetric });
    let latent = draft.add(Layer::Input(Input::Latent(LatentInput::new(Prior::Gaussian, 40))), &[]);
    let weight = Values(9).take(64 * 6 * 40).iter().map(|value| 0.27 * value).collect();
    let map = Layer::Dense { shape: Shape { h: 8, w: 8, c: 6 }, weight, bias: vec![0.0; 64 * 6] };
    let map = draft.add(map, &[latent]);
    let map = draft.add(Layer::Affine { scale: sizes.to_vec(), offset: offsets.to_vec() }, &[map]);
    (draft, map)
}

/// The mean and variance of channels that differ by orders of magnitude are normalized alike.
#[test]
fn instance_normalization() {
    for centred in [true, false] {
        let offsets = if centred { [0.3, 0.02, -50.0, 0.0, 9.0, -0.3] } else { [0.0; 6] };
        let (mut draft, map) = normal_map([1.0, 0.01, 30.0, 0.3, -5.0, 0.1], offsets);
        let (gamma, beta) = (vec![1.0, -0.7, 1.3, 0.5, 0.9, 1.1], vec![0.0, 0.1, -0.2, 0.0, 0.5, 0.3]);
        let over = Over::Groups { groups: 6 };
        let normalized = draft.add(Layer::Normalize { over, centred, gamma, beta, epsilon: 1e-5 }, &[map]);
        let name = draft.0.nodes[normalized].name.clone();
        draft.image(normalized, 6);
        let outcome = check(&draft.0, 1);
        let place = outcome.stage(&name);
        assert!(outcome.snr[place] >= 35.0, "centred {centred}: {:?}", outcome.snr);
        // What is normalized has a scale for each channel.
        assert_eq!(outcome.stages[place - 1].codes.factors.len(), 6);
    }
}

/// A residual block of an image-to-image network, with padding that is mirrored.
#[test]
fn residual_block() {
    let mut draft = Draft::new();
    let start = draft.conv(0, 3, 8, 3, 1);
    let normalize = |seed: u64| {
        let gamma = Values(seed).take(8).iter().map(|value| 1.0 + 0.5 * value).collect();
        let beta = Values(seed + 1).take(8).iter().map(|value| 0.3 * value).collect();
        Layer::Normalize { over: Over::Groups { groups: 8 }, centred: true, gamma, beta, epsilon: 1e-5 }
    };
    let mut map = draft.add(normalize(1), &[start]);
    for block in 0..2 {
        let inner = draft.conv(map, 8, 8, 3, 1);
        let inner = draft.add(normalize(2 + block), &[inner]);
        let inner = draft.add(Layer::Activation(Function::relu()), &[inner]);
        let inner = draft.conv(inner, 8, 8, 3, 1);
        let inner = draft.add(normalize(4 + block), &[inner]);
        map = draft.add(Layer::Add { scales: [1.0, 1.0] }, &[map, inner]);
    }
    draft.image(map, 8);
    let outcome = check(&draft.0, 2);
    assert!(outcome.snr.last().unwrap() > &28.0, "{:?}", outcome.snr);
}

#[test]
fn other_normalizations() {
    for (over, centred, least) in [
        (Over::Groups { groups: 2 }, true, 33.0),
        (Over::Groups { groups: 1 }, true, 33.0),
        (Over::Pixel, false, 33.0),
        (Over::Pixel, true, 33.0),
    ] {
        let mut draft = Draft::new();
        let map = draft.conv(0, 3, 6, 3, 1);
        let (gamma, beta) = (vec![1.0, -0.7, 1.3, 0.5, 0.9, 1.1], vec![0.0, 0.1, -0.2, 0.0, 0.5, 0.3]);
        let normalized = draft.add(Layer::Normalize { over, centred, gamma, beta, epsilon: 1e-5 }, &[map]);
        let name = draft.0.nodes[normalized].name.clone();
        draft.image(normalized, 6);
        let outcome = check(&draft.0, 1);
        let place = outcome.stage(&name);
        assert!(outcome.snr[place] >= least, "{over:?}, centred {centred}: {:?}", outcome.snr);
    }
}

/// The style of one network part scales and shifts what the other one made: AdaIN.
#[test]
fn adaptive_normalization() {
    let mut draft = Draft::new();
    let map = draft.conv(0, 3, 6, 3, 1);
    let (over, ones, zeros) = (Over::Groups { groups: 6 }, vec![1.0; 6], vec![0.0; 6]);
    let normalize = Layer::Normalize { over, centred: true, gamma: ones, beta: zeros, epsilon: 1e-5 };
    let normalized = draft.add(normalize, &[map]);
    let latent = draft.add(Layer::Input(Input::Latent(LatentInput::new(Prior::Gaussian, 8))), &[]);
    let shape = Shape { h: 1, w: 1, c: 6 };
    let style = |draft: &mut Draft, seed: u64, offset: f32| {
        let weight = Values(seed).take(48).iter().map(|value| 0.2 * value).collect();
        draft.add(Layer::Dense { shape, weight, bias: vec![offset; 6] }, &[latent])
    };
    let (gamma, beta) = (style(&mut draft, 1, 1.0), style(&mut draft, 2, 0.0));
    let scaled = draft.add(Layer::Mul, &[normalized, gamma]);
    let shifted = draft.add(Layer::Add { scales: [1.0, 1.0] }, &[scaled, beta]);
    draft.image(shifted, 6);
    let outcome = check(&draft.0, 1);
    assert!(outcome.snr.last().unwrap() > &30.0, "{:?}", outcome.snr);
}

/// A norm that comes near 0, of one square alone, takes nothing from the norms beside it, which never do.
#[test]
fn a_norm_near_zero_spoils_no_other() {
    let mut draft = Draft(Network { nodes: vec![], pixels: PixelRange::Symmetric });
    let latent = draft.add(Layer::Input(Input::Latent(LatentInput::new(Prior::Gaussian, 8))), &[]);
    let square = Function::binary(Binary::Mul, Function::X, Function::X);
    let squares = draft.add(Layer::Activation(square), &[latent]);
    let weight = (0..48).map(|at| if at < 8 { f32::from(u8::from(at == 0)) } else { 1.0 }).collect();
    let sums = Layer::Dense { shape: Shape { h: 1, w: 1, c: 6 }, weight, bias: vec![0.0; 6] };
    let sums = draft.add(sums, &[squares]);
    let norms = draft.add(Layer::Activation(Function::inverse_sqrt(1e-8)), &[sums]);
    // Pixels of the other five.
    let weight =
        Values(7).take(6 * 16).into_iter().enumerate().map(|(at, value)| if at % 6 == 0 { 0.0 } else { value });
    let image = Layer::Dense { shape: Shape { h: 4, w: 4, c: 1 }, weight: weight.collect(), bias: vec![0.0; 16] };
    draft.add(image, &[norms]);
    let examples: Vec<_> = (1000..1256).map(|seed| draft.0.inputs_at(Point::seed(seed))).collect();
    for (width, least) in [(Width::Int8, 42.0), (Width::Int16, 50.0)] {
        let exported = export_as(&draft.0, &examples, Label { name: "test", metadata: &[] }, width).unwrap();
        let found = compare(&draft.0, &exported, 64, 0).unwrap().psnr_db;
        assert!(found >= least, "{width:?}: {found} dB");
    }
}

#[test]
fn clamps_need_no_table() {
    let six = Function::relu().min(0.5);
    let mut draft = Draft::new();
    let conv = draft.conv(0, 3, 4, 3, 1);
    let clamped = draft.add(Layer::Activation(six), &[conv]);
    let above = Function::binary(Binary::Max, Function::X, Function::Constant(0.25));
    let conv = draft.conv(clamped, 4, 4, 1, 1);
    let above = draft.add(Layer::Activation(above), &[conv]);
    draft.image(above, 4);
    let outcome = check(&draft.0, 3);
    let has_table =
        |stage: &QuantizedStage| matches!(&stage.op, QuantizedOp::Product { sums, .. } if sums.table.is_some());
    let tables: Vec<bool> = outcome.stages.iter().skip(1).map(has_table).collect();
    assert_eq!(tables, [false, true, true]);
}

#[test]
fn a_function_of_an_input() {
    let mut draft = Draft::new();
    let power = Function::binary(Binary::Pow, Function::X, Function::Constant(2.0));
    let squares = draft.add(Layer::Activation(power), &[0]);
    draft.image(squares, 3);
    let outcome = check(&draft.0, 1);
    assert!(outcome.snr.last().unwrap() > &30.0, "{:?}", outcome.snr);
}

#[test]
fn a_comparison_names_what_loses_most() {
    let mut draft = Draft::new();
    let map = draft.conv(0, 3, 4, 3, 1);
    // Steep enough that a step of its input is half of its range.
    let steep = draft.add(Layer::Affine { scale: vec![100.0; 4], offset: vec![0.0; 4] }, &[map]);
    let steep = draft.add(Layer::Activation(Function::sigmoid()), &[steep]);
    let power = Function::binary(Binary::Pow, Function::X, Function::Constant(60.0));
    let steep = draft.add(Layer::Activation(power), &[steep]);
    draft.image(steep, 4);
    let exported = export(&draft.0, 16, Label { name: "", metadata: &[] }).unwrap();
    let comparison = compare(&draft.0, &exported, 12, 5).unwrap();
    assert_eq!(comparison.stages.len(), exported.codes.len());
    assert_eq!(comparison.stage_snr_db.len(), exported.codes.len());
    assert!(comparison.fold_error < 1e-4, "{comparison:?}");
    assert_eq!(comparison.worst, comparison.stages[1], "{comparison:?}");
    assert!(comparison.psnr_db > 20.0, "{comparison:?}");
}

#[test]
fn an_input_is_no_image() {
    let network = Draft::new().0;
    let refused = export(&network, 4, Label { name: "", metadata: &[] });
    assert!(matches!(refused, Err(ExportError::NoImage { .. } | ExportError::Layer { .. })), "{refused:?}");
}
