//! How good are generated samples? Every measure is a function of plain matrices, so that none depends on how the samples
//! were made or which network looked at them.
//!
//! | module | measure | source |
//! |---|---|---|
//! | [`frechet`] | Fréchet distance of two Gaussians | Dowson and Landau, 1982; Heusel et al., 2017 |
//! | [`mmd`] | KID; MMD² with a Gaussian kernel and a permutation test | Gretton et al., 2012; Bińkowski et al., 2018 |
//! | [`energy`] | energy distance | Székely and Rizzo, 2013 |
//! | [`neighbours`] | precision, recall, density, coverage; nearest training images, memorisation | Kynkäänniemi et al., 2019; Naeem et al., 2020 |
//! | [`classes`] | histogram of classes, number of modes, KL divergence of histograms | Metz et al., 2017; Lin et al., 2018 |
//! | [`mixture`] | modes and high-quality share of 2-D mixtures | Srivastava et al., 2017 |
//! | [`sliced`] | sliced Wasserstein distance | Bonneel et al., 2015 |
//! | [`parzen`] | Parzen window log-likelihood | Goodfellow et al., 2014 |
//! | [`two_sample`] | classifier two-sample test | Lopez-Paz and Oquab, 2017 |
//! | [`divergence`] | KL and Jensen–Shannon divergence of known distributions | Lin, 1991 |
//! | [`logistic`] | log density ratio by logistic regression; area under the curve | Hastie et al., 2009; Gutmann and Hyvärinen, 2010 |
//! | [`probe`] | what a linear classifier reads out of features | Hastie et al., 2009; Radford et al., 2016 |
//! | [`baselines`] | what simple samplers come to: a Gaussian, k-means, mixtures by EM | see there |
//! | [`rank`] | rank correlation | Spearman, 1904 |
//! | [`ssim`] | structural similarity | Wang et al., 2004 |
//! | [`trajectories`] | global variance and modulation spectrum of curves | Toda and Tokuda, 2007; Takamichi et al., 2016 |
//! | [`bleu`] | BLEU, words in place | Papineni et al., 2002 |
//! | [`pixels`] | PSNR, high percentile of differences, checkerboard energy | Odena et al., 2016 |
//!
//! Samples are rows of a [`Features`]: the pixels of an image, the activations of a classifier, or a point of the plane. What draws
//! at random takes a seed.

#![deny(missing_docs, unsafe_code, rustdoc::broken_intra_doc_links)]

pub mod baselines;
pub mod bleu;
pub mod classes;
pub mod divergence;
pub mod energy;
pub mod frechet;
pub mod logistic;
pub mod mixture;
pub mod mmd;
pub mod neighbours;
pub mod parzen;
pub mod pixels;
pub mod probe;
pub mod rank;
pub mod sliced;
pub mod ssim;
pub mod trajectories;
pub mod two_sample;

mod features;

pub use features::{Features, Standard};

/// `count` standard normal samples of `dims` values around `mean`, for tests.
#[cfg(test)]
fn normal(count: usize, dims: usize, mean: f32, seed: u64) -> Features {
    use rand_distr::{Distribution, StandardNormal};

    let mut rng = rng(seed);
    let mut draw = || -> f32 { mean + <StandardNormal as Distribution<f32>>::sample(&StandardNormal, &mut rng) };
    Features::new(dims, (0..dims * count).map(|_| draw()).collect())
}

/// The generator for one use of a seed.
fn rng(seed: u64) -> rand_xoshiro::Xoshiro256PlusPlus {
    rand_xoshiro::rand_core::SeedableRng::seed_from_u64(seed)
}
