//! Curves as SVG, in colours that a style sheet gives to the classes `c0`, `c1` …

use std::fmt::Write as _;

use crate::markup::escape;

/// Width and height of a chart in units of its own, small ones: on a narrow screen its text is still readable.
const SIZE: [f64; 2] = [400.0, 230.0];
/// Left, top, right and bottom edge of the area with the curves.
const AREA: [f64; 4] = [58.0, 24.0, 390.0, 190.0];
/// Parts that a curve is cut into; each is drawn from its least to its largest value, so that no spike is lost.
const PARTS: usize = 300;
/// The running mean is that of the last values, this share of a curve.
const WINDOW: f64 = 1.0 / 60.0;
/// Share of values at either end that the axis need not reach: a few spikes would flatten all the rest.
const OUTLIERS: f64 = 0.01;

/// Curves that are compared.
pub(super) struct Chart<'a> {
    pub(super) title: String,
    /// What the vertical axis measures.
    pub(super) axis: String,
    /// With at least one point in all.
    pub(super) lines: Vec<Line<'a>>,
    pub(super) drawn: Drawn,
}

/// One of them.
pub(super) struct Line<'a> {
    /// As the legend has it.
    pub(super) name: String,
    /// The colour, a number below 8.
    pub(super) colour: usize,
    /// Steps and values.
    pub(super) points: &'a [(u64, f64)],
}

/// What is drawn of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drawn {
    /// Values without noise, such as learning rates, of which a mean would be wrong.
    Exact,
    /// The running mean, and every value behind it.
    All,
    /// The running mean alone, where many curves would hide each other.
    Mean,
}

/// Adds the chart, with its legend.
pub(super) fn figure(html: &mut String, chart: &Chart<'_>) {
    let Chart { title, axis, lines: of, drawn } = chart;
    let window = if *drawn == Drawn::Exact { 0.0 } else { WINDOW };
    let curves: Vec<Curve> = of.iter().map(|line| thin(line.points, window)).collect();
    let [bottom, top] = range(match drawn {
        Drawn::Mean => curves.iter().flat_map(|curve| curve.smooth.iter().map(|&(_, value)| value)).collect(),
        _ => of.iter().flat_map(|line| line.points.iter().map(|&(_, value)| value)).collect(),
    });
    let steps = || of.iter().flat_map(|line| line.points.iter().map(|&(step, _)| step as f64));
    let [first, last] = [steps().fold(f64::INFINITY, f64::min), steps().fold(f64::NEG_INFINITY, f64::max)];
    let last = if last > first { last } else { first + 1.0 };
    let x = |step: f64| AREA[0] + (step - first) / (last - first) * (AREA[2] - AREA[0]);
    let y = |value: f64| AREA[3] - (value - bottom) / (top - bottom) * (AREA[3] - AREA[1]);

    let _ = write!(html, "<figure>\n<figcaption>{}</figcaption>\n<ul class=\"legend\">", escape(title));
    // The name of a single curve is at the axis, unless it is that of a run.
    for Line { name, colour, .. } in of.iter().filter(|_| of.len() > 1 || *drawn == Drawn::Mean) {
        let _ = write!(html, "<li>{} {}</li>", swatch(*colour), escape(name));
    }
    let id = title.to_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    let _ = writeln!(
        html,
        "</ul>\n<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}, over the steps\">\n\
         <clipPath id=\"area-{id}\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/></clipPath>",
        SIZE[0],
        SIZE[1],
        escape(title),
        AREA[0],
        AREA[1],
        AREA[2] - AREA[0],
        AREA[3] - AREA[1]
    );
    let (lines, width) = ticks(bottom, top);
    for value in lines {
        let at = y(value);
        let _ = writeln!(
            html,
            "<line class=\"rule\" x1=\"{}\" y1=\"{at:.1}\" x2=\"{}\" y2=\"{at:.1}\"/>\
             <text x=\"{}\" y=\"{:.1}\" class=\"end\">{}</text>",
            AREA[0],
            AREA[2],
            AREA[0] - 5.0,
            at + 4.0,
            label(value, width)
        );
    }
    let (lines, width) = ticks(first, last);
    for step in lines {
        let at = x(step);
        // A number at the very edge would be cut there.
        let anchor = if at > AREA[2] - 15.0 { "end" } else { "middle" };
        let _ = writeln!(
            html,
            "<line class=\"rule\" x1=\"{at:.1}\" y1=\"{}\" x2=\"{at:.1}\" y2=\"{}\"/>\
             <text x=\"{at:.1}\" y=\"{}\" class=\"{anchor}\">{}</text>",
            AREA[1],
            AREA[3],
            AREA[3] + 15.0,
            label(step, width)
        );
    }
    let _ = writeln!(
        html,
        "<text x=\"4\" y=\"13\">{}</text>\
         <text x=\"{}\" y=\"{}\" class=\"middle\">step</text>\n<g clip-path=\"url(#area-{id})\">",
        escape(axis),
        (AREA[0] + AREA[2]) / 2.0,
        SIZE[1] - 7.0
    );
    for (Line { colour, .. }, Curve { raw, smooth }) in of.iter().zip(curves) {
        let raw = Some(("raw", raw)).filter(|_| *drawn != Drawn::Mean);
        for (class, points) in raw.into_iter().chain([("smooth", smooth)]) {
            let at = points.iter().map(|&(step, value)| {
                // Far outside is far outside: short numbers.
                let value = value.clamp(bottom - (top - bottom), top + (top - bottom));
                format!("{:.1},{:.1}", x(step), y(value))
            });
            let _ = writeln!(
                html,
                "<polyline class=\"{class} c{colour}\" points=\"{}\"/>",
                at.collect::<Vec<_>>().join(" ")
            );
        }
    }
    *html += "</g>\n</svg>\n</figure>\n";
}

/// A stroke in a curve's colour, for legends.
pub(super) fn swatch(colour: usize) -> String {
    format!(
        "<svg class=\"swatch\" viewBox=\"0 0 28 8\" aria-hidden=\"true\">\
         <line class=\"c{colour}\" x1=\"0\" y1=\"4\" x2=\"28\" y2=\"4\"/></svg>"
    )
}

/// Least and largest value of an axis, different ones, for all but [`OUTLIERS`] of the values.
fn range(mut values: Vec<f64>) -> [f64; 2] {
    values.sort_by(f64::total_cmp);
    let end = values.len().saturating_sub(1) as f64;
    let at = |index: f64| values.get(index as usize).copied().unwrap_or(0.0);
    let [low, high] = [at((OUTLIERS * end).floor()), at(((1.0 - OUTLIERS) * end).ceil())];
    let margin = if high > low { 0.05 * (high - low) } else { (0.1 * low.abs()).max(1e-6) };
    [low - margin, high + margin]
}

/// What is drawn of one series.
struct Curve {
    /// At most two points for each of [`PARTS`]: the least value and the largest.
    raw: Vec<(f64, f64)>,
    /// The mean of the last values at the end of each part, of a share `window` of the curve.
    smooth: Vec<(f64, f64)>,
}

fn thin(points: &[(u64, f64)], window: f64) -> Curve {
    let mut curve = Curve { raw: Vec::new(), smooth: Vec::new() };
    let count = ((points.len() as f64 * window) as usize).max(1);
    let mut done = 0;
    for part in points.chunks(points.len().div_ceil(PARTS).max(1)) {
        done += part.len();
        // Added up anew each time, it forgets large values wholly, which a sum that runs along or decays does not.
        let recent = &points[done.saturating_sub(count)..done];
        let mean = recent.iter().map(|(_, value)| value).sum::<f64>() / recent.len() as f64;
        let of = |choose: fn(f64, f64) -> f64| part.iter().map(|&(_, value)| value).reduce(choose).unwrap_or(0.0);
        let (least, largest) = (of(f64::min), of(f64::max));
        let end = part[part.len() - 1].0 as f64;
        curve.raw.push(((part[0].0 as f64 + end) / 2.0, least));
        if largest > least {
            curve.raw.push(((part[0].0 as f64 + end) / 2.0, largest));
        }
        curve.smooth.push((end, mean));
    }
    curve
}

/// Three to seven round values between `low` and `high`, which differ, and how far apart they are: 1, 2 or 5 times a
/// power of ten.
fn ticks(low: f64, high: f64) -> (Vec<f64>, f64) {
    let rough = (high - low) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let width = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|width| *width >= rough);
    let width = width.unwrap_or(10.0 * power);
    let count = |value: f64| value / width;
    let range = (count(low) - 1e-9).ceil() as i64..=(count(high) + 1e-9).floor() as i64;
    (range.map(|index| index as f64 * width).collect(), width)
}

/// A value with the decimals that tell it from others `width` away; very large and very small ones as powers of ten.
fn label(value: f64, width: f64) -> String {
    let decimals = (-width.log10().floor()).max(0.0) as usize;
    if value != 0.0 && (decimals > 4 || value.abs() >= 1e6) {
        format!("{value:.1e}")
    } else {
        format!("{value:.decimals$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let labels = |low, high| {
            let (values, width) = ticks(low, high);
            values.into_iter().map(|value| label(value, width)).collect::<Vec<_>>()
        };
        assert_eq!(labels(0.0, 9000.0), ["0", "2000", "4000", "6000", "8000"]);
        assert_eq!(labels(-0.13, 0.31), ["-0.1", "0.0", "0.1", "0.2", "0.3"]);
        assert_eq!(labels(0.0, 0.001), ["0.0000", "0.0002", "0.0004", "0.0006", "0.0008", "0.0010"]);
        assert_eq!(labels(0.0, 4e6), ["0", "1.0e6", "2.0e6", "3.0e6", "4.0e6"]);
    }

    #[test]
    fn a_long_curve_is_thin_and_keeps_its_spikes() {
        let points: Vec<(u64, f64)> = (0..10_000).map(|step| (step, if step == 777 { 50.0 } else { 1.0 })).collect();
        let Curve { raw, smooth } = thin(&points, WINDOW);
        assert!(raw.len() <= 2 * PARTS && smooth.len() <= PARTS, "{} and {}", raw.len(), smooth.len());
        assert_eq!(raw.iter().filter(|(_, value)| *value == 50.0).count(), 1);
        assert_eq!(smooth[0].1, 1.0, "the mean does not start at zero");
        assert!(range(points.iter().map(|point| point.1).collect())[1] < 2.0, "one spike does not flatten the rest");
        assert_eq!(smooth.iter().filter(|(_, value)| *value != 1.0).count(), 5, "166 values are 5 parts of 34");
    }

    #[test]
    fn a_short_curve_is_itself() {
        let points = [(1, 3.0), (2, -1.0), (3, 2.0)];
        let Curve { raw, smooth } = thin(&points, WINDOW);
        assert_eq!((&raw, &smooth), (&vec![(1.0, 3.0), (2.0, -1.0), (3.0, 2.0)], &raw));
        let ramp: Vec<(u64, f64)> = (0..6_000).map(|step| (step, step as f64)).collect();
        let ends = |window| thin(&ramp, window).smooth[PARTS / 2];
        assert_eq!(ends(0.0), (3_019.0, 3_019.0), "without a window");
        assert!(ends(WINDOW).1 < 3_000.0, "a mean lags");
        let [low, high] = range(vec![3.0, -1.0, 2.0]);
        assert!(low < -1.0 && high > 3.0);
    }
}
