//! Copies: a table from the codes of each source to those of the output, or none where nothing changes.

use super::{QuantizedStage, table};
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
) -> ([Vec<i8>; 2], Codes) {
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
                    Some(pixels) => pixels.level(value).round() as u8 as i8,
                    None => output.encode(value),
                }
            })
        };
        if functions.is_empty() { of(&Function::X).to_vec() } else { functions.iter().flat_map(of).collect() }
    });
    (tables, output.into())
}
