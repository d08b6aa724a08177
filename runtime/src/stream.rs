//! Draws images row by row, in memory of the caller. [`walk`] tells which row comes next.

use crate::arena::{LANE_BYTES, cast, fill_sides, split};
use crate::error::GeneratorError;
use crate::fixed::LEAST_CODE;
use crate::graph::{Border, Input, Kind, Node, Source};
use crate::kernels::{Kernel, Native};
use crate::latent::{Point, Seeds};
use crate::model::Model;
use crate::ops::{self, Job, input};
use crate::packing::{Packing, SCRATCH_ALIGNMENT};
use crate::pictures::{Feed, Still, copy};
use crate::walk::{self, Progress};

/// Draws images from a model with memory of the caller.
#[derive(Debug)]
pub struct Generator<'a, K: Kernel = Native> {
    model: &'a Model<'a>,
    /// Behind them the seeds of noise, if the model reads some.
    rings: &'a mut [i8],
    progress: &'a mut [Progress],
    /// What the kernel works in, and lanes.
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
        // Rings come last, as they and all before them are multiples of 4 bytes: rows of int16 codes are aligned.
        let (_, rest) = split(arena, arena.as_ptr().align_offset(SCRATCH_ALIGNMENT));
        let (scratch, rest) = split(rest, model.scratch_bytes() + LANE_BYTES);
        let (progress, rest) = split(rest, size_of_val(model.nodes()) / size_of::<Node>() * size_of::<Progress>());
        let (rings, _) = split(rest, model.rings_bytes() + model.noise_bytes());
        // Rows are written between their padding, so zeros at the sides are written here and never again.
        let mut unfilled = &mut *rings;
        for node in model.nodes() {
            let (ring, rest) = split(core::mem::take(&mut unfilled), node.ring_bytes());
            ring.fill(node.zero_point);
            unfilled = rest;
        }
        Ok(Self { model, rings, progress: cast(progress), scratch: cast(scratch), kernel })
    }

    /// The model it draws from.
    pub fn model(&self) -> &'a Model<'a> {
        self.model
    }

    /// The image of a seed, row by row. The same seed gives the same bytes on every target.
    #[inline(never)] // else the point would lie on the stack while rows are made
    pub fn sample(&mut self, seed: u64) -> Rows<'_, 'a, K> {
        self.own_rows(&Point::seed(seed))
    }

    /// The image at a point of the latent space: on the way between two seeds or two keyframes, or of a chosen class.
    ///
    /// A model that reads an image sees the one of its own [`Pictures`](crate::Pictures) that the point starts at, `from`
    /// modulo their number, or black where it has none; [`Generator::translate`] hands it another one.
    pub fn sample_at(&mut self, point: Point) -> Rows<'_, 'a, K> {
        self.own_rows(&point)
    }

    /// By reference, as a point takes 64 bytes.
    #[inline(never)]
    fn own_rows(&mut self, point: &Point) -> Rows<'_, 'a, K> {
        let picture = self.own(point);
        self.fill(point);
        self.rows(point, picture)
    }

    /// The image that comes of another one, which `feed` hands in row by row, each when it is needed and in order. The
    /// point is for the model's other inputs, if there are any.
    ///
    /// The other image may be one that is being drawn: [`Rows`] are a [`Feed`], too.
    ///
    /// ```
    /// # use edgegen_runtime::{Generator, Point};
    /// /// Hands what `second` makes of the image of a seed by `first` to `panel`. Neither image ever is in memory: when
    /// /// `second` lacks a row, `first` makes its next one.
    /// fn draw(first: &mut Generator<'_>, second: &mut Generator<'_>, seed: u64, mut panel: impl FnMut(&[u8])) {
    ///     assert_eq!(second.model().fed(), Some(first.model().output()), "one reads what the other draws");
    ///     let mut rows = second.translate(Point::seed(seed), first.sample(seed));
    ///     while let Some(row) = rows.next_row() {
    ///         panel(row);
    ///     }
    /// }
    /// ```
    pub fn translate<F: Feed>(&mut self, point: Point, feed: F) -> Rows<'_, 'a, K, F> {
        self.fill(&point);
        self.rows(&point, feed)
    }

    /// Hands the rows of a seed's image to `take`, top to bottom.
    pub fn draw(&mut self, seed: u64, mut take: impl FnMut(&[u8])) {
        let mut rows = self.sample(seed);
        while let Some(row) = rows.next_row() {
            take(row);
        }
    }

    /// The image of a latent vector in codes of [`Prior::steps`](crate::Prior::steps) to the unit, −127 … 127, with the
    /// values of the classes behind it. Missing values are taken as 0, surplus ones are left, and −128 is taken as
    /// −127. Inputs other than the first latent vector are those of seed 0.
    pub fn decode(&mut self, codes: &[i8]) -> Rows<'_, 'a, K> {
        let point = Point::seed(0);
        self.fill(&point);
        let latent = self.latent();
        latent.fill(0);
        latent.iter_mut().zip(codes).for_each(|(to, &from)| *to = from.max(LEAST_CODE));
        let picture = self.own(&point);
        self.rows(&point, picture)
    }

    /// As [`Generator::decode`], with the inputs other than the first latent vector, and with values that are missing at
    /// its end, those of `point`, and rows from `feed`, as for [`Generator::translate`].
    pub fn decode_at<F: Feed>(&mut self, point: Point, codes: &[i8], feed: F) -> Rows<'_, 'a, K, F> {
        self.fill(&point);
        self.latent().iter_mut().zip(codes).for_each(|(to, &from)| *to = from.max(LEAST_CODE));
        self.rows(&point, feed)
    }

    /// What a model reads that brings pictures along.
    fn own(&self, point: &Point) -> Still<'a> {
        let Some(pictures) = self.model.pictures() else { return Still::new(&[]) };
        pictures.picture(point.from).rows()
    }

    /// Fills the inputs that are there from the start.
    #[inline(never)]
    fn fill(&mut self, point: &Point) {
        let model = self.model;
        for node in model.nodes().iter().filter(|node| node.is_filled()) {
            let row = filled_mut(node, self.rings);
            input::fill(node, point, row);
        }
        if let Some(keyframes) = if point.of_keyframes { model.keyframes() } else { None } {
            keyframes.fill(*point, self.latent());
        }
    }

    /// The first latent vector without its padding.
    #[inline(never)]
    fn latent(&mut self) -> &mut [i8] {
        let is_latent = |node: &&Node| node.parameters::<Input>().is_some_and(|input| input.latent().is_some());
        match self.model.nodes().iter().find(is_latent) {
            Some(node) => filled_mut(node, self.rings),
            None => &mut [],
        }
    }

    fn rows<F: Feed>(&mut self, point: &Point, feed: F) -> Rows<'_, 'a, K, F> {
        walk::start(self.model.nodes(), self.progress);
        if self.model.noise_bytes() > 0
            && let Some(place) = self.rings.last_chunk_mut()
        {
            *place = Seeds::of(point).0;
        }
        Rows { generator: self, feed }
    }
}

/// The only row, between padding, of a node that is filled at once.
fn filled_mut<'a>(node: &Node, rings: &'a mut [i8]) -> &'a mut [i8] {
    let start = node.ring as usize + usize::from(node.made_padding()[0]) * node.row_bytes() + node.left();
    rings.get_mut(start..start + node.shape.row_len()).unwrap_or_default()
}

/// The rows of an image that is being drawn, for a model that reads it; below the last one there is black.
impl<K: Kernel, F: Feed> Feed for Rows<'_, '_, K, F> {
    fn row(&mut self, _: u16, row: &mut [u8]) {
        copy(self.next_row().unwrap_or(&[]), row);
    }
}

/// The rows of one image, top to bottom; each is computed when it is asked for.
#[derive(Debug)]
pub struct Rows<'g, 'a, K: Kernel = Native, F = Still<'a>> {
    generator: &'g mut Generator<'a, K>,
    feed: F,
}

impl<K: Kernel, F: Feed> Rows<'_, '_, K, F> {
    /// The next row: `width · channels` bytes from 0, black, to 255, white. `None` after the last row.
    pub fn next_row(&mut self) -> Option<&[u8]> {
        let nodes = self.generator.model.nodes();
        let image = nodes.last()?;
        // Where there is one on every CPU of the target, the compiler sees here that there is.
        let kernel = self.generator.kernel.or_else(K::available);
        let start = loop {
            let Generator { model, rings, progress, scratch, .. } = &mut *self.generator;
            let index = walk::next(image, progress)?;
            let (node, own) = (nodes.get(index)?, progress.get(index)?);
            let start = usize::from(own.slot) * node.row_bytes();
            match walk::row(node, own.made) {
                Some(y) if node.kind == Kind::Input as u8 => self.input_row(node, y, start)?,
                Some(y) => {
                    let (before, ring) = rings.split_at_mut_checked(node.ring as usize)?;
                    let start = start + node.left();
                    let row = ring.get_mut(start..start + node.content_bytes())?;
                    let weights = model.weights();
                    ops::run(&mut Job { weights, nodes, node, progress, rings: before, y, row, scratch }, kernel);
                }
                None => padded(node, rings, start).fill(node.zero_point),
            }
            let Generator { rings, progress, .. } = &mut *self.generator;
            if node.border != Border::Zero as u8 {
                fill_sides(node, padded(node, rings, start));
            }
            walk::advance(nodes, node, progress.get_mut(index)?);
            if core::ptr::eq(node, image) {
                break node.ring as usize + start;
            }
        };
        bytemuck::try_cast_slice(self.generator.rings.get(start..start + image.shape.row_len())?).ok()
    }

    /// Makes row `y` of an input, whose place in its ring, padding included, is `start`.
    #[inline(never)] // else what it needs would lie on the stack while other rows are made
    fn input_row(&mut self, node: &Node, y: u16, start: usize) -> Option<()> {
        let Generator { model, rings, .. } = &mut *self.generator;
        let (rings, seeds) = rings.split_at_mut_checked(rings.len().checked_sub(model.noise_bytes())?)?;
        let start = node.ring as usize + start + node.left();
        // The image, where its rows are read, has the last of the rings.
        let image = if node.is_previous() { model.nodes().last() } else { None };
        let (rings, drawn) = match image {
            Some(image) => rings.split_at_mut_checked(image.ring as usize)?,
            None => (rings, &mut [][..]),
        };
        let row = rings.get_mut(start..start + node.content_bytes())?;
        if image.is_some() || is_fed(node) {
            let bytes = bytemuck::try_cast_slice_mut(row).unwrap_or_default();
            if let Some(image) = image {
                // `rules` saw that it is there by now, and that the ring still holds it.
                let slot = usize::from(y.wrapping_sub(1).checked_rem(image.ring_rows)?);
                copy(bytemuck::try_cast_slice(drawn.get(slot * image.row_bytes()..)?).ok()?, bytes);
            } else {
                self.feed.row(y, bytes);
            }
            row.iter_mut().for_each(|code| *code = Source::pixel_code(*code as u8));
            if image.is_some() && y == 0 {
                row.fill(node.zero_point);
            }
        } else {
            input::run(node, model.weights(), y, row, seeds);
        }
        Some(())
    }
}

/// The row that starts at `start` in a node's ring, with its padding.
fn padded<'a>(node: &Node, rings: &'a mut [i8], start: usize) -> &'a mut [i8] {
    let start = node.ring as usize + start;
    rings.get_mut(start..start + node.row_bytes()).unwrap_or_default()
}

/// Whether the caller hands a node's rows in.
fn is_fed(node: &Node) -> bool {
    node.parameters::<Input>().is_some_and(|input| input.source == Source::Fed as u16)
}
