//! Weights over their largest singular value (Miyato et al., "Spectral Normalization for GANs", 2018).

use burn::module::Param;
use burn::tensor::Tensor;

use crate::nets::cpu;

/// The weights as a matrix `[out, rest]`, without gradient.
fn matrix<const D: usize>(weight: Tensor<D>) -> Tensor<2> {
    let out = weight.dims()[0];
    weight.inner().reshape([out as i64, -1])
}

fn unit(vector: Tensor<2>) -> Tensor<2> {
    let norm = vector.clone().square().sum().sqrt().add_scalar(1e-12);
    vector / norm.reshape([1, 1])
}

/// `v ← Wᵀu / |Wᵀu|`, `u ← W·v / |W·v|`.
pub(super) fn iterate<const D: usize>(left: &mut Param<Tensor<1>>, weight: Tensor<D>) {
    let next = if cpu::suits(&weight) {
        cpu::spectral::iterate(weight, left.val())
    } else {
        let matrix = matrix(weight);
        let v = unit(left.val().inner().reshape([1, -1]).matmul(matrix.clone()));
        unit(v.matmul(matrix.transpose())).reshape([-1])
    };
    // `map` keeps the parameter's number; the vector lives with the weights, tracked or not.
    *left = left.clone().map(|old| if old.is_autodiff() { next.autodiff() } else { next });
}

/// `W / σ` with `σ = uᵀ·W·v`: u and v count as constants, so the gradient flows through W alone (Miyato et al., eq.
/// 12).
pub(super) fn normalized<const D: usize>(weight: Tensor<D>, left: Option<&Param<Tensor<1>>>) -> Tensor<D> {
    let Some(left) = left else { return weight };
    if cpu::suits(&weight) {
        return cpu::spectral::normalized(weight, left.val());
    }
    let out = weight.dims()[0];
    let u = left.val().inner().reshape([1, -1]);
    let v = unit(u.clone().matmul(matrix(weight.clone())));
    let sigma = (u.matmul(weight.clone().reshape([out as i64, -1])) * v).sum();
    weight / sigma.reshape([1; D])
}
