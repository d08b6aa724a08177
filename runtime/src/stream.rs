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

use crate::error::GeneratorError;
use crate::fixed::LEAST_CODE;
use crate::graph::{Edge, Graph, MAX_EDGES};
use crate::kernels::{Kernel, Native};
use crate::latent::Point;
use crate::model::Model;
use crate::ops;
use crate::packing::{Packing, SCRATCH_ALIGNMENT};

/// How many rows each edge has made, padding rows included.
#[derive(Clone, Debug)]
struct Cursor {
    made: [u32; MAX_EDGES],
}

/// One row to make.
#[derive(Clone, Copy, Debug)]
struct Step {
    edge: usize,
    /// Index of the row with padding rows counted.
    index: u32,
    /// Index without padding rows, `None` for a padding row.
    row: Option<u16>,
}

impl Cursor {
    /// The latent vector is there, nothing else.
    fn new(graph: &Graph<'_>) -> Self {
        let mut made = [0; MAX_EDGES];
        made[0] = graph.edges.first().map_or(0, Edge::padded_rows);
        Self { made }
    }

    fn made(&self, edge: usize) -> u32 {
        self.made.get(edge).copied().unwrap_or(u32::MAX)
    }

    /// The row to make next so that the image gets its next row; `None` once the image is complete.
    #[inline(never)]
    fn next(&self, graph: &Graph<'_>) -> Option<Step> {
        let mut edge = graph.edges.len().checked_sub(1)?;
        if self.made(edge) >= graph.edges.get(edge)?.padded_rows() {
            return None;
        }
        loop {
            let index = self.made(edge);
            let row = interior(graph.edges.get(edge)?, index);
            let missing = row.and_then(|row| {
                let (source, _, last) = reads(graph, edge, row)?;
                (last >= self.made(source)).then_some(source)
            });
            match missing {
                // Sources stand before what they feed, so this ends.
                Some(source) if source < edge => edge = source,
                _ => return Some(Step { edge, index, row }),
            }
        }
    }

    fn advance(&mut self, step: Step) {
        if let Some(made) = self.made.get_mut(step.edge) {
            *made += 1;
        }
    }
}

/// Row number without padding, or `None` for a padding row.
fn interior(edge: &Edge, index: u32) -> Option<u16> {
    let row = index.checked_sub(u32::from(edge.padding.top))?;
    u16::try_from(row).ok().filter(|&row| row < edge.shape.h)
}

/// For a row of an edge: its source and the first and last row of it to read, padding rows counted.
fn reads(graph: &Graph<'_>, edge: usize, row: u16) -> Option<(usize, u32, u32)> {
    let op = graph.ops.get(edge.checked_sub(1)?)?;
    let (first, last) = op.reads(row)?;
    let top = i32::from(graph.edges.get(op.source())?.padding.top);
    // `ops::check` saw that no row lies above the padding.
    Some((op.source(), (first + top).max(0) as u32, (last + top).max(0) as u32))
}

/// Goes through the making of one image without making anything. For each row that an operator makes, `visit` gets the
/// edge it reads and how high that edge's ring must be for it.
///
/// # Errors
///
/// The first error of `visit` ends the rehearsal.
pub fn rehearse<E>(graph: &Graph<'_>, mut visit: impl FnMut(usize, u32) -> Result<(), E>) -> Result<(), E> {
    let mut cursor = Cursor::new(graph);
    while let Some(step) = cursor.next(graph) {
        if let Some((source, first, _)) = step.row.and_then(|row| reads(graph, step.edge, row)) {
            visit(source, cursor.made(source) - first.min(cursor.made(source)))?;
        }
        cursor.advance(step);
    }
    Ok(())
}

/// Draws images from a model with memory of the caller.
#[derive(Debug)]
pub struct Generator<'a, K: Kernel = Native> {
    model: &'a Model<'a>,
    arena: &'a mut [i8],
    cursor: Cursor,
    /// Without one the portable packing is read.
    kernel: Option<K>,
}

impl<'a> Generator<'a> {
    /// A generator with the best kernel of this target.
    ///
    /// # Errors
    ///
    /// When `arena` has fewer than [`Model::arena_bytes`] bytes.
    pub fn new(model: &'a Model<'a>, arena: &'a mut [i8]) -> Result<Self, GeneratorError> {
        Self::build(model, arena, Native::available())
    }
}

impl<'a, K: Kernel> Generator<'a, K> {
    /// A generator with a kernel of your choice; the images are the same.
    ///
    /// # Errors
    ///
    /// When `arena` has fewer than [`Model::arena_bytes`] bytes, or the kernel does not read the model's packing.
    pub fn with_kernel(model: &'a Model<'a>, arena: &'a mut [i8], kernel: K) -> Result<Self, GeneratorError> {
        Self::build(model, arena, Some(kernel))
    }

    #[inline(never)]
    fn build(model: &'a Model<'a>, arena: &'a mut [i8], kernel: Option<K>) -> Result<Self, GeneratorError> {
        if model.packing() != Packing::Portable && (kernel.is_none() || model.packing() != K::PACKING) {
            return Err(GeneratorError::Packing { expected: K::PACKING, found: model.packing() });
        }
        let (expected, found) = (model.arena_bytes(), arena.len());
        let arena = arena.get_mut(..expected).ok_or(GeneratorError::Arena { expected, found })?;
        // Rows are written between their padding, so the padding at the sides is written here and never again.
        let mut rest = &mut *arena;
        for edge in &model.graph().edges {
            let (ring, after) = core::mem::take(&mut rest).split_at_mut_checked(edge.ring_bytes()).unwrap_or_default();
            ring.fill(edge.zero_point);
            rest = after;
        }
        Ok(Self { model, arena, cursor: Cursor::new(model.graph()), kernel })
    }

    /// The model it draws from.
    pub fn model(&self) -> &'a Model<'a> {
        self.model
    }

    /// The image of a seed, row by row. The same seed gives the same bytes on every target.
    pub fn sample(&mut self, seed: u64) -> Rows<'_, 'a, K> {
        self.sample_at(Point::seed(seed))
    }

    /// The image at a point of the latent space: on the way between two seeds, or of a chosen class.
    pub fn sample_at(&mut self, point: Point) -> Rows<'_, 'a, K> {
        point.fill(self.model.graph().latent, self.latent());
        self.rows()
    }

    /// Hands the rows of a seed's image to `take`, top to bottom.
    pub fn draw(&mut self, seed: u64, mut take: impl FnMut(&[u8])) {
        let mut rows = self.sample(seed);
        while let Some(row) = rows.next_row() {
            take(row);
        }
    }

    /// The image of a latent vector in codes of [`Prior::steps`](crate::Prior::steps) to the unit, −127 … 127, with the values
    /// of the classes behind it. Missing values are taken as 0, surplus ones are left, and −128 is taken as −127.
    pub fn decode(&mut self, codes: &[i8]) -> Rows<'_, 'a, K> {
        let latent = self.latent();
        latent.fill(0);
        latent.iter_mut().zip(codes).for_each(|(to, &from)| *to = from.max(LEAST_CODE));
        self.rows()
    }

    /// Edge 0 without its padding.
    #[inline(never)]
    fn latent(&mut self) -> &mut [i8] {
        match self.model.graph().edges.first() {
            Some(edge) => row_mut(edge, self.arena, u32::from(edge.padding.top)),
            None => &mut [],
        }
    }

    fn rows(&mut self) -> Rows<'_, 'a, K> {
        self.cursor = Cursor::new(self.model.graph());
        Rows { generator: self }
    }
}

/// The rows of one image, top to bottom; each is computed when it is asked for.
#[derive(Debug)]
pub struct Rows<'g, 'a, K: Kernel = Native> {
    generator: &'g mut Generator<'a, K>,
}

impl<K: Kernel> Rows<'_, '_, K> {
    /// The next row: `width · channels` bytes from 0, black, to 255, white. `None` after the last row.
    pub fn next_row(&mut self) -> Option<&[u8]> {
        let Generator { model, arena, cursor, kernel } = &mut *self.generator;
        let graph = model.graph();
        loop {
            let step = cursor.next(graph)?;
            let output = graph.edges.get(step.edge)?;
            let (rings, scratch) = arena.split_at_mut_checked(model.scratch())?;
            let (below, above) = rings.split_at_mut_checked(model.offset(step.edge))?;
            match step.row {
                Some(row) => {
                    let op = graph.ops.get(step.edge - 1)?;
                    let source = Ring::new(graph.edges.get(op.source())?, below.get(model.offset(op.source())..)?);
                    let row_mut = row_mut(output, above, step.index);
                    ops::run(op, model, source, output, row, row_mut, words(scratch), *kernel);
                }
                None => padded_row_mut(output, above, step.index).fill(output.zero_point),
            }
            cursor.advance(step);
            if step.edge + 1 == graph.edges.len() {
                break;
            }
        }
        let image = graph.edges.len() - 1;
        let above = arena.get_mut(model.offset(image)..)?;
        let made = cursor.made(image);
        bytemuck::try_cast_slice(row_mut(graph.edges.get(image)?, above, made.checked_sub(1)?)).ok()
    }
}

/// The aligned words of a kernel's working memory; [`Model::arena_bytes`] counts what is skipped.
fn words(scratch: &mut [i8]) -> &mut [i32] {
    let skipped = scratch.as_ptr().align_offset(SCRATCH_ALIGNMENT);
    let aligned = scratch.get_mut(skipped..).unwrap_or_default();
    let whole = aligned.len() / 4 * 4;
    aligned.get_mut(..whole).and_then(|bytes| bytemuck::try_cast_slice_mut(bytes).ok()).unwrap_or_default()
}

/// The ring of an edge, for reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring<'a> {
    edge: &'a Edge,
    /// The arena from the start of the ring on.
    bytes: &'a [i8],
}

impl<'a> Ring<'a> {
    fn new(edge: &'a Edge, bytes: &'a [i8]) -> Self {
        Self { edge, bytes }
    }

    /// The edge itself.
    pub(crate) fn edge(&self) -> &'a Edge {
        self.edge
    }

    /// Row `row`, counted without padding rows, with the padding at its sides.
    pub(crate) fn row(&self, row: i32) -> &'a [i8] {
        let index = (row + i32::from(self.edge.padding.top)).max(0) as u32;
        self.bytes.get(slot(self.edge, index)).unwrap_or(&[])
    }
}

/// Where row `index` (padding rows counted) lies in its ring.
fn slot(edge: &Edge, index: u32) -> core::ops::Range<usize> {
    let start = (index % u32::from(edge.ring_rows.max(1))) as usize * edge.row_bytes();
    start..start + edge.row_bytes()
}

#[inline(never)]
fn padded_row_mut<'a>(edge: &Edge, ring: &'a mut [i8], index: u32) -> &'a mut [i8] {
    ring.get_mut(slot(edge, index)).unwrap_or_default()
}

fn row_mut<'a>(edge: &Edge, ring: &'a mut [i8], index: u32) -> &'a mut [i8] {
    let left = usize::from(edge.padding.left) * usize::from(edge.shape.c);
    padded_row_mut(edge, ring, index).get_mut(left..left + edge.shape.row_len()).unwrap_or_default()
}
