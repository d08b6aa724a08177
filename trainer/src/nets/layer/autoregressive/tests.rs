//! What a value may depend on, and both ways of making values.

use super::*;
use crate::nets::layer::Layer;
use crate::nets::{Chain, Init, NetBuilder};
use crate::rng::Rng;

const DIMS: usize = 7;

fn layer(hidden: &[usize], conditional: Conditional, reversed: bool, way: Way, device: &Device) -> Autoregressive {
    let mut rng = Rng::new(4, 0);
    let net = NetBuilder::new([DIMS, 1, 1], Init::He, device, &mut rng)
        .autoregressive(Chain { hidden, conditional, reversed, way })
        .build();
    let Some(Layer::Autoregressive(layer)) = net.layers.into_iter().next() else { panic!("built above") };
    // As if it had learned: outputs that say something.
    let louder = |masked: Masked| Masked { weight: masked.weight.map(|weight| weight.mul_scalar(4.0)), ..masked };
    Autoregressive { location: louder(layer.location), log_scale: layer.log_scale.map(louder), ..layer }
}

fn noise(batch: usize, rng: &mut Rng) -> Tensor<4> {
    let values: Vec<f32> = (0..batch * DIMS).map(|_| rng.normal()).collect();
    Tensor::from_data(TensorData::new(values, [batch, DIMS, 1, 1]), &Device::flex())
}

#[track_caller]
fn near(a: Tensor<4>, b: Tensor<4>, within: f32) {
    let [a, b] = [a, b].map(host);
    let difference = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(a.len() == b.len() && difference < within, "{difference}");
}

#[test]
fn hidden_layers_have_every_degree() {
    for (units, dims) in [(6, 7), (16, 7), (512, 784), (783, 784), (3, 2), (4, 1)] {
        let degrees = hidden_degrees(units, dims);
        let most = (dims - 1).max(1);
        assert!(degrees.is_sorted() && degrees.iter().all(|degree| (1..=most).contains(degree)));
        assert!(units < most || (1..=most).all(|degree| degrees.contains(&degree)), "{units} {dims}");
    }
}

/// The Jacobian of all parameters is strictly triangular in the order, and full below the diagonal.
#[test]
fn a_value_depends_on_all_before_it_and_on_no_other() {
    // Only the values ask for gradients.
    let device = Device::flex();
    for hidden in [&[16][..], &[9, 12]] {
        for reversed in [false, true] {
            let layer = layer(hidden, Conditional::Gaussian, reversed, Way::InTurn, &device);
            for value in 0..DIMS {
                for is_scale in [false, true] {
                    let x = Tensor::from_inner(noise(64, &mut Rng::new(5, 0))).require_grad();
                    let Conditionals { location, log_scale } = layer.conditionals(x.clone());
                    let output = if is_scale { log_scale.unwrap() } else { location };
                    let gradients = output.narrow(1, value, 1).sum().backward();
                    let slopes = host(x.grad(&gradients).unwrap().abs().sum_dim(0));
                    for (other, slope) in slopes.into_iter().enumerate() {
                        let is_before = if reversed { other > value } else { other < value };
                        assert_eq!(slope != 0.0, is_before, "{value} of {other}: {slope}");
                    }
                }
            }
        }
    }
}

/// Value by value, each unit once, is what whole passes of the network say, and is undone by one pass.
#[test]
fn values_in_turn_are_those_of_as_many_passes() {
    for reversed in [false, true] {
        let layer = layer(&[9, 12], Conditional::Gaussian, reversed, Way::InTurn, &Device::flex());
        // More than one group of lanes, the last one not full.
        let noise = noise(70, &mut Rng::new(6, 0));
        let x = layer.forward(noise.clone());
        near(x.clone(), layer.by_passes(noise.clone()), 1e-4);
        let Conditionals { location, log_scale } = layer.conditionals(x.clone());
        near((x - location) * log_scale.unwrap().neg().exp(), noise, 1e-4);
    }
}

/// An inverse flow is a flow with data and noise swapped: what one pass makes is undone value by value.
#[test]
fn one_pass_is_undone_value_by_value() {
    let layer = layer(&[9, 12], Conditional::Gaussian, false, Way::OnePass, &Device::flex());
    let z = noise(70, &mut Rng::new(7, 0)).mul_scalar(0.5);
    let x = layer.forward(z.clone());
    let back = layer.in_turn(x, |x, location, log_scale| [(x - location) * (-log_scale).exp(); 2]);
    near(back, z, 1e-6);
}

/// A gradient through values in turn is that of the values.
#[test]
fn gradients_go_through_values_in_turn() {
    let device = Device::flex().autodiff();
    let layer = layer(&[9], Conditional::Gaussian, false, Way::InTurn, &device);
    let first = noise(1, &mut Rng::new(8, 0));
    let z = Tensor::from_inner(first.clone()).require_grad();
    let gradients = layer.forward(z.clone()).sum().backward();
    let slopes = host(z.grad(&gradients).unwrap());
    let sum = |z: Tensor<4>| host(layer.forward(z)).into_iter().map(f64::from).sum::<f64>();
    for (at, slope) in slopes.into_iter().enumerate() {
        const STEP: f32 = 1e-2;
        let moved = |by: f32| {
            let mut values = host(first.clone());
            values[at] += by;
            Tensor::from_data(TensorData::new(values, [1, DIMS, 1, 1]), &Device::flex())
        };
        let found = (sum(moved(STEP)) - sum(moved(-STEP))) / f64::from(2.0 * STEP);
        assert!((f64::from(slope) - found).abs() < 1e-2 * found.abs().max(1.0), "{slope} {found}");
    }
}

/// Of bits the probability comes out by which each was drawn.
#[test]
fn bits_are_drawn_by_their_probabilities() {
    let layer = layer(&[16], Conditional::Bernoulli, true, Way::InTurn, &Device::flex());
    let mut rng = Rng::new(9, 0);
    let values: Vec<f32> = (0..40 * DIMS).map(|_| 2.0 * rng.unit() - 1.0).collect();
    let noise = Tensor::<4>::from_data(TensorData::new(values, [40, DIMS, 1, 1]), &Device::flex());
    let probabilities = layer.forward(noise.clone());
    let is_white = |(noise, probability): (f32, f32)| f32::from(u8::from(0.5 * (noise + 1.0) < probability));
    let bits: Vec<f32> = host(noise).into_iter().zip(host(probabilities.clone())).map(is_white).collect();
    assert!(bits.contains(&0.0) && bits.contains(&1.0));
    let bits = Tensor::from_data(TensorData::new(bits, [40, DIMS, 1, 1]), &Device::flex());
    near(activation::sigmoid(layer.conditionals(bits).location), probabilities, 1e-5);
}
