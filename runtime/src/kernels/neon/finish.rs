//! Sums become codes.

use core::arch::aarch64::*;
use core::array::from_fn;

use super::{QUAD, words};
use crate::fixed::Output;

/// Finishes four channels of four pixels at a time.
#[target_feature(enable = "neon")]
pub(super) fn finish_windows(
    sums: &[i32],
    multiplier: &[i32],
    output: &Output<'_>,
    to: &mut [i8],
    pixels: usize,
    stride: usize,
) {
    let room = pixels.saturating_sub(1).saturating_mul(stride).saturating_add(multiplier.len());
    if to.len() < room {
        return;
    }
    let rest = Rest::new(output);
    let mut to = to.as_mut_ptr();
    for (sums, multiplier) in sums.chunks_exact(QUAD * 4).zip(multiplier.chunks(QUAD)) {
        let sums = sums.as_ptr();
        // SAFETY: 16 words.
        let sums = from_fn(|pixel| unsafe { vld1q_s32(sums.add(pixel * QUAD)) });
        let codes = vreinterpretq_s32_s8(rest.finish(sums, [words(multiplier); 4]));
        let codes = [
            vgetq_lane_s32::<0>(codes),
            vgetq_lane_s32::<1>(codes),
            vgetq_lane_s32::<2>(codes),
            vgetq_lane_s32::<3>(codes),
        ];
        for (pixel, codes) in codes.into_iter().enumerate().take(pixels) {
            // SAFETY: `to` has gone on by as many channels as were finished; with `pixel` strides and the channels of this quad it
            // stays within `room`.
            unsafe { store(to.wrapping_add(pixel * stride), codes, multiplier.len()) };
        }
        to = to.wrapping_add(QUAD);
    }
}

/// Finishes 16 channels of the pixel at a time.
#[target_feature(enable = "neon")]
pub(super) fn finish_vector(sums: &[i32], multiplier: &[i32], output: &Output<'_>, to: &mut [i8]) {
    let rest = Rest::new(output);
    let count = multiplier.len().min(to.len());
    let (blocks, remainder) = multiplier.get(..count).unwrap_or(&[]).as_chunks::<16>();
    let (sum_blocks, _) = sums.as_chunks::<16>();
    let (to_blocks, to_remainder) = to.as_chunks_mut::<16>();
    for ((sums, multiplier), to) in sum_blocks.iter().zip(blocks).zip(to_blocks.iter_mut()) {
        // SAFETY: 16 words each, and 16 bytes.
        unsafe {
            let sums = from_fn(|quad| vld1q_s32(sums.as_ptr().add(quad * QUAD)));
            let multiplier = from_fn(|quad| vld1q_s32(multiplier.as_ptr().add(quad * QUAD)));
            vst1q_s8(to.as_mut_ptr(), rest.finish(sums, multiplier));
        }
    }
    // At most three quads and a part of one.
    let sums = sums.get(blocks.len() * 16..).unwrap_or(&[]);
    let to = match to_blocks.get_mut(blocks.len()) {
        Some(block) => block.as_mut_slice(),
        None => to_remainder,
    };
    for ((sums, multiplier), to) in sums.chunks(QUAD).zip(remainder.chunks(QUAD)).zip(to.chunks_mut(QUAD)) {
        let codes = rest.finish([words(sums); 4], [words(multiplier); 4]);
        let count = multiplier.len().min(to.len());
        // SAFETY: `to` has `count` bytes.
        unsafe { store(to.as_mut_ptr(), vgetq_lane_s32::<0>(vreinterpretq_s32_s8(codes)), count) };
    }
}

/// Writes the first `count` of four codes.
///
/// # Safety
///
/// `count` ≤ 4 bytes can be written at `to`.
#[inline(always)]
unsafe fn store(to: *mut i8, codes: i32, count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match count {
            0 => (),
            1 => *to = codes as i8,
            2 => to.cast::<i16>().write_unaligned(codes as i16),
            3 => {
                to.cast::<i16>().write_unaligned(codes as i16);
                *to.add(2) = (codes >> 16) as i8;
            }
            _ => to.cast::<i32>().write_unaligned(codes),
        }
    }
}

/// The rest of a layer for 16 sums at once, see [`Output`].
#[derive(Clone, Copy, Debug)]
struct Rest {
    zero_point: int16x8_t,
    low: int8x16_t,
    high: int8x16_t,
    table: Option<[int8x16x4_t; 4]>,
}

impl Rest {
    #[inline]
    #[target_feature(enable = "neon")]
    fn new(output: &Output<'_>) -> Self {
        let table = output.table.map(|table| {
            // SAFETY: 64 bytes from 0, 64, 128 and 192 on are in the table of 256.
            from_fn(|part| unsafe { vld1q_s8_x4(table.as_ptr().add(64 * part)) })
        });
        Self {
            zero_point: vdupq_n_s16(output.zero_point.into()),
            low: vdupq_n_s8(output.low),
            high: vdupq_n_s8(output.high),
            table,
        }
    }

    /// What [`Output::finish`] gives for each. Sums become narrow by saturation, which changes nothing: a code beyond 16 bits is
    /// beyond 8 bits with any zero point, and one beyond 8 bits is beyond the clamp's limits.
    #[inline]
    #[target_feature(enable = "neon")]
    fn finish(&self, sums: [int32x4_t; 4], multiplier: [int32x4_t; 4]) -> int8x16_t {
        let [a, b, c, d]: [int16x4_t; 4] = from_fn(|i| vqmovn_s32(requantize(sums[i], multiplier[i])));
        let ab = vqaddq_s16(vcombine_s16(a, b), self.zero_point);
        let cd = vqaddq_s16(vcombine_s16(c, d), self.zero_point);
        let codes = vcombine_s8(vqmovn_s16(ab), vqmovn_s16(cd));
        let codes = vminq_s8(vmaxq_s8(codes, self.low), self.high);
        match self.table {
            Some([a, b, c, d]) => {
                // An index beyond 64 entries gives 0 at first, and leaves what is there afterwards.
                let index = veorq_u8(vreinterpretq_u8_s8(codes), vdupq_n_u8(0x80));
                let found = vqtbl4q_s8(a, index);
                let found = vqtbx4q_s8(found, b, vsubq_u8(index, vdupq_n_u8(64)));
                let found = vqtbx4q_s8(found, c, vsubq_u8(index, vdupq_n_u8(128)));
                vqtbx4q_s8(found, d, vsubq_u8(index, vdupq_n_u8(192)))
            }
            None => codes,
        }
    }
}

/// [`fixed::requantize`](crate::fixed::requantize) of four sums: RSHRN adds 2³¹ before it shifts.
#[inline]
#[target_feature(enable = "neon")]
fn requantize(sums: int32x4_t, multiplier: int32x4_t) -> int32x4_t {
    let low = vrshrn_n_s64::<32>(vmull_s32(vget_low_s32(sums), vget_low_s32(multiplier)));
    vrshrn_high_n_s64::<32>(low, vmull_high_s32(sums, multiplier))
}
