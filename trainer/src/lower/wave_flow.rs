//! A sound in one pass as plain layers: noise is there from the start, so nothing reads the image.
//!
//! ```text
//! u ─ ln(u/(1 − u)) ─ z ┬ first, a row late ─ + ─ blocks ┬ e^α ─ × ─ + ─ W ─► z of the next flow
//!                       │        class ─ map ─┘          └ μ ────────┘
//!                       └───────────────────────────────────────┘
//! ```
//!
//! W of the last flow makes samples in a row out of channels: a transposed convolution whose step is its height. It
//! makes one sample more, which is cut off: what does so is a copy, whose table, the μ-law, reads codes of 16 bits
//! where the model has such; the law is too steep at silence for the eight that the sums of an image have.

use anyhow::Result;
use edgegen_export::function::{Binary, Function, Unary};
use edgegen_export::layers::{Layer, Window};
use edgegen_runtime::graph::Shape;

use super::nodes::Nodes;
use super::wavenet::{Weights, behind_first, bounded_exponential, quantile};
use super::{as_floats, dense};
use crate::nets::layer::{MU, WaveFlows};

/// Adds what draws as `layer` from the classes and the noise of two nodes, and gives the last node's number.
pub(super) fn lower(layer: &WaveFlows, reads: Vec<usize>, nodes: &mut Nodes) -> Result<usize> {
    let [class, noise] = reads[..] else { unreachable!("flows read classes and noise") };
    let Shape { h: rows, c: row, .. } = nodes.shapes[noise];
    let row = usize::from(row);
    let mut z = nodes.push(Layer::Activation(quantile()), vec![noise])?;
    for (place, flow) in layer.flows.iter().enumerate() {
        let late = nodes.push(Weights::of(&flow.waves.first).late().layer(), vec![z])?;
        let sizes = [nodes.channels(late), rows.into(), 1];
        let late = nodes.push(Layer::Slice { starts: [0; 3], sizes }, vec![late])?;
        let condition = nodes.push(dense(&flow.condition)?, vec![class])?;
        let h = nodes.push(Layer::Add { scales: [1.0; 2] }, vec![late, condition])?;
        let hidden = behind_first(&flow.waves, h, None, nodes)?;
        let moments = Weights::of(&flow.waves.mixture);
        let mut part = |first: usize| nodes.push(moments.part(first, row).layer(), vec![hidden]);
        let (mean, log_scale) = (part(0)?, part(row)?);
        let scale = nodes.push(Layer::Activation(bounded_exponential()), vec![log_scale])?;
        let moved = nodes.push(Layer::Mul, vec![scale, z])?;
        let moved = nodes.push(Layer::Add { scales: [1.0; 2] }, vec![moved, mean])?;
        let mixing = flow.mixing();
        let mixed = if place + 1 < layer.flows.len() {
            Layer::Conv { window: Window::square(row, 1, 1, 0), weight: as_floats(mixing), bias: vec![0.0; row] }
        } else {
            let window = Window { kernel: [row, 1], stride: [row, 1], ..Window::square(1, 1, 1, 0) };
            let weight = as_floats(mixing.transpose());
            Layer::ConvTranspose { window, output_padding: [1, 0], weight, bias: vec![0.0] }
        };
        z = nodes.push(mixed, vec![moved])?;
    }
    let within = Function::binary(Binary::Max, Function::X, Function::Constant(-1.0));
    let within = Function::binary(Binary::Min, within, Function::Constant(1.0));
    let wave = nodes.push(Layer::Activation(within), vec![z])?;
    let wave = nodes.push(Layer::Slice { starts: [0; 3], sizes: [1, row * usize::from(rows), 1] }, vec![wave])?;
    nodes.push(Layer::Activation(companding()), vec![wave])
}

/// sgn(x) ln(1 + μ|x|) / ln(1 + μ).
fn companding() -> Function {
    let times = |a: Function, b: Function| Function::binary(Binary::Mul, a, b);
    let mu = MU as f32;
    let loudness = times(Function::unary(Unary::Abs, Function::X), Function::Constant(mu));
    let loudness = Function::binary(Binary::Add, loudness, Function::Constant(1.0));
    let log = times(Function::unary(Unary::Log, loudness), Function::Constant(mu.ln_1p().recip()));
    times(log, Function::unary(Unary::Sign, Function::X))
}
