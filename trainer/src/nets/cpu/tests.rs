//! Every operation here against Burn's own, forward and backward.

use burn::tensor::module;
use burn::tensor::{Tensor, TensorData};

use super::*;
use crate::rng::Rng;

fn device() -> Device {
    Device::flex().autodiff()
}

fn random<const D: usize>(shape: [usize; D], rng: &mut Rng) -> Tensor<D> {
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.normal()).collect();
    Tensor::from_data(TensorData::new(values, shape), &device()).require_grad()
}

/// The same values in another order of memory.
fn channels_last(x: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    x.permute([0, 2, 3, 1]).reshape([n, h, w, c]).permute([0, 3, 1, 2])
}

#[track_caller]
fn same<const D: usize>(what: &str, ours: Tensor<D>, burn: Tensor<D>) {
    assert_eq!(ours.dims(), burn.dims(), "{what}");
    let [ours, burn] = [ours, burn].map(|x| x.into_data().try_to_vec::<f32>().unwrap());
    let scale = burn.iter().fold(0f32, |max, x| max.max(x.abs()));
    for (at, (a, b)) in ours.iter().zip(&burn).enumerate() {
        assert!((a - b).abs() <= 1e-5 * scale, "{what}: {a} and {b} at {at}, the largest is {scale}");
    }
}

/// Window, batch, channels in, height and width.
type Shape = (Window, usize, usize, [usize; 2]);

/// Windows of all kinds that do not depend on the direction, each with a map that it fits.
fn shapes() -> Vec<Shape> {
    let square = Window::square;
    let along = |channels, kernel, stride, padding| Window {
        channels,
        kernel: [kernel, 1],
        stride: [stride, 1],
        padding: [[padding; 2], [0; 2]],
        ..square(channels, 1, 1, 0)
    };
    vec![
        (square(5, 4, 2, 1), 9, 3, [14, 14]),
        (square(8, 4, 2, 1), 3, 1, [28, 28]),
        (square(4, 3, 1, 1), 17, 6, [7, 7]),
        (square(3, 3, 2, 1), 4, 2, [7, 9]),
        (square(3, 1, 1, 0), 5, 7, [5, 3]),
        (Window { kernel: [5, 3], ..square(2, 5, 1, 2) }, 2, 2, [6, 5]),
        (square(2, 5, 3, 0), 2, 3, [11, 8]),
        (square(17, 2, 2, 0), 1, 16, [4, 6]),
        (square(3, 4, 2, 3), 2, 2, [6, 6]),
        // Along time, of maps of one column and of more.
        (along(3, 8, 4, 2), 3, 2, [32, 1]),
        (along(2, 8, 4, 2), 2, 5, [16, 3]),
        (Window { dilation: [4, 1], padding: [[4; 2], [0; 2]], ..along(3, 3, 1, 0) }, 2, 4, [19, 1]),
        (Window { dilation: [2, 1], padding: [[2; 2], [1; 2]], ..square(3, 3, 2, 1) }, 2, 2, [9, 7]),
    ]
}

type Convolution = fn(Tensor<4>, Tensor<4>, Tensor<1>, &Window) -> Tensor<4>;

/// Output and the gradients of a random sum of it with respect to all three inputs.
fn run(
    convolution: Convolution,
    [x, weight]: [&Tensor<4>; 2],
    bias: &Tensor<1>,
    window: &Window,
    seed: u64,
) -> (Tensor<4>, [Tensor<4>; 2], Tensor<1>) {
    let y = convolution(channels_last(x.clone()), weight.clone(), bias.clone(), window);
    let part = random(y.dims(), &mut Rng::new(seed, 1)).inner();
    let gradients = (y.clone() * Tensor::from_inner(part)).sum().backward();
    (y.inner(), [x, weight].map(|tensor| tensor.grad(&gradients).unwrap()), bias.grad(&gradients).unwrap())
}

fn check(ours: Convolution, burns: Convolution, transposed: bool, shapes: &[Shape]) {
    for (seed, &(window, batch, c, [h, w])) in shapes.iter().enumerate() {
        let what = format!("{window:?}, {batch}×{c}×{h}×{w}");
        let (out, [ky, kx]) = (window.channels, window.kernel);
        let mut rng = Rng::new(seed as u64, 0);
        let x = random([batch, c, h, w], &mut rng);
        let weight = random(if transposed { [c, out, ky, kx] } else { [out, c, ky, kx] }, &mut rng);
        let bias = random([out], &mut rng);
        let ours = run(ours, [&x, &weight], &bias, &window, seed as u64);
        let burns = run(burns, [&x, &weight], &bias, &window, seed as u64);
        same(&format!("output, {what}"), ours.0, burns.0);
        for (name, (ours, burns)) in ["input", "weight"].iter().zip(ours.1.into_iter().zip(burns.1)) {
            same(&format!("gradient of {name}, {what}"), ours, burns);
        }
        same(&format!("gradient of bias, {what}"), ours.2, burns.2);
    }
}

#[test]
fn convolution_is_burns() {
    let burns: Convolution = |x, weight, bias, window| Burn.conv2d(x, weight, bias, window);
    let causal = [(Window::causal(3, 2, 4), 2, 4, [11, 1]), (Window::causal(2, 3, 1), 3, 2, [8, 1])];
    check(conv::conv2d, burns, false, &[shapes(), causal.to_vec()].concat());
}

#[test]
fn transposed_convolution_is_burns() {
    let burns: Convolution = |x, weight, bias, window| Burn.conv_transpose2d(x, weight, bias, window);
    check(conv::conv_transpose2d, burns, true, &shapes());
}

#[test]
fn constants_get_no_gradient() {
    let (mut rng, window) = (Rng::new(1, 0), Window::square(4, 3, 1, 1));
    let x = random([2, 3, 6, 6], &mut rng);
    let weight = random([4, 3, 3, 3], &mut rng);
    let bias = random([4], &mut rng);
    // A real batch without autodiff: only the weights learn.
    let y = conv::conv2d(x.clone().inner(), weight.clone(), bias.clone(), &window);
    let gradients = y.sum().backward();
    assert!(x.grad(&gradients).is_none() && weight.grad(&gradients).is_some());
    // A fixed net: only the input gets a gradient.
    let fixed = |x: Tensor<4>| x.detach();
    let y = conv::conv2d(x.clone(), fixed(weight.clone()), bias.clone().detach(), &window);
    let gradients = y.sum().backward();
    assert!(x.grad(&gradients).is_some() && weight.grad(&gradients).is_none());
    // Nothing on an autodiff device: a plain tensor.
    assert!(!conv::conv2d(x.inner(), weight.inner(), bias.inner(), &window).is_autodiff());
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    // Each layer has more rows than one part of a sum, and a batch that no number of threads divides.
    let pass = || {
        let mut rng = Rng::new(2, 0);
        let x = random([37, 3, 14, 14], &mut rng);
        let [first, second] = [[8, 3, 4, 4], [8, 2, 4, 4]].map(|shape| random(shape, &mut rng));
        let [bias, gamma, beta] = [(); 3].map(|()| random([8], &mut rng));
        let (bias_2, weight_3, bias_3) = (random([2], &mut rng), random([9, 392], &mut rng), random([9], &mut rng));
        let y = conv::conv2d(x.clone(), first.clone(), bias, &Window::square(8, 4, 2, 1));
        let y = norm::batch_norm(y, gamma.clone(), beta, 1e-5);
        let y = conv::conv_transpose2d(y, second.clone(), bias_2, &Window::square(2, 4, 2, 1));
        let y = dense::dense(y, weight_3.clone(), bias_3.clone(), [9, 1, 1]);
        let gradients = gradients_of(&y, 5);
        let mut results = vec![y.into_data()];
        results.extend([&x, &first, &second].map(|x| x.grad(&gradients).unwrap().into_data()));
        results.extend([&gamma, &bias_3].map(|x| x.grad(&gradients).unwrap().into_data()));
        results.push(weight_3.grad(&gradients).unwrap().into_data());
        results.into_iter().map(|data| data.try_to_vec::<f32>().unwrap()).collect::<Vec<_>>()
    };
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(pass);
    let three = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap().install(pass);
    assert!(alone == three);
}

#[test]
fn scaled_and_noisy_maps_are_burns() {
    use crate::nets::operations::{Burn, Operations};
    let mut rng = Rng::new(3, 0);
    let x = random([5, 3, 4, 6], &mut rng);
    let factors = random([5, 3, 1, 1], &mut rng);
    let noise = random([5, 1, 4, 6], &mut rng).inner();
    let (strength, bias) = (random([1], &mut rng), random([3], &mut rng));
    for order in [|x: Tensor<4>| x, channels_last] {
        let results = [&OnFlex as &dyn Operations, &Burn].map(|operations| {
            let noisy = operations.add_noise(order(x.clone()), noise.clone(), strength.clone(), bias.clone());
            let signed = operations.scale_by_sign(noisy, x.clone().inner(), 0.2);
            let y = operations.scale(signed, factors.clone());
            let y = operations.add(y, factors.clone(), [1.0; 2]);
            let gradients = gradients_of(&y, 9);
            let of = |tensor: &Tensor<4>| tensor.grad(&gradients).unwrap();
            let of_vector = |tensor: &Tensor<1>| tensor.grad(&gradients).unwrap().reshape([1, 1, 1, -1]);
            [y.inner(), of(&x), of(&factors), of_vector(&strength), of_vector(&bias)]
        });
        let [ours, burns] = results;
        for ((name, ours), burns) in ["output", "x", "factors", "strength", "bias"].iter().zip(ours).zip(burns) {
            same(name, ours, burns);
        }
    }
}

/// Gradients of a random sum of `y` with respect to `inputs`.
fn gradients_of<const D: usize>(y: &Tensor<D>, seed: u64) -> burn::tensor::Gradients {
    let part = random(y.dims(), &mut Rng::new(seed, 1)).inner();
    (y.clone() * Tensor::from_inner(part)).sum().backward()
}

#[test]
fn dense_layer_is_burns() {
    for (seed, (batch, input, output)) in
        [(5, [7, 1, 1], [4, 3, 2]), (9, [3, 4, 5], [6, 1, 1]), (64, [3, 2, 2], [5, 2, 3]), (1, [40, 1, 1], [33, 1, 1])]
            .into_iter()
            .enumerate()
    {
        let mut rng = Rng::new(seed as u64, 0);
        let [inputs, outputs]: [usize; 2] = [input, output].map(|shape: [usize; 3]| shape.iter().product());
        let x = random([batch, input[0], input[1], input[2]], &mut rng);
        let (weight, bias) = (random([outputs, inputs], &mut rng), random([outputs], &mut rng));
        let shape = [batch, output[0], output[1], output[2]];
        let ours = dense::dense(channels_last(x.clone()), weight.clone(), bias.clone(), output);
        let flat = x.clone().reshape([batch, inputs]);
        let burns = module::linear(flat, weight.clone().transpose(), Some(bias.clone())).reshape(shape);
        let [a, b] = [&ours, &burns].map(|y| gradients_of(y, 7));
        same("output", ours.inner(), burns.inner());
        same("input", x.grad(&a).unwrap(), x.grad(&b).unwrap());
        same("weight", weight.grad(&a).unwrap(), weight.grad(&b).unwrap());
        same("bias", bias.grad(&a).unwrap(), bias.grad(&b).unwrap());
    }
}

#[test]
fn batch_normalization_is_burns() {
    for shape in [[6, 3, 5, 4], [40, 17, 1, 1], [33, 2, 14, 14]] {
        let mut rng = Rng::new(3, 0);
        // A mean far from zero, where a careless variance loses its digits.
        let x = Tensor::from_inner(random(shape, &mut rng).inner().mul_scalar(0.5).add_scalar(3.0)).require_grad();
        let (gamma, beta) = (random([shape[1]], &mut rng), random([shape[1]], &mut rng));
        let ours = norm::batch_norm(channels_last(x.clone()), gamma.clone(), beta.clone(), 1e-5);
        let burns = module::batch_norm_train(x.clone(), gamma.clone(), beta.clone(), 1e-5).output;
        let [a, b] = [&ours, &burns].map(|y| gradients_of(y, 8));
        same("output", ours.inner(), burns.inner());
        same("input", x.grad(&a).unwrap(), x.grad(&b).unwrap());
        same("gamma", gamma.grad(&a).unwrap(), gamma.grad(&b).unwrap());
        same("beta", beta.grad(&a).unwrap(), beta.grad(&b).unwrap());
    }
}

#[test]
fn normalization_with_given_statistics_is_burns() {
    let mut rng = Rng::new(12, 0);
    let x = random([6, 3, 5, 4], &mut rng).inner();
    let [gamma, beta, mean] = [(); 3].map(|()| random([3], &mut rng).inner());
    let variance = random([3], &mut rng).inner().square();
    let parameters = [&gamma, &beta, &mean, &variance].map(Clone::clone);
    let burns = module::batch_norm(x.clone(), gamma, beta, mean, variance, 1e-5);
    same("output", norm::with_statistics(channels_last(x), parameters, 1e-5), burns);
}

#[test]
fn enlargements_are_burns() {
    use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
    for (factor, [c, h, w]) in [(2, [3, 4, 5]), (3, [2, 1, 7]), (2, [1, 3, 3])] {
        let x = random([4, c * factor * factor, h, w], &mut Rng::new(13, 0));
        let [larger, wider] = [h * factor, w * factor];
        let options = InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([larger, wider]);
        let split = x.clone().reshape([4, c, factor, factor, h, w]).permute([0, 1, 4, 2, 5, 3]);
        for (ours, burns) in [
            (enlarge::nearest(channels_last(x.clone()), factor), module::interpolate(x.clone(), options)),
            (enlarge::depth_to_space(channels_last(x.clone()), factor), split.reshape([4, c, larger, wider])),
        ] {
            let [a, b] = [&ours, &burns].map(|y| gradients_of(y, 14));
            same("output", ours.inner(), burns.inner());
            same("input", x.grad(&a).unwrap(), x.grad(&b).unwrap());
        }
    }
}

#[test]
fn sums_are_burns() {
    for (seed, scales) in [[1.0, 1.0], [0.5, -2.0], [1.0, 0.25]].into_iter().enumerate() {
        let mut rng = Rng::new(seed as u64, 0);
        let [a, b] = [(); 2].map(|()| random([5, 3, 4, 2], &mut rng));
        let ours = join::add(channels_last(a.clone()), b.clone(), scales);
        let burns = a.clone().mul_scalar(scales[0]) + b.clone().mul_scalar(scales[1]);
        let [of_ours, of_burns] = [&ours, &burns].map(|y| gradients_of(y, 15));
        same("output", ours.inner(), burns.inner());
        same("first", a.grad(&of_ours).unwrap(), a.grad(&of_burns).unwrap());
        same("second", b.grad(&of_ours).unwrap(), b.grad(&of_burns).unwrap());
    }
    // A map added to itself has the gradient of both.
    let x = random([2, 3, 2, 2], &mut Rng::new(5, 0));
    let gradients = join::add(x.clone(), x.clone(), [1.0, 2.0]).sum().backward();
    same("both", x.grad(&gradients).unwrap(), x.clone().inner().zeros_like().add_scalar(3.0));
}

#[test]
fn functions_of_each_value_are_burns() {
    use crate::nets::layer::PointwiseKind::{LeakyRelu, Relu, Sigmoid, Tanh};
    use burn::tensor::activation;
    let x = random([5, 3, 4, 2], &mut Rng::new(4, 0));
    for kind in [Relu, LeakyRelu(0.2), Tanh, Sigmoid] {
        let ours = pointwise::pointwise(kind, channels_last(x.clone()));
        let burns = match kind {
            Relu => activation::relu(x.clone()),
            LeakyRelu(slope) => activation::leaky_relu(x.clone(), f64::from(slope)),
            Tanh => activation::tanh(x.clone()),
            Sigmoid => activation::sigmoid(x.clone()),
        };
        let [a, b] = [&ours, &burns].map(|y| gradients_of(y, 9));
        same(&format!("{kind:?}"), ours.inner(), burns.inner());
        same(&format!("gradient of {kind:?}"), x.grad(&a).unwrap(), x.grad(&b).unwrap());
    }
}

#[test]
fn spectral_norm_is_that_of_burns_operations() {
    let mut rng = Rng::new(6, 0);
    let weight = random([5, 3, 2, 2], &mut rng);
    let left = random([5], &mut rng).inner();
    let left = left.clone() / left.square().sum().sqrt();

    let unit = |x: Tensor<2>| x.clone() / x.square().sum().sqrt().reshape([1, 1]);
    let matrix: Tensor<2> = weight.clone().inner().reshape([5, 12]);
    let u = left.clone().reshape([1, 5]);
    let v = unit(u.clone().matmul(matrix.clone()));
    let next: Tensor<1> = unit(v.clone().matmul(matrix.transpose())).reshape([5]);
    same("next", spectral::iterate(weight.clone().reshape([5, 12]), left.clone()), next);

    let constant = Tensor::from_inner;
    let sigma = (constant(u).matmul(weight.clone().reshape([5, 12])) * constant(v)).sum();
    let burns = weight.clone() / sigma.reshape([1; 4]);
    let ours = spectral::normalized(weight.clone().reshape([5, 12]), left).reshape([5, 3, 2, 2]);
    let [a, b] = [&ours, &burns].map(|y| gradients_of(y, 10));
    same("weight", ours.inner(), burns.inner());
    same("gradient", weight.grad(&a).unwrap(), weight.grad(&b).unwrap());
}

#[test]
fn adam_is_burns() {
    use burn::optim::{AdamConfig, Optimizer};
    let burns = AdamConfig::new().with_beta_1(0.5).with_beta_2(0.99).with_epsilon(1e-8).build();
    let ours = update::Adam::new(0.5, 0.99, 1e-8);
    let mut rng = Rng::new(11, 0);
    let start = random([6, 7], &mut rng).inner();
    let (mut a, mut b) = (start.clone(), start);
    let (mut state_a, mut state_b) = (None, None);
    for _ in 0..4 {
        let gradient = random([6, 7], &mut rng).inner();
        (a, state_a) = ours.step(1e-2, a, gradient.clone(), state_a);
        (b, state_b) = burns.step(1e-2, b, gradient, state_b);
        same("weights", a.clone(), b.clone());
    }
    let [a, b] = [state_a, state_b].map(|state| state.unwrap().momentum);
    assert_eq!(a.time, b.time);
    same("first moment", a.moment_1, b.moment_1);
    same("second moment", a.moment_2, b.moment_2);
}
