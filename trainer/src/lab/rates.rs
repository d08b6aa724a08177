//! Two learning rates: when the critic must be faster.

use anyhow::Result;

use super::game::{Game, PLAIN};
use super::plot::{BLUE, Chart, GREY, Point, RED};
use super::{Expected, Experiment, Options, Report};

/// See [`super`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "rates",
    title: "Two learning rates",
    lecture: "50.021 AI, week 11, “Training stability”, which cites Heusel et al. (2017), arXiv 1706.08500",
    claim: "A generator sees what its best critic would say only if the critic learns fast enough. In a quadratic game the ratio of the rates that \
            is needed is known; below it the same game runs away. On the ring, too, it matters which of the players is the faster one.",
    equation: "V(x, y) = b x y − ½ c x² − ½ d y²: steady at (0, 0) if b² > c d and η_D/η_G > c/d",
    mathml: "<mi>V</mi><mo>(</mo><mi>x</mi><mo>,</mo><mi>y</mi><mo>)</mo><mo>=</mo><mi>b</mi><mi>x</mi><mi>y</mi><mo>−</mo><mfrac><mi>c</mi><mn>2</mn>\
             </mfrac><msup><mi>x</mi><mn>2</mn></msup><mo>−</mo><mfrac><mi>d</mi><mn>2</mn></mfrac><msup><mi>y</mi><mn>2</mn></msup>\
             <mspace width='0.6em'/><mo>→</mo><mspace width='0.6em'/><mfrac><msub><mi>η</mi><mi>D</mi></msub><msub><mi>η</mi><mi>G</mi></msub></mfrac>\
             <mo>&gt;</mo><mfrac><mi>c</mi><mi>d</mi></mfrac>",
    slip: None,
    steps: 800,
    run,
};

/// b, c and d of the quadratic game: max over y of V is ½ (b²/d − c) x² = x², least at 0.
const GAME: [f64; 3] = [2.0, 2.0, 1.0];
const RATES: [&str; 3] = ["3e-4", "1e-3", "3e-3"];
const RATE: f64 = 1e-3;
const STEPS: usize = 8_000;

fn run(options: &Options, report: &mut Report) -> Result<()> {
    let [_, c, d] = GAME;
    let (mut low, mut high) = (0.5, 8.0);
    while high - low > 1e-3 {
        let middle = 0.5 * (low + high);
        if radius(&play(middle)) < 1.0 { high = middle } else { low = middle }
    }
    report.check("quadratic game: η_D/η_G from which on it is steady", high, Expected::Near(c / d, 0.02));

    let cells = RATES.iter().flat_map(|generator| RATES.map(|critic| (*generator, critic)));
    let (mut values, mut texts, mut energies) = (Vec::new(), Vec::new(), Vec::new());
    let all = 9 * options.steps;
    let mut done = 0;
    for (generator, critic) in cells {
        let change = format!("[train]\nbatch = 128\nlr_generator = {generator}\nlr_critic = {critic}");
        let mut game = Game::new(PLAIN, &change, options.seed, options.steps)?;
        for _ in 0..options.steps {
            game.step();
            done += 1;
            report.progress(done, all);
        }
        let spread = game.spread();
        values.push(-spread.energy.max(1e-6).log10());
        texts.push(format!("{:.4}\n{} modes", spread.energy, spread.modes));
        energies.push(spread.energy);
        report.show(format!("ring, η_G {generator}, η_D {critic}: energy distance"), spread.energy);
    }
    let worst = energies.iter().copied().fold(0.0, f64::max);
    let best = energies.iter().copied().fold(f64::INFINITY, f64::min);
    report.check("ring: largest energy distance over the smallest", worst / best, Expected::AtLeast(3.0));
    let names = |player: &str| RATES.iter().map(|rate| format!("{player} {rate}")).collect::<Vec<_>>();
    let charts = [
        Chart::new("The quadratic game", "x, the generator", "y, the critic")
            .line("η_D = η_G: runs away", RED, play(1.0))
            .dashes("η_D = 2 η_G: the border", GREY, play(2.0))
            .line("η_D = 4 η_G: comes to rest", BLUE, play(4.0))
            .dots("equilibrium", GREY, 6, [[0.0, 0.0]])
            .x_range(-3.0, 3.0)
            .y_range(-4.0, 5.5)
            .legend_left(),
        Chart::new("Energy distance on the ring, darker is nearer", "rate of the critic", "").heat(
            names("D"),
            names("G"),
            values,
            texts,
        ),
    ];
    report.plot(
        "rates.png",
        "Left: one game with three ratios of the rates. Right: the plain game on the ring, nine pairs of rates, as many steps each.",
        &charts,
        2,
        [660, 560],
    )
}

/// The way of both players from (1, 0), until it is far away.
fn play(ratio: f64) -> Vec<Point> {
    let [b, c, d] = GAME;
    let step = |&[x, y]: &Point| {
        let next = [x + RATE * (c * x - b * y), y + ratio * RATE * (b * x - d * y)];
        (next[0].hypot(next[1]) < 100.0).then_some(next)
    };
    std::iter::successors(Some([1.0, 0.0]), step).take(STEPS).collect()
}

/// How far out the last part of a way goes, in terms of the first as much.
fn radius(path: &[Point]) -> f64 {
    if path.len() < STEPS {
        return f64::INFINITY;
    }
    let farthest = |part: &[Point]| part.iter().map(|p| p[0].hypot(p[1])).fold(0.0, f64::max);
    farthest(&path[STEPS / 2..]) / farthest(&path[..STEPS / 2])
}
