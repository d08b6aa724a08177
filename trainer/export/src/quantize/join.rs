//! Sums and products of two. With codes (s, z) and factors f of a channel of both sources:
//!
//! ```text
//! add        A, B = round(k · s / u),  u = max |k · s| / 2¹⁴ of both         k: the scales of the stage
//!                                      or a little more, so that the lesser is exact where codes are int16
//!            unit = u · f · scale[c]                      fold = A · z_a + B · z_b
//! multiply   unit = s_a f_a · s_b f_b · scale[c]
//! ```
//!
//! Of sums with int16 codes and products of two of them the last eight bits are rounded away, and the unit is 2⁸ times
//! that.
//!
//! A unit is negative where the scale of the channel is, and so is its multiplier.

use super::{QuantizedStage, Sums, Target, shift, unit};
use crate::calibrate::{Codes, StageCodes};
use crate::error::ExportError;
use crate::layers::PixelRange;
use crate::stage::Stage;

/// The larger factor of a sum.
const MOST: f32 = (1 << 14) as f32;

/// Factors, sums and the code of the output of `scale[c] · (scales[0] · a + scales[1] · b) + bias[c]`.
pub(super) fn add(
    stage: &Stage,
    scales: [f32; 2],
    [scale, bias]: [&[f32]; 2],
    sources: [&QuantizedStage; 2],
    codes: &StageCodes,
    pixels: Option<PixelRange>,
) -> Result<([i16; 2], Sums, Codes), ExportError> {
    let [a, b] = [0, 1].map(|place| scales[place] * sources[place].codes.code.scale);
    let common = a.abs().max(b.abs()) / MOST;
    // Below the least normal number there are too few digits for a whole number; what is that small is 0.
    let common = if common > 0.0 { common.max(f32::MIN_POSITIVE) } else { 1.0 };
    let wide = sources.iter().any(|source| source.codes.code.is_wide());
    // Beside int8 codes the factor of int16 codes is small, so it is made a whole number.
    let least = a.abs().min(b.abs());
    let whole = (least / common).floor();
    let common = if wide && whole >= 1.0 { least / whole } else { common };
    let factors = [a, b].map(|factor| (factor / common).round() as i16);
    let zero_points = sources.map(|source| i64::from(source.codes.code.zero_point));
    let fold = i64::from(factors[0]) * zero_points[0] + i64::from(factors[1]) * zero_points[1];
    // Both sources have the same factors, if any.
    let (fold, shortened) = if wide { ((fold + 128).div_euclid(256), 256.0) } else { (fold, 1.0) };
    let of = |channel: usize| shortened * f64::from(common) * f64::from(sources[0].codes.factor(channel));
    let (sums, codes) = rounded(stage, [scale, bias], of, fold, codes, pixels)?;
    Ok((factors, sums, codes))
}

/// Sums and the code of the output of `scale[c] · a · b + bias[c]`.
pub(super) fn multiply(
    stage: &Stage,
    channels: [&[f32]; 2],
    sources: [&QuantizedStage; 2],
    codes: &StageCodes,
    pixels: Option<PixelRange>,
) -> Result<(Sums, Codes), ExportError> {
    let both_wide = sources.iter().all(|source| source.codes.code.is_wide());
    let of = |channel: usize| {
        let units = sources.map(|source| f64::from(source.codes.code.scale) * f64::from(source.codes.factor(channel)));
        units[0] * units[1] * if both_wide { 256.0 } else { 1.0 }
    };
    rounded(stage, channels, of, 0, codes, pixels)
}

fn rounded(
    stage: &Stage,
    [scale, bias]: [&[f32]; 2],
    unit_of: impl Fn(usize) -> f64,
    fold: i64,
    codes: &StageCodes,
    pixels: Option<PixelRange>,
) -> Result<(Sums, Codes), ExportError> {
    if let Some(&found) = scale.iter().chain(bias).find(|value| !value.is_finite()) {
        return Err(ExportError::NotFinite { stage: stage.name.clone(), found });
    }
    let units: Vec<f64> = scale
        .iter()
        .zip(bias)
        .enumerate()
        .map(|(c, (&scale, &bias))| unit(unit_of(c), scale, f64::from(bias) + shift(stage, codes, c)))
        .collect();
    let coarsest = units.iter().enumerate().map(|(c, unit)| (unit.abs() / f64::from(codes.sums.factor(c))) as f32);
    let target = Target::new(stage, codes, pixels, coarsest.fold(0.0f32, f32::max));
    let channels = units.iter().zip(bias).enumerate();
    let channels: Vec<(i32, i32)> =
        channels.map(|(c, (&unit, &bias))| target.channel(c, unit, bias, fold)).collect::<Result<_, _>>()?;
    Ok(target.finish(true, channels))
}
