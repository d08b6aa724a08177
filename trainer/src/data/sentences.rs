//! Sentences of two languages in pairs: one means what the other says.
//!
//! | source | first language | second language |
//! | --- | --- | --- |
//! | `languages` | sentences of a small grammar in invented words | the same in other words and another order |
//! | `emoji-names` | what emoji are called in English | what they are called in Spanish |
//!
//! A sentence is an image of one column, a row for each word: the number of the word in its language
//! ([`edgegen_data::sentence`]). So whatever hands out, shuffles and keeps images does it with sentences.

use anyhow::{Result, ensure};
use edgegen_data::select;
use edgegen_data::sentence::{END, FIRST, words};

use super::catalogue;
use super::pairs::Pairs;
use super::{Dataset, Split, here, own_set};
use crate::recipe::{DataConfig, Size};

mod emoji_names;
mod languages;

pub(super) use emoji_names::{COUNT as EMOJI_NAMES_COUNT, FILES as EMOJI_NAMES};
pub(super) use languages::info as languages_info;

/// What stands for [`UNKNOWN`] in text.
const UNKNOWN_TEXT: &str = "…";

/// The words of two languages by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabularies([Vec<String>; 2]);

impl Vocabularies {
    /// The words of `language`, 0 or 1, from number [`FIRST`] on.
    pub fn words(&self, language: usize) -> &[String] {
        &self.0[language]
    }

    /// A sentence of `language` as text; a number that no word has is one that is not known.
    pub fn text(&self, language: usize, sentence: &[u8]) -> String {
        let word = |&number: &u8| {
            let place = number.checked_sub(FIRST).map(usize::from);
            place.and_then(|place| self.0[language].get(place)).map_or(UNKNOWN_TEXT, String::as_str)
        };
        words(sentence).iter().map(word).collect::<Vec<_>>().join(" ")
    }
}

/// Words in two languages, and pairs of sentences of them.
struct Corpus {
    words: [Vec<String>; 2],
    /// Training and test pairs.
    parts: [Vec<[Vec<u8>; 2]>; 2],
}

/// A set of pairs of sentences.
#[derive(Debug)]
pub(super) struct Sentences {
    /// The name to give as `data.name`.
    pub(super) name: &'static str,
    /// Rows of the image unless others are asked for.
    rows: usize,
    read: fn() -> Result<Corpus>,
}

/// All of them.
static SENTENCES: [Sentences; 2] = [
    Sentences { name: languages::NAME, rows: languages::ROWS, read: || Ok(languages::corpus()) },
    Sentences {
        name: emoji_names::NAME,
        rows: emoji_names::ROWS,
        read: || {
            let known = catalogue::find(emoji_names::NAME).expect("the catalogue has it");
            emoji_names::corpus(&here(known)?)
        },
    },
];

/// The set of sentences of that name, if any.
pub(super) fn find(name: &str) -> Option<&'static Sentences> {
    SENTENCES.iter().find(|sentences| sentences.name == name)
}

/// The size of the set of sentences that `name` means here, where it is one.
pub fn usual_sentences(name: &str) -> Option<Size> {
    let rows = own_set(name).and_then(find)?.rows;
    Some([rows, 1].into())
}

/// The words of the set of sentences that `config` tells of; nothing for other sets.
///
/// # Errors
///
/// If its files have not been fetched.
pub fn vocabularies(config: &DataConfig) -> Result<Option<Vocabularies>> {
    let Some(sentences) = own_set(&config.name).and_then(find) else { return Ok(None) };
    Ok(Some(Vocabularies((sentences.read)()?.words)))
}

impl Sentences {
    /// One part: pairs whose sentences both have no more words than `config` has rows, at most its limit.
    pub(super) fn load(&self, config: &DataConfig, split: Split) -> Result<Pairs> {
        let DataConfig { size, channels, .. } = *config;
        ensure!(
            size.w == 1 && channels == 1,
            "expected {} as sentences, found images of {size}×{channels}: write size = [{}, 1] and channels = 1 in [data]",
            self.name,
            self.rows
        );
        let [train, test] = (self.read)()?.parts;
        let mut pairs = match split {
            Split::Train => train,
            Split::Test => test,
        };
        pairs.retain(|pair| pair.iter().all(|sentence| sentence.len() <= size.h));
        let kept = select(pairs.len(), config.limit, None);
        ensure!(
            !kept.is_empty(),
            "expected sentences of at most {} words in {}, found none: raise [data] size to [{}, 1]",
            size.h,
            self.name,
            self.rows
        );
        let side = |language: usize| {
            let rows = |&index: &usize| {
                let mut rows = pairs[index][language].clone();
                rows.resize(size.h, END);
                rows
            };
            Dataset {
                name: self.name.to_owned(),
                images: kept.iter().flat_map(rows).collect(),
                labels: None,
                class_names: Vec::new(),
                shape: [size.h, 1, 1],
            }
        };
        Ok(Pairs { inputs: side(0), targets: side(1), matched: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(rows: usize) -> DataConfig {
        DataConfig::new(languages::NAME, [rows, 1], 1)
    }

    #[test]
    fn sentences_are_columns_that_end_with_zeros() {
        let sentences = find(languages::NAME).unwrap();
        let Pairs { inputs, targets, matched } = sentences.load(&config(12), Split::Test).unwrap();
        assert!(matched && inputs.shape == [12, 1, 1] && inputs.len() == targets.len());
        for index in 0..inputs.len() {
            let pair = [inputs.image(index), targets.image(index)];
            let [a, b] = pair.map(|sentence| words(sentence).len());
            assert_eq!(a, b, "both languages say it in as many words");
            assert!(pair.iter().all(|sentence| sentence[a..].iter().all(|&word| word == END)));
        }
        let short = sentences.load(&config(4), Split::Test).unwrap();
        assert!(short.inputs.len() < inputs.len(), "longer ones are left out, not cut");
        let few = DataConfig { limit: Some(7), ..config(12) };
        assert_eq!(sentences.load(&few, Split::Train).unwrap().targets.len(), 7);
    }

    #[test]
    fn images_and_too_few_rows_are_refused() {
        let sentences = find(languages::NAME).unwrap();
        let error = sentences.load(&DataConfig::new("languages", 28, 1), Split::Train).unwrap_err().to_string();
        assert!(error.contains("size = [12, 1]"), "{error}");
        let error = sentences.load(&config(1), Split::Train).unwrap_err().to_string();
        assert!(error.contains("raise [data] size"), "{error}");
    }

    #[test]
    fn text_names_what_is_not_known() {
        use edgegen_data::sentence::UNKNOWN;
        let list = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let known = Vocabularies([list(&["a", "b"]), list(&["c"])]);
        assert_eq!(known.text(0, &[3, UNKNOWN, 2, END, 2]), "b … a");
        assert_eq!(known.text(1, &[3, 2]), "… c");
    }
}
