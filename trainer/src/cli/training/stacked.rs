//! `edgegen eval` of stacked digits: modes are counted, and nothing else is said.

use std::path::PathBuf;

use anyhow::Result;
use burn::tensor::Device;
use serde::Serialize;

use crate::cli::{Console, Ending, table};
use crate::data::{self, Split};
use crate::eval::Judge;
use crate::eval::stacked::{self, Coverage};
use crate::recipe::DataConfig;

/// What is looked at, with what.
pub struct Task {
    pub source: PathBuf,
    /// Folder of the judge of single digits.
    pub judge: PathBuf,
    pub seed: u64,
    /// Sets of images by name.
    pub sets: Vec<(String, Vec<Vec<u8>>)>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    #[serde(flatten)]
    coverage: Coverage,
}

#[derive(Debug, Serialize)]
struct Report {
    source: PathBuf,
    data: &'static str,
    judge: String,
    count: usize,
    seed: u64,
    rows: Vec<Row>,
}

pub fn run(task: Task, device: &Device, console: Console) -> Result<Ending> {
    let Task { source, judge, seed, sets } = task;
    let judge = Judge::load(&judge, device)?;
    let count = sets.iter().map(|(_, images)| images.len()).max().unwrap_or_default();
    let config = DataConfig::new(data::STACKED, 28, 3);
    let test = data::load_split(&config, Split::Test)?;
    let real = (0..count.min(test.len())).map(|index| test.image(index).to_vec()).collect();
    let rows = [("real".to_owned(), real)].into_iter().chain(sets).map(|(name, images)| {
        console.say(&format!("looking at the images: {name}"));
        Row { name, coverage: stacked::coverage(&judge, &images) }
    });
    let rows = rows.collect();
    let report = Report { source, data: data::STACKED, judge: judge.hash, count, seed, rows };
    console.show(&report, || text(&report))
}

fn text(report: &Report) -> String {
    let rows = report.rows.iter().map(|Row { name, coverage: Coverage { modes, kl, confidence } }| {
        [name.clone(), format!("{modes} of {}", stacked::KINDS), format!("{kl:.3}"), format!("{confidence:.3}")]
    });
    format!(
        "{}\n{}: {} images from seed {}, each channel a digit to judge {}",
        table(["images", "modes", "KL to uniform", "confidence"], rows),
        report.source.display(),
        report.count,
        report.seed,
        report.judge,
    )
}
