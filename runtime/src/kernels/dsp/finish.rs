//! Sums become codes.

use core::arch::naked_asm;

use crate::fixed::Output;

/// What the assembly of `finish` reads, at these offsets.
#[repr(C)]
pub(super) struct Finish {
    /// Added to the requantized sum: the least code becomes 0, so that one saturation to 8 bits clamps below.
    pub(super) above_low: i32,
    /// Added with saturation at 255, which clamps above.
    pub(super) below_top: u32,
    /// Added last: the code of it all, or the address of its entry in the table.
    pub(super) last: usize,
    /// Whether `last` is an address.
    pub(super) table: usize,
    /// Where pixels 1 to 3 lie, in values after pixel 0.
    pub(super) places: [usize; 3],
}

impl Finish {
    #[inline]
    pub(super) fn new(output: &Output<'_>, places: [usize; 3]) -> Self {
        let (low, high) = (i32::from(output.low), i32::from(output.high.max(output.low)));
        let below_top = 255 - (high - low);
        // A sum that was clamped is `code − low + below_top`, from `below_top` to 255.
        let last = match output.table {
            Some(table) => table.as_ptr().wrapping_offset((low + 128 - below_top) as isize) as usize,
            // Four at a time, which is how the vector kernel adds it.
            None => usize::from((low - below_top) as u8) * 0x0101_0101,
        };
        Self {
            above_low: i32::from(output.zero_point) - low,
            below_top: below_top as u32 * 0x0101_0101,
            last,
            table: usize::from(output.table.is_some()),
            places,
        }
    }
}

/// Makes four sums of each channel into codes: 6 instructions for each, and 5 for each channel.
///
/// # Safety
///
/// There is at least one channel, `sums` has four for each, and each of `places` has room for all channels after `to`.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn finish_windows(
    sums: *const i32,
    multiplier: *const i32,
    to: *mut i8,
    end: *const i32,
    finish: &Finish,
) {
    naked_asm!(
        env!("EDGEGEN_CPU_DIRECTIVE"),
        ".macro edgegen_code",
        "asr r4, r4, #8",
        "asr r5, r5, #8",
        "smmlar r4, r4, r6, r10",
        "smmlar r5, r5, r6, r10",
        "usat r4, #8, r4",
        "usat r5, #8, r5",
        "uqadd8 r4, r4, r11",
        "uqadd8 r5, r5, r11",
        ".endm",
        "push {{r4-r11, lr}}",
        "ldr lr, [sp, #36]",
        "ldm lr!, {{r10, r11, r12}}",
        "ldm lr, {{r6, r7, r8, r9}}",
        "uxtb r11, r11",
        "cbnz r6, 20f",
        "10:",
        "ldrd r4, r5, [r0, #8]",
        "ldr r6, [r1], #4",
        "edgegen_code",
        "add r4, r4, r12",
        "add r5, r5, r12",
        "strb r5, [r2, r9]",
        "strb r4, [r2, r8]",
        "ldrd r4, r5, [r0], #16",
        "edgegen_code",
        "add r4, r4, r12",
        "add r5, r5, r12",
        "strb r5, [r2, r7]",
        "cmp r1, r3",
        "strb r4, [r2], #1",
        "bne 10b",
        "pop {{r4-r11, pc}}",
        "20:",
        "ldrd r4, r5, [r0, #8]",
        "ldr r6, [r1], #4",
        "edgegen_code",
        "ldrb r4, [r12, r4]",
        "ldrb r5, [r12, r5]",
        "strb r5, [r2, r9]",
        "strb r4, [r2, r8]",
        "ldrd r4, r5, [r0], #16",
        "edgegen_code",
        "ldrb r4, [r12, r4]",
        "ldrb r5, [r12, r5]",
        "strb r5, [r2, r7]",
        "cmp r1, r3",
        "strb r4, [r2], #1",
        "bne 20b",
        "pop {{r4-r11, pc}}",
        ".purgem edgegen_code",
    )
}

/// Makes one sum of each channel into a code: four at a time in 22 instructions, with a table and at the end one by one in 10.
///
/// # Safety
///
/// `sums`, `multiplier` and `to` have one for each channel. There is at least one.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn finish_vector(
    sums: *const i32,
    multiplier: *const i32,
    to: *mut i8,
    channels: usize,
    finish: &Finish,
) {
    naked_asm!(
        env!("EDGEGEN_CPU_DIRECTIVE"),
        ".macro edgegen_code s, m",
        "asr \\s, \\s, #8",
        "smmlar \\s, \\s, \\m, r10",
        "usat \\s, #8, \\s",
        ".endm",
        "push {{r4-r11, lr}}",
        "ldr lr, [sp, #36]",
        "ldm lr, {{r10, r11, r12, lr}}",
        "cmp lr, #0",
        "bne 30f",
        "subs r3, r3, #4",
        "blo 11f",
        "10:",
        "ldm r0!, {{r4, r5, r6, r7}}",
        "ldm r1!, {{r8, r9}}",
        "edgegen_code r4, r8",
        "edgegen_code r5, r9",
        "ldm r1!, {{r8, r9}}",
        "edgegen_code r6, r8",
        "edgegen_code r7, r9",
        "orr r4, r4, r5, lsl #8",
        "orr r4, r4, r6, lsl #16",
        "orr r4, r4, r7, lsl #24",
        "uqadd8 r4, r4, r11",
        "uadd8 r4, r4, r12",
        "subs r3, r3, #4",
        "str r4, [r2], #4",
        "bhs 10b",
        "11:",
        "adds r3, r3, #4",
        "beq 40f",
        "uxtb r11, r11",
        "20:",
        "ldr r4, [r0], #4",
        "ldr r8, [r1], #4",
        "edgegen_code r4, r8",
        "uqadd8 r4, r4, r11",
        "add r4, r4, r12",
        "subs r3, r3, #1",
        "strb r4, [r2], #1",
        "bne 20b",
        "pop {{r4-r11, pc}}",
        "30:",
        "uxtb r11, r11",
        "31:",
        "ldr r4, [r0], #4",
        "ldr r8, [r1], #4",
        "edgegen_code r4, r8",
        "uqadd8 r4, r4, r11",
        "ldrb r4, [r12, r4]",
        "subs r3, r3, #1",
        "strb r4, [r2], #1",
        "bne 31b",
        "40:",
        "pop {{r4-r11, pc}}",
        ".purgem edgegen_code",
    )
}
