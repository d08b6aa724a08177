//! Brings a named data set into the cache folder.
//!
//! Sources are tried in order until one gives every file with the right length and SHA-256. Files are unpacked and checked in a temporary
//! folder beside their place and then renamed: whatever happens, the cache holds whole files or none.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::catalogue::{self, Known};
use super::{RawFile, Source, cache_folder, list, pairs, patches, speech, stacked, unpaired};
use crate::files::create_parent;
use crate::stderr;

/// How to fetch.
pub struct FetchOptions {
    /// Folder that holds one sub-folder for each set; [`cache_folder`] when not given. Loading by name looks in `cache_folder` alone.
    pub root: Option<PathBuf>,
    /// A folder with the files, plain or `.gz`, to take them from instead of the usual sources.
    pub from: Option<PathBuf>,
    /// Time after which a command is ended.
    pub timeout: Duration,
    /// Gets one line for each thing worth telling.
    pub report: Box<dyn Fn(&str)>,
}

impl Default for FetchOptions {
    /// The usual sources, two minutes a command, lines to standard error.
    fn default() -> Self {
        Self { root: None, from: None, timeout: Duration::from_secs(120), report: Box::new(stderr::line) }
    }
}

impl fmt::Debug for FetchOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchOptions")
            .field("root", &self.root)
            .field("from", &self.from)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Makes sure that the data set `name`, or those that it is drawn from, lie in the cache, whole and unchanged, and
/// returns the folder of the last.
///
/// When it does already, its checksums are verified and nothing else happens.
///
/// # Errors
/// An unknown name, or no source that gives the right files: the message lists what was tried, with each source's own complaint.
pub fn fetch(name: &str, options: &FetchOptions) -> Result<PathBuf> {
    if name == speech::NAME {
        ensure!(
            options.from.is_none(),
            "expected no --from for {name}, which a program says, found {}: leave it out",
            options.from.as_deref().unwrap_or(Path::new("")).display()
        );
        return speech::fetch(&options.root.clone().map_or_else(cache_folder, Ok)?, &*options.report);
    }
    let name = match name {
        patches::NAME => {
            let [first, last] = patches::SOURCES;
            fetch(first, options)?;
            last
        }
        stacked::NAME => stacked::SOURCE,
        other => match (pairs::made(other), unpaired::kinds(other)) {
            (Some(made), _) => made.source,
            (None, Some(kinds)) => kinds.source,
            (None, None) => other,
        },
    };
    let Some(known) = catalogue::find(name) else {
        let all: Vec<_> = list().into_iter().filter(|info| !info.sources.is_empty()).map(|info| info.name).collect();
        bail!(
            "expected the name of a data set that can be fetched ({}), found '{name}': see `edgegen data list`",
            all.join(", ")
        );
    };
    let root = options.root.clone().map_or_else(cache_folder, Ok)?;
    match &options.from {
        Some(folder) => fetch_into(known, &root, &[Source::Folder(folder.clone())], options),
        None => fetch_into(known, &root, known.sources, options),
    }
}

fn fetch_into(known: &Known, root: &Path, sources: &[Source], options: &FetchOptions) -> Result<PathBuf> {
    let name = known.name;
    let target = root.join(name);
    if known.is_complete_in(&target) {
        match verify(known.files, &target) {
            Ok(()) => return Ok(target),
            Err(error) => (options.report)(&format!("{name}: {error:#}; fetching it again")),
        }
    }

    fs::create_dir_all(root)
        .with_context(|| format!("cannot make the data folder {}: set EDGEGEN_DATA to another", root.display()))?;
    let mut tried = Vec::new();
    for source in sources {
        (options.report)(&format!("{name}: fetching from {source}"));
        match take(known.files, source, root, &target, options.timeout) {
            Ok(()) => {
                (options.report)(&format!("{name}: checked and kept in {}", target.display()));
                return Ok(target);
            }
            Err(error) => {
                (options.report)(&format!("{name}: {source}: {error:#}"));
                tried.push(format!("{source} ({error:#})"));
            }
        }
    }
    bail!(
        "expected a source for {name}, found none that answers among {}: put the files {} into {} by hand",
        tried.join(", "),
        known.files.iter().map(|file| file.name).collect::<Vec<_>>().join(", "),
        target.display()
    )
}

/// One source, one temporary folder: obtain, unpack, check all, then rename all.
fn take(files: &[RawFile], source: &Source, root: &Path, target: &Path, timeout: Duration) -> Result<()> {
    let temporary = tempfile::Builder::new().prefix(".fetch-").tempdir_in(root)?;
    let (work, ready) = (temporary.path().join("work"), temporary.path().join("ready"));
    fs::create_dir(&work)?;
    fs::create_dir(&ready)?;

    let found = source.obtain(files, &work, timeout)?;
    for file in files {
        let to = ready.join(file.name);
        create_parent(&to)?;
        unpack_checked(file, &found, &to)?;
    }
    for file in files {
        let to = target.join(file.name);
        create_parent(&to)?;
        fs::rename(ready.join(file.name), to)?;
    }
    Ok(())
}

fn unpack_checked(file: &RawFile, from: &Path, to: &Path) -> Result<()> {
    let name = file.name;
    let (plain, packed) = (from.join(name), from.join(format!("{name}.gz")));
    let mut to = File::create(to)?;
    if plain.is_file() {
        check(file, File::open(plain)?, &mut to)
    } else if packed.is_file() {
        check(file, MultiGzDecoder::new(File::open(packed)?), &mut to)
    } else {
        bail!("expected {name} or {name}.gz, found neither")
    }
}

/// Checks the files in their place, all bytes of them.
fn verify(files: &[RawFile], folder: &Path) -> Result<()> {
    files.iter().try_for_each(|file| check(file, File::open(folder.join(file.name))?, &mut io::sink()))
}

/// Copies at most a byte more than the file should have, and compares length and sum.
fn check(file: &RawFile, from: impl Read, to: &mut impl Write) -> Result<()> {
    let name = file.name;
    let mut from = from.take(file.bytes + 1);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let count = from.read(&mut buffer).with_context(|| format!("cannot read {name}"))?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
        to.write_all(&buffer[..count])?;
        bytes += count as u64;
    }
    let found = if bytes > file.bytes { "more".to_owned() } else { bytes.to_string() };
    ensure!(bytes == file.bytes, "expected {} bytes in {name}, found {found}", file.bytes);
    let sum: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    ensure!(sum == file.sha256, "expected the SHA-256 {} of {name}, found {sum}", file.sha256);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::cell::RefCell;
    use std::rc::Rc;

    const FILES: &[RawFile] = &[
        RawFile { name: "abc", bytes: 3, sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        RawFile {
            name: "in/empty",
            bytes: 0,
            sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        },
    ];

    fn known() -> Known {
        Known::for_tests("tiny", FILES)
    }

    fn options() -> (FetchOptions, Rc<RefCell<Vec<String>>>) {
        let lines = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&lines);
        let options = FetchOptions {
            report: Box::new(move |line| seen.borrow_mut().push(line.to_owned())),
            ..FetchOptions::default()
        };
        (options, lines)
    }

    /// A source folder with one plain and one packed file.
    fn source(abc: &[u8]) -> (tempfile::TempDir, Source) {
        let folder = tempfile::tempdir().unwrap();
        let mut encoder = GzEncoder::new(File::create(folder.path().join("abc.gz")).unwrap(), Compression::fast());
        encoder.write_all(abc).unwrap();
        encoder.finish().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        fs::write(folder.path().join("in/empty"), b"").unwrap();
        let source = Source::Folder(folder.path().to_owned());
        (folder, source)
    }

    fn entries(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_first_good_source_wins_and_a_second_fetch_does_nothing() {
        let root = tempfile::tempdir().unwrap();
        let (options, lines) = options();
        let (_bad, bad) = source(b"abd");
        let (good_folder, good) = source(b"abc");
        let sources = [Source::Folder("/no/such/folder".into()), bad, good];

        let target = fetch_into(&known(), root.path(), &sources, &options).unwrap();
        assert_eq!(
            (entries(root.path()), entries(&target)),
            (vec!["tiny".to_owned()], vec!["abc".to_owned(), "in".to_owned()])
        );
        assert_eq!(fs::read(target.join("abc")).unwrap(), b"abc");
        assert_eq!(fs::read(target.join("in/empty")).unwrap(), b"");
        assert!(lines.borrow()[1].contains("expected a folder at /no/such/folder"), "{lines:?}");
        assert!(lines.borrow()[3].contains("expected the SHA-256 ba78"), "{lines:?}");

        lines.borrow_mut().clear();
        drop(good_folder);
        fetch_into(&known(), root.path(), &sources, &options).unwrap();
        assert!(lines.borrow().is_empty());
    }

    #[test]
    fn a_changed_file_is_noticed_and_fetched_again() {
        let root = tempfile::tempdir().unwrap();
        let (options, lines) = options();
        let (_folder, good) = source(b"abc");
        let target = fetch_into(&known(), root.path(), std::slice::from_ref(&good), &options).unwrap();
        fs::write(target.join("abc"), b"abX").unwrap();
        lines.borrow_mut().clear();
        fetch_into(&known(), root.path(), &[good], &options).unwrap();
        assert!(lines.borrow()[0].contains("fetching it again"), "{lines:?}");
        assert_eq!(fs::read(target.join("abc")).unwrap(), b"abc");
    }

    #[test]
    fn when_all_fail_the_error_lists_them_and_nothing_is_left() {
        let root = tempfile::tempdir().unwrap();
        let (options, _) = options();
        let ((_a, short), (_b, long)) = (source(b"ab"), source(b"abcd"));
        let error = fetch_into(&known(), root.path(), &[short, long, Source::Folder("/no/such".into())], &options)
            .unwrap_err()
            .to_string();
        for part in ["expected 3 bytes in abc, found 2", "found more", "/no/such", "abc, in/empty", "by hand"] {
            assert!(error.contains(part), "{part} not in: {error}");
        }
        assert!(entries(root.path()).is_empty());
    }

    #[test]
    fn unknown_names_are_refused() {
        for name in ["glyphs", "cifar"] {
            let error = fetch(name, &FetchOptions::default()).unwrap_err().to_string();
            assert!(error.contains("mnist, fashion-mnist, emoji") && error.contains(name), "{error}");
        }
    }
}
