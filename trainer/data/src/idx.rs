//! The IDX format of MNIST and its relatives, plain or gzip.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..2 | zero |
//! | 2 | element type, 8 = unsigned byte: the only one read here |
//! | 3 | number of dimensions |
//! | 4.. | each dimension, u32, big-endian |
//! | then | the elements, last dimension fastest |

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::MultiGzDecoder;

use crate::dataset::{Dataset, Split};

/// An array of bytes with its dimensions, outermost first.
#[derive(Debug, PartialEq, Eq)]
struct Array {
    dimensions: Vec<usize>,
    data: Vec<u8>,
}

/// Loads images, and the labels that lie beside them under the usual name: `images` → `labels`, `idx3` → `idx1`, with or without `.gz`.
pub fn load_file(path: &Path) -> Result<Dataset> {
    let Array { dimensions, data } = read(path)?;
    let shape = match dimensions[..] {
        [_, height, width] => [height, width, 1],
        [_, height, width, channels @ (1 | 3)] => [height, width, channels],
        _ => bail!(
            "expected images of dimensions [N, H, W] or [N, H, W, 1 or 3] in {}, found {dimensions:?}: give the images file",
            path.display()
        ),
    };
    let count = dimensions[0];
    ensure!(
        !data.is_empty(),
        "expected images in {}, found the dimensions {dimensions:?}: give another file",
        path.display()
    );

    let labels = match labels_beside(path) {
        None => None,
        Some(labels_path) => {
            let labels = read(&labels_path)?;
            ensure!(
                labels.dimensions == [count],
                "expected {count} labels in {}, found the dimensions {:?}: give the labels that belong to {}",
                labels_path.display(),
                labels.dimensions,
                path.display()
            );
            Some(labels.data)
        }
    };
    Ok(Dataset { name: path.display().to_string(), images: data, labels, class_names: Vec::new(), shape })
}

/// Loads the images of one part from a folder of IDX files.
pub fn load_folder(folder: &Path, split: Split) -> Result<Dataset> {
    let is_test = |path: &PathBuf| {
        let name = file_name(path);
        name.contains("t10k") || name.contains("test")
    };
    let (test, train): (Vec<_>, Vec<_>) = images_in(folder)?.into_iter().partition(is_test);
    let (part, found) = match split {
        Split::Train => ("training", train),
        Split::Test => ("test", test),
    };
    match found.as_slice() {
        [path] => load_file(path),
        [] => bail!(
            "expected an IDX file of {part} images in {}, found none: give the path of the file",
            folder.display()
        ),
        // The same file plain and packed is one file.
        [plain, packed] if *packed == with_gz(plain) => load_file(plain),
        several => bail!(
            "expected one IDX file of {part} images in {}, found {}: give the path of the file",
            folder.display(),
            several.iter().map(|path| file_name(path)).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Whether `folder` is one and holds at least one IDX file of images, by its name.
pub fn is_idx_folder(folder: &Path) -> bool {
    images_in(folder).is_ok_and(|found| !found.is_empty())
}

fn images_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let name = file_name(&path);
        if !name.starts_with('.') && (name.contains("idx3") || name.contains("idx4")) && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn with_gz(path: &Path) -> PathBuf {
    path.with_file_name(file_name(path) + ".gz")
}

fn labels_beside(path: &Path) -> Option<PathBuf> {
    let name = file_name(path);
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    let labels = plain.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1");
    if labels == plain {
        return None;
    }
    let labels = path.with_file_name(labels);
    [labels.clone(), with_gz(&labels)].into_iter().find(|candidate| candidate.is_file())
}

/// Reads one array; what is gzip is told by its first bytes, not by its name.
fn read(path: &Path) -> Result<Array> {
    let file = File::open(path)
        .with_context(|| format!("expected an IDX file at {}, found none that opens", path.display()))?;
    let mut file = BufReader::new(file);
    let start = file.fill_buf().with_context(|| format!("cannot read {}", path.display()))?;
    if start.starts_with(&[0x1f, 0x8b]) { parse(MultiGzDecoder::new(file), path) } else { parse(file, path) }
}

fn parse(mut source: impl Read, path: &Path) -> Result<Array> {
    // A gzip stream that ends early is an error of the reader; for whoever reads the message it is a short file like any other.
    let mut fill = |limit: u64| -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match source.by_ref().take(limit).read_to_end(&mut bytes) {
            Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => Err(error).with_context(|| {
                format!("expected a readable IDX file, found a damaged one at {}: get it again", path.display())
            }),
            _ => Ok(bytes),
        }
    };

    let magic = fill(4)?;
    let &[0, 0, 8, rank @ 1..=4] = magic.as_slice() else {
        bail!(
            "expected the IDX magic 00 00 08 and 1 to 4 dimensions in {}, found {}: give an IDX file of unsigned bytes",
            path.display(),
            if magic.is_empty() { "an empty file".to_owned() } else { hex(&magic) }
        );
    };
    let header = fill(4 * u64::from(rank))?;
    ensure!(
        header.len() == 4 * usize::from(rank),
        "expected {} bytes of header in {}, found {}: the file is cut, get it again",
        4 + 4 * usize::from(rank),
        path.display(),
        4 + header.len()
    );
    let dimensions: Vec<usize> = header
        .chunks_exact(4)
        .map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
        .collect();
    let Some(expected) =
        dimensions.iter().try_fold(1u64, |product, &d| product.checked_mul(d as u64)).filter(|&n| n < u64::MAX)
    else {
        bail!(
            "expected an IDX file that fits in memory, found the dimensions {dimensions:?} in {}: get it again",
            path.display()
        );
    };

    // One byte more than the header promises tells a file that is too long. Memory grows with what is there, not with the promise.
    let data = fill(expected + 1)?;
    ensure!(
        data.len() as u64 == expected,
        "expected {expected} bytes after the header of {} (dimensions {dimensions:?}), found {}: the file is damaged, get it again",
        path.display(),
        if data.len() as u64 > expected { "more".to_owned() } else { data.len().to_string() }
    );
    Ok(Array { dimensions, data })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn idx(dimensions: &[u32], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
        bytes.extend(dimensions.iter().flat_map(|d| d.to_be_bytes()));
        bytes.extend(data);
        bytes
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn message(bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad-idx3-ubyte");
        fs::write(&path, bytes).unwrap();
        format!("{:#}", load_file(&path).unwrap_err())
    }

    #[test]
    fn plain_and_packed_with_labels_in_either_form() {
        let (images, labels) = (idx(&[2, 2, 3], &(0..12).collect::<Vec<_>>()), idx(&[2], &[7, 3]));
        for (image_name, image_bytes, label_name, label_bytes) in [
            ("train-images-idx3-ubyte", images.clone(), "train-labels-idx1-ubyte", labels.clone()),
            ("train-images-idx3-ubyte.gz", gz(&images), "train-labels-idx1-ubyte.gz", gz(&labels)),
            ("x-images.idx3-ubyte", gz(&images), "x-labels.idx1-ubyte.gz", labels.clone()),
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(image_name), image_bytes).unwrap();
            assert_eq!(load_file(&folder.path().join(image_name)).unwrap().labels, None);
            fs::write(folder.path().join(label_name), label_bytes).unwrap();
            let dataset = load_folder(folder.path(), Split::Train).unwrap();
            assert_eq!((dataset.len(), dataset.shape, dataset.labels.as_deref()), (2, [2, 3, 1], Some(&[7, 3][..])));
            assert_eq!(dataset.image(1), [6, 7, 8, 9, 10, 11]);
        }
    }

    #[test]
    fn folders_have_parts() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_idx_folder(folder.path()) && !is_idx_folder(Path::new("no/such")));
        fs::write(folder.path().join("train-images-idx3-ubyte"), idx(&[1, 1, 1], &[1])).unwrap();
        assert!(is_idx_folder(folder.path()));
        let error = load_folder(folder.path(), Split::Test).unwrap_err().to_string();
        assert!(error.contains("test images"), "{error}");
        fs::write(folder.path().join("t10k-images-idx3-ubyte"), idx(&[1, 1, 1], &[2])).unwrap();
        assert_eq!(load_folder(folder.path(), Split::Train).unwrap().images, [1]);
        assert_eq!(load_folder(folder.path(), Split::Test).unwrap().images, [2]);
        fs::write(folder.path().join("valid-idx3-ubyte"), idx(&[1, 1, 1], &[2])).unwrap();
        let error = load_folder(folder.path(), Split::Train).unwrap_err().to_string();
        assert!(error.contains("train-images-idx3-ubyte, valid-idx3-ubyte"), "{error}");
    }

    #[test]
    fn four_dimensions_carry_colour() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c-idx4-ubyte");
        fs::write(&path, idx(&[1, 1, 2, 3], &[1, 2, 3, 4, 5, 6])).unwrap();
        assert_eq!(load_file(&path).unwrap().shape, [1, 2, 3]);
    }

    #[test]
    fn damaged_files_are_told_apart() {
        let whole = idx(&[10, 28, 28], &[5; 7840]);
        let packed = gz(&whole);
        for (bytes, parts) in [
            (whole[..5016].to_vec(), ["expected 7840 bytes", "found 5000"]),
            (whole[..9].to_vec(), ["expected 16 bytes of header", "found 9"]),
            ([&whole[..], &[0]].concat(), ["expected 7840 bytes", "found more"]),
            (packed[..packed.len() - 9].to_vec(), ["expected 7840 bytes", "get it again"]),
            (vec![], ["magic 00 00 08", "an empty file"]),
            (b"PNG!".to_vec(), ["magic 00 00 08", "50 4e 47 21"]),
            (idx(&[2], &[0, 1]), ["[N, H, W]", "found [2]"]),
            (idx(&[0, 28, 28], &[]), ["expected images", "[0, 28, 28]"]),
            (idx(&[u32::MAX; 4], &[1]), ["fits in memory", "4294967295"]),
            (idx(&[u32::MAX, u32::MAX, 1], &[1]), ["expected 18446744065119617025 bytes", "found 1"]),
        ] {
            let message = message(&bytes);
            assert!(parts.iter().all(|part| message.contains(part)), "{parts:?} not in: {message}");
        }
        let error = load_file(Path::new("no/such/file")).unwrap_err().to_string();
        assert!(error.contains("no/such/file"), "{error}");
    }

    #[test]
    fn labels_must_match() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a-images-idx3-ubyte");
        fs::write(&path, idx(&[2, 1, 1], &[1, 2])).unwrap();
        fs::write(folder.path().join("a-labels-idx1-ubyte"), idx(&[3], &[1, 2, 3])).unwrap();
        let error = load_file(&path).unwrap_err().to_string();
        assert!(error.contains("expected 2 labels") && error.contains("[3]"), "{error}");
    }
}
