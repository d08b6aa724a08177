//! Two nodes value by value: residuals, gates, modulation, shifts and scales of normalizations.
//!
//! An operand that has one row, one column or one channel where the result has more is spread over them: a vector
//! scales each channel of a map, a map of one channel each pixel.

use super::Job;
use crate::error::Fault;
use crate::graph::{Join, Node, Shape};
use crate::kernels::scalar::Scalar;
use crate::kernels::wide::{self, Codes, Operand};
use crate::kernels::{Channels, Kernel, Pair, TILE};
use crate::weights::Weights;

#[inline(never)]
pub(crate) fn check(node: &Node, sources: [&Node; 2], weights: &Weights<'_>) -> Result<i8, Fault> {
    let Some(join) = node.parameters::<Join>().filter(|_| node.reads().len() == 2) else { return Err(Fault::Count) };
    for source in sources {
        let fits = |from: u16, to: u16| from == to || from == 1;
        let (from, to) = (source.shape, node.shape);
        if !fits(from.h, to.h) || !fits(from.w, to.w) || !fits(from.c, to.c) {
            return Err(Fault::Shape);
        }
    }
    let small = join.factors.iter().all(|factor| factor.unsigned_abs() <= 1 << 14);
    if join.multiply > 1 || !small {
        return Err(Fault::Range);
    }
    super::check_single_rows(node)?;
    weights.check_rounding(node, 1, node.shape.c.into())
}

#[inline(never)]
pub(crate) fn run<K: Kernel>(job: &mut Job<'_>, kernel: Option<K>) {
    let (Some(join), Some(a), Some(b)) = (job.node.parameters::<Join>(), job.pixels(0), job.pixels(1)) else { return };
    let Shape { c, .. } = job.node.shape;
    let count = usize::from(c);
    let channels = job.weights.channels(&job.node.rounding, 1, 0, count);
    let multiply = join.multiply != 0;
    if job.node.is_wide() || a.1.is_wide() || b.1.is_wide() {
        let operand = |(bytes, node): (_, &Node), factor: i16| Operand {
            codes: Codes { bytes, wide: node.is_wide() },
            pixel: if node.shape.w == 1 { 0 } else { node.shape.c.into() },
            channel: usize::from(node.shape.c > 1 || c == 1),
            factor: i32::from(if multiply { node.zero_point.into() } else { factor }),
        };
        let pair = [operand(a, join.factors[0]), operand(b, join.factors[1])];
        let target = job.weights.target(job.node, &channels);
        return wide::join(pair, multiply, &channels, &target, job.row);
    }
    let step = |node: &Node| if node.shape.w == 1 { 0 } else { usize::from(node.shape.c) };
    let pair = Pair {
        a: a.0,
        b: b.0,
        steps: [step(a.1), step(b.1)],
        multiply,
        factors: if multiply { [a.1.zero_point, b.1.zero_point].map(i32::from) } else { join.factors.map(i32::from) },
    };
    let make = |pair: &Pair<'_>, channels: &Channels<'_>, to: &mut [i8]| match kernel {
        Some(kernel) => kernel.join(pair, channels, to),
        None => Scalar.join(pair, channels, to),
    };
    if a.1.shape.c == c && b.1.shape.c == c {
        return make(&pair, &channels, job.row);
    }
    // A channel that stands for all is repeated.
    let mut spread = [[0; TILE]; 2];
    for (x, pixel) in job.row.chunks_exact_mut(count.max(1)).enumerate() {
        let mut first = 0;
        for to in pixel.chunks_mut(TILE) {
            let [a_spread, b_spread] = &mut spread;
            let part = channels.part(first, to.len());
            let tile = Pair {
                a: operand(a, x * pair.steps[0], first, a_spread, c),
                b: operand(b, x * pair.steps[1], first, b_spread, c),
                ..pair
            };
            make(&tile, &part, to);
            first += TILE;
        }
    }
}

/// The values of a tile of channels of an operand, in `spread` where one stands for all.
fn operand<'a>(
    (values, node): (&'a [i8], &Node),
    pixel: usize,
    first: usize,
    spread: &'a mut [i8; TILE],
    count: u16,
) -> &'a [i8] {
    if node.shape.c == count {
        return values.get(pixel + first..).unwrap_or(&[]);
    }
    *spread = [values.get(pixel).copied().unwrap_or(0); TILE];
    spread
}
