//! `edgegen export SOURCE -o m.egm`: a run, or an ONNX file from elsewhere, becomes a model file; a model file one for a target.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use edgegen_export::compare::{Comparison, compare, compare_with};
use edgegen_export::cost::{self, Cost};
use edgegen_export::layers::{Input, Network};
use edgegen_export::{COMPARED, Exported, Label, ModelFile, onnx, repack};
use edgegen_runtime::Point;
use edgegen_runtime::format::MAGIC;
use edgegen_runtime::graph::Width;
use edgegen_runtime::sound::RATE;
use edgegen_runtime::{Model, Packing};
use serde::Serialize;

use super::fit::what;
use super::import::{self, Assumptions};
use super::pictures::Pictures;
use super::source::{Source, packing, read_any_model};
use super::training::{self, Run};
use super::{Console, Ending, bytes, classes, grouped, latents, table, words};
use crate::{files, images};

/// Latent vectors that ranges are calibrated on.
pub const CALIBRATION: usize = 256;
/// Pictures that float and int8 of a model which reads them are compared on: whole maps are computed for each.
const COMPARED_PICTURES: usize = 64;
/// Products of all images that an ONNX file is calibrated or compared on: with large networks there are fewer images, at
/// least as many as stand behind it.
const PRODUCTS: (u64, usize) = (10_000_000_000, 24);
/// Inputs that an ONNX file is run on to be compared with the network read from it, layer by layer: at most, and
/// products.
const ORACLE: (u64, u64) = (4, 400_000_000);
/// Samples in the picture beside a model from an ONNX file, in two rows.
const SAMPLES: usize = 8;
/// Below this, in dB, export warns.
pub const POOR: f64 = 30.0;

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
    /// The codes of values between inputs and image: int8, or int16 for what that is too coarse, which takes twice the
    /// RAM and several times the instructions
    #[arg(long, value_enum, default_value = "int8")]
    codes: Codes,
    /// Draw every style of a run that has them towards the mean of all: 1 leaves them, 0.7 gives up some variety for
    /// better images
    #[arg(long, value_name = "PSI", value_parser = latents::psi)]
    truncation: Option<f32>,
    /// Also write the float generator of a run as an ONNX file
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,
    /// A run that draws the pictures which the first one reads: both become one model, which shows each picture and
    /// beside it what becomes of it
    #[arg(long, value_name = "RUN", conflicts_with_all = ["onnx", "truncation", "paths"])]
    after: Option<PathBuf>,
    /// What the model is called [default: the file's name]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    pictures: Pictures,
    #[command(flatten)]
    assume: Assumptions,
}

/// [`Width`] as an option.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Codes {
    /// The default.
    #[default]
    Int8,
    /// See [`Width::Int16`].
    Int16,
}

/// In which form a model is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Form {
    /// The kernels that read it; the portable form by default.
    pub target: Packing,
    /// Of values between inputs and image.
    pub codes: Codes,
}

impl Form {
    fn width(&self) -> Width {
        match self.codes {
            Codes::Int8 => Width::Int8,
            Codes::Int16 => Width::Int16,
        }
    }
}

/// What an export came to.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The file written.
    pub file: PathBuf,
    /// What it is packed for.
    pub target: &'static str,
    /// The codes between inputs and image, `int8` or `int16`.
    pub codes: &'static str,
    /// The ONNX file written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onnx: Option<PathBuf>,
    /// What it makes one of.
    pub makes: &'static str,
    /// What it costs.
    pub cost: Cost,
    /// Largest difference between Burn's output and that of the lowered layers, in the units of the last layer. An ONNX
    /// file has no Burn output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lower_error: Option<f32>,
    /// How near it is to the float generator, whatever its codes.
    pub float_vs_int8: Comparison,
    /// What an ONNX file does not tell and was assumed, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<String>,
    /// Largest difference between what tract makes of an ONNX file and the float network that was read from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import_error: Option<f32>,
    /// A picture of samples, by which a wrong assumption is seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<PathBuf>,
}

impl Args {
    fn form(&self) -> Form {
        Form { target: self.target, codes: self.codes }
    }
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let stem = args.out.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = args.name.clone().or(stem).unwrap_or_default();
    let source = [("the source", &*args.source)];
    let is_onnx = args.source.extension().is_some_and(|extension| extension == "onnx");
    // Of an ONNX file a picture comes beside the model.
    let picture = is_onnx.then(|| args.out.with_extension("png"));
    let written: Vec<(&str, &Path)> =
        [("--out", Some(&*args.out)), ("--onnx", args.onnx.as_deref()), ("the picture", picture.as_deref())]
            .into_iter()
            .filter_map(|(what, path)| Some((what, path?)))
            .collect();
    files::distinct(&source, &written)?;
    let mut report = if let Some(first) = &args.after {
        export_both(args, first, &name)?
    } else if args.source.is_dir() {
        let mut run = training::open(&args.source)?;
        let psi = args.truncation.map(|psi| psi.to_string());
        if let Some(psi) = args.truncation {
            run = run.truncated(psi).with_context(|| {
                format!(
                    "expected a generator with styles for --truncation, found none in {}: leave it out",
                    args.source.display()
                )
            })?;
        }
        let network = run.network()?;
        if let Some(path) = &args.onnx {
            files::replace_bytes(path, &onnx::to_bytes(&network, &name)?)?;
        }
        let more: Vec<_> = psi.iter().map(|psi| ("truncation", &**psi)).collect();
        // Before long work: one that cannot be read, or is not wanted.
        args.pictures.read(run.fed())?;
        let mut report = export(&run, &name, &more, args.form(), &args.out)?;
        put_in_pictures(args, &mut report)?;
        report
    } else {
        let what = args.source.display();
        ensure!(
            args.truncation.is_none(),
            "expected a run folder with --truncation, found {what}: give the run that it came from"
        );
        ensure!(args.onnx.is_none(), "expected a run folder with --onnx, found {what}: give the run that it came from");
        ensure!(
            args.source.exists(),
            "expected a run folder, an ONNX file or a model file at {what}, found nothing: give what `edgegen train` wrote"
        );
        let bytes = std::fs::read(&args.source).with_context(|| format!("cannot read {what}"))?;
        if bytes.starts_with(&MAGIC) {
            ensure!(args.name.is_none(), "expected no --name with {what}, which has one: leave it out");
            ensure!(
                args.codes == Codes::Int8,
                "expected a run or an ONNX file with --codes, found {what}: export it anew"
            );
            let packed = repack(&args.pictures.put_into(read_any_model(&args.source)?)?, args.target)?;
            return write_packed(&packed, args, console);
        }
        export_file(args, &name, console)?
    };
    report.onnx.clone_from(&args.onnx);
    console.show(&report, || text(&report))
}

/// Exports an ONNX file, and draws samples beside the model.
fn export_file(args: &Args, name: &str, console: Console) -> Result<Report> {
    let import = import::open(&args.source, &args.assume)?;
    let network = import.network();
    let products = network.products()?.max(1);
    let images = ((PRODUCTS.0 / products) as usize).clamp(PRODUCTS.1, CALIBRATION);
    console.say(&format!(
        "{} products an image: calibrating on {images} inputs, then comparing as many images",
        grouped(products)
    ));
    let label = Label { name, metadata: &[("source", "ONNX")] };
    let mut report = export_network(network, label, args.form(), &args.out, images)?;
    let file = put_in_pictures(args, &mut report)?;
    let compared = (ORACLE.1 / products).clamp(1, ORACLE.0);
    let inputs: Vec<_> = (0..compared).map(|index| network.inputs_at(Point::seed(COMPARED + index))).collect();
    let import_error = import.error(&inputs)?;
    let picture = args.out.with_extension("png");
    let (samples, shape) = Source::Model(file).images(0, SAMPLES, None)?;
    images::save(&picture, &samples, shape, SAMPLES / 2)?;
    let assumed = import.notes().to_vec();
    Ok(Report { assumed, import_error: Some(import_error), picture: Some(picture), ..report })
}

/// Puts the pictures of the command into the model that `report` is of; gives its file.
fn put_in_pictures(args: &Args, report: &mut Report) -> Result<ModelFile> {
    let file = args.pictures.put_into(read_any_model(&args.out)?)?;
    files::replace_bytes(&args.out, file.bytes())?;
    report.cost = cost::cost(&Model::parse_any(file.bytes())?);
    Ok(file)
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
pub fn export(run: &Run, name: &str, more: &[(&str, &str)], form: Form, out: &Path) -> Result<Report> {
    let network = run.network()?;
    let names = run.class_names().join("\n");
    let mut metadata = [&run.facts()[..], more].concat();
    if !names.is_empty() {
        metadata.push((classes::FACT, &names));
    }
    let words = words::fact(run.words());
    if !words.is_empty() {
        metadata.push((Model::WORDS, &words));
    }
    let rate = run.sample_rate().map(|rate| rate.to_string());
    metadata.extend(rate.as_ref().map(|rate| (RATE, &**rate)));
    let label = Label { name, metadata: &metadata };
    if network.reads_images() {
        let [examples, others] = run.examples(&network, CALIBRATION, COMPARED_PICTURES)?;
        let exported = edgegen_export::export_as(&network, &examples, label, form.width())?;
        let comparison = compare_with(&network, &exported, &others)?;
        let error = lower_error(run, &network, others.into_iter())?;
        let report = write(&exported, comparison, form, out)?;
        return Ok(Report { lower_error: Some(error), ..report });
    }
    let report = export_network(&network, label, form, out, CALIBRATION)?;
    let latents = (COMPARED..).map(|seed| run.apart(&run.values_at(Point::seed(seed))));
    Ok(Report { lower_error: Some(lower_error(run, &network, latents)?), ..report })
}

/// Exports a run that draws pictures and the command's, which reads them, as one model.
fn export_both(args: &Args, first: &Path, name: &str) -> Result<Report> {
    ensure!(
        args.source.is_dir(),
        "expected a run folder with --after, found {}: give the run that it came from",
        args.source.display()
    );
    let [first, second] = [training::open(first)?, training::open(&args.source)?];
    let network = first.network()?.followed_by(second.network()?)?;
    let system = |run: &Run| {
        let facts = run.facts().into_iter().filter(|(name, _)| *name == "system");
        facts.map(|(_, system)| system.to_owned()).collect::<String>()
    };
    let systems = [system(&first), system(&second)].join(", ");
    let names = first.class_names().join("\n");
    let mut metadata = vec![("system", &*systems)];
    if !names.is_empty() {
        metadata.push((classes::FACT, &names));
    }
    export_network(&network, Label { name, metadata: &metadata }, args.form(), &args.out, CALIBRATION)
}

/// Exports a network, calibrated on and compared on `images` inputs.
fn export_network(network: &Network, label: Label<'_>, form: Form, out: &Path, images: usize) -> Result<Report> {
    let examples = edgegen_export::calibration(network, images);
    let exported = edgegen_export::export_as(network, &examples, label, form.width())?;
    let comparison = compare(network, &exported, images, COMPARED)?;
    write(&exported, comparison, form, out)
}

/// Packs a model for its target and writes it.
fn write(exported: &Exported, float_vs_int8: Comparison, form: Form, out: &Path) -> Result<Report> {
    let packed = repack(&exported.file, form.target)?;
    files::replace_bytes(out, packed.bytes())?;
    let model = Model::parse_any(packed.bytes())?;
    Ok(Report {
        file: out.to_owned(),
        target: form.target.name(),
        codes: if form.codes == Codes::Int8 { "int8" } else { "int16" },
        onnx: None,
        makes: what(&model),
        cost: cost::cost(&model),
        lower_error: None,
        float_vs_int8,
        assumed: Vec::new(),
        import_error: None,
        picture: None,
    })
}

/// What lowering alone changes: the first few inputs through Burn and through the layers it was lowered to. A network
/// that reads its own image sees the one that Burn drew, whose values lie within its range and are levels of it.
fn lower_error(run: &Run, network: &Network, inputs: impl Iterator<Item = Vec<Vec<f32>>>) -> Result<f32> {
    let inputs: Vec<Vec<Vec<f32>>> = inputs.take(8).collect();
    let read = network.inputs().filter(|input| !matches!(input, Input::Previous { .. })).count();
    let values: Vec<Vec<f32>> = inputs.iter().map(|input| input[..read].concat()).collect();
    let mut most = 0.0;
    for (burn, input) in run.generate(&values).into_iter().zip(inputs) {
        let layers = network.forward(&input)?.values;
        let bound = |value: f32| match network.previous() {
            Some((_, pixels)) => value.clamp(pixels.black(), pixels.black() + pixels.span()),
            None => value,
        };
        most = burn.iter().zip(layers).map(|(burn, layers)| (burn - bound(layers)).abs()).fold(most, f32::max);
    }
    Ok(most)
}

fn text(report: &Report) -> String {
    let Comparison { images, psnr_db, p999_levels, max_levels, fold_error, stages, stage_snr_db, worst } =
        &report.float_vs_int8;
    let rows = report.cost.ops.iter().zip(stages).zip(stage_snr_db).map(|((op, name), snr)| {
        let noise = format!("{snr:.1} dB");
        [name.clone(), op.op.clone(), op.output.clone(), grouped(op.macs), grouped(op.weight_bytes), noise]
    });
    let mut lines = vec![
        table(["layer", "operator", "output", "products", "weights", "signal to noise"], rows),
        format!(
            "{}: {} in flash, {} of RAM, {} products {}",
            report.file.display(),
            bytes(report.cost.file_bytes),
            bytes(report.cost.arena_bytes as u64),
            grouped(report.cost.macs),
            report.makes
        ),
        format!(
            "float against {} over {images} images: {psnr_db:.1} dB PSNR, 99.9 % of pixels within {p999_levels} \
             levels, largest difference {max_levels}",
            report.codes
        ),
    ];
    let folding = format!("folding changed the float output by at most {fold_error:.1e}");
    lines.push(match (report.lower_error, report.import_error) {
        (Some(error), _) => format!("lowering changed the float output by at most {error:.1e}, {folding}"),
        (_, Some(error)) => format!("reading the file changed its output by at most {error:.1e}, {folding}"),
        _ => folding,
    });
    lines.extend(report.assumed.iter().map(|note| format!("assumed: {note}")));
    lines.extend(
        report
            .picture
            .iter()
            .map(|picture| format!("eight samples, by which a wrong assumption is seen: {}", picture.display())),
    );
    if *psnr_db < POOR {
        let advice = if report.codes == "int8" { "; `--codes int16` loses less" } else { "" };
        lines.push(format!("warning: less than {POOR} dB; most is lost in {worst}{advice}"));
    }
    lines.join("\n")
}
