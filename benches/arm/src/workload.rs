//! What is measured: the layers of the table, each as the difference of two models, and a whole generator.

use anyhow::{Context, Result};
use edgegen_export::function::Function;
use edgegen_export::layers::{Input, LatentInput, Layer, Network, PixelRange, Window};
use edgegen_export::{Label, ModelFile, cost, export, image, pack, plan, repack, with_pictures};
use edgegen_runtime::format::ALIGNMENT;
use edgegen_runtime::graph::{Copy, Kind, Padding, Product, Rounding};
use edgegen_runtime::{Model, Packing, Prior, Shape};
use edgegen_tests::{Values, rgb64};

use crate::board::{Bench, Counts};

/// Latent values of networks whose first layer only feeds the others, so that all weights fit the emulated flash.
const FEW: usize = 8;

/// A layer of the table.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// As the table calls it.
    pub name: &'static str,
    network: fn() -> Network,
    /// Node of the network; node 0 is the latent vector.
    pub op: usize,
}

/// The rows of the table but for the last, [`WHOLE`].
pub const LAYERS: [Workload; 7] = [
    Workload { name: "tconv 4×4×128 → 8×8×64", network: tconvs, op: 2 },
    Workload { name: "tconv 8×8×64 → 16×16×32", network: tconvs, op: 3 },
    Workload { name: "tconv 16×16×32 → 32×32×16", network: tconvs, op: 4 },
    Workload { name: "tconv 32×32×16 → 64×64×3", network: tconvs, op: 5 },
    Workload { name: "conv 3×3 16×16×32 → 32", network: || feed_and_convolve(16, 32), op: 3 },
    Workload { name: "conv 3×3 32×32×16 → 16", network: || feed_and_convolve(32, 16), op: 3 },
    Workload { name: "dense 64 → 2048", network: rgb64, op: 1 },
];

/// The whole 64×64 RGB generator.
pub const WHOLE: Workload = Workload { name: "whole 64×64 RGB generator", network: rgb64, op: 5 };

/// What a layer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Useful products.
    pub macs: u64,
    /// Instructions.
    pub instructions: u64,
}

impl Workload {
    /// Instructions of the layer: rows of the network up to it, less rows of the network up to the one before.
    ///
    /// # Errors
    ///
    /// Those of [`Bench::count`]; the images are compared with those made here.
    pub fn layer(&self, bench: &Bench, packing: Packing) -> Result<Taken> {
        let file = self.model()?;
        let rows = |ops| Ok::<_, anyhow::Error>(count(bench, &prefix(&file, ops)?, packing)?.0.rows());
        let before = if self.op == 1 { 0 } else { rows(self.op)? };
        let macs = cost::cost(&Model::parse(file.bytes())?).ops[self.op].macs;
        Ok(Taken { macs, instructions: rows(self.op + 1)?.saturating_sub(before) })
    }

    /// Useful products and counts of the whole network, and whether its weights had to be laid over each other.
    ///
    /// # Errors
    ///
    /// As [`Workload::layer`].
    pub fn whole(&self, bench: &Bench, packing: Packing) -> Result<(u64, Counts, bool)> {
        let file = self.model()?;
        let (counts, aliased) = count(bench, &file, packing)?;
        Ok((cost::cost(&Model::parse(file.bytes())?).macs, counts, aliased))
    }

    /// The whole network as a portable model.
    ///
    /// # Errors
    ///
    /// None that these networks cause.
    pub fn model(&self) -> Result<ModelFile> {
        Ok(export(&(self.network)(), 4, Label { name: "bench", metadata: &[] })?.file)
    }
}

/// Instructions of the first image of a shipped model.
///
/// # Errors
///
/// As [`Workload::layer`].
pub fn shipped(bench: &Bench, packing: Packing, name: &str) -> Result<u64> {
    let mut file = edgegen_tests::shipped(name);
    if Model::parse(file.bytes())?.fed().is_some() {
        // The pictures that it brings along would take the flash of its weights; instructions do not depend on them.
        file = with_pictures(&file, &[])?;
    }
    let (counts, _) = count(bench, &file, packing)?;
    counts.images.first().copied().context("no image")
}

/// Instructions of the same rows with weights of their own and with weights laid over each other.
///
/// # Errors
///
/// As [`Workload::layer`].
pub fn own_and_aliased(bench: &Bench, packing: Packing) -> Result<[u64; 2]> {
    let packed = repack(&prefix(&LAYERS[5].model()?, LAYERS[5].op + 1)?, packing)?;
    Ok([bench.count(&packed, None)?.rows(), bench.count(&relocate(&packed, true)?, None)?.rows()])
}

/// Runs a portable model, packed. One that does not fit gets its weights laid over each other, and its images mean nothing.
fn count(bench: &Bench, file: &ModelFile, packing: Packing) -> Result<(Counts, bool)> {
    let packed = repack(file, packing)?;
    if bench.fits(&packed) {
        let image = image(&Model::parse(file.bytes())?, 1);
        Ok((bench.count(&packed, Some(&image))?, false))
    } else {
        Ok((bench.count(&relocate(&packed, true)?, None)?, true))
    }
}

/// The first nodes of a portable chain: the same layers, the last of them now making the image.
fn prefix(file: &ModelFile, count: usize) -> Result<ModelFile> {
    let model = Model::parse(file.bytes())?;
    let mut nodes = model.nodes()[..count].to_vec();
    nodes.last_mut().context("no node")?.padding = Padding::default();
    plan::plan(&mut nodes)?;
    relocate(&ModelFile::new(&pack::assemble(&nodes, &model.about(), model.packing(), model.data())), false)
}

/// The same model with no data but that of its nodes; `aliased`: all weights start where those of the largest start.
fn relocate(file: &ModelFile, aliased: bool) -> Result<ModelFile> {
    let model = Model::parse_any(file.bytes())?;
    let mut nodes = model.nodes().to_vec();
    let cost = cost::cost(&model);
    let mut data = Vec::new();
    let mut append = |offset: u32, len: u64| {
        let at = data.len() as u32;
        data.extend(&model.data()[offset as usize..][..len as usize]);
        data.resize(data.len().next_multiple_of(ALIGNMENT), 0);
        at
    };
    let products = nodes.iter().zip(&cost.ops).filter_map(|(node, cost)| Some((*node.parameters::<Product>()?, cost)));
    let (largest, size) = products.max_by_key(|(_, cost)| cost.weight_bytes).context("no product")?;
    let shared = aliased.then(|| append(largest.weights, size.weight_bytes));
    for (node, cost) in nodes.iter_mut().zip(&cost.ops) {
        if let Some(mut product) = node.parameters::<Product>().copied() {
            product.weights = shared.unwrap_or_else(|| append(product.weights, cost.weight_bytes));
            node.set_parameters(&product);
        }
        if let Some(mut copy) = node.parameters::<Copy>().copied() {
            let is_there = |table: &u32| *table != Rounding::NO_TABLE;
            // One as long as the other.
            let each = cost.channel_bytes / copy.tables.iter().filter(|table| is_there(table)).count().max(1) as u64;
            for table in copy.tables.iter_mut().filter(|table| is_there(table)) {
                *table = append(*table, each);
            }
            node.set_parameters(&copy);
        }
        if !matches!(node.kind(), Some(Kind::Product | Kind::Join | Kind::Reduce)) {
            continue;
        }
        let rounding = &mut node.rounding;
        let table = if rounding.table().is_some() { 256 } else { 0 };
        rounding.channels = append(rounding.channels, cost.channel_bytes - table);
        rounding.table = rounding.table().map_or(Rounding::NO_TABLE, |offset| append(offset, table));
    }
    let moved = ModelFile::new(&pack::assemble(&nodes, &model.about(), model.packing(), &data));
    Model::parse_any(moved.bytes())?;
    Ok(moved)
}

/// The 64×64 RGB generator with few latent values.
fn tconvs() -> Network {
    let mut network = rgb64();
    network.nodes[0].layer = Layer::Input(Input::Latent(LatentInput::new(Prior::Gaussian, FEW)));
    if let Layer::Dense { shape, weight, bias } = &mut network.nodes[1].layer {
        weight.truncate(shape.len() * FEW);
        // Without them all positions share their channels, which saves 16 KB.
        bias.fill(0.0);
    }
    network
}

/// What feeds a 3×3 convolution with as many channels in as out, and it: a fully connected layer to half the side and a
/// doubling, so that the weights fit in every packing.
fn feed_and_convolve(side: u16, channels: u16) -> Network {
    let mut values = Values(u64::from(side));
    let (shape, c) = (Shape { h: side / 2, w: side / 2, c: channels }, usize::from(channels));
    let plain =
        Window { channels: c, kernel: [3; 2], stride: [1; 2], padding: [[1; 2]; 2], dilation: [1; 2], groups: 1 };
    let doubling = Window { kernel: [2; 2], stride: [2; 2], padding: [[0; 2]; 2], ..plain };
    let mut weights = |taps| (values.take(taps * c * c), values.take(c));
    let (weight, bias) = weights(4);
    let doubling = Layer::ConvTranspose { window: doubling, output_padding: [0, 0], weight, bias };
    let mut conv = || {
        let (weight, bias) = weights(9);
        Layer::Conv { window: plain, weight, bias }
    };
    // The last is never run; without it the first would be the last layer, which makes pixels.
    let (measured, last) = (conv(), conv());
    let dense = Layer::Dense { shape, weight: values.take(shape.len() * FEW), bias: vec![0.0; shape.len()] };
    let relu = || Layer::Activation(Function::relu());
    let layers = vec![dense, relu(), doubling, relu(), measured, relu(), last];
    Network::chain(LatentInput::new(Prior::Gaussian, FEW), layers, PixelRange::Unit)
}
