//! Folding changes nothing: for random networks the stages give what the layers give.

use edgegen_export::fold::fold;
use edgegen_export::layers::{Activation, Input, Layer, Network, PixelRange, Window};
use edgegen_runtime::{Prior, Shape};
use edgegen_tests::{Values, cases, network, plan};
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn stages_give_what_layers_give(plan in plan()) {
        let network = network(&plan);
        let latent = Values(plan.seed ^ 1).take(plan.latent);
        let map = network.forward(&latent);
        let staged = fold(&network).unwrap();
        let outputs = staged.trace(&latent);
        let image = outputs.last().unwrap();
        prop_assert_eq!(staged.stages.last().unwrap().output, map.shape);
        let area = usize::from(map.shape.h) * usize::from(map.shape.w);
        let largest = map.values.iter().fold(1.0f32, |most, v| most.max(v.abs()));
        for (i, &value) in image.iter().enumerate() {
            let expected = map.values[i % usize::from(map.shape.c) * area + i / usize::from(map.shape.c)];
            prop_assert!((value - expected).abs() <= 1e-5 * largest, "{} {} {}", i, value, expected);
        }
    }
}

#[test]
fn a_transposed_convolution_of_one_pixel_is_dense() {
    let mut values = Values(5);
    let window = Window { channels: 3, kernel: [4, 4], stride: [2, 2], padding: [0, 1], dilation: [1, 1] };
    let layer =
        Layer::ConvTranspose { window, output_padding: [0, 1], weight: values.take(7 * 3 * 16), bias: values.take(3) };
    let network = Network { input: Input::new(Prior::Uniform, 7), layers: vec![layer], pixels: PixelRange::Unit };
    let staged = fold(&network).unwrap();
    assert_eq!(staged.stages[0].kind, edgegen_export::stage::Kind::Dense);
    let latent = values.take(7);
    let (map, image) = (network.forward(&latent), staged.stages[0].sums(&latent));
    let area = usize::from(map.shape.h) * usize::from(map.shape.w);
    for (i, value) in image.iter().enumerate() {
        assert!((value - map.values[i % 3 * area + i / 3]).abs() < 1e-5, "{i}");
    }
}

#[test]
fn wrong_orders_are_refused_with_a_sentence() {
    let dense = Layer::Dense { shape: Shape { h: 2, w: 2, c: 4 }, weight: vec![0.0; 16], bias: vec![0.0; 16] };
    let relu = Layer::Activation(Activation::Relu);
    let norm = Layer::BatchNorm {
        gamma: vec![1.0; 4],
        beta: vec![0.0; 4],
        mean: vec![0.0; 4],
        variance: vec![1.0; 4],
        epsilon: 1e-5,
    };
    let cases = [
        (vec![], "expected a dense layer or a convolution, found nothing at layer 0: give the network layers"),
        (
            vec![dense.clone(), relu.clone(), norm],
            "expected a batch normalization right after a dense layer or convolution, found one elsewhere at layer 2: change the order of the layers",
        ),
        (
            vec![dense.clone(), Layer::UpsampleNearest { factor: 2 }],
            "expected a convolution after upsampling, found the end of the network at layer 1: add a convolution",
        ),
        (
            vec![dense.clone(), dense],
            "expected a vector before a dense layer, found a map of 2×2×4 at layer 1: start the generator with its dense layers",
        ),
    ];
    for (layers, expected) in cases {
        let network = Network { input: Input::new(Prior::Gaussian, 1), layers, pixels: PixelRange::Symmetric };
        assert_eq!(fold(&network).unwrap_err().to_string(), expected);
    }
}

#[test]
fn what_the_format_cannot_hold_is_refused_with_a_sentence() {
    let refused = |kernel, dilation| {
        let window =
            Window { channels: 1, kernel: [kernel; 2], stride: [1, 1], padding: [9, 9], dilation: [dilation; 2] };
        let dense =
            Layer::Dense { shape: Shape { h: 40, w: 40, c: 1 }, weight: vec![0.0; 1600], bias: vec![0.0; 1600] };
        let conv = Layer::Conv { window, weight: vec![0.0; kernel * kernel], bias: vec![0.0] };
        let layers = vec![dense, conv];
        fold(&Network { input: Input::new(Prior::Gaussian, 1), layers, pixels: PixelRange::Unit }).err()
    };
    assert_eq!(refused(5, 2).map(|error| error.to_string()), None);
    let message = refused(6, 2).map(|error| error.to_string()).unwrap();
    assert!(message.contains("at most 25") && message.contains("found 36"), "{message}");
    assert_eq!(refused(25, 1).map(|error| error.to_string()), None);
}
