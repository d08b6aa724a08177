//! The folder `firmware`, in which programs for boards are built.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The firmware folder of this repository, or `EDGEGEN_FIRMWARE`.
pub(crate) fn root() -> Result<PathBuf> {
    let root = std::env::var_os("EDGEGEN_FIRMWARE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), PathBuf::from);
    match root.canonicalize() {
        Ok(root) if root.join("arm").is_file() => Ok(root),
        _ => bail!(
            "there is no firmware folder at {}: set EDGEGEN_FIRMWARE to the folder `firmware` of edgegen's source",
            root.display()
        ),
    }
}

/// Held while a firmware is built.
pub(crate) fn lock() -> Result<File> {
    let target_dir = root()?.join("target");
    fs::create_dir_all(&target_dir).with_context(|| format!("could not make {}", target_dir.display()))?;
    let lock = File::create(target_dir.join(".edgegen-lock")).context("could not make the lock file")?;
    lock.lock().context("could not wait for other builds of the firmware")?;
    Ok(lock)
}
