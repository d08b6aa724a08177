//! Products of int16 codes. SMLAD multiplies two pairs of 16 bits, so codes are taken as they lie, and weights are made
//! into pairs.

use core::arch::naked_asm;

use crate::kernels::wide::{Job, PIXELS, WideWindow};

/// [`Kernel::wide_products`](crate::kernels::Kernel::wide_products).
#[inline(never)] // what it takes is taken once
pub(super) fn add_products(window: &WideWindow<'_>, first: usize, weights: &[i8], sums: &mut [i32; PIXELS]) {
    let Some((values, job)) = window.job(first, weights) else { return };
    // SAFETY: a window has seen that each lane has a run of values for each of the four pixels, and a run of weights;
    // there is one lane at least with one value, and all are at multiples of 4, as LDRD demands.
    unsafe { add_all(sums, values, weights.as_ptr(), &job) }
}

/// Adds the products of four pixels to their sums.
///
/// ```text
/// for each lane
///     for each eight values of its run, twice
///         a, b = four weights as two pairs            5 instructions
///         for each pixel
///             x, y = two pairs of values              1 LDRD
///             sum += a · x + b · y                    2 SMLAD
///     the rest one by one
/// ```
///
/// 36 instructions for 32 products; 14 for 4 of the rest.
///
/// # Safety
///
/// Each of the lanes, one at least, is the byte after `values` where the run of the first pixel starts, and those of
/// the other three lie `pixel` bytes further each. All of these are multiples of 4. There are weights for all lanes.
#[unsafe(naked)]
unsafe extern "C" fn add_all(sums: &mut [i32; PIXELS], values: *const i16, weights: *const i8, job: &Job) {
    macro_rules! pixel {
        ($pointer:literal, $sum:literal) => {
            concat!(
                "ldrd r11, r12, [",
                $pointer,
                "], #8\n",
                "smlad ",
                $sum,
                ", r9, r11, ",
                $sum,
                "\n",
                "smlad ",
                $sum,
                ", r10, r12, ",
                $sum
            )
        };
    }
    macro_rules! last {
        ($pointer:literal, $sum:literal) => {
            concat!("ldrsh r11, [", $pointer, "], #2\n", "mla ", $sum, ", r9, r11, ", $sum)
        };
    }
    naked_asm!(
        env!("EDGEGEN_CPU_DIRECTIVE"),
        "push {{r4-r11, lr}}",
        "sub sp, sp, #16",
        "strd r0, r1, [sp]", // sums, values
        "str r3, [sp, #12]", // job
        "mov r8, r2",
        "ldr r9, [r3]",
        "str r9, [sp, #8]", // lane
        "ldm r0, {{r4, r5, r6, r7}}",
        "10:",
        "ldr r9, [sp, #8]",
        "ldr r0, [r9], #4",
        "str r9, [sp, #8]",
        "ldr r1, [sp, #4]",
        "add r0, r0, r1",
        "ldr r11, [sp, #12]",
        "ldrd lr, r12, [r11, #8]", // run, pixel
        "add r1, r0, r12",
        "add r2, r1, r12",
        "add r3, r2, r12",
        "subs lr, lr, #8",
        "blo 30f",
        "20:",
        ".rept 2",
        "ldr r11, [r8], #4",
        "sxtb16 r9, r11",
        "sxtb16 r12, r11, ror #8",
        "pkhtb r10, r12, r9, asr #16",
        "pkhbt r9, r9, r12, lsl #16",
        pixel!("r0", "r4"),
        pixel!("r1", "r5"),
        pixel!("r2", "r6"),
        pixel!("r3", "r7"),
        ".endr",
        "subs lr, lr, #8",
        "bhs 20b",
        "30:",
        "adds lr, lr, #8",
        "beq 50f",
        "40:",
        "ldrsb r9, [r8], #1",
        last!("r0", "r4"),
        last!("r1", "r5"),
        last!("r2", "r6"),
        last!("r3", "r7"),
        "subs lr, lr, #1",
        "bne 40b",
        "50:",
        "ldrd r9, r11, [sp, #8]",
        "ldr r11, [r11, #4]",
        "cmp r9, r11",
        "bne 10b",
        "ldr r0, [sp]",
        "stm r0, {{r4, r5, r6, r7}}",
        "add sp, sp, #16",
        "pop {{r4-r11, pc}}",
    )
}
