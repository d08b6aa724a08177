//! `iaf`: an inverse autoregressive flow, which draws in one pass, taught by a run of [`maf`](super::maf).
//!
//! A masked autoregressive flow knows densities and draws in as many passes as there are values. Here a student of the
//! other kind draws in one pass, and its own samples' densities come with them. It learns from its teacher's densities
//! alone, no data (probability density distillation):
//!
//! ```text
//! x_i = μ_i(u_<i) + e^{α_i(u_<i)} u_i,  u ~ N(0, I)          s: the student's density, t: the teacher's
//! KL(s ‖ t) = E_u [log s(x) − log t(x)],  log s(x) = log N(u; 0, I) − Σ α_i
//! ```
//!
//! Kingma et al., "Improving Variational Inference with Inverse Autoregressive Flow" (2016), eq. 10 and 11; van den
//! Oord et al., "Parallel WaveNet: Fast High-Fidelity Speech Synthesis" (2018), §3. This divergence asks that the
//! student draws nothing that the teacher would not; it is 0 only where both are the same.
//!
//! A sample far from all data can have a density by the teacher of e^−1000, whose slope outweighs those of all others
//! in the batch: of what a sample falls short, log s − log t, only `reach` nats count in full, the rest by its
//! logarithm.
//!
//! Knobs: `teacher`, the folder of the run, and `maf`, its `[maf]` table; `blocks` and `hidden` as in `maf`; `reach`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::flow::{Score, Seen, Space, Stack, density_in_turn, draw_in_one_pass, finished, log_density, undone};
use super::learner::{Average, Learner};
use super::likelihood::in_units;
use super::{Generator, Kind, Losses, Step, System, Trained, latents, made, maf};
use crate::checkpoint;
use crate::nets::Net;
use crate::nets::layer::{Conditional, Way};
use crate::recipe::{Prior, Recipe};
use crate::rng::Rng;

/// The table `[iaf]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The folder of the teacher, a run of `maf` on the same data, whose weights are read when a run begins.
    pub teacher: String,
    /// Its `[maf]` table: the sizes of its net.
    pub maf: maf::Config,
    /// Layers of conditionals, every other one from the last value to the first.
    pub blocks: usize,
    /// Units of each one's hidden layers.
    pub hidden: Vec<usize>,
    /// So many nats of log s − log t of a sample count in full.
    pub reach: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { teacher: String::new(), maf: maf::Config::default(), blocks: 5, hidden: vec![64, 64], reach: 10.0 }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "iaf",
    about: "inverse autoregressive flow: samples in one pass, taught by a run of maf",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        let net = config.stack().net(recipe.image().iter().product(), device, rng);
        Ok(generator(&net, config.space(recipe), recipe))
    },
    build: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        let teacher = config.taught(recipe, device, rng)?;
        Ok(Box::new(Student::new(config, teacher, recipe, device, rng)))
    },
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    ensure!(config.blocks >= 1 && config.maf.blocks >= 1, "[iaf] blocks must be at least 1, found 0");
    ensure!(config.reach > 0.0, "[iaf] reach must be above 0 nats, found {}", config.reach);
    made::check("iaf", &config.hidden, config.maf.lambda)?;
    made::check("iaf.maf", &config.maf.hidden, config.maf.lambda)?;
    Ok(Table::try_from(config)?)
}

impl Config {
    fn stack(&self) -> Stack<'_> {
        Stack {
            blocks: self.blocks,
            hidden: &self.hidden,
            conditional: Conditional::Gaussian,
            way: Way::OnePass,
            batch_norm: false,
        }
    }

    fn space(&self, recipe: &Recipe) -> Space {
        Space::of(recipe, self.maf.lambda)
    }

    /// The teacher, from data to noise, with the weights of its run.
    fn taught(&self, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Net> {
        let weights = Path::new(&self.teacher).join("generator.safetensors");
        ensure!(
            weights.is_file(),
            "expected a run of maf in [iaf] teacher, found no {}: train one on {} first (system = \"maf\")",
            weights.display(),
            recipe.data.name
        );
        let Generator { mut net, .. } = self.maf.sampler(recipe, device, rng);
        checkpoint::load_net(&mut net, &weights)
            .with_context(|| format!("cannot use the run {}: copy its [maf] table to [iaf.maf]", self.teacher))?;
        Ok(undone(&net).no_grad())
    }
}

fn generator(net: &Net, space: Space, recipe: &Recipe) -> Generator {
    finished(net.layers.clone(), net.inputs[0], space, recipe.image())
}

struct Student {
    /// From data to noise, frozen.
    teacher: Net,
    flow: Learner,
    average: Average,
    config: Config,
    recipe: Recipe,
    /// Added to log-densities, see [`in_units`].
    units: f64,
    device: Device,
}

/// Samples that the divergence is measured on.
const MEASURED: usize = 10_000;

impl Student {
    fn new(config: Config, teacher: Net, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Self {
        let net = config.stack().net(recipe.image().iter().product(), device, rng);
        Self {
            teacher,
            average: Average::of(&net),
            flow: Learner::new("flow", net, &recipe.train),
            config,
            recipe: recipe.clone(),
            units: in_units(recipe),
            device: device.clone().inner(),
        }
    }

    /// log s − log t of `count` samples of `student`, `[count, 1, 1, 1]`.
    fn excess(&self, student: &Net, count: usize, rng: &mut Rng) -> Tensor<4> {
        let [dims, ..] = student.inputs[0];
        let (x, log) = draw_in_one_pass(student, latents(Prior::Gaussian, count, dims, rng, &self.device));
        log - log_density(&self.teacher, x, None).reshape([count, 1, 1, 1])
    }
}

/// `excess` up to `reach`, beyond it reach (1 + log(excess / reach)), with the same slope where both meet.
pub fn shortened(excess: Tensor<4>, reach: f64) -> Tensor<4> {
    let above = excess.clone().div_scalar(reach).clamp_min(1.0).log().mul_scalar(reach);
    excess.clamp_max(reach) + above
}

impl System for Student {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        // Of the data only how many there are in a batch.
        let batch = (step.next_batch)().images.dims()[0];
        let excess = self.excess(&self.flow.net, batch, step.rng);
        let divergence = excess.clone().mean().into_scalar::<f32>();
        let mut gradients = shortened(excess, self.config.reach).mean().backward();
        self.flow.update(&mut gradients, step.lr_generator);
        self.average.0.average(&self.flow.net, step.ema);
        vec![("divergence", divergence)]
    }

    fn trained(&self) -> Trained {
        Trained::Generator(generator(&self.average.0, self.config.space(&self.recipe), &self.recipe))
    }

    /// KL(s ‖ t) in nats on samples of its own that it has not learned from, by the averaged weights, with its standard
    /// error; and the log-likelihood of the test data, as [`maf`](super::maf) says it.
    fn score(&self, test: &mut dyn FnMut() -> Option<Tensor<4>>) -> Losses {
        let mut rng = Rng::new(0, u64::MAX);
        let mut divergence = Score::default();
        for _ in 0..10 {
            let excess = self.excess(&self.average.0, MEASURED / 10, &mut rng);
            divergence.add(excess.reshape([MEASURED / 10]), 0.0);
        }
        let [mean, error] = divergence.mean();
        let mut score = Score::default();
        while let Some(images) = test() {
            let Seen { x, volume } = self.config.space(&self.recipe).see(images, &mut rng);
            let batch = x.dims()[0];
            score.add(density_in_turn(&self.average.0, x).reshape([batch]), volume);
        }
        let dims = self.recipe.image().iter().product();
        let mut losses = vec![("divergence_from_teacher", mean as f32), ("its_standard_error", error as f32)];
        losses.extend(score.losses(self.units, dims));
        losses
    }

    fn save(&self, folder: &Path) -> Result<()> {
        checkpoint::save_net(&self.teacher.valid(), &folder.join("teacher.safetensors"))?;
        self.flow.save(folder)?;
        self.average.save(folder)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        checkpoint::load_net(&mut self.teacher, &folder.join("teacher.safetensors"))?;
        self.flow.load(folder)?;
        self.average.load(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::Mode;
    use burn::tensor::TensorData;

    fn recipe(table: &str) -> Result<Recipe> {
        Recipe::parse(&format!(
            "system = \"iaf\"\n[data]\nname = \"moons\"\n[train]\nbatch = 64\n[iaf]\nblocks = 2\nhidden = [16]\n{table}\n\
             [iaf.maf]\nblocks = 2\nhidden = [12]"
        ))
    }

    /// The folder of an untrained run of `maf`, and its net from data to noise.
    fn teacher(recipe: &Recipe) -> (tempfile::TempDir, Net) {
        let folder = tempfile::tempdir().unwrap();
        let config: Config = recipe.settings().unwrap();
        let Generator { net, .. } = config.maf.sampler(recipe, &Device::flex(), &mut Rng::new(4, 0));
        checkpoint::save_net(&net, &folder.path().join("generator.safetensors")).unwrap();
        (folder, undone(&net))
    }

    #[test]
    fn student_comes_near_its_teacher() {
        let (folder, _) = teacher(&recipe("").unwrap());
        let recipe = recipe(&format!("teacher = {:?}", folder.path())).unwrap();
        let device = Device::flex().autodiff();
        let mut system = (KIND.build)(&recipe, &device, &mut Rng::new(1, 0)).unwrap();
        let divergence = |system: &dyn System| system.score(&mut || None)[0].1;
        let before = divergence(&*system);
        let mut rng = Rng::new(2, 0);
        let mut batch = || super::super::Batch::alone(Tensor::zeros([64, 2, 1, 1], &Device::flex()), Vec::new());
        for _ in 0..300 {
            system.step(&mut Step {
                lr_generator: 5e-3,
                lr_critic: 5e-3,
                ema: 0.9,
                rng: &mut rng,
                next_batch: &mut batch,
            });
        }
        let after = divergence(&*system);
        assert!(after > -0.02 && after < 0.1 * before, "{before} nats before, {after} after");
    }

    #[test]
    fn teacher_is_its_run_turned_round() {
        let recipe = recipe("").unwrap();
        let (folder, net) = teacher(&recipe);
        let config = Config { teacher: folder.path().display().to_string(), ..recipe.settings().unwrap() };
        let device = Device::flex();
        let taught = config.taught(&recipe, &device, &mut Rng::new(9, 0)).unwrap();
        let u = latents(Prior::Gaussian, 50, 2, &mut Rng::new(5, 0), &device);
        // log t(x) = log N(u) − log |det ∂x/∂u|, and the sampler's last layer comes first in the teacher.
        let x = undone(&net).forward(u, &mut Mode::Eval);
        let [a, b] = [&net, &taught].map(|net| log_density(net, x.clone(), None).into_data());
        assert_eq!(a, b);
        assert_eq!(taught.layers.len(), net.layers.len());
    }

    #[test]
    fn far_samples_count_by_their_logarithm() {
        let excess = Tensor::<4>::from_data(
            TensorData::new(vec![-3.0f32, 4.0, 10.0, 27.182_817], [4, 1, 1, 1]),
            &Device::flex(),
        );
        let found = shortened(excess, 10.0).into_data().try_to_vec::<f32>().unwrap();
        for (found, expected) in found.iter().zip([-3.0, 4.0, 10.0, 20.0]) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }

    #[test]
    fn bad_tables_and_missing_teachers_are_refused() {
        for (table, expected) in [("reach = 0.0", "reach must be above 0"), ("lambda = 0.1", "unknown field `lambda`")]
        {
            let message = format!("{:#}", recipe(table).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
        let recipe = recipe("teacher = \"nowhere\"").unwrap();
        let built = (KIND.build)(&recipe, &Device::flex().autodiff(), &mut Rng::new(1, 0));
        let message = format!("{:#}", built.err().expect("there is no such run"));
        assert!(message.contains("expected a run of maf in [iaf] teacher, found no nowhere"), "{message}");
    }
}
