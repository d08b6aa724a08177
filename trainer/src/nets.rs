//! The layer vocabulary that Burn trains: a network is a list of layers that reads like a paper's table.
//!
//! ```text
//! NetBuilder::new([32, 1, 1], Init::Normal(0.02), &device, &mut rng)
//!     .linear([64, 7, 7]).batch_norm().relu()
//!     .conv_transpose(32, 4, 2, 1).batch_norm().relu()      // 14 × 14
//!     .conv_transpose(1, 4, 2, 1).tanh()                    // 28 × 28
//!     .build()
//! ```
//!
//! Every activation is a `Tensor<4>`, `[batch, C, H, W]`; a vector is `[batch, n, 1, 1]`. The weights are drawn on
//! the host from [`Rng`] and lie as `edgegen_export::layers` documents, so lowering copies them as they are.
//!
//! The layers themselves are in [`layer`], the modules Burn sees; here are the list, its builder and its sizes.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::rng::Rng;

pub mod cpu;
mod gradient;
pub mod layer;

use layer::{
    BatchDeviation, BatchNorm, Conv, ConvTranspose, Dropout, Layer, Linear, Maxout, PixelShuffle, Pointwise,
    PointwiseKind, UpsampleNearest,
};

/// Whether a pass trains (batch statistics, dropout) or only evaluates.
#[derive(Debug)]
pub enum Mode<'a> {
    /// BatchNorm normalizes with the statistics of the batch; Dropout draws its mask here.
    Train(&'a mut Rng),
    /// BatchNorm uses its stored statistics; Dropout passes its input through.
    Eval,
}

/// How weights are drawn; biases start at zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// N(0, σ²) with this σ; 0.02 is DCGAN's (Radford et al., 2016, §3).
    Normal(f32),
    /// N(0, 2 / fan-in) of He et al., 2015, for nets without normalization.
    He,
}

/// A feed-forward network.
#[derive(Module, Debug)]
pub struct Net {
    /// The layers in order.
    pub layers: Vec<Layer>,
    /// `[C, H, W]` of the input.
    #[module(skip)]
    pub input: [usize; 3],
    /// `[C, H, W]` of the output.
    #[module(skip)]
    pub output: [usize; 3],
}

impl Net {
    /// # Shapes
    ///   - Input `[batch, C, H, W]` with C, H, W as in [`Net::input`]
    ///   - Output `[batch, C, H, W]` as in [`Net::output`]
    pub fn forward(&self, input: Tensor<4>, mode: &mut Mode<'_>) -> Tensor<4> {
        self.layers.iter().fold(input, |x, layer| layer.forward(x, mode))
    }

    /// One power iteration of every spectrally normalized layer; call it once per training step.
    pub fn power_iteration(&mut self) {
        for layer in &mut self.layers {
            layer.power_iteration();
        }
    }

    /// Sets the statistics of every BatchNorm to those of `input`, layer by layer.
    ///
    /// Averaged weights have activations of their own, which running statistics of the raw weights do not describe;
    /// estimating them anew from latents also spares the bookkeeping of running statistics during training.
    pub fn estimate_statistics(&mut self, input: Tensor<4>) {
        self.layers.iter_mut().fold(input, |x, layer| {
            if let Layer::BatchNorm(norm) = layer {
                norm.estimate(x.clone());
            }
            layer.forward(x, &mut Mode::Eval)
        });
    }

    /// Whether some layer keeps statistics that [`Net::estimate_statistics`] has to fill.
    pub fn has_batch_norm(&self) -> bool {
        self.layers.iter().any(|layer| matches!(layer, Layer::BatchNorm(_)))
    }

    /// Whether what it says of a sample depends on the rest of the batch while it trains.
    pub fn looks_at_batch(&self) -> bool {
        self.layers.iter().any(|layer| matches!(layer, Layer::BatchNorm(_) | Layer::BatchDeviation(_)))
    }

    /// Moves every parameter a little towards those of `source`: `self ← decay · self + (1 − decay) · source`.
    ///
    /// `self` is a copy without autodiff of the net it follows, so that both hold the same parameters in the same order.
    pub fn average(&mut self, source: &Net, decay: f64) {
        struct Collect(Vec<Tensor<1>>);
        impl ModuleVisitor for Collect {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.0.push(param.val().inner().reshape([-1]));
            }
        }
        struct Blend {
            sources: std::vec::IntoIter<Tensor<1>>,
            decay: f64,
        }
        impl ModuleMapper for Blend {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                let source = self.sources.next().expect("both nets were built from the same recipe");
                let decay = self.decay;
                param.map(|mean| {
                    let source = source.reshape(mean.shape());
                    cpu::update::blend(mean, source, decay)
                })
            }
        }
        let mut collect = Collect(Vec::new());
        source.visit(&mut collect);
        let mut blend = Blend { sources: collect.0.into_iter(), decay };
        *self = self.clone().map(&mut blend);
    }
}

/// Builds a [`Net`] layer by layer; each call names only what the shape so far does not tell.
#[derive(Debug)]
pub struct NetBuilder<'a> {
    layers: Vec<Layer>,
    input: [usize; 3],
    shape: [usize; 3],
    init: Init,
    spectral: bool,
    device: &'a Device,
    rng: &'a mut Rng,
    next_id: u64,
}

impl<'a> NetBuilder<'a> {
    /// A net that reads maps of `input` = `[C, H, W]` (a vector is `[n, 1, 1]`).
    pub fn new(input: [usize; 3], init: Init, device: &'a Device, rng: &'a mut Rng) -> Self {
        Self { layers: Vec::new(), input, shape: input, init, spectral: false, device, rng, next_id: 1 }
    }

    /// Divides the weights of all following [`linear`](Self::linear) and [`conv`](Self::conv) layers by their
    /// largest singular value (Miyato et al., "Spectral Normalization for GANs", 2018).
    pub fn spectral_norm(mut self, on: bool) -> Self {
        self.spectral = on;
        self
    }

    /// Fully connected from everything so far (read in C, H, W order) to a map of `shape` = `[C, H, W]`.
    pub fn linear(mut self, shape: [usize; 3]) -> Self {
        let fan_in = self.shape.iter().product();
        let out = shape.iter().product();
        let weight = self.weights([out, fan_in], fan_in);
        let bias = self.filled(out, 0.0);
        let spectral = self.singular_vector(out);
        self.shape = shape;
        self.push(Layer::Linear(Linear { weight, bias, spectral, shape }))
    }

    /// `kernel` × `kernel` convolution to `channels` channels.
    pub fn conv(mut self, channels: usize, kernel: usize, stride: usize, padding: usize) -> Self {
        let [c, h, w] = self.shape;
        let weight = self.weights([channels, c, kernel, kernel], c * kernel * kernel);
        let bias = self.filled(channels, 0.0);
        let spectral = self.singular_vector(channels);
        let side = |n: usize| (n + 2 * padding - kernel) / stride + 1;
        self.shape = [channels, side(h), side(w)];
        self.push(Layer::Conv(Conv { weight, bias, spectral, stride, padding }))
    }

    /// `kernel` × `kernel` transposed convolution to `channels` channels; `stride` is the enlargement.
    pub fn conv_transpose(mut self, channels: usize, kernel: usize, stride: usize, padding: usize) -> Self {
        let [c, h, w] = self.shape;
        // Each output pixel sees ⌈kernel / stride⌉² input pixels, not kernel².
        let fan_in = c * kernel.div_ceil(stride).pow(2);
        let weight = self.weights([c, channels, kernel, kernel], fan_in);
        let bias = self.filled(channels, 0.0);
        let side = |n: usize| (n - 1) * stride + kernel - 2 * padding;
        self.shape = [channels, side(h), side(w)];
        self.push(Layer::ConvTranspose(ConvTranspose { weight, bias, stride, padding }))
    }

    /// Repeats each pixel `factor` × `factor` times.
    pub fn upsample_nearest(mut self, factor: usize) -> Self {
        let [c, h, w] = self.shape;
        self.shape = [c, h * factor, w * factor];
        self.push(Layer::UpsampleNearest(UpsampleNearest { factor }))
    }

    /// 3 × 3 convolution to `channels · factor²` channels, then depth to space (Shi et al., 2016).
    ///
    /// The filters start equal in each group of `factor²` (ICNR of Aitken et al., 2017): the untrained layer is then
    /// nearest-neighbour enlargement of a convolution and shows no checkerboard.
    pub fn conv_pixel_shuffle(mut self, channels: usize, factor: usize) -> Self {
        let [c, h, w] = self.shape;
        let group = factor * factor;
        let one: Vec<f32> = self.draw(channels * c * 9, c * 9);
        let repeated: Vec<f32> = one.chunks(c * 9).flat_map(|filter| filter.repeat(group)).collect();
        let weight = self.param(repeated, [channels * group, c, 3, 3], true);
        let bias = self.filled(channels * group, 0.0);
        self.shape = [channels, h * factor, w * factor];
        self.push(Layer::Conv(Conv { weight, bias, spectral: None, stride: 1, padding: 1 }))
            .push(Layer::PixelShuffle(PixelShuffle { factor }))
    }

    /// Batch normalization (Ioffe and Szegedy, 2015).
    ///
    /// The bias of the layer before stays zero: β takes its place, and on a device a dense layer then needs one bias for each
    /// channel instead of one for each channel and position.
    pub fn batch_norm(mut self) -> Self {
        match self.layers.last_mut() {
            Some(Layer::Linear(Linear { bias, .. }))
            | Some(Layer::Conv(Conv { bias, .. }))
            | Some(Layer::ConvTranspose(ConvTranspose { bias, .. })) => {
                *bias = bias.clone().set_require_grad(false);
            }
            _ => {}
        }
        let channels = self.shape[0];
        let gamma = self.filled(channels, 1.0);
        let beta = self.filled(channels, 0.0);
        let mean = self.param(vec![0.0; channels], [channels], false);
        let variance = self.param(vec![1.0; channels], [channels], false);
        self.push(Layer::BatchNorm(BatchNorm { gamma, beta, mean, variance, epsilon: 1e-5 }))
    }

    /// max(0, x).
    pub fn relu(self) -> Self {
        self.pointwise(PointwiseKind::Relu)
    }

    /// x, or `slope`·x below zero.
    pub fn leaky_relu(self, slope: f32) -> Self {
        self.pointwise(PointwiseKind::LeakyRelu(slope))
    }

    /// tanh x.
    pub fn tanh(self) -> Self {
        self.pointwise(PointwiseKind::Tanh)
    }

    /// 1 / (1 + e⁻ˣ).
    pub fn sigmoid(self) -> Self {
        self.pointwise(PointwiseKind::Sigmoid)
    }

    /// The largest of each `pieces` neighbouring channels (Goodfellow et al., "Maxout Networks", 2013).
    ///
    /// # Panics
    ///
    /// If the channels cannot be divided by `pieces`.
    pub fn maxout(mut self, pieces: usize) -> Self {
        assert_eq!(self.shape[0] % pieces, 0, "maxout needs a multiple of {pieces} channels");
        self.shape[0] /= pieces;
        self.push(Layer::Maxout(Maxout { pieces }))
    }

    /// Keeps each value with probability `keep`, scaled by 1 / `keep`, while training (Srivastava et al., 2014).
    pub fn dropout(self, keep: f32) -> Self {
        if keep < 1.0 { self.push(Layer::Dropout(Dropout { keep })) } else { self }
    }

    /// One more channel, the same number everywhere: how much the samples of the batch differ (Karras et al., "Progressive Growing of GANs",
    /// 2018, §3).
    pub fn batch_deviation(mut self, on: bool) -> Self {
        if !on {
            return self;
        }
        self.shape[0] += 1;
        self.push(Layer::BatchDeviation(BatchDeviation { epsilon: 1e-8 }))
    }

    /// `[C, H, W]` so far.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The net.
    pub fn build(self) -> Net {
        Net { layers: self.layers, input: self.input, output: self.shape }
    }

    fn pointwise(self, kind: PointwiseKind) -> Self {
        self.push(Layer::Pointwise(Pointwise { kind }))
    }

    fn push(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    fn draw(&mut self, count: usize, fan_in: usize) -> Vec<f32> {
        let sigma = match self.init {
            Init::Normal(sigma) => sigma,
            Init::He => (2.0 / fan_in as f32).sqrt(),
        };
        (0..count).map(|_| sigma * self.rng.normal()).collect()
    }

    fn weights<const D: usize>(&mut self, shape: [usize; D], fan_in: usize) -> Param<Tensor<D>> {
        let values = self.draw(shape.iter().product(), fan_in);
        self.param(values, shape, true)
    }

    fn filled(&mut self, count: usize, value: f32) -> Param<Tensor<1>> {
        self.param(vec![value; count], [count], true)
    }

    /// A random unit vector for the power iteration, or nothing where the weights are used as they are.
    fn singular_vector(&mut self, out: usize) -> Option<Param<Tensor<1>>> {
        self.spectral.then(|| {
            let values: Vec<f32> = (0..out).map(|_| self.rng.normal()).collect();
            let norm = values.iter().map(|x| x * x).sum::<f32>().sqrt();
            self.param(values.into_iter().map(|x| x / norm).collect(), [out], false)
        })
    }

    /// Parameters are numbered in the order they are made. Optimizer state is stored under these numbers, so a net
    /// that is built again for a resumed run must find its own.
    fn param<const D: usize>(&mut self, values: Vec<f32>, shape: [usize; D], trained: bool) -> Param<Tensor<D>> {
        let id = ParamId::from(self.next_id);
        self.next_id += 1;
        let tensor = Tensor::from_data(TensorData::new(values, shape), self.device);
        Param::initialized(id, tensor).set_require_grad(trained)
    }
}

#[cfg(test)]
mod tests;
