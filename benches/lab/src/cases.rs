//! What is varied.

use anyhow::{Context, Result};
use edgegen::recipe::Recipe;
use toml::{Table, Value};

/// A run: what it is called, and what it changes in the recipe of its experiment.
#[derive(Clone, Debug)]
pub struct Case {
    /// The row of the table.
    pub name: String,
    /// The column, where there are several.
    pub column: String,
    /// A piece of recipe.
    pub change: String,
}

/// Runs that belong into one table.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it asks, for the record.
    pub about: &'static str,
    /// The recipe that is changed, as text.
    pub base: &'static str,
    /// The runs.
    pub cases: Vec<Case>,
    /// Seeds of each.
    pub seeds: u64,
}

const PLAIN: &str = include_str!("../ring-plain.toml");
const RING: &str = include_str!("../../../trainer/recipes/ring.toml");
const UNROLLED: &str = include_str!("../../../trainer/recipes/ring-unrolled.toml");

/// All of them.
pub fn experiments() -> Vec<Experiment> {
    vec![tricks(), rates(), unrolled(), course()]
}

fn case(name: &str, change: &str) -> Case {
    Case { name: name.into(), column: String::new(), change: change.into() }
}

fn tricks() -> Experiment {
    let trick = |name: &str, line: &str| case(name, &format!("[gan.tricks]\n{line}"));
    let cases = vec![
        case("none: the plain game", ""),
        case("minimax loss", "[gan]\nloss = \"minimax\""),
        trick("soft labels", "soft_labels = true"),
        trick("5 % of labels flipped", "flip_labels = 0.05"),
        trick("separate batches", "separate_batches = true"),
        trick("replay of 2048", "replay = 2048"),
        trick("SGD for the critic, rate 0.1", "sgd_critic = true\n[train]\nlr_critic = 0.1"),
        trick("instance noise 0.1 → 0", "instance_noise = 0.1"),
        trick("minibatch deviation", "minibatch_deviation = true"),
        trick("dropout in G, keep 0.8", "keep_generator = 0.8"),
        case("labels: projection", "[gan]\nclasses = 8"),
        case("labels: auxiliary classifier", "[gan]\nclasses = 8\n[gan.tricks]\nauxiliary_classifier = true"),
        case("5 critic steps", "[train]\ncritic_steps = 5"),
        case("uniform latents", "[gan]\nprior = \"uniform\""),
        trick("failure watch (changes nothing)", "watch = true"),
        case(
            "relativistic, R1 and R2 of γ = 0.02",
            "[gan]\nloss = \"relativistic\"\npenalty = { zero-centred = 0.02 }",
        ),
    ];
    Experiment { name: "tricks", about: "The plain game on the ring, each trick alone.", base: PLAIN, cases, seeds: 2 }
}

fn rates() -> Experiment {
    const RATES: [&str; 3] = ["3e-4", "1e-3", "3e-3"];
    let cell = |generator: &str, critic: &str| Case {
        name: format!("G {generator}"),
        column: format!("D {critic}"),
        change: format!("[train]\nlr_generator = {generator}\nlr_critic = {critic}"),
    };
    Experiment {
        name: "rates",
        about: "Two learning rates (Heusel et al., 2017): the plain game on the ring, generator by critic.",
        base: PLAIN,
        cases: RATES.iter().flat_map(|generator| RATES.map(|critic| cell(generator, critic))).collect(),
        seeds: 1,
    }
}

fn unrolled() -> Experiment {
    Experiment {
        name: "unrolled",
        about: "Unrolled GAN (Metz et al., 2017) on the ring: recipes/ring-unrolled.toml without and with looking ahead.",
        base: UNROLLED,
        cases: [0, 5].map(|k| case(&format!("k = {k}"), &format!("[unrolled]\nunroll = {k}"))).into(),
        seeds: 3,
    }
}

fn course() -> Experiment {
    // A run of n steps is the beginning of a longer one, bit for bit.
    let after =
        |steps: u32| case(&format!("{steps} steps"), &format!("[train]\nschedule = \"constant\"\nsteps = {steps}"));
    Experiment {
        name: "course",
        about: "How training goes on: recipes/ring.toml with constant learning rates.",
        base: RING,
        cases: [125, 250, 500, 1000, 2000, 4000].map(after).into(),
        seeds: 1,
    }
}

impl Experiment {
    /// The recipe of one case; `steps` in place of its own, if given.
    pub fn recipe(&self, case: &Case, seed: u64, steps: Option<u64>) -> Result<Recipe> {
        let mut table: Table = toml::from_str(self.base).context("the base recipe")?;
        merge(&mut table, toml::from_str(&case.change).with_context(|| case.name.clone())?);
        table.insert("seed".into(), Value::Integer(seed as i64));
        let mut recipe = Recipe::parse(&toml::to_string(&table)?).with_context(|| case.name.clone())?;
        recipe.train.steps = steps.unwrap_or(recipe.train.steps);
        Ok(recipe)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_a_recipe_of_its_own() {
        for experiment in experiments() {
            let recipes: Vec<Recipe> =
                experiment.cases.iter().map(|case| experiment.recipe(case, 1, None).unwrap()).collect();
            assert!(recipes.iter().all(|recipe| recipe.data.name == "ring"));
            assert_eq!(experiment.recipe(&experiment.cases[0], 1, Some(7)).unwrap().train.steps, 7);
            for (index, recipe) in recipes.iter().enumerate() {
                assert!(!recipes[..index].contains(recipe), "{} changes nothing", experiment.cases[index].name);
            }
        }
    }
}
