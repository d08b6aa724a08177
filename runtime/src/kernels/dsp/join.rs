//! Two maps value by value, four values at a time where pixels are whole words.
//!
//! As in `depthwise.rs`, the words of both operands are put together by halves, so that one SXTB16 gives a value of
//! each: with both factors in a register, SMLAD makes their sum.

use core::arch::naked_asm;

use super::Finish;
use crate::kernels::{Channels, Pair, scalar};

/// [`Kernel::join`](crate::kernels::Kernel::join).
#[inline(never)] // what it takes is taken once
pub(super) fn join(pair: &Pair<'_>, channels: &Channels<'_>, to: &mut [i8]) {
    let count = channels.bias.len();
    if !count.is_multiple_of(4) {
        return scalar::single_join(pair, channels, to);
    }
    let pixels = to.len().checked_div(count).unwrap_or(0);
    let reach = |step: usize| pixels.saturating_sub(1).saturating_mul(step).saturating_add(count);
    let [a_step, b_step] = pair.steps;
    let fits = pixels > 0
        && count <= channels.multiplier.len()
        && reach(a_step) <= pair.a.len()
        && reach(b_step) <= pair.b.len();
    if !fits {
        return;
    }
    let finish = Finish::new(&channels.output, [0; 3]);
    let job = Fours {
        a: pair.a.as_ptr(),
        b: pair.b.as_ptr(),
        to: to.as_mut_ptr(),
        bias: channels.bias.as_ptr(),
        multiplier: channels.multiplier.as_ptr(),
        factors: pair.factors.map(|factor| factor as i16),
        below_top: finish.below_top,
        last: finish.last,
        table: finish.table,
        end: to.as_ptr().wrapping_add(count),
        above_low: finish.above_low,
        count,
        on: pair.steps.map(|step| step.wrapping_sub(count)),
        pixels,
    };
    // SAFETY: checked above: values of all pixels and channels, whole words and one at least, and places; a multiplier
    // for each bias.
    unsafe {
        if pair.multiply {
            join_products(&job);
        } else {
            join_sums(&job);
        }
    }
}

/// What [`join_sums`] and [`join_products`] read, in this order.
#[repr(C)]
struct Fours {
    a: *const i8,
    b: *const i8,
    to: *mut i8,
    bias: *const i32,
    multiplier: *const i32,
    factors: [i16; 2],
    below_top: u32,
    last: usize,
    /// Whether `last` is a table.
    table: usize,
    /// Of the first pixel.
    end: *const i8,
    above_low: i32,
    count: usize,
    /// From the end of a pixel of each operand to the next.
    on: [usize; 2],
    pixels: usize,
}

/// The functions that make pixels of two operands: 34 instructions for 4 values, 38 for products, 11 more with
/// a table, and 11 for each pixel.
///
/// # Safety
///
/// Everything that the job points to is there, for all pixels, one at least, and channels, a multiple of four and not
/// 0.
macro_rules! join_fours {
    ($name:ident, $($sum:literal)*) => {
        /// See `join_fours!`.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(job: &Fours) {
            naked_asm!(
                env!("EDGEGEN_CPU_DIRECTIVE"),
                "push {{r4-r11, lr}}",
                "sub sp, #36",
                "add r1, r0, #24",
                "ldm r1, {{r4, r5, r6, r7, r8, r9, r10, r11, r12}}", // below_top to pixels
                "stm sp, {{r4, r5, r6, r7, r8, r9, r10, r11, r12}}",
                "ldr lr, [r0, #20]", // factors
                "ldm r0, {{r0, r1, r2, r3, r4}}", // a, b, to, bias, multiplier
                "10:",
                "ldr r5, [r0], #4",
                "ldr r6, [r1], #4",
                "pkhbt r7, r5, r6, lsl #16",
                "pkhtb r8, r6, r5, asr #16",
                "ldm r3!, {{r9, r10, r11, r12}}",
                "sxtb16 r5, r7",
                "sxtb16 r6, r7, ror #8",
                "sxtb16 r7, r8",
                "sxtb16 r8, r8, ror #8",
                $($sum,)*
                "ldr r5, [sp, #16]", // above_low
                "ldrd r6, r7, [r4], #8",
                "smmlar r9, r9, r6, r5",
                "smmlar r10, r10, r7, r5",
                "ldrd r6, r7, [r4], #8",
                "smmlar r11, r11, r6, r5",
                "smmlar r12, r12, r7, r5",
                "ldm sp, {{r5, r6, r7, r8}}", // below_top, last, table, end
                "usat r9, #8, r9",
                "usat r10, #8, r10",
                "usat r11, #8, r11",
                "usat r12, #8, r12",
                "orr r9, r9, r10, lsl #8",
                "orr r11, r11, r12, lsl #8",
                "orr r9, r9, r11, lsl #16",
                "uqadd8 r9, r9, r5",
                "cbnz r7, 30f",
                "uadd8 r9, r9, r6",
                "20:",
                "str r9, [r2], #4",
                "cmp r2, r8",
                "bne 10b",
                "ldrd r5, r6, [sp, #20]", // count, the way of a
                "ldrd r7, r9, [sp, #28]", // that of b, pixels
                "add r0, r0, r6",
                "add r1, r1, r7",
                "add r8, r8, r5",
                "sub r3, r3, r5, lsl #2",
                "sub r4, r4, r5, lsl #2",
                "str r8, [sp, #12]",
                "subs r9, r9, #1",
                "str r9, [sp, #32]",
                "bne 10b",
                "add sp, #36",
                "pop {{r4-r11, pc}}",
                "30:",
                "uxtb r5, r9",
                "ubfx r7, r9, #8, #8",
                "ubfx r10, r9, #16, #8",
                "lsr r9, r9, #24",
                "ldrb r5, [r6, r5]",
                "ldrb r7, [r6, r7]",
                "ldrb r10, [r6, r10]",
                "ldrb r9, [r6, r9]",
                "orr r5, r5, r7, lsl #8",
                "orr r5, r5, r10, lsl #16",
                "orr r9, r5, r9, lsl #24",
                "b 20b",
            )
        }
    };
}

join_fours!(
    join_sums,
    "smlad r9, r5, lr, r9"
    "smlad r10, r6, lr, r10"
    "smlad r11, r7, lr, r11"
    "smlad r12, r8, lr, r12"
);
join_fours!(
    join_products,
    "ssub16 r5, r5, lr"
    "ssub16 r6, r6, lr"
    "ssub16 r7, r7, lr"
    "ssub16 r8, r8, lr"
    "smlabt r9, r5, r5, r9"
    "smlabt r10, r6, r6, r10"
    "smlabt r11, r7, r7, r11"
    "smlabt r12, r8, r8, r12"
);
