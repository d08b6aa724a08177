//! The game of captions: two players, an embedding of the words, and what its augmentation learns.

use std::path::Path;

use anyhow::Result;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use super::{Config, Nets, composed, generator};
use crate::checkpoint;
use crate::data::UNSEEN;
use crate::nets::{Mode, Net};
use crate::recipe::{Prior, Recipe};
use crate::rng::Rng;
use crate::systems::adversarial::{STATISTICS_BATCH, scalar, select};
use crate::systems::learner::{Average, Learner};
use crate::systems::{Batch, Losses, Step, System, Trained, latents};

/// A game that is going on.
pub struct Training {
    config: Config,
    words: Vec<usize>,
    batch: usize,
    critic_steps: usize,
    device: Device,
    /// What makes the image that `image` reads, where that reads one; it does not learn.
    front: Option<Net>,
    embedder: Learner,
    spread: Learner,
    image: Learner,
    critic: Learner,
    average_embedder: Average,
    average_image: Average,
}

impl Training {
    pub fn new(
        config: Config,
        words: Vec<usize>,
        nets: Nets,
        front: Option<Net>,
        critic: Net,
        recipe: &Recipe,
        device: &Device,
    ) -> Self {
        let Nets { embedder, spread, image } = nets;
        let learner = |name, net| Learner::new(name, net, &recipe.train);
        Self {
            config,
            words,
            batch: recipe.train.batch,
            critic_steps: recipe.train.critic_steps,
            device: device.clone().inner(),
            front,
            average_embedder: Average::of(&embedder),
            average_image: Average::of(&image),
            embedder: learner("embedder", embedder),
            spread: learner("spread", spread),
            image: learner("generator", image),
            critic: learner("critic", critic),
        }
    }

    /// Ones for the words of captions, `[batch, words, 1, 1]`, from one value for each attribute.
    pub(super) fn ones(&self, values: &[u8], rng: &mut Rng) -> Tensor<4> {
        let count: usize = self.words.iter().sum();
        let batch = values.len() / self.words.len();
        let mut ones = vec![0.0; batch * count];
        for (row, values) in ones.chunks_mut(count).zip(values.chunks(self.words.len())) {
            let mut rest = row;
            for (&value, &words) in values.iter().zip(&self.words) {
                let (own, behind) = rest.split_at_mut(words);
                own[if value == UNSEEN { rng.below(words) } else { value.into() }] = 1.0;
                rest = behind;
            }
        }
        Tensor::from_data(TensorData::new(ones, [batch, count, 1, 1]), &self.device)
    }

    /// For each caption that of the next image of the batch that shows something else; its own if all are alike.
    pub(super) fn others(&self, values: &[u8]) -> Vec<u8> {
        let captions: Vec<&[u8]> = values.chunks(self.words.len()).collect();
        let other = |at: usize| {
            let next = (1..captions.len()).map(|by| captions[(at + by) % captions.len()]);
            next.into_iter().find(|&caption| caption != captions[at]).unwrap_or(captions[at])
        };
        (0..captions.len()).flat_map(other).copied().collect()
    }

    /// c without gradients.
    fn caption(&self, ones: &Tensor<4>, rng: &mut Rng) -> Tensor<4> {
        let mean = self.embedder.net.valid().forward(ones.clone(), &mut Mode::Train(rng));
        if self.config.augmentation == 0.0 {
            return mean;
        }
        let log = self.spread.net.valid().forward(ones.clone(), &mut Mode::Train(rng)).sub_scalar(2.0);
        let noise = latents(Prior::Gaussian, mean.dims()[0], self.config.embedding, rng, &self.device);
        mean + log.exp() * noise
    }

    /// What the image net reads for latent vectors, words and c; `lift` makes latent vectors what c is.
    fn inputs(
        &self,
        latents: Tensor<4>,
        ones: &Tensor<4>,
        caption: Tensor<4>,
        lift: impl Fn(Tensor<4>) -> Tensor<4>,
    ) -> Vec<Tensor<4>> {
        let Some(front) = &self.front else { return vec![Tensor::cat(vec![lift(latents), caption], 1)] };
        let mut first = 0;
        let mut part = |&count: &usize| {
            first += count;
            ones.clone().narrow(1, first - count, count)
        };
        let words: Vec<Tensor<4>> = self.words.iter().map(&mut part).collect();
        let inputs = std::iter::once(latents).chain(words).collect();
        vec![front.forward_all(inputs, &mut Mode::Eval), caption]
    }

    /// One update of the critic; returns its loss and the mean scores of real images, real ones with wrong captions and
    /// generated ones.
    fn step_critic(&mut self, step: &mut Step<'_>) -> [f32; 4] {
        self.critic.net.power_iteration();
        let Batch { images, attributes, .. } = (step.next_batch)();
        let ones = self.ones(&attributes, step.rng);
        let wrong = self.ones(&self.others(&attributes), step.rng);
        let latents = latents(self.config.prior, self.batch, self.config.latent, step.rng, &self.device);
        let inputs = self.inputs(latents, &ones, self.caption(&ones, step.rng), |latents| latents);
        let fake = self.image.net.valid().forward_all(inputs, &mut Mode::Train(step.rng));
        let scores = self.critic.net.forward(Tensor::cat(vec![images, fake], 0), &mut Mode::Train(step.rng));
        let [real, fake] = [0, self.batch].map(|start| scores.clone().narrow(0, start, self.batch));
        let [of_real, of_wrong, of_fake] =
            [(&real, &ones), (&real, &wrong), (&fake, &ones)].map(|(scores, ones)| select(scores.clone(), &head(ones)));
        let means = [&of_real, &of_wrong, &of_fake].map(|score| scalar(score.clone().mean()));
        let bad = if self.config.matching { Tensor::cat(vec![of_fake, of_wrong], 0) } else { of_fake };
        let loss = self.config.loss.critic(of_real, bad);
        self.critic.update(&mut loss.backward(), step.lr_critic);
        [scalar(loss), means[0], means[1], means[2]]
    }

    /// One update of the generator and of its averages; returns its loss and the KL term.
    fn step_generator(&mut self, step: &mut Step<'_>) -> [f32; 2] {
        let Batch { attributes, .. } = (step.next_batch)();
        let ones = self.ones(&attributes, step.rng);
        let mixed = (self.config.interpolation * self.batch as f32).round() as usize;
        let ones = if mixed == 0 {
            ones
        } else {
            let others = self.ones(&self.others(&attributes), step.rng).narrow(0, 0, mixed);
            let between = (ones.clone().narrow(0, 0, mixed) + others).mul_scalar(0.5);
            let whole = (mixed < self.batch).then(|| ones.narrow(0, mixed, self.batch - mixed));
            Tensor::cat([Some(between), whole].into_iter().flatten().collect(), 0)
        };
        let mean = self.embedder.net.forward(ones.clone(), &mut Mode::Train(step.rng));
        let (caption, divergence) = if self.config.augmentation == 0.0 {
            (mean, None)
        } else {
            let log = self.spread.net.forward(ones.clone(), &mut Mode::Train(step.rng)).sub_scalar(2.0);
            let noise = latents(Prior::Gaussian, self.batch, self.config.embedding, step.rng, &self.device);
            let caption = mean.clone() + log.clone().exp() * Tensor::from_inner(noise);
            (caption, Some(divergence(mean, log)))
        };
        let latents = latents(self.config.prior, self.batch, self.config.latent, step.rng, &self.device);
        let inputs = self.inputs(latents, &ones, caption, Tensor::from_inner);
        let fake = self.image.net.forward_all(inputs, &mut Mode::Train(step.rng));
        let scores = self.critic.net.clone().no_grad().forward(fake, &mut Mode::Train(step.rng));
        let loss = self.config.loss.generator(select(scores, &head(&ones)), None);
        let values = [scalar(loss.clone()), divergence.clone().map_or(0.0, scalar)];
        let whole =
            divergence.map_or(loss.clone(), |divergence| loss + divergence.mul_scalar(self.config.augmentation));
        let mut gradients = whole.backward();
        for learner in [&mut self.image, &mut self.embedder] {
            learner.update(&mut gradients, step.lr_generator);
        }
        if self.config.augmentation > 0.0 {
            self.spread.update(&mut gradients, step.lr_generator);
        }
        self.average_image.0.average(&self.image.net, step.ema);
        self.average_embedder.0.average(&self.embedder.net, step.ema);
        values
    }
}

/// Which of the critic's scores count: that of any image, and those of the words, `[batch, 1 + words, 1, 1]`.
fn head(ones: &Tensor<4>) -> Tensor<4> {
    Tensor::cat(vec![ones.clone().narrow(1, 0, 1).ones_like(), ones.clone()], 1)
}

/// KL(N(μ, σ²) ‖ N(0, 1)) for each value, ½ (μ² + σ² − 1) − log σ, in the mean over all, `[1]`.
pub(super) fn divergence(mean: Tensor<4>, log: Tensor<4>) -> Tensor<1> {
    let variance = log.clone().mul_scalar(2.0).exp();
    ((mean.square() + variance).sub_scalar(1.0).mul_scalar(0.5) - log).mean()
}

impl System for Training {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let mut critic = [0.0; 4];
        for _ in 0..self.critic_steps {
            critic = self.step_critic(step);
        }
        let [generator, kl] = self.step_generator(step);
        let [loss, real, wrong, fake] = critic;
        let mut losses = vec![
            ("critic", loss),
            ("generator", generator),
            ("score_real", real),
            ("score_wrong", wrong),
            ("score_fake", fake),
        ];
        if self.config.augmentation > 0.0 {
            losses.push(("kl", kl));
        }
        losses
    }

    fn trained(&self) -> Trained {
        let (embedder, mut image) = (self.average_embedder.0.clone(), self.average_image.0.clone());
        if image.has_statistics() {
            // Always the same latents and captions, so that the same weights ship with the same statistics.
            let mut rng = Rng::new(0, u64::MAX);
            let latents = latents(self.config.prior, STATISTICS_BATCH, self.config.latent, &mut rng, &self.device);
            let values = vec![UNSEEN; STATISTICS_BATCH * self.words.len()];
            let ones = self.ones(&values, &mut rng);
            let captions = embedder.forward(ones.clone(), &mut Mode::Eval);
            image.estimate_statistics(self.inputs(latents, &ones, captions, |latents| latents));
        }
        let net = composed(self.config.latent, &self.words, embedder, self.front.clone(), image);
        Trained::Generator(generator(&self.config, net, &self.words))
    }

    fn save(&self, folder: &Path) -> Result<()> {
        for learner in [&self.embedder, &self.spread, &self.image, &self.critic] {
            learner.save(folder)?;
        }
        if let Some(front) = &self.front {
            checkpoint::save_net(front, &folder.join(FRONT))?;
        }
        self.average_image.save(folder)?;
        self.average_embedder.save_as(folder, AVERAGE_EMBEDDER)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        for learner in [&mut self.embedder, &mut self.spread, &mut self.image, &mut self.critic] {
            learner.load(folder)?;
        }
        if let Some(front) = &mut self.front {
            // The run that it came from may be another one by now.
            checkpoint::load_net(front, &folder.join(FRONT))?;
        }
        self.average_image.load(folder)?;
        self.average_embedder.load_as(folder, AVERAGE_EMBEDDER)
    }
}

/// What the file of the averaged embedder is called in a checkpoint.
const AVERAGE_EMBEDDER: &str = "average-embedder";
/// The file of what does not learn.
const FRONT: &str = "front.safetensors";
