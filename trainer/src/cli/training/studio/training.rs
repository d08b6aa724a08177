//! The training of a studio: `edgegen train` as a process of its own, paused by its end and resumed by `--resume`. What
//! there is to know of it lies in the run folder; here is only whether it runs.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::Value;

use super::child::{Child, lock};
use crate::checkpoint;
use crate::cli::play::Args;
use crate::recipe::Recipe;
use crate::run::{GENERATOR, RECIPE};
use crate::stderr;
use crate::train::{METRICS, SAMPLES};

/// Name of the recipe in a run folder that `edgegen new` wrote for a folder of pictures, with its reasons.
const CHOSEN: &str = "chosen.toml";
/// Bytes from the end of the metrics in which a whole line lies.
const TAIL: u64 = 8 * 1024;
/// Between looks at whether it has ended.
const LOOK: Duration = Duration::from_millis(50);

/// A training that can be paused.
#[derive(Debug)]
pub struct Training {
    source: Source,
    run: PathBuf,
    board: Option<String>,
    skip_bad: bool,
    state: Mutex<State>,
}

/// What is trained.
#[derive(Debug)]
enum Source {
    Recipe(PathBuf),
    /// A folder, for which a recipe is chosen first.
    Pictures(PathBuf),
}

#[derive(Debug, Default)]
struct State {
    child: Option<Arc<Child>>,
    is_choosing: bool,
    /// Times it was begun or resumed.
    sessions: u64,
    /// The step that this time began with.
    from: u64,
    /// The first step that was seen of it, and when: reading the data is no part of a step's time.
    first: Option<(u64, Instant)>,
    error: Option<String>,
    /// What to change, where it came to nothing.
    advice: Option<String>,
    /// What the last process said.
    lines: Vec<String>,
}

/// What it is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A recipe is being chosen.
    Choosing,
    Training,
    /// It saves, and will then be paused.
    Pausing,
    Paused,
    /// All steps are done.
    Done,
    /// It ended by itself; it can be tried again.
    Failed,
}

/// All that the page shows of it.
#[derive(Debug, Serialize)]
pub struct Status {
    pub phase: Phase,
    pub step: u64,
    pub steps: Option<u64>,
    pub seconds_left: Option<f64>,
    pub error: Option<String>,
    pub advice: Option<String>,
    pub lines: Vec<String>,
    pub sessions: u64,
    /// Bytes of its metrics so far.
    pub metrics: u64,
    /// Steps with a sample sheet, in order.
    pub samples: Vec<u64>,
    /// Whether there are weights to export.
    pub has_weights: bool,
}

impl Training {
    /// What the command line asks for.
    ///
    /// # Errors
    ///
    /// If there is neither a recipe, nor a run, nor a folder.
    pub fn new(path: &Path, args: &Args) -> Result<Self> {
        let what = path.display();
        ensure!(
            path.exists(),
            "expected a recipe, a folder of pictures or a run at {what}, found nothing: check the path"
        );
        let is_run = path.join(RECIPE).is_file();
        let source = match path.is_dir() {
            true if is_run => Source::Recipe(path.join(RECIPE)),
            true => Source::Pictures(path.to_owned()),
            false => Source::Recipe(path.to_owned()),
        };
        if let Source::Recipe(path) = &source {
            Recipe::load(path)?.check()?;
        }
        let whole = fs::canonicalize(path).with_context(|| format!("cannot read {what}"))?;
        let name = if path.is_dir() { whole.file_name() } else { whole.file_stem() };
        let name = name.with_context(|| format!("expected a recipe or folder with a name, found {what}"))?;
        let run = match &args.run {
            Some(run) => run.clone(),
            None if is_run => path.to_owned(),
            None => Path::new("runs").join(name),
        };
        let (board, skip_bad) = (args.board.clone(), args.skip_bad);
        Ok(Self { source, run, board, skip_bad, state: Mutex::default() })
    }

    /// The run folder, below which everything is written.
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// Whether there is a run in the folder already.
    pub fn has_begun(&self) -> Result<bool> {
        Ok(checkpoint::newest(&self.run)?.is_some())
    }

    /// Begins it, or goes on where it was paused.
    ///
    /// # Errors
    ///
    /// If it is under way.
    pub fn resume(self: &Arc<Self>) -> Result<()> {
        let child = Arc::<Child>::default();
        {
            let mut state = lock(&self.state);
            ensure!(state.child.is_none(), "the training is under way: pause it first");
            let (sessions, from) = (state.sessions + 1, self.last_step());
            *state = State { child: Some(Arc::clone(&child)), sessions, from, ..State::default() };
        }
        let this = Arc::clone(self);
        thread::spawn(move || {
            let done = this.train(&child);
            let mut state = lock(&this.state);
            match done {
                Ok(advice) => state.advice = advice,
                // Whoever is asked to end may say so.
                Err(_) if child.is_stopped() => {}
                Err(error) => {
                    let error = format!("{error:#}");
                    stderr::line(&format!("the training has ended: {error}"));
                    state.error = Some(error);
                }
            }
            state.lines = child.lines();
            (state.child, state.is_choosing) = (None, false);
        });
        Ok(())
    }

    /// Has it save and end.
    ///
    /// # Errors
    ///
    /// If it is not under way.
    pub fn pause(&self) -> Result<()> {
        let state = lock(&self.state);
        let child = state.child.as_ref().context("the training is not under way: there is nothing to pause")?;
        child.stop();
        Ok(())
    }

    /// Pauses it, if it is under way, and waits until it has saved; whether there was anything to wait for.
    pub fn settle(&self) -> bool {
        let was_under_way = self.pause().is_ok();
        while lock(&self.state).child.is_some() {
            thread::sleep(LOOK);
        }
        was_under_way
    }

    pub fn status(&self) -> Status {
        let step = self.last_step();
        let steps = Recipe::load(&self.recipe()).ok().map(|recipe| recipe.train.steps);
        let mut state = lock(&self.state);
        let phase = match &state.child {
            Some(child) if child.is_stopped() => Phase::Pausing,
            Some(_) if state.is_choosing => Phase::Choosing,
            Some(_) => Phase::Training,
            None if state.error.is_some() => Phase::Failed,
            None if steps.is_some_and(|steps| step >= steps) => Phase::Done,
            None => Phase::Paused,
        };
        let mut seconds_left = None;
        if phase == Phase::Training && step > state.from {
            let (first, since) = *state.first.get_or_insert((step, Instant::now()));
            let done = step.saturating_sub(first);
            let left = steps.unwrap_or(step).saturating_sub(step);
            seconds_left = (done > 0).then(|| since.elapsed().as_secs_f64() * left as f64 / done as f64);
        }
        Status {
            phase,
            step,
            steps,
            seconds_left,
            error: state.error.clone(),
            advice: state.advice.clone(),
            lines: state.child.as_ref().map_or_else(|| state.lines.clone(), |child| child.lines()),
            sessions: state.sessions,
            metrics: fs::metadata(self.run.join(METRICS)).map_or(0, |file| file.len()),
            samples: self.samples(step),
            has_weights: self.run.join(GENERATOR).is_file(),
        }
    }

    /// The metrics from a byte on, whole lines only.
    ///
    /// # Errors
    ///
    /// If they cannot be read; that there are none yet is no error.
    pub fn metrics(&self, from: u64) -> Result<Vec<u8>> {
        let path = self.run.join(METRICS);
        if !path.is_file() {
            return Ok(Vec::new());
        }
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|mut file| file.seek(SeekFrom::Start(from)).and_then(|_| file.read_to_end(&mut bytes)))
            .with_context(|| format!("cannot read {}", path.display()))?;
        bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
        Ok(bytes)
    }

    /// The sample sheet that was drawn after a step, a PNG.
    pub fn sheet(&self, step: u64) -> Option<Vec<u8>> {
        fs::read(self.run.join(SAMPLES).join(format!("step-{step}.png"))).ok()
    }

    /// Chooses a recipe, where there is none yet, and trains; gives what to change if it came to nothing.
    fn train(&self, child: &Child) -> Result<Option<String>> {
        let recipe = self.recipe();
        let skip = self.skip_bad.then_some("--skip-bad".into());
        let board = self.board.iter().flat_map(|board| ["--board".into(), board.into()]);
        if let Source::Pictures(folder) = &self.source
            && !recipe.is_file()
        {
            lock(&self.state).is_choosing = true;
            let mut args = vec!["new".into(), folder.into(), "--out".into(), recipe.clone().into()];
            args.extend(board.clone().chain(skip.clone()));
            child.run(&args)?;
            lock(&self.state).is_choosing = false;
            if child.is_stopped() {
                return Ok(None);
            }
        }
        let mut args = vec!["train".into(), recipe.into(), "--json".into(), "--out".into(), (&self.run).into()];
        args.extend(board.chain(skip));
        if self.has_begun()? {
            args.push("--resume".into());
        }
        let summary: Value = serde_json::from_str(&child.run(&args)?).context("cannot read the training's summary")?;
        Ok(summary["advice"].as_str().filter(|advice| !advice.is_empty()).map(str::to_owned))
    }

    fn recipe(&self) -> PathBuf {
        match &self.source {
            Source::Recipe(path) => path.clone(),
            Source::Pictures(_) => self.run.join(CHOSEN),
        }
    }

    /// The step of the metrics' last line, 0 without any.
    fn last_step(&self) -> u64 {
        let size = fs::metadata(self.run.join(METRICS)).map_or(0, |file| file.len());
        let end = self.metrics(size.saturating_sub(TAIL)).unwrap_or_default();
        let line = end.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
        let line: Option<Value> = line.and_then(|line| serde_json::from_slice(line).ok());
        line.and_then(|line| line["step"].as_u64()).unwrap_or(0)
    }

    /// Steps up to the last one with a sample sheet.
    fn samples(&self, last: u64) -> Vec<u64> {
        let entries = fs::read_dir(self.run.join(SAMPLES)).into_iter().flatten().flatten();
        let step = |name: &str| name.strip_prefix("step-")?.strip_suffix(".png")?.parse().ok();
        let mut steps: Vec<u64> = entries.filter_map(|entry| step(entry.file_name().to_str()?)).collect();
        steps.retain(|step| *step <= last);
        steps.sort_unstable();
        steps
    }
}
