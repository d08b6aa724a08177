//! Image bytes to panel colours.

use embedded_graphics::geometry::Point;
use embedded_graphics::pixelcolor::{BinaryColor, Gray4, Gray8, PixelColor, Rgb565, Rgb888};
use embedded_graphics::prelude::RgbColor;

/// A colour that a panel can show and an image byte can become.
///
/// `at` is the pixel's place on the panel: a panel with 2 or 16 levels makes those between by dithering, and needs it so that
/// the pattern runs through from one image to the next. Panels with more levels ignore it.
pub trait PanelColor: PixelColor {
    /// Whether the place of a pixel matters; else a colour is made once and repeated where an image is enlarged.
    const DITHERED: bool = false;

    /// The colour nearest to a grey, 0 black … 255 white.
    fn from_grey(level: u8, at: Point) -> Self;

    /// The colour nearest to an sRGB triple, each 0…255. On a grey panel, its luma.
    fn from_rgb(r: u8, g: u8, b: u8, at: Point) -> Self;

    /// One pixel of an image row.
    ///
    /// One channel is a grey, three are red, green, blue. Of two or more than three only the first, or the first three,
    /// can be shown; an empty pixel is black.
    fn from_pixel(pixel: &[u8], at: Point) -> Self {
        match *pixel {
            [r, g, b, ..] => Self::from_rgb(r, g, b, at),
            [grey, ..] => Self::from_grey(grey, at),
            [] => Self::from_grey(0, at),
        }
    }
}

/// Grey of an sRGB triple: ITU-R BT.601 luma in 1/256, 0…255.
fn luma(r: u8, g: u8, b: u8) -> u8 {
    // 77 + 150 + 29 = 256, so white stays 255 and the sum fits 16 bits.
    ((77 * u16::from(r) + 150 * u16::from(g) + 29 * u16::from(b) + 128) >> 8) as u8
}

/// `level` of 255 as `level` of `max`, to the nearest. No ties: 255 is odd.
fn rescale(level: u8, max: u16) -> u8 {
    ((u16::from(level) * max + 127) / 255) as u8
}

impl PanelColor for Gray4 {
    const DITHERED: bool = true;

    /// Ordered dithering between the two next of the 16 levels, which stand for the bytes 0, 17, 34, …, 255: of each 8×8 pixels,
    /// `(level mod 17) · 64 / 17` (to the nearest) have the upper one.
    fn from_grey(level: u8, at: Point) -> Self {
        let part = (u16::from(level % 17) * 128 + 17) / 34;
        Gray4::new(level / 17 + u8::from(part > u16::from(threshold(at))))
    }

    fn from_rgb(r: u8, g: u8, b: u8, at: Point) -> Self {
        Self::from_grey(luma(r, g, b), at)
    }
}

impl PanelColor for Gray8 {
    fn from_grey(level: u8, _: Point) -> Self {
        Gray8::new(level)
    }

    fn from_rgb(r: u8, g: u8, b: u8, at: Point) -> Self {
        Self::from_grey(luma(r, g, b), at)
    }
}

impl PanelColor for Rgb565 {
    fn from_grey(level: u8, at: Point) -> Self {
        Self::from_rgb(level, level, level, at)
    }

    /// Each part to the nearest of its 32 or 64 levels.
    fn from_rgb(r: u8, g: u8, b: u8, _: Point) -> Self {
        let max_rb = u16::from(Rgb565::MAX_R);
        Rgb565::new(rescale(r, max_rb), rescale(g, u16::from(Rgb565::MAX_G)), rescale(b, max_rb))
    }
}

impl PanelColor for Rgb888 {
    fn from_grey(level: u8, at: Point) -> Self {
        Self::from_rgb(level, level, level, at)
    }

    fn from_rgb(r: u8, g: u8, b: u8, _: Point) -> Self {
        Rgb888::new(r, g, b)
    }
}

/// Bayer's 8×8 ordered dither: a permutation of 0…63 in which consecutive numbers lie far apart.
const BAYER: [[u8; 8]; 8] = [
    [0, 32, 8, 40, 2, 34, 10, 42],
    [48, 16, 56, 24, 50, 18, 58, 26],
    [12, 44, 4, 36, 14, 46, 6, 38],
    [60, 28, 52, 20, 62, 30, 54, 22],
    [3, 35, 11, 43, 1, 33, 9, 41],
    [51, 19, 59, 27, 49, 17, 57, 25],
    [15, 47, 7, 39, 13, 45, 5, 37],
    [63, 31, 55, 23, 61, 29, 53, 21],
];

/// How much of 64 a pixel must have to go up, 0 … 63.
fn threshold(at: Point) -> u8 {
    BAYER[(at.y & 7) as usize][(at.x & 7) as usize]
}

impl PanelColor for BinaryColor {
    const DITHERED: bool = true;

    /// Ordered dithering: of each 8×8 pixels, `level · 64 / 255` (to the nearest) are on. 0 is all off, 255 all on.
    fn from_grey(level: u8, at: Point) -> Self {
        BinaryColor::from(rescale(level, 64) > threshold(at))
    }

    fn from_rgb(r: u8, g: u8, b: u8, at: Point) -> Self {
        Self::from_grey(luma(r, g, b), at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::prelude::GrayColor;
    use std::vec::Vec;

    #[test]
    fn gray4_keeps_its_levels_and_dithers_between_them() {
        for level in 0..=255u8 {
            let levels = (0..64).map(|i| u32::from(Gray4::from_grey(level, Point::new(i % 8, i / 8)).luma()));
            let (least, most) = (levels.clone().min().unwrap(), levels.clone().max().unwrap());
            assert_eq!((least, most), (u32::from(level) / 17, u32::from(level).div_ceil(17)), "{level}");
            // 17 · 64 times the mean level, to half a pixel of the 64.
            let found = 17 * levels.sum::<u32>();
            assert!(found.abs_diff(64 * u32::from(level)) <= 8, "{level} → {found}");
        }
    }

    #[test]
    fn bayer_is_a_permutation() {
        let mut seen: Vec<u8> = BAYER.into_iter().flatten().collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..64));
    }

    #[test]
    fn dithering_keeps_the_mean() {
        for level in 0..=255u8 {
            // A square that starts anywhere, left and above the panel too, has as many pixels on.
            for (left, top) in [(0, 0), (5, 3), (-13, -6)] {
                let lit = (0..64)
                    .map(|i| Point::new(left + i % 8, top + i / 8))
                    .filter(|&at| BinaryColor::from_grey(level, at).is_on())
                    .count();
                assert_eq!(lit, (usize::from(level) * 64 + 127) / 255, "level {level}");
            }
        }
    }

    #[test]
    fn white_black_and_primaries() {
        let at = Point::zero();
        assert_eq!(Rgb565::from_grey(255, at), Rgb565::WHITE);
        assert_eq!(Rgb565::from_rgb(0, 255, 0, at), Rgb565::GREEN);
        assert_eq!(Gray8::from_rgb(255, 255, 255, at), Gray8::WHITE);
        assert_eq!(Gray8::from_rgb(0, 0, 255, at).luma(), 29);
        assert_eq!(Gray4::from_rgb(0, 0, 0, at), Gray4::BLACK);
    }

    #[test]
    fn pixels_of_any_channel_count() {
        let at = Point::zero();
        assert_eq!(Rgb888::from_pixel(&[9], at), Rgb888::new(9, 9, 9));
        assert_eq!(Rgb888::from_pixel(&[9, 8], at), Rgb888::new(9, 9, 9));
        assert_eq!(Rgb888::from_pixel(&[9, 8, 7], at), Rgb888::new(9, 8, 7));
        assert_eq!(Rgb888::from_pixel(&[9, 8, 7, 6], at), Rgb888::new(9, 8, 7));
        assert_eq!(Rgb888::from_pixel(&[], at), Rgb888::BLACK);
    }
}
