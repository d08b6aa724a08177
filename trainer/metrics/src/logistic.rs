//! Logistic regression: the log ratio of two densities from samples of both.
//!
//! Of samples x of p₁ (y = 1) and p₀ (y = 0), as many of each, P(y = 1 | x) = σ(ln p₁(x)/p₀(x)): who fits w in σ(w·x + o(x)) has
//! estimated the log ratio w·x + o(x) (Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 2009, §14.2.4).
//! The offset o is what is known of it, as the noise's density in noise-contrastive estimation (Gutmann and Hyvärinen, 2010, eq. 2 and 3).

/// A sample: what its logit is linear in, what is added to the logit, and its class.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Values, 1 among them where there is an intercept.
    pub features: Vec<f64>,
    /// The part of the logit that is known.
    pub offset: f64,
    /// Whether it is a sample of p₁.
    pub positive: bool,
}

/// Newton's steps until the largest change is below this.
const PRECISION: f64 = 1e-10;
const STEPS: usize = 50;

/// The weights that minimize the mean log loss plus ½ `ridge` |w|², by Newton's method.
///
/// A ridge of 0 is the maximum of the likelihood, which separable samples have at infinity: their weights are what 50
/// steps come to.
///
/// # Panics
///
/// If there are no cases or they differ in the number of features.
pub fn fit(cases: &[Case], ridge: f64) -> Vec<f64> {
    let dims = cases.first().expect("logistic regression needs samples").features.len();
    assert!(cases.iter().all(|case| case.features.len() == dims), "samples of one kind");
    let mut weights = vec![0.0; dims];
    for _ in 0..STEPS {
        let mut gradient: Vec<f64> = weights.iter().map(|weight| ridge * weight).collect();
        let mut hessian = vec![0.0; dims * dims];
        (0..dims).for_each(|at| hessian[at * dims + at] = ridge + 1e-12);
        for case in cases {
            let says = sigmoid(logit(&weights, &case.features) + case.offset);
            let error = (says - f64::from(u8::from(case.positive))) / cases.len() as f64;
            let slope = says * (1.0 - says) / cases.len() as f64;
            for (row, x) in case.features.iter().enumerate() {
                gradient[row] += error * x;
                let of_row = &mut hessian[row * dims..][..=row];
                of_row.iter_mut().zip(&case.features).for_each(|(sum, other)| *sum += slope * x * other);
            }
        }
        let mut step = solve(hessian, gradient);
        if step.iter().all(|step| step.abs() < PRECISION) {
            break;
        }
        // Far from the minimum a whole step may lead past it, to where the loss is flat and the next one without bound.
        let before = loss(cases, &weights, ridge);
        let after = |step: &[f64]| weights.iter().zip(step).map(|(weight, step)| weight - step).collect::<Vec<f64>>();
        let mut next = after(&step);
        for _ in 0..STEPS {
            if loss(cases, &next, ridge) <= before {
                break;
            }
            step.iter_mut().for_each(|step| *step /= 2.0);
            next = after(&step);
        }
        weights = next;
    }
    weights
}

/// What [`fit`] minimizes.
fn loss(cases: &[Case], weights: &[f64], ridge: f64) -> f64 {
    let of = |case: &Case| {
        let logit = logit(weights, &case.features) + case.offset;
        let against = if case.positive { -logit } else { logit };
        // ln(1 + eˣ) without overflow.
        against.max(0.0) + (-against.abs()).exp().ln_1p()
    };
    let squares: f64 = weights.iter().map(|weight| weight * weight).sum();
    cases.iter().map(of).sum::<f64>() / cases.len() as f64 + 0.5 * ridge * squares
}

/// w·x.
pub fn logit(weights: &[f64], features: &[f64]) -> f64 {
    weights.iter().zip(features).map(|(weight, x)| weight * x).sum()
}

/// 1 / (1 + e⁻ˣ).
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The area under the receiver operating characteristic: how often a score of `high` lies above one of `low`, ties as half.
///
/// # Panics
///
/// If one is empty.
pub fn auc(high: &[f64], low: &[f64]) -> f64 {
    assert!(!high.is_empty() && !low.is_empty(), "an area needs scores of both kinds");
    let wins: f64 = high
        .iter()
        .flat_map(|high| low.iter().map(move |low| high.total_cmp(low)))
        .map(|order| match order {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        })
        .sum();
    wins / (high.len() * low.len()) as f64
}

/// x of A x = b for a positive definite A, of which the lower half is given, row by row; by Cholesky's method.
fn solve(mut a: Vec<f64>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for row in 0..n {
        for column in 0..=row {
            let inner: f64 = (0..column).map(|at| a[row * n + at] * a[column * n + at]).sum();
            let left = a[row * n + column] - inner;
            // Rounding may leave a little less than nothing where features depend on each other.
            a[row * n + column] = if row == column { left.max(1e-300).sqrt() } else { left / a[column * n + column] };
        }
    }
    for row in 0..n {
        let inner: f64 = (0..row).map(|at| a[row * n + at] * b[at]).sum();
        b[row] = (b[row] - inner) / a[row * n + row];
    }
    for row in (0..n).rev() {
        let inner: f64 = (row + 1..n).map(|at| a[at * n + row] * b[at]).sum();
        b[row] = (b[row] - inner) / a[row * n + row];
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved() {
        // [[4, 2], [2, 3]] · [1, −2] = [0, −4]; what stands above the diagonal is not read.
        let x = solve(vec![4.0, 99.0, 2.0, 3.0], vec![0.0, -4.0]);
        assert!((x[0] - 1.0).abs() < 1e-12 && (x[1] + 2.0).abs() < 1e-12, "{x:?}");
    }

    #[test]
    fn odds_of_two_groups_are_exact() {
        // 1 of 4 positive where x = 0, 3 of 4 where x = 1: intercept ln(1/3), slope ln 9; an offset moves the intercept.
        // From 12 on, whole steps of Newton's method would lead ever farther away.
        for offset in [0.0, 0.7, 12.0] {
            let case = |x: f64, positive: bool| Case { features: vec![x, 1.0], offset, positive };
            let group = |x: f64, yes: usize| (0..4).map(move |index| case(x, index < yes));
            let cases: Vec<Case> = group(0.0, 1).chain(group(1.0, 3)).collect();
            let weights = fit(&cases, 0.0);
            assert!((weights[0] - 9f64.ln()).abs() < 1e-8, "{weights:?}");
            assert!((weights[1] - ((1f64 / 3.0).ln() - offset)).abs() < 1e-8, "{weights:?}");
        }
    }

    #[test]
    fn area_under_the_curve() {
        assert_eq!(auc(&[2.0, 3.0], &[1.0, 2.0]), 0.875);
        assert_eq!(auc(&[0.0], &[1.0]), 0.0);
    }
}
