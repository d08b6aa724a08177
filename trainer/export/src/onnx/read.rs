//! Nodes to layers.

use std::collections::HashMap;

use edgegen_runtime::graph::{Prior, Shape};
use rten_onnx::onnx::{GraphProto, ModelProto, NodeProto, TensorProto};
use rten_onnx::protobuf::DecodeMessage;

use super::bytes::Bytes;
use super::node::At;
use super::{CLASSES, GAUSSIAN, OnnxError, PIXELS, PRIOR, SYMMETRIC, UNIFORM, UNIT};
use crate::layers::{Activation, Input, Layer, Network, PixelRange};

/// Operators that can be read.
const OPERATORS: [&str; 14] = [
    "Gemm",
    "Reshape",
    "Flatten",
    "Conv",
    "ConvTranspose",
    "Resize",
    "DepthToSpace",
    "BatchNormalization",
    "Relu",
    "LeakyRelu",
    "Tanh",
    "Sigmoid",
    "Identity",
    "Constant",
];

/// The generator in an ONNX file: one input, the latent vector (`[batch, n]` or `[batch, n, 1, 1]`), and a chain of the
/// operators that stand above. A file that [`to_bytes`](super::to_bytes) wrote gives the network that it was written from.
///
/// Other files do not tell the prior, which then is Gaussian, nor the range of the image, which then is 0 … 1 if the last
/// operator is Sigmoid and −1 … 1 if not; who knows better sets the fields of the network.
///
/// # Errors
///
/// [`OnnxError`] says which node is no layer of ours, and why.
pub fn from_bytes(bytes: &[u8]) -> Result<Network, OnnxError> {
    let model = ModelProto::decode(Bytes::new(bytes)).map_err(|error| OnnxError::File(error.to_string()))?;
    let graph = model.graph.as_ref().ok_or_else(|| OnnxError::File("there is no graph in it".into()))?;
    let fact = |wanted: &str| {
        let entry = model.metadata_props.iter().find(|entry| entry.key.as_deref() == Some(wanted));
        entry.and_then(|entry| entry.value.as_deref())
    };
    let unknown = |key: &str, expected: &str, found: &str| OnnxError::Graph {
        place: format!("{key} in the metadata"),
        expected: expected.into(),
        found: found.into(),
        remedy: "correct or remove the entry",
    };
    let prior = match fact(PRIOR) {
        None | Some(GAUSSIAN) => Prior::Gaussian,
        Some(UNIFORM) => Prior::Uniform,
        Some(other) => return Err(unknown(PRIOR, "gaussian or uniform", other)),
    };
    let pixels = match fact(PIXELS) {
        None => None,
        Some(SYMMETRIC) => Some(PixelRange::Symmetric),
        Some(UNIT) => Some(PixelRange::Unit),
        Some(other) => return Err(unknown(PIXELS, "symmetric or unit", other)),
    };

    let mut reader = Reader::new(graph)?;
    let width = usize::from(reader.shape.c);
    let classes = match fact(CLASSES) {
        None => 0,
        Some(text) => text
            .parse()
            .ok()
            .filter(|&classes| classes < width)
            .ok_or_else(|| unknown(CLASSES, "a number below that of the inputs", text))?,
    };
    for node in &graph.node {
        reader.node(node)?;
    }
    reader.end(graph)?;
    let pixels = pixels.unwrap_or(match reader.layers.last() {
        Some(Layer::Activation(Activation::Sigmoid)) => PixelRange::Unit,
        _ => PixelRange::Symmetric,
    });
    let input = Input { prior, dims: width - classes, classes };
    Ok(Network { input, layers: reader.layers, pixels })
}

pub(super) struct Reader<'a> {
    /// Weights and constants by name.
    pub(super) constants: HashMap<&'a str, &'a TensorProto>,
    /// The value that the next node must read.
    value: &'a str,
    /// Its shape.
    pub(super) shape: Shape,
    /// Whether it is `[batch, c, h, w]`; otherwise it is `[batch, c·h·w]`.
    pub(super) map: bool,
    layers: Vec<Layer>,
}

impl<'a> Reader<'a> {
    fn new(graph: &'a GraphProto) -> Result<Self, OnnxError> {
        let named = |tensor: &'a TensorProto| tensor.name.as_deref().map(|name| (name, tensor));
        let constants: HashMap<_, _> = graph.initializer.iter().filter_map(named).collect();
        let refuse = |found: String| OnnxError::Graph {
            place: "the graph's inputs".into(),
            expected: "one latent vector, [batch, n] or [batch, n, 1, 1]".into(),
            found,
            remedy: "export a generator without conditions and without preprocessing",
        };
        // Old files list their weights as inputs, too.
        let mut inputs =
            graph.input.iter().filter(|input| !constants.contains_key(input.name.as_deref().unwrap_or("")));
        let (Some(input), None) = (inputs.next(), inputs.next()) else {
            return Err(refuse(format!("{} of {} inputs without weights", inputs.count(), graph.input.len())));
        };
        let tensor = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
        let dims = tensor.and_then(|tensor| tensor.shape.as_ref()).map_or(&[][..], |shape| &shape.dim);
        let side = |index: usize| dims.get(index).and_then(|dim: &rten_onnx::onnx::Dimension| dim.dim_value);
        let (map, ones) = (dims.len() == 4, side(2).is_none_or(|h| h == 1) && side(3).is_none_or(|w| w == 1));
        let length = side(1).and_then(|c| u16::try_from(c).ok()).filter(|&c| c > 0);
        match (length, dims.len(), ones) {
            (Some(c), 2 | 4, true) => {
                let value = input.name.as_deref().unwrap_or("");
                Ok(Self { constants, value, shape: Shape { h: 1, w: 1, c }, map, layers: Vec::new() })
            }
            _ => Err(refuse(format!("{} dimensions {:?}", dims.len(), (0..dims.len()).map(side).collect::<Vec<_>>()))),
        }
    }

    fn node(&mut self, node: &'a NodeProto) -> Result<(), OnnxError> {
        let operator = node.op_type.as_deref().unwrap_or("");
        let at = At { reader: self, node };
        let foreign = node.domain.as_deref().filter(|domain| !matches!(*domain, "" | "ai.onnx"));
        if foreign.is_some() || !OPERATORS.contains(&operator) {
            let expected = format!("one of {}", OPERATORS.join(", "));
            let found = foreign.map_or(operator.into(), |domain| format!("{operator} of {domain}"));
            return Err(at.refuse(expected, found, "replace it, or fold it into its neighbours"));
        }
        if operator == "Constant" {
            let tensor = at.attribute("value").and_then(|value| value.t.as_ref());
            let tensor = tensor.ok_or_else(|| at.refuse("a constant tensor", "another kind", "run onnx-simplifier"))?;
            if let Some(name) = node.output.first() {
                self.constants.insert(name, tensor);
            }
            return Ok(());
        }
        if node.input.first().map(String::as_str) != Some(self.value) {
            let expected = format!("a node that reads {}", self.value);
            let found = format!("one that reads {}", node.input.first().map_or("nothing", String::as_str));
            return Err(at.refuse(expected, found, "only chains of layers, without branches, can be imported"));
        }
        let layer = match operator {
            "Gemm" => Some(at.gemm()?),
            "Reshape" => return self.reshape(node),
            "Flatten" => {
                at.int("axis", 1, &[1])?;
                self.map = false;
                None
            }
            "Conv" => Some(at.conv()?),
            "ConvTranspose" => Some(at.conv_transpose()?),
            "Resize" => Some(at.resize()?),
            "DepthToSpace" => Some(at.depth_to_space()?),
            "BatchNormalization" => Some(at.batch_norm()?),
            "Relu" => Some(Layer::Activation(Activation::Relu)),
            "LeakyRelu" => Some(Layer::Activation(Activation::LeakyRelu { slope: at.float("alpha", 0.01) })),
            "Tanh" => Some(Layer::Activation(Activation::Tanh)),
            "Sigmoid" => Some(Layer::Activation(Activation::Sigmoid)),
            // An identity.
            _ => None,
        };
        self.value = node.output.first().map_or("", String::as_str);
        if let Some(layer) = layer {
            self.shape = layer.output(self.shape);
            self.layers.push(layer);
        }
        Ok(())
    }

    /// A vector becomes a map: the dense layer that made it says so.
    fn reshape(&mut self, node: &'a NodeProto) -> Result<(), OnnxError> {
        let at = At { reader: self, node };
        let dims = at.ints_input(1)?;
        let len = self.shape.len();
        let refuse = |at: &At<'_, '_>| {
            let expected = format!("a shape of [batch, …] with {len} values an image");
            at.refuse(expected, format!("{dims:?}"), "keep the batch as it is, and the number of values")
        };
        let (Some(-1..=1), Some(rest)) = (dims.first(), dims.get(1..)) else { return Err(refuse(&at)) };
        // One −1 stands for what is left over.
        let known: Option<Vec<u16>> = rest
            .iter()
            .map(|&dim| if dim == -1 { Some(0) } else { u16::try_from(dim).ok().filter(|&d| d > 0) })
            .collect();
        let Some(mut sides) = known else { return Err(refuse(&at)) };
        if let [free] = sides.iter().enumerate().filter(|(_, side)| **side == 0).map(|(i, _)| i).collect::<Vec<_>>()[..]
        {
            let others: usize = sides.iter().filter(|&&side| side > 0).map(|&side| usize::from(side)).product();
            sides[free] = u16::try_from(len / others.max(1)).unwrap_or(0);
        }
        if sides.iter().try_fold(1usize, |product, &side| product.checked_mul(usize::from(side))) != Some(len) {
            return Err(refuse(&at));
        }
        let (shape, map) = match sides[..] {
            [c] => (Shape { h: 1, w: 1, c }, false),
            [c, h, w] => (Shape { h, w, c }, true),
            _ => return Err(refuse(&at)),
        };
        if map && shape != self.shape {
            let dense = self.layers.iter_mut().rev().find(|layer| !matches!(layer, Layer::Activation(_)));
            match dense {
                Some(Layer::Dense { shape: made, .. }) => *made = shape,
                _ => {
                    let expected = "a Reshape to a map after a Gemm and a nonlinearity at most";
                    let at = At { reader: self, node };
                    return Err(at.refuse(expected, "one elsewhere", "put it right after the Gemm"));
                }
            }
            self.shape = shape;
        }
        // A vector keeps the shape that it had as a map, so that a map may come of it again.
        self.map = map;
        self.value = node.output.first().map_or("", String::as_str);
        Ok(())
    }

    fn end(&self, graph: &GraphProto) -> Result<(), OnnxError> {
        let names: Vec<_> = graph.output.iter().filter_map(|output| output.name.as_deref()).collect();
        if names == [self.value] {
            return Ok(());
        }
        Err(OnnxError::Graph {
            place: "the graph's outputs".into(),
            expected: format!("the last value, {}", self.value),
            found: names.join(", "),
            remedy: "export a generator whose only output is the image",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use rten_onnx::onnx::{AttributeProto, DataType};

    use super::super::node::words;
    use super::*;
    use crate::layers::Window;
    use crate::onnx::to_bytes;

    /// 3 values → 2×2×4 → 3×3 convolution → ×2 → 3×3 transposed convolution → pixel shuffle.
    fn network() -> Network {
        let window = Window { channels: 4, kernel: [3, 3], stride: [1, 1], padding: [1, 1], dilation: [1, 1] };
        let weights = |count: usize| (0..count).map(|i| i as f32 / 64.0 - 0.5).collect::<Vec<_>>();
        let layers = vec![
            Layer::Dense { shape: Shape { h: 2, w: 2, c: 4 }, weight: weights(48), bias: weights(16) },
            Layer::Activation(Activation::LeakyRelu { slope: 0.01 }),
            Layer::Conv { window, weight: weights(144), bias: vec![0.0; 4] },
            Layer::UpsampleNearest { factor: 2 },
            Layer::ConvTranspose { window, output_padding: [0; 2], weight: weights(144), bias: weights(4) },
            Layer::BatchNorm {
                gamma: weights(4),
                beta: weights(4),
                mean: weights(4),
                variance: vec![1.0; 4],
                epsilon: 1e-5,
            },
            Layer::PixelShuffle { factor: 2 },
            Layer::Activation(Activation::Sigmoid),
        ];
        Network { input: Input::new(Prior::Gaussian, 3), layers, pixels: PixelRange::Unit }
    }

    /// What is read after `change` was made to the file of [`network`].
    fn changed(change: impl FnOnce(&mut ModelProto)) -> Result<Network, String> {
        let mut model = ModelProto::parse_buf(&to_bytes(&network(), "test").unwrap()).unwrap();
        change(&mut model);
        from_bytes(&model.write_buf().unwrap()).map_err(|error| error.to_string())
    }

    fn node<'m>(model: &'m mut ModelProto, operator: &str) -> &'m mut NodeProto {
        let nodes = &mut model.graph.as_mut().unwrap().node;
        nodes.iter_mut().find(|node| node.op_type.as_deref() == Some(operator)).unwrap()
    }

    fn drop_attributes(model: &mut ModelProto, operator: &str, names: &[&str]) {
        node(model, operator).attribute.retain(|attribute| !names.contains(&attribute.name.as_deref().unwrap()));
    }

    #[test]
    fn what_others_write_differently_means_the_same() {
        let same: [fn(&mut ModelProto); 6] = [
            // Defaults left out.
            |model| {
                drop_attributes(model, "Conv", &["dilations", "strides", "kernel_shape"]);
                node(model, "Conv").input.pop();
                drop_attributes(model, "ConvTranspose", &["output_padding", "dilations", "strides"]);
                drop_attributes(model, "LeakyRelu", &["alpha"]);
                drop_attributes(model, "BatchNormalization", &["epsilon"]);
            },
            // Another rule of Resize that repeats pixels just so.
            |model| drop_attributes(model, "Resize", &["coordinate_transformation_mode", "nearest_mode"]),
            // No metadata.
            |model| model.metadata_props.clear(),
            // Weights that are listed as inputs, too.
            |model| {
                let graph = model.graph.as_mut().unwrap();
                let mut weight = graph.input[0].clone();
                weight.name = graph.initializer[0].name.clone();
                graph.input.insert(0, weight);
            },
            // Weights in a list of floats, and in a node.
            |model| {
                let graph = model.graph.as_mut().unwrap();
                let mut weight = graph.initializer.remove(0);
                weight.float_data = words(&weight.raw_data.take().unwrap().borrow(), f32::from_le_bytes).unwrap();
                let output = vec![weight.name.take().unwrap()];
                let value = AttributeProto { name: Some("value".into()), t: Some(weight), ..AttributeProto::default() };
                let op_type = Some("Constant".into());
                graph.node.insert(0, NodeProto { output, op_type, attribute: vec![value], ..NodeProto::default() });
            },
            // A shape with a side left open.
            |model| {
                let graph = model.graph.as_mut().unwrap();
                let shape = graph.initializer.iter_mut().find(|tensor| tensor.data_type == Some(DataType::INT64));
                let dims = [-1i64, 4, 2, -1];
                shape.unwrap().raw_data = Some(RefCell::new(dims.iter().flat_map(|dim| dim.to_le_bytes()).collect()));
            },
        ];
        for (index, change) in same.into_iter().enumerate() {
            assert_eq!(changed(change), Ok(network()), "{index}");
        }
    }

    #[test]
    fn a_gemm_without_transposition_reads_its_weights_the_other_way_round() {
        let result = changed(|model| {
            drop_attributes(model, "Gemm", &["transB"]);
            let weight = &mut model.graph.as_mut().unwrap().initializer[0];
            let values = words(&weight.raw_data.take().unwrap().borrow(), f32::from_le_bytes).unwrap();
            weight.dims = vec![3, 16];
            let transposed = (0..3).flat_map(|input| values[input..].iter().step_by(3));
            weight.raw_data = Some(RefCell::new(transposed.flat_map(|value| value.to_le_bytes()).collect()));
        });
        assert_eq!(result, Ok(network()));
    }

    #[test]
    fn what_is_no_layer_of_ours_is_refused_with_a_sentence() {
        let set = |name: &str, value: i64| AttributeProto {
            name: Some(name.into()),
            i: Some(value),
            ..AttributeProto::default()
        };
        let cases: Vec<(Result<Network, String>, &str)> = vec![
            (
                changed(|model| node(model, "Sigmoid").op_type = Some("Softmax".into())),
                "expected one of Gemm, Reshape, Flatten, Conv, ConvTranspose, Resize, DepthToSpace, \
                 BatchNormalization, Relu, LeakyRelu, Tanh, Sigmoid, Identity, Constant, found Softmax at Softmax node \
                 layer7.Sigmoid: replace it, or fold it into its neighbours",
            ),
            (
                changed(|model| node(model, "Conv").attribute.push(set("group", 2))),
                "expected group 1, found 2 at Conv node layer2.Conv: export the model without it",
            ),
            (
                changed(|model| node(model, "Conv").attribute[2].ints = vec![0, 0, 1, 1]),
                "expected the same padding on both sides, found pads [0, 0, 1, 1] at Conv node layer2.Conv: use \
                 symmetric padding",
            ),
            (
                changed(|model| node(model, "Conv").attribute[2].ints = vec![0; 4]),
                "expected an output of at least one pixel, found none at Conv node layer2.Conv: use a smaller kernel \
                 or more padding",
            ),
            (
                changed(|model| drop_attributes(model, "DepthToSpace", &["mode"])),
                "expected mode CRD, found mode DCR at DepthToSpace node layer6.DepthToSpace: use CRD, which is what \
                 PyTorch's PixelShuffle becomes",
            ),
            (
                changed(|model| node(model, "Resize").attribute[0].s = Some("linear".into())),
                "expected a Resize that repeats pixels, found linear with asymmetric and floor at Resize node \
                 layer3.Resize: use nearest upsampling",
            ),
            (
                changed(|model| node(model, "Sigmoid").input[0] = "layer2.Conv".into()),
                "expected a node that reads layer6.DepthToSpace, found one that reads layer2.Conv at Sigmoid node \
                 layer7.Sigmoid: only chains of layers, without branches, can be imported",
            ),
            (
                changed(|model| node(model, "Conv").input[1] = "elsewhere".into()),
                "expected a constant as input 1, found elsewhere at Conv node layer2.Conv: run onnx-simplifier, which \
                 folds constants",
            ),
            (
                changed(|model| model.graph.as_mut().unwrap().initializer[0].data_type = Some(DataType::FLOAT16)),
                "expected a tensor of FLOAT, found FLOAT16 at Gemm node layer0.Gemm: export the model in 32-bit floats",
            ),
            (
                changed(|model| model.graph.as_mut().unwrap().initializer[0].dims = vec![2, 3]),
                "expected as many values as [2, 3] says, found 48 values at Gemm node layer0.Gemm: the file is \
                 damaged: write it again",
            ),
            (
                changed(|model| model.metadata_props[0].value = Some("Cauchy".into())),
                "expected gaussian or uniform, found Cauchy at edgegen.prior in the metadata: correct or remove the \
                 entry",
            ),
            (
                changed(|model| model.graph.as_mut().unwrap().node.truncate(1)),
                "expected the last value, layer0.Gemm, found image at the graph's outputs: export a generator whose \
                 only output is the image",
            ),
            (
                changed(|model| model.graph = None),
                "expected an ONNX file, found something else (there is no graph in it): check the path, or write the \
                 file again",
            ),
        ];
        for (result, expected) in cases {
            assert_eq!(result.unwrap_err(), expected);
        }
    }
}
