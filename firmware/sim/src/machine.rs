//! The machines of QEMU's that stand for a board.

use std::ops::Range;
use std::process::Command;

use anyhow::{Result, bail};

use crate::cpu::Cpu;

/// QEMU for Arm's 32-bit processors.
pub(crate) const QEMU: &str = "qemu-system-arm";

/// A machine, as far as it matters for running a program and looking at what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// QEMU's options for it.
    options: Vec<&'static str>,
    /// Its processor's clock, which its timer counts.
    pub clock_mhz: u32,
    /// RAM that the program is linked for; its stack grows down from the end.
    pub ram: Range<u32>,
    /// How its picture is had.
    pub picture: Picture,
}

/// Where a machine's picture comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// The emulated panel, by QEMU's screen dump.
    Screen,
    /// A file that the program writes when the picture is complete; then it says `frame saved`.
    Frame,
}

impl Machine {
    /// What stands for the board `board` with this processor.
    ///
    /// The lm3s6965evb takes any Cortex-M. The mps3-an547 has its own; for the others the program goes into boards of the
    /// same family, and for Cortex-M0 into the micro:bit, with more memory than the real one has.
    ///
    /// # Errors
    ///
    /// When QEMU has none.
    pub fn of(board: &str, cpu: Cpu) -> Result<Self> {
        let (options, clock_mhz, ram, picture): (&[_], _, _, _) = match (board, cpu) {
            ("lm3s6965evb", cpu) if Cpu::CORTEX_M.contains(&cpu) => {
                (&["-M", "lm3s6965evb", "-cpu", cpu.name()], 50, 0x2000_0000..0x2001_0000, Picture::Screen)
            }
            ("mps3-an547", cpu) => {
                let (options, clock_mhz): (&[_], _) = match cpu {
                    Cpu::CortexM0 => (&MICROBIT, 16),
                    Cpu::CortexM3 => (&["-M", "mps2-an385"], 25),
                    Cpu::CortexM4 => (&["-M", "mps2-an386"], 25),
                    Cpu::CortexM7 => (&["-M", "mps2-an500"], 25),
                    Cpu::CortexM33 => (&["-M", "mps2-an505"], 20),
                    Cpu::CortexM55 => (&["-M", "mps3-an547"], 32),
                    Cpu::CortexA53 | Cpu::Wasm32 => bail!("QEMU has no mps3-an547 with a {cpu}"),
                };
                let start = if cpu == Cpu::CortexM33 { 0x3800_0000 } else { 0x2000_0000 };
                (options, clock_mhz, start..start + 512 * 1024, Picture::Frame)
            }
            _ => bail!("{QEMU} has no {board} with a {cpu}"),
        };
        Ok(Self { options: options.to_vec(), clock_mhz, ram, picture })
    }

    /// QEMU with this machine, one instruction a nanosecond, and no window; what it boots is still to be said.
    pub fn command(&self) -> Command {
        let mut command = Command::new(QEMU);
        command.args(&self.options).args(["-display", "none", "-icount", "shift=0", "-nodefaults"]);
        command
    }

    /// Instructions in so many ticks of the timer, to one tick.
    pub fn instructions(&self, ticks: u64) -> u64 {
        ticks * 1000 / u64::from(self.clock_mhz)
    }
}

/// An nRF51 with 1 MiB of flash and 512 KiB of RAM instead of 256 and 16.
const MICROBIT: [&str; 6] =
    ["-M", "microbit", "-global", "nrf51-soc.flash-size=1048576", "-global", "nrf51-soc.sram-size=524288"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_microcontroller_has_its_machines() {
        for cpu in Cpu::CORTEX_M {
            assert_eq!(Machine::of("lm3s6965evb", cpu).unwrap().instructions(3), 60);
            assert_eq!(Machine::of("mps3-an547", cpu).unwrap().picture, Picture::Frame);
        }
        assert_eq!(Machine::of("mps3-an547", Cpu::CortexM55).unwrap().instructions(4), 125);
        assert!(Machine::of("lm3s6965evb", Cpu::CortexA53).is_err());
        let error = Machine::of("pico", Cpu::CortexM0).unwrap_err().to_string();
        assert_eq!(error, "qemu-system-arm has no pico with a cortex-m0");
    }
}
