//! Weights times a style (Karras et al. 2020, StyleGAN2): a convolution whose weights are scaled for each input and
//! output channel is the same one between two products of maps by vectors.

use tract_onnx::tract_core::ops::nn::{Reduce, Reducer};
use tract_onnx::tract_hir::internal::*;

use super::OnnxError;
use super::features::{Each, Features};
use super::reader::{Reader, Value, floats, shape};
use super::view::View;
use crate::function::{Binary, Function};
use crate::layers::Layer;

use Function::X;

/// Axes of weights at least.
const RANK: usize = 4;

/// Constants of the file times vectors that follow from the inputs.
#[derive(Clone, Debug)]
pub(super) struct Modulated {
    pub weights: Arc<Tensor>,
    /// An axis of the weights and what goes along it.
    pub factors: Vec<(usize, Features)>,
    /// Whether it is the square of all that.
    pub squared: bool,
}

impl Modulated {
    fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.weights, &other.weights) && self.factors == other.factors && self.squared == other.squared
    }
}

/// The axis that a vector goes along.
fn axis(features: &Features) -> Option<usize> {
    let long: Vec<usize> = (0..features.view.rank()).filter(|&axis| features.view.size(axis) > 1).collect();
    match long[..] {
        [axis] => Some(axis),
        _ => None,
    }
}

impl Reader<'_> {
    /// A product that makes modulated weights, or that they take in.
    pub fn modulated(&mut self, name: &str, inputs: &[Value]) -> Result<Option<Value>, OnnxError> {
        let made = |modulated: Modulated| Ok(Some(Value::Modulated(Box::new(modulated))));
        match (name, &inputs[0], &inputs[1]) {
            ("Mul", Value::Known(weights), Value::Features(by))
            | ("Mul", Value::Features(by), Value::Known(weights)) => {
                let long = weights.shape().iter().filter(|&&size| size > 1).count();
                match axis(by).filter(|_| weights.rank() >= RANK && by.view.rank() == weights.rank() && long > 1) {
                    Some(axis) if weights.shape()[axis] == by.view.size(axis) => {
                        made(Modulated { weights: weights.clone(), factors: vec![(axis, by.clone())], squared: false })
                    }
                    _ => Ok(None),
                }
            }
            ("Mul", Value::Modulated(own), Value::Features(by))
            | ("Mul", Value::Features(by), Value::Modulated(own)) => {
                let same_rank = by.view.rank() == own.weights.rank() && !own.squared;
                match axis(by).filter(|&axis| same_rank && own.weights.shape()[axis] == by.view.size(axis)) {
                    Some(axis) => {
                        let mut all = (**own).clone();
                        all.factors.push((axis, by.clone()));
                        made(all)
                    }
                    None => Ok(None),
                }
            }
            ("Mul", Value::Modulated(own), Value::Known(by)) | ("Mul", Value::Known(by), Value::Modulated(own))
                if by.len() == 1 && !own.squared =>
            {
                let factor = floats(by, &self.place)?[0];
                let scaled: Vec<f32> =
                    floats(&own.weights, &self.place)?.iter().map(|weight| weight * factor).collect();
                let weights = Tensor::from_shape(own.weights.shape(), &scaled).map_err(|error| self.tract(&error))?;
                made(Modulated { weights: weights.into_arc_tensor(), ..(**own).clone() })
            }
            ("Mul", Value::Modulated(a), Value::Modulated(b)) if a.same(b) && !a.squared => {
                made(Modulated { squared: true, ..(**a).clone() })
            }
            ("Pow", Value::Modulated(own), Value::Known(two)) if !own.squared => {
                let square = floats(two, &self.place)?.iter().all(|&two| two == 2.0);
                if square { made(Modulated { squared: true, ..(**own).clone() }) } else { Ok(None) }
            }
            _ => Ok(None),
        }
    }

    /// The sum of squares of each output channel's weights: a matrix times the squares of the vector.
    pub fn demodulation(
        &mut self,
        own: &Modulated,
        op: &Reduce,
        sizes: &[usize],
    ) -> Result<Option<Features>, OnnxError> {
        let shape_of = own.weights.shape();
        let kept: Vec<usize> =
            (0..shape_of.len()).filter(|axis| !op.axes.contains(axis) && shape_of[*axis] > 1).collect();
        let (&[out], [(input, by)]) = (&kept[..], &own.factors[..]) else { return Ok(None) };
        if op.reducer != Reducer::Sum || !own.squared || !op.axes.contains(input) {
            return Ok(None);
        }
        let (rows, columns) = (shape_of[out], shape_of[*input]);
        let others = (0..shape_of.len()).filter(|&axis| axis != out && axis != *input).collect();
        let places = View::contiguous(shape_of).gathered(&[vec![out], vec![*input], others]).places();
        let values = floats(&own.weights, &self.place)?;
        let taps = values.len() / (rows * columns);
        let matrix: Vec<f32> =
            places.chunks(taps).map(|places| places.iter().map(|&place| values[place] * values[place]).sum()).collect();
        // The columns are those of the vector, wherever its elements stand among the values of its node.
        let mut square = by.clone();
        square.push(Each::Common(Function::binary(Binary::Mul, X, X)));
        let base = self.emit(&square);
        let inputs = self.len(base);
        let mut weight = vec![0.0; rows * inputs];
        for (row, values) in matrix.chunks(columns).enumerate() {
            for (place, value) in by.view.places().into_iter().zip(values) {
                weight[row * inputs + place] += value;
            }
        }
        let name = self.name.clone();
        let layer = Layer::Dense { shape: shape([rows, 1, 1]), weight, bias: vec![0.0; rows] };
        let node = self.add(&name, layer, vec![base], [rows, 1, 1]);
        Ok(Some(Features::new(node, sizes, &name)))
    }

    /// An operator that gives the weights' axes other names.
    pub fn modulated_axes(&mut self, own: &Modulated, op: &AxisOp) -> Result<Value, OnnxError> {
        let mut weights = (*own.weights).clone();
        let mut factors = Vec::with_capacity(own.factors.len());
        for (axis, by) in &own.factors {
            let moved = match op {
                AxisOp::Reshape(first, from, to) if (*first..first + from.len()).contains(axis) => {
                    // The axis stays what it is where only axes of size 1 come or go.
                    let size = |dim: &TDim| dim.to_usize().unwrap_or(0);
                    let long =
                        |dims: &[TDim]| -> Vec<usize> { (0..dims.len()).filter(|&at| size(&dims[at]) > 1).collect() };
                    let place = long(from).iter().position(|at| first + at == *axis);
                    let same = long(from).len() == long(to).len();
                    place.filter(|_| same).map(|place| first + long(to)[place])
                }
                AxisOp::Reshape(first, from, to) if *axis >= first + from.len() => Some(axis + to.len() - from.len()),
                AxisOp::Reshape(..) => Some(*axis),
                other => other.transform_axis(*axis),
            };
            let moved =
                moved.ok_or_else(|| self.not_yet("reshapes modulated weights", "modulate what the layer reads"))?;
            factors.push((moved, by.clone()));
        }
        op.change_tensor(&mut weights, false).map_err(|error| self.tract(&error))?;
        Ok(Value::Modulated(Box::new(Modulated { weights: weights.into_arc_tensor(), factors, squared: own.squared })))
    }

    /// Modulated weights as a tensor.
    pub fn settled_weights(&mut self, own: &Modulated) -> Result<Features, OnnxError> {
        let sizes = own.weights.shape().to_vec();
        let mut made = Value::Known(own.weights.clone());
        for (_, by) in &own.factors {
            made = Value::Features(self.joined("Mul", &made, &Value::Features(by.clone()), &sizes)?);
        }
        let mut features = self.only_features(&made)?;
        if own.squared {
            features.push(Each::Common(Function::binary(Binary::Mul, X, X)));
        }
        Ok(features)
    }

    /// A map times the vectors of an axis of the weights: 1 for the channels that are read, 0 for those that are made.
    pub fn modulate(
        &mut self,
        map: Features,
        own: &Modulated,
        axis: usize,
        sizes: &[usize],
    ) -> Result<Features, OnnxError> {
        let mut made = Value::Features(map);
        for (_, by) in own.factors.iter().filter(|(other, _)| *other == axis) {
            let long = (0..by.view.rank()).filter(|&axis| by.view.size(axis) > 1).collect();
            let mut groups = vec![Vec::new(); sizes.len()];
            groups[1] = long;
            let by = Features { view: by.view.gathered(&groups), ..by.clone() };
            made = self.binary("Mul", &[made, Value::Features(by)], sizes)?;
        }
        self.only_features(&made)
    }
}
