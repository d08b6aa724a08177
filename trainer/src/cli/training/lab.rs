//! `edgegen lab`: what lectures on GANs claim, measured and drawn.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Result, bail};
use serde::Serialize;

use crate::cli::{Console, Ending, table};
use crate::lab::{self, EXPERIMENTS, Experiment, Found, page, record};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Experiments, or `all`; without any, they are listed
    names: Vec<String>,
    /// All that is random follows from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Steps of each training, in place of the experiment's own; few of them may be too few for its claim
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// Folder for pictures and for the page, index.html
    #[arg(long, default_value = "out/lab", value_name = "FOLDER")]
    out: PathBuf,
    /// Write a dated record of the figures into this folder
    #[arg(long, value_name = "FOLDER")]
    record: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Listed {
    name: &'static str,
    title: &'static str,
    lecture: &'static str,
    claim: &'static str,
    equation: &'static str,
    slip: Option<&'static str>,
    steps: u64,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    if args.names.is_empty() {
        return list(console);
    }
    let mut chosen: Vec<&Experiment> = Vec::new();
    for name in &args.names {
        match lab::find(name) {
            _ if name == "all" => chosen.extend(EXPERIMENTS),
            Some(experiment) => chosen.push(experiment),
            None => {
                let names: Vec<_> = EXPERIMENTS.iter().map(|experiment| experiment.name).collect();
                bail!("expected all or one of {}, found {name}: `edgegen lab` lists them", names.join(", "));
            }
        }
    }
    let mut all = Vec::new();
    for experiment in chosen {
        console.say(&format!("{}: {}", experiment.name, experiment.title));
        let found = lab::run(experiment, &args.out, args.seed, args.steps, console.quiet)?;
        if !console.json {
            console.show(&found, || text(experiment, &found))?;
        }
        all.push(found);
        // After each, so that what is done can be looked at while the rest goes on.
        page::write(&args.out)?;
    }
    let page = args.out.join("index.html");
    if console.json {
        console.show(&serde_json::json!({ "page": page, "found": all }), String::new)?;
    }
    console.say(&format!("page: {}", page.display()));
    if let Some(folder) = &args.record {
        console.say(&format!("record: {}", record::write(&all, folder)?.display()));
    }
    let failed: Vec<String> = all
        .iter()
        .filter(|found| found.failed().next().is_some())
        .map(|found| {
            let figures: Vec<&str> = found.failed().map(|figure| &*figure.what).collect();
            format!("{} ({})", found.name, figures.join("; "))
        })
        .collect();
    if !failed.is_empty() {
        bail!("expected every claim to hold, found others: {}; see {}", failed.join(", "), page.display());
    }
    Ok(Ending::Done)
}

fn list(console: Console) -> Result<Ending> {
    let listed = EXPERIMENTS.iter().map(|experiment| {
        let &&Experiment { name, title, lecture, claim, equation, slip, steps, .. } = experiment;
        Listed { name, title, lecture, claim, equation, slip, steps }
    });
    let listed: Vec<Listed> = listed.collect();
    console.show(&listed, || {
        let mut text = String::new();
        for Listed { name, title, lecture, equation, .. } in &listed {
            let _ = writeln!(text, "{name}: {title}\n    {equation}\n    {lecture}\n");
        }
        text + "Run one with `edgegen lab NAME`, or all with `edgegen lab all`; pictures and a page go to out/lab."
    })
}

fn text(experiment: &Experiment, found: &Found) -> String {
    let rows = found.figures.iter().map(|figure| {
        let holds = match figure.holds {
            Some(true) => "holds",
            Some(false) => "DOES NOT HOLD",
            None => "",
        };
        [
            figure.what.clone(),
            figure.expected.clone().unwrap_or_default(),
            figure.found.map_or("not a number".into(), lab::number),
            holds.into(),
        ]
    });
    let figures = table([experiment.equation, "predicted", "found", ""], rows);
    format!("{figures}\n{:.0} s", found.seconds)
}
