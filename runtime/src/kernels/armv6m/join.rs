//! Two maps value by value.
//!
//! What [`finish_sum!`] needs for one value, ten products and shifts, is the same for all pixels of a channel but for
//! the codes. So where there are several pixels, a channel is a line in one code or a plane in two, whose slopes and
//! start are scaled once, to 20 bits behind the point:
//!
//! ```text
//! sum         = f·x + g·y + h                                     integers of the channel; g = 0 beside a vector
//! F, G, H     = ⌊f·m / 2¹²⌋, ⌊g·m / 2¹²⌋, ⌊h·m / 2¹²⌋             m: the channel's multiplier
//! u           = F·x + G·y + H + 2¹⁹ + 2⁸                          2¹⁹ rounds
//! u − 2⁹ < (sum·m + 2³¹) / 2¹² < u                                as |x|, |y| ≤ 2⁷
//! code        = ⌊u / 2²⁰⌋                                         exactly, if bits 9 … 19 of u are not all 0
//! ```
//!
//! They are all 0 for one value in two thousand, which is made by `finish_sum!`.

use core::arch::naked_asm;

use super::finish::{Finish, finish_sum};
use super::simple::look_up_all;
use crate::kernels::{Channels, Pair};

/// Pixels from which on it pays to scale a channel.
const PIXELS: usize = 6;
/// What a sum times its multiplier may come to in codes, so that `u` has bits for it beside a zero point.
const MOST_CODES: u64 = 1500;

/// [`Kernel::join`](crate::kernels::Kernel::join).
#[inline(never)] // what it takes is taken once
pub(super) fn join(pair: &Pair<'_>, channels: &Channels<'_>, to: &mut [i8]) {
    if by_channel(pair, channels, to).is_none() {
        by_pixel(pair, channels, to);
    }
}

/// Makes pixels channel by channel; `None`, and nothing, where they are too few or do not fit.
fn by_channel(pair: &Pair<'_>, channels: &Channels<'_>, to: &mut [i8]) -> Option<()> {
    let Pair { steps, multiply, factors, .. } = *pair;
    let count = channels.bias.len();
    let pixels = to.len().checked_div(count)?;
    let values = pixels * count;
    // The operand that changes from pixel to pixel, and the other.
    let (map, other, [factor, other_factor]) =
        if steps[0] == 0 { (pair.b, pair.a, [factors[1], factors[0]]) } else { (pair.a, pair.b, factors) };
    let beside_vector = steps[0] == 0 || steps[1] == 0;
    let packed = steps.iter().all(|&step| step == count || step == 0) && steps != [0; 2];
    let fits = packed
        && pixels >= PIXELS
        && map.len() >= values
        && other.len() >= if beside_vector { count } else { values }
        && channels.multiplier.len() >= count
        && (beside_vector || !multiply);
    if !fits {
        return None;
    }
    let (bias, multiplier) = (*channels.bias.first()?, *channels.multiplier.first()?);
    let (mut size, mut greatest, mut differing) = (0, 0, 0);
    for (&b, &m) in channels.bias.iter().zip(channels.multiplier) {
        size |= (b ^ (b >> 31)) as u32;
        greatest |= m as u32;
        differing |= (b ^ bias) | (m ^ multiplier);
    }
    let swing = if multiply { 1 << 16 } else { (factors[0].unsigned_abs() + factors[1].unsigned_abs()) << 7 };
    let codes = (u64::from(size) + u64::from(swing)) * u64::from(greatest) >> 32;
    if size >= 1 << 30 || greatest >= 1 << 31 || codes > MOST_CODES {
        return None;
    }
    // All channels alike are one.
    let (pixels, count) = if differing == 0 && !beside_vector { (values, 1) } else { (pixels, count) };
    let finish = Finish::new(&channels.output);
    let place = to.as_mut_ptr();
    let least = i32::from(channels.output.low);
    let mut job = Job {
        map: map.as_ptr(),
        other: other.as_ptr(),
        to: place,
        bias: channels.bias.as_ptr(),
        multiplier: channels.multiplier.as_ptr(),
        channels: count,
        factor,
        other_factor: if multiply { factor.wrapping_neg() } else { other_factor },
        sum: 0,
        scale: 0,
        start: (pixels - 1) * count,
        entry: pixels % 4,
        zero_point: finish.zero_point,
        offset: (finish.zero_point << 20) + (1 << 19) + (1 << 8),
        range: finish.range,
        least,
        back: count.wrapping_neg(),
        factors: if multiply { [0, 1, other_factor] } else { [factor, 0, 0] },
    };
    // SAFETY: checked above: values and places for all pixels, six at least, of all channels, or of a vector for all
    // channels; a bias and a multiplier for each.
    unsafe {
        if beside_vector {
            lines(&mut job);
        } else {
            planes(&mut job);
        }
        if let Some(table) = channels.output.table {
            look_up_all(table, place, place, values);
        }
    }
    Some(())
}

/// What [`lines`] and [`planes`] read and move on, in this order.
#[repr(C)]
struct Job {
    map: *const i8,
    other: *const i8,
    to: *mut i8,
    bias: *const i32,
    multiplier: *const i32,
    /// To go.
    channels: usize,
    /// f of the channel.
    factor: i32,
    /// g; beside a vector what its code, less `factors[2]`, adds to h.
    other_factor: i32,
    /// h of the channel.
    sum: i32,
    /// Its multiplier.
    scale: i32,
    /// Its last value.
    start: usize,
    /// Pixels modulo 4.
    entry: usize,
    /// Of [`Finish`].
    zero_point: i32,
    /// Added to H.
    offset: i32,
    range: i32,
    least: i32,
    /// From a pixel back to the one before.
    back: usize,
    /// Beside a vector of codes y, f is the first and the second times what y is above the third.
    factors: [i32; 3],
}

/// The functions that make the pixels of all channels, the last pixel first.
///
/// In r0 the map, r2 = to, r3 the value's place, r6 = F; r4 and r5 of passing use; r8 = bits 9 … 19, r9 = range, r10
/// = least, r11 = H with all that is added to it, r12 = back. With two maps, in r1 the other and r7 = G; else r1 =
/// back and r7 = r8. On the stack the job.
///
/// # Safety
///
/// Everything that the job points to is there, for all channels and pixels; one at least.
macro_rules! by_channel {
    ($name:ident, $doc:literal, [$($sum:literal)*], [$($slope:literal)*], [$($start:literal)*], [$($load:literal)*],
     [$($test:literal)*], $back:literal, $end:literal, [$($exact:literal)*]) => {
        #[doc = $doc]
        #[unsafe(naked)]
        unsafe extern "C" fn $name(job: &mut Job) {
            macro_rules! value {
                ($slow:literal, $clamp:literal, $store:literal, $next:literal) => {
                    concat!(
                        $($load, "\n",)*
                        "add r4, r11\n",
                        $($test, "\n",)*
                        concat!("beq ", $slow, "f\n"),
                        "lsrs r4, r4, #20\n",
                        "cmp r4, r9\n",
                        concat!("bhi ", $clamp, "f\n"),
                        concat!($store, ":\n"),
                        "add r4, r10\n",
                        "strb r4, [r2, r3]\n",
                        concat!($next, ":\n"),
                        $back, "\n",
                    )
                };
            }
            macro_rules! rare {
                ($slow:literal, $clamp:literal, $store:literal, $next:literal) => {
                    concat!(
                        concat!($clamp, ":\n"),
                        "lsls r4, r4, #20\n",
                        "mov r4, r9\n", // leaves the flags as they were
                        concat!("bpl ", $store, "b\n"),
                        "movs r4, #0\n",
                        concat!("b ", $store, "b\n"),
                        concat!($slow, ":\n"),
                        "bl 8f\n",
                        concat!("b ", $next, "b\n"),
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
                "push {{r0}}",
                "movs r7, r0",
                "adds r0, #56",
                "ldm r0!, {{r4, r5, r6}}", // range, least, back
                "mov r9, r4",
                "mov r10, r5",
                "mov r12, r6",
                "movs r4, #255",
                "lsls r4, r4, #3",
                "adds r4, #7",
                "lsls r4, r4, #9",
                "mov r8, r4",
                "adr r4, 7f",
                "ldr r5, [r7, #44]",
                "lsls r5, r5, #2",
                "ldr r5, [r4, r5]",
                "adds r5, r5, r4",
                "str r5, [r7, #44]", // where the first pixels begin
                "b 2f",
                ".p2align 2",
                "7:",
                ".word 30f - 7b",
                ".word 33f - 7b",
                ".word 32f - 7b",
                ".word 31f - 7b",
                "2:", // each channel
                "ldr r7, [sp]",
                "ldr r4, [r7, #12]",
                "ldm r4!, {{r0}}", // bias
                "str r4, [r7, #12]",
                "ldr r4, [r7, #16]",
                "ldm r4!, {{r1}}", // multiplier
                "str r4, [r7, #16]",
                "str r1, [r7, #36]",
                $($sum,)*
                "str r0, [r7, #32]",
                "lsrs r2, r1, #16", // m = 2¹⁶·r2 + r1
                "uxth r1, r1",
                "asrs r3, r0, #16", // h = 2¹⁶·r3 + r0
                "uxth r0, r0",
                "movs r4, r3",
                "muls r4, r2, r4",
                "lsls r4, r4, #20",
                "muls r3, r1, r3",
                "movs r5, r0",
                "muls r5, r2, r5",
                "adds r3, r3, r5",
                "lsls r3, r3, #4",
                "adds r4, r4, r3",
                "muls r0, r1, r0",
                "lsrs r0, r0, #12",
                "adds r4, r4, r0",
                "ldr r0, [r7, #52]",
                "adds r4, r4, r0",
                "mov r11, r4",
                "ldr r6, [r7, #24]", // f
                "movs r4, r6",
                "muls r4, r2, r4",
                "lsls r4, r4, #4",
                "muls r6, r1, r6",
                "asrs r6, r6, #12",
                "adds r6, r6, r4",
                $($slope,)*
                "ldr r3, [r7, #40]",
                "adds r4, r3, #1",
                "str r4, [r7, #40]",
                "ldr r4, [r7, #44]",
                "ldm r7!, {{r0, r1, r2}}",
                $($start,)*
                "mov pc, r4",
                "30:", // each four pixels
                value!("40", "50", "60", "70"),
                "31:",
                value!("41", "51", "61", "71"),
                "32:",
                value!("42", "52", "62", "72"),
                "33:",
                value!("43", "53", "63", "73"),
                $end,
                "bge 30b",
                "ldr r7, [sp]",
                "ldr r4, [r7, #20]",
                "subs r4, #1",
                "str r4, [r7, #20]",
                "beq 6f", // too far for a conditional branch back
                "b 2b",
                "6:",
                "add sp, #4",
                "pop {{r4-r7}}",
                "mov r8, r4",
                "mov r9, r5",
                "mov r10, r6",
                "mov r11, r7",
                "pop {{r4-r7, pc}}",
                rare!("40", "50", "60", "70"),
                rare!("41", "51", "61", "71"),
                rare!("42", "52", "62", "72"),
                rare!("43", "53", "63", "73"),
                // The value at r3 by itself.
                "8:",
                "mov r5, r8",
                "push {{r0-r3, r5, r6, r7, lr}}",
                "ldr r7, [sp, #32]",
                $($exact,)*
                "ldr r5, [r7, #32]",
                "adds r4, r4, r5",
                "adds r1, r2, r3",
                "ldr r2, [r7, #36]",
                "ldr r5, [r7, #48]",
                "mov r8, r5",
                "movs r7, #0",
                "asrs r3, r2, #16",
                "adcs r3, r7", // m'
                "sxth r2, r2", // m
                finish_sum!(""),
                "pop {{r0-r3, r5, r6, r7}}",
                "mov r8, r5",
                "pop {{pc}}",
            )
        }
    };
}

by_channel!(
    planes,
    "Of two maps: 15.5 instructions for a value and 55 for a channel; see `by_channel!`.",
    [],
    ["ldr r5, [r7, #28]" // g
     "movs r4, r5"
     "muls r4, r2, r4"
     "lsls r4, r4, #4"
     "muls r5, r1, r5"
     "asrs r5, r5, #12"
     "adds r5, r5, r4"],
    ["mov r7, r5"],
    ["ldrsb r4, [r0, r3]" "ldrsb r5, [r1, r3]" "muls r4, r6, r4" "muls r5, r7, r5" "adds r4, r4, r5"],
    ["mov r5, r8" "tst r4, r5"],
    "add r3, r12",
    "cmp r3, #0",
    ["ldrsb r4, [r0, r3]"
     "ldrsb r5, [r1, r3]"
     "ldr r6, [r7, #24]"
     "muls r4, r6, r4"
     "ldr r6, [r7, #28]"
     "muls r5, r6, r5"
     "adds r4, r4, r5"]
);
by_channel!(
    lines,
    "Of a map and a vector: 11.25 instructions for a value and 64 for a channel; see `by_channel!`.",
    ["ldr r4, [r7, #4]"
     "movs r5, #0"
     "ldrsb r5, [r4, r5]"
     "adds r4, #1"
     "str r4, [r7, #4]"
     "ldr r4, [r7, #76]"
     "subs r5, r5, r4"
     "ldr r4, [r7, #72]"
     "muls r4, r5, r4"
     "ldr r6, [r7, #68]"
     "adds r4, r4, r6"
     "str r4, [r7, #24]" // f
     "ldr r4, [r7, #28]"
     "muls r5, r4, r5"
     "adds r0, r0, r5"],
    [],
    ["mov r7, r8" "mov r1, r12"],
    ["ldrsb r4, [r0, r3]" "muls r4, r6, r4"],
    ["tst r4, r7"],
    "adds r3, r3, r1",
    "",
    ["ldrsb r4, [r0, r3]" "ldr r6, [r7, #24]" "muls r4, r6, r4"]
);

/// Any pixels, one after the other.
#[inline(never)] // its part of the stack is for itself
fn by_pixel(pair: &Pair<'_>, channels: &Channels<'_>, to: &mut [i8]) {
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
