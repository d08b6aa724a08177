//! Rows, not feature maps: which row of which edge is made next.
//!
//! Each edge counts the rows it has made, padding rows included. To make the next row of the image, walk from the image
//! towards the latent vector; at each edge look at the rows that its operator must read for its next row; if one
//! is not made yet, that edge comes first. So every row is made exactly once, as late as possible, and a ring is high
//! enough when it holds the rows that one row of its consumers reads, plus those in between.
//!
//! ```text
//! next(image):  edge ← image
//!               while the next row of edge needs a row of source that is not made:  edge ← source
//!               make the next row of edge
//! ```
//!
//! The exporter plans rings by rehearsing this walk ([`rehearse`]), and `Model::parse` rehearses it again to check them.

use bytemuck::{Pod, Zeroable};

use crate::graph::{Axis, Edge, Graph, MAX_EDGES, Op};

/// How far an edge is, and what its next row needs. While a model is drawn, these lie in the arena.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Progress {
    /// Rows made, padding rows included.
    made: u16,
    /// Rows that the source must have made before the next row can be.
    needs: u16,
    /// Rows without padding.
    height: u16,
    /// Padding rows above them.
    top: u8,
    /// The edge that is read.
    source: u8,
    /// Padding rows above the source.
    source_top: u8,
    /// Which rows of the source are read.
    vertical: Axis,
}

impl Progress {
    /// Of no edge.
    pub(crate) const NONE: Self =
        Self { made: 0, needs: 0, height: 0, top: 0, source: 0, source_top: 0, vertical: Axis::FIRST };

    /// An edge that is there from the start, as the latent vector is.
    fn of(edge: &Edge) -> Self {
        Self { made: rows(edge.padded_rows()), height: edge.shape.h, top: edge.padding.top, ..Self::NONE }
    }

    /// An edge that `op` makes from one of those before; nothing is made yet.
    fn made_by(&mut self, op: &Op, before: &[Self]) {
        self.source = op.source() as u8;
        self.source_top = before.get(op.source()).map_or(0, |source| source.top);
        self.vertical = op.vertical();
        self.start();
    }

    /// The edge that is read.
    pub(crate) fn source(&self) -> usize {
        usize::from(self.source)
    }

    /// Index of the next row, padding rows counted.
    pub(crate) fn index(&self) -> u16 {
        self.made
    }

    /// Which rows of the source are read, padding rows counted negative.
    pub(crate) fn vertical(&self) -> &Axis {
        &self.vertical
    }

    /// Back to the start, where nothing is made.
    fn start(&mut self) {
        self.made = 0;
        self.needs = self.needed();
    }

    /// One more row is made.
    fn advance(&mut self) {
        self.made = self.made.saturating_add(1);
        self.needs = self.needed();
    }

    fn needed(&self) -> u16 {
        self.row().and_then(|row| self.reads(row)).map_or(0, |(_, last)| rows(last + 1))
    }

    /// Index of the next row without padding rows, or `None` for a padding row.
    pub(crate) fn row(&self) -> Option<u16> {
        self.made.checked_sub(self.top.into()).filter(|&row| row < self.height)
    }

    /// For a row: the first and last row of the source to read, padding rows counted.
    fn reads(&self, row: u16) -> Option<(u32, u32)> {
        let (first, last) = self.vertical.reads(row)?;
        let top = i32::from(self.source_top);
        // `ops::check` saw that no row lies above the padding.
        Some(((first + top).max(0) as u32, (last + top).max(0) as u32))
    }
}

/// A number of rows, of which no edge of a checked model has more.
fn rows(count: u32) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

/// The edge whose next row is made next so that the image, the last edge, gets its next row; `None` once the image is complete.
#[inline(never)]
pub(crate) fn next(edges: &[Progress]) -> Option<usize> {
    let mut edge = edges.len().checked_sub(1)?;
    let mut progress = edges.get(edge)?;
    // An image has no padding.
    if progress.made >= progress.height {
        return None;
    }
    loop {
        let source = edges.get(progress.source())?;
        // Sources stand before what they feed, so this ends.
        if source.made >= progress.needs || progress.source() >= edge {
            return Some(edge);
        }
        edge = progress.source();
        progress = source;
    }
}

/// Counts a row that was made.
pub(crate) fn advance(edges: &mut [Progress], edge: usize) {
    if let Some(progress) = edges.get_mut(edge) {
        progress.advance();
    }
}

/// Back to the start of an image: there is the latent vector and nothing else.
pub(crate) fn start(edges: &mut [Progress]) {
    edges.iter_mut().skip(1).for_each(Progress::start);
}

/// What a model's edges start from, decoded one by one.
#[inline(never)]
pub(crate) fn fill(into: &mut [Progress], edges: &mut impl Iterator<Item = Edge>, ops: &mut impl Iterator<Item = Op>) {
    for index in 0..into.len() {
        let Some(edge) = edges.next() else { return };
        let (before, rest) = into.split_at_mut(index);
        let Some(place) = rest.first_mut() else { return };
        *place = Progress::of(&edge);
        if index > 0
            && let Some(op) = ops.next()
        {
            place.made_by(&op, before);
        }
    }
}

/// Goes through the making of one image without making anything. For each row that an operator makes, `visit` gets the
/// edge it reads and how high that edge's ring must be for it.
pub fn rehearse(graph: &Graph<'_>, visit: impl FnMut(usize, u32)) {
    let mut edges = [Progress::NONE; MAX_EDGES];
    let edges = edges.get_mut(..graph.edges.len()).unwrap_or_default();
    fill(edges, &mut graph.edges.iter().copied(), &mut graph.ops.iter().cloned());
    rehearse_from(edges, visit);
}

/// As [`rehearse`], with edges that are at the start.
pub(crate) fn rehearse_from(edges: &mut [Progress], mut visit: impl FnMut(usize, u32)) {
    while let Some(edge) = next(edges) {
        if let Some(progress) = edges.get(edge)
            && let Some((first, _)) = progress.row().and_then(|row| progress.reads(row))
            && let Some(source) = edges.get(progress.source())
        {
            visit(progress.source(), u32::from(source.made).saturating_sub(first));
        }
        advance(edges, edge);
    }
}
