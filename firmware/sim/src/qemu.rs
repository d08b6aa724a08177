//! The firmware on an emulated board, and a photo of its panel.
//!
//! QEMU runs with one instruction a nanosecond (`-icount shift=0`), so the board's timer counts instructions, and two runs
//! count the same. They are not cycles: no emulator here knows those.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use edgegen_app::{Act, Show};
use serde_json::json;

use crate::cpu::Cpu;
use crate::firmware::{self, Firmware};
use crate::machine::{Machine, Picture, QEMU};
use crate::photo::rgb565_png;
use crate::qmp::Qmp;
use crate::report::Ending;
use crate::{Board, Report};

/// Instructions in a tick of the lm3s6965evb's timer: its processor clock is 50 MHz, so a tick is 20 ns.
pub const INSTRUCTIONS_PER_TICK: u64 = 20;

/// The file that a program without a panel leaves its picture in, and the line that it writes afterwards.
const FRAME: (&str, &str) = ("frame.rgb565", "frame saved");

/// For QEMU's answers, which come at once unless the machine is very busy.
pub(crate) const QMP_TIMEOUT: Duration = Duration::from_secs(30);

/// How to boot.
#[derive(Clone, Copy, Debug)]
pub struct Boot<'a> {
    /// Seed of the first image.
    pub seed: u64,
    /// Words for `edgegen_app::Show::parse` and a number of images: those of the show instead of one gallery.
    pub show: Option<(&'a str, usize)>,
    /// Whether the report has the bytes of every image.
    pub rows: bool,
    /// When to give up, from the start to the last image.
    pub timeout: Duration,
}

impl Default for Boot<'_> {
    /// A gallery from seed 1, with rows, two minutes.
    fn default() -> Self {
        Self { seed: 1, show: None, rows: true, timeout: Duration::from_secs(120) }
    }
}

/// What the emulated board showed and told.
#[derive(Clone, Debug)]
pub struct Shot {
    /// Photo of the panel, a PNG file: of the lm3s6965evb's OLED 512×256, see [`crate::photo_levels`]; of a picture in RAM one
    /// pixel for each of its own.
    pub png: Vec<u8>,
    /// The report.
    pub report: Report,
    /// The same as text, with the lines of the show.
    pub text: String,
    /// Instructions spent on making each image of the report, to one tick of the board's timer a row.
    pub instructions: Vec<u64>,
    /// Most bytes of stack in use at one time: from the end of RAM down to the last byte that is not zero, as RAM was.
    pub stack_bytes: u32,
}

/// QEMU with the lm3s6965evb and a processor, one instruction a nanosecond, and no window; what it boots is still to be said.
///
/// # Errors
///
/// When it cannot have this processor.
pub fn command(cpu: Cpu) -> Result<Command> {
    Ok(Machine::of("lm3s6965evb", cpu)?.command())
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

/// Builds a board's firmware for its first panel with `model` in it and looks at it: [`Firmware::build_show`],
/// then [`boot`].
///
/// # Errors
///
/// Those of the two, and of [`check`]; when QEMU does not have the board with this processor. A model that the board refuses
/// is an error too.
pub fn run(model: &Path, board: &Board, cpu: Cpu, boot: Boot<'_>) -> Result<Shot> {
    Machine::of(&board.name, cpu)?;
    check(cpu)?;
    // The program reads the words when it starts; only whether it has frames must be known when it is built.
    let has_frames = boot.show.is_some_and(|(words, _)| Show::parse(words).act == Act::Art);
    let words = if has_frames { "art" } else { "" };
    let shot = self::boot(&Firmware::build_show(model, board, board.panel(None)?, cpu, words)?, boot)?;
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
pub fn boot(firmware: &Firmware, boot: Boot<'_>) -> Result<Shot> {
    let folder = tempfile::tempdir().context("could not make a temporary folder")?;
    let (socket, photo) = (folder.path().join("qmp"), folder.path().join("photo.png"));
    let (memory, complaints) = (folder.path().join("ram"), folder.path().join("stderr"));
    let mut words = format!("edgegen seed={} hold", boot.seed);
    words += if boot.rows { " rows" } else { "" };
    if let Some((show, images)) = boot.show {
        words += &format!(" {show} images={images}");
    }
    let arguments: String = words.split_whitespace().map(|word| format!(",arg={word}")).collect();
    let machine = Machine::of(&firmware.board, firmware.cpu)?;
    let mut child = machine
        .command()
        .current_dir(&folder)
        .arg("-semihosting-config")
        .arg(format!("enable=on,target=native{arguments}"))
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

    let is_last = |line: &str| match machine.picture {
        Picture::Screen => Report::ends_with(line),
        Picture::Frame => line.starts_with("frame "),
    };
    let text = listen(&mut child, boot.timeout, is_last).map_err(|heard| {
        let complaints = fs::read_to_string(&complaints).unwrap_or_default();
        heard.context(
            format!("{QEMU} with the {} and a {} failed. {complaints}", firmware.board, firmware.cpu).trim().to_owned(),
        )
    })?;
    let mut qmp = Qmp::connect(&socket, QMP_TIMEOUT)?;
    let png = match machine.picture {
        Picture::Screen => {
            qmp.execute("screendump", json!({ "filename": photo, "format": "png" }))
                .context("could not take a photo of the emulated panel")?;
            fs::read(&photo).context("QEMU took no photo")?
        }
        Picture::Frame => {
            ensure!(text.lines().last() == Some(FRAME.1), "the firmware could not write its picture");
            let frame = fs::read(folder.path().join(FRAME.0)).context("the firmware wrote no picture")?;
            rgb565_png(&frame, firmware.panel)?
        }
    };

    let room = machine.ram.end - machine.ram.start - firmware.ram_bytes;
    // As the processor sees its memory, which may not be on QEMU's main bus.
    qmp.execute("memsave", json!({ "val": machine.ram.end - room, "size": room, "filename": memory }))
        .context("could not read the emulated RAM")?;
    let untouched = fs::read(&memory).context("QEMU saved no RAM")?.iter().take_while(|&&byte| byte == 0).count();
    let stack_bytes = room.saturating_sub(untouched as u32);
    ensure!(stack_bytes < room, "the stack has run into the variables: it has {room} bytes, and used them all");
    let report = Report::parse(&text)?;
    let instructions = report.images.iter().map(|image| machine.instructions(image.ticks)).collect();
    Ok(Shot { png, report, text, instructions, stack_bytes })
}

/// A process that ends when this is dropped, so on every path out of [`boot`].
pub(crate) struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The firmware's text up to the line that it ends with.
fn listen(child: &mut Running, timeout: Duration, is_last: impl Fn(&str) -> bool) -> Result<String> {
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
                if is_last(&line) {
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
