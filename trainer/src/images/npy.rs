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
        file.write_all(&header(images.len() as u64, shape))?;
        for image in images {
            file.write_all(image)?;
        }
        // Dropping a BufWriter would swallow the error of the last flush.
        file.into_inner()?;
        Ok(())
    })
}

/// [`save_npy`] of `count` images that `more` makes one after the other, from the given one on, so many as it likes at a time and at least
/// one.
///
/// # Errors
/// Those of `more`, an image of another length, or a file that cannot be written.
pub fn stream_npy(
    path: &Path,
    count: u64,
    shape: [usize; 3],
    mut more: impl FnMut(u64) -> Result<Vec<Vec<u8>>>,
) -> Result<()> {
    files::replace(path, |temporary| {
        let mut file = BufWriter::new(File::create(temporary)?);
        file.write_all(&header(count, shape))?;
        let mut done = 0;
        while done < count {
            let images = more(done)?;
            check(&images, shape, &[shape[2]])?;
            images.iter().take((count - done) as usize).try_for_each(|image| file.write_all(image))?;
            done += images.len() as u64;
        }
        file.into_inner()?;
        Ok(())
    })
}

/// Bytes 0..8 magic and version, 8..10 length of the rest (little-endian), then a Python dict, padded with spaces, closed by a newline.
fn header(count: u64, [height, width, channels]: [usize; 3]) -> Vec<u8> {
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
    fn a_stream_is_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let [whole, streamed] = ["a.npy", "b.npy"].map(|name| folder.path().join(name));
        let images: Vec<Vec<u8>> = (0..5).map(|value| vec![value; 4]).collect();
        save_npy(&whole, &images, [2, 2, 1]).unwrap();
        let two = |from: u64| Ok(images.iter().skip(from as usize).take(2).cloned().collect());
        stream_npy(&streamed, 5, [2, 2, 1], two).unwrap();
        assert_eq!(std::fs::read(whole).unwrap(), std::fs::read(streamed).unwrap());
    }

    #[test]
    fn data_is_aligned_for_every_length() {
        for count in (0..12).map(|power| 10u64.pow(power)) {
            assert_eq!(header(count, [28, 28, 1]).len() % ALIGNMENT, 0);
        }
    }
}
