//! x86-64: AVX2, and AVX-512 VNNI where the CPU has it. Both read [`Packing::X86`].
//!
//! A vector holds the weights of a quad of four channels (AVX2: half of one) at 16 consecutive values of the depth, and meets
//! the same 16 values of a pixel, repeated for each channel. Those lie side by side in the rings, so they are read from
//! there; only where a lane is no multiple of 16 long, pixels are gathered first. A tile of sums stays in registers over the
//! whole depth and is finished there:
//!
//! ```text
//! for each tile of quads                                        4 or 1 (VNNI), 1 (AVX2)
//!     for each tile of pixels                                   4 or 16 (VNNI), 4 (AVX2)
//!         sums[pixel][quad][channel][0..4] = 0
//!         for each lane, for each 16 values of it
//!             sums[pixel][quad][channel][j] += Σ over 4 values i:  lane[pixel][i] · weights[quad][channel][i]
//!         sum[pixel][channel] = bias[channel] + the four sums of the channel
//!         pixels[pixel][channel] = output(sum[pixel][channel], multiplier[channel])
//! ```
//!
//! A fully connected layer is the same with one pixel and more quads in a tile. How the products are formed, and how many instructions
//! that takes, is told in `x86/vnni.rs` and `x86/avx2.rs`.

#![allow(unsafe_code)]

mod avx2;
mod vnni;

use super::{Channels, Kernel, Row, Window};
use crate::packing::{Matrix, Packing};

/// Values of the depth that a vector holds.
const GROUP: usize = 16;
/// Channels that lie together in the file.
const QUAD: usize = 4;
/// Pixels that are gathered together, where they must be.
const GATHERED: usize = match (Packing::X86.blocking(Matrix::Windows), Packing::X86.blocking(Matrix::Vector)) {
    (Some(windows), Some(vector)) => {
        assert!(windows.interleave == QUAD && windows.group == GROUP);
        assert!(vector.interleave == QUAD && vector.group == GROUP);
        windows.pixels
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

    fn windows(self, row: Row<'_>) {
        // SAFETY: that there is an `Avx2` tells that the CPU has it.
        gathered(row, |job| unsafe { avx2::windows(job) });
    }

    fn vector(self, row: Row<'_>) {
        // SAFETY: as above.
        gathered(row, |job| unsafe { avx2::vector(job) });
    }
}

/// Runs on CPUs with AVX-512 F, BW, VL and VNNI.
#[derive(Clone, Copy, Debug)]
pub struct Vnni(());

impl Kernel for Vnni {
    const NAME: &'static str = "vnni";
    const PACKING: Packing = Packing::X86;

    fn available() -> Option<Self> {
        has!("avx512f" "avx512bw" "avx512vl" "avx512vnni").then_some(Self(()))
    }

    fn windows(self, row: Row<'_>) {
        // SAFETY: that there is a `Vnni` tells that the CPU has it.
        gathered(row, |job| unsafe { vnni::windows(job) });
    }

    fn vector(self, row: Row<'_>) {
        // SAFETY: as above.
        gathered(row, |job| unsafe { vnni::vector(job) });
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

    fn windows(self, row: Row<'_>) {
        match self {
            Self::Avx2(kernel) => kernel.windows(row),
            Self::Vnni(kernel) => kernel.windows(row),
        }
    }

    fn vector(self, row: Row<'_>) {
        match self {
            Self::Avx2(kernel) => kernel.vector(row),
            Self::Vnni(kernel) => kernel.vector(row),
        }
    }
}

/// A row whose lanes are whole groups, with all lengths checked: what the kernels do with pointers relies on that.
#[derive(Debug)]
struct Job<'a> {
    values: &'a [i8],
    /// From each on there are at least `(count − 1) · step + run` values.
    lanes: &'a [usize],
    /// A multiple of [`GROUP`].
    run: usize,
    step: usize,
    /// Pixels, at least one.
    count: usize,
    /// `[quad][group][QUAD][GROUP]`, then what all sums are at inputs of −128: an `i32` a channel, rounded up to quads.
    weights: &'a [i8],
    /// Bytes from one quad to the next.
    next: usize,
    /// At least one; as many biases as multipliers.
    channels: Channels<'a>,
    /// At least `(count − 1) · stride + channels` values.
    pixels: &'a mut [i8],
    stride: usize,
}

impl<'a> Job<'a> {
    /// Nothing where a length does not fit.
    fn new(
        window: Window<'a>,
        weights: &'a [i8],
        channels: Channels<'a>,
        pixels: &'a mut [i8],
        stride: usize,
    ) -> Option<Self> {
        let Window { values, lanes, run, step } = window;
        let all = channels.bias.len();
        let count = (pixels.len() + 1).checked_sub(all)?.div_ceil(stride.max(1));
        let last = count.checked_sub(1)?;
        let reach = last.saturating_mul(step).saturating_add(run);
        let quads = all.div_ceil(QUAD);
        let next = lanes.len().saturating_mul(run).saturating_mul(QUAD);
        let right = all > 0
            && channels.multiplier.len() == all
            && run.is_multiple_of(GROUP)
            && window.holds(reach)
            && weights.len() >= quads.saturating_mul(next.saturating_add(4 * QUAD));
        right.then_some(Self {
            values,
            lanes,
            run,
            step,
            count,
            weights,
            next,
            channels,
            pixels,
            stride: stride.max(1),
        })
    }

    /// Number of quads, the last perhaps with less than four channels.
    fn quads(&self) -> usize {
        self.channels.bias.len().div_ceil(QUAD)
    }

    /// What the sums are at inputs of −128: a value for each channel, perhaps unaligned.
    fn lows(&self) -> *const i32 {
        self.weights.as_ptr().wrapping_add(self.quads() * self.next).cast()
    }

    /// Where each of some pixels starts in the lanes.
    #[inline(always)]
    fn pixel_starts<const PIXELS: usize>(&self, first: usize) -> [usize; PIXELS] {
        core::array::from_fn(|pixel| (first + pixel).min(self.count - 1) * self.step)
    }

    /// Where each of some quads starts in the weights.
    #[inline(always)]
    fn quad_starts<const QUADS: usize>(&self, first: usize) -> [usize; QUADS] {
        core::array::from_fn(|quad| (first + quad).min(self.quads() - 1) * self.next)
    }

    /// Stores the codes of some pixels from pixel `first` and channel `channel` on: as many as there are.
    #[inline]
    fn store<const WIDTH: usize>(&mut self, first: usize, channel: usize, codes: &[[i8; WIDTH]]) {
        let Some(pixels) = self.pixels.get_mut(first * self.stride + channel..) else { return };
        let pixels = pixels.chunks_mut(self.stride).zip(codes).take(self.count - first);
        let table = self.channels.output.table;
        match self.channels.bias.len() - channel {
            // Images.
            1 => pixels.for_each(|(pixel, codes)| store::<1>(pixel, codes, table)),
            3 => pixels.for_each(|(pixel, codes)| store::<3>(pixel, codes, table)),
            left if left >= WIDTH => pixels.for_each(|(pixel, codes)| store::<WIDTH>(pixel, codes, table)),
            left => pixels.for_each(|(pixel, codes)| {
                for (value, code) in pixel.iter_mut().zip(codes).take(left) {
                    store::<1>(core::slice::from_mut(value), core::slice::from_ref(code), table);
                }
            }),
        }
    }
}

/// Stores the first `COUNT` codes of a pixel.
#[inline(always)]
fn store<const COUNT: usize>(pixel: &mut [i8], codes: &[i8], table: Option<&[i8; 256]>) {
    if let (Some(pixel), Some(codes)) = (pixel.first_chunk_mut::<COUNT>(), codes.first_chunk::<COUNT>()) {
        *pixel = match table {
            Some(table) => codes.map(|code| table[usize::from((code as u8) ^ 0x80)]),
            None => *codes,
        };
    }
}

/// Hands a row to `run`: as a whole where its lanes are whole groups, else in blocks of gathered pixels.
///
/// A gathered pixel is a single lane: the lanes behind each other, then anything, which meets weights of zero.
fn gathered(row: Row<'_>, run: impl Fn(Job<'_>)) {
    let Row { mut window, weights, channels, pixels, stride, scratch } = row;
    if window.lanes.is_empty() {
        window.run = 0;
    }
    if window.run.is_multiple_of(GROUP) {
        if let Some(job) = Job::new(window, weights, channels, pixels, stride) {
            run(job);
        }
        return;
    }
    let Some(padded) = window.lanes.len().saturating_mul(window.run).checked_next_multiple_of(GROUP) else { return };
    let stride = stride.max(1);
    let strip: &mut [i8] = bytemuck::cast_slice_mut(scratch);
    // All that were asked for, unless a pixel has more values than any sum could hold.
    let block = GATHERED.min(strip.len().checked_div(padded).unwrap_or(0));
    if block == 0 {
        return;
    }
    let count = (pixels.len() + 1).saturating_sub(channels.bias.len()).div_ceil(stride);
    for first in (0..count).step_by(block) {
        let pixels_here = block.min(count - first);
        for (pixel, to) in strip.chunks_exact_mut(padded).take(pixels_here).enumerate() {
            for (lane, to) in window.lanes.iter().zip(to.chunks_mut(window.run)) {
                let from = (first + pixel).saturating_mul(window.step);
                let (Some(values), Some(to)) = (window.values.get(lane + from..), to.get_mut(..window.run)) else {
                    return;
                };
                let Some(values) = values.get(..window.run) else { return };
                to.copy_from_slice(values);
            }
        }
        let window = Window { values: &*strip, lanes: &[0], run: padded, step: padded };
        let end = pixels.len().min((first + pixels_here - 1) * stride + channels.bias.len());
        let Some(pixels) = pixels.get_mut(first * stride..end) else { return };
        if let Some(job) = Job::new(window, weights, channels, pixels, stride) {
            run(job);
        }
    }
}
