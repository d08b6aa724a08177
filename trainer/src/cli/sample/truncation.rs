//! `sample --truncation`: what becomes of styles or latent vectors that are drawn towards their mean, or away.
//!
//! ```text
//! w(ψ) = m + ψ (w − m)        m the mean style, which a run with styles keeps
//! z(ψ) = m + ψ (z − m)        m the mean of the prior, for all others
//! ```
//!
//! Smaller ψ gives up variety for likelihood (Karras et al., "A style-based generator architecture for generative
//! adversarial networks", 2019, appendix B). Brock et al. (2019, §3.1) draw values of z beyond a threshold again
//! instead.

use anyhow::Result;
use edgegen_runtime::Point;

use super::Scene;
use crate::cli::latents::{Truncated, draw_truncated};
use crate::cli::source::points;
use crate::cli::{Ending, grouped};
use crate::images;

/// The extensions that it writes.
pub const FORMATS: [&str; 2] = ["png", "npy"];
/// Rows of the sheet.
const PSI: [f32; 7] = [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5];
/// Its columns.
const COLUMNS: usize = 8;

pub fn run(scene: &Scene<'_>) -> Result<Ending> {
    let (args, source) = (scene.args, scene.source);
    let usual = match (source.classes()?, scene.class) {
        (classes, None) if classes > 0 && source.vocabulary()?.is_none() => classes,
        _ => COLUMNS,
    };
    let columns = args.count.map_or(usual, |count| count as usize);
    scene.check_count(columns * PSI.len())?;
    let points: Vec<Point> = points(args.seed, columns, scene.class).collect();
    let Truncated { images: made, clamped: [clamped, values], space } =
        draw_truncated(source, &points, &PSI, scene.picture)?;

    match images::expect(&args.out, &FORMATS)? {
        "png" => {
            let labels: Vec<String> = PSI.iter().map(|psi| format!("{space} × {psi:.2}")).collect();
            images::save_labelled(&args.out, &made, scene.shape, columns, &labels)?;
        }
        _ => images::save_npy(&args.out, &made, scene.shape)?,
    }
    let value = serde_json::json!({
        "file": args.out,
        "psi": PSI,
        "space": space,
        "count": columns,
        "seed": args.seed,
        "shape": scene.shape,
        "clamped": clamped,
    });
    scene.console.show(&value, || {
        let psi = PSI.map(|psi| psi.to_string()).join(", ");
        let what = if space == 'w' { "styles" } else { "latent vectors" };
        let told = format!("{}: {columns} {what}, a row for each ψ of {psi}", args.out.display());
        match clamped {
            0 => told,
            _ => {
                format!("{told}; {} of {} latent values were clamped", grouped(clamped as u64), grouped(values as u64))
            }
        }
    })
}
