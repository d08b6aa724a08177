//! The pairs that have a name.
//!
//! Edges are found by Sobel's filter: with g the gradient of the image, one step from black to white giving |g| = 1020,
//! a pixel is white where |g| ≥ 255 and else black. Beyond its border the image goes on with its outermost pixels. In
//! colour the channel with the largest gradient counts, and the edges are white on black all the same.
//!
//! A digit is thickened by the maximum over 3×3 pixels; the target is 255 minus that. What belongs to an input is known
//! exactly, so this set tells whether a system finds the right translation.
//!
//! Emoji are paired by code point (`emoji.rs`), phones with the speech that they are in (`speech.rs`).

use std::path::Path;

use anyhow::{Result, ensure};
use edgegen_data::fit_dataset;

use super::Pairs;
use crate::data::catalogue::{self, DatasetInfo};
use crate::data::{Dataset, Split, emoji, here, load_split, name_classes, speech};
use crate::recipe::DataConfig;

/// The name to give as `data.name` for edges and clothes.
pub(crate) const EDGES: &str = "fashion-edges";

/// Pairs made from the files of a known set.
#[derive(Debug)]
pub(crate) struct Made {
    /// The name to give as `data.name`.
    pub(crate) name: &'static str,
    /// The set that has to be fetched; itself, where it is made of no other.
    pub(crate) source: &'static str,
    what: &'static str,
    make: Make,
}

/// How pairs come about.
#[derive(Debug)]
enum Make {
    /// Input and target from each image `[H, W, C]` of the source, already fitted.
    Image(fn(&[u8], [usize; 3]) -> [Vec<u8>; 2]),
    /// Inputs and targets of one part, both labelled, from the folder of the source.
    Folder { load: fn(&Path, Split) -> Result<[Dataset; 2]>, count: [usize; 2], classes: usize },
    /// As sentences are said.
    Speech,
}

/// All of them.
pub(crate) static MADE: [Made; 4] = [
    Made {
        name: EDGES,
        source: "fashion-mnist",
        what: "edges of fashion-mnist and its images, pairs",
        make: Make::Image(|image, shape| [edges(image, shape), image.to_vec()]),
    },
    Made {
        name: "mnist-negative",
        source: "mnist",
        what: "digits of mnist and the same thickened and inverted, pairs",
        make: Make::Image(|image, shape| [image.to_vec(), thick_negative(image, shape)]),
    },
    Made {
        name: "emoji-pairs",
        source: "emoji",
        what: "emoji by Google and the same by Twitter, pairs",
        make: Make::Folder { load: emoji::load_pairs, count: emoji::PAIRS, classes: emoji::CATEGORIES },
    },
    Made { name: speech::NAME, source: speech::NAME, what: "", make: Make::Speech },
];

/// The pairs of that name, if any.
pub(crate) fn made(name: &str) -> Option<&'static Made> {
    MADE.iter().find(|made| made.name == name)
}

impl Made {
    pub(crate) fn info(&self) -> DatasetInfo {
        let source = || catalogue::info(catalogue::find(self.source).expect("the catalogue has it"));
        let (source, count, classes) = match self.make {
            Make::Image(_) => {
                let source = source();
                let (count, classes) = (source.count, source.classes);
                (source, count, classes)
            }
            Make::Folder { count, classes, .. } => (source(), count, classes),
            Make::Speech => return speech::info(),
        };
        DatasetInfo { name: self.name, what: self.what, count, classes, sources: Vec::new(), ..source }
    }

    /// One part, fitted.
    pub(super) fn load(&self, config: &DataConfig, split: Split) -> Result<Pairs> {
        let pairs = match self.make {
            Make::Image(pair) => {
                let source = load_split(&DataConfig { name: self.source.to_owned(), ..config.clone() }, split)?;
                let mut images = [Vec::new(), Vec::new()];
                for index in 0..source.len() {
                    for (all, image) in images.iter_mut().zip(pair(source.image(index), source.shape)) {
                        all.extend(image);
                    }
                }
                images.map(|images| Dataset { images, ..source.clone() })
            }
            Make::Folder { load, .. } => {
                let source = catalogue::find(self.source).expect("the catalogue has it");
                // Both have labels, by which a limit chooses: it keeps the same of both.
                let mut pairs = load(&here(source)?, split)?.map(|set| fit_dataset(set, config));
                for set in &mut pairs {
                    name_classes(set, &config.classes, self.name)?;
                }
                pairs
            }
            Make::Speech => return speech::load(config, split),
        };
        let [inputs, targets] = pairs.map(|set| Dataset { name: self.name.to_owned(), ..set });
        ensure!(!targets.is_empty(), "expected at least one pair of {}, found none: check data.limit", self.name);
        Ok(Pairs { inputs, targets, matched: true })
    }
}

/// The least gradient that counts as an edge, of 1020 for a step from black to white.
const EDGE: i32 = 255;

/// White where an image `[H, W, C]` has edges.
fn edges(image: &[u8], [h, w, c]: [usize; 3]) -> Vec<u8> {
    let mut edges = Vec::with_capacity(image.len());
    for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
        let gradient = |channel: usize| {
            let at = |down: usize, right: usize| {
                let [row, column] = [(y + down).clamp(1, h) - 1, (x + right).clamp(1, w) - 1];
                i32::from(image[(row * w + column) * c + channel])
            };
            let across = at(0, 2) + 2 * at(1, 2) + at(2, 2) - at(0, 0) - 2 * at(1, 0) - at(2, 0);
            let down = at(2, 0) + 2 * at(2, 1) + at(2, 2) - at(0, 0) - 2 * at(0, 1) - at(0, 2);
            across * across + down * down
        };
        let is_edge = (0..c).any(|channel| gradient(channel) >= EDGE * EDGE);
        edges.extend(std::iter::repeat_n(if is_edge { u8::MAX } else { 0 }, c));
    }
    edges
}

/// 255 minus the largest of each 3×3 pixels of an image `[H, W, C]`, channel by channel.
fn thick_negative(image: &[u8], [h, w, c]: [usize; 3]) -> Vec<u8> {
    let mut negative = Vec::with_capacity(image.len());
    for (y, x, channel) in (0..h * w * c).map(|at| (at / c / w, at / c % w, at % c)) {
        let rows = y.saturating_sub(1)..(y + 2).min(h);
        let around = rows.flat_map(|row| (x.saturating_sub(1)..(x + 2).min(w)).map(move |column| row * w + column));
        negative.push(around.map(|pixel| u8::MAX - image[pixel * c + channel]).min().unwrap_or(u8::MAX));
    }
    negative
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_where_a_step_is_and_nowhere_else() {
        // A step of 64 levels between columns 1 and 2 gives |g| = 256, one of 63 only 252.
        let step = |height: u8| [10, 10, 10 + height, 10 + height].repeat(3);
        assert_eq!(edges(&step(64), [3, 4, 1]), [0, 255, 255, 0].repeat(3));
        assert_eq!(edges(&step(63), [3, 4, 1]), [0; 12]);
        let colour: Vec<u8> = step(64).iter().flat_map(|&value| [0, value, 9]).collect();
        assert_eq!(edges(&colour, [3, 4, 3]), [0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0].repeat(3));
        let turned: Vec<u8> = (0..12).map(|at| if at / 3 < 2 { 10 } else { 74 }).collect();
        assert_eq!(edges(&turned, [4, 3, 1]), [0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0]);
    }

    #[test]
    fn a_dot_becomes_a_dark_square_cut_at_the_border() {
        let mut dot = vec![0; 20];
        dot[7] = 200;
        let square = [[255, 55, 55, 55, 255].repeat(3), vec![255; 5]].concat();
        assert_eq!(thick_negative(&dot, [4, 5, 1]), square);
        // In the first corner, of the second channel alone; the brightest neighbour counts.
        let mut corner = vec![0; 18];
        (corner[1], corner[3]) = (100, 40);
        let mut expected = vec![255; 18];
        for pixel in [0, 1, 3, 4] {
            expected[2 * pixel + 1] = 155;
        }
        for pixel in [2, 5] {
            expected[2 * pixel + 1] = 215;
        }
        assert_eq!(thick_negative(&corner, [3, 3, 2]), expected);
    }
}
