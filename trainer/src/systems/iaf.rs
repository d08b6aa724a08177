//! `iaf`: an inverse autoregressive flow that learns from a masked autoregressive one: samples in one pass.
//!
//! ```text
//! x_i = μ_i(z_<i) + e^{α_i(z_<i)} z_i,  z ~ N(0, I)        log s(x) = log N(z) − Σ α_i
//! teacher t: max E_data log t(x)        student s: min KL(s ‖ t) = E_z [log s(x) − log t(x)]
//! ```
//!
//! Kingma et al., "Improving Variational Inference with Inverse Autoregressive Flow" (2016), eq. 10; van den Oord et al., "Parallel WaveNet" (2018), eq. 6. Maximum
//! likelihood would need the student's density of data, which takes it D steps; of its own samples it has the density at hand, and the teacher's of
//! anything takes one pass. So each step moves the teacher, a [`maf`](super::maf), up the likelihood of a batch, and the student towards the teacher's
//! averaged weights on as many samples of its own. The divergence goes to infinity where the student draws what the teacher does not know, and does not mind
//! what it leaves out.
//!
//! Knobs: `blocks` and `hidden` of the student, which ships; `teacher_blocks`, `teacher_hidden`; `lambda` of the logits of images.
//! `lr_generator` is the student's rate, `lr_critic` the teacher's.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::flow::{Density, Score, Seen, Space, Stack, chain, finished, log_density, log_normal};
use super::learner::{Average, Learner};
use super::likelihood::in_units;
use super::{Generator, Kind, Losses, Step, System, Trained, latents, made};
use crate::nets::Net;
use crate::nets::layer::{Conditional, Conditionals, Layer, Way};
use crate::recipe::{Prior, Recipe};
use crate::rng::Rng;

/// The table `[iaf]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Layers of the student.
    pub blocks: usize,
    /// Units of each one's hidden layers.
    pub hidden: Vec<usize>,
    /// MADEs in the teacher's stack.
    pub teacher_blocks: usize,
    /// Units of each one's hidden layers.
    pub teacher_hidden: Vec<usize>,
    /// How near to black and white logits are taken, of images.
    pub lambda: f64,
}

impl Default for Config {
    fn default() -> Self {
        let hidden = vec![64, 64];
        Self { blocks: 5, hidden: hidden.clone(), teacher_blocks: 5, teacher_hidden: hidden, lambda: 1e-6 }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "iaf",
    about: "inverse autoregressive flow, distilled from a masked one: samples in one pass, which ship",
    normalize,
    generator: |recipe, device, rng| {
        let (config, image): (Config, _) = (recipe.settings()?, recipe.image());
        let net = config.student().net(image.iter().product(), device, rng);
        Ok(generator(&net, Space::of(recipe, config.lambda), image))
    },
    build: |recipe, device, rng| Ok(Distillation::build(recipe, device, rng)?),
};

impl Config {
    fn student(&self) -> Stack<'_> {
        let (blocks, hidden, conditional) = (self.blocks, &self.hidden, Conditional::Gaussian);
        Stack { blocks, hidden, conditional, way: Way::OnePass, batch_norm: false }
    }

    fn teacher(&self) -> Stack<'_> {
        let (blocks, hidden, conditional) = (self.teacher_blocks, &self.teacher_hidden, Conditional::Gaussian);
        Stack { blocks, hidden, conditional, way: Way::InTurn, batch_norm: true }
    }
}

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    ensure!(
        config.blocks >= 1 && config.teacher_blocks >= 1,
        "[iaf] blocks and teacher_blocks must be at least 1: remove the 0"
    );
    made::check("iaf", &config.hidden, config.lambda)?;
    made::check("iaf", &config.teacher_hidden, config.lambda)?;
    Ok(Table::try_from(config)?)
}

/// A student as a generator.
fn generator(net: &Net, space: Space, image: [usize; 3]) -> Generator {
    let mut layers = net.layers.clone();
    if let Some(Layer::Autoregressive(last)) = layers.last_mut() {
        last.shape = image;
    }
    finished(layers, net.inputs[0], space, image)
}

/// Samples of a student and their log-densities by it, in one pass.
///
/// # Shapes
///   - `z` and samples `[batch, D, 1, 1]`, log-densities `[batch, 1, 1, 1]`
///
/// # Panics
///
/// If the net is no student.
pub fn draw(net: &Net, z: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
    let log = log_normal(z.clone());
    chain(net).fold((z, log), |(x, log), layer| {
        let (x, log_scale) = layer.one_pass(x);
        (x, log - log_scale.sum_dim(1))
    })
}

/// The log-density by a student of what others made, `[batch, 1, 1, 1]`: each layer is undone value by value, D steps.
///
/// # Shapes
///   - `x` `[batch, D, 1, 1]`, without gradients
///
/// # Panics
///
/// If the net is no student.
pub fn density(net: &Net, x: Tensor<4>) -> Tensor<4> {
    let [batch, ..] = x.dims();
    let log_det = Tensor::zeros([batch, 1, 1, 1], &x.device());
    let (z, log_det) = chain(net).rev().fold((x, log_det), |(x, log_det), layer| {
        let z = layer.in_turn(x, |value, location, log_scale| [(value - location) * (-log_scale).exp(); 2]);
        let Conditionals { log_scale, .. } = layer.conditionals(z.clone());
        let log_scale = log_scale.expect("a student has Gaussian conditionals");
        (z, log_det - log_scale.sum_dim(1))
    });
    log_normal(z) + log_det
}

/// Teacher and student while they learn.
#[derive(Debug)]
pub struct Distillation {
    /// The flow that learns from the data.
    pub teacher: Density,
    student: Learner,
    /// The average of the student's weights.
    pub average: Average,
    image: [usize; 3],
    units: f64,
    device: Device,
}

/// Draws of which a score's divergence is the mean.
const DRAWN: usize = 10_000;

impl Distillation {
    /// Before the first step.
    ///
    /// # Errors
    ///
    /// If the recipe's table is wrong.
    pub fn build(recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Box<Self>> {
        let config: Config = recipe.settings()?;
        let (image, space) = (recipe.image(), Space::of(recipe, config.lambda));
        let student = config.student().net(image.iter().product(), device, rng);
        Ok(Box::new(Self {
            average: Average::of(&student),
            student: Learner::new("student", student, &recipe.train),
            teacher: Density::new(&config.teacher(), space, recipe, device, rng),
            image,
            units: in_units(recipe),
            device: device.clone().inner(),
        }))
    }

    /// An estimate of KL(student ‖ teacher), in nats, from the latent vectors `z`.
    fn divergence(&self, student: &Net, z: Tensor<4>) -> Tensor<1> {
        let batch = z.dims()[0];
        let (x, log) = draw(student, z);
        (log.reshape([batch]) - log_density(&self.teacher.average.0, x, None)).mean()
    }

    fn teachers(folder: &Path) -> PathBuf {
        folder.join("teacher")
    }
}

impl System for Distillation {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let images = (step.next_batch)().images;
        let batch = images.dims()[0];
        let rate = step.lr_generator;
        step.lr_generator = step.lr_critic;
        let [nats, _] = self.teacher.learn(images, step);
        step.lr_generator = rate;
        let dims = self.image.iter().product();
        let z = latents(Prior::Gaussian, batch, dims, step.rng, &self.device);
        let divergence = self.divergence(&self.student.net, z);
        let mut gradients = divergence.clone().backward();
        self.student.update(&mut gradients, rate);
        self.average.0.average(&self.student.net, step.ema);
        vec![("divergence", divergence.into_scalar::<f32>()), ("teacher_log_likelihood", nats)]
    }

    fn trained(&self) -> Trained {
        Trained::Generator(generator(&self.average.0, self.teacher.space, self.image))
    }

    /// KL(student ‖ teacher) of averaged weights on fresh samples; the log-likelihood by the student, for which its layers are undone value by
    /// value, and by the teacher.
    fn score(&self, test: &mut dyn FnMut() -> Option<Tensor<4>>) -> Losses {
        let mut rng = Rng::new(0, u64::MAX);
        let dims = self.image.iter().product();
        let (mut student, mut teacher) = (Score::default(), Score::default());
        while let Some(images) = test() {
            let Seen { x, volume } = self.teacher.space.see(images, &mut rng);
            let batch = x.dims()[0];
            student.add(density(&self.average.0, x.clone()).reshape([batch]), volume);
            teacher.add(log_density(&self.teacher.average.0, x, None), volume);
        }
        const BATCH: usize = 500;
        let mut divergence = 0.0;
        for _ in 0..DRAWN / BATCH {
            let z = latents(Prior::Gaussian, BATCH, dims, &mut rng, &self.device);
            divergence += self.divergence(&self.average.0, z).into_scalar::<f32>() / (DRAWN / BATCH) as f32;
        }
        let mut losses = student.losses(self.units, dims);
        losses.push(("divergence_from_teacher", divergence));
        losses.push(("teacher_log_likelihood", teacher.losses(self.units, dims)[0].1));
        losses
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.student.save(folder)?;
        self.average.save(folder)?;
        let teachers = Self::teachers(folder);
        fs::create_dir_all(&teachers).with_context(|| format!("cannot create {}", teachers.display()))?;
        self.teacher.save(&teachers)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        self.student.load(folder)?;
        self.average.load(folder)?;
        self.teacher.load(&Self::teachers(folder))
    }
}

#[cfg(test)]
mod tests;
