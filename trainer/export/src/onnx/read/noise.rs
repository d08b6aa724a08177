//! Noise that a file draws itself (`RandomNormal`, `RandomUniform` and what draws like another tensor): it becomes an
//! input of the network, since the same seed must give the same picture.
//!
//! How large it is tract says once all shapes are inferred, so this has two steps: first a constant holds its place, then
//! that is replaced by an input of the constant's size.

use std::collections::{HashMap, HashSet};

use edgegen_runtime::graph::{Prior, Shape};
use tract_onnx::Onnx;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::Dimension;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Size;
use tract_onnx::pb::type_proto::{Tensor as TensorType, Value as Type};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
};
use tract_onnx::tract_hir::internal::*;

use super::OnnxError;
use super::guard::guarded;
use super::inputs::{Feed, Inputs, image};
use super::reader::{contradiction, limit};
use super::rewrite::{ints, place};
use super::view::View;
use crate::layers::Input;

/// Channels of a map of noise at most that is taken for one with channels last, where its second axis has more.
const FEW: usize = 4;

/// Noise that a file draws.
pub(super) struct Drawn {
    /// The tensor.
    tensor: String,
    /// The node that draws it.
    place: String,
    prior: Prior,
    /// What makes a value of the tensor of one of the prior: scale and offset.
    affine: [f32; 2],
}

/// Puts its mean in the place of noise; of a file that makes `batch` images at a time, in that of one image.
pub(super) fn hold(model: &mut ModelProto, batch: Option<usize>) -> Vec<Drawn> {
    let Some(graph) = &mut model.graph else { return vec![] };
    let (mut made, mut drawn, mut added) = (Vec::new(), Vec::new(), Vec::new());
    for mut node in std::mem::take(&mut graph.node) {
        let number =
            |name: &str, default: f32| node.attribute.iter().find(|it| it.name == name).map_or(default, |it| it.f);
        let (prior, affine) = match node.op_type.as_str() {
            "RandomNormal" | "RandomNormalLike" => (Prior::Gaussian, [number("scale", 1.0), number("mean", 0.0)]),
            "RandomUniform" | "RandomUniformLike" => {
                let (low, high) = (number("low", 0.0), number("high", 1.0));
                (Prior::Uniform, [(high - low) / 2.0, (low + high) / 2.0])
            }
            _ => {
                made.push(node);
                continue;
            }
        };
        let tensor = node.output.first().cloned().unwrap_or_default();
        let shape = format!("{tensor}/shape");
        drawn.push(Drawn { tensor, place: place(&node), prior, affine });
        if node.op_type.ends_with("Like") {
            made.push(NodeProto {
                name: if node.name.is_empty() { shape.clone() } else { format!("{}/shape", node.name) },
                op_type: "Shape".into(),
                input: node.input.clone(),
                output: vec![shape.clone()],
                ..NodeProto::default()
            });
        } else {
            let mut sizes = node.attribute.iter().find(|it| it.name == "shape").map_or(vec![], |it| it.ints.clone());
            if let Some(first) = sizes.first_mut()
                && usize::try_from(*first).ok() == batch
            {
                *first = 1;
            }
            added.push(ints(&shape, sizes));
        }
        node.op_type = "ConstantOfShape".into();
        node.input = vec![shape];
        node.attribute = vec![AttributeProto {
            name: "value".into(),
            r#type: AttributeType::Tensor as i32,
            t: Some(TensorProto {
                dims: vec![1],
                data_type: DataType::Float as i32,
                float_data: vec![affine[1]],
                ..TensorProto::default()
            }),
            ..AttributeProto::default()
        }];
        made.push(node);
    }
    graph.node = made;
    graph.initializer.extend(added);
    drawn
}

/// Makes inputs of what `output` depends on, whose sizes are inferred now. What has no fixed size for one image stays at
/// its mean.
pub(super) fn feed(
    model: &mut ModelProto,
    mut drawn: Vec<Drawn>,
    output: &str,
    framework: &Onnx,
    inputs: &mut Inputs,
) -> Result<(), OnnxError> {
    let graph = model.graph.as_ref();
    if let Some(graph) = graph.filter(|_| !drawn.is_empty()) {
        let needed = needed(graph, output);
        drawn.retain(|noise| needed.contains(noise.tensor.as_str()));
    }
    if drawn.is_empty() {
        return Ok(());
    }
    let mut parsed = guarded(|| framework.parse(model, None)).map_err(|error| contradiction(&error, graph))?;
    guarded(|| parsed.model.analyse(true)).map_err(|error| contradiction(&error, graph))?;
    let size = |name: &str| -> Option<Vec<usize>> {
        let fact = parsed.model.outlet_fact(*parsed.outlets_by_name.get(name)?).ok()?;
        fact.shape.concretize()?.iter().map(|dim| dim.to_usize().ok()).collect()
    };
    let mut found = Vec::new();
    for noise in drawn {
        let sizes = size(&noise.tensor).unwrap_or_default();
        limit(&noise.place, &sizes)?;
        found.push((noise, sizes));
    }
    let Some(graph) = &mut model.graph else { return Ok(()) };
    for (number, (Drawn { tensor, place, prior, affine }, sizes)) in found.into_iter().enumerate() {
        let fits = sizes.iter().all(|size| (1..=usize::from(u16::MAX)).contains(size));
        if sizes.first() != Some(&1) || !(2..=4).contains(&sizes.len()) || !fits || affine[0] == 0.0 {
            let mean = affine[1];
            inputs.notes.push(format!("noise {mean}: {place} draws it anew each time, and its mean takes its place"));
            continue;
        }
        let (shape, view) = map(&sizes);
        inputs.notes.push(format!("noise of {shape} from the seed: {place} draws it anew each time"));
        graph.node.retain(|node| node.output.first() != Some(&tensor));
        graph.input.push(info(&tensor, &sizes));
        let input = inputs.inputs.len();
        inputs.inputs.push(Input::Noise { shape, prior, number: number as u16 });
        inputs.feeds.push((tensor, Feed::Values { input, view, affine }));
    }
    Ok(())
}

/// The tensors that one of them depends on, itself among them.
fn needed<'a>(graph: &'a GraphProto, output: &'a str) -> HashSet<&'a str> {
    let makers: HashMap<&str, &NodeProto> =
        graph.node.iter().flat_map(|node| node.output.iter().map(move |output| (output.as_str(), node))).collect();
    let (mut needed, mut open) = (HashSet::from([output]), vec![output]);
    while let Some(tensor) = open.pop() {
        let inputs = makers.get(tensor).map_or(&[][..], |node| &node.input);
        open.extend(inputs.iter().map(String::as_str).filter(|input| needed.insert(input)));
    }
    needed
}

/// The shape of noise in a tensor of these sizes, and where the tensor's elements stand in it.
fn map(sizes: &[usize]) -> (Shape, View) {
    match *sizes {
        [_, values] => (Shape { h: 1, w: 1, c: values as u16 }, View::contiguous(sizes)),
        [_, second, _, last] => image(sizes, last <= FEW && second > FEW),
        _ => image(sizes, false),
    }
}

/// An input of floats.
fn info(name: &str, sizes: &[usize]) -> ValueInfoProto {
    let dimension = |&size: &usize| Dimension { value: Some(Size::DimValue(size as i64)), ..Dimension::default() };
    let shape = Some(TensorShapeProto { dim: sizes.iter().map(dimension).collect() });
    let tensor = TensorType { elem_type: DataType::Float as i32, shape };
    let kind = TypeProto { value: Some(Type::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: name.into(), r#type: Some(kind), ..ValueInfoProto::default() }
}
