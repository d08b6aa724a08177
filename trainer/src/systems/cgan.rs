//! `cgan`: a [`dcgan`](super::dcgan) that draws the class it is asked for.
//!
//! The generator reads the latent vector and behind it one value for each class, 1 for the class to draw; its first layer so has a vector
//! of its own for each class, an embedding, which is added to what the latent vector makes. The critic has a score for any image and one
//! for each class (projection, see [`adversarial`](super::adversarial)):
//!
//! ```text
//! x = G(z, y)          D(x, y) = s₀(x) + s_y(x)
//! ```
//!
//! Mirza and Osindero, "Conditional Generative Adversarial Nets" (2014), eq. 2; Miyato and Koyama, "cGANs with Projection
//! Discriminator" (2018), eq. 7. On a device the class is chosen with `Point::of_class`; without a choice, seeds take the classes in turn.
//!
//! Knobs: those of `dcgan`, and `classes` (10).

use anyhow::{Result, ensure};
use toml::Table;

use super::Kind;
use super::dcgan::{self, Config};
use crate::recipe::Recipe;

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "cgan",
    about: "a dcgan that draws the class it is asked for; critic by projection",
    normalize,
    ..dcgan::KIND
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let mut config: Config = recipe.settings()?;
    if !recipe.settings.contains_key("classes") {
        config.classes = 10;
    }
    ensure!((2..=256).contains(&config.classes), "[cgan] classes must be 2 to 256, found {}", config.classes);
    dcgan::check(&config, recipe)?;
    Ok(Table::try_from(config)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use crate::systems::{Batch, Step, Trained};
    use burn::tensor::{Device, Tensor};

    #[test]
    fn classes_reach_both_players() {
        let recipe = Recipe::parse(
            "system = \"cgan\"\n[data]\nname = \"x\"\nsize = 16\n[train]\nbatch = 4\n[cgan]\nclasses = 3\nlatent = 5\nchannels = [6, 4]\ncritic_channels = [4]",
        )
        .unwrap();
        let (device, mut rng) = (Device::flex().autodiff(), Rng::new(1, 0));
        let mut system = (KIND.build)(&recipe, &device, &mut rng).unwrap();
        let mut next_batch = || Batch::alone(Tensor::zeros([4, 1, 16, 16], &Device::flex()), vec![0, 1, 2, 1]);
        let mut step =
            Step { lr_generator: 1e-3, lr_critic: 1e-3, ema: 0.5, rng: &mut rng, next_batch: &mut next_batch };
        let losses = system.step(&mut step);
        assert!(losses.iter().all(|(_, value)| value.is_finite()), "{losses:?}");
        let Trained::Generator(generator) = system.trained() else { panic!("a generator ships") };
        assert_eq!((generator.input().dims, generator.input().classes), (5, 3));
        let drawn = generator.draw(4, &mut Rng::new(2, 0));
        assert_eq!(drawn[3][5..], [1.0, 0.0, 0.0], "classes in turn");
        let images =
            generator.generate(&[drawn[0].clone(), [&drawn[0][..5], &[0.0, 1.0, 0.0]].concat()], &Device::flex());
        assert_ne!(images[0], images[1], "another class is another image");
    }

    #[test]
    fn a_dcgan_knows_no_classes() {
        let text = "system = \"dcgan\"\n[data]\nname = \"x\"\n[dcgan]\nclasses = 3";
        assert!(Recipe::parse(text).unwrap_err().to_string().contains("use system = \"cgan\""));
        let recipe = Recipe::parse("system = \"cgan\"\n[data]\nname = \"x\"").unwrap();
        assert_eq!(recipe.settings::<Config>().unwrap().classes, 10);
    }
}
