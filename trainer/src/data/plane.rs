//! Points of the plane, drawn without end: mixtures of Gaussians, on which a lost mode can be seen and counted.
//!
//! A point is an "image" of 2 channels and 1 × 1 pixels, so that every system meets it as it meets other data. Its coordinates are divided by
//! [`Plane::scale`], so that [−1, 1] holds the mixture and some room around it. They are 32-bit floats all the way: of a byte's 256 levels one
//! would be as wide as a mode.

use std::path::Path;

use edgegen_export::layers::PixelRange;
use edgegen_metrics::Features;
use edgegen_metrics::mixture::Mixture;

use super::DatasetInfo;
use crate::recipe::DataConfig;
use crate::rng::Rng;

/// A mixture with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// The name to give as `data.name`.
    pub name: &'static str,
    /// Where the modes are, in units of its own.
    pub mixture: Mixture,
    /// What a coordinate of 1 that a network sees is in the mixture's units.
    pub scale: f32,
}

/// `[H, W, C]` of a point.
pub const SHAPE: [usize; 3] = [1, 1, 2];

impl Plane {
    /// 8 modes on the unit circle, σ = 0.01; or 5 × 5 modes, 2 apart, σ = 0.05 (Lin et al., "PacGAN", 2018, §4.1). And curves,
    /// whose modes lie so close that the density along them is even: two moons, σ = 0.1, and two circles, σ = 0.05.
    pub fn all() -> [Self; 4] {
        [
            Self { name: "ring", mixture: Mixture::ring(8, 0.01), scale: 1.25 },
            Self { name: "grid", mixture: Mixture::grid(0.05), scale: 5.0 },
            Self { name: "moons", mixture: Mixture::moons(32, 0.1), scale: 2.5 },
            Self { name: "circles", mixture: Mixture::circles(80, 0.05), scale: 1.4 },
        ]
    }

    /// The mixture called `name`, with or without `set:`, if it is one.
    pub fn named(name: &str) -> Option<Self> {
        let name = super::plain_name(name);
        Self::all().into_iter().find(|plane| plane.name == name)
    }

    /// The mixture that a recipe means: a path of its name goes before, unless the recipe asks for points by their channels.
    pub fn chosen(config: &DataConfig) -> Option<Self> {
        let is_points = config.channels == SHAPE[2] || !Path::new(&config.name).exists();
        Self::named(&config.name).filter(|_| is_points)
    }

    /// `count` points as networks see them, x and y in turn, and the number of each one's mode.
    pub fn draw(&self, count: usize, rng: &mut Rng) -> (Vec<f32>, Vec<u8>) {
        let Mixture { centres, deviation } = &self.mixture;
        let mut values = Vec::with_capacity(2 * count);
        let modes = (0..count).map(|_| {
            let mode = rng.below(centres.len());
            values.extend(centres[mode].map(|at| (at + deviation * rng.normal()) / self.scale));
            mode as u8
        });
        let modes = modes.collect();
        (values, modes)
    }

    /// What a generator of the output range `range` made, in the mixture's units.
    pub fn points(&self, outputs: &[Vec<f32>], range: PixelRange) -> Features {
        Features::new(2, in_view(outputs, range).into_iter().map(|value| self.scale * value).collect())
    }

    pub(super) fn info(&self) -> DatasetInfo {
        DatasetInfo {
            name: self.name,
            what: "points of the plane: a mixture of Gaussians",
            licence: "MIT OR Apache-2.0",
            count: [0, 0],
            shape: SHAPE,
            rate: None,
            classes: self.mixture.centres.len(),
            bytes: 0,
            sources: Vec::new(),
            folder: None,
            present: true,
        }
    }
}

/// What a generator of the output range `range` made, as networks see points: x and y in turn.
pub fn in_view(outputs: &[Vec<f32>], range: PixelRange) -> Vec<f32> {
    let symmetric = |&value: &f32| match range {
        PixelRange::Symmetric => value,
        _ => 2.0 * (value - range.black()) / range.span() - 1.0,
    };
    outputs.iter().flatten().map(symmetric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_back_to_their_modes() {
        for plane in Plane::all() {
            let (values, modes) = plane.draw(5_000, &mut Rng::new(1, 0));
            assert!(values.iter().all(|value| value.abs() < 1.0), "[-1, 1] holds {}", plane.name);
            let outputs: Vec<Vec<f32>> = values.chunks(2).map(<[f32]>::to_vec).collect();
            let points = plane.points(&outputs, PixelRange::Symmetric);
            for (point, &mode) in points.samples().zip(&modes) {
                let centre = plane.mixture.centres[usize::from(mode)];
                assert!(centre.iter().zip(point).all(|(a, b)| (a - b).abs() < 6.0 * plane.mixture.deviation));
            }
            let found = plane.mixture.modes(&points, 20);
            assert_eq!(found.found, plane.mixture.centres.len());
            // Of points on a curve there are more: they may lie any way along it.
            let expected = if matches!(plane.name, "ring" | "grid") { 0.989 } else { 0.997 };
            assert!((found.high_quality - expected).abs() < 0.006, "{found:?}");
        }
    }

    #[test]
    fn sigmoid_outputs_lie_in_the_same_place() {
        let plane = Plane::named("grid").unwrap();
        let [symmetric, unit] = [(PixelRange::Symmetric, vec![0.4, -0.8]), (PixelRange::Unit, vec![0.7, 0.1])]
            .map(|(range, output)| plane.points(&[output], range).samples().flatten().copied().collect::<Vec<f32>>());
        assert!(symmetric.iter().zip(&unit).all(|(a, b)| (a - b).abs() < 1e-5));
        assert!((symmetric[0] - 2.0).abs() < 1e-5 && (symmetric[1] + 4.0).abs() < 1e-5);
    }
}
