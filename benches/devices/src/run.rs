//! Runs of the command, and what they leave.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Output};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use serde_json::Value;

/// Steps of a run.
pub const STEPS: usize = 30;

/// The command `edgegen`.
#[derive(Debug)]
pub struct Command(PathBuf);

impl Command {
    /// # Errors
    ///
    /// If there is no such program.
    pub fn new(program: &Path) -> Result<Self> {
        Ok(Self(program.canonicalize().with_context(|| format!("cannot find {}", program.display()))?))
    }

    fn output(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Output> {
        let mut command = process::Command::new(&self.0);
        command.args(arguments).envs(variables.iter().copied()).env("NO_COLOR", "1").env_remove("RUST_BACKTRACE");
        command.output().with_context(|| format!("cannot start {}", self.0.display()))
    }

    /// What it prints.
    fn done(&self, arguments: &[&str]) -> Result<String> {
        let output = self.output(arguments, &[])?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "edgegen {}: {}", arguments.join(" "), errors.trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The devices of this build, and those that it lacks.
    ///
    /// # Errors
    ///
    /// If it does not tell.
    pub fn devices(&self) -> Result<(Vec<String>, Vec<String>)> {
        let all: Vec<Value> = serde_json::from_str(&self.done(&["devices", "--json"])?)?;
        let (here, missing): (Vec<_>, Vec<_>) = all.iter().partition(|device| device["compiled"] == true);
        let names =
            |devices: Vec<&Value>| devices.iter().filter_map(|one| one["name"].as_str()).map(str::to_owned).collect();
        Ok((names(here), names(missing)))
    }

    /// Whether a run on `device` gets as far as its first step.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn opens(&self, device: &str) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let output = self.first_step(folder.path(), device, &[])?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}", errors.trim().trim_start_matches("error: "));
        Ok(())
    }

    /// Checks that a run on `device` ends with one sentence that has all of `words`; gives the sentence.
    ///
    /// # Errors
    ///
    /// If it does anything else.
    pub fn refuses(&self, device: &str, variables: &[(&str, &str)], words: &[&str]) -> Result<String> {
        let folder = tempfile::tempdir()?;
        let output = self.first_step(folder.path(), device, variables)?;
        let text = String::from_utf8_lossy(&output.stderr);
        let text = text.trim();
        let is_sentence = text.lines().count() == 1 && words.iter().all(|word| text.contains(word));
        ensure!(
            output.status.code() == Some(1) && is_sentence,
            "expected one sentence with {} where there is no {device}, found {}: {text}",
            words.join(" and "),
            output.status
        );
        ensure!(!folder.path().join("run").exists(), "expected no run folder where there is no {device}");
        Ok(format!("{device}, where it is missing: `{text}`"))
    }

    fn first_step(&self, folder: &Path, device: &str, variables: &[(&str, &str)]) -> Result<Output> {
        let (recipe, out) = (folder.join("recipe.toml"), folder.join("run"));
        fs::write(&recipe, crate::RECIPES[0].1)?;
        let (recipe, out) = (recipe.to_string_lossy(), out.to_string_lossy());
        self.output(&["train", &recipe, "--steps", "1", "--device", device, "--out", &out, "--quiet"], variables)
    }
}

/// Runs of one recipe.
#[derive(Debug)]
pub struct Runs<'a> {
    command: &'a Command,
    folder: PathBuf,
    recipe: &'a str,
}

impl<'a> Runs<'a> {
    /// In a folder of their own, which is made.
    ///
    /// # Errors
    ///
    /// If it cannot be.
    pub fn new(command: &'a Command, folder: &Path, recipe: &'a str) -> Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { command, folder: folder.to_owned(), recipe })
    }

    /// All steps on one device.
    ///
    /// # Errors
    ///
    /// If the run fails.
    pub fn whole(&self, device: &str, recipe: &str) -> Result<Trace> {
        let run = tempfile::tempdir_in(&self.folder)?;
        self.train(run.path(), recipe, device, STEPS, false)?;
        Trace::read(&run.path().join("run"))
    }

    /// A third on flex, a third on `device`, a third on flex, through checkpoints.
    ///
    /// # Errors
    ///
    /// If a part of the run fails.
    pub fn in_turns(&self, device: &str) -> Result<Trace> {
        let run = tempfile::tempdir_in(&self.folder)?;
        self.train(run.path(), self.recipe, "flex", STEPS / 3, false)?;
        self.train(run.path(), self.recipe, device, 2 * STEPS / 3, true)?;
        self.train(run.path(), self.recipe, "flex", STEPS, true)?;
        Trace::read(&run.path().join("run"))
    }

    /// On flex; after the first step each weight is multiplied by `1 ± by`, the sign drawn from `seed`.
    ///
    /// # Errors
    ///
    /// If the run fails, or its checkpoint holds no float32 weights.
    pub fn nudged(&self, seed: u64, by: f64) -> Result<Trace> {
        let run = tempfile::tempdir_in(&self.folder)?;
        self.train(run.path(), self.recipe, "flex", 1, false)?;
        let checkpoint = run.path().join("run/checkpoint");
        let mut random = seed;
        let mut files = 0;
        for entry in fs::read_dir(&checkpoint)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "safetensors") {
                let mut bytes = fs::read(&path)?;
                nudge(&mut bytes, &mut random, by).with_context(|| format!("cannot read {}", path.display()))?;
                fs::write(&path, bytes)?;
                files += 1;
            }
        }
        ensure!(files > 0, "expected weights in {}, found none", checkpoint.display());
        self.train(run.path(), self.recipe, "flex", STEPS, true)?;
        Trace::read(&run.path().join("run"))
    }

    fn train(&self, folder: &Path, recipe: &str, device: &str, steps: usize, resume: bool) -> Result<()> {
        let (file, out) = (folder.join("recipe.toml"), folder.join("run"));
        fs::write(&file, recipe)?;
        let (file, out, steps) = (file.to_string_lossy(), out.to_string_lossy(), steps.to_string());
        let mut arguments = vec!["train", &file, "--steps", &steps, "--device", device, "--out", &out, "--quiet"];
        arguments.extend(resume.then_some("--resume"));
        self.command.done(&arguments).map(drop)
    }
}

/// Changes all values of a safetensors file, all of them float32, behind eight bytes with the length of its header.
fn nudge(file: &mut [u8], random: &mut u64, by: f64) -> Result<()> {
    let Some((length, rest)) = file.split_first_chunk_mut() else {
        bail!("expected a header, found {} bytes", file.len())
    };
    let Some((header, values)) = rest.split_at_mut_checked(u64::from_le_bytes(*length) as usize) else {
        bail!("expected a header as long as its length says, found {} bytes", rest.len());
    };
    let header: BTreeMap<String, Value> = serde_json::from_slice(header).context("expected a header of JSON")?;
    let other = header.iter().find(|(name, tensor)| *name != "__metadata__" && tensor["dtype"] != "F32");
    ensure!(other.is_none(), "expected float32 alone, found {other:?}");
    for value in values.as_chunks_mut::<4>().0 {
        // Of a linear congruential generator the upper bits are the good ones (Knuth's multiplier).
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let sign = if *random >> 63 == 0 { 1.0 } else { -1.0 };
        *value = ((f64::from(f32::from_le_bytes(*value)) * (1.0 + sign * by)) as f32).to_le_bytes();
    }
    Ok(())
}

/// What a run made: its losses and its samples.
#[derive(Debug)]
pub struct Trace {
    /// By name, one for each step.
    losses: BTreeMap<String, Vec<f64>>,
    /// The last sample sheet.
    pixels: Vec<u8>,
}

impl Trace {
    fn read(run: &Path) -> Result<Self> {
        let mut losses: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for line in fs::read_to_string(run.join("metrics.jsonl"))?.lines() {
            let values: BTreeMap<String, Value> = serde_json::from_str(line)?;
            for (name, value) in values {
                // Rates are what the run was given, and warnings are words.
                if let Some(value) = value.as_f64().filter(|_| name != "step" && !name.starts_with("lr_")) {
                    losses.entry(name).or_default().push(value);
                }
            }
        }
        let complete =
            losses.values().all(|values| values.len() == STEPS && values.iter().all(|value| value.is_finite()));
        ensure!(!losses.is_empty() && complete, "expected finite losses of {STEPS} steps in {}", run.display());
        let sheet = run.join(format!("samples/step-{STEPS}.png"));
        let pixels = image::open(&sheet).with_context(|| format!("cannot read {}", sheet.display()))?.into_bytes();
        Ok(Self { losses, pixels })
    }

    /// How far it is from another run of the same recipe.
    pub fn against(&self, reference: &Self) -> Deviation {
        let loss = |(name, theirs): (&String, &Vec<f64>)| {
            let scale = theirs.iter().fold(0f64, |scale, value| scale.max(value.abs()));
            let Some(ours) = self.losses.get(name) else { return f64::INFINITY };
            let largest = ours.iter().zip(theirs).fold(0f64, |largest, (a, b)| largest.max((a - b).abs()));
            if largest == 0.0 { 0.0 } else { largest / scale }
        };
        let pixels = self.pixels.iter().zip(&reference.pixels).map(|(&a, &b)| f64::from(a.abs_diff(b))).sum::<f64>();
        Deviation {
            loss: reference.losses.iter().map(loss).fold(0.0, f64::max),
            level: if self.pixels.len() == reference.pixels.len() {
                pixels / self.pixels.len() as f64
            } else {
                f64::INFINITY
            },
        }
    }
}

/// How far two runs are from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Deviation {
    /// Of any loss at any step, over the largest value of that loss.
    pub loss: f64,
    /// Mean over all pixels of the sample sheet, in levels of 255.
    pub level: f64,
}

impl Deviation {
    /// The larger of both numbers.
    pub fn max(self, other: Self) -> Self {
        Self { loss: self.loss.max(other.loss), level: self.level.max(other.level) }
    }

    /// Both numbers times the factor.
    pub fn times(self, factor: f64) -> Self {
        Self { loss: self.loss * factor, level: self.level * factor }
    }

    /// Whether both numbers are within `tolerance`.
    pub fn within(self, tolerance: Self) -> bool {
        self.loss <= tolerance.loss && self.level <= tolerance.level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nudges_move_every_value_by_so_much() {
        let header = br#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#;
        let values = [1.0f32, -2.0, 0.5];
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header);
        file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        nudge(&mut file, &mut 1, 0.25).unwrap();
        let moved = file[8 + header.len()..].as_chunks::<4>().0;
        for (moved, value) in moved.iter().zip(values) {
            assert_eq!((f32::from_le_bytes(*moved) / value - 1.0).abs(), 0.25);
        }
        let half = String::from_utf8_lossy(&file[..8 + header.len()]).replace("F32", "F16");
        assert!(nudge(&mut half.into_bytes(), &mut 1, 0.25).is_err());
    }

    #[test]
    fn a_deviation_is_the_worst_loss_and_the_mean_pixel() {
        let trace = |losses: [f64; 2], pixels: [u8; 2]| Trace {
            losses: BTreeMap::from([("critic".to_owned(), losses.to_vec())]),
            pixels: pixels.to_vec(),
        };
        let deviation = trace([1.0, 4.5], [10, 20]).against(&trace([1.0, 4.0], [10, 23]));
        assert_eq!(deviation, Deviation { loss: 0.125, level: 1.5 });
        assert!(deviation.within(deviation) && !deviation.within(Deviation { level: 1.0, ..deviation }));
    }
}
