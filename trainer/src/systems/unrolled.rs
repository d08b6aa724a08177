//! `unrolled`: the generator looks k steps of the critic ahead.
//!
//! In the plain game the generator answers the critic of today, who answers in turn, and both may chase each other around the modes. Here it
//! answers the critic that this one would become after k more steps of its own learning, and knows how those steps depend on what it draws:
//!
//! ```text
//! L_D(θ_D; x, v) = mean softplus(−D(x)) + mean softplus(D(v))
//! θ⁰ = θ_D,    θⁱ⁺¹ = θⁱ − Adam ∇ L_D(θⁱ; x, G(z))                 k times, forgotten afterwards
//! L_G = −L_D(θᵏ; x, G(z))   (minimax)    or    mean softplus(−D(G(z); θᵏ))   (non-saturating)
//! ```
//!
//! Metz, Poole, Pfau and Sohl-Dickstein, "Unrolled Generative Adversarial Networks" (2017), eq. 7 to 10. The critic itself takes ordinary steps. With
//! k = 0 it is the game of [`gan`](super::gan).
//!
//! Burn differentiates once only, so ∇ L_D is written out, layer by layer, for a critic of tanh layers; Adam's moments are carried along. All of it
//! are plain operations of tensors, so one differentiation of L_G runs through all k steps. The critic's own steps are the same function without
//! autodiff.
//!
//! Knobs: `unroll` (k), `loss`, the sizes. Each step of k costs about three passes through the critic.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};
use edgegen_export::layers::PixelRange;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::adversarial::Loss;
use super::learner::{Average, Learner};
use super::{Generator, Kind, Losses, Step, System, Trained, latents};
use crate::nets::layer::Layer;
use crate::nets::{Init, Mode, Net, NetBuilder};
use crate::recipe::{Prior, Recipe, TrainConfig};
use crate::rng::Rng;
use crate::{checkpoint, files};

/// The table `[unrolled]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// k, the critic's steps that the generator looks ahead; 0 for the plain game.
    pub unroll: usize,
    /// Length of the latent vector, which is Gaussian.
    pub latent: usize,
    /// Widths of the generator's hidden tanh layers.
    pub hidden: Vec<usize>,
    /// Widths of the critic's hidden tanh layers.
    pub critic_hidden: Vec<usize>,
    /// What the generator minimizes: `"minimax"`, −L_D of the critic it sees, or `"non-saturating"`, that this critic takes its images for real.
    pub loss: Loss,
}

impl Default for Config {
    fn default() -> Self {
        Self { unroll: 5, latent: 256, hidden: vec![128, 128], critic_hidden: vec![128, 128], loss: Loss::Minimax }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "unrolled",
    about: "the generator looks k steps of the critic ahead; small nets of tanh layers",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        Ok(generator(net(config.latent, &config.hidden, image(recipe), device, rng)))
    },
    build: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        Ok(Box::new(Unrolled::new(config, image(recipe), &recipe.train, device, rng)))
    },
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    ensure!(config.unroll <= 100, "[unrolled] unroll must be at most 100, found {}", config.unroll);
    ensure!(
        config.latent >= 1 && !config.hidden.contains(&0) && !config.critic_hidden.contains(&0),
        "[unrolled] latent and each of hidden and critic_hidden must be at least 1: remove the 0"
    );
    ensure!(
        matches!(config.loss, Loss::Minimax | Loss::NonSaturating),
        "[unrolled] loss must be \"minimax\" or \"non-saturating\", found {}",
        recipe.settings["loss"]
    );
    Ok(Table::try_from(config)?)
}

fn image(recipe: &Recipe) -> [usize; 3] {
    recipe.image()
}

fn generator(net: Net) -> Generator {
    Generator { net, prior: Prior::Gaussian, classes: 0, pixels: PixelRange::Symmetric, more: vec![] }
}

/// Linear layers with tanh between them.
fn net(inputs: usize, hidden: &[usize], output: [usize; 3], device: &Device, rng: &mut Rng) -> Net {
    let mut net = NetBuilder::new([inputs, 1, 1], Init::He, device, rng);
    for &units in hidden {
        net = net.linear([units, 1, 1]).tanh();
    }
    net.linear(output).build()
}

/// The weights `[out, in]` and biases `[1, out]` of the critic's layers in turn, or as many gradients or moments of them.
type Dense = Vec<Tensor<2>>;

/// A critic as it is optimized: weights, and Adam's moments of them.
#[derive(Clone, Debug)]
struct Critic {
    weights: Dense,
    first: Dense,
    second: Dense,
    /// Adam's steps so far.
    time: i32,
}

/// Adam's decays and rate (Kingma and Ba, 2015, algorithm 1).
#[derive(Clone, Copy, Debug)]
struct Adam {
    beta1: f64,
    beta2: f64,
    rate: f64,
}

/// Adam's ε.
const EPSILON: f64 = 1e-8;

impl Critic {
    /// Scores `[batch, 1, 1, 1]` of samples `[batch, values]`.
    fn scores(&self, samples: Tensor<2>) -> Tensor<4> {
        let batch = samples.dims()[0];
        self.outputs(samples).pop().expect("a critic has a layer").reshape([batch, 1, 1, 1])
    }

    /// The samples and the output of each layer, of the last one the scores `[batch, 1]`.
    fn outputs(&self, samples: Tensor<2>) -> Vec<Tensor<2>> {
        let mut outputs = vec![samples];
        for (index, layer) in self.weights.chunks_exact(2).enumerate() {
            let sum = outputs[index].clone().matmul(layer[0].clone().transpose()) + layer[1].clone();
            outputs.push(if 2 * (index + 1) < self.weights.len() { sum.tanh() } else { sum });
        }
        outputs
    }

    /// ∇ L_D at real and generated samples, `[batch, values]` each.
    ///
    /// With a = tanh(W a′ + b) and δ the derivative by W a′ + b: ∇W = δᵀ a′, ∇b = Σ δ, δ′ = (δ W) ⊙ (1 − a′²); at the scores s
    /// δ = (σ(s) − t) / batch, t = 1 for real samples and 0 for generated ones.
    fn gradient(&self, real: Tensor<2>, fake: Tensor<2>) -> Dense {
        let batch = real.dims()[0];
        let mut outputs = self.outputs(Tensor::cat(vec![real, fake], 0));
        let taken_for_real = activation::sigmoid(outputs.pop().expect("a critic has a layer"));
        let part = |start: usize| taken_for_real.clone().narrow(0, start, batch);
        let mut delta = Tensor::cat(vec![part(0).sub_scalar(1.0), part(batch)], 0).div_scalar(batch as f64);
        let mut gradient = Vec::with_capacity(self.weights.len());
        for (layer, input) in self.weights.chunks_exact(2).zip(outputs).rev() {
            gradient.push(delta.clone().sum_dim(0));
            gradient.push(delta.clone().transpose().matmul(input.clone()));
            // Of the first layer it would be the gradient of the samples, which nobody asks for.
            delta = delta.matmul(layer[0].clone()) * input.square().neg().add_scalar(1.0);
        }
        gradient.reverse();
        gradient
    }

    /// One step of Adam down L_D. It can be differentiated by the samples, through steps before, too.
    fn step(&self, real: Tensor<2>, fake: Tensor<2>, adam: Adam) -> Self {
        let Adam { beta1, beta2, rate } = adam;
        let time = self.time + 1;
        let [correct1, correct2] = [beta1, beta2].map(|beta| 1.0 / (1.0 - beta.powi(time)));
        let gradient = self.gradient(real, fake);
        let blend = |mean: &Tensor<2>, value: Tensor<2>, beta: f64| {
            mean.clone().mul_scalar(beta) + value.mul_scalar(1.0 - beta)
        };
        let first: Dense = self.first.iter().zip(&gradient).map(|(mean, g)| blend(mean, g.clone(), beta1)).collect();
        let second: Dense = self.second.iter().zip(gradient).map(|(mean, g)| blend(mean, g.square(), beta2)).collect();
        let moments = first.iter().cloned().zip(second.iter().cloned());
        let moved = self.weights.iter().zip(moments).map(|(weights, (first, second))| {
            // ε² inside the root and not ε behind it: the root's slope at 0 is infinite.
            let root = second.mul_scalar(correct2).add_scalar(EPSILON * EPSILON).sqrt();
            weights.clone() - first.mul_scalar(rate * correct1) / root
        });
        Self { weights: moved.collect(), first, second, time }
    }

    /// What it becomes after `unroll` more steps on the same samples.
    fn ahead(&self, unroll: usize, real: &Tensor<2>, fake: &Tensor<2>, adam: Adam) -> Self {
        (0..unroll).fold(self.clone(), |critic, _| critic.step(real.clone(), fake.clone(), adam))
    }
}

/// L_G before a critic, `[1]`. A critic that looked ahead depends on the generator at real samples, too.
fn generator_loss(loss: Loss, critic: &Critic, real: Tensor<2>, fake: Tensor<2>) -> Tensor<1> {
    match loss {
        Loss::Minimax => loss.critic(critic.scores(real), critic.scores(fake)).neg(),
        _ => loss.generator(critic.scores(fake), None),
    }
}

/// Both players.
#[derive(Debug)]
struct Unrolled {
    generator: Learner,
    average: Average,
    /// Weights and moments, none with autodiff: as nets, which can be saved.
    critic: [Net; 3],
    time: i32,
    config: Config,
    train: TrainConfig,
    device: Device,
}

impl Unrolled {
    fn new(config: Config, image: [usize; 3], train: &TrainConfig, device: &Device, rng: &mut Rng) -> Self {
        let generator = net(config.latent, &config.hidden, image, device, rng);
        let device = device.clone().inner();
        let critic = net(image.iter().product(), &config.critic_hidden, [1, 1, 1], &device, rng);
        let zero = |net: &Net| with(net, dense(net).iter().map(Tensor::zeros_like).collect());
        Self {
            average: Average::of(&generator),
            generator: Learner::new("generator", generator, train),
            critic: [critic.clone(), zero(&critic), zero(&critic)],
            time: 0,
            config,
            train: train.clone(),
            device,
        }
    }

    fn critic(&self) -> Critic {
        let [weights, first, second] = self.critic.each_ref().map(dense);
        Critic { weights, first, second, time: self.time }
    }

    fn latents(&self, rng: &mut Rng) -> Tensor<4> {
        latents(Prior::Gaussian, self.train.batch, self.config.latent, rng, &self.device)
    }
}

/// The weights and biases of a net's linear layers.
fn dense(net: &Net) -> Dense {
    let linear = net.layers.iter().filter_map(|layer| match layer {
        Layer::Linear(linear) => Some([linear.weight.val(), linear.bias.val().unsqueeze()]),
        _ => None,
    });
    linear.flatten().collect()
}

/// `net` with other weights and biases.
fn with(net: &Net, values: Dense) -> Net {
    let mut net = net.clone();
    let mut values = values.into_iter();
    let mut next = || values.next().expect("as many as the net has");
    for layer in &mut net.layers {
        if let Layer::Linear(linear) = layer {
            linear.weight = linear.weight.clone().map(|_| next());
            linear.bias = linear.bias.clone().map(|_| next().squeeze_dim(0));
        }
    }
    net
}

/// Images as rows of values.
fn flat(images: Tensor<4>) -> Tensor<2> {
    images.flatten::<2>(1, 3)
}

impl System for Unrolled {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let adam = Adam { beta1: self.train.beta1, beta2: self.train.beta2, rate: step.lr_critic };
        let mut critic = self.critic();
        let mut scores = [Tensor::zeros([1; 4], &self.device), Tensor::zeros([1; 4], &self.device)];
        for _ in 0..self.train.critic_steps {
            let real = flat((step.next_batch)().images);
            let fake = flat(self.generator.net.valid().forward(self.latents(step.rng), &mut Mode::Eval));
            scores = [&real, &fake].map(|samples| critic.scores(samples.clone()));
            critic = critic.step(real, fake, adam);
        }
        let real = flat((step.next_batch)().images);
        let fake = flat(self.generator.net.forward(self.latents(step.rng), &mut Mode::Eval));
        let seen = critic.ahead(self.config.unroll, &real, &fake, adam);
        let loss = generator_loss(self.config.loss, &seen, real, fake);
        self.generator.update(&mut loss.backward(), step.lr_generator);
        self.average.0.average(&self.generator.net, step.ema);

        let Critic { weights, first, second, time } = critic;
        let values = [weights, first, second];
        self.critic = std::array::from_fn(|index| with(&self.critic[index], values[index].clone()));
        self.time = time;
        let [of_real, of_fake] = scores;
        let means = [&of_real, &of_fake].map(|scores| scores.clone().mean().into_scalar::<f32>());
        let of_critic = self.config.loss.critic(of_real, of_fake).into_scalar::<f32>();
        vec![
            ("critic", of_critic),
            ("generator", loss.into_scalar::<f32>()),
            ("score_real", means[0]),
            ("score_fake", means[1]),
        ]
    }

    fn trained(&self) -> Trained {
        Trained::Generator(generator(self.average.0.clone()))
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.generator.save(folder)?;
        self.average.save(folder)?;
        for (net, name) in self.critic.iter().zip(FILES) {
            checkpoint::save_net(net, &folder.join(name))?;
        }
        files::replace_bytes(&folder.join(TIME), self.time.to_string().as_bytes())
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        self.generator.load(folder)?;
        self.average.load(folder)?;
        for (net, name) in self.critic.iter_mut().zip(FILES) {
            checkpoint::load_net(net, &folder.join(name))?;
        }
        let path = folder.join(TIME);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        self.time = text.parse().with_context(|| format!("expected a number of steps in {}", path.display()))?;
        Ok(())
    }
}

/// The critic's weights and moments in a checkpoint.
const FILES: [&str; 3] = ["critic.safetensors", "critic-first.safetensors", "critic-second.safetensors"];
/// Adam's steps of the critic so far.
const TIME: &str = "critic-steps";

#[cfg(test)]
mod tests;
