//! Why a network cannot become a model file.

use edgegen_runtime::ParseError;

/// What the exporter cannot do, in one sentence each.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The layers do not form operators of the runtime.
    #[error("expected {expected}, found {found} at layer {layer}: {remedy}")]
    Layer {
        /// Index in the layer list.
        layer: usize,
        /// What could stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
        /// What to do.
        remedy: &'static str,
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
    #[error("expected finite numbers, found {found} in stage {stage}: take an earlier checkpoint")]
    NotFinite {
        /// Index of the stage.
        stage: usize,
        /// The number.
        found: f32,
    },
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
    /// The finished file does not parse; this is a fault of the exporter.
    #[error("the exporter wrote a file that the runtime refuses ({0}): please report it with the network")]
    Refused(#[from] ParseError),
}
