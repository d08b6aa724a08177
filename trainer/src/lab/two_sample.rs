//! Two-sample tests: are two sets of samples from one distribution?

use anyhow::Result;
use edgegen_metrics::{Features, mmd, two_sample};
use rayon::prelude::*;

use super::plot::{BLACK, BLUE, Chart, GREY, ORANGE, RED, histogram};
use super::{Expected, Experiment, Options, Report};
use crate::rng::Rng;

/// See [`super`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "two-sample",
    title: "Two-sample tests need no likelihood",
    lecture: "Kuleshov, Cornell Tech, lecture 9, “Comparing distributions via samples”",
    claim: "From samples alone a test rejects P = Q. At the level of 5 % it is wrong in 5 % of the cases where P = Q, and with 200 points of each \
            it sees a shift of half a standard deviation in nearly all of them.",
    equation: "MMD² = E k(x, x′) + E k(y, y′) − 2 E k(x, y);  reject P = Q where p ≤ α",
    mathml: "<msup><mi>MMD</mi><mn>2</mn></msup><mo>=</mo><mi>E</mi><mi>k</mi><mo>(</mo><mi>x</mi><mo>,</mo><msup><mi>x</mi><mo>′</mo></msup>\
             <mo>)</mo><mo>+</mo><mi>E</mi><mi>k</mi><mo>(</mo><mi>y</mi><mo>,</mo><msup><mi>y</mi><mo>′</mo></msup><mo>)</mo><mo>−</mo><mn>2</mn>\
             <mi>E</mi><mi>k</mi><mo>(</mo><mi>x</mi><mo>,</mo><mi>y</mi><mo>)</mo>",
    slip: Some(
        "The slide compares the statistic T with a threshold that it calls α. α is the level, the chance to reject P = Q where it holds; the threshold \
         follows from it, here as the share α of permutations of the pooled samples with a larger T.",
    ),
    steps: 0,
    run,
};

/// The level of the tests.
const LEVEL: f64 = 0.05;
const PERMUTATIONS: usize = 99;
/// Trials with P = Q: so many that chance alone moves a share of 5 % by 0.5 %.
const NULL: (u64, usize) = (2_000, 40);
/// Trials with P ≠ Q and points of each set.
const POWER: (u64, [usize; 4]) = (200, [25, 50, 100, 200]);
const SHIFT: f32 = 0.5;

type Test = fn(&Features, &Features, usize, u64) -> mmd::Test;
const TESTS: [(&str, Test); 2] = [("MMD", mmd::test), ("classifier", two_sample::test)];

fn run(options: &Options, report: &mut Report) -> Result<()> {
    let mut same = Vec::new();
    for (name, test) in TESTS {
        let p_values = trials(test, NULL.0, NULL.1, 0.0, options.seed);
        let rejected = share(&p_values);
        // Few values of an accuracy are possible, so that a classifier's test is a little careful.
        let expected = if name == "MMD" { Expected::Near(5.0, 2.0) } else { Expected::AtMost(7.0) };
        report.check(format!("{name}: P = Q rejected, % of 2 000 trials"), 100.0 * rejected, expected);
        same.push(p_values);
        report.progress(same.len() as u64, 4);
    }
    let mut power = [Vec::new(), Vec::new()];
    let mut other = Vec::new();
    for (series, (name, test)) in power.iter_mut().zip(TESTS) {
        for count in POWER.1 {
            let p_values = trials(test, POWER.0, count, SHIFT, options.seed);
            series.push([count as f64, 100.0 * share(&p_values)]);
            other.push(p_values);
        }
        let found = series[series.len() - 1][1];
        let what = format!("{name}: N(0, I₂) and N(½, I₂) told apart, n = 200, % of 200 trials");
        report.check(what, found, Expected::AtLeast(if name == "MMD" { 95.0 } else { 90.0 }));
        report.progress(if name == "MMD" { 3 } else { 4 }, 4);
    }
    let [of_mmd, of_classifier] = power;
    let charts = [
        Chart::new("p-values of MMD", "p-value", "density")
            .bars("P = Q: even", BLUE, histogram(&same[0], 0.0, 1.0001, 20))
            .dashes("even", BLACK, [[0.0, 1.0], [1.0, 1.0]])
            .line("P ≠ Q, n = 25", RED, histogram(&other[0], 0.0, 1.0001, 20))
            .x_range(0.0, 1.0)
            .y_range(0.0, 14.0),
        Chart::new("Power: P ≠ Q is seen", "points of each set", "rejected, %")
            .line("MMD", BLUE, of_mmd.clone())
            .dots("", BLUE, 5, of_mmd)
            .dashes("classifier", ORANGE, of_classifier.clone())
            .dots("", ORANGE, 5, of_classifier)
            .dashes("level α = 5 %", GREY, [[25.0, 5.0], [200.0, 5.0]])
            .y_range(0.0, 105.0)
            .legend_below(),
    ];
    report.plot(
        "two-sample.png",
        "Left: p-values are even where P = Q, as they must be, and small where not. Right: how often N(0, I₂) and N(½, I₂) are told apart.",
        &charts,
        2,
        [700, 500],
    )
}

/// p-values of trials with `count` points of N(0, I₂) and of N(`shift`, I₂).
fn trials(test: Test, trials: u64, count: usize, shift: f32, seed: u64) -> Vec<f64> {
    (0..trials)
        .into_par_iter()
        .map(|trial| {
            let mut rng = Rng::new(seed, trial);
            let mut points = |mean: f32| Features::new(2, (0..2 * count).map(|_| mean + rng.normal()).collect());
            let (x, y) = (points(0.0), points(shift));
            test(&x, &y, PERMUTATIONS, seed.wrapping_add(trial)).p_value
        })
        .collect()
}

fn share(p_values: &[f64]) -> f64 {
    p_values.iter().filter(|p| **p <= LEVEL).count() as f64 / p_values.len() as f64
}
