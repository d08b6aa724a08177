//! A panel of any size and colours in memory, from where the page copies it to a canvas.

use core::convert::Infallible;
use core::marker::PhantomData;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::{PixelColor, Rgb888, RgbColor};

/// Pixels of a panel at most.
pub const MOST_PIXELS: usize = 640 * 480;

/// Red, green, blue and opacity of each pixel, as a canvas wants them.
pub type Pixels = [[u8; 4]; MOST_PIXELS];

/// A panel that shows colours of type `C`.
pub struct Canvas<'a, C> {
    pixels: &'a mut Pixels,
    size: Size,
    color: PhantomData<C>,
}

impl<'a, C> Canvas<'a, C> {
    /// A panel of `size` pixels, [`MOST_PIXELS`] at most.
    pub fn new(pixels: &'a mut Pixels, size: Size) -> Self {
        Self { pixels, size, color: PhantomData }
    }
}

impl<C: PixelColor + Into<Rgb888>> DrawTarget for Canvas<'_, C> {
    type Color = C;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<C>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        let Size { width, height } = self.size;
        for Pixel(at, color) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(at.x), u32::try_from(at.y)) else { continue };
            if x >= width || y >= height {
                continue;
            }
            if let Some(pixel) = self.pixels.get_mut((y * width + x) as usize) {
                let color: Rgb888 = color.into();
                *pixel = [color.r(), color.g(), color.b(), 255];
            }
        }
        Ok(())
    }
}

impl<C> OriginDimensions for Canvas<'_, C> {
    fn size(&self) -> Size {
        self.size
    }
}
