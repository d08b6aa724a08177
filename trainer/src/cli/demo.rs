//! `edgegen demo`: the whole way. Draws with the shipped model first, then trains a small one and takes it to the panel.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use edgegen_sim::qemu::{self, Shot};
use edgegen_sim::{Cpu, PanelSpec, panel};
use serde::Serialize;

use super::export::{self, Report};
use super::source::{Source, project, read_model};
use super::train::stop_on_interrupt;
use super::{Console, Ending, bytes, grouped, table};
use crate::data::{self, FetchOptions};
use crate::recipe::Recipe;
use crate::run::Run;
use crate::{device, files, images, train};

/// The recipe that is trained, part of the program.
const RECIPE: &str = include_str!("../../recipes/demo.toml");
/// The model that is drawn before anything is trained.
const SHIPPED: &str = "models/mnist-dcgan/model.egm";
/// Images on a sample sheet.
const SHEET: usize = 64;
/// The processor that the firmware is run on.
const CPU: Cpu = Cpu::CortexM4;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Steps to train, instead of the recipe's
    #[arg(long)]
    steps: Option<u64>,
    /// Where the pictures go
    #[arg(long, default_value = "out/demo")]
    out: PathBuf,
}

/// Every figure that the demo prints.
#[derive(Serialize)]
struct Summary {
    data: String,
    training: train::Summary,
    export: Report,
    cpu: &'static str,
    instructions_per_sample: u64,
    pictures: Vec<PathBuf>,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let out = &args.out;
    let shipped = project().join(SHIPPED);
    if shipped.exists() {
        let (sheet, photo) = (out.join("shipped.png"), out.join("shipped-panel.png"));
        let file = read_model(&shipped)?;
        draw_sheet(&Source::Model(file.clone()), &sheet)?;
        files::replace_bytes(&photo, &panel::photo(file.bytes(), 0, PanelSpec::OLED)?.png()?)?;
        console.say(&format!("the shipped model draws: {} and {}", sheet.display(), photo.display()));
    }

    let mut recipe = Recipe::parse(RECIPE).context("demo recipe")?;
    recipe.train.steps = args.steps.unwrap_or(recipe.train.steps);
    let fetch = FetchOptions { report: Box::new(move |line| console.say(line)), ..FetchOptions::default() };
    let (dataset, notice) = data::load_or_glyphs(&recipe.data, &fetch)?;
    notice.iter().for_each(|notice| console.say(notice));
    console.say(&format!(
        "training on {} images of {}: {} steps",
        grouped(dataset.len() as u64),
        dataset.name,
        recipe.train.steps
    ));
    let options = train::Options {
        device: "flex".into(),
        out: out.join("run"),
        // A second demo goes on with an interrupted run, and has nothing to train after a finished one.
        resume: true,
        quiet: console.quiet,
        stop: stop_on_interrupt()?,
    };
    let training = train::train_on(&recipe, &dataset, &options)?;
    if training.stopped {
        console.say(&format!("stopped at step {}; the run is in {}", training.steps, options.out.display()));
        return Ok(Ending::Interrupted);
    }

    let model = out.join("model.egm");
    let run = Run::load(&options.out, &device::open("flex")?)?;
    let report = export::export(&run, "demo", &model)?;
    let (float, int8) = (out.join("float.png"), out.join("int8.png"));
    draw_sheet(&Source::Run(Box::new(run)), &float)?;
    draw_sheet(&Source::Model(read_model(&model)?), &int8)?;

    console.say(&format!("building the firmware and booting it on an emulated {}", CPU.name()));
    let Shot { png, report: board, .. } = qemu::run(&model, CPU, 0)?;
    let photo = out.join("panel.png");
    files::replace_bytes(&photo, &png)?;
    let instructions: Vec<u64> = board.images.iter().map(Shot::instructions).collect();

    let summary = Summary {
        data: dataset.name.clone(),
        training,
        export: report,
        cpu: CPU.name(),
        instructions_per_sample: instructions.iter().sum::<u64>() / instructions.len().max(1) as u64,
        pictures: vec![float, int8, photo],
    };
    files::replace_bytes(&out.join("summary.json"), &serde_json::to_vec_pretty(&summary)?)?;
    console.show(&summary, || text(&summary, out))
}

fn draw_sheet(source: &Source, path: &Path) -> Result<()> {
    let (pictures, shape) = source.images(0, SHEET)?;
    images::save(path, &pictures, shape, SHEET.isqrt())
}

fn text(summary: &Summary, out: &Path) -> String {
    let Summary { training, export, .. } = summary;
    let pictures: Vec<String> = summary.pictures.iter().map(|path| path.display().to_string()).collect();
    let rows = [
        [
            "trained on".to_owned(),
            format!("{}, {} steps, {:.0} images/s", summary.data, training.steps, training.images_per_second),
        ],
        ["weights in flash".to_owned(), bytes(export.cost.weight_bytes)],
        ["model file".to_owned(), bytes(export.cost.file_bytes)],
        ["arena (RAM)".to_owned(), bytes(export.cost.arena_bytes as u64)],
        [
            "float against int8".to_owned(),
            format!("{:.1} dB PSNR over {} latents", export.float_vs_int8.psnr_db, export.float_vs_int8.images),
        ],
        [
            "a sample takes".to_owned(),
            format!(
                "{} instructions on {}, {} products",
                grouped(summary.instructions_per_sample),
                summary.cpu,
                grouped(export.cost.macs)
            ),
        ],
    ];
    format!(
        "{}\npictures: {}\nfigures: {}",
        table(["", ""], rows),
        pictures.join(", "),
        out.join("summary.json").display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_is_valid() {
        Recipe::parse(RECIPE).unwrap();
    }

    #[test]
    fn shipped_model_is_there() {
        read_model(&project().join(SHIPPED)).unwrap();
    }
}
