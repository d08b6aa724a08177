//! Counting the modes of stacked digits.

use edgegen_metrics::classes;
use serde::Serialize;

use super::Judge;

/// Kinds of images that three channels of ten digits make.
pub const KINDS: usize = 1_000;
/// Images that the literature counts on.
pub const COUNT: usize = 26_000;

/// What a set of stacked digits covers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Coverage {
    /// Kinds that occur at least once.
    pub modes: usize,
    /// KL(images ‖ uniform) of the kinds, in nats. MNIST's own digits are nearly uniform, but n images of all 1 000 kinds already come to about 999 / 2n.
    pub kl: f64,
    /// Mean probability of the most likely digit: of images that are no digits it is low.
    pub confidence: f64,
}

/// Reads each channel of images of H × W × 3 bytes as a digit. The number of modes and the reverse KL divergence of Metz et al., "Unrolled Generative
/// Adversarial Networks" (2017), §3.3.1, and Lin et al., "PacGAN" (2018), table 2.
///
/// # Panics
///
/// If there is no image, or `judge` does not look at one channel of them and know ten classes.
pub fn coverage(judge: &Judge, images: &[Vec<u8>]) -> Coverage {
    assert_eq!(judge.classes(), 10, "a judge of digits");
    let channels = [0, 1, 2].map(|channel| {
        let planes: Vec<Vec<u8>> =
            images.iter().map(|image| image.iter().skip(channel).step_by(3).copied().collect()).collect();
        judge.look(&planes)
    });
    let kinds: Vec<usize> =
        (0..images.len()).map(|index| channels.iter().fold(0, |kind, seen| 10 * kind + seen.classes[index])).collect();
    let counts = classes::histogram(&kinds, KINDS);
    Coverage {
        modes: classes::modes(&counts, 1),
        kl: classes::reverse_kl(&counts, &[1; KINDS]),
        confidence: channels.iter().map(|seen| seen.confidence).sum::<f64>() / 3.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::glyphs;
    use burn::tensor::Device;
    use std::path::Path;

    #[test]
    fn kinds_are_told_by_their_channels() {
        let judge = Judge::shipped(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), "mnist");
        let judge = Judge::load(&judge, &Device::flex()).unwrap();
        let digits = glyphs(10, 1, 28);
        let stack = |kind: [usize; 3]| -> Vec<u8> {
            (0..28 * 28).flat_map(|at| kind.map(|digit| digits.image(digit)[at])).collect()
        };
        let (one, other) = (stack([0, 1, 7]), stack([0, 7, 1]));
        let collapsed = coverage(&judge, &vec![one.clone(); 50]);
        assert_eq!(collapsed.modes, 1);
        assert!((collapsed.kl - 1_000f64.ln()).abs() < 1e-9 && collapsed.confidence > 0.5, "{collapsed:?}");
        let both = coverage(&judge, &[one, other]);
        assert_eq!(both.modes, 2, "the order of the channels counts");
        assert!((both.kl - 500f64.ln()).abs() < 1e-9);
    }
}
