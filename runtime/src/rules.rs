//! The rules of the graph. What follows them cannot fail when it is drawn.

use crate::arena::fixed_bytes;
use crate::error::{Fault, ParseError};
use crate::fixed::LEAST_CODE;
use crate::graph::{Border, Input, MAX_NODES, MAX_READS, Node, Padding, Shape, Source, Width};
use crate::latent::Seeds;
use crate::ops;
use crate::walk;
use crate::weights::Weights;

/// What drawing needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs {
    /// Bytes of all rings together.
    pub(crate) rings: u32,
    /// Bytes that the kernel works in.
    pub(crate) scratch: u32,
    /// Whether noise is read.
    pub(crate) noise: bool,
    /// The first node whose rows the caller hands in; [`NONE`] where there is none.
    pub(crate) fed: u8,
}

/// No node: there are fewer.
const NONE: u8 = MAX_NODES as u8;

/// Rows of all nodes at most: parsing rehearses the walk, and must end soon.
const MAX_ROWS: u64 = 1 << 22;

/// A fault and the node where it is.
type Broken = (usize, Fault);

/// All rules, one after the other: each takes its part of the stack alone.
pub(crate) fn check(nodes: &[Node], weights: &Weights<'_>) -> Result<Needs, ParseError> {
    find_fault(nodes, weights).map_err(|(node, fault)| ParseError::Node { node: node as u16, fault })
}

fn find_fault(nodes: &[Node], weights: &Weights<'_>) -> Result<Needs, Broken> {
    let Some((image, before)) = nodes.split_last().filter(|_| nodes.len() <= MAX_NODES) else {
        return Err((0, Fault::Count));
    };
    let last = before.len();
    let rings = check_rings_apart(nodes)?;
    let scratch = check_ops(nodes, weights)?;
    if image.reads().is_empty() || image.padding != Padding::default() {
        return Err((last, if image.reads().is_empty() { Fault::Count } else { Fault::Padding }));
    }
    check_rings_together(nodes)?;
    let is_noise = |node: &Node| node.parameters::<Input>().is_some_and(|input| input.source == Source::Noise as u16);
    let noise = cfg!(feature = "all-operators") && nodes.iter().any(is_noise);
    let more = if noise { size_of::<Seeds>() } else { 0 };
    if u64::from(rings) + (scratch + fixed_bytes(nodes.len()) + more) as u64 > u32::MAX.into() {
        return Err((last, Fault::Size));
    }
    let is_fed = |node: &Node| node.parameters::<Input>().is_some_and(|input| input.source == Source::Fed as u16);
    let fed = nodes.iter().position(is_fed).map_or(NONE, |index| index as u8);
    Ok(Needs { rings, scratch: scratch as u32, noise, fed })
}

/// Each node's ring for itself. Gives the bytes of all rings.
#[inline(never)]
fn check_rings_apart(nodes: &[Node]) -> Result<u32, Broken> {
    let (mut rings, mut rows) = (0, 0);
    for (index, node) in nodes.iter().enumerate() {
        check_ring(node).map_err(|fault| (index, fault))?;
        if node.ring != rings {
            return Err((index, Fault::Ring));
        }
        // Either is below 2³¹.
        rings += node.ring_bytes() as u32;
        rows += u64::from(node.made_rows());
        if rings > i32::MAX as u32 || rows > MAX_ROWS {
            return Err((index, Fault::Size));
        }
    }
    Ok(rings)
}

#[inline(never)]
fn check_ring(node: &Node) -> Result<(), Fault> {
    let Shape { h, w, c } = node.shape;
    if node.shape.is_empty() {
        return Err(Fault::Shape);
    }
    let Padding { top, bottom, left, right } = node.padding;
    // A row beyond the opposite edge has no mirror image.
    let most = |sides: [u8; 2]| u16::from(sides[0].max(sides[1]));
    let fits = match Border::ALL.get(usize::from(node.border)) {
        Some(Border::Reflect) => most([top, bottom]) < h && most([left, right]) < w,
        Some(_) => true,
        None => false,
    };
    if !fits {
        return Err(Fault::Padding);
    }
    // The largest row has 65535² values, which with its padding does not fit 32 bits.
    let row = (u64::from(w) + u64::from(left) + u64::from(right)) * u64::from(c);
    let row = (row << u32::from(node.is_wide())) + 3;
    if row * u64::from(node.ring_rows) > i32::MAX as u64 || node.made_rows() > u16::MAX.into() {
        return Err(Fault::Size);
    }
    if node.ring_rows == 0 || u32::from(node.ring_rows) > node.made_rows() {
        return Err(Fault::Ring);
    }
    let known = node.width == Width::Int8 as u8 || (node.is_wide() && node.zero_point == 0);
    if known { Ok(()) } else { Err(Fault::Width) }
}

/// Each node between those that it reads. Gives the bytes that the kernel works in.
#[inline(never)]
fn check_ops(nodes: &[Node], weights: &Weights<'_>) -> Result<usize, Broken> {
    let mut most = 0;
    for (index, node) in nodes.iter().enumerate() {
        let work = check_op(nodes, index, node, weights).map_err(|fault| (index, fault))?;
        most = work.map_or(0, |work| weights.packing.scratch_bytes(work.matrix, work.channels, work.depth)).max(most);
    }
    Ok(most)
}

fn check_op(nodes: &[Node], index: usize, node: &Node, weights: &Weights<'_>) -> Result<Option<ops::Work>, Fault> {
    if usize::from(node.read_count) > MAX_READS {
        return Err(Fault::Count);
    }
    let mut sources = [node; MAX_READS];
    for (read, source) in node.reads().iter().zip(&mut sources) {
        *source = nodes.get(..index).and_then(|before| before.get(usize::from(read.source))).ok_or(Fault::Source)?;
        let padding = [source.padding.top, source.padding.bottom];
        ops::check_axis(&read.rows, source.shape.h, node.shape.h, padding)?;
    }
    let least = ops::check(node, sources, weights)?;
    if node.is_previous() && nodes.last().is_some_and(|image| image.shape != node.shape) {
        return Err(Fault::Shape);
    }
    if node.is_wide() {
        return if index + 1 < nodes.len() { Ok(ops::work(node, sources[0])) } else { Err(Fault::Width) };
    }
    // int8 codes that another node reads are −127 … 127, whatever the sums: see `fixed`.
    if index + 1 < nodes.len() && least.min(node.zero_point) < LEAST_CODE {
        return Err(Fault::Range);
    }
    Ok(ops::work(node, sources[0]))
}

/// That rings are high enough, by making an image without making anything.
#[inline(never)]
fn check_rings_together(nodes: &[Node]) -> Result<(), Broken> {
    let mut low = None;
    walk::rehearse(nodes, |index, rows| {
        if nodes.get(index).is_none_or(|node| rows > u32::from(node.ring_rows)) {
            low = Some(index);
        }
    });
    low.map_or(Ok(()), |node| Err((node, Fault::Ring)))
}
