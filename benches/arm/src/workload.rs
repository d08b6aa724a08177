//! What is measured: prefixes of two or three networks, so that the difference of two is one layer.

use anyhow::{Context, Result};
use edgegen_export::layers::{Activation, Layer, Network, PixelRange, Window};
use edgegen_export::{Label, ModelFile, cost, export, pack, plan, repack};
use edgegen_runtime::graph::{Bank, Graph, Op, Padding};
use edgegen_runtime::model::ALIGNMENT;
use edgegen_runtime::{Model, Packing, Prior, Shape};
use edgegen_tests::{Values, rgb64};

/// A layer of the table, or a whole generator.
#[derive(Clone, Debug)]
pub struct Workload {
    /// As the table calls it.
    pub name: &'static str,
    /// Which network.
    network: fn() -> Network,
    /// Operators that run.
    last: usize,
    /// Operators whose count is subtracted, because they only feed the layer; 0 for none.
    feeding: usize,
}

/// The rows of the table.
pub const ALL: [Workload; 8] = [
    Workload { name: "tconv 4×4×128 → 8×8×64", network: rgb64, last: 2, feeding: 1 },
    Workload { name: "tconv 8×8×64 → 16×16×32", network: rgb64, last: 3, feeding: 2 },
    Workload { name: "tconv 16×16×32 → 32×32×16", network: rgb64, last: 4, feeding: 3 },
    Workload { name: "tconv 32×32×16 → 64×64×3", network: rgb64, last: 5, feeding: 4 },
    Workload { name: "conv 3×3 16×16×32 → 32", network: conv_32, last: 3, feeding: 2 },
    Workload { name: "conv 3×3 32×32×16 → 16", network: conv_16, last: 3, feeding: 2 },
    Workload { name: "dense 64 → 2048", network: rgb64, last: 1, feeding: 0 },
    Workload { name: "whole 64×64 RGB generator", network: rgb64, last: 5, feeding: 0 },
];

impl Workload {
    /// The model, and the one that only feeds it.
    pub fn models(&self, packing: Packing) -> Result<(ModelFile, Option<ModelFile>)> {
        let file = export(&(self.network)(), 4, Label { name: "bench", metadata: &[] })?.file;
        let feeding = (self.feeding > 0).then(|| prefix(&file, self.feeding, packing)).transpose()?;
        Ok((prefix(&file, self.last, packing)?, feeding))
    }

    /// Useful products of an image: of the layer alone, or of the whole.
    pub fn macs(&self) -> Result<u64> {
        let file = export(&(self.network)(), 1, Label { name: "bench", metadata: &[] })?.file;
        let cost = cost::cost(&Model::parse(file.bytes())?);
        Ok(cost.ops[self.feeding..self.last].iter().map(|op| op.macs).sum())
    }
}

/// The first operators of a portable model, packed, with all weights in one place.
fn prefix(file: &ModelFile, operators: usize, packing: Packing) -> Result<ModelFile> {
    let model = Model::parse(file.bytes())?;
    let mut graph = model.graph().clone();
    graph.ops.truncate(operators);
    graph.edges.truncate(operators + 1);
    graph.edges.last_mut().context("an edge")?.padding = Padding::default();
    plan::set_rings(&mut graph);
    let file = ModelFile::new(&pack::assemble(&graph, Packing::Portable, model.data()));
    alias(&repack(&file, packing)?)
}

/// All operators with the same weights: those of the largest. Instructions do not depend on the values, and so the generator
/// fits the flash of a board that is too small for it.
pub fn alias(file: &ModelFile) -> Result<ModelFile> {
    let model = Model::parse_any(file.bytes())?;
    let mut graph: Graph<'_> = model.graph().clone();
    let cost = cost::cost(&model);
    let largest = cost.ops.iter().map(|op| op.weight_bytes).max().unwrap_or(0) as usize;
    let mut data = vec![0; largest.next_multiple_of(ALIGNMENT)];
    let mut values = Values(1);
    data.iter_mut().for_each(|byte| *byte = (values.value() * 100.0) as i8 as u8);
    for (op, cost) in graph.ops.iter_mut().zip(&cost.ops) {
        let bank: &mut Bank = match op {
            Op::Dense(dense) => &mut dense.bank,
            Op::PhaseConv(conv) => &mut conv.bank,
        };
        let tables = if bank.table.is_some() { 256 } else { 0 };
        let mut keep = |offset: u32, len: usize| {
            let at = data.len() as u32;
            data.extend(&model.data()[offset as usize..][..len]);
            data.resize(data.len().next_multiple_of(ALIGNMENT), 0);
            at
        };
        bank.weights = 0;
        bank.channels = keep(bank.channels, cost.channel_bytes as usize - tables);
        bank.table = bank.table.map(|table| keep(table, 256));
    }
    let aliased = ModelFile::new(&pack::assemble(&graph, model.packing(), &data));
    Model::parse_any(aliased.bytes())?;
    Ok(aliased)
}

/// What feeds a 3×3 convolution with as many channels in as out: a fully connected layer to half the side, and a doubling, so
/// that the weights fit the board.
fn feed_and_convolve(side: u16, channels: u16) -> Network {
    let mut values = Values(u64::from(side));
    let (latent, shape) = (8, Shape { h: side / 2, w: side / 2, c: channels });
    let c = usize::from(channels);
    let window = Window { channels: c, kernel: [3, 3], stride: [1, 1], padding: [1, 1], dilation: [1, 1] };
    let doubling = Window { kernel: [2, 2], stride: [2, 2], padding: [0, 0], ..window };
    let relu = Layer::Activation(Activation::Relu);
    let layers = vec![
        Layer::Dense { shape, weight: values.take(shape.len() * latent), bias: vec![0.0; shape.len()] },
        relu.clone(),
        Layer::ConvTranspose {
            window: doubling,
            output_padding: [0, 0],
            weight: values.take(4 * c * c),
            bias: values.take(c),
        },
        relu.clone(),
        Layer::Conv { window, weight: values.take(9 * c * c), bias: values.take(c) },
        relu.clone(),
        // Never run; without it the convolution would be the last layer, which makes pixels.
        Layer::Conv { window, weight: values.take(9 * c * c), bias: values.take(c) },
    ];
    Network { prior: Prior::Gaussian, latent_dims: latent, layers, pixels: PixelRange::Unit }
}

fn conv_32() -> Network {
    feed_and_convolve(16, 32)
}

fn conv_16() -> Network {
    feed_and_convolve(32, 16)
}
