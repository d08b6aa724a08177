//! Maps as the kernels see them: slices of `[batch, H, W, C]` values, the channels of a pixel side by side.
//!
//! A tensor `[batch, C, H, W]` of Burn says with its strides how its values lie, so maps stay in this order from layer
//! to layer, and only where Burn's own operations made one are the values put in order first.

use std::borrow::Cow;

use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{FlexTensor, Layout};
use rayon::prelude::*;

/// `[batch, C, H, W]` of a tensor with four axes.
pub fn dims(tensor: &FlexTensor) -> [usize; 4] {
    let shape = tensor.layout().shape();
    [shape[0], shape[1], shape[2], shape[3]]
}

/// A tensor `[batch, C, H, W]` whose values lie channels last.
pub fn map(values: Vec<f32>, [n, c, h, w]: [usize; 4]) -> FlexTensor {
    assert_eq!(values.len(), n * c * h * w, "values of a map");
    let strides = [h * w * c, 1, w * c, c].map(|stride| stride as isize).to_vec();
    FlexTensor::new(Bytes::from_elems(values), Layout::new(Shape::from([n, c, h, w]), strides, 0), DType::F32)
}

/// A tensor whose values lie in the order of its axes.
pub fn plain<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    assert_eq!(values.len(), shape.iter().product::<usize>(), "values of a tensor");
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(Shape::from(shape)), DType::F32)
}

/// The values of a tensor `[batch, C, H, W]`, channels last.
pub fn pixels(tensor: &FlexTensor) -> Cow<'_, [f32]> {
    let [n, c, h, w] = dims(tensor);
    ordered(tensor, [n, h, w, c], [0, 2, 3, 1])
}

/// The values of a tensor in the order of its axes.
pub fn values(tensor: &FlexTensor) -> Cow<'_, [f32]> {
    if let Some(values) = tensor.as_slice::<f32>() {
        return Cow::Borrowed(values);
    }
    let shape = tensor.layout().shape().to_vec();
    let strides = tensor.layout().strides();
    // Missing axes in front are axes of length 1.
    let mut axes = [(1, 0); 4];
    assert!(shape.len() <= 4, "tensors here have at most four axes");
    for (slot, (&size, &stride)) in axes[4 - shape.len()..].iter_mut().zip(shape.iter().zip(strides)) {
        *slot = (size, stride);
    }
    Cow::Owned(gather(tensor.storage(), tensor.layout().start_offset(), axes))
}

/// The values of a tensor with four axes, these in another order.
fn ordered(tensor: &FlexTensor, sizes: [usize; 4], order: [usize; 4]) -> Cow<'_, [f32]> {
    let layout = tensor.layout();
    let storage: &[f32] = tensor.storage();
    let axes: [(usize, isize); 4] = std::array::from_fn(|axis| (sizes[axis], layout.strides()[order[axis]]));
    let mut expected = 1;
    let mut dense = true;
    for &(size, stride) in axes.iter().rev() {
        // The stride of an axis of length 1 means nothing.
        dense &= size == 1 || stride == expected;
        expected *= size as isize;
    }
    if dense {
        let start = layout.start_offset();
        return Cow::Borrowed(&storage[start..start + expected as usize]);
    }
    Cow::Owned(gather(storage, layout.start_offset(), axes))
}

/// Copies values from anywhere, the last axis running fastest.
fn gather(storage: &[f32], start: usize, axes: [(usize, isize); 4]) -> Vec<f32> {
    let [(n, sn), (a, sa), (b, sb), (c, sc)] = axes;
    let mut out = vec![0.0; n * a * b * c];
    if out.is_empty() {
        return out;
    }
    out.par_chunks_mut(a * b * c).enumerate().for_each(|(image, out)| {
        let start = start as isize + image as isize * sn;
        for (row, out) in out.chunks_mut(b * c).enumerate() {
            let start = start + row as isize * sa;
            for (column, out) in out.chunks_mut(c).enumerate() {
                let start = start + column as isize * sb;
                for (at, out) in out.iter_mut().enumerate() {
                    *out = storage[(start + at as isize * sc) as usize];
                }
            }
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_read_as_it_was_written() {
        let numbers: Vec<f32> = (0..2 * 3 * 4 * 5).map(|x| x as f32).collect();
        let tensor = map(numbers.clone(), [2, 3, 4, 5]);
        assert!(matches!(pixels(&tensor), Cow::Borrowed(_)));
        assert_eq!(*pixels(&tensor), numbers);
        // Value (n, c, h, w) = (1, 2, 3, 4) is the last in both orders, (0, 1, 0, 0) comes first after it by channel.
        let in_order = values(&tensor);
        assert_eq!((in_order[0], in_order[119], in_order[20]), (0.0, 119.0, 1.0));
        assert_eq!(*values(&plain(numbers.clone(), [2, 3, 4, 5])), numbers);
        assert_eq!(*pixels(&plain(in_order.to_vec(), [2, 3, 4, 5])), numbers);
    }

    #[test]
    fn one_channel_or_one_pixel_is_never_copied() {
        for shape in [[2, 1, 3, 4], [2, 5, 1, 1]] {
            let tensor = plain(vec![1.0; shape.iter().product()], shape);
            assert!(matches!(pixels(&tensor), Cow::Borrowed(_)));
        }
    }
}
