//! Thumb without DSP instructions: Cortex-M0 and M0+, and M3 and M23 too, which have nothing better.
//!
//! There is one multiplication, of 32 bits, and everything else costs as much as it. So one multiplication makes **two
//! products**, of a weight with the values of two pixels:
//!
//! ```text
//! a = x + 2¹⁶·x′            one word of the strip: the same value of two pixels, as a number
//! w·a = w·x + 2¹⁶·w·x′      both products, the lower one with its sign
//! p = w₀·a₀ + w₁·a₁         codes are −127 … 127: two products together fit the lower 16 bits
//! t += p                    modulo 2³²
//! h += p >> 16, + bit 15    the upper products exactly: where the lower ones are negative, they have borrowed 1, and bit 15 is 1
//! ```
//!
//! In the end the sum of the second pixel is h and that of the first t − 2¹⁶·h. The shift leaves bit 15 in the carry, so the
//! correction is free.
//!
//! A fully connected layer has one pixel, so there the two products are of one value with the weights of two channels,
//! which are taken out of a word in pairs by a mask. Such weights are stored with 128 added ([`Packing::pack`]); what
//! that adds to a sum is 128 times the sum of all values, the same for all channels.

#![allow(unsafe_code)]

use core::arch::naked_asm;

use super::blocked::{self, Tile};
use super::{Kernel, Row};
use crate::fixed::Output;
use crate::packing::{Blocking, Matrix, Packing};

/// Every Cortex-M.
#[derive(Clone, Copy, Debug)]
pub struct Armv6m(());

impl Kernel for Armv6m {
    const NAME: &'static str = "armv6m";
    const PACKING: Packing = Packing::Armv6m;

    /// Always there: every Cortex-M has these instructions.
    fn available() -> Option<Self> {
        Some(Self(()))
    }

    fn windows(self, row: Row<'_>) {
        blocked::run(Windows, row);
    }

    fn vector(self, row: Row<'_>) {
        blocked::run(Vector, row);
    }
}

const fn blocking(matrix: Matrix) -> Blocking {
    match Packing::Armv6m.blocking(matrix) {
        Some(blocking) => blocking,
        None => panic!("only the portable packing is not blocked"),
    }
}

/// Two pixels meet one channel after the other.
///
/// ```text
/// strip    [depth], both pixels in a word
/// sums     [channel][t, h]
/// ```
#[derive(Clone, Copy, Debug)]
struct Windows;

const _: () =
    assert!(Windows::BLOCKING.pixels == 2 && Windows::BLOCKING.interleave == 1 && Windows::BLOCKING.group == 4);

/// One pixel meets two channels at a time.
///
/// ```text
/// strip    [depth], a value in a word
/// sums     [channel / 2][t, h]
/// ```
#[derive(Clone, Copy, Debug)]
struct Vector;

const _: () = assert!(Vector::BLOCKING.pixels == 1 && Vector::BLOCKING.interleave == 2 && Vector::BLOCKING.group == 2);

/// `t` and `h` for the sums of two pixels or channels.
fn join(first: i32, second: i32) -> [i32; 2] {
    [first.wrapping_add(second << 16), second]
}

/// The two sums of `t` and `h`.
fn split([t, h]: [i32; 2]) -> [i32; 2] {
    [t.wrapping_sub(h << 16), h]
}

impl Tile for Windows {
    const BLOCKING: Blocking = blocking(Matrix::Windows);

    #[inline]
    fn start(self, bias: &[i32], sums: &mut [i32]) {
        for (sums, &bias) in sums.as_chunks_mut().0.iter_mut().zip(bias) {
            *sums = join(bias, bias);
        }
    }

    #[inline]
    fn gather(self, values: &[i8], step: usize, pixels: usize, len: usize, at: usize, strip: &mut [i32]) {
        // A second pixel that nobody asks for is the first one again.
        let second = if pixels > 1 { step } else { 0 };
        if let (Some(first), Some(second), Some(strip)) = (values.get(..len), values.get(second..), strip.get_mut(at..))
        {
            for ((word, &first), &second) in strip.iter_mut().zip(first).zip(second) {
                *word = join(first.into(), second.into())[0];
            }
        }
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
        let fits = depth > 0
            && depth.is_multiple_of(4)
            && channels > 0
            && strip.len() >= depth
            && sums.len() / 2 >= channels
            && next >= depth
            && (channels - 1).saturating_mul(next).saturating_add(depth) <= weights.len()
            && aligned(weights, next);
        if fits {
            let end = sums.as_mut_ptr().wrapping_add(2 * channels);
            // SAFETY: the strip has `depth` words, which is a multiple of four and not 0; `weights` has as many bytes for each
            // channel, each `next` after the other and at whole words; `sums` has two words for each channel.
            unsafe { multiply_windows(strip.as_ptr(), weights.as_ptr(), sums.as_mut_ptr(), depth, next - depth, end) };
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
        let (first, second) = to.split_at_mut_checked(stride).unwrap_or_default();
        // One pixel is all there is room for, perhaps less than `stride`.
        let (first, second) = if pixels > 1 { (first, second) } else { (to, &mut [][..]) };
        let sums = sums.as_chunks().0.iter().zip(multiplier);
        if pixels > 1 {
            for ((to, second), (&sums, &multiplier)) in first.iter_mut().zip(second).zip(sums) {
                [*to, *second] = split(sums).map(|sum| code(sum, multiplier, output));
            }
        } else {
            for (to, (&sums, &multiplier)) in first.iter_mut().zip(sums) {
                *to = code(split(sums)[0], multiplier, output);
            }
        }
    }
}

impl Tile for Vector {
    const BLOCKING: Blocking = blocking(Matrix::Vector);

    #[inline]
    fn start(self, bias: &[i32], sums: &mut [i32]) {
        for (sums, bias) in sums.as_chunks_mut().0.iter_mut().zip(bias.chunks(2)) {
            let first = bias.first().copied().unwrap_or(0);
            *sums = join(first, bias.get(1).copied().unwrap_or(first));
        }
    }

    #[inline]
    fn gather(self, values: &[i8], _step: usize, _pixels: usize, len: usize, at: usize, strip: &mut [i32]) {
        let Some(strip) = strip.get_mut(at..) else { return };
        for (word, &value) in strip.iter_mut().zip(values.get(..len).unwrap_or(&[])) {
            *word = value.into();
        }
        // The value that fills the last group up must be a code.
        if let Some(word) = strip.get_mut(len) {
            *word = 0;
        }
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
        let pairs = channels.div_ceil(2);
        let fits = depth > 0
            && depth.is_multiple_of(2)
            && pairs > 0
            && strip.len() >= depth
            && sums.len() / 2 >= pairs
            && next >= 2 * depth
            && (pairs - 1).saturating_mul(next).saturating_add(2 * depth) <= weights.len()
            && aligned(weights, next);
        if fits {
            let end = sums.as_mut_ptr().wrapping_add(2 * pairs);
            // SAFETY: the strip has `depth` words, which is even and not 0; `weights` has twice as many bytes for each pair of
            // channels, each `next` after the other and at whole words; `sums` has two words for each pair.
            unsafe {
                multiply_vector(strip.as_ptr(), weights.as_ptr(), sums.as_mut_ptr(), depth, next - 2 * depth, end)
            };
            let values = strip.get(..depth).unwrap_or(&[]);
            let surplus = 128 * values.iter().fold(0, |sum: i32, &value| sum.wrapping_add(value));
            let [t, h] = join(surplus, surplus);
            for [sum_t, sum_h] in sums.as_chunks_mut().0.iter_mut().take(pairs) {
                (*sum_t, *sum_h) = (sum_t.wrapping_sub(t), sum_h.wrapping_sub(h));
            }
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
        let pairs = to.chunks_mut(2).zip(multiplier.chunks(2)).zip(sums.as_chunks().0);
        for ((to, multiplier), &sums) in pairs {
            for ((to, &multiplier), sum) in to.iter_mut().zip(multiplier).zip(split(sums)) {
                *to = code(sum, multiplier, output);
            }
        }
    }
}

/// Whether all weights start at whole words.
fn aligned(weights: &[i8], next: usize) -> bool {
    (weights.as_ptr() as usize | next).is_multiple_of(4)
}

/// [`Output::finish`] without a product of 64 bits, for which these CPUs would call a function.
#[inline]
fn code(sum: i32, multiplier: i32, output: &Output<'_>) -> i8 {
    let code = high(sum, multiplier)
        .wrapping_add(i32::from(output.zero_point))
        .max(i32::from(output.low))
        .min(i32::from(output.high)) as i8;
    match output.table {
        Some(table) => table[usize::from((code as u8) ^ 0x80)],
        None => code,
    }
}

/// [`requantize`](crate::fixed::requantize) from products of halves, for multipliers that are not negative, as all in a file are.
///
/// With `sum = s′·2¹⁶ + s` and `multiplier = m′·2¹⁶ + m`:
///
/// ```text
/// (sum · multiplier + 2³¹) >> 32 = s′m′ + (s′m + s·m′ + (s·m >> 16) + 2¹⁵ >> 16)
/// ```
#[inline]
fn high(sum: i32, multiplier: i32) -> i32 {
    let (s, upper_s) = (sum as u32 & 0xFFFF, sum >> 16);
    let (m, upper_m) = (multiplier as u32 & 0xFFFF, multiplier >> 16);
    // At most 65535·32767 + 65534 + 32768 = 2³¹ − 1 + 2¹⁵ … without a sign.
    let middle = s.wrapping_mul(upper_m as u32).wrapping_add(s.wrapping_mul(m) >> 16).wrapping_add(1 << 15);
    let signed = upper_s.wrapping_mul(m as i32);
    // The two middle products together may take 33 bits: add their halves.
    let carry = ((signed as u32 & 0xFFFF) + (middle & 0xFFFF)) >> 16;
    upper_s
        .wrapping_mul(upper_m)
        .wrapping_add(signed >> 16)
        .wrapping_add((middle >> 16) as i32)
        .wrapping_add(carry as i32)
}

/// Adds the products of two pixels with all channels.
///
/// ```text
/// for each channel
///     t, h = sums                                                      20 instructions around the loop
///     for each four of the depth
///         w  = 4 weights                              1
///         a₀ = strip, a₁ = strip                      1
///         p  = w.0·a₀ + w.1·a₁                        6    two of them to take w.1 out
///         t += p;  h += p >> 16, + carry              3
///         the same with w.2 and w.3                  10    8 products in 21 instructions: 2.63 each, and 2 in 32 for the loop
///     sums = t, h
/// ```
///
/// # Safety
///
/// `strip` has `depth` words, a multiple of four and not 0. From `weights` on there are, for each channel, `depth` bytes and
/// `skip` more, at whole words. `sums` has two words for each channel up to `end`.
#[unsafe(naked)]
unsafe extern "C" fn multiply_windows(
    strip: *const i32,
    weights: *const i8,
    sums: *mut i32,
    depth: usize,
    skip: usize,
    end: *const i32,
) {
    naked_asm!(
        // Four values of the depth: strip r0, weights r1, t r8, h r7.
        ".macro edgegen_four",
        "ldm r1!, {{r6}}",
        "ldm r0!, {{r2, r3}}",
        "sxtb r4, r6",
        "muls r4, r2, r4",
        "sxth r5, r6",
        "asrs r5, r5, #8",
        "muls r5, r3, r5",
        "adds r4, r4, r5",
        "add r8, r4",
        "asrs r4, r4, #16",
        "adcs r7, r4",
        "ldm r0!, {{r2, r3}}",
        "lsls r4, r6, #8",
        "asrs r4, r4, #24",
        "muls r4, r2, r4",
        "asrs r5, r6, #24",
        "muls r5, r3, r5",
        "adds r4, r4, r5",
        "add r8, r4",
        "asrs r4, r4, #16",
        "adcs r7, r4",
        ".endm",
        "push {{r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r4-r7}}",
        // On the stack: 4 high registers, 5 low ones, then skip and end.
        "sub sp, #16",
        // [sp, #0] end of the part in sixteens, [sp, #4] start of the strip, [sp, #8] sums, [sp, #12] unused
        "lsls r3, r3, #2",
        "adds r4, r0, r3",
        "mov r9, r4", // end of the strip
        "lsrs r3, r3, #6",
        "lsls r3, r3, #6",
        "adds r4, r0, r3",
        "mov r10, r4", // end of its part in sixteens
        "mov r11, r0",
        "2:", // each channel
        "mov r0, r11",
        "ldr r4, [r2]",
        "mov r8, r4",
        "ldr r7, [r2, #4]",
        "str r2, [sp, #8]",
        "cmp r0, r10",
        "beq 4f",
        "3:",
        "edgegen_four",
        "edgegen_four",
        "edgegen_four",
        "edgegen_four",
        "cmp r0, r10",
        "bne 3b",
        "4:",
        "cmp r0, r9",
        "beq 6f",
        "5:",
        "edgegen_four",
        "cmp r0, r9",
        "bne 5b",
        "6:",
        "ldr r2, [sp, #8]",
        "mov r4, r8",
        "str r4, [r2]",
        "str r7, [r2, #4]",
        "adds r2, #8",
        "ldr r4, [sp, #52]", // skip
        "adds r1, r1, r4",
        "ldr r4, [sp, #56]", // end
        "cmp r2, r4",
        "beq 7f", // too far for a conditional branch
        "b 2b",
        "7:",
        "add sp, #16",
        "pop {{r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "pop {{r4-r7, pc}}",
        ".purgem edgegen_four",
    )
}

/// Adds the products of one pixel with all pairs of channels.
///
/// ```text
/// for each pair of channels
///     t, h = sums                                                      19 instructions around the loop
///     for each two of the depth
///         w = 2 weights of both channels              1
///         x₀ = strip, x₁ = strip                      1
///         p = (w & 0x00FF00FF)·x₀;  t += p;  h += p >> 16, + carry       6
///         p = (w >> 8 & 0x00FF00FF)·x₁;  likewise                        6    4 products in 14: 3.5 each
///     sums = t, h
/// ```
///
/// # Safety
///
/// `strip` has `depth` words, even and not 0. From `weights` on there are, for each pair of channels, 2·`depth` bytes and
/// `skip` more, at whole words. `sums` has two words for each pair up to `end`.
#[unsafe(naked)]
unsafe extern "C" fn multiply_vector(
    strip: *const i32,
    weights: *const i8,
    sums: *mut i32,
    depth: usize,
    skip: usize,
    end: *const i32,
) {
    naked_asm!(
        // Two values of the depth: strip r0, weights r1, mask r6, t r8, h r7.
        ".macro edgegen_two",
        "ldm r1!, {{r4}}",
        "ldm r0!, {{r2, r3}}",
        "movs r5, r4",
        "ands r5, r6",
        "muls r5, r2, r5",
        "add r8, r5",
        "asrs r5, r5, #16",
        "adcs r7, r5",
        "lsrs r4, r4, #8",
        "ands r4, r6",
        "muls r4, r3, r4",
        "add r8, r4",
        "asrs r4, r4, #16",
        "adcs r7, r4",
        ".endm",
        "push {{r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r4-r7}}",
        "sub sp, #16",
        "lsls r3, r3, #2",
        "adds r4, r0, r3",
        "mov r9, r4", // end of the strip
        "lsrs r3, r3, #5",
        "lsls r3, r3, #5",
        "adds r4, r0, r3",
        "mov r10, r4", // end of its part in eights
        "mov r11, r0",
        "movs r6, #255",
        "lsls r4, r6, #16",
        "orrs r6, r4", // the mask
        "2:",          // each pair of channels
        "mov r0, r11",
        "ldr r4, [r2]",
        "mov r8, r4",
        "ldr r7, [r2, #4]",
        "str r2, [sp, #8]",
        "cmp r0, r10",
        "beq 4f",
        "3:",
        "edgegen_two",
        "edgegen_two",
        "edgegen_two",
        "edgegen_two",
        "cmp r0, r10",
        "bne 3b",
        "4:",
        "cmp r0, r9",
        "beq 6f",
        "5:",
        "edgegen_two",
        "cmp r0, r9",
        "bne 5b",
        "6:",
        "ldr r2, [sp, #8]",
        "mov r4, r8",
        "str r4, [r2]",
        "str r7, [r2, #4]",
        "adds r2, #8",
        "ldr r4, [sp, #52]", // skip
        "adds r1, r1, r4",
        "ldr r4, [sp, #56]", // end
        "cmp r2, r4",
        "beq 7f", // too far for a conditional branch
        "b 2b",
        "7:",
        "add sp, #16",
        "pop {{r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "pop {{r4-r7, pc}}",
        ".purgem edgegen_two",
    )
}
