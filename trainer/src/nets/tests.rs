//! What the layers promise, on small nets.

use super::*;

fn values(x: Tensor<4>) -> Vec<f32> {
    x.into_data().try_to_vec().unwrap()
}

fn image(shape: [usize; 4], rng: &mut Rng) -> Tensor<4> {
    let noise: Vec<f32> = (0..shape.iter().product()).map(|_| rng.normal()).collect();
    Tensor::from_data(TensorData::new(noise, shape), &Device::flex())
}

#[test]
fn spectral_norm_leaves_a_largest_singular_value_of_one() {
    let device = Device::flex();
    let mut rng = Rng::new(5, 0);
    let mut net =
        NetBuilder::new([6, 1, 1], Init::Normal(3.0), &device, &mut rng).spectral_norm(true).linear([4, 1, 1]).build();
    for _ in 0..200 {
        net.power_iteration();
    }
    // The images of the unit vectors are the matrix; its norm follows from a power iteration of the test's own.
    let unit = Tensor::<2>::eye(6, &device).reshape([6, 6, 1, 1]);
    let matrix: Tensor<2> = net.forward(unit, &mut Mode::Eval).reshape([6, 4]);
    let mut x = Tensor::<2>::ones([1, 6], &device);
    let mut norm = 0.0;
    for _ in 0..200 {
        let y = x.matmul(matrix.clone());
        norm = y.clone().square().sum().sqrt().into_scalar::<f32>();
        let back = y.matmul(matrix.clone().transpose());
        x = back.clone() / back.square().sum().sqrt().reshape([1, 1]);
    }
    assert!((norm - 1.0).abs() < 1e-3, "{norm}");
}

#[test]
fn estimated_statistics_repeat_the_training_pass() {
    let device = Device::flex();
    let mut rng = Rng::new(6, 0);
    let mut net = NetBuilder::new([2, 4, 4], Init::Normal(0.5), &device, &mut rng)
        .conv(3, 3, 1, 1)
        .batch_norm()
        .relu()
        .conv(2, 3, 1, 1)
        .batch_norm()
        .build();
    let batch = image([8, 2, 4, 4], &mut rng);
    let expected = values(net.forward(batch.clone(), &mut Mode::Train(&mut rng)));
    net.estimate_statistics(batch.clone());
    for (a, b) in values(net.forward(batch, &mut Mode::Eval)).iter().zip(expected) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
}

#[test]
fn untrained_pixel_shuffle_shows_no_checkerboard() {
    let device = Device::flex();
    let mut rng = Rng::new(7, 0);
    let net = NetBuilder::new([3, 5, 5], Init::He, &device, &mut rng).conv_pixel_shuffle(2, 2).build();
    let input = image([1, 3, 5, 5], &mut rng);
    let out = values(net.forward(input, &mut Mode::Eval));
    for (at, &value) in out.iter().enumerate() {
        let (y, x) = (at / 10 % 10, at % 10);
        let corner = out[at - (y % 2) * 10 - x % 2];
        assert!((value - corner).abs() < 1e-5);
    }
}

#[test]
fn average_moves_by_its_decay() {
    let device = Device::flex();
    let net = |seed| {
        let mut rng = Rng::new(seed, 0);
        NetBuilder::new([3, 1, 1], Init::He, &device, &mut rng).linear([2, 1, 1]).build()
    };
    let probe = || Tensor::<4>::ones([1, 3, 1, 1], &device);
    let output = |net: &Net| values(net.forward(probe(), &mut Mode::Eval));
    let (mut mean, source) = (net(1), net(2));
    let expected: Vec<f32> =
        output(&mean).iter().zip(output(&source)).map(|(mean, source)| 0.75 * mean + 0.25 * source).collect();
    mean.average(&source, 0.75);
    for (a, b) in output(&mean).iter().zip(expected) {
        assert!((a - b).abs() < 1e-6);
    }
}

#[test]
fn dropout_keeps_the_mean_and_rests_when_evaluating() {
    let device = Device::flex();
    let mut rng = Rng::new(8, 0);
    let net = NetBuilder::new([1, 100, 100], Init::He, &device, &mut rng).dropout(0.8).build();
    let ones = Tensor::<4>::ones([1, 1, 100, 100], &device);
    let dropped = values(net.forward(ones.clone(), &mut Mode::Train(&mut rng)));
    let kept = dropped.iter().filter(|&&x| x != 0.0).count();
    assert!((7_800..8_200).contains(&kept), "{kept}");
    assert!(dropped.iter().all(|&x| x == 0.0 || (x - 1.25).abs() < 1e-6));
    assert!(values(net.forward(ones, &mut Mode::Eval)).iter().all(|&x| x == 1.0));
}

#[test]
fn batch_deviation_says_how_much_the_samples_differ() {
    let device = Device::flex();
    let mut rng = Rng::new(1, 0);
    let net = NetBuilder::new([2, 1, 2], Init::He, &device, &mut rng).batch_deviation(true).build();
    assert_eq!((net.output, net.looks_at_batch(), net.has_batch_norm()), ([3, 1, 2], true, false));
    // Standard deviations over the batch of two: 1, 3, 0 and 0, on average 1.
    let x =
        Tensor::<4>::from_data(TensorData::new(vec![1.0f32, 0.0, 5.0, 5.0, 3.0, 6.0, 5.0, 5.0], [2, 2, 1, 2]), &device);
    let y = values(net.forward(x.clone(), &mut Mode::Eval));
    assert_eq!((&y[..4], &y[6..10]), (&[1.0, 0.0, 5.0, 5.0][..], &[3.0, 6.0, 5.0, 5.0][..]));
    assert!([y[4], y[5], y[10], y[11]].iter().all(|deviation| (deviation - 1.0).abs() < 1e-3), "{y:?}");
    // Samples that are all the same have a gradient, too.
    let same = Tensor::<4>::ones([2, 2, 1, 2], &device.autodiff()).require_grad();
    let gradient = same.grad(&net.forward(same.clone(), &mut Mode::Eval).sum().backward()).unwrap();
    assert!(values(gradient).iter().all(|value| (value - 1.0).abs() < 1e-3));
}
