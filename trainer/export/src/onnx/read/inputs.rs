//! Which input of a file is the latent vector, which the class, which an image.

use edgegen_runtime::graph::Shape;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::Dimension;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Size;
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{GraphProto, ModelProto, ValueInfoProto};

use super::load::one_line;
use super::rewrite::{constants, int};
use super::view::View;
use super::{Assume, AssumedPrior, AssumedRange, OnnxError};
use crate::layers::{Input, LatentInput, PixelRange};

/// Keys of the metadata that edgegen's own files have, and what stands there.
const PRIOR: &str = "edgegen.prior";
const CLASSES: &str = "edgegen.classes";

/// Classes at most.
const MAX_CLASSES: usize = 1 << 14;

/// Channels of an image at most; what has more of them is a map of features.
const IMAGE_CHANNELS: usize = 4;
/// Rows and columns of an image at least; a latent map is smaller.
const IMAGE_SIDE: usize = 16;

/// The inputs of the network, and how those of the file follow from them.
#[derive(Debug)]
pub(super) struct Inputs {
    /// Those of the network, in the order of its nodes.
    pub inputs: Vec<Input>,
    /// For each input of the file, by its name.
    pub feeds: Vec<(String, Feed)>,
    /// Images that the file makes at a time, if that is fixed and more than one.
    pub batch: Option<usize>,
    /// What was assumed.
    pub notes: Vec<String>,
}

/// How an input of the file follows from one of the network.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Feed {
    /// Values of the input, each times a scale and with an offset.
    Values {
        /// Which input of the network.
        input: usize,
        /// Where the tensor's elements stand in it.
        view: View,
        /// Scale and offset.
        affine: [f32; 2],
    },
    /// The number of the class that has a 1.
    Number {
        /// Which input of the network.
        input: usize,
        /// Sizes of the tensor, all 1.
        sizes: Vec<usize>,
    },
}

/// What an input of the file is.
enum Kind {
    Vector(usize),
    Map,
    Image { channels_last: bool },
    Number,
}

/// Decides what the inputs are, and writes their sizes, for one image at a time, into the file.
pub(super) fn decide(model: &mut ModelProto, assume: &Assume) -> Result<Inputs, OnnxError> {
    let told = |key: &str| model.metadata_props.iter().find(|it| it.key == key).map(|it| it.value.clone());
    let (told_prior, told_classes) = (told(PRIOR), told(CLASSES));
    let graph = model.graph.as_mut().ok_or_else(|| OnnxError::File("there is no graph in it".into()))?;
    let mut made = Inputs { inputs: vec![], feeds: vec![], batch: None, notes: vec![] };
    let classes = match told_classes {
        Some(text) => Some(text.parse::<usize>().map_err(|_| metadata(CLASSES, "a number", &text))?),
        None => assume.classes,
    };
    let names: Vec<String> = free(graph).map(|info| info.name.clone()).collect();
    if names.is_empty() {
        return Err(OnnxError::Graph {
            place: "the graph's inputs".into(),
            expected: "a latent vector, a class or an image".into(),
            found: "none".into(),
            remedy: "draw the latent vector outside the model and give it as an argument".into(),
        });
    }
    let mut kinds = Vec::new();
    for name in &names {
        let (kind, sizes) = settle(graph, name, assume, &mut made)?;
        kinds.push((name.clone(), kind, sizes));
    }
    let prior = prior(
        told_prior.as_deref(),
        assume,
        kinds.iter().any(|(_, kind, _)| !matches!(kind, Kind::Number | Kind::Image { .. })),
        &mut made,
    )?;
    latents(&mut kinds, prior, classes, &mut made)?;
    rest(graph, kinds, classes, assume, &mut made)?;
    Ok(made)
}

/// Inputs that are not weights; old files list those among the inputs, too.
fn free(graph: &GraphProto) -> impl Iterator<Item = &ValueInfoProto> {
    graph.input.iter().filter(|input| graph.initializer.iter().all(|weight| weight.name != input.name))
}

/// The kind and sizes of an input, which become those of the file.
fn settle(
    graph: &mut GraphProto,
    name: &str,
    assume: &Assume,
    made: &mut Inputs,
) -> Result<(Kind, Vec<usize>), OnnxError> {
    let refuse = |found: String, remedy: &str| OnnxError::Graph {
        place: one_line(&format!("the input {name}")),
        expected: "a latent vector [batch, n], a class [batch] or an image [batch, c, h, w]".into(),
        found,
        remedy: remedy.into(),
    };
    let info = graph.input.iter_mut().find(|info| info.name == name);
    let kind = info.and_then(|info| info.r#type.as_mut()).and_then(|kind| kind.value.as_mut());
    let Some(Type::TensorType(tensor)) = kind else { return Err(refuse("no tensor".into(), "export the model again")) };
    let float = tensor.elem_type == DataType::Float as i32;
    let dims = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dim);
    let mut sizes: Vec<Option<usize>> = dims
        .iter()
        .map(|dim| match dim.value {
            Some(Size::DimValue(size)) => usize::try_from(size).ok().filter(|&size| size > 0),
            _ => None,
        })
        .collect();
    if let Some(wrong) = dims.iter().find(|dim| matches!(dim.value, Some(Size::DimValue(size)) if size < 0)) {
        return Err(refuse(format!("a size of {:?}", wrong.value), "the file is damaged: write it again"));
    }
    if !float {
        if sizes.iter().flatten().any(|&size| size != 1) && sizes.len() > 1 {
            return Err(refuse(format!("whole numbers of sizes {}", list(&sizes)), "give one class for each image"));
        }
        batch(&sizes, made);
        let ones = vec![1; sizes.len()];
        tensor.shape.iter_mut().for_each(|shape| shape.dim = ones.iter().map(|&size| dimension(size)).collect());
        return Ok((Kind::Number, ones));
    }
    if sizes.len() > 1 {
        batch(&sizes, made);
        sizes[0] = Some(1);
    }
    let kind = of_floats(&sizes, assume);
    if let Kind::Image { channels_last } = kind {
        fill(&mut sizes, channels_last, assume);
    }
    let Some(known) = sizes.iter().copied().collect::<Option<Vec<_>>>().filter(|known| !known.is_empty()) else {
        let remedy = match kind {
            Kind::Image { .. } => "tell the size of the image by --shape ROWSxCOLUMNSxCHANNELS",
            _ => "export the model with a fixed length of the latent vector",
        };
        return Err(refuse(format!("sizes {}", list(&sizes)), remedy));
    };
    tensor.shape.iter_mut().for_each(|shape| shape.dim = known.iter().map(|&size| dimension(size)).collect());
    Ok((kind, known))
}

fn batch(sizes: &[Option<usize>], made: &mut Inputs) {
    if let Some(&Some(size)) = sizes.first()
        && size > 1
        && made.batch.is_none()
    {
        made.batch = Some(size);
        made.notes.push(format!("batch 1: the file makes {size} images at a time, and each by itself is the same"));
    }
}

/// What floats of these sizes, the batch among them, are.
fn of_floats(sizes: &[Option<usize>], assume: &Assume) -> Kind {
    let rest = &sizes[1.min(sizes.len().saturating_sub(1))..];
    let long: Vec<usize> = rest.iter().map(|size| size.unwrap_or(usize::MAX)).filter(|&size| size != 1).collect();
    match (long[..].len(), rest.len()) {
        (0, _) => Kind::Vector(1),
        (1, _) if long[0] != usize::MAX => Kind::Vector(long[0]),
        (_, 2 | 3) => {
            let few = |size: Option<usize>| size.is_some_and(|size| size <= IMAGE_CHANNELS);
            let channels_last = few(rest[rest.len() - 1]) && !few(rest[0]);
            let sides = if channels_last { &rest[..rest.len() - 1] } else { &rest[1..] };
            let open = sides.iter().any(Option::is_none);
            let large = sides.iter().all(|side| side.is_some_and(|side| side >= IMAGE_SIDE));
            let channels = few(if channels_last { rest[rest.len() - 1] } else { rest[0] });
            if open || large && channels && assume.prior.is_none() { Kind::Image { channels_last } } else { Kind::Map }
        }
        _ => Kind::Map,
    }
}

/// The size that was told in the place of a free one.
fn fill(sizes: &mut [Option<usize>], channels_last: bool, assume: &Assume) {
    let Some(shape) = assume.shape else { return };
    let [c, h, w] = [shape.c, shape.h, shape.w].map(usize::from);
    let told = match (sizes.len(), channels_last) {
        (3, false) => vec![c, w],
        (3, true) => vec![w, c],
        (_, false) => vec![c, h, w],
        (_, true) => vec![h, w, c],
    };
    for (size, told) in sizes[1..].iter_mut().zip(told) {
        size.get_or_insert(told);
    }
}

fn prior(told: Option<&str>, assume: &Assume, needed: bool, made: &mut Inputs) -> Result<AssumedPrior, OnnxError> {
    let told = match told {
        None => None,
        Some("gaussian") => Some(AssumedPrior::Gaussian),
        Some("uniform") => Some(AssumedPrior::Uniform),
        Some(other) => return Err(metadata(PRIOR, "gaussian or uniform", other)),
    };
    Ok(assume.prior.or(told).unwrap_or_else(|| {
        if needed {
            let note = "prior gaussian: nothing in the file tells; --prior uniform or uniform01 says otherwise";
            made.notes.push(note.into());
        }
        AssumedPrior::Gaussian
    }))
}

/// Takes the latent vectors and maps out of `kinds` and makes one vector of them.
fn latents(
    kinds: &mut Vec<(String, Kind, Vec<usize>)>,
    prior: AssumedPrior,
    classes: Option<usize>,
    made: &mut Inputs,
) -> Result<(), OnnxError> {
    let (distribution, scale, offset) = prior.drawn();
    let vectors = kinds.iter().filter(|(_, kind, _)| matches!(kind, Kind::Vector(_))).count();
    let one_hot = |name: &str, len: usize| {
        let name = name.to_lowercase();
        let label =
            ["label", "class", "cond", "onehot", "one_hot"].iter().any(|part| name.contains(part)) || name == "y";
        vectors > 1 && (classes == Some(len) || classes.is_none() && label)
    };
    let mut parts = Vec::new();
    kinds.retain(|(name, kind, sizes)| match kind {
        Kind::Vector(len) if !one_hot(name, *len) => {
            parts.push((name.clone(), *len, sizes.clone()));
            false
        }
        Kind::Map => {
            parts.push((name.clone(), sizes.iter().product(), sizes.clone()));
            false
        }
        _ => true,
    });
    let width: usize = parts.iter().map(|(_, len, _)| len).sum();
    if parts.is_empty() {
        return Ok(());
    }
    // A vector alone may have the classes at its end.
    let together =
        classes.filter(|_| parts.len() == 1 && kinds.iter().all(|(_, kind, _)| matches!(kind, Kind::Image { .. })));
    let classes = together.unwrap_or(0);
    if width <= classes || width > usize::from(u16::MAX) {
        return Err(OnnxError::Graph {
            place: one_line(&format!("the input {}", parts[0].0)),
            expected: format!("a latent vector of {} to {} values", classes + 1, u16::MAX),
            found: width.to_string(),
            remedy: "check --classes".into(),
        });
    }
    if parts.len() > 1 {
        let names: Vec<_> = parts.iter().map(|(name, len, _)| format!("{name} ({len})")).collect();
        made.notes
            .push(format!("one latent vector of {} together; --classes says if one is the class", names.join(", ")));
    }
    let input = made.inputs.len();
    made.inputs.push(Input::Latent(LatentInput { prior: distribution, dims: width - classes, classes }));
    let mut start = 0;
    for (name, len, sizes) in parts {
        let part = View::contiguous(&[width]).slice(0, start, len, 1).and_then(|part| part.reshape(0, 1, &sizes));
        let view = part.unwrap_or_else(|| View::contiguous(&sizes));
        made.feeds.push((name, Feed::Values { input, view, affine: [scale, offset] }));
        start += len;
    }
    Ok(())
}

/// Classes and images.
fn rest(
    graph: &GraphProto,
    kinds: Vec<(String, Kind, Vec<usize>)>,
    classes: Option<usize>,
    assume: &Assume,
    made: &mut Inputs,
) -> Result<(), OnnxError> {
    for (name, kind, sizes) in kinds {
        let input = made.inputs.len();
        match kind {
            Kind::Vector(len) => {
                made.notes.push(format!("{len} classes: {name} is a vector beside the latent one"));
                made.inputs.push(Input::Class { classes: len, stride: 0 });
                made.feeds.push((name, Feed::Values { input, view: View::contiguous(&sizes), affine: [1.0, 0.0] }));
            }
            Kind::Number => {
                let found = table(graph, &name).or(classes).ok_or_else(|| OnnxError::Ask {
                    what: one_line(&format!("how many classes the input {name} can tell apart")),
                    remedy: "tell it by --classes".into(),
                })?;
                if !(1..=MAX_CLASSES).contains(&found) {
                    return Err(OnnxError::Graph {
                        place: one_line(&format!("the input {name}")),
                        expected: format!("1 to {MAX_CLASSES} classes"),
                        found: found.to_string(),
                        remedy: "check the table that the class chooses from".into(),
                    });
                }
                made.notes.push(format!("{found} classes: the size of the table that {name} chooses from"));
                made.inputs.push(Input::Class { classes: found, stride: 0 });
                made.feeds.push((name, Feed::Number { input, sizes }));
            }
            Kind::Image { channels_last } => {
                let (shape, view) = image(&sizes, channels_last);
                made.inputs.push(Input::Image { shape, pixels: image_range(assume) });
                made.feeds.push((name, Feed::Values { input, view, affine: [1.0, 0.0] }));
            }
            Kind::Map => {}
        }
    }
    Ok(())
}

/// The range of images that are read: that of the picture, if it was told; else `output` corrects it.
fn image_range(assume: &Assume) -> PixelRange {
    match assume.range {
        Some(AssumedRange::Pixels(pixels)) => pixels,
        _ => PixelRange::Unit,
    }
}

/// The shape of an image in a tensor of these sizes, and where the tensor's elements stand in it.
pub(super) fn image(sizes: &[usize], channels_last: bool) -> (Shape, View) {
    let rest = &sizes[1..];
    let [c, h, w] = match (rest, channels_last) {
        (&[c, h, w], false) | (&[h, w, c], true) => [c, h, w],
        (&[c, w], false) | (&[w, c], true) => [c, 1, w],
        _ => [1, 1, rest.iter().product()],
    };
    let view = match (rest.len(), channels_last) {
        (3, true) => View::contiguous(&[1, c, h, w]).shift(1, 3),
        (2, true) => View::contiguous(&[1, c, w]).shift(1, 2),
        _ => View::contiguous(sizes),
    };
    (Shape { h: h as u16, w: w as u16, c: c as u16 }, view)
}

/// The size of the table that a class number chooses from.
fn table(graph: &GraphProto, input: &str) -> Option<usize> {
    let constants = constants(graph);
    let mut same = vec![input];
    let mut alias = std::collections::HashMap::new();
    for node in &graph.node {
        let (Some(first), Some(output)) = (node.input.first(), node.output.first()) else { continue };
        let second = node.input.get(1).map_or("", String::as_str);
        let weight = |name: &str| {
            let name = alias.get(name).copied().unwrap_or(name);
            graph.initializer.iter().find(|tensor| tensor.name == name)
        };
        match node.op_type.as_str() {
            "Identity" if weight(first).is_some() => {
                alias.insert(output.as_str(), first.as_str());
            }
            "Cast" | "Unsqueeze" | "Squeeze" | "Reshape" | "Identity" | "Flatten" | "Expand"
                if same.contains(&first.as_str()) =>
            {
                same.push(output);
            }
            "Gather" if same.contains(&second) => {
                let dims = weight(first).map(|tensor| tensor.dims.clone())?;
                let axis = int(node, "axis").unwrap_or(0).rem_euclid(dims.len().max(1) as i64);
                return usize::try_from(*dims.get(axis as usize)?).ok();
            }
            "OneHot" if same.contains(&first.as_str()) => {
                return usize::try_from(*constants.get(second)?.first()?).ok();
            }
            "Equal" => {
                let other = if same.contains(&first.as_str()) { second } else { first };
                if same.contains(&first.as_str()) || same.contains(&second) {
                    let largest = constants.get(other)?.iter().max()?;
                    return usize::try_from(largest.checked_add(1)?).ok();
                }
            }
            _ => {}
        }
    }
    None
}

fn metadata(key: &str, expected: &str, found: &str) -> OnnxError {
    OnnxError::Graph {
        place: format!("{key} in the metadata"),
        expected: expected.into(),
        found: found.into(),
        remedy: "correct or remove the entry".into(),
    }
}

fn dimension(size: usize) -> Dimension {
    Dimension { value: Some(Size::DimValue(size as i64)), ..Dimension::default() }
}

fn list(sizes: &[Option<usize>]) -> String {
    let sizes: Vec<_> = sizes.iter().map(|size| size.map_or("free".into(), |size| size.to_string())).collect();
    format!("[{}]", sizes.join(", "))
}
