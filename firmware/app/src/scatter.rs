//! Points of the plane: what a model makes whose image is one pixel of two channels, x and y, as dots on a square.
//!
//! A panel keeps what was drawn on it, so that the dots of many points are a picture of the distribution without a byte
//! of memory for them.

use edgegen_runtime::Shape;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::primitives::Rectangle;

use crate::{PanelColor, Placement};

/// Dots on the panel before it is cleared for others: enough to tell eight clouds apart on the square of an OLED.
pub const DOTS: u32 = 512;
/// Dots of a gallery that are drawn before the panel shows them; [`DOTS`] are a whole number of times as many.
pub const AT_A_TIME: u32 = 16;

/// Panel pixels of the square for each pixel of a dot's side.
const SQUARE_PER_DOT: u32 = 64;

/// Whether an image is no image but a point of the plane.
pub fn is_point(image: Shape) -> bool {
    matches!(image, Shape { h: 1, w: 1, c: 2 })
}

/// The square on which points are drawn: x to the right and y upwards, each from byte 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plot {
    top_left: Point,
    /// Of the square, in panel pixels.
    side: u32,
    /// Of a dot; at least 1.
    dot: u32,
}

impl Plot {
    /// The largest square in the middle of `area`.
    pub fn fit(area: Rectangle) -> Self {
        let Size { width, height } = area.size;
        let side = width.min(height);
        let top_left = area.top_left + Point::new(((width - side) / 2) as i32, ((height - side) / 2) as i32);
        Self { top_left, side, dot: (side / SQUARE_PER_DOT).max(1) }
    }

    /// Panel pixels of its side.
    pub fn side(&self) -> u32 {
        self.side
    }

    /// Where the dot of a point, `[x, y]`, goes; of fewer bytes it is that of 0.
    pub fn placement(&self, point: &[u8]) -> Placement {
        let [x, y] = [0, 1].map(|axis| point.get(axis).copied().unwrap_or(0));
        let room = self.side.saturating_sub(self.dot);
        // To the nearest pixel.
        let along = |level: u8| (u32::from(level) * room + 127) / 255;
        let corner = Point::new(along(x) as i32, (room - along(y)) as i32);
        Placement { top_left: self.top_left + corner, scale: self.dot, shrink: 1 }
    }

    /// Draws the dot of a point, white.
    ///
    /// # Errors
    ///
    /// Those of the display.
    pub fn draw<D>(&self, display: &mut D, point: &[u8]) -> Result<Placement, D::Error>
    where
        D: DrawTarget,
        D::Color: PanelColor,
    {
        let placement = self.placement(point);
        let dot = Rectangle::new(placement.top_left, Size::new_equal(self.dot));
        display.fill_solid(&dot, D::Color::from_grey(255, placement.top_left))?;
        Ok(placement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::mock_display::MockDisplay;
    use embedded_graphics::pixelcolor::BinaryColor;

    #[test]
    fn points_lie_where_they_should() {
        let plot = Plot::fit(Rectangle::new(Point::new(44, 0), Size::new(84, 64)));
        assert_eq!((plot.side(), plot.dot), (64, 1));
        let at = |x: u8, y: u8| plot.placement(&[x, y]).top_left;
        assert_eq!([at(0, 0), at(255, 255)], [Point::new(54, 63), Point::new(117, 0)], "y upwards");
        assert_eq!(at(128, 127), Point::new(54 + 32, 63 - 31));
        assert_eq!(plot.placement(&[]), plot.placement(&[0, 0]));
        let large = Plot::fit(Rectangle::new(Point::zero(), Size::new(320, 240)));
        assert_eq!(large.placement(&[255, 0]), Placement { top_left: Point::new(277, 237), scale: 3, shrink: 1 });
        assert_eq!(Plot::fit(Rectangle::zero()).placement(&[9, 9]).top_left, Point::zero(), "no room is no panic");
    }

    #[test]
    fn a_dot_is_a_square() {
        let mut display = MockDisplay::<BinaryColor>::new();
        Plot { top_left: Point::new(1, 2), side: 6, dot: 2 }.draw(&mut display, &[255, 255]).unwrap();
        display.assert_pattern(&["       ", "       ", "     ##", "     ##"]);
    }

    #[test]
    fn one_pixel_of_two_channels_is_a_point() {
        assert!(is_point(Shape { h: 1, w: 1, c: 2 }) && !is_point(Shape { h: 1, w: 2, c: 1 }));
        assert_eq!(DOTS % AT_A_TIME, 0);
    }
}
