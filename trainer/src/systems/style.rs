//! `style`: a generator that draws a learned constant in a style, which a small network makes of the latent vector.
//!
//! ```text
//! z ─ linear, LeakyReLU, … ─► w                                          the mapping
//! constant ─ conv(w) + noise ─×2─ conv(w) + noise ─ … ─► image           each layer has a style of its own, linear in w
//! ```
//!
//! Karras, Laine and Aila, "A Style-Based Generator Architecture for GANs" (2019), and Karras et al., "Analyzing and
//! Improving the Image Quality of StyleGAN" (2020). A style acts in one of two forms:
//!
//! * `form = "demodulated"` (2020, §2.2) scales the weights of the convolution and divides them by their norm. On a
//!   device that is a product of each row by a vector before and behind the convolution: rows stay rows.
//! * `form = "instance"` (2019, eq. 1) normalizes each map by its own statistics and scales it then, so that a device
//!   has to hold whole maps.
//!
//! Every layer follows one of two latent vectors (style mixing, 2019, §3.1), which an input says layer by layer; where
//! nobody asks for a mixture the second does nothing. While the net trains, a share `mixing` of the images has the
//! second behind a layer that is drawn. Noise, a value a pixel, is added with a learned strength (2019, §2). The mean
//! style is kept for truncation.
//!
//! Left out are the normalization of z, path lengths and lazy regularization. The paper's game is `loss =
//! "non-saturating"` with `penalty = { zero-centred = … }`; the default is that of [`dcgan`](super::dcgan), which is
//! faster.
//!
//! Knobs: `latent`, `style` and `mapping`; `channels` by size, smallest map first, each twice as large as the one
//! before; `depth`, layers of each size; `form`, `noise`, `mixing`; what [`dcgan`](super::dcgan) says of critic, loss,
//! penalty and tricks.

use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use edgegen_export::layers::{Input, PixelRange};
use edgegen_runtime::graph::Shape;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::adversarial::{Adversarial, Loss, Players};
use super::penalty::Penalty;
use super::sizes::{halvings, reduced, written};
use super::tricks::Tricks;
use super::{Generator, Kind, System, dcgan};
use crate::nets::{Init, Mark, Net, NetBuilder};
use crate::recipe::{Prior, Recipe, Size};
use crate::rng::Rng;

/// The table `[style]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Length of the latent vector.
    pub latent: usize,
    /// Length of w.
    pub style: usize,
    /// Layers of the mapping.
    pub mapping: usize,
    /// Channels of the maps, smallest map first.
    pub channels: Vec<usize>,
    /// Layers with a style of each size.
    pub depth: usize,
    /// How a style acts.
    pub form: Form,
    /// Layers with noise, from the first on; more than there are means all.
    pub noise: usize,
    /// Share of the images that has the styles of two latent vectors while the net trains.
    pub mixing: f32,
    /// Channels of the critic, as those of [`dcgan`](super::dcgan::Config).
    pub critic_channels: Vec<usize>,
    /// Whether the critic's weights are spectrally normalized.
    pub spectral_norm: bool,
    /// What the players minimize.
    pub loss: Loss,
    /// What else the critic minimizes.
    pub penalty: Penalty,
    /// What else is done.
    pub tricks: Tricks,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            latent: 32,
            style: 48,
            mapping: 2,
            channels: vec![64, 48, 32, 16],
            depth: 1,
            form: Form::Demodulated,
            noise: 4,
            mixing: 0.9,
            critic_channels: vec![32, 64, 96],
            spectral_norm: true,
            loss: Loss::Hinge,
            penalty: Penalty::None,
            tricks: Tricks::default(),
        }
    }
}

/// How a style acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// On the weights of the convolution.
    Demodulated,
    /// On the map, normalized by its own statistics (AdaIN).
    Instance,
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "style",
    about: "style-based generator: mapping, styles that mix, noise",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        Ok(Generator {
            net: config.generator(recipe, device, rng),
            prior: Prior::Gaussian,
            classes: 0,
            pixels: PixelRange::Symmetric,
            more: config.more(recipe.data.size),
        })
    },
    build,
};

/// Slope of LeakyReLU below zero.
const SLOPE: f32 = 0.2;
/// Sides of the constant.
const FIRST_MAP: std::ops::RangeInclusive<usize> = 4..=7;

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    config.critic().penalty.check("style")?;
    config.tricks.check("style", config.loss, config.penalty, 0)?;
    for (key, value) in
        [("latent", config.latent), ("style", config.style), ("mapping", config.mapping), ("depth", config.depth)]
    {
        ensure!(value >= 1, "[style] {key} must be at least 1, found {value}");
    }
    ensure!((0.0..=1.0).contains(&config.mixing), "[style] mixing must be 0 to 1, found {}", config.mixing);
    for (key, list) in [("channels", &config.channels), ("critic_channels", &config.critic_channels)] {
        ensure!(!list.is_empty() && !list.contains(&0), "[style] {key} must list positive numbers, found {list:?}");
    }
    let (size, times) = (recipe.data.size, config.channels.len() - 1);
    let fits = |times: &usize| halvings(size) >= *times && FIRST_MAP.contains(&(size.h.min(size.w) >> times));
    let fitting = (0..12).find(fits).with_context(|| {
        format!(
            "[style] expected [data] size to be 4 to 7 times a power of two on its shorter side, found {}",
            written(size)
        )
    })?;
    ensure!(
        fitting == times,
        "[style] expected {} channel counts for [data] size = {}, whose first map is {}, found {:?}",
        fitting + 1,
        written(size),
        written(reduced(size, fitting)),
        config.channels
    );
    Ok(Table::try_from(config)?)
}

fn build(recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Box<dyn System>> {
    let config: Config = recipe.settings()?;
    let players = Players {
        generator: config.generator(recipe, device, rng),
        critic: dcgan::critic(&config.critic(), recipe, device, rng),
        loss: config.loss,
        penalty: config.penalty,
        more: config.more(recipe.data.size),
        mixing: config.mixing,
        tricks: config.tricks,
        classes: 0,
        prior: Prior::Gaussian,
        pixels: PixelRange::Symmetric,
    };
    Ok(Box::new(Adversarial::new(players, &recipe.train, device)))
}

impl Config {
    /// Height and width of each layer with a style.
    fn sizes(&self, size: Size) -> Vec<Size> {
        let sizes = (0..self.channels.len()).rev().map(|times| reduced(size, times));
        sizes.flat_map(|size| std::iter::repeat_n(size, self.depth)).collect()
    }

    /// What the net reads behind the latent vector.
    fn more(&self, size: Size) -> Vec<Input> {
        let sizes = self.sizes(size);
        let prior = edgegen_runtime::Prior::Gaussian;
        let mut inputs = vec![Input::Style { prior, dims: self.latent }, Input::Mix { layers: sizes.len() }];
        let noise = |(number, size): (usize, &Size)| Input::Noise {
            // Recipes end far below 65 536.
            shape: Shape { h: size.h as u16, w: size.w as u16, c: 1 },
            prior,
            number: number as u16,
        };
        inputs.extend(sizes.iter().take(self.noise).enumerate().map(noise));
        inputs
    }

    fn critic(&self) -> dcgan::Config {
        dcgan::Config {
            critic_channels: self.critic_channels.clone(),
            spectral_norm: self.spectral_norm,
            penalty: self.penalty,
            tricks: self.tricks.clone(),
            ..dcgan::Config::default()
        }
    }

    fn generator(&self, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
        let sizes = self.sizes(recipe.data.size);
        let latent = [self.latent, 1, 1];
        let mut net = NetBuilder::new(latent, Init::He, device, rng);
        let first = net.mark();
        net = net.input(latent);
        let second = net.mark();
        net = net.input([sizes.len(), 1, 1]);
        let mix = net.mark();
        let mut noise = Vec::new();
        for size in sizes.iter().take(self.noise) {
            net = net.input([1, size.h, size.w]);
            noise.push(net.mark());
        }

        let start = net.count();
        net = net.at(first);
        for _ in 0..self.mapping {
            net = net.linear([self.style, 1, 1]).leaky_relu(SLOPE);
        }
        net = net.truncation();
        let mapping = start..net.count();
        let w = net.mark();
        net = net.at(second).again(mapping, [self.style, 1, 1]).add_scaled(w, [1.0, -1.0]);
        let difference = net.mark();

        net = net.at(w).constant([self.channels[0], sizes[0].h, sizes[0].w]);
        for layer in 0..sizes.len() {
            let map = net.mark();
            // w + mix · (w₂ − w)
            net = net.at(mix).part(layer, 1).multiply(difference).add(w);
            let style = net.mark();
            let channels = self.channels[layer / self.depth];
            let doubled = layer > 0 && layer % self.depth == 0;
            net = self.layer(net.at(map), style, channels, doubled, noise.get(layer).copied());
        }
        net.conv(recipe.data.channels, 1, 1, 0).tanh().build()
    }

    /// A layer in the style that the vector `style` tells.
    fn layer<'a>(
        &self,
        mut net: NetBuilder<'a>,
        style: Mark,
        channels: usize,
        doubled: bool,
        noise: Option<Mark>,
    ) -> NetBuilder<'a> {
        let map = net.mark();
        if self.form == Form::Demodulated {
            net = net.at(style).linear_around([map.channels(), 1, 1], 1.0);
            let factors = net.mark();
            net = net.at(map).modulated_conv(channels, 3, factors, true, doubled);
        } else {
            net = if doubled { net.upsample_nearest(2) } else { net };
            net = net.conv(channels, 3, 1, 1);
        }
        let made = net.mark();
        net = match noise {
            Some(noise) => net.noise(noise),
            None => {
                net = net.at(style).linear([channels, 1, 1]);
                let offsets = net.mark();
                net.at(made).add(offsets)
            }
        };
        net = net.leaky_relu(SLOPE);
        if self.form == Form::Instance { net.instance_norm().modulate(style) } else { net }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgegen_runtime::Point;
    use edgegen_runtime::latent::{Noise, Style};

    fn recipe(table: &str, size: usize) -> Result<Recipe> {
        Recipe::parse(&format!(
            "system = \"style\"\nseed = 1\n[data]\nname = \"x\"\nsize = {size}\nchannels = 1\n[style]\n{table}"
        ))
    }

    fn untrained(table: &str) -> Generator {
        let recipe = recipe(&format!("latent = 6\nstyle = 8\nchannels = [8, 6, 4]\n{table}"), 16).unwrap();
        let mut made = (KIND.generator)(&recipe, &Device::flex(), &mut Rng::new(5, 0)).unwrap();
        // Strengths of noise start at 0.
        for layer in &mut made.net.layers {
            if let crate::nets::layer::Layer::Noise(noise) = layer {
                noise.strength = noise.strength.clone().map(|strength| strength + 0.5);
            }
        }
        // And the image of random weights is far in the flat parts of tanh.
        let count = made.net.layers.len();
        let crate::nets::layer::Layer::Conv(last) = &mut made.net.layers[count - 2] else { panic!("built above") };
        last.weight = last.weight.clone().map(|weight| weight.mul_scalar(0.1));
        made
    }

    fn draw(generator: &Generator, point: Point) -> Vec<f32> {
        generator.generate(&[generator.values_at(point)], &Device::flex()).concat()
    }

    fn difference(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_style_in_all_layers_is_the_other_image_and_in_some_neither() {
        for form in ["demodulated", "instance"] {
            let generator = untrained(&format!("depth = 2\nform = \"{form}\""));
            let [a, b] = [1, 2].map(|seed| Point::seed(seed).with_noise(Noise::Off));
            let mixed = |first, end| draw(&generator, a.styled(Style::of(2, first, end)));
            let [image, other] = [a, b].map(|point| draw(&generator, point));
            assert!(difference(&image, &other) > 0.05, "blank images prove nothing");
            assert_eq!(mixed(0, 0), image);
            assert!(difference(&mixed(0, 6), &other) < 1e-5, "{form}");
            for (first, end) in [(0, 2), (2, 4), (4, 6)] {
                let some = mixed(first, end);
                let apart = [&image, &other].map(|image| difference(&some, image));
                assert!(apart.iter().all(|&apart| apart > 1e-3), "{form} {first}: {apart:?}");
            }
        }
    }

    #[test]
    fn noise_changes_what_the_seed_leaves() {
        let generator = untrained("noise = 2");
        let [a, b, off] = [Noise::Seed(8), Noise::Seed(9), Noise::Off]
            .map(|noise| draw(&generator, Point::seed(1).with_noise(noise)));
        assert!(difference(&a, &b) > 1e-3 && difference(&a, &off) > 1e-3);
        let silent = untrained("noise = 0");
        assert_eq!(silent.more.len(), 2, "a style and its mixing");
        let [a, off] = [Noise::Seed(8), Noise::Off].map(|noise| draw(&silent, Point::seed(1).with_noise(noise)));
        assert_eq!(a, off);
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let refused = |table: &str, size: usize| format!("{:#}", recipe(table, size).unwrap_err());
        assert!(refused("channels = [4, 4]", 32).contains("expected 4 channel counts for [data] size = 32"));
        assert!(refused("mixing = 1.5", 32).contains("mixing must be 0 to 1, found 1.5"));
        assert!(refused("mapping = 0", 32).contains("mapping must be at least 1"));
        assert!(refused("channels = []", 32).contains("must list positive numbers"));
        assert!(recipe("channels = [4, 4]\nlatent = 2", 14).is_ok());
    }
}
