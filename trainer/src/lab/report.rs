//! What an experiment hands in: figures beside what they must be, and pictures.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use image::RgbImage;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

use super::Options;
use super::plot::{self, Chart};
use crate::{images, stderr};

/// Seconds between lines of progress where there is no terminal.
const LINE_SECONDS: u64 = 10;

/// What a figure must come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expected {
    /// A value, up to so much.
    Near(f64, f64),
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
    /// Anything from the first to the second.
    Between(f64, f64),
}

/// A measured figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured, with its unit.
    pub what: String,
    /// What was found; not a number where that is what was found.
    pub found: Option<f64>,
    /// What it must be, in words; nothing where it is only shown.
    pub expected: Option<String>,
    /// Whether it is so.
    pub holds: Option<bool>,
}

/// A picture or film in the experiment's folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// The file's name.
    pub file: String,
    /// What it shows.
    pub caption: String,
    /// Width and height in pixels.
    pub size: [u32; 2],
}

/// Collects them while the experiment runs.
#[derive(Debug)]
pub struct Report {
    options: Options,
    name: &'static str,
    figures: Vec<Figure>,
    pictures: Vec<Picture>,
    start: Instant,
    last: Instant,
    bar: Option<ProgressBar>,
}

impl Expected {
    fn holds(self, found: f64) -> bool {
        match self {
            Self::Near(value, within) => (found - value).abs() <= within,
            Self::AtMost(bound) => found <= bound,
            Self::AtLeast(bound) => found >= bound,
            Self::Between(from, to) => (from..=to).contains(&found),
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Near(value, within) => write!(f, "{} ± {}", number(value), number(within)),
            Self::AtMost(bound) => write!(f, "≤ {}", number(bound)),
            Self::AtLeast(bound) => write!(f, "≥ {}", number(bound)),
            Self::Between(from, to) => write!(f, "{} … {}", number(from), number(to)),
        }
    }
}

/// A number with four digits that count.
pub fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    if !(-3..=8).contains(&digits) {
        return format!("{value:.3e}").replace('-', "−");
    }
    let text = format!("{value:.*}", digits.max(0) as usize);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    text.replace('-', "−")
}

impl Report {
    pub(super) fn new(name: &'static str, options: &Options) -> Self {
        let bar = (!options.quiet && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{prefix} {bar:30} {percent} % {elapsed} + {eta}")
                .expect("the template is a constant");
            ProgressBar::new(1000).with_style(style).with_prefix(name)
        });
        let now = Instant::now();
        Self { options: options.clone(), name, figures: Vec::new(), pictures: Vec::new(), start: now, last: now, bar }
    }

    /// Says that the part `done` of `all` the work is behind it.
    pub fn progress(&mut self, done: u64, all: u64) {
        let share = done as f64 / all.max(1) as f64;
        if let Some(bar) = &self.bar {
            bar.set_position((1000.0 * share) as u64);
        } else if !self.options.quiet && self.last.elapsed() >= Duration::from_secs(LINE_SECONDS) && share > 0.0 {
            self.last = Instant::now();
            let left = self.start.elapsed().as_secs_f64() * (1.0 - share) / share;
            stderr::line(&format!("{}: {:.0} % · {left:.0} s left", self.name, 100.0 * share));
        }
    }

    /// A figure that must be as `expected`. What is not a number is never as expected.
    pub fn check(&mut self, what: impl Into<String>, found: f64, expected: Expected) {
        self.figures.push(Figure {
            what: what.into(),
            found: found.is_finite().then_some(found),
            expected: Some(expected.to_string()),
            holds: Some(expected.holds(found)),
        });
    }

    /// A figure that is only shown.
    pub fn show(&mut self, what: impl Into<String>, found: f64) {
        let found = found.is_finite().then_some(found);
        self.figures.push(Figure { what: what.into(), found, expected: None, holds: None });
    }

    /// Draws `charts` in rows of `columns`, each of `size` = `[width, height]`, into the PNG `file`.
    ///
    /// # Errors
    ///
    /// If it cannot be drawn or written.
    pub fn plot(&mut self, file: &str, caption: &str, charts: &[Chart], columns: usize, size: [u32; 2]) -> Result<()> {
        let picture = plot::draw(charts, columns, size)?;
        let path = self.options.folder.join(file);
        crate::files::replace(&path, |temporary| Ok(picture.save(temporary)?))?;
        self.picture(file, caption, &picture);
        Ok(())
    }

    /// Writes the GIF `file` of `frames`, each shown for `delay` milliseconds.
    ///
    /// # Errors
    ///
    /// If there are none or it cannot be written.
    pub fn film(&mut self, file: &str, caption: &str, frames: Vec<RgbImage>, delay: u32) -> Result<()> {
        let Some(first) = frames.first().cloned() else { anyhow::bail!("expected frames for {file}, found none") };
        let shape = [first.height() as usize, first.width() as usize, 3];
        let pixels: Vec<Vec<u8>> = frames.into_iter().map(RgbImage::into_raw).collect();
        images::save_gif(&self.options.folder.join(file), &pixels, shape, delay)?;
        self.picture(file, caption, &first);
        Ok(())
    }

    fn picture(&mut self, file: &str, caption: &str, picture: &RgbImage) {
        let size = [picture.width(), picture.height()];
        self.pictures.push(Picture { file: file.to_owned(), caption: caption.to_owned(), size });
    }

    pub(super) fn finish(self) -> (Vec<Figure>, Vec<Picture>) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        (self.figures, self.pictures)
    }
}
