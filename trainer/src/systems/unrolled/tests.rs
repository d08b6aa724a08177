//! The gradient through the steps ahead, and the game without them.

use super::*;
use crate::systems::Batch;
use crate::systems::adversarial::{Adversarial, Players};
use crate::systems::penalty::Penalty;
use crate::systems::tricks::Tricks;
use burn::tensor::{DType, TensorData};

const ADAM: Adam = Adam { beta1: 0.5, beta2: 0.999, rate: 0.02 };

/// Numbers in 64 bits, so that differences of the loss mean something.
fn numbers(shape: [usize; 2], sigma: f64, device: &Device, rng: &mut Rng) -> Tensor<2> {
    let values: Vec<f64> = (0..shape[0] * shape[1]).map(|_| sigma * f64::from(rng.normal())).collect();
    Tensor::from_data(TensorData::new(values, shape), (device, DType::F64))
}

fn values(tensor: Tensor<2>) -> Vec<f64> {
    tensor.into_data().try_to_vec().unwrap()
}

/// A critic 2-6-5-1 in the middle of its training.
fn small_critic(rng: &mut Rng) -> Critic {
    let device = Device::flex();
    let shapes = [[6, 2], [1, 6], [5, 6], [1, 5], [1, 5], [1, 1]];
    let mut draw = |sigma: f64| -> Dense { shapes.map(|shape| numbers(shape, sigma, &device, rng)).into() };
    let (weights, first) = (draw(0.8), draw(0.05));
    let second = draw(0.1).into_iter().map(|tensor| tensor.square()).collect();
    Critic { weights, first, second, time: 7 }
}

/// G(z) = B tanh(A z), 32 + 16 parameters, at 12 latents.
fn fake(parts: [Tensor<2>; 2], latents: Tensor<2>) -> Tensor<2> {
    let [a, b] = parts;
    latents.matmul(a).tanh().matmul(b)
}

#[test]
fn the_gradient_through_k_steps_agrees_with_finite_differences() {
    let mut rng = Rng::new(1, 0);
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    let critic = small_critic(&mut rng);
    let [real, latents] = [[12, 2], [12, 4]].map(|shape| numbers(shape, 1.0, &plain, &mut rng));
    let parts = [[4, 8], [8, 2]].map(|shape| values(numbers(shape, 0.7, &plain, &mut rng)));
    let tensors = |parts: &[Vec<f64>; 2], device: &Device| {
        let tensor = |part: usize, shape: [usize; 2]| {
            Tensor::<2>::from_data(TensorData::new(parts[part].clone(), shape), (device, DType::F64))
        };
        [tensor(0, [4, 8]), tensor(1, [8, 2])]
    };
    let loss_of = |tensors: [Tensor<2>; 2], loss: Loss, unroll: usize| {
        let fake = fake(tensors, latents.clone());
        generator_loss(loss, &critic.ahead(unroll, &real, &fake, ADAM), real.clone(), fake)
    };
    for (loss, unroll) in [(Loss::Minimax, 0), (Loss::Minimax, 5), (Loss::NonSaturating, 3)] {
        let tracked = tensors(&parts, &device).map(Tensor::require_grad);
        let gradients = loss_of(tracked.clone(), loss, unroll).backward();
        let analytic: Vec<f64> = tracked.iter().flat_map(|part| values(part.grad(&gradients).unwrap())).collect();
        assert_eq!(analytic.len(), 48);
        const STEP: f64 = 1e-5;
        let numeric = (0..48).map(|at| {
            let moved = |by: f64| {
                let mut parts = parts.clone();
                parts[at / 32][at % 32] += by;
                loss_of(tensors(&parts, &plain), loss, unroll).into_scalar::<f64>()
            };
            (moved(STEP) - moved(-STEP)) / (2.0 * STEP)
        });
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
        let size = norm(&mut analytic.iter().copied());
        let error = norm(&mut analytic.iter().zip(numeric).map(|(a, b)| a - b)) / size;
        assert!(size > 1e-2 && error < 1e-6, "k = {unroll}: relative error {error} of {size}");
    }
}

#[test]
fn the_written_gradient_is_that_of_backpropagation() {
    let mut rng = Rng::new(2, 0);
    let device = Device::flex().autodiff();
    let mut critic = small_critic(&mut rng);
    let [real, fake] = [1.0, 0.5].map(|sigma| numbers([9, 2], sigma, &Device::flex(), &mut rng));
    let written = critic.gradient(real.clone(), fake.clone());
    critic.weights = critic
        .weights
        .into_iter()
        .map(|tensor| Tensor::from_data(tensor.into_data(), (&device, DType::F64)).require_grad())
        .collect();
    let gradients = Loss::Minimax.critic(critic.scores(real), critic.scores(fake)).backward();
    for (weights, written) in critic.weights.iter().zip(written) {
        let expected = weights.grad(&gradients).unwrap();
        assert_eq!(expected.dims(), written.dims());
        let most = values(expected - written).into_iter().fold(0.0, |most, x| x.abs().max(most));
        assert!(most < 1e-12, "{most}");
    }
}

fn recipe(table: &str) -> Result<Recipe> {
    Recipe::parse(&format!(
        "system = \"unrolled\"\n[data]\nname = \"ring\"\n[train]\nbatch = 16\nbeta1 = 0.5\n[unrolled]\nlatent = 4\nhidden = [8]\ncritic_hidden = [8, 8]\n{table}"
    ))
}

#[test]
fn without_looking_ahead_it_is_the_plain_game() {
    for loss in [Loss::Minimax, Loss::NonSaturating] {
        let recipe = recipe("unroll = 0").unwrap();
        let config = Config { loss, ..recipe.settings().unwrap() };
        let device = Device::flex().autodiff();
        let mut unrolled = Unrolled::new(config, [2, 1, 1], &recipe.train, &device, &mut Rng::new(3, 0));
        let players = Players {
            generator: unrolled.generator.net.clone(),
            critic: unrolled.critic[0].clone().train(),
            loss,
            penalty: Penalty::None,
            tricks: Tricks::default(),
            classes: 0,
            prior: Prior::Gaussian,
            pixels: PixelRange::Symmetric,
            more: vec![],
            mixing: 0.0,
        };
        let mut plain = Adversarial::new(players, &recipe.train, &device);
        let batch = Batch::alone(
            Tensor::from_data(
                TensorData::new((0..32).map(|at| (at as f32).sin()).collect::<Vec<_>>(), [16, 2, 1, 1]),
                &Device::flex(),
            ),
            Vec::new(),
        );
        let run = |system: &mut dyn System| {
            let mut rng = Rng::new(4, 0);
            for _ in 0..5 {
                let next_batch = &mut || batch.clone();
                system.step(&mut Step { lr_generator: 1e-2, lr_critic: 1e-2, ema: 0.5, rng: &mut rng, next_batch });
            }
            let Trained::Generator(generator) = system.trained() else { panic!("a generator ships") };
            generator.generate(&generator.draw(64, &mut Rng::new(5, 0)), &Device::flex()).concat()
        };
        let before = {
            let Trained::Generator(generator) = unrolled.trained() else { panic!("a generator ships") };
            generator.generate(&generator.draw(64, &mut Rng::new(5, 0)), &Device::flex()).concat()
        };
        let [a, b] = [run(&mut unrolled), run(&mut plain)];
        let most = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(most(&a, &before) > 1e-2, "five steps move it");
        assert!(most(&a, &b) < 1e-4, "{loss:?}: {}", most(&a, &b));
    }
}

#[test]
fn bad_tables_are_refused() {
    for (table, expected) in [
        ("unroll = 101", "unroll must be at most 100"),
        ("loss = \"hinge\"", "loss must be \"minimax\" or \"non-saturating\", found \"hinge\""),
    ] {
        let message = format!("{:#}", recipe(table).unwrap_err());
        assert!(message.contains(expected), "{message}");
    }
}
