//! What the layers promise, on small nets.

use burn::module::ParamId;
use burn::tensor::{Device, TensorData};
use edgegen_export::layers::Window;

use super::layer::{Conv, ConvTranspose, PixelShuffle, UpsampleNearest};
use super::*;

mod weights;

fn values(x: Tensor<4>) -> Vec<f32> {
    x.into_data().try_to_vec().unwrap()
}

fn image(shape: [usize; 4], rng: &mut Rng) -> Tensor<4> {
    let noise: Vec<f32> = (0..shape.iter().product()).map(|_| rng.normal()).collect();
    Tensor::from_data(TensorData::new(noise, shape), &Device::flex())
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
    net.estimate_statistics(vec![batch.clone()]);
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

/// The convolution to `stride`² times the channels whose depth to space is a transposed convolution: tap k of phase φ, the position modulo the stride, reads
/// the input (φ + padding − k) / stride places away, where that is whole.
fn as_depth_to_space(transposed: &ConvTranspose, device: &Device) -> (Tensor<4>, usize) {
    let [input, output, kernel, _] = transposed.weight.dims();
    let Window { stride: [stride, _], padding: [[padding, _], _], .. } = transposed.window;
    let away = |phase: usize, tap: usize| {
        let places = (phase + padding) as isize - tap as isize;
        (places % stride as isize == 0).then_some(places / stride as isize)
    };
    let all = (0..stride).flat_map(|phase| (0..kernel).filter_map(move |tap| away(phase, tap)));
    let reach = all.map(isize::unsigned_abs).max().unwrap();
    let side = 2 * reach + 1;
    let from = values(transposed.weight.val());
    let mut weight = vec![0.0; output * stride * stride * input * side * side];
    for (at, value) in from.into_iter().enumerate() {
        let [i, o, ky, kx] =
            [at / (output * kernel * kernel), at / (kernel * kernel) % output, at / kernel % kernel, at % kernel];
        for (fy, fx) in (0..stride * stride).map(|phase| (phase / stride, phase % stride)) {
            if let (Some(y), Some(x)) = (away(fy, ky), away(fx, kx)) {
                let [y, x] = [y, x].map(|places| (places + reach as isize) as usize);
                let feature = (o * stride + fy) * stride + fx;
                weight[((feature * input + i) * side + y) * side + x] = value;
            }
        }
    }
    (Tensor::from_data(TensorData::new(weight, [output * stride * stride, input, side, side]), device), reach)
}

#[test]
fn a_transposed_convolution_is_depth_to_space_of_more_features() {
    let device = Device::flex();
    let mut rng = Rng::new(8, 0);
    // Where the kernel is the stride and twice the padding, the output is `stride` times the input. A kernel its stride divides has the same taps in each phase.
    for (kernel, stride, padding) in [(4, 2, 1), (2, 2, 0), (6, 2, 2), (3, 1, 1), (5, 3, 1), (8, 4, 2)] {
        let net =
            NetBuilder::new([3, 5, 7], Init::He, &device, &mut rng).conv_transpose(2, kernel, stride, padding).build();
        let Layer::ConvTranspose(transposed) = &net.layers[0] else { panic!("built above") };
        let (weight, reach) = as_depth_to_space(transposed, &device);
        let features = weight.dims()[0];
        let conv = Layer::Conv(Conv {
            weight: Param::initialized(ParamId::from(1), weight),
            bias: Param::initialized(ParamId::from(2), Tensor::zeros([features], &device)),
            gain: 1.0,
            spectral: None,
            window: Window::square(features, 2 * reach + 1, 1, reach),
        });
        let shuffle = Layer::PixelShuffle(PixelShuffle { factor: stride });
        let x = image([2, 3, 5, 7], &mut rng);
        let expected = net.forward(x.clone(), &mut Mode::Eval);
        let found = shuffle.forward(vec![conv.forward(vec![x], &mut Mode::Eval)], &mut Mode::Eval);
        assert_eq!(found.dims(), expected.dims());
        let (found, expected) = (values(found), values(expected));
        let most = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(most <= 1e-5, "kernel {kernel}, stride {stride}: {most}");
        assert!(expected.iter().any(|x| x.abs() > 0.1), "blank maps prove nothing");
    }
}

#[test]
fn filters_before_a_pixel_shuffle_start_equal_in_groups() {
    let device = Device::flex();
    let mut rng = Rng::new(9, 0);
    for factor in [2, 3] {
        let net = NetBuilder::new([4, 3, 3], Init::He, &device, &mut rng).conv_pixel_shuffle(5, factor).build();
        let Layer::Conv(conv) = &net.layers[0] else { panic!("built above") };
        let weight = values(conv.weight.val());
        let groups: Vec<&[f32]> = weight.chunks(factor * factor * 4 * 9).collect();
        assert_eq!(groups.len(), 5);
        assert!(groups.iter().all(|group| group.chunks(4 * 9).all(|filter| filter == &group[..4 * 9])));
        assert!(groups.windows(2).all(|pair| pair[0] != pair[1]), "groups differ from each other");
    }
}

#[test]
fn batch_deviation_says_how_much_the_samples_differ() {
    let device = Device::flex();
    let mut rng = Rng::new(1, 0);
    let net = NetBuilder::new([2, 1, 2], Init::He, &device, &mut rng).batch_deviation(true).build();
    assert_eq!((net.output, net.looks_at_batch(), net.has_statistics()), ([3, 1, 2], true, false));
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

#[test]
fn a_marked_map_is_kept_until_it_was_read_and_then_handed_over() {
    let device = Device::flex();
    let mut rng = Rng::new(2, 0);
    let mut net = NetBuilder::new([2, 3, 3], Init::He, &device, &mut rng);
    let start = net.mark();
    // Functions change their map in place where nothing else holds it.
    let net = net.tanh().relu().add(start).build();
    let x = image([2, 2, 3, 3], &mut rng);
    let expected: Vec<f32> = values(x.clone()).iter().map(|x| x + x.tanh().max(0.0)).collect();
    for (a, b) in values(net.forward(x.clone(), &mut Mode::Eval)).iter().zip(&expected) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
    let mut maps = Maps::new(&net, vec![x]);
    for at in 0..net.layers.len() {
        let reads = maps.take(&net.running(), at);
        assert_eq!(reads.len(), [1, 1, 2][at]);
        assert_eq!(maps.inputs[0].is_some(), at < 2, "read for the last time by the sum");
        maps.layers.push(Some(net.layers[at].forward(reads, &mut Mode::Eval)));
    }
    assert!(maps.layers[..2].iter().all(Option::is_none) && maps.layers[2].is_some());
}

#[test]
fn a_style_starts_near_no_change() {
    let device = Device::flex();
    let mut rng = Rng::new(3, 0);
    let mut net = NetBuilder::new([4, 1, 1], Init::He, &device, &mut rng);
    let style = net.mark();
    let net = net.input([2, 5, 5]).instance_norm().modulate(style).build();
    // Of a style of zeros only the biases act, 1 and 0.
    let zeros = Tensor::<4>::zeros([1, 4, 1, 1], &device);
    let out = values(net.forward_all(vec![zeros, image([1, 2, 5, 5], &mut rng)], &mut Mode::Eval));
    for channel in out.chunks(25) {
        let mean = channel.iter().sum::<f32>() / 25.0;
        let variance = channel.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 25.0;
        assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-3, "{mean} {variance}");
    }
}

#[test]
fn a_bias_that_a_branch_reads_stays() {
    let device = Device::flex().autodiff();
    let mut rng = Rng::new(4, 0);
    let trains = |net: &Net| {
        let Layer::Conv(conv) = &net.layers[0] else { panic!("built below") };
        conv.bias.val().is_require_grad()
    };
    let net = NetBuilder::new([2, 3, 3], Init::He, &device, &mut rng).conv(2, 3, 1, 1).batch_norm().build();
    assert!(!trains(&net));
    let mut net = NetBuilder::new([2, 3, 3], Init::He, &device, &mut rng).conv(2, 3, 1, 1);
    let start = net.mark();
    assert!(trains(&net.batch_norm().add(start).build()));
    // Behind another input, too, the last layer is none that the normalization reads.
    let mut net = NetBuilder::new([2, 3, 3], Init::He, &device, &mut rng).conv(2, 3, 1, 1);
    let start = net.mark();
    assert!(trains(&net.input([2, 3, 3]).batch_norm().add(start).build()));
}

#[test]
#[should_panic(expected = "the layer that was added last")]
fn a_net_ends_with_its_last_layer() {
    let device = Device::flex();
    let mut rng = Rng::new(0, 0);
    let mut net = NetBuilder::new([2, 3, 3], Init::He, &device, &mut rng).relu();
    let start = net.mark();
    net.tanh().at(start).build();
}

#[test]
#[should_panic(expected = "maps of one shape or a vector")]
fn shapes_of_a_sum_are_checked() {
    let device = Device::flex();
    let mut rng = Rng::new(0, 0);
    let mut net = NetBuilder::new([2, 4, 4], Init::He, &device, &mut rng);
    let start = net.mark();
    net.average_pool(2).add(start);
}

/// A modulated convolution by its definition: weights scaled and divided for each image.
#[test]
fn modulated_weights_are_those_of_the_definition() {
    let device = Device::flex();
    let mut rng = Rng::new(6, 0);
    for (doubled, demodulated) in [(false, true), (true, true), (false, false)] {
        let mut net = NetBuilder::new([3, 4, 5], Init::He, &device, &mut rng);
        let map = net.mark();
        net = net.input([3, 1, 1]);
        let style = net.mark();
        let net = net.at(map).modulated_conv(2, 3, style, demodulated, doubled).build();
        let Layer::Modulated(layer) = &net.layers[0] else { panic!("built above") };
        let (x, styles) = (image([2, 3, 4, 5], &mut rng), image([2, 3, 1, 1], &mut rng));
        let found = values(net.forward_all(vec![x.clone(), styles.clone()], &mut Mode::Eval));
        let mut expected = Vec::new();
        for index in 0..2 {
            let style = styles.clone().narrow(0, index, 1);
            let mut weight = layer.weight.val() * style;
            if demodulated {
                let norms = weight.clone().square().reshape([2, 27]).sum_dim(1).add_scalar(1e-8).sqrt();
                weight = weight / norms.reshape([2, 1, 1, 1]);
            }
            let weight = Param::from_tensor(weight);
            let bias = Param::from_tensor(Tensor::zeros([2], &device));
            let conv = Layer::Conv(Conv { weight, bias, spectral: None, gain: 1.0, window: layer.window });
            let mut map = x.clone().narrow(0, index, 1);
            if doubled {
                map = Layer::UpsampleNearest(UpsampleNearest { factor: [2; 2] }).forward(vec![map], &mut Mode::Eval);
            }
            expected.extend(values(conv.forward(vec![map], &mut Mode::Eval)));
        }
        assert_eq!(found.len(), expected.len());
        let most = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(most < 1e-5, "{doubled} {demodulated}: {most}");
        assert!(expected.iter().any(|value| value.abs() > 0.1), "blank maps prove nothing");
    }
}

#[test]
fn a_style_goes_towards_its_mean_and_a_chain_runs_again() {
    let device = Device::flex();
    let mut rng = Rng::new(7, 0);
    let mut net = NetBuilder::new([3, 1, 1], Init::He, &device, &mut rng);
    let first = net.mark();
    net = net.input([3, 1, 1]);
    let second = net.mark();
    net = net.at(first).linear([2, 1, 1]).leaky_relu(0.2).truncation();
    let w = net.mark();
    let mut net = net.at(second).again(0..3, [2, 1, 1]).concat(w).build();
    let inputs = [0, 1].map(|_| image([50, 3, 1, 1], &mut rng));
    let ahead = values(net.forward_all(vec![inputs[0].clone(), inputs[1].clone()], &mut Mode::Eval));
    let turned = values(net.forward_all(vec![inputs[1].clone(), inputs[0].clone()], &mut Mode::Eval));
    for (ahead, turned) in ahead.chunks(4).zip(turned.chunks(4)) {
        assert_eq!((&ahead[..2], &ahead[2..]), (&turned[2..], &turned[..2]), "both ways have the same weights");
    }
    assert!(net.has_statistics());
    net.estimate_statistics(inputs.to_vec());
    let mean = [2, 3].map(|channel| ahead.chunks(4).map(|w| w[channel]).sum::<f32>() / 50.0);
    assert!(net.truncate(0.25));
    let truncated = values(net.forward_all(inputs.to_vec(), &mut Mode::Eval));
    for (w, truncated) in ahead.chunks(4).zip(truncated.chunks(4)) {
        for channel in 0..2 {
            let expected = mean[channel] + 0.25 * (w[2 + channel] - mean[channel]);
            assert!((truncated[2 + channel] - expected).abs() < 1e-5);
        }
    }
}
