//! What is not a matrix: sums, codes and tables, value by value. Tails of a loop are cut off by the vectors themselves.
//!
//! Sums have 32 bits, four in a vector, so that all that becomes a code by a multiplication takes 2.5 instructions a
//! value or more, whatever comes before.

use core::arch::naked_asm;

use super::{Finish, Mve};
use crate::kernels::{Channels, Pair, TILE, scalar};

/// [`Kernel::finish`](crate::kernels::Kernel::finish).
#[inline(never)] // what it takes is taken once
pub(super) fn finish(_: Mve, sums: &[i32], channels: &Channels<'_>, to: &mut [i8]) {
    let count = to.len().min(sums.len()).min(channels.multiplier.len());
    let finish = Finish { channels: count, ..Finish::new(channels) };
    // SAFETY: there are as many sums, multipliers and places. The codes are clamped to 0 … 255 where there is a table.
    // The kernel proves that there are vectors.
    unsafe { finish_all(sums.as_ptr(), to.as_mut_ptr(), &finish) }
}

/// Makes sums into codes: 8 instructions for 4, one more with a table.
///
/// # Safety
///
/// There are sums, multipliers and places for all channels. With a table, `low` and `high` are from 0 to 255. There are
/// vectors.
#[unsafe(naked)]
unsafe extern "C" fn finish_all(sums: *const i32, to: *mut i8, finish: &Finish) {
    naked_asm!(
        cpu!(),
        "push {{r4, r5, r6, lr}}",
        "ldrd r3, r12, [r2, #4]", // multiplier, channels
        "ldrd r4, r5, [r2, #12]", // table, zero point
        "ldr r6, [r2, #20]",
        "vdup.32 q2, r6",
        "ldr r6, [r2, #24]",
        "vdup.32 q3, r6",
        "cbnz r4, 3f",
        "wlstp.32 lr, r12, 5f",
        "2:",
        "vldrw.u32 q0, [r0], #16",
        "vldrw.u32 q1, [r3], #16",
        "vrmulh.s32 q0, q0, q1",
        "vadd.i32 q0, q0, r5",
        "vmax.s32 q0, q0, q2",
        "vmin.s32 q0, q0, q3",
        "vstrb.32 q0, [r1], #4",
        "letp lr, 2b",
        "b 5f",
        "3:",
        "wlstp.32 lr, r12, 5f",
        "4:",
        "vldrw.u32 q0, [r0], #16",
        "vldrw.u32 q1, [r3], #16",
        "vrmulh.s32 q0, q0, q1",
        "vadd.i32 q0, q0, r5",
        "vmax.s32 q0, q0, q2",
        "vmin.s32 q0, q0, q3",
        "vldrb.u32 q1, [r4, q0]",
        "vstrb.32 q1, [r1], #4",
        "letp lr, 4b",
        "5:",
        "pop {{r4, r5, r6, pc}}",
    )
}

/// [`Kernel::look_up`](crate::kernels::Kernel::look_up).
#[inline(never)] // what it takes is taken once
pub(super) fn look_up(_: Mve, table: &[i8; 256], from: &[i8], to: &mut [i8]) {
    // SAFETY: there are as many codes and places. The kernel proves that there are vectors.
    unsafe { look_up_all(table, from.as_ptr(), to.as_mut_ptr(), from.len().min(to.len())) }
}

/// Looks codes up: 5 instructions for 16.
///
/// # Safety
///
/// There are `len` codes and places, and vectors.
#[unsafe(naked)]
unsafe extern "C" fn look_up_all(table: &[i8; 256], from: *const i8, to: *mut i8, len: usize) {
    naked_asm!(
        cpu!(),
        "push {{r7, lr}}",
        "mov r12, #0x80",
        "vdup.8 q2, r12",
        "wlstp.8 lr, r3, 3f",
        "2:",
        "vldrb.u8 q0, [r1], #16",
        "veor q0, q0, q2",
        "vldrb.u8 q1, [r0, q0]",
        "vstrb.8 q1, [r2], #16",
        "letp lr, 2b",
        "3:",
        "pop {{r7, pc}}",
    )
}

/// [`Kernel::add`](crate::kernels::Kernel::add).
#[inline(never)] // what it takes is taken once
pub(super) fn add(_: Mve, values: &[i8], step: usize, zero_point: i8, square: bool, sums: &mut [i32]) {
    let pixels = match values.len().checked_sub(TILE) {
        Some(rest) if sums.len() == TILE && step > 0 => rest / step + 1,
        _ => return scalar::add(values, step, zero_point, square, sums),
    };
    let Some(sums) = sums.first_chunk_mut::<TILE>() else { return };
    // SAFETY: each pixel has values for all sums, and there is one at least. The kernel proves that there are vectors.
    unsafe {
        if square {
            add_squares(sums, values.as_ptr(), step, pixels, zero_point.into());
        } else {
            // As many at a time as sums of 16 bits take.
            let (mut values, mut left) = (values.as_ptr(), pixels);
            while left > 0 {
                let here = left.min(256);
                add_values(sums, values, step, here, here as i32 * i32::from(zero_point));
                (values, left) = (values.wrapping_add(here * step), left - here);
            }
        }
    }
}

/// Adds 16 channels of pixels to sums, in 16 bits first: 6 instructions for 16 values.
///
/// # Safety
///
/// There are `pixels` pixels, 1 to 256, `step` bytes apart, of 16 values. There are vectors.
#[unsafe(naked)]
unsafe extern "C" fn add_values(
    sums: &mut [i32; TILE],
    values: *const i8,
    step: usize,
    pixels: usize,
    zero_points: i32,
) {
    naked_asm!(
        cpu!(),
        "push {{r7, lr}}",
        "ldr r12, [sp, #8]", // all zero points
        "sub sp, #32",
        "vmov.i32 q2, #0",
        "vmov.i32 q3, #0",
        "dls lr, r3",
        "2:",
        "vldrb.s16 q0, [r1]",
        "vldrb.s16 q1, [r1, #8]",
        "vadd.i16 q2, q2, q0",
        "vadd.i16 q3, q3, q1",
        "add r1, r2",
        "le lr, 2b",
        "vstrw.32 q2, [sp]",
        "vstrw.32 q3, [sp, #16]",
        "mov r1, sp",
        "movs r3, #4",
        "dls lr, r3",
        "3:", // four of them
        "vldrh.s32 q0, [r1], #8",
        "vldrw.u32 q1, [r0]",
        "vsub.i32 q0, q0, r12",
        "vadd.i32 q0, q0, q1",
        "vstrw.32 q0, [r0], #16",
        "le lr, 3b",
        "add sp, #32",
        "pop {{r7, pc}}",
    )
}

/// Adds squares of 16 channels of pixels, less their zero point, to sums: 18 instructions for 16.
///
/// # Safety
///
/// There are `pixels` pixels, one at least, `step` bytes apart, of 16 values. There are vectors.
#[unsafe(naked)]
unsafe extern "C" fn add_squares(
    sums: &mut [i32; TILE],
    values: *const i8,
    step: usize,
    pixels: usize,
    zero_point: i32,
) {
    macro_rules! four {
        ($at:literal, $sum:literal) => {
            concat!(
                "vldrb.s32 q0, [r1, #",
                $at,
                "]\n",
                "vsub.i32 q0, q0, r12\n",
                "vmul.i32 q0, q0, q0\n",
                "vadd.i32 ",
                $sum,
                ", ",
                $sum,
                ", q0\n"
            )
        };
    }
    naked_asm!(
        cpu!(),
        "push {{r7, lr}}",
        "vpush {{d8-d15}}",
        "ldr r12, [sp, #72]", // zero point
        "vldrw.u32 q4, [r0]",
        "vldrw.u32 q5, [r0, #16]",
        "vldrw.u32 q6, [r0, #32]",
        "vldrw.u32 q7, [r0, #48]",
        "dls lr, r3",
        "2:",
        four!("0", "q4"),
        four!("4", "q5"),
        four!("8", "q6"),
        four!("12", "q7"),
        "add r1, r2",
        "le lr, 2b",
        "vstrw.32 q4, [r0]",
        "vstrw.32 q5, [r0, #16]",
        "vstrw.32 q6, [r0, #32]",
        "vstrw.32 q7, [r0, #48]",
        "vpop {{d8-d15}}",
        "pop {{r7, pc}}",
    )
}

/// [`Kernel::join`](crate::kernels::Kernel::join).
#[inline(never)] // what it takes is taken once
pub(super) fn join(_: Mve, pair: &Pair<'_>, channels: &Channels<'_>, to: &mut [i8]) {
    let count = channels.bias.len();
    let pixels = to.len().checked_div(count).unwrap_or(0);
    let reach = |step: usize| pixels.saturating_sub(1).saturating_mul(step).saturating_add(count);
    let fits = pixels > 0
        && count <= channels.multiplier.len()
        && reach(pair.steps[0]) <= pair.a.len()
        && reach(pair.steps[1]) <= pair.b.len();
    if !fits {
        return;
    }
    let [a_step, b_step] = pair.steps;
    // No way out before the end, so that this is vectors, too.
    let is_same = |words: &[i32]| {
        let first = words.first().copied().unwrap_or_default();
        words.iter().fold(0, |differing, word| differing | (word ^ first)) == 0
    };
    // Worth asking where there are many pixels.
    let is_uniform = pixels >= 4 && is_same(channels.bias) && is_same(channels.multiplier);
    let is_flat = is_uniform && pair.steps == [count; 2];
    let mut job = JoinJob {
        a: pair.a.as_ptr(),
        b: pair.b.as_ptr(),
        to: to.as_mut_ptr(),
        a_step,
        b_step,
        factors: pair.factors,
        pixels: if is_flat { 1 } else { pixels },
        output: Finish { channels: if is_flat { count * pixels } else { count }, ..Finish::new(channels) },
    };
    // SAFETY: checked above: values of all pixels and channels, one at least, and places; a multiplier for each bias,
    // or one for all. The codes are clamped to 0 … 255 where there is a table. The kernel proves that there are
    // vectors.
    unsafe {
        match (pair.multiply, is_uniform) {
            (false, false) => join_sum(&mut job),
            (true, false) => join_product(&mut job),
            (false, true) => join_sum_uniform(&mut job),
            (true, true) => join_product_uniform(&mut job),
        }
    }
}

/// What the functions of `join!` and `join_uniform!` read and move on, in this order.
#[repr(C)]
struct JoinJob {
    a: *const i8,
    b: *const i8,
    to: *mut i8,
    a_step: usize,
    b_step: usize,
    factors: [i32; 2],
    pixels: usize,
    output: Finish,
}

/// A function that makes pixels of two operands, around `$start`, what stays in registers for all of them, and
/// `$sum`, four sums in q0 from addresses r1 and r2, and what they are multiplied with in `$multiplier`.
///
/// # Safety
///
/// Everything that the job points to is there, for all pixels and channels; one of each at least. With a table, `low`
/// and `high` are from 0 to 255. There are vectors.
macro_rules! join {
    ($name:ident, $multiplier:literal, [$($start:literal)*], [$($pixel:literal)*], [$($sum:literal)*]) => {
        /// See `join!`.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(job: &mut JoinJob) {
            macro_rules! code {
                () => {
                    concat!(
                        $($sum, "\n",)*
                        "vrmulh.s32 q0, q0, ", $multiplier, "\n",
                        "vadd.i32 q0, q0, r10\n",
                        "vmax.s32 q0, q0, q2\n",
                        "vmin.s32 q0, q0, q3\n",
                    )
                };
            }
            naked_asm!(
                cpu!(),
                "push {{r4, r5, r6, r7, r8, r9, r10, r11, r12, lr}}",
                "vpush {{d8-d11}}",
                "ldrd r8, r9, [r0, #20]", // factors
                "ldrd r11, r10, [r0, #44]", // table, zero point
                "ldrd r4, r5, [r0, #52]", // low, high
                "vdup.32 q2, r4",
                "vdup.32 q3, r5",
                "ldrd r4, r5, [r0, #32]", // bias, multiplier
                $($start,)*
                "ldr r7, [r0, #40]", // channels
                "2:", // each pixel
                "ldrd r1, r2, [r0]",
                "ldrd r3, r6, [r0, #8]", // to, the step of a
                "ldr r12, [r0, #16]", // the step of b
                $($pixel,)*
                "add r6, r1",
                "add r12, r2",
                "strd r6, r12, [r0]",
                "add r6, r3, r7",
                "str r6, [r0, #8]",
                "cmp r11, #0",
                "bne.w 4f",
                "dlstp.32 lr, r7",
                "3:",
                code!(),
                "vstrb.32 q0, [r3], #4",
                "letp lr, 3b",
                "b 6f",
                "4:",
                "dlstp.32 lr, r7",
                "5:",
                code!(),
                "vldrb.u32 q1, [r11, q0]",
                "vstrb.32 q1, [r3], #4",
                "letp lr, 5b",
                "6:",
                "ldr r6, [r0, #28]", // pixels
                "subs r6, #1",
                "str r6, [r0, #28]",
                "bne.w 2b",
                "vpop {{d8-d11}}",
                "pop {{r4, r5, r6, r7, r8, r9, r10, r11, r12, pc}}",
            )
        }
    };
}

/// Of channels with biases and multipliers of their own: 12 or 13 instructions for 4 values, two more with a table,
/// and 21 for each pixel.
macro_rules! join_by_channel {
    ($name:ident, $($sum:literal)*) => {
        join!(
            $name,
            "q1",
            [],
            ["ldrd r4, r5, [r0, #32]"], // bias, multiplier
            [$($sum)* "vldrw.u32 q1, [r5], #16"]
        );
    };
}

join_by_channel!(
    join_sum,
    "vldrw.u32 q0, [r4], #16"
    "vldrb.s32 q1, [r1], #4"
    "vmla.i32 q0, q1, r8"
    "vldrb.s32 q1, [r2], #4"
    "vmla.i32 q0, q1, r9"
);
join_by_channel!(
    join_product,
    "vldrb.s32 q0, [r1], #4"
    "vsub.i32 q0, q0, r8"
    "vldrb.s32 q1, [r2], #4"
    "vsub.i32 q1, q1, r9"
    "vmul.i32 q0, q0, q1"
    "vldrw.u32 q1, [r4], #16"
    "vadd.i32 q0, q0, q1"
);

/// Of channels that all have the same: 10 or 11 instructions for 4 values, two more with a table, and 20 for each
/// pixel, of which two maps have one.
macro_rules! join_uniform {
    ($name:ident, $($sum:literal)*) => {
        join!(
            $name,
            "q5",
            ["vdup.32 q4, r8" "ldr r4, [r4]" "ldr r5, [r5]" "vdup.32 q5, r5"],
            [],
            ["vldrb.s32 q0, [r1], #4" $($sum)*]
        );
    };
}

join_uniform!(
    join_sum_uniform,
    "vldrb.s32 q1, [r2], #4"
    "vmlas.i32 q0, q4, r4"
    "vmla.i32 q0, q1, r9"
);
join_uniform!(
    join_product_uniform,
    "vsub.i32 q0, q0, r8"
    "vldrb.s32 q1, [r2], #4"
    "vsub.i32 q1, q1, r9"
    "vmlas.i32 q0, q1, r4"
);
