//! The layers as Burn modules. Weight layouts are those of PyTorch and ONNX.
//!
//! | file | layers |
//! | --- | --- |
//! | here | dense, enlargements, functions of each value, and what only critics have |
//! | `conv` | convolutions |
//! | `norm` | batch, instance and pixel normalization |
//! | `join`, `fade` | what reads several maps |
//! | `map` | parts, borders and means of a map |
//! | `autoregressive` | values by conditionals, each on those before it |
//! | `wavenet` | samples of a sound, each by those before it |
//! | `wave_flow` | a sound of noise in one pass |
//! | `translator` | sentences of two languages |
//! | `style` | a learned constant, noise, modulated weights |
//! | `spectral` | weights over their largest singular value |

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::Mode;
use super::operations::operations;

mod autoregressive;
mod conv;
mod fade;
mod join;
mod map;
mod norm;
mod spectral;
mod style;
mod translator;
mod wave_flow;
mod wavenet;

pub use autoregressive::{
    Autoregressive, BOUND, Conditional, Conditionals, Masked, Way, bounded, hidden_degrees, mask,
};
pub use conv::{Conv, ConvTranspose};
pub use fade::Fade;
pub use join::{Join, JoinKind};
pub use map::{Pad, Part, Pool, PoolKind};
pub use norm::{BatchNorm, Normalize, NormalizeKind};
use spectral::{iterate, normalized};
pub use style::{Constant, Modulated, Noise, Truncation};
pub use translator::{Meant, Said, Translator, likeliest};
pub use wave_flow::{MU, Sound, WaveFlow, WaveFlows, expanded};
pub use wavenet::{Block, LOG_SCALES, SHARE, Wavenet, how_far};

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
    /// Normalization by the statistics of the image at hand.
    Normalize(Normalize),
    /// What reads several maps.
    Join(Join),
    /// One map in place of another, by and by.
    Fade(Fade),
    /// Some of the channels.
    Part(Part),
    /// Rows and columns around a map.
    Pad(Pad),
    /// Means of pixels.
    Pool(Pool),
    /// Values by conditionals, each on those before it.
    Autoregressive(Autoregressive),
    /// Samples of a sound, each by a distribution that depends on those before it.
    Wavenet(Wavenet),
    /// A sound of noise in one pass.
    WaveFlows(WaveFlows),
    /// Sentences of one language in another.
    Translator(Translator),
    /// A learned map.
    Constant(Constant),
    /// Noise and a bias added.
    Noise(Noise),
    /// A convolution with a style.
    Modulated(Modulated),
    /// A style nearer to its mean.
    Truncation(Truncation),
    /// An earlier layer once more, with its weights; the net runs that one.
    Again(Again),
}

/// An earlier layer once more.
#[derive(Module, Debug)]
pub struct Again {
    /// Its place in the net.
    pub layer: usize,
}

impl Layer {
    /// # Shapes
    ///   - Inputs and output `[batch, C, H, W]`
    ///
    /// # Panics
    ///
    /// If the layer reads another number of maps.
    pub fn forward(&self, mut reads: Vec<Tensor<4>>, mode: &mut Mode<'_>) -> Tensor<4> {
        match self {
            Self::Join(layer) => return layer.forward(reads),
            Self::Fade(layer) => return layer.forward(reads),
            _ => {}
        }
        if let Self::Noise(_) | Self::Modulated(_) | Self::Wavenet(_) | Self::WaveFlows(_) = self {
            let reads = reads.try_into().expect("it reads a map and noise or a style, or classes and noise");
            return match self {
                Self::Noise(layer) => layer.forward(reads),
                Self::Modulated(layer) => layer.forward(reads),
                Self::Wavenet(layer) => layer.forward(reads),
                Self::WaveFlows(layer) => layer.forward(reads),
                _ => unreachable!("one of these"),
            };
        }
        let x = reads.pop().filter(|_| reads.is_empty()).expect("all other layers read one map");
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
            Self::Normalize(layer) => layer.forward(x),
            Self::Part(layer) => layer.forward(x),
            Self::Pad(layer) => layer.forward(x),
            Self::Pool(layer) => layer.forward(x),
            Self::Autoregressive(layer) => layer.forward(x),
            Self::Translator(layer) => layer.forward(x),
            Self::Constant(layer) => layer.forward(&x),
            Self::Truncation(layer) => layer.forward(x),
            Self::Join(_)
            | Self::Fade(_)
            | Self::Noise(_)
            | Self::Modulated(_)
            | Self::Wavenet(_)
            | Self::WaveFlows(_) => unreachable!("see above"),
            Self::Again(_) => unreachable!("a net runs the layer that it stands for"),
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
    /// What the weights act times; 1 but for an equalized learning rate.
    pub gain: f32,
    /// Left singular vector `[out]` of a spectrally normalized layer.
    pub spectral: Option<Param<Tensor<1>>>,
    /// `[C, H, W]` of the output.
    pub shape: [usize; 3],
}

impl Linear {
    /// The weights as they act: over their largest singular value where they are spectrally normalized, else times the
    /// gain.
    pub fn normalized_weight(&self) -> Tensor<2> {
        normalized(self.weight.val(), self.spectral.as_ref(), self.gain)
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let weight = self.normalized_weight();
        operations(&[&x, &weight]).dense(x, weight, self.bias.val(), self.shape)
    }
}

/// Each pixel repeated.
#[derive(Module, Debug)]
pub struct UpsampleNearest {
    /// The enlargement, `[vertical, horizontal]`.
    pub factor: [usize; 2],
}

impl UpsampleNearest {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        operations(&[&x]).nearest(x, self.factor)
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
        operations(&[&x]).depth_to_space(x, self.factor)
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
        operations(&[&x]).pointwise(self.kind, x)
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
