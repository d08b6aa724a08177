//! Which output is the picture, which of its axes are channels, rows and columns, and what its values mean.

use tract_onnx::pb::ModelProto;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Size;
use tract_onnx::pb::type_proto::Value as Type;

use super::features::Each;
use super::load::one_line;
use super::reader::{Reader, Value, limit};
use super::rewrite::place;
use super::view::View;
use super::{Assume, AssumedRange, OnnxError};
use crate::function::{Binary, Function, Unary};
use crate::layers::{Input, Layer, Node, PixelRange};

/// Key of the metadata that edgegen's own files have.
const PIXELS: &str = "edgegen.pixels";
/// Channels of a picture at most, where they could be its columns as well.
const CHANNELS: usize = 4;
/// How far a bound may be beside that of a range.
const SLACK: f32 = 1e-3;

/// The picture that a network makes.
pub(super) struct Picture {
    /// Its node.
    pub node: usize,
    /// What its values mean.
    pub pixels: PixelRange,
    /// For each of its values in the order C, H, W the place in the file's output.
    pub from: Vec<usize>,
    /// Whether the file gives logits, and a sigmoid was added.
    pub logits: bool,
}

/// Name of the output that is the picture.
pub(super) fn choose(model: &ModelProto, assume: &Assume) -> Result<String, OnnxError> {
    let outputs = model.graph.as_ref().map_or(&[][..], |graph| &graph.output);
    let names: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
    let refuse = |found: String, remedy: String| OnnxError::Graph {
        place: "the graph's outputs".into(),
        expected: "a picture".into(),
        found,
        remedy,
    };
    if let Some(wanted) = &assume.output {
        return match names.iter().find(|name| *name == wanted) {
            Some(name) => Ok((*name).to_owned()),
            None => Err(refuse(format!("no {wanted}"), format!("--output takes one of {}", names.join(", ")))),
        };
    }
    let sizes = |index: usize| -> Vec<i64> {
        let kind = outputs[index].r#type.as_ref().and_then(|kind| kind.value.as_ref());
        let Some(Type::TensorType(tensor)) = kind else { return vec![] };
        let size = |value: &Option<Size>| if let Some(Size::DimValue(size)) = value { *size } else { 0 };
        tensor.shape.as_ref().map_or(vec![], |shape| shape.dim.iter().map(|dim| size(&dim.value)).collect())
    };
    let picture = |index: &usize| matches!(sizes(*index)[..], [_, 1 | 3, _, _] | [_, _, _, 1 | 3]);
    match names.len() {
        0 => Err(refuse("none".into(), "export the model again".into())),
        1 => Ok(names[0].into()),
        count => {
            let pictures: Vec<usize> = (0..count).filter(picture).collect();
            match pictures[..] {
                [one] => Ok(names[one].into()),
                _ => Err(OnnxError::Ask {
                    what: one_line(&format!("which of the outputs {} is the picture", names.join(", "))),
                    remedy: format!("tell it by --output {}", names[0]),
                }),
            }
        }
    }
}

/// Makes the last tensor the picture.
pub(super) fn finish(
    reader: &mut Reader<'_>,
    value: Value,
    sizes: &[usize],
    assume: &Assume,
    model: &ModelProto,
    notes: &mut Vec<String>,
) -> Result<Picture, OnnxError> {
    if matches!(value, Value::Known(_)) || sizes.contains(&0) {
        return Err(reader.refuse(
            "a picture that follows from the input",
            &format!("a constant of sizes {sizes:?}"),
            "choose another output by --output, or export the model again",
        ));
    }
    let mut features = reader.only_features(&value)?;
    let (view, groups) = layout(&features.view, sizes, assume)?;
    features.view = view.clone();
    let (pixels, logits) = range(reader, &features, assume, model, notes)?;
    if logits {
        features.push(Each::Common(Function::sigmoid()));
    }
    for node in &mut reader.nodes {
        if let Layer::Input(Input::Image { pixels: own, .. }) = &mut node.layer {
            *own = pixels;
            notes.push("the image that is read has the range of the picture".into());
        }
    }
    let from = picture_sizes(sizes, &view.sizes()).gathered(&groups).places();
    let node = reader.map(&features, &groups);
    let [c, h, w] = reader.shapes[node];
    if [c, h, w].iter().any(|&side| side > usize::from(u16::MAX)) {
        limit("the picture", &[usize::MAX])?;
    }
    Ok(Picture { node, pixels, from, logits })
}

/// The file's output as a tensor of other sizes, where `--shape` gives it some.
fn picture_sizes(sizes: &[usize], seen: &[usize]) -> View {
    let whole = View::contiguous(sizes);
    whole.reshape(0, sizes.len(), seen).unwrap_or(whole)
}

/// The output as a tensor, and its axes that are channels, rows and columns.
fn layout(view: &View, sizes: &[usize], assume: &Assume) -> Result<(View, [Vec<usize>; 3]), OnnxError> {
    let few = |size: usize| size <= CHANNELS;
    let groups = match *sizes {
        [1, c, h, w] if few(c) || !few(w) || h == 1 && w == 1 => [vec![1], vec![2], vec![3]],
        [1, _, _, _] => [vec![3], vec![1], vec![2]],
        [1, c, _] if few(c) => [vec![1], vec![], vec![2]],
        [1, _, _] => [vec![], vec![1], vec![2]],
        [c, _, w] if few(c) || !few(w) => [vec![0], vec![1], vec![2]],
        [_, _, _] => [vec![2], vec![0], vec![1]],
        [1, n] | [n] => return flat(view, n, sizes.len(), assume),
        _ => {
            return Err(OnnxError::Graph {
                place: "the graph's output".into(),
                expected: "a picture, [batch, channels, rows, columns]".into(),
                found: format!("{sizes:?}"),
                remedy: "reshape it in the model, or choose another output by --output".into(),
            });
        }
    };
    Ok((view.clone(), groups))
}

/// A flat vector as a picture.
fn flat(view: &View, len: usize, rank: usize, assume: &Assume) -> Result<(View, [Vec<usize>; 3]), OnnxError> {
    let ask = |what: String| OnnxError::Ask {
        what,
        remedy: "tell it by --shape ROWSxCOLUMNSxCHANNELS, as in --shape 28x28x1".into(),
    };
    let Some(shape) = assume.shape else {
        // A few values are a point, not a picture.
        if few_values(len) {
            return Ok((view.clone(), [vec![rank - 1], vec![], vec![]]));
        }
        return Err(ask(format!("the shape of the picture, which it gives as {len} values")));
    };
    let [c, h, w] = [shape.c, shape.h, shape.w].map(usize::from);
    let seen = view.reshape(rank - 1, 1, &[c, h, w]).filter(|_| c * h * w == len);
    let seen = seen.ok_or_else(|| ask(format!("a picture of {h}×{w}×{c}: it gives {len} values")))?;
    Ok((seen, [vec![rank - 1], vec![rank], vec![rank + 1]]))
}

fn few_values(len: usize) -> bool {
    len <= CHANNELS
}

/// What the values mean, and whether they are logits.
fn range(
    reader: &Reader<'_>,
    features: &super::features::Features,
    assume: &Assume,
    model: &ModelProto,
    notes: &mut Vec<String>,
) -> Result<(PixelRange, bool), OnnxError> {
    match assume.range {
        Some(AssumedRange::Pixels(pixels)) => return Ok((pixels, false)),
        Some(AssumedRange::Logits) => return Ok((PixelRange::Unit, true)),
        None => {}
    }
    let told = model.metadata_props.iter().find(|entry| entry.key == PIXELS).map(|entry| entry.value.as_str());
    match told {
        Some("symmetric") => return Ok((PixelRange::Symmetric, false)),
        Some("unit") => return Ok((PixelRange::Unit, false)),
        Some("byte") => return Ok((PixelRange::Byte, false)),
        _ => {}
    }
    let inner = bounds(&reader.nodes, features.node);
    let outer = match super::features::composed(&features.stages) {
        Each::Common(function) => reach(&function, inner),
        Each::Channels(functions) => {
            functions.iter().map(|function| reach(function, inner)).reduce(union).unwrap_or(ANY)
        }
    };
    let last = last_function(model);
    let (pixels, note) = match outer {
        [low, high] if low >= -SLACK && high <= 1.0 + SLACK => {
            (PixelRange::Unit, format!("range 0 … 1: {last} gives no others"))
        }
        [low, high] if low >= -1.0 - SLACK && high <= 1.0 + SLACK => {
            (PixelRange::Symmetric, format!("range −1 … 1: {last} gives no others"))
        }
        [low, high] if low >= -SLACK && high <= 255.0 + SLACK => {
            (PixelRange::Byte, format!("range 0 … 255: {last} gives no others"))
        }
        [low, _] if low >= -SLACK => {
            let note = "gives nothing below 0, and nothing says where white is; --range 0..255 or -1..1 says otherwise";
            (PixelRange::Unit, format!("range 0 … 1: {last} {note}"))
        }
        _ => {
            return Err(OnnxError::Ask {
                what: format!("what its pixels mean: {last} gives values without bounds"),
                remedy: "tell it by --range -1..1, 0..1 or 0..255, or --range logits if its loss was on logits".into(),
            });
        }
    };
    notes.push(note);
    Ok((pixels, false))
}

/// The last operator of the file that bounds its values, or else the last one.
fn last_function(model: &ModelProto) -> String {
    let nodes = model.graph.as_ref().map_or(&[][..], |graph| &graph.node);
    let makes = |name: &str| nodes.iter().find(|node| node.output.iter().any(|output| output == name));
    let output = model.graph.as_ref().and_then(|graph| graph.output.first()).map_or("", |output| &output.name);
    let mut found = makes(output);
    for _ in 0..nodes.len() {
        let Some(node) = found else { break };
        if matches!(
            node.op_type.as_str(),
            "Tanh" | "Sigmoid" | "Clip" | "Relu" | "HardSigmoid" | "Conv" | "ConvTranspose" | "Gemm"
        ) {
            return place(node);
        }
        found = node.input.first().and_then(|name| makes(name));
    }
    makes(output).map_or_else(|| "the last operator".to_owned(), place)
}

/// No bounds.
const ANY: [f32; 2] = [f32::NEG_INFINITY, f32::INFINITY];

/// Bounds of a node's values.
fn bounds(nodes: &[Node], index: usize) -> [f32; 2] {
    let mut all: Vec<[f32; 2]> = Vec::with_capacity(index + 1);
    for node in &nodes[..=index] {
        let read = node.reads.first().map_or(ANY, |&read| all[read]);
        all.push(match &node.layer {
            Layer::Activation(function) => reach(function, read),
            Layer::Affine { scale, offset } => {
                let channel =
                    |(scale, offset): (&f32, &f32)| union([scale * read[0] + offset; 2], [scale * read[1] + offset; 2]);
                scale.iter().zip(offset).map(channel).reduce(union).unwrap_or(ANY)
            }
            Layer::ChannelFunctions(functions) => {
                functions.iter().map(|function| interval(function, read)).reduce(union).unwrap_or(ANY)
            }
            Layer::Reorder { .. }
            | Layer::Slice { .. }
            | Layer::UpsampleNearest { .. }
            | Layer::UpsampleLinear { .. }
            | Layer::PixelShuffle { .. }
            | Layer::GlobalMean => read,
            Layer::Concat => node.reads.iter().map(|&read| all[read]).reduce(union).unwrap_or(ANY),
            _ => ANY,
        });
    }
    all[index]
}

fn union(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    [a[0].min(b[0]), a[1].max(b[1])]
}

/// Bounds of a function whose variable has these bounds: what its parts allow, and where that is more than it ever
/// reaches, as for x / (1 + |x|), what it gives at many places.
fn reach(function: &Function, x: [f32; 2]) -> [f32; 2] {
    let [low, high] = interval(function, x);
    let places =
        (-200..=200).map(|step: i32| f32::from(step.signum() as i8) * ((step.abs() as f32 / 12.0).exp() - 1.0));
    let values = places.map(|place| function.apply(place.clamp(x[0], x[1]))).filter(|value| value.is_finite());
    let [least, most] = values.map(|value| [value; 2]).reduce(union).unwrap_or(ANY);
    // What is still large there has no bound.
    let bound = |value: f32, none: f32| if value.abs() > 1e4 { none } else { value };
    [low.max(bound(least, low)), high.min(bound(most, high))]
}

/// Bounds of a function whose variable has these bounds, by those of its parts.
fn interval(function: &Function, x: [f32; 2]) -> [f32; 2] {
    match function {
        Function::X => x,
        Function::Constant(value) => [*value; 2],
        Function::Unary(kind, of) => {
            let [low, high] = interval(of, x);
            match kind {
                Unary::Abs if low <= 0.0 && high >= 0.0 => [0.0, high.max(-low)],
                Unary::Abs => union([low.abs(); 2], [high.abs(); 2]),
                Unary::Cos | Unary::Sin | Unary::Sign => [-1.0, 1.0],
                Unary::Log | Unary::Sqrt => [kind.apply(low.max(0.0)), kind.apply(high.max(0.0))],
                // All others rise.
                _ => [kind.apply(low), kind.apply(high)],
            }
        }
        Function::Binary(kind, a, b) => pair(*kind, function, interval(a, x), interval(b, x)),
    }
}

fn pair(kind: Binary, whole: &Function, a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    let corners = |apply: &dyn Fn(f32, f32) -> f32| {
        let all = a.iter().flat_map(|&a| b.iter().map(move |&b| (a, b)));
        // 0 · ∞ is 0 here: the other factor is a bound that is never reached.
        let value = |(a, b): (f32, f32)| if apply(a, b).is_nan() { 0.0 } else { apply(a, b) };
        all.map(value).map(|value| [value; 2]).reduce(union).unwrap_or(ANY)
    };
    match kind {
        Binary::Add => [a[0] + b[0], a[1] + b[1]].map(|bound| if bound.is_nan() { 0.0 } else { bound }),
        Binary::Sub => [a[0] - b[1], a[1] - b[0]].map(|bound| if bound.is_nan() { 0.0 } else { bound }),
        Binary::Mul => match whole {
            Function::Binary(_, first, second) if first == second => {
                let most = a[0].abs().max(a[1].abs());
                [if a[0] <= 0.0 && a[1] >= 0.0 { 0.0 } else { a[0].abs().min(a[1].abs()) }, most]
                    .map(|side| side * side)
            }
            _ => corners(&|a, b| a * b),
        },
        Binary::Div if b[0] > 0.0 || b[1] < 0.0 => corners(&|a, b| a / b),
        Binary::Greater => [0.0, 1.0],
        Binary::Max => [a[0].max(b[0]), a[1].max(b[1])],
        Binary::Min => [a[0].min(b[0]), a[1].min(b[1])],
        _ => ANY,
    }
}
