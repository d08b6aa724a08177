//! Permutations: reshapes, flattenings, transpositions.
//!
//! Behind a dense layer they permute its rows, before one its columns. Elsewhere a copy does those that are regular
//! enough, and a convolution with weights of 0 and 1 those that bring together what lies in a block of pixels.

use edgegen_runtime::Shape;
use edgegen_runtime::graph::{Axis, Border, MAX_PHASES, Phase, Phases, Read};

use super::product::Convolution;
use super::taps::Taps;
use super::{Fold, Order, Place, Upto, refuse};
use crate::error::ExportError;
use crate::layers::dims;
use crate::stage::{Block, CopyMap, Op, Stage};

/// Weights of a convolution that only permutes, at most.
const MOST_WEIGHTS: usize = 1 << 18;

/// A pixel shuffle as a permutation.
pub(super) fn shuffle(input: Shape, factor: usize, blocks_first: bool) -> Vec<usize> {
    let [c, h, w] = dims(input);
    let channels = c / (factor * factor);
    let mut from = Vec::with_capacity(input.len());
    for channel in 0..channels {
        for (y, x) in (0..h * factor).flat_map(|y| (0..w * factor).map(move |x| (y, x))) {
            let (fy, fx) = (y % factor, x % factor);
            let source = match blocks_first {
                true => (fy * factor + fx) * channels + channel,
                false => (channel * factor + fy) * factor + fx,
            };
            from.push((source * h + y / factor) * w + x / factor);
        }
    }
    from
}

impl Order {
    /// Channel, row and column in a source of shape `input` of the value at channel, row and column.
    fn source(&self, input: Shape, [c, y, x]: [usize; 3]) -> [usize; 3] {
        let [_, h, w] = dims(self.shape);
        let [_, input_h, input_w] = dims(input);
        let from = self.from[(c * h + y) * w + x];
        [from / (input_h * input_w), from / input_w % input_h, from % input_w]
    }

    /// Channels, rows and columns of all values.
    fn places(&self) -> impl Iterator<Item = [usize; 3]> {
        let [c, h, w] = dims(self.shape);
        (0..c).flat_map(move |c| (0..h).flat_map(move |y| (0..w).map(move |x| [c, y, x])))
    }

    /// The rows and the rest of a copy that does it.
    fn as_copy(&self, input: Shape) -> Option<(Axis, CopyMap)> {
        let [c, h, w] = dims(self.shape);
        let at = |place| self.source(input, place);
        let [first_channel, _, first_column] = at([0; 3]);
        let wide = (0..w).take_while(|&x| at([0, 0, x])[2] == first_column).count();
        // From one channel, row or column to the next.
        let step = |place: [usize; 3], is_there: bool| {
            if is_there { at(place)[0].checked_sub(first_channel) } else { Some(0) }
        };
        let of_channel = if c == 1 { 1 } else { step([1, 0, 0], true)? };
        let (of_row, of_column) = (step([0, 1, 0], h > 1).unwrap_or(0), step([0, 0, 1], wide > 1)?);
        let rows: Vec<usize> = (0..h).map(|y| at([0, y, 0])[1]).collect();
        let axis = regular(&rows)?;
        let candidates = (1..=h).map(|high| CopyMap {
            enlarge: [high, wide],
            first_column,
            first_channel,
            steps: [of_channel, if high > 1 { of_row } else { 0 }, of_column],
            split: c,
        });
        let fits = |map: &CopyMap| {
            self.places().all(|[c, y, x]| {
                let channel = first_channel
                    + c * map.steps[0]
                    + y % map.enlarge[0] * map.steps[1]
                    + x % map.enlarge[1] * map.steps[2];
                at([c, y, x]) == [channel, rows[y], first_column + x / map.enlarge[1]]
            })
        };
        candidates.into_iter().find(fits).map(|map| (axis, map))
    }

    /// For each channel the channel, row and column in a block of pixels, of the size that is given first.
    fn as_blocks(&self, input: Shape) -> Option<([usize; 2], Vec<[usize; 3]>)> {
        let ([c, h, w], [_, input_h, input_w]) = (dims(self.shape), dims(input));
        let block = [input_h / h, input_w / w];
        if block.contains(&0) || block[0] * h != input_h || block[1] * w != input_w {
            return None;
        }
        let sources: Vec<[usize; 3]> = (0..c).map(|c| self.source(input, [c, 0, 0])).collect();
        let inside = sources.iter().all(|[_, y, x]| *y < block[0] && *x < block[1]);
        let fits = |[c, y, x]: [usize; 3]| {
            let [channel, in_y, in_x] = sources[c];
            self.source(input, [c, y, x]) == [channel, y * block[0] + in_y, x * block[1] + in_x]
        };
        (inside && self.places().all(fits)).then_some((block, sources))
    }
}

/// The axis that reads one position each, those that are given; `None` where they are not regular.
fn regular(positions: &[usize]) -> Option<Axis> {
    let start = |position: usize| Some(Phase { start: i16::try_from(position).ok()?, taps: 1 });
    (1..=MAX_PHASES.min(positions.len())).find_map(|count| {
        let step = match positions.get(count) {
            Some(next) => next.checked_sub(positions[0])?,
            None => 0,
        };
        let fits = |(o, &position): (usize, &usize)| positions[o % count] + o / count * step == position;
        if !positions.iter().enumerate().all(fits) {
            return None;
        }
        let phases: Option<Vec<Phase>> = positions[..count].iter().map(|&position| start(position)).collect();
        Some(Axis { step: u16::try_from(step).ok()?, dilation: 1, phases: Phases::try_from(&*phases?).ok()? })
    })
}

impl Fold<'_> {
    /// Permutes the values of node `source`.
    pub(super) fn reorder(&mut self, source: usize, order: Order) -> Result<Place, ExportError> {
        let is_identity = order.from.iter().enumerate().all(|(i, &from)| i == from);
        if is_identity && order.shape == self.shapes[source] {
            return Ok(self.places[source].clone());
        }
        let place = self.places[source].clone();
        if place.is_stage() && !self.notes[place.stage].shared && self.permute_dense(place.stage, &order) {
            return Ok(place);
        }
        if place.affine.is_some() || place.enlarge != [1; 2] || place.pad.is_some() {
            self.settle(source, Upto::Pad)?;
        }
        let mut place = self.places[source].clone();
        let from = match &place.order {
            Some(first) => order.from.iter().map(|&from| first.from[from]).collect(),
            None => order.from,
        };
        place.order = Some(Order { shape: order.shape, from });
        Ok(place)
    }

    /// Permutes the rows of a dense layer, if the stage is one.
    fn permute_dense(&mut self, stage: usize, order: &Order) -> bool {
        let Stage { shape, op, .. } = &mut self.stages[stage];
        let Op::Product { columns: Axis::NONE, blocks, .. } = op else { return false };
        let area = usize::from(shape.h) * usize::from(shape.w);
        let new_area = usize::from(order.shape.h) * usize::from(order.shape.w);
        let inputs = blocks[0].weights.len() / blocks[0].bias.len();
        let new = (0..new_area).map(|position| {
            let mut block = Block { weights: Vec::new(), bias: Vec::new() };
            for channel in 0..usize::from(order.shape.c) {
                let from = order.from[channel * new_area + position];
                let (old, row) = (&blocks[from % area], from / area);
                block.weights.extend(&old.weights[row * inputs..][..inputs]);
                block.bias.push(old.bias[row]);
            }
            block
        });
        *blocks = new.collect();
        *shape = order.shape;
        true
    }

    /// A stage with the values of another one in another order.
    pub(super) fn reordered(&mut self, name: &str, source: usize, order: &Order) -> Result<usize, ExportError> {
        let input = self.stages[source].shape;
        let stage_name = &format!("{name} (reorder)");
        if let Some((rows, map)) = order.as_copy(input) {
            let op = Op::Copy { map, functions: vec![] };
            return Ok(self.add_stage(stage_name, order.shape, op, vec![Read { source: source as u16, rows }]));
        }
        match order.as_blocks(input) {
            Some((block, sources)) if block[0] * block[1] * usize::from(input.c) * sources.len() <= MOST_WEIGHTS => {
                let axis = |size: usize| Taps {
                    step: size,
                    dilation: 1,
                    phases: vec![(0, (0..size).map(|k| vec![k]).collect())],
                };
                let bias = &vec![0.0; sources.len()];
                let (shape, taps, border) = (order.shape, block.map(axis), Border::Zero);
                let convolution = Convolution { name: stage_name, source, border, shape, taps, groups: 1, bias };
                self.convolve(convolution, |channel, input, ky, kx| {
                    f32::from(u8::from(sources[channel] == [input, ky, kx]))
                })
            }
            _ => {
                let expected = "a permutation next to a dense layer, or a regular one";
                let found = format!("one of {input} to {}", order.shape);
                Err(refuse(name, expected, found, "put it before or behind a dense layer"))
            }
        }
    }
}
