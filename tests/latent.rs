//! The integer Gaussian of the runtime against the error function, and what it draws against the normal distribution.

use edgegen_export::layers::LatentInput;
use edgegen_runtime::{Prior, latent};

#[test]
fn gaussian_codes_follow_the_normal_distribution() {
    const DRAWS: usize = 400_000;
    let mut codes = vec![0; DRAWS];
    latent::fill(Prior::Gaussian, 11, &mut codes);
    let steps = f64::from(Prior::Gaussian.steps());
    let mut counts = [0usize; 256];
    codes.iter().for_each(|&code| counts[(i32::from(code) + 128) as usize] += 1);
    // Kolmogorov–Smirnov: the largest difference of the distribution functions, at 0.1 % significance.
    let (mut below, mut worst) = (0, 0.0f64);
    for (index, count) in counts.iter().enumerate() {
        below += count;
        let edge = (index as f64 - 128.0 + 0.5) / steps;
        let expected = if index == 255 { 1.0 } else { 0.5 * (1.0 + libm::erf(edge / 2f64.sqrt())) };
        worst = worst.max((below as f64 / DRAWS as f64 - expected).abs());
    }
    assert!(worst < 1.95 / (DRAWS as f64).sqrt(), "{worst}");
}

#[test]
fn uniform_codes_are_equally_likely() {
    const DRAWS: usize = 255_000;
    let mut counts = [0f64; 256];
    let mut codes = vec![0; DRAWS];
    latent::fill(Prior::Uniform, 12, &mut codes);
    codes.iter().for_each(|&code| counts[(i32::from(code) + 128) as usize] += 1.0);
    assert_eq!(counts[0], 0.0);
    let expected = DRAWS as f64 / 255.0;
    let chi_squared: f64 = counts[1..].iter().map(|count| (count - expected).powi(2) / expected).sum();
    // 254 degrees of freedom: 99.9 % of draws lie below 328.
    assert!(chi_squared < 328.0, "{chi_squared}");
}

#[test]
fn the_first_latent_vector_never_changes() {
    assert_eq!(LatentInput::new(Prior::Gaussian, 8).codes(0), GAUSSIAN_OF_SEED_0);
    assert_eq!(LatentInput::new(Prior::Uniform, 8).codes(0), UNIFORM_OF_SEED_0);
}

// Computed by an independent program from the papers' definitions.
const GAUSSIAN_OF_SEED_0: [i8; 8] = [-11, 19, -35, -46, -10, -4, 41, 6];
const UNIFORM_OF_SEED_0: [i8; 8] = [-57, -12, 56, 90, -67, -99, 76, -88];

#[test]
fn the_walk_never_changes() {
    let walked = |prior, step| {
        let mut codes = [0; 8];
        latent::walk(prior, 0, 1, step, &mut codes);
        codes
    };
    assert_eq!([16, 32, 63].map(|step| walked(Prior::Gaussian, step)), GAUSSIAN_WALK);
    assert_eq!(walked(Prior::Uniform, 20), UNIFORM_WALK);
}

// By the same program, with sine and cosine in float64: steps 16, 32 and 63 of 64 from seed 0 to seed 1; step 20.
const GAUSSIAN_WALK: [[i8; 8]; 3] =
    [[-2, 7, -14, -32, -14, -17, 16, -4], [8, -6, 8, -13, -16, -28, -12, -13], [22, -27, 46, 26, -12, -35, -57, -24]];
const UNIFORM_WALK: [i8; 8] = [-39, 0, 67, 69, -62, -50, 86, -57];
