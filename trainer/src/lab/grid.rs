//! Twenty-five modes: three games on the grid.

use anyhow::Result;

use super::game::{GRID, Game, UNROLLED, pairs};
use super::plot::{BLUE, Chart, GREEN};
use super::{Expected, Experiment, Options, Report};
use crate::eval::plane::Spread;

/// See [`super`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "grid",
    title: "Twenty-five modes",
    lecture: "Kuleshov, Cornell Tech, lecture 9 (Arjovsky et al., 2017; Metz et al., 2017); the grid of Lin et al., PacGAN (2018), §4.1",
    claim: "How many modes survive depends on the game: with a tiny critic, looking ahead comes nearer to the grid than answering the \
            critic of today, but its points lie too wide to count more modes within 3 σ; relativistic pairing with penalties on the critic's slope finds all 25, or all but one.",
    equation: "L_D = E log(1 + exp(D(G(z)) − D(x))) + γ/2 E|∇D(x)|² + γ/2 E|∇D(G(z))|²",
    mathml: "<msub><mi>L</mi><mi>D</mi></msub><mo>=</mo><mi>E</mi><mi>log</mi><mo>(</mo><mn>1</mn><mo>+</mo><msup><mi>e</mi><mrow><mi>D</mi><mo>(</mo>\
             <mi>G</mi><mo>(</mo><mi>z</mi><mo>)</mo><mo>)</mo><mo>−</mo><mi>D</mi><mo>(</mo><mi>x</mi><mo>)</mo></mrow></msup><mo>)</mo><mo>+</mo>\
             <mfrac><mi>γ</mi><mn>2</mn></mfrac><mi>E</mi><msup><mrow><mo>|</mo><mo>∇</mo><mi>D</mi><mo>(</mo><mi>x</mi><mo>)</mo><mo>|</mo></mrow>\
             <mn>2</mn></msup><mo>+</mo><mfrac><mi>γ</mi><mn>2</mn></mfrac><mi>E</mi><msup><mrow><mo>|</mo><mo>∇</mo><mi>D</mi><mo>(</mo><mi>G</mi>\
             <mo>(</mo><mi>z</mi><mo>)</mo><mo>)</mo><mo>|</mo></mrow><mn>2</mn></msup>",
    slip: None,
    steps: 4_000,
    run,
};

fn run(options: &Options, report: &mut Report) -> Result<()> {
    let unrolled = |k: usize| format!("[data]\nname = \"grid\"\n[unrolled]\nunroll = {k}");
    let games = [
        ("tiny critic, k = 0", UNROLLED, unrolled(0), 1),
        ("tiny critic, k = 5", UNROLLED, unrolled(5), 5),
        ("relativistic, R1 + R2", GRID, String::new(), 14),
    ];
    let all: u64 = games.iter().map(|(_, _, _, cost)| cost * options.steps).sum();
    let mut done = 0;
    let mut panels = Vec::new();
    let mut found: Vec<Spread> = Vec::new();
    for (name, base, change, cost) in games {
        let mut game = Game::new(base, &change, options.seed, options.steps)?;
        for _ in 0..options.steps {
            game.step();
            done += cost;
            report.progress(done, all);
        }
        let spread = game.spread();
        panels.push(
            Chart::new(format!("{name}: {} modes", spread.modes), "x", "y")
                .dots("real", BLUE, 3, game.real(1_000))
                .dots("generated", GREEN, 2, pairs(&game.points(2_000)))
                .x_range(-5.5, 5.5)
                .y_range(-5.5, 5.5),
        );
        report.show(format!("{name}: points within 3 σ of a mode, %"), 100.0 * spread.high_quality);
        report.show(format!("{name}: energy distance"), spread.energy);
        found.push(spread);
    }
    let modes = |index: usize| found[index].modes as f64;
    report.show("k = 0: modes of 25", modes(0));
    // At 2 500 steps there were 7 and 3 more (seeds 1 and 2), at 4 000 none: how many lie within 3 σ of a wide cloud is chance.
    report.show("k = 5: modes of 25", modes(1));
    report.check("relativistic, R1 + R2: modes of 25", modes(2), Expected::AtLeast(24.0));
    let [today, ahead, relativistic] = [0, 1, 2].map(|index| found[index].energy);
    report.check("k = 5: energy distance, below half of that of k = 0", ahead, Expected::AtMost(0.5 * today));
    let what = "relativistic, R1 + R2: energy distance, below half of that of k = 5";
    report.check(what, relativistic, Expected::AtMost(0.5 * ahead));
    // Evenness takes more steps than these: it is not claimed here but on the ring (see `plane`).
    report.show("relativistic, R1 + R2: KL(points ‖ even), nats", found[2].reverse_kl);
    report.plot("grid.png", "Real points and 2 000 generated ones of each game.", &panels, 3, [520, 500])
}
