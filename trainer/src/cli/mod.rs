//! The command line: one file for each sub-command. Each reads its arguments, calls the library, and says what came out.
//!
//! Results go to standard output, as tables or with `--json` as one JSON value; progress and errors go to standard error.
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 128 and the signal's number where one ended it (130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP).
//! A training that came to nothing is done, too; its outcome says so.

#![cfg_attr(not(feature = "train"), expect(dead_code, reason = "training alone can be interrupted and end well"))]

mod boards;
mod check;
mod classes;
mod completions;
mod demo;
mod export;
mod fit;
mod flash;
mod import;
mod inspect;
mod interrupt;
mod latents;
mod mix;
mod pictures;
mod play;
mod sample;
mod setup;
mod sim;
mod source;
mod table;
mod words;

#[cfg(feature = "train")]
mod training;
#[cfg(not(feature = "train"))]
#[path = "no_training.rs"]
mod training;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use serde::Serialize;

use crate::files::quoted;
use crate::stderr;
use table::table;
#[cfg(feature = "train")]
use table::table_of;
use training::{compare, data, devices, eval, lab, morph, new, report, train};

/// Train a generative model, export it to int8, run it on a microcontroller and see it on the display
#[derive(Debug, Parser)]
#[command(name = "edgegen", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    console: Console,
    /// For programs that start this one: save and end as after SIGTERM, when standard input ends
    #[arg(long, global = true, hide = true)]
    until_input_ends: bool,
}

/// How to talk.
#[derive(Clone, Copy, Debug, clap::Args)]
struct Console {
    /// Print figures as one JSON value
    #[arg(long, global = true)]
    json: bool,
    /// Print nothing but results and errors
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a folder of images before training, fetch data sets, or list them
    Data(data::Args),
    /// Write a recipe for a folder of pictures, so that the model fits a board and trains within an hour
    New(new::Args),
    /// Train what a recipe describes
    Train(train::Args),
    /// Draw samples of a run (float) or of a model file (int8)
    Sample(sample::Args),
    /// Measure how good a generator is, float and int8 side by side
    Eval(eval::Args),
    /// Put several runs beside each other on one page: curves, samples, recipes with the differences marked
    Compare(compare::Args),
    /// Write a run's report anew, with a closer look: nearest training images, int8 beside float
    Report(report::Args),
    /// Find two images in a generator's latent space, and go from one to the other
    Morph(morph::Args),
    /// Draw images of one seed in the style of another, as a grid
    Mix(mix::Args),
    /// Show what lectures on GANs claim, measured and drawn; without a name, list the experiments
    Lab(lab::Args),
    /// Turn a run into an int8 model file
    Export(export::Args),
    /// Show what a model file costs, operator by operator, and where it fits
    Inspect(inspect::Args),
    /// List boards with their panels and wiring
    Boards(boards::Args),
    /// Build a board's firmware with a model file in it and put it on the board
    Flash(flash::Args),
    /// Run a model file on a simulated or emulated board and photograph its display
    Sim(sim::Args),
    /// Play with model files in the browser, on the panels of boards
    Play(play::Args),
    /// The whole way: the shipped model on an emulated board, then one that is trained for it
    Demo(demo::Args),
    /// List what can train
    Devices,
    /// Print completions for a shell
    Completions(completions::Args),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let Cli { command, console, until_input_ends } = Cli::parse();
    if until_input_ends {
        interrupt::until_input_ends();
    }
    let result = interrupt::listen().and_then(|()| match command {
        Command::Data(args) => data::run(&args, console),
        Command::New(args) => new::run(&args, console),
        Command::Train(args) => train::run(&args, console),
        Command::Sample(args) => sample::run(&args, console),
        Command::Eval(args) => eval::run(&args, console),
        Command::Compare(args) => compare::run(&args, console),
        Command::Report(args) => report::run(&args, console),
        Command::Morph(args) => morph::run(&args, console),
        Command::Mix(args) => mix::run(&args, console),
        Command::Lab(args) => lab::run(&args, console),
        Command::Export(args) => export::run(&args, console),
        Command::Inspect(args) => inspect::run(&args, console),
        Command::Boards(args) => boards::run(&args, console),
        Command::Flash(args) => flash::run(&args, console),
        Command::Sim(args) => sim::run(&args, console),
        Command::Play(args) => play::run(&args, console),
        Command::Demo(args) => demo::run(&args, console),
        Command::Devices => devices::run(console),
        Command::Completions(args) => completions::run(&args),
    });
    match result {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Interrupted) => ExitCode::from(interrupt::code()),
        Err(error) => {
            // Work that a signal ended, and that has nothing to save, comes back as an error.
            let interrupted = error.is::<edgegen_data::Interrupted>();
            // `{:#}` is the chain of causes in one line.
            stderr::line(&format!("error: {error:#}"));
            if interrupted { ExitCode::from(interrupt::code()) } else { ExitCode::FAILURE }
        }
    }
}

/// How a sub-command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Done,
    Interrupted,
}

impl Console {
    /// A line about what goes on.
    fn say(self, line: &str) {
        if !self.quiet {
            stderr::line(line);
        }
    }

    /// A result: the value as JSON, or its text.
    fn show(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<Ending> {
        let text = if self.json { serde_json::to_string_pretty(value)? } else { text() };
        print(format!("{text}\n").as_bytes())
    }
}

/// Writes to standard output, whose reader, `head` for one, may have enough.
fn print(text: &[u8]) -> Result<Ending> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot write to standard output"),
        _ => Ok(Ending::Done),
    }
}

/// A number of bytes for people: `153 216 B (149.6 KiB)`.
fn bytes(count: u64) -> String {
    format!("{} B ({:.1} KiB)", grouped(count), count as f64 / 1024.0)
}

/// A number with a space between groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1 000", "1 234 567"]);
    }
}
