//! `edgegen completions SHELL`.

use anyhow::Result;
use clap::CommandFactory;

use super::{Cli, Ending};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

pub fn run(args: &Args) -> Result<Ending> {
    clap_complete::generate(args.shell, &mut Cli::command(), "edgegen", &mut std::io::stdout());
    Ok(Ending::Done)
}
