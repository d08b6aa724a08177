//! The two-player step that all adversarial systems share.
//!
//! A generator G turns latents z into images, a critic D gives each image a score; they take turns:
//!
//! ```text
//! k times:  D ← D − Adam ∇ L_D(D(x), D(G(z)))      x fresh real images, z fresh latents, G fixed
//! once:     G ← G − Adam ∇ L_G(D(G(z)))            D fixed
//! then:     Ḡ ← ema · Ḡ + (1 − ema) · G            the average that ships
//! ```
//!
//! This is algorithm 1 of Goodfellow et al., "Generative Adversarial Nets" (2014), with Adam, two learning rates
//! (Heusel et al., 2017) and averaged weights (Yazıcı et al., 2019). Real and generated images go through the critic
//! as separate batches. The fixed player has no gradients at all, so none can leak.

use std::path::Path;

use anyhow::{Context, Result};
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, activation};
use edgegen_export::layers::PixelRange;
use serde::{Deserialize, Serialize};

use super::{Generator, Losses, Step, System, Trained, latents};
use crate::checkpoint;
use crate::nets::{Mode, Net};
use crate::recipe::{Prior, TrainConfig};
use crate::rng::Rng;

/// What the players minimize. r = D(x) and f = D(G(z)) are scores before any sigmoid σ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// L_D = −log σ(r) − log(1 − σ(f)), L_G = log(1 − σ(f)): the 2014 game; L_G saturates where D is sure.
    Minimax,
    /// The same L_D; L_G = −log σ(f), the same fixed point with strong gradients early on (2014, §3).
    NonSaturating,
    /// L_D = max(0, 1 − r) + max(0, 1 + f), L_G = −f (Lim and Ye, "Geometric GAN", 2017).
    Hinge,
    /// L_D = ((r − 1)² + f²) / 2, L_G = (f − 1)² / 2 (Mao et al., "Least Squares GAN", 2017).
    LeastSquares,
}

impl Loss {
    /// L_D of scores `[batch, 1, 1, 1]`, averaged over the batch, `[1]`.
    pub fn critic(self, real: Tensor<4>, fake: Tensor<4>) -> Tensor<1> {
        match self {
            Self::Minimax | Self::NonSaturating => softplus(-real).mean() + softplus(fake).mean(),
            Self::Hinge => {
                activation::relu(real.neg().add_scalar(1.0)).mean() + activation::relu(fake.add_scalar(1.0)).mean()
            }
            Self::LeastSquares => (real.sub_scalar(1.0).square().mean() + fake.square().mean()).mul_scalar(0.5),
        }
    }

    /// L_G of scores `[batch, 1, 1, 1]`, averaged over the batch, `[1]`.
    pub fn generator(self, fake: Tensor<4>) -> Tensor<1> {
        match self {
            Self::Minimax => softplus(fake).mean().neg(),
            Self::NonSaturating => softplus(-fake).mean(),
            Self::Hinge => fake.mean().neg(),
            Self::LeastSquares => fake.sub_scalar(1.0).square().mean().mul_scalar(0.5),
        }
    }
}

/// log(1 + eˣ) = −log σ(−x), without overflow.
fn softplus(x: Tensor<4>) -> Tensor<4> {
    // Not from |x|, whose gradient at a score of exactly 0 is NaN in Burn.
    activation::log_sigmoid(x.neg()).neg()
}

/// What a system decides; the rest is the same for all.
#[derive(Clone, Debug)]
pub struct Players {
    /// G on a device with autodiff.
    pub generator: Net,
    /// D on the same device; its output is one score.
    pub critic: Net,
    /// What they minimize.
    pub loss: Loss,
    /// How latents are drawn.
    pub prior: Prior,
    /// Range of G's output; the critic sees real images in the same range.
    pub pixels: PixelRange,
}

/// Two players, their optimizers, and the average of the generator.
pub struct Adversarial {
    players: Players,
    average: Net,
    generator_optimizer: ModuleOptimizer,
    critic_optimizer: ModuleOptimizer,
    critic_steps: usize,
    batch: usize,
    device: Device,
}

// Burn's optimizers cannot be printed.
impl std::fmt::Debug for Adversarial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adversarial").field("players", &self.players).finish_non_exhaustive()
    }
}

impl Adversarial {
    /// A game that has not begun.
    pub fn new(players: Players, train: &TrainConfig, device: &Device) -> Self {
        // Burn's default ε of 1e-5 would slow down small gradients; 1e-8 is the paper's (Kingma and Ba, 2015).
        let [beta1, beta2] = [train.beta1, train.beta2].map(|beta| beta as f32);
        let adam = AdamConfig::new().with_beta_1(beta1).with_beta_2(beta2).with_epsilon(1e-8);
        Self {
            average: players.generator.valid(),
            players,
            generator_optimizer: adam.init(),
            critic_optimizer: adam.init(),
            critic_steps: train.critic_steps,
            batch: train.batch,
            device: device.clone().inner(),
        }
    }

    fn latents(&self, rng: &mut Rng) -> Tensor<4> {
        let dims = self.players.generator.input[0];
        latents(self.players.prior, self.batch, dims, rng, &self.device)
    }

    /// One update of the critic; returns its loss and the mean scores of real and generated images.
    fn step_critic(&mut self, step: &mut Step<'_>) -> [f32; 3] {
        self.players.critic.power_iteration();
        let mut real = (step.next_batch)().images;
        if self.players.pixels == PixelRange::Unit {
            real = real.add_scalar(1.0).mul_scalar(0.5);
        }
        let latents = self.latents(step.rng);
        let fixed = self.players.generator.valid();
        let fake = fixed.forward(latents, &mut Mode::Train(step.rng));

        let critic = &self.players.critic;
        let real = critic.forward(real, &mut Mode::Train(step.rng));
        let fake = critic.forward(fake, &mut Mode::Train(step.rng));
        let scores = [scalar(real.clone().mean()), scalar(fake.clone().mean())];
        let loss = self.players.loss.critic(real, fake);
        let gradients = GradientsParams::from_grads(loss.backward(), critic);
        self.players.critic = self.critic_optimizer.step(step.lr_critic, critic.clone(), gradients);
        [scalar(loss), scores[0], scores[1]]
    }

    /// One update of the generator and of its average; returns its loss.
    fn step_generator(&mut self, step: &mut Step<'_>) -> f32 {
        let latents = self.latents(step.rng);
        let generator = &self.players.generator;
        let fake = generator.forward(latents, &mut Mode::Train(step.rng));
        let fixed = self.players.critic.clone().no_grad();
        let score = fixed.forward(fake, &mut Mode::Train(step.rng));
        let loss = self.players.loss.generator(score);
        let gradients = GradientsParams::from_grads(loss.backward(), generator);
        self.players.generator = self.generator_optimizer.step(step.lr_generator, generator.clone(), gradients);
        self.average.average(&self.players.generator, step.ema);
        scalar(loss)
    }
}

impl System for Adversarial {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let mut critic = [0.0; 3];
        for _ in 0..self.critic_steps {
            critic = self.step_critic(step);
        }
        let generator = self.step_generator(step);
        vec![("critic", critic[0]), ("generator", generator), ("score_real", critic[1]), ("score_fake", critic[2])]
    }

    fn trained(&self) -> Trained {
        let mut net = self.average.clone();
        if net.has_batch_norm() {
            // Always the same latents, so that the same weights ship with the same statistics.
            let mut rng = Rng::new(0, u64::MAX);
            net.estimate_statistics(latents(
                self.players.prior,
                STATISTICS_BATCH,
                net.input[0],
                &mut rng,
                &self.device,
            ));
        }
        Trained::Generator(Generator { net, prior: self.players.prior, pixels: self.players.pixels })
    }

    fn save(&self, folder: &Path) -> Result<()> {
        checkpoint::save_net(&self.players.generator, &folder.join("generator.safetensors"))?;
        checkpoint::save_net(&self.players.critic, &folder.join("critic.safetensors"))?;
        checkpoint::save_net(&self.average, &folder.join("average.safetensors"))?;
        for (name, optimizer) in
            [("generator-adam.bpk", &self.generator_optimizer), ("critic-adam.bpk", &self.critic_optimizer)]
        {
            let path = folder.join(name);
            optimizer.save(&path).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        checkpoint::load_net(&mut self.players.generator, &folder.join("generator.safetensors"))?;
        checkpoint::load_net(&mut self.players.critic, &folder.join("critic.safetensors"))?;
        checkpoint::load_net(&mut self.average, &folder.join("average.safetensors"))?;
        for (name, optimizer) in
            [("generator-adam.bpk", &mut self.generator_optimizer), ("critic-adam.bpk", &mut self.critic_optimizer)]
        {
            let path = folder.join(name);
            *optimizer = optimizer.clone().load(&path).with_context(|| format!("cannot read {}", path.display()))?;
        }
        Ok(())
    }
}

/// Latents from which the shipped statistics are estimated.
const STATISTICS_BATCH: usize = 512;

fn scalar(value: Tensor<1>) -> f32 {
    value.into_scalar::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::{Init, NetBuilder};

    /// Gradient of `loss` with respect to one score.
    fn gradient(loss: Loss, score: f32) -> f32 {
        let device = Device::flex().autodiff();
        let fake = Tensor::<4>::from_data([[[[score]]]], &device).require_grad();
        let gradients = loss.generator(fake.clone()).backward();
        scalar(fake.grad(&gradients).unwrap().reshape([1]))
    }

    #[test]
    fn saturating_gradient_vanishes_where_the_critic_is_sure() {
        // At D(G(z)) = ε the ratio of both gradients is ε / (1 − ε) (systems.md row 4).
        for epsilon in [0.01f32, 0.1, 0.5] {
            let score = (epsilon / (1.0 - epsilon)).ln();
            let ratio = gradient(Loss::Minimax, score) / gradient(Loss::NonSaturating, score);
            let expected = epsilon / (1.0 - epsilon);
            assert!((ratio / expected - 1.0).abs() < 0.01, "{ratio} {expected}");
        }
    }

    #[test]
    fn undecided_critic_of_the_2014_game_costs_log_4() {
        let device = Device::flex();
        let zero = Tensor::<4>::zeros([5, 1, 1, 1], &device);
        let loss = scalar(Loss::NonSaturating.critic(zero.clone(), zero));
        assert!((loss - 4f32.ln()).abs() < 1e-6);
    }

    #[test]
    fn softplus_of_large_scores_is_finite() {
        let device = Device::flex();
        let score = Tensor::<4>::from_data([[[[200.0]]], [[[-200.0]]]], &device);
        assert!((scalar(softplus(score).mean()) - 100.0).abs() < 1e-4);
    }

    #[test]
    fn fixed_critic_gets_no_gradient() {
        let device = Device::flex().autodiff();
        let mut rng = Rng::new(1, 0);
        let critic = NetBuilder::new([1, 6, 6], Init::He, &device, &mut rng)
            .conv(4, 3, 1, 1)
            .leaky_relu(0.2)
            .linear([1, 1, 1])
            .build();
        let image = Tensor::<4>::ones([2, 1, 6, 6], &device).require_grad();
        let fixed = critic.clone().no_grad();
        let loss = fixed.forward(image.clone(), &mut Mode::Eval).mean();
        let mut gradients = loss.backward();
        assert!(image.grad(&gradients).is_some());
        assert!(GradientsParams::from_module(&mut gradients, &fixed).is_empty());
        assert!(GradientsParams::from_module(&mut gradients, &critic).is_empty());
    }
}
