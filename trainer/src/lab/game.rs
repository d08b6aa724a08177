//! What the experiments train: games on mixtures of the plane, by the systems that ship, and small nets on the line.

use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor, TensorData};
use edgegen_metrics::Features;
use toml::{Table, Value};

use super::plot::Point;
use crate::data::Plane;
use crate::device;
use crate::eval::plane::Spread;
use crate::nets::{Init, Mode, Net, NetBuilder};
use crate::recipe::Recipe;
use crate::rng::Rng;
use crate::systems::{self, Batch, Generator, Losses, Step, System, Trained};

/// Points that a game is measured on.
const MEASURED: usize = 10_000;

/// The game of 2014 on the ring: non-saturating, without a penalty.
pub const PLAIN: &str = include_str!("ring-plain.toml");
/// The ring by relativistic pairing with R1 and R2.
pub const RING: &str = include_str!("../../recipes/ring.toml");
/// The grid, likewise.
pub const GRID: &str = include_str!("../../recipes/grid.toml");
/// The ring by looking ahead.
pub const UNROLLED: &str = include_str!("../../recipes/ring-unrolled.toml");

/// Two moons by a masked autoregressive flow.
pub const MOONS: &str = include_str!("../../recipes/moons-maf.toml");

/// A training on a mixture of the plane, step by step and without files.
pub struct Game<S: System + ?Sized = dyn System> {
    recipe: Recipe,
    /// What it learns.
    pub plane: Plane,
    /// What learns.
    pub system: Box<S>,
    device: Device,
    latents: Rng,
    points: Rng,
    step: u64,
}

impl Game {
    /// The recipe `base` with the keys of `change` in place of its own, for `steps` steps from `seed`.
    ///
    /// # Errors
    ///
    /// If that is no recipe for points of the plane.
    pub fn new(base: &str, change: &str, seed: u64, steps: u64) -> Result<Self> {
        let recipe = changed(base, change, seed, steps)?;
        let kind = systems::find(&recipe.system)?;
        Self::of(recipe, kind.build)
    }
}

impl<S: System + ?Sized> Game<S> {
    /// The recipe with the system that `build` makes of it.
    ///
    /// # Errors
    ///
    /// If that is no recipe for points of the plane.
    pub fn of(recipe: Recipe, build: impl FnOnce(&Recipe, &Device, &mut Rng) -> Result<Box<S>>) -> Result<Self> {
        let plane = Plane::named(&recipe.data.name).context("expected a recipe for points of the plane")?;
        let device = device::open("flex")?;
        // The streams of a run by `edgegen train`: the same recipe and seed learn the same.
        let [mut weights, latents, points] = [0, 1, 2].map(|stream| Rng::new(recipe.seed, stream));
        let system = build(&recipe, &device.clone().autodiff(), &mut weights)?;
        Ok(Self { recipe, plane, system, device, latents, points, step: 0 })
    }

    /// One step of both players; the values of it by name.
    pub fn step(&mut self) -> Losses {
        let train = &self.recipe.train;
        let rate = train.schedule.factor(self.step, train.steps);
        let ramp = (1 + self.step) as f64 / (10 + self.step) as f64;
        let (plane, points, device) = (&self.plane, &mut self.points, &self.device);
        let losses = self.system.step(&mut Step {
            lr_generator: rate * train.lr_generator,
            lr_critic: rate * train.lr_critic,
            ema: train.ema.min(ramp),
            rng: &mut self.latents,
            next_batch: &mut || {
                let (values, labels) = plane.draw(train.batch, points);
                let images = Tensor::from_data(TensorData::new(values, [train.batch, 2, 1, 1]), device);
                Batch::alone(images, labels)
            },
        });
        self.step += 1;
        losses
    }

    /// `count` points of the averaged generator, in the mixture's units.
    ///
    /// # Panics
    ///
    /// If the system is a judge.
    pub fn points(&self, count: usize) -> Features {
        let generator = self.generator();
        let latents = generator.draw(count, &mut Rng::new(self.recipe.seed, 3));
        self.plane.points(&generator.generate(&latents, &self.device), generator.pixels)
    }

    /// What draws them.
    ///
    /// # Panics
    ///
    /// If the system is a judge.
    pub fn generator(&self) -> Generator {
        let Trained::Generator(generator) = self.system.trained() else { unreachable!("judges have no recipe here") };
        generator
    }

    /// How `points` do.
    pub fn spread(&self) -> Spread {
        Spread::of(&self.plane, &self.points(MEASURED), self.recipe.seed)
    }

    /// `count` points of the mixture.
    pub fn real(&self, count: usize) -> Vec<Point> {
        pairs(&self.plane.mixture.sample(count, self.recipe.seed))
    }
}

/// Points for a plot.
pub fn pairs(points: &Features) -> Vec<Point> {
    points.samples().map(|point| [f64::from(point[0]), f64::from(point[1])]).collect()
}

/// The recipe `base` with the keys of `change` in place of its own.
///
/// # Errors
///
/// If that is no recipe.
pub fn changed(base: &str, change: &str, seed: u64, steps: u64) -> Result<Recipe> {
    let mut table: Table = toml::from_str(base).context("the base recipe")?;
    merge(&mut table, toml::from_str(change).with_context(|| change.to_owned())?);
    table.insert("seed".into(), Value::Integer(seed as i64));
    let mut recipe = Recipe::parse(&toml::to_string(&table)?).with_context(|| change.to_owned())?;
    recipe.train.steps = steps;
    Ok(recipe)
}

/// Puts the values of `change` into `table`, table by table.
fn merge(table: &mut Table, change: Table) {
    for (key, value) in change {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(change)) => merge(inner, change),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

/// A net from one number to one number with `hidden` LeakyReLUs in each of its layers.
pub fn scalar_net(hidden: &[usize], device: &Device, rng: &mut Rng) -> Net {
    let mut net = NetBuilder::new([1, 1, 1], Init::He, device, rng);
    for &units in hidden {
        net = net.linear([units, 1, 1]).leaky_relu(0.2);
    }
    net.linear([1, 1, 1]).build()
}

/// Numbers as a batch of maps of one value, `[batch, 1, 1, 1]`.
pub fn column(values: Vec<f32>, device: &Device) -> Tensor<4> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count, 1, 1, 1]), device)
}

/// What a net without autodiff makes of `inputs`, one number each.
pub fn evaluate(net: &Net, inputs: &[f64], device: &Device) -> Vec<f64> {
    let inputs = column(inputs.iter().map(|&x| x as f32).collect(), device);
    let outputs = net.forward(inputs, &mut Mode::Eval).into_data();
    let outputs = outputs.try_to_vec::<f32>().expect("networks compute in 32-bit floats");
    outputs.into_iter().map(f64::from).collect()
}
