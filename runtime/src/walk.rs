//! Rows, not feature maps: which row of which node is made next.
//!
//! Each node counts the rows it has made, padding rows included. To make the next row of the image, walk from the image
//! towards the inputs; at each node look at the rows of others that it must read for its next row; if one is not made
//! yet, the node that it belongs to comes first. So every row is made exactly once, as late as possible, and a ring is
//! high enough when it holds the rows that one row of its readers reads, plus those in between.
//!
//! ```text
//! node ← image
//! until the image is complete:
//!     while the next row of node needs a row of some source that is not made:  reader of source ← node, node ← source
//!     make the next row of node
//!     node ← its reader, or the image if that was the image
//! ```
//!
//! The walk need not begin at the image again for each row: a node that lacks one lacks it until it is made, whatever
//! else is made for it.
//!
//! The exporter plans rings by rehearsing this walk ([`rehearse`]), and `Model::parse` rehearses it again to check them.

use bytemuck::{Pod, Zeroable};

use crate::graph::{Border, MAX_NODES, MAX_READS, Node, Read};

/// How far a node is, and what its next row needs. While a model is drawn, these lie in the arena.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Progress {
    /// Rows made, padding rows included.
    pub(crate) made: u16,
    /// Where in its ring the next row goes: `made` modulo the ring's height.
    pub(crate) slot: u16,
    /// Rows that each source must have made before the next row can be, or fewer where that has been so since an
    /// earlier row.
    needs: [u16; MAX_READS],
    /// The nodes that are read.
    sources: [u8; MAX_READS],
    /// Up to how many rows made it must be looked up what the next one needs: up to the first row where all read the
    /// same ones; [`ALWAYS`] where they never do.
    last: u8,
    /// The node that lacked a row of it and is asked again once it is made. Nothing reads the image: there stands the
    /// node where the walk goes on.
    reader: u8,
}

/// See [`Progress::last`].
const ALWAYS: u8 = u8::MAX;

/// The row that a node makes next without its padding rows, or `None` for a padding row.
pub(crate) fn row(node: &Node, made: u16) -> Option<u16> {
    let [top, _] = node.made_padding();
    made.checked_sub(top.into()).filter(|&row| row < node.shape.h)
}

/// For row `row` of a node: the first and last of the rows of `source` that `read` asks for, padding rows that are made
/// counted.
fn rows(read: &Read, source: &Node, row: u16) -> Option<(u32, u32)> {
    let (first, last) = read.rows.reads(row)?;
    let (first, last) = if source.border == Border::Zero as u8 {
        let top = i32::from(source.padding.top);
        (first + top, last + top)
    } else {
        mirrored(source, first, last)
    };
    // `rules` saw that no row lies beyond the padding.
    Some((first.max(0) as u32, last.max(0) as u32))
}

/// The rows of `source` that stand for those from `first` to `last`: what lies outside is found inside, and between the
/// two ends nothing lies further out.
#[inline(never)]
fn mirrored(source: &Node, first: i32, last: i32) -> (i32, i32) {
    let border = Border::ALL.get(usize::from(source.border)).copied().unwrap_or_default();
    let height = i32::from(source.shape.h);
    let inside = |at: i32| at.min(height - 1).max(0);
    let outside = [border.inside(first, height), border.inside(last, height)].map(inside);
    let ends = [inside(first), inside(last), outside[0], outside[1]];
    ends.iter().fold((height, 0), |(least, most), &end| (end.min(least), end.max(most)))
}

/// Rows of source `place` that a node must find made before it can make row `row`.
#[inline(always)]
fn needed(nodes: &[Node], node: &Node, row: u16, place: usize) -> u16 {
    let rows = || {
        let read = node.reads.get(place)?;
        rows(read, nodes.get(usize::from(read.source))?, row)
    };
    rows().map_or(0, |(_, last)| count(last + 1))
}

/// A node that must make a row before node `index` can make its next one.
#[inline(never)]
fn lacking(nodes: &[Node], index: usize, made: &[u16; MAX_NODES]) -> Option<usize> {
    let node = nodes.get(index)?;
    let row = row(node, *made.get(index)?)?;
    let lacks = |(place, read): (usize, &Read)| {
        let source = usize::from(read.source);
        (*made.get(source)? < needed(nodes, node, row, place)).then_some(source)
    };
    node.reads().iter().enumerate().find_map(lacks)
}

/// A number of rows, of which no node of a checked model has more.
fn count(rows: u32) -> u16 {
    u16::try_from(rows).unwrap_or(u16::MAX)
}

/// The node whose next row is made next so that the image gets its own; `None` once the image is complete.
#[inline(never)]
pub(crate) fn next(image: &Node, progress: &mut [Progress]) -> Option<usize> {
    let (end, before) = progress.split_last_mut()?;
    // An image has no padding.
    if end.made >= image.shape.h {
        return None;
    }
    let mut index = usize::from(end.reader);
    if index == before.len() {
        let Some(source) = end.lacks(before) else { return Some(index) };
        before.get_mut(source)?.reader = end.reader;
        index = source;
    }
    loop {
        let own = before.get(index)?;
        match own.lacks(before) {
            // Sources stand before what they feed, so this ends.
            Some(source) if source < index => {
                before.get_mut(source)?.reader = index as u8;
                index = source;
            }
            _ => {
                end.reader = own.reader;
                return Some(index);
            }
        }
    }
}

impl Progress {
    /// A source that must make a row before the next one can be made.
    #[inline(always)]
    fn lacks(&self, before: &[Self]) -> Option<usize> {
        let lacks = |place: usize| {
            let source = usize::from(self.sources[place]);
            (before.get(source)?.made < self.needs[place]).then_some(source)
        };
        lacks(0).or_else(|| lacks(1))
    }
}

/// Counts a row that was made.
pub(crate) fn advance(nodes: &[Node], node: &Node, progress: &mut Progress) {
    progress.made = progress.made.wrapping_add(1);
    progress.slot = progress.slot.wrapping_add(1);
    if progress.slot == node.ring_rows {
        progress.slot = 0;
    }
    // One comparison: a number from 128 on, ALWAYS among them, is extended by its sign to more rows than there are.
    if progress.made <= progress.last as i8 as u16 {
        refresh(nodes, node, progress);
    }
}

/// Back to the start of an image, where only what is filled at once is there.
pub(crate) fn start(nodes: &[Node], progress: &mut [Progress]) {
    let reader = progress.len().saturating_sub(1) as u8;
    for (node, progress) in nodes.iter().zip(progress) {
        // What is filled at once fills its ring once.
        let sources = node.reads.map(|read| read.source as u8);
        let moves = node.reads.iter().any(|read| read.rows.moves());
        let last = if moves { ALWAYS } else { node.made_padding()[0] };
        *progress = Progress { made: made_at_start(node), slot: 0, needs: [0; MAX_READS], sources, last, reader };
        refresh(nodes, node, progress);
    }
}

#[inline(never)]
fn refresh(nodes: &[Node], node: &Node, progress: &mut Progress) {
    // A padding row needs nothing.
    let Some(row) = row(node, progress.made) else { return };
    for (place, needs) in progress.needs.iter_mut().enumerate().take(node.read_count.into()) {
        *needs = needed(nodes, node, row, place);
    }
}

fn made_at_start(node: &Node) -> u16 {
    if node.is_filled() { count(node.made_rows()) } else { 0 }
}

/// A ring of which no height is enough.
pub const NEVER: u32 = u32::MAX;

/// Goes through the making of one image without making anything. For each row that a node makes, `visit` gets each
/// node that it reads and how high that node's ring must be for it: [`NEVER`] of an image whose row is not there yet
/// when [`Source::Previous`](crate::graph::Source::Previous) wants it.
///
/// Nodes beyond [`MAX_NODES`] are left out.
pub fn rehearse(nodes: &[Node], mut visit: impl FnMut(usize, u32)) {
    let nodes = nodes.get(..MAX_NODES).unwrap_or(nodes);
    let mut made = [0u16; MAX_NODES];
    made.iter_mut().zip(nodes).for_each(|(made, node)| *made = made_at_start(node));
    let of = |made: &[u16; MAX_NODES], index: usize| made.get(index).copied().unwrap_or(u16::MAX);
    let Some((image, before)) = nodes.split_last() else { return };
    let (mut index, mut path) = (before.len(), Path::default());
    while of(&made, before.len()) < image.shape.h {
        while let Some(source) = lacking(nodes, index, &made).filter(|&source| source < index) {
            path.push(index as u8);
            index = source;
        }
        let Some(node) = nodes.get(index) else { return };
        if let Some(row) = row(node, of(&made, index)) {
            if node.is_previous()
                && let Some(wanted) = row.checked_sub(1)
            {
                let rows = of(&made, before.len()).checked_sub(wanted).filter(|&rows| rows > 0);
                visit(before.len(), rows.map_or(NEVER, u32::from));
            }
            for read in node.reads() {
                let source = usize::from(read.source);
                if let Some((first, _)) = nodes.get(source).and_then(|source| rows(read, source, row)) {
                    visit(source, u32::from(of(&made, source)).saturating_sub(first));
                }
            }
        }
        if let Some(made) = made.get_mut(index) {
            *made = made.saturating_add(1);
        }
        index = path.pop().map_or(before.len(), usize::from);
    }
}

/// The way from the image to a node: its end alone, as all of it would be deep in the stack. Without the rest, the walk
/// begins at the image again.
#[derive(Default)]
struct Path {
    readers: [u8; 32],
    depth: usize,
    kept: usize,
}

impl Path {
    fn push(&mut self, reader: u8) {
        self.readers[self.depth & 31] = reader;
        self.depth = self.depth.wrapping_add(1);
        self.kept += usize::from(self.kept < 32);
    }

    fn pop(&mut self) -> Option<u8> {
        self.kept = self.kept.checked_sub(1)?;
        self.depth = self.depth.wrapping_sub(1);
        Some(self.readers[self.depth & 31])
    }
}
