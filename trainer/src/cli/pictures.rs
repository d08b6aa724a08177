//! `--image PICTURE …`: pictures for a model that reads one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use edgegen_data::{Config, Fit, Kind, Size, find, fit_image, load_picture};
use edgegen_export::{ModelFile, with_pictures};
use edgegen_runtime::{Model, Shape};

#[derive(Clone, Debug, Default, clap::Args)]
pub struct Pictures {
    /// A picture that the model makes another one of, or a folder of them, for models that read one, brought to the
    /// model's size as training data are; give it again for more [default: those in the model file; of a run test pairs
    /// of its data]
    #[arg(long = "image", value_name = "PICTURE|FOLDER")]
    paths: Vec<PathBuf>,
}

impl Pictures {
    /// What was given, as files that are read.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// All of them, `[h, w, c]` bytes of the shape that a model reads; `None` is one that reads none.
    ///
    /// # Errors
    ///
    /// If there are some for a model that reads none, or one of them cannot be read.
    pub fn read(&self, fed: Option<Shape>) -> Result<Vec<Vec<u8>>> {
        match (fed, self.paths.first()) {
            (_, None) => Ok(Vec::new()),
            (None, Some(path)) => {
                bail!("expected no --image for a model that reads none, found {}: leave it out", path.display())
            }
            (Some(shape), Some(_)) => {
                let files = self.paths.iter().map(|path| files_of(path)).collect::<Result<Vec<_>>>()?;
                files.concat().iter().map(|path| read(path, shape)).collect()
            }
        }
    }

    /// The model with these pictures in place of its own, or as it is where none are given.
    pub fn put_into(&self, file: ModelFile) -> Result<ModelFile> {
        let pictures = self.read(Model::parse_any(file.bytes())?.fed())?;
        if pictures.is_empty() { Ok(file) } else { Ok(with_pictures(&file, &pictures)?) }
    }

    /// As [`Pictures::put_into`]; a model that reads a picture must then have one.
    pub fn complete(&self, file: ModelFile) -> Result<ModelFile> {
        let file = self.put_into(file)?;
        let model = Model::parse_any(file.bytes())?;
        match model.fed().filter(|_| model.pictures().is_none()) {
            Some(shape) => {
                bail!("expected --image for a model that reads a picture of {shape}, found none: give one or more")
            }
            None => Ok(file),
        }
    }
}

/// A picture, or those in a folder, in natural order.
fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let found = find(path, Kind::Pictures)?;
    if let Some((bad, reason)) = found.bad.first() {
        bail!("expected pictures in {}, found {}, {reason}", path.display(), bad.display());
    }
    ensure!(!found.files.is_empty(), "expected pictures in {}, found none: give a folder with some", path.display());
    Ok(found.files.into_iter().map(|file| path.join(file.path)).collect())
}

/// Reads a picture for a model that reads one of `shape`, as a picture to train on: its middle in the shape of the
/// model.
fn read(path: &Path, shape: Shape) -> Result<Vec<u8>> {
    let Shape { h, w, c } = shape;
    ensure!([1, 3].contains(&c), "expected a model that reads a picture of 1 or 3 channels, found one of {c}");
    let size = Size { h: h.into(), w: w.into() };
    let config = Config::new(path.to_string_lossy(), size, c.into());
    load_picture(path, &config).with_context(|| format!("cannot read the picture {}", path.display()))
}

/// A picture of shape `[H, W, C]` drawn at another shape, whole.
pub fn redrawn(picture: &[u8], from: [usize; 3], [h, w, c]: [usize; 3]) -> Vec<u8> {
    let config = Config { fit: Fit::Stretch, ..Config::new("", Size { h, w }, c) };
    if from == [h, w, c] { picture.to_vec() } else { fit_image(picture, from, &config) }
}
