//! What systems share that learn to turn images of one set into images of another, without pairs: a generator into a
//! set, and the critic that tells its images from real ones.
//!
//! ```text
//! D:  L_D(D(y), D(pool(G(x))))       y fresh real images of the set, x of the other one
//! G:  L_G(D(G(x))) + …               … is what a system asks for besides: only that ties G(x) to x
//! ```
//!
//! The networks are those of [`translation`](super::translation): the residual generator and the patch critic.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::module::Module;
use burn::tensor::{Device, Gradients, Tensor};
use serde::{Deserialize, Serialize};

use super::adversarial::Loss;
use super::learner::{Average, Learner};
use super::pool::Pool;
use super::translation::{Norm, Translator, absolute, patch_critic, translator};
use super::{Batch, Generator, Step};
use crate::files;
use crate::nets::{Mode, Net};
use crate::recipe::Recipe;
use crate::rng::Rng;

/// The table `game` within the table of each of these systems.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Game {
    /// What the players minimize.
    pub loss: Loss,
    /// Generated images that are kept for the critic, 0 for none.
    pub pool: usize,
    /// Channels of a generator's maps, largest map first, see [`Translator::channels`].
    pub channels: Vec<usize>,
    /// Whether the generators are U-Nets.
    pub skips: bool,
    /// Residual blocks on the smallest map.
    pub blocks: usize,
    /// Normalization of the generators.
    pub norm: Norm,
    /// Channels of a critic, largest map first.
    pub critic_channels: Vec<usize>,
    /// Whether the critics' weights are spectrally normalized.
    pub spectral_norm: bool,
}

impl Default for Game {
    fn default() -> Self {
        Self {
            loss: Loss::LeastSquares,
            pool: 50,
            channels: vec![16, 32, 32],
            skips: false,
            blocks: 2,
            norm: Norm::Instance,
            critic_channels: vec![32, 64],
            spectral_norm: true,
        }
    }
}

impl Game {
    fn translator(&self) -> Translator<'_> {
        let Self { ref channels, skips, blocks, norm, .. } = *self;
        Translator { channels, skips, blocks, norm, keep: 1.0 }
    }

    /// Checks the table of `recipe`, and that `weights` of further losses, by name, can be used.
    ///
    /// # Errors
    ///
    /// With the first value that does not fit.
    pub fn check(&self, recipe: &Recipe, weights: &[(&str, f32)]) -> Result<()> {
        let table = &recipe.system;
        self.translator().check(recipe)?;
        for (name, weight) in weights {
            ensure!(
                weight.is_finite() && *weight >= 0.0,
                "[{table}] {name} must be a number of at least 0, found {weight}"
            );
        }
        ensure!(
            !matches!(self.loss, Loss::Wasserstein | Loss::Relativistic),
            "[{table}.game] loss must be hinge, least-squares, non-saturating or minimax, found one that needs a penalty"
        );
        ensure!(
            !self.critic_channels.is_empty() && !self.critic_channels.contains(&0),
            "[{table}.game] critic_channels must list positive numbers, found {:?}",
            self.critic_channels
        );
        Ok(())
    }

    /// An untrained generator. Both directions have the same form.
    pub fn network(&self, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
        let image = recipe.image();
        self.translator().build(image, image[0], device, rng)
    }
}

/// One batch of each set, `[batch, C, H, W]`: of what is read, and of what should be made.
pub fn sets(batch: Batch) -> [Tensor<4>; 2] {
    let Batch { inputs, images, .. } = batch;
    [inputs.expect("the loop gives two sets to this system"), images]
}

/// Mean absolute difference, `[1]`.
pub fn l1(made: Tensor<4>, wanted: Tensor<4>) -> Tensor<1> {
    absolute(made - wanted).mean()
}

/// A generator into a set, and the critic of that set.
#[derive(Debug)]
pub struct Direction {
    /// G.
    pub generator: Learner,
    critic: Learner,
    average: Average,
    pool: Pool,
    loss: Loss,
    names: &'static Names,
}

/// What its files in a checkpoint are called.
#[derive(Debug)]
struct Names {
    generator: &'static str,
    critic: &'static str,
    average: &'static str,
    pool: &'static str,
}

/// From what is read to what should be made.
const FORTH: Names = Names { generator: "generator", critic: "critic", average: Average::NAME, pool: "pool" };
/// The other way.
const BACK: Names =
    Names { generator: "back-generator", critic: "back-critic", average: "back-average", pool: "back-pool" };

impl Direction {
    /// The direction from what is read to what should be made.
    pub fn forth(game: &Game, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Self {
        Self::new(game, &FORTH, recipe, device, rng)
    }

    /// The other direction.
    pub fn back(game: &Game, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Self {
        Self::new(game, &BACK, recipe, device, rng)
    }

    fn new(game: &Game, names: &'static Names, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Self {
        let net = game.network(recipe, device, rng);
        let critic = patch_critic(&game.critic_channels, recipe.image(), game.spectral_norm, device, rng);
        Self {
            average: Average::of(&net),
            generator: Learner::new(names.generator, net, &recipe.train),
            critic: Learner::new(names.critic, critic, &recipe.train),
            pool: Pool::new(game.pool),
            loss: game.loss,
            names,
        }
    }

    /// What G makes of images of the other set, with its gradients.
    pub fn make(&self, images: Tensor<4>, rng: &mut Rng) -> Tensor<4> {
        self.generator.net.forward(images, &mut Mode::Train(rng))
    }

    /// One update of D before the step's last one, from images that G does not learn from.
    pub fn more_critic(&mut self, read: Tensor<4>, real: Tensor<4>, step: &mut Step<'_>) {
        let fake = self.generator.net.valid().forward(read, &mut Mode::Train(step.rng));
        self.step_critic(real, fake, step);
    }

    /// One update of D, from real images of the set and generated ones, both without autodiff; returns its loss and the
    /// mean scores of real and generated images.
    pub fn step_critic(&mut self, real: Tensor<4>, fake: Tensor<4>, step: &mut Step<'_>) -> [f32; 3] {
        let fake = self.pool.replay(fake, step.rng);
        self.critic.net.power_iteration();
        let batch = real.dims()[0];
        let scores = self.critic.net.forward(Tensor::cat(vec![real, fake], 0), &mut Mode::Train(step.rng));
        let [real, fake] = [0, batch].map(|start| scores.clone().narrow(0, start, batch));
        let means = [&real, &fake].map(|scores| scalar(&scores.clone().mean()));
        let loss = self.loss.critic(real, fake);
        let value = scalar(&loss);
        self.critic.update(&mut loss.backward(), step.lr_critic);
        [value, means[0], means[1]]
    }

    /// L_G of generated images, `[1]`; D is fixed.
    pub fn adversarial(&self, fake: Tensor<4>, rng: &mut Rng) -> Tensor<1> {
        let fixed = self.critic.net.clone().no_grad();
        self.loss.generator(fixed.forward(fake, &mut Mode::Train(rng)), None)
    }

    /// One step of G down its part of the gradients, and of the average behind it.
    pub fn update(&mut self, gradients: &mut Gradients, step: &Step<'_>) {
        self.generator.update(gradients, step.lr_generator);
        self.average.0.average(&self.generator.net, step.ema);
    }

    /// What has been learned so far.
    pub fn trained(&self) -> Generator {
        translator(self.average.0.clone())
    }

    /// Writes all of it into the existing folder `folder`.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        self.generator.save(folder)?;
        self.critic.save(folder)?;
        self.average.save_as(folder, self.names.average)?;
        files::replace_bytes(&folder.join(self.names.pool), &self.pool.bytes().collect::<Vec<_>>())
    }

    /// Takes over what [`Direction::save`] wrote for the same recipe.
    ///
    /// # Errors
    ///
    /// If a file is missing or does not fit the recipe.
    pub fn load(&mut self, folder: &Path) -> Result<()> {
        self.generator.load(folder)?;
        self.critic.load(folder)?;
        self.average.load_as(folder, self.names.average)?;
        let path = folder.join(self.names.pool);
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        self.pool.take_bytes(&bytes).with_context(|| format!("cannot use {}", path.display()))
    }
}

/// The value of a loss.
pub fn scalar(value: &Tensor<1>) -> f32 {
    value.clone().into_scalar::<f32>()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::systems::{self, Losses, System};
    use burn::tensor::TensorData;

    const SIDE: usize = 12;

    /// What the tests of these systems train: `table` follows the networks' sizes.
    pub fn recipe(system: &str, table: &str) -> Result<Recipe> {
        Recipe::parse(&format!(
            "system = \"{system}\"\n[data]\nname = \"x\"\nsize = {SIDE}\n[train]\nbatch = 8\n[{system}.game]\nchannels = [6, 8]\n\
             blocks = 1\ncritic_channels = [6, 8]\n[{system}]\n{table}"
        ))
    }

    /// Bright bars on dark, and dark bars on bright, anywhere in either set.
    pub fn bars(rng: &mut Rng) -> Batch {
        let mut side = |dark: f32| {
            let mut values = vec![dark; 8 * SIDE * SIDE];
            for image in values.chunks_exact_mut(SIDE * SIDE) {
                let place = rng.below(SIDE);
                (0..SIDE).for_each(|row| image[row * SIDE + place] = -dark);
            }
            Tensor::from_data(TensorData::new(values, [8, 1, SIDE, SIDE]), &Device::flex())
        };
        let (inputs, images) = (Some(side(-0.8)), side(0.8));
        Batch { inputs, ..Batch::alone(images, Vec::new()) }
    }

    /// The losses of each step.
    pub fn steps(system: &mut dyn System, count: usize, rng: &mut Rng, order: &mut Rng) -> Vec<Losses> {
        let mut next_batch = || bars(order);
        let mut one = || {
            system.step(&mut Step { lr_generator: 3e-3, lr_critic: 3e-3, ema: 0.9, rng, next_batch: &mut next_batch })
        };
        (0..count).map(|_| one()).collect()
    }

    /// An untrained system and the random numbers of its steps.
    pub fn system(name: &str, table: &str) -> (Box<dyn System>, [Rng; 2]) {
        let recipe = recipe(name, table).unwrap();
        let mut rng = Rng::new(1, 0);
        let system = (systems::find(name).unwrap().build)(&recipe, &Device::flex().autodiff(), &mut rng).unwrap();
        (system, [rng, Rng::new(2, 0)])
    }

    pub fn value(losses: &Losses, name: &str) -> f32 {
        losses.iter().find(|(found, _)| *found == name).unwrap_or_else(|| panic!("no {name} in {losses:?}")).1
    }

    #[test]
    fn what_has_been_saved_goes_on_bit_for_bit() {
        for (name, table) in [("cyclegan", ""), ("distancegan", "halves = 1.0")] {
            let (mut first, [mut rng, mut order]) = system(name, table);
            steps(&mut *first, 9, &mut rng, &mut order);
            let folder = tempfile::tempdir().unwrap();
            first.save(folder.path()).unwrap();
            let (mut second, _) = system(name, table);
            second.load(folder.path()).unwrap();
            let runs =
                [&mut first, &mut second].map(|system| steps(&mut **system, 3, &mut rng.clone(), &mut order.clone()));
            assert_eq!(runs[0], runs[1], "{name}");
            std::fs::remove_file(folder.path().join("pool")).unwrap();
            assert!(format!("{:#}", second.load(folder.path()).unwrap_err()).contains("pool"), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (system, table, expected) in [
            ("cyclegan", "cycle = -1.0", "[cyclegan] cycle must be a number of at least 0, found -1"),
            ("cyclegan", "cycel = 1.0", "cycel"),
            ("cyclegan", "game.loss = \"wasserstein\"", "loss must be hinge"),
            ("distancegan", "halves = inf", "halves must be a number"),
            ("distancegan", "game.pools = 1", "pools"),
        ] {
            let text = format!("system = \"{system}\"\n[data]\nname = \"x\"\nsize = 12\n[{system}]\n{table}");
            let message = format!("{:#}", Recipe::parse(&text).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
    }
}
