//! One image on the panel: where it goes and how a row of bytes becomes pixels.

use edgegen_runtime::graph::Source;
use edgegen_runtime::{Generator, Model, Picture, Shape, latent};
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

    /// How many different images there are at most.
    fn most(&self) -> u32 {
        u32::MAX
    }

    /// The picture that the image at `point` is made of, for a source that reads one.
    fn picture(&self, point: latent::Point) -> Option<Picture<'_>> {
        let _ = point;
        None
    }

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

    fn most(&self) -> u32 {
        most_images(self.model())
    }

    fn picture(&self, point: latent::Point) -> Option<Picture<'_>> {
        self.model().pictures().map(|pictures| pictures.picture(point.from))
    }

    fn rows<E>(&mut self, point: latent::Point, mut row: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut rows = self.sample_at(point);
        while let Some(bytes) = rows.next_row() {
            row(bytes)?;
        }
        Ok(())
    }
}

/// Sounds of a plain gallery, which shows them as images: a panel has room for hundreds of columns.
#[cfg(feature = "sound")]
const SOUNDS: u32 = 2;

/// How many different images a model can show at most: as many as it brings pictures along where it reads nothing else.
pub fn most_images(model: &Model<'_>) -> u32 {
    #[cfg(feature = "sound")]
    if model.sample_rate().is_some() {
        return SOUNDS;
    }
    let varies = |source: Option<Source>| !matches!(source, Some(Source::Fed | Source::Constant | Source::Previous));
    match model.pictures() {
        Some(pictures) if !model.inputs().any(|(_, input)| varies(input.source())) => pictures.count().into(),
        _ => u32::MAX,
    }
}

/// Place and size of an image on the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Panel position of the image's top left pixel. May lie outside: what falls off the panel is not drawn.
    pub top_left: Point,
    /// Panel pixels per image pixel, in both directions; at least 1.
    pub scale: u32,
    /// Image pixels per panel pixel, in both directions; at least 1, and 1 unless the image is larger than the panel.
    pub shrink: u32,
}

impl Placement {
    /// The largest whole enlargement of `image` that fits into `area`, in its middle. An image larger than the area is made smaller
    /// by a whole number.
    pub fn centred(area: Rectangle, image: Shape) -> Self {
        let room = area.size;
        let (scale, shrink) = match times(room, image) {
            0 => (1, shrink(room, image)),
            scale => (scale, 1),
        };
        let placement = Self { top_left: area.top_left, scale, shrink };
        let used = placement.size(image);
        let spare = |room: u32, used: u32| (room as i32 - used as i32).div_euclid(2);
        let top_left = area.top_left + Point::new(spare(room.width, used.width), spare(room.height, used.height));
        Self { top_left, ..placement }
    }

    /// Panel pixels that an image takes.
    pub fn size(&self, image: Shape) -> Size {
        let side = |pixels: u16| u32::from(pixels) / self.shrink.max(1) * self.scale;
        Size::new(side(image.w), side(image.h))
    }

    /// Draws row `y` of an image: `scale` panel rows, one address window, one run of colours.
    ///
    /// `row` is one byte a channel, `channels` channels a pixel, left to right. Of an image that is made smaller, the last one
    /// of each [`Placement::shrink`] rows is shown, with the mean of as many pixels for one.
    ///
    /// # Errors
    ///
    /// Those of the display.
    pub fn draw_row<D>(&self, display: &mut D, y: u32, row: &[u8], channels: usize) -> Result<(), D::Error>
    where
        D: DrawTarget,
        D::Color: PanelColor,
    {
        let (channels, shrink, scale) = (channels.max(1), self.shrink.max(1), self.scale);
        if y % shrink != shrink - 1 {
            return Ok(());
        }
        let width = (row.len() / channels) as u32 / shrink;
        let area = Rectangle::new(
            self.top_left + Point::new(0, (y / shrink * self.scale) as i32),
            Size::new(width * self.scale, self.scale),
        );
        if shrink > 1 {
            let pixels = row.chunks_exact(channels * shrink as usize).zip(area.columns()).map(|(pixels, x)| {
                let (mean, channels) = mean(pixels, channels);
                D::Color::from_pixel(mean.get(..channels).unwrap_or(&[]), Point::new(x, area.top_left.y))
            });
            return display.fill_contiguous(&area, pixels);
        }
        let pixels = Enlarged { row, channels, scale, area, line: row, left: 0, at: area.top_left, color: None };
        display.fill_contiguous(&area, pixels)
    }
}

/// The pixels of an image row, `scale` times as wide, `scale` times over.
///
/// A loop of its own instead of adapters, one pixel a turn: an enlarged image has many more pixels on the panel than the generator makes.
struct Enlarged<'a, C> {
    row: &'a [u8],
    channels: usize,
    scale: u32,
    area: Rectangle,
    /// What is left of the row on this line of the panel, the pixel of `color` included.
    line: &'a [u8],
    /// How often that pixel comes again.
    left: u32,
    at: Point,
    color: Option<C>,
}

impl<C: PanelColor> Iterator for Enlarged<'_, C> {
    type Item = C;

    #[inline]
    fn next(&mut self) -> Option<C> {
        if self.left == 0 {
            if self.color.is_some() {
                self.line = self.line.get(self.channels..)?;
            }
            if self.line.len() < self.channels {
                self.at = Point::new(self.area.top_left.x, self.at.y + 1);
                self.line = self.row;
            }
            let pixel = self.line.get(..self.channels).filter(|_| self.at.y < bottom(self.area))?;
            self.color = Some(C::from_pixel(pixel, self.at));
            self.left = self.scale;
        } else if C::DITHERED {
            self.color = self.line.get(..self.channels).map(|pixel| C::from_pixel(pixel, self.at));
        }
        self.left -= 1;
        self.at.x += 1;
        self.color
    }
}

/// The first line below an area.
fn bottom(area: Rectangle) -> i32 {
    area.top_left.y + area.size.height as i32
}

/// How often `image` fits into `room` side by side with itself, the smaller of both directions; 0 where it is larger.
pub(crate) fn times(room: Size, image: Shape) -> u32 {
    (room.width / u32::from(image.w).max(1)).min(room.height / u32::from(image.h).max(1))
}

/// By what `image` must be divided to fit into `room`; at most what leaves a pixel of it.
pub(crate) fn shrink(room: Size, image: Shape) -> u32 {
    // The number that divides 64 pixels into at most 40 is 2, and 28 into at most 5 it is 5: what is left over is cut off.
    let divisor = |pixels: u16, room: u32| (u32::from(pixels) + 1).div_ceil(room + 1);
    divisor(image.w, room.width).max(divisor(image.h, room.height)).min(u32::from(image.w.min(image.h))).max(1)
}

/// The mean of some pixels, to the nearest, and how many channels it has: of more than three the first three.
fn mean(pixels: &[u8], channels: usize) -> ([u8; 3], usize) {
    let mut sums = [0u32; 3];
    for pixel in pixels.chunks_exact(channels) {
        sums.iter_mut().zip(pixel).for_each(|(sum, &level)| *sum += u32::from(level));
    }
    let count = ((pixels.len() / channels) as u32).max(1);
    (sums.map(|sum| ((sum + count / 2) / count) as u8), channels.min(3))
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
    use embedded_graphics::pixelcolor::{BinaryColor, Gray4, Gray8, Rgb888};
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
                    .map(|x| (point.from as u8).wrapping_add(((y * width + x) as u8).wrapping_mul(self.step)))
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
        let placement = Placement { top_left: Point::new(1, 2), scale: 2, shrink: 1 };
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
        let placement = Placement { top_left: Point::zero(), scale: 1, shrink: 1 };
        draw_sample(&mut display, &mut Colours, 0, placement).unwrap();
        display.assert_pattern(&["RGW"]);
    }

    #[test]
    fn dithering_follows_the_panel_not_the_image() {
        let mut grey = Ramp { shape: Shape { h: 4, w: 4, c: 1 }, step: 0 };
        let mut display = MockDisplay::<BinaryColor>::new();
        for x in [0, 4] {
            let placement = Placement { top_left: Point::new(x, 0), scale: 1, shrink: 1 };
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
    fn a_large_image_is_made_smaller() {
        let mut display = MockDisplay::<Gray8>::new();
        let placement = Placement { top_left: Point::new(1, 0), scale: 1, shrink: 3 };
        // Row 2 of pixels 14 … 20 is shown, three for one; row 3 and the seventh column have no two beside them.
        let mut source = Ramp { shape: Shape { h: 4, w: 7, c: 3 }, step: 1 };
        draw_sample(&mut display, &mut source, 0, placement).unwrap();
        let mut expected = MockDisplay::new();
        expected.set_pixel(Point::new(1, 0), Some(Gray8::new(15)));
        expected.set_pixel(Point::new(2, 0), Some(Gray8::new(18)));
        display.assert_eq(&expected);
    }

    #[test]
    fn images_are_centred_whole_in_any_room() {
        for (width, height) in [(5, 5), (72, 40), (128, 32), (240, 135), (1, 1), (480, 320), (0, 9)] {
            for (w, h) in [(28, 28), (64, 64), (5, 5), (33, 7), (1, 300), (0, 0)] {
                let (room, image) = (Size::new(width, height), Shape { h, w, c: 1 });
                let area = Rectangle::new(Point::new(10, 20), room);
                let placement = Placement::centred(area, image);
                assert!(placement.scale >= 1 && placement.shrink >= 1);
                let used = Rectangle::new(placement.top_left, placement.size(image));
                let what = std::format!("{w}×{h} in {width}×{height}: {placement:?}");
                // An image with a side of nothing when divided has at least one pixel instead.
                let thin = u32::from(w.min(h)) < placement.shrink * 2;
                assert!(thin || width == 0 || used.intersection(&area) == used, "{what}");
                let [left, top] = [used.top_left.x - 10, used.top_left.y - 20];
                let [right, bottom] = [width as i32 - left, height as i32 - top];
                let [right, bottom] = [right - used.size.width as i32, bottom - used.size.height as i32];
                assert!((0..=1).contains(&(right - left)) && (0..=1).contains(&(bottom - top)), "{what}");
                if placement.shrink > 1 && !thin {
                    let larger = Placement { shrink: placement.shrink - 1, ..placement }.size(image);
                    assert!(larger.width > width || larger.height > height, "{what} could be larger");
                }
            }
        }
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
