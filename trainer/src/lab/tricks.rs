//! The tricks of the trade, each alone.

use anyhow::{Result, ensure};

use super::game::{Game, PLAIN};
use super::plot::{BLUE, Chart, ORANGE};
use super::{Expected, Experiment, Options, Report};
use crate::eval::plane::Spread;

/// See [`super`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "tricks",
    title: "The tricks, each alone",
    lecture: "50.021 AI, week 11, and Kuleshov, lecture 9, which both send to “How to train a GAN?” by Chintala et al. (2016)",
    claim: "Each trick of the list is added alone to the plain game on the ring. After a few hundred steps they differ much, which is early \
            (--steps 3000 shows the rest). One of them only watches: it must change nothing.",
    equation: "L_D = −E log D(x) − E log(1 − D(G(z))),  L_G = −E log D(G(z))  and one trick",
    mathml: "<msub><mi>L</mi><mi>G</mi></msub><mo>=</mo><mo>−</mo><mi>E</mi><mi>log</mi><mi>D</mi><mo>(</mo><mi>G</mi><mo>(</mo><mi>z</mi><mo>)</mo>\
             <mo>)</mo><mo>,</mo><mspace width='0.6em'/><msub><mi>L</mi><mi>D</mi></msub><mo>=</mo><mo>−</mo><mi>E</mi><mi>log</mi><mi>D</mi><mo>(</mo>\
             <mi>x</mi><mo>)</mo><mo>−</mo><mi>E</mi><mi>log</mi><mo>(</mo><mn>1</mn><mo>−</mo><mi>D</mi><mo>(</mo><mi>G</mi><mo>(</mo><mi>z</mi>\
             <mo>)</mo><mo>)</mo><mo>)</mo>",
    slip: None,
    steps: 400,
    run,
};

/// What is added to the plain game: a name, and a piece of recipe.
const CASES: [(&str, &str); 16] = [
    ("the plain game", ""),
    ("minimax loss", "[gan]\nloss = \"minimax\""),
    ("soft labels", "[gan.tricks]\nsoft_labels = true"),
    ("5 % of labels flipped", "[gan.tricks]\nflip_labels = 0.05"),
    ("separate batches", "[gan.tricks]\nseparate_batches = true"),
    ("replay of 2048", "[gan.tricks]\nreplay = 2048"),
    ("SGD for the critic", "[gan.tricks]\nsgd_critic = true\n[train]\nlr_critic = 0.1"),
    ("instance noise 0.1 → 0", "[gan.tricks]\ninstance_noise = 0.1"),
    ("minibatch deviation", "[gan.tricks]\nminibatch_deviation = true"),
    ("dropout in G, keep 0.8", "[gan.tricks]\nkeep_generator = 0.8"),
    ("labels: projection", "[gan]\nclasses = 8"),
    ("labels: auxiliary", "[gan]\nclasses = 8\n[gan.tricks]\nauxiliary_classifier = true"),
    ("5 critic steps", "[train]\ncritic_steps = 5"),
    ("uniform latents", "[gan]\nprior = \"uniform\""),
    ("relativistic, R1 + R2", "[gan]\nloss = \"relativistic\"\npenalty = { zero-centred = 0.02 }"),
    (WATCH, "[gan.tricks]\nwatch = true"),
];
const WATCH: &str = "failure watch";

fn run(options: &Options, report: &mut Report) -> Result<()> {
    let mut found: Vec<Spread> = Vec::new();
    let all = (CASES.len() as u64 + 4) * options.steps;
    let mut done = 0;
    for (name, change) in CASES {
        let mut game = Game::new(PLAIN, change, options.seed, options.steps)?;
        for _ in 0..options.steps {
            game.step();
            done += if name == "5 critic steps" { 5 } else { 1 };
            report.progress(done, all);
        }
        let spread = game.spread();
        report.show(format!("{name}: energy distance"), spread.energy);
        found.push(spread);
    }
    ensure!(CASES[CASES.len() - 1].0 == WATCH, "the watch is the last case");
    let (plain, watched) = (&found[0], &found[CASES.len() - 1]);
    report.check(
        "the watch's energy distance less the plain game's",
        watched.energy - plain.energy,
        Expected::Near(0.0, 0.0),
    );
    let untrained = Game::new(PLAIN, "", options.seed, 1)?.spread().energy;
    report.show("an untrained generator's energy distance", untrained);
    let nearer = found.iter().filter(|spread| spread.energy < untrained).count();
    report.check("games of 16 that come nearer to the data than that", nearer as f64, Expected::AtLeast(12.0));
    // Bars lie, so that their names can be read.
    let rows = CASES.iter().zip(&found).rev();
    let names: Vec<String> = rows.clone().map(|((name, _), _)| (*name).to_owned()).collect();
    let charts = [
        Chart::new("Distance to the data", "energy distance", "").lying(
            names.clone(),
            BLUE,
            rows.clone().map(|(_, spread)| spread.energy).collect(),
        ),
        Chart::new("Unevenness of the modes", "KL(points ‖ even), nats", "").lying(
            names,
            ORANGE,
            rows.map(|(_, spread)| spread.reverse_kl.min(2.1)).collect(),
        ),
    ];
    report.plot(
        "tricks.png",
        "Left: energy distance of 2 000 points. Right: how unevenly the eight modes are kept. Shorter is better.",
        &charts,
        2,
        [700, 660],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::game::changed;
    use crate::recipe::Recipe;

    #[test]
    fn every_case_is_a_recipe_of_its_own() {
        let recipes: Vec<Recipe> = CASES.iter().map(|(_, change)| changed(PLAIN, change, 1, 7).unwrap()).collect();
        for (index, recipe) in recipes.iter().enumerate() {
            assert_eq!((&*recipe.data.name, recipe.train.steps), ("ring", 7));
            assert!(!recipes[..index].contains(recipe), "{} changes nothing", CASES[index].0);
        }
    }
}
