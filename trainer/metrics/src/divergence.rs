//! Divergences of distributions that are known: probabilities of the same outcomes, or of the cells of a [`Line`] that is fine enough.

/// KL(p ‖ q) = Σ p ln(p / q) in nats. 0 where p is 0; infinite where q is 0 and p is not.
///
/// # Panics
///
/// Unless both have the same number of outcomes.
pub fn kl(p: &[f64], q: &[f64]) -> f64 {
    assert_eq!(p.len(), q.len(), "two distributions over the same outcomes");
    p.iter().zip(q).filter(|(p, _)| **p > 0.0).map(|(p, q)| p * (p / q).ln()).sum()
}

/// The Jensen–Shannon divergence ½ KL(p ‖ m) + ½ KL(q ‖ m), m = ½(p + q), in nats: symmetric, from 0 to ln 2 (Lin, "Divergence Measures
/// Based on the Shannon Entropy", 1991, eq. 4.1). Its square root is a metric (Endres and Schindelin, 2003).
///
/// # Panics
///
/// Unless both have the same number of outcomes.
pub fn jensen_shannon(p: &[f64], q: &[f64]) -> f64 {
    assert_eq!(p.len(), q.len(), "two distributions over the same outcomes");
    // p ln(p / m) with m computed once; the sum of both is never below 0 by more than rounding.
    let part = |p: f64, m: f64| if p > 0.0 { p * (p / m).ln() } else { 0.0 };
    let sum: f64 = p.iter().zip(q).map(|(&p, &q)| part(p, 0.5 * (p + q)) + part(q, 0.5 * (p + q))).sum();
    (0.5 * sum).max(0.0)
}

/// The density of N(`mean`, `deviation`²) at `x`.
pub fn normal(x: f64, mean: f64, deviation: f64) -> f64 {
    let z = (x - mean) / deviation;
    (-0.5 * z * z).exp() / (deviation * std::f64::consts::TAU.sqrt())
}

/// A part of the real line in cells of equal width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Its cells.
    pub cells: usize,
}

impl Line {
    /// The width of a cell.
    pub fn width(self) -> f64 {
        (self.to - self.from) / self.cells as f64
    }

    /// The middle of each cell.
    pub fn middles(self) -> impl Iterator<Item = f64> {
        (0..self.cells).map(move |cell| self.from + self.width() * (cell as f64 + 0.5))
    }

    /// The probability of each cell by the midpoint rule, scaled to sum 1.
    pub fn masses(self, density: impl Fn(f64) -> f64) -> Vec<f64> {
        let masses: Vec<f64> = self.middles().map(density).collect();
        let sum: f64 = masses.iter().sum();
        masses.into_iter().map(|mass| mass / sum).collect()
    }

    /// The share of `values` in each cell; those outside count for the cell at the end.
    pub fn shares(self, values: &[f64]) -> Vec<f64> {
        let mut shares = vec![0.0; self.cells];
        for value in values {
            let cell = ((value - self.from) / self.width()).clamp(0.0, self.cells as f64 - 1.0) as usize;
            shares[cell] += 1.0 / values.len() as f64;
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Line = Line { from: -12.0, to: 12.0, cells: 4_000 };

    #[test]
    fn gaussians_have_their_closed_form() {
        // KL(N(μ₁, σ₁²) ‖ N(μ₂, σ₂²)) = ln(σ₂/σ₁) + (σ₁² + (μ₁ − μ₂)²) / 2σ₂² − ½.
        for (mean, deviation) in [(0.0, 1.0), (1.5, 1.0), (-1.0, 0.7), (0.5, 1.8)] {
            let p = LINE.masses(|x| normal(x, 0.0, 1.0));
            let q = LINE.masses(|x| normal(x, mean, deviation));
            let closed = deviation.ln() + (1.0 + mean * mean) / (2.0 * deviation * deviation) - 0.5;
            assert!((kl(&p, &q) - closed).abs() < 1e-6, "{mean} {deviation}: {} {closed}", kl(&p, &q));
        }
    }

    #[test]
    fn jensen_shannon_by_hand() {
        assert_eq!(jensen_shannon(&[1.0, 0.0], &[0.0, 1.0]), std::f64::consts::LN_2);
        assert_eq!(jensen_shannon(&[0.3, 0.7], &[0.3, 0.7]), 0.0);
        // m = (3/4, 1/4): ½ ln(4/3) + ½ (½ ln(2/3) + ½ ln 2).
        let expected = 0.5 * (4.0f64 / 3.0).ln() + 0.25 * (4.0f64 / 3.0).ln();
        assert!((jensen_shannon(&[1.0, 0.0], &[0.5, 0.5]) - expected).abs() < 1e-15);
        assert_eq!(kl(&[1.0, 0.0], &[0.0, 1.0]), f64::INFINITY);
    }

    #[test]
    fn shares_count_what_lies_outside_at_the_ends() {
        let line = Line { from: 0.0, to: 1.0, cells: 2 };
        assert_eq!(line.shares(&[-5.0, 0.2, 0.7, 9.0]), [0.5, 0.5]);
        assert_eq!(line.middles().collect::<Vec<_>>(), [0.25, 0.75]);
    }
}
