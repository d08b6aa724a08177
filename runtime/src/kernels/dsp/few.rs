//! The last layer: one or three channels, for many pixels.
//!
//! So few channels do not pay for gathering pixels. Here the roles change: the weights are unpacked once for the whole row, and
//! a word of four values x₀ … x₃ goes into SMLAD as it is, straight from the row of the input. Read as one number, its halfwords are
//! 256·x₁ + (x₀ mod 256). Flipping the top bit of x₀ makes that 256·x₁ + (x₀ + 128), without a borrow:
//!
//! ```text
//! strip    [depth / 4][channel][y, a]        y = (256·w₂ − w₃, 256·w₀ − w₁)      a = (w₃, w₁)
//!
//! (word ^ 0x00800080) · a = 256·w₁x₁ + w₁·(x₀ + 128)             + the same of x₂, x₃
//! even bytes of it · y    = 256·w₀·(x₀ + 128) − w₁·(x₀ + 128)    + …
//! sum                     = 256·(w₀x₀ + w₁x₁ + w₂x₂ + w₃x₃) + 2¹⁵·(w₀ + w₂)
//! ```
//!
//! The last term does not depend on the values, so each sum starts with as much less.

use core::arch::naked_asm;
use core::ptr::null;

use super::{Finish, Windows, words};
use crate::kernels::blocked::Tile;
use crate::kernels::{Row, Window};

/// Lanes at most: the taps of a 3×3 kernel, dilated.
const LANES: usize = 9;

/// Whether [`run`] can make this row: it wants channels as said, whole groups of values in each lane, and the strip in
/// the memory that [`super::Windows`] gets.
pub(super) fn fits<const CHANNELS: usize>(row: &Row<'_>) -> bool {
    let Window { lanes, run, .. } = row.window;
    let group = if CHANNELS == 1 { 8 } else { 4 };
    row.channels.bias.len() == CHANNELS
        && !lanes.is_empty()
        && lanes.len() <= LANES
        && run > 0
        && run % group == 0
        && lanes.len().saturating_mul(run).saturating_mul(CHANNELS) <= 2 * row.scratch.len()
}

/// Makes the pixels of a row with one or three channels.
#[inline(never)] // its part of the stack is for itself
pub(super) fn run<const CHANNELS: usize>(row: &mut Row<'_>) {
    let Row { window, weights, channels, pixels, stride, scratch } = row.again();
    let Window { values, lanes, run, step } = window;
    let (Some(bias), Some(multiplier)) =
        (channels.bias.first_chunk::<CHANNELS>(), channels.multiplier.first_chunk::<CHANNELS>())
    else {
        return;
    };
    let depth = lanes.len() * run;
    let next = depth.next_multiple_of(Windows::BLOCKING.group);
    let stride = stride.max(1);
    let count = (pixels.len() + stride).saturating_sub(CHANNELS) / stride;
    let reach = count.saturating_sub(1).saturating_mul(step).saturating_add(run);
    let fits = count > 0
        && depth > 0
        && depth * CHANNELS <= 2 * scratch.len()
        && next * CHANNELS <= weights.len()
        && lanes.len() <= LANES
        && window.holds(reach)
        && words(weights, next);
    if !fits {
        return;
    }

    let mut start = [0; CHANNELS];
    for (channel, (start, bias)) in start.iter_mut().zip(bias).enumerate() {
        let from = weights.as_ptr().wrapping_add(channel * next);
        let to = scratch.as_mut_ptr().wrapping_add(2 * channel);
        // SAFETY: each channel has `depth` weights, whole words of them, and a pair of words in the strip for each four.
        let even = unsafe { widen(from, to, depth / 4, 8 * CHANNELS) };
        *start = (bias << 8).wrapping_sub(even << 15);
    }
    let mut places = [null(); LANES + 1];
    for (place, lane) in places.iter_mut().zip(lanes) {
        *place = values.as_ptr().wrapping_add(*lane as usize);
    }
    let Finish { above_low, below_top, last, table, .. } = Finish::new(&channels.output, [0; 3]);
    let few = Few {
        strip: scratch.as_ptr(),
        start: start.as_ptr(),
        multiplier: multiplier.as_ptr(),
        to: pixels.as_mut_ptr(),
        stride,
        pixels: count,
        step,
        lanes: places.as_mut_ptr(),
        above_low,
        below_top: below_top & 0xFF,
        last,
        table,
        run,
        cursor: places.as_mut_ptr(),
    };
    // SAFETY: the strip is filled, each lane has what all pixels read and at least one null after the last, there is at
    // least one pixel and `count` fit with all channels.
    unsafe {
        if CHANNELS == 1 {
            one(few);
        } else {
            three(few);
        }
    }
}

/// What [`one`] and [`three`] keep on their stack, at these offsets.
#[repr(C)]
struct Few {
    strip: *const i32,
    start: *const i32,
    multiplier: *const i32,
    to: *mut i8,
    stride: usize,
    pixels: usize,
    step: usize,
    lanes: *mut *const i8,
    above_low: i32,
    below_top: u32,
    last: usize,
    table: usize,
    run: usize,
    cursor: *mut *const i8,
}

/// Unpacks `fours` words of weights of a channel to pairs that lie `pitch` bytes apart; gives the sum of those of even index.
///
/// # Safety
///
/// There are as many, at whole words, and room for them. `fours` is not 0.
#[unsafe(naked)]
unsafe extern "C" fn widen(weights: *const i8, strip: *mut i32, fours: usize, pitch: usize) -> i32 {
    naked_asm!(
        env!("EDGEGEN_CPU_DIRECTIVE"),
        "push {{r4-r6, lr}}",
        "mov r6, #0xFF00FF00",
        "mov lr, #0x00010001",
        "mov r12, #0",
        "10:",
        "ldr r4, [r0], #4",
        "sxtb16 r5, r4",
        "smlad r12, r5, lr, r12",
        "ssub16 r5, r4, r5",
        "sxtb16 r5, r5, ror #8",
        "and r4, r6, r4, lsl #8",
        "ssub16 r4, r4, r5",
        "subs r2, r2, #1",
        "strd r4, r5, [r1]",
        "add r1, r1, r3",
        "bne 10b",
        "mov r0, r12",
        "pop {{r4-r6, pc}}",
    )
}

/// Makes a row of pixels of some channels.
///
/// ```text
/// for each pixel
///     for each lane
///         for each unit of values                 4 times in a row, entered so that the rest comes first
///             load words, flip, take even bytes   1 LDR, 1 EOR, 1 UXTB16 for each word
///             load y, a of all channels           1 LDM
///             for each channel
///                 sum += word · a                 1 SMLAD
///                 sum += even bytes · y           1 SMLAD
///     finish
/// ```
///
/// Three channels take 10 instructions for 12 products, 0.83 each. One channel takes two words as its unit, and 11 for 8.
/// A lane takes 9 more, and 2 for each 4 units.
macro_rules! few {
    (
        $name:ident, $values:literal, $bytes:literal, $sums:literal, $multipliers:literal,
        [$(($sum:literal, $multiplier:literal, $at:literal)),*],
        [$($unit:literal),* $(,)?]
    ) => {
        /// # Safety
        ///
        /// `strip` has weights for all lanes, `start` and `multiplier` have one element for each channel. `lanes` ends with
        /// a null, and each lane has what all pixels read. There is at least one lane, at least one pixel, and at least one
        /// unit of values in a run, and no part of one; `to` has room for all pixels. The rest is as in [`Finish`].
        #[unsafe(naked)]
        unsafe extern "C" fn $name(few: Few) {
            naked_asm!(
                env!("EDGEGEN_CPU_DIRECTIVE"),
                ".macro edgegen_unit",
                $($unit,)*
                ".endm",
                // The first words of `few` come in registers. On the stack they join the others: all are at sp + 44 in the end.
                "push {{r0-r3}}",
                "push {{r4-r11, lr}}",
                "ldr r0, [sp, #36 + 48]", // run
                concat!("lsr r0, r0, #", $values),
                "rsb r1, r0, #0",
                "and r1, r1, #3",
                concat!("movs r2, #", $bytes),
                "mul r1, r1, r2",
                "adr r2, 20f",
                "add r1, r1, r2",
                "orr r1, r1, #1", // Thumb
                "add r0, r0, #3",
                "lsr r0, r0, #2",
                "push {{r0, r1}}", // rounds of a lane, where to enter
                "10:",
                "ldrd r1, r4, [sp, #44]", // strip, start
                $sums,
                "ldr r3, [sp, #44 + 28]", // lanes
                "ldr r0, [r3]",
                "11:",
                "ldr r4, [sp, #44 + 24]", // step
                "add r4, r4, r0",
                "str r4, [r3], #4",
                "str r3, [sp, #44 + 52]", // cursor
                "ldm sp, {{r2, pc}}",
                ".p2align 2",
                "20:",
                "edgegen_unit",
                "edgegen_unit",
                "edgegen_unit",
                "edgegen_unit",
                "21:",
                "subs r2, r2, #1",
                "bne 20b",
                "ldr r3, [sp, #44 + 52]", // cursor
                "ldr r0, [r3]",
                "cmp r0, #0",
                "bne 11b",
                "ldr r4, [sp, #44 + 8]", // multiplier
                $multipliers,
                "add r3, sp, #44 + 32",
                "ldm r3, {{r0, r1, r2, r3}}", // above_low, below_top, last, table
                "ldrd r7, r8, [sp, #44 + 12]", // to, stride
                $(
                    concat!("asr ", $sum, ", ", $sum, ", #8"),
                    concat!("smmlar ", $sum, ", ", $sum, ", ", $multiplier, ", r0"),
                    concat!("usat ", $sum, ", #8, ", $sum),
                    concat!("uqadd8 ", $sum, ", ", $sum, ", r1"),
                )*
                "cbz r3, 12f",
                $(
                    concat!("ldrb ", $sum, ", [r2, ", $sum, "]"),
                    concat!("strb ", $sum, ", [r7, #", $at, "]"),
                )*
                "b 13f",
                "12:",
                $(
                    concat!("add ", $sum, ", r2"),
                    concat!("strb ", $sum, ", [r7, #", $at, "]"),
                )*
                "13:",
                "ldr r9, [sp, #44 + 20]", // pixels
                "add r7, r7, r8",
                "str r7, [sp, #44 + 12]",
                "subs r9, r9, #1",
                "str r9, [sp, #44 + 20]",
                "bne 10b",
                "add sp, sp, #8",
                "pop {{r4-r11, lr}}",
                "add sp, sp, #16",
                "bx lr",
                same!("21b - 20b", concat!("4 * ", $bytes)),
                ".purgem edgegen_unit",
            )
        }
    };
}

few!(
    one,
    "3",
    "42",
    "ldr r10, [r4]",
    "ldr r4, [r4]",
    [("r10", "r4", "0")],
    [
        "ldr r3, [r0], #4",
        "ldr r8, [r0], #4",
        "ldm r1!, {{r4, r5, r6, r7}}",
        "eor r3, r3, #0x00800080",
        "eor r8, r8, #0x00800080",
        "smlad r10, r3, r5, r10",
        "uxtb16 r3, r3",
        "smlad r10, r8, r7, r10",
        "uxtb16 r8, r8",
        "smlad r10, r3, r4, r10",
        "smlad r10, r8, r6, r10",
    ]
);

few!(
    three,
    "2",
    "40",
    "ldm r4, {{r10, r11, r12}}",
    "ldm r4, {{r4, r5, r6}}",
    [("r10", "r4", "0"), ("r11", "r5", "1"), ("r12", "r6", "2")],
    [
        "ldr r3, [r0], #4",
        "ldm r1!, {{r4, r5, r6, r7, r8, r9}}",
        "eor r3, r3, #0x00800080",
        "uxtb16 lr, r3",
        "smlad r10, r3, r5, r10",
        "smlad r11, r3, r7, r11",
        "smlad r12, r3, r9, r12",
        "smlad r10, lr, r4, r10",
        "smlad r11, lr, r6, r11",
        "smlad r12, lr, r8, r12",
    ]
);
