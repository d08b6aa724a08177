//! Whether a model fits a board, and about how fast it will be there.

use anyhow::Result;
use edgegen_export::cost::{self, Cost, OpCost};
use edgegen_export::estimate::instructions;
use edgegen_export::{ExportError, ModelFile, repack};
use edgegen_runtime::Model;
use edgegen_sim::{Board, Cpu, scatter};
use serde::Serialize;

use super::{bytes, grouped};

/// A model in the packing that a processor's kernel reads; portable where that packing has no room for its sums, which runs too,
/// only slower.
///
/// # Errors
///
/// When the file is packed for another processor.
pub fn pack_for(file: &ModelFile, cpu: Cpu) -> Result<ModelFile, ExportError> {
    match repack(file, cpu.packing()) {
        Err(ExportError::Sum { .. }) => Ok(file.clone()),
        packed => packed,
    }
}

/// What a model makes one of: an image, a sound or a point of the plane.
pub fn what(model: &Model<'_>) -> &'static str {
    match model.sample_rate() {
        Some(_) => "a sound",
        None if scatter::is_point(model.output()) => "a point",
        None => "an image",
    }
}

/// A model on a board.
#[derive(Clone, Debug, Serialize)]
pub struct Fit {
    pub board: String,
    pub chip: String,
    pub cpu: &'static str,
    /// What the weights are packed for; the rest is of this packing.
    pub packing: &'static str,
    /// Bytes of flash that the model takes, and that the program leaves it.
    pub flash: [u64; 2],
    /// Bytes of RAM that the model's arena takes, with a sound that waits to be played if it makes sound, and that the
    /// firmware has set aside for it.
    pub ram: [u64; 2],
    pub fits: bool,
    /// Instructions of an image: counted in an emulator, or estimated; `None` where neither is possible.
    pub instructions: Option<u64>,
    pub counted: bool,
    /// How long these take at one a cycle of the board's clock.
    pub milliseconds: Option<f64>,
    /// What it makes one of, see [`what`].
    pub makes: &'static str,
    /// How long a sound lasts, in seconds, if it makes sound.
    pub sound_seconds: Option<f64>,
    /// What to do when it does not fit.
    pub advice: Vec<String>,
}

impl Fit {
    /// A model in the packing of [`pack_for`].
    pub fn new(board: &Board, cpu: Cpu, packed: &ModelFile) -> Result<Self> {
        let model = Model::parse_any(packed.bytes())?;
        let cost = cost::cost(&model);
        let samples = model.output().h;
        let rate = model.sample_rate();
        let program_flash = board.program_flash_for(&model);
        let flash = [cost.file_bytes, board.flash.saturating_sub(program_flash).into()];
        let ram = [cost.arena_bytes as u64 + rate.map_or(0, |_| samples.into()), u64::from(board.arena)];
        let mut advice = Vec::new();
        if over(flash) > 0 {
            advice.extend(shrink(&cost, "flash", |op| op.weight_bytes + op.channel_bytes));
        }
        if over(ram) > 0 {
            advice.extend(shrink(&cost, "RAM", |op| op.ring_bytes as u64));
        }
        let fit = Self {
            board: board.name.clone(),
            chip: board.chip.clone(),
            cpu: cpu.name(),
            packing: model.packing().name(),
            flash,
            ram,
            fits: over(flash) == 0 && over(ram) == 0,
            instructions: None,
            counted: false,
            milliseconds: None,
            makes: what(&model),
            sound_seconds: rate.map(|rate| f64::from(samples) / f64::from(rate)),
            advice,
        };
        Ok(fit.with_instructions(board, instructions(&model), false))
    }

    /// The same with another number of instructions.
    pub fn with_instructions(self, board: &Board, instructions: Option<u64>, counted: bool) -> Self {
        let milliseconds =
            instructions.zip(board.clock_mhz).map(|(count, clock)| count as f64 / f64::from(clock) / 1000.0);
        Self { instructions, counted, milliseconds, ..self }
    }

    /// `fits`, or what is missing.
    pub fn verdict(&self) -> String {
        let missing: Vec<String> = [("flash", self.flash), ("RAM", self.ram)]
            .into_iter()
            .filter(|(_, memory)| over(*memory) > 0)
            .map(|(what, memory)| format!("{} of {what} missing", bytes(over(memory))))
            .collect();
        if missing.is_empty() { "fits".to_owned() } else { missing.join(", ") }
    }

    /// Bytes of flash and of RAM left; negative: missing.
    pub fn left(&self) -> [i64; 2] {
        [self.flash, self.ram].map(|[needed, room]| room as i64 - needed as i64)
    }

    /// How long an image takes, in a word.
    pub fn time(&self) -> String {
        self.milliseconds.map_or("–".to_owned(), |time| match time {
            ..1.0 => format!("≈ {time:.2} ms"),
            ..10.0 => format!("≈ {time:.1} ms"),
            _ => format!("≈ {time:.0} ms"),
        })
    }

    /// [`Fit::time`] of `what`, and of a sound how many times faster that is than it lasts.
    pub fn pace(&self, what: &str) -> String {
        let time = format!("{}{what}", self.time());
        match self.sound_seconds.zip(self.milliseconds).map(|(seconds, time)| 1000.0 * seconds / time) {
            Some(factor @ ..10.0) => format!("{time}, {factor:.1}× real time"),
            Some(factor) => format!("{time}, {factor:.0}× real time"),
            None => time,
        }
    }
}

/// Bytes that are too many.
fn over([needed, room]: [u64; 2]) -> u64 {
    needed.saturating_sub(room)
}

/// Which node takes the most of a memory, and what would make it smaller.
fn shrink(cost: &Cost, memory: &str, taken: impl Fn(&OpCost) -> u64) -> Option<String> {
    let (index, op) = cost.ops.iter().enumerate().max_by_key(|(_, op)| taken(op))?;
    let how = match (memory, op.op.as_str()) {
        ("RAM", _) => "fewer channels there or narrower rows",
        (_, "dense") => "fewer latent values, or fewer channels there",
        _ => "fewer channels there or in the layer before",
    };
    Some(format!(
        "node {index} ({} → {}) takes most of the {memory}, {} B: train with {how}",
        op.op,
        op.output,
        grouped(taken(op)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::source::{project, read_model};
    use edgegen_sim::boards;

    #[test]
    fn the_largest_layer_is_named() {
        let file = read_model(&project().join("models/emoji-dcgan/model.egm")).unwrap();
        let board = boards::find("lm3s6965evb").unwrap();
        let fit = Fit::new(&board, board.cpu, &pack_for(&file, board.cpu).unwrap()).unwrap();
        assert!(!fit.fits && fit.left()[0] < 0 && fit.left()[1] > 0, "{fit:?}");
        assert!(fit.verdict().contains("of flash missing") && !fit.verdict().contains("RAM"), "{}", fit.verdict());
        assert_eq!(fit.advice.len(), 1);
        assert!(fit.advice[0].contains("node 2") && fit.advice[0].contains("8×8×64"), "{}", fit.advice[0]);
        assert_eq!(fit.packing, "armv6m");

        let small = Board { arena: 1024, ..boards::find("lm3s6965evb").unwrap() };
        let file = read_model(&project().join("models/mnist-dcgan/model.egm")).unwrap();
        let fit = Fit::new(&small, small.cpu, &pack_for(&file, small.cpu).unwrap()).unwrap();
        assert!(fit.verdict().contains("of RAM missing") && fit.advice[0].contains("RAM"), "{fit:?}");
    }

    #[test]
    fn time_is_instructions_by_clock() {
        let file = read_model(&project().join("models/mnist-dcgan/model.egm")).unwrap();
        let board = boards::find("lm3s6965evb").unwrap();
        let fit = Fit::new(&board, board.cpu, &pack_for(&file, board.cpu).unwrap()).unwrap();
        let fit = fit.with_instructions(&board, Some(5_000_000), true);
        assert_eq!(fit.milliseconds, Some(100.0));
        assert_eq!(fit.time(), "≈ 100 ms");
    }

    #[test]
    fn what_a_model_makes_is_named() {
        for (name, expected) in [("mnist-dcgan", "an image"), ("drums", "a sound"), ("moons-iaf", "a point")] {
            let file = read_model(&project().join("models").join(name).join("model.egm")).unwrap();
            assert_eq!(what(&Model::parse_any(file.bytes()).unwrap()), expected);
        }
    }
}
