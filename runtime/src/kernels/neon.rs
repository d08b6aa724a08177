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

mod dot;
mod finish;

use core::arch::aarch64::*;

use dot::{Dot, Strip};
use finish::{finish_vector, finish_windows};

use super::blocked::{self, Tile};
use super::{Kernel, Row};
use crate::fixed::Output;
use crate::packing::{Blocking, Matrix, Packing};

/// Channels in a vector of weights, and values of the depth of each; also sums in a vector.
const QUAD: usize = 4;

/// Runs on every AArch64 CPU with vectors.
#[derive(Clone, Copy, Debug, Default)]
pub struct Neon;

impl Kernel for Neon {
    const NAME: &'static str = "neon";
    const PACKING: Packing = Packing::Simd128;

    fn available() -> Option<Self> {
        Some(Self)
    }

    fn windows(self, row: &mut Row<'_>) {
        blocked::run(Windows(self), row);
    }

    fn vector(self, row: &mut Row<'_>) {
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

    fn windows(self, row: &mut Row<'_>) {
        blocked::run(Windows(self), row);
    }

    fn vector(self, row: &mut Row<'_>) {
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

    fn windows(self, row: &mut Row<'_>) {
        match self {
            Self::Neon(kernel) => kernel.windows(row),
            Self::Sdot(kernel) => kernel.windows(row),
        }
    }

    fn vector(self, row: &mut Row<'_>) {
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
