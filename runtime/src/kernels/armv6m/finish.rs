//! Sums become codes.

use core::arch::naked_asm;

use crate::fixed::Output;

/// What the assembly makes of [`Output`], and where sums and pixels end.
#[repr(C)]
pub(super) struct Finish {
    /// Added to the high half of the product; a code then is what it is above the least.
    pub(super) zero_point: i32,
    /// The most that a code is above the least.
    pub(super) range: i32,
    /// The least code, or the address of its entry in the table.
    pub(super) least: usize,
    /// From a pixel back to the one before.
    pub(super) back: usize,
    /// From before the first pixel's value of a channel to the last pixel's of the next channel.
    pub(super) next: usize,
    /// End of the sums.
    pub(super) end: *const i32,
    /// 1 to 4.
    pub(super) pixels: usize,
}

impl Finish {
    #[inline]
    pub(super) fn new(output: &Output<'_>) -> Self {
        let low = i32::from(output.low);
        let least = match output.table {
            Some(table) => table.as_ptr().wrapping_add((low + 128) as usize) as usize,
            None => low as usize,
        };
        Self {
            zero_point: i32::from(output.zero_point) - low,
            range: i32::from(output.high) - low,
            least,
            back: 0,
            next: 0,
            end: core::ptr::null(),
            pixels: 1,
        }
    }
}

/// Code of a sum from products of halves, as there is no product of 64 bits, and stores it: 20 instructions, 21 with a table.
///
/// With sum = s′·2¹⁶ + s and multiplier = m′·2¹⁶ + m, where s and m are −2¹⁵ … 2¹⁵ − 1:
///
/// ```text
/// (sum · multiplier + 2³¹) >> 32 = s′m′ + (s′m + s·m′ + (s·m >> 16) + 2¹⁵ >> 16)
/// ```
///
/// As the multiplier is not negative, m′ is 0 … 2¹⁵ and the bracket without 2¹⁵ always fits 32 bits: its extremes are −2³¹ + 2¹⁴
/// and 2³¹ − 2¹⁵ − 2¹⁴ or less. Its shift leaves bit 15 in the carry, and adding that is adding 2¹⁵ before.
///
/// In r4 the sum, r2 = m, r3 = m′, r7 = 0, [`Finish`] in r8 = zero_point, r9 = range, r10 = least; to r1; r4 … r6 are lost.
macro_rules! finish_sum {
    ($table:literal) => {
        concat!(
            "asrs r5, r4, #16\n",
            "adcs r5, r7\n", // s'
            "sxth r4, r4\n", // s
            "movs r6, r4\n",
            "muls r6, r2, r6\n",
            "asrs r6, r6, #16\n", // s·m >> 16
            "muls r4, r3, r4\n",
            "adds r6, r6, r4\n", // + s·m'
            "movs r4, r5\n",
            "muls r4, r2, r4\n",
            "adds r6, r6, r4\n", // + s'm
            "muls r5, r3, r5\n", // s'm'
            "add r5, r8\n",
            "asrs r6, r6, #16\n",
            "adcs r5, r6\n",
            "bpl 8f\n",
            "movs r5, #0\n",
            "8:\n",
            "cmp r5, r9\n",
            "ble 9f\n",
            "mov r5, r9\n",
            "9:\n",
            "add r5, r10\n",
            $table,
            "strb r5, [r1]\n",
        )
    };
}

pub(super) use finish_sum;

/// The functions that finish four pixels or fewer, from the last to the first; see [`finish_sum`].
///
/// # Safety
///
/// `sums` has four words for each channel up to `finish.end` and `multiplier` one, at least for one channel. `to` is the
/// place of the last of `finish.pixels` pixels, from each of which `finish.back` leads to the one before; each has a place for all channels.
macro_rules! finish_windows {
    ($name:ident, $table:literal) => {
        #[doc = "Finishes four pixels or fewer; see `finish_windows!`."]
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name(sums: *const i32, multiplier: *const i32, to: *mut i8, finish: &Finish) {
            macro_rules! pixels {
                ($first:literal, $second:literal, $h:literal, $t:literal) => {
                    concat!(
                        concat!($second, ":\n"),
                        concat!("ldr r4, [r0, #", $h, "]\n"),
                        finish_sum!($table),
                        "add r1, r11\n",
                        concat!($first, ":\n"),
                        concat!("ldr r4, [r0, #", $t, "]\n"),
                        concat!("ldr r5, [r0, #", $h, "]\n"),
                        "lsls r5, r5, #16\n",
                        "subs r4, r4, r5\n",
                        finish_sum!($table),
                        "add r1, r11\n",
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
                "mov lr, r1",
                "movs r1, r2",
                "ldm r3!, {{r4-r7}}",
                "mov r8, r4",
                "mov r9, r5",
                "mov r10, r6",
                "mov r11, r7",
                "ldm r3!, {{r4-r6}}",
                "push {{r4, r5}}", // next and end
                // Where the work of a channel begins, in r12.
                "adr r7, 7f",
                "lsls r6, r6, #2",
                "subs r6, #4",
                "ldr r6, [r7, r6]",
                "adds r6, r6, r7",
                "mov r12, r6",
                "movs r7, #0",
                "b 2f",
                ".p2align 2",
                "7:",
                ".word 3f - 7b",
                ".word 4f - 7b",
                ".word 5f - 7b",
                ".word 6f - 7b",
                "2:", // each channel
                "mov r6, lr",
                "ldm r6!, {{r2}}",
                "mov lr, r6",
                "asrs r3, r2, #16",
                "adcs r3, r7", // m'
                "sxth r2, r2", // m
                "mov pc, r12",
                pixels!("5", "6", "4", "12"),
                pixels!("3", "4", "0", "8"),
                "adds r0, #16",
                "ldr r6, [sp]", // next
                "adds r1, r1, r6",
                "ldr r6, [sp, #4]", // end
                "cmp r0, r6",
                "bne 2b",
                "add sp, #8",
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

finish_windows!(finish_windows, "");
finish_windows!(finish_windows_table, "ldrb r5, [r5]\n");

/// The functions that finish one pixel; see [`finish_sum`].
///
/// # Safety
///
/// `sums` has a word for each channel up to `finish.end`, `multiplier` one, `to` a place, at least for one channel.
macro_rules! finish_vector {
    ($name:ident, $table:literal) => {
        #[doc = "Finishes one pixel; see `finish_vector!`."]
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name(sums: *const i32, multiplier: *const i32, to: *mut i8, finish: &Finish) {
            naked_asm!(
                "push {{r4-r7, lr}}",
                "mov r4, r8",
                "mov r5, r9",
                "mov r6, r10",
                "push {{r4-r6}}",
                "subs r1, r1, r0",
                "mov r12, r1", // from a sum to its multiplier
                "movs r1, r2",
                "ldm r3!, {{r4-r6}}",
                "mov r8, r4",
                "mov r9, r5",
                "mov r10, r6",
                "ldr r4, [r3, #8]",
                "mov lr, r4", // end
                "movs r7, #0",
                "2:", // each channel
                "mov r6, r12",
                "ldr r2, [r0, r6]",
                "asrs r3, r2, #16",
                "adcs r3, r7", // m'
                "sxth r2, r2", // m
                "ldm r0!, {{r4}}",
                finish_sum!($table),
                "adds r1, #1",
                "cmp r0, lr",
                "bne 2b",
                "pop {{r4-r6}}",
                "mov r8, r4",
                "mov r9, r5",
                "mov r10, r6",
                "pop {{r4-r7, pc}}",
            )
        }
    };
}

finish_vector!(finish_vector, "");
finish_vector!(finish_vector_table, "ldrb r5, [r5]\n");
