//! Mode collapse on the ring, and what looking ahead does about it.

use anyhow::Result;

use super::game::{Game, UNROLLED, pairs};
use super::plot::{BLUE, Chart, GREEN, Point, RED, draw};
use super::{Expected, Experiment, Options, Report};
use crate::eval::plane::{Spread, controls};

/// See [`super`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "mode-collapse",
    title: "Mode collapse, and looking ahead",
    lecture: "Kuleshov, Cornell Tech, lecture 9, “Optimization challenges”, after Metz et al. (2017); McAllester, TTIC 31230",
    claim: "A generator that answers a tiny critic of today wanders from mode to mode and keeps few of eight. One that answers the critic as it will be \
            five steps later keeps them all.",
    equation: "θ⁰ = θ_D,  θⁱ⁺¹ = θⁱ + η ∇V(θ_G, θⁱ),  min over θ_G of V(θ_G, θᵏ)",
    mathml: "<msup><mi>θ</mi><mn>0</mn></msup><mo>=</mo><msub><mi>θ</mi><mi>D</mi></msub><mo>,</mo><mspace width='0.6em'/><msup><mi>θ</mi><mrow>\
             <mi>i</mi><mo>+</mo><mn>1</mn></mrow></msup><mo>=</mo><msup><mi>θ</mi><mi>i</mi></msup><mo>+</mo><mi>η</mi><mo>∇</mo><mi>V</mi><mo>(</mo>\
             <msub><mi>θ</mi><mi>G</mi></msub><mo>,</mo><msup><mi>θ</mi><mi>i</mi></msup><mo>)</mo><mo>,</mo><mspace width='0.6em'/><munder><mo>min</mo>\
             <msub><mi>θ</mi><mi>G</mi></msub></munder><mi>V</mi><mo>(</mo><msub><mi>θ</mi><mi>G</mi></msub><mo>,</mo><msup><mi>θ</mi><mi>k</mi></msup>\
             <mo>)</mo>",
    slip: Some(
        "A notebook of this experiment that is often copied puts its eight modes at linspace(0, 2π, 8): the first and the last are one, so that there are seven.",
    ),
    steps: 6_000,
    run,
};

const SEEDS: u64 = 3;
const SHOWN: usize = 1_000;
const FRAMES: u64 = 30;

fn run(options: &Options, report: &mut Report) -> Result<()> {
    let mut found: [Vec<Spread>; 2] = Default::default();
    let mut panels = Vec::new();
    let mut courses: [Vec<Point>; 2] = Default::default();
    let mut films: [Vec<Chart>; 2] = Default::default();
    // A step that looks ahead takes about five times as long.
    let cost = [1, 5];
    let all = SEEDS * options.steps * 6;
    let mut done = 0;
    for seed in 0..SEEDS {
        for (kind, unroll) in [0, 5].into_iter().enumerate() {
            let change = format!("[unrolled]\nunroll = {unroll}");
            let mut game = Game::new(UNROLLED, &change, options.seed + seed, options.steps)?;
            let every = (options.steps / FRAMES).max(1);
            for step in 1..=options.steps {
                game.step();
                done += cost[kind];
                report.progress(done, all);
                if seed == 0 && step.is_multiple_of(every) {
                    let points = game.points(2_000);
                    let modes = game.plane.mixture.modes(&points, 2).found;
                    courses[kind].push([step as f64, modes as f64]);
                    films[kind].push(panel(&game, &points.first(SHOWN), &format!("k = {unroll}, step {step}")));
                }
            }
            let spread = game.spread();
            let title = format!("k = {unroll}, seed {}: {} modes", options.seed + seed, spread.modes);
            panels.push(panel(&game, &game.points(SHOWN), &title));
            found[kind].push(spread);
        }
    }
    let [plain, ahead] = &found;
    let modes = |spreads: &[Spread], least: usize, most: usize| {
        spreads.iter().filter(|spread| (least..=most).contains(&spread.modes)).count() as f64
    };
    report.check("k = 0: seeds of 3 with at most 6 of 8 modes", modes(plain, 0, 6), Expected::AtLeast(2.0));
    report.check("k = 5: seeds of 3 with all 8 modes", modes(ahead, 8, 8), Expected::AtLeast(2.0));
    for (index, (plain, ahead)) in plain.iter().zip(ahead).enumerate() {
        let seed = options.seed + index as u64;
        report.show(format!("seed {seed}, k = 0: modes"), plain.modes as f64);
        report.show(format!("seed {seed}, k = 5: modes"), ahead.modes as f64);
        report.show(format!("seed {seed}, k = 5: KL(points ‖ even), nats"), ahead.reverse_kl);
    }
    // A measure that sees nothing would pass anything: samplers that are bad on purpose.
    let plane = Game::new(UNROLLED, "", options.seed, 1)?.plane;
    let [(_, collapsed), ..] = controls(&plane, 10_000, options.seed);
    let control = Spread::of(&plane, &collapsed, options.seed);
    report.check("a sampler of half of the modes, for control: modes", control.modes as f64, Expected::Near(4.0, 0.0));

    let (upper, lower): (Vec<_>, Vec<_>) = panels.into_iter().enumerate().partition(|(index, _)| index % 2 == 0);
    let charts: Vec<Chart> = upper.into_iter().chain(lower).map(|(_, chart)| chart).collect();
    report.plot(
        "mode-collapse.png",
        "Three seeds, each with the generator that answers the critic of today (above) and that of five steps later (below).",
        &charts,
        3,
        [480, 460],
    )?;
    let [of_plain, of_ahead] = courses;
    let course = Chart::new("Modes that are kept, first seed", "step", "modes of 8")
        .line("k = 0", RED, of_plain)
        .dashes("k = 5", BLUE, of_ahead)
        .y_range(0.0, 10.0);
    report.plot("mode-collapse-course.png", "The plain game loses modes again and again.", &[course], 1, [760, 440])?;
    let [plain, ahead] = films;
    let frames = plain.into_iter().zip(ahead).map(|(a, b)| draw(&[a, b], 2, [440, 430])).collect::<Result<Vec<_>>>()?;
    if frames.is_empty() {
        return Ok(());
    }
    report.film("mode-collapse.gif", "Left without, right with looking ahead.", frames, 200)
}

fn panel(game: &Game, points: &edgegen_metrics::Features, title: &str) -> Chart {
    Chart::new(title, "x", "y")
        .dots("real", BLUE, 3, game.real(400))
        .dots("generated", GREEN, 2, pairs(points))
        .x_range(-1.5, 1.5)
        .y_range(-1.5, 1.5)
}
