//! One page of all experiments that a folder holds, for a lecture hall.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::report::number;
use super::{EXPERIMENTS, Experiment, Figure, Found};
use crate::files;
use crate::markup::escape;

/// Writes `out/index.html` of every experiment whose folder is there, and returns its path. It needs nothing but the pictures beside it.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write(out: &Path) -> Result<PathBuf> {
    let found: Vec<(&Experiment, Found)> = EXPERIMENTS
        .iter()
        .filter_map(|experiment| Found::load(out, experiment.name).map(|found| (*experiment, found)))
        .collect();
    let path = out.join("index.html");
    files::replace_bytes(&path, page(&found).as_bytes())?;
    Ok(path)
}

const STYLE: &str = "\
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fafafa; --card: #fff; --line: #d5d5d5; --soft: #595959; --good: #00694c; --bad: #a33b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #eaeaea; --paper: #16181b; --card: #202327; --line: #40454b; --soft: #b0b5bb; --good: #4fd0a5; --bad: #ff9a5c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 72rem; font: 1.05rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
nav ol { columns: 16rem; column-gap: 3rem; padding-left: 1.4rem; }
a { color: inherit; }
article { margin: 2rem 0; padding: 1rem clamp(0.8rem, 3vw, 2rem); background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; }
h2 { margin: 0.2rem 0; } .source, figcaption, footer { color: var(--soft); font-size: 0.92rem; }
.equation { overflow-x: auto; padding: 0.4rem 0; } math { font-size: 1.25rem; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; background: #fff; border-radius: 0.3rem; display: block; }
.slip { border-left: 0.25rem solid var(--bad); padding-left: 0.8rem; }
.table { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 0.25rem 0.8rem 0.25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: bold; }
";

fn page(found: &[(&Experiment, Found)]) -> String {
    let held = found.iter().filter(|(_, found)| found.failed().next().is_none()).count();
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>edgegen lab</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>Generative adversarial networks, measured</h1>\n\
         <p>What lectures claim, each with a picture, and the figure measured beside the one predicted. {held} of {} hold.</p>\n</header>\n<nav>\n<ol>\n",
        found.len()
    );
    for (experiment, found) in found {
        let mark = if found.failed().next().is_none() { "" } else { " <span class=\"bad\">does not hold</span>" };
        let _ = writeln!(html, "<li><a href=\"#{}\">{}</a>{mark}</li>", experiment.name, escape(experiment.title));
    }
    html += "</ol>\n</nav>\n<main>\n";
    for (experiment, found) in found {
        article(&mut html, experiment, found);
    }
    html += "</main>\n<footer>Made by <code>edgegen lab</code>; each part again by the command under it.</footer>\n</body>\n</html>\n";
    html
}

/// MathML as the experiments write it, with signs of their letters' height and the gap after the name of a function.
fn typeset(mathml: &str) -> String {
    let mut text = mathml.to_owned();
    for sign in ["(", ")", "|"] {
        text = text.replace(&format!("<mo>{sign}</mo>"), &format!("<mo stretchy=\"false\">{sign}</mo>"));
    }
    for function in ["ln", "log", "JSD"] {
        text = text.replace(&format!("<mi>{function}</mi>"), &format!("<mi>{function}</mi><mo>&#x2061;</mo>"));
    }
    text
}

fn article(html: &mut String, experiment: &Experiment, found: &Found) {
    let Experiment { name, title, lecture, claim, equation, mathml, slip, .. } = experiment;
    let _ = writeln!(
        html,
        "<article id=\"{name}\">\n<h2>{}</h2>\n<p class=\"source\">{}</p>\n<p>{}</p>\n\
         <div class=\"equation\"><math display=\"block\" aria-label=\"{}\"><mrow>{}</mrow></math></div>",
        escape(title),
        escape(lecture),
        escape(claim),
        escape(equation),
        typeset(mathml)
    );
    for picture in &found.pictures {
        let [width, height] = picture.size;
        let caption = escape(&picture.caption);
        let _ = writeln!(
            html,
            "<figure><img src=\"{name}/{}\" alt=\"{caption}\" width=\"{width}\" height=\"{height}\" loading=\"lazy\">\
             <figcaption>{caption}</figcaption></figure>",
            escape(&picture.file)
        );
    }
    *html += "<div class=\"table\"><table>\n<tr><th>measured</th><th>predicted</th><th>found</th><th></th></tr>\n";
    for figure in &found.figures {
        row(html, figure);
    }
    *html += "</table></div>\n";
    if let Some(slip) = slip {
        let _ = writeln!(html, "<p class=\"slip\"><strong>Where the lecture slips.</strong> {}</p>", escape(slip));
    }
    let steps = if found.steps > 0 { format!(" --steps {}", found.steps) } else { String::new() };
    let _ = writeln!(
        html,
        "<p class=\"source\"><code>edgegen lab {name} --seed {}{steps}</code> · {:.0} s</p>\n</article>",
        found.seed, found.seconds
    );
}

fn row(html: &mut String, figure: &Figure) {
    let (class, mark) = match figure.holds {
        Some(true) => ("good", "holds"),
        Some(false) => ("bad", "does not hold"),
        None => ("", ""),
    };
    let _ = writeln!(
        html,
        "<tr><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"{class}\">{mark}</td></tr>",
        escape(&figure.what),
        escape(figure.expected.as_deref().unwrap_or("")),
        figure.found.map_or("not a number".into(), number)
    );
}
