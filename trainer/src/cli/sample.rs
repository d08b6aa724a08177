//! `edgegen sample RUN|MODEL`.

use std::path::PathBuf;

use anyhow::Result;

use super::eval::plane;
use super::source::Source;
use super::{Console, Ending};
use crate::data::plane::{Plane, in_view};
use crate::images;
use crate::rng::Rng;
use crate::run::Run;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A run folder (float) or a model file (int8)
    #[arg(value_name = "RUN|MODEL")]
    source: PathBuf,
    /// Seed of the first image; the others follow
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The class to draw, for models that have classes [default: all in turn]
    #[arg(long)]
    class: Option<u16>,
    /// How many images
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Columns of the sheet [default: a square]
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u32).range(1..))]
    grid: Option<u32>,
    /// Where to: .png is a sheet, or of a run on points of the plane a picture of them, .gif one image after the other, .npy uint8 [N, H, W, C]
    #[arg(long, default_value = "samples.png")]
    out: PathBuf,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let source = Source::open(&args.source)?;
    let (images, shape) = match (&source, plane::find(&source)?) {
        (Source::Run(run), Some(plane)) => scattered(run, &plane, args),
        _ => source.images(args.seed, args.count as usize, args.class)?,
    };
    let columns = args.grid.map_or_else(|| square(images.len()), |columns| columns as usize);
    images::save(&args.out, &images, shape, columns)?;
    let seeds = [args.seed, args.seed.wrapping_add(u64::from(args.count) - 1)];
    let value = serde_json::json!({ "file": args.out, "count": args.count, "seeds": seeds, "shape": shape });
    console.show(&value, || {
        format!("{}: {} images of {}×{}×{}", args.out.display(), images.len(), shape[0], shape[1], shape[2])
    })
}

/// All points on one picture, over as many real ones.
fn scattered(run: &Run, plane: &Plane, args: &Args) -> (Vec<Vec<u8>>, [usize; 3]) {
    let outputs = run.generate(&run.inputs(args.seed, args.count as usize));
    let (real, _) = plane.draw(outputs.len(), &mut Rng::new(args.seed, 0));
    let picture = images::scatter(&real, &in_view(&outputs, run.generator.pixels));
    (vec![picture], [images::SCATTER, images::SCATTER, 3])
}

/// Columns of the sheet nearest to a square.
pub fn square(count: usize) -> usize {
    count.isqrt() + usize::from(count.isqrt().pow(2) < count)
}
