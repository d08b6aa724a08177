//! Sentences through a translator, and how good its translations are.

use burn::tensor::Device;
use edgegen_data::sentence::{END, UNKNOWN, words};
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
        rows_of.resize(rows, END);
        rows_of.into_iter().map(|word| f32::from(word) / 127.5 - 1.0).collect::<Vec<f32>>()
    };
    let outputs = generator.generate(&sentences.iter().map(levels).collect::<Vec<_>>(), device);
    let said = |output: &Vec<f32>| words(&to_pixels(output, generator.net.output, generator.pixels)).to_vec();
    outputs.iter().map(said).collect()
}

/// How good translations are. A word that is not known is none, also where the reference has one of which nothing is
/// known.
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
        let known = &known(translations);
        Self {
            accuracy: in_place(known, references),
            any_order: in_any_order(known, references),
            bleu: bleu(known, references),
        }
    }
}

/// BLEU of sentences that came back from the other language, from 0 to 1.
///
/// # Panics
///
/// If not as many were sent.
pub fn round_trip(back: &[Vec<u8>], sent: &[Vec<u8>]) -> f64 {
    bleu(&known(back), sent)
}

/// Sentences in which no word that is not known equals any other.
fn known(sentences: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let known = |&word: &u8| if word == UNKNOWN { END } else { word };
    sentences.iter().map(|sentence| sentence.iter().map(known).collect()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_never_right() {
        let (said, meant) = ([vec![2, UNKNOWN, 3, 4]], [vec![2, UNKNOWN, 4, 3]]);
        let Figures { accuracy, any_order, bleu } = Figures::of(&said, &meant);
        assert_eq!([accuracy, any_order, bleu], [0.25, 0.75, 0.0]);
        assert_eq!(round_trip(&[vec![2, 3, 4, 5]], &[vec![2, 3, 4, 5]]), 1.0);
        assert_eq!(round_trip(&[vec![UNKNOWN; 5]], &[vec![UNKNOWN; 5]]), 0.0);
    }

    #[test]
    fn lines_show_numbers_where_there_are_no_words() {
        let [read, said] = [vec![vec![5, 6]], vec![vec![7, END, 8]]];
        assert_eq!(lines(None, 1, [&read, &said], &[("truth", 0, &read)]), ["5 6 → 7", "    truth: 5 6"]);
    }
}
