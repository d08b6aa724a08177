//! Building a board's firmware around a model.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context, Result, bail, ensure};
use edgegen_app::{Act, Show};
use edgegen_runtime::Model;
use tempfile::TempDir;

use crate::binary::sizes;
use crate::boards::{Board, Panel, needs_int16};
use crate::cpu::Cpu;
use crate::folder::{lock, root};
use crate::panel::aligned;
use crate::spec::PanelSpec;

/// A firmware image, in a folder of its own that goes when it goes.
#[derive(Debug)]
pub struct Firmware {
    folder: TempDir,
    /// Name of the board it was built for.
    pub board: String,
    /// The panel that it draws on.
    pub panel: PanelSpec,
    /// The processor it was built for.
    pub cpu: Cpu,
    /// Bytes of flash that it fills, model included.
    pub flash_bytes: u32,
    /// Bytes of RAM that its variables take, arena included; the stack has the rest.
    pub ram_bytes: u32,
}

impl Firmware {
    /// Builds a board's firmware for a panel and a processor of it, with the model file `model` in it.
    ///
    /// The first build of a board compiles its crates, half a minute and more, later ones take seconds. Builds wait for each
    /// other, in other processes too.
    ///
    /// # Errors
    ///
    /// When no compiler for the target is installed (saying what to install), the model is not there, or does not fit.
    pub fn build(model: &Path, board: &Board, panel: &Panel, cpu: Cpu) -> Result<Self> {
        Self::build_show(model, board, panel, cpu, "")
    }

    /// [`Firmware::build`] for a board that runs the show, with words for `edgegen_app::Show::parse`: what it shows first.
    /// The panel may be one that was [fitted](Panel::fitted). Frames are in the program only where the words ask for
    /// `art`, waves and what plays them only where the model makes sound, int16 codes only where it has some.
    ///
    /// # Errors
    ///
    /// Those of [`Firmware::build`].
    pub fn build_show(model: &Path, board: &Board, panel: &Panel, cpu: Cpu, show: &str) -> Result<Self> {
        if let Some(system) = &board.system {
            bail!(
                "the firmware of the {} is a program for {system} that takes the model as a file: see firmware/{}/README.md",
                board.name,
                board.folder()
            );
        }
        let bytes = fs::read(model).with_context(|| format!("there is no model at {}", model.display()))?;
        let (root, target) = (root()?, cpu.target());
        let folder = tempfile::tempdir().context("could not make a temporary folder")?;

        // Cargo's own lock ends with the build; ours holds until the result is copied away.
        let lock = lock()?;
        let embedded = keep(&root.join("target/models"), &bytes).context("could not keep a copy of the model")?;
        let mut build = cpu.cargo(&board.folder())?;
        build.args(["build", "--release", "--quiet", "--target", target]).env("EDGEGEN_MODEL", &embedded);
        build.env("EDGEGEN_SHOW", show).env("EDGEGEN_PANEL", panel.setup.to_string());
        // The first panel is what a board's crate has without features.
        if board.panels.first().is_none_or(|first| first.name != panel.name) {
            build.args(["--no-default-features", "--features", &panel.name]);
        }
        if Show::parse(show).act == Act::Art {
            build.args(["--features", "edgegen-app/art"]);
        }
        // A damaged model is for the board to refuse.
        let mut room = Vec::new();
        let parsed = Model::parse_any(aligned(&bytes, &mut room)).ok();
        if parsed.as_ref().is_some_and(needs_int16) {
            build.args(["--features", "edgegen-app/int16"]);
        }
        if parsed.as_ref().is_some_and(|model| model.sample_rate().is_some()) {
            build.args(["--features", if board.speaker.is_empty() { "edgegen-app/sound" } else { "sound" }]);
        }
        let output = build.output().context("could not start firmware/arm")?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            if let Some((region, bytes)) = overflow(&text) {
                let memory = if region.contains("RAM") { "RAM" } else { "flash" };
                bail!("{} is {bytes} bytes too large for the {memory} of the {}", model.display(), board.name);
            }
            bail!("could not build the {}'s firmware for {target}:\n{text}", board.name);
        }
        let elf = folder.path().join("firmware.elf");
        let built = cpu.release_folder()?.join(format!("edgegen-{}", board.name));
        fs::copy(&built, &elf).with_context(|| format!("could not copy {}", built.display()))?;
        drop(lock);

        let (flash_bytes, ram_bytes) = sizes(&fs::read(&elf)?).context("the firmware is not an ELF file")?;
        Ok(Self { folder, board: board.name.clone(), panel: panel.spec(), cpu, flash_bytes, ram_bytes })
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
    let Output { status, stderr, .. } =
        cpu.cargo("")?.args(["--check", cpu.target()]).output().context("could not start firmware/arm")?;
    ensure!(status.success(), "{}", String::from_utf8_lossy(&stderr).trim());
    Ok(())
}

/// The memory region that a linker says is too small, and by how many bytes. It names each section that is too many; the
/// last is the sum of all.
fn overflow(text: &str) -> Option<(&str, u64)> {
    let surplus = text.split("region '").skip(1).filter_map(|rest| {
        let (region, rest) = rest.split_once('\'')?;
        let bytes = rest.strip_prefix(": overflowed by ")?.split(' ').next()?.parse().ok()?;
        Some((region, bytes))
    });
    surplus.max_by_key(|(_, bytes)| *bytes)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boards;

    #[test]
    fn what_overflows_is_read() {
        let text = "error: linking\n  = note: rust-lld: error: section '.text' will not fit in region 'FLASH': overflowed by 20 bytes\n\
                    rust-lld: error: section '.rodata' will not fit in region 'FLASH': overflowed by 4020 bytes";
        assert_eq!(overflow(text), Some(("FLASH", 4020)));
        assert_eq!(overflow("error: could not compile"), None);
    }

    #[test]
    fn a_missing_model_is_named() {
        let board = boards::find("lm3s6965evb").unwrap();
        let error = Firmware::build(Path::new("/nowhere/x.egm"), &board, &board.panels[0], board.cpu).unwrap_err();
        assert_eq!(error.to_string(), "there is no model at /nowhere/x.egm");
    }

    #[test]
    fn a_program_of_a_system_takes_its_model_as_a_file() {
        let board = boards::find("raspi-linux").unwrap();
        let error = Firmware::build(Path::new("x.egm"), &board, &board.panels[0], board.cpu).unwrap_err().to_string();
        assert!(error.contains("a program for linux") && error.ends_with("boards/raspi-linux/README.md"), "{error}");
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
}
