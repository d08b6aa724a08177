//! `edgegen train RECIPE`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use edgegen_sim::boards;

use super::{report, room};
use crate::cli::{Console, Ending, bytes, interrupt, quoted};
use crate::recipe::Recipe;
use crate::train;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The recipe, a TOML file (trainer/recipes has some)
    recipe: PathBuf,
    /// What computes, see `edgegen devices`
    #[arg(long, default_value = "flex")]
    device: String,
    /// Images, instead of the recipe's: a name of `edgegen data list`, an IDX file or a folder
    #[arg(long, value_name = "NAME|PATH")]
    data: Option<String>,
    /// Go on without images that cannot be read
    #[arg(long)]
    skip_bad: bool,
    /// Steps in all, instead of the recipe's
    #[arg(long)]
    steps: Option<u64>,
    /// Seed, instead of the recipe's
    #[arg(long)]
    seed: Option<u64>,
    /// The run folder [default: runs/ and the recipe's name]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Go on from the checkpoint in the run folder; steps, rates and intervals may be others than before
    #[arg(long)]
    resume: bool,
    /// Refuse before the first step what would not fit this board, one of `edgegen boards`
    #[arg(long)]
    board: Option<String>,
    /// Write an event file into the run folder that TensorBoard shows: `tensorboard --logdir runs`
    #[arg(long)]
    tensorboard: bool,
    /// Begin with the weights of this run, or shipped model, instead of random ones
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    from: Option<PathBuf>,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let mut recipe = Recipe::load(&args.recipe)?;
    recipe.train.steps = args.steps.unwrap_or(recipe.train.steps);
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.data.name = args.data.clone().unwrap_or(recipe.data.name);
    if let Some(run) = &args.from {
        recipe.from = Some(run.to_string_lossy().into_owned());
    }
    recipe.data.skip_bad |= args.skip_bad;
    recipe.check()?;
    if let Some(attributes) = train::described(&recipe)? {
        recipe.data.attributes = attributes.vocabulary();
    }
    if let Some(name) = &args.board {
        let board = boards::find(name)?;
        let fit = room::check(&recipe, &board).with_context(|| args.recipe.display().to_string())?;
        let [flash, ram] = [fit.flash[0], fit.ram[0]].map(bytes);
        console
            .say(&format!("it will fit the {name}, with {flash} of flash and {ram} of RAM; an image {}", fit.time()));
    }
    let name = args.recipe.file_stem().unwrap_or_default();
    let options = train::Options {
        device: args.device.clone(),
        out: args.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(name)),
        resume: args.resume,
        tensorboard: args.tensorboard,
        quiet: console.quiet,
        stop: interrupt::stop_flag(),
    };
    let summary = train::train(&recipe, &options)?;
    report::close(&options.out, &options.device, console);
    console.show(&summary, || {
        let losses: Vec<String> = summary.losses.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
        let (out, steps) = (quoted(&options.out), summary.steps);
        let next = match &summary.sheet {
            _ if summary.outcome.is_failure() => format!("of no use ({}): {}", summary.outcome.name(), summary.advice),
            Some(_) => format!("next: edgegen export {out} -o model.egm"),
            None => format!("next: edgegen eval RUN --judge {out}"),
        };
        let samples =
            summary.sheet.as_ref().map_or_else(String::new, |sheet| format!("samples: {}\n", sheet.display()));
        let done = if summary.session_steps > 0 {
            format!("{steps} steps, {:.0} images/s, {}", summary.images_per_second, losses.join(", "))
        } else if summary.stopped {
            format!("stopped after {steps} steps")
        } else {
            format!("finished already, {steps} steps: ask for more with --steps to go on")
        };
        format!("{}: {done}\n{samples}{next}", options.out.display())
    })?;
    Ok(if summary.stopped { Ending::Interrupted } else { Ending::Done })
}
