//! JPEG files, whole or refused.
//!
//! The decoder is the one that the crate `image` has, asked for here by itself because `image` asks it to make something of
//! every file: where data are missing or damaged it fills the rest with grey and says nothing. So does this decoder
//! where an end marker comes too soon; what finds that is a second look, with more data before the marker
//! ([`reads_on`]).

use std::iter::successors;

use anyhow::{Result, anyhow, bail, ensure};
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

/// Decodes a file of at most `most` bytes of pixels, and gives what its EXIF data say of how it lies.
///
/// # Errors
/// If it is damaged or cut, with the reason.
pub fn decode(bytes: &[u8], most: u64) -> Result<(DynamicImage, Orientation)> {
    let end = whole(bytes).map_err(|fault| anyhow!("{fault}"))?;
    let (image, orientation) = match attempt(bytes, most, true) {
        // Harmless, and in files of some cameras.
        Err(error) if error.to_string().contains("Extra bytes between headers") => attempt(bytes, most, false)?,
        other => other?,
    };
    if reads_on(bytes, end, &image, most) {
        bail!("it is cut: its picture ends before its end marker");
    }
    Ok((image, orientation))
}

/// Whether a decoder would read on where the end marker is, which it does only while pixels are missing: then a file
/// with more data before the marker is another picture, or none. It takes as long as decoding.
fn reads_on(bytes: &[u8], end: usize, image: &DynamicImage, most: u64) -> bool {
    // So many that some of them are seen in any picture: a white one hides what would make it whiter.
    const MORE: usize = 64;
    // Without order (3 generates the integers modulo 257), unlike the zeros that a decoder reads where there is
    // nothing; 255 would begin a marker.
    let more = successors(Some(221), |value| Some(value * 3 % 257)).map(|value: u16| value.min(254) as u8);
    let more: Vec<u8> = more.take(MORE).collect();
    let (before, after) = bytes.split_at(end);
    !attempt(&[before, &more, after].concat(), most, false).is_ok_and(|(other, _)| other == *image)
}

fn attempt(bytes: &[u8], most: u64, strict: bool) -> Result<(DynamicImage, Orientation)> {
    let damaged = |error| anyhow!("it is damaged ({})", format!("{error:?}").replace('\n', " "));
    let options =
        DecoderOptions::default().set_strict_mode(strict).set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let (Some((width, height)), Some(space)) = (decoder.dimensions(), decoder.input_colorspace()) else {
        bail!("it is damaged (no size in it)");
    };
    ensure!((width * height) as u64 <= most / 3, "it needs more than {} MB of memory", most >> 20);
    // As `image` does: other spaces, such as CMYK, are brought to RGB.
    let target = if space == ColorSpace::Luma { space } else { ColorSpace::RGB };
    decoder.set_options(options.jpeg_set_out_colorspace(target));
    let pixels = decoder.decode().map_err(damaged)?;
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let (width, height) = (width as u32, height as u32);
    let image = match target {
        ColorSpace::Luma => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from),
        _ => RgbImage::from_raw(width, height, pixels).map(DynamicImage::from),
    };
    let image = image.ok_or_else(|| anyhow!("it is damaged (fewer pixels than its size)"))?;
    Ok((image, orientation.unwrap_or(Orientation::NoTransforms)))
}

/// Where the end marker of a whole file is, or why it is not: scans follow each other up to an end marker (ITU-T T.81,
/// B.1 and B.2).
fn whole(bytes: &[u8]) -> Result<usize, &'static str> {
    const CUT: Result<usize, &str> = Err("it is cut: its end marker is missing");
    let mut at = 2;
    let mut scans = 0;
    loop {
        // A marker is 0xFF, perhaps several times, and its code.
        let Some(skipped) = bytes.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == 0xff)) else {
            return CUT;
        };
        at += skipped;
        let marker = at;
        while bytes.get(at) == Some(&0xff) {
            at += 1;
        }
        match bytes.get(at) {
            None => return CUT,
            Some(0xd9) if scans > 0 => return Ok(marker),
            Some(0xd9) => return Err("it ends before its picture begins"),
            // Stuffed bytes and restarts belong to the scan.
            Some(0x00 | 0x01 | 0xd0..=0xd8) => at += 1,
            Some(&code) => {
                scans += usize::from(code == 0xda);
                let Some(&[high, low]) = bytes.get(at + 1..at + 3) else { return CUT };
                at += 1 + usize::from(u16::from_be_bytes([high, low]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, imageops};
    use std::io::Cursor;

    fn file(format: impl Fn(RgbImage) -> DynamicImage) -> Vec<u8> {
        let picture = RgbImage::from_fn(64, 48, |x, y| image::Rgb([(x * y) as u8, (x + y) as u8, (x ^ y) as u8]));
        let mut file = Cursor::new(Vec::new());
        format(picture).write_to(&mut file, ImageFormat::Jpeg).unwrap();
        file.into_inner()
    }

    #[test]
    fn pixels_are_those_of_the_crate_image() {
        for file in [file(DynamicImage::from), file(|picture| DynamicImage::from(picture).into_luma8().into())] {
            let (ours, orientation) = decode(&file, 1 << 20).unwrap();
            assert_eq!(ours, image::load_from_memory(&file).unwrap());
            assert_eq!(orientation, Orientation::NoTransforms);
            assert!(decode(&file, 1_000).unwrap_err().to_string().contains("memory"));
        }
    }

    #[test]
    fn damage_in_the_middle_is_told() {
        let mut file = file(DynamicImage::from);
        let middle = file.len() / 2;
        // A marker that no scan may hold.
        file[middle..middle + 2].copy_from_slice(&[0xff, 0xc4]);
        assert!(decode(&file, 1 << 20).is_err());
    }

    #[test]
    fn a_cut_file_is_not_whole() {
        let file = file(DynamicImage::from);
        assert_eq!(whole(&file), Ok(file.len() - 2));
        for length in [2, 3, 20, file.len() / 2, file.len() - 3, file.len() - 1] {
            assert!(whole(&file[..length]).is_err(), "{length} of {}", file.len());
        }
        // Space that a broken download had set aside.
        let mut zeros = file[..file.len() / 2].to_vec();
        zeros.resize(file.len(), 0);
        assert!(whole(&zeros).is_err());
        // What cameras append.
        assert!(whole(&[&file[..], b"trailer"].concat()).is_ok());
    }

    /// The end marker behind a part of the file.
    fn ended(file: &[u8], length: usize) -> Vec<u8> {
        [&file[..length], &[0xff, 0xd9]].concat()
    }

    #[test]
    fn an_end_marker_does_not_make_half_a_file_whole() {
        let wide = |picture: RgbImage| imageops::resize(&picture, 200, 100, imageops::FilterType::Triangle);
        for file in [
            file(DynamicImage::from),
            file(|picture| DynamicImage::from(picture).into_luma8().into()),
            file(|picture| wide(picture).into()),
        ] {
            assert!(decode(&file, 1 << 20).is_ok());
            let scan = file.windows(2).rposition(|bytes| bytes == [0xff, 0xda]).unwrap() + 14;
            // Without the last few blocks it may still pass for whole.
            let most =
                if decode(&file, 1 << 20).unwrap().0.width() < 200 { file.len() - 4 } else { file.len() * 97 / 100 };
            for length in (scan..most).step_by(11) {
                let Err(error) = decode(&ended(&file, length), 1 << 20) else { panic!("{length} of {}", file.len()) };
                let error = error.to_string();
                assert!(error.starts_with("it is cut") || error.contains("damaged"), "{length}: {error}");
            }
        }
    }

    #[test]
    fn an_even_picture_is_whole() {
        for size in [[70, 50], [300, 200]] {
            let white = DynamicImage::from(RgbImage::from_pixel(size[0], size[1], image::Rgb([255; 3])));
            let mut file = Cursor::new(Vec::new());
            white.write_to(&mut file, ImageFormat::Jpeg).unwrap();
            let file = file.into_inner();
            let whole = decode(&file, 1 << 20).unwrap().0;
            assert!(whole == white);
            assert!(decode(&ended(&file, file.len() - 6), 1 << 20).is_err());
        }
    }
}
