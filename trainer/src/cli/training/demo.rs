//! The half of `edgegen demo` that trains.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use crate::cli::demo::{Args, BoardFigures, draw_sheet, photograph};
use crate::cli::export::{self, Form, Report};
use crate::cli::source::{Source, read_model};
use crate::cli::training::report;
use crate::cli::{Console, Ending, bytes, grouped, interrupt, table};
use crate::data::{self, FetchOptions};
use crate::recipe::Recipe;
use crate::run::RECIPE as RECIPE_FILE;
use crate::{checkpoint, files, train};

/// The recipe that is trained, part of the program.
const RECIPE: &str = include_str!("../../../recipes/demo.toml");
/// Every figure, in the folder of the pictures.
const SUMMARY: &str = "summary.json";

/// Every figure that is printed.
#[derive(Serialize)]
struct Summary {
    data: String,
    /// Of the session that trained: a second demo finds the run finished.
    training: Value,
    export: Report,
    /// `None` where no board can be emulated.
    board: Option<BoardFigures>,
    pictures: Vec<PathBuf>,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let out = &args.out;
    let folder = out.join("run");
    let Some((dataset, training)) = train_or_resume(args, &folder, console)? else { return Ok(Ending::Interrupted) };

    let path = out.join("model.egm");
    let run = super::open(&folder)?;
    let report = export::export(&run, "demo", &[], Form::default(), &path)?;
    let model = read_model(&path)?;
    let mut pictures = vec![out.join("float.png"), out.join("int8.png")];
    draw_sheet(&Source::Run(Box::new(run)), &pictures[0])?;
    draw_sheet(&Source::Model(model.clone()), &pictures[1])?;
    let photo = out.join("panel.png");
    let board = photograph(&model, &photo, console)?;
    pictures.extend(board.is_some().then_some(photo));

    let summary = Summary { data: dataset, training, export: report, board, pictures };
    files::replace_bytes(&out.join(SUMMARY), &serde_json::to_vec_pretty(&summary)?)?;
    console.show(&summary, || text(&summary, out))
}

/// Trains in `folder`, or goes on with a run of the same recipe there. Gives the data's name and the figures of the
/// training; `None` if it was interrupted.
fn train_or_resume(args: &Args, folder: &Path, console: Console) -> Result<Option<(String, Value)>> {
    let mut recipe = Recipe::parse(RECIPE).context("demo recipe")?;
    recipe.train.steps = args.steps.unwrap_or(recipe.train.steps);
    recipe.check()?;
    let fetch = FetchOptions { report: Box::new(move |line| console.say(line)), ..FetchOptions::default() };
    let (dataset, notice) = data::load_or_glyphs(&recipe.data, &fetch)?;
    notice.iter().for_each(|notice| console.say(notice));
    recipe.data.name.clone_from(&dataset.name);
    // Of another recipe, an older demo's or one on other data, nothing is kept.
    let same = Recipe::load(&folder.join(RECIPE_FILE)).is_ok_and(|before| before == recipe);
    if !same && folder.join(RECIPE_FILE).exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let images = grouped(dataset.len() as u64);
    console.say(&format!("training on {images} images of {}: {} steps", dataset.name, recipe.train.steps));
    let options = train::Options {
        device: "flex".into(),
        out: folder.to_owned(),
        resume: checkpoint::newest(folder)?.is_some(),
        tensorboard: false,
        quiet: console.quiet,
        stop: interrupt::stop_flag(),
    };
    let training = train::train_on(&recipe, &dataset, &options)?;
    if training.stopped {
        console.say(&format!("stopped at step {}; the run is in {}", training.steps, folder.display()));
        return Ok(None);
    }
    let figures = folder.join("training.json");
    if training.session_steps > 0 {
        report::close(folder, &options.device, console);
        files::replace_bytes(&figures, &serde_json::to_vec_pretty(&training)?)?;
    } else {
        console.say("the run is finished already: remove its folder to train again");
    }
    let figures =
        fs::read(&figures).map_or(Ok(serde_json::to_value(&training)?), |bytes| serde_json::from_slice(&bytes))?;
    Ok(Some((dataset.name, figures)))
}

fn text(summary: &Summary, out: &Path) -> String {
    let Summary { training, export, board, .. } = summary;
    let pictures: Vec<String> = summary.pictures.iter().map(|path| path.display().to_string()).collect();
    let speed = training["images_per_second"].as_f64().unwrap_or(0.0);
    let instructions = board.as_ref().map_or("not counted".to_owned(), BoardFigures::to_string);
    let comparison = &export.float_vs_int8;
    let rows = [
        ("trained on", format!("{}, {} steps, {speed:.0} images/s", summary.data, training["steps"])),
        ("weights in flash", bytes(export.cost.weight_bytes)),
        ("model file", bytes(export.cost.file_bytes)),
        ("arena (RAM)", bytes(export.cost.arena_bytes as u64)),
        ("float against int8", format!("{:.1} dB PSNR over {} latents", comparison.psnr_db, comparison.images)),
        ("a sample takes", format!("{instructions}, {} products", grouped(export.cost.macs))),
    ];
    let rows = rows.map(|(what, figure)| [what.to_owned(), figure]);
    format!(
        "{}\npictures: {}\nfigures: {}",
        table(["figure", "value"], rows),
        pictures.join(", "),
        out.join(SUMMARY).display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_is_valid() {
        Recipe::parse(RECIPE).unwrap();
    }
}
