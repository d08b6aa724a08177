//! Where a network starts: a latent vector, a class, a style and where it acts, which are filled at once when an image
//! begins; rows that the caller hands in; noise; rows of the image that are drawn already; and constants of the model.

use crate::error::Fault;
use crate::fixed::LEAST_CODE;
use crate::graph::{Input, Latent, Node, Source};
use crate::latent::Point;
#[cfg(feature = "all-operators")]
use crate::latent::Seeds;
#[cfg(feature = "runs")]
use crate::pictures::Pictures;
use crate::weights::Weights;

#[inline(never)]
pub(crate) fn check(node: &Node, weights: &Weights<'_>) -> Result<i8, Fault> {
    let Some(input) = node.parameters::<Input>().filter(|_| node.reads().is_empty()) else { return Err(Fault::Count) };
    if node.is_wide() && input.source() != Some(Source::Constant) {
        return Err(Fault::Width);
    }
    match input.source() {
        Some(Source::Style | Source::Mix) if !cfg!(feature = "all-operators") => Err(Fault::Kind),
        Some(source @ (Source::Latent | Source::Class | Source::Style | Source::Mix)) => {
            let (dims, values) = (input.dims, node.shape.c);
            let drawn = match source {
                // What it has beyond the latent vector are classes.
                Source::Latent => input.prior().is_some() && dims <= values,
                Source::Style => input.prior().is_some() && dims == values,
                Source::Class => u32::from(dims) * u32::from(values) <= u16::MAX.into(),
                _ => true,
            };
            let whole = node.zero_point == 0 && u32::from(node.ring_rows) == node.made_rows();
            if drawn && whole && node.shape.is_vector() { Ok(LEAST_CODE) } else { Err(Fault::Shape) }
        }
        Some(Source::Fed) => {
            if input.pictures > 0 {
                if !cfg!(feature = "all-operators") || (input.dims > 0 && !cfg!(feature = "runs")) {
                    return Err(Fault::Kind);
                }
                #[cfg(feature = "runs")]
                if input.dims > 0 {
                    return check_runs(node, input, weights);
                }
                // Below 2⁶⁴: four numbers of 16 bits.
                weights.check(input.values, node.shape.len() as u64 * u64::from(input.pictures))?;
            }
            Ok(LEAST_CODE)
        }
        Some(Source::Constant) => {
            weights.check(input.values, (node.shape.len() as u64) << u32::from(node.is_wide()))?;
            if node.is_wide() {
                return Ok(0);
            }
            Ok(weights.least(input.values, node.shape.len()))
        }
        #[cfg(feature = "all-operators")]
        Some(Source::Noise) => {
            if input.prior().is_some() && node.zero_point == 0 {
                Ok(LEAST_CODE)
            } else {
                Err(Fault::Shape)
            }
        }
        // That it has the shape of the image, `rules` sees.
        Some(Source::Previous) if cfg!(feature = "int16") => Ok(LEAST_CODE),
        _ => Err(Fault::Kind),
    }
}

/// The rules of pictures in runs: that they lie in the data. Whatever lies there can be read.
#[cfg(feature = "runs")]
fn check_runs(node: &Node, input: &Input, weights: &Weights<'_>) -> Result<i8, Fault> {
    weights.check(input.values, 0)?;
    let bytes = weights.data.get(input.values as usize..).unwrap_or(&[]);
    Pictures::new(node.shape, input.pictures, true, bytes).map(|_| LEAST_CODE).ok_or(Fault::Data)
}

/// Fills what is filled at once.
pub(crate) fn fill(node: &Node, point: &Point, row: &mut [i8]) {
    let Some(input) = node.parameters::<Input>() else { return };
    match (input.source(), input.prior()) {
        (Some(Source::Latent), Some(prior)) => point.fill(Latent { prior, dims: input.dims }, row),
        #[cfg(feature = "all-operators")]
        (Some(Source::Style), Some(prior)) => point.fill_style(prior, row),
        #[cfg(feature = "all-operators")]
        (Some(Source::Mix), _) => point.fill_mix(row),
        _ => point.fill_classes(Source::CLASS_STEPS, input.dims, row),
    }
}

/// Row `y` of a constant, or of noise from its [`Seeds`](crate::latent::Seeds); those of the caller come from elsewhere.
#[inline(never)]
pub(crate) fn run(node: &Node, weights: &Weights<'_>, y: u16, row: &mut [i8], seeds: &[i8]) {
    let Some(input) = node.parameters::<Input>() else { return };
    match input.source() {
        Some(Source::Constant) => {
            let len = row.len();
            let values = weights.codes(input.values, usize::from(y) * len, len);
            row.iter_mut().zip(values).for_each(|(to, &from)| *to = from);
        }
        #[cfg(feature = "all-operators")]
        Some(Source::Noise) => {
            row.fill(0);
            if let (Some(prior), Some(way)) = (input.prior(), Seeds::way(seeds)) {
                way.draw(prior, input.dims, y, row);
            }
        }
        _ => {
            // Without all operators there is no noise.
            let _ = seeds;
        }
    }
}
