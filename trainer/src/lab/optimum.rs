//! Where the game ends: C(G) = 2 JSD − ln 4.

use anyhow::Result;
use edgegen_metrics::divergence::{Line, jensen_shannon, normal};

use super::plot::{BLUE, Chart, GREEN, GREY, RED, curve};
use super::{Expected, Experiment, Options, Report};
use crate::rng::Rng;

/// See [`super`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "optimum",
    title: "The global optimum is −ln 4",
    lecture: "Schwing, ECE 544NA, lecture 21, eq. 7 to 9; Goodfellow et al. (2014), theorem 1; Kuleshov, lecture 9",
    claim: "Against the best critic the generator minimizes twice the Jensen–Shannon divergence, less ln 4. The least value \
            is −ln 4 ≈ −1.386, reached when and only when p_G = p_data; there the critic says ½ everywhere.",
    equation: "C(G) = max_D V(G, D) = 2 JSD(p_data, p_G) − ln 4",
    mathml: "<mi>C</mi><mo>(</mo><mi>G</mi><mo>)</mo><mo>=</mo><munder><mo>max</mo><mi>D</mi></munder><mi>V</mi><mo>(</mo><mi>G</mi>\
             <mo>,</mo><mi>D</mi><mo>)</mo><mo>=</mo><mn>2</mn><mspace width='0.2em'/><mi>JSD</mi><mo>(</mo><msub><mi>p</mi><mi>data</mi></msub>\
             <mo>,</mo><msub><mi>p</mi><mi>G</mi></msub><mo>)</mo><mo>−</mo><mi>ln</mi><mn>4</mn>",
    slip: Some(
        "Eq. 7 of lecture 21 writes C(G) = min over θ of …: C(G) is the value for one G, the minimum comes after it. Its eq. 6 has the sign \
         of −V. A slide of lecture 9 calls JSD “the symmetric KL divergence”: that name is Jeffreys', KL(p‖q) + KL(q‖p), which has no bound; \
         JSD is at most ln 2.",
    ),
    steps: 0,
    run,
};

const LINE: Line = Line { from: -12.0, to: 16.0, cells: 4_000 };
const SAMPLES: usize = 200_000;
const TRIPLES: usize = 1_000;

fn run(options: &Options, report: &mut Report) -> Result<()> {
    let ln4 = 4f64.ln();
    let divergence =
        |shift: f64| jensen_shannon(&LINE.masses(|x| normal(x, 0.0, 1.0)), &LINE.masses(|x| normal(x, shift, 1.0)));
    let mut measured = Vec::new();
    for (index, shift) in [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0].into_iter().enumerate() {
        let value = value(shift, options.seed, index as u64);
        if shift == 0.0 {
            report.check("V(D*, G) where p_G = p_data, nats", value, Expected::Near(-ln4, 0.01));
        } else if [1.0, 2.0, 4.0].contains(&shift) {
            let expected = Expected::Near(2.0 * divergence(shift) - ln4, 0.02);
            report.check(format!("V(D*, G) for N(0, 1) and N({shift}, 1), nats"), value, expected);
        }
        measured.push([shift, value]);
    }
    properties(options.seed, report);
    let charts = [
        Chart::new("The value of the game", "distance of the two Gaussians, σ", "V(D*, G), nats")
            .line("2 JSD − ln 4, integrated", BLUE, curve(0.0, 5.0, 101, |shift| 2.0 * divergence(shift) - ln4))
            .dots("V(D*, G) of 200 000 samples each", RED, 6, measured)
            .dashes("−ln 4", GREY, [[0.0, -ln4], [5.0, -ln4]])
            .dashes("0 = 2 ln 2 − ln 4, the most", GREEN, [[0.0, 0.0], [5.0, 0.0]])
            .y_range(-1.5, 0.15)
            .legend_below(),
        Chart::new("The best critic", "x", "D*(x)")
            .line("distance 1", BLUE, curve(-4.0, 8.0, 241, |x| best(x, 1.0)))
            .dashes("distance 2", RED, curve(-4.0, 8.0, 241, |x| best(x, 2.0)))
            .line("distance 4", GREEN, curve(-4.0, 8.0, 241, |x| best(x, 4.0)))
            .dashes("distance 0: ½", GREY, [[-4.0, 0.5], [8.0, 0.5]])
            .y_range(0.0, 1.05),
    ];
    report.plot(
        "optimum.png",
        "Left: what the best critic reaches, by samples and by integration. Right: that critic, p_data = N(0, 1).",
        &charts,
        2,
        [700, 520],
    )
}

/// D* = p_data / (p_data + p_G) for N(0, 1) and N(`shift`, 1).
fn best(x: f64, shift: f64) -> f64 {
    let (data, model) = (normal(x, 0.0, 1.0), normal(x, shift, 1.0));
    data / (data + model)
}

/// V(D*, G) by samples of both.
fn value(shift: f64, seed: u64, stream: u64) -> f64 {
    let mut rng = Rng::new(seed, stream);
    let mut mean = |from: f64, f: &dyn Fn(f64) -> f64| {
        (0..SAMPLES).map(|_| f(from + f64::from(rng.normal()))).sum::<f64>() / SAMPLES as f64
    };
    mean(0.0, &|x| best(x, shift).ln()) + mean(shift, &|x| (1.0 - best(x, shift)).ln())
}

/// What lecture 9 lists of JSD, on random distributions of five outcomes.
fn properties(seed: u64, report: &mut Report) {
    let mut rng = Rng::new(seed, 100);
    let mut draw = || {
        // Cubes, so that some outcomes are rare.
        let weights: Vec<f64> = (0..5).map(|_| f64::from(rng.unit()).powi(3) + 1e-12).collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect::<Vec<f64>>()
    };
    let (mut least, mut most, mut asymmetry, mut excess) = (f64::INFINITY, 0f64, 0f64, f64::NEG_INFINITY);
    for _ in 0..TRIPLES {
        let [p, q, r] = [draw(), draw(), draw()];
        let [pq, qr, pr] = [(&p, &q), (&q, &r), (&p, &r)].map(|(a, b)| jensen_shannon(a, b));
        least = least.min(pq);
        most = most.max(pq);
        asymmetry = asymmetry.max((pq - jensen_shannon(&q, &p)).abs());
        excess = excess.max(pr.sqrt() - pq.sqrt() - qr.sqrt());
    }
    report.check("least JSD of 1 000 random pairs, nats", least, Expected::AtLeast(0.0));
    report.check("largest JSD, at most ln 2", most, Expected::AtMost(std::f64::consts::LN_2));
    report.check("largest |JSD(p, q) − JSD(q, p)|", asymmetry, Expected::AtMost(1e-12));
    report.check("largest √JSD(p, r) − √JSD(p, q) − √JSD(q, r)", excess, Expected::AtMost(1e-12));
}
