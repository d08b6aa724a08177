//! The game on the line, step by step: figure 1 of the paper.

use anyhow::Result;
use burn::module::Module;
use burn::tensor::Tensor;
use edgegen_metrics::divergence::{Line, jensen_shannon, normal};
use edgegen_metrics::logistic::sigmoid;

use super::game::{column, evaluate, scalar_net};
use super::plot::{BLACK, BLUE, Chart, GREEN, GREY, Point, curve, draw, histogram};
use super::{Expected, Experiment, Options, Report};
use crate::device;
use crate::nets::{Mode, Net};
use crate::recipe::TrainConfig;
use crate::rng::Rng;
use crate::systems::adversarial::Loss;
use crate::systems::learner::{Average, Learner};
use crate::systems::penalty::Penalty;

/// See [`super`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "learning",
    title: "Learning in steps",
    lecture: "Notes on Goodfellow et al. (2014), figure 1: D blue and dashed, p_data black, p_G green",
    claim: "The critic learns where the generator's points are too many and too few, the generator follows it, until p_G = p_data and the critic says \
            ½ everywhere.",
    equation: "min_G max_D E log D(x) + E log(1 − D(G(z)))  →  p_G = p_data, D = ½",
    mathml: "<munder><mo>min</mo><mi>G</mi></munder><munder><mo>max</mo><mi>D</mi></munder><msub><mi>E</mi><mi>x</mi></msub><mi>log</mi><mi>D</mi>\
             <mo>(</mo><mi>x</mi><mo>)</mo><mo>+</mo><msub><mi>E</mi><mi>z</mi></msub><mi>log</mi><mo>(</mo><mn>1</mn><mo>−</mo><mi>D</mi><mo>(</mo>\
             <mi>G</mi><mo>(</mo><mi>z</mi><mo>)</mo><mo>)</mo><mo>)</mo><mspace width='0.4em'/><mo>→</mo><mspace width='0.4em'/><msub><mi>p</mi>\
             <mi>G</mi></msub><mo>=</mo><msub><mi>p</mi><mi>data</mi></msub><mo>,</mo><mi>D</mi><mo>=</mo><mfrac><mn>1</mn><mn>2</mn></mfrac>",
    slip: Some(
        "The algorithm box of lecture 9 (Kuleshov) updates the generator before the critic; Goodfellow et al., algorithm 1, train the critic first, k times.",
    ),
    steps: 3_000,
    run,
};

const MEAN: f32 = 1.0;
const DEVIATION: f32 = 0.5;
const BATCH: usize = 256;
const SHOWN: usize = 20_000;
const FRAMES: u64 = 36;
/// Where the critic is asked: three standard deviations both ways.
const SUPPORT: Line = Line { from: -0.5, to: 2.5, cells: 60 };

fn run(options: &Options, report: &mut Report) -> Result<()> {
    let device = device::open("flex")?;
    let mut duel = Duel::new(options.seed, &device);
    let (mut frames, mut panels, mut divergences) = (Vec::new(), Vec::new(), Vec::new());
    // Frames lie closer together at the beginning, where more happens.
    let times = |count: u64| -> Vec<u64> {
        let at = |index: u64| (index as f64 / (count - 1) as f64).powi(2) * options.steps as f64;
        let mut times: Vec<u64> = (0..count).map(|index| at(index).round() as u64).collect();
        times.dedup();
        times
    };
    let (shown, stills) = (times(FRAMES), times(6));
    for step in 0..=options.steps {
        if shown.contains(&step) || stills.contains(&step) {
            let state = duel.state(options.seed);
            divergences.push([step as f64, state.divergence]);
            let panel = state.panel(step);
            if shown.contains(&step) {
                frames.push(draw(std::slice::from_ref(&panel), 1, [640, 460])?);
            }
            if stills.contains(&step) {
                panels.push(panel);
            }
        }
        if step < options.steps {
            duel.step(step, options.steps);
        }
        report.progress(step, options.steps);
    }
    let state = duel.state(options.seed);
    report.check("mean |D − ½| on the support", state.unsure, Expected::AtMost(0.05));
    report.check("JSD(p_data, p_G) of histograms, nats", state.divergence, Expected::AtMost(0.02));
    report.show("the same before the first step", divergences[0][1]);
    report.plot("learning.png", "Six moments of the game on the line.", &panels, 3, [520, 400])?;
    let course = Chart::new("The distance falls", "step", "JSD(p_data, p_G), nats")
        .line("", BLUE, divergences.clone())
        .dots("", BLUE, 4, divergences)
        .dashes("0.02", GREY, [[0.0, 0.02], [options.steps as f64, 0.02]])
        .log_y();
    report.plot("learning-course.png", "Histograms of 20 000 points against p_data.", &[course], 1, [760, 440])?;
    report.film("learning.gif", "D blue and dashed, p_data black, p_G green.", frames, 180)
}

/// Two small nets.
struct Duel {
    generator: Learner,
    critic: Learner,
    average: Average,
    device: burn::tensor::Device,
    rng: Rng,
}

/// What they have come to.
struct State {
    points: Vec<f64>,
    critic: Vec<Point>,
    unsure: f64,
    divergence: f64,
}

impl Duel {
    fn new(seed: u64, device: &burn::tensor::Device) -> Self {
        let mut weights = Rng::new(seed, 0);
        let trained = device.clone().autodiff();
        let config = TrainConfig { beta1: 0.0, beta2: 0.99, ..TrainConfig::default() };
        let [generator, critic] = [0, 1].map(|_| scalar_net(&[32, 32], &trained, &mut weights));
        Self {
            average: Average::of(&generator),
            generator: Learner::new("generator", generator, &config),
            critic: Learner::new("critic", critic, &config),
            device: device.clone(),
            rng: Rng::new(seed, 1),
        }
    }

    fn latents(&mut self) -> Tensor<4> {
        column((0..BATCH).map(|_| self.rng.normal()).collect(), &self.device)
    }

    fn real(&mut self) -> Tensor<4> {
        column((0..BATCH).map(|_| MEAN + DEVIATION * self.rng.normal()).collect(), &self.device)
    }

    fn step(&mut self, step: u64, steps: u64) {
        let rate = 2e-3 * 0.05f64.powf(step as f64 / steps as f64);
        let (real, latents) = (self.real(), self.latents());
        let fake = self.generator.net.valid().forward(latents, &mut Mode::Eval);
        let score = |net: &Net, x: &Tensor<4>| net.forward(x.clone(), &mut Mode::Eval);
        let loss = Loss::NonSaturating.critic(score(&self.critic.net, &real), score(&self.critic.net, &fake));
        let head = Tensor::ones([BATCH, 1, 1, 1], &self.device);
        // Without it the players go round their equilibrium (see `oscillation`).
        let penalty = Penalty::ZeroCentred(0.1).of(&self.critic.net, real, fake, &head, &mut self.rng);
        let loss = penalty.into_iter().fold(loss, |sum, penalty| sum + penalty);
        self.critic.update(&mut loss.backward(), rate);

        let latents = self.latents();
        let fixed = self.critic.net.clone().no_grad();
        let loss = Loss::NonSaturating.generator(score(&fixed, &score(&self.generator.net, &latents)), None);
        self.generator.update(&mut loss.backward(), rate);
        self.average.0.average(&self.generator.net, 0.98f64.min((1 + step) as f64 / (10 + step) as f64));
    }

    fn state(&self, seed: u64) -> State {
        let mut rng = Rng::new(seed, 2);
        let latents: Vec<f64> = (0..SHOWN).map(|_| f64::from(rng.normal())).collect();
        let points = evaluate(&self.average.0, &latents, &self.device);
        let critic = self.critic.net.valid();
        let says =
            |places: &[f64]| -> Vec<f64> { evaluate(&critic, places, &self.device).into_iter().map(sigmoid).collect() };
        let places: Vec<f64> = SUPPORT.middles().collect();
        let unsure = says(&places).iter().map(|d| (d - 0.5).abs()).sum::<f64>() / places.len() as f64;
        let cells = Line { from: -2.0, to: 4.0, cells: 40 };
        let divergence = jensen_shannon(&cells.masses(density), &cells.shares(&points));
        let axis: Vec<f64> = curve(-3.0, 4.0, 141, |x| x).into_iter().map(|[x, _]| x).collect();
        let critic = axis.iter().copied().zip(says(&axis)).map(|(x, d)| [x, d]).collect();
        State { points, critic, unsure, divergence }
    }
}

impl State {
    fn panel(&self, step: u64) -> Chart {
        Chart::new(format!("Step {step}"), "x", "density; D(x)")
            .line("p_data", BLACK, curve(-3.0, 4.0, 281, density))
            .area("p_G", GREEN, histogram(&self.points, -3.0, 4.0, 70))
            .dashes("D", BLUE, self.critic.clone())
            .x_range(-3.0, 4.0)
            .y_range(0.0, 1.3)
            .legend_left()
    }
}

fn density(x: f64) -> f64 {
    normal(x, f64::from(MEAN), f64::from(DEVIATION))
}
