//! M-profile vectors (MVE, "Helium", integer part): Cortex-M55 and M85.
//!
//! One instruction, `VMLADAVA.S8 Rda, Qn, Qm`, multiplies 16 pairs of bytes and adds the products to a general register.
//! With 8 vector registers and 8 general registers that it may add to (those of even number and LR), 4 channels meet 2 pixels:
//!
//! ```text
//! 16 values of depth:   2 loads of values, 4 loads of weights, 8 × VMLADAVA     14 instructions for 128 multiplies
//! ```
//!
//! Unrolled 4 times, with the loop's own two, that is 58 instructions for 512 multiplies, 0.113 each; the least possible,
//! were there no loads, is 0.0625. Cortex-M55 starts a load while a multiplication is under way, so loads and
//! multiplications alternate.
//!
//! Stable Rust has neither MVE's intrinsics nor its registers, so the parts are whole functions in assembly. They need a compiler
//! that is told of the CPU (`-C target-cpu=cortex-m55`), and a vector unit that is switched on, see
//! [`start_vectors!`](crate::start_vectors).

#![allow(unsafe_code)]

use core::arch::naked_asm;

use super::blocked::{self, Tile};
use super::{Kernel, Row};
use crate::fixed::Output;
use crate::packing::{Blocking, Matrix, Packing};

/// Proof that the CPU has M-profile vectors: the program is compiled for such a CPU alone.
#[derive(Clone, Copy, Debug)]
pub struct Mve(());

impl Kernel for Mve {
    const NAME: &'static str = "mve";
    const PACKING: Packing = Packing::Mve;

    fn available() -> Option<Self> {
        Some(Self(()))
    }

    fn windows(self, row: Row<'_>) {
        blocked::run(Windows(self), row);
    }

    fn vector(self, row: Row<'_>) {
        blocked::run(Vector(self), row);
    }
}

const fn blocking(matrix: Matrix) -> Blocking {
    match Packing::Mve.blocking(matrix) {
        Some(blocking) => blocking,
        None => panic!("only the portable packing has none"),
    }
}

/// Channels of one tile of weights.
const CHANNELS: usize = 4;
/// Pixels of a block of windows.
const PIXELS: usize = 4;
/// Bytes of a vector.
const LANES: usize = 16;

const _: () = {
    let (windows, vector) = (blocking(Matrix::Windows), blocking(Matrix::Vector));
    assert!(windows.interleave == CHANNELS && windows.group == LANES && windows.pixels == PIXELS);
    assert!(vector.interleave == CHANNELS && vector.group == LANES);
};

/// Whether a piece of packed weights has all that a piece of depth meets.
fn enough(weights: &[i8], next: usize, depth: usize, quads: usize) -> bool {
    let last = quads.saturating_sub(1) as u64 * next as u64;
    last.saturating_add(CHANNELS as u64 * depth as u64) <= weights.len() as u64
}

/// Four pixels meet all channels. Sums lie as `[channel / 4][pixel 4][channel 4]`, the strip as `[pixel 4][depth]`.
#[derive(Clone, Copy, Debug)]
struct Windows(Mve);

impl Tile for Windows {
    const BLOCKING: Blocking = blocking(Matrix::Windows);

    fn start(self, bias: &[i32], sums: &mut [i32]) {
        if sums.len() >= PIXELS * bias.len().next_multiple_of(CHANNELS) {
            // SAFETY: the sums have four pixels for each bias; `self` proves that there are vectors.
            unsafe { windows_start(bias.as_ptr(), sums.as_mut_ptr(), bias.len()) }
        }
    }

    fn gather(self, values: &[i8], step: usize, pixels: usize, len: usize, at: usize, strip: &mut [i32]) {
        let room = strip.len(); // of bytes for each pixel: four pixels, four bytes a word
        let last = pixels.saturating_sub(1) as u64 * step as u64;
        let fits = at <= room && len <= room - at && last.saturating_add(len as u64) <= values.len() as u64;
        if fits && (1..=PIXELS).contains(&pixels) {
            // SAFETY: the values of the last pixel end within `values`, what it becomes ends within its part of the strip.
            unsafe {
                windows_gather(values.as_ptr(), step, pixels, strip.as_mut_ptr().cast::<i8>().add(at), room, len);
            }
        }
    }

    fn multiply(
        self,
        strip: &[i32],
        weights: &[i8],
        next: usize,
        depth: usize,
        channels: usize,
        pixels: usize,
        sums: &mut [i32],
    ) {
        let (room, quads) = (strip.len(), channels.div_ceil(CHANNELS));
        let fits = depth <= room && enough(weights, next, depth, quads) && quads <= sums.len() / (PIXELS * CHANNELS);
        if fits && depth >= LANES && quads > 0 {
            let steps = depth / LANES;
            let pairs = if pixels > 2 { 2 } else { 1 };
            // SAFETY: each pixel has `depth` values in the strip, each tile of four channels has its weights and its sums.
            unsafe {
                windows_multiply(
                    strip.as_ptr(),
                    weights.as_ptr(),
                    sums.as_mut_ptr(),
                    steps,
                    2 * room,
                    next,
                    pairs,
                    sums.as_mut_ptr().wrapping_add(quads * PIXELS * CHANNELS),
                );
            }
        }
    }

    fn finish(
        self,
        sums: &[i32],
        multiplier: &[i32],
        output: &Output<'_>,
        to: &mut [i8],
        pixels: usize,
        stride: usize,
    ) {
        let channels = multiplier.len();
        let last = pixels.saturating_sub(1) as u64 * stride as u64;
        let fits = sums.len() >= PIXELS * channels.next_multiple_of(CHANNELS)
            && last.saturating_add(channels as u64) <= to.len() as u64;
        if fits && (1..=PIXELS).contains(&pixels) {
            let (zero_point, low, high, table) = lookup(output);
            // SAFETY: the sums have four pixels for each multiplier, the last pixel ends within `to`; codes are
            // clamped to 0 … 255 if there is a table, which has as many entries.
            unsafe {
                windows_finish(
                    sums.as_ptr(),
                    multiplier.as_ptr(),
                    to.as_mut_ptr(),
                    channels,
                    stride,
                    pixels,
                    table,
                    zero_point,
                    low,
                    high,
                );
            }
        }
    }
}

/// One pixel meets all channels. Sums lie in the order of the channels.
#[derive(Clone, Copy, Debug)]
struct Vector(Mve);

impl Tile for Vector {
    const BLOCKING: Blocking = blocking(Matrix::Vector);

    fn start(self, bias: &[i32], sums: &mut [i32]) {
        if sums.len() >= bias.len() {
            // SAFETY: both have as many bytes.
            unsafe { copy(bias.as_ptr().cast(), sums.as_mut_ptr().cast(), size_of_val(bias)) }
        }
    }

    fn gather(self, values: &[i8], _: usize, _: usize, len: usize, at: usize, strip: &mut [i32]) {
        let room = size_of_val(strip);
        if at <= room && len <= room - at && len <= values.len() {
            // SAFETY: both have as many bytes.
            unsafe { copy(values.as_ptr(), strip.as_mut_ptr().cast::<i8>().add(at), len) }
        }
    }

    fn multiply(
        self,
        strip: &[i32],
        weights: &[i8],
        next: usize,
        depth: usize,
        channels: usize,
        _: usize,
        sums: &mut [i32],
    ) {
        let quads = channels.div_ceil(CHANNELS);
        let fits = depth <= size_of_val(strip) && enough(weights, next, depth, quads) && quads <= sums.len() / CHANNELS;
        if fits && depth >= LANES && quads > 0 {
            // SAFETY: the strip has `depth` values, each tile of four channels has its weights and its sums.
            unsafe {
                vector_multiply(
                    strip.as_ptr(),
                    weights.as_ptr(),
                    sums.as_mut_ptr(),
                    depth / LANES,
                    next,
                    sums.as_mut_ptr().wrapping_add(quads * CHANNELS),
                );
            }
        }
    }

    fn finish(self, sums: &[i32], multiplier: &[i32], output: &Output<'_>, to: &mut [i8], _: usize, _: usize) {
        let channels = multiplier.len();
        if channels <= sums.len() && channels <= to.len() {
            let (zero_point, low, high, table) = lookup(output);
            // SAFETY: there is a sum and an output for each multiplier; codes are clamped to 0 … 255 if there is a
            // table, which has as many entries.
            unsafe {
                vector_finish(
                    sums.as_ptr(),
                    multiplier.as_ptr(),
                    to.as_mut_ptr(),
                    channels,
                    table,
                    zero_point,
                    low,
                    high,
                );
            }
        }
    }
}

/// Zero point, least and greatest code, and table: with a table, the codes are its indices and thus larger by 128.
fn lookup(output: &Output<'_>) -> (i32, i32, i32, *const i8) {
    let (shift, table) = output.table.map_or((0, core::ptr::null()), |table| (128, table.as_ptr()));
    (i32::from(output.zero_point) + shift, i32::from(output.low) + shift, i32::from(output.high) + shift, table)
}

/// Lets the assembler know these instructions: link-time optimisation reads assembly without the flags of the compiler.
macro_rules! mve {
    () => {
        ".cpu cortex-m55"
    };
}

/// Copies `len` bytes.
///
/// # Safety
///
/// `from` has as many bytes to read, `to` to write, and there are vectors.
#[unsafe(naked)]
unsafe extern "C" fn copy(from: *const i8, to: *mut i8, len: usize) {
    naked_asm!(
        mve!(),
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

/// Starts the sums of four pixels.
///
/// # Safety
///
/// `bias` has `channels` values, `sums` four times as many, rounded up to 16, and there are vectors.
#[unsafe(naked)]
unsafe extern "C" fn windows_start(bias: *const i32, sums: *mut i32, channels: usize) {
    naked_asm!(
        mve!(),
        "push {{r7, lr}}",
        "wlstp.32 lr, r2, 3f",
        "2:",
        "vldrw.u32 q0, [r0], #16",
        "vstrw.32 q0, [r1, #16]",
        "vstrw.32 q0, [r1, #32]",
        "vstrw.32 q0, [r1, #48]",
        "vstrw.32 q0, [r1], #64",
        "letp lr, 2b",
        "3:",
        "pop {{r7, pc}}",
    )
}

/// Copies `len` values of each of 1 to 4 pixels, `step` apart, to places `room` apart.
///
/// All four places are written: where there are less than four pixels, with the values of the first.
///
/// # Safety
///
/// The values and the four places are there, and vectors are.
#[unsafe(naked)]
unsafe extern "C" fn windows_gather(
    values: *const i8,
    step: usize,
    pixels: usize,
    to: *mut i8,
    room: usize,
    len: usize,
) {
    naked_asm!(
        mve!(),
        "push {{r4, r5, r6, r7, r8, r9, r10, lr}}",
        "ldrd r4, r12, [sp, #32]", // room, len
        "adds r5, r0, r1",
        "adds r6, r5, r1",
        "adds r7, r6, r1",
        "cmp r2, #4",
        "beq 2f",
        "mov r7, r0",
        "cmp r2, #3",
        "it lo",
        "movlo r6, r0",
        "cmp r2, #2",
        "it lo",
        "movlo r5, r0",
        "2:",
        "add r8, r3, r4",
        "add r9, r8, r4",
        "add r10, r9, r4",
        "wlstp.8 lr, r12, 4f",
        "3:",
        "vldrb.u8 q0, [r0], #16",
        "vldrb.u8 q1, [r5], #16",
        "vldrb.u8 q2, [r6], #16",
        "vldrb.u8 q3, [r7], #16",
        "vstrb.8 q0, [r3], #16",
        "vstrb.8 q1, [r8], #16",
        "vstrb.8 q2, [r9], #16",
        "vstrb.8 q3, [r10], #16",
        "letp lr, 3b",
        "4:",
        "pop {{r4, r5, r6, r7, r8, r9, r10, pc}}",
    )
}

/// 16 values of two pixels meet 4 channels: 14 instructions of 4 bytes.
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

/// Adds the products of one or two pairs of pixels with weights to sums.
///
/// ```text
/// for each four channels
///     for each pair of pixels
///         r0 r2 r4 r6 r8 r10 r12 lr = sums               pixel 0: four channels, pixel 1: four channels
///         jump into the loop, so that what is left over of `steps` by 4 comes first
///         loop: 4 × windows_step
///         sums = r0 r2 r4 r6 r8 r10 r12 lr
/// ```
///
/// | r1 | r3, r5 | r7 | r9 | r11 | on the stack |
/// |---|---|---|---|---|---|
/// | weights | values of the two pixels | rounds of the loop | sums | entry into the loop | what changes them between tiles |
///
/// # Safety
///
/// `steps` is not 0. The strip has 16 · `steps` values of two pixels for each pair, pairs `pair_room` bytes apart and their
/// pixels half of it. The weights have 64 · `steps` bytes for each four channels, `next` bytes apart. The sums have 16 words for
/// each four channels, of which there is one or more, up to `sums_end`. There are vectors.
#[unsafe(naked)]
unsafe extern "C" fn windows_multiply(
    strip: *const i32,
    weights: *const i8,
    sums: *mut i32,
    steps: usize,
    pair_room: usize,
    next: usize,
    pairs: usize,
    sums_end: *const i32,
) {
    naked_asm!(
        mve!(),
        "push {{r4, r5, r6, r7, r8, r9, r10, r11, lr}}",
        "mov r9, r2",
        "rsbs r7, r3, #0",
        "and r7, r7, #3", // steps to leave out of the first round
        "movs r5, #56",
        "muls r7, r5, r7",
        "adr.w r11, 4f",
        "adds r7, #1", // Thumb
        "add r11, r7",
        "adds r7, r3, #3",
        "lsrs r7, r7, #2",         // rounds
        "lsls r4, r3, #6",         // bytes of weights that a tile reads
        "ldrd r2, r8, [sp, #36]",  // pair_room, next
        "ldrd r6, r12, [sp, #44]", // pairs, sums_end
        "rsb r10, r6, #2",
        "lsls r10, r10, #5", // sums of the second pair, if it is to be left out
        "subs r8, r8, r4",
        "add r5, r0, r2, lsr #1",
        "muls r6, r2, r6",        // room of all pairs
        "sub r2, r2, r3, lsl #4", // end of a pair's values to the start of the next
        "mov r3, r0",
        "mov r0, r2",
        "adds r2, r3, r6", // end of the strip
        "push {{r0, r2, r4, r6, r7, r8, r10, r12}}",
        "b 3f",
        "2:",
        "subs r1, r1, r4",
        "3:",
        "ldm.w r9, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
        "bx r11",
        "4:",
        windows_step!(),
        windows_step!(),
        windows_step!(),
        windows_step!(),
        "subs r7, #1",
        "bne.w 4b",
        "stm.w r9!, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
        "ldm.w sp, {{r0, r2, r4, r6, r7, r8, r10, r12}}",
        "adds r3, r3, r0",
        "adds r5, r5, r0",
        "cmp r3, r2",
        "bne 2b", // the other pair, with the same weights
        "subs r3, r3, r6",
        "subs r5, r5, r6",
        "add r1, r8",
        "add r9, r10",
        "cmp r9, r12",
        "bne 3b", // the next four channels
        "add sp, #32",
        "pop {{r4, r5, r6, r7, r8, r9, r10, r11, pc}}",
    )
}

/// Makes the sums of 1 to 4 pixels into codes, the last pixel first: a pixel that is not there gets the place of the
/// first, which is written last.
macro_rules! finish_code {
    (sum $sum:literal, to $to:literal, $($table:literal, $code:literal)?) => {
        concat!(
            "vldrw.u32 q0, ", $sum, "\n",
            "vrmulh.s32 q0, q0, q1\n",
            "vadd.i32 q0, q0, r12\n",
            "vmax.s32 q0, q0, q2\n",
            "vmin.s32 q0, q0, q3\n",
            finish_code!(store $to, $($table, $code)?),
        )
    };
    (store $to:literal,) => { concat!("vstrb.32 q0, ", $to) };
    (store $to:literal, $table:literal, $code:literal) => {
        concat!("vldrb.u32 ", $code, ", ", $table, "\n", "vstrb.32 ", $code, ", ", $to)
    };
}

/// Makes the sums of 1 to 4 pixels into codes, and through `table` if it is not null.
///
/// Of four pixels the last comes first: one that is not there gets the place of the first, which is written last.
///
/// # Safety
///
/// There are 16 sums for each four channels, a multiplier for each channel, all pixels at `to`, a table of more
/// than `high` entries or none, `low` is not below 0 if there is a table, and there are vectors.
#[unsafe(naked)]
unsafe extern "C" fn windows_finish(
    sums: *const i32,
    multiplier: *const i32,
    to: *mut i8,
    channels: usize,
    stride: usize,
    pixels: usize,
    table: *const i8,
    zero_point: i32,
    low: i32,
    high: i32,
) {
    naked_asm!(
        mve!(),
        "push {{r4, r5, r6, r7, r8, lr}}",
        "add r8, sp, #24",
        "ldm.w r8, {{r4, r8}}", // stride, pixels
        "adds r5, r2, r4",
        "adds r6, r5, r4",
        "adds r7, r6, r4",
        "cmp r8, #4",
        "beq 2f",
        "mov r7, r2",
        "cmp r8, #3",
        "it lo",
        "movlo r6, r2",
        "cmp r8, #2",
        "it lo",
        "movlo r5, r2",
        "2:",
        "ldrd r4, r12, [sp, #32]", // table, zero point
        "ldrd r8, lr, [sp, #40]",  // low, high
        "vdup.32 q2, r8",
        "vdup.32 q3, lr",
        "cbnz r4, 5f",
        "wlstp.32 lr, r3, 4f",
        "3:",
        "vldrw.u32 q1, [r1], #16",
        finish_code!(sum "[r0, #48]", to "[r7], #4",),
        finish_code!(sum "[r0, #32]", to "[r6], #4",),
        finish_code!(sum "[r0, #16]", to "[r5], #4",),
        finish_code!(sum "[r0], #64", to "[r2], #4",),
        "letp lr, 3b",
        "4:",
        "pop {{r4, r5, r6, r7, r8, pc}}",
        "5:",
        "vpush {{d8, d9}}",
        "wlstp.32 lr, r3, 7f",
        "6:",
        "vldrw.u32 q1, [r1], #16",
        finish_code!(sum "[r0, #48]", to "[r7], #4", "[r4, q0]", "q4"),
        finish_code!(sum "[r0, #32]", to "[r6], #4", "[r4, q0]", "q4"),
        finish_code!(sum "[r0, #16]", to "[r5], #4", "[r4, q0]", "q4"),
        finish_code!(sum "[r0], #64", to "[r2], #4", "[r4, q0]", "q4"),
        "letp lr, 6b",
        "7:",
        "vpop {{d8, d9}}",
        "pop {{r4, r5, r6, r7, r8, pc}}",
    )
}

/// 16 values of one pixel meet 4 channels: 9 instructions of 4 bytes.
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

/// Adds the products of a pixel with weights to sums, as [`windows_multiply`] does, in 37 instructions for 256 multiplies.
///
/// # Safety
///
/// `steps` is not 0. The strip has 16 · `steps` values. The weights have 64 · `steps` bytes for each four channels, `next` bytes
/// apart. The sums have 4 words for each four channels, of which there is one or more, up to `sums_end`. There are vectors.
#[unsafe(naked)]
unsafe extern "C" fn vector_multiply(
    strip: *const i32,
    weights: *const i8,
    sums: *mut i32,
    steps: usize,
    next: usize,
    sums_end: *const i32,
) {
    naked_asm!(
        mve!(),
        "push {{r4, r5, r6, r7, r8, r9, r10, r11, lr}}",
        "ldrd r10, r9, [sp, #36]", // next, sums_end
        "mov r5, r2",
        "rsbs r7, r3, #0",
        "and r7, r7, #3", // steps to leave out of the first round
        "movs r6, #36",
        "muls r7, r6, r7",
        "adr.w r11, 3f",
        "adds r7, #1", // Thumb
        "add r11, r7",
        "adds r7, r3, #3",
        "lsrs r7, r7, #2",          // rounds
        "sub r10, r10, r3, lsl #6", // end of a tile's weights to the start of the next
        "lsl r8, r3, #4",           // depth
        "mov r3, r0",
        "2:",
        "ldm r5, {{r0, r2, r4, r6}}",
        "dls lr, r7",
        "bx r11",
        "3:",
        vector_step!(),
        vector_step!(),
        vector_step!(),
        vector_step!(),
        "le lr, 3b",
        "stm r5!, {{r0, r2, r4, r6}}",
        "sub r3, r8",
        "add r1, r10",
        "cmp r5, r9",
        "bne 2b",
        "pop {{r4, r5, r6, r7, r8, r9, r10, r11, pc}}",
    )
}

/// Makes the sums of a pixel into codes, and through `table` if it is not null.
///
/// # Safety
///
/// There is a sum, a multiplier and a place at `to` for each channel, a table of more than `high` entries or none, `low` is not
/// below 0 if there is a table, and there are vectors.
#[unsafe(naked)]
unsafe extern "C" fn vector_finish(
    sums: *const i32,
    multiplier: *const i32,
    to: *mut i8,
    channels: usize,
    table: *const i8,
    zero_point: i32,
    low: i32,
    high: i32,
) {
    naked_asm!(
        mve!(),
        "push {{r4, r5, r6, lr}}",
        "ldrd r4, r12, [sp, #16]", // table, zero point
        "ldrd r5, r6, [sp, #24]",  // low, high
        "vdup.32 q2, r5",
        "vdup.32 q3, r6",
        "cbnz r4, 4f",
        "wlstp.32 lr, r3, 3f",
        "2:",
        "vldrw.u32 q1, [r1], #16",
        finish_code!(sum "[r0], #16", to "[r2], #4",),
        "letp lr, 2b",
        "3:",
        "pop {{r4, r5, r6, pc}}",
        "4:",
        "wlstp.32 lr, r3, 6f",
        "5:",
        "vldrw.u32 q1, [r1], #16",
        finish_code!(sum "[r0], #16", to "[r2], #4", "[r4, q0]", "q1"),
        "letp lr, 5b",
        "6:",
        "pop {{r4, r5, r6, pc}}",
    )
}
