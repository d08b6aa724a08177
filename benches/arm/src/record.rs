//! The table, and the record of it.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Serialize;

/// CMSIS-NN's figures (2026-07, gcc 12.2 -Ofast, its better path for each layer) and what we aim for, in the order of
/// `workload::ALL`, as issue 3 of this project gives them; the last row in millions of instructions an image.
const THEIRS_AND_AIMS: [(&str, [(f64, f64); 8]); 3] = [
    (
        "cortex-m4",
        [(2.47, 1.00), (2.74, 1.05), (3.16, 1.15), (4.16, 1.60), (1.92, 1.05), (2.32, 1.15), (2.65, 1.30), (48.8, 8.5)],
    ),
    (
        "cortex-m0",
        [(7.74, 4.5), (8.35, 4.7), (9.21, 5.0), (11.2, 6.0), (6.70, 4.5), (7.55, 4.8), (7.49, 5.0), (171.6, 36.0)],
    ),
    (
        "cortex-m55",
        [
            (0.561, 0.14),
            (0.720, 0.16),
            (0.967, 0.20),
            (1.81, 0.60),
            (0.253, 0.15),
            (0.387, 0.20),
            (0.664, 0.30),
            (6.7, 1.4),
        ],
    ),
];

const RULES: &str = "\
## How it was counted

* Instructions that QEMU executes with `-icount shift=0` (one a nanosecond), read from SysTick, whose ticks are calibrated in each
  run. Everything is included: the executor, rings and their padding, gathering, requantization, clamps, the table of the last layer, interleaved stores.
* A layer is the difference of two models, with and without it. Useful products of a transposed convolution are
  height · width · input channels · output channels · kernel² of its input; those with inserted zeros do not count.
* The generator's weights do not fit the emulated board's 256 KiB of flash: all operators of these models read the same weights. Instructions do
  not depend on their values; each run checks that with `mnist-dcgan`.
* Cortex-M0 stands for M0+ too: the instruction sets are the same.
* QEMU knows no cycles: loads, multiplications, branches and a vector instruction count one each, and flash wait states, caches,
  dual issue and beats do not show. `just mca` estimates cycles of the inner loops.
* \"CMSIS-NN\" are the figures of issue 3, not measured in this run.
";

/// One workload on one core.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// Name of the workload.
    pub layer: &'static str,
    /// Useful products.
    pub macs: u64,
    /// Instructions for them.
    pub instructions: u64,
    /// Instructions of parsing the model.
    pub parse: u64,
    /// Bytes of stack of parsing.
    pub parse_stack: u64,
    /// Bytes of stack of drawing.
    pub run_stack: u64,
}

impl Cell {
    fn per_mac(&self) -> f64 {
        self.instructions as f64 / self.macs as f64
    }
}

/// All workloads on one core.
#[derive(Clone, Debug, Serialize)]
pub struct Core {
    /// QEMU's name of the processor.
    pub cpu: &'static str,
    /// The packing of its kernel.
    pub packing: &'static str,
    /// With that kernel.
    pub cells: Vec<Cell>,
    /// With the portable packing.
    pub portable: Vec<Cell>,
    /// The inner loops, where an aim was missed.
    pub listing: Option<String>,
}

impl Core {
    /// What CMSIS-NN takes and what we aim for, in the unit of [`Core::figure`].
    fn goals(&self) -> Option<&'static [(f64, f64); 8]> {
        THEIRS_AND_AIMS.iter().find(|(cpu, _)| *cpu == self.cpu).map(|(_, goals)| goals)
    }

    /// Instructions per product of a layer; millions of instructions an image of the whole, which is the last.
    fn figure(cells: &[Cell], index: usize) -> f64 {
        if index + 1 == cells.len() { cells[index].instructions as f64 / 1e6 } else { cells[index].per_mac() }
    }

    fn missed(&self) -> bool {
        let goals = self.goals().map_or(&[][..], |goals| goals);
        goals.iter().enumerate().any(|(index, goal)| Self::figure(&self.cells, index) > goal.1)
    }

    /// With the inner loops of its kernel, if an aim was missed.
    pub fn with_listing(self, elf: &Path) -> Self {
        let listing = self.missed().then(|| listing(elf, self.packing).unwrap_or_else(|error| format!("{error:#}")));
        Self { listing, ..self }
    }
}

/// The functions of a kernel that multiply.
fn listing(elf: &Path, kernel: &str) -> Result<String> {
    let objdump = Command::new("llvm-objdump-19").args(["-d", "--no-show-raw-insn"]).arg(elf).output();
    let text = objdump.context("expected llvm-objdump-19 for the listing: apt-get install llvm-19")?.stdout;
    let text = String::from_utf8_lossy(&text).into_owned();
    let functions = text.split("\n\n").filter(|function| {
        let name = function.lines().next().unwrap_or_default();
        name.contains(kernel) && name.contains("multiply")
    });
    Ok(functions.map(|function| format!("{}\n", function.trim())).collect())
}

/// A run of the benchmark.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    date: String,
    rustc: String,
    qemu: String,
    cores: Vec<Core>,
}

impl Record {
    /// The record of today.
    pub fn new(cores: Vec<Core>) -> Result<Self> {
        let says = |program: &str, argument: &str| -> Result<String> {
            let output =
                Command::new(program).arg(argument).output().with_context(|| format!("cannot ask {program}"))?;
            Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
        };
        Ok(Self {
            date: says("date", "+%Y-%m-%d")?,
            rustc: says("rustc", "--version")?,
            qemu: says("qemu-system-arm", "--version")?,
            cores,
        })
    }

    /// Prints the tables and writes `arm-DATE.json` and `arm-DATE.md`.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let text = self.markdown();
        println!("{text}");
        std::fs::create_dir_all(folder)?;
        let json = serde_json::to_string_pretty(self)?;
        for (ending, content) in [("json", json), ("md", text)] {
            let path = folder.join(format!("arm-{}.{ending}", self.date));
            let part = path.with_extension("part");
            std::fs::write(&part, content)?;
            std::fs::rename(&part, &path)?;
        }
        Ok(())
    }

    fn markdown(&self) -> String {
        let mut text = format!("# Instructions on Arm, {}\n\n{}, {}\n", self.date, self.rustc, self.qemu);
        text += "\nInstructions per useful product; the last row millions of instructions an image.\n";
        for core in &self.cores {
            let _ = writeln!(text, "\n## {}, packing `{}`\n", core.cpu, core.packing);
            text += "| layer | ours | portable kernel | CMSIS-NN | aim | |\n|---|---|---|---|---|---|\n";
            for index in 0..core.cells.len() {
                let figure = Core::figure(&core.cells, index);
                let portable = Core::figure(&core.portable, index);
                let (theirs, aim, verdict) = match core.goals() {
                    Some(goals) => {
                        let (theirs, aim) = goals[index];
                        let verdict = if figure <= aim {
                            format!("met, {:.1} times fewer than CMSIS-NN", theirs / figure)
                        } else {
                            format!("missed by {:.0} %", 100.0 * (figure / aim - 1.0))
                        };
                        (theirs.to_string(), aim.to_string(), verdict)
                    }
                    None => ("–".to_owned(), "–".to_owned(), String::new()),
                };
                let layer = core.cells[index].layer;
                let _ = writeln!(text, "| {layer} | **{figure:.3}** | {portable:.2} | {theirs} | {aim} | {verdict} |");
            }
            if let Some(whole) = core.cells.last() {
                let _ = writeln!(
                    text,
                    "\nThe whole generator: {} instructions an image, {} to parse it; stack of drawing {} B, of parsing {} B.",
                    whole.instructions, whole.parse, whole.run_stack, whole.parse_stack
                );
            }
            if let Some(listing) = &core.listing {
                let _ = writeln!(text, "\nInner loops, for the aims missed:\n\n```text\n{listing}```");
            }
        }
        text + "\n" + RULES
    }
}
