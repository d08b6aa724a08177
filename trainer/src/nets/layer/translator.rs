//! From a sentence of either of two languages to a sentence of either: one encoder, one decoder.
//!
//! Vaswani et al., "Attention Is All You Need" (2017), with Burn's own blocks, normalization first; what it reads and
//! what it says are vectors of the same words, and of the language only the words and the decoder's first vector tell
//! (Lample et al., "Unsupervised Machine Translation Using Monolingual Corpora Only", 2018, §2.2). So what the encoder
//! makes of a sentence can be the same in both languages, and the decoder says it in the one that it is asked for.
//!
//! A sentence is an image of one column ([`sentence`]).

use burn::module::{Module, Param};
use burn::nn::LayerNorm;
use burn::nn::attention::generate_autoregressive_mask;
use burn::nn::transformer::{TransformerDecoder, TransformerDecoderInput, TransformerEncoder, TransformerEncoderInput};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData, activation};
use edgegen_data::sentence::{self, END, UNKNOWN};

/// A layer that translates, word after word, each time the likeliest.
///
/// # Shapes
///   - Input and output `[batch, 1, rows, 1]`, numbers of words as levels in [−1, 1]
#[derive(Module, Debug)]
pub struct Translator {
    /// A vector for each word, `[2 · numbers, width]`: those of the first language, then those of the second.
    pub words: Param<Tensor<2>>,
    /// A score for each of them that does not depend on what is said.
    pub usual: Param<Tensor<1>>,
    /// What a sentence of each language begins with, `[2, width]`.
    pub languages: Param<Tensor<2>>,
    /// A vector for each place in a sentence, `[rows + 1, width]`.
    pub places: Param<Tensor<2>>,
    /// From a sentence to what it means.
    pub encoder: TransformerEncoder,
    /// Behind it.
    pub meant: LayerNorm,
    /// From the words so far and what is meant to the next word.
    pub decoder: TransformerDecoder,
    /// Behind it.
    pub said: LayerNorm,
    /// The language that the layer reads as a part of a net, 0 or 1; it says the other.
    pub from: usize,
}

/// Sentences of one length, each of one of the two languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    rows: usize,
    words: Vec<u8>,
    languages: Vec<usize>,
}

/// What sentences mean.
#[derive(Clone, Debug)]
pub struct Meant {
    /// `[sentences, rows, width]`.
    pub states: Tensor<3>,
    /// Where there is no word, `[sentences, rows]`.
    pub is_end: Tensor<2, Bool>,
}

impl Said {
    /// No sentences yet; each will have so many rows.
    pub fn new(rows: usize) -> Self {
        Self { rows, words: Vec::new(), languages: Vec::new() }
    }

    /// Adds a sentence of `language`.
    ///
    /// # Panics
    ///
    /// If it has more words than there are rows.
    pub fn push(&mut self, words: &[u8], language: usize) {
        assert!(words.len() <= self.rows, "expected at most {} words, found {}", self.rows, words.len());
        self.words.extend_from_slice(words);
        self.languages.push(language);
        self.words.resize(self.languages.len() * self.rows, END);
    }

    /// Number of sentences.
    pub fn len(&self) -> usize {
        self.languages.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.languages.is_empty()
    }

    /// The rows of each sentence.
    pub fn sentences(&self) -> impl Iterator<Item = &[u8]> {
        self.words.chunks(self.rows)
    }

    /// The language of each.
    pub fn languages(&self) -> &[usize] {
        &self.languages
    }
}

impl Translator {
    /// Numbers that words of a language can have.
    pub fn numbers(&self) -> usize {
        self.words.dims()[0] / 2
    }

    fn rows(&self) -> usize {
        self.places.dims()[0] - 1
    }

    fn device(&self) -> Device {
        self.words.val().device()
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, _, rows, _] = x.dims();
        let device = x.device();
        let levels: Vec<f32> = x.into_data().try_to_vec().expect("networks compute in 32-bit floats");
        let mut read = Said::new(rows);
        for sentence in levels.chunks(rows) {
            let numbers: Vec<u8> = sentence.iter().map(|level| ((level + 1.0) * 127.5).round() as u8).collect();
            read.push(sentence::words(&numbers), self.from);
        }
        let said = self.say(&self.encode(&read), &vec![1 - self.from; batch], &mut |_, scores| likeliest(scores));
        let levels: Vec<f32> = said.words.iter().map(|&word| f32::from(word) / 127.5 - 1.0).collect();
        Tensor::from_data(TensorData::new(levels, [batch, 1, rows, 1]), &device)
    }

    /// What sentences mean, whatever their language.
    pub fn encode(&self, said: &Said) -> Meant {
        let is_end: Vec<bool> = said.words.iter().map(|&word| word == END).collect();
        let is_end = Tensor::from_data(TensorData::new(is_end, [said.len(), said.rows]), &self.device());
        let x = self.vectors(said, said.rows) + self.places(0, said.rows);
        let states = self.encoder.forward(TransformerEncoderInput::new(x).mask_pad(is_end.clone()));
        Meant { states: self.meant.forward(states), is_end }
    }

    /// The log-probability of saying `said` for what is meant, `[sentences]`: the sum over its words and its end.
    ///
    /// # Panics
    ///
    /// If a sentence of the first language stands behind one of the second.
    pub fn log_probability(&self, meant: &Meant, said: &Said) -> Tensor<1> {
        let (count, steps) = (said.len(), said.rows + 1);
        let begin = self.beginnings(&said.languages);
        let x = Tensor::cat(vec![begin, self.vectors(said, said.rows)], 1) + self.places(0, steps);
        let mask = generate_autoregressive_mask(count, steps, &self.device());
        let input = TransformerDecoderInput::new(x, meant.states.clone())
            .memory_mask_pad(meant.is_end.clone())
            .target_mask_attn(mask);
        let states = self.said.forward(self.decoder.forward(input));
        let mut next = Vec::with_capacity(count * steps);
        let mut counts = Vec::with_capacity(count * steps);
        for sentence in said.sentences() {
            let length = sentence::words(sentence).len();
            next.extend(sentence.iter().chain([&END]).map(|&word| self.number(word) as i32));
            counts.extend((0..steps).map(|at| f32::from(u8::from(at <= length))));
        }
        let next = Tensor::<1, Int>::from_data(TensorData::new(next, [count * steps]), &self.device());
        let counts = Tensor::<2>::from_data(TensorData::new(counts, [count, steps]), &self.device());
        let logs = self.parts(&said.languages).into_iter().map(|(language, first, sentences)| {
            let own = states.clone().narrow(0, first, sentences);
            let next = next.clone().narrow(0, first * steps, sentences * steps).unsqueeze_dim(1);
            activation::log_softmax(self.scores(own, language), 1).gather(1, next)
        });
        let logs: Tensor<2> = Tensor::cat(logs.collect(), 0).reshape([count, steps]);
        (logs * counts).sum_dim(1).reshape([count])
    }

    /// Says what is meant in `languages`, word after word: `choose` gets the place of the sentence and the scores of
    /// all numbers, log-probabilities but for a constant, and takes one.
    ///
    /// # Panics
    ///
    /// As [`Translator::log_probability`].
    pub fn say(&self, meant: &Meant, languages: &[usize], choose: &mut dyn FnMut(usize, &[f32]) -> u8) -> Said {
        let (count, rows) = (languages.len(), self.rows());
        let mut sentences = vec![Vec::with_capacity(rows); count];
        let mut is_done = vec![false; count];
        let mut x = self.beginnings(languages) + self.places(0, 1);
        let mut cache = self.decoder.new_autoregressive_cache();
        for at in 0..rows {
            let mask = generate_autoregressive_mask(count, at + 1, &self.device());
            let input = TransformerDecoderInput::new(x.clone(), meant.states.clone())
                .memory_mask_pad(meant.is_end.clone())
                .target_mask_attn(mask);
            let states = self.decoder.forward_autoregressive_inference(input, &mut cache).narrow(1, at, 1);
            let states = self.said.forward(states);
            let mut next = Said::new(1);
            for (language, first, sentences_of) in self.parts(languages) {
                let scores = self.scores(states.clone().narrow(0, first, sentences_of), language);
                let scores: Vec<f32> = scores.into_data().try_to_vec().expect("networks compute in 32-bit floats");
                for (index, scores) in scores.chunks(self.numbers()).enumerate() {
                    let index = first + index;
                    let word = if is_done[index] { END } else { choose(index, scores) };
                    is_done[index] |= word == END;
                    if !is_done[index] {
                        sentences[index].push(word);
                    }
                    next.push(&[word], language);
                }
            }
            if is_done.iter().all(|&is_done| is_done) {
                break;
            }
            x = Tensor::cat(vec![x, self.vectors(&next, 1) + self.places(at + 1, 1)], 1);
        }
        let mut said = Said::new(rows);
        sentences.iter().zip(languages).for_each(|(words, &language)| said.push(words, language));
        said
    }

    /// The number of a word, where the layer has it.
    fn number(&self, word: u8) -> usize {
        let number = usize::from(word);
        if number < self.numbers() { number } else { usize::from(UNKNOWN) }
    }

    /// Vectors of all words, `[sentences, rows, width]`, as long as those of places.
    fn vectors(&self, said: &Said, rows: usize) -> Tensor<3> {
        let [_, width] = self.words.dims();
        let place = |(at, &word): (usize, &u8)| (said.languages[at / rows] * self.numbers() + self.number(word)) as i32;
        let places: Vec<i32> = said.words.iter().enumerate().map(place).collect();
        let places = Tensor::<1, Int>::from_data(TensorData::new(places, [said.words.len()]), &self.device());
        let vectors = self.words.val().select(0, places).mul_scalar((width as f64).sqrt());
        vectors.reshape([said.len(), rows, width])
    }

    /// What sentences of `languages` begin with, `[sentences, 1, width]`.
    fn beginnings(&self, languages: &[usize]) -> Tensor<3> {
        let [_, width] = self.languages.dims();
        let places: Vec<i32> = languages.iter().map(|&language| language as i32).collect();
        let places = Tensor::<1, Int>::from_data(TensorData::new(places, [languages.len()]), &self.device());
        self.languages.val().select(0, places).reshape([languages.len(), 1, width])
    }

    /// Vectors of `count` places from `first` on, `[1, count, width]`.
    fn places(&self, first: usize, count: usize) -> Tensor<3> {
        self.places.val().narrow(0, first, count).unsqueeze()
    }

    /// Scores of the words of a language, `[sentences · steps, numbers]`.
    fn scores(&self, states: Tensor<3>, language: usize) -> Tensor<2> {
        let [sentences, steps, width] = states.dims();
        let numbers = self.numbers();
        let words = self.words.val().narrow(0, language * numbers, numbers);
        let usual = self.usual.val().narrow(0, language * numbers, numbers);
        states.reshape([sentences * steps, width]).matmul(words.transpose()) + usual.unsqueeze()
    }

    /// Each language with the place of its first sentence and the number of its sentences.
    fn parts(&self, languages: &[usize]) -> Vec<(usize, usize, usize)> {
        assert!(languages.is_sorted(), "expected sentences of the first language before those of the second");
        let firsts = languages.partition_point(|&language| language == 0);
        let parts = [(0, 0, firsts), (1, firsts, languages.len() - firsts)];
        parts.into_iter().filter(|&(_, _, sentences)| sentences > 0).collect()
    }
}

/// The number with the highest score.
pub fn likeliest(scores: &[f32]) -> u8 {
    let best = scores.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
    best.map_or(END, |(number, _)| number as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::layer::Layer;
    use crate::nets::{Init, NetBuilder, Speakers};
    use crate::rng::Rng;

    const SPEAKERS: Speakers = Speakers { numbers: 9, width: 8, heads: 2, hidden: 12, layers: 2, from: 0 };
    const ROWS: usize = 5;

    fn layer(device: &Device) -> Translator {
        let net = NetBuilder::new([1, ROWS, 1], Init::He, device, &mut Rng::new(1, 0)).translator(&SPEAKERS).build();
        assert_eq!(net.output, [1, ROWS, 1]);
        match net.layers.into_iter().next() {
            Some(Layer::Translator(layer)) => layer,
            _ => panic!("one layer was built"),
        }
    }

    fn said(sentences: &[(&[u8], usize)]) -> Said {
        let mut said = Said::new(ROWS);
        sentences.iter().for_each(|&(words, language)| said.push(words, language));
        said
    }

    fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn probabilities_of_all_sentences_of_a_word_and_their_beginnings_add_up() {
        let layer = layer(&Device::flex());
        let read = said(&[(&[3, 4, 5], 0)]);
        let log = |words: &[u8], language: usize| {
            host(layer.log_probability(&layer.encode(&read), &said(&[(words, language)])))[0]
        };
        // Of two words, the second any and then the end: what "3" alone leaves over, less what goes on.
        for language in [0, 1] {
            let empty = log(&[], language).exp();
            assert!(empty > 0.0 && empty < 1.0);
            let one: f32 = (1..9).map(|word| log(&[word], language).exp()).sum();
            let two: f32 = (1..9).flat_map(|a| (1..9).map(move |b| [a, b])).map(|two| log(&two, language).exp()).sum();
            let all = empty + one + two;
            assert!(all < 1.0 && all > empty + one, "{empty} {one} {two}");
        }
    }

    #[test]
    fn what_is_said_in_turn_is_what_one_pass_takes_for_likeliest() {
        let layer = layer(&Device::flex());
        let read = said(&[(&[3, 4, 5], 0), (&[8, 2, 1, 7, 6], 1), (&[2], 0)]);
        let meant = layer.encode(&read);
        let mut seen = vec![Vec::new(); 3];
        let spoken = layer.say(&meant, &[0, 1, 1], &mut |index, scores| {
            let word = 2 + ((index + seen[index].len()) % 7) as u8;
            let most = scores.iter().fold(f32::NEG_INFINITY, |most, &score| most.max(score));
            let all: f32 = scores.iter().map(|score| (score - most).exp()).sum();
            seen[index].push(scores[usize::from(word)] - most - all.ln());
            word
        });
        let sums: Vec<f32> = seen.iter().map(|logs| logs.iter().sum()).collect();
        assert_eq!(spoken.sentences().next(), Some(&[2, 3, 4, 5, 6][..]));
        // In one pass the end behind the last row counts, too, which nobody says.
        let logs = host(layer.log_probability(&meant, &spoken));
        for (in_turn, in_one) in sums.iter().zip(&logs) {
            assert!(in_one < in_turn && in_turn - in_one < 6.0, "{in_turn} in turn, {in_one} in one pass");
        }
        // Without the last word the rest is the same, so the differences are those of the last steps alone.
        let shorter = said(&[(&[2, 3, 4, 5], 0), (&[3, 4, 5, 6], 1), (&[4, 5, 6, 7], 1)]);
        let others = host(layer.log_probability(&meant, &shorter));
        for ((logs, in_turn), other) in seen.iter().zip(&sums).zip(others) {
            let before = in_turn - logs[4];
            assert!(other < before, "the end has a probability, too: {before} {other}");
        }
    }

    #[test]
    fn padding_changes_nothing_and_order_does() {
        let layer = layer(&Device::flex());
        let target = said(&[(&[2, 3], 1)]);
        let log = |words: &[u8], rows: usize| {
            let mut read = Said::new(rows);
            read.push(words, 0);
            host(layer.log_probability(&layer.encode(&read), &target))[0]
        };
        assert!((log(&[4, 5, 6], 3) - log(&[4, 5, 6], 5)).abs() < 1e-5);
        assert!((log(&[4, 5, 6], 5) - log(&[6, 5, 4], 5)).abs() > 1e-4);
    }

    #[test]
    fn as_a_layer_it_reads_levels_and_says_levels() {
        let layer = layer(&Device::flex());
        let levels = |words: &[u8]| {
            let mut rows = words.to_vec();
            rows.resize(ROWS, END);
            rows.into_iter().map(|word| f32::from(word) / 127.5 - 1.0).collect::<Vec<f32>>()
        };
        let x = Tensor::from_data(TensorData::new(levels(&[3, 4]), [1, 1, ROWS, 1]), &Device::flex());
        let read = said(&[(&[3, 4], 0)]);
        let expected = layer.say(&layer.encode(&read), &[1], &mut |_, scores| likeliest(scores));
        let words: Vec<u8> = host(layer.forward(x)).iter().map(|level| ((level + 1.0) * 127.5).round() as u8).collect();
        assert_eq!(words, expected.words);
    }
}
