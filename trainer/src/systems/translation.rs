//! What systems that turn one image into another share: their networks.
//!
//! The generator halves the image, works on the smallest map, and doubles it again:
//!
//! ```text
//! image ─conv 4×4 /2─► C₀ ─conv 4×4 /2─► C₁ … ─conv 3×3─► C_k ─ blocks ─×2─► … ─×2─► C₀/2 ─conv 3×3─► image, tanh
//!   └───────────────────┴────────────────────── skips ───────────────┴─────────┘
//! ```
//!
//! With skips it is the U-Net of Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks"
//! (2017), §3.2.1:
//! each doubled map has the map of the same size from the way down behind its channels; here the last one has the image
//! itself, so
//! that lines one pixel wide are not lost. Without them, and with `blocks`, it is the residual
//! generator of Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks" (2017),
//! §4. Kernels of 3 and 4
//! rows keep few rows of each map on a device; what a skip holds back is as high as the smallest map needs it to be.
//!
//! The critic scores patches (the PatchGAN of §3.2.2): it halves what it reads and ends with a map of scores, whose
//! mean counts.

use anyhow::{Result, ensure};
use burn::tensor::{Device, Tensor, activation};
use edgegen_export::layers::PixelRange;
use serde::{Deserialize, Serialize};

use super::Generator;
use super::sizes::nearest_multiple;
use crate::nets::{Init, Net, NetBuilder};
use crate::recipe::{Prior, Recipe};
use crate::rng::Rng;

/// A generator from image to image.
#[derive(Clone, Debug)]
pub struct Translator<'a> {
    /// Channels of the maps on the way down, largest map first; the last ones are those of the smallest map, which is
    /// not halved.
    pub channels: &'a [usize],
    /// Whether maps of the way down are handed over to the way up.
    pub skips: bool,
    /// Residual blocks on the smallest map.
    pub blocks: usize,
    /// What follows each hidden layer.
    pub norm: Norm,
    /// Share of values that dropout keeps on the way up.
    pub keep: f32,
}

/// Normalization of a translation network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// None.
    None,
    /// Each channel of an image over its pixels, as CycleGAN has it. On a device it needs rings as high as the map.
    Instance,
    /// Each channel over the batch, which costs a device nothing: it folds into the weights.
    Batch,
}

impl Norm {
    /// A network whose last layer it follows.
    pub fn after(self, net: NetBuilder<'_>) -> NetBuilder<'_> {
        match self {
            Self::None => net,
            Self::Instance => net.instance_norm(),
            Self::Batch => net.batch_norm(),
        }
    }
}

impl Translator<'_> {
    /// Checks what the recipe's table `table` says of it, and the size of the images.
    ///
    /// # Errors
    ///
    /// With the first value that does not fit.
    pub fn check(&self, recipe: &Recipe) -> Result<()> {
        let (table, channels, size) = (&recipe.system, self.channels, recipe.data.size);
        ensure!(
            (2..=6).contains(&channels.len()) && !channels.contains(&0),
            "[{table}] channels must list 2 to 6 positive numbers, found {channels:?}"
        );
        ensure!(
            self.keep > 0.0 && self.keep <= 1.0,
            "[{table}] keep must lie above 0 and be at most 1, found {}",
            self.keep
        );
        let scale = 1 << (channels.len() - 1);
        ensure!(
            [size.h, size.w].iter().all(|side| side.is_multiple_of(scale) && *side >= 2 * scale),
            "[{table}] expected [data] size to be a multiple of {scale} and at least {} for {} channel counts, found {size}: use size = {} or fewer channels",
            2 * scale,
            channels.len(),
            {
                let edgegen_data::Size { h, w } = nearest_multiple(size, scale);
                edgegen_data::Size { h: h.max(2 * scale), w: w.max(2 * scale) }
            }
        );
        Ok(())
    }

    /// The network, from `image` = `[C, H, W]` to one of the same size with `outputs` channels in [−1, 1].
    pub fn build(&self, image: [usize; 3], outputs: usize, device: &Device, rng: &mut Rng) -> Net {
        let (&bottom, halved) = self.channels.split_last().expect("checked: there are channels");
        let mut net = NetBuilder::new(image, Init::He, device, rng);
        let read = net.mark();
        let mut down = Vec::new();
        for &channels in halved {
            net = self.normalized(net.conv(channels, 4, 2, 1)).leaky_relu(0.2);
            down.push((channels, net.mark()));
        }
        net = self.normalized(net.conv(bottom, 3, 1, 1)).relu();
        for _ in 0..self.blocks {
            let start = net.mark();
            net = self.normalized(net.conv(bottom, 3, 1, 1)).relu();
            net = self.normalized(net.conv(bottom, 3, 1, 1)).add(start);
        }
        net = net.dropout(self.keep);
        // The smallest map of the way down is the one that has been read just now.
        down.pop();
        for (channels, skip) in down.into_iter().rev() {
            net = self.normalized(net.conv_transpose(channels, 4, 2, 1)).relu().dropout(self.keep);
            if self.skips {
                net = net.concat(skip);
            }
        }
        net = self.normalized(net.conv_transpose(self.channels[0].div_ceil(2), 4, 2, 1)).relu();
        if self.skips {
            net = net.concat(read);
        }
        net.conv(outputs, 3, 1, 1).tanh().build()
    }

    fn normalized<'a>(&self, net: NetBuilder<'a>) -> NetBuilder<'a> {
        self.norm.after(net)
    }
}

/// A generator from image to image, both in [−1, 1], as it ships.
pub fn translator(net: Net) -> Generator {
    // Nothing is drawn: the prior is that of no values.
    Generator { net, prior: Prior::Gaussian, classes: 0, pixels: PixelRange::Symmetric, more: vec![] }
}

/// |x|, with a gradient of 0 at 0, where that of Burn's is NaN: black that tanh has reached equals black.
pub fn absolute<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation::relu(x.clone()) + activation::relu(x.neg())
}

/// A critic that scores overlapping patches of `image` = `[C, H, W]`; its output is a map `[1, h, w]` of scores.
///
/// Each of `channels` halves an even map of more than 4 rows and keeps another. With two halvings a score sees a patch
/// of 18 × 18 pixels.
pub fn patch_critic(channels: &[usize], image: [usize; 3], spectral: bool, device: &Device, rng: &mut Rng) -> Net {
    patch_scores(1, channels, image, spectral, device, rng)
}

/// As [`patch_critic`], with several scores for each patch.
pub fn patch_scores(
    scores: usize,
    channels: &[usize],
    image: [usize; 3],
    spectral: bool,
    device: &Device,
    rng: &mut Rng,
) -> Net {
    let mut net = NetBuilder::new(image, Init::He, device, rng).spectral_norm(spectral);
    for &channels in channels {
        let side = net.shape()[1];
        net =
            if side.is_multiple_of(2) && side > 4 { net.conv(channels, 4, 2, 1) } else { net.conv(channels, 3, 1, 1) };
        net = net.leaky_relu(0.2);
    }
    net.conv(scores, 3, 1, 1).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::Mode;
    use burn::tensor::TensorData;

    #[test]
    fn every_form_makes_an_image_of_the_size_that_it_reads() {
        let device = Device::flex();
        for (size, channels) in [(28, &[4, 6, 8][..]), (32, &[4, 4, 6, 8]), (8, &[4, 4])] {
            for (skips, blocks, norm) in
                [(true, 0, Norm::None), (false, 2, Norm::Instance), (true, 1, Norm::Instance), (true, 1, Norm::Batch)]
            {
                let translator = Translator { channels, skips, blocks, norm, keep: 0.5 };
                let mut rng = Rng::new(1, 0);
                let net = translator.build([3, size, size], 1, &device, &mut rng);
                let images = net.forward(Tensor::ones([2, 3, size, size], &device), &mut Mode::Train(&mut rng));
                assert_eq!((images.dims(), net.output), ([2, 1, size, size], [1, size, size]));
            }
        }
    }

    #[test]
    fn a_score_sees_its_patch_alone() {
        let device = Device::flex();
        let critic = patch_critic(&[4, 6], [2, 28, 28], true, &device, &mut Rng::new(1, 0));
        assert_eq!(critic.output, [1, 7, 7]);
        let scores = |values: Vec<f32>| -> Vec<f32> {
            let image = Tensor::<4>::from_data(TensorData::new(values, [1, 2, 28, 28]), &device);
            critic.forward(image, &mut Mode::Eval).into_data().try_to_vec().unwrap()
        };
        let mut image = vec![0.5; 2 * 28 * 28];
        let before = scores(image.clone());
        image[14 * 28 + 14] = -0.5;
        let changed: Vec<usize> =
            before.iter().zip(scores(image)).enumerate().filter(|(_, (a, b))| *a != b).map(|(at, _)| at).collect();
        // A score every 4 pixels and patches of 18: at most 5 rows and columns of scores see a pixel.
        assert!(!changed.is_empty() && changed.len() <= 25, "{changed:?}");
        assert!(changed.iter().all(|at| (1..=5).contains(&(at / 7)) && (1..=5).contains(&(at % 7))), "{changed:?}");
    }
}
