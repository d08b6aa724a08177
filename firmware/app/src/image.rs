//! One image on the panel: where it goes and how a row of bytes becomes pixels.

use edgegen_runtime::{Generator, Shape, latent};
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::primitives::Rectangle;

use crate::PanelColor;

/// Something that makes images a row at a time: the [`Generator`], or a test pattern.
///
/// The rows are handed to a closure, so that the source may lend its own buffer and nothing is copied.
pub trait RowSource {
    /// Height, width and channels of every image.
    fn shape(&self) -> Shape;

    /// Makes the image at `point`, top row first, and hands each row (width · channels bytes) to `row`.
    ///
    /// # Errors
    ///
    /// Stops at the first error of `row` and returns it; making a row cannot fail.
    fn rows<E>(&mut self, point: latent::Point, row: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E>;
}

impl RowSource for Generator<'_> {
    fn shape(&self) -> Shape {
        self.model().output()
    }

    fn rows<E>(&mut self, point: latent::Point, mut row: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut rows = self.sample_at(point);
        while let Some(bytes) = rows.next_row() {
            row(bytes)?;
        }
        Ok(())
    }
}

/// Place and size of an image on the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Panel position of the image's top left pixel. May lie outside: what falls off the panel is not drawn.
    pub top_left: Point,
    /// Panel pixels per image pixel, in both directions; at least 1.
    pub scale: u32,
}

impl Placement {
    /// In the middle of `area`, enlarged as far as it fits. An image larger than the area shows its middle.
    pub fn centred(area: Rectangle, image: Shape) -> Self {
        let (width, height) = (u32::from(image.w).max(1), u32::from(image.h).max(1));
        let scale = (area.size.width / width).min(area.size.height / height).max(1);
        let spare = |room: u32, used: u32| (room as i32 - used as i32).div_euclid(2);
        let top_left =
            area.top_left + Point::new(spare(area.size.width, width * scale), spare(area.size.height, height * scale));
        Self { top_left, scale }
    }

    /// Draws row `y` of an image: `scale` panel rows, one address window, one run of colours.
    ///
    /// `row` is one byte a channel, `channels` channels a pixel, left to right.
    ///
    /// # Errors
    ///
    /// Those of the display.
    pub fn draw_row<D>(&self, display: &mut D, y: u32, row: &[u8], channels: usize) -> Result<(), D::Error>
    where
        D: DrawTarget,
        D::Color: PanelColor,
    {
        let width = (row.len() / channels.max(1)) as u32;
        let area = Rectangle::new(
            self.top_left + Point::new(0, (y * self.scale) as i32),
            Size::new(width * self.scale, self.scale),
        );
        let scale = self.scale as usize;
        let pixels = area.rows().flat_map(|panel_y| {
            row.chunks_exact(channels.max(1))
                .flat_map(move |pixel| core::iter::repeat_n(pixel, scale))
                .zip(area.columns())
                .map(move |(pixel, x)| D::Color::from_pixel(pixel, Point::new(x, panel_y)))
        });
        display.fill_contiguous(&area, pixels)
    }
}

/// Draws the image of `seed`, each row as it is made.
///
/// # Errors
///
/// Those of the display.
pub fn draw_sample<D>(
    display: &mut D,
    source: &mut impl RowSource,
    seed: u64,
    placement: Placement,
) -> Result<(), D::Error>
where
    D: DrawTarget,
    D::Color: PanelColor,
{
    let channels = usize::from(source.shape().c);
    let mut y = 0;
    source.rows(latent::Point::seed(seed), |row| {
        placement.draw_row(display, y, row, channels)?;
        y += 1;
        Ok(())
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use embedded_graphics::mock_display::MockDisplay;
    use embedded_graphics::pixelcolor::{BinaryColor, Gray4, Rgb888};
    use std::vec::Vec;

    /// Pixel i of an image has the value `seed` + i · `step` (wrapping), in every channel.
    pub(crate) struct Ramp {
        pub shape: Shape,
        pub step: u8,
    }

    impl RowSource for Ramp {
        fn shape(&self) -> Shape {
            self.shape
        }

        fn rows<E>(&mut self, point: latent::Point, mut row: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
            let (width, channels) = (u32::from(self.shape.w), usize::from(self.shape.c));
            for y in 0..u32::from(self.shape.h) {
                let bytes: Vec<u8> = (0..width)
                    .map(|x| (point.from as u8).wrapping_add((y * width + x) as u8 * self.step))
                    .flat_map(|level| core::iter::repeat_n(level, channels))
                    .collect();
                row(&bytes)?;
            }
            Ok(())
        }
    }

    fn ramp(h: u16, w: u16, c: u16) -> Ramp {
        Ramp { shape: Shape { h, w, c }, step: 17 }
    }

    #[test]
    fn pixels_are_enlarged_in_place() {
        let mut display = MockDisplay::<Gray4>::new();
        let placement = Placement { top_left: Point::new(1, 2), scale: 2 };
        draw_sample(&mut display, &mut ramp(2, 3, 1), 0, placement).unwrap();
        display.assert_pattern(&[
            "       ", //
            "       ", //
            " 001122", //
            " 001122", //
            " 334455", //
            " 334455", //
        ]);
    }

    #[test]
    fn three_channels_are_a_colour() {
        struct Colours;
        impl RowSource for Colours {
            fn shape(&self) -> Shape {
                Shape { h: 1, w: 3, c: 3 }
            }
            fn rows<E>(&mut self, _: latent::Point, mut row: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
                row(&[255, 0, 0, 0, 255, 0, 255, 255, 255])
            }
        }
        let mut display = MockDisplay::<Rgb888>::new();
        let placement = Placement { top_left: Point::zero(), scale: 1 };
        draw_sample(&mut display, &mut Colours, 0, placement).unwrap();
        display.assert_pattern(&["RGW"]);
    }

    #[test]
    fn dithering_follows_the_panel_not_the_image() {
        let mut grey = Ramp { shape: Shape { h: 4, w: 4, c: 1 }, step: 0 };
        let mut display = MockDisplay::<BinaryColor>::new();
        for x in [0, 4] {
            let placement = Placement { top_left: Point::new(x, 0), scale: 1 };
            draw_sample(&mut display, &mut grey, 128, placement).unwrap();
        }
        display.assert_pattern(&[
            "#.#.#.#.", //
            ".#.#.#.#", //
            "#.#.#.#.", //
            ".#.#.#.#", //
        ]);
    }

    #[test]
    fn stops_at_the_first_error() {
        let mut calls = 0;
        let result = ramp(5, 2, 1).rows(latent::Point::seed(0), |_| {
            calls += 1;
            if calls == 3 { Err("panel gone") } else { Ok(()) }
        });
        assert_eq!((result, calls), (Err("panel gone"), 3));
    }
}
