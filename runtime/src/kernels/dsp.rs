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

mod few;

use core::arch::naked_asm;
use core::ops::Range;

use super::blocked::{self, Tile};
use super::{Kernel, Row};
use crate::fixed::Output;
use crate::packing::{Blocking, Matrix, Packing};

/// Cortex-M4, M7 and M33.
#[derive(Clone, Copy, Debug)]
pub struct Dsp(());

impl Kernel for Dsp {
    const NAME: &'static str = "dsp";
    const PACKING: Packing = Packing::Dsp;

    /// Always there: this module is compiled for CPUs with these instructions only.
    fn available() -> Option<Self> {
        Some(Self(()))
    }

    fn windows(self, row: Row<'_>) {
        if few::fits::<3>(&row) {
            few::run::<3>(row);
        } else if few::fits::<1>(&row) {
            few::run::<1>(row);
        } else {
            blocked::run(Windows, row);
        }
    }

    fn vector(self, row: Row<'_>) {
        blocked::run(Vector, row);
    }
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
    (weights.as_ptr() as usize | next) % 4 == 0
}

/// Gathers for both tiles. What starts or ends within four values, at odd lengths of a run, goes one by one.
#[inline]
fn gather<const PIXELS: usize>(values: &[i8], step: usize, pixels: usize, len: usize, at: usize, strip: &mut [i32]) {
    let (first, last) = (at % 4, pixels.wrapping_sub(1));
    let fits = last < PIXELS
        && last.saturating_mul(step).saturating_add(len) <= values.len()
        && at.saturating_add(len).div_ceil(4).saturating_mul(2 * PIXELS) <= strip.len();
    if !fits {
        return;
    }
    let head = if first == 0 { 0 } else { len.min(4 - first) };
    let fours = (len - head) / 4;
    if head > 0 {
        gather_slowly::<PIXELS>(values, step, pixels, 0..head, at, strip);
    }
    if fours > 0 {
        // What the pixel before has gathered already, if it lies at whole words.
        let shared = if step % 4 == 0 && step > 0 { fours.saturating_sub(step / 4) } else { 0 };
        let gap = if shared > 0 { 8 * PIXELS * (step / 4) - 8 } else { step.wrapping_sub(4 * fours) };
        let from = values.as_ptr().wrapping_add(head);
        let to = strip.as_mut_ptr().wrapping_add((at + head) / 4 * (2 * PIXELS));
        // SAFETY: `values` has those of all pixels, and there are places for 4 · `fours` values in the strip for each.
        unsafe {
            if PIXELS == 1 {
                gather_one(from, to, fours);
            } else {
                gather_four(from, to, fours, shared, gap, pixels);
            }
        }
    }
    if head + 4 * fours < len {
        gather_slowly::<PIXELS>(values, step, pixels, head + 4 * fours..len, at, strip);
    }
}

/// Gathers single values, in order of depth: an even value makes place for the odd one after it.
#[cold]
#[inline(never)]
fn gather_slowly<const PIXELS: usize>(
    values: &[i8],
    step: usize,
    pixels: usize,
    range: Range<usize>,
    at: usize,
    strip: &mut [i32],
) {
    for pixel in 0..pixels.min(PIXELS) {
        for i in range.clone() {
            let (Some(&value), depth) = (values.get(pixel * step + i), at + i) else { continue };
            let pair = 2 * (depth / 4 * PIXELS + pixel);
            let Some([y, a]) = strip.get_mut(pair..).and_then(|strip| strip.first_chunk_mut()) else { continue };
            let shift = depth / 2 % 2 * 16;
            let (value, half) = (i32::from(value), 0xFFFF << shift);
            if depth % 2 == 0 {
                *y = *y & !half | value << 8 << shift & half;
                *a &= !half;
            } else {
                *y = *y & !half | (*y).wrapping_sub(value << shift) & half;
                *a = *a & !half | value << shift & half;
            }
        }
    }
}

/// What the assembly of `finish` reads, at these offsets.
#[repr(C)]
struct Finish {
    /// Added to the requantized sum: the least code becomes 0, so that one saturation to 8 bits clamps below.
    above_low: i32,
    /// Added with saturation at 255, which clamps above.
    below_top: u32,
    /// Added last: the code of it all, or the address of its entry in the table.
    last: usize,
    /// Whether `last` is an address.
    table: usize,
    /// Where pixels 1 to 3 lie, in values after pixel 0.
    places: [usize; 3],
}

impl Finish {
    #[inline]
    fn new(output: &Output<'_>, places: [usize; 3]) -> Self {
        let (low, high) = (i32::from(output.low), i32::from(output.high.max(output.low)));
        let below_top = 255 - (high - low);
        // A sum that was clamped is `code − low + below_top`, from `below_top` to 255.
        let last = match output.table {
            Some(table) => table.as_ptr().wrapping_offset((low + 128 - below_top) as isize) as usize,
            // Four at a time, which is how the vector kernel adds it.
            None => usize::from((low - below_top) as u8) * 0x0101_0101,
        };
        Self {
            above_low: i32::from(output.zero_point) - low,
            below_top: below_top as u32 * 0x0101_0101,
            last,
            table: usize::from(output.table.is_some()),
            places,
        }
    }
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

/// Gathers 4 · `fours` values of each of up to four pixels: 5 instructions for four values, 2 where the pixel before has them.
/// These CPUs read words at any address with LDR, which compilers count on too.
///
/// # Safety
///
/// There are as many values, and room for them in the strip. `fours` and `pixels` are not 0. If `shared` is not 0, a pixel's first
/// 4 · `shared` values are the last ones of the pixel before, `gap` is the number of bytes from a pixel's place in the strip on to the first
/// that it shares, and `shared` < `fours`. Else, `gap` is the number of values between pixels.
#[unsafe(naked)]
unsafe extern "C" fn gather_four(
    values: *const i8,
    strip: *mut i32,
    fours: usize,
    shared: usize,
    gap: usize,
    pixels: usize,
) {
    naked_asm!(
        env!("EDGEGEN_CPU_DIRECTIVE"),
        ".macro edgegen_copy",
        "ldrd r4, r5, [r7], #32",
        "strd r4, r5, [r1], #32",
        ".endm",
        ".macro edgegen_widen",
        "ldr r4, [r0], #4",
        "sxtb16 r5, r4, ror #8",
        "and r4, r6, r4, lsl #8",
        "ssub16 r4, r4, r5",
        "strd r4, r5, [r1], #32",
        ".endm",
        "push {{r4-r11, lr}}",
        "ldr r11, [sp, #36]", // gap
        "ldr r12, [sp, #40]", // pixels
        "mov lr, r1",
        "mov r6, #0xFF00FF00",
        // Rounds of copying and where to enter.
        "adr r10, 20f",
        "orr r10, r10, #1",
        "rsb r4, r3, #0",
        "and r4, r4, #3",
        "add r10, r10, r4, lsl #3",
        // The same for widening, for the first pixel and for the others.
        "sub r8, r2, r3",
        "adr r9, 30f",
        "orr r9, r9, #1",
        "rsb r7, r2, #0",
        "and r7, r7, #3",
        "add r7, r7, r7, lsl #2",
        "add r7, r9, r7, lsl #2",
        "rsb r5, r8, #0",
        "and r5, r5, #3",
        "add r5, r5, r5, lsl #2",
        "add r9, r9, r5, lsl #2",
        "add r3, r3, #3",
        "lsr r3, r3, #2",
        "add r4, r2, #3",
        "add r2, r8, #3",
        "lsr r2, r2, #2",
        "lsr r8, r4, #2",
        "bx r7",
        "10:",
        "mov r8, r3",
        "add lr, lr, #8",
        "mov r1, lr",
        "cbz r3, 11f",
        "add r7, lr, r11",
        "bx r10",
        "11:",
        "add r0, r0, r11",
        "mov r8, r2",
        "bx r9",
        ".p2align 2",
        "20:",
        "edgegen_copy",
        "edgegen_copy",
        "edgegen_copy",
        "edgegen_copy",
        "21:",
        "subs r8, r8, #1",
        "bne 20b",
        "mov r8, r2",
        "bx r9",
        ".p2align 2",
        "30:",
        "edgegen_widen",
        "edgegen_widen",
        "edgegen_widen",
        "edgegen_widen",
        "31:",
        "subs r8, r8, #1",
        "bne 30b",
        "subs r12, r12, #1",
        "bne 10b",
        "pop {{r4-r11, pc}}",
        same!("21b - 20b", "4 * 8"),
        same!("31b - 30b", "4 * 20"),
        ".purgem edgegen_copy",
        ".purgem edgegen_widen",
    )
}

/// Gathers 4 · `fours` values of one pixel.
///
/// # Safety
///
/// There are as many values, and room for them in the strip. `fours` is not 0.
#[unsafe(naked)]
unsafe extern "C" fn gather_one(values: *const i8, strip: *mut i32, fours: usize) {
    naked_asm!(
        env!("EDGEGEN_CPU_DIRECTIVE"),
        "push {{r4, lr}}",
        "mov r12, #0xFF00FF00",
        "10:",
        "ldr r3, [r0], #4",
        "sxtb16 r4, r3, ror #8",
        "and r3, r12, r3, lsl #8",
        "ssub16 r3, r3, r4",
        "subs r2, r2, #1",
        "strd r3, r4, [r1], #8",
        "bne 10b",
        "pop {{r4, pc}}",
    )
}

/// Makes four sums of each channel into codes: 6 instructions for each, and 5 for each channel.
///
/// # Safety
///
/// There is at least one channel, `sums` has four for each, and each of `places` has room for all channels after `to`.
#[unsafe(naked)]
unsafe extern "C" fn finish_windows(
    sums: *const i32,
    multiplier: *const i32,
    to: *mut i8,
    end: *const i32,
    finish: &Finish,
) {
    naked_asm!(
        env!("EDGEGEN_CPU_DIRECTIVE"),
        ".macro edgegen_code",
        "asr r4, r4, #8",
        "asr r5, r5, #8",
        "smmlar r4, r4, r6, r10",
        "smmlar r5, r5, r6, r10",
        "usat r4, #8, r4",
        "usat r5, #8, r5",
        "uqadd8 r4, r4, r11",
        "uqadd8 r5, r5, r11",
        ".endm",
        "push {{r4-r11, lr}}",
        "ldr lr, [sp, #36]",
        "ldm lr!, {{r10, r11, r12}}",
        "ldm lr, {{r6, r7, r8, r9}}",
        "uxtb r11, r11",
        "cbnz r6, 20f",
        "10:",
        "ldrd r4, r5, [r0, #8]",
        "ldr r6, [r1], #4",
        "edgegen_code",
        "add r4, r4, r12",
        "add r5, r5, r12",
        "strb r5, [r2, r9]",
        "strb r4, [r2, r8]",
        "ldrd r4, r5, [r0], #16",
        "edgegen_code",
        "add r4, r4, r12",
        "add r5, r5, r12",
        "strb r5, [r2, r7]",
        "cmp r1, r3",
        "strb r4, [r2], #1",
        "bne 10b",
        "pop {{r4-r11, pc}}",
        "20:",
        "ldrd r4, r5, [r0, #8]",
        "ldr r6, [r1], #4",
        "edgegen_code",
        "ldrb r4, [r12, r4]",
        "ldrb r5, [r12, r5]",
        "strb r5, [r2, r9]",
        "strb r4, [r2, r8]",
        "ldrd r4, r5, [r0], #16",
        "edgegen_code",
        "ldrb r4, [r12, r4]",
        "ldrb r5, [r12, r5]",
        "strb r5, [r2, r7]",
        "cmp r1, r3",
        "strb r4, [r2], #1",
        "bne 20b",
        "pop {{r4-r11, pc}}",
        ".purgem edgegen_code",
    )
}

/// Makes one sum of each channel into a code: four at a time in 22 instructions, with a table and at the end one by one in 10.
///
/// # Safety
///
/// `sums`, `multiplier` and `to` have one for each channel. There is at least one.
#[unsafe(naked)]
unsafe extern "C" fn finish_vector(
    sums: *const i32,
    multiplier: *const i32,
    to: *mut i8,
    channels: usize,
    finish: &Finish,
) {
    naked_asm!(
        env!("EDGEGEN_CPU_DIRECTIVE"),
        ".macro edgegen_code s, m",
        "asr \\s, \\s, #8",
        "smmlar \\s, \\s, \\m, r10",
        "usat \\s, #8, \\s",
        ".endm",
        "push {{r4-r11, lr}}",
        "ldr lr, [sp, #36]",
        "ldm lr, {{r10, r11, r12, lr}}",
        "cmp lr, #0",
        "bne 30f",
        "subs r3, r3, #4",
        "blo 11f",
        "10:",
        "ldm r0!, {{r4, r5, r6, r7}}",
        "ldm r1!, {{r8, r9}}",
        "edgegen_code r4, r8",
        "edgegen_code r5, r9",
        "ldm r1!, {{r8, r9}}",
        "edgegen_code r6, r8",
        "edgegen_code r7, r9",
        "orr r4, r4, r5, lsl #8",
        "orr r4, r4, r6, lsl #16",
        "orr r4, r4, r7, lsl #24",
        "uqadd8 r4, r4, r11",
        "uadd8 r4, r4, r12",
        "subs r3, r3, #4",
        "str r4, [r2], #4",
        "bhs 10b",
        "11:",
        "adds r3, r3, #4",
        "beq 40f",
        "uxtb r11, r11",
        "20:",
        "ldr r4, [r0], #4",
        "ldr r8, [r1], #4",
        "edgegen_code r4, r8",
        "uqadd8 r4, r4, r11",
        "add r4, r4, r12",
        "subs r3, r3, #1",
        "strb r4, [r2], #1",
        "bne 20b",
        "pop {{r4-r11, pc}}",
        "30:",
        "uxtb r11, r11",
        "31:",
        "ldr r4, [r0], #4",
        "ldr r8, [r1], #4",
        "edgegen_code r4, r8",
        "uqadd8 r4, r4, r11",
        "ldrb r4, [r12, r4]",
        "subs r3, r3, #1",
        "strb r4, [r2], #1",
        "bne 31b",
        "40:",
        "pop {{r4-r11, pc}}",
        ".purgem edgegen_code",
    )
}
