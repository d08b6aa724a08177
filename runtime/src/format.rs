//! The model file: header, lengths and checksum. `docs/format.md` describes all of it.
//!
//! ```text
//!  0  magic "EGM1"
//!  4  format version: major u16, minor u16
//!  8  about_len u32
//! 12  data_len u32
//! 16  crc32 u32 (ISO-HDLC, the one of zip and PNG) over everything from offset 20 to the end
//! 20  packing u16, see `Packing`
//! 22  number of nodes u16
//! 24  reserved: 8 bytes, written as zeros and not looked at
//! 32  nodes: 112 bytes each, see `graph::Node`
//!     about: postcard encoding of `graph::About`, about_len bytes, then zeros up to a multiple of 16
//!     data: data_len bytes; int8 weights, i32 biases and multipliers, tables, constants; each starts at a multiple of 16
//! ```
//!
//! All numbers are little-endian. The file has exactly the length that its header tells.

use crate::error::ParseError;
use crate::graph::{NODE_BYTES, Node};
use crate::packing::Packing;

/// The first four bytes.
pub const MAGIC: [u8; 4] = *b"EGM1";
/// Major and minor version of the format. A reader takes its own major with any minor up to its own; a file has the
/// least minor one that knows what is in it, see `docs/format.md`.
pub const VERSION: (u16, u16) = (3, 5);
/// Bytes before the nodes.
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
    /// Length of what the model says about itself, without its padding.
    pub const ABOUT_LEN: Range<usize> = 8..12;
    /// Length of the data.
    pub const DATA_LEN: Range<usize> = 12..16;
    /// Checksum.
    pub const CRC: Range<usize> = 16..20;
    /// Where the checksummed part starts.
    pub const CHECKED: usize = 20;
    /// Code of the packing.
    pub const PACKING: Range<usize> = 20..22;
    /// Number of nodes.
    pub const NODES: Range<usize> = 22..24;
}

/// The parts of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sections<'a> {
    pub(crate) packing: Packing,
    pub(crate) nodes: &'a [Node],
    pub(crate) about: &'a [u8],
    pub(crate) data: &'a [u8],
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

/// Checks header, lengths and checksum.
#[inline(never)]
pub(crate) fn split(file: &[u8]) -> Result<Sections<'_>, ParseError> {
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
        return Err(ParseError::Version { expected: VERSION, found: (major, minor) });
    }
    let (about_len, data_len) = (word(field::ABOUT_LEN), word(field::DATA_LEN));
    let nodes_len = word(field::NODES) as usize * NODE_BYTES;
    let data_start = nodes_len as u64 + u64::from(about_len).next_multiple_of(ALIGNMENT as u64);
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
    // The lengths are within the file, so they fit a usize.
    let parts = || {
        let (nodes, rest) = body.split_at_checked(nodes_len)?;
        let nodes = bytemuck::try_cast_slice(nodes).ok()?;
        let about = rest.get(..about_len as usize)?;
        Some(Sections { packing, nodes, about, data: body.get(data_start as usize..)? })
    };
    parts().ok_or(ParseError::About)
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
