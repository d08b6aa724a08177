//! The run folder: whose it is, and what lies in it to go on from.

use std::fs::{self, File, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::checkpoint::{self, State};
use crate::files;
use crate::run::RECIPE;

/// Held by the process that trains in the folder. The file stays; the lock goes with its process, however that ends.
const LOCK: &str = "lock";

/// A run folder that no other process trains in.
pub(super) struct Claim {
    /// Its checkpoint, if the run is to go on from one.
    pub(super) found: Option<(State, PathBuf)>,
    /// `None` where nothing could be locked: in a folder that is not there yet, or on a file system without locks.
    _lock: Option<File>,
}

/// Looks whether a run can begin in the folder `out`, or with `resume` go on there; changes nothing.
///
/// # Errors
///
/// If another process trains there, a run is there that shall not go on, or none that could.
pub(super) fn look(out: &Path, resume: bool) -> Result<()> {
    let lock = if out.join(LOCK).is_file() { lock(out)? } else { None };
    find(out, resume, lock).map(drop)
}

/// Creates the folder `out`, if it is not there, and takes it for this process.
///
/// # Errors
///
/// As [`look`], or if the folder cannot be created.
pub(super) fn claim(out: &Path, resume: bool) -> Result<Claim> {
    // What is refused leaves no folder.
    if !out.exists() {
        find(out, resume, None)?;
    }
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let lock = lock(out)?;
    find(out, resume, lock)
}

fn find(out: &Path, resume: bool, lock: Option<File>) -> Result<Claim> {
    let found = checkpoint::newest(out)?;
    match (&found, resume) {
        (Some(_), false) => {
            bail!("{} already holds a run: add --resume to go on with it, or choose another --out", out.display())
        }
        (None, true) if out.join(RECIPE).is_file() => {
            bail!(
                "expected a run with a checkpoint in {}, found one that ended before its first: leave out --resume",
                out.display()
            )
        }
        (None, true) => {
            let hint = nearest(out).map_or_else(String::new, |run| format!("; there is a run in {}", run.display()));
            bail!(
                "expected a run to go on with in {}, found none: check --out, or leave out --resume to begin one{hint}",
                out.display()
            )
        }
        _ => Ok(Claim { found, _lock: lock }),
    }
}

fn lock(out: &Path) -> Result<Option<File>> {
    let path = out.join(LOCK);
    let open = File::options().create(true).read(true).write(true).truncate(false).open(&path);
    let mut file = open.with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {
            // For the message of whoever comes second; the lock holds without it.
            let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
            Ok(Some(file))
        }
        Err(TryLockError::WouldBlock) => {
            let mut process = String::new();
            let who = match file.read_to_string(&mut process) {
                Ok(1..) => format!(" (process {})", process.trim()),
                _ => String::new(),
            };
            bail!("another edgegen{who} trains in {}: wait for it, end it, or choose another --out", out.display())
        }
        // Some network file systems have no locks; training there is as safe as it was without.
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// The folder with a run whose name is most like `out`, among those beside it and those of its name elsewhere nearby.
fn nearest(out: &Path) -> Option<PathBuf> {
    let folders = |of: &Path| {
        let of = if of.as_os_str().is_empty() { Path::new(".") } else { of };
        let entries = fs::read_dir(of).into_iter().flatten().flatten().map(|entry| entry.path());
        entries.map(|path| path.strip_prefix(".").map_or(path.clone(), Path::to_owned)).collect::<Vec<_>>()
    };
    let (name, parent) = (out.file_name()?, out.parent()?);
    let mut near = folders(parent);
    near.extend(parent.parent().into_iter().flat_map(folders).map(|folder| folder.join(name)));
    let wanted = out.to_string_lossy();
    let distance = |path: &PathBuf| strsim::damerau_levenshtein(&wanted, &path.to_string_lossy());
    near.into_iter().filter(|path| matches!(checkpoint::newest(path), Ok(Some(_)))).min_by_key(distance)
}

/// Forgets lines of `path` after the checkpoint: the steps they tell of will be done again.
pub(super) fn truncate_metrics(path: &Path, step: u64) -> Result<()> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", path.display()));
        }
    };
    let kept: String = text
        .split_inclusive('\n')
        .take_while(|line| {
            serde_json::from_str::<Value>(line).ok().and_then(|line| line["step"].as_u64()).is_some_and(|at| at <= step)
        })
        .collect();
    if kept.len() != text.len() {
        files::replace_bytes(path, kept.as_bytes())?;
    }
    Ok(())
}
