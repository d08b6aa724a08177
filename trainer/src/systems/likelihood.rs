//! Log-likelihoods in nats and in bits for each dimension, so that systems can be compared.

use std::f64::consts::LN_2;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_bytes_have_eight_bits() {
        // A density of 1 on [0, 1] gives each level 1/256.
        assert!((bits(levels(784), 784) - 8.0).abs() < 1e-12);
        assert!((bits(-784.0 * LN_2, 784) - 1.0).abs() < 1e-12);
    }
}
