//! A network that learns, with its optimizer and, for what ships, the average of its weights.

use std::path::Path;

use anyhow::{Context, Result};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Gradients, Tensor};

use crate::checkpoint;
use crate::nets::Net;
use crate::nets::cpu::update::adam;
use crate::recipe::TrainConfig;

/// A network on a device with autodiff, and its optimizer.
pub struct Learner {
    /// The network.
    pub net: Net,
    optimizer: ModuleOptimizer,
    /// Its files in a checkpoint are called after it.
    name: &'static str,
    /// The optimizer's file is called after the optimizer, too.
    method: &'static str,
}

// Burn's optimizers cannot be printed.
impl std::fmt::Debug for Learner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Learner").field("name", &self.name).field("net", &self.net).finish_non_exhaustive()
    }
}

impl Learner {
    /// `net` before its first step. Its files are called `name`.
    pub fn new(name: &'static str, net: Net, train: &TrainConfig) -> Self {
        // Burn's default ε of 1e-5 would slow down small gradients; 1e-8 is the paper's (Kingma and Ba, 2015).
        let [beta1, beta2] = [train.beta1, train.beta2].map(|beta| beta as f32);
        Self { net, optimizer: adam(beta1, beta2, 1e-8), name, method: "adam" }
    }

    /// As [`Learner::new`], with plain stochastic gradient descent in place of Adam.
    pub fn sgd(name: &'static str, net: Net) -> Self {
        Self { net, optimizer: SgdConfig::new().init(), name, method: "sgd" }
    }

    /// The norm of all gradients of this net's own parameters together.
    pub fn gradient_norm(&self, gradients: &Gradients) -> f32 {
        struct Squares<'a>(&'a Gradients, f32);
        impl ModuleVisitor for Squares<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(gradient) = param.val().grad(self.0) {
                    self.1 += gradient.square().sum().into_scalar::<f32>();
                }
            }
        }
        let mut squares = Squares(gradients, 0.0);
        self.net.visit(&mut squares);
        squares.1.sqrt()
    }

    /// One step of the optimizer down the gradients of this net's own parameters; `gradients` may hold those of other nets, too.
    pub fn update(&mut self, gradients: &mut Gradients, rate: f64) {
        let own = GradientsParams::from_module(gradients, &self.net);
        self.net = self.optimizer.step(rate, self.net.clone(), own);
    }

    /// Writes weights and the optimizer's state into the existing folder `folder`.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        checkpoint::save_net(&self.net, &folder.join(format!("{}.safetensors", self.name)))?;
        let path = folder.join(format!("{}-{}.bpk", self.name, self.method));
        self.optimizer.save(&path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Takes over what [`Learner::save`] wrote for the same network.
    ///
    /// # Errors
    ///
    /// If a file is missing or does not fit the network.
    pub fn load(&mut self, folder: &Path) -> Result<()> {
        checkpoint::load_net(&mut self.net, &folder.join(format!("{}.safetensors", self.name)))?;
        let path = folder.join(format!("{}-{}.bpk", self.name, self.method));
        self.optimizer =
            self.optimizer.clone().load(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(())
    }
}

/// The average of a learner's weights, without autodiff.
#[derive(Clone, Debug)]
pub struct Average(pub Net);

impl Average {
    /// What its file in a checkpoint is called.
    pub const NAME: &str = "average";

    /// The average of `net` before its first step: `net`.
    pub fn of(net: &Net) -> Self {
        Self(net.valid())
    }

    /// Writes it into the existing folder `folder`.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        self.save_as(folder, Self::NAME)
    }

    /// As [`Average::save`], for the average of one of several generators, whose file is called `name`.
    ///
    /// # Errors
    ///
    /// As [`Average::save`].
    pub fn save_as(&self, folder: &Path, name: &str) -> Result<()> {
        checkpoint::save_net(&self.0, &folder.join(format!("{name}.safetensors")))
    }

    /// Takes over what [`Average::save`] wrote.
    ///
    /// # Errors
    ///
    /// If the file is missing or does not fit the network.
    pub fn load(&mut self, folder: &Path) -> Result<()> {
        self.load_as(folder, Self::NAME)
    }

    /// Takes over what [`Average::save_as`] wrote.
    ///
    /// # Errors
    ///
    /// As [`Average::load`].
    pub fn load_as(&mut self, folder: &Path, name: &str) -> Result<()> {
        checkpoint::load_net(&mut self.0, &folder.join(format!("{name}.safetensors")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::layer::Layer;
    use crate::nets::{Init, Mode, NetBuilder};
    use crate::rng::Rng;
    use burn::tensor::Device;

    #[test]
    fn sgd_goes_down_the_gradient_by_the_rate() {
        let device = Device::flex().autodiff();
        let net = NetBuilder::new([2, 1, 1], Init::He, &device, &mut Rng::new(1, 0)).linear([1, 1, 1]).build();
        let weights = |net: &Net| -> Vec<f32> {
            let Layer::Linear(linear) = &net.layers[0] else { panic!("built above") };
            linear.weight.val().into_data().try_to_vec().unwrap()
        };
        let mut learner = Learner::sgd("test", net);
        let before = weights(&learner.net);
        // y = w · (3, 4) + b has the gradients 3, 4 and 1.
        let x = Tensor::<4>::from_data([[[[3.0f32]], [[4.0]]]], &Device::flex());
        let mut gradients = learner.net.forward(x, &mut Mode::Eval).sum().backward();
        assert!((learner.gradient_norm(&gradients) - 26f32.sqrt()).abs() < 1e-5);
        learner.update(&mut gradients, 0.1);
        for ((before, after), gradient) in before.iter().zip(weights(&learner.net)).zip([3.0, 4.0]) {
            assert!((before - 0.1 * gradient - after).abs() < 1e-6);
        }
    }
}
