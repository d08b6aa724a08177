//! With tract.

use std::path::Path;

use anyhow::{Context, Result};
use edgegen_export::layers::{Network, PixelRange};
use edgegen_export::onnx::read::{self, Assume, AssumedPrior, AssumedRange};

use super::{Assumptions, Prior, Range};

/// A generator from an ONNX file.
#[derive(Debug)]
pub struct Import(read::Import);

/// Opens an ONNX file.
pub fn open(path: &Path, assume: &Assumptions) -> Result<Import> {
    let prior = |prior| match prior {
        Prior::Gaussian => AssumedPrior::Gaussian,
        Prior::Uniform => AssumedPrior::Uniform,
        Prior::Uniform01 => AssumedPrior::Uniform01,
    };
    let range = |range| match range {
        Range::Symmetric => AssumedRange::Pixels(PixelRange::Symmetric),
        Range::Unit => AssumedRange::Pixels(PixelRange::Unit),
        Range::Byte => AssumedRange::Pixels(PixelRange::Byte),
        Range::Logits => AssumedRange::Logits,
    };
    let assume = Assume {
        prior: assume.prior.map(prior),
        range: assume.range.map(range),
        shape: assume.shape,
        classes: assume.classes,
        output: assume.output.clone(),
    };
    Ok(Import(read::from_path(path, &assume).with_context(|| path.display().to_string())?))
}

impl Import {
    /// The float network.
    pub fn network(&self) -> &Network {
        &self.0.network
    }

    /// What was assumed and why, a sentence each.
    pub fn notes(&self) -> &[String] {
        &self.0.notes
    }

    /// What the file itself makes of values for its inputs, C × H × W.
    pub fn run(&self, inputs: &[Vec<f32>]) -> Result<Vec<f32>> {
        Ok(self.0.oracle.run(inputs)?)
    }

    /// The largest difference between the file and the network that was read from it, on these inputs.
    pub fn error(&self, inputs: &[Vec<Vec<f32>>]) -> Result<f32> {
        let mut most = 0.0;
        for inputs in inputs {
            let (file, network) = (self.run(inputs)?, self.0.network.forward(inputs)?.values);
            most = file.iter().zip(network).map(|(a, b)| (a - b).abs()).fold(most, f32::max);
        }
        Ok(most)
    }
}
