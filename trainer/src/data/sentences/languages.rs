//! Two languages that the program invents: one grammar, two vocabularies, two orders of words.
//!
//! A probabilistic context-free grammar whose rules know their words ("head rules", Collins, "Three Generative,
//! Lexicalised Models for Statistical Parsing", 1997): a verb has nouns and adverbs that it is said of more often than
//! others, a noun has adjectives and an article. Without that, words of one kind would differ in nothing but how
//! frequent they are, and no one could find out without pairs which is which.
//!
//! ```text
//! sentence(v) → subject(v) [adverb(v)] v [object(v)] [preposition(v) phrase]     v by 1 / rank^0.7
//! subject(v)  → pronoun, one in five, or phrase(n), n by v
//! phrase(n)   → article(n) [adjective(n)] n
//! ```
//!
//! Brackets: an adverb in 30 %, a place in 20 %, an adjective in 45 % of cases; 30 % of the verbs have no object. "By
//! v" means: nine times in ten one of a few words that were drawn for v once, the first of them most often, else any.
//!
//! The second language says the same with other words, of which nobody knows which is which, in another order: the verb
//! comes last, and its adverb behind it; adjectives stand behind their noun, prepositions behind their phrase.

use std::collections::HashSet;

use edgegen_data::sentence::FIRST;

use super::Corpus;
use crate::data::catalogue::DatasetInfo;
use crate::rng::Rng;

/// The name to give as `data.name`.
pub(super) const NAME: &str = "languages";
/// Words of a sentence at most.
pub(super) const ROWS: usize = 12;
/// Training and test pairs.
const COUNT: [usize; 2] = [40_000, 1_000];

/// Kinds of words, and how many of each there are in either language.
const KINDS: [usize; 7] = [4, 40, 86, 40, 16, 8, 6];
const WORDS: usize = 200;
const ARTICLE: usize = 0;
const ADJECTIVE: usize = 1;
const NOUN: usize = 2;
const VERB: usize = 3;
const ADVERB: usize = 4;
const PREPOSITION: usize = 5;
const PRONOUN: usize = 6;

/// Sounds that words of the two languages are made of: consonants and vowels.
const SOUNDS: [(&str, &str); 2] = [("ptkmnls", "aiu"), ("bdgvzrfh", "eoay")];

pub(in crate::data) fn info() -> DatasetInfo {
    DatasetInfo {
        name: NAME,
        what: "sentences of two languages invented by edgegen itself, pairs",
        licence: "MIT OR Apache-2.0",
        count: COUNT,
        shape: [ROWS, 1, 1],
        rate: None,
        classes: 0,
        bytes: 0,
        sources: Vec::new(),
        folder: None,
        present: true,
    }
}

/// Words and sentences, always the same ones; no two pairs are equal.
pub(super) fn corpus() -> Corpus {
    let mut rng = Rng::new(26, 0);
    let grammar = Grammar::new(&mut rng);
    let mut other: Vec<u8> = (0..WORDS).map(|word| word as u8 + FIRST).collect();
    rng.shuffle(&mut other);
    let words = SOUNDS.map(|sounds| invented(sounds, &mut rng));
    let mut seen = HashSet::new();
    let mut part = |count: usize| {
        let mut pairs = Vec::with_capacity(count);
        while pairs.len() < count {
            let pair = grammar.sentence(&mut rng).said(&other);
            if seen.insert(pair[0].clone()) {
                pairs.push(pair);
            }
        }
        pairs
    };
    let parts = COUNT.map(&mut part);
    Corpus { words, parts }
}

/// [`WORDS`] words of two or three syllables, no two alike.
fn invented((consonants, vowels): (&str, &str), rng: &mut Rng) -> Vec<String> {
    let [consonants, vowels]: [Vec<char>; 2] = [consonants, vowels].map(|letters| letters.chars().collect());
    let mut seen = HashSet::new();
    let mut words = Vec::with_capacity(WORDS);
    while words.len() < WORDS {
        let syllables = 2 + rng.below(2);
        let letters = (0..2 * syllables).map(|at| {
            let letters = if at % 2 == 0 { &consonants } else { &vowels };
            letters[rng.below(letters.len())]
        });
        let word: String = letters.collect();
        if seen.insert(word.clone()) {
            words.push(word);
        }
    }
    words
}

/// A distribution over the words of one kind, as sums of probabilities.
struct Choice(Vec<f32>);

impl Choice {
    /// The word of rank r by 1 / r^`slope`.
    fn by_rank(count: usize, slope: f32) -> Self {
        let weights: Vec<f32> = (1..=count).map(|rank| (rank as f32).powf(-slope)).collect();
        Self::of(&weights)
    }

    /// Nine times in ten one of `few` words that `rng` draws now, the one of rank r by 1 / r, else any.
    fn of_few(count: usize, few: usize, rng: &mut Rng) -> Self {
        let mut order: Vec<usize> = (0..count).collect();
        rng.shuffle(&mut order);
        let whole: f32 = (1..=few).map(|rank| 1.0 / rank as f32).sum();
        let mut weights = vec![0.1 / count as f32; count];
        for (place, &word) in order[..few].iter().enumerate() {
            weights[word] += 0.9 / (place + 1) as f32 / whole;
        }
        Self::of(&weights)
    }

    fn of(weights: &[f32]) -> Self {
        let whole: f32 = weights.iter().sum();
        let mut sum = 0.0;
        let sums = weights.iter().map(|weight| {
            sum += weight / whole;
            sum
        });
        Self(sums.collect())
    }

    fn draw(&self, rng: &mut Rng) -> usize {
        let share = rng.unit();
        self.0.partition_point(|&sum| sum < share).min(self.0.len() - 1)
    }
}

struct Grammar {
    verb: Choice,
    pronoun: Choice,
    verbs: Vec<OfVerb>,
    nouns: Vec<OfNoun>,
}

/// What goes with a verb.
struct OfVerb {
    has_object: bool,
    subject: Choice,
    object: Choice,
    adverb: Choice,
    preposition: Choice,
}

/// What goes with a noun.
struct OfNoun {
    article: Choice,
    adjective: Choice,
}

/// Words by kind and place in it, in the order of the first language; what is absent is empty.
struct Sentence {
    subject: Vec<[usize; 2]>,
    adverb: Option<[usize; 2]>,
    verb: [usize; 2],
    object: Vec<[usize; 2]>,
    preposition: Option<[usize; 2]>,
    place: Vec<[usize; 2]>,
}

impl Grammar {
    fn new(rng: &mut Rng) -> Self {
        let verbs = (0..KINDS[VERB]).map(|_| OfVerb {
            has_object: rng.unit() >= 0.3,
            subject: Choice::of_few(KINDS[NOUN], 8, rng),
            object: Choice::of_few(KINDS[NOUN], 8, rng),
            adverb: Choice::of_few(KINDS[ADVERB], 3, rng),
            preposition: Choice::of_few(KINDS[PREPOSITION], 3, rng),
        });
        let verbs = verbs.collect();
        let nouns = (0..KINDS[NOUN]).map(|_| OfNoun {
            article: Choice::of_few(KINDS[ARTICLE], 2, rng),
            adjective: Choice::of_few(KINDS[ADJECTIVE], 6, rng),
        });
        let nouns = nouns.collect();
        Self { verb: Choice::by_rank(KINDS[VERB], 0.7), pronoun: Choice::by_rank(KINDS[PRONOUN], 1.0), verbs, nouns }
    }

    fn sentence(&self, rng: &mut Rng) -> Sentence {
        let verb = self.verb.draw(rng);
        let of_verb = &self.verbs[verb];
        let subject = if rng.unit() < 0.2 {
            vec![[PRONOUN, self.pronoun.draw(rng)]]
        } else {
            self.phrase(of_verb.subject.draw(rng), rng)
        };
        let adverb = (rng.unit() < 0.3).then(|| [ADVERB, of_verb.adverb.draw(rng)]);
        let object = if of_verb.has_object { self.phrase(of_verb.object.draw(rng), rng) } else { Vec::new() };
        let preposition = (rng.unit() < 0.2).then(|| [PREPOSITION, of_verb.preposition.draw(rng)]);
        let place = match preposition {
            Some(_) => self.phrase(of_verb.object.draw(rng), rng),
            None => Vec::new(),
        };
        Sentence { subject, adverb, verb: [VERB, verb], object, preposition, place }
    }

    fn phrase(&self, noun: usize, rng: &mut Rng) -> Vec<[usize; 2]> {
        let of_noun = &self.nouns[noun];
        let adjective = (rng.unit() < 0.45).then(|| [ADJECTIVE, of_noun.adjective.draw(rng)]);
        let article = [ARTICLE, of_noun.article.draw(rng)];
        [Some(article), adjective, Some([NOUN, noun])].into_iter().flatten().collect()
    }
}

impl Sentence {
    /// In both languages; `other` has the second one's number of each of the first one's words.
    fn said(&self, other: &[u8]) -> [Vec<u8>; 2] {
        let Self { subject, adverb, verb, object, preposition, place } = self;
        let first = subject.iter().chain(adverb).chain([verb]).chain(object).chain(preposition).chain(place);
        let [subject, object, place] = [subject, object, place].map(|phrase| turned(phrase));
        let second = subject.iter().chain(&object).chain(&place).chain(preposition).chain([verb]).chain(adverb);
        [first.map(number).collect(), second.map(|word| other[usize::from(number(word) - FIRST)]).collect()]
    }
}

/// A phrase with its adjective behind the noun.
fn turned(phrase: &[[usize; 2]]) -> Vec<[usize; 2]> {
    match *phrase {
        [article, adjective, noun] => vec![article, noun, adjective],
        _ => phrase.to_vec(),
    }
}

/// The number of a word of the first language.
fn number(&[kind, place]: &[usize; 2]) -> u8 {
    FIRST + (KINDS[..kind].iter().sum::<usize>() + place) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_language_says_the_same_in_another_order() {
        let phrase = vec![[ARTICLE, 1], [ADJECTIVE, 2], [NOUN, 3]];
        let whole = Sentence {
            subject: phrase.clone(),
            adverb: Some([ADVERB, 0]),
            verb: [VERB, 7],
            object: vec![[ARTICLE, 0], [NOUN, 5]],
            preposition: Some([PREPOSITION, 1]),
            place: phrase,
        };
        let same: Vec<u8> = (0..WORDS).map(|word| word as u8 + FIRST).collect();
        let [first, second] = whole.said(&same);
        let numbers = |words: &[[usize; 2]]| words.iter().map(number).collect::<Vec<_>>();
        let [a, j, n] = [[ARTICLE, 1], [ADJECTIVE, 2], [NOUN, 3]];
        let [adverb, verb, to] = [[ADVERB, 0], [VERB, 7], [PREPOSITION, 1]];
        let [b, m] = [[ARTICLE, 0], [NOUN, 5]];
        assert_eq!(first, numbers(&[a, j, n, adverb, verb, b, m, to, a, j, n]));
        assert_eq!(second, numbers(&[a, n, j, b, m, a, n, j, to, verb, adverb]));
        assert_eq!(number(&[PRONOUN, KINDS[PRONOUN] - 1]), FIRST + (WORDS - 1) as u8);
    }

    #[test]
    fn parts_share_no_sentence_and_every_word_is_said() {
        let Corpus { words, parts } = corpus();
        assert!(words.iter().all(|words| words.len() == WORDS));
        assert!(words[0].iter().all(|word| !words[1].contains(word)), "sounds of their own");
        let firsts: HashSet<&Vec<u8>> = parts.iter().flatten().map(|pair| &pair[0]).collect();
        assert_eq!((firsts.len(), parts.each_ref().map(Vec::len)), (41_000, COUNT));
        assert!(parts.iter().flatten().all(|pair| pair[0].len() <= ROWS));
        for language in 0..2 {
            let said: HashSet<u8> = parts[0].iter().flat_map(|pair| &pair[language]).copied().collect();
            assert_eq!(said.len(), WORDS);
        }
        // One word stands for one word, whatever the order.
        let mut meant = [0; 256];
        for [a, b] in parts.iter().flatten().filter(|pair| pair[0].len() == 2) {
            // A pronoun and a verb keep their order.
            for (a, b) in a.iter().zip(b) {
                assert!([0, *b].contains(&meant[usize::from(*a)]));
                meant[usize::from(*a)] = *b;
            }
        }
        assert!(meant.iter().filter(|&&word| word > 0).count() > 10);
    }
}
