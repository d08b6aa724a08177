//! Why a model was refused, or its memory. Nothing else can fail.

use core::fmt;

use crate::packing::Packing;

/// What is wrong with a model file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseError {
    /// There are fewer bytes than the header or the lengths in it ask for, or more.
    Length {
        /// Bytes that the file should have.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// The first four bytes are not `EGM1`.
    Magic {
        /// The bytes found instead.
        found: [u8; 4],
    },
    /// Written by a version of the exporter that this runtime does not know.
    Version {
        /// Major and minor version that this runtime reads; older minor ones, too.
        expected: (u16, u16),
        /// Those of the file.
        found: (u16, u16),
    },
    /// The weights are packed for another CPU.
    Packing {
        /// What this CPU reads besides the portable packing; the portable packing where it reads no other.
        expected: Packing,
        /// What they are packed for.
        found: Packing,
    },
    /// The weights are packed in a way that this runtime does not know.
    PackingCode {
        /// The code in the header.
        found: u16,
    },
    /// The bytes do not start at a multiple of 16.
    Misaligned,
    /// The bytes were changed after the file was written.
    Checksum {
        /// The checksum in the header.
        expected: u32,
        /// The checksum of the bytes.
        found: u32,
    },
    /// What the model says about itself is not a postcard encoding of [`About`](crate::graph::About), or has more
    /// parts than fit.
    About,
    /// A node breaks a rule.
    Node {
        /// Which one, counted from 0.
        node: u16,
        /// Which rule.
        fault: Fault,
    },
}

/// A rule of the graph that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// There are no or too many nodes, or a node does not read as many as its kind does.
    Count,
    /// A node is of no kind that this runtime knows.
    Kind,
    /// A node reads one that does not stand before it.
    Source,
    /// A shape is empty, or does not follow from what the node reads.
    Shape,
    /// A node has no or too many phases, taps or kernel rows.
    Window,
    /// A node reads beyond the padding of its source, or has padding that its map cannot fill.
    Padding,
    /// A ring is too low for the rows that must be in it together, or higher than the map, or lies elsewhere than
    /// behind the one before.
    Ring,
    /// Weights, biases, multipliers, a table or a constant lie outside the data or at a misaligned offset.
    Data,
    /// The least output is above the greatest, or a node would read −128.
    Range,
    /// The codes are of no width that this runtime knows, the image or an input that is no constant is of int16 codes,
    /// or such codes have another zero point than 0.
    Width,
    /// The rings together are larger than 2 GiB, a node has more than 65535 rows with its padding, an image takes too
    /// many rows in all, or a sum could be too large.
    Size,
}

impl Fault {
    fn text(self) -> &'static str {
        match self {
            Fault::Count => "there are no or too many nodes, or it does not read as many as its kind does",
            Fault::Kind => "it is of no kind that this runtime knows",
            Fault::Source => "it reads a node that does not stand before it",
            Fault::Shape => "the shape is empty or does not follow from what it reads",
            Fault::Window => "it has no or too many phases, taps or kernel rows",
            Fault::Padding => "it reads beyond the padding of its source, or its padding is larger than its map",
            Fault::Ring => "the ring does not fit the rows that are needed together, or lies at the wrong place",
            Fault::Data => "weights, channel parameters, tables or constants lie outside the data or are misaligned",
            Fault::Range => "the output range is empty or has −128 in it",
            Fault::Width => "its codes are of a width that it cannot have, or that this runtime does not know",
            Fault::Size => "it or the rings together are too large",
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            ParseError::Length { expected, found } => {
                write!(f, "expected a model file of {expected} bytes, found {found}: copy the file again")
            }
            ParseError::Magic { found } => {
                write!(
                    f,
                    "expected a model file that starts with \"EGM1\", found bytes {found:02x?}: export it with `edgegen export`"
                )
            }
            ParseError::Version { expected: (ours, least), found: (major, minor) } => {
                write!(
                    f,
                    "expected model format {ours}.0 to {ours}.{least}, found {major}.{minor}: update the runtime or export the model again"
                )
            }
            ParseError::Packing { expected, found } => {
                let (native, found, portable) = (expected.name(), found.name(), Packing::Portable.name());
                write!(f, "expected weights packed as {portable}")?;
                if expected != Packing::Portable {
                    write!(f, " or {native}")?;
                }
                write!(f, ", found {found}: export the model with `--target {native}`")
            }
            ParseError::PackingCode { found } => {
                let last = Packing::ALL.len() - 1;
                write!(
                    f,
                    "expected a packing from 0 to {last}, found {found}: update the runtime or export the model again"
                )
            }
            ParseError::Misaligned => {
                write!(
                    f,
                    "expected the model at an address that is a multiple of 16, found it elsewhere: embed it with `embed_model!`"
                )
            }
            ParseError::Checksum { expected, found } => {
                write!(f, "expected checksum {expected:08x}, found {found:08x}: the model was damaged, write it again")
            }
            ParseError::About => {
                write!(
                    f,
                    "expected name and metadata in postcard encoding, found something else: export the model again"
                )
            }
            ParseError::Node { node, fault } => {
                write!(
                    f,
                    "expected a graph that fits together, found at node {node} that {}: export the model again",
                    fault.text()
                )
            }
        }
    }
}

impl core::error::Error for ParseError {}

/// Why there is no [`Generator`](crate::Generator). A generator that there is cannot fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GeneratorError {
    /// The memory is smaller than the model needs.
    Arena {
        /// Bytes that the model needs.
        expected: usize,
        /// Bytes that were given.
        found: usize,
    },
    /// The kernel does not read the packing of the model. Not with [`Generator::new`](crate::Generator::new) after
    /// [`Model::parse`](crate::Model::parse), which sees to it.
    Packing {
        /// What the kernel reads, besides the portable packing.
        expected: Packing,
        /// What the model has.
        found: Packing,
    },
}

impl fmt::Display for GeneratorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            GeneratorError::Arena { expected, found } => write!(
                f,
                "expected an arena of at least {expected} bytes for this model, found {found}: give it a larger one"
            ),
            GeneratorError::Packing { expected, found } => {
                let (expected, found) = (expected.name(), found.name());
                write!(
                    f,
                    "expected weights packed as portable or {expected}, found {found}: export the model with `--target {expected}`"
                )
            }
        }
    }
}

impl core::error::Error for GeneratorError {}
