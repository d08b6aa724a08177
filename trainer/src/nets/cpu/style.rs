//! What styles and noise do to maps, one pass forward and one backward each.

use burn::backend::Flex;
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops};
use burn_flex::FlexTensor;
use pulp::Arch;
use rayon::prelude::*;

use super::maps::{change, dims, pixels, plain};
use super::{any_autodiff, bare, column_sums, record, tracked};

/// Each map times a factor.
#[derive(Clone, Copy, Debug)]
struct Scale;

/// `x` times a factor for each channel of each image.
///
/// # Shapes
///   - `x`: `[batch, C, H, W]`, `factors`: `[batch, C, 1, 1]`
pub fn scale(x: Tensor<4>, factors: Tensor<4>) -> Tensor<4> {
    if !any_autodiff(&[x.device(), factors.device()]) {
        return Tensor::from_primitive::<Flex>(scaled(bare(x), &bare(factors)));
    }
    let ((x, node_x), (factors, node_factors)) = (tracked(x).into_parts(), tracked(factors).into_parts());
    record(Scale, [node_x, node_factors], (x.clone(), factors.clone()), scaled(x, &factors))
}

fn scaled(x: FlexTensor, factors: &FlexTensor) -> FlexTensor {
    by_channel(x, factors, |value, factor| *value *= factor)
}

/// Changes each value of `x` by what a vector, `[batch, C, 1, 1]`, has for its image and channel.
fn by_channel(x: FlexTensor, vector: &FlexTensor, change_one: impl Fn(&mut f32, f32) + Sync) -> FlexTensor {
    let [_, c, h, w] = dims(&x);
    let vector = pixels(vector);
    change(x, |x| {
        x.par_chunks_mut(c * h * w).zip(vector.par_chunks(c)).for_each(|(image, vector)| {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for pixel in image.chunks_exact_mut(c) {
                        pixel.iter_mut().zip(vector).for_each(|(value, &one)| change_one(value, one));
                    }
                },
            );
        });
    })
}

impl Backward<Flex, 2> for Scale {
    /// The maps and their factors.
    type State = (FlexTensor, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let ([node_x, node_factors], (x, factors)) = (ops.parents, ops.state);
        if let Some(node) = node_factors {
            let [batch, c, h, w] = dims(&x);
            let (g, x) = (pixels(&gradient), pixels(&x));
            let images = g.par_chunks(c * h * w).zip(x.par_chunks(c * h * w));
            let sums: Vec<f32> = images.flat_map_iter(|(g, x)| products(g, x, c)).collect();
            gradients.register::<Flex>(node.id, plain(sums, [batch, c, 1, 1]));
        }
        if let Some(node) = node_x {
            gradients.register::<Flex>(node.id, scaled(gradient, &factors));
        }
    }
}

/// A value added to each map.
#[derive(Clone, Copy, Debug)]
struct Shift;

/// `x` plus a value for each channel of each image.
///
/// # Shapes
///   - `x`: `[batch, C, H, W]`, `offsets`: `[batch, C, 1, 1]`
pub fn shift(x: Tensor<4>, offsets: Tensor<4>) -> Tensor<4> {
    if !any_autodiff(&[x.device(), offsets.device()]) {
        return Tensor::from_primitive::<Flex>(shifted(bare(x), &bare(offsets)));
    }
    let ((x, node_x), (offsets, node_offsets)) = (tracked(x).into_parts(), tracked(offsets).into_parts());
    record(Shift, [node_x, node_offsets], (), shifted(x, &offsets))
}

fn shifted(x: FlexTensor, offsets: &FlexTensor) -> FlexTensor {
    by_channel(x, offsets, |value, offset| *value += offset)
}

impl Backward<Flex, 2> for Shift {
    type State = ();

    fn backward(self, ops: Ops<(), 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let [node_x, node_offsets] = ops.parents;
        if let Some(node) = node_offsets {
            let [batch, c, h, w] = dims(&gradient);
            let g = pixels(&gradient);
            let sums: Vec<f32> = g.par_chunks(c * h * w).flat_map_iter(|g| column_sums(g, c)).collect();
            gradients.register::<Flex>(node.id, plain(sums, [batch, c, 1, 1]));
        }
        if let Some(node) = node_x {
            gradients.register::<Flex>(node.id, gradient);
        }
    }
}

/// Σ g · x of each of `c` channels of an image.
fn products(g: &[f32], x: &[f32], c: usize) -> Vec<f32> {
    let mut sums = vec![0.0; c];
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for (g, x) in g.chunks_exact(c).zip(x.chunks_exact(c)) {
                sums.iter_mut().zip(g.iter().zip(x)).for_each(|(sum, (g, x))| *sum += g * x);
            }
        },
    );
    sums
}

/// Noise of a learned strength, and a bias.
#[derive(Clone, Copy, Debug)]
struct AddNoise;

/// `x + strength · noise + bias`.
///
/// # Shapes
///   - `x`: `[batch, C, H, W]`, `noise`, which has no gradient: `[batch, 1, H, W]`, `strength`: `[1]`, `bias`: `[C]`
pub fn add_noise(x: Tensor<4>, noise: Tensor<4>, strength: Tensor<1>, bias: Tensor<1>) -> Tensor<4> {
    let noise = bare(noise);
    if !any_autodiff(&[x.device(), strength.device(), bias.device()]) {
        return Tensor::from_primitive::<Flex>(noisy(bare(x), &noise, &bare(strength), &bare(bias)));
    }
    let (x, node_x) = tracked(x).into_parts();
    let (strength, node_strength) = tracked(strength).into_parts();
    let (bias, node_bias) = tracked(bias).into_parts();
    let output = noisy(x, &noise, &strength, &bias);
    record(AddNoise, [node_x, node_strength, node_bias], noise, output)
}

fn noisy(x: FlexTensor, noise: &FlexTensor, strength: &FlexTensor, bias: &FlexTensor) -> FlexTensor {
    let [_, c, h, w] = dims(&x);
    let (noise, strength, bias) = (pixels(noise), strength.storage::<f32>()[0], super::maps::values(bias));
    change(x, |x| {
        x.par_chunks_mut(c * h * w).zip(noise.par_chunks(h * w)).for_each(|(image, noise)| {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (pixel, noise) in image.chunks_exact_mut(c).zip(noise) {
                        let added = strength * noise;
                        pixel.iter_mut().zip(&*bias).for_each(|(value, bias)| *value += added + bias);
                    }
                },
            );
        });
    })
}

impl Backward<Flex, 3> for AddNoise {
    /// The noise.
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let [node_x, node_strength, node_bias] = ops.parents;
        let [_, c, h, w] = dims(&gradient);
        let g = pixels(&gradient);
        if let Some(node) = node_strength {
            let noise = pixels(&ops.state);
            let of_image = |(g, noise): (&[f32], &[f32])| -> f32 {
                g.chunks_exact(c).zip(noise).map(|(g, noise)| noise * g.iter().sum::<f32>()).sum()
            };
            let images = g.par_chunks(c * h * w).zip(noise.par_chunks(h * w));
            // In the order of the images, whoever has summed up which.
            let sums: Vec<f32> = images.map(of_image).collect();
            gradients.register::<Flex>(node.id, plain(vec![sums.iter().sum()], [1]));
        }
        if let Some(node) = node_bias {
            gradients.register::<Flex>(node.id, plain(column_sums(&g, c), [c]));
        }
        drop(g);
        if let Some(node) = node_x {
            gradients.register::<Flex>(node.id, gradient);
        }
    }
}
