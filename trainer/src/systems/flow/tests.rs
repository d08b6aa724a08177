//! Densities against what they are by definition.

use super::*;
use crate::data::Plane;
use crate::systems::latents;
use edgegen_metrics::Features;
use edgegen_metrics::baselines::normal::{Moments, Normal};

pub(in crate::systems) const DIMS: usize = 4;

/// A stack as if it had learned: every parameter and statistic moved by chance.
fn stack(way: Way, batch_norm: bool) -> Net {
    let (device, mut rng) = (Device::flex(), Rng::new(1, 0));
    let stack = Stack { blocks: 3, hidden: &[12, 9], conditional: Conditional::Gaussian, way, batch_norm };
    let mut net = stack.net(DIMS, &device, &mut rng);
    for layer in &mut net.layers {
        match layer {
            Layer::Autoregressive(layer) => {
                for masked in layer.log_scale.iter_mut().chain([&mut layer.location]) {
                    masked.weight = masked.weight.clone().map(|weight| weight.mul_scalar(3.0));
                    masked.bias = masked.bias.clone().map(|bias| moved(bias, 0.3, &mut rng));
                }
            }
            Layer::BatchNorm(norm) => {
                for param in [&mut norm.gamma, &mut norm.beta, &mut norm.mean] {
                    *param = param.clone().map(|value| moved(value, 0.3, &mut rng));
                }
                norm.variance = norm.variance.clone().map(|value| moved(value, 0.2, &mut rng));
            }
            _ => {}
        }
    }
    net
}

fn moved(tensor: Tensor<1>, by: f32, rng: &mut Rng) -> Tensor<1> {
    let noise: Vec<f32> = (0..tensor.dims()[0]).map(|_| by * rng.normal()).collect();
    tensor + Tensor::<1>::from_floats(noise.as_slice(), &Device::flex())
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// ln |det ∂f/∂u| at u by central differences, and f(u).
pub(in crate::systems) fn numeric(f: impl Fn(Tensor<4>) -> Tensor<4>, u: &[f32]) -> (f64, Vec<f32>) {
    const STEP: f32 = 2e-3;
    let mut points = vec![u.to_vec()];
    for at in 0..DIMS {
        for by in [STEP, -STEP] {
            let mut point = u.to_vec();
            point[at] += by;
            points.push(point);
        }
    }
    let batch = points.len();
    let made = host(f(Tensor::from_data(TensorData::new(points.concat(), [batch, DIMS, 1, 1]), &Device::flex())));
    let row = |index: usize| &made[index * DIMS..][..DIMS];
    let mut matrix: Vec<Vec<f64>> = (0..DIMS)
        .map(|at| {
            let [up, down] = [row(1 + 2 * at), row(2 + 2 * at)];
            up.iter().zip(down).map(|(a, b)| f64::from(a - b) / f64::from(2.0 * STEP)).collect()
        })
        .collect();
    // Gaussian elimination; the determinant is the product of the pivots.
    let mut log = 0.0;
    for at in 0..DIMS {
        let pivot = (at..DIMS).max_by(|&a, &b| matrix[a][at].abs().total_cmp(&matrix[b][at].abs())).unwrap();
        matrix.swap(at, pivot);
        log += matrix[at][at].abs().ln();
        let own = matrix[at].clone();
        for row in &mut matrix[at + 1..] {
            let factor = row[at] / own[at];
            row.iter_mut().zip(&own).for_each(|(value, own)| *value -= factor * own);
        }
    }
    (log, row(0).to_vec())
}

pub(in crate::systems) fn log_gauss(u: &[f32]) -> f64 {
    u.iter().map(|&u| -0.5 * f64::from(u).powi(2) - 0.5 * TAU.ln()).sum()
}

#[test]
fn the_density_is_that_of_the_samples() {
    for batch_norm in [false, true] {
        let net = stack(Way::InTurn, batch_norm);
        let generator = sampler(&net, Space::Points, [DIMS, 1, 1]);
        let mut rng = Rng::new(2, 0);
        for _ in 0..8 {
            let u: Vec<f32> = (0..DIMS).map(|_| rng.normal()).collect();
            let (log_det, x) = numeric(|u| generator.net.forward(u, &mut crate::nets::Mode::Eval), &u);
            let x = Tensor::from_data(TensorData::new(x, [1, DIMS, 1, 1]), &Device::flex());
            let found = f64::from(host(log_density(&net, x, None))[0]);
            assert!((found - (log_gauss(&u) - log_det)).abs() < 1e-3, "{found} {}", log_gauss(&u) - log_det);
        }
    }
}

#[test]
fn there_and_back_again() {
    let net = stack(Way::InTurn, true);
    let generator = sampler(&net, Space::Points, [DIMS, 1, 1]);
    let u = latents(Prior::Gaussian, 100, DIMS, &mut Rng::new(3, 0), &Device::flex());
    let mut x = generator.net.forward(u.clone(), &mut crate::nets::Mode::Eval);
    for layer in &net.layers {
        x = match layer {
            Layer::Autoregressive(layer) => {
                let Conditionals { location, log_scale } = layer.conditionals(x.clone());
                (x - location) * log_scale.unwrap().neg().exp()
            }
            norm => norm.forward(vec![x], &mut crate::nets::Mode::Eval),
        };
    }
    let difference = host((x - u).abs()).into_iter().fold(0.0, f32::max);
    assert!(difference < 1e-4, "{difference}");
}

#[test]
fn statistics_of_the_batch_are_those_that_are_kept() {
    let mut net = stack(Way::InTurn, true);
    let x = latents(Prior::Gaussian, 200, DIMS, &mut Rng::new(4, 0), &Device::flex());
    let mut seen = Vec::new();
    let trained = host(log_density(&net, x.clone(), Some(&mut seen)));
    assert_eq!(seen.len(), 3);
    let norms = net.layers.iter_mut().filter_map(|layer| match layer {
        Layer::BatchNorm(norm) => Some(norm),
        _ => None,
    });
    for (norm, [mean, variance]) in norms.zip(seen) {
        norm.mean = norm.mean.clone().map(|_| mean);
        norm.variance = norm.variance.clone().map(|_| variance);
    }
    for (a, b) in trained.into_iter().zip(host(log_density(&net, x, None))) {
        assert!((a - b).abs() < 1e-3, "{a} {b}");
    }
}

#[test]
fn logits_are_those_of_noisy_levels() {
    let device = Device::flex();
    let levels = [0.0f32, 1.0, 128.0, 255.0];
    let values: Vec<f32> = levels.iter().map(|level| level / 127.5 - 1.0).collect();
    let images = Tensor::<4>::from_data(TensorData::new(values, [1, 1, 2, 2]), &device);
    let Seen { x, volume } = Space::Logit(0.05).see(images.clone(), &mut Rng::new(5, 0));
    let mut expected = 4.0 * -256f64.ln();
    for (x, level) in host(x).into_iter().zip(levels) {
        let squeezed = 1.0 / (1.0 + (-f64::from(x)).exp());
        let found = 256.0 * (squeezed - 0.05) / 0.9;
        assert!((f64::from(level)..=f64::from(level) + 1.0).contains(&found), "{found} {level}");
        expected += (0.9 / (squeezed * (1.0 - squeezed))).ln();
    }
    assert!((volume - expected).abs() < 1e-3, "{volume} {expected}");
    let Seen { x, volume } = Space::Bits.see(images, &mut Rng::new(5, 0));
    let bits = host(x);
    assert!(volume == 0.0 && bits[0] == 0.0 && bits[3] == 1.0 && bits.iter().all(|&bit| bit == 0.0 || bit == 1.0));
}

#[test]
fn bits_have_the_sum_of_their_logarithms() {
    let (device, mut rng) = (Device::flex(), Rng::new(6, 0));
    let conditional = Conditional::Bernoulli;
    let net = Stack { blocks: 1, hidden: &[8], conditional, way: Way::InTurn, batch_norm: false }
        .net(DIMS, &device, &mut rng);
    // All sixteen words of four bits: their probabilities add up to one.
    let words: Vec<f32> = (0..16).flat_map(|word| (0..DIMS).map(move |bit| f32::from(word >> bit & 1 == 1))).collect();
    let words = Tensor::from_data(TensorData::new(words, [16, DIMS, 1, 1]), &device);
    let sum: f64 = host(log_density(&net, words, None)).into_iter().map(|log| f64::from(log).exp()).sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
}

/// What an inverse flow says of its own samples at once it says of the same points, handed in, value by value.
#[test]
fn own_samples_have_the_density_of_others() {
    let device = Device::flex();
    let stack =
        Stack { blocks: 3, hidden: &[12], conditional: Conditional::Gaussian, way: Way::OnePass, batch_norm: false };
    let mut net = stack.net(5, &device, &mut Rng::new(1, 0));
    for layer in &mut net.layers {
        let Layer::Autoregressive(layer) = layer else { panic!("a stack without normalizations") };
        for masked in layer.log_scale.iter_mut().chain([&mut layer.location]) {
            masked.weight = masked.weight.clone().map(|weight| weight.mul_scalar(3.0));
        }
    }
    let z = latents(Prior::Gaussian, 200, 5, &mut Rng::new(2, 0), &device);
    let (x, log) = draw_in_one_pass(&net, z);
    for (a, b) in host(log).into_iter().zip(host(density_in_turn(&net, x))) {
        assert!((a - b).abs() < 1e-3, "{a} {b}");
    }
}

/// Two moons, which no ellipse describes: half a nat a point at least is what a flow knows more.
#[test]
fn moons_are_likelier_than_by_a_gaussian() {
    const STEPS: u64 = 800;
    let text = "system = \"maf\"\n[data]\nname = \"moons\"\n[maf]\nblocks = 4\nhidden = [32]";
    let recipe = Recipe::parse(text).unwrap();
    let plane = Plane::named("moons").unwrap();
    let (device, mut rng) = (Device::flex(), Rng::new(1, 0));
    let mut system = (crate::systems::maf::KIND.build)(&recipe, &device.clone().autodiff(), &mut rng).unwrap();
    let mut points = Rng::new(1, 2);
    let tensor = |values: Vec<f32>| {
        let count = values.len() / 2;
        Tensor::<4>::from_data(TensorData::new(values, [count, 2, 1, 1]), &device)
    };
    for step in 0..STEPS {
        let mut next_batch = || {
            let (values, labels) = plane.draw(256, &mut points);
            crate::systems::Batch::alone(tensor(values), labels)
        };
        let rate = 5e-3 * (1.0 - 0.9 * step as f64 / STEPS as f64);
        let ema = (1 + step) as f64 / (10 + step) as f64;
        let (lr_generator, lr_critic) = (rate, rate);
        system.step(&mut Step {
            lr_generator,
            lr_critic,
            ema: ema.min(0.98),
            rng: &mut rng,
            next_batch: &mut next_batch,
        });
    }
    let (values, _) = plane.draw(5_000, &mut Rng::new(9, 0));
    let mut moments = Moments::new(2);
    moments.add(&Features::new(2, values.iter().map(|value| plane.scale * value).collect()));
    let gaussian = Normal::fit(&moments, 0.0).log_likelihood(&moments);
    let mut test = Some(tensor(values));
    let found = f64::from(system.score(&mut || test.take())[0].1);
    assert!(found > gaussian + 0.5, "{found} {gaussian}");
}
