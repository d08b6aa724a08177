//! ONNX: the float network as a file that other runtimes run ([`to_bytes`]), and other people's files as a network
//! (`read`, behind the feature `onnx`, because tract compiles for minutes).
//!
//! | layer | operators |
//! |---|---|
//! | dense | Gemm, and Flatten before or Reshape after it where the other side is a map |
//! | convolution, transposed convolution | Conv, ConvTranspose |
//! | nearest upsampling | Resize |
//! | pixel shuffle | DepthToSpace, mode CRD |
//! | batch normalization | BatchNormalization |
//! | nonlinearities | Relu, LeakyRelu, Tanh, Sigmoid |
//!
//! A file has one input, `latent`, `[batch, dims]`, and one output, `image`, `[batch, channels, height, width]` in the range
//! of the network. What ONNX has no word for, the prior and the range, stands in the file's metadata under
//! `edgegen.prior` (`gaussian`, `uniform`) and `edgegen.pixels` (`symmetric`, `unit`).
//!
//! Source: the [ONNX operators](https://onnx.ai/onnx/operators/) of operator set 17.

mod error;
#[cfg(feature = "onnx")]
pub mod read;
mod write;

pub use error::OnnxError;
pub use write::to_bytes;

/// The operator set that is written: old enough for every runtime of the last years, and what quantizers ask for.
const OPSET: i64 = 17;
/// The version of the file format that goes with it.
const IR_VERSION: i64 = 8;

/// Names of inputs and output.
const LATENT: &str = "latent";
const CLASS: &str = "class";
const NOISE: &str = "noise";
const PICTURE: &str = "picture";
const IMAGE: &str = "image";

/// Keys of the metadata, and what stands there.
const PRIOR: &str = "edgegen.prior";
/// How many of the inputs, the last ones, are classes.
const CLASSES: &str = "edgegen.classes";
const GAUSSIAN: &str = "gaussian";
const UNIFORM: &str = "uniform";
const UNIT_UNIFORM: &str = "uniform01";
const PIXELS: &str = "edgegen.pixels";
const SYMMETRIC: &str = "symmetric";
const UNIT: &str = "unit";
const BYTE: &str = "byte";
