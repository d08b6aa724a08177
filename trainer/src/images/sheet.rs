//! Many images on one PNG.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Result, ensure};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::label::{self, LETTER};
use super::{blit, check};
use crate::files;

/// Pixels between images and around the sheet.
const GAP: usize = 2;
/// Grey of the gap, on every channel: dark enough for black images to look black beside it.
const GAP_GREY: u8 = 64;
/// Narrower sheets are enlarged by a whole factor: a 28-pixel digit is a stamp on a modern screen.
const MIN_WIDTH: usize = 600;

/// Writes a PNG sheet of `images`, each `[H, W, C]` with `C` = 1 or 3, row by row with `columns` images a row.
///
/// A gap of two dark grey pixels separates the images; images are enlarged by a whole factor until the sheet is about 600 pixels wide.
/// Places that the last row leaves empty stay in the gap's grey.
pub fn save_grid(path: &Path, images: &[Vec<u8>], shape: [usize; 3], columns: usize) -> Result<()> {
    save_labelled(path, images, shape, columns, &[])
}

/// As [`save_grid`], with a word left of each row, in Latin-1.
pub fn save_labelled(
    path: &Path,
    images: &[Vec<u8>],
    shape: [usize; 3],
    columns: usize,
    labels: &[String],
) -> Result<()> {
    check(images, shape, &[1, 3])?;
    ensure!(columns > 0, "expected at least one column in the sheet, found 0");
    let mut sheet = Sheet::draw(images, shape, columns, MIN_WIDTH);
    if !labels.is_empty() {
        sheet = sheet.labelled(labels, shape[2]);
    }
    let color = if shape[2] == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    files::replace(path, |temporary| {
        let mut file = BufWriter::new(File::create(temporary)?);
        PngEncoder::new(&mut file).write_image(&sheet.pixels, sheet.width as u32, sheet.height as u32, color)?;
        // Dropping a BufWriter would swallow the error of the last flush.
        file.into_inner()?;
        Ok(())
    })
}

struct Sheet {
    /// `height · width · C` bytes.
    pixels: Vec<u8>,
    width: usize,
    height: usize,
}

impl Sheet {
    fn draw(images: &[Vec<u8>], shape: [usize; 3], columns: usize, min_width: usize) -> Self {
        let [height, width, channels] = shape;
        let columns = columns.min(images.len());
        let rows = images.len().div_ceil(columns);
        let gaps = GAP * (columns + 1);
        let factor = min_width.saturating_sub(gaps).div_ceil(columns * width).max(1);

        let sheet_width = columns * width * factor + gaps;
        let sheet_height = rows * height * factor + GAP * (rows + 1);
        let mut pixels = vec![GAP_GREY; sheet_width * sheet_height * channels];
        for (index, image) in images.iter().enumerate() {
            let x = GAP + index % columns * (width * factor + GAP);
            let y = GAP + index / columns * (height * factor + GAP);
            blit(&mut pixels, sheet_width, image, shape, (x, y), factor);
        }
        Self { pixels, width: sheet_width, height: sheet_height }
    }

    /// The sheet with a margin at the left, in which a word stands beside the middle of each row.
    fn labelled(self, labels: &[String], channels: usize) -> Self {
        let [letter, line] = LETTER;
        let longest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
        let margin = longest * letter + letter;
        let width = margin + self.width;
        let mut pixels = vec![GAP_GREY; width * self.height * channels];
        let rows = pixels.chunks_exact_mut(width * channels).zip(self.pixels.chunks_exact(self.width * channels));
        rows.for_each(|(to, from)| to[margin * channels..].copy_from_slice(from));
        for (index, label) in labels.iter().enumerate() {
            let middle = (2 * index + 1) * self.height / (2 * labels.len());
            let place = (letter / 2, middle.saturating_sub(line / 2));
            label::write(&mut pixels, width, channels, label, place);
        }
        Self { pixels, width, ..self }
    }

    #[cfg(test)]
    fn ascii(&self, channels: usize) -> String {
        let line = |row: &[u8]| -> String {
            row.chunks_exact(channels)
                .map(|pixel| match pixel[0] {
                    GAP_GREY => '.',
                    0 => ' ',
                    255 => '#',
                    _ => '?',
                })
                .collect()
        };
        self.pixels.chunks_exact(self.width * channels).map(line).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_images_in_two_columns() {
        let images = [vec![255, 0, 0, 255], vec![0, 255, 255, 0], vec![255, 255, 0, 0]];
        let expected = "\
..........
..........
..# .. #..
.. #..# ..
..........
..........
..##......
..  ......
..........
..........";
        assert_eq!(Sheet::draw(&images, [2, 2, 1], 2, 0).ascii(1), expected);
        // The same pixels as RGB give the same picture.
        let colour: Vec<Vec<u8>> = images.iter().map(|i| i.iter().flat_map(|&v| [v; 3]).collect()).collect();
        assert_eq!(Sheet::draw(&colour, [2, 2, 3], 2, 0).ascii(3), expected);
    }

    #[test]
    fn small_images_are_enlarged_by_a_whole_factor() {
        let sheet = Sheet::draw(&[vec![255, 0]], [1, 2, 1], 4, 8);
        assert_eq!(sheet.ascii(1), "........\n........\n..##  ..\n..##  ..\n........\n........");

        for (columns, side) in [(1, 28), (8, 28), (16, 28), (8, 64), (40, 28)] {
            let images = vec![vec![0; side * side]; columns];
            let sheet = Sheet::draw(&images, [side, side, 1], columns, MIN_WIDTH);
            assert!((MIN_WIDTH..1300).contains(&sheet.width), "{columns} columns of {side}: {}", sheet.width);
        }
    }

    #[test]
    fn labels_stand_beside_their_rows() {
        let images = [vec![0; 64 * 64 * 3], vec![255; 64 * 64 * 3]];
        let bare = Sheet::draw(&images, [64, 64, 3], 1, 0);
        let (width, height) = (bare.width, bare.height);
        let sheet = Sheet::draw(&images, [64, 64, 3], 1, 0).labelled(&["a".to_owned(), "bc".to_owned()], 3);
        assert_eq!((sheet.width, sheet.height), (30 + width, height));
        let is_ink = |x: usize, y: usize| sheet.pixels[3 * (y * sheet.width + x)] > 200;
        let ink = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| {
            rows.flat_map(|y| columns.clone().map(move |x| (x, y))).filter(|&(x, y)| is_ink(x, y)).count()
        };
        assert!(ink(0..height / 2, 5..15) > 10, "a");
        assert_eq!(ink(0..height / 2, 15..32), 0, "nothing behind it, and the first image is black");
        assert!(ink(height / 2..height, 5..15) > 10 && ink(height / 2..height, 15..25) > 10, "b and c");
        let image = |y: usize| &sheet.pixels[3 * (y * sheet.width + 30)..][..3 * width];
        assert!((0..height).all(|y| image(y) == &bare.pixels[3 * y * width..][..3 * width]), "the sheet is the same");
    }

    #[test]
    fn the_png_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet.png");
        save_grid(&path, &[vec![10, 20, 30]], [1, 1, 3], 1).unwrap();
        let read = image::open(&path).unwrap().into_rgb8();
        assert_eq!(read.dimensions(), (600, 600));
        assert_eq!((read.get_pixel(0, 0).0, read.get_pixel(300, 300).0), ([64; 3], [10, 20, 30]));
    }
}
