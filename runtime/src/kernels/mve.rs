//! M-profile vectors (MVE, "Helium", integer part): Cortex-M55 and M85.
//!
//! One instruction, `VMLADAVA.S8 Rda, Qn, Qm`, multiplies 16 pairs of bytes and adds the products to a general register.
//! There are 8 that it can add to, those of even number and LR, so 4 channels meet 2 pixels:
//!
//! ```text
//! 16 values of depth:   2 loads of values, 4 loads of weights, 8 × VMLADAVA     14 instructions for 128 multiplies
//! ```
//!
//! Unrolled 4 times, with the loop's own two, that is 58 instructions for 512 multiplies, 0.113 each; loads aside, the least
//! there could be is 0.0625. Cortex-M55 starts a load while a multiplication is under way, so the two alternate.
//!
//! At this speed every visit to memory and every line of Rust around the loop shows. So here nothing is gathered and no sum
//! is stored, as [`blocked`](super::blocked) does for the other CPUs: one function in assembly makes all pixels and channels
//! of a row, reads its windows where they lie, and makes sums into codes out of the registers. Only where runs of values
//! are not whole vectors, the windows of a few pixels are put together in the working memory first.
//!
//! Stable Rust has neither MVE's intrinsics nor its registers, hence whole functions in assembly. They need a compiler that is
//! told of the CPU (`-C target-cpu=cortex-m55`) and vectors that are switched on, see [`start_vectors!`](crate::start_vectors).

#![allow(unsafe_code)]

use core::arch::naked_asm;
use core::ptr;

#[cfg(feature = "all-operators")]
use super::wide::WideWindow;
use super::{Channels, Kernel, Pair, Row, Window};
use crate::packing::{Matrix, Packing};

/// Lets the assembler know the instructions, since link-time optimisation reads assembly without the flags of the
/// compiler, and aligns the function, as `adr` needs it.
macro_rules! cpu {
    () => {
        ".cpu cortex-m55
        .p2align 2"
    };
}

mod depthwise;
mod simple;
#[cfg(feature = "all-operators")]
mod wide;

/// Proof that the CPU has M-profile vectors: the program is compiled for such a CPU alone.
#[derive(Clone, Copy, Debug)]
pub struct Mve(());

/// Values in a vector.
const VECTOR: usize = 16;
/// Channels of a tile.
const CHANNELS: usize = 4;
/// Pixels of a tile.
const PIXELS: usize = 2;
/// Lanes that are read where they lie, at most: one for each row of a 7×7 filter.
const LANES: usize = 7;

const _: () = {
    let (Some(windows), Some(vector)) = (Packing::Mve.blocking(Matrix::Windows), Packing::Mve.blocking(Matrix::Vector))
    else {
        panic!("only the portable packing has none");
    };
    assert!(windows.interleave == CHANNELS && windows.group == VECTOR && windows.pixels == PIXELS);
    assert!(vector.interleave == CHANNELS && vector.group == VECTOR && vector.pixels == 1);
};

impl Kernel for Mve {
    const NAME: &'static str = "mve";
    const PACKING: Packing = Packing::Mve;

    fn available() -> Option<Self> {
        Some(Self(()))
    }

    #[inline(always)] // each is called in one place
    fn windows(self, row: &mut Row<'_>) {
        if row.window.run >= VECTOR
            && row.window.run.is_multiple_of(VECTOR)
            && (1..=LANES).contains(&row.window.lanes.len())
        {
            self.pixels(row);
        } else {
            self.gathered(row);
        }
    }

    #[inline(always)] // each is called in one place
    fn vector(self, row: &mut Row<'_>) {
        let Window { values, lanes, run, .. } = row.window;
        let depth = lanes.len().saturating_mul(run);
        if depth == 0 {
            return biases(row);
        }
        let Row { window, weights, channels, pixels, scratch, .. } = row.again();
        match lanes {
            &[lane] if run.is_multiple_of(VECTOR) => {
                self.pixel(values.get(lane as usize..).unwrap_or(&[]), run, weights, &channels, pixels);
            }
            _ => {
                let strip: &mut [i8] = bytemuck::cast_slice_mut(scratch);
                self.gather(window, 0, strip);
                self.pixel(strip, depth.div_ceil(VECTOR).saturating_mul(VECTOR), weights, &channels, pixels);
            }
        }
    }

    #[inline(always)]
    fn finish(self, sums: &[i32], channels: &Channels<'_>, to: &mut [i8]) {
        simple::finish(self, sums, channels, to);
    }

    fn add(self, values: &[i8], step: usize, zero_point: i8, square: bool, sums: &mut [i32]) {
        simple::add(self, values, step, zero_point, square, sums);
    }

    fn join(self, pair: &Pair<'_>, channels: &Channels<'_>, to: &mut [i8]) {
        simple::join(self, pair, channels, to);
    }

    fn channels(self, row: &mut Row<'_>) {
        depthwise::channels(self, row);
    }

    fn look_up(self, table: &[i8; 256], from: &[i8], to: &mut [i8]) {
        simple::look_up(self, table, from, to);
    }

    #[cfg(feature = "all-operators")]
    fn wide_products(self, window: &WideWindow<'_>, first: usize, weights: &[i8], sums: &mut [i32; 4]) {
        wide::add_products(self, window, first, weights, sums);
    }
}

/// Pixels that fit.
fn count(pixels: &[i8], channels: &Channels<'_>, stride: usize) -> usize {
    let stride = stride.max(1);
    (pixels.len() + stride).saturating_sub(channels.bias.len().max(1)) / stride
}

/// Makes pixels that read nothing.
fn biases(row: &mut Row<'_>) {
    let Row { channels, pixels, stride, .. } = row.again();
    for pixel in pixels.chunks_mut(stride.max(1)) {
        for (value, (&bias, &multiplier)) in pixel.iter_mut().zip(channels.bias.iter().zip(channels.multiplier)) {
            *value = channels.output.finish(bias, multiplier);
        }
    }
}

impl Mve {
    /// Puts the values of one pixel together; what follows them in the strip will meet weights of 0.
    fn gather(self, Window { values, lanes, run, .. }: Window<'_>, from: usize, strip: &mut [i8]) {
        for (&lane, to) in lanes.iter().zip(strip.chunks_mut(run.max(1))) {
            let values = values.get(lane as usize + from..).unwrap_or(&[]);
            let len = run.min(to.len()).min(values.len());
            // SAFETY: both slices have `len` bytes; `self` proves that there are vectors.
            unsafe { copy(values.as_ptr(), to.as_mut_ptr(), len) }
        }
    }

    /// Makes pixels whose runs are not whole vectors, or that read too many lanes.
    #[inline(never)] // its part of the stack is for itself
    fn gathered(self, row: &mut Row<'_>) {
        let Window { lanes, run, step, .. } = row.window;
        let depth = lanes.len().saturating_mul(run);
        if depth == 0 {
            return biases(row);
        }
        let Row { window, weights, channels, pixels, stride, scratch } = row.again();
        let (stride, count) = (stride.max(1), count(pixels, &channels, stride));
        let strip: &mut [i8] = bytemuck::cast_slice_mut(scratch);
        let padded = depth.div_ceil(VECTOR).saturating_mul(VECTOR);
        // Planned for the model's largest matrix, so in most layers for many more pixels than two.
        let block = strip.len().checked_div(padded).unwrap_or(0).max(1);
        for start in (0..count).step_by(block) {
            let here = block.min(count - start);
            for pixel in 0..here {
                self.gather(window, (start + pixel) * step, strip.get_mut(pixel * padded..).unwrap_or(&mut []));
            }
            let end = ((start + here - 1) * stride).saturating_add(channels.bias.len());
            self.pixels(&mut Row {
                window: Window { values: &*strip, lanes: &[0], run: padded, step: padded },
                weights,
                channels,
                pixels: pixels.get_mut(start * stride..end).unwrap_or(&mut []),
                stride,
                scratch: &mut [],
            });
        }
    }

    /// Makes pixels whose runs are whole vectors.
    #[inline(never)] // into its two callers, with all checks
    fn pixels(self, row: &mut Row<'_>) {
        let Row { window, weights, ref channels, pixels: to, stride, .. } = row.again();
        let (stride, count) = (stride.max(1), count(to, channels, stride));
        let Window { values, lanes, run, step } = window;
        let all = channels.bias.len();
        let last = count.wrapping_sub(1);
        let reach = last.saturating_mul(step).saturating_add(run);
        let depth = lanes.len().saturating_mul(run);
        let fits = (1..=LANES).contains(&lanes.len())
            && run >= VECTOR
            && depth.saturating_mul(all.div_ceil(CHANNELS)).saturating_mul(CHANNELS) <= weights.len()
            && all >= 1
            && all <= channels.multiplier.len()
            && last.saturating_mul(stride).saturating_add(all) <= to.len();
        if !fits || !window.holds(reach) {
            return;
        }
        let mut starts = [ptr::null(); LANES + 1];
        for (start, lane) in starts.iter_mut().zip(lanes) {
            *start = values.as_ptr().wrapping_add(*lane as usize);
        }
        let steps = run / VECTOR;
        let one = count == 1; // which then is both pixels of its pair
        let job = WindowsJob {
            weights: weights.as_ptr(),
            lanes: starts.as_ptr(),
            offset: 0,
            step: if one { 0 } else { step },
            rounds: steps.div_ceil(UNROLL),
            skip: steps.wrapping_neg() % UNROLL * WINDOWS_STEP,
            to: to.as_mut_ptr(),
            stride: if one { 0 } else { stride },
            left: count,
            first: to.as_mut_ptr(),
            pixels: count,
            output: Finish::new(channels),
        };
        // SAFETY: checked above: a last lane of null, and of each other lane the run of the last pixel; whole vectors, one or
        // more; weights for all channels, rounded up to tiles; a multiplier for each bias; the last pixel within `to`. The codes
        // are clamped to 0 … 255 where there is a table. `self` proves that there are vectors.
        unsafe { windows(&job) }
    }

    /// Makes one pixel from values that are whole vectors.
    #[inline(never)] // as above
    fn pixel(self, values: &[i8], depth: usize, weights: &[i8], channels: &Channels<'_>, to: &mut [i8]) {
        let all = channels.bias.len();
        let fits = depth <= values.len()
            && depth >= VECTOR
            && depth.saturating_mul(all.div_ceil(CHANNELS)).saturating_mul(CHANNELS) <= weights.len()
            && all >= 1
            && all <= channels.multiplier.len()
            && all <= to.len();
        if fits {
            let steps = depth / VECTOR;
            let job = VectorJob {
                values: values.as_ptr(),
                weights: weights.as_ptr(),
                to: to.as_mut_ptr(),
                rounds: steps.div_ceil(UNROLL),
                skip: steps.wrapping_neg() % UNROLL * VECTOR_STEP,
                output: Finish::new(channels),
            };
            // SAFETY: checked above: values, whole vectors and not none; weights for all channels, rounded up to tiles; a multiplier
            // and a place for each bias. The codes are clamped to 0 … 255 where there is a table. `self` proves that there are vectors.
            unsafe { vector(&job) }
        }
    }
}

/// How sums begin and end, as the assembly reads it.
#[repr(C)]
struct Finish {
    bias: *const i32,
    multiplier: *const i32,
    channels: usize,
    /// Or null.
    table: *const i8,
    /// These three are larger by 128 where there is a table, so that codes are its indices.
    zero_point: i32,
    low: i32,
    high: i32,
}

impl Finish {
    fn new(Channels { bias, multiplier, output }: &Channels<'_>) -> Self {
        let (table, shift) = output.table.map_or((ptr::null(), 0), |table| (table.as_ptr(), 128));
        Self {
            bias: bias.as_ptr(),
            multiplier: multiplier.as_ptr(),
            channels: bias.len(),
            table,
            zero_point: i32::from(output.zero_point) + shift,
            low: i32::from(output.low) + shift,
            high: i32::from(output.high) + shift,
        }
    }
}

/// What [`windows`] reads, in this order.
#[repr(C)]
struct WindowsJob {
    weights: *const i8,
    /// Starts of the lanes, then null.
    lanes: *const *const i8,
    /// From the start of a lane to the first of two pixels.
    offset: usize,
    step: usize,
    /// Of the loop.
    rounds: usize,
    /// Bytes of the loop that the first round leaves out.
    skip: usize,
    /// Where the first of two pixels goes.
    to: *mut i8,
    stride: usize,
    /// Pixels to go.
    left: usize,
    /// Where the first pixel goes.
    first: *mut i8,
    pixels: usize,
    output: Finish,
}

/// What [`vector`] reads, in this order.
#[repr(C)]
struct VectorJob {
    values: *const i8,
    weights: *const i8,
    to: *mut i8,
    rounds: usize,
    skip: usize,
    output: Finish,
}

/// Copies `len` bytes.
///
/// # Safety
///
/// `from` has as many bytes to read, `to` to write, and there are vectors.
#[unsafe(naked)]
unsafe extern "C" fn copy(from: *const i8, to: *mut i8, len: usize) {
    naked_asm!(
        cpu!(),
        "push {{r7, lr}}",
        "wlstp.8 lr, r2, 3f",
        "2:",
        "vldrb.u8 q0, [r0], #16",
        "vstrb.8 q0, [r1], #16",
        "letp lr, 2b",
        "3:",
        "pop {{r7, pc}}",
    )
}

/// Steps in a round of the loops.
const UNROLL: usize = 4;

/// 16 values of two pixels, at r3 and r5, meet 4 channels, at r1.
macro_rules! windows_step {
    () => {
        "vldrb.u8 q0, [r3], #16
        vldrb.u8 q2, [r1], #16
        vmladava.s8 r0, q0, q2
        vldrb.u8 q1, [r5], #16
        vmladava.s8 r8, q1, q2
        vldrb.u8 q3, [r1], #16
        vmladava.s8 r2, q0, q3
        vldrb.u8 q2, [r1], #16
        vmladava.s8 r10, q1, q3
        vldrb.u8 q3, [r1], #16
        vmladava.s8 r4, q0, q2
        vmladava.s8 r12, q1, q2
        vmladava.s8 r6, q0, q3
        vmladava.s8 lr, q1, q3"
    };
}

/// Bytes of its instructions.
const WINDOWS_STEP: usize = 14 * 4;

/// Makes the pixels of a row.
///
/// ```text
/// for each four channels
///     for each two pixels                                 an odd last pixel together with the one before, again
///         r0 r2 r4 r6, r8 r10 r12 lr = bias               four channels of pixel 0, of pixel 1
///         for each lane
///             r3, r5 = values of the two pixels
///             loop: 4 × windows_step                      the first round enters where it leaves `steps` % 4 steps over
///         q0, q1 = r0 r2 r4 r6, r8 r10 r12 lr             rounded, clamped, through the table, stored
/// ```
///
/// | | r1 | r3, r5 | r7 | r9 | r11 | q4 | q5, q6 | q7 | VPR |
/// |---|---|---|---|---|---|---|---|---|---|
/// | in the loop | weights | values | rounds | lanes | its entry | multipliers | low, high | zero point | channels that there are |
///
/// On the stack: the biases, twice, and a copy of the job.
///
/// # Safety
///
/// Everything that the job points to is there, for all lanes, pixels and channels; a lane, a pixel, a channel and a round at least.
/// One pixel has a step and a stride of 0. With a table, `low` and `high` are from 0 to 255. There are vectors.
#[unsafe(naked)]
unsafe extern "C" fn windows(job: *const WindowsJob) {
    naked_asm!(
        cpu!(),
        "push {{r4, r5, r6, r7, r8, r9, r10, r11, lr}}",
        "vpush {{d8-d15}}",
        "sub sp, #96",
        "add r12, sp, #32",
        "ldm r0!, {{r1, r2, r3, r4, r5, r6, r7, r8}}", // weights to stride
        "stm.w r12!, {{r1, r2, r3, r4, r5, r6, r7, r8}}",
        "adr.w r11, 5f",
        "adds r6, #1", // Thumb
        "add r11, r6",
        "ldm r0!, {{r1, r2, r3, r4, r5, r6, r7}}", // left to table
        "stm.w r12!, {{r1, r2, r3, r4, r5, r6, r7}}",
        "ldm r0, {{r1, r2, r3}}",
        "vdup.32 q7, r1",
        "vdup.32 q5, r2",
        "vdup.32 q6, r3",
        // The next four channels.
        "2:",
        "ldrd r1, r2, [sp, #76]", // bias, multiplier
        "ldr r0, [sp, #84]",      // channels
        "vctp.32 r0",
        "vpstt",
        "vldrwt.u32 q0, [r1], #16",
        "vldrwt.u32 q4, [r2], #16",
        "vstrw.32 q0, [sp]",
        "vstrw.32 q0, [sp, #16]",
        "strd r1, r2, [sp, #76]",
        // The next two pixels, first lane.
        "3:",
        "ldm.w sp, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
        "ldrd r1, r9, [sp, #32]", // weights, lanes
        "ldr r3, [r9], #4",
        "4:",
        "ldrd r5, r7, [sp, #40]", // offset, step
        "add r3, r5",
        "adds r5, r3, r7",
        "ldr r7, [sp, #48]", // rounds
        "bx r11",
        "5:",
        windows_step!(),
        windows_step!(),
        windows_step!(),
        windows_step!(),
        "subs r7, #1",
        "bne.w 5b",
        // The next lane.
        "ldr r3, [r9], #4",
        "cmp r3, #0",
        "bne.w 4b",
        "ldrd r3, r7, [sp, #56]", // to, stride
        "vmov q0[2], q0[0], r0, r4",
        "vmov q0[3], q0[1], r2, r6",
        "vmov q1[2], q1[0], r8, r12",
        "vmov q1[3], q1[1], r10, lr",
        "vrmulh.s32 q0, q0, q4",
        "vrmulh.s32 q1, q1, q4",
        "vadd.i32 q0, q0, q7",
        "vadd.i32 q1, q1, q7",
        "vmax.s32 q0, q0, q5",
        "vmax.s32 q1, q1, q5",
        "ldr r0, [sp, #88]", // table
        "vmin.s32 q0, q0, q6",
        "vmin.s32 q1, q1, q6",
        "cbz r0, 6f",
        "vldrb.u32 q2, [r0, q0]",
        "vldrb.u32 q3, [r0, q1]",
        "vmov q0, q2",
        "vmov q1, q3",
        "6:",
        "adds r5, r3, r7",
        "vpstt",
        "vstrbt.32 q0, [r3]",
        "vstrbt.32 q1, [r5]",
        // Two pixels on, or one to the last.
        "ldr r0, [sp, #64]", // left
        "subs r0, #2",
        "bls 7f",
        "ldrd r2, r4, [sp, #40]", // offset, step
        "cmp r0, #1",
        "itt ne",
        "addne r2, r4",
        "addne r3, r7",
        "add r2, r4",
        "add r3, r7",
        "str r0, [sp, #64]",
        "str r2, [sp, #40]",
        "str r3, [sp, #56]",
        "b 3b",
        // Four channels on, from the first pixel.
        "7:",
        "ldrd r2, r3, [sp, #68]", // first, pixels
        "ldr r0, [sp, #84]",      // channels
        "adds r2, #4",
        "movs r4, #0",
        "str r1, [sp, #32]", // weights: the loop ended at those of the next channels
        "str r4, [sp, #40]",
        "str r2, [sp, #56]",
        "strd r3, r2, [sp, #64]",
        "subs r0, #4",
        "str r0, [sp, #84]",
        "bgt 2b",
        "add sp, #96",
        "vpop {{d8-d15}}",
        "pop {{r4, r5, r6, r7, r8, r9, r10, r11, pc}}",
    )
}

/// 16 values of one pixel, at r3, meet 4 channels, at r1.
macro_rules! vector_step {
    () => {
        "vldrb.u8 q0, [r3], #16
        vldrb.u8 q1, [r1], #16
        vmladava.s8 r0, q0, q1
        vldrb.u8 q2, [r1], #16
        vmladava.s8 r2, q0, q2
        vldrb.u8 q1, [r1], #16
        vmladava.s8 r4, q0, q1
        vldrb.u8 q2, [r1], #16
        vmladava.s8 r6, q0, q2"
    };
}

/// Bytes of its instructions.
const VECTOR_STEP: usize = 9 * 4;

/// Makes one pixel, as [`windows`] does two, in a loop of 37 instructions for 256 multiplies.
///
/// # Safety
///
/// Everything that the job points to is there; a channel and a round at least. With a table, `low` and `high` are
/// from 0 to 255. There are vectors.
#[unsafe(naked)]
unsafe extern "C" fn vector(job: *const VectorJob) {
    naked_asm!(
        cpu!(),
        "push {{r4, r5, r6, r7, r8, r9, r10, r11, lr}}",
        "vpush {{d8-d15}}",
        "ldm r0!, {{r1, r2, r3, r4, r5}}", // values, weights, to, rounds, skip
        "adr.w r11, 3f",
        "adds r5, #1", // Thumb
        "add r11, r5",
        "mov r9, r1",
        "mov r1, r2",
        "mov r5, r3",
        "mov r8, r4",
        "ldm r0!, {{r2, r3, r4, r7}}",
        "mov r10, r2", // bias
        "mov r12, r4", // channels; r7: table
        "ldm r0, {{r0, r2, r4}}",
        "vdup.32 q7, r0",
        "vdup.32 q5, r2",
        "vdup.32 q6, r4",
        "push {{r3}}", // multiplier
        "2:",
        "ldr r3, [sp]",
        "vctp.32 r12",
        "vpstt",
        "vldrwt.u32 q0, [r10], #16",
        "vldrwt.u32 q4, [r3], #16",
        "vmov r0, r4, q0[2], q0[0]",
        "vmov r2, r6, q0[3], q0[1]",
        "str r3, [sp]",
        "mov r3, r9",
        "dls lr, r8",
        "bx r11",
        "3:",
        vector_step!(),
        vector_step!(),
        vector_step!(),
        vector_step!(),
        "le lr, 3b",
        "vmov q0[2], q0[0], r0, r4",
        "vmov q0[3], q0[1], r2, r6",
        "vrmulh.s32 q0, q0, q4",
        "vadd.i32 q0, q0, q7",
        "vmax.s32 q0, q0, q5",
        "vmin.s32 q0, q0, q6",
        "cbz r7, 4f",
        "vldrb.u32 q1, [r7, q0]",
        "vmov q0, q1",
        "4:",
        "vpst",
        "vstrbt.32 q0, [r5], #4",
        "subs.w r12, r12, #4",
        "bgt 2b",
        "add sp, #4",
        "vpop {{d8-d15}}",
        "pop {{r4, r5, r6, r7, r8, r9, r10, r11, pc}}",
    )
}
