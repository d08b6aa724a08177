//! AVX2: `vpmaddubsw` multiplies 32 bytes and adds pairs of products in 16 bits.
//!
//! It takes one side unsigned, and pairs that do not fit 16 bits saturate. Neither matters here, since
//!
//! ```text
//! x · w = |x| · (w · sign x)         and         |x|, |w| ≤ 127:  2 · 127 · 127 = 32258 < 2¹⁵
//! ```
//!
//! For 4 pixels and a quad at 16 values of the depth, that makes
//!
//! ```text
//! for h in 0..2:  w[h] = 32 weights of half h of the quad       2 loads
//! for p in 0..4:
//!     x = 16 values of pixel p, twice                           4 vbroadcasti128
//!     a = |x|                                                   4 vpabsb
//!     for h in 0..2:
//!         s = w[h] · sign x                                     8 vpsignb
//!         t = a · s, pairs added                                8 vpmaddubsw
//!         sums[p][h] += t, pairs added                          8 vpmaddwd by 1, 8 vpaddd
//! ```
//!
//! which is 42 instructions and the end of the loop for 256 products.

use core::arch::x86_64::*;

use super::{GROUP, Job, QUAD};

/// Makes pixels by tiles of 4 pixels × 1 quad.
#[target_feature(enable = "avx2")]
pub(super) fn windows(mut job: Job<'_>) {
    for quad in 0..job.quads() {
        tiles::<4, 1, 4>(&mut job, quad);
    }
}

/// Makes pixels by tiles of 1 pixel × 4 quads.
#[target_feature(enable = "avx2")]
pub(super) fn vector(mut job: Job<'_>) {
    for quad in (0..job.quads()).step_by(4) {
        tiles::<1, 4, 16>(&mut job, quad);
    }
}

/// Makes `QUADS` quads from quad `quad` on, or as many as there are, of all pixels. A tile has the sums of four pairs of
/// pixel and quad. `WIDTH` is `QUAD · QUADS`.
#[target_feature(enable = "avx2")]
fn tiles<const PIXELS: usize, const QUADS: usize, const WIDTH: usize>(job: &mut Job<'_>, quad: usize) {
    const { assert!(PIXELS * QUADS == 4 && WIDTH == QUAD * QUADS) }
    let finish = Finish::new::<QUADS, WIDTH>(job, quad);
    for first in (0..job.count).step_by(PIXELS) {
        let sums = sums::<PIXELS, QUADS>(job, first, quad);
        let mut codes = [0; 16];
        // SAFETY: 16 bytes.
        unsafe { _mm_storeu_si128(codes.as_mut_ptr().cast(), finish.codes(sums)) };
        job.store::<WIDTH>(first, QUAD * quad, codes.as_chunks().0);
    }
}

/// The sums of `PIXELS` pixels with `QUADS` quads, without bias: in lane `c` of vector `[i][h]` four parts of the sum of
/// channel `2·h + c` of pair `i` of pixel and quad. Beyond the last pixel and the last quad, that one is taken again.
#[inline]
#[target_feature(enable = "avx2")]
fn sums<const PIXELS: usize, const QUADS: usize>(job: &Job<'_>, pixel: usize, quad: usize) -> [[__m256i; 2]; 4] {
    let (pixels, quads) = (job.pixel_starts::<PIXELS>(pixel), job.quad_starts::<QUADS>(quad));
    let one = _mm256_set1_epi16(1);
    let mut sums = [[_mm256_setzero_si256(); 2]; 4];
    let mut at = 0;
    for lane in job.lanes {
        for i in (0..job.run).step_by(GROUP) {
            for pair in 0..4 {
                // SAFETY: a lane has `run` values from the start of each pixel on, a multiple of `GROUP`, as `Job::new` saw.
                let x = unsafe { _mm_loadu_si128(job.values.as_ptr().add(lane + pixels[pair / QUADS] + i).cast()) };
                let x = _mm256_broadcastsi128_si256(x);
                let magnitude = _mm256_abs_epi8(x);
                for (h, sums) in sums[pair].iter_mut().enumerate() {
                    // SAFETY: a quad has `QUAD · GROUP` weights for each group of the lanes, as `Job::new` saw.
                    let w = unsafe {
                        let half = job.weights.as_ptr().add(quads[pair % QUADS] + at + 2 * GROUP * h);
                        _mm256_loadu_si256(half.cast())
                    };
                    let products = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(w, x));
                    *sums = _mm256_add_epi32(*sums, _mm256_madd_epi16(products, one));
                }
            }
            at += QUAD * GROUP;
        }
    }
    sums
}

/// What makes sums into codes, see `fixed::Output`: for half `h` of the quads, element `i` of lane `c` for channel
/// `2·h + c` of pair `i`.
struct Finish {
    bias: [__m256i; 2],
    multiplier: [__m256i; 2],
    zero_point: __m256i,
    low: __m128i,
    high: __m128i,
}

impl Finish {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new<const QUADS: usize, const WIDTH: usize>(job: &Job<'_>, quad: usize) -> Self {
        let (channels, first) = (&job.channels, QUAD * quad);
        let output = &channels.output;
        Self {
            bias: ordered::<QUADS>(&some::<WIDTH>(channels.bias, first)),
            multiplier: ordered::<QUADS>(&some::<WIDTH>(channels.multiplier, first)),
            zero_point: _mm256_set1_epi32(i32::from(output.zero_point)),
            low: _mm_set1_epi8(output.low),
            high: _mm_set1_epi8(output.high),
        }
    }

    /// Codes before the table: byte `c` of element `i` is channel `c` of pair `i`.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn codes(&self, [a, b, c, d]: [[__m256i; 2]; 4]) -> __m128i {
        let mut codes = [_mm256_setzero_si256(); 2];
        for h in 0..2 {
            let sums = _mm256_add_epi32(transposed_sums([a[h], b[h], c[h], d[h]]), self.bias[h]);
            codes[h] = _mm256_add_epi32(requantize(sums, self.multiplier[h]), self.zero_point);
        }
        // That codes saturate to 16 and to 8 bits before they are clamped makes no difference.
        let codes = _mm256_packs_epi32(codes[0], codes[1]);
        let codes = _mm_packs_epi16(_mm256_castsi256_si128(codes), _mm256_extracti128_si256::<1>(codes));
        let codes = _mm_min_epi8(_mm_max_epi8(codes, self.low), self.high);
        // The four pairs of channel 0, then those of channels 2, 1 and 3.
        _mm_shuffle_epi8(codes, _mm_setr_epi8(0, 8, 4, 12, 1, 9, 5, 13, 2, 10, 6, 14, 3, 11, 7, 15))
    }
}

/// The values from `first` on, then zeros.
fn some<const COUNT: usize>(all: &[i32], first: usize) -> [i32; COUNT] {
    let values = all.get(first..).unwrap_or(&[]);
    let mut some = [0; COUNT];
    match values.first_chunk() {
        Some(whole) => some = *whole,
        None => some.iter_mut().zip(values).for_each(|(to, from)| *to = *from),
    }
    some
}

/// The values of `QUADS` quads in the order of [`Finish`].
#[inline]
#[target_feature(enable = "avx2")]
fn ordered<const QUADS: usize>(values: &[i32]) -> [__m256i; 2] {
    let mut ordered = [_mm256_setzero_si256(); 2];
    for h in 0..2 {
        let mut half = [0; 8];
        for (place, value) in half.iter_mut().enumerate() {
            let (c, i) = (place / 4, place % 4);
            *value = values[i % QUADS * QUAD + 2 * h + c];
        }
        // SAFETY: 32 bytes.
        ordered[h] = unsafe { _mm256_loadu_si256(half.as_ptr().cast()) };
    }
    ordered
}

/// Adds the four parts of each sum: lane `c` of vector `i` becomes element `i` of lane `c`.
#[inline]
#[target_feature(enable = "avx2")]
fn transposed_sums([a, b, c, d]: [__m256i; 4]) -> __m256i {
    let ab = _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let cd = _mm256_add_epi32(_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
    _mm256_add_epi32(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd))
}

/// `fixed::requantize`: even and odd elements apart, for their products have 64 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn requantize(sums: __m256i, multiplier: __m256i) -> __m256i {
    let half = _mm256_set1_epi64x(1 << 31);
    let even = _mm256_mul_epi32(sums, multiplier);
    let odd = _mm256_mul_epi32(_mm256_srli_epi64::<32>(sums), _mm256_shuffle_epi32::<0xF5>(multiplier));
    let (even, odd) = (_mm256_add_epi64(even, half), _mm256_add_epi64(odd, half));
    _mm256_blend_epi32::<0xAA>(_mm256_srli_epi64::<32>(even), odd)
}
