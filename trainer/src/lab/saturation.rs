//! Why the generator's loss is changed: gradients where the critic is sure.

use anyhow::Result;
use burn::tensor::{Tensor, TensorData};

use super::plot::{BLUE, Chart, Point, RED, curve};
use super::{Expected, Experiment, Options, Report};
use crate::device;
use crate::systems::adversarial::Loss;

/// See [`super`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "saturation",
    title: "The saturating and the non-saturating loss",
    lecture: "Schwing, ECE 544NA, lecture 21, eq. 10 and 11, figures 4 and 5; Goodfellow et al. (2014), §3",
    claim: "While the critic is sure, D(G(z)) = ε, the minimax loss hardly moves the generator: its gradient is ε/(1 − ε) of that of −log D(G(z)), \
            which has the same fixed point. At ε = 0.01 that is one part in 99.",
    equation: "|∂ log(1 − D) / ∂s| : |∂ (−log D) / ∂s| = ε : (1 − ε),  D = σ(s) = ε",
    mathml: "<mfrac><mrow><mo>|</mo><mo>∂</mo><mi>log</mi><mo>(</mo><mn>1</mn><mo>−</mo><mi>σ</mi><mo>(</mo><mi>s</mi><mo>)</mo><mo>)</mo><mo>/</mo>\
             <mo>∂</mo><mi>s</mi><mo>|</mo></mrow><mrow><mo>|</mo><mo>∂</mo><mi>log</mi><mi>σ</mi><mo>(</mo><mi>s</mi><mo>)</mo><mo>/</mo><mo>∂</mo>\
             <mi>s</mi><mo>|</mo></mrow></mfrac><mo>=</mo><mfrac><mi>ε</mi><mrow><mn>1</mn><mo>−</mo><mi>ε</mi></mrow></mfrac><mo>,</mo>\
             <mspace width='0.6em'/><mi>σ</mi><mo>(</mo><mi>s</mi><mo>)</mo><mo>=</mo><mi>D</mi><mo>(</mo><mi>G</mi><mo>(</mo><mi>z</mi><mo>)</mo>\
             <mo>)</mo><mo>=</mo><mi>ε</mi>",
    slip: Some(
        "Eq. 11 of lecture 21 reads min over θ of −w(G_θ(z)); what is meant is −log D_w(G_θ(z)). Its eq. 10 writes C(G) as max over θ of min over w.",
    ),
    steps: 0,
    run,
};

fn run(options: &Options, report: &mut Report) -> Result<()> {
    // Nothing is random here: another seed gives the same.
    let _ = options.seed;
    let sure: Vec<f64> = (0..=40).map(|index| 10f64.powf(-4.0 + 0.1 * f64::from(index)) * 0.99).collect();
    let [minimax, non_saturating] = [Loss::Minimax, Loss::NonSaturating].map(|loss| gradients(loss, &sure));
    let minimax = minimax?;
    let non_saturating = non_saturating?;
    for epsilon in [0.001, 0.01, 0.1, 0.5] {
        let ratio = gradients(Loss::Minimax, &[epsilon])?[0] / gradients(Loss::NonSaturating, &[epsilon])?[0];
        let expected = epsilon / (1.0 - epsilon);
        report.check(
            format!("ratio of gradients at D(G(z)) = {epsilon}"),
            ratio,
            Expected::Near(expected, 0.01 * expected),
        );
    }
    let series = |values: &[f64]| sure.iter().zip(values).map(|(&d, &value)| [d, value]).collect::<Vec<Point>>();
    let charts = [
        Chart::new("Losses of the generator", "D(G(z))", "loss, nats")
            .line("log(1 − D(G(z))), minimax", RED, curve(0.003, 0.997, 300, |d| (1.0 - d).ln()))
            .dashes("−log D(G(z)), non-saturating", BLUE, curve(0.003, 0.997, 300, |d| -d.ln()))
            .y_range(-5.0, 5.0),
        Chart::new("Their gradients, by autodiff", "D(G(z))", "|∂ loss / ∂ score|")
            .line("minimax", RED, series(&minimax))
            .dashes("non-saturating", BLUE, series(&non_saturating))
            .log_x()
            .log_y()
            .y_range(5e-5, 3.0)
            .legend_below(),
    ];
    report.plot(
        "saturation.png",
        "Early in training the critic is sure, which is on the left of both plots: there the minimax loss is flat.",
        &charts,
        2,
        [700, 500],
    )
}

/// |∂ L_G / ∂s| where σ(s) is each of `says`, by the losses that the systems train with.
fn gradients(loss: Loss, says: &[f64]) -> Result<Vec<f64>> {
    let device = device::open("flex")?.autodiff();
    let scores: Vec<f32> = says.iter().map(|d| (d / (1.0 - d)).ln() as f32).collect();
    let count = scores.len();
    let scores = Tensor::<4>::from_data(TensorData::new(scores, [count, 1, 1, 1]), &device).require_grad();
    let gradients = loss.generator(scores.clone(), None).backward();
    let slope = scores.grad(&gradients).expect("the loss depends on the scores").into_data();
    let slope = slope.try_to_vec::<f32>().expect("networks compute in 32-bit floats");
    // The loss is the mean over the batch.
    Ok(slope.into_iter().map(|slope| f64::from(slope.abs()) * count as f64).collect())
}
