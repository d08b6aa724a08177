//! Pictures of a 16-grey panel, back to its levels.

use anyhow::{Context, Result, bail, ensure};
use image::RgbImage;

/// Panel pixels are this many photo pixels wide and high in QEMU.
const MAGNIFY: u32 = 4;

/// Width and height of the lm3s6965evb's panel, in pixels.
const PANEL: (u32, u32) = (128, 64);

/// The levels (0…15, row by row from the top left) that QEMU's photo of the lm3s6965evb's panel shows.
///
/// # Errors
///
/// When `png` is not such a photo: another size, a panel pixel that is not of one colour, a colour that is not one of the
/// 16 greys 0, 17, 34, …, 255.
pub fn photo_levels(png: &[u8]) -> Result<Vec<u8>> {
    let photo = image::load_from_memory(png).context("the photo is not a PNG file")?.into_rgb8();
    let (width, height) = (PANEL.0 * MAGNIFY, PANEL.1 * MAGNIFY);
    ensure!(
        photo.dimensions() == (width, height),
        "expected a photo of {width}×{height}, found {:?}",
        photo.dimensions()
    );
    for (x, y, pixel) in photo.enumerate_pixels() {
        let corner = photo.get_pixel(x - x % MAGNIFY, y - y % MAGNIFY);
        ensure!(pixel == corner, "panel pixel {}, {} is not of one colour in the photo", x / MAGNIFY, y / MAGNIFY);
    }
    panel_levels(&RgbImage::from_fn(PANEL.0, PANEL.1, |x, y| *photo.get_pixel(x * MAGNIFY, y * MAGNIFY)))
}

/// The levels (0…15, row by row from the top left) in a picture that has one pixel for each panel pixel.
///
/// # Errors
///
/// When a colour is not one of the 16 greys 0, 17, 34, …, 255.
pub fn panel_levels(picture: &RgbImage) -> Result<Vec<u8>> {
    picture
        .enumerate_pixels()
        .map(|(x, y, pixel)| match pixel.0 {
            [r, g, b] if r == g && g == b && r % 17 == 0 => Ok(r / 17),
            other => bail!("panel pixel {x}, {y} has the colour {other:?}, which is not one of 16 greys"),
        })
        .collect()
}

/// Where two panels of the lm3s6965evb's size differ first, in words; `None` where they show the same.
pub fn difference(left: &[u8], right: &[u8]) -> Option<String> {
    if left.len() != right.len() {
        return Some(format!("{} pixels against {}", left.len(), right.len()));
    }
    let differing = left.iter().zip(right).filter(|(left, right)| left != right).count();
    let first = left.iter().zip(right).position(|(left, right)| left != right)?;
    let (x, y) = (first % PANEL.0 as usize, first / PANEL.0 as usize);
    Some(format!("{differing} pixels differ, first {x}, {y}: level {} against {}", left[first], right[first]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, Rgb};
    use std::io::Cursor;

    fn png(picture: &RgbImage) -> Vec<u8> {
        let mut png = Cursor::new(Vec::new());
        picture.write_to(&mut png, ImageFormat::Png).unwrap();
        png.into_inner()
    }

    #[test]
    fn undoes_the_enlargement() {
        let mut photo = RgbImage::from_fn(512, 256, |x, y| Rgb([((x / 4 + y / 4) % 16) as u8 * 17; 3]));
        let levels = photo_levels(&png(&photo)).unwrap();
        assert_eq!(levels.len(), 128 * 64);
        assert_eq!((levels[0], levels[15], levels[128]), (0, 15, 1));

        photo.put_pixel(5, 6, Rgb([255; 3]));
        assert!(photo_levels(&png(&photo)).unwrap_err().to_string().contains("panel pixel 1, 1"));
    }

    #[test]
    fn differences_in_words() {
        let (black, mut other) = (vec![0; 128 * 64], vec![0; 128 * 64]);
        assert_eq!(difference(&black, &other), None);
        other[130] = 9;
        assert_eq!(difference(&black, &other).unwrap(), "1 pixels differ, first 2, 1: level 0 against 9");
        assert!(difference(&black, &other[1..]).is_some());
    }

    #[test]
    fn refuses_other_pictures() {
        assert!(photo_levels(b"GIF").is_err());
        assert!(photo_levels(&png(&RgbImage::new(128, 64))).is_err());
        assert!(panel_levels(&RgbImage::from_pixel(1, 1, Rgb([16; 3]))).is_err());
        assert!(panel_levels(&RgbImage::from_pixel(1, 1, Rgb([17, 17, 0]))).is_err());
    }
}
