//! Convolution in phases, which is every convolution that a generator has.
//!
//! A transposed convolution with kernel k and stride s is s² ordinary convolutions of ⌈k/s⌉² taps or fewer whose outputs
//! interleave. For k = 4, s = 2, padding 1, along one axis with filter `f`:
//!
//! ```text
//! output[2m]     = input[m − 1]·f[3] + input[m]·f[1]         phase 0: start −1, 2 taps
//! output[2m + 1] = input[m]·f[2] + input[m + 1]·f[0]         phase 1: start  0, 2 taps
//! ```
//!
//! No product with an inserted zero is ever formed. Nearest upsampling before a 3×3 convolution is the same with taps that
//! meet the same input pixel added up (two phases of two taps), and so is pixel shuffle after a convolution (phases that
//! differ in their weights only). All of that is settled at export; here there are only phases.
//!
//! Rows lie as `W·C` with C innermost, so the taps of one kernel row are one contiguous run: no im2col, no copy.

use super::Job;
use crate::error::Fault;
use crate::graph::{Axis, Edge, MAX_LANES, Phase, PhaseConv};
use crate::kernels::{Kernel, Row, Window};
use crate::packing::{Matrix, Packing};
use crate::rules::check_bank;

#[inline(never)]
pub(crate) fn check(
    op: &PhaseConv,
    source: &Edge,
    output: &Edge,
    packing: Packing,
    data_len: usize,
) -> Result<(), Fault> {
    let (input, out) = (source.shape, output.shape);
    check_axis(&op.vertical, input.h, out.h, source.padding.top, source.padding.bottom)?;
    check_axis(&op.horizontal, input.w, out.w, source.padding.left, source.padding.right)?;
    let (_, columns) = runs(&op.horizontal, op.horizontal.most_taps());
    if op.vertical.most_taps() * columns > MAX_LANES {
        return Err(Fault::Window);
    }
    let (inputs, channels) = (usize::from(input.c), usize::from(out.c));
    let matrices = op.vertical.phases.iter().flat_map(|vertical| {
        op.horizontal.phases.iter().map(|horizontal| usize::from(vertical.taps) * usize::from(horizontal.taps))
    });
    let weights = matrices.map(|taps| packing.matrix_bytes(Matrix::Windows, channels, taps * inputs)).sum();
    let blocks = op.vertical.phases.len() * op.horizontal.phases.len();
    check_bank(&op.bank, weights, blocks, channels, data_len)
}

#[inline(never)]
fn check_axis(axis: &Axis, input: u16, output: u16, before: u8, after: u8) -> Result<(), Fault> {
    if axis.phases.is_empty() || axis.step == 0 || axis.dilation == 0 {
        return Err(Fault::Window);
    }
    let (least, greatest) = (-i32::from(before), i32::from(input) + i32::from(after) - 1);
    // Within a phase the reads move forward, so the first and the last position of each phase tell.
    let phases = axis.phases.len() as u16;
    let ends = (0..output.min(phases)).chain(output.saturating_sub(phases)..output);
    for (first, last) in ends.filter_map(|position| axis.reads(position)) {
        if first < least || last > greatest {
            return Err(Fault::Padding);
        }
    }
    Ok(())
}

/// The taps of one kernel row as pixels of a contiguous run and number of runs: one run unless dilated.
fn runs(axis: &Axis, taps: usize) -> (usize, usize) {
    if axis.dilation == 1 { (taps, 1) } else { (1, taps) }
}

pub(crate) fn run<K: Kernel>(job: Job<'_, K>) {
    let Job { model, kernel, node, vertical: rows, source, y, row, scratch } = job;
    let (columns, inputs, channels) = (&node.horizontal, usize::from(source.node.shape.c), usize::from(node.shape.c));
    let (phase_y, index_y) = rows.split(y);
    let Some(&vertical) = rows.phases.get(phase_y) else { return };
    let top = i32::from(index_y) * i32::from(rows.step) + i32::from(vertical.start);

    let matrix = |vertical: &Phase, horizontal: &Phase| {
        let taps = usize::from(vertical.taps) * usize::from(horizontal.taps);
        model.matrix_bytes(Matrix::Windows, channels, taps * inputs)
    };
    let before = rows.phases.iter().take(phase_y);
    let mut from: usize = before.flat_map(|vertical| columns.phases.iter().map(move |h| matrix(vertical, h))).sum();

    let phases_x = columns.phases.len();
    let blocks = rows.phases.len() * phases_x;
    for (phase_x, horizontal) in columns.phases.iter().enumerate() {
        let (run, lanes_x) = runs(columns, usize::from(horizontal.taps));
        let run = run * inputs;
        let left = i32::from(horizontal.start) + i32::from(source.node.padding.left);

        let mut lanes = [0; MAX_LANES];
        let mut count = 0;
        for tap_y in 0..i32::from(vertical.taps) {
            let input_row = source.row(top + tap_y * i32::from(rows.dilation));
            for tap_x in 0..lanes_x as i32 {
                let pixel = (left + tap_x * i32::from(columns.dilation)).max(0) as usize;
                if let Some(lane) = lanes.get_mut(count) {
                    *lane = input_row + pixel * inputs;
                    count += 1;
                }
            }
        }

        let weights = matrix(&vertical, horizontal);
        if let Some(pixels) = row.get_mut(phase_x * channels..) {
            let row = Row {
                window: Window {
                    values: source.values,
                    lanes: lanes.get(..count).unwrap_or(&[]),
                    run,
                    step: usize::from(columns.step) * inputs,
                },
                weights: model.weights(&node.bank, from, weights),
                channels: model.channels(&node.bank, blocks, phase_y * phases_x + phase_x, channels),
                pixels,
                stride: phases_x * channels,
                scratch: &mut *scratch,
            };
            super::pixels(model, kernel, Matrix::Windows, row);
        }
        from += weights;
    }
}
