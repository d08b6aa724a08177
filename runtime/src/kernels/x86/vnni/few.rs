//! Sums and codes of one to four channels, see [`few`]. Values are flipped (see [`super`]) when planes are made of them.
//!
//! The codes of a row are looked up in the table and put where they belong 64 at a time, where the CPU has AVX-512 VBMI.

use core::arch::x86_64::*;

use super::super::few::{self, CHANNELS, Codes, PIXELS, Planes};
use super::super::{GROUP, Job};

/// Makes all pixels; `false` where [`few::rows`] cannot.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn windows(job: &mut Job<'_, i8>, scratch: &mut [i8], vbmi: bool) -> bool {
    if !few::fits(job) {
        return false;
    }
    match job.channels.bias.len() {
        1 => channels::<1, 4>(job, scratch, vbmi),
        2 => channels::<2, 2>(job, scratch, vbmi),
        3 => channels::<3, 2>(job, scratch, vbmi),
        4 => channels::<4, 2>(job, scratch, vbmi),
        _ => false,
    }
}

/// `COUNT` channels, with `APART` sums of each, so that one need not wait for the other.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn channels<const COUNT: usize, const APART: usize>(job: &mut Job<'_, i8>, scratch: &mut [i8], vbmi: bool) -> bool {
    let spread = SPREADS[COUNT - 1].get((job.stride / COUNT).wrapping_sub(1));
    let spread = spread.filter(|_| vbmi && job.stride.is_multiple_of(COUNT));
    let store = |job: &mut Job<'_, i8>, first, here, codes: &[Codes]| match spread {
        // SAFETY: the caller says that the CPU has it.
        Some(spread) => unsafe { store::<COUNT>(job, first, here, codes, spread) },
        None => few::store(job, first, here, codes),
    };
    (COUNT == 1 && super::one::windows(job, store))
        || few::rows(job, scratch, -128, |job, planes, codes| codes_of::<COUNT, APART>(job, planes, codes), store)
}

/// Codes of all vectors.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn codes_of<const COUNT: usize, const APART: usize>(job: &Job<'_, i8>, planes: Planes<'_>, codes: &mut [Codes]) {
    for (vector, codes) in codes.iter_mut().enumerate() {
        let sums = sums::<COUNT, APART>(job, planes, vector);
        for (channel, (sums, codes)) in sums.into_iter().zip(codes).enumerate() {
            let finish = Finish::new(job, channel);
            // SAFETY: 16 bytes.
            unsafe { _mm_storeu_si128(codes.as_mut_ptr().cast(), finish.codes(sums)) };
        }
    }
}

/// The sums of the 16 pixels of a vector for each channel, without bias.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn sums<const COUNT: usize, const APART: usize>(
    job: &Job<'_, i8>,
    planes: Planes<'_>,
    vector: usize,
) -> [__m512i; COUNT] {
    let Planes { words: all, pitch, .. } = planes;
    let mut sums = [[_mm512_setzero_si512(); COUNT]; APART];
    let mut weights = job.weights.as_ptr();
    let Some(mut lane) = planes.start(vector, job.lanes.len()) else { return sums[0] };
    for _ in job.lanes {
        let mut left = job.run / GROUP;
        let mut tap = lane;
        while left > 0 {
            let words = left.min(all);
            let mut x = tap;
            let mut done = 0;
            while done < words {
                // Those that are left over take the first sums.
                let here = if words - done >= APART { APART } else { 1 };
                for sums in sums.iter_mut().take(here) {
                    // SAFETY: as `Planes::start` says.
                    let values = unsafe { _mm512_loadu_si512(x.cast()) };
                    for (channel, sum) in sums.iter_mut().enumerate() {
                        // SAFETY: there is a word for each channel at each group of the lanes, as `Job::new` saw.
                        let w = unsafe { weights.wrapping_add(GROUP * channel).cast::<i32>().read_unaligned() };
                        *sum = _mm512_dpbusd_epi32(*sum, values, _mm512_set1_epi32(w));
                    }
                    x = x.wrapping_add(GROUP * pitch);
                    weights = weights.wrapping_add(COUNT.next_power_of_two() * GROUP);
                }
                done += here;
            }
            tap = tap.wrapping_add(GROUP);
            left -= words;
        }
        lane = lane.wrapping_add(GROUP * all * pitch);
    }
    let mut sum = sums[0];
    for sums in &sums[1..] {
        for (sum, more) in sum.iter_mut().zip(sums) {
            *sum = _mm512_add_epi32(*sum, *more);
        }
    }
    sum
}

/// What makes 16 sums of a channel into codes, see `fixed::Output`.
#[derive(Clone, Copy)]
pub(super) struct Finish {
    start: __m512i,
    multiplier: __m512i,
    half: __m512i,
    low: __m128i,
    high: __m128i,
}

impl Finish {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    pub(super) fn new(job: &Job<'_, i8>, channel: usize) -> Self {
        let channels = &job.channels;
        let (bias, multiplier) = match (channels.bias.get(channel), channels.multiplier.get(channel)) {
            (Some(&bias), Some(&multiplier)) => (bias, multiplier),
            _ => (0, 0),
        };
        // SAFETY: `Job::new` saw one for each channel, of which the caller has one.
        let low = unsafe { job.lows().wrapping_add(channel).read_unaligned() };
        let output = &channels.output;
        Self {
            start: _mm512_set1_epi32(bias.wrapping_add(low)),
            multiplier: _mm512_set1_epi32(multiplier),
            half: _mm512_set1_epi64(super::super::half(output)),
            low: _mm_set1_epi8(output.low),
            high: _mm_set1_epi8(output.high),
        }
    }

    /// Codes before the table.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    pub(super) fn codes(&self, sums: __m512i) -> __m128i {
        let sums = _mm512_add_epi32(sums, self.start);
        let codes = super::requantize(sums, [self.multiplier; 2], self.half);
        _mm_min_epi8(_mm_max_epi8(_mm512_cvtsepi32_epi8(codes), self.low), self.high)
    }
}

/// How the codes of 16 pixels come to lie in the output: byte `i` of vector `v` is code `index[v][i]` where `mask[v]` has bit
/// `i`, and stays as it is elsewhere.
struct Spread {
    index: [[u8; 64]; 4],
    mask: [u64; 4],
}

impl Spread {
    const fn new(channels: usize, stride: usize) -> Self {
        let mut spread = Self { index: [[0; 64]; 4], mask: [0; 4] };
        let mut place = 0;
        while place < PIXELS * stride {
            let (pixel, channel) = (place / stride, place % stride);
            if channel < channels {
                spread.index[place / 64][place % 64] = (channel * PIXELS + pixel) as u8;
                spread.mask[place / 64] |= 1 << (place % 64);
            }
            place += 1;
        }
        spread
    }
}

/// For 1, 2, 3 and 4 channels, and as many phases that take turns in a row.
static SPREADS: [[Spread; 4]; CHANNELS] = [
    [Spread::new(1, 1), Spread::new(1, 2), Spread::new(1, 3), Spread::new(1, 4)],
    [Spread::new(2, 2), Spread::new(2, 4), Spread::new(2, 6), Spread::new(2, 8)],
    [Spread::new(3, 3), Spread::new(3, 6), Spread::new(3, 9), Spread::new(3, 12)],
    [Spread::new(4, 4), Spread::new(4, 8), Spread::new(4, 12), Spread::new(4, 16)],
];

/// Puts the codes of `here` pixels into the output from pixel `first` on, through the table.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn store<const COUNT: usize>(job: &mut Job<'_, i8>, first: usize, here: usize, codes: &[Codes], spread: &Spread) {
    let Some(pixels) = job.pixels.get_mut(first * job.stride..) else { return };
    let mut table = [_mm512_setzero_si512(); 4];
    if let Some(entries) = job.channels.output.table {
        for (table, entries) in table.iter_mut().zip(entries.chunks_exact(64)) {
            // SAFETY: 64 bytes.
            *table = unsafe { _mm512_loadu_si512(entries.as_ptr().cast()) };
        }
    }
    let [a, b, c, d] = table;
    for (vector, codes) in codes.iter().enumerate() {
        // SAFETY: 64 bytes.
        let mut codes = unsafe { _mm512_loadu_si512(codes.as_ptr().cast()) };
        if job.channels.output.table.is_some() {
            let index = _mm512_xor_si512(codes, _mm512_set1_epi8(-128));
            let (low, high) = (_mm512_permutex2var_epi8(a, index, b), _mm512_permutex2var_epi8(c, index, d));
            codes = _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), low, high);
        }
        let from = PIXELS * vector * job.stride;
        // Up to the last channel of the last pixel.
        let end = (here - 1) * job.stride + COUNT;
        let end = end.min(from + PIXELS * job.stride).min(pixels.len());
        for (at, (index, mask)) in (from..end).step_by(64).zip(spread.index.iter().zip(spread.mask)) {
            let mask = mask & u64::MAX >> (64 - (end - at).min(64));
            // SAFETY: the index has 64 bytes; the mask has only values up to `end`, which is in `pixels`.
            unsafe {
                let index = _mm512_loadu_si512(index.as_ptr().cast());
                let spread = _mm512_permutexvar_epi8(index, codes);
                _mm512_mask_storeu_epi8(pixels.as_mut_ptr().add(at), mask, spread);
            }
        }
    }
}
