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
//! Eight registers can do arithmetic. So weights have no address of their own: they lie in the file at the pace of the strip, and
//! a constant added to the strip's address gives theirs. With four pixels in a block, two words of the strip for each value, that
//! is one weight every eight bytes; four channels, in two parts each, fill the gaps of each other: [`Packing::pack`] has the order.
//!
//! A fully connected layer has one pixel and meets each weight once: there what counts is to take four weights out of a word.
//! That is one shift for each, if what is left above a weight goes into its sum too and is taken out in the end:
//!
//! ```text
//! word = u₀ + 2⁸·u₁ + 2¹⁶·u₂ + 2²⁴·w₃      weights of four channels, u = w + 128 without sign
//! tⱼ += (word >> 8j)·x                     modulo 2³², for j = 0 … 3
//! sumⱼ = tⱼ − 2⁸·tⱼ₊₁ − 128·Σx             sum₃ = t₃
//! ```

#![allow(unsafe_code)]

mod depthwise;
mod finish;
mod join;
mod simple;
mod vector;
#[cfg(feature = "all-operators")]
mod wide;

use core::arch::naked_asm;

use finish::{Finish, finish_windows, finish_windows_table};

use super::blocked::{self, Tile};
#[cfg(feature = "all-operators")]
use super::wide::WideWindow;
use super::{Channels, Kernel, Pair, Row};
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

    #[inline(never)] // its part of the stack is for itself
    fn windows(self, row: &mut Row<'_>) {
        blocked::run(Windows, row);
    }

    #[inline(always)] // it is called in one place
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

const fn blocking(matrix: Matrix) -> Blocking {
    match Packing::Armv6m.blocking(matrix) {
        Some(blocking) => blocking,
        None => panic!("only the portable packing is not blocked"),
    }
}

/// Four pixels meet one channel after the other.
///
/// ```text
/// strip    [depth / 2][pair of pixels][2], both pixels of a pair in a word
/// sums     [channel][h of both pairs, t of both pairs]
/// ```
#[derive(Clone, Copy, Debug)]
struct Windows;

const _: () = {
    let Blocking { interleave, group, pixels, .. } = Windows::BLOCKING;
    assert!(interleave == 4 && group == 16 && pixels == 4);
};

/// One pixel meets four channels at a time.
///
/// ```text
/// strip    [depth], a value in a word
/// sums     [channel]
/// ```
#[derive(Clone, Copy, Debug)]
struct Vector;

const _: () = {
    let Blocking { interleave, group, pixels, .. } = Vector::BLOCKING;
    assert!(interleave == 4 && group == 8 && pixels == 1);
};

impl Tile for Windows {
    const BLOCKING: Blocking = blocking(Matrix::Windows);

    #[inline]
    fn start(self, bias: &[i32], sums: &mut [i32]) {
        for (sums, &bias) in sums.as_chunks_mut().0.iter_mut().zip(bias) {
            let t = bias.wrapping_add(bias << 16);
            *sums = [bias, bias, t, t];
        }
    }

    #[inline(never)]
    fn gather(self, values: &[i8], step: usize, pixels: usize, len: usize, at: usize, strip: &mut [i32]) {
        let last = pixels.wrapping_sub(1);
        let room = strip.len() / 4 * 2;
        if last < 4
            && step < FAR
            && len > 0
            && len <= values.len()
            && last * step <= values.len() - len
            && at <= room
            && len <= room - at
        {
            let first = strip.as_mut_ptr().wrapping_add(at / 2 * 4);
            // Pixels that nobody asks for are the last one again.
            let offsets = [1, 2, 3].map(|pixel: usize| pixel.min(last) * step);
            // SAFETY: from all offsets on there are `len` values, and in the strip four words for each two of them, from
            // the pair on that `first` points at.
            unsafe { gather_windows(values.as_ptr(), first, len, at % 2, &offsets) };
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
        pixels: usize,
        sums: &mut [i32],
    ) {
        if depth.is_multiple_of(16)
            && strip.len() / 2 >= depth
            && sums.len() / 4 >= channels
            && tiles_fit(weights, next, depth, channels)
        {
            let (strip, weights) = (strip.as_ptr(), weights.as_ptr());
            let sums = sums.as_mut_ptr();
            let (skip, end) = (next.wrapping_sub(4), sums.wrapping_add(4 * channels));
            // SAFETY: depth and channels are not 0. The strip has two words for each of the depth, which is a multiple of
            // 16, `sums` four for each channel; each four channels have four bytes of `weights` for each of the depth, `next`
            // after those of the four before.
            unsafe {
                if pixels > 2 {
                    multiply_four(strip, weights, sums, depth, skip, end);
                } else {
                    multiply_two(strip, weights, sums, depth, skip, end);
                }
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
        pixels: usize,
        stride: usize,
    ) {
        let channels = multiplier.len();
        let last = pixels.wrapping_sub(1);
        if channels > 0
            && sums.len() / 4 >= channels
            && last < 4
            && stride < FAR
            && channels <= to.len()
            && last * stride <= to.len() - channels
        {
            let last = last * stride;
            let finish = Finish {
                back: stride.wrapping_neg(),
                next: last + stride + 1,
                end: sums.as_ptr().wrapping_add(4 * channels),
                pixels,
                ..Finish::new(output)
            };
            let (sums, multiplier, to) = (sums.as_ptr(), multiplier.as_ptr(), to.as_mut_ptr().wrapping_add(last));
            // SAFETY: there are sums and a multiplier for each channel. `to` is where the last pixel begins, `pixels − 1` strides
            // after the first, and has room for all channels there. `Finish::new` does not leave its table.
            unsafe {
                match output.table {
                    Some(_) => finish_windows_table(sums, multiplier, to, &finish),
                    None => finish_windows(sums, multiplier, to, &finish),
                }
            }
        }
    }
}

/// Distances are less, so that products of them with numbers of tiles or pixels, up to 32, do not overflow. (Rust's own checks
/// of that would multiply 64 bits, which these CPUs call a function for.)
const FAR: usize = usize::MAX / 64;

/// Whether the weights of all channels are there, and depth and channels are not 0.
#[inline]
fn tiles_fit(weights: &[i8], next: usize, depth: usize, channels: usize) -> bool {
    let tiles = channels.div_ceil(4);
    depth > 0
        && tiles > 0
        && tiles <= 32
        && next < FAR
        && depth <= weights.len() / 4
        && next * (tiles - 1) <= weights.len() - 4 * depth
}

/// Puts values of four pixels into the strip: 47 instructions for sixteen of them.
///
/// `offsets` are those of pixels 1 … 3 in `values`. With `odd` = 1 the first value is the second of its pair.
///
/// # Safety
///
/// From all offsets on, and from 0, there are `len` values, not 0. From `strip` on there are four words for each pair of the depth.
#[unsafe(naked)]
unsafe extern "C" fn gather_windows(values: *const i8, strip: *mut i32, len: usize, odd: usize, offsets: &[usize; 3]) {
    macro_rules! value {
        ($first:literal, $second:literal) => {
            concat!(
                "ldrsb r6, [r0, r2]\n",
                "ldrsb r7, [r0, r3]\n",
                "lsls r7, r7, #16\n",
                "adds r6, r6, r7\n",
                concat!("str r6, [r1, #", $first, "]\n"),
                "ldrsb r6, [r0, r4]\n",
                "ldrsb r7, [r0, r5]\n",
                "lsls r7, r7, #16\n",
                "adds r6, r6, r7\n",
                concat!("str r6, [r1, #", $second, "]\n"),
                "adds r0, #1\n",
            )
        };
    }
    naked_asm!(
        "push {{r4-r7, lr}}",
        "mov r6, r8",
        "mov r7, r9",
        "push {{r6, r7}}",
        "adds r6, r0, r2",
        "mov r8, r6",  // end of the values
        "movs r7, r3", // odd
        "ldr r6, [sp, #28]",
        "ldm r6!, {{r3, r4, r5}}",
        "cmp r7, #0",
        "beq 2f",
        "movs r2, #0",
        value!(4, 12),
        "adds r1, #16",
        "2:",
        "mov r2, r8",
        "subs r2, r2, r0",
        "lsrs r2, r2, #2",
        "lsls r2, r2, #2",
        "adds r6, r0, r2",
        "mov r9, r6", // end of the part in fours
        "movs r2, #0",
        "b 4f",
        "3:",
        value!(0, 8),
        value!(4, 12),
        value!(16, 24),
        value!(20, 28),
        "adds r1, #32",
        "4:",
        "cmp r0, r9",
        "bne 3b",
        "cmp r0, r8",
        "beq 5f",
        value!(0, 8),
        "cmp r0, r8",
        "beq 5f",
        value!(4, 12),
        "cmp r0, r8",
        "beq 5f",
        value!(16, 24),
        "5:",
        "pop {{r6, r7}}",
        "mov r8, r6",
        "mov r9, r7",
        "pop {{r4-r7, pc}}",
    )
}

/// The function that adds the products of the strip with all channels.
///
/// ```text
/// for each channel
///     h, t = sums                                                      15 instructions around the loop
///     for each two of the depth
///         w₀, w₁ = weights, at strip + r1                2
///         for each pair of pixels
///             a₀, a₁ = strip                             1
///             p  = w₀·a₀ + w₁·a₁                         3
///             t += p;  h += p >> 16, + carry             3    8 products in 16 instructions, and 5 for each 64 products
///     sums = h, t                                             to move on by 16 of the depth: 2.08 for each
/// ```
///
/// After 8 of the depth the weights go on in the gaps between those, which is what r1 is changed for.
///
/// # Safety
///
/// `strip` has two words for each of the depth, which is a multiple of 16 and not 0. `sums` has four words for each channel up
/// to `end`. Each four channels have four bytes of weights for each of the depth; `skip` + 4 bytes from their
/// start the next four begin.
macro_rules! multiply_windows {
    ($name:ident, $pixels:literal, $($two:literal),*) => {
        #[doc = concat!("Adds the products of ", $pixels, " pixels; see `multiply_windows!`.")]
        #[unsafe(naked)]
        unsafe extern "C" fn $name(
            strip: *const i32,
            weights: *const i8,
            sums: *mut i32,
            depth: usize,
            skip: usize,
            end: *const i32,
        ) {
            macro_rules! eight {
                () => {
                    concat!($($two, "\n",)* $($two, "\n",)* $($two, "\n",)* $($two, "\n",)*)
                };
            }
            naked_asm!(
                "push {{r4-r7, lr}}",
                "mov r4, r8",
                "mov r5, r9",
                "mov r6, r10",
                "mov r7, r11",
                "push {{r4-r7}}",
                "lsls r4, r3, #2",
                "adds r4, #1",
                "push {{r4}}", // from the end of a channel's weights to the start of the next
                "lsls r3, r3, #3",
                "adds r3, r3, r0",
                "mov r10, r3", // end of the strip
                "mov r11, r0",
                "mov r12, r2",
                "subs r1, r1, r0",
                "2:", // each four channels
                "mov r7, r12",
                "adds r7, #64",
                "ldr r6, [sp, #44]", // end
                "cmp r7, r6",
                "bls 3f",
                "mov r7, r6",
                "3:",
                "mov lr, r7", // end of their sums
                "4:",         // each channel
                "mov r7, r12",
                "ldm r7!, {{r2-r5}}", // h in r2 and r3
                "mov r8, r4", // t
                "mov r9, r5",
                "mov r0, r11",
                "5:",
                eight!(),
                "subs r1, #60",
                eight!(),
                "subs r1, #4",
                "cmp r0, r10",
                "beq 6f", // too far for a conditional branch back
                "b 5b",
                "6:",
                "mov r4, r8",
                "mov r5, r9",
                "mov r7, r12",
                "stm r7!, {{r2-r5}}",
                "mov r12, r7",
                "ldr r4, [sp]",
                "adds r1, r1, r4",
                "cmp r7, lr",
                "beq 7f",
                "b 4b",
                "7:",
                "ldr r6, [sp, #44]", // end
                "cmp r7, r6",
                "beq 8f",
                "ldr r6, [sp, #40]", // skip
                "adds r1, r1, r6",
                "b 2b",
                "8:",
                "add sp, #4",
                "pop {{r4-r7}}",
                "mov r8, r4",
                "mov r9, r5",
                "mov r10, r6",
                "mov r11, r7",
                "pop {{r4-r7, pc}}",
            )
        }
    };
}

multiply_windows!(
    multiply_four,
    "four",
    "ldrsb r4, [r0, r1]",  // w₀
    "ldm r0!, {{r6, r7}}", // the first pair of pixels
    "ldrsb r5, [r0, r1]",  // w₁
    "muls r6, r4, r6",
    "muls r7, r5, r7",
    "adds r6, r6, r7",
    "add r8, r6",
    "asrs r6, r6, #16",
    "adcs r2, r6",
    "ldm r0!, {{r6, r7}}", // the second
    "muls r6, r4, r6",
    "muls r7, r5, r7",
    "adds r6, r6, r7",
    "add r9, r6",
    "asrs r6, r6, #16",
    "adcs r3, r6"
);

multiply_windows!(
    multiply_two,
    "two",
    "ldrsb r4, [r0, r1]",
    "ldm r0!, {{r6, r7}}",
    "ldrsb r5, [r0, r1]",
    "muls r6, r4, r6",
    "muls r7, r5, r7",
    "adds r6, r6, r7",
    "add r8, r6",
    "asrs r6, r6, #16",
    "adcs r2, r6",
    "adds r0, #8"
);
