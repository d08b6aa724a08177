//! Where the files of a data set come from.
//!
//! Packages come through the clients that the machine has, with whatever mirror they are set up for; this program knows no registry.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use flate2::read::GzDecoder;

use super::RawFile;
use crate::files::create_parent;

/// One place that may have the files, plain or as `.gz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A folder on this machine.
    Folder(PathBuf),
    /// npm packages that hold the files somewhere; needs `npm`.
    Npm {
        /// `name@version` of each.
        packages: &'static [&'static str],
    },
    /// A Debian package that installs the files somewhere; needs `apt-get` and `dpkg`, but no root.
    Debian {
        /// Package name.
        package: &'static str,
    },
    /// A plain web folder; needs `curl`.
    Url {
        /// Address of the folder, without the last slash.
        base: &'static str,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Npm { packages } => write!(f, "npm package {}", packages.join(" and ")),
            Self::Debian { package } => write!(f, "Debian package {package}"),
            Self::Url { base } => f.write_str(base),
        }
    }
}

impl Source {
    /// Brings `files` into a folder, which may be below `work`, and returns it. Nothing is checked yet.
    ///
    /// `work` is empty and is thrown away afterwards; each command is ended after `limit`.
    pub(super) fn obtain(&self, files: &[RawFile], work: &Path, limit: Duration) -> Result<PathBuf> {
        match self {
            Self::Folder(path) => {
                ensure!(path.is_dir(), "expected a folder at {}, found none", path.display());
                Ok(path.clone())
            }
            Self::Npm { packages } => {
                // Without these a machine that is off line waits minutes for npm's own retries.
                let patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"];
                for package in *packages {
                    run(
                        Command::new("npm").args(["pack", "--silent", "--loglevel=error", package]).args(patience),
                        work,
                        limit,
                    )?;
                    let archive = only_file(work, "tgz")?;
                    unpack_tgz(&archive, files, work)?;
                    fs::remove_file(archive)?;
                }
                Ok(work.to_owned())
            }
            Self::Debian { package } => {
                download_deb(package, work, limit)?;
                let archive = only_file(work, "deb")?;
                run(Command::new("dpkg").arg("-x").arg(&archive).arg("unpacked"), work, limit)?;
                let first = files.first().context("a data set has files")?;
                holder(&work.join("unpacked"), first.name)?
                    .with_context(|| format!("expected {} in the package, found none", first.name))
            }
            Self::Url { base } => {
                for file in files {
                    let name = format!("{}.gz", file.name);
                    let url = format!("{base}/{name}");
                    run(
                        Command::new("curl")
                            .args(["--fail", "--silent", "--show-error", "--location", "--connect-timeout", "10"])
                            .args(["--speed-limit", "1000", "--speed-time", "20", "--output", &name, &url]),
                        work,
                        limit,
                    )?;
                }
                Ok(work.to_owned())
            }
        }
    }
}

/// Downloads with the machine's own package lists and, where these do not know the package, with lists fetched just for this.
fn download_deb(package: &str, work: &Path, limit: Duration) -> Result<()> {
    let patience = ["-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20"];
    let with_own_lists = run(Command::new("apt-get").args(patience).args(["download", package]), work, limit);
    if with_own_lists.is_ok() {
        return Ok(());
    }
    // A fresh container has no package lists, and `apt-get update` into the system's folders needs root; into ours it does not.
    let (lists, cache) = (work.join("lists"), work.join("cache"));
    fs::create_dir_all(lists.join("partial"))?;
    fs::create_dir_all(cache.join("archives/partial"))?;
    let own = |command: &str| {
        let mut apt = Command::new("apt-get");
        apt.args(patience);
        apt.args([
            "-o",
            &format!("Dir::State::Lists={}", lists.display()),
            "-o",
            &format!("Dir::Cache={}", cache.display()),
        ]);
        apt.arg(command);
        apt
    };
    run(&mut own("update"), work, limit).and_then(|()| run(own("download").arg(package), work, limit))
}

/// Takes `files`, wherever they lie in the archive, and nothing else: no path of the archive is ever used for writing.
fn unpack_tgz(archive: &Path, files: &[RawFile], folder: &Path) -> Result<()> {
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(archive)?));
    for entry in archive.entries()? {
        let entry = entry?;
        let Some(file) = files.iter().find(|file| entry.path().is_ok_and(|path| path.ends_with(file.name))) else {
            continue;
        };
        let target = folder.join(file.name);
        create_parent(&target)?;
        // One byte too many is enough for the check that follows to refuse the file.
        io::copy(&mut entry.take(file.bytes + 1), &mut File::create(target)?)?;
    }
    Ok(())
}

fn only_file(folder: &Path, extension: &str) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        found.push(entry?.path());
    }
    found.retain(|path| path.extension().is_some_and(|e| e == extension));
    let count = found.len();
    found
        .pop()
        .filter(|_| count == 1)
        .with_context(|| format!("expected one downloaded .{extension} file, found {count}"))
}

/// The folder below `root` that holds `name` or `name.gz`.
fn holder(root: &Path, name: &str) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if let Some(found) = holder(&entry.path(), name)? {
                return Ok(Some(found));
            }
        } else if entry.file_name().to_str().is_some_and(|found| found.strip_suffix(".gz").unwrap_or(found) == name) {
            return Ok(Some(root.to_owned()));
        }
    }
    Ok(None)
}

/// Runs a command in `folder` and ends it after `limit`; the error is its first complaint.
fn run(command: &mut Command, folder: &Path, limit: Duration) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let complaints = folder.join("complaints.txt");
    let mut child = command
        .current_dir(folder)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // A file and not a pipe: a pipe that nobody drains while we wait would stop the command.
        .stderr(File::create(&complaints)?)
        .spawn()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => anyhow!("{program} is not installed"),
            _ => anyhow!("{program} cannot be started: {error}"),
        })?;

    let end = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() >= end {
            // It may have ended in between; then there is nothing to kill.
            let _ = child.kill();
            child.wait()?;
            bail!("{program} gave no result in {} s", limit.as_secs_f32());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    if status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&fs::read(&complaints)?).into_owned();
    let warning = |line: &&str| line.contains("warn") || line.starts_with("W:") || line.trim().is_empty();
    match text.lines().find(|line| !warning(line)) {
        // Most programs begin with their own name.
        Some(line) => bail!("{program} failed: {}", line.trim().trim_start_matches(&format!("{program}: "))),
        None => bail!("{program} failed with {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};

    const FILE: RawFile = RawFile { name: "a-idx3-ubyte", bytes: 3, sha256: "" };

    #[test]
    fn commands_end_in_time_and_complain_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let started = Instant::now();
        let error = run(Command::new("sleep").arg("60"), folder.path(), Duration::from_millis(100)).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(10));
        assert_eq!(error.to_string(), "sleep gave no result in 0.1 s");

        let limit = Duration::from_secs(10);
        let script = |text| run(Command::new("sh").args(["-c", text]), folder.path(), limit).map_err(|e| e.to_string());
        assert_eq!(script("exit 0"), Ok(()));
        assert_eq!(script("echo npm warn x >&2; echo E: gone >&2; exit 3"), Err("sh failed: E: gone".to_owned()));
        assert_eq!(script("echo sh: no >&2; exit 1"), Err("sh failed: no".to_owned()));
        assert_eq!(script("exit 3"), Err("sh failed with exit status: 3".to_owned()));
        let error = run(&mut Command::new("no-such-program"), folder.path(), limit).unwrap_err().to_string();
        assert_eq!(error, "no-such-program is not installed");
    }

    #[test]
    fn archives_give_only_the_named_files_and_never_more_than_their_size() {
        let folder = tempfile::tempdir().unwrap();
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, data) in [
            ("package/data/a-idx3-ubyte", &b"12345678"[..]),
            ("package/evil", b"x"),
            ("package/img/small/64.png", b"s"),
            ("package/img/large/64.png", b"l"),
        ] {
            let mut header = tar::Header::new_ustar();
            header.set_size(data.len() as u64);
            builder.append_data(&mut header, name, data).unwrap();
        }
        fs::write(folder.path().join("p.tgz"), builder.into_inner().unwrap().finish().unwrap()).unwrap();

        let in_a_folder = RawFile { name: "small/64.png", bytes: 1, sha256: "" };
        unpack_tgz(&only_file(folder.path(), "tgz").unwrap(), &[FILE, in_a_folder], folder.path()).unwrap();
        assert_eq!(fs::read(folder.path().join("a-idx3-ubyte")).unwrap(), b"1234");
        assert_eq!(fs::read(folder.path().join("small/64.png")).unwrap(), b"s");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        assert!(only_file(folder.path(), "deb").unwrap_err().to_string().contains("found 0"));
    }

    #[test]
    fn the_holder_of_a_packed_file_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("usr/share/x");
        fs::create_dir_all(&deep).unwrap();
        assert_eq!(holder(folder.path(), FILE.name).unwrap(), None);
        fs::write(deep.join("a-idx3-ubyte.gz"), "").unwrap();
        assert_eq!(holder(folder.path(), FILE.name).unwrap(), Some(deep));
    }
}
