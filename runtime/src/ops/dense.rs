//! Fully connected: each output value is a weighted sum of the whole input vector.
//!
//! Rows here too: row `y` of the map is made when it is needed, from its own part of the weights `[h, w, c, n]`.

use crate::error::Fault;
use crate::graph::{Dense, Edge, Padding};
use crate::kernels::{Kernel, Row, Window};
use crate::model::{Model, check_bank};
use crate::packing::{Matrix, Packing};
use crate::stream::Ring;

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

#[inline(never)]
#[allow(clippy::too_many_arguments)]
pub(crate) fn run<K: Kernel>(
    op: &Dense,
    model: &Model<'_>,
    source: Ring<'_>,
    output: &Edge,
    y: u16,
    row: &mut [i8],
    scratch: &mut [i32],
    kernel: Option<K>,
) {
    let inputs = usize::from(source.edge().shape.c);
    let lanes = [source.row(0).get(..inputs).unwrap_or(&[])];
    let window = Window { lanes: &lanes, run: inputs, step: 0 };
    let (width, channels) = (usize::from(output.shape.w), usize::from(output.shape.c));
    let positions = usize::from(output.shape.h) * width;
    let matrix = model.matrix_bytes(Matrix::Vector, channels, inputs);
    for (x, pixel) in row.chunks_exact_mut(channels.max(1)).enumerate() {
        let position = usize::from(y) * width + x;
        let row = Row {
            window,
            weights: model.weights(&op.bank, position * matrix, matrix),
            channels: model.channels(&op.bank, positions, position, channels),
            pixels: pixel,
            stride: channels,
            scratch: &mut *scratch,
        };
        super::pixels(model, kernel, Matrix::Vector, row);
    }
}
