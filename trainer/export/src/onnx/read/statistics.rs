//! Means and variances, and the normalizations that are made of them, as operators or written out.
//!
//! tract makes an InstanceNormalization the sums, squares and roots of its definition, as people do who write one out.
//! So sums are not made layers at once: a sum, what is done with it, and a difference from it stay what they are until
//! it is clear that a normalization comes of them, or something else uses them.

use tract_onnx::tract_core::ops::nn::{Reduce, Reducer};
use tract_onnx::tract_hir::internal::*;

use super::OnnxError;
use super::features::{Each, Features, Stage, linear};
use super::pointwise;
use super::reader::{Reader, Value, floats};
use crate::function::{Binary, Function};
use crate::layers::{Layer, Over, Window};

use Function::{Constant, X};

/// How far a function may be from the one that it is taken for, of its value.
const TOLERANCE: f32 = 1e-4;

/// A function of a statistic of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statistic {
    /// The tensor.
    pub of: Features,
    /// Axes that it is taken over.
    pub axes: Vec<usize>,
    pub kind: Kind,
    /// What is done with it.
    pub function: Function,
    /// What it is multiplied by then.
    pub gains: Vec<Arc<Tensor>>,
    /// Sizes of the tensor that it is.
    pub sizes: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Mean,
    /// The mean of squares.
    Squares,
    /// The mean of squares of differences from the mean.
    Variance,
}

/// A tensor less its mean, or the square of that.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Centred {
    pub of: Features,
    /// Axes that the mean is taken over.
    pub axes: Vec<usize>,
    pub squared: bool,
}

impl Statistic {
    /// Whether it has the axes of its tensor, those that it is taken over with size 1.
    pub fn aligned(&self) -> bool {
        let size = |axis| if self.axes.contains(&axis) { 1 } else { self.of.view.size(axis) };
        (0..self.of.view.rank()).map(size).eq(self.sizes.iter().copied())
    }

    /// Whether it is of the same tensor over the same axes.
    fn beside(&self, other: &Self) -> bool {
        self.of == other.of && self.axes == other.axes && self.sizes == other.sizes
    }

    /// Gain k and ε where its function of x is k/√(x + ε), or k·√(x + ε) for `inverse`.
    fn root(&self, inverse: bool) -> Option<[f32; 2]> {
        let square = |x: f32| {
            let value = self.function.apply(x);
            if inverse { value * value } else { 1.0 / (value * value) }
        };
        // (x + ε) / k², a line.
        let (zero, one, four) = (square(0.0), square(1.0), square(4.0));
        let slope = (four - one) / 3.0;
        let epsilon = (zero / slope).max(0.0);
        let near = |found: f32, expected: f32| (found - expected).abs() <= TOLERANCE * slope.abs().max(expected.abs());
        let line =
            slope > 0.0 && slope.is_finite() && near(zero, epsilon * slope) && near(one, (1.0 + epsilon) * slope);
        let sign = self.function.apply(1.0).signum();
        let gain = sign / slope.sqrt();
        line.then_some([gain, epsilon])
    }
}

impl Reader<'_> {
    /// A reduction.
    pub fn reduce(&mut self, input: &Value, op: &Reduce, sizes: &[usize]) -> Result<Value, OnnxError> {
        if let Value::Centred(centred) = input {
            let same = centred.axes[..] == op.axes[..];
            let function = match op.reducer {
                Reducer::Sum if same && centred.squared => Some(times(count(&centred.of, &centred.axes))),
                Reducer::MeanOfSquares if same && !centred.squared => Some(X),
                _ => None,
            };
            if let Some(function) = function {
                let of = centred.of.clone();
                return Ok(statistic(of, &op.axes, Kind::Variance, function, sizes));
            }
        }
        if let Value::Modulated(own) = input
            && let Some(made) = self.demodulation(own, op, sizes)?
        {
            return Ok(Value::Features(made));
        }
        let features = self.only_features(input)?;
        let number = count(&features, &op.axes);
        match op.reducer {
            Reducer::Sum | Reducer::Prod | Reducer::Max | Reducer::Min if number == 1 => Ok(Value::Features(features)),
            Reducer::Sum => Ok(match squared(&features) {
                Some(of) => statistic(of, &op.axes, Kind::Squares, times(number), sizes),
                None => statistic(features, &op.axes, Kind::Mean, times(number), sizes),
            }),
            Reducer::MeanOfSquares => Ok(statistic(features, &op.axes, Kind::Squares, X, sizes)),
            reducer => Err(self.not_yet(&format!("takes {reducer:?} over axes {:?}", op.axes), "use a mean instead")),
        }
    }

    /// An operator that gives a statistic's axes other names.
    pub fn statistic_axes(&mut self, mut statistic: Statistic, op: &AxisOp) -> Result<Value, OnnxError> {
        match op {
            _ if !statistic.gains.is_empty() => {
                let features = self.settle(&statistic)?;
                return self.axes(&features, op).map(Value::Features);
            }
            AxisOp::Add(axis) => statistic.sizes.insert(*axis, 1),
            AxisOp::Rm(axis) => {
                statistic.sizes.remove(*axis);
            }
            AxisOp::Reshape(first, from, to) => {
                let to: Vec<usize> = to.iter().filter_map(|dim| dim.to_usize().ok()).collect();
                statistic.sizes.splice(*first..*first + from.len(), to);
            }
            AxisOp::Move(..) => {
                let features = self.settle(&statistic)?;
                return self.axes(&features, op).map(Value::Features);
            }
        }
        Ok(Value::Statistic(Box::new(statistic)))
    }

    /// A function of a statistic or of a difference from a mean.
    pub fn statistic_function(&mut self, input: &Value, function: &Function) -> Result<Value, OnnxError> {
        match input {
            Value::Statistic(statistic) if statistic.gains.is_empty() => {
                let mut made = statistic.clone();
                made.function = function.after(&statistic.function);
                Ok(Value::Statistic(made))
            }
            Value::Centred(centred) if !centred.squared && is_square(function) => {
                Ok(Value::Centred(Box::new(Centred { squared: true, ..(**centred).clone() })))
            }
            Value::Modulated(own) if !own.squared && is_square(function) => {
                let mut made = own.clone();
                made.squared = true;
                Ok(Value::Modulated(made))
            }
            other => {
                if let Value::Term(term) = other
                    && let Some(negative) = Self::negative(term, function)
                {
                    return Ok(negative);
                }
                let mut features = self.only_features(other)?;
                features.push(Each::Common(function.clone()));
                Ok(Value::Features(self.settled(features)))
            }
        }
    }

    /// A binary operator, where one of the two is a statistic or a difference from a mean, and what comes of it is one
    /// again, or a normalization.
    pub fn statistic(&mut self, name: &str, inputs: &[Value]) -> Result<Option<Value>, OnnxError> {
        let (a, b) = (&inputs[0], &inputs[1]);
        let made = match (a, b) {
            (Value::Statistic(own), Value::Known(other)) => self.with_constant(name, own, other, false)?,
            (Value::Known(other), Value::Statistic(own)) => self.with_constant(name, own, other, true)?,
            (Value::Statistic(a), Value::Statistic(b)) => two(name, a, b),
            (Value::Features(of), Value::Statistic(mean)) if name == "Sub" && centres(of, mean) => {
                let axes = mean.axes.clone();
                Some(Value::Centred(Box::new(Centred { of: of.clone(), axes, squared: false })))
            }
            (Value::Centred(a), Value::Centred(b)) if name == "Mul" && a == b && !a.squared => {
                Some(Value::Centred(Box::new(Centred { squared: true, ..(**a).clone() })))
            }
            (Value::Centred(own), Value::Known(two)) if name == "Pow" && !own.squared => {
                let square = floats(two, &self.place)?.iter().all(|&value| value == 2.0);
                square.then(|| Value::Centred(Box::new(Centred { squared: true, ..(**own).clone() })))
            }
            (whole, Value::Statistic(by)) if matches!(name, "Mul" | "Div") => {
                self.normalized(whole, by, name == "Div")?
            }
            (Value::Statistic(by), whole) if name == "Mul" => self.normalized(whole, by, false)?,
            _ => None,
        };
        if made.is_some() { Ok(made) } else { self.term(name, a, b) }
    }

    fn with_constant(
        &self,
        name: &str,
        own: &Statistic,
        other: &Arc<Tensor>,
        first: bool,
    ) -> Result<Option<Value>, OnnxError> {
        let values = floats(other, &self.place)?;
        let mut made = own.clone();
        let same = values.iter().all(|&value| value == values[0]);
        let fits = other.rank() <= own.sizes.len() && other.shape().iter().all(|&size| size == 1);
        if same && fits && own.gains.is_empty() {
            let Some(build) = pointwise::binary(name) else { return Ok(None) };
            let pair = if first {
                [Constant(values[0]), own.function.clone()]
            } else {
                [own.function.clone(), Constant(values[0])]
            };
            made.function = build(&pair);
            return Ok(Some(Value::Statistic(Box::new(made))));
        }
        if name == "Mul" && own.kind != Kind::Mean {
            made.gains.push(other.clone());
            return Ok(Some(Value::Statistic(Box::new(made))));
        }
        Ok(None)
    }

    /// A tensor times or over the root of its variance.
    fn normalized(&mut self, whole: &Value, by: &Statistic, divided: bool) -> Result<Option<Value>, OnnxError> {
        let centred = match whole {
            Value::Centred(own) if !own.squared && own.of == by.of && own.axes == by.axes => by.kind == Kind::Variance,
            Value::Features(own) if *own == by.of && by.kind == Kind::Squares => false,
            _ => return Ok(None),
        };
        if matches!(whole, Value::Centred(_)) != centred || !by.aligned() {
            return Ok(None);
        }
        let Some([gain, epsilon]) = by.root(divided) else { return Ok(None) };
        let Some((of, over)) = self.normalizable(&by.of, &by.axes) else { return Ok(None) };
        let read = self.emit(&of);
        let to = self.shapes[read];
        let layer = Layer::Normalize { over, centred, gamma: vec![gain; to[0]], beta: vec![0.0; to[0]], epsilon };
        let name = self.name.clone();
        let node = self.add(&name, layer, vec![read], to);
        let mut made = Value::Features(Features { node, stages: vec![], name, ..of });
        let sizes = by.of.view.sizes();
        for gain in if divided { &[][..] } else { &by.gains[..] } {
            made = self.binary("Mul", &[made, Value::Known(gain.clone())], &sizes)?;
        }
        if divided && !by.gains.is_empty() {
            return Ok(None);
        }
        Ok(Some(made))
    }

    /// The tensor as a view of a node for which a layer normalizes over these axes.
    fn normalizable(&mut self, of: &Features, axes: &[usize]) -> Option<(Features, Over)> {
        let flat = matches!(self.shapes[of.node], [_, 1, 1]);
        let several = of.view.sizes().iter().filter(|&&size| size > 1).count() > 1;
        if of.view.covers(self.len(of.node))
            && !(flat && several)
            && let Some(over) = self.over(of, self.shapes[of.node], axes)
        {
            return Some((of.clone(), over));
        }
        let long = |axis: &usize| of.view.size(*axis) > 1;
        let kept: Vec<usize> = (0..of.view.rank()).filter(|axis| !axes.contains(axis)).filter(long).collect();
        let reduced: Vec<usize> = axes.iter().copied().filter(long).collect();
        let mut orders = match of.view.rank() {
            3 => vec![[vec![1], vec![], vec![2]], [vec![2], vec![], vec![1]]],
            4 => vec![[vec![1], vec![2], vec![3]], [vec![3], vec![1], vec![2]]],
            5 => vec![[vec![1, 2], vec![3], vec![4]], [vec![3, 4], vec![1], vec![2]]],
            _ => vec![],
        };
        let (rows, columns) = kept.split_at(kept.len().min(1));
        orders.push([reduced.clone(), rows.to_vec(), columns.to_vec()]);
        orders.push([[kept, reduced].concat(), vec![], vec![]]);
        let complete = |groups: &[Vec<usize>; 3]| {
            (0..of.view.rank()).filter(long).all(|axis| groups.iter().any(|group| group.contains(&axis)))
        };
        for groups in orders.into_iter().filter(complete) {
            let sizes = of.view.gathered(&groups).sizes();
            let shown = self.as_tensor(of.node, &groups, &of.view.sizes());
            if let Some(over) = self.over(&shown, [sizes[0], sizes[1], sizes[2]], axes) {
                return Some((self.arranged(of, &groups), over));
            }
        }
        None
    }

    /// What a statistic over some axes of a tensor is taken over, as channels and pixels of its node.
    fn over(&self, of: &Features, [channels, h, w]: [usize; 3], axes: &[usize]) -> Option<Over> {
        let kept: Vec<usize> = (0..of.view.rank()).filter(|axis| !axes.contains(axis)).collect();
        let places = of.view.gathered(&[kept, axes.to_vec()]).places();
        let size = count(of, axes);
        let plane = h * w;
        let pixel = size == channels
            && places.chunks(size).all(|part| part.iter().all(|place| place % plane == part[0] % plane));
        if pixel {
            return Some(Over::Pixel);
        }
        let together = |part: &[usize]| part.iter().all(|place| place / size == part[0] / size);
        let groups = size.is_multiple_of(plane) && places.chunks(size).all(together);
        groups.then_some(Over::Groups { groups: places.len() / size })
    }

    /// A statistic as a tensor.
    pub fn settle(&mut self, statistic: &Statistic) -> Result<Features, OnnxError> {
        let mut of = statistic.of.clone();
        let square = Each::Common(Function::binary(Binary::Mul, X, X));
        match statistic.kind {
            Kind::Mean => {}
            Kind::Squares => of.push(square),
            Kind::Variance => of = self.centre(&of, &statistic.axes, true)?,
        }
        let mut mean = self.mean(&of, &statistic.axes)?;
        mean.push(Each::Common(statistic.function.clone()));
        let rank = mean.view.rank();
        let view = mean.view.reshape(0, rank, &statistic.sizes);
        let view = view.ok_or_else(|| self.refuse("a statistic of these sizes", "others", "export the model again"))?;
        let mut made = Value::Features(Features { view, ..mean });
        let mut sizes = statistic.sizes.clone();
        for gain in &statistic.gains {
            sizes = broadcast(&sizes, gain.shape());
            made = self.binary("Mul", &[made, Value::Known(gain.clone())], &sizes)?;
        }
        self.only_features(&made)
    }

    /// A tensor less its mean over some axes, or the square of that.
    pub fn centre(&mut self, of: &Features, axes: &[usize], squared: bool) -> Result<Features, OnnxError> {
        let mean = self.mean(of, axes)?;
        let both = [Value::Features(of.clone()), Value::Features(mean)];
        let difference = self.binary("Sub", &both, &of.view.sizes())?;
        let mut made = self.only_features(&difference)?;
        if squared {
            made.push(Each::Common(Function::binary(Binary::Mul, X, X)));
        }
        Ok(made)
    }

    /// The mean over some axes, which get size 1.
    pub fn mean(&mut self, of: &Features, axes: &[usize]) -> Result<Features, OnnxError> {
        let long = |axis: &usize| of.view.size(*axis) > 1;
        let kept: Vec<usize> = (0..of.view.rank()).filter(|axis| !axes.contains(axis)).filter(long).collect();
        let reduced: Vec<usize> = axes.iter().copied().filter(long).collect();
        let name = self.name.clone();
        let own = self.groups(of);
        let sizes: Vec<usize> =
            (0..of.view.rank()).map(|axis| if axes.contains(&axis) { 1 } else { of.view.size(axis) }).collect();
        if reduced.is_empty() {
            return Ok(of.clone());
        }
        if own[0] == reduced && kept.len() <= 2 && !kept.is_empty() {
            // The mean of the channels of each pixel.
            let pixels = [kept[..kept.len() - 1].to_vec(), kept[kept.len() - 1..].to_vec()];
            let node = self.map(of, &[reduced, pixels[0].clone(), pixels[1].clone()]);
            let [channels, h, w] = self.shapes[node];
            let node = self.add(&name, one_pixel(channels), vec![node], [1, h, w]);
            return Ok(Features::new(node, &sizes, &name));
        }
        let (rows, columns) = reduced.split_at(reduced.len().min(1));
        let node = self.map(of, &[kept.clone(), rows.to_vec(), columns.to_vec()]);
        let channels = self.shapes[node][0];
        let node = if kept.is_empty() && self.len(node) == self.shapes[node][0].max(1) {
            node
        } else {
            self.add(&name, Layer::GlobalMean, vec![node], [channels, 1, 1])
        };
        Ok(Features::new(node, &sizes, &name))
    }

    /// All values that are not features made so.
    pub fn without_statistics(&mut self, inputs: &[Value]) -> Result<Vec<Value>, OnnxError> {
        let settle = |input: &Value| match input {
            Value::Statistic(_) | Value::Centred(_) | Value::Class(_) | Value::Term(_) | Value::Modulated(_) => {
                self.only_features(input).map(Value::Features)
            }
            other => Ok(other.clone()),
        };
        inputs.iter().map(settle).collect()
    }
}

/// A convolution of one pixel that takes the mean of all channels.
fn one_pixel(channels: usize) -> Layer {
    let window =
        Window { channels: 1, kernel: [1, 1], stride: [1, 1], padding: [[0; 2]; 2], dilation: [1, 1], groups: 1 };
    Layer::Conv { window, weight: vec![1.0 / channels as f32; channels], bias: vec![0.0] }
}

fn statistic(of: Features, axes: &[usize], kind: Kind, function: Function, sizes: &[usize]) -> Value {
    let (axes, sizes) = (axes.to_vec(), sizes.to_vec());
    Value::Statistic(Box::new(Statistic { of, axes, kind, function, gains: vec![], sizes }))
}

/// Two statistics of the same tensor.
fn two(name: &str, a: &Statistic, b: &Statistic) -> Option<Value> {
    if !a.beside(b) || !a.gains.is_empty() || !b.gains.is_empty() {
        return None;
    }
    let whole = |function: &Function| linear(function) == Some([1.0, 0.0]);
    let is_mean_squared = match &b.function {
        Function::Binary(Binary::Mul, x, y) => whole(x) && x == y,
        _ => false,
    };
    let mut made = a.clone();
    if name == "Sub" && (a.kind, b.kind) == (Kind::Squares, Kind::Mean) && whole(&a.function) && is_mean_squared {
        made.kind = Kind::Variance;
        made.function = X;
        return Some(Value::Statistic(Box::new(made)));
    }
    if a.kind != b.kind {
        return None;
    }
    made.function = pointwise::binary(name)?(&[a.function.clone(), b.function.clone()]);
    Some(Value::Statistic(Box::new(made)))
}

/// Whether a statistic is the mean of a tensor and has its axes.
fn centres(of: &Features, mean: &Statistic) -> bool {
    let whole = linear(&mean.function).is_some_and(|[scale, offset]| (scale - 1.0).abs() < 1e-6 && offset == 0.0);
    mean.kind == Kind::Mean && mean.of == *of && whole && mean.gains.is_empty() && mean.aligned()
}

/// The tensor whose square this is.
fn squared(features: &Features) -> Option<Features> {
    let Some(Stage::Function(function)) = features.stages.last() else { return None };
    let Function::Binary(Binary::Mul, a, b) = function else { return None };
    let mut of = features.clone();
    of.stages.pop();
    (a == b).then(|| of.push(Each::Common((**a).clone())));
    (a == b).then_some(of)
}

fn is_square(function: &Function) -> bool {
    *function == Function::binary(Binary::Mul, X, X)
}

/// `number`·x
fn times(number: usize) -> Function {
    if number == 1 { X } else { Function::binary(Binary::Mul, X, Constant(number as f32)) }
}

/// The sizes of two tensors together.
fn broadcast(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let size = |sizes: &[usize], axis: usize| (axis + sizes.len()).checked_sub(rank).map_or(1, |axis| sizes[axis]);
    (0..rank).map(|axis| size(a, axis).max(size(b, axis))).collect()
}

/// How many values lie along some axes.
fn count(features: &Features, axes: &[usize]) -> usize {
    axes.iter().map(|&axis| features.view.size(axis)).product()
}
