//! Layers to nodes.

use std::cell::RefCell;

use edgegen_runtime::graph::{Prior, Shape};
use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataType, Dimension, GraphProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto, TypeProtoTensor, ValueInfoProto,
};
use rten_onnx::protobuf::{EncodeMessage, MessageWriter, ProtobufError, ValueWriter, WriteValue};

use super::{CLASSES, GAUSSIAN, IMAGE, IR_VERSION, LATENT, OPSET, OnnxError, PIXELS, PRIOR, SYMMETRIC, UNIFORM, UNIT};
use crate::layers::{Activation, Layer, Network, PixelRange, Window};

/// Bytes that a protobuf message may have.
const MAX_BYTES: u64 = (1 << 31) - 1;

/// The network as an ONNX file called `name`. The same network gives the same bytes.
///
/// # Errors
///
/// [`OnnxError::Write`] when the weights take more than the 2 GiB that a file can hold.
pub fn to_bytes(network: &Network, name: &str) -> Result<Vec<u8>, OnnxError> {
    let latent = Shape { h: 1, w: 1, c: network.input.width() as u16 };
    let mut writer =
        Writer { graph: GraphProto::default(), value: LATENT.into(), shape: latent, map: false, prefix: String::new() };
    for (index, layer) in network.layers.iter().enumerate() {
        writer.prefix = format!("layer{index}");
        writer.layer(layer);
        writer.shape = layer.output(writer.shape);
    }
    writer.prefix = "end".into();
    let file = File { name, metadata: metadata(network), graph: writer.finish(network.input.width()) };
    let refused = |error: ProtobufError| OnnxError::Write(error.to_string());
    let len = file.encoded_len().map_err(refused)?;
    if len > MAX_BYTES {
        return Err(OnnxError::Write(format!("{len} bytes")));
    }
    let mut bytes = Vec::with_capacity(len as usize);
    file.encode(ValueWriter::new(&mut bytes)).map_err(refused)?;
    Ok(bytes)
}

fn metadata(network: &Network) -> Vec<StringStringEntryProto> {
    let prior = match network.input.prior {
        Prior::Gaussian => GAUSSIAN,
        Prior::Uniform => UNIFORM,
    };
    let pixels = match network.pixels {
        PixelRange::Symmetric => SYMMETRIC,
        PixelRange::Unit => UNIT,
    };
    let entry =
        |(key, value): (&str, &str)| StringStringEntryProto { key: Some(key.into()), value: Some(value.into()) };
    let classes = network.input.classes.to_string();
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

struct Writer {
    graph: GraphProto,
    /// The value that the next node reads.
    value: String,
    /// Its shape.
    shape: Shape,
    /// Whether it is `[batch, c, h, w]`; otherwise it is `[batch, c·h·w]`.
    map: bool,
    /// Start of the names of nodes and weights.
    prefix: String,
}

impl Writer {
    fn layer(&mut self, layer: &Layer) {
        match layer {
            Layer::Dense { weight, bias, .. } => {
                self.vector();
                let inputs = [
                    self.floats("weight", &[bias.len(), weight.len() / bias.len().max(1)], weight),
                    self.floats("bias", &[bias.len()], bias),
                ];
                self.node("Gemm", inputs, vec![int("transB", 1)]);
            }
            Layer::Conv { window, weight, bias } => {
                self.map();
                let inputs = self.kernel([window.channels, usize::from(self.shape.c)], window, weight, bias);
                self.node("Conv", inputs, attributes(window));
            }
            Layer::ConvTranspose { window, output_padding, weight, bias } => {
                self.map();
                let inputs = self.kernel([usize::from(self.shape.c), window.channels], window, weight, bias);
                let mut attributes = attributes(window);
                attributes.push(ints("output_padding", output_padding));
                self.node("ConvTranspose", inputs, attributes);
            }
            Layer::UpsampleNearest { factor } => {
                self.map();
                let factor = *factor as f32;
                // There is no region of interest.
                let inputs = [String::new(), self.floats("scales", &[4], &[1.0, 1.0, factor, factor])];
                let attributes = vec![
                    text("mode", "nearest"),
                    text("coordinate_transformation_mode", "asymmetric"),
                    text("nearest_mode", "floor"),
                ];
                self.node("Resize", inputs, attributes);
            }
            Layer::PixelShuffle { factor } => {
                self.map();
                // Of the two orders of channels, this is the one with c outermost.
                self.node("DepthToSpace", [], vec![int("blocksize", *factor as i64), text("mode", "CRD")]);
            }
            Layer::BatchNorm { gamma, beta, mean, variance, epsilon } => {
                self.map();
                let channels = [gamma.len()];
                let inputs = [("gamma", gamma), ("beta", beta), ("mean", mean), ("variance", variance)]
                    .map(|(name, values)| self.floats(name, &channels, values));
                self.node("BatchNormalization", inputs, vec![float("epsilon", *epsilon)]);
            }
            Layer::Activation(Activation::Identity) => {}
            Layer::Activation(Activation::Relu) => self.node("Relu", [], vec![]),
            Layer::Activation(Activation::LeakyRelu { slope }) => {
                self.node("LeakyRelu", [], vec![float("alpha", *slope)]);
            }
            Layer::Activation(Activation::Tanh) => self.node("Tanh", [], vec![]),
            Layer::Activation(Activation::Sigmoid) => self.node("Sigmoid", [], vec![]),
        }
        if let Layer::Dense { .. } = layer {
            self.map = false;
        }
    }

    /// Makes the value a map.
    fn map(&mut self) {
        if !self.map {
            let Shape { h, w, c } = self.shape;
            // 0 leaves the batch as it is.
            let shape: Vec<u8> = [0, c, h, w].iter().flat_map(|&side| i64::from(side).to_le_bytes()).collect();
            let shape = self.initializer("shape", &[4], DataType::INT64, shape);
            self.node("Reshape", [shape], vec![]);
            self.map = true;
        }
    }

    /// Makes the value a vector.
    fn vector(&mut self) {
        if self.map {
            self.node("Flatten", [], vec![int("axis", 1)]);
            self.map = false;
        }
    }

    /// Adds a node that reads the value and then `inputs`; its output becomes the value.
    fn node<const N: usize>(&mut self, op: &str, inputs: [String; N], attribute: Vec<AttributeProto>) {
        let name = format!("{}.{op}", self.prefix);
        let value = core::mem::replace(&mut self.value, name.clone());
        self.graph.node.push(NodeProto {
            input: core::iter::once(value).chain(inputs).collect(),
            output: vec![name.clone()],
            name: Some(name),
            op_type: Some(op.into()),
            attribute,
            ..NodeProto::default()
        });
    }

    fn kernel(&mut self, pair: [usize; 2], window: &Window, weight: &[f32], bias: &[f32]) -> [String; 2] {
        let dims = [pair[0], pair[1], window.kernel[0], window.kernel[1]];
        [self.floats("weight", &dims, weight), self.floats("bias", &[bias.len()], bias)]
    }

    /// Adds weights and gives their name.
    fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> String {
        self.initializer(name, dims, DataType::FLOAT, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    fn initializer(&mut self, name: &str, dims: &[usize], data_type: DataType, bytes: Vec<u8>) -> String {
        let name = format!("{}.{name}", self.prefix);
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
    fn finish(mut self, width: usize) -> GraphProto {
        // Without any node the image would be the input itself, which no graph may return.
        self.map();
        if let Some(output) = self.graph.node.last_mut().and_then(|node| node.output.first_mut()) {
            *output = IMAGE.into();
        }
        let Shape { h, w, c } = self.shape;
        self.graph.input = vec![value_info(LATENT, &[width])];
        self.graph.output = vec![value_info(IMAGE, &[c, h, w].map(usize::from))];
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
    let [top, left] = window.padding;
    vec![
        ints("kernel_shape", &window.kernel),
        ints("strides", &window.stride),
        ints("pads", &[top, left, top, left]),
        ints("dilations", &window.dilation),
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
