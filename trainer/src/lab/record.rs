//! The dated record of a run of several experiments.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::report::number;
use super::{Found, find};
use crate::files;

/// Writes `lab-<date>.md` and `.json` into `folder`; returns the path of the first.
///
/// # Errors
///
/// When a file cannot be written or the date is not to be had.
pub fn write(all: &[Found], folder: &Path) -> Result<PathBuf> {
    let date = said("date", &["+%F"]).context("cannot find out the date")?;
    let changed = said("git", &["status", "--porcelain", "--untracked-files=no"]).is_none_or(|said| !said.is_empty());
    let commit = said("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".into());
    let commit = if changed { commit + "+" } else { commit };
    let mut text = format!("# Lab, {date}\n\nWritten by `just lab` at commit {commit}; do not edit.\n");
    for found in all {
        let Found { name, seed, steps, seconds, figures, .. } = found;
        let title = find(name).map_or(&**name, |experiment| experiment.title);
        let length = if *steps > 0 { format!(", {steps} steps") } else { String::new() };
        let _ = writeln!(text, "\n## {title} (`{name}`)\n\nSeed {seed}{length}, {seconds:.0} s.\n");
        text += "| measured | predicted | found | |\n|---|---|---|---|\n";
        for figure in figures {
            let holds = figure.holds.map_or("", |holds| if holds { "holds" } else { "does not hold" });
            let found = figure.found.map_or("not a number".into(), number);
            // A bar would end the cell.
            let what = figure.what.replace('|', "\\|");
            let _ = writeln!(text, "| {what} | {} | {found} | {holds} |", figure.expected.as_deref().unwrap_or(""));
        }
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let path = folder.join(format!("lab-{date}.md"));
    files::replace_bytes(&path, text.as_bytes())?;
    let json = serde_json::json!({ "date": date, "commit": commit, "found": all });
    files::replace_bytes(&path.with_extension("json"), (serde_json::to_string_pretty(&json)? + "\n").as_bytes())?;
    Ok(path)
}

/// What a command says, if it succeeds.
fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
