//! Weights as they are drawn and as they act, and what of a net acts.

use super::*;

#[test]
fn equalized_weights_act_times_hes_constant() {
    let device = Device::flex();
    let mut rng = Rng::new(5, 0);
    let net = NetBuilder::new([4, 6, 6], Init::Normal(7.0), &device, &mut rng)
        .equalized(true)
        .conv(50, 3, 1, 1)
        .conv_transpose(50, 4, 2, 1)
        .linear([3, 1, 1])
        .build();
    let deviation = |values: &[f32]| (values.iter().map(|x| x * x).sum::<f32>() / values.len() as f32).sqrt();
    // Of the transposed convolution each pixel sees 2 × 2 taps.
    for (layer, fan_in) in net.layers.iter().zip([4.0 * 9.0, 50.0 * 4.0, 50.0 * 144.0]) {
        let (drawn, acts): (Vec<f32>, Vec<f32>) = match layer {
            Layer::Conv(conv) => (values(conv.weight.val()), values(conv.normalized_weight())),
            Layer::ConvTranspose(conv) => (values(conv.weight.val()), values(conv.normalized_weight())),
            Layer::Linear(linear) => {
                let [drawn, acts] = [linear.weight.val(), linear.normalized_weight()];
                (drawn.into_data().try_to_vec().unwrap(), acts.into_data().try_to_vec().unwrap())
            }
            other => panic!("built above, not {other:?}"),
        };
        assert!((deviation(&drawn) - 1.0).abs() < 0.05);
        let constant = (2.0f32 / fan_in).sqrt();
        assert!(drawn.iter().zip(&acts).all(|(drawn, acts)| (drawn * constant - acts).abs() < 1e-6));
    }
    // By hand: √(2 / 8) = 1/2 of a weight of 3.
    let mut net = NetBuilder::new([8, 1, 1], Init::He, &device, &mut rng).equalized(true).linear([1, 1, 1]).build();
    let Layer::Linear(linear) = &mut net.layers[0] else { panic!("built above") };
    linear.weight = linear.weight.clone().map(|weight| weight.zeros_like().add_scalar(3.0));
    let one =
        Tensor::<4>::from_floats([[[[1.0]], [[0.0]], [[0.0]], [[0.0]], [[0.0]], [[0.0]], [[0.0]], [[0.0]]]], &device);
    assert_eq!(values(net.forward(one, &mut Mode::Eval)), [1.5]);
}

#[test]
fn likeness_is_what_filters_have_in_common() {
    let device = Device::flex();
    let net = |weight: Vec<f32>, shape: [usize; 2]| {
        let [out, input] = shape;
        let mut net =
            NetBuilder::new([input, 1, 1], Init::He, &device, &mut Rng::new(1, 0)).linear([out, 1, 1]).relu().build();
        let Layer::Linear(linear) = &mut net.layers[0] else { panic!("built above") };
        linear.weight = linear.weight.clone().map(|_| Tensor::from_data(TensorData::new(weight, shape), &device));
        net.likeness().unwrap().into_scalar::<f32>()
    };
    assert_eq!(net(vec![3.0, 0.0, 0.0, 0.0, 5.0, 0.0], [2, 3]), 0.0, "of any length");
    assert_eq!(net(vec![1.0, 2.0, 0.0, 3.0, 1.0, 0.0], [2, 3]), 2.0 * 25.0, "3 + 2, twice");
    assert_eq!(net(vec![1.0, 3.0, 2.0, 1.0, 0.0, 0.0], [3, 2]), 2.0 * 25.0, "columns of three filters of two values");
    assert!(NetBuilder::new([2, 1, 1], Init::He, &device, &mut Rng::new(1, 0)).relu().build().likeness().is_none());
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
fn a_fade_leads_from_one_map_to_another() {
    let device = Device::flex();
    let mut rng = Rng::new(6, 0);
    let build = |rng: &mut Rng| {
        let mut net = NetBuilder::new([2, 3, 3], Init::He, &device, rng);
        let start = net.mark();
        net = net.conv(2, 3, 1, 1).batch_norm();
        let old = net.mark();
        net.at(start).conv(2, 1, 1, 0).tanh().fade(old).relu().build()
    };
    let mut net = build(&mut rng);
    let x = image([4, 2, 3, 3], &mut rng);
    let mut at = |share: f32| {
        net.fade(&[share]);
        assert_eq!(net.shares(), [share]);
        net.estimate_statistics(vec![x.clone()]);
        let run: Vec<bool> = net.running().iter().map(Option::is_some).collect();
        assert_eq!(run, [share < 1.0, share < 1.0, share > 0.0, share > 0.0, true, true]);
        let [old, new] = [&net.layers[..2], &net.layers[2..4]]
            .map(|layers| layers.iter().fold(x.clone(), |x, layer| layer.forward(vec![x], &mut Mode::Eval)));
        let expected = values((old * (1.0 - share) + new * share).clamp_min(0.0));
        let found = values(net.forward(x.clone(), &mut Mode::Eval));
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{share}");
        found
    };
    let [before, middle, after] = [0.0, 0.25, 1.0].map(&mut at);
    assert!(before != middle && middle != after);
}
