//! The walk through the graph of a file.

use std::collections::HashMap;

use edgegen_runtime::graph::Shape;
use tract_onnx::Onnx;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto};
use tract_onnx::tract_core::ops::array::{Gather, MultiBroadcastTo, Pad, Slice, StridedSlice, Tile, TypedConcat};
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cast::Cast;
use tract_onnx::tract_core::ops::cnn::{Conv, Deconv, MaxPool, SumPool};
use tract_onnx::tract_core::ops::downsample::Downsample;
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::identity::Identity;
use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_core::ops::logic::Iff;
use tract_onnx::tract_core::ops::nn::{LeakyRelu, Reduce};
use tract_onnx::tract_hir::internal::*;
use tract_onnx_opl::resize::Resize;

use super::features::{Features, Stage};
use super::guard::guarded;
use super::inputs::{self, Feed, Inputs};
use super::modulation::Modulated;
use super::oracle::Oracle;
use super::partial::Term;
use super::product::Convolution;
use super::statistics::{Centred, Statistic};
use super::{Assume, Import, OnnxError, load, noise, output, pointwise, rewrite, tidy};
use crate::function::Function;
use crate::layers::{Input, Layer, Network, Node};

/// Values of a tensor at most. A device has room for a thousandth of that; a host for a few such at a time.
const MAX_VALUES: usize = 1 << 24;
/// Rows, columns and channels at most.
const MAX_SIDE: usize = u16::MAX as usize;

/// What a tensor of the file is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Numbers that are in the file.
    Known(Arc<Tensor>),
    /// It follows from the inputs.
    Features(Features),
    /// A tensor for each class.
    Class(Arc<Vec<Arc<Tensor>>>),
    /// A mean or a variance, of which something is still to come.
    Statistic(Box<Statistic>),
    /// A tensor less its mean.
    Centred(Box<Centred>),
    /// A part of a normalization.
    Term(Box<Term>),
    /// Weights that are scaled by something that follows from the inputs.
    Modulated(Box<Modulated>),
}

/// The network that has been read so far.
pub(super) struct Reader<'a> {
    graph: &'a GraphProto,
    /// What each output of each node of tract's graph is.
    values: HashMap<OutletId, Value>,
    pub nodes: Vec<Node>,
    /// Channels, rows and columns of each node.
    pub shapes: Vec<[usize; 3]>,
    /// The node with a value for each class.
    class: Option<usize>,
    /// Name of the operator at hand, as the file has it.
    pub name: String,
    /// The same with its kind, for errors.
    pub place: String,
}

/// The generator in a file whose weights are loaded.
pub(super) fn read(model: &mut ModelProto, assume: &Assume) -> Result<Import, OnnxError> {
    let framework = rewrite::framework();
    rewrite::check(model.graph.as_ref().unwrap_or(&GraphProto::default()), &framework)?;
    rewrite::modernize(model);
    let mut inputs = inputs::decide(model, assume)?;
    let drawn = noise::hold(model, inputs.batch);
    if let (Some(batch), Some(graph)) = (inputs.batch, &mut model.graph) {
        rewrite::unbatch(graph, batch as i64);
    }
    let chosen = output::choose(model, assume)?;
    sized(model, &framework)?;
    noise::feed(model, drawn, &chosen, &framework, &mut inputs)?;
    let graph = model.graph.as_ref().ok_or_else(|| OnnxError::File("there is no graph in it".into()))?;
    let typed = typed(model, &framework, &chosen)?;
    let mut reader = Reader::new(graph, &inputs);
    reader.sources(&typed, &inputs)?;
    for id in typed.eval_order().map_err(|error| reader.tract(&error))? {
        reader.node(&typed, id)?;
    }
    let outlet = typed.outputs[0];
    let sizes =
        sizes(&typed, outlet).ok_or_else(|| reader.refuse("a picture of known size", "another", "fix its size"))?;
    let value = reader.values.get(&outlet).cloned();
    let value =
        value.ok_or_else(|| reader.refuse("an operator with one output", "several", "choose another output"))?;
    let mut notes = inputs.notes.clone();
    let picture = output::finish(&mut reader, value, &sizes, assume, model, &mut notes)?;
    let network = Network { nodes: reader.nodes, pixels: picture.pixels };
    let network = tidy::tidy(network, picture.node, &inputs.inputs);
    let own = network.nodes.iter().take(inputs.inputs.len());
    let own = own.filter_map(|node| if let Layer::Input(input) = &node.layer { Some(input.clone()) } else { None });
    let oracle = Oracle::new(typed, own.collect(), inputs.feeds, picture.from, picture.logits)?;
    Ok(Import { network, notes, oracle })
}

/// tract's graph with the sizes of everything, for one image at a time.
fn typed(model: &ModelProto, framework: &Onnx, output: &str) -> Result<TypedModel, OnnxError> {
    let graph = model.graph.as_ref();
    let explain = |error: TractError| contradiction(&error, graph);
    let mut parsed = guarded(|| framework.parse(model, None)).map_err(explain)?;
    if let Some(name) = parsed.unresolved_inputs.first() {
        return Err(OnnxError::Graph {
            place: "the graph".into(),
            expected: format!("a node that makes {}", load::one_line(name)),
            found: "none".into(),
            remedy: "the file is damaged: write it again".into(),
        });
    }
    if let Some(&outlet) = parsed.outlets_by_name.get(output) {
        parsed.model.select_output_outlets(&[outlet]).map_err(explain)?;
    }
    guarded(|| parsed.model.analyse(false)).map_err(explain)?;
    if let Some(graph) = graph {
        let rank = |name: &str| {
            Some(parsed.model.outlet_fact(*parsed.outlets_by_name.get(name)?).ok()?.shape.rank().concretize()? as i64)
        };
        rewrite::check_axes(graph, rank)?;
    }
    for node in parsed.model.nodes() {
        for outlet in &node.outputs {
            let dims = outlet.fact.shape.concretize().unwrap_or_default();
            let dims: Vec<usize> = dims.iter().map(|dim| dim.to_usize().unwrap_or(1)).collect();
            limit(&place_of(&node.name, graph), &dims)?;
        }
    }
    guarded(|| parsed.model.into_typed()).map_err(explain)
}

/// Gives paddings to the transposed convolutions that name the size of their output.
fn sized(model: &mut ModelProto, framework: &Onnx) -> Result<(), OnnxError> {
    let Some(graph) = &model.graph else { return Ok(()) };
    if !graph.node.iter().any(|node| node.attribute.iter().any(|it| it.name == "output_shape")) {
        return Ok(());
    }
    let mut parsed = guarded(|| framework.parse(model, None)).map_err(|error| contradiction(&error, Some(graph)))?;
    guarded(|| parsed.model.analyse(true)).map_err(|error| contradiction(&error, Some(graph)))?;
    let size = |name: &str| -> Option<Vec<usize>> {
        let outlet = parsed.outlets_by_name.get(name)?;
        let fact = parsed.model.outlet_fact(*outlet).ok()?;
        let dims = fact.shape.concretize()?;
        dims.iter().skip(2).map(|dim| dim.to_usize().ok()).collect()
    };
    let mut changed = graph.clone();
    rewrite::output_shapes(&mut changed, size);
    model.graph = Some(changed);
    Ok(())
}

/// The sizes of a tensor.
fn sizes(model: &TypedModel, outlet: OutletId) -> Option<Vec<usize>> {
    model.outlet_fact(outlet).ok()?.shape.as_concrete().map(<[usize]>::to_vec)
}

/// Refuses a tensor that nobody has room for.
pub(super) fn limit(place: &str, sizes: &[usize]) -> Result<(), OnnxError> {
    let count = sizes.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
    let long = sizes.iter().any(|&size| size > MAX_VALUES);
    if count.is_some_and(|count| count <= MAX_VALUES) && !long {
        return Ok(());
    }
    Err(OnnxError::Graph {
        place: place.into(),
        expected: format!("tensors of at most {MAX_VALUES} values"),
        found: format!("{sizes:?}"),
        remedy: "make the picture or the layers smaller".into(),
    })
}

/// Channels, rows and columns as a shape; what is too large for one has been refused.
pub(super) fn shape([c, h, w]: [usize; 3]) -> Shape {
    let side = |size: usize| size.min(MAX_SIDE) as u16;
    Shape { h: side(h), w: side(w), c: side(c) }
}

/// The numbers of a tensor as floats.
pub(super) fn floats(tensor: &Tensor, place: &str) -> Result<Vec<f32>, OnnxError> {
    let cast = tensor.cast_to::<f32>();
    let values =
        cast.as_ref().ok().and_then(|cast| Some(cast.try_as_plain_ram().ok()?.as_slice::<f32>().ok()?.to_vec()));
    values.ok_or_else(|| OnnxError::Graph {
        place: place.into(),
        expected: "numbers".into(),
        found: format!("{:?}", tensor.datum_type()),
        remedy: "export the model in 32-bit floats".into(),
    })
}

/// The node of the file that a node of tract's graph was made of, whose name begins with that of the file's.
fn place_of(name: &str, graph: Option<&GraphProto>) -> String {
    let nodes = graph.map_or(&[][..], |graph| &graph.node);
    let own = |node: &NodeProto| match (node.name.as_str(), node.output.first()) {
        ("", Some(output)) => output.clone(),
        (name, _) => name.to_owned(),
    };
    let of = nodes.iter().filter(|node| {
        let own = own(node);
        name.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    of.max_by_key(|node| own(node).len()).map_or_else(|| name.to_owned(), rewrite::place)
}

/// tract's error in one line, with the node that it is about.
pub(super) fn contradiction(error: &TractError, graph: Option<&GraphProto>) -> OnnxError {
    let chain: Vec<String> = error.chain().map(|cause| load::one_line(&cause.to_string())).collect();
    // tract says `node #3 "name" Operator`, or `#3 "name"`.
    let node = chain.iter().find_map(|text| text.split('"').nth(1));
    let place = node.map_or_else(|| "the graph".to_owned(), |name| place_of(name, graph));
    OnnxError::Graph {
        place,
        expected: "tensors that fit each other".into(),
        found: load::one_line(chain.last().map_or("a contradiction", String::as_str)),
        remedy: "export the model again; if onnxruntime runs it, report the file".into(),
    }
}

impl<'a> Reader<'a> {
    fn new(graph: &'a GraphProto, inputs: &Inputs) -> Self {
        let mut reader = Self {
            graph,
            values: HashMap::new(),
            nodes: vec![],
            shapes: vec![],
            class: None,
            name: String::new(),
            place: "the graph".into(),
        };
        for input in &inputs.inputs {
            let (name, shape) = match input {
                Input::Latent(latent) => ("latent", [latent.width(), 1, 1]),
                Input::Class { classes, .. } => ("class", [*classes, 1, 1]),
                Input::Image { shape, .. } => ("image", [shape.c, shape.h, shape.w].map(usize::from)),
                Input::Style { dims, .. } => ("style", [*dims, 1, 1]),
                Input::Mix { layers } => ("mix", [*layers, 1, 1]),
                Input::Noise { shape, .. } => ("noise", [shape.c, shape.h, shape.w].map(usize::from)),
                Input::Previous { shape, .. } => ("previous", [shape.c, shape.h, shape.w].map(usize::from)),
                Input::Constant { shape, .. } => ("constant", [shape.c, shape.h, shape.w].map(usize::from)),
            };
            if let Input::Class { .. } = input {
                reader.class = Some(reader.nodes.len());
            }
            reader.nodes.push(Node { name: name.into(), layer: Layer::Input(input.clone()), reads: vec![] });
            reader.shapes.push(shape);
        }
        reader
    }

    /// The inputs of the file.
    fn sources(&mut self, model: &TypedModel, inputs: &Inputs) -> Result<(), OnnxError> {
        for &outlet in &model.inputs {
            let name = &model.node(outlet.node).name;
            let Some((_, feed)) = inputs.feeds.iter().find(|(own, _)| own == name) else { continue };
            let value = match feed {
                Feed::Values { input, view, affine } => {
                    let stages = match affine {
                        [1.0, 0.0] => vec![],
                        [scale, offset] => vec![Stage::Function(Function::affine(*scale, *offset))],
                    };
                    Value::Features(Features { node: *input, stages, view: view.clone(), name: name.clone() })
                }
                Feed::Number { input, sizes } => {
                    let classes = self.shapes[*input][0];
                    let kind = model.outlet_fact(outlet).map_err(|error| self.tract(&error))?.datum_type;
                    let number = |class: usize| -> TractResult<Arc<Tensor>> {
                        let tensor = tensor0(class as i64).cast_to_dt(kind)?.into_owned();
                        Ok(tensor.broadcast_to_shape(sizes)?.into_arc_tensor())
                    };
                    let all = (0..classes).map(number).collect::<TractResult<Vec<_>>>();
                    Value::Class(Arc::new(all.map_err(|error| self.tract(&error))?))
                }
            };
            self.values.insert(outlet, value);
        }
        Ok(())
    }

    /// One node of tract's graph.
    fn node(&mut self, model: &TypedModel, id: usize) -> Result<(), OnnxError> {
        let node = model.node(id);
        self.place = place_of(&node.name, Some(self.graph));
        self.name = self.place.rsplit_once(" (").map_or(node.name.as_str(), |(name, _)| name).to_owned();
        if self.values.contains_key(&OutletId::new(id, 0)) {
            return Ok(());
        }
        if let Some(op) = node.op_as::<Const>() {
            self.values.insert(OutletId::new(id, 0), Value::Known(op.val().clone()));
            return Ok(());
        }
        let all: Option<Vec<_>> = (0..node.outputs.len()).map(|slot| node.outputs[slot].fact.konst.clone()).collect();
        if let Some(known) = all {
            for (slot, tensor) in known.into_iter().enumerate() {
                self.values.insert(OutletId::new(id, slot), Value::Known(tensor));
            }
            return Ok(());
        }
        let Some(sizes) = sizes(model, OutletId::new(id, 0)) else {
            return Err(self.refuse("tensors that fit each other", "others", "export the model with fixed sizes"));
        };
        if sizes.contains(&0) {
            return Err(self.refuse(
                "a tensor with values in it",
                &format!("sizes {sizes:?}"),
                "export the model again",
            ));
        }
        self.limited(&sizes)?;
        let inputs: Vec<Value> = node.inputs.iter().filter_map(|outlet| self.values.get(outlet).cloned()).collect();
        if inputs.len() < node.inputs.len() {
            return Err(self.refuse("inputs that were read before", "others", "the file is damaged: write it again"));
        }
        for (slot, value) in self.operator(node.op.as_ref(), &inputs, &sizes)?.into_iter().enumerate() {
            self.values.insert(OutletId::new(id, slot), value);
        }
        Ok(())
    }

    fn operator(&mut self, op: &dyn TypedOp, inputs: &[Value], sizes: &[usize]) -> Result<Vec<Value>, OnnxError> {
        if inputs.iter().all(|input| matches!(input, Value::Known(_))) {
            return self.folded(op, inputs).map(|made| made.into_iter().map(Value::Known).collect());
        }
        if inputs.iter().all(|input| matches!(input, Value::Known(_) | Value::Class(_))) {
            return Ok(vec![self.for_each_class(op, inputs)?]);
        }
        self.moving(op, inputs, sizes)
            .transpose()
            .unwrap_or_else(|| self.computing(op, inputs, sizes))
            .map(|made| vec![made])
    }

    /// Operators that move values, or leave them as they are.
    fn moving(&mut self, op: &dyn TypedOp, inputs: &[Value], sizes: &[usize]) -> Result<Option<Value>, OnnxError> {
        if op.is::<Identity>() || op.is::<Cast>() && self.is_float_cast(op) {
            return Ok(Some(inputs[0].clone()));
        }
        if op.is::<Cast>() {
            return self.statistic_function(&inputs[0], &pointwise::truncated()).map(Some);
        }
        if let (Some(op), Value::Statistic(statistic)) = (op.downcast_ref::<AxisOp>(), &inputs[0]) {
            return self.statistic_axes((**statistic).clone(), op).map(Some);
        }
        // A statistic that is spread over its tensor is used like one that is not.
        if let (Some(op), Value::Statistic(statistic)) = (op.downcast_ref::<MultiBroadcastTo>(), &inputs[0])
            && statistic.aligned()
            && op.shape.as_concrete() == Some(&statistic.of.view.sizes())
        {
            return Ok(Some(inputs[0].clone()));
        }
        if let (Some(op), Value::Modulated(own)) = (op.downcast_ref::<AxisOp>(), &inputs[0]) {
            return self.modulated_axes(own, op).map(Some);
        }
        if let Some(op) = op.downcast_ref::<TypedConcat>() {
            return self.concat(inputs, op).map(|made| Some(Value::Features(made)));
        }
        let moves = op.is::<AxisOp>()
            || op.is::<MultiBroadcastTo>()
            || op.is::<Tile>()
            || op.is::<Slice>()
            || op.is::<StridedSlice>()
            || op.is::<Downsample>()
            || op.is::<Gather>()
            || op.is::<Pad>();
        if !moves {
            return Ok(None);
        }
        let features = self.only_features(&inputs[0])?;
        let made = if let Some(op) = op.downcast_ref::<AxisOp>() {
            Some(self.axes(&features, op)?)
        } else if let Some(op) = op.downcast_ref::<MultiBroadcastTo>() {
            self.broadcast(&features, op)
        } else if let Some(op) = op.downcast_ref::<Tile>() {
            self.tile(&features, op)
        } else if let Some(op) = op.downcast_ref::<Slice>() {
            self.slice(&features, op)
        } else if let Some(op) = op.downcast_ref::<StridedSlice>() {
            Some(self.strided(&features, inputs, op)?)
        } else if let Some(op) = op.downcast_ref::<Downsample>() {
            Some(self.downsample(&features, op))
        } else if let (Some(op), Some(Value::Known(indices))) = (op.downcast_ref::<Gather>(), inputs.get(1)) {
            Some(self.gather(&features, op, indices)?)
        } else if let Some(op) = op.downcast_ref::<Pad>() {
            Some(self.pad(&features, op, sizes)?)
        } else {
            None
        };
        let made =
            made.ok_or_else(|| self.not_yet("moves values by places that depend on the input", "use fixed places"))?;
        Ok(Some(Value::Features(made)))
    }

    /// Operators that compute.
    fn computing(&mut self, op: &dyn TypedOp, inputs: &[Value], sizes: &[usize]) -> Result<Value, OnnxError> {
        if let Some(TypedBinOp(op, _)) = op.downcast_ref() {
            return self.binary(op.name(), inputs, sizes);
        }
        if let Some(ElementWiseOp(op, _)) = op.downcast_ref() {
            let alpha = op.downcast_ref::<LeakyRelu>().map_or(0.0, |op| op.alpha);
            let function = pointwise::unary(&op.name(), alpha);
            let function = function.ok_or_else(|| self.not_yet(&format!("computes {}", op.name()), "replace it"))?;
            return self.statistic_function(&inputs[0], &function);
        }
        if let Some(op) = op.downcast_ref::<Reduce>() {
            return self.reduce(&inputs[0], op, sizes);
        }
        if op.is::<Iff>() {
            let inputs = self.without_statistics(inputs)?;
            let made = self.pointwise(&inputs, sizes, &pointwise::select)?;
            let what = "chooses between tensors that depend on different values";
            return made.map(Value::Features).ok_or_else(|| self.not_yet(what, "use sums and products"));
        }
        let made = if let Some(op) = op.downcast_ref::<Conv>() {
            self.convolution(inputs, sizes, Convolution::Forward(op))?
        } else if let Some(op) = op.downcast_ref::<Deconv>() {
            self.convolution(inputs, sizes, Convolution::Transposed(op))?
        } else if let Some(op) = op.downcast_ref::<EinSum>() {
            self.einsum(inputs, op, sizes)?
        } else {
            let features = self.only_features(&inputs[0])?;
            if let Some(op) = op.downcast_ref::<SumPool>() {
                self.average(&features, op, sizes)?
            } else if let Some(op) = op.downcast_ref::<MaxPool>() {
                return self.maximum(&features, op, sizes);
            } else if let Some(op) = op.downcast_ref::<Resize>() {
                self.resize(&features, inputs, op, sizes)?
            } else {
                return Err(self.not_yet(&format!("computes {}", op.name()), "replace it by layers that are read"));
            }
        };
        Ok(Value::Features(made))
    }

    /// Whether a cast leaves floats, or truths as 0 and 1, as they are.
    fn is_float_cast(&self, op: &dyn TypedOp) -> bool {
        op.downcast_ref::<Cast>().is_some_and(|cast| cast.to.is_float() || cast.to == DatumType::Bool)
    }

    /// What an operator makes of constants.
    fn folded(&self, op: &dyn TypedOp, inputs: &[Value]) -> Result<Vec<Arc<Tensor>>, OnnxError> {
        let known = |input: &Value| match input {
            Value::Known(tensor) => Some(tensor.clone().into_tvalue()),
            _ => None,
        };
        let made = guarded(|| op.eval_out_of_plan(inputs.iter().filter_map(known).collect()));
        let made = made.map_err(|error| self.tract(&error))?;
        let made = made.ok_or_else(|| self.not_yet(&format!("computes {}", op.name()), "replace it"))?;
        Ok(made.into_iter().map(|value| value.into_arc_tensor()).collect())
    }

    /// What an operator makes for each class.
    fn for_each_class(&self, op: &dyn TypedOp, inputs: &[Value]) -> Result<Value, OnnxError> {
        let classes = inputs.iter().find_map(|input| match input {
            Value::Class(tensors) => Some(tensors.len()),
            _ => None,
        });
        let mut made = Vec::new();
        for class in 0..classes.unwrap_or(0) {
            let of = |input: &Value| match input {
                Value::Class(tensors) => Value::Known(tensors[class].clone()),
                other => other.clone(),
            };
            made.extend(self.folded(op, &inputs.iter().map(of).collect::<Vec<_>>())?.into_iter().take(1));
        }
        Ok(Value::Class(Arc::new(made)))
    }

    /// A value as features, or an error if it does not follow from the inputs.
    pub fn only_features(&mut self, value: &Value) -> Result<Features, OnnxError> {
        match value {
            Value::Features(features) => Ok(features.clone()),
            Value::Statistic(statistic) => self.settle(statistic),
            Value::Centred(centred) => self.centre(&centred.of, &centred.axes, centred.squared),
            Value::Term(term) => self.settled_term(term),
            Value::Modulated(own) => self.settled_weights(own),
            Value::Class(tensors) => self.looked_up(tensors),
            Value::Known(tensor) => {
                let values = floats(tensor, &self.place)?;
                let sizes = tensor.shape().to_vec();
                let groups = match sizes[..] {
                    [1, _, _, _] => [vec![1], vec![2], vec![3]],
                    [1, _, _] => [vec![1], vec![], vec![2]],
                    _ => [(0..sizes.len()).collect(), vec![], vec![]],
                };
                self.constant(&values, &sizes, &groups)
            }
        }
    }

    /// A value as features; a constant gets the order of another tensor.
    pub fn features(&mut self, value: &Value, model: &Features) -> Result<Features, OnnxError> {
        match value {
            Value::Known(tensor) if tensor.rank() == model.view.rank() => {
                let groups = self.groups(model);
                let values = floats(tensor, &self.place)?;
                let long = (0..tensor.rank()).filter(|&axis| tensor.shape()[axis] > 1);
                if long.into_iter().all(|axis| groups.concat().contains(&axis)) {
                    return self.constant(&values, tensor.shape(), &groups);
                }
                self.only_features(value)
            }
            other => self.only_features(other),
        }
    }

    /// A table that the class is looked up in: a product of it with the values for each class.
    fn looked_up(&mut self, tensors: &[Arc<Tensor>]) -> Result<Features, OnnxError> {
        let Some(class) = self.class else { return Err(self.refuse("a class", "none", "export the model again")) };
        let mut columns = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            columns.push(floats(tensor, &self.place)?);
        }
        let (classes, rows) = (columns.len(), columns.first().map_or(0, Vec::len));
        let sizes = tensors.first().map_or(vec![], |tensor| tensor.shape().to_vec());
        self.limited(&[rows, classes])?;
        let name = self.name.clone();
        let unit = |row: usize, class: usize| f32::from(u8::from(row == class));
        let same =
            rows == classes && (0..classes).all(|class| (0..rows).all(|row| columns[class][row] == unit(row, class)));
        if same {
            return Ok(Features::new(class, &sizes, &name));
        }
        let weight = (0..rows).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
        let to = [rows, 1, 1];
        let layer = Layer::Dense { shape: shape(to), weight, bias: vec![0.0; rows] };
        let node = self.add(&name, layer, vec![class], to);
        Ok(Features::new(node, &sizes, &name))
    }

    pub fn refuse(&self, expected: &str, found: &str, remedy: &str) -> OnnxError {
        OnnxError::Graph {
            place: self.place.clone(),
            expected: expected.into(),
            found: found.into(),
            remedy: remedy.into(),
        }
    }

    pub fn not_yet(&self, what: &str, remedy: &str) -> OnnxError {
        OnnxError::NotYet { place: self.place.clone(), what: load::one_line(what), remedy: remedy.into() }
    }

    pub fn tract(&self, error: &TractError) -> OnnxError {
        self.refuse(
            "an operator that can be computed",
            &load::one_line(&error.root_cause().to_string()),
            "export the model again",
        )
    }
}
