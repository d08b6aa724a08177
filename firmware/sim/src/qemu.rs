//! The firmware on an emulated board: QEMU's lm3s6965evb with any Cortex-M in it, and a photo of its OLED.
//!
//! QEMU runs with one instruction a nanosecond (`-icount shift=0`), so the board's timer counts instructions, and two runs
//! count the same. They are not cycles: no emulator here knows those.

use std::fs;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::cpu::Cpu;
use crate::firmware::{self, Firmware};
use crate::qmp::Qmp;
use crate::report::{Ending, ImageLine};
use crate::{Report, boards};

const QEMU: &str = "qemu-system-arm";

/// Instructions in a tick of the board's timer: the processor clock is 50 MHz, so a tick is 20 ns.
pub const INSTRUCTIONS_PER_TICK: u64 = 20;

/// The board's RAM; the stack grows down from its end.
const RAM: Range<u32> = 0x2000_0000..0x2001_0000;

/// For QEMU's answers, which come at once unless the machine is very busy.
const QMP_TIMEOUT: Duration = Duration::from_secs(30);

/// How to boot.
#[derive(Clone, Copy, Debug)]
pub struct Boot {
    /// Seed of the first image.
    pub seed: u64,
    /// Whether the report has the bytes of every image.
    pub rows: bool,
    /// When to give up, from the start to the end of the gallery.
    pub timeout: Duration,
}

impl Default for Boot {
    /// Seed 1, with rows, two minutes.
    fn default() -> Self {
        Self { seed: 1, rows: true, timeout: Duration::from_secs(120) }
    }
}

/// What the emulated board showed and told.
#[derive(Clone, Debug)]
pub struct Shot {
    /// Photo of the panel, a PNG file of 512×256; see [`crate::photo_levels`].
    pub png: Vec<u8>,
    /// The report.
    pub report: Report,
    /// Most bytes of stack in use at one time: from the end of RAM down to the last byte that is not zero, as RAM was.
    pub stack_bytes: u32,
}

impl Shot {
    /// Instructions spent on making an image of the report, to [`INSTRUCTIONS_PER_TICK`] a row.
    pub fn instructions(image: &ImageLine) -> u64 {
        image.ticks * INSTRUCTIONS_PER_TICK
    }
}

/// QEMU with the board and a processor, one instruction a nanosecond, and no window; what it boots is still to be said.
pub fn command(cpu: Cpu) -> Command {
    let mut command = Command::new(QEMU);
    command.args(["-M", "lm3s6965evb", "-cpu", cpu.name(), "-display", "none", "-icount", "shift=0", "-nodefaults"]);
    command
}

/// Whether QEMU and a compiler for `cpu` are here.
///
/// # Errors
///
/// When not, with a sentence that says what to install.
pub fn check(cpu: Cpu) -> Result<()> {
    let found = Command::new(QEMU).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        bail!("{QEMU} is not installed: on Debian, `apt-get install --no-install-recommends qemu-system-arm`");
    }
    firmware::check(cpu)
}

/// Builds the firmware with `model` in it and draws a gallery from `seed` on: [`Firmware::build`], then [`boot`].
///
/// # Errors
///
/// Those of the two, and of [`check`]. A model that the board refuses is an error too.
pub fn run(model: &Path, cpu: Cpu, seed: u64) -> Result<Shot> {
    check(cpu)?;
    let board = boards::find("lm3s6965evb")?;
    let shot = boot(&Firmware::build(model, &board, board.panel(None)?, cpu)?, Boot { seed, ..Boot::default() })?;
    match &shot.report.ending {
        Some(Ending::Fault(reason)) => bail!("the board refused {}: {reason}", model.display()),
        _ => Ok(shot),
    }
}

/// Boots a firmware, waits for the end of its report and takes a photo. QEMU never outlives this call.
///
/// A fault that the firmware reports is a result, with the photo of its error screen.
///
/// # Errors
///
/// When QEMU cannot be started, the firmware panics, the time is over, or the stack has overflown.
pub fn boot(firmware: &Firmware, boot: Boot) -> Result<Shot> {
    let folder = tempfile::tempdir().context("could not make a temporary folder")?;
    let (socket, photo) = (folder.path().join("qmp"), folder.path().join("photo.png"));
    let (memory, complaints) = (folder.path().join("ram"), folder.path().join("stderr"));
    let rows = if boot.rows { ",arg=rows" } else { "" };
    let mut child = command(firmware.cpu)
        .arg("-semihosting-config")
        .arg(format!("enable=on,target=native,arg=edgegen,arg=seed={},arg=hold{rows}", boot.seed))
        .arg("-qmp")
        .arg(format!("unix:{},server=on,wait=off", socket.display()))
        .arg("-kernel")
        .arg(firmware.elf())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&complaints)?)
        .spawn()
        .map(Running)
        .with_context(|| format!("could not start {QEMU}"))?;

    let text = listen(&mut child, boot.timeout).map_err(|heard| {
        let complaints = fs::read_to_string(&complaints).unwrap_or_default();
        heard.context(format!("{QEMU} with {} failed. {complaints}", firmware.cpu).trim().to_owned())
    })?;
    let mut qmp = Qmp::connect(&socket, QMP_TIMEOUT)?;
    qmp.execute("screendump", json!({ "filename": photo, "format": "png" }))
        .context("could not take a photo of the emulated panel")?;
    let png = fs::read(&photo).context("QEMU took no photo")?;

    let room = RAM.end - RAM.start - firmware.ram_bytes;
    qmp.execute("pmemsave", json!({ "val": RAM.end - room, "size": room, "filename": memory }))
        .context("could not read the emulated RAM")?;
    let untouched = fs::read(&memory).context("QEMU saved no RAM")?.iter().take_while(|&&byte| byte == 0).count();
    let stack_bytes = room.saturating_sub(untouched as u32);
    ensure!(stack_bytes < room, "the stack has run into the variables: it has {room} bytes, and used them all");
    Ok(Shot { png, report: Report::parse(&text)?, stack_bytes })
}

/// A process that ends when this is dropped, so on every path out of [`boot`].
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The firmware's text up to the last line of its report.
fn listen(child: &mut Running, timeout: Duration) -> Result<String> {
    let deadline = Instant::now() + timeout;
    let stdout = child.0.stdout.take().context("QEMU has no output")?;
    let (sender, lines) = mpsc::channel();
    // Ends with QEMU, whose end closes the pipe.
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let mut text = String::new();
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                text.push_str(&line);
                text.push('\n');
                if Report::ends_with(&line) {
                    return Ok(text);
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                bail!("it did not finish within {} s. It said last: {}", timeout.as_secs(), last(&text));
            }
            Err(RecvTimeoutError::Disconnected) => bail!("it ended early. It said last: {}", last(&text)),
        }
    }
}

/// The last few lines of a text.
fn last(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(3)..].join(" | ")
}
