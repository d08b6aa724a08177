//! From layers to stages: batch normalization disappears into the weights, and every kind of convolution and upsampling
//! becomes phases.
//!
//! Along one axis an output position `o = P·m + p` of phase `p` reads the input at `step·m + offset` for the offsets of
//! its taps. With kernel index `k`, padding `q`, stride `s`:
//!
//! ```text
//! convolution               P = 1, step = s     offset = k·dilation − q
//! transposed convolution    P = s, step = 1     offset = (p + q − k) / s        for k ≡ p + q (mod s)
//! ×f nearest, convolution   P = f, step = 1     offset = ⌊(p − q + k) / f⌋      equal offsets: add the weights
//! … then pixel shuffle ×f   P = f·P             the phase decides which of the f² groups of channels
//! ```

use edgegen_runtime::Shape;
use edgegen_runtime::graph::{Axis, MAX_LANES, MAX_PHASES, Phase, Phases};

use crate::error::ExportError;
use crate::layers::{Activation, Layer, Network, Window};
use crate::stage::{Block, Kind, Stage, Staged};

/// The kernel indices that meet one input position. Several after nearest upsampling.
type Tap = Vec<usize>;

/// One axis of a convolution: for every phase the input offset of its first tap, and its taps in input order.
struct Taps {
    step: usize,
    dilation: usize,
    phases: Vec<(i32, Vec<Tap>)>,
}

/// Turns a network into stages. The result computes the same up to the rounding of float sums.
///
/// # Errors
///
/// [`ExportError::Layer`] when layers follow one another in an order that the runtime has no operator for.
pub fn fold(network: &Network) -> Result<Staged, ExportError> {
    let mut fold = Fold {
        shape: Shape { h: 1, w: 1, c: network.input.width() as u16 },
        upsample: 1,
        stages: Vec::new(),
        layer: 0,
    };
    for (index, layer) in network.layers.iter().enumerate() {
        fold.layer = index;
        fold.push(layer)?;
    }
    if fold.upsample != 1 {
        return Err(fold.refuse("a convolution after upsampling", "the end of the network", "add a convolution"));
    }
    if fold.stages.is_empty() {
        return Err(fold.refuse("a dense layer or a convolution", "nothing", "give the network layers"));
    }
    Ok(Staged { input: network.input, stages: fold.stages, pixels: network.pixels })
}

struct Fold {
    /// Output of the layers so far, pending upsampling not counted.
    shape: Shape,
    /// Nearest upsampling that the next convolution takes in.
    upsample: usize,
    stages: Vec<Stage>,
    layer: usize,
}

impl Fold {
    fn refuse(&self, expected: &'static str, found: impl Into<String>, remedy: &'static str) -> ExportError {
        ExportError::Layer { layer: self.layer, expected, found: found.into(), remedy }
    }

    fn push(&mut self, layer: &Layer) -> Result<(), ExportError> {
        match layer {
            Layer::Dense { shape, weight, bias } => self.dense(*shape, weight, bias),
            Layer::Conv { window, weight, bias } => {
                let taps = [self.conv_taps(window, 0)?, self.conv_taps(window, 1)?];
                let output = layer.output(self.upsampled());
                let inputs = usize::from(self.shape.c);
                self.phase_conv(output, &taps, bias, |channel, input, ky, kx| {
                    weight[((channel * inputs + input) * window.kernel[0] + ky) * window.kernel[1] + kx]
                })
            }
            Layer::ConvTranspose { window, weight, bias, .. } => {
                if self.upsample != 1 {
                    return Err(self.refuse(
                        "a convolution after upsampling",
                        "a transposed one",
                        "use one or the other",
                    ));
                }
                if window.dilation != [1, 1] {
                    return Err(self.refuse(
                        "a transposed convolution without dilation",
                        "a dilated one",
                        "use dilation 1",
                    ));
                }
                let taps = [transposed_taps(window, 0), transposed_taps(window, 1)];
                let output = layer.output(self.shape);
                let at = |channel: usize, input: usize, ky: usize, kx: usize| {
                    weight[((input * window.channels + channel) * window.kernel[0] + ky) * window.kernel[1] + kx]
                };
                if (self.shape.h, self.shape.w) == (1, 1) {
                    return self.project(output, &taps, bias, at);
                }
                self.phase_conv(output, &taps, bias, at)
            }
            Layer::UpsampleNearest { factor } => {
                self.upsample *= factor;
                Ok(())
            }
            Layer::PixelShuffle { factor } => self.pixel_shuffle(*factor),
            Layer::BatchNorm { gamma, beta, mean, variance, epsilon } => {
                let stage = self.open_stage("a batch normalization right after a dense layer or convolution")?;
                for block in &mut stage.blocks {
                    let per_channel = block.weights.len() / block.bias.len();
                    for (c, bias) in block.bias.iter_mut().enumerate() {
                        let factor = gamma[c] / (variance[c] + epsilon).sqrt();
                        *bias = (*bias - mean[c]) * factor + beta[c];
                        block.weights[c * per_channel..][..per_channel].iter_mut().for_each(|w| *w *= factor);
                    }
                }
                Ok(())
            }
            Layer::Activation(Activation::Identity) => Ok(()),
            Layer::Activation(activation) => {
                self.open_stage("a nonlinearity right after a dense layer or convolution")?.activation = *activation;
                Ok(())
            }
        }
    }

    /// The last stage, if it has no nonlinearity yet.
    fn open_stage(&mut self, expected: &'static str) -> Result<&mut Stage, ExportError> {
        let error = self.refuse(expected, "one elsewhere", "change the order of the layers");
        match self.stages.last_mut() {
            Some(stage) if stage.activation == Activation::Identity && self.upsample == 1 => Ok(stage),
            _ => Err(error),
        }
    }

    fn upsampled(&self) -> Shape {
        let factor = self.upsample as u16;
        Shape { h: self.shape.h * factor, w: self.shape.w * factor, c: self.shape.c }
    }

    fn add(&mut self, output: Shape, kind: Kind, blocks: Vec<Block>) {
        self.stages.push(Stage { input: self.shape, output, kind, blocks, activation: Activation::Identity });
        self.shape = output;
        self.upsample = 1;
    }

    fn dense(&mut self, output: Shape, weight: &[f32], bias: &[f32]) -> Result<(), ExportError> {
        if (self.shape.h, self.shape.w, self.upsample) != (1, 1, 1) {
            let found = format!("a map of {}", self.shape);
            return Err(self.refuse(
                "a vector before a dense layer",
                found,
                "start the generator with its dense layers",
            ));
        }
        let (area, inputs) = (usize::from(output.h) * usize::from(output.w), usize::from(self.shape.c));
        let blocks = (0..area).map(|position| {
            let rows = (0..usize::from(output.c)).map(|c| c * area + position);
            Block {
                weights: rows.clone().flat_map(|row| &weight[row * inputs..][..inputs]).copied().collect(),
                bias: rows.map(|row| bias[row]).collect(),
            }
        });
        let blocks = blocks.collect();
        self.add(output, Kind::Dense, blocks);
        Ok(())
    }

    /// A transposed convolution of a single pixel, the usual first layer of a DCGAN, is a dense layer.
    fn project(
        &mut self,
        output: Shape,
        taps: &[Taps; 2],
        bias: &[f32],
        at: impl Fn(usize, usize, usize, usize) -> f32,
    ) -> Result<(), ExportError> {
        // Which kernel index brings input position 0 to output position `o`.
        let kernel = |axis: &Taps, o: usize| -> Option<usize> {
            let (start, taps) = &axis.phases[o % axis.phases.len()];
            let tap = -((o / axis.phases.len()) as i32 + start);
            taps.get(usize::try_from(tap).ok()?).map(|kernel| kernel[0])
        };
        let mut blocks = Vec::new();
        for y in 0..usize::from(output.h) {
            for x in 0..usize::from(output.w) {
                let position = kernel(&taps[0], y).zip(kernel(&taps[1], x));
                let weight = |c, input| position.map_or(0.0, |(ky, kx)| at(c, input, ky, kx));
                let weights = (0..bias.len()).flat_map(|c| (0..usize::from(self.shape.c)).map(move |input| (c, input)));
                blocks.push(Block { weights: weights.map(|(c, i)| weight(c, i)).collect(), bias: bias.to_vec() });
            }
        }
        self.add(output, Kind::Dense, blocks);
        Ok(())
    }

    /// Adds a convolution; `at(channel, input channel, ky, kx)` is its kernel.
    fn phase_conv(
        &mut self,
        output: Shape,
        [vertical, horizontal]: &[Taps; 2],
        bias: &[f32],
        at: impl Fn(usize, usize, usize, usize) -> f32,
    ) -> Result<(), ExportError> {
        let most = |axis: &Taps| axis.phases.iter().map(|(_, taps)| taps.len()).max().unwrap_or(0);
        let lanes = most(vertical) * if horizontal.dilation == 1 { 1 } else { most(horizontal) };
        if lanes > MAX_LANES {
            let what = "kernel rows, times kernel columns where dilated,";
            return Err(ExportError::Limit { what, limit: MAX_LANES, found: lanes });
        }
        let mut blocks = Vec::new();
        for (_, rows) in &vertical.phases {
            for (_, columns) in &horizontal.phases {
                let mut weights =
                    Vec::with_capacity(bias.len() * rows.len() * columns.len() * usize::from(self.shape.c));
                for channel in 0..bias.len() {
                    for (row, column) in rows.iter().flat_map(|row| columns.iter().map(move |column| (row, column))) {
                        for input in 0..usize::from(self.shape.c) {
                            let pairs = row.iter().flat_map(|&ky| column.iter().map(move |&kx| (ky, kx)));
                            weights.push(pairs.map(|(ky, kx)| at(channel, input, ky, kx)).sum());
                        }
                    }
                }
                blocks.push(Block { weights, bias: bias.to_vec() });
            }
        }
        let kind = Kind::PhaseConv { vertical: self.axis(vertical)?, horizontal: self.axis(horizontal)? };
        self.add(output, kind, blocks);
        Ok(())
    }

    fn axis(&self, taps: &Taps) -> Result<Axis, ExportError> {
        let too_large = |found: usize, limit, what| ExportError::Limit { what, limit, found };
        let phase = |(start, taps): &(i32, Vec<Tap>)| {
            let start =
                i8::try_from(*start).map_err(|_| too_large(start.unsigned_abs() as usize, 127, "pixels of padding"))?;
            let taps = u8::try_from(taps.len()).map_err(|_| too_large(taps.len(), 255, "taps"))?;
            Ok(Phase { start, taps })
        };
        let phases = taps.phases.iter().map(phase).collect::<Result<Vec<_>, ExportError>>()?;
        let phases = Phases::try_from(&*phases)
            .map_err(|_| too_large(phases.len(), MAX_PHASES, "times upsampling in one layer"))?;
        let small =
            |value: usize| u8::try_from(value).map_err(|_| too_large(value, 255, "pixels of stride or dilation"));
        Ok(Axis { step: small(taps.step)?, dilation: small(taps.dilation)?, phases })
    }

    fn conv_taps(&self, window: &Window, axis: usize) -> Result<Taps, ExportError> {
        let padding = window.padding[axis] as i32;
        if self.upsample == 1 {
            let taps = (0..window.kernel[axis]).map(|k| vec![k]).collect();
            return Ok(Taps {
                step: window.stride[axis],
                dilation: window.dilation[axis],
                phases: vec![(-padding, taps)],
            });
        }
        if window.stride[axis] != 1 || window.dilation[axis] != 1 {
            let found = "one with a stride or dilation";
            return Err(self.refuse("a plain convolution after upsampling", found, "use stride 1 and dilation 1"));
        }
        let factor = self.upsample as i32;
        let phases = (0..factor).map(|phase| {
            let offset = |k: usize| (phase - padding + k as i32).div_euclid(factor);
            let start = offset(0);
            let mut taps = vec![Tap::new(); (offset(window.kernel[axis] - 1) - start + 1) as usize];
            (0..window.kernel[axis]).for_each(|k| taps[(offset(k) - start) as usize].push(k));
            (start, taps)
        });
        Ok(Taps { step: 1, dilation: 1, phases: phases.collect() })
    }

    fn pixel_shuffle(&mut self, factor: usize) -> Result<(), ExportError> {
        let layer = self.layer;
        let refused =
            self.refuse("a pixel shuffle after a convolution", "one elsewhere", "add a convolution before it");
        let Some(Stage { output, kind: Kind::PhaseConv { vertical, horizontal }, blocks, .. }) = self.stages.last_mut()
        else {
            return Err(refused);
        };
        let channels = usize::from(output.c) / (factor * factor);
        let finer = |axis: &mut Axis| {
            let phases = axis.phases.iter().flat_map(|phase| core::iter::repeat_n(*phase, factor));
            let found = axis.phases.len() * factor;
            axis.phases = phases.collect::<Vec<_>>().as_slice().try_into().map_err(|_| ExportError::Limit {
                what: "times upsampling in one layer",
                limit: MAX_PHASES,
                found,
            })?;
            Ok::<usize, ExportError>(found)
        };
        if channels * factor * factor != usize::from(output.c) {
            let found = format!("{}", output.c);
            let expected = "a multiple of factor² channels before a pixel shuffle";
            return Err(ExportError::Layer { layer, expected, found, remedy: "change the convolution's channels" });
        }
        let (rows, columns) = (finer(vertical)?, finer(horizontal)?);
        let mut shuffled = Vec::with_capacity(rows * columns);
        for (y, x) in (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))) {
            let from = &blocks[y / factor * (columns / factor) + x / factor];
            let per_channel = from.weights.len() / from.bias.len();
            let source = |c: usize| (c * factor + y % factor) * factor + x % factor;
            shuffled.push(Block {
                weights: (0..channels)
                    .flat_map(|c| &from.weights[source(c) * per_channel..][..per_channel])
                    .copied()
                    .collect(),
                bias: (0..channels).map(|c| from.bias[source(c)]).collect(),
            });
        }
        *blocks = shuffled;
        *output = Shape { h: output.h * factor as u16, w: output.w * factor as u16, c: channels as u16 };
        self.shape = *output;
        Ok(())
    }
}

fn transposed_taps(window: &Window, axis: usize) -> Taps {
    let (stride, kernel) = (window.stride[axis], window.kernel[axis]);
    let phases = (0..stride).map(|phase| {
        let reach = phase + window.padding[axis];
        // Descending kernel index is ascending input position.
        let taps: Vec<Tap> = (0..kernel).rev().filter(|k| k % stride == reach % stride).map(|k| vec![k]).collect();
        let start = taps.first().map_or(0, |tap| (reach as i32 - tap[0] as i32) / stride as i32);
        (start, taps)
    });
    Taps { step: 1, dilation: 1, phases: phases.collect() }
}
