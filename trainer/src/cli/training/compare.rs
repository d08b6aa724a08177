//! `edgegen compare RUN…`.

mod measure;

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use crate::cli::{Console, Ending, table_of};
use crate::files;
use crate::images;
use crate::train::report::{Comparison, compare, written};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run folders, two to eight
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// The page to write, one file that needs no other
    #[arg(long, default_value = "compare.html", value_name = "FILE")]
    out: PathBuf,
    /// Also measure what they draw in int8 against the same real images: a table by the years of their systems, with
    /// size and instructions on a board, and a gallery
    #[arg(long)]
    measure: bool,
    /// Images of each to measure
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..), requires = "measure")]
    count: u32,
    /// The board whose instructions are estimated
    #[arg(long, default_value = "stm32f411-blackpill", requires = "measure")]
    board: String,
    /// A picture of the gallery to write, a row for each run and one of real images
    #[arg(long, value_name = "PNG", requires = "measure")]
    gallery: Option<PathBuf>,
}

/// All that is told as JSON.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    comparison: &'a Comparison,
    #[serde(skip_serializing_if = "Option::is_none")]
    measured: Option<&'a measure::Measured>,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    images::expect(&args.out, &["html"])?;
    if let Some(gallery) = &args.gallery {
        images::expect(gallery, &["png"])?;
    }
    let measured = args.measure.then(|| measure::measure(args, console)).transpose()?;
    let first = measured.as_ref().map_or_else(String::new, measure::Measured::html);
    let comparison = compare(&args.runs, &args.out, &first)?;
    console.show(&Told { comparison: &comparison, measured: measured.as_ref() }, || {
        let measured = measured.as_ref().map_or_else(String::new, |measured| measured.text() + "\n");
        measured + &text(&comparison)
    })
}

fn text(comparison: &Comparison) -> String {
    let Comparison { page, runs, differences } = comparison;
    let head =
        |first: &'static str| std::iter::once(first).chain(runs.iter().map(|run| &*run.name)).collect::<Vec<_>>();
    let row = |name: &str, cells: Vec<String>| std::iter::once(name.to_owned()).chain(cells).collect::<Vec<_>>();
    let names: BTreeSet<&String> = runs.iter().flat_map(|run| run.values.keys()).collect();
    let value = |value: Option<&f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
    let steps = row("step", runs.iter().map(|run| format!("{} of {}", run.step, run.steps)).collect());
    let values = names.iter().map(|name| row(name, runs.iter().map(|run| value(run.values.get(*name))).collect()));
    let mut text = table_of(&head("last 100 steps"), &std::iter::once(steps).chain(values).collect::<Vec<_>>());
    for run in runs {
        for sign in &run.signs {
            text += &format!("\n{}: {sign}", run.name);
        }
    }
    let rows =
        differences.iter().map(|(key, values)| row(key, values.iter().map(|value| written(value.as_ref())).collect()));
    text += &match differences.is_empty() {
        true => "\nthe recipes are the same".to_owned(),
        false => format!("\n{}", table_of(&head("recipe"), &rows.collect::<Vec<_>>())),
    };
    format!("{text}\npage: {}", files::quoted(page))
}
