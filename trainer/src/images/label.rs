//! Words on a sheet.

use std::convert::Infallible;

use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::FONT_10X20;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::text::{Baseline, Text};
use embedded_graphics::{Drawable, Pixel};

/// Width of a letter and height of a line, in pixels.
pub(crate) const LETTER: [usize; 2] = [10, 20];
/// Grey of the letters, on every channel.
const INK: u8 = 235;

/// Writes a line of Latin-1 text with its top left corner at `(x, y)` of a canvas of `width` pixels and `channels`
/// channels; what lies outside is left out.
pub(crate) fn write(canvas: &mut [u8], width: usize, channels: usize, text: &str, (x, y): (usize, usize)) {
    let style = MonoTextStyle::new(&FONT_10X20, BinaryColor::On);
    let mut canvas = Canvas { pixels: canvas, width, channels };
    let place = Point::new(x as i32, y as i32);
    let Ok(_) = Text::with_baseline(text, place, style, Baseline::Top).draw(&mut canvas);
}

struct Canvas<'a> {
    pixels: &'a mut [u8],
    width: usize,
    channels: usize,
}

impl OriginDimensions for Canvas<'_> {
    fn size(&self) -> Size {
        Size::new(self.width as u32, (self.pixels.len() / self.channels / self.width) as u32)
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(place, colour) in pixels {
            let (Ok(x), Ok(y)) = (usize::try_from(place.x), usize::try_from(place.y)) else { continue };
            let start = (y * self.width + x) * self.channels;
            if let Some(pixel) = self.pixels.get_mut(start..start + self.channels)
                && colour.is_on()
                && x < self.width
            {
                pixel.fill(INK);
            }
        }
        Ok(())
    }
}
