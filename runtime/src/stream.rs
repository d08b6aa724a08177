//! Draws images row by row, in memory of the caller. [`walk`] tells which row comes next.
//!
//! ```text
//! arena:  rings of the edges │ up to 15 bytes skipped │ the kernel's working memory │ progress of each edge │ nodes
//! ```

use core::ops::Range;

use bytemuck::{Pod, Zeroable};

use crate::error::GeneratorError;
use crate::fixed::LEAST_CODE;
use crate::graph::{self, Axis, Edge, Op, Padding, Phases, Shape};
use crate::kernels::{Kernel, Native};
use crate::latent::Point;
use crate::model::Model;
use crate::ops::{self, Job};
use crate::packing::{Packing, SCRATCH_ALIGNMENT};
use crate::parts::Parts;
use crate::walk::{self, Progress};

/// Bytes of the arena that do not depend on shapes: what each edge takes besides its ring, and what is skipped because an arena
/// may start at any address.
pub(crate) const fn fixed_bytes(edges: usize) -> usize {
    const { assert!(size_of::<Progress>() + size_of::<Node>() == 64, "the documents of `Model::arena_bytes` say so") };
    edges * (size_of::<Progress>() + size_of::<Node>()) + SCRATCH_ALIGNMENT - 1
}

/// An edge and the operator that makes it, decoded for [`ops`]: bytes and nothing else, so that it can lie in the arena.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Node {
    /// Where the ring of the edge starts in the arena.
    start: u32,
    /// Weights of the operator; of the latent vector, none.
    pub(crate) bank: Bank,
    /// The columns that it reads; a fully connected layer has no phases.
    pub(crate) horizontal: Axis,
    zero_point: i8,
    pub(crate) padding: Padding,
    /// Shape of the edge.
    pub(crate) shape: Shape,
    ring_rows: u16,
}

/// A [`graph::Bank`] as bytes and nothing else.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Bank {
    pub(crate) weights: u32,
    pub(crate) channels: u32,
    /// [`Bank::NO_TABLE`], or where the table is.
    pub(crate) table: u32,
    pub(crate) shared: u8,
    pub(crate) zero_point: i8,
    pub(crate) low: i8,
    pub(crate) high: i8,
}

impl Bank {
    /// No table starts there, as it would not be at a multiple of 16.
    pub(crate) const NO_TABLE: u32 = u32::MAX;

    fn new(bank: &graph::Bank) -> Self {
        let graph::Bank { weights, channels, shared, zero_point, low, high, table } = *bank;
        Self { weights, channels, table: table.unwrap_or(Self::NO_TABLE), shared: shared.into(), zero_point, low, high }
    }
}

impl Node {
    fn new(edge: &Edge, op: Option<&Op>, start: u32) -> Self {
        let Edge { shape, padding, zero_point, ring_rows } = *edge;
        let horizontal = match op {
            Some(Op::PhaseConv(conv)) => conv.horizontal,
            _ => Axis { step: 0, dilation: 1, phases: Phases::default() },
        };
        let bank = op.map_or(Bank::zeroed(), |op| Bank::new(op.bank()));
        Self { start, bank, horizontal, zero_point, padding, shape, ring_rows }
    }

    /// Where row `index` (padding rows counted) lies in the ring.
    fn slot(&self, index: u32) -> Range<usize> {
        let Self { shape, padding, zero_point, ring_rows, .. } = *self;
        let row_bytes = Edge { shape, padding, zero_point, ring_rows }.row_bytes();
        let start = (index % u32::from(ring_rows.max(1))) as usize * row_bytes;
        start..start + row_bytes
    }
}

/// Draws images from a model with memory of the caller.
#[derive(Debug)]
pub struct Generator<'a, K: Kernel = Native> {
    model: &'a Model<'a>,
    rings: &'a mut [i8],
    progress: &'a mut [Progress],
    nodes: &'a [Node],
    scratch: &'a mut [i32],
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
        let (rings, rest) = split(arena, model.rings_bytes());
        let (_, rest) = split(rest, rest.as_ptr().align_offset(SCRATCH_ALIGNMENT));
        let (scratch, rest) = split(rest, model.scratch_bytes());
        let (progress, rest) = split(rest, model.edges() * size_of::<Progress>());
        let (nodes, _) = split(rest, model.edges() * size_of::<Node>());
        let (scratch, progress, nodes) = (cast(scratch), cast(progress), cast(nodes));
        unpack(model, rings, progress, nodes);
        Ok(Self { model, rings, progress, nodes, scratch, kernel })
    }

    /// The model it draws from.
    pub fn model(&self) -> &'a Model<'a> {
        self.model
    }

    /// The image of a seed, row by row. The same seed gives the same bytes on every target.
    #[inline(never)] // else the point would lie on the stack while rows are made
    pub fn sample(&mut self, seed: u64) -> Rows<'_, 'a, K> {
        self.sample_at(Point::seed(seed))
    }

    /// The image at a point of the latent space: on the way between two seeds or two keyframes, or of a chosen class.
    pub fn sample_at(&mut self, point: Point) -> Rows<'_, 'a, K> {
        let model = self.model;
        match if point.of_keyframes { model.keyframes() } else { None } {
            Some(keyframes) => keyframes.fill(point, self.latent()),
            None => point.fill(model.latent(), self.latent()),
        }
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
        match self.nodes.first() {
            Some(node) => row_mut(node, self.rings, node.padding.top.into()),
            None => &mut [],
        }
    }

    fn rows(&mut self) -> Rows<'_, 'a, K> {
        walk::start(self.progress);
        Rows { generator: self }
    }
}

/// Fills the arena: padding, where each edge starts, and what its operator needs.
#[inline(never)]
fn unpack(model: &Model<'_>, mut rings: &mut [i8], progress: &mut [Progress], nodes: &mut [Node]) {
    let Parts { mut edges, mut ops, .. } = model.parts();
    walk::fill(progress, &mut edges.clone(), &mut ops.clone());
    let mut start = 0;
    for (index, node) in nodes.iter_mut().enumerate() {
        let Some(edge) = edges.next() else { return };
        let op = if index == 0 { None } else { ops.next() };
        *node = Node::new(&edge, op.as_ref(), start);
        // Rows are written between their padding, so the padding at the sides is written here and never again.
        let (ring, rest) = split(core::mem::take(&mut rings), edge.ring_bytes());
        ring.fill(edge.zero_point);
        rings = rest;
        start += edge.ring_bytes() as u32;
    }
}

/// The first `at` bytes and the rest. [`Model::arena_bytes`] saw to it that there are as many.
fn split(bytes: &mut [i8], at: usize) -> (&mut [i8], &mut [i8]) {
    bytes.split_at_mut_checked(at).unwrap_or_default()
}

/// Bytes at an address and of a length that fit.
fn cast<T: Pod>(bytes: &mut [i8]) -> &mut [T] {
    bytemuck::try_cast_slice_mut(bytes).unwrap_or_default()
}

/// The rows of one image, top to bottom; each is computed when it is asked for.
#[derive(Debug)]
pub struct Rows<'g, 'a, K: Kernel = Native> {
    generator: &'g mut Generator<'a, K>,
}

impl<K: Kernel> Rows<'_, '_, K> {
    /// The next row: `width · channels` bytes from 0, black, to 255, white. `None` after the last row.
    pub fn next_row(&mut self) -> Option<&[u8]> {
        let Generator { model, rings, progress, nodes, scratch, kernel } = &mut *self.generator;
        let last = nodes.len().checked_sub(1)?;
        loop {
            let edge = walk::next(progress)?;
            let (of, node) = (progress.get(edge)?, nodes.get(edge)?);
            let index = of.index();
            let (below, above) = rings.split_at_mut_checked(node.start as usize)?;
            match of.row() {
                Some(y) => {
                    let source = nodes.get(of.source())?;
                    let job = Job {
                        model,
                        kernel: *kernel,
                        node,
                        vertical: of.vertical(),
                        source: Ring { node: source, values: below.get(source.start as usize..)? },
                        y,
                        row: row_mut(node, above, index),
                        scratch,
                    };
                    ops::run(job);
                }
                None => padded_row_mut(node, above, index).fill(node.zero_point),
            }
            walk::advance(progress, edge);
            if edge == last {
                let above = rings.get_mut(node.start as usize..)?;
                return bytemuck::try_cast_slice(row_mut(node, above, index)).ok();
            }
        }
    }
}

/// The ring of an edge, for reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring<'a> {
    /// The edge and, of no concern here, what makes it.
    pub(crate) node: &'a Node,
    /// The rings from the start of this one on.
    pub(crate) values: &'a [i8],
}

impl Ring<'_> {
    /// Where row `row` starts, counted without padding rows, with the padding at its sides.
    pub(crate) fn row(&self, row: i32) -> usize {
        self.node.slot((row + i32::from(self.node.padding.top)).max(0) as u32).start
    }
}

#[inline(never)]
fn padded_row_mut<'a>(node: &Node, ring: &'a mut [i8], index: u16) -> &'a mut [i8] {
    ring.get_mut(node.slot(index.into())).unwrap_or_default()
}

fn row_mut<'a>(node: &Node, ring: &'a mut [i8], index: u16) -> &'a mut [i8] {
    let left = usize::from(node.padding.left) * usize::from(node.shape.c);
    padded_row_mut(node, ring, index).get_mut(left..left + node.shape.row_len()).unwrap_or_default()
}
