//! Which mode does the best fit take: KL, reverse KL and JSD.

use anyhow::Result;
use edgegen_metrics::divergence::{Line, jensen_shannon, kl, normal};

use super::plot::{BLACK, BLUE, Chart, GREEN, GREY, RED, curve, draw};
use super::{Expected, Experiment, Options, Report};

/// See [`super`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "divergences",
    title: "Covering and seeking modes",
    lecture: "Kuleshov, Cornell Tech, lecture 9, “Jenson-Shannon Divergence”",
    claim: "One Gaussian is fitted to two modes at ±a. KL(p‖q), the objective of maximum likelihood, always covers both. Reverse KL picks one \
            mode soon. JSD, the GAN's, picks one only where the modes are far apart: at a < 4 it covers both, too.",
    equation: "min_{μ,σ} D(½ N(−a, 1) + ½ N(a, 1), N(μ, σ²)) for D = KL(p‖q), KL(q‖p), JSD",
    mathml: "<munder><mo>min</mo><mrow><mi>μ</mi><mo>,</mo><mi>σ</mi></mrow></munder><mi>D</mi><mo>(</mo><mfrac><mn>1</mn><mn>2</mn></mfrac>\
             <mi>N</mi><mo>(</mo><mo>−</mo><mi>a</mi><mo>,</mo><mn>1</mn><mo>)</mo><mo>+</mo><mfrac><mn>1</mn><mn>2</mn></mfrac><mi>N</mi><mo>(</mo>\
             <mi>a</mi><mo>,</mo><mn>1</mn><mo>)</mo><mo>,</mo><mi>N</mi><mo>(</mo><mi>μ</mi><mo>,</mo><msup><mi>σ</mi><mn>2</mn></msup><mo>)</mo>\
             <mo>)</mo>",
    slip: Some(
        "The slide says that JSD is mode-seeking. That holds for far modes only: up to a ≈ 4 (modes eight standard deviations apart) the best \
         Gaussian in JSD covers both, as that of maximum likelihood does.",
    ),
    steps: 0,
    run,
};

const LINE: Line = Line { from: -25.0, to: 25.0, cells: 1_000 };

/// A divergence between the two modes and one Gaussian.
#[derive(Clone, Copy, PartialEq)]
enum Divergence {
    Kl,
    ReverseKl,
    JensenShannon,
}

/// The best Gaussian, and whether it sits on one mode.
#[derive(Clone, Copy, Debug)]
struct Fit {
    mean: f64,
    deviation: f64,
    value: f64,
}

fn run(options: &Options, report: &mut Report) -> Result<()> {
    // Nothing is random here: another seed gives the same.
    let _ = options.seed;
    use Divergence::{JensenShannon, Kl, ReverseKl};
    let places: Vec<f64> = (0..=28).map(|index| 1.0 + 0.15 * f64::from(index)).collect();
    let mut means: [Vec<[f64; 2]>; 3] = Default::default();
    let mut frames = Vec::new();
    for (index, &a) in places.iter().enumerate() {
        let fits = [Kl, ReverseKl, JensenShannon].map(|divergence| fit(divergence, a));
        for (series, fit) in means.iter_mut().zip(&fits) {
            series.push([a, fit.mean]);
        }
        frames.push(draw(&[panel(a, &fits)], 1, [760, 480])?);
        report.progress(index as u64, places.len() as u64 + 6);
    }
    let gaussian = fit(Kl, 4.0);
    report.check("a = 4, KL(p‖q): μ", gaussian.mean, Expected::Near(0.0, 0.001));
    report.check("a = 4, KL(p‖q): σ = √(1 + a²)", gaussian.deviation, Expected::Near(17f64.sqrt(), 0.001));
    report.check("a where KL(q‖p) leaves both for one mode", flips(ReverseKl, 2.0, 4.0), Expected::Between(2.8, 3.0));
    report.check("a where JSD leaves both for one mode", flips(JensenShannon, 3.0, 6.0), Expected::Between(4.0, 4.4));
    let [near, far] = [4.0, 4.4].map(|a| fit(JensenShannon, a));
    report.check("a = 4, JSD: μ (both modes)", near.mean, Expected::Near(0.0, 0.01));
    report.check("a = 4, JSD: σ", near.deviation, Expected::Near(4.09, 0.02));
    report.check("a = 4, JSD: its value, nats", near.value, Expected::Near(0.2010, 0.0005));
    report.check("a = 4.4, JSD: μ (one mode)", far.mean, Expected::Near(4.4, 0.02));
    report.check("a = 4.4, JSD: its value, nats", far.value, Expected::Near(0.2158, 0.0005));
    let fits = |a: f64| panel(a, &[Kl, ReverseKl, JensenShannon].map(|divergence| fit(divergence, a)));
    let [forward, reverse, jsd] = means;
    let map = Chart::new("Where the best Gaussian sits", "a, half the distance of the modes", "its mean μ")
        .line("a mode", GREY, [[1.0, 1.0], [5.2, 5.2]])
        .line("KL(p‖q)", BLUE, forward)
        .line("JSD", GREEN, jsd)
        .dashes("KL(q‖p)", RED, reverse)
        .y_range(-0.3, 6.0)
        .legend_left();
    report.plot(
        "divergences.png",
        "The best Gaussian in each divergence at three distances, and its mean over the distance. Where lines lie on each other, the dashed one and the last of the list are seen.",
        &[fits(2.0), fits(3.5), fits(5.0), map],
        2,
        [700, 460],
    )?;
    report.film("divergences.gif", "The same, as the modes move apart.", frames, 160)
}

fn panel(a: f64, fits: &[Fit; 3]) -> Chart {
    let shape = |fit: Fit| curve(-12.0, 12.0, 481, move |x| normal(x, fit.mean, fit.deviation));
    Chart::new(format!("Modes at ±{a:.2}"), "x", "density")
        .area("p, two modes", BLACK, curve(-12.0, 12.0, 481, |x| density(x, a)))
        .line("KL(p‖q)", BLUE, shape(fits[0]))
        .line("JSD", GREEN, shape(fits[2]))
        .dashes("KL(q‖p)", RED, shape(fits[1]))
        .y_range(0.0, 0.45)
        .legend_left()
}

fn density(x: f64, a: f64) -> f64 {
    0.5 * (normal(x, -a, 1.0) + normal(x, a, 1.0))
}

/// The better of two fits: one found from both modes, one from the right one.
fn fit(divergence: Divergence, a: f64) -> Fit {
    let p = LINE.masses(|x| density(x, a));
    let [both, one] = [[0.0, (1.0 + a * a).sqrt()], [a, 1.0]].map(|start| {
        search(start, |mean, deviation| {
            let q = LINE.masses(|x| normal(x, mean, deviation).max(1e-300));
            match divergence {
                Divergence::Kl => kl(&p, &q),
                Divergence::ReverseKl => kl(&q, &p),
                Divergence::JensenShannon => jensen_shannon(&p, &q),
            }
        })
    });
    if one.value < both.value { one } else { both }
}

/// The a at which one mode becomes the better fit, by bisection.
fn flips(divergence: Divergence, mut from: f64, mut to: f64) -> f64 {
    while to - from > 1e-3 {
        let middle = 0.5 * (from + to);
        // By where it sits, because a search that begins between the modes may end on one, too.
        if fit(divergence, middle).mean.abs() > 0.5 * middle { to = middle } else { from = middle }
    }
    0.5 * (from + to)
}

/// A minimum of `value` near `start` = `[mean, deviation]`: tries a step both ways along each and halves it where none helps.
fn search([mean, deviation]: [f64; 2], value: impl Fn(f64, f64) -> f64) -> Fit {
    let mut best = Fit { mean, deviation, value: value(mean, deviation) };
    let mut step = 0.25;
    while step > 1e-5 {
        let tries = [(step, 1.0), (-step, 1.0), (0.0, 1.0 + step), (0.0, 1.0 / (1.0 + step))];
        let next = tries
            .map(|(shift, factor)| {
                let (mean, deviation) = (best.mean + shift, best.deviation * factor);
                Fit { mean, deviation, value: value(mean, deviation) }
            })
            .into_iter()
            .min_by(|a, b| a.value.total_cmp(&b.value));
        match next {
            Some(next) if next.value < best.value => best = next,
            _ => step /= 2.0,
        }
    }
    best
}
