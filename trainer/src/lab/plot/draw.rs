//! How charts come onto a canvas: axes, ticks, series, legends.

use super::canvas::{Anchor, Canvas, text_width};
use super::{Axis, BLACK, Chart, Corner, Heat, Lying, Mark, Point, Series};

/// Heights of letters in pixels.
const TITLE: f32 = 22.0;
const LABEL: f32 = 19.0;
const TICK: f32 = 17.0;

/// Where a chart's values lie on the picture.
struct Frame {
    /// Left, top, right, bottom.
    edges: [f32; 4],
    x: [f64; 2],
    y: [f64; 2],
    log: [bool; 2],
}

impl Frame {
    /// The place of a point, or nothing where a logarithm has none.
    fn at(&self, point: &Point) -> Option<[f32; 2]> {
        let [x, y] = [0, 1].map(|axis| if self.log[axis] { point[axis].log10() } else { point[axis] });
        self.at_drawn(x, y)
    }

    /// The place of values as they are drawn, logarithms of a logarithmic axis.
    fn at_drawn(&self, x: f64, y: f64) -> Option<[f32; 2]> {
        let [left, top, right, bottom] = self.edges;
        let share = |value: f64, [from, to]: [f64; 2]| ((value - from) / (to - from)) as f32;
        // Far outside is as good as a little farther, and safe for what draws it.
        let place = [left + share(x, self.x) * (right - left), bottom - share(y, self.y) * (bottom - top)];
        (x.is_finite() && y.is_finite()).then(|| place.map(|value| value.clamp(-1e4, 2e4)))
    }
}

impl Chart {
    pub(super) fn draw(&self, canvas: &mut Canvas, [left, top]: [f32; 2], [width, height]: [f32; 2]) {
        let names = self.names().unwrap_or_else(|| {
            let (places, step) = ticks(self.range(1), self.y.log);
            places.into_iter().map(|value| tick(value, self.y.log, step)).collect()
        });
        let beside = names.iter().map(|name| text_width(name, TICK)).fold(24.0, f32::max) + 52.0;
        let frame = Frame {
            edges: [left + beside, top + 48.0, left + width - 20.0, top + height - 66.0],
            x: self.range(0),
            y: self.range(1),
            log: [self.x.log, self.y.log],
        };
        let [from_x, from_y, to_x, to_y] = frame.edges;
        let middle = 0.5 * (from_x + to_x);
        canvas.text(&self.title, TITLE, BLACK, [middle, top + 30.0], Anchor::Middle);
        canvas.text(&self.x.label, LABEL, BLACK, [middle, top + height - 16.0], Anchor::Middle);
        canvas.text(&self.y.label, LABEL, BLACK, [left + 24.0, 0.5 * (from_y + to_y)], Anchor::Upwards);
        self.ticks(canvas, &frame);
        canvas.clip(frame.edges);
        if let Some(heat) = &self.heat {
            heat.draw(canvas, &frame);
        }
        if let Some(lying) = &self.lying {
            lying.draw(canvas, &frame);
        }
        self.series.iter().for_each(|series| series.draw(canvas, &frame));
        canvas.mask = None;
        canvas.line(&[[from_x, from_y], [from_x, to_y], [to_x, to_y]], [90; 3], 1.5, false);
        self.legend(canvas, &frame);
    }

    /// Numbers or names beside the axes, and lines across.
    fn ticks(&self, canvas: &mut Canvas, frame: &Frame) {
        let [left, top, right, bottom] = frame.edges;
        let named = [self.heat.as_ref().map(|heat| heat.columns.clone()), self.names()];
        for axis in 0..2 {
            if let Some(names) = &named[axis] {
                for (index, name) in names.iter().enumerate() {
                    let at = index as f64 + 0.5;
                    let Some([x, y]) = frame.at_drawn(at, at) else { continue };
                    let (place, anchor) =
                        [([x, bottom + 24.0], Anchor::Middle), ([left - 10.0, y + 6.0], Anchor::End)][axis];
                    canvas.text(name, TICK, BLACK, place, anchor);
                }
                continue;
            }
            let range = [frame.x, frame.y][axis];
            let (places, step) = ticks(range, frame.log[axis]);
            for value in places {
                let Some([x, y]) = frame.at_drawn(value, value) else { continue };
                let text = tick(value, frame.log[axis], step);
                let (across, place, anchor) = [
                    ([[x, top], [x, bottom]], [x, bottom + 24.0], Anchor::Middle),
                    ([[left, y], [right, y]], [left - 10.0, y + 6.0], Anchor::End),
                ][axis];
                canvas.line(&across, [225; 3], 1.0, false);
                canvas.text(&text, TICK, BLACK, place, anchor);
            }
        }
    }

    /// Names along the y axis, from the bottom.
    fn names(&self) -> Option<Vec<String>> {
        let of_heat = self.heat.as_ref().map(|heat| heat.rows.iter().rev().cloned().collect());
        of_heat.or_else(|| self.lying.as_ref().map(|lying| lying.names.clone()))
    }

    fn legend(&self, canvas: &mut Canvas, frame: &Frame) {
        const LINE: f32 = 25.0;
        let named: Vec<&Series> = self.series.iter().filter(|series| !series.label.is_empty()).collect();
        if named.is_empty() {
            return;
        }
        let width = named.iter().map(|series| text_width(&series.label, TICK)).fold(0.0, f32::max) + 58.0;
        let height = LINE * named.len() as f32 + 10.0;
        let [left, top, right, bottom] = frame.edges;
        let (x, y) = match self.legend {
            Corner::UpperRight => (right - width - 8.0, top + 8.0),
            Corner::UpperLeft => (left + 10.0, top + 8.0),
            Corner::LowerRight => (right - width - 8.0, bottom - height - 10.0),
        };
        let corners = [[x, y], [x + width, y], [x + width, y + height], [x, y + height], [x, y]];
        canvas.fill(&corners, [255; 3], 0.85);
        canvas.line(&corners, [200; 3], 1.0, false);
        for (index, series) in named.into_iter().enumerate() {
            let middle = y + 5.0 + LINE * (index as f32 + 0.5);
            let [from, to] = [x + 10.0, x + 40.0];
            match series.mark {
                Mark::Line => canvas.line(&[[from, middle], [to, middle]], series.colour, 2.5, false),
                Mark::Dashes => canvas.line(&[[from, middle], [to, middle]], series.colour, 2.5, true),
                Mark::Dots(_) => canvas.dots(&[[0.5 * (from + to), middle]], series.colour, 6.0),
                Mark::Area | Mark::Bars => {
                    let [above, below] = [middle - 7.0, middle + 7.0];
                    canvas.fill(&[[from, above], [to, above], [to, below], [from, below]], series.colour, 0.55);
                }
            }
            canvas.text(&series.label, TICK, BLACK, [to + 8.0, middle + 6.0], Anchor::Start);
        }
    }

    /// What an axis shows, as it is drawn: powers of ten for a logarithmic one.
    fn range(&self, axis: usize) -> [f64; 2] {
        let Axis { range, log, .. } = [&self.x, &self.y][axis];
        let shown = |value: f64| if *log { value.log10() } else { value };
        if let Some(range) = range {
            return range.map(shown);
        }
        let mut values: Vec<f64> =
            self.series.iter().flat_map(|series| series.points.iter().map(|point| shown(point[axis]))).collect();
        values.retain(|value| value.is_finite());
        let zero = axis == 1 && self.series.iter().any(|series| matches!(series.mark, Mark::Area | Mark::Bars));
        let (mut low, mut high) =
            values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if zero {
            low = low.min(0.0);
        }
        let margin = if high > low { (high - low) * [0.02, 0.06][axis] } else { 0.5 };
        [if zero && low == 0.0 { 0.0 } else { low - margin }, high + margin]
    }
}

impl Series {
    fn draw(&self, canvas: &mut Canvas, frame: &Frame) {
        let points: Vec<[f32; 2]> = self.points.iter().filter_map(|point| frame.at(point)).collect();
        let base = frame.at_drawn(frame.x[0], if frame.log[1] { frame.y[0] } else { 0.0 }).map_or(0.0, |[_, y]| y);
        match self.mark {
            Mark::Line => canvas.line(&points, self.colour, 2.5, false),
            Mark::Dashes => canvas.line(&points, self.colour, 2.5, true),
            Mark::Dots(radius) => canvas.dots(&points, self.colour, radius as f32),
            Mark::Area => {
                if let (Some(first), Some(last)) = (points.first(), points.last()) {
                    let ends = [[last[0], base], [first[0], base]];
                    canvas.fill(&[&points[..], &ends].concat(), self.colour, 0.25);
                }
                canvas.line(&points, self.colour, 2.0, false);
            }
            Mark::Bars => {
                let between = points.windows(2).map(|pair| pair[1][0] - pair[0][0]).fold(f32::INFINITY, f32::min);
                let half = if between.is_finite() { 0.46 * between } else { 20.0 };
                for [x, y] in points {
                    let bar = [[x - half, base], [x - half, y], [x + half, y], [x + half, base]];
                    canvas.fill(&bar, self.colour, 0.6);
                }
            }
        }
    }
}

impl Heat {
    fn draw(&self, canvas: &mut Canvas, frame: &Frame) {
        let (low, high) =
            self.values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
        for (index, (value, text)) in self.values.iter().zip(&self.texts).enumerate() {
            let (column, row) = (index % self.columns.len(), self.rows.len() - 1 - index / self.columns.len());
            let corners = [(0, 0), (1, 0), (1, 1), (0, 1)];
            let place = |(x, y): (usize, usize)| frame.at_drawn((column + x) as f64, (row + y) as f64);
            let corners: Vec<[f32; 2]> = corners.into_iter().filter_map(place).collect();
            let share = if high > low { (value - low) / (high - low) } else { 0.0 };
            // From almost white to Okabe and Ito's blue.
            let colour = [(245, 0), (248, 114), (252, 178)]
                .map(|(from, to)| (f64::from(from) + share * (f64::from(to) - f64::from(from))) as u8);
            canvas.fill(&corners, colour, 1.0);
            let ink = if share > 0.55 { [255; 3] } else { BLACK };
            let [x, y] = [0, 1].map(|axis| 0.5 * (corners[0][axis] + corners[2][axis]));
            let lines: Vec<&str> = text.lines().collect();
            for (line, text) in lines.iter().enumerate() {
                let down = 6.0 + 26.0 * (line as f32 - 0.5 * (lines.len() - 1) as f32);
                canvas.text(text, TICK, ink, [x, y + down], Anchor::Middle);
            }
        }
    }
}

impl Lying {
    fn draw(&self, canvas: &mut Canvas, frame: &Frame) {
        for (at, &to) in self.values.iter().enumerate() {
            let at = at as f64;
            let corners = [(0.0, at + 0.15), (to, at + 0.15), (to, at + 0.85), (0.0, at + 0.85)];
            let corners: Vec<[f32; 2]> = corners.into_iter().filter_map(|(x, y)| frame.at_drawn(x, y)).collect();
            canvas.fill(&corners, self.colour, 1.0);
        }
    }
}

/// Where the ticks of an axis lie, as drawn, and how far apart.
fn ticks([from, to]: [f64; 2], log: bool) -> (Vec<f64>, f64) {
    if log && to - from > 2.0 {
        let every = ((to - from) / 7.0).ceil().max(1.0);
        let decades = (from.ceil() as i32..=to.floor() as i32).map(f64::from);
        return (decades.filter(|decade| decade.rem_euclid(every) == 0.0).collect(), every);
    }
    if log {
        let first = 10f64.powf(from.floor());
        let places = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0].map(|factor| (factor * first).log10());
        return (places.into_iter().filter(|place| (from..=to).contains(place)).collect(), 1.0);
    }
    let rough = (to - from) / 7.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    let (first, last) = ((from / step - 1e-9).ceil() as i64, (to / step + 1e-9).floor() as i64);
    ((first..=last).map(|index| index as f64 * step).collect(), step)
}

/// A number under an axis.
fn tick(value: f64, log: bool, step: f64) -> String {
    if !log {
        let decimals = (-step.abs().max(1e-9).log10()).ceil().clamp(0.0, 6.0) as usize;
        let text = format!("{value:.decimals$}");
        // Rounding may leave "-0.0".
        let text = if text.trim_start_matches(['-', '0', '.']).is_empty() { text.replace('-', "") } else { text };
        return text.replace('-', "−");
    }
    if (value - value.round()).abs() > 1e-6 {
        let number = 10f64.powf(value);
        return match number {
            0.01..1.0 => format!("{number:.2}"),
            1.0..1e4 => format!("{number:.0}"),
            _ => format!("{number:.0e}"),
        };
    }
    match value.round() as i32 {
        power @ 0..=3 => 10f64.powi(power).to_string(),
        power @ -2..0 => format!("{}", 10f64.powi(power)),
        power => format!("10{}", power.to_string().chars().map(raised).collect::<String>()),
    }
}

fn raised(digit: char) -> char {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    digit.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short() {
        assert_eq!(tick(-0.0001, false, 0.1), "0.0");
        assert_eq!(tick(-1.5, false, 0.5), "−1.5");
        assert_eq!(tick(2000.0, false, 100.0), "2000");
        assert_eq!([20f64, 0.5].map(|number| tick(number.log10(), true, 1.0)), ["20", "0.50"]);
        assert_eq!([2.0, 0.0, -1.0, 4.0, -3.0].map(|power| tick(power, true, 1.0)), ["100", "1", "0.1", "10⁴", "10⁻³"]);
    }

    #[test]
    fn ticks_lie_in_the_range() {
        let (places, step) = ticks([-0.1, 2.05], false);
        assert_eq!(step, 0.5);
        assert_eq!(places, [0.0, 0.5, 1.0, 1.5, 2.0]);
        assert_eq!(ticks([-2.3, 1.1], true).0, [-2.0, -1.0, 0.0, 1.0]);
        assert_eq!(ticks([1.3, 2.0], true).0.len(), 3, "20, 50 and 100");
    }
}
