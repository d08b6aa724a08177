//! AVX-512 VNNI: `vpdpbusd` multiplies 64 bytes and adds them to 16 sums, four products to each.
//!
//! It takes one side unsigned, so values are read as `x + 128`, which is `x` with its highest bit flipped, and what that adds
//! to a sum is taken off at its start; the file has it. For two tiles of channels and as many pixels as there are, at four values
//! of the depth
//!
//! ```text
//! for t in 0..2:  w[t] = 64 weights of tile t                   2 loads
//! for each pixel p
//!     x = 4 values of p, 16 times, ^ 0x80…                      vpxord with a repeated word of memory
//!     for t in 0..2:  sums[p][t] += x · w[t]                    2 vpdpbusd
//! ```
//!
//! which is 44 instructions and the end of the loop for the 1792 products of 14 pixels.

mod few;
mod one;

use core::arch::x86_64::*;

use super::{GROUP, Job, TILE, even};

/// Sums in registers at most, two columns of 14 pixels: of 32 registers, weights, values and 0x80… take the rest.
const PIXELS: usize = 14;

/// Makes all pixels, two tiles of channels at a time.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn windows(mut job: Job<'_, i8>, scratch: &mut [i8], vbmi: bool) {
    if few::windows(&mut job, scratch, vbmi) {
        return;
    }
    let mut tile = 0;
    while tile < job.tiles() {
        tile += match job.tiles() - tile {
            2.. => column::<2>(&mut job, tile),
            _ => column::<1>(&mut job, tile),
        };
    }
}

/// Makes one pixel, tile after tile: their weights are read once, as they lie in memory, which takes longer than anything else.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn vector(mut job: Job<'_, i8>) {
    // Hidden from the compiler, see `block`.
    let flip = core::hint::black_box(_mm512_set1_epi8(-128));
    let mut weights = job.weights.as_ptr();
    for tile in 0..job.tiles() {
        let finish = Finish::new(&job, tile);
        // One need not wait for the other.
        let mut sums = [_mm512_setzero_si512(); 4];
        sums[0] = finish.start;
        for lane in job.lanes {
            let mut values = lane.as_ptr();
            let mut left = job.run / GROUP;
            while left > 0 {
                let here = if left >= sums.len() { sums.len() } else { 1 };
                for sum in sums.iter_mut().take(here) {
                    // SAFETY: a tile has `TILE · GROUP` weights for each group of the lanes, and a lane has whole groups, as
                    // `Job::new` saw.
                    let (w, x) = unsafe { (_mm512_loadu_si512(weights.cast()), values.cast::<i32>().read_unaligned()) };
                    *sum = _mm512_dpbusd_epi32(*sum, _mm512_xor_si512(_mm512_set1_epi32(x), flip), w);
                    (weights, values) = (weights.wrapping_add(TILE * GROUP), values.wrapping_add(GROUP));
                }
                left -= here;
            }
        }
        let [a, b, c, d] = sums;
        finish.store(&mut job, 0, tile, _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d)));
    }
}

/// Makes `TILES` tiles of channels of all pixels, from tile `tile` on; gives their number.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn column<const TILES: usize>(job: &mut Job<'_, i8>, tile: usize) -> usize {
    // Loops and no closures here and below: those do not become part of a function with features of its own.
    let mut finish = [Finish::new(job, tile); TILES];
    for (t, finish) in finish.iter_mut().enumerate().skip(1) {
        *finish = Finish::new(job, tile + t);
    }
    let mut first = 0;
    while first < job.count {
        let pixels = even(job.count - first, PIXELS);
        /// Calls `block` with a number of pixels that the compiler knows.
        macro_rules! block {
            ($($count:literal)+) => {
                match pixels {
                    $($count => block::<$count, TILES>(job, first, tile, &finish),)+
                    _ => block::<PIXELS, TILES>(job, first, tile, &finish),
                }
            };
        }
        block!(1 2 3 4 5 6 7 8 9 10 11 12 13);
        first += pixels;
    }
    TILES
}

/// Makes `PIXELS` pixels from pixel `first` on, which are there, of `TILES` tiles from tile `tile` on, which are there.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn block<const PIXELS: usize, const TILES: usize>(
    job: &mut Job<'_, i8>,
    first: usize,
    tile: usize,
    finish: &[Finish; TILES],
) {
    debug_assert!(first + PIXELS <= job.count && tile + TILES <= job.tiles());
    // Hidden from the compiler, which would flip a word first and repeat it then, by three instructions instead of one.
    let flip = core::hint::black_box(_mm512_set1_epi8(-128));
    let words = u16::MAX >> (TILE - job.tile.min(TILE));
    let mut sums = [[flip; TILES]; PIXELS];
    for sums in &mut sums {
        for (sum, finish) in sums.iter_mut().zip(finish) {
            *sum = finish.start;
        }
    }
    let mut weights = job.weights.as_ptr().wrapping_add(tile * job.next);
    for lane in job.lanes {
        let values = lane.as_ptr().wrapping_add(first * job.step);
        for i in (0..job.run).step_by(GROUP) {
            let mut w = [flip; TILES];
            for (t, w) in w.iter_mut().enumerate() {
                // SAFETY: a tile has a word for each of its channels at each group of the lanes, as `Job::new` saw.
                *w = unsafe { _mm512_maskz_loadu_epi32(words, weights.wrapping_add(t * job.next).cast()) };
            }
            for (p, sums) in sums.iter_mut().enumerate() {
                // SAFETY: a lane has `run` values from the start of each pixel on, a multiple of `GROUP`, as `Job::new` saw.
                let x = unsafe { values.wrapping_add(p * job.step + i).cast::<i32>().read_unaligned() };
                let x = _mm512_xor_si512(_mm512_set1_epi32(x), flip);
                for (sum, w) in sums.iter_mut().zip(w) {
                    *sum = _mm512_dpbusd_epi32(*sum, x, w);
                }
            }
            weights = weights.wrapping_add(job.tile * GROUP);
        }
    }
    for (p, sums) in sums.into_iter().enumerate() {
        for ((t, sums), finish) in sums.into_iter().enumerate().zip(finish) {
            finish.store(job, first + p, tile + t, sums);
        }
    }
}

/// The entries of 16 codes in a table.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn looked_up(codes: __m128i, table: &[i8; 256]) -> __m128i {
    let mut bytes = [0i8; TILE];
    // SAFETY: 16 bytes.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), codes) };
    let bytes = bytes.map(|code| table[usize::from((code as u8) ^ 0x80)]);
    // SAFETY: 16 bytes.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// What makes the sums of a tile into codes, see `fixed::Output`.
#[derive(Clone, Copy)]
struct Finish {
    /// Which of the channels are there.
    channels: __mmask16,
    /// What the sums start from.
    start: __m512i,
    /// Of the even channels, in the low half of each pair; then those of the odd ones.
    multiplier: [__m512i; 2],
    /// ½ and the zero point, as high halves of a product.
    half: __m512i,
    low: __m128i,
    high: __m128i,
}

impl Finish {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn new(job: &Job<'_, i8>, tile: usize) -> Self {
        let channels = &job.channels;
        let left = channels.bias.len().saturating_sub(TILE * tile).min(TILE);
        let mask = ((1u32 << left) - 1) as u16;
        // SAFETY: the mask has only channels that are there; the addresses of others are not read.
        let [bias, lows, multiplier] = unsafe {
            [
                _mm512_maskz_loadu_epi32(mask, channels.bias.as_ptr().wrapping_add(TILE * tile)),
                _mm512_maskz_loadu_epi32(mask, job.lows().wrapping_add(TILE * tile)),
                _mm512_maskz_loadu_epi32(mask, channels.multiplier.as_ptr().wrapping_add(TILE * tile)),
            ]
        };
        let output = &channels.output;
        Self {
            channels: mask,
            start: _mm512_add_epi32(bias, lows),
            multiplier: [multiplier, _mm512_srli_epi64::<32>(multiplier)],
            half: _mm512_set1_epi64(super::half(output)),
            low: _mm_set1_epi8(output.low),
            high: _mm_set1_epi8(output.high),
        }
    }

    /// Stores the codes of `sums`, those of pixel `pixel` and tile `tile`, which this is for.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn store(&self, job: &mut Job<'_, i8>, pixel: usize, tile: usize, sums: __m512i) {
        debug_assert!(pixel < job.count && tile < job.tiles());
        let mut codes = self.codes(sums);
        if let Some(table) = job.channels.output.table {
            codes = looked_up(codes, table);
        }
        let to = job.pixels.as_mut_ptr().wrapping_add(pixel * job.stride + TILE * tile);
        // SAFETY: the mask has only channels that are there, and a pixel has all of them, as `Job::new` saw.
        unsafe { _mm_mask_storeu_epi8(to, self.channels, codes) };
    }

    /// Codes before the table.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn codes(&self, sums: __m512i) -> __m128i {
        let codes = requantize(sums, self.multiplier, self.half);
        // That codes saturate to 8 bits before they are clamped makes no difference.
        _mm_min_epi8(_mm_max_epi8(_mm512_cvtsepi32_epi8(codes), self.low), self.high)
    }
}

/// `fixed::requantize` and the zero point: even and odd elements apart, for their products have 64 bits. There is a multiplier
/// for each, in the low half of a pair.
#[inline]
#[target_feature(enable = "avx512f")]
fn requantize(sums: __m512i, multiplier: [__m512i; 2], half: __m512i) -> __m512i {
    let even = _mm512_mul_epi32(sums, multiplier[0]);
    let odd = _mm512_mul_epi32(_mm512_srli_epi64::<32>(sums), multiplier[1]);
    // No overflow: a product is at most 2⁶² in magnitude.
    let (even, odd) = (_mm512_add_epi64(even, half), _mm512_add_epi64(odd, half));
    _mm512_mask_shuffle_epi32::<{ _MM_PERM_DDBB }>(odd, 0x5555, even)
}
