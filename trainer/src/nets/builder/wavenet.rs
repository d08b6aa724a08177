//! Sounds sample by sample.

use edgegen_export::layers::Window;

use super::NetBuilder;
use crate::nets::Source;
use crate::nets::layer::{Block, Conv, Layer, Linear, WaveFlow, WaveFlows, Wavenet};

/// What a WaveNet is like.
#[derive(Clone, Copy, Debug)]
pub struct Waves<'a> {
    /// Channels of the blocks.
    pub channels: usize,
    /// Channels of what goes past them.
    pub skips: usize,
    /// The distance at which each block looks back.
    pub dilations: &'a [usize],
    /// Logistics of the mixture.
    pub components: usize,
    /// Classes, of which the first input holds a value each.
    pub classes: usize,
}

/// What flows from noise to a sound are like.
#[derive(Clone, Copy, Debug)]
pub struct Flows<'a> {
    /// How many.
    pub flows: usize,
    /// Samples of a row.
    pub row: usize,
    /// The net of each, which has no components; its dilations count rows.
    pub waves: Waves<'a>,
}

impl Waves<'_> {
    /// How many samples a sample depends on.
    pub fn receptive_field(&self) -> usize {
        1 + self.dilations.iter().sum::<usize>()
    }
}

impl NetBuilder<'_> {
    /// A sound of `samples` samples of the classes so far, by one more input, noise `[2, samples, 1]`, each sample by a
    /// distribution that depends on those before it ([`Wavenet`]).
    ///
    /// # Panics
    ///
    /// If there are fewer values so far than classes.
    pub fn wavenet(mut self, samples: usize, waves: &Waves<'_>) -> Self {
        let class = self.classes(waves.classes);
        self = self.input([2, samples, 1]);
        let noise = self.mark().source;
        let layer = Layer::Wavenet(self.waves(2, 3 * waves.components, waves));
        self.push_reading(layer, vec![class, noise], [1, samples, 1])
    }

    /// A sound of `samples` samples of the classes so far, by one more input, noise `[row, samples / row, 1]`, in one
    /// pass ([`WaveFlows`]).
    ///
    /// # Panics
    ///
    /// If there are fewer values so far than classes, or rows do not add up to the samples.
    pub fn wave_flows(mut self, samples: usize, &Flows { flows, row, waves }: &Flows<'_>) -> Self {
        assert!(samples.is_multiple_of(row), "expected rows of {row} samples, found {samples} samples");
        let (class, rows) = (self.classes(waves.classes), samples / row);
        self = self.input([row, rows, 1]);
        let noise = self.mark().source;
        let flow = |builder: &mut Self| {
            let to = [waves.channels, rows, 1];
            let condition = Linear { shape: to, ..builder.free_linear(waves.classes.max(1), waves.channels * rows) };
            let mut waves = builder.waves(row, 2 * row, &Waves { classes: 0, ..waves });
            // Quiet at first: sounds lie between −1 and 1, noise of a logistic beyond.
            let quiet = (0..2 * row).map(|output| if output < row { 0.0 } else { -2.0 }).collect();
            waves.mixture.bias = builder.param(quiet, [2 * row], true);
            let [lower, upper] = [(); 2].map(|()| builder.param(vec![0.0; row * row], [row, row], true));
            WaveFlow { condition, waves, lower, upper, diagonal: builder.filled(row, 0.0) }
        };
        let flows = (0..flows).map(|_| flow(&mut self)).collect();
        self.push_reading(Layer::WaveFlows(WaveFlows { flows }), vec![class, noise], [1, samples, 1])
    }

    /// What comes so far, which holds `classes` classes.
    fn classes(&mut self, classes: usize) -> Source {
        let values: usize = self.here.shape.iter().product();
        assert!(values >= classes, "expected {classes} classes, found {values} values");
        self.mark().source
    }

    /// The layers of a WaveNet, from `seen` channels to `outputs`.
    fn waves(&mut self, seen: usize, outputs: usize, waves: &Waves<'_>) -> Wavenet {
        let &Waves { channels, skips, dilations, classes, .. } = waves;
        let first = self.free_conv(seen, Window::square(channels, 1, 1, 0));
        let block = |builder: &mut Self, dilation: usize| Block {
            gated: builder.free_conv(channels, Window::causal(2 * channels, 2, dilation)),
            of_class: (classes > 0).then(|| builder.free_linear(classes, 2 * channels)),
            out: builder.free_conv(channels, Window::square(channels + skips, 1, 1, 0)),
        };
        let blocks = dilations.iter().map(|&dilation| block(self, dilation)).collect();
        let hidden = self.free_conv(skips, Window::square(skips, 1, 1, 0));
        let mixture = self.free_conv(skips, Window::square(outputs, 1, 1, 0));
        Wavenet { first, blocks, hidden, mixture, classes }
    }

    fn free_conv(&mut self, from: usize, window: Window) -> Conv {
        let [ky, kx] = window.kernel;
        let fan_in = from * ky * kx;
        let weight = self.weights([window.channels, from, ky, kx], 2 * fan_in);
        let bias = self.filled(window.channels, 0.0);
        Conv { weight, bias, gain: self.gain(fan_in), spectral: None, window }
    }

    fn free_linear(&mut self, from: usize, to: usize) -> Linear {
        let weight = self.weights([to, from], 2 * from);
        let bias = self.filled(to, 0.0);
        Linear { weight, bias, gain: self.gain(from), spectral: None, shape: [to, 1, 1] }
    }
}
