//! A picture that a model reads and the image that it makes of it, side by side.

use edgegen_runtime::pictures::RUNS_ROW;
use edgegen_runtime::{Feed, Model, Picture, Shape};
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Point, Size};

use crate::image::shrink;
use crate::{PanelColor, Placement};

/// Image pixels between the two.
const GAP: u16 = 2;

/// What of the two is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The picture at the left; `None` where the model reads none or there is no room for it.
    input: Option<Shape>,
    output: Shape,
}

impl Pair {
    /// What a panel shows of a model.
    pub fn of(model: &Model<'_>, panel: Size) -> Self {
        Self::fit(panel, model.pictures().map(|pictures| pictures.shape()), model.output())
    }

    /// Both, unless the panel has room for the image alone.
    pub fn fit(panel: Size, input: Option<Shape>, output: Shape) -> Self {
        let pair = Self { input, output };
        let alone = Self { input: None, ..pair };
        if shrink(panel, pair.shape()) > shrink(panel, alone.shape()) { alone } else { pair }
    }

    /// Room that both take, in image pixels.
    pub fn shape(&self) -> Shape {
        let Some(input) = self.input else { return self.output };
        let w = self.output.w.saturating_add(input.w).saturating_add(GAP);
        Shape { h: self.output.h.max(input.h), w, ..self.output }
    }

    /// Where picture and image go, given the place of both; each in the middle of its height.
    pub fn split(&self, both: Placement) -> (Option<Placement>, Placement) {
        let Some(input) = self.input else { return (None, both) };
        let height = both.size(self.shape()).height;
        let at = |x: u32, shape: Shape| {
            let y = height.saturating_sub(both.size(shape).height) / 2;
            Placement { top_left: both.top_left + Point::new(x as i32, y as i32), ..both }
        };
        let before = Shape { w: input.w.saturating_add(GAP), ..input };
        (Some(at(0, input)), at(both.size(before).width, self.output))
    }
}

/// Draws a picture from where it lies.
///
/// # Errors
///
/// Those of the display.
pub fn draw_picture<D>(display: &mut D, picture: Picture<'_>, placement: Placement) -> Result<(), D::Error>
where
    D: DrawTarget,
    D::Color: PanelColor,
{
    let (shape, mut rows) = (picture.shape(), picture.rows());
    let mut draw = |y: u16, row: &[u8]| placement.draw_row(display, y.into(), row, shape.c.into());
    if let Some(bytes) = picture.plain() {
        return (0..shape.h).zip(bytes.chunks_exact(shape.row_len().max(1))).try_for_each(|(y, row)| draw(y, row));
    }
    let mut room = [0; RUNS_ROW];
    let Some(row) = room.get_mut(..shape.row_len()) else { return Ok(()) };
    (0..shape.h).try_for_each(|y| {
        rows.row(y, row);
        draw(y, row)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: Shape = Shape { h: 8, w: 8, c: 1 };
    const HIGH: Shape = Shape { h: 16, w: 16, c: 3 };

    #[test]
    fn pictures_stand_beside_images() {
        let pair = Pair { input: Some(LOW), output: HIGH };
        assert_eq!(pair.shape(), Shape { h: 16, w: 26, c: 3 });
        let both = Placement { top_left: Point::new(5, 7), scale: 3, shrink: 1 };
        let (input, output) = pair.split(both);
        assert_eq!(input, Some(Placement { top_left: Point::new(5, 7 + 12), ..both }));
        assert_eq!(output, Placement { top_left: Point::new(5 + 30, 7), ..both });
        let small = Placement { scale: 1, shrink: 2, ..both };
        assert_eq!(pair.split(small).1.top_left, Point::new(5 + 5, 7));
    }

    #[test]
    fn an_image_alone_has_the_whole_place() {
        let pair = Pair { input: None, output: HIGH };
        let both = Placement { top_left: Point::new(5, 7), scale: 3, shrink: 1 };
        assert_eq!((pair.shape(), pair.split(both)), (HIGH, (None, both)));
    }
}
