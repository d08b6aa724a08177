//! How near translations are to those that they should be: BLEU, and words at their places.
//!
//! ```text
//! BLEU = min(1, e^(1 − r/c)) · (p₁ p₂ p₃ p₄)^(1/4)
//! ```
//!
//! Papineni, Roukos, Ward and Zhu, "BLEU: a Method for Automatic Evaluation of Machine Translation" (2002), §2.3, over
//! a whole set: pₙ is the share of runs of n words that stand in the reference too, each at most as often as there; c
//! and r are the words of all translations and of all references.

use std::collections::HashMap;

/// Lengths of runs of words.
const RUNS: usize = 4;

/// BLEU of `translations` with one reference each, from 0 to 1; words are numbers.
///
/// It is 0 where no run of four words is right, as it is defined, without smoothing.
///
/// # Panics
///
/// If there are not as many references.
pub fn bleu<S: AsRef<[u8]>>(translations: &[S], references: &[S]) -> f64 {
    assert_eq!(translations.len(), references.len(), "a reference for each translation");
    let [mut right, mut all] = [[0usize; RUNS]; 2];
    let mut lengths = [0usize; 2];
    for (translation, reference) in translations.iter().zip(references) {
        let [translation, reference] = [translation.as_ref(), reference.as_ref()];
        lengths[0] += translation.len();
        lengths[1] += reference.len();
        for run in 1..=RUNS {
            let known = runs(reference, run);
            let said = runs(translation, run);
            right[run - 1] +=
                said.iter().map(|(words, &count)| count.min(known.get(words).copied().unwrap_or(0))).sum::<usize>();
            all[run - 1] += said.values().sum::<usize>();
        }
    }
    if right.contains(&0) {
        return 0.0;
    }
    let logs: f64 = right.iter().zip(&all).map(|(&right, &all)| (right as f64 / all as f64).ln()).sum();
    let brevity = (1.0 - lengths[1] as f64 / lengths[0] as f64).min(0.0);
    (brevity + logs / RUNS as f64).exp()
}

/// How often each run of `length` words is in a sentence.
fn runs(sentence: &[u8], length: usize) -> HashMap<&[u8], usize> {
    let mut runs = HashMap::new();
    sentence.windows(length).for_each(|words| *runs.entry(words).or_default() += 1);
    runs
}

/// The share of the references' words that stand at the same place of their translation.
///
/// # Panics
///
/// If there are not as many references.
pub fn in_place<S: AsRef<[u8]>>(translations: &[S], references: &[S]) -> f64 {
    share(translations, references, |translation, reference| {
        translation.iter().zip(reference).filter(|(a, b)| a == b).count()
    })
}

/// The share of the references' words that stand anywhere in their translation, each as often as it does.
///
/// # Panics
///
/// If there are not as many references.
pub fn in_any_order<S: AsRef<[u8]>>(translations: &[S], references: &[S]) -> f64 {
    share(translations, references, |translation, reference| {
        let said = runs(translation, 1);
        runs(reference, 1).iter().map(|(word, &count)| count.min(said.get(word).copied().unwrap_or(0))).sum()
    })
}

fn share<S: AsRef<[u8]>>(translations: &[S], references: &[S], right: impl Fn(&[u8], &[u8]) -> usize) -> f64 {
    assert_eq!(translations.len(), references.len(), "a reference for each translation");
    let pairs = translations.iter().zip(references);
    let right: usize = pairs.map(|(translation, reference)| right(translation.as_ref(), reference.as_ref())).sum();
    let all: usize = references.iter().map(|reference| reference.as_ref().len()).sum();
    right as f64 / all as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bleu_is_what_its_definition_says() {
        let reference = vec![1, 2, 3, 4, 5, 6];
        assert!((bleu(std::slice::from_ref(&reference), std::slice::from_ref(&reference)) - 1.0).abs() < 1e-12);
        // Runs that are right: 5 of 6 words, 4 of 5 pairs, 3 of 4 triples, 2 of 3 fours.
        let almost = bleu(&[vec![1, 2, 3, 4, 5, 9]], std::slice::from_ref(&reference));
        assert!((almost - (5.0f64 / 6.0 * 4.0 / 5.0 * 3.0 / 4.0 * 2.0 / 3.0).powf(0.25)).abs() < 1e-12);
        let short = bleu(&[vec![1, 2, 3, 4]], std::slice::from_ref(&reference));
        assert!((short - (1.0f64 - 6.0 / 4.0).exp()).abs() < 1e-12, "everything is right, but two words are missing");
        assert_eq!(bleu(&[vec![6, 5, 4, 3, 2, 1]], std::slice::from_ref(&reference)), 0.0);
        // A word that is said too often counts as often as it should be said.
        let twice = bleu(&[vec![1, 2, 3, 4, 1, 1]], &[reference]);
        assert!((twice - (4.0f64 / 6.0 * 3.0 / 5.0 * 2.0 / 4.0 * 1.0 / 3.0).powf(0.25)).abs() < 1e-12);
    }

    #[test]
    fn words_are_counted_at_their_places_and_anywhere() {
        let (said, meant) = ([vec![1, 2, 3], vec![4]], [vec![1, 3, 2], vec![4, 4]]);
        assert!((in_place(&said, &meant) - 2.0 / 5.0).abs() < 1e-12);
        assert!((in_any_order(&said, &meant) - 4.0 / 5.0).abs() < 1e-12);
    }
}
