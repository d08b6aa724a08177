//! Icons of 5 × 5 pixels, for panels that have no more: data drawn by the program itself.
//!
//! Eighty drawings in ten families, which are the classes. A sample takes a drawing of its class, mirrors it or not, and lights it by a lamp
//! from a random side. So a generator has something to learn that no list of drawings holds.

use super::catalogue::DatasetInfo;
use super::{Dataset, Split};
use crate::rng::Rng;

/// The name to give as `data.name`.
pub(super) const NAME: &str = "icons";

/// Pixels of a side.
const SIDE: usize = 5;

pub(super) fn count(split: Split) -> usize {
    match split {
        Split::Train => 20_000,
        Split::Test => 4_000,
    }
}

pub(super) fn seed(split: Split) -> u64 {
    match split {
        Split::Train => 3,
        Split::Test => 4,
    }
}

pub(super) fn info() -> DatasetInfo {
    DatasetInfo {
        name: NAME,
        what: "icons of five by five pixels drawn by edgegen itself",
        licence: "MIT OR Apache-2.0",
        count: [count(Split::Train), count(Split::Test)],
        shape: [SIDE, SIDE, 1],
        rate: None,
        classes: FAMILIES.len(),
        bytes: 0,
        sources: Vec::new(),
        folder: None,
        present: true,
    }
}

/// The families, by their numbers.
const NAMES: [&str; 10] =
    ["heart", "face", "arrow", "animal", "house", "plant", "weather", "vehicle", "visitor", "thing"];

/// The drawings, row after row from the top, brightness 0 to 9.
const FAMILIES: [[&str; 8]; 10] = [
    // Hearts.
    [
        "09090 99999 99999 09990 00900",
        "09090 90909 90009 09090 00900",
        "00000 09090 09990 00900 00000",
        "09090 99999 94949 09490 00900",
        "09090 96969 96669 09690 00900",
        "09090 99949 99499 09990 00900",
        "99099 99999 99999 09990 00900",
        "09060 99966 99966 09960 00900",
    ],
    // Faces.
    [
        "09090 09090 00000 90009 09990",
        "09090 09090 00000 09990 90009",
        "09090 00000 09990 09090 09990",
        "09090 00000 99999 05550 00000",
        "90009 09090 00000 09990 00000",
        "09090 00000 00000 99999 00000",
        "99099 00000 00600 90009 09990",
        "00090 99000 00000 90009 09990",
    ],
    // Arrows.
    [
        "00900 09990 90909 00900 00900",
        "00900 00900 90909 09990 00900",
        "00900 09000 99999 09000 00900",
        "00900 00090 99999 00090 00900",
        "99990 99000 90900 90090 00009",
        "09999 00099 00909 09009 90000",
        "00900 09990 99999 00900 00900",
        "09000 00900 00090 00900 09000",
    ],
    // Animals.
    [
        "09000 99000 09999 09990 09090",
        "90090 99990 96960 99990 09900",
        "00000 99009 99990 99909 00000",
        "90009 99099 99999 90909 00900",
        "00990 09909 99999 09990 00600",
        "00000 06600 69960 99999 90909",
        "09009 99999 09990 90909 00000",
        "00099 00009 90009 99999 09090",
    ],
    // Houses.
    [
        "00900 09990 99999 09990 09090",
        "00900 09990 90009 09990 09090",
        "90909 99999 09990 09990 09090",
        "00900 00900 09990 09990 99999",
        "00000 09990 99999 90909 90909",
        "09999 09090 09990 09090 09999",
        "00900 09990 09590 09590 99999",
        "99999 95959 99999 95959 99999",
    ],
    // Plants.
    [
        "00900 09990 99999 00600 00600",
        "09990 99999 09990 00600 00600",
        "00900 09990 00600 60606 06660",
        "09090 00900 09090 00600 06660",
        "00900 09990 09990 99999 00600",
        "09900 99990 09960 00600 00660",
        "90909 09990 00900 00600 09990",
        "00990 06990 06600 06000 66600",
    ],
    // Weather.
    [
        "90909 09990 99999 09990 90909",
        "00000 09900 99999 99999 00000",
        "09900 99999 00000 60606 06060",
        "00990 09900 99990 00900 09000",
        "09990 99000 99000 99000 09990",
        "09990 99999 90909 00900 00990",
        "00600 60906 09990 60906 00600",
        "00000 99990 00009 09990 00000",
    ],
    // Vehicles.
    [
        "00900 00990 00999 99999 09990",
        "00000 09990 99999 09090 00000",
        "00900 09990 09990 99999 90909",
        "90000 99000 99999 99000 90000",
        "00000 99909 99999 60606 00000",
        "00909 00999 99999 96969 06060",
        "00900 99999 00900 00900 09990",
        "00000 00600 09990 99999 09990",
    ],
    // Visitors from space.
    [
        "09090 09990 90909 99999 90009",
        "90009 09990 99099 99999 09090",
        "00900 09990 90909 09990 90009",
        "99999 90909 99999 09090 99099",
        "09990 99999 90909 99999 90909",
        "90909 99999 09990 90909 09090",
        "00900 99999 95959 99999 09090",
        "09990 90909 99999 00900 99099",
    ],
    // Things.
    [
        "00990 00990 00900 99900 99900",
        "00999 00909 00909 99099 99099",
        "99900 90900 99999 00909 00009",
        "00900 00900 00900 09990 00900",
        "99999 90009 09090 00900 09990",
        "99990 99999 99999 99990 09900",
        "09990 90909 90999 90009 09990",
        "00009 00090 90900 09000 00000",
    ],
];

/// Draws `count` labelled icons of 5 × 5 grey pixels, light on dark, the families in turn.
///
/// Image `i` depends on `seed` and `i` alone.
pub(super) fn icons(count: usize, seed: u64) -> Dataset {
    let mut images = vec![0; count * SIDE * SIDE];
    let mut labels = Vec::with_capacity(count);
    for (index, image) in images.chunks_exact_mut(SIDE * SIDE).enumerate() {
        let family = index % FAMILIES.len();
        draw(&FAMILIES[family], &mut Rng::new(seed, index as u64), image);
        labels.push(family as u8);
    }
    let class_names = NAMES.map(str::to_owned).to_vec();
    Dataset { name: NAME.to_owned(), images, labels: Some(labels), class_names, shape: [SIDE, SIDE, 1] }
}

fn draw(family: &[&str; 8], rng: &mut Rng, image: &mut [u8]) {
    let drawing = family[((rng.unit() * 8.0) as usize).min(7)];
    let mirrored = rng.unit() < 0.5;
    // Up to full light on its side of the panel, down to seven tenths on the other.
    let [to_right, to_bottom] = [0; 2].map(|_| 0.15 * (rng.unit() - 0.5));
    for (y, row) in drawing.split(' ').enumerate() {
        for (x, level) in row.bytes().enumerate() {
            let x = if mirrored { SIDE - 1 - x } else { x };
            let [right, down] = [x, y].map(|at| at as f32 / 2.0 - 1.0);
            let light = 0.85 + to_right * right + to_bottom * down;
            image[y * SIDE + x] = (f32::from(level - b'0') / 9.0 * 255.0 * light).round() as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawings_are_five_rows_of_five_levels_and_no_two_the_same() {
        let mut seen = std::collections::BTreeSet::new();
        for drawing in FAMILIES.concat() {
            let rows: Vec<&str> = drawing.split(' ').collect();
            assert!(rows.len() == SIDE && rows.iter().all(|row| row.len() == SIDE), "{drawing}");
            assert!(rows.concat().bytes().all(|level| level.is_ascii_digit()), "{drawing}");
            assert!(seen.insert(drawing), "{drawing} stands twice");
        }
    }

    #[test]
    fn icons_are_lit_differently_and_never_dark() {
        let set = icons(1000, 3);
        assert_eq!(set.labels.as_ref().unwrap()[..11], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0]);
        let distinct: std::collections::BTreeSet<&[u8]> = (0..set.len()).map(|index| set.image(index)).collect();
        assert!(distinct.len() > 990, "{}", distinct.len());
        for index in 0..set.len() {
            assert!(set.image(index).iter().max() >= Some(&128));
        }
        assert_eq!(set, icons(1000, 3));
        assert_ne!(set.images, icons(1000, 4).images);
    }
}
