//! Penalties on the slope of a critic: what it costs to be steep.
//!
//! ```text
//! gradient (WGAN-GP):   λ E (|∇D(x̂)| − 1)²,   x̂ = ε x + (1 − ε) G(z), ε uniform in [0, 1], one for each image
//! zero-centred (R1, R2): γ/2 E |∇D(x)|² + γ/2 E |∇D(G(z))|²
//! ```
//!
//! Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), eq. 3, λ = 10; Mescheder et al., "Which Training Methods for GANs do
//! actually Converge?" (2018), eq. 9 and 10. |·| runs over all values of one image together: a norm of each value alone is a
//! mistake that is often made. The gradients are those of [`Net::score_and_gradient`], whose derivative Burn can take.

use anyhow::{Result, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::nets::Net;
use crate::rng::Rng;

/// Which penalty, and its weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Penalty {
    /// None: a critic that is spectrally normalized needs none.
    #[default]
    None,
    /// Slope 1 between real and generated images, with weight λ.
    Gradient(f32),
    /// Slope 0 at real and at generated images, with weight γ.
    ZeroCentred(f32),
}

impl Penalty {
    /// Checks the weight; `table` is the recipe's, for the message.
    ///
    /// # Errors
    ///
    /// If it is not above 0.
    pub fn check(self, table: &str) -> Result<()> {
        if let Self::Gradient(weight) | Self::ZeroCentred(weight) = self {
            ensure!(weight > 0.0, "[{table}] the weight of the penalty must be above 0, found {weight}");
        }
        Ok(())
    }

    /// The penalty of one batch, `[1]`, or nothing.
    ///
    /// # Shapes
    ///   - `real`, `fake` `[batch, C, H, W]`, without gradients
    ///   - `head` `[batch, scores, 1, 1]`, the weights of the critic's scores in D
    pub fn of(
        self,
        critic: &Net,
        real: Tensor<4>,
        fake: Tensor<4>,
        head: &Tensor<4>,
        rng: &mut Rng,
    ) -> Option<Tensor<1>> {
        let slope = |images: Tensor<4>| critic.score_and_gradient(images, head.clone()).1;
        match self {
            Self::None => None,
            Self::Gradient(weight) => {
                let batch = real.dims()[0];
                let shares: Vec<f32> = (0..batch).map(|_| rng.unit()).collect();
                let device: Device = real.device();
                let share = Tensor::<4>::from_data(TensorData::new(shares, [batch, 1, 1, 1]), &device);
                let between = fake.clone() + (real - fake) * share;
                // A little inside the root: its slope at 0 is infinite.
                let norm = squared_norms(slope(between)).add_scalar(1e-12).sqrt();
                Some(norm.sub_scalar(1.0).square().mean().mul_scalar(weight))
            }
            Self::ZeroCentred(weight) => Some(zero_centred(weight, [real, fake].map(slope))),
        }
    }
}

/// The zero-centred penalty with weight γ, of the gradients at real and at generated images `[batch, C, H, W]`.
pub fn zero_centred(weight: f32, slopes: [Tensor<4>; 2]) -> Tensor<1> {
    let [real, fake] = slopes.map(|slope| squared_norms(slope).mean());
    (real + fake).mul_scalar(0.5 * weight)
}

/// |g|² of each image, `[batch, 1]`.
fn squared_norms(gradient: Tensor<4>) -> Tensor<2> {
    gradient.square().flatten::<2>(1, 3).sum_dim(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::layer::{Conv, Layer};
    use crate::nets::{Init, Mode, NetBuilder};
    use edgegen_export::layers::Window;

    fn critic(spectral: bool, device: &Device) -> Net {
        let mut rng = Rng::new(4, 0);
        NetBuilder::new([2, 6, 6], Init::He, device, &mut rng)
            .spectral_norm(spectral)
            .conv(3, 4, 2, 1)
            .leaky_relu(0.2)
            .conv(4, 3, 1, 1)
            .relu()
            .linear([5, 1, 1])
            .leaky_relu(0.1)
            .linear([3, 1, 1])
            .build()
    }

    /// With a sum of two ways, as a residual critic has them.
    fn branched(device: &Device) -> Net {
        let mut rng = Rng::new(4, 0);
        let mut net = NetBuilder::new([2, 6, 6], Init::He, device, &mut rng);
        let start = net.mark();
        net = net.conv(3, 3, 1, 1).leaky_relu(0.2).conv(2, 3, 1, 1).add_scaled(start, [0.7, 0.5]);
        let middle = net.mark();
        net = net.leaky_relu(0.2).conv(4, 4, 2, 1);
        let left = net.mark();
        let window =
            Window { dilation: [2, 1], padding: [[1, 1], [0, 0]], kernel: [2, 1], ..Window::square(4, 1, 2, 0) };
        net.at(middle).conv_with(window).add(left).relu().linear([3, 1, 1]).build()
    }

    /// That looks at its batch, in the middle of a fade.
    fn growing(device: &Device) -> Net {
        let mut rng = Rng::new(4, 0);
        let mut net = NetBuilder::new([2, 6, 6], Init::He, device, &mut rng).equalized(true);
        let start = net.mark();
        net = net.average_pool(2).conv(4, 1, 1, 0).leaky_relu(0.2);
        let old = net.mark();
        net = net.at(start).conv(3, 1, 1, 0).leaky_relu(0.2).conv(4, 4, 2, 1).leaky_relu(0.2).fade(old);
        let mut net = net.conv(3, 3, 1, 1).leaky_relu(0.2).batch_deviation(true).linear([3, 1, 1]).build();
        net.fade(&[0.3]);
        net
    }

    fn images(seed: u64, device: &Device) -> Tensor<4> {
        let mut rng = Rng::new(seed, 0);
        Tensor::from_data(
            TensorData::new((0..2 * 72).map(|_| rng.normal()).collect::<Vec<f32>>(), [2, 2, 6, 6]),
            device,
        )
    }

    /// The first score of both images, and the third of the second.
    fn head(device: &Device) -> Tensor<4> {
        Tensor::from_data(TensorData::new(vec![1.0f32, 0.0, 0.0, 1.0, 0.0, 1.0], [2, 3, 1, 1]), device)
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn the_gradient_network_agrees_with_backpropagation() {
        let device = Device::flex().autodiff();
        for critic in [critic(false, &device), critic(true, &device), branched(&device), growing(&device)] {
            let images = images(1, &device).require_grad();
            let score = (critic.forward(images.clone(), &mut Mode::Eval) * head(&Device::flex())).sum();
            let expected = values(images.grad(&score.backward()).unwrap());
            let (_, gradient) = critic.score_and_gradient(images, head(&Device::flex()));
            let most = values(gradient).iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(most < 1e-5, "{most}");
            assert!(expected.iter().any(|x| x.abs() > 1e-2), "a flat critic proves nothing");
        }
    }

    #[test]
    fn the_derivative_of_a_penalty_agrees_with_finite_differences() {
        let device = Device::flex().autodiff();
        let of = |critic: &Net, penalty: Penalty| {
            let [real, fake] = [1, 2].map(|seed| images(seed, &Device::flex()));
            penalty.of(critic, real, fake, &head(&Device::flex()), &mut Rng::new(7, 0)).unwrap()
        };
        const STEP: f32 = 1e-3;
        fn first(critic: &Net) -> &Conv {
            critic
                .layers
                .iter()
                .find_map(|layer| if let Layer::Conv(conv) = layer { Some(conv) } else { None })
                .unwrap()
        }
        for (critic, penalty) in [
            (critic(false, &device), Penalty::Gradient(10.0)),
            (critic(false, &device), Penalty::ZeroCentred(2.0)),
            (growing(&device), Penalty::Gradient(10.0)),
            (growing(&device), Penalty::ZeroCentred(2.0)),
        ] {
            let penalty_here = of(&critic, penalty);
            let analytic = values(first(&critic).weight.val().grad(&penalty_here.backward()).unwrap());
            let here = f64::from(penalty_here.into_scalar::<f32>());
            let (mut compared, all) = (0, analytic.len());
            for at in 0..all {
                let moved = |by: f32| {
                    let first = first(&critic).weight.clone();
                    let mut weight = values(first.val());
                    weight[at] += by;
                    let shape = first.val().dims();
                    let weight =
                        first.map(|_| Tensor::from_data(TensorData::new(weight, shape), &device).require_grad());
                    let mut moved = critic.clone();
                    let mut layers = moved.layers.iter_mut();
                    let conv = layers.find_map(|layer| if let Layer::Conv(conv) = layer { Some(conv) } else { None });
                    conv.unwrap().weight = weight;
                    f64::from(of(&moved, penalty).into_scalar::<f32>())
                };
                let (above, below) = (moved(STEP), moved(-STEP));
                // Where a mask flips on the way the penalty jumps, which its second difference shows, and a difference says nothing.
                let tolerance = 0.02 * f64::from(analytic[at]).abs().max(0.1);
                if (above - 2.0 * here + below).abs() > tolerance * f64::from(STEP) {
                    continue;
                }
                compared += 1;
                let numeric = (above - below) / f64::from(2.0 * STEP);
                let difference = (f64::from(analytic[at]) - numeric).abs();
                assert!(difference < tolerance, "{penalty:?} at {at}: {} and {numeric}", analytic[at]);
            }
            assert!(2 * compared > all, "{compared} of {all} without a jump");
        }
    }

    #[test]
    fn the_norm_is_that_of_a_whole_image() {
        // D(x) = 0.5 · sum of 4 pixels: |∇D| = 1 although no value of the gradient is 1.
        let device = Device::flex().autodiff();
        let mut critic = NetBuilder::new([1, 2, 2], Init::He, &device, &mut Rng::new(0, 0)).linear([1, 1, 1]).build();
        let Layer::Linear(linear) = &mut critic.layers[0] else { panic!("built above") };
        linear.weight =
            linear.weight.clone().map(|_| Tensor::from_data(TensorData::new(vec![0.5f32; 4], [1, 4]), &device));
        let image = Tensor::<4>::zeros([3, 1, 2, 2], &Device::flex());
        let head = Tensor::<4>::ones([3, 1, 1, 1], &Device::flex());
        let of = |penalty: Penalty| {
            penalty.of(&critic, image.clone(), image.clone(), &head, &mut Rng::new(0, 0)).unwrap().into_scalar::<f32>()
        };
        assert!(of(Penalty::Gradient(10.0)).abs() < 1e-6);
        assert!((of(Penalty::ZeroCentred(3.0)) - 3.0).abs() < 1e-5, "γ/2 · (1 + 1)");
    }
}
