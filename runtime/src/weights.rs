//! The data of a model: where weights, biases, multipliers, tables and constants are found, and that they are there.

use crate::error::Fault;
use crate::fixed;
use crate::format::ALIGNMENT;
use crate::graph::{Node, Rounding};
use crate::kernels;
#[cfg(feature = "all-operators")]
use crate::kernels::wide::Target;
use crate::packing::{Matrix, Packing};

/// Bytes of a table of int16 codes for int16 codes.
pub(crate) const WIDE_TABLE_BYTES: usize = 2 * 257;

/// The data of a model with the order of its weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights<'a> {
    pub(crate) packing: Packing,
    pub(crate) data: &'a [u8],
}

impl<'a> Weights<'a> {
    /// Bytes of a matrix of weights.
    pub(crate) fn matrix_bytes(&self, matrix: Matrix, channels: usize, depth: usize) -> usize {
        // `check` saw that it fits into the file.
        self.packing.matrix_bytes(matrix, channels, depth) as usize
    }

    /// `count` bytes from byte `from` after `offset` on.
    pub(crate) fn codes(&self, offset: u32, from: usize, count: usize) -> &'a [i8] {
        bytes(self.data, offset, from, count).and_then(|bytes| bytemuck::try_cast_slice(bytes).ok()).unwrap_or(&[])
    }

    /// All bytes from byte `from` after `offset` on.
    pub(crate) fn codes_from(&self, offset: u32, from: usize) -> &'a [i8] {
        let start = (offset as usize).saturating_add(from);
        self.data.get(start..).and_then(|bytes| bytemuck::try_cast_slice(bytes).ok()).unwrap_or(&[])
    }

    /// The `count` channels of block `block` of `blocks`.
    #[inline(never)]
    pub(crate) fn channels(
        &self,
        rounding: &Rounding,
        blocks: usize,
        block: usize,
        count: usize,
    ) -> kernels::Channels<'a> {
        let (blocks, block) = if rounding.shared != 0 { (1, 0) } else { (blocks, block) };
        let from = |start: usize| bytes(self.data, rounding.channels, 4 * start * count, 4 * (blocks + 1) * count);
        // From the block's biases to the end of its multipliers.
        let words = from(block).and_then(words).unwrap_or(&[]);
        kernels::Channels {
            bias: words.get(..count).unwrap_or(&[]),
            multiplier: words.get(blocks * count..).unwrap_or(&[]),
            output: fixed::Output {
                zero_point: rounding.zero_point,
                low: rounding.low,
                high: rounding.high,
                table: self.table(rounding.table),
            },
        }
    }

    /// How the sums of a node become codes, of which `channels` know all if they are int8.
    #[cfg(feature = "all-operators")]
    pub(crate) fn target(&self, node: &Node, channels: &kernels::Channels<'a>) -> Target<'a> {
        if !node.is_wide() {
            return Target::Int8(channels.output);
        }
        let rounding = &node.rounding;
        let [low, high] = [rounding.low, rounding.high].map(|byte| i16::from(byte) << 8);
        Target::Int16(fixed::WideOutput { low, high: high | 0xFF, table: self.wide_table(rounding.table) })
    }

    /// The table of 257 values at an offset, if there is one.
    #[cfg(feature = "all-operators")]
    pub(crate) fn wide_table(&self, offset: u32) -> Option<&'a [i16; 257]> {
        bytemuck::try_cast_slice(bytes(self.data, offset, 0, WIDE_TABLE_BYTES)?).ok()?.try_into().ok()
    }

    /// The table at an offset, if there is one.
    pub(crate) fn table(&self, offset: u32) -> Option<&'a [i8; 256]> {
        bytemuck::try_cast_slice(bytes(self.data, offset, 0, 256)?).ok()?.try_into().ok()
    }

    /// Whether `len` bytes lie in the data from an aligned offset on.
    pub(crate) fn check(&self, offset: u32, len: u64) -> Result<(), Fault> {
        let end = u64::from(offset).checked_add(len);
        if offset.is_multiple_of(ALIGNMENT as u32) && end.is_some_and(|end| end <= self.data.len() as u64) {
            Ok(())
        } else {
            Err(Fault::Data)
        }
    }

    /// The rules of a node's rounding with `blocks` blocks of `channels` channels. Gives the least int8 code that it
    /// makes.
    #[inline(never)]
    pub(crate) fn check_rounding(&self, node: &Node, blocks: usize, channels: usize) -> Result<i8, Fault> {
        let rounding = &node.rounding;
        if rounding.low > rounding.high {
            return Err(Fault::Range);
        }
        let sets = if rounding.shared != 0 { 1 } else { blocks as u64 };
        self.check(rounding.channels, 8 * sets * channels as u64)?;
        if node.is_wide() {
            if rounding.zero_point != 0 {
                return Err(Fault::Width);
            }
            return rounding.table().map_or(Ok(0), |table| self.check(table, WIDE_TABLE_BYTES as u64).map(|()| 0));
        }
        match rounding.table() {
            Some(table) => self.check_tables(table, 1),
            None => Ok(rounding.low),
        }
    }

    /// That `count` tables are there, one behind the other. Gives their least code.
    #[inline(never)]
    pub(crate) fn check_tables(&self, offset: u32, count: usize) -> Result<i8, Fault> {
        self.check(offset, 256 * count as u64)?;
        Ok(self.least(offset, 256 * count))
    }

    /// The least of `len` codes from `offset` on.
    #[inline(never)]
    pub(crate) fn least(&self, offset: u32, len: usize) -> i8 {
        self.codes(offset, 0, len).iter().copied().min().unwrap_or(0)
    }
}

/// The part of `data` that starts `from` bytes after `offset`.
fn bytes(data: &[u8], offset: u32, from: usize, len: usize) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?.checked_add(from)?;
    data.get(start..start.checked_add(len)?)
}

fn words(bytes: &[u8]) -> Option<&[i32]> {
    const { assert!(cfg!(target_endian = "little"), "model files are little-endian and read in place") };
    bytemuck::try_cast_slice(bytes).ok()
}
