//! Sums and products of two nodes.

use edgegen_runtime::Shape;
use edgegen_runtime::graph::Read;

use super::{Affine, Fold, Place};
use crate::error::ExportError;
use crate::layers::{Input, Layer};
use crate::stage::Op;

impl Fold<'_> {
    /// `scales[0]·a + scales[1]·b`.
    pub(super) fn add(
        &mut self,
        name: &str,
        sources: [usize; 2],
        shape: Shape,
        scales: [f32; 2],
    ) -> Result<Place, ExportError> {
        for (source, constant) in [(0, 1), (1, 0)] {
            if let Some(values) = self.channel_constant(sources[constant], sources[source], shape) {
                let offset = values.iter().map(|value| scales[constant] * value).collect();
                return self.affine(sources[source], Affine::new(vec![scales[source]; values.len()], offset));
            }
        }
        let stages = self.spread(sources)?;
        Ok(Place::stage(self.add_stages(name, stages, shape, scales)))
    }

    /// `a·b`.
    pub(super) fn multiply(&mut self, name: &str, sources: [usize; 2], shape: Shape) -> Result<Place, ExportError> {
        for (source, constant) in [(0, 1), (1, 0)] {
            if let Some(values) = self.channel_constant(sources[constant], sources[source], shape) {
                let offset = vec![0.0; values.len()];
                return self.affine(sources[source], Affine::new(values, offset));
            }
        }
        let stages = self.spread(sources)?;
        let ones = vec![1.0; shape.c.into()];
        Ok(Place::stage(self.multiply_stages(name, stages, shape, ones, vec![0.0; shape.c.into()])))
    }

    /// The value for each channel of `shape` that node `constant` is, if it is a constant that is the same for all
    /// pixels and node `other` has that shape.
    fn channel_constant(&self, constant: usize, other: usize, shape: Shape) -> Option<Vec<f32>> {
        let Layer::Input(Input::Constant { values, shape: of_constant }) = &self.network.nodes[constant].layer else {
            return None;
        };
        if self.shapes[other] != shape {
            return None;
        }
        let planes = values.chunks_exact(values.len() / usize::from(of_constant.c));
        let same = planes.map(|plane| plane.iter().all(|value| *value == plane[0]).then_some(plane[0]));
        let channels: Vec<f32> = same.collect::<Option<_>>()?;
        Some(if channels.len() == 1 { vec![channels[0]; shape.c.into()] } else { channels })
    }

    /// The stages of two nodes that are joined. Rows and columns of one of them that only repeat are left out, as a
    /// join spreads them itself.
    fn spread(&mut self, sources: [usize; 2]) -> Result<[usize; 2], ExportError> {
        let repeats = |fold: &Self, node: usize| {
            let place = &fold.places[node];
            let Shape { h, w, .. } = fold.stages[place.stage].shape;
            let plain = Place { enlarge: [1; 2], ..place.clone() };
            let is_one = (place.enlarge[0] == 1 || h == 1) && (place.enlarge[1] == 1 || w == 1);
            place.enlarge != [1; 2] && plain.is_stage() && is_one
        };
        let spreads = sources.map(|node| repeats(self, node));
        let mut stages = [0; 2];
        for (index, node) in sources.into_iter().enumerate() {
            // The other one has all rows and columns then.
            stages[index] = if spreads[index] && !spreads[1 - index] && self.is_whole(sources[1 - index], node) {
                self.places[node].stage
            } else {
                self.whole(node)?
            };
        }
        Ok(stages)
    }

    /// Whether node `node` has as many rows and columns as node `other`.
    fn is_whole(&self, node: usize, other: usize) -> bool {
        let (a, b) = (self.shapes[node], self.shapes[other]);
        (a.h, a.w) == (b.h, b.w)
    }

    /// Adds the stage `scales[0]·a + scales[1]·b`.
    pub(super) fn add_stages(&mut self, name: &str, stages: [usize; 2], shape: Shape, scales: [f32; 2]) -> usize {
        let channels = usize::from(shape.c);
        let op = Op::Add { scales, scale: vec![1.0; channels], bias: vec![0.0; channels] };
        self.add_stage(name, shape, op, self.join_reads(stages, shape))
    }

    /// Adds the stage `scale[c]·a·b + bias[c]`.
    pub(super) fn multiply_stages(
        &mut self,
        name: &str,
        stages: [usize; 2],
        shape: Shape,
        scale: Vec<f32>,
        bias: Vec<f32>,
    ) -> usize {
        self.add_stage(name, shape, Op::Multiply { scale, bias }, self.join_reads(stages, shape))
    }

    fn join_reads(&self, stages: [usize; 2], shape: Shape) -> Vec<Read> {
        let read = |stage: usize| {
            let is_same = self.stages[stage].shape.h == shape.h;
            if is_same { Read::same(stage as u16) } else { Read::first(stage as u16) }
        };
        stages.map(read).to_vec()
    }
}
