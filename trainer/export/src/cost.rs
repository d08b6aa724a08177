//! What a model costs: products, bytes and rows of each operator, counted from its graph.

use edgegen_runtime::graph::{Axis, Dense, Op, Shape};
use edgegen_runtime::packing::Matrix;
use edgegen_runtime::{Model, model::HEADER_LEN};
use serde::Serialize;

/// The costs of one operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpCost {
    /// `dense` or `phase_conv` with its phases and taps.
    pub op: String,
    /// Shape of the output as text, `h×w×c`.
    pub output: String,
    /// Multiplications for one image, padding included and inserted zeros not.
    pub macs: u64,
    /// Bytes of weights in flash.
    pub weight_bytes: u64,
    /// Bytes of biases, multipliers and table in flash.
    pub channel_bytes: u64,
    /// Rows of the ring that holds the output.
    pub ring_rows: u16,
    /// Bytes of that ring in RAM.
    pub ring_bytes: usize,
}

/// The costs of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Operators in order.
    pub ops: Vec<OpCost>,
    /// Multiplications for one image.
    pub macs: u64,
    /// Weights.
    pub weight_bytes: u64,
    /// The file, which is what flash must hold.
    pub file_bytes: u64,
    /// RAM for all rings and what the kernel works in.
    pub arena_bytes: usize,
    /// RAM that a runtime without rings would take: the largest input and output of an operator, whole.
    pub whole_maps_bytes: usize,
}

/// Counts.
pub fn cost(model: &Model<'_>) -> Cost {
    let graph = model.graph();
    let ops: Vec<OpCost> = graph
        .ops
        .iter()
        .zip(&graph.edges[1..])
        .map(|(op, edge)| {
            let source = graph.edges[op.source()].shape;
            let matrix_bytes = |matrix, channels, depth| model.packing().matrix_bytes(matrix, channels, depth);
            let (name, macs, weights, [blocks, channels], bank) = match op {
                Op::Dense(dense) => {
                    let products = (source.len() * edge.shape.len()) as u64;
                    let (blocks, channels) = Dense::blocks(edge.shape, dense.bank.shared);
                    let weights = blocks as u64 * matrix_bytes(Matrix::Vector, channels, source.len());
                    ("dense".to_owned(), products, weights, [blocks, channels], &dense.bank)
                }
                Op::PhaseConv(conv) => {
                    let blocks = conv.vertical.phases.len() * conv.horizontal.phases.len();
                    let (inputs, channels) = (usize::from(source.c), usize::from(edge.shape.c));
                    let pairs = (inputs * channels) as u64;
                    let pairs_of_phases = conv.vertical.phases.iter().flat_map(|vertical| {
                        conv.horizontal
                            .phases
                            .iter()
                            .map(|horizontal| vertical.taps as usize * horizontal.taps as usize)
                    });
                    let weights =
                        pairs_of_phases.map(|taps| matrix_bytes(Matrix::Windows, channels, taps * inputs)).sum();
                    let Shape { h, w, .. } = edge.shape;
                    let macs = taps(&conv.vertical, h) * taps(&conv.horizontal, w) * pairs;
                    (describe(&conv.vertical, &conv.horizontal), macs, weights, [blocks, channels], &conv.bank)
                }
            };
            let sets = if bank.shared { 1 } else { blocks };
            OpCost {
                op: name,
                output: edge.shape.to_string(),
                macs,
                weight_bytes: weights,
                channel_bytes: (8 * sets * channels) as u64 + if bank.table.is_some() { 256 } else { 0 },
                ring_rows: edge.ring_rows,
                ring_bytes: edge.ring_bytes(),
            }
        })
        .collect();
    let whole = graph.ops.iter().zip(&graph.edges[1..]);
    let whole = whole.map(|(op, edge)| graph.edges[op.source()].shape.len() + edge.shape.len());
    Cost {
        macs: ops.iter().map(|op| op.macs).sum(),
        weight_bytes: ops.iter().map(|op| op.weight_bytes).sum(),
        file_bytes: (HEADER_LEN + graph_bytes(model) + model.data().len()) as u64,
        arena_bytes: model.arena_bytes(),
        whole_maps_bytes: whole.max().unwrap_or(0),
        ops,
    }
}

/// The encoded graph with its padding.
fn graph_bytes(model: &Model<'_>) -> usize {
    postcard::to_stdvec(&model.graph()).map_or(0, |graph| graph.len().next_multiple_of(16))
}

/// Taps of all positions of one axis.
fn taps(axis: &Axis, size: u16) -> u64 {
    (0..size).map(|position| u64::from(axis.phases[axis.split(position).0].taps)).sum()
}

fn describe(vertical: &Axis, horizontal: &Axis) -> String {
    let axis = |axis: &Axis| {
        let taps: Vec<String> = axis.phases.iter().map(|phase| phase.taps.to_string()).collect();
        let step = if axis.step == 1 { String::new() } else { format!("/{}", axis.step) };
        taps.join("+") + &step
    };
    format!("phase_conv {}×{}", axis(vertical), axis(horizontal))
}
