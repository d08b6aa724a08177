//! WebAssembly with vectors of 128 bits (`-C target-feature=+simd128`), which every browser has had since 2023.
//!
//! A vector of weights holds four channels with four consecutive values of the depth each. Its halves are widened as they are
//! loaded, and meet four values of a pixel, a *quad*, which are gathered 16 bits wide and loaded twice into a vector. One
//! instruction multiplies eight and adds neighbours:
//!
//! ```text
//! i32x4.dot_i16x8_s  pair, weights[2 channels][4], quad quad      pair[2·c + j] = Σ over i < 2: weights[c][2·j + i] · quad[2·j + i]
//! i32x4.add          half, pair
//! ```
//!
//! The two halves of each sum meet at the end. Other ways need fewer instructions on one CPU and more on another: products
//! of bytes (`i16x8.extmul`) are one instruction on Arm and three on x86, this product the other way round.
//!
//! Instructions of the loop over the depth for each four values, as compiled, without those that engines drop (`local.get` and the
//! like); additions of addresses mostly become part of a load:
//!
//! | | tile | weights | values | products | loop, addresses | per product |
//! |---|---|---|---|---|---|---|
//! | windows | 4 pixels × 4 channels | 2 | 4 | 16 | 9 | 0.48 |
//! | vector | 1 × 16 | 8 | 1 | 16 | 12 | 0.58 |

#![allow(unsafe_code)]

use core::arch::wasm32::*;
use core::array::from_fn;

use super::blocked::{self, Tile};
use super::{Kernel, Row};
use crate::fixed::Output;
use crate::packing::{Blocking, Matrix, Packing};

/// Channels in a vector of weights, and values of the depth of each; also sums in a vector.
const QUAD: usize = 4;

/// Runs wherever a module with vectors can be loaded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Simd128;

impl Kernel for Simd128 {
    const NAME: &'static str = "simd128";
    const PACKING: Packing = Packing::Simd128;

    fn available() -> Option<Self> {
        Some(Self)
    }

    fn windows(self, row: &mut Row<'_>) {
        blocked::run(Windows, row);
    }

    fn vector(self, row: &mut Row<'_>) {
        blocked::run(Vector, row);
    }
}

/// Four pixels meet all channels.
#[derive(Clone, Copy, Debug)]
struct Windows;

/// One pixel meets all channels.
#[derive(Clone, Copy, Debug)]
struct Vector;

impl Tile for Windows {
    const BLOCKING: Blocking = blocking(Matrix::Windows);

    fn start(self, bias: &[i32], sums: &mut [i32]) {
        start::<4>(bias, sums);
    }

    fn gather(self, values: &[i8], step: usize, pixels: usize, len: usize, at: usize, strip: &mut [i32]) {
        gather::<4>(values, step, pixels, len, at, strip);
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
        multiply::<4>(strip, weights, next, depth, channels, sums);
    }

    /// Four channels of four pixels at a time.
    fn finish(
        self,
        sums: &[i32],
        multiplier: &[i32],
        output: &Output<'_>,
        to: &mut [i8],
        pixels: usize,
        stride: usize,
    ) {
        let room = pixels.saturating_sub(1).saturating_mul(stride).saturating_add(multiplier.len());
        if to.len() < room {
            return;
        }
        let rest = Rest::new(output);
        let mut to = to.as_mut_ptr();
        for (sums, multiplier) in sums.chunks_exact(QUAD * 4).zip(multiplier.chunks(QUAD)) {
            let sums: *const v128 = sums.as_ptr().cast();
            // SAFETY: 16 words.
            let sums = from_fn(|pixel| unsafe { v128_load(sums.add(pixel)) });
            let codes = rest.finish(sums, [words(multiplier); 4]);
            let codes = [
                u32x4_extract_lane::<0>(codes),
                u32x4_extract_lane::<1>(codes),
                u32x4_extract_lane::<2>(codes),
                u32x4_extract_lane::<3>(codes),
            ];
            for (pixel, codes) in codes.into_iter().enumerate().take(pixels) {
                // SAFETY: `to` has gone on by as many channels as were finished; with `pixel` strides and the channels of this quad it
                // stays within `room`.
                unsafe { store(to.wrapping_add(pixel * stride), codes, multiplier.len()) };
            }
            to = to.wrapping_add(QUAD);
        }
    }
}

impl Tile for Vector {
    const BLOCKING: Blocking = blocking(Matrix::Vector);

    fn start(self, bias: &[i32], sums: &mut [i32]) {
        start::<1>(bias, sums);
    }

    fn gather(self, values: &[i8], step: usize, pixels: usize, len: usize, at: usize, strip: &mut [i32]) {
        gather::<1>(values, step, pixels, len, at, strip);
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
        multiply::<1>(strip, weights, next, depth, channels, sums);
    }

    /// 16 channels of the pixel at a time.
    fn finish(self, sums: &[i32], multiplier: &[i32], output: &Output<'_>, to: &mut [i8], pixels: usize, _: usize) {
        if pixels == 0 {
            return;
        }
        let rest = Rest::new(output);
        let quads = |words: &[i32]| from_fn(|quad| self::words(words.get(quad * QUAD..).unwrap_or(&[])));
        for ((sums, multiplier), to) in sums.chunks(16).zip(multiplier.chunks(16)).zip(to.chunks_mut(16)) {
            let codes = bytes(rest.finish(quads(sums), quads(multiplier)));
            to.iter_mut().zip(codes).take(multiplier.len()).for_each(|(to, code)| *to = code as i8);
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
#[inline(always)]
fn words(words: &[i32]) -> v128 {
    match *words {
        [a, b, c, d, ..] => i32x4(a, b, c, d),
        [a, b, c] => i32x4(a, b, c, 0),
        [a, b] => i32x4(a, b, 0, 0),
        [a] => i32x4(a, 0, 0, 0),
        [] => i32x4_splat(0),
    }
}

/// The bytes of a vector.
#[inline(always)]
fn bytes(vector: v128) -> [u8; 16] {
    let mut bytes = [0; 16];
    // SAFETY: 16 bytes, at any address.
    unsafe { v128_store(bytes.as_mut_ptr().cast(), vector) };
    bytes
}

/// Writes the first `count` of four codes.
///
/// # Safety
///
/// `count` ≤ 4 bytes can be written at `to`.
#[inline(always)]
unsafe fn store(to: *mut i8, codes: u32, count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match count {
            0 => (),
            1 => *to = codes as i8,
            2 => to.cast::<u16>().write_unaligned(codes as u16),
            3 => {
                to.cast::<u16>().write_unaligned(codes as u16);
                *to.add(2) = (codes >> 16) as i8;
            }
            _ => to.cast::<u32>().write_unaligned(codes),
        }
    }
}

/// Sums lie as `[channel / 4][P pixels][4]`.
fn start<const P: usize>(bias: &[i32], sums: &mut [i32]) {
    for (bias, sums) in bias.chunks(QUAD).zip(sums.chunks_exact_mut(QUAD * P)) {
        let bias = words(bias);
        for sums in sums.chunks_exact_mut(QUAD) {
            // SAFETY: four words.
            unsafe { v128_store(sums.as_mut_ptr().cast(), bias) };
        }
    }
}

/// The strip is `[P pixels][room]`, 16 bits a value.
fn gather<const P: usize>(values: &[i8], step: usize, pixels: usize, len: usize, at: usize, strip: &mut [i32]) {
    let strip: &mut [i16] = bytemuck::cast_slice_mut(strip);
    let room = strip.len() / P;
    let last = pixels.saturating_sub(1);
    if last >= P || at.saturating_add(len) > room || last.saturating_mul(step).saturating_add(len) > values.len() {
        return;
    }
    for pixel in 0..pixels {
        // SAFETY: pixel · step + len ≤ values.len() and pixel · room + at + len ≤ strip.len(), as was just checked.
        unsafe { widen(values.as_ptr().add(pixel * step), strip.as_mut_ptr().add(pixel * room + at), len) };
    }
}

/// Makes a few values 16 bits wide, eight at a time; a last vector that is not full overlaps the one before.
///
/// # Safety
///
/// `len` values can be read at `from` and written at `to`.
#[inline(always)]
unsafe fn widen(from: *const i8, to: *mut i16, len: usize) {
    let mut at = 0;
    // SAFETY: all accesses end at `len` at most, and start at 0 at least.
    unsafe {
        if len >= 8 {
            while at + 8 < len {
                v128_store(to.add(at).cast(), i16x8_load_extend_i8x8(from.add(at)));
                at += 8;
            }
            v128_store(to.add(len - 8).cast(), i16x8_load_extend_i8x8(from.add(len - 8)));
            return;
        }
        while at < len {
            *to.add(at) = i16::from(*from.add(at));
            at += 1;
        }
    }
}

fn multiply<const P: usize>(
    strip: &[i32],
    weights: &[i8],
    next: usize,
    depth: usize,
    channels: usize,
    sums: &mut [i32],
) {
    let quads = channels.div_ceil(QUAD);
    let room = 2 * strip.len() / P;
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
    let (weights, sums) = (weights.as_ptr(), sums.as_mut_ptr());
    let mut quad = 0;
    // SAFETY: there are `room` values of P pixels, `next` bytes from quad to quad of weights and QUAD · `depth` of them in the last,
    // QUAD · P sums for each quad, and `depth` is a multiple of QUAD, as was just checked; `quad` stays below `quads`.
    unsafe {
        // 8 vectors of halves of sums leave half of the 16 registers of an x86 for everything else.
        while P == 1 && quad + 4 <= quads {
            multiply_quads::<P, 4>(strip, weights.add(quad * next), next, sums.add(quad * QUAD * P));
            quad += 4;
        }
        while quad < quads {
            multiply_quads::<P, 1>(strip, weights.add(quad * next), next, sums.add(quad * QUAD * P));
            quad += 1;
        }
    }
}

/// The values of the pixels of a block.
#[derive(Clone, Copy, Debug)]
struct Strip {
    /// Those of pixel `p` start at `p · room`.
    values: *const i16,
    room: usize,
    /// How many count.
    depth: usize,
}

/// P pixels times Q quads of channels.
///
/// ```text
/// for each 4 values of the depth:
///     x[p] = 4 values of pixel p, twice
///     for each quad of channels:
///         low, high = channels 0 and 1 × 4 values, channels 2 and 3 × 4 values
///         for each pixel:  halves[quad][p] += dot(low, x[p]), dot(high, x[p])       16 products, four instructions
/// ```
///
/// # Safety
///
/// `strip` has P pixels, `depth` is a multiple of four and not above `room`; at `weights + q · next` there are 4 · `depth` bytes
/// for each of Q quads of channels, and at `sums + q · 4 · P` 4 · P words.
#[inline(never)]
unsafe fn multiply_quads<const P: usize, const Q: usize>(
    strip: Strip,
    weights: *const i8,
    next: usize,
    sums: *mut i32,
) {
    let Strip { values, room, depth } = strip;
    // SAFETY: values are read below `depth` ≤ `room` of P pixels, weights below 4 · `depth` of Q quads, as the caller promises.
    unsafe {
        let mut halves = [[[i32x4_splat(0); 2]; P]; Q];
        let mut at = 0;
        while at < depth {
            let x: [v128; P] = from_fn(|p| v128_load64_splat(values.add(p * room + at).cast()));
            for (q, halves) in halves.iter_mut().enumerate() {
                let weights = weights.add(q * next + QUAD * at);
                let (w0, w1) = (i16x8_load_extend_i8x8(weights), i16x8_load_extend_i8x8(weights.add(8)));
                for ([low, high], &x) in halves.iter_mut().zip(&x) {
                    *low = i32x4_add(*low, i32x4_dot_i16x8(w0, x));
                    *high = i32x4_add(*high, i32x4_dot_i16x8(w1, x));
                }
            }
            at += QUAD;
        }
        for (q, halves) in halves.iter().enumerate() {
            for (p, &[low, high]) in halves.iter().enumerate() {
                let sums: *mut v128 = sums.add((q * P + p) * QUAD).cast();
                let even = i32x4_shuffle::<0, 2, 4, 6>(low, high);
                let odd = i32x4_shuffle::<1, 3, 5, 7>(low, high);
                v128_store(sums, i32x4_add(v128_load(sums), i32x4_add(even, odd)));
            }
        }
    }
}

/// The rest of a layer for 16 sums at once, see [`Output`].
#[derive(Clone, Copy, Debug)]
struct Rest<'a> {
    zero_point: v128,
    low: v128,
    high: v128,
    table: Option<&'a [i8; 256]>,
}

impl<'a> Rest<'a> {
    #[inline(always)]
    fn new(output: &Output<'a>) -> Self {
        Self {
            zero_point: i16x8_splat(output.zero_point.into()),
            low: i8x16_splat(output.low),
            high: i8x16_splat(output.high),
            table: output.table,
        }
    }

    /// What [`Output::finish`] gives for each. Sums become narrow by saturation, which changes nothing: a code beyond 16 bits is
    /// beyond 8 bits with any zero point, and one beyond 8 bits is beyond the clamp's limits.
    #[inline(always)]
    fn finish(&self, [a, b, c, d]: [v128; 4], [ma, mb, mc, md]: [v128; 4]) -> v128 {
        let ab = i16x8_narrow_i32x4(requantize(a, ma), requantize(b, mb));
        let cd = i16x8_narrow_i32x4(requantize(c, mc), requantize(d, md));
        let codes = i8x16_narrow_i16x8(i16x8_add_sat(ab, self.zero_point), i16x8_add_sat(cd, self.zero_point));
        let codes = i8x16_min(i8x16_max(codes, self.low), self.high);
        match self.table {
            Some(table) => {
                let indices = bytes(v128_xor(codes, i8x16_splat(i8::MIN)));
                let found = indices.map(|index| table[usize::from(index)]);
                // SAFETY: 16 bytes, at any address.
                unsafe { v128_load(found.as_ptr().cast()) }
            }
            None => codes,
        }
    }
}

/// [`fixed::requantize`](crate::fixed::requantize) of four sums: the high halves of the rounded products.
#[inline(always)]
fn requantize(sums: v128, multiplier: v128) -> v128 {
    let half = i64x2_splat(1 << 31);
    let low = i64x2_add(i64x2_extmul_low_i32x4(sums, multiplier), half);
    let high = i64x2_add(i64x2_extmul_high_i32x4(sums, multiplier), half);
    i32x4_shuffle::<1, 3, 5, 7>(low, high)
}
