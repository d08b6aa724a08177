//! The model file.
//!
//! ```text
//!  0  magic "EGM1"
//!  4  format version: major u16, minor u16
//!  8  graph_len u32
//! 12  data_len u32
//! 16  crc32 u32 (ISO-HDLC, the one of zip and PNG) over everything from offset 20 to the end
//! 20  packing u16, see `Packing`
//! 22  reserved: 10 bytes, written as zeros and not looked at
//! 32  graph: postcard encoding of `Graph`, graph_len bytes, then zeros up to a multiple of 16
//!     data: data_len bytes; int8 weights, i32 biases and multipliers, tables; each starts at a multiple of 16
//! ```
//!
//! All numbers are little-endian. The file has exactly the length that its header tells.

use crate::error::ParseError;
use crate::fixed;
use crate::graph::{Graph, Latent, Shape};
use crate::kernels::{self, Kernel, Native};
use crate::latent::{Keyframes, keyframes};
use crate::packing::{Matrix, Packing};
use crate::parts::Parts;
use crate::rules::{self, Needs};
use crate::stream::{self, fixed_bytes};

/// The first four bytes.
pub const MAGIC: [u8; 4] = *b"EGM1";
/// Major and minor version of the format. A reader takes its own major with any minor up to its own.
pub const VERSION: (u16, u16) = (2, 0);
/// Bytes before the graph.
pub const HEADER_LEN: usize = 32;
/// Alignment of the file and of every part of its data.
pub const ALIGNMENT: usize = 16;

/// Where each field of the header stands.
pub mod field {
    use core::ops::Range;
    /// [`MAGIC`](super::MAGIC).
    pub const MAGIC: Range<usize> = 0..4;
    /// Major version.
    pub const MAJOR: Range<usize> = 4..6;
    /// Minor version.
    pub const MINOR: Range<usize> = 6..8;
    /// Length of the graph without its padding.
    pub const GRAPH_LEN: Range<usize> = 8..12;
    /// Length of the data.
    pub const DATA_LEN: Range<usize> = 12..16;
    /// Checksum.
    pub const CRC: Range<usize> = 16..20;
    /// Where the checksummed part starts.
    pub const CHECKED: usize = 20;
    /// Code of the packing.
    pub const PACKING: Range<usize> = 20..22;
}

/// The checksum of a model file, over its bytes from [`field::CHECKED`] on.
#[inline(never)]
pub fn checksum(checked: &[u8]) -> u32 {
    // By half bytes: a table of 64 bytes instead of 1024, for a few instructions more a byte. The file is read once.
    let shift = |crc: u32| crc >> 4 ^ CHECKSUMS[(crc & 15) as usize];
    !checked.iter().fold(!0, |crc, &byte| shift(shift(crc ^ u32::from(byte))))
}

/// What the lowest four bits of a checksum become when they are shifted out: ISO-HDLC's polynomial, bits reversed.
const CHECKSUMS: [u32; 16] = {
    let mut table = [0; 16];
    let mut index = 0;
    while index < table.len() {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 4 {
            crc = crc >> 1 ^ (if crc & 1 == 1 { 0xEDB8_8320 } else { 0 });
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

/// A checked model. It borrows the file and copies nothing of it.
#[derive(Debug)]
pub struct Model<'a> {
    /// Decoded whenever a part of it is looked at.
    graph: &'a [u8],
    data: &'a [u8],
    needs: Needs,
    packing: Packing,
    latent: Latent,
    /// How many there are.
    edges: u8,
}

impl<'a> Model<'a> {
    /// Reads a model file and checks it as a whole. Whatever the bytes are, this returns; and once it returned a model,
    /// nothing that is done with the model can fail.
    ///
    /// # Errors
    ///
    /// [`ParseError`] names the first rule that does not hold.
    pub fn parse(file: &'a [u8]) -> Result<Self, ParseError> {
        Self::parse_for(file, Native::available())
    }

    /// As [`Model::parse`], for a kernel of your choice or, without one, for the portable packing alone.
    ///
    /// # Errors
    ///
    /// [`ParseError::Packing`] where the kernel cannot read the weights, else those of [`Model::parse`].
    pub fn parse_for<K: Kernel>(file: &'a [u8], kernel: Option<K>) -> Result<Self, ParseError> {
        Self::read(file, if kernel.is_some() { &[Packing::Portable, K::PACKING] } else { &[Packing::Portable] })
    }

    /// Reads and checks a file that is perhaps packed for another CPU, for tools that look at models.
    ///
    /// # Errors
    ///
    /// As [`Model::parse`].
    pub fn parse_any(file: &'a [u8]) -> Result<Self, ParseError> {
        Self::read(file, &Packing::ALL)
    }

    /// Reads and checks a file whose packing is one of those `accepted`.
    #[inline(never)] // cold, and the same for all kernels
    fn read(file: &'a [u8], accepted: &[Packing]) -> Result<Self, ParseError> {
        let (packing, graph, data) = split(file)?;
        if !accepted.contains(&packing) {
            return Err(ParseError::Packing { found: packing });
        }
        // Not moved, which would take its bytes of the stack twice.
        let Some(parts) = &Parts::find(graph) else { return Err(ParseError::Graph) };
        let needs = rules::check(parts, packing, data)?;
        Ok(Self { graph, data, needs, packing, latent: parts.latent, edges: parts.edges.len() as u8 })
    }

    /// The order of its weights.
    pub fn packing(&self) -> Packing {
        self.packing
    }

    /// The name given at export.
    pub fn name(&self) -> &'a str {
        self.parts().name
    }

    /// Everything but the weights, as a value of more than a kilobyte: for tools. Drawing does without.
    pub fn graph(&self) -> Graph<'a> {
        self.parts().graph()
    }

    /// Shape of the image.
    pub fn output(&self) -> Shape {
        self.needs.output
    }

    /// How many classes can be drawn by choice, 0 for a model without classes: see [`Point::class`](crate::latent::Point::class).
    pub fn classes(&self) -> u16 {
        self.parts().edges.next().map_or(0, |edge| edge.shape.c.saturating_sub(self.latent.dims))
    }

    /// The walk that the file brings along, if it does.
    pub fn keyframes(&self) -> Option<Keyframes<'a>> {
        let Parts { mut edges, mut metadata, .. } = self.parts();
        let (_, text) = metadata.find(|&(key, _)| key == keyframes::KEY)?;
        Keyframes::read(text, edges.next()?.shape.c.into())
    }

    /// Bytes of RAM that a [`Generator`](crate::Generator) needs: all rings together, what the kernel works in, 64 bytes for
    /// each edge with its operator, and 15 because an arena may start anywhere.
    pub fn arena_bytes(&self) -> usize {
        self.rings_bytes() + self.scratch_bytes() + fixed_bytes(self.edges())
    }

    /// Weights, biases, multipliers and tables; the offsets of a [`Bank`](crate::graph::Bank) count from its start.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Bytes of all rings together.
    pub(crate) fn rings_bytes(&self) -> usize {
        self.needs.rings as usize
    }

    /// Bytes that the kernel works in.
    pub(crate) fn scratch_bytes(&self) -> usize {
        self.needs.scratch as usize
    }

    /// How the latent vector is drawn.
    pub(crate) fn latent(&self) -> Latent {
        self.latent
    }

    /// How many edges there are.
    pub(crate) fn edges(&self) -> usize {
        usize::from(self.edges)
    }

    /// The graph, to be decoded part by part.
    pub(crate) fn parts(&self) -> Parts<'a> {
        // It was decoded before.
        Parts::find(self.graph).unwrap_or(Parts::NONE)
    }

    /// Bytes of a matrix of weights.
    pub(crate) fn matrix_bytes(&self, matrix: Matrix, channels: usize, depth: usize) -> usize {
        // `rules` saw that it fits into the file.
        self.packing.matrix_bytes(matrix, channels, depth) as usize
    }

    /// `count` bytes of weights from byte `from` of a bank on.
    pub(crate) fn weights(&self, bank: &stream::Bank, from: usize, count: usize) -> &'a [i8] {
        bytes(self.data, bank.weights, from, count)
            .and_then(|bytes| bytemuck::try_cast_slice(bytes).ok())
            .unwrap_or(&[])
    }

    /// The `count` channels of block `block` of a bank of `blocks`.
    #[inline(never)]
    pub(crate) fn channels(
        &self,
        bank: &stream::Bank,
        blocks: usize,
        block: usize,
        count: usize,
    ) -> kernels::Channels<'a> {
        let (blocks, block) = if bank.shared != 0 { (1, 0) } else { (blocks, block) };
        let words =
            |start: usize| bytes(self.data, bank.channels, 4 * start * count, 4 * count).and_then(words).unwrap_or(&[]);
        kernels::Channels {
            bias: words(block),
            multiplier: words(blocks + block),
            output: fixed::Output {
                zero_point: bank.zero_point,
                low: bank.low,
                high: bank.high,
                table: self.table(bank.table),
            },
        }
    }

    fn table(&self, offset: u32) -> Option<&'a [i8; 256]> {
        bytemuck::try_cast_slice(bytes(self.data, offset, 0, 256)?).ok()?.try_into().ok()
    }
}

/// The part of `data` that starts `from` bytes after `offset`.
pub(crate) fn bytes(data: &[u8], offset: u32, from: usize, len: usize) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?.checked_add(from)?;
    data.get(start..start.checked_add(len)?)
}

fn words(bytes: &[u8]) -> Option<&[i32]> {
    const { assert!(cfg!(target_endian = "little"), "model files are little-endian and read in place") };
    bytemuck::try_cast_slice(bytes).ok()
}

/// Header and lengths: the packing, the graph and the data.
#[inline(never)]
fn split(file: &[u8]) -> Result<(Packing, &[u8], &[u8]), ParseError> {
    let found = file.len() as u64;
    let Some((header, body)) = file.split_at_checked(HEADER_LEN) else {
        return Err(ParseError::Length { expected: HEADER_LEN as u64, found });
    };
    let word = |range: core::ops::Range<usize>| {
        header.get(range).map_or(0, |bytes| bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte)))
    };
    if header.get(field::MAGIC) != Some(&MAGIC) {
        let found = word(field::MAGIC).to_le_bytes();
        return Err(ParseError::Magic { found });
    }
    let (major, minor) = (word(field::MAJOR) as u16, word(field::MINOR) as u16);
    if major != VERSION.0 || minor > VERSION.1 {
        return Err(ParseError::Version { major, minor });
    }
    let (graph_len, data_len) = (word(field::GRAPH_LEN), word(field::DATA_LEN));
    let data_start = u64::from(graph_len).next_multiple_of(ALIGNMENT as u64);
    let expected = HEADER_LEN as u64 + data_start + u64::from(data_len);
    if expected != found {
        return Err(ParseError::Length { expected, found });
    }
    if !(file.as_ptr() as usize).is_multiple_of(ALIGNMENT) {
        return Err(ParseError::Misaligned);
    }
    let expected = word(field::CRC);
    let found = checksum(file.get(field::CHECKED..).unwrap_or(&[]));
    if expected != found {
        return Err(ParseError::Checksum { expected, found });
    }
    let code = word(field::PACKING) as u16;
    let packing = Packing::from_code(code).ok_or(ParseError::PackingCode { found: code })?;
    // Both lengths are within the file, so they fit a usize.
    match (body.get(..graph_len as usize), body.get(data_start as usize..)) {
        (Some(graph), Some(data)) => Ok((packing, graph, data)),
        _ => Err(ParseError::Graph),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crc::{CRC_32_ISO_HDLC, Crc};

    #[test]
    fn the_checksum_is_that_of_zip_and_png() {
        let reference = Crc::<u32>::new(&CRC_32_ISO_HDLC);
        let bytes: std::vec::Vec<u8> = (0..1000u32).map(|i| (i * 31) as u8).collect();
        for len in [0, 1, 2, 15, 256, 1000] {
            assert_eq!(checksum(&bytes[..len]), reference.checksum(&bytes[..len]), "{len} bytes");
        }
        assert_eq!(checksum(b"123456789"), 0xCBF4_3926);
    }
}
