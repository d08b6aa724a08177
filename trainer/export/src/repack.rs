//! A portable model file made into one for a CPU: the same model with its weights in another order.

use edgegen_runtime::graph::{Bank, Dense, Op};
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
/// [`ExportError::AlreadyPacked`] for a model that is not portable, and [`ExportError::Sum`] for [`Packing::Dsp`] where a layer
/// can reach sums of 24 bits, which takes well over 500 large weights for one value.
pub fn repack(file: &ModelFile, packing: Packing) -> Result<ModelFile, ExportError> {
    let model = Model::parse_any(file.bytes())?;
    if model.packing() == packing {
        return Ok(file.clone());
    }
    if model.packing() != Packing::Portable {
        return Err(ExportError::AlreadyPacked { found: model.packing().name() });
    }
    let mut graph = model.graph();
    let mut data = Vec::new();
    for index in 0..graph.ops.len() {
        let output = graph.edges[index + 1].shape;
        let op = &mut graph.ops[index];
        let inputs = usize::from(graph.edges[op.source()].shape.c);
        // Channels of a block, and what each block's read.
        let (matrix, channels, depths) = match op {
            Op::Dense(dense) => {
                let (blocks, channels) = Dense::blocks(output, dense.bank.shared);
                (Matrix::Vector, channels, vec![inputs; blocks])
            }
            Op::PhaseConv(conv) => {
                let rows = conv.vertical.phases.iter().map(|phase| usize::from(phase.taps));
                let depth = |rows: usize| {
                    conv.horizontal.phases.iter().map(move |phase| rows * usize::from(phase.taps) * inputs)
                };
                (Matrix::Windows, usize::from(output.c), rows.flat_map(depth).collect())
            }
        };
        let bank = match op {
            Op::Dense(dense) => &mut dense.bank,
            Op::PhaseConv(conv) => &mut conv.bank,
        };
        let old = bank.clone();
        bank.weights = append(&mut data, []);
        let mut from = old.weights as usize;
        for (block, &depth) in depths.iter().enumerate() {
            let weights: &[i8] = bytemuck::cast_slice(&model.data()[from..][..channels * depth]);
            if packing == Packing::Dsp {
                let most = largest_sum(&model, &old, block, depths.len(), weights, channels);
                if most >= DSP_SUM_LIMIT {
                    return Err(ExportError::Sum { stage: index, limit: DSP_SUM_LIMIT, found: most });
                }
            }
            packing.pack(matrix, |c, i| weights[c * depth + i], channels, depth, |weight| data.push(weight as u8));
            from += weights.len();
        }
        let sets = if old.shared { 1 } else { depths.len() };
        let copy = |offset: u32, len: usize| model.data()[offset as usize..][..len].iter().copied();
        bank.channels = append(&mut data, copy(old.channels, 8 * sets * channels));
        bank.table = old.table.map(|table| append(&mut data, copy(table, 256)));
    }
    let packed = ModelFile::new(&assemble(&graph, packing, &data));
    Model::parse_any(packed.bytes())?;
    Ok(packed)
}

/// The largest magnitude that a sum of a block can reach, whatever its input.
fn largest_sum(model: &Model<'_>, bank: &Bank, block: usize, blocks: usize, weights: &[i8], channels: usize) -> i64 {
    let block = if bank.shared { 0 } else { block % blocks };
    let depth = weights.len() / channels;
    let bias = |channel: usize| {
        let at = bank.channels as usize + 4 * (block * channels + channel);
        i64::from(i32::from_le_bytes(core::array::from_fn(|i| model.data()[at + i])))
    };
    let sums = (0..channels).map(|channel| {
        let row = &weights[channel * depth..][..depth];
        bias(channel).abs() + row.iter().map(|&weight| 127 * i64::from(weight).abs()).sum::<i64>()
    });
    sums.max().unwrap_or(0)
}
