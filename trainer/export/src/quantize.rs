//! From float stages to int8 weights, i32 biases, multipliers and tables.
//!
//! With input code (sᵢ, zᵢ), weight scale s_w of a channel and output code (sₒ, zₒ):
//!
//! ```text
//! weight     = round(w / s_w),  s_w = max |w| / 127 over the channel
//! bias       = round(b / (sᵢ s_w)) − zᵢ · Σ weight           so that no kernel adds an offset
//! multiplier = round(sᵢ s_w / sₒ · 2³²)
//! ```

use edgegen_runtime::fixed::LEAST_CODE;
use edgegen_runtime::graph::{Axis, Shape};

use crate::calibrate::{Code, StageCodes, is_clamp};
use crate::error::ExportError;
use crate::layers::Activation;
use crate::stage::{Block, Kind, Stage, Staged};

/// A stage in int8.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedStage {
    /// Shape of the output.
    pub output: Shape,
    /// Which operator.
    pub kind: Kind,
    /// Weights of all blocks.
    pub weights: Vec<i8>,
    /// Whether all blocks share biases and multipliers.
    pub shared: bool,
    /// `[block, channel]`, or `[channel]` when shared.
    pub bias: Vec<i32>,
    /// As `bias`.
    pub multiplier: Vec<i32>,
    /// What sums are rounded to.
    pub sums: Code,
    /// What is stored.
    pub code: Code,
    /// Least and greatest code before the table.
    pub limits: [i8; 2],
    /// Output for each code from −128 on.
    pub table: Option<[i8; 256]>,
}

impl QuantizedStage {
    /// The axes of a convolution.
    pub fn axes(&self) -> Option<(&Axis, &Axis)> {
        match &self.kind {
            Kind::Dense => None,
            Kind::PhaseConv { vertical, horizontal } => Some((vertical, horizontal)),
        }
    }
}

/// Quantizes every stage with the codes of [`crate::calibrate::calibrate`].
///
/// # Errors
///
/// When a bias is too large for 32 bits, which no trained network comes near, or a weight is not finite.
pub fn quantize(staged: &Staged, codes: &[StageCodes]) -> Result<Vec<QuantizedStage>, ExportError> {
    let mut input = Code::latent(staged.input.prior);
    let mut stages = Vec::with_capacity(staged.stages.len());
    for (index, (stage, codes)) in staged.stages.iter().zip(codes).enumerate() {
        let last = index + 1 == staged.stages.len();
        let quantized = quantize_stage(stage, input, *codes, last.then_some(staged.pixels))
            .map_err(|found| ExportError::NotFinite { stage: index, found })?;
        input = quantized.code;
        stages.push(quantized);
    }
    Ok(stages)
}

fn quantize_stage(
    stage: &Stage,
    input: Code,
    codes: StageCodes,
    pixels: Option<crate::layers::PixelRange>,
) -> Result<QuantizedStage, f32> {
    let channels = usize::from(stage.output.c);
    // With another zero point the folded biases would differ from block to block.
    let shared = input.zero_point == 0 && stage.blocks.iter().all(|block| block.bias == stage.blocks[0].bias);
    let sets: Vec<&[Block]> = if shared { vec![&stage.blocks] } else { stage.blocks.chunks(1).collect() };
    let all = stage.blocks.iter().flat_map(|block| block.weights.iter().chain(&block.bias));
    if let Some(&found) = all.clone().find(|value| !value.is_finite()) {
        return Err(found);
    }

    let scales: Vec<Vec<f32>> =
        sets.iter().map(|set| (0..channels).map(|c| weight_scale(set, c, input)).collect()).collect();
    // Multipliers must stay below ½ of 2³²; where a product is coarser than that, so is the output.
    let coarsest = scales.iter().flatten().fold(0.0f32, |most, &scale| most.max(scale)) * input.scale;
    let mut sums = codes.sums;
    if sums.scale < 2.001 * coarsest {
        sums.scale = 2.001 * coarsest;
    }
    let output = if pixels.is_none() && is_clamp(stage.activation) { sums } else { codes.output };

    let mut weights = Vec::with_capacity(stage.blocks.iter().map(|block| block.weights.len()).sum());
    let (mut bias, mut multiplier) = (Vec::new(), Vec::new());
    for (set, scales) in sets.iter().zip(&scales) {
        for (index, block) in set.iter().enumerate() {
            let per_channel = block.weights.len() / channels;
            for (c, &scale) in scales.iter().enumerate() {
                let row = &block.weights[c * per_channel..][..per_channel];
                let row: Vec<i8> = row.iter().map(|w| (w / scale).round().clamp(-127.0, 127.0) as i8).collect();
                if index == 0 {
                    let product = f64::from(input.scale) * f64::from(scale);
                    let total: i64 = row.iter().map(|&w| i64::from(w)).sum();
                    let folded =
                        (f64::from(block.bias[c]) / product).round() as i64 - i64::from(input.zero_point) * total;
                    bias.push(i32::try_from(folded).map_err(|_| block.bias[c])?);
                    multiplier.push((product / f64::from(sums.scale) * 2f64.powi(32)).round() as i32);
                }
                weights.extend(row);
            }
        }
    }

    let mut quantized = QuantizedStage {
        output: stage.output,
        kind: stage.kind.clone(),
        weights,
        shared,
        bias,
        multiplier,
        sums,
        code: output,
        limits: [LEAST_CODE, i8::MAX],
        table: None,
    };
    if pixels.is_some() || !is_clamp(stage.activation) {
        // A table has an entry for every byte, so nothing needs clamping.
        quantized.limits[0] = i8::MIN;
    }
    match pixels {
        Some(pixels) => {
            let level = |value| pixels.level(stage.activation.apply(value)).round() as u8 as i8;
            quantized.table = Some(table(sums, level));
        }
        None if stage.activation == Activation::Relu => quantized.limits[0] = output.zero_point,
        None if is_clamp(stage.activation) => {}
        None => quantized.table = Some(table(sums, |value| output.encode(stage.activation.apply(value)))),
    }
    Ok(quantized)
}

/// The scale that brings the largest weight of a channel to ±127; larger where the weights are so small beside the bias, which
/// has the scale of the products, that sums would not fit the 24 bits of [`edgegen_runtime::Packing::Dsp`].
fn weight_scale(blocks: &[Block], channel: usize, input: Code) -> f32 {
    let rows = blocks.iter().flat_map(|block| {
        let per_channel = block.weights.len() / block.bias.len();
        &block.weights[channel * per_channel..][..per_channel]
    });
    let largest = rows.fold(0.0f32, |most, w| most.max(w.abs()));
    let bias = blocks.iter().fold(0.0f32, |most, block| most.max(block.bias[channel].abs()));
    let scale = (largest / 127.0).max(bias / (input.scale * (1 << 21) as f32));
    if scale > 0.0 { scale } else { 1.0 }
}

fn table(code: Code, output: impl Fn(f32) -> i8) -> [i8; 256] {
    core::array::from_fn(|index| output(code.decode((index as i32 - 128) as i8)))
}
