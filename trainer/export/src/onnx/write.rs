//! Networks to files.

use std::cell::RefCell;

use edgegen_runtime::graph::{Border, Prior, Shape};
use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataType, Dimension, GraphProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto, TypeProtoTensor, ValueInfoProto,
};
use rten_onnx::protobuf::{EncodeMessage, MessageWriter, ProtobufError, ValueWriter, WriteValue};

use super::{
    BYTE, CLASS, CLASSES, GAUSSIAN, IMAGE, IR_VERSION, LATENT, NOISE, OPSET, OnnxError, PICTURE, PIXELS, PRIOR,
    SYMMETRIC, UNIFORM, UNIT, UNIT_UNIFORM,
};
use crate::function::{Binary, Function};
use crate::layers::{Input, Layer, Network, Over, PixelRange, Window};

/// Bytes that a protobuf message may have.
const MAX_BYTES: u64 = (1 << 31) - 1;

/// The network as an ONNX file called `name`. The same network gives the same bytes.
///
/// # Errors
///
/// [`OnnxError::Write`] when the weights take more than the 2 GiB that a file can hold, or the network has a layer that
/// ONNX has no word for.
pub fn to_bytes(network: &Network, name: &str) -> Result<Vec<u8>, OnnxError> {
    let refused = |error: &dyn core::fmt::Display| OnnxError::Write(error.to_string());
    let shapes = network.shapes().map_err(|error| refused(&error))?;
    let mut writer = Writer { graph: GraphProto::default(), values: Vec::new(), prefix: String::new(), nodes: 0 };
    for (index, (node, &shape)) in network.nodes.iter().zip(&shapes).enumerate() {
        // The names of the layers that a person sees in a viewer of ONNX files.
        writer.prefix = format!("node{index}");
        let reads: Vec<Value> = node.reads.iter().map(|&read| writer.values[read].clone()).collect();
        let value = writer
            .layer(&node.layer, &reads, shape)
            .ok_or_else(|| OnnxError::Write(format!("the layer {} has no operator of ONNX's", node.name)))?;
        writer.values.push(value);
    }
    let file = File { name, metadata: metadata(network), graph: writer.finish() };
    let len = file.encoded_len().map_err(|error| refused(&error))?;
    if len > MAX_BYTES {
        return Err(OnnxError::Write(format!("expected less than 2 GiB, found {len} bytes: make it smaller")));
    }
    let mut bytes = Vec::with_capacity(len as usize);
    file.encode(ValueWriter::new(&mut bytes)).map_err(|error| refused(&error))?;
    Ok(bytes)
}

fn metadata(network: &Network) -> Vec<StringStringEntryProto> {
    let latent = network.latent();
    let prior = match latent.map(|latent| latent.prior) {
        None | Some(Prior::Gaussian) => GAUSSIAN,
        Some(Prior::Uniform) => UNIFORM,
        Some(Prior::UnitUniform) => UNIT_UNIFORM,
    };
    let pixels = match network.pixels {
        PixelRange::Symmetric => SYMMETRIC,
        PixelRange::Unit => UNIT,
        PixelRange::Byte => BYTE,
    };
    let entry =
        |(key, value): (&str, &str)| StringStringEntryProto { key: Some(key.into()), value: Some(value.into()) };
    let classes = latent.map_or(0, |latent| latent.classes).to_string();
    [(PRIOR, prior), (PIXELS, pixels), (CLASSES, &classes)].map(entry).into()
}

/// A `ModelProto`. The library's own type has no place for the name of the graph, which ONNX demands.
struct File<'a> {
    name: &'a str,
    graph: GraphProto,
    metadata: Vec<StringStringEntryProto>,
}

impl EncodeMessage for File<'_> {
    fn encode_fields<W: WriteValue>(&self, fields: &mut MessageWriter<W>) -> Result<(), ProtobufError> {
        fields.write_int64(1, IR_VERSION)?;
        fields.write_string(2, "edgegen")?;
        fields.write_string(3, env!("CARGO_PKG_VERSION"))?;
        fields.write_message(7, &NamedGraph(self.name, &self.graph))?;
        let opset = OperatorSetIdProto { domain: Some(String::new()), version: Some(OPSET) };
        fields.write_message(8, &opset)?;
        fields.write_repeated_message(14, &self.metadata)
    }
}

/// A `GraphProto` with its name.
struct NamedGraph<'a>(&'a str, &'a GraphProto);

impl EncodeMessage for NamedGraph<'_> {
    fn encode_fields<W: WriteValue>(&self, fields: &mut MessageWriter<W>) -> Result<(), ProtobufError> {
        fields.write_string(2, self.0)?;
        self.1.encode_fields(fields)
    }
}

/// What a node of the network is in the file.
#[derive(Clone, Debug)]
struct Value {
    name: String,
    shape: Shape,
    /// Whether it is `[batch, c, h, w]`; otherwise it is `[batch, c·h·w]`.
    map: bool,
}

struct Writer {
    graph: GraphProto,
    /// Of each node of the network.
    values: Vec<Value>,
    /// Start of the names of nodes and weights.
    prefix: String,
    /// Nodes written; it makes names of one layer different.
    nodes: usize,
}

impl Writer {
    /// Writes a layer that reads `reads`; `None` where ONNX has no word for it.
    fn layer(&mut self, layer: &Layer, reads: &[Value], shape: Shape) -> Option<Value> {
        let mapped = |name: String| Value { name, shape, map: true };
        // The first that is read, as a map, for the many layers that read one.
        let map = |writer: &mut Self| Some(writer.map(reads.first()?));
        Some(match layer {
            Layer::Input(input) => self.input(input, shape),
            Layer::Dense { weight, bias, .. } => {
                let vector = self.vector(reads.first()?);
                let inputs = [
                    vector,
                    self.floats("weight", &[bias.len(), weight.len() / bias.len().max(1)], weight),
                    self.floats("bias", &[bias.len()], bias),
                ];
                Value { name: self.node("Gemm", inputs, vec![int("transB", 1)]), shape, map: false }
            }
            Layer::Conv { window, weight, bias } => {
                let inputs = usize::from(reads.first()?.shape.c) / window.groups;
                let dims = [window.channels, inputs, window.kernel[0], window.kernel[1]];
                let inputs =
                    [map(self)?, self.floats("weight", &dims, weight), self.floats("bias", &[bias.len()], bias)];
                mapped(self.node("Conv", inputs, attributes(window)))
            }
            Layer::ConvTranspose { window, output_padding, weight, bias } => {
                let inputs = usize::from(reads.first()?.shape.c);
                let dims = [inputs, window.channels / window.groups, window.kernel[0], window.kernel[1]];
                let inputs =
                    [map(self)?, self.floats("weight", &dims, weight), self.floats("bias", &[bias.len()], bias)];
                let mut attributes = attributes(window);
                attributes.push(ints("output_padding", output_padding));
                mapped(self.node("ConvTranspose", inputs, attributes))
            }
            Layer::UpsampleNearest { factor } => {
                let attributes = vec![
                    text("mode", "nearest"),
                    text("coordinate_transformation_mode", "asymmetric"),
                    text("nearest_mode", "floor"),
                ];
                let map = map(self)?;
                mapped(self.resize(map, *factor, attributes))
            }
            Layer::UpsampleLinear { factor } => {
                let attributes = vec![text("mode", "linear"), text("coordinate_transformation_mode", "half_pixel")];
                let map = map(self)?;
                mapped(self.resize(map, *factor, attributes))
            }
            Layer::PixelShuffle { factor, blocks_first } => {
                let mode = if *blocks_first { "DCR" } else { "CRD" };
                let map = map(self)?;
                mapped(self.node("DepthToSpace", [map], vec![int("blocksize", *factor as i64), text("mode", mode)]))
            }
            Layer::BatchNorm { gamma, beta, mean, variance, epsilon } => {
                let map = map(self)?;
                let channels = [gamma.len()];
                let [gamma, beta, mean, variance] =
                    [("gamma", gamma), ("beta", beta), ("mean", mean), ("variance", variance)]
                        .map(|(name, values)| self.floats(name, &channels, values));
                let inputs = [map, gamma, beta, mean, variance];
                mapped(self.node("BatchNormalization", inputs, vec![float("epsilon", *epsilon)]))
            }
            Layer::Affine { scale, offset } => {
                let map = map(self)?;
                let dims = [1, scale.len(), 1, 1];
                let scale = self.floats("scale", &dims, scale);
                let scaled = self.node("Mul", [map, scale], vec![]);
                let offset = self.floats("offset", &dims, offset);
                mapped(self.node("Add", [scaled, offset], vec![]))
            }
            Layer::Activation(function) => {
                let value = reads.first()?;
                Value { name: self.function(function, &value.name)?, ..value.clone() }
            }
            Layer::Add { scales } => {
                let mut terms = Vec::new();
                for (value, &scale) in reads.iter().zip(scales) {
                    let map = self.map(value);
                    let factor = self.scalar(scale);
                    terms.push(if scale == 1.0 { map } else { self.node("Mul", [map, factor], vec![]) });
                }
                mapped(self.node("Add", terms, vec![]))
            }
            Layer::Mul => {
                let maps: Vec<String> = reads.iter().map(|value| self.map(value)).collect();
                mapped(self.node("Mul", maps, vec![]))
            }
            Layer::Concat => {
                let maps: Vec<String> = reads.iter().map(|value| self.map(value)).collect();
                mapped(self.node("Concat", maps, vec![int("axis", 1)]))
            }
            Layer::Slice { starts, sizes } => {
                let ends: Vec<i64> = starts.iter().zip(sizes).map(|(start, size)| (start + size) as i64).collect();
                let starts = starts.map(|start| start as i64);
                let inputs = [
                    map(self)?,
                    self.whole("starts", &starts),
                    self.whole("ends", &ends),
                    self.whole("axes", &[1, 2, 3]),
                ];
                mapped(self.node("Slice", inputs, vec![]))
            }
            Layer::Pad { padding: [[top, bottom], [left, right]], border } => {
                let pads = [0, 0, *top, *left, 0, 0, *bottom, *right].map(|pad| pad as i64);
                let mode = match border {
                    Border::Zero => "constant",
                    Border::Reflect => "reflect",
                    Border::Repeat => "edge",
                };
                let inputs = [map(self)?, self.whole("pads", &pads)];
                mapped(self.node("Pad", inputs, vec![text("mode", mode)]))
            }
            Layer::Reorder { from, .. } if from.iter().enumerate().all(|(place, &from)| place == from) => {
                let name = self.vector(reads.first()?);
                Value { name, shape, map: false }
            }
            Layer::GlobalMean => {
                let map = map(self)?;
                mapped(self.node("GlobalAveragePool", [map], vec![]))
            }
            Layer::AveragePool { window, exclude_padding } => {
                let map = map(self)?;
                let mut attributes = attributes(window);
                attributes.retain(|attribute| !matches!(attribute.name.as_deref(), Some("group" | "dilations")));
                attributes.push(int("count_include_pad", i64::from(!exclude_padding)));
                mapped(self.node("AveragePool", [map], attributes))
            }
            Layer::Normalize { over: Over::Groups { groups }, centred: true, gamma, beta, epsilon }
                if *groups == gamma.len() =>
            {
                let inputs =
                    [map(self)?, self.floats("gamma", &[gamma.len()], gamma), self.floats("beta", &[beta.len()], beta)];
                mapped(self.node("InstanceNormalization", inputs, vec![float("epsilon", *epsilon)]))
            }
            Layer::Normalize { .. } | Layer::Reorder { .. } | Layer::ChannelFunctions(_) => return None,
        })
    }

    /// An input of the file, or a constant.
    fn input(&mut self, input: &Input, shape: Shape) -> Value {
        let Shape { h, w, c } = shape;
        let map = [c, h, w].map(usize::from);
        let (name, dims): (&str, &[usize]) = match input {
            Input::Latent(_) => (LATENT, &map[..1]),
            Input::Class { .. } => (CLASS, &map[..1]),
            Input::Style { .. } => ("style", &map[..1]),
            Input::Mix { .. } => ("mix", &map[..1]),
            Input::Image { .. } => (PICTURE, &map),
            Input::Previous { .. } => ("previous", &map),
            Input::Noise { .. } => (NOISE, &map),
            Input::Constant { values, .. } => {
                let name = self.floats("constant", &[1, map[0], map[1], map[2]], values);
                return Value { name, shape, map: true };
            }
        };
        // A network may have two of a kind.
        let taken = self.graph.input.iter().any(|input| input.name.as_deref() == Some(name));
        let name = if taken { format!("{name}.{}", self.prefix) } else { name.to_owned() };
        self.graph.input.push(value_info(&name, dims));
        Value { name, shape, map: dims.len() == 3 }
    }

    /// A function of one value, well-known ones by their name.
    fn function(&mut self, function: &Function, value: &str) -> Option<String> {
        let value = value.to_owned();
        let leaky = |f: &Function| match f {
            Function::Binary(Binary::Add, _, slope) => match &**slope {
                Function::Binary(Binary::Mul, factor, _) => match **factor {
                    Function::Constant(slope) if *f == Function::leaky_relu(slope) => Some(slope),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        };
        Some(match function {
            Function::X => value,
            f if *f == Function::relu() => self.node("Relu", [value], vec![]),
            f if *f == Function::sigmoid() => self.node("Sigmoid", [value], vec![]),
            f if leaky(f).is_some() => self.node("LeakyRelu", [value], vec![float("alpha", leaky(f)?)]),
            Function::Constant(number) => self.scalar(*number),
            Function::Unary(unary, inner) => {
                let inner = self.function(inner, &value)?;
                // ONNX calls them as we do.
                self.node(&format!("{unary:?}"), [inner], vec![])
            }
            Function::Binary(Binary::Greater, ..) => return None,
            Function::Binary(binary, a, b) => {
                let (a, b) = (self.function(a, &value)?, self.function(b, &value)?);
                self.node(&format!("{binary:?}"), [a, b], vec![])
            }
        })
    }

    fn resize(&mut self, map: String, factor: [usize; 2], attributes: Vec<AttributeProto>) -> String {
        let [y, x] = factor.map(|factor| factor as f32);
        // There is no region of interest.
        let inputs = [map, String::new(), self.floats("scales", &[4], &[1.0, 1.0, y, x])];
        self.node("Resize", inputs, attributes)
    }

    /// The value as a map.
    fn map(&mut self, value: &Value) -> String {
        if value.map {
            return value.name.clone();
        }
        let Shape { h, w, c } = value.shape;
        // 0 leaves the batch as it is.
        let shape = self.whole("shape", &[0, c, h, w].map(i64::from));
        self.node("Reshape", [value.name.clone(), shape], vec![])
    }

    /// The value as a vector.
    fn vector(&mut self, value: &Value) -> String {
        if value.map { self.node("Flatten", [value.name.clone()], vec![int("axis", 1)]) } else { value.name.clone() }
    }

    /// Adds a node that reads `inputs` and gives the name of its output.
    fn node(&mut self, op: &str, inputs: impl IntoIterator<Item = String>, attribute: Vec<AttributeProto>) -> String {
        self.nodes += 1;
        let name = format!("{}.{op}.{}", self.prefix, self.nodes);
        self.graph.node.push(NodeProto {
            input: inputs.into_iter().collect(),
            output: vec![name.clone()],
            name: Some(name.clone()),
            op_type: Some(op.into()),
            attribute,
            ..NodeProto::default()
        });
        name
    }

    /// A single number.
    fn scalar(&mut self, value: f32) -> String {
        self.floats("number", &[], &[value])
    }

    /// Adds whole numbers and gives their name.
    fn whole(&mut self, name: &str, values: &[i64]) -> String {
        self.initializer(name, &[values.len()], DataType::INT64, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// Adds weights and gives their name.
    fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> String {
        self.initializer(name, dims, DataType::FLOAT, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    fn initializer(&mut self, name: &str, dims: &[usize], data_type: DataType, bytes: Vec<u8>) -> String {
        let name = format!("{}.{name}.{}", self.prefix, self.graph.initializer.len());
        self.graph.initializer.push(TensorProto {
            name: Some(name.clone()),
            dims: dims.iter().map(|&dim| dim as i64).collect(),
            data_type: Some(data_type),
            raw_data: Some(RefCell::new(bytes)),
            ..TensorProto::default()
        });
        name
    }

    /// The graph, which ends in a map called `image`.
    fn finish(mut self) -> GraphProto {
        if let Some(last) = self.values.pop() {
            self.prefix = "end".into();
            let name = self.map(&last);
            // An identity, so that what others read keeps its name.
            self.node("Identity", [name], vec![]);
            if let Some(output) = self.graph.node.last_mut().and_then(|node| node.output.first_mut()) {
                *output = IMAGE.into();
            }
            let Shape { h, w, c } = last.shape;
            self.graph.output = vec![value_info(IMAGE, &[c, h, w].map(usize::from))];
        }
        self.graph
    }
}

/// A float tensor of any number of items with these `dims`.
fn value_info(name: &str, dims: &[usize]) -> ValueInfoProto {
    let batch = Dimension { dim_param: Some("batch".into()), ..Dimension::default() };
    let dims = dims.iter().map(|&dim| Dimension { dim_value: Some(dim as i64), ..Dimension::default() });
    let shape = TensorShapeProto { dim: core::iter::once(batch).chain(dims).collect() };
    let tensor = TypeProtoTensor { elem_type: Some(DataType::FLOAT), shape: Some(shape) };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto { tensor_type: Some(tensor), ..TypeProto::default() }),
    }
}

fn attributes(window: &Window) -> Vec<AttributeProto> {
    let [[top, bottom], [left, right]] = window.padding;
    vec![
        ints("kernel_shape", &window.kernel),
        ints("strides", &window.stride),
        ints("pads", &[top, left, bottom, right]),
        ints("dilations", &window.dilation),
        int("group", window.groups as i64),
    ]
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: Some(name.into()), r#type: Some(kind), ..AttributeProto::default() }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute(name, AttributeType::INT) }
}

fn ints(name: &str, values: &[usize]) -> AttributeProto {
    AttributeProto { ints: values.iter().map(|&value| value as i64).collect(), ..attribute(name, AttributeType::INTS) }
}

fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: Some(value), ..attribute(name, AttributeType::FLOAT) }
}

fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto { s: Some(value.into()), ..attribute(name, AttributeType::STRING) }
}
