//! The model file and every check of it.
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

use crate::error::{Fault, ParseError};
use crate::fixed;
use crate::graph::{Bank, Edge, Graph, MAX_EDGES, Op, Padding, Shape};
use crate::kernels::{self, Kernel, Native};
use crate::packing::{Matrix, Packing, SCRATCH_ALIGNMENT};
use crate::{ops, stream};

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

/// A checked model. It borrows the file; weights are never copied.
#[derive(Debug)]
pub struct Model<'a> {
    graph: Graph<'a>,
    data: &'a [u8],
    packing: Packing,
    /// Where each edge's ring starts in the arena.
    offsets: [u32; MAX_EDGES],
    /// Where the kernel's working memory starts, unaligned as the arena may be.
    scratch: u32,
    arena_bytes: u32,
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
        let graph = match postcard::take_from_bytes::<Graph<'a>>(graph) {
            Ok((graph, [])) => graph,
            _ => return Err(ParseError::Graph),
        };
        let mut model = Self { graph, data, packing, offsets: [0; MAX_EDGES], scratch: 0, arena_bytes: 0 };
        model.check()?;
        Ok(model)
    }

    /// The order of its weights.
    pub fn packing(&self) -> Packing {
        self.packing
    }

    /// The name given at export.
    pub fn name(&self) -> &'a str {
        self.graph.name
    }

    /// Everything but the weights.
    pub fn graph(&self) -> &Graph<'a> {
        &self.graph
    }

    /// Shape of the image.
    pub fn output(&self) -> Shape {
        self.graph.edges.last().map_or(Shape { h: 0, w: 0, c: 0 }, |edge| edge.shape)
    }

    /// How many classes can be drawn by choice, 0 for a model without classes: see [`Point::class`](crate::latent::Point::class).
    pub fn classes(&self) -> u16 {
        self.graph.classes()
    }

    /// Bytes of RAM that a [`Generator`](crate::Generator) needs: all rings together, and what the kernel works in.
    pub fn arena_bytes(&self) -> usize {
        self.arena_bytes as usize
    }

    /// Weights, biases, multipliers and tables; the offsets of a [`Bank`] count from its start.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Where the ring of `edge` starts in the arena.
    pub(crate) fn offset(&self, edge: usize) -> usize {
        self.offsets.get(edge).copied().unwrap_or(0) as usize
    }

    /// Where the kernel's working memory starts in the arena. It goes to the end.
    pub(crate) fn scratch(&self) -> usize {
        self.scratch as usize
    }

    /// Bytes of a matrix of weights.
    pub(crate) fn matrix_bytes(&self, matrix: Matrix, channels: usize, depth: usize) -> usize {
        // `check` saw that it fits into the file.
        self.packing.matrix_bytes(matrix, channels, depth) as usize
    }

    /// `count` bytes of weights from byte `from` of a bank on.
    pub(crate) fn weights(&self, bank: &Bank, from: usize, count: usize) -> &'a [i8] {
        bytes(self.data, bank.weights, from, count)
            .and_then(|bytes| bytemuck::try_cast_slice(bytes).ok())
            .unwrap_or(&[])
    }

    /// The `count` channels of block `block` of a bank of `blocks`.
    #[inline(never)]
    pub(crate) fn channels(&self, bank: &Bank, blocks: usize, block: usize, count: usize) -> kernels::Channels<'a> {
        let (blocks, block) = if bank.shared { (1, 0) } else { (blocks, block) };
        let words =
            |start: usize| bytes(self.data, bank.channels, 4 * start * count, 4 * count).and_then(words).unwrap_or(&[]);
        kernels::Channels {
            bias: words(block),
            multiplier: words(blocks + block),
            output: fixed::Output {
                zero_point: bank.zero_point,
                low: bank.low,
                high: bank.high,
                table: bank.table.and_then(|table| self.table(table)),
            },
        }
    }

    fn table(&self, offset: u32) -> Option<&'a [i8; 256]> {
        bytemuck::try_cast_slice(bytes(self.data, offset, 0, 256)?).ok()?.try_into().ok()
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

impl Model<'_> {
    /// All rules of the graph; finds where each ring starts and the size of the arena.
    #[inline(never)]
    fn check(&mut self) -> Result<(), ParseError> {
        let Self { graph, data, packing, offsets, .. } = self;
        let at = |edge: usize| move |fault| ParseError::Edge { edge: edge as u8, fault };
        if graph.ops.is_empty() || graph.edges.len() != graph.ops.len() + 1 {
            return Err(at(0)(Fault::Count));
        }
        let mut end = 0u64;
        for (index, (edge, offset)) in graph.edges.iter().zip(offsets).enumerate() {
            check_edge(edge).map_err(at(index))?;
            *offset = end as u32;
            end += edge.ring_bytes() as u64;
            if end > i32::MAX as u64 {
                return Err(at(index)(Fault::Size));
            }
        }
        if let Some(latent) = graph.edges.first() {
            // What edge 0 has beyond the latent vector are classes.
            let shape = Shape { h: 1, w: 1, c: latent.shape.c.max(graph.latent.dims) };
            let whole = u32::from(latent.ring_rows) == latent.padded_rows();
            if latent.shape != shape || latent.zero_point != 0 || !whole {
                return Err(at(0)(Fault::Shape));
            }
        }
        let mut most = 0;
        for (index, op) in graph.ops.iter().enumerate() {
            let (Some(source), Some(output)) = (graph.edges.get(op.source()), graph.edges.get(index + 1)) else {
                return Err(at(index + 1)(Fault::Source));
            };
            if op.source() > index {
                return Err(at(index + 1)(Fault::Source));
            }
            ops::check(op, source, output, *packing, data).map_err(at(index + 1))?;
            if index + 1 < graph.ops.len() {
                check_codes(op.bank(), output, data).map_err(at(index + 1))?;
            }
            let (matrix, depth) = ops::matrix(op, source);
            most = packing.scratch_bytes(matrix, usize::from(output.shape.c), depth).max(most);
        }
        if graph.edges.last().is_some_and(|image| image.padding != Padding::default()) {
            return Err(at(graph.ops.len())(Fault::Padding));
        }
        stream::rehearse(graph, |edge, rows| match graph.edges.get(edge) {
            Some(ring) if rows <= u32::from(ring.ring_rows) => Ok(()),
            _ => Err(at(edge)(Fault::Ring)),
        })?;
        self.scratch = end as u32;
        // The arena may start at any address; what is skipped to align the scratch is counted here.
        let slack = if most > 0 { SCRATCH_ALIGNMENT - 1 } else { 0 };
        end += (most + slack) as u64;
        self.arena_bytes = u32::try_from(end).map_err(|_| at(graph.ops.len())(Fault::Size))?;
        Ok(())
    }
}

/// Codes that another operator reads are −127 … 127, whatever the sums: see [`fixed`].
#[inline(never)]
fn check_codes(bank: &Bank, output: &Edge, data: &[u8]) -> Result<(), Fault> {
    let least = match bank.table {
        Some(table) => bytes(data, table, 0, 256).unwrap_or(&[]).iter().map(|&code| code as i8).min().unwrap_or(0),
        None => bank.low,
    };
    if least.min(output.zero_point) < fixed::LEAST_CODE { Err(Fault::Range) } else { Ok(()) }
}

#[inline(never)]
fn check_edge(edge: &Edge) -> Result<(), Fault> {
    if edge.shape.is_empty() {
        return Err(Fault::Shape);
    }
    // The largest row has 65535² values, which with its padding does not fit 32 bits.
    let pixels = u64::from(edge.shape.w) + u64::from(edge.padding.left) + u64::from(edge.padding.right);
    let row = pixels * u64::from(edge.shape.c) + 3;
    if row * u64::from(edge.ring_rows) > i32::MAX as u64 {
        return Err(Fault::Size);
    }
    if edge.ring_rows == 0 || u32::from(edge.ring_rows) > edge.padded_rows() {
        return Err(Fault::Ring);
    }
    Ok(())
}

/// The rules of a bank with `blocks` blocks of `channels` channels and `weights` weights in all.
#[inline(never)]
pub(crate) fn check_bank(
    bank: &Bank,
    weights: u64,
    blocks: usize,
    channels: u16,
    data_len: usize,
) -> Result<(), Fault> {
    if bank.low > bank.high {
        return Err(Fault::Range);
    }
    let inside =
        |offset: u32, len: u64| offset.is_multiple_of(ALIGNMENT as u32) && u64::from(offset) + len <= data_len as u64;
    let sets = if bank.shared { 1 } else { blocks as u64 };
    let table = bank.table.is_none_or(|table| inside(table, 256));
    if inside(bank.weights, weights) && inside(bank.channels, 8 * sets * u64::from(channels)) && table {
        Ok(())
    } else {
        Err(Fault::Data)
    }
}

/// What [`crate::stream`] asks of an operator.
impl Op {
    /// Its weights.
    fn bank(&self) -> &Bank {
        match self {
            Op::Dense(dense) => &dense.bank,
            Op::PhaseConv(conv) => &conv.bank,
        }
    }

    /// First and last row of its source, counted without padding, that row `y` of its output reads. `None`: no row.
    pub fn reads(&self, y: u16) -> Option<(i32, i32)> {
        match self {
            Op::Dense(_) => Some((0, 0)),
            Op::PhaseConv(conv) => conv.vertical.reads(y),
        }
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
