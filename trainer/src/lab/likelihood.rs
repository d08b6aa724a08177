//! Likelihood and the quality of samples are two things.

use anyhow::Result;

use super::plot::{BLUE, Chart, GREY, RED};
use super::{Expected, Experiment, Options, Report};
use crate::rng::Rng;

/// See [`super`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "likelihood",
    title: "A good likelihood with bad samples, and the reverse",
    lecture: "Kuleshov, Cornell Tech, lecture 9, “Towards likelihood-free learning”, after Theis et al. (2016)",
    claim: "A model that draws noise 99 times of 100 loses at most ln 100 ≈ 4.605 nats of log-likelihood, however many dimensions there are; \
            against the likelihood itself that becomes nothing. A model that repeats its training set draws perfect samples, and its \
            test likelihood falls without bound as its kernel narrows.",
    equation: "E log(0.01 p_data + 0.99 p_noise) ≥ E log p_data − ln 100",
    mathml: "<msub><mi>E</mi><msub><mi>p</mi><mi>data</mi></msub></msub><mi>log</mi><mo>(</mo><mn>0.01</mn><msub><mi>p</mi><mi>data</mi></msub>\
             <mo>+</mo><mn>0.99</mn><msub><mi>p</mi><mi>noise</mi></msub><mo>)</mo><mo>≥</mo><msub><mi>E</mi><msub><mi>p</mi><mi>data</mi></msub></msub>\
             <mi>log</mi><msub><mi>p</mi><mi>data</mi></msub><mo>−</mo><mi>ln</mi><mn>100</mn>",
    slip: None,
    steps: 0,
    run,
};

const DIMS: [usize; 8] = [2, 4, 8, 16, 49, 196, 392, 784];
/// The noise's standard deviation; the data's is 1.
const NOISE: f64 = 10.0;
const SAMPLES: usize = 4_000;
/// Points of the memorizer's training set, as many to test on, and their dimensions.
const TRAINED: usize = 400;
const TRAINED_DIMS: usize = 16;

fn run(options: &Options, report: &mut Report) -> Result<()> {
    let (mut gaps, mut shares) = (Vec::new(), Vec::new());
    for (index, &dims) in DIMS.iter().enumerate() {
        let Gap { gap, likelihood, noise } = gap(dims, options.seed);
        gaps.push([dims as f64, gap]);
        shares.push([dims as f64, 100.0 * gap / likelihood.abs()]);
        if dims == 784 {
            report.check("784 dimensions: loss of log-likelihood, nats", gap, Expected::AtMost(100f64.ln() + 1e-9));
            report.check(
                "784 dimensions: that loss, share of |log-likelihood|, %",
                shares[index][1],
                Expected::AtMost(0.5),
            );
            report.check("784 dimensions: samples that are noise, %", 100.0 * noise, Expected::Near(99.0, 0.7));
        }
        report.progress(index as u64, DIMS.len() as u64);
    }
    let largest = gaps.iter().map(|gap| gap[1]).fold(0.0, f64::max);
    report.check("largest loss of all dimensions, nats", largest, Expected::AtMost(100f64.ln() + 1e-9));
    let falls = shares.windows(2).filter(|pair| pair[1][1] < pair[0][1]).count();
    report.check(
        "times that the share falls from one dimension to the next, of 7",
        falls as f64,
        Expected::AtLeast(7.0),
    );

    let memory = memorizer(options.seed);
    let [widest, narrowest] = [memory.first(), memory.last()].map(|row| row.map_or(f64::NAN, |row| row[1]));
    report.show("memorizer, kernel of width 1: test log-likelihood, nats", widest);
    report.check("memorizer, kernel of width 0.001, nats", narrowest, Expected::AtMost(-1e5));
    let falls = memory[2..].windows(2).all(|pair| pair[1][1] < pair[0][1]);
    report.check(
        "it falls with each narrower kernel below 0.5 (1 = yes)",
        f64::from(u8::from(falls)),
        Expected::AtLeast(1.0),
    );
    let truth = -0.5 * TRAINED_DIMS as f64 * (1.0 + std::f64::consts::TAU.ln());
    let charts = [
        Chart::new("99 % noise: what it costs", "dimensions", "loss of log-likelihood")
            .line("nats", BLUE, gaps.clone())
            .dots("", BLUE, 5, gaps)
            .line("% of |log-likelihood|", RED, shares.clone())
            .dots("", RED, 5, shares)
            .dashes("ln 100 nats, the bound", GREY, [[2.0, 100f64.ln()], [784.0, 100f64.ln()]])
            .log_x()
            .log_y()
            .y_range(0.1, 1000.0),
        Chart::new("The training set by heart", "width of the kernel", "log-likelihood of new points, nats")
            .line("memorizer", BLUE, memory.clone())
            .dots("", BLUE, 5, memory)
            .dashes("the data's own distribution", GREY, [[0.001, truth], [1.0, truth]])
            .log_x()
            .y_range(-2000.0, 500.0)
            .legend_left(),
    ];
    report.plot(
        "likelihood.png",
        "Left: both the loss and its share of the likelihood, on logarithmic axes. Right: 400 training and 400 test points of 16 \
         dimensions; a narrower kernel draws truer copies and explains new points worse.",
        &charts,
        2,
        [700, 520],
    )
}

/// What the mixture loses.
struct Gap {
    /// E log p_data − E log p of the mixture, nats.
    gap: f64,
    /// E log p_data, nats.
    likelihood: f64,
    /// Share of the mixture's samples that lie farther out than any of the data.
    noise: f64,
}

fn gap(dims: usize, seed: u64) -> Gap {
    let mut rng = Rng::new(seed, dims as u64);
    // Of a Gaussian only |x|² matters.
    let mut square = |deviation: f64| -> f64 { (0..dims).map(|_| (deviation * f64::from(rng.normal())).powi(2)).sum() };
    let log_normal = |square: f64, deviation: f64| {
        -0.5 * (square / (deviation * deviation) + dims as f64 * (std::f64::consts::TAU * deviation * deviation).ln())
    };
    let data: Vec<f64> = (0..SAMPLES).map(|_| square(1.0)).collect();
    let mean = |f: &dyn Fn(f64) -> f64| data.iter().map(|&square| f(square)).sum::<f64>() / SAMPLES as f64;
    let likelihood = mean(&|square| log_normal(square, 1.0));
    let mixture =
        mean(&|square| log_add(0.01f64.ln() + log_normal(square, 1.0), 0.99f64.ln() + log_normal(square, NOISE)));
    let farthest = data.iter().copied().fold(0.0, f64::max);
    let mut coin = Rng::new(seed, 1_000 + dims as u64);
    let drawn = (0..SAMPLES).filter(|_| square(if coin.unit() < 0.01 { 1.0 } else { NOISE }) > farthest).count();
    Gap { gap: likelihood - mixture, likelihood, noise: drawn as f64 / SAMPLES as f64 }
}

/// Mean log-likelihood of test points under Gaussian kernels on training points, by width.
fn memorizer(seed: u64) -> Vec<[f64; 2]> {
    let mut rng = Rng::new(seed, 1);
    let mut points = || -> Vec<Vec<f64>> {
        (0..TRAINED).map(|_| (0..TRAINED_DIMS).map(|_| f64::from(rng.normal())).collect()).collect()
    };
    let (train, test) = (points(), points());
    let squares: Vec<Vec<f64>> = test
        .iter()
        .map(|x| train.iter().map(|y| x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum()).collect())
        .collect();
    let of_width = |width: f64| {
        let norm = 0.5 * TRAINED_DIMS as f64 * (std::f64::consts::TAU * width * width).ln() + (TRAINED as f64).ln();
        let one = |row: &Vec<f64>| {
            row.iter().map(|square| -0.5 * square / (width * width)).fold(f64::NEG_INFINITY, log_add) - norm
        };
        squares.iter().map(one).sum::<f64>() / TRAINED as f64
    };
    [1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001].map(|width| [width, of_width(width)]).to_vec()
}

/// ln(eᵃ + eᵇ).
fn log_add(a: f64, b: f64) -> f64 {
    let high = a.max(b);
    if high == f64::NEG_INFINITY { high } else { high + ((a - high).exp() + (b - high).exp()).ln() }
}
