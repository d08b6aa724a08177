//! PyTorch, in a Python process (`peer.py`).

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use edgegen::recipe::Recipe;
use serde_json::{Value, json};

use crate::measure::Time;

/// A Python process with PyTorch. It ends with this value.
#[derive(Debug)]
pub struct Peer {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// What the process says it is.
    pub version: String,
}

impl Peer {
    /// Starts `python` and has it build all cases on PyTorch's device `place`, "cpu" or "cuda". Its threads sleep while
    /// they wait, as ours do, or `spin`.
    ///
    /// # Errors
    ///
    /// When there is no such Python, no PyTorch in it, or no such device.
    pub fn start(python: &str, [recipe, style]: [&Recipe; 2], place: &str, threads: usize, spin: bool) -> Result<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peer.py");
        let mut command = Command::new(python);
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        if !spin {
            command.env("OMP_WAIT_POLICY", "PASSIVE").env("GOMP_SPINCOUNT", "0").env("KMP_BLOCKTIME", "0");
        }
        let started = command.spawn();
        let mut process = started.with_context(|| format!("cannot start {python}: use `just bench-train`"))?;
        let (Some(requests), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            bail!("expected pipes to {python}, found none: report it");
        };
        let mut peer = Self { process, requests, answers: BufReader::new(answers), version: String::new() };
        let recipe_table = json!({ "dcgan": recipe.settings });
        let batch = recipe.train.batch;
        let style = json!({ "style": style.settings, "image": style.image(), "batch": style.train.batch });
        let load = json!({
            "do": "load", "device": place, "threads": threads, "batch": batch, "recipe": recipe_table, "style": style,
        });
        peer.version = peer.ask(&load)?["version"].as_str().unwrap_or_default().to_owned();
        Ok(peer)
    }

    /// Does a case `count` times.
    ///
    /// # Errors
    ///
    /// When the process has ended.
    pub fn time(&mut self, case: &str, count: usize) -> Result<Time> {
        let answer = self.ask(&json!({ "do": "time", "case": case, "count": count }))?;
        let milliseconds = |key: &str| answer[key].as_f64().map(|nanoseconds| nanoseconds / 1e6 / count as f64);
        match (milliseconds("wall"), milliseconds("cpu")) {
            (Some(wall), Some(cpu)) => Ok(Time { wall, cpu }),
            _ => bail!("expected two times from peer.py, found {answer}"),
        }
    }

    fn ask(&mut self, request: &Value) -> Result<Value> {
        writeln!(self.requests, "{request}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        ensure!(!answer.is_empty(), "peer.py ended: its message is above");
        let answer: Value = serde_json::from_str(&answer).with_context(|| format!("peer.py answered {answer}"))?;
        match answer["error"].as_str() {
            Some(error) => bail!("{error}"),
            None => Ok(answer),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It ends with its input; waiting for it would need the pipe closed first.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
