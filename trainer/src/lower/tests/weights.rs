//! Weights that act in another way than they lie, and nets of which not all acts.

use super::*;

#[test]
fn weights_over_their_largest_singular_value() {
    net_agrees([3, 4, 4], |net| net.spectral_norm(true).conv(5, 3, 1, 1).relu().linear([2, 3, 3]).conv(2, 3, 1, 1));
}

/// As a generator of classes has it: the class and a part of the latent vector choose factor and offset of each
/// channel.
#[test]
fn conditional_batch_norm() {
    agrees(
        |net| {
            let mut net = net.spectral_norm(true);
            let input = net.mark();
            net = net.part(4, 2).linear([3, 1, 1]);
            let class = net.mark();
            net = net.at(input).part(2, 2).concat(class);
            let style = net.mark();
            net = net.at(input).part(0, 2).linear([6, 3, 3]).batch_norm().relu();
            let start = net.mark();
            net = net.conv(4, 1, 1, 0).batch_norm().upsample_nearest(2);
            let shortcut = net.mark();
            net = net.at(start).upsample_nearest(2).conv(4, 3, 1, 1).batch_norm_alone().modulate(style).relu();
            net = net.conv(4, 3, 1, 1).batch_norm_alone().modulate(style).add(shortcut).relu();
            net.conv(1, 3, 1, 1).tanh()
        },
        Prior::Gaussian,
        PixelRange::Symmetric,
    );
}

#[test]
fn fades() {
    for (share, nodes) in [(0.0, 4), (0.4, 7), (1.0, 4)] {
        let (device, mut rng) = (Device::flex(), Rng::new(12, 0));
        let mut net = NetBuilder::new([3, 4, 4], Init::He, &device, &mut rng);
        let start = net.mark();
        net = net.conv(2, 1, 1, 0).upsample_nearest(2);
        let old = net.mark();
        let mut net = net.at(start).upsample_nearest(2).conv(2, 3, 1, 1).fade(old).tanh().build();
        net.fade(&[share]);
        let shape = Shape { h: 4, w: 4, c: 3 };
        let network = lower_net(&net, &[Input::Image { shape, pixels: PixelRange::Symmetric }], PixelRange::Symmetric);
        let network = network.unwrap();
        assert_eq!(network.nodes.len(), nodes, "what does not count is not there");
        let x: Vec<f32> = (0..48).map(|_| rng.normal()).collect();
        let image = Tensor::<4>::from_data(TensorData::new(x.clone(), [1, 3, 4, 4]), &device);
        let expected = net.forward(image, &mut Mode::Eval).into_data().try_to_vec::<f32>().unwrap();
        same(&network, &[x], &expected);
    }
}

#[test]
fn equalized_learning_rate() {
    agrees(
        |net| {
            net.equalized(true)
                .linear([8, 3, 3])
                .leaky_relu(0.2)
                .conv_transpose(6, 4, 2, 1)
                .leaky_relu(0.2)
                .conv_pixel_shuffle(4, 2)
                .pixel_norm()
                .conv(3, 3, 1, 1)
                .tanh()
        },
        Prior::Gaussian,
        PixelRange::Symmetric,
    );
}
