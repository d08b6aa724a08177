//! onnxruntime, in float32 and as its own quantizer makes it int8, in a Python process (`ort.py`).

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use edgegen_runtime::Point;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::contender::{Contender, Contenders, FLOAT_ERROR, Task};

/// Latent vectors that onnxruntime calibrates with: as many as ours.
const CALIBRATION: u64 = 256;
/// Seed of the first; the others follow.
const CALIBRATION_SEED: u64 = 3_000_000;

/// A Python process with onnxruntime. It ends with this value.
#[derive(Debug)]
pub struct Ort {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    folder: TempDir,
    /// What the process says it is.
    pub version: String,
    /// Quantizations that failed, and why.
    pub failed: Vec<String>,
}

impl Ort {
    /// Starts `python` and has it load and quantize the task's network; gives a contender for each result.
    ///
    /// # Errors
    ///
    /// When there is no such Python, or no onnxruntime in it.
    pub fn start(python: &str, task: &Task) -> Result<(Rc<RefCell<Self>>, Contenders)> {
        let folder = tempfile::tempdir()?;
        let network = &task.network;
        let calibration: Vec<_> = (CALIBRATION_SEED..CALIBRATION_SEED + CALIBRATION)
            .flat_map(|seed| network.inputs_at(Point::seed(seed)))
            .collect();
        fs::write(folder.path().join("model.onnx"), &task.onnx)?;
        for (name, latents) in [("latents.f32", &task.latents), ("calibration.f32", &calibration)] {
            let bytes: Vec<u8> = latents.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
            fs::write(folder.path().join(name), bytes)?;
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/ort.py");
        // A benchmark tells nobody that it runs.
        let mut command = Command::new(python);
        command.arg(script).env("ORT_DISABLE_TELEMETRY", "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        let started = command.spawn();
        let mut process = started.with_context(|| format!("cannot start {python}: use `just bench-host`"))?;
        let (Some(requests), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            bail!("expected pipes to {python}, found none: report it");
        };
        let answers = BufReader::new(answers);
        let mut ort = Self { process, requests, answers, folder, version: String::new(), failed: Vec::new() };
        let answer = ort.ask(&json!({ "do": "load", "folder": ort.folder.path() }))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        ort.version = text(&answer["version"]);
        ort.failed = list(&answer["failed"]).iter().map(text).collect();
        let ort = Rc::new(RefCell::new(ort));
        let sessions = list(&answer["sessions"]).into_iter().enumerate().map(|(index, session)| {
            let name = text(&session["name"]);
            let session = Session { ort: Rc::clone(&ort), index, name, note: text(&session["note"]) };
            Box::new(session) as Box<dyn Contender>
        });
        let sessions = sessions.collect();
        Ok((ort, sessions))
    }

    /// What `count` calls cost that do nothing.
    ///
    /// # Errors
    ///
    /// When the process has ended.
    pub fn calls(&mut self, count: usize) -> Result<Duration> {
        let answer = self.ask(&json!({ "do": "call", "count": count }))?;
        Ok(Duration::from_nanos(answer["ns"].as_u64().unwrap_or_default()))
    }

    fn ask(&mut self, request: &Value) -> Result<Value> {
        writeln!(self.requests, "{request}")?;
        self.requests.flush()?;
        let mut line = String::new();
        ensure!(
            self.answers.read_line(&mut line)? > 0,
            "expected an answer of onnxruntime, found its end: look at what Python says above"
        );
        let answer: Value = serde_json::from_str(&line)?;
        match answer.get("error") {
            Some(error) => bail!("onnxruntime: {error}"),
            None => Ok(answer),
        }
    }

    fn read(&self, path: impl AsRef<Path>) -> Result<Vec<f32>> {
        let bytes = fs::read(self.folder.path().join(path))?;
        Ok(bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
    }
}

impl Drop for Ort {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One model in the process.
struct Session {
    ort: Rc<RefCell<Ort>>,
    index: usize,
    name: String,
    note: String,
}

impl Contender for Session {
    fn name(&self) -> String {
        format!("onnxruntime {}", self.name)
    }

    fn note(&self) -> String {
        self.note.clone()
    }

    fn levels(&mut self, task: &Task) -> Result<Vec<Vec<f32>>> {
        let mut ort = self.ort.borrow_mut();
        ort.ask(&json!({ "do": "images", "session": self.index }))?;
        let values = ort.read("images.f32")?;
        let len = task.images.first().map_or(1, |image| image.values.len());
        let mut images = Vec::new();
        for (latent, image) in values.chunks(len).enumerate().take(task.images.len()) {
            let difference = task.difference(latent, image);
            ensure!(
                self.index > 0 || difference <= FLOAT_ERROR,
                "expected what the interpreter says of onnxruntime, found {difference:.1e} off"
            );
            images.push(image.iter().map(|&value| task.network.pixels.level(value)).collect());
        }
        Ok(images)
    }

    fn time(&mut self, count: usize) -> Result<Duration> {
        let answer = self.ort.borrow_mut().ask(&json!({ "do": "time", "session": self.index, "count": count }))?;
        Ok(Duration::from_nanos(answer["ns"].as_u64().unwrap_or_default()))
    }
}
