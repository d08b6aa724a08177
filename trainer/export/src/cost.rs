//! What a model costs: products, bytes and rows of each node, counted from its graph.

use edgegen_runtime::graph::{Axis, Copy, Input, Join, Kind, Node, Product, Reduce, Rounding, Source};
use edgegen_runtime::ops::{copy, product};
use edgegen_runtime::{Model, format::HEADER_LEN};
use serde::Serialize;

use crate::repack::{code_bytes, work};

/// The costs of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpCost {
    /// What it is: `latent`, `dense`, `conv` with its phases and taps, `add`, `multiply`, `copy`, `mean`, …
    pub op: String,
    /// Shape of the output as text, `h×w×c`.
    pub output: String,
    /// Multiplications for one image, padding included and inserted zeros not.
    pub macs: u64,
    /// Bytes of weights, or of a constant's values, in flash.
    pub weight_bytes: u64,
    /// Bytes of biases, multipliers and tables in flash.
    pub channel_bytes: u64,
    /// Rows of the ring that holds the output.
    pub ring_rows: u16,
    /// Bytes of that ring in RAM.
    pub ring_bytes: usize,
}

/// The costs of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// All nodes in order, inputs among them.
    pub ops: Vec<OpCost>,
    /// Multiplications for one image.
    pub macs: u64,
    /// Weights and constants.
    pub weight_bytes: u64,
    /// The file, which is what flash must hold.
    pub file_bytes: u64,
    /// RAM for all rings and what the kernel works in.
    pub arena_bytes: usize,
    /// RAM that a runtime without rings would take: the largest output of a node with what it reads, whole.
    pub whole_maps_bytes: usize,
}

/// Counts.
pub fn cost(model: &Model<'_>) -> Cost {
    let nodes = model.nodes();
    let ops: Vec<OpCost> = nodes.iter().map(|node| node_cost(model, node)).collect();
    let whole = nodes.iter().map(|node| {
        let sources = node.reads().iter().map(|read| nodes[usize::from(read.source)].shape.len());
        sources.sum::<usize>() + node.shape.len()
    });
    let about = postcard::to_stdvec(&model.about()).map_or(0, |about| about.len().next_multiple_of(16));
    Cost {
        macs: ops.iter().map(|op| op.macs).sum(),
        weight_bytes: ops.iter().map(|op| op.weight_bytes).sum(),
        file_bytes: (HEADER_LEN + size_of_val(nodes) + about + model.data().len()) as u64,
        arena_bytes: model.arena_bytes(),
        whole_maps_bytes: whole.max().unwrap_or(0),
        ops,
    }
}

fn node_cost(model: &Model<'_>, node: &Node) -> OpCost {
    let nodes = model.nodes();
    let values = node.shape.len() as u64;
    let sources = node.reads().iter().map(|read| &nodes[usize::from(read.source)]);
    let (mut macs, mut weight_bytes, mut channels) = (0, 0, u64::from(node.shape.c));
    let mut table_bytes = node.rounding.table().map_or(0, |_| copy::table_bytes(node, node) as u64);
    if let (Some(product), Some((work, source))) = (node.parameters::<Product>(), work(nodes, node)) {
        let depths = (0..work.blocks).map(|block| product::depth(node, source, block));
        weight_bytes = depths.map(|depth| model.packing().matrix_bytes(work.matrix, work.channels, depth)).sum();
        let inputs = source.shape.len() as u64;
        macs = if product.columns.phases.is_empty() {
            inputs * values
        } else {
            let pairs = u64::from(source.shape.c) / u64::from(product.groups) * u64::from(node.shape.c);
            taps(&node.reads()[0].rows, node.shape.h) * taps(&product.columns, node.shape.w) * pairs
        };
        channels = work.channels as u64 * if node.rounding.shared != 0 { 1 } else { work.blocks as u64 };
    } else if node.parameters::<Join>().is_some() {
        macs = values;
    } else if let Some(reduce) = node.parameters::<Reduce>() {
        macs = if reduce.square == 1 { sources.map(|source| source.shape.len() as u64).sum() } else { 0 };
    } else if let Some(copied) = node.parameters::<Copy>() {
        for (place, source) in sources.enumerate().filter(|(place, _)| copied.tables[*place] != Rounding::NO_TABLE) {
            let tables = if place == 0 && copied.channel_tables == 1 { u64::from(source.shape.c) } else { 1 };
            table_bytes += tables * copy::table_bytes(source, node) as u64;
        }
    } else if let Some(input) = node.parameters::<Input>() {
        weight_bytes = match input.source() {
            Some(Source::Constant) => values * code_bytes(node) as u64,
            Some(Source::Fed) => model.pictures().map_or(0, |pictures| pictures.bytes().len() as u64),
            _ => 0,
        };
    }
    let sums = matches!(node.kind(), Some(Kind::Product | Kind::Join | Kind::Reduce));
    OpCost {
        op: describe(node),
        output: node.shape.to_string(),
        macs,
        weight_bytes,
        channel_bytes: if sums { 8 * channels } else { 0 } + table_bytes,
        ring_rows: node.ring_rows,
        ring_bytes: node.ring_bytes(),
    }
}

/// Taps of all positions of one axis.
fn taps(axis: &Axis, size: u16) -> u64 {
    (0..size).map(|position| u64::from(axis.phases[axis.split(position).0].taps)).sum()
}

/// What a node is, in a few words.
pub fn describe(node: &Node) -> String {
    if node.is_wide() { kind(node) + ", int16" } else { kind(node) }
}

fn kind(node: &Node) -> String {
    if let Some(input) = node.parameters::<Input>() {
        return match input.source() {
            Some(Source::Latent) => "latent",
            Some(Source::Class) => "class",
            Some(Source::Fed) => "image",
            Some(Source::Constant) => "constant",
            Some(Source::Noise) => "noise",
            Some(Source::Style) => "style",
            Some(Source::Mix) => "mix",
            Some(Source::Previous) => "previous rows",
            None => "input",
        }
        .into();
    }
    if let Some(product) = node.parameters::<Product>() {
        if product.columns.phases.is_empty() {
            return "dense".into();
        }
        let axis = |axis: &Axis| {
            let taps: Vec<String> = axis.phases.iter().map(|phase| phase.taps.to_string()).collect();
            let step = if axis.step == 1 { String::new() } else { format!("/{}", axis.step) };
            taps.join("+") + &step
        };
        let groups = if product.groups == 1 { String::new() } else { format!(" in {} groups", product.groups) };
        return format!("conv {}×{}{groups}", axis(&node.reads()[0].rows), axis(&product.columns));
    }
    if let Some(join) = node.parameters::<Join>() {
        return if join.multiply == 1 { "multiply" } else { "add" }.into();
    }
    if let Some(reduce) = node.parameters::<Reduce>() {
        let what = if reduce.square == 1 { "mean of squares" } else { "mean" };
        return format!("{what} of {}", if reduce.map == 1 { "the map" } else { "a pixel" });
    }
    "copy".into()
}
