//! Sums and products of two tensors that both follow from the inputs, or of one with a constant map.

use super::OnnxError;
use super::features::{Each, Features, Stage, linear};
use super::pointwise;
use super::reader::{Reader, Value, floats, shape};
use super::view::View;
use crate::function::{Binary, Function};
use crate::layers::{Input, Layer};

use Function::{Constant, X};

impl Reader<'_> {
    /// A binary operator of tract, by its name.
    pub fn binary(&mut self, name: &str, inputs: &[Value], sizes: &[usize]) -> Result<Value, OnnxError> {
        if let Some(value) = self.statistic(name, inputs)? {
            return Ok(value);
        }
        if let Some(value) = self.modulated(name, inputs)? {
            return Ok(value);
        }
        let inputs = self.without_statistics(inputs)?;
        let build = pointwise::binary(name).ok_or_else(|| self.not_yet(&format!("computes {name}"), "replace it"))?;
        if let Some(features) = self.pointwise(&inputs, sizes, &build)? {
            return Ok(Value::Features(features));
        }
        self.joined(name, &inputs[0], &inputs[1], sizes).map(Value::Features)
    }

    /// Two tensors that do not read the same values.
    pub fn joined(&mut self, name: &str, a: &Value, b: &Value, sizes: &[usize]) -> Result<Features, OnnxError> {
        let (a, b) = self.layouts(a, b, sizes)?;
        let negative = Each::Common(Function::binary(Binary::Mul, X, Constant(-1.0)));
        let inverse = Each::Common(Function::binary(Binary::Div, Constant(1.0), X));
        match name {
            "Add" => self.sum(a, b, sizes),
            "Sub" => self.sum(a, with(b, negative), sizes),
            "SubF" => self.sum(with(a, negative), b, sizes),
            "Mul" | "And" => self.product_of(a, b, sizes),
            "Div" => self.product_of(a, with(b, inverse), sizes),
            "Max" | "Min" => {
                // max(a, b) = b + max(a − b, 0)
                let difference = self.sum(a, with(b.clone(), negative), sizes)?;
                let zero = if name == "Max" { X.max(0.0) } else { X.min(0.0) };
                self.sum(with(difference, Each::Common(zero)), b, sizes)
            }
            _ => Err(self.not_yet(
                &format!("computes {name} of two tensors that both depend on the input"),
                "use sums and products of them",
            )),
        }
    }

    /// Both as features.
    fn layouts(&mut self, a: &Value, b: &Value, sizes: &[usize]) -> Result<(Features, Features), OnnxError> {
        match (a, b) {
            (Value::Features(model), other) => {
                let model = model.clone();
                Ok((model.clone(), self.aligned(other, &model, sizes)?))
            }
            (other, Value::Features(model)) => {
                let model = model.clone();
                Ok((self.aligned(other, &model, sizes)?, model))
            }
            _ => Err(self.refuse("a tensor that follows from the input", "none", "export the model again")),
        }
    }

    /// A constant with axes in the order of a model's node, and everything else as it is.
    fn aligned(&mut self, value: &Value, model: &Features, sizes: &[usize]) -> Result<Features, OnnxError> {
        let Value::Known(tensor) = value else { return self.features(value, model) };
        let mut groups = self.groups(model);
        // The constant may be longer where the model has size 1: then the usual order holds.
        if tensor.rank() == sizes.len() && tensor.shape() != model.view.sizes() {
            let longer = (0..sizes.len()).any(|axis| tensor.shape()[axis] > model.view.size(axis));
            if longer {
                let long: Vec<usize> = (0..sizes.len()).filter(|&axis| sizes[axis] > 1).collect();
                groups = match (sizes, &long[..]) {
                    ([1, _, _, _], _) => [vec![1], vec![2], vec![3]],
                    (_, [c, h, w @ ..]) => [vec![*c], vec![*h], w.to_vec()],
                    (_, [c]) => [vec![*c], vec![], vec![]],
                    _ => groups,
                };
            }
        }
        let full: Vec<usize> = [vec![1; sizes.len() - tensor.rank()], tensor.shape().to_vec()].concat();
        let values = floats(tensor, &self.place)?;
        self.constant(&values, &full, &groups)
    }

    /// Numbers of the file as a node, its axes grouped as those of another tensor.
    pub fn constant(
        &mut self,
        values: &[f32],
        sizes: &[usize],
        groups: &[Vec<usize>; 3],
    ) -> Result<Features, OnnxError> {
        let view = View::contiguous(sizes);
        let map = view.gathered(groups);
        let own = map.sizes();
        let to = [own[0], own[1], own[2]];
        self.limited(&to)?;
        let values: Vec<f32> = map.places().into_iter().map(|place| values[place]).collect();
        let layer = Layer::Input(Input::Constant { shape: shape(to), values });
        let name = self.name.clone();
        let node = self.add(&name, layer, vec![], to);
        let order = groups.concat();
        let lengths: Vec<usize> = order.iter().map(|&axis| sizes[axis]).collect();
        let back: Vec<Vec<usize>> =
            (0..sizes.len()).map(|axis| order.iter().position(|&other| other == axis).into_iter().collect()).collect();
        Ok(Features { node, stages: vec![], view: View::contiguous(&lengths).gathered(&back), name })
    }

    fn sum(&mut self, a: Features, b: Features, sizes: &[usize]) -> Result<Features, OnnxError> {
        let ((mut a, mut b), mut scales) = ((a, b), [1.0, 1.0]);
        for (scale, features) in scales.iter_mut().zip([&mut a, &mut b]) {
            if let Some(Stage::Function(function)) = features.stages.last()
                && let Some([factor, 0.0]) = linear(function)
            {
                features.stages.pop();
                *scale = factor;
            }
        }
        self.join(a, b, sizes, |swapped| Layer::Add { scales: if swapped { [scales[1], scales[0]] } else { scales } })
    }

    fn product_of(&mut self, a: Features, b: Features, sizes: &[usize]) -> Result<Features, OnnxError> {
        self.join(a, b, sizes, |_| Layer::Mul)
    }

    /// A layer of two tensors, the smaller one in the order of the larger one's node.
    fn join(
        &mut self,
        a: Features,
        b: Features,
        sizes: &[usize],
        layer: impl Fn(bool) -> Layer,
    ) -> Result<Features, OnnxError> {
        self.limited(sizes)?;
        let full = |reader: &Self, features: &Features| {
            features.view.sizes() == sizes && features.view.covers(reader.len(features.node))
        };
        // A map shows the order better than a flat vector that was reshaped.
        let flat = |reader: &Self, features: &Features| matches!(reader.shapes[features.node], [_, 1, 1]);
        let swapped = full(self, &b) && (!full(self, &a) || flat(self, &a) && !flat(self, &b));
        let (large, small) = if swapped { (b, a) } else { (a, b) };
        let large = if full(self, &large) {
            large
        } else {
            let view = large.view.broadcast(sizes);
            self.plain(&Features { view, ..large })
        };
        let large = self.as_map(large, &small, sizes);
        let first = self.emit(&large);
        let second = self.beneath(&large, first, &small, sizes);
        let shape = self.shapes[first];
        let node = self.add(&self.name.clone(), layer(swapped), vec![first, second], shape);
        Ok(Features { node, stages: vec![], name: self.name.clone(), ..large })
    }

    /// A flat vector that is seen as a map, as a map: its channels are what `small` has one value each for, as gains
    /// that follow from the input are, and else the usual ones.
    fn as_map(&mut self, features: Features, small: &Features, sizes: &[usize]) -> Features {
        let several = features.view.sizes().iter().filter(|&&size| size > 1).count() > 1;
        if !several || !matches!(self.shapes[features.node], [_, 1, 1]) {
            return features;
        }
        let offset = sizes.len() - small.view.rank();
        let long: Vec<usize> = (0..small.view.rank()).filter(|&axis| small.view.size(axis) > 1).collect();
        let groups = match long[..] {
            [axis] => self.with_channels(&features, offset + axis),
            _ => self.groups(&features),
        };
        self.arranged(&features, &groups)
    }

    /// A node with the values of `small` that stand beside those of the node `first`, which `large` is a view of.
    fn beneath(&mut self, large: &Features, first: usize, small: &Features, sizes: &[usize]) -> usize {
        let base = self.emit(small);
        let to = self.shapes[first];
        if small.view == large.view && self.shapes[base] == to {
            return base;
        }
        let mut from = vec![0; to.iter().product()];
        for (place, other) in large.view.places().into_iter().zip(small.view.broadcast(sizes).places()) {
            from[place] = other;
        }
        let [c, h, w] = to;
        let plane = h * w;
        let same_pixels = from.chunks(plane).all(|map| map.iter().all(|&other| other == map[0]));
        let same_channels = from.chunks(plane).all(|map| map == &from[..plane]);
        let (to, from) = match (same_pixels, same_channels) {
            (true, true) => ([1, 1, 1], vec![from[0]]),
            (true, false) => ([c, 1, 1], from.chunks(plane).map(|map| map[0]).collect()),
            (false, true) => ([1, h, w], from[..plane].to_vec()),
            (false, false) => (to, from),
        };
        self.moved(base, to, from, &small.name)
    }
}

/// With a function more.
fn with(mut features: Features, each: Each) -> Features {
    features.push(each);
    features
}
