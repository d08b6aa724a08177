//! Structural similarity.

/// Half of the window's side, without its middle.
const RADIUS: usize = 5;
/// Standard deviation of the window in pixels.
const SIGMA: f64 = 1.5;
/// What keeps the two quotients apart from 0 / 0, for levels up to 255.
const C: [f64; 2] = [(0.01 * 255.0) * (0.01 * 255.0), (0.03 * 255.0) * (0.03 * 255.0)];

/// Mean structural similarity of images at the same places of two sets, 1 where they are equal: over all windows inside
/// of the image, all channels, all images
///
/// ```text
/// (2 μ_a μ_b + c₁)(2 σ_ab + c₂) / ((μ_a² + μ_b² + c₁)(σ_a² + σ_b² + c₂))
/// ```
///
/// with means, variances and covariance weighted by a Gaussian of 11 × 11 pixels and σ = 1.5, c₁ = (0.01 · 255)² and
/// c₂ = (0.03 · 255)² (Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004,
/// eq. 13 to 17). In an image of fewer pixels a side the window ends at the border.
///
/// `shape` is `[H, W, C]`, pixels with the channels innermost.
///
/// # Panics
///
/// If the sets have not the same number of images, there is none, or one has another length.
pub fn ssim(a: &[Vec<u8>], b: &[Vec<u8>], shape: [usize; 3]) -> f64 {
    assert!(!a.is_empty() && a.len() == b.len(), "as many images of one as of the other");
    let [h, w, c] = shape;
    let sum: f64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| {
            assert!(a.len() == h * w * c && b.len() == a.len(), "images of {h}×{w}×{c}");
            (0..c).map(|channel| of_channel(a, b, shape, channel)).sum::<f64>()
        })
        .sum();
    sum / (a.len() * c) as f64
}

fn of_channel(a: &[u8], b: &[u8], [h, w, c]: [usize; 3], channel: usize) -> f64 {
    let plane =
        |image: &[u8]| -> Vec<f64> { image.iter().skip(channel).step_by(c).map(|&level| level.into()).collect() };
    let (a, b) = (plane(a), plane(b));
    let of = |values: &dyn Fn(usize) -> f64| blurred(&(0..h * w).map(values).collect::<Vec<_>>(), h, w);
    let [mean_a, mean_b] = [of(&|at| a[at]), of(&|at| b[at])];
    let [aa, bb, ab] = [of(&|at| a[at] * a[at]), of(&|at| b[at] * b[at]), of(&|at| a[at] * b[at])];
    let one = |at: usize| {
        let (a, b) = (mean_a[at], mean_b[at]);
        let [var_a, var_b, covariance] = [aa[at] - a * a, bb[at] - b * b, ab[at] - a * b];
        (2.0 * a * b + C[0]) * (2.0 * covariance + C[1]) / ((a * a + b * b + C[0]) * (var_a + var_b + C[1]))
    };
    (0..mean_a.len()).map(one).sum::<f64>() / mean_a.len() as f64
}

/// Means under the window at all places where all of it is inside, row by row.
fn blurred(values: &[f64], h: usize, w: usize) -> Vec<f64> {
    let [down, across] = [h, w].map(window);
    let rows: Vec<f64> = values
        .chunks_exact(w)
        .flat_map(|row| row.windows(across.len()).map(|some| dot(some, &across)).collect::<Vec<_>>())
        .collect();
    let w = w + 1 - across.len();
    let column = |y: usize, x: usize| down.iter().enumerate().map(|(at, weight)| weight * rows[(y + at) * w + x]).sum();
    (0..=h - down.len()).flat_map(|y| (0..w).map(move |x| (y, x))).map(|(y, x)| column(y, x)).collect()
}

/// Weights of the window along a side of so many pixels; they add up to 1.
fn window(side: usize) -> Vec<f64> {
    let radius = RADIUS.min((side - 1) / 2);
    let weights = (0..=2 * radius).map(|at| (-(at as f64 - radius as f64).powi(2) / (2.0 * SIGMA * SIGMA)).exp());
    let sum: f64 = weights.clone().sum();
    weights.map(|weight| weight / sum).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;
    use rand::RngExt as _;

    #[test]
    fn equal_images_have_one_and_constant_ones_the_first_quotient() {
        let image: Vec<u8> = (0..16 * 12 * 3).map(|at| (at * 37 % 256) as u8).collect();
        assert!((ssim(std::slice::from_ref(&image), std::slice::from_ref(&image), [16, 12, 3]) - 1.0).abs() < 1e-12);
        // Without variance only the means count.
        let expected = (2.0 * 100.0 * 150.0 + C[0]) / (100.0f64.powi(2) + 150.0f64.powi(2) + C[0]);
        let found = ssim(&[vec![100; 12 * 12]], &[vec![150; 12 * 12]], [12, 12, 1]);
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        let small = ssim(&[vec![100; 6]], &[vec![150; 6]], [2, 3, 1]);
        assert!((small - expected).abs() < 1e-9, "{small}");
    }

    #[test]
    fn windows_by_definition() {
        let (h, w) = (13, 12);
        let mut rng = rng(3);
        let mut image = || -> Vec<u8> { (0..h * w).map(|_| rng.random()).collect() };
        let (a, b) = (image(), image());
        // Two nested loops over one window each, with the weights of the plane.
        let weight = |dy: usize, dx: usize| {
            let squared = |d: usize| (d as f64 - 5.0).powi(2);
            (-(squared(dy) + squared(dx)) / (2.0 * SIGMA * SIGMA)).exp()
        };
        let places = || (0..11).flat_map(|dy| (0..11).map(move |dx| (dy, dx)));
        let total: f64 = places().map(|(dy, dx)| weight(dy, dx)).sum();
        let mut sum = 0.0;
        for y in 0..=h - 11 {
            for x in 0..=w - 11 {
                let mean = |of: &dyn Fn(usize) -> f64| -> f64 {
                    places().map(|(dy, dx)| weight(dy, dx) * of((y + dy) * w + x + dx)).sum::<f64>() / total
                };
                let [p, q] = [&a, &b].map(|image| mean(&|at| f64::from(image[at])));
                let of = |m: &[u8], n: &[u8], (p, q): (f64, f64)| {
                    mean(&|at| (f64::from(m[at]) - p) * (f64::from(n[at]) - q))
                };
                let [pp, qq, pq] = [of(&a, &a, (p, p)), of(&b, &b, (q, q)), of(&a, &b, (p, q))];
                sum += (2.0 * p * q + C[0]) * (2.0 * pq + C[1]) / ((p * p + q * q + C[0]) * (pp + qq + C[1]));
            }
        }
        let expected = sum / ((h - 10) * (w - 10)) as f64;
        let found = ssim(&[a], &[b], [h, w, 1]);
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }
}
