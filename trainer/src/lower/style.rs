//! What styles act on, in plain layers: modulated weights are two products of maps by vectors around a convolution.

use anyhow::Result;
use edgegen_export::function::{Binary, Function};
use edgegen_export::layers::{Input, Layer};
use edgegen_runtime::graph::Shape;

use super::nodes::Nodes;
use super::{narrow, values};
use crate::nets::layer::{Constant, Modulated, Noise};

/// A learned map as a constant of the model.
pub(super) fn constant(layer: &Constant) -> Result<Input> {
    let [_, c, h, w] = layer.values.dims();
    let shape = Shape { h: narrow(h)?, w: narrow(w)?, c: narrow(c)? };
    Ok(Input::Constant { shape, values: values(&layer.values) })
}

/// A sum with the noise, and a bias; gives the node that holds them.
pub(super) fn lower_noise(layer: &Noise, reads: Vec<usize>, nodes: &mut Nodes) -> Result<usize> {
    let (strength, bias) = (values(&layer.strength)[0], values(&layer.bias));
    let sum = nodes.push(Layer::Add { scales: [1.0, strength] }, reads)?;
    nodes.push(Layer::Affine { scale: vec![1.0; bias.len()], offset: bias }, vec![sum])
}

/// ```text
/// map ─ × style ─ (2 × 2 times) ─ convolution ─ × ─►
/// style ─ s² ─ Σ w² · s² ─ 1/√(x + ε) ──────────┘
/// ```
pub(super) fn lower_modulated(layer: &Modulated, reads: Vec<usize>, nodes: &mut Nodes) -> Result<usize> {
    let [map, style] = reads[..] else { unreachable!("a map and a style") };
    let mut place = nodes.push(Layer::Mul, vec![map, style])?;
    if layer.doubled {
        place = nodes.push(Layer::UpsampleNearest { factor: [2; 2] }, vec![place])?;
    }
    let bias = vec![0.0; layer.window.channels];
    place = nodes.push(Layer::Conv { window: layer.window, weight: values(&layer.weight), bias }, vec![place])?;
    let Some(epsilon) = layer.epsilon else { return Ok(place) };
    let square = Function::binary(Binary::Mul, Function::X, Function::X);
    let squares = nodes.push(Layer::Activation(square), vec![style])?;
    let channels = layer.window.channels;
    let dense = Layer::Dense {
        shape: Shape { h: 1, w: 1, c: narrow(channels)? },
        weight: square_sums(layer),
        bias: vec![0.0; channels],
    };
    let norm = nodes.push(dense, vec![squares])?;
    let inverse = nodes.push(Layer::Activation(Function::inverse_sqrt(epsilon as f32)), vec![norm])?;
    nodes.push(Layer::Mul, vec![place, inverse])
}

/// Σ w² over the kernel, as [`Modulated::squares`], but added up in one order on every computer: a library's order is
/// that of the vectors that the computer has, and models are exported again byte for byte.
fn square_sums(layer: &Modulated) -> Vec<f32> {
    let taps = layer.window.kernel.iter().product();
    let sum = |kernel: &[f32]| kernel.iter().map(|&weight| f64::from(weight).powi(2)).sum::<f64>() as f32;
    values(&layer.weight).chunks(taps).map(sum).collect()
}
