//! A command of this program that runs as a process of its own beside the studio, which it cannot disturb.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read as _};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};

/// Lines that are kept of what it says.
const MOST_LINES: usize = 200;

/// One such command: what it says while it runs, and a way to end it.
#[derive(Debug, Default)]
pub struct Child {
    lines: Mutex<VecDeque<String>>,
    held: Mutex<Held>,
}

/// What keeps it alive.
#[derive(Debug, Default)]
struct Held {
    /// Asked to end, perhaps before it has begun.
    stopped: bool,
    /// Its standard input, with whose end it ends.
    input: Option<ChildStdin>,
}

impl Child {
    /// Runs `edgegen` with these arguments to its end, and gives what it prints.
    ///
    /// # Errors
    ///
    /// What it says itself, or how it ended; also where it was asked to end.
    pub fn run(&self, args: &[OsString]) -> Result<String> {
        let program = std::env::current_exe().context("cannot find this program to start it again")?;
        let mut command = Command::new(program);
        command.arg("--until-input-ends").args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start this program again")?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        {
            let mut held = lock(&self.held);
            held.input = input.filter(|_| !held.stopped);
        }
        let mut printed = Vec::new();
        let read = thread::scope(|scope| {
            scope.spawn(|| errors.into_iter().for_each(|errors| self.listen(BufReader::new(errors))));
            output.map_or(Ok(0), |mut output| output.read_to_end(&mut printed))
        });
        let status = child.wait().context("cannot wait for the command")?;
        lock(&self.held).input = None;
        read.context("cannot read what the command prints")?;
        if !status.success() {
            bail!("{}", self.error().unwrap_or_else(|| format!("the command ended with {status}")));
        }
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    /// Has it save what it has, and end.
    pub fn stop(&self) {
        *lock(&self.held) = Held { stopped: true, input: None };
    }

    /// Whether it was asked to.
    pub fn is_stopped(&self) -> bool {
        lock(&self.held).stopped
    }

    /// The last lines that it said.
    pub fn lines(&self) -> Vec<String> {
        lock(&self.lines).iter().cloned().collect()
    }

    fn listen(&self, errors: impl BufRead) {
        for line in errors.lines().map_while(Result::ok) {
            let mut lines = lock(&self.lines);
            lines.push_back(line);
            if lines.len() > MOST_LINES {
                lines.pop_front();
            }
        }
    }

    /// What it ended with, where that was an error of its own.
    fn error(&self) -> Option<String> {
        let lines = self.lines();
        let at = lines.iter().rposition(|line| line.starts_with("error: "))?;
        Some(lines[at..].join("\n").trim_start_matches("error: ").to_owned())
    }
}

/// A thread that panicked while it held the lock has left whole values.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
