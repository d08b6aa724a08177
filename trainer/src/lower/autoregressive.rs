//! Layers of conditionals as layers that a device runs.
//!
//! In one pass it is two perceptrons over the same hidden layers, whose masked weights are zeros, and `μ + e^α ⊙ u`. In turn,
//! the loop is laid out: at each step one value, from the units that are known, then the units that have become known.
//! All steps together hold each weight once.

use anyhow::{Context as _, Result, ensure};
use edgegen_export::function::{Binary, Function, Unary};
use edgegen_export::layers::Layer;
use edgegen_runtime::graph::Shape;

use super::nodes::Nodes;
use super::{narrow, values};
use crate::nets::layer::{Autoregressive, BOUND, Masked, Way, bounded};

/// Values that may be made one after another on a device.
const STEPS: usize = 16;

/// Adds what computes the same as `layer` of node `read`, and gives the last node's number.
///
/// # Errors
///
/// If the layer makes bits, or too many values in turn.
pub(super) fn lower(layer: &Autoregressive, read: usize, nodes: &mut Nodes) -> Result<usize> {
    let log_scale = layer.log_scale.as_ref().context(
        "expected values with Gaussian conditionals, found bits, which a device cannot draw one after another: train a maf of a few values",
    )?;
    let dims = layer.location.degrees.len();
    let made = match layer.way {
        Way::OnePass => one_pass(layer, log_scale, read, nodes)?,
        Way::InTurn => {
            ensure!(
                dims <= STEPS,
                "expected at most {STEPS} values that a device makes one after another, found {dims}: sample and measure it in float"
            );
            in_turn(layer, log_scale, read, nodes)?
        }
    };
    let [c, h, w] = layer.shape;
    let shape = Shape { h: narrow(h)?, w: narrow(w)?, c: narrow(c)? };
    if nodes.shapes[made] == shape {
        return Ok(made);
    }
    let from = (0..dims).collect();
    nodes.push(Layer::Reorder { shape, from }, vec![made])
}

fn one_pass(layer: &Autoregressive, log_scale: &Masked, read: usize, nodes: &mut Nodes) -> Result<usize> {
    let mut x = read;
    for hidden in &layer.hidden {
        x = nodes.push(Dense::of(hidden).layer()?, vec![x])?;
        x = nodes.push(Layer::Activation(Function::relu()), vec![x])?;
    }
    let location = nodes.push(Dense::of(&layer.location).layer()?, vec![x])?;
    let scale = nodes.push(Dense::of(log_scale).layer()?, vec![x])?;
    scaled(nodes, scale, read, location)
}

/// `location + e^α · noise`, α the bounded value of `log_scale`: one table.
fn scaled(nodes: &mut Nodes, log_scale: usize, noise: usize, location: usize) -> Result<usize> {
    let times = |factor: f32, of: Function| Function::Binary(Binary::Mul, Function::Constant(factor).into(), of.into());
    let of = |unary: Unary, of: Function| Function::Unary(unary, of.into());
    let exponential = of(Unary::Exp, times(BOUND, of(Unary::Tanh, times(1.0 / BOUND, Function::X))));
    let scale = nodes.push(Layer::Activation(exponential), vec![log_scale])?;
    let moved = nodes.push(Layer::Mul, vec![scale, noise])?;
    nodes.push(Layer::Add { scales: [1.0; 2] }, vec![moved, location])
}

/// What is known so far of one layer: a node, and which unit each of its channels is.
#[derive(Default)]
struct Known {
    node: Option<usize>,
    units: Vec<usize>,
}

impl Known {
    fn extend(&mut self, units: Vec<usize>, node: usize, nodes: &mut Nodes) -> Result<()> {
        self.node = Some(match self.node {
            Some(before) => nodes.push(Layer::Concat, vec![before, node])?,
            None => node,
        });
        self.units.extend(units);
        Ok(())
    }
}

fn in_turn(layer: &Autoregressive, log_scale: &Masked, read: usize, nodes: &mut Nodes) -> Result<usize> {
    let dims = nodes.channels(read);
    let [location, log_scale] = [&layer.location, log_scale].map(Dense::of);
    let hidden: Vec<Dense> = layer.hidden.iter().map(Dense::of).collect();
    // Values, then the units of each hidden layer.
    let mut known: Vec<Known> = (0..=hidden.len()).map(|_| Known::default()).collect();
    let mut made = vec![0; dims];
    let place = |degree: usize| layer.location.degrees.iter().position(|&other| other == degree);
    for degree in 1..=dims {
        let at = place(degree).context("expected a value of each degree")?;
        let noise = nodes.push(Layer::Slice { starts: [at, 0, 0], sizes: [1, 1, 1] }, vec![read])?;
        made[at] = match &known[hidden.len()] {
            Known { node: Some(node), units } => {
                let node = *node;
                let center = nodes.push(location.part(&[at], units).layer()?, vec![node])?;
                let spread = nodes.push(log_scale.part(&[at], units).layer()?, vec![node])?;
                scaled(nodes, spread, noise, center)?
            }
            _ => {
                let (scale, offset) = (vec![bounded(log_scale.bias[at]).exp()], vec![location.bias[at]]);
                nodes.push(Layer::Affine { scale, offset }, vec![noise])?
            }
        };
        known[0].extend(vec![at], made[at], nodes)?;
        for (index, layer) in hidden.iter().enumerate() {
            let own = |&unit: &usize| layer.degrees[unit] == degree;
            let units: Vec<usize> = (0..layer.degrees.len()).filter(own).collect();
            let Some(below) = known[index].node.filter(|_| !units.is_empty()) else { continue };
            let dense = nodes.push(layer.part(&units, &known[index].units).layer()?, vec![below])?;
            let node = nodes.push(Layer::Activation(Function::relu()), vec![dense])?;
            known[index + 1].extend(units, node, nodes)?;
        }
    }
    let (&first, others) = made.split_first().context("expected a layer that makes values")?;
    others.iter().try_fold(first, |before, &value| nodes.push(Layer::Concat, vec![before, value]))
}

/// A fully connected layer between vectors.
struct Dense {
    /// `[out, in]`, zeros where weights are masked.
    weight: Vec<f32>,
    bias: Vec<f32>,
    degrees: Vec<usize>,
}

impl Dense {
    fn of(masked: &Masked) -> Self {
        let weight = masked.masked_weight().into_data().try_to_vec().expect("networks compute in 32-bit floats");
        Self { weight, bias: values(&masked.bias), degrees: masked.degrees.clone() }
    }

    /// These outputs, of these inputs.
    fn part(&self, outputs: &[usize], inputs: &[usize]) -> Self {
        let width = self.weight.len() / self.bias.len();
        let weight = |&out: &usize| inputs.iter().map(move |&from| self.weight[out * width + from]);
        Self {
            weight: outputs.iter().flat_map(weight).collect(),
            bias: outputs.iter().map(|&out| self.bias[out]).collect(),
            degrees: outputs.iter().map(|&out| self.degrees[out]).collect(),
        }
    }

    fn layer(self) -> Result<Layer> {
        Ok(Layer::Dense {
            shape: Shape { h: 1, w: 1, c: narrow(self.bias.len())? },
            weight: self.weight,
            bias: self.bias,
        })
    }
}
