//! Tensors that follow from the inputs: a node, functions of its values that are still to come, and a view of the
//! result.
//!
//! Functions are put off so that those of one value become one, however many operators the file has for it: `x ·
//! sigmoid(x)` reads the same node twice and is one function of it.

use super::OnnxError;
use super::reader::Reader;
use super::view::{Stride, View};
use crate::function::{Binary, Function};
use crate::layers::{Layer, Node};

/// Parts of an expression at most; a larger one becomes a node of its own.
const MAX_PARTS: usize = 400;

/// A tensor that follows from the inputs.
#[derive(Clone, Debug)]
pub(super) struct Features {
    /// The node that it reads.
    pub node: usize,
    /// What happens to each of the node's values, first to last.
    pub stages: Vec<Stage>,
    /// Where the tensor's elements stand among the values of the node.
    pub view: View,
    /// What the file calls it.
    pub name: String,
}

/// The same values, whatever they are called.
impl PartialEq for Features {
    fn eq(&self, other: &Self) -> bool {
        self.beside(other) && self.stages == other.stages
    }
}

/// A function of each value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    /// The same for all.
    Function(Function),
    /// Scale and offset of each channel.
    Affine(Vec<[f32; 2]>),
    /// Another one for each channel.
    Channels(Vec<Function>),
}

/// A function, the same for all values or one for each channel.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Each {
    Common(Function),
    Channels(Vec<Function>),
}

impl Each {
    /// That of a channel.
    pub fn get(&self, channel: usize) -> &Function {
        match self {
            Self::Common(function) => function,
            Self::Channels(functions) => &functions[channel],
        }
    }

    /// `build` of these functions, for all channels at once where they are the same.
    pub fn combine(parts: &[Self], build: &dyn Fn(&[Function]) -> Function) -> Self {
        let channels = parts.iter().find_map(|part| match part {
            Self::Common(_) => None,
            Self::Channels(functions) => Some(functions.len()),
        });
        let at = |channel| build(&parts.iter().map(|part| part.get(channel).clone()).collect::<Vec<_>>());
        match channels {
            None => Self::Common(at(0)),
            Some(count) => {
                let functions: Vec<Function> = (0..count).map(at).collect();
                match functions.windows(2).all(|pair| pair[0] == pair[1]) {
                    true => Self::Common(functions[0].clone()),
                    false => Self::Channels(functions),
                }
            }
        }
    }
}

impl Stage {
    fn each(&self) -> Each {
        match self {
            Self::Function(function) => Each::Common(function.clone()),
            Self::Affine(pairs) => Each::Channels(pairs.iter().map(|&[a, b]| Function::affine(a, b)).collect()),
            Self::Channels(functions) => Each::Channels(functions.clone()),
        }
    }
}

/// What `stages` do together.
pub(super) fn composed(stages: &[Stage]) -> Each {
    stages.iter().fold(Each::Common(Function::X), |inner, stage| {
        Each::combine(&[stage.each(), inner], &|parts| parts[0].after(&parts[1]))
    })
}

/// Scale and offset, if that is all a function does.
pub(super) fn linear(function: &Function) -> Option<[f32; 2]> {
    match function {
        Function::X => Some([1.0, 0.0]),
        Function::Constant(value) => Some([0.0, *value]),
        Function::Unary(..) => None,
        Function::Binary(kind, a, b) => {
            let ([a, c], [b, d]) = (linear(a)?, linear(b)?);
            match kind {
                Binary::Add => Some([a + b, c + d]),
                Binary::Sub => Some([a - b, c - d]),
                Binary::Mul if a == 0.0 => Some([c * b, c * d]),
                Binary::Mul if b == 0.0 => Some([a * d, c * d]),
                Binary::Div if b == 0.0 => Some([a / d, c / d]),
                _ => None,
            }
        }
    }
}

/// How many parts an expression has.
fn parts(function: &Function) -> usize {
    match function {
        Function::X | Function::Constant(_) => 1,
        Function::Unary(_, of) => 1 + parts(of),
        Function::Binary(_, a, b) => 1 + parts(a) + parts(b),
    }
}

impl Features {
    /// All values of a node as a tensor of `sizes`.
    pub fn new(node: usize, sizes: &[usize], name: &str) -> Self {
        Self { node, stages: vec![], view: View::contiguous(sizes), name: name.into() }
    }

    /// Whether the other one reads the same values in the same places, though not the same function of them.
    pub fn beside(&self, other: &Self) -> bool {
        self.node == other.node && self.view == other.view
    }

    /// Adds a function of the values.
    pub fn push(&mut self, each: Each) {
        match each {
            Each::Common(Function::X) => {}
            Each::Common(outer) => match self.stages.last_mut() {
                Some(Stage::Function(inner)) => *inner = outer.after(inner),
                Some(Stage::Channels(all)) => all.iter_mut().for_each(|inner| *inner = outer.after(inner)),
                // A factor behind an affine map stays apart: what else reads that map reads the same one then.
                _ => self.stages.push(Stage::Function(outer)),
            },
            Each::Channels(outer) => match outer.iter().map(linear).collect::<Option<Vec<_>>>() {
                Some(pairs) => self.push_affine(pairs),
                None => match self.stages.last_mut() {
                    Some(Stage::Channels(all)) => {
                        all.iter_mut().zip(outer).for_each(|(inner, outer)| *inner = outer.after(inner));
                    }
                    _ => self.stages.push(Stage::Channels(outer)),
                },
            },
        }
    }

    fn push_affine(&mut self, mut pairs: Vec<[f32; 2]>) {
        if let Some(Stage::Function(inner)) = self.stages.last()
            && let Some(inner) = linear(inner)
        {
            pairs.iter_mut().for_each(|pair| *pair = after(*pair, inner));
            self.stages.pop();
        }
        if let Some(Stage::Affine(inner)) = self.stages.last() {
            pairs.iter_mut().zip(inner).for_each(|(pair, inner)| *pair = after(*pair, *inner));
            self.stages.pop();
        }
        self.stages.push(Stage::Affine(pairs));
    }
}

/// The scale and offset that two do, one after the other.
fn after(outer: [f32; 2], inner: [f32; 2]) -> [f32; 2] {
    [outer[0] * inner[0], outer[0] * inner[1] + outer[1]]
}

impl Reader<'_> {
    /// The node that has the values with all their functions.
    pub fn emit(&mut self, features: &Features) -> usize {
        let mut node = features.node;
        let mut affine: Option<Vec<[f32; 2]>> = None;
        for stage in &features.stages {
            let channels = self.shapes[node][0];
            let pairs = match stage {
                Stage::Affine(pairs) => Some(pairs.clone()),
                Stage::Function(function) => linear(function).map(|pair| vec![pair; channels]),
                Stage::Channels(_) => None,
            };
            match (pairs, &mut affine) {
                (Some(outer), Some(inner)) => {
                    inner.iter_mut().zip(outer).for_each(|(inner, outer)| *inner = after(outer, *inner));
                }
                (Some(outer), None) => affine = Some(outer),
                (None, _) => {
                    node = self.scaled(node, affine.take(), &features.name);
                    let layer = match stage {
                        Stage::Function(function) => Layer::Activation(function.clone()),
                        Stage::Channels(functions) => Layer::ChannelFunctions(functions.clone()),
                        Stage::Affine(_) => continue,
                    };
                    node = self.add(&features.name, layer, vec![node], self.shapes[node]);
                }
            }
        }
        self.scaled(node, affine, &features.name)
    }

    /// A scale and offset for each channel.
    fn scaled(&mut self, node: usize, pairs: Option<Vec<[f32; 2]>>, name: &str) -> usize {
        let Some(pairs) = pairs.filter(|pairs| pairs.iter().any(|&pair| pair != [1.0, 0.0])) else { return node };
        let (scale, offset) = pairs.into_iter().map(|[scale, offset]| (scale, offset)).unzip();
        self.add(name, Layer::Affine { scale, offset }, vec![node], self.shapes[node])
    }

    /// The same with its functions in a node of their own, where they have grown too large to be put off.
    pub fn settled(&mut self, features: Features) -> Features {
        let large = features.stages.iter().any(|stage| match stage {
            Stage::Function(function) => parts(function) > MAX_PARTS,
            Stage::Channels(functions) => functions.iter().any(|function| parts(function) > MAX_PARTS),
            Stage::Affine(_) => false,
        });
        if large { Features { node: self.emit(&features), stages: vec![], ..features } } else { features }
    }

    /// Adds a node, or finds the same one.
    pub fn add(&mut self, name: &str, layer: Layer, reads: Vec<usize>, shape: [usize; 3]) -> usize {
        let same = |node: &Node| node.reads == reads && !reads.is_empty() && node.layer == layer;
        if let Some(found) = self.nodes.iter().position(same) {
            return found;
        }
        self.nodes.push(Node { name: name.into(), layer, reads });
        self.shapes.push(shape);
        self.nodes.len() - 1
    }

    /// A node with the elements of a tensor as channels, rows and columns: those axes of it, all others being of size
    /// 1.
    pub fn map(&mut self, features: &Features, groups: &[Vec<usize>; 3]) -> usize {
        let base = self.emit(features);
        let view = features.view.gathered(groups);
        let sizes = view.sizes();
        let shape = [sizes[0], sizes[1], sizes[2]];
        if shape == self.shapes[base] && view.in_order(shape.iter().product()) {
            return base;
        }
        self.moved(base, shape, view.places(), &features.name)
    }

    /// The same tensor as a view of a node with those axes as channels, rows and columns.
    pub fn arranged(&mut self, features: &Features, groups: &[Vec<usize>; 3]) -> Features {
        // Functions of each value alone may as well come after the move, where it repeats nothing.
        let mut before = features.clone();
        let mut stages = vec![];
        if features.view.covers(self.len(features.node)) {
            let apart = |stage: &Stage| !matches!(stage, Stage::Function(_));
            let first = before.stages.iter().rposition(apart).map_or(0, |last| last + 1);
            stages = before.stages.split_off(first);
        }
        let node = self.map(&before, groups);
        let order = groups.concat();
        let sizes: Vec<usize> = order.iter().map(|&axis| features.view.size(axis)).collect();
        let back: Vec<Vec<usize>> = (0..features.view.rank())
            .map(|axis| order.iter().position(|&other| other == axis).into_iter().collect())
            .collect();
        let view = View::contiguous(&sizes).gathered(&back);
        Features { node, stages, view, name: features.name.clone() }
    }

    /// The tensor as a view that has each value of its node once.
    pub fn plain(&mut self, features: &Features) -> Features {
        if features.view.covers(self.len(features.node)) {
            return features.clone();
        }
        let groups = self.groups(features);
        self.arranged(features, &groups)
    }

    /// How many values a node has.
    pub fn len(&self, node: usize) -> usize {
        self.shapes[node].iter().product()
    }

    /// Which axes of a tensor are channels, rows and columns: as the node that it reads has them, be it a part of them,
    /// or else as PyTorch does.
    pub fn groups(&self, features: &Features) -> [Vec<usize>; 3] {
        let view = &features.view;
        let long: Vec<usize> = (0..view.rank()).filter(|&axis| view.size(axis) > 1).collect();
        let [c, h, w] = self.shapes[features.node];
        let axis = |count: usize, step: usize| {
            let found = view.axis_within(Stride { count, step: step as isize });
            found.filter(|_| count > 1).into_iter().collect::<Vec<_>>()
        };
        let same = [axis(c, h * w), axis(h, w), axis(w, 1)];
        if same.iter().map(Vec::len).sum::<usize>() == long.len() {
            return same;
        }
        match view.rank() {
            4 if view.size(0) == 1 => [vec![1], vec![2], vec![3]],
            3 if view.size(0) == 1 => [vec![1], vec![], vec![2]],
            2 if view.size(0) == 1 => [vec![1], vec![], vec![]],
            _ => spread_out(&long),
        }
    }

    /// The features with one axis as channels and the others as rows and columns.
    pub fn with_channels(&self, features: &Features, axis: usize) -> [Vec<usize>; 3] {
        let others: Vec<usize> =
            (0..features.view.rank()).filter(|&other| other != axis && features.view.size(other) > 1).collect();
        let rows = others.first().filter(|_| others.len() > 1).copied();
        [vec![axis], rows.into_iter().collect(), others.into_iter().filter(|&other| Some(other) != rows).collect()]
    }

    /// A number of values that fits.
    pub fn limited(&self, sizes: &[usize]) -> Result<(), OnnxError> {
        super::reader::limit(&self.place, sizes)
    }
}

/// Axes as channels, rows and columns in this order.
fn spread_out(long: &[usize]) -> [Vec<usize>; 3] {
    match long {
        [] => [vec![], vec![], vec![]],
        [c] => [vec![*c], vec![], vec![]],
        [c, w] => [vec![*c], vec![], vec![*w]],
        [c, h, w @ ..] => [vec![*c], vec![*h], w.to_vec()],
    }
}
