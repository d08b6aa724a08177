//! One to four channels, which images have: a vector holds pixels of a channel instead of channels of a pixel.
//!
//! For that, the words of four values that pixels read are put side by side first: word `w` of the pixels 0, 1, 2 … makes plane
//! `w`. The next pixel's words are those of the next tap, so each is there once:
//!
//! ```text
//! planes[lane][w][p] = lane[p · step + 4·w ..][..4]             for each p, for each w < step / 4
//! for each 16 pixels p
//!     for each lane, for each word w of its run
//!         x = planes[lane][w % (step / 4)][p + w / (step / 4)]  16 words, side by side
//!         for each channel c:  sums[c] += x · weights[c][w]     the same word of weights for all pixels
//!     codes[c] = sums[c] without the table
//! pixels[p][c] = table[codes[c][p]]
//! ```
//!
//! This file makes the planes and stores the codes; sums are formed in `vnni/few.rs` and `avx2/few.rs`.

use core::arch::x86_64::*;

use super::{GROUP, Job};

/// Channels at most.
pub(super) const CHANNELS: usize = 4;
/// Pixels of a vector.
pub(super) const PIXELS: usize = 16;
/// Vectors of pixels that are stored together.
const VECTORS: usize = 8;

/// Codes before the table, `[channel][pixel]`.
pub(super) type Codes = [[i8; PIXELS]; CHANNELS];

/// Whether a row is one for this way: few channels, and pixels that share whole words.
pub(super) fn fits<V>(job: &Job<'_, V>) -> bool {
    let Job { run, step, .. } = *job;
    job.tile <= CHANNELS && step > 0 && step <= run && step.is_multiple_of(GROUP)
}

/// Makes all pixels; `false` where the scratch is too short for 16 of them, or the row [does not fit](fits). `flip` is
/// xored to all values, `make` makes the codes of the vectors of planes, `store` puts those of some pixels into the output.
#[target_feature(enable = "avx2")]
pub(super) fn rows<'a>(
    job: &mut Job<'a, i8>,
    scratch: &mut [i8],
    flip: i8,
    mut make: impl FnMut(&Job<'a, i8>, Planes<'_>, &mut [Codes]),
    mut store: impl FnMut(&mut Job<'a, i8>, usize, usize, &[Codes]),
) -> bool {
    let Job { lanes, run, step, count, .. } = *job;
    if !fits(job) {
        return false;
    }
    let (words, taps) = (step / GROUP, run.div_ceil(step));
    // Positions of a plane: so many that 16 pixels can be read at each tap of the last vector.
    let pitch = |vectors: usize| (PIXELS * vectors + taps - 1).next_multiple_of(8);
    let room = scratch.len() / GROUP / (lanes.len().saturating_mul(words) + 3);
    let Some(most) = (1..=VECTORS).rev().find(|&vectors| pitch(vectors) <= room) else { return false };
    let mut first = 0;
    while first < count {
        let here = (count - first).min(PIXELS * most);
        let vectors = here.div_ceil(PIXELS);
        let pitch = pitch(vectors);
        for (index, lane) in lanes.iter().enumerate() {
            // Room for three planes more is there, which the next lane fills again.
            let to = scratch.get_mut(index * GROUP * words * pitch..).unwrap_or_default();
            fill(lane.get(first * step..).unwrap_or(&[]), step, here - 1 + taps, pitch, flip, to);
        }
        let mut codes = [[[0; PIXELS]; CHANNELS]; VECTORS];
        let Some(codes) = codes.get_mut(..vectors) else { return true };
        make(job, Planes { words, pitch, taps, scratch }, codes);
        store(job, first, here, codes);
        first += here;
    }
    true
}

/// Words of all lanes, `[lane][words][pitch]`.
#[derive(Clone, Copy)]
pub(super) struct Planes<'a> {
    /// Words from a pixel to the next, which is the number of planes of a lane.
    pub(super) words: usize,
    /// Words of a plane, a multiple of 8: for each vector 16 pixels, and one less than `taps`.
    pub(super) pitch: usize,
    /// Pixels that a run begins in.
    taps: usize,
    /// At least `lanes · words · pitch` words.
    scratch: &'a [i8],
}

impl Planes<'_> {
    /// Where the words of the pixels of a vector start, in plane 0 of lane 0. From there on, 16 can be read at each tap in
    /// each plane of each of `lanes` lanes.
    #[inline]
    pub(super) fn start(&self, vector: usize, lanes: usize) -> Option<*const i8> {
        let there = PIXELS * (vector + 1) + self.taps - 1 <= self.pitch
            && self.scratch.len() >= GROUP * lanes * self.words * self.pitch;
        there.then(|| self.scratch.as_ptr().wrapping_add(GROUP * PIXELS * vector))
    }
}

/// Takes a lane of values apart, up to position `positions`, into planes of `pitch` words. Values that are not there are
/// taken as zeros. Four planes are written at a time, so there must be room for three more, in which anything is left.
#[inline]
#[target_feature(enable = "avx2")]
fn fill(lane: &[i8], step: usize, positions: usize, pitch: usize, flip: i8, to: &mut [i8]) {
    let plane = GROUP * pitch;
    if positions > pitch || !pitch.is_multiple_of(8) || to.len() < plane * (step / GROUP + 3) {
        return;
    }
    let flip = _mm256_set1_epi8(flip);
    // Whether each position has all its words, and those come in fours.
    let whole = step.is_multiple_of(4 * GROUP) && lane.len() >= positions * step;
    for word in (0..step / GROUP).step_by(4) {
        let lane = lane.get(GROUP * word..).unwrap_or(&[]);
        for position in (0..positions).step_by(8) {
            let mut rows = [flip; 4];
            for (i, row) in rows.iter_mut().enumerate() {
                let [low, high] = [position + i, position + i + 4];
                let [low, high] = if whole {
                    // Beyond the last position, that one is taken again.
                    let [low, high] =
                        [low, high].map(|position| lane.as_ptr().wrapping_add(position.min(positions - 1) * step));
                    // SAFETY: each position has 16 values from `word` on.
                    unsafe { [_mm_loadu_si128(low.cast()), _mm_loadu_si128(high.cast())] }
                } else {
                    [words(lane, low * step), words(lane, high * step)]
                };
                *row = _mm256_xor_si256(_mm256_set_m128i(high, low), flip);
            }
            let [a, b, c, d] = rows;
            let (ab, cd) = (_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d));
            let (above_ab, above_cd) = (_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d));
            let columns = [
                _mm256_unpacklo_epi64(ab, cd),
                _mm256_unpackhi_epi64(ab, cd),
                _mm256_unpacklo_epi64(above_ab, above_cd),
                _mm256_unpackhi_epi64(above_ab, above_cd),
            ];
            for (i, column) in columns.into_iter().enumerate() {
                // SAFETY: `to` has three planes more than there are words, and a plane has a multiple of eight words.
                unsafe {
                    _mm256_storeu_si256(to.as_mut_ptr().add((word + i) * plane + GROUP * position).cast(), column)
                };
            }
        }
    }
}

/// As many of the four words from value `from` on as there are, then zeros.
#[target_feature(enable = "avx2")]
fn words(values: &[i8], from: usize) -> __m128i {
    let left = (values.len().saturating_sub(from) / GROUP).min(4);
    let mask = _mm_cmpgt_epi32(_mm_set1_epi32(left as i32), _mm_setr_epi32(0, 1, 2, 3));
    // SAFETY: the mask has only words that are there.
    unsafe { _mm_maskload_epi32(values.as_ptr().wrapping_add(from).cast(), mask) }
}

/// Puts the codes of `here` pixels into the output from pixel `first` on, through the table.
pub(super) fn store(job: &mut Job<'_, i8>, first: usize, here: usize, codes: &[Codes]) {
    let Some(pixels) = job.pixels.get_mut(first * job.stride..) else { return };
    let (stride, table) = (job.stride, job.channels.output.table);
    match job.channels.bias.len() {
        1 => put::<1>(pixels, stride, here, codes, table),
        2 => put::<2>(pixels, stride, here, codes, table),
        3 => put::<3>(pixels, stride, here, codes, table),
        4 => put::<4>(pixels, stride, here, codes, table),
        _ => {}
    }
}

/// See [`store`].
fn put<const COUNT: usize>(pixels: &mut [i8], stride: usize, here: usize, codes: &[Codes], table: Option<&[i8; 256]>) {
    for (n, pixel) in pixels.chunks_mut(stride).take(here).enumerate() {
        let (Some(pixel), Some(codes)) = (pixel.first_chunk_mut::<COUNT>(), codes.get(n / PIXELS)) else { return };
        for (value, codes) in pixel.iter_mut().zip(codes) {
            let code = codes[n % PIXELS];
            *value = table.map_or(code, |table| table[usize::from((code as u8) ^ 0x80)]);
        }
    }
}
