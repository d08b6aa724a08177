//! The HDMI picture as a [`DrawTarget`].

use core::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, OriginDimensions, Point, Size};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::primitives::{PointsIter, Rectangle};

use crate::mailbox::Surface;
use crate::registers::write;

/// Pixels in a row; as board.toml says.
pub const WIDTH: u32 = 640;
/// Rows.
pub const HEIGHT: u32 = 480;

/// The picture.
pub struct Framebuffer(Surface);

impl Framebuffer {
    /// The picture on a framebuffer of [`WIDTH`]×[`HEIGHT`].
    pub fn new(surface: Surface) -> Self {
        Self(surface)
    }

    fn put(&mut self, Point { x, y }: Point, color: Rgb888) {
        if !(0..WIDTH as i32).contains(&x) || !(0..HEIGHT as i32).contains(&y) {
            return;
        }
        let word = u32::from_le_bytes([color.r(), color.g(), color.b(), 0xFF]);
        write(self.0.base + y as usize * self.0.pitch + 4 * x as usize, word);
    }
}

impl OriginDimensions for Framebuffer {
    fn size(&self) -> Size {
        Size::new(WIDTH, HEIGHT)
    }
}

impl DrawTarget for Framebuffer {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        pixels.into_iter().for_each(|Pixel(at, color)| self.put(at, color));
        Ok(())
    }

    fn fill_contiguous<I>(&mut self, area: &Rectangle, colors: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Rgb888>,
    {
        area.points().zip(colors).for_each(|(at, color)| self.put(at, color));
        Ok(())
    }

    fn clear(&mut self, color: Rgb888) -> Result<(), Infallible> {
        self.fill_solid(&self.bounding_box(), color)
    }
}
