//! Products of a stage in float, fast enough to calibrate with.
//!
//! The order of the additions of each value is fixed, so that exported files stay the same: for each tap eight sums,
//! each of every eighth channel, which are added up one after the other and then to the value, which starts as the
//! bias. What makes it fast is that two channels of four pixels are made side by side.

use edgegen_runtime::graph::Axis;
use pulp::{Simd, WithSimd};

use super::trace::Source;
use super::{Block, Stage, is_depthwise};
use crate::layers::dims;

/// Sums of a tap.
const LANES: usize = 8;
/// Pixels and channels that are made side by side.
const PIXELS: usize = 4;
const CHANNELS: usize = 2;
/// Groups of pixels that are made with the weights of a few channels, so that those stay in the cache.
const BATCH: usize = 64;

impl Stage {
    /// Weights times what each pixel reads, plus biases.
    pub(super) fn product(&self, columns: &Axis, groups: usize, blocks: &[Block], source: Source<'_>) -> Vec<f32> {
        pulp::Arch::new().dispatch(Product { stage: self, columns, groups, blocks, source })
    }
}

/// The operands, to be compiled for the vectors that this computer has.
struct Product<'a> {
    stage: &'a Stage,
    columns: &'a Axis,
    groups: usize,
    blocks: &'a [Block],
    source: Source<'a>,
}

/// What pixels read: for each tap the channels of each.
type Runs<'a> = Vec<[&'a [f32]; PIXELS]>;

impl WithSimd for Product<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self { stage, columns, groups, blocks, source } = self;
        let [channels, h, w] = dims(stage.shape);
        let [inputs, input_h, input_w] = dims(source.shape);
        let mut output = vec![0.0; stage.shape.len()];
        if *columns == Axis::NONE {
            for (pixel, block) in output.chunks_exact_mut(channels).zip(blocks) {
                let rows = block.weights.chunks_exact(inputs).zip(&block.bias);
                pixel.iter_mut().zip(rows).for_each(|(value, (row, bias))| *value = bias + dot(row, source.values));
            }
            return output;
        }
        let rows = &stage.reads[0].rows;
        let (phases_y, phases_x) = (rows.phases.len(), columns.phases.len());
        let all_rows: Vec<_> = (0..h).map(|y| positions(rows, y, input_h, source)).collect();
        let all_columns: Vec<_> = (0..w).map(|x| positions(columns, x, input_w, source)).collect();
        let read = |row: Option<usize>, column: Option<usize>| {
            row.zip(column).map(|(row, column)| &source.values[(row * input_w + column) * inputs..][..inputs])
        };
        if is_depthwise(groups, inputs, channels) {
            for (place, pixel) in output.chunks_exact_mut(channels).enumerate() {
                let (y, x) = (place / w, place % w);
                let block = &blocks[y % phases_y * phases_x + x % phases_x];
                pixel.copy_from_slice(&block.bias);
                let taps = all_rows[y].iter().flat_map(|&row| all_columns[x].iter().map(move |&column| (row, column)));
                for ((row, column), weights) in taps.zip(block.weights.chunks_exact(channels)) {
                    let Some(values) = read(row, column) else { continue };
                    pixel.iter_mut().zip(weights.iter().zip(values)).for_each(|(sum, (w, x))| *sum += w * x);
                }
            }
            return output;
        }
        let (group_inputs, group_outputs) = (inputs / groups, channels / groups);
        let zeros = vec![0.0; group_inputs];
        for (index, block) in blocks.iter().enumerate() {
            let (phase_y, phase_x, group) = (index / groups / phases_x, index / groups % phases_x, index % groups);
            let in_row: Vec<usize> = (phase_x..w).step_by(phases_x).collect();
            let places = (phase_y..h).step_by(phases_y).flat_map(|y| in_row.chunks(PIXELS).map(move |xs| (y, xs)));
            // Of four pixels side by side in a row where the first of them lies in the output, and what they read.
            let tiles: Vec<(usize, &[usize], Runs<'_>)> = places
                .map(|(y, xs)| {
                    // The last pixel again where there are too few.
                    let taps: [&[Option<usize>]; PIXELS] =
                        core::array::from_fn(|i| &all_columns[xs[i.min(xs.len() - 1)]][..]);
                    let of_tap = |row: Option<usize>, tap: usize| {
                        taps.map(|columns| {
                            let values = read(row, columns[tap]);
                            values.map_or(&zeros[..], |values| &values[group * group_inputs..][..group_inputs])
                        })
                    };
                    let runs = all_rows[y].iter().flat_map(|&row| (0..taps[0].len()).map(move |tap| (row, tap)));
                    (y * w * channels + group * group_outputs, xs, runs.map(|(row, tap)| of_tap(row, tap)).collect())
                })
                .collect();
            let per_channel = block.weights.len() / group_outputs;
            for tiles in tiles.chunks(BATCH) {
                for channel in (0..group_outputs).step_by(CHANNELS) {
                    // The last channel again where there are too few.
                    let these: [usize; CHANNELS] = core::array::from_fn(|i| (channel + i).min(group_outputs - 1));
                    let rows = these.map(|channel| &block.weights[channel * per_channel..][..per_channel]);
                    let bias = these.map(|channel| block.bias[channel]);
                    for (start, xs, runs) in tiles {
                        let values = tile(simd, rows, bias, runs);
                        for (&channel, values) in these.iter().zip(&values) {
                            xs.iter()
                                .zip(values)
                                .for_each(|(x, value)| output[start + x * channels + channel] = *value);
                        }
                    }
                }
            }
        }
        output
    }
}

/// The positions that output position `o` of an axis reads, in the order of its taps; `None` for zeros.
fn positions(axis: &Axis, o: usize, size: usize, source: Source<'_>) -> Vec<Option<usize>> {
    let (phase, _) = axis.split(o as u16);
    let Some((first, _)) = axis.reads(o as u16) else { return Vec::new() };
    let taps = (0..i32::from(axis.phases[phase].taps)).map(|tap| first + tap * i32::from(axis.dilation));
    let inside = |at: i32| usize::try_from(source.border.inside(at, size as i32)).ok().filter(|&at| at < size);
    taps.map(inside).collect()
}

/// Biases plus the products of two channels' weights with what four pixels read.
#[inline(always)]
fn tile<S: Simd>(
    simd: S,
    rows: [&[f32]; CHANNELS],
    bias: [f32; CHANNELS],
    runs: &Runs<'_>,
) -> [[f32; PIXELS]; CHANNELS] {
    let mut values = bias.map(|bias| [bias; PIXELS]);
    let mut start = 0;
    for run in runs {
        let len = run[0].len();
        let rows = rows.map(|row| &row[start..][..len]);
        start += len;
        if S::F32_LANES != LANES {
            for (row, values) in rows.iter().zip(&mut values) {
                run.iter().zip(values).for_each(|(run, value)| *value += dot(row, run));
            }
            continue;
        }
        let whole = len / LANES;
        let [a, b] = rows.map(|row| &S::as_simd_f32s(row).0[..whole]);
        let [p, q, r, s] = run.map(|run| &S::as_simd_f32s(run).0[..whole]);
        let mut sums = [[simd.splat_f32s(0.0); PIXELS]; CHANNELS];
        for i in 0..whole {
            // Written out, so that all sums stay in registers.
            let add = |sum, weight, value| simd.add_f32s(sum, simd.mul_f32s(weight, value));
            sums[0][0] = add(sums[0][0], a[i], p[i]);
            sums[0][1] = add(sums[0][1], a[i], q[i]);
            sums[0][2] = add(sums[0][2], a[i], r[i]);
            sums[0][3] = add(sums[0][3], a[i], s[i]);
            sums[1][0] = add(sums[1][0], b[i], p[i]);
            sums[1][1] = add(sums[1][1], b[i], q[i]);
            sums[1][2] = add(sums[1][2], b[i], r[i]);
            sums[1][3] = add(sums[1][3], b[i], s[i]);
        }
        for ((row, sums), values) in rows.iter().zip(sums).zip(&mut values) {
            for ((run, sum), value) in run.iter().zip(sums).zip(values) {
                let mut lanes = [0.0f32; LANES];
                S::as_mut_simd_f32s(&mut lanes).0[0] = sum;
                *value += lanes.iter().sum::<f32>() + rest(row, run);
            }
        }
    }
    values
}

/// The products of what is left over beside the eight sums.
#[inline(always)]
fn rest(a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (a.chunks_exact(LANES).remainder(), b.chunks_exact(LANES).remainder());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The same sums of one channel and one pixel.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f32>() + rest(a, b)
}
