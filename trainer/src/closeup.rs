//! A closer look at what a run draws, for its report: which training images lie nearest to its samples, and what int8
//! makes of them.
//!
//! It is taken of the files of a run folder and lies in a folder of its own there: two sheets, and their figures as
//! JSON.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use edgegen_export::compare::{Comparison, compare, compare_with};
use edgegen_export::cost::cost;
use edgegen_export::{COMPARED, Exported, Label, ModelFile, image_at, native, translated};
use edgegen_metrics::{Features, neighbours};
use edgegen_runtime::{Model, Point};
use serde::{Deserialize, Serialize};

use crate::data::{self, Dataset, Pairs, Plane, Split};
use crate::judge::Judge;
use crate::recipe::Recipe;
use crate::rng::Rng;
use crate::run::{GENERATOR, RECIPE, Run};
use crate::systems::{COUPLED, TRANSLATING};
use crate::{checkpoint, device, files, images};

/// The folder in a run folder.
const FOLDER: &str = "closeup";
/// Files there.
const FIGURES: &str = "closeup.json";
const NEAREST: &str = "nearest.png";
const INT8: &str = "int8.png";

/// Samples that are looked at; of a generator with classes one of each, at most [`CLASSES`].
const SAMPLES: usize = 8;
const CLASSES: usize = 10;
/// Training images whose own nearest neighbour says what is usual.
const USUAL: usize = 32;
/// Training images that are compared at a time, so that few lie in memory as floats.
const AT_A_TIME: usize = 4096;
/// Training images that the judge looks at, at most.
const JUDGED: usize = 10_000;
/// Inputs that int8 is calibrated and compared on, as `edgegen export` does; fewer where that is more products.
const CALIBRATION: usize = 256;
const PRODUCTS: u64 = 10_000_000_000;
/// Pairs that it is compared on.
const PAIRS: usize = 64;

/// What was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Closeup {
    /// The step of the weights; 0 of a folder without checkpoint.
    pub step: u64,
    /// The training images nearest to the samples.
    pub nearest: Nearest,
    /// The same samples by int8, or why there is no int8 model.
    pub int8: Result<Int8, String>,
}

/// The training images nearest to samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nearest {
    /// By pixels: root mean squares of differences in levels of 0 to 255.
    pub pixels: Distances,
    /// By the features of the judge of this data, where there is one: Euclidean.
    pub judge: Option<(String, Distances)>,
}

/// Distances of samples from the nearest of some training images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distances {
    /// How many training images.
    pub images: usize,
    /// Of each sample.
    pub samples: Vec<f32>,
    /// Median distance of training images from their nearest other one; nothing where there are few.
    pub usual: Option<f32>,
}

/// The generator as an int8 model, beside its float network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Int8 {
    /// Peak signal-to-noise ratio in dB; nothing where all pixels are equal.
    pub psnr_db: Option<f64>,
    /// Images that it is of.
    pub images: usize,
    /// Bytes of the model file.
    pub flash: u64,
    /// Bytes of working memory.
    pub ram: usize,
}

/// A closeup as it lies in a run folder, with its sheets as PNG files.
#[derive(Clone, Debug)]
pub struct Found {
    /// The figures.
    pub closeup: Closeup,
    /// Rows: samples, nearest by pixels, nearest by the judge if there is one.
    pub nearest: Vec<u8>,
    /// Rows: float, int8; nothing where there is no int8 model.
    pub int8: Option<Vec<u8>>,
}

/// What is looked at: samples with what they are made of and learned from.
struct Samples {
    train: Dataset,
    /// The pictures that a generator which reads pictures makes something of.
    pictures: Vec<Vec<u8>>,
    /// H × W × C bytes each.
    images: Vec<Vec<u8>>,
    shape: [usize; 3],
}

/// Looks at the run in `folder` and writes down what was seen; `None` of a run that draws no images (a judge, points of
/// the plane) or has no weights yet.
///
/// # Errors
///
/// If a file of the run or its data cannot be read, or the folder cannot be written.
pub fn take(folder: &Path, device: &str) -> Result<Option<Closeup>> {
    let recipe = Recipe::load(&folder.join(RECIPE))?;
    if !folder.join(GENERATOR).is_file() || Plane::chosen(&recipe.data).is_some() {
        return Ok(None);
    }
    if COUPLED.contains(&&*recipe.system) || TRANSLATING.contains(&&*recipe.system) {
        // A pair side by side has no training image that it could be near to, and numbers of words have no distances.
        return Ok(None);
    }
    let run = Run::load(folder, &device::open(device)?)?;
    let step = checkpoint::newest(folder)?.map_or(0, |(state, _)| state.step);
    let samples = samples(&run)?;
    let judge = Judge::for_images(&recipe.data.name, samples.train.shape, &device::open(device)?)?;
    let (nearest, rows) = nearest(&samples, judge.as_ref());
    let out = folder.join(FOLDER);
    images::save_grid(&out.join(NEAREST), &rows, samples.shape, samples.images.len())?;
    let int8 = quantize(&run).and_then(|(exported, comparison)| {
        let drawn = draw(&exported.file, &samples)?;
        let rows = [&samples.images[..], &drawn].concat();
        images::save_grid(&out.join(INT8), &rows, samples.shape, drawn.len())?;
        let model = Model::parse_any(exported.file.bytes())?;
        let cost = cost(&model);
        Ok(Int8 {
            psnr_db: Some(comparison.psnr_db).filter(|db| db.is_finite()),
            images: comparison.images,
            flash: cost.file_bytes,
            ram: cost.arena_bytes,
        })
    });
    let closeup = Closeup { step, nearest, int8: int8.map_err(|error| format!("{error:#}")) };
    files::replace_bytes(&out.join(FIGURES), serde_json::to_string_pretty(&closeup)?.as_bytes())?;
    Ok(Some(closeup))
}

/// The closeup that lies in a run folder, if one was taken.
///
/// # Errors
///
/// If there is one that cannot be read.
pub fn find(folder: &Path) -> Result<Option<Found>> {
    let folder = folder.join(FOLDER);
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let path = folder.join(FIGURES);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let closeup: Closeup = serde_json::from_str(&text)
        .with_context(|| format!("{} is none of this version: remove it", path.display()))?;
    let int8 = closeup.int8.is_ok().then(|| read(INT8)).transpose()?;
    Ok(Some(Found { nearest: read(NEAREST)?, int8, closeup }))
}

/// Samples of seeds 0 and up, or what becomes of test pictures.
fn samples(run: &Run) -> Result<Samples> {
    let data = &run.recipe.data;
    if run.fed().is_none() {
        let count = match run.input().classes {
            0 => SAMPLES,
            classes => classes.min(CLASSES),
        };
        let images = run.generate_pixels(&run.inputs(0, count));
        return Ok(Samples { train: data::load(data)?, pictures: Vec::new(), images, shape: run.shape() });
    }
    let Pairs { inputs, targets, .. } = run.sides(Split::Train)?;
    let tested = run.sides(Split::Test).map_or(inputs, |pairs| pairs.inputs);
    let pictures: Vec<Vec<u8>> = (0..tested.len().min(SAMPLES)).map(|index| tested.image(index).to_vec()).collect();
    let images = run.generate_pixels(&pictures.iter().map(|picture| run.picture(picture)).collect::<Vec<_>>());
    Ok(Samples { train: targets, pictures, images, shape: run.shape() })
}

/// The nearest training images, and the rows of their sheet.
fn nearest(samples: &Samples, judge: Option<&Judge>) -> (Nearest, Vec<Vec<u8>>) {
    let Samples { train, images, .. } = samples;
    let mut order: Vec<usize> = (0..train.len()).collect();
    Rng::new(0, 8).shuffle(&mut order);
    let held = USUAL.min(train.len() / 4);
    let mut rows = images.clone();
    let mut place = |found: &[(usize, f32)]| rows.extend(found.iter().map(|&(index, _)| train.image(index).to_vec()));

    let of = |indices: &[usize]| Features::from_pixels(indices.iter().map(|&index| train.image(index)));
    let levels = 255.0 / (train.shape.iter().product::<usize>() as f32).sqrt();
    let found = search(of, &order, &Features::from_pixels(images.iter().map(Vec::as_slice)));
    place(&found);
    let usual = (held > 0).then(|| median(search(of, &order[held..], &of(&order[..held]))));
    let pixels = Distances {
        images: order.len(),
        samples: found.iter().map(|(_, distance)| levels * distance).collect(),
        usual: usual.map(|usual| levels * usual),
    };

    order.truncate(JUDGED);
    let judge = judge.map(|judge| {
        let shown =
            |indices: &[usize]| -> Vec<_> { indices.iter().map(|&index| train.image(index).to_vec()).collect() };
        let seen = judge.look(&shown(&order)).features;
        let found = neighbours::nearest(&seen, &judge.look(images).features);
        place(&found.iter().map(|&(at, distance)| (order[at], distance)).collect::<Vec<_>>());
        let held = held.min(order.len() / 4);
        let others = (held > 0).then(|| neighbours::nearest(&seen.select(held..order.len()), &seen.first(held)));
        let distances = Distances {
            images: order.len(),
            samples: found.iter().map(|&(_, distance)| distance).collect(),
            usual: others.map(median),
        };
        (judge.hash.clone(), distances)
    });
    (Nearest { pixels, judge }, rows)
}

/// For each of `probes` the nearest of the images `indices`, and its distance.
fn search(of: impl Fn(&[usize]) -> Features, indices: &[usize], probes: &Features) -> Vec<(usize, f32)> {
    let mut best = vec![(0, f32::INFINITY); probes.len()];
    for some in indices.chunks(AT_A_TIME) {
        for (best, (at, distance)) in best.iter_mut().zip(neighbours::nearest(&of(some), probes)) {
            if distance < best.1 {
                *best = (some[at], distance);
            }
        }
    }
    best
}

fn median(found: Vec<(usize, f32)>) -> f32 {
    let mut distances: Vec<f32> = found.into_iter().map(|(_, distance)| distance).collect();
    let middle = distances.len() / 2;
    *distances.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// The generator as `edgegen export` makes it, and how near that is.
fn quantize(run: &Run) -> Result<(Exported, Comparison)> {
    let network = run.network()?;
    let label = Label { name: "closeup", metadata: &[] };
    if network.reads_images() {
        let [examples, others] = run.examples(&network, CALIBRATION, PAIRS)?;
        let exported = edgegen_export::export_with(&network, &examples, label)?;
        let comparison = compare_with(&network, &exported, &others)?;
        return Ok((exported, comparison));
    }
    let count = ((PRODUCTS / network.products()?.max(1)) as usize).clamp(SAMPLES, CALIBRATION);
    let exported = edgegen_export::export(&network, count, label)?;
    let comparison = compare(&network, &exported, count, COMPARED)?;
    Ok((exported, comparison))
}

/// The samples once more, by the int8 model.
fn draw(file: &ModelFile, samples: &Samples) -> Result<Vec<Vec<u8>>> {
    let file = native(file)?;
    let model = Model::parse(file.bytes())?;
    let one = |index: usize| {
        let point = Point::seed(index as u64);
        samples
            .pictures
            .get(index)
            .map_or_else(|| image_at(&model, point), |picture| translated(&model, point, picture))
    };
    Ok((0..samples.images.len()).map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures of 2×2 pixels, each of one grey.
    fn of_greys(greys: &[u8]) -> Samples {
        let images = greys.iter().flat_map(|&grey| [grey; 4]).collect();
        let train = Dataset { name: "greys".into(), images, labels: None, class_names: Vec::new(), shape: [2, 2, 1] };
        Samples { train, pictures: Vec::new(), images: vec![vec![52; 4], vec![201; 4]], shape: [2, 2, 1] }
    }

    #[test]
    fn the_nearest_images_are_found() {
        let samples = of_greys(&[0, 50, 60, 140, 200, 240, 250, 255]);
        let (Nearest { pixels, judge }, rows) = nearest(&samples, None);
        assert!(judge.is_none());
        assert_eq!(rows.iter().map(|image| image[0]).collect::<Vec<_>>(), [52, 201, 50, 200]);
        assert_eq!(pixels.images, 8);
        for (found, expected) in pixels.samples.iter().zip([2.0, 1.0]) {
            assert!((found - expected).abs() < 0.05, "{found} levels");
        }
        // Of two of them, the median is one's distance to its neighbour among the six others.
        assert!(pixels.usual.is_some_and(|usual| usual > 4.0), "{pixels:?}");
        assert_eq!(nearest(&of_greys(&[7]), None).0.pixels.usual, None, "one image has no neighbour");
    }

    #[test]
    fn many_images_are_searched_part_by_part() {
        let value = |index: &usize| match index {
            7 => 1.0,
            9000 => 2.0,
            _ => 50.0,
        };
        let of = |indices: &[usize]| Features::new(1, indices.iter().map(value).collect());
        let indices: Vec<usize> = (0..3 * AT_A_TIME).rev().collect();
        let found = search(of, &indices, &Features::new(1, vec![1.0, 2.0]));
        assert_eq!(found, [(7, 0.0), (9000, 0.0)]);
    }
}
