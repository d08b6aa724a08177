//! The search for a range.

use edgegen_runtime::fixed::LEAST_CODE;

use super::{Code, LEAST, LEAST_RATIO, MOST};

/// Each candidate of an end of a range is this much closer to zero than the one before.
const SHRINK: f32 = 0.93;
/// Candidates for one end: the last covers 0.93⁶³ ≈ 1 % of the first.
const CANDIDATES: usize = 64;
/// How much further than the values at hand a statistic is expected to come, as a factor: an example has one of each
/// channel, and codes that are a little coarser cost less than those that are missing.
pub(super) const MARGIN: f32 = 1.25;

/// The code that minimises the squared error of `effect` of the rounded values.
pub(super) fn best(values: &[f32], effect: impl Fn(f32) -> f32) -> Code {
    let effects: Vec<f32> = values.iter().map(|&value| effect(value)).collect();
    let error = |low: f32, high: f32, least: f64| -> f64 {
        let code = Code::covering(low, high);
        let decoded: Vec<f32> = (-128..=127).map(|c| effect(code.decode(c))).collect();
        total(values.iter().zip(&effects), least, |(&value, &effect)| {
            f64::from(decoded[(i32::from(code.encode(value)) + 128) as usize] - effect)
        })
    };
    let (mut low, mut high) = values.iter().fold((0.0f32, 0.0f32), |(low, high), &v| (low.min(v), high.max(v)));
    let (least, greatest) = (low, high);
    for _ in 0..2 {
        high = argmin(towards(greatest, SHRINK), |candidate, least| error(low, candidate, least));
        low = argmin(towards(least, SHRINK), |candidate, least| error(candidate, high, least));
    }
    Code::covering(low, high)
}

/// For positive values x of which 1/√x is taken: the value of the zero point and the code of x, and the code of 1/√x.
/// What is minimised is the error of the result relative to the result, as that multiplies what has the size of √x.
pub(super) fn best_inverse_sqrt(values: &[f32]) -> (f32, Code, Code) {
    let greatest = values.iter().fold(f32::MIN_POSITIVE, |most, &x| most.max(x));
    let values: Vec<f32> = values.iter().map(|x| x.max(LEAST_RATIO * greatest)).collect();
    let ends = values.iter().fold([f32::INFINITY, f32::MIN_POSITIVE], |[low, high], &x| [low.min(x), high.max(x)]);
    let [least, greatest] = if ends[0] < ends[1] { ends } else { [0.5 * ends[1], ends[1]] };
    let between = |low: f32, high: f32| Code::int8((high - low) / (MOST - LEAST), LEAST_CODE);
    let error = |low: f32, high: f32, least: f64| -> f64 {
        let code = between(low, high);
        // The logarithm of the ratio of both results, twice.
        total(&values, least, |&x| f64::from(libm::logf((low + code.decode(code.encode(x - low))) / x)))
    };
    let (mut low, mut high) = (least, greatest);
    for _ in 0..2 {
        high = argmin(towards(greatest, SHRINK).take_while(|&high| high > low), |high, least| error(low, high, least));
        low = argmin(towards(least, 1.0 / SHRINK).take_while(|&low| low < high), |low, least| error(low, high, least));
    }
    let (low, high) = (low / MARGIN, high * MARGIN);
    let results: Vec<f32> = values.iter().map(|&x| x.clamp(low, high).sqrt().recip()).collect();
    let most = argmin(towards(low.sqrt().recip(), SHRINK), |most, least| {
        let code = Code::covering(0.0, most);
        total(&results, least, |&result| f64::from(code.decode(code.encode(result)) / result - 1.0))
    });
    (low, between(low, high), Code::covering(0.0, most))
}

/// `end`, `end · factor`, `end · factor²`, …
fn towards(end: f32, factor: f32) -> impl Iterator<Item = f32> {
    core::iter::successors(Some(end), move |candidate| Some(candidate * factor)).take(CANDIDATES)
}

/// The best of some candidates, of which there is at least one; the first of equals. `error(candidate, least)` may be
/// anything from `least` on where it is not below that.
fn argmin(candidates: impl Iterator<Item = f32>, error: impl Fn(f32, f64) -> f64) -> f32 {
    let mut best = None;
    for candidate in candidates {
        let least = best.map_or(f64::INFINITY, |(least, _)| least);
        let error = error(candidate, least);
        if best.is_none() || error < least {
            best = Some((error, candidate));
        }
    }
    best.map_or(0.0, |(_, candidate)| candidate)
}

/// The sum of squares, or a part of it that is not below `least` any more.
fn total<T>(values: impl IntoIterator<Item = T>, least: f64, error: impl Fn(T) -> f64) -> f64 {
    let mut sum = 0.0f64;
    for (index, value) in values.into_iter().enumerate() {
        sum += error(value).powi(2);
        if index % 256 == 0 && sum >= least {
            break;
        }
    }
    sum
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

    #[test]
    fn results_of_a_root_are_right_relative_to_themselves() {
        let values: Vec<f32> = (0..1000).map(|i| 0.2 + 2.0 * i as f32 / 1000.0).collect();
        let (offset, sums, output) = best_inverse_sqrt(&values);
        for &x in &values {
            let found = (offset + sums.decode(sums.encode(x - offset))).sqrt().recip();
            let found = output.decode(output.encode(found));
            assert!((found * x.sqrt() - 1.0).abs() < 0.02, "{x}: {found}");
        }
    }
}
