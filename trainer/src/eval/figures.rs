//! All measures of one set of images.

use edgegen_metrics::neighbours::{self, Memorisation, Overlap};
use edgegen_metrics::{Features, classes, frechet, mmd, parzen, pixels, sliced};
use serde::Serialize;

use super::rotations;
use crate::data::Dataset;
use crate::judge::{Judge, Seen};
use crate::rng::Rng;

/// Neighbours of precision, recall, density and coverage.
const NEIGHBOURS: usize = 3;
/// Images of each set that precision, recall, density and coverage look at.
const OVERLAP: usize = 3_000;
/// Generated images whose nearest training images are looked for.
const NEAREST: usize = 1_000;
/// Images of each set in the two-sample test.
const TESTED: usize = 500;

/// Test images that are turned to see how well a judge of rotations does.
const TURNED: usize = 500;
/// Images of each set, training, test and generated ones, without which there is nothing to measure.
pub const LEAST: usize = 10;
/// The same for KID, and for precision, recall, density and coverage: with fewer, chance decides.
const LEAST_COMPARED: usize = 50;
/// The same for two-sample tests, which halve the sets.
const LEAST_TESTED: usize = 20;
/// The same for memorisation, which asks how near the nearest hundredth of the test images are, and for Parzen windows.
const LEAST_NEAREST: usize = 100;

/// Real images, seen once for all that are compared with them.
#[derive(Debug)]
pub struct Reference {
    shape: [usize; 3],
    test: Seen,
    /// Pixels of all training images, of test images and of training images that play the part of generated ones.
    train_pixels: Features,
    held_out: Features,
    test_pixels: Features,
    validation: Features,
    /// Training images, as many as are generated: the floor of every distance.
    pub floor: Figures,
    /// Share of the test images, or of their turns, that the judge classifies right.
    pub judge_accuracy: f64,
}

/// How one set of images does. Distances: 0 is perfect, but the floor is what real images come to.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Fréchet distance to the test images in the judge's features.
    pub frechet: f64,
    /// It over that of real training images.
    pub frechet_over_floor: f64,
    /// KID × 1000 in the judge's standardised features, and its deviation over subsets.
    pub kid: [f64; 2],
    /// Share of images that look real (k = 3).
    pub precision: f64,
    /// Share of real images that the generator's balls reach.
    pub recall: f64,
    /// Mean number of real balls around an image, over k.
    pub density: f64,
    /// Share of real images with a generated one in their ball.
    pub coverage: f64,
    /// Share of each class, by the judge; of one that knows no classes nothing.
    pub histogram: Vec<f64>,
    /// Mean probability of the most likely class.
    pub confidence: f64,
    /// Share of images of the class that was asked for, where classes can be asked for (GAN-test).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<f64>,
    /// Sliced Wasserstein distance of pixels in [0, 1], 256 directions.
    pub sliced: f64,
    /// p-value of MMD² in the judge's features, 500 of each, 199 permutations.
    pub mmd_p: f64,
    /// p-value of a linear classifier in the judge's features, 500 of each, 199 permutations.
    pub classifier_p: f64,
    /// Median distance to the nearest training image over that of test images.
    pub nearest_ratio: f64,
    /// Share of images nearer to a training image than all but 1 % of the test images.
    pub too_near: f64,
    /// Energy of the two-pixel pattern over the mean of other frequencies.
    pub checkerboard: f64,
    /// Parzen log-likelihood in nats and its error, by the protocol of 2014: a historical row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parzen: Option<[f64; 2]>,
}

/// What is wrong with a set of images.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// Images lie nearer to training images than held-out ones do.
    Memorises,
    /// This class is made less than half as often as it should be.
    ClassMissing(usize),
    /// Recall is under two thirds of that of real images: one kind of image, or all alike.
    Narrow,
    /// Precision is under two thirds of that of real images.
    Unrealistic,
    /// The Fréchet distance is over ten times the floor.
    Far,
}

impl Reference {
    /// Looks at the real images, at least [`LEAST`] of each set; `count` is how many will be generated.
    pub fn new(judge: &Judge, train: &Dataset, test: &Dataset, count: usize, seed: u64, with_parzen: bool) -> Self {
        let all = |set: &Dataset| (0..set.len()).map(|index| set.image(index).to_vec()).collect::<Vec<_>>();
        let (train_images, test_images) = (all(train), all(test));
        let seen = judge.look(&test_images);
        let accuracy = |found: &[usize], set: &Dataset| {
            let labels: Vec<usize> = set.labels.iter().flatten().map(|&label| usize::from(label)).collect();
            if labels.is_empty() { f64::NAN } else { classes::accuracy(found, &labels) }
        };
        let judge_accuracy = if judge.of_rotations {
            let turned = rotations::turned(test, TURNED);
            accuracy(&judge.look(&all(&turned)).classes, &turned)
        } else {
            accuracy(&seen.classes, test)
        };
        let pixels_of = |images: &[Vec<u8>]| Features::from_pixels(images.iter().map(Vec::as_slice));
        let train_pixels = pixels_of(&train_images);
        let test_pixels = pixels_of(&test_images);
        let mut reference = Self {
            shape: train.shape,
            held_out: test_pixels.first(NEAREST),
            validation: train_pixels.select(train_pixels.len().saturating_sub(10_000)..train_pixels.len()).first(1_000),
            train_pixels,
            test_pixels,
            test: seen,
            floor: Figures::unknown(),
            judge_accuracy,
        };
        // At random: a data set may be sorted, or, as MNIST is, its sources take turns, so that every sixth image is no fair choice.
        let mut order: Vec<usize> = (0..train_images.len()).collect();
        Rng::new(seed, 2).shuffle(&mut order);
        let real: Vec<Vec<u8>> = order.iter().take(count).map(|&index| train_images[index].clone()).collect();
        reference.floor = reference.figures(judge, &real, None, seed, with_parzen);
        reference.floor.frechet_over_floor = 1.0;
        reference
    }

    /// All figures of `images`; `asked` are the classes that were asked for.
    ///
    /// A measure that needs more images than there are is not a number; [`Reference::left_out`] says which and why.
    pub fn figures(
        &self,
        judge: &Judge,
        images: &[Vec<u8>],
        asked: Option<&[usize]>,
        seed: u64,
        with_parzen: bool,
    ) -> Figures {
        let seen = judge.look(images);
        let enough = |needed: usize| self.fewest().min(images.len()) >= needed;
        let (test, made) = (&self.test.features, &seen.features);
        let mut figures = Figures::unknown();
        if enough(self.for_frechet()) {
            figures.frechet = frechet::distance(test, made);
            figures.frechet_over_floor = figures.frechet / self.floor.frechet;
        }
        if enough(LEAST_COMPARED) {
            let kid = mmd::kid(test, made, 50, 1_000, seed);
            figures.kid = [1e3 * kid.mean, 1e3 * kid.deviation];
            let overlap = neighbours::overlap(&test.first(OVERLAP), &made.first(OVERLAP), NEIGHBOURS);
            Overlap {
                precision: figures.precision,
                recall: figures.recall,
                density: figures.density,
                coverage: figures.coverage,
            } = overlap;
        }
        let own = Features::from_pixels(images.iter().map(Vec::as_slice));
        if enough(LEAST_NEAREST) {
            let found = neighbours::memorisation(&self.train_pixels, &self.held_out, &own.first(NEAREST));
            (figures.nearest_ratio, figures.too_near) = (found.ratio, found.too_near);
            figures.parzen = with_parzen.then(|| {
                let found = parzen::log_likelihood(&own.first(10_000), &self.validation, &self.test_pixels);
                [found.mean, found.error]
            });
        }
        if enough(LEAST_TESTED) {
            let (real, made) = (test.first(TESTED), made.first(TESTED));
            figures.mmd_p = mmd::test(&real, &made, 199, seed).p_value;
            figures.classifier_p = edgegen_metrics::two_sample::test(&real, &made, 199, seed).p_value;
        }
        if !judge.of_rotations {
            let counts = classes::histogram(&seen.classes, judge.classes());
            figures.histogram = counts.iter().map(|&count| count as f64 / images.len() as f64).collect();
        }
        figures.confidence = seen.confidence;
        figures.asked = asked.map(|asked| classes::accuracy(&seen.classes, asked));
        figures.sliced = sliced::distance(&self.test_pixels, &own, 256, seed);
        figures.checkerboard = pixels::checkerboard(images.iter().map(Vec::as_slice), self.shape);
        figures
    }

    /// Images of the smaller real set.
    fn fewest(&self) -> usize {
        self.test.features.len().min(self.train_pixels.len())
    }

    /// Images whose covariance can have full rank.
    fn for_frechet(&self) -> usize {
        self.test.features.dims() + 1
    }

    /// Measures that were left out, because there are too few real images for them: a sentence each.
    pub fn left_out(&self) -> Vec<String> {
        let needs = [
            (self.for_frechet(), "the Fréchet distance needs"),
            (LEAST_COMPARED, "KID, precision, recall, density and coverage need"),
            (LEAST_NEAREST, "the nearest training images, copies and Parzen windows need"),
            (LEAST_TESTED, "the two-sample tests need"),
        ];
        let (train, test) = (self.train_pixels.len(), self.test.features.len());
        needs
            .iter()
            .filter(|(needed, _)| self.fewest() < *needed)
            .map(|(needed, what)| {
                format!("left out: {what} {needed} images of each set, found {train} for training and {test} for tests")
            })
            .collect()
    }

    /// What is wrong with a set of images, by its figures.
    pub fn flags(&self, figures: &Figures) -> Vec<Flag> {
        let floor = &self.floor;
        let mut flags = Vec::new();
        let near = Memorisation { ratio: figures.nearest_ratio, too_near: figures.too_near };
        // Far from the training set is not copied from it.
        if near.too_near > 0.05 || near.ratio < 0.8 {
            flags.push(Flag::Memorises);
        }
        let classes = figures.histogram.iter().zip(&floor.histogram).enumerate();
        flags.extend(
            classes.filter(|(_, (share, real))| **share < 0.5 * **real).map(|(class, _)| Flag::ClassMissing(class)),
        );
        if figures.recall < floor.recall * 2.0 / 3.0 {
            flags.push(Flag::Narrow);
        }
        if figures.precision < floor.precision * 2.0 / 3.0 {
            flags.push(Flag::Unrealistic);
        }
        if figures.frechet_over_floor > 10.0 {
            flags.push(Flag::Far);
        }
        flags
    }
}

impl Figures {
    /// Before anything is known.
    fn unknown() -> Self {
        let nan = f64::NAN;
        Self {
            frechet: nan,
            frechet_over_floor: nan,
            kid: [nan; 2],
            precision: nan,
            recall: nan,
            density: nan,
            coverage: nan,
            histogram: Vec::new(),
            confidence: nan,
            asked: None,
            sliced: nan,
            mmd_p: nan,
            classifier_p: nan,
            nearest_ratio: nan,
            too_near: nan,
            checkerboard: nan,
            parzen: None,
        }
    }
}
