//! `report.html` of a run folder: how a run went, at a glance, in one file that needs no other.
//!
//! It is made from the other files of the folder alone and has no state, so that it is whole after a run that was
//! killed and resumed.

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result};
use serde::Deserialize as _;
use serde::de::value::{Error, StrDeserializer};

use super::Outcome;
use super::session::{METRICS, SAMPLES};
use crate::closeup::{Found, find};
use crate::data::plane::Plane;
use crate::files::{self, quoted};
use crate::markup::{escape, png_address};
use crate::recipe::Recipe;
use crate::run::{GENERATOR, JUDGE, RECIPE};
use crate::systems::{JUDGES, translates};

mod chart;
mod closeup;
mod compare;
mod metrics;

use chart::{Chart, Drawn, Line};
pub use compare::{Compared, Comparison, compare, written};
use metrics::{Metrics, RECENT, Series};

/// Name of the report in a run folder.
pub const REPORT: &str = "report.html";
/// Sample sheets in a report, at most.
const SHEETS: usize = 40;
/// Bytes of them together, at most; large sheets are fewer.
const SHEET_BYTES: u64 = 12_000_000;
/// Title of the chart of learning rates.
const RATES: &str = "Learning rates";

/// Writes the report of the run folder `folder`, of the files that are there so far. `device` is what computes, a name
/// of [`DEVICES`](crate::device::DEVICES).
///
/// # Errors
///
/// If the recipe, the metrics or a sample sheet cannot be read, or the report cannot be written.
pub fn write(folder: &Path, device: &str) -> Result<()> {
    let path = folder.join(RECIPE);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read the recipe {}", path.display()))?;
    let metrics = Metrics::read(&folder.join(METRICS))?;
    let report = Report {
        folder,
        device,
        recipe: Recipe::load(&path)?,
        text,
        trained: [GENERATOR, JUDGE].iter().any(|weights| folder.join(weights).is_file()),
        // One of steps that a killed run had done and will do again is of weights that are gone.
        closeup: find(folder)?.filter(|found| found.closeup.step <= metrics.last),
        metrics,
    };
    let sheets = sheets(&folder.join(SAMPLES), report.metrics.last)?;
    files::replace_bytes(&folder.join(REPORT), report.page(&sheets).as_bytes())
}

/// A sample sheet: the step after which it was drawn, and the file's bytes.
type Sheet = (u64, Vec<u8>);

/// The sheets of a folder up to a step, in their order, thinned out evenly with the first and the last among them.
fn sheets(folder: &Path, last: u64) -> Result<Vec<Sheet>> {
    let found = list_sheets(folder, last)?;
    let mean = found.iter().map(|(_, _, bytes)| bytes).sum::<u64>() / found.len().max(1) as u64;
    let count = found.len().min(SHEETS).min((SHEET_BYTES / mean.max(1)).max(2) as usize);
    (0..count).map(|index| read_sheet(&found[index * (found.len() - 1) / (count - 1).max(1)])).collect()
}

/// The last of them.
fn newest_sheet(folder: &Path, last: u64) -> Result<Option<Sheet>> {
    list_sheets(folder, last)?.last().map(read_sheet).transpose()
}

fn read_sheet((step, path, _): &(u64, PathBuf, u64)) -> Result<Sheet> {
    Ok((*step, fs::read(path).with_context(|| format!("cannot read {}", path.display()))?))
}

/// Steps, paths and bytes of a folder's sheets up to a step, in their order. Later ones are of steps that a killed run had
/// done and will do again.
fn list_sheets(folder: &Path, last: u64) -> Result<Vec<(u64, PathBuf, u64)>> {
    let cannot = || format!("cannot read {}", folder.display());
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(cannot)?,
    };
    let mut found: Vec<(u64, PathBuf, u64)> = Vec::new();
    for entry in entries {
        let entry = entry.with_context(cannot)?;
        let name = entry.file_name();
        let step = name.to_str().and_then(|name| name.strip_prefix("step-")?.strip_suffix(".png")?.parse().ok());
        if let Some(step) = step.filter(|step| *step <= last) {
            found.push((step, entry.path(), entry.metadata().with_context(cannot)?.len()));
        }
    }
    found.sort();
    Ok(found)
}

struct Report<'a> {
    folder: &'a Path,
    device: &'a str,
    recipe: Recipe,
    /// The recipe as it stands in the folder.
    text: String,
    metrics: Metrics,
    /// Whether there are weights yet.
    trained: bool,
    closeup: Option<Found>,
}

impl Report<'_> {
    fn page(&self, sheets: &[Sheet]) -> String {
        let Recipe { system, data, train, seed, .. } = &self.recipe;
        let whole = fs::canonicalize(self.folder).unwrap_or_else(|_| self.folder.to_owned());
        let name = escape(&whole.file_name().unwrap_or(whole.as_os_str()).to_string_lossy());
        let (last, steps) = (self.metrics.last, train.steps);
        let mut html = head(&name);
        let _ = write!(
            html,
            "<h1>{name}</h1>\n\
             <p>{} on {}, {}, batches of {}, seed {seed}</p>\n\
             <p><progress max=\"{}\" value=\"{last}\"></progress> step {last} of {steps}</p>\n</header>\n<main>\n",
            escape(system),
            escape(&data.name),
            match data.channels {
                _ if Plane::chosen(data).is_some() => "points of the plane".to_owned(),
                1 => format!("{} grey", data.size),
                channels => format!("{}, {channels} channels", data.size),
            },
            train.batch,
            steps.max(1)
        );
        self.signs(&mut html);
        show(&mut html, sheets);
        self.closer(&mut html);
        self.curves(&mut html);
        self.next(&mut html);
        let _ = writeln!(
            html,
            "<section>\n<h2>Recipe</h2>\n<details>\n<summary>{RECIPE}, with all defaults written out</summary>\n\
             <pre>{}</pre>\n</details>\n</section>\n\
             </main>\n<footer>Made by edgegen {} on {}, device {}.</footer>",
            escape(&self.text),
            env!("CARGO_PKG_VERSION"),
            escape(&machine()),
            escape(self.device)
        );
        if !sheets.is_empty() {
            let _ = write!(html, "<script>\n{}</script>\n", include_str!("report/page.js"));
        }
        html += "</body>\n</html>\n";
        html
    }

    /// What went wrong, with what to try.
    fn signs(&self, html: &mut String) {
        if self.metrics.signs.is_empty() {
            return;
        }
        *html += "<section class=\"bad\">\n<h2>Signs of failure</h2>\n<ul>\n";
        for sign in &self.metrics.signs {
            let _ = writeln!(html, "<li>{}</li>", escape(&sign_text(sign, &self.recipe)));
        }
        *html += "</ul>\n</section>\n";
    }

    /// Nearest neighbours and int8, or what there is in their place.
    fn closer(&self, html: &mut String) {
        let instead = match &self.closeup {
            Some(found) => return closeup::show(html, found, self.metrics.last),
            None if self.recipe.system == "judge" => {
                "A judge draws nothing: that it learns, its curves show; that it is right, <code>edgegen eval</code> says \
                 of test images."
            }
            None if Plane::chosen(&self.recipe.data).is_some() => {
                "Points of the plane have no nearest picture: the samples lie over real points, and <code>edgegen \
                 eval</code> counts the modes that they reach, in float and in int8."
            }
            None => return,
        };
        let _ = writeln!(html, "<section>\n<h2>A closer look</h2>\n<p>{instead}</p>\n</section>");
    }

    fn curves(&self, html: &mut String) {
        *html += "<section>\n<h2>Curves</h2>\n";
        if self.metrics.series.is_empty() {
            *html += "<p>No step has been written down yet.</p>\n</section>\n";
            return;
        }
        *html += "<p class=\"soft\">Thick: mean of the last values, a sixtieth of the run. Thin: every value; the \
                  axis leaves out the outermost hundredth at either end, the table has it.</p>\n<div class=\"charts\">\n";
        for chart in charts(&self.metrics.series) {
            chart::figure(html, &chart);
        }
        let _ = writeln!(
            html,
            "</div>\n<details>\n<summary>Values</summary>\n<div class=\"wide\"><table>\n<tr><th>name</th><th>last</th>\
             <th>mean of the last {RECENT} steps</th><th>least</th><th>largest</th></tr>"
        );
        for series in &self.metrics.series {
            let values = || series.points.iter().map(|&(_, value)| value);
            let ends = [values().reduce(f64::min), values().reduce(f64::max)];
            let cells = [values().next_back(), Some(series.recent())].into_iter().chain(ends);
            let cells = cells.flatten().map(|value| format!("<td>{}</td>", short(value)));
            let _ = writeln!(html, "<tr><th>{}</th>{}</tr>", escape(&series.name), cells.collect::<String>());
        }
        *html += "</table></div>\n</details>\n</section>\n";
    }

    /// What to type next.
    fn next(&self, html: &mut String) {
        let out = quoted(self.folder);
        let mut lines = Vec::new();
        if self.metrics.last < self.recipe.train.steps {
            let recipe = quoted(&self.folder.join(RECIPE));
            lines.push((format!("edgegen train {recipe} --out {out} --resume"), "if it has stopped: go on"));
        }
        if self.trained && JUDGES.contains(&&*self.recipe.system) {
            lines.push((format!("edgegen eval RUN --judge {out}"), "measure another run with this judge"));
        } else if self.trained {
            if translates(&self.recipe.system) {
                lines.push((format!("edgegen sample {out} --image x.png"), "what it makes of a picture"));
            } else {
                lines.push((format!("edgegen eval {out}"), "how good it is"));
            }
            if self.closeup.is_none() && Plane::chosen(&self.recipe.data).is_none() {
                lines.push((format!("edgegen report {out}"), "this page with nearest training images and int8"));
            }
            lines.push((format!("edgegen export {out} -o model.egm"), "as int8 for a microcontroller"));
            lines.push((
                "edgegen inspect model.egm --board pico".to_owned(),
                "whether it fits, and how fast it will be",
            ));
        }
        *html += "<section>\n<h2>What to type next</h2>\n";
        for (line, why) in lines {
            let _ = writeln!(html, "<p>{why}</p>\n<pre>{}</pre>", escape(&line));
        }
        *html += "</section>\n";
    }
}

/// What is compared stands in one chart, the rest each in its own; learning rates come last, only where they change.
fn charts(series: &[Series]) -> Vec<Chart<'_>> {
    const TOGETHER: [(&str, &str, &[&str]); 8] = [
        ("Losses", "loss", &["critic", "generator"]),
        ("Scores of the critic", "score", &["score_fake", "score_real"]),
        ("Errors of reconstruction", "error", &["fake", "real"]),
        ("Fréchet distance in the judge's features", "distance", &["frechet", "frechet_real"]),
        ("Precision and recall", "share", &["precision", "recall"]),
        ("Sliced Wasserstein distance of pixels", "distance", &["sliced", "sliced_real"]),
        ("BLEU: round trips, and with test pairs", "BLEU", &["bleu", "round_trip"]),
        (RATES, "rate", &["lr_critic", "lr_generator"]),
    ];
    fn line((colour, one): (usize, &Series)) -> Line<'_> {
        Line { name: title(&one.name), colour, points: &one.points }
    }
    let together = TOGETHER.iter().map(|(title, axis, names)| Chart {
        title: (*title).to_owned(),
        axis: (*axis).to_owned(),
        lines: series.iter().filter(|one| names.contains(&&*one.name)).enumerate().map(line).collect(),
        drawn: if *title == RATES { Drawn::Exact } else { Drawn::All },
    });
    let alone = series.iter().filter(|one| !TOGETHER.iter().any(|(_, _, names)| names.contains(&&*one.name)));
    let alone = alone.map(|one| Chart {
        title: title(&one.name),
        axis: title(&one.name),
        lines: vec![line((0, one))],
        drawn: Drawn::All,
    });
    let mut charts: Vec<_> = together.chain(alone).collect();
    charts.sort_by_key(|chart| chart.drawn == Drawn::Exact);
    let changes = |one: &Line<'_>| one.points.iter().any(|(_, value)| *value != one.points[0].1);
    charts.retain(|chart| match chart.drawn {
        Drawn::Exact => chart.lines.iter().any(changes),
        _ => chart.lines.iter().any(|one| !one.points.is_empty()),
    });
    charts
}

/// The name of a value as people read it.
fn title(name: &str) -> String {
    name.replace('_', " ")
}

/// A page up to its heading; `name` is HTML.
fn head(name: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name} · edgegen</title>\n<style>\n{}</style>\n</head>\n<body>\n<header>\n",
        include_str!("report/page.css")
    )
}

/// The sample sheets with a slider over their steps; without scripts the last one.
fn show(html: &mut String, sheets: &[Sheet]) {
    let Some(end) = sheets.len().checked_sub(1) else { return };
    let _ = writeln!(
        html,
        "<section>\n<h2>Samples</h2>\n<div class=\"scrub\"><button id=\"play\" type=\"button\">Play</button>\
         <input id=\"scrub\" type=\"range\" min=\"0\" max=\"{end}\" value=\"{end}\" aria-label=\"Step of the samples\">\
         <output id=\"step\" for=\"scrub\">step {}</output></div>\n<div class=\"sheets\">",
        sheets[end].0
    );
    for (index, (step, png)) in sheets.iter().enumerate() {
        let hidden = if index < end { " hidden" } else { "" };
        let address = png_address(png);
        let _ = writeln!(
            html,
            "<img data-step=\"step {step}\" alt=\"Samples after step {step}\" src=\"{address}\"{hidden}>"
        );
    }
    *html += "</div>\n<p class=\"soft\">Always from the same inputs: only the generator changes. Arrow keys move the \
              slider.</p>\n</section>\n";
}

/// What went wrong at a step, with what to try; of a later version's sign its name.
fn sign_text((step, sign): &(u64, String), recipe: &Recipe) -> String {
    let known: Result<Outcome, Error> = Outcome::deserialize(StrDeserializer::new(sign));
    format!("Step {step}: {}", known.map_or_else(|_| sign.clone(), |outcome| outcome.advice(recipe)))
}

/// A value in about four digits.
fn short(value: f64) -> String {
    if value != 0.0 && !(1e-3..1e6).contains(&value.abs()) { format!("{value:.3e}") } else { format!("{value:.4}") }
}

/// The machine that runs this.
fn machine() -> String {
    let cores = thread::available_parallelism().map_or_else(|_| String::new(), |count| format!(", {count} threads"));
    // Only Linux tells the processor's name in a file.
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or(String::new(), |(_, name)| format!(", {name}"));
    format!("{} {}{model}{cores}", std::env::consts::OS, std::env::consts::ARCH)
}

#[cfg(test)]
pub(super) mod tests;
