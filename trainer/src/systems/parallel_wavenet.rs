//! `parallel_wavenet`: sounds in one pass, taught by a run of [`wavenet`](super::wavenet), which takes one for each
//! sample.
//!
//! ```text
//! KL(s ‖ t) = E_z [log s(x) − log t(x)],   x of noise z by the flows;   s: the student's density, t: the teacher's
//! log s(x) = log p(z) − log |det ∂x/∂z|,   log t(x) = Σ log t(x_t | x_<t)
//! ```
//!
//! van den Oord et al., "Parallel WaveNet: Fast High-Fidelity Speech Synthesis" (2018): probability density
//! distillation, and a power loss, which asks that spectra in time are those of the data's class; here of companded
//! magnitudes, as hits die away, and of each octave alike. The student is a stack of flows over rows of noise ([`WaveFlows`]). The teacher's
//! density of its sound is that of a level spread over its width, as the student's sounds are not levels yet, with
//! logistics at least a level wide ([`Wavenet::log_density`](crate::nets::layer::Wavenet::log_density)).
//!
//! The divergence asks that the student plays nothing that the teacher would not; it may play less, and the power loss
//! pulls it to what the data's spectra are in the mean. A sample that the teacher holds for impossible counts in full
//! up to `reach` nats, the rest by its logarithm, as in [`iaf`](super::iaf).
//!
//! Knobs: `teacher`, the folder of the run, and `wavenet`, its `[wavenet]` table; `flows`, `row` (samples of a row),
//! `channels`, `skips`, `dilations` (in rows) of each flow's net; `power`, `reach`.

use std::f64::consts::TAU;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::flow::Score;
use super::iaf::shortened;
use super::learner::{Average, Learner};
use super::wavenet::{check_blocks, finished, only};
use super::{Batch, Kind, Losses, Step, System, Trained, latents, one_hot, wavenet};
use crate::checkpoint;
use crate::nets::layer::{Layer, MU, SHARE, Sound, WaveFlows, expanded};
use crate::nets::{Flows, Init, Net, NetBuilder, Waves};
use crate::recipe::{Prior, Recipe};
use crate::rng::Rng;

/// The table `[parallel_wavenet]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The folder of the teacher, a run of `wavenet` on the same sounds, whose weights are read when a run begins.
    pub teacher: String,
    /// Its `[wavenet]` table: the sizes of its net, and the classes of both.
    pub wavenet: wavenet::Config,
    /// Flows, one behind the other.
    pub flows: usize,
    /// Samples of a row.
    pub row: usize,
    /// Channels of the blocks.
    pub channels: usize,
    /// Channels of what goes past them.
    pub skips: usize,
    /// How many rows each block looks back.
    pub dilations: Vec<usize>,
    /// Weight of the power loss; 0 for none.
    pub power: f64,
    /// So many nats of −log t of a sample count in full.
    pub reach: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            teacher: String::new(),
            wavenet: wavenet::Config::default(),
            flows: 2,
            row: 32,
            channels: 16,
            skips: 16,
            dilations: vec![1, 2, 4, 8],
            power: 10.0,
            reach: 10.0,
        }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "parallel_wavenet",
    about: "sounds in one pass, taught by a run of wavenet",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        Ok(finished(config.net(recipe, device, rng), config.wavenet.classes))
    },
    build: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        let teacher = config.taught(recipe, device, rng)?;
        Ok(Box::new(Student::new(config, teacher, recipe, device, rng)))
    },
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    let &Config { flows, row, channels, skips, power, reach, .. } = &config;
    config.wavenet.check("parallel_wavenet.wavenet", recipe)?;
    check_blocks("parallel_wavenet", channels, skips, &config.dilations)?;
    ensure!((1..=64).contains(&flows), "[parallel_wavenet] flows must be 1 to 64, found {flows}");
    let samples = recipe.data.size.h;
    ensure!(
        (1..=1024).contains(&row) && samples.is_multiple_of(row),
        "[parallel_wavenet] row must be 1 to 1024 and divide the {samples} samples of a sound, found {row}"
    );
    ensure!(power >= 0.0, "[parallel_wavenet] power must be at least 0, found {power}");
    ensure!(reach > 0.0, "[parallel_wavenet] reach must be above 0 nats, found {reach}");
    Ok(Table::try_from(config)?)
}

impl Config {
    fn net(&self, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
        let &Self { flows, row, channels, skips, .. } = self;
        let classes = self.wavenet.classes;
        let waves = Waves { channels, skips, dilations: &self.dilations, components: 0, classes };
        // Without classes a value that each flow's map follows.
        let first = [classes.max(1), 1, 1];
        let flows = Flows { flows, row, waves };
        NetBuilder::new(first, Init::He, device, rng).wave_flows(recipe.data.size.h, &flows).build()
    }

    /// The teacher with the weights of its run.
    fn taught(&self, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Net> {
        let weights = Path::new(&self.teacher).join("generator.safetensors");
        ensure!(
            weights.is_file(),
            "expected a run of wavenet in [parallel_wavenet] teacher, found no {}: train one on {} first (system = \"wavenet\")",
            weights.display(),
            recipe.data.name
        );
        let mut net = self.wavenet.net(recipe, device, rng);
        checkpoint::load_net(&mut net, &weights).with_context(|| {
            format!("cannot use the run {}: copy its [wavenet] table to [parallel_wavenet.wavenet]", self.teacher)
        })?;
        Ok(net.no_grad())
    }
}

/// The only layer of a student.
///
/// # Panics
///
/// If it is of another system.
fn flows(net: &Net) -> &WaveFlows {
    match &net.layers[..] {
        [Layer::WaveFlows(flows)] => flows,
        _ => panic!("expected the one layer of flows"),
    }
}

struct Student {
    /// Frozen.
    teacher: Net,
    learner: Learner,
    average: Average,
    config: Config,
    /// `[channels, rows, 1]` of the noise.
    noise: [usize; 3],
    device: Device,
    spectra: Spectra,
}

/// Sounds that the divergence is measured on, and how many at a time.
const MEASURED: [usize; 2] = [200, 10];

impl Student {
    fn new(config: Config, teacher: Net, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Self {
        let net = config.net(recipe, device, rng);
        let noise = net.inputs[1];
        Self {
            teacher,
            average: Average::of(&net),
            learner: Learner::new("flows", net, &recipe.train),
            config,
            noise,
            device: device.clone().inner(),
            spectra: Spectra::new(&device.clone().inner()),
        }
    }

    /// Sounds by `student` of such classes, and what both nets say of them.
    fn play(&self, student: &Net, labels: &[u8], rng: &mut Rng) -> Played {
        let (batch, classes) = (labels.len(), self.config.wavenet.classes);
        let [row, rows, _] = self.noise;
        let noise = latents(Prior::Uniform, batch, row * rows, rng, &self.device).reshape([batch, row, rows, 1]);
        let of_class = match classes {
            0 => latents(Prior::Uniform, batch, 1, rng, &self.device),
            classes => one_hot(labels, classes, &self.device),
        };
        let is_differentiated = student.devices().iter().any(Device::is_autodiff);
        let [of_class, noise] =
            [of_class, noise].map(|input| if is_differentiated { Tensor::from_inner(input) } else { input });
        let Sound { companded, spread, wave } = flows(student).sound([of_class.clone(), noise]);
        let of_class = (classes > 0).then_some(&of_class);
        let unlikely = only(&self.teacher).log_density(companded, of_class).neg();
        Played { wave, entropy: spread.add_scalar((row * rows) as f64 * entropy_of_noise()), unlikely }
    }
}

struct Played {
    /// As a speaker plays them.
    wave: Tensor<4>,
    /// −E log s(x) in nats, `[batch]`.
    entropy: Tensor<1>,
    /// −log t(x_t | x_<t) in nats, `[batch, 1, samples, 1]`.
    unlikely: Tensor<4>,
}

/// The entropy in nats of z = ln(u / (1 − u)) of noise, whose u is uniform between the least and the greatest share:
/// E [−log u − log(1 − u)] of the logistic's density u (1 − u), and the logarithm of the part of it that is there.
fn entropy_of_noise() -> f64 {
    let [half, middle] = SHARE.map(f64::from);
    let (least, most) = (middle - half, middle + half);
    // ∫ −log u = u − u log u.
    let integral = |u: f64| u - u * u.ln();
    2.0 * (integral(most) - integral(least)) / (most - least) + (most - least).ln()
}

/// Magnitudes of short pieces' spectra, companded as samples are, so that what dies away counts, too.
struct Spectra {
    /// Cosines and sines of each frequency under a Hann window, `[WINDOW, 2 · (WINDOW / 2 + 1)]`, over the root of the
    /// window's energy: white noise then has its own deviation in each.
    transform: Tensor<2>,
    /// How much each frequency counts, `[1, 1, WINDOW / 2 + 1]`, 1 in the mean: each octave as much as another. A kick
    /// has but a few of the lowest.
    octaves: Tensor<3>,
}

/// Samples of a piece, and from the start of one to that of the next.
const WINDOW: usize = 256;
const HOP: usize = WINDOW / 2;

impl Spectra {
    fn new(device: &Device) -> Self {
        let window = |at: usize| 0.5 - 0.5 * (TAU * (at as f64 + 0.5) / WINDOW as f64).cos();
        let energy: f64 = (0..WINDOW).map(|at| window(at).powi(2)).sum();
        let mut values = Vec::new();
        for at in 0..WINDOW {
            let angle = |frequency: usize| TAU * (at * frequency) as f64 / WINDOW as f64;
            let weight = window(at) / energy.sqrt();
            values.extend((0..=WINDOW / 2).map(|frequency| (weight * angle(frequency).cos()) as f32));
            values.extend((0..=WINDOW / 2).map(|frequency| (weight * angle(frequency).sin()) as f32));
        }
        let frequencies = WINDOW / 2 + 1;
        let share = |frequency: usize| 1.0 / frequency.max(1) as f64;
        let mean = (0..frequencies).map(share).sum::<f64>() / frequencies as f64;
        let octaves: Vec<f32> = (0..frequencies).map(|frequency| (share(frequency) / mean) as f32).collect();
        Self {
            transform: Tensor::from_data(TensorData::new(values, [WINDOW, 2 * frequencies]), device),
            octaves: Tensor::from_data(TensorData::new(octaves, [1, 1, frequencies]), device),
        }
    }

    /// The power loss: mean square of how far the spectra of `made` are from those of `wanted`, `[1]`.
    fn loss(&self, made: Tensor<4>, wanted: Tensor<4>) -> Tensor<1> {
        let off = (self.of(made) - Tensor::from_inner(self.of(wanted))).square();
        (off * Tensor::from_inner(self.octaves.clone())).mean()
    }

    /// Of sounds `[batch, 1, samples, 1]`, `[batch, pieces, WINDOW / 2 + 1]`; of what is left behind the last whole
    /// piece nothing, and of sounds shorter than a piece that with silence behind.
    fn of(&self, sounds: Tensor<4>) -> Tensor<3> {
        let [batch, _, samples, _] = sounds.dims();
        let sounds = sounds.reshape([batch, samples]);
        let sounds = match WINDOW.checked_sub(samples) {
            Some(lacking) if lacking > 0 => {
                let silence = Tensor::zeros([batch, lacking], &sounds.device());
                Tensor::cat(vec![sounds, silence], 1)
            }
            _ => sounds,
        };
        let halves = sounds.dims()[1] / HOP;
        let halves_of = sounds.narrow(1, 0, halves * HOP).reshape([batch, halves, HOP]);
        let part = |first: usize| halves_of.clone().narrow(1, first, halves - 1);
        let pieces = Tensor::cat(vec![part(0), part(1)], 2).reshape([batch * (halves - 1), WINDOW]);
        let transform = if pieces.device().is_autodiff() {
            Tensor::from_inner(self.transform.clone())
        } else {
            self.transform.clone()
        };
        let spectrum = pieces.matmul(transform);
        let part = |first: usize| spectrum.clone().narrow(1, first, WINDOW / 2 + 1).square();
        // The root's slope at 0 is infinite.
        let magnitudes = (part(0) + part(WINDOW / 2 + 1)).add_scalar(1e-8).sqrt();
        magnitudes.mul_scalar(MU).log1p().div_scalar(MU.ln_1p()).reshape([batch, halves - 1, WINDOW / 2 + 1])
    }
}

impl System for Student {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let Batch { images, labels, .. } = (step.next_batch)();
        let samples = images.dims()[2] as f64;
        let Played { wave, entropy, unlikely } = self.play(&self.learner.net, &labels, step.rng);
        let entropy = entropy.mean().div_scalar(samples);
        let power = self.spectra.loss(wave, expanded(images));
        let divergence = (unlikely.clone().mean() - entropy.clone()).into_scalar::<f32>();
        let loss =
            shortened(unlikely, self.config.reach).mean() - entropy + power.clone().mul_scalar(self.config.power);
        let mut gradients = loss.backward();
        self.learner.update(&mut gradients, step.lr_generator);
        self.average.0.average(&self.learner.net, step.ema);
        vec![("divergence", divergence), ("power", power.into_scalar::<f32>())]
    }

    fn trained(&self) -> Trained {
        Trained::Generator(finished(self.average.0.clone(), self.config.wavenet.classes))
    }

    /// KL(s ‖ t) in nats a sample on sounds that it has not learned from, by the averaged weights, with its standard
    /// error.
    fn score(&self, _: &mut dyn FnMut() -> Option<Tensor<4>>) -> Losses {
        let mut rng = Rng::new(0, u64::MAX);
        let mut divergence = Score::default();
        let [sounds, at_a_time] = MEASURED;
        for first in (0..sounds).step_by(at_a_time) {
            let labels: Vec<u8> =
                (first..first + at_a_time).map(|at| (at % self.config.wavenet.classes.max(1)) as u8).collect();
            let Played { entropy, unlikely, .. } = self.play(&self.average.0, &labels, &mut rng);
            let samples = unlikely.dims()[2];
            let unlikely = unlikely.sum_dim(2).reshape([at_a_time]);
            divergence.add((unlikely - entropy).div_scalar(samples as f64), 0.0);
        }
        let [mean, error] = divergence.mean();
        vec![("divergence_a_sample", mean as f32), ("its_standard_error", error as f32)]
    }

    fn save(&self, folder: &Path) -> Result<()> {
        checkpoint::save_net(&self.teacher.valid(), &folder.join("teacher.safetensors"))?;
        self.learner.save(folder)?;
        self.average.save(folder)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        checkpoint::load_net(&mut self.teacher, &folder.join("teacher.safetensors"))?;
        self.learner.load(folder)?;
        self.average.load(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(table: &str) -> Result<Recipe> {
        of_rows(8, table)
    }

    fn of_rows(row: usize, table: &str) -> Result<Recipe> {
        Recipe::parse(&format!(
            "system = \"parallel_wavenet\"\n[data]\nname = \"x\"\nsize = [64, 1]\nrate = 8000\n[train]\nbatch = 16\n\
             [parallel_wavenet]\nflows = 1\nrow = {row}\nchannels = 8\nskips = 8\ndilations = [1]\n{table}\n\
             [parallel_wavenet.wavenet]\nchannels = 4\nskips = 6\ndilations = [1, 2]\nstacks = 1\ncomponents = 2\n\
             classes = 2"
        ))
    }

    /// The folder of a run of `wavenet` that has learned levels around 0.5, which hardly depend on those before.
    fn teacher(recipe: &Recipe) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let config: Config = recipe.settings().unwrap();
        let mut net = config.wavenet.net(recipe, &Device::flex(), &mut Rng::new(4, 0));
        let [Layer::Wavenet(layer)] = &mut net.layers[..] else { panic!("one layer was built") };
        let conv = &mut layer.mixture;
        conv.weight = conv.weight.clone().map(|weight| weight.mul_scalar(0.1));
        conv.bias = conv.bias.clone().map(|bias| Tensor::from_floats([0.0, 0.0, 0.5, 0.4, -3.0, -3.0], &bias.device()));
        checkpoint::save_net(&net, &folder.path().join("generator.safetensors")).unwrap();
        folder
    }

    #[test]
    fn student_comes_near_its_teacher_in_divergence() {
        let folder = teacher(&recipe("").unwrap());
        let recipe = recipe(&format!("power = 0.0\nteacher = {:?}", folder.path())).unwrap();
        let device = Device::flex().autodiff();
        let mut system = (KIND.build)(&recipe, &device, &mut Rng::new(1, 0)).unwrap();
        let divergence = |system: &dyn System| system.score(&mut || None)[0].1;
        let before = divergence(&*system);
        let mut rng = Rng::new(2, 0);
        let labels: Vec<u8> = (0..16).map(|at| at % 2).collect();
        let mut batch = || Batch::alone(Tensor::zeros([16, 1, 64, 1], &Device::flex()), labels.clone());
        for _ in 0..200 {
            let (lr_generator, lr_critic) = (1e-2, 0.0);
            system.step(&mut Step { lr_generator, lr_critic, ema: 0.9, rng: &mut rng, next_batch: &mut batch });
        }
        let after = divergence(&*system);
        assert!(after > -0.01 && after < 0.3 * before, "{before} nats a sample before, {after} after");
    }

    #[test]
    fn entropy_of_noise_is_that_of_many() {
        let mut rng = Rng::new(3, 0);
        let [slope, middle] = SHARE.map(f64::from);
        let count = 200_000;
        let part = 2.0 * slope;
        let mut sum = 0.0;
        for _ in 0..count {
            let share = slope * (2.0 * f64::from(rng.unit()) - 1.0) + middle;
            sum -= (share * (1.0 - share) / part).ln();
        }
        let mean = sum / f64::from(count);
        assert!((mean - entropy_of_noise()).abs() < 0.01, "{mean}, {}", entropy_of_noise());
    }

    #[test]
    fn spectra_find_tones_where_they_are() {
        let spectra = Spectra::new(&Device::flex());
        // Eight periods in a piece, and half of it in the second half of the sound.
        let tone = |at: usize| (if at < 512 { 1.0 } else { 0.5 }) * (TAU * at as f64 * 8.0 / 256.0).sin() as f32;
        let sound: Vec<f32> = (0..1100).map(tone).collect();
        let found = spectra.of(Tensor::from_data(TensorData::new(sound, [1, 1, 1100, 1]), &Device::flex()));
        assert_eq!(found.dims(), [1, 7, 129]);
        let found: Vec<f32> = found.into_data().try_to_vec().unwrap();
        let loudest = |piece: usize| {
            let own = &found[piece * 129..][..129];
            (0..129).max_by(|&a, &b| own[a].total_cmp(&own[b])).unwrap()
        };
        assert!((0..7).all(|piece| loudest(piece) == 8));
        let [loud, soft] = [0, 6].map(|piece| (f64::from(found[piece * 129 + 8]) * MU.ln_1p()).exp_m1() / MU);
        assert!((loud / soft - 2.0).abs() < 0.01, "{loud} {soft}");
        // Of a short one as if silence were behind it.
        let short = spectra.of(Tensor::ones([2, 1, 100, 1], &Device::flex()));
        assert_eq!(short.dims(), [2, 1, 129]);
    }

    #[test]
    fn a_tone_missed_counts_by_its_octave() {
        let spectra = Spectra::new(&Device::flex());
        let missed = |periods: f64| -> f32 {
            let tone: Vec<f32> = (0..256).map(|at| (TAU * at as f64 * periods / 256.0).sin() as f32).collect();
            let tone = Tensor::from_data(TensorData::new(tone, [1, 1, 256, 1]), &Device::flex());
            let silence = Tensor::from_inner(Tensor::zeros([1, 1, 256, 1], &Device::flex()));
            spectra.loss(silence, tone).into_scalar()
        };
        // A Hann window spreads a tone over its neighbours, so that the ratio of both is not quite 8.
        let ratio = missed(8.0) / missed(64.0);
        assert!((ratio - 8.0).abs() < 0.8, "{ratio}");
    }

    #[test]
    fn bad_tables_and_missing_teachers_are_refused() {
        for (table, expected) in [
            ("reach = 0.0", "reach must be above 0"),
            ("power = -1.0", "power must be at least 0"),
            ("teacher = \"nowhere\"\nlevels = 3", "unknown field `levels`"),
        ] {
            let message = format!("{:#}", recipe(table).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
        let message = format!("{:#}", of_rows(7, "").unwrap_err());
        assert!(message.contains("divide the 64 samples of a sound, found 7"), "{message}");
        let built = (KIND.build)(&recipe("").unwrap(), &Device::flex().autodiff(), &mut Rng::new(1, 0));
        let message = format!("{:#}", built.err().expect("there is no such run"));
        assert!(message.contains("expected a run of wavenet in [parallel_wavenet] teacher"), "{message}");
    }
}
