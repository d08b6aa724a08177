//! How weights lie in a file. Each instruction set reads them in an order of its own, chosen at export.
//!
//! All operators come down to the product of a matrix `[channel][depth]` of weights with the gathered values of a few
//! pixels (`depth` = all values that one pixel reads). A packing cuts the matrix into tiles:
//!
//! ```text
//! portable   [channel][depth]
//! others     [channel / interleave][depth / group][interleave][group]     rounded up, filled with zeros
//! ```
//!
//! Within a tile of `interleave` × `group` weights, [`Packing::Armv6m`] has an order of its own, see [`Packing::pack`].
//!
//! The table of [`Packing::blocking`] is the contract between the exporter, which writes this order and plans the memory,
//! and the kernels, which read it.

/// An order of weights, named after the kernels that read it. [`Packing::Portable`] runs everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packing {
    /// Row by row. Every runtime reads it, with the scalar kernel.
    #[default]
    Portable,
    /// For Thumb without DSP instructions: Cortex-M0, M0+, M3, M23.
    Armv6m,
    /// For Arm's DSP instructions: Cortex-M4, M7, M33. Values of odd index are stored with a borrow, see [`Packing::pack`].
    Dsp,
    /// For M-profile vectors: Cortex-M55, M85.
    Mve,
    /// For vectors of 16 bytes: NEON and WebAssembly. Four values of each of four channels make a vector.
    Simd128,
    /// For x86-64 with AVX2 or AVX-512. Sums of weights follow the matrix, see [`Packing::pack`].
    X86,
}

/// Which matrix is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    /// One phase of a convolution: many pixels meet it.
    Windows,
    /// One block of a fully connected layer, a row or a position: a single pixel meets it.
    Vector,
    /// One phase of a depthwise convolution: each channel meets its own input channel. All packings have
    /// `[depth][channel]`.
    Channels,
    /// Either of the first two where source or result are int16 codes. All packings have `[channel][depth]`.
    Wide,
}

/// How a kernel cuts its work; see [`Packing::blocking`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocking {
    /// Channels that lie interleaved in the file.
    pub interleave: usize,
    /// Consecutive values of one channel that stay together in the file. The depth is rounded up to it.
    pub group: usize,
    /// Pixels that are computed together.
    pub pixels: usize,
    /// Channels whose sums are held at the same time at most; a multiple of `interleave`.
    pub channels: usize,
    /// Values of a pixel that are gathered at the same time at most; a multiple of `group`.
    pub depth: usize,
    /// Bytes of a gathered value.
    pub value_bytes: usize,
}

impl Blocking {
    /// Bytes of a packed matrix, which may be more than a `usize` holds.
    fn matrix_bytes(&self, channels: usize, depth: usize) -> u64 {
        rounded_up(channels, self.interleave) as u64 * rounded_up(depth, self.group) as u64
    }

    /// Words of gathered values.
    pub fn strip_words(&self, depth: usize) -> usize {
        (self.pixels * self.value_bytes * rounded_up(depth, self.group).min(self.depth)).div_ceil(4)
    }

    /// Words of sums.
    pub fn sums_words(&self, channels: usize) -> usize {
        self.pixels * rounded_up(channels, self.interleave).min(self.channels)
    }
}

/// Channels that lie together in windows of `channels` channels in [`Packing::X86`]: up to four have tiles of their own size.
pub(crate) fn x86_tile(channels: usize) -> usize {
    match channels {
        0..=2 => channels.max(1),
        3..=4 => 4,
        _ => 16,
    }
}

/// `count` as a multiple of a power of two. `next_multiple_of` would divide, which can panic unless the optimizer knows better.
/// No count comes close to 2³²: 255 × 255 taps of 65535 values are the most.
fn rounded_up(count: usize, power: usize) -> usize {
    let mask = power.wrapping_sub(1);
    count.wrapping_add(mask) & !mask
}

/// Words of working memory in which [`Packing::Dsp`] pairs the weights of four channels in `lanes` lanes, with what
/// else a pixel of a depthwise convolution needs.
pub(crate) fn depthwise_words(lanes: usize) -> usize {
    3 * lanes + 12
}

/// Lanes of a depthwise convolution that [`Packing::Armv6m`] meets in a round.
pub(crate) const DEPTHWISE_LANES: usize = 3;

/// As many lanes in whole rounds.
pub(crate) fn depthwise_lanes(lanes: usize) -> usize {
    lanes.div_ceil(DEPTHWISE_LANES) * DEPTHWISE_LANES
}

/// Alignment of a kernel's working memory in bytes; see [`Packing::scratch_bytes`].
pub const SCRATCH_ALIGNMENT: usize = 16;

impl Packing {
    /// All of them; the position is the code in the file.
    pub const ALL: [Self; 6] = [Self::Portable, Self::Armv6m, Self::Dsp, Self::Mve, Self::Simd128, Self::X86];

    /// The number in the header of a file.
    pub fn code(self) -> u16 {
        match self {
            Self::Portable => 0,
            Self::Armv6m => 1,
            Self::Dsp => 2,
            Self::Mve => 3,
            Self::Simd128 => 4,
            Self::X86 => 5,
        }
    }

    /// The packing of a code.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// What `edgegen export --target` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Armv6m => "armv6m",
            Self::Dsp => "dsp",
            Self::Mve => "mve",
            Self::Simd128 => "simd128",
            Self::X86 => "x86",
        }
    }

    /// How matrices are cut; `None` for [`Packing::Portable`], which is read row by row without working memory.
    pub const fn blocking(self, matrix: Matrix) -> Option<Blocking> {
        let [interleave, group, pixels, channels, depth, value_bytes] = match (self, matrix) {
            (Self::Portable, _) | (_, Matrix::Channels | Matrix::Wide) => return None,
            (Self::Armv6m, Matrix::Windows) => [4, 16, 4, 64, 144, 2],
            (Self::Armv6m, Matrix::Vector) => [4, 8, 1, 128, 256, 4],
            (Self::Dsp, Matrix::Windows) => [1, 8, 4, 64, 144, 2],
            (Self::Dsp, Matrix::Vector) => [4, 4, 1, 128, 256, 2],
            // Whole windows are gathered, if any; sums stay in registers.
            (Self::Mve, Matrix::Windows) => [4, 16, 2, 4, 1 << 28, 1],
            (Self::Mve, Matrix::Vector) => [4, 16, 1, 4, 1 << 28, 1],
            (Self::Simd128, Matrix::Windows) => [4, 4, 4, 64, 512, 2],
            (Self::Simd128, Matrix::Vector) => [4, 4, 1, 64, 512, 2],
            // At greater depths a sum of products could be beyond an i32.
            (Self::X86, Matrix::Windows) => [16, 4, 32, 16, 1 << 17, 2],
            (Self::X86, Matrix::Vector) => [16, 4, 1, 16, 1 << 17, 4],
        };
        Some(Blocking { interleave, group, pixels, channels, depth, value_bytes })
    }

    /// How a matrix of `channels` channels lies in the file: as [`Packing::blocking`] says, but for a few channels in
    /// [`Packing::X86`].
    fn blocking_of(self, matrix: Matrix, channels: usize) -> Option<Blocking> {
        let mut blocking = self.blocking(matrix)?;
        if self == Self::X86 && matrix == Matrix::Windows {
            blocking.interleave = x86_tile(channels);
        }
        Some(blocking)
    }

    /// Bytes of a matrix `[channels][depth]` in the file.
    #[inline(never)]
    pub fn matrix_bytes(self, matrix: Matrix, channels: usize, depth: usize) -> u64 {
        self.matrix_bytes_here(matrix, channels, depth)
    }

    /// The same in place, for a packing that the compiler knows.
    #[inline(always)]
    pub(crate) fn matrix_bytes_here(self, matrix: Matrix, channels: usize, depth: usize) -> u64 {
        match self.blocking_of(matrix, channels) {
            Some(blocking) if self == Self::X86 => {
                let lows = 4 * rounded_up(channels, blocking.interleave) as u64;
                blocking.matrix_bytes(channels, depth) + lows
            }
            Some(blocking) => blocking.matrix_bytes(channels, depth),
            // Not below, as a file may say anything.
            None => channels as u64 * depth as u64,
        }
    }

    /// Bytes of working memory for a matrix: gathered values, then sums.
    #[inline(never)]
    pub fn scratch_bytes(self, matrix: Matrix, channels: usize, depth: usize) -> usize {
        let words = match (self, self.blocking(matrix)) {
            (Self::Armv6m, None) if matrix == Matrix::Channels => 2 * depthwise_lanes(depth),
            (Self::Dsp, None) if matrix == Matrix::Channels => depthwise_words(depth),
            (_, Some(blocking)) => blocking.strip_words(depth) + blocking.sums_words(channels),
            _ => 0,
        };
        (4 * words).next_multiple_of(SCRATCH_ALIGNMENT)
    }

    /// Packs a matrix of `channels` × `depth` weights from −127 to 127, where `weight(channel, index)` gives each.
    ///
    /// [`Packing::Dsp`] stores w₁ − 1 for a value w₁ of odd index where the value w₀ before it is negative. The halfword of both,
    /// read as one number, then is exactly 256·w₁ + w₀.
    ///
    /// [`Packing::Armv6m`] keeps the four channels of a tile side by side. Windows have the first and the second eight of the depth
    /// in turns, so that a channel's next weight comes eight bytes later, as fast as its kernel's gathered values pass; and
    /// vectors have 128 added to the weights of the first three channels, which gives them no sign.
    ///
    /// ```text
    /// windows    [depth / 16][8][2][4]     the values 0, 8, 1, 9, 2, 10 … of the depth
    /// vector     [depth][4]
    /// ```
    ///
    /// [`Packing::X86`] interleaves windows of up to four channels by one, two or four, and has behind the matrix, for each channel, what its sum is when all values are −128: an `i32`, little-endian.
    pub fn pack(
        self,
        matrix: Matrix,
        weight: impl Fn(usize, usize) -> i8,
        channels: usize,
        depth: usize,
        mut write: impl FnMut(i8),
    ) {
        let (interleave, group) =
            self.blocking_of(matrix, channels).map_or((1, 1), |blocking| (blocking.interleave, blocking.group));
        let weight = |channel, index| if channel < channels && index < depth { weight(channel, index) } else { 0 };
        for first in (0..channels).step_by(interleave) {
            for start in (0..depth).step_by(group) {
                for place in 0..interleave * group {
                    let (channel, index) = match (self, matrix) {
                        (Self::Armv6m, Matrix::Windows) => (place % 4, place / 8 + place % 8 / 4 * 8),
                        (Self::Armv6m, Matrix::Vector) => (place % 4, place / 4),
                        _ => (place / group, place % group),
                    };
                    let weight = |index| weight(first + channel, start + index);
                    let borrow = self == Self::Dsp && index % 2 == 1 && weight(index - 1) < 0;
                    let unsigned = self == Self::Armv6m && matrix == Matrix::Vector && channel < 3;
                    write((weight(index) - i8::from(borrow)) ^ if unsigned { i8::MIN } else { 0 });
                }
            }
        }
        if self == Self::X86 {
            for channel in 0..channels.next_multiple_of(interleave) {
                let sum: i32 = (0..depth).map(|index| i32::from(weight(channel, index))).sum();
                for byte in sum.wrapping_mul(-128).to_le_bytes() {
                    write(byte as i8);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn codes_and_names_are_unique() {
        for (code, packing) in Packing::ALL.into_iter().enumerate() {
            assert_eq!(packing.code(), code as u16);
            assert_eq!(Packing::from_code(code as u16), Some(packing));
            assert_eq!(Packing::ALL.iter().filter(|other| other.name() == packing.name()).count(), 1);
        }
        assert_eq!(Packing::from_code(6), None);
    }

    #[test]
    fn blockings_are_consistent() {
        for packing in Packing::ALL {
            for matrix in [Matrix::Windows, Matrix::Vector] {
                let Some(blocking) = packing.blocking(matrix) else { continue };
                assert_eq!(blocking.channels % blocking.interleave, 0, "{packing:?}");
                assert_eq!(blocking.depth % blocking.group, 0, "{packing:?}");
                assert!(blocking.interleave.is_power_of_two() && blocking.group.is_power_of_two(), "{packing:?}");
                assert_eq!(blocking.depth * blocking.value_bytes * blocking.pixels % 4, 0, "{packing:?}");
                if matrix == Matrix::Vector {
                    assert_eq!(blocking.pixels, 1);
                }
            }
        }
    }

    #[test]
    fn every_weight_is_packed_once() {
        let depth = 11;
        for (packing, channels) in
            Packing::ALL.into_iter().flat_map(|packing| [(packing, 1), (packing, 3), (packing, 5)])
        {
            let weights: Vec<i8> = (0..channels * depth).map(|i| (i % 120) as i8 + 1).collect();
            for matrix in [Matrix::Windows, Matrix::Vector] {
                let mut packed = Vec::new();
                packing.pack(matrix, |c, i| weights[c * depth + i], channels, depth, |weight| packed.push(weight));
                assert_eq!(packed.len() as u64, packing.matrix_bytes(matrix, channels, depth));
                if let Some(blocking) = packing.blocking_of(matrix, channels) {
                    packed.truncate(blocking.matrix_bytes(channels, depth) as usize);
                }
                if (packing, matrix) == (Packing::Armv6m, Matrix::Vector) {
                    for (place, weight) in packed.iter_mut().enumerate() {
                        *weight ^= if place % 4 < 3 { i8::MIN } else { 0 };
                    }
                }
                let mut found: Vec<i8> = packed.into_iter().filter(|&weight| weight != 0).collect();
                found.sort_unstable();
                let mut expected = weights.clone();
                expected.sort_unstable();
                assert_eq!(found, expected, "{packing:?}");
            }
        }
    }

    #[test]
    fn halfwords_of_dsp_are_exact() {
        let weights = [-127, -127, 127, -127, -1, 0, 0, 127];
        let mut packed = Vec::new();
        Packing::Dsp.pack(Matrix::Windows, |_, i| weights[i], 1, 8, |weight| packed.push(weight));
        for (pair, packed) in weights.chunks(2).zip(packed.chunks(2)) {
            let halfword = i16::from_le_bytes([packed[0] as u8, packed[1] as u8]);
            assert_eq!(halfword, 256 * i16::from(pair[1]) + i16::from(pair[0]));
        }
    }
}
