//! The table of a run, and the record of it in `benches/record/`.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::goals::Goal;
use crate::operators::OPERATORS;
use crate::workload;

const RULES: &str = "\
## How it was counted

* Instructions that QEMU executes with `-icount shift=0` (one a nanosecond), read from SysTick in steps of 20. Everything is
  included: executor, rings and their padding, gathering, requantization, clamps, the table of the last layer, interleaved stores.
* A layer is the difference of two models, with and without it as their last layer; drawing the latent vector belongs to the whole
  image alone. Each model's first image is compared with the one made on the host by its checksum.
* Other operators are the difference of two models, too: a constant map through a table, with the operator behind it and without.
* Useful products of a transposed convolution are height · width · input channels · output channels · kernel² of its
  input: those with inserted zeros do not count, those with padding do.
* Layers are taken from the generator with 8 latent values instead of 64, whose weights fit the emulated flash of 256 KiB. Those
  of the whole generator (and of a shipped model that is too large) do not: there all operators read the weights of the largest,
  so its image means nothing. Counts do not depend on weights, but for clamps, which are branches on some cores: see the last
  column above, the model of the last convolution with its own weights and with shared ones.
* Cortex-M0 stands for the M0+ too: they have the same instructions.
* \"CMSIS-NN\" is what issue 3 of this project found (2026-07, gcc 12.2 -Ofast, its better path for each layer). It was not
  measured in this run.
* QEMU cannot tell cycles: a load, a multiplication, a branch and a vector instruction count one each. Wait states of flash, caches,
  dual issue and the beats of vector instructions do not show. `just mca` estimates cycles of the inner loops.
";

/// A layer on a core.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// Name of the layer.
    pub layer: &'static str,
    /// Useful products.
    pub macs: u64,
    /// Instructions with the packing of the core's kernel.
    pub instructions: u64,
    /// The same in instructions per product.
    pub per_mac: f64,
    /// Instructions per product with the portable packing, which the scalar kernel reads.
    pub portable_per_mac: f64,
    /// What CMSIS-NN takes, and what we aim for, in instructions per product.
    pub goal: Option<Goal>,
}

/// One of [`crate::operators::OPERATORS`] on a core.
#[derive(Clone, Debug, Serialize)]
pub struct OperatorCell {
    /// Name of the operator.
    pub operator: &'static str,
    /// Instructions with the packing of the core's kernel.
    pub instructions: u64,
    /// The same for each value, or each useful product of a product.
    pub per_unit: f64,
    /// What we aim for at most.
    pub aim: Option<f64>,
    /// What keeps the kernel from the aim, where it is missed.
    #[serde(skip)]
    pub reason: &'static str,
}

/// The whole generator on a core.
#[derive(Clone, Debug, Serialize)]
pub struct Whole {
    /// Useful products.
    pub macs: u64,
    /// Instructions of each image, the latent vector included; seeds from 1 on.
    pub images: Vec<u64>,
    /// Of these, drawing the latent vector.
    pub latent: u64,
    /// Instructions of an image with the portable packing.
    pub portable: u64,
    /// What CMSIS-NN takes, and what we aim for, in millions of instructions.
    pub goal: Option<Goal>,
    /// Whether all operators read the same weights.
    pub aliased: bool,
    /// Instructions of `Model::parse`, most of them for the checksum of the file.
    pub parse: u64,
    /// Bytes of the model file, as it was parsed.
    pub file: usize,
    /// Bytes of stack of parsing.
    pub parse_stack: u64,
    /// Bytes of stack of drawing.
    pub run_stack: u64,
    /// Bytes of the parsed model and the generator.
    pub structures: u64,
    /// Bytes of RAM besides the arena at the moment that takes most.
    pub ram: u64,
    /// Bytes of the arena.
    pub arena: u64,
}

impl Whole {
    /// Millions of instructions of the first image.
    fn millions(&self) -> f64 {
        self.images.first().map_or(0.0, |&image| image as f64 / 1e6)
    }
}

/// All of a core.
#[derive(Clone, Debug, Serialize)]
pub struct Core {
    /// QEMU's name of the processor.
    pub cpu: &'static str,
    /// Name of the kernel.
    pub kernel: String,
    /// The packing that it reads.
    pub packing: &'static str,
    /// The layers.
    pub cells: Vec<Cell>,
    /// Operators that they do not have.
    pub operators: Vec<OperatorCell>,
    /// The whole generator.
    pub whole: Whole,
    /// Instructions of an image of each shipped model.
    pub shipped: Vec<(&'static str, u64)>,
    /// Instructions of the same rows with weights of their own and with shared weights.
    pub own_and_aliased: [u64; 2],
    /// Inner loops of the kernel, where an aim was missed.
    pub listing: Option<String>,
}

/// A run of the benchmark.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// Day, in UTC.
    pub date: String,
    /// Commit of this repository; with `+` when files had changed since.
    pub commit: String,
    /// Version of the compiler.
    pub rustc: String,
    /// Version of QEMU.
    pub qemu: String,
    /// The cores.
    pub cores: Vec<Core>,
}

impl Core {
    /// Lines about the aims of layers and of the whole generator that are missed, and by how much.
    pub fn missed_layers(&self) -> Vec<String> {
        let whole = (workload::WHOLE.name, self.whole.millions(), self.whole.goal);
        let layers = self.cells.iter().map(|cell| (cell.layer, cell.per_mac, cell.goal));
        let missed = layers.chain([whole]);
        missed.filter_map(|(name, found, goal)| self.missed(name, found, goal?.aim)).collect()
    }

    /// The same about operators, with what keeps them from it.
    fn missed_operators(&self) -> Vec<String> {
        let missed = self.operators.iter().filter_map(|cell| {
            let missed = self.missed(cell.operator, cell.per_unit, cell.aim?)?;
            Some(if cell.reason.is_empty() { missed } else { format!("{missed}: {}", cell.reason) })
        });
        missed.collect()
    }

    fn missed(&self, name: &str, found: f64, aim: f64) -> Option<String> {
        let beyond = 100.0 * (found / aim - 1.0);
        (found > aim).then(|| format!("{}, {name}: {found:.3}, {beyond:.1} % above the aim of {aim}", self.cpu))
    }
}

impl Record {
    /// Writes `arm-DATE.json` and `arm-DATE.md`, each by rename.
    ///
    /// # Errors
    ///
    /// When it cannot.
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let json = serde_json::to_string_pretty(self)? + "\n";
        for (ending, content) in [("json", json), ("md", self.markdown())] {
            let path = folder.join(format!("arm-{}.{ending}", self.date));
            let part = path.with_extension("part");
            std::fs::write(&part, content).with_context(|| format!("could not write {}", part.display()))?;
            std::fs::rename(&part, &path)?;
        }
        Ok(())
    }

    /// The table and all that belongs to it.
    pub fn markdown(&self) -> String {
        let mut text =
            format!("# Instructions on Arm, {}\n\nedgegen {}, {}, {}\n", self.date, self.commit, self.rustc, self.qemu);
        text += "\nInstructions per useful product, beside CMSIS-NN and the aims of issue 3.\n\n";
        text += &self.goals();
        text += "\n## All cores\n\nInstructions per useful product: with the kernel of the core, and in brackets with the portable packing\n\
            and the scalar kernel. Last row: millions of instructions an image.\n\n";
        text += &self.cores();
        text += "\n## Other operators\n\nInstructions for each value of a map of 32×32×32, of the depthwise product for each useful product; in brackets\n\
            the aim of issue 12, where there is one.\n\n";
        text += &self.operators();
        text += "\n## The whole generator\n\nIn bytes and in instructions.\n\n";
        text += &self.whole();
        let missed = self.cores.iter().flat_map(|core| [core.missed_layers(), core.missed_operators()].concat());
        let missed: Vec<String> = missed.collect();
        text += "\n## Aims missed\n\n";
        if missed.is_empty() {
            text += "None.\n";
        }
        for line in missed {
            let _ = writeln!(text, "* {line}");
        }
        for core in &self.cores {
            if let Some(listing) = &core.listing {
                let _ = write!(text, "\nInner loops of `{}` on {}:\n\n```asm\n{listing}```\n", core.kernel, core.cpu);
            }
        }
        text + "\n" + RULES
    }

    /// The table of the issue.
    fn goals(&self) -> String {
        let cores: Vec<&Core> = self.cores.iter().filter(|core| core.whole.goal.is_some()).collect();
        let mut text = "| layer (int8, k4 s2 p1 unless said) |".to_owned();
        for core in &cores {
            let _ = write!(text, " {} CMSIS-NN | aim | ours | |", core.cpu);
        }
        text += &format!("\n|---|{}\n", "---|---|---|---|".repeat(cores.len()));
        let mut row = |name: &str, entry: &dyn Fn(&Core) -> Option<(f64, Goal)>, decimals: usize| {
            let _ = write!(text, "| {name} |");
            for core in &cores {
                let Some((found, Goal { theirs, aim })) = entry(core) else { continue };
                let verdict = if found <= aim { format!("{:.1}× fewer", theirs / found) } else { "missed".to_owned() };
                let _ = write!(text, " {theirs} | {aim} | **{found:.decimals$}** | {verdict} |");
            }
            text += "\n";
        };
        for (index, layer) in workload::LAYERS.iter().enumerate() {
            row(layer.name, &|core| core.cells.get(index).and_then(|cell| Some((cell.per_mac, cell.goal?))), 3);
        }
        let whole = format!("{}, millions of instructions", workload::WHOLE.name);
        row(&whole, &|core| Some((core.whole.millions(), core.whole.goal?)), 2);
        text
    }

    fn cores(&self) -> String {
        let mut text = "| layer |".to_owned();
        for core in &self.cores {
            let _ = write!(text, " {} `{}` |", core.cpu, core.kernel);
        }
        text += &format!("\n|---|{}\n", "---|".repeat(self.cores.len()));
        for (index, layer) in workload::LAYERS.iter().enumerate() {
            let _ = write!(text, "| {} |", layer.name);
            for cell in self.cores.iter().filter_map(|core| core.cells.get(index)) {
                let _ = write!(text, " {:.3} ({:.2}) |", cell.per_mac, cell.portable_per_mac);
            }
            text += "\n";
        }
        let _ = write!(text, "| {} |", workload::WHOLE.name);
        for core in &self.cores {
            let _ = write!(text, " {:.2} ({:.1}) |", core.whole.millions(), core.whole.portable as f64 / 1e6);
        }
        text += "\n";
        let models = self.cores.first().map_or(&[][..], |core| &core.shipped);
        for (index, (name, _)) in models.iter().enumerate() {
            let _ = write!(text, "| `models/{name}`, millions an image |");
            for (_, instructions) in self.cores.iter().filter_map(|core| core.shipped.get(index)) {
                let _ = write!(text, " {:.2} |", *instructions as f64 / 1e6);
            }
            text += "\n";
        }
        text
    }

    fn operators(&self) -> String {
        let mut text = "| operator |".to_owned();
        for core in &self.cores {
            let _ = write!(text, " {} `{}` |", core.cpu, core.kernel);
        }
        text += &format!("\n|---|{}\n", "---|".repeat(self.cores.len()));
        for (index, operator) in OPERATORS.iter().enumerate() {
            let _ = write!(text, "| {} |", operator.name);
            for cell in self.cores.iter().filter_map(|core| core.operators.get(index)) {
                let aim = cell.aim.map_or_else(String::new, |aim| format!(" ({aim})"));
                let _ = write!(text, " {:.2}{aim} |", cell.per_unit);
            }
            text += "\n";
        }
        text
    }

    fn whole(&self) -> String {
        let mut text = "| core | first image | later images | latent vector of it | parse | file | arena | stack of run | stack of parse | model and \
            generator | most RAM besides the arena | rows of a smaller model, own and shared weights |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
        for Core { cpu, whole, own_and_aliased: [own, aliased], .. } in &self.cores {
            let Some((first, later)) = whole.images.split_first() else { continue };
            let (least, most) = (later.iter().min().unwrap_or(first), later.iter().max().unwrap_or(first));
            let later = if least == most { least.to_string() } else { format!("{least} … {most}") };
            let Whole { latent, parse, file, arena, run_stack, parse_stack, structures, ram, .. } = whole;
            let _ = writeln!(
                text,
                "| {cpu} | {first} | {later} | {latent} | {parse} | {file} | {arena} | {run_stack} | {parse_stack} | {structures} | {ram} | {own}, {aliased} |"
            );
        }
        text
    }
}
