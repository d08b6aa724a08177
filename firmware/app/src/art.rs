//! A picture that hangs on a wall: frame and mat around it, a signature made of its seed, a plate with its title.
//!
//! The first painting by a GAN that was sold at an auction ("Portrait of Edmond de Belamy", Christie's, 2018) is signed
//! with its loss. A picture of ours follows from its seed alone, so it is signed with what it is, `G(7)`, and with a
//! seal: fifteen bits of the seed's hash, mirrored. Of the feature `art`.

use core::fmt::Write;

use edgegen_runtime::Shape;
use embedded_graphics::Drawable;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::mono_font::MonoTextStyleBuilder;
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::{Baseline, Text};
use heapless::String;

use crate::caption::font;
use crate::image::times;
use crate::{PanelColor, Placement};

/// Moulding and mat of a frame at least, in panel pixels: two lines and one between them and the picture.
const LEAST_MARGIN: u32 = 3;
/// Cells of a side of the seal.
const SEAL: u32 = 5;
/// Between a plate's edge and its words, its border included.
const PLATE_PADDING: u32 = 3;
/// Letters in a line of the plate at most.
const PLATE_LETTERS: usize = 40;
/// Lines of the plate at most.
pub const PLATE_LINES: usize = 3;

/// A line of the plate.
pub type Line = String<PLATE_LETTERS>;

/// Where everything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hanging {
    panel: Rectangle,
    /// Where the picture goes.
    pub picture: Placement,
    /// What it covers.
    pub window: Rectangle,
    /// Panel pixels of the moulding; 0 where there is no room for a frame.
    pub moulding: u32,
    /// Where the signature goes, at the right end of it, if there is room: below the picture or beside it.
    pub signature: Option<Rectangle>,
}

impl Hanging {
    /// An image on a panel: whole, with a frame unless that would divide it, and with room for a signature where it
    /// costs no more than a quarter of its size.
    pub fn new(panel: Rectangle, image: Shape) -> Self {
        let short = panel.size.width.min(panel.size.height);
        let letter = font(panel).character_size;
        let fits = |margin: u32, strip: u32| {
            let around = 2 * margin;
            let room = Size::new(around, around + strip);
            times(panel.size.saturating_sub(room), image)
        };
        let margin = (short / 16).max(LEAST_MARGIN);
        let largest = fits(LEAST_MARGIN, 0);
        let scale = [fits(margin, letter.height + 2), fits(margin, 0), largest]
            .into_iter()
            .find(|&scale| 4 * scale >= 3 * largest)
            .unwrap_or(largest);
        let picture = match scale {
            0 => Placement::centred(panel, image),
            _ => Placement { top_left: panel.top_left, scale, shrink: 1 },
        };
        let size = picture.size(image);
        let spare = panel.size.saturating_sub(size);
        let moulding = (short / 20).max(LEAST_MARGIN - 1).min((spare.width.min(spare.height) / 2).saturating_sub(1));

        let mat = spare.saturating_sub(Size::new_equal(2 * moulding));
        let seal = SEAL * seal_pixel(letter);
        let is_below = mat.height >= letter.height + 3 && size.width >= seal;
        // A mat is wider below, so that the picture does not seem to sink.
        let above = if is_below { (mat.height * 2 / 5).min(mat.height - letter.height - 2) } else { mat.height / 2 };
        let top_left = panel.top_left + Size::new(moulding + mat.width / 2, moulding + above);
        let window = Rectangle::new(top_left, size);
        let beside = mat.width - mat.width / 2;
        let bottom = top_left.y + size.height as i32;
        let signature = if is_below {
            let y = bottom + (mat.height - above - letter.height) as i32 / 2;
            Some(Rectangle::new(Point::new(top_left.x, y), Size::new(size.width, letter.height)))
        } else if beside >= seal + 3 && size.height >= letter.height {
            let corner = Point::new(top_left.x + size.width as i32 + 2, bottom - letter.height as i32);
            Some(Rectangle::new(corner, Size::new(beside - 3, letter.height)))
        } else {
            None
        };
        Self { panel, picture: Placement { top_left, ..picture }, window, moulding, signature }
    }

    /// Draws frame and mat, all of the panel but the picture.
    ///
    /// # Errors
    ///
    /// Those of the display.
    pub fn frame<D>(&self, display: &mut D) -> Result<(), D::Error>
    where
        D: DrawTarget,
        D::Color: PanelColor,
    {
        for ring in 0..self.moulding {
            let (light, shade) = profile(ring, self.moulding, D::Color::DITHERED);
            self.ring(display, shrunk(self.panel, ring), light, shade)?;
        }
        let (mat, window) = (shrunk(self.panel, self.moulding), self.window);
        let below = window.top_left.y + window.size.height as i32;
        let beside = window.top_left.x + window.size.width as i32;
        let [left, top] = [window.top_left.x - mat.top_left.x, window.top_left.y - mat.top_left.y];
        let [right, bottom] =
            [mat.top_left.x + mat.size.width as i32 - beside, mat.top_left.y + mat.size.height as i32 - below];
        let at = |x: i32, y: i32, width: u32, height: u32| Rectangle::new(Point::new(x, y), Size::new(width, height));
        for area in [
            at(mat.top_left.x, mat.top_left.y, mat.size.width, top.max(0) as u32),
            at(mat.top_left.x, window.top_left.y, left.max(0) as u32, window.size.height),
            at(beside, window.top_left.y, right.max(0) as u32, window.size.height),
            at(mat.top_left.x, below, mat.size.width, bottom.max(0) as u32),
        ] {
            fill(display, area, Tone::Mat)?;
        }
        if left.min(top).min(right).min(bottom) > 1 && !D::Color::DITHERED {
            // The cut edge of the cardboard; light comes from the left above.
            let cut = Rectangle::new(window.top_left - Point::new(1, 1), window.size + Size::new(2, 2));
            self.ring(display, cut, Tone::Shade, Tone::White)?;
        }
        Ok(())
    }

    /// A line of one pixel along the inside of `area`: `light` above and at the left, `shade` elsewhere.
    fn ring<D>(&self, display: &mut D, area: Rectangle, light: Tone, shade: Tone) -> Result<(), D::Error>
    where
        D: DrawTarget,
        D::Color: PanelColor,
    {
        let Size { width, height } = area.size;
        let inner = height.saturating_sub(2);
        let corner = |x: u32, y: u32| area.top_left + Size::new(x, y);
        fill(display, Rectangle::new(corner(0, 0), Size::new(width, 1)), light)?;
        fill(display, Rectangle::new(corner(0, 1), Size::new(1, inner)), light)?;
        fill(display, Rectangle::new(corner(width.saturating_sub(1), 1), Size::new(1, inner)), shade)?;
        fill(display, Rectangle::new(corner(0, height.saturating_sub(1)), Size::new(width, 1)), shade)
    }

    /// Signs the picture of a seed: `G(7)` and its seal; the seal alone where there is no room for both, nothing where
    /// there is none.
    ///
    /// # Errors
    ///
    /// Those of the display.
    pub fn sign<D>(&self, display: &mut D, seed: u64) -> Result<(), D::Error>
    where
        D: DrawTarget,
        D::Color: PanelColor,
    {
        let Some(area) = self.signature else { return Ok(()) };
        let font = font(self.panel);
        let letter = font.character_size;
        let pixel = seal_pixel(letter);
        let right = area.top_left.x + area.size.width as i32;
        let corner =
            Point::new(right - (SEAL * pixel) as i32, area.top_left.y + ((letter.height - SEAL * pixel) / 2) as i32);
        for (y, row) in (0..).zip(seal(seed)) {
            for (x, set) in (0..).zip(row) {
                if set {
                    let cell = corner + Size::new(x * pixel, y * pixel);
                    fill(display, Rectangle::new(cell, Size::new_equal(pixel)), Tone::Seal)?;
                }
            }
        }
        let mut words = Line::new();
        // 2⁶⁴ has 20 digits.
        let _ = write!(words, "G({seed})");
        let width = words.len() as u32 * letter.width;
        if width + SEAL * pixel + 2 > area.size.width {
            return Ok(());
        }
        let style = MonoTextStyleBuilder::new().font(font).text_color(Tone::Ink.color::<D::Color>()).build();
        let at = Point::new(corner.x - 2 - width as i32, area.top_left.y);
        Text::with_baseline(&words, at, style, Baseline::Top).draw(display).map(|_| ())
    }

    /// Wipes the signature away: a picture that changes is not signed.
    ///
    /// # Errors
    ///
    /// Those of the display.
    pub fn wipe<D>(&self, display: &mut D) -> Result<(), D::Error>
    where
        D: DrawTarget,
        D::Color: PanelColor,
    {
        self.signature.map_or(Ok(()), |area| fill(display, area, Tone::Mat))
    }

    /// Screws a plate with these lines on the lower edge of the frame; whether there is room for one.
    ///
    /// # Errors
    ///
    /// Those of the display.
    pub fn plate<D>(&self, display: &mut D, lines: &[Line]) -> Result<bool, D::Error>
    where
        D: DrawTarget,
        D::Color: PanelColor,
    {
        let font = font(self.panel);
        let letter = font.character_size;
        let room = self.panel.size.saturating_sub(Size::new_equal(2 * PLATE_PADDING));
        let columns = (room.width / letter.width) as usize;
        let shown = (room.height / letter.height).min(lines.len() as u32);
        let longest = lines.iter().map(|line| line.len().min(columns)).max().unwrap_or(0) as u32;
        if shown == 0 || columns < 8 {
            return Ok(false);
        }
        let size = Size::new(longest * letter.width, shown * letter.height) + Size::new_equal(2 * PLATE_PADDING);
        let lowest = self.panel.size.height - size.height;
        let corner = Size::new((self.panel.size.width - size.width) / 2, lowest.saturating_sub(self.moulding));
        let plate = Rectangle::new(self.panel.top_left + corner, size);
        fill(display, plate, Tone::Edge)?;
        fill(display, shrunk(plate, 1), Tone::Brass)?;
        let style = MonoTextStyleBuilder::new().font(font).text_color(Tone::Engraved.color::<D::Color>()).build();
        for (y, line) in (0..shown).zip(lines) {
            let line = line.get(..columns).unwrap_or(line);
            let indent = (size.width - line.len() as u32 * letter.width) / 2;
            let at = plate.top_left + Size::new(indent, PLATE_PADDING + y * letter.height);
            Text::with_baseline(line, at, style, Baseline::Top).draw(display)?;
        }
        Ok(true)
    }
}

/// Panel pixels of a cell of the seal beside such letters.
fn seal_pixel(letter: Size) -> u32 {
    letter.height / SEAL
}

/// The seal of a seed: rows of cells that are the same from both sides.
pub fn seal(seed: u64) -> [[bool; SEAL as usize]; SEAL as usize] {
    // SplitMix64 (Steele, Lea, Flood 2014): seeds that follow each other get seals that do not.
    let mut bits = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^= bits >> 31;
    [0, 3, 6, 9, 12].map(|row| [0, 1, 2, 1, 0].map(|column| bits >> (row + column) & 1 == 1))
}

/// What things are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tone {
    Edge,
    Light,
    Gold,
    Shade,
    Mat,
    White,
    Ink,
    Seal,
    Brass,
    Engraved,
}

impl Tone {
    /// On panels that dither, which have few levels, black or white.
    fn color<C: PanelColor>(self) -> C {
        let (rgb, is_white) = match self {
            Tone::Edge => ([62, 39, 20], true),
            Tone::Light => ([222, 180, 98], true),
            Tone::Gold => ([178, 134, 60], false),
            Tone::Shade => ([120, 86, 38], true),
            Tone::Mat => ([236, 230, 214], false),
            Tone::White => ([255, 252, 244], true),
            Tone::Ink => ([70, 60, 46], true),
            Tone::Seal => ([184, 36, 30], true),
            Tone::Brass => ([214, 182, 104], false),
            Tone::Engraved => ([50, 36, 16], true),
        };
        match (C::DITHERED, rgb) {
            (true, _) => C::from_grey(if is_white { 255 } else { 0 }, Point::zero()),
            (false, [r, g, b]) => C::from_rgb(r, g, b, Point::zero()),
        }
    }
}

/// Of a ring of the moulding, the tone above and at the left, and that of the other two sides: it rises from the wall
/// and falls towards the picture.
fn profile(ring: u32, moulding: u32, is_plain: bool) -> (Tone, Tone) {
    let slope = moulding.div_ceil(3);
    match ring {
        0 => (Tone::Edge, Tone::Edge),
        _ if ring + 1 == moulding => (Tone::Edge, Tone::Edge),
        // Two lines.
        _ if is_plain => (Tone::Mat, Tone::Mat),
        _ if ring <= slope => (Tone::Light, Tone::Shade),
        _ if ring + 1 + slope < moulding => (Tone::Gold, Tone::Gold),
        _ => (Tone::Shade, Tone::Light),
    }
}

fn fill<D>(display: &mut D, area: Rectangle, tone: Tone) -> Result<(), D::Error>
where
    D: DrawTarget,
    D::Color: PanelColor,
{
    if area.is_zero_sized() { Ok(()) } else { display.fill_solid(&area, tone.color()) }
}

/// `area` without so many pixels on each side.
fn shrunk(area: Rectangle, by: u32) -> Rectangle {
    Rectangle::new(area.top_left + Size::new_equal(by), area.size.saturating_sub(Size::new_equal(2 * by)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::mock_display::MockDisplay;
    use embedded_graphics::pixelcolor::{BinaryColor, Rgb888};
    use std::vec::Vec;

    fn hang(width: u32, height: u32, side: u16) -> Hanging {
        let panel = Rectangle::new(Point::new(0, 0), Size::new(width, height));
        Hanging::new(panel, Shape { h: side, w: side, c: 1 })
    }

    #[test]
    fn a_frame_leaves_the_picture_large() {
        let digits = hang(128, 64, 28);
        assert_eq!((digits.picture.scale, digits.moulding), (2, 3));
        assert_eq!(digits.window, Rectangle::new(Point::new(36, 4), Size::new(56, 56)));
        assert_eq!(digits.signature, Some(Rectangle::new(Point::new(94, 54), Size::new(30, 6))), "beside it");
        let faces = hang(320, 240, 64);
        assert_eq!((faces.picture.scale, faces.moulding), (3, 12));
        let below = faces.signature.unwrap();
        assert!(below.top_left.y >= faces.window.top_left.y + 192 && below.top_left.y + 10 <= 240 - 12, "{faces:?}");
        // A frame would halve what is there, or there is no room at all.
        assert_eq!((hang(128, 64, 64).picture.scale, hang(128, 64, 64).moulding), (1, 0));
        assert_eq!((hang(5, 5, 28).picture.shrink, hang(5, 5, 28).moulding, hang(5, 5, 28).signature), (5, 0, None));
    }

    #[test]
    fn everything_lies_on_the_panel_and_nothing_on_the_picture() {
        for (width, height) in
            [(5, 5), (72, 40), (128, 32), (128, 64), (160, 80), (240, 135), (240, 240), (480, 320), (0, 9)]
        {
            for side in [0, 1, 5, 16, 28, 32, 64, 100, 300] {
                let hanging = hang(width, height, side);
                let what = std::format!("{side} on {width}×{height}: {hanging:?}");
                let panel = shrunk(hanging.panel, hanging.moulding);
                let window = hanging.window;
                if width > 0 && window.size.width > 0 && window.size.width <= width && window.size.height <= height {
                    assert_eq!(panel.intersection(&window), window, "{what}");
                }
                if let Some(area) = hanging.signature {
                    assert_eq!(panel.intersection(&area), area, "{what}");
                    assert!(window.intersection(&area).is_zero_sized(), "{what}");
                }
            }
        }
    }

    /// 64×64 pixels, the most that this display has: every pixel but the picture's, once.
    #[test]
    fn frame_and_mat_cover_what_is_not_picture() {
        let hanging = hang(64, 64, 10);
        let mut display = MockDisplay::<BinaryColor>::new();
        hanging.frame(&mut display).unwrap();
        for y in 0..64 {
            for x in 0..64 {
                let at = Point::new(x, y);
                assert_eq!(display.get_pixel(at).is_none(), hanging.window.contains(at), "{at:?}");
            }
        }
        let line: Vec<Option<BinaryColor>> = (0..5).map(|x| display.get_pixel(Point::new(x, 32))).collect();
        let (on, off) = (Some(BinaryColor::On), Some(BinaryColor::Off));
        assert_eq!(line, [on, off, on, off, off]);
    }

    #[test]
    fn a_seal_is_the_seeds_own() {
        let seals: Vec<_> = (0..100).map(seal).collect();
        assert!(seals.iter().flatten().all(|row| row[0] == row[4] && row[1] == row[3]));
        let alike = seals.iter().enumerate().filter(|(index, seal)| seals[..*index].contains(seal)).count();
        assert!(alike <= 2, "{alike} of 100 in 2^15");
        assert_eq!(seal(7), seal(7));
    }

    #[test]
    fn a_signature_is_wiped_away_whole() {
        let hanging = hang(64, 64, 20);
        let mut display = MockDisplay::<Rgb888>::new();
        display.set_allow_overdraw(true);
        hanging.frame(&mut display).unwrap();
        let unsigned = display.clone();
        hanging.sign(&mut display, 7).unwrap();
        assert!(display.diff(&unsigned).affected_area().size.width > 5, "something is written");
        hanging.wipe(&mut display).unwrap();
        assert!(display.diff(&unsigned).affected_area().is_zero_sized());
    }

    #[test]
    fn a_plate_needs_room() {
        let lines = ["mnist-dcgan", "seed 7"].map(|line| Line::try_from(line).unwrap());
        let mut display = MockDisplay::<BinaryColor>::new();
        display.set_allow_overdraw(true);
        assert!(hang(64, 64, 28).plate(&mut display, &lines).unwrap());
        assert_eq!(display.affected_area().size, Size::new(11 * 4 + 6, 2 * 6 + 6));
        assert!(!hang(5, 5, 28).plate(&mut display, &lines).unwrap());
    }
}
