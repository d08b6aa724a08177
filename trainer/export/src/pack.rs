//! Writes the model file; its layout stands in [`edgegen_runtime::model`].

use edgegen_runtime::graph::{Bank, Dense, Graph, Latent, List, MAX_METADATA, MAX_OPS, Op, PhaseConv};
use edgegen_runtime::model::{ALIGNMENT, HEADER_LEN, MAGIC, VERSION, checksum, field};
use edgegen_runtime::{Model, Packing};

use crate::error::ExportError;
use crate::file::ModelFile;
use crate::layers::Input;
use crate::plan;
use crate::quantize::QuantizedStage;
use crate::stage::Kind;

/// What stands in the file besides the network.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    /// What the model is called.
    pub name: &'a str,
    /// Facts for people.
    pub metadata: &'a [(&'a str, &'a str)],
}

/// Packs stages into a portable file that the runtime has parsed once. [`repack`](crate::repack()) makes it one for a CPU.
///
/// # Errors
///
/// [`ExportError::Limit`] for too many stages, facts, latent values or classes.
pub fn pack(input: Input, stages: &[QuantizedStage], label: Label<'_>) -> Result<ModelFile, ExportError> {
    let limit = usize::from(u16::MAX);
    let too_long = |_| ExportError::Limit { what: "latent values and classes", limit, found: input.width() };
    let width = u16::try_from(input.width()).map_err(too_long)?;
    let latent = Latent { prior: input.prior, dims: u16::try_from(input.dims).map_err(too_long)? };
    let mut data = Vec::new();
    let mut ops = List::new();
    for (index, stage) in stages.iter().enumerate() {
        let bank = bank(stage, &mut data);
        let source = index as u8;
        let op = match &stage.kind {
            Kind::Dense => Op::Dense(Dense { source, bank }),
            Kind::PhaseConv { vertical, horizontal } => {
                Op::PhaseConv(PhaseConv { source, bank, vertical: *vertical, horizontal: *horizontal })
            }
        };
        ops.push(op).map_err(|_| ExportError::Limit { what: "stages", limit: MAX_OPS, found: stages.len() })?;
    }
    let metadata = List::from_slice(label.metadata).map_err(|_| ExportError::Limit {
        what: "pairs of metadata",
        limit: MAX_METADATA,
        found: label.metadata.len(),
    })?;
    let edges = plan::edges(width, stages)?;
    let mut graph = Graph { name: label.name, latent, edges, ops, metadata };
    plan::set_rings(&mut graph);
    let file = ModelFile::new(&assemble(&graph, Packing::Portable, &data));
    Model::parse(file.bytes())?;
    Ok(file)
}

/// Appends a stage's numbers to the data and tells where they stand.
fn bank(stage: &QuantizedStage, data: &mut Vec<u8>) -> Bank {
    let weights = append(data, stage.weights.iter().map(|&weight| weight as u8));
    let words = stage.bias.iter().chain(&stage.multiplier);
    let channels = append(data, words.flat_map(|word| word.to_le_bytes()));
    let table = stage.table.as_ref().map(|table| append(data, table.iter().map(|&value| value as u8)));
    let [low, high] = stage.limits;
    Bank { weights, channels, shared: stage.shared, zero_point: stage.sums.zero_point, low, high, table }
}

/// Appends a blob to the data, aligned, and gives its offset.
pub(crate) fn append(data: &mut Vec<u8>, bytes: impl IntoIterator<Item = u8>) -> u32 {
    data.resize(data.len().next_multiple_of(ALIGNMENT), 0);
    let offset = data.len() as u32;
    data.extend(bytes);
    offset
}

/// The bytes of a file for any graph and data, right or wrong: tests write wrong ones.
pub fn assemble(graph: &Graph<'_>, packing: Packing, data: &[u8]) -> Vec<u8> {
    frame(&postcard::to_stdvec(graph).unwrap_or_default(), packing, data)
}

/// Header, padding and checksum around any encoded graph and data.
pub fn frame(encoded: &[u8], packing: Packing, data: &[u8]) -> Vec<u8> {
    let mut file = vec![0; HEADER_LEN];
    file[field::MAGIC].copy_from_slice(&MAGIC);
    file[field::MAJOR].copy_from_slice(&VERSION.0.to_le_bytes());
    file[field::MINOR].copy_from_slice(&VERSION.1.to_le_bytes());
    file[field::GRAPH_LEN].copy_from_slice(&(encoded.len() as u32).to_le_bytes());
    file[field::DATA_LEN].copy_from_slice(&(data.len() as u32).to_le_bytes());
    file[field::PACKING].copy_from_slice(&packing.code().to_le_bytes());
    file.extend(encoded);
    file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
    file.extend(data);
    let crc = checksum(&file[field::CHECKED..]);
    file[field::CRC].copy_from_slice(&crc.to_le_bytes());
    file
}
