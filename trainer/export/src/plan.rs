//! Padding and rings: what each edge must hold so that its consumer finds all it reads.

use edgegen_runtime::graph::{Axis, Edge, Graph, List, MAX_EDGES, MAX_OPS, Padding};
use edgegen_runtime::{Shape, walk};

use crate::error::ExportError;
use crate::quantize::QuantizedStage;

/// The edges of a chain of stages behind an input of `width` values. Ring heights are still 1, see [`set_rings`].
///
/// # Errors
///
/// [`ExportError::Limit`] for too many stages, or more than 255 pixels of padding.
pub fn edges(width: u16, stages: &[QuantizedStage]) -> Result<List<Edge, MAX_EDGES>, ExportError> {
    let latent = (Shape { h: 1, w: 1, c: width }, 0);
    let outputs = stages.iter().map(|stage| (stage.output, stage.code.zero_point));
    let consumers = stages.iter().map(Some).chain([None]);
    let mut edges = List::new();
    for ((shape, zero_point), consumer) in core::iter::once(latent).chain(outputs).zip(consumers) {
        let padding = match consumer.and_then(|consumer| Some((consumer.output, consumer.axes()?))) {
            Some((output, axes)) => padding(shape, output, axes)?,
            None => Padding::default(),
        };
        let edge = Edge { shape, padding, zero_point, ring_rows: 1 };
        edges.push(edge).map_err(|_| ExportError::Limit { what: "stages", limit: MAX_OPS, found: stages.len() })?;
    }
    Ok(edges)
}

/// How far beyond `input` a convolution reads for `output`.
fn padding(input: Shape, output: Shape, (vertical, horizontal): (&Axis, &Axis)) -> Result<Padding, ExportError> {
    let beyond = |axis: &Axis, input: u16, output: u16| {
        let reads = || (0..output).filter_map(|position| axis.reads(position));
        let before = reads().map(|(first, _)| -first).max().unwrap_or(0);
        let after = reads().map(|(_, last)| last - i32::from(input) + 1).max().unwrap_or(0);
        let fits = |pixels: i32| {
            let found = pixels.max(0);
            u8::try_from(found).map_err(|_| ExportError::Limit {
                what: "pixels of padding",
                limit: 255,
                found: found as usize,
            })
        };
        Ok::<_, ExportError>((fits(before)?, fits(after)?))
    };
    let (top, bottom) = beyond(vertical, input.h, output.h)?;
    let (left, right) = beyond(horizontal, input.w, output.w)?;
    Ok(Padding { top, bottom, left, right })
}

/// Makes each ring as low as the order of rows allows.
pub fn set_rings(graph: &mut Graph<'_>) {
    let mut heights = [1; MAX_EDGES];
    heights[0] = graph.edges[0].padded_rows();
    walk::rehearse(graph, |edge, rows| heights[edge] = rows.max(heights[edge]));
    for (edge, height) in graph.edges.iter_mut().zip(heights) {
        edge.ring_rows = u16::try_from(height).unwrap_or(u16::MAX);
    }
}
