//! What is said: sentences of a small grammar.

use std::collections::BTreeSet;

use crate::rng::Rng;

/// Sentences; in brackets stands a list of [`LISTS`] of which one word is taken.
const FORMS: [&str; 8] = [
    "The {adjective} {noun} {verb} the {noun} {where} the {place}.",
    "{number} {nouns} and a {adjective} {noun} were {where} the {place}.",
    "Did you see the {noun} {where} the {adjective} {place}?",
    "{when}, my {person} {verb} a {adjective} {noun}.",
    "Our {person} {how} {verb} {number} {adjective} {nouns}.",
    "There was a {noun} {where} the {place}, but {when} it was {adjective}.",
    "Please bring {number} {nouns} to your {person} {where} the {place}.",
    "She said that the {noun} {how} {verb} his {person}.",
];

/// Words by kind.
const LISTS: [(&str, &[&str]); 10] = [
    (
        "noun",
        &[
            "fox",
            "bird",
            "clock",
            "horse",
            "letter",
            "machine",
            "garden",
            "whale",
            "judge",
            "pilot",
            "shadow",
            "flower",
            "ship",
            "engine",
            "lion",
            "yellow toy",
            "cloth",
            "treasure",
            "bridge",
            "cow",
            "violin",
            "star",
            "chair",
            "goose",
        ],
    ),
    (
        "nouns",
        &[
            "apples", "books", "children", "dogs", "eggs", "fishes", "goats", "houses", "islands", "jewels", "kings",
            "lamps", "mice", "nights", "oranges", "paths", "queens", "roads", "songs", "trees", "vans", "windows",
            "years", "zebras",
        ],
    ),
    (
        "adjective",
        &[
            "quick", "brown", "quiet", "huge", "thin", "blue", "old", "young", "happy", "rough", "smooth", "charming",
            "foreign", "bright", "heavy", "joyful", "lazy", "warm", "unusual", "golden", "strange", "dark", "clear",
            "sweet",
        ],
    ),
    (
        "verb",
        &[
            "watched", "followed", "found", "heard", "touched", "carried", "moved", "noticed", "pulled", "answered",
            "saved", "changed", "visited", "thanked", "chose", "loved", "painted", "measured", "drew", "enjoyed",
        ],
    ),
    (
        "person",
        &["brother", "mother", "teacher", "uncle", "doctor", "neighbour", "cousin", "daughter", "friend", "guide"],
    ),
    (
        "place",
        &[
            "river", "mountain", "village", "harbour", "kitchen", "forest", "castle", "market", "church", "valley",
            "school",
        ],
    ),
    (
        "where",
        &["near", "behind", "over", "under", "beside", "above", "between the hills and", "beyond", "outside", "at"],
    ),
    ("when", &["yesterday", "in the morning", "last July", "after the rain", "this afternoon", "at three o'clock"]),
    ("how", &["slowly", "never", "always", "gently", "suddenly", "usually", "hardly", "proudly"]),
    (
        "number",
        &["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "thirty", "a hundred"],
    ),
];

/// `counts[0]` sentences and `counts[1]` others, each different from all before.
pub(super) fn sentences(counts: [usize; 2], seed: u64) -> [Vec<String>; 2] {
    let mut rng = Rng::new(seed, 0);
    let mut known = BTreeSet::new();
    counts.map(|count| {
        let mut said = Vec::with_capacity(count);
        while said.len() < count {
            let sentence = sentence(&mut rng);
            if known.insert(sentence.clone()) {
                said.push(sentence);
            }
        }
        said
    })
}

fn sentence(rng: &mut Rng) -> String {
    let mut rest = FORMS[rng.below(FORMS.len())];
    let mut sentence = String::new();
    while let Some((before, (kind, behind))) =
        rest.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        let (_, words) = LISTS.iter().find(|(name, _)| *name == kind).expect("a form names lists that there are");
        sentence.push_str(before);
        sentence.push_str(words[rng.below(words.len())]);
        rest = behind;
    }
    sentence.push_str(rest);
    let first = sentence.remove(0).to_ascii_uppercase();
    sentence.insert(0, first);
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_different_whole_and_always_the_same() {
        let [train, test] = sentences([300, 60], 1);
        assert_eq!([train.len(), test.len()], [300, 60]);
        assert_eq!(train.iter().chain(&test).collect::<BTreeSet<_>>().len(), 360);
        for sentence in train.iter().chain(&test) {
            assert!(sentence.starts_with(|first: char| first.is_ascii_uppercase()), "{sentence}");
            assert!(!sentence.contains(['{', '}']) && sentence.ends_with(['.', '?']), "{sentence}");
        }
        assert_eq!(sentences([300, 60], 1), [train, test]);
    }
}
