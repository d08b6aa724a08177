//! AVX2: `vpmaddwd` multiplies 16 values of 16 bits and adds pairs of products.
//!
//! `vpmaddubsw` would multiply 32 bytes, but it takes one side unsigned and its pairs must fit 16 bits, which takes a
//! `vpsignb` before and a `vpmaddwd` after it: no fewer instructions for a product, and more of them on the multipliers. So
//! each row is widened to 16 bits once. For eight channels and up to six pixels, at four values of the depth
//!
//! ```text
//! for h in 0..2:  w[h] = 16 weights of four channels            2 vpmovsxbw from memory
//! for each pixel p
//!     x = 4 values of p, four times                             vpbroadcastq from memory
//!     for h in 0..2:  sums[p][h] += x · w[h], pairs added       2 vpmaddwd, 2 vpaddd
//! ```
//!
//! which is 32 instructions and the end of the loop for 192 products. A channel has two sums, one for each pair of the four
//! values.

mod few;

use core::arch::x86_64::*;

use super::{GROUP, Job, even};
use crate::fixed::Output;
use crate::graph::MAX_LANES;

/// Channels of a vector.
const QUAD: usize = 4;
/// Channels that are finished together.
const OCTET: usize = 2 * QUAD;
/// Pixels of a block of an octet, at most: of 16 registers, weights and values take the other four.
const PIXELS: usize = 6;

/// Makes all pixels, which lie no further apart than their runs are long.
#[target_feature(enable = "avx2")]
pub(super) fn windows(mut job: Job<'_, i8>, scratch: &mut [i8]) {
    if few::windows(&mut job, scratch) {
        return;
    }
    let Job { lanes, run, step, count, weights, tile, channels, pixels, stride, .. } = job;
    let Ok(strip) = bytemuck::try_cast_slice_mut::<i8, i16>(scratch) else { return };
    // Pixels share values, so each lane is widened as a whole, for as many pixels as fit.
    let Some(more) = (strip.len() / lanes.len().max(1)).checked_sub(run) else { return };
    let most = more.checked_div(step).map_or(usize::MAX, |more| more + 1);
    let mut first = 0;
    while first < count {
        let here = even(count - first, most);
        let len = (here - 1) * step + run;
        let mut rest = &mut *strip;
        let mut wide: [&[i16]; MAX_LANES] = [&[]; MAX_LANES];
        for (wide, lane) in wide.iter_mut().zip(lanes) {
            let Some((to, after)) = rest.split_at_mut_checked(len) else { return };
            let Some(values) = lane.get(first * step..).and_then(|values| values.get(..len)) else { return };
            widen(values, to);
            (*wide, rest) = (to, after);
        }
        let Some(lanes) = wide.get(..lanes.len()) else { return };
        let end = pixels.len().min((first + here - 1) * stride + channels.bias.len());
        let Some(pixels) = pixels.get_mut(first * stride..end) else { return };
        if let Some(job) = Job::new(lanes, run, step, tile, weights, channels, pixels, stride) {
            columns(job);
        }
        first += here;
    }
}

/// The same values of 16 bits. `to` is as long as `values`.
#[inline]
#[target_feature(enable = "avx2")]
fn widen(values: &[i8], to: &mut [i16]) {
    let ((values, rest), (to, to_rest)) = (values.as_chunks::<16>(), to.as_chunks_mut::<16>());
    for (values, to) in values.iter().zip(to) {
        // SAFETY: 16 bytes, and 16 values of two bytes.
        unsafe {
            let values = _mm256_cvtepi8_epi16(_mm_loadu_si128(values.as_ptr().cast()));
            _mm256_storeu_si256(to.as_mut_ptr().cast(), values);
        }
    }
    for (&value, to) in rest.iter().zip(to_rest) {
        *to = value.into();
    }
}

/// Makes all pixels.
#[target_feature(enable = "avx2")]
fn columns(mut job: Job<'_, i16>) {
    let quads = job.channels.bias.len().div_ceil(QUAD);
    let mut quad = 0;
    while quad < quads {
        quad += match quads - quad {
            // One pixel meets more channels, so that enough sums are under way.
            8.. if job.count == 1 => column::<8>(&mut job, quad),
            2.. => column::<2>(&mut job, quad),
            _ => column::<1>(&mut job, quad),
        };
    }
}

/// Makes `QUADS` quads of channels of all pixels, from quad `quad` on; gives their number.
#[target_feature(enable = "avx2")]
fn column<const QUADS: usize>(job: &mut Job<'_, i16>, quad: usize) -> usize {
    // Loops and no closures here and below: those do not become part of a function with features of its own.
    let mut finish = [Finish::new(job, quad, quad + 1 % QUADS); QUADS];
    for q in (2..QUADS).step_by(2) {
        finish[q] = Finish::new(job, quad + q, quad + q + 1);
    }
    let mut first = 0;
    while first < job.count {
        let pixels = even(job.count - first, PIXELS);
        match pixels {
            1 => block::<1, QUADS>(job, first, quad, &finish),
            2 => block::<2, QUADS>(job, first, quad, &finish),
            3 => block::<3, QUADS>(job, first, quad, &finish),
            4 => block::<4, QUADS>(job, first, quad, &finish),
            5 => block::<5, QUADS>(job, first, quad, &finish),
            _ => block::<PIXELS, QUADS>(job, first, quad, &finish),
        }
        first += pixels;
    }
    QUADS
}

/// Makes `PIXELS` pixels from pixel `first` on, which are there, of `QUADS` quads of channels from quad `quad` on. Each
/// has at least one channel that is there.
#[target_feature(enable = "avx2")]
fn block<const PIXELS: usize, const QUADS: usize>(
    job: &mut Job<'_, i16>,
    first: usize,
    quad: usize,
    finish: &[Finish; QUADS],
) {
    debug_assert!(first + PIXELS <= job.count && QUAD * (quad + QUADS - 1) < job.channels.bias.len());
    let mut starts = [job.weights.as_ptr(); QUADS];
    for (q, start) in starts.iter_mut().enumerate() {
        let (tile, place) = (QUAD * (quad + q) / job.tile, QUAD * (quad + q) % job.tile);
        *start = start.wrapping_add(tile * job.next + place * GROUP);
    }
    let words = up_to(job.tile);
    let mut sums = [[_mm256_setzero_si256(); QUADS]; PIXELS];
    let mut at = 0;
    for lane in job.lanes {
        let values = lane.as_ptr().wrapping_add(first * job.step);
        for i in (0..job.run).step_by(GROUP) {
            let mut w = [_mm256_setzero_si256(); QUADS];
            for (w, start) in w.iter_mut().zip(starts) {
                let from = start.wrapping_add(at);
                // SAFETY: a tile has a word for each of its channels at each group of the lanes, as `Job::new` saw; the mask has
                // only channels of the tile, and there is more than one quad only where tiles have whole quads.
                *w = _mm256_cvtepi8_epi16(unsafe {
                    if QUADS == 1 { _mm_maskload_epi32(from.cast(), words) } else { _mm_loadu_si128(from.cast()) }
                });
            }
            for (p, sums) in sums.iter_mut().enumerate() {
                // SAFETY: a lane has `run` values from the start of each pixel on, a multiple of `GROUP`, as `Job::new` saw.
                let x = unsafe { values.wrapping_add(p * job.step + i).cast::<i64>().read_unaligned() };
                let x = _mm256_set1_epi64x(x);
                for (sum, w) in sums.iter_mut().zip(w) {
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(x, w));
                }
            }
            at += job.tile * GROUP;
        }
    }
    let Job { stride, .. } = *job;
    let (output, all) = (job.channels.output, job.channels.bias.len() - QUAD * quad);
    let Some(pixels) = job.pixels.get_mut(first * stride + QUAD * quad..) else { return };
    if QUADS == 1 {
        // Two pixels are finished together.
        for p in (0..PIXELS).step_by(2) {
            let [codes, more] = finish[0].codes(sums[p][0], sums[(p + 1).min(PIXELS - 1)][0]);
            store(pixels, p * stride, all, &codes, &output);
            if p + 1 < PIXELS {
                store(pixels, (p + 1) * stride, all, &more, &output);
            }
        }
    } else {
        for (p, sums) in sums.iter().enumerate() {
            for q in (0..QUADS).step_by(2) {
                let codes = finish[q].codes(sums[q], sums[q + 1]);
                let codes = codes.as_flattened();
                store(pixels, p * stride + QUAD * q, all - QUAD * q, codes, &output);
            }
        }
    }
}

/// Stores codes from value `at` on, through the table: all, or as many as there are channels `left`.
#[inline(always)]
fn store(pixels: &mut [i8], at: usize, left: usize, codes: &[i8], output: &Output<'_>) {
    let Some(values) = pixels.get_mut(at..) else { return };
    /// A number of codes that the compiler knows.
    macro_rules! store {
        ($count:expr) => {
            if let (Some(values), Some(codes)) = (values.first_chunk_mut::<{ $count }>(), codes.first_chunk()) {
                *values = match output.table {
                    Some(table) => codes.map(|code: i8| table[usize::from((code as u8) ^ 0x80)]),
                    None => *codes,
                };
            }
        };
    }
    match left {
        // Images.
        1 => store!(1),
        3 => store!(3),
        _ if left >= codes.len() && codes.len() == OCTET => store!(OCTET),
        _ if left >= codes.len() => store!(QUAD),
        _ => {
            for (value, code) in values.iter_mut().zip(codes).take(left) {
                *value = output.table.map_or(*code, |table| table[usize::from((*code as u8) ^ 0x80)]);
            }
        }
    }
}

/// What makes the sums of two quads into codes, see `fixed::Output`.
#[derive(Clone, Copy)]
struct Finish {
    bias: __m256i,
    /// Of the even channels, in the low half of each pair; then those of the odd ones.
    multiplier: [__m256i; 2],
    /// ½ and the zero point, as high halves of a product.
    half: __m256i,
    low: __m128i,
    high: __m128i,
}

impl Finish {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(job: &Job<'_, i16>, a: usize, b: usize) -> Self {
        let channels = &job.channels;
        let bias = _mm256_set_m128i(some(channels.bias, b), some(channels.bias, a));
        let multiplier = _mm256_set_m128i(some(channels.multiplier, b), some(channels.multiplier, a));
        let output = &channels.output;
        Self {
            bias,
            multiplier: [multiplier, _mm256_srli_epi64::<32>(multiplier)],
            half: _mm256_set1_epi64x(super::half(output)),
            low: _mm_set1_epi8(output.low),
            high: _mm_set1_epi8(output.high),
        }
    }

    /// Codes before the table, from the sums of two quads.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn codes(&self, a: __m256i, b: __m256i) -> [[i8; QUAD]; 2] {
        // Channels 0 and 1 of a, of b, then channels 2 and 3.
        let sums = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(a, b));
        let sums = _mm256_add_epi32(sums, self.bias);
        let codes = requantize(sums, self.multiplier, self.half);
        // That codes saturate to 16 and to 8 bits before they are clamped makes no difference.
        let codes = _mm_packs_epi32(_mm256_castsi256_si128(codes), _mm256_extracti128_si256::<1>(codes));
        let codes = _mm_packs_epi16(codes, codes);
        let codes = _mm_min_epi8(_mm_max_epi8(codes, self.low), self.high);
        bytemuck::cast([_mm_cvtsi128_si32(codes), _mm_extract_epi32::<1>(codes)])
    }
}

/// The values of a quad, or zeros behind those that are there.
#[inline]
#[target_feature(enable = "avx2")]
fn some(words: &[i32], quad: usize) -> __m128i {
    let words = words.get(QUAD * quad..).unwrap_or(&[]);
    // SAFETY: the mask has only words that are there.
    unsafe { _mm_maskload_epi32(words.as_ptr(), up_to(words.len())) }
}

/// A mask of the first `count` words, of four at most.
#[inline]
#[target_feature(enable = "avx2")]
fn up_to(count: usize) -> __m128i {
    _mm_cmpgt_epi32(_mm_set1_epi32(count.min(QUAD) as i32), _mm_setr_epi32(0, 1, 2, 3))
}

/// `fixed::requantize` and the zero point: even and odd elements apart, for their products have 64 bits. There is a multiplier
/// for each, in the low half of a pair.
#[inline]
#[target_feature(enable = "avx2")]
fn requantize(sums: __m256i, multiplier: [__m256i; 2], half: __m256i) -> __m256i {
    let even = _mm256_mul_epi32(sums, multiplier[0]);
    let odd = _mm256_mul_epi32(_mm256_srli_epi64::<32>(sums), multiplier[1]);
    // No overflow: a product is at most 2⁶² in magnitude.
    let (even, odd) = (_mm256_add_epi64(even, half), _mm256_add_epi64(odd, half));
    _mm256_blend_epi32::<0xAA>(_mm256_srli_epi64::<32>(even), odd)
}
