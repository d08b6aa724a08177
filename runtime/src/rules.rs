//! The rules of the graph. What follows them cannot fail when it is drawn.

use crate::error::{Fault, ParseError};
use crate::fixed;
use crate::graph::{Bank, Edge, MAX_EDGES, Padding, Shape};
use crate::model::{ALIGNMENT, bytes};
use crate::ops;
use crate::packing::Packing;
use crate::parts::Parts;
use crate::stream::fixed_bytes;
use crate::walk::{self, Progress};

/// What drawing needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs {
    /// Bytes of all rings together.
    pub(crate) rings: u32,
    /// Bytes that the kernel works in.
    pub(crate) scratch: u32,
    /// Shape of the image.
    pub(crate) output: Shape,
}

/// A fault and the edge where it is.
type Broken = (usize, Fault);

/// All rules, one after the other: each takes its part of the stack alone.
pub(crate) fn check(graph: &Parts<'_>, packing: Packing, data: &[u8]) -> Result<Needs, ParseError> {
    all(graph, packing, data).map_err(|(edge, fault)| ParseError::Edge { edge: edge as u8, fault })
}

fn all(graph: &Parts<'_>, packing: Packing, data: &[u8]) -> Result<Needs, Broken> {
    let last = graph.ops.len();
    if last == 0 || graph.edges.len() != last + 1 {
        return Err((0, Fault::Count));
    }
    let rings = check_edges(graph)?;
    let (scratch, output) = check_ops(graph, packing, data)?;
    check_rings(graph)?;
    if u64::from(rings) + (scratch + fixed_bytes(last + 1)) as u64 > u32::MAX.into() {
        return Err((last, Fault::Size));
    }
    Ok(Needs { rings, scratch: scratch as u32, output })
}

/// Each edge for itself. Gives the bytes of all rings.
#[inline(never)]
fn check_edges(graph: &Parts<'_>) -> Result<u32, Broken> {
    let mut rings = 0;
    for (index, edge) in graph.edges.clone().enumerate() {
        check_edge(&edge).map_err(|fault| (index, fault))?;
        // Either is below 2³¹.
        rings += edge.ring_bytes() as u32;
        if rings > i32::MAX as u32 {
            return Err((index, Fault::Size));
        }
    }
    let right = graph.edges.clone().next().is_some_and(|edge| {
        // What edge 0 has beyond the latent vector are classes.
        let shape = Shape { h: 1, w: 1, c: edge.shape.c.max(graph.latent.dims) };
        edge.shape == shape && edge.zero_point == 0 && u32::from(edge.ring_rows) == edge.padded_rows()
    });
    if right { Ok(rings) } else { Err((0, Fault::Shape)) }
}

/// Each operator between its edges. Gives the bytes that the kernel works in, and the shape of the image.
#[inline(never)]
fn check_ops(graph: &Parts<'_>, packing: Packing, data: &[u8]) -> Result<(usize, Shape), Broken> {
    let (mut most, mut image) = (0, Shape { h: 0, w: 0, c: 0 });
    let (mut ops, mut edges) = (graph.ops.clone(), graph.edges.clone());
    edges.next();
    for index in 1..=graph.ops.len() {
        let at = |fault| (index, fault);
        let (Some(op), Some(output)) = (ops.next(), edges.next()) else { return Err(at(Fault::Count)) };
        let source = graph.edges.clone().take(index).nth(op.source()).ok_or(at(Fault::Source))?;
        ops::check(&op, &source, &output, packing, data).map_err(at)?;
        if index < graph.ops.len() {
            check_codes(op.bank(), &output, data).map_err(at)?;
        } else if output.padding != Padding::default() {
            return Err(at(Fault::Padding));
        }
        let (matrix, channels, depth) = ops::matrix(&op, &source, &output);
        most = packing.scratch_bytes(matrix, channels, depth).max(most);
        image = output.shape;
    }
    Ok((most, image))
}

/// That rings are high enough, by making an image without making anything.
#[inline(never)]
fn check_rings(graph: &Parts<'_>) -> Result<(), Broken> {
    let mut edges = [Progress::NONE; MAX_EDGES];
    let Some(edges) = edges.get_mut(..graph.edges.len()) else { return Err((0, Fault::Count)) };
    walk::fill(edges, &mut graph.edges.clone(), &mut graph.ops.clone());
    let mut rings = [0; MAX_EDGES];
    rings.iter_mut().zip(graph.edges.clone()).for_each(|(ring, edge)| *ring = edge.ring_rows);
    let mut low = None;
    walk::rehearse_from(edges, |edge, rows| {
        if rings.get(edge).is_none_or(|&ring| rows > u32::from(ring)) {
            low = Some(edge);
        }
    });
    low.map_or(Ok(()), |edge| Err((edge, Fault::Ring)))
}

/// Codes that another operator reads are −127 … 127, whatever the sums: see [`fixed`].
#[inline(never)]
fn check_codes(bank: &Bank, output: &Edge, data: &[u8]) -> Result<(), Fault> {
    let least = match bank.table {
        Some(table) => bytes(data, table, 0, 256).unwrap_or(&[]).iter().map(|&code| code as i8).min().unwrap_or(0),
        None => bank.low,
    };
    if least.min(output.zero_point) < fixed::LEAST_CODE { Err(Fault::Range) } else { Ok(()) }
}

#[inline(never)]
fn check_edge(edge: &Edge) -> Result<(), Fault> {
    if edge.shape.is_empty() {
        return Err(Fault::Shape);
    }
    // The largest row has 65535² values, which with its padding does not fit 32 bits.
    let pixels = u64::from(edge.shape.w) + u64::from(edge.padding.left) + u64::from(edge.padding.right);
    let row = pixels * u64::from(edge.shape.c) + 3;
    if row * u64::from(edge.ring_rows) > i32::MAX as u64 {
        return Err(Fault::Size);
    }
    if edge.padded_rows() > u16::MAX.into() {
        return Err(Fault::Size);
    }
    if edge.ring_rows == 0 || u32::from(edge.ring_rows) > edge.padded_rows() {
        return Err(Fault::Ring);
    }
    Ok(())
}

/// The rules of a bank with `blocks` blocks of `channels` channels and `weights` weights in all.
#[inline(never)]
pub(crate) fn check_bank(
    bank: &Bank,
    weights: u64,
    blocks: usize,
    channels: usize,
    data_len: usize,
) -> Result<(), Fault> {
    if bank.low > bank.high {
        return Err(Fault::Range);
    }
    let inside =
        |offset: u32, len: u64| offset.is_multiple_of(ALIGNMENT as u32) && u64::from(offset) + len <= data_len as u64;
    let sets = if bank.shared { 1 } else { blocks as u64 };
    let table = bank.table.is_none_or(|table| inside(table, 256));
    if inside(bank.weights, weights) && inside(bank.channels, 8 * sets * channels as u64) && table {
        Ok(())
    } else {
        Err(Fault::Data)
    }
}
