//! The reference kernel: plain Rust, for every target and for every model in the portable packing.

use super::{Kernel, Row, Window};
use crate::packing::Packing;

/// Runs everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scalar;

impl Kernel for Scalar {
    const NAME: &'static str = "scalar";
    const PACKING: Packing = Packing::Portable;

    fn available() -> Option<Self> {
        Some(Self)
    }

    fn windows(self, Row { window, weights, channels, pixels, stride, .. }: Row<'_>) {
        let Window { values, lanes, run, step } = window;
        let per_channel = lanes.len() * run;
        let output = channels.output;
        for (n, pixel) in pixels.chunks_mut(stride.max(1)).enumerate() {
            let channels = channels.bias.iter().zip(channels.multiplier).enumerate();
            for (value, (channel, (&bias, &multiplier))) in pixel.iter_mut().zip(channels) {
                let weights = weights.get(channel * per_channel..).unwrap_or(&[]);
                let lanes = lanes.iter().zip(weights.chunks_exact(run.max(1)));
                let sum = lanes.fold(bias, |sum, (lane, weights)| {
                    sum.wrapping_add(dot(values.get(lane + n * step..).unwrap_or(&[]), weights))
                });
                *value = output.finish(sum, multiplier);
            }
        }
    }

    fn vector(self, row: Row<'_>) {
        self.windows(row);
    }
}

/// Sum of products over the shorter length.
fn dot(values: &[i8], weights: &[i8]) -> i32 {
    let products = values.iter().zip(weights).map(|(&value, &weight)| i32::from(value) * i32::from(weight));
    products.fold(0, i32::wrapping_add)
}
