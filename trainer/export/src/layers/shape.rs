//! Which shape a layer gives for the shapes that it reads, and why some it cannot read.

use edgegen_runtime::graph::{Border, Shape};

use super::{Input, Layer, Network, Node, Over, Window};
use crate::error::ExportError;

/// Why a layer cannot read what it is given; [`Node::output`] adds the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What it can read.
    pub expected: String,
    /// What it is given.
    pub found: String,
    /// What to do.
    pub remedy: &'static str,
}

impl Mismatch {
    pub(crate) fn new(expected: impl Into<String>, found: impl Into<String>, remedy: &'static str) -> Self {
        Self { expected: expected.into(), found: found.into(), remedy }
    }

    /// As the error of a node.
    pub fn at(self, node: impl Into<String>) -> ExportError {
        let Self { expected, found, remedy } = self;
        ExportError::Layer { node: node.into(), expected, found, remedy }
    }
}

impl Network {
    /// Shapes of what all nodes make.
    ///
    /// # Errors
    ///
    /// [`ExportError::Layer`] names a node that does not fit what it reads.
    pub fn shapes(&self) -> Result<Vec<Shape>, ExportError> {
        let mut shapes = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            shapes.push(node.output(&shapes)?);
        }
        Ok(shapes)
    }

    /// Products of one image, those with padding included and with inserted zeros not: how long it takes to interpret.
    ///
    /// # Errors
    ///
    /// As [`Network::shapes`].
    pub fn products(&self) -> Result<u64, ExportError> {
        let shapes = self.shapes()?;
        let area = |index: usize| u64::from(shapes[index].h) * u64::from(shapes[index].w);
        let products = self.nodes.iter().enumerate().map(|(index, node)| match &node.layer {
            Layer::Dense { weight, .. } => weight.len() as u64,
            Layer::Conv { weight, .. } => weight.len() as u64 * area(index),
            Layer::ConvTranspose { weight, .. } => weight.len() as u64 * area(node.reads[0]),
            _ => 0,
        });
        Ok(products.sum())
    }

    /// Shape of the image.
    ///
    /// # Errors
    ///
    /// As [`Network::shapes`], and for a network without nodes.
    pub fn output(&self) -> Result<Shape, ExportError> {
        let nothing = || Mismatch::new("at least one node", "none", "give the network layers").at("the network");
        self.shapes()?.last().copied().ok_or_else(nothing)
    }
}

impl Node {
    /// Shape of what it makes; `shapes` are those of the nodes before it.
    ///
    /// # Errors
    ///
    /// [`ExportError::Layer`] when it reads what is not there, or does not fit what it reads.
    pub fn output(&self, shapes: &[Shape]) -> Result<Shape, ExportError> {
        let read = |&index: &usize| shapes.get(index).copied();
        let later = || Mismatch::new("reads of earlier nodes", "one of a later node", "put nodes in order");
        let inputs: Option<Vec<Shape>> = self.reads.iter().map(read).collect();
        inputs.ok_or_else(later).and_then(|inputs| self.layer.output(&inputs)).map_err(|error| error.at(&self.name))
    }
}

impl Layer {
    /// Shape of the output for inputs of these shapes. Numbers of weights are checked too.
    ///
    /// # Errors
    ///
    /// [`Mismatch`] says what does not fit.
    pub fn output(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> {
        let expected = match self {
            Layer::Input(_) => 0,
            Layer::Add { .. } | Layer::Mul => 2,
            Layer::Concat => inputs.len().max(1),
            _ => 1,
        };
        if inputs.len() != expected {
            let count = |n: usize| format!("{n} node{} read", if n == 1 { "" } else { "s" });
            return Err(Mismatch::new(
                count(expected),
                inputs.len().to_string(),
                "read as many nodes as the layer takes",
            ));
        }
        let output = match (self, inputs) {
            (Layer::Input(input), _) => input.shape()?,
            (Layer::Add { .. } | Layer::Mul, [a, b]) => spread(*a, *b)?,
            (Layer::Concat, inputs) => concatenated(inputs)?,
            (layer, [input]) => layer.output_of_one(*input)?,
            // The counts were compared above.
            _ => Shape { h: 0, w: 0, c: 0 },
        };
        if output.is_empty() {
            let found = format!("an output of {output}");
            return Err(Mismatch::new("at least one row, column and channel", found, "change the window or the size"));
        }
        Ok(output)
    }

    fn output_of_one(&self, input: Shape) -> Result<Shape, Mismatch> {
        let [c, h, w] = dims(input);
        match self {
            Layer::Dense { shape, weight, bias } => {
                numbers("weights", shape.len().saturating_mul(input.len()), weight.len())?;
                numbers("biases", shape.len(), bias.len())?;
                Ok(*shape)
            }
            Layer::Conv { window, weight, bias } => {
                self.check_window(window, c, weight, bias)?;
                made([Some(window.channels), window.conv_size(0, h), window.conv_size(1, w)])
            }
            Layer::ConvTranspose { window, output_padding, weight, bias } => {
                self.check_window(window, c, weight, bias)?;
                let size = |axis: usize, size: usize| {
                    let full = (size - 1).checked_mul(window.stride[axis])?;
                    let full = full.checked_add(window.reach(axis)?)?.checked_add(output_padding[axis])?;
                    full.checked_sub(window.padding[axis][0].checked_add(window.padding[axis][1])?)
                };
                made([Some(window.channels), size(0, h), size(1, w)])
            }
            Layer::UpsampleNearest { factor } | Layer::UpsampleLinear { factor } => {
                made([Some(c), h.checked_mul(factor[0]), w.checked_mul(factor[1])])
            }
            Layer::PixelShuffle { factor, .. } => {
                let factor = *factor;
                match factor.checked_mul(factor) {
                    Some(square) if square > 0 && c.is_multiple_of(square) => {
                        made([Some(c / square), h.checked_mul(factor), w.checked_mul(factor)])
                    }
                    _ => {
                        let expected = format!("a multiple of {factor}² channels");
                        Err(Mismatch::new(expected, c.to_string(), "change the channels before the pixel shuffle"))
                    }
                }
            }
            Layer::BatchNorm { gamma, beta, mean, variance, .. } => {
                [gamma, beta, mean, variance].iter().try_for_each(|list| numbers("values a list", c, list.len()))?;
                Ok(input)
            }
            Layer::Normalize { over, gamma, beta, .. } => {
                [gamma, beta].iter().try_for_each(|list| numbers("values a list", c, list.len()))?;
                match over {
                    Over::Groups { groups } if *groups == 0 || !c.is_multiple_of(*groups) => {
                        let expected = format!("a divisor of {c} channels");
                        Err(Mismatch::new(expected, format!("{groups} groups"), "change the number of groups"))
                    }
                    _ => Ok(input),
                }
            }
            Layer::Affine { scale, offset } => {
                [scale, offset].iter().try_for_each(|list| numbers("values a list", c, list.len()))?;
                Ok(input)
            }
            Layer::ChannelFunctions(functions) => numbers("functions", c, functions.len()).map(|()| input),
            Layer::Slice { starts, sizes } => {
                let inside = |i: usize| starts[i].checked_add(sizes[i]).is_some_and(|end| end <= [c, h, w][i]);
                if (0..3).all(inside) {
                    made(sizes.map(Some))
                } else {
                    let found = format!("{sizes:?} from {starts:?} on");
                    Err(Mismatch::new(format!("part of [{c}, {h}, {w}]"), found, "change the slice"))
                }
            }
            Layer::Pad { padding, border } => {
                let most = |axis: usize| padding[axis][0].max(padding[axis][1]);
                if *border == Border::Reflect && (most(0) >= h || most(1) >= w) {
                    let found = format!("{padding:?} around a map of {input}");
                    return Err(Mismatch::new("less padding than a mirrored map has", found, "pad less"));
                }
                let size = |size: usize, [a, b]: [usize; 2]| size.checked_add(a)?.checked_add(b);
                made([Some(c), size(h, padding[0]), size(w, padding[1])])
            }
            Layer::Reorder { shape, from } => {
                numbers("places", shape.len(), from.len())?;
                if let Some(found) = from.iter().find(|&&place| place >= input.len()) {
                    let expected = format!("places below {}", input.len());
                    return Err(Mismatch::new(expected, found.to_string(), "reorder values that are there"));
                }
                Ok(*shape)
            }
            Layer::GlobalMean => Ok(Shape { h: 1, w: 1, c: input.c }),
            Layer::AveragePool { window, .. } => {
                window.check()?;
                made([Some(c), window.conv_size(0, h), window.conv_size(1, w)])
            }
            Layer::Activation(_) => Ok(input),
            // Those that read none or several nodes.
            Layer::Input(_) | Layer::Add { .. } | Layer::Mul | Layer::Concat => Ok(input),
        }
    }

    fn check_window(&self, window: &Window, inputs: usize, weight: &[f32], bias: &[f32]) -> Result<(), Mismatch> {
        window.check()?;
        let Window { channels, kernel, groups, .. } = *window;
        if groups == 0 || !inputs.is_multiple_of(groups) || !channels.is_multiple_of(groups) {
            let expected = format!("a divisor of {inputs} and {channels} channels");
            return Err(Mismatch::new(expected, format!("{groups} groups"), "change the number of groups"));
        }
        let pairs = inputs.saturating_mul(channels) / groups;
        numbers("weights", pairs.saturating_mul(kernel[0]).saturating_mul(kernel[1]), weight.len())?;
        numbers("biases", channels, bias.len())
    }
}

impl Input {
    /// Shape of its values.
    ///
    /// # Errors
    ///
    /// [`Mismatch`] for a vector that is too long or a constant with another number of values.
    pub fn shape(&self) -> Result<Shape, Mismatch> {
        match self {
            Input::Latent(latent) => made([latent.dims.checked_add(latent.classes), Some(1), Some(1)]),
            Input::Class { classes: values, .. }
            | Input::Style { dims: values, .. }
            | Input::Mix { layers: values } => made([Some(*values), Some(1), Some(1)]),
            Input::Image { shape, .. } | Input::Noise { shape, .. } | Input::Previous { shape, .. } => Ok(*shape),
            Input::Constant { shape, values } => numbers("values", shape.len(), values.len()).map(|()| *shape),
        }
    }
}

impl Window {
    /// Positions from the first to the last tap of an axis.
    pub(crate) fn reach(&self, axis: usize) -> Option<usize> {
        self.kernel[axis].checked_sub(1)?.checked_mul(self.dilation[axis])?.checked_add(1)
    }

    /// Rows (axis 0) or columns (1) that a convolution makes of `size`; nothing where the window does not fit or has no
    /// step.
    pub fn conv_size(&self, axis: usize, size: usize) -> Option<usize> {
        let padded = size.checked_add(self.padding[axis][0])?.checked_add(self.padding[axis][1])?;
        padded.checked_sub(self.reach(axis)?)?.checked_div(self.stride[axis])?.checked_add(1)
    }

    fn check(&self) -> Result<(), Mismatch> {
        let Self { kernel, stride, dilation, .. } = self;
        if kernel.iter().chain(stride).chain(dilation).all(|&number| number > 0) {
            return Ok(());
        }
        let found = format!("kernel {kernel:?}, stride {stride:?}, dilation {dilation:?}");
        Err(Mismatch::new("kernel, stride and dilation of at least 1", found, "change the window"))
    }
}

/// Channels, rows and columns.
pub(crate) fn dims(shape: Shape) -> [usize; 3] {
    [shape.c, shape.h, shape.w].map(usize::from)
}

/// A shape of `[c, h, w]`, which `None` stands in where it is below zero or far too large.
fn made(sizes: [Option<usize>; 3]) -> Result<Shape, Mismatch> {
    if let [Some(c), Some(h), Some(w)] = sizes.map(|size| size.and_then(|size| u16::try_from(size).ok())) {
        return Ok(Shape { h, w, c });
    }
    let name = |size: Option<usize>| size.map_or_else(|| "none".to_owned(), |size| size.to_string());
    let [c, h, w] = sizes.map(name);
    let found = format!("{h} rows, {w} columns, {c} channels");
    Err(Mismatch::new("1 to 65535 rows, columns and channels", found, "change the window or the size"))
}

fn numbers(what: &str, expected: usize, found: usize) -> Result<(), Mismatch> {
    if expected == found {
        return Ok(());
    }
    Err(Mismatch::new(format!("{expected} {what}"), found.to_string(), "give as many as the shapes ask for"))
}

/// The shape of two maps of which one may have one row, column or channel where the other has more.
fn spread(a: Shape, b: Shape) -> Result<Shape, Mismatch> {
    let size = |a: u16, b: u16| match (a, b) {
        (1, size) | (size, 1) => Some(size),
        (a, b) => Some(a).filter(|&a| a == b),
    };
    if let (Some(h), Some(w), Some(c)) = (size(a.h, b.h), size(a.w, b.w), size(a.c, b.c)) {
        return Ok(Shape { h, w, c });
    }
    let expected = format!("a map of {a}, or of 1 where that has more");
    Err(Mismatch::new(expected, b.to_string(), "join maps of one size"))
}

fn concatenated(inputs: &[Shape]) -> Result<Shape, Mismatch> {
    let first = inputs.first().copied().unwrap_or(Shape { h: 0, w: 0, c: 0 });
    if let Some(other) = inputs.iter().find(|shape| (shape.h, shape.w) != (first.h, first.w)) {
        let expected = format!("maps of {} rows and {} columns", first.h, first.w);
        return Err(Mismatch::new(expected, other.to_string(), "concatenate maps of one size"));
    }
    let channels = inputs.iter().map(|shape| usize::from(shape.c)).sum();
    made([Some(channels), Some(first.h.into()), Some(first.w.into())])
}
