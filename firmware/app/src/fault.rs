//! An error on the panel.

use embedded_graphics::Drawable;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::Point;
use embedded_graphics::mono_font::iso_8859_1::{FONT_5X8, FONT_9X15};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::text::{Baseline, Text};

use crate::PanelColor;

/// Panels at least this wide, in pixels, get the large font.
const LARGE_PANEL: u32 = 240;

/// Clears the panel and writes `text` on it, broken between words; what does not fit is cut off below.
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
    display.clear(D::Color::from_grey(0, Point::zero()))?;
    let panel = display.bounding_box();
    let font: &MonoFont = if panel.size.width < LARGE_PANEL { &FONT_5X8 } else { &FONT_9X15 };
    let style = MonoTextStyle::new(font, D::Color::from_grey(255, Point::zero()));
    let letter = font.character_size.width + font.character_spacing;
    let columns = ((panel.size.width / letter) as usize).max(1);
    let pitch = font.character_size.height as i32;
    for (y, line) in (panel.top_left.y..)
        .step_by(pitch as usize)
        .zip(Lines { rest: text, columns })
        .take((panel.size.height as i32 / pitch) as usize)
    {
        let at = Point::new(panel.top_left.x, y);
        Text::with_baseline(line, at, style, Baseline::Top).draw(display)?;
    }
    Ok(())
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
    use embedded_graphics::mock_display::MockDisplay;
    use embedded_graphics::pixelcolor::BinaryColor;
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
        assert!(lit(10, 8) > 10);
        assert_eq!(lit(10, 8), lit(64, 64), "two letters, nothing else");
    }

    #[test]
    fn a_long_text_stays_on_the_panel() {
        let mut display = MockDisplay::<BinaryColor>::new();
        display.set_allow_overdraw(true);
        // MockDisplay panics on a pixel out of bounds.
        show(&mut display, &"word ".repeat(200)).unwrap();
    }
}
