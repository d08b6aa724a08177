//! AVX-512 VNNI: `vpdpbusd` multiplies 64 bytes and adds them to 16 sums, four products to each.
//!
//! It takes one side unsigned, so values are read as `x + 128`, which is `x` with its highest bit flipped, and what that adds
//! to a sum is taken off afterwards; the file has it. For 4 pixels and 4 quads at 16 values of the depth
//!
//! ```text
//! for q in 0..4:  w[q] = 64 weights of quad q                   4 loads
//! for p in 0..4:
//!     x = 16 values of pixel p, four times                      4 vbroadcasti32x4
//!     x = x ^ 0x80…                                             4 vpxord
//!     for q in 0..4:  sums[p][q] += x · w[q]                   16 vpdpbusd
//! ```
//!
//! which is 28 instructions and the end of the loop for 1024 products.

use core::arch::x86_64::*;

use super::{GROUP, Job, QUAD};

/// Makes pixels by tiles of 4 pixels × 4 quads, or of 16 pixels × 1 quad where few channels are left.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn windows(mut job: Job<'_>) {
    let mut quad = 0;
    while quad < job.quads() {
        if job.quads() - quad > 2 {
            tiles::<4, 4, 1, 16>(&mut job, quad);
            quad += 4;
        } else {
            tiles::<8, 1, 2, 4>(&mut job, quad);
            quad += 1;
        }
    }
}

/// Makes pixels by tiles of 1 pixel × 16 quads.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn vector(mut job: Job<'_>) {
    for quad in (0..job.quads()).step_by(16) {
        tiles::<1, 16, 1, 64>(&mut job, quad);
    }
}

/// Makes `QUADS` quads from quad `quad` on, or as many as there are, of all pixels. A tile has 16 vectors of sums: those of
/// `PARTS` times `PIXELS` pixels. `WIDTH` is `QUAD · QUADS`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn tiles<const PIXELS: usize, const QUADS: usize, const PARTS: usize, const WIDTH: usize>(
    job: &mut Job<'_>,
    quad: usize,
) {
    const { assert!(PARTS * PIXELS * QUADS == 16 && PARTS <= 2 && WIDTH == QUAD * QUADS) }
    let finish = Finish::new::<QUADS>(job, quad);
    for first in (0..job.count).step_by(PARTS * PIXELS) {
        let part_0 = sums::<PIXELS, QUADS>(job, first, quad);
        let more = PARTS > 1 && first + PIXELS < job.count;
        let part_1 = if more { sums::<PIXELS, QUADS>(job, first + PIXELS, quad) } else { part_0 };
        let mut sums = [[_mm512_setzero_si512(); 4]; 4];
        for i in 0..16 {
            let (pixel, quad) = (i / QUADS, i % QUADS);
            sums[i / 4][i % 4] = if pixel < PIXELS { part_0[pixel][quad] } else { part_1[pixel - PIXELS][quad] };
        }
        let mut codes = [0; 64];
        // SAFETY: 64 bytes.
        unsafe { _mm512_storeu_si512(codes.as_mut_ptr().cast(), finish.codes(sums)) };
        job.store::<WIDTH>(first, QUAD * quad, codes.as_chunks().0);
    }
}

/// The sums of `PIXELS` pixels with `QUADS` quads, without bias: in lane `c` of a vector four parts of the sum of channel
/// `c` of the quad. Beyond the last pixel and the last quad, that one is taken again.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn sums<const PIXELS: usize, const QUADS: usize>(
    job: &Job<'_>,
    pixel: usize,
    quad: usize,
) -> [[__m512i; QUADS]; PIXELS] {
    let (pixels, quads) = (job.pixel_starts::<PIXELS>(pixel), job.quad_starts::<QUADS>(quad));
    let flip = _mm512_set1_epi8(-128);
    let mut sums = [[_mm512_setzero_si512(); QUADS]; PIXELS];
    let mut at = 0;
    for lane in job.lanes {
        for i in (0..job.run).step_by(GROUP) {
            let mut w = [flip; QUADS];
            for q in 0..QUADS {
                // SAFETY: a quad has `QUAD · GROUP` weights for each group of the lanes, as `Job::new` saw.
                w[q] = unsafe { _mm512_loadu_si512(job.weights.as_ptr().add(quads[q] + at).cast()) };
            }
            for p in 0..PIXELS {
                // SAFETY: a lane has `run` values from the start of each pixel on, a multiple of `GROUP`, as `Job::new` saw.
                let x = unsafe { _mm_loadu_si128(job.values.as_ptr().add(lane + pixels[p] + i).cast()) };
                let x = _mm512_xor_si512(_mm512_broadcast_i32x4(x), flip);
                for q in 0..QUADS {
                    sums[p][q] = _mm512_dpbusd_epi32(sums[p][q], x, w[q]);
                }
            }
            at += QUAD * GROUP;
        }
    }
    sums
}

/// What makes sums into codes, see `fixed::Output`: for the sums of each four vectors, element `i` of lane `c` for channel
/// `c` of vector `i`.
struct Finish {
    bias: [__m512i; 4],
    multiplier: [__m512i; 4],
    zero_point: __m512i,
    low: __m512i,
    high: __m512i,
    /// [`transposed`], hidden from the compiler, which would make five shuffles of two.
    order: __m512i,
}

impl Finish {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn new<const QUADS: usize>(job: &Job<'_>, quad: usize) -> Self {
        let (channels, first) = (&job.channels, QUAD * quad);
        let order =
            if QUADS == 1 { _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3) } else { transposed() };
        let (mut bias, mut multiplier) = ([_mm512_setzero_si512(); 4], [_mm512_setzero_si512(); 4]);
        for i in 0..4 {
            let first = if QUADS == 16 { first + 16 * i } else { first };
            let left = channels.bias.len().saturating_sub(first).min(16);
            let mask = ((1u32 << left) - 1) as u16;
            // SAFETY: the mask has only channels that are there; the addresses of others are not read.
            let words = unsafe {
                [channels.bias.as_ptr(), job.lows(), channels.multiplier.as_ptr()]
                    .map(|words| _mm512_maskz_loadu_epi32(mask, words.wrapping_add(first)))
            };
            bias[i] = _mm512_permutexvar_epi32(order, _mm512_add_epi32(words[0], words[1]));
            multiplier[i] = _mm512_permutexvar_epi32(order, words[2]);
        }
        let output = &channels.output;
        Self {
            bias,
            multiplier,
            zero_point: _mm512_set1_epi32(i32::from(output.zero_point)),
            low: _mm512_set1_epi8(output.low),
            high: _mm512_set1_epi8(output.high),
            order: core::hint::black_box(transposed()),
        }
    }

    /// Codes before the table: byte `c` of element `i` of lane `v` is channel `c` of vector `sums[v][i]`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn codes(&self, sums: [[__m512i; 4]; 4]) -> __m512i {
        let mut codes = [_mm512_setzero_si512(); 4];
        for v in 0..4 {
            let sums = _mm512_add_epi32(transposed_sums(sums[v]), self.bias[v]);
            codes[v] = _mm512_add_epi32(requantize(sums, self.multiplier[v]), self.zero_point);
        }
        // That codes saturate to 16 and to 8 bits before they are clamped makes no difference.
        let [a, b, c, d] = codes;
        let codes = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
        let codes = _mm512_min_epi8(_mm512_max_epi8(codes, self.low), self.high);
        // Byte i of element v of lane c comes to byte c of element i of lane v.
        let codes = _mm512_permutexvar_epi32(self.order, codes);
        let bytes = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        _mm512_shuffle_epi8(codes, _mm512_broadcast_i32x4(bytes))
    }
}

/// Element `i` of lane `c` from element `c` of lane `i`.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed() -> __m512i {
    _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)
}

/// Adds the four parts of each sum: lane `c` of vector `i` becomes element `i` of lane `c`.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed_sums([a, b, c, d]: [__m512i; 4]) -> __m512i {
    let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd))
}

/// `fixed::requantize`: even and odd elements apart, for their products have 64 bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn requantize(sums: __m512i, multiplier: __m512i) -> __m512i {
    let half = _mm512_set1_epi64(1 << 31);
    let even = _mm512_mul_epi32(sums, multiplier);
    let odd = _mm512_mul_epi32(_mm512_srli_epi64::<32>(sums), _mm512_srli_epi64::<32>(multiplier));
    let (even, odd) = (_mm512_add_epi64(even, half), _mm512_add_epi64(odd, half));
    _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64::<32>(even), odd)
}
