//! Whether a training has come to something: losses that have grown out of hand, a critic that has won, samples that are all alike or
//! without any levels between black and white.
//!
//! Losses are looked at in each step, samples whenever a sheet of them is drawn. All of this finds only what is plainly wrong;
//! `edgegen eval` says how good a generator is.

use serde::{Deserialize, Serialize};

use crate::checkpoint::Signs;
use crate::recipe::Recipe;
use crate::systems::{CLUSTERING, Losses};

/// A loss of this size, or one that is larger, says nothing any more.
const LARGE: f32 = 1e7;
/// Steps without a break with such a loss.
const LARGE_STEPS: u64 = 20;
/// A critic's loss below which it has nothing left to tell the generator.
const WON: f32 = 0.01;
/// Steps without a break with such a loss.
const WON_STEPS: u64 = 200;
/// Steps after which samples are judged at all.
const FIRST_STEPS: u64 = 100;
/// Share of the run after which they are judged while it goes on: at first all samples are alike.
const FIRST_SHARE: f64 = 0.25;
/// Samples are alike when they differ less than this share of what the data does.
const ALIKE: f32 = 0.1;
/// Data that differs less, as a share of the range, has nothing to compare with.
const CONSTANT: f32 = 1.0 / 255.0;
/// Samples have lost the levels between black and white when they have less than this share of the data's.
const LEVELS_LEFT: f32 = 0.1;
/// Data with fewer levels between has nothing to compare with.
const FEW_LEVELS: f32 = 0.02;

/// What became of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing is plainly wrong.
    Ok,
    /// Too few steps to say anything.
    TooShort,
    /// Losses have grown out of hand.
    Diverged,
    /// All samples are alike.
    Collapsed,
    /// Samples are black and white where the data has levels between.
    Saturated,
    /// The critic tells all images apart and has nothing left to teach.
    CriticWon,
}

impl Outcome {
    /// Whether the generator is of no use.
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Ok | Self::TooShort)
    }

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::TooShort => "too_short",
            Self::Diverged => "diverged",
            Self::Collapsed => "collapsed",
            Self::Saturated => "saturated",
            Self::CriticWon => "critic_won",
        }
    }

    /// What was seen and what to try.
    pub fn advice(self, recipe: &Recipe) -> String {
        let train = &recipe.train;
        let rates = format!("(now {} and {})", train.lr_generator, train.lr_critic);
        let again = "and begin again: a run does not come back from this";
        match self {
            Self::Ok | Self::TooShort => String::new(),
            Self::Diverged => format!("losses above 10⁷: lower lr_generator and lr_critic {rates} {again}"),
            Self::Collapsed => format!(
                "all samples are alike: lower lr_generator and lr_critic {rates}, or make the batch larger (now {}), {again}",
                train.batch
            ),
            Self::Saturated => {
                format!(
                    "samples are black and white without levels between: lower lr_generator and lr_critic {rates} {again}"
                )
            }
            Self::CriticWon => format!(
                "the critic's loss has been 0 for {WON_STEPS} steps, it has nothing left to teach: lower lr_critic or raise \
                 lr_generator {rates}, or make the critic smaller or noisy ([{}.tricks] instance_noise, augment)",
                recipe.system
            ),
        }
    }
}

/// What a set of images or points looks like from afar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Look {
    /// Standard deviation of a value from one sample of a group to the next, averaged over values and groups.
    spread: f32,
    /// Share of values between black and white; of points nothing.
    between: f32,
}

impl Look {
    /// Of samples of equal lengths, each with the number of its group (its class; all the same where there are none), in a range
    /// of 0 to 1. Groups of one sample say nothing.
    pub(super) fn at(samples: &[(usize, Vec<f32>)]) -> Self {
        let len = samples.first().map_or(1, |(_, sample)| sample.len().max(1));
        let groups = 1 + samples.iter().map(|(group, _)| *group).max().unwrap_or(0);
        let (mut squares, mut degrees) = (0.0f64, 0usize);
        for group in 0..groups {
            let members: Vec<&[f32]> =
                samples.iter().filter(|(of, _)| *of == group).map(|(_, sample)| &sample[..]).collect();
            let count = members.len();
            for at in 0..len {
                let mean = members.iter().map(|member| f64::from(member[at])).sum::<f64>() / count.max(1) as f64;
                squares += members.iter().map(|member| (f64::from(member[at]) - mean).powi(2)).sum::<f64>();
            }
            degrees += count.saturating_sub(1);
        }
        let is_between = |value: &&f32| (3.0 / 255.0..=252.0 / 255.0).contains(*value);
        let between = samples.iter().flat_map(|(_, sample)| sample).filter(is_between).count();
        Self {
            spread: (squares / (degrees * len).max(1) as f64).sqrt() as f32,
            between: between as f32 / (samples.len() * len).max(1) as f32,
        }
    }

    /// Of points, which have no levels.
    pub(super) fn of_points(points: &[(usize, Vec<f32>)]) -> Self {
        Self { between: 0.0, ..Self::at(points) }
    }

    /// What is wrong with samples beside their data.
    fn against(self, data: Self) -> Option<Outcome> {
        if data.spread > CONSTANT && self.spread < ALIKE * data.spread {
            return Some(Outcome::Collapsed);
        }
        (data.between > FEW_LEVELS && self.between < LEVELS_LEFT * data.between).then_some(Outcome::Saturated)
    }
}

/// Looks on while a run trains.
pub(super) struct Watch {
    pub(super) signs: Signs,
    /// `None` where samples are not judged: of classifiers, and of systems whose samples are fixed points.
    data: Option<Look>,
    steps: u64,
    /// What the latest samples showed.
    samples: Option<Outcome>,
}

impl Watch {
    /// `data` is what samples are compared with.
    pub(super) fn new(recipe: &Recipe, signs: Signs, data: Option<Look>) -> Self {
        let data = data.filter(|_| !CLUSTERING.contains(&&*recipe.system));
        Self { signs, data, steps: recipe.train.steps, samples: None }
    }

    /// Looks at the losses of a step; gives what has just gone wrong for the first time.
    pub(super) fn losses(&mut self, losses: &Losses) -> Option<Outcome> {
        let Signs { large, won, .. } = &mut self.signs;
        *large = if losses.iter().any(|(_, value)| value.abs() >= LARGE) { *large + 1 } else { 0 };
        // Only a loss that has 0 for its least value stays there: that of Wasserstein passes through.
        let critic = losses.iter().find(|(name, _)| *name == "critic");
        *won = if critic.is_some_and(|(_, value)| (0.0..WON).contains(value)) { *won + 1 } else { 0 };
        let outcome = self.of_losses()?;
        self.first_time(outcome)
    }

    fn of_losses(&self) -> Option<Outcome> {
        if self.signs.large >= LARGE_STEPS {
            return Some(Outcome::Diverged);
        }
        (self.signs.won >= WON_STEPS).then_some(Outcome::CriticWon)
    }

    /// Looks at samples drawn after `step` steps; gives what has just gone wrong for the first time.
    pub(super) fn samples(&mut self, step: u64, look: Look) -> Option<Outcome> {
        self.samples = self.data.filter(|_| step >= FIRST_STEPS).and_then(|data| look.against(data));
        let outcome = self.samples.filter(|_| step as f64 >= FIRST_SHARE * self.steps as f64)?;
        self.first_time(outcome)
    }

    fn first_time(&mut self, outcome: Outcome) -> Option<Outcome> {
        let name = outcome.name();
        if self.signs.said.iter().any(|said| said == name) {
            return None;
        }
        self.signs.said.push(name.to_owned());
        Some(outcome)
    }

    /// What became of it after `step` steps.
    pub(super) fn outcome(&self, step: u64) -> Outcome {
        let losses = self.of_losses();
        match (losses, self.samples) {
            (Some(Outcome::Diverged), _) => Outcome::Diverged,
            (_, Some(samples)) => samples,
            (Some(losses), None) => losses,
            (None, None) if step < FIRST_STEPS => Outcome::TooShort,
            (None, None) => Outcome::Ok,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(data: Option<Look>) -> Watch {
        let recipe = Recipe::parse("system = \"gan\"\n[data]\nname = \"x\"\n[train]\nsteps = 1000").unwrap();
        Watch::new(&recipe, Signs::default(), data)
    }

    fn look(samples: &[&[f32]]) -> Look {
        Look::at(&samples.iter().map(|sample| (0, sample.to_vec())).collect::<Vec<_>>())
    }

    #[test]
    fn spread_is_the_deviation_within_groups() {
        assert!((look(&[&[0.0, 0.5], &[1.0, 0.5]]).spread - 0.5).abs() < 1e-6, "variances of 0.5 and 0 in two values");
        let groups = [(0, vec![0.0]), (0, vec![0.0]), (1, vec![1.0]), (1, vec![1.0])];
        assert_eq!(Look::at(&groups).spread, 0.0);
        assert_eq!(look(&[&[0.0, 0.5, 1.0, 0.25]]).between, 0.5);
    }

    #[test]
    fn losses_out_of_hand_and_a_critic_at_zero_are_said_once_and_stay() {
        let mut watch = watch(None);
        let normal: Losses = vec![("critic", 0.7), ("generator", 1.0)];
        let large: Losses = vec![("critic", 0.0), ("generator", 1e15)];
        let said: Vec<_> = (0..30).filter_map(|_| watch.losses(&large)).collect();
        assert_eq!((said, watch.outcome(30)), (vec![Outcome::Diverged], Outcome::Diverged));
        assert_eq!(watch.losses(&normal), None);
        assert_eq!((watch.outcome(31), watch.outcome(500)), (Outcome::TooShort, Outcome::Ok), "a spike is no end");

        let won: Losses = vec![("critic", 0.001), ("generator", 9.0)];
        let said: Vec<_> = (0..300).filter_map(|_| watch.losses(&won)).collect();
        assert_eq!((said, watch.outcome(400)), (vec![Outcome::CriticWon], Outcome::CriticWon));
        let wasserstein: Losses = vec![("critic", -3.0)];
        assert!(watch.losses(&wasserstein).is_none() && watch.outcome(400) == Outcome::Ok);
    }

    #[test]
    fn samples_are_judged_beside_their_data() {
        let data = look(&[&[0.0, 0.5, 1.0], &[1.0, 0.0, 0.4], &[0.2, 1.0, 0.0]]);
        let alike = look(&[&[0.5, 0.5, 0.51], &[0.5, 0.5, 0.5]]);
        let black_and_white = look(&[&[0.0, 1.0, 1.0], &[1.0, 0.0, 1.0]]);
        let mut watch = watch(Some(data));
        assert_eq!(watch.samples(200, alike), None, "at first all samples are alike");
        assert_eq!(watch.outcome(200), Outcome::Collapsed, "but not at the end");
        assert_eq!(watch.samples(300, alike), Some(Outcome::Collapsed));
        assert_eq!(watch.samples(400, alike), None, "said once");
        assert_eq!(watch.samples(500, black_and_white), Some(Outcome::Saturated));
        assert_eq!((watch.samples(600, data), watch.outcome(600)), (None, Outcome::Ok));
        let constant = look(&[&[0.5], &[0.5]]);
        assert_eq!(constant.against(constant), None);
    }
}
