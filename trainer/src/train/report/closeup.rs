//! The closer look at a run's samples, as parts of its report.

use std::fmt::Write as _;

use crate::closeup::{Closeup, Distances, Found};
use crate::markup::{escape, png_address};

/// Writes both parts; `last` is the step that the rest of the report is of.
pub(super) fn show(html: &mut String, found: &Found, last: u64) {
    let Found { closeup: Closeup { step, nearest, int8: figures }, nearest: sheet, int8 } = found;
    let when = if *step == last { String::new() } else { format!(" Drawn after step {step}.") };
    let below = if nearest.judge.is_some() { ", at the bottom nearest in the features of the judge" } else { "" };
    let _ = writeln!(
        html,
        "<section>\n<h2>Nearest training images</h2>\n<div class=\"look\"><img alt=\"Samples, and the training \
         images nearest to them\" src=\"{}\"></div>\n<p class=\"soft\">At the top samples, below each the training \
         image nearest in pixels{below}.{when}</p>",
        png_address(sheet)
    );
    let judge = nearest.judge.as_ref();
    let columns: Vec<&Distances> =
        std::iter::once(&nearest.pixels).chain(judge.map(|(_, distances)| distances)).collect();
    let judge = judge.map_or_else(String::new, |(hash, _)| format!("<th>judge {}</th>", escape(hash)));
    let _ = writeln!(
        html,
        "<div class=\"wide\"><table class=\"near\">\n<tr><th>distance, median</th><th>pixels</th>{judge}</tr>"
    );
    let value = |value: Option<f32>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"));
    let sorted = |distances: &Distances| {
        let mut sorted = distances.samples.clone();
        sorted.sort_by(f32::total_cmp);
        sorted
    };
    let mut row = |name: &str, cell: &dyn Fn(&Distances) -> String| {
        let cells: String = columns.iter().map(|column| format!("<td>{}</td>", cell(column))).collect();
        let _ = writeln!(html, "<tr><th>{name}</th>{cells}</tr>");
    };
    row("samples", &|distances| value(sorted(distances).get(distances.samples.len() / 2).copied()));
    row("least of them", &|distances| value(sorted(distances).first().copied()));
    row("training images", &|distances| value(distances.usual));
    row("how many", &|distances| distances.images.to_string());
    *html += "</table></div>\n<p class=\"soft\">From the nearest (other) training image: by pixels the root mean square \
              in levels of 255. Samples that lie far nearer than training images lie to each other are copies of \
              them.</p>\n</section>\n<section>\n<h2>int8 beside float</h2>\n";
    match figures {
        Ok(figures) => {
            let near = figures.psnr_db.map_or_else(|| "the same bytes".to_owned(), |db| format!("{db:.1} dB PSNR"));
            let _ = writeln!(
                html,
                "<div class=\"look\"><img alt=\"The same samples in float and in int8\" src=\"{}\"></div>\n<p>At \
                 the top float, below int8, of the same inputs: {near} over {} images; {} bytes of flash, {} bytes of RAM.\
                 {when}</p>",
                png_address(int8.as_deref().unwrap_or_default()),
                figures.images,
                figures.flash,
                figures.ram
            );
        }
        Err(why) => {
            let _ = writeln!(html, "<p>There is no int8 model of it: {}</p>", escape(why));
        }
    }
    *html += "</section>\n";
}
