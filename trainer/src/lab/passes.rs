//! Sampling in n steps or in one: masked and inverse autoregressive flows.

use std::time::Instant;

use anyhow::Result;
use burn::tensor::{Device, Tensor};

use super::plot::{BLUE, Chart, GREEN, ORANGE, Point, RED};
use super::{Expected, Experiment, Options, Report};
use crate::nets::Net;
use crate::nets::layer::{Conditional, Way};
use crate::recipe::Prior;
use crate::rng::Rng;
use crate::systems::flow::{Stack, chain, density_in_turn, log_density};
use crate::systems::latents;

/// See [`super`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "passes",
    title: "Samples in n steps or in one",
    lecture: "Kuleshov, Cornell Tech, lecture 9, “IAF vs. MAF” (Papamakarios et al., 2017; Kingma et al., 2016)",
    claim: "A masked autoregressive flow has the density of a point in one pass and draws a point of n values in n; an inverse one draws it in one pass, and \
            needs n for the density of a point that it did not draw. Each is the other with data and noise swapped. The n passes \
            need not be whole ones: each unit computed once, when all that it reads is known, they cost little more than a single one, \
            and are still n steps one after another.",
    equation: "x_i = μ_i(x_<i) + exp(α_i(x_<i)) z_i  (MAF)    x_i = μ_i(z_<i) + exp(α_i(z_<i)) z_i  (IAF)",
    mathml: "<msub><mi>x</mi><mi>i</mi></msub><mo>=</mo><msub><mi>μ</mi><mi>i</mi></msub><mo>(</mo><msub><mi>x</mi><mrow><mo>&lt;</mo><mi>i</mi></mrow></msub>\
             <mo>)</mo><mo>+</mo><msup><mi>e</mi><mrow><msub><mi>α</mi><mi>i</mi></msub><mo>(</mo><msub><mi>x</mi><mrow><mo>&lt;</mo><mi>i</mi></mrow></msub>\
             <mo>)</mo></mrow></msup><msub><mi>z</mi><mi>i</mi></msub><mspace width='1em'/><mtext>or</mtext><mspace width='1em'/><msub><mi>x</mi><mi>i</mi></msub>\
             <mo>=</mo><msub><mi>μ</mi><mi>i</mi></msub><mo>(</mo><msub><mi>z</mi><mrow><mo>&lt;</mo><mi>i</mi></mrow></msub><mo>)</mo><mo>+</mo><msup>\
             <mi>e</mi><mrow><msub><mi>α</mi><mi>i</mi></msub><mo>(</mo><msub><mi>z</mi><mrow><mo>&lt;</mo><mi>i</mi></mrow></msub><mo>)</mo></mrow></msup>\
             <msub><mi>z</mi><mi>i</mi></msub>",
    slip: Some(
        "The lecture lets μ_i and α_i of the inverse flow read z_≤i; they must not read z_i itself (Kingma et al., 2016, eq. 10), or the diagonal of the \
         Jacobian is not exp α_i.",
    ),
    steps: 0,
    run,
};

const SIZES: [usize; 7] = [2, 4, 8, 16, 32, 64, 128];
/// Units of the hidden layer.
const HIDDEN: usize = 256;
const BATCH: usize = 64;
/// The quickest of so many counts: others may want the processor, too.
const TIMES: usize = 3;

fn run(options: &Options, report: &mut Report) -> Result<()> {
    let device = Device::flex();
    let (mut whole, mut in_turn, mut one_pass, mut ratio) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut own, mut others): (Vec<Point>, Vec<Point>) = (Vec::new(), Vec::new());
    let (mut apart, mut undone) = (0.0, 0.0);
    for (index, size) in SIZES.into_iter().enumerate() {
        let mut rng = Rng::new(options.seed, size as u64);
        let net = |way: Way, rng: &mut Rng| {
            let conditional = Conditional::Gaussian;
            Stack { blocks: 1, hidden: &[HIDDEN], conditional, way, batch_norm: false }.net(size, &device, rng)
        };
        let (masked, inverse) = (net(Way::InTurn, &mut rng), net(Way::OnePass, &mut rng));
        let z = latents(Prior::Gaussian, BATCH, size, &mut rng, &device);
        let layer = |net: &Net| chain(net).next().cloned();
        let (Some(maf), Some(iaf)) = (layer(&masked), layer(&inverse)) else {
            anyhow::bail!("expected stacks of one layer")
        };
        let forward =
            |z: Tensor<4>| maf.in_turn(z, |noise, location, log_scale| [location + log_scale.exp() * noise; 2]);
        let point = |seconds: f64| [size as f64, 1e6 * seconds / BATCH as f64];
        let slow = quickest(|| maf.by_passes(z.clone()));
        let fast = quickest(|| iaf.one_pass(z.clone()).0);
        whole.push(point(slow));
        in_turn.push(point(quickest(|| forward(z.clone()))));
        one_pass.push(point(fast));
        ratio.push([size as f64, slow / fast]);
        let x = iaf.one_pass(z.clone()).0;
        own.push(point(quickest(|| log_density(&masked, x.clone(), None).reshape([BATCH, 1, 1, 1]))));
        others.push(point(quickest(|| density_in_turn(&inverse, x.clone()))));
        apart = largest(maf.by_passes(z.clone()) - forward(z.clone())).max(apart);
        let back = iaf.in_turn(x, |value, location, log_scale| [(value - location) * (-log_scale).exp(); 2]);
        undone = largest(back - z).max(undone);
        report.progress(index as u64, SIZES.len() as u64);
    }
    report.check("n whole passes against each unit once: largest difference", apart, Expected::AtMost(1e-4));
    report.check("IAF undone as a MAF: largest difference from the noise", undone, Expected::AtMost(1e-4));
    for [size, times] in &ratio {
        let what = format!("n = {size}: a sample by n whole passes takes so many times as long as by one");
        report.check(what, *times, Expected::AtLeast(0.5 * size));
    }
    let last = SIZES.len() - 1;
    report.show("n = 128: each unit once, times as long as one pass", in_turn[last][1] / one_pass[last][1]);
    let charts = [
        Chart::new("A sample", "values, n", "µs a sample of 64 at once")
            .line("MAF, n whole passes", RED, whole.clone())
            .dots("", RED, 5, whole)
            .line("MAF, each unit once, n steps", ORANGE, in_turn.clone())
            .dots("", ORANGE, 5, in_turn)
            .line("IAF, one pass", GREEN, one_pass.clone())
            .dots("", GREEN, 5, one_pass)
            .log_x()
            .log_y()
            .legend_left(),
        Chart::new("The density of a given point", "values, n", "µs a point of 64 at once")
            .line("IAF, each unit once, n steps", ORANGE, others.clone())
            .dots("", ORANGE, 5, others)
            .line("MAF, one pass", BLUE, own.clone())
            .dots("", BLUE, 5, own)
            .log_x()
            .log_y()
            .legend_left(),
    ];
    report.plot(
        "passes.png",
        "One layer with 256 hidden units, random weights, on this machine’s processor. Left: drawing. Right: the density of points drawn by others.",
        &charts,
        2,
        [680, 500],
    )
}

/// Seconds of the quickest of some runs.
fn quickest(run: impl Fn() -> Tensor<4>) -> f64 {
    let one = || {
        let start = Instant::now();
        // What is asked for is computed.
        let _values = run().into_data();
        start.elapsed().as_secs_f64()
    };
    (0..TIMES).map(|_| one()).fold(f64::INFINITY, f64::min)
}

fn largest(difference: Tensor<4>) -> f64 {
    difference.abs().max().into_scalar::<f32>().into()
}
