//! What styles and noise decide: how often an attribute of an image is another one when some layers follow a second
//! latent vector (Karras et al., "A Style-Based Generator Architecture", 2019, §3.1), or when the noise is another
//! (§3.2). Beside them how often that is so of two images that have nothing to do with each other.

use anyhow::Result;
use edgegen_runtime::Point;
use edgegen_runtime::latent::{Noise, Style};
use serde::Serialize;

use crate::cli::mix::range;
use crate::cli::source::Source;
use crate::cli::table_of;
use crate::eval::Judge;

/// Images that are changed.
const COUNT: u64 = 500;

/// One change, with what became of the images.
#[derive(Debug, Serialize)]
pub struct Row {
    change: String,
    /// Mean difference of a pixel in grey levels.
    levels: f64,
    /// Share of images whose attribute, or class where the judge knows no attributes, is another one by the judge.
    others: Vec<Other>,
}

#[derive(Debug, Serialize)]
struct Other {
    attribute: String,
    share: f64,
}

/// Changes the images of the seeds from `seed` on in each way; nothing of a generator without styles.
///
/// # Errors
///
/// If the images cannot be drawn.
pub fn rows(source: &Source, judge: &Judge, seed: u64) -> Result<Vec<Row>> {
    let styles = source.styles()?;
    if styles == 0 || judge.of_rotations {
        return Ok(Vec::new());
    }
    // The second seeds are none of the first.
    let pair = |index: u64| [seed.wrapping_add(index), seed.wrapping_add(COUNT + index)];
    let images = |point: &dyn Fn([u64; 2]) -> Point| {
        let points: Vec<Point> = (0..COUNT).map(|index| point(pair(index))).collect();
        source.images_at(&points, &[])
    };
    let own = |seed: u64| Point::seed(seed).with_noise(Noise::Seed(seed));
    let before = images(&|[first, _]| own(first))?;
    let seen = Seen::of(judge, &before);
    let row = |change: String, after: Vec<Vec<u8>>| Row {
        change,
        levels: difference(&before, &after),
        others: seen.changed(&Seen::of(judge, &after)),
    };
    let mut rows = Vec::new();
    for part in ["coarse", "middle", "fine"] {
        let Ok([first, end]) = range(part, styles) else { continue };
        let after = images(&|[seed, other]| own(seed).styled(Style::of(other, first, end)))?;
        rows.push(row(format!("{part} styles, layers {first}..{end}"), after));
    }
    rows.push(row("noise".into(), images(&|[seed, other]| Point::seed(seed).with_noise(Noise::Seed(other)))?));
    rows.push(row("all: another image".into(), images(&|[_, other]| own(other))?));
    Ok(rows)
}

/// What a judge sees, attribute by attribute, or the classes.
struct Seen(Vec<(String, Vec<usize>)>);

impl Seen {
    fn of(judge: &Judge, images: &[Vec<u8>]) -> Self {
        let seen = judge.look(images);
        let names = judge.attributes().iter().map(|attribute| attribute.name.clone());
        let words: Vec<_> = names.zip(seen.words).collect();
        Self(if words.is_empty() { vec![("class".into(), seen.classes)] } else { words })
    }

    fn changed(&self, after: &Self) -> Vec<Other> {
        let pairs = self.0.iter().zip(&after.0);
        let other = |(attribute, before): &(String, Vec<usize>), after: &[usize]| {
            let others = before.iter().zip(after).filter(|(before, after)| before != after).count();
            Other { attribute: attribute.clone(), share: others as f64 / before.len().max(1) as f64 }
        };
        pairs.map(|(before, (_, after))| other(before, after)).collect()
    }
}

/// Mean difference of a pixel.
fn difference(before: &[Vec<u8>], after: &[Vec<u8>]) -> f64 {
    let pairs = || before.iter().flatten().zip(after.iter().flatten());
    pairs().map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / pairs().count().max(1) as f64
}

/// A table with a column for each attribute, or nothing.
pub fn text(rows: &[Row]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let attributes = first.others.iter().map(|other| &*other.attribute);
    let header: Vec<&str> = ["changed", "levels"].into_iter().chain(attributes).collect();
    let cells = |row: &Row| {
        let shares = row.others.iter().map(|other| format!("{:.1} %", 100.0 * other.share));
        [row.change.clone(), format!("{:.1}", row.levels)].into_iter().chain(shares).collect()
    };
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    format!("\nimages that show something else when this is changed, of {COUNT}\n{}", table_of(&header, &rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted_by_attribute() {
        let seen =
            |hair: &[usize], eyes: &[usize]| Seen(vec![("hair".into(), hair.into()), ("eyes".into(), eyes.into())]);
        let changed = seen(&[1, 2, 3, 4], &[0; 4]).changed(&seen(&[1, 0, 3, 5], &[0; 4]));
        assert_eq!(changed.iter().map(|other| other.share).collect::<Vec<_>>(), [0.5, 0.0]);
        assert_eq!(difference(&[vec![0, 10]], &[vec![4, 8]]), 3.0);
        assert_eq!(text(&[]), "");
        let row = Row { change: "noise".into(), levels: 1.25, others: changed };
        assert!(text(&[row]).contains("50.0 %"));
    }
}
