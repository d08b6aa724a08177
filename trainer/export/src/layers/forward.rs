//! The network by definition: plain loops, one layer after the other. Every later step is held against this.

use edgegen_runtime::graph::Shape;

use super::shape::{Mismatch, dims};
use super::{Input, Layer, Network, Over, Window};
use crate::error::ExportError;

/// A map in the order C × H × W.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Its shape.
    pub shape: Shape,
    /// `c · h · w` values.
    pub values: Vec<f32>,
}

impl Network {
    /// The image of `inputs`: the values of the inputs other than constants, in order, each C × H × W.
    ///
    /// # Errors
    ///
    /// Those of [`Network::trace`].
    pub fn forward(&self, inputs: &[Vec<f32>]) -> Result<Map, ExportError> {
        let nothing = || Mismatch::new("at least one node", "none", "give the network layers").at("the network");
        self.trace(inputs)?.pop().ok_or_else(nothing)
    }

    /// What every node makes of `inputs`, which are those of [`Network::forward`].
    ///
    /// # Errors
    ///
    /// [`ExportError::Layer`] when a node does not fit what it reads, or an input has another number of values.
    pub fn trace(&self, inputs: &[Vec<f32>]) -> Result<Vec<Map>, ExportError> {
        let shapes = self.shapes()?;
        let mut inputs = inputs.iter();
        let mut maps: Vec<Map> = Vec::with_capacity(shapes.len());
        for (node, shape) in self.nodes.iter().zip(shapes) {
            let values = match &node.layer {
                Layer::Input(Input::Constant { values, .. }) => values.clone(),
                Layer::Input(_) => {
                    let given = inputs.next().map_or(&[][..], |values| values);
                    if given.len() != shape.len() {
                        let expected = format!("{} values", shape.len());
                        let found = given.len().to_string();
                        return Err(Mismatch::new(expected, found, "hand in what each input reads").at(&node.name));
                    }
                    given.to_vec()
                }
                layer => {
                    let sources: Vec<&Map> = node.reads.iter().map(|&read| &maps[read]).collect();
                    layer.values(&sources, shape)
                }
            };
            maps.push(Map { shape, values });
        }
        Ok(maps)
    }
}

impl Layer {
    /// What it makes of `inputs`; `shape` is what [`Layer::output`] says for their shapes.
    pub(crate) fn values(&self, inputs: &[&Map], shape: Shape) -> Vec<f32> {
        match (self, inputs) {
            (Layer::Concat, inputs) => inputs.iter().flat_map(|map| &map.values).copied().collect(),
            (Layer::Add { scales }, [a, b]) => {
                each(shape, |place| scales[0] * a.spread(place) + scales[1] * b.spread(place))
            }
            (Layer::Mul, [a, b]) => each(shape, |place| a.spread(place) * b.spread(place)),
            (layer, [input]) => layer.values_of_one(input, shape),
            _ => Vec::new(),
        }
    }

    fn values_of_one(&self, input: &Map, shape: Shape) -> Vec<f32> {
        let [_, h, w] = dims(shape);
        let [channels, input_h, input_w] = dims(input.shape);
        match self {
            Layer::Dense { weight, bias, .. } => {
                let rows = weight.chunks_exact(input.values.len());
                let dot = |row: &[f32]| row.iter().zip(&input.values).map(|(w, x)| w * x).sum::<f32>();
                rows.zip(bias).map(|(row, bias)| bias + dot(row)).collect()
            }
            Layer::Conv { window, weight, bias } => {
                let [from, to] = [channels / window.groups, window.channels / window.groups];
                convolved(window, shape, bias, from, |plane, channel, i| {
                    let source = input.plane(channel / to * from + i);
                    for_taps(window, |ky, kx| {
                        let factor = weight[tap(window, channel * from + i, ky, kx)];
                        for y in 0..h {
                            let Some(sy) = read(window, 0, y, ky, input_h) else { continue };
                            for x in 0..w {
                                let Some(sx) = read(window, 1, x, kx, input_w) else { continue };
                                plane[y * w + x] += factor * source[sy * input_w + sx];
                            }
                        }
                    });
                })
            }
            Layer::ConvTranspose { window, weight, bias, .. } => {
                let [from, to] = [channels / window.groups, window.channels / window.groups];
                convolved(window, shape, bias, from, |plane, channel, i| {
                    let i = channel / to * from + i;
                    let source = input.plane(i);
                    for_taps(window, |ky, kx| {
                        let factor = weight[tap(window, i * to + channel % to, ky, kx)];
                        // The same index relation as above with the roles of input and output exchanged.
                        for sy in 0..input_h {
                            let Some(y) = read(window, 0, sy, ky, h) else { continue };
                            for sx in 0..input_w {
                                let Some(x) = read(window, 1, sx, kx, w) else { continue };
                                plane[y * w + x] += factor * source[sy * input_w + sx];
                            }
                        }
                    });
                })
            }
            Layer::UpsampleNearest { factor } => {
                each(shape, |[c, y, x]| input.value([c, y / factor[0], x / factor[1]]))
            }
            Layer::PixelShuffle { factor, blocks_first } => {
                let (f, c_all) = (*factor, usize::from(shape.c));
                each(shape, |[c, y, x]| {
                    let (fy, fx) = (y % f, x % f);
                    let from = if *blocks_first { (fy * f + fx) * c_all + c } else { (c * f + fy) * f + fx };
                    input.value([from, y / f, x / f])
                })
            }
            Layer::BatchNorm { gamma, beta, mean, variance, epsilon } => each(shape, |[c, y, x]| {
                gamma[c] * (input.value([c, y, x]) - mean[c]) / (variance[c] + epsilon).sqrt() + beta[c]
            }),
            Layer::Normalize { over, centred, gamma, beta, epsilon } => {
                // The set of values that a place belongs to, and how many values a set has.
                let set = |[c, y, x]: [usize; 3]| match over {
                    Over::Groups { groups } => c / (channels / groups),
                    Over::Pixel => y * w + x,
                };
                let (sets, size) = match over {
                    Over::Groups { groups } => (*groups, channels / groups * h * w),
                    Over::Pixel => (h * w, channels),
                };
                let mean_of = |values: &[f32]| {
                    let mut sums = vec![0.0f64; sets];
                    values.iter().enumerate().for_each(|(i, &v)| sums[set(place(shape, i))] += f64::from(v));
                    sums.iter().map(|sum| (sum / size as f64) as f32).collect::<Vec<f32>>()
                };
                let means = if *centred { mean_of(&input.values) } else { vec![0.0; sets] };
                let centre = |at: [usize; 3]| input.value(at) - means[set(at)];
                let squares = mean_of(&each(shape, |at| centre(at) * centre(at)));
                each(shape, |at| gamma[at[0]] * centre(at) / (squares[set(at)] + epsilon).sqrt() + beta[at[0]])
            }
            Layer::Activation(function) => input.values.iter().map(|&x| function.apply(x)).collect(),
            Layer::Affine { scale, offset } => each(shape, |[c, y, x]| input.value([c, y, x]) * scale[c] + offset[c]),
            Layer::ChannelFunctions(functions) => each(shape, |[c, y, x]| functions[c].apply(input.value([c, y, x]))),
            Layer::Slice { starts, .. } => {
                each(shape, |[c, y, x]| input.value([c + starts[0], y + starts[1], x + starts[2]]))
            }
            Layer::Pad { padding, border } => each(shape, |[c, y, x]| {
                let inside = |o: usize, axis: usize, size: usize| {
                    let at = border.inside(o as i32 - padding[axis][0] as i32, size as i32);
                    usize::try_from(at).ok().filter(|&at| at < size)
                };
                let inside = inside(y, 0, input_h).zip(inside(x, 1, input_w));
                inside.map_or(0.0, |(y, x)| input.value([c, y, x]))
            }),
            Layer::Reorder { from, .. } => from.iter().map(|&from| input.values[from]).collect(),
            Layer::GlobalMean => {
                let sum = |plane: &[f32]| plane.iter().map(|&value| f64::from(value)).sum::<f64>();
                let planes = input.values.chunks_exact(input_h * input_w);
                planes.map(|plane| (sum(plane) / plane.len() as f64) as f32).collect()
            }
            Layer::AveragePool { window, exclude_padding } => each(shape, |[c, y, x]| {
                let (mut sum, mut count) = (0.0, 0);
                for_taps(window, |ky, kx| {
                    let at = read(window, 0, y, ky, input_h).zip(read(window, 1, x, kx, input_w));
                    sum += at.map_or(0.0, |(y, x)| input.value([c, y, x]));
                    count += usize::from(at.is_some() || !exclude_padding);
                });
                sum / count.max(1) as f32
            }),
            Layer::UpsampleLinear { factor } => each(shape, |[c, y, x]| {
                let [y, x] = [between(y, factor[0], input_h), between(x, factor[1], input_w)];
                let row = |at: usize| x[0].1 * input.value([c, at, x[0].0]) + x[1].1 * input.value([c, at, x[1].0]);
                y[0].1 * row(y[0].0) + y[1].1 * row(y[1].0)
            }),
            // Those that read none or several nodes.
            Layer::Input(_) | Layer::Add { .. } | Layer::Mul | Layer::Concat => Vec::new(),
        }
    }
}

impl Map {
    fn plane(&self, channel: usize) -> &[f32] {
        let area = usize::from(self.shape.h) * usize::from(self.shape.w);
        &self.values[channel * area..][..area]
    }

    /// The value of a channel, row and column.
    pub fn value(&self, [c, y, x]: [usize; 3]) -> f32 {
        self.values[(c * usize::from(self.shape.h) + y) * usize::from(self.shape.w) + x]
    }

    /// As [`Map::value`], of a map that is spread over the rows, columns or channels of which it has one.
    fn spread(&self, place: [usize; 3]) -> f32 {
        let sizes = dims(self.shape);
        self.value(core::array::from_fn(|axis| if sizes[axis] == 1 { 0 } else { place[axis] }))
    }
}

/// Channel, row and column of the value at position `i` of a map.
fn place(shape: Shape, i: usize) -> [usize; 3] {
    let [_, h, w] = dims(shape);
    [i / (h * w), i / w % h, i % w]
}

/// The map that has these values at each channel, row and column.
fn each(shape: Shape, value: impl Fn([usize; 3]) -> f32) -> Vec<f32> {
    (0..shape.len()).map(|i| value(place(shape, i))).collect()
}

/// Planes that start as the bias and to which `add(plane, channel, i)` adds what the `i`-th input channel of the group
/// gives.
fn convolved(
    window: &Window,
    shape: Shape,
    bias: &[f32],
    inputs: usize,
    add: impl Fn(&mut [f32], usize, usize),
) -> Vec<f32> {
    let mut values = vec![0.0; shape.len()];
    let planes = values.chunks_exact_mut(shape.len() / window.channels);
    for (channel, plane) in planes.enumerate() {
        plane.fill(bias[channel]);
        (0..inputs).for_each(|i| add(plane, channel, i));
    }
    values
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
    (o * window.stride[axis] + k * window.dilation[axis]).checked_sub(window.padding[axis][0]).filter(|&i| i < input)
}

/// The two positions between which output position `o` of a linear enlargement lies, and their weights.
fn between(o: usize, factor: usize, size: usize) -> [(usize, f32); 2] {
    let at = ((o as f64 + 0.5) / factor as f64 - 0.5).clamp(0.0, (size - 1) as f64);
    let (first, part) = (at as usize, (at - at.floor()) as f32);
    [(first, 1.0 - part), ((first + 1).min(size - 1), part)]
}
