//! A density that can be computed: masked autoregressive flows in the plane.

use anyhow::Result;
use burn::tensor::{Device, Tensor, TensorData};
use edgegen_metrics::Features;
use edgegen_metrics::baselines::normal::{Moments, Normal};

use super::game::{Game, MOONS, changed, pairs};
use super::plot::{Chart, GREEN};
use super::{Expected, Experiment, Options, Report};
use crate::data::Plane;
use crate::systems::flow::{Density, log_density};
use crate::systems::maf;

/// See [`super`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "flow",
    title: "A density that can be computed",
    lecture: "Kuleshov, Cornell Tech, lecture 9, “Masked Autoregressive Flow” (Papamakarios et al., 2017)",
    claim: "The Jacobian of a flow whose values depend on those before them alone is triangular, so that the logarithm of its determinant is a sum and the \
            likelihood is exact. Trained by it, a flow describes two moons by at least half a nat a point better than any Gaussian, and comes within a tenth \
            of what can be known at all: minus the entropy of the data. What has holes or falls into pieces it describes worse: it bends one Gaussian, and \
            cannot tear it.",
    equation: "log p(x) = log N(z; 0, I) − Σ α_i(x_<i),  z_i = (x_i − μ_i(x_<i)) / exp α_i(x_<i)",
    mathml: "<mi>log</mi><mi>p</mi><mo>(</mo><mi>x</mi><mo>)</mo><mo>=</mo><mi>log</mi><mi>N</mi><mo>(</mo><mi>z</mi><mo>)</mo><mo>−</mo><munder><mo>∑</mo>\
             <mi>i</mi></munder><msub><mi>α</mi><mi>i</mi></msub><mo>(</mo><msub><mi>x</mi><mrow><mo>&lt;</mo><mi>i</mi></mrow></msub><mo>)</mo><mo>,</mo>\
             <mspace width='0.6em'/><msub><mi>z</mi><mi>i</mi></msub><mo>=</mo><mfrac><mrow><msub><mi>x</mi><mi>i</mi></msub><mo>−</mo><msub><mi>μ</mi>\
             <mi>i</mi></msub></mrow><mrow><mi>exp</mi><msub><mi>α</mi><mi>i</mi></msub></mrow></mfrac>",
    slip: Some(
        "The lecture calls the Jacobian “lower diagonal”: it is lower triangular, with exp(−α_i) on the diagonal.",
    ),
    steps: 3_000,
    run,
};

/// Points that likelihoods are measured on.
const TESTED: usize = 10_000;
/// Cells of a side of a density's picture.
const CELLS: usize = 72;
const SHOWN: usize = 1_500;

fn run(options: &Options, report: &mut Report) -> Result<()> {
    let sets = ["moons", "circles", "grid"];
    let mut panels = Vec::new();
    for (index, name) in sets.into_iter().enumerate() {
        let recipe = changed(MOONS, &format!("[data]\nname = \"{name}\""), options.seed, options.steps)?;
        let mut game = Game::of(recipe, maf::build)?;
        for step in 0..options.steps {
            game.step();
            report.progress(index as u64 * options.steps + step, sets.len() as u64 * options.steps);
        }
        let plane = game.plane.clone();
        let test = plane.mixture.sample(TESTED, options.seed + 7);
        let found = log_densities(&game.system, &plane, &test).iter().sum::<f64>() / TESTED as f64;
        let truth = plane.mixture.log_likelihood(&test);
        let mut moments = Moments::new(2);
        moments.add(&test);
        let gaussian = Normal::fit(&moments, 0.0).log_likelihood(&moments);
        report.show(format!("{name}: log-likelihood of new points, nats"), found);
        report.show(format!("{name}: by the data's own density"), truth);
        let [more, less] = [found - gaussian, truth - found];
        let [over, under] = ["more than by a Gaussian", "less than by the data's own density"];
        if name == "moons" {
            report.check(format!("{name}: {over}, nats"), more, Expected::AtLeast(0.5));
            report.check(format!("{name}: {under}, nats"), less, Expected::AtMost(0.1));
        } else {
            report.show(format!("{name}: {over}, nats"), more);
            report.show(format!("{name}: {under}, nats"), less);
        }
        let (cells, side) = cells(&plane);
        let known: Vec<f64> = cells.samples().map(|at| plane.mixture.log_density([at[0], at[1]]).exp()).collect();
        let learned = log_densities(&game.system, &plane, &cells).into_iter().map(f64::exp).collect();
        panels.push(heat(format!("{name}: the data’s density"), known));
        panels.push(heat(format!("{name}: the flow’s"), learned));
        panels.push(
            Chart::new(format!("{name}: points of the flow"), "x", "y")
                .dots("", GREEN, 2, pairs(&game.points(SHOWN)))
                .x_range(-side, side)
                .y_range(-side, side),
        );
    }
    report.plot(
        "flow.png",
        "Left and middle: densities, darker is denser, each from 0 to its own largest. Right: points that the flow draws, in two steps each.",
        &panels,
        3,
        [480, 470],
    )
}

/// The log-density of each point by the averaged weights, points and density in the mixture's units.
pub fn log_densities(density: &Density, plane: &Plane, points: &Features) -> Vec<f64> {
    let values: Vec<f32> = points.samples().flatten().map(|value| value / plane.scale).collect();
    let x = Tensor::from_data(TensorData::new(values, [points.len(), 2, 1, 1]), &Device::flex());
    let logs = log_density(&density.average.0, x, None).into_data();
    let logs = logs.try_to_vec::<f32>().expect("networks compute in 32-bit floats");
    logs.into_iter().map(|log| f64::from(log) - 2.0 * f64::from(plane.scale).ln()).collect()
}

/// The middles of all cells, row by row from the top, and what lies between the origin and the border.
fn cells(plane: &Plane) -> (Features, f64) {
    let at = |index: usize| plane.scale * ((2 * index + 1) as f32 / CELLS as f32 - 1.0);
    let values = (0..CELLS * CELLS).flat_map(|cell| [at(cell % CELLS), -at(cell / CELLS)]).collect();
    (Features::new(2, values), plane.scale.into())
}

fn heat(title: String, values: Vec<f64>) -> Chart {
    let none = vec![String::new(); CELLS];
    Chart::new(title, "", "").heat(none.clone(), none, values, vec![String::new(); CELLS * CELLS])
}
