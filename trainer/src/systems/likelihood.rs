//! Log-likelihoods in nats and in bits for each dimension, so that systems can be compared.

use std::f64::consts::LN_2;

use super::Losses;
use crate::data::Plane;
use crate::recipe::Recipe;

/// What is added to the log-density of a whole image with values in [0, 1] for the log-probability of its 256 grey levels:
/// so many nats for each of `dims` values (Papamakarios et al., 2017, appendix E.2).
pub fn levels(dims: usize) -> f64 {
    -(dims as f64) * 256f64.ln()
}

/// Bits for each of `dims` values, of a log-likelihood in nats.
pub fn bits(nats: f64, dims: usize) -> f64 {
    -nats / (dims as f64 * LN_2)
}

/// What is added to the log-density of points as networks see them, in [−1, 1], for that in the units of their set; nothing
/// for images.
pub fn in_units(recipe: &Recipe) -> f64 {
    let plane = Plane::chosen(&recipe.data).filter(|_| recipe.image() == [2, 1, 1]);
    plane.map_or(0.0, |plane| -2.0 * f64::from(plane.scale).ln())
}

/// How to say the log-density of values in [0, 1].
#[derive(Clone, Copy, Debug)]
pub struct Unit {
    dims: usize,
    /// Added to nats: of points, for their set's units.
    units: f64,
    /// Added for bits: of images, for the probability of grey levels, over which a density is taken to be constant.
    levels: f64,
}

impl Unit {
    /// Of the recipe's data.
    pub fn of(recipe: &Recipe) -> Self {
        let dims = recipe.image().iter().product();
        match in_units(recipe) {
            0.0 => Self { dims, units: 0.0, levels: levels(dims) },
            units => Self { dims, units: units - dims as f64 * LN_2, levels: 0.0 },
        }
    }

    /// The log-density in nats: of pixels from 0 to 1, of points in their set's units.
    pub fn nats(self, log: f64) -> f64 {
        log + self.units
    }

    /// Bits for each value.
    pub fn bits(self, log: f64) -> f64 {
        bits(log + self.units + self.levels, self.dims)
    }

    /// What a system says of its test data.
    pub fn losses(self, log: f64) -> Losses {
        vec![("test_log_likelihood", self.nats(log) as f32), ("bits_per_dimension", self.bits(log) as f32)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_bytes_have_eight_bits() {
        // A density of 1 on [0, 1] gives each level 1/256.
        assert!((bits(levels(784), 784) - 8.0).abs() < 1e-12);
        assert!((bits(-784.0 * LN_2, 784) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn points_have_the_units_of_their_set() {
        let recipe = |name: &str| {
            Recipe::parse(&format!("system = \"gaussian\"\n[data]\nname = \"{name}\"\n[gaussian]\nlatent = 2"))
        };
        // A density of 1 on the unit square is one of 1/10² on what it stands for, 10 × 10.
        let grid = Unit::of(&recipe("grid").unwrap());
        assert!((grid.nats(0.0) + 100f64.ln()).abs() < 1e-6, "{grid:?}");
        let digits = Unit::of(&recipe("mnist").unwrap());
        assert!(digits.nats(-3.0) == -3.0 && (digits.bits(0.0) - 8.0).abs() < 1e-12);
    }
}
