//! SSD0323: the controller of a 128×64 OLED panel with 16 greys, as a [`DrawTarget`].
//!
//! Solomon Systech, SSD0323 Advance Information (data sheet), rev. 1.0: chapter 8 "Command table" for the commands.
//!
//! Two pixels share a byte of the controller's memory, the left one in the high half. Over a serial bus that memory cannot
//! be read, so to change one pixel of a pair the driver must know the other. It therefore keeps the whole picture, 4 KiB,
//! and sends the bytes that a drawing call has touched. A driver that takes even columns only would need no memory, but it
//! could not draw text or an image at an odd place.

use core::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, OriginDimensions, Point, Size};
use embedded_graphics::pixelcolor::{Gray4, GrayColor};
use embedded_graphics::primitives::{PointsIter, Rectangle};

/// Panel width in pixels.
pub const WIDTH: u32 = 128;
/// Panel height in pixels.
pub const HEIGHT: u32 = 64;
/// Bytes of one panel row: two pixels each.
const ROW_BYTES: usize = WIDTH as usize / 2;
/// Bytes of the whole picture.
pub const PICTURE_BYTES: usize = ROW_BYTES * HEIGHT as usize;

/// First and last column byte (0…63) of the window that data bytes fill, row by row.
const SET_COLUMNS: u8 = 0x15;
/// First and last row (0…79) of that window.
const SET_ROWS: u8 = 0x75;

/// Settings after reset. The greys are linear in current; what QEMU does not model keeps to the data sheet's typical values.
const START: &[&[u8]] = &[
    &[0xAE],                                                 // display off
    &[0xA0, 0x50], // re-map: COM scanned upwards and split odd/even; columns, halves and direction as they are
    &[0xA1, 0],    // start line 0
    &[0xA2, 0],    // no vertical offset
    &[0xA8, HEIGHT as u8 - 1], // multiplex ratio: 64 rows
    &[0xB3, 0xF1], // oscillator at its fastest, divided by 2
    &[0x81, 0x32], // contrast current, 0…127
    &[0x86],       // full current range
    &[0xB8, 0x01, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11], // grey table: equal steps
    &[0xA4],       // show the memory, not inverted
];
const DISPLAY_ON: u8 = 0xAF;

/// The way to the controller: its serial bus with the data/command line.
pub trait Bus {
    /// Sends a command and its arguments.
    fn command(&mut self, bytes: &[u8]);

    /// Sends bytes of the picture.
    fn data(&mut self, bytes: &[u8]);
}

/// The panel.
pub struct Ssd0323<'a, B> {
    bus: B,
    /// What the panel shows: [`ROW_BYTES`] bytes a row, top row first.
    shown: &'a mut [u8; PICTURE_BYTES],
}

impl<'a, B: Bus> Ssd0323<'a, B> {
    /// Sets the controller up, blackens the panel and switches it on. `shown` becomes the driver's picture.
    pub fn new(bus: B, shown: &'a mut [u8; PICTURE_BYTES]) -> Self {
        shown.fill(0);
        let mut panel = Self { bus, shown };
        for command in START {
            panel.bus.command(command);
        }
        panel.send(&panel.bounding_box());
        panel.bus.command(&[DISPLAY_ON]);
        panel
    }

    /// Takes one pixel into the picture without sending it; one outside the panel is left out.
    fn keep(&mut self, Point { x, y }: Point, color: Gray4) {
        if !(0..WIDTH as i32).contains(&x) || !(0..HEIGHT as i32).contains(&y) {
            return;
        }
        let byte = &mut self.shown[y as usize * ROW_BYTES + x as usize / 2];
        *byte = match x % 2 {
            0 => *byte & 0x0F | color.luma() << 4,
            _ => *byte & 0xF0 | color.luma(),
        };
    }

    /// Sends the bytes that hold `area`, which may reach beyond the panel.
    fn send(&mut self, area: &Rectangle) {
        let area = area.intersection(&self.bounding_box());
        let Some(last) = area.bottom_right() else { return };
        let columns = area.top_left.x as usize / 2..=last.x as usize / 2;
        self.bus.command(&[SET_COLUMNS, *columns.start() as u8, *columns.end() as u8]);
        self.bus.command(&[SET_ROWS, area.top_left.y as u8, last.y as u8]);
        for row in self.shown.chunks_exact(ROW_BYTES).skip(area.top_left.y as usize).take(area.size.height as usize) {
            self.bus.data(&row[columns.clone()]);
        }
    }
}

impl<B> OriginDimensions for Ssd0323<'_, B> {
    fn size(&self) -> Size {
        Size::new(WIDTH, HEIGHT)
    }
}

impl<B: Bus> DrawTarget for Ssd0323<'_, B> {
    type Color = Gray4;
    type Error = Infallible;

    /// Keeps all pixels, then sends the smallest rectangle around them: a letter costs one window, not one a pixel.
    fn draw_iter<I: IntoIterator<Item = Pixel<Gray4>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        let mut touched: Option<(Point, Point)> = None;
        for Pixel(at, color) in pixels {
            self.keep(at, color);
            let (low, high) = touched.unwrap_or((at, at));
            touched = Some((low.component_min(at), high.component_max(at)));
        }
        if let Some((low, high)) = touched {
            self.send(&Rectangle::with_corners(low, high));
        }
        Ok(())
    }

    fn fill_contiguous<I: IntoIterator<Item = Gray4>>(
        &mut self,
        area: &Rectangle,
        colors: I,
    ) -> Result<(), Infallible> {
        for (at, color) in area.points().zip(colors) {
            self.keep(at, color);
        }
        self.send(area);
        Ok(())
    }
}
