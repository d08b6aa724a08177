//! Two maps value by value, four values at a time where pixels are whole words.
//!
//! As in `depthwise.rs`, the words of both operands are put together by halves, so that one SXTB16 gives a value of each:
//! with both factors in a register, SMLAD makes their sum.

use core::arch::naked_asm;

use super::Finish;
use crate::kernels::{Channels, Pair};

/// [`Kernel::join`](crate::kernels::Kernel::join).
#[inline(never)] // what it takes is taken once
pub(super) fn join(pair: &Pair<'_>, channels: &Channels<'_>, to: &mut [i8]) {
    let count = channels.bias.len();
    if channels.output.table.is_some() || !count.is_multiple_of(4) {
        return join_singly(pair, channels, to);
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
        end: to.as_ptr().wrapping_add(count),
        above_low: finish.above_low,
        on: pair.steps.map(|step| step.wrapping_sub(count)),
        count,
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
    /// Of the first pixel.
    end: *const i8,
    above_low: i32,
    /// From the end of a pixel of each operand to the next.
    on: [usize; 2],
    count: usize,
    pixels: usize,
}

/// The functions that make pixels of two operands: 33 instructions for 4 values, 37 for products, and 12 for each pixel.
///
/// # Safety
///
/// Everything that the job points to is there, for all pixels, one at least, and channels, a multiple of four and not 0.
macro_rules! join_fours {
    ($name:ident, $($sum:literal)*) => {
        /// See `join_fours!`.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(job: &Fours) {
            naked_asm!(
                env!("EDGEGEN_CPU_DIRECTIVE"),
                "push {{r4-r11, lr}}",
                "sub sp, #32",
                "add r1, r0, #24",
                "ldm r1, {{r5, r6, r7, r8, r9, r10, r11, r12}}", // below_top to pixels
                "stm sp, {{r5, r6, r7, r8, r9, r10, r11, r12}}",
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
                "ldr r5, [sp, #12]", // above_low
                "ldrd r6, r7, [r4], #8",
                "smmlar r9, r9, r6, r5",
                "smmlar r10, r10, r7, r5",
                "ldrd r6, r7, [r4], #8",
                "smmlar r11, r11, r6, r5",
                "smmlar r12, r12, r7, r5",
                "ldm sp, {{r5, r6, r7}}", // below_top, last, end
                "usat r9, #8, r9",
                "usat r10, #8, r10",
                "usat r11, #8, r11",
                "usat r12, #8, r12",
                "orr r9, r9, r10, lsl #8",
                "orr r11, r11, r12, lsl #8",
                "orr r9, r9, r11, lsl #16",
                "uqadd8 r9, r9, r5",
                "uadd8 r9, r9, r6",
                "str r9, [r2], #4",
                "cmp r2, r7",
                "bne 10b",
                "ldrd r5, r6, [sp, #16]", // on
                "add r0, r0, r5",
                "add r1, r1, r6",
                "ldrd r5, r6, [sp, #24]", // count, pixels
                "add r7, r7, r5",
                "sub r3, r3, r5, lsl #2",
                "sub r4, r4, r5, lsl #2",
                "str r7, [sp, #8]",
                "subs r6, r6, #1",
                "str r6, [sp, #28]",
                "bne 10b",
                "add sp, #32",
                "pop {{r4-r11, pc}}",
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

/// Pixels value by value.
#[inline(never)] // what it takes is taken once
fn join_singly(pair: &Pair<'_>, channels: &Channels<'_>, to: &mut [i8]) {
    let count = channels.bias.len();
    if count == 0 || count > channels.multiplier.len() {
        return;
    }
    let (mut a, mut b) = (pair.a, pair.b);
    let mut job = OnePixel {
        a: a.as_ptr(),
        b: b.as_ptr(),
        bias: channels.bias.as_ptr(),
        multiplier: channels.multiplier.as_ptr(),
        to: to.as_mut_ptr(),
        factors: pair.factors,
        finish: Finish::new(&channels.output, [0; 3]),
    };
    for pixel in to.chunks_exact_mut(count) {
        if a.len() < count || b.len() < count {
            return;
        }
        (job.a, job.b, job.to) = (a.as_ptr(), b.as_ptr(), pixel.as_mut_ptr());
        // SAFETY: `count` of each, one at least. [`Finish`] does not leave its table.
        unsafe {
            if pair.multiply {
                join_product(&job, count);
            } else {
                join_sum(&job, count);
            }
        }
        a = a.get(pair.steps[0]..).unwrap_or(&[]);
        b = b.get(pair.steps[1]..).unwrap_or(&[]);
    }
}

/// What [`join_sum`] and [`join_product`] read, in this order.
#[repr(C)]
struct OnePixel {
    a: *const i8,
    b: *const i8,
    bias: *const i32,
    multiplier: *const i32,
    to: *mut i8,
    factors: [i32; 2],
    finish: Finish,
}

/// The functions that make a pixel of two operands: 13 instructions for a value, 14 for a product.
///
/// # Safety
///
/// There are `count` of each that the job points to, one at least.
macro_rules! join {
    ($name:ident, $($sum:literal)*) => {
        /// See `join!`.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(job: &OnePixel, count: usize) {
            macro_rules! value {
                ($label:literal, $last:literal) => {
                    concat!(
                        $label, ":\n",
                        "ldrsb r11, [r2], #1\n",
                        "ldrsb r12, [r3], #1\n",
                        "ldr lr, [r4], #4\n",
                        $($sum, "\n",)*
                        "ldr lr, [r5], #4\n",
                        "smmlar r11, r11, lr, r9\n",
                        "usat r11, #8, r11\n",
                        "uqadd8 r11, r11, r10\n",
                        $last, "\n",
                        "subs r1, r1, #1\n",
                        "strb r11, [r6], #1\n",
                        "bne ", $label, "b\n",
                    )
                };
            }
            naked_asm!(
                env!("EDGEGEN_CPU_DIRECTIVE"),
                "push {{r4-r11, lr}}",
                "ldm r0!, {{r2, r3, r4, r5, r6, r7, r8}}",
                "ldm r0, {{r9, r10, r11, r12}}",
                "uxtb r10, r10",
                "mov r0, r11", // last
                "cmp r12, #0",
                "bne 30f",
                value!("20", "add r11, r11, r0"),
                "pop {{r4-r11, pc}}",
                value!("30", "ldrb r11, [r0, r11]"),
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

join!(join_sum, "mla r11, r11, r7, lr" "mla r11, r12, r8, r11");
join!(join_product, "sub r11, r11, r7" "sub r12, r12, r8" "mla r11, r11, r12, lr");
