//! The float layer list: what `lower` hands over and everything after starts from.
//!
//! Layouts are the field's usual ones (those of PyTorch, Burn and ONNX), so that a network can be written down
//! by any importer without thought; `fold` turns them into the row layout of the runtime.

use edgegen_runtime::graph::{Latent, Prior, Shape};
use edgegen_runtime::latent::Point;

/// A generator in float, from the latent vector to the image.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// What it reads.
    pub input: Input,
    /// The layers in order; the first is a [`Layer::Dense`] that reads the input.
    pub layers: Vec<Layer>,
    /// What the last layer's values mean as pixels.
    pub pixels: PixelRange,
}

/// What a generator reads: a latent vector, and behind it one value for each class, 1 for the class to draw and 0 for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// How latent vectors are drawn.
    pub prior: Prior,
    /// Length of the latent vector.
    pub dims: usize,
    /// Classes that can be asked for; 0 where none can.
    pub classes: usize,
}

impl Input {
    /// A latent vector alone.
    pub fn new(prior: Prior, dims: usize) -> Self {
        Self { prior, dims, classes: 0 }
    }

    /// Number of values in all.
    pub fn width(&self) -> usize {
        self.dims + self.classes
    }

    /// The codes of a point of latent space, as the device makes them.
    pub fn codes_at(&self, point: Point) -> Vec<i8> {
        let mut codes = vec![0; self.width()];
        point.fill(Latent { prior: self.prior, dims: self.dims as u16 }, &mut codes);
        codes
    }

    /// The codes of a seed, whose class, where there are any, is the seed modulo their number.
    pub fn codes(&self, seed: u64) -> Vec<i8> {
        self.codes_at(Point::seed(seed))
    }

    /// The float values that the codes of a point stand for.
    pub fn vector_at(&self, point: Point) -> Vec<f32> {
        self.codes_at(point).iter().map(|&code| f32::from(code) / f32::from(self.prior.steps())).collect()
    }

    /// The float values that the codes of a seed stand for.
    pub fn vector(&self, seed: u64) -> Vec<f32> {
        self.vector_at(Point::seed(seed))
    }
}

/// The range of the last layer that maps to black … white.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelRange {
    /// −1 is black and +1 is white (tanh generators).
    Symmetric,
    /// 0 is black and 1 is white (sigmoid generators).
    Unit,
}

/// One layer. Activations are C × H × W, one image at a time.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// Fully connected: `y = W·x + b`, then seen as a map of `shape`.
    Dense {
        /// The output seen as a map; a plain vector is 1 × 1 × n.
        shape: Shape,
        /// `[out, in]`, where `out` runs over C, H, W in that order.
        weight: Vec<f32>,
        /// `[out]`.
        bias: Vec<f32>,
    },
    /// Cross-correlation (a "convolution" of deep learning).
    Conv {
        /// Kernel size, step and border.
        window: Window,
        /// `[out, in, ky, kx]`.
        weight: Vec<f32>,
        /// `[out]`.
        bias: Vec<f32>,
    },
    /// Transposed convolution: the gradient of [`Layer::Conv`] with respect to its input.
    ConvTranspose {
        /// Kernel size, step and border; the step is the upsampling factor.
        window: Window,
        /// Rows and columns added at the bottom and right of the output.
        output_padding: [usize; 2],
        /// `[in, out, ky, kx]`.
        weight: Vec<f32>,
        /// `[out]`.
        bias: Vec<f32>,
    },
    /// Each pixel repeated `factor` × `factor` times.
    UpsampleNearest {
        /// The enlargement, the same for both axes.
        factor: usize,
    },
    /// Depth to space: `in[c·f² + fy·f + fx, y, x]` becomes `out[c, y·f + fy, x·f + fx]`.
    PixelShuffle {
        /// The enlargement, the same for both axes.
        factor: usize,
    },
    /// Batch normalization with its running statistics, per channel: `γ·(x − mean)/√(var + ε) + β`.
    BatchNorm {
        /// γ, `[channels]`.
        gamma: Vec<f32>,
        /// β, `[channels]`.
        beta: Vec<f32>,
        /// Running mean, `[channels]`.
        mean: Vec<f32>,
        /// Running variance, `[channels]`.
        variance: Vec<f32>,
        /// ε.
        epsilon: f32,
    },
    /// A nonlinearity, applied to each value alone.
    Activation(Activation),
}

/// Kernel, stride, padding and dilation of a convolution, `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Output channels.
    pub channels: usize,
    /// Kernel size.
    pub kernel: [usize; 2],
    /// Stride.
    pub stride: [usize; 2],
    /// Zero padding, the same on both sides of an axis.
    pub padding: [usize; 2],
    /// Distance between taps.
    pub dilation: [usize; 2],
}

/// Pointwise nonlinearities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// x.
    Identity,
    /// max(0, x).
    Relu,
    /// x for x ≥ 0, `slope`·x below.
    LeakyRelu {
        /// Factor of the negative side.
        slope: f32,
    },
    /// tanh x.
    Tanh,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
}

impl Activation {
    /// Its value at `x`.
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Activation::Identity => x,
            Activation::Relu => x.max(0.0),
            Activation::LeakyRelu { slope } => x.max(0.0) + slope * x.min(0.0),
            // Those of the platform differ in the last bit, and an export must not.
            Activation::Tanh => libm::tanhf(x),
            Activation::Sigmoid => 1.0 / (1.0 + libm::expf(-x)),
        }
    }
}

impl PixelRange {
    /// A value of the last layer as grey level 0 … 255, not rounded.
    pub fn level(self, value: f32) -> f32 {
        let unit = match self {
            PixelRange::Symmetric => (value + 1.0) / 2.0,
            PixelRange::Unit => value,
        };
        255.0 * unit.clamp(0.0, 1.0)
    }
}

/// A map in the order C × H × W.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Its shape.
    pub shape: Shape,
    /// `c · h · w` values.
    pub values: Vec<f32>,
}

impl Network {
    /// The image of an input of [`Input::width`] values, layer by layer as the definitions say. This is the
    /// reference that every later step is held against.
    pub fn forward(&self, latent: &[f32]) -> Map {
        let shape = Shape { h: 1, w: 1, c: self.input.width() as u16 };
        self.layers.iter().fold(Map { shape, values: latent.to_vec() }, |map, layer| layer.forward(&map))
    }

    /// Shape of the image.
    pub fn output(&self) -> Shape {
        let latent = Shape { h: 1, w: 1, c: self.input.width() as u16 };
        self.layers.iter().fold(latent, |shape, layer| layer.output(shape))
    }
}

impl Layer {
    /// Shape of the output for an input of shape `input`.
    pub fn output(&self, input: Shape) -> Shape {
        let scaled =
            |factor: usize, c: usize| Shape { h: input.h * factor as u16, w: input.w * factor as u16, c: c as u16 };
        match self {
            Layer::Dense { shape, .. } => *shape,
            Layer::Conv { window, .. } => {
                let side = |axis: usize, input: u16| {
                    let reach = window.dilation[axis] * (window.kernel[axis] - 1) + 1;
                    ((usize::from(input) + 2 * window.padding[axis] - reach) / window.stride[axis] + 1) as u16
                };
                Shape { h: side(0, input.h), w: side(1, input.w), c: window.channels as u16 }
            }
            Layer::ConvTranspose { window, output_padding, .. } => {
                let side = |axis: usize, input: u16| {
                    let reach = window.dilation[axis] * (window.kernel[axis] - 1) + 1 + output_padding[axis];
                    ((usize::from(input) - 1) * window.stride[axis] + reach - 2 * window.padding[axis]) as u16
                };
                Shape { h: side(0, input.h), w: side(1, input.w), c: window.channels as u16 }
            }
            Layer::UpsampleNearest { factor } => scaled(*factor, usize::from(input.c)),
            Layer::PixelShuffle { factor } => scaled(*factor, usize::from(input.c) / (factor * factor)),
            Layer::BatchNorm { .. } | Layer::Activation(_) => input,
        }
    }

    fn forward(&self, input: &Map) -> Map {
        let shape = self.output(input.shape);
        let mut values = vec![0.0; shape.len()];
        let (h, w) = (usize::from(shape.h), usize::from(shape.w));
        let (input_h, input_w, input_c) = dims(input.shape);
        match self {
            Layer::Dense { weight, bias, .. } => {
                for ((value, row), bias) in values.iter_mut().zip(weight.chunks_exact(input.values.len())).zip(bias) {
                    *value = bias + row.iter().zip(&input.values).map(|(w, x)| w * x).sum::<f32>();
                }
            }
            Layer::Conv { window, weight, bias } => {
                for (channel, plane) in values.chunks_exact_mut(h * w).enumerate() {
                    plane.fill(bias[channel]);
                    for (from, source) in input.values.chunks_exact(input_h * input_w).enumerate() {
                        for_taps(window, |ky, kx| {
                            let factor = weight[tap(window, channel * input_c + from, ky, kx)];
                            for y in 0..h {
                                let Some(sy) = read(window, 0, y, ky, input_h) else { continue };
                                for x in 0..w {
                                    let Some(sx) = read(window, 1, x, kx, input_w) else { continue };
                                    plane[y * w + x] += factor * source[sy * input_w + sx];
                                }
                            }
                        });
                    }
                }
            }
            Layer::ConvTranspose { window, weight, bias, .. } => {
                for (channel, plane) in values.chunks_exact_mut(h * w).enumerate() {
                    plane.fill(bias[channel]);
                    for (from, source) in input.values.chunks_exact(input_h * input_w).enumerate() {
                        for_taps(window, |ky, kx| {
                            let factor = weight[tap(window, from * window.channels + channel, ky, kx)];
                            // The same index relation as above with the roles of input and output exchanged.
                            for sy in 0..input_h {
                                let Some(y) = read(window, 0, sy, ky, h) else { continue };
                                for sx in 0..input_w {
                                    let Some(x) = read(window, 1, sx, kx, w) else { continue };
                                    plane[y * w + x] += factor * source[sy * input_w + sx];
                                }
                            }
                        });
                    }
                }
            }
            Layer::UpsampleNearest { factor } => {
                for (i, value) in values.iter_mut().enumerate() {
                    let (c, y, x) = (i / (h * w), i / w % h, i % w);
                    *value = input.values[(c * input_h + y / factor) * input_w + x / factor];
                }
            }
            Layer::PixelShuffle { factor } => {
                for (i, value) in values.iter_mut().enumerate() {
                    let (c, y, x) = (i / (h * w), i / w % h, i % w);
                    let from = (c * factor + y % factor) * factor + x % factor;
                    *value = input.values[(from * input_h + y / factor) * input_w + x / factor];
                }
            }
            Layer::BatchNorm { gamma, beta, mean, variance, epsilon } => {
                for (i, (value, x)) in values.iter_mut().zip(&input.values).enumerate() {
                    let c = i / (h * w);
                    *value = gamma[c] * (x - mean[c]) / (variance[c] + epsilon).sqrt() + beta[c];
                }
            }
            Layer::Activation(activation) => {
                values.iter_mut().zip(&input.values).for_each(|(value, &x)| *value = activation.apply(x));
            }
        }
        Map { shape, values }
    }
}

fn dims(shape: Shape) -> (usize, usize, usize) {
    (usize::from(shape.h), usize::from(shape.w), usize::from(shape.c))
}

fn for_taps(window: &Window, mut visit: impl FnMut(usize, usize)) {
    for ky in 0..window.kernel[0] {
        for kx in 0..window.kernel[1] {
            visit(ky, kx);
        }
    }
}

fn tap(window: &Window, pair: usize, ky: usize, kx: usize) -> usize {
    (pair * window.kernel[0] + ky) * window.kernel[1] + kx
}

/// The input position that tap `k` of output position `o` reads, if it is not in the padding.
fn read(window: &Window, axis: usize, o: usize, k: usize, input: usize) -> Option<usize> {
    (o * window.stride[axis] + k * window.dilation[axis]).checked_sub(window.padding[axis]).filter(|&i| i < input)
}
