//! Sentences through a translator, and how good its translations are.

use burn::tensor::Device;
use edgegen_data::sentence::words;
use edgegen_metrics::bleu::{bleu, in_any_order, in_place};
use serde::Serialize;

use crate::data::{Dataset, Vocabularies};
use crate::run::to_pixels;
use crate::systems::Generator;

/// The words of the first `count` sentences of a set.
pub fn sentences(set: &Dataset, count: usize) -> Vec<Vec<u8>> {
    (0..count.min(set.len())).map(|index| words(set.image(index)).to_vec()).collect()
}

/// What a generator makes of sentences, which must have no more words than it reads.
pub fn translated(generator: &Generator, sentences: &[Vec<u8>], device: &Device) -> Vec<Vec<u8>> {
    let rows = generator.net.inputs[0][1];
    let levels = |sentence: &Vec<u8>| {
        let mut rows_of = sentence.clone();
        rows_of.resize(rows, edgegen_data::sentence::END);
        rows_of.into_iter().map(|word| f32::from(word) / 127.5 - 1.0).collect::<Vec<f32>>()
    };
    let outputs = generator.generate(&sentences.iter().map(levels).collect::<Vec<_>>(), device);
    let said = |output: &Vec<f32>| words(&to_pixels(output, generator.net.output, generator.pixels)).to_vec();
    outputs.iter().map(said).collect()
}

/// How good translations are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Share of the words of the reference that stand at their place.
    pub accuracy: f64,
    /// Share of them that stand anywhere.
    pub any_order: f64,
    /// BLEU with the reference, from 0 to 1.
    pub bleu: f64,
}

impl Figures {
    /// Of translations beside what they should be.
    ///
    /// # Panics
    ///
    /// If there are not as many of both.
    pub fn of(translations: &[Vec<u8>], references: &[Vec<u8>]) -> Self {
        Self {
            accuracy: in_place(translations, references),
            any_order: in_any_order(translations, references),
            bleu: bleu(translations, references),
        }
    }
}

/// How often each number stands in a set; as many as bytes.
pub fn counts(set: &Dataset) -> Vec<u64> {
    let mut counts = vec![0; 256];
    for index in 0..set.len() {
        words(set.image(index)).iter().for_each(|&word| counts[usize::from(word)] += 1);
    }
    counts
}

/// A sentence as text, or as numbers where its language has no list of words.
pub fn text(vocabularies: Option<&Vocabularies>, language: usize, sentence: &[u8]) -> String {
    match vocabularies {
        Some(vocabularies) => vocabularies.text(language, sentence),
        None => words(sentence).iter().map(u8::to_string).collect::<Vec<_>>().join(" "),
    }
}

/// Lines that show sentences of `language`, what was made of each and, where there are, what the way back makes of that
/// and what it should be.
pub fn lines(
    vocabularies: Option<&Vocabularies>,
    language: usize,
    [read, said]: [&[Vec<u8>]; 2],
    more: &[(&str, usize, &[Vec<u8>])],
) -> Vec<String> {
    let of = |index: usize| {
        let first = format!(
            "{} → {}",
            text(vocabularies, language, &read[index]),
            text(vocabularies, 1 - language, &said[index])
        );
        let others = more
            .iter()
            .map(move |(what, language, set)| format!("    {what}: {}", text(vocabularies, *language, &set[index])));
        [first].into_iter().chain(others)
    };
    (0..read.len()).flat_map(of).collect()
}
