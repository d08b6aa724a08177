//! A student that draws in one pass what its teacher knows.

use anyhow::Result;
use burn::tensor::Device;
use edgegen_export::Label;
use edgegen_export::layers::PixelRange;
use edgegen_metrics::Features;
use edgegen_runtime::Model;

use super::game::{Game, MOONS_STUDENT, changed, pairs};
use super::plot::{BLUE, Chart, GREEN, GREY, ORANGE, Point};
use super::{Expected, Experiment, Options, Report};
use crate::data::Plane;
use crate::lower;
use crate::systems::iaf::Distillation;
use crate::systems::{Generator, System as _, Trained};

/// See [`super`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "distillation",
    title: "A student that draws in one pass",
    lecture: "Kuleshov, Cornell Tech, lecture 9, “Probability density distillation” (van den Oord et al., Parallel WaveNet, 2018)",
    claim: "A masked flow learns from the data by likelihood. An inverse flow learns from it by the divergence of its own samples, whose density by both is \
            at hand, and then draws in one pass what the teacher draws in n. On two moons less than a tenth of a nat is left between them. \
            Eight bits draw the same points, as near as eight bits are.",
    equation: "KL(s ‖ t) = E_{z ~ N(0, I)} [log s(x(z)) − log t(x(z))]",
    mathml: "<mi>KL</mi><mo>(</mo><mi>s</mi><mo>‖</mo><mi>t</mi><mo>)</mo><mo>=</mo><msub><mi>E</mi><mi>z</mi></msub><mo>[</mo><mi>log</mi><mi>s</mi><mo>(</mo>\
             <mi>x</mi><mo>(</mo><mi>z</mi><mo>)</mo><mo>)</mo><mo>−</mo><mi>log</mi><mi>t</mi><mo>(</mo><mi>x</mi><mo>(</mo><mi>z</mi><mo>)</mo><mo>)</mo>\
             <mo>]</mo>",
    slip: Some(
        "The lecture's teacher is a MAF; that of Parallel WaveNet is a WaveNet with a mixture of logistics for each sample, and its 1000 times are sequential passes.",
    ),
    steps: 6_000,
    run,
};

const TESTED: usize = 10_000;
const SHOWN: usize = 1_500;
/// Latent vectors that the exporter calibrates with.
const CALIBRATION: usize = 256;

fn run(options: &Options, report: &mut Report) -> Result<()> {
    let recipe = changed(MOONS_STUDENT, "", options.seed, options.steps)?;
    let mut game = Game::of(recipe, Distillation::build)?;
    let (mut course, mut window): (Vec<Point>, Vec<f64>) = (Vec::new(), Vec::new());
    let every = (options.steps / 100).max(1);
    for step in 1..=options.steps {
        let losses = game.step();
        window.extend(losses.iter().filter(|(name, _)| *name == "divergence").map(|&(_, value)| f64::from(value)));
        if step.is_multiple_of(every) {
            course.push([step as f64, window.iter().sum::<f64>() / window.len() as f64]);
            window.clear();
        }
        report.progress(step, options.steps);
    }
    let plane = game.plane.clone();
    let test = plane.mixture.sample(TESTED, options.seed + 7);
    let mut batch = Some(game.tensor(&test));
    let score = game.system.score(&mut || batch.take());
    let value =
        |name: &str| score.iter().find(|(known, _)| *known == name).map_or(f64::NAN, |&(_, value)| value.into());
    let divergence = value("divergence_from_teacher");
    report.check("KL(s ‖ t) on 10 000 new samples, nats", divergence, Expected::AtMost(0.1));
    let late = &course[course.len() - course.len().div_ceil(10)..];
    let trained = late.iter().map(|point| point[1]).sum::<f64>() / late.len() as f64;
    report.check(
        "in the last tenth of the training, less that, nats",
        trained - divergence,
        Expected::Between(-0.1, 0.1),
    );
    report.show("log-likelihood of new points by the teacher, nats", value("teacher_log_likelihood"));
    report.show("by the student", value("test_log_likelihood"));
    report.show("by the data's own density", plane.mixture.log_likelihood(&test));

    let student = game.generator();
    let [float, int8] = both(&student, &plane)?;
    let distance = |(a, b): (&[f32], &[f32])| f64::from((a[0] - b[0]).hypot(a[1] - b[1]));
    let mut distances: Vec<f64> = float.samples().zip(int8.samples()).map(distance).collect();
    distances.sort_by(f64::total_cmp);
    report.show(
        "float and eight bits: largest distance of a point, in the moons' units (their σ is 0.1)",
        distances[distances.len() - 1],
    );
    report.check(
        "float and eight bits: distance of 95 of 100 points at most",
        distances[distances.len() * 95 / 100],
        Expected::AtMost(0.1),
    );
    let teacher = game.system.teacher.trained();
    let Trained::Generator(teacher) = teacher else { anyhow::bail!("expected a teacher that draws") };
    let panel = |title: &str, colour, points: &Features| {
        Chart::new(title, "x", "y").dots("", colour, 2, pairs(points)).x_range(-2.0, 2.0).y_range(-1.5, 1.5)
    };
    let charts = [
        Chart::new("The divergence", "step", "KL(s ‖ t), nats")
            .line("student from teacher", BLUE, course)
            .dashes("a tenth of a nat", GREY, [[0.0, 0.1], [options.steps as f64, 0.1]])
            .log_y()
            .y_range(0.005, 20.0),
        panel("Teacher, two steps a point", BLUE, &game.points_of(&teacher, SHOWN)),
        panel("Student, one pass", GREEN, &float.first(SHOWN)),
        panel("Student, eight bits", ORANGE, &int8.first(SHOWN)),
    ];
    report.plot(
        "distillation.png",
        "Two moons: the course of the divergence, and 1 500 points of each.",
        &charts,
        2,
        [620, 480],
    )
}

/// Points of the float student and of its int8 model file from the same seeds, in the mixture's units.
fn both(student: &Generator, plane: &Plane) -> Result<[Features; 2]> {
    let network = lower::lower(student)?;
    let file = edgegen_export::export(&network, CALIBRATION, Label { name: "student", metadata: &[] })?.file;
    let model = Model::parse_any(file.bytes())?;
    let input = student.input();
    let seeds = 0..TESTED as u64;
    let latents: Vec<Vec<f32>> = seeds.clone().map(|seed| input.vector(seed)).collect();
    let float = plane.points(&student.generate(&latents, &Device::flex()), student.pixels);
    let levels = |seed: u64| edgegen_export::image(&model, seed).into_iter().map(|byte| f32::from(byte) / 127.5 - 1.0);
    let made: Vec<Vec<f32>> = seeds.map(|seed| levels(seed).collect()).collect();
    Ok([float, plane.points(&made, PixelRange::Symmetric)])
}
