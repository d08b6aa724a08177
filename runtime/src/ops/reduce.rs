//! Means: of all pixels, as global pooling and the statistics of normalizations take them, or of the channels of a
//! pixel.
//!
//! A mean of a map reads all its rows, so the ring of that map is as high as the map.

use super::Job;
use crate::arena::Ring;
use crate::error::Fault;
use crate::graph::{Axis, Node, Read, Reduce, Shape};
use crate::kernels::scalar::Scalar;
use crate::kernels::wide::Codes;
use crate::kernels::{Channels, Kernel, TILE};
use crate::weights::Weights;

/// Values that one result is made of, and channels of a group.
fn sizes(node: &Node, source: &Node, map: bool) -> Option<(u64, usize)> {
    let groups = usize::from(node.shape.c);
    let Shape { h, w, c } = source.shape;
    let group = usize::from(c).checked_div(groups).filter(|group| group * groups == usize::from(c))?;
    let pixels = if map { u64::from(h) * u64::from(w) } else { 1 };
    Some((pixels * group as u64, group))
}

#[inline(never)]
pub(crate) fn check(node: &Node, source: &Node, weights: &Weights<'_>) -> Result<i8, Fault> {
    let (Some(reduce), [read]) = (node.parameters::<Reduce>(), node.reads()) else { return Err(Fault::Count) };
    if reduce.map > 1 || reduce.square > 1 {
        return Err(Fault::Window);
    }
    let shape = source.shape;
    let fits = if reduce.map != 0 {
        // All rows, of which the first is row 0.
        node.shape.is_vector() && read.rows.reads(0) == Some((0, i32::from(shape.h) - 1)) && read.rows.dilation == 1
    } else {
        (node.shape.h, node.shape.w) == (shape.h, shape.w) && read.rows == Axis::SAME
    };
    let (values, _) = sizes(node, source, reduce.map != 0).filter(|_| fits).ok_or(Fault::Shape)?;
    // int8 codes are at most 254 from their zero point, so that sums and squares fit 32 bits; of int16 codes squares
    // are summed up without their last 14 bits.
    let most = match (source.is_wide(), reduce.square != 0) {
        (false, false) => 254,
        (false, true) => 254 * 254,
        (true, false) => 1 << 15,
        (true, true) => 1 << 16,
    };
    // Beside sums of int16 codes there is room for the bias.
    let limit = if source.is_wide() { 1 << 30 } else { i32::MAX as u64 };
    if values * most > limit {
        return Err(Fault::Size);
    }
    weights.check_rounding(node, 1, node.shape.c.into())
}

#[inline(never)]
pub(crate) fn run<K: Kernel>(job: &mut Job<'_>, kernel: Option<K>) {
    let (Some(reduce), Some((source, read))) = (job.node.parameters::<Reduce>(), job.read(0)) else { return };
    let map = reduce.map != 0;
    let Some((_, group)) = sizes(job.node, source.node, map) else { return };
    let (groups, width) = (usize::from(job.node.shape.c), usize::from(source.node.shape.c));
    let zero_point = source.node.zero_point;
    let channels = job.weights.channels(&job.node.rounding, 1, 0, groups);
    if job.node.is_wide() || source.node.is_wide() {
        return run_wide(job, reduce, (source, read), group, &channels);
    }
    let Some((first, last)) = read.rows.reads(job.y) else { return };
    // There is as much scratch: that of lanes.
    let Some(sums) = job.scratch.first_chunk_mut::<TILE>() else { return };
    for (x, pixel) in job.row.chunks_exact_mut(groups.max(1)).enumerate() {
        for (tile, to) in pixel.chunks_mut(TILE).enumerate() {
            let from = tile * TILE;
            let part = channels.part(from, to.len());
            let Some(sums) = sums.get_mut(..to.len()) else { return };
            sums.iter_mut().zip(part.bias).for_each(|(sum, &bias)| *sum = bias);
            for row in first..=last {
                let pixels = source.pixels(row);
                let pixels = if map { pixels } else { pixels.get(x * width..(x + 1) * width).unwrap_or(&[]) };
                // Channels of a group are as many pixels, further on.
                let mut values = pixels.get(from * group..).unwrap_or(&[]);
                if group == 1 {
                    add(kernel, values, width, zero_point, reduce, sums);
                } else {
                    for sum in &mut *sums {
                        for pixel in values.chunks(width.max(1)) {
                            let group = pixel.get(..group).unwrap_or(pixel);
                            add(kernel, group, 1, zero_point, reduce, core::slice::from_mut(sum));
                        }
                        values = values.get(group..).unwrap_or(&[]);
                    }
                }
            }
            match kernel {
                Some(kernel) => kernel.finish(sums, &part, to),
                None => Scalar.finish(sums, &part, to),
            }
        }
    }
}

/// The same where source or result are int16 codes, one mean after the other.
#[inline(never)]
fn run_wide(
    job: &mut Job<'_>,
    reduce: &Reduce,
    (source, read): (Ring<'_>, &Read),
    group: usize,
    channels: &Channels<'_>,
) {
    let (Some((first, last)), map) = (read.rows.reads(job.y), reduce.map != 0) else { return };
    let (width, wide) = (usize::from(source.node.shape.c), source.node.is_wide());
    let zero_point = i32::from(source.node.zero_point);
    let target = job.weights.target(job.node, channels);
    for (x, pixel) in job.row.chunks_exact_mut(job.node.pixel_bytes().max(1)).enumerate() {
        let parameters = channels.bias.iter().zip(channels.multiplier).enumerate();
        let means = pixel.chunks_exact_mut(target.code_bytes()).zip(parameters);
        for (to, (channel, (&bias, &multiplier))) in means {
            let mut sum = bias;
            for row in first..=last {
                let codes = Codes { bytes: source.pixels(row), wide };
                let columns = if map { 0..usize::from(source.node.shape.w) } else { x..x + 1 };
                for index in columns.flat_map(|column| (0..group).map(move |index| column * width + index)) {
                    let value = codes.code(index + channel * group).wrapping_sub(zero_point);
                    sum = sum.wrapping_add(match (reduce.square != 0, wide) {
                        (false, _) => value,
                        (true, false) => value.wrapping_mul(value),
                        (true, true) => value.wrapping_mul(value).wrapping_add(1 << 13) >> 14,
                    });
                }
            }
            target.write(sum, multiplier, to);
        }
    }
}

fn add<K: Kernel>(kernel: Option<K>, values: &[i8], step: usize, zero_point: i8, reduce: &Reduce, sums: &mut [i32]) {
    let square = reduce.square != 0;
    match kernel {
        Some(kernel) => kernel.add(values, step, zero_point, square, sums),
        None => Scalar.add(values, step, zero_point, square, sums),
    }
}
