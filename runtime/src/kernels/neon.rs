//! AArch64: plain NEON, and the dot product instruction SDOT where the CPU has it. Both read [`Packing::Simd128`].
//!
//! A vector of weights holds four channels with four consecutive values of the depth each, which meet the same four values
//! of a pixel, a *quad*. With SDOT that is one instruction for 16 products, for the quad can be any part of a vector:
//!
//! ```text
//! sdot sums.4s, weights.16b, values.4b[i]        sums[c] += Σ over j < 4: weights[4·c + j] · values[4·i + j]
//! ```
//!
//! Without it, products are 16 bits wide and two of them fit (2 · 127 · 127 < 2¹⁵), so that three instructions do 16 products,
//! with the quad repeated in the whole vector:
//!
//! ```text
//! smull  pair.8h, weights a.8b, quad a.8b        two channels, one quad of the depth
//! smlal  pair.8h, weights b.8b, quad b.8b        the same channels, the next quad
//! sadalp half.4s, pair.8h                        half[2·c + j] += pair[4·c + 2·j] + pair[4·c + 2·j + 1]
//! ```
//!
//! and the same with SMULL2 and SMLAL2 for the other two channels. The two halves of each sum meet at the end.
//!
//! Instructions of the loops over the depth, as compiled, for 16 values of the depth (a pair is loaded by one instruction):
//!
//! | loop | tile | loads | repeat | products | loop | per product |
//! |---|---|---|---|---|---|---|
//! | SDOT, windows | 4 pixels × 16 channels | 12 | | 64 | 8 | 0.082 |
//! | SDOT, vector | 1 × 16 | 9 | | 16 | 8 | 0.129 |
//! | NEON, windows | 4 × 8 | 8 | 16 | 96 | 2 | 0.238 |
//! | NEON, vector | 1 × 16 | 10 | 4 | 48 | 8 | 0.273 |
//!
//! With everything around them, counted in QEMU: a transposed convolution of 8×8×64 to 16×16×32 takes 0.131 with SDOT and 0.294 without,
//! one of 32×32×16 to 64×64×3, where the last quad is not full and gathering serves few channels, 0.94 and 1.22.

#![allow(unsafe_code)]

use core::arch::aarch64::*;
use core::arch::asm;
use core::array::from_fn;

use super::blocked::{self, Tile};
use super::{Kernel, Row};
use crate::fixed::Output;
use crate::packing::{Blocking, Matrix, Packing};

/// Channels in a vector of weights, and values of the depth of each; also sums in a vector.
const QUAD: usize = 4;

/// A loop of up to four rounds, unrolled here: the compiler would rather keep an array of sums in memory.
macro_rules! unrolled {
    ($index:ident < $count:expr, $body:block) => {
        unrolled!(@ $index, $count, $body, 0);
        unrolled!(@ $index, $count, $body, 1);
        unrolled!(@ $index, $count, $body, 2);
        unrolled!(@ $index, $count, $body, 3);
    };
    (@ $index:ident, $count:expr, $body:block, $value:literal) => {
        if $value < $count {
            let $index = $value;
            $body
        }
    };
}

/// Runs on every AArch64 CPU with vectors.
#[derive(Clone, Copy, Debug, Default)]
pub struct Neon;

impl Kernel for Neon {
    const NAME: &'static str = "neon";
    const PACKING: Packing = Packing::Simd128;

    fn available() -> Option<Self> {
        Some(Self)
    }

    fn windows(self, row: Row<'_>) {
        blocked::run(Windows(self), row);
    }

    fn vector(self, row: Row<'_>) {
        blocked::run(Vector(self), row);
    }
}

/// Runs on CPUs with FEAT_DotProd: most since Armv8.2, all since Armv8.4.
#[derive(Clone, Copy, Debug)]
pub struct Sdot(());

impl Kernel for Sdot {
    const NAME: &'static str = "sdot";
    const PACKING: Packing = Packing::Simd128;

    /// Asks the system at run time with the feature `std`, and is told by the target without.
    fn available() -> Option<Self> {
        #[cfg(feature = "std")]
        let found = std::arch::is_aarch64_feature_detected!("dotprod");
        #[cfg(not(feature = "std"))]
        let found = cfg!(target_feature = "dotprod");
        found.then_some(Self(()))
    }

    fn windows(self, row: Row<'_>) {
        blocked::run(Windows(self), row);
    }

    fn vector(self, row: Row<'_>) {
        blocked::run(Vector(self), row);
    }
}

/// The better of both.
#[derive(Clone, Copy, Debug)]
pub enum Aarch64 {
    /// Plain NEON.
    Neon(Neon),
    /// With dot products.
    Sdot(Sdot),
}

impl Kernel for Aarch64 {
    const NAME: &'static str = "aarch64";
    const PACKING: Packing = Packing::Simd128;

    fn available() -> Option<Self> {
        Sdot::available().map(Self::Sdot).or_else(|| Neon::available().map(Self::Neon))
    }

    fn windows(self, row: Row<'_>) {
        match self {
            Self::Neon(kernel) => kernel.windows(row),
            Self::Sdot(kernel) => kernel.windows(row),
        }
    }

    fn vector(self, row: Row<'_>) {
        match self {
            Self::Neon(kernel) => kernel.vector(row),
            Self::Sdot(kernel) => kernel.vector(row),
        }
    }
}

/// Four pixels meet all channels.
#[derive(Clone, Copy, Debug)]
struct Windows<D>(D);

/// One pixel meets all channels.
#[derive(Clone, Copy, Debug)]
struct Vector<D>(D);

impl<D: Dot> Tile for Windows<D> {
    const BLOCKING: Blocking = blocking(Matrix::Windows);

    fn start(self, bias: &[i32], sums: &mut [i32]) {
        // SAFETY: the module is compiled for CPUs with vectors.
        unsafe { start::<4>(bias, sums) };
    }

    fn gather(self, values: &[i8], step: usize, pixels: usize, len: usize, at: usize, strip: &mut [i32]) {
        // SAFETY: the module is compiled for CPUs with vectors.
        unsafe { gather::<4>(values, step, pixels, len, at, strip) };
    }

    fn multiply(
        self,
        strip: &[i32],
        weights: &[i8],
        next: usize,
        depth: usize,
        channels: usize,
        _pixels: usize,
        sums: &mut [i32],
    ) {
        multiply::<4, D>(self.0, strip, weights, next, depth, channels, sums);
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
        // SAFETY: the module is compiled for CPUs with vectors.
        unsafe { finish_windows(sums, multiplier, output, to, pixels, stride) };
    }
}

impl<D: Dot> Tile for Vector<D> {
    const BLOCKING: Blocking = blocking(Matrix::Vector);

    fn start(self, bias: &[i32], sums: &mut [i32]) {
        // SAFETY: the module is compiled for CPUs with vectors.
        unsafe { start::<1>(bias, sums) };
    }

    fn gather(self, values: &[i8], step: usize, pixels: usize, len: usize, at: usize, strip: &mut [i32]) {
        // SAFETY: the module is compiled for CPUs with vectors.
        unsafe { gather::<1>(values, step, pixels, len, at, strip) };
    }

    fn multiply(
        self,
        strip: &[i32],
        weights: &[i8],
        next: usize,
        depth: usize,
        channels: usize,
        _pixels: usize,
        sums: &mut [i32],
    ) {
        multiply::<1, D>(self.0, strip, weights, next, depth, channels, sums);
    }

    fn finish(self, sums: &[i32], multiplier: &[i32], output: &Output<'_>, to: &mut [i8], pixels: usize, _: usize) {
        if pixels > 0 {
            // SAFETY: the module is compiled for CPUs with vectors.
            unsafe { finish_vector(sums, multiplier, output, to) };
        }
    }
}

const fn blocking(matrix: Matrix) -> Blocking {
    match Packing::Simd128.blocking(matrix) {
        Some(blocking) => blocking,
        None => panic!("blocked"),
    }
}

/// The first four words, with zeros for those that are missing.
#[inline]
#[target_feature(enable = "neon")]
fn words(words: &[i32]) -> int32x4_t {
    let four = match *words {
        [a, b, c, d, ..] => [a, b, c, d],
        [a, b, c] => [a, b, c, 0],
        [a, b] => [a, b, 0, 0],
        [a] => [a, 0, 0, 0],
        [] => [0; QUAD],
    };
    // SAFETY: four words.
    unsafe { vld1q_s32(four.as_ptr()) }
}

/// Sums lie as `[channel / 4][P pixels][4]`.
#[target_feature(enable = "neon")]
fn start<const P: usize>(bias: &[i32], sums: &mut [i32]) {
    for (bias, sums) in bias.chunks(QUAD).zip(sums.chunks_exact_mut(QUAD * P)) {
        let bias = words(bias);
        for sums in sums.chunks_exact_mut(QUAD) {
            // SAFETY: four words.
            unsafe { vst1q_s32(sums.as_mut_ptr(), bias) };
        }
    }
}

/// The strip is `[P pixels][room]` with a byte a value; half of each pixel's room is enough, WebAssembly needs it all.
#[target_feature(enable = "neon")]
fn gather<const P: usize>(values: &[i8], step: usize, pixels: usize, len: usize, at: usize, strip: &mut [i32]) {
    let strip: &mut [i8] = bytemuck::cast_slice_mut(strip);
    let room = strip.len() / P;
    let last = pixels.saturating_sub(1);
    if last >= P || at.saturating_add(len) > room || last.saturating_mul(step).saturating_add(len) > values.len() {
        return;
    }
    for pixel in 0..pixels {
        // SAFETY: pixel · step + len ≤ values.len() and pixel · room + at + len ≤ strip.len(), as was just checked.
        unsafe { copy(values.as_ptr().add(pixel * step), strip.as_mut_ptr().add(pixel * room + at), len) };
    }
}

/// Copies a few bytes, 16 at a time; a last vector that is not full overlaps the one before.
///
/// # Safety
///
/// `len` bytes can be read at `from` and written at `to`, and do not overlap.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn copy(from: *const i8, to: *mut i8, len: usize) {
    let mut at = 0;
    // SAFETY: all accesses end at `len` at most, and start at 0 at least.
    unsafe {
        if len >= 16 {
            while at + 16 < len {
                vst1q_s8(to.add(at), vld1q_s8(from.add(at)));
                at += 16;
            }
            vst1q_s8(to.add(len - 16), vld1q_s8(from.add(len - 16)));
            return;
        }
        while at + 4 <= len {
            to.add(at).cast::<i32>().write_unaligned(from.add(at).cast::<i32>().read_unaligned());
            at += 4;
        }
        while at < len {
            *to.add(at) = *from.add(at);
            at += 1;
        }
    }
}

fn multiply<const P: usize, D: Dot>(
    dot: D,
    strip: &[i32],
    weights: &[i8],
    next: usize,
    depth: usize,
    channels: usize,
    sums: &mut [i32],
) {
    let quads = channels.div_ceil(QUAD);
    let room = 4 * strip.len() / P;
    let most = quads.saturating_sub(1).saturating_mul(next).saturating_add(depth.saturating_mul(QUAD));
    if quads == 0
        || depth > room
        || !depth.is_multiple_of(QUAD)
        || most > weights.len()
        || quads * QUAD * P > sums.len()
    {
        return;
    }
    let strip = Strip { values: strip.as_ptr().cast(), room, depth };
    // SAFETY: there are `room` values of P pixels, `next` bytes from quad to quad of weights and QUAD · `depth` of them in the last,
    // QUAD · P sums for each quad, and `depth` is a multiple of QUAD, as was just checked; `quad` stays below `quads`.
    unsafe { dot.multiply::<P>(strip, weights.as_ptr(), next, sums.as_mut_ptr(), quads) };
}

/// The values of the pixels of a block.
#[derive(Clone, Copy, Debug)]
struct Strip {
    /// Those of pixel `p` start at `p · room`.
    values: *const i8,
    room: usize,
    /// How many count.
    depth: usize,
}

/// A way to multiply.
trait Dot: Copy {
    /// Adds the products of `quads` quads of channels to their sums.
    ///
    /// # Safety
    ///
    /// `strip` has P pixels, `depth` is a multiple of four and not above `room`; at `weights + quad · next` there are 4 · `depth` bytes
    /// for each of `quads` quads of channels, and at `sums + quad · 4 · P` 4 · P words.
    unsafe fn multiply<const P: usize>(
        self,
        strip: Strip,
        weights: *const i8,
        next: usize,
        sums: *mut i32,
        quads: usize,
    );
}

impl Dot for Sdot {
    #[inline(always)]
    unsafe fn multiply<const P: usize>(
        self,
        strip: Strip,
        weights: *const i8,
        next: usize,
        sums: *mut i32,
        quads: usize,
    ) {
        let mut quad = 0;
        // SAFETY: the caller's promises, for the quads from `quad` on; that there is an `Sdot` tells that the CPU has it.
        unsafe {
            while quad + 4 <= quads {
                sdot_quads::<P, 4>(strip, weights.add(quad * next), next, sums.add(quad * QUAD * P));
                quad += 4;
            }
            while quad < quads {
                sdot_quads::<P, 1>(strip, weights.add(quad * next), next, sums.add(quad * QUAD * P));
                quad += 1;
            }
        }
    }
}

impl Dot for Neon {
    #[inline(always)]
    unsafe fn multiply<const P: usize>(
        self,
        strip: Strip,
        weights: *const i8,
        next: usize,
        sums: *mut i32,
        quads: usize,
    ) {
        let mut quad = 0;
        // SAFETY: the caller's promises, for the quads from `quad` on.
        unsafe {
            while P == 4 && quad + 2 <= quads {
                neon_windows(strip, weights.add(quad * next), next, sums.add(quad * QUAD * P));
                quad += 2;
            }
            while P == 1 && quad + 4 <= quads {
                neon_quads::<1, 4>(strip, weights.add(quad * next), next, sums.add(quad * QUAD * P));
                quad += 4;
            }
            while quad < quads {
                neon_quads::<P, 1>(strip, weights.add(quad * next), next, sums.add(quad * QUAD * P));
                quad += 1;
            }
        }
    }
}

/// P pixels times Q quads of channels with SDOT.
///
/// ```text
/// for each 16 values of the depth:
///     x[p] = 16 values of pixel p
///     for each quad of channels, for i < 4:
///         w = 4 channels × 4 values
///         for each pixel:  sums[quad][p] += w · x[p].4b[i]              16 products an instruction
/// ```
///
/// # Safety
///
/// That of [`Dot::multiply`] for Q quads, and the CPU has FEAT_DotProd.
#[inline(never)]
#[target_feature(enable = "neon")]
unsafe fn sdot_quads<const P: usize, const Q: usize>(strip: Strip, weights: *const i8, next: usize, sums: *mut i32) {
    let Strip { values, room, depth } = strip;
    // SAFETY: values are read below `depth` ≤ `room` of P pixels, weights below 4 · `depth` of Q quads, as the caller promises.
    unsafe {
        let mut sum: [[int32x4_t; P]; Q] = from_fn(|q| from_fn(|p| vld1q_s32(sums.add((q * P + p) * QUAD))));
        let mut at = 0;
        while at + 16 <= depth {
            let x: [int8x16_t; P] = from_fn(|p| vld1q_s8(values.add(p * room + at)));
            unrolled!(q < Q, {
                let weights = weights.add(q * next + QUAD * at);
                sdot::<P, 0>(&mut sum[q], vld1q_s8(weights), &x);
                sdot::<P, 1>(&mut sum[q], vld1q_s8(weights.add(16)), &x);
                sdot::<P, 2>(&mut sum[q], vld1q_s8(weights.add(32)), &x);
                sdot::<P, 3>(&mut sum[q], vld1q_s8(weights.add(48)), &x);
            });
            at += 16;
        }
        while at < depth {
            let x: [int8x16_t; P] = from_fn(|p| quad(values.add(p * room + at)));
            for (q, sum) in sum.iter_mut().enumerate() {
                sdot::<P, 0>(sum, vld1q_s8(weights.add(q * next + QUAD * at)), &x);
            }
            at += QUAD;
        }
        for (q, sum) in sum.iter().enumerate() {
            for (p, &sum) in sum.iter().enumerate() {
                vst1q_s32(sums.add((q * P + p) * QUAD), sum);
            }
        }
    }
}

/// For each pixel: 16 products of `weights` with quad I of its values.
///
/// # Safety
///
/// The CPU has FEAT_DotProd.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn sdot<const P: usize, const I: usize>(sums: &mut [int32x4_t; P], weights: int8x16_t, values: &[int8x16_t; P]) {
    for (sum, &values) in sums.iter_mut().zip(values) {
        // SAFETY: the caller has the instruction, which only changes a register. In stable Rust it has no other name.
        unsafe {
            asm!(
                ".arch_extension dotprod",
                "sdot {sum:v}.4s, {weights:v}.16b, {values:v}.4b[{i}]",
                sum = inout(vreg) *sum,
                weights = in(vreg) weights,
                values = in(vreg) values,
                i = const I,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
    }
}

/// P pixels times Q quads of channels with SMULL, SMLAL and SADALP, where sums need few registers.
///
/// ```text
/// for each 8 values of the depth, unrolled to 16:
///     for each pixel:
///         a, b = 4 values of the pixel, repeated four times; the next 4
///         for each quad of channels:
///             wa, wb = 4 channels × 4 values, the same channels × the next 4
///             low[quad][p]  += pairs of (wa · a + wb · b), channels 0 and 1       16 products, three
///             high[quad][p] += pairs of (wa · a + wb · b), channels 2 and 3       instructions each
/// ```
///
/// # Safety
///
/// That of [`Dot::multiply`] for Q quads.
#[inline(never)]
#[target_feature(enable = "neon")]
unsafe fn neon_quads<const P: usize, const Q: usize>(strip: Strip, weights: *const i8, next: usize, sums: *mut i32) {
    let Strip { values, room, depth } = strip;
    let mut halves = [[[vdupq_n_s32(0); 2]; Q]; P];
    let mut at = 0;
    // SAFETY: values are read below `depth` ≤ `room` of P pixels, weights below 4 · `depth` of Q quads, as the caller promises.
    unsafe {
        while at + 16 <= depth {
            let x: [int32x4_t; P] = from_fn(|p| vreinterpretq_s32_s8(vld1q_s8(values.add(p * room + at))));
            let w = |from: usize| -> [[int8x16_t; 2]; Q] {
                from_fn(|q| from_fn(|i| vld1q_s8(weights.add(q * next + QUAD * at + from + 16 * i))))
            };
            let first = w(0);
            for (halves, &x) in halves.iter_mut().zip(&x) {
                two_quads(halves, &first, vdupq_laneq_s32::<0>(x), vdupq_laneq_s32::<1>(x));
            }
            let second = w(32);
            for (halves, &x) in halves.iter_mut().zip(&x) {
                two_quads(halves, &second, vdupq_laneq_s32::<2>(x), vdupq_laneq_s32::<3>(x));
            }
            at += 16;
        }
        last_quads(strip, weights, next, sums, halves, at);
    }
}

/// Adds the products of two neighbouring quads of the depth of a pixel to the halves of its sums.
#[inline]
#[target_feature(enable = "neon")]
fn two_quads<const Q: usize>(halves: &mut [[int32x4_t; 2]; Q], w: &[[int8x16_t; 2]; Q], a: int32x4_t, b: int32x4_t) {
    let (a, b) = (vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
    for ([low, high], &[wa, wb]) in halves.iter_mut().zip(w) {
        let pair = vmull_s8(vget_low_s8(wa), vget_low_s8(a));
        *low = vpadalq_s16(*low, vmlal_s8(pair, vget_low_s8(wb), vget_low_s8(b)));
        let pair = vmull_high_s8(wa, a);
        *high = vpadalq_s16(*high, vmlal_high_s8(pair, wb, b));
    }
}

/// The instructions of [`neon_windows`]; the names are those of operands.
macro_rules! step {
    // The values of two quads of the depth, repeated.
    (dup $x:literal, $a:literal, $b:literal) => {
        concat!("dup {a:v}.4s, {", $x, ":v}.s[", $a, "]\n", "dup {b:v}.4s, {", $x, ":v}.s[", $b, "]\n")
    };
    // Products of eight channels with these: four chains, so that an in-order CPU waits little for results.
    (mul $wa:literal, $wb:literal, $ua:literal, $ub:literal) => {
        concat!(
            "smull {p0:v}.8h, {",
            $wa,
            ":v}.8b, {a:v}.8b\n",
            "smull2 {p1:v}.8h, {",
            $wa,
            ":v}.16b, {a:v}.16b\n",
            "smull {p2:v}.8h, {",
            $ua,
            ":v}.8b, {a:v}.8b\n",
            "smull2 {p3:v}.8h, {",
            $ua,
            ":v}.16b, {a:v}.16b\n",
            "smlal {p0:v}.8h, {",
            $wb,
            ":v}.8b, {b:v}.8b\n",
            "smlal2 {p1:v}.8h, {",
            $wb,
            ":v}.16b, {b:v}.16b\n",
            "smlal {p2:v}.8h, {",
            $ub,
            ":v}.8b, {b:v}.8b\n",
            "smlal2 {p3:v}.8h, {",
            $ub,
            ":v}.16b, {b:v}.16b\n",
        )
    };
    // Pairs of products to the halves of the sums of a pixel.
    (add $h0:literal, $h1:literal, $h2:literal, $h3:literal) => {
        concat!(
            "sadalp {",
            $h0,
            ":v}.4s, {p0:v}.8h\n",
            "sadalp {",
            $h1,
            ":v}.4s, {p1:v}.8h\n",
            "sadalp {",
            $h2,
            ":v}.4s, {p2:v}.8h\n",
            "sadalp {",
            $h3,
            ":v}.4s, {p3:v}.8h\n",
        )
    };
}

/// What [`neon_quads`] does for four pixels and two quads of channels. It needs all 32 registers, 16 of them for sums, and
/// compilers make of intrinsics a schedule that moves sums around; so the loop is written out: 122 instructions for 512 products.
///
/// # Safety
///
/// That of [`Dot::multiply`] for four pixels and two quads.
#[inline(never)]
#[target_feature(enable = "neon")]
unsafe fn neon_windows(strip: Strip, weights: *const i8, next: usize, sums: *mut i32) {
    let Strip { values, room, depth } = strip;
    let mut h = [[[vdupq_n_s32(0); 2]; 2]; 4];
    let rounds = depth / 16;
    if rounds > 0 {
        let [x0, x1, x2, x3] = [0, 1, 2, 3].map(|pixel| values.wrapping_add(pixel * room));
        // SAFETY: each round reads 16 values of four pixels and 64 weights of two quads, `depth` / 16 times.
        unsafe {
            asm!(
                "2:",
                "ldr {x:q}, [{x0}], #16",
                "ldp {w0:q}, {w1:q}, [{w}], #32",
                "ldp {u0:q}, {u1:q}, [{u}], #32",
                "ldp {w2:q}, {w3:q}, [{w}], #32",
                "ldp {u2:q}, {u3:q}, [{u}], #32",
                "ldr {y:q}, [{x1}], #16",
                step!(dup "x", "0", "1"),
                step!(mul "w0", "w1", "u0", "u1"),
                step!(dup "x", "2", "3"),
                step!(add "h0", "h1", "h2", "h3"),
                step!(mul "w2", "w3", "u2", "u3"),
                step!(dup "y", "0", "1"),
                "ldr {x:q}, [{x2}], #16",
                step!(add "h0", "h1", "h2", "h3"),
                step!(mul "w0", "w1", "u0", "u1"),
                step!(dup "y", "2", "3"),
                step!(add "h4", "h5", "h6", "h7"),
                step!(mul "w2", "w3", "u2", "u3"),
                step!(dup "x", "0", "1"),
                "ldr {y:q}, [{x3}], #16",
                step!(add "h4", "h5", "h6", "h7"),
                step!(mul "w0", "w1", "u0", "u1"),
                step!(dup "x", "2", "3"),
                step!(add "h8", "h9", "h10", "h11"),
                step!(mul "w2", "w3", "u2", "u3"),
                step!(dup "y", "0", "1"),
                step!(add "h8", "h9", "h10", "h11"),
                step!(mul "w0", "w1", "u0", "u1"),
                step!(dup "y", "2", "3"),
                step!(add "h12", "h13", "h14", "h15"),
                step!(mul "w2", "w3", "u2", "u3"),
                "subs {rounds}, {rounds}, #1",
                step!(add "h12", "h13", "h14", "h15"),
                "b.ne 2b",
                x0 = inout(reg) x0 => _,
                x1 = inout(reg) x1 => _,
                x2 = inout(reg) x2 => _,
                x3 = inout(reg) x3 => _,
                w = inout(reg) weights => _,
                u = inout(reg) weights.wrapping_add(next) => _,
                rounds = inout(reg) rounds => _,
                h0 = inout(vreg) h[0][0][0],
                h1 = inout(vreg) h[0][0][1],
                h2 = inout(vreg) h[0][1][0],
                h3 = inout(vreg) h[0][1][1],
                h4 = inout(vreg) h[1][0][0],
                h5 = inout(vreg) h[1][0][1],
                h6 = inout(vreg) h[1][1][0],
                h7 = inout(vreg) h[1][1][1],
                h8 = inout(vreg) h[2][0][0],
                h9 = inout(vreg) h[2][0][1],
                h10 = inout(vreg) h[2][1][0],
                h11 = inout(vreg) h[2][1][1],
                h12 = inout(vreg) h[3][0][0],
                h13 = inout(vreg) h[3][0][1],
                h14 = inout(vreg) h[3][1][0],
                h15 = inout(vreg) h[3][1][1],
                x = out(vreg) _,
                y = out(vreg) _,
                w0 = out(vreg) _,
                w1 = out(vreg) _,
                w2 = out(vreg) _,
                w3 = out(vreg) _,
                u0 = out(vreg) _,
                u1 = out(vreg) _,
                u2 = out(vreg) _,
                u3 = out(vreg) _,
                a = out(vreg) _,
                b = out(vreg) _,
                p0 = out(vreg) _,
                p1 = out(vreg) _,
                p2 = out(vreg) _,
                p3 = out(vreg) _,
                options(pure, readonly, nostack),
            );
        }
    }
    // SAFETY: the caller's promise.
    unsafe { last_quads(strip, weights, next, sums, h, 16 * rounds) };
}

/// Does the depth from `at` on, one quad at a time, and adds the halves to the sums.
///
/// # Safety
///
/// That of [`Dot::multiply`] for Q quads.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn last_quads<const P: usize, const Q: usize>(
    strip: Strip,
    weights: *const i8,
    next: usize,
    sums: *mut i32,
    mut halves: [[[int32x4_t; 2]; Q]; P],
    mut at: usize,
) {
    let Strip { values, room, depth } = strip;
    // SAFETY: values are read below `depth` ≤ `room` of P pixels, weights below 4 · `depth` of Q quads, as the caller promises.
    unsafe {
        while at < depth {
            let w: [int8x16_t; Q] = from_fn(|q| vld1q_s8(weights.add(q * next + QUAD * at)));
            for (p, halves) in halves.iter_mut().enumerate() {
                let x = quad(values.add(p * room + at));
                for ([low, high], &w) in halves.iter_mut().zip(&w) {
                    *low = vpadalq_s16(*low, vmull_s8(vget_low_s8(w), vget_low_s8(x)));
                    *high = vpadalq_s16(*high, vmull_high_s8(w, x));
                }
            }
            at += QUAD;
        }
        for (p, halves) in halves.iter().enumerate() {
            for (q, &[low, high]) in halves.iter().enumerate() {
                let sums = sums.add((q * P + p) * QUAD);
                vst1q_s32(sums, vaddq_s32(vld1q_s32(sums), vpaddq_s32(low, high)));
            }
        }
    }
}

/// Four bytes, four times.
///
/// # Safety
///
/// There are four bytes at `from`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn quad(from: *const i8) -> int8x16_t {
    // SAFETY: the caller's promise.
    vreinterpretq_s8_s32(vdupq_n_s32(unsafe { from.cast::<i32>().read_unaligned() }))
}

/// Finishes four channels of four pixels at a time.
#[target_feature(enable = "neon")]
fn finish_windows(sums: &[i32], multiplier: &[i32], output: &Output<'_>, to: &mut [i8], pixels: usize, stride: usize) {
    let room = pixels.saturating_sub(1).saturating_mul(stride).saturating_add(multiplier.len());
    if to.len() < room {
        return;
    }
    let rest = Rest::new(output);
    let mut to = to.as_mut_ptr();
    for (sums, multiplier) in sums.chunks_exact(QUAD * 4).zip(multiplier.chunks(QUAD)) {
        let sums = sums.as_ptr();
        // SAFETY: 16 words.
        let sums = from_fn(|pixel| unsafe { vld1q_s32(sums.add(pixel * QUAD)) });
        let codes = vreinterpretq_s32_s8(rest.finish(sums, [words(multiplier); 4]));
        let codes = [
            vgetq_lane_s32::<0>(codes),
            vgetq_lane_s32::<1>(codes),
            vgetq_lane_s32::<2>(codes),
            vgetq_lane_s32::<3>(codes),
        ];
        for (pixel, codes) in codes.into_iter().enumerate().take(pixels) {
            // SAFETY: `to` has gone on by as many channels as were finished; with `pixel` strides and the channels of this quad it
            // stays within `room`.
            unsafe { store(to.wrapping_add(pixel * stride), codes, multiplier.len()) };
        }
        to = to.wrapping_add(QUAD);
    }
}

/// Finishes 16 channels of the pixel at a time.
#[target_feature(enable = "neon")]
fn finish_vector(sums: &[i32], multiplier: &[i32], output: &Output<'_>, to: &mut [i8]) {
    let rest = Rest::new(output);
    let count = multiplier.len().min(to.len());
    let (blocks, remainder) = multiplier.get(..count).unwrap_or(&[]).as_chunks::<16>();
    let (sum_blocks, _) = sums.as_chunks::<16>();
    let (to_blocks, to_remainder) = to.as_chunks_mut::<16>();
    for ((sums, multiplier), to) in sum_blocks.iter().zip(blocks).zip(to_blocks.iter_mut()) {
        // SAFETY: 16 words each, and 16 bytes.
        unsafe {
            let sums = from_fn(|quad| vld1q_s32(sums.as_ptr().add(quad * QUAD)));
            let multiplier = from_fn(|quad| vld1q_s32(multiplier.as_ptr().add(quad * QUAD)));
            vst1q_s8(to.as_mut_ptr(), rest.finish(sums, multiplier));
        }
    }
    // At most three quads and a part of one.
    let sums = sums.get(blocks.len() * 16..).unwrap_or(&[]);
    let to = match to_blocks.get_mut(blocks.len()) {
        Some(block) => block.as_mut_slice(),
        None => to_remainder,
    };
    for ((sums, multiplier), to) in sums.chunks(QUAD).zip(remainder.chunks(QUAD)).zip(to.chunks_mut(QUAD)) {
        let codes = rest.finish([words(sums); 4], [words(multiplier); 4]);
        let count = multiplier.len().min(to.len());
        // SAFETY: `to` has `count` bytes.
        unsafe { store(to.as_mut_ptr(), vgetq_lane_s32::<0>(vreinterpretq_s32_s8(codes)), count) };
    }
}

/// Writes the first `count` of four codes.
///
/// # Safety
///
/// `count` ≤ 4 bytes can be written at `to`.
#[inline(always)]
unsafe fn store(to: *mut i8, codes: i32, count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match count {
            0 => (),
            1 => *to = codes as i8,
            2 => to.cast::<i16>().write_unaligned(codes as i16),
            3 => {
                to.cast::<i16>().write_unaligned(codes as i16);
                *to.add(2) = (codes >> 16) as i8;
            }
            _ => to.cast::<i32>().write_unaligned(codes),
        }
    }
}

/// The rest of a layer for 16 sums at once, see [`Output`].
#[derive(Clone, Copy, Debug)]
struct Rest {
    zero_point: int16x8_t,
    low: int8x16_t,
    high: int8x16_t,
    table: Option<[int8x16x4_t; 4]>,
}

impl Rest {
    #[inline]
    #[target_feature(enable = "neon")]
    fn new(output: &Output<'_>) -> Self {
        let table = output.table.map(|table| {
            // SAFETY: 64 bytes from 0, 64, 128 and 192 on are in the table of 256.
            from_fn(|part| unsafe { vld1q_s8_x4(table.as_ptr().add(64 * part)) })
        });
        Self {
            zero_point: vdupq_n_s16(output.zero_point.into()),
            low: vdupq_n_s8(output.low),
            high: vdupq_n_s8(output.high),
            table,
        }
    }

    /// What [`Output::finish`] gives for each. Sums become narrow by saturation, which changes nothing: a code beyond 16 bits is
    /// beyond 8 bits with any zero point, and one beyond 8 bits is beyond the clamp's limits.
    #[inline]
    #[target_feature(enable = "neon")]
    fn finish(&self, sums: [int32x4_t; 4], multiplier: [int32x4_t; 4]) -> int8x16_t {
        let [a, b, c, d]: [int16x4_t; 4] = from_fn(|i| vqmovn_s32(requantize(sums[i], multiplier[i])));
        let ab = vqaddq_s16(vcombine_s16(a, b), self.zero_point);
        let cd = vqaddq_s16(vcombine_s16(c, d), self.zero_point);
        let codes = vcombine_s8(vqmovn_s16(ab), vqmovn_s16(cd));
        let codes = vminq_s8(vmaxq_s8(codes, self.low), self.high);
        match self.table {
            Some([a, b, c, d]) => {
                // An index beyond 64 entries gives 0 at first, and leaves what is there afterwards.
                let index = veorq_u8(vreinterpretq_u8_s8(codes), vdupq_n_u8(0x80));
                let found = vqtbl4q_s8(a, index);
                let found = vqtbx4q_s8(found, b, vsubq_u8(index, vdupq_n_u8(64)));
                let found = vqtbx4q_s8(found, c, vsubq_u8(index, vdupq_n_u8(128)));
                vqtbx4q_s8(found, d, vsubq_u8(index, vdupq_n_u8(192)))
            }
            None => codes,
        }
    }
}

/// [`fixed::requantize`](crate::fixed::requantize) of four sums: RSHRN adds 2³¹ before it shifts.
#[inline]
#[target_feature(enable = "neon")]
fn requantize(sums: int32x4_t, multiplier: int32x4_t) -> int32x4_t {
    let low = vrshrn_n_s64::<32>(vmull_s32(vget_low_s32(sums), vget_low_s32(multiplier)));
    vrshrn_high_n_s64::<32>(low, vmull_high_s32(sums, multiplier))
}
