//! Arm's DSP instructions: Cortex-M4, M7 and M33.
//!
//! SMLAD multiplies two pairs of 16-bit numbers and adds both products to a sum. Codes have 8 bits, so somebody has to unpack
//! them, and that costs more than the products when it is done for every product. Two ideas keep it out of the inner loop:
//!
//! **Values are unpacked once for all channels**, when they are gathered. **Weights are unpacked by half.** A word holds four
//! weights w₀ … w₃ of one channel. The exporter has stored them so that each halfword, read as one number, is exactly
//! 256·w₁ + w₀ and 256·w₃ + w₂ ([`Packing::pack`]). It goes into SMLAD as it is, and only the low bytes
//! `e` = (w₂, w₀) are taken out, by one SXTB16. The strip holds two words for four values x₀ … x₃:
//!
//! ```text
//! a = (x₃, x₁)        y = (256·x₂ − x₃, 256·x₀ − x₁)       16 bits each: codes are −127 … 127, so |y| ≤ 32639
//!
//! word · a = 256·w₁x₁ + w₀x₁               + 256·w₃x₃ + w₂x₃
//! e · y    = 256·w₀x₀ − w₀x₁               + 256·w₂x₂ − w₂x₃
//! sum      = 256·(w₀x₀ + w₁x₁ + w₂x₂ + w₃x₃)
//! ```
//!
//! Sums are kept times 256 in 32 bits; the exporter refuses models whose sums take more than 24.
//!
//! Image layers of one or three channels change the roles of values and weights: `dsp/few.rs`.
//!
//! The loops are assembly, as stable Rust has neither these instructions nor a say in the registers: they need 14 of 14.

#![allow(unsafe_code)]

/// Fails to assemble where two sizes differ, which entries into loops count on.
macro_rules! same {
    ($left:expr, $right:expr) => {
        concat!(".space (", $left, ") - (", $right, ")\n.space (", $right, ") - (", $left, ")")
    };
}

mod depthwise;
mod few;
mod finish;
mod gather;
mod join;
mod simple;
#[cfg(feature = "all-operators")]
mod wide;

use core::arch::naked_asm;

use finish::{Finish, finish_vector, finish_windows};
use gather::gather;

use super::blocked::{self, Tile};
#[cfg(feature = "all-operators")]
use super::wide::WideWindow;
use super::{Channels, Kernel, Pair, Row};
use crate::fixed::Output;
use crate::packing::{Blocking, Matrix, Packing};

/// Cortex-M4, M7 and M33.
#[derive(Clone, Copy, Debug)]
pub struct Dsp(());

impl Kernel for Dsp {
    const NAME: &'static str = "dsp";
    const PACKING: Packing = Packing::Dsp;
    const WIDE_ALIGNED: bool = true;

    /// Always there: this module is compiled for CPUs with these instructions only.
    fn available() -> Option<Self> {
        Some(Self(()))
    }

    #[inline(always)] // each is called in one place
    fn windows(self, row: &mut Row<'_>) {
        if few::fits::<3>(&row) {
            few::run::<3>(row);
        } else if few::fits::<1>(&row) {
            few::run::<1>(row);
        } else {
            blocks(row);
        }
    }

    #[inline(always)] // each is called in one place
    fn vector(self, row: &mut Row<'_>) {
        blocked::run(Vector, row);
    }

    fn finish(self, sums: &[i32], channels: &Channels<'_>, to: &mut [i8]) {
        simple::finish(sums, channels, to);
    }

    fn add(self, values: &[i8], step: usize, zero_point: i8, square: bool, sums: &mut [i32]) {
        simple::add(values, step, zero_point, square, sums);
    }

    fn join(self, pair: &Pair<'_>, channels: &Channels<'_>, to: &mut [i8]) {
        join::join(pair, channels, to);
    }

    fn channels(self, row: &mut Row<'_>) {
        depthwise::channels(row);
    }

    fn look_up(self, table: &[i8; 256], from: &[i8], to: &mut [i8]) {
        simple::look_up(table, from, to);
    }

    #[cfg(feature = "all-operators")]
    fn wide_products(self, window: &WideWindow<'_>, first: usize, weights: &[i8], sums: &mut [i32; 4]) {
        wide::add_products(window, first, weights, sums);
    }
}

#[inline(never)] // its part of the stack is for itself
fn blocks(row: &mut Row<'_>) {
    blocked::run(Windows, row);
}

/// Pixels of a [`Windows`] block.
const PIXELS: usize = 4;
/// Channels that a [`Vector`] holds in registers.
const CHANNELS: usize = 4;

const fn blocking(matrix: Matrix) -> Blocking {
    match Packing::Dsp.blocking(matrix) {
        Some(blocking) => blocking,
        None => panic!("only the portable packing is not blocked"),
    }
}

/// Four pixels meet one channel after the other.
///
/// ```text
/// strip    [depth / 4][pixel][y, a]
/// sums     [channel][pixel]
/// ```
#[derive(Clone, Copy, Debug)]
struct Windows;

const _: () = assert!(Windows::BLOCKING.pixels == PIXELS && Windows::BLOCKING.interleave == 1);

impl Tile for Windows {
    const BLOCKING: Blocking = blocking(Matrix::Windows);

    #[inline]
    fn start(self, bias: &[i32], sums: &mut [i32]) {
        for (sums, bias) in sums.as_chunks_mut().0.iter_mut().zip(bias) {
            *sums = [bias << 8; PIXELS];
        }
    }

    #[inline]
    fn gather(self, values: &[i8], step: usize, pixels: usize, len: usize, at: usize, strip: &mut [i32]) {
        gather::<PIXELS>(values, step, pixels, len, at, strip);
    }

    #[inline]
    fn multiply(
        self,
        strip: &[i32],
        weights: &[i8],
        next: usize,
        depth: usize,
        channels: usize,
        _pixels: usize,
        sums: &mut [i32],
    ) {
        let blocks = depth / 8;
        let fits = blocks > 0
            && channels > 0
            && strip.len() >= blocks * (8 * PIXELS / 2)
            && sums.len() / PIXELS >= channels
            && next >= blocks * 8
            && (channels - 1).saturating_mul(next).saturating_add(blocks * 8) <= weights.len()
            && words(weights, next);
        if fits {
            let end = sums.as_mut_ptr().wrapping_add(PIXELS * channels);
            // SAFETY: the strip has as many values as `blocks` says, `weights` those of all channels, each `next` bytes after
            // the other, at whole words, and `sums` has four of each channel.
            unsafe {
                multiply_windows(strip.as_ptr(), weights.as_ptr(), sums.as_mut_ptr(), blocks, next - blocks * 8, end)
            };
        }
    }

    #[inline]
    fn finish(
        self,
        sums: &[i32],
        multiplier: &[i32],
        output: &Output<'_>,
        to: &mut [i8],
        pixels: usize,
        stride: usize,
    ) {
        let last = pixels.wrapping_sub(1);
        let fits = !multiplier.is_empty()
            && last < PIXELS
            && sums.len() / PIXELS >= multiplier.len()
            && last.saturating_mul(stride).saturating_add(multiplier.len()) <= to.len();
        if fits {
            // Pixels that nobody asks for are written first, where the first pixel is written last.
            let places = [1, 2, 3].map(|pixel| if pixel < pixels { pixel * stride } else { 0 });
            let finish = Finish::new(output, places);
            let end = multiplier.as_ptr_range().end;
            // SAFETY: `sums` has four of each channel, each of `places` has room for all channels in `to`, and `Finish`
            // does not leave its table.
            unsafe { finish_windows(sums.as_ptr(), multiplier.as_ptr(), to.as_mut_ptr(), end, &finish) };
        }
    }
}

/// One pixel meets four channels at a time.
///
/// ```text
/// strip    [depth / 4][y, a]
/// sums     [channel]
/// ```
#[derive(Clone, Copy, Debug)]
struct Vector;

const _: () = assert!(Vector::BLOCKING.pixels == 1 && Vector::BLOCKING.interleave == CHANNELS);

impl Tile for Vector {
    const BLOCKING: Blocking = blocking(Matrix::Vector);

    #[inline]
    fn start(self, bias: &[i32], sums: &mut [i32]) {
        for (sum, bias) in sums.iter_mut().zip(bias) {
            *sum = bias << 8;
        }
    }

    #[inline]
    fn gather(self, values: &[i8], step: usize, _pixels: usize, len: usize, at: usize, strip: &mut [i32]) {
        gather::<1>(values, step, 1, len, at, strip);
    }

    #[inline]
    fn multiply(
        self,
        strip: &[i32],
        weights: &[i8],
        next: usize,
        depth: usize,
        channels: usize,
        _pixels: usize,
        sums: &mut [i32],
    ) {
        let (blocks, tiles) = (depth / 4, channels.div_ceil(CHANNELS));
        let bytes = blocks * (4 * CHANNELS);
        let fits = blocks > 0
            && tiles > 0
            && strip.len() >= blocks * (4 / 2)
            && sums.len() / CHANNELS >= tiles
            && next >= bytes
            && (tiles - 1).saturating_mul(next).saturating_add(bytes) <= weights.len()
            && words(weights, next);
        if fits {
            let end = sums.as_mut_ptr().wrapping_add(CHANNELS * tiles);
            // SAFETY: the strip has as many values as `blocks` says, `weights` those of all tiles of channels, each `next` bytes
            // after the other, at whole words, and `sums` has one of each channel of each tile.
            unsafe { multiply_vector(strip.as_ptr(), weights.as_ptr(), sums.as_mut_ptr(), blocks, next - bytes, end) };
        }
    }

    #[inline]
    fn finish(
        self,
        sums: &[i32],
        multiplier: &[i32],
        output: &Output<'_>,
        to: &mut [i8],
        _pixels: usize,
        _stride: usize,
    ) {
        let channels = multiplier.len();
        if channels > 0 && sums.len() >= channels && to.len() >= channels {
            let finish = Finish::new(output, [0; 3]);
            // SAFETY: all three have as many elements as there are channels, and `Finish` does not leave its table.
            unsafe { finish_vector(sums.as_ptr(), multiplier.as_ptr(), to.as_mut_ptr(), channels, &finish) };
        }
    }
}

/// Whether weights can be read in whole words, which LDM insists on.
fn words(weights: &[i8], next: usize) -> bool {
    (weights.as_ptr() as usize | next).is_multiple_of(4)
}

/// Adds products of four pixels with all channels to their sums.
///
/// ```text
/// for each channel
///     load 4 sums
///     for each 8 of the depth                     4 times in a row, entered so that the rest comes first
///         load 2 words of weights                 1 LDM
///         for each of them
///             e = its even bytes                  1 SXTB16
///             for 2 × 2 pixels
///                 load y, a, y, a                 1 LDM
///                 sum += e · y;  sum += word · a  4 SMLAD
///     store 4 sums
/// ```
///
/// 23 instructions for 32 products, 0.72 each; 2 more for each 32 of the depth and 9 for each channel.
///
/// # Safety
///
/// `strip` has `blocks` · 8 values of four pixels; `weights` as many for each channel, at whole words, and `skip` bytes between
/// channels; `sums` four for each channel, up to `end`. There is at least one block and one channel.
#[unsafe(naked)]
unsafe extern "C" fn multiply_windows(
    strip: *const i32,
    weights: *const i8,
    sums: *mut i32,
    blocks: usize,
    skip: usize,
    end: *const i32,
) {
    naked_asm!(
        env!("EDGEGEN_CPU_DIRECTIVE"),
        // Two pixels meet weights `w`, whose even bytes are in r9.
        ".macro edgegen_two w, s, t",
        "ldm r0!, {{r4, r5, r6, r7}}",
        "smlad \\s, r9, r4, \\s",
        "smlad \\t, r9, r6, \\t",
        "smlad \\s, \\w, r5, \\s",
        "smlad \\t, \\w, r7, \\t",
        ".endm",
        // Eight values of each pixel: 84 bytes.
        ".macro edgegen_eight",
        "ldm r1!, {{r3, r8}}",
        "sxtb16 r9, r3",
        "edgegen_two r3, r10, r11",
        "edgegen_two r3, r12, lr",
        "sxtb16 r9, r8",
        "edgegen_two r8, r10, r11",
        "edgegen_two r8, r12, lr",
        ".endm",
        "push {{r4-r11, lr}}",
        "ldr r6, [sp, #36]", // skip
        "ldr r7, [sp, #40]", // end
        "mov r5, r2",
        "rsb r4, r3, #0",
        "and r4, r4, #3",
        "movs r2, #84",
        "mul r4, r4, r2",
        "adr r2, 20f",
        "add r4, r4, r2",
        "orr r4, r4, #1", // Thumb
        "add r3, r3, #3",
        "lsr r3, r3, #2",
        // strip, rounds, where to enter, sums, skip, end
        "mov r2, r3",
        "mov r3, r5",
        "push {{r6, r7}}",
        "push {{r0, r2, r4, r5}}",
        "10:",
        "ldm r3, {{r10, r11, r12, lr}}",
        "ldm sp, {{r0, r2, pc}}",
        ".p2align 2",
        "20:",
        "edgegen_eight",
        "edgegen_eight",
        "edgegen_eight",
        "edgegen_eight",
        "21:",
        "subs r2, r2, #1",
        "bne 20b",
        "ldr r3, [sp, #12]",
        "ldrd r4, r5, [sp, #16]",
        "stm r3!, {{r10, r11, r12, lr}}",
        "str r3, [sp, #12]",
        "add r1, r1, r4",
        "cmp r3, r5",
        "bne 10b",
        "add sp, sp, #24",
        "pop {{r4-r11, pc}}",
        same!("21b - 20b", "4 * 84"),
        ".purgem edgegen_two",
        ".purgem edgegen_eight",
    )
}

/// Adds products of one pixel with all channels to their sums, four channels at a time.
///
/// ```text
/// for each 4 channels
///     load 4 sums
///     for each 4 of the depth                     4 times in a row, entered so that the rest comes first
///         load y, a                               1 LDM
///         load 4 words of weights                 1 LDM
///         for each of them
///             sum += word · a                     1 SMLAD
///             sum += even bytes · y               1 SXTB16, 1 SMLAD
///     store 4 sums
/// ```
///
/// 14 instructions for 16 products, 0.88 each; 2 more for each 16 of the depth and 9 for each 4 channels.
///
/// # Safety
///
/// `strip` has `blocks` · 4 values; `weights` as many for each of four channels, at whole words, and `skip` bytes up to the next
/// four; `sums` one for each channel, up to `end`. There is at least one block and one tile of four channels.
#[unsafe(naked)]
unsafe extern "C" fn multiply_vector(
    strip: *const i32,
    weights: *const i8,
    sums: *mut i32,
    blocks: usize,
    skip: usize,
    end: *const i32,
) {
    naked_asm!(
        env!("EDGEGEN_CPU_DIRECTIVE"),
        ".macro edgegen_four",
        "ldm r0!, {{r4, r5}}",
        "ldm r1!, {{r6, r7, r8, r9}}",
        "smlad r10, r6, r5, r10",
        "sxtb16 r6, r6",
        "smlad r11, r7, r5, r11",
        "sxtb16 r7, r7",
        "smlad r12, r8, r5, r12",
        "sxtb16 r8, r8",
        "smlad lr, r9, r5, lr",
        "sxtb16 r9, r9",
        "smlad r10, r6, r4, r10",
        "smlad r11, r7, r4, r11",
        "smlad r12, r8, r4, r12",
        "smlad lr, r9, r4, lr",
        ".endm",
        "push {{r4-r11, lr}}",
        "ldr r6, [sp, #36]", // skip
        "ldr r7, [sp, #40]", // end
        "mov r5, r2",
        "rsb r4, r3, #0",
        "and r4, r4, #3",
        "movs r2, #54",
        "mul r4, r4, r2",
        "adr r2, 20f",
        "add r4, r4, r2",
        "orr r4, r4, #1", // Thumb
        "add r3, r3, #3",
        "lsr r2, r3, #2",
        "mov r3, r5",
        // strip, rounds, where to enter, sums, skip, end
        "push {{r6, r7}}",
        "push {{r0, r2, r4, r5}}",
        "10:",
        "ldm r3, {{r10, r11, r12, lr}}",
        "ldm sp, {{r0, r2, pc}}",
        ".p2align 2",
        "20:",
        "edgegen_four",
        "edgegen_four",
        "edgegen_four",
        "edgegen_four",
        "21:",
        "subs r2, r2, #1",
        "bne 20b",
        "ldr r3, [sp, #12]",
        "ldrd r4, r5, [sp, #16]",
        "stm r3!, {{r10, r11, r12, lr}}",
        "str r3, [sp, #12]",
        "add r1, r1, r4",
        "cmp r3, r5",
        "bne 10b",
        "add sp, sp, #24",
        "pop {{r4-r11, pc}}",
        same!("21b - 20b", "4 * 54"),
        ".purgem edgegen_four",
    )
}
