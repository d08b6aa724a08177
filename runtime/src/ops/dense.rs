//! Fully connected: each output value is a weighted sum of the whole input vector.
//!
//! Rows here too: row `y` of the map is made when it is needed, from its own part of the weights `[h, w, c, n]`.

use super::Job;
use crate::error::Fault;
use crate::graph::{Dense, Edge, Padding};
use crate::kernels::{Kernel, Row, Window};
use crate::packing::{Matrix, Packing};
use crate::rules::check_bank;

#[inline(never)]
pub(crate) fn check(op: &Dense, source: &Edge, output: &Edge, packing: Packing, data_len: usize) -> Result<(), Fault> {
    if source.shape.h != 1 || source.shape.w != 1 {
        return Err(Fault::Shape);
    }
    if source.padding != Padding::default() {
        return Err(Fault::Padding);
    }
    let (blocks, channels) = Dense::blocks(output.shape, op.bank.shared);
    let matrix = packing.matrix_bytes(Matrix::Vector, channels, usize::from(source.shape.c));
    let weights = matrix.saturating_mul(blocks as u64);
    check_bank(&op.bank, weights, blocks, channels, data_len)
}

pub(crate) fn run<K: Kernel>(job: Job<'_, K>) {
    let Job { model, kernel, node, source, y, row, scratch, .. } = job;
    let inputs = usize::from(source.node.shape.c);
    let window = Window { values: source.values, lanes: &[source.row(0)], run: inputs, step: 0 };
    let (blocks, channels) = Dense::blocks(node.shape, node.bank.shared != 0);
    let matrix = model.matrix_bytes(Matrix::Vector, channels, inputs);
    let first = usize::from(y) * (row.len() / channels.max(1));
    for (block, part) in (first..).zip(row.chunks_exact_mut(channels.max(1))) {
        let row = Row {
            window,
            weights: model.weights(&node.bank, block * matrix, matrix),
            channels: model.channels(&node.bank, blocks, block, channels),
            pixels: part,
            stride: channels,
            scratch: &mut *scratch,
        };
        super::pixels(model, kernel, Matrix::Vector, row);
    }
}
