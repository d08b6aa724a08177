//! Weights. With input code (sᵢ, zᵢ) and factor fᵢ of an input channel, and weight scale s_w of an output channel:
//!
//! ```text
//! weight = round(w · fᵢ / s_w),  s_w = max |w · fᵢ| / 127 over the channel
//! unit   = sᵢ s_w
//! fold   = zᵢ · Σ weight                                    so that no kernel adds an offset
//! ```
//!
//! Where the source has int16 codes, s_w is greater if that is needed for Σ |weight| ≤ `WIDE_WEIGHTS`: the sum of
//! products with codes up to 2¹⁵ and the bias then fit 32 bits.

use std::borrow::Cow;

use super::{QuantizedStage, Sums, Target, shift};
use crate::calibrate::{Code, Codes, StageCodes};
use crate::error::ExportError;
use crate::layers::PixelRange;
use crate::stage::{Block, Stage};

/// The sum of a channel's weights that int16 codes are multiplied with, before these are rounded: rounding adds half a
/// unit each at most, and 2¹⁵ · (40 000 + 8 000) + 2²⁸ is below 2³¹.
const WIDE_WEIGHTS: f32 = 40_000.0;
/// Weights of a channel for which that is so.
const WIDE_DEPTH: usize = 16_000;

/// Weights of all blocks, how sums become int8, and the code of the output.
pub(super) fn quantize(
    stage: &Stage,
    groups: usize,
    blocks: &[Block],
    source: &QuantizedStage,
    codes: &StageCodes,
    pixels: Option<PixelRange>,
) -> Result<(Vec<i8>, Sums, Codes), ExportError> {
    let all = blocks.iter().flat_map(|block| block.weights.iter().chain(&block.bias));
    if let Some(&found) = all.clone().find(|value| !value.is_finite()) {
        return Err(ExportError::NotFinite { stage: stage.name.clone(), found });
    }
    let Some(first) = blocks.first() else { return Err(ExportError::Order { stage: stage.name.clone() }) };
    let input = source.codes.code;
    let depth = first.weights.len() / first.bias.len().max(1);
    if input.is_wide() && depth > WIDE_DEPTH {
        return Err(ExportError::Limit { what: "int16 values that one reads", limit: WIDE_DEPTH, found: depth });
    }
    let channels = first.bias.len();
    let depthwise = groups > 1 && groups == usize::from(stage.shape.c) && groups == usize::from(source.shape.c);
    let grouped = groups > 1 && !depthwise;
    // With another zero point the folded biases would differ from block to block; groups have channels of their own.
    let shared = !grouped && input.zero_point == 0 && blocks.iter().all(|block| block.bias == first.bias);

    let inputs = usize::from(source.shape.c) / if grouped { groups } else { 1 };
    let rows = |(index, block)| {
        let factors = source.codes.factors.as_slice();
        // Those of the inputs of its group.
        let factors =
            if grouped && !factors.is_empty() { &factors[index % groups * inputs..][..inputs] } else { factors };
        Rows { block, depthwise, factors }
    };
    let blocks: Vec<Rows<'_>> = blocks.iter().enumerate().map(rows).collect();
    let sets: Vec<&[Rows<'_>]> = if shared { vec![&blocks] } else { blocks.chunks(1).collect() };
    // The channel of the output that a channel of a set is.
    let channel =
        |set: usize, c: usize| if grouped { set % groups * channels + c } else { c % usize::from(stage.shape.c) };
    let scales: Vec<Vec<f32>> = sets
        .iter()
        .enumerate()
        .map(|(index, set)| {
            let shift = |c| shift(stage, codes, channel(index, c)).abs() as f32;
            (0..channels).map(|c| scale(set, c, input, shift(c))).collect()
        })
        .collect();
    let coarsest = scales.iter().enumerate().flat_map(|(set, scales)| {
        scales.iter().enumerate().map(move |(c, &scale)| scale * input.scale / codes.sums.factor(channel(set, c)))
    });
    let target = Target::new(stage, codes, pixels, coarsest.fold(0.0f32, f32::max));

    let mut weights = Vec::with_capacity(blocks.iter().map(|rows| rows.block.weights.len()).sum());
    let mut found = Vec::new();
    for (index, (set, scales)) in sets.iter().zip(&scales).enumerate() {
        for (place, rows) in set.iter().enumerate() {
            let start = weights.len();
            weights.resize(start + rows.block.weights.len(), 0);
            for (c, &scale) in scales.iter().enumerate() {
                let row = rows.row(c);
                let row = row.iter().map(|w| (w / scale).round().clamp(-127.0, 127.0) as i8);
                let mut total = 0;
                for (i, weight) in row.enumerate() {
                    weights[start + rows.place(c, i)] = weight;
                    total += i64::from(weight);
                }
                if place == 0 {
                    let unit = f64::from(input.scale) * f64::from(scale);
                    let fold = i64::from(input.zero_point) * total;
                    found.push(target.channel(channel(index, c), unit, rows.block.bias[c], fold)?);
                }
            }
        }
    }
    let (sums, codes) = target.finish(shared, found);
    Ok((weights, sums, codes))
}

/// A block, seen as a row of weights for each channel.
struct Rows<'a> {
    block: &'a Block,
    depthwise: bool,
    /// Those of the channels of the input, which a row reads in turns.
    factors: &'a [f32],
}

impl Rows<'_> {
    /// Where weight `i` of channel `c` stands.
    fn place(&self, c: usize, i: usize) -> usize {
        let channels = self.block.bias.len();
        if self.depthwise { i * channels + c } else { c * (self.block.weights.len() / channels) + i }
    }

    fn row(&self, c: usize) -> Cow<'_, [f32]> {
        let depth = self.block.weights.len() / self.block.bias.len();
        if !self.depthwise && self.factors.is_empty() {
            return Cow::Borrowed(&self.block.weights[c * depth..][..depth]);
        }
        let factor = |i: usize| match self.factors {
            [] => 1.0,
            factors if self.depthwise => factors[c],
            factors => factors[i % factors.len()],
        };
        (0..depth).map(|i| self.block.weights[self.place(c, i)] * factor(i)).collect()
    }
}

/// The scale that brings the largest weight of a channel to ±127; larger where the weights are so small beside the
/// bias, which has the scale of the products, that sums would not fit the 24 bits of [`edgegen_runtime::Packing::Dsp`].
fn scale(blocks: &[Rows<'_>], channel: usize, input: Code, shift: f32) -> f32 {
    let largest = blocks
        .iter()
        .flat_map(|rows| rows.row(channel).iter().map(|w| w.abs()).reduce(f32::max))
        .fold(0.0f32, f32::max);
    let bias = blocks.iter().fold(0.0f32, |most, rows| most.max(rows.block.bias[channel].abs()));
    let bias = bias + shift;
    let mut scale = (largest / 127.0).max(bias / (input.scale * (1 << 21) as f32));
    if input.is_wide() {
        let sum = |rows: &Rows<'_>| rows.row(channel).iter().map(|w| w.abs()).sum::<f32>();
        let most = blocks.iter().map(sum).fold(0.0, f32::max);
        scale = (largest / 127.0).max(bias / (input.scale * (1 << 28) as f32)).max(most / WIDE_WEIGHTS);
    }
    if scale > 0.0 { scale } else { 1.0 }
}
