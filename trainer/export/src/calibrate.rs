//! Which range of values int8 should cover, stage by stage.
//!
//! A generator's last sums run far into the saturation of tanh (−104 … 5 has been seen), and its hidden maps have rare
//! spikes; covering all of it would leave few codes for what matters. So each range is chosen to minimise the mean
//! squared error of what the stage makes of the rounded value: its nonlinearity is applied before the comparison, and
//! clipping where it is flat costs nothing. The search is exhaustive on a geometric grid, one end after the other.

use edgegen_runtime::Prior;
use edgegen_runtime::fixed::LEAST_CODE;

use crate::error::ExportError;
use crate::layers::Activation;
use crate::stage::{Stage, Staged};

/// Values kept of each stage at most; they are taken evenly from all latents and positions.
const SAMPLES: usize = 60_000;
/// Each candidate of an end of a range is this much closer to zero than the one before.
const SHRINK: f32 = 0.93;
/// Candidates for one end: the last covers 0.93⁶³ ≈ 1 % of the first.
const CANDIDATES: usize = 64;

/// The codes that activations use.
const LEAST: f32 = LEAST_CODE as f32;
const MOST: f32 = i8::MAX as f32;

/// An affine int8 code: `value = scale · (code − zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Code {
    /// Value of one step.
    pub scale: f32,
    /// The code of 0.0.
    pub zero_point: i8,
}

impl Code {
    /// The code that covers `low … high`, of which 0 is made a part.
    pub fn covering(low: f32, high: f32) -> Self {
        let (low, high) = (low.min(0.0), high.max(0.0));
        let scale = ((high - low) / (MOST - LEAST)).max(f32::MIN_POSITIVE);
        let zero_point = (LEAST - low / scale).round().clamp(LEAST, MOST) as i8;
        Self { scale, zero_point }
    }

    /// The edge 0 of a prior.
    pub fn latent(prior: Prior) -> Self {
        Self { scale: 1.0 / f32::from(prior.steps()), zero_point: 0 }
    }

    /// The nearest code of a value.
    pub fn encode(&self, value: f32) -> i8 {
        ((value / self.scale).round() + f32::from(self.zero_point)).clamp(LEAST, MOST) as i8
    }

    /// The value of a code.
    pub fn decode(&self, code: i8) -> f32 {
        self.scale * (f32::from(code) - f32::from(self.zero_point))
    }
}

/// The codes of a stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StageCodes {
    /// What sums are rounded to: the output itself where the nonlinearity is a clamp, else the input of its table.
    pub sums: Code,
    /// The output.
    pub output: Code,
}

/// Whether an activation is done by clamping codes; else it takes a table.
pub fn is_clamp(activation: Activation) -> bool {
    matches!(activation, Activation::Identity | Activation::Relu)
}

/// Codes for every stage from the values that the given latent vectors lead to.
///
/// # Errors
///
/// Without latent vectors, and when a stage gives a value that is not finite.
pub fn calibrate(staged: &Staged, latents: &[Vec<f32>]) -> Result<Vec<StageCodes>, ExportError> {
    if latents.is_empty() {
        return Err(ExportError::NoLatents);
    }
    let mut sums: Vec<Vec<f32>> = vec![Vec::new(); staged.stages.len()];
    for latent in latents {
        let outputs = staged.trace(latent);
        let inputs = core::iter::once(latent).chain(&outputs);
        for ((stage, input), kept) in staged.stages.iter().zip(inputs).zip(&mut sums) {
            kept.extend(thin(&stage.sums(input), SAMPLES / latents.len() + 1));
        }
    }
    let last = staged.stages.len() - 1;
    let stages = staged.stages.iter().zip(&sums).enumerate();
    stages
        .map(|(index, (stage, sums))| {
            if let Some(&found) = sums.iter().find(|value| !value.is_finite()) {
                return Err(ExportError::NotFinite { stage: index, found });
            }
            Ok(if index == last {
                let level = |value: f32| staged.pixels.level(stage.activation.apply(value));
                let code = best(sums, level);
                StageCodes { sums: code, output: Code { scale: 1.0, zero_point: 0 } }
            } else {
                stage_codes(stage, sums)
            })
        })
        .collect()
}

fn stage_codes(stage: &Stage, sums: &[f32]) -> StageCodes {
    let activated: Vec<f32> = sums.iter().map(|&value| stage.activation.apply(value)).collect();
    let output = best(&activated, |value| value);
    let sums = if is_clamp(stage.activation) { output } else { best(sums, |value| stage.activation.apply(value)) };
    StageCodes { sums, output }
}

/// Every n-th value, so that about `keep` remain.
fn thin(values: &[f32], keep: usize) -> impl Iterator<Item = f32> {
    // An odd step does not fall in step with the even numbers of channels.
    values.iter().copied().step_by((values.len() / keep.max(1)) | 1)
}

/// The code that minimises the squared error of `effect` of the rounded values.
fn best(values: &[f32], effect: impl Fn(f32) -> f32) -> Code {
    let effects: Vec<f32> = values.iter().map(|&value| effect(value)).collect();
    let error = |low: f32, high: f32| -> f64 {
        let code = Code::covering(low, high);
        let decoded: Vec<f32> = (-128..=127).map(|c| effect(code.decode(c))).collect();
        let squares = values.iter().zip(&effects).map(|(&value, &effect)| {
            let found = decoded[(i32::from(code.encode(value)) + 128) as usize];
            f64::from(found - effect).powi(2)
        });
        squares.sum()
    };
    let (mut low, mut high) = values.iter().fold((0.0f32, 0.0f32), |(low, high), &v| (low.min(v), high.max(v)));
    let (least, greatest) = (low, high);
    for _ in 0..2 {
        high = argmin(greatest, |candidate| error(low, candidate));
        low = argmin(least, |candidate| error(candidate, high));
    }
    Code::covering(low, high)
}

/// The best of `end`, `end · SHRINK`, `end · SHRINK²`, …
fn argmin(end: f32, error: impl Fn(f32) -> f64) -> f32 {
    let candidates = core::iter::successors(Some(end), |candidate| Some(candidate * SHRINK)).take(CANDIDATES);
    candidates
        .map(|candidate| (error(candidate), candidate))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(end, |best| best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_exact() {
        for (low, high) in [(-1.0, 1.0), (0.0, 3.0), (-0.3, 7.1), (2.0, 3.0), (-5.0, -1.0), (0.0, 0.0)] {
            let code = Code::covering(low, high);
            assert_eq!(code.decode(code.encode(0.0)), 0.0, "{low} … {high}");
        }
    }

    #[test]
    fn a_saturated_range_is_clipped() {
        let values: Vec<f32> = (0..20_000)
            .map(|i| if i % 2 == 0 { -104.0 + i as f32 / 200.0 } else { (i % 100) as f32 / 30.0 - 1.6 })
            .collect();
        let code = best(&values, f32::tanh);
        assert!(code.decode(-128) > -12.0, "{code:?}");
        assert!(code.decode(-128).tanh() < -0.98, "{code:?}");
        assert!(code.scale < 0.06, "{code:?}");
    }

    #[test]
    fn a_flat_spread_is_kept() {
        let values: Vec<f32> = (0..30_000).map(|i| (i % 1000) as f32 / 1000.0 - 0.25).collect();
        let code = best(&values, |value| value);
        assert!(code.decode(127) > 0.72 && code.decode(-128) < -0.24, "{code:?}");
    }
}
