//! Photos of a board that shows its gallery, against the gallery that the host draws.

use std::convert::Infallible;

use edgegen_app::Show;
use edgegen_app::caption::Layout;
use edgegen_app::gallery::Grid;
use edgegen_export::ModelFile;
use edgegen_runtime::{Model, Shape};
use edgegen_sim::{PanelSpec, stage};
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, OriginDimensions, Point, Size};
use embedded_graphics::mono_font::ascii::{FONT_4X6, FONT_6X10};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::primitives::{PointsIter, Rectangle};
use embedded_graphics::text::{Baseline, Text};
use embedded_graphics::{Drawable, Pixel};
use image::RgbImage;

/// The panel's gallery: which part of the panel is the caption's, and where the images are.
pub struct Gallery {
    caption: Option<Rectangle>,
    pub grid: Grid,
    shape: Shape,
}

impl Gallery {
    pub fn new(model: &ModelFile, PanelSpec { width, height, .. }: PanelSpec) -> Self {
        let shape = Model::parse_any(model.bytes()).unwrap().output();
        let layout = Layout::new(Rectangle::new(Point::zero(), Size::new(width, height)), |area| {
            let grid = Grid::fit(area, shape);
            (grid.columns, grid.rows, grid.scale, grid.shrink)
        });
        Self { caption: layout.caption, grid: Grid::fit(layout.picture, shape), shape }
    }

    /// The cell of a pixel, and its row and column in it, if it is of an image.
    fn cell(&self, at: Point) -> Option<(u32, [i32; 2])> {
        (0..self.grid.cells()).find_map(|index| {
            let placement = self.grid.placement(index);
            let area = Rectangle::new(placement.top_left, placement.size(self.shape));
            area.contains(at).then(|| (index, [at.y - area.top_left.y, at.x - area.top_left.x]))
        })
    }

    /// Asserts that a photo shows the beginning of the gallery, at least `least` images, just as `host` has them, which is the
    /// whole gallery; then perhaps the first pixels of one more, row by row, and nothing else: a photo may cut a row that is on its way.
    /// The caption is left out.
    pub fn assert_begins(&self, photo: &RgbImage, host: &RgbImage, least: u32) {
        assert_eq!(photo.dimensions(), host.dimensions());
        let cells: Vec<_> = photo
            .enumerate_pixels()
            .map(|(x, y, pixel)| (self.cell(Point::new(x as i32, y as i32)), *pixel, *host.get_pixel(x, y)))
            .collect();
        let differing = cells.iter().filter(|(_, shown, expected)| shown != expected);
        let images = differing.filter_map(|(cell, ..)| cell.map(|(index, _)| index)).min().unwrap_or(self.grid.cells());
        assert!(images >= least, "image {images} differs");
        // Of the image in work, up to the last pixel that is not black.
        let lit = cells.iter().filter(|(_, shown, _)| shown.0 != [0; 3]).filter_map(|(cell, ..)| *cell);
        let begun = lit.filter(|(index, _)| *index == images).map(|(_, pixel)| pixel).max();
        for ((x, y, pixel), (cell, _, expected)) in photo.enumerate_pixels().zip(&cells) {
            if self.caption.is_some_and(|area| area.contains(Point::new(x as i32, y as i32))) {
                continue;
            }
            let drawn = cell.is_none_or(|(index, at)| index < images || index == images && Some(at) <= begun);
            let expected = if drawn { *expected } else { image::Rgb([0; 3]) };
            assert_eq!(*pixel, expected, "pixel {x}, {y}");
        }
    }

    /// Whether a photo shows all of the gallery as `host` does, and a caption.
    pub fn is_whole(&self, photo: &RgbImage, host: &RgbImage) -> bool {
        let in_caption =
            |x: u32, y: u32| self.caption.is_some_and(|area| area.contains(Point::new(x as i32, y as i32)));
        photo.dimensions() == host.dimensions()
            && photo.enumerate_pixels().all(|(x, y, pixel)| in_caption(x, y) || pixel == host.get_pixel(x, y))
            && self.has_caption(photo)
    }

    /// Whether a photo has the caption of a gallery from seed 1, with some time and some rate.
    pub fn has_caption(&self, photo: &RgbImage) -> bool {
        let Some(area) = self.caption else { return true };
        let one_line_high = |font: &&MonoFont<'_>| font.character_size.height == area.size.height;
        [&FONT_6X10, &FONT_4X6].into_iter().filter(one_line_high).any(|font| {
            let text = read(photo, area, font);
            let words: Vec<&str> = text.split_whitespace().collect();
            let ["seed", "1", millis, "ms", rate] = words[..] else { return false };
            millis.parse::<u32>().is_ok() && rate.strip_suffix("/s").is_some_and(|rate| rate.parse::<f32>().is_ok())
        })
    }
}

/// The line in a part of a photo; a letter that is none of the font is a question mark.
fn read(photo: &RgbImage, area: Rectangle, font: &MonoFont<'_>) -> String {
    let style = MonoTextStyle::new(font, BinaryColor::On);
    let (width, letter) = (area.size.width, font.character_size);
    (0..width / letter.width)
        .map(|column| {
            let place = Rectangle::new(area.top_left + Size::new(column * letter.width, 0), letter);
            let shown = place.points().map(|at| photo.get_pixel(at.x as u32, at.y as u32).0 != [0; 3]);
            let shown: Vec<bool> = shown.collect();
            let is = |candidate: &char| {
                let mut cell = Cell { size: letter, lit: vec![false; shown.len()] };
                let mut bytes = [0; 4];
                let text = candidate.encode_utf8(&mut bytes);
                let Ok(_) = Text::with_baseline(text, Point::zero(), style, Baseline::Top).draw(&mut cell);
                cell.lit == shown
            };
            (' '..='~').find(is).unwrap_or('?')
        })
        .collect()
}

/// A letter's place.
struct Cell {
    size: Size,
    lit: Vec<bool>,
}

impl OriginDimensions for Cell {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Cell {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        let area = self.bounding_box();
        for Pixel(at, color) in pixels.into_iter().filter(|Pixel(at, _)| area.contains(*at)) {
            self.lit[(at.y as u32 * self.size.width + at.x as u32) as usize] = color.is_on();
        }
        Ok(())
    }
}

/// The gallery that the host draws, whole. What its caption tells of time has no meaning.
pub fn on_host(model: &ModelFile, spec: PanelSpec) -> RgbImage {
    let images = Gallery::new(model, spec).grid.cells();
    stage::record(model.bytes(), &Show::default(), spec, images as usize).pictures.pop().unwrap()
}
