//! `cyclegan`: two generators, G from one set of images to another and F back, learned without pairs.
//!
//! ```text
//! L(G, F) = L_adv(D_B(G(a))) + L_adv(D_A(F(b)))
//!         + cycle · (|F(G(a)) − a| + |G(F(b)) − b|)             means over pixels, images in [−1, 1]
//!         + identity · (|G(b) − b| + |F(a) − a|)
//! ```
//!
//! Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks" (2017), eq. 2 and 3
//! and §5.2, with least squares in place of eq. 1 (§4), cycle = 10 and identity = cycle / 2. Both sums are minimized at
//! once: the two games do not touch otherwise. D_A and D_B learn from images that are partly older, see
//! [`pool`](super::pool).
//!
//! What a cycle asks for is that G can be inverted, no more: a permutation of digits can, and so can an image that
//! hides its source in noise too faint to see (Chu et al., "CycleGAN, a Master of Steganography", 2017). `eval`
//! therefore also tells whether what is known of an image is kept, on sets where that is known.
//!
//! With cycle = identity = 0 nothing ties an image to what is made of it: the control of the comparisons. Both
//! generators ship: the way back lies in the run folder as a run of its own, `back`.
//!
//! Knobs: `cycle`, `identity`; the game and its networks, see [`Game`].

use std::path::Path;

use anyhow::Result;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::translation::translator;
use super::unpaired::{Direction, Game, l1, scalar, sets};
use super::{Generator, Kind, Losses, Step, System, Trained};
use crate::recipe::Recipe;

/// The table `[cyclegan]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Weight of the cycle's error.
    pub cycle: f32,
    /// Weight of what a generator changes in images that are of its set already.
    pub identity: f32,
    /// The game and its networks.
    pub game: Game,
}

impl Default for Config {
    fn default() -> Self {
        Self { cycle: 10.0, identity: 5.0, game: Game::default() }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "cyclegan",
    about: "images of one set from those of another and back, learned without pairs: cycles, image pool",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        Ok(translator(config.game.network(recipe, device, rng)))
    },
    build: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        let forth = Direction::forth(&config.game, recipe, device, rng);
        let back = Direction::back(&config.game, recipe, device, rng);
        Ok(Box::new(CycleGan { forth, back, config, critic_steps: recipe.train.critic_steps }))
    },
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    config.game.check(recipe, &[("cycle", config.cycle), ("identity", config.identity)])?;
    Ok(Table::try_from(config)?)
}

struct CycleGan {
    forth: Direction,
    back: Direction,
    config: Config,
    critic_steps: usize,
}

impl System for CycleGan {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        for _ in 1..self.critic_steps {
            let [a, b] = sets((step.next_batch)());
            self.forth.more_critic(a.clone(), b.clone(), step);
            self.back.more_critic(b, a, step);
        }
        let [a, b] = sets((step.next_batch)());
        let made_b = self.forth.make(a.clone(), step.rng);
        let made_a = self.back.make(b.clone(), step.rng);
        let of_b = self.forth.step_critic(b.clone(), made_b.clone().inner(), step);
        let of_a = self.back.step_critic(a.clone(), made_a.clone().inner(), step);

        let [a, b] = [a, b].map(Tensor::from_inner);
        let adversarial =
            self.forth.adversarial(made_b.clone(), step.rng) + self.back.adversarial(made_a.clone(), step.rng);
        let mut losses = Losses::from([
            ("critic", of_b[0] + of_a[0]),
            ("generator", scalar(&adversarial)),
            ("score_real", (of_b[1] + of_a[1]) / 2.0),
            ("score_fake", (of_b[2] + of_a[2]) / 2.0),
        ]);
        let mut whole = adversarial;
        let mut add = |name, weight: f32, error: &mut dyn FnMut() -> Tensor<1>| {
            if weight > 0.0 {
                let error = error();
                losses.push((name, scalar(&error)));
                whole = whole.clone() + error.mul_scalar(weight);
            }
        };
        let (forth, back, rng) = (&self.forth, &self.back, &mut *step.rng);
        add("cycle", self.config.cycle, &mut || {
            l1(back.make(made_b.clone(), rng), a.clone()) + l1(forth.make(made_a.clone(), rng), b.clone())
        });
        add("identity", self.config.identity, &mut || {
            l1(forth.make(b.clone(), rng), b.clone()) + l1(back.make(a.clone(), rng), a.clone())
        });
        let mut gradients = whole.backward();
        self.forth.update(&mut gradients, step);
        self.back.update(&mut gradients, step);
        losses
    }

    fn trained(&self) -> Trained {
        Trained::Generator(self.forth.trained())
    }

    fn back(&self) -> Option<Generator> {
        Some(self.back.trained())
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.forth.save(folder)?;
        self.back.save(folder)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        self.forth.load(folder)?;
        self.back.load(folder)
    }
}

#[cfg(test)]
mod tests {
    use crate::systems::Trained;
    use crate::systems::unpaired::tests::{bars, steps, system, value};
    use burn::tensor::Device;

    #[test]
    fn cycles_close_and_both_ways_are_learned() {
        let (mut cyclegan, [mut rng, mut order]) = system("cyclegan", "identity = 0.0");
        let losses = steps(&mut *cyclegan, 150, &mut rng, &mut order);
        let [first, last] = [&losses[0], &losses[149]].map(|losses| value(losses, "cycle"));
        assert!(last < 0.3 * first, "{first} {last}");
        let Trained::Generator(forth) = cyclegan.trained() else { panic!("it draws") };
        let back = cyclegan.back().unwrap();
        // Bright bars are 1/12 bright, dark ones 11/12: what is made is as bright as the set that it is made for.
        let mean = |images: Vec<Vec<f32>>| images.concat().iter().sum::<f32>() / (8.0 * 144.0);
        let read: Vec<Vec<f32>> = bars(&mut order)
            .inputs
            .unwrap()
            .into_data()
            .try_to_vec::<f32>()
            .unwrap()
            .chunks(144)
            .map(<[f32]>::to_vec)
            .collect();
        let made = forth.generate(&read, &Device::flex());
        let again = back.generate(&made, &Device::flex());
        let means = [mean(read), mean(made), mean(again)];
        assert!(means[0] < -0.6 && means[1] > 0.4 && means[2] < -0.4, "{means:?}");
    }

    #[test]
    fn what_weighs_nothing_is_not_computed() {
        for (table, names) in [
            ("cycle = 0.0\nidentity = 0.0", &["critic", "generator", "score_real", "score_fake"][..]),
            ("cycle = 0.0", &["critic", "generator", "score_real", "score_fake", "identity"]),
            ("", &["critic", "generator", "score_real", "score_fake", "cycle", "identity"]),
        ] {
            let (mut cyclegan, [mut rng, mut order]) = system("cyclegan", table);
            let losses = steps(&mut *cyclegan, 1, &mut rng, &mut order);
            assert_eq!(losses[0].iter().map(|(name, _)| *name).collect::<Vec<_>>(), names, "{table}");
        }
    }
}
