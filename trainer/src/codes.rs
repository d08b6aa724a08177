//! The width of codes that a model is exported with, as recipes and the command line name it.

use edgegen_runtime::graph::Width;
use serde::{Deserialize, Serialize};

/// The codes of values between inputs and image of a model file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Codes {
    /// The default.
    #[default]
    Int8,
    /// See [`Width::Int16`].
    Int16,
}

impl Codes {
    /// As the exporter says it.
    pub fn width(self) -> Width {
        match self {
            Self::Int8 => Width::Int8,
            Self::Int16 => Width::Int16,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Int16 => "int16",
        }
    }
}
