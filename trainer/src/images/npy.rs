//! NumPy's array format: uint8 images are written, float32 vectors are read.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

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

/// Reads vectors of float32 from a file: `[N, z]`, or `[N, z, 1, …]`.
///
/// # Errors
///
/// When it cannot be read, or is no such file.
pub fn load_npy(path: &Path) -> Result<Vec<Vec<f32>>> {
    parse(&std::fs::read(path)?)
}

fn parse(bytes: &[u8]) -> Result<Vec<Vec<f32>>> {
    let expected = "expected float32 [N, z] as numpy.save writes it";
    let remedy = "save z.astype('float32')";
    // Magic, two bytes of version, the length of the dict in two or, from version 2 on, four bytes.
    let version = bytes.strip_prefix(&MAGIC[..6]).and_then(|rest| rest.first_chunk::<2>());
    let (start, length) = match (version, bytes.get(8..12)) {
        (Some([1, _]), Some(size)) => (10, usize::from(u16::from_le_bytes([size[0], size[1]]))),
        (Some([2 | 3, _]), Some(size)) => (12, u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize),
        _ => bail!("{expected}, found another kind of file: {remedy}"),
    };
    let dict = bytes.get(start..).and_then(|rest| rest.get(..length)).and_then(|dict| std::str::from_utf8(dict).ok());
    let dict = dict.with_context(|| format!("{expected}, found a file that is cut off: {remedy}"))?;
    let entry = |key: &str| Some(dict.split_once(key)?.1.trim_start_matches(['\'', ':', ' ']));
    ensure!(
        entry("descr").is_some_and(|kind| kind.starts_with("<f4")),
        "{expected}, found another type in {}: {remedy}",
        dict.trim()
    );
    ensure!(
        entry("fortran_order").is_some_and(|order| order.starts_with("False")),
        "{expected}, found columns first: save numpy.ascontiguousarray(z)"
    );
    let shape = entry("shape").and_then(|shape| shape.strip_prefix('(')?.split_once(')'));
    let sizes: Option<Vec<usize>> = shape.and_then(|(sizes, _)| {
        sizes.split(',').map(str::trim).filter(|size| !size.is_empty()).map(|size| size.parse().ok()).collect()
    });
    let (count, width) = match sizes.as_deref() {
        Some([count, width, rest @ ..]) if *count > 0 && *width > 0 && rest.iter().all(|&size| size == 1) => {
            (*count, *width)
        }
        _ => bail!("{expected}, found {}: {remedy}", dict.trim()),
    };
    let values = bytes[start + length..].as_chunks().0;
    ensure!(
        count.checked_mul(width) == Some(values.len()),
        "{expected}, found {} values for [{count}, {width}]: {remedy}",
        values.len()
    );
    let values: Vec<f32> = values.iter().map(|&word| f32::from_le_bytes(word)).collect();
    Ok(values.chunks_exact(width).map(<[f32]>::to_vec).collect())
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

    /// A file as numpy writes it.
    fn floats(descr: &str, shape: &str, values: &[f32]) -> Vec<u8> {
        let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut bytes = MAGIC.to_vec();
        bytes.extend((dict.len() as u16).to_le_bytes());
        bytes.extend(dict.as_bytes());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        bytes
    }

    #[test]
    fn vectors_are_read_as_numpy_writes_them() {
        let values = [1.0, -2.5, 0.0, 3.0, 4.0, 5.0];
        let expected = [[1.0, -2.5, 0.0], [3.0, 4.0, 5.0]];
        for shape in ["(2, 3)", "(2, 3, 1, 1)"] {
            assert_eq!(parse(&floats("<f4", shape, &values)).unwrap(), expected);
        }
        // Version 2 has a longer length.
        let mut second = floats("<f4", "(2, 3)", &values);
        second[6] = 2;
        second.splice(10..10, [0, 0]);
        assert_eq!(parse(&second).unwrap(), expected);
    }

    #[test]
    fn what_is_no_list_of_vectors_is_refused() {
        for (bytes, found) in [
            (b"PK\x03\x04 something".to_vec(), "another kind of file"),
            (floats("<f8", "(2, 3)", &[0.0; 12]), "another type"),
            (floats("<f4", "(6,)", &[0.0; 6]), "(6,)"),
            (floats("<f4", "(2, 3, 2)", &[0.0; 12]), "(2, 3, 2)"),
            (floats("<f4", "(2, 3)", &[0.0; 5]), "5 values"),
            (floats("<f4", "(4611686018427387904, 4)", &[]), "0 values"),
            (MAGIC.to_vec(), "another kind of file"),
            (floats("<f4", "(2, 3)", &[0.0; 6])[..40].to_vec(), "cut off"),
        ] {
            let error = parse(&bytes).unwrap_err().to_string();
            assert!(error.contains(found) && !error.contains('\n'), "{error}");
        }
    }
}
