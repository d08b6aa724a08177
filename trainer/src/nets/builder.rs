//! Builds nets: every layer by one call. Branches, joins and what shapes a map are in `graph`.

use burn::module::{Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use edgegen_export::layers::Window;

use super::layer::{
    BatchDeviation, BatchNorm, Conv, ConvTranspose, Dropout, Layer, Linear, Maxout, Normalize, NormalizeKind,
    PixelShuffle, Pointwise, PointwiseKind, UpsampleNearest,
};
use super::{Init, Net, Source};
use crate::rng::Rng;

mod autoregressive;
mod graph;
mod orthogonal;
mod style;
mod translator;
mod wavenet;

pub use autoregressive::Chain;
pub use graph::Mark;
use orthogonal::orthogonal;
pub use translator::Speakers;
pub use wavenet::{Flows, Waves};

/// Builds a [`Net`] layer by layer; each call names only what the shape so far does not tell.
#[derive(Debug)]
pub struct NetBuilder<'a> {
    layers: Vec<Layer>,
    reads: Vec<Vec<Source>>,
    inputs: Vec<[usize; 3]>,
    /// What the next layer reads.
    here: Mark,
    /// Whether it is anything but the last layer, read by none other.
    shared: bool,
    init: Init,
    spectral: bool,
    equalized: bool,
    device: &'a Device,
    rng: &'a mut Rng,
    next_id: u64,
}

impl<'a> NetBuilder<'a> {
    /// A net that reads maps of `input` = `[C, H, W]` (a vector is `[n, 1, 1]`).
    pub fn new(input: [usize; 3], init: Init, device: &'a Device, rng: &'a mut Rng) -> Self {
        let here = Mark { source: Source::Input(0), shape: input };
        Self {
            layers: Vec::new(),
            reads: Vec::new(),
            inputs: vec![input],
            here,
            shared: false,
            init,
            spectral: false,
            equalized: false,
            device,
            rng,
            next_id: 1,
        }
    }

    /// Divides the weights of all following [`linear`](Self::linear) and [`conv`](Self::conv) layers by their
    /// largest singular value (Miyato et al., "Spectral Normalization for GANs", 2018).
    pub fn spectral_norm(mut self, on: bool) -> Self {
        self.spectral = on;
        self
    }

    /// Draws the weights of all following dense and convolution layers from N(0, 1) and lets them act times √(2 /
    /// fan-in), the σ of [`Init::He`]: Adam's steps, which are as large for any size of a weight, then change all
    /// layers at one speed (equalized learning rate: Karras et al., "Progressive Growing of GANs", 2018, §4.1).
    pub fn equalized(mut self, on: bool) -> Self {
        self.equalized = on;
        self
    }

    /// Draws the weights of all following layers as `init` says.
    pub fn init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Fully connected from everything so far (read in C, H, W order) to a map of `shape` = `[C, H, W]`.
    pub fn linear(self, shape: [usize; 3]) -> Self {
        self.dense(shape, 0.0)
    }

    /// As [`linear`](Self::linear), with biases that start at `bias`.
    pub fn linear_around(self, shape: [usize; 3], bias: f32) -> Self {
        self.dense(shape, bias)
    }

    /// `kernel` × `kernel` convolution to `channels` channels.
    pub fn conv(self, channels: usize, kernel: usize, stride: usize, padding: usize) -> Self {
        self.conv_with(Window::square(channels, kernel, stride, padding))
    }

    /// Convolution with any kernel, step, border, dilation and groups.
    ///
    /// # Panics
    ///
    /// If the window does not fit the map, or its groups do not divide the channels.
    pub fn conv_with(mut self, window: Window) -> Self {
        let [c, h, w] = self.here.shape;
        let Window { channels, kernel: [ky, kx], groups, .. } = window;
        assert!(
            c % groups == 0 && channels % groups == 0,
            "{groups} groups divide neither {c} nor {channels} channels"
        );
        let [Some(height), Some(width)] = [window.conv_size(0, h), window.conv_size(1, w)] else {
            panic!("expected a map that {window:?} fits, found {h} × {w}");
        };
        let fan_in = c / groups * ky * kx;
        let weight = self.weights([channels, c / groups, ky, kx], fan_in);
        let bias = self.filled(channels, 0.0);
        let spectral = self.singular_vector(channels);
        let conv = Conv { weight, bias, gain: self.gain(fan_in), spectral, window };
        self.push(Layer::Conv(conv), [channels, height, width])
    }

    /// `kernel` × `kernel` transposed convolution to `channels` channels; `stride` is the enlargement.
    pub fn conv_transpose(self, channels: usize, kernel: usize, stride: usize, padding: usize) -> Self {
        self.conv_transpose_with(Window::square(channels, kernel, stride, padding))
    }

    /// Transposed convolution with any kernel, enlargement, border, dilation and groups.
    ///
    /// # Panics
    ///
    /// If nothing is left of the map, borders before and after differ, or groups do not divide the channels.
    pub fn conv_transpose_with(mut self, window: Window) -> Self {
        let [c, h, w] = self.here.shape;
        let Window { channels, kernel, stride, padding, dilation, groups } = window;
        assert!(
            c % groups == 0 && channels % groups == 0,
            "{groups} groups divide neither {c} nor {channels} channels"
        );
        assert!(padding.iter().all(|[a, b]| a == b), "expected the same border before and after, found {padding:?}");
        let side = |axis: usize, size: usize| {
            let full = (size - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1;
            full.checked_sub(2 * padding[axis][0]).filter(|&size| size > 0)
        };
        let [Some(height), Some(width)] = [side(0, h), side(1, w)] else {
            panic!("expected a map that {window:?} fits, found {h} × {w}");
        };
        // Each output pixel sees ⌈kernel / stride⌉ input pixels of an axis, not as many as the kernel has.
        let fan_in = c / groups * kernel[0].div_ceil(stride[0]) * kernel[1].div_ceil(stride[1]);
        let weight = self.weights([c, channels / groups, kernel[0], kernel[1]], fan_in);
        let bias = self.filled(channels, 0.0);
        let conv = ConvTranspose { weight, bias, gain: self.gain(fan_in), window };
        self.push(Layer::ConvTranspose(conv), [channels, height, width])
    }

    /// Repeats each pixel `factor` × `factor` times.
    pub fn upsample_nearest(self, factor: usize) -> Self {
        self.upsample_nearest_by([factor; 2])
    }

    /// Repeats rows and columns, `[vertical, horizontal]` times.
    pub fn upsample_nearest_by(self, factor: [usize; 2]) -> Self {
        let [c, h, w] = self.here.shape;
        self.push(Layer::UpsampleNearest(UpsampleNearest { factor }), [c, h * factor[0], w * factor[1]])
    }

    /// 3 × 3 convolution to `channels · factor²` channels, then depth to space (Shi et al., 2016).
    ///
    /// The filters start equal in each group of `factor²` (ICNR of Aitken et al., 2017): the untrained layer is then
    /// nearest-neighbour enlargement of a convolution and shows no checkerboard.
    pub fn conv_pixel_shuffle(mut self, channels: usize, factor: usize) -> Self {
        let [c, h, w] = self.here.shape;
        let group = factor * factor;
        let one: Vec<f32> = self.draw(channels * c * 9, c * 9);
        let repeated: Vec<f32> = one.chunks(c * 9).flat_map(|filter| filter.repeat(group)).collect();
        let weight = self.param(repeated, [channels * group, c, 3, 3], true);
        let bias = self.filled(channels * group, 0.0);
        let window = Window::square(channels * group, 3, 1, 1);
        let conv = Conv { weight, bias, gain: self.gain(c * 9), spectral: None, window };
        self.push(Layer::Conv(conv), [channels * group, h, w])
            .push(Layer::PixelShuffle(PixelShuffle { factor }), [channels, h * factor, w * factor])
    }

    /// Batch normalization (Ioffe and Szegedy, 2015).
    ///
    /// The bias of the layer before, if nothing else reads it, stays zero: β takes its place, and on a device a dense
    /// layer then needs one bias for each channel instead of one for each channel and position.
    pub fn batch_norm(self) -> Self {
        self.normalized(true)
    }

    /// Batch normalization without γ and β of its own, for which [`modulate`](Self::modulate) gives others: by both
    /// conditional batch normalization (de Vries et al., "Modulating early visual processing by language", 2017).
    pub fn batch_norm_alone(self) -> Self {
        self.normalized(false)
    }

    /// Instance normalization without parameters of its own (Ulyanov et al., 2016): each channel of each image over its
    /// pixels.
    pub fn instance_norm(self) -> Self {
        self.push_same(Layer::Normalize(Normalize { kind: NormalizeKind::Instance, epsilon: 1e-5 }))
    }

    /// Each pixel over the root mean square of its channels (Karras et al., "Progressive Growing of GANs", 2018, §4.2).
    pub fn pixel_norm(self) -> Self {
        self.push_same(Layer::Normalize(Normalize { kind: NormalizeKind::Pixel, epsilon: 1e-8 }))
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
    pub fn maxout(self, pieces: usize) -> Self {
        let [c, h, w] = self.here.shape;
        assert_eq!(c % pieces, 0, "maxout needs a multiple of {pieces} channels");
        self.push(Layer::Maxout(Maxout { pieces }), [c / pieces, h, w])
    }

    /// Keeps each value with probability `keep`, scaled by 1 / `keep`, while training (Srivastava et al., 2014).
    pub fn dropout(self, keep: f32) -> Self {
        if keep < 1.0 { self.push_same(Layer::Dropout(Dropout { keep })) } else { self }
    }

    /// One more channel, the same number everywhere: how much the samples of the batch differ (Karras et al.,
    /// "Progressive Growing of GANs", 2018, §3).
    pub fn batch_deviation(self, on: bool) -> Self {
        if !on {
            return self;
        }
        let [c, h, w] = self.here.shape;
        self.push(Layer::BatchDeviation(BatchDeviation { epsilon: 1e-8 }), [c + 1, h, w])
    }

    /// `[C, H, W]` so far.
    pub fn shape(&self) -> [usize; 3] {
        self.here.shape
    }

    /// The net.
    ///
    /// # Panics
    ///
    /// If it is left at another place than its last layer.
    pub fn build(self) -> Net {
        let last = self.layers.len().checked_sub(1).map_or(Source::Input(0), Source::Layer);
        assert_eq!(self.here.source, last, "a net ends with the layer that was added last");
        Net { layers: self.layers, reads: self.reads, inputs: self.inputs, output: self.here.shape }
    }

    fn normalized(mut self, has_own: bool) -> Self {
        match self.layers.last_mut().filter(|_| !self.shared) {
            Some(Layer::Linear(Linear { bias, .. }))
            | Some(Layer::Conv(Conv { bias, .. }))
            | Some(Layer::ConvTranspose(ConvTranspose { bias, .. })) => {
                *bias = bias.clone().set_require_grad(false);
            }
            _ => {}
        }
        let channels = self.here.shape[0];
        let gamma = self.param(vec![1.0; channels], [channels], has_own);
        let beta = self.param(vec![0.0; channels], [channels], has_own);
        let mean = self.param(vec![0.0; channels], [channels], false);
        let variance = self.param(vec![1.0; channels], [channels], false);
        self.push_same(Layer::BatchNorm(BatchNorm { gamma, beta, mean, variance, epsilon: 1e-5 }))
    }

    fn pointwise(self, kind: PointwiseKind) -> Self {
        self.push_same(Layer::Pointwise(Pointwise { kind }))
    }

    fn dense(mut self, shape: [usize; 3], bias: f32) -> Self {
        let fan_in = self.here.shape.iter().product();
        let out = shape.iter().product();
        let weight = self.weights([out, fan_in], fan_in);
        let bias = self.filled(out, bias);
        let spectral = self.singular_vector(out);
        let gain = self.gain(fan_in);
        self.push(Layer::Linear(Linear { weight, bias, gain, spectral, shape }), shape)
    }

    fn push_same(self, layer: Layer) -> Self {
        let shape = self.here.shape;
        self.push(layer, shape)
    }

    fn push(self, layer: Layer, shape: [usize; 3]) -> Self {
        let reads = vec![self.here.source];
        self.push_reading(layer, reads, shape)
    }

    fn push_reading(mut self, layer: Layer, reads: Vec<Source>, shape: [usize; 3]) -> Self {
        self.here = Mark { source: Source::Layer(self.layers.len()), shape };
        self.shared = false;
        self.layers.push(layer);
        self.reads.push(reads);
        self
    }

    fn draw(&mut self, count: usize, fan_in: usize) -> Vec<f32> {
        let sigma = match self.init {
            _ if self.equalized => 1.0,
            Init::Normal(sigma) => sigma,
            Init::He | Init::Orthogonal => he(fan_in),
        };
        (0..count).map(|_| sigma * self.rng.normal()).collect()
    }

    /// What weights act times.
    fn gain(&self, fan_in: usize) -> f32 {
        if self.equalized { he(fan_in) } else { 1.0 }
    }

    fn weights<const D: usize>(&mut self, shape: [usize; D], fan_in: usize) -> Param<Tensor<D>> {
        let count = shape.iter().product();
        let values = match self.init {
            Init::Orthogonal if !self.equalized => orthogonal(shape[0], count / shape[0], self.rng),
            _ => self.draw(count, fan_in),
        };
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

/// The σ of He et al. (2015) for a layer each of whose values is a sum of `fan_in` products.
fn he(fan_in: usize) -> f32 {
    (2.0 / fan_in as f32).sqrt()
}
