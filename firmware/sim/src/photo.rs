//! Pictures of panels: a 16-grey panel's back to its levels, and one of 16-bit colours from its bytes.

use std::io::Cursor;

use anyhow::{Context, Result, bail, ensure};
use embedded_graphics::pixelcolor::raw::RawU16;
use embedded_graphics::pixelcolor::{Rgb565, Rgb888};
use embedded_graphics::prelude::RgbColor;
use image::{ImageFormat, Rgb, RgbImage};

use crate::spec::PanelSpec;

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

/// The PNG file of a picture in 16-bit colours, two bytes a pixel with the low one first, row by row from the top left: one
/// pixel each, in the colours that the simulated panel shows.
///
/// # Errors
///
/// When there are not as many bytes as the panel has.
pub fn rgb565_png(bytes: &[u8], panel: PanelSpec) -> Result<Vec<u8>> {
    let (width, height) = (panel.width, panel.height);
    let expected = width as usize * height as usize * 2;
    ensure!(bytes.len() == expected, "expected {expected} bytes for {width}×{height} pixels, found {}", bytes.len());
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let at = (y * width + x) as usize * 2;
        let color = Rgb888::from(Rgb565::from(RawU16::new(u16::from_le_bytes([bytes[at], bytes[at + 1]]))));
        Rgb([color.r(), color.g(), color.b()])
    });
    to_png(&picture)
}

/// A picture as a PNG file.
pub(crate) fn to_png(picture: &RgbImage) -> Result<Vec<u8>> {
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).context("could not encode the picture")?;
    Ok(png.into_inner())
}

/// Where a photo with one pixel for each panel pixel differs first from a picture, in words; `None` where they show the same.
///
/// # Errors
///
/// When `png` is not a PNG file.
pub fn picture_difference(png: &[u8], picture: &RgbImage) -> Result<Option<String>> {
    let photo = image::load_from_memory(png).context("the photo is not a PNG file")?.into_rgb8();
    if photo.dimensions() != picture.dimensions() {
        return Ok(Some(format!("{:?} pixels against {:?}", photo.dimensions(), picture.dimensions())));
    }
    let mut pairs = photo.enumerate_pixels().zip(picture.pixels()).filter(|((_, _, left), right)| left != right);
    Ok(pairs.next().map(|((x, y, left), right)| {
        let count = pairs.count() + 1;
        format!("{count} pixels differ, first {x}, {y}: {:?} against {:?}", left.0, right.0)
    }))
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
    use crate::PanelColors;

    fn png(picture: &RgbImage) -> Vec<u8> {
        let mut png = Cursor::new(Vec::new());
        picture.write_to(&mut png, ImageFormat::Png).unwrap();
        png.into_inner()
    }

    #[test]
    fn sixteen_bit_colours_and_their_differences() {
        let panel = PanelSpec { width: 2, height: 2, colors: PanelColors::Rgb565 };
        let photo = rgb565_png(&[0x00, 0xF8, 0xE0, 0x07, 0x1F, 0x00, 0xFF, 0xFF], panel).unwrap();
        let mut picture = RgbImage::from_pixel(2, 2, Rgb([255; 3]));
        picture.put_pixel(0, 0, Rgb([255, 0, 0]));
        picture.put_pixel(1, 0, Rgb([0, 255, 0]));
        picture.put_pixel(0, 1, Rgb([0, 0, 255]));
        assert_eq!(picture_difference(&photo, &picture).unwrap(), None);
        picture.put_pixel(1, 0, Rgb([0, 254, 0]));
        let difference = picture_difference(&photo, &picture).unwrap().unwrap();
        assert_eq!(difference, "1 pixels differ, first 1, 0: [0, 255, 0] against [0, 254, 0]");
        assert!(picture_difference(&photo, &RgbImage::new(1, 4)).unwrap().is_some());
        assert!(picture_difference(b"GIF", &picture).is_err());
        assert!(rgb565_png(&[0; 7], panel).is_err());
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
