//! A lexicon of two languages without any pair: which word is which, by how frequent words are and which others they
//! stand together with.
//!
//! With A and B the symmetric matrices of how much more often than by chance two words stand in one sentence of either
//! language, and L the likelihood that two words are equally frequent, a permutation P is looked for that maximizes L
//! and makes B a copy of A. That is a match of two graphs, and found by graduated assignment:
//!
//! ```text
//! P ← sinkhorn(exp(ln L))
//! so many times:  D_ij ← |A_i − (P Bᵀ)_j|²        how far word i stands from word j, if P is right about the others
//!                 P ← sinkhorn(exp(½ ln L − β D · min(sharpness / median D, 1 / (2 spread² v)))),   β ← growth · β
//! ```
//!
//! with v the variance that counting alone gives an affinity of A and one of B: where words stand together as chance
//! has it, D is nothing but that, and how frequent they are decides.
//!
//! Gold and Rangarajan, "A Graduated Assignment Algorithm for Graph Matching" (1996); rows and columns are
//! brought to the sum 1 by turns (Sinkhorn, 1964). That a lexicon learned so from two languages alone gets better by
//! itself is what Artetxe, Labaka and Agirre, "A robust self-learning method for fully unsupervised cross-lingual
//! mappings of word embeddings" (2018), found with embeddings in place of counts.

use edgegen_data::sentence::{FIRST, UNKNOWN};
use serde::{Deserialize, Serialize};

/// How often each number of a word was seen.
pub type Counts = Vec<u64>;

/// Rounds, what half of the words are apart by in the first of them, and how much sharper it gets.
const ROUNDS: usize = 15;
const SHARPNESS: f32 = 20.0;
const GROWTH: f32 = 1.05;
/// Times that rows and columns are brought to the sum 1.
const BALANCED: usize = 30;

/// Words of one language as they were seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Words {
    /// How often each number of a word was.
    pub counts: Counts,
    /// How often two of them stood in one sentence, `[numbers][numbers]`; nothing once a lexicon is there.
    pub together: Vec<u32>,
}

impl Words {
    /// None seen yet, of so many numbers.
    pub fn new(numbers: usize) -> Self {
        Self { counts: vec![0; numbers], together: vec![0; numbers * numbers] }
    }

    /// Notes a sentence.
    pub fn see(&mut self, sentence: &[u8]) {
        let numbers = self.counts.len();
        for (at, &word) in sentence.iter().enumerate() {
            self.counts[usize::from(word)] += 1;
            if self.together.is_empty() {
                continue;
            }
            for (_, &other) in sentence.iter().enumerate().filter(|(other, _)| *other != at) {
                self.together[usize::from(word) * numbers + usize::from(other)] += 1;
            }
        }
    }

    /// The mean variance that counting gives an affinity: the logarithm of a count of c has about 1/c.
    fn variance(&self) -> f32 {
        let of_count = |&count: &u32| 1.0 / (count as f32 + 1.0);
        self.together.iter().map(of_count).sum::<f32>() / self.together.len().max(1) as f32
    }

    /// The logarithm of how much more often than by chance two words stand together, `[words][words]`.
    fn affinities(&self) -> Vec<f32> {
        let (numbers, first) = (self.counts.len(), usize::from(FIRST));
        let pairs: f32 = self.together.iter().map(|&count| count as f32).sum();
        let words: f32 = self.counts.iter().map(|&count| count as f32).sum();
        let affinity = |(at, &count): (usize, &u32)| {
            let [a, b] = [at / numbers, at % numbers];
            let share = |word: usize| self.counts[word] as f32 / words.max(1.0);
            // One more of each keeps what was never seen finite.
            let by_chance = share(a) * share(b) * pairs;
            (a >= first && b >= first).then(|| ((count as f32 + 1.0) / (by_chance + 1.0)).ln())
        };
        self.together.iter().enumerate().filter_map(affinity).collect()
    }
}

/// For each number of a word of either language one of the other, [`UNKNOWN`] for what is none.
pub fn learned(languages: &[Words; 2], spread: f32) -> [Vec<u8>; 2] {
    let [first, second] = languages;
    let words = first.counts.len() - usize::from(FIRST);
    let likeness = by_frequency(first, second, spread);
    let [a, b] = [first.affinities(), second.affinities()];
    let squares = |matrix: &[f32]| -> Vec<f32> {
        matrix.chunks(words).map(|row| row.iter().map(|value| value * value).sum()).collect()
    };
    let (squares_a, squares_b) = (squares(&a), squares(&b));
    let mut matched = balanced(&likeness, words);
    let variance: f32 = languages.iter().map(Words::variance).sum();
    let mut sharpness = 1.0;
    for _ in 0..ROUNDS {
        // B is symmetric, so that Bᵀ need not be made.
        let met = product(&a, &product(&matched, &b, words), words);
        let distance = |(at, met): (usize, &f32)| squares_a[at / words] + squares_b[at % words] - 2.0 * met;
        let distances: Vec<f32> = met.iter().enumerate().map(distance).collect();
        let usual = median(&distances).max(f32::MIN_POSITIVE);
        let weight = sharpness * (SHARPNESS / usual).min(0.5 / (spread * spread * variance));
        let scores: Vec<f32> = likeness.iter().zip(&distances).map(|(like, far)| 0.5 * like - weight * far).collect();
        matched = balanced(&scores, words);
        sharpness *= GROWTH;
    }
    let best = |score: &dyn Fn(usize, usize) -> f32| {
        let of = |word: usize| (0..words).max_by(|&one, &other| score(word, one).total_cmp(&score(word, other)));
        let known = (0..words).map(|word| of(word).map_or(UNKNOWN, |other| other as u8 + FIRST));
        std::iter::repeat_n(UNKNOWN, FIRST.into()).chain(known).collect()
    };
    [best(&|word, other| matched[word * words + other]), best(&|word, other| matched[other * words + word])]
}

/// The lexicon that takes words for each other that have the same rank by how frequent they are: for each number of
/// a word of the language of `from` one of that of `to`, [`UNKNOWN`] where it has no such rank.
pub fn by_rank(from: &[u64], to: &[u64]) -> Vec<u8> {
    let ranked = |counts: &[u64]| {
        let mut order: Vec<usize> = (usize::from(FIRST)..counts.len()).collect();
        order.sort_by_key(|&word| std::cmp::Reverse(counts[word]));
        order
    };
    let mut lexicon = vec![UNKNOWN; from.len()];
    for (word, other) in ranked(from).into_iter().zip(ranked(to)) {
        lexicon[word] = other as u8;
    }
    lexicon
}

/// The logarithm of the likelihood that two words are equally frequent, but for `spread`, `[words][words]`:
/// −(ln f − ln g)² / (2 · spread² · (1/f + 1/g)), as the logarithm of a count of f has the variance 1/f.
fn by_frequency(from: &Words, to: &Words, spread: f32) -> Vec<f32> {
    let counts = |words: &Words| -> Vec<f32> {
        words.counts[usize::from(FIRST)..].iter().map(|&count| count as f32 + 1.0).collect()
    };
    let (from, to) = (counts(from), counts(to));
    let like = |&f: &f32, &g: &f32| {
        let apart = f.ln() - g.ln();
        // Bounded, so that a word without any like it has one all the same.
        (-0.5 * apart * apart / (spread * spread * (f.recip() + g.recip()))).max(-60.0)
    };
    from.iter().flat_map(|f| to.iter().map(move |g| like(f, g))).collect()
}

/// Chances from scores, with rows and columns brought to the sum 1 by turns.
fn balanced(scores: &[f32], words: usize) -> Vec<f32> {
    let most = |row: &[f32]| row.iter().fold(f32::NEG_INFINITY, |most, &score| most.max(score));
    let chances = |row: &[f32]| {
        let most = most(row);
        row.iter().map(move |score| (score - most).exp()).collect::<Vec<f32>>()
    };
    let mut chances: Vec<f32> = scores.chunks(words).flat_map(chances).collect();
    for _ in 0..BALANCED {
        for row in chances.chunks_mut(words) {
            let sum: f32 = row.iter().sum::<f32>() + f32::MIN_POSITIVE;
            row.iter_mut().for_each(|chance| *chance /= sum);
        }
        let mut sums = vec![f32::MIN_POSITIVE; words];
        for row in chances.chunks(words) {
            sums.iter_mut().zip(row).for_each(|(sum, chance)| *sum += chance);
        }
        for row in chances.chunks_mut(words) {
            row.iter_mut().zip(&sums).for_each(|(chance, sum)| *chance /= sum);
        }
    }
    chances
}

/// The product of two matrices `[words][words]`.
fn product(a: &[f32], b: &[f32], words: usize) -> Vec<f32> {
    let mut sums = vec![0.0; words * words];
    for (sums, row) in sums.chunks_mut(words).zip(a.chunks(words)) {
        for (&factor, row) in row.iter().zip(b.chunks(words)) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += factor * value);
        }
    }
    sums
}

fn median(values: &[f32]) -> f32 {
    let mut values = values.to_vec();
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Split, load_pairs};
    use crate::recipe::Recipe;
    use edgegen_data::sentence::words;

    #[test]
    fn words_of_one_rank_are_taken_for_each_other() {
        let counts = |own: [u64; 3]| [vec![0; FIRST.into()], own.to_vec()].concat();
        let lexicon = by_rank(&counts([5, 9, 7]), &counts([1, 2, 3]));
        assert_eq!(lexicon[usize::from(FIRST)..], [FIRST, FIRST + 2, FIRST + 1]);
        let shorter = by_rank(&counts([5, 9, 7]), &[0, 0, 3, 2][..usize::from(FIRST) + 2]);
        assert_eq!(shorter[usize::from(FIRST)..], [UNKNOWN, FIRST, FIRST + 1], "a rank that a list lacks has no word");
    }

    #[test]
    fn what_words_stand_with_tells_which_is_which() {
        let recipe = Recipe::parse("system = \"backtranslation\"\n[data]\nname = \"languages\"").unwrap();
        let pairs = load_pairs(&recipe.data, Split::Train).unwrap();
        let mut languages = [0, 1].map(|_| Words::new(usize::from(FIRST) + 200));
        // No sentence of one half is a translation of one of the other.
        for index in 0..9600 {
            languages[0].see(words(pairs.inputs.image(index)));
            languages[1].see(words(pairs.targets.image(20_000 + index)));
        }
        let lexicons = learned(&languages, 1.5);
        let rank = by_rank(&languages[0].counts, &languages[1].counts);
        // The truth, from the pairs: the word that is in every translation.
        let translations = |word: u8| {
            let with = (0..20_000).filter(|&index| pairs.inputs.image(index).contains(&word));
            let mut common: Option<Vec<u8>> = None;
            for index in with {
                let other = words(pairs.targets.image(index));
                let kept = |common: Vec<u8>| common.into_iter().filter(|word| other.contains(word)).collect();
                common = Some(common.map_or_else(|| other.to_vec(), kept));
            }
            common.unwrap_or_default()
        };
        let mut right = [0; 2];
        for word in FIRST..FIRST + 200 {
            let truth = translations(word);
            for (right, lexicon) in right.iter_mut().zip([&lexicons[0], &rank]) {
                *right += usize::from(truth.len() == 1 && truth[0] == lexicon[usize::from(word)]);
            }
        }
        assert!(right[0] >= 190 && right[1] < 60, "{right:?} of 200 words, by what stands together and by rank");
        let there_and_back =
            (FIRST..FIRST + 200).filter(|&word| lexicons[1][usize::from(lexicons[0][usize::from(word)])] == word);
        assert!(there_and_back.count() >= 190);
    }
}
