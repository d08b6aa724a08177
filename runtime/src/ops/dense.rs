//! Fully connected: each output value is a weighted sum of the whole input vector.
//!
//! Rows here too: row `y` of the map is made when it is needed, from its own part of the weights `[h, w, c, n]`.

use crate::error::Fault;
use crate::graph::{Dense, Edge, Padding};
use crate::kernels::{Kernel, Window};
use crate::model::{Model, check_bank};
use crate::stream::Ring;

pub(crate) fn check(op: &Dense, source: &Edge, output: &Edge, data_len: usize) -> Result<(), Fault> {
    if source.shape.h != 1 || source.shape.w != 1 {
        return Err(Fault::Shape);
    }
    if source.padding != Padding::default() {
        return Err(Fault::Padding);
    }
    let positions = usize::from(output.shape.h) * usize::from(output.shape.w);
    // 65535⁴ fits 64 bits.
    let weights = positions as u64 * u64::from(output.shape.c) * u64::from(source.shape.c);
    check_bank(&op.bank, weights, positions, output.shape.c, data_len)
}

pub(crate) fn run<K: Kernel>(
    op: &Dense,
    model: &Model<'_>,
    source: Ring<'_>,
    output: &Edge,
    y: u16,
    row: &mut [i8],
    kernel: K,
) {
    let inputs = usize::from(source.edge().shape.c);
    let lanes = [source.row(0).get(..inputs).unwrap_or(&[])];
    let window = Window { lanes: &lanes, run: inputs, step: 0 };
    let (width, channels) = (usize::from(output.shape.w), usize::from(output.shape.c));
    let positions = usize::from(output.shape.h) * width;
    for (x, pixel) in row.chunks_exact_mut(channels.max(1)).enumerate() {
        let position = usize::from(y) * width + x;
        kernel.row(
            window,
            model.weights(&op.bank, position * channels * inputs, channels * inputs),
            model.channels(&op.bank, positions, position, channels),
            pixel,
            channels,
        );
    }
}
