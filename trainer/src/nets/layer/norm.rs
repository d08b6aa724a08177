//! Normalizations.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module::batch_norm_train;

use crate::nets::Mode;
use crate::nets::operations::operations;

/// `γ·(x − mean) / √(variance + ε) + β` per channel.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// γ, `[C]`.
    pub gamma: Param<Tensor<1>>,
    /// β, `[C]`.
    pub beta: Param<Tensor<1>>,
    /// Mean, `[C]`, for evaluation.
    pub mean: Param<Tensor<1>>,
    /// Variance, `[C]`, for evaluation.
    pub variance: Param<Tensor<1>>,
    /// ε.
    pub epsilon: f64,
}

impl BatchNorm {
    pub(super) fn forward(&self, x: Tensor<4>, mode: &Mode<'_>) -> Tensor<4> {
        let (gamma, beta) = (self.gamma.val(), self.beta.val());
        let operations = operations(&[&x, &gamma]);
        match mode {
            Mode::Train(_) => operations.batch_norm(x, gamma, beta, self.epsilon),
            Mode::Eval => {
                operations.with_statistics(x, [gamma, beta, self.mean.val(), self.variance.val()], self.epsilon)
            }
        }
    }

    /// Takes over the statistics of `x`.
    pub(in crate::nets) fn estimate(&mut self, x: Tensor<4>) {
        let batch = batch_norm_train(x, self.gamma.val(), self.beta.val(), self.epsilon);
        self.mean = self.mean.clone().map(|_| batch.mean);
        self.variance = self.variance.clone().map(|_| batch.variance);
    }
}

/// `(x − mean) / √(variance + ε)` with statistics of one image, while it trains as while it draws.
#[derive(Module, Debug)]
pub struct Normalize {
    /// Over what.
    #[module(skip)]
    pub kind: NormalizeKind,
    /// ε.
    pub epsilon: f64,
}

/// What [`Normalize`] takes its statistics over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormalizeKind {
    /// All pixels of a channel: instance normalization.
    Instance,
    /// The channels of a pixel, the mean not subtracted: pixel normalization.
    Pixel,
}

impl Normalize {
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let root = |squares: Tensor<4>| squares.add_scalar(self.epsilon).sqrt();
        match self.kind {
            NormalizeKind::Instance => {
                let mean = |x: Tensor<4>| x.mean_dim(3).mean_dim(2);
                let centred = x.clone() - mean(x);
                centred.clone() / root(mean(centred.square()))
            }
            NormalizeKind::Pixel => x.clone() / root(x.square().mean_dim(1)),
        }
    }
}
