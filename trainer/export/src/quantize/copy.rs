//! Copies: a table from the codes of each source to those of the output, or none where nothing changes.

use super::{QuantizedStage, Table, level, table};
use crate::calibrate::{Codes, StageCodes};
use crate::function::Function;
use crate::layers::PixelRange;
use crate::stage::Stage;

/// The tables of both sources, and the code of the output.
pub(super) fn quantize(
    stage: &Stage,
    functions: &[Function],
    sources: &[&QuantizedStage],
    codes: &StageCodes,
    pixels: Option<PixelRange>,
) -> ([Vec<Table>; 2], Codes) {
    let plain = pixels.is_none() && stage.function == Function::X;
    let first = sources[0].codes.code;
    let output = if plain && functions.is_empty() && sources.iter().all(|source| source.codes.code == first) {
        first
    } else {
        codes.output.code
    };
    let tables = core::array::from_fn(|place| {
        let Some(code) = sources.get(place).map(|source| source.codes.code) else { return vec![] };
        let functions = if place == 0 { functions } else { &[] };
        if plain && functions.is_empty() && code == output {
            return vec![];
        }
        let of = |before: &Function| {
            table(code, |value| {
                let value = stage.function.apply(before.apply(value));
                match pixels {
                    // As `grey_level` of the runtime reads it.
                    Some(pixels) if code.is_wide() => ((pixels.level(value) - 128.0) * 256.0).round() as i16,
                    Some(pixels) => level(pixels, value),
                    None => output.encode(value),
                }
            })
        };
        if functions.is_empty() { vec![of(&Function::X)] } else { functions.iter().map(of).collect() }
    });
    (tables, output.into())
}
