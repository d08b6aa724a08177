//! Points of the plane: a distribution that is simulated better and better.

use anyhow::Result;
use edgegen_metrics::energy;

use super::game::{Game, RING, pairs};
use super::plot::{BLUE, Chart, GREEN, GREY, Point, draw};
use super::{Expected, Experiment, Options, Report};

/// See [`super`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "plane",
    title: "Simulation of a distribution in the plane",
    lecture: "Schwing, ECE 544NA, lecture 21, figure 6: real points blue, generated ones green",
    claim: "The more steps were trained, the nearer the generated points are to the real ones. The energy distance says so in one number, which is 0 \
            for one and the same distribution.",
    equation: "E(p, q) = 2 E|x − y| − E|x − x′| − E|y − y′|,  x ~ p, y ~ q",
    mathml: "<mi>E</mi><mo>(</mo><mi>p</mi><mo>,</mo><mi>q</mi><mo>)</mo><mo>=</mo><mn>2</mn><mi>E</mi><mo>|</mo><mi>x</mi><mo>−</mo><mi>y</mi>\
             <mo>|</mo><mo>−</mo><mi>E</mi><mo>|</mo><mi>x</mi><mo>−</mo><msup><mi>x</mi><mo>′</mo></msup><mo>|</mo><mo>−</mo><mi>E</mi><mo>|</mo>\
             <mi>y</mi><mo>−</mo><msup><mi>y</mi><mo>′</mo></msup><mo>|</mo>",
    slip: None,
    steps: 3_000,
    run,
};

const SHOWN: usize = 1_000;
const FRAMES: u64 = 24;
const STILLS: u64 = 6;

fn run(options: &Options, report: &mut Report) -> Result<()> {
    let mut game = Game::new(RING, "", options.seed, options.steps)?;
    let real = game.real(SHOWN);
    let other = game.plane.mixture.sample(2_000, options.seed + 1);
    // As many squares as moments: more of them early on, where more happens.
    let is_one_of = |count: u64, step: u64| {
        (0..count).any(|index| {
            let share = index as f64 / (count - 1) as f64;
            (share * share * options.steps as f64).round() as u64 == step
        })
    };
    let (mut course, mut frames, mut panels): (Vec<Point>, _, _) = (Vec::new(), Vec::new(), Vec::new());
    for step in 0..=options.steps {
        let (still, moving) = (is_one_of(STILLS, step), is_one_of(FRAMES, step));
        if still || moving {
            let points = game.points(2_000);
            let distance = energy::distance(&other, &points);
            course.push([step as f64, distance]);
            let panel = Chart::new(format!("Step {step}"), "x", "y")
                .dots("real", BLUE, 3, real.clone())
                .dots("generated", GREEN, 2, pairs(&points.first(SHOWN)))
                .x_range(-1.5, 1.5)
                .y_range(-1.5, 1.5);
            if moving {
                frames.push(draw(std::slice::from_ref(&panel), 1, [520, 500])?);
            }
            if still {
                panels.push(panel);
            }
        }
        if step < options.steps {
            game.step();
        }
        report.progress(step, options.steps);
    }
    let last = course[course.len() - 1][1];
    report.show("energy distance before the first step", course[0][1]);
    report.check("energy distance at the end", last, Expected::AtMost(course[0][1] / 5.0));
    let floor = energy::distance(&other, &game.plane.mixture.sample(2_000, options.seed + 2));
    report.show("of two sets of 2 000 real points, for comparison", floor);
    let spread = game.spread();
    report.check("modes found, of 8", spread.modes as f64, Expected::AtLeast(8.0));
    report.check("KL(points ‖ even) of the modes, nats", spread.reverse_kl, Expected::AtMost(0.05));
    report.show("points within 3 σ of a mode, % (of the mixture itself 98.9)", 100.0 * spread.high_quality);
    report.plot("plane.png", "Real points and what the generator draws at six moments.", &panels, 3, [480, 460])?;
    let chart = Chart::new("How far the points are", "step", "energy distance")
        .line("", GREEN, course.clone())
        .dots("generated to real", GREEN, 5, course)
        .dashes("real to real", GREY, [[0.0, floor], [options.steps as f64, floor]])
        .log_y();
    report.plot("plane-course.png", "2 000 points of each, on a logarithmic axis.", &[chart], 1, [760, 440])?;
    report.film("plane.gif", "The same, moving.", frames, 220)
}
