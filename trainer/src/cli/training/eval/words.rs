//! What images show of what is known of them or was asked for, attribute by attribute.

use edgegen_data::Attribute;
use serde::Serialize;

use crate::cli::table_of;
use crate::cli::words::Vocabulary;
use crate::data::{Attributes, UNSEEN, is_held_out};
use crate::eval::Judge;

/// Each attribute by name, with the share of images on which `seen`, a judge's words attribute by attribute, is what
/// `known` says of the images `indices`, in this order. Those that do not show it do not count.
pub fn right(
    known: &Attributes,
    seen: &[Vec<usize>],
    indices: impl Iterator<Item = usize> + Clone,
) -> Vec<(String, f64)> {
    let share = |(attribute, (name, seen)): (usize, (&String, &Vec<usize>))| {
        let mut share = Share::default();
        indices.clone().zip(seen).for_each(|(index, &seen)| share.count(known.of(index)[attribute], seen));
        (name.clone(), share.of_all())
    };
    known.names.iter().zip(seen).enumerate().map(share).collect()
}

/// How often something is right.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    right: u32,
    all: u32,
}

impl Share {
    /// Counts one image: what is known, or was asked for, and what the judge sees.
    fn count(&mut self, value: u8, seen: usize) {
        if value != UNSEEN {
            self.all += 1;
            self.right += u32::from(usize::from(value) == seen);
        }
    }

    /// Not a number where there were none.
    fn of_all(self) -> f64 {
        f64::from(self.right) / f64::from(self.all)
    }
}

/// One attribute that could be asked for.
#[derive(Debug, Serialize)]
pub struct Row {
    attribute: String,
    /// Share of test images on which the judge is right: no generator can do better by much.
    real: f64,
    /// Share of generated images that show the word that was asked for.
    sets: Vec<OfSet>,
}

/// One set of generated images.
#[derive(Debug, Serialize)]
struct OfSet {
    set: String,
    /// Of combinations that training has shown.
    seen: f64,
    /// Of combinations that were held out of training.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_out: Option<f64>,
}

/// Looks at generated images, whose words are those of the seeds from `seed` on, and at the test images `test`, of
/// which `known` says what they show. An attribute that the judge does not know is left out.
pub fn rows(
    judge: &Judge,
    vocabulary: &Vocabulary,
    sets: &[(String, Vec<Vec<u8>>)],
    (test, known): (&[Vec<u8>], &Attributes),
    seed: u64,
    held_out: u8,
) -> Vec<Row> {
    let own = vocabulary.attributes();
    let head = |attribute: &Attribute| judge.attributes().iter().position(|other| other == attribute);
    let heads: Vec<Option<usize>> = own.iter().map(head).collect();
    let real = judge.look(test).words;
    let hides = Hides::new(known);
    let mut rows: Vec<Row> = own
        .iter()
        .zip(&heads)
        .enumerate()
        .filter_map(|(attribute, (Attribute { name, .. }, head))| {
            let mut share = Share::default();
            let seen = real[(*head)?].iter().enumerate();
            seen.for_each(|(index, &seen)| share.count(known.of(index)[attribute], seen));
            Some(Row { attribute: name.clone(), real: share.of_all(), sets: Vec::new() })
        })
        .collect();
    for (name, images) in sets {
        let words = judge.look(images).words;
        let mut shares = vec![[Share::default(); 2]; own.len()];
        for (index, _) in images.iter().enumerate() {
            let asked = hides.asked(&vocabulary.values(vocabulary.own_class(seed.wrapping_add(index as u64))));
            let is_held = match (&asked[..], own) {
                (&[first, second, ..], [of_first, of_second, ..]) => {
                    let word = |value: u8, attribute: &Attribute| attribute.words.get(usize::from(value)).cloned();
                    let pair = word(first, of_first).zip(word(second, of_second));
                    pair.is_some_and(|(first, second)| is_held_out([&first, &second], held_out))
                }
                _ => false,
            };
            for ((shares, &value), head) in shares.iter_mut().zip(&asked).zip(&heads) {
                if let Some(head) = head {
                    shares[usize::from(is_held)].count(value, words[*head][index]);
                }
            }
        }
        let known = shares.into_iter().zip(&heads).filter(|(_, head)| head.is_some());
        for (row, ([seen, held], _)) in rows.iter_mut().zip(known) {
            let held_out = (held_out > 0).then(|| held.of_all());
            row.sets.push(OfSet { set: name.clone(), seen: seen.of_all(), held_out });
        }
    }
    rows
}

/// Which words leave nothing to see of other attributes: a bald head of the colour of hair.
struct Hides(Vec<Vec<(usize, u8)>>);

impl Hides {
    /// By what is known of images: an attribute is hidden by a word that never comes with it.
    fn new(known: &Attributes) -> Self {
        let of = |attribute: usize| {
            let all = (0..known.names.len()).filter(|&other| other != attribute);
            let words = all.flat_map(|other| (0..known.words[other].len() as u8).map(move |value| (other, value)));
            let hides = |&(other, value): &(usize, u8)| {
                let mut with =
                    (0..known.len()).map(|index| known.of(index)).filter(|own| own[other] == value).peekable();
                with.peek().is_some() && with.all(|own| own[attribute] == UNSEEN)
            };
            words.filter(hides).collect()
        };
        Self((0..known.names.len()).map(of).collect())
    }

    /// `values` with [`UNSEEN`] for what others hide.
    fn asked(&self, values: &[usize]) -> Vec<u8> {
        let value = |(attribute, &value): (usize, &usize)| {
            let hidden = self.0[attribute].iter().any(|&(other, by)| values[other] == usize::from(by));
            if hidden { UNSEEN } else { value as u8 }
        };
        values.iter().enumerate().map(value).collect()
    }
}

/// A table of them; nothing without any.
pub fn text(rows: &[Row]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let has_held_out = first.sets.iter().any(|set| set.held_out.is_some());
    let columns = first.sets.iter().flat_map(|OfSet { set, .. }| {
        [Some(set.clone()), has_held_out.then(|| format!("{set}, held out"))].into_iter().flatten()
    });
    let head: Vec<String> =
        ["shows what was asked for".to_owned(), "real".to_owned()].into_iter().chain(columns).collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let percent = |share: f64| if share.is_nan() { "–".to_owned() } else { format!("{:.1} %", 100.0 * share) };
    let line = |row: &Row| {
        let sets = row.sets.iter().flat_map(|set| [Some(set.seen), set.held_out].into_iter().flatten());
        [row.attribute.clone(), percent(row.real)].into_iter().chain(sets.map(percent)).collect()
    };
    format!("\n{}", table_of(&head, &rows.iter().map(line).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_does_not_count() {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let known = Attributes {
            names: words(&["hair", "hair colour"]),
            words: vec![words(&["bob", "bald head"]), words(&["red", "black"])],
            values: vec![0, 0, 0, 1, 1, UNSEEN],
            phrases: Vec::new(),
        };
        let seen = [vec![0, 1, 1], vec![0, 0, 1]];
        let shares: Vec<f64> = right(&known, &seen, 0..3).into_iter().map(|(_, share)| share).collect();
        assert_eq!(shares, [2.0 / 3.0, 0.5], "the colour of a bald head is not asked for");
        let hides = Hides::new(&known);
        assert_eq!([hides.asked(&[0, 1]), hides.asked(&[1, 1])], [[0, 1], [1, UNSEEN]]);
    }
}
