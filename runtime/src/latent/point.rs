//! Where in the latent space an image lies.

use crate::graph::Latent;
#[cfg(feature = "all-operators")]
use crate::graph::{Prior, Source};
#[cfg(feature = "all-operators")]
use crate::latent::fill;
use crate::latent::{STEPS, walk};

/// A point of the latent space: a seed, or a step of the way between two, and a class where the model has classes. Or one on the way that the
/// model brings along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Seed at the start of the way.
    pub from: u64,
    /// Seed at its end.
    pub to: u64,
    /// How far the point lies on the way, 0 … [`STEPS`]; more is taken as [`STEPS`].
    pub step: u16,
    /// The class to draw. Without one it comes from the seeds: seed modulo the number of classes, and on the way from one class to the
    /// other a mixture of both. A model without classes passes it over; of a class that a model does not have it knows
    /// nothing and draws what no class at all gives. Of a model with several class inputs it is a combination, one
    /// value of each, see [`Model::words`](crate::Model::words).
    pub class: Option<u16>,
    /// Whether `from` and `to` are numbers of the model's [`Keyframes`](crate::latent::Keyframes) and `step` counts to
    /// [`LEG`](crate::latent::keyframes::LEG); classes then come from there. Of a model without keyframes it is passed over.
    pub of_keyframes: bool,
    /// A second latent vector for some of the layers. A model without styles passes it over.
    pub style: Option<Style>,
    /// Where noise comes from. A model without noise passes it over.
    pub noise: Noise,
}

/// A second latent vector, and the layers that follow it in place of the first (style mixing: Karras et al., "A
/// Style-Based Generator Architecture", 2019, §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Its seed; without one it is the middle of the prior.
    pub seed: Option<u64>,
    /// The first of these layers, from 0.
    pub first: u16,
    /// The layer behind the last of them; those that a model does not have are passed over.
    pub end: u16,
    /// How far they follow it, 0 … [`STEPS`]; more is taken as [`STEPS`]. In between they follow what lies on the
    /// straight line from one style to the other.
    pub share: u16,
}

impl Style {
    /// The style of a seed, which layers `first` up to `end` follow all the way.
    pub const fn of(seed: u64, first: u16, end: u16) -> Self {
        Self { seed: Some(seed), first, end, share: STEPS }
    }

    /// `share` of [`STEPS`] on the way to the style of a seed, in all layers.
    pub const fn toward(seed: u64, share: u16) -> Self {
        Self { share, ..Self::of(seed, 0, u16::MAX) }
    }

    /// `share` of [`STEPS`] on the way to the style of the middle of the prior, in all layers: truncation.
    pub const fn toward_middle(share: u16) -> Self {
        Self { seed: None, ..Self::toward(0, share) }
    }
}

/// Where the noise of an image comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Noise {
    /// From the seeds of the point.
    #[default]
    OfPoint,
    /// From a seed of its own.
    Seed(u64),
    /// Nowhere: all of it is 0.
    Off,
}

impl Point {
    /// The latent vector of a seed.
    pub const fn seed(seed: u64) -> Self {
        Self::walk(seed, seed, 0)
    }

    /// `step` of [`STEPS`] on the way from one seed to another.
    pub const fn walk(from: u64, to: u64, step: u16) -> Self {
        Self { from, to, step, class: None, of_keyframes: false, style: None, noise: Noise::OfPoint }
    }

    /// `step` of [`LEG`](crate::latent::keyframes::LEG) on the way from one keyframe of the model to another.
    pub const fn keyframe(from: u64, to: u64, step: u16) -> Self {
        Self { of_keyframes: true, ..Self::walk(from, to, step) }
    }

    /// The same place with a class.
    #[must_use]
    pub const fn of_class(self, class: u16) -> Self {
        Self { class: Some(class), ..self }
    }

    /// The same place with a second latent vector for some layers.
    #[must_use]
    pub const fn styled(self, style: Style) -> Self {
        Self { style: Some(style), ..self }
    }

    /// The same place with other noise.
    #[must_use]
    pub const fn with_noise(self, noise: Noise) -> Self {
        Self { noise, ..self }
    }

    /// Fills edge 0 of a model: `latent.dims` values of the prior, then one value for each class, 1.0 for the class and 0.0 for the others.
    #[inline(never)]
    pub fn fill(&self, latent: Latent, codes: &mut [i8]) {
        let dims = codes.len().min(usize::from(latent.dims));
        let Some((codes, classes)) = codes.split_at_mut_checked(dims) else { return };
        walk(latent.prior, self.from, self.to, self.step, codes);
        self.fill_classes(latent.prior.steps(), 0, classes);
    }

    /// Fills what says how far layers follow the second latent vector, a value each: 1.0, which is
    /// [`Source::CLASS_STEPS`], all the way, 0 not at all.
    #[cfg(feature = "all-operators")]
    pub fn fill_mix(&self, layers: &mut [i8]) {
        layers.fill(0);
        if let Some(Style { first, end, share, .. }) = self.style {
            let code = (u16::from(Source::CLASS_STEPS) * share.min(STEPS) + STEPS / 2) / STEPS;
            let styled = layers.iter_mut().skip(first.into()).take(end.saturating_sub(first).into());
            styled.for_each(|to| *to = code as i8);
        }
    }

    /// Fills the second latent vector; without a style it is that of the point's seeds.
    #[cfg(feature = "all-operators")]
    pub fn fill_style(&self, prior: Prior, codes: &mut [i8]) {
        match self.style {
            Some(Style { seed: Some(seed), .. }) => fill(prior, seed, codes),
            Some(Style { seed: None, .. }) => codes.fill(prior.middle()),
            None => walk(prior, self.from, self.to, self.step, codes),
        }
    }

    /// Fills a class input: the ones of both ends' classes, weighted by how near they are; together 1.0, which is
    /// `steps`. With a `stride` other than 0 the class is a combination, of which the value here is
    /// ⌊class / stride⌋ modulo the number of `classes`; the stride times that number fits 16 bits. Of seeds it is that
    /// of their [`combination`].
    pub fn fill_classes(&self, steps: u8, stride: u16, classes: &mut [i8]) {
        classes.fill(0);
        let count = classes.len() as u32;
        let of = |seed: u64| match self.class {
            _ if stride > 0 => self.value(seed, stride, count),
            Some(class) => Some(usize::from(class)),
            None => remainder(seed, count),
        };
        let (whole, steps) = (u16::from(steps), self.step.min(STEPS));
        let end = ((whole * steps + STEPS / 2) / STEPS) as i8;
        for (seed, part) in [(self.from, whole as i8 - end), (self.to, end)] {
            // Most points are no way: a seed's class is found once.
            if part != 0
                && let Some(code) = of(seed).and_then(|class| classes.get_mut(class))
            {
                *code += part;
            }
        }
    }

    /// Which of `count` values an input of a combination shows at a seed: see [`Point::fill_classes`].
    #[inline(never)]
    fn value(&self, seed: u64, stride: u16, count: u32) -> Option<usize> {
        let step = u32::from(stride);
        let class = match self.class {
            Some(class) => class,
            None => combination(seed, step.saturating_mul(count))?,
        };
        Some(u32::from(class).checked_div(step)?.checked_rem(count)? as usize)
    }
}

/// The combination of several classes that a seed draws, of `count`: it tells nothing of the next seed's.
#[inline(never)]
pub fn combination(seed: u64, count: u32) -> Option<u16> {
    let stirred = seed.wrapping_mul(STIRRING);
    remainder((stirred ^ stirred >> 32).wrapping_mul(STIRRING), count).map(|class| class as u16)
}

/// 2⁶⁴ over the golden ratio, odd: multiples of it are spread evenly over the high bits, which the shift brings down.
const STIRRING: u64 = 0x9E37_79B9_7F4A_7C15;

/// `seed` modulo `count`, which fits 16 bits, without a division of 64 bits: that would be a kilobyte of code on a small CPU.
#[inline(never)]
pub(crate) fn remainder(seed: u64, count: u32) -> Option<usize> {
    let rest = [48, 32, 16, 0].into_iter().try_fold(0u32, |rest, shift| {
        let digit = (seed >> shift) as u32 & 0xFFFF;
        (rest << 16 | digit).checked_rem(count)
    });
    rest.map(|rest| rest as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Prior;
    use crate::latent::fill;

    const LATENT: Latent = Latent { prior: Prior::Gaussian, dims: 4 };

    fn filled(point: Point) -> [i8; 7] {
        let mut codes = [99; 7];
        point.fill(LATENT, &mut codes);
        codes
    }

    #[test]
    fn a_seed_has_its_own_class() {
        let mut codes = [0; 4];
        fill(Prior::Gaussian, 8, &mut codes);
        let point = filled(Point::seed(8));
        assert_eq!(point[..4], codes);
        assert_eq!(point[4..], [0, 0, 32], "8 modulo 3 classes is 2; 1.0 is 32 codes");
    }

    #[test]
    fn remainders_are_those_of_a_division() {
        for seed in [0, 1, 9, 65_535, 65_536, 1 << 32, 0x0123_4567_89AB_CDEF, u64::MAX] {
            for count in [1, 2, 3, 10, 1000, 65_535] {
                assert_eq!(remainder(seed, count), Some((seed % u64::from(count)) as usize), "{seed} {count}");
            }
            assert_eq!(remainder(seed, 0), None);
        }
    }

    #[test]
    fn a_class_can_be_chosen() {
        assert_eq!(filled(Point::seed(8).of_class(0))[4..], [32, 0, 0]);
        assert_eq!(filled(Point::walk(8, 9, 20).of_class(1))[4..], [0, 32, 0]);
        assert_eq!(filled(Point::seed(8).of_class(3))[4..], [0, 0, 0]);
    }

    #[test]
    fn a_combination_has_a_value_of_each_of_several_inputs() {
        // Two, three and four values: 24 combinations.
        let parts = [(1, 2), (2, 3), (6, 4)];
        let values = |point: Point| {
            parts.map(|(stride, count)| {
                let mut codes = [99; 4];
                point.fill_classes(127, stride, &mut codes[..count]);
                codes[..count].iter().position(|&code| code == 127)
            })
        };
        assert_eq!(values(Point::seed(0).of_class(17)), [Some(1), Some(2), Some(2)], "17 = 1 + 2 · 2 + 6 · 2");
        for seed in [0, 1, 2, 77, 1 << 40] {
            let class = combination(seed, 24).unwrap();
            assert_eq!(values(Point::seed(seed)), values(Point::seed(0).of_class(class)));
        }
        let all: std::collections::BTreeSet<_> = (0..200).map(|seed| values(Point::seed(seed))).collect();
        assert_eq!(all.len(), 24, "every combination has its seeds");
        let mut codes = [99; 3];
        Point::walk(0, 1, 32).fill_classes(127, 2, &mut codes);
        assert_eq!(codes.iter().map(|&code| i32::from(code)).sum::<i32>(), 127, "on the way values mix");
    }

    #[test]
    fn on_the_way_classes_mix_and_stay_whole() {
        for step in 0..=STEPS {
            let classes = &filled(Point::walk(1, 2, step))[4..];
            assert_eq!(classes[0], 0);
            assert_eq!(classes[1] + classes[2], 32, "step {step}");
        }
        assert_eq!(filled(Point::walk(1, 2, 32))[4..], [0, 16, 16]);
        assert_eq!(filled(Point::walk(1, 4, 32))[4..], [0, 32, 0], "1 and 4 are of one class");
        let uniform = Latent { prior: Prior::Uniform, dims: 0 };
        let mut codes = [0; 2];
        Point::walk(0, 1, STEPS).fill(uniform, &mut codes);
        assert_eq!(codes, [0, 127]);
    }

    #[test]
    fn a_style_acts_in_its_layers() {
        let mixed = |point: Point| {
            let mut layers = [9; 5];
            point.fill_mix(&mut layers);
            layers
        };
        let styled = |first, end| mixed(Point::seed(1).styled(Style::of(2, first, end)));
        assert_eq!(mixed(Point::seed(1)), [0; 5]);
        assert_eq!(styled(1, 3), [0, 127, 127, 0, 0]);
        assert_eq!(styled(3, 99), [0, 0, 0, 127, 127], "layers that are not there are passed over");
        assert_eq!(styled(3, 3), [0; 5]);
        let part = |share| mixed(Point::seed(1).styled(Style::toward(2, share)));
        assert_eq!([0, 1, 32, 63, 64, 99].map(|share| part(share)[4]), [0, 2, 64, 125, 127, 127]);
    }

    #[test]
    fn a_style_is_drawn_from_its_seed_or_lies_in_the_middle() {
        let style = |prior, point: Point| {
            let mut codes = [99; 4];
            point.fill_style(prior, &mut codes);
            codes
        };
        let mut of_seed = [0; 4];
        fill(Prior::Gaussian, 2, &mut of_seed);
        let point = Point::walk(7, 8, 20);
        assert_eq!(style(Prior::Gaussian, point.styled(Style::toward(2, 5))), of_seed);
        for (prior, middle) in [(Prior::Gaussian, 0), (Prior::Uniform, 0), (Prior::UnitUniform, 64)] {
            assert_eq!(style(prior, point.styled(Style::toward_middle(5))), [middle; 4]);
        }
        assert_eq!(style(Prior::Gaussian, point), filled(point)[..4]);
    }

    #[test]
    fn without_classes_or_values_nothing_happens() {
        let mut few = [7; 2];
        Point::seed(1).of_class(4).fill(LATENT, &mut few);
        let mut codes = [0; 4];
        fill(Prior::Gaussian, 1, &mut codes);
        assert_eq!(few, codes[..2]);
        Point::seed(1).fill(LATENT, &mut []);
    }
}
