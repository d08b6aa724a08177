//! Depthwise convolutions, one channel of a whole row at a time, two pixels together.
//!
//! A list in the working memory has each lane's place and weight side by side, so that one LDM loads both for two
//! pixels.

use core::arch::naked_asm;

use super::finish::{Finish, finish_sum};
use crate::kernels::{Row, Window, scalar};
use crate::packing::{DEPTHWISE_LANES, depthwise_lanes};

/// [`Kernel::channels`](crate::kernels::Kernel::channels).
#[inline(never)] // what it takes is taken once
pub(super) fn channels(row: &mut Row<'_>) {
    let Row { window, weights, channels, pixels, stride, scratch } = row.again();
    let Window { values, lanes, run, step } = window;
    let all = channels.bias.len();
    let Some(list) = scratch.get_mut(..2 * depthwise_lanes(lanes.len())).filter(|list| !list.is_empty()) else {
        return scalar::single_channels(row);
    };
    // Without division, which here is a function: as many as fit, and no more are asked for.
    let (mut count, mut room) = (0_usize, pixels.len());
    while room >= all && stride > 0 && all > 0 {
        count += 1;
        room = room.saturating_sub(stride);
    }
    let reach = count.saturating_sub(1).saturating_mul(step).saturating_add(run);
    let fits = count > 0
        && stride >= all
        && run == all
        && all <= channels.multiplier.len()
        && lanes.len().saturating_mul(run) <= weights.len();
    if !fits || !window.holds(reach) {
        return;
    }
    let finish = Finish::new(&channels.output);
    // What fills up the last lanes has a weight of 0.
    let first = lanes.first().copied().unwrap_or(0) as i32;
    list.as_chunks_mut().0.iter_mut().for_each(|lane| *lane = [first, 0]);
    for (channel, (&bias, &multiplier)) in channels.bias.iter().zip(channels.multiplier).enumerate() {
        let mut place = channel;
        for (entry, &lane) in list.as_chunks_mut().0.iter_mut().zip(lanes) {
            *entry = [lane as i32, weights.get(place).copied().unwrap_or(0).into()];
            place += run;
        }
        let one = count == 1; // which then is both pixels
        let job = OneChannel {
            zero_point: finish.zero_point,
            range: finish.range,
            least: finish.least,
            end: list.as_ptr_range().end,
            values: values.as_ptr().wrapping_add(channel),
            low: i32::from(multiplier as i16),
            high: (multiplier >> 16) + (multiplier >> 15 & 1),
            list: list.as_ptr(),
            step: if one { 0 } else { step },
            bias,
            stride: if one { 0 } else { stride },
            to: pixels.as_mut_ptr().wrapping_add(channel),
            pixels: count,
        };
        // SAFETY: checked above: each lane has values of all channels and pixels, and there is a place for each; the
        // list has whole rounds of lanes. [`Finish`] does not leave its table.
        unsafe {
            if channels.output.table.is_some() {
                make_channel_table(&job);
            } else {
                make_channel(&job);
            }
        }
    }
}

const _: () = assert!(DEPTHWISE_LANES == 3, "as many as a round of `make_channel!` has");

/// What the functions of `make_channel!` read, in this order.
#[repr(C)]
struct OneChannel {
    zero_point: i32,
    range: i32,
    least: usize,
    /// Of the list.
    end: *const i32,
    values: *const i8,
    /// Of the multiplier, see [`finish_sum`].
    low: i32,
    high: i32,
    /// Place and weight of each lane.
    list: *const i32,
    step: usize,
    bias: i32,
    stride: usize,
    to: *mut i8,
    pixels: usize,
}

/// The functions that make a channel of all pixels of a row.
///
/// ```text
/// for each two pixels, the last two of an odd number overlapping those before
///     r3, r4 = bias
///     for each lane, three in a round
///         load place and weight                           1 LDM
///         for each pixel: load, multiply, add             3 instructions
///     round, clamp, store both                            see `finish_sum`
/// ```
///
/// 23 instructions for 6 products, 3.8 each; 66 more for each two pixels, 68 with a table.
///
/// On the stack, from `low` on, a copy of the job; r8 to r10 are as in [`finish_sum`], r11 = end, r12 = values.
///
/// # Safety
///
/// The list has three lanes for each round, one round at least; each lane has values at its place and `step` bytes
/// further for each further pixel. There is a place for each of `pixels` pixels, one at least, `stride` bytes apart.
/// One pixel has a step and a stride of 0.
macro_rules! make_channel {
    ($name:ident, $table:literal) => {
        /// See `make_channel!`.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(job: &OneChannel) {
            macro_rules! lane {
                () => {
                    "ldm r0!, {{r5, r6}}
                    ldrsb r7, [r1, r5]
                    muls r7, r6, r7
                    adds r3, r3, r7
                    ldrsb r5, [r2, r5]
                    muls r5, r6, r5
                    adds r4, r4, r5"
                };
            }
            naked_asm!(
                "push {{r4-r7, lr}}",
                "mov r4, r8",
                "mov r5, r9",
                "mov r6, r10",
                "mov r7, r11",
                "push {{r4-r7}}",
                "ldm r0!, {{r4-r7}}",
                "mov r8, r4",
                "mov r9, r5",
                "mov r10, r6",
                "mov r11, r7",
                "ldm r0!, {{r7}}",
                "mov r12, r7",
                "sub sp, #32",
                "mov r1, sp",
                "ldm r0!, {{r4-r7}}", // low, high, list, step
                "stm r1!, {{r4-r7}}",
                "ldm r0!, {{r4-r7}}", // bias, stride, to, pixels
                "stm r1!, {{r4-r7}}",
                "2:", // each two pixels
                "ldr r0, [sp, #8]",
                "mov r1, r12",
                "ldr r2, [sp, #12]",
                "adds r2, r1, r2",
                "ldr r3, [sp, #16]",
                "movs r4, r3",
                "3:",
                lane!(),
                lane!(),
                lane!(),
                "cmp r0, r11",
                "bne 3b",
                "ldr r5, [sp, #12]",
                "adds r2, r2, r5",
                "mov r12, r2",
                "movs r0, r4",
                "movs r4, r3",
                "ldr r1, [sp, #24]", // to
                "ldr r2, [sp]",
                "ldr r3, [sp, #4]",
                "movs r7, #0",
                finish_sum!($table),
                "ldr r5, [sp, #20]",
                "adds r1, r1, r5",
                "movs r4, r0",
                finish_sum!($table),
                "ldr r5, [sp, #20]",
                "adds r1, r1, r5",
                "str r1, [sp, #24]",
                "ldr r4, [sp, #28]", // pixels
                "subs r4, #2",
                "str r4, [sp, #28]",
                "cmp r4, #1",
                "bgt 2b",
                "bne 4f",
                // One is left: back to the one before.
                "subs r1, r1, r5",
                "str r1, [sp, #24]",
                "ldr r5, [sp, #12]",
                "mov r4, r12",
                "subs r4, r4, r5",
                "mov r12, r4",
                "b 2b",
                "4:",
                "add sp, #32",
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

make_channel!(make_channel, "");
make_channel!(make_channel_table, "ldrb r5, [r5]\n");
