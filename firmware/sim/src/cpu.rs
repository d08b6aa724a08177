//! Processors: how Rust compiles for each, and which packing it reads.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use edgegen_runtime::Packing;
use serde::{Deserialize, Serialize};

use crate::folder::{lock, root};
use crate::toolchain;

/// A processor of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "&str")]
pub enum Cpu {
    /// Armv6-M; Cortex-M0+ too.
    CortexM0,
    /// Armv7-M.
    CortexM3,
    /// Armv7E-M: with DSP instructions.
    CortexM4,
    /// Armv7E-M, superscalar.
    CortexM7,
    /// Armv8-M Mainline.
    CortexM33,
    /// Armv8.1-M Mainline with vectors.
    CortexM55,
    /// Armv8-A with NEON, 64 bits.
    CortexA53,
    /// WebAssembly with simd128, in browsers.
    Wasm32,
}

impl Cpu {
    /// All of them, from small to large.
    pub const ALL: [Self; 8] = [
        Self::CortexM0,
        Self::CortexM3,
        Self::CortexM4,
        Self::CortexM7,
        Self::CortexM33,
        Self::CortexM55,
        Self::CortexA53,
        Self::Wasm32,
    ];

    /// The microcontrollers among them, from small to large.
    pub const CORTEX_M: [Self; 6] =
        [Self::CortexM0, Self::CortexM3, Self::CortexM4, Self::CortexM7, Self::CortexM33, Self::CortexM55];

    /// QEMU's name of it, `cortex-m0` … `cortex-a53`; or `wasm32`, which QEMU does not have.
    pub fn name(self) -> &'static str {
        match self {
            Self::CortexM0 => "cortex-m0",
            Self::CortexM3 => "cortex-m3",
            Self::CortexM4 => "cortex-m4",
            Self::CortexM7 => "cortex-m7",
            Self::CortexM33 => "cortex-m33",
            Self::CortexM55 => "cortex-m55",
            Self::CortexA53 => "cortex-a53",
            Self::Wasm32 => "wasm32",
        }
    }

    /// Rust's target for it, without an operating system. Cortex-M goes without floating point, which edgegen does not use.
    pub fn target(self) -> &'static str {
        match self {
            Self::CortexM0 => "thumbv6m-none-eabi",
            Self::CortexM3 => "thumbv7m-none-eabi",
            Self::CortexM4 | Self::CortexM7 => "thumbv7em-none-eabi",
            Self::CortexM33 | Self::CortexM55 => "thumbv8m.main-none-eabi",
            Self::CortexA53 => "aarch64-unknown-none",
            Self::Wasm32 => "wasm32-unknown-unknown",
        }
    }

    /// The processor to compile for, where the target alone does not tell of DSP or vector instructions.
    fn target_cpu(self) -> Option<&'static str> {
        matches!(self, Self::CortexM33 | Self::CortexM55).then(|| self.name())
    }

    /// The packing that its kernel reads; the portable one runs too.
    pub fn packing(self) -> Packing {
        match self {
            Self::CortexM0 | Self::CortexM3 => Packing::Armv6m,
            Self::CortexM4 | Self::CortexM7 | Self::CortexM33 => Packing::Dsp,
            Self::CortexM55 => Packing::Mve,
            Self::CortexA53 | Self::Wasm32 => Packing::Simd128,
        }
    }

    /// Cargo for this processor, in `folder`, a program of the folder `firmware`.
    ///
    /// # Errors
    ///
    /// When that folder is not there.
    pub fn cargo(self, folder: &str) -> Result<Command> {
        let mut command = toolchain::arm(folder)?;
        match self.target_cpu() {
            Some(cpu) => command.env("EDGEGEN_CPU", cpu),
            None => command.env_remove("EDGEGEN_CPU"),
        };
        Ok(command)
    }

    /// Builds a program of the folder `firmware`, whose crate is `edgegen-` and the last part of `folder`; gives its
    /// ELF file, or its module of WebAssembly, which the next build of the same program replaces. Builds wait for each
    /// other.
    ///
    /// # Errors
    ///
    /// What the compiler says.
    pub fn build(self, folder: &str, arguments: &[&str]) -> Result<PathBuf> {
        let _lock = lock()?;
        let output = self
            .cargo(folder)?
            .args(["build", "--release", "--quiet", "--target", self.target()])
            .args(arguments)
            .output()
            .context("could not start firmware/arm")?;
        let text = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "could not build firmware/{folder} for {self}:\n{}", text.trim());
        let name = folder.rsplit('/').next().unwrap_or(folder);
        let file = match self {
            Self::Wasm32 => format!("edgegen_{name}.wasm"),
            _ => format!("edgegen-{name}"),
        };
        Ok(self.release_folder()?.join(file))
    }

    /// Where [`Cpu::cargo`] puts programs.
    ///
    /// # Errors
    ///
    /// As [`Cpu::cargo`].
    pub fn release_folder(self) -> Result<PathBuf> {
        let target = root()?.join("target").join(self.target_cpu().unwrap_or_default());
        Ok(target.join(self.target()).join("release"))
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Cpu {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|cpu| cpu.name() == name).with_context(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no processor {name}: expected one of {names}")
        })
    }
}

impl TryFrom<String> for Cpu {
    type Error = anyhow::Error;

    fn try_from(name: String) -> Result<Self> {
        name.parse()
    }
}

impl From<Cpu> for &str {
    fn from(cpu: Cpu) -> Self {
        cpu.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_by_name() {
        for cpu in Cpu::ALL {
            assert_eq!(cpu.name().parse::<Cpu>().unwrap(), cpu);
        }
        let error = "cortex-m1".parse::<Cpu>().unwrap_err().to_string();
        assert!(error.contains("cortex-m1") && error.contains("cortex-m0, cortex-m3"), "{error}");
    }
}
