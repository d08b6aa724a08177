//! An error on the panel.

use core::fmt::{self, Display};

use edgegen_runtime::{Model, Shape};
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::mono_font::iso_8859_1::{FONT_4X6, FONT_5X8, FONT_9X15};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::text::{Baseline, Text};
use embedded_graphics::{Drawable, Pixel};

use crate::PanelColor;

/// A model that reads a picture and brings none along: there is nothing to show.
#[derive(Clone, Copy, Debug)]
pub struct NoPictures(Shape);

impl NoPictures {
    /// Whether that is so.
    pub fn find(model: &Model<'_>) -> Option<Self> {
        model.fed().filter(|_| model.pictures().is_none()).map(Self)
    }
}

impl Display for NoPictures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected pictures of {} to read, found none in the model: put some in with --image", self.0)
    }
}

/// From large to small; the last one is taken where nothing fits.
const FONTS: [&MonoFont; 3] = [&FONT_9X15, &FONT_5X8, &FONT_4X6];

/// Panels with room for fewer letters get a cross instead.
const FEWEST_LETTERS: usize = 8;

/// Clears the panel and writes `text` on it, broken between words, as large as it fits; what does not fit is cut off below. A panel too
/// small for words shows a cross from corner to corner.
///
/// White on black. Letters of Latin-1 are shown, others as a question mark.
///
/// # Errors
///
/// Those of the display.
pub fn show<D>(display: &mut D, text: &str) -> Result<(), D::Error>
where
    D: DrawTarget,
    D::Color: PanelColor,
{
    let [white, black] = [255, 0].map(|level| D::Color::from_grey(level, Point::zero()));
    display.clear(black)?;
    let panel = display.bounding_box();
    let fits = |font: &&MonoFont| {
        let (columns, rows) = letters(panel.size, font);
        columns > 0 && Lines { rest: text, columns }.count() <= rows
    };
    let font = FONTS.into_iter().find(fits).unwrap_or(&FONT_4X6);
    let (columns, rows) = letters(panel.size, font);
    if columns * rows < FEWEST_LETTERS {
        return cross(display, white);
    }
    let style = MonoTextStyle::new(font, white);
    for (index, line) in (Lines { rest: text, columns }).take(rows).enumerate() {
        let at = panel.top_left + Size::new(0, index as u32 * font.character_size.height);
        Text::with_baseline(line, at, style, Baseline::Top).draw(display)?;
    }
    Ok(())
}

/// Columns and rows of letters.
fn letters(panel: Size, font: &MonoFont) -> (usize, usize) {
    let letter = font.character_size + Size::new(font.character_spacing, 0);
    ((panel.width / letter.width) as usize, (panel.height / letter.height) as usize)
}

/// Both diagonals of the largest square at the top left.
fn cross<D: DrawTarget>(display: &mut D, color: D::Color) -> Result<(), D::Error> {
    let panel = display.bounding_box();
    let side = panel.size.width.min(panel.size.height);
    let diagonals = (0..side).flat_map(|y| [(y, y), (side - 1 - y, y)]);
    display.draw_iter(diagonals.map(|(x, y)| Pixel(panel.top_left + Size::new(x, y), color)))
}

/// A text cut into lines of at most `columns` letters, between words where there is a blank.
struct Lines<'a> {
    rest: &'a str,
    columns: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest.trim_start();
        if text.is_empty() {
            return None;
        }
        let line = match text.char_indices().nth(self.columns) {
            None => text,
            // The blank that ends the last whole word may be the very letter that no longer fits.
            Some((cut, letter)) => {
                let end = cut + letter.len_utf8();
                match text[..end].rfind(' ') {
                    Some(blank) => &text[..blank],
                    None => &text[..cut],
                }
            }
        };
        self.rest = &text[line.len()..];
        Some(line.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::draw_target::DrawTargetExt;
    use embedded_graphics::mock_display::MockDisplay;
    use embedded_graphics::pixelcolor::BinaryColor;
    use embedded_graphics::primitives::Rectangle;
    use std::vec::Vec;

    fn lines(text: &str, columns: usize) -> Vec<&str> {
        Lines { rest: text, columns }.collect()
    }

    #[test]
    fn breaks_between_words() {
        assert_eq!(lines("the model is cut off", 9), ["the model", "is cut", "off"]);
        assert_eq!(lines("the model", 9), ["the model"]);
        assert_eq!(lines("  a  b ", 3), ["a", "b"]);
        assert_eq!(lines("", 9), [""; 0]);
    }

    #[test]
    fn breaks_long_words_and_counts_letters_not_bytes() {
        assert_eq!(lines("0123456789ab", 5), ["01234", "56789", "ab"]);
        assert_eq!(lines("28×28×1 now", 7), ["28×28×1", "now"]);
    }

    #[test]
    fn writes_at_the_top_left() {
        let mut display = MockDisplay::<BinaryColor>::new();
        display.set_allow_overdraw(true);
        show(&mut display, "Hi").unwrap();
        let lit = |width: i32, height: i32| {
            (0..width * height)
                .map(|i| Point::new(i % width, i / width))
                .filter(|&at| display.get_pixel(at) == Some(BinaryColor::On))
                .count()
        };
        assert!(lit(18, 15) > 10);
        assert_eq!(lit(18, 15), lit(64, 64), "two letters, nothing else");
    }

    #[test]
    fn takes_the_largest_font_that_fits() {
        let size = |text: &str, width, height| {
            let fits = |font: &&MonoFont| {
                let (columns, rows) = letters(Size::new(width, height), font);
                Lines { rest: text, columns }.count() <= rows
            };
            FONTS.into_iter().find(fits).map(|font| font.character_size.height)
        };
        let text = "expected checksum 6a549285, found 39a33c0c: the model was damaged, write it again";
        assert_eq!([(480, 320), (128, 64), (72, 40)].map(|(w, h)| size(text, w, h)), [Some(15), Some(8), Some(6)]);
        assert_eq!(size(text, 40, 20), None);
    }

    #[test]
    fn a_panel_without_room_for_words_shows_a_cross() {
        let mut display = MockDisplay::<BinaryColor>::new();
        display.set_allow_overdraw(true);
        cross(&mut display.cropped(&Rectangle::new(Point::zero(), Size::new(5, 6))), BinaryColor::On).unwrap();
        display.assert_pattern(
            &["#...#", ".#.#.", "..#..", ".#.#.", "#...#"]
                .map(|row| row.replace('.', " "))
                .each_ref()
                .map(|row| row.as_str()),
        );
    }

    #[test]
    fn a_long_text_stays_on_the_panel() {
        let mut display = MockDisplay::<BinaryColor>::new();
        display.set_allow_overdraw(true);
        // MockDisplay panics on a pixel out of bounds.
        show(&mut display, &"word ".repeat(200)).unwrap();
    }
}
