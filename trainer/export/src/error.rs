//! Why a network cannot become a model file.

use edgegen_runtime::ParseError;

/// What the exporter cannot do, in one sentence each.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A layer cannot be what it is where it is.
    #[error("expected {expected}, found {found} at {node}: {remedy}")]
    Layer {
        /// Name of the node.
        node: String,
        /// What could stand there.
        expected: String,
        /// What stands there.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A layer is larger than the format can hold.
    #[error("expected at most {limit} {what}, found {found} at {node}: make the layer smaller")]
    TooLarge {
        /// Name of the node.
        node: String,
        /// What is counted.
        what: &'static str,
        /// How much of it fits.
        limit: usize,
        /// How much there is.
        found: usize,
    },
    /// Something is larger than the format can hold.
    #[error("expected at most {limit} {what}, found {found}: make the network smaller")]
    Limit {
        /// What is counted.
        what: &'static str,
        /// How much of it fits.
        limit: usize,
        /// How much there is.
        found: usize,
    },
    /// A value is not a number, so training went wrong.
    #[error("expected finite numbers that fit int8 and i32, found {found} at {stage}: take an earlier checkpoint")]
    NotFinite {
        /// Name of the stage.
        stage: String,
        /// The number.
        found: f32,
    },
    /// A stage reads what does not stand before it, or more or fewer than its operator reads; a fault of folding.
    #[error("expected a stage that reads those before it, found another at {stage}: please report it with the network")]
    Order {
        /// Name of the stage.
        stage: String,
    },
    /// The last node is an input.
    #[error("expected a layer as the image, found the input {stage}: give the network layers")]
    NoImage {
        /// Name of the input.
        stage: String,
    },
    /// A row of the image depends on itself.
    #[error(
        "expected an image of which each row depends on those above it alone, found one that reads rows of itself before they are drawn: give convolutions over earlier rows borders above only"
    )]
    Acausal,
    /// There are no latent vectors to calibrate with.
    #[error("expected at least one latent vector to calibrate with, found none: ask for one or more")]
    NoLatents,
    /// A model for one CPU cannot become one for another.
    #[error("expected a portable model, found one packed for {found}: pack the portable file instead")]
    AlreadyPacked {
        /// What it is packed for.
        found: &'static str,
    },
    /// A layer can reach sums that the DSP kernel has no room for.
    #[error(
        "expected sums below {limit} for the target dsp, found up to {found} in stage {stage}: export it as portable, or give the layer fewer inputs"
    )]
    Sum {
        /// Index of the stage.
        stage: usize,
        /// What fits.
        limit: i64,
        /// The largest sum that the weights allow.
        found: i64,
    },
    /// Pictures and a model that do not go together.
    #[error("expected {expected}, found {found}: give another picture or another model")]
    Picture {
        /// What could be.
        expected: &'static str,
        /// What is.
        found: String,
    },
    /// The finished file does not parse; this is a fault of the exporter.
    #[error("the exporter wrote a file that the runtime refuses ({0}): please report it with the network")]
    Refused(#[from] ParseError),
}
