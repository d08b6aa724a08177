//! `edgegen export RUN -o m.egm`: a run, or an ONNX file from elsewhere, becomes a model file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use edgegen_export::compare::{Comparison, compare};
use edgegen_export::cost::{self, Cost};
use edgegen_export::layers::Network;
use edgegen_export::{Exported, Label, latent_vector, onnx};
use edgegen_runtime::Model;
use serde::Serialize;

use super::{Console, Ending, bytes, grouped, table};
use crate::run::Run;
use crate::{device, files, lower};

/// Latent vectors that ranges are calibrated on.
const CALIBRATION: usize = 256;
/// Images that float and int8 are compared on, and the first seed.
const COMPARED: (usize, u64) = (256, 1_000_000);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A run folder, or an ONNX file of a generator
    run: PathBuf,
    /// The model file to write
    #[arg(long, short)]
    out: PathBuf,
    /// Also write the float generator as an ONNX file
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
    let mut report = if args.run.is_dir() {
        let run = Run::load(&args.run, &device::open("flex")?)?;
        let network = lower(&run)?;
        if let Some(path) = &args.onnx {
            files::replace_bytes(path, &onnx::to_bytes(&network, &name)?)?;
        }
        export(&run, &name, &args.out)?
    } else if args.onnx.is_some() {
        bail!("expected a run folder with --onnx, found {}: it is what would be written", args.run.display());
    } else if args.run.exists() {
        let bytes = std::fs::read(&args.run).with_context(|| format!("cannot read {}", args.run.display()))?;
        let network = onnx::from_bytes(&bytes).with_context(|| args.run.display().to_string())?;
        export_network(&network, Label { name: &name, metadata: &[("source", "ONNX")] }, &args.out)?
    } else {
        bail!(
            "expected a run folder at {}, found nothing: give the folder that `edgegen train` wrote",
            args.run.display()
        );
    };
    report.onnx.clone_from(&args.onnx);
    console.show(&report, || text(&report))
}

/// Exports a run, writes the file, and compares it with the float generator.
pub fn export(run: &Run, name: &str, out: &Path) -> Result<Report> {
    let network = lower(run)?;
    let metadata = [("system", run.recipe.system.as_str()), ("data", run.recipe.data.name.as_str())];
    let report = export_network(&network, Label { name, metadata: &metadata }, out)?;
    Ok(Report { lower_error: Some(lower_error(run, &network, COMPARED.1)), ..report })
}

fn export_network(network: &Network, label: Label<'_>, out: &Path) -> Result<Report> {
    let exported: Exported = edgegen_export::export(network, CALIBRATION, label)?;
    files::replace_bytes(out, exported.file.bytes())?;
    let model = Model::parse(exported.file.bytes())?;
    let (images, seed) = COMPARED;
    Ok(Report {
        file: out.to_owned(),
        onnx: None,
        cost: cost::cost(&model),
        lower_error: None,
        float_vs_int8: compare(network, &exported, images, seed)?,
    })
}

fn lower(run: &Run) -> Result<Network> {
    lower::lower(&run.generator.net, run.generator.prior, run.generator.pixels)
}

/// What lowering alone changes: the same latent vectors through Burn and through the layers it was lowered to.
fn lower_error(run: &Run, network: &Network, seed: u64) -> f32 {
    let latents: Vec<Vec<f32>> =
        (0..8).map(|index| latent_vector(network.prior, network.latent_dims, seed + index)).collect();
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
