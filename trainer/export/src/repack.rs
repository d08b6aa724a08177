//! A portable model file made into one for a CPU: the same model with its weights in another order.

use edgegen_runtime::graph::{Copy, Input, Kind, Node, Product, Rounding, Source};
use edgegen_runtime::ops::{self, Work, copy, product};
use edgegen_runtime::packing::Matrix;
use edgegen_runtime::{Model, Packing};

use crate::error::ExportError;
use crate::file::ModelFile;
use crate::pack::{append, assemble};

/// Sums of [`Packing::Dsp`] are kept times 256 in 32 bits.
const DSP_SUM_LIMIT: i64 = 1 << 23;

/// Packs the weights of a portable model for another kernel. Its images stay the same, byte for byte.
///
/// # Errors
///
/// [`ExportError::AlreadyPacked`] for a model that is not portable, and [`ExportError::Sum`] for [`Packing::Dsp`] where
/// a layer can reach sums of 24 bits, which takes well over 500 large weights for one value.
pub fn repack(file: &ModelFile, packing: Packing) -> Result<ModelFile, ExportError> {
    let model = Model::parse_any(file.bytes())?;
    if model.packing() == packing {
        return Ok(file.clone());
    }
    if model.packing() != Packing::Portable {
        return Err(ExportError::AlreadyPacked { found: model.packing().name() });
    }
    let mut nodes = model.nodes().to_vec();
    let mut data = Vec::new();
    let append_from = |data: &mut Vec<u8>, offset: u32, len: usize| {
        append(data, model.data()[offset as usize..][..len].iter().copied())
    };
    for (index, node) in model.nodes().iter().enumerate() {
        let (work, to) = (work(model.nodes(), node), &mut nodes[index]);
        let mut sets = usize::from(node.shape.c);
        if let (Some((work, source)), Some(product)) = (work, node.parameters::<Product>()) {
            let weights = append(&mut data, []);
            let mut from = product.weights as usize;
            for block in 0..work.blocks {
                let depth = product::depth(node, source, block);
                let block_weights: &[i8] = bytemuck::cast_slice(&model.data()[from..][..work.channels * depth]);
                from += block_weights.len();
                if matches!(work.matrix, Matrix::Channels | Matrix::Wide) {
                    // The same in all packings.
                    data.extend(block_weights.iter().map(|&weight| weight as u8));
                    continue;
                }
                if packing == Packing::Dsp {
                    let most = largest_sum(&model, &node.rounding, block, block_weights, work.channels);
                    if most >= DSP_SUM_LIMIT {
                        return Err(ExportError::Sum { stage: index, limit: DSP_SUM_LIMIT, found: most });
                    }
                }
                let weight = |c: usize, i: usize| block_weights[c * depth + i];
                packing.pack(work.matrix, weight, work.channels, depth, |weight| data.push(weight as u8));
            }
            replace(to, &Product { weights, ..*product });
            sets = work.channels * if node.rounding.shared != 0 { 1 } else { work.blocks };
        }
        if matches!(node.kind(), Some(Kind::Product | Kind::Join | Kind::Reduce)) {
            to.rounding.channels = append_from(&mut data, node.rounding.channels, 8 * sets);
            let bytes = copy::table_bytes(node, node);
            to.rounding.table =
                node.rounding.table().map_or(Rounding::NO_TABLE, |table| append_from(&mut data, table, bytes));
        }
        if let Some(input) = node.parameters::<Input>() {
            let bytes = match input.source() {
                Some(Source::Constant) => node.shape.len() * code_bytes(node),
                Some(Source::Fed) => model.pictures().map_or(0, |pictures| pictures.bytes().len()),
                _ => 0,
            };
            if bytes > 0 {
                replace(to, &Input { values: append_from(&mut data, input.values, bytes), ..*input });
            }
        }
        if let Some(old) = node.parameters::<Copy>() {
            let mut new = *old;
            for (place, read) in node.reads().iter().enumerate() {
                let source = &model.nodes()[usize::from(read.source)];
                let count = if place == 0 && old.channel_tables != 0 { usize::from(source.shape.c) } else { 1 };
                if old.tables[place] != Rounding::NO_TABLE {
                    new.tables[place] =
                        append_from(&mut data, old.tables[place], copy::table_bytes(source, node) * count);
                }
            }
            replace(to, &new);
        }
    }
    let packed = ModelFile::new(&assemble(&nodes, &model.about(), packing, &data));
    Model::parse_any(packed.bytes())?;
    Ok(packed)
}

/// Bytes of a code of a node.
pub(crate) fn code_bytes(node: &Node) -> usize {
    if node.is_wide() { 2 } else { 1 }
}

/// What a node does with a kernel, and the node that it reads; `None` where it has no weights.
pub(crate) fn work<'a>(nodes: &'a [Node], node: &Node) -> Option<(Work, &'a Node)> {
    let source = nodes.get(usize::from(node.reads().first()?.source))?;
    Some((ops::work(node, source)?, source))
}

/// Gives a node other parameters of its kind.
fn replace<P: edgegen_runtime::graph::Parameters>(node: &mut Node, parameters: &P) {
    node.parameters = Node::new(parameters).parameters;
}

/// The largest magnitude that a sum of a block can reach, whatever its input.
fn largest_sum(model: &Model<'_>, rounding: &Rounding, block: usize, weights: &[i8], channels: usize) -> i64 {
    let block = if rounding.shared != 0 { 0 } else { block };
    let depth = weights.len() / channels;
    let bias = |channel: usize| {
        let start = rounding.channels as usize + 4 * (block * channels + channel);
        i64::from(i32::from_le_bytes(core::array::from_fn(|i| model.data()[start + i])))
    };
    let sums = (0..channels).map(|channel| {
        let row = &weights[channel * depth..][..depth];
        bias(channel).abs() + row.iter().map(|&weight| 127 * i64::from(weight).abs()).sum::<i64>()
    });
    sums.max().unwrap_or(0)
}
