//! `speech`: from phones to the cepstra of a voice, with a critic that hears whether they are a voice's.
//!
//! A perceptron reads one frame of a window x of T frames (phones and places, `data/speech.rs`) and says what each
//! coefficient is there, how it changes and how that changes; the trajectory that the three agree on best is what the
//! system makes, and what both terms of its loss look at:
//!
//! ```text
//! ŷ = R G(x)        R = (WᵀW)⁻¹ Wᵀ, T × 3T (`speech/trajectory.rs`)
//! L_MGE(y, ŷ) = 1 / (T F) Σ (y − ŷ)² / σ²        in squared deviations of each of F coefficients
//! L_G = L_MGE + weight · E[L_MGE] / E[L_ADV] · L_ADV        L_ADV = mean over frames of what G minimizes of D(ŷ_t)
//! L_D = mean over frames of what D minimizes of D(y_t) and D(ŷ_t)
//! ```
//!
//! Saito, Takamichi and Saruwatari, "Statistical Parametric Speech Synthesis Incorporating Generative Adversarial
//! Networks" (2018): L_MGE is eq. 2, with one variance for all of Σ, the balance eq. 7. The expectations are running
//! means here, so that weight = 1 makes both terms equally strong whatever their units. The critic D is a perceptron of
//! a frame, too; it does not see the first coefficient, loudness. With weight = 0 there is no critic, and the training
//! is that of minimum generation error (Wu and Wang, 2006).
//!
//! A squared error alone is smallest for the mean of what could be said, which is flatter than speech: muffled. The
//! critic knows it by that. `edgegen eval` says how wide and how fast the trajectories move beside those of speech.
//!
//! The net that ships is G, the trajectory is for whoever plays it: `edgegen sample RUN --out x.wav`.
//!
//! Knobs: `weight`, `loss` (hinge, least-squares, non-saturating, minimax), `hidden`, `critic_hidden`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use edgegen_export::layers::Window;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::adversarial::Loss;
use super::learner::{Average, Learner};
use super::translation::translator;
use super::{Batch, Kind, Losses, Step, System, Trained};
use crate::data::speech::{CHANNELS, RANGE};
use crate::files;
use crate::nets::{Init, Mode, Net, NetBuilder};
use crate::recipe::Recipe;
use crate::rng::Rng;
use crate::speech::trajectory::Smoother;

/// The table `[speech]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Weight of the adversarial term, 1 for as much as the error; 0 for none.
    pub weight: f32,
    /// What the players minimize.
    pub loss: Loss,
    /// Units of the generator's layers.
    pub hidden: Vec<usize>,
    /// Units of the critic's layers.
    pub critic_hidden: Vec<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Self { weight: 1.0, loss: Loss::NonSaturating, hidden: vec![192, 192], critic_hidden: vec![128, 128] }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "speech",
    about: "speech from phones, by minimum generation error and a critic of its frames",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        Ok(translator(network(&config, recipe, device, rng)))
    },
    build: |recipe, device, rng| Ok(Box::new(Speech::new(recipe, device, rng)?)),
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    ensure!(
        config.weight.is_finite() && config.weight >= 0.0,
        "[speech] weight must be at least 0, found {}",
        config.weight
    );
    ensure!(
        !matches!(config.loss, Loss::Wasserstein | Loss::Relativistic),
        "[speech] loss must be hinge, least-squares, non-saturating or minimax, found one that needs a penalty"
    );
    for (name, units) in [("hidden", &config.hidden), ("critic_hidden", &config.critic_hidden)] {
        ensure!(
            !units.is_empty() && !units.contains(&0),
            "[speech] {name} must list positive numbers, found {units:?}"
        );
    }
    let [channels, frames, coefficients] = recipe.image();
    ensure!(
        channels == CHANNELS && frames >= 2 && coefficients >= 2,
        "[speech] expected frames as rows of at least two coefficients in {CHANNELS} channels, found size = {} and channels = \
         {channels} in [data]: take the set speech, with size = [128, 25] and channels = {CHANNELS}",
        recipe.data.size
    );
    Ok(Table::try_from(config)?)
}

const SLOPE: f32 = 0.2;

/// A window that sees a frame of `width` columns, and nothing of another.
fn frame(channels: usize, width: usize) -> Window {
    Window { channels, kernel: [1, width], stride: [1, width], padding: [[0; 2]; 2], dilation: [1; 2], groups: 1 }
}

/// A perceptron for each frame, but for its last layer.
fn perceptron<'a>(image: [usize; 3], units: &[usize], device: &'a Device, rng: &'a mut Rng) -> NetBuilder<'a> {
    let net = NetBuilder::new(image, Init::He, device, rng);
    let net = net.conv_with(frame(units[0], image[2])).leaky_relu(SLOPE);
    units[1..].iter().fold(net, |net, &units| net.conv(units, 1, 1, 0).leaky_relu(SLOPE))
}

fn network(config: &Config, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
    let image = recipe.image();
    perceptron(image, &config.hidden, device, rng).conv_transpose_with(frame(image[0], image[2])).build()
}

/// A score for each frame of `frames`, which has all coefficients but the first of `coefficients`.
fn critic(config: &Config, [frames, coefficients]: [usize; 2], device: &Device, rng: &mut Rng) -> Net {
    perceptron([1, frames, coefficients - 1], &config.critic_hidden, device, rng).conv(1, 1, 1, 0).build()
}

/// How large both losses are: running means, 0 before the first step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Balance {
    error: f32,
    adversarial: f32,
}

impl Balance {
    /// Part of a mean that stays at each step.
    const DECAY: f32 = 0.99;

    /// With the losses of one step more.
    fn after(self, error: f32, adversarial: f32) -> Self {
        let mean = |before: f32, now: f32| {
            if before == 0.0 { now } else { Self::DECAY * before + (1.0 - Self::DECAY) * now }
        };
        Self { error: mean(self.error, error), adversarial: mean(self.adversarial, adversarial) }
    }

    /// E[L_MGE] / E[L_ADV]. Where the adversarial loss may be below 0 its size counts.
    fn ratio(self) -> f32 {
        self.error / self.adversarial.abs().max(1e-6)
    }
}

/// Both players and the average of the generator.
struct Speech {
    generator: Learner,
    critic: Learner,
    average: Average,
    config: Config,
    balance: Balance,
    /// R, `[T, 3T]`.
    smoother: Tensor<2>,
    critic_steps: usize,
}

impl Speech {
    fn new(recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Self> {
        let config: Config = recipe.settings()?;
        let [_, frames, coefficients] = recipe.image();
        let net = network(&config, recipe, device, rng);
        let critic = critic(&config, [frames, coefficients], device, rng);
        let matrix = TensorData::new(Smoother::new(frames).matrix(), [frames, CHANNELS * frames]);
        Ok(Self {
            average: Average::of(&net),
            generator: Learner::new("generator", net, &recipe.train),
            critic: Learner::new("critic", critic, &recipe.train),
            config,
            balance: Balance::default(),
            smoother: Tensor::from_data(matrix, &device.clone().inner()),
            critic_steps: recipe.train.critic_steps,
        })
    }

    /// One update of the critic; returns its loss and the mean scores of natural and generated frames.
    fn step_critic(&mut self, real: &Tensor<4>, fake: Tensor<4>, step: &mut Step<'_>) -> [f32; 3] {
        let batch = real.dims()[0];
        let frames = Tensor::cat(vec![heard(real.clone()), heard(fake)], 0);
        let scores = self.critic.net.forward(frames, &mut Mode::Train(step.rng));
        let [real, fake] = [0, batch].map(|start| scores.clone().narrow(0, start, batch));
        let means = [&real, &fake].map(|scores| scalar(scores.clone().mean()));
        let loss = self.config.loss.critic(real, fake);
        let value = scalar(loss.clone());
        self.critic.update(&mut loss.backward(), step.lr_critic);
        [value, means[0], means[1]]
    }
}

/// The trajectories `[batch, 1, T, F]` of what is said of each frame, `[batch, 3, T, F]`, by R = `[T, 3T]`.
fn trajectories(smoother: Tensor<2>, said: Tensor<4>) -> Tensor<4> {
    let [batch, channels, frames, coefficients] = said.dims();
    // All curves are columns of one product.
    let curves: Tensor<3> = said.reshape([batch, channels * frames, coefficients]).swap_dims(0, 1);
    let smooth = smoother.matmul(curves.reshape([channels * frames, batch * coefficients]));
    let smooth: Tensor<3> = smooth.reshape([frames, batch, coefficients]).swap_dims(0, 1);
    smooth.reshape([batch, 1, frames, coefficients])
}

/// What the critic sees of trajectories: all but loudness, in deviations.
fn heard(curves: Tensor<4>) -> Tensor<4> {
    let coefficients = curves.dims()[3];
    curves.narrow(3, 1, coefficients - 1).mul_scalar(RANGE)
}

/// What is read and the trajectories that belong to it.
fn pair(batch: Batch) -> [Tensor<4>; 2] {
    let Batch { inputs, images, .. } = batch;
    [inputs.expect("the loop gives pairs to this system"), images.narrow(1, 0, 1)]
}

impl System for Speech {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let Config { weight, loss, .. } = self.config;
        let plays = weight > 0.0;
        for _ in 1..if plays { self.critic_steps } else { 1 } {
            let [read, real] = pair((step.next_batch)());
            let said = self.generator.net.valid().forward(read, &mut Mode::Train(step.rng));
            self.step_critic(&real, trajectories(self.smoother.clone(), said), step);
        }
        let [read, real] = pair((step.next_batch)());
        let said = self.generator.net.forward(read, &mut Mode::Train(step.rng));
        let fake = trajectories(Tensor::from_inner(self.smoother.clone()), said);
        let critic = plays.then(|| self.step_critic(&real, fake.clone().inner(), step));

        let off = (fake.clone() - Tensor::from_inner(real)).mul_scalar(RANGE);
        let error = off.square().mean();
        let mut losses = vec![("error", scalar(error.clone()))];
        let mut whole = error;
        if let Some([critic, of_real, of_fake]) = critic {
            let fixed = self.critic.net.clone().no_grad();
            let adversarial = loss.generator(fixed.forward(heard(fake), &mut Mode::Train(step.rng)), None);
            let generator = scalar(adversarial.clone());
            self.balance = self.balance.after(losses[0].1, generator);
            let ratio = self.balance.ratio();
            losses.extend([
                ("critic", critic),
                ("generator", generator),
                ("score_real", of_real),
                ("score_fake", of_fake),
                ("balance", ratio),
            ]);
            whole = whole + adversarial.mul_scalar(weight * ratio);
        }
        self.generator.update(&mut whole.backward(), step.lr_generator);
        self.average.0.average(&self.generator.net, step.ema);
        losses
    }

    fn trained(&self) -> Trained {
        Trained::Generator(translator(self.average.0.clone()))
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.generator.save(folder)?;
        self.critic.save(folder)?;
        self.average.save(folder)?;
        // As bits, so that nothing is lost in print.
        let Balance { error, adversarial } = self.balance;
        files::replace_bytes(&folder.join("balance"), &[error.to_le_bytes(), adversarial.to_le_bytes()].concat())
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        self.generator.load(folder)?;
        self.critic.load(folder)?;
        self.average.load(folder)?;
        let path = folder.join("balance");
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let [error, adversarial] = match bytes.as_chunks() {
            ([error, adversarial], []) => [error, adversarial].map(|bits| f32::from_le_bytes(*bits)),
            _ => anyhow::bail!("expected 8 bytes in {}, found {}", path.display(), bytes.len()),
        };
        self.balance = Balance { error, adversarial };
        Ok(())
    }
}

fn scalar(value: Tensor<1>) -> f32 {
    value.into_scalar::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::lower;
    use crate::speech::trajectory::changes;
    use edgegen_export::compare::compare_with;
    use edgegen_export::{Label, export_with};

    const FRAMES: usize = 12;
    const COEFFICIENTS: usize = 4;
    const LENGTH: usize = CHANNELS * FRAMES * COEFFICIENTS;

    fn recipe(table: &str) -> Result<Recipe> {
        Recipe::parse(&format!(
            "system = \"speech\"\n[data]\nname = \"x\"\nsize = [{FRAMES}, {COEFFICIENTS}]\nchannels = {CHANNELS}\n[train]\n\
             batch = 16\n[speech]\nhidden = [16]\ncritic_hidden = [12]\n{table}"
        ))
    }

    /// Coefficients that follow from what is read but for their sign, which nothing tells: their mean is 0, and no
    /// natural one is near 0.
    fn riddles(rng: &mut Rng) -> Batch {
        let (mut read, mut real) = (Vec::new(), Vec::new());
        for _ in 0..16 {
            let mut input = vec![0.0f32; LENGTH];
            input[..FRAMES * COEFFICIENTS].iter_mut().for_each(|value| *value = rng.unit() - 0.5);
            // A frame knows nothing of its neighbours, so what it could know of changes is that there are none.
            let level = rng.unit() - 0.5;
            input[..FRAMES * COEFFICIENTS].iter_mut().step_by(COEFFICIENTS).for_each(|value| *value = level);
            let mut target = vec![0.0f32; LENGTH];
            let sign = if rng.below(2) == 0 { -0.2 } else { 0.2 };
            for at in 0..COEFFICIENTS {
                // The first one is known.
                let curve: Vec<f32> =
                    (0..FRAMES).map(|frame| if at == 0 { input[frame * COEFFICIENTS] } else { sign }).collect();
                for (channel, curve) in [curve.clone()].into_iter().chain(changes(&curve)).enumerate() {
                    for (frame, value) in curve.into_iter().enumerate() {
                        target[(channel * FRAMES + frame) * COEFFICIENTS + at] = value;
                    }
                }
            }
            read.extend(input);
            real.extend(target);
        }
        let tensor = |values: Vec<f32>| {
            Tensor::from_data(TensorData::new(values, [16, CHANNELS, FRAMES, COEFFICIENTS]), &Device::flex())
        };
        Batch { inputs: Some(tensor(read)), ..Batch::alone(tensor(real), Vec::new()) }
    }

    /// A system after some steps, its last losses, and the mean square of the second coefficient that it makes, in
    /// deviations.
    fn trained(table: &str, steps: usize) -> (Speech, Losses, f32) {
        let recipe = recipe(table).unwrap();
        let (device, mut rng) = (Device::flex().autodiff(), Rng::new(1, 0));
        let mut system = Speech::new(&recipe, &device, &mut rng).unwrap();
        let mut order = Rng::new(2, 0);
        let mut losses = Losses::new();
        for _ in 0..steps {
            losses = system.step(&mut Step {
                lr_generator: 5e-3,
                lr_critic: 5e-3,
                ema: 0.9,
                rng: &mut rng,
                next_batch: &mut || riddles(&mut order),
            });
        }
        let [read, _] = pair(riddles(&mut order));
        let curves = trajectories(system.smoother.clone(), system.average.0.forward(read, &mut Mode::Eval));
        let second = scalar(heard(curves).narrow(3, 0, 1).square().mean());
        (system, losses, second)
    }

    #[test]
    fn the_error_alone_is_flat_and_the_critic_is_not() {
        let (_, losses, flat) = trained("weight = 0.0", 150);
        assert_eq!(losses.len(), 1);
        // Three of four coefficients are ±0.8 deviations whatever is read; the first is learned.
        assert!((losses[0].1 / (0.75 * 0.64) - 1.0).abs() < 0.1, "{losses:?}");
        let (system, losses, wide) = trained("weight = 1.0", 150);
        assert_eq!(losses.len(), 6);
        assert!(flat < 0.1 * 0.64 && wide > 4.0 * flat, "{flat} {wide}");
        assert!(system.balance.error > 0.0 && system.balance.adversarial > 0.0);
    }

    #[test]
    fn trajectories_are_those_of_the_smoother() {
        let mut rng = Rng::new(3, 0);
        let values: Vec<f32> = (0..2 * LENGTH).map(|_| rng.normal()).collect();
        let shape = [2, CHANNELS, FRAMES, COEFFICIENTS];
        let said = Tensor::<4>::from_data(TensorData::new(values.clone(), shape), &Device::flex());
        let smoother = Smoother::new(FRAMES);
        let matrix = TensorData::new(smoother.matrix(), [FRAMES, CHANNELS * FRAMES]);
        let found = trajectories(Tensor::from_data(matrix, &Device::flex()), said).into_data();
        let found = found.try_to_vec::<f32>().unwrap();
        for (batch, at) in (0..2).flat_map(|batch| (0..COEFFICIENTS).map(move |at| (batch, at))) {
            let curve = |channel: usize| -> Vec<f32> {
                let first = batch * LENGTH + channel * FRAMES * COEFFICIENTS + at;
                values[first..].iter().step_by(COEFFICIENTS).take(FRAMES).copied().collect()
            };
            let said = [0, 1, 2].map(curve);
            let expected = smoother.curve(said.each_ref().map(Vec::as_slice));
            for (frame, expected) in expected.into_iter().enumerate() {
                let found = found[(batch * FRAMES + frame) * COEFFICIENTS + at];
                assert!((found - expected).abs() < 1e-4, "{found} {expected}");
            }
        }
    }

    #[test]
    fn the_balance_makes_both_terms_equal_and_survives_a_checkpoint() {
        let first = Balance::default().after(0.5, 2.0);
        assert_eq!(first.ratio() * 2.0, 0.5);
        let second = first.after(1.5, 2.0);
        assert!((second.error - 0.51).abs() < 1e-6 && second.adversarial == 2.0);
        let folder = tempfile::tempdir().unwrap();
        let (system, ..) = trained("", 2);
        system.save(folder.path()).unwrap();
        let mut other = Speech::new(&recipe("").unwrap(), &Device::flex().autodiff(), &mut Rng::new(9, 0)).unwrap();
        other.load(folder.path()).unwrap();
        assert_eq!(other.balance, system.balance);
        std::fs::write(folder.path().join("balance"), [0; 7]).unwrap();
        assert!(format!("{:#}", other.load(folder.path()).unwrap_err()).contains("found 7"));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (table, expected) in
            [("weight = -1.0", "weight must be at least 0"), ("loss = \"wasserstein\"", "loss must be hinge")]
        {
            let message = format!("{:#}", recipe(table).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
        let text = "system = \"speech\"\n[data]\nname = \"x\"\nsize = 28";
        let message = format!("{:#}", Recipe::parse(text).unwrap_err());
        assert!(message.contains("size = [128, 25] and channels = 3"), "{message}");
    }

    #[test]
    fn lowered_it_says_the_same_and_int8_is_near() {
        let (system, ..) = trained("weight = 0.0", 60);
        let Trained::Generator(generator) = system.trained() else { panic!("it makes images") };
        assert_eq!(generator.fed(), Some([CHANNELS, FRAMES, COEFFICIENTS]));
        let network = lower(&generator).unwrap();
        let mut rng = Rng::new(5, 0);
        let mut pictures = || -> Vec<Vec<f32>> {
            let [read, _] = pair(riddles(&mut rng));
            read.into_data().try_to_vec::<f32>().unwrap().chunks(LENGTH).map(<[f32]>::to_vec).collect()
        };
        let [examples, others] = [pictures(), pictures()];
        for (burn, picture) in generator.generate(&others, &Device::flex()).into_iter().zip(&others) {
            let layers = network.forward(std::slice::from_ref(picture)).unwrap().values;
            assert!(burn.iter().zip(layers).all(|(a, b)| (a - b).abs() < 1e-4));
        }
        let [examples, others] =
            [examples, others].map(|set| set.into_iter().map(|picture| vec![picture]).collect::<Vec<_>>());
        let exported = export_with(&network, &examples, Label { name: "test", metadata: &[] }).unwrap();
        let found = compare_with(&network, &exported, &others).unwrap();
        assert!(found.psnr_db >= 30.0, "{} dB, worst {}", found.psnr_db, found.worst);
    }
}
