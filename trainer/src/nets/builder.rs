//! Builds nets: every layer by one call.

use burn::module::{Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use edgegen_export::layers::Window;
use edgegen_runtime::graph::Border;

use super::layer::{
    BatchDeviation, BatchNorm, Conv, ConvTranspose, Dropout, Join, JoinKind, Layer, Linear, Maxout, Normalize,
    NormalizeKind, Pad, Part, PixelShuffle, Pointwise, PointwiseKind, Pool, PoolKind, UpsampleNearest,
};
use super::{Init, Net, Source};
use crate::rng::Rng;

/// A place in a net that is being built: what a layer or an input holds.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    source: Source,
    /// `[C, H, W]`.
    shape: [usize; 3],
}

/// Builds a [`Net`] layer by layer; each call names only what the shape so far does not tell.
#[derive(Debug)]
pub struct NetBuilder<'a> {
    layers: Vec<Layer>,
    reads: Vec<Vec<Source>>,
    inputs: Vec<[usize; 3]>,
    /// What the next layer reads.
    here: Mark,
    /// Whether something else may read it, too.
    shared: bool,
    init: Init,
    spectral: bool,
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
            device,
            rng,
            next_id: 1,
        }
    }

    /// One more input, which the next layer reads.
    pub fn input(mut self, shape: [usize; 3]) -> Self {
        self.here = Mark { source: Source::Input(self.inputs.len()), shape };
        self.shared = false;
        self.inputs.push(shape);
        self
    }

    /// What the next layer reads, for a branch from here ([`at`](Self::at)) or a join with it ([`add`](Self::add)).
    pub fn mark(&mut self) -> Mark {
        self.shared = true;
        self.here
    }

    /// Goes on from `mark`.
    pub fn at(mut self, mark: Mark) -> Self {
        self.here = mark;
        self.shared = true;
        self
    }

    /// Divides the weights of all following [`linear`](Self::linear) and [`conv`](Self::conv) layers by their
    /// largest singular value (Miyato et al., "Spectral Normalization for GANs", 2018).
    pub fn spectral_norm(mut self, on: bool) -> Self {
        self.spectral = on;
        self
    }

    /// Fully connected from everything so far (read in C, H, W order) to a map of `shape` = `[C, H, W]`.
    pub fn linear(self, shape: [usize; 3]) -> Self {
        self.dense(shape, 0.0)
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
        let weight = self.weights([channels, c / groups, ky, kx], c / groups * ky * kx);
        let bias = self.filled(channels, 0.0);
        let spectral = self.singular_vector(channels);
        self.push(Layer::Conv(Conv { weight, bias, spectral, window }), [channels, height, width])
    }

    /// `kernel` × `kernel` transposed convolution to `channels` channels; `stride` is the enlargement.
    pub fn conv_transpose(mut self, channels: usize, kernel: usize, stride: usize, padding: usize) -> Self {
        let [c, h, w] = self.here.shape;
        // Each output pixel sees ⌈kernel / stride⌉² input pixels, not kernel².
        let fan_in = c * kernel.div_ceil(stride).pow(2);
        let weight = self.weights([c, channels, kernel, kernel], fan_in);
        let bias = self.filled(channels, 0.0);
        let side = |n: usize| (n - 1) * stride + kernel - 2 * padding;
        let shape = [channels, side(h), side(w)];
        self.push(Layer::ConvTranspose(ConvTranspose { weight, bias, stride, padding }), shape)
    }

    /// Repeats each pixel `factor` × `factor` times.
    pub fn upsample_nearest(self, factor: usize) -> Self {
        let [c, h, w] = self.here.shape;
        self.push(Layer::UpsampleNearest(UpsampleNearest { factor }), [c, h * factor, w * factor])
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
        self.push(Layer::Conv(Conv { weight, bias, spectral: None, window }), [channels * group, h, w])
            .push(Layer::PixelShuffle(PixelShuffle { factor }), [channels, h * factor, w * factor])
    }

    /// Batch normalization (Ioffe and Szegedy, 2015).
    ///
    /// The bias of the layer before, if nothing else reads it, stays zero: β takes its place, and on a device a dense layer then
    /// needs one bias for each channel instead of one for each channel and position.
    pub fn batch_norm(mut self) -> Self {
        match self.layers.last_mut().filter(|_| !self.shared) {
            Some(Layer::Linear(Linear { bias, .. }))
            | Some(Layer::Conv(Conv { bias, .. }))
            | Some(Layer::ConvTranspose(ConvTranspose { bias, .. })) => {
                *bias = bias.clone().set_require_grad(false);
            }
            _ => {}
        }
        let channels = self.here.shape[0];
        let gamma = self.filled(channels, 1.0);
        let beta = self.filled(channels, 0.0);
        let mean = self.param(vec![0.0; channels], [channels], false);
        let variance = self.param(vec![1.0; channels], [channels], false);
        self.push_same(Layer::BatchNorm(BatchNorm { gamma, beta, mean, variance, epsilon: 1e-5 }))
    }

    /// Instance normalization without parameters of its own (Ulyanov et al., 2016): each channel of each image over its pixels.
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

    /// One more channel, the same number everywhere: how much the samples of the batch differ (Karras et al., "Progressive Growing of GANs",
    /// 2018, §3).
    pub fn batch_deviation(self, on: bool) -> Self {
        if !on {
            return self;
        }
        let [c, h, w] = self.here.shape;
        self.push(Layer::BatchDeviation(BatchDeviation { epsilon: 1e-8 }), [c + 1, h, w])
    }

    /// The sum with `other`, which has the same shape. Either of the two may be a vector `[C, 1, 1]`, added to all pixels, or have
    /// one channel, added to all channels.
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    pub fn add(self, other: Mark) -> Self {
        self.add_scaled(other, [1.0; 2])
    }

    /// `scales[0]` times what is here and `scales[1]` times `other`, as [`add`](Self::add).
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    pub fn add_scaled(self, other: Mark, scales: [f32; 2]) -> Self {
        self.join(JoinKind::Add(scales), other)
    }

    /// The product with `other` value by value, with shapes as in [`add`](Self::add).
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    pub fn multiply(self, other: Mark) -> Self {
        self.join(JoinKind::Multiply, other)
    }

    /// The channels of `other` behind those that are here.
    ///
    /// # Panics
    ///
    /// If heights or widths differ.
    pub fn concat(self, other: Mark) -> Self {
        let ([c, h, w], [more, other_h, other_w]) = (self.here.shape, other.shape);
        assert_eq!([h, w], [other_h, other_w], "maps whose channels are put together have one height and width");
        let reads = vec![self.here.source, other.source];
        self.push_reading(Layer::Join(Join { kind: JoinKind::Concat }), reads, [c + more, h, w])
    }

    /// A factor and an offset for each channel, both linear in the vector `style`: behind [`instance_norm`](Self::instance_norm)
    /// adaptive instance normalization (Huang and Belongie, 2017, eq. 8; Karras et al., "A Style-Based Generator", 2019, eq. 1).
    /// Factors start around 1, offsets around 0.
    pub fn modulate(self, style: Mark) -> Self {
        let map = self.here;
        let vector = [map.shape[0], 1, 1];
        let mut net = self.at(style).dense(vector, 1.0);
        let factor = net.mark();
        net = net.at(map).multiply(factor);
        let map = net.mark();
        net = net.at(style).dense(vector, 0.0);
        let offset = net.mark();
        net.at(map).add(offset)
    }

    /// `count` channels from channel `first` on.
    ///
    /// # Panics
    ///
    /// If there are fewer.
    pub fn part(self, first: usize, count: usize) -> Self {
        let [c, h, w] = self.here.shape;
        assert!(first + count <= c, "expected channels {first} to {} of a map, found {c}", first + count);
        self.push(Layer::Part(Part { first, count }), [count, h, w])
    }

    /// Rows and columns around the map, `[[top, bottom], [left, right]]`.
    ///
    /// # Panics
    ///
    /// If a mirrored border is not smaller than the map.
    pub fn pad(self, padding: [[usize; 2]; 2], border: Border) -> Self {
        let [c, h, w] = self.here.shape;
        let fits = |[before, after]: [usize; 2], side: usize| border != Border::Reflect || before.max(after) < side;
        assert!(fits(padding[0], h) && fits(padding[1], w), "a map of {h} × {w} has nothing to mirror for {padding:?}");
        let side = |[before, after]: [usize; 2], side: usize| before + side + after;
        self.push(Layer::Pad(Pad { padding, border }), [c, side(padding[0], h), side(padding[1], w)])
    }

    /// The map mirrored at its outermost rows and columns, `size` of them at each side.
    ///
    /// # Panics
    ///
    /// If the map has no more rows or columns than that.
    pub fn reflect_pad(self, size: usize) -> Self {
        self.pad([[size; 2]; 2], Border::Reflect)
    }

    /// The mean of each block of `factor` × `factor` pixels.
    ///
    /// # Panics
    ///
    /// If `factor` does not divide height and width.
    pub fn average_pool(self, factor: usize) -> Self {
        let [c, h, w] = self.here.shape;
        assert!(h % factor == 0 && w % factor == 0, "a map of {h} × {w} has no whole blocks of {factor}");
        self.push(Layer::Pool(Pool { kind: PoolKind::Block(factor) }), [c, h / factor, w / factor])
    }

    /// The mean of all pixels of each channel.
    pub fn global_mean(self) -> Self {
        let [c, _, _] = self.here.shape;
        self.push(Layer::Pool(Pool { kind: PoolKind::Map }), [c, 1, 1])
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

    fn pointwise(self, kind: PointwiseKind) -> Self {
        self.push_same(Layer::Pointwise(Pointwise { kind }))
    }

    fn dense(mut self, shape: [usize; 3], bias: f32) -> Self {
        let fan_in = self.here.shape.iter().product();
        let out = shape.iter().product();
        let weight = self.weights([out, fan_in], fan_in);
        let bias = self.filled(out, bias);
        let spectral = self.singular_vector(out);
        self.push(Layer::Linear(Linear { weight, bias, spectral, shape }), shape)
    }

    fn join(self, kind: JoinKind, other: Mark) -> Self {
        let shapes @ [here, there] = [self.here.shape, other.shape];
        let fits = |[small, large]: [[usize; 3]; 2]| {
            let [pixels, all] = [&small[1..], &large[1..]];
            (small[0] == large[0] || small[0] == 1) && (pixels == all || pixels == [1, 1])
        };
        assert!(
            fits(shapes) || fits([there, here]),
            "expected maps of one shape or a vector for each, found {shapes:?}"
        );
        let shape = if fits(shapes) { there } else { here };
        let reads = vec![self.here.source, other.source];
        self.push_reading(Layer::Join(Join { kind }), reads, shape)
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
