//! The reference kernel: plain Rust, for every target and for every model in the portable packing.

use super::{Channels, Kernel, Pair, Row, TILE, Window};
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

    fn windows(self, row: &mut Row<'_>) {
        let Row { window, weights, channels, pixels, stride, .. } = row.again();
        let Window { values, lanes, run, step } = window;
        let per_channel = lanes.len() * run;
        let output = channels.output;
        for (n, pixel) in pixels.chunks_mut(stride.max(1)).enumerate() {
            let channels = channels.bias.iter().zip(channels.multiplier).enumerate();
            for (value, (channel, (&bias, &multiplier))) in pixel.iter_mut().zip(channels) {
                let weights = weights.get(channel * per_channel..).unwrap_or(&[]);
                let lanes = lanes.iter().zip(weights.chunks_exact(run.max(1)));
                let sum = lanes.fold(bias, |sum, (&lane, weights)| {
                    sum.wrapping_add(dot(values.get(lane as usize + n * step..).unwrap_or(&[]), weights))
                });
                *value = output.finish(sum, multiplier);
            }
        }
    }

    fn vector(self, row: &mut Row<'_>) {
        self.windows(row);
    }
}

/// [`Kernel::channels`] around the sums and their end.
///
/// ```text
/// for each pixel, each 16 channels
///     sums = bias
///     for each lane:  sums[c] += values[lane, c] · weights[lane, c]
///     pixel = output(sums)
/// ```
#[inline(never)]
pub(crate) fn channels<K: Kernel>(kernel: K, row: &mut Row<'_>) {
    let Row { window, weights, channels, pixels, stride, .. } = row.again();
    let Window { values, lanes, run, step } = window;
    let (stride, all) = (stride.max(1), channels.bias.len());
    let count = (pixels.len() + stride).saturating_sub(all.max(1)) / stride;
    let reach = count.saturating_sub(1).saturating_mul(step).saturating_add(run);
    if run != all || !window.holds(reach) || lanes.len().saturating_mul(run) > weights.len() {
        return;
    }
    for (n, pixel) in pixels.chunks_mut(stride).enumerate().take(count) {
        let mut first = 0;
        for to in pixel.get_mut(..run).unwrap_or_default().chunks_mut(TILE) {
            let part = channels.part(first, to.len());
            let mut sums = [0; TILE];
            let Some(sums) = sums.get_mut(..to.len()) else { return };
            sums.iter_mut().zip(part.bias).for_each(|(sum, &bias)| *sum = bias);
            let (values, weights) = (values.get(n * step + first..), weights.get(first..));
            if let (Some(values), Some(weights)) = (values, weights) {
                add_products(sums, values, lanes, weights, run);
            }
            kernel.finish(sums, &part, to);
            first += TILE;
        }
    }
}

/// [`Kernel::channels`] value by value, for what a kernel that makes several values at a time leaves over: small rather
/// than fast.
#[inline(never)]
#[cfg(any(edgegen_isa = "armv6m", edgegen_isa = "dsp", edgegen_isa = "mve"))]
pub(crate) fn single_channels(row: &mut Row<'_>) {
    let Row { window, weights, channels, pixels, stride, .. } = row.again();
    let Window { values, lanes, run, step } = window;
    for (n, pixel) in pixels.chunks_mut(stride.max(1)).enumerate() {
        let parameters = channels.bias.iter().zip(channels.multiplier);
        for (c, (value, (&bias, &multiplier))) in pixel.iter_mut().zip(parameters).enumerate() {
            let (mut sum, mut place) = (bias, c);
            for &lane in lanes {
                let value = values.get(lane as usize + n * step + c).copied().unwrap_or(0);
                let weight = weights.get(place).copied().unwrap_or(0);
                sum = sum.wrapping_add(i32::from(value) * i32::from(weight));
                place += run;
            }
            *value = channels.output.finish(sum, multiplier);
        }
    }
}

/// Adds, for each sum, the products of `values[lane]` and `weights`, one place further for each sum and `run` weights
/// for each lane. There are as many.
fn add_products(sums: &mut [i32], values: &[i8], lanes: &[u32], mut weights: &[i8], run: usize) {
    for &lane in lanes {
        let values = values.get(lane as usize..).unwrap_or(&[]);
        for (sum, (&value, &weight)) in sums.iter_mut().zip(values.iter().zip(weights)) {
            *sum = sum.wrapping_add(i32::from(value) * i32::from(weight));
        }
        weights = weights.get(run..).unwrap_or(&[]);
    }
}

/// [`Kernel::finish`] in plain Rust.
pub(crate) fn finish(sums: &[i32], channels: &Channels<'_>, to: &mut [i8]) {
    for (value, (&sum, &multiplier)) in to.iter_mut().zip(sums.iter().zip(channels.multiplier)) {
        *value = channels.output.finish(sum, multiplier);
    }
}

/// [`Kernel::add`] in plain Rust.
#[inline(never)]
pub(crate) fn add(values: &[i8], step: usize, zero_point: i8, square: bool, sums: &mut [i32]) {
    let zero_point = i32::from(zero_point);
    if square {
        add_terms(values, step, sums, |value| (i32::from(value) - zero_point) * (i32::from(value) - zero_point));
    } else {
        add_terms(values, step, sums, |value| i32::from(value) - zero_point);
    }
}

/// [`Kernel::add`] value by value, as [`single_channels`].
#[inline(never)]
#[cfg(edgegen_isa = "dsp")]
pub(crate) fn single_add(values: &[i8], step: usize, zero_point: i8, square: bool, sums: &mut [i32]) {
    for (channel, sum) in sums.iter_mut().enumerate() {
        for &value in values.get(channel..).unwrap_or(&[]).iter().step_by(step.max(1)) {
            let value = i32::from(value) - i32::from(zero_point);
            *sum = sum.wrapping_add(if square { value * value } else { value });
        }
    }
}

#[inline(always)]
fn add_terms(values: &[i8], step: usize, sums: &mut [i32], term: impl Fn(i8) -> i32) {
    if let ([sum], 1) = (&mut *sums, step) {
        *sum = values.iter().fold(*sum, |sum, &value| sum.wrapping_add(term(value)));
        return;
    }
    // As many channels as there are registers for their sums.
    let (tiles, rest) = sums.as_chunks_mut::<4>();
    let mut from = values;
    for sums in tiles {
        let mut kept = *sums;
        let mut pixels = from;
        while let Some(pixel) = pixels.first_chunk::<4>() {
            kept.iter_mut().zip(pixel).for_each(|(sum, &value)| *sum = sum.wrapping_add(term(value)));
            pixels = pixels.get(step..).unwrap_or(&[]);
        }
        *sums = kept;
        from = from.get(4..).unwrap_or(&[]);
    }
    for sum in rest {
        *sum = from.iter().step_by(step.max(1)).fold(*sum, |sum, &value| sum.wrapping_add(term(value)));
        from = from.get(1..).unwrap_or(&[]);
    }
}

/// [`Kernel::join`] in plain Rust.
#[inline(never)]
pub(crate) fn join(pair: &Pair<'_>, channels: &Channels<'_>, to: &mut [i8]) {
    let Pair { a, b, steps, multiply, factors: [a_factor, b_factor] } = *pair;
    if multiply {
        join_by(a, b, steps, channels, to, |a, b| (a - a_factor) * (b - b_factor));
    } else {
        join_by(a, b, steps, channels, to, |a, b| a * a_factor + b * b_factor);
    }
}

/// [`Kernel::join`] value by value, as [`single_channels`].
#[inline(never)]
#[cfg(edgegen_isa = "dsp")]
pub(crate) fn single_join(pair: &Pair<'_>, channels: &Channels<'_>, to: &mut [i8]) {
    let Pair { a, b, steps, multiply, factors: [p, q] } = *pair;
    let mut places = [0; 2];
    for pixel in to.chunks_mut(channels.bias.len().max(1)) {
        let parameters = channels.bias.iter().zip(channels.multiplier);
        for (c, (value, (&bias, &multiplier))) in pixel.iter_mut().zip(parameters).enumerate() {
            let code = |codes: &[i8], place: usize| i32::from(codes.get(place + c).copied().unwrap_or(0));
            let (x, y) = (code(a, places[0]), code(b, places[1]));
            let sum = if multiply { (x - p) * (y - q) } else { x * p + y * q };
            *value = channels.output.finish(sum.wrapping_add(bias), multiplier);
        }
        places = [places[0] + steps[0], places[1] + steps[1]];
    }
}

#[inline(always)]
fn join_by(
    mut a: &[i8],
    mut b: &[i8],
    steps: [usize; 2],
    channels: &Channels<'_>,
    to: &mut [i8],
    of: impl Fn(i32, i32) -> i32,
) {
    let output = channels.output;
    for pixel in to.chunks_mut(channels.bias.len().max(1)) {
        let parameters = channels.bias.iter().zip(channels.multiplier);
        for (value, ((&a, &b), (&bias, &multiplier))) in pixel.iter_mut().zip(a.iter().zip(b).zip(parameters)) {
            *value = output.finish(of(a.into(), b.into()).wrapping_add(bias), multiplier);
        }
        a = a.get(steps[0]..).unwrap_or(&[]);
        b = b.get(steps[1]..).unwrap_or(&[]);
    }
}

/// [`Kernel::look_up`] in plain Rust.
pub(crate) fn look_up(table: &[i8; 256], from: &[i8], to: &mut [i8]) {
    let of = |code: i8| table[usize::from((code as u8) ^ 0x80)];
    let len = from.len().min(to.len());
    let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) else { return };
    let ((from, last), (to, to_last)) = (from.as_chunks::<4>(), to.as_chunks_mut::<4>());
    to.iter_mut().zip(from).for_each(|(to, from)| *to = from.map(of));
    to_last.iter_mut().zip(last).for_each(|(to, &code)| *to = of(code));
}

/// Sum of products over the shorter length.
fn dot(values: &[i8], weights: &[i8]) -> i32 {
    let products = values.iter().zip(weights).map(|(&value, &weight)| i32::from(value) * i32::from(weight));
    products.fold(0, i32::wrapping_add)
}
