//! What a few pixels read, put together in 16-bit halves.

use core::arch::naked_asm;
use core::ops::Range;

/// Gathers for both tiles. What starts or ends within four values, at odd lengths of a run, goes one by one.
#[inline]
pub(super) fn gather<const PIXELS: usize>(
    values: &[i8],
    step: usize,
    pixels: usize,
    len: usize,
    at: usize,
    strip: &mut [i32],
) {
    let (first, last) = (at % 4, pixels.wrapping_sub(1));
    let fits = last < PIXELS
        && last.saturating_mul(step).saturating_add(len) <= values.len()
        && at.saturating_add(len).div_ceil(4).saturating_mul(2 * PIXELS) <= strip.len();
    if !fits {
        return;
    }
    let head = if first == 0 { 0 } else { len.min(4 - first) };
    let fours = (len - head) / 4;
    if head > 0 {
        gather_slowly::<PIXELS>(values, step, pixels, 0..head, at, strip);
    }
    if fours > 0 {
        // What the pixel before has gathered already, if it lies at whole words.
        let shared = if step.is_multiple_of(4) && step > 0 { fours.saturating_sub(step / 4) } else { 0 };
        let gap = if shared > 0 { 8 * PIXELS * (step / 4) - 8 } else { step.wrapping_sub(4 * fours) };
        let from = values.as_ptr().wrapping_add(head);
        let to = strip.as_mut_ptr().wrapping_add((at + head) / 4 * (2 * PIXELS));
        // SAFETY: `values` has those of all pixels, and there are places for 4 · `fours` values in the strip for each.
        unsafe {
            if PIXELS == 1 {
                gather_one(from, to, fours);
            } else {
                gather_four(from, to, fours, shared, gap, pixels);
            }
        }
    }
    if head + 4 * fours < len {
        gather_slowly::<PIXELS>(values, step, pixels, head + 4 * fours..len, at, strip);
    }
}

/// Gathers single values, in order of depth: an even value makes place for the odd one after it.
#[cold]
#[inline(never)]
fn gather_slowly<const PIXELS: usize>(
    values: &[i8],
    step: usize,
    pixels: usize,
    range: Range<usize>,
    at: usize,
    strip: &mut [i32],
) {
    for pixel in 0..pixels.min(PIXELS) {
        for i in range.clone() {
            let (Some(&value), depth) = (values.get(pixel * step + i), at + i) else { continue };
            let pair = 2 * (depth / 4 * PIXELS + pixel);
            let Some([y, a]) = strip.get_mut(pair..).and_then(|strip| strip.first_chunk_mut()) else { continue };
            let shift = depth / 2 % 2 * 16;
            let (value, half) = (i32::from(value), 0xFFFF << shift);
            if depth % 2 == 0 {
                *y = *y & !half | value << 8 << shift & half;
                *a &= !half;
            } else {
                *y = *y & !half | (*y).wrapping_sub(value << shift) & half;
                *a = *a & !half | value << shift & half;
            }
        }
    }
}

/// Gathers 4 · `fours` values of each of up to four pixels: 5 instructions for four values, 2 where the pixel before has them.
/// These CPUs read words at any address with LDR, which compilers count on too.
///
/// # Safety
///
/// There are as many values, and room for them in the strip. `fours` and `pixels` are not 0. If `shared` is not 0, a pixel's first
/// 4 · `shared` values are the last ones of the pixel before, `gap` is the number of bytes from a pixel's place in the strip on to the first
/// that it shares, and `shared` < `fours`. Else, `gap` is the number of values between pixels.
#[unsafe(naked)]
unsafe extern "C" fn gather_four(
    values: *const i8,
    strip: *mut i32,
    fours: usize,
    shared: usize,
    gap: usize,
    pixels: usize,
) {
    naked_asm!(
        env!("EDGEGEN_CPU_DIRECTIVE"),
        ".macro edgegen_copy",
        "ldrd r4, r5, [r7], #32",
        "strd r4, r5, [r1], #32",
        ".endm",
        ".macro edgegen_widen",
        "ldr r4, [r0], #4",
        "sxtb16 r5, r4, ror #8",
        "and r4, r6, r4, lsl #8",
        "ssub16 r4, r4, r5",
        "strd r4, r5, [r1], #32",
        ".endm",
        "push {{r4-r11, lr}}",
        "ldr r11, [sp, #36]", // gap
        "ldr r12, [sp, #40]", // pixels
        "mov lr, r1",
        "mov r6, #0xFF00FF00",
        // Rounds of copying and where to enter.
        "adr r10, 20f",
        "orr r10, r10, #1",
        "rsb r4, r3, #0",
        "and r4, r4, #3",
        "add r10, r10, r4, lsl #3",
        // The same for widening, for the first pixel and for the others.
        "sub r8, r2, r3",
        "adr r9, 30f",
        "orr r9, r9, #1",
        "rsb r7, r2, #0",
        "and r7, r7, #3",
        "add r7, r7, r7, lsl #2",
        "add r7, r9, r7, lsl #2",
        "rsb r5, r8, #0",
        "and r5, r5, #3",
        "add r5, r5, r5, lsl #2",
        "add r9, r9, r5, lsl #2",
        "add r3, r3, #3",
        "lsr r3, r3, #2",
        "add r4, r2, #3",
        "add r2, r8, #3",
        "lsr r2, r2, #2",
        "lsr r8, r4, #2",
        "bx r7",
        "10:",
        "mov r8, r3",
        "add lr, lr, #8",
        "mov r1, lr",
        "cbz r3, 11f",
        "add r7, lr, r11",
        "bx r10",
        "11:",
        "add r0, r0, r11",
        "mov r8, r2",
        "bx r9",
        ".p2align 2",
        "20:",
        "edgegen_copy",
        "edgegen_copy",
        "edgegen_copy",
        "edgegen_copy",
        "21:",
        "subs r8, r8, #1",
        "bne 20b",
        "mov r8, r2",
        "bx r9",
        ".p2align 2",
        "30:",
        "edgegen_widen",
        "edgegen_widen",
        "edgegen_widen",
        "edgegen_widen",
        "31:",
        "subs r8, r8, #1",
        "bne 30b",
        "subs r12, r12, #1",
        "bne 10b",
        "pop {{r4-r11, pc}}",
        same!("21b - 20b", "4 * 8"),
        same!("31b - 30b", "4 * 20"),
        ".purgem edgegen_copy",
        ".purgem edgegen_widen",
    )
}

/// Gathers 4 · `fours` values of one pixel.
///
/// # Safety
///
/// There are as many values, and room for them in the strip. `fours` is not 0.
#[unsafe(naked)]
unsafe extern "C" fn gather_one(values: *const i8, strip: *mut i32, fours: usize) {
    naked_asm!(
        env!("EDGEGEN_CPU_DIRECTIVE"),
        "push {{r4, lr}}",
        "mov r12, #0xFF00FF00",
        "10:",
        "ldr r3, [r0], #4",
        "sxtb16 r4, r3, ror #8",
        "and r3, r12, r3, lsl #8",
        "ssub16 r3, r3, r4",
        "subs r2, r2, #1",
        "strd r3, r4, [r1], #8",
        "bne 10b",
        "pop {{r4, pc}}",
    )
}
