//! What all fast kernels share: a few pixels are gathered, meet all channels, and are finished together.
//!
//! ```text
//! for each tile of channels (in most layers there is one)
//!     for each block of pixels
//!         start      sums[pixel, channel] = bias[channel]
//!         for each piece of the depth
//!             gather     strip = the values that these pixels read, in the order and width that `multiply` likes
//!             multiply   sums[pixel, channel] += strip[pixel] · weights[channel]
//!         finish     pixels[pixel, channel] = output(sums[pixel, channel], multiplier[channel])
//! ```
//!
//! An instruction set writes the four parts as a [`Tile`] and nothing else. Gathering costs each value once for all channels,
//! and makes the inner loop a product of two contiguous streams, whatever the operator is.

use super::{Row, Window};
use crate::fixed::Output;
use crate::packing::Blocking;

/// The four parts of a kernel, for one way of cutting the work.
///
/// Implementations check the lengths of what they get before they go around Rust's own checks.
pub trait Tile: Copy {
    /// The way of cutting, from [`Packing::blocking`](crate::packing::Packing::blocking).
    const BLOCKING: Blocking;

    /// Starts the sums of all pixels of the block. `sums` has `BLOCKING.pixels` sums for each channel of `bias`, rounded up to
    /// `BLOCKING.interleave` channels; the order is the tile's own.
    fn start(self, bias: &[i32], sums: &mut [i32]);

    /// Puts values into the strip: for pixel `p < pixels` the values `values[p · step..][..len]` at depth `at ..`. Whatever
    /// else is in the strip meets weights of 0 or belongs to pixels that nobody asks for.
    fn gather(self, values: &[i8], step: usize, pixels: usize, len: usize, at: usize, strip: &mut [i32]);

    /// Adds the products of the strip with weights. `depth` is a multiple of `BLOCKING.group`; `next` is the number of
    /// bytes from the weights of `BLOCKING.interleave` channels to those of the next. Only the sums of the first `pixels` pixels
    /// will be asked for.
    #[allow(clippy::too_many_arguments)] // pointers and counts of a loop in assembly
    fn multiply(
        self,
        strip: &[i32],
        weights: &[i8],
        next: usize,
        depth: usize,
        channels: usize,
        pixels: usize,
        sums: &mut [i32],
    );

    /// Makes the sums into the first values of each of `pixels` pixels, which are `stride` apart.
    fn finish(self, sums: &[i32], multiplier: &[i32], output: &Output<'_>, to: &mut [i8], pixels: usize, stride: usize);
}

/// Makes the pixels of a row with the parts of a tile.
pub fn run<T: Tile>(tile: T, row: &mut Row<'_>) {
    let mut first = 0;
    while first < row.channels.bias.len() {
        run_channels(tile, row, first);
        first += T::BLOCKING.channels;
    }
}

/// The same for a tile of channels from `first` on.
#[inline(always)] // it is called in one place
fn run_channels<T: Tile>(tile: T, row: &mut Row<'_>, first: usize) {
    let Blocking { interleave, group, pixels: block, channels: most_channels, depth: most_depth, .. } = T::BLOCKING;
    let Row { window, weights, channels, pixels, stride, scratch } = row.again();
    let Window { lanes, run, step, .. } = window;
    let depth = lanes.len() * run;
    let padded = depth.next_multiple_of(group);
    let next = padded * interleave;
    let Some((strip, rest)) = scratch.split_at_mut_checked(T::BLOCKING.strip_words(depth)) else { return };

    let (stride, all) = (stride.max(1), channels.bias.len());
    let count = (pixels.len() + stride).saturating_sub(all.max(1)) / stride;
    let here = first..all.min(first + most_channels);
    let (Some(bias), Some(multiplier)) = (channels.bias.get(here.clone()), channels.multiplier.get(here)) else {
        return;
    };
    let Some(weights) = weights.get(first * padded..) else { return };
    let Some(sums) = rest.get_mut(..T::BLOCKING.sums_words(bias.len())) else { return };
    for start in (0..count).step_by(block) {
        let pixels_here = block.min(count - start);
        tile.start(bias, sums);
        let mut done = 0;
        while done < depth {
            let piece = most_depth.min(depth - done);
            gather(tile, window, start * step, pixels_here, done..done + piece, strip);
            let Some(weights) = weights.get(done * interleave..) else { return };
            tile.multiply(strip, weights, next, piece.next_multiple_of(group), bias.len(), pixels_here, sums);
            done += piece;
        }
        if let Some(to) = pixels.get_mut(start * stride + first..) {
            tile.finish(sums, multiplier, &channels.output, to, pixels_here, stride);
        }
    }
}

/// Gathers the part `depth` of what `pixels` pixels read, lane by lane; the first reads from value `from` of each lane on.
fn gather<T: Tile>(
    tile: T,
    window: Window<'_>,
    from: usize,
    pixels: usize,
    depth: core::ops::Range<usize>,
    strip: &mut [i32],
) {
    let Window { values, lanes, run, step } = window;
    let mut lane_start = 0;
    for &lane in lanes {
        let (begin, end) = (depth.start.max(lane_start), depth.end.min(lane_start + run));
        if begin < end
            && let Some(values) = values.get(lane as usize + from + begin - lane_start..)
        {
            tile.gather(values, step, pixels, end - begin, begin - depth.start, strip);
        }
        lane_start += run;
    }
}
