//! A learned prior: a flow from N(0, I) to where the encoder puts the images.
//!
//! The encoder's q(z) = E_x q(z|x) is not the N(0, I) that a decoder is fed when it draws, and in the gaps lie no
//! digits. Affine couplings learn q(z) together with both networks: one half a of a vector says how the other half b is
//! scaled and moved, so that undoing it is as easy and the log-determinant is a sum:
//!
//! ```text
//! (a, b) ─► (2σ(s(a)) ⊙ b + m(a), a)        log p(z) = log N(u; 0, I) − Σ log 2σ(s)
//! ```
//!
//! Dinh, Sohl-Dickstein and Bengio, "Density Estimation using Real NVP" (2017), eq. 7 and 8, with scales between 0 and
//! 2 in place of an exponential; as a prior: Xu et al., "On the Necessity and Effectiveness of Learning the Prior of
//! Variational Auto-Encoder" (2019). s and m are perceptrons with two hidden layers.

use burn::tensor::{Tensor, activation};

use super::Config;
use crate::nets::{Init, Mode, Net, NetBuilder};
use crate::systems::flow::log_normal;

/// Layers of one coupling in [`flow`], and which of them make s and m.
const COUPLING: usize = 13;
const PERCEPTRON: std::ops::Range<usize> = 2..7;

/// From u to z, `[latent, 1, 1]` both; nothing where the prior is N(0, I).
pub(super) fn flow<'a>(config: &Config, net: NetBuilder<'a>) -> NetBuilder<'a> {
    let (hidden, half) = (config.prior_hidden, config.latent / 2);
    // From small weights the flow starts near the identity; undoing a random one overflows.
    let mut net = net.init(Init::Normal(0.05));
    for _ in 0..config.couplings {
        let here = net.mark();
        net = net.part(half, half);
        let b = net.mark();
        net = net.at(here).part(0, half);
        let a = net.mark();
        net = net.linear([hidden, 1, 1]).relu().linear([hidden, 1, 1]).relu().linear([2 * half, 1, 1]);
        let both = net.mark();
        net = net.part(half, half);
        let location = net.mark();
        net = net.at(both).part(0, half).sigmoid().multiply(b).add_scaled(location, [2.0, 1.0]).concat(a);
    }
    net
}

/// How many layers it has.
pub(super) fn layers(config: &Config) -> usize {
    config.couplings * COUPLING
}

/// log p(z) of each vector, `[batch, 1, 1, 1]`, by the couplings of `flow`, last one first.
///
/// # Shapes
///   - `z` `[batch, latent, 1, 1]`
pub(super) fn log_density(flow: &Net, z: Tensor<4>) -> Tensor<4> {
    let half = z.dims()[1] / 2;
    let mut log = Tensor::zeros([z.dims()[0], 1, 1, 1], &z.device().inner());
    let mut u = z;
    for coupling in flow.layers.chunks(COUPLING).rev() {
        let a = u.clone().narrow(1, half, half);
        let both = coupling[PERCEPTRON].iter().fold(a.clone(), |x, layer| layer.forward(vec![x], &mut Mode::Eval));
        let [scores, location] = [0, half].map(|first| both.clone().narrow(1, first, half));
        let log_scale = activation::log_sigmoid(scores).add_scalar(std::f32::consts::LN_2);
        let b = (u.narrow(1, 0, half) - location) * log_scale.clone().neg().exp();
        log = log - log_scale.sum_dim(1);
        u = Tensor::cat(vec![a, b], 1);
    }
    log + log_normal(u)
}
