//! The table, and the dated record.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::measure::{Settings, least, median};

/// What is aimed at: a kernel by a part of its name, the peers by the start of theirs, and how many times as fast as the
/// fastest of them the kernel should be.
const AIMS: [(&str, &str, f64); 3] =
    [("vnni", "tract", 4.0), ("vnni", "onnxruntime", 3.0), ("avx2", "onnxruntime", 1.0)];

/// How our contenders' names start.
const OURS: &str = "edgegen";

/// Everything that one run found.
#[derive(Debug, Serialize)]
pub struct Record {
    /// Day, `YYYY-MM-DD`.
    pub date: String,
    /// Commit, with a `+` if files had changed since.
    pub commit: String,
    /// The CPU's own name, its family and model.
    pub cpu: String,
    /// Those of its vector extensions that matter here.
    pub flags: Vec<String>,
    /// The Rust compiler and how it was called.
    pub compiler: String,
    /// Versions of the peers.
    pub peers: Vec<String>,
    /// Turns of each contender.
    pub rounds: usize,
    /// About how long a turn took, in milliseconds.
    pub turn_ms: f64,
    /// The networks.
    pub tasks: Vec<TaskRecord>,
}

/// What was found for one network.
#[derive(Debug, Serialize)]
pub struct TaskRecord {
    /// What it is called.
    pub name: String,
    /// Latent values, and the shape of the image.
    pub shape: String,
    /// Products that an image takes.
    pub macs: u64,
    /// What a call of onnxruntime costs from Python that does nothing, in milliseconds; it is in its times.
    pub call_ms: f64,
    /// Quantizations that onnxruntime could not do.
    pub failed: Vec<String>,
    /// The contenders.
    pub rows: Vec<Row>,
    /// Ours against each peer.
    pub ratios: Vec<Ratio>,
    /// Ours against what is aimed at.
    pub verdicts: Vec<Verdict>,
}

/// A contender.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// Milliseconds an image: the median of all turns.
    pub median_ms: f64,
    /// The fastest turn.
    pub min_ms: f64,
    /// Images a second, by the median.
    pub images_per_second: f64,
    /// Peak signal to noise ratio against the interpreter's grey levels; `None` where there is no difference at all.
    pub psnr_db: Option<f64>,
    /// What a reader should know about it.
    pub note: String,
}

/// How many times as fast one of ours is as a peer.
#[derive(Debug, Serialize)]
pub struct Ratio {
    /// Ours.
    pub ours: String,
    /// The peer.
    pub peer: String,
    /// Median over the rounds of the ratio of two turns of the same round.
    pub median: f64,
    /// Ratio of the fastest turns.
    pub min: f64,
}

/// An aim, and whether it is reached.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// The aim in words.
    pub aim: String,
    /// The peer that it was held against, the fastest of its kind, and the ratio to it; `None` without such a kernel.
    pub found: Option<(String, f64)>,
    /// Whether the aim is reached.
    pub reached: bool,
}

impl Record {
    /// A record without networks, of this machine and this day.
    ///
    /// # Errors
    ///
    /// When the date is not to be had.
    pub fn new(settings: Settings) -> Result<Self> {
        let changed =
            said("git", &["status", "--porcelain", "--untracked-files=no"]).is_none_or(|said| !said.is_empty());
        let commit = said("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".into());
        let flags = std::env::var("RUSTFLAGS").ok().filter(|flags| !flags.is_empty());
        let rustc = said("rustc", &["--version"]).unwrap_or_else(|| "unknown".into());
        let (cpu, flags_of_cpu) = cpu();
        Ok(Self {
            date: said("date", &["+%F"]).context("cannot find out the date")?,
            commit: if changed { commit + "+" } else { commit },
            cpu,
            flags: flags_of_cpu,
            compiler: format!("{rustc}, release, {}", flags.unwrap_or_else(|| "no RUSTFLAGS".into())),
            peers: vec!["tract-onnx 0.23.9".into()],
            rounds: settings.rounds,
            turn_ms: 1e3 * settings.turn.as_secs_f64(),
            tasks: Vec::new(),
        })
    }

    /// Writes `host-DATE.json` and `host-DATE.md`; a record of the same day is replaced. Gives their common name.
    ///
    /// # Errors
    ///
    /// Those of writing.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("host-{}", self.date));
        for (extension, text) in [("json", serde_json::to_string_pretty(self)? + "\n"), ("md", self.markdown())] {
            let (temporary, file) = (path.with_extension("tmp"), path.with_extension(extension));
            fs::write(&temporary, text).with_context(|| format!("cannot write {}", temporary.display()))?;
            fs::rename(&temporary, &file).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(path)
    }

    fn markdown(&self) -> String {
        let mut text = format!(
            "# Host benchmark, {}\n\nWritten by `just bench-host` at commit {}; do not edit.\n\n\
             * CPU: {} ({})\n* Compiler: {}\n* Peers: {}\n\n\
             Milliseconds of CPU time an image, one thread, one image at a time. All contenders take turns of about {} ms in one \
             run, {} rounds, each round beginning with another; the median and the fastest turn stand here. A ratio is the median \
             over the rounds of two turns of the same round; in brackets, that of the fastest turns. edgegen starts from a seed, \
             so that drawing the latent vector is in its time; tract and onnxruntime get latent vectors that are ready. \
             onnxruntime is called from Python with bound inputs and outputs. PSNR is that of the grey levels against the float \
             interpreter, over the same latent vectors.\n",
            self.date,
            self.commit,
            self.cpu,
            self.flags.join(" "),
            self.compiler,
            self.peers.join(", "),
            self.turn_ms,
            self.rounds,
        );
        for task in &self.tasks {
            task.markdown(&mut text);
        }
        text
    }
}

impl TaskRecord {
    /// Sums up times, `[row][round]`, for rows that still lack them.
    pub fn sum_up(&mut self, times: &[Vec<f64>]) {
        for (row, times) in self.rows.iter_mut().zip(times) {
            row.median_ms = median(times.iter().copied());
            row.min_ms = least(times);
            row.images_per_second = 1e3 / row.median_ms;
        }
        let named = self.rows.iter().zip(times);
        for (ours, our_times) in named.clone().filter(|(row, _)| row.name.starts_with(OURS)) {
            for (peer, peer_times) in named.clone().filter(|(row, _)| !row.name.starts_with(OURS)) {
                self.ratios.push(Ratio {
                    ours: ours.name.clone(),
                    peer: peer.name.clone(),
                    median: median(peer_times.iter().zip(our_times).map(|(peer, ours)| peer / ours)),
                    min: peer.min_ms / ours.min_ms,
                });
            }
        }
        self.verdicts = AIMS.map(|aim| self.verdict(aim)).into();
    }

    fn verdict(&self, (kernel, peer, factor): (&str, &str, f64)) -> Verdict {
        let ratios = self.ratios.iter().filter(|ratio| ratio.ours.contains(kernel) && ratio.peer.starts_with(peer));
        // The smallest ratio is that to the fastest.
        let worst = ratios.min_by(|a, b| a.median.total_cmp(&b.median));
        let aim = match factor {
            1.0 => format!("{kernel} no slower than {peer}"),
            _ => format!("{kernel} at least {factor} × {peer}"),
        };
        Verdict {
            aim,
            found: worst.map(|ratio| (ratio.peer.clone(), ratio.median)),
            reached: worst.is_some_and(|ratio| ratio.median >= factor),
        }
    }

    /// What people see at once.
    pub fn table(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::UTF8_BORDERS_ONLY);
        table
            .set_header(["", "ms, median", "ms, least", "images/s", "PSNR"])
            .add_rows(self.rows.iter().map(Row::cells));
        let mut ratios = comfy_table::Table::new();
        ratios.load_preset(comfy_table::presets::UTF8_BORDERS_ONLY);
        ratios.set_header(["times as fast as", "", "median", "least"]);
        ratios.add_rows(self.ratios.iter().map(|ratio| {
            [ratio.ours.clone(), ratio.peer.clone(), format!("{:.2}", ratio.median), format!("{:.2}", ratio.min)]
        }));
        let verdicts: String = self.verdicts.iter().map(|verdict| format!("\n{verdict}")).collect();
        format!("{}\n{table}\n{ratios}{verdicts}", self.title())
    }

    fn title(&self) -> String {
        format!("{}: {}, {:.2} million products an image", self.name, self.shape, self.macs as f64 / 1e6)
    }

    fn markdown(&self, text: &mut String) {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n## {}\n\n| | ms, median | ms, least | images/s | PSNR, dB |\n|---|---|---|---|---|\n",
            self.title()
        );
        for row in &self.rows {
            let _ = writeln!(text, "| {} |", row.cells().join(" | "));
        }
        let _ = writeln!(
            text,
            "\nA call from Python that does nothing costs {:.4} ms; it is in onnxruntime's times.",
            self.call_ms
        );
        let peers: Vec<_> = self.rows.iter().filter(|row| !row.name.starts_with(OURS)).map(|row| &*row.name).collect();
        let _ = write!(text, "\n| times as fast as | {} |\n|---{}|\n", peers.join(" | "), "|---".repeat(peers.len()));
        for row in self.rows.iter().filter(|row| row.name.starts_with(OURS)) {
            let ratios = self.ratios.iter().filter(|ratio| ratio.ours == row.name);
            let cells: Vec<_> = ratios.map(|ratio| format!("{:.2} ({:.2})", ratio.median, ratio.min)).collect();
            let _ = writeln!(text, "| {} | {} |", row.name, cells.join(" | "));
        }
        text.push('\n');
        for verdict in &self.verdicts {
            let _ = writeln!(text, "* {verdict}");
        }
        text.push_str("\nWhat onnxruntime makes of the graph:\n\n");
        for row in self.rows.iter().filter(|row| !row.note.is_empty()) {
            let _ = writeln!(text, "* {}: {}", row.name, row.note);
        }
        for failed in &self.failed {
            let _ = writeln!(text, "* failed: {failed}");
        }
    }
}

impl Row {
    fn cells(&self) -> [String; 5] {
        let psnr = self.psnr_db.map_or_else(|| "same".into(), |psnr| format!("{psnr:.1}"));
        let [median, least] = [self.median_ms, self.min_ms].map(|ms| format!("{ms:.4}"));
        [self.name.clone(), median, least, format!("{:.0}", self.images_per_second), psnr]
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.found {
            None => write!(f, "{}: not measured, there is no such kernel here", self.aim),
            Some((peer, ratio)) => {
                let word = if self.reached { "reached" } else { "missed" };
                write!(f, "{}: {word}, {ratio:.2} × {peer}", self.aim)
            }
        }
    }
}

/// What a command says, if it succeeds.
fn said(command: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(command).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Name, family and model of the CPU, and its vector extensions, as Linux tells them.
fn cpu() -> (String, Vec<String>) {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let fact = |name: &str| {
        let fact = text.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name);
        fact.map_or("unknown", |(_, value)| value.trim())
    };
    let vectors = |flag: &&str| ["avx", "fma", "vnni", "amx"].iter().any(|part| flag.contains(part));
    let flags = fact("flags").split(' ').filter(vectors).map(str::to_owned).collect();
    (format!("{}, family {}, model {}", fact("model name"), fact("cpu family"), fact("model")), flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(names: &[&str]) -> TaskRecord {
        let row = |name: &&str| Row {
            name: (*name).into(),
            median_ms: 0.0,
            min_ms: 0.0,
            images_per_second: 0.0,
            psnr_db: None,
            note: String::new(),
        };
        TaskRecord {
            name: "test".into(),
            shape: "1 → 1×1×1".into(),
            macs: 1,
            call_ms: 0.0,
            failed: Vec::new(),
            rows: names.iter().map(row).collect(),
            ratios: Vec::new(),
            verdicts: Vec::new(),
        }
    }

    #[test]
    fn aims_are_held_against_the_fastest_peer() {
        let mut task =
            task(&["edgegen int8, avx2", "edgegen int8, avx512vnni", "onnxruntime a", "onnxruntime b", "tract"]);
        // The machine was twice as slow in the second round.
        task.sum_up(&[1.0, 0.5, 3.0, 2.0, 1.5].map(|ms| vec![ms, 2.0 * ms, ms]));
        let said: Vec<_> = task.verdicts.iter().map(Verdict::to_string).collect();
        assert_eq!(
            said,
            [
                "vnni at least 4 × tract: missed, 3.00 × tract",
                "vnni at least 3 × onnxruntime: reached, 4.00 × onnxruntime b",
                "avx2 no slower than onnxruntime: reached, 2.00 × onnxruntime b",
            ]
        );
        assert_eq!((task.rows[0].median_ms, task.rows[0].min_ms), (1.0, 1.0));
    }

    #[test]
    fn without_a_kernel_there_is_no_verdict() {
        let mut task = task(&["edgegen int8, scalar", "tract"]);
        task.sum_up(&[vec![1.0], vec![2.0]]);
        assert_eq!(task.ratios[0].median, 2.0);
        assert!(task.verdicts.iter().all(|verdict| !verdict.reached && verdict.found.is_none()));
    }
}
