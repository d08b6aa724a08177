//! Nonlinearities, batch normalizations and affine maps.

use edgegen_runtime::graph::{Axis, Border, Read};

use super::{Affine, Fold, Place, Upto};
use crate::error::ExportError;
use crate::function::Function;
use crate::stage::{Block, CopyMap, Op, is_depthwise};

impl Affine {
    /// `x·scale[c] + offset[c]`.
    pub(super) fn new(scale: Vec<f32>, offset: Vec<f32>) -> Self {
        Self { mean: vec![0.0; scale.len()], scale, offset }
    }

    /// What 0 becomes in a channel.
    pub(super) fn of_zero(&self, channel: usize) -> f32 {
        self.offset[channel] - self.mean[channel] * self.scale[channel]
    }

    /// Its value for `x` in a channel; the order of the operations is that of batch normalization.
    pub(super) fn apply(&self, channel: usize, x: f32) -> f32 {
        (x - self.mean[channel]) * self.scale[channel] + self.offset[channel]
    }

    /// Whether it leaves zeros as they are.
    pub(super) fn keeps_zero(&self) -> bool {
        (0..self.scale.len()).all(|channel| self.of_zero(channel) == 0.0)
    }

    /// The function that it is where it is the same for all channels.
    fn uniform(&self) -> Option<Function> {
        let same = |list: &[f32]| list.iter().all(|value| *value == list[0]);
        let is_same = same(&self.mean) && same(&self.scale) && same(&self.offset);
        is_same.then(|| Function::affine(self.scale[0], self.of_zero(0)))
    }

    /// This one behind `first`.
    fn after(&self, first: &Self) -> Self {
        let channels = || 0..self.scale.len();
        let scale = channels().map(|c| first.scale[c] * self.scale[c]).collect();
        Self::new(scale, channels().map(|c| self.apply(c, first.of_zero(c))).collect())
    }
}

impl Fold<'_> {
    /// Applies a function to all values of node `source`.
    pub(super) fn activation(&mut self, name: &str, source: usize, function: &Function) -> Result<Place, ExportError> {
        if *function == Function::X {
            return Ok(self.places[source].clone());
        }
        let place = &self.places[source];
        let zeros_change = place.pad.is_some_and(|pad| pad.border == Border::Zero) && function.apply(0.0) != 0.0;
        if place.affine.is_some() || zeros_change || (self.notes[place.stage].shared && !place.is_stage()) {
            self.settle(source, Upto::Pad)?;
        }
        let mut place = self.places[source].clone();
        if self.notes[place.stage].shared {
            place.stage = self.identity(name, place.stage);
        }
        let stage = &mut self.stages[place.stage];
        stage.function = function.after(&stage.function);
        Ok(place)
    }

    /// Applies another function to each channel of node `source`.
    pub(super) fn channel_functions(
        &mut self,
        name: &str,
        source: usize,
        functions: &[Function],
    ) -> Result<Place, ExportError> {
        if functions.iter().all(|function| *function == functions[0]) {
            return self.activation(name, source, &functions[0]);
        }
        let whole = self.whole(source)?;
        let stage = self.identity(name, whole);
        if let Op::Copy { functions: list, .. } = &mut self.stages[stage].op {
            *list = functions.to_vec();
        }
        Ok(Place::stage(stage))
    }

    /// Applies a factor and an offset to each channel of node `source`.
    pub(super) fn affine(&mut self, source: usize, affine: Affine) -> Result<Place, ExportError> {
        let pads_zeros = |place: &Place| place.pad.is_some_and(|pad| pad.border == Border::Zero);
        if pads_zeros(&self.places[source]) && !affine.keeps_zero() {
            self.settle(source, Upto::Pad)?;
        }
        let mut place = self.places[source].clone();
        if let Some(first) = &place.affine {
            place.affine = Some(affine.after(first));
            return Ok(place);
        }
        let is_free = place.order.is_none() && !self.notes[place.stage].shared;
        if is_free && self.scale_stage(place.stage, &affine) {
            return Ok(place);
        }
        if let (Some(function), false) = (affine.uniform(), self.notes[place.stage].shared) {
            let stage = &mut self.stages[place.stage];
            stage.function = function.after(&stage.function);
            return Ok(place);
        }
        place.affine = Some(affine);
        Ok(place)
    }

    /// Takes an affine map into the numbers of a stage, if it has such and no function yet.
    fn scale_stage(&mut self, stage: usize, affine: &Affine) -> bool {
        let inputs = self.stages[stage].reads.first().map_or(0, |read| self.stages[usize::from(read.source)].shape.c);
        let stage = &mut self.stages[stage];
        if stage.function != Function::X {
            return false;
        }
        match &mut stage.op {
            Op::Product { groups, blocks, .. } => {
                let is_depthwise = is_depthwise(*groups, inputs.into(), stage.shape.c.into());
                // A block has the channels of a group, but for a depthwise one and that of a single group.
                let groups = if is_depthwise { 1 } else { *groups };
                for (index, block) in blocks.iter_mut().enumerate() {
                    let channels = block.bias.len();
                    let first = index % groups * channels;
                    // Of a phase without taps there are none.
                    let per_channel = if is_depthwise { 1 } else { block.weights.len() / channels }.max(1);
                    for (i, weights) in block.weights.chunks_exact_mut(per_channel).enumerate() {
                        weights.iter_mut().for_each(|weight| *weight *= affine.scale[first + i % channels]);
                    }
                    for (c, bias) in block.bias.iter_mut().enumerate() {
                        *bias = affine.apply(first + c, *bias);
                    }
                }
                true
            }
            Op::Add { scale, bias, .. } | Op::Multiply { scale, bias } => {
                for (c, (scale, bias)) in scale.iter_mut().zip(bias).enumerate() {
                    *bias = affine.apply(c, *bias);
                    *scale *= affine.scale[c];
                }
                true
            }
            _ => false,
        }
    }

    /// A stage with an affine map of the values of another one: a convolution of 1 × 1 with a group for each channel.
    pub(super) fn scaled(&mut self, name: &str, source: usize, affine: &Affine) -> usize {
        let shape = self.stages[source].shape;
        let bias = (0..affine.scale.len()).map(|c| affine.of_zero(c)).collect();
        let blocks = vec![Block { weights: affine.scale.clone(), bias }];
        let op = Op::Product { columns: Axis::SAME, groups: shape.c.into(), blocks };
        self.add_stage(&format!("{name} (scale)"), shape, op, vec![Read::same(source as u16)])
    }

    /// A stage with the values of another one.
    pub(super) fn identity(&mut self, name: &str, source: usize) -> usize {
        let shape = self.stages[source].shape;
        let op = Op::Copy { map: CopyMap::identity(shape.c.into()), functions: vec![] };
        self.add_stage(name, shape, op, vec![Read::same(source as u16)])
    }
}
