//! Files that appear whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

/// Writes a file through a temporary name in the same folder and renames it to `path` when `write` succeeded.
///
/// A reader sees the old file or the new one, never a part. The temporary name keeps the extension, so that writers that choose a format
/// by extension work. Missing parent folders are created. When `write` fails or panics, the temporary file is removed and `path` is
/// left as it was.
pub fn replace(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    // Two threads may write the same path: a number besides the process id keeps their temporary files apart.
    static NEXT: AtomicU32 = AtomicU32::new(0);

    let name = path
        .file_name()
        .with_context(|| format!("expected a file to write, found the folder {}: add a file name", path.display()))?;
    let folder = create_parent(path)?;

    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let temporary = folder.join(format!(".tmp-{}-{number}-{}", std::process::id(), name.to_string_lossy()));
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner).push(temporary.clone());
    let mut guard = RemoveOnDrop(Some(temporary.clone()));
    write(&temporary).with_context(|| format!("cannot write {}", path.display()))?;
    fs::rename(&temporary, path).with_context(|| format!("cannot write {}", path.display()))?;
    guard.0 = None;
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| *other != temporary);
    Ok(())
}

/// Creates the folder of `path`, and those above it, and returns it.
pub fn create_parent(path: &Path) -> Result<&Path> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
    Ok(folder)
}

/// [`replace`] for contents that are already in memory.
pub fn replace_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |temporary| Ok(fs::write(temporary, bytes)?))
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+,:=@%".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Whether two paths are the same file, or would be.
pub fn same(one: &Path, other: &Path) -> bool {
    // A file that is not there yet has a folder that may be.
    let place = |path: &Path| {
        fs::canonicalize(path).or_else(|_| {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Ok::<_, std::io::Error>(fs::canonicalize(folder)?.join(path.file_name().unwrap_or_default()))
        })
    };
    match (place(one), place(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// Refuses to write a file over one that is read, or that the same command writes. Each path comes with what it is.
///
/// # Errors
///
/// If two are the same file; names both.
pub fn distinct(read: &[(&str, &Path)], written: &[(&str, &Path)]) -> Result<()> {
    for (index, (what, path)) in written.iter().enumerate() {
        let others = read.iter().chain(&written[..index]);
        if let Some((other, _)) = others.into_iter().find(|(_, other)| same(path, other)) {
            anyhow::bail!("expected {what} to be another file than {other}, found {} for both", path.display());
        }
    }
    Ok(())
}

/// Removes the temporary files of all writes that are under way, for a process that is about to end.
pub fn abandon() {
    // A poisoned lock still holds the names.
    for path in UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        let _ = fs::remove_file(path);
    }
}

/// Temporary files that exist now.
static UNDER_WAY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

struct RemoveOnDrop(Option<PathBuf>);

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // The file may never have been created; there is nobody left to tell.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/a.bin");
        replace_bytes(&path, b"old").unwrap();

        let error = replace(&path, |temporary| {
            fs::write(temporary, b"ha")?;
            anyhow::bail!("disk on fire")
        })
        .unwrap_err();

        assert!(format!("{error:#}").contains("a.bin: disk on fire"), "{error:#}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_is_written_over_what_is_read_or_written() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b, roundabout] = ["a", "b", "x/../a"].map(|name| folder.path().join(name));
        fs::create_dir(folder.path().join("x")).unwrap();
        assert!(!same(&a, &b) && same(&a, &roundabout), "neither is there yet");
        replace_bytes(&a, b"").unwrap();
        assert!(!same(&a, &b) && same(&a, &roundabout));
        distinct(&[("the model", &a)], &[("--out", &b)]).unwrap();
        let error = distinct(&[("the model", &a)], &[("--out", &b), ("--photo", &roundabout)]).unwrap_err().to_string();
        assert!(error.starts_with("expected --photo to be another file than the model, found "), "{error}");
        assert!(distinct(&[], &[("-o", &a), ("--onnx", &a)]).is_err());
    }

    #[test]
    fn paths_are_quoted_where_a_shell_needs_it() {
        let quoted = |path| quoted(Path::new(path));
        assert_eq!(quoted("runs/a-1_b.egm"), "runs/a-1_b.egm");
        assert_eq!([quoted("my runs/a"), quoted("it's"), quoted("$HOME")], ["'my runs/a'", r"'it'\''s'", "'$HOME'"]);
    }

    #[test]
    fn the_temporary_name_keeps_the_extension() {
        let folder = tempfile::tempdir().unwrap();
        replace(&folder.path().join("x.png"), |temporary| {
            assert_eq!(temporary.extension().unwrap(), "png");
            Ok(fs::write(temporary, b"1")?)
        })
        .unwrap();
    }
}
