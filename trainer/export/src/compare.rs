//! Float against int8 on the same latent vectors: the whole image, and which stage lost what.

use edgegen_runtime::Model;
use serde::Serialize;

use crate::layers::{Map, Network};
use crate::{ExportError, Exported, fold, image, native, reference};

/// Images that the slow interpreters, layer by layer and map by map, are run on.
const TRACED: usize = 8;

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
    /// Signal-to-noise ratio of each stage's output in dB, errors of the stages before included. The last is in grey levels.
    pub stage_snr_db: Vec<f64>,
}

/// Compares a model with the network it was made from on the images of seeds `seed ..`.
///
/// # Errors
///
/// None for a network and what [`crate::export`] made of it.
pub fn compare(network: &Network, exported: &Exported, images: usize, seed: u64) -> Result<Comparison, ExportError> {
    let model = &Model::parse(exported.file.bytes())?;
    let native = native(&exported.file)?;
    let fast = &Model::parse(native.bytes())?;
    let staged = fold::fold(network)?;
    let mut histogram = [0u64; 256];
    let mut fold_error = 0.0f32;
    let mut stages = vec![(0.0, 0.0); staged.stages.len()];
    for index in 0..images {
        let seed = seed + index as u64;
        let latent = network.input.vector(seed);
        let trace = staged.trace(&latent);
        let float = trace.last().map_or(&[][..], |values| values);
        for (value, pixel) in float.iter().zip(image(fast, seed)) {
            histogram[usize::from(pixel.abs_diff(network.pixels.level(*value).round() as u8))] += 1;
        }
        if index < TRACED {
            let layers = interleave(&network.forward(&latent));
            fold_error = layers.iter().zip(float).fold(fold_error, |most, (a, b)| most.max((a - b).abs()));
            let quantized = reference::trace(model, &network.input.codes(seed));
            let last = trace.len() - 1;
            for (index, (sums, (float, int8))) in stages.iter_mut().zip(trace.iter().zip(&quantized[1..])).enumerate() {
                let decode =
                    |code: i8| if index == last { f32::from(code as u8) } else { exported.codes[index].decode(code) };
                let value = |float: f32| if index == last { network.pixels.level(float) } else { float };
                for (&float, &int8) in float.iter().zip(int8) {
                    sums.0 += f64::from(value(float)).powi(2);
                    sums.1 += f64::from(decode(int8) - value(float)).powi(2);
                }
            }
        }
    }
    let count: u64 = histogram.iter().sum();
    let squares: f64 = histogram.iter().enumerate().map(|(levels, &n)| n as f64 * (levels * levels) as f64).sum();
    Ok(Comparison {
        images,
        psnr_db: decibels(255.0 * 255.0 * count as f64, squares),
        p999_levels: quantile(&histogram, 0.999),
        max_levels: quantile(&histogram, 1.0),
        fold_error,
        stage_snr_db: stages.iter().map(|&(signal, noise)| decibels(signal, noise)).collect(),
    })
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
