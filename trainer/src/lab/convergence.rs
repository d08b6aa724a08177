//! Losses that go up and down while samples become better.

use anyhow::Result;

use super::game::{Game, PLAIN};
use super::plot::{BLUE, Chart, GREEN, ORANGE, Point, RED, SKY};
use super::{Expected, Experiment, Options, Report};

/// See [`super`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "convergence",
    title: "Losses oscillate while samples improve",
    lecture: "Goodfellow et al. (2014), proposition 2; Kuleshov, Cornell Tech, lecture 9, “Optimization challenges”",
    claim: "With updates in function space and the best critic at each step the generator comes to the data. Networks have neither: their losses go on \
            swinging around their values at the optimum, and do not tell how good the samples are, which become better all the while.",
    equation: "at the optimum  L_D = −V = ln 4,  L_G = −log D = ln 2",
    mathml: "<msub><mi>L</mi><mi>D</mi></msub><mo>=</mo><mo>−</mo><mi>V</mi><mo>=</mo><mi>ln</mi><mn>4</mn><mo>,</mo><mspace width='0.6em'/><msub>\
             <mi>L</mi><mi>G</mi></msub><mo>=</mo><mo>−</mo><mi>log</mi><mi>D</mi><mo>=</mo><mi>ln</mi><mn>2</mn>",
    slip: None,
    steps: 1_500,
    run,
};

/// Steps that a loss is averaged over before its swings are counted, so that they are not those of batches.
const SMOOTH: usize = 15;

fn run(options: &Options, report: &mut Report) -> Result<()> {
    let mut game = Game::new(PLAIN, "", options.seed, options.steps)?;
    let mut losses: [Vec<f64>; 2] = Default::default();
    let mut course: Vec<Point> = Vec::new();
    let moments: Vec<u64> = (0..=20).map(|index| index * options.steps / 20).collect();
    for step in 0..=options.steps {
        if moments.contains(&step) {
            course.push([step as f64, game.spread().energy]);
        }
        if step < options.steps {
            let found = game.step();
            for (series, name) in losses.iter_mut().zip(["critic", "generator"]) {
                let value = found.iter().find(|(known, _)| *known == name).map_or(f64::NAN, |&(_, value)| value.into());
                series.push(value);
            }
        }
        report.progress(step, options.steps);
    }
    let [critic, generator] = losses;
    let (first, last) = (course[0][1], course[course.len() - 1][1]);
    report.show("energy distance before the first step", first);
    report.check("energy distance at the end", last, Expected::AtMost(first / 5.0));
    let late = smooth(&critic[critic.len() / 2..]);
    let swing = deviation(&late);
    report.check("swing of L_D in the second half, standard deviation, nats", swing, Expected::AtLeast(0.005));
    let crossings = crossings(&late);
    report.check("times that it passes through its mean there", crossings as f64, Expected::AtLeast(10.0));
    let spectrum = spectrum(&late);
    let strongest = spectrum.iter().copied().max_by(|a, b| a[1].total_cmp(&b[1])).unwrap_or([f64::NAN; 2]);
    report.show("period of its strongest swing, steps", strongest[0]);
    report.show("mean L_D of the second half, nats (optimum: ln 4 = 1.386)", mean(&late));

    let series = |values: &[f64]| values.iter().enumerate().map(|(n, &v)| [n as f64, v]).collect::<Vec<Point>>();
    let steps = options.steps as f64;
    let charts = [
        Chart::new("The losses", "step", "loss, nats")
            .line("", SKY, series(&critic))
            .line("critic, L_D", BLUE, series(&smooth(&critic)))
            .line("generator, L_G", ORANGE, series(&smooth(&generator)))
            .dashes("ln 4", BLUE, [[0.0, 4f64.ln()], [steps, 4f64.ln()]])
            .dashes("ln 2", ORANGE, [[0.0, 2f64.ln()], [steps, 2f64.ln()]])
            .y_range(0.0, 3.0),
        Chart::new("The samples", "step", "energy distance to the data")
            .line("", GREEN, course.clone())
            .dots("", GREEN, 5, course)
            .log_y(),
        Chart::new("Spectrum of L_D, second half", "period, steps", "power, nats²")
            .line("", RED, spectrum)
            .log_x()
            .log_y(),
    ];
    report.plot(
        "convergence.png",
        "The plain game on the ring. Left: losses, averaged over 15 steps (pale: the critic's of each batch). Middle: the samples meanwhile. \
         Right: swings of all lengths.",
        &charts,
        3,
        [540, 480],
    )
}

/// The mean of each value and those around it.
fn smooth(values: &[f64]) -> Vec<f64> {
    let half = SMOOTH / 2;
    (0..values.len()).map(|at| mean(&values[at.saturating_sub(half)..(at + half + 1).min(values.len())])).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// How often a course passes through its mean.
fn crossings(values: &[f64]) -> usize {
    let mean = mean(values);
    values.windows(2).filter(|pair| (pair[0] > mean) != (pair[1] > mean)).count()
}

/// Periods and the power of each in a course, by the discrete Fourier transform.
fn spectrum(values: &[f64]) -> Vec<Point> {
    let (count, mean) = (values.len(), mean(values));
    let power = |frequency: usize| {
        let angle = |at: usize| std::f64::consts::TAU * (frequency * at % count) as f64 / count as f64;
        let part = |f: fn(f64) -> f64| values.iter().enumerate().map(|(at, v)| (v - mean) * f(angle(at))).sum::<f64>();
        2.0 * (part(f64::sin).powi(2) + part(f64::cos).powi(2)) / (count * count) as f64
    };
    // Shorter periods than the average's are gone; a third of the window and more is its trend.
    (3..=count / SMOOTH).map(|frequency| [count as f64 / frequency as f64, power(frequency)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spectrum_finds_a_wave() {
        let wave: Vec<f64> = (0..600).map(|n| 1.0 + 0.3 * (std::f64::consts::TAU * n as f64 / 60.0).sin()).collect();
        let found = spectrum(&wave);
        let [period, power] = found.into_iter().max_by(|a, b| a[1].total_cmp(&b[1])).unwrap();
        assert_eq!(period, 60.0);
        assert!((power - 0.045).abs() < 1e-9, "half of the amplitude's square: {power}");
        assert!((19..=20).contains(&crossings(&wave)), "two in a period: {}", crossings(&wave));
    }
}
