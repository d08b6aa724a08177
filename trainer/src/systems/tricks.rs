//! Tricks of the trade that any adversarial game can be played with, each off by default.
//!
//! They are those of Chintala, Denton, Arjovsky and Mathieu, "How to Train a GAN? Tips and tricks to make GANs work" (2016), that are not already the
//! way things are done here or a knob elsewhere: images in [−1, 1], the non-saturating loss, Gaussian latents, LeakyReLU, strided convolutions, Adam, k
//! critic steps and two learning rates need no table. The list says of itself that it is no longer maintained. `edgegen lab tricks` measures
//! each on the ring.
//!
//! ```toml
//! [gan.tricks]
//! soft_labels = true
//! replay = 1024
//! ```

use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::tensor::{Device, Tensor, TensorData, activation};
use edgegen_export::layers::PixelRange;
use serde::{Deserialize, Serialize};

use super::adversarial::{Loss, softplus};
use super::augment::Augmentation;
use super::penalty::Penalty;
use super::pool::Pool;
use crate::files;
use crate::nets::Net;
use crate::rng::Rng;

/// The sub-table `tricks` of a system with two players.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tricks {
    /// The critic learns labels of [0.7, 1.2] for real and of [0, 0.3] for generated images, drawn for each, in place of 1 and 0 (Salimans et al., 2016,
    /// §3.4). Needs a loss with labels.
    pub soft_labels: bool,
    /// Probability that a real and a generated image change places while the critic learns.
    pub flip_labels: f32,
    /// Real and generated images go through the critic as two batches. It makes a difference only to a critic that looks at its batch, which
    /// sees two in any case; elsewhere it costs time.
    pub separate_batches: bool,
    /// So many earlier generated images are kept, and half of those that the critic learns from are taken from there (Shrivastava et al.,
    /// "Learning from Simulated and Unsupervised Images through Adversarial Training", 2017, §2.3). 0 keeps none.
    pub replay: usize,
    /// The critic descends by plain SGD in place of Adam; its learning rate then has another meaning.
    pub sgd_critic: bool,
    /// σ of the noise on all images that the critic sees at the first step; it falls in a line to 0 at the last (Sønderby et al., "Amortised MAP
    /// Inference for Image Super-resolution", 2017, §3.2; Arjovsky and Bottou, 2017).
    pub instance_noise: f32,
    /// Before its last layer the critic learns how much the images of its batch differ (Karras et al., "Progressive Growing of GANs", 2018, §3: minibatch
    /// discrimination of Salimans et al., 2016, in its simplest form).
    pub minibatch_deviation: bool,
    /// Probability that a hidden unit of the generator takes part while it trains. When it draws, all do.
    pub keep_generator: f32,
    /// The critic also tells classes, and both players want them told right (Odena et al., "Conditional Image Synthesis with Auxiliary Classifier GANs",
    /// 2017, eq. 2 and 3), in place of the projection. Needs classes.
    pub auxiliary_classifier: bool,
    /// Changes through which the critic sees all images, real and generated ones ([`augment`](super::augment)); a penalty is taken where the critic
    /// sees them.
    pub augment: Vec<Augmentation>,
    /// Probability of each of these changes.
    pub augment_share: f32,
    /// ε of a loss ε · E D(x)² that the critic has besides, so that the scores of one that is only told differences do
    /// not wander off (Karras et al., "Progressive Growing of GANs", 2018, appendix A.1: 0.001 with the Wasserstein
    /// loss).
    pub drift: f32,
    /// β of a loss β · ‖W·Wᵀ ⊙ (1 − I)‖² that the generator has besides for the weights of each dense layer and
    /// convolution, one row for each output: filters are to differ, not to be of one length (Brock et al., "Large Scale
    /// GAN Training", 2019, eq. 3; there 0.0001).
    pub orthogonal: f32,
    /// Signs of failure are logged: the norms of both gradients, and whether the critic's loss is near 0 or a norm above 100.
    pub watch: bool,
}

impl Default for Tricks {
    fn default() -> Self {
        Self {
            soft_labels: false,
            flip_labels: 0.0,
            separate_batches: false,
            replay: 0,
            sgd_critic: false,
            instance_noise: 0.0,
            minibatch_deviation: false,
            keep_generator: 1.0,
            auxiliary_classifier: false,
            augment: Vec::new(),
            augment_share: 1.0,
            drift: 0.0,
            orthogonal: 0.0,
            watch: false,
        }
    }
}

/// Labels of real and of generated images where they are soft, from and to.
const SOFT: [[f32; 2]; 2] = [[0.7, 1.2], [0.0, 0.3]];
/// A critic's loss below which it has nothing left to tell the generator.
const WON: f32 = 0.01;
/// The norm of a gradient above which something is wrong.
const STEEP: f32 = 100.0;

impl Tricks {
    /// Checks the table beside what else the system `table` is told.
    ///
    /// # Errors
    ///
    /// With the first value that is out of range or does not go with another.
    pub fn check(&self, table: &str, loss: Loss, penalty: Penalty, classes: usize) -> Result<()> {
        ensure!(
            !self.soft_labels || matches!(loss, Loss::Minimax | Loss::NonSaturating | Loss::LeastSquares),
            "[{table}.tricks] soft_labels need a loss with labels: minimax, non-saturating or least-squares"
        );
        ensure!(
            self.replay == 0 || classes == 0,
            "[{table}.tricks] replay does not remember classes, found {classes}: set one of both to 0"
        );
        ensure!(
            (0.0..=0.5).contains(&self.flip_labels),
            "[{table}.tricks] flip_labels must be 0 to 0.5, found {}",
            self.flip_labels
        );
        ensure!(
            self.instance_noise >= 0.0 && self.instance_noise.is_finite(),
            "[{table}.tricks] instance_noise must not be negative, found {}",
            self.instance_noise
        );
        ensure!(
            self.keep_generator > 0.0 && self.keep_generator <= 1.0,
            "[{table}.tricks] keep_generator must be above 0 and at most 1 (no dropout), found {}",
            self.keep_generator
        );
        ensure!(
            (0.0..=1.0).contains(&self.augment_share),
            "[{table}.tricks] augment_share must be 0 to 1, found {}",
            self.augment_share
        );
        for (key, weight) in [("drift", self.drift), ("orthogonal", self.orthogonal)] {
            ensure!(weight >= 0.0 && weight.is_finite(), "[{table}.tricks] {key} must not be negative, found {weight}");
        }
        ensure!(
            !self.minibatch_deviation || penalty == Penalty::None,
            "[{table}.tricks] minibatch_deviation goes with no penalty, which needs the slope at each image alone: set one of both"
        );
        ensure!(
            !self.auxiliary_classifier || classes > 0,
            "[{table}.tricks] auxiliary_classifier needs classes: use system = \"cgan\" or set [gan] classes"
        );
        Ok(())
    }
}

/// The tricks of a game that is being played, with what they have to remember.
#[derive(Clone, Debug)]
pub struct Bag {
    /// Which there are.
    pub tricks: Tricks,
    /// Of the images.
    range: PixelRange,
    /// Steps of the whole run, and those done.
    steps: u64,
    done: u64,
    /// Kept images.
    pool: Pool,
}

impl Bag {
    /// Before the first of `steps` steps, with images in `range`.
    pub fn new(tricks: Tricks, range: PixelRange, steps: u64) -> Self {
        let pool = Pool::new(tricks.replay);
        Self { tricks, range, steps, done: 0, pool }
    }

    /// Images as the critic sees them at this step: changed, and with noise.
    pub fn seen(&self, images: Tensor<4>, rng: &mut Rng) -> Tensor<4> {
        let Tricks { augment, augment_share, .. } = &self.tricks;
        let images =
            augment.iter().fold(images, |images, change| change.apply(images, self.range, *augment_share, rng));
        let sigma = self.noise();
        if sigma == 0.0 {
            return images;
        }
        let (shape, device) = (images.dims(), images.device().inner());
        let noise: Vec<f32> = (0..shape.iter().product()).map(|_| sigma * rng.normal()).collect();
        images + Tensor::from_data(TensorData::new(noise, shape), &device)
    }

    /// σ of the noise at this step.
    fn noise(&self) -> f32 {
        let left = 1.0 - self.done as f64 / self.steps.max(1) as f64;
        self.tricks.instance_noise * left.max(0.0) as f32
    }

    /// Counts a step of the run.
    pub fn count(&mut self) {
        self.done += 1;
    }

    /// Generated images as the critic learns from them: half of them kept ones, once enough are kept. Half of the new ones are kept.
    pub fn replayed(&mut self, fake: Tensor<4>, rng: &mut Rng) -> Tensor<4> {
        self.pool.replay(fake, rng)
    }

    /// L_D of scores `[batch, 1, 1, 1]`, with labels as the tricks have them, `[1]`.
    pub fn critic_loss(&self, loss: Loss, real: Tensor<4>, fake: Tensor<4>, rng: &mut Rng) -> Tensor<1> {
        let drift = (self.tricks.drift > 0.0).then(|| real.clone().square().mean().mul_scalar(self.tricks.drift));
        let (real, fake) = self.flipped(real, fake, rng);
        let told = self.told(loss, real, fake, rng);
        drift.into_iter().fold(told, |told, drift| told + drift)
    }

    /// L_D with labels that may be soft.
    fn told(&self, loss: Loss, real: Tensor<4>, fake: Tensor<4>, rng: &mut Rng) -> Tensor<1> {
        if !self.tricks.soft_labels {
            return loss.critic(real, fake);
        }
        let parts = [real, fake].into_iter().zip(SOFT).map(|(scores, [from, to])| {
            let target = drawn(scores.dims()[0], &scores.device(), || from + (to - from) * rng.unit());
            match loss {
                Loss::LeastSquares => (scores - target).square().mean().mul_scalar(0.5),
                // −t log σ(s) − (1 − t) log(1 − σ(s))
                _ => (target.clone() * softplus(-scores.clone()) + target.neg().add_scalar(1.0) * softplus(scores))
                    .mean(),
            }
        });
        parts.reduce(|a, b| a + b).expect("two parts")
    }

    /// What the generator pays for filters that are alike, `[1]`, or nothing.
    pub fn orthogonal(&self, generator: &Net) -> Option<Tensor<1>> {
        let weight = self.tricks.orthogonal;
        (weight > 0.0).then(|| generator.likeness()).flatten().map(|likeness| likeness.mul_scalar(weight))
    }

    /// Exchanges the scores of some pairs.
    fn flipped(&self, real: Tensor<4>, fake: Tensor<4>, rng: &mut Rng) -> (Tensor<4>, Tensor<4>) {
        let share = self.tricks.flip_labels;
        if share == 0.0 {
            return (real, fake);
        }
        let flip = drawn(real.dims()[0], &real.device(), || f32::from(u8::from(rng.unit() < share)));
        let change = (fake.clone() - real.clone()) * flip;
        (real + change.clone(), fake - change)
    }

    /// What the tricks have to say of a step: of the critic's loss, and of the norms of the critic's and the generator's gradients.
    pub fn report(&self, loss: Loss, critic: f32, norms: [f32; 2]) -> Vec<(&'static str, f32)> {
        if !self.tricks.watch {
            return Vec::new();
        }
        // Only Wasserstein's has no least value that means that the critic has won.
        let won = loss != Loss::Wasserstein && critic.abs() < WON;
        let failing = won || norms.iter().any(|&norm| norm > STEEP);
        vec![("gradient_critic", norms[0]), ("gradient_generator", norms[1]), ("failing", f32::from(u8::from(failing)))]
    }

    /// Whether there is anything to remember.
    fn remembers(&self) -> bool {
        self.tricks.replay > 0 || self.tricks.instance_noise > 0.0
    }

    /// Writes what is to be remembered into the existing folder `folder`.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        if !self.remembers() {
            return Ok(());
        }
        let bytes: Vec<u8> = self.done.to_le_bytes().into_iter().chain(self.pool.bytes()).collect();
        files::replace_bytes(&folder.join(FILE), &bytes)
    }

    /// Takes over what [`Bag::save`] wrote for the same tricks.
    ///
    /// # Errors
    ///
    /// If the file is missing or torn.
    pub fn load(&mut self, folder: &Path) -> Result<()> {
        if !self.remembers() {
            return Ok(());
        }
        let path = folder.join(FILE);
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let what = || format!("cannot use {}", path.display());
        let (done, kept) = bytes.split_first_chunk().with_context(|| {
            format!("expected a count and 32-bit floats in {}, found {} bytes", path.display(), bytes.len())
        })?;
        self.done = u64::from_le_bytes(*done);
        self.pool.take_bytes(kept).with_context(what)?;
        Ok(())
    }
}

/// What a checkpoint keeps of a bag: the steps done, 64 bits, and the kept images, 32-bit floats; all little-endian.
const FILE: &str = "tricks";

/// The cross-entropy of the class scores behind the first one, `[batch, 1 + classes, 1, 1]`, where `classes` says 1 for each image's
/// class, `[batch, classes, 1, 1]`; `[1]`.
pub fn classification(scores: &Tensor<4>, classes: Tensor<4>) -> Tensor<1> {
    let [batch, outputs, _, _] = scores.dims();
    let of_classes = scores.clone().narrow(1, 1, outputs - 1);
    (activation::log_softmax(of_classes, 1) * classes).sum().div_scalar(batch as f32).neg()
}

/// One number for each image of a batch, `[batch, 1, 1, 1]`.
fn drawn(batch: usize, device: &Device, mut draw: impl FnMut() -> f32) -> Tensor<4> {
    let values: Vec<f32> = (0..batch).map(|_| draw()).collect();
    Tensor::from_data(TensorData::new(values, [batch, 1, 1, 1]), &device.clone().inner())
}

#[cfg(test)]
mod tests;
