//! Linux's framebuffer device as a [`DrawTarget`]: a file of pixels, row by row.
//!
//! Linux, Documentation/fb/api.rst. Its shape comes from files in /sys, not from ioctl: so any file can stand for the device, and
//! no unsafe code is needed.

use std::fs::{self, File};
use std::io;
use std::marker::PhantomData;
use std::os::unix::fs::FileExt;
use std::path::Path;

use edgegen_app::PanelColor;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, OriginDimensions, Point, Size};
use embedded_graphics::pixelcolor::raw::{RawData, RawU16};
use embedded_graphics::pixelcolor::{Rgb565, Rgb888, RgbColor};
use embedded_graphics::primitives::Rectangle;

/// Rows at most, and pixels in a row: more is no screen.
const MAX_SIDE: u32 = 16384;

/// The shape of a framebuffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bits of a pixel: 16 or 32.
    pub bits: u32,
    /// Bytes from one row to the next.
    pub stride: u64,
}

impl Geometry {
    /// Reads `virtual_size`, `bits_per_pixel` and `stride` in a folder of /sys/class/graphics.
    ///
    /// # Errors
    ///
    /// When one is missing, or is not that of a screen in 16 or 32 bits a pixel.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let text = |name: &str| {
            let path = folder.join(name);
            let text = fs::read_to_string(&path);
            text.map(|text| text.trim().to_owned()).map_err(|error| {
                format!("cannot read {}: {error}; is there a framebuffer (--device, --geometry)?", path.display())
            })
        };
        let number = |name: &str, text: &str| {
            text.parse::<u32>()
                .map_err(|_| format!("expected a number in {}, found {text:?}", folder.join(name).display()))
        };
        let (size, bits, stride) = (text("virtual_size")?, text("bits_per_pixel")?, text("stride")?);
        let (width, height) = size.split_once(',').unwrap_or((&size, ""));
        let (width, height) = (number("virtual_size", width)?, number("virtual_size", height)?);
        let (bits, stride) = (number("bits_per_pixel", &bits)?, number("stride", &stride)?);
        if bits != 16 && bits != 32 {
            return Err(format!("expected a framebuffer of 16 or 32 bits a pixel, found {bits}: change it with fbset"));
        }
        if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) || stride < width * bits / 8 {
            return Err(format!("expected a screen, found {width}×{height} pixels in rows of {stride} bytes"));
        }
        Ok(Self { width, height, bits, stride: stride.into() })
    }
}

/// A colour of a framebuffer.
pub trait FramebufferColor: PanelColor {
    /// Appends a pixel as the framebuffer has it.
    fn push(self, bytes: &mut Vec<u8>);
}

impl FramebufferColor for Rgb565 {
    fn push(self, bytes: &mut Vec<u8>) {
        bytes.extend(RawU16::from(self).into_inner().to_le_bytes());
    }
}

impl FramebufferColor for Rgb888 {
    /// Blue in the lowest byte, the highest unused.
    fn push(self, bytes: &mut Vec<u8>) {
        bytes.extend([self.b(), self.g(), self.r(), 0xFF]);
    }
}

/// The screen.
#[derive(Debug)]
pub struct Framebuffer<C> {
    device: File,
    geometry: Geometry,
    /// Bytes on their way.
    row: Vec<u8>,
    color: PhantomData<C>,
}

impl<C> Framebuffer<C> {
    /// Opens the device.
    ///
    /// # Errors
    ///
    /// When there is none, or this user may not write to it.
    pub fn open(device: &Path, geometry: Geometry) -> Result<Self, String> {
        let opened = File::options().write(true).open(device);
        let device = opened.map_err(|error| {
            format!("cannot open {}: {error}; writing to it takes the group video, or root", device.display())
        })?;
        Ok(Self { device, geometry, row: Vec::new(), color: PhantomData })
    }
}

impl<C> OriginDimensions for Framebuffer<C> {
    fn size(&self) -> Size {
        Size::new(self.geometry.width, self.geometry.height)
    }
}

impl<C: FramebufferColor> Framebuffer<C> {
    /// Writes `self.row` from a pixel on.
    fn send(&mut self, Point { x, y }: Point) -> io::Result<()> {
        let at = y as u64 * self.geometry.stride + x as u64 * u64::from(self.geometry.bits / 8);
        self.device.write_all_at(&self.row, at)
    }
}

impl<C: FramebufferColor> DrawTarget for Framebuffer<C> {
    type Color = C;
    type Error = io::Error;

    fn draw_iter<I: IntoIterator<Item = Pixel<C>>>(&mut self, pixels: I) -> io::Result<()> {
        let panel = self.bounding_box();
        for Pixel(at, color) in pixels.into_iter().filter(|Pixel(at, _)| panel.contains(*at)) {
            self.row.clear();
            color.push(&mut self.row);
            self.send(at)?;
        }
        Ok(())
    }

    fn fill_contiguous<I: IntoIterator<Item = C>>(&mut self, area: &Rectangle, colors: I) -> io::Result<()> {
        let seen = area.intersection(&self.bounding_box());
        let mut colors = colors.into_iter();
        for y in area.rows() {
            self.row.clear();
            for x in area.columns() {
                let Some(color) = colors.next() else { return Ok(()) };
                if seen.contains(Point::new(x, y)) {
                    color.push(&mut self.row);
                }
            }
            if seen.rows().contains(&y) {
                self.send(Point::new(seen.top_left.x, y))?;
            }
        }
        Ok(())
    }
}
