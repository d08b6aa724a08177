//! Enlargements.

use tract_onnx::tract_core::ops::nn::{CoordTransformer, Interpolator};
use tract_onnx::tract_hir::internal::*;
use tract_onnx_opl::resize::{CoordTransform, Nearest, Resize};

use super::OnnxError;
use super::features::Features;
use super::reader::{Reader, Value, floats};
use crate::layers::Layer;

impl Reader<'_> {
    pub fn resize(
        &mut self,
        features: &Features,
        inputs: &[Value],
        op: &Resize,
        sizes: &[usize],
    ) -> Result<Features, OnnxError> {
        let CoordTransform::Plain(rule) = &op.coord_transformer else {
            return Err(self.not_yet("crops and resizes", "use half-pixel centres"));
        };
        let old = features.view.sizes();
        let changed: Vec<usize> = (0..sizes.len()).filter(|&axis| old[axis] != sizes[axis]).collect();
        let scales = self.scales(inputs, op, &old, sizes)?;
        // A flat vector that is seen as a map becomes one before it grows.
        let map = match self.shapes[features.node] {
            [_, 1, 1] if changed.len() <= 2 => {
                let groups = self.groups_with_pixels(features, &changed);
                self.arranged(features, &groups)
            }
            _ => features.clone(),
        };
        let features = &map;
        match op.interpolator {
            Interpolator::Nearest => {
                let mut made = features.clone();
                for axis in changed {
                    let index = |out: usize| nearest(rule, &op.nearest, out, scales[axis], old[axis], sizes[axis]);
                    let chosen: Vec<usize> = (0..sizes[axis]).map(index).collect();
                    made = self.enlarged(&made, axis, &chosen);
                }
                Ok(made)
            }
            Interpolator::Linear if halves(rule) && whole(&old, sizes, &changed) => {
                Ok(self.linear(features, &changed, sizes))
            }
            _ if op.antialias || op.exclude_outside => {
                Err(self.not_yet("resizes with antialiasing or without what lies outside", "leave that out"))
            }
            _ => {
                let mut made = features.clone();
                for axis in changed {
                    let taps: Vec<Taps> = (0..sizes[axis])
                        .map(|out| taps(rule.transform(out, scales[axis], old[axis], sizes[axis]), op))
                        .collect();
                    made = self.interpolated(&made, axis, &taps)?;
                }
                Ok(made)
            }
        }
    }

    fn scales(&self, inputs: &[Value], op: &Resize, old: &[usize], sizes: &[usize]) -> Result<Vec<f32>, OnnxError> {
        let mut scales: Vec<f32> = old.iter().zip(sizes).map(|(&old, &new)| new as f32 / old as f32).collect();
        if let Some(Value::Known(tensor)) = op.optional_scales_input.and_then(|index| inputs.get(index)) {
            let told = floats(tensor, &self.place)?;
            let axes = op.resized_axes(sizes.len()).map_err(|error| self.tract(&error))?;
            for (axis, scale) in axes.into_iter().zip(told) {
                scales[axis] = scale;
            }
        }
        Ok(scales)
    }

    /// An axis with these indices of the old one, as a view where each is repeated.
    fn enlarged(&mut self, features: &Features, axis: usize, chosen: &[usize]) -> Features {
        let size = features.view.size(axis);
        let factor = chosen.len() / size;
        if factor * size == chosen.len() && chosen.iter().enumerate().all(|(place, &index)| index == place / factor) {
            return Features { view: features.view.clone().repeat(axis, factor), ..features.clone() };
        }
        self.chosen(features, axis, chosen)
    }

    /// Linear interpolation between half-pixel centres, to whole multiples of the size.
    fn linear(&mut self, features: &Features, changed: &[usize], sizes: &[usize]) -> Features {
        let old = features.view.sizes();
        let groups = self.groups_with_pixels(features, changed);
        let node = self.map(features, &groups);
        let factor = |group: &[usize]| match *group {
            [axis] => sizes[axis] / old[axis],
            _ => 1,
        };
        let factor = [factor(&groups[1]), factor(&groups[2])];
        let [c, h, w] = self.shapes[node];
        let layer = Layer::UpsampleLinear { factor };
        let node = self.add(&self.name.clone(), layer, vec![node], [c, h * factor[0], w * factor[1]]);
        self.as_tensor(node, &groups, sizes)
    }

    /// Any other interpolation along an axis: the sum over its taps of what they read, times their weights.
    fn interpolated(&mut self, features: &Features, axis: usize, taps: &[Taps]) -> Result<Features, OnnxError> {
        let size = features.view.size(axis) as isize;
        let mut sizes = features.view.sizes();
        sizes[axis] = taps.len();
        let mut sum: Option<Value> = None;
        for tap in 0..taps[0].weights.len() {
            let place = |taps: &Taps| (taps.first + tap as isize).clamp(0, size - 1) as usize;
            let chosen: Vec<usize> = taps.iter().map(place).collect();
            let weights: Vec<f32> = taps.iter().map(|taps| taps.weights[tap]).collect();
            let mut shape = vec![1; sizes.len()];
            shape[axis] = weights.len();
            let weights = Tensor::from_shape(&shape, &weights).map_err(|error| self.tract(&error))?;
            let read = Value::Features(self.chosen(features, axis, &chosen));
            let part = self.binary("Mul", &[read, Value::Known(weights.into_arc_tensor())], &sizes)?;
            sum = Some(match sum {
                None => part,
                Some(sum) => self.binary("Add", &[sum, part], &sizes)?,
            });
        }
        let sum = sum.ok_or_else(|| self.refuse("an interpolation", "none", "export the model again"))?;
        self.only_features(&sum)
    }
}

/// What one value of an interpolation reads.
struct Taps {
    /// Index of the first value.
    first: isize,
    weights: Vec<f32>,
}

/// Two values for linear interpolation, four for cubic.
fn taps(place: f32, op: &Resize) -> Taps {
    let (below, t) = (place.floor(), place - place.floor());
    let first = below as isize;
    if op.interpolator == Interpolator::Linear {
        return Taps { first, weights: vec![1.0 - t, t] };
    }
    // The cubic convolution of Keys 1981, with the file's a.
    let a = op.cubic_coeff_a();
    let near = |x: f32| ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    let far = |x: f32| ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a;
    Taps { first: first - 1, weights: vec![far(1.0 + t), near(t), near(1.0 - t), far(2.0 - t)] }
}

/// Whether a rule means half-pixel centres.
fn halves(rule: &CoordTransformer) -> bool {
    use CoordTransformer::{HalfPixel, HalfPixelSymmetric, PytorchHalfPixel};
    matches!(rule, HalfPixel | PytorchHalfPixel | HalfPixelSymmetric)
}

/// Whether at most two axes grow, by whole factors.
fn whole(old: &[usize], sizes: &[usize], changed: &[usize]) -> bool {
    changed.len() <= 2 && changed.iter().all(|&axis| sizes[axis].is_multiple_of(old[axis]))
}

/// The index that nearest resizing reads for index `out`.
fn nearest(rule: &CoordTransformer, rounding: &Nearest, out: usize, scale: f32, old: usize, new: usize) -> usize {
    let place = rule.transform(out, scale, old, new);
    let below = place.floor();
    let up = match rounding {
        Nearest::Floor => false,
        Nearest::Ceil => place > below,
        Nearest::RoundPreferFloor => place - below > 0.5,
        Nearest::RoundPreferCeil => place - below >= 0.5,
    };
    (below + f32::from(u8::from(up))).clamp(0.0, old as f32 - 1.0) as usize
}
