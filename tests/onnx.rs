//! ONNX files give back the networks that they were written from. That other runtimes agree about them is tested where tract
//! is built anyway, in benches/host.

use edgegen_export::layers::{Activation, Input, Layer, Network, PixelRange};
use edgegen_export::onnx;
use edgegen_runtime::{Prior, Shape};
use edgegen_tests::{Values, cases, network, plan, rgb64};
use proptest::prelude::*;

/// What a file can tell: an identity is no operator.
fn without_identities(mut network: Network) -> Network {
    network.layers.retain(|layer| *layer != Layer::Activation(Activation::Identity));
    network
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_file_gives_back_its_network(plan in plan()) {
        let network = network(&plan);
        let bytes = onnx::to_bytes(&network, "random").unwrap();
        prop_assert_eq!(onnx::from_bytes(&bytes).unwrap(), without_identities(network));
    }

    #[test]
    fn damage_is_an_error_or_another_network(plan in plan(), at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut bytes = onnx::to_bytes(&network(&plan), "random").unwrap();
        let at = at.index(bytes.len());
        bytes[at] = value;
        // It must end well, whatever comes out.
        for damaged in [&bytes[..], &bytes[..at]] {
            if let Ok(network) = onnx::from_bytes(damaged) {
                prop_assert!(!network.output().is_empty());
            }
        }
    }
}

#[test]
fn a_64_by_64_rgb_generator_comes_back() {
    let bytes = onnx::to_bytes(&rgb64(), "rgb64").unwrap();
    assert_eq!(onnx::from_bytes(&bytes).unwrap(), rgb64());
    assert_eq!(bytes, onnx::to_bytes(&rgb64(), "rgb64").unwrap());
}

#[test]
fn dense_layers_after_vectors_and_maps_come_back() {
    let mut values = Values(1);
    let mut dense = |(h, w, c), inputs| {
        let shape = Shape { h, w, c };
        Layer::Dense { shape, weight: values.take(shape.len() * inputs), bias: values.take(shape.len()) }
    };
    let tanh = Layer::Activation(Activation::Tanh);
    let layers = vec![
        dense((1, 1, 5), 3),
        tanh.clone(),
        dense((2, 3, 4), 5),
        // Reads a map: a Reshape before it, a Flatten after it.
        Layer::UpsampleNearest { factor: 1 },
        dense((1, 1, 6), 24),
        dense((3, 2, 1), 6),
        tanh,
    ];
    let network = Network { input: Input::new(Prior::Uniform, 3), layers, pixels: PixelRange::Symmetric };
    assert_eq!(onnx::from_bytes(&onnx::to_bytes(&network, "dense").unwrap()).unwrap(), network);
}
