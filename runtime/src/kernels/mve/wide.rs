//! Products of int16 codes, eight in a vector.

use core::arch::naked_asm;

use super::Mve;
use crate::fixed::WideOutput;
use crate::kernels::wide::{self, Apart, Job, PIXELS, Sums, WideWindow};

/// Channels that meet two pixels at a time.
const CHANNELS: usize = 3;

const _: () = assert!(wide::CHANNELS.is_multiple_of(CHANNELS));

/// [`Kernel::wide_products`](crate::kernels::Kernel::wide_products).
#[inline(never)] // what it takes is taken once
pub(super) fn add_products(_: Mve, window: &WideWindow<'_>, first: usize, weights: &[i8], sums: &mut Sums) {
    let Some((values, Job { lanes, end, run, pixel })) = window.job(first) else { return };
    let mut matrix = window.matrix(weights);
    for sums in sums.as_chunks_mut::<CHANNELS>().0 {
        let Some(one) = matrix.next() else { return };
        // A channel that there is not is the one before, again.
        let two = matrix.next().unwrap_or(one);
        let three = matrix.next().unwrap_or(two);
        let weights = [one, two, three].map(<[i8]>::as_ptr);
        let job = Six { lanes, end, run, pixel, over: run.wrapping_neg() % 8, weights };
        for pair in 0..PIXELS / 2 {
            let values = values.wrapping_byte_add(2 * pair * pixel);
            let sums = sums.as_flattened_mut().as_mut_ptr().wrapping_add(2 * pair);
            // SAFETY: a window has seen that each lane has a run of values for each of the four pixels; there is one
            // lane at least with one value. The three channels have a run of weights for each lane, and two sums from
            // there on. The kernel proves that there are vectors.
            unsafe { add_six(sums, values, &job) }
        }
    }
}

/// What [`add_six`] reads, in this order.
#[repr(C)]
struct Six {
    lanes: *const u32,
    end: *const u32,
    run: usize,
    /// Bytes from one pixel to the next.
    pixel: usize,
    /// Weights that the last vector goes beyond a run.
    over: usize,
    weights: [*const i8; CHANNELS],
}

/// Adds the products of three channels with two pixels to their sums.
///
/// ```text
/// for each lane
///     for each eight values of its run
///         x₀, x₁ = eight values of each pixel         2 VLDRH
///         for each channel
///             w = eight weights                       1 VLDRB, which widens them
///             sum₀ += w · x₀;  sum₁ += w · x₁         2 VMLADAVA
/// ```
///
/// 12 instructions for 48 products, and 15 for each lane.
///
/// # Safety
///
/// Each of the lanes, one at least, is the byte after `values` where the run of the first pixel starts, one value at
/// least, and that of the other lies `pixel` bytes further. There are weights for all lanes and channels. The sums of
/// both pixels lie side by side, those of the next channel four words further. There are vectors.
#[unsafe(naked)]
unsafe extern "C" fn add_six(sums: *mut i32, values: *const i16, job: &Six) {
    naked_asm!(
        cpu!(),
        "push {{r0-r2, r4-r11, lr}}",
        "mov r11, r2",
        "mov r12, r0",
        "ldrd r0, r6, [r12]",
        "ldrd r2, r8, [r12, #16]",
        "ldrd r4, r10, [r12, #32]",
        "ldr r9, [r11]",
        "ldrd r1, r3, [r11, #20]",
        "ldr r5, [r11, #28]",
        "1:",
        "ldr r12, [r9], #4",
        "str r9, [sp, #8]", // lanes to go
        "ldr r7, [sp, #4]",
        "add r7, r7, r12",
        "ldrd r12, r9, [r11, #8]", // run, pixel
        "add r9, r9, r7",
        "dlstp.16 lr, r12",
        "2:",
        "vldrh.u16 q0, [r7], #16",
        "vldrb.s16 q2, [r1], #8",
        "vmladava.s16 r0, q0, q2",
        "vldrh.u16 q1, [r9], #16",
        "vmladava.s16 r6, q1, q2",
        "vldrb.s16 q3, [r3], #8",
        "vmladava.s16 r2, q0, q3",
        "vldrb.s16 q2, [r5], #8",
        "vmladava.s16 r8, q1, q3",
        "vmladava.s16 r4, q0, q2",
        "vmladava.s16 r10, q1, q2",
        "letp lr, 2b",
        "ldr r12, [r11, #16]", // over
        "sub r1, r1, r12",
        "sub r3, r3, r12",
        "sub r5, r5, r12",
        "ldr r9, [sp, #8]",
        "ldr r12, [r11, #4]",
        "cmp r9, r12",
        "bne 1b",
        "ldr r12, [sp]",
        "strd r0, r6, [r12]",
        "strd r2, r8, [r12, #16]",
        "strd r4, r10, [r12, #32]",
        "add sp, #12",
        "pop {{r4-r11, pc}}",
    )
}

/// [`Kernel::wide_finish`](crate::kernels::Kernel::wide_finish).
#[inline(never)] // what it takes is taken once
pub(super) fn finish(_: Mve, sums: &Sums, multiplier: &[i32], output: &WideOutput<'_>, to: &mut Apart<'_>) {
    if output.table.is_some() {
        return wide::finish(sums, multiplier, output, to);
    }
    let channels = multiplier.len().min(wide::CHANNELS);
    let pixels = to.pixels.min(PIXELS);
    let last = pixels.wrapping_sub(1);
    if channels == 0 || last >= PIXELS || last.saturating_mul(to.step).saturating_add(channels) > to.codes.len() {
        return;
    }
    let job = Codes { channels, step: 2 * to.step, low: output.low.into(), high: output.high.into(), pixels };
    // SAFETY: there are sums, multipliers and places for all channels, one at least, and pixels, one to four. The
    // kernel proves that there are vectors.
    unsafe { finish_codes(sums.as_flattened().as_ptr(), multiplier.as_ptr(), to.codes.as_mut_ptr(), &job) }
}

/// What [`finish_codes`] reads, in this order.
#[repr(C)]
struct Codes {
    channels: usize,
    /// Bytes from one pixel to the next.
    step: usize,
    low: i32,
    high: i32,
    pixels: usize,
}

/// Makes sums of four pixels or fewer into codes: 10 instructions for each channel.
///
/// # Safety
///
/// There are four sums and a multiplier for each channel, and places for all channels of each pixel; one channel at
/// least, one to four pixels. There are vectors.
#[unsafe(naked)]
unsafe extern "C" fn finish_codes(sums: *const i32, multiplier: *const i32, to: *mut i16, job: &Codes) {
    naked_asm!(
        cpu!(),
        "push {{r4, r5, r6, lr}}",
        "vpush {{d8, d9}}",
        "ldrd r4, r5, [r3]", // channels, step
        "ldr r6, [r3, #8]",
        "vdup.32 q2, r6",
        "ldr r6, [r3, #12]",
        "vdup.32 q3, r6",
        "movs r6, #0",
        "vidup.u32 q1, r6, #1",
        "vmul.i32 q1, q1, r5", // where the pixels lie
        "ldr r12, [r3, #16]",
        "vctp.32 r12",
        "dls lr, r4",
        "2:",
        "ldr r6, [r1], #4",
        "vdup.32 q4, r6",
        "vldrw.u32 q0, [r0], #16",
        "vrmulh.s32 q0, q0, q4",
        "vmax.s32 q0, q0, q2",
        "vmin.s32 q0, q0, q3",
        "vpst",
        "vstrht.32 q0, [r2, q1]",
        "adds r2, #2",
        "le lr, 2b",
        "vpop {{d8, d9}}",
        "pop {{r4, r5, r6, pc}}",
    )
}
