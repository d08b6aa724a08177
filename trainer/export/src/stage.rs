//! A stage: one operator of the runtime, still in float.
//!
//! Weights already lie as the runtime reads them, in blocks: a block makes the channels of one position of a fully
//! connected stage, or of one pair of phases of a convolution. Maps are H × W × C here.

use edgegen_runtime::Shape;
use edgegen_runtime::graph::Axis;

use crate::layers::Activation;

/// A generator as a chain of stages.
#[derive(Clone, Debug, PartialEq)]
pub struct Staged {
    /// What it reads.
    pub input: crate::layers::Input,
    /// Each reads the output of the one before.
    pub stages: Vec<Stage>,
    /// What the last values mean as pixels.
    pub pixels: crate::layers::PixelRange,
}

/// One operator with its nonlinearity.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Shape of the input.
    pub input: Shape,
    /// Shape of the output.
    pub output: Shape,
    /// Which operator.
    pub kind: Kind,
    /// Weights and biases; one block for each position (h, w) or each pair of phases (vertical, horizontal).
    pub blocks: Vec<Block>,
    /// Applied to every output.
    pub activation: Activation,
}

/// The operator of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reads the whole input vector.
    Dense,
    /// Reads windows.
    PhaseConv {
        /// Over rows.
        vertical: Axis,
        /// Over the pixels of a row.
        horizontal: Axis,
    },
}

/// The weights of one position or pair of phases.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// `[channel, tap…, input channel]`, see [`edgegen_runtime::graph`].
    pub weights: Vec<f32>,
    /// `[channel]`.
    pub bias: Vec<f32>,
}

impl Staged {
    /// What comes out of every stage, after its nonlinearity, for one latent vector.
    pub fn trace(&self, latent: &[f32]) -> Vec<Vec<f32>> {
        let mut outputs: Vec<Vec<f32>> = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            let mut values = stage.sums(outputs.last().map_or(latent, |values| values));
            values.iter_mut().for_each(|value| *value = stage.activation.apply(*value));
            outputs.push(values);
        }
        outputs
    }
}

impl Stage {
    /// The output before the nonlinearity, `[h, w, c]`, for the input `[h, w, c]`.
    pub fn sums(&self, input: &[f32]) -> Vec<f32> {
        let channels = usize::from(self.output.c);
        let width = usize::from(self.output.w);
        let mut output = vec![0.0; self.output.len()];
        for (position, pixel) in output.chunks_exact_mut(channels).enumerate() {
            let (y, x) = ((position / width) as u16, (position % width) as u16);
            let (block, runs) = self.reads(y, x);
            let block = &self.blocks[block];
            let per_channel = block.weights.len() / channels;
            for (channel, value) in pixel.iter_mut().enumerate() {
                let weights = &block.weights[channel * per_channel..][..per_channel];
                *value = block.bias[channel];
                for run in &runs {
                    let weights = &weights[run.weight..][..run.len];
                    *value += dot(weights, &input[run.input..][..run.len]);
                }
            }
        }
        output
    }

    /// For output pixel (y, x): its block, and the runs of input that it reads; padding is left out.
    fn reads(&self, y: u16, x: u16) -> (usize, Vec<Run>) {
        match &self.kind {
            Kind::Dense => {
                let block = usize::from(y) * usize::from(self.output.w) + usize::from(x);
                (block, vec![Run { weight: 0, input: 0, len: self.input.len() }])
            }
            Kind::PhaseConv { vertical, horizontal } => {
                let (phase_y, index_y) = vertical.split(y);
                let (phase_x, index_x) = horizontal.split(x);
                let channels = usize::from(self.input.c);
                let taps = |axis: &Axis, phase: usize, index: u16, size: u16| -> Vec<(usize, usize)> {
                    let phase = axis.phases[phase];
                    let first = i32::from(index) * i32::from(axis.step) + i32::from(phase.start);
                    (0..i32::from(phase.taps))
                        .map(|tap| (tap, first + tap * i32::from(axis.dilation)))
                        .filter(|&(_, at)| (0..i32::from(size)).contains(&at))
                        .map(|(tap, at)| (tap as usize, at as usize))
                        .collect()
                };
                let columns = taps(horizontal, phase_x, index_x, self.input.w);
                let row_taps = usize::from(horizontal.phases[phase_x].taps);
                let mut runs = Vec::new();
                for (tap_y, row) in taps(vertical, phase_y, index_y, self.input.h) {
                    runs.extend(columns.iter().map(|&(tap_x, column)| Run {
                        weight: (tap_y * row_taps + tap_x) * channels,
                        input: (row * usize::from(self.input.w) + column) * channels,
                        len: channels,
                    }));
                }
                (phase_y * horizontal.phases.len() + phase_x, runs)
            }
        }
    }
}

/// A contiguous piece of weights and the piece of input that it meets.
struct Run {
    weight: usize,
    input: usize,
    len: usize,
}

/// Eight sums side by side, so that the compiler can use vectors without reordering a single sum.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0f32; 8];
    for (a, b) in a.zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f32>() + rest
}
