//! One file to pixels: whatever its name says, upright, and whole or refused.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbaImage};

use crate::jpeg;

/// Memory that decoding one file may take: enough for 300 megapixels in colour.
const MAX_BYTES: u64 = 1 << 30;

/// A decoded file.
#[derive(Clone, Debug)]
pub struct Picture {
    /// H·W·C bytes, rows from the top.
    pub pixels: Vec<u8>,
    /// `[H, W, C]`, C = 1 (grey), 3 (RGB) or 4 (with transparency).
    pub shape: [usize; 3],
    /// Name of the format.
    pub format: &'static str,
    /// The highest value of 16-bit samples, transparency aside.
    pub peak: Option<u16>,
    /// Whether its metadata turned or mirrored it.
    pub turned: bool,
    /// Whether it has samples of floating point, which are cut to 0 … 1.
    pub float: bool,
    /// Whether more pictures follow in the file, of which the first is taken.
    pub animated: bool,
}

/// Decodes one file, whatever its name says of its format.
///
/// # Errors
/// With the reason alone, without the path: no image, another format, damaged or cut.
pub fn open(path: &Path) -> Result<DynamicImage> {
    decode(path).map(|decoded| decoded.image)
}

/// Decodes one file. Samples of 16 bits are taken as values of `bits` bits.
///
/// # Errors
/// As [`open`].
pub fn picture(path: &Path, bits: u32) -> Result<Picture> {
    let Decoded { image, format, turned, animated } = decode(path)?;
    let (height, width) = (image.height() as usize, image.width() as usize);
    let peak = peak(&image);
    let image = if peak.is_some() && bits < 16 { rescaled(image, bits) } else { image };
    let float = matches!(image, DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_));
    let (pixels, channels) = if image.color().has_alpha() {
        let rgba = image.into_rgba8();
        if rgba.pixels().any(|pixel| pixel.0[3] < 255) {
            (rgba.into_raw(), 4)
        } else {
            (DynamicImage::from(rgba).into_rgb8().into_raw(), 3)
        }
    } else if image.color().has_color() {
        (image.into_rgb8().into_raw(), 3)
    } else {
        (image.into_luma8().into_raw(), 1)
    };
    Ok(Picture { pixels, shape: [height, width, channels], format: name(format), peak, turned, float, animated })
}

struct Decoded {
    image: DynamicImage,
    format: ImageFormat,
    turned: bool,
    animated: bool,
}

fn decode(path: &Path) -> Result<Decoded> {
    let bytes = fs::read(path)?;
    if bytes.is_empty() {
        bail!("it is empty");
    }
    let mut reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format()?;
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    // The format that no first bytes tell.
    if reader.format().is_none() && extension == "tga" {
        reader.set_format(ImageFormat::Tga);
    }
    let format = reader.format().context("its content is no image of a known format")?;
    if format == ImageFormat::Jpeg {
        let (mut image, orientation) = jpeg::decode(&bytes, MAX_BYTES)?;
        image.apply_orientation(orientation);
        return Ok(Decoded { image, format, turned: orientation != Orientation::NoTransforms, animated: false });
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let explained = |error: image::ImageError| anyhow!("{} ({})", fault(&error), error.to_string().replace('\n', " "));
    let mut decoder = reader.into_decoder().map_err(explained)?;
    // Metadata that cannot be read turns nothing.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(explained)?;
    image.apply_orientation(orientation);
    let animated = is_animated(&bytes, format);
    Ok(Decoded { image, format, turned: orientation != Orientation::NoTransforms, animated })
}

/// Whether a file that could be decoded holds more than one picture.
fn is_animated(bytes: &[u8], format: ImageFormat) -> bool {
    let bytes = Cursor::new(bytes);
    match format {
        ImageFormat::Gif => GifDecoder::new(bytes).is_ok_and(|decoder| decoder.into_frames().take(2).count() > 1),
        ImageFormat::Png => PngDecoder::new(bytes).and_then(|decoder| decoder.is_apng()).unwrap_or(false),
        ImageFormat::WebP => WebPDecoder::new(bytes).is_ok_and(|decoder| decoder.has_animation()),
        _ => false,
    }
}

fn fault(error: &image::ImageError) -> &'static str {
    match error {
        image::ImageError::Limits(_) => "it needs more than 1 GB of memory",
        image::ImageError::Unsupported(_) => "its kind of image is not supported",
        _ => "it is damaged or cut",
    }
}

fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Gif => "GIF",
        ImageFormat::WebP => "WebP",
        ImageFormat::Pnm => "PNM",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Tga => "TGA",
        ImageFormat::Dds => "DDS",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Ico => "ICO",
        ImageFormat::Hdr => "HDR",
        ImageFormat::Farbfeld => "farbfeld",
        ImageFormat::Qoi => "QOI",
        _ => "other",
    }
}

/// The highest of 16-bit samples, transparency aside.
fn peak(image: &DynamicImage) -> Option<u16> {
    match image {
        DynamicImage::ImageLuma16(image) => image.as_raw().iter().copied().max(),
        DynamicImage::ImageRgb16(image) => image.as_raw().iter().copied().max(),
        DynamicImage::ImageLumaA16(image) => image.pixels().map(|pixel| pixel.0[0]).max(),
        DynamicImage::ImageRgba16(image) => image.pixels().flat_map(|pixel| [0, 1, 2].map(|at| pixel.0[at])).max(),
        _ => None,
    }
}

/// Values of `bits` bits brought to all 16.
fn rescaled(mut image: DynamicImage, bits: u32) -> DynamicImage {
    let most = (1u32 << bits) - 1;
    let scale = |value: &mut u16| *value = ((u32::from(*value).min(most) * 65_535 + most / 2) / most) as u16;
    match &mut image {
        DynamicImage::ImageLuma16(image) => image.iter_mut().for_each(scale),
        DynamicImage::ImageRgb16(image) => image.iter_mut().for_each(scale),
        DynamicImage::ImageLumaA16(image) => image.pixels_mut().for_each(|pixel| scale(&mut pixel.0[0])),
        DynamicImage::ImageRgba16(image) => {
            image.pixels_mut().for_each(|pixel| pixel.0[..3].iter_mut().for_each(scale))
        }
        _ => {}
    }
    image
}

/// An image laid over `background`, three bytes a pixel.
pub fn over(image: &RgbaImage, background: [u8; 3]) -> Vec<u8> {
    over_raw(image.as_raw(), background)
}

pub(crate) fn over_raw(rgba: &[u8], background: [u8; 3]) -> Vec<u8> {
    let mix = |value: u8, behind: u8, alpha: u8| {
        ((u32::from(value) * u32::from(alpha) + u32::from(behind) * (255 - u32::from(alpha)) + 127) / 255) as u8
    };
    rgba.chunks_exact(4).flat_map(|p| [0, 1, 2].map(|channel| mix(p[channel], background[channel], p[3]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage, Rgba};

    const FORMATS: [(ImageFormat, &str); 11] = [
        (ImageFormat::Png, "PNG"),
        (ImageFormat::Jpeg, "JPEG"),
        (ImageFormat::Gif, "GIF"),
        (ImageFormat::WebP, "WebP"),
        (ImageFormat::Bmp, "BMP"),
        (ImageFormat::Tiff, "TIFF"),
        (ImageFormat::Qoi, "QOI"),
        (ImageFormat::Pnm, "PNM"),
        (ImageFormat::Ico, "ICO"),
        (ImageFormat::Farbfeld, "farbfeld"),
        (ImageFormat::Tga, "TGA"),
    ];

    /// A picture that no format packs to nothing, in a file of `format`.
    fn file(format: ImageFormat) -> Vec<u8> {
        let noise = |x: u32, y: u32| (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503) ^ (x * y)) as u8;
        let rgb = RgbImage::from_fn(40, 30, |x, y| Rgb([noise(x, y), noise(y, x), if x < 20 { 255 } else { 0 }]));
        let image = match format {
            ImageFormat::Gif | ImageFormat::Ico => DynamicImage::from(DynamicImage::from(rgb).into_rgba8()),
            ImageFormat::Farbfeld => DynamicImage::from(DynamicImage::from(rgb).into_rgba16()),
            _ => rgb.into(),
        };
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn every_format_is_read_by_its_content_and_refused_when_it_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        for (format, name) in FORMATS {
            let bytes = file(format);
            let path = folder.path().join(if format == ImageFormat::Tga { "x.tga" } else { "x.png" });
            fs::write(&path, &bytes).unwrap();
            let picture = picture(&path, 16).unwrap();
            assert_eq!((picture.format, &picture.shape[..2]), (name, &[30, 40][..]));
            let blue = |x: usize| picture.pixels[(15 * 40 + x) * picture.shape[2] + 2];
            assert!(blue(4) > 200 && blue(36) < 60, "{name}: {} {}", blue(4), blue(36));
            for length in [bytes.len() / 2, bytes.len() * 9 / 10] {
                fs::write(&path, &bytes[..length]).unwrap();
                assert!(open(&path).is_err(), "{name}, {length} of {} bytes", bytes.len());
            }
        }
        let text = folder.path().join("text.png");
        fs::write(&text, "no image").unwrap();
        assert!(open(&text).unwrap_err().to_string().contains("no image"));
        fs::write(&text, "").unwrap();
        assert!(open(&text).unwrap_err().to_string().contains("empty"));
    }

    /// An EXIF block (little-endian TIFF) with nothing but an orientation.
    fn exif(orientation: u8) -> Vec<u8> {
        let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        block.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        block
    }

    #[test]
    fn pictures_are_upright() {
        let folder = tempfile::tempdir().unwrap();
        // White at the left of 16 × 8: orientation 6 shows it at the top of 8 × 16.
        let grey = GrayImage::from_fn(16, 8, |x, _| Luma([if x < 8 { 255 } else { 0 }]));
        let mut bytes = Cursor::new(Vec::new());
        grey.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
        let plain = bytes.into_inner();
        let app1 = [&b"Exif\0\0"[..], &exif(6)].concat();
        let length = (app1.len() as u16 + 2).to_be_bytes();
        let turned = [&plain[..2], &[0xff, 0xe1], &length, &app1, &plain[2..]].concat();
        let mut png = Cursor::new(Vec::new());
        let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
        image::ImageEncoder::set_exif_metadata(&mut encoder, exif(6)).unwrap();
        image::ImageEncoder::write_image(encoder, grey.as_raw(), 16, 8, image::ExtendedColorType::L8).unwrap();
        for bytes in [turned, png.into_inner()] {
            let path = folder.path().join("x");
            fs::write(&path, bytes).unwrap();
            let picture = picture(&path, 16).unwrap();
            assert_eq!((picture.shape, picture.turned), ([16, 8, 1], true));
            assert!(picture.pixels[..32].iter().all(|&value| value > 240), "white lies at the top");
            assert!(picture.pixels[96..].iter().all(|&value| value < 15));
        }
    }

    #[test]
    fn of_several_frames_the_first_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let frame = |grey: u8| image::Frame::new(RgbaImage::from_pixel(4, 3, Rgba([grey, grey, grey, 255])));
        for count in [1, 2] {
            let path = folder.path().join(format!("{count}.gif"));
            let mut encoder = image::codecs::gif::GifEncoder::new(fs::File::create(&path).unwrap());
            encoder.encode_frames([frame(200), frame(10)].into_iter().take(count)).unwrap();
            drop(encoder);
            let picture = picture(&path, 16).unwrap();
            assert_eq!((picture.animated, &picture.shape), (count == 2, &[3, 4, 3]));
            assert!(picture.pixels.iter().all(|&value| value.abs_diff(200) < 3));
        }
        for format in [ImageFormat::Png, ImageFormat::WebP] {
            let path = folder.path().join("still");
            fs::write(&path, file(format)).unwrap();
            assert!(!picture(&path, 16).unwrap().animated);
        }
    }

    #[test]
    fn sixteen_bits_may_hold_twelve() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.png");
        ImageBuffer::<Luma<u16>, _>::from_raw(3, 1, vec![0u16, 2_048, 4_095]).unwrap().save(&path).unwrap();
        let dark = picture(&path, 16).unwrap();
        assert_eq!((dark.peak, dark.pixels), (Some(4_095), vec![0, 8, 16]));
        assert_eq!(picture(&path, 12).unwrap().pixels, [0, 128, 255]);
    }

    #[test]
    fn transparency_is_laid_over_a_background() {
        let image = RgbaImage::from_raw(2, 1, vec![200, 100, 50, 0, 200, 100, 50, 51]).unwrap();
        assert_eq!(over(&image, [0; 3]), [0, 0, 0, 40, 20, 10]);
        assert_eq!(over(&image, [255; 3]), [255, 255, 255, 244, 224, 214]);
        assert_eq!(over(&RgbaImage::from_pixel(1, 1, Rgba([9, 8, 7, 255])), [255; 3]), [9, 8, 7]);
    }
}
