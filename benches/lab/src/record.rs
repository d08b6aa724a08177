//! The tables, and the dated record.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use edgegen::eval::plane::Spread;
use serde::Serialize;

/// What one experiment found.
#[derive(Debug, Serialize)]
pub struct Table {
    /// The experiment.
    pub name: &'static str,
    /// What it asks.
    pub about: &'static str,
    /// Points that each run was measured on.
    pub points: usize,
    /// Its runs.
    pub rows: Vec<Row>,
}

/// What was found for one case.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// The column, where there are several.
    pub column: String,
    /// Steps of each run.
    pub steps: u64,
    /// Points of a batch.
    pub batch: usize,
    /// How the points of each seed do, from seed 1 on.
    pub found: Vec<Spread>,
    /// Seconds of all its trainings.
    pub seconds: f64,
}

impl Row {
    /// One value of all seeds.
    fn all(&self, show: impl Fn(&Spread) -> String) -> String {
        self.found.iter().map(show).collect::<Vec<_>>().join(", ")
    }

    /// The row as a line of a table.
    pub fn line(&self) -> String {
        format!(
            "| {} | {} × {} | {} | {} | {} | {} | {:.0} |",
            format!("{} {}", self.name, self.column).trim_end(),
            self.steps,
            self.batch,
            self.all(|spread| spread.modes.to_string()),
            self.all(|spread| format!("{:.1}", 100.0 * spread.high_quality)),
            self.all(|spread| format!("{:.3}", spread.reverse_kl)),
            self.all(|spread| format!("{:.4}", spread.energy)),
            self.seconds
        )
    }
}

impl Table {
    /// The table in Markdown: a list, or a map where there are columns.
    fn text(&self) -> String {
        let mut text =
            format!("## {}\n\n{} Each run is measured on {} points.\n\n", self.name, self.about, self.points);
        let mut columns: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !row.column.is_empty() && !columns.contains(&&*row.column) {
                columns.push(&row.column);
            }
        }
        if columns.is_empty() {
            text += "| | steps × batch | modes | within 3 σ, % | reverse KL | energy distance | s |\n|---|---|---|---|---|---|---|\n";
            self.rows.iter().for_each(|row| text += &(row.line() + "\n"));
            return text;
        }
        let Row { steps, batch, .. } = &self.rows[0];
        let _ = writeln!(text, "Modes · within 3 σ, % · reverse KL after {steps} steps of {batch}:\n");
        let _ = writeln!(text, "| | {} |\n|---|{}", columns.join(" | "), "---|".repeat(columns.len()));
        for line in self.rows.chunks(columns.len()) {
            let cell = |row: &Row| {
                row.all(|spread| {
                    format!("{} · {:.1} · {:.3}", spread.modes, 100.0 * spread.high_quality, spread.reverse_kl)
                })
            };
            let _ = writeln!(text, "| {} | {} |", line[0].name, line.iter().map(cell).collect::<Vec<_>>().join(" | "));
        }
        text
    }
}

/// Writes `lab-<name>-<date>.json` and `.md` into `folder`; returns their path without the ending.
///
/// # Errors
///
/// When a file cannot be written or the date is not to be had.
pub fn write(table: &Table, folder: &Path) -> Result<PathBuf> {
    let date = said("date", &["+%F"]).context("cannot find out the date")?;
    let changed = said("git", &["status", "--porcelain", "--untracked-files=no"]).is_none_or(|said| !said.is_empty());
    let commit = said("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".into());
    let commit = if changed { commit + "+" } else { commit };
    let path = folder.join(format!("lab-{}-{date}", table.name));
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let text = format!(
        "# Laboratory, {date}\n\nWritten by `just ablation {}` at commit {commit}; do not edit. Where a row has several values they are those of the seeds from 1 on.\n\n{}",
        table.name,
        table.text()
    );
    let json = serde_json::json!({ "date": date, "commit": commit, "table": table });
    for (ending, bytes) in [("json", serde_json::to_string_pretty(&json)? + "\n"), ("md", text)] {
        edgegen::files::replace_bytes(&path.with_extension(ending), bytes.as_bytes())?;
    }
    Ok(path)
}

/// What a command says, if it succeeds.
fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
