//! Convolution and transposed convolution as products of patches with a matrix.
//!
//! With P the patches of the large map (a row for each pixel of the small one), W the weights `[small C, patch]`:
//!
//! | | small | large | weights |
//! | --- | --- | --- | --- |
//! | convolution | y = P(x) · Wᵀ + b | dx = P*(dy · W) | dW = dyᵀ · P(x) |
//! | transposed | dx = P(dy) · Wᵀ | y = P*(x · W) + b | dW = xᵀ · P(dy) |
//!
//! P* adds patches to where they came from ([`collect`]). Each is one function here: [`shrink`], [`grow`], [`weigh`].
//! The batch is shared out in groups whose number does not depend on that of the threads, and what groups share is
//! added in their order: the same numbers on every machine with the same instruction set.

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops};
use burn_flex::FlexTensor;
use edgegen_export::layers::Window;
use rayon::prelude::*;

use super::gemm::{Matrix, Threads, Write, product};
use super::maps::{dims, map, pixels, plain, values};
use super::patches::{Geometry, collect, spread, with_room};
use super::{any_autodiff, bare, record, tracked};

/// Groups of images that are worked on at once.
const GROUPS: usize = 8;

/// What the backward pass needs; an input that no gradient needs is not kept.
#[derive(Clone, Debug)]
struct State {
    geometry: Geometry,
    x: Option<FlexTensor>,
    weight: Option<FlexTensor>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Straight,
    Transposed,
}

/// Convolution of `x` `[batch, in, H, W]` with `weight` `[out, in, ky, kx]` by a window that [`Geometry::suits`] tells.
///
/// # Panics
///
/// If the window does not fit the map.
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, window: &Window) -> Tensor<4> {
    let [batch, c, h, w] = x.dims();
    let side = |axis: usize, n: usize| window.conv_size(axis, n).expect("a window that fits the map");
    let small = [weight.dims()[0], side(0, h), side(1, w)];
    forward(Direction::Straight, Geometry::new(batch, [c, h, w], small, window), x, weight, bias)
}

/// Transposed convolution of `x` `[batch, in, H, W]` with `weight` `[in, out, ky, kx]` by such a window.
pub fn conv_transpose2d(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, window: &Window) -> Tensor<4> {
    let [batch, c, h, w] = x.dims();
    let Window { kernel, stride, padding, dilation, .. } = *window;
    let side = |axis: usize, n: usize| {
        let [before, after] = padding[axis];
        (n - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1 - before - after
    };
    let large = [weight.dims()[1], side(0, h), side(1, w)];
    forward(Direction::Transposed, Geometry::new(batch, large, [c, h, w], window), x, weight, bias)
}

fn forward(direction: Direction, geometry: Geometry, x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    if !any_autodiff(&[x.device(), weight.device(), bias.device()]) {
        let output = compute(direction, &geometry, &bare(x), &bare(weight), &bare(bias));
        return Tensor::from_primitive::<Flex>(output);
    }
    let (x, weight, bias) = (tracked(x), tracked(weight), tracked(bias));
    let output = compute(direction, &geometry, x.primitive(), weight.primitive(), bias.primitive());
    let state = State {
        geometry,
        x: weight.is_tracked().then(|| x.primitive().clone()),
        weight: x.is_tracked().then(|| weight.primitive().clone()),
    };
    record(direction, [x.node(), weight.node(), bias.node()], state, output)
}

fn compute(
    direction: Direction,
    geometry: &Geometry,
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: &FlexTensor,
) -> FlexTensor {
    let (x, bias) = (pixels(x), values(bias));
    match direction {
        Direction::Straight => shrink(geometry, &x, weight, Some(&bias)),
        Direction::Transposed => grow(geometry, &x, weight, Some(&bias)),
    }
}

impl Backward<Flex, 3> for Direction {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let dy = pixels(&gradient);
        let [x, weight, bias] = ops.parents;
        let State { geometry, x: input, weight: weights } = ops.state;
        if let Some(node) = bias {
            gradients.register::<Flex>(node.id, sum_pixels(&dy, dims(&gradient)));
        }
        if let (Some(node), Some(input)) = (weight, input) {
            let input = pixels(&input);
            let result = match self {
                Self::Straight => weigh(&geometry, &input, &dy),
                Self::Transposed => weigh(&geometry, &dy, &input),
            };
            gradients.register::<Flex>(node.id, result);
        }
        if let (Some(node), Some(weights)) = (x, weights) {
            let result = match self {
                Self::Straight => grow(&geometry, &dy, &weights, None),
                Self::Transposed => shrink(&geometry, &dy, &weights, None),
            };
            gradients.register::<Flex>(node.id, result);
        }
    }
}

/// Images of a group.
fn group(geometry: &Geometry) -> usize {
    geometry.batch.div_ceil(GROUPS).max(1)
}

/// Ranges of the rows of `images` small maps whose patches are made at once.
fn blocks(geometry: &Geometry, images: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let (rows, step) = (images * geometry.small[1], geometry.rows_at_once());
    (0..rows).step_by(step).map(move |first| first..rows.min(first + step))
}

/// Values of patches that are made at once for `images`.
fn room(geometry: &Geometry, images: usize) -> usize {
    geometry.rows_at_once().min(images * geometry.small[1]) * geometry.small[2] * geometry.patch()
}

/// Weights `[small C, large C, ky, kx]` as a matrix with rows as [`spread`] orders a patch: `[small C, (ky, kx, large C)]`.
fn matrix(geometry: &Geometry, weight: &FlexTensor) -> Vec<f32> {
    let (inside, patch) = (geometry.kernel[0] * geometry.kernel[1], geometry.patch());
    let mut out = vec![0.0; geometry.small[0] * patch];
    for (out, weight) in out.chunks_mut(patch).zip(values(weight).chunks(patch)) {
        for (channel, weight) in weight.chunks(inside).enumerate() {
            for (out, &value) in out[channel..].iter_mut().step_by(geometry.large[0]).zip(weight) {
                *out = value;
            }
        }
    }
    out
}

/// Its mirror image, which the matrix product reads much faster than the matrix itself.
fn turned(matrix: &[f32], rows: usize) -> Vec<f32> {
    let columns = matrix.len() / rows;
    let mut out = vec![0.0; matrix.len()];
    for (row, values) in matrix.chunks(columns).enumerate() {
        for (out, &value) in out[row..].iter_mut().step_by(rows).zip(values) {
            *out = value;
        }
    }
    out
}

/// P(large) · Wᵀ + bias.
fn shrink(geometry: &Geometry, large: &[f32], weight: &FlexTensor, bias: Option<&[f32]>) -> FlexTensor {
    let [channels, _, width] = geometry.small;
    let patch = geometry.patch();
    let weight = turned(&matrix(geometry, weight), channels);
    let weight = Matrix::new(&weight, patch, channels);
    let mut small = vec![0.0; geometry.batch * geometry.small_len()];
    let group = group(geometry);
    small.par_chunks_mut(group * geometry.small_len()).zip(large.par_chunks(group * geometry.large_len())).for_each(
        |(small, large)| {
            let images = small.len() / geometry.small_len();
            with_room(room(geometry, images), |patches| {
                for rows in blocks(geometry, images) {
                    let patches = &mut patches[..rows.len() * width * patch];
                    let out = &mut small[rows.start * width * channels..rows.end * width * channels];
                    spread(geometry, large, rows.clone(), patches);
                    let write = match bias {
                        Some(bias) => {
                            out.chunks_mut(channels).for_each(|pixel| pixel.copy_from_slice(bias));
                            Write::Add
                        }
                        None => Write::Set,
                    };
                    product(out, write, Matrix::new(patches, rows.len() * width, patch), weight, Threads::One);
                }
            });
        },
    );
    map(small, geometry.small_map())
}

/// P*(small · W) + bias.
fn grow(geometry: &Geometry, small: &[f32], weight: &FlexTensor, bias: Option<&[f32]>) -> FlexTensor {
    let [small_channels, _, small_width] = geometry.small;
    let channels = geometry.large[0];
    let patch = geometry.patch();
    let weight = matrix(geometry, weight);
    let weight = Matrix::new(&weight, small_channels, patch);
    let mut large = vec![0.0; geometry.batch * geometry.large_len()];
    let group = group(geometry);
    large.par_chunks_mut(group * geometry.large_len()).zip(small.par_chunks(group * geometry.small_len())).for_each(
        |(large, small)| {
            if let Some(bias) = bias {
                large.chunks_mut(channels).for_each(|pixel| pixel.copy_from_slice(bias));
            }
            let images = small.len() / geometry.small_len();
            with_room(room(geometry, images), |patches| {
                for rows in blocks(geometry, images) {
                    let patches = &mut patches[..rows.len() * small_width * patch];
                    let small =
                        &small[rows.start * small_width * small_channels..rows.end * small_width * small_channels];
                    let small = Matrix::new(small, rows.len() * small_width, small_channels);
                    product(patches, Write::Set, small, weight, Threads::One);
                    collect(geometry, patches, rows, large);
                }
            });
        },
    );
    map(large, geometry.large_map())
}

/// smallᵀ · P(large), as weights `[small C, large C, ky, kx]`.
fn weigh(geometry: &Geometry, large: &[f32], small: &[f32]) -> FlexTensor {
    let [small_channels, _, width] = geometry.small;
    let (channels, patch) = (geometry.large[0], geometry.patch());
    let group = group(geometry);
    let sums: Vec<Vec<f32>> = large
        .par_chunks(group * geometry.large_len())
        .zip(small.par_chunks(group * geometry.small_len()))
        .map(|(large, small)| {
            let mut sum = vec![0.0; small_channels * patch];
            let images = small.len() / geometry.small_len();
            with_room(room(geometry, images), |patches| {
                for rows in blocks(geometry, images) {
                    let patches = &mut patches[..rows.len() * width * patch];
                    let small = &small[rows.start * width * small_channels..rows.end * width * small_channels];
                    spread(geometry, large, rows.clone(), patches);
                    let small = Matrix::new(small, rows.len() * width, small_channels).transposed();
                    product(&mut sum, Write::Add, small, Matrix::new(patches, rows.len() * width, patch), Threads::One);
                }
            });
            sum
        })
        .collect();
    let sum = super::add_up(sums);
    let inside = geometry.kernel[0] * geometry.kernel[1];
    let mut out = vec![0.0; sum.len()];
    for (out, sum) in out.chunks_mut(patch).zip(sum.chunks(patch)) {
        for (channel, out) in out.chunks_mut(inside).enumerate() {
            for (out, &value) in out.iter_mut().zip(sum[channel..].iter().step_by(channels)) {
                *out = value;
            }
        }
    }
    plain(out, geometry.weights())
}

/// The sum over all pixels, `[C]`.
fn sum_pixels(pixels: &[f32], [_, channels, _, _]: [usize; 4]) -> FloatTensor<Flex> {
    plain(super::column_sums(pixels, channels), [channels])
}
