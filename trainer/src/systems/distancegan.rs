//! `distancegan`: one generator from one set of images to another, learned without pairs and without a way back.
//!
//! ```text
//! L(G) = L_adv(D(G(a)))
//!      + distance · mean over pairs |(d(aᵢ, aⱼ) − μ_A) / σ_A − (d(G(aᵢ), G(aⱼ)) − μ_B) / σ_B|
//!      + halves   · mean            |(h(aᵢ) − μ'_A) / σ'_A − (h(G(aᵢ)) − μ'_B) / σ'_B|
//!
//! d(x, y) = mean |x − y|,  h(x) = d(upper half of x, lower half of x)
//! ```
//!
//! Benaim and Wolf, "One-Sided Unsupervised Domain Mapping" (2017), eq. 5 and 8: images far from each other stay far
//! from each other, and what is unlike within an image stays so. μ and σ are the mean and standard deviation of these
//! distances within each set; they are measured once, on the first batches, and kept.
//!
//! With distance = halves = 0 it is the plain game. It has half the networks of [`cyclegan`](super::cyclegan).
//!
//! Knobs: `distance`, `halves`; the game and its networks, see [`Game`].

use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::translation::{absolute, translator};
use super::unpaired::{Direction, Game, scalar, sets};
use super::{Kind, Losses, Step, System, Trained};
use crate::files;
use crate::recipe::Recipe;

/// The table `[distancegan]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Weight of what happens to distances between images.
    pub distance: f32,
    /// Weight of what happens to distances between the halves of an image.
    pub halves: f32,
    /// The game and its networks.
    pub game: Game,
}

impl Default for Config {
    fn default() -> Self {
        Self { distance: 1.0, halves: 0.0, game: Game::default() }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "distancegan",
    about: "images of one set from those of another, learned without pairs by one generator that keeps distances",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        Ok(translator(config.game.network(recipe, device, rng)))
    },
    build: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        let forth = Direction::forth(&config.game, recipe, device, rng);
        Ok(Box::new(DistanceGan { forth, usual: None, config, critic_steps: recipe.train.critic_steps }))
    },
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    config.game.check(recipe, &[("distance", config.distance), ("halves", config.halves)])?;
    ensure!(
        config.distance == 0.0 || recipe.train.batch > 1,
        "expected [train] batch of at least 2 with [distancegan] distance, found 1: there must be pairs to measure"
    );
    Ok(Table::try_from(config)?)
}

/// Batches that usual distances are measured on.
const MEASURED: usize = 16;
/// A file in a checkpoint.
const USUAL: &str = "distances.json";

struct DistanceGan {
    forth: Direction,
    /// Measured before the first step.
    usual: Option<Usual>,
    config: Config,
    critic_steps: usize,
}

/// Mean and standard deviation of distances in the two sets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Usual {
    /// Between images.
    distance: [Spread; 2],
    /// Between halves.
    halves: [Spread; 2],
}

/// Mean and standard deviation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Spread {
    mean: f32,
    deviation: f32,
}

impl Spread {
    fn of(values: &[f32]) -> Self {
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / values.len() as f32;
        // A set of equal images has no distances; they would be divided by 0.
        Self { mean, deviation: variance.sqrt().max(1e-6) }
    }

    /// How many deviations above the mean.
    fn standard<const D: usize>(self, distances: Tensor<D>) -> Tensor<D> {
        distances.sub_scalar(self.mean).div_scalar(self.deviation)
    }
}

/// d of each image of a batch `[batch, C, H, W]` to each later one, `[batch · (batch − 1) / 2]`.
///
/// ```text
/// for s in 1 .. batch:  all images but the last s, minus all but the first s
/// ```
fn distances(images: &Tensor<4>) -> Tensor<1> {
    let batch = images.dims()[0];
    let flat = images.clone().flatten::<2>(1, 3);
    let apart = |by: usize| {
        let [from, to] = [0, by].map(|start| flat.clone().narrow(0, start, batch - by));
        absolute(from - to).mean_dim(1).flatten::<1>(0, 1)
    };
    Tensor::cat((1..batch).map(apart).collect(), 0)
}

/// h of each image of a batch `[batch, C, H, W]`, `[batch]`. Of an odd height the middle row is left out.
fn halves(images: &Tensor<4>) -> Tensor<1> {
    let [batch, _, rows, _] = images.dims();
    let half = |start| images.clone().narrow(2, start, rows / 2);
    let difference = absolute(half(0) - half(rows - rows / 2)).flatten::<2>(1, 3);
    difference.mean_dim(1).reshape([batch])
}

impl Usual {
    /// Measures `batches` of both sets.
    fn measure(batches: &[[Tensor<4>; 2]]) -> Self {
        let values = |of: &dyn Fn(&Tensor<4>) -> Tensor<1>, set: usize| -> Spread {
            let all: Vec<f32> = batches
                .iter()
                .flat_map(|sets| of(&sets[set]).into_data().try_into_vec::<f32>().expect("images are 32-bit floats"))
                .collect();
            Spread::of(&all)
        };
        Self { distance: [0, 1].map(|set| values(&distances, set)), halves: [0, 1].map(|set| values(&halves, set)) }
    }
}

/// By how many deviations distances `from` in one set and `to` in the other differ on average, `[1]`.
fn change(from: Tensor<1>, to: Tensor<1>, [a, b]: [Spread; 2]) -> Tensor<1> {
    absolute(a.standard(from) - b.standard(to)).mean()
}

impl System for DistanceGan {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let usual = *self.usual.get_or_insert_with(|| {
            let batches: Vec<_> = (0..MEASURED).map(|_| sets((step.next_batch)())).collect();
            Usual::measure(&batches)
        });
        for _ in 1..self.critic_steps {
            let [a, b] = sets((step.next_batch)());
            self.forth.more_critic(a, b, step);
        }
        let [a, b] = sets((step.next_batch)());
        let made = self.forth.make(a.clone(), step.rng);
        let [critic, of_real, of_fake] = self.forth.step_critic(b, made.clone().inner(), step);
        let mut whole = self.forth.adversarial(made.clone(), step.rng);
        let mut losses = Losses::from([
            ("critic", critic),
            ("generator", scalar(&whole)),
            ("score_real", of_real),
            ("score_fake", of_fake),
        ]);
        let a: Tensor<4> = Tensor::from_inner(a);
        let Config { distance, halves: weight, .. } = self.config;
        if distance > 0.0 {
            let error = change(distances(&a), distances(&made), usual.distance);
            losses.push(("distance", scalar(&error)));
            whole = whole + error.mul_scalar(distance);
        }
        if weight > 0.0 {
            let error = change(halves(&a), halves(&made), usual.halves);
            losses.push(("halves", scalar(&error)));
            whole = whole + error.mul_scalar(weight);
        }
        self.forth.update(&mut whole.backward(), step);
        losses
    }

    fn trained(&self) -> Trained {
        Trained::Generator(self.forth.trained())
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.forth.save(folder)?;
        files::replace_bytes(&folder.join(USUAL), &serde_json::to_vec(&self.usual)?)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        self.forth.load(folder)?;
        let path = folder.join(USUAL);
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        self.usual = serde_json::from_slice(&bytes).with_context(|| format!("cannot use {}", path.display()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::unpaired::tests::{steps, system, value};
    use burn::tensor::{Device, TensorData};

    fn values(tensor: Tensor<1>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    /// Three images of 3 rows, 1 column and 1 channel.
    fn images() -> Tensor<4> {
        let values: Vec<f32> = vec![0.0, 5.0, 2.0, 1.0, 5.0, 1.0, -1.0, 5.0, 0.5];
        Tensor::from_data(TensorData::new(values, [3, 1, 3, 1]), &Device::flex())
    }

    #[test]
    fn distances_are_those_by_hand() {
        // |0 − 1| + |5 − 5| + |2 − 1| = 2, and so on, over 3 pixels: images 0 and 1, 1 and 2, then 0 and 2.
        let by_hand = [2.0 / 3.0, 2.5 / 3.0, 2.5 / 3.0];
        assert!(
            values(distances(&images())).iter().zip(by_hand).all(|(found, by_hand)| (found - by_hand).abs() < 1e-6)
        );
        // The middle row of three belongs to neither half.
        assert_eq!(values(halves(&images())), [2.0, 0.0, 1.5]);
        let spread = Spread::of(&[1.0, 3.0]);
        assert_eq!((spread.mean, spread.deviation), (2.0, 1.0));
        // Deviations of 1 and −1 beside 0 and −2: |1 − 0| and |−1 + 2|.
        let [from, to] = [[3.0, 1.0], [5.0, 1.0]].map(|values| Tensor::<1>::from_data(values, &Device::flex()));
        let wide = Spread { mean: 5.0, deviation: 2.0 };
        assert_eq!(values(change(from, to, [spread, wide])), [1.0]);
    }

    #[test]
    fn usual_distances_are_those_of_both_sets() {
        let double = images().mul_scalar(2.0);
        let usual = Usual::measure(&[[images(), double.clone()], [images(), double]]);
        for [a, b] in [usual.distance, usual.halves] {
            assert!((b.mean - 2.0 * a.mean).abs() < 1e-6 && (b.deviation - 2.0 * a.deviation).abs() < 1e-6);
        }
        assert!((usual.distance[0].mean - 7.0 / 9.0).abs() < 1e-6);
    }

    #[test]
    fn distances_come_to_be_kept() {
        let (mut distancegan, [mut rng, mut order]) = system("distancegan", "halves = 0.5");
        let losses = steps(&mut *distancegan, 150, &mut rng, &mut order);
        for name in ["distance", "halves"] {
            let mean = |some: &[Losses]| some.iter().map(|losses| value(losses, name)).sum::<f32>() / some.len() as f32;
            let [first, last] = [mean(&losses[..10]), mean(&losses[140..])];
            assert!(last < 0.8 * first, "{name}: {first} {last}");
        }
        assert!(distancegan.back().is_none());
    }
}
