//! `edgegen compare RUN…`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;

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
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    images::expect(&args.out, &["html"])?;
    let comparison = compare(&args.runs, &args.out)?;
    console.show(&comparison, || text(&comparison))
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
