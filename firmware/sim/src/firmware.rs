//! Building a board's firmware around a model.

use std::fmt;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use edgegen_runtime::Packing;
use tempfile::TempDir;

/// A processor that QEMU can put into the lm3s6965evb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cpu {
    /// Armv6-M.
    CortexM0,
    /// Armv7-M, the board's own.
    CortexM3,
    /// Armv7E-M: with DSP instructions.
    CortexM4,
    /// Armv7E-M, superscalar.
    CortexM7,
    /// Armv8-M Mainline.
    CortexM33,
    /// Armv8.1-M Mainline with vectors.
    CortexM55,
}

impl Cpu {
    /// All of them, from small to large.
    pub const ALL: [Self; 6] =
        [Self::CortexM0, Self::CortexM3, Self::CortexM4, Self::CortexM7, Self::CortexM33, Self::CortexM55];

    /// QEMU's name of it, `cortex-m0` … `cortex-m55`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CortexM0 => "cortex-m0",
            Self::CortexM3 => "cortex-m3",
            Self::CortexM4 => "cortex-m4",
            Self::CortexM7 => "cortex-m7",
            Self::CortexM33 => "cortex-m33",
            Self::CortexM55 => "cortex-m55",
        }
    }

    /// Rust's target for it. All without floating point, which edgegen does not use.
    pub fn target(self) -> &'static str {
        match self {
            Self::CortexM0 => "thumbv6m-none-eabi",
            Self::CortexM3 => "thumbv7m-none-eabi",
            Self::CortexM4 | Self::CortexM7 => "thumbv7em-none-eabi",
            Self::CortexM33 | Self::CortexM55 => "thumbv8m.main-none-eabi",
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
        }
    }

    /// Cargo for this processor, in `folder`, a program of the folder `firmware`.
    ///
    /// # Errors
    ///
    /// When that folder is not there.
    pub fn cargo(self, folder: &str) -> Result<Command> {
        let root = root()?;
        let mut command = Command::new(root.join("arm"));
        command.current_dir(root.join(folder)).stdin(Stdio::null());
        match self.target_cpu() {
            Some(cpu) => command.env("EDGEGEN_CPU", cpu),
            None => command.env_remove("EDGEGEN_CPU"),
        };
        Ok(command)
    }

    /// Builds a program of the folder `firmware` and gives its ELF file, which the next build of the same program
    /// replaces. Builds wait for each other.
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
        Ok(self.release_folder()?.join(format!("edgegen-{folder}")))
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

/// A firmware image for the lm3s6965evb, in a folder of its own that goes when it goes.
#[derive(Debug)]
pub struct Firmware {
    folder: TempDir,
    /// The processor it was built for.
    pub cpu: Cpu,
    /// Bytes of flash that it fills, model included.
    pub flash_bytes: u32,
    /// Bytes of RAM that its variables take, arena included; the stack has the rest.
    pub ram_bytes: u32,
}

impl Firmware {
    /// Builds the lm3s6965evb's firmware with the model file `model` in it.
    ///
    /// The first build for a target takes half a minute where core must be built too, later ones seconds. Builds wait
    /// for each other, in other processes too.
    ///
    /// # Errors
    ///
    /// When no compiler for the target is installed (saying what to install), the model is not there, or does not fit.
    pub fn build(model: &Path, cpu: Cpu) -> Result<Self> {
        let bytes = fs::read(model).with_context(|| format!("there is no model at {}", model.display()))?;
        let (root, target) = (root()?, cpu.target());
        let folder = tempfile::tempdir().context("could not make a temporary folder")?;

        // Cargo's own lock ends with the build; ours holds until the result is copied away.
        let lock = lock()?;
        let embedded = keep(&root.join("target/models"), &bytes).context("could not keep a copy of the model")?;
        let output = cpu
            .cargo("boards/lm3s6965evb")?
            .args(["build", "--release", "--quiet", "--target", target])
            .env("EDGEGEN_MODEL", &embedded)
            .output()
            .with_context(|| format!("could not start {}", root.join("arm").display()))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            // The linker names each section that is too many; the last is the sum of all.
            let surplus =
                text.split("overflowed by ").skip(1).filter_map(|rest| rest.split(' ').next()?.parse::<u32>().ok());
            if let Some(bytes) = surplus.max() {
                bail!("{} is {bytes} bytes too large for the flash of the lm3s6965evb", model.display());
            }
            bail!("could not build the lm3s6965evb's firmware for {target}:\n{text}");
        }
        let elf = folder.path().join("firmware.elf");
        let built = cpu.release_folder()?.join("edgegen-lm3s6965evb");
        fs::copy(&built, &elf).with_context(|| format!("could not copy {}", built.display()))?;
        drop(lock);

        let (flash_bytes, ram_bytes) = sizes(&fs::read(&elf)?).context("the firmware is not an ARM ELF file")?;
        Ok(Self { folder, cpu, flash_bytes, ram_bytes })
    }

    /// The ELF file.
    pub fn elf(&self) -> PathBuf {
        self.folder.path().join("firmware.elf")
    }
}

/// Whether the firmware can be built for `cpu` here.
///
/// # Errors
///
/// When not, with a sentence that says what to install.
pub fn check(cpu: Cpu) -> Result<()> {
    let root = root()?;
    let Output { status, stderr, .. } = cpu
        .cargo("boards/lm3s6965evb")?
        .args(["--check", cpu.target()])
        .output()
        .with_context(|| format!("could not start {}", root.join("arm").display()))?;
    ensure!(status.success(), "{}", String::from_utf8_lossy(&stderr).trim());
    Ok(())
}

/// Held while a firmware is built.
fn lock() -> Result<File> {
    let target_dir = root()?.join("target");
    fs::create_dir_all(&target_dir).with_context(|| format!("could not make {}", target_dir.display()))?;
    let lock = File::create(target_dir.join(".edgegen-lock")).context("could not make the lock file")?;
    lock.lock().context("could not wait for other builds of the firmware")?;
    Ok(lock)
}

/// A copy of `bytes` in `folder`, named after its content. Cargo goes by names and dates, so with it another content is
/// always built anew, also in a file of the same name and an older date; and the same content never is.
fn keep(folder: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let path = folder.join(format!("{:016x}.egm", hasher.finish()));
    if !path.is_file() {
        fs::create_dir_all(folder)?;
        let part = path.with_extension("part");
        fs::write(&part, bytes)?;
        fs::rename(&part, &path)?;
    }
    Ok(path)
}

/// The firmware folder of this repository, or `EDGEGEN_FIRMWARE`.
fn root() -> Result<PathBuf> {
    let root = std::env::var_os("EDGEGEN_FIRMWARE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), PathBuf::from);
    match root.canonicalize() {
        Ok(root) if root.join("arm").is_file() => Ok(root),
        _ => bail!(
            "there is no firmware folder at {}: set EDGEGEN_FIRMWARE to the folder `firmware` of edgegen's source",
            root.display()
        ),
    }
}

/// Bytes in flash and in RAM of a 32-bit little-endian ELF file, by its segments.
pub fn sizes(elf: &[u8]) -> Option<(u32, u32)> {
    const LOAD: u32 = 1;
    const RAM: std::ops::Range<u32> = 0x2000_0000..0x4000_0000;
    let half = |at: usize| Some(u32::from(u16::from_le_bytes(elf.get(at..at + 2)?.try_into().ok()?)));
    let word = |at: usize| Some(u32::from_le_bytes(elf.get(at..at + 4)?.try_into().ok()?));
    if !elf.starts_with(b"\x7fELF\x01\x01") {
        return None;
    }
    // ELF header: e_phoff at 28, e_phentsize at 42, e_phnum at 44. Segment: p_type, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz.
    let (offset, size, count) = (word(28)?, half(42)?, half(44)?);
    let (mut flash, mut ram) = (0, 0);
    for index in 0..count {
        let segment = (offset + index * size) as usize;
        if word(segment)? == LOAD {
            flash += word(segment + 16)?;
            if RAM.contains(&word(segment + 8)?) {
                ram += word(segment + 20)?;
            }
        }
    }
    Some((flash, ram))
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

    #[test]
    fn a_missing_model_is_named() {
        let error = Firmware::build(Path::new("/nowhere/x.egm"), Cpu::CortexM3).unwrap_err();
        assert_eq!(error.to_string(), "there is no model at /nowhere/x.egm");
    }

    #[test]
    fn copies_are_named_after_their_content() {
        let folder = tempfile::tempdir().unwrap();
        let one = keep(folder.path(), b"one").unwrap();
        let other = keep(folder.path(), b"other").unwrap();
        assert_ne!(one, other);
        assert_eq!(keep(folder.path(), b"one").unwrap(), one);
        assert_eq!(fs::read(one).unwrap(), b"one");
    }

    #[test]
    fn sizes_of_nonsense() {
        assert_eq!(sizes(b""), None);
        assert_eq!(sizes(b"\x7fELF\x01\x01 cut off"), None);
    }
}
