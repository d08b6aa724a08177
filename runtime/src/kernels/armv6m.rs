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

/// Two pairs of pixels, each of which meets one channel after the other.
///
/// ```text
/// strip    [pair][depth], both pixels of a pair in a word
/// sums     [pair][channel][t, h]
/// ```
#[derive(Clone, Copy, Debug)]
struct Windows;

/// Pairs of pixels in a block of [`Windows`]. One would do; each block costs a few hundred instructions besides its products.
const PAIRS: usize = 2;

const _: () = assert!(Windows::BLOCKING.pixels == 2 * PAIRS);
const _: () = assert!(Windows::BLOCKING.interleave == 1 && Windows::BLOCKING.group == 4);

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

impl Tile for Windows {
    const BLOCKING: Blocking = blocking(Matrix::Windows);

    #[inline]
    fn start(self, bias: &[i32], sums: &mut [i32]) {
        for sums in halves_mut(sums) {
            for (sums, &bias) in sums.as_chunks_mut().0.iter_mut().zip(bias) {
                *sums = join(bias, bias);
            }
        }
    }

    #[inline]
    fn gather(self, values: &[i8], step: usize, pixels: usize, len: usize, at: usize, strip: &mut [i32]) {
        for (pair, strip) in halves_mut(strip).into_iter().enumerate() {
            let first = 2 * pair;
            if first >= pixels {
                break;
            }
            // A second pixel that nobody asks for is the first one again.
            let second = if first + 1 < pixels { first + 1 } else { first };
            if let (Some(first), Some(second), Some(strip)) =
                (values.get(first * step..), values.get(second * step..), strip.get_mut(at..))
            {
                gather_pair(first, second, len, strip);
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
        pixels: usize,
        sums: &mut [i32],
    ) {
        let (room, sums_room) = (strip.len() / PAIRS, sums.len() / PAIRS);
        let fits = depth > 0
            && depth.is_multiple_of(4)
            && channels > 0
            && room >= depth
            && sums_room / 2 >= channels
            && next >= depth
            && (channels - 1).saturating_mul(next).saturating_add(depth) <= weights.len()
            && aligned(weights, next);
        if !fits {
            return;
        }
        let pairs = halves(strip).into_iter().zip(halves_mut(sums));
        for (strip, sums) in pairs.take(pixels.div_ceil(2)) {
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
        for (pair, sums) in halves(sums).into_iter().enumerate() {
            let first = 2 * pair;
            if first >= pixels {
                break;
            }
            let Some(to) = to.get_mut(first * stride..) else { return };
            let finish = Finish::new(output);
            let sums = sums.as_chunks().0;
            let channels = multiplier.len();
            let last = if first + 1 < pixels { stride } else { 0 };
            if channels > 0 && sums.len() >= channels && last.saturating_add(channels) <= to.len() {
                let end = multiplier.as_ptr_range().end;
                // SAFETY: there are sums and multipliers for all channels, `to` has room for them and for them again `last`
                // places on, and `Finish` does not leave its table.
                unsafe { finish_pair(sums.as_ptr(), multiplier.as_ptr(), to.as_mut_ptr(), last, end, &finish) };
            }
        }
    }
}

/// The parts of strip or sums that belong to each pair. These CPUs do not divide, so it is not done by `chunks`.
fn halves<T>(all: &[T]) -> [&[T]; PAIRS] {
    all.split_at(all.len() / PAIRS).into()
}

fn halves_mut<T>(all: &mut [T]) -> [&mut [T]; PAIRS] {
    all.split_at_mut(all.len() / PAIRS).into()
}

/// Puts values of two pixels into the strip, `len` of each.
#[inline]
fn gather_pair(first: &[i8], second: &[i8], len: usize, strip: &mut [i32]) {
    if len > 0 && first.len() >= len && second.len() >= len && strip.len() >= len {
        // SAFETY: all three have `len` values, which is not 0.
        unsafe { gather_windows(first.as_ptr(), second.as_ptr(), strip.as_mut_ptr(), len) };
    }
}

/// Joins the values of two pixels: 6.5 instructions for each pair.
///
/// # Safety
///
/// All three have `len` values, and `len` is not 0.
#[unsafe(naked)]
unsafe extern "C" fn gather_windows(first: *const i8, second: *const i8, strip: *mut i32, len: usize) {
    naked_asm!(
        ".macro edgegen_pair",
        "ldrsb r5, [r0, r4]",
        "ldrsb r6, [r1, r4]",
        "lsls r6, r6, #16",
        "adds r5, r5, r6",
        "stm r2!, {{r5}}",
        "adds r4, #1",
        ".endm",
        "push {{r4-r7, lr}}",
        "movs r4, #0",
        "lsrs r7, r3, #2",
        "lsls r7, r7, #2", // the part in fours
        "beq 3f",
        "2:",
        "edgegen_pair",
        "edgegen_pair",
        "edgegen_pair",
        "edgegen_pair",
        "cmp r4, r7",
        "bne 2b",
        "3:",
        "cmp r4, r3",
        "beq 5f",
        "4:",
        "edgegen_pair",
        "cmp r4, r3",
        "bne 4b",
        "5:",
        "pop {{r4-r7, pc}}",
        ".purgem edgegen_pair",
    )
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
        let finish = Finish::new(output);
        let (sums, channels) = (sums.as_chunks().0, multiplier.len());
        if channels > 0 && sums.len() >= channels.div_ceil(2) && channels <= to.len() {
            let end = multiplier.as_ptr_range().end;
            // SAFETY: there are sums and multipliers for all channels, `to` has room for them, and `Finish` does not leave its
            // table.
            unsafe { finish_vector(sums.as_ptr(), multiplier.as_ptr(), to.as_mut_ptr(), end, &finish) };
        }
    }
}

/// Whether all weights start at whole words.
fn aligned(weights: &[i8], next: usize) -> bool {
    (weights.as_ptr() as usize | next).is_multiple_of(4)
}

/// What the assembly makes of [`Output`].
#[repr(C)]
struct Finish {
    /// Added to the high half of the product.
    zero_point: i32,
    low: i32,
    high: i32,
    /// The entry of code 0.
    table: *const i8,
}

impl Finish {
    #[inline]
    fn new(output: &Output<'_>) -> Self {
        Self {
            zero_point: output.zero_point.into(),
            low: output.low.into(),
            high: output.high.into(),
            // Codes that are their own entries: the assembly has one way.
            table: output.table.unwrap_or(&IDENTITY).as_ptr().wrapping_add(128),
        }
    }
}

/// The table that changes nothing.
static IDENTITY: [i8; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        table[index] = (index as i32 - 128) as i8;
        index += 1;
    }
    table
};

/// Code of a sum from products of halves, as there is no product of 64 bits: a macro for `naked_asm!`.
///
/// With sum = s′·2¹⁶ + s and multiplier = m′·2¹⁶ + m, which is never negative:
///
/// ```text
/// (sum · multiplier + 2³¹) >> 32 = s′m′ + (s′m + (s·m′ + (s·m >> 16) + 2¹⁵) >> 16)
/// ```
///
/// where the bracket with 2¹⁵ has no sign and 32 bits, and adding s′m to it takes 33.
///
/// In r0 the sum, r1 = m, r2 = m′, r7 the [`Finish`]; out r0, the output; r3 … r6 are lost. 29 instructions.
macro_rules! code_of_sum {
    () => {
        concat!(
            ".macro edgegen_code\n",
            "uxth r3, r0\n",      // s
            "asrs r0, r0, #16\n", // s'
            "movs r4, r3\n",
            "muls r4, r1, r4\n",
            "lsrs r4, r4, #16\n", // s·m >> 16
            "muls r3, r2, r3\n",  // s·m'
            "adds r3, r3, r4\n",
            "movs r4, #128\n",
            "lsls r4, r4, #8\n",
            "adds r3, r3, r4\n", // the bracket
            "movs r4, r0\n",
            "muls r4, r1, r4\n",  // s'm
            "muls r0, r2, r0\n",  // s'm'
            "asrs r5, r4, #31\n", // upper half of s'm
            "movs r6, #0\n",
            "adds r3, r3, r4\n",
            "adcs r5, r6\n",
            "lsls r5, r5, #16\n",
            "lsrs r3, r3, #16\n",
            "adds r0, r0, r5\n",
            "adds r0, r0, r3\n",
            "ldm r7!, {{r3, r4, r5, r6}}\n", // zero point, low, high, table
            "subs r7, #16\n",
            "adds r0, r0, r3\n",
            "cmp r0, r4\n",
            "bge 8f\n",
            "movs r0, r4\n",
            "8:\n",
            "cmp r0, r5\n",
            "ble 9f\n",
            "movs r0, r5\n",
            "9:\n",
            "ldrb r0, [r6, r0]\n",
            ".endm",
        )
    };
}

/// Finishes the sums of a pair of pixels: for each channel one value at `to` and one `last` further on, which is written first.
///
/// # Safety
///
/// `sums` has two words and `multiplier` one for each channel up to `end`; `to` has as many places, and again from `last` on.
#[unsafe(naked)]
unsafe extern "C" fn finish_pair(
    sums: *const [i32; 2],
    multiplier: *const i32,
    to: *mut i8,
    last: usize,
    end: *const i32,
    finish: &Finish,
) {
    naked_asm!(
        code_of_sum!(),
        "push {{r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r4-r7}}",
        "mov r8, r0",
        "mov r9, r1",
        "mov r10, r2",
        "mov r11, r3",
        "ldr r4, [sp, #36]", // end
        "mov r12, r4",
        "ldr r7, [sp, #40]", // finish
        "2:",
        "mov r3, r8",
        "ldm r3!, {{r0, r6}}", // t, h
        "mov r8, r3",
        "mov r3, r9",
        "ldm r3!, {{r1}}",
        "mov r9, r3",
        "lsrs r2, r1, #16",
        "uxth r1, r1",
        "lsls r5, r6, #16",
        "subs r0, r0, r5",
        "mov lr, r0", // the first pixel's sum
        "mov r0, r6",
        "edgegen_code",
        "mov r3, r10",
        "mov r4, r11",
        "strb r0, [r3, r4]",
        "mov r0, lr",
        "edgegen_code",
        "mov r3, r10",
        "strb r0, [r3]",
        "adds r3, #1",
        "mov r10, r3",
        "cmp r9, r12",
        "bne 2b",
        "pop {{r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "pop {{r4-r7, pc}}",
        ".purgem edgegen_code",
    )
}

/// Finishes the sums of one pixel, in pairs of channels.
///
/// # Safety
///
/// `multiplier` has a word for each channel up to `end`, `sums` two for each pair of them, `to` a place for each.
#[unsafe(naked)]
unsafe extern "C" fn finish_vector(
    sums: *const [i32; 2],
    multiplier: *const i32,
    to: *mut i8,
    end: *const i32,
    finish: &Finish,
) {
    naked_asm!(
        code_of_sum!(),
        "push {{r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r4-r7}}",
        "mov r8, r0",
        "mov r9, r1",
        "mov r10, r2",
        "mov r12, r3",
        "ldr r7, [sp, #36]", // finish
        "2:",
        "mov r3, r8",
        "ldm r3!, {{r0, r6}}", // t, h
        "mov r8, r3",
        "mov r11, r6", // the second channel's sum
        "lsls r5, r6, #16",
        "subs r0, r0, r5",
        "mov r3, r9",
        "ldm r3!, {{r1}}",
        "mov r9, r3",
        "lsrs r2, r1, #16",
        "uxth r1, r1",
        "edgegen_code",
        "mov r3, r10",
        "strb r0, [r3]",
        "cmp r9, r12",
        "beq 3f",
        "mov r0, r11",
        "mov r3, r9",
        "ldm r3!, {{r1}}",
        "mov r9, r3",
        "lsrs r2, r1, #16",
        "uxth r1, r1",
        "edgegen_code",
        "mov r3, r10",
        "strb r0, [r3, #1]",
        "adds r3, #2",
        "mov r10, r3",
        "cmp r9, r12",
        "bne 2b",
        "3:",
        "pop {{r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "pop {{r4-r7, pc}}",
        ".purgem edgegen_code",
    )
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
