//! Folding changes nothing: the stages of a network give what its layers give.

use edgegen_export::fold::fold;
use edgegen_export::function::Function;
use edgegen_export::layers::{Input, LatentInput, Layer, Network, Node, Over, PixelRange, Window};
use edgegen_export::stage::{Op, Staged};
use edgegen_runtime::graph::{Axis, Border, Prior};
use edgegen_runtime::{Point, Shape};
use edgegen_tests::{Graph, Values, cases, network, plan, window};
use proptest::prelude::*;

/// The stages of a network, which give what it gives, both beside the largest value.
fn same(network: &Network) -> Result<Staged, String> {
    let staged = fold(network).map_err(|error| error.to_string())?;
    for seed in 0..2 {
        let inputs = network.inputs_at(Point::seed(seed));
        let map = network.forward(&inputs).map_err(|error| error.to_string())?;
        let outputs = staged.trace(&inputs);
        let (image, shape) = (outputs.last().unwrap(), staged.stages.last().unwrap().shape);
        if (shape, image.len()) != (map.shape, map.values.len()) {
            return Err(format!("{shape} instead of {}", map.shape));
        }
        let (area, channels) = (usize::from(shape.h) * usize::from(shape.w), usize::from(shape.c));
        let largest = map.values.iter().fold(1.0f32, |most, v| most.max(v.abs()));
        for (i, &value) in image.iter().enumerate() {
            let expected = map.values[i % channels * area + i / channels];
            if (value - expected).abs().partial_cmp(&(1e-4 * largest)) != Some(std::cmp::Ordering::Less) {
                return Err(format!("{value} instead of {expected} at {i} of {shape}"));
            }
        }
    }
    Ok(staged)
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn stages_give_what_layers_give(plan in plan()) {
        let network = network(&plan);
        prop_assert!(same(&network).is_ok(), "{:?}", same(&network));
    }
}

fn shape(h: u16, w: u16, c: u16) -> Shape {
    Shape { h, w, c }
}

/// A latent vector of 6 values and a dense layer with a nonlinearity, which make a map.
fn map(h: u16, w: u16, c: u16) -> (Graph, usize) {
    let mut graph = Graph::new(LatentInput::new(Prior::Gaussian, 6), 7);
    let dense = graph.dense(0, shape(h, w, c)).unwrap();
    let active = graph.push(Layer::Activation(Function::relu()), &[dense]).unwrap();
    (graph, active)
}

/// Its stages, each by the kind of its operator.
fn kinds(graph: Graph) -> String {
    let network = graph.network(PixelRange::Symmetric);
    let staged = same(&network).unwrap_or_else(|error| panic!("{error}: {:?}", network.nodes.iter().map(|n| &n.name)));
    let kind = |op: &Op| match op {
        Op::Input(_) => "input",
        Op::Product { columns: Axis::NONE, .. } => "dense",
        Op::Product { .. } => "conv",
        Op::Add { .. } => "add",
        Op::Multiply { .. } => "multiply",
        Op::Copy { .. } => "copy",
        Op::Reduce { .. } => "mean",
    };
    staged.stages.iter().map(|stage| kind(&stage.op)).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_transposed_convolution_of_one_pixel_is_dense() {
    let mut graph = Graph::new(LatentInput::new(Prior::Uniform, 6), 5);
    for groups in [1, 3] {
        let window = Window { kernel: [4; 2], stride: [2, 2], padding: [[0; 2], [1; 2]], groups, ..window(3, 1) };
        graph.conv_transpose(0, window, [0, 1]).unwrap();
    }
    assert_eq!(kinds(graph), "input dense");
}

#[test]
fn transposed_convolutions_of_all_strides() {
    for (stride, kernel, dilation) in [
        ([2, 2], [4, 4], [1, 1]),
        ([8, 8], [16, 16], [1, 1]),
        ([6, 1], [3, 3], [1, 1]),
        ([1, 9], [2, 5], [1, 1]),
        ([2, 3], [3, 3], [2, 2]),
        ([4, 2], [3, 2], [2, 3]),
        ([12, 16], [13, 20], [1, 1]),
    ] {
        for groups in [1, 2, 4] {
            let (mut graph, last) = map(2, 3, 4);
            let window = Window { kernel, stride, dilation, padding: [[1, 0], [0, 1]], groups, ..window(4, 1) };
            graph.values = Values(3);
            graph.conv_transpose(last, window, [0; 2]).unwrap();
            let kinds = kinds(graph);
            let apart = stride.iter().any(|&stride| stride > 4);
            assert_eq!(kinds.starts_with("input dense conv copy"), apart, "{stride:?} {groups}: {kinds}");
        }
    }
}

#[test]
fn batch_normalization_behind_a_nonlinearity_moves_into_the_next_convolution() {
    for (padding, expected) in [(0, "input dense conv"), (1, "input dense conv conv")] {
        let (mut graph, last) = map(5, 5, 3);
        let norm = graph.batch_norm(last).unwrap();
        let kernel = Window { padding: [[padding; 2]; 2], ..window(2, 3) };
        graph.conv(norm, kernel).unwrap();
        assert_eq!(kinds(graph), expected);
    }
    // A mirrored border is normalized as well.
    let (mut graph, last) = map(5, 5, 3);
    let norm = graph.batch_norm(last).unwrap();
    let padded = graph.push(Layer::Pad { padding: [[1, 2], [2, 1]], border: Border::Reflect }, &[norm]).unwrap();
    graph.conv(padded, Window { padding: [[0; 2]; 2], ..window(2, 3) }).unwrap();
    assert_eq!(kinds(graph), "input dense conv");
    // Equal on all channels, it is part of the nonlinearity.
    let (mut graph, last) = map(5, 5, 3);
    graph.push(Layer::Affine { scale: vec![0.5; 3], offset: vec![0.5; 3] }, &[last]).unwrap();
    assert_eq!(kinds(graph), "input dense");
    // Behind a dense layer that is seen as a map only later.
    let mut graph = Graph::new(LatentInput::new(Prior::Gaussian, 6), 7);
    let dense = graph.dense(0, shape(1, 1, 24)).unwrap();
    let norm = graph.batch_norm(dense).unwrap();
    let active = graph.push(Layer::Activation(Function::tanh()), &[norm]).unwrap();
    let map = graph.push(Layer::Reorder { shape: shape(2, 3, 4), from: (0..24).rev().collect() }, &[active]).unwrap();
    graph.conv(map, window(2, 3)).unwrap();
    assert_eq!(kinds(graph), "input dense conv");
}

#[test]
fn upsampling_without_a_convolution() {
    for (factor, expected) in
        [([2, 2], "input dense copy"), ([8, 8], "input dense copy copy"), ([3, 11], "input dense copy")]
    {
        let (mut graph, last) = map(3, 3, 2);
        graph.push(Layer::UpsampleNearest { factor }, &[last]).unwrap();
        assert_eq!(kinds(graph), expected);
    }
    // By more than a convolution takes in, with several readers, and with a stride.
    let (mut graph, last) = map(2, 2, 2);
    let enlarged = graph.push(Layer::UpsampleNearest { factor: [8, 4] }, &[last]).unwrap();
    let first = graph.conv(enlarged, window(2, 3)).unwrap();
    let second = graph.push(Layer::Add { scales: [1.0, 1.0] }, &[enlarged, first]).unwrap();
    graph.conv(second, Window { stride: [2; 2], ..window(2, 3) }).unwrap();
    assert_eq!(kinds(graph), "input dense copy conv copy add conv");
}

#[test]
fn pixel_shuffles() {
    for blocks_first in [false, true] {
        // Of a dense layer's map a permutation, of a sum a copy, of a convolution nothing at all.
        let (mut graph, last) = map(2, 3, 8);
        graph.push(Layer::PixelShuffle { factor: 2, blocks_first }, &[last]).unwrap();
        assert_eq!(kinds(graph), "input dense");
        let (mut graph, last) = map(2, 3, 8);
        let sum = graph.push(Layer::Add { scales: [1.0, 2.0] }, &[last, last]).unwrap();
        graph.push(Layer::PixelShuffle { factor: 2, blocks_first }, &[sum]).unwrap();
        assert_eq!(kinds(graph), "input dense add copy");
        let (mut graph, last) = map(2, 3, 8);
        let conv = graph.conv(last, window(8, 3)).unwrap();
        graph.push(Layer::PixelShuffle { factor: 2, blocks_first }, &[conv]).unwrap();
        assert_eq!(kinds(graph), "input dense conv");
    }
    let (mut graph, last) = map(2, 3, 64);
    let conv = graph.conv(last, window(64, 1)).unwrap();
    graph.push(Layer::PixelShuffle { factor: 8, blocks_first: true }, &[conv]).unwrap();
    assert_eq!(kinds(graph), "input dense conv copy copy copy");
}

#[test]
fn borders() {
    for border in Border::ALL {
        for (source, padding) in [(0, [[1, 2], [2, 1]]), (1, [[0, 3], [3, 0]])] {
            let (mut graph, last) = map(5, 4, 3);
            let read = if source == 0 {
                last
            } else {
                graph.push(Layer::UpsampleNearest { factor: [2; 2] }, &[last]).unwrap()
            };
            let padded = graph.push(Layer::Pad { padding, border }, &[read]).unwrap();
            let active = graph.push(Layer::Activation(Function::relu()), &[padded]).unwrap();
            graph.conv(active, Window { padding: [[0; 2]; 2], ..window(2, 3) }).unwrap();
            let expected =
                if source == 1 && border == Border::Reflect { "input dense copy conv" } else { "input dense conv" };
            assert_eq!(kinds(graph), expected, "{border:?}");
        }
        // As the last node; and two readers that want different borders.
        let (mut graph, last) = map(5, 4, 3);
        graph.push(Layer::Pad { padding: [[1, 0], [2, 3]], border }, &[last]).unwrap();
        assert_eq!(kinds(graph), "input dense conv");
        let (mut graph, last) = map(5, 4, 3);
        let first = graph.conv(last, window(2, 3)).unwrap();
        let padded = graph.push(Layer::Pad { padding: [[1; 2]; 2], border }, &[last]).unwrap();
        let second = graph.conv(padded, Window { padding: [[0; 2]; 2], ..window(2, 3) }).unwrap();
        graph.push(Layer::Add { scales: [1.0; 2] }, &[first, second]).unwrap();
        let expected =
            if border == Border::Zero { "input dense conv conv add" } else { "input dense conv copy conv add" };
        assert_eq!(kinds(graph), expected, "{border:?}");
    }
}

#[test]
fn permutations() {
    // A vector as a map, a map flattened before a dense layer, an image-like bottleneck, channels shuffled.
    let identity = |count: usize| (0..count).collect::<Vec<_>>();
    let mut graph = Graph::new(LatentInput::new(Prior::Gaussian, 24), 7);
    graph.push(Layer::Reorder { shape: shape(2, 3, 4), from: identity(24) }, &[0]).unwrap();
    assert_eq!(kinds(graph), "input copy");

    let (mut graph, last) = map(3, 2, 4);
    let active = graph.push(Layer::Add { scales: [1.0; 2] }, &[last, last]).unwrap();
    let channels_last = (0..24).map(|i| i % 4 * 6 + i / 4).collect();
    let flat = graph.push(Layer::Reorder { shape: shape(1, 1, 24), from: channels_last }, &[active]).unwrap();
    let norm = graph.batch_norm(flat).unwrap();
    let dense = graph.dense(norm, shape(2, 2, 3)).unwrap();
    graph.conv(dense, window(2, 3)).unwrap();
    assert_eq!(kinds(graph), "input dense add conv copy conv");

    let (mut graph, last) = map(30, 2, 2);
    let active = graph.push(Layer::Mul, &[last, last]).unwrap();
    graph.dense(active, shape(1, 1, 3)).unwrap();
    assert_eq!(kinds(graph), "input dense multiply conv conv add");

    let (mut graph, last) = map(2, 2, 4);
    let sum = graph.push(Layer::Add { scales: [1.0; 2] }, &[last, last]).unwrap();
    let shuffled = [0, 2, 1, 3].iter().flat_map(|c| (0..4).map(move |i| c * 4 + i)).collect();
    graph.push(Layer::Reorder { shape: shape(2, 2, 4), from: shuffled }, &[sum]).unwrap();
    assert_eq!(kinds(graph), "input dense add conv");

    // Rows and columns exchanged.
    let (mut graph, last) = map(3, 2, 1);
    let sum = graph.push(Layer::Add { scales: [1.0; 2] }, &[last, last]).unwrap();
    graph.push(Layer::Reorder { shape: shape(2, 3, 1), from: vec![0, 2, 4, 1, 3, 5] }, &[sum]).unwrap();
    let error = fold(&graph.network(PixelRange::Unit)).unwrap_err().to_string();
    assert!(error.contains("node 4") && error.contains("3×2×1 to 2×3×1"), "{error}");
}

#[test]
fn joins_spread_vectors_channels_and_constants() {
    let (mut graph, last) = map(3, 4, 5);
    let vector = graph.dense(0, shape(1, 1, 5)).unwrap();
    let tiled = graph.push(Layer::UpsampleNearest { factor: [3, 4] }, &[vector]).unwrap();
    let sum = graph.push(Layer::Add { scales: [0.5, -2.0] }, &[tiled, last]).unwrap();
    let one = graph.dense(0, shape(3, 4, 1)).unwrap();
    graph.push(Layer::Mul, &[sum, one]).unwrap();
    assert_eq!(kinds(graph), "input dense dense add dense multiply");

    // Constants that are the same for all pixels go into the weights, those of constants are computed, others are
    // joined.
    let (mut graph, last) = map(3, 4, 2);
    let conv = graph.conv(last, window(2, 3)).unwrap();
    let constant = |graph: &mut Graph, h, w, c| {
        let values = graph.values.take(usize::from(h * w * c));
        graph.push(Layer::Input(Input::Constant { shape: shape(h, w, c), values }), &[]).unwrap()
    };
    let (a, b, c) = (constant(&mut graph, 1, 1, 2), constant(&mut graph, 1, 1, 2), constant(&mut graph, 3, 4, 1));
    let of_constants = graph.push(Layer::Mul, &[a, b]).unwrap();
    let scaled = graph.push(Layer::Mul, &[of_constants, conv]).unwrap();
    let moved = graph.push(Layer::Add { scales: [2.0, -1.0] }, &[scaled, a]).unwrap();
    graph.push(Layer::Add { scales: [1.0; 2] }, &[moved, c]).unwrap();
    assert_eq!(kinds(graph), "input dense conv input add");
}

#[test]
fn normalizations() {
    for (over, centred, expected) in [
        (Over::Groups { groups: 6 }, true, "input dense mean add mean multiply"),
        (Over::Groups { groups: 1 }, true, "input dense mean add mean multiply"),
        (Over::Groups { groups: 2 }, true, "input dense mean dense add mean dense multiply"),
        (Over::Pixel, true, "input dense mean add mean multiply"),
        (Over::Pixel, false, "input dense mean multiply"),
    ] {
        let (mut graph, last) = map(3, 4, 6);
        let norm = graph.normalize(last, over, centred).unwrap();
        graph.push(Layer::Activation(Function::relu()), &[norm]).unwrap();
        assert_eq!(kinds(graph), expected, "{over:?}");
    }
}

#[test]
fn statistics_of_more_values_than_one_sum_holds() {
    let (mut graph, last) = map(60, 60, 12);
    graph.normalize(last, Over::Groups { groups: 1 }, true).unwrap();
    assert_eq!(kinds(graph), "input dense mean add mean mean multiply");
}

#[test]
fn gates_are_products_of_their_own() {
    let (mut graph, last) = map(3, 4, 2);
    let conv = graph.conv(last, window(8, 3)).unwrap();
    let half = |graph: &mut Graph, starts, sizes| graph.push(Layer::Slice { starts, sizes }, &[conv]).unwrap();
    let (value, gate) = (half(&mut graph, [0, 0, 0], [4, 3, 4]), half(&mut graph, [4, 0, 0], [4, 3, 4]));
    let gate = graph.push(Layer::Activation(Function::sigmoid()), &[gate]).unwrap();
    let gated = graph.push(Layer::Mul, &[value, gate]).unwrap();
    // The parts of this one overlap.
    let conv = graph.conv(gated, window(4, 1)).unwrap();
    let first = graph.push(Layer::Slice { starts: [0, 0, 0], sizes: [3, 3, 4] }, &[conv]).unwrap();
    let second = graph.push(Layer::Slice { starts: [1, 0, 0], sizes: [3, 3, 4] }, &[conv]).unwrap();
    graph.push(Layer::Mul, &[first, second]).unwrap();
    assert_eq!(kinds(graph), "input dense conv conv multiply conv copy copy multiply");
}

#[test]
fn pooling_and_interpolation() {
    for factor in [[1, 2], [2, 3], [4, 4], [8, 5], [6, 1]] {
        let (mut graph, last) = map(3, 4, 2);
        graph.push(Layer::UpsampleLinear { factor }, &[last]).unwrap();
        let apart = if factor[0] > 4 {
            " copy copy"
        } else if factor[1] > 4 {
            " copy"
        } else {
            ""
        };
        assert_eq!(kinds(graph), format!("input dense conv{apart}"), "{factor:?}");
    }
    let (mut graph, last) = map(12, 10, 2);
    let wide = Window { kernel: [7, 6], stride: [2, 3], padding: [[1; 2], [2; 2]], ..window(2, 1) };
    let pooled = graph.push(Layer::AveragePool { window: wide, exclude_padding: false }, &[last]).unwrap();
    let functions = vec![Function::leaky_relu(0.1), Function::leaky_relu(0.3)];
    let active = graph.push(Layer::ChannelFunctions(functions), &[pooled]).unwrap();
    graph.push(Layer::GlobalMean, &[active]).unwrap();
    assert_eq!(kinds(graph), "input dense conv conv copy mean");
    let (mut graph, last) = map(5, 4, 2);
    let window = Window { kernel: [3, 2], stride: [2, 1], padding: [[1, 2], [1, 0]], ..window(2, 1) };
    graph.push(Layer::AveragePool { window, exclude_padding: true }, &[last]).unwrap();
    assert_eq!(kinds(graph), "input dense conv input multiply");
}

#[test]
fn classes_images_and_many_parts() {
    let mut graph = Graph::new(LatentInput::new(Prior::UnitUniform, 3), 7);
    let class = graph.push(Layer::Input(Input::Class { classes: 4, stride: 0 }), &[]).unwrap();
    let image = Input::Image { shape: shape(6, 5, 3), pixels: PixelRange::Unit };
    let image = graph.push(Layer::Input(image), &[]).unwrap();
    let both = graph.push(Layer::Concat, &[0, class]).unwrap();
    let tiled = graph.push(Layer::UpsampleNearest { factor: [6, 5] }, &[both]).unwrap();
    let conv = graph.conv(image, window(2, 3)).unwrap();
    let all = graph.push(Layer::Concat, &[tiled, image, conv, conv, image]).unwrap();
    let part = graph.push(Layer::Slice { starts: [1, 2, 1], sizes: [12, 3, 4] }, &[all]).unwrap();
    graph.push(Layer::Activation(Function::tanh()), &[part]).unwrap();
    assert_eq!(kinds(graph), "input input input copy conv copy copy copy copy copy");
}

#[test]
fn wrong_networks_are_refused_with_a_sentence() {
    let dense = || Layer::Dense { shape: shape(2, 2, 4), weight: vec![0.0; 16], bias: vec![0.0; 16] };
    let (latent, pixels) = (LatentInput::new(Prior::Gaussian, 1), PixelRange::Symmetric);
    let chain = |layers: Vec<Layer>| Network::chain(latent, layers, pixels);
    let cases = [
        (
            chain(vec![]),
            "expected a layer that makes the image, found nothing but inputs at latent: give the network layers",
        ),
        (
            Network { nodes: vec![], pixels },
            "expected at least one node, found none at the network: give the network layers",
        ),
        (
            chain(vec![dense(), dense()]),
            "expected 256 weights, found 16 at layer 1: give as many as the shapes ask for",
        ),
        (
            chain(vec![dense(), Layer::UpsampleNearest { factor: [5, 5] }]),
            "expected upsampling by a product of 2, 3 and 4, found by 5 at layer 1: \
             upsample by 4 or less, several times",
        ),
        (
            Network { nodes: vec![Node { name: "loop".into(), layer: Layer::GlobalMean, reads: vec![0] }], pixels },
            "expected reads of earlier nodes, found one of a later node at loop: put nodes in order",
        ),
    ];
    for (network, expected) in cases {
        assert_eq!(fold(&network).unwrap_err().to_string(), expected);
    }
}

#[test]
fn large_kernels_are_added_up() {
    // Of one group without dilation, 25 rows at once; else 25 taps.
    let kernel = |kernel: usize, dilation: usize, groups: usize| {
        let (mut graph, last) = map(9, 9, 4);
        let window = Window { dilation: [dilation; 2], padding: [[20; 2]; 2], groups, ..window(4, 1) };
        graph.conv(last, Window { kernel: [kernel; 2], ..window }).unwrap();
        kinds(graph)
    };
    assert_eq!(kernel(25, 1, 1), "input dense conv");
    assert_eq!(kernel(26, 1, 1), "input dense conv conv add");
    assert_eq!(kernel(5, 2, 1), "input dense conv");
    assert_eq!(kernel(6, 2, 1), "input dense conv conv add");
    assert_eq!(kernel(7, 1, 4), "input dense conv conv add conv add");
}

#[test]
fn what_the_format_cannot_hold_is_refused_with_a_sentence() {
    let (mut graph, last) = map(9, 9, 2);
    let window = Window { kernel: [1, 26], padding: [[0; 2], [20; 2]], groups: 2, ..window(2, 1) };
    graph.conv(last, window).unwrap();
    let error = fold(&graph.network(PixelRange::Unit)).unwrap_err().to_string();
    assert!(error.contains("at most 25") && error.contains("found 26 at node 3"), "{error}");
}
