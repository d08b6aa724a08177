//! `edgegen sample RUN|MODEL`.

use std::path::PathBuf;

use anyhow::Result;

use super::source::Source;
use super::{Console, Ending};
use crate::images;

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
    /// Where to: .png is a sheet, .gif one image after the other, .npy uint8 [N, H, W, C]
    #[arg(long, default_value = "samples.png")]
    out: PathBuf,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let (images, shape) = Source::open(&args.source)?.images(args.seed, args.count as usize, args.class)?;
    let columns = args.grid.map_or_else(|| square(images.len()), |columns| columns as usize);
    images::save(&args.out, &images, shape, columns)?;
    let seeds = [args.seed, args.seed.wrapping_add(u64::from(args.count) - 1)];
    let value = serde_json::json!({ "file": args.out, "count": args.count, "seeds": seeds, "shape": shape });
    console.show(&value, || {
        format!("{}: {} images of {}×{}×{}", args.out.display(), args.count, shape[0], shape[1], shape[2])
    })
}

/// Columns of the sheet nearest to a square.
pub fn square(count: usize) -> usize {
    count.isqrt() + usize::from(count.isqrt().pow(2) < count)
}
