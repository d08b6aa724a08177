//! `--image PICTURE …`: pictures for a model that reads one, put into a copy of its file.

use std::path::PathBuf;

use anyhow::{Result, bail};
use edgegen_export::{ModelFile, with_pictures};
use edgegen_runtime::Model;

use super::source::read_picture;

#[derive(Clone, Debug, Default, clap::Args)]
pub struct Pictures {
    /// A picture that the model makes another one of, for models that read one, brought to the model's size; give it
    /// again for more [default: those in the model file]
    #[arg(long = "image", value_name = "PICTURE")]
    paths: Vec<PathBuf>,
}

impl Pictures {
    /// The model with these pictures in place of its own, or as it is where none are given.
    pub fn put_into(&self, file: ModelFile) -> Result<ModelFile> {
        let model = Model::parse_any(file.bytes())?;
        match (model.fed(), self.paths.first()) {
            (_, None) => Ok(file),
            (None, Some(path)) => {
                bail!("expected no --image for a model that reads none, found {}: leave it out", path.display())
            }
            (Some(shape), Some(_)) => {
                let pictures = self.paths.iter().map(|path| read_picture(path, shape)).collect::<Result<Vec<_>>>()?;
                Ok(with_pictures(&file, &pictures)?)
            }
        }
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
