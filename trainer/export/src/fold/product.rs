//! Dense layers and convolutions.

use edgegen_runtime::Shape;
use edgegen_runtime::graph::{Axis, Border, MAX_LANES, MAX_PHASES, Read};

use super::copy::row_factors;
use super::taps::Taps;
use super::{Fold, Order, Pad, Place, Upto};
use crate::error::ExportError;
use crate::layers::{Window, dims};
use crate::stage::{Block, Op, is_depthwise};

/// A convolution that reads a stage.
pub(super) struct Convolution<'a> {
    pub name: &'a str,
    pub source: usize,
    /// What stands beyond the border of the source.
    pub border: Border,
    /// Of the output.
    pub shape: Shape,
    /// Rows and columns.
    pub taps: [Taps; 2],
    pub groups: usize,
    /// Of each output channel.
    pub bias: &'a [f32],
}

impl Fold<'_> {
    pub(super) fn dense(
        &mut self,
        name: &str,
        source: usize,
        shape: Shape,
        weight: &[f32],
        bias: &[f32],
    ) -> Result<Place, ExportError> {
        let place = &self.places[source];
        if place.enlarge != [1; 2] || place.pad.is_some() {
            self.settle(source, Upto::Pad)?;
        }
        let place = self.places[source].clone();
        let input = self.stages[place.stage].shape;
        if place.is_stage() && input.is_vector() {
            return Ok(Place::stage(self.dense_stage(name, place.stage, shape, weight, bias)));
        }
        // The same weights for the values as the stage has them.
        let [_, h, w] = dims(self.shapes[source]);
        let (mut weights, mut biases) = (vec![0.0; bias.len() * input.len()], bias.to_vec());
        let rows = weights.chunks_exact_mut(input.len()).zip(weight.chunks_exact(self.shapes[source].len()));
        for ((row, given), bias) in rows.zip(&mut biases) {
            for (i, &weight) in given.iter().enumerate() {
                let target = &mut row[place.order.as_ref().map_or(i, |order| order.from[i])];
                match &place.affine {
                    Some(affine) => {
                        *bias += weight * affine.of_zero(i / (h * w));
                        *target += weight * affine.scale[i / (h * w)];
                    }
                    None => *target += weight,
                }
            }
        }
        if input.is_vector() {
            return Ok(Place::stage(self.dense_stage(name, place.stage, shape, &weights, &biases)));
        }
        let vector = self.dense_of_map(name, place.stage, &weights, &biases)?;
        let order = (!shape.is_vector()).then(|| Order { shape, from: (0..shape.len()).collect() });
        Ok(Place { order, ..Place::stage(vector) })
    }

    /// Adds a dense layer that reads a vector, with weights `[out, in]`, `out` in the order C, H, W of `shape`.
    fn dense_stage(&mut self, name: &str, source: usize, shape: Shape, weight: &[f32], bias: &[f32]) -> usize {
        let (area, inputs) = (usize::from(shape.h) * usize::from(shape.w), usize::from(self.stages[source].shape.c));
        let blocks = (0..area).map(|position| {
            let rows = (0..usize::from(shape.c)).map(|c| c * area + position);
            Block {
                weights: rows.clone().flat_map(|row| &weight[row * inputs..][..inputs]).copied().collect(),
                bias: rows.map(|row| bias[row]).collect(),
            }
        });
        let op = Op::Product { columns: Axis::NONE, groups: 1, blocks: blocks.collect() };
        self.add_stage(name, shape, op, vec![Read::first(source as u16)])
    }

    /// A vector from all values of a map, `weight` in the order C, H, W: a convolution whose kernel is as large as the
    /// map.
    fn dense_of_map(&mut self, name: &str, source: usize, weight: &[f32], bias: &[f32]) -> Result<usize, ExportError> {
        let [c, h, w] = dims(self.stages[source].shape);
        let channels = u16::try_from(bias.len()).map_err(|_| ExportError::TooLarge {
            node: name.to_owned(),
            what: "values",
            limit: u16::MAX.into(),
            found: bias.len(),
        })?;
        let shape = Shape { h: 1, w: 1, c: channels };
        let axis = |size: usize| Taps { step: 1, dilation: 1, phases: vec![(0, (0..size).map(|k| vec![k]).collect())] };
        let taps = [axis(h), axis(w)];
        let convolution = Convolution { name, source, border: Border::Zero, shape, taps, groups: 1, bias };
        self.convolve(convolution, |channel, input, ky, kx| weight[((channel * c + input) * h + ky) * w + kx])
    }

    pub(super) fn conv(
        &mut self,
        name: &str,
        source: usize,
        shape: Shape,
        window: &Window,
        weight: &[f32],
        bias: &[f32],
    ) -> Result<Place, ExportError> {
        self.settle(source, Upto::Order)?;
        let has_padding = window.padding != [[0; 2]; 2];
        let is_zero = |pad: Pad| pad.border == Border::Zero;
        if has_padding && self.places[source].pad.is_some_and(|pad| !is_zero(pad)) {
            self.settle(source, Upto::Pad)?;
        }
        let enlarge = self.places[source].enlarge;
        if enlarge != [1; 2] && (window.stride != [1; 2] || window.dilation != [1; 2]) {
            self.settle(source, Upto::Enlarge)?;
        } else if enlarge.iter().any(|&factor| factor > MAX_PHASES) {
            self.enlarge_in_part(source)?;
        }
        let place = &self.places[source];
        let pads_zeros = has_padding || place.pad.is_some_and(is_zero);
        if pads_zeros && place.affine.as_ref().is_some_and(|affine| !affine.keeps_zero()) {
            self.settle(source, Upto::Affine)?;
        }
        let place = self.places[source].clone();
        let (padding, border) = place.pad.map_or(([[0; 2]; 2], Border::Zero), |pad| (pad.padding, pad.border));
        let taps = [0, 1].map(|axis| {
            let before = window.padding[axis][0] + padding[axis][0];
            match place.enlarge[axis] {
                1 => Taps::conv(window, axis, before),
                factor => Taps::upsampled_conv(window, axis, before, factor),
            }
        });
        let (mut weights, mut biases) = (weight, bias);
        let absorbed = place.affine.map(|affine| {
            let inputs = usize::from(self.stages[place.stage].shape.c) / window.groups;
            let outputs = window.channels / window.groups;
            let area = window.kernel[0] * window.kernel[1];
            let (mut weights, mut biases) = (weight.to_vec(), bias.to_vec());
            for (pair, kernel) in weights.chunks_exact_mut(area).enumerate() {
                let (channel, input) = (pair / inputs, pair % inputs);
                let input = channel / outputs * inputs + input;
                for weight in kernel {
                    biases[channel] += *weight * affine.of_zero(input);
                    *weight *= affine.scale[input];
                }
            }
            (weights, biases)
        });
        if let Some((absorbed_weights, absorbed_biases)) = &absorbed {
            weights = absorbed_weights;
            biases = absorbed_biases;
        }
        let inputs = usize::from(self.stages[place.stage].shape.c) / window.groups;
        let [_, kernel_w] = window.kernel;
        let convolution =
            Convolution { name, source: place.stage, border, shape, taps, groups: window.groups, bias: biases };
        let stage = self.convolve(convolution, |channel, input, ky, kx| {
            weights[((channel * inputs + input) * window.kernel[0] + ky) * kernel_w + kx]
        })?;
        Ok(Place::stage(stage))
    }

    pub(super) fn conv_transpose(
        &mut self,
        name: &str,
        source: usize,
        shape: Shape,
        window: &Window,
        weight: &[f32],
        bias: &[f32],
    ) -> Result<Place, ExportError> {
        let source = self.whole(source)?;
        let taps = [Taps::transposed(window, 0), Taps::transposed(window, 1)];
        let input = self.stages[source].shape;
        let [inputs, outputs] = [usize::from(input.c), window.channels].map(|channels| channels / window.groups);
        // `i` counts all input channels.
        let at = |channel: usize, i: usize, ky: usize, kx: usize| {
            weight[((i * outputs + channel % outputs) * window.kernel[0] + ky) * window.kernel[1] + kx]
        };
        if input.is_vector() {
            let at = |channel: usize, i: usize, ky: usize, kx: usize| {
                if i / inputs == channel / outputs { at(channel, i, ky, kx) } else { 0.0 }
            };
            return Ok(Place::stage(self.project(name, source, shape, &taps, bias, at)));
        }
        let groups = window.groups;
        let convolution = Convolution { name, source, border: Border::Zero, shape, taps, groups, bias };
        let stage = self
            .convolve(convolution, |channel, input, ky, kx| at(channel, channel / outputs * inputs + input, ky, kx))?;
        Ok(Place::stage(stage))
    }

    /// A transposed convolution of a single pixel, the usual first layer of a DCGAN, is a dense layer.
    fn project(
        &mut self,
        name: &str,
        source: usize,
        shape: Shape,
        taps: &[Taps; 2],
        bias: &[f32],
        at: impl Fn(usize, usize, usize, usize) -> f32,
    ) -> usize {
        // Which kernel index brings input position 0 to output position `o`.
        let kernel = |axis: &Taps, o: usize| -> Option<usize> {
            let (start, taps) = &axis.phases[o % axis.phases.len()];
            let distance = usize::try_from(-((o / axis.phases.len()) as i32 + start)).ok()?;
            let tap = distance.is_multiple_of(axis.dilation).then_some(distance / axis.dilation)?;
            taps.get(tap).map(|kernel| kernel[0])
        };
        let inputs = usize::from(self.stages[source].shape.c);
        let mut blocks = Vec::new();
        for y in 0..usize::from(shape.h) {
            for x in 0..usize::from(shape.w) {
                let position = kernel(&taps[0], y).zip(kernel(&taps[1], x));
                let weight = |c, input| position.map_or(0.0, |(ky, kx)| at(c, input, ky, kx));
                let weights = (0..bias.len()).flat_map(|c| (0..inputs).map(move |input| (c, input)));
                blocks.push(Block { weights: weights.map(|(c, i)| weight(c, i)).collect(), bias: bias.to_vec() });
            }
        }
        let op = Op::Product { columns: Axis::NONE, groups: 1, blocks };
        self.add_stage(name, shape, op, vec![Read::first(source as u16)])
    }

    /// Adds a convolution; `at(channel, input channel of the group, ky, kx)` is its kernel. Of one that has more kernel
    /// rows than the runtime reads at once, parts are added up.
    pub(super) fn convolve(
        &mut self,
        convolution: Convolution<'_>,
        at: impl Fn(usize, usize, usize, usize) -> f32,
    ) -> Result<usize, ExportError> {
        let [vertical, horizontal] = &convolution.taps;
        let is_one_run = horizontal.dilation == 1 && convolution.groups == 1;
        let at_once = MAX_LANES / if is_one_run { 1 } else { horizontal.most().max(1) };
        if vertical.most() <= at_once || at_once == 0 || vertical.phases.len() > MAX_PHASES {
            return self.convolve_at_once(convolution, &at);
        }
        let zeros = vec![0.0; convolution.bias.len()];
        let mut sum = None;
        for first in (0..vertical.most()).step_by(at_once) {
            let taps = [vertical.part(first, at_once), horizontal.clone()];
            let bias = if first == 0 { convolution.bias } else { &zeros[..] };
            let part = self.convolve_at_once(Convolution { taps, bias, ..convolution }, &at)?;
            sum = Some(match sum {
                Some(sum) => self.add_stages(convolution.name, [sum, part], convolution.shape, [1.0; 2]),
                None => part,
            });
        }
        Ok(sum.unwrap_or(convolution.source))
    }

    /// Adds a convolution as a single stage. Where an axis has more phases than the runtime knows, they are made as
    /// channels, and copied to where they belong.
    fn convolve_at_once(
        &mut self,
        convolution: Convolution<'_>,
        at: &impl Fn(usize, usize, usize, usize) -> f32,
    ) -> Result<usize, ExportError> {
        let Convolution { name, mut source, border, shape, taps, groups, bias } = convolution;
        let apart = [0, 1].map(|axis| taps[axis].phases.len() > MAX_PHASES);
        let factor = [0, 1].map(|axis| if apart[axis] { taps[axis].phases.len() } else { 1 });
        let rows = row_factors(name, usize::from(shape.h).div_ceil(factor[0]), factor[0])?;
        let [vertical, horizontal] =
            [0, 1].map(|axis| if apart[axis] { taps[axis].unite() } else { taps[axis].clone() });
        let copies = factor[0] * factor[1];
        let channels = bias.len() * copies;
        let inputs = usize::from(self.stages[source].shape.c);

        let axes = [(&vertical, apart[0]), (&horizontal, apart[1])].map(|(taps, apart)| {
            // One with the phase that stands for all of them.
            let phases = if apart { taps.phases[..1].to_vec() } else { taps.phases.clone() };
            Taps { phases, step: taps.step, dilation: taps.dilation }
        });
        let [rows_axis, columns] = [axes[0].axis(name)?, axes[1].axis(name)?];
        let lanes = axes[0].most() * if axes[1].dilation == 1 && groups == 1 { 1 } else { axes[1].most() };
        if lanes > MAX_LANES {
            let what = "kernel rows, times kernel columns where dilated or grouped,";
            return Err(ExportError::TooLarge { node: name.to_owned(), what, limit: MAX_LANES, found: lanes });
        }
        let size = |size: u16, factor: usize| usize::from(size).div_ceil(factor);
        let made = [channels, size(shape.h, factor[0]), size(shape.w, factor[1])];
        let [Ok(c), Ok(h), Ok(w)] = made.map(u16::try_from) else {
            let what = "channels, times upsampling above 4,";
            return Err(ExportError::TooLarge { node: name.to_owned(), what, limit: u16::MAX.into(), found: channels });
        };
        let made = Shape { h, w, c };

        // Channel, row and column of a block of depth to space that a channel of the stage makes.
        let place = |channel: usize| {
            let (mut rest, x) = (channel % copies / factor[1], channel % factor[1]);
            let y = rows.iter().fold(0, |y, factor| {
                let digit = rest % factor;
                rest /= factor;
                y * factor + digit
            });
            (channel / copies, y, x)
        };
        let is_depthwise = is_depthwise(groups, inputs, channels);
        let mut blocks = Vec::new();
        for phase_y in 0..rows_axis.phases.len() {
            for phase_x in 0..columns.phases.len() {
                // The kernel of a channel, for each tap and each input of its group.
                let kernel = |channel: usize, weights: &mut Vec<f32>| {
                    let (channel, y, x) = place(channel);
                    let rows = &vertical.phases[phase_y + y].1;
                    let columns = &horizontal.phases[phase_x + x].1;
                    for (row, column) in rows.iter().flat_map(|row| columns.iter().map(move |column| (row, column))) {
                        for input in 0..inputs / groups {
                            let pairs = row.iter().flat_map(|&ky| column.iter().map(move |&kx| (ky, kx)));
                            weights.push(pairs.map(|(ky, kx)| at(channel, input, ky, kx)).sum());
                        }
                    }
                };
                let per_block = if is_depthwise { channels } else { channels / groups };
                for first in (0..channels).step_by(per_block) {
                    let mut weights = Vec::new();
                    (first..first + per_block).for_each(|channel| kernel(channel, &mut weights));
                    if is_depthwise {
                        weights = transposed(&weights, channels);
                    }
                    let bias = (first..first + per_block).map(|channel| bias[channel / copies]).collect();
                    blocks.push(Block { weights, bias });
                }
            }
        }
        let [input_h, input_w] = [self.stages[source].shape.h, self.stages[source].shape.w].map(usize::from);
        if axes[0].reads_beyond(h.into(), input_h) || axes[1].reads_beyond(w.into(), input_w) {
            source = self.bordered(source, border);
        }
        let op = Op::Product { columns, groups, blocks };
        let read = Read { source: source as u16, rows: rows_axis };
        let stage = self.add_stage(name, made, op, vec![read]);
        if copies == 1 {
            return Ok(stage);
        }
        Ok(self.depth_to_space(name, stage, &rows, factor[1], shape))
    }
}

/// `[channel, tap]` as `[tap, channel]`.
fn transposed(weights: &[f32], channels: usize) -> Vec<f32> {
    let taps = weights.len() / channels;
    (0..weights.len()).map(|i| weights[i % channels * taps + i / channels]).collect()
}
