//! ONNX: the float layer list as a file that other runtimes run, and back.
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

mod bytes;
mod node;
mod read;
mod write;

pub use read::from_bytes;
pub use write::to_bytes;

/// The operator set that is written: old enough for every runtime of the last years, and what quantizers ask for.
const OPSET: i64 = 17;
/// The version of the file format that goes with it.
const IR_VERSION: i64 = 8;

/// Names of the input and the output.
const LATENT: &str = "latent";
const IMAGE: &str = "image";

/// Keys of the metadata, and what stands there.
const PRIOR: &str = "edgegen.prior";
/// How many of the inputs, the last ones, are classes.
const CLASSES: &str = "edgegen.classes";
const GAUSSIAN: &str = "gaussian";
const UNIFORM: &str = "uniform";
const PIXELS: &str = "edgegen.pixels";
const SYMMETRIC: &str = "symmetric";
const UNIT: &str = "unit";

/// Why a file cannot be written or read, in one sentence each.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// The bytes are no ONNX file.
    #[error("expected an ONNX file, found something else ({0}): check the path, or write the file again")]
    File(String),
    /// The file cannot be written.
    #[error("expected a network of less than 2 GiB, found more ({0}): make it smaller")]
    Write(String),
    /// A part of the graph is not what a generator is made of.
    #[error("expected {expected}, found {found} at {place}: {remedy}")]
    Graph {
        /// Where: a node by its name, or a part of the graph.
        place: String,
        /// What could stand there.
        expected: String,
        /// What stands there.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
}
