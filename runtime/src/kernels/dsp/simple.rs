//! What is not a matrix: sums, codes and tables, value by value.

use core::arch::naked_asm;

use super::Finish;
use crate::kernels::{Channels, scalar};

/// [`Kernel::finish`](crate::kernels::Kernel::finish).
#[inline(never)] // what it takes is taken once
pub(super) fn finish(sums: &[i32], channels: &Channels<'_>, to: &mut [i8]) {
    let count = to.len().min(sums.len()).min(channels.multiplier.len());
    if count > 0 {
        let finish = Finish::new(&channels.output, [0; 3]);
        // SAFETY: there are as many of each, and [`Finish`] does not leave its table.
        unsafe { finish_all(sums.as_ptr(), channels.multiplier.as_ptr(), to.as_mut_ptr(), count, &finish) }
    }
}

/// Makes sums into codes: 9 instructions for each.
///
/// # Safety
///
/// There are `count` of each, one at least.
#[unsafe(naked)]
unsafe extern "C" fn finish_all(sums: *const i32, multiplier: *const i32, to: *mut i8, count: usize, finish: &Finish) {
    naked_asm!(
        env!("EDGEGEN_CPU_DIRECTIVE"),
        "push {{r4-r8, lr}}",
        "ldr lr, [sp, #24]",
        "ldm lr, {{r4, r5, r6, r7}}",
        "uxtb r5, r5",
        "cbnz r7, 20f",
        "10:",
        "ldr r8, [r0], #4",
        "ldr r12, [r1], #4",
        "smmlar r8, r8, r12, r4",
        "usat r8, #8, r8",
        "uqadd8 r8, r8, r5",
        "add r8, r8, r6",
        "subs r3, r3, #1",
        "strb r8, [r2], #1",
        "bne 10b",
        "pop {{r4-r8, pc}}",
        "20:",
        "ldr r8, [r0], #4",
        "ldr r12, [r1], #4",
        "smmlar r8, r8, r12, r4",
        "usat r8, #8, r8",
        "uqadd8 r8, r8, r5",
        "ldrb r8, [r6, r8]",
        "subs r3, r3, #1",
        "strb r8, [r2], #1",
        "bne 20b",
        "pop {{r4-r8, pc}}",
    )
}

/// [`Kernel::look_up`](crate::kernels::Kernel::look_up).
#[inline(never)] // what it takes is taken once
pub(super) fn look_up(table: &[i8; 256], from: &[i8], to: &mut [i8]) {
    let len = from.len().min(to.len());
    // SAFETY: there are as many codes and places.
    unsafe { look_up_all(table, from.as_ptr(), to.as_mut_ptr(), len) }
}

/// Looks codes up: 26 instructions for 8, the rest one by one in 5.
///
/// # Safety
///
/// There are `len` codes and places.
#[unsafe(naked)]
unsafe extern "C" fn look_up_all(table: &[i8; 256], from: *const i8, to: *mut i8, len: usize) {
    naked_asm!(
        env!("EDGEGEN_CPU_DIRECTIVE"),
        "add r0, r0, #128",
        "subs r3, r3, #8",
        "blo 20f",
        "10:",
        ".rept 8",
        "ldrsb r12, [r1], #1",
        "ldrb r12, [r0, r12]",
        "strb r12, [r2], #1",
        ".endr",
        "subs r3, r3, #8",
        "bhs 10b",
        "20:",
        "adds r3, r3, #8",
        "beq 40f",
        "30:",
        "ldrsb r12, [r1], #1",
        "ldrb r12, [r0, r12]",
        "subs r3, r3, #1",
        "strb r12, [r2], #1",
        "bne 30b",
        "40:",
        "bx lr",
    )
}

/// [`Kernel::add`](crate::kernels::Kernel::add).
#[inline(never)] // what it takes is taken once
pub(super) fn add(values: &[i8], step: usize, zero_point: i8, square: bool, sums: &mut [i32]) {
    let mut from = values;
    let (tiles, rest) = sums.as_chunks_mut::<4>();
    for sums in tiles {
        let mut pixels = from;
        // As many at a time as sums of 16 bits take.
        while let Some(room) = pixels.len().checked_sub(4) {
            let count = (room / step.max(1) + 1).min(256);
            // SAFETY: there are four values in each of `count` pixels, at most 256.
            unsafe {
                if square {
                    add_squares(sums, pixels.as_ptr(), step, count, zero_point.into());
                } else {
                    add_values(sums, pixels.as_ptr(), step, count, zero_point.into());
                }
            }
            pixels = pixels.get(count * step.max(1)..).unwrap_or(&[]);
        }
        from = from.get(4..).unwrap_or(&[]);
    }
    if !rest.is_empty() {
        scalar::single_add(from, step, zero_point, square, rest);
    }
}

/// Adds values of four channels, less their zero point: 6 instructions for 4, where two sums lie in a register.
///
/// # Safety
///
/// There are `count` pixels `step` bytes apart, 1 to 256.
#[unsafe(naked)]
unsafe extern "C" fn add_values(sums: &mut [i32; 4], values: *const i8, step: usize, count: usize, zero_point: i32) {
    naked_asm!(
        env!("EDGEGEN_CPU_DIRECTIVE"),
        "push {{r4-r9, lr}}",
        "ldr r12, [sp, #28]",
        "mul r12, r12, r3", // all zero points
        "mov r4, #0",
        "mov r5, #0",
        "10:",
        "ldr r6, [r1]",
        "add r1, r1, r2",
        "sxtab16 r4, r4, r6",
        "sxtab16 r5, r5, r6, ror #8",
        "subs r3, r3, #1",
        "bne 10b",
        "ldm r0, {{r6, r7, r8, r9}}",
        "sub r6, r6, r12",
        "sub r7, r7, r12",
        "sub r8, r8, r12",
        "sub r9, r9, r12",
        "sxtah r6, r6, r4",
        "sxtah r7, r7, r5",
        "add r8, r8, r4, asr #16",
        "add r9, r9, r5, asr #16",
        "stm r0, {{r6, r7, r8, r9}}",
        "pop {{r4-r9, pc}}",
    )
}

/// Adds squares of values of four channels less their zero point: 12 instructions for 4.
///
/// # Safety
///
/// As [`add_values`].
#[unsafe(naked)]
unsafe extern "C" fn add_squares(sums: &mut [i32; 4], values: *const i8, step: usize, count: usize, zero_point: i32) {
    naked_asm!(
        env!("EDGEGEN_CPU_DIRECTIVE"),
        "push {{r4-r9, lr}}",
        "ldr r12, [sp, #28]",
        "pkhbt r12, r12, r12, lsl #16",
        "ldm r0, {{r6, r7, r8, r9}}",
        "10:",
        "ldr r4, [r1]",
        "add r1, r1, r2",
        "sxtb16 r5, r4",
        "sxtb16 r4, r4, ror #8",
        "ssub16 r5, r5, r12",
        "ssub16 r4, r4, r12",
        "smlabb r6, r5, r5, r6",
        "smlabb r7, r4, r4, r7",
        "smlatt r8, r5, r5, r8",
        "smlatt r9, r4, r4, r9",
        "subs r3, r3, #1",
        "bne 10b",
        "stm r0, {{r6, r7, r8, r9}}",
        "pop {{r4-r9, pc}}",
    )
}
