//! `edgegen mix MODEL`: images of one seed in the style of another (Karras et al., "A Style-Based Generator
//! Architecture for Generative Adversarial Networks", 2019, figure 3).

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use edgegen_runtime::Point;
use edgegen_runtime::latent::{Noise, Style};

use super::import::Assumptions;
use super::source::Source;
use super::{Console, Ending};
use crate::images;

/// Rows and columns at most.
const MOST: i64 = 32;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A model file or a run folder whose generator has styles (`system = "style"`)
    #[arg(value_name = "MODEL")]
    source: PathBuf,
    /// Which layers follow the other seed: coarse, middle, fine, or a range such as 0..2, from 0
    #[arg(long, default_value = "coarse", value_name = "LAYERS")]
    layers: String,
    /// Images that are drawn anew, one a row
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=MOST))]
    rows: u16,
    /// Images whose style is taken, one a column
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=MOST))]
    columns: u16,
    /// Seed of the first row; the columns are the seeds behind those of the rows
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where the grid goes: the images of the columns on top, those of the rows at the left
    #[arg(long, short, default_value = "mix.png", value_name = "PNG")]
    out: PathBuf,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    images::expect(&args.out, &["png"])?;
    let source = Source::open(&args.source, &Assumptions::default())?;
    let count = source.styles()?;
    ensure!(
        count > 0,
        "expected a generator with styles, found none in {}: train one with system = \"style\"",
        args.source.display()
    );
    let [first, end] = range(&args.layers, count)?;
    let (rows, columns) = (u64::from(args.rows), u64::from(args.columns));
    // The same noise everywhere: what differs is style.
    let point = |index: u64| Point::seed(args.seed.wrapping_add(index)).with_noise(Noise::Seed(args.seed));
    let mut points: Vec<Point> = (0..columns).map(|column| point(rows + column)).collect();
    for row in 0..rows {
        points.push(point(row));
        let style = |column: u64| Style::of(args.seed.wrapping_add(rows + column), first, end);
        points.extend((0..columns).map(|column| point(row).styled(style(column))));
    }
    let mut made = source.images_at(&points, &[])?;
    let shape = source.shape()?;
    // Nothing stands where rows and columns meet.
    made.insert(0, vec![GREY; shape.iter().product()]);
    images::save_grid(&args.out, &made, shape, args.columns as usize + 1)?;
    let value = serde_json::json!({
        "file": args.out, "layers": [first, end], "of": count, "rows": rows, "columns": columns, "seed": args.seed,
    });
    console.show(&value, || {
        format!(
            "{}: {rows} images, a row each, whose layers {first}..{end} of {count} follow the {columns} on top",
            args.out.display()
        )
    })
}

/// What stands in the corner.
const GREY: u8 = 64;

/// The first of the layers that a word or a range names, and the one behind the last.
pub fn range(text: &str, count: u16) -> Result<[u16; 2]> {
    // The thirds of the paper: 4 and 8 pixels, 16 and 32, and the rest.
    let third = |part: u16| (u32::from(count) * u32::from(part)).div_ceil(3) as u16;
    let [first, end] = match text {
        "coarse" => [0, third(1)],
        "middle" => [third(1), third(2)],
        "fine" => [third(2), count],
        range => {
            let ends = range.split_once("..").map(|(first, end)| (first.parse(), end.parse()));
            let Some((Ok(first), Ok(end))) = ends else {
                bail!("expected --layers coarse, middle, fine or a range such as 0..2, found {range}")
            };
            [first, end]
        }
    };
    ensure!(
        first < end && end <= count,
        "expected --layers within 0..{count}, as this model has {count} layers with a style, found {text}"
    );
    Ok([first, end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_named_or_counted() {
        assert_eq!(range("coarse", 5).unwrap(), [0, 2]);
        assert_eq!(range("middle", 5).unwrap(), [2, 4]);
        assert_eq!(range("fine", 5).unwrap(), [4, 5]);
        assert_eq!(range("1..3", 5).unwrap(), [1, 3]);
        for (text, part) in [("3..6", "within 0..5"), ("2..2", "within 0..5"), ("hair", "found hair"), ("1..x", "1..x")]
        {
            let message = range(text, 5).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
