//! NumPy's arrays as data: `.npy`, and `.npz` with images and labels (`numpy.lib.format`, versions 1 to 3).

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::DeflateDecoder;

use crate::dataset::{Dataset, Split};
use crate::decode::over_raw;
use crate::{Background, Config};

const NPY: &[u8] = b"\x93NUMPY";
const ZIP: &[u8] = b"PK\x03\x04";

/// Whether a file begins as an array or an archive of arrays.
pub fn is_array(path: &Path) -> bool {
    let mut start = [0; 6];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && (start == NPY || start.starts_with(ZIP))
}

/// Images and, where there are some, labels. What was made of the values is the second.
pub fn load(path: &Path, split: Split, config: &Config) -> Result<(Dataset, Vec<String>)> {
    let what = path.display();
    let bytes = fs::read(path).with_context(|| format!("cannot read {what}"))?;
    let arrays = if bytes.starts_with(ZIP) {
        members(&bytes).with_context(|| format!("cannot read {what}"))?
    } else {
        ensure!(
            split == Split::Train,
            "expected a data set with a test part, found the path of one array, {what}: give an .npz with x_test, or go \
             without test images"
        );
        let mut arrays = vec![("images".to_owned(), bytes)];
        if let Some(beside) = labels_beside(path) {
            arrays.push((
                "labels".to_owned(),
                fs::read(&beside).with_context(|| format!("cannot read {}", beside.display()))?,
            ));
        }
        arrays
    };
    let mut parsed = Vec::new();
    for (name, bytes) in &arrays {
        parsed.push((name.as_str(), Array::parse(bytes).with_context(|| format!("in {what}: the array {name}"))?));
    }
    let (name, images) = images_of(&parsed, split).with_context(|| {
        let names: Vec<_> = parsed.iter().map(|(name, array)| format!("{name} {:?}", array.shape)).collect();
        format!("expected {} images [N, H, W] or [N, H, W, C] in {what}, found {}", split.name(), names.join(", "))
    })?;
    let (pixels, shape, mut notes) = images.pixels(config).with_context(|| format!("in {what}: the array {name}"))?;
    let count = images.shape[0];
    let labels = labels_of(&parsed, name, count);
    let labels = labels.map(|(_, array)| array.labels()).transpose().with_context(|| format!("in {what}"))?;
    if arrays.len() > 1 {
        notes.push(format!(
            "{name} are the {} images{}",
            split.name(),
            if labels.is_some() { ", with labels" } else { "" }
        ));
    }
    let dataset = Dataset { name: what.to_string(), images: pixels, labels, class_names: Vec::new(), shape };
    Ok((dataset, notes))
}

/// `x_labels.npy`, `labels.npy` or the like beside `x_images.npy`, `images.npy` or `x.npy`.
fn labels_beside(path: &Path) -> Option<PathBuf> {
    let stem = path.file_stem()?.to_string_lossy();
    [stem.replace("images", "labels"), format!("{stem}_labels"), stem.replace('x', "y")]
        .into_iter()
        .filter(|name| *name != stem)
        .map(|name| path.with_file_name(name + ".npy"))
        .find(|path| path.is_file())
}

fn is_of(name: &str, split: Split) -> bool {
    let name = name.to_lowercase();
    let test = name.contains("test");
    let validation = name.contains("val");
    match split {
        Split::Train => !test && !validation,
        Split::Test => test,
    }
}

/// The largest array of images of a part; a validation part stands in for a test part that is not there.
fn images_of<'a>(arrays: &'a [(&'a str, Array<'a>)], split: Split) -> Option<(&'a str, &'a Array<'a>)> {
    let images = || arrays.iter().filter(|(_, array)| matches!(array.shape.len(), 3 | 4) && array.shape[0] > 0);
    let of = images().filter(|(name, _)| is_of(name, split)).max_by_key(|(_, array)| array.data.len());
    let validation = || images().find(|(name, _)| split == Split::Test && name.to_lowercase().contains("val"));
    of.or_else(validation).map(|(name, array)| (*name, array))
}

/// Labels of `images`: an array of as many whole numbers, of the same part.
fn labels_of<'a>(arrays: &'a [(&'a str, Array<'a>)], images: &str, count: usize) -> Option<(&'a str, &'a Array<'a>)> {
    let part = |name: &str| ["train", "test", "val"].into_iter().find(|part| name.to_lowercase().contains(part));
    arrays
        .iter()
        .find(|(name, array)| {
            let is_list = array.shape == [count] || array.shape == [count, 1];
            is_list && !array.kind.starts_with('f') && part(name) == part(images)
        })
        .map(|(name, array)| (*name, array))
}

/// An array of numbers.
#[derive(Debug)]
struct Array<'a> {
    shape: Vec<usize>,
    /// Kind and bytes of a number, like `u1`.
    kind: String,
    big_endian: bool,
    data: &'a [u8],
}

impl<'a> Array<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self> {
        let cut = "expected a whole .npy, found its header cut: write it again";
        let rest = bytes.strip_prefix(NPY).context("expected the start of an .npy, found something else")?;
        let (&[major, _minor], rest) = rest.split_first_chunk::<2>().context(cut)?;
        let (length, rest) = if major == 1 {
            let (length, rest) = rest.split_first_chunk::<2>().context(cut)?;
            (usize::from(u16::from_le_bytes(*length)), rest)
        } else {
            let (length, rest) = rest.split_first_chunk::<4>().context(cut)?;
            (u32::from_le_bytes(*length) as usize, rest)
        };
        let (header, data) = rest.split_at_checked(length).context(cut)?;
        let header = String::from_utf8_lossy(header);
        let after =
            |key: &str| header.split_once(key).map(|(_, rest)| rest.trim_start_matches([' ', ':'])).context(cut);
        let descr = after("'descr'")?;
        let descr = descr.strip_prefix('\'').and_then(|text| text.split_once('\'')).map(|(descr, _)| descr);
        let descr = descr.context("expected an array of plain numbers, found one of records: save its fields apart")?;
        ensure!(
            after("'fortran_order'")?.starts_with("False"),
            "expected rows in C order, found Fortran order: save numpy.ascontiguousarray of it"
        );
        let shape = after("'shape'")?.strip_prefix('(').and_then(|text| text.split_once(')')).context(cut)?.0;
        let shape = shape.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::parse);
        let shape: Vec<usize> = shape.collect::<Result<_, _>>().context(cut)?;
        let (order, kind) = descr.split_at_checked(1).context(cut)?;
        let width: usize = kind.get(1..).and_then(|width| width.parse().ok()).context(cut)?;
        let expected = shape.iter().try_fold(width, |bytes, &side| bytes.checked_mul(side)).context(cut)?;
        ensure!(
            data.len() == expected,
            "expected {expected} bytes for the shape {shape:?}, found {}: the file is damaged, write it again",
            data.len()
        );
        Ok(Self { shape, kind: kind.to_owned(), big_endian: order == ">", data })
    }

    /// All numbers as floats.
    fn numbers(&self) -> Result<Vec<f64>> {
        fn all<const N: usize>(array: &Array<'_>, number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
            let one = |bytes: &[u8]| {
                let mut own = [0; N];
                own.copy_from_slice(bytes);
                if array.big_endian {
                    own.reverse();
                }
                number(own)
            };
            array.data.chunks_exact(N).map(one).collect()
        }
        Ok(match &*self.kind {
            "u1" | "b1" => all(self, |[byte]| byte.into()),
            "i1" => all(self, |byte| i8::from_le_bytes(byte).into()),
            "u2" => all(self, |bytes| u16::from_le_bytes(bytes).into()),
            "i2" => all(self, |bytes| i16::from_le_bytes(bytes).into()),
            "u4" => all(self, |bytes| u32::from_le_bytes(bytes).into()),
            "i4" => all(self, |bytes| i32::from_le_bytes(bytes).into()),
            "u8" => all(self, |bytes| u64::from_le_bytes(bytes) as f64),
            "i8" => all(self, |bytes| i64::from_le_bytes(bytes) as f64),
            "f4" => all(self, |bytes| f32::from_le_bytes(bytes).into()),
            "f8" => all(self, f64::from_le_bytes),
            other => {
                bail!("expected whole numbers or floats of 32 or 64 bits, found {other}: save it .astype(\"uint8\")")
            }
        })
    }

    /// `N·H·W·C` bytes, `[H, W, C]`, and what was decided.
    fn pixels(&self, config: &Config) -> Result<(Vec<u8>, [usize; 3], Vec<String>)> {
        let mut notes = Vec::new();
        let (shape, planes) = match self.shape[1..] {
            [h, w] => ([h, w, 1], false),
            [h, w, c @ (1 | 3 | 4)] => ([h, w, c], false),
            [c @ (1 | 3), h, w] => ([h, w, c], true),
            _ => bail!("expected [N, H, W], or C = 1, 3 or 4 as the last, found {:?}: transpose it", self.shape),
        };
        let mut pixels = if self.kind == "u1" {
            self.data.to_vec()
        } else {
            let numbers = self.numbers()?;
            let (least, most) =
                numbers.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
            ensure!(numbers.iter().all(|value| value.is_finite()), "expected finite values, found NaN or infinity");
            // What a number of this kind usually stands for.
            let (low, high) = match self.kind.as_bytes()[0] {
                b'b' => (0.0, 1.0),
                b'f' if least >= 0.0 && most <= 1.0 => (0.0, 1.0),
                b'f' if least >= -1.0 && most <= 1.0 => (-1.0, 1.0),
                _ if least >= 0.0 && most <= 255.0 => (0.0, 255.0),
                b'u' if most <= 65_535.0 => (
                    0.0,
                    [1_023.0, 4_095.0, 16_383.0, 65_535.0].into_iter().find(|&top| most <= top).unwrap_or(65_535.0),
                ),
                _ => bail!("expected values of 0 … 1, −1 … 1 or 0 … 255, found {least} … {most}: scale them"),
            };
            notes.push(format!("values from {least} to {most} are read as {low} … {high}"));
            numbers.iter().map(|value| (255.0 * (value - low) / (high - low)).round() as u8).collect()
        };
        if planes {
            let [h, w, c] = shape;
            notes.push(format!("channels come first, as planes of {h}×{w}"));
            pixels = pixels
                .chunks_exact(h * w * c)
                .flat_map(|image| (0..h * w * c).map(move |at| image[at % c * h * w + at / c]))
                .collect();
        }
        if shape[2] == 4 {
            let behind = match config.background {
                Background::Contrast => [0; 3],
                Background::Color(color) => color,
            };
            return Ok((over_raw(&pixels, behind), [shape[0], shape[1], 3], notes));
        }
        Ok((pixels, shape, notes))
    }

    fn labels(&self) -> Result<Vec<u8>> {
        let label = |value: f64| {
            ensure!(
                value.fract() == 0.0 && (0.0..256.0).contains(&value),
                "expected labels from 0 to 255, found {value}: number the classes from 0"
            );
            Ok(value as u8)
        };
        self.numbers()?.into_iter().map(label).collect()
    }
}

/// Files of a ZIP archive that end in `.npy`, without it, in the order of the archive (APPNOTE 6.3, 4.3.12 and 4.3.16).
fn members(zip: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    let cut = "expected a whole .npz, found one that is cut or damaged: write it again";
    let number = |at: usize, bytes: usize| -> Result<usize> {
        let field = zip.get(at..at + bytes).context(cut)?;
        Ok(field.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte)))
    };
    let end = zip.windows(4).rposition(|bytes| bytes == b"PK\x05\x06").context(cut)?;
    let (count, mut at) = (number(end + 10, 2)?, number(end + 16, 4)?);
    let mut found = Vec::new();
    for _ in 0..count {
        ensure!(zip.get(at..at + 4) == Some(b"PK\x01\x02"), cut);
        let (method, packed, plain) = (number(at + 10, 2)?, number(at + 20, 4)?, number(at + 24, 4)?);
        let (crc, offset) = (number(at + 16, 4)?, number(at + 42, 4)?);
        let (name_len, more) = (number(at + 28, 2)?, number(at + 30, 2)? + number(at + 32, 2)?);
        let name = String::from_utf8_lossy(zip.get(at + 46..at + 46 + name_len).context(cut)?).into_owned();
        at += 46 + name_len + more;
        let Some(name) = name.strip_suffix(".npy") else { continue };
        ensure!(
            [packed, plain, offset].iter().all(|&value| value < 0xffff_ffff),
            "expected an archive below 4 GB, found more in {name}: save the arrays as .npy"
        );
        let start = offset + 30 + number(offset + 26, 2)? + number(offset + 28, 2)?;
        let packed = zip.get(start..start + packed).context(cut)?;
        let bytes = match method {
            0 => packed.to_vec(),
            8 => {
                let mut bytes = Vec::new();
                DeflateDecoder::new(packed).take(plain as u64 + 1).read_to_end(&mut bytes).context(cut)?;
                bytes
            }
            other => {
                bail!("expected an archive that NumPy writes, found the compression {other} in it: write it again")
            }
        };
        ensure!(bytes.len() == plain && crc32fast::hash(&bytes) as usize == crc, cut);
        found.push((name.to_owned(), bytes));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::DeflateEncoder};
    use std::io::Write;

    fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}\n");
        [NPY, &[1, 0], &(dict.len() as u16).to_le_bytes(), dict.as_bytes(), data].concat()
    }

    fn npz(files: &[(&str, Vec<u8>)], method: u16) -> Vec<u8> {
        let (mut zip, mut directory) = (Vec::new(), Vec::new());
        for (name, bytes) in files {
            let name = format!("{name}.npy");
            let mut packed = bytes.clone();
            if method == 8 {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(bytes).unwrap();
                packed = encoder.finish().unwrap();
            }
            let mut common = vec![20, 0, 0, 0];
            common.extend(method.to_le_bytes());
            common.extend([0; 4]);
            common.extend(crc32fast::hash(bytes).to_le_bytes());
            common.extend((packed.len() as u32).to_le_bytes());
            common.extend((bytes.len() as u32).to_le_bytes());
            common.extend((name.len() as u16).to_le_bytes());
            let offset = zip.len() as u32;
            zip.extend([ZIP, &common, &[0, 0], name.as_bytes(), &packed].concat());
            directory
                .extend([&b"PK\x01\x02\x14\0"[..], &common, &[0; 12], &offset.to_le_bytes(), name.as_bytes()].concat());
        }
        let (at, count) = (zip.len() as u32, files.len() as u16);
        zip.extend(&directory);
        zip.extend(b"PK\x05\x06\0\0\0\0");
        zip.extend(
            [
                &count.to_le_bytes()[..],
                &count.to_le_bytes(),
                &(directory.len() as u32).to_le_bytes(),
                &at.to_le_bytes(),
                &[0, 0],
            ]
            .concat(),
        );
        zip
    }

    fn read(name: &str, bytes: &[u8], split: Split) -> Result<(Dataset, Vec<String>)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        assert!(is_array(&path));
        load(&path, split, &Config::new("", 1, 1))
    }

    #[test]
    fn arrays_of_every_usual_kind_become_bytes() {
        let read = |descr: &str, shape: &str, data: &[u8]| {
            let (set, _) = read("x.npy", &npy(descr, shape, data), Split::Train).unwrap();
            (set.images, set.shape)
        };
        assert_eq!(read("|u1", "2, 1, 2", &[1, 2, 3, 4]), (vec![1, 2, 3, 4], [1, 2, 1]));
        assert_eq!(read("|u1", "1, 3, 1, 2", &[1, 2, 3, 4, 5, 6]), (vec![1, 3, 5, 2, 4, 6], [1, 2, 3]));
        assert_eq!(read("|b1", "1, 1, 2", &[0, 1]), (vec![0, 255], [1, 2, 1]));
        let floats = |values: [f32; 2]| values.map(f32::to_le_bytes).concat();
        assert_eq!(read("<f4", "1, 1, 2", &floats([0.0, 1.0])).0, [0, 255]);
        assert_eq!(read("<f4", "1, 1, 2", &floats([-1.0, 1.0])).0, [0, 255]);
        assert_eq!(read("<f4", "1, 1, 2", &floats([0.0, 200.0])).0, [0, 200]);
        assert_eq!(read(">u2", "1, 1, 2", &[0, 0, 15, 255]).0, [0, 255], "12 bits");
        assert_eq!(read("|u1", "1, 1, 1, 4", &[100, 50, 0, 51]), (vec![20, 10, 0], [1, 1, 3]));
    }

    #[test]
    fn archives_have_parts_and_labels() {
        let files = [
            ("x_train", npy("|u1", "2, 1, 1", &[5, 6])),
            ("y_train", npy("<i8", "2,", &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
            ("x_test", npy("|u1", "1, 1, 1", &[7])),
            ("y_test", npy("|u1", "1,", &[1])),
        ];
        for method in [0, 8] {
            let zip = npz(&files, method);
            let (train, _) = read("d.npz", &zip, Split::Train).unwrap();
            assert_eq!((train.images, train.labels), (vec![5, 6], Some(vec![1, 0])));
            let (test, notes) = read("d.npz", &zip, Split::Test).unwrap();
            assert_eq!((test.images, test.labels), (vec![7], Some(vec![1])));
            assert!(notes[0].contains("x_test"), "{notes:?}");
            for length in [10, zip.len() / 2, zip.len() - 20] {
                assert!(read("d.npz", &zip[..length], Split::Train).is_err());
            }
        }
        let plain = npz(&[("arr_0", npy("|u1", "2, 1, 1", &[5, 6]))], 0);
        assert_eq!(read("d.npz", &plain, Split::Train).unwrap().0.labels, None);
        assert!(read("d.npz", &plain, Split::Test).unwrap_err().to_string().contains("test images"));
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let error = |descr: &str, shape: &str, data: &[u8]| {
            format!("{:#}", read("x.npy", &npy(descr, shape, data), Split::Train).unwrap_err())
        };
        assert!(error("|u1", "4,", &[0; 4]).contains("[N, H, W]"));
        assert!(error("|u1", "2, 2, 2", &[0; 7]).contains("damaged"));
        assert!(error("<f4", "1, 1, 1", &1e9f32.to_le_bytes()).contains("scale them"));
        assert!(error("<f4", "1, 1, 1", &f32::NAN.to_le_bytes()).contains("NaN"));
        assert!(error("<c8", "1, 1, 1", &[0; 8]).contains("astype"));
    }
}
