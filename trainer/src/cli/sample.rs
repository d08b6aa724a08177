//! `edgegen sample RUN|ONNX|MODEL`.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::import::Assumptions;
use super::source::{Source, read_picture};
use super::{Console, Ending, classes, training};
use crate::images;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A run folder (float), an ONNX file (float) or a model file (int8)
    #[arg(value_name = "RUN|ONNX|MODEL")]
    source: PathBuf,
    /// The picture that it makes another one of, for models that read one; it is brought to the model's size
    #[arg(long, value_name = "PICTURE")]
    image: Option<PathBuf>,
    /// Seed of the first image; the others follow
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The class to draw, for models that have classes [default: all in turn]
    #[arg(long, value_name = "NAME|NUMBER")]
    class: Option<String>,
    /// How many images [default: 64, or ten of each class; of a picture one]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    /// Columns of the sheet [default: one for each class, else a square]
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u32).range(1..))]
    grid: Option<u32>,
    /// Where to: .png is a sheet, or of a run on points of the plane a picture of them, .gif one image after the other, .npy uint8 [N, H, W, C]
    #[arg(long, default_value = "samples.png")]
    out: PathBuf,
    #[command(flatten)]
    assume: Assumptions,
}

/// `[H, W, C]` of points of the plane, and of nothing else.
const POINT: [usize; 3] = [1, 1, 2];

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let source = Source::open(&args.source, &args.assume)?;
    let picture = match (&args.image, source.fed()?) {
        (Some(path), Some(shape)) => Some(read_picture(path, shape)?),
        (None, None) => None,
        (Some(path), None) => {
            bail!("expected no --image for a model that reads none, found {}: leave it out", path.display())
        }
        (None, Some(shape)) => {
            bail!("expected --image for a model that reads a picture of {shape}, found none: give one")
        }
    };
    let class = args.class.as_deref().map(|text| classes::number(&source.class_names()?, source.classes()?, text));
    let class = class.transpose()?;
    let are_points = source.shape()? == POINT;
    // Seed after seed the classes come in turn.
    let classes = if args.class.is_none() && !are_points { source.classes()? } else { 0 };
    let usual = match classes {
        0 if picture.is_some() => 1,
        0 => 64,
        classes => 10 * classes,
    };
    let count = args.count.map_or(usual, |count| count as usize);
    let (images, shape) = match &source {
        Source::Run(run) if are_points => training::scattered(run, args.seed, count)?,
        _ => source.translated(args.seed, count, class, picture.as_deref().unwrap_or(&[]))?,
    };
    let columns = match args.grid {
        Some(columns) => columns as usize,
        None if classes > 0 => classes,
        None => square(images.len()),
    };
    images::save(&args.out, &images, shape, columns)?;
    let seeds = [args.seed, args.seed.wrapping_add(count as u64 - 1)];
    let value = serde_json::json!({ "file": args.out, "count": count, "seeds": seeds, "shape": shape });
    console.show(&value, || {
        format!("{}: {} images of {}×{}×{}", args.out.display(), images.len(), shape[0], shape[1], shape[2])
    })
}

/// Columns of the sheet nearest to a square.
pub fn square(count: usize) -> usize {
    count.isqrt() + usize::from(count.isqrt().pow(2) < count)
}
