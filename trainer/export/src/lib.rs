//! Turns a trained float generator into an int8 model file for [`edgegen_runtime`]. Needs neither Burn nor a GPU.
//!
//! ```text
//! network ─ fold ─► stages ─ centre, calibrate, quantize ─► int8 stages ─ plan, pack ─► portable file
//! portable file ─ repack ─► file for one CPU
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`layers`] | the float network and its interpreter: what a generator is |
//! | [`function`] | functions of one value |
//! | [`fold`](mod@fold) | layers → [`stage`]s: batch normalization into weights, upsampling into phases |
//! | [`centre`](mod@centre) | constants that a normalization subtracts anyway |
//! | [`calibrate`](mod@calibrate) | ranges of values over many latents → int8 codes |
//! | [`quantize`](mod@quantize) | weights, biases, multipliers, tables |
//! | [`plan`] | padding and ring heights |
//! | [`pack`](mod@pack) | the file |
//! | [`repack`](mod@repack) | the file for one CPU |
//! | [`pictures`] | the file with pictures to read |
//! | [`exporter`] | all of these, one after the other |
//! | [`reference`](mod@reference) | naive integer interpreter of the file |
//! | [`compare`](mod@compare) | float against int8, stage by stage |
//! | [`cost`] | products, bytes and rows of each operator |
//! | [`estimate`] | instructions of an image on Cortex-M, without running it |
//! | [`onnx`] | the float network as an ONNX file, and other people's files as networks |

pub mod calibrate;
pub mod centre;
pub mod compare;
pub mod cost;
pub mod error;
pub mod estimate;
pub mod exporter;
pub mod file;
pub mod fold;
pub mod function;
pub mod layers;
pub mod onnx;
pub mod pack;
pub mod pictures;
pub mod plan;
pub mod quantize;
pub mod reference;
pub mod repack;
pub mod stage;

pub use error::ExportError;
pub use exporter::{
    CALIBRATED, COMPARED, Exported, calibration, export, export_as, export_with, image, image_at, native, translated,
};
pub use file::ModelFile;
pub use pack::Label;
pub use pictures::{picture_bytes, with_pictures};
pub use repack::repack;
