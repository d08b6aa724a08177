//! One channel with long runs, which grey images have: a vector holds 64 values of a pixel.
//!
//! ```text
//! for each 16 pixels p
//!     for each lane, for each 64 values of it
//!         sums[p][0..16] += (64 values of p ^ 0x80…) · 64 weights
//!     sum[p] = bias + the 16 sums of the pixel                  30 shuffles and 15 additions for 16 pixels
//! ```
//!
//! Compared with [planes](super::super::few), that saves to take the values apart, and costs those shuffles instead: less, where a
//! vector is nearly full.

use core::arch::x86_64::*;

use super::super::Job;
use super::super::few::{Codes, PIXELS};
use super::few::Finish;

/// Values of a vector.
const VECTOR: usize = 64;
/// The least run that is worth a vector.
const LEAST: usize = 48;

/// Makes all pixels; `false` where runs are too short. `store` puts the codes of some pixels into the output.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn windows<'a>(
    job: &mut Job<'a, i8>,
    mut store: impl FnMut(&mut Job<'a, i8>, usize, usize, &[Codes]),
) -> bool {
    if job.tile != 1 || job.run < LEAST {
        return false;
    }
    let finish = Finish::new(job, 0);
    for first in (0..job.count).step_by(PIXELS) {
        let sums = sums(job, first);
        let mut codes = Codes::default();
        // SAFETY: 16 bytes.
        unsafe { _mm_storeu_si128(codes[0].as_mut_ptr().cast(), finish.codes(sums)) };
        store(job, first, PIXELS.min(job.count - first), &[codes]);
    }
    true
}

/// The sums of 16 pixels from pixel `first` on, without bias. Beyond the last pixel, that one is taken again.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn sums(job: &Job<'_, i8>, first: usize) -> __m512i {
    // Hidden from the compiler, see `super::block`.
    let flip = core::hint::black_box(_mm512_set1_epi8(-128));
    let mut sums = [[_mm512_setzero_si512(); 4]; PIXELS / 4];
    for (lane, weights) in job.lanes.iter().zip(job.weights.chunks_exact(job.run)) {
        for i in (0..job.run).step_by(VECTOR) {
            let mask = u64::MAX >> (VECTOR - (job.run - i).min(VECTOR));
            // SAFETY: the mask has only values of the run.
            let w = unsafe { _mm512_maskz_loadu_epi8(mask, weights.as_ptr().wrapping_add(i)) };
            for (p, sum) in sums.as_flattened_mut().iter_mut().enumerate() {
                let from = (first + p).min(job.count - 1) * job.step + i;
                // SAFETY: the mask has only values of the run, and a lane has those of each pixel, as `Job::new` saw.
                let x = unsafe { _mm512_maskz_loadu_epi8(mask, lane.as_ptr().wrapping_add(from)) };
                *sum = _mm512_dpbusd_epi32(*sum, _mm512_xor_si512(x, flip), w);
            }
        }
    }
    // Four pixels side by side in each lane, then the four lanes.
    let [a, b, c, d] = [added(sums[0]), added(sums[1]), added(sums[2]), added(sums[3])];
    let (ab, cd) = (halved::<0x44, 0xEE>(a, b), halved::<0x44, 0xEE>(c, d));
    halved::<0x88, 0xDD>(ab, cd)
}

/// Adds the four elements of each lane of four vectors: lane `l` of vector `i` becomes element `i` of lane `l`.
#[inline]
#[target_feature(enable = "avx512f")]
fn added([a, b, c, d]: [__m512i; 4]) -> __m512i {
    let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd))
}

/// Adds two choices of lanes of two vectors.
#[inline]
#[target_feature(enable = "avx512f")]
fn halved<const SOME: i32, const OTHERS: i32>(a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi32(_mm512_shuffle_i32x4::<SOME>(a, b), _mm512_shuffle_i32x4::<OTHERS>(a, b))
}
