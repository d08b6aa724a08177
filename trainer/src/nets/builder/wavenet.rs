//! Sounds sample by sample.

use edgegen_export::layers::Window;

use super::NetBuilder;
use crate::nets::layer::{Block, Conv, Layer, Linear, Wavenet};

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
        let values: usize = self.here.shape.iter().product();
        assert!(values >= waves.classes, "expected {} classes, found {values} values", waves.classes);
        let class = self.mark().source;
        self = self.input([2, samples, 1]);
        let noise = self.mark().source;
        let &Waves { channels, skips, dilations, components, classes } = waves;
        let first = self.free_conv(2, Window::square(channels, 1, 1, 0));
        let block = |builder: &mut Self, dilation: usize| Block {
            gated: builder.free_conv(channels, Window::causal(2 * channels, 2, dilation)),
            of_class: (classes > 0).then(|| builder.free_linear(classes, 2 * channels)),
            out: builder.free_conv(channels, Window::square(channels + skips, 1, 1, 0)),
        };
        let blocks = dilations.iter().map(|&dilation| block(&mut self, dilation)).collect();
        let hidden = self.free_conv(skips, Window::square(skips, 1, 1, 0));
        let mixture = self.free_conv(skips, Window::square(3 * components, 1, 1, 0));
        let layer = Layer::Wavenet(Wavenet { first, blocks, hidden, mixture, classes });
        self.push_reading(layer, vec![class, noise], [1, samples, 1])
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
