//! Two players who chase each other: the bilinear game.

use anyhow::Result;

use super::plot::{BLUE, Chart, GREEN, GREY, Point, RED, draw};
use super::{Expected, Experiment, Options, Report};

/// See [`super`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "oscillation",
    title: "Gradient steps need not lead to the Nash equilibrium",
    lecture: "50.021 AI, week 11, “Training stability”; Schwing, lecture 21, quiz; Kuleshov, lecture 9, “Optimization challenges”",
    claim: "In the game min_x max_y xy the equilibrium is (0, 0). Steps of both players at once leave it: the radius grows by \
            √(1 + η²) a step. Steps in turn go round it for ever. Players who look one step ahead come to it.",
    equation: "(x, y) ← (x − η y, y + η x)  ⇒  r ← √(1 + η²) r",
    mathml: "<mo>(</mo><mi>x</mi><mo>,</mo><mi>y</mi><mo>)</mo><mo>←</mo><mo>(</mo><mi>x</mi><mo>−</mo><mi>η</mi><mi>y</mi><mo>,</mo><mi>y</mi>\
             <mo>+</mo><mi>η</mi><mi>x</mi><mo>)</mo><mspace width='0.6em'/><mo>⇒</mo><mspace width='0.6em'/><mi>r</mi><mo>←</mo><msqrt><mn>1</mn>\
             <mo>+</mo><msup><mi>η</mi><mn>2</mn></msup></msqrt><mspace width='0.2em'/><mi>r</mi>",
    slip: Some(
        "Eq. 10 of lecture 21 mixes max over θ and min over w with a sign that belongs to the other order: the game is min over G, max over D of V.",
    ),
    steps: 0,
    run,
};

const RATE: f64 = 0.1;
const STEPS: usize = 200;

fn run(options: &Options, report: &mut Report) -> Result<()> {
    // The seed turns the start; radii do not depend on it.
    let angle = 0.3 + options.seed as f64;
    let start = [angle.cos(), angle.sin()];
    let walk = |step: fn(Point, f64) -> Point, rate: f64| -> Vec<Point> {
        let next = |point: &Point| Some(step(*point, rate));
        std::iter::successors(Some(start), next).take(STEPS + 1).collect()
    };
    let radius = |point: &Point| point[0].hypot(point[1]);
    for rate in [0.05, RATE, 0.5] {
        let path = walk(at_once, rate);
        let growth = (radius(&path[STEPS]) / radius(&path[0])).powf(1.0 / STEPS as f64);
        let expected = Expected::Near((1.0 + rate * rate).sqrt(), 1e-9);
        report.check(format!("at once, η = {rate}: growth of the radius a step"), growth, expected);
    }
    let [both, turns, ahead] = [at_once, in_turn, looking_ahead].map(|step| walk(step, RATE));
    // x² + y² − η x y stays as it is, so that the path lies on an ellipse.
    let kept = |point: &Point| point[0] * point[0] + point[1] * point[1] - RATE * point[0] * point[1];
    let drift = turns.iter().map(|point| (kept(point) / kept(&turns[0]) - 1.0).abs()).fold(0.0, f64::max);
    report.check("in turn: largest change of x² + y² − η x y, relative", drift, Expected::AtMost(1e-12));
    let shrink = (radius(&ahead[STEPS]) / radius(&ahead[0])).powf(1.0 / STEPS as f64);
    let expected = Expected::Near((1.0 - RATE.powi(2) + RATE.powi(4)).sqrt(), 1e-9);
    report.check("looking ahead: √(1 − η² + η⁴) a step", shrink, expected);

    let paths = |shown: usize| {
        let part = |path: &[Point]| path[..=shown].to_vec();
        let last = |path: &[Point]| [path[shown]];
        Chart::new("The way of the players", "x, the minimizing player", "y, the maximizing player")
            .line("at once", RED, part(&both))
            .dashes("in turn", BLUE, part(&turns))
            .line("looking ahead", GREEN, part(&ahead))
            .dots("", RED, 6, last(&both))
            .dots("", BLUE, 6, last(&turns))
            .dots("", GREEN, 6, last(&ahead))
            .dots("equilibrium", GREY, 7, [[0.0, 0.0]])
            .x_range(-3.0, 3.0)
            .y_range(-3.0, 3.0)
    };
    let radii = |path: &[Point]| path.iter().enumerate().map(|(n, p)| [n as f64, radius(p)]).collect::<Vec<_>>();
    let distance = Chart::new("Distance from the equilibrium", "step", "radius")
        .line("at once", RED, radii(&both))
        .dashes("in turn", BLUE, radii(&turns))
        .line("looking ahead", GREEN, radii(&ahead))
        .log_y()
        .legend_left();
    report.plot(
        "oscillation.png",
        "η = 0.1, 200 steps from a point of the unit circle. Left: the ways. Right: the radius, on a logarithmic axis.",
        &[paths(STEPS), distance],
        2,
        [660, 600],
    )?;
    let frames = (0..=STEPS).step_by(4).map(|shown| draw(&[paths(shown)], 1, [600, 560])).collect::<Result<_>>()?;
    report.film("oscillation.gif", "The first 200 steps.", frames, 80)
}

/// Both players step by today's gradients.
fn at_once([x, y]: Point, rate: f64) -> Point {
    [x - rate * y, y + rate * x]
}

/// The second player sees the first one's step.
fn in_turn([x, y]: Point, rate: f64) -> Point {
    let x = x - rate * y;
    [x, y + rate * x]
}

/// The extragradient method (Korpelevich, 1976): both step by the gradients of where a step would lead.
fn looking_ahead([x, y]: Point, rate: f64) -> Point {
    let [to_x, to_y] = at_once([x, y], rate);
    [x - rate * to_y, y + rate * to_x]
}
