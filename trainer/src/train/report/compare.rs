//! Several runs on one page: each value's curves in one plot, the recipes with their differences marked, the latest
//! samples side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde::Serialize;
use toml::Value;

use super::chart::{self, Chart, Drawn, Line, swatch};
use super::metrics::{Metrics, RECENT};
use super::{head, machine, newest_sheet, short, sign_text, title};
use crate::files;
use crate::markup::{escape, png_address};
use crate::recipe::Recipe;
use crate::run::RECIPE;
use crate::train::resume;
use crate::train::session::{METRICS, SAMPLES};

/// Runs that one page compares, at most: as many colours as can be told apart.
const MOST: usize = 8;

/// What was compared.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The page.
    pub page: PathBuf,
    /// The runs, in the order in which they were named.
    pub runs: Vec<Compared>,
    /// Keys of the recipes, as `table.key`, that have different values, with the value of each run; `None` where a recipe
    /// has no such key.
    pub differences: BTreeMap<String, Vec<Option<Value>>>,
}

/// One run of several.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// The folder's name; of folders with the same name their paths.
    pub name: String,
    /// The run folder.
    pub folder: PathBuf,
    /// The last step that is written down, 0 without any.
    pub step: u64,
    /// Steps that the recipe asks for.
    pub steps: u64,
    /// What went wrong, a sentence each.
    pub signs: Vec<String>,
    /// What was written down while it trained: the mean over the last 100 steps of each value.
    pub values: BTreeMap<String, f64>,
    #[serde(skip)]
    metrics: Metrics,
    #[serde(skip)]
    keys: BTreeMap<String, Value>,
    /// The latest sample sheet and its step; a judge has none.
    #[serde(skip)]
    sheet: Option<(u64, Vec<u8>)>,
}

/// Compares the runs in `folders`, two to eight different ones, and writes the page `page`, which needs no other file;
/// `first` is what stands before samples and curves, a section of HTML or nothing.
///
/// # Errors
///
/// If these are not two to eight run folders, their files cannot be read, or the page cannot be written.
pub fn compare(folders: &[PathBuf], page: &Path, first: &str) -> Result<Comparison> {
    let count = folders.len();
    ensure!((2..=MOST).contains(&count), "expected 2 to {MOST} runs to compare, found {count}");
    for (index, folder) in folders.iter().enumerate() {
        ensure!(
            !folders[..index].iter().any(|other| files::same(other, folder)),
            "expected different runs, found {} twice: name each once",
            folder.display()
        );
    }
    let names: Vec<String> = folders.iter().map(|folder| name(folder)).collect();
    let runs = folders.iter().enumerate().map(|(index, folder)| {
        let is_clear = names.iter().filter(|name| **name == names[index]).count() == 1;
        Compared::load(folder, if is_clear { names[index].clone() } else { folder.display().to_string() })
    });
    let runs = runs.collect::<Result<Vec<_>>>()?;
    let all: BTreeSet<&String> = runs.iter().flat_map(|run| run.keys.keys()).collect();
    let values = |key: &String| runs.iter().map(|run| run.keys.get(key).cloned()).collect::<Vec<_>>();
    let (same, differences): (BTreeMap<_, _>, _) = all
        .into_iter()
        .map(|key| (key.clone(), values(key)))
        .partition(|(_, values)| values.iter().all(|value| *value == values[0]));
    files::replace_bytes(page, html(&runs, first, &differences, &same).as_bytes())?;
    Ok(Comparison { page: page.to_owned(), runs, differences })
}

/// The last part of a folder's path, also of `.` or `..`.
fn name(folder: &Path) -> String {
    let whole = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    whole.file_name().unwrap_or(whole.as_os_str()).to_string_lossy().into_owned()
}

impl Compared {
    fn load(folder: &Path, name: String) -> Result<Self> {
        let path = folder.join(RECIPE);
        ensure!(
            path.is_file(),
            "expected run folders, found no {RECIPE} in {}: give --out folders of `edgegen train`",
            folder.display()
        );
        let recipe = Recipe::load(&path)?;
        let metrics = Metrics::read(&folder.join(METRICS))?;
        Ok(Self {
            name,
            folder: folder.to_owned(),
            step: metrics.last,
            steps: recipe.train.steps,
            signs: metrics.signs.iter().map(|sign| sign_text(sign, &recipe)).collect(),
            values: metrics.series.iter().map(|series| (series.name.clone(), series.recent())).collect(),
            keys: resume::keys(&recipe),
            sheet: newest_sheet(&folder.join(SAMPLES), metrics.last)?,
            metrics,
        })
    }
}

/// A value of a recipe as its file has it, or a dash for a key that is not there.
pub fn written(value: Option<&Value>) -> String {
    value.map_or_else(|| "–".to_owned(), Value::to_string)
}

type Keys = BTreeMap<String, Vec<Option<Value>>>;

fn html(runs: &[Compared], first: &str, differences: &Keys, same: &Keys) -> String {
    let mut html = head(&format!("{} runs compared", runs.len()));
    let _ = writeln!(html, "<h1>{} runs compared</h1>\n<ul class=\"runs\">", runs.len());
    for (colour, Compared { name, step, steps, signs, .. }) in runs.iter().enumerate() {
        let signs = signs.iter().map(|sign| format!("<br><span class=\"other\">{}</span>", escape(sign)));
        let (swatch, name, signs) = (swatch(colour), escape(name), signs.collect::<String>());
        let _ = writeln!(html, "<li>{swatch} <b>{name}</b>: step {step} of {steps}{signs}</li>");
    }
    html += "</ul>\n</header>\n<main>\n";
    html += first;
    samples(&mut html, runs);
    curves(&mut html, runs);
    recipes(&mut html, runs, differences, same);
    let _ = writeln!(
        html,
        "</main>\n<footer>Made by edgegen {} on {}.</footer>\n</body>\n</html>",
        env!("CARGO_PKG_VERSION"),
        escape(&machine())
    );
    html
}

/// The latest sheets side by side.
fn samples(html: &mut String, runs: &[Compared]) {
    if runs.iter().all(|run| run.sheet.is_none()) {
        return;
    }
    *html += "<section>\n<h2>Latest samples</h2>\n<div class=\"beside\">\n";
    for (colour, run) in runs.iter().enumerate() {
        let Some((step, png)) = &run.sheet else { continue };
        let (swatch, name, address) = (swatch(colour), escape(&run.name), png_address(png));
        let _ = writeln!(
            html,
            "<figure><figcaption>{swatch} {name}, step {step}</figcaption>\
             <img alt=\"Samples of {name} after step {step}\" src=\"{address}\"></figure>"
        );
    }
    *html += "</div>\n</section>\n";
}

/// A chart for each value that was written down, and a table of where they ended.
fn curves(html: &mut String, runs: &[Compared]) {
    *html += "<section>\n<h2>Curves</h2>\n";
    let mut names: Vec<&str> = Vec::new();
    for series in runs.iter().flat_map(|run| &run.metrics.series) {
        if !names.contains(&&*series.name) {
            names.push(&series.name);
        }
    }
    if names.is_empty() {
        *html += "<p>No step has been written down yet.</p>\n</section>\n";
        return;
    }
    names.sort_by_key(|name| is_rate(name));
    *html += "<p class=\"soft\">Each is the mean of a run's last values, a sixtieth of the run; every single value is in \
              the run's own report. Losses of different games have different meanings.</p>\n<div class=\"charts\">\n";
    for &name in &names {
        let of_run = |run: &'_ Compared| run.metrics.series.iter().position(|series| series.name == name);
        let found = runs.iter().enumerate().filter_map(|(colour, run)| Some((colour, run, of_run(run)?)));
        let lines: Vec<Line<'_>> = found
            .map(|(colour, run, at)| Line { name: run.name.clone(), colour, points: &run.metrics.series[at].points })
            .collect();
        let mut values = lines.iter().flat_map(|line| line.points).map(|(_, value)| value);
        let first = values.next();
        if is_rate(name) && values.all(|value| Some(value) == first) {
            continue;
        }
        let drawn = if is_rate(name) { Drawn::Exact } else { Drawn::Mean };
        chart::figure(html, &Chart { title: title(name), axis: title(name), lines, drawn });
    }
    let _ = write!(
        html,
        "</div>\n<h3>Mean of the last {RECENT} steps</h3>\n<div class=\"wide\"><table>\n<tr><th>value</th>"
    );
    heads(html, runs);
    for &name in &names {
        let cell = |run: &Compared| {
            format!("<td>{}</td>", run.values.get(name).map_or_else(|| "–".to_owned(), |value| short(*value)))
        };
        let _ = writeln!(html, "<tr><th>{}</th>{}</tr>", escape(name), runs.iter().map(cell).collect::<String>());
    }
    *html += "</table></div>\n</section>\n";
}

/// Learning rates have no noise, and are of interest only where they change.
fn is_rate(name: &str) -> bool {
    name.starts_with("lr_")
}

/// The keys that differ, and behind a click the others.
fn recipes(html: &mut String, runs: &[Compared], differences: &Keys, same: &Keys) {
    let all = differences.len() + same.len();
    let _ = writeln!(html, "<section>\n<h2>Recipes</h2>\n<p>{} of {all} keys differ.</p>", differences.len());
    if !differences.is_empty() {
        *html += "<p class=\"soft\">Bold with ≠: other than in the first run. – : the recipe has no such key.</p>\n";
        table(html, runs, differences);
    }
    let _ = writeln!(html, "<details>\n<summary>The {} keys that are the same</summary>", same.len());
    table(html, runs, same);
    *html += "</details>\n</section>\n";
}

fn table(html: &mut String, runs: &[Compared], keys: &Keys) {
    *html += "<div class=\"wide\"><table class=\"recipes\">\n<tr><th>key</th>";
    heads(html, runs);
    for (key, values) in keys {
        let _ = write!(html, "<tr><th>{}</th>", escape(key));
        for value in values {
            let text = escape(&written(value.as_ref()));
            let _ = match *value == values[0] {
                true => write!(html, "<td>{text}</td>"),
                false => write!(html, "<td class=\"other\">≠ {text}</td>"),
            };
        }
        *html += "</tr>\n";
    }
    *html += "</table></div>\n";
}

/// The rest of a table's first row: the runs' names.
fn heads(html: &mut String, runs: &[Compared]) {
    for (colour, run) in runs.iter().enumerate() {
        let _ = write!(html, "<th>{} {}</th>", swatch(colour), escape(&run.name));
    }
    *html += "</tr>\n";
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, folder};
    use super::*;

    #[test]
    fn runs_stand_beside_each_other_with_their_differences() {
        let root = tempfile::tempdir().unwrap();
        let one = folder(root.path(), "a/run", "mnist", 10..=20);
        let two = folder(root.path(), "b/run", "mnist", 5..=5);
        let three = folder(root.path(), "no_sheet", "a<b>&c", 0..0);
        let recipe = fs::read_to_string(two.join(RECIPE)).unwrap().replace("seed = 0", "seed = 7");
        fs::write(two.join(RECIPE), recipe.replace("batch = 64", "batch = 8")).unwrap();
        let lines = "{\"critic\":3,\"new\":1,\"step\":7}\n{\"sign\":\"critic_won\",\"step\":7}\n";
        fs::write(three.join(METRICS), lines).unwrap();

        let page = root.path().join("out/compare.html");
        let found = compare(&[one.clone(), two.clone(), three.clone()], &page, "<p>measured</p>").unwrap();
        let html = fs::read_to_string(&page).unwrap();
        check(&html);
        assert_eq!(found.runs[0].name, one.display().to_string(), "two are called run");
        assert_eq!(found.runs[2].name, "no_sheet");
        let keys: Vec<&str> = found.differences.keys().map(|key| &**key).collect();
        assert_eq!(keys, ["data.name", "seed", "train.batch"]);
        assert_eq!(found.differences["train.batch"][1], Some(Value::Integer(8)));
        assert!(html.contains("<tr><th>train.batch</th><td>64</td><td class=\"other\">≠ 8</td><td>64</td></tr>"));
        assert!(html.contains("a&lt;b&gt;&amp;c") && !html.contains("<b>&c"));
        assert_eq!((html.matches("<img ").count(), html.contains("step 20</figcaption>")), (2, true));
        assert!(html.contains("step 7 of 40<br><span class=\"other\">Step 7: the critic's loss"));
        assert_eq!(html.matches("<figure>\n").count(), 4, "critic, generator, new_measure, new; no rates");
        assert_eq!(html.matches("class=\"smooth c0\"").count(), 3);
        assert!(html.contains("<tr><th>new</th><td>–</td><td>–</td><td>1.0000</td></tr>"));
        assert_eq!(found.runs[0].values["critic"], 143.5, "the mean of 1 to 400");

        let refused = |folders: &[&PathBuf]| {
            let folders: Vec<PathBuf> = folders.iter().copied().cloned().collect();
            compare(&folders, &page, "").unwrap_err().to_string()
        };
        assert!(refused(&[&one]).contains("expected 2 to 8 runs"));
        assert!(refused(&[&one, &one]).contains("twice"));
        assert!(refused(&[&one, &root.path().to_owned()]).contains("found no recipe.toml in"));
    }
}
