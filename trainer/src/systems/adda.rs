//! `adda`: a classifier that has learned one set of images with labels, adapted to another set without any.
//!
//! ```text
//! first `source_steps` steps:   L = −E log softmax(C(S(x)))[label of x]           x of the labelled set, S and C learn
//! then T ← S, and from there:   L_D = −E log σ(D(S(x))) − E log(1 − σ(D(T(y))))   y of the other set, D learns
//!                               L_T = −E log σ(D(T(y)))                           T learns; S and C stay
//! ```
//!
//! Tzeng et al., "Adversarial Discriminative Domain Adaptation" (2017), eq. 9 and §4: features of the other set come to
//! be distributed as those of the labelled one, so that the same C tells its classes. What is trained, and kept as a
//! judge is, is C(T(·)).
//!
//! S and T are a [`judge`](super::judge) up to its hidden layer, C is its last layer. The labels of the other set are
//! never looked at;
//! `edgegen eval` of the run tests on them.
//!
//! Knobs: `source_steps`; `adapt_rate`, the share of both learning rates that adapting learns with; `critic_hidden`;
//! `channels`,
//! `features` and `classes` as those of a judge.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::adversarial::Loss;
use super::judge::{self, cross_entropy};
use super::learner::{Average, Learner};
use super::unpaired::scalar;
use super::{Batch, Kind, Losses, Step, System, Trained};
use crate::files;
use crate::nets::{Init, Mode, NetBuilder};
use crate::recipe::Recipe;
use crate::rng::Rng;

/// The table `[adda]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Steps on the labelled set, before adapting.
    pub source_steps: u64,
    /// Share of both learning rates that adapting learns with.
    pub adapt_rate: f64,
    /// Units of the hidden layers of D.
    pub critic_hidden: Vec<usize>,
    /// Channels of the convolutions, see [`judge::Config::channels`].
    pub channels: Vec<usize>,
    /// Units of the hidden layer that D looks at.
    pub features: usize,
    /// Classes of the labelled set.
    pub classes: usize,
}

impl Default for Config {
    fn default() -> Self {
        let judge::Config { channels, features, classes } = judge::Config::default();
        Self { source_steps: 1000, adapt_rate: 0.1, critic_hidden: vec![500, 500], channels, features, classes }
    }
}

impl Config {
    /// The form of the classifier.
    pub fn judge(&self) -> judge::Config {
        let Self { ref channels, features, classes, .. } = *self;
        judge::Config { channels: channels.clone(), features, classes }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "adda",
    about: "a classifier that learns one set with labels and adapts to another without: adversarial features",
    normalize,
    generator: |_, _, _| bail!("adda draws nothing, it tells classes: give a run of a generator"),
    build: |recipe, device, rng| Ok(Box::new(Adda::new(recipe, device, rng)?)),
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    config.judge().check(recipe)?;
    ensure!(
        !config.critic_hidden.contains(&0),
        "[adda] critic_hidden must list positive numbers, found {:?}",
        config.critic_hidden
    );
    ensure!(
        config.adapt_rate.is_finite() && config.adapt_rate > 0.0,
        "[adda] adapt_rate must be above 0, found {}",
        config.adapt_rate
    );
    Ok(Table::try_from(config)?)
}

struct Adda {
    /// S and C.
    source: Learner,
    /// T and C, from the end of the first part on.
    target: Learner,
    critic: Learner,
    /// Of S and C, then of T and C.
    average: Average,
    config: Config,
    /// Steps done.
    done: u64,
}

/// A file in a checkpoint: the steps done, 64 bits, little-endian.
const DONE: &str = "steps";

impl Adda {
    fn new(recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Self> {
        let config: Config = recipe.settings()?;
        let net = config.judge().net(recipe, device, rng);
        let mut critic = NetBuilder::new([config.features, 1, 1], Init::He, device, rng);
        for &hidden in &config.critic_hidden {
            critic = critic.linear([hidden, 1, 1]).leaky_relu(0.2);
        }
        let critic = critic.linear([1, 1, 1]).build();
        Ok(Self {
            average: Average::of(&net),
            target: Learner::new("target", net.clone(), &recipe.train),
            source: Learner::new("source", net, &recipe.train),
            critic: Learner::new("critic", critic, &recipe.train),
            config,
            done: 0,
        })
    }

    /// A step on the labelled set.
    fn learn(&mut self, images: Tensor<4>, labels: &[u8], step: &mut Step<'_>) -> Losses {
        let (loss, right) = cross_entropy(&self.source.net, images, labels, step.rng);
        self.source.update(&mut loss.backward(), step.lr_generator);
        self.average.0.average(&self.source.net, step.ema);
        vec![("loss", scalar(&loss)), ("accuracy", right)]
    }

    /// A step of the game of features.
    fn adapt(&mut self, labelled: Tensor<4>, other: Tensor<4>, step: &mut Step<'_>) -> Losses {
        let loss = Loss::NonSaturating;
        let real = self.source.net.valid().before_last(labelled, &mut Mode::Eval);
        let fake = self.target.net.before_last(other, &mut Mode::Train(step.rng));

        let batch = real.dims()[0];
        let both = Tensor::cat(vec![real, fake.clone().inner()], 0);
        let scores = self.critic.net.forward(both, &mut Mode::Train(step.rng));
        let [of_real, of_fake] = [0, batch].map(|start| scores.clone().narrow(0, start, batch));
        let means = [&of_real, &of_fake].map(|scores| scalar(&scores.clone().mean()));
        let critic = loss.critic(of_real, of_fake);
        let value = scalar(&critic);
        self.critic.update(&mut critic.backward(), self.config.adapt_rate * step.lr_critic);

        let fixed = self.critic.net.clone().no_grad();
        let fooled = loss.generator(fixed.forward(fake, &mut Mode::Train(step.rng)), None);
        self.target.update(&mut fooled.backward(), self.config.adapt_rate * step.lr_generator);
        self.average.0.average(&self.target.net, step.ema);
        vec![("critic", value), ("generator", scalar(&fooled)), ("score_real", means[0]), ("score_fake", means[1])]
    }
}

impl System for Adda {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let Batch { inputs, input_labels, images, .. } = (step.next_batch)();
        let labelled = inputs.expect("the loop gives two sets to this system");
        let done = self.done;
        self.done += 1;
        if done < self.config.source_steps {
            return self.learn(labelled, &input_labels, step);
        }
        if done == self.config.source_steps {
            self.target.net = self.source.net.clone();
        }
        self.adapt(labelled, images, step)
    }

    fn trained(&self) -> Trained {
        Trained::Judge(self.average.0.clone())
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.source.save(folder)?;
        self.target.save(folder)?;
        self.critic.save(folder)?;
        self.average.save(folder)?;
        files::replace_bytes(&folder.join(DONE), &self.done.to_le_bytes())
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        self.source.load(folder)?;
        self.target.load(folder)?;
        self.critic.load(folder)?;
        self.average.load(folder)?;
        let path = folder.join(DONE);
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let bytes = <[u8; 8]>::try_from(&*bytes)
            .ok()
            .with_context(|| format!("expected 8 bytes in {}, found {}", path.display(), bytes.len()))?;
        self.done = u64::from_le_bytes(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::Net;
    use burn::tensor::TensorData;

    const BATCH: usize = 16;
    /// Of T and D.
    const RATES: [f64; 2] = [2e-3; 2];

    fn recipe(source_steps: u64) -> Recipe {
        Recipe::parse(&format!(
            "system = \"adda\"\n[data]\nname = \"a\"\ntarget = \"b\"\nsize = 8\n[adda]\nsource_steps = {source_steps}\nadapt_rate = 0.3\n\
             channels = [6, 8]\nfeatures = 8\nclasses = 2\ncritic_hidden = [16]"
        ))
        .unwrap()
    }

    /// Images bright on the left or, one in four, on the right, in the second set fainter and on grey.
    fn halves(rng: &mut Rng) -> Batch {
        let mut set = |bright: f32, middle: f32| {
            let labels: Vec<u8> = (0..BATCH).map(|_| u8::from(rng.below(4) == 0)).collect();
            let pixel = |label: u8, at: usize| middle + if (at % 8 < 4) == (label == 0) { bright } else { -bright };
            let values: Vec<f32> = labels.iter().flat_map(|&label| (0..64).map(move |at| pixel(label, at))).collect();
            let noisy = values.into_iter().map(|value| value + 0.1 * rng.normal()).collect::<Vec<_>>();
            (Tensor::from_data(TensorData::new(noisy, [BATCH, 1, 8, 8]), &Device::flex()), labels)
        };
        let ((inputs, input_labels), (images, labels)) = (set(0.8, 0.0), set(0.3, 0.4));
        Batch { inputs: Some(inputs), input_labels, ..Batch::alone(images, labels) }
    }

    /// Steps with the rates of T and D.
    fn play(system: &mut Adda, steps: usize, rates: [f64; 2], rng: &mut Rng, order: &mut Rng) -> Vec<Losses> {
        let [lr_generator, lr_critic] = rates;
        let mut next_batch = || halves(order);
        let mut one = || system.step(&mut Step { lr_generator, lr_critic, ema: 0.5, rng, next_batch: &mut next_batch });
        (0..steps).map(|_| one()).collect()
    }

    #[test]
    fn the_second_part_starts_from_the_first_and_leaves_it_alone() {
        let (device, mut rng) = (Device::flex().autodiff(), Rng::new(1, 0));
        let mut system = Adda::new(&recipe(60), &device, &mut rng).unwrap();
        let mut order = Rng::new(2, 0);
        let losses = play(&mut system, 60, RATES, &mut rng, &mut order);
        assert_eq!(losses[59].iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["loss", "accuracy"]);
        assert!(losses[59][1].1 > 0.95, "{losses:?}");

        let weights = |net: &Net| {
            let folder = tempfile::tempdir().unwrap();
            crate::checkpoint::save_net(&net.valid(), &folder.path().join("x")).unwrap();
            std::fs::read(folder.path().join("x")).unwrap()
        };
        let before = weights(&system.source.net);
        // T held, D comes to tell the sets apart; then D held, T comes to fool it.
        let learned = play(&mut system, 60, [0.0, 5e-3], &mut rng, &mut order);
        assert_eq!(learned[0][0].0, "critic");
        let mean =
            |losses: &[Losses], at: usize| losses.iter().map(|losses| losses[at].1).sum::<f32>() / losses.len() as f32;
        let [first, last] = [&learned[..10], &learned[50..]].map(|losses| mean(losses, 0));
        assert!(last < 0.9 * first, "{first} {last}");
        let fooled = play(&mut system, 60, [5e-3, 0.0], &mut rng, &mut order);
        let [first, last] = [&fooled[..10], &fooled[50..]].map(|losses| mean(losses, 1));
        assert!(last < 0.8 * first, "{first} {last}");
        assert!(weights(&system.source.net) == before, "S and C stay");
        assert!(weights(&system.target.net) != before, "T learns");
    }

    #[test]
    fn it_goes_on_bit_for_bit_in_either_part() {
        let device = Device::flex().autodiff();
        let recipe = recipe(3);
        for before in [2, 5] {
            let (mut rng, mut order) = (Rng::new(1, 0), Rng::new(2, 0));
            let mut first = Adda::new(&recipe, &device, &mut rng).unwrap();
            play(&mut first, before, RATES, &mut rng, &mut order);
            let folder = tempfile::tempdir().unwrap();
            first.save(folder.path()).unwrap();
            let mut second = Adda::new(&recipe, &device, &mut Rng::new(7, 0)).unwrap();
            second.load(folder.path()).unwrap();
            let [a, b] =
                [first, second].map(|mut system| play(&mut system, 4, RATES, &mut rng.clone(), &mut order.clone()));
            assert_eq!(a, b);
        }
    }
}
