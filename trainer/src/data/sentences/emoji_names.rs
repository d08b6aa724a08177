//! What emoji are called in English and in Spanish: the short names of Unicode's Common Locale Data Repository, as the
//! npm package `cldr-annotations-full` has them.
//!
//! Words are what stands between spaces, in small letters without punctuation. A language's list has the words that
//! most names have; the rest, half of all that there are but far fewer of those that are said, are
//! [`UNKNOWN`].
//! About every tenth name, chosen by a hash of its emoji, is in the test part.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use edgegen_data::sentence::{FIRST, UNKNOWN};
use serde::Deserialize;

use super::Corpus;
use crate::data::RawFile;
use crate::rng::Rng;

/// The name to give as `data.name`.
pub(super) const NAME: &str = "emoji-names";
/// Words of a name at most.
pub(super) const ROWS: usize = 8;
/// Training and test pairs of [`ROWS`] words at most.
pub(in crate::data) const COUNT: [usize; 2] = [988, 109];
/// Words of either language that have numbers.
const WORDS: usize = 250;

/// The names in both languages.
pub(in crate::data) const FILES: &[RawFile] = &[
    RawFile {
        name: "annotations/en/annotations.json",
        bytes: 438_314,
        sha256: "f22083cb86dffb63a643d5bacb5d9899f82d2fa5d388ad4f3aed72184acef505",
    },
    RawFile {
        name: "annotations/es/annotations.json",
        bytes: 404_739,
        sha256: "339cdf9ae5fe6d3250d3c53b95ff6d8a4dae96c7c0d279756ee7a73c43c84b56",
    },
];

/// A file, as far as it is read.
#[derive(Debug, Deserialize)]
struct File {
    annotations: Annotations,
}

#[derive(Debug, Deserialize)]
struct Annotations {
    annotations: BTreeMap<String, Annotation>,
}

/// What a language says of one emoji.
#[derive(Debug, Deserialize)]
struct Annotation {
    /// Its name, for being read aloud.
    #[serde(default)]
    tts: Vec<String>,
}

/// Reads the files in `folder`.
pub(super) fn corpus(folder: &Path) -> Result<Corpus> {
    let read = |file: &RawFile| -> Result<BTreeMap<String, Annotation>> {
        let path = folder.join(file.name);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let file: File =
            serde_json::from_str(&text).with_context(|| format!("expected names of emoji in {}", path.display()))?;
        Ok(file.annotations.annotations)
    };
    Ok(paired(read(&FILES[0])?, &read(&FILES[1])?))
}

/// Pairs of the names of what both languages name, no two of them alike.
fn paired(first: BTreeMap<String, Annotation>, second: &BTreeMap<String, Annotation>) -> Corpus {
    let mut seen = HashSet::new();
    let mut names: Vec<(String, [Vec<String>; 2])> = Vec::new();
    for (emoji, annotation) in first {
        let pair = [annotation.tts.first(), second.get(&emoji).and_then(|annotation| annotation.tts.first())];
        let [Some(a), Some(b)] = pair else { continue };
        let pair = [a, b].map(|name| split(name));
        if pair.iter().all(|name| !name.is_empty()) && seen.insert(pair.clone()) {
            names.push((emoji, pair));
        }
    }
    let words = [0, 1].map(|language| most_frequent(names.iter().map(|(_, pair)| &pair[language])));
    let numbers = words.each_ref().map(|words| {
        let numbered = words.iter().zip(FIRST..);
        numbered.map(|(word, number)| (word.clone(), number)).collect::<HashMap<String, u8>>()
    });
    let mut parts = [Vec::new(), Vec::new()];
    for (emoji, pair) in names {
        let numbered = [0, 1].map(|language| {
            let number = |word: &String| numbers[language].get(word).copied().unwrap_or(UNKNOWN);
            pair[language].iter().map(number).collect::<Vec<u8>>()
        });
        // A name of which nothing is known says nothing.
        if numbered.iter().all(|name| name.iter().any(|&word| word != UNKNOWN)) {
            parts[usize::from(is_tested(&emoji))].push(numbered);
        }
    }
    // By code point, neighbours are of one kind, and halves would know the same.
    parts.iter_mut().for_each(|part| Rng::new(0, 0).shuffle(part));
    Corpus { words, parts }
}

/// The words of a name.
fn split(name: &str) -> Vec<String> {
    let lower = name.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphanumeric() && letter != '-');
    words.map(|word| word.trim_matches('-')).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The words that are said most often, those said alike in the order of the alphabet.
fn most_frequent<'a>(names: impl Iterator<Item = &'a Vec<String>>) -> Vec<String> {
    let mut counts = BTreeMap::<&String, usize>::new();
    names.flatten().for_each(|word| *counts.entry(word).or_default() += 1);
    let mut words: Vec<_> = counts.into_iter().collect();
    words.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    words.into_iter().take(WORDS).map(|(word, _)| word.clone()).collect()
}

fn is_tested(emoji: &str) -> bool {
    // FNV-1a.
    let hash = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    emoji.bytes().fold(0x811c_9dc5, hash) % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[(&str, &str)]) -> BTreeMap<String, Annotation> {
        let one = |&(emoji, name): &(&str, &str)| (emoji.to_owned(), Annotation { tts: vec![name.to_owned()] });
        names.iter().map(one).collect()
    }

    #[test]
    fn names_are_paired_by_emoji() {
        let first = named(&[("a", "Red heart"), ("b", "heart: red"), ("c", "cat"), ("d", "dog"), ("e", "red heart")]);
        let second = named(&[("a", "corazón rojo"), ("b", "¿corazón, rojo?"), ("c", "gato"), ("e", "corazón rojo")]);
        let Corpus { words, parts } = paired(first, &second);
        assert_eq!(words[0], ["heart", "red", "cat"]);
        assert_eq!(words[1], ["corazón", "rojo", "gato"]);
        let mut pairs: Vec<_> = parts.concat();
        pairs.sort();
        assert_eq!(pairs, [[vec![2, 3], vec![2, 3]], [vec![3, 2], vec![2, 3]], [vec![4], vec![4]]]);
    }

    #[test]
    fn words_are_free_of_punctuation() {
        assert_eq!(split("Flag: “left-pointing” T-shirt -"), ["flag", "left-pointing", "t-shirt"]);
        let tested = (0..1000).filter(|number| is_tested(&number.to_string())).count();
        assert!((70..130).contains(&tested), "{tested}");
    }
}
