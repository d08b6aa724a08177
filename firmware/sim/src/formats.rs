//! A linked program as the files that boards take: UF2, Intel HEX, or the bytes of flash as they are.

use anyhow::{Context, Result, ensure};
use ihex::Record;
use serde::{Deserialize, Serialize};

use crate::binary::segments;

/// Bytes from the first to the last address at most, where a file has no addresses of its own.
const LONGEST: u64 = 64 << 20;

/// Bytes of flash in a UF2 block, as boot loaders want them; the format has room for more.
const PAGE: usize = 256;

/// A file that a program can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// USB Flashing Format, for a family of chips.
    #[serde(skip)]
    Uf2(u32),
    /// Intel HEX.
    Hex,
    /// The bytes of flash from the first to the last, with no address.
    Bin,
    /// What the linker made.
    #[serde(skip)]
    Elf,
}

impl Format {
    /// Its file extension.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Uf2(_) => "uf2",
            Self::Hex => "hex",
            Self::Bin => "bin",
            Self::Elf => "elf",
        }
    }

    /// The file.
    ///
    /// # Errors
    ///
    /// When `elf` is not an ELF file, or its pieces are too far apart.
    pub fn write(self, elf: &[u8]) -> Result<Vec<u8>> {
        match self {
            Self::Uf2(family) => uf2(&pieces(elf)?, family),
            Self::Hex => hex(&pieces(elf)?),
            Self::Bin => bin(&pieces(elf)?),
            Self::Elf => Ok(elf.to_vec()),
        }
    }
}

/// What is loaded, by address.
type Pieces = Vec<(u64, Vec<u8>)>;

fn pieces(elf: &[u8]) -> Result<Pieces> {
    let segments = segments(elf).context("expected an ELF file of a program, found something else")?;
    let loaded = segments.into_iter().filter(|segment| !segment.bytes.is_empty());
    let mut pieces: Pieces = loaded.map(|segment| (segment.loaded_at, segment.bytes)).collect();
    pieces.sort_unstable();
    ensure!(!pieces.is_empty(), "expected an ELF file of a program, found one that loads nothing");
    Ok(pieces)
}

/// The bytes from the first address on; between pieces they are as in erased flash.
fn bin(pieces: &Pieces) -> Result<Vec<u8>> {
    let start = pieces[0].0;
    let mut bytes = Vec::new();
    for (address, piece) in pieces {
        let at = address - start;
        ensure!(at < LONGEST, "the program's pieces at {start:#x} and {address:#x} are too far apart for a plain file");
        bytes.resize(bytes.len().max(at as usize), 0xFF);
        bytes.truncate(at as usize);
        bytes.extend(piece);
    }
    Ok(bytes)
}

/// Intel, Hexadecimal Object File Format Specification, revision A (1988): records 00 data, 01 end, 04 upper half of the address.
fn hex(pieces: &Pieces) -> Result<Vec<u8>> {
    let mut records = Vec::new();
    let mut upper = 0;
    for (address, piece) in pieces {
        let mut address = u32::try_from(*address).context("Intel HEX has addresses of 32 bits")?;
        let mut rest = piece.as_slice();
        while !rest.is_empty() {
            if address >> 16 != upper {
                upper = address >> 16;
                records.push(Record::ExtendedLinearAddress(upper as u16));
            }
            // Up to the next multiple of 16, so that no record reaches over the end of the 64 KiB that it can address.
            let (value, later) = rest.split_at(rest.len().min(16 - (address % 16) as usize));
            records.push(Record::Data { offset: address as u16, value: value.to_vec() });
            address = address.wrapping_add(value.len() as u32);
            rest = later;
        }
    }
    records.push(Record::EndOfFile);
    let text = ihex::create_object_file_representation(&records).context("could not write Intel HEX")?;
    Ok((text.trim_end().to_owned() + "\n").into_bytes())
}

/// Microsoft, UF2 specification (<https://github.com/microsoft/uf2>): blocks of 512 bytes, each of which holds a page of flash.
fn uf2(pieces: &Pieces, family: u32) -> Result<Vec<u8>> {
    const HEAD: [u32; 2] = [0x0A32_4655, 0x9E5D_5157];
    const TAIL: u32 = 0x0AB1_6F30;
    const FAMILY_IS_GIVEN: u32 = 0x2000;
    /// Bytes between the header and the last word.
    const ROOM: usize = 476;

    // Boot loaders write whole pages, so pieces that share one must come in one block.
    let mut pages: Vec<(u64, [u8; PAGE])> = Vec::new();
    for (address, piece) in pieces {
        for (address, &byte) in (*address..).zip(piece) {
            let page = address - address % PAGE as u64;
            if pages.last().is_none_or(|(last, _)| *last != page) {
                pages.push((page, [0xFF; PAGE]));
            }
            if let Some((_, bytes)) = pages.last_mut() {
                bytes[(address - page) as usize] = byte;
            }
        }
    }
    let mut file = Vec::with_capacity(512 * pages.len());
    for (index, (address, bytes)) in pages.iter().enumerate() {
        let address = u32::try_from(*address).context("UF2 has addresses of 32 bits")?;
        let [head, magic] = HEAD;
        let header = [head, magic, FAMILY_IS_GIVEN, address, PAGE as u32, index as u32, pages.len() as u32, family];
        file.extend(header.iter().flat_map(|word| word.to_le_bytes()));
        file.extend(bytes);
        file.extend([0; ROOM - PAGE]);
        file.extend(TAIL.to_le_bytes());
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary::tests::elf;

    /// Code, and behind it in flash the values of variables; then variables that are cleared.
    fn program() -> Vec<u8> {
        elf(&[
            (0x1000_0000, 0x1000_0000, 300, 300),
            (0x1000_0130, 0x2000_0000, 8, 12),
            (0x2000_000C, 0x2000_000C, 0, 50),
            (0x1001_0FF8, 0x1001_0FF8, 16, 16),
        ])
    }

    /// What [`program`] has at an address.
    fn byte(address: u32) -> Option<u8> {
        let at = match address {
            0x1000_0000..0x1000_012C => address - 0x1000_0000,
            0x1000_0130..0x1000_0138 => 300 + address - 0x1000_0130,
            0x1001_0FF8..0x1001_1008 => 308 + address - 0x1001_0FF8,
            _ => return None,
        };
        Some(at as u8)
    }

    #[test]
    fn plain_bytes() {
        let bytes = Format::Bin.write(&program()).unwrap();
        assert_eq!(bytes.len(), 0x1_1008);
        for (address, found) in (0x1000_0000..).zip(bytes) {
            assert_eq!(found, byte(address).unwrap_or(0xFF), "{address:#x}");
        }
        let far = elf(&[(0, 0, 4, 4), (0x2000_0000, 0x2000_0000, 4, 4)]);
        assert!(Format::Bin.write(&far).unwrap_err().to_string().contains("too far apart"));
        assert!(Format::Bin.write(b"\x7fELF").unwrap_err().to_string().starts_with("expected an ELF file"));
    }

    #[test]
    fn intel_hex() {
        let text = String::from_utf8(Format::Hex.write(&program()).unwrap()).unwrap();
        let (mut upper, mut found) = (0, 0);
        let records: Vec<Record> = ihex::Reader::new(&text).map(Result::unwrap).collect();
        for record in &records {
            match record {
                Record::ExtendedLinearAddress(half) => upper = u32::from(*half) << 16,
                Record::Data { offset, value } => {
                    assert!(usize::from(*offset) + value.len() <= 0x1_0000, "no record leaves its 64 KiB");
                    for (address, &value) in (upper + u32::from(*offset)..).zip(value) {
                        assert_eq!(Some(value), byte(address), "{address:#x}");
                        found += 1;
                    }
                }
                Record::EndOfFile => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(found, 324);
        assert_eq!(records.last(), Some(&Record::EndOfFile));
        assert!(text.ends_with(":00000001FF\n") && !text.ends_with("\n\n"));
        // Worked out by hand: length, address, type, bytes, and what makes the sum of all 0.
        assert!(text.starts_with(":020000041000EA\n:10000000000102030405060708090A0B0C0D0E0F78\n"), "{}", &text[..80]);
    }

    #[test]
    fn uf2_blocks() {
        let file = Format::Uf2(0xE48B_FF56).write(&program()).unwrap();
        let pages = [0x1000_0000u32, 0x1000_0100, 0x1001_0F00, 0x1001_1000];
        assert_eq!(file.len(), 512 * pages.len());
        for (index, (block, page)) in file.chunks(512).zip(pages).enumerate() {
            let word = |at: usize| u32::from_le_bytes(block[at..at + 4].try_into().unwrap());
            assert_eq!(&block[..4], b"UF2\n");
            assert_eq!([word(4), word(508)], [0x9E5D_5157, 0x0AB1_6F30]);
            // Flags, address, bytes, number of the block, blocks, family.
            assert_eq!([8, 12, 16, 20, 24, 28].map(word), [0x2000, page, 256, index as u32, 4, 0xE48B_FF56]);
            for (address, &found) in (page..).zip(&block[32..288]) {
                assert_eq!(found, byte(address).unwrap_or(0xFF), "{address:#x}");
            }
            assert!(block[288..508].iter().all(|&byte| byte == 0));
        }
    }
}
