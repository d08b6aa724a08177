//! Samples of a sound in turn as plain layers: the sound so far is an input of the graph, and what a block looks back at
//! lies in the ring of the row that it reads.
//!
//! ```text
//! x₋₁ ─ first ─ h ┬ F ─ + V_f y ─ tanh ┬ × ─ R ─ + h ─►
//!                 └ G ─ + V_g y ─ σ ───┘ └── S ─ + skip ─►
//! skip ─ max(0, x) ─ hidden ─ max(0, x) ┬ m ─────────────── + ─► x
//!                                       └ e^s ─ × ln(u/(1 − u)) ┘
//! ```
//!
//! A mixture of one logistic is exact: the level up to which a share u of its probability lies is that of m + s ln(u / (1
//! − u)), rounded.

use anyhow::{Result, ensure};
use edgegen_export::function::{Binary, Function, Unary};
use edgegen_export::layers::{Input, Layer, PixelRange, Window};
use edgegen_runtime::graph::Shape;

use super::nodes::Nodes;
use super::{as_floats, narrow, values};
use crate::nets::layer::{Block, Conv, LOG_SCALES, Wavenet};

/// Adds what draws as `layer` from the classes and the noise of two nodes, and gives the last node's number.
///
/// # Errors
///
/// If the layer has a mixture of several logistics.
pub(super) fn lower(layer: &Wavenet, reads: Vec<usize>, nodes: &mut Nodes) -> Result<usize> {
    let [class, noise] = reads[..] else { unreachable!("a WaveNet reads classes and noise") };
    let mixture = Weights::of(&layer.mixture);
    ensure!(
        mixture.bias.len() == 3,
        "expected a WaveNet of one logistic for a device, found {}: train it with components = 1, or sample and measure it in float",
        mixture.bias.len() / 3
    );
    let shape = nodes.shapes[noise];
    let previous = Input::Previous { shape, pixels: PixelRange::Symmetric };
    let previous = nodes.push(Layer::Input(previous), vec![])?;
    let mut h = nodes.push(Weights::of(&layer.first).layer(), vec![previous])?;
    let mut skips = None;
    for (place, block) in layer.blocks.iter().enumerate() {
        let gated = gated(block, h, Some(class).filter(|_| layer.classes > 0), nodes)?;
        let (out, channels) = (Weights::of(&block.out), nodes.channels(h));
        let skip = nodes.push(out.part(channels, out.bias.len() - channels).layer(), vec![gated])?;
        skips = Some(match skips {
            Some(before) => nodes.push(Layer::Add { scales: [1.0; 2] }, vec![before, skip])?,
            None => skip,
        });
        // Behind the last block nothing reads what it passes on.
        if place + 1 < layer.blocks.len() {
            let passed = nodes.push(out.part(0, channels).layer(), vec![gated])?;
            h = nodes.push(Layer::Add { scales: [1.0; 2] }, vec![h, passed])?;
        }
    }
    let skips = skips.unwrap_or(h);
    let skips = nodes.push(Layer::Activation(Function::relu()), vec![skips])?;
    let hidden = nodes.push(Weights::of(&layer.hidden).layer(), vec![skips])?;
    let hidden = nodes.push(Layer::Activation(Function::relu()), vec![hidden])?;
    // The score of the only component says nothing.
    let mean = nodes.push(mixture.part(1, 1).layer(), vec![hidden])?;
    let log_scale = nodes.push(mixture.part(2, 1).layer(), vec![hidden])?;
    let scale = nodes.push(Layer::Activation(bounded_exponential()), vec![log_scale])?;
    let standard = nodes.push(Layer::Activation(quantile()), vec![noise])?;
    let moved = nodes.push(Layer::Mul, vec![scale, standard])?;
    nodes.push(Layer::Add { scales: [1.0; 2] }, vec![moved, mean])
}

/// tanh(F ∗ h + V_f y) ⊙ σ(G ∗ h + V_g y).
fn gated(block: &Block, h: usize, class: Option<usize>, nodes: &mut Nodes) -> Result<usize> {
    let (weights, channels) = (Weights::of(&block.gated), nodes.channels(h));
    let mut half = |first: usize, function: Function| -> Result<usize> {
        let mut sums = nodes.push(weights.part(first, channels).layer(), vec![h])?;
        if let Some((class, linear)) = class.zip(block.of_class.as_ref()) {
            let (weight, bias) = (as_floats(linear.normalized_weight()), values(&linear.bias));
            let width = weight.len() / bias.len();
            let vector = Layer::Dense {
                shape: Shape { h: 1, w: 1, c: narrow(channels)? },
                weight: weight[first * width..][..channels * width].to_vec(),
                bias: bias[first..][..channels].to_vec(),
            };
            let vector = nodes.push(vector, vec![class])?;
            sums = nodes.push(Layer::Add { scales: [1.0; 2] }, vec![sums, vector])?;
        }
        nodes.push(Layer::Activation(function), vec![sums])
    };
    let content = half(0, Function::tanh())?;
    let gate = half(channels, Function::sigmoid())?;
    nodes.push(Layer::Mul, vec![content, gate])
}

/// e^s, s within the bounds of a log-scale.
fn bounded_exponential() -> Function {
    let [least, most] = LOG_SCALES.map(|bound| bound as f32);
    Function::unary(Unary::Exp, Function::X.max(least).min(most))
}

/// ln(u / (1 − u)) of the share u that noise x stands for, (127 x + 127.5) / 255.
fn quantile() -> Function {
    let share = |slope: f32| Function::affine(slope * 127.0 / 255.0, 0.5);
    Function::unary(Unary::Log, Function::binary(Binary::Div, share(1.0), share(-1.0)))
}

/// The weights of a convolution along time.
struct Weights {
    window: Window,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Weights {
    fn of(conv: &Conv) -> Self {
        Self { window: conv.window, weight: as_floats(conv.normalized_weight()), bias: values(&conv.bias) }
    }

    /// `count` of its outputs, from `first` on.
    fn part(&self, first: usize, count: usize) -> Self {
        let width = self.weight.len() / self.bias.len();
        Self {
            window: Window { channels: count, ..self.window },
            weight: self.weight[first * width..][..count * width].to_vec(),
            bias: self.bias[first..][..count].to_vec(),
        }
    }

    fn layer(self) -> Layer {
        Layer::Conv { window: self.window, weight: self.weight, bias: self.bias }
    }
}
