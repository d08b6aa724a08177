//! `eval --truncation`: the same measures of images that are drawn towards what is usual, ψ by ψ.

use anyhow::Result;
use edgegen_runtime::Point;

use crate::cli::latents::{Truncated, draw_truncated};
use crate::cli::source::{Source, points};

/// `count` images for each ψ, with its name: those of the same seeds, of all classes in turn where there are some.
pub fn sets(source: &Source, psi: &[f32], seed: u64, count: usize) -> Result<Vec<(String, Vec<Vec<u8>>)>> {
    let points: Vec<Point> = points(seed, count, None).collect();
    let set = |&psi: &f32| {
        let Truncated { images, space, .. } = draw_truncated(source, &points, &[psi], &[])?;
        Ok((format!("{space} × {psi}"), images))
    };
    psi.iter().map(set).collect()
}
