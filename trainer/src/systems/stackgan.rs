//! `stackgan`: a second stage that draws the image of [`words`](super::words) again, twice as large.
//!
//! Stage I is a trained run of `words` at half the size, whose weights stay as they are. Stage II reads its image and
//! the words once more, with an embedding of its own, and adds what a small image cannot hold:
//!
//! ```text
//! x₁ = G₁(z, μ₁(y))                                         stage I, half the size
//! x₁ ─conv 3×3─► W × h × w ⊕ A c ─► residual blocks ─nearest ×2, conv 3×3─► W/2 ─conv 3×3─► tanh ─► x₂
//! c = μ(y) + σ(y) ⊙ ε
//! ```
//!
//! Losses and critic are those of `words`, at the full size. Zhang et al., "StackGAN: Text to Photo-realistic Image
//! Synthesis with Stacked Generative Adversarial Networks" (2017), §3.3 and 3.4; there stage II first makes its input
//! smaller, here it keeps the size, so that a device needs a few rows of it and no whole maps.
//!
//! What ships is one graph of both stages. Knobs: `stage_one`, the folder of its run, and `first`, its `[words]` table;
//! `width` (W) and `blocks`; those of the game as in `words`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::Kind;
use super::adversarial::Loss;
use super::dcgan;
use super::words::{self, Nets, Training, composed, vocabulary};
use crate::checkpoint;
use crate::nets::{Init, Net, NetBuilder};
use crate::recipe::{Recipe, Size};
use crate::rng::Rng;

/// The table `[stackgan]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The folder of stage I, a run of `words`, whose weights are read when a run begins.
    pub stage_one: String,
    /// Its `[words]` table: the sizes of its nets.
    pub first: words::Config,
    /// Channels of stage II at the size of stage I.
    pub width: usize,
    /// Its residual blocks there.
    pub blocks: usize,
    /// Length of the vector that a caption becomes for stage II.
    pub embedding: usize,
    /// As in `words`.
    pub augmentation: f32,
    /// As in `words`.
    pub matching: bool,
    /// As in `words`.
    pub interpolation: f32,
    /// Channels of the critic, largest map first.
    pub critic_channels: Vec<usize>,
    /// Whether the critic's weights are spectrally normalized.
    pub spectral_norm: bool,
    /// What the players minimize.
    pub loss: Loss,
}

impl Default for Config {
    fn default() -> Self {
        let words::Config { embedding, augmentation, matching, interpolation, spectral_norm, loss, .. } =
            words::Config::default();
        Self {
            stage_one: String::new(),
            first: words::Config::default(),
            width: 32,
            blocks: 2,
            embedding,
            augmentation,
            matching,
            interpolation,
            critic_channels: vec![24, 48, 96, 96],
            spectral_norm,
            loss,
        }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "stackgan",
    about: "a second stage that draws what words says again, twice as large",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        let words = vocabulary(recipe)?;
        let front = config.front(recipe, &words, device, rng);
        let nets = config.nets(recipe, words.iter().sum(), device, rng);
        let net = composed(config.first.latent, &words, nets.embedder, Some(front), nets.image);
        Ok(words::generator(&config.game(), net, &words))
    },
    build: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        let words = vocabulary(recipe)?;
        let front = config.learned_front(recipe, &words, device, rng)?;
        let nets = config.nets(recipe, words.iter().sum(), device, rng);
        let critic = dcgan::critic(&config.game().dcgan(words.iter().sum()), recipe, device, rng);
        Ok(Box::new(Training::new(config.game(), words, nets, Some(front), critic, recipe, device)))
    },
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    let Size { h, w } = recipe.data.size;
    ensure!(
        h % 2 == 0 && w % 2 == 0,
        "[stackgan] makes images twice as large, expected [data] size even, found {h}×{w}"
    );
    ensure!(config.width >= 2, "[stackgan] width must be at least 2, found {}", config.width);
    ensure!(config.blocks <= 8, "[stackgan] blocks must be at most 8, found {}", config.blocks);
    words::check_game(&config.game(), &recipe.system)?;
    words::check(&config.first, &half(recipe)).context("in [stackgan.first]")?;
    Ok(Table::try_from(config)?)
}

/// The recipe of stage I, as far as its nets depend on it.
fn half(recipe: &Recipe) -> Recipe {
    let mut half = recipe.clone();
    let Size { h, w } = half.data.size;
    half.data.size = Size { h: h / 2, w: w / 2 };
    half
}

impl Config {
    /// The knobs of the game of stage II, and the latent vector of stage I.
    fn game(&self) -> words::Config {
        words::Config {
            latent: self.first.latent,
            prior: self.first.prior,
            embedding: self.embedding,
            augmentation: self.augmentation,
            matching: self.matching,
            interpolation: self.interpolation,
            critic_channels: self.critic_channels.clone(),
            spectral_norm: self.spectral_norm,
            loss: self.loss,
            ..words::Config::default()
        }
    }

    /// Stage I before it has learned: a latent vector and words to an image of half the size.
    fn front(&self, recipe: &Recipe, words: &[usize], device: &Device, rng: &mut Rng) -> Net {
        let Nets { embedder, image, .. } = Nets::new(&self.first, &half(recipe), words.iter().sum(), device, rng);
        composed(self.first.latent, words, embedder, None, image)
    }

    /// Stage I with the weights of its run, without autodiff.
    fn learned_front(&self, recipe: &Recipe, words: &[usize], device: &Device, rng: &mut Rng) -> Result<Net> {
        let weights = Path::new(&self.stage_one).join("generator.safetensors");
        ensure!(
            weights.is_file(),
            "expected a run of words in [stackgan] stage_one, found no {}: train one at half the size first",
            weights.display()
        );
        let mut net = self.front(recipe, words, &device.clone().inner(), rng);
        checkpoint::load_net(&mut net, &weights).with_context(|| {
            format!(
                "cannot use the run {}: copy its [words] table to [stackgan.first], and its attributes",
                self.stage_one
            )
        })?;
        Ok(net.no_grad())
    }

    /// The nets of stage II.
    fn nets(&self, recipe: &Recipe, words: usize, device: &Device, rng: &mut Rng) -> Nets {
        let [embedder, spread] = words::embeddings(words, self.embedding, device, rng);
        Nets { embedder, spread, image: self.second(recipe, device, rng) }
    }

    /// Stage II: an image of half the size and c to one of the whole.
    fn second(&self, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
        let width = self.width;
        let mut net = NetBuilder::new(half(recipe).image(), Init::Normal(0.02), device, rng);
        net = net.conv(width, 3, 1, 1).batch_norm();
        let map = net.mark();
        net = net.input([self.embedding, 1, 1]).linear([width, 1, 1]);
        let caption = net.mark();
        net = net.at(map).add(caption).relu();
        for _ in 0..self.blocks {
            let start = net.mark();
            net = net.conv(width, 3, 1, 1).batch_norm().relu().conv(width, 3, 1, 1).batch_norm().add(start).relu();
        }
        net = net.upsample_nearest(2).conv(width / 2, 3, 1, 1).batch_norm().relu();
        net.conv(recipe.data.channels, 3, 1, 1).tanh().build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Tensor, TensorData};
    use edgegen_data::Attribute;
    use edgegen_runtime::Point;

    use crate::systems::{Batch, Step, Trained};

    fn recipe(table: &str) -> Result<Recipe> {
        let mut recipe = Recipe::parse(&format!(
            "system = \"stackgan\"\n[data]\nname = \"x\"\nsize = 16\n[train]\nbatch = 6\n[stackgan]\nwidth = 4\n\
             blocks = 1\nembedding = 3\ncritic_channels = [4]\n{table}\n\
             [stackgan.first]\nlatent = 4\nembedding = 5\nchannels = [6]\ncritic_channels = [4]"
        ))?;
        let attribute = |name: &str, words: &[&str]| {
            let words = words.iter().map(|&word| word.to_owned()).collect();
            Attribute { name: name.into(), words }
        };
        recipe.data.attributes = vec![attribute("side", &["left", "right"]), attribute("level", &["a", "b", "c"])];
        Ok(recipe)
    }

    #[test]
    fn the_second_stage_draws_the_image_of_the_first_again() {
        let (device, folder) = (Device::flex(), tempfile::tempdir().unwrap());
        let plain = recipe("").unwrap();
        let config: Config = plain.settings().unwrap();
        let first = config.front(&plain, &[2, 3], &device, &mut Rng::new(9, 0));
        checkpoint::save_net(&first, &folder.path().join("generator.safetensors")).unwrap();
        let recipe = recipe(&format!("stage_one = {:?}", folder.path())).unwrap();
        let mut rng = Rng::new(1, 0);
        let mut system = (KIND.build)(&recipe, &device.clone().autodiff(), &mut rng).unwrap();
        let before = system.trained();
        let mut next_batch = || {
            let values = (0..6 * 256).map(|at| (at as f32 * 0.37).sin()).collect::<Vec<f32>>();
            let images = Tensor::from_data(TensorData::new(values, [6, 1, 16, 16]), &device);
            Batch { attributes: vec![0, 0, 1, 1, 0, 2, 1, 0, 0, 1, 1, 2], ..Batch::alone(images, Vec::new()) }
        };
        for _ in 0..2 {
            let (lr_generator, lr_critic, ema) = (1e-2, 1e-2, 0.1);
            let losses =
                system.step(&mut Step { lr_generator, lr_critic, ema, rng: &mut rng, next_batch: &mut next_batch });
            assert!(losses.iter().all(|(_, value)| value.is_finite()), "{losses:?}");
        }
        let [Trained::Generator(before), Trained::Generator(after)] = [before, system.trained()] else {
            panic!("generators ship")
        };
        assert_eq!((after.net.output, after.more.len()), ([1, 16, 16], 2));
        // Stage I comes first, and is what its run has made of it.
        let inputs = |class: u16| after.values_at(Point::seed(3).of_class(class));
        let draw =
            |generator: &crate::systems::Generator, class| generator.generate(&[inputs(class)], &device).remove(0);
        assert_ne!(draw(&before, 0), draw(&after, 0), "stage II learns");
        assert_ne!(draw(&after, 0), draw(&after, 3), "words are read");
        let count = first.layers.len();
        let stage_one = |net: &Net| format!("{:?}", &net.clone().layers[..count]);
        assert_eq!(stage_one(&before.net), stage_one(&after.net), "stage I does not");
        let network = crate::lower::lower(&after).unwrap();
        let point = Point::seed(3).of_class(4);
        let layers = network.forward(&network.inputs_at(point)).unwrap().values;
        assert!(draw(&after, 4).iter().zip(&layers).all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let error = |table: &str| format!("{:#}", recipe(table).unwrap_err());
        assert!(error("interpolation = 2.0").contains("interpolation 0 to 1"));
        let missing = recipe("stage_one = \"nowhere\"").unwrap();
        let refused = (KIND.build)(&missing, &Device::flex().autodiff(), &mut Rng::new(0, 0)).map(drop).unwrap_err();
        assert!(refused.to_string().contains("found no nowhere/generator.safetensors"), "{refused}");
    }
}
