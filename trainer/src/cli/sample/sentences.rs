//! `edgegen sample` of a run that translates sentences: lines, and the same as a picture.

use anyhow::{Result, ensure};

use super::Args;
use crate::cli::training::{self, Run};
use crate::cli::{Console, Ending};
use crate::images;

/// Sentences unless others are asked for.
const COUNT: usize = 20;

pub fn run(run: &Run, args: &Args, format: &str, console: Console) -> Result<Ending> {
    ensure!(
        format == "png" && args.latents.is_none() && args.class.is_none() && args.text.is_none(),
        "expected a .png and no --latents, --class or --text with a model of sentences, found {}: change the name, or leave them out",
        args.out.display()
    );
    let lines = training::sentences(run, args.count.map_or(COUNT, |count| count as usize))?;
    let (page, shape) = images::page(&lines);
    images::save(&args.out, &[page], shape, 1)?;
    let value = serde_json::json!({ "file": args.out, "lines": lines });
    console.show(&value, || format!("{}\n{}", lines.join("\n"), args.out.display()))
}
