//! `edgegen completions SHELL`.

use anyhow::Result;
use clap::CommandFactory;

use super::{Cli, Ending, print};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

pub fn run(args: &Args) -> Result<Ending> {
    // Into memory first: the generator would panic where nobody reads it to its end.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "edgegen", &mut script);
    print(&script)
}
