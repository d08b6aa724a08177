//! Weights and checkpoints on disk.
//!
//! Weights are safetensors files, one tensor per parameter with its place in the layer list as its name
//! (`layers.0.weight`), so that any tool can read them. A checkpoint is a folder with everything a run needs to go on
//! bit for bit: the system's own files and `state.json`.
//!
//! The folder is replaced as a whole, and a kill at any moment leaves one that is whole:
//!
//! ```text
//! write checkpoint.new/…  │  checkpoint → checkpoint.old  │  checkpoint.new → checkpoint  │  remove checkpoint.old
//! ```
//!
//! `state.json` is written last, so a `checkpoint.new` that has it is complete, and [`newest`] takes it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use burn::store::{ModuleSnapshot, SafetensorsStore};
use serde::{Deserialize, Serialize};

use crate::files;
use crate::nets::Net;
use crate::rng::Rng;

/// Name of the checkpoint folder in a run folder.
pub const FOLDER: &str = "checkpoint";
const STATE: &str = "state.json";

/// What the loop itself has to remember.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Steps done.
    pub step: u64,
    /// Source of latents and dropout masks.
    pub rng: Rng,
    /// Source of the order of images as it was when the current epoch began.
    pub order: Rng,
    /// Images of the current epoch already used.
    pub position: usize,
    /// The images that it learns from; checkpoints of earlier versions and of points of the plane have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Fingerprint>,
    /// Signs of failure so far.
    #[serde(default)]
    pub signs: Signs,
}

/// What is kept of a data set, to know it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// How many images there are.
    pub images: usize,
    /// `[H, W, C]` of each.
    pub shape: [usize; 3],
    /// Number of classes, 0 without labels.
    pub classes: usize,
    /// SHA-256 of all pixels, and of the labels behind them, in hexadecimal digits.
    pub sha256: String,
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { images, shape: [h, w, c], classes, .. } = self;
        write!(f, "{images} images of {h}×{w}×{c} ")?;
        if *classes == 0 { f.write_str("without classes") } else { write!(f, "in {classes} classes") }
    }
}

/// Signs of failure, counted over steps so that a run that goes on counts on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signs {
    /// Steps without a break in which a loss was too large.
    pub large: u64,
    /// Steps without a break in which the critic's loss was zero.
    pub won: u64,
    /// What has been said already.
    pub said: Vec<String>,
}

/// Writes all parameters of `net` to `path`, through a temporary name.
///
/// # Errors
///
/// If the file cannot be written.
pub fn save_net(net: &Net, path: &Path) -> Result<()> {
    // Burn writes its three metadata keys in a random order; with one, equal weights are equal files. And its own files
    // are for their owner only, so it writes to memory.
    let mut store =
        SafetensorsStore::from_bytes(None).clear_metadata().metadata("producer", "edgegen").skip_enum_variants(true);
    let bytes = net.save_into(&mut store).and_then(|()| store.get_bytes());
    let bytes = bytes.map_err(|error| anyhow::anyhow!("cannot write {}: {error}", path.display()))?;
    files::replace_bytes(path, &bytes)
}

/// Reads all parameters of `net` from `path`.
///
/// # Errors
///
/// If the file is missing or does not hold exactly the parameters of `net`.
pub fn load_net(net: &mut Net, path: &Path) -> Result<()> {
    if !path.is_file() {
        bail!("expected weights in {}, found no such file: train the recipe first", path.display());
    }
    let mut store = SafetensorsStore::from_file(path).skip_enum_variants(true);
    net.load_from(&mut store).map_err(|error| {
        // Burn explains a mismatch in a drawing of many lines; its first says enough beside ours.
        let first = error.to_string();
        let first = first.lines().next().unwrap_or_default().to_owned();
        anyhow::anyhow!("{} does not fit this recipe's networks: {first}", path.display())
    })?;
    Ok(())
}

/// Replaces the checkpoint of the run folder `run` by what `write` puts into the folder it is given, and `state`.
///
/// # Errors
///
/// If a file cannot be written; the old checkpoint then remains.
pub fn save(run: &Path, state: &State, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let [current, new, old] = folders(run);
    put_in_place(run)?;
    remove(&new)?;
    fs::create_dir_all(&new).with_context(|| format!("cannot create {}", new.display()))?;
    write(&new)?;
    let json = serde_json::to_string_pretty(state)?;
    files::replace_bytes(&new.join(STATE), json.as_bytes())?;
    remove(&old)?;
    if current.exists() {
        rename(&current, &old)?;
    }
    rename(&new, &current)?;
    remove(&old)
}

/// The newest whole checkpoint of `run` and its folder, which has another name where a kill came between two renames, or nothing.
/// Changes nothing, so that it can be asked while the run goes on.
///
/// # Errors
///
/// If a checkpoint exists but cannot be read.
pub fn newest(run: &Path) -> Result<Option<(State, PathBuf)>> {
    let whole = folders(run).into_iter().find(|folder| folder.join(STATE).is_file());
    let Some(folder) = whole else { return Ok(None) };
    let path = folder.join(STATE);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let state = serde_json::from_str(&text)
        .with_context(|| format!("{} is not a checkpoint of this version", path.display()))?;
    Ok(Some((state, folder)))
}

/// Gives the newest whole checkpoint its name, if a kill came between two renames.
fn put_in_place(run: &Path) -> Result<()> {
    let [current, ..] = folders(run);
    match newest(run)? {
        Some((_, whole)) if whole != current => {
            remove(&current)?;
            rename(&whole, &current)
        }
        _ => Ok(()),
    }
}

fn folders(run: &Path) -> [PathBuf; 3] {
    ["", ".new", ".old"].map(|suffix| run.join(format!("{FOLDER}{suffix}")))
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::{Init, NetBuilder};
    use burn::tensor::Device;

    #[test]
    fn parameters_are_named_by_the_place_of_their_layer() {
        let (folder, device, mut rng) = (tempfile::tempdir().unwrap(), Device::flex(), Rng::new(1, 0));
        let mut net = NetBuilder::new([2, 4, 4], Init::He, &device, &mut rng).conv(3, 3, 1, 1);
        let start = net.mark();
        let net = net.relu().conv(3, 3, 1, 1).add(start).linear([1, 1, 1]).build();
        let path = folder.path().join("net.safetensors");
        save_net(&net, &path).unwrap();
        // A safetensors file begins with the length of a JSON header, eight bytes, and that header.
        let bytes = fs::read(&path).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        let mut names: Vec<&str> = header.keys().map(String::as_str).filter(|name| *name != "__metadata__").collect();
        names.sort_unstable();
        let expected = ["0.bias", "0.weight", "2.bias", "2.weight", "4.bias", "4.weight"];
        assert_eq!(names, expected.map(|name| format!("layers.{name}")));
        let mut other = net.clone();
        load_net(&mut other, &path).unwrap();
    }

    fn state(step: u64) -> State {
        State { step, rng: Rng::new(1, 0), order: Rng::new(1, 1), position: 3, data: None, signs: Signs::default() }
    }

    #[test]
    fn a_kill_at_any_moment_leaves_a_whole_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        let [current, new, old] = folders(run);
        assert_eq!(newest(run).unwrap(), None);

        save(run, &state(1), |_| Ok(())).unwrap();
        assert_eq!(newest(run).unwrap().unwrap().0, state(1));

        // Killed while writing the next one: it has no state yet.
        fs::create_dir(&new).unwrap();
        assert_eq!(newest(run).unwrap().unwrap().0, state(1));

        // Killed between the two renames.
        save(run, &state(2), |_| Ok(())).unwrap();
        fs::rename(&current, &new).unwrap();
        fs::create_dir(&old).unwrap();
        assert_eq!(newest(run).unwrap().unwrap().0, state(2));

        // A failing writer leaves the old one.
        assert!(save(run, &state(3), |_| bail!("full")).is_err());
        assert_eq!(newest(run).unwrap().unwrap().0, state(2));
    }
}
