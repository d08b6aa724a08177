//! Functions of single values, and joins of tensors that are functions of the same values.

use tract_onnx::tract_hir::internal::*;

use super::OnnxError;
use super::features::{Each, Features, composed};
use super::reader::{Reader, Value, floats};
use super::view::View;
use crate::function::{Binary, Function, Unary};

use Function::{Constant, X};

/// A function of two variables, the first and second of a list.
type Build<'a> = &'a dyn Fn(&[Function]) -> Function;

/// The function that an element-wise operator of tract is, by its name, with its parameter where it has one.
pub(super) fn unary(name: &str, alpha: f32) -> Option<Function> {
    let unary = |kind| Some(Function::unary(kind, X));
    let times = |a: Function, b: Function| Function::binary(Binary::Mul, a, b);
    match name {
        "Abs" => unary(Unary::Abs),
        "Ceil" => unary(Unary::Ceil),
        "Cos" => unary(Unary::Cos),
        "Erf" => unary(Unary::Erf),
        "Exp" => unary(Unary::Exp),
        "Floor" => unary(Unary::Floor),
        "Ln" => unary(Unary::Log),
        "Round" | "RoundHalfToEven" => unary(Unary::Round),
        "Sign" => unary(Unary::Sign),
        "Sin" => unary(Unary::Sin),
        "Sqrt" => unary(Unary::Sqrt),
        "Tanh" => Some(Function::tanh()),
        "Sigmoid" => Some(Function::sigmoid()),
        "LeakyRelu" => Some(Function::leaky_relu(alpha)),
        "Neg" => Some(times(X, Constant(-1.0))),
        "Square" => Some(times(X, X)),
        "Recip" => Some(Function::binary(Binary::Div, Constant(1.0), X)),
        "Rsqrt" => Some(Function::binary(Binary::Div, Constant(1.0), Function::unary(Unary::Sqrt, X))),
        "Not" => Some(Function::binary(Binary::Sub, Constant(1.0), X)),
        "Silu" => Some(times(X, Function::sigmoid())),
        "GeluExact" => Some(Function::gelu()),
        "GeluApproximate" => Some(gelu_by_tanh()),
        "HardSwish" => Some(times(X, Function::affine(1.0 / 6.0, 0.5).max(0.0).min(1.0))),
        "Sinh" => Some(hyperbolic(Binary::Sub)),
        "Cosh" => Some(hyperbolic(Binary::Add)),
        _ => None,
    }
}

/// 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
fn gelu_by_tanh() -> Function {
    let times = |a: Function, b: Function| Function::binary(Binary::Mul, a, b);
    let cube = times(X, times(X, X));
    let sum = Function::binary(Binary::Add, X, times(Constant(0.044_715), cube));
    let inner = times(Constant((2.0 / core::f32::consts::PI).sqrt()), sum);
    let tanh = Function::unary(Unary::Tanh, inner);
    times(times(Constant(0.5), X), Function::binary(Binary::Add, Constant(1.0), tanh))
}

/// The whole part, as a cast to whole numbers leaves it.
pub(super) fn truncated() -> Function {
    let whole = |x: Function| Function::unary(Unary::Floor, x.max(0.0));
    let negative = Function::binary(Binary::Mul, X, Constant(-1.0));
    Function::binary(Binary::Sub, whole(X), whole(negative))
}

/// (eˣ ± e⁻ˣ) / 2
fn hyperbolic(sign: Binary) -> Function {
    let falling = Function::unary(Unary::Exp, Function::binary(Binary::Mul, Constant(-1.0), X));
    let both = Function::binary(sign, Function::unary(Unary::Exp, X), falling);
    Function::binary(Binary::Mul, Constant(0.5), both)
}

/// The function of two variables that a binary operator of tract is, by its name.
pub(super) fn binary(name: &str) -> Option<fn(&[Function]) -> Function> {
    fn greater(a: &Function, b: &Function) -> Function {
        Function::binary(Binary::Greater, a.clone(), b.clone())
    }
    fn not(function: Function) -> Function {
        Function::binary(Binary::Sub, Constant(1.0), function)
    }
    Some(match name {
        "Add" => |p| Function::binary(Binary::Add, p[0].clone(), p[1].clone()),
        "Sub" => |p| Function::binary(Binary::Sub, p[0].clone(), p[1].clone()),
        "SubF" => |p| Function::binary(Binary::Sub, p[1].clone(), p[0].clone()),
        "Mul" | "And" => |p| Function::binary(Binary::Mul, p[0].clone(), p[1].clone()),
        "Div" => |p| Function::binary(Binary::Div, p[0].clone(), p[1].clone()),
        "Max" | "Or" => |p| Function::binary(Binary::Max, p[0].clone(), p[1].clone()),
        "Min" => |p| Function::binary(Binary::Min, p[0].clone(), p[1].clone()),
        "Pow" => |p| power(&p[0], &p[1]),
        "GT" => |p| greater(&p[0], &p[1]),
        "LT" => |p| greater(&p[1], &p[0]),
        "GTE" => |p| not(greater(&p[1], &p[0])),
        "LTE" => |p| not(greater(&p[0], &p[1])),
        "Eq" => |p| {
            let differ = Function::binary(Binary::Add, greater(&p[0], &p[1]), greater(&p[1], &p[0]));
            not(differ)
        },
        "NE" => |p| Function::binary(Binary::Add, greater(&p[0], &p[1]), greater(&p[1], &p[0])),
        _ => return None,
    })
}

/// aᵇ, by products and roots where there are such: a square is what normalizations are known by.
fn power(a: &Function, b: &Function) -> Function {
    let square = || Function::binary(Binary::Mul, a.clone(), a.clone());
    match *b {
        Constant(2.0) => square(),
        Constant(3.0) => Function::binary(Binary::Mul, square(), a.clone()),
        Constant(1.0) => a.clone(),
        Constant(0.5) => Function::unary(Unary::Sqrt, a.clone()),
        Constant(-0.5) => Function::binary(Binary::Div, Constant(1.0), Function::unary(Unary::Sqrt, a.clone())),
        Constant(-1.0) => Function::binary(Binary::Div, Constant(1.0), a.clone()),
        _ => Function::binary(Binary::Pow, a.clone(), b.clone()),
    }
}

/// The second where the first is 1, the third where it is 0. Each of the two sees only the values for which it is
/// taken, so that the other cannot spoil the sum by an infinity.
pub(super) fn select(p: &[Function]) -> Function {
    let (mut yes, mut no) = (p[1].clone(), p[2].clone());
    if let Function::Binary(Binary::Greater, a, b) = &p[0] {
        match (&**a, &**b) {
            (value, Constant(edge)) => {
                yes = replaced(&yes, value, &value.clone().max(*edge));
                no = replaced(&no, value, &value.clone().min(*edge));
            }
            (Constant(edge), value) => {
                yes = replaced(&yes, value, &value.clone().min(*edge));
                no = replaced(&no, value, &value.clone().max(*edge));
            }
            _ => {}
        }
    }
    let other = Function::binary(Binary::Sub, Constant(1.0), p[0].clone());
    let times = |a: Function, b: Function| Function::binary(Binary::Mul, a, b);
    Function::binary(Binary::Add, times(p[0].clone(), yes), times(other, no))
}

/// With another expression wherever `old` stands.
fn replaced(function: &Function, old: &Function, new: &Function) -> Function {
    match function {
        _ if function == old => new.clone(),
        X | Constant(_) => function.clone(),
        Function::Unary(kind, of) => Function::unary(*kind, replaced(of, old, new)),
        Function::Binary(kind, a, b) => Function::binary(*kind, replaced(a, old, new), replaced(b, old, new)),
    }
}

impl Reader<'_> {
    /// A function of tensors that all read the same values, and of constants that differ from channel to channel at
    /// most; nothing where they do not.
    pub fn pointwise(
        &mut self,
        inputs: &[Value],
        sizes: &[usize],
        build: Build<'_>,
    ) -> Result<Option<Features>, OnnxError> {
        let inputs = self.channels_apart(inputs, sizes);
        let inputs = self.alike(inputs, sizes);
        let mut all = inputs.iter().filter_map(|input| match input {
            Value::Features(features) => Some(features),
            _ => None,
        });
        let Some(first) = all.next().cloned() else { return Ok(None) };
        if first.view.sizes() != sizes || !all.all(|other| other.beside(&first)) {
            return Ok(None);
        }
        let stages = |value: &Value| match value {
            Value::Features(features) => Some(features.stages.clone()),
            _ => None,
        };
        let chains: Vec<_> = inputs.iter().filter_map(stages).collect();
        let mut common = 0;
        while chains.iter().all(|chain| chain.get(common).is_some() && chain.get(common) == first.stages.get(common)) {
            common += 1;
        }
        let mut parts = Vec::with_capacity(inputs.len());
        for input in &inputs {
            parts.push(match input {
                Value::Features(features) => composed(&features.stages[common..]),
                Value::Known(tensor) => match self.spread(&first, tensor, sizes)? {
                    Some(each) => each,
                    None => return Ok(None),
                },
                _ => return Ok(None),
            });
        }
        let mut made = Features { stages: first.stages[..common].to_vec(), name: self.name.clone(), ..first };
        made.push(Each::combine(&parts, build));
        Ok(Some(self.settled(made)))
    }

    /// Makes flat vectors that are seen as maps such, where another input is one already.
    fn alike(&mut self, mut inputs: Vec<Value>, sizes: &[usize]) -> Vec<Value> {
        let map = inputs.iter().find_map(|input| match input {
            Value::Features(features) if !matches!(self.shapes[features.node], [_, 1, 1]) => Some(features.clone()),
            _ => None,
        });
        let Some(map) = map.filter(|map| map.view.sizes() == sizes && map.view.covers(self.len(map.node))) else {
            return inputs;
        };
        let groups = self.groups(&map);
        for input in &mut inputs {
            if let Value::Features(features) = &*input
                && features.view.sizes() == sizes
                && matches!(self.shapes[features.node], [_, 1, 1])
            {
                *input = Value::Features(self.arranged(features, &groups));
            }
        }
        inputs
    }

    /// Makes a flat vector that is seen as a map one, if a constant goes along one axis of it: the axis of channels.
    fn channels_apart(&mut self, inputs: &[Value], sizes: &[usize]) -> Vec<Value> {
        let axis = inputs.iter().find_map(|input| {
            let Value::Known(tensor) = input else { return None };
            let long: Vec<usize> = (0..tensor.rank()).filter(|&axis| tensor.shape()[axis] > 1).collect();
            let &[axis] = &long[..] else { return None };
            Some(axis + sizes.len().checked_sub(tensor.rank())?)
        });
        let several = sizes.iter().filter(|&&size| size > 1).count() > 1;
        let mut made = inputs.to_vec();
        let features = made.iter().filter(|value| matches!(value, Value::Features(_))).count();
        for value in &mut made {
            if let (Value::Features(features), Some(axis), true, 1) = (&*value, axis, several, features)
                && features.view.sizes() == sizes
                && matches!(self.shapes[features.node], [_, 1, 1])
            {
                let groups = self.with_channels(features, axis);
                *value = Value::Features(self.arranged(features, &groups));
            }
        }
        made
    }

    /// A constant as a function of the channel, or nothing where it differs within one.
    fn spread(&self, features: &Features, tensor: &Tensor, sizes: &[usize]) -> Result<Option<Each>, OnnxError> {
        let values = floats(tensor, &self.place)?;
        if let Some(&first) = values.first()
            && values.iter().all(|&value| value == first)
        {
            return Ok(Some(Each::Common(Constant(first))));
        }
        // A value that is repeated or left out takes what stands beside it, if that is always the same.
        let [channels, h, w] = self.shapes[features.node];
        let mut placed = vec![None; channels * h * w];
        let from = View::contiguous(tensor.shape()).broadcast(sizes).places();
        for (place, from) in features.view.places().into_iter().zip(from) {
            if placed[place].is_some_and(|before| before != values[from]) {
                return Ok(None);
            }
            placed[place] = Some(values[from]);
        }
        let channel = |row: &[Option<f32>]| {
            let first = row.iter().flatten().next().copied().unwrap_or(0.0);
            row.iter().flatten().all(|&value| value == first).then_some(Constant(first))
        };
        let functions: Option<Vec<Function>> = placed.chunks(h * w).map(channel).collect();
        Ok(functions.map(Each::Channels))
    }
}
