//! Writes the model file; its layout stands in `docs/format.md`.

use edgegen_runtime::format::{ALIGNMENT, HEADER_LEN, MAGIC, VERSION, checksum, field};
use edgegen_runtime::graph::{
    self, About, Input, Join, List, MAX_METADATA, MAX_NODES, MAX_READS, Node, Parameters, Product, Read, Reduce,
    Rounding, Source, Width,
};
use edgegen_runtime::{Model, Packing};

use crate::error::ExportError;
use crate::file::ModelFile;
use crate::plan;
use crate::quantize::{QuantizedOp, QuantizedStage, Sums};

/// What stands in the file besides the network.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    /// What the model is called.
    pub name: &'a str,
    /// Facts for people.
    pub metadata: &'a [(&'a str, &'a str)],
}

/// Packs stages into a portable file that the runtime has parsed once. [`repack`](crate::repack()) makes it one for a
/// CPU.
///
/// # Errors
///
/// [`ExportError::Limit`] for too many stages or facts, or more than the fields of a node hold.
pub fn pack(stages: &[QuantizedStage], label: Label<'_>) -> Result<ModelFile, ExportError> {
    if stages.len() > MAX_NODES {
        return Err(ExportError::Limit { what: "stages", limit: MAX_NODES, found: stages.len() });
    }
    let metadata = List::from_slice(label.metadata).map_err(|_| ExportError::Limit {
        what: "pairs of metadata",
        limit: MAX_METADATA,
        found: label.metadata.len(),
    })?;
    let mut data = Vec::new();
    let mut nodes = stages.iter().map(|stage| node(stage, &mut data)).collect::<Result<Vec<_>, _>>()?;
    plan::plan(&mut nodes)?;
    let about = About { name: label.name, metadata };
    let file = ModelFile::new(&assemble(&nodes, &about, Packing::Portable, &data));
    Model::parse(file.bytes())?;
    Ok(file)
}

/// A stage as the runtime's node, without padding and ring. Its numbers are appended to the data.
fn node(stage: &QuantizedStage, data: &mut Vec<u8>) -> Result<Node, ExportError> {
    let small = |what, found: usize| {
        let limit = usize::from(u16::MAX);
        u16::try_from(found).map_err(|_| ExportError::Limit { what, limit, found })
    };
    let width = stage.codes.code.width;
    let mut node = match &stage.op {
        QuantizedOp::Input { input, values } => {
            let values = if values.is_empty() { 0 } else { append_codes(data, values, width) };
            with(&Input { values, ..*input }, Rounding::NONE)
        }
        QuantizedOp::Product { columns, groups, weights, sums } => {
            let weights = append(data, weights.iter().map(|&weight| weight as u8));
            with(
                &Product { weights, groups: small("groups", *groups)?, columns: *columns },
                rounding(sums, data, width),
            )
        }
        QuantizedOp::Join { multiply, factors, sums } => {
            let join = Join { multiply: u16::from(*multiply), factors: *factors, reserved: 0 };
            with(&join, rounding(sums, data, width))
        }
        QuantizedOp::Copy { map, tables } => {
            let what = "rows, columns or channels of a copy";
            let pair = |sizes: [usize; 2]| Ok::<_, ExportError>([small(what, sizes[0])?, small(what, sizes[1])?]);
            let [channel, row, column] = map.steps;
            let [row, column] = pair([row, column])?;
            let channel_tables = u16::from(tables[0].len() > 1);
            let tables = tables.each_ref().map(|tables| {
                let Some(first) = tables.first() else { return Rounding::NO_TABLE };
                // Those of int16 codes have one entry more.
                let width = if first.len() > 256 { Width::Int16 } else { width };
                append_codes(data, &tables.concat(), width)
            });
            let copy = graph::Copy {
                tables,
                enlarge: pair(map.enlarge)?,
                first_column: small(what, map.first_column)?,
                first_channel: small(what, map.first_channel)?,
                steps: [small(what, channel)?, row, column],
                split: small(what, map.split)?,
                channel_tables,
                reserved: 0,
            };
            with(&copy, Rounding::NONE)
        }
        QuantizedOp::Reduce { map, square, sums } => {
            with(&Reduce { map: u16::from(*map), square: u16::from(*square) }, rounding(sums, data, width))
        }
    };
    node.shape = stage.shape;
    node.ring_rows = 1;
    node.zero_point = stage.codes.code.zero_point;
    node.border = stage.border as u8;
    node.width = width as u8;
    let none = Read { source: 0, ..Read::default() };
    let mut reads = [none; MAX_READS];
    let too_many = ExportError::Limit { what: "nodes that one reads", limit: MAX_READS, found: stage.reads.len() };
    reads.get_mut(..stage.reads.len()).ok_or(too_many)?.copy_from_slice(&stage.reads);
    (node.reads, node.read_count) = (reads, stage.reads.len() as u8);
    Ok(node)
}

fn with(parameters: &impl Parameters, rounding: Rounding) -> Node {
    Node { rounding, ..Node::new(parameters) }
}

/// Appends what sums need to the data and tells where it stands.
fn rounding(sums: &Sums, data: &mut Vec<u8>, width: Width) -> Rounding {
    let words = sums.bias.iter().chain(&sums.multiplier);
    let channels = append(data, words.flat_map(|word| word.to_le_bytes()));
    let table = sums.table.as_ref().map_or(Rounding::NO_TABLE, |table| append_codes(data, table, width));
    let [low, high] = sums.limits;
    Rounding { channels, table, shared: sums.shared.into(), zero_point: sums.zero_point, low, high }
}

fn append_codes(data: &mut Vec<u8>, codes: &[i16], width: Width) -> u32 {
    append(data, codes.iter().flat_map(|code| code.to_le_bytes().into_iter().take(width.bytes())))
}

/// Appends a blob to the data, aligned, and gives its offset.
pub(crate) fn append(data: &mut Vec<u8>, bytes: impl IntoIterator<Item = u8>) -> u32 {
    data.resize(data.len().next_multiple_of(ALIGNMENT), 0);
    let offset = data.len() as u32;
    data.extend(bytes);
    offset
}

/// The least minor version that knows all of `nodes`: older runtimes draw what has nothing new in it.
fn minor(nodes: &[Node]) -> u16 {
    let has_new_input = |node: &Node| {
        node.parameters::<Input>().is_some_and(|input| input.source == Source::Noise as u16 || input.pictures > 0)
    };
    let mixes = |node: &Node| {
        let source = node.parameters::<Input>().and_then(Input::source);
        matches!(source, Some(Source::Style | Source::Mix))
    };
    let is_combined = |node: &Node| {
        node.parameters::<Input>().is_some_and(|input| input.source == Source::Class as u16 && input.dims > 0)
    };
    let in_runs = |node: &Node| {
        node.parameters::<Input>().is_some_and(|input| input.source == Source::Fed as u16 && input.dims > 0)
    };
    if nodes.iter().any(in_runs) {
        5
    } else if nodes.iter().any(Node::is_previous) {
        4
    } else if nodes.iter().any(|node| mixes(node) || is_combined(node)) {
        3
    } else if nodes.iter().any(|node| node.width != Width::Int8 as u8) {
        2
    } else {
        u16::from(nodes.iter().any(has_new_input))
    }
}

/// The bytes of a file for any nodes and data, right or wrong: tests write wrong ones.
pub fn assemble(nodes: &[Node], about: &About<'_>, packing: Packing, data: &[u8]) -> Vec<u8> {
    frame(nodes, &postcard::to_stdvec(about).unwrap_or_default(), packing, data)
}

/// Header, padding and checksum around nodes, anything as what the model says about itself, and data.
pub fn frame(nodes: &[Node], about: &[u8], packing: Packing, data: &[u8]) -> Vec<u8> {
    let mut file = vec![0; HEADER_LEN];
    file[field::MAGIC].copy_from_slice(&MAGIC);
    file[field::MAJOR].copy_from_slice(&VERSION.0.to_le_bytes());
    file[field::MINOR].copy_from_slice(&minor(nodes).to_le_bytes());
    file[field::ABOUT_LEN].copy_from_slice(&(about.len() as u32).to_le_bytes());
    file[field::DATA_LEN].copy_from_slice(&(data.len() as u32).to_le_bytes());
    file[field::PACKING].copy_from_slice(&packing.code().to_le_bytes());
    file[field::NODES].copy_from_slice(&(nodes.len() as u16).to_le_bytes());
    file.extend_from_slice(bytemuck::cast_slice(nodes));
    file.extend(about);
    file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
    file.extend(data);
    let crc = checksum(&file[field::CHECKED..]);
    file[field::CRC].copy_from_slice(&crc.to_le_bytes());
    file
}
