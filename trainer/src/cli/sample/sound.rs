//! `edgegen sample` of a model that makes sound: a WAV file, or its waves.

use anyhow::{Result, bail, ensure};

use super::Args;
use crate::cli::source::{Source, check_class};
use crate::cli::words::Asked;
use crate::cli::{Console, Ending};
use crate::sounds::{self, Wave};

/// Samples of a file at most: an hour at 16 kHz.
const MAX_SAMPLES: u64 = 1 << 26;
/// Waves side by side where classes do not come in turn.
const COLUMNS: usize = 4;

pub fn run(source: &Source, args: &Args, asked: &Asked, rate: u32, format: &str, console: Console) -> Result<Ending> {
    if args.latents.is_some() {
        bail!("expected .npy for the sounds of --latents, found {}: change the name", args.out.display());
    }
    let class = asked.class(args.seed);
    check_class(class, source.classes()?)?;
    let classes = if matches!(asked, Asked::Any) { source.classes()? } else { 0 };
    let count = args.count.map_or(classes.max(1), |count| count as usize);
    let [samples, ..] = source.shape()?;
    let most = MAX_SAMPLES / samples.max(1) as u64;
    ensure!(count as u64 <= most, "expected at most {most} sounds of {samples} samples, found {count}: lower --count");
    let images = source.images_at(&asked.points(args.seed, count), &[])?;
    let made: Vec<Vec<i16>> = images.iter().map(|image| sounds::samples(image)).collect();
    if format == "wav" {
        sounds::save_wav(&args.out, &sounds::in_a_row(&made, rate), rate)?;
    } else {
        let names = source.class_names()?;
        let titled = (0u64..).zip(made.iter().cloned()).map(|(index, samples)| {
            let seed = args.seed.wrapping_add(index);
            // Without one asked for the class follows from the seed.
            let class = class.map_or(seed.checked_rem(classes as u64), |class| Some(class.into()));
            let name = class.map(|class| names.get(class as usize).cloned().unwrap_or(format!("class {class}")));
            let title = name.map_or(format!("seed {seed}"), |name| format!("{name}, seed {seed}"));
            Wave { title, samples }
        });
        let columns = args.grid.map_or(if classes > 0 { classes } else { COLUMNS }, |columns| columns as usize);
        sounds::save_waves(&args.out, &titled.collect::<Vec<_>>(), rate, columns)?;
    }
    let seconds = samples as f64 / f64::from(rate);
    let peak = made.iter().flatten().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
    let value = serde_json::json!({
        "file": args.out,
        "count": count,
        "seeds": [args.seed, args.seed.wrapping_add(count as u64 - 1)],
        "rate": rate,
        "samples": samples,
        "seconds": seconds,
        "peak": f64::from(peak) / f64::from(i16::MAX),
    });
    console.show(&value, || {
        let sounds = if count == 1 { "a sound".to_owned() } else { format!("{count} sounds") };
        format!("{}: {sounds} of {seconds:.3} s at {rate} Hz", args.out.display())
    })
}
