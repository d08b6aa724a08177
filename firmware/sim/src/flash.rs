//! How a program gets onto a board from here: a debug probe, a drive, or a file for a person to take there.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::boards::{Board, Uf2};
use crate::formats::Format;

const PROBE_RS: &str = "probe-rs";

/// Where drives are mounted, instead of the usual places: folders as in `PATH`.
pub const MOUNTS: &str = "EDGEGEN_MOUNTS";

/// A way from an ELF file to a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// probe-rs writes the flash of this chip and starts it.
    Probe {
        /// Its name there.
        chip: String,
    },
    /// A file on the board's drive, whose boot loader takes it.
    Drive {
        /// The file.
        file: PathBuf,
        /// What it holds.
        format: Format,
    },
    /// A file, and what a person does with it.
    File {
        /// The file.
        file: PathBuf,
        /// What it holds.
        format: Format,
    },
}

impl Way {
    /// The best way that is open now: a probe, if probe-rs lists one, or the board's drive, if it is mounted; else a file
    /// `<name>-<board>.…` in `folder`.
    pub fn open(board: &Board, name: &str, folder: &Path) -> Self {
        if board.flash_by.probe && probes() > 0 {
            return Self::Probe { chip: board.chip.clone() };
        }
        let mounts = mounts(std::env::var_os(MOUNTS));
        Self::drive(board, name, &mounts).unwrap_or_else(|| {
            let format = format(board);
            let file = folder.join(format!("{name}-{}.{}", board.name, format.extension()));
            Self::File { file, format }
        })
    }

    /// A file of that name, whose extension says what it shall hold.
    ///
    /// # Errors
    ///
    /// When the extension is none of a program, or the board takes no UF2 files.
    pub fn file(board: &Board, file: &Path) -> Result<Self> {
        let extension = file.extension().unwrap_or_default().to_string_lossy();
        let uf2 = || {
            let Uf2 { family, .. } = board.flash_by.uf2.as_ref()?;
            Some(Format::Uf2(*family))
        };
        let format = match extension.as_ref() {
            "uf2" => uf2().with_context(|| format!("the {} takes no .uf2 files: write .hex or .bin", board.name))?,
            "hex" => Format::Hex,
            "bin" | "img" => Format::Bin,
            "elf" => Format::Elf,
            _ => bail!("expected a file that ends in .uf2, .hex, .bin, .img or .elf, found {}", file.display()),
        };
        Ok(Self::File { file: file.to_owned(), format })
    }

    /// The board's drive, if it is mounted below one of these folders.
    fn drive(board: &Board, name: &str, mounts: &[PathBuf]) -> Option<Self> {
        let uf2 = board.flash_by.uf2.as_ref();
        let uf2 = uf2.map(|uf2| (&uf2.volume, Format::Uf2(uf2.family), None));
        let other = board.flash_by.drive.as_ref();
        let other = other.map(|drive| (&drive.volume, drive.format, drive.file.as_deref()));
        uf2.into_iter().chain(other).find_map(|(volume, format, called)| {
            let folder = mounts.iter().map(|mount| mount.join(volume)).find(|folder| folder.is_dir())?;
            let file = called.map_or_else(|| format!("{name}.{}", format.extension()), str::to_owned);
            Some(Self::Drive { file: folder.join(file), format })
        })
    }

    /// What is about to be done, or was, for people.
    pub fn describe(&self, board: &Board) -> String {
        match self {
            Self::Probe { chip } => format!("with probe-rs, chip {chip}"),
            Self::Drive { file, .. } => format!("as {} on the board's drive", file.display()),
            Self::File { file, format } => {
                format!("as {}; {}", file.display(), Self::hints(board, file, *format).join("; or "))
            }
        }
    }

    /// What can be done with a file.
    fn hints(board: &Board, file: &Path, format: Format) -> Vec<String> {
        let by = &board.flash_by;
        let mut hints = Vec::new();
        if let (Some(Uf2 { volume, .. }), Format::Uf2(_)) = (&by.uf2, format) {
            hints.push(format!("connect the board so that its drive {volume} appears, and drag the file there"));
        }
        if let Some(drive) = by.drive.as_ref().filter(|drive| drive.format == format) {
            let called = drive.file.as_ref().map_or(String::new(), |name| format!(" under the name {name}"));
            hints.push(format!("drag it to the drive {}{called}", drive.volume));
        }
        if let (Some(dfu), Format::Bin) = (&by.dfu, format) {
            hints.push(format!("dfu-util -d {} -a 0 -s {}:leave -D {}", dfu.id, dfu.address, file.display()));
        }
        if by.probe && !matches!(format, Format::Bin) {
            let format = match format {
                Format::Elf => String::new(),
                other => format!(" --binary-format {}", other.extension()),
            };
            let program = if installed() { "connect a probe, then" } else { "with a probe and https://probe.rs," };
            hints.push(format!("{program} {PROBE_RS} download --chip {}{format} {}", board.chip, file.display()));
        }
        if hints.is_empty() {
            hints.push(format!("write it with the board's own programmer, see firmware/{}/README.md", board.folder()));
        }
        hints
    }

    /// Does it. On a drive the file is written in place, because a boot loader's drive is none that files could be renamed on.
    ///
    /// # Errors
    ///
    /// What probe-rs says, or when the file cannot be written.
    pub fn flash(&self, elf: &Path) -> Result<()> {
        match self {
            Self::Probe { chip } => {
                probe_rs(&["download", "--chip", chip, &elf.to_string_lossy()])?;
                probe_rs(&["reset", "--chip", chip])
            }
            Self::Drive { file, format } => {
                let bytes = format.write(&fs::read(elf)?)?;
                let written = File::create(file).and_then(|mut drive| {
                    drive.write_all(&bytes)?;
                    // The board starts its new program as soon as it has all of it, and the drive is gone: no error then.
                    let _ = drive.sync_all();
                    Ok(())
                });
                written.with_context(|| format!("could not write {}", file.display()))
            }
            Self::File { file, format } => {
                let bytes = format.write(&fs::read(elf)?)?;
                let part = file.with_extension("part");
                let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, file));
                written.with_context(|| format!("could not write {}", file.display()))
            }
        }
    }

    /// What it is called in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Probe { .. } => "probe",
            Self::Drive { .. } => "drive",
            Self::File { .. } => "file",
        }
    }

    /// The file that it writes, if any.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Probe { .. } => None,
            Self::Drive { file, .. } | Self::File { file, .. } => Some(file),
        }
    }
}

/// What a file for this board holds best.
fn format(board: &Board) -> Format {
    let by = &board.flash_by;
    match (&by.uf2, &by.drive, &by.dfu) {
        (Some(uf2), ..) => Format::Uf2(uf2.family),
        (None, Some(drive), _) => drive.format,
        (None, None, Some(_)) => Format::Bin,
        (None, None, None) => Format::Hex,
    }
}

/// The folders that drives are mounted in: `chosen`, or those of Linux and macOS.
fn mounts(chosen: Option<OsString>) -> Vec<PathBuf> {
    if let Some(chosen) = chosen {
        return std::env::split_paths(&chosen).collect();
    }
    let below = |folder: &str| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    let mut mounts = vec!["/media".into(), "/Volumes".into(), "/mnt".into()];
    mounts.extend(below("/media"));
    mounts.extend(below("/run/media"));
    mounts
}

/// Whether probe-rs is here.
fn installed() -> bool {
    let run = Command::new(PROBE_RS).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

/// Probes that probe-rs lists, one on a line `[0]: …`; none without it.
fn probes() -> usize {
    let output = Command::new(PROBE_RS).arg("list").stdin(Stdio::null()).output();
    let text = output.map_or(String::new(), |output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.lines().filter(|line| line.trim_start().starts_with('[')).count()
}

fn probe_rs(arguments: &[&str]) -> Result<()> {
    // Its progress is for the person who waits.
    let output = Command::new(PROBE_RS).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).output();
    let output = output.with_context(|| format!("could not start {PROBE_RS}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{PROBE_RS} {} failed: {}", arguments[0], one_line(&text));
    Ok(())
}

/// A message of several lines as one.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary::tests::elf;
    use crate::boards::tests::pico;

    fn drive_of(board: &Board, mounts: &Path) -> Option<Way> {
        Way::drive(board, "digits", &mounts_in(mounts))
    }

    fn mounts_in(folder: &Path) -> Vec<PathBuf> {
        mounts(Some(std::env::join_paths([Path::new("/nowhere"), folder]).unwrap()))
    }

    #[test]
    fn a_drive_is_found_by_its_label() {
        let mounts = tempfile::tempdir().unwrap();
        let board = pico();
        fs::create_dir(mounts.path().join("RPI-RP3")).unwrap();
        assert_eq!(drive_of(&board, mounts.path()), None);
        let folder = mounts.path().join("RPI-RP2");
        fs::create_dir(&folder).unwrap();
        let way = drive_of(&board, mounts.path()).unwrap();
        assert_eq!(way, Way::Drive { file: folder.join("digits.uf2"), format: Format::Uf2(0xE48B_FF56) });

        let program = mounts.path().join("program.elf");
        fs::write(&program, elf(&[(0x1000_0000, 0x1000_0000, 300, 300)])).unwrap();
        way.flash(&program).unwrap();
        assert_eq!(fs::read(folder.join("digits.uf2")).unwrap().len(), 1024);
    }

    #[test]
    fn a_file_says_where_to_take_it() {
        let board = pico();
        let way = Way::file(&board, Path::new("a/digits.uf2")).unwrap();
        assert!(
            way.describe(&board).starts_with("as a/digits.uf2; connect the board so that its drive RPI-RP2 appears")
        );
        let hex = Way::file(&board, Path::new("digits.hex")).unwrap().describe(&board);
        assert!(hex.contains("probe-rs download --chip RP2040 --binary-format hex digits.hex"), "{hex}");
        let error = Way::file(&board, Path::new("digits.exe")).unwrap_err().to_string();
        assert!(error.contains("expected a file that ends in .uf2") && error.contains("digits.exe"), "{error}");
        let bin = Way::file(&board, Path::new("digits.bin")).unwrap().describe(&board);
        assert!(bin.contains("drag it to the drive bootfs under the name kernel8.img"), "{bin}");
        assert!(bin.contains("dfu-util -d 0483:df11 -a 0 -s 0x08000000:leave -D digits.bin"), "{bin}");
        let mut board = board;
        board.flash_by.uf2 = None;
        let error = Way::file(&board, Path::new("digits.uf2")).unwrap_err().to_string();
        assert_eq!(error, "the pico takes no .uf2 files: write .hex or .bin");
    }
}
