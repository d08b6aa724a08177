//! Plots with named axes, in colours that colour-blind people can tell apart.
//!
//! A [`Chart`] is a value; [`draw`] puts some of them side by side on one white picture. Text is from a font that ships
//! with its licence (`trainer/assets`).

use anyhow::Result;
use image::RgbImage;

mod canvas;
mod draw;

use canvas::Canvas;

/// The colours of Okabe and Ito, "Color Universal Design" (2008).
pub const BLACK: Colour = [0, 0, 0];
/// Okabe and Ito's orange.
pub const ORANGE: Colour = [230, 159, 0];
/// Okabe and Ito's sky blue.
pub const SKY: Colour = [86, 180, 233];
/// Okabe and Ito's bluish green.
pub const GREEN: Colour = [0, 158, 115];
/// Okabe and Ito's blue.
pub const BLUE: Colour = [0, 114, 178];
/// Okabe and Ito's vermillion.
pub const RED: Colour = [213, 94, 0];
/// Okabe and Ito's reddish purple.
pub const PURPLE: Colour = [204, 121, 167];
/// For what stands behind.
pub const GREY: Colour = [150, 150, 150];

/// Red, green, blue.
pub type Colour = [u8; 3];
/// x and y.
pub type Point = [f64; 2];

/// One plot.
#[derive(Clone, Debug)]
pub struct Chart {
    title: String,
    x: Axis,
    y: Axis,
    series: Vec<Series>,
    legend: Corner,
    heat: Option<Heat>,
    lying: Option<Lying>,
}

#[derive(Clone, Debug)]
struct Axis {
    label: String,
    range: Option<[f64; 2]>,
    log: bool,
}

#[derive(Clone, Debug)]
struct Series {
    label: String,
    colour: Colour,
    points: Vec<Point>,
    mark: Mark,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mark {
    Line,
    Dashes,
    Dots(u32),
    Area,
    Bars,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Corner {
    UpperRight,
    UpperLeft,
    LowerRight,
}

/// Cells with a value each, row by row from the top.
#[derive(Clone, Debug)]
struct Heat {
    columns: Vec<String>,
    rows: Vec<String>,
    values: Vec<f64>,
    texts: Vec<String>,
}

/// Named bars that lie one above the other, from the bottom.
#[derive(Clone, Debug)]
struct Lying {
    names: Vec<String>,
    colour: Colour,
    values: Vec<f64>,
}

impl Chart {
    /// An empty plot. Labels of axes name the quantity and its unit, where it has one.
    pub fn new(title: impl Into<String>, x: impl Into<String>, y: impl Into<String>) -> Self {
        let axis = |label: String| Axis { label, range: None, log: false };
        Self {
            title: title.into(),
            x: axis(x.into()),
            y: axis(y.into()),
            series: Vec::new(),
            legend: Corner::UpperRight,
            heat: None,
            lying: None,
        }
    }

    /// A map of cells, rows from the top; darker is a larger value, `texts` stand in the cells.
    ///
    /// # Panics
    ///
    /// Unless there is a value and a text for each cell.
    pub fn heat(mut self, columns: Vec<String>, rows: Vec<String>, values: Vec<f64>, texts: Vec<String>) -> Self {
        assert!(values.len() == rows.len() * columns.len() && texts.len() == values.len(), "a value for each cell");
        self.x.range = Some([0.0, columns.len() as f64]);
        self.y.range = Some([0.0, rows.len() as f64]);
        self.heat = Some(Heat { columns, rows, values, texts });
        self
    }

    /// A bar for each name, from the bottom to the top.
    ///
    /// # Panics
    ///
    /// Unless there is a value for each name.
    pub fn lying(mut self, names: Vec<String>, colour: Colour, values: Vec<f64>) -> Self {
        assert_eq!(names.len(), values.len(), "a value for each bar");
        let longest = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
        self.x.range = Some([0.0, 1.05 * longest.max(1e-9)]);
        self.y.range = Some([0.0, names.len() as f64]);
        self.lying = Some(Lying { names, colour, values });
        self
    }

    /// Points joined by a line.
    pub fn line(self, label: &str, colour: Colour, points: impl IntoIterator<Item = Point>) -> Self {
        self.with(label, colour, points, Mark::Line)
    }

    /// Points joined by a dashed line.
    pub fn dashes(self, label: &str, colour: Colour, points: impl IntoIterator<Item = Point>) -> Self {
        self.with(label, colour, points, Mark::Dashes)
    }

    /// Discs of `radius` pixels.
    pub fn dots(self, label: &str, colour: Colour, radius: u32, points: impl IntoIterator<Item = Point>) -> Self {
        self.with(label, colour, points, Mark::Dots(radius))
    }

    /// The area between the points and y = 0.
    pub fn area(self, label: &str, colour: Colour, points: impl IntoIterator<Item = Point>) -> Self {
        self.with(label, colour, points, Mark::Area)
    }

    /// Bars from y = 0, as wide as x values are apart.
    pub fn bars(self, label: &str, colour: Colour, points: impl IntoIterator<Item = Point>) -> Self {
        self.with(label, colour, points, Mark::Bars)
    }

    /// What x values are shown.
    pub fn x_range(mut self, from: f64, to: f64) -> Self {
        self.x.range = Some([from, to]);
        self
    }

    /// What y values are shown.
    pub fn y_range(mut self, from: f64, to: f64) -> Self {
        self.y.range = Some([from, to]);
        self
    }

    /// A logarithmic x axis; only values above 0 are shown.
    pub fn log_x(mut self) -> Self {
        self.x.log = true;
        self
    }

    /// A logarithmic y axis; only values above 0 are shown.
    pub fn log_y(mut self) -> Self {
        self.y.log = true;
        self
    }

    /// Puts the legend into the upper left corner instead of the upper right.
    pub fn legend_left(mut self) -> Self {
        self.legend = Corner::UpperLeft;
        self
    }

    /// Puts the legend into the lower right corner.
    pub fn legend_below(mut self) -> Self {
        self.legend = Corner::LowerRight;
        self
    }

    fn with(mut self, label: &str, colour: Colour, points: impl IntoIterator<Item = Point>, mark: Mark) -> Self {
        self.series.push(Series { label: label.to_owned(), colour, points: points.into_iter().collect(), mark });
        self
    }
}

/// `f` at `count` places from `from` to `to`.
pub fn curve(from: f64, to: f64, count: usize, f: impl Fn(f64) -> f64) -> Vec<Point> {
    let step = (to - from) / (count - 1) as f64;
    (0..count).map(|index| from + step * index as f64).map(|x| [x, f(x)]).collect()
}

/// A histogram as a density: the middle of each of `bins` bins and the height of its bar.
pub fn histogram(values: &[f64], from: f64, to: f64, bins: usize) -> Vec<Point> {
    let width = (to - from) / bins as f64;
    let mut counts = vec![0usize; bins];
    for value in values.iter().filter(|value| (from..to).contains(*value)) {
        counts[(((value - from) / width) as usize).min(bins - 1)] += 1;
    }
    let density = |count: usize| count as f64 / (values.len().max(1) as f64 * width);
    counts.into_iter().enumerate().map(|(bin, count)| [from + width * (bin as f64 + 0.5), density(count)]).collect()
}

/// Draws `charts` in rows of `columns`, each of `size` = `[width, height]` pixels.
///
/// # Errors
///
/// If the picture has no pixels.
pub fn draw(charts: &[Chart], columns: usize, size: [u32; 2]) -> Result<RgbImage> {
    let columns = columns.min(charts.len()).max(1);
    let rows = charts.len().div_ceil(columns);
    let mut canvas = Canvas::new(size[0] * columns as u32, size[1] * rows as u32)?;
    for (index, chart) in charts.iter().enumerate() {
        let corner = [(index % columns) as f32 * size[0] as f32, (index / columns) as f32 * size[1] as f32];
        chart.draw(&mut canvas, corner, size.map(|side| side as f32));
    }
    Ok(canvas.picture())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_a_density() {
        let bars = histogram(&[0.1, 0.1, 0.6, 5.0], 0.0, 1.0, 2);
        assert_eq!(bars, [[0.25, 1.0], [0.75, 0.5]]);
    }

    #[test]
    fn a_plot_has_its_colours_and_no_others_outside() {
        let chart = Chart::new("a title", "x, units", "y").line("a line", BLUE, curve(0.0, 1.0, 5, |x| x)).dots(
            "dots",
            RED,
            4,
            [[0.5, 0.2]],
        );
        let picture = draw(&[chart.clone(), chart], 2, [400, 300]).unwrap();
        assert_eq!(picture.dimensions(), (800, 300));
        let count = |colour: Colour| picture.pixels().filter(|pixel| pixel.0 == colour).count();
        assert!(count(RED) > 50 && count(BLUE) > 100, "{} {}", count(RED), count(BLUE));
        assert_eq!(picture.get_pixel(0, 0).0, [255; 3]);
    }
}
