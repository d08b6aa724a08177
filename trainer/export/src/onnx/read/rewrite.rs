//! Makes what exporters write alike, and refuses files that contradict themselves, before any shape is inferred.

use std::collections::HashMap;

use tract_onnx::Onnx;
use tract_onnx::model::ParsingContext;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};
use tract_onnx::tract_hir::internal::*;

use super::OnnxError;
use super::load::one_line;

/// Strides, dilations and paddings at most. A stride of 20 000 makes pictures that nobody has memory for.
const MAX_ATTRIBUTE: i64 = 4096;

/// Nodes of a file at most; a StyleGAN for 1024×1024 pixels has two thousand.
const MAX_NODES: usize = 8192;
/// Values that a few numbers of the file may make.
const MAX_MADE: u64 = 1 << 24;

/// Operators that mean a network in training, or something else than a generator; and what to do.
const REFUSED: [(&str, &str, &str); 8] = [
    ("If", "chooses between two graphs", "export the model with the choice made, as in evaluation mode"),
    ("Loop", "repeats a graph", "unroll it in Python before exporting"),
    ("Scan", "repeats a graph", "unroll it in Python before exporting"),
    ("LSTM", "is a recurrent layer", "replace it by layers without memory"),
    ("GRU", "is a recurrent layer", "replace it by layers without memory"),
    ("RNN", "is a recurrent layer", "replace it by layers without memory"),
    ("QuantizeLinear", "quantizes", "export the float model; edgegen quantizes it"),
    ("DequantizeLinear", "quantizes", "export the float model; edgegen quantizes it"),
];

/// The operators of tract and one more that old files have.
pub(super) fn framework() -> Onnx {
    let mut onnx = tract_onnx::onnx().with_ignore_value_info(true);
    // Upsample, version 9, is Resize, version 10.
    onnx.op_register.insert("Upsample", |context, node| {
        let context = ParsingContext { onnx_operator_set_version: 10, ..context.clone() };
        let resize = context.framework.op_register.0.get("Resize").context("there is no Resize")?;
        resize(&context, node)
    });
    onnx
}

/// A node by its name, or that of its output, and its operator.
pub(super) fn place(node: &NodeProto) -> String {
    let name = if node.name.is_empty() { node.output.first().map_or("", String::as_str) } else { &node.name };
    one_line(&format!("{name} ({})", node.op_type))
}

/// Refuses operators that nobody reads and attributes that contradict the weights.
pub(super) fn check(graph: &GraphProto, framework: &Onnx) -> Result<(), OnnxError> {
    if graph.node.len() > MAX_NODES {
        return Err(OnnxError::Graph {
            place: "the graph".into(),
            expected: format!("at most {MAX_NODES} nodes"),
            found: graph.node.len().to_string(),
            remedy: "export a smaller model, or simplify it by onnxsim".into(),
        });
    }
    let made: Vec<&String> = graph.node.iter().flat_map(|node| &node.output).collect();
    let there = |name: &String| made.contains(&name) || graph.input.iter().any(|input| input.name == *name);
    if let Some(missing) = graph.output.iter().find(|output| !there(&output.name)) {
        return Err(OnnxError::Graph {
            place: "the graph's outputs".into(),
            expected: format!("a node that makes {}", one_line(&missing.name)),
            found: "none".into(),
            remedy: "the file is damaged: write it again".into(),
        });
    }
    let constants = constants(graph);
    let weights: HashMap<&str, &TensorProto> = graph.initializer.iter().map(|it| (it.name.as_str(), it)).collect();
    for node in &graph.node {
        if let Some((_, what, remedy)) = REFUSED.iter().find(|(operator, ..)| *operator == node.op_type) {
            return Err(OnnxError::NotYet { place: place(node), what: (*what).into(), remedy: (*remedy).into() });
        }
        if !framework.op_register.0.contains_key(&node.op_type) {
            return Err(OnnxError::NotYet {
                place: place(node),
                what: "is an operator that tract does not know".into(),
                remedy: "replace it by standard ONNX operators, or open an issue with the file".into(),
            });
        }
        if node.op_type == "BatchNormalization" && int(node, "training_mode").unwrap_or(0) != 0 {
            return Err(refuse(
                node,
                "a batch normalization in evaluation mode",
                "one in training mode",
                "call generator.eval() before the export",
            ));
        }
        if node.op_type == "Pad" && node.attribute.iter().any(|it| it.name == "mode" && it.s == b"wrap") {
            let remedy = "pad by zeros or reflection, or join the opposite rows and columns by Slice and Concat";
            return Err(OnnxError::NotYet {
                place: place(node),
                what: "pads by wrapping around".into(),
                remedy: remedy.into(),
            });
        }
        attributes(node)?;
        kernel(node, &weights)?;
        normalized_axis(node, &weights)?;
        made_large(node, &constants)?;
    }
    Ok(())
}

/// Refuses a normalization over more axes than its scale has: tract would count them for ever.
fn normalized_axis(node: &NodeProto, weights: &HashMap<&str, &TensorProto>) -> Result<(), OnnxError> {
    let axis = int(node, "axis").unwrap_or(-1);
    let rank = node.input.get(1).and_then(|name| weights.get(name.as_str())).map_or(4, |scale| scale.dims.len() as i64);
    if !node.op_type.ends_with("Normalization") || (-rank.max(1)..=8).contains(&axis) {
        return Ok(());
    }
    Err(refuse(node, &format!("an axis from {} on", -rank), &axis.to_string(), "export the model again"))
}

/// Refuses constants that a few numbers make large: tract would make them at once.
fn made_large(node: &NodeProto, constants: &HashMap<String, Vec<i64>>) -> Result<(), OnnxError> {
    let numbers =
        |index: usize| node.input.get(index).and_then(|name| constants.get(name)).map_or(&[][..], Vec::as_slice);
    let product = |sizes: &[i64]| sizes.iter().map(|&size| size.unsigned_abs()).fold(1, u64::saturating_mul);
    let count = match node.op_type.as_str() {
        "ConstantOfShape" => product(numbers(0)),
        "RandomNormal" | "RandomUniform" => {
            node.attribute.iter().find(|it| it.name == "shape").map_or(0, |shape| product(&shape.ints))
        }
        "Expand" | "Tile" => product(numbers(1)),
        "Range" => match (numbers(0), numbers(1), numbers(2)) {
            ([first], [last], [step]) => last.saturating_sub(*first).unsigned_abs() / step.unsigned_abs().max(1),
            _ => 0,
        },
        _ => 0,
    };
    if count <= MAX_MADE {
        return Ok(());
    }
    Err(refuse(node, &format!("at most {MAX_MADE} values"), &count.to_string(), "make the model smaller"))
}

/// Refuses axes that a tensor does not have. `rank` gives the number of axes of a tensor by its name.
pub(super) fn check_axes(graph: &GraphProto, rank: impl Fn(&str) -> Option<i64>) -> Result<(), OnnxError> {
    for node in &graph.node {
        let Some(rank) = node.input.first().and_then(|name| rank(name)) else { continue };
        // These make axes.
        let rank = if matches!(node.op_type.as_str(), "Unsqueeze" | "OneHot" | "Flatten") { rank + 1 } else { rank };
        let Some(axis) = node.attribute.iter().find(|it| it.name == "axis").map(|it| it.i) else { continue };
        if node.op_type != "Gather" && !(-rank..rank).contains(&axis) {
            return Err(refuse(
                node,
                &format!("an axis from {} to {}", -rank, rank - 1),
                &axis.to_string(),
                "export the model again",
            ));
        }
    }
    Ok(())
}

fn attributes(node: &NodeProto) -> Result<(), OnnxError> {
    for attribute in &node.attribute {
        let least = match attribute.name.as_str() {
            "strides" | "dilations" | "kernel_shape" => 1,
            "pads" | "output_padding" => 0,
            _ => continue,
        };
        // A Pad may cut off.
        let least = if node.op_type == "Pad" { -MAX_ATTRIBUTE } else { least };
        if let Some(wrong) = attribute.ints.iter().find(|value| !(least..=MAX_ATTRIBUTE).contains(value)) {
            let expected = format!("{} from {least} to {MAX_ATTRIBUTE}", attribute.name);
            return Err(refuse(node, &expected, &wrong.to_string(), "make the model smaller, or export it again"));
        }
    }
    Ok(())
}

/// Compares `kernel_shape` and `group` with the weights.
fn kernel(node: &NodeProto, weights: &HashMap<&str, &TensorProto>) -> Result<(), OnnxError> {
    if !matches!(node.op_type.as_str(), "Conv" | "ConvTranspose") {
        return Ok(());
    }
    let Some(weight) = node.input.get(1).and_then(|name| weights.get(name.as_str())) else { return Ok(()) };
    let found = weight.dims.get(2..).unwrap_or(&[]);
    if let Some(told) = node.attribute.iter().find(|it| it.name == "kernel_shape").filter(|told| told.ints != found) {
        let expected = format!("a kernel_shape like that of the weights, {found:?}");
        return Err(refuse(node, &expected, &format!("{:?}", told.ints), "export the model again"));
    }
    let (group, first) = (int(node, "group").unwrap_or(1), weight.dims.first().copied().unwrap_or(0));
    if group < 1 || first % group != 0 {
        let expected = format!("a group that divides {first} channels");
        return Err(refuse(node, &expected, &group.to_string(), "export the model again"));
    }
    Ok(())
}

/// Old forms of operators made new ones.
pub(super) fn modernize(model: &mut ModelProto) {
    let opset = opset(model);
    let Some(graph) = &mut model.graph else { return };
    let constants = constants(graph);
    let vectors: HashMap<String, TensorProto> = graph
        .initializer
        .iter()
        .filter(|tensor| tensor.dims.len() == 1)
        .map(|tensor| (tensor.name.clone(), tensor.clone()))
        .collect();
    let mut made = Vec::with_capacity(graph.node.len());
    let mut added = Vec::new();
    for mut node in std::mem::take(&mut graph.node) {
        match node.op_type.as_str() {
            "Upsample" => upsample(&mut node, &mut added),
            "MatMul" => {
                if let Some(squeeze) = row(&mut node, opset, &vectors, &mut added) {
                    made.extend([node, squeeze]);
                    continue;
                }
            }
            "Resize" if opset < 11 => node.attribute.push(text("nearest_mode", "floor")),
            "Pad" => {
                if let Some(crop) = crop(&mut node, opset, &constants, &mut added) {
                    made.push(crop);
                }
            }
            _ => {}
        }
        made.push(node);
    }
    graph.node = made;
    graph.initializer.extend(added);
}

/// Makes a vector of the file that a product begins with a matrix of one row, because tract multiplies no two vectors,
/// which is what spectral normalization does. Gives the Squeeze that must stand behind the product.
fn row(
    node: &mut NodeProto,
    opset: i64,
    vectors: &HashMap<String, TensorProto>,
    added: &mut Vec<TensorProto>,
) -> Option<NodeProto> {
    let vector = vectors.get(node.input.first()?)?;
    let output = node.output.first()?.clone();
    let name = format!("{output}/row");
    added.push(TensorProto { name: name.clone(), dims: vec![1, vector.dims[0]], ..vector.clone() });
    node.input[0] = name;
    node.output[0] = format!("{output}/product");
    let mut squeeze = NodeProto {
        name: format!("{}/squeeze", node.name),
        op_type: "Squeeze".into(),
        input: vec![node.output[0].clone()],
        output: vec![output.clone()],
        ..NodeProto::default()
    };
    if opset < 13 {
        squeeze.attribute.push(numbers("axes", vec![0]));
    } else {
        added.push(ints(&format!("{output}/axes"), vec![0]));
        squeeze.input.push(format!("{output}/axes"));
    }
    Some(squeeze)
}

/// The version of the operators of ONNX itself.
pub(super) fn opset(model: &ModelProto) -> i64 {
    let own = model.opset_import.iter().find(|import| matches!(import.domain.as_str(), "" | "ai.onnx"));
    own.map_or(1, |import| import.version)
}

/// Scales as an input, and pixels repeated as `Upsample` does.
fn upsample(node: &mut NodeProto, added: &mut Vec<TensorProto>) {
    node.attribute.push(text("nearest_mode", "floor"));
    if let Some(scales) = node.attribute.iter().find(|it| it.name == "scales") {
        let name = format!("{}/scales", node.output.first().map_or("", String::as_str));
        added.push(TensorProto {
            name: name.clone(),
            dims: vec![scales.floats.len() as i64],
            data_type: DataType::Float as i32,
            float_data: scales.floats.clone(),
            ..TensorProto::default()
        });
        node.input.truncate(1);
        node.input.push(name);
    }
}

/// Cuts off what a Pad with negative numbers does: gives the Slice that must stand before it.
fn crop(
    node: &mut NodeProto,
    opset: i64,
    constants: &HashMap<String, Vec<i64>>,
    added: &mut Vec<TensorProto>,
) -> Option<NodeProto> {
    let attribute = node.attribute.iter().position(|it| it.name == "pads");
    let pads = match attribute {
        Some(index) => node.attribute[index].ints.clone(),
        None => constants.get(node.input.get(1)?)?.clone(),
    };
    if pads.iter().all(|&pad| pad >= 0) {
        return None;
    }
    let stem = node.output.first()?.clone();
    let half = pads.len() / 2;
    let axes = match node.input.get(3).filter(|name| !name.is_empty()) {
        Some(name) => constants.get(name)?.clone(),
        None => (0..half as i64).collect(),
    };
    let starts: Vec<i64> = pads[..half].iter().map(|&pad| (-pad).max(0)).collect();
    let ends = pads[half..].iter().map(|&pad| if pad < 0 { pad } else { i64::from(i32::MAX) }).collect();
    let rest: Vec<i64> = pads.iter().map(|&pad| pad.max(0)).collect();
    let mut slice = NodeProto {
        name: format!("{}/crop", node.name),
        op_type: "Slice".into(),
        input: vec![node.input.first()?.clone()],
        output: vec![format!("{stem}/crop")],
        ..NodeProto::default()
    };
    for (name, values) in [("starts", starts), ("ends", ends), ("axes", axes)] {
        if opset < 10 {
            slice.attribute.push(numbers(name, values));
        } else {
            added.push(ints(&format!("{stem}/{name}"), values));
            slice.input.push(format!("{stem}/{name}"));
        }
    }
    node.input[0] = format!("{stem}/crop");
    match attribute {
        Some(index) => node.attribute[index].ints = rest,
        None => {
            added.push(ints(&format!("{stem}/pads"), rest));
            node.input[1] = format!("{stem}/pads");
        }
    }
    Some(slice)
}

/// Makes a graph for `batch` images at a time one for a single image: the shapes that are written into it.
pub(super) fn unbatch(graph: &mut GraphProto, batch: i64) {
    let constants = constants(graph);
    let mut added = Vec::new();
    for node in &mut graph.node {
        let index = match node.op_type.as_str() {
            "Reshape" | "Expand" => 1,
            "Resize" => 3,
            _ => continue,
        };
        let Some(name) = node.input.get(index) else { continue };
        let Some(shape) = constants.get(name).filter(|shape| shape.first() == Some(&batch)) else { continue };
        let name = format!("{}/shape", node.output.first().map_or("", String::as_str));
        added.push(ints(&name, [&[1], &shape[1..]].concat()));
        node.input[index] = name;
    }
    graph.initializer.extend(added);
}

/// Whole numbers that stand in the file, by name.
pub(super) fn constants(graph: &GraphProto) -> HashMap<String, Vec<i64>> {
    let read = |tensor: &TensorProto| -> Option<Vec<i64>> {
        let words = |width: usize| tensor.raw_data.chunks_exact(width);
        match DataType::try_from(tensor.data_type).ok()? {
            DataType::Int64 if tensor.raw_data.is_empty() => Some(tensor.int64_data.clone()),
            DataType::Int64 => {
                Some(words(8).filter_map(|word| Some(i64::from_le_bytes(word.try_into().ok()?))).collect())
            }
            DataType::Int32 if tensor.raw_data.is_empty() => {
                Some(tensor.int32_data.iter().map(|&value| i64::from(value)).collect())
            }
            DataType::Int32 => {
                Some(words(4).filter_map(|word| Some(i32::from_le_bytes(word.try_into().ok()?).into())).collect())
            }
            _ => None,
        }
    };
    let mut found: HashMap<_, _> =
        graph.initializer.iter().filter_map(|tensor| Some((tensor.name.clone(), read(tensor)?))).collect();
    for node in graph.node.iter().filter(|node| node.op_type == "Constant") {
        let tensor = node.attribute.iter().find(|it| it.name == "value").and_then(|it| it.t.as_ref());
        let list = node.attribute.iter().find(|it| it.name == "value_ints").map(|it| it.ints.clone());
        if let (Some(name), Some(values)) = (node.output.first(), tensor.and_then(read).or(list)) {
            found.insert(name.clone(), values);
        }
    }
    found
}

/// Paddings for transposed convolutions that give the size of their output instead: the rule stands in ONNX's
/// description of ConvTranspose. `size` gives the rows and columns that a node reads, by the node's index.
pub(super) fn output_shapes(graph: &mut GraphProto, size: impl Fn(&str) -> Option<Vec<usize>>) {
    let weights: HashMap<String, Vec<i64>> =
        graph.initializer.iter().map(|tensor| (tensor.name.clone(), tensor.dims.clone())).collect();
    for node in &mut graph.node {
        if node.op_type != "ConvTranspose" || !node.attribute.iter().any(|it| it.name == "output_shape") {
            continue;
        }
        let list = |name: &str| node.attribute.iter().find(|it| it.name == name).map(|it| it.ints.clone());
        let (Some(wanted), Some(input)) = (list("output_shape"), node.input.first().and_then(|name| size(name))) else {
            continue;
        };
        let kernel = list("kernel_shape").or_else(|| weights.get(node.input.get(1)?)?.get(2..).map(<[i64]>::to_vec));
        let Some(kernel) = kernel.filter(|kernel| kernel.len() == wanted.len() && input.len() == wanted.len()) else {
            continue;
        };
        let (strides, dilations) = (list("strides"), list("dilations"));
        let upper = node.attribute.iter().any(|it| it.name == "auto_pad" && it.s == b"SAME_UPPER");
        let (mut before, mut after, mut extra) = (vec![], vec![], vec![]);
        for axis in 0..wanted.len() {
            let of = |list: &Option<Vec<i64>>| list.as_ref().and_then(|list| list.get(axis).copied()).unwrap_or(1);
            let full = of(&strides) * (input[axis] as i64 - 1) + (kernel[axis] - 1) * of(&dilations) + 1;
            let total = (full - wanted[axis]).max(0);
            before.push(if upper { total / 2 } else { total - total / 2 });
            after.push(if upper { total - total / 2 } else { total / 2 });
            extra.push((wanted[axis] - full).max(0));
        }
        node.attribute.retain(|it| {
            !matches!(it.name.as_str(), "output_shape" | "pads" | "output_padding" | "auto_pad" | "kernel_shape")
        });
        node.attribute.push(numbers("pads", [before, after].concat()));
        node.attribute.push(numbers("output_padding", extra));
    }
}

pub(super) fn int(node: &NodeProto, name: &str) -> Option<i64> {
    node.attribute.iter().find(|it| it.name == name).map(|it| it.i)
}

fn refuse(node: &NodeProto, expected: &str, found: &str, remedy: &str) -> OnnxError {
    OnnxError::Graph { place: place(node), expected: expected.into(), found: found.into(), remedy: remedy.into() }
}

pub(super) fn ints(name: &str, values: Vec<i64>) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: vec![values.len() as i64],
        data_type: DataType::Int64 as i32,
        int64_data: values,
        ..TensorProto::default()
    }
}

fn numbers(name: &str, values: Vec<i64>) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Ints as i32, ints: values, ..AttributeProto::default() }
}

fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::String as i32,
        s: value.into(),
        ..AttributeProto::default()
    }
}
