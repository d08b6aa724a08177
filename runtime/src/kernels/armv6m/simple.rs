//! What is not a matrix: sums, codes and tables, value by value.

use core::arch::naked_asm;

use super::Vector;
use crate::kernels::Channels;
use crate::kernels::blocked::Tile;

/// [`Kernel::finish`](crate::kernels::Kernel::finish).
#[inline(never)] // what it takes is taken once
pub(super) fn finish(sums: &[i32], channels: &Channels<'_>, to: &mut [i8]) {
    Vector.finish(sums, channels.multiplier, &channels.output, to, 1, 0);
}

/// [`Kernel::look_up`](crate::kernels::Kernel::look_up).
#[inline(never)] // what it takes is taken once
pub(super) fn look_up(table: &[i8; 256], from: &[i8], to: &mut [i8]) {
    let len = from.len().min(to.len());
    // SAFETY: there are as many codes and places.
    unsafe { look_up_all(table, from.as_ptr(), to.as_mut_ptr(), len) }
}

/// Looks codes up, from the last to the first: 18 instructions for 4, the rest one by one in 5.
///
/// # Safety
///
/// There are `len` codes and places.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn look_up_all(table: &[i8; 256], from: *const i8, to: *mut i8, len: usize) {
    macro_rules! value {
        () => {
            "subs r3, #1
            ldrsb r4, [r1, r3]
            ldrb r4, [r0, r4]
            strb r4, [r2, r3]"
        };
    }
    naked_asm!(
        "push {{r4, lr}}",
        "adds r0, #128",
        "b 3f",
        "2:",
        value!(),
        value!(),
        value!(),
        value!(),
        "3:",
        "cmp r3, #4",
        "bhs 2b",
        "cmp r3, #0",
        "beq 5f",
        "4:",
        value!(),
        "bne 4b", // loads and the store left the flags as they were
        "5:",
        "pop {{r4, pc}}",
    )
}

/// [`Kernel::add`](crate::kernels::Kernel::add).
#[inline(never)] // what it takes is taken once
pub(super) fn add(values: &[i8], step: usize, zero_point: i8, square: bool, sums: &mut [i32]) {
    let step = step.max(1);
    // One division for all channels: whole pixels, and how many channels the one behind them has.
    let (whole, part) = match values.len().checked_sub(sums.len()) {
        Some(room) if step >= sums.len() => (room / step + 1, 0),
        _ => (0, 1),
    };
    for (channel, sum) in sums.iter_mut().enumerate() {
        let Some(values) = values.get(channel..) else { return };
        let count = if part == 0 { whole } else { values.len().div_ceil(step) };
        if count > 0 {
            // SAFETY: so many values lie `step` bytes apart.
            unsafe {
                *sum = if square {
                    add_squares(*sum, values.as_ptr(), step, count, zero_point.into())
                } else {
                    add_values(*sum, values.as_ptr(), step, count, zero_point.into())
                }
            }
        }
    }
}

/// The functions that add a channel of pixels to a sum, four at a time, the rest one by one.
///
/// # Safety
///
/// There are `count` values `step` bytes apart, one at least.
macro_rules! add {
    ($name:ident, $doc:literal, $term:literal) => {
        #[doc = $doc]
        #[unsafe(naked)]
        unsafe extern "C" fn $name(sum: i32, values: *const i8, step: usize, count: usize, zero_point: i32) -> i32 {
            macro_rules! value {
                () => {
                    concat!("ldrsb r4, [r1, r5]\n", "adds r1, r1, r2\n", $term, "\n", "adds r0, r0, r4\n")
                };
            }
            naked_asm!(
                "push {{r4-r6, lr}}",
                "ldr r6, [sp, #16]", // zero point
                "movs r5, #0",
                "subs r3, #4",
                "blo 3f",
                "2:",
                value!(),
                value!(),
                value!(),
                value!(),
                "subs r3, #4",
                "bhs 2b",
                "3:",
                "adds r3, #4",
                "beq 5f",
                "4:",
                value!(),
                "subs r3, #1",
                "bne 4b",
                "5:",
                "pop {{r4-r6, pc}}",
            )
        }
    };
}

add!(add_values, "Values less their zero point: 18 instructions for 4.", "subs r4, r4, r6");
add!(
    add_squares,
    "Squares of values less their zero point: 22 instructions for 4.",
    "subs r4, r4, r6\nmuls r4, r4, r4"
);
