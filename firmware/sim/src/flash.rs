//! How a program gets onto a board from here: a debug probe, a drive, or a file for a person to take there.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::boards::{Board, Uf2};
use crate::formats::Format;

const PROBE_RS: &str = "probe-rs";

/// Where drives are mounted, instead of the usual places: folders as in `PATH`.
pub const MOUNTS: &str = "EDGEGEN_MOUNTS";

/// What a drive for UF2 files says about its board, one `key: value` a line (<https://github.com/microsoft/uf2>).
const INFO: &str = "INFO_UF2.TXT";
/// How long a board may take to start its new program, whereupon its drive is gone.
const RESTART: Duration = Duration::from_secs(5);

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
    /// The ways that are open now, the best first, at least one: the board's drive for UF2 files, which says itself what board it is; a
    /// probe, if probe-rs lists one; another drive of the board's; and where there is none of these, a file
    /// `<name>-<board>.…` in `folder`.
    ///
    /// # Errors
    ///
    /// When several boards of the kind are there.
    pub fn open(board: &Board, name: &str, folder: &Path) -> Result<Vec<Self>> {
        let mounts = mounts(std::env::var_os(MOUNTS));
        let mut ways = Vec::new();
        ways.extend(Self::uf2_drive(board, name, &mounts)?);
        if board.flash_by.probe && probes() > 0 {
            ways.push(Self::Probe { chip: board.chip.clone() });
        }
        ways.extend(Self::other_drive(board, name, &mounts));
        if ways.is_empty() {
            let format = format(board);
            let file = folder.join(format!("{name}-{}.{}", board.name, format.extension()));
            ways.push(Self::File { file, format });
        }
        Ok(ways)
    }

    /// Through a debug probe.
    ///
    /// # Errors
    ///
    /// When the board is not flashed by one, or probe-rs is not here or lists none.
    pub fn probe(board: &Board) -> Result<Self> {
        ensure!(board.flash_by.probe, "the {} is not flashed by a probe: leave out --probe", board.name);
        ensure!(installed(), "expected {PROBE_RS} for --probe, found none: install it from https://probe.rs");
        ensure!(
            probes() > 0,
            "expected a debug probe, found none: connect one (`{PROBE_RS} list` shows those that are seen)"
        );
        Ok(Self::Probe { chip: board.chip.clone() })
    }

    /// On the drive in this folder.
    ///
    /// # Errors
    ///
    /// When there is no such folder, the board has no drive, or the drive says that it is another board's.
    pub fn on_drive(board: &Board, name: &str, drive: &Path) -> Result<Self> {
        let what = drive.display();
        ensure!(
            drive.is_dir(),
            "expected the folder of a drive with --drive, found none at {what}: is the board connected?"
        );
        let by = &board.flash_by;
        if let Some(uf2) = &by.uf2 {
            match (board_id(drive), &by.drive) {
                (Some(id), _) if id == uf2.volume => return Ok(Self::uf2(uf2, name, drive)),
                (Some(id), _) => {
                    bail!("expected the drive of a {} (Board-ID {}), found {id} in {what}", board.name, uf2.volume)
                }
                (None, None) => bail!(
                    "expected the drive of a {} with {INFO} in it, found none in {what}: connect the board so that its drive \
                     {} appears",
                    board.name,
                    uf2.volume
                ),
                (None, Some(_)) => {}
            }
        }
        let other = by.drive.as_ref();
        let other = other.with_context(|| format!("the {} has no drive: leave out --drive", board.name))?;
        let file = other.file.clone().unwrap_or_else(|| format!("{name}.{}", other.format.extension()));
        Ok(Self::Drive { file: drive.join(file), format: other.format })
    }

    /// A file of that name, whose extension says what it shall hold.
    ///
    /// # Errors
    ///
    /// When the extension is none of a program, or the board takes no UF2 files.
    pub fn file(board: &Board, file: &Path) -> Result<Self> {
        let extension = file.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let uf2 = || {
            let Uf2 { family, .. } = board.flash_by.uf2.as_ref()?;
            Some(Format::Uf2(*family))
        };
        let format = match &*extension {
            "uf2" => uf2().with_context(|| format!("the {} takes no .uf2 files: write .hex or .bin", board.name))?,
            "hex" => Format::Hex,
            "bin" | "img" => Format::Bin,
            "elf" => Format::Elf,
            _ => bail!("expected a file that ends in .uf2, .hex, .bin, .img or .elf, found {}", file.display()),
        };
        Ok(Self::File { file: file.to_owned(), format })
    }

    /// The board's drive for UF2 files, if it is mounted below one of these folders.
    fn uf2_drive(board: &Board, name: &str, mounts: &[PathBuf]) -> Result<Option<Self>> {
        let Some(uf2) = &board.flash_by.uf2 else { return Ok(None) };
        let mut drives: Vec<PathBuf> = mounts
            .iter()
            .flat_map(|mount| folders_in(mount))
            .filter(|folder| board_id(folder).is_some_and(|id| id == uf2.volume))
            .collect();
        drives.sort();
        drives.dedup();
        match &drives[..] {
            [] => Ok(None),
            [drive] => Ok(Some(Self::uf2(uf2, name, drive))),
            several => {
                let names: Vec<String> = several.iter().map(|drive| drive.display().to_string()).collect();
                bail!("expected one {}, found {}: choose with --drive", board.name, names.join(" and "))
            }
        }
    }

    fn uf2(uf2: &Uf2, name: &str, drive: &Path) -> Self {
        let format = Format::Uf2(uf2.family);
        Self::Drive { file: drive.join(format!("{name}.{}", format.extension())), format }
    }

    /// The board's other drive, if it is mounted below one of these folders: it says nothing of itself but its label, and a
    /// folder of that name, left by what was mounted once, is none.
    fn other_drive(board: &Board, name: &str, mounts: &[PathBuf]) -> Option<Self> {
        let drive = board.flash_by.drive.as_ref()?;
        let folder = mounts.iter().map(|mount| mount.join(&drive.volume)).find(|folder| is_mounted(folder))?;
        let file = drive.file.clone().unwrap_or_else(|| format!("{name}.{}", drive.format.extension()));
        Some(Self::Drive { file: folder.join(file), format: drive.format })
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
    /// Gives whether the board was seen to take the program, where there is something to see: a probe says so, and the drive of
    /// a UF2 boot loader is gone when the program starts.
    ///
    /// # Errors
    ///
    /// What probe-rs says, or when the file cannot be written.
    pub fn flash(&self, elf: &Path) -> Result<Option<bool>> {
        match self {
            Self::Probe { chip } => {
                probe_rs(&["download", "--chip", chip, &elf.to_string_lossy()])?;
                probe_rs(&["reset", "--chip", chip])?;
                Ok(Some(true))
            }
            Self::Drive { file, format } => {
                let bytes = format.write(&fs::read(elf)?)?;
                let written = File::create(file).and_then(|mut drive| {
                    drive.write_all(&bytes)?;
                    // The board starts its new program as soon as it has all of it, and the drive is gone: no error then.
                    let _ = drive.sync_all();
                    Ok(())
                });
                written.with_context(|| format!("could not write {}", file.display()))?;
                let info = file.with_file_name(INFO);
                Ok(matches!(format, Format::Uf2(_)).then(|| gone(&info, RESTART)))
            }
            Self::File { file, format } => {
                let bytes = format.write(&fs::read(elf)?)?;
                let part = file.with_extension("part");
                let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, file));
                written.with_context(|| format!("could not write {}", file.display()))?;
                Ok(None)
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
    let mut mounts = vec!["/media".into(), "/Volumes".into(), "/mnt".into()];
    mounts.extend(["/media", "/run/media"].into_iter().flat_map(|folder| folders_in(Path::new(folder))));
    mounts
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// What board the drive of a UF2 boot loader says it is.
fn board_id(drive: &Path) -> Option<String> {
    let info = fs::read_to_string(drive.join(INFO)).ok()?;
    let id = info.lines().find_map(|line| line.strip_prefix("Board-ID:"))?;
    Some(id.trim().to_owned())
}

/// Whether a file system is mounted on this folder: it then lies on another device than the folder around it.
#[cfg(unix)]
fn is_mounted(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    folder.is_dir() && folder.parent().is_some_and(|around| device(folder) != device(around))
}

#[cfg(not(unix))]
fn is_mounted(folder: &Path) -> bool {
    folder.is_dir()
}

/// Waits until a file is gone, so long at most; whether it is.
fn gone(file: &Path, patience: Duration) -> bool {
    let start = Instant::now();
    while file.exists() {
        if start.elapsed() > patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
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

    fn drive_of(board: &Board, mounts: &Path) -> Result<Option<Way>> {
        Way::uf2_drive(board, "digits", &mounts_in(mounts))
    }

    fn mounts_in(folder: &Path) -> Vec<PathBuf> {
        mounts(Some(std::env::join_paths([Path::new("/nowhere"), folder]).unwrap()))
    }

    fn info(folder: &Path, id: &str) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(INFO), format!("UF2 Bootloader v3.0\r\nModel: Raspberry Pi\r\nBoard-ID: {id}\r\n"))
            .unwrap();
    }

    #[test]
    fn a_drive_is_found_by_what_it_says_it_is() {
        let mounts = tempfile::tempdir().unwrap();
        let board = pico();
        // What is left when a board was unplugged, and the drive of another board.
        fs::create_dir(mounts.path().join("RPI-RP2")).unwrap();
        info(&mounts.path().join("RP2350"), "RP2350");
        assert_eq!(drive_of(&board, mounts.path()).unwrap(), None);
        let folder = mounts.path().join("RPI-RP2 1");
        info(&folder, "RPI-RP2");
        let way = drive_of(&board, mounts.path()).unwrap().unwrap();
        assert_eq!(way, Way::Drive { file: folder.join("digits.uf2"), format: Format::Uf2(0xE48B_FF56) });
        assert_eq!(Way::on_drive(&board, "digits", &folder).unwrap(), way);
        let error = Way::on_drive(&board, "digits", &mounts.path().join("RP2350")).unwrap_err().to_string();
        assert!(error.contains("expected the drive of a pico (Board-ID RPI-RP2), found RP2350"), "{error}");

        let program = mounts.path().join("program.elf");
        fs::write(&program, elf(&[(0x1000_0000, 0x1000_0000, 300, 300)])).unwrap();
        // A board takes its drive away when it starts the program.
        let unplugged = folder.join(INFO);
        let board_starts = std::thread::spawn({
            let file = folder.join("digits.uf2");
            move || {
                while fs::metadata(&file).map_or(0, |file| file.len()) < 1024 {
                    std::thread::sleep(Duration::from_millis(5));
                }
                fs::remove_file(unplugged).unwrap();
            }
        });
        assert_eq!(way.flash(&program).unwrap(), Some(true));
        board_starts.join().unwrap();
        assert_eq!(fs::read(folder.join("digits.uf2")).unwrap().len(), 1024);

        let [a, b] = ["a", "b"].map(|name| mounts.path().join(name));
        info(&a, "RPI-RP2");
        info(&b, "RPI-RP2");
        let error = drive_of(&board, mounts.path()).unwrap_err().to_string();
        assert!(error.contains("choose with --drive"), "{error}");
    }

    #[test]
    fn a_folder_left_behind_is_no_drive() {
        let mounts = tempfile::tempdir().unwrap();
        fs::create_dir(mounts.path().join("bootfs")).unwrap();
        assert_eq!(Way::other_drive(&pico(), "digits", &[mounts.path().to_owned()]), None);
        assert!(!is_mounted(mounts.path()));
        // What is not the root's own file system on every Linux.
        if Path::new("/proc/self").exists() {
            assert!(is_mounted(Path::new("/proc")));
        }
    }

    #[test]
    fn a_file_says_where_to_take_it() {
        let board = pico();
        let way = Way::file(&board, Path::new("a/digits.uf2")).unwrap();
        assert!(
            way.describe(&board).starts_with("as a/digits.uf2; connect the board so that its drive RPI-RP2 appears")
        );
        assert!(Way::file(&board, Path::new("DIGITS.UF2")).is_ok());
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
