//! Digits drawn by the program: data for a machine that reaches no source.
//!
//! Each digit has a few ways to be written, each a list of strokes in a unit box. A sample takes one, bends it by a smooth random warp,
//! slants, turns and scales it, and inks it with a pen whose width varies along the stroke: coverage falls off with the distance to the
//! path, so edges are smooth at every size.

use std::f32::consts::TAU;

use super::catalogue::DatasetInfo;
use super::{Dataset, Split};
use crate::rng::Rng;

/// The name to give as `data.name`.
pub(super) const NAME: &str = "glyphs";

pub(super) fn count(split: Split) -> usize {
    match split {
        Split::Train => 20_000,
        Split::Test => 4_000,
    }
}

pub(super) fn seed(split: Split) -> u64 {
    match split {
        Split::Train => 1,
        Split::Test => 2,
    }
}

pub(super) fn info() -> DatasetInfo {
    DatasetInfo {
        name: NAME,
        what: "digits drawn by edgegen itself",
        licence: "MIT OR Apache-2.0",
        count: [count(Split::Train), count(Split::Test)],
        shape: [28, 28, 1],
        rate: None,
        classes: 10,
        bytes: 0,
        sources: Vec::new(),
        folder: None,
        present: true,
    }
}

/// Draws `count` labelled grey digits of `side`×`side` pixels, white on black, the classes 0 to 9 in turn.
///
/// Image `i` depends on `seed` and `i` alone.
pub fn glyphs(count: usize, seed: u64, side: usize) -> Dataset {
    let mut images = vec![0; count * side * side];
    let mut labels = Vec::with_capacity(count);
    for (index, image) in images.chunks_exact_mut(side * side).enumerate() {
        let digit = index % 10;
        let mut rng = Rng::new(seed, index as u64);
        draw(digit, &mut rng, image, side);
        labels.push(digit as u8);
    }
    Dataset { name: NAME.to_owned(), images, labels: Some(labels), class_names: Vec::new(), shape: [side, side, 1] }
}

type Point = [f32; 2];

/// A part of a digit in one movement of the pen; x to the right, y down, height 1.
enum Stroke {
    /// Through the points in a smooth curve (Catmull-Rom).
    Curve(&'static [Point]),
    /// Through the points with corners.
    Line(&'static [Point]),
}

use Stroke::{Curve, Line};

/// Ways to write each digit. A way that stands twice is twice as frequent.
#[rustfmt::skip] // a line a stroke
const DIGITS: [&[&[Stroke]]; 10] = [
    &[
        &[Curve(&[[0.42, 0.02], [0.2, 0.1], [0.05, 0.45], [0.14, 0.85], [0.36, 1.0], [0.58, 0.85], [0.67, 0.48], [0.58, 0.12], [0.38, 0.01]])],
        &[Curve(&[[0.5, 0.08], [0.3, 0.0], [0.08, 0.2], [0.0, 0.55], [0.12, 0.92], [0.36, 1.0], [0.62, 0.8], [0.72, 0.42], [0.56, 0.08], [0.4, 0.06]])],
    ],
    &[
        &[Line(&[[0.35, 0.0], [0.35, 1.0]])],
        &[Line(&[[0.36, 0.0], [0.34, 1.0]])],
        &[Line(&[[0.16, 0.22], [0.38, 0.0], [0.38, 1.0]])],
        &[Line(&[[0.14, 0.24], [0.38, 0.0], [0.38, 1.0]]), Line(&[[0.14, 1.0], [0.62, 1.0]])],
    ],
    &[
        &[
            Curve(&[[0.06, 0.25], [0.16, 0.06], [0.36, 0.0], [0.57, 0.09], [0.61, 0.3], [0.46, 0.56], [0.22, 0.8], [0.03, 0.98]]),
            Line(&[[0.03, 0.98], [0.68, 0.97]]),
        ],
        &[Curve(&[
            [0.08, 0.18], [0.3, 0.0], [0.57, 0.1], [0.58, 0.36], [0.36, 0.74], [0.14, 0.96], [0.02, 0.93], [0.1, 0.79], [0.32, 0.86], [0.52, 0.98], [0.72, 0.9],
        ])],
    ],
    &[
        &[
            Curve(&[[0.08, 0.12], [0.3, 0.0], [0.55, 0.09], [0.55, 0.3], [0.28, 0.46]]),
            Curve(&[[0.28, 0.46], [0.56, 0.53], [0.65, 0.74], [0.5, 0.95], [0.26, 1.0], [0.04, 0.88]]),
        ],
        &[
            Line(&[[0.08, 0.02], [0.6, 0.02], [0.3, 0.4]]),
            Curve(&[[0.3, 0.4], [0.56, 0.48], [0.65, 0.7], [0.5, 0.94], [0.26, 1.0], [0.04, 0.88]]),
        ],
    ],
    &[
        &[Line(&[[0.13, 0.0], [0.06, 0.52], [0.66, 0.5]]), Line(&[[0.52, 0.04], [0.48, 1.0]])],
        &[Line(&[[0.5, 1.0], [0.52, 0.0], [0.02, 0.66], [0.72, 0.65]])],
        &[Curve(&[[0.1, 0.0], [0.04, 0.3], [0.1, 0.5], [0.32, 0.54], [0.58, 0.44]]), Line(&[[0.6, 0.02], [0.56, 1.0]])],
    ],
    &[
        &[
            Line(&[[0.62, 0.02], [0.18, 0.02], [0.12, 0.43]]),
            Curve(&[[0.12, 0.43], [0.36, 0.37], [0.6, 0.48], [0.64, 0.72], [0.48, 0.95], [0.22, 1.0], [0.03, 0.88]]),
        ],
        &[
            Line(&[[0.7, 0.0], [0.24, 0.05]]),
            Curve(&[[0.24, 0.05], [0.14, 0.38], [0.34, 0.46], [0.56, 0.58], [0.58, 0.8], [0.36, 0.98], [0.04, 0.94]]),
        ],
    ],
    &[
        &[Curve(&[[0.5, 0.0], [0.25, 0.18], [0.09, 0.5], [0.09, 0.8], [0.28, 1.0], [0.52, 0.93], [0.6, 0.72], [0.46, 0.55], [0.26, 0.57], [0.1, 0.74]])],
        &[Curve(&[[0.34, 0.0], [0.14, 0.3], [0.06, 0.66], [0.16, 0.93], [0.4, 1.0], [0.6, 0.86], [0.58, 0.66], [0.36, 0.6], [0.14, 0.72]])],
    ],
    &[
        &[Line(&[[0.05, 0.03], [0.63, 0.03], [0.28, 1.0]])],
        &[Line(&[[0.05, 0.03], [0.63, 0.03], [0.28, 1.0]]), Line(&[[0.22, 0.5], [0.62, 0.48]])],
        &[Curve(&[[0.04, 0.2], [0.06, 0.06], [0.3, 0.05], [0.62, 0.02]]), Curve(&[[0.62, 0.02], [0.46, 0.32], [0.34, 0.64], [0.3, 1.0]])],
    ],
    &[
        &[Curve(&[
            [0.56, 0.12], [0.36, 0.0], [0.14, 0.1], [0.18, 0.32], [0.42, 0.5], [0.62, 0.76], [0.38, 1.0], [0.1, 0.82], [0.24, 0.56], [0.5, 0.36], [0.58, 0.14],
        ])],
        &[
            Curve(&[[0.34, 0.46], [0.12, 0.3], [0.2, 0.06], [0.4, 0.0], [0.58, 0.14], [0.52, 0.36], [0.34, 0.46]]),
            Curve(&[[0.34, 0.46], [0.1, 0.64], [0.08, 0.86], [0.34, 1.0], [0.6, 0.86], [0.58, 0.64], [0.34, 0.46]]),
        ],
    ],
    &[
        &[Curve(&[[0.56, 0.2], [0.38, 0.02], [0.12, 0.1], [0.08, 0.34], [0.26, 0.49], [0.48, 0.38], [0.57, 0.16]]), Line(&[[0.57, 0.16], [0.5, 1.0]])],
        &[Curve(&[
            [0.56, 0.18], [0.36, 0.01], [0.1, 0.12], [0.08, 0.36], [0.28, 0.48], [0.5, 0.34], [0.58, 0.14], [0.59, 0.6], [0.48, 0.92], [0.25, 1.0], [0.1, 0.9],
        ])],
        &[Curve(&[[0.54, 0.16], [0.34, 0.0], [0.1, 0.14], [0.1, 0.38], [0.3, 0.46], [0.52, 0.3], [0.55, 0.14], [0.5, 0.5], [0.34, 1.0]])],
    ],
];

/// Side of the design: lengths below are in pixels of a 28×28 image, where a digit is about 20 high.
const DESIGN_SIDE: f32 = 28.0;
/// Pieces of a curve between two of its points.
const PIECES: usize = 8;

fn draw(digit: usize, rng: &mut Rng, image: &mut [u8], side: usize) {
    let ways = DIGITS[digit];
    let strokes = ways[rng.below(ways.len())];
    let warp = Warp::new(rng);
    let mut paths: Vec<Vec<Point>> =
        strokes.iter().map(|stroke| stroke.points().into_iter().map(|p| warp.apply(p)).collect()).collect();

    let height = between(rng, 17.5, 21.0);
    let width = height * between(rng, 0.8, 1.12);
    let slant = between(rng, -0.12, 0.34);
    let (sin, cos) = between(rng, -0.14, 0.14).sin_cos();
    for point in paths.iter_mut().flatten() {
        // Slant about the middle, then turn.
        let (x, y) = ((point[0] - 0.35 - slant * (point[1] - 0.5)) * width, (point[1] - 0.5) * height);
        *point = [x * cos - y * sin, x * sin + y * cos];
    }
    centre(&mut paths, [between(rng, -1.0, 1.0), between(rng, -1.0, 1.0)]);

    let pen = Pen {
        radius: between(rng, 0.8, 1.75),
        swell: between(rng, 0.0, 0.22),
        phase: between(rng, 0.0, TAU),
        edge: between(rng, 0.9, 1.5),
    };
    let scale = side as f32 / DESIGN_SIDE;
    for path in &paths {
        let mut length = 0.0;
        for pair in path.windows(2) {
            pen.ink(pair[0], pair[1], length, image, side, scale);
            length += distance(pair[0], pair[1]);
        }
    }
}

/// Moves the middle of the box around all paths to `middle`, as seen from the middle of the image.
fn centre(paths: &mut [Vec<Point>], middle: Point) {
    for (axis, middle) in middle.into_iter().enumerate() {
        let values = || paths.iter().flatten().map(|point| point[axis]);
        let shift =
            DESIGN_SIDE / 2.0 + middle - (values().fold(f32::MAX, f32::min) + values().fold(f32::MIN, f32::max)) / 2.0;
        paths.iter_mut().flatten().for_each(|point| point[axis] += shift);
    }
}

impl Stroke {
    /// The stroke as a chain of short pieces, short enough for [`Warp`] to bend straight lines too.
    fn points(&self) -> Vec<Point> {
        let (corners, smooth) = match self {
            Curve(points) => (*points, true),
            Line(points) => (*points, false),
        };
        let at = |index: isize| corners[index.clamp(0, corners.len() as isize - 1) as usize];
        let mut points = vec![corners[0]];
        for start in 0..corners.len() as isize - 1 {
            let [before, from, to, after] = [-1, 0, 1, 2].map(|offset| at(start + offset));
            for piece in 1..=PIECES {
                let t = piece as f32 / PIECES as f32;
                points.push([0, 1].map(|axis| {
                    let (p0, p1, p2, p3) = (before[axis], from[axis], to[axis], after[axis]);
                    if smooth {
                        let (a, b, c) = (p2 - p0, 2.0 * p0 - 5.0 * p1 + 4.0 * p2 - p3, 3.0 * (p1 - p2) + p3 - p0);
                        p1 + 0.5 * t * (a + t * (b + t * c))
                    } else {
                        p1 + t * (p2 - p1)
                    }
                }));
            }
        }
        points
    }
}

/// A smooth displacement of the plane: strokes that touch still touch afterwards.
struct Warp {
    /// For each axis two waves: amplitude, the two frequencies, phase.
    waves: [[[f32; 4]; 2]; 2],
}

impl Warp {
    fn new(rng: &mut Rng) -> Self {
        // Up to half a period across the digit bends it as a whole, up to one and a half make it shaky.
        let mut wave = |amplitude: f32, frequency: f32| {
            [
                between(rng, -amplitude, amplitude),
                between(rng, -frequency, frequency),
                between(rng, -frequency, frequency),
                between(rng, 0.0, TAU),
            ]
        };
        Self { waves: [0, 1].map(|_| [wave(0.11, 0.5 * TAU), wave(0.035, 1.3 * TAU)]) }
    }

    fn apply(&self, point: Point) -> Point {
        let moved = |axis: usize| -> f32 {
            let wave =
                |&[amplitude, fx, fy, phase]: &[f32; 4]| amplitude * (fx * point[0] + fy * point[1] + phase).sin();
            point[axis] + self.waves[axis].iter().map(wave).sum::<f32>()
        };
        [moved(0), moved(1)]
    }
}

/// Lengths in design pixels.
struct Pen {
    radius: f32,
    /// Part of the radius by which the width rises and falls along the stroke.
    swell: f32,
    phase: f32,
    /// Width of the falling edge: 1 is sharp, more is blurred.
    edge: f32,
}

impl Pen {
    /// Inks the piece from `a` to `b`, which lies `along` the stroke; a pixel keeps its strongest ink.
    fn ink(&self, a: Point, b: Point, along: f32, image: &mut [u8], side: usize, scale: f32) {
        let radius = self.radius * (1.0 + self.swell * (self.phase + along * TAU / 24.0).sin());
        // Thinner than a pixel the edge would alias, whatever the scale.
        let edge = (self.edge * scale).max(0.9) / scale;
        let reach = radius + edge;
        let range = |axis: usize| {
            let low = ((a[axis].min(b[axis]) - reach) * scale).floor().max(0.0) as usize;
            let high = ((a[axis].max(b[axis]) + reach) * scale).ceil().max(0.0) as usize;
            low..high.min(side)
        };
        for row in range(1) {
            for column in range(0) {
                let pixel = [(column as f32 + 0.5) / scale, (row as f32 + 0.5) / scale];
                let coverage = ((radius - distance_to_piece(pixel, a, b)) / edge + 0.5).clamp(0.0, 1.0);
                let value = (coverage * coverage * (3.0 - 2.0 * coverage) * 255.0).round() as u8;
                let target = &mut image[row * side + column];
                *target = value.max(*target);
            }
        }
    }
}

fn distance(a: Point, b: Point) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

fn distance_to_piece(point: Point, a: Point, b: Point) -> f32 {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let squared = dx * dx + dy * dy;
    let t =
        if squared > 0.0 { (((point[0] - a[0]) * dx + (point[1] - a[1]) * dy) / squared).clamp(0.0, 1.0) } else { 0.0 };
    distance(point, [a[0] + t * dx, a[1] + t * dy])
}

fn between(rng: &mut Rng, low: f32, high: f32) -> f32 {
    low + (high - low) * rng.unit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_images_and_another_seed_others() {
        let (a, b, c) = (glyphs(30, 5, 28), glyphs(30, 5, 28), glyphs(30, 6, 28));
        assert!(a == b && a.images != c.images);
        assert_eq!(glyphs(10, 5, 28).images, a.images[..10 * 784]);
        assert_eq!(a.labels.as_deref().unwrap()[8..12], [8, 9, 0, 1]);
    }

    #[test]
    fn digits_are_inked_and_stay_inside() {
        for side in [14, 28, 64] {
            let dataset = glyphs(500, 3, side);
            for index in 0..dataset.len() {
                let image = dataset.image(index);
                let ink = image.iter().map(|&v| f32::from(v)).sum::<f32>() / (255 * side * side) as f32;
                assert!((0.03..0.4).contains(&ink), "image {index} of side {side}: ink {ink}");
                let corners = [0, side - 1, side * (side - 1), side * side - 1].map(|at| image[at]);
                assert_eq!(corners, [0; 4], "image {index} of side {side}");
            }
        }
    }

    /// The nearest class mean recognises most digits: they are varied, but they are digits.
    #[test]
    fn classes_can_be_told_apart() {
        let (train, test) = (glyphs(2000, 1, 28), glyphs(500, 2, 28));
        let mut means = vec![[0f32; 784]; 10];
        for index in 0..train.len() {
            for (mean, &pixel) in means[index % 10].iter_mut().zip(train.image(index)) {
                *mean += f32::from(pixel) / 200.0;
            }
        }
        let nearest = |image: &[u8]| {
            let error =
                |mean: &[f32; 784]| mean.iter().zip(image).map(|(m, &p)| (m - f32::from(p)).powi(2)).sum::<f32>();
            (0..10).min_by(|&a, &b| error(&means[a]).total_cmp(&error(&means[b]))).unwrap()
        };
        let right = (0..test.len()).filter(|&index| nearest(test.image(index)) == index % 10).count();
        assert!(right > 350, "{right} of 500");
    }
}
