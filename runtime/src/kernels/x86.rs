//! x86-64: AVX2, and AVX-512 VNNI where the CPU has it. Both read [`Packing::X86`].
//!
//! A tile of the matrix has 16 channels. At each four values of the depth its 64 weights lie together, `[16][4]`, and meet the
//! same four values of a pixel, repeated for each channel: so each channel has a sum of its own, or two, from the first product to
//! the last, in registers, and little or nothing is added up across a vector at the end.
//!
//! ```text
//! for each column of channels                                   two tiles (VNNI), half a tile (AVX2)
//!     for each block of pixels                                  up to 14 (VNNI), up to 6 (AVX2)
//!         sums[pixel][channel] = bias[channel]
//!         for each lane, for each 4 values of it
//!             sums[pixel][channel] += Σ over 4 values i:  lane[pixel][i] · weights[channel][i]
//!         pixels[pixel][channel] = output(sums[pixel][channel], multiplier[channel])
//! ```
//!
//! VNNI reads the values where they lie in the rings; only where a lane is no multiple of 4 long, pixels are gathered first.
//! AVX2 multiplies 16-bit values, so each row is widened first. How the products are formed, and how many instructions that
//! takes, is told in `x86/vnni.rs` and `x86/avx2.rs`. Images have too few channels for any of this: see `x86/few.rs`.

#![allow(unsafe_code)]

mod avx2;
mod few;
mod vnni;

use super::{Channels, Kernel, Row, Window};
use crate::fixed::Output;
use crate::graph::MAX_LANES;
use crate::packing::{Matrix, Packing, x86_tile};

/// Values of the depth that lie together for each channel.
const GROUP: usize = 4;
/// Channels of a tile, where there are more than a few.
const TILE: usize = 16;

const _: () = match (Packing::X86.blocking(Matrix::Windows), Packing::X86.blocking(Matrix::Vector)) {
    (Some(windows), Some(vector)) => {
        assert!(windows.interleave == TILE && windows.group == GROUP);
        assert!(vector.interleave == TILE && vector.group == GROUP);
    }
    _ => panic!("the packing is blocked"),
};

/// Whether the CPU has all of these features: asked at run time with `std`, told by the target without.
macro_rules! has {
    ($($feature:tt)+) => {{
        #[cfg(feature = "std")]
        let found = true $(&& std::arch::is_x86_feature_detected!($feature))+;
        #[cfg(not(feature = "std"))]
        let found = true $(&& cfg!(target_feature = $feature))+;
        found
    }};
}

/// Runs on CPUs with AVX2.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

impl Kernel for Avx2 {
    const NAME: &'static str = "avx2";
    const PACKING: Packing = Packing::X86;

    fn available() -> Option<Self> {
        has!("avx2").then_some(Self(()))
    }

    fn windows(self, row: &mut Row<'_>) {
        // SAFETY: that there is an `Avx2` tells that the CPU has it.
        prepared(row, Matrix::Windows, true, |job, scratch| unsafe { avx2::windows(job, scratch) });
    }

    fn vector(self, row: &mut Row<'_>) {
        // SAFETY: as above.
        prepared(row, Matrix::Vector, true, |job, scratch| unsafe { avx2::windows(job, scratch) });
    }
}

/// Runs on CPUs with AVX-512 F, BW, VL and VNNI.
#[derive(Clone, Copy, Debug)]
pub struct Vnni {
    /// Whether there is VBMI, too.
    vbmi: bool,
}

impl Vnni {
    /// The same without AVX-512 VBMI, which the first CPUs with VNNI do not have.
    pub fn without_vbmi(self) -> Self {
        Self { vbmi: false }
    }
}

impl Kernel for Vnni {
    const NAME: &'static str = "vnni";
    const PACKING: Packing = Packing::X86;

    fn available() -> Option<Self> {
        has!("avx512f" "avx512bw" "avx512vl" "avx512vnni").then(|| Self { vbmi: has!("avx512vbmi") })
    }

    fn windows(self, row: &mut Row<'_>) {
        // SAFETY: that there is a `Vnni` tells that the CPU has it.
        prepared(row, Matrix::Windows, false, |job, scratch| unsafe { vnni::windows(job, scratch, self.vbmi) });
    }

    fn vector(self, row: &mut Row<'_>) {
        // SAFETY: as above.
        prepared(row, Matrix::Vector, false, |job, _| unsafe { vnni::vector(job) });
    }
}

/// The best of both.
#[derive(Clone, Copy, Debug)]
pub enum X86 {
    /// AVX2.
    Avx2(Avx2),
    /// AVX-512 VNNI.
    Vnni(Vnni),
}

impl Kernel for X86 {
    const NAME: &'static str = "x86";
    const PACKING: Packing = Packing::X86;

    fn available() -> Option<Self> {
        Vnni::available().map(Self::Vnni).or_else(|| Avx2::available().map(Self::Avx2))
    }

    fn windows(self, row: &mut Row<'_>) {
        match self {
            Self::Avx2(kernel) => kernel.windows(row),
            Self::Vnni(kernel) => kernel.windows(row),
        }
    }

    fn vector(self, row: &mut Row<'_>) {
        match self {
            Self::Avx2(kernel) => kernel.vector(row),
            Self::Vnni(kernel) => kernel.vector(row),
        }
    }
}

/// A row whose lanes are whole groups, with all lengths checked: what the kernels do with pointers relies on that.
#[derive(Debug)]
struct Job<'a, V> {
    /// Each at least `(count − 1) · step + run` values.
    lanes: &'a [&'a [V]],
    /// A multiple of [`GROUP`].
    run: usize,
    step: usize,
    /// Pixels, at least one.
    count: usize,
    /// `[tile][group][tile channels][GROUP]`, then what all sums are at inputs of −128: an `i32` a channel, rounded up to tiles.
    weights: &'a [i8],
    /// Channels of a tile: [`TILE`], or 1, 2 or 4 where there are no more.
    tile: usize,
    /// Bytes from one tile to the next.
    next: usize,
    /// At least one; as many biases as multipliers.
    channels: Channels<'a>,
    /// At least `(count − 1) · stride + channels` values.
    pixels: &'a mut [i8],
    stride: usize,
}

impl<'a, V> Job<'a, V> {
    /// Nothing where a length does not fit.
    #[inline]
    #[allow(clippy::too_many_arguments)] // all that is known of a row
    fn new(
        lanes: &'a [&'a [V]],
        run: usize,
        step: usize,
        tile: usize,
        weights: &'a [i8],
        channels: Channels<'a>,
        pixels: &'a mut [i8],
        stride: usize,
    ) -> Option<Self> {
        let (stride, all) = (stride.max(1), channels.bias.len());
        let count = count(pixels, all, stride);
        let reach = count.checked_sub(1)?.saturating_mul(step).saturating_add(run);
        let next = lanes.len().saturating_mul(run).saturating_mul(tile);
        let right = all > 0
            && channels.multiplier.len() == all
            && run.is_multiple_of(GROUP)
            && lanes.iter().all(|lane| lane.len() >= reach)
            && weights.len() >= all.div_ceil(tile).saturating_mul(next.saturating_add(4 * tile));
        right.then_some(Self { lanes, run, step, count, weights, tile, next, channels, pixels, stride })
    }

    /// Number of tiles, the last perhaps not full.
    fn tiles(&self) -> usize {
        self.channels.bias.len().div_ceil(self.tile)
    }

    /// What the sums are at inputs of −128: a value for each channel, perhaps unaligned.
    fn lows(&self) -> *const i32 {
        self.weights.as_ptr().wrapping_add(self.tiles() * self.next).cast()
    }
}

/// Pixels of `channels` values that fit.
fn count(pixels: &[i8], channels: usize, stride: usize) -> usize {
    (pixels.len() + 1).saturating_sub(channels).div_ceil(stride)
}

/// The largest that is not above `most` of which `count` takes no more than of `most`: so that blocks are even.
fn even(count: usize, most: usize) -> usize {
    count.div_ceil(count.div_ceil(most).max(1))
}

/// ½ and the zero point: added to the product of a sum and its multiplier, they make the code its high half.
fn half(output: &Output<'_>) -> i64 {
    (i64::from(output.zero_point) << 32) + (1 << 31)
}

/// Hands a row to `run`, with half of the scratch: as a whole where its lanes are whole groups, else in blocks of gathered
/// pixels; also where pixels lie apart, if they must be `close`.
///
/// A gathered pixel is a single lane: the lanes behind each other, then anything, which meets weights of zero.
fn prepared(row: &mut Row<'_>, matrix: Matrix, close: bool, mut run: impl FnMut(Job<'_, i8>, &mut [i8])) {
    let Row { window, weights, channels, pixels, stride, scratch } = row.again();
    let Window { values: all_values, lanes: starts, run: values, step } = window;
    let tile = if matrix == Matrix::Windows { x86_tile(channels.bias.len()) } else { TILE };
    // Without lanes, a run is of nothing.
    let values = if starts.is_empty() { 0 } else { values };
    let scratch: &mut [i8] = bytemuck::cast_slice_mut(scratch);
    let (strip, rest) = scratch.split_at_mut(scratch.len() / 2 / GROUP * GROUP);
    let mut lanes: [&[i8]; MAX_LANES] = [&[]; MAX_LANES];
    let direct = lanes.get_mut(..starts.len());
    if let Some(lanes) = direct
        && values.is_multiple_of(GROUP)
        && !(close && step > values)
    {
        lanes.iter_mut().zip(starts).for_each(|(lane, &start)| *lane = all_values.get(start as usize..).unwrap_or(&[]));
        if let Some(job) = Job::new(lanes, values, step, tile, weights, channels, pixels, stride) {
            run(job, rest);
        }
        return;
    }
    let Some(padded) = starts.len().saturating_mul(values).checked_next_multiple_of(GROUP) else { return };
    // Some at least, unless a pixel has more values than any sum could hold; all where there is nothing to gather.
    let block = strip.len().checked_div(padded).unwrap_or(usize::MAX);
    let (stride, all) = (stride.max(1), channels.bias.len());
    let count = count(pixels, all, stride);
    let mut first = 0;
    while first < count && block > 0 {
        let here = even(count - first, block);
        for (pixel, to) in strip.chunks_exact_mut(padded.max(1)).enumerate().take(if padded > 0 { here } else { 0 }) {
            for (start, to) in starts.iter().zip(to.chunks_mut(values.max(1))) {
                let from = (first + pixel).saturating_mul(step).saturating_add(*start as usize);
                let Some(from) = all_values.get(from..).and_then(|lane| lane.get(..values)) else { return };
                let Some(to) = to.get_mut(..values) else { return };
                to.copy_from_slice(from);
            }
        }
        let end = pixels.len().min((first + here - 1) * stride + all);
        let Some(pixels) = pixels.get_mut(first * stride..end) else { return };
        let lanes: [&[i8]; 1] = [&*strip];
        if let Some(job) = Job::new(&lanes, padded, padded, tile, weights, channels, pixels, stride) {
            run(job, rest);
        }
        first += here;
    }
}
