//! The chain rule as a layer: each value has a distribution that depends on the values before it alone.
//!
//! ```text
//! p(x) = Π p(x_i | x_<i)        x_i = μ_i + e^{α_i} u_i,  u ~ N(0, I)
//! μ, α from x_<i (maps noise to data in turn) or from u_<i (in one pass)
//! ```
//!
//! One perceptron with masked weights has all conditionals at once (MADE, Germain et al., 2015). Every value and every
//! hidden unit has a degree; a unit reads units of its degree at most, an output those below its own, so that what it says
//! of a value depends on the values before it. Read by x it is a layer of a masked autoregressive flow (Papamakarios et
//! al., 2017, eq. 3 to 5), read by u one of an inverse autoregressive flow (Kingma et al., 2016, eq. 10).

use burn::module::{Module, Param};
use burn::tensor::module::linear;
use burn::tensor::{Device, Tensor, TensorData, activation};
use rayon::prelude::*;

use crate::nets::cpu;

/// α = 5 tanh(a/5), a the network's output: no layer stretches by more than e⁵, so that nothing overflows far from the data.
/// The papers leave α free.
pub const BOUND: f32 = 5.0;

/// Samples that go through a network in turn side by side.
const LANES: usize = 32;

/// A layer that makes values by their conditionals, from one number of noise for each.
///
/// # Shapes
///   - Input `[batch, D, 1, 1]`, or any map of D values
///   - Output `[batch, C, H, W]` of D values
#[derive(Module, Debug)]
pub struct Autoregressive {
    /// Hidden layers, each followed by ReLU.
    pub hidden: Vec<Masked>,
    /// μ; of bits the score, whose sigmoid is the probability of a 1.
    pub location: Masked,
    /// a, whose bounded value is α, the logarithm of the deviation; of bits nothing.
    pub log_scale: Option<Masked>,
    /// How it makes values.
    #[module(skip)]
    pub way: Way,
    /// `[C, H, W]` of the output.
    pub shape: [usize; 3],
}

/// What the conditionals depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// On the values made so far: D steps one after another, but the density of anything in one pass.
    InTurn,
    /// On the noise so far: one pass, but the density of what others made takes D steps.
    OnePass,
}

/// The distribution of each value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conditional {
    /// N(μ, e^{2α}).
    Gaussian,
    /// 1 with the probability σ(score), else 0.
    Bernoulli,
}

/// The parameters of all conditionals, `[batch, D, 1, 1]` each.
#[derive(Clone, Debug)]
pub struct Conditionals {
    /// μ, or the scores of bits.
    pub location: Tensor<4>,
    /// α; of bits nothing.
    pub log_scale: Option<Tensor<4>>,
}

impl Autoregressive {
    pub(super) fn forward(&self, noise: Tensor<4>) -> Tensor<4> {
        let batch = noise.dims()[0];
        let [c, h, w] = self.shape;
        let values = match (self.way, &self.log_scale) {
            (Way::OnePass, _) => self.one_pass(noise).0,
            // A gradient through values that come in turn is rarely asked for: whole passes will do.
            (Way::InTurn, Some(_)) if noise.is_autodiff() => self.by_passes(noise),
            (Way::InTurn, Some(_)) => self.in_turn(noise, |noise, location, log_scale| {
                let value = location + log_scale.exp() * noise;
                [value, value]
            }),
            (Way::InTurn, None) => self.in_turn(noise, |noise, score, _| {
                let probability = 1.0 / (1.0 + (-score).exp());
                [f32::from(u8::from(0.5 * (noise + 1.0) < probability)), probability]
            }),
        };
        values.reshape([batch, c, h, w])
    }

    /// The conditionals of values, in one pass; of noise, where it is noise that they depend on.
    ///
    /// # Shapes
    ///   - `x` `[batch, D, 1, 1]`
    pub fn conditionals(&self, x: Tensor<4>) -> Conditionals {
        let x = self.hidden.iter().fold(x, |x, layer| activation::relu(layer.forward(x)));
        let location = self.location.forward(x.clone());
        let log_scale = self.log_scale.as_ref().map(|layer| layer.forward(x));
        let bounded = |a: Tensor<4>| activation::tanh(a.div_scalar(BOUND)).mul_scalar(BOUND);
        Conditionals { location, log_scale: log_scale.map(bounded) }
    }

    /// μ(u) + e^{α(u)} u, and α(u), whose sum over a sample is the logarithm of the Jacobian's determinant.
    ///
    /// # Panics
    ///
    /// If the conditionals are those of bits.
    pub fn one_pass(&self, noise: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let Conditionals { location, log_scale } = self.conditionals(noise.clone());
        let log_scale = log_scale.expect("bits are made in turn");
        (location + log_scale.clone().exp() * noise, log_scale)
    }

    /// What values are made of `noise`, by D passes through the whole network, each of which settles one value more. It
    /// costs D times as much as [`Autoregressive::in_turn`], and gradients go through it.
    pub fn by_passes(&self, noise: Tensor<4>) -> Tensor<4> {
        let mut x = noise.clone().mul_scalar(0.0);
        for _ in 0..self.location.degrees.len() {
            let Conditionals { location, log_scale } = self.conditionals(x);
            let scale = log_scale.expect("bits have no gradient").exp();
            x = location + scale * noise.clone();
        }
        x
    }

    /// Goes through the values by their degrees: `rule` has what comes in, μ and α (0 for bits) of a value, and says what
    /// those after it depend on and what comes out. Each unit of the network is computed once, when all that it reads is
    /// there, so that all steps together do the products of one pass.
    ///
    /// # Shapes
    ///   - Input and output `[batch, D, 1, 1]`, without gradients
    pub fn in_turn(&self, values: Tensor<4>, rule: impl Fn(f32, f32, f32) -> [f32; 2] + Sync) -> Tensor<4> {
        let device: Device = values.device().inner();
        let dims = self.location.degrees.len();
        let batch = values.dims()[0];
        let values = host(values);
        let hidden: Vec<Plain> = self.hidden.iter().map(Masked::plain).collect();
        let (location, log_scale) = (self.location.plain(), self.log_scale.as_ref().map(Masked::plain));
        let steps = by_degree(&self.location.degrees);
        let units: Vec<Vec<Vec<usize>>> = self.hidden.iter().map(|layer| by_degree(&layer.degrees)).collect();
        let mut output = vec![0.0; batch * dims];
        output.par_chunks_mut(LANES * dims).zip(values.par_chunks(LANES * dims)).for_each(|(output, values)| {
            let lanes = values.len() / dims;
            // Of all layers, a row for each unit with a number for each sample; 0 as long as it is unknown.
            let mut rows: Vec<Vec<f32>> = vec![vec![0.0; dims * lanes]];
            rows.extend(hidden.iter().map(|layer| vec![0.0; layer.bias.len() * lanes]));
            let (mut center, mut spread) = (vec![0.0; lanes], vec![0.0; lanes]);
            for (degree, own) in steps.iter().enumerate() {
                for &at in own {
                    location.unit(at, &rows[hidden.len()], &mut center);
                    if let Some(layer) = &log_scale {
                        layer.unit(at, &rows[hidden.len()], &mut spread);
                        spread.iter_mut().for_each(|a| *a = bounded(*a));
                    }
                    for lane in 0..lanes {
                        let [read, out] = rule(values[lane * dims + at], center[lane], spread[lane]);
                        rows[0][at * lanes + lane] = read;
                        output[lane * dims + at] = out;
                    }
                }
                for (index, layer) in hidden.iter().enumerate() {
                    let (below, above) = rows.split_at_mut(index + 1);
                    for &unit in units[index].get(degree).into_iter().flatten() {
                        let row = &mut above[0][unit * lanes..][..lanes];
                        layer.unit(unit, &below[index], row);
                        row.iter_mut().for_each(|value| *value = value.max(0.0));
                    }
                }
            }
        });
        Tensor::from_data(TensorData::new(output, [batch, dims, 1, 1]), &device)
    }
}

/// A fully connected layer of which some weights act as zeros: those from units that an output must not know.
#[derive(Module, Debug)]
pub struct Masked {
    /// `[out, in]`.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Param<Tensor<1>>,
    /// `[out, in]`, 1 where an output may read an input.
    #[module(skip)]
    pub mask: Tensor<2>,
    /// The degree of each output, from 1.
    #[module(skip)]
    pub degrees: Vec<usize>,
}

impl Masked {
    /// The weights as they act.
    pub fn masked_weight(&self) -> Tensor<2> {
        self.weight.val() * self.mask.clone()
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let batch = x.dims()[0];
        let weight = self.masked_weight();
        let out = self.degrees.len();
        if cpu::suits(&x) && cpu::suits(&weight) {
            return cpu::dense::dense(x, weight, self.bias.val(), [out, 1, 1]);
        }
        linear(x.reshape([batch as i64, -1]), weight.transpose(), Some(self.bias.val())).reshape([batch, out, 1, 1])
    }

    fn plain(&self) -> Plain {
        Plain { weight: host(self.masked_weight()), bias: host(self.bias.val()) }
    }
}

/// Which outputs of the degrees `to` may read which inputs of the degrees `from`, `[to, from]`: those of a lower degree,
/// and, unless `strictly`, those of the same.
pub fn mask(from: &[usize], to: &[usize], strictly: bool) -> Vec<f32> {
    let may = |to: usize, from: usize| if strictly { from < to } else { from <= to };
    to.iter().flat_map(|&to| from.iter().map(move |&from| f32::from(u8::from(may(to, from))))).collect()
}

/// Degrees of `units` hidden units over `dims` values, as even as can be and in rising order: a layer of at least
/// `dims` − 1 units has every degree from 1 to `dims` − 1, and no output lacks what it may know.
pub fn hidden_degrees(units: usize, dims: usize) -> Vec<usize> {
    let degrees = dims.saturating_sub(1).max(1);
    (0..units).map(|unit| 1 + unit * degrees / units).collect()
}

/// α of the network's output a.
pub fn bounded(a: f32) -> f32 {
    BOUND * (a / BOUND).tanh()
}

/// Weights on the host.
struct Plain {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Plain {
    /// One output for each sample, from `below`, a row for each input.
    fn unit(&self, unit: usize, below: &[f32], row: &mut [f32]) {
        row.fill(self.bias[unit]);
        let inputs = below.len() / row.len();
        for (&weight, input) in self.weight[unit * inputs..][..inputs].iter().zip(below.chunks_exact(row.len())) {
            if weight != 0.0 {
                row.iter_mut().zip(input).for_each(|(sum, value)| *sum += weight * value);
            }
        }
    }
}

/// Those of each degree, from 1 on.
fn by_degree(degrees: &[usize]) -> Vec<Vec<usize>> {
    let mut groups = vec![Vec::new(); degrees.iter().copied().max().unwrap_or(0)];
    for (index, &degree) in degrees.iter().enumerate() {
        groups[degree - 1].push(index);
    }
    groups
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("networks compute in 32-bit floats")
}

#[cfg(test)]
mod tests;
