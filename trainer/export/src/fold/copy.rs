//! Upsampling, pixel shuffle, concatenation, parts of maps and padding.

use edgegen_runtime::Shape;
use edgegen_runtime::graph::{Axis, Border, MAX_PHASES, Phase, Phases, Read};

use super::product::Convolution;
use super::reorder::shuffle;
use super::taps::Taps;
use super::{Fold, Order, Pad, Place, Upto, refuse};
use crate::error::ExportError;
use crate::layers::{Layer, dims};
use crate::stage::{Block, CopyMap, Op, Stage};

/// Factors whose product is `factor`; a copy enlarges `rows` rows by one of them, which is at most [`MAX_PHASES`]
/// unless there is one row.
pub(super) fn row_factors(name: &str, rows: usize, factor: usize) -> Result<Vec<usize>, ExportError> {
    if rows == 1 && factor > 1 {
        return Ok(vec![factor]);
    }
    let (mut rest, mut factors) = (factor, Vec::new());
    while rest > 1 {
        let Some(next) = (2..=MAX_PHASES).rev().find(|next| rest.is_multiple_of(*next)) else {
            let expected = "upsampling by a product of 2, 3 and 4";
            return Err(refuse(name, expected, format!("by {factor}"), "upsample by 4 or less, several times"));
        };
        factors.push(next);
        rest /= next;
    }
    Ok(factors)
}

/// The rows of a copy that enlarges them by `factor`, which is at most [`MAX_PHASES`] unless there is one row.
fn enlarged_rows(source: Shape, factor: usize) -> Axis {
    if source.h == 1 {
        return Axis::FIRST;
    }
    let phases = [Phase { start: 0, taps: 1 }; MAX_PHASES];
    let phases = Phases::try_from(&phases[..factor.min(MAX_PHASES)]).unwrap_or(Axis::SAME.phases);
    Axis { phases, ..Axis::SAME }
}

impl Fold<'_> {
    /// Repeats rows and columns of node `source`.
    pub(super) fn upsample(&mut self, source: usize, factor: [usize; 2]) -> Result<Place, ExportError> {
        if self.places[source].pad.is_some() {
            self.settle(source, Upto::Pad)?;
        }
        let place = self.places[source].clone();
        let enlarge = core::array::from_fn(|axis| place.enlarge[axis] * factor[axis]);
        Ok(Place { enlarge, ..place })
    }

    /// A stage that repeats rows and columns of another one.
    pub(super) fn enlarged(&mut self, name: &str, source: usize, factor: [usize; 2]) -> Result<usize, ExportError> {
        if factor == [1; 2] {
            return Ok(source);
        }
        let rows = row_factors(name, self.stages[source].shape.h.into(), factor[0])?;
        let name = &format!("{name} (upsampling)");
        let mut stage = source;
        // The last one repeats the columns, so that the rows before it are short.
        for index in 0..rows.len().max(1) {
            let Shape { h, w, c } = self.stages[stage].shape;
            let row = rows.get(index).copied().unwrap_or(1);
            let column = if index + 1 == rows.len().max(1) { factor[1] } else { 1 };
            let shape = Shape { h: h * row as u16, w: w * column as u16, c };
            let map = CopyMap { enlarge: [row, column], ..CopyMap::identity(c.into()) };
            let rows = enlarged_rows(self.stages[stage].shape, row);
            stage = self.copy(name, shape, map, vec![Read { source: stage as u16, rows }]);
        }
        Ok(stage)
    }

    /// Makes stages of an enlargement as far as it is by more than a convolution takes in.
    pub(super) fn enlarge_in_part(&mut self, node: usize) -> Result<(), ExportError> {
        self.settle(node, Upto::Order)?;
        let mut place = self.places[node].clone();
        let most = |factor: usize| (1..=MAX_PHASES).rev().find(|most| factor.is_multiple_of(*most)).unwrap_or(1);
        let rest = place.enlarge.map(most);
        let first = core::array::from_fn(|axis| place.enlarge[axis] / rest[axis]);
        let name = &self.network.nodes[node].name;
        place.stage = self.enlarged(name, place.stage, first)?;
        place.enlarge = rest;
        self.notes[place.stage].shared = self.readers[node] > 1;
        self.places[node] = place;
        Ok(())
    }

    fn copy(&mut self, name: &str, shape: Shape, map: CopyMap, reads: Vec<Read>) -> usize {
        self.add_stage(name, shape, Op::Copy { map, functions: vec![] }, reads)
    }

    pub(super) fn pixel_shuffle(
        &mut self,
        name: &str,
        source: usize,
        shape: Shape,
        factor: usize,
        blocks_first: bool,
    ) -> Result<Place, ExportError> {
        let place = self.places[source].clone();
        if factor == 1 {
            return Ok(place);
        }
        let is_free = place.is_stage() && !self.notes[place.stage].shared;
        if is_free && self.shuffle_phases(place.stage, factor, blocks_first) {
            return Ok(place);
        }
        let stage = self.whole(source)?;
        if is_free && matches!(self.stages[stage].op, Op::Product { columns: Axis::NONE, .. }) {
            return self
                .reorder(source, Order { shape, from: shuffle(self.stages[stage].shape, factor, blocks_first) });
        }
        let rows = row_factors(name, self.stages[stage].shape.h.into(), factor)?;
        if rows.len() == 1 {
            let channels = usize::from(shape.c);
            let steps = if blocks_first { [1, factor * channels, channels] } else { [factor * factor, factor, 1] };
            let map = CopyMap { enlarge: [factor; 2], steps, ..CopyMap::identity(channels) };
            let rows = enlarged_rows(self.stages[stage].shape, factor);
            return Ok(Place::stage(self.copy(name, shape, map, vec![Read { source: stage as u16, rows }])));
        }
        if blocks_first {
            return Ok(Place::stage(self.blocks_first(name, stage, &rows, factor, shape)));
        }
        let found = format!("a pixel shuffle by {factor} of a map");
        Err(refuse(name, "pixel shuffles by 2, 3 or 4", found, "shuffle by 4 or less, several times"))
    }

    /// Pixel shuffle of the channels of a convolution, which is made finer instead: a phase for each pixel of a block.
    /// False where it is none, or has too many phases then.
    fn shuffle_phases(&mut self, stage: usize, factor: usize, blocks_first: bool) -> bool {
        let Stage { shape, op, reads, .. } = &mut self.stages[stage];
        let Op::Product { columns, groups: 1, blocks } = op else { return false };
        let finer = |axis: &Axis| {
            let phases = axis.phases.iter().flat_map(|phase| core::iter::repeat_n(*phase, factor));
            let phases = Phases::try_from(&*phases.collect::<Vec<_>>()).ok()?;
            Some(Axis { phases, ..*axis })
        };
        if *columns == Axis::NONE {
            return false;
        }
        let (Some(fine_rows), Some(fine_columns)) = (finer(&reads[0].rows), finer(columns)) else { return false };
        let channels = usize::from(shape.c) / (factor * factor);
        let (rows, columns_count) = (fine_rows.phases.len(), fine_columns.phases.len());
        let mut shuffled = Vec::with_capacity(rows * columns_count);
        for (y, x) in (0..rows).flat_map(|y| (0..columns_count).map(move |x| (y, x))) {
            let from = &blocks[y / factor * (columns_count / factor) + x / factor];
            let per_channel = from.weights.len() / from.bias.len();
            let source = |c: usize| match blocks_first {
                true => (y % factor * factor + x % factor) * channels + c,
                false => (c * factor + y % factor) * factor + x % factor,
            };
            shuffled.push(Block {
                weights: (0..channels)
                    .flat_map(|c| &from.weights[source(c) * per_channel..][..per_channel])
                    .copied()
                    .collect(),
                bias: (0..channels).map(|c| from.bias[source(c)]).collect(),
            });
        }
        *blocks = shuffled;
        (reads[0].rows, *columns) = (fine_rows, fine_columns);
        *shape = Shape { h: shape.h * factor as u16, w: shape.w * factor as u16, c: channels as u16 };
        true
    }

    /// Depth to space in copies of which each enlarges the rows by one of `rows`, and the first the columns by
    /// `column`. In the source the channel of a pixel (y, x) of a block is
    ///
    /// ```text
    /// channel = ((c·… + y₂)·rows[1] … + y₁)·column + x        y = ((y₁·rows[1]) + y₂)·rows[2] + …
    /// ```
    pub(super) fn depth_to_space(
        &mut self,
        name: &str,
        source: usize,
        rows: &[usize],
        column: usize,
        shape: Shape,
    ) -> usize {
        let name = &format!("{name} (depth to space)");
        let mut stage = source;
        for index in 0..rows.len().max(1) {
            let Shape { h, c, .. } = self.stages[stage].shape;
            let row = rows.get(index).copied().unwrap_or(1);
            let column = if index == 0 { column } else { 1 };
            let channels = usize::from(c) / (row * column);
            let map =
                CopyMap { enlarge: [row, column], steps: [row * column, column, 1], ..CopyMap::identity(channels) };
            let is_last = index + 1 >= rows.len();
            // Whole blocks until the last copy, which leaves out what is too much.
            let h = if is_last { shape.h } else { h * row as u16 };
            let made = Shape { h, w: shape.w, c: channels as u16 };
            let rows = enlarged_rows(self.stages[stage].shape, row);
            stage = self.copy(name, made, map, vec![Read { source: stage as u16, rows }]);
        }
        stage
    }

    /// Pixel shuffle by more than one copy can, of channels that are blocks of rows first, then columns.
    fn blocks_first(&mut self, name: &str, source: usize, rows: &[usize], factor: usize, shape: Shape) -> usize {
        let mut stage = source;
        let mut channels = usize::from(self.stages[source].shape.c);
        for row in rows {
            channels /= row;
            let Shape { h, w, .. } = self.stages[stage].shape;
            let made = Shape { h: h * *row as u16, w, c: channels as u16 };
            let map = CopyMap { enlarge: [*row, 1], steps: [1, channels, 0], ..CopyMap::identity(channels) };
            let rows = enlarged_rows(self.stages[stage].shape, *row);
            stage = self.copy(name, made, map, vec![Read { source: stage as u16, rows }]);
        }
        channels /= factor;
        let map = CopyMap { enlarge: [1, factor], steps: [1, 0, channels], ..CopyMap::identity(channels) };
        self.copy(name, shape, map, vec![Read::same(stage as u16)])
    }

    /// Channels of several nodes, one after the other: copies of two, of which neighbours are joined first.
    pub(super) fn concat(&mut self, name: &str, sources: &[usize]) -> Result<Place, ExportError> {
        if let [source] = sources {
            return Ok(self.places[*source].clone());
        }
        // The first of two may be enlarged on the way.
        let mut parts = Vec::with_capacity(sources.len());
        for (index, &source) in sources.iter().enumerate() {
            let place = self.places[source].clone();
            let plain = Place { enlarge: [1; 2], ..place.clone() };
            let shape = self.stages[place.stage].shape;
            let is_first = index % 2 == 0 && index + 1 < sources.len();
            parts.push(if is_first && plain.is_stage() && (shape.h == 1 || place.enlarge[0] <= MAX_PHASES) {
                (place.stage, place.enlarge)
            } else {
                (self.whole(source)?, [1; 2])
            });
        }
        while parts.len() > 1 {
            let pairs: Vec<_> = parts.chunks(2).map(<[_]>::to_vec).collect();
            parts = pairs
                .into_iter()
                .map(|pair| match pair[..] {
                    [(a, enlarge), (b, _)] => (self.concatenated(name, a, enlarge, b), [1; 2]),
                    _ => pair[0],
                })
                .collect();
        }
        Ok(Place::stage(parts[0].0))
    }

    fn concatenated(&mut self, name: &str, a: usize, enlarge: [usize; 2], b: usize) -> usize {
        let (first, second) = (self.stages[a].shape, self.stages[b].shape);
        let shape = Shape { c: first.c + second.c, ..second };
        let map = CopyMap { enlarge, ..CopyMap::identity(first.c.into()) };
        let rows = if first.h == second.h { Axis::SAME } else { enlarged_rows(first, enlarge[0]) };
        self.copy(name, shape, map, vec![Read { source: a as u16, rows }, Read::same(b as u16)])
    }

    pub(super) fn slice(
        &mut self,
        name: &str,
        source: usize,
        shape: Shape,
        starts: [usize; 3],
    ) -> Result<Place, ExportError> {
        if shape == self.shapes[source] {
            return Ok(self.places[source].clone());
        }
        let [channel, row, column] = starts;
        if let Some(stage) = self.part_of_product(name, source, channel, shape.c.into()) {
            return Ok(Place::stage(stage));
        }
        let stage = self.whole(source)?;
        let start = i16::try_from(row).map_err(|_| ExportError::TooLarge {
            node: name.to_owned(),
            what: "rows cut off",
            limit: i16::MAX as usize,
            found: row,
        })?;
        let channels = usize::from(shape.c);
        let map = CopyMap { first_column: column, first_channel: channel, ..CopyMap::identity(channels) };
        let rows = Axis { phases: Phases::one(start, 1), ..Axis::SAME };
        Ok(Place::stage(self.copy(name, shape, map, vec![Read { source: stage as u16, rows }])))
    }

    /// Some channels of a product, made by a product of their own: where all readers of node `source` want some of its
    /// channels only, and no channel twice, as for gates and for the scale and shift of a modulation.
    fn part_of_product(&mut self, name: &str, source: usize, first: usize, count: usize) -> Option<usize> {
        let place = &self.places[source];
        let stage = &self.stages[place.stage];
        let Op::Product { columns, groups, blocks } = &stage.op else { return None };
        let [channels, h, w] = dims(stage.shape);
        let readers = self.network.nodes.iter().filter(|node| node.reads.contains(&source));
        let sizes = readers.map(|node| match node.layer {
            Layer::Slice { sizes: [size, rows, columns], .. } if (rows, columns) == (h, w) => size,
            _ => usize::MAX,
        });
        if !place.is_stage() || *groups > 1 || sizes.fold(0, usize::saturating_add) > channels {
            return None;
        }
        let part = |block: &Block| {
            let per_channel = block.weights.len() / channels;
            let weights = block.weights[first * per_channel..][..count * per_channel].to_vec();
            Block { weights, bias: block.bias[first..][..count].to_vec() }
        };
        let op = Op::Product { columns: *columns, groups: 1, blocks: blocks.iter().map(part).collect() };
        let (function, reads) = (stage.function.clone(), stage.reads.clone());
        let stage = self.add_stage(name, Shape { c: count as u16, ..stage.shape }, op, reads);
        self.stages[stage].function = function;
        Some(stage)
    }

    /// Puts rows and columns around node `source`.
    pub(super) fn pad(&mut self, source: usize, pad: Pad) -> Result<Place, ExportError> {
        if pad.padding == [[0; 2]; 2] {
            return Ok(self.places[source].clone());
        }
        let pending = self.places[source].pad;
        let is_more_of_it = |first: Pad| first.border == pad.border && pad.border != Border::Reflect;
        if pending.is_some_and(|first| !is_more_of_it(first)) {
            self.settle(source, Upto::Pad)?;
        }
        let place = &self.places[source];
        if pad.border == Border::Zero && place.affine.as_ref().is_some_and(|affine| !affine.keeps_zero()) {
            self.settle(source, Upto::Affine)?;
        }
        if pad.border == Border::Reflect && place_is_enlarged(&self.places[source]) {
            self.settle(source, Upto::Enlarge)?;
        }
        let place = self.places[source].clone();
        let mut padding = pad.padding;
        if let Some(first) = place.pad {
            let sides = padding.iter_mut().flatten().zip(first.padding.iter().flatten());
            sides.for_each(|(side, first)| *side += first);
        }
        Ok(Place { pad: Some(Pad { padding, ..pad }), ..place })
    }

    /// A stage that has the rows and columns around another one: a convolution of 1 × 1 that reads beyond it.
    pub(super) fn padded(&mut self, name: &str, source: usize, pad: Pad) -> Result<usize, ExportError> {
        let [c, h, w] = dims(self.stages[source].shape);
        let [[top, bottom], [left, right]] = pad.padding;
        let shape = Shape { h: (h + top + bottom) as u16, w: (w + left + right) as u16, c: c as u16 };
        let taps =
            [top, left].map(|before| Taps { step: 1, dilation: 1, phases: vec![(-(before as i32), vec![vec![0]])] });
        let name = &format!("{name} (padding)");
        let bias = &vec![0.0; c];
        let convolution = Convolution { name, source, border: pad.border, shape, taps, groups: c, bias };
        self.convolve(convolution, |_, _, _, _| 1.0)
    }
}

fn place_is_enlarged(place: &Place) -> bool {
    place.enlarge != [1; 2]
}
