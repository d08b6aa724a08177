//! Padding and rings: what each node must hold so that its readers find all they read.

use edgegen_runtime::graph::{Copy, Node, Padding, Product};
use edgegen_runtime::walk;

use crate::error::ExportError;

/// Gives each node the padding that its readers want, the lowest ring that the order of rows allows, and the place of
/// that ring. Everything else of the nodes is there before.
///
/// # Errors
///
/// [`ExportError::Limit`] for more than 255 pixels of padding, or rings larger than 4 GiB; [`ExportError::Acausal`] for
/// an image of which a row depends on itself or on later ones.
pub fn plan(nodes: &mut [Node]) -> Result<(), ExportError> {
    for index in 0..nodes.len() {
        let (before, rest) = nodes.split_at_mut(index);
        let Some(reader) = rest.first() else { break };
        for (place, read) in reader.reads().iter().enumerate() {
            if let Some(source) = before.get_mut(usize::from(read.source)) {
                let wanted = padding(reader, place, source)?;
                source.padding = union(source.padding, wanted);
            }
        }
    }
    set_rings(nodes)
}

/// How far beyond `source` a node reads at one of its places.
fn padding(reader: &Node, place: usize, source: &Node) -> Result<Padding, ExportError> {
    let rows = reader.reads()[place].rows;
    let rows = (0..reader.shape.h).filter_map(|row| rows.reads(row));
    let [top, bottom] = beyond(rows, source.shape.h)?;
    let [left, right] = match (reader.parameters::<Product>(), reader.parameters::<Copy>()) {
        (Some(product), _) => {
            let columns = (0..reader.shape.w).filter_map(|column| product.columns.reads(column));
            beyond(columns, source.shape.w)?
        }
        (_, Some(copy)) if place == 0 => {
            let last =
                i32::from(copy.first_column) + i32::from(reader.shape.w.saturating_sub(1) / copy.enlarge[1].max(1));
            beyond([(0, last)], source.shape.w)?
        }
        _ => [0, 0],
    };
    Ok(Padding { top, bottom, left, right })
}

/// How far before 0 and behind `size` − 1 the first and last positions lie.
fn beyond(reads: impl IntoIterator<Item = (i32, i32)>, size: u16) -> Result<[u8; 2], ExportError> {
    let far = reads
        .into_iter()
        .fold([0; 2], |[before, after], (first, last)| [before.max(-first), after.max(last - i32::from(size) + 1)]);
    let fits = |found: i32| {
        u8::try_from(found).map_err(|_| ExportError::Limit {
            what: "pixels of padding",
            limit: 255,
            found: found as usize,
        })
    };
    Ok([fits(far[0])?, fits(far[1])?])
}

fn union(a: Padding, b: Padding) -> Padding {
    Padding {
        top: a.top.max(b.top),
        bottom: a.bottom.max(b.bottom),
        left: a.left.max(b.left),
        right: a.right.max(b.right),
    }
}

/// Makes each ring as low as the order of rows allows, one behind the other.
fn set_rings(nodes: &mut [Node]) -> Result<(), ExportError> {
    let mut heights: Vec<u32> = nodes.iter().map(|node| if node.is_filled() { node.made_rows() } else { 1 }).collect();
    walk::rehearse(nodes, |node, rows| heights[node] = rows.max(heights[node]));
    if heights.contains(&walk::NEVER) {
        return Err(ExportError::Acausal);
    }
    let mut start = 0u64;
    for (node, height) in nodes.iter_mut().zip(heights) {
        node.ring_rows = u16::try_from(height).unwrap_or(u16::MAX);
        let limit = u32::MAX as usize;
        let too_large = |_| ExportError::Limit { what: "bytes of rings", limit, found: start as usize };
        node.ring = u32::try_from(start).map_err(too_large)?;
        start += node.ring_bytes() as u64;
    }
    Ok(())
}
