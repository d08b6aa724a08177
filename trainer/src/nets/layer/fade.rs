//! One map in place of another, by and by (Karras et al., "Progressive Growing of GANs", 2018, §2 and figure 2).

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};

use crate::nets::operations::operations;

/// `(1 − α)` times the first map plus `α` times the second. Where α is 0 or 1 the other map is not even computed
/// ([`Net::running`](crate::nets::Net::running)), and the layer reads one map.
#[derive(Module, Debug)]
pub struct Fade {
    /// α, `[1]`, from 0 to 1. It is set, not learned, and lies with the weights so that whoever loads them draws what
    /// they were trained to draw.
    pub share: Param<Tensor<1>>,
}

impl Fade {
    /// α.
    pub fn share(&self) -> f32 {
        self.share.val().into_scalar::<f32>()
    }

    /// What the first map and the second count.
    pub fn scales(&self) -> [f32; 2] {
        let share = self.share();
        [1.0 - share, share]
    }

    /// Sets α.
    pub(in crate::nets) fn set(&mut self, share: f32) {
        let one = |old: Tensor<1>| {
            let new = Tensor::from_data(TensorData::new(vec![share], [1]), &old.device().inner());
            if old.is_autodiff() { new.autodiff() } else { new }
        };
        self.share = self.share.clone().map(one);
    }

    pub(super) fn forward(&self, mut reads: Vec<Tensor<4>>) -> Tensor<4> {
        let new = reads.pop().expect("a fade reads one map or two");
        match reads.pop() {
            Some(old) => operations(&[&old, &new]).add(old, new, self.scales()),
            None => new,
        }
    }
}
