//! Samples of a sound in turn as plain layers: the sound so far is an input of the graph, and what a block looks back
//! at lies in the ring of the row that it reads.
//!
//! ```text
//! x₋₁, t ─ first ─ h ┬ F ─ + V_f y ─ tanh ┬ × ─ R ─ + h ─►
//!                    └ G ─ + V_g y ─ σ ───┘ └── S ─ + skip ─►
//! skip ─ max(0, x) ─ hidden ─ max(0, x) ┬ m ─────────────────── + ─► x
//!                                       └ e^s ─ × ln(u/(1 − u)) ┘
//! ```
//!
//! The level up to which a share u of a logistic's probability lies is that of m + e^s ln(u / (1 − u)), rounded. Of
//! two, the second one's m and s have what the first one's differ by added where the first is chosen: where its chance
//! is above the share v of the second number of noise.

use anyhow::{Result, ensure};
use edgegen_export::function::{Binary, Function, Unary};
use edgegen_export::layers::{Input, Layer, PixelRange, Window};
use edgegen_runtime::graph::Shape;

use super::nodes::Nodes;
use super::{as_floats, narrow, values};
use crate::nets::layer::{Block, Conv, LOG_SCALES, SHARE, Wavenet, how_far};

/// Adds what draws as `layer` from the classes and the noise of two nodes, and gives the last node's number.
///
/// # Errors
///
/// If the layer has a mixture of more than two logistics.
pub(super) fn lower(layer: &Wavenet, reads: Vec<usize>, nodes: &mut Nodes) -> Result<usize> {
    let [class, noise] = reads[..] else { unreachable!("a WaveNet reads classes and noise") };
    let mixture = Weights::of(&layer.mixture);
    let components = mixture.bias.len() / 3;
    ensure!(
        components <= 2,
        "expected a WaveNet of at most two logistics for a device, found {components}: train it with components = 2, or sample and measure it in float"
    );
    let shape = Shape { c: 1, ..nodes.shapes[noise] };
    let previous = Input::Previous { shape, pixels: PixelRange::Symmetric };
    let previous = nodes.push(Layer::Input(previous), vec![])?;
    let far = Input::Constant { shape, values: how_far(shape.h.into()) };
    let far = nodes.push(Layer::Input(far), vec![])?;
    let seen = nodes.push(Layer::Concat, vec![previous, far])?;
    let mut h = nodes.push(Weights::of(&layer.first).layer(), vec![seen])?;
    if layer.classes == 0 {
        // A device's model reads all its inputs, this one the value that does not count, too.
        let c = narrow(nodes.channels(h))?;
        let (weight, bias) = (vec![0.0; c.into()], vec![0.0; c.into()]);
        let nothing = nodes.push(Layer::Dense { shape: Shape { h: 1, w: 1, c }, weight, bias }, vec![class])?;
        h = nodes.push(Layer::Add { scales: [1.0; 2] }, vec![h, nothing])?;
    }
    let hidden = behind_first(layer, h, Some(class).filter(|_| layer.classes > 0), nodes)?;
    let one = |channel: usize| Layer::Slice { starts: [channel, 0, 0], sizes: [1, shape.h.into(), 1] };
    let (within, among) = (nodes.push(one(0), vec![noise])?, nodes.push(one(1), vec![noise])?);
    let is_first = match components {
        2 => Some(is_first(&mixture, hidden, among, nodes)?),
        _ => None,
    };
    // Of the means, and of the log-scales behind them, that of the component that is chosen.
    let mut chosen = |first: usize| -> Result<usize> {
        let last = nodes.push(mixture.part(first + components - 1, 1).layer(), vec![hidden])?;
        let Some(is_first) = is_first else { return Ok(last) };
        let apart = nodes.push(mixture.apart(first, first + 1).layer(), vec![hidden])?;
        let apart = nodes.push(Layer::Mul, vec![apart, is_first])?;
        nodes.push(Layer::Add { scales: [1.0; 2] }, vec![last, apart])
    };
    let (mean, log_scale) = (chosen(components)?, chosen(2 * components)?);
    let scale = nodes.push(Layer::Activation(bounded_exponential()), vec![log_scale])?;
    let standard = nodes.push(Layer::Activation(quantile()), vec![within])?;
    let moved = nodes.push(Layer::Mul, vec![scale, standard])?;
    nodes.push(Layer::Add { scales: [1.0; 2] }, vec![moved, mean])
}

/// The blocks of `layer` and what comes behind them, up to what its last layer reads.
pub(super) fn behind_first(layer: &Wavenet, mut h: usize, class: Option<usize>, nodes: &mut Nodes) -> Result<usize> {
    let mut skips = None;
    for (place, block) in layer.blocks.iter().enumerate() {
        let gated = gated(block, h, class, nodes)?;
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
    nodes.push(Layer::Activation(Function::relu()), vec![hidden])
}

/// 1 where the chance of the first of two components is above the share of noise `among`, else 0.
fn is_first(mixture: &Weights, hidden: usize, among: usize, nodes: &mut Nodes) -> Result<usize> {
    let odds = nodes.push(mixture.apart(0, 1).layer(), vec![hidden])?;
    let chance = nodes.push(Layer::Activation(Function::sigmoid()), vec![odds])?;
    let above = nodes.push(Layer::Add { scales: [1.0, -SHARE[0]] }, vec![chance, among])?;
    let step = Function::binary(Binary::Greater, Function::X, Function::Constant(SHARE[1]));
    nodes.push(Layer::Activation(step), vec![above])
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
pub(super) fn bounded_exponential() -> Function {
    let [least, most] = LOG_SCALES.map(|bound| bound as f32);
    Function::unary(Unary::Exp, Function::X.max(least).min(most))
}

/// ln(u / (1 − u)) of the share u that noise x stands for, see [`SHARE`].
pub(super) fn quantile() -> Function {
    let share = |sign: f32| Function::affine(sign * SHARE[0], SHARE[1]);
    Function::unary(Unary::Log, Function::binary(Binary::Div, share(1.0), share(-1.0)))
}

/// The weights of a convolution along time.
pub(super) struct Weights {
    window: Window,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Weights {
    pub(super) fn of(conv: &Conv) -> Self {
        Self { window: conv.window, weight: as_floats(conv.normalized_weight()), bias: values(&conv.bias) }
    }

    /// `count` of its outputs, from `first` on.
    pub(super) fn part(&self, first: usize, count: usize) -> Self {
        let width = self.weight.len() / self.bias.len();
        Self {
            window: Window { channels: count, ..self.window },
            weight: self.weight[first * width..][..count * width].to_vec(),
            bias: self.bias[first..][..count].to_vec(),
        }
    }

    /// What output `one` has more than output `other`.
    fn apart(&self, one: usize, other: usize) -> Self {
        let [mut one, other] = [one, other].map(|output| self.part(output, 1));
        one.weight.iter_mut().zip(other.weight).for_each(|(weight, other)| *weight -= other);
        one.bias[0] -= other.bias[0];
        one
    }

    /// The same a row late: one row of nothing before, and one more in all.
    pub(super) fn late(self) -> Self {
        Self { window: Window { padding: [[1, 0], [0, 0]], ..self.window }, ..self }
    }

    pub(super) fn layer(self) -> Layer {
        Layer::Conv { window: self.window, weight: self.weight, bias: self.bias }
    }
}
