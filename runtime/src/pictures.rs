//! Pictures that a model brings along: what it reads where nobody hands it an image.
//!
//! They lie in the data of the file, [`Input::pictures`](crate::graph::Input::pictures) of them, each `[h, w, c]` bytes
//! from 0, black, to 255, white; a row is read where it lies, and nothing is copied into RAM but that. Either they lie
//! there as they are, one behind the other, or in runs, where that is smaller (feature `runs`):
//!
//! ```text
//! offsets   one more than there are pictures, u32 each, from the first of them on: where each picture begins, and
//!           where the last ends
//! pictures  rows from top to bottom, each in packets of whole pixels, as TGA files have them:
//!           a byte n below 128, and n + 1 pixels
//!           a byte n of 128 and more, and one pixel, which stands for n − 127
//! ```
//!
//! No packet goes on into the next row, so that all there is to know between two rows is where the next begins.

use crate::graph::Shape;
use crate::latent::remainder;

/// Bytes of a row of a picture in runs at most: who shows one needs room for a row.
pub const RUNS_ROW: usize = 384;
/// Bytes of an offset.
const OFFSET: usize = 4;

/// The pictures of a model, at least one.
#[derive(Clone, Copy, Debug)]
pub struct Pictures<'a> {
    shape: Shape,
    count: u16,
    #[cfg(feature = "runs")]
    in_runs: bool,
    bytes: &'a [u8],
}

impl<'a> Pictures<'a> {
    /// As many of `shape` as `count` says, in runs or not, unless that is none or `bytes` hold fewer.
    pub(crate) fn new(shape: Shape, count: u16, in_runs: bool, bytes: &'a [u8]) -> Option<Self> {
        // Files with runs are refused where nobody can read them.
        let len = match in_runs && cfg!(feature = "runs") {
            true if shape.row_len() > RUNS_ROW => None,
            true => offset(bytes, count.into()),
            false => shape.len().checked_mul(usize::from(count)),
        };
        let bytes = bytes.get(..len?)?;
        (count > 0).then_some(Self {
            shape,
            count,
            #[cfg(feature = "runs")]
            in_runs,
            bytes,
        })
    }

    /// How many there are.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// Shape of each.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Whether they lie in runs.
    pub fn in_runs(&self) -> bool {
        #[cfg(feature = "runs")]
        return self.in_runs;
        #[cfg(not(feature = "runs"))]
        false
    }

    /// All of them, as they lie in the file.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Picture `number` modulo their [`count`](Self::count).
    pub fn picture(&self, number: u64) -> Picture<'a> {
        let index = remainder(number, self.count.into()).unwrap_or(0);
        let range = if self.in_runs() {
            let [start, end] = [index, index + 1].map(|index| offset(self.bytes, index).unwrap_or(0));
            start..end
        } else {
            let len = self.shape.len();
            index * len..index * len + len
        };
        Picture {
            shape: self.shape,
            #[cfg(feature = "runs")]
            in_runs: self.in_runs,
            bytes: self.bytes.get(range).unwrap_or(&[]),
        }
    }
}

/// Where picture `index` begins, or where that before it ends.
fn offset(bytes: &[u8], index: usize) -> Option<usize> {
    let bytes = bytes.get(OFFSET * index..)?.first_chunk::<OFFSET>()?;
    usize::try_from(u32::from_le_bytes(*bytes)).ok()
}

/// One picture.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    shape: Shape,
    #[cfg(feature = "runs")]
    in_runs: bool,
    bytes: &'a [u8],
}

impl<'a> Picture<'a> {
    /// Height, width and channels.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// All its bytes, `[h, w, c]`, where they lie as they are; of one in runs `None`, see [`Picture::rows`].
    pub fn plain(&self) -> Option<&'a [u8]> {
        #[cfg(feature = "runs")]
        if self.in_runs {
            return None;
        }
        Some(self.bytes)
    }

    /// Its rows, for a generator or somebody else who reads them from the first on. Those of one in runs have
    /// [`RUNS_ROW`] bytes at most.
    pub fn rows(&self) -> Still<'a> {
        #[cfg(feature = "runs")]
        if self.in_runs {
            return Still::of_runs(self.bytes, self.shape.c);
        }
        Still::new(self.bytes)
    }
}

/// Rows that a model reads: see [`Generator::translate`](crate::Generator::translate).
pub trait Feed {
    /// Writes row `y` of the image to read, `width · channels` bytes from 0, black, to 255, white.
    fn row(&mut self, y: u16, row: &mut [u8]);
}

impl<F: FnMut(u16, &mut [u8])> Feed for F {
    fn row(&mut self, y: u16, row: &mut [u8]) {
        self(y, row);
    }
}

/// A picture that lies in memory; what is missing at its end is black.
#[derive(Clone, Copy, Debug)]
pub struct Still<'a> {
    bytes: &'a [u8],
    /// Of one in runs the bytes of a pixel; its `bytes` begin with the row that is read next. Else 0.
    #[cfg(feature = "runs")]
    pixel: u16,
}

impl<'a> Still<'a> {
    /// That of `[h, w, c]` bytes; one of [`Model::pictures`](crate::Model::pictures) is in [`Picture::rows`].
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            #[cfg(feature = "runs")]
            pixel: 0,
        }
    }

    /// One in runs, with pixels of so many bytes.
    #[cfg(feature = "runs")]
    fn of_runs(bytes: &'a [u8], pixel: u16) -> Self {
        Self { bytes, pixel }
    }
}

impl Feed for Still<'_> {
    fn row(&mut self, y: u16, row: &mut [u8]) {
        #[cfg(feature = "runs")]
        if self.pixel > 0 {
            self.bytes = unpack(self.bytes, self.pixel.into(), row);
            return;
        }
        copy(self.bytes.get(usize::from(y) * row.len()..).unwrap_or(&[]), row);
    }
}

/// Reads a row of packets of pixels of `pixel` bytes, and returns what is behind them. What is missing is black.
#[cfg(feature = "runs")]
#[inline(never)]
fn unpack<'a>(packets: &'a [u8], pixel: usize, row: &mut [u8]) -> &'a [u8] {
    let (mut rest, mut head, mut left) = (packets, 0, 0);
    for to in row.chunks_exact_mut(pixel.max(1)) {
        if left == 0 {
            let (&byte, behind) = rest.split_first().unwrap_or((&0, &[]));
            (head, rest, left) = (byte, behind, (byte & 127) + 1);
        }
        left -= 1;
        let (from, behind) = rest.split_at_checked(to.len()).unwrap_or_default();
        copy(from, to);
        // The pixel of a run stays until its last.
        if head < 128 || left == 0 {
            rest = behind;
        }
    }
    rest
}

/// Copies what there is; the rest of the row is black.
#[inline(never)]
pub(crate) fn copy(from: &[u8], row: &mut [u8]) {
    row.fill(0);
    row.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(picture: Picture<'_>) -> std::vec::Vec<u8> {
        let (shape, mut rows) = (picture.shape(), picture.rows());
        let mut bytes = std::vec![7; shape.len()];
        for (y, row) in (0..).zip(bytes.chunks_exact_mut(shape.row_len())) {
            rows.row(y, row);
        }
        bytes
    }

    #[test]
    fn pictures_lie_one_behind_the_other() {
        let shape = Shape { h: 2, w: 1, c: 3 };
        let bytes: [u8; 14] = core::array::from_fn(|at| at as u8);
        let pictures = Pictures::new(shape, 2, false, &bytes).unwrap();
        assert_eq!((pictures.count(), pictures.shape(), pictures.bytes().len()), (2, shape, 12));
        assert_eq!(pictures.picture(0).plain().unwrap(), &bytes[..6]);
        assert_eq!(pictures.picture(u64::MAX).plain().unwrap(), &bytes[6..12], "an odd number");
        assert_eq!(all(pictures.picture(1)), bytes[6..12]);
    }

    #[test]
    fn none_and_too_few_are_none() {
        let shape = Shape { h: 2, w: 2, c: 1 };
        assert!(Pictures::new(shape, 0, false, &[0; 16]).is_none());
        assert!(Pictures::new(shape, 4, false, &[0; 15]).is_none());
        assert!(Pictures::new(shape, 4, false, &[0; 16]).is_some());
    }

    #[cfg(feature = "runs")]
    #[test]
    fn runs_are_read_row_by_row() {
        let shape = Shape { h: 2, w: 4, c: 2 };
        let first: &[u8] = &[131, 5, 6, 1, 1, 2, 3, 4, 129, 8, 9];
        let second: &[u8] = &[3, 1, 2, 3, 4, 5, 6, 7, 8, 131, 0, 255];
        let offsets = [12, 12 + first.len() as u32, 12 + (first.len() + second.len()) as u32];
        let mut bytes: std::vec::Vec<u8> = offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect();
        bytes.extend([first, second].concat());
        bytes.extend([0; 5]);
        let pictures = Pictures::new(shape, 2, true, &bytes).unwrap();
        assert_eq!((pictures.in_runs(), pictures.bytes().len()), (true, bytes.len() - 5));
        assert_eq!(all(pictures.picture(0)), [5, 6, 5, 6, 5, 6, 5, 6, 1, 2, 3, 4, 8, 9, 8, 9]);
        assert_eq!(all(pictures.picture(3)), [1, 2, 3, 4, 5, 6, 7, 8, 0, 255, 0, 255, 0, 255, 0, 255]);
        assert_eq!(pictures.picture(0).plain(), None);
        assert!(
            Pictures::new(Shape { w: 193, ..shape }, 2, true, &bytes).is_none(),
            "longer rows than there is room for"
        );
    }

    /// Whatever bytes there are, each row is filled and nothing is read behind them.
    #[cfg(feature = "runs")]
    #[test]
    fn packets_that_are_none_are_black() {
        let mut row = [9; 6];
        for (packets, expected, left) in [
            (&[][..], [0; 6], 0),
            (&[129, 1, 2], [1, 2, 1, 2, 0, 0], 0),
            // A packet that is longer than the row, and one that is not whole.
            (&[255, 1, 2, 3], [1, 2, 1, 2, 1, 2], 3),
            (&[1, 1, 2, 3], [1, 2, 0, 0, 0, 0], 0),
        ] {
            let rest = unpack(packets, 2, &mut row);
            assert_eq!((row, rest.len()), (expected, left), "{packets:?}");
            row = [9; 6];
        }
    }
}
