//! Rows that travel to the panel while the next ones are made.
//!
//! A bus that moves bytes by itself (DMA) leaves the processor free. [`DoubleBuffered`] makes a display of it: it writes the pixels of
//! a row to one buffer while the other is on its way, and returns as soon as the last has started, so that the generator
//! goes on with the next row.
//!
//! ```text
//! processor   make 0 │ write A │ make 1 │ write B │ make 2 │ write A │ …
//! bus                          │ send A ····      │ send B ····      │ send A ····
//! ```
//!
//! A board brings a [`RowBus`]. Displays without DMA need none of this: any `DrawTarget` will do.

use core::fmt;
use core::marker::PhantomData;

use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, Point, Size};
use embedded_graphics::pixelcolor::raw::ToBytes;
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::{Pixel, pixelcolor::PixelColor};

/// What sends a buffer to a window of the panel by itself.
///
/// The buffer is given away while it is sent, as DMA wants it: it needs to be `'static`, and nobody else can write to it.
pub trait RowBus {
    /// Why a transfer failed.
    type Error;

    /// Begins to send the first `bytes` of `buffer` to the window `area` of the panel, from left to right, then down. Returns when it
    /// has begun. No other transfer is under way.
    ///
    /// `bytes` may be fewer than the window holds: then the rest of it stays as it was.
    fn start(&mut self, area: Rectangle, buffer: &'static mut [u8], bytes: usize);

    /// Waits for the end of the transfer that was started, gives its buffer back, and tells how it went. A transfer that takes too
    /// long is best broken off with an error.
    fn finish(&mut self) -> (&'static mut [u8], Result<(), Self::Error>);
}

/// A display over a [`RowBus`] with two buffers. Colours go out big-endian, as panels on SPI want them.
pub struct DoubleBuffered<B, C> {
    bus: B,
    panel: Rectangle,
    /// The buffers that are not being sent.
    free: heapless::Vec<&'static mut [u8], 2>,
    /// Whether one is.
    sending: bool,
    /// Pixels that each of them holds.
    room: u32,
    color: PhantomData<C>,
}

impl<B, C> DoubleBuffered<B, C>
where
    B: RowBus,
    C: PixelColor + ToBytes<Bytes: AsRef<[u8]>>,
{
    const PIXEL_BYTES: usize = size_of::<C::Bytes>();

    /// A display of `size` pixels. A buffer that holds one row of an image, enlarged as it is (width · scale² · bytes of a pixel), lets the
    /// whole row travel at once; smaller ones, down to a pixel, work too.
    pub fn new(bus: B, size: Size, buffers: [&'static mut [u8]; 2]) -> Self {
        let room = buffers.iter().map(|buffer| buffer.len() / Self::PIXEL_BYTES).min().unwrap_or(0) as u32;
        let (panel, free) = (Rectangle::new(Point::zero(), size), heapless::Vec::from_array(buffers));
        Self { bus, panel, free, sending: false, room, color: PhantomData }
    }

    /// The bus.
    pub fn bus(&mut self) -> &mut B {
        &mut self.bus
    }

    /// Waits until nothing is on its way.
    fn settle(&mut self) -> Result<(), B::Error> {
        if !core::mem::take(&mut self.sending) {
            return Ok(());
        }
        let (buffer, sent) = self.bus.finish();
        // Of two buffers one was on its way, so there is room.
        let _ = self.free.push(buffer);
        sent
    }

    /// Sends the next `area.size.width · area.size.height` of `colors`; tells whether there were as many.
    fn send(&mut self, area: Rectangle, colors: &mut impl Iterator<Item = C>) -> Result<bool, B::Error> {
        let Some(buffer) = self.free.pop() else { return Ok(false) };
        let pixels = (area.size.width * area.size.height) as usize;
        let mut written = 0;
        for (place, color) in buffer.chunks_exact_mut(Self::PIXEL_BYTES).take(pixels).zip(colors) {
            place.copy_from_slice(color.to_be_bytes().as_ref());
            written += 1;
        }
        let settled = self.settle();
        if settled.is_err() || written == 0 {
            let _ = self.free.push(buffer);
            return settled.map(|()| false);
        }
        self.bus.start(area, buffer, written * Self::PIXEL_BYTES);
        self.sending = true;
        Ok(written == pixels)
    }
}

impl<B, C> Dimensions for DoubleBuffered<B, C> {
    fn bounding_box(&self) -> Rectangle {
        self.panel
    }
}

impl<B, C> DrawTarget for DoubleBuffered<B, C>
where
    B: RowBus,
    C: PixelColor + ToBytes<Bytes: AsRef<[u8]>>,
{
    type Color = C;
    type Error = B::Error;

    fn draw_iter<I: IntoIterator<Item = Pixel<C>>>(&mut self, pixels: I) -> Result<(), B::Error> {
        for Pixel(at, color) in pixels {
            self.fill_contiguous(&Rectangle::new(at, Size::new_equal(1)), [color])?;
        }
        Ok(())
    }

    fn fill_contiguous<I: IntoIterator<Item = C>>(&mut self, area: &Rectangle, colors: I) -> Result<(), B::Error> {
        let seen = area.intersection(&self.panel);
        let room = self.room;
        if seen.is_zero_sized() || room == 0 {
            return Ok(());
        }
        let before = (seen.top_left - area.top_left).x as u32;
        let after = area.size.width - seen.size.width - before;
        let mut colors = colors.into_iter();
        skip(&mut colors, (seen.top_left - area.top_left).y as u32 * area.size.width);
        // Bands of whole rows where nothing is cut off at the sides, else row by row; in pieces where not even a row fits.
        let columns = room.min(seen.size.width);
        let rows = if before + after == 0 { (room / seen.size.width).max(1) } else { 1 };
        let mut y = 0;
        while y < seen.size.height {
            let height = rows.min(seen.size.height - y);
            skip(&mut colors, before);
            for x in (0..seen.size.width).step_by(columns as usize) {
                let size = Size::new(columns.min(seen.size.width - x), height);
                let piece = Rectangle::new(seen.top_left + Size::new(x, y), size);
                if !self.send(piece, &mut colors)? {
                    return Ok(());
                }
            }
            skip(&mut colors, after);
            y += height;
        }
        Ok(())
    }
}

/// Passes over `count` items.
fn skip(items: &mut impl Iterator, count: u32) {
    if let Some(last) = count.checked_sub(1) {
        items.nth(last as usize);
    }
}

impl<B: fmt::Debug, C> fmt::Debug for DoubleBuffered<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoubleBuffered").field("bus", &self.bus).field("panel", &self.panel).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PanelColor;
    use crate::image::tests::Ramp;
    use crate::image::{Placement, draw_sample};
    use edgegen_runtime::Shape;
    use embedded_graphics::mock_display::MockDisplay;
    use embedded_graphics::pixelcolor::Rgb565;
    use embedded_graphics::prelude::PointsIter;
    use std::boxed::Box;
    use std::vec::Vec;
    use std::{format, vec};

    const WIDTH: usize = 20;
    const HEIGHT: usize = 16;

    /// A panel that shows a transfer only when it is waited for, as DMA may be that slow.
    #[derive(Default)]
    struct Slow {
        panel: Vec<u8>,
        under_way: Option<(Rectangle, &'static mut [u8], usize)>,
        transfers: usize,
        overlapped: usize,
        failing: bool,
    }

    impl RowBus for Slow {
        type Error = &'static str;

        fn start(&mut self, area: Rectangle, buffer: &'static mut [u8], bytes: usize) {
            assert!(self.under_way.is_none(), "one transfer at a time");
            let panel = Rectangle::new(Point::zero(), Size::new(WIDTH as u32, HEIGHT as u32));
            assert_eq!(area.intersection(&panel), area, "the window lies on the panel");
            assert!(bytes <= buffer.len() && bytes <= 2 * (area.size.width * area.size.height) as usize);
            self.under_way = Some((area, buffer, bytes));
            self.transfers += 1;
        }

        fn finish(&mut self) -> (&'static mut [u8], Result<(), &'static str>) {
            let (area, buffer, bytes) = self.under_way.take().unwrap();
            if self.failing {
                return (buffer, Err("no answer"));
            }
            for (at, color) in area.points().zip(buffer[..bytes].chunks(2)) {
                let place = 2 * (at.y as usize * WIDTH + at.x as usize);
                self.panel[place..place + 2].copy_from_slice(color);
            }
            (buffer, Ok(()))
        }
    }

    fn display(buffer: usize) -> DoubleBuffered<Slow, Rgb565> {
        let bus = Slow { panel: vec![0; 2 * WIDTH * HEIGHT], ..Slow::default() };
        let buffers = [0; 2].map(|_| &mut *Box::leak(vec![0; buffer].into_boxed_slice()));
        DoubleBuffered::new(bus, Size::new(WIDTH as u32, HEIGHT as u32), buffers)
    }

    /// The pixels on the panel after all is sent, against a display without a bus.
    fn compare(display: &mut DoubleBuffered<Slow, Rgb565>, expected: &MockDisplay<Rgb565>, what: &str) {
        display.settle().unwrap();
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                let place = 2 * (y * WIDTH + x);
                let color = expected.get_pixel(Point::new(x as i32, y as i32)).unwrap_or(Rgb565::new(0, 0, 0));
                assert_eq!(display.bus.panel[place..place + 2], color.to_be_bytes(), "{what}: {x}, {y}");
            }
        }
    }

    #[test]
    fn shows_what_any_display_shows_whatever_the_buffer() {
        let mut source = Ramp { shape: Shape { h: 5, w: 7, c: 3 }, step: 5 };
        for buffer in [2, 3, 8, 13, 28, 56, 100, 1000] {
            for (x, y, scale) in [(2, 1, 2), (0, 0, 1), (-3, -2, 3), (12, 9, 2), (-4, 3, 4)] {
                let placement = Placement { top_left: Point::new(x, y), scale };
                let mut plain = MockDisplay::new();
                plain.set_allow_out_of_bounds_drawing(true);
                draw_sample(&mut plain, &mut source, 40, placement).unwrap();
                let mut display = display(buffer);
                draw_sample(&mut display, &mut source, 40, placement).unwrap();
                compare(&mut display, &plain, &format!("{buffer} bytes, {placement:?}"));
            }
        }
    }

    #[test]
    fn a_row_is_under_way_while_the_next_is_made() {
        let mut source = Ramp { shape: Shape { h: 8, w: 10, c: 1 }, step: 1 };
        let mut display = display(2 * 2 * 20);
        let placement = Placement { top_left: Point::zero(), scale: 2 };
        let mut rows = 0;
        crate::RowSource::rows(&mut source, edgegen_runtime::Point::seed(1), |row| {
            display.bus.overlapped += usize::from(display.bus.under_way.is_some());
            placement.draw_row(&mut display, rows, row, 1)?;
            rows += 1;
            Ok::<_, &str>(())
        })
        .unwrap();
        assert_eq!((display.bus.overlapped, display.bus.transfers), (7, 8), "all but the first; one transfer a row");
    }

    #[test]
    fn an_error_comes_back_and_no_buffer_is_lost() {
        let mut display = display(40);
        display.bus.failing = true;
        let black = Rgb565::from_grey(0, Point::zero());
        assert_eq!(display.clear(black), Err("no answer"));
        display.bus.failing = false;
        for _ in 0..3 {
            display.clear(black).unwrap();
        }
        display.settle().unwrap();
        assert!(display.free.is_full());
    }

    #[test]
    fn too_few_colours_leave_the_rest() {
        let mut display = display(8);
        let area = Rectangle::new(Point::new(1, 1), Size::new(3, 3));
        let white = Rgb565::from_grey(255, Point::zero());
        display.fill_contiguous(&area, [white; 5]).unwrap();
        let mut plain = MockDisplay::new();
        plain.fill_contiguous(&area, [white; 5]).unwrap();
        compare(&mut display, &plain, "5 of 9");
        display.fill_contiguous(&area, [white; 0]).unwrap();
        assert!(display.free.is_full());
    }
}
