//! What is done with a studio's run besides training it: `edgegen export` and `edgegen flash`, one at a time, each as a
//! process of its own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum as _;
use serde::Serialize;
use serde_json::{Value, json};

use super::child::{Child, lock};
use crate::cli::export::{Codes, POOR};

/// Name of the exported model in a run folder.
pub const MODEL: &str = "model.egm";

/// The latest of these jobs.
#[derive(Debug, Default)]
pub struct Jobs(Mutex<Option<Job>>);

#[derive(Debug)]
struct Job {
    what: &'static str,
    child: Arc<Child>,
    since: Instant,
    /// What it came to, once it has ended.
    end: Option<Result<Value>>,
}

/// What the page shows of it.
#[derive(Debug, Serialize)]
pub struct Status {
    /// `export` or `flash`.
    pub what: &'static str,
    pub is_running: bool,
    /// Since it began.
    pub seconds: f64,
    pub lines: Vec<String>,
    pub error: Option<String>,
    pub value: Option<Value>,
}

impl Jobs {
    /// Makes a model file of the run's weights, beside them, with `codes` as `edgegen export --codes` has them.
    ///
    /// # Errors
    ///
    /// If there are no such codes, or a job is under way.
    pub fn export(self: &Arc<Self>, run: &Path, name: &str, codes: &str) -> Result<()> {
        ensure!(Codes::from_str(codes, false).is_ok(), "expected codes int8 or int16, found {codes}");
        let mut args: Vec<OsString> = vec!["export".into(), run.into(), "--out".into(), run.join(MODEL).into()];
        args.extend(["--name".into(), name.into(), "--codes".into(), codes.into(), "--json".into()]);
        self.begin("export", args, |printed| {
            let report: Value = serde_json::from_str(printed).context("cannot read the export's report")?;
            let near = &report["float_vs_int8"];
            Ok(json!({
                "codes": report["codes"],
                "flash": report["cost"]["file_bytes"],
                "ram": report["cost"]["arena_bytes"],
                "psnr_db": near["psnr_db"],
                "is_poor": near["psnr_db"].as_f64().is_some_and(|psnr| psnr < POOR),
                "worst": near["worst"],
            }))
        })
    }

    /// Puts that model on a board, or writes a file for it into the run folder where no board is connected.
    ///
    /// # Errors
    ///
    /// If a job is under way.
    pub fn flash(self: &Arc<Self>, model: PathBuf, board: &str, panel: &str) -> Result<()> {
        let words = ["--board", board, "--panel", panel].map(OsString::from);
        let args = [vec!["flash".into(), model.into()], words.into()].concat();
        self.begin("flash", args, |printed| Ok(json!({ "text": printed.trim() })))
    }

    pub fn status(&self) -> Option<Status> {
        lock(&self.0).as_ref().map(|Job { what, child, since, end }| Status {
            what,
            is_running: end.is_none(),
            seconds: since.elapsed().as_secs_f64(),
            lines: child.lines(),
            error: end.as_ref().and_then(|end| Some(format!("{:#}", end.as_ref().err()?))),
            value: end.as_ref().and_then(|end| end.as_ref().ok().cloned()),
        })
    }

    /// Starts a command; `read` makes a value of what it prints.
    fn begin(
        self: &Arc<Self>,
        what: &'static str,
        args: Vec<OsString>,
        read: impl FnOnce(&str) -> Result<Value> + Send + 'static,
    ) -> Result<()> {
        let child = Arc::<Child>::default();
        {
            let mut job = lock(&self.0);
            if let Some(Job { what, end: None, .. }) = &*job {
                anyhow::bail!("`edgegen {what}` is under way: wait until it has ended");
            }
            *job = Some(Job { what, child: Arc::clone(&child), since: Instant::now(), end: None });
        }
        let this = Arc::clone(self);
        thread::spawn(move || {
            let end = child.run(&args).and_then(|printed| read(&printed));
            if let Some(job) = &mut *lock(&this.0) {
                job.end = Some(end);
            }
        });
        Ok(())
    }
}

/// The model in a run folder.
///
/// # Errors
///
/// If nothing was exported yet.
pub fn model(run: &Path) -> Result<PathBuf> {
    let path = run.join(MODEL);
    ensure!(path.is_file(), "expected a model file in {}, found none: export the run first", run.display());
    Ok(path)
}
