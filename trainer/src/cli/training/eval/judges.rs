//! `edgegen eval` of what tells classes: how often it is right on test images.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use edgegen_metrics::classes;
use serde::Serialize;

use super::{Args, words};
use crate::cli::{Console, Ending, table, table_of};
use crate::data::{self, Dataset, Split, plain_name};
use crate::eval::Judge;
use crate::recipe::{DataConfig, Recipe};
use crate::run::RECIPE;
use crate::{device, systems};

/// One judge.
#[derive(Debug, Serialize)]
struct Row {
    judge: PathBuf,
    hash: String,
    /// Share that it is right on, of the test images of each set.
    right: Vec<f64>,
    /// Of a judge of attributes: each by name, with the share of the test images of the first set that show it on which
    /// it is right.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<(String, f64)>,
}

#[derive(Debug, Serialize)]
struct Report {
    /// Names of the sets and their numbers of test images.
    sets: Vec<(String, usize)>,
    rows: Vec<Row>,
}

/// Whether the folder is the run of a judge.
pub fn is_judge(folder: &Path) -> Result<bool> {
    let recipe = folder.join(RECIPE);
    Ok(recipe.is_file() && systems::JUDGES.contains(&&*Recipe::load(&recipe)?.system))
}

/// Tests the judge `args.source`, and those beside it, on the sets that the first one has learned from or adapted to.
pub fn run(args: &Args, console: Console) -> Result<Ending> {
    ensure!(
        !args.has_extras() && args.judge.is_none() && args.picture.is_none(),
        "expected no options but --beside and --count with a judge, found others: leave them out"
    );
    let recipe = Recipe::load(&args.source.join(RECIPE))?;
    let names = [Some(&recipe.data.name), recipe.data.target.as_ref()];
    let sets = names.into_iter().flatten().map(|name| {
        let config = DataConfig { name: name.clone(), target: None, limit: None, ..recipe.data.clone() };
        let set = data::load_split(&config, Split::Test)?;
        ensure!(
            set.labels.is_some(),
            "expected test images with labels, found none in {name}: classes cannot be tested on them"
        );
        Ok(set)
    });
    let sets: Vec<Dataset> = sets.collect::<Result<_>>()?;
    let device = device::open("flex")?;
    let mut rows = Vec::new();
    for folder in [&args.source].into_iter().chain(&args.beside) {
        console.say(&format!("asking {}", folder.display()));
        let judge = Judge::load(folder, &device)?.shown(sets[0].shape);
        let known = match judge.attributes() {
            [] => None,
            own => {
                let config = DataConfig { limit: None, ..recipe.data.clone() };
                data::attributes(&config, Split::Test)?.map(|known| known.learned(own)).transpose()?
            }
        };
        let mut attributes = Vec::new();
        let mut right = Vec::new();
        for (number, set) in sets.iter().enumerate() {
            let count = args.count.map_or(set.len(), |count| set.len().min(count as usize));
            let images: Vec<Vec<u8>> = (0..count).map(|index| set.image(index).to_vec()).collect();
            let labels = set.labels.iter().flatten().take(count).map(|&label| label.into());
            let seen = judge.look(&images);
            right.push(classes::accuracy(&seen.classes, &labels.collect::<Vec<_>>()));
            if let Some(known) = known.as_ref().filter(|_| number == 0) {
                attributes = words::right(known, &seen.words, 0..count);
            }
        }
        rows.push(Row { judge: folder.clone(), hash: judge.hash.clone(), right, attributes });
    }
    let report = Report { sets: sets.iter().map(|set| (plain_name(&set.name).to_owned(), set.len())).collect(), rows };
    console.show(&report, || text(&report))
}

fn text(report: &Report) -> String {
    let of_sets: Vec<String> = report.sets.iter().map(|(name, _)| format!("right on {name}")).collect();
    let head: Vec<&str> = ["judge", "weights"].into_iter().chain(of_sets.iter().map(String::as_str)).collect();
    let rows = report.rows.iter().map(|row| {
        let right = row.right.iter().map(|share| format!("{:.1} %", 100.0 * share));
        [row.judge.display().to_string(), row.hash.clone()].into_iter().chain(right).collect()
    });
    let attributes = report.rows.iter().flat_map(|row| &row.attributes);
    let attributes = attributes.map(|(name, right)| [name.clone(), format!("{:.1} %", 100.0 * right)]);
    let attributes: Vec<[String; 2]> = attributes.collect();
    let counts: Vec<String> = report.sets.iter().map(|(name, count)| format!("{count} of {name}")).collect();
    let mut text = format!("{}\ntest images: {}", table_of(&head, &rows.collect::<Vec<_>>()), counts.join(", "));
    if !attributes.is_empty() {
        text += &format!("\n{}", table(["attribute", "right"], attributes.into_iter()));
    }
    text
}
