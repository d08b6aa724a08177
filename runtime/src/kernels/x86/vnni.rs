//! AVX-512 VNNI: `vpdpbusd` multiplies 64 bytes and adds them to 16 sums, four products to each.
//!
//! It takes one side unsigned, so values are read as `x + 128`, which is `x` with its highest bit flipped, and the weights'
//! sums times 128 are taken off afterwards; the file has them. For 4 pixels and 16 channels at 16 values of the depth
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
use core::ptr;

use super::{GROUP, Job, QUAD, looked_up};

/// Makes the pixels, `WIDE` at a time with 16 channels and `NARROW` at a time with four.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn run<const WIDE: usize, const NARROW: usize>(mut job: Job<'_>) {
    let all = job.channels.bias.len();
    let mut channel = 0;
    while channel + 4 * QUAD <= all {
        // SAFETY: these 16 channels are there.
        unsafe { sixteen::<WIDE>(&mut job, channel) };
        channel += 4 * QUAD;
    }
    while channel < all {
        // SAFETY: this channel is there.
        unsafe { four::<NARROW>(&mut job, channel) };
        channel += QUAD;
    }
}

/// Channels `channel .. channel + 16` of all pixels.
///
/// # Safety
///
/// The job has these channels; `channel` is a multiple of four.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn sixteen<const PIXELS: usize>(job: &mut Job<'_>, channel: usize) {
    let quad = channel / QUAD;
    // SAFETY: there are 16 channels of both from here on, and 16 of the quads' sums.
    let (bias, multiplier) = unsafe {
        let bias = _mm512_loadu_si512(job.channels.bias.as_ptr().add(channel).cast());
        let lows = _mm512_loadu_si512(job.lows(quad).cast());
        (_mm512_add_epi32(bias, lows), _mm512_loadu_si512(job.channels.multiplier.as_ptr().add(channel).cast()))
    };
    let finish = Finish::new(job, bias, multiplier);
    for first in (0..job.count).step_by(PIXELS) {
        // SAFETY: the quads of these channels are there.
        let sums = unsafe { sums::<PIXELS, 4>(job, quad, first) };
        for (pixel, &sums) in sums.iter().enumerate() {
            if first + pixel >= job.count {
                break;
            }
            let codes = finish.codes(transposed_sums(sums));
            let codes = looked_up(&job.channels.output, bytes(codes));
            // SAFETY: the pixel has these channels, as `Job::new` saw.
            unsafe {
                let to = job.pixels.as_mut_ptr().add((first + pixel) * job.stride + channel);
                ptr::write_unaligned(to.cast(), codes);
            }
        }
    }
}

/// Channels `channel .. channel + 4`, or as many as there are, of all pixels.
///
/// # Safety
///
/// The job has the first of them; `channel` is a multiple of four.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn four<const PIXELS: usize>(job: &mut Job<'_>, channel: usize) {
    let quad = channel / QUAD;
    let [bias, multiplier] = job.quad(channel);
    // SAFETY: arrays of 16 bytes; and there is a sum for each channel of the quad.
    let (bias, multiplier) = unsafe {
        let bias = _mm_add_epi32(_mm_loadu_si128(bias.as_ptr().cast()), _mm_loadu_si128(job.lows(quad).cast()));
        (bias, _mm_loadu_si128(multiplier.as_ptr().cast()))
    };
    let finish = Finish::new(job, _mm512_broadcast_i32x4(bias), _mm512_broadcast_i32x4(multiplier));
    for first in (0..job.count).step_by(PIXELS) {
        // SAFETY: the quad of this channel is there.
        let sums = unsafe { sums::<PIXELS, 1>(job, quad, first) };
        // Four pixels are finished together.
        for part in (0..PIXELS).step_by(4) {
            let sum = |pixel: usize| sums[(part + pixel).min(PIXELS - 1)][0];
            let codes = finish.codes(transposed_sums([sum(0), sum(1), sum(2), sum(3)]));
            let codes = looked_up(&job.channels.output, bytes(codes));
            for pixel in 0..PIXELS.min(4) {
                if first + part + pixel < job.count {
                    let codes: [i8; 4] = core::array::from_fn(|i| codes[4 * pixel + i]);
                    let codes = u32::from_le_bytes(codes.map(|code| code as u8));
                    job.store(first + part + pixel, channel, codes);
                }
            }
        }
    }
}

/// The sums of `PIXELS` pixels with `QUADS` quads, without bias: in lane `c` of a vector four parts of the sum of channel
/// `c` of the quad.
///
/// # Safety
///
/// The job has the first channel of the last of these quads.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn sums<const PIXELS: usize, const QUADS: usize>(
    job: &Job<'_>,
    quad: usize,
    first: usize,
) -> [[__m512i; QUADS]; PIXELS] {
    let starts = job.starts::<PIXELS>(first);
    let flip = _mm512_set1_epi8(-128);
    let mut sums = [[_mm512_setzero_si512(); QUADS]; PIXELS];
    // SAFETY: all of it was checked by `Job::new`: each lane has `run` values from each start on, `run` is a multiple of
    // GROUP, and a quad has QUAD · GROUP weights for each GROUP values of the lanes.
    unsafe {
        let mut weights = job.weights.as_ptr().add(quad * job.next);
        for lane in job.lanes {
            let mut at = 0;
            while at < job.run {
                let mut w = [_mm512_setzero_si512(); QUADS];
                for q in 0..QUADS {
                    w[q] = _mm512_loadu_si512(weights.add(q * job.next).cast());
                }
                for p in 0..PIXELS {
                    let x = _mm_loadu_si128(lane.as_ptr().add(starts[p] + at).cast());
                    let x = _mm512_xor_si512(_mm512_broadcast_i32x4(x), flip);
                    for q in 0..QUADS {
                        sums[p][q] = _mm512_dpbusd_epi32(sums[p][q], x, w[q]);
                    }
                }
                weights = weights.add(QUAD * GROUP);
                at += GROUP;
            }
        }
    }
    sums
}

/// Adds the four parts of each sum: lane `c` of vector `v` becomes element `4·v + c`.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed_sums([a, b, c, d]: [__m512i; 4]) -> __m512i {
    let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    let sums = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    _mm512_permutexvar_epi32(order, sums)
}

/// The bytes of a vector.
#[inline]
#[target_feature(enable = "avx512f")]
fn bytes(codes: __m128i) -> [i8; 16] {
    // SAFETY: both are 16 bytes of anything.
    unsafe { core::mem::transmute(codes) }
}

/// What makes 16 sums into codes: see `fixed::Output`.
#[derive(Clone, Copy)]
struct Finish {
    bias: __m512i,
    even: __m512i,
    odd: __m512i,
    zero_point: __m512i,
    low: __m128i,
    high: __m128i,
}

impl Finish {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(job: &Job<'_>, bias: __m512i, multiplier: __m512i) -> Self {
        let output = &job.channels.output;
        Self {
            bias,
            even: multiplier,
            odd: _mm512_srli_epi64::<32>(multiplier),
            zero_point: _mm512_set1_epi32(i32::from(output.zero_point)),
            low: _mm_set1_epi8(output.low),
            high: _mm_set1_epi8(output.high),
        }
    }

    /// Codes without the table. That they saturate to int8 before they are clamped makes no difference.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn codes(&self, sums: __m512i) -> __m128i {
        let half = _mm512_set1_epi64(1 << 31);
        let sums = _mm512_add_epi32(sums, self.bias);
        let even = _mm512_add_epi64(_mm512_mul_epi32(sums, self.even), half);
        let odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64::<32>(sums), self.odd), half);
        let rounded = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64::<32>(even), odd);
        let codes = _mm512_cvtsepi32_epi8(_mm512_add_epi32(rounded, self.zero_point));
        _mm_min_epi8(_mm_max_epi8(codes, self.low), self.high)
    }
}
