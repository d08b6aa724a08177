//! The words beside a picture: seed, class, frame time, frames a second.

use core::fmt::Write;

use edgegen_runtime::{Model, Shape};
use embedded_graphics::Drawable;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::mono_font::ascii::FONT_6X10;
use embedded_graphics::mono_font::iso_8859_1::FONT_4X6;
use embedded_graphics::mono_font::{MonoFont, MonoTextStyleBuilder};
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::{Baseline, Text};
use heapless::String;

use crate::act::Act;
use crate::gallery::Grid;
use crate::{PanelColor, Placement};

/// Panels at least this wide, in pixels, get the larger font.
const LARGE_PANEL: u32 = 240;
/// Letters in a line of a caption beside the picture.
const SIDE_LETTERS: u32 = 11;
/// Letters of a class's name at most; of a longer one the beginning is shown.
const MAX_NAME: usize = 20;
/// A word of the caption: a seed of 20 digits, or a name, of letters that may take four bytes.
type Word = String<80>;
/// The name of a class, or the words of one that is a combination.
pub type Name = String<80>;
/// Between words.
const COMMA: &str = ", ";
/// Letters in a line at most: 768 pixels of the larger font.
const MAX_LETTERS: usize = 128;

/// Where picture and words go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What is left for the picture.
    pub picture: Rectangle,
    /// Where the words go, if there is room for them.
    pub caption: Option<Rectangle>,
}

impl Layout {
    /// A gallery of `image`, of which there are at most `most`: its layout and its cells.
    pub fn gallery(panel: Rectangle, image: Shape, most: u32) -> (Self, Grid) {
        let layout = Self::new(panel, |area| {
            let Grid { columns, rows, scale, shrink, .. } = Grid::fit_most(area, image, most);
            (columns, rows, scale, shrink)
        });
        (layout, Grid::fit_most(layout.picture, image, most))
    }

    /// One `image`, as large as it fits: its layout and its place.
    pub fn single(panel: Rectangle, image: Shape) -> (Self, Placement) {
        let layout = Self::new(panel, |area| {
            let Placement { scale, shrink, .. } = Placement::centred(area, image);
            (scale, shrink)
        });
        (layout, Placement::centred(layout.picture, image))
    }

    /// The picture comes first: words get a strip below it, or a column at its left, if the picture becomes no smaller by it.
    /// `worth` tells how good a picture fits into an area; equal is as good.
    pub fn new<W: PartialEq>(panel: Rectangle, worth: impl Fn(Rectangle) -> W) -> Self {
        let letter = font(panel).character_size;
        let Size { width, height } = panel.size;
        let best = worth(panel);
        let below = Rectangle::new(panel.top_left, Size::new(width, height.saturating_sub(letter.height)));
        let column = SIDE_LETTERS * letter.width;
        let beside = Rectangle::new(
            panel.top_left + Size::new(column.min(width), 0),
            Size::new(width.saturating_sub(column), height),
        );
        if width >= SIDE_LETTERS * letter.width && height > letter.height {
            if worth(below) == best {
                let strip =
                    Rectangle::new(panel.top_left + Size::new(0, below.size.height), Size::new(width, letter.height));
                return Self { picture: below, caption: Some(strip) };
            }
            if height >= 4 * letter.height && worth(beside) == best {
                let strip = Rectangle::new(panel.top_left, Size::new(column, height));
                return Self { picture: beside, caption: Some(strip) };
            }
        }
        Self { picture: panel, caption: None }
    }
}

/// Letters for a panel of this size.
pub(crate) fn font(panel: Rectangle) -> &'static MonoFont<'static> {
    if panel.size.width < LARGE_PANEL { &FONT_4X6 } else { &FONT_6X10 }
}

/// What the words tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caption {
    /// What is shown.
    pub act: Act,
    /// What the class of [`Act::Class`] is called, if the model says it, see [`name`]; of a drum machine its bar.
    pub class: Name,
    /// Seed of the picture, or of the first picture of the gallery; on the model's own way the keyframe that the picture comes from.
    pub seed: u64,
    /// Whether it is on the model's own way.
    pub of_keyframes: bool,
    /// Milliseconds that making and drawing the image took, of a sound making it alone.
    pub millis: u64,
    /// Tenths of images a second.
    pub tenths_per_second: u64,
    /// Of a sound in place of that: a tenth of how many times faster it was made than it lasts.
    #[cfg(feature = "sound")]
    pub tenths_of_real_time: Option<u64>,
}

/// What the class of an act is called: its name, or its words with commas between, as many as fit. Nothing where the
/// act has no class, or the model does not say it.
pub fn name(model: &Model<'_>, act: Act) -> Name {
    let mut name = Name::new();
    let Act::Class(class) = act else { return name };
    if let Some(own) = model.class_name(class) {
        own.chars().take(MAX_NAME).for_each(|letter| _ = name.push(letter));
    }
    for word in model.words(class).filter(|&word| word != "none") {
        let comma = if name.is_empty() { "" } else { COMMA };
        if name.push_str(comma).and_then(|()| name.push_str(word)).is_err() {
            break;
        }
    }
    name
}

impl Caption {
    /// Writes the words into `area` of a panel: one line if it is one letter high, else one below the other. White on black;
    /// each line is filled up with blanks, so that it covers what stood there.
    ///
    /// # Errors
    ///
    /// Those of the display.
    pub fn draw<D>(&self, display: &mut D, area: Rectangle) -> Result<(), D::Error>
    where
        D: DrawTarget,
        D::Color: PanelColor,
    {
        let font = font(display.bounding_box());
        let (white, black) = (D::Color::from_grey(255, Point::zero()), D::Color::from_grey(0, Point::zero()));
        let style = MonoTextStyleBuilder::new().font(font).text_color(white).background_color(black).build();
        let letter = font.character_size;
        let columns = ((area.size.width / letter.width) as usize).min(MAX_LETTERS);
        let words = self.words();
        let mut write = |line: &str, index: i32| {
            let at = area.top_left + Point::new(0, index * letter.height as i32);
            Text::with_baseline(line, at, style, Baseline::Top).draw(display).map(|_| ())
        };
        if area.size.height / letter.height > 1 {
            // Each word of a combination has a line of its own.
            let told = words.iter().flat_map(|word| word.split(COMMA)).filter(|word| !word.is_empty());
            return (0..).zip(told).try_for_each(|(index, word)| {
                let mut line = String::<MAX_LETTERS>::new();
                push(&mut line, word, columns);
                fill(&mut line, columns);
                write(&line, index)
            });
        }
        write(&one_line(&words, columns), 0)
    }

    /// Seed, class, time, rate; what there is nothing to tell of is empty.
    fn words(&self) -> [Word; 4] {
        let mut words = [const { String::new() }; 4];
        let [seed, class, time, rate] = &mut words;
        // 2⁶⁴ has 20 digits: everything fits.
        let _ = write!(seed, "{} {}", if self.of_keyframes { "key" } else { "seed" }, self.seed);
        match self.act {
            Act::Class(index) if self.class.is_empty() => _ = write!(class, "class {index}"),
            Act::Class(_) => class.clone_from(&self.class),
            Act::Picture(index) => _ = write!(class, "picture {index}"),
            Act::Mix => _ = class.push_str("mix"),
            Act::Noise => _ = class.push_str("noise"),
            Act::Middle => _ = class.push_str("middle"),
            #[cfg(feature = "sound")]
            Act::Drums => class.clone_from(&self.class),
            _ => {}
        }
        let _ = write!(time, "{} ms", self.millis);
        #[cfg(feature = "sound")]
        if let Some(tenths) = self.tenths_of_real_time {
            let _ = write!(rate, "{}.{}x", tenths / 10, tenths % 10);
            return words;
        }
        let (whole, tenth) = (self.tenths_per_second / 10, self.tenths_per_second % 10);
        let _ = if whole < 100 { write!(rate, "{whole}.{tenth}/s") } else { write!(rate, "{whole}/s") };
        words
    }
}

/// Seed and class at the left, time and rate at the right. What does not fit is left out, first the time, then the class, then
/// the rate.
fn one_line(words: &[Word; 4], columns: usize) -> String<MAX_LETTERS> {
    let mut line = String::new();
    if let Some(class) = words.get(1).filter(|class| class.contains(COMMA)) {
        // A combination of words takes the line for itself.
        push(&mut line, class, columns);
        fill(&mut line, columns);
        return line;
    }
    for keep in [[true; 4], [true, true, false, true], [true, false, false, true], [true, false, false, false]] {
        let kept = |index: usize| words.get(index).filter(|word| keep[index] && !word.is_empty());
        let count = (0..4).filter_map(kept).count();
        let letters: usize = (0..4).filter_map(kept).map(|word| letter_count(word)).sum();
        if letters + count.saturating_sub(1) > columns && keep != [true, false, false, false] {
            continue;
        }
        let right: usize = (2..4).filter_map(kept).map(|word| letter_count(word) + 1).sum();
        for index in 0..4 {
            if index == 2 {
                fill(&mut line, columns.saturating_sub(right.saturating_sub(1)));
            }
            if let Some(word) = kept(index) {
                if !line.is_empty() && !line.ends_with(' ') {
                    let _ = line.push(' ');
                }
                push(&mut line, word, columns);
            }
        }
        fill(&mut line, columns);
        return line;
    }
    line
}

/// Letters of a text; `chars().count()` is a kilobyte of code.
fn letter_count(text: &str) -> usize {
    text.chars().map(|_| 1).sum()
}

/// Appends what fits.
fn push(line: &mut String<MAX_LETTERS>, word: &str, columns: usize) {
    for letter in word.chars().take(columns.saturating_sub(letter_count(line))) {
        let _ = line.push(letter);
    }
}

/// Blanks up to `columns`.
fn fill(line: &mut String<MAX_LETTERS>, columns: usize) {
    while letter_count(line) < columns && line.push(' ').is_ok() {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::mock_display::MockDisplay;
    use embedded_graphics::pixelcolor::BinaryColor;

    const CAPTION: Caption = Caption {
        act: Act::Class(3),
        class: Name::new(),
        seed: 7,
        of_keyframes: false,
        millis: 31,
        tenths_per_second: 123,
        #[cfg(feature = "sound")]
        tenths_of_real_time: None,
    };

    fn line(caption: Caption, columns: usize) -> String<MAX_LETTERS> {
        one_line(&caption.words(), columns)
    }

    #[test]
    fn words_go_to_both_ends_and_give_way() {
        assert_eq!(line(CAPTION, 32), "seed 7 class 3      31 ms 12.3/s");
        assert_eq!(line(CAPTION, 27), "seed 7 class 3 31 ms 12.3/s");
        assert_eq!(line(CAPTION, 26), "seed 7 class 3      12.3/s");
        assert_eq!(line(CAPTION, 14), "seed 7  12.3/s");
        assert_eq!(line(CAPTION, 12), "seed 7      ");
        assert_eq!(line(CAPTION, 4), "seed");
        assert_eq!(line(Caption { seed: u64::MAX, ..CAPTION }, 18), "seed 1844674407370");
    }

    #[test]
    fn a_class_is_told_by_its_name() {
        let named = |name: &str| Caption { class: Name::try_from(name).unwrap(), ..CAPTION };
        assert_eq!(line(named("cat"), 28), "seed 7 cat      31 ms 12.3/s");
        assert_eq!(line(named("short hair, red, glasses"), 28), "short hair, red, glasses    ");
        assert_eq!(line(named("short hair, red, glasses"), 12), "short hair, ");
        assert_eq!(&Caption { act: Act::Walk, ..named("cat") }.words()[1], "");
    }

    #[test]
    fn nothing_is_told_of_what_is_not_there() {
        assert_eq!(line(Caption { act: Act::Gallery, ..CAPTION }, 20), "seed 7  31 ms 12.3/s");
        assert_eq!(line(Caption { act: Act::Walk, of_keyframes: true, ..CAPTION }, 19), "key 7  31 ms 12.3/s");
        assert_eq!(line(Caption { act: Act::Walk, tenths_per_second: 12_345, ..CAPTION }, 20), "seed 7  31 ms 1234/s");
    }

    #[test]
    fn the_picture_comes_first() {
        let layout = |width: u32, height: u32, w: u32, h: u32| {
            let panel = Rectangle::new(Point::zero(), Size::new(width, height));
            let layout = Layout::new(panel, |area| (area.size.width / w).min(area.size.height / h));
            (layout.picture, layout.caption)
        };
        let area = |x, y, width, height| Rectangle::new(Point::new(x, y), Size::new(width, height));
        // Below, beside, not at all.
        assert_eq!(layout(128, 64, 28, 28), (area(0, 0, 128, 58), Some(area(0, 58, 128, 6))));
        assert_eq!(layout(128, 64, 64, 64), (area(44, 0, 84, 64), Some(area(0, 0, 44, 64))));
        assert_eq!(layout(64, 64, 64, 64), (area(0, 0, 64, 64), None));
        assert_eq!(layout(5, 5, 5, 4), (area(0, 0, 5, 5), None));
        assert_eq!(layout(0, 0, 5, 5), (area(0, 0, 0, 0), None));
    }

    #[test]
    fn a_caption_covers_the_one_before_and_nothing_else() {
        let area = Rectangle::new(Point::new(0, 10), Size::new(64, 6));
        let mut display = MockDisplay::<BinaryColor>::new();
        display.set_allow_overdraw(true);
        CAPTION.draw(&mut display, area).unwrap();
        CAPTION.draw(&mut display, area).unwrap();
        assert_eq!(display.affected_area(), area);
    }
}
