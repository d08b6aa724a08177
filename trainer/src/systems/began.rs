//! `began`: the boundary equilibrium game, whose critic is an autoencoder.
//!
//! The critic does not score an image, it draws it again; how badly, is the loss. It learns to draw real images well and generated
//! ones badly, as much as a controller k allows, and the generator makes images that it draws well:
//!
//! ```text
//! L(v) = mean |AE(v) − v|
//! L_D = L(x) − k_t L(G(z_D))        L_G = L(G(z_G))
//! k_{t+1} = clip(k_t + λ (γ L(x) − L(G(z_G))), 0, 1)        k_0 = 0, λ = 0.001
//! M = L(x) + |γ L(x) − L(G(z_G))|
//! ```
//!
//! Berthelot et al., "BEGAN: Boundary Equilibrium Generative Adversarial Networks" (2017), eq. 1 and §3.3 to 3.4. γ is the diversity ratio:
//! small values make cleaner and fewer kinds of images. M is the measure of convergence that falls while training goes well. Latents are
//! uniform. The paper's ELU is leaky ReLU here, which the device has.
//!
//! Knobs: `gamma`, `lambda`, `latent`, `hidden` (the autoencoder's code), `channels`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};
use edgegen_export::layers::PixelRange;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::learner::{Average, Learner};
use super::sizes::{advice, halvings, nearest_multiple, reduced, written};
use super::{Generator, Kind, Losses, Step, System, Trained, latents};
use crate::files;
use crate::nets::{Init, Mode, Net, NetBuilder};
use crate::recipe::{Prior, Recipe, Size};
use crate::rng::Rng;

/// The table `[began]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Length of the latent vector.
    pub latent: usize,
    /// γ, the ratio L(G(z)) / L(x) to keep.
    pub gamma: f32,
    /// λ, how fast k follows.
    pub lambda: f32,
    /// Length of the autoencoder's code.
    pub hidden: usize,
    /// Channels of the maps of generator and decoder, from the smallest on; each next map is twice as large, the image as large as the last. The encoder has them
    /// in reverse.
    pub channels: Vec<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Self { latent: 64, gamma: 0.5, lambda: 1e-3, hidden: 64, channels: vec![48, 32, 24] }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "began",
    about: "the equilibrium game with an autoencoder as critic and a measure of convergence",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        Ok(generator(decoder(&config, config.latent, recipe, device, rng)))
    },
    build: |recipe, device, rng| Ok(Box::new(Began::new(recipe, device, rng)?)),
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    ensure!(
        config.gamma > 0.0 && config.gamma <= 1.0,
        "[began] gamma must be above 0 and at most 1, found {}",
        config.gamma
    );
    ensure!(config.lambda > 0.0, "[began] lambda must be above 0, found {}", config.lambda);
    ensure!(
        config.latent >= 1 && config.hidden >= 1 && !config.channels.is_empty() && !config.channels.contains(&0),
        "[began] latent, hidden and each of channels must be at least 1"
    );
    let (size, channels) = (recipe.data.size, &config.channels);
    let factor = 1 << (channels.len() - 1);
    let fitting = Some(halvings(size) + 1);
    ensure!(
        size.h.is_multiple_of(factor) && size.w.is_multiple_of(factor),
        "[began] {} channels need [data] size to be a multiple of {factor}, found {} with channels = {channels:?}: {}",
        channels.len(),
        written(size),
        advice("channels", channels, fitting, size, nearest_multiple(size, factor))
    );
    Ok(Table::try_from(config)?)
}

fn generator(net: Net) -> Generator {
    Generator { net, prior: Prior::Uniform, classes: 0, pixels: PixelRange::Symmetric, more: vec![] }
}

const SLOPE: f32 = 0.2;

/// From a vector of `input` values to an image in [−1, 1]: generator and half of the critic.
fn decoder(config: &Config, input: usize, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
    let first = reduced(recipe.data.size, config.channels.len() - 1);
    let net = NetBuilder::new([input, 1, 1], Init::He, device, rng);
    expand(net, config, first).conv(recipe.data.channels, 3, 1, 1).tanh().build()
}

/// From a vector so far to the largest map.
fn expand<'a>(net: NetBuilder<'a>, config: &Config, first: Size) -> NetBuilder<'a> {
    let mut net = net.linear([config.channels[0], first.h, first.w]).leaky_relu(SLOPE);
    for &channels in &config.channels[1..] {
        net = net.upsample_nearest(2).conv(channels, 3, 1, 1).leaky_relu(SLOPE);
    }
    net
}

/// The critic: an image through a code of `hidden` values to an image.
fn autoencoder(config: &Config, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
    let mut net = NetBuilder::new(recipe.image(), Init::He, device, rng);
    let mut maps = config.channels.iter().rev();
    net = net.conv(*maps.next().expect("checked by normalize"), 3, 1, 1).leaky_relu(SLOPE);
    for &channels in maps {
        net = net.conv(channels, 4, 2, 1).leaky_relu(SLOPE);
    }
    let net = net.linear([config.hidden, 1, 1]);
    let first = reduced(recipe.data.size, config.channels.len() - 1);
    expand(net, config, first).conv(recipe.data.channels, 3, 1, 1).tanh().build()
}

/// Both players and the controller.
struct Began {
    generator: Learner,
    critic: Learner,
    average: Average,
    config: Config,
    k: f32,
    batch: usize,
    device: Device,
}

impl Began {
    fn new(recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Self> {
        let config: Config = recipe.settings()?;
        let net = decoder(&config, config.latent, recipe, device, rng);
        let critic = autoencoder(&config, recipe, device, rng);
        Ok(Self {
            average: Average::of(&net),
            generator: Learner::new("generator", net, &recipe.train),
            critic: Learner::new("critic", critic, &recipe.train),
            config,
            k: 0.0,
            batch: recipe.train.batch,
            device: device.clone().inner(),
        })
    }

    fn latents(&self, rng: &mut Rng) -> Tensor<4> {
        latents(Prior::Uniform, self.batch, self.config.latent, rng, &self.device)
    }
}

/// mean |AE(v) − v|.
fn loss(autoencoder: &Net, images: Tensor<4>) -> Tensor<1> {
    let difference = autoencoder.forward(images.clone(), &mut Mode::Eval) - images;
    // Not Burn's |x|, whose gradient at exactly 0 is NaN.
    (activation::relu(difference.clone()) + activation::relu(difference.neg())).mean()
}

/// k_{t+1} and M from L(x) and L(G(z)).
fn control(config: &Config, k: f32, real: f32, fake: f32) -> (f32, f32) {
    let balance = config.gamma * real - fake;
    ((k + config.lambda * balance).clamp(0.0, 1.0), real + balance.abs())
}

impl System for Began {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let images = (step.next_batch)().images;
        let fake = self.generator.net.valid().forward(self.latents(step.rng), &mut Mode::Eval);
        let of_real = loss(&self.critic.net, images);
        let of_critic = of_real.clone() - loss(&self.critic.net, fake).mul_scalar(self.k);
        self.critic.update(&mut of_critic.backward(), step.lr_critic);

        let fake = self.generator.net.forward(self.latents(step.rng), &mut Mode::Eval);
        let of_fake = loss(&self.critic.net.clone().no_grad(), fake);
        self.generator.update(&mut of_fake.backward(), step.lr_generator);
        self.average.0.average(&self.generator.net, step.ema);

        let [real, fake] = [of_real, of_fake].map(|value| value.into_scalar::<f32>());
        let (k, measure) = control(&self.config, self.k, real, fake);
        self.k = k;
        vec![("real", real), ("fake", fake), ("k", k), ("convergence", measure)]
    }

    fn trained(&self) -> Trained {
        Trained::Generator(generator(self.average.0.clone()))
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.generator.save(folder)?;
        self.critic.save(folder)?;
        self.average.save(folder)?;
        // As bits, so that nothing is lost in print.
        files::replace_bytes(&folder.join("k"), &self.k.to_le_bytes())
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        self.generator.load(folder)?;
        self.critic.load(folder)?;
        self.average.load(folder)?;
        let path = folder.join("k");
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let bits = bytes.try_into().ok().with_context(|| format!("expected 4 bytes in {}", path.display()))?;
        self.k = f32::from_le_bytes(bits);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(table: &str) -> Result<Recipe> {
        Recipe::parse(&format!(
            "system = \"began\"\n[data]\nname = \"x\"\nsize = 8\n[train]\nbatch = 4\n[began]\n{table}"
        ))
    }

    #[test]
    fn controller_keeps_the_ratio_and_its_bounds() {
        let config = Config { gamma: 0.5, lambda: 0.1, ..Config::default() };
        // Too good fakes, L(G) below γ L(x): more weight on telling them apart.
        let (k, measure) = control(&config, 0.3, 1.0, 0.2);
        assert!((k - 0.33).abs() < 1e-6 && (measure - 1.3).abs() < 1e-6);
        assert!((control(&config, 0.3, 1.0, 0.9).0 - 0.26).abs() < 1e-6);
        assert_eq!(control(&config, 0.99, 10.0, 0.0).0, 1.0);
        assert_eq!(control(&config, 0.01, 0.0, 10.0).0, 0.0);
        assert_eq!(control(&config, 0.4, 2.0, 1.0), (0.4, 2.0));
    }

    #[test]
    fn a_step_changes_both_players_and_k_survives_a_checkpoint() {
        let recipe = recipe("latent = 3\nhidden = 4\nchannels = [6, 4]\nlambda = 0.5").unwrap();
        let device = Device::flex().autodiff();
        let mut rng = Rng::new(1, 0);
        let mut began = Began::new(&recipe, &device, &mut rng).unwrap();
        let images = super::super::Batch::alone(Tensor::<4>::zeros([4, 1, 8, 8], &Device::flex()), Vec::new());
        for _ in 0..3 {
            let losses = began.step(&mut Step {
                lr_generator: 1e-3,
                lr_critic: 1e-3,
                ema: 0.5,
                rng: &mut rng,
                next_batch: &mut || images.clone(),
            });
            assert!(losses.iter().all(|(_, value)| value.is_finite()), "{losses:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        began.k = 0.1 + 0.2;
        began.save(folder.path()).unwrap();
        let mut other = Began::new(&recipe, &device, &mut Rng::new(9, 0)).unwrap();
        other.load(folder.path()).unwrap();
        assert_eq!(other.k, began.k);
    }

    #[test]
    fn critic_and_generator_make_images() {
        let recipe = Recipe::parse("system = \"began\"\n[data]\nname = \"x\"\nsize = 28").unwrap();
        let (device, mut rng) = (Device::flex(), Rng::new(1, 0));
        let config: Config = recipe.settings().unwrap();
        assert_eq!(autoencoder(&config, &recipe, &device, &mut rng).output, [1, 28, 28]);
        assert_eq!((KIND.generator)(&recipe, &device, &mut rng).unwrap().net.output, [1, 28, 28]);
    }

    #[test]
    fn bad_tables_are_refused() {
        for (table, expected) in
            [("gamma = 0.0", "gamma must be above 0"), ("channels = [4, 4, 4, 4, 4]", "multiple of 16, found 8")]
        {
            let message = format!("{:#}", recipe(table).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
    }
}
