//! `edgegen export SOURCE -o m.egm`: a run, or an ONNX file from elsewhere, becomes a model file; a model file one for a target.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use edgegen_export::compare::{Comparison, compare};
use edgegen_export::cost::{self, Cost};
use edgegen_export::layers::Network;
use edgegen_export::{Exported, Label, ModelFile, onnx, repack};
use edgegen_runtime::model::MAGIC;
use edgegen_runtime::{Model, Packing};
use serde::Serialize;

use super::source::{packing, read_any_model};
use super::training::{self, Run};
use super::{Console, Ending, bytes, grouped, table};
use crate::files;

/// Latent vectors that ranges are calibrated on.
pub const CALIBRATION: usize = 256;
/// Images that float and int8 are compared on, and the first seed.
const COMPARED: (usize, u64) = (256, 1_000_000);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A run folder, an ONNX file of a generator, or a portable model file that is only to be packed for another target
    #[arg(value_name = "RUN|ONNX|MODEL")]
    source: PathBuf,
    /// The model file to write
    #[arg(long, short)]
    out: PathBuf,
    /// The kernels that read it: portable (all of them), armv6m, dsp, mve, simd128 (neon, wasm) or x86
    #[arg(long, default_value = "portable", value_parser = packing)]
    target: Packing,
    /// Also write the float generator of a run as an ONNX file
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,
    /// What the model is called [default: the file's name]
    #[arg(long)]
    name: Option<String>,
}

/// What an export came to.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The file written.
    pub file: PathBuf,
    /// What it is packed for.
    pub target: &'static str,
    /// The ONNX file written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onnx: Option<PathBuf>,
    /// What it costs.
    pub cost: Cost,
    /// Largest difference between Burn's output and that of the lowered layers, in the units of the last layer. An ONNX
    /// file has no Burn output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lower_error: Option<f32>,
    /// How near it is to the float generator.
    pub float_vs_int8: Comparison,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let stem = args.out.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = args.name.clone().or(stem).unwrap_or_default();
    let mut report = if args.source.is_dir() {
        let run = training::open(&args.source)?;
        let network = run.network()?;
        if let Some(path) = &args.onnx {
            files::replace_bytes(path, &onnx::to_bytes(&network, &name)?)?;
        }
        export(&run, &name, &[], args.target, &args.out)?
    } else {
        let what = args.source.display();
        ensure!(args.onnx.is_none(), "expected a run folder with --onnx, found {what}: give the run that it came from");
        ensure!(
            args.source.exists(),
            "expected a run folder, an ONNX file or a model file at {what}, found nothing: give what `edgegen train` wrote"
        );
        let bytes = std::fs::read(&args.source).with_context(|| format!("cannot read {what}"))?;
        if bytes.starts_with(&MAGIC) {
            ensure!(args.name.is_none(), "expected no --name with {what}, which has one: leave it out");
            let packed = repack(&read_any_model(&args.source)?, args.target)?;
            return write_packed(&packed, args, console);
        }
        let network = onnx::from_bytes(&bytes).with_context(|| what.to_string())?;
        let label = Label { name: &name, metadata: &[("source", "ONNX")] };
        export_network(&network, label, args.target, &args.out)?
    };
    report.onnx.clone_from(&args.onnx);
    console.show(&report, || text(&report))
}

/// Writes a model that was only packed anew.
fn write_packed(packed: &ModelFile, args: &Args, console: Console) -> Result<Ending> {
    files::replace_bytes(&args.out, packed.bytes())?;
    let cost = cost::cost(&Model::parse_any(packed.bytes())?);
    let value = serde_json::json!({ "file": args.out, "target": args.target.name(), "cost": cost });
    console.show(&value, || {
        format!(
            "{}: packed as {}, {} in flash, {} of RAM",
            args.out.display(),
            args.target.name(),
            bytes(cost.file_bytes),
            bytes(cost.arena_bytes as u64)
        )
    })
}

/// Exports a run, writes the file, and compares it with the float generator. `more` joins the metadata.
pub fn export(run: &Run, name: &str, more: &[(&str, &str)], target: Packing, out: &Path) -> Result<Report> {
    let network = run.network()?;
    let metadata = [&run.facts()[..], more].concat();
    let report = export_network(&network, Label { name, metadata: &metadata }, target, out)?;
    Ok(Report { lower_error: Some(lower_error(run, &network, COMPARED.1)), ..report })
}

fn export_network(network: &Network, label: Label<'_>, target: Packing, out: &Path) -> Result<Report> {
    let exported: Exported = edgegen_export::export(network, CALIBRATION, label)?;
    let packed = repack(&exported.file, target)?;
    files::replace_bytes(out, packed.bytes())?;
    let (images, seed) = COMPARED;
    Ok(Report {
        file: out.to_owned(),
        target: target.name(),
        onnx: None,
        cost: cost::cost(&Model::parse_any(packed.bytes())?),
        lower_error: None,
        float_vs_int8: compare(network, &exported, images, seed)?,
    })
}

/// What lowering alone changes: the same latent vectors through Burn and through the layers it was lowered to.
fn lower_error(run: &Run, network: &Network, seed: u64) -> f32 {
    let latents: Vec<Vec<f32>> = (0..8).map(|index| network.input.vector(seed + index)).collect();
    let pairs = run.generate(&latents).into_iter().zip(&latents);
    let differences = pairs.flat_map(|(burn, latent)| {
        burn.into_iter().zip(network.forward(latent).values).map(|(burn, layers)| (burn - layers).abs())
    });
    differences.fold(0.0, f32::max)
}

fn text(report: &Report) -> String {
    let Comparison { images, psnr_db, p999_levels, max_levels, fold_error, stage_snr_db } = &report.float_vs_int8;
    let rows = report.cost.ops.iter().zip(stage_snr_db).map(|(op, snr)| {
        [op.op.clone(), op.output.clone(), grouped(op.macs), grouped(op.weight_bytes), format!("{snr:.1} dB")]
    });
    let lowering =
        report.lower_error.map(|error| format!("lowering changed the float output by at most {error:.1e}, "));
    let lowering = lowering.unwrap_or_default();
    format!(
        "{}\n{}: {} in flash, {} of RAM, {} products an image\n\
         float against int8 over {images} images: {psnr_db:.1} dB PSNR, 99.9 % of pixels within {p999_levels} levels, largest difference {max_levels}\n\
         {lowering}folding changed the float output by at most {fold_error:.1e}",
        table(["operator", "output", "products", "weights", "signal to noise"], rows),
        report.file.display(),
        bytes(report.cost.file_bytes),
        bytes(report.cost.arena_bytes as u64),
        grouped(report.cost.macs),
    )
}
