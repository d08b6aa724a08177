//! Products of int16 codes, eight in a vector.

use core::arch::naked_asm;

use super::Mve;
use crate::kernels::wide::{Job, PIXELS, WideWindow};

/// [`Kernel::wide_products`](crate::kernels::Kernel::wide_products).
#[inline(never)] // what it takes is taken once
pub(super) fn add_products(_: Mve, window: &WideWindow<'_>, first: usize, weights: &[i8], sums: &mut [i32; PIXELS]) {
    let Some((values, job)) = window.job(first, weights) else { return };
    // SAFETY: a window has seen that each lane has a run of values for each of the four pixels, and a run of weights;
    // there is one lane at least with one value. The kernel proves that there are vectors.
    unsafe { add_all(sums, values, weights.as_ptr(), &job) }
}

/// Adds the products of four pixels to their sums.
///
/// ```text
/// for each lane
///     for each eight values of its run
///         w = eight weights                           1 VLDRB, which widens them
///         for each pixel
///             x = eight values                        1 VLDRH
///             sum += w · x                            1 VMLADAVA
/// ```
///
/// 10 instructions for 32 products.
///
/// # Safety
///
/// Each of the lanes, one at least, is the byte after `values` where the run of the first pixel starts, one value at
/// least, and those of the other three lie `pixel` bytes further each. There are weights for all lanes, and vectors.
#[unsafe(naked)]
unsafe extern "C" fn add_all(sums: &mut [i32; PIXELS], values: *const i16, weights: *const i8, job: &Job) {
    naked_asm!(
        cpu!(),
        "push {{r0, r4-r11, lr}}",
        "mov r10, r1",
        "mov r11, r3",
        "mov r1, r2",
        "ldr r9, [r11]", // lanes
        "mov r12, r0",
        "ldrd r0, r2, [r12]",
        "ldrd r4, r6, [r12, #8]",
        "1:",
        "ldr r12, [r9], #4",
        "add r3, r10, r12",
        "ldr r12, [r11, #12]", // pixel
        "add r5, r3, r12",
        "add r7, r5, r12",
        "add r8, r7, r12",
        "ldr r12, [r11, #8]", // run
        "dlstp.16 lr, r12",
        "2:",
        "vldrb.s16 q0, [r1], #8",
        "vldrh.u16 q1, [r3], #16",
        "vldrh.u16 q2, [r5], #16",
        "vmladava.s16 r0, q0, q1",
        "vldrh.u16 q1, [r7], #16",
        "vmladava.s16 r2, q0, q2",
        "vldrh.u16 q2, [r8], #16",
        "vmladava.s16 r4, q0, q1",
        "vmladava.s16 r6, q0, q2",
        "letp lr, 2b",
        // The last vector may have gone beyond the run.
        "rsb r12, r12, #0",
        "and r12, r12, #7",
        "sub r1, r1, r12",
        "ldr r12, [r11, #4]",
        "cmp r9, r12",
        "bne 1b",
        "ldr r12, [sp]",
        "strd r0, r2, [r12]",
        "strd r4, r6, [r12, #8]",
        "pop {{r0, r4-r11, pc}}",
    )
}
