//! The firmware on an emulated Raspberry Pi Pico: the npm package rp2040js runs the chip, `firmware/sim/rp2040/run.mjs` records what
//! it sends to its panel, and a model of the panel makes a picture of it.
//!
//! The emulator starts at the vector table: the second stage of the boot loader, which sets up the flash, is left out. Time is the
//! chip's: an instruction takes its cycles, a byte on a bus the time of its bits. Flash is as fast as RAM, which it is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use image::RgbImage;

use crate::folder::root;
use crate::ssd1306::{Controller, Oled};
use crate::st7789::{COLUMNS, Glass, ROWS, ST7735, St7789, turned};

const NODE: &str = "node";

/// A panel on the board.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Panel {
    /// An ST7789 on SPI0, [`Glass::LANDSCAPE`] as on the Pico Display Pack 2.0.
    St7789(Glass),
    /// An ST7735S on SPI0, [`Glass::SMALL`] in most modules of 0.96".
    St7735(Glass),
    /// A 128×64 OLED module on I2C0, plugged in after so many seconds.
    Oled {
        /// What drives it.
        controller: Controller,
        /// How often it was turned by a quarter, clockwise, when it was built in.
        quarters: u8,
        /// Of the chip's time.
        plugged: f64,
    },
    /// Nothing, and I2C0's clock line held low for ever.
    StuckBus,
}

/// How to boot, and when to look. All times are seconds of the chip's time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Boot {
    /// The panel on the board.
    pub panel: Panel,
    /// When the button is pressed.
    pub press: Option<f64>,
    /// The run ends when nothing has gone to the panel for so long.
    pub quiet: Option<f64>,
    /// It ends then in any case.
    pub seconds: f64,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing has gone to the panel for as long as was asked for.
    Quiet,
    /// The time was over.
    Time,
    /// The watchdog was not fed, or the program has reset the chip.
    Reset,
}

/// What the emulated board showed and told.
#[derive(Clone, Debug)]
pub struct Shot {
    /// Why the run ended.
    pub outcome: Outcome,
    /// When, in seconds of the chip's time.
    pub seconds: f64,
    /// Most bytes of stack in use at one time.
    pub stack_bytes: u32,
    /// What a person sees on the panel at the end, one picture pixel for each panel pixel.
    pub picture: RgbImage,
    /// What came out of its serial port.
    pub text: String,
    /// What the pin of its speaker was told: when, in seconds of the chip's time, and the pulse width, 0 …
    /// [`LEVELS`] − 1.
    pub pulses: Vec<(f64, u16)>,
}

/// Pulse widths of the speaker's pin, from always low on.
pub const LEVELS: u16 = 2048;

/// The pulse width of a sample.
pub fn pulse(sample: i16) -> u16 {
    ((i32::from(sample) + 32768) / (65536 / i32::from(LEVELS))) as u16
}

impl Shot {
    /// What is heard at so many samples a second: each pulse width as its sample, for as long as it stood, from the
    /// first one to the last.
    pub fn samples(&self, rate: u32) -> Vec<i16> {
        let ends = self.pulses.iter().skip(1).map(|(time, _)| Some(*time)).chain([None]);
        let heard = self.pulses.iter().zip(ends).flat_map(|(&(time, pulse), end)| {
            let sample = (i32::from(pulse) - i32::from(LEVELS) / 2) * (65536 / i32::from(LEVELS));
            let count = end.map_or(1.0, |end| ((end - time) * f64::from(rate)).round().max(1.0));
            std::iter::repeat_n(sample as i16, count as usize)
        });
        heard.collect()
    }
}

/// Whether Node and the emulator are here.
///
/// # Errors
///
/// When not, with a sentence that says what to install.
pub fn check() -> Result<()> {
    let found = Command::new(NODE).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        bail!("{NODE} is not installed: on Debian, `apt-get install --no-install-recommends nodejs npm`");
    }
    let folder = folder()?;
    ensure!(
        folder.join("node_modules/rp2040js").is_dir(),
        "the emulator rp2040js is not installed: `npm ci` in {}",
        folder.display()
    );
    Ok(())
}

/// Boots a firmware for the RP2040, an ELF file.
///
/// # Errors
///
/// When the emulator is not there, or does not understand the file or what the program does.
pub fn boot(elf: &Path, boot: Boot) -> Result<Shot> {
    check()?;
    let folder = tempfile::tempdir().context("could not make a temporary folder")?;
    let bus = folder.path().join("bus");
    let mut command = Command::new(NODE);
    command.arg(self::folder()?.join("run.mjs")).arg(elf).arg(&bus);
    let pulses = folder.path().join("pulses");
    command.arg("--pulses").arg(&pulses).args(["--seconds", &boot.seconds.to_string()]);
    for (option, value) in [("--quiet", boot.quiet), ("--press", boot.press)] {
        command.args(value.into_iter().flat_map(|seconds| [option.to_owned(), seconds.to_string()]));
    }
    match boot.panel {
        Panel::St7789(_) | Panel::St7735(_) => &mut command,
        Panel::Oled { plugged, .. } => command.args(["--plugged", &plugged.to_string()]),
        Panel::StuckBus => command.arg("--stuck"),
    };
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("could not start {NODE}"))?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    let outcome = match output.status.code() {
        Some(0) => Outcome::Quiet,
        Some(2) => Outcome::Time,
        Some(3) => Outcome::Reset,
        _ => bail!("the emulator stopped: {}", complaints.trim()),
    };
    let mut last = complaints.lines().rev();
    let seconds = last.next().and_then(|line| line.parse().ok());
    let stack_bytes = last.next().and_then(|line| line.parse().ok());
    let bytes = fs::read(&bus).context("the emulator left no recording")?;
    let pulses = fs::read(&pulses).context("the emulator left no recording of the speaker")?;
    let words = bytes.chunks_exact(2).map(|word| u16::from_le_bytes([word[0], word[1]]));
    Ok(Shot {
        outcome,
        seconds: seconds.context("the emulator did not tell the time")?,
        stack_bytes: stack_bytes.context("the emulator did not tell the stack")?,
        picture: picture(boot.panel, words),
        text: String::from_utf8_lossy(&output.stdout).into_owned(),
        pulses: pulses.chunks_exact(16).map(to_pulse).collect(),
    })
}

/// A time in nanoseconds and a pulse width, both as 64-bit floats.
fn to_pulse(record: &[u8]) -> (f64, u16) {
    let [nanos, pulse] = [0, 8].map(|at| f64::from_le_bytes(std::array::from_fn(|byte| record[at + byte])));
    (nanos / 1e9, pulse as u16)
}

/// What a person sees on the panel after what was recorded; `run.mjs` says how.
fn picture(panel: Panel, words: impl Iterator<Item = u16>) -> RgbImage {
    let controller = if let Panel::Oled { controller, .. } = panel { controller } else { Controller::Ssd1306 };
    let memory = if let Panel::St7735(_) = panel { ST7735 } else { [COLUMNS, ROWS] };
    let (mut tft, mut oled) = (St7789::with_memory(memory), Oled::new(controller));
    for word in words {
        let byte = word as u8;
        match word >> 8 {
            0 => tft.take(byte, false),
            1 => tft.take(byte, true),
            2 => oled.start(),
            3 => oled.take(byte),
            _ => {}
        }
    }
    match panel {
        Panel::St7789(glass) | Panel::St7735(glass) => tft.picture(glass),
        Panel::Oled { quarters, .. } => turned(oled.picture(), quarters),
        Panel::StuckBus => oled.picture(),
    }
}

/// Where the script and the emulator are.
fn folder() -> Result<PathBuf> {
    Ok(root()?.join("sim/rp2040"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pulses_are_samples_for_as_long_as_they_stand() {
        let pulses =
            [(0.5, -32767), (0.625, 0), (0.75, 32767), (1.25, 100)].map(|(time, sample)| (time, pulse(sample)));
        assert_eq!(pulses.map(|(_, pulse)| pulse), [0, 1024, 2047, 1027]);
        let shot = Shot {
            outcome: Outcome::Time,
            seconds: 2.0,
            stack_bytes: 0,
            picture: RgbImage::new(1, 1),
            text: String::new(),
            pulses: pulses.to_vec(),
        };
        assert_eq!(shot.samples(8), [-32768, 0, 32736, 32736, 32736, 32736, 96]);
    }
}
