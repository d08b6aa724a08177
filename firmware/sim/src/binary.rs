//! A linked program as bytes at addresses.

use object::elf::{FileHeader32, FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind};

/// A piece of a program, as the ELF file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it is put before the program starts: in flash, or where a loader puts it.
    pub loaded_at: u64,
    /// Where the program uses it; start-up code copies it there, if that is elsewhere.
    pub used_at: u64,
    /// What is put there.
    pub bytes: Vec<u8>,
    /// Bytes that it takes when used, those included that start-up code clears.
    pub size: u64,
}

/// The segments of an ELF file of 32 or 64 bits that are loaded or take memory; `None` for anything else.
pub fn segments(elf: &[u8]) -> Option<Vec<Segment>> {
    match FileKind::parse(elf).ok()? {
        FileKind::Elf32 => read::<FileHeader32<Endianness>>(elf),
        FileKind::Elf64 => read::<FileHeader64<Endianness>>(elf),
        _ => None,
    }
}

fn read<Elf: FileHeader<Endian = Endianness>>(elf: &[u8]) -> Option<Vec<Segment>> {
    let header = Elf::parse(elf).ok()?;
    let endian = header.endian().ok()?;
    let mut segments = Vec::new();
    for segment in header.program_headers(endian, elf).ok()? {
        let size = segment.p_memsz(endian).into();
        if segment.p_type(endian) == PT_LOAD && size > 0 {
            segments.push(Segment {
                loaded_at: segment.p_paddr(endian).into(),
                used_at: segment.p_vaddr(endian).into(),
                bytes: segment.data(endian, elf).ok()?.to_vec(),
                size,
            });
        }
    }
    Some(segments)
}

/// Bytes in flash and in RAM of an ELF file, by its segments: what is loaded is in flash, and what is used elsewhere than it
/// is loaded, or only cleared, is in RAM. This holds wherever a chip has its flash and RAM.
pub fn sizes(elf: &[u8]) -> Option<(u32, u32)> {
    let (mut flash, mut ram) = (0, 0);
    for segment in segments(elf)? {
        let loaded = segment.bytes.len() as u64;
        flash += loaded;
        ram +=
            if segment.used_at == segment.loaded_at { segment.size - loaded.min(segment.size) } else { segment.size };
    }
    Some((flash.try_into().ok()?, ram.try_into().ok()?))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An ELF file of 32 bits with segments of `(paddr, vaddr, file size, memory size)`, as the specification lays it out.
    pub fn elf(segments: &[(u32, u32, u32, u32)]) -> Vec<u8> {
        let mut file = b"\x7fELF\x01\x01\x01".to_vec();
        file.resize(16, 0);
        let count = segments.len() as u16;
        file.extend([2u16, 40].iter().flat_map(|half| half.to_le_bytes())); // an executable for ARM
        file.extend([1u32, 0, 52, 0, 0].iter().flat_map(|word| word.to_le_bytes())); // segments right behind the header
        file.extend([52u16, 32, count, 40, 0, 0].iter().flat_map(|half| half.to_le_bytes()));
        let mut offset = 52 + 32 * u32::from(count);
        for &(paddr, vaddr, stored, size) in segments {
            let words = [PT_LOAD.0, offset, vaddr, paddr, stored, size, 0, 4];
            file.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            offset += stored;
        }
        file.extend((0..offset - 52 - 32 * u32::from(count)).map(|index| index as u8));
        file
    }

    #[test]
    fn sizes_by_segments() {
        // Vectors and code; variables with values, copied; cleared variables.
        let program = [(0x800_0000, 0x800_0000, 100, 100), (0x800_0064, 0x2000_0000, 8, 12), (0, 0x2000_000C, 0, 50)];
        assert_eq!(sizes(&elf(&program)), Some((108, 62)));
        let found = segments(&elf(&program)).unwrap();
        assert_eq!((found[1].loaded_at, found[1].used_at), (0x800_0064, 0x2000_0000));
        assert_eq!(found[1].bytes, (100..108).collect::<Vec<u8>>());
        // Cleared memory that some linkers place where it is used.
        assert_eq!(sizes(&elf(&[(0x2000_0000, 0x2000_0000, 0, 50)])), Some((0, 50)));
    }

    #[test]
    fn sizes_of_nonsense() {
        assert_eq!(sizes(b""), None);
        assert_eq!(sizes(b"\x7fELF\x01\x01 cut off"), None);
        let mut cut = elf(&[(0, 0, 100, 100)]);
        cut.truncate(150);
        assert_eq!(sizes(&cut), None);
    }
}
