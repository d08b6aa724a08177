//! Means of N values with scale s and factor f of a channel:
//!
//! ```text
//! unit = s f / N         of squares  (s f)² / N,  of int16 codes (s f)² · 2¹⁴ / N
//! ```

use super::{QuantizedStage, Sums, Target, shift, unit};
use crate::calibrate::{Codes, StageCodes, WIDE_SQUARE};
use crate::error::ExportError;
use crate::layers::PixelRange;
use crate::stage::Stage;

/// Sums and the code of the output.
pub(super) fn quantize(
    stage: &Stage,
    square: bool,
    source: &QuantizedStage,
    codes: &StageCodes,
    pixels: Option<PixelRange>,
) -> Result<(Sums, Codes), ExportError> {
    let count = source.shape.len() / stage.shape.len().max(1);
    let code = source.codes.code;
    let largest = 127 + u64::from(code.zero_point.unsigned_abs());
    let largest = match (code.is_wide(), square) {
        (false, false) => largest,
        (false, true) => largest * largest,
        (true, false) => 1 << 15,
        (true, true) => 1 << 16,
    };
    let limit = if code.is_wide() { 1 << 30 } else { i32::MAX as u64 } / largest;
    if count as u64 > limit {
        return Err(ExportError::Limit { what: "values in a mean", limit: limit as usize, found: count });
    }
    let units: Vec<f64> = (0..usize::from(stage.shape.c))
        .map(|c| {
            let step = f64::from(code.scale) * f64::from(source.codes.factor(c));
            let square_unit = if code.is_wide() { f64::from(WIDE_SQUARE) } else { 1.0 };
            let exact = if square { step * step * square_unit } else { step } / count.max(1) as f64;
            unit(exact, 1.0, shift(stage, codes, c))
        })
        .collect();
    let coarsest = units.iter().enumerate().map(|(c, unit)| (unit / f64::from(codes.sums.factor(c))) as f32);
    let target = Target::new(stage, codes, pixels, coarsest.fold(0.0f32, f32::max));
    let channels: Vec<(i32, i32)> =
        units.iter().enumerate().map(|(c, &unit)| target.channel(c, unit, 0.0, 0)).collect::<Result<_, _>>()?;
    Ok(target.finish(true, channels))
}
