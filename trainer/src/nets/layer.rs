//! The layers as Burn modules. Weight layouts are those of PyTorch and ONNX.

use burn::module::{Module, Param};
use burn::tensor::module::{batch_norm, batch_norm_train, conv_transpose2d, conv2d, interpolate, linear};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions, InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor, TensorData, activation};

use super::{Mode, cpu};

/// One layer; see [`NetBuilder`](super::NetBuilder) for what each does.
#[derive(Module, Debug)]
pub enum Layer {
    /// Fully connected.
    Linear(Linear),
    /// Convolution.
    Conv(Conv),
    /// Transposed convolution.
    ConvTranspose(ConvTranspose),
    /// Nearest-neighbour enlargement.
    UpsampleNearest(UpsampleNearest),
    /// Depth to space.
    PixelShuffle(PixelShuffle),
    /// Batch normalization.
    BatchNorm(BatchNorm),
    /// A function of each value alone.
    Pointwise(Pointwise),
    /// Largest of each few channels.
    Maxout(Maxout),
    /// Random zeros while training.
    Dropout(Dropout),
    /// How much the batch differs.
    BatchDeviation(BatchDeviation),
}

impl Layer {
    /// # Shapes
    ///   - Input and output `[batch, C, H, W]`
    pub fn forward(&self, x: Tensor<4>, mode: &mut Mode<'_>) -> Tensor<4> {
        match self {
            Self::Linear(layer) => layer.forward(x),
            Self::Conv(layer) => layer.forward(x),
            Self::ConvTranspose(layer) => layer.forward(x),
            Self::UpsampleNearest(layer) => layer.forward(x),
            Self::PixelShuffle(layer) => layer.forward(x),
            Self::BatchNorm(layer) => layer.forward(x, mode),
            Self::Pointwise(layer) => layer.forward(x),
            Self::Maxout(layer) => layer.forward(x),
            Self::Dropout(layer) => layer.forward(x, mode),
            Self::BatchDeviation(layer) => layer.forward(x),
        }
    }

    /// One power iteration, where the layer is spectrally normalized.
    pub fn power_iteration(&mut self) {
        match self {
            Self::Linear(Linear { weight, spectral: Some(left), .. }) => iterate(left, weight.val()),
            Self::Conv(Conv { weight, spectral: Some(left), .. }) => iterate(left, weight.val()),
            _ => {}
        }
    }
}

/// `y = W·x + b`, the input read in C, H, W order, the output seen as a map.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Param<Tensor<1>>,
    /// Left singular vector `[out]` of a spectrally normalized layer.
    pub spectral: Option<Param<Tensor<1>>>,
    /// `[C, H, W]` of the output.
    pub shape: [usize; 3],
}

impl Linear {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let batch = x.dims()[0];
        let [c, h, w] = self.shape;
        let weight = normalized(self.weight.val(), self.spectral.as_ref());
        if cpu::suits(&x) && cpu::suits(&weight) {
            return cpu::dense::dense(x, weight, self.bias.val(), self.shape);
        }
        linear(x.reshape([batch as i64, -1]), weight.transpose(), Some(self.bias.val())).reshape([batch, c, h, w])
    }
}

/// Convolution with a square kernel.
#[derive(Module, Debug)]
pub struct Conv {
    /// `[out, in, ky, kx]`.
    pub weight: Param<Tensor<4>>,
    /// `[out]`.
    pub bias: Param<Tensor<1>>,
    /// Left singular vector `[out]` of a spectrally normalized layer.
    pub spectral: Option<Param<Tensor<1>>>,
    /// Step of both axes.
    pub stride: usize,
    /// Zeros at each of the four sides.
    pub padding: usize,
}

impl Conv {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let weight = normalized(self.weight.val(), self.spectral.as_ref());
        if cpu::suits(&x) && cpu::suits(&weight) {
            return cpu::conv::conv2d(x, weight, self.bias.val(), self.stride, self.padding);
        }
        let options = ConvOptions::new([self.stride; 2], [self.padding; 2], [1; 2], 1);
        conv2d(x, weight, Some(self.bias.val()), options)
    }
}

/// Transposed convolution with a square kernel.
#[derive(Module, Debug)]
pub struct ConvTranspose {
    /// `[in, out, ky, kx]`.
    pub weight: Param<Tensor<4>>,
    /// `[out]`.
    pub bias: Param<Tensor<1>>,
    /// Enlargement of both axes.
    pub stride: usize,
    /// Pixels cut from each of the four sides.
    pub padding: usize,
}

impl ConvTranspose {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let weight = self.weight.val();
        if cpu::suits(&x) && cpu::suits(&weight) {
            return cpu::conv::conv_transpose2d(x, weight, self.bias.val(), self.stride, self.padding);
        }
        let options = ConvTransposeOptions::new([self.stride; 2], [self.padding; 2], [0; 2], [1; 2], 1);
        conv_transpose2d(x, weight, Some(self.bias.val()), options)
    }
}

/// Each pixel repeated.
#[derive(Module, Debug)]
pub struct UpsampleNearest {
    /// The enlargement of both axes.
    pub factor: usize,
}

impl UpsampleNearest {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        if cpu::suits(&x) {
            return cpu::enlarge::nearest(x, self.factor);
        }
        let [_, _, h, w] = x.dims();
        let options =
            InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([h * self.factor, w * self.factor]);
        interpolate(x, options)
    }
}

/// `in[c·f² + fy·f + fx, y, x]` becomes `out[c, y·f + fy, x·f + fx]`.
#[derive(Module, Debug)]
pub struct PixelShuffle {
    /// The enlargement of both axes.
    pub factor: usize,
}

impl PixelShuffle {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        if cpu::suits(&x) {
            return cpu::enlarge::depth_to_space(x, self.factor);
        }
        let [batch, c, h, w] = x.dims();
        let f = self.factor;
        let out = c / (f * f);
        x.reshape([batch, out, f, f, h, w]).permute([0, 1, 4, 2, 5, 3]).reshape([batch, out, h * f, w * f])
    }
}

/// `γ·(x − mean) / √(variance + ε) + β` per channel.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// γ, `[C]`.
    pub gamma: Param<Tensor<1>>,
    /// β, `[C]`.
    pub beta: Param<Tensor<1>>,
    /// Mean, `[C]`, for evaluation.
    pub mean: Param<Tensor<1>>,
    /// Variance, `[C]`, for evaluation.
    pub variance: Param<Tensor<1>>,
    /// ε.
    pub epsilon: f64,
}

impl BatchNorm {
    fn forward(&self, x: Tensor<4>, mode: &Mode<'_>) -> Tensor<4> {
        let (gamma, beta) = (self.gamma.val(), self.beta.val());
        match mode {
            Mode::Train(_) if cpu::suits(&x) && cpu::suits(&gamma) => {
                cpu::norm::batch_norm(x, gamma, beta, self.epsilon)
            }
            Mode::Train(_) => batch_norm_train(x, gamma, beta, self.epsilon).output,
            Mode::Eval if cpu::suits(&x) && cpu::suits(&gamma) && !x.is_autodiff() && !gamma.is_autodiff() => {
                cpu::norm::with_statistics(x, [gamma, beta, self.mean.val(), self.variance.val()], self.epsilon)
            }
            Mode::Eval => batch_norm(x, gamma, beta, self.mean.val(), self.variance.val(), self.epsilon),
        }
    }

    /// Takes over the statistics of `x`.
    pub(super) fn estimate(&mut self, x: Tensor<4>) {
        let batch = batch_norm_train(x, self.gamma.val(), self.beta.val(), self.epsilon);
        self.mean = self.mean.clone().map(|_| batch.mean);
        self.variance = self.variance.clone().map(|_| batch.variance);
    }
}

/// A function of each value alone.
#[derive(Module, Debug)]
pub struct Pointwise {
    /// Which one.
    #[module(skip)]
    pub kind: PointwiseKind,
}

/// The functions of [`Pointwise`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PointwiseKind {
    /// max(0, x).
    Relu,
    /// x, or this much of it below zero.
    LeakyRelu(f32),
    /// tanh x.
    Tanh,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
}

impl Pointwise {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        if cpu::suits(&x) {
            return cpu::pointwise::pointwise(self.kind, x);
        }
        match self.kind {
            PointwiseKind::Relu => activation::relu(x),
            // slope·x + (1 − slope)·max(0, x): Burn's own leaky ReLU masks, ten times slower backwards on a CPU.
            PointwiseKind::LeakyRelu(slope) => {
                activation::relu(x.clone()).mul_scalar(1.0 - slope) + x.mul_scalar(slope)
            }
            PointwiseKind::Tanh => activation::tanh(x),
            PointwiseKind::Sigmoid => activation::sigmoid(x),
        }
    }
}

/// Largest of each `pieces` neighbouring channels.
#[derive(Module, Debug)]
pub struct Maxout {
    /// Channels that compete.
    pub pieces: usize,
}

impl Maxout {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, c, h, w] = x.dims();
        let out = c / self.pieces;
        x.reshape([batch, out, self.pieces, h * w]).max_dim(2).reshape([batch, out, h, w])
    }
}

/// Inverted dropout.
#[derive(Module, Debug)]
pub struct Dropout {
    /// Probability that a value survives.
    pub keep: f32,
}

impl Dropout {
    fn forward(&self, x: Tensor<4>, mode: &mut Mode<'_>) -> Tensor<4> {
        let Mode::Train(rng) = mode else { return x };
        let shape = x.dims();
        let mask: Vec<f32> =
            (0..shape.iter().product()).map(|_| if rng.unit() < self.keep { 1.0 / self.keep } else { 0.0 }).collect();
        let device: Device = x.device().inner();
        x * Tensor::from_data(TensorData::new(mask, shape), &device)
    }
}

/// One more channel, on which every value is the mean over all places of the standard deviation over the batch.
#[derive(Module, Debug)]
pub struct BatchDeviation {
    /// Added to the variance: the root's slope at 0 is infinite.
    pub epsilon: f64,
}

impl BatchDeviation {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, _, h, w] = x.dims();
        let variance = (x.clone() - x.clone().mean_dim(0)).square().mean_dim(0);
        let deviation = variance.add_scalar(self.epsilon).sqrt().mean().reshape([1, 1, 1, 1]);
        Tensor::cat(vec![x, deviation.expand([batch, 1, h, w])], 1)
    }
}

impl Linear {
    /// The weights as they act: over their largest singular value where they are spectrally normalized.
    pub(super) fn normalized_weight(&self) -> Tensor<2> {
        normalized(self.weight.val(), self.spectral.as_ref())
    }
}

impl Conv {
    /// As [`Linear::normalized_weight`].
    pub(super) fn normalized_weight(&self) -> Tensor<4> {
        normalized(self.weight.val(), self.spectral.as_ref())
    }
}

/// The weights as a matrix `[out, rest]`, without gradient.
fn matrix<const D: usize>(weight: Tensor<D>) -> Tensor<2> {
    let out = weight.dims()[0];
    weight.inner().reshape([out as i64, -1])
}

fn unit(vector: Tensor<2>) -> Tensor<2> {
    let norm = vector.clone().square().sum().sqrt().add_scalar(1e-12);
    vector / norm.reshape([1, 1])
}

/// `v ← Wᵀu / |Wᵀu|`, `u ← W·v / |W·v|`.
fn iterate<const D: usize>(left: &mut Param<Tensor<1>>, weight: Tensor<D>) {
    let next = if cpu::suits(&weight) {
        cpu::spectral::iterate(weight, left.val())
    } else {
        let matrix = matrix(weight);
        let v = unit(left.val().inner().reshape([1, -1]).matmul(matrix.clone()));
        unit(v.matmul(matrix.transpose())).reshape([-1])
    };
    // `map` keeps the parameter's number; the vector lives with the weights, tracked or not.
    *left = left.clone().map(|old| if old.is_autodiff() { next.autodiff() } else { next });
}

/// `W / σ` with `σ = uᵀ·W·v`: u and v count as constants, so the gradient flows through W alone (Miyato et al., eq. 12).
fn normalized<const D: usize>(weight: Tensor<D>, left: Option<&Param<Tensor<1>>>) -> Tensor<D> {
    let Some(left) = left else { return weight };
    if cpu::suits(&weight) {
        return cpu::spectral::normalized(weight, left.val());
    }
    let out = weight.dims()[0];
    let u = left.val().inner().reshape([1, -1]);
    let v = unit(u.clone().matmul(matrix(weight.clone())));
    let sigma = (u.matmul(weight.clone().reshape([out as i64, -1])) * v).sum();
    weight / sigma.reshape([1; D])
}
