//! Sentences of two languages.

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::activation::ActivationConfig;
use burn::nn::transformer::{TransformerDecoderConfig, TransformerEncoderConfig};
use burn::nn::{Initializer, LayerNormConfig};
use burn::tensor::Tensor;

use super::NetBuilder;
use crate::nets::layer::{Layer, Translator};

/// What a translator is like.
#[derive(Clone, Copy, Debug)]
pub struct Speakers {
    /// Numbers that words of either language can have.
    pub numbers: usize,
    /// Values of a word's vector.
    pub width: usize,
    /// Heads of attention, which divide them.
    pub heads: usize,
    /// Hidden units behind each attention.
    pub hidden: usize,
    /// Blocks of the encoder, and of the decoder.
    pub layers: usize,
    /// The language that is read, 0 or 1.
    pub from: usize,
}

impl NetBuilder<'_> {
    /// A sentence in the other language of the one so far ([`Translator`]). Weights are drawn from N(0, 1 / fan-in).
    ///
    /// # Panics
    ///
    /// If what is so far is no column of one channel, or the heads do not divide the width.
    pub fn translator(mut self, speakers: &Speakers) -> Self {
        let [channels, rows, columns] = self.here.shape;
        assert_eq!([channels, columns], [1, 1], "a sentence is a column");
        let &Speakers { numbers, width, heads, hidden, layers, from } = speakers;
        assert!(width.is_multiple_of(heads), "{heads} heads do not divide a width of {width}");
        // What begins with zeros is drawn below; the scales of normalizations begin with ones.
        let encoder = TransformerEncoderConfig::new(width, hidden, heads, layers)
            .with_dropout(0.0)
            .with_norm_first(true)
            .with_initializer(Initializer::Zeros)
            .with_activation(ActivationConfig::Relu)
            .init(self.device);
        let decoder = TransformerDecoderConfig::new(width, hidden, heads, layers)
            .with_dropout(0.0)
            .with_norm_first(true)
            .with_initializer(Initializer::Zeros)
            .with_activation(ActivationConfig::Relu)
            .init(self.device);
        let norm = LayerNormConfig::new(width);
        let [meant, said] = [norm.init(self.device), norm.init(self.device)];
        let mut vectors = |count: usize, size: f32| {
            let values = (0..count * width).map(|_| size * self.rng.normal()).collect();
            self.param(values, [count, width], true)
        };
        let short = (width as f32).powf(-0.5);
        let (words, languages, places) = (vectors(2 * numbers, short), vectors(2, 1.0), vectors(rows + 1, 1.0));
        let usual = self.filled(2 * numbers, 0.0);
        let mut drawn = Drawn(&mut self);
        let (encoder, decoder) = (encoder.map(&mut drawn), decoder.map(&mut drawn));
        let (meant, said) = (meant.map(&mut drawn), said.map(&mut drawn));
        let layer = Translator { words, usual, languages, places, encoder, meant, decoder, said, from };
        self.push(Layer::Translator(layer), [1, rows, 1])
    }
}

/// Draws the matrices of Burn's modules as we draw ours, and numbers all parameters: Burn takes random numbers of the
/// device for the former, and for the latter others in each process.
struct Drawn<'b, 'a>(&'b mut NetBuilder<'a>);

impl ModuleMapper for Drawn<'_, '_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape: [usize; D] = param.dims();
        let values = if D == 2 {
            let size = (shape[0] as f32).powf(-0.5);
            (0..shape.iter().product()).map(|_| size * self.0.rng.normal()).collect()
        } else {
            param.val().into_data().try_to_vec().expect("networks compute in 32-bit floats")
        };
        self.0.param(values, shape, true)
    }
}
