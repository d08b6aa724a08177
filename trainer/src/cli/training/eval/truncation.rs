//! `eval --truncation`: the same measures of latent vectors drawn towards the middle of their prior, ψ by ψ.

use anyhow::{Result, ensure};
use edgegen_runtime::Point;

use crate::cli::latents;
use crate::cli::source::{Source, points};

/// A factor of latent vectors, as it is written on the command line.
pub fn psi(text: &str) -> Result<f32, String> {
    let value = text.parse::<f32>().ok().filter(|psi| (0.0..=4.0).contains(psi));
    value.ok_or_else(|| "expected a number from 0 to 4, and commas between several".to_owned())
}

/// `count` images for each ψ, with its name: those of the same seeds, of all classes in turn where there are some.
pub fn sets(source: &Source, psi: &[f32], seed: u64, count: usize) -> Result<Vec<(String, Vec<Vec<u8>>)>> {
    ensure!(
        latents::lengths(source)?.0 > 0,
        "expected a generator with a latent vector for --truncation, found none: leave it out"
    );
    let points: Vec<Point> = points(seed, count, None).collect();
    let set = |&psi: &f32| {
        let vectors = latents::truncated(source, &points, &[psi])?;
        let (images, _) = latents::draw(source, &vectors, &points, &[])?;
        Ok((format!("ψ = {psi}"), images))
    };
    psi.iter().map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_small_and_not_negative() {
        assert_eq!([psi("0"), psi("0.3"), psi("4")], [Ok(0.0), Ok(0.3), Ok(4.0)]);
        assert!(["-0.1", "4.5", "nan", "half", ""].iter().all(|text| psi(text).unwrap_err().contains("from 0 to 4")));
    }
}
