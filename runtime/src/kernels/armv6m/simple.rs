//! What is not a matrix: sums, codes and tables, value by value.

use core::arch::naked_asm;

use super::Vector;
use super::finish::{Finish, finish_sum};
use crate::kernels::blocked::Tile;
use crate::kernels::{Channels, Pair};

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
unsafe extern "C" fn look_up_all(table: &[i8; 256], from: *const i8, to: *mut i8, len: usize) {
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

/// [`Kernel::join`](crate::kernels::Kernel::join).
#[inline(never)] // what it takes is taken once
pub(super) fn join(pair: &Pair<'_>, channels: &Channels<'_>, to: &mut [i8]) {
    let count = channels.bias.len();
    if count == 0 || count > channels.multiplier.len() {
        return;
    }
    let (mut a, mut b) = (pair.a, pair.b);
    let finish = Finish::new(&channels.output);
    for pixel in to.chunks_exact_mut(count) {
        if a.len() < count || b.len() < count {
            return;
        }
        let job = Join {
            a: a.as_ptr(),
            b: b.as_ptr(),
            bias: channels.bias.as_ptr(),
            multiplier: channels.multiplier.as_ptr(),
            factors: pair.factors,
            to: pixel.as_mut_ptr(),
            finish: [finish.zero_point as usize, finish.range as usize, finish.least],
        };
        // SAFETY: `count` of each, one at least. [`Finish`] does not leave its table.
        unsafe {
            match (pair.multiply, channels.output.table) {
                (false, None) => join_sum(&job, count),
                (false, Some(_)) => join_sum_table(&job, count),
                (true, None) => join_product(&job, count),
                (true, Some(_)) => join_product_table(&job, count),
            }
        }
        a = a.get(pair.steps[0]..).unwrap_or(&[]);
        b = b.get(pair.steps[1]..).unwrap_or(&[]);
    }
}

/// What the functions of `join!` read, in this order.
#[repr(C)]
struct Join {
    a: *const i8,
    b: *const i8,
    bias: *const i32,
    multiplier: *const i32,
    factors: [i32; 2],
    to: *mut i8,
    finish: [usize; 3],
}

/// The functions that make a pixel of two operands: 42 instructions for a value, half of them for a product of 64 bits.
///
/// In r0 the channel, r1 = to, r2 to r6 of passing use, r7 = 0, [`Finish`] in r8 to r10, the factors in r11 and r12, lr
/// = count.
///
/// # Safety
///
/// There are `count` of each that the job points to, one at least.
macro_rules! join {
    ($name:ident, $table:literal, $($sum:literal)*) => {
        /// See `join!`.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(job: &Join, count: usize) {
            naked_asm!(
                "push {{r4-r7, lr}}",
                "mov r4, r8",
                "mov r5, r9",
                "mov r6, r10",
                "mov r7, r11",
                "push {{r4-r7}}",
                "mov lr, r1",
                "ldm r0!, {{r4-r7}}",
                "push {{r4-r7}}", // a, b, bias, multiplier
                "ldm r0!, {{r4-r6}}",
                "mov r11, r4",
                "mov r12, r5",
                "movs r1, r6",
                "ldm r0!, {{r4-r6}}",
                "mov r8, r4",
                "mov r9, r5",
                "mov r10, r6",
                "movs r0, #0",
                "movs r7, #0",
                "2:",
                "ldr r4, [sp]",
                "ldrsb r4, [r4, r0]",
                "ldr r5, [sp, #4]",
                "ldrsb r5, [r5, r0]",
                "mov r6, r11",
                "mov r3, r12",
                $($sum,)*
                "lsls r6, r0, #2",
                "ldr r5, [sp, #8]",
                "ldr r5, [r5, r6]",
                "adds r4, r4, r5",
                "ldr r5, [sp, #12]",
                "ldr r2, [r5, r6]",
                "asrs r3, r2, #16",
                "adcs r3, r7", // m'
                "sxth r2, r2", // m
                finish_sum!($table),
                "adds r1, #1",
                "adds r0, #1",
                "cmp r0, lr",
                "bne 2b",
                "add sp, #16",
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

join!(join_sum, "", "muls r4, r6, r4" "muls r5, r3, r5" "adds r4, r4, r5");
join!(join_sum_table, "ldrb r5, [r5]\n", "muls r4, r6, r4" "muls r5, r3, r5" "adds r4, r4, r5");
join!(join_product, "", "subs r4, r4, r6" "subs r5, r5, r3" "muls r4, r5, r4");
join!(join_product_table, "ldrb r5, [r5]\n", "subs r4, r4, r6" "subs r5, r5, r3" "muls r4, r5, r4");

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
