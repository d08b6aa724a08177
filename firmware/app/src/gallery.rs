//! A grid of images, one seed each.

use edgegen_runtime::{Shape, latent};
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::primitives::Rectangle;

use crate::pair::draw_picture;
use crate::scatter::{self, Plot};
use crate::{Pair, PanelColor, Placement, RowSource, image};

/// Widest gap between images, in panel pixels. It shrinks where it would cost a column or a row.
const MAX_GAP: u32 = 4;

/// Images are enlarged only as long as this many still fit: a gallery shows what a model varies.
const MIN_CELLS: u32 = 8;

/// The cells of a gallery: equal, evenly spaced, centred on the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Cells side by side; at least 1.
    pub columns: u32,
    /// Cells one above the other; at least 1.
    pub rows: u32,
    /// Panel pixels per image pixel; at least 1.
    pub scale: u32,
    /// Image pixels per panel pixel; more than 1 where one image is larger than the panel.
    pub shrink: u32,
    /// Panel position of the first cell.
    top_left: Point,
    /// From one cell to the next, in panel pixels.
    pitch: Size,
    /// Images at most.
    most: u32,
}

impl Grid {
    /// As many images of `image` as fit `panel`, enlarged while at least eight fit, or made smaller until one does.
    ///
    /// 28×28 images on a 128×64 panel: 4 columns, 2 rows, scale 1. On 320×240: 5 columns, 4 rows, scale 2.
    pub fn fit(panel: Rectangle, image: Shape) -> Self {
        Self::fit_most(panel, image, u32::MAX)
    }

    /// As [`Grid::fit`], but at most `most` images, which are enlarged as long as all of them still fit.
    pub fn fit_most(panel: Rectangle, image: Shape, most: u32) -> Self {
        let most = most.max(1);
        let cells = |scale: u32| {
            let (w, h) = (u32::from(image.w) * scale, u32::from(image.h) * scale);
            (panel.size.width / w.max(1), panel.size.height / h.max(1))
        };
        let mut scale = 1;
        while {
            let (columns, rows) = cells(scale + 1);
            columns * rows >= MIN_CELLS.min(most) && image.w > 0 && image.h > 0
        } {
            scale += 1;
        }
        let shrink = image::shrink(panel.size, image);
        let cell = Placement { top_left: panel.top_left, scale, shrink }.size(image);
        Self::spread(panel, cell, scale, shrink, most)
    }

    /// As many cells of `cell` pixels as fit.
    fn spread(panel: Rectangle, cell: Size, scale: u32, shrink: u32, most: u32) -> Self {
        let count = |room: u32, cell: u32| (room / cell.max(1)).max(1);
        let columns = count(panel.size.width, cell.width).min(most);
        let rows = count(panel.size.height, cell.height).min(most.div_ceil(columns));
        let (left, pitch_x) = spread(panel.size.width, cell.width, columns);
        let (top, pitch_y) = spread(panel.size.height, cell.height, rows);
        Self {
            columns,
            rows,
            scale,
            shrink,
            top_left: panel.top_left + Point::new(left, top),
            pitch: Size::new(pitch_x, pitch_y),
            most,
        }
    }

    /// Number of cells that are filled.
    pub fn cells(&self) -> u32 {
        (self.columns * self.rows).min(self.most)
    }

    /// Where cell `index` lies; cells count from left to right, then down.
    pub fn placement(&self, index: u32) -> Placement {
        let (column, row) = (index % self.columns, index / self.columns);
        Placement {
            top_left: self.top_left + Point::new((column * self.pitch.width) as i32, (row * self.pitch.height) as i32),
            scale: self.scale,
            shrink: self.shrink,
        }
    }
}

/// First position and pitch of `count` cells of `cell` pixels, centred in `room` pixels.
fn spread(room: u32, cell: u32, count: u32) -> (i32, u32) {
    let spare = room.saturating_sub(count * cell);
    let gap = spare.checked_div(count - 1).map_or(0, |gap| gap.min(MAX_GAP));
    let used = count * cell + (count - 1) * gap;
    ((room as i32 - used as i32) / 2, cell + gap)
}

/// What [`run`] put on the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GalleryReport {
    /// Images drawn.
    pub images: u32,
    /// Where they are.
    pub grid: Grid,
}

/// Told what the gallery does, while it does it. `()` listens to nothing.
pub trait Watch {
    /// Image `index` of `seed` begins.
    fn image_begins(&mut self, index: u32, seed: u64) {
        let _ = (index, seed);
    }

    /// A row was made: width · channels bytes. It is not on the panel yet.
    fn row_made(&mut self, row: &[u8]) {
        let _ = row;
    }

    /// The row is on the panel; the next one begins.
    fn row_drawn(&mut self) {}

    /// The image is complete.
    fn image_ends(&mut self) {}
}

impl Watch for () {}

/// Clears the panel and fills it with images: cell i shows the image of seed `first_seed` + i (wrapping), beside the
/// picture that it is made of, if it is of one.
///
/// Each row goes to the panel as it is made. Points of the plane, [`scatter::DOTS`] of them, are dots on one square.
///
/// # Errors
///
/// Those of the display.
pub fn run<D>(
    display: &mut D,
    source: &mut impl RowSource,
    first_seed: u64,
    watch: &mut impl Watch,
) -> Result<GalleryReport, D::Error>
where
    D: DrawTarget,
    D::Color: PanelColor,
{
    display.clear(D::Color::from_grey(0, Point::zero()))?;
    let shape = source.shape();
    let panel = display.bounding_box();
    if scatter::is_point(shape) {
        return scatter(display, source, first_seed, watch);
    }
    let input = source.picture(latent::Point::seed(first_seed)).map(|picture| picture.shape());
    let pair = Pair::fit(panel.size, input, shape);
    let grid = Grid::fit_most(panel, pair.shape(), source.most());
    for index in 0..grid.cells() {
        let seed = first_seed.wrapping_add(u64::from(index));
        let (beside, placement) = pair.split(grid.placement(index));
        if let (Some(place), Some(picture)) = (beside, source.picture(latent::Point::seed(seed))) {
            draw_picture(display, picture, place)?;
        }
        let mut y = 0;
        watch.image_begins(index, seed);
        source.rows(latent::Point::seed(seed), |row| {
            watch.row_made(row);
            placement.draw_row(display, y, row, usize::from(shape.c))?;
            watch.row_drawn();
            y += 1;
            Ok(())
        })?;
        watch.image_ends();
    }
    Ok(GalleryReport { images: grid.cells(), grid })
}

/// As [`run`], of points, on a cleared panel.
fn scatter<D>(
    display: &mut D,
    source: &mut impl RowSource,
    first_seed: u64,
    watch: &mut impl Watch,
) -> Result<GalleryReport, D::Error>
where
    D: DrawTarget,
    D::Color: PanelColor,
{
    let panel = display.bounding_box();
    let plot = Plot::fit(panel);
    for index in 0..scatter::DOTS {
        let seed = first_seed.wrapping_add(u64::from(index));
        watch.image_begins(index, seed);
        source.rows(latent::Point::seed(seed), |row| {
            watch.row_made(row);
            plot.draw(display, row)?;
            watch.row_drawn();
            Ok(())
        })?;
        watch.image_ends();
    }
    let Placement { top_left, scale, shrink } = plot.placement(&[]);
    let grid = Grid { columns: 1, rows: 1, scale, shrink, top_left, pitch: Size::zero(), most: 1 };
    Ok(GalleryReport { images: scatter::DOTS, grid })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tests::Ramp;
    use embedded_graphics::mock_display::MockDisplay;
    use embedded_graphics::pixelcolor::Gray4;
    use std::vec::Vec;

    fn fit(width: u32, height: u32, w: u16, h: u16) -> Grid {
        let panel = Rectangle::new(Point::zero(), Size::new(width, height));
        Grid::fit(panel, Shape { h, w, c: 1 })
    }

    #[test]
    fn digits_on_the_oled() {
        let grid = fit(128, 64, 28, 28);
        assert_eq!((grid.columns, grid.rows, grid.scale), (4, 2, 1));
        assert_eq!(grid.placement(0).top_left, Point::new(2, 2));
        assert_eq!(grid.placement(5).top_left, Point::new(34, 34));
        assert_eq!(grid.placement(7).top_left, Point::new(98, 34));
    }

    #[test]
    fn large_panels_enlarge() {
        let grid = fit(320, 240, 28, 28);
        assert_eq!((grid.columns, grid.rows, grid.scale), (5, 4, 2));
        let grid = fit(480, 320, 28, 28);
        assert_eq!((grid.columns, grid.rows, grid.scale), (4, 2, 4));
    }

    #[test]
    fn every_cell_lies_on_the_panel() {
        for (width, height) in [(128, 64), (240, 135), (240, 240), (72, 40), (320, 480), (5, 5)] {
            for side in [5, 16, 28, 32, 33, 40, 64, 300] {
                let grid = fit(width, height, side, side);
                let size = grid.placement(0).size(Shape { h: side, w: side, c: 1 });
                for index in 0..grid.cells() {
                    let cell = Rectangle::new(grid.placement(index).top_left, size);
                    let panel = Rectangle::new(Point::zero(), Size::new(width, height));
                    assert_eq!(cell.intersection(&panel), cell, "{side} on {width}×{height}");
                }
            }
        }
    }

    #[test]
    fn images_larger_than_the_panel_are_made_smaller() {
        let grid = fit(5, 5, 28, 28);
        assert_eq!((grid.cells(), grid.shrink, grid.placement(0).top_left), (1, 5, Point::zero()));
        let grid = fit(128, 32, 64, 64);
        assert_eq!((grid.columns, grid.rows, grid.scale, grid.shrink), (4, 1, 1, 2));
    }

    #[test]
    fn degenerate_shapes_end() {
        assert_eq!(fit(128, 64, 0, 0).scale, 1);
        assert_eq!(fit(0, 0, 28, 28).cells(), 1);
    }

    #[test]
    fn cells_show_consecutive_seeds() {
        // MockDisplay has 64×64 pixels: 4×4 cells of 15×15 with gaps of one pixel, and one column and row to spare.
        let mut source = Ramp { shape: Shape { h: 15, w: 15, c: 1 }, step: 0 };
        let mut display = MockDisplay::<Gray4>::new();
        display.set_allow_overdraw(true);
        let mut seen = Vec::new();
        struct Seeds<'a>(&'a mut Vec<(u32, u64)>);
        impl Watch for Seeds<'_> {
            fn image_begins(&mut self, index: u32, seed: u64) {
                self.0.push((index, seed));
            }
        }
        let report = run(&mut display, &mut source, u64::MAX, &mut Seeds(&mut seen)).unwrap();
        assert_eq!(report.images, 16);
        assert_eq!(seen[..3], [(0, u64::MAX), (1, 0), (2, 1)]);
        let grid = report.grid;
        assert_eq!(display.get_pixel(grid.placement(0).top_left), Some(Gray4::new(15)));
        assert_eq!(display.get_pixel(grid.placement(15).top_left), Some(Gray4::new(1)));
        assert_eq!(display.get_pixel(Point::new(63, 63)), Some(Gray4::new(0)));
    }
}
