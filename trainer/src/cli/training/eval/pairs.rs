//! `edgegen eval` of what turns images into others: each output beside the image that it should be.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use edgegen_export::Label;
use edgegen_metrics::{classes, pixels};
use edgegen_runtime::{Model, Point, Shape};
use serde::Serialize;

use super::{Args, COUNT, fact_of};
use crate::cli::export::CALIBRATION;
use crate::cli::import::Assumptions;
use crate::cli::source::{Source, project};
use crate::cli::{Console, Ending, table};
use crate::data::{self, Pairs, Split};
use crate::eval::Judge;
use crate::recipe::DataConfig;
use crate::{device, images};

/// Pairs on the picture.
const SHOWN: usize = 12;

/// One row: a set of outputs and what is said of it.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// Mean absolute difference from the targets, of 1 from black to white.
    l1: f64,
    /// Peak signal-to-noise ratio to the targets; none where they are equal.
    psnr_db: Option<f64>,
    /// Energy of fine detail over that of the targets.
    detail: f64,
    /// Share that the judge puts into the class of the label or, where there is none, into that of the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Report {
    sources: Vec<PathBuf>,
    data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    judge: Option<String>,
    count: usize,
    rows: Vec<Row>,
    /// int8 against float of each run.
    int8_psnr_db: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<PathBuf>,
}

/// Measures `first` and what `--beside` names on the test pairs of the data of `first`.
pub fn run(args: &Args, first: Source, shape: Shape, console: Console) -> Result<Ending> {
    ensure!(
        !(args.parzen || args.gan_train || args.controls || args.inversion),
        "expected no --parzen, --gan-train, --controls or --inversion with a model that reads pictures, whose outputs \
         are held against their targets: leave them out"
    );
    let data = fact_of(&first, "data")?.with_context(|| {
        format!("expected the data set's name in {}, found none: export it from its run", args.source.display())
    })?;
    let config = DataConfig::new(&*data, [shape.h, shape.w].map(usize::from), shape.c.into());
    let Pairs { inputs, targets } = data::load_pairs(&config, Split::Test)?;
    let count = args.count.map_or(COUNT, |count| count as usize).min(inputs.len());
    let pictures: Vec<Vec<u8>> = (0..count).map(|index| inputs.image(index).to_vec()).collect();
    let real: Vec<Vec<u8>> = (0..count).map(|index| targets.image(index).to_vec()).collect();

    let mut sets = Vec::new();
    let mut int8_psnr_db = Vec::new();
    draw(&args.source, &first, &pictures, &mut sets, &mut int8_psnr_db, console)?;
    for path in &args.beside {
        let source = Source::open(path, &Assumptions::default())?;
        ensure!(
            source.fed()? == Some(shape) && source.shape()? == targets.shape,
            "expected beside {} what reads and makes pictures of {shape}, found another model in {}: leave it out",
            args.source.display(),
            path.display()
        );
        draw(path, &source, &pictures, &mut sets, &mut int8_psnr_db, console)?;
    }

    let shipped = (data == data::EDGES).then(|| Judge::shipped(&project(), data::EDGES_SOURCE));
    let judge = args.judge.clone().or(shipped);
    let judge = judge.map(|folder| Judge::load(&folder, &device::open("flex")?)).transpose()?;
    let judge = judge.map(|judge| judge.shown(targets.shape));
    let asked: Option<Vec<usize>> = judge.as_ref().map(|judge| match &targets.labels {
        Some(labels) => labels[..count].iter().map(|&label| label.into()).collect(),
        None => judge.look(&real).classes,
    });
    let detail = |images: &[Vec<u8>]| pixels::detail(images.iter().map(Vec::as_slice), targets.shape);
    let of_real = detail(&real);
    let row = |(name, images): &(String, Vec<Vec<u8>>)| {
        let difference = pixels::difference(images, &real);
        let accuracy = judge.as_ref().zip(asked.as_deref());
        Row {
            name: name.clone(),
            l1: difference.mean / 255.0,
            psnr_db: Some(difference.psnr).filter(|psnr| psnr.is_finite()),
            detail: detail(images) / of_real,
            accuracy: accuracy.map(|(judge, asked)| classes::accuracy(&judge.look(images).classes, asked)),
        }
    };
    console.say("looking at the outputs");
    let target = ("target".to_owned(), real.clone());
    let rows = [&target].into_iter().chain(&sets).map(row).collect();
    if let Some(path) = &args.picture {
        let places: Vec<usize> = (0..SHOWN.min(count)).map(|at| at * count / SHOWN.min(count)).collect();
        let rows = [&pictures].into_iter().chain(sets.iter().map(|(_, images)| images)).chain([&real]);
        let sheet: Vec<Vec<u8>> = rows.flat_map(|row| places.iter().map(|&at| row[at].clone())).collect();
        images::save_grid(path, &sheet, targets.shape, places.len())?;
    }
    let report = Report {
        sources: [&args.source].into_iter().chain(&args.beside).cloned().collect(),
        data,
        judge: judge.map(|judge| judge.hash),
        count,
        rows,
        int8_psnr_db,
        picture: args.picture.clone(),
    };
    console.show(&report, || text(&report))
}

/// Adds what `source` makes of `pictures` to `sets`: of a run float and int8, whose likeness joins `likeness`.
fn draw(
    path: &Path,
    source: &Source,
    pictures: &[Vec<u8>],
    sets: &mut Vec<(String, Vec<Vec<u8>>)>,
    likeness: &mut Vec<f64>,
    console: Console,
) -> Result<()> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    console.say(&format!("drawing what {name} makes of {} pictures", pictures.len()));
    match source {
        Source::Run(run) => {
            let channels = run.shape()[2];
            let values = |picture: &Vec<u8>| edgegen_export::layers::PixelRange::Symmetric.planes(picture, channels);
            let float = run.generate_pixels(&pictures.iter().map(values).collect::<Vec<_>>());
            let [examples, _] = run.examples(CALIBRATION, 0)?;
            let label = Label { name: "eval", metadata: &[] };
            let exported = edgegen_export::export_with(&run.network()?, &examples, label)?;
            let int8 = translated(exported.file.bytes(), pictures)?;
            likeness.push(pixels::difference(&float, &int8).psnr);
            sets.extend([(format!("{name} float"), float), (format!("{name} int8"), int8)]);
        }
        Source::Model(file) => {
            let file = edgegen_export::native(file)?;
            sets.push((format!("{name} int8"), translated(file.bytes(), pictures)?));
        }
        Source::Onnx(_) => {
            anyhow::bail!("expected a run or a model file, found the ONNX file {}: export it first", path.display())
        }
    }
    Ok(())
}

fn translated(file: &[u8], pictures: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
    let model = Model::parse(file)?;
    Ok(pictures.iter().map(|picture| edgegen_export::translated(&model, Point::seed(0), picture)).collect())
}

fn text(report: &Report) -> String {
    let rows = report.rows.iter().map(|Row { name, l1, psnr_db, detail, accuracy }| {
        [
            name.clone(),
            format!("{l1:.4}"),
            psnr_db.map_or_else(String::new, |psnr| format!("{psnr:.2} dB")),
            format!("{detail:.3}"),
            accuracy.map_or_else(String::new, |accuracy| format!("{:.1} %", 100.0 * accuracy)),
        ]
    });
    let mut text = table(["images", "L1", "PSNR", "detail / target", "right class"], rows);
    text += &format!("\n{} test pairs of {}", report.count, report.data);
    if let Some(judge) = &report.judge {
        text += &format!(", classes by judge {judge}");
    }
    if !report.int8_psnr_db.is_empty() {
        let likeness: Vec<String> = report.int8_psnr_db.iter().map(|psnr| format!("{psnr:.1} dB")).collect();
        text += &format!("\nint8 against float: {}", likeness.join(", "));
    }
    if let Some(picture) = &report.picture {
        text += &format!("\n{}: from top to bottom input, each row of the table in turn, target", picture.display());
    }
    text
}
