//! Products of int16 codes, each weight with four pixels.

use core::arch::naked_asm;

use crate::kernels::wide::{Job, PIXELS, WideWindow};

/// [`Kernel::wide_products`](crate::kernels::Kernel::wide_products).
#[inline(never)] // what it takes is taken once
pub(super) fn add_products(window: &WideWindow<'_>, first: usize, weights: &[i8], sums: &mut [i32; PIXELS]) {
    let Some((values, job)) = window.job(first, weights) else { return };
    // SAFETY: a window has seen that each lane has a run of values for each of the four pixels, and a run of weights;
    // there is one lane at least, and codes are at even addresses.
    unsafe { add_all(sums, values, weights.as_ptr(), &job) }
}

/// Adds the products of four pixels to their sums.
///
/// ```text
/// for each lane
///     for each value of its run, four times in a row, the rest one by one
///         load the weight                             1 LDRSB
///         for each pixel
///             load the value, multiply, add           1 LDRSH, 1 MULS, 1 ADD
/// ```
///
/// Values lie at r0 … r3 + r4. The weight's address has the same r4 in it, which moves on by 2, and r7, which moves
/// back by 1. So 15 instructions make 4 products, 62 make 16.
///
/// # Safety
///
/// Each of the lanes, one at least, is the byte after `values` where the run of the first pixel starts, and those of
/// the other three lie `pixel` bytes further each. All of these are even. There are weights for all lanes.
#[unsafe(naked)]
unsafe extern "C" fn add_all(sums: &mut [i32; PIXELS], values: *const i16, weights: *const i8, job: &Job) {
    macro_rules! pixel {
        ($pointer:literal, $sum:literal) => {
            concat!("ldrsh r6, [", $pointer, ", r4]\n", "muls r6, r5, r6\n", "add ", $sum, ", r6\n")
        };
    }
    macro_rules! weight {
        () => {
            concat!(
                "ldrsb r5, [r7, r4]\n",
                pixel!("r0", "r8"),
                pixel!("r1", "r9"),
                pixel!("r2", "r10"),
                pixel!("r3", "r11"),
                "adds r4, #2\n",
                "subs r7, #1\n",
            )
        };
    }
    naked_asm!(
        "push {{r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r4-r7}}",
        "sub sp, #24",
        "str r0, [sp]",     // sums
        "str r1, [sp, #4]", // values
        "ldm r3!, {{r4-r7}}",
        "add r1, sp, #8",
        "stm r1!, {{r4-r7}}", // lane, end, run, pixel
        "ldm r0!, {{r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "movs r7, r2",
        "2:", // each lane
        "ldr r6, [sp, #8]",
        "ldm r6!, {{r5}}",
        "str r6, [sp, #8]",
        "ldr r0, [sp, #4]",
        "adds r0, r0, r5",
        "ldr r3, [sp, #20]",
        "adds r1, r0, r3",
        "adds r2, r1, r3",
        "adds r3, r2, r3",
        "ldr r6, [sp, #16]",
        "lsls r6, r6, #1",
        "mov r12, r6", // where the run ends
        "lsrs r6, r6, #3",
        "lsls r6, r6, #3",
        "mov lr, r6", // and the last four of it
        "movs r4, #0",
        "cmp r4, lr",
        "beq 4f",
        "3:",
        weight!(),
        weight!(),
        weight!(),
        weight!(),
        "cmp r4, lr",
        "bne 3b",
        "4:",
        "cmp r4, r12",
        "beq 5f",
        weight!(),
        "b 4b",
        "5:",
        "adds r7, r7, r4",
        "ldr r5, [sp, #8]",
        "ldr r6, [sp, #12]",
        "cmp r5, r6",
        "bne 2b",
        "ldr r0, [sp]",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "stm r0!, {{r4-r7}}",
        "add sp, #24",
        "pop {{r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "pop {{r4-r7, pc}}",
    )
}
