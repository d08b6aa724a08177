//! `edgegen train RECIPE`.

use std::path::PathBuf;

use anyhow::Result;

use crate::cli::{Console, Ending, interrupt};
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
    /// Go on from the checkpoint in the run folder
    #[arg(long)]
    resume: bool,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let mut recipe = Recipe::load(&args.recipe)?;
    recipe.train.steps = args.steps.unwrap_or(recipe.train.steps);
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.data.name = args.data.clone().unwrap_or(recipe.data.name);
    recipe.data.skip_bad |= args.skip_bad;
    recipe.check()?;
    let name = args.recipe.file_stem().unwrap_or_default();
    let options = train::Options {
        device: args.device.clone(),
        out: args.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(name)),
        resume: args.resume,
        quiet: console.quiet,
        stop: interrupt::stop_flag(),
    };
    let summary = train::train(&recipe, &options)?;
    console.show(&summary, || {
        let losses: Vec<String> = summary.losses.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
        let next = match &summary.sheet {
            Some(sheet) => {
                format!("samples: {}\nnext: edgegen export {} -o model.egm", sheet.display(), options.out.display())
            }
            None => format!("next: edgegen eval RUN --judge {}", options.out.display()),
        };
        let (out, steps) = (options.out.display(), summary.steps);
        format!("{out}: {steps} steps, {:.0} images/s, {}\n{next}", summary.images_per_second, losses.join(", "))
    })?;
    Ok(if summary.stopped { Ending::Interrupted } else { Ending::Done })
}
