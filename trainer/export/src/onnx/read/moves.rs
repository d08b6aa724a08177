//! Operators that only move values, and the layers that do it where a view is not enough.

use tract_onnx::tract_core::ops::array::{Gather, MultiBroadcastTo, Slice, StridedSlice, Tile, TypedConcat};
use tract_onnx::tract_core::ops::downsample::Downsample;
use tract_onnx::tract_hir::internal::*;

use super::OnnxError;
use super::features::Features;
use super::reader::{Reader, Value, shape};
use super::view::View;
use crate::layers::Layer;

impl Reader<'_> {
    /// An operator that gives axes other names or splits and joins them.
    pub fn axes(&mut self, features: &Features, op: &AxisOp) -> Result<Features, OnnxError> {
        let view = features.view.clone();
        let view = match op {
            AxisOp::Add(axis) => view.insert(*axis),
            AxisOp::Rm(axis) => view.remove(*axis),
            AxisOp::Move(from, to) => view.shift(*from, *to),
            AxisOp::Reshape(first, from, to) => {
                let to: Vec<usize> = to.iter().filter_map(|dim| dim.to_usize().ok()).collect();
                match view.reshape(*first, from.len(), &to) {
                    Some(view) => view,
                    None => return Ok(self.reshaped(features, *first, from.len(), &to)),
                }
            }
        };
        Ok(Features { view, ..features.clone() })
    }

    /// A reshape that no strides do: the values are put in order first.
    fn reshaped(&mut self, features: &Features, first: usize, count: usize, to: &[usize]) -> Features {
        let long: Vec<usize> = (0..features.view.rank()).filter(|&axis| features.view.size(axis) > 1).collect();
        let ordered = self.arranged(features, &[long, vec![], vec![]]);
        let view = ordered.view.reshape(first, count, to).unwrap_or(ordered.view);
        Features { view, ..ordered }
    }

    pub fn broadcast(&mut self, features: &Features, op: &MultiBroadcastTo) -> Option<Features> {
        let sizes = op.shape.as_concrete()?;
        Some(Features { view: features.view.broadcast(sizes), ..features.clone() })
    }

    pub fn tile(&mut self, features: &Features, op: &Tile) -> Option<Features> {
        let mut view = features.view.clone();
        for (axis, times) in op.multipliers.iter().enumerate() {
            view = view.tile(axis, times.to_usize().ok()?);
        }
        Some(Features { view, ..features.clone() })
    }

    pub fn slice(&mut self, features: &Features, op: &Slice) -> Option<Features> {
        let (start, end) = (op.start.to_usize().ok()?, op.end.to_usize().ok()?);
        Some(self.sliced(features, op.axis, start, end - start, 1))
    }

    pub fn downsample(&mut self, features: &Features, op: &Downsample) -> Features {
        let size = features.view.size(op.axis);
        let step = op.stride.unsigned_abs();
        let count = (size - op.modulo).div_ceil(step);
        let first = if op.stride > 0 { op.modulo } else { size - 1 - op.modulo };
        self.sliced(features, op.axis, first, count, op.stride)
    }

    /// A slice by constant places, which may be steps apart or backwards.
    pub fn strided(&mut self, features: &Features, inputs: &[Value], op: &StridedSlice) -> Result<Features, OnnxError> {
        let known = |index: usize| match inputs.get(index) {
            Some(Value::Known(tensor)) => Some(tensor.clone()),
            _ => None,
        };
        let numbers = |index: Option<usize>| -> Option<Vec<i32>> {
            let cast = known(index?)?.cast_to::<i32>().ok()?.into_owned();
            Some(cast.try_as_plain_ram().ok()?.as_slice::<i32>().ok()?.to_vec())
        };
        let refuse = |reader: &Self| reader.not_yet("slices at places that depend on the input", "use fixed places");
        let (Some(begin), Some(end)) = (known(1), known(2)) else { return Err(refuse(self)) };
        let rank = features.view.rank();
        let steps = numbers(op.optional_steps_input).unwrap_or_else(|| vec![1; rank]);
        let axes = numbers(op.optional_axes_input).unwrap_or_else(|| (0..rank as i32).collect());
        let mut made = features.clone();
        for (index, axis) in axes.into_iter().enumerate() {
            let axis = axis.rem_euclid(rank as i32) as usize;
            let size = made.view.size(axis).to_dim();
            let part = op.prepare_one_dim(index, &size, &begin, &end, &steps).map_err(|error| self.tract(&error))?;
            let (Some(first), Some(end)) = (part.begin.as_i64(), part.end.as_i64()) else { return Err(refuse(self)) };
            let step = i64::from(part.stride);
            if step == 0 {
                return Err(self.refuse("a step of another number than 0", "0", "export the model again"));
            }
            let count = ((end - first).abs() + step.abs() - 1) / step.abs();
            made = self.sliced(&made, axis, first as usize, count as usize, step as isize);
        }
        Ok(made)
    }

    /// Every `step`th index of an axis.
    pub fn sliced(&mut self, features: &Features, axis: usize, first: usize, count: usize, step: isize) -> Features {
        if first == 0 && step == 1 && count == features.view.size(axis) {
            return features.clone();
        }
        if let Some(view) = features.view.slice(axis, first, count, step) {
            return Features { view, ..features.clone() };
        }
        let groups = self.with_channels(features, axis);
        let ordered = self.arranged(features, &groups);
        let view = ordered.view.slice(axis, first, count, step).unwrap_or(ordered.view.clone());
        Features { view, ..ordered }
    }

    /// Elements of an axis by constant indices.
    pub fn gather(&mut self, features: &Features, op: &Gather, indices: &Tensor) -> Result<Features, OnnxError> {
        let size = features.view.size(op.axis);
        let found = indices
            .cast_to::<i64>()
            .ok()
            .and_then(|it| Some(it.try_as_plain_ram().ok()?.as_slice::<i64>().ok()?.to_vec()));
        let chosen: Option<Vec<usize>> =
            found.map(|list| list.iter().map(|&index| index.rem_euclid(size as i64) as usize).collect());
        let chosen = chosen.ok_or_else(|| self.refuse("constant indices", "others", "export the model again"))?;
        let made = match chosen[..] {
            [first] => self.sliced(features, op.axis, first, 1, 1),
            _ => self.chosen(features, op.axis, &chosen),
        };
        // One axis becomes those of the indices.
        let view = made.view.reshape(op.axis, 1, indices.shape());
        let view = view.ok_or_else(|| self.refuse("indices in order", "others", "export the model again"))?;
        Ok(Features { view, ..made })
    }

    /// Elements of an axis in any order.
    pub fn chosen(&mut self, features: &Features, axis: usize, chosen: &[usize]) -> Features {
        let groups = self.groups(features);
        let order = groups.concat();
        let view = features.view.gathered(&groups);
        let sizes: Vec<usize> = order.iter().map(|&axis| features.view.size(axis)).collect();
        let place = order.iter().position(|&other| other == axis).unwrap_or(0);
        let (inner, outer) = (sizes[place + 1..].iter().product::<usize>(), sizes[..place].iter().product::<usize>());
        let places = view.places();
        let mut from = Vec::with_capacity(outer * chosen.len() * inner);
        for block in 0..outer {
            for &index in chosen {
                let start = (block * sizes[place] + index) * inner;
                from.extend_from_slice(&places[start..start + inner]);
            }
        }
        let size = |axes: &[usize]| -> usize {
            axes.iter().map(|&other| if other == axis { chosen.len() } else { features.view.size(other) }).product()
        };
        let base = self.emit(features);
        let node = self.moved(base, [size(&groups[0]), size(&groups[1]), size(&groups[2])], from, &self.name.clone());
        let made: Vec<usize> = order.iter().map(|&axis| size(&[axis])).collect();
        let back: Vec<Vec<usize>> = (0..features.view.rank())
            .map(|axis| order.iter().position(|&other| other == axis).into_iter().collect())
            .collect();
        Features { node, stages: vec![], view: View::contiguous(&made).gathered(&back), name: self.name.clone() }
    }

    /// Tensors one after the other along an axis.
    pub fn concat(&mut self, inputs: &[Value], op: &TypedConcat) -> Result<Features, OnnxError> {
        let model = inputs.iter().find_map(|input| match input {
            Value::Features(features) => Some(features.clone()),
            _ => None,
        });
        let Some(model) = model else { return Err(self.refuse("a tensor", "nothing", "export the model again")) };
        let mut groups = self.groups(&model);
        if groups[0] != [op.axis] {
            groups = self.with_channels(&model, op.axis);
        }
        let mut reads = Vec::with_capacity(inputs.len());
        for input in inputs {
            let features = self.features(input, &model)?;
            reads.push(self.map(&features, &groups));
        }
        let [_, h, w] = self.shapes[reads[0]];
        let channels = reads.iter().map(|&node| self.shapes[node][0]).sum();
        let node = self.add(&self.name.clone(), Layer::Concat, reads, [channels, h, w]);
        let order = groups.concat();
        let sizes: Vec<usize> =
            order.iter().map(|&axis| if axis == op.axis { channels } else { model.view.size(axis) }).collect();
        let back: Vec<Vec<usize>> = (0..model.view.rank())
            .map(|axis| order.iter().position(|&other| other == axis).into_iter().collect())
            .collect();
        Ok(Features { node, stages: vec![], view: View::contiguous(&sizes).gathered(&back), name: self.name.clone() })
    }

    /// A node of this shape whose values are those of another node in other places: the plainest layer that does it.
    pub fn moved(&mut self, base: usize, to: [usize; 3], from: Vec<usize>, name: &str) -> usize {
        let old = self.shapes[base];
        let layer = if old == to && from.iter().enumerate().all(|(place, &from)| place == from) {
            return base;
        } else if let Some(starts) = boxed(old, to, &from) {
            Layer::Slice { starts, sizes: to }
        } else if let Some(factor) = repeated(old, to, &from) {
            Layer::UpsampleNearest { factor }
        } else if let Some((factor, blocks_first)) = shuffled(old, to, &from) {
            Layer::PixelShuffle { factor, blocks_first }
        } else {
            Layer::Reorder { shape: shape(to), from }
        };
        self.add(name, layer, vec![base], to)
    }
}

/// Place of a value in the order C, H, W.
fn place([_, h, w]: [usize; 3], c: usize, y: usize, x: usize) -> usize {
    (c * h + y) * w + x
}

/// Whether `from` is what a rule says for each channel, row and column.
fn follows(to: [usize; 3], from: &[usize], rule: impl Fn(usize, usize, usize) -> usize) -> bool {
    let [_, h, w] = to;
    from.iter().enumerate().all(|(index, &from)| from == rule(index / (h * w), index / w % h, index % w))
}

/// Where a box of the old map starts.
fn boxed(old: [usize; 3], to: [usize; 3], from: &[usize]) -> Option<[usize; 3]> {
    let first = *from.first()?;
    let starts = [first / (old[1] * old[2]), first / old[2] % old[1], first % old[2]];
    let inside = (0..3).all(|axis| starts[axis] + to[axis] <= old[axis]);
    let rule = |c, y, x| place(old, starts[0] + c, starts[1] + y, starts[2] + x);
    (inside && follows(to, from, rule)).then_some(starts)
}

/// How often each pixel is repeated.
fn repeated(old: [usize; 3], to: [usize; 3], from: &[usize]) -> Option<[usize; 2]> {
    let factor = [to[1] / old[1], to[2] / old[2]];
    let whole = old[0] == to[0] && (0..2).all(|axis| factor[axis] > 0 && old[axis + 1] * factor[axis] == to[axis + 1]);
    (whole && follows(to, from, |c, y, x| place(old, c, y / factor[0], x / factor[1]))).then_some(factor)
}

/// The factor of a depth to space, and whether the block is the slower part of the channel.
fn shuffled(old: [usize; 3], to: [usize; 3], from: &[usize]) -> Option<(usize, bool)> {
    let factor = to[1] / old[1];
    // A vector made a map is a Reorder, which joins the weights before it.
    let whole = old[1] * old[2] > 1
        && factor > 1
        && to[1] == old[1] * factor
        && to[2] == old[2] * factor
        && to[0] * factor * factor == old[0];
    if !whole {
        return None;
    }
    let fits = |blocks_first: bool| {
        follows(to, from, |c, y, x| {
            let block = (y % factor) * factor + x % factor;
            let channel = if blocks_first { block * to[0] + c } else { c * factor * factor + block };
            place(old, channel, y / factor, x / factor)
        })
    };
    if fits(false) {
        return Some((factor, false));
    }
    fits(true).then_some((factor, true))
}
