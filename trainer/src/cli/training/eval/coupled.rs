//! `edgegen eval` of what draws an image of each of two sets from one latent vector: how good each side is, and how
//! often both show the same.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use edgegen_metrics::classes;
use edgegen_runtime::Shape;
use serde::Serialize;

use super::pairs::table_of;
use super::{Args, Made, images};
use crate::cli::source::Source;
use crate::cli::{Console, Ending, table};
use crate::data::{self, Dataset, Pairs, Split};
use crate::eval::{Figures, Judge, Reference};
use crate::recipe::DataConfig;
use crate::{device, images as pictures};

/// Pairs on the picture, and in a row of it.
const SHOWN: usize = 24;
const COLUMNS: usize = 6;

/// One row: the images of one side and what is said of them.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    #[serde(flatten)]
    figures: Figures,
}

/// Shares of pairs of which both judges say the same class.
#[derive(Debug, Serialize)]
struct Agreement {
    /// Of generated pairs.
    pairs: f64,
    /// Of each left image with the right one of the next pair: what chance comes to.
    shifted: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    source: PathBuf,
    data: String,
    /// Of the left and of the right side.
    judges: [Option<String>; 2],
    count: usize,
    rows: Vec<Row>,
    /// Of each set of pairs by name; of the test pairs, where images belong together, too. Nothing without two judges
    /// of the same classes.
    agreement: Vec<(String, Agreement)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<PathBuf>,
}

pub fn run(args: &Args, source: &Source, console: Console) -> Result<Ending> {
    ensure!(
        args.beside.is_empty() && !args.has_extras(),
        "expected no --beside, --parzen, --gan-train, --controls, --inversion or --probe with a model that draws pairs: leave them out"
    );
    let Made { data, shape: [h, w, c], sets, unexported, .. } = images(args, source)?;
    let side = [h, w / 2, c];
    let narrow = |value: usize| u16::try_from(value).unwrap_or(u16::MAX);
    let config = table_of(source, Shape { h: narrow(h), w: narrow(w / 2), c: narrow(c) }, &args.source)?;
    let load = |split| data::load_unpaired(&config, split, &|_, _| true).map(|(pairs, _)| pairs);
    let (train, test) = (load(Split::Train)?, load(Split::Test)?);
    let device = device::open("flex")?;
    let turned = DataConfig { reverse: !config.reverse, ..config.clone() };
    let left = Judge::for_images(data::judged(&turned), side, &device)?;
    let right = match &args.judge {
        Some(folder) => Some(Judge::load(folder, &device)?.shown(side)),
        None => Judge::for_images(data::judged(&config), side, &device)?,
    };
    ensure!(
        left.is_some() || right.is_some(),
        "expected --judge, as none of {data} is shipped, found none: give that of the right side (for mnist-negative train \
         trainer/recipes/mnist-negative-judge.toml)"
    );

    let judges = [left, right];
    let halves: Vec<(String, [Vec<Vec<u8>>; 2])> =
        sets.iter().map(|(name, images)| (name.clone(), cut(images, w * c))).collect();
    let mut rows = Vec::new();
    for (at, (name, judge)) in ["left", "right"].into_iter().zip(&judges).enumerate() {
        let Some(judge) = judge else { continue };
        console.say(&format!("looking at the {name} images"));
        let sides = |pairs: &Pairs| -> Dataset { [&pairs.inputs, &pairs.targets][at].clone() };
        let count = halves.first().map_or(0, |(_, halves)| halves[at].len());
        let reference = Reference::new(judge, &sides(&train), &sides(&test), count, args.seed, false);
        rows.push(Row { name: format!("{name} real"), figures: reference.floor.clone() });
        rows.extend(halves.iter().map(|(set, halves)| {
            let figures = reference.figures(judge, &halves[at], None, args.seed, false);
            Row { name: format!("{name} {set}"), figures }
        }));
    }
    let agreement = match &judges {
        [Some(left), Some(right)] if left.classes() == right.classes() => {
            let all = |set: &Dataset| (0..set.len()).map(|index| set.image(index).to_vec()).collect::<Vec<_>>();
            let real = test.matched.then(|| ("real".to_owned(), [all(&test.inputs), all(&test.targets)]));
            let sets = real.iter().chain(&halves);
            sets.map(|(name, [a, b])| (name.clone(), agree(left.look(a).classes, right.look(b).classes))).collect()
        }
        _ => Vec::new(),
    };
    if let (Some(path), Some((_, images))) = (&args.picture, sets.last()) {
        pictures::save_grid(path, &images[..SHOWN.min(images.len())], [h, w, c], COLUMNS)?;
    }
    if let Some(why) = unexported {
        console.say(&why);
    }
    let report = Report {
        source: args.source.clone(),
        data,
        judges: judges.map(|judge| judge.map(|judge| judge.name())),
        count: sets.first().map_or(0, |(_, images)| images.len()),
        rows,
        agreement,
        picture: args.picture.clone(),
    };
    console.show(&report, || text(&report))
}

/// Left and right halves of images whose rows have `row` bytes.
pub fn cut(images: &[Vec<u8>], row: usize) -> [Vec<Vec<u8>>; 2] {
    [0, row / 2].map(|start| {
        let half = |image: &Vec<u8>| image.chunks(row).flat_map(|row| row[start..][..row.len() / 2].to_vec()).collect();
        images.iter().map(half).collect()
    })
}

fn agree(left: Vec<usize>, mut right: Vec<usize>) -> Agreement {
    let pairs = classes::accuracy(&left, &right);
    let by = right.len().min(1);
    right.rotate_left(by);
    Agreement { pairs, shifted: classes::accuracy(&left, &right) }
}

fn text(report: &Report) -> String {
    let rows = report.rows.iter().map(|Row { name, figures }| {
        [
            name.clone(),
            format!("{:.2}", figures.frechet),
            format!("{:.2}", figures.frechet_over_floor),
            format!("{:.2} / {:.2}", figures.precision, figures.recall),
            format!("{:.2} / {:.2}", figures.density, figures.coverage),
            format!("{:.2}", figures.checkerboard),
        ]
    });
    let head = ["images", "Fréchet", "/ floor", "precision / recall", "density / coverage", "checkerboard"];
    let judges: Vec<&str> = report.judges.iter().map(|judge| judge.as_deref().unwrap_or("none")).collect();
    let mut text = format!(
        "{}\n{}: {} pairs, each side against the test images of {} (judges {})",
        table(head, rows),
        report.source.display(),
        report.count,
        report.data,
        judges.join(", ")
    );
    for (name, Agreement { pairs, shifted }) in &report.agreement {
        text += &format!(
            "\n{name}: both judges say the same of {:.1} % of the pairs, by chance of {:.1} %",
            100.0 * pairs,
            100.0 * shifted
        );
    }
    if let Some(picture) = &report.picture {
        text += &format!("\n{}: pairs, left and right image side by side", picture.display());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_cut_row_by_row() {
        // Two rows of two pixels of three channels, left ones below 10.
        let image = vec![1, 2, 3, 11, 12, 13, 4, 5, 6, 14, 15, 16];
        assert_eq!(cut(&[image], 6), [[vec![1, 2, 3, 4, 5, 6]], [vec![11, 12, 13, 14, 15, 16]]]);
    }

    #[test]
    fn agreement_is_of_pairs_and_chance_is_of_others() {
        let Agreement { pairs, shifted } = agree(vec![1, 2, 3, 3], vec![1, 2, 3, 0]);
        assert_eq!((pairs, shifted), (0.75, 0.0));
    }
}
