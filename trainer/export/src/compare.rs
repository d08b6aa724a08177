//! Float against int8 on the same latent vectors: the whole image, and which stage lost what.

use edgegen_runtime::{Generator, Model, Point};
use serde::Serialize;

use crate::calibrate::input_code;
use crate::error::ExportError;
use crate::exporter::{Exported, native, points};
use crate::layers::{Input, Map, Network};
use crate::reference;
use crate::stage::{Op, Staged, each_example};

/// Images that the slow interpreters, layer by layer and map by map, are run on: at most, and products in all of them
/// from which on there are fewer, but one.
const TRACED: (u64, u64) = (8, 400_000_000);

/// How close the int8 images are to the float images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Images compared.
    pub images: usize,
    /// Peak signal-to-noise ratio over all their pixels, dB: `20·log₁₀(255 / root mean square error)`.
    pub psnr_db: f64,
    /// 99.9 % of the pixels differ by no more than this many grey levels.
    pub p999_levels: u8,
    /// The largest difference of a pixel in grey levels.
    pub max_levels: u8,
    /// Largest difference that lowering and folding made, in the units of the last layer.
    pub fold_error: f32,
    /// Names of the stages, as many as the model has nodes.
    pub stages: Vec<String>,
    /// Signal-to-noise ratio of each stage's output in dB, errors of the stages before included. The last is in grey
    /// levels.
    pub stage_snr_db: Vec<f64>,
    /// The name of the stage that adds most noise to what it reads, both relative to the signal.
    pub worst: String,
}

/// Compares a model with the network it was made from on the inputs of seeds `seed ..`, in which images are pictures
/// that stand for none.
///
/// # Errors
///
/// None for a network and what [`crate::export`] made of it.
pub fn compare(network: &Network, exported: &Exported, images: usize, seed: u64) -> Result<Comparison, ExportError> {
    let points: Vec<Point> = points(network, images, seed).collect();
    let examples: Vec<Vec<Vec<f32>>> = points.iter().map(|&point| network.inputs_at(point)).collect();
    // The runtime would hand a network that reads its own image another one than the examples do.
    compare_at(network, exported, &examples, if network.previous().is_some() { &[] } else { &points })
}

/// As [`compare`], on examples as those of [`crate::export_with`].
///
/// # Errors
///
/// None for a network and what [`crate::export`] made of it.
pub fn compare_with(
    network: &Network,
    exported: &Exported,
    examples: &[Vec<Vec<f32>>],
) -> Result<Comparison, ExportError> {
    compare_at(network, exported, examples, &[])
}

/// On examples which are those of `points`, if there are any: then the runtime draws them, which is faster.
fn compare_at(
    network: &Network,
    exported: &Exported,
    examples: &[Vec<Vec<f32>>],
    points: &[Point],
) -> Result<Comparison, ExportError> {
    let native = native(&exported.file)?;
    let fast = &Model::parse(native.bytes())?;
    let model = &Model::parse(exported.file.bytes())?;
    let staged = &exported.staged;
    let last = staged.stages.len() - 1;
    let traced = (TRACED.1 / network.products()?.max(1)).clamp(1, TRACED.0) as usize;
    let places: Vec<usize> = (0..examples.len()).collect();
    let parts = each_example(&places, |&place| -> Result<Part, ExportError> {
        let example = &examples[place];
        let trace = staged.trace(example);
        let float = trace.last().map_or(&[][..], |values| values);
        let codes = codes(staged, &trace);
        let image = match points.get(place) {
            Some(&point) => draw(fast, point, image_codes(staged, &codes)),
            None => reference::image(model, &codes),
        };
        let mut part = Part { histogram: [0; 256], fold_error: 0.0, noise: vec![Noise::default(); trace.len()] };
        for (value, pixel) in float.iter().zip(image) {
            part.histogram[usize::from(pixel.abs_diff(staged.pixels.level(*value).round() as u8))] += 1;
        }
        if place >= traced {
            return Ok(part);
        }
        let layers = interleave(&network.forward(example)?);
        part.fold_error = layers.iter().zip(float).fold(0.0, |most, (a, b)| most.max((a - b).abs()));
        let quantized = reference::trace(model, &codes);
        for (index, (noise, (float, int8))) in part.noise.iter_mut().zip(trace.iter().zip(&quantized)).enumerate() {
            let channels = usize::from(staged.stages[index].shape.c);
            for (place, (&float, &int8)) in float.iter().zip(int8).enumerate() {
                if index == last {
                    noise.add(staged.pixels.level(float), f32::from(int8 as u8));
                } else {
                    noise.add(float, exported.codes[index].decode(int8, place % channels));
                }
            }
        }
        Ok(part)
    });
    let mut histogram = [0u64; 256];
    let mut fold_error = 0.0f32;
    let mut noise = vec![Noise::default(); staged.stages.len()];
    for part in parts {
        let part = part?;
        histogram.iter_mut().zip(part.histogram).for_each(|(sum, count)| *sum += count);
        fold_error = fold_error.max(part.fold_error);
        for (sum, part) in noise.iter_mut().zip(part.noise) {
            sum.signal += part.signal;
            sum.noise += part.noise;
        }
    }
    let count: u64 = histogram.iter().sum();
    let squares: f64 = histogram.iter().enumerate().map(|(levels, &n)| n as f64 * (levels * levels) as f64).sum();
    // What a stage adds to the noise of what it reads.
    let added = |index: usize| {
        let before = staged.stages[index].reads.iter().map(|read| noise[usize::from(read.source)].ratio());
        noise[index].ratio() - before.fold(0.0, f64::max)
    };
    let worst = (0..noise.len()).max_by(|&a, &b| added(a).total_cmp(&added(b)));
    Ok(Comparison {
        images: examples.len(),
        psnr_db: decibels(255.0 * 255.0 * count as f64, squares),
        p999_levels: quantile(&histogram, 0.999),
        max_levels: quantile(&histogram, 1.0),
        fold_error,
        stages: staged.stages.iter().map(|stage| stage.name.clone()).collect(),
        stage_snr_db: noise.iter().map(|noise| decibels(noise.signal, noise.noise)).collect(),
        worst: worst.map_or(String::new(), |worst| staged.stages[worst].name.clone()),
    })
}

/// What one example tells.
struct Part {
    histogram: [u64; 256],
    fold_error: f32,
    noise: Vec<Noise>,
}

/// Energies of float values and of what int8 differs from them.
#[derive(Clone, Copy, Debug, Default)]
struct Noise {
    signal: f64,
    noise: f64,
}

impl Noise {
    fn add(&mut self, float: f32, int8: f32) {
        self.signal += f64::from(float).powi(2);
        self.noise += f64::from(int8 - float).powi(2);
    }

    /// Noise for each unit of signal.
    fn ratio(&self) -> f64 {
        if self.signal > 0.0 { self.noise / self.signal } else { 0.0 }
    }
}

/// The codes of all inputs other than constants, `[h, w, c]`, for the values of all stages.
pub(crate) fn codes(staged: &Staged, trace: &[Vec<f32>]) -> Vec<Vec<i8>> {
    let inputs = staged.stages.iter().zip(trace).filter_map(|(stage, values)| match &stage.op {
        Op::Input(Input::Constant { .. }) => None,
        Op::Input(input) => {
            let code = input_code(input);
            Some(values.iter().map(|&value| code.encode(value) as i8).collect())
        }
        _ => None,
    });
    inputs.collect()
}

/// Those of the image among the inputs.
fn image_codes<'a>(staged: &Staged, codes: &'a [Vec<i8>]) -> &'a [i8] {
    let inputs = staged.stages.iter().filter_map(|stage| match &stage.op {
        Op::Input(Input::Constant { .. }) => None,
        Op::Input(input) => Some(matches!(input, Input::Image { .. })),
        _ => None,
    });
    inputs.zip(codes).find(|(is_image, _)| *is_image).map_or(&[], |(_, codes)| codes)
}

/// The image of a point by the runtime, to which the image of these codes is handed in if it reads one.
fn draw(model: &Model<'_>, point: Point, codes: &[i8]) -> Vec<u8> {
    let mut arena = vec![0; model.arena_bytes()];
    let mut image = Vec::with_capacity(model.output().len());
    if let Ok(mut generator) = Generator::new(model, &mut arena) {
        let feed = |y: u16, row: &mut [u8]| {
            let codes = codes.get(usize::from(y) * row.len()..).unwrap_or(&[]);
            // The inverse of `Source::pixel_code`.
            row.iter_mut()
                .zip(codes)
                .for_each(|(byte, &code)| *byte = (i16::from(code) + 127 + i16::from(code > 0)) as u8);
        };
        let mut rows = generator.translate(point, feed);
        while let Some(row) = rows.next_row() {
            image.extend_from_slice(row);
        }
    }
    image
}

/// At most 200 dB, which stands for equality; infinity has no place in JSON.
fn decibels(signal: f64, noise: f64) -> f64 {
    (10.0 * (signal / noise).log10()).min(200.0)
}

/// The smallest difference that `share` of the pixels do not exceed.
fn quantile(histogram: &[u64; 256], share: f64) -> u8 {
    let enough = (share * histogram.iter().sum::<u64>() as f64).ceil() as u64;
    let mut seen = 0;
    let found = histogram.iter().position(|n| {
        seen += n;
        seen >= enough
    });
    found.unwrap_or(255) as u8
}

/// C × H × W to H × W × C.
fn interleave(map: &Map) -> Vec<f32> {
    let area = usize::from(map.shape.h) * usize::from(map.shape.w);
    (0..map.values.len())
        .map(|i| map.values[i % usize::from(map.shape.c) * area + i / usize::from(map.shape.c)])
        .collect()
}
