//! Why a file cannot be written or read, in one sentence each.

/// What is wrong with an ONNX file, or what cannot be done with it yet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// The bytes are no ONNX file.
    #[error("expected an ONNX file, found something else ({0}): check the path, or write the file again")]
    File(String),
    /// The file is what another framework saves.
    #[error("expected an ONNX file, found {found}: {remedy}")]
    Foreign {
        /// What kind of file it is.
        found: &'static str,
        /// The call that makes an ONNX file of it.
        remedy: &'static str,
    },
    /// The file cannot be read from the disk.
    #[error("{path} cannot be read ({error}): {remedy}")]
    Path {
        /// Which file.
        path: String,
        /// What the system says.
        error: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The file cannot be written.
    #[error("the network cannot be written as ONNX: {0}")]
    Write(String),
    /// A part of the graph is not what a generator is made of.
    #[error("expected {expected}, found {found} at {place}: {remedy}")]
    Graph {
        /// Where: a node by its name and operator, or a part of the graph.
        place: String,
        /// What could stand there.
        expected: String,
        /// What stands there.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// Something that generators may have and this importer has no layers for.
    #[error("{place} {what}, which cannot be imported yet: {remedy}")]
    NotYet {
        /// Where: a node by its name and operator.
        place: String,
        /// What it does.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// Something is not in the file and cannot be guessed.
    #[error("the file does not tell {what}: {remedy}")]
    Ask {
        /// What is missing.
        what: String,
        /// The option that tells it.
        remedy: String,
    },
}
