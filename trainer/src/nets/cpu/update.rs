//! What changes all weights after a step: Adam and the running average, each in one pass over the weights.

use burn::backend::Flex;
use burn::optim::{self, AdamConfig, AdamState, AdaptiveMomentumState, LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};
use burn_flex::{FlexTensor, Layout};
use pulp::Arch;

use super::maps::values;
use super::{bare, suits};

/// Adam (Kingma and Ba, 2015) with bias correction, without weight decay; its state is that of Burn's.
#[derive(Clone)]
pub struct Adam {
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    /// For tensors on other devices.
    burns: optim::Adam,
}

/// An optimizer for a whole net.
pub fn adam(beta1: f32, beta2: f32, epsilon: f32) -> ModuleOptimizer {
    Adam::new(beta1, beta2, epsilon).into()
}

// Burn's cannot be printed.
impl std::fmt::Debug for Adam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { beta1, beta2, epsilon, .. } = self;
        f.debug_struct("Adam")
            .field("beta1", beta1)
            .field("beta2", beta2)
            .field("epsilon", epsilon)
            .finish_non_exhaustive()
    }
}

impl Adam {
    /// Decay of both moments, and what is added to the root of the second.
    pub fn new(beta1: f32, beta2: f32, epsilon: f32) -> Self {
        let burns = AdamConfig::new().with_beta_1(beta1).with_beta_2(beta2).with_epsilon(epsilon).build();
        Self { beta1, beta2, epsilon, burns }
    }
}

impl Optimizer for Adam {
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        let moments = state.as_ref().map(|state| &state.momentum);
        let ours = suits(&tensor)
            && suits(&grad)
            && moments.is_none_or(|moments| suits(&moments.moment_1) && suits(&moments.moment_2));
        if !ours {
            return self.burns.step(lr, tensor, grad, state);
        }
        let grad = bare(grad);
        let grad = values(&grad);
        let (time, mut first, mut second) = match state {
            Some(AdamState { momentum }) => (momentum.time + 1, owned(momentum.moment_1), owned(momentum.moment_2)),
            None => (1, vec![0.0; grad.len()], vec![0.0; grad.len()]),
        };
        let shape = tensor.dims();
        let mut weights = owned(tensor);
        let power = i32::try_from(time).unwrap_or(i32::MAX);
        let second_correction = (1.0 - self.beta2.powi(power)).sqrt();
        let factor = second_correction / (1.0 - self.beta1.powi(power));
        let epsilon = self.epsilon * second_correction;
        let (beta1, beta2, lr) = (self.beta1, self.beta2, lr as f32);
        Arch::new().dispatch(
            #[inline(always)]
            || {
                let moments = first.iter_mut().zip(second.iter_mut());
                for ((weight, gradient), (first, second)) in weights.iter_mut().zip(grad.iter()).zip(moments) {
                    *first = *first * beta1 + gradient * (1.0 - beta1);
                    *second = *second * beta2 + gradient * gradient * (1.0 - beta2);
                    *weight -= *first * factor / (second.sqrt() + epsilon) * lr;
                }
            },
        );
        let momentum = AdaptiveMomentumState::new(time, tensor_of(first, shape), tensor_of(second, shape));
        (tensor_of(weights, shape), Some(AdamState::new(momentum)))
    }

    fn to_device<const D: usize>(state: AdamState<D>, device: &Device) -> AdamState<D> {
        optim::Adam::to_device(state, device)
    }
}

/// `decay · mean + (1 − decay) · source`.
pub fn blend(mean: Tensor<1>, source: Tensor<1>, decay: f64) -> Tensor<1> {
    let shape = mean.dims();
    let mut mean = owned(mean);
    let source = bare(source);
    let (keep, take) = (decay as f32, (1.0 - decay) as f32);
    let source = values(&source);
    Arch::new().dispatch(
        #[inline(always)]
        || mean.iter_mut().zip(source.iter()).for_each(|(mean, source)| *mean = *mean * keep + source * take),
    );
    tensor_of(mean, shape)
}

/// The values of a tensor, without a copy if nothing else holds them.
fn owned<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = bare(tensor).into_data();
    data.try_into_vec::<f32>().expect("`suits` has seen 32-bit floats")
}

fn tensor_of<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    let bytes = burn::tensor::Bytes::from_elems(values);
    let layout = Layout::contiguous(burn::tensor::Shape::from(shape));
    Tensor::from_primitive::<Flex>(FlexTensor::new(bytes, layout, burn::tensor::DType::F32))
}
