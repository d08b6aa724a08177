//! What recipes make of it.

use super::*;
use crate::nets::Mode;
use crate::nets::layer::Layer;
use crate::run::to_pixels;
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

fn recipe(size: usize, colours: usize, table: &str) -> Result<Recipe> {
    Recipe::parse(&format!(
        "system = \"dcgan\"\n[data]\nname = \"x\"\nsize = {size}\nchannels = {colours}\n[dcgan]\n{table}"
    ))
}

#[test]
fn every_form_makes_the_size_asked_for() {
    let device = Device::flex();
    for (size, colours, channels) in [(28, 1, "[8, 8, 4]"), (32, 3, "[8, 8, 8, 4]"), (64, 3, "[16, 8, 8, 4, 4]")] {
        for upsample in ["transposed", "pixel-shuffle", "nearest"] {
            for (norm, blocks) in [("batch", "plain"), ("none", "plain"), ("batch", "residual"), ("none", "residual")] {
                let table = format!(
                    "head = \"conv3\"\nchannels = {channels}\nupsample = \"{upsample}\"\nnorm = \"{norm}\"\nblocks = \"{blocks}\""
                );
                let recipe = recipe(size, colours, &table).unwrap();
                let mut rng = Rng::new(0, 0);
                let net = (KIND.generator)(&recipe, &device, &mut rng).unwrap().net;
                assert_eq!(net.output, [colours, size, size]);
                let latents = Tensor::<4>::ones([2, 32, 1, 1], &device);
                let images = net.forward(latents, &mut Mode::Train(&mut rng));
                assert_eq!(images.dims(), [2, colours, size, size]);
                let config: Config = recipe.settings().unwrap();
                let critic = critic(&config, &recipe, &device, &mut rng);
                assert_eq!(critic.forward(images, &mut Mode::Eval).dims(), [2, 1, 1, 1]);
            }
        }
    }
}

#[test]
fn a_residual_block_lies_between_two_maps() {
    let message = format!("{:#}", recipe(14, 1, "channels = [8]\nblocks = \"residual\"").unwrap_err());
    assert!(message.contains("at least two channels"), "{message}");
}

#[test]
fn transposed_head_doubles_once_more() {
    let recipe = recipe(28, 1, "channels = [16, 8]\nhead = \"transposed\"").unwrap();
    let mut rng = Rng::new(0, 0);
    let net = (KIND.generator)(&recipe, &Device::flex(), &mut rng).unwrap().net;
    assert_eq!(net.output, [1, 28, 28]);
}

#[test]
fn untrained_pixel_shuffle_has_no_more_checkerboard_than_nearest() {
    let device = Device::flex();
    let energy = |upsample: &str, scrambled: bool| {
        let table = format!("head = \"conv3\"\nchannels = [16, 12, 8]\nnorm = \"none\"\nupsample = \"{upsample}\"");
        let recipe = recipe(28, 1, &table).unwrap();
        let images = (0..8).flat_map(|seed| {
            let mut rng = Rng::new(seed, 0);
            let mut generator = (KIND.generator)(&recipe, &device, &mut rng).unwrap();
            if scrambled {
                // Filters of their own for each phase, as without the initialisation of Aitken et al.
                for layer in &mut generator.net.layers {
                    if let Layer::Conv(conv) = layer {
                        conv.weight = conv.weight.clone().map(|old| {
                            let deviation = old.clone().square().mean().sqrt().into_scalar::<f32>();
                            let drawn = (0..old.shape().num_elements()).map(|_| deviation * rng.normal()).collect();
                            Tensor::from_data(TensorData::new::<f32, _>(drawn, old.shape()), &device)
                        });
                    }
                }
            }
            let latents = generator.draw(8, &mut rng);
            let drawn = generator.generate(&latents, &device);
            drawn.into_iter().map(|image| to_pixels(&image, [1, 28, 28], PixelRange::Symmetric)).collect::<Vec<_>>()
        });
        let images: Vec<Vec<u8>> = images.collect();
        edgegen_metrics::pixels::checkerboard(images.iter().map(Vec::as_slice), [28, 28, 1])
    };
    let (nearest, shuffled, scrambled) =
        (energy("nearest", false), energy("pixel-shuffle", false), energy("pixel-shuffle", true));
    assert!(shuffled <= 1.2 * nearest, "{shuffled}, nearest {nearest}");
    assert!(scrambled > 2.0 * nearest, "the measure sees nothing: {scrambled}, nearest {nearest}");
}

#[test]
fn impossible_sizes_are_refused_with_the_possible_ones() {
    let message = format!("{:#}", recipe(30, 1, "").unwrap_err());
    assert!(
        message.contains("size = 16, 20, 24 or 28 for 2 channel counts, which double a map 2 times, found size = 30"),
        "{message}"
    );
}

#[test]
fn shipped_generator_fits_150_000_weights() {
    let recipe = recipe(28, 1, "").unwrap();
    let mut rng = Rng::new(0, 0);
    let net = (KIND.generator)(&recipe, &Device::flex(), &mut rng).unwrap().net;
    assert!(net.num_params() <= 150_000, "{}", net.num_params());
}
