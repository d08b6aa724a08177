//! Depthwise convolutions, eight channels of a whole row at a time.
//!
//! Products have 16 bits, and of two lanes so has their sum: 2 · 127 · 128 < 2¹⁵. So two lanes take one widening of
//! eight sums, by even and odd channels, and even and odd they are rounded and narrowed, which puts them in order
//! again.

use core::arch::naked_asm;

use super::{Finish, Mve, count};
use crate::kernels::{Row, Window, scalar};

/// Channels that are made together.
const CHANNELS: usize = 8;

/// [`Kernel::channels`](crate::kernels::Kernel::channels).
#[inline(never)] // what it takes is taken once
pub(super) fn channels(_: Mve, row: &mut Row<'_>) {
    let Row { window, weights, channels, pixels, stride, .. } = row.again();
    let Window { values, lanes, run, step } = window;
    let (all, count) = (channels.bias.len(), count(pixels, &channels, stride));
    let Some(last) = all.checked_sub(CHANNELS) else { return scalar::single_channels(row) };
    let reach = count.saturating_sub(1).saturating_mul(step).saturating_add(run);
    let fits = count > 0
        && stride >= all
        && run == all
        && all <= channels.multiplier.len()
        && lanes.len().saturating_mul(run) <= weights.len();
    if !fits || !window.holds(reach) {
        return;
    }
    let mut first = 0;
    while first < all {
        // The last eight may begin among channels that are made already.
        let from = first.min(last);
        let mut job = EightChannels {
            values: values.as_ptr().wrapping_add(from),
            weights: weights.as_ptr().wrapping_add(from),
            lanes: lanes.as_ptr(),
            pairs: lanes.len() / 2,
            odd: lanes.len() % 2,
            run,
            step,
            stride,
            to: pixels.as_mut_ptr().wrapping_add(from),
            left: count,
            output: Finish::new(&channels.part(from, CHANNELS)),
        };
        // SAFETY: checked above: each lane has values of all channels and pixels, and weights; there are as many biases
        // and multipliers, and a place for each value. The codes are clamped to 0 … 255 where there is a table. The
        // kernel proves that there are vectors.
        unsafe { make_channels(&mut job) }
        first += CHANNELS;
    }
}

/// What [`make_channels`] reads, and counts down, in this order.
#[repr(C)]
struct EightChannels {
    values: *const i8,
    weights: *const i8,
    lanes: *const u32,
    /// Of lanes, and whether there is one more.
    pairs: usize,
    odd: usize,
    run: usize,
    step: usize,
    stride: usize,
    to: *mut i8,
    /// Pixels to go.
    left: usize,
    output: Finish,
}

/// Makes eight channels of all pixels of a row.
///
/// ```text
/// for each two pixels                                     an odd last one is both
///     q4, q5, q6, q7 = biases                             even and odd channels of pixel 0, of pixel 1
///     of an odd lane: load weights; for each pixel: load, multiply, widen, add
///     for each two others
///         q0, q1 = weights                                4 instructions
///         for each pixel
///             q2 = sum of both products                   2 additions, 2 loads, 2 VMUL, VADD
///             sums += its even and odd parts              VMOVLB, VMOVLT, 2 VADD
///     q2, q3 = sums                                       rounded, narrowed, clamped, through the table, stored
/// ```
///
/// 28 instructions for 32 products of two lanes, 0.88 each; 45 more for each two pixels, and 17 for an odd lane.
///
/// # Safety
///
/// Everything that the job points to is there: for each lane, values of eight channels at its place and `step` bytes
/// further for each further pixel, and weights, `run` bytes after those of the lane before; eight biases and
/// multipliers; eight places for each of `left` pixels, one at least, `stride` bytes apart. With a table, `low` and
/// `high` are from 0 to 255. There are vectors.
#[unsafe(naked)]
unsafe extern "C" fn make_channels(job: &mut EightChannels) {
    // Products of a lane at r4 with weights in q0, of a pixel at `$base`.
    macro_rules! one_lane {
        ($base:literal, $even:literal, $odd:literal) => {
            concat!(
                "add r7, r4, ",
                $base,
                "\n",
                "vldrb.s16 q2, [r7]\n",
                "vmul.i16 q2, q2, q0\n",
                "vmovlb.s16 q3, q2\n",
                "vadd.i32 ",
                $even,
                ", ",
                $even,
                ", q3\n",
                "vmovlt.s16 q2, q2\n",
                "vadd.i32 ",
                $odd,
                ", ",
                $odd,
                ", q2\n",
            )
        };
    }
    // The same of two lanes, at r4 and r5 with weights in q0 and q1.
    macro_rules! two_lanes {
        ($base:literal, $even:literal, $odd:literal) => {
            concat!(
                "add r7, r4, ",
                $base,
                "\n",
                "vldrb.s16 q2, [r7]\n",
                "add r7, r5, ",
                $base,
                "\n",
                "vmul.i16 q2, q2, q0\n",
                "vldrb.s16 q3, [r7]\n",
                "vmul.i16 q3, q3, q1\n",
                "vadd.i16 q2, q2, q3\n",
                "vmovlb.s16 q3, q2\n",
                "vadd.i32 ",
                $even,
                ", ",
                $even,
                ", q3\n",
                "vmovlt.s16 q2, q2\n",
                "vadd.i32 ",
                $odd,
                ", ",
                $odd,
                ", q2\n",
            )
        };
    }
    naked_asm!(
        cpu!(),
        "push {{r4, r5, r6, r7, r8, r9, r10, r11, r12, lr}}",
        "vpush {{d8-d15}}",
        "ldr r1, [r0]",            // values
        "ldrd r6, r9, [r0, #20]",  // run, step
        "ldrd r11, r8, [r0, #28]", // stride, to
        "ldr r10, [r0, #36]",      // left
        "2:",                      // each two pixels
        "ldrd r2, r3, [r0, #4]",   // weights, lanes
        "cmp r10, #1",
        "itt eq",
        "moveq r9, #0",
        "moveq r11, #0",
        "add r12, r1, r9",
        "ldr r7, [r0, #40]", // bias
        "vld20.32 {{q4, q5}}, [r7]",
        "vld21.32 {{q4, q5}}, [r7]",
        "vmov q6, q4",
        "vmov q7, q5",
        "ldrd r5, r4, [r0, #12]", // pairs, odd
        "mov lr, r5",
        "cbz r4, 3f",
        "ldr r4, [r3], #4",
        "vldrb.s16 q0, [r2]",
        "add r2, r6",
        one_lane!("r1", "q4", "q5"),
        one_lane!("r12", "q6", "q7"),
        "3:",
        "wls lr, lr, 5f",
        "4:",
        "ldrd r4, r5, [r3], #8",
        "vldrb.s16 q0, [r2]",
        "add r2, r6",
        "vldrb.s16 q1, [r2]",
        "add r2, r6",
        two_lanes!("r1", "q4", "q5"),
        two_lanes!("r12", "q6", "q7"),
        "le lr, 4b",
        "5:",
        "ldr r7, [r0, #44]", // multiplier
        "vld20.32 {{q0, q1}}, [r7]",
        "vld21.32 {{q0, q1}}, [r7]",
        "vrmulh.s32 q4, q4, q0",
        "vrmulh.s32 q5, q5, q1",
        "vrmulh.s32 q6, q6, q0",
        "vrmulh.s32 q7, q7, q1",
        "vqmovnb.s32 q2, q4",
        "vqmovnt.s32 q2, q5",
        "vqmovnb.s32 q3, q6",
        "vqmovnt.s32 q3, q7",
        "ldrd r4, r5, [r0, #52]", // table, zero point
        "vqadd.s16 q2, q2, r5",
        "vqadd.s16 q3, q3, r5",
        "ldrd r5, r7, [r0, #60]", // low, high
        "vdup.16 q0, r5",
        "vdup.16 q1, r7",
        "vmax.s16 q2, q2, q0",
        "vmax.s16 q3, q3, q0",
        "vmin.s16 q2, q2, q1",
        "vmin.s16 q3, q3, q1",
        "cbz r4, 6f",
        "vldrb.u16 q0, [r4, q2]",
        "vldrb.u16 q1, [r4, q3]",
        "vmov q2, q0",
        "vmov q3, q1",
        "6:",
        "mov r2, r8",
        "add r3, r2, r11",
        "vstrb.16 q2, [r2]",
        "vstrb.16 q3, [r3]",
        "add r8, r3, r11",
        "add r1, r12, r9",
        "subs r10, #2",
        "bgt.w 2b",
        "vpop {{d8-d15}}",
        "pop {{r4, r5, r6, r7, r8, r9, r10, r11, r12, pc}}",
    )
}
