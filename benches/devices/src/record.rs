//! The table, and the dated record.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::run::{Deviation, STEPS};

/// The head of the table.
pub const HEAD: &str = "| recipe | run | losses, largest relative difference | allowed | samples, mean difference in levels | allowed | |\n\
                        |---|---|---|---|---|---|---|";

/// Everything that one run of the check found.
#[derive(Debug, Serialize)]
pub struct Record {
    /// Day, `YYYY-MM-DD`.
    pub date: String,
    /// Commit, with a `+` if files had changed since.
    pub commit: String,
    /// What devices said, in words.
    pub notes: Vec<String>,
    /// All runs.
    pub comparisons: Vec<Comparison>,
}

/// A run beside that of flex.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// Which recipe.
    pub recipe: String,
    /// Where, or how, it ran.
    pub run: String,
    /// How far it is from the run on flex.
    pub found: Deviation,
    /// How far it may be.
    pub allowed: Deviation,
    /// Whether it is as it should be.
    pub passed: bool,
}

impl Comparison {
    /// A run that should be `inside` the tolerance, or outside.
    pub fn new(recipe: &str, run: &str, found: Deviation, allowed: Deviation, inside: bool) -> Self {
        let passed = found.within(allowed) == inside;
        Self { recipe: recipe.into(), run: run.into(), found, allowed, passed }
    }

    /// A line of the table.
    pub fn line(&self) -> String {
        let Self { recipe, run, found, allowed, passed } = self;
        let verdict = match (passed, found.within(*allowed)) {
            (true, true) => "within",
            (true, false) => "outside, as it should",
            (false, true) => "FAILED: within, but should not be",
            (false, false) => "FAILED: outside",
        };
        format!(
            "| {recipe} | {run} | {:.1e} | {:.1e} | {:.4} | {:.4} | {verdict} |",
            found.loss, allowed.loss, found.level, allowed.level
        )
    }
}

impl Record {
    /// A record without comparisons, of this day.
    ///
    /// # Errors
    ///
    /// When the date is not to be had.
    pub fn new() -> Result<Self> {
        let changed =
            said("git", &["status", "--porcelain", "--untracked-files=no"]).is_none_or(|said| !said.is_empty());
        let commit = said("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".into());
        Ok(Self {
            date: said("date", &["+%F"]).context("cannot find out the date")?,
            commit: if changed { commit + "+" } else { commit },
            notes: Vec::new(),
            comparisons: Vec::new(),
        })
    }

    /// Prints and keeps a sentence.
    pub fn note(&mut self, note: String) {
        println!("{note}");
        self.notes.push(note);
    }

    /// Writes `devices-DATE.json` and `devices-DATE.md`; a record of the same day is replaced. Gives the latter.
    ///
    /// # Errors
    ///
    /// Those of writing.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("devices-{}.md", self.date));
        let json = path.with_extension("json");
        for (file, text) in [(&json, serde_json::to_string_pretty(self)? + "\n"), (&path, self.markdown())] {
            let temporary = path.with_extension("tmp");
            fs::write(&temporary, text).with_context(|| format!("cannot write {}", temporary.display()))?;
            fs::rename(&temporary, file).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(path)
    }

    fn markdown(&self) -> String {
        let lines: Vec<String> = self.comparisons.iter().map(Comparison::line).collect();
        let notes: Vec<String> = self.notes.iter().map(|note| format!("* {note}\n")).collect();
        format!(
            "# Training on other devices, {}\n\nWritten by `just test-gpu` at commit {}; do not edit.\n\n\
             Each run trains {STEPS} steps and is compared with the same run on flex, the CPU. Allowed is what rounding comes to, \
             measured on flex: after the first step every weight is moved up or down by √n · 2⁻²⁴ of itself, n = 4096 the terms of the \
             longest sum; the largest difference of three such runs, times the root of the number of steps. A run with rates five percent \
             larger has to lie outside. `flex, X, flex` goes on from checkpoints, ten steps on each.\n\n{HEAD}\n{}\n\n{}",
            self.date,
            self.commit,
            lines.join("\n"),
            notes.concat()
        )
    }
}

/// What a command prints, if it succeeds.
fn said(command: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(command).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
