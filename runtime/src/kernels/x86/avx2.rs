//! AVX2: `vpmaddubsw` multiplies 32 bytes and adds pairs of products in 16 bits.
//!
//! It takes one side unsigned, and pairs that do not fit 16 bits saturate. Both are no matter here, since
//!
//! ```text
//! x · w = |x| · (w · sign x)         and         |x|, |w| ≤ 127:  2 · 127 · 127 = 32258 < 2¹⁵
//! ```
//!
//! For 4 pixels and 4 channels at 16 values of the depth, that makes
//!
//! ```text
//! for h in 0..2:  w[h] = 32 weights of half h of the quad       2 loads
//! for p in 0..4:
//!     x = 16 values of pixel p, twice                           4 vbroadcasti128
//!     a = |x|                                                   4 vpabsb
//!     for h in 0..2:
//!         s = w[h] · sign x                                     8 vpsignb
//!         t = a · s, pairs added                                8 vpmaddubsw
//!         sums[p][h] += pairs of t added                        8 vpmaddwd by 1, 8 vpaddd
//! ```
//!
//! which is 42 instructions and the end of the loop for 256 products.

use core::arch::x86_64::*;

use super::{GROUP, Job, QUAD, looked_up};

/// Makes the pixels, `PIXELS` at a time.
#[target_feature(enable = "avx2")]
pub(super) fn run<const PIXELS: usize>(mut job: Job<'_>) {
    for channel in (0..job.channels.bias.len()).step_by(QUAD) {
        // SAFETY: this channel is there.
        unsafe { four::<PIXELS>(&mut job, channel) };
    }
}

/// Channels `channel .. channel + 4`, or as many as there are, of all pixels.
///
/// # Safety
///
/// The job has the first of them; `channel` is a multiple of four.
#[target_feature(enable = "avx2")]
unsafe fn four<const PIXELS: usize>(job: &mut Job<'_>, channel: usize) {
    let [bias, multiplier] = job.quad(channel);
    let finish = [0, 2].map(|half| [half, half + 1].map(|channel| (bias[channel], multiplier[channel])));
    let finish = [Finish::new(finish[0]), Finish::new(finish[1])];
    let output = job.channels.output;
    let zero_point = _mm256_set1_epi32(i32::from(output.zero_point));
    let (low, high) = (_mm_set1_epi8(output.low), _mm_set1_epi8(output.high));
    // Channels 0, 2 of four pixels, then channels 1, 3.
    let order = _mm_setr_epi8(0, 8, 4, 12, 1, 9, 5, 13, 2, 10, 6, 14, 3, 11, 7, 15);

    for first in (0..job.count).step_by(PIXELS) {
        // SAFETY: the quad of this channel is there.
        let sums = unsafe { sums::<PIXELS>(job, channel / QUAD, first) };
        let half = |h: usize| {
            let sum = |pixel: usize| sums[pixel.min(PIXELS - 1)][h];
            [sum(0), sum(1), sum(2), sum(3)]
        };
        let a = _mm256_add_epi32(finish[0].requantize(transposed_sums(half(0))), zero_point);
        let b = _mm256_add_epi32(finish[1].requantize(transposed_sums(half(1))), zero_point);
        // Saturation to 16 and to 8 bits before the clamp makes no difference.
        let both = _mm256_packs_epi32(a, b);
        let codes = _mm_packs_epi16(_mm256_castsi256_si128(both), _mm256_extracti128_si256::<1>(both));
        let codes = _mm_shuffle_epi8(_mm_min_epi8(_mm_max_epi8(codes, low), high), order);
        // SAFETY: both are 16 bytes of anything.
        let codes: [i8; 16] = unsafe { core::mem::transmute(codes) };
        let codes = looked_up(&output, codes);
        for pixel in 0..PIXELS {
            if first + pixel < job.count {
                let codes: [i8; 4] = core::array::from_fn(|i| codes[4 * pixel + i]);
                job.store(first + pixel, channel, u32::from_le_bytes(codes.map(|code| code as u8)));
            }
        }
    }
}

/// The sums of `PIXELS` pixels with a quad, without bias: in lane `c` of vector `h` four parts of the sum of channel
/// `2·h + c` of the quad.
///
/// # Safety
///
/// The job has the first channel of this quad.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn sums<const PIXELS: usize>(job: &Job<'_>, quad: usize, first: usize) -> [[__m256i; 2]; PIXELS] {
    let starts = job.starts::<PIXELS>(first);
    let one = _mm256_set1_epi16(1);
    let mut sums = [[_mm256_setzero_si256(); 2]; PIXELS];
    // SAFETY: all of it was checked by `Job::new`: each lane has `run` values from each start on, `run` is a multiple of
    // GROUP, and a quad has QUAD · GROUP weights for each GROUP values of the lanes.
    unsafe {
        let mut weights = job.weights.as_ptr().add(quad * job.next);
        for lane in job.lanes {
            let mut at = 0;
            while at < job.run {
                let w = [_mm256_loadu_si256(weights.cast()), _mm256_loadu_si256(weights.add(2 * GROUP).cast())];
                for p in 0..PIXELS {
                    let x = _mm_loadu_si128(lane.as_ptr().add(starts[p] + at).cast());
                    let x = _mm256_broadcastsi128_si256(x);
                    let a = _mm256_abs_epi8(x);
                    for h in 0..2 {
                        let pairs = _mm256_maddubs_epi16(a, _mm256_sign_epi8(w[h], x));
                        sums[p][h] = _mm256_add_epi32(sums[p][h], _mm256_madd_epi16(pairs, one));
                    }
                }
                weights = weights.add(QUAD * GROUP);
                at += GROUP;
            }
        }
    }
    sums
}

/// Adds the four parts of each sum: element `v` of lane `c` is from lane `c` of vector `v`.
#[inline]
#[target_feature(enable = "avx2")]
fn transposed_sums([a, b, c, d]: [__m256i; 4]) -> __m256i {
    let ab = _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let cd = _mm256_add_epi32(_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
    _mm256_add_epi32(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd))
}

/// Biases and multipliers of two channels, one in each lane.
#[derive(Clone, Copy)]
struct Finish {
    bias: __m256i,
    multiplier: __m256i,
}

impl Finish {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new([(bias_0, multiplier_0), (bias_1, multiplier_1)]: [(i32, i32); 2]) -> Self {
        Self {
            bias: _mm256_set_m128i(_mm_set1_epi32(bias_1), _mm_set1_epi32(bias_0)),
            multiplier: _mm256_set_m128i(_mm_set1_epi32(multiplier_1), _mm_set1_epi32(multiplier_0)),
        }
    }

    /// `fixed::requantize` of the sums with the bias.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn requantize(&self, sums: __m256i) -> __m256i {
        let half = _mm256_set1_epi64x(1 << 31);
        let sums = _mm256_add_epi32(sums, self.bias);
        // The multiplier is the same in even and odd elements.
        let even = _mm256_add_epi64(_mm256_mul_epi32(sums, self.multiplier), half);
        let odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64::<32>(sums), self.multiplier), half);
        _mm256_blend_epi32::<0xAA>(_mm256_srli_epi64::<32>(even), odd)
    }
}
