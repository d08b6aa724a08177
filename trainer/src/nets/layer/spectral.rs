//! Weights over their largest singular value (Miyato et al., "Spectral Normalization for GANs", 2018).

use burn::module::Param;
use burn::tensor::Tensor;

use crate::nets::operations::operations;

/// One power iteration of the left singular vector.
pub(super) fn iterate<const D: usize>(left: &mut Param<Tensor<1>>, weight: Tensor<D>) {
    let next = operations(&[&weight]).iterate(matrix(weight), left.val());
    // `map` keeps the parameter's number; the vector lives with the weights, tracked or not.
    *left = left.clone().map(|old| if old.is_autodiff() { next.autodiff() } else { next });
}

/// The weights over their largest singular value where there is a left singular vector, else times `gain`, on which the
/// first do not depend.
pub(super) fn normalized<const D: usize>(weight: Tensor<D>, left: Option<&Param<Tensor<1>>>, gain: f32) -> Tensor<D> {
    let Some(left) = left else {
        return if gain == 1.0 { weight } else { weight.mul_scalar(gain) };
    };
    let shape = weight.shape();
    operations(&[&weight]).spectral_norm(matrix(weight), left.val()).reshape(shape)
}

/// The weights as a matrix `[out, rest]`.
fn matrix<const D: usize>(weight: Tensor<D>) -> Tensor<2> {
    let out = weight.dims()[0];
    weight.reshape([out as i64, -1])
}
