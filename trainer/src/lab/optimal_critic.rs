//! The best critic, learned.

use anyhow::Result;
use burn::module::Module;
use edgegen_metrics::divergence::{Line, normal};

use super::game::{column, evaluate, scalar_net};
use super::plot::{BLACK, BLUE, Chart, GREEN, Point, RED, curve};
use super::{Expected, Experiment, Options, Report};
use crate::device;
use crate::nets::Mode;
use crate::recipe::TrainConfig;
use crate::rng::Rng;
use crate::systems::adversarial::Loss;
use crate::systems::learner::Learner;

/// See [`super`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "optimal-critic",
    title: "The optimal critic",
    lecture: "Schwing, ECE 544NA, lecture 21, eq. 4 to 6; Goodfellow et al. (2014), proposition 1; McAllester, TTIC 31230; Kuleshov, lecture 9",
    claim: "For a fixed generator the best critic says how likely a point is to be real: D* = p_data / (p_data + p_G). A small net, \
            trained on samples alone, comes to it.",
    equation: "D*(x) = p_data(x) / (p_data(x) + p_G(x)) = σ(ln p_data(x) / p_G(x))",
    mathml: "<msup><mi>D</mi><mo>*</mo></msup><mo>(</mo><mi>x</mi><mo>)</mo><mo>=</mo><mfrac><mrow><msub><mi>p</mi><mi>data</mi></msub><mo>(</mo>\
             <mi>x</mi><mo>)</mo></mrow><mrow><msub><mi>p</mi><mi>data</mi></msub><mo>(</mo><mi>x</mi><mo>)</mo><mo>+</mo><msub><mi>p</mi><mi>G</mi></msub>\
             <mo>(</mo><mi>x</mi><mo>)</mo></mrow></mfrac><mo>=</mo><mi>σ</mi><mo>(</mo><mi>ln</mi><mfrac><mrow><msub><mi>p</mi><mi>data</mi></msub>\
             <mo>(</mo><mi>x</mi><mo>)</mo></mrow><mrow><msub><mi>p</mi><mi>G</mi></msub><mo>(</mo><mi>x</mi><mo>)</mo></mrow></mfrac><mo>)</mo>",
    slip: Some(
        "The notes on Goodfellow et al. say that the maximum of a log y + b log(1 − y) is a/(a + b); that is where it is reached, the argmax. In eq. 6 of \
         lecture 21 the derivative has the sign of −V.",
    ),
    steps: 1_500,
    run,
};

/// Mean and standard deviation of the data and of the generator, which does not learn.
const DATA: (f64, f64) = (-1.0, 1.0);
const MODEL: (f64, f64) = (1.0, 0.6);
const BATCH: usize = 512;
/// Where the critic is compared: where either density is above a hundredth of its peak.
const SUPPORT: Line = Line { from: -4.0, to: 2.8, cells: 400 };

fn run(options: &Options, report: &mut Report) -> Result<()> {
    let device = device::open("flex")?;
    let [mut weights, mut noise] = [0, 1].map(|stream| Rng::new(options.seed, stream));
    let net = scalar_net(&[64, 64], &device.clone().autodiff(), &mut weights);
    let mut critic = Learner::new("critic", net, &TrainConfig { beta1: 0.9, beta2: 0.999, ..TrainConfig::default() });
    let (mut losses, mut early) = (Vec::new(), Vec::new());
    for step in 0..options.steps {
        let mut batch = |(mean, deviation): (f64, f64)| {
            column((0..BATCH).map(|_| mean as f32 + deviation as f32 * noise.normal()).collect(), &device)
        };
        let [real, fake] = [batch(DATA), batch(MODEL)].map(|x| critic.net.forward(x, &mut Mode::Eval));
        let loss = Loss::Minimax.critic(real, fake);
        losses.push([step as f64, -f64::from(loss.clone().into_scalar::<f32>())]);
        // The rate falls to a hundredth, so that the noise of batches averages out.
        let rate = 5e-3 * 0.01f64.powf(step as f64 / options.steps as f64);
        critic.update(&mut loss.backward(), rate);
        if step == options.steps / 50 {
            early = shown(&critic, &device);
        }
        report.progress(step, options.steps);
    }
    let places: Vec<f64> = SUPPORT.middles().collect();
    let says = evaluate(&critic.net.valid(), &places, &device);
    let error = places.iter().zip(&says).map(|(&x, &says)| (sigmoid(says) - best(x)).abs()).sum::<f64>();
    report.check("mean |D − D*| on the support", error / places.len() as f64, Expected::AtMost(0.03));
    let line = Line { from: -8.0, to: 8.0, cells: 4_000 };
    let (p, q) = (line.masses(|x| density(DATA, x)), line.masses(|x| density(MODEL, x)));
    let predicted = 2.0 * edgegen_metrics::divergence::jensen_shannon(&p, &q) - 4f64.ln();
    let tail = &losses[losses.len() - losses.len().div_ceil(5)..];
    let reached = tail.iter().map(|point| point[1]).sum::<f64>() / tail.len() as f64;
    report.check("V(D, G) at the end, nats (2 JSD − ln 4)", reached, Expected::Near(predicted, 0.03));

    let charts = [
        Chart::new("What the critic says", "x", "density; D(x)")
            .area("p_data", BLACK, curve(-5.0, 3.0, 161, |x| density(DATA, x)))
            .area("p_G", GREEN, curve(-5.0, 3.0, 161, |x| density(MODEL, x)))
            .line("D* by the formula", RED, curve(-5.0, 3.0, 161, best))
            .dashes("D, trained", BLUE, shown(&critic, &device))
            .dashes("D after 2 % of the steps", super::plot::SKY, early)
            .y_range(0.0, 1.35),
        Chart::new("The value of the game", "step", "V(D, G), nats")
            .line("by batches of 512 and 512", super::plot::SKY, losses.clone())
            .dashes("2 JSD − ln 4", RED, [[0.0, predicted], [options.steps as f64, predicted]])
            .y_range(-1.6, 0.0)
            .legend_below(),
    ];
    report.plot("optimal-critic.png", "A net of two layers of 64 units, trained on samples.", &charts, 2, [700, 520])
}

fn density((mean, deviation): (f64, f64), x: f64) -> f64 {
    normal(x, mean, deviation)
}

fn best(x: f64) -> f64 {
    let (data, model) = (density(DATA, x), density(MODEL, x));
    data / (data + model)
}

fn sigmoid(x: f64) -> f64 {
    edgegen_metrics::logistic::sigmoid(x)
}

/// D over the range of the plot.
fn shown(critic: &Learner, device: &burn::tensor::Device) -> Vec<Point> {
    let places: Vec<f64> = curve(-5.0, 3.0, 161, |x| x).into_iter().map(|[x, _]| x).collect();
    let says = evaluate(&critic.net.valid(), &places, device);
    places.into_iter().zip(says).map(|(x, says)| [x, sigmoid(says)]).collect()
}
