//! What styles act on (Karras et al., "A Style-Based Generator Architecture", 2019, and "Analyzing and Improving the
//! Image Quality of StyleGAN", 2020): a learned constant, noise, modulated weights, and the way towards the mean style.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use edgegen_export::layers::Window;

use crate::nets::operations::operations;

/// A learned map, the same for every image.
#[derive(Module, Debug)]
pub struct Constant {
    /// `[1, C, H, W]`.
    pub values: Param<Tensor<4>>,
}

impl Constant {
    /// As many of it as `x` has images.
    pub(super) fn forward(&self, x: &Tensor<4>) -> Tensor<4> {
        let [_, c, h, w] = self.values.dims();
        self.values.val().expand([x.dims()[0], c, h, w])
    }
}

/// `x + strength · noise + bias`, the noise the same for all channels, the bias for all places.
#[derive(Module, Debug)]
pub struct Noise {
    /// `[1]`.
    pub strength: Param<Tensor<1>>,
    /// `[C]`.
    pub bias: Param<Tensor<1>>,
}

impl Noise {
    /// # Shapes
    ///   - Reads the map `[batch, C, H, W]` and the noise `[batch, 1, H, W]`
    pub(super) fn forward(&self, reads: [Tensor<4>; 2]) -> Tensor<4> {
        let [x, noise] = reads;
        let (strength, bias) = (self.strength.val(), self.bias.val());
        operations(&[&x, &noise, &strength, &bias]).add_noise(x, noise, strength, bias)
    }
}

/// A convolution whose weights are scaled for each input channel by a style s, and for each output channel over their
/// norm (StyleGAN2, eq. 1 and 3): with w′ = s · w, `y = Σ w′ · x / √(Σ w′² + ε)`.
///
/// Scaling weights by vectors is the same as scaling maps before and behind the convolution, which needs no weights for
/// each image and rows instead of whole maps.
#[derive(Module, Debug)]
pub struct Modulated {
    /// `[out, in, ky, kx]`.
    pub weight: Param<Tensor<4>>,
    /// Kernel, step and border.
    #[module(skip)]
    pub window: Window,
    /// Whether each pixel is repeated 2 × 2 times before.
    pub doubled: bool,
    /// ε; without one the weights are not divided.
    #[module(skip)]
    pub epsilon: Option<f64>,
}

impl Modulated {
    /// # Shapes
    ///   - Reads the map `[batch, in, H, W]` and the style `[batch, in, 1, 1]`
    pub(super) fn forward(&self, reads: [Tensor<4>; 2]) -> Tensor<4> {
        let [x, style] = reads;
        let weight = self.weight.val();
        let (device, out) = (weight.device(), self.window.channels);
        let scaled = operations(&[&x, &style]).scale(x, style.clone());
        let none = Tensor::zeros([out], &device);
        let y = if self.doubled {
            let operations = operations(&[&scaled, &weight]);
            operations.conv_transpose2d(scaled, self.enlarged(), none, &Window::square(out, 4, 2, 1))
        } else {
            operations(&[&scaled, &weight]).conv2d(scaled, weight, none, &self.window)
        };
        let Some(epsilon) = self.epsilon else { return y };
        let [batch, channels, _, _] = style.dims();
        let norms = style.square().reshape([batch, channels]).matmul(self.squares().transpose());
        let factors = norms.add_scalar(epsilon).sqrt().recip().reshape([batch, out, 1, 1]);
        operations(&[&y, &factors]).scale(y, factors)
    }

    /// Σ w² over the kernel, `[out, in]`.
    pub fn squares(&self) -> Tensor<2> {
        let [out, channels, ky, kx] = self.weight.dims();
        self.weight.val().square().reshape([out * channels, ky * kx]).sum_dim(1).reshape([out, channels])
    }

    /// The weights `[in, out, 4, 4]` of the transposed convolution with step 2 that is the same as each pixel repeated
    /// 2 × 2 times and a 3 × 3 convolution then, at 4/9 of the work: along an axis, v₀ … v₃ = w₂, w₁ + w₂, w₀ + w₁, w₀.
    fn enlarged(&self) -> Tensor<4> {
        let [out, channels, ky, kx] = self.weight.dims();
        assert_eq!([ky, kx], [3; 2], "only kernels of 3 × 3 enlarge");
        let takes = |t: usize, k: usize| t + k == 2 || t + k == 3;
        let mut values = [0.0f32; 9 * 16];
        for (index, value) in values.iter_mut().enumerate() {
            let (tap, place) = (index / 16, index % 16);
            *value = f32::from(u8::from(takes(place / 4, tap / 3) && takes(place % 4, tap % 3)));
        }
        let weight = self.weight.val();
        let sums = Tensor::<2>::from_data(TensorData::new(values.to_vec(), [9, 16]), &weight.device());
        weight.reshape([out * channels, 9]).matmul(sums).reshape([out, channels, 4, 4]).swap_dims(0, 1)
    }
}

/// The way of a style towards its mean (StyleGAN, appendix B): `mean + ψ · (w − mean)`; nothing while ψ is 1.
#[derive(Module, Debug)]
pub struct Truncation {
    /// `[C]`; estimated for what ships, as the statistics of a batch normalization.
    pub mean: Param<Tensor<1>>,
    /// ψ.
    #[module(skip)]
    pub psi: f32,
}

impl Truncation {
    pub(super) fn forward(&self, w: Tensor<4>) -> Tensor<4> {
        if self.psi == 1.0 {
            return w;
        }
        let [_, channels, _, _] = w.dims();
        let mean = self.mean.val().reshape([1, channels, 1, 1]);
        (w - mean.clone()).mul_scalar(self.psi) + mean
    }

    /// Takes over the mean of `w`.
    pub(in crate::nets) fn estimate(&mut self, w: Tensor<4>) {
        let [_, channels, _, _] = w.dims();
        self.mean = self.mean.clone().map(|_| w.mean_dim(0).reshape([channels]));
    }
}
