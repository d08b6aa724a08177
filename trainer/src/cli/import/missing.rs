//! Without tract: a file can only be refused.

use std::path::Path;

use anyhow::{Result, bail};
use edgegen_export::layers::Network;

use super::Assumptions;

/// A generator from an ONNX file, which there cannot be.
#[derive(Debug)]
pub enum Import {}

/// Refuses an ONNX file.
pub fn open(path: &Path, _: &Assumptions) -> Result<Import> {
    bail!(
        "expected an edgegen that reads ONNX files such as {}, found one that was built without: build edgegen with its \
         default features, `cargo build --package edgegen`",
        path.display()
    )
}

impl Import {
    pub fn network(&self) -> &Network {
        match *self {}
    }

    pub fn notes(&self) -> &[String] {
        match *self {}
    }

    pub fn run(&self, _: &[Vec<f32>]) -> Result<Vec<f32>> {
        match *self {}
    }

    pub fn error(&self, _: &[Vec<Vec<f32>>]) -> Result<f32> {
        match *self {}
    }
}
