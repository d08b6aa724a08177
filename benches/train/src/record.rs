//! The table, and the dated record.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::measure::{Time, least, median};

/// Everything that one run found.
#[derive(Debug, Serialize)]
pub struct Record {
    /// Day, `YYYY-MM-DD`.
    pub date: String,
    /// Commit, with a `+` if files had changed since.
    pub commit: String,
    /// The CPU's own name, its family and model.
    pub cpu: String,
    /// The Rust compiler and the profile.
    pub compiler: String,
    /// PyTorch's version.
    pub peer: String,
    /// Where our side computes.
    pub device: String,
    /// Threads of each side.
    pub threads: usize,
    /// Images of a batch.
    pub batch: usize,
    /// Turns of each contender.
    pub rounds: usize,
    /// Processes that wanted a core at the beginning and at the end, averaged over a minute.
    pub load: [f64; 2],
    /// The step and the layers.
    pub cases: Vec<CaseRecord>,
}

/// What was found for one case.
#[derive(Debug, Serialize)]
pub struct CaseRecord {
    /// What it is called.
    pub name: String,
    /// The contenders, ours first.
    pub rows: Vec<Row>,
}

/// A contender; times are milliseconds a pass.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// Median of all turns, on the wall.
    pub median_ms: f64,
    /// The fastest turn, on the wall.
    pub least_ms: f64,
    /// Median CPU time, all cores together.
    pub cpu_ms: f64,
    /// Times as long as ours: the median over the rounds of the ratio of two turns of the same round.
    pub ratio_median: f64,
    /// Times as long as ours: the ratio of the fastest turns.
    pub ratio_least: f64,
    /// Times as much CPU time as ours: the median over the rounds.
    pub ratio_cpu: f64,
}

impl CaseRecord {
    /// The rows of contenders with the times `[contender][round]`, ours first.
    pub fn new(name: &str, contenders: &[&str], times: &[Vec<Time>]) -> Self {
        let fastest = |times: &[Time]| least(times.iter().map(|time| time.wall));
        let row = |(name, theirs): (&&str, &Vec<Time>)| Row {
            name: (*name).to_owned(),
            median_ms: median(theirs.iter().map(|time| time.wall)),
            least_ms: fastest(theirs),
            cpu_ms: median(theirs.iter().map(|time| time.cpu)),
            ratio_median: median(theirs.iter().zip(&times[0]).map(|(theirs, ours)| theirs.wall / ours.wall)),
            ratio_least: fastest(theirs) / fastest(&times[0]),
            ratio_cpu: median(theirs.iter().zip(&times[0]).map(|(theirs, ours)| theirs.cpu / ours.cpu)),
        };
        Self { name: name.to_owned(), rows: contenders.iter().zip(times).map(row).collect() }
    }

    /// The case as lines of the record's table.
    pub fn lines(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let Row { name, median_ms, least_ms, cpu_ms, ratio_median, ratio_least, ratio_cpu } = row;
            let _ = writeln!(
                text,
                "| {} | {name} | {median_ms:.2} | {least_ms:.2} | {cpu_ms:.2} | {ratio_median:.2} | {ratio_least:.2} | {ratio_cpu:.2} |",
                self.name
            );
        }
        text
    }
}

/// The head of the record's table.
pub const HEAD: &str = "| | | ms, median | ms, least | ms of CPU time | × ours, median | × ours, least | × ours, CPU time |\n|---|---|---|---|---|---|---|---|";

impl Record {
    /// A record without cases, of this machine and this day.
    ///
    /// # Errors
    ///
    /// When the date is not to be had.
    pub fn new(peer: String, device: String, threads: usize, batch: usize, rounds: usize) -> Result<Self> {
        let changed =
            said("git", &["status", "--porcelain", "--untracked-files=no"]).is_none_or(|said| !said.is_empty());
        let commit = said("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".into());
        let rustc = said("rustc", &["--version"]).unwrap_or_else(|| "unknown".into());
        Ok(Self {
            date: said("date", &["+%F"]).context("cannot find out the date")?,
            commit: if changed { commit + "+" } else { commit },
            cpu: cpu(),
            compiler: format!("{rustc}, {}", if cfg!(debug_assertions) { "dev profile" } else { "release profile" }),
            peer,
            device,
            threads,
            batch,
            rounds,
            load: [load(), 0.0],
            cases: Vec::new(),
        })
    }

    /// Writes `train-DATE.json` and `train-DATE.md`, `gpu-…` of a GPU; a record of the same day is replaced. Gives
    /// their common name.
    ///
    /// # Errors
    ///
    /// Those of writing.
    pub fn write(&mut self, folder: &Path) -> Result<PathBuf> {
        self.load[1] = load();
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}-{}", self.kind(), self.date));
        for (extension, text) in [("json", serde_json::to_string_pretty(self)? + "\n"), ("md", self.markdown())] {
            let (temporary, file) = (path.with_extension("tmp"), path.with_extension(extension));
            fs::write(&temporary, text).with_context(|| format!("cannot write {}", temporary.display()))?;
            fs::rename(&temporary, &file).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(path)
    }

    fn kind(&self) -> &'static str {
        if self.device == crate::CPU { "train" } else { "gpu" }
    }

    fn markdown(&self) -> String {
        let cases: String = self.cases.iter().map(CaseRecord::lines).collect();
        format!(
            "# Training benchmark, {}\n\nWritten by `just bench-{}` at commit {}; do not edit.\n\n\
             * CPU: {}\n* Our device: {}\n* Compiler: {}\n* Peer: {}\n* Load average of the machine at the beginning and the end: {:.1}, {:.1}\n\n\
             Milliseconds a pass with a batch of {}, {} threads on each side. All contenders take turns in one run, {} rounds, each \
             round beginning with another. A ratio above 1 says that ours is faster: the median over the rounds of two turns of the \
             same round, that of the fastest turns, and the median of CPU time, which others on the machine disturb least, but which \
             also counts a thread that waits in a loop. \
             `step` is the whole training step of recipes/fashion-dcgan.toml on images that lie ready, `style step` \
             that of recipes/faces-style.toml with batches of its own; a layer is its forward and backward pass \
             with the gradients of input, weights and bias. \"PyTorch\" keeps maps in its usual order of memory, \"PyTorch, channels last\" \
             in the other; \"Burn\" calls Burn's own operations.\n\n{HEAD}\n{cases}",
            self.date,
            self.kind(),
            self.commit,
            self.cpu,
            self.device,
            self.compiler,
            self.peer,
            self.load[0],
            self.load[1],
            self.batch,
            self.threads,
            self.rounds,
        )
    }
}

fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}

fn cpu() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name));
        line.and_then(|line| line.split(':').nth(1)).map_or("unknown", str::trim).to_owned()
    };
    format!("{}, family {}, model {}", field("model name"), field("cpu family"), field("model"))
}

/// What a command prints, if it succeeds.
fn said(command: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(command).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_compare_turns_of_the_same_round() {
        let times = |walls: [f64; 3]| walls.map(|wall| Time { wall, cpu: 2.0 * wall }).to_vec();
        let case = CaseRecord::new("step", &["ours", "other"], &[times([1.0, 10.0, 2.0]), times([3.0, 20.0, 8.0])]);
        let row = &case.rows[1];
        assert_eq!((row.ratio_median, row.ratio_least, row.ratio_cpu), (3.0, 3.0, 3.0));
        assert_eq!((row.median_ms, row.least_ms, row.cpu_ms), (8.0, 3.0, 16.0));
    }
}
