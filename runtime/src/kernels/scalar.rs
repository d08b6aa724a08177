//! The reference kernel: plain Rust, for every target.

use super::{Channels, Kernel, Window};

/// Runs everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scalar;

impl Kernel for Scalar {
    const NAME: &'static str = "scalar";

    fn row(self, window: Window<'_>, weights: &[i8], channels: Channels<'_>, pixels: &mut [i8], stride: usize) {
        let Window { lanes, run, step } = window;
        let per_channel = lanes.len() * run;
        let output = channels.output;
        for (n, pixel) in pixels.chunks_mut(stride.max(1)).enumerate() {
            let channels = channels.bias.iter().zip(channels.multiplier).enumerate();
            for (value, (channel, (&bias, &multiplier))) in pixel.iter_mut().zip(channels) {
                let weights = weights.get(channel * per_channel..).unwrap_or(&[]);
                let lanes = lanes.iter().zip(weights.chunks_exact(run.max(1)));
                let sum = lanes.fold(bias, |sum, (lane, weights)| {
                    sum.wrapping_add(dot(lane.get(n * step..).unwrap_or(&[]), weights))
                });
                *value = output.finish(sum, multiplier);
            }
        }
    }
}

/// Sum of products over the shorter length.
fn dot(values: &[i8], weights: &[i8]) -> i32 {
    let products = values.iter().zip(weights).map(|(&value, &weight)| i32::from(value) * i32::from(weight));
    products.fold(0, i32::wrapping_add)
}
