//! What images show of what is known of them or was asked for, attribute by attribute.

use crate::data::{Attributes, UNSEEN};

/// Each attribute by name, with the share of images on which `seen`, a judge's words attribute by attribute, is what
/// `known` says of the images `indices`, in this order. Those that do not show it do not count.
pub fn right(
    known: &Attributes,
    seen: &[Vec<usize>],
    indices: impl Iterator<Item = usize> + Clone,
) -> Vec<(String, f64)> {
    let share = |(attribute, (name, seen)): (usize, (&String, &Vec<usize>))| {
        let pairs = indices.clone().zip(seen).map(|(index, &seen)| (known.of(index)[attribute], seen));
        let shown = pairs.filter(|&(value, _)| value != UNSEEN);
        let (mut count, mut right) = (0, 0);
        shown.for_each(|(value, seen)| {
            count += 1;
            right += usize::from(usize::from(value) == seen);
        });
        (name.clone(), f64::from(right as u32) / f64::from(count.max(1)))
    };
    known.names.iter().zip(seen).enumerate().map(share).collect()
}
