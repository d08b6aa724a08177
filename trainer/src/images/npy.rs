//! NumPy's array format, version 1.0, for uint8 images.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;

use super::check;
use crate::files;

const MAGIC: &[u8; 8] = b"\x93NUMPY\x01\x00";
/// The data starts at a multiple of this, so that readers can map the file.
const ALIGNMENT: usize = 64;

/// Writes `images`, each `[H, W, C]` with any `C`, as one uint8 array `[N, H, W, C]`; `numpy.load` reads it without options.
pub fn save_npy(path: &Path, images: &[Vec<u8>], shape: [usize; 3]) -> Result<()> {
    check(images, shape, &[shape[2]])?;
    files::replace(path, |temporary| {
        let mut file = BufWriter::new(File::create(temporary)?);
        file.write_all(&header(images.len(), shape))?;
        for image in images {
            file.write_all(image)?;
        }
        // Dropping a BufWriter would swallow the error of the last flush.
        file.into_inner()?;
        Ok(())
    })
}

/// Bytes 0..8 magic and version, 8..10 length of the rest (little-endian), then a Python dict, padded with spaces, closed by a newline.
fn header(count: usize, [height, width, channels]: [usize; 3]) -> Vec<u8> {
    let dict =
        format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({count}, {height}, {width}, {channels}), }}");
    let total = (MAGIC.len() + 2 + dict.len() + 1).next_multiple_of(ALIGNMENT);
    // Five integers of at most 20 digits: the length always fits 16 bits.
    let length = (total - MAGIC.len() - 2) as u16;

    let mut bytes = MAGIC.to_vec();
    bytes.extend(length.to_le_bytes());
    bytes.extend(dict.as_bytes());
    bytes.resize(total - 1, b' ');
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_exact() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        save_npy(&path, &[vec![1, 2, 3, 4], vec![5, 6, 7, 8]], [2, 2, 1]).unwrap();

        let mut expected = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        expected.extend(b"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2, 2, 1), }");
        expected.extend([b' '; 52]);
        expected.extend(b"\n\x01\x02\x03\x04\x05\x06\x07\x08");
        assert_eq!(std::fs::read(path).unwrap(), expected);
    }

    #[test]
    fn data_is_aligned_for_every_length() {
        for count in (0..12).map(|power| 10usize.pow(power)) {
            assert_eq!(header(count, [28, 28, 1]).len() % ALIGNMENT, 0);
        }
    }
}
