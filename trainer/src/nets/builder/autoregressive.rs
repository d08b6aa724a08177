//! The chain rule as a layer.

use burn::tensor::{Tensor, TensorData};

use super::NetBuilder;
use crate::nets::layer::{Autoregressive, Conditional, Layer, Masked, Way, hidden_degrees, mask};

/// What a layer of conditionals is like.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a> {
    /// Units of each hidden layer.
    pub hidden: &'a [usize],
    /// The distribution of each value.
    pub conditional: Conditional,
    /// The last value comes first.
    pub reversed: bool,
    /// What the conditionals depend on.
    pub way: Way,
}

/// Outputs start at so much of what hidden layers do: a deep flow then starts near a Gaussian.
const START: f32 = 0.1;

impl NetBuilder<'_> {
    /// As many values as there are so far, each by a distribution that depends on those before it
    /// ([`Autoregressive`]).
    pub fn autoregressive(mut self, chain: Chain<'_>) -> Self {
        let shape = self.here.shape;
        let dims: usize = shape.iter().product();
        let values: Vec<usize> = (0..dims).map(|at| if chain.reversed { dims - at } else { at + 1 }).collect();
        let mut below = values.clone();
        let mut hidden = Vec::new();
        for &units in chain.hidden {
            let degrees = hidden_degrees(units, dims);
            hidden.push(self.masked(&below, degrees.clone(), false, 1.0));
            below = degrees;
        }
        let location = self.masked(&below, values.clone(), true, START);
        let is_gaussian = chain.conditional == Conditional::Gaussian;
        let log_scale = is_gaussian.then(|| self.masked(&below, values, true, START));
        let way = chain.way;
        self.push_same(Layer::Autoregressive(Autoregressive { hidden, location, log_scale, way, shape }))
    }

    fn masked(&mut self, from: &[usize], degrees: Vec<usize>, strictly: bool, share: f32) -> Masked {
        let shape = [degrees.len(), from.len()];
        let values = self.draw(degrees.len() * from.len(), from.len());
        let weight = self.param(values.into_iter().map(|value| share * value).collect(), shape, true);
        let bias = self.filled(degrees.len(), 0.0);
        // A constant, which asks for no gradient.
        let device = self.device.clone().inner();
        let mask = Tensor::from_data(TensorData::new(mask(from, &degrees, strictly), shape), &device);
        Masked { weight, bias, mask, degrees }
    }
}
