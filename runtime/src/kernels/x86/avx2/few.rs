//! Sums and codes of one to four channels, see [`few`]: 16 pixels are two vectors.
//!
//! A word of four values becomes two words of two values of 16 bits, the even ones and the odd ones, in three shifts for all
//! channels. The weights are taken apart in the same way before the first pixel.

use core::arch::x86_64::*;

use super::super::few::{self, CHANNELS, Codes, Planes};
use super::super::{GROUP, Job};

/// Vectors that the pixels of [`few`] take.
const HALVES: usize = 2;
/// Words that the weights of all channels take at four values of the depth.
const APART: usize = 2 * CHANNELS;

/// Makes all pixels; `false` where [`few::rows`] cannot.
#[target_feature(enable = "avx2")]
pub(super) fn windows(job: &mut Job<'_, i8>, scratch: &mut [i8]) -> bool {
    if !few::fits(job) {
        return false;
    }
    let groups = job.lanes.len() * job.run / GROUP;
    let Some((weights, planes)) = scratch.split_at_mut_checked(4 * APART * groups) else { return false };
    let mask = super::up_to(job.tile);
    for (from, to) in job.weights.chunks_exact(job.tile * GROUP).zip(weights.chunks_exact_mut(4 * APART)) {
        // SAFETY: the mask has only words of `from`, and `to` has 32 bytes.
        unsafe {
            let (even, odd) = apart(_mm256_castsi128_si256(_mm_maskload_epi32(from.as_ptr().cast(), mask)));
            let (even, odd) = (_mm256_castsi256_si128(even), _mm256_castsi256_si128(odd));
            _mm_storeu_si128(to.as_mut_ptr().cast(), even);
            _mm_storeu_si128(to.as_mut_ptr().add(4 * CHANNELS).cast(), odd);
        }
    }
    match job.channels.bias.len() {
        1 => channels::<1>(job, planes, weights),
        2 => channels::<2>(job, planes, weights),
        3 => channels::<3>(job, planes, weights),
        4 => channels::<4>(job, planes, weights),
        _ => false,
    }
}

/// The even and the odd bytes of each word, as 16 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn apart(words: __m256i) -> (__m256i, __m256i) {
    (_mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(words)), _mm256_srai_epi16::<8>(words))
}

/// `COUNT` channels.
#[target_feature(enable = "avx2")]
fn channels<const COUNT: usize>(job: &mut Job<'_, i8>, scratch: &mut [i8], weights: &[i8]) -> bool {
    few::rows(
        job,
        scratch,
        0,
        |job, planes, codes| {
            for (vector, codes) in codes.iter_mut().enumerate() {
                codes_of::<COUNT>(job, planes, weights, vector, codes);
            }
        },
        few::store,
    )
}

/// The codes of the 16 pixels of a vector.
#[target_feature(enable = "avx2")]
fn codes_of<const COUNT: usize>(
    job: &Job<'_, i8>,
    planes: Planes<'_>,
    weights: &[i8],
    vector: usize,
    codes: &mut Codes,
) {
    if weights.len() < 4 * APART * (job.lanes.len() * job.run / GROUP) {
        return;
    }
    let Planes { words: all, pitch, .. } = planes;
    let mut sums = [[_mm256_setzero_si256(); HALVES]; COUNT];
    let mut weights = weights.as_ptr();
    let Some(mut lane) = planes.start(vector, job.lanes.len()) else { return };
    for _ in job.lanes {
        let mut left = job.run / GROUP;
        let mut tap = lane;
        while left > 0 {
            let words = left.min(all);
            let mut x = tap;
            for _ in 0..words {
                // SAFETY: as `Planes::start` says.
                let values = unsafe { [_mm256_loadu_si256(x.cast()), _mm256_loadu_si256(x.wrapping_add(32).cast())] };
                let (low, high) = (apart(values[0]), apart(values[1]));
                for (channel, sums) in sums.iter_mut().enumerate() {
                    let w = weights.cast::<i32>().wrapping_add(channel);
                    // SAFETY: there are `APART` words for each group of the lanes, as seen above.
                    let [even, odd] = unsafe { [w.read_unaligned(), w.wrapping_add(CHANNELS).read_unaligned()] };
                    let (even, odd) = (_mm256_set1_epi32(even), _mm256_set1_epi32(odd));
                    for (sum, x) in sums.iter_mut().zip([low, high]) {
                        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(x.0, even));
                        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(x.1, odd));
                    }
                }
                weights = weights.wrapping_add(4 * APART);
                x = x.wrapping_add(GROUP * pitch);
            }
            tap = tap.wrapping_add(GROUP);
            left -= words;
        }
        lane = lane.wrapping_add(GROUP * all * pitch);
    }
    let output = &job.channels.output;
    let half = _mm256_set1_epi64x(super::super::half(output));
    let (low, high) = (_mm_set1_epi8(output.low), _mm_set1_epi8(output.high));
    let channels = job.channels.bias.iter().zip(job.channels.multiplier);
    for ((sums, (&bias, &multiplier)), codes) in sums.into_iter().zip(channels).zip(codes) {
        let (bias, multiplier) = (_mm256_set1_epi32(bias), [_mm256_set1_epi32(multiplier); 2]);
        let a = super::requantize(_mm256_add_epi32(sums[0], bias), multiplier, half);
        let b = super::requantize(_mm256_add_epi32(sums[1], bias), multiplier, half);
        // That codes saturate to 16 and to 8 bits before they are clamped makes no difference.
        let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(a, b));
        let bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
        let bytes = _mm_min_epi8(_mm_max_epi8(bytes, low), high);
        // SAFETY: 16 bytes.
        unsafe { _mm_storeu_si128(codes.as_mut_ptr().cast(), bytes) };
    }
}
