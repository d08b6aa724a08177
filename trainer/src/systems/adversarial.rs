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
//! as separate batches where it normalizes with the statistics of a batch, and otherwise as one, which is faster. The
//! fixed player has no gradients at all, so none can leak.
//!
//! Where there are classes, G reads the class behind the latent vector and D has a score s₀ for any image and one for each class: D(x, y) =
//! s₀(x) + s_y(x). With a linear last layer that is the projection critic of Miyato and Koyama, "cGANs with Projection Discriminator" (2018), eq. 7. Generated
//! images are of the classes of the real ones they are compared with. What else can be done to a game, and has been, is in [`tricks`](super::tricks).

use std::path::Path;

use anyhow::Result;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation};
use edgegen_export::layers::{Input, PixelRange};
use serde::{Deserialize, Serialize};

use super::learner::{Average, Learner};
use super::penalty::{Penalty, zero_centred};
use super::tricks::{Bag, Tricks, classification};
use super::{Batch, Generator, Losses, Step, System, Trained, latents, one_hot};
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
    /// L_D = f − r, L_G = −f: the dual of the Wasserstein-1 distance, if a penalty keeps D's slope at 1 (Arjovsky et al., 2017; Gulrajani et al.,
    /// 2017).
    Wasserstein,
    /// L_D = −log σ(r − f), L_G = −log σ(f − r) over pairs: D only says which of two is real (Jolicoeur-Martineau, 2019; with R1 and R2 the
    /// baseline of Huang et al., "The GAN is dead; long live the GAN!", 2024, eq. 1).
    Relativistic,
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
            Self::Wasserstein => fake.mean() - real.mean(),
            Self::Relativistic => softplus(fake - real).mean(),
        }
    }

    /// L_G of scores `[batch, 1, 1, 1]`, averaged over the batch, `[1]`. Only the relativistic loss looks at scores of real images;
    /// without them it takes them for 0.
    pub fn generator(self, fake: Tensor<4>, real: Option<Tensor<4>>) -> Tensor<1> {
        match self {
            Self::Minimax => softplus(fake).mean().neg(),
            Self::NonSaturating => softplus(-fake).mean(),
            Self::Hinge | Self::Wasserstein => fake.mean().neg(),
            Self::LeastSquares => fake.sub_scalar(1.0).square().mean().mul_scalar(0.5),
            Self::Relativistic => match real {
                Some(real) => softplus(real - fake).mean(),
                None => softplus(-fake).mean(),
            },
        }
    }
}

/// log(1 + eˣ) = −log σ(−x), without overflow.
pub(super) fn softplus(x: Tensor<4>) -> Tensor<4> {
    // Not from |x|, whose gradient at a score of exactly 0 is NaN in Burn.
    activation::log_sigmoid(x.neg()).neg()
}

/// What a system decides; the rest is the same for all.
#[derive(Clone, Debug)]
pub struct Players {
    /// G on a device with autodiff.
    pub generator: Net,
    /// D on the same device; its output is one score, and one for each class behind it.
    pub critic: Net,
    /// What they minimize.
    pub loss: Loss,
    /// What else D minimizes.
    pub penalty: Penalty,
    /// What else is done.
    pub tricks: Tricks,
    /// Classes that G can be asked for, 0 for none.
    pub classes: usize,
    /// How latents are drawn.
    pub prior: Prior,
    /// Range of G's output; the critic sees real images in the same range.
    pub pixels: PixelRange,
    /// What G reads behind the latent vector: noise, or a style and its mixing.
    pub more: Vec<Input>,
    /// How likely an image takes the styles of two latent vectors, if it reads their mixing.
    pub mixing: f32,
}

/// Two players and the average of the generator.
#[derive(Debug)]
pub struct Adversarial {
    generator: Learner,
    critic: Learner,
    average: Average,
    game: Game,
    bag: Bag,
}

/// What does not change while they play.
#[derive(Clone, Debug)]
struct Game {
    loss: Loss,
    penalty: Penalty,
    prior: Prior,
    latent: usize,
    classes: usize,
    pixels: PixelRange,
    more: Vec<Input>,
    mixing: f32,
    critic_steps: usize,
    batch: usize,
    /// Whether real and generated images go through the critic one after the other.
    apart: bool,
    /// Whether the critic tells classes instead of scoring them.
    auxiliary: bool,
    device: Device,
}

impl Adversarial {
    /// A game that has not begun.
    ///
    /// # Panics
    ///
    /// If the critic has not one score, and one for each class.
    pub fn new(players: Players, train: &TrainConfig, device: &Device) -> Self {
        let Players { generator, critic, loss, penalty, tricks, classes, prior, pixels, more, mixing } = players;
        assert_eq!(critic.output, [1 + classes, 1, 1], "a critic has one score, and one for each class");
        let game = Game {
            loss,
            penalty,
            prior,
            latent: generator.inputs[0][0] - classes,
            classes,
            pixels,
            more,
            mixing,
            critic_steps: train.critic_steps,
            batch: train.batch,
            apart: tricks.separate_batches || critic.looks_at_batch(),
            auxiliary: tricks.auxiliary_classifier,
            device: device.clone().inner(),
        };
        let critic =
            if tricks.sgd_critic { Learner::sgd("critic", critic) } else { Learner::new("critic", critic, train) };
        Self {
            average: Average::of(&generator),
            generator: Learner::new("generator", generator, train),
            critic,
            game,
            bag: Bag::new(tricks, pixels, train.steps),
        }
    }

    /// The nets with the layers of the generator, itself and its average, and the critic.
    pub(super) fn nets(&mut self) -> [&mut Net; 3] {
        [&mut self.generator.net, &mut self.average.0, &mut self.critic.net]
    }

    /// One update of the critic; returns its loss, the mean scores of real and generated images, the penalty, and the gradient's norm.
    fn step_critic(&mut self, step: &mut Step<'_>) -> [f32; 5] {
        self.critic.net.power_iteration();
        let Batch { images, labels, .. } = (step.next_batch)();
        let real = self.bag.seen(self.game.pixels(images), step.rng);
        let inputs = self.game.inputs(&labels, step.rng);
        let fake = self.generator.net.valid().forward_all(inputs, &mut Mode::Train(step.rng));
        let fake = self.bag.replayed(fake, step.rng);
        let fake = self.bag.seen(fake, step.rng);
        let head = self.game.head(&labels);

        let critic = &self.critic.net;
        // A penalty on slopes at the same images has them from the pass that scores.
        let with_slopes = matches!(self.game.penalty, Penalty::ZeroCentred(_));
        let mut look = |images: Tensor<4>, head: Tensor<4>| {
            if with_slopes {
                let (scores, slopes) = critic.score_and_gradient(images, head);
                vec![scores, slopes]
            } else {
                vec![critic.forward(images, &mut Mode::Train(step.rng))]
            }
        };
        let seen = if self.game.apart {
            [real.clone(), fake.clone()].map(|images| look(images, head.clone()))
        } else {
            let batch = self.game.batch;
            let head = Tensor::cat(vec![head.clone(); 2], 0);
            let seen = look(Tensor::cat(vec![real.clone(), fake.clone()], 0), head);
            [0, batch].map(|start| seen.iter().map(|all| all.clone().narrow(0, start, batch)).collect())
        };
        let both = seen.each_ref().map(|seen| seen[0].clone());
        let told = self.game.auxiliary.then(|| both.each_ref().map(|scores| self.game.told(scores, &labels)));
        let [of_real, of_fake] = both.map(|scores| select(scores, &head));
        let scores = [&of_real, &of_fake].map(|score| scalar(score.clone().mean()));
        let loss = self.bag.critic_loss(self.game.loss, of_real, of_fake, step.rng);
        let penalty = match self.game.penalty {
            Penalty::ZeroCentred(weight) => Some(zero_centred(weight, seen.map(|seen| seen[1].clone()))),
            other => other.of(critic, real, fake, &head, step.rng),
        };
        let values = [scalar(loss.clone()), scores[0], scores[1], penalty.clone().map_or(0.0, scalar)];
        let whole = told.into_iter().flatten().chain(penalty).fold(loss, |whole, part| whole + part);
        let mut gradients = whole.backward();
        let norm = if self.bag.tricks.watch { self.critic.gradient_norm(&gradients) } else { 0.0 };
        self.critic.update(&mut gradients, step.lr_critic);
        let [loss, real, fake, penalty] = values;
        [loss, real, fake, penalty, norm]
    }

    /// One update of the generator and of its average; returns its loss and the gradient's norm.
    fn step_generator(&mut self, step: &mut Step<'_>) -> [f32; 2] {
        self.generator.net.power_iteration();
        // Labels and opponents come with real images; else none are fetched.
        let needs_real = self.game.classes > 0 || self.game.loss == Loss::Relativistic;
        let batch = needs_real.then(|| (step.next_batch)());
        let labels = batch.as_ref().map_or(&[][..], |batch| &batch.labels);
        let inputs = self.game.inputs(labels, step.rng);
        let head = self.game.head(labels);
        let fake = self.generator.net.forward_all(inputs, &mut Mode::Train(step.rng));
        let fixed = self.critic.net.clone().no_grad();
        let mut scores = |images: Tensor<4>| fixed.forward(self.bag.seen(images, step.rng), &mut Mode::Train(step.rng));
        let fake = scores(fake);
        let told = self.game.auxiliary.then(|| self.game.told(&fake, labels));
        let real = match (self.game.loss, &batch) {
            (Loss::Relativistic, Some(batch)) => Some(scores(self.game.pixels(batch.images.clone()))),
            _ => None,
        };
        let loss = self.game.loss.generator(select(fake, &head), real.map(|real| select(real, &head)));
        let value = scalar(loss.clone());
        let alike = self.bag.orthogonal(&self.generator.net);
        let mut gradients = told.into_iter().chain(alike).fold(loss, |whole, part| whole + part).backward();
        let norm = if self.bag.tricks.watch { self.generator.gradient_norm(&gradients) } else { 0.0 };
        self.generator.update(&mut gradients, step.lr_generator);
        self.average.0.average(&self.generator.net, step.ema);
        [value, norm]
    }
}

impl Game {
    /// What the generator reads for one batch: latent vectors and, where there are classes, those of `labels`, then
    /// what else it reads.
    fn inputs(&self, labels: &[u8], rng: &mut Rng) -> Vec<Tensor<4>> {
        let first = latents(self.prior, self.batch, self.latent, rng, &self.device);
        let first = match self.classes {
            0 => first,
            classes => Tensor::cat(vec![first, one_hot(labels, classes, &self.device)], 1),
        };
        let mut inputs = vec![first];
        inputs.extend(self.more.iter().map(|input| self.other(input, rng)));
        inputs
    }

    /// What an input behind the first reads for one batch.
    fn other(&self, input: &Input, rng: &mut Rng) -> Tensor<4> {
        match input {
            Input::Style { dims, .. } => latents(self.prior, self.batch, *dims, rng, &self.device),
            Input::Mix { layers } => {
                // Behind a layer that is drawn for each image, all follow the second vector (StyleGAN, 2019, §3.1).
                let mut values = vec![0.0; self.batch * layers];
                for image in values.chunks_mut(*layers) {
                    if rng.unit() < self.mixing && *layers > 1 {
                        image[1 + rng.below(layers - 1)..].fill(1.0);
                    }
                }
                Tensor::from_data(TensorData::new(values, [self.batch, *layers, 1, 1]), &self.device)
            }
            Input::Noise { shape, .. } => {
                let [c, h, w] = [shape.c, shape.h, shape.w].map(usize::from);
                latents(self.prior, self.batch, c * h * w, rng, &self.device).reshape([self.batch, c, h, w])
            }
            other => unreachable!("the game has nothing for {other:?}"),
        }
    }

    /// Which of the critic's scores count for each image, `[batch, 1 + classes, 1, 1]`: the first, and that of its class.
    fn head(&self, labels: &[u8]) -> Tensor<4> {
        let first = Tensor::ones([self.batch, 1, 1, 1], &self.device);
        if self.classes == 0 {
            return first;
        }
        let classes = one_hot(labels, self.classes, &self.device);
        Tensor::cat(vec![first, if self.auxiliary { classes.zeros_like() } else { classes }], 1)
    }

    /// How badly the critic's scores `[batch, 1 + classes, 1, 1]` tell the classes, `[1]`.
    fn told(&self, scores: &Tensor<4>, labels: &[u8]) -> Tensor<1> {
        classification(scores, one_hot(labels, self.classes, &self.device))
    }

    /// Images in [−1, 1] in the range of the generator's output.
    fn pixels(&self, images: Tensor<4>) -> Tensor<4> {
        match self.pixels {
            PixelRange::Symmetric => images,
            range => images.add_scalar(1.0).mul_scalar(0.5 * range.span()).add_scalar(range.black()),
        }
    }
}

/// The sum of the scores that count, `[batch, 1, 1, 1]`.
pub(super) fn select(scores: Tensor<4>, head: &Tensor<4>) -> Tensor<4> {
    if scores.dims()[1] == 1 { scores } else { (scores * head.clone()).sum_dim(1) }
}

impl System for Adversarial {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let mut critic = [0.0; 5];
        for _ in 0..self.game.critic_steps {
            critic = self.step_critic(step);
        }
        let [generator, norm] = self.step_generator(step);
        self.bag.count();
        let [loss, real, fake, penalty, norm_critic] = critic;
        let mut losses = vec![("critic", loss), ("generator", generator), ("score_real", real), ("score_fake", fake)];
        if self.game.penalty != Penalty::None {
            losses.push(("penalty", penalty));
        }
        losses.extend(self.bag.report(self.game.loss, loss, [norm_critic, norm]));
        losses
    }

    fn trained(&self) -> Trained {
        let mut net = self.average.0.clone();
        // The mean of singular vectors is none of the mean of weights, but near it.
        (0..SINGULAR_STEPS).for_each(|_| net.power_iteration());
        if net.has_statistics() {
            // Always the same latents, so that the same weights ship with the same statistics.
            let mut rng = Rng::new(0, u64::MAX);
            let labels: Vec<u8> = (0..STATISTICS_BATCH).map(|index| (index % self.game.classes.max(1)) as u8).collect();
            let game = Game { batch: STATISTICS_BATCH, mixing: 0.0, ..self.game.clone() };
            net.estimate_statistics(game.inputs(&labels, &mut rng));
        }
        let Game { prior, classes, pixels, ref more, .. } = self.game;
        Trained::Generator(Generator { net, prior, classes, pixels, more: more.clone() })
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.generator.save(folder)?;
        self.critic.save(folder)?;
        self.average.save(folder)?;
        self.bag.save(folder)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        self.generator.load(folder)?;
        self.critic.load(folder)?;
        self.average.load(folder)?;
        self.bag.load(folder)
    }
}

/// Power iterations of weights that ship.
const SINGULAR_STEPS: usize = 20;
/// Latents from which the shipped statistics are estimated.
pub(super) const STATISTICS_BATCH: usize = 512;

pub(super) fn scalar(value: Tensor<1>) -> f32 {
    value.into_scalar::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::{Init, NetBuilder};
    use burn::optim::GradientsParams;

    /// Gradient of `loss` with respect to one score.
    fn gradient(loss: Loss, score: f32) -> f32 {
        let device = Device::flex().autodiff();
        let fake = Tensor::<4>::from_data([[[[score]]]], &device).require_grad();
        let gradients = loss.generator(fake.clone(), None).backward();
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
    fn relativistic_losses_compare_pairs() {
        let device = Device::flex();
        let score = |values: [f32; 2]| Tensor::<4>::from_data([[[[values[0]]]], [[[values[1]]]]], &device);
        let (real, fake) = (score([3.0, -1.0]), score([1.0, 1.0]));
        let expected = ((-2f32).exp().ln_1p() + 2f32.exp().ln_1p()) / 2.0;
        let critic = scalar(Loss::Relativistic.critic(real.clone(), fake.clone()));
        assert!((critic - expected).abs() < 1e-5, "one pair right by 2, one wrong by 2");
        let generator = scalar(Loss::Relativistic.generator(fake.clone(), Some(real.clone())));
        assert!((generator - expected).abs() < 1e-5, "mirrored pairs");
        assert!((scalar(Loss::Wasserstein.critic(real, fake))).abs() < 1e-6);
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
