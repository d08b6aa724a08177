//! What styles act on: see [`layer`](crate::nets::layer).

use std::ops::Range;

use edgegen_export::layers::Window;

use super::NetBuilder;
use super::graph::Mark;
use crate::nets::Source;
use crate::nets::layer::{Again, Constant, Layer, Modulated, Noise, Truncation};

/// ε of [`NetBuilder::modulated_conv`].
const EPSILON: f64 = 1e-8;

impl NetBuilder<'_> {
    /// A learned map of `shape` = `[C, H, W]`, the same for every image; it starts as N(0, 1). What is here only tells
    /// how many images there are.
    pub fn constant(mut self, shape: [usize; 3]) -> Self {
        let [c, h, w] = shape;
        let values = (0..c * h * w).map(|_| self.rng.normal()).collect();
        let values = self.param(values, [1, c, h, w], true);
        self.push(Layer::Constant(Constant { values }), shape)
    }

    /// `noise`, `[1, H, W]`, times a strength that starts at 0, and a bias for each channel.
    ///
    /// # Panics
    ///
    /// If the noise has another height or width, or more channels than one.
    pub fn noise(mut self, noise: Mark) -> Self {
        let shape @ [c, h, w] = self.here.shape;
        assert_eq!(noise.shape, [1, h, w], "noise is a value for each place");
        let (strength, bias) = (self.filled(1, 0.0), self.filled(c, 0.0));
        let reads = vec![self.here.source, noise.source];
        self.push_reading(Layer::Noise(Noise { strength, bias }), reads, shape)
    }

    /// A `kernel` × `kernel` convolution that keeps the size, whose weights are scaled by the vector `style`, one
    /// factor for each channel that is read, and, if `demodulated`, over their norm for each channel that is made
    /// (Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, §2.2). If `doubled`, each pixel
    /// is repeated 2 × 2 times before.
    ///
    /// # Panics
    ///
    /// If the style has another length, or a kernel other than 3 × 3 should enlarge.
    pub fn modulated_conv(
        mut self,
        channels: usize,
        kernel: usize,
        style: Mark,
        demodulated: bool,
        doubled: bool,
    ) -> Self {
        let [c, h, w] = self.here.shape;
        assert_eq!(style.shape, [c, 1, 1], "a style has a factor for each channel");
        assert!(kernel == 3 || !doubled, "only kernels of 3 × 3 enlarge");
        let weight = self.weights([channels, c, kernel, kernel], c * kernel * kernel);
        let window = Window::square(channels, kernel, 1, kernel / 2);
        let epsilon = demodulated.then_some(EPSILON);
        let reads = vec![self.here.source, style.source];
        let side = if doubled { 2 } else { 1 };
        let layer = Layer::Modulated(Modulated { weight, window, doubled, epsilon });
        self.push_reading(layer, reads, [channels, side * h, side * w])
    }

    /// Towards the mean style: nothing while a net trains.
    pub fn truncation(mut self) -> Self {
        let channels = self.here.shape[0];
        let mean = self.param(vec![0.0; channels], [channels], false);
        self.push_same(Layer::Truncation(Truncation { mean, psi: 1.0 }))
    }

    /// How many layers there are so far.
    pub fn count(&self) -> usize {
        self.layers.len()
    }

    /// The chain of the layers `range` once more, with the same weights, on what is here.
    ///
    /// # Panics
    ///
    /// If what is here has another shape than what the first of them reads, or they are no chain.
    pub fn again(mut self, range: Range<usize>, shape: [usize; 3]) -> Self {
        for layer in range.clone() {
            let chained = layer == range.start || self.reads[layer] == [Source::Layer(layer - 1)];
            assert!(chained, "only a chain can be repeated");
            self = self.push(Layer::Again(Again { layer }), shape);
        }
        self
    }
}
