//! `edgegen report RUN`.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::cli::{Console, Ending, bytes, quoted};
use crate::closeup::{self, Closeup};
use crate::run::RECIPE;
use crate::train::report::{self, REPORT};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A run folder, also of a run that was killed or goes on
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// What computes, see `edgegen devices`
    #[arg(long, default_value = "flex")]
    device: String,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let folder = &args.run;
    ensure!(
        folder.join(RECIPE).is_file(),
        "expected a run folder, found no {RECIPE} in {}: give the --out folder of `edgegen train`",
        folder.display()
    );
    let closeup = closeup::take(folder, &args.device)?;
    report::write(folder, &args.device)?;
    let path = folder.join(REPORT);
    console.show(&serde_json::json!({ "file": path, "closeup": closeup }), || {
        format!("{}: written anew\n{}", quoted(&path), text(closeup.as_ref()))
    })
}

/// Takes the closeup of a run that has ended or pauses, and writes its report with it. Without one there still is a
/// report: why is only said.
pub fn close(folder: &Path, device: &str, console: Console) {
    let taken = closeup::take(folder, device).and_then(|_| report::write(folder, device));
    if let Err(error) = taken {
        console.say(&format!("warning: the report has no closer look at the samples: {error:#}"));
    }
}

fn text(closeup: Option<&Closeup>) -> String {
    let Some(Closeup { step, nearest, int8 }) = closeup else {
        return "no closer look: it draws no images, or has no weights yet".to_owned();
    };
    let mean = nearest.pixels.samples.iter().sum::<f32>() / nearest.pixels.samples.len().max(1) as f32;
    let usual = nearest
        .pixels
        .usual
        .map_or_else(String::new, |usual| format!("; training images are {usual:.1} from their nearest other one"));
    let int8 = match int8 {
        Ok(int8) => {
            let near = int8.psnr_db.map_or_else(|| "the same bytes as float".to_owned(), |db| format!("{db:.1} dB"));
            format!("int8: {near}, {} of flash, {} of RAM", bytes(int8.flash), bytes(int8.ram as u64))
        }
        Err(why) => format!("no int8: {why}"),
    };
    format!("step {step}: samples are {mean:.1} levels from the nearest training image{usual}\n{int8}")
}
