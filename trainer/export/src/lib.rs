//! Turns a trained float generator into an int8 model file for [`edgegen_runtime`]. Needs neither Burn nor a GPU.
//!
//! ```text
//! layers ─ fold ─► stages ─ calibrate, quantize ─► int8 stages ─ plan, pack ─► portable file ─ repack ─► file for one CPU
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`layers`] | the float layer list and its interpreter: what a generator is |
//! | [`fold`](mod@fold) | layers → [`stage`]s: batch normalization into weights, upsampling into phases |
//! | [`calibrate`](mod@calibrate) | ranges of values over many latents → int8 codes |
//! | [`quantize`](mod@quantize) | weights, biases, multipliers, tables |
//! | [`plan`] | padding and ring heights |
//! | [`pack`](mod@pack) | the file |
//! | [`repack`](mod@repack) | the file for one CPU |
//! | [`reference`](mod@reference) | naive integer interpreter of the file |
//! | [`compare`](mod@compare) | float against int8, stage by stage |
//! | [`cost`] | products, bytes and rows of each operator |
//! | [`estimate`] | instructions of an image on Cortex-M, without running it |
//! | [`onnx`] | the float layer list as an ONNX file, and back |

pub mod calibrate;
pub mod compare;
pub mod cost;
pub mod error;
pub mod estimate;
pub mod file;
pub mod fold;
pub mod layers;
pub mod onnx;
pub mod pack;
pub mod plan;
pub mod quantize;
pub mod reference;
pub mod repack;
pub mod stage;

pub use error::ExportError;
pub use file::ModelFile;
pub use pack::Label;
pub use repack::repack;

use edgegen_runtime::kernels::{Kernel, Native};
use edgegen_runtime::{Generator, Packing, Point};
use layers::Network;

/// Seeds of the latent vectors that ranges are calibrated with start here, far from those that people draw.
const CALIBRATION_SEED: u64 = 0xCA11_B8A7_E000_0000;

/// A packed model, with what the file does not tell.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The file.
    pub file: ModelFile,
    /// What the codes of each stage's output stand for.
    pub codes: Vec<calibrate::Code>,
}

/// Exports a network: folds, calibrates on `latents` latent vectors, quantizes, plans and packs it.
///
/// # Errors
///
/// [`ExportError`] says which layer does not fit, and why.
pub fn export(network: &Network, latents: usize, label: Label<'_>) -> Result<Exported, ExportError> {
    let staged = fold::fold(network)?;
    let latents: Vec<Vec<f32>> = (0..latents as u64).map(|i| network.input.vector(CALIBRATION_SEED + i)).collect();
    let codes = calibrate::calibrate(&staged, &latents)?;
    let stages = quantize::quantize(&staged, &codes)?;
    let file = pack::pack(network.input, &stages, label)?;
    Ok(Exported { file, codes: stages.iter().map(|stage| stage.code).collect() })
}

/// The model with its weights in the order of this computer, for drawing many images: the same bytes, ten to
/// twenty times faster on x86-64.
///
/// A model that is not portable stays as it is.
///
/// # Errors
///
/// Those of [`Model::parse_any`](edgegen_runtime::Model::parse_any).
pub fn native(file: &ModelFile) -> Result<ModelFile, ExportError> {
    let packing = Native::available().map_or(Packing::Portable, |_| Native::PACKING);
    match repack(file, packing) {
        Err(ExportError::AlreadyPacked { .. }) => Ok(file.clone()),
        repacked => repacked,
    }
}

/// The image of a seed, `[h, w, c]` bytes, by the runtime. For many images, draw from [`native`].
pub fn image(model: &edgegen_runtime::Model<'_>, seed: u64) -> Vec<u8> {
    image_at(model, Point::seed(seed))
}

/// The image of a point of latent space, as [`image`].
pub fn image_at(model: &edgegen_runtime::Model<'_>, point: Point) -> Vec<u8> {
    let mut arena = vec![0; model.arena_bytes()];
    let mut image = Vec::with_capacity(model.output().len());
    if let Ok(mut generator) = Generator::new(model, &mut arena) {
        let mut rows = generator.sample_at(point);
        while let Some(row) = rows.next_row() {
            image.extend_from_slice(row);
        }
    }
    image
}
