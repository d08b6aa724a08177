//! Unsupervised learning as supervised learning: density ratios by logistic regression.

use anyhow::Result;
use edgegen_metrics::divergence::normal;
use edgegen_metrics::logistic::{Case, auc, fit, logit, sigmoid};

use super::plot::{BLACK, BLUE, Chart, GREY, ORANGE, RED, curve, histogram};
use super::{Expected, Experiment, Options, Report};
use crate::data::{self, Dataset};
use crate::recipe::DataConfig;
use crate::rng::Rng;

/// See [`super`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "density-ratio",
    title: "A classifier knows the density ratio",
    lecture: "Kuleshov, Cornell Tech, lecture 9, “Unsupervised learning as supervised learning”",
    claim: "Who tells samples of two distributions apart as well as can be has learned the ratio of their densities. With one of the two known, that \
            is the other's density with its normalizing constant; with a clean set beside a mixed one, it finds outliers.",
    equation: "P(Y = 1 | x) = σ(ln p(x | Y = 1) / p(x | Y = 0))",
    mathml: "<mi>P</mi><mo>(</mo><mi>Y</mi><mo>=</mo><mn>1</mn><mo>|</mo><mi>x</mi><mo>)</mo><mo>=</mo><mi>σ</mi><mo>(</mo><mi>ln</mi><mfrac><mrow>\
             <mi>p</mi><mo>(</mo><mi>x</mi><mo>|</mo><mi>Y</mi><mo>=</mo><mn>1</mn><mo>)</mo></mrow><mrow><mi>p</mi><mo>(</mo><mi>x</mi><mo>|</mo>\
             <mi>Y</mi><mo>=</mo><mn>0</mn><mo>)</mo></mrow></mfrac><mo>)</mo>",
    slip: Some(
        "The slide ends in σ(log P(X|Y=0)/P(X|Y=1)), upside down: the fraction 1 / (1 + P₀/P₁) before it is σ(log P₁/P₀). Taken as it stands it \
         gives each sample the other's probability.",
    ),
    steps: 0,
    run,
};

const SAMPLES: usize = 60_000;
/// Standard deviations of the model's data and of the noise in noise-contrastive estimation.
const DATA: f64 = 1.5;
const NOISE: f64 = 2.5;
/// Known inliers; inliers among the tested; outliers among the tested.
const INLIERS: (usize, usize, usize) = (800, 400, 100);

fn run(options: &Options, report: &mut Report) -> Result<()> {
    let mut rng = Rng::new(options.seed, 0);
    let mut draw = |mean: f64, deviation: f64| -> Vec<f64> {
        (0..SAMPLES).map(|_| mean + deviation * f64::from(rng.normal())).collect()
    };
    let (zeros, ones) = (draw(0.0, 1.0), draw(1.0, 1.0));
    let weights = fit(&cases(&zeros, &ones, |x| vec![x, 1.0], |_| 0.0), 0.0);
    report.check("ln p₀/p₁ of N(0, 1) and N(1, 1): slope", weights[0], Expected::Near(-1.0, 0.05));
    report.check("its intercept", weights[1], Expected::Near(0.5, 0.05));
    // How well the true ratio explains the labels, and how well the slide's does.
    let log_loss = |sign: f64| {
        let of = |x: f64, is_zero: bool| -(sigmoid(sign * if is_zero { 0.5 - x } else { x - 0.5 })).ln();
        let sum: f64 = zeros.iter().map(|&x| of(x, true)).chain(ones.iter().map(|&x| of(x, false))).sum();
        sum / (2 * SAMPLES) as f64
    };
    report.check("log loss of the right formula, nats (a coin: ln 2)", log_loss(1.0), Expected::AtMost(0.65));
    report.check("log loss of the slide's formula", log_loss(-1.0), Expected::AtLeast(0.75));
    report.progress(1, 3);

    let (model, noise) = (draw(0.0, DATA), draw(0.0, NOISE));
    let known = |x: f64| -normal(x, 0.0, NOISE).ln();
    let found = fit(&cases(&model, &noise, |x| vec![x * x, 1.0], known), 0.0);
    let (precision, log_z) = (-2.0 * found[0], -found[1]);
    let truth = (DATA * std::f64::consts::TAU.sqrt()).ln();
    report.check("noise-contrastive: ln Z of exp(−x²/2σ²)", log_z, Expected::Near(truth, 0.02 * truth));
    report.check("noise-contrastive: σ", precision.powf(-0.5), Expected::Near(DATA, 0.02 * DATA));
    report.progress(2, 3);

    let [inliers, outliers] = outliers(options.seed, report)?;
    let charts = [
        Chart::new("Two Gaussians", "x", "ln p₀(x) / p₁(x)")
            .line("fitted to 60 000 samples of each", BLUE, curve(-3.0, 4.0, 2, |x| logit(&weights, &[x, 1.0])))
            .dashes("true: ½ − x", BLACK, curve(-3.0, 4.0, 2, |x| 0.5 - x))
            .dashes("the slide's sign", RED, curve(-3.0, 4.0, 2, |x| x - 0.5))
            .y_range(-4.0, 6.8),
        Chart::new("Noise-contrastive estimation", "x", "density")
            .area("the noise", GREY, curve(-7.0, 7.0, 201, |x| normal(x, 0.0, NOISE)))
            .line("estimated, with its Z", BLUE, curve(-7.0, 7.0, 201, |x| (found[0] * x * x + found[1]).exp()))
            .dashes("true", BLACK, curve(-7.0, 7.0, 201, |x| normal(x, 0.0, DATA)))
            .y_range(0.0, 0.38),
        Chart::new("Outliers", "ln ratio, clean set over mixed set", "density")
            .bars("inliers", BLUE, spread(&inliers, &outliers))
            .bars("outliers", ORANGE, spread(&outliers, &inliers))
            .legend_left(),
    ];
    report.plot(
        "density-ratio.png",
        "Left: logistic regression finds the log ratio. Middle: with the noise known, it finds a density and its constant. Right: the \
         ratio of a clean set to a mixed one is low for what only the mixed one has.",
        &charts,
        3,
        [560, 480],
    )
}

/// Samples of `positive` and `negative` for logistic regression.
fn cases(
    positive: &[f64],
    negative: &[f64],
    features: impl Fn(f64) -> Vec<f64>,
    offset: impl Fn(f64) -> f64,
) -> Vec<Case> {
    let case = |x: f64, positive: bool| Case { features: features(x), offset: offset(x), positive };
    positive.iter().map(|&x| case(x, true)).chain(negative.iter().map(|&x| case(x, false))).collect()
}

/// A histogram of `scores` in the range of both sets.
fn spread(scores: &[f64], others: &[f64]) -> Vec<[f64; 2]> {
    let all = || scores.iter().chain(others).copied();
    let (from, to) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    histogram(scores, from, to + 1e-9, 24)
}

/// Scores of tested inliers and outliers: trousers and bags of Fashion-MNIST if it is here, else drawn ones and eights.
///
/// Hido et al., "Statistical Outlier Detection Using Direct Density Ratio Estimation" (2011): inliers are known in one set, the other holds both.
fn outliers(seed: u64, report: &mut Report) -> Result<[Vec<f64>; 2]> {
    let config = |name: &str| DataConfig::new(name, 14, 1);
    // Bags are class 8 of Fashion-MNIST.
    let (dataset, what) = match data::load(&config("fashion-mnist")) {
        Ok(dataset) => (dataset, "trousers among bags (Fashion-MNIST)"),
        Err(_) => {
            (data::load(&config("glyphs"))?, "ones among eights (drawn; fetch fashion-mnist for trousers and bags)")
        }
    };
    let mut rng = Rng::new(seed, 2);
    let [mut inliers, mut outliers] = [1, 8].map(|class| of_class(&dataset, class));
    rng.shuffle(&mut inliers);
    rng.shuffle(&mut outliers);
    let (known, mixed) = (&inliers[..INLIERS.0], &inliers[INLIERS.0..INLIERS.0 + INLIERS.1]);
    let outliers = &outliers[..INLIERS.2];
    let case = |image: &Vec<f64>, positive: bool| Case { features: image.clone(), offset: 0.0, positive };
    let cases: Vec<Case> = known
        .iter()
        .map(|image| case(image, true))
        .chain(mixed.iter().chain(outliers).map(|image| case(image, false)))
        .collect();
    let weights = fit(&cases, 0.01);
    let score = |images: &[Vec<f64>]| images.iter().map(|image| logit(&weights, image)).collect::<Vec<f64>>();
    let scores = [score(mixed), score(outliers)];
    report.check(format!("area under the curve, {what}"), auc(&scores[0], &scores[1]), Expected::AtLeast(0.9));
    Ok(scores)
}

/// The images of a class as pixels in [0, 1], with a 1 behind them.
fn of_class(dataset: &Dataset, class: u8) -> Vec<Vec<f64>> {
    let [height, width, channels] = dataset.shape;
    let labels = dataset.labels.as_deref().unwrap_or(&[]);
    let images = dataset.images.chunks_exact(height * width * channels);
    images
        .zip(labels)
        .filter(|(_, label)| **label == class)
        .map(|(image, _)| image.iter().map(|&pixel| f64::from(pixel) / 255.0).chain([1.0]).collect())
        .collect()
}
