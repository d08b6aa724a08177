//! From a trained network to the exporter's float network.
//!
//! Both are graphs of the same shape, and weights already lie as the list wants them, so lowering copies node by node.
//! What exists for training only goes: dropout is the identity, weights go as they act, over their largest singular
//! value or times the constant of an equalized learning rate, and of a fade at one of its ends only that end goes.
//! Maxout belongs to critics, which are never exported.

use anyhow::{Context, Result, bail, ensure};
use burn::module::Param;
use burn::tensor::Tensor;
use edgegen_export::function::Function;
use edgegen_export::layers::{self, Input, LatentInput, Network, Node, Over, PixelRange, Window};
use edgegen_runtime::graph::Shape;

use crate::nets::layer::{JoinKind, Layer, Linear, NormalizeKind, PointwiseKind, Pool, PoolKind};
use crate::nets::{Net, Source};
use crate::systems::Generator;

mod autoregressive;
mod nodes;
mod style;
mod wave_flow;
mod wavenet;

use nodes::Nodes;

/// The float network of a generator.
///
/// # Errors
///
/// As [`lower_net`], and if the generator makes no image of an image.
pub fn lower(generator: &Generator) -> Result<Network> {
    let Generator { net, pixels, more, .. } = generator;
    let [c, h, w] = net.inputs[0];
    let input = match generator.fed() {
        Some(_) => {
            ensure!(
                net.output[1..] != [1, 1],
                "expected a net that makes an image, found one of {:?}: only generators can be exported",
                net.output
            );
            let shape = Shape { h: narrow(h)?, w: narrow(w)?, c: narrow(c)? };
            Input::Image { shape, pixels: PixelRange::Symmetric }
        }
        // What has a class and no latent vector is asked for its class alone.
        None => match generator.input() {
            LatentInput { dims: 0, classes, .. } => Input::Class { classes, stride: 0 },
            latent => Input::Latent(latent),
        },
    };
    let inputs: Vec<Input> = std::iter::once(input).chain(more.iter().cloned()).collect();
    lower_net(net, &inputs, *pixels)
}

/// The float network of a net, whose inputs are what `inputs` says.
///
/// # Errors
///
/// If `inputs` are not as many as the net has or of other shapes, the net has a layer that only critics may have, or a
/// map of more than 65 535 rows, columns or channels.
pub fn lower_net(net: &Net, inputs: &[Input], pixels: PixelRange) -> Result<Network> {
    let shapes = inputs.iter().map(|input| {
        let Shape { h, w, c } = input.shape().map_err(|mismatch| mismatch.at("an input"))?;
        Ok([c, h, w].map(usize::from))
    });
    let shapes = shapes.collect::<Result<Vec<_>>>()?;
    ensure!(shapes == net.inputs, "expected inputs of {:?}, as the net reads them, found {shapes:?}", net.inputs);
    let starts: Vec<Node> = inputs.iter().map(start).collect();
    let shapes = starts.iter().map(|node| node.output(&[])).collect::<Result<Vec<Shape>, _>>()?;
    let mut nodes = Nodes { nodes: starts, shapes, inputs: inputs.len() };
    // The node that holds what a layer makes.
    let mut places: Vec<usize> = Vec::with_capacity(net.layers.len());
    for (layer, sources) in net.layers.iter().zip(net.running()) {
        let Some(sources) = sources else {
            // No other reads it.
            places.push(usize::MAX);
            continue;
        };
        let place = |&source: &Source| match source {
            Source::Input(input) => input,
            Source::Layer(layer) => places[layer],
        };
        let reads: Vec<usize> = sources.iter().map(place).collect();
        let layer = net.meant(layer);
        match layer {
            Layer::Fade(_) if reads.len() == 1 => {
                places.push(reads[0]);
                continue;
            }
            Layer::Autoregressive(layer) => {
                places.push(autoregressive::lower(layer, reads[0], &mut nodes)?);
                continue;
            }
            Layer::Noise(layer) => {
                places.push(style::lower_noise(layer, reads, &mut nodes)?);
                continue;
            }
            Layer::Modulated(layer) => {
                places.push(style::lower_modulated(layer, reads, &mut nodes)?);
                continue;
            }
            Layer::Wavenet(layer) => {
                places.push(wavenet::lower(layer, reads, &mut nodes)?);
                continue;
            }
            Layer::WaveFlows(layer) => {
                places.push(wave_flow::lower(layer, reads, &mut nodes)?);
                continue;
            }
            Layer::Constant(layer) => {
                let constant = start(&style::constant(layer)?);
                places.push(nodes.push(constant.layer, vec![])?);
                continue;
            }
            _ => {}
        }
        let Some(layer) = lower_layer(layer, nodes.shapes[reads[0]])? else {
            places.push(reads[0]);
            continue;
        };
        places.push(nodes.push(layer, reads)?);
    }
    let Nodes { nodes, .. } = nodes;
    ensure!(places.last() == Some(&(nodes.len() - 1)), "expected a net that ends with a layer that a device runs");
    Ok(Network { nodes, pixels })
}

/// Where the network starts.
fn start(input: &Input) -> Node {
    let name = match input {
        Input::Latent(_) => "latent",
        Input::Class { .. } => "class",
        Input::Image { .. } => "image",
        Input::Constant { .. } => "constant",
        Input::Noise { .. } => "noise",
        Input::Previous { .. } => "previous rows",
        Input::Style { .. } => "style",
        Input::Mix { .. } => "mix",
    };
    Node { name: name.into(), layer: layers::Layer::Input(input.clone()), reads: vec![] }
}

/// The layer that computes the same of a map of shape `read`, or nothing for one that changes nothing.
fn lower_layer(layer: &Layer, read: Shape) -> Result<Option<layers::Layer>> {
    let channels = usize::from(read.c);
    Ok(Some(match layer {
        Layer::Linear(linear) => dense(linear)?,
        Layer::Conv(conv) => layers::Layer::Conv {
            window: conv.window,
            weight: as_floats(conv.normalized_weight()),
            bias: values(&conv.bias),
        },
        Layer::ConvTranspose(conv) => layers::Layer::ConvTranspose {
            window: conv.window,
            output_padding: [0; 2],
            weight: as_floats(conv.normalized_weight()),
            bias: values(&conv.bias),
        },
        Layer::UpsampleNearest(layer) => layers::Layer::UpsampleNearest { factor: layer.factor },
        Layer::PixelShuffle(layer) => layers::Layer::PixelShuffle { factor: layer.factor, blocks_first: false },
        Layer::BatchNorm(norm) => layers::Layer::BatchNorm {
            gamma: values(&norm.gamma),
            beta: values(&norm.beta),
            mean: values(&norm.mean),
            variance: values(&norm.variance),
            epsilon: norm.epsilon as f32,
        },
        Layer::Pointwise(layer) => layers::Layer::Activation(match layer.kind {
            PointwiseKind::Relu => Function::relu(),
            PointwiseKind::LeakyRelu(slope) => Function::leaky_relu(slope),
            PointwiseKind::Tanh => Function::tanh(),
            PointwiseKind::Sigmoid => Function::sigmoid(),
        }),
        Layer::Normalize(layer) => layers::Layer::Normalize {
            over: match layer.kind {
                NormalizeKind::Instance => Over::Groups { groups: channels },
                NormalizeKind::Pixel => Over::Pixel,
            },
            centred: layer.kind == NormalizeKind::Instance,
            gamma: vec![1.0; channels],
            beta: vec![0.0; channels],
            epsilon: layer.epsilon as f32,
        },
        Layer::Join(layer) => match layer.kind {
            JoinKind::Add(scales) => layers::Layer::Add { scales },
            JoinKind::Multiply => layers::Layer::Mul,
            JoinKind::Concat => layers::Layer::Concat,
        },
        Layer::Fade(fade) => layers::Layer::Add { scales: fade.scales() },
        Layer::Part(part) => {
            layers::Layer::Slice { starts: [part.first, 0, 0], sizes: [part.count, read.h.into(), read.w.into()] }
        }
        Layer::Pad(pad) => layers::Layer::Pad { padding: pad.padding, border: pad.border },
        Layer::Pool(Pool { kind: PoolKind::Map }) => layers::Layer::GlobalMean,
        Layer::Pool(Pool { kind: PoolKind::Block(sides) }) => {
            let window = Window { kernel: *sides, stride: *sides, ..Window::square(channels, 1, 1, 0) };
            layers::Layer::AveragePool { window, exclude_padding: false }
        }
        Layer::Dropout(_) => return Ok(None),
        Layer::Truncation(layer) if layer.psi == 1.0 => return Ok(None),
        Layer::Truncation(layer) => layers::Layer::Affine {
            scale: vec![layer.psi; channels],
            offset: values(&layer.mean).into_iter().map(|mean| (1.0 - layer.psi) * mean).collect(),
        },
        Layer::Autoregressive(_)
        | Layer::Noise(_)
        | Layer::Modulated(_)
        | Layer::Wavenet(_)
        | Layer::WaveFlows(_)
        | Layer::Constant(_)
        | Layer::Again(_) => {
            unreachable!("they become other nodes than one that reads a map")
        }
        Layer::Translator(_) => {
            bail!("expected layers that a device can run, found a translator: it speaks on this computer alone")
        }
        Layer::Maxout(_) => {
            bail!("expected layers that a device can run, found maxout: only generators can be exported")
        }
        Layer::BatchDeviation(_) => {
            bail!("expected layers that a device can run, found a batch's deviation: only generators can be exported")
        }
    }))
}

fn dense(linear: &Linear) -> Result<layers::Layer> {
    let [c, h, w] = linear.shape;
    Ok(layers::Layer::Dense {
        shape: Shape { h: narrow(h)?, w: narrow(w)?, c: narrow(c)? },
        weight: as_floats(linear.normalized_weight()),
        bias: values(&linear.bias),
    })
}

fn narrow(value: usize) -> Result<u16> {
    u16::try_from(value).with_context(|| format!("expected at most 65535 rows, columns or channels, found {value}"))
}

fn values<const D: usize>(param: &Param<Tensor<D>>) -> Vec<f32> {
    as_floats(param.val())
}

fn as_floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("networks compute in 32-bit floats")
}

#[cfg(test)]
mod tests;
