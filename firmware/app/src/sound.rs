//! Sounds: a wave on the panel, and samples to a speaker. Of the feature `sound`.
//!
//! A model that makes sound makes an image of one column, a sample a row ([`edgegen_runtime::sound`]). Its codes are
//! kept as it makes them, a byte each, in what the arena has left over, and played from there at the right rate,
//! however fast they were made.

use edgegen_runtime::Model;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::Size;
use embedded_graphics::primitives::Rectangle;

use crate::PanelColor;

/// Where samples go: a pin, a converter, a file.
pub trait Speaker {
    /// How many samples a second come from now on. Called once, before the first sample.
    fn start(&mut self, rate: u32);

    /// Takes the next sample if there is room for it, and says whether it did. Nobody waits meanwhile: while a sound
    /// plays this is called again and again until there is room, between other things every few milliseconds. A
    /// speaker needs memory for the samples of that time. What it plays when none is there is silence.
    fn take(&mut self, sample: i16) -> bool;
}

/// Grey of the line of silence.
const AXIS: u8 = 96;
/// Waves side by side in a gallery, and one above the other, at most.
const MOST: Size = Size::new(2, 4);
/// Panel pixels that a wave of a gallery has at least, before there are fewer waves.
const LEAST: Size = Size::new(48, 12);

/// Bytes of a whole sound: what the show keeps of it besides what the generator needs.
pub fn bytes(model: &Model<'_>) -> usize {
    model.sample_rate().map_or(0, |_| model.output().h.into())
}

/// A tenth of how many times faster than they last so many samples, `rate` of them a second, were made in so many
/// milliseconds.
pub fn tenths_of_real_time(samples: usize, rate: u32, millis: u64) -> u64 {
    10_000 * samples as u64 / (u64::from(rate.max(1)) * millis.max(1))
}

/// The waves of a gallery: equal parts of an area with one pixel or more between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waves {
    area: Rectangle,
    columns: u32,
    rows: u32,
}

impl Waves {
    /// As many as an area has room for, at least one.
    pub fn fit(area: Rectangle) -> Self {
        let count = |room: u32, least: u32, most: u32| (room / least).clamp(1, most);
        Self {
            area,
            columns: count(area.size.width, LEAST.width, MOST.width),
            rows: count(area.size.height, LEAST.height, MOST.height),
        }
    }

    /// How many there are.
    pub fn cells(&self) -> u32 {
        self.columns * self.rows
    }

    /// Where wave `index` lies; they count from left to right, then down.
    pub fn cell(&self, index: u32) -> Rectangle {
        let pitch = Size::new(self.area.size.width / self.columns, self.area.size.height / self.rows);
        let gap = |pitch: u32| (pitch / 16).clamp(1, 6).min(pitch.saturating_sub(1));
        let place = Size::new(index % self.columns * pitch.width, index / self.columns % self.rows * pitch.height);
        Rectangle::new(
            self.area.top_left + place,
            Size::new(pitch.width - gap(pitch.width), pitch.height - gap(pitch.height)),
        )
    }
}

/// A wave from left to right, drawn as its samples come: each column of panel pixels from the lowest to the highest of
/// its samples, joined to the column before.
#[derive(Clone, Copy, Debug)]
pub struct Trace {
    area: Rectangle,
    samples: u32,
    /// What of the samples so far makes no column yet, a sample counted as the width.
    spare: u32,
    column: u32,
    low: i16,
    high: i16,
}

impl Trace {
    /// A wave of so many samples in an area, −32767 at its bottom and 32767 at its top.
    pub fn new(area: Rectangle, samples: u32) -> Self {
        Self { area, samples: samples.max(1), spare: 0, column: 0, low: 0, high: 0 }
    }

    /// Takes the next sample, and draws the columns that it completes.
    ///
    /// # Errors
    ///
    /// Those of the display.
    pub fn take<D>(&mut self, display: &mut D, sample: i16) -> Result<(), D::Error>
    where
        D: DrawTarget,
        D::Color: PanelColor,
    {
        (self.low, self.high) = (self.low.min(sample), self.high.max(sample));
        // As lines are drawn (Bresenham, 1965): a division for each sample would take longer than the sample.
        self.spare += self.area.size.width;
        while self.spare >= self.samples {
            self.spare -= self.samples;
            if self.column < self.area.size.width {
                self.draw_column(display)?;
            }
            self.column += 1;
            (self.low, self.high) = (sample, sample);
        }
        Ok(())
    }

    fn draw_column<D>(&self, display: &mut D) -> Result<(), D::Error>
    where
        D: DrawTarget,
        D::Color: PanelColor,
    {
        let height = self.area.size.height;
        let [top, axis, bottom] = [self.high, 0, self.low].map(|sample| line(sample, height));
        let at = self.area.top_left + Size::new(self.column, 0);
        let colors = (0..height).map(|y| {
            let grey = match y {
                y if (top..=bottom).contains(&y) => 255,
                y if y == axis => AXIS,
                _ => 0,
            };
            D::Color::from_grey(grey, at + Size::new(0, y))
        });
        display.fill_contiguous(&Rectangle::new(at, Size::new(1, height)), colors)
    }
}

/// On which line of `height` a sample lies, to the nearest.
fn line(sample: i16, height: u32) -> u32 {
    // Of 2¹⁶ in place of 65534, which are a shift.
    let below = (i32::from(i16::MAX) - i32::from(sample)) as u32;
    (below * height.saturating_sub(1).min(u16::MAX.into()) + (1 << 15)) >> 16
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::geometry::Point;
    use embedded_graphics::mock_display::MockDisplay;
    use embedded_graphics::pixelcolor::{BinaryColor, Gray8};

    fn drawn(area: Rectangle, samples: &[i16]) -> MockDisplay<Gray8> {
        let mut display = MockDisplay::new();
        let mut trace = Trace::new(area, samples.len() as u32);
        samples.iter().for_each(|&sample| trace.take(&mut display, sample).unwrap());
        assert_eq!(display.affected_area(), area);
        display
    }

    fn lit(display: &MockDisplay<Gray8>, x: i32) -> std::vec::Vec<i32> {
        (0..64).filter(|&y| display.get_pixel(Point::new(x, y)) == Some(Gray8::new(255))).collect()
    }

    #[test]
    fn a_column_reaches_from_its_lowest_to_its_highest_sample() {
        let area = Rectangle::new(Point::new(3, 2), Size::new(2, 5));
        let display = drawn(area, &[0, 16384, 0, -32767]);
        assert_eq!([lit(&display, 3), lit(&display, 4)], [std::vec![3, 4], std::vec![3, 4, 5, 6]]);
        let wide = drawn(Rectangle::new(Point::zero(), Size::new(6, 3)), &[0, 32767]);
        assert_eq!([lit(&wide, 2), lit(&wide, 3), lit(&wide, 5)], [std::vec![1], std::vec![0, 1], std::vec![0]]);
    }

    #[test]
    fn silence_is_a_line_and_no_room_is_no_panic() {
        for (width, height) in [(1, 1), (5, 5), (0, 9), (9, 0)] {
            let mut display = MockDisplay::<BinaryColor>::new();
            let mut trace = Trace::new(Rectangle::new(Point::zero(), Size::new(width, height)), 7);
            (0..9).for_each(|_| trace.take(&mut display, 0).unwrap());
            let lit = (0..i32::from(u8::MAX)).filter(|at| {
                let point = Point::new(at % 10, at / 10);
                display.get_pixel(point) == Some(BinaryColor::On)
            });
            assert_eq!(lit.count() as u32, width * height.min(1), "{width}×{height}");
        }
    }

    #[test]
    fn waves_lie_side_by_side() {
        for (width, height, cells) in [(320, 230, 8), (128, 58, 8), (96, 20, 2), (5, 5, 1), (1, 1, 1)] {
            let area = Rectangle::new(Point::new(2, 1), Size::new(width, height));
            let waves = Waves::fit(area);
            assert_eq!(waves.cells(), cells, "{width}×{height}");
            let all: std::vec::Vec<_> = (0..cells).map(|index| waves.cell(index)).collect();
            for (index, cell) in all.iter().enumerate() {
                assert!(!cell.is_zero_sized() && cell.intersection(&area) == *cell);
                assert!(all[..index].iter().all(|other| other.intersection(cell).is_zero_sized()));
            }
        }
    }
}
