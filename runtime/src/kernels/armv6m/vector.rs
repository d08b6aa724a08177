//! One pixel of a fully connected layer: four weights of a word, by shifts.

use core::arch::naked_asm;

use super::finish::{Finish, finish_vector, finish_vector_table};
use super::{Vector, blocking, tiles_fit};
use crate::fixed::Output;
use crate::kernels::blocked::Tile;
use crate::packing::{Blocking, Matrix};

impl Tile for Vector {
    const BLOCKING: Blocking = blocking(Matrix::Vector);

    #[inline]
    fn start(self, bias: &[i32], sums: &mut [i32]) {
        for (sum, &bias) in sums.iter_mut().zip(bias) {
            *sum = bias;
        }
    }

    #[inline(never)]
    fn gather(self, values: &[i8], _step: usize, _pixels: usize, len: usize, at: usize, strip: &mut [i32]) {
        let strip = strip.get_mut(at..).unwrap_or(&mut []);
        for (word, &value) in strip.iter_mut().zip(values.get(..len).unwrap_or(&[])) {
            *word = value.into();
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
        let Some(strip) = strip.get(..depth) else { return };
        let room = channels.next_multiple_of(4);
        if depth.is_multiple_of(8)
            && sums.len() >= room
            && tiles_fit(weights, next, depth, channels)
            && (weights.as_ptr() as usize | next).is_multiple_of(4)
        {
            let surplus = 128 * strip.iter().fold(0, |sum: i32, &value| sum.wrapping_add(value));
            let (skip, end) = (next.wrapping_sub(4 * depth), sums.as_ptr().wrapping_add(room));
            let ends = [strip.as_ptr_range().end, end];
            // SAFETY: depth and channels are not 0. The strip has `depth` words, a multiple of 8; `sums` has one for each channel,
            // rounded up to four; each four channels have a word of `weights` for each of the depth, aligned, `next` bytes after
            // those of the four before.
            unsafe { multiply_vector(strip.as_ptr(), weights.as_ptr(), sums.as_mut_ptr(), &ends, skip, surplus) };
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
            let finish = Finish { end: sums.as_ptr().wrapping_add(channels), ..Finish::new(output) };
            let (sums, multiplier, to) = (sums.as_ptr(), multiplier.as_ptr(), to.as_mut_ptr());
            // SAFETY: there are a sum, a multiplier and a place for each channel. `Finish::new` does not leave its table.
            unsafe {
                match output.table {
                    Some(_) => finish_vector_table(sums, multiplier, to, &finish),
                    None => finish_vector(sums, multiplier, to, &finish),
                }
            }
        }
    }
}

/// Adds the products of one pixel with all channels.
///
/// ```text
/// for each four channels
///     t = sums − surplus, joined                                       37 instructions around the loop
///     for each two of the depth
///         x₀, x₁ = strip;  word₀, word₁ = weights        2
///         t.3 += (word₀ >> 24)·x₀                        3
///         t.2 += (word₀ >> 16)·x₀                        3
///         t.1 += (word₀ >> 8)·x₀                         3
///         t.0 += word₀·x₀                                2
///         the same with word₁ and x₁                    11    8 products in 24 instructions: 3 each, and 2 in 32 for the loop
///     sums = t, taken apart
/// ```
///
/// # Safety
///
/// `strip` has a word for each of the depth, up to the first of `ends`; the depth is a multiple of 8 and not 0. `sums` has a word for
/// each channel up to the second, a multiple of four and not 0. Each four channels have a word of weights for each of the depth;
/// `skip` bytes lie between them and the next.
#[unsafe(naked)]
unsafe extern "C" fn multiply_vector(
    strip: *const i32,
    weights: *const i8,
    sums: *mut i32,
    ends: &[*const i32; 2],
    skip: usize,
    surplus: i32,
) {
    macro_rules! value {
        ($x:literal, $word:literal) => {
            concat!(
                concat!("asrs r6, ", $word, ", #24\n"),
                concat!("muls r6, ", $x, ", r6\n"),
                "add r11, r6\n",
                concat!("asrs r6, ", $word, ", #16\n"),
                concat!("muls r6, ", $x, ", r6\n"),
                "add r10, r6\n",
                concat!("asrs r6, ", $word, ", #8\n"),
                concat!("muls r6, ", $x, ", r6\n"),
                "add r9, r6\n",
                concat!("muls ", $word, ", ", $x, ", ", $word, "\n"),
                concat!("add r8, ", $word, "\n"),
            )
        };
    }
    macro_rules! two {
        () => {
            concat!("ldm r0!, {{r2, r3}}\n", "ldm r1!, {{r4, r5}}\n", value!("r2", "r4"), value!("r3", "r5"))
        };
    }
    naked_asm!(
        "push {{r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r4-r7}}",
        "mov r7, r2", // sums
        "ldm r3!, {{r4, r5}}",
        "mov r12, r4", // end of the strip
        "push {{r5}}", // end of the sums
        "mov lr, r0",
        "2:", // each four channels
        "mov r6, r7",
        "ldm r6!, {{r2-r5}}",
        "ldr r6, [sp, #44]", // surplus
        "mov r11, r5",
        "subs r4, r4, r6",
        "lsls r5, r5, #8",
        "adds r4, r4, r5",
        "mov r10, r4",
        "subs r3, r3, r6",
        "lsls r4, r4, #8",
        "adds r3, r3, r4",
        "mov r9, r3",
        "subs r2, r2, r6",
        "lsls r3, r3, #8",
        "adds r2, r2, r3",
        "mov r8, r2",
        "mov r0, lr",
        "3:",
        two!(),
        two!(),
        two!(),
        two!(),
        "cmp r0, r12",
        "bne 3b",
        "mov r2, r8",
        "mov r3, r9",
        "mov r4, r10",
        "mov r5, r11",
        "lsls r6, r3, #8",
        "subs r2, r2, r6",
        "lsls r6, r4, #8",
        "subs r3, r3, r6",
        "lsls r6, r5, #8",
        "subs r4, r4, r6",
        "stm r7!, {{r2-r5}}",
        "ldr r6, [sp, #40]", // skip
        "adds r1, r1, r6",
        "ldr r6, [sp]",
        "cmp r7, r6",
        "beq 4f", // too far for a conditional branch back
        "b 2b",
        "4:",
        "add sp, #4",
        "pop {{r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "pop {{r4-r7, pc}}",
    )
}
