//! Pictures that a model brings along: what it reads where nobody hands it an image.
//!
//! They lie in the data of the file, [`Input::pictures`](crate::graph::Input::pictures) of them one behind the other,
//! each `[h, w, c]` bytes from 0, black, to 255, white; a row is read where it lies, and nothing is copied into RAM
//! but that.

use crate::graph::Shape;
use crate::latent::remainder;

/// The pictures of a model, at least one.
#[derive(Clone, Copy, Debug)]
pub struct Pictures<'a> {
    shape: Shape,
    count: u16,
    bytes: &'a [u8],
}

impl<'a> Pictures<'a> {
    /// As many of `shape` as `count` says, unless that is none or `bytes` hold fewer.
    pub(crate) fn new(shape: Shape, count: u16, bytes: &'a [u8]) -> Option<Self> {
        let bytes = bytes.get(..shape.len().checked_mul(usize::from(count))?)?;
        (count > 0).then_some(Self { shape, count, bytes })
    }

    /// How many there are.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// Shape of each.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Picture `number` modulo their [`count`](Self::count).
    pub fn picture(&self, number: u64) -> Picture<'a> {
        let len = self.shape.len();
        let start = remainder(number, self.count.into()).unwrap_or(0) * len;
        Picture { shape: self.shape, bytes: self.bytes.get(start..start + len).unwrap_or(&[]) }
    }
}

/// One picture.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    shape: Shape,
    bytes: &'a [u8],
}

impl<'a> Picture<'a> {
    /// Height, width and channels.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// All its bytes, `[h, w, c]`.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Row `y`, width · channels bytes; none below the last.
    pub fn row(&self, y: u16) -> &'a [u8] {
        let len = self.shape.row_len();
        let start = usize::from(y) * len;
        self.bytes.get(start..start + len).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_lie_one_behind_the_other() {
        let shape = Shape { h: 2, w: 1, c: 3 };
        let bytes: [u8; 14] = core::array::from_fn(|at| at as u8);
        let pictures = Pictures::new(shape, 2, &bytes).unwrap();
        assert_eq!((pictures.count(), pictures.shape()), (2, shape));
        assert_eq!(pictures.picture(0).row(1), [3, 4, 5]);
        assert_eq!(pictures.picture(1).row(0), [6, 7, 8]);
        assert_eq!(pictures.picture(u64::MAX).bytes(), [6, 7, 8, 9, 10, 11], "an odd number");
        assert_eq!(pictures.picture(1).row(2), [0; 0]);
    }

    #[test]
    fn none_and_too_few_are_none() {
        let shape = Shape { h: 2, w: 2, c: 1 };
        assert!(Pictures::new(shape, 0, &[0; 16]).is_none());
        assert!(Pictures::new(shape, 4, &[0; 15]).is_none());
        assert!(Pictures::new(shape, 4, &[0; 16]).is_some());
    }
}
