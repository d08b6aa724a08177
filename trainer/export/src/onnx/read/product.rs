//! Products with weights: matrices and convolutions.

use tract_onnx::tract_core::ops::cnn::{Conv, Deconv, KernelFormat, PoolSpec};
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_hir::internal::*;

use super::OnnxError;
use super::features::Features;
use super::reader::{Reader, Value, floats, shape};
use super::view::View;
use crate::layers::{Layer, Window};

/// Products of a layer at most: a large one of a generator for 256×256 pixels has a tenth of that.
const MAX_PRODUCTS: usize = 1 << 34;

/// The axes of a product of a tensor with weights.
#[derive(Default)]
struct Roles {
    /// Summed over: the axis of the tensor, and that of the weights if they have it.
    summed: Vec<(usize, Option<usize>)>,
    /// Of the tensor alone, and where they stand in the output.
    kept: Vec<(usize, usize)>,
    /// Of the weights alone, and where they stand in the output.
    new: Vec<(usize, usize)>,
}

/// One of tract's two convolutions.
#[derive(Clone, Copy)]
pub(super) enum Convolution<'a> {
    Forward(&'a Conv),
    Transposed(&'a Deconv),
}

impl Reader<'_> {
    /// A convolution, by weights of the file or modulated ones.
    pub fn convolution(
        &mut self,
        inputs: &[Value],
        sizes: &[usize],
        op: Convolution<'_>,
    ) -> Result<Features, OnnxError> {
        let Value::Modulated(own) = &inputs[1] else { return self.plain_convolution(inputs, sizes, op) };
        let alone = match op {
            Convolution::Forward(op) => op.group == 1,
            Convolution::Transposed(op) => op.group == 1,
        };
        let silent = match inputs.get(2) {
            Some(Value::Known(bias)) => floats(bias, &self.place)?.iter().all(|&bias| bias == 0.0),
            other => other.is_none(),
        };
        let along = own.factors.iter().all(|(axis, _)| *axis < 2);
        if !alone || !along || own.squared || !silent && own.factors.iter().any(|(axis, _)| *axis == 0) {
            return Err(self.not_yet("has modulated weights of an unusual form", "modulate what the layer reads"));
        }
        let map = self.only_features(&inputs[0])?;
        let read = map.view.sizes();
        let read = self.modulate(map, own, 1, &read)?;
        let mut plain = inputs.to_vec();
        plain[0] = Value::Features(read);
        plain[1] = Value::Known(own.weights.clone());
        let made = self.plain_convolution(&plain, sizes, op)?;
        self.modulate(made, own, 0, sizes)
    }

    fn plain_convolution(
        &mut self,
        inputs: &[Value],
        sizes: &[usize],
        op: Convolution<'_>,
    ) -> Result<Features, OnnxError> {
        match op {
            Convolution::Forward(op) => self.conv(inputs, op, sizes),
            Convolution::Transposed(op) => self.deconv(inputs, op, sizes),
        }
    }

    fn conv(&mut self, inputs: &[Value], op: &Conv, sizes: &[usize]) -> Result<Features, OnnxError> {
        if op.kernel_fmt != KernelFormat::OIHW || op.q_params.is_some() {
            return Err(self.not_yet("is a quantized convolution", "export the float model"));
        }
        let (node, spatial) = self.image(&inputs[0], sizes)?;
        let [_, h, w] = self.shapes[node];
        let pads = op.pool_spec.computed_padding(&[h, w][2 - spatial..]);
        let pads = pads.iter().map(|pad| [pad.pad_before, pad.pad_after]).collect::<Vec<_>>();
        let window = self.window(&op.pool_spec, &pads, sizes[1], op.group);
        let weight = self.weights(&inputs[1])?;
        let bias = self.bias(inputs.get(2), sizes[1])?;
        let to = [sizes[1], steps(&window, h, 0), steps(&window, w, 1)];
        self.agrees(to, sizes)?;
        self.affordable(to[1] * to[2], weight.len())?;
        let name = self.name.clone();
        let made = self.add(&name, Layer::Conv { window, weight, bias }, vec![node], to);
        Ok(Features::new(made, sizes, &name))
    }

    fn deconv(&mut self, inputs: &[Value], op: &Deconv, sizes: &[usize]) -> Result<Features, OnnxError> {
        let (node, spatial) = self.image(&inputs[0], sizes)?;
        let [channels, h, w] = self.shapes[node];
        let spec = &op.pool_spec;
        let sides = &[h, w][2 - spatial..];
        let pads = spec.padding.compute_for_deconv(
            sides,
            &spec.kernel_shape,
            &spec.dilations(),
            &spec.strides(),
            &op.adjustments,
        );
        let pads = pads.map_err(|error| self.tract(&error))?;
        let pads = pads.iter().map(|pad| [pad.pad_before, pad.pad_after]).collect::<Vec<_>>();
        let window = self.window(spec, &pads, sizes[1], op.group);
        let extra = [vec![0; 2 - spatial], op.adjustments.to_vec()].concat();
        let output_padding = [extra[0], extra[1]];
        let weight = transposed(&self.weights(&inputs[1])?, channels, &window);
        let bias = self.bias(inputs.get(2), sizes[1])?;
        let size = |side: usize, axis: usize| {
            let reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1 + output_padding[axis];
            (window.stride[axis] * (side - 1) + reach).saturating_sub(window.padding[axis].iter().sum())
        };
        let to = [sizes[1], size(h, 0), size(w, 1)];
        self.agrees(to, sizes)?;
        self.affordable(h * w, weight.len())?;
        let name = self.name.clone();
        let made = self.add(&name, Layer::ConvTranspose { window, output_padding, weight, bias }, vec![node], to);
        Ok(Features::new(made, sizes, &name))
    }

    /// The node that a convolution reads, and how many axes it goes along.
    fn image(&mut self, input: &Value, sizes: &[usize]) -> Result<(usize, usize), OnnxError> {
        let features = self.only_features(input)?;
        let groups = match sizes.len() {
            4 => [vec![1], vec![2], vec![3]],
            3 => [vec![1], vec![], vec![2]],
            rank => {
                return Err(self.not_yet(&format!("is a convolution over {} axes", rank - 2), "use one or two axes"));
            }
        };
        Ok((self.map(&features, &groups), sizes.len() - 2))
    }

    pub fn window(&self, spec: &PoolSpec, pads: &[[usize; 2]], channels: usize, groups: usize) -> Window {
        // A convolution over one axis has rows of height 1.
        let pair = |values: &[usize], other: usize| match *values {
            [w] => [other, w],
            _ => [values[0], values[1]],
        };
        let padding = match *pads {
            [w] => [[0, 0], w],
            _ => [pads[0], pads[1]],
        };
        Window {
            channels,
            kernel: pair(&spec.kernel_shape, 1),
            stride: pair(&spec.strides(), 1),
            padding,
            dilation: pair(&spec.dilations(), 1),
            groups,
        }
    }

    pub fn agrees(&self, found: [usize; 3], sizes: &[usize]) -> Result<(), OnnxError> {
        let told = &sizes[1..];
        if told == &found[..] || sizes.len() == 3 && told == [found[0], found[2]] {
            return Ok(());
        }
        Err(self.refuse(
            &format!("an output of {found:?}"),
            &format!("{told:?}"),
            "the file is damaged: export it again",
        ))
    }

    /// Refuses a layer with more products than anybody waits for.
    fn affordable(&self, pixels: usize, weights: usize) -> Result<(), OnnxError> {
        let products = pixels.saturating_mul(weights);
        if products <= MAX_PRODUCTS {
            return Ok(());
        }
        let found = format!("{products}, {weights} weights at {pixels} pixels");
        Err(self.refuse(&format!("at most {MAX_PRODUCTS} products"), &found, "make the picture or the layer smaller"))
    }

    /// A product by Einstein's rule, of one tensor with constants.
    pub fn einsum(&mut self, inputs: &[Value], op: &EinSum, sizes: &[usize]) -> Result<Features, OnnxError> {
        let (index, weights) = match (&inputs[0], &inputs[1]) {
            (Value::Known(weights), _) => (1, weights.clone()),
            (_, Value::Known(weights)) => (0, weights.clone()),
            _ => {
                return Err(self.not_yet(
                    "multiplies two tensors that both depend on the input, as self-attention does",
                    "train the generator without it",
                ));
            }
        };
        let features = self.only_features(&inputs[index])?;
        let roles = self.roles(op, index, &features, &weights)?;
        let values = floats(&weights, &self.place)?;
        let matrix = Matrix::new(&roles, &weights, &values);
        let long: Vec<(usize, usize)> =
            roles.kept.iter().copied().filter(|&(axis, _)| features.view.size(axis) > 1).collect();
        let made = if long.is_empty() {
            self.dense(&features, &roles, &matrix)?
        } else {
            self.everywhere(&features, &roles, &long, &matrix)?
        };
        // Axes as they stand in the output.
        let mut order: Vec<usize> = roles.new.iter().map(|&(_, output)| output).collect();
        order.extend(long.iter().map(|&(_, output)| output));
        let lengths: Vec<usize> = order.iter().map(|&axis| sizes[axis]).collect();
        let back: Vec<Vec<usize>> =
            (0..sizes.len()).map(|axis| order.iter().position(|&other| other == axis).into_iter().collect()).collect();
        let view = View::contiguous(&lengths).gathered(&back);
        Ok(Features { node: made, stages: vec![], view, name: self.name.clone() })
    }

    fn roles(&self, op: &EinSum, index: usize, features: &Features, weights: &Tensor) -> Result<Roles, OnnxError> {
        let mut roles = Roles::default();
        for axis in op.axes.iter_all_axes() {
            let data = axis.inputs[index].first().copied();
            let own = axis.inputs[1 - index].first().copied();
            match (data, own, axis.outputs[0].first().copied()) {
                (Some(data), own, None) if own.map_or(1, |own| weights.shape()[own]) == features.view.size(data) => {
                    roles.summed.push((data, own));
                }
                (Some(data), None, Some(output)) => roles.kept.push((data, output)),
                (None, Some(own), Some(output)) => roles.new.push((own, output)),
                // Of an axis that both have, one may have size 1.
                (Some(data), Some(own), Some(output)) if weights.shape()[own] == 1 => {
                    roles.kept.push((data, output));
                }
                (Some(data), Some(own), Some(output)) if features.view.size(data) == 1 => {
                    roles.new.push((own, output));
                }
                (None, Some(own), None) if weights.shape()[own] == 1 => {}
                _ => {
                    let what = format!("is a product {} with weights for each position", op.axes);
                    return Err(self.not_yet(&what, "use a convolution"));
                }
            }
        }
        roles.new.sort_by_key(|&(_, output)| output);
        Ok(roles)
    }

    /// A product that leaves nothing of the tensor's own axes.
    fn dense(&mut self, features: &Features, roles: &Roles, matrix: &Matrix) -> Result<usize, OnnxError> {
        let base = self.emit(features);
        let inputs = self.len(base);
        self.limited(&[matrix.rows, inputs])?;
        let axes: Vec<usize> = roles.summed.iter().map(|&(axis, _)| axis).collect();
        let places = features.view.gathered(&[axes]).places();
        let mut weight = vec![0.0; matrix.rows * inputs];
        for (row, values) in matrix.values.chunks(matrix.columns.max(1)).enumerate() {
            for (&place, value) in places.iter().zip(values) {
                weight[row * inputs + place] += value;
            }
        }
        let to = [matrix.rows, 1, 1];
        let layer = Layer::Dense { shape: shape(to), weight, bias: vec![0.0; matrix.rows] };
        Ok(self.add(&self.name.clone(), layer, vec![base], to))
    }

    /// A product at each place of the axes that are left: a convolution of one pixel.
    fn everywhere(
        &mut self,
        features: &Features,
        roles: &Roles,
        long: &[(usize, usize)],
        matrix: &Matrix,
    ) -> Result<usize, OnnxError> {
        let summed = roles.summed.iter().map(|&(axis, _)| axis).collect();
        let (rows, columns) = if long.len() > 1 { long.split_at(long.len() - 1) } else { long.split_at(0) };
        let axes = |pairs: &[(usize, usize)]| pairs.iter().map(|&(axis, _)| axis).collect::<Vec<_>>();
        let node = self.map(features, &[summed, axes(rows), axes(columns)]);
        let [_, h, w] = self.shapes[node];
        self.limited(&[matrix.rows, h, w])?;
        self.affordable(h * w, matrix.values.len())?;
        let window = Window {
            channels: matrix.rows,
            kernel: [1, 1],
            stride: [1, 1],
            padding: [[0; 2]; 2],
            dilation: [1, 1],
            groups: 1,
        };
        let layer = Layer::Conv { window, weight: matrix.values.clone(), bias: vec![0.0; matrix.rows] };
        Ok(self.add(&self.name.clone(), layer, vec![node], [matrix.rows, h, w]))
    }

    fn weights(&self, value: &Value) -> Result<Vec<f32>, OnnxError> {
        match value {
            Value::Known(tensor) => floats(tensor, &self.place),
            _ => Err(self.not_yet(
                "has weights that depend on the input",
                "scale what it reads and what it makes instead of its weights",
            )),
        }
    }

    fn bias(&self, value: Option<&Value>, channels: usize) -> Result<Vec<f32>, OnnxError> {
        let Some(value) = value else { return Ok(vec![0.0; channels]) };
        match self.weights(value)? {
            one if one.len() == 1 => Ok(vec![one[0]; channels]),
            all if all.len() == channels => Ok(all),
            other => {
                Err(self.refuse(&format!("{channels} biases"), &other.len().to_string(), "export the model again"))
            }
        }
    }
}

/// How often a window fits into a side with its padding.
pub(super) fn steps(window: &Window, side: usize, axis: usize) -> usize {
    let full = side + window.padding[axis].iter().sum::<usize>();
    let reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
    full.checked_sub(reach).map_or(0, |rest| rest / window.stride[axis] + 1)
}

/// Weights as a matrix, `[new axes, summed axes]`.
struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
}

impl Matrix {
    fn new(roles: &Roles, weights: &Tensor, values: &[f32]) -> Self {
        let view = View::contiguous(weights.shape());
        let new = view.gathered(&[roles.new.iter().map(|&(axis, _)| axis).collect()]);
        // An axis that the weights lack has size 1: the tensor is summed over it, with the same weight each time.
        let summed = view.gathered(&[roles.summed.iter().filter_map(|&(_, own)| own).collect()]);
        let (rows, columns) = (new.places(), summed.places());
        let values = rows.iter().flat_map(|row| columns.iter().map(move |column| values[row + column])).collect();
        Self { rows: rows.len(), columns: columns.len(), values }
    }
}

/// Weights `[out, in / groups, …]` of tract's transposed convolution as `[in, out / groups, …]`.
fn transposed(weight: &[f32], inputs: usize, window: &Window) -> Vec<f32> {
    let taps = window.kernel[0] * window.kernel[1];
    let (ins, outs) = (inputs / window.groups, window.channels / window.groups);
    let mut made = vec![0.0; weight.len()];
    for group in 0..window.groups {
        for input in 0..ins {
            for output in 0..outs {
                let from = ((group * outs + output) * ins + input) * taps;
                let to = ((group * ins + input) * outs + output) * taps;
                made[to..to + taps].copy_from_slice(&weight[from..from + taps]);
            }
        }
    }
    made
}
