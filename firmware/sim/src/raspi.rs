//! The firmware for the Raspberry Pi on QEMU's raspi3b, and photos of its screen.
//!
//! QEMU counts one nanosecond an instruction (`-icount shift=0`), so the show takes its time in instructions: a gallery that stays for five
//! seconds stays for five billion of them, however busy the machine is that runs the emulator.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use image::RgbImage;
use serde_json::json;

use crate::qemu::{QMP_TIMEOUT, Running};
use crate::qmp::Qmp;

const QEMU: &str = "qemu-system-aarch64";

/// What the emulated board showed and told.
#[derive(Clone, Debug)]
pub struct Shot {
    /// The screen, one picture pixel for each of its own.
    pub picture: RgbImage,
    /// What came out of its serial port until then.
    pub text: String,
}

/// Whether QEMU is here.
///
/// # Errors
///
/// When not, with a sentence that says what to install.
pub fn check() -> Result<()> {
    let found = Command::new(QEMU).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    ensure!(
        found.is_ok_and(|status| status.success()),
        "{QEMU} is not installed: on Debian, `apt-get install --no-install-recommends qemu-system-arm`"
    );
    Ok(())
}

/// Boots a program, an ELF file, and photographs the screen again and again until `wanted` says so of a photo, or `timeout` is over;
/// gives the last one. QEMU never outlives this call.
///
/// # Errors
///
/// When QEMU cannot be started or stops.
pub fn boot(elf: &Path, timeout: Duration, mut wanted: impl FnMut(&RgbImage) -> bool) -> Result<Shot> {
    check()?;
    let folder = tempfile::tempdir().context("could not make a temporary folder")?;
    let (socket, photo) = (folder.path().join("qmp"), folder.path().join("photo.png"));
    let (serial, complaints) = (folder.path().join("serial"), folder.path().join("stderr"));
    let mut child = Command::new(QEMU)
        .args(["-M", "raspi3b", "-display", "none", "-icount", "shift=0", "-nodefaults"])
        .arg("-serial")
        .arg(format!("file:{}", serial.display()))
        .arg("-qmp")
        .arg(format!("unix:{},server=on,wait=off", socket.display()))
        .arg("-kernel")
        .arg(elf)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&complaints)?)
        .spawn()
        .map(Running)
        .with_context(|| format!("could not start {QEMU}"))?;
    let mut qmp = Qmp::connect(&socket, QMP_TIMEOUT)?;
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(status) = child.0.try_wait()? {
            bail!("{QEMU} ended with {status}. {}", fs::read_to_string(&complaints).unwrap_or_default().trim());
        }
        // Halted, so that photo and text are of one moment.
        qmp.execute("stop", json!({}))?;
        qmp.execute("screendump", json!({ "filename": photo, "format": "png" }))
            .context("could not take a photo of the emulated screen")?;
        let picture = image::open(&photo).context("QEMU took no photo")?.into_rgb8();
        let text = fs::read_to_string(&serial).unwrap_or_default();
        if wanted(&picture) || Instant::now() > deadline {
            return Ok(Shot { picture, text });
        }
        qmp.execute("cont", json!({}))?;
        std::thread::sleep(Duration::from_secs(1));
    }
}
