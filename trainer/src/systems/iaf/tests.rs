//! A student's densities, and that it learns.

use super::*;
use crate::nets::layer::Way;
use burn::tensor::TensorData;

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// What a student says of its own samples at once it says of the same points, handed in, value by value.
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
    let (x, log) = draw(&net, z);
    for (a, b) in host(log).into_iter().zip(host(density(&net, x))) {
        assert!((a - b).abs() < 1e-3, "{a} {b}");
    }
}

/// One step moves teacher and student, and scores are finite.
#[test]
fn teacher_and_student_learn_at_once() {
    let text = "system = \"iaf\"\n[data]\nname = \"ring\"\n[iaf]\nblocks = 2\nhidden = [8]\nteacher_hidden = [8]";
    let recipe = Recipe::parse(text).unwrap();
    let mut rng = Rng::new(3, 0);
    let mut system = Distillation::build(&recipe, &Device::flex().autodiff(), &mut rng).unwrap();
    let points = || {
        let values: Vec<f32> = (0..64).map(|at| (at as f32).sin()).collect();
        Tensor::<4>::from_data(TensorData::new(values, [32, 2, 1, 1]), &Device::flex())
    };
    let weights = |net: &Net| chain(net).map(|layer| host(layer.location.bias.val())).collect::<Vec<_>>();
    let before = weights(&system.student.net);
    for _ in 0..3 {
        let mut next_batch = || super::super::Batch { inputs: None, images: points(), labels: vec![0; 32] };
        let losses = system.step(&mut Step {
            lr_generator: 1e-2,
            lr_critic: 1e-2,
            ema: 0.5,
            rng: &mut rng,
            next_batch: &mut next_batch,
        });
        assert!(losses.iter().all(|(_, value)| value.is_finite()), "{losses:?}");
    }
    assert_ne!(before, weights(&system.student.net));
    let mut test = Some(points());
    let score = system.score(&mut || test.take());
    assert!(score.len() == 5 && score.iter().all(|(_, value)| value.is_finite()), "{score:?}");
}

#[test]
fn bad_tables_are_refused() {
    for (table, expected) in [
        ("blocks = 0", "at least 1"),
        ("teacher_hidden = []", "expected hidden layers"),
        ("lambda = -1.0", "lambda must be above 0"),
    ] {
        let text = format!("system = \"iaf\"\n[data]\nname = \"mnist\"\n[iaf]\n{table}");
        let message = format!("{:#}", Recipe::parse(&text).unwrap_err());
        assert!(message.contains(expected), "{message}");
    }
}
