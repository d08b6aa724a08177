//! `dtn`: an image of one set as one of another, by way of features that both share: G = g ∘ f, f a frozen classifier without its last
//! layer.
//!
//! ```text
//! D(x) has a score for each of three kinds:  1 made of the one set, 2 made of the other, 3 real     x read, y of the other set
//! L_D = −E log D₁(G(x)) − E log D₂(G(y)) − E log D₃(y)
//! L_G = −E log D₃(G(x)) − E log D₃(G(y))
//!     + constancy · E |f(x) − f(G(x))|²                    what the classifier sees is kept
//!     + identity  · E |y − G(y)|²                          what is of the other set already stays
//!     + variation · E √(∂G(x)² + ∂G(x)²)                   smooth, down and to the right
//! ```
//!
//! Taigman et al., "Unsupervised Cross-Domain Image Generation" (2017), eq. 3 to 7; constancy is taken over what is
//! read, as in eq. 5. Squares are means over values, scores are those of patches, see
//! [`translation`](super::translation).
//!
//! f comes from the folder of a [`judge`](super::judge), of `[data]` as `name` says or of another set of the same kind,
//! and ships as the first layers of the generator.
//!
//! Knobs: `judge`, the folder; `encoder_channels` and `features`, its sizes; the weights; `channels` and `norm` of g;
//! `critic_channels`, `spectral_norm`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::judge;
use super::learner::{Average, Learner};
use super::sizes::nearest_multiple;
use super::translation::{Norm, patch_scores, translator};
use super::unpaired::{scalar, sets};
use super::{Kind, Losses, Step, System, Trained};
use crate::checkpoint;
use crate::nets::{Init, Mode, Net, NetBuilder};
use crate::recipe::Recipe;
use crate::rng::Rng;

/// The table `[dtn]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A judge's folder, whose weights f has; read when a run begins or goes on.
    pub judge: String,
    /// Channels of the judge's convolutions.
    pub encoder_channels: Vec<usize>,
    /// Units of the judge's hidden layer.
    pub features: usize,
    /// Classes of the judge.
    pub classes: usize,
    /// Weight of what becomes of the features.
    pub constancy: f32,
    /// Weight of what becomes of images that are of the set already.
    pub identity: f32,
    /// Weight of the total variation.
    pub variation: f32,
    /// Channels of g's maps, smallest map first; each is doubled, the last one to the image.
    pub channels: Vec<usize>,
    /// What follows each hidden layer of g. Features of a judge may be large: without normalization g would begin with
    /// values that tanh cannot tell apart.
    pub norm: Norm,
    /// Channels of the critic, largest map first.
    pub critic_channels: Vec<usize>,
    /// Whether the critic's weights are spectrally normalized.
    pub spectral_norm: bool,
}

impl Default for Config {
    fn default() -> Self {
        let judge::Config { channels, features, classes } = judge::Config::default();
        Self {
            judge: String::new(),
            encoder_channels: channels,
            features,
            classes,
            constancy: 15.0,
            identity: 15.0,
            variation: 0.0,
            channels: vec![64, 32],
            norm: Norm::None,
            critic_channels: vec![32, 64],
            spectral_norm: true,
        }
    }
}

impl Config {
    fn encoder(&self) -> judge::Config {
        judge::Config { channels: self.encoder_channels.clone(), features: self.features, classes: self.classes }
    }

    /// f with fresh weights.
    fn features(&self, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
        self.encoder().net(recipe, device, rng).without_last([self.features, 1, 1])
    }

    /// f with the judge's weights.
    fn trained_features(&self, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Net> {
        let weights = Path::new(&self.judge).join("judge.safetensors");
        ensure!(
            weights.is_file(),
            "expected a judge's folder in [dtn] judge, found no {}: train one on {} first (system = \"judge\")",
            weights.display(),
            recipe.data.name
        );
        let mut net = self.encoder().net(recipe, device, rng);
        checkpoint::load_net(&mut net, &weights)
            .with_context(|| format!("cannot use the judge in {}: say its sizes in [dtn]", self.judge))?;
        Ok(net.without_last([self.features, 1, 1]))
    }

    /// g.
    fn decoder(&self, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
        let [c, h, w] = recipe.image();
        let scale = 1 << self.channels.len();
        let (first, rest) = self.channels.split_first().expect("checked: there are channels");
        let mut net = NetBuilder::new([self.features, 1, 1], Init::He, device, rng);
        net = self.norm.after(net.linear([*first, h / scale, w / scale])).relu();
        for &channels in rest {
            net = self.norm.after(net.conv_transpose(channels, 4, 2, 1)).relu();
        }
        net.conv_transpose(c, 4, 2, 1).tanh().build()
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "dtn",
    about: "an image of one set as one of another, by way of a classifier's features: three-way critic",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        let features = config.features(recipe, device, rng);
        Ok(translator(features.then(config.decoder(recipe, device, rng))))
    },
    build: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        let features = config.trained_features(recipe, device, rng)?;
        Ok(Box::new(Dtn::new(config, features, recipe, device, rng)))
    },
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    config.encoder().check(recipe)?;
    for (name, weight) in
        [("constancy", config.constancy), ("identity", config.identity), ("variation", config.variation)]
    {
        ensure!(weight.is_finite() && weight >= 0.0, "[dtn] {name} must be a number of at least 0, found {weight}");
    }
    for (name, channels) in [("channels", &config.channels), ("critic_channels", &config.critic_channels)] {
        ensure!(
            !channels.is_empty() && !channels.contains(&0),
            "[dtn] {name} must list positive numbers, found {channels:?}"
        );
    }
    let (size, scale) = (recipe.data.size, 1 << config.channels.len());
    ensure!(
        [size.h, size.w].iter().all(|side| side.is_multiple_of(scale)),
        "[dtn] expected [data] size to be a multiple of {scale} for {} channel counts, found {size}: use size = {} or fewer channels",
        config.channels.len(),
        nearest_multiple(size, scale)
    );
    Ok(Table::try_from(config)?)
}

struct Dtn {
    /// f, frozen.
    features: Net,
    /// g.
    decoder: Learner,
    critic: Learner,
    average: Average,
    config: Config,
    critic_steps: usize,
}

/// The kinds that D tells apart.
const MADE: usize = 0;
const MADE_AGAIN: usize = 1;
const REAL: usize = 2;

impl Dtn {
    fn new(config: Config, features: Net, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Self {
        let net = config.decoder(recipe, device, rng);
        let critic = patch_scores(3, &config.critic_channels, recipe.image(), config.spectral_norm, device, rng);
        Self {
            features: features.no_grad(),
            average: Average::of(&net),
            decoder: Learner::new("decoder", net, &recipe.train),
            critic: Learner::new("critic", critic, &recipe.train),
            config,
            critic_steps: recipe.train.critic_steps,
        }
    }

    /// f of images without autodiff.
    fn seen(&self, images: &Tensor<4>) -> Tensor<4> {
        self.features.valid().forward(images.clone(), &mut Mode::Eval)
    }

    /// One update of D, from images without autodiff; returns its loss.
    fn step_critic(&mut self, made: [Tensor<4>; 2], real: Tensor<4>, step: &mut Step<'_>) -> f32 {
        self.critic.net.power_iteration();
        let batch = real.dims()[0];
        let [made, again] = made;
        let images = Tensor::cat(vec![made, again, real], 0);
        let scores = self.critic.net.forward(images, &mut Mode::Train(step.rng));
        let loss = [MADE, MADE_AGAIN, REAL]
            .map(|kind| unlikely(scores.clone().narrow(0, kind * batch, batch), kind))
            .into_iter()
            .reduce(|sum, part| sum + part)
            .expect("three kinds");
        let value = scalar(&loss);
        self.critic.update(&mut loss.backward(), step.lr_critic);
        value
    }
}

/// −E log of the share that scores `[batch, 3, h, w]` give to a kind, `[1]`.
fn unlikely(scores: Tensor<4>, kind: usize) -> Tensor<1> {
    activation::log_softmax(scores, 1).narrow(1, kind, 1).mean().neg()
}

/// The mean length of the gradient of images `[batch, C, H, W]`, one pixel down and to the right, `[1]`.
fn variation(images: &Tensor<4>) -> Tensor<1> {
    let [_, _, h, w] = images.dims();
    let at = |down, right| images.clone().narrow(2, down, h - 1).narrow(3, right, w - 1);
    let squares = (at(1, 0) - at(0, 0)).square() + (at(0, 1) - at(0, 0)).square();
    // The root has no slope at 0.
    squares.add_scalar(1e-8).sqrt().mean()
}

impl System for Dtn {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        for _ in 1..self.critic_steps {
            let [x, y] = sets((step.next_batch)());
            let decoder = self.decoder.net.valid();
            let made = [&x, &y].map(|images| decoder.forward(self.seen(images), &mut Mode::Eval));
            self.step_critic(made, y, step);
        }
        let [x, y] = sets((step.next_batch)());
        let of_x = self.seen(&x);
        let made = self.decoder.net.forward(of_x.clone(), &mut Mode::Train(step.rng));
        let again = self.decoder.net.forward(self.seen(&y), &mut Mode::Train(step.rng));
        let critic = self.step_critic([made.clone().inner(), again.clone().inner()], y.clone(), step);

        let fixed = self.critic.net.clone().no_grad();
        let mut fooled =
            [&made, &again].map(|images| unlikely(fixed.forward(images.clone(), &mut Mode::Train(step.rng)), REAL));
        let [of_made, of_again] = &mut fooled;
        let mut whole = of_made.clone() + of_again.clone();
        let mut losses = Losses::from([("critic", critic), ("generator", scalar(&whole))]);
        let mut add = |name, weight: f32, error: &dyn Fn() -> Tensor<1>| {
            if weight > 0.0 {
                let error = error();
                losses.push((name, scalar(&error)));
                whole = whole.clone() + error.mul_scalar(weight);
            }
        };
        add("constancy", self.config.constancy, &|| {
            let kept = self.features.forward(made.clone(), &mut Mode::Eval);
            (kept - Tensor::from_inner(of_x.clone())).square().mean()
        });
        add("identity", self.config.identity, &|| (again.clone() - Tensor::from_inner(y.clone())).square().mean());
        add("variation", self.config.variation, &|| variation(&made));
        self.decoder.update(&mut whole.backward(), step.lr_generator);
        self.average.0.average(&self.decoder.net, step.ema);
        losses
    }

    fn trained(&self) -> Trained {
        Trained::Generator(translator(self.features.valid().then(self.average.0.clone())))
    }

    fn save(&self, folder: &Path) -> Result<()> {
        checkpoint::save_net(&self.features.valid(), &folder.join("features.safetensors"))?;
        self.decoder.save(folder)?;
        self.critic.save(folder)?;
        self.average.save(folder)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        // The judge may be another one by now; the run's is the one it began with.
        checkpoint::load_net(&mut self.features, &folder.join("features.safetensors"))?;
        self.decoder.load(folder)?;
        self.critic.load(folder)?;
        self.average.load(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::lower;
    use crate::systems::unpaired::tests::{bars, steps, value};
    use burn::tensor::TensorData;

    fn recipe(table: &str) -> Result<Recipe> {
        Recipe::parse(&format!(
            "system = \"dtn\"\n[data]\nname = \"x\"\nsize = 12\n[train]\nbatch = 8\n[dtn]\nencoder_channels = [4, 6]\nfeatures = 10\n\
             classes = 2\nchannels = [8, 6]\ncritic_channels = [6, 8]\n{table}"
        ))
    }

    fn system(table: &str, seed: u64) -> (Dtn, Rng) {
        let (recipe, device, mut rng) = (recipe(table).unwrap(), Device::flex().autodiff(), Rng::new(seed, 0));
        let config: Config = recipe.settings().unwrap();
        let features = config.features(&recipe, &device, &mut rng);
        (Dtn::new(config, features, &recipe, &device, &mut rng), rng)
    }

    #[test]
    fn losses_are_those_by_hand() {
        // One patch with scores 0, ln 2 and ln 5: shares of 1/8, 2/8 and 5/8.
        let scores = [0.0, 2f32.ln(), 5f32.ln()];
        for (kind, share) in [0.125f32, 0.25, 0.625].into_iter().enumerate() {
            let scores = Tensor::<4>::from_data(TensorData::new(scores.to_vec(), [1, 3, 1, 1]), &Device::flex());
            assert!((unlikely(scores, kind).into_scalar::<f32>() + share.ln()).abs() < 1e-6);
        }
        // Of 2 × 3 pixels two have a neighbour below and to the right: lengths of 5 = |(3, 4)| and 0.
        let pixels = vec![0.0, 4.0, 4.0, 3.0, 4.0, 9.0];
        let image = Tensor::<4>::from_data(TensorData::new(pixels, [1, 1, 2, 3]), &Device::flex());
        assert!((variation(&image).into_scalar::<f32>() - 2.5).abs() < 1e-3);
    }

    #[test]
    fn f_stays_and_g_learns_all_that_it_is_asked_for() {
        let (mut dtn, mut rng) = system("variation = 0.1", 1);
        let values =
            |net: &Net| net.forward(Tensor::ones([1, 1, 12, 12], &Device::flex()), &mut Mode::Eval).into_data();
        let before = values(&dtn.features.valid());
        let losses = steps(&mut dtn, 120, &mut rng, &mut Rng::new(2, 0));
        let names: Vec<_> = losses[0].iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["critic", "generator", "constancy", "identity", "variation"]);
        let [first, last] = [&losses[0], &losses[119]].map(|losses| value(losses, "identity"));
        assert!(last < 0.5 * first, "{first} {last}");
        assert_eq!(values(&dtn.features.valid()), before);
        let (mut plain, mut rng) = system("constancy = 0.0\nidentity = 0.0", 1);
        assert_eq!(steps(&mut plain, 1, &mut rng, &mut Rng::new(2, 0))[0].len(), 2);
    }

    #[test]
    fn it_goes_on_bit_for_bit_whatever_the_judge_has_become() {
        let (mut first, mut rng) = system("", 1);
        let mut order = Rng::new(2, 0);
        steps(&mut first, 5, &mut rng, &mut order);
        let folder = tempfile::tempdir().unwrap();
        first.save(folder.path()).unwrap();
        let (mut second, _) = system("", 9);
        second.load(folder.path()).unwrap();
        let [a, b] = [first, second].map(|mut dtn| steps(&mut dtn, 3, &mut rng.clone(), &mut order.clone()));
        assert_eq!(a, b);
    }

    #[test]
    fn lowered_it_says_the_same() {
        let (dtn, _) = system("", 1);
        let Trained::Generator(generator) = dtn.trained() else { panic!("it draws") };
        let inputs = bars(&mut Rng::new(3, 0)).inputs.unwrap().into_data().try_to_vec::<f32>().unwrap();
        let inputs: Vec<Vec<f32>> = inputs.chunks(144).map(<[f32]>::to_vec).collect();
        let network = lower(&generator).unwrap();
        for (burn, picture) in generator.generate(&inputs, &Device::flex()).into_iter().zip(&inputs) {
            let layers = network.forward(std::slice::from_ref(picture)).unwrap().values;
            assert!(burn.iter().zip(layers).all(|(a, b)| (a - b).abs() < 1e-4));
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (table, expected) in [
            ("constancy = -1.0", "constancy must be a number"),
            ("channels = [1, 2, 3]", "multiple of 8"),
            ("features = 0", "layers must have"),
        ] {
            let table = format!("system = \"dtn\"\n[data]\nname = \"x\"\nsize = 12\n[dtn]\n{table}");
            let message = format!("{:#}", Recipe::parse(&table).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
        let recipe = recipe("judge = \"nowhere\"").unwrap();
        let error = (KIND.build)(&recipe, &Device::flex().autodiff(), &mut Rng::new(1, 0)).err().unwrap();
        assert!(error.to_string().contains("found no nowhere/judge.safetensors"), "{error}");
    }
}
