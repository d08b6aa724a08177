//! A network that learns, with its optimizer and, for what ships, the average of its weights.

use std::path::Path;

use anyhow::{Context, Result};
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};

use crate::checkpoint;
use crate::nets::Net;
use crate::nets::cpu::update::adam;
use crate::recipe::TrainConfig;

/// A network on a device with autodiff, and its Adam.
pub struct Learner {
    /// The network.
    pub net: Net,
    optimizer: ModuleOptimizer,
    /// Its files in a checkpoint are called after it.
    name: &'static str,
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
        Self { net, optimizer: adam(beta1, beta2, 1e-8), name }
    }

    /// One step of Adam down the gradients of this net's own parameters; `gradients` may hold those of other nets, too.
    pub fn update(&mut self, gradients: &mut burn::tensor::Gradients, rate: f64) {
        let own = GradientsParams::from_module(gradients, &self.net);
        self.net = self.optimizer.step(rate, self.net.clone(), own);
    }

    /// Writes weights and Adam's moments into the existing folder `folder`.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        checkpoint::save_net(&self.net, &folder.join(format!("{}.safetensors", self.name)))?;
        let path = folder.join(format!("{}-adam.bpk", self.name));
        self.optimizer.save(&path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Takes over what [`Learner::save`] wrote for the same network.
    ///
    /// # Errors
    ///
    /// If a file is missing or does not fit the network.
    pub fn load(&mut self, folder: &Path) -> Result<()> {
        checkpoint::load_net(&mut self.net, &folder.join(format!("{}.safetensors", self.name)))?;
        let path = folder.join(format!("{}-adam.bpk", self.name));
        self.optimizer =
            self.optimizer.clone().load(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(())
    }
}

/// The average of a learner's weights, without autodiff.
#[derive(Clone, Debug)]
pub struct Average(pub Net);

impl Average {
    const FILE: &str = "average.safetensors";

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
        checkpoint::save_net(&self.0, &folder.join(Self::FILE))
    }

    /// Takes over what [`Average::save`] wrote.
    ///
    /// # Errors
    ///
    /// If the file is missing or does not fit the network.
    pub fn load(&mut self, folder: &Path) -> Result<()> {
        checkpoint::load_net(&mut self.0, &folder.join(Self::FILE))
    }
}
