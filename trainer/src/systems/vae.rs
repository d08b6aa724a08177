//! `vae`: the variational autoencoder; its decoder ships as a generator.
//!
//! An encoder gives each image x a Gaussian q(z|x) = N(μ, diag σ²), a decoder each latent vector a distribution p(x|z). Both
//! maximize a bound of the log-likelihood, the ELBO:
//!
//! ```text
//! log p(x) ≥ E_{z ~ q(z|x)} log p(x|z) − KL(q(z|x) ‖ N(0, I))
//! KL = −½ Σ (1 + log σ² − μ² − σ²)            z = μ + σ ε,  ε ~ N(0, I)
//! ```
//!
//! Kingma and Welling, "Auto-Encoding Variational Bayes" (2014), eq. 3, 10 and appendix B. The encoder gives log σ², which may
//! have any sign. `decoder = "bernoulli"`: each pixel is black or white, with the decoder's output as the probability of
//! white; images are binarized anew each time, white with the probability of their grey level (Salakhutdinov and Murray, 2008).
//! `decoder = "gaussian"`: the output is the mean of N(·, deviation²).
//!
//! Knobs: `latent`, `channels` of the decoder and `encoder_channels` (no channels: perceptrons of `hidden` units, 784-400-20-400-784 by
//! default), `decoder`, `deviation`, `kl_weight` (β of Higgins et al., 2017; 1 is the bound), `couplings` and
//! `prior_hidden` (a learned prior in place of N(0, I), see `vae/prior.rs`; the divergence is then that of one draw).

use std::path::Path;

use anyhow::{Result, ensure};
use burn::tensor::{Device, Tensor, TensorData, activation};
use edgegen_export::layers::PixelRange;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::learner::{Average, Learner};
use super::likelihood::{Unit, bits};
use super::sizes::{advice, halvings, nearest_multiple, reduced, written};
use super::{Generator, Kind, Losses, Step, System, Trained, latents};
use crate::nets::{Init, Mode, Net, NetBuilder};
use crate::recipe::{Prior, Recipe};
use crate::rng::Rng;

mod prior;

/// p(x|z).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decoder {
    /// Black or white with a probability.
    Bernoulli,
    /// Grey around a mean.
    Gaussian,
}

/// The table `[vae]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Length of the latent vector.
    pub latent: usize,
    /// p(x|z).
    pub decoder: Decoder,
    /// Standard deviation of a Gaussian decoder, in pixels from 0 to 1.
    pub deviation: f32,
    /// Weight of the KL divergence.
    pub kl_weight: f32,
    /// Affine couplings of a learned prior; 0: the prior is N(0, I).
    pub couplings: usize,
    /// Units of the two hidden layers of each coupling.
    pub prior_hidden: usize,
    /// Units of the hidden layer of both perceptrons.
    pub hidden: usize,
    /// Channels of the decoder's maps, from the smallest on; each next map is twice as large, the image twice the last. None: a perceptron.
    pub channels: Vec<usize>,
    /// Channels of the encoder's convolutions of stride 2. None: a perceptron.
    pub encoder_channels: Vec<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            latent: 20,
            decoder: Decoder::Bernoulli,
            deviation: 0.1,
            kl_weight: 1.0,
            couplings: 0,
            prior_hidden: 128,
            hidden: 400,
            channels: Vec::new(),
            encoder_channels: Vec::new(),
        }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "vae",
    about: "variational autoencoder with Bernoulli or Gaussian decoder, which ships",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        Ok(generator(decoder(&config, recipe, device, rng)))
    },
    build: |recipe, device, rng| Ok(Box::new(Vae::new(recipe, device, rng)?)),
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    ensure!(
        config.latent >= 1 && config.hidden >= 1 && config.prior_hidden >= 1,
        "[vae] latent, hidden and prior_hidden must be at least 1: remove the 0"
    );
    ensure!(
        config.couplings == 0 || config.latent.is_multiple_of(2),
        "[vae] couplings take a latent vector in halves: expected an even latent, found {}",
        config.latent
    );
    ensure!(config.deviation > 0.0, "[vae] deviation must be above 0, found {}", config.deviation);
    ensure!(config.kl_weight >= 0.0, "[vae] kl_weight must not be negative, found {}", config.kl_weight);
    ensure!(
        !config.channels.contains(&0) && !config.encoder_channels.contains(&0),
        "[vae] layers must have at least 1 channel: remove the 0"
    );
    let size = recipe.data.size;
    for (key, channels) in [("channels", &config.channels), ("encoder_channels", &config.encoder_channels)] {
        let factor = 1 << channels.len();
        ensure!(
            size.h.is_multiple_of(factor) && size.w.is_multiple_of(factor),
            "[vae] {} {key} need [data] size to be a multiple of {factor}, found {} with {key} = {channels:?}: {}",
            channels.len(),
            written(size),
            advice(key, channels, Some(halvings(size)), size, nearest_multiple(size, factor))
        );
    }
    Ok(Table::try_from(config)?)
}

fn generator(net: Net) -> Generator {
    Generator { net, prior: Prior::Gaussian, classes: 0, pixels: PixelRange::Unit, more: vec![] }
}

/// The decoder behind the flow that is its prior, if one is.
fn decoder(config: &Config, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
    let image @ [channels, ..] = recipe.image();
    let net = prior::flow(config, NetBuilder::new([config.latent, 1, 1], Init::He, device, rng)).init(Init::He);
    let Some((&first, others)) = config.channels.split_first() else {
        return net.linear([config.hidden, 1, 1]).relu().linear(image).sigmoid().build();
    };
    let map = reduced(recipe.data.size, config.channels.len());
    let mut net = net.linear([first, map.h, map.w]).relu();
    for &channels in others {
        net = net.conv_transpose(channels, 4, 2, 1).relu();
    }
    net.conv_transpose(channels, 4, 2, 1).sigmoid().build()
}

/// From an image to μ and log σ², `[2 · latent, 1, 1]`.
fn encoder(config: &Config, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
    let mut net = NetBuilder::new(recipe.image(), Init::He, device, rng);
    for &channels in &config.encoder_channels {
        net = net.conv(channels, 4, 2, 1).relu();
    }
    if config.encoder_channels.is_empty() {
        net = net.linear([config.hidden, 1, 1]).relu();
    }
    net.linear([2 * config.latent, 1, 1]).build()
}

/// All networks.
struct Vae {
    encoder: Learner,
    decoder: Learner,
    average: Average,
    /// Layers of the decoder's learner that are the prior's.
    prior: usize,
    config: Config,
    /// Values of an image.
    pixels: usize,
    unit: Unit,
    device: Device,
}

/// The two parts of −ELBO of one batch, in nats an image.
struct Bound {
    /// −E log p(x|z), by one draw of z.
    reconstruction: Tensor<1>,
    /// KL(q(z|x) ‖ p(z)); for a learned prior by the same draw of z.
    kl: Tensor<1>,
}

impl Vae {
    fn new(recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Self> {
        let config: Config = recipe.settings()?;
        let decoder = decoder(&config, recipe, device, rng);
        let encoder = encoder(&config, recipe, device, rng);
        Ok(Self {
            prior: prior::layers(&config),
            average: Average::of(&decoder),
            encoder: Learner::new("encoder", encoder, &recipe.train),
            decoder: Learner::new("decoder", decoder, &recipe.train),
            config,
            pixels: recipe.image().iter().product(),
            unit: Unit::of(recipe),
            device: device.clone().inner(),
        })
    }

    /// # Shapes
    ///   - `images` `[batch, C, H, W]`, values in [0, 1], binary for a Bernoulli decoder
    ///   - `noise` `[batch, latent, 1, 1]`, standard normal
    fn bound(&self, images: Tensor<4>, noise: Tensor<4>) -> Bound {
        let [batch, latent, _, _] = noise.dims();
        let moments = self.encoder.net.forward(images.clone(), &mut Mode::Eval);
        let mean = moments.clone().narrow(1, 0, latent);
        let log_variance = moments.narrow(1, latent, latent);
        let z = mean.clone() + log_variance.clone().mul_scalar(0.5).exp() * noise;
        let [flow, decoder] = self.decoder.net.split(self.prior, [latent, 1, 1]);
        let kl = if self.prior == 0 {
            divergence(mean, log_variance)
        } else {
            let constant = 0.5 * (batch * latent) as f32 * (1.0 + std::f32::consts::TAU.ln());
            let entropy = log_variance.sum().mul_scalar(0.5).add_scalar(constant);
            (prior::log_density(&flow, z.clone()).sum() + entropy).neg()
        };
        let kl = kl.div_scalar(batch as f32);
        // Before the last layer, a sigmoid: from these scores the log of both probabilities needs no logarithm of 0.
        let scores = decoder.before_last(z, &mut Mode::Eval);
        let reconstruction = match self.config.decoder {
            // −x log σ(s) − (1 − x) log(1 − σ(s)) = −log σ(s) + (1 − x) s
            Decoder::Bernoulli => {
                (activation::log_sigmoid(scores.clone()).neg() + images.neg().add_scalar(1.0) * scores).sum()
            }
            Decoder::Gaussian => {
                let deviation = self.config.deviation;
                let pixels: usize = images.dims().iter().product();
                let constant = pixels as f32 * (deviation * std::f32::consts::TAU.sqrt()).ln();
                let square = (activation::sigmoid(scores) - images).square().sum();
                square.div_scalar(2.0 * deviation * deviation).add_scalar(constant)
            }
        };
        Bound { reconstruction: reconstruction.div_scalar(batch as f32), kl }
    }

    /// Images in [−1, 1] as the decoder describes them.
    fn target(&self, images: Tensor<4>, rng: &mut Rng) -> Tensor<4> {
        let unit = images.add_scalar(1.0).mul_scalar(0.5);
        if self.config.decoder == Decoder::Gaussian {
            return unit;
        }
        let shape = unit.dims();
        let levels = unit.into_data().try_to_vec::<f32>().expect("networks compute in 32-bit floats");
        let drawn: Vec<f32> = levels.iter().map(|&level| if rng.unit() < level { 1.0 } else { 0.0 }).collect();
        Tensor::from_data(TensorData::new(drawn, shape), &self.device)
    }
}

/// KL(N(μ, σ²) ‖ N(0, I)), summed over everything.
fn divergence(mean: Tensor<4>, log_variance: Tensor<4>) -> Tensor<1> {
    let inside = log_variance.clone().add_scalar(1.0) - mean.square() - log_variance.exp();
    inside.sum().mul_scalar(-0.5)
}

impl System for Vae {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let images = (step.next_batch)().images;
        let images = self.target(images, step.rng);
        let noise = latents(Prior::Gaussian, images.dims()[0], self.config.latent, step.rng, &self.device);
        let Bound { reconstruction, kl } = self.bound(images, noise);
        let loss = reconstruction.clone() + kl.clone().mul_scalar(self.config.kl_weight);
        let mut gradients = loss.backward();
        self.encoder.update(&mut gradients, step.lr_critic);
        self.decoder.update(&mut gradients, step.lr_generator);
        self.average.0.average(&self.decoder.net, step.ema);
        let [reconstruction, kl] = [reconstruction, kl].map(|value| value.into_scalar::<f32>());
        vec![("elbo", -reconstruction - kl), ("reconstruction", reconstruction), ("kl", kl)]
    }

    fn trained(&self) -> Trained {
        Trained::Generator(generator(self.average.0.clone()))
    }

    /// The ELBO of images that were not trained on, in nats an image and in bits for each pixel (of a Gaussian decoder,
    /// of its grey level), by one draw of z for each, with the raw weights of all networks.
    fn score(&self, test: &mut dyn FnMut() -> Option<Tensor<4>>) -> Losses {
        let (mut rng, mut sums, mut count) = (Rng::new(0, u64::MAX), [0.0f64; 2], 0.0);
        while let Some(images) = test() {
            let batch = images.dims()[0];
            let images = self.target(images, &mut rng);
            let noise = latents(Prior::Gaussian, batch, self.config.latent, &mut rng, &self.device);
            let Bound { reconstruction, kl } = self.bound(images, noise);
            for (sum, value) in sums.iter_mut().zip([reconstruction, kl]) {
                *sum += batch as f64 * f64::from(value.into_scalar::<f32>());
            }
            count += batch as f64;
        }
        let [reconstruction, kl] = sums.map(|sum| sum / count);
        let elbo = -reconstruction - kl;
        let [elbo, bits] = match self.config.decoder {
            Decoder::Bernoulli => [elbo, bits(elbo, self.pixels)],
            Decoder::Gaussian => [self.unit.nats(elbo), self.unit.bits(elbo)],
        };
        vec![("test_elbo", elbo as f32), ("test_kl", kl as f32), ("bits_per_dimension", bits as f32)]
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.encoder.save(folder)?;
        self.decoder.save(folder)?;
        self.average.save(folder)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        self.encoder.load(folder)?;
        self.decoder.load(folder)?;
        self.average.load(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::layer::Layer;
    use crate::systems::flow::tests::{DIMS, log_gauss, numeric};
    use burn::module::Module;

    fn recipe(table: &str) -> Result<Recipe> {
        Recipe::parse(&format!("system = \"vae\"\n[data]\nname = \"x\"\nsize = 8\n[vae]\n{table}"))
    }

    fn vae(table: &str) -> Vae {
        Vae::new(&recipe(table).unwrap(), &Device::flex().autodiff(), &mut Rng::new(1, 0)).unwrap()
    }

    fn value(tensor: Tensor<1>) -> f32 {
        tensor.into_scalar::<f32>()
    }

    #[test]
    fn divergence_in_closed_form_is_that_of_many_draws() {
        let device = Device::flex();
        let (mean, log_variance) = ([0.7f32, -1.2], [0.4f32, -1.0]);
        let tensor = |values: [f32; 2]| Tensor::from_data(TensorData::new(values.to_vec(), [1, 2, 1, 1]), &device);
        let closed = value(divergence(tensor(mean), tensor(log_variance)));
        // E log q(z) − log p(z) over draws of q.
        let mut rng = Rng::new(5, 0);
        let draws = 400_000;
        let mut sum = 0.0;
        for _ in 0..draws {
            for (mean, log_variance) in mean.iter().zip(&log_variance) {
                let noise = rng.normal();
                let z = mean + (0.5 * log_variance).exp() * noise;
                sum += f64::from(0.5 * (z * z - noise * noise - log_variance));
            }
        }
        let sampled = sum / f64::from(draws);
        assert!((f64::from(closed) / sampled - 1.0).abs() < 0.01, "{closed} {sampled}");
    }

    #[test]
    fn bernoulli_bound_is_the_sum_of_logarithms() {
        let vae = vae("latent = 2\nhidden = 5");
        let device = Device::flex();
        let mut rng = Rng::new(2, 0);
        let images: Vec<f32> = (0..64).map(|at| f32::from(at % 3 == 0)).collect();
        let images = Tensor::from_data(TensorData::new(images, [1, 1, 8, 8]), &device);
        let noise = latents(Prior::Gaussian, 1, 2, &mut rng, &device);
        let found = value(vae.bound(images.clone(), noise.clone()).reconstruction);
        let moments = vae.encoder.net.valid().forward(images.clone(), &mut Mode::Eval);
        let z = moments.clone().narrow(1, 0, 2) + moments.narrow(1, 2, 2).mul_scalar(0.5).exp() * noise;
        let p = vae.decoder.net.valid().forward(z, &mut Mode::Eval);
        let log =
            (images.clone() * p.clone().log() + images.neg().add_scalar(1.0) * p.neg().add_scalar(1.0).log()).sum();
        let log = value(log);
        assert!((found + log).abs() < 1e-2, "{found} {log}");
    }

    #[test]
    fn density_of_a_learned_prior_is_that_of_what_it_draws() {
        let device = Device::flex();
        let config = Config { latent: DIMS, couplings: 3, prior_hidden: 9, ..Config::default() };
        let mut rng = Rng::new(11, 0);
        let net = NetBuilder::new([DIMS, 1, 1], Init::He, &device, &mut rng);
        let mut flow = prior::flow(&config, net).build();
        // Far from where it starts, the identity.
        for layer in &mut flow.layers {
            if let Layer::Linear(linear) = layer {
                linear.weight = linear.weight.clone().map(|weight| weight.mul_scalar(8.0));
            }
        }
        for _ in 0..5 {
            let u: Vec<f32> = (0..DIMS).map(|_| rng.normal()).collect();
            let (log_det, z) = numeric(|u| flow.forward(u, &mut Mode::Eval), &u);
            let z = Tensor::from_data(TensorData::new(z, [1, DIMS, 1, 1]), &device);
            let found = f64::from(value(prior::log_density(&flow, z).sum()));
            assert!((found - (log_gauss(&u) - log_det)).abs() < 1e-2, "{found} {}", log_gauss(&u) - log_det);
        }
    }

    #[test]
    fn every_form_has_the_shape_of_its_images() {
        for table in [
            "",
            "channels = [6, 4]\nencoder_channels = [4, 6]",
            "decoder = \"gaussian\"\nchannels = [5]",
            "latent = 4\ncouplings = 2\nprior_hidden = 7",
        ] {
            let mut vae = vae(table);
            let mut rng = Rng::new(3, 0);
            let mut images = || {
                super::super::Batch::alone(
                    Tensor::from_data(TensorData::new(vec![0.5f32; 4 * 64], [4, 1, 8, 8]), &Device::flex()),
                    Vec::new(),
                )
            };
            let before = vae.step(&mut Step {
                lr_generator: 1e-2,
                lr_critic: 1e-2,
                ema: 0.5,
                rng: &mut rng,
                next_batch: &mut images,
            });
            assert!(before.iter().all(|(_, value)| value.is_finite()), "{before:?}");
            let Trained::Generator(generator) = vae.trained() else { panic!("a decoder ships") };
            assert_eq!(generator.net.output, [1, 8, 8]);
            let mut left = 2;
            let score = vae.score(&mut || {
                left -= 1;
                (left >= 0).then(|| images().images)
            });
            assert!(score.iter().all(|(_, value)| value.is_finite()) && score[0].0 == "test_elbo", "{score:?}");
        }
    }

    #[test]
    fn bad_tables_are_refused() {
        for (table, expected) in [
            ("latent = 0", "at least 1"),
            ("deviation = 0.0", "deviation must be above 0"),
            ("channels = [4, 4, 4, 4]", "multiple of 16, found 8"),
            ("latent = 3\ncouplings = 2", "expected an even latent, found 3"),
        ] {
            let message = format!("{:#}", recipe(table).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
    }
}
