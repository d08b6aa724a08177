//! The float network: what `lower` and `onnx` hand over and everything after starts from.
//!
//! A network is a list of nodes in an order in which each reads only earlier ones; the last one is the image. A chain
//! is the network in which each node reads the one before it, see [`Network::chain`].
//!
//! Layouts are the field's usual ones (those of PyTorch, Burn and ONNX), so that a network can be written down
//! by any importer without thought; `fold` turns them into the row layout of the runtime.

use edgegen_runtime::graph::{Border, Latent, Prior, Shape};
use edgegen_runtime::latent::Point;

use crate::function::Function;

mod compose;
mod forward;
mod inputs;
mod shape;

pub use forward::Map;
pub use inputs::picture;
pub use shape::Mismatch;
pub(crate) use shape::dims;

/// A generator in float, from its inputs to the image.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Each reads only earlier ones; the last one is the image.
    pub nodes: Vec<Node>,
    /// What the last node's values mean as pixels.
    pub pixels: PixelRange,
}

/// A layer and what it reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What the person's own file calls it; for a layer of ours what it is.
    pub name: String,
    /// What it computes.
    pub layer: Layer,
    /// The nodes that it reads, as positions in the list.
    pub reads: Vec<usize>,
}

/// One layer. Activations are C × H × W, one image at a time.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// Reads nothing: where a network starts.
    Input(Input),
    /// Fully connected: `y = W·x + b` of all values of one node in the order C, H, W, then seen as a map of `shape`.
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
        /// `[out, in / groups, ky, kx]`.
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
        /// `[in, out / groups, ky, kx]`.
        weight: Vec<f32>,
        /// `[out]`.
        bias: Vec<f32>,
    },
    /// Each pixel repeated `factor` times, `[vertical, horizontal]`.
    UpsampleNearest {
        /// The enlargement of each axis.
        factor: [usize; 2],
    },
    /// Depth to space: `in[c·f² + fy·f + fx, y, x]` becomes `out[c, y·f + fy, x·f + fx]`. With `blocks_first` the
    /// channel is
    /// `(fy·f + fx)·C + c` (ONNX's mode DCR; without it, CRD and PyTorch's PixelShuffle).
    PixelShuffle {
        /// The enlargement, the same for both axes.
        factor: usize,
        /// Whether the place within a block is the slower part of the channel.
        blocks_first: bool,
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
    /// Normalization by the statistics of the image at hand: `γ·(x − mean)/√(var + ε) + β`, γ and β per channel.
    Normalize {
        /// What a mean and a variance (of N, not N − 1, values) are taken over.
        over: Over,
        /// Whether the mean is subtracted; without it `x/√(mean of squares + ε)` (RMS and pixel normalization).
        centred: bool,
        /// γ, `[channels]`.
        gamma: Vec<f32>,
        /// β, `[channels]`.
        beta: Vec<f32>,
        /// ε.
        epsilon: f32,
    },
    /// A function of each value alone.
    Activation(Function),
    /// `x·scale[c] + offset[c]` for each channel, where no batch normalization says so.
    Affine {
        /// `[channels]`.
        scale: Vec<f32>,
        /// `[channels]`.
        offset: Vec<f32>,
    },
    /// A function of each value alone, another one for each channel (a PReLU with a slope for each).
    ChannelFunctions(Vec<Function>),
    /// `scales[0]·a + scales[1]·b` of two nodes. One of the two may have one row and column (a vector, added to all
    /// pixels) or one channel (added to all channels), or both.
    Add {
        /// Factors of the two.
        scales: [f32; 2],
    },
    /// `a·b` of two nodes, of shapes as in [`Layer::Add`].
    Mul,
    /// The channels of two or more nodes of the same height and width, one after the other.
    Concat,
    /// Part of a map: `sizes` channels, rows and columns from `starts` on, both `[c, h, w]`.
    Slice {
        /// First channel, row and column.
        starts: [usize; 3],
        /// How many of each.
        sizes: [usize; 3],
    },
    /// Rows and columns added around a map.
    Pad {
        /// `[[top, bottom], [left, right]]`.
        padding: [[usize; 2]; 2],
        /// What stands in them.
        border: Border,
    },
    /// The same values in another order or shape: a reshape, a flattening, a transposition.
    Reorder {
        /// The new shape.
        shape: Shape,
        /// For each value of the output in the order C, H, W the place of its source in the order C, H, W.
        from: Vec<usize>,
    },
    /// The mean of all pixels of each channel, 1 × 1 × c (global average pooling).
    GlobalMean,
    /// The mean of the values in each window, padding not counted where `exclude_padding` says so.
    AveragePool {
        /// Kernel size, step and border; the channels are those of the input.
        window: Window,
        /// Whether a window at the border divides by the values it has (ONNX's `count_include_pad = 0`).
        exclude_padding: bool,
    },
    /// Linear interpolation to whole multiples of the size, half-pixel centres unless `align_corners`.
    UpsampleLinear {
        /// The enlargement of each axis.
        factor: [usize; 2],
    },
}

/// Where a network starts.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A latent vector, 1 × 1 × dims, and behind it, for those who like them together, one value for each class:
    /// 1 for the class to draw and 0 for the others.
    Latent(LatentInput),
    /// The class to draw as a vector 1 × 1 × classes: 1 for the class and 0 for the others.
    Class {
        /// How many there are.
        classes: usize,
        /// 0 where the class is asked for by its number alone. Else it is one value of a combination, and the class of
        /// all is the sum of the stride times the value over the inputs of this kind, each stride the product of
        /// `classes` of those before.
        stride: usize,
    },
    /// Rows of an image that the caller hands in.
    Image {
        /// Its shape.
        shape: Shape,
        /// What its pixels mean: 0 … 255 is that range.
        pixels: PixelRange,
    },
    /// A value for each place of a map, drawn from the seed, not that of any other place.
    Noise {
        /// Its shape.
        shape: Shape,
        /// How its values are drawn.
        prior: Prior,
        /// Which noise it is: those of one number are the same.
        number: u16,
    },
    /// A second latent vector, 1 × 1 × dims: see [`Source::Style`](edgegen_runtime::graph::Source::Style).
    Style {
        /// How it is drawn.
        prior: Prior,
        /// Its length.
        dims: usize,
    },
    /// In which layers the second latent vector acts, 1 × 1 × layers: 1 where it does and 0 elsewhere.
    Mix {
        /// How many layers have a style.
        layers: usize,
    },
    /// The image itself, a row late: see [`Source::Previous`](edgegen_runtime::graph::Source::Previous). Whole maps are
    /// computed of an image that is given (teacher forcing).
    Previous {
        /// Its shape, that of the image.
        shape: Shape,
        /// What its pixels mean, as the network's.
        pixels: PixelRange,
    },
    /// Numbers that are part of the model.
    Constant {
        /// The shape.
        shape: Shape,
        /// In the order C, H, W.
        values: Vec<f32>,
    },
}

/// What a mean is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// All pixels of a group of channels: 1 channel each is instance normalization, all of them layer normalization of
    /// a map (ONNX's GroupNormalization with one group).
    Groups {
        /// How many groups there are; as many as channels for instance normalization.
        groups: usize,
    },
    /// The channels of each pixel (pixel normalization, layer normalization over channels).
    Pixel,
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
    /// Zero padding before and after, `[[top, bottom], [left, right]]`.
    pub padding: [[usize; 2]; 2],
    /// Distance between taps.
    pub dilation: [usize; 2],
    /// Groups of channels that are convolved apart; 1 for a plain convolution.
    pub groups: usize,
}

impl Window {
    /// `kernel` × `kernel`, the same step and border on both axes.
    pub fn square(channels: usize, kernel: usize, stride: usize, padding: usize) -> Self {
        let (kernel, stride, padding) = ([kernel; 2], [stride; 2], [[padding; 2]; 2]);
        Self { channels, kernel, stride, padding, dilation: [1; 2], groups: 1 }
    }

    /// A convolution along time, which runs down the rows: an output sees its own row and `kernel` − 1 earlier ones,
    /// `dilation` rows apart (van den Oord et al., "WaveNet", 2016, §2.1).
    pub fn causal(channels: usize, kernel: usize, dilation: usize) -> Self {
        let padding = [[kernel.saturating_sub(1) * dilation, 0], [0; 2]];
        Self { channels, kernel: [kernel, 1], stride: [1; 2], padding, dilation: [dilation, 1], groups: 1 }
    }
}

/// What a generator reads first: a latent vector, and behind it one value for each class, 1 for the class to draw and 0
/// for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatentInput {
    /// How latent vectors are drawn.
    pub prior: Prior,
    /// Length of the latent vector.
    pub dims: usize,
    /// Classes that can be asked for; 0 where none can.
    pub classes: usize,
}

impl LatentInput {
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
    /// 0 is black and 255 is white.
    Byte,
}

impl Network {
    /// Layers that each read the one before, behind a latent vector.
    pub fn chain(input: LatentInput, layers: impl IntoIterator<Item = Layer>, pixels: PixelRange) -> Self {
        let mut nodes = vec![Node { name: "latent".into(), layer: Layer::Input(Input::Latent(input)), reads: vec![] }];
        for layer in layers {
            let before = nodes.len() - 1;
            nodes.push(Node { name: format!("layer {before}"), layer, reads: vec![before] });
        }
        Self { nodes, pixels }
    }

    /// The inputs other than constants, in order: those that [`Network::forward`] takes values for.
    pub fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.nodes.iter().filter_map(|node| match &node.layer {
            Layer::Input(Input::Constant { .. }) => None,
            Layer::Input(input) => Some(input),
            _ => None,
        })
    }

    /// Shape and pixels of the image, if it reads its own, a row late.
    pub fn previous(&self) -> Option<(Shape, PixelRange)> {
        self.inputs().find_map(|input| match *input {
            Input::Previous { shape, pixels } => Some((shape, pixels)),
            _ => None,
        })
    }

    /// Whether it reads an image, be it its own.
    pub fn reads_images(&self) -> bool {
        self.inputs().any(|input| matches!(input, Input::Image { .. } | Input::Previous { .. }))
    }

    /// The first latent vector among the inputs.
    pub fn latent(&self) -> Option<LatentInput> {
        self.inputs().find_map(|input| if let Input::Latent(latent) = input { Some(*latent) } else { None })
    }
}

impl PixelRange {
    /// The value of black.
    pub fn black(self) -> f32 {
        if self == PixelRange::Symmetric { -1.0 } else { 0.0 }
    }

    /// From black to white.
    pub fn span(self) -> f32 {
        match self {
            PixelRange::Symmetric => 2.0,
            PixelRange::Unit => 1.0,
            PixelRange::Byte => 255.0,
        }
    }

    /// A value of the last layer as grey level 0 … 255, not rounded.
    pub fn level(self, value: f32) -> f32 {
        let unit = match self {
            PixelRange::Symmetric => (value + 1.0) / 2.0,
            PixelRange::Unit => value,
            PixelRange::Byte => value / 255.0,
        };
        255.0 * unit.clamp(0.0, 1.0)
    }
}
