//! `edgegen eval` of what makes points of the plane: its modes, without a judge.

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use edgegen_export::layers::PixelRange;
use edgegen_export::{Label, ModelFile};
use edgegen_metrics::Features;
use serde::Serialize;

use super::{Args, fact_of, own};
use crate::cli::export::CALIBRATION;
use crate::cli::source::Source;
use crate::cli::{Console, Ending, table};
use crate::data::plane::Plane;
use crate::device;
use crate::eval;
use crate::eval::plane::{Flag, Spread};

/// Points that are looked at by default: the literature's number.
const COUNT: u32 = 20_000;

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    #[serde(flatten)]
    spread: Spread,
    flags: Vec<Flag>,
}

#[derive(Debug, Serialize)]
struct Report {
    source: PathBuf,
    data: &'static str,
    modes: usize,
    count: u32,
    seed: u64,
    rows: Vec<Row>,
    /// What the system itself says of new points of the mixture, by its last checkpoint.
    #[serde(skip_serializing_if = "own::Own::is_empty")]
    own: own::Own,
    /// Mean log-density of those points by the mixture itself, minus its entropy, in nats: no system can do better.
    log_likelihood_of_mixture: f64,
}

/// The mixture that `source` learned, if it makes points.
pub fn find(source: &Source) -> Result<Option<Plane>> {
    Ok(fact_of(source, "data")?.and_then(|name| Plane::named(&name)))
}

pub fn run(args: &Args, source: Source, plane: &Plane, console: Console) -> Result<Ending> {
    ensure!(
        args.judge.is_none() && !args.parzen && !args.gan_train && !args.inversion && !args.probe,
        "expected no --judge, --parzen, --gan-train, --inversion or --probe for points of {}, whose modes are known: leave them out",
        plane.name
    );
    let count = args.count.unwrap_or(COUNT);
    let real = plane.mixture.sample(count as usize, args.seed.wrapping_add(1));
    let own = own::of_points(&args.source, plane, &real, &device::open("flex")?)?;
    let log_likelihood_of_mixture = plane.mixture.log_likelihood(&real);
    let mut sets = vec![("real", real)];
    let model = match source {
        Source::Model(file) => file,
        Source::Onnx(_) => {
            bail!("expected a run or a model file of points of {}, found an ONNX file: export it first", plane.name)
        }
        Source::Run(run) => {
            let outputs = run.generate(&run.inputs(args.seed, count as usize));
            sets.push(("float", plane.points(&outputs, run.generator.pixels)));
            let network = run.network()?;
            edgegen_export::export(&network, CALIBRATION, Label { name: "eval", metadata: &[] })?.file
        }
    };
    sets.push(("int8", int8(model, plane, args.seed, count as usize)?));
    if args.controls {
        sets.extend(eval::plane::controls(plane, count as usize, args.seed.wrapping_add(2)));
    }
    let rows = sets.iter().map(|(name, points)| {
        let spread = Spread::of(plane, points, args.seed);
        Row { name, spread, flags: spread.flags(plane) }
    });
    let report = Report {
        source: args.source.clone(),
        data: plane.name,
        modes: plane.mixture.centres.len(),
        count,
        seed: args.seed,
        rows: rows.collect(),
        own,
        log_likelihood_of_mixture,
    };
    console.show(&report, || text(&report))
}

/// Points of the int8 generator: two bytes each.
fn int8(file: ModelFile, plane: &Plane, seed: u64, count: usize) -> Result<Features> {
    let (images, _) = Source::Model(file).images(seed, count, None)?;
    let outputs: Vec<Vec<f32>> =
        images.into_iter().map(|point| point.into_iter().map(|byte| f32::from(byte) / 127.5 - 1.0).collect()).collect();
    Ok(plane.points(&outputs, PixelRange::Symmetric))
}

fn text(report: &Report) -> String {
    let rows = report.rows.iter().map(|Row { name, spread, flags }| {
        [
            (*name).to_owned(),
            format!("{} of {}", spread.modes, report.modes),
            format!("{:.1} %", 100.0 * spread.high_quality),
            format!("{:.4}", spread.reverse_kl),
            format!("{:.4}", spread.energy),
            format!("{:.3}", spread.mmd_p),
            flags.iter().map(|flag| format!("{flag:?}")).collect::<Vec<_>>().join(", "),
        ]
    });
    let head = ["points", "modes", "within 3 σ", "reverse KL", "energy distance", "p: MMD", "flags"];
    let mut text = format!(
        "{}\n{}: {} points from seed {}, against the mixture {}",
        table(head, rows),
        report.source.display(),
        report.count,
        report.seed,
        report.data
    );
    if !report.own.is_empty() {
        text += &own::text(&report.own);
        text += &format!("\nlog likelihood by the mixture itself: {:.3} nats", report.log_likelihood_of_mixture);
    }
    text
}
