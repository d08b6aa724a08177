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
    let positions = usize::from(output.shape.h) * usize::from(output.shape.w);
    let matrix = packing.matrix_bytes(Matrix::Vector, usize::from(output.shape.c), usize::from(source.shape.c));
    let weights = matrix.saturating_mul(positions as u64);
    check_bank(&op.bank, weights, positions, output.shape.c, data_len)
}

pub(crate) fn run<K: Kernel>(job: Job<'_, K>) {
    let Job { model, kernel, node, source, y, row, scratch, .. } = job;
    let inputs = usize::from(source.node.shape.c);
    let window = Window { values: source.values, lanes: &[source.row(0)], run: inputs, step: 0 };
    let (width, channels) = (usize::from(node.shape.w), usize::from(node.shape.c));
    let positions = usize::from(node.shape.h) * width;
    let matrix = model.matrix_bytes(Matrix::Vector, channels, inputs);
    for (x, pixel) in row.chunks_exact_mut(channels.max(1)).enumerate() {
        let position = usize::from(y) * width + x;
        let row = Row {
            window,
            weights: model.weights(&node.bank, position * matrix, matrix),
            channels: model.channels(&node.bank, positions, position, channels),
            pixels: pixel,
            stride: channels,
            scratch: &mut *scratch,
        };
        super::pixels(model, kernel, Matrix::Vector, row);
    }
}
