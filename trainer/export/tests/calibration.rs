//! Ranges that are chosen by few values of many examples: each channel must be among them, and each part of a map.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use edgegen_export::compare::compare;
use edgegen_export::function::Function;
use edgegen_export::layers::{LatentInput, Layer, Network, PixelRange, Window};
use edgegen_export::{Label, export};
use edgegen_runtime::Shape;
use edgegen_runtime::graph::Prior;

/// Examples that the command calibrates on.
const EXAMPLES: usize = 256;

/// Values from −1 to 1.
fn values(count: usize) -> Vec<f32> {
    let mut state = 1u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(next).collect()
}

/// Peak signal-to-noise ratio of a model in dB.
fn psnr(layers: Vec<Layer>) -> f64 {
    let network = Network::chain(LatentInput::new(Prior::Gaussian, 8), layers, PixelRange::Symmetric);
    let exported = export(&network, EXAMPLES, Label { name: "test", metadata: &[] }).unwrap();
    compare(&network, &exported, 24, 5000).unwrap().psnr_db
}

#[test]
fn channels_that_the_step_would_pass_over_are_seen() {
    // 2145 values, of which every ninth is taken: all of channel 0 of three. The others are 20 times as large. By the
    // same values of each example it is 13.7 dB.
    let shape = Shape { h: 5, w: 143, c: 3 };
    let area = usize::from(shape.h) * usize::from(shape.w);
    let size = |row: usize| if row / area == 0 { 0.05 } else { 1.0 };
    let weight = values(shape.len() * 8).iter().enumerate().map(|(at, value)| size(at / 8) * value).collect();
    let window =
        Window { channels: 1, kernel: [1; 2], stride: [1; 2], padding: [[0; 2]; 2], dilation: [1; 2], groups: 1 };
    let found = psnr(vec![
        Layer::Dense { shape, weight, bias: vec![0.0; shape.len()] },
        Layer::Conv { window, weight: vec![0.5, 0.3, -0.4], bias: vec![0.0] },
        Layer::Activation(Function::tanh()),
    ]);
    assert!(found > 40.0, "{found} dB");
}

#[test]
fn channels_that_one_example_has_no_room_for_are_seen_in_others() {
    // Of 3000 values of a vector every 13th is taken. A few of the others are 20 times as large. By the same values of
    // each example it is 11.2 dB, by all values 36.9.
    let shape = Shape { h: 1, w: 1, c: 3000 };
    let size = |row: usize| if row % 13 == 5 { 1.0 } else { 0.05 };
    let weight = values(shape.len() * 8).iter().enumerate().map(|(at, value)| size(at / 8) * value).collect();
    let image = Shape { h: 4, w: 4, c: 1 };
    let found = psnr(vec![
        Layer::Dense { shape, weight, bias: vec![0.0; shape.len()] },
        Layer::Dense {
            shape: image,
            weight: values(image.len() * shape.len()).iter().map(|value| 0.1 * value).collect(),
            bias: vec![0.0; image.len()],
        },
        Layer::Activation(Function::tanh()),
    ]);
    assert!(found > 35.0, "{found} dB");
}

#[test]
fn pixels_that_a_large_step_would_pass_over_are_seen() {
    // Of 32 768 values every 139th is taken. A few pixels, none of them among these, are 20 times as large. By the
    // same values of each example it is 32.9 dB.
    let shape = Shape { h: 64, w: 64, c: 8 };
    let area = usize::from(shape.h) * usize::from(shape.w);
    let size = |row: usize| if (8 * (row % area)) % 139 == 70 { 1.0 } else { 0.05 };
    let weight = values(shape.len() * 8).iter().enumerate().map(|(at, value)| size(at / 8) * value).collect();
    let window =
        Window { channels: 1, kernel: [1; 2], stride: [1; 2], padding: [[0; 2]; 2], dilation: [1; 2], groups: 1 };
    let found = psnr(vec![
        Layer::Dense { shape, weight, bias: vec![0.0; shape.len()] },
        Layer::Conv { window, weight: vec![0.5, 0.3, -0.4, 0.2, -0.6, 0.1, 0.4, -0.3], bias: vec![0.0] },
        Layer::Activation(Function::tanh()),
    ]);
    assert!(found > 40.0, "{found} dB");
}
