//! Depthwise convolutions, four channels of a whole row at a time.
//!
//! Of two lanes, four channels are a word of values each. Put together by halves, one SXTB16 makes a pair that SMLAD
//! takes, with a value of each lane in it:
//!
//! ```text
//! p = (x₀ x₁ of lane 0, x₀ x₁ of lane 1)        even bytes: channel 0 of both lanes, odd bytes: channel 1
//! q = (x₂ x₃ of lane 0, x₂ x₃ of lane 1)        likewise channels 2 and 3
//! ```
//!
//! Weights are paired in the same way, once for all pixels of the row, in the working memory.

use core::arch::naked_asm;

use super::Finish;
use crate::kernels::{Row, Window, scalar};
use crate::packing::depthwise_words;

/// Channels that are made together.
const CHANNELS: usize = 4;

/// [`Kernel::channels`](crate::kernels::Kernel::channels).
#[inline(never)] // what it takes is taken once
pub(super) fn channels(row: &mut Row<'_>) {
    let Row { window, weights, channels, pixels, stride, scratch } = row.again();
    let Window { values, lanes, run, step } = window;
    let all = channels.bias.len();
    let count = (pixels.len() + stride).saturating_sub(all).checked_div(stride).unwrap_or(0);
    let Some(last) = all.checked_sub(CHANNELS).filter(|_| scratch.len() >= depthwise_words(lanes.len())) else {
        return scalar::single_channels(row);
    };
    let reach = count.saturating_sub(1).saturating_mul(step).saturating_add(run);
    let fits = count > 0
        && stride >= all
        && run == all
        && all <= channels.multiplier.len()
        && lanes.len().saturating_mul(run) <= weights.len();
    if !fits || !window.holds(reach) {
        return;
    }
    let finish = Finish::new(&channels.output, [0; 3]);
    let mut first = 0;
    while first < all {
        // The last four may begin among channels that are made already.
        let from = first.min(last);
        let job = FourChannels {
            values: values.as_ptr().wrapping_add(from),
            weights: weights.as_ptr().wrapping_add(from),
            lanes: lanes.as_ptr(),
            lane_count: lanes.len(),
            run,
            bias: channels.bias.as_ptr().wrapping_add(from),
            list: scratch.as_mut_ptr(),
            multiplier: channels.multiplier.as_ptr().wrapping_add(from),
            finish: &finish,
            to: pixels.as_mut_ptr().wrapping_add(from),
            pixels: count,
            stride,
            step,
        };
        // SAFETY: checked above: each lane has values of all channels and pixels, and weights; there are as many biases
        // and multipliers, a place for each value, and a list of so many lanes. [`Finish`] does not leave its table.
        unsafe { make_channels(&job) };
        first += CHANNELS;
    }
}

/// What [`make_channels`] reads, in this order.
#[repr(C)]
struct FourChannels {
    values: *const i8,
    weights: *const i8,
    lanes: *const u32,
    lane_count: usize,
    run: usize,
    bias: *const i32,
    list: *mut i32,
    multiplier: *const i32,
    finish: *const Finish,
    to: *mut i8,
    pixels: usize,
    stride: usize,
    step: usize,
}

/// Makes four channels of all pixels of a row.
///
/// ```text
/// list = 4 biases
///        of an odd lane: place, weights of channels 0 and 2, of channels 1 and 3
///        of each two others: both places, the weights of both for channel 0, 1, 2, 3
///        4 multipliers, how sums become codes
/// for each pixel
///     4 sums = biases
///     of an odd lane: 4 sums += products              2 SXTB16, 2 SMLABB, 2 SMLATT
///     for each two others                             twice in a row, entered so that the rest comes first
///         load both places with their weights         1 LDM
///         load both values, pair them                 2 LDR, PKHBT, PKHTB
///         4 sums += products                          4 SXTB16, 4 SMLAD
///     round, clamp, store                             1 word
/// ```
///
/// 13 instructions for 8 products of two lanes, 1.63 each; 27 more for each pixel, 12 on top of them with a table, 9
/// for an odd lane.
///
/// # Safety
///
/// Everything that the job points to is there: for each lane, values of four channels at its place and `step` bytes
/// further for each further pixel, and weights, `run` bytes after those of the lane before; four biases and
/// multipliers; four places for each of `pixels` pixels, one at least, `stride` bytes apart; and [`depthwise_words`]
/// of the list.
#[unsafe(naked)]
unsafe extern "C" fn make_channels(job: &FourChannels) {
    macro_rules! two_lanes {
        () => {
            "ldm r0!, {{r2, r3, r8, r9, r10, r11}}
            ldr r2, [r1, r2]
            ldr r3, [r1, r3]
            pkhbt r12, r2, r3, lsl #16
            pkhtb r3, r3, r2, asr #16
            sxtb16 r2, r12
            smlad r4, r2, r8, r4
            sxtb16 r12, r12, ror #8
            smlad r5, r12, r9, r5
            sxtb16 r2, r3
            smlad r6, r2, r10, r6
            sxtb16 r3, r3, ror #8
            smlad r7, r3, r11, r7"
        };
    }
    naked_asm!(
        env!("EDGEGEN_CPU_DIRECTIVE"),
        "push {{r4-r11, lr}}",
        "sub sp, #32",
        "ldm r0!, {{r1, r2, r3, r4, r5, r6, r7}}", // values, weights, lanes, lane_count, run, bias, list
        "str r7, [sp]",
        "ldm r6, {{r8, r9, r10, r11}}",
        "stm r7!, {{r8, r9, r10, r11}}",
        "lsrs r4, r4, #1",
        "str r4, [sp, #4]",
        "bcc 2f",
        "ldr r8, [r3], #4",
        "ldr r9, [r2]",
        "add r2, r2, r5",
        "sxtb16 r10, r9, ror #8",
        "sxtb16 r9, r9",
        "stm r7!, {{r8, r9, r10}}",
        "2:",
        "cbz r4, 4f",
        "3:",
        "ldrd r8, r9, [r3], #8",
        "ldr r12, [r2]",
        "ldr lr, [r2, r5]",
        "add r2, r2, r5, lsl #1",
        "pkhbt r11, r12, lr, lsl #16",
        "pkhtb lr, lr, r12, asr #16",
        "sxtb16 r10, r11",
        "sxtb16 r11, r11, ror #8",
        "sxtb16 r12, lr",
        "sxtb16 lr, lr, ror #8",
        "stm r7!, {{r8, r9, r10, r11, r12, lr}}",
        "subs r4, r4, #1",
        "bne 3b",
        "4:",
        "ldm r0!, {{r2, r3, r4, r5, r6, r8}}", // multiplier, finish, to, pixels, stride, step
        "ldm r2, {{r9, r10, r11, r12}}",
        "stm r7!, {{r9, r10, r11, r12}}",
        "ldm r3, {{r9, r10, r11, r12}}", // above_low, below_top, last, table
        "stm r7!, {{r9, r10, r11, r12}}",
        "strd r4, r5, [sp, #16]", // to, pixels
        "strd r6, r8, [sp, #24]", // stride, step
        // Rounds, where a pixel enters, where pairs do.
        "ldr r4, [sp, #4]",
        "ldr r5, [r0, #-40]", // lane_count
        "adr.w r6, 20f",
        "adr.w r7, 21f",
        "adr.w r8, 22f",
        "adr.w r9, 11f",
        "tst r4, #1",
        "it ne",
        "movne r6, r7",
        "cmp r4, #0",
        "it eq",
        "moveq r6, r8",
        "orr r6, r6, #1", // Thumb
        "orr r9, r9, #1",
        "tst r5, #1",
        "it eq",
        "moveq r9, r6",
        "add r4, r4, #1",
        "lsr r4, r4, #1",
        "str r4, [sp, #4]",
        "strd r9, r6, [sp, #8]",
        ".p2align 2", // as it is from here that ADR counts
        "10:",
        "ldrd r0, lr, [sp]", // list, rounds
        "ldm r0!, {{r4, r5, r6, r7}}",
        "ldr pc, [sp, #8]",
        "11:", // an odd lane
        "ldm r0!, {{r2, r3, r8}}",
        "ldr r2, [r1, r2]",
        "sxtb16 r9, r2",
        "sxtb16 r2, r2, ror #8",
        "smlabb r4, r9, r3, r4",
        "smlatt r6, r9, r3, r6",
        "smlabb r5, r2, r8, r5",
        "smlatt r7, r2, r8, r7",
        "ldr pc, [sp, #12]",
        "20:",
        two_lanes!(),
        "21:",
        two_lanes!(),
        "subs lr, lr, #1",
        "bne 20b",
        "22:",
        "ldm r0, {{r2, r3, r8, r9, r10, r11, r12, lr}}", // multipliers, above_low, below_top, last, table
        "smmlar r4, r4, r2, r10",
        "smmlar r5, r5, r3, r10",
        "smmlar r6, r6, r8, r10",
        "smmlar r7, r7, r9, r10",
        "usat r4, #8, r4",
        "usat r5, #8, r5",
        "usat r6, #8, r6",
        "usat r7, #8, r7",
        "orr r4, r4, r5, lsl #8",
        "orr r6, r6, r7, lsl #8",
        "orr r4, r4, r6, lsl #16",
        "uqadd8 r4, r4, r11",
        "cmp lr, #0",
        "bne 40f",
        "uadd8 r4, r4, r12",
        "30:",
        "ldrd r2, r3, [sp, #16]", // to, pixels
        "ldrd r8, r9, [sp, #24]", // stride, step
        "str r4, [r2]",
        "add r2, r2, r8",
        "add r1, r1, r9",
        "subs r3, r3, #1",
        "strd r2, r3, [sp, #16]",
        "bne 10b",
        "add sp, #32",
        "pop {{r4-r11, pc}}",
        "40:", // through the table
        "uxtb r5, r4",
        "ubfx r6, r4, #8, #8",
        "ubfx r7, r4, #16, #8",
        "lsr r4, r4, #24",
        "ldrb r5, [r12, r5]",
        "ldrb r6, [r12, r6]",
        "ldrb r7, [r12, r7]",
        "ldrb r4, [r12, r4]",
        "orr r5, r5, r6, lsl #8",
        "orr r5, r5, r7, lsl #16",
        "orr r4, r5, r4, lsl #24",
        "b 30b",
    )
}
