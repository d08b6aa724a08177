//! The way between two points of latent space, as [keyframes](edgegen_runtime::latent::Keyframes) for the device: there and back.
//!
//! ```text
//! slerp(t) = sin((1 − t) Ω) / sin Ω · a + sin(t Ω) / sin Ω · b        cos Ω = a · b / (|a| |b|)
//! lerp(t)  = (1 − t) a + t b
//! ```
//!
//! Shoemake, "Animating rotation with quaternion curves" (1985); White, "Sampling generative networks" (2016), §2: in many dimensions the vectors of a
//! Gaussian prior lie near a sphere, and the straight line leads away from all of them. BEGAN's images morph along the great circle, too
//! (Berthelot et al., 2017, §4.4). Values of classes go in a straight line, so that they stay one together.

use std::fmt::Write;

/// Along which curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Curve {
    /// On the great circle between both.
    Slerp,
    /// In a straight line.
    Lerp,
}

/// Below this sine two directions are one, or opposite: there is no one circle through them.
const LEAST_SINE: f64 = 1e-4;

/// Stations at `legs` equal parts of the way from `from` to `to` and back, as codes: `2 · legs` of them, the first is `from`, number `legs` is `to`, the last
/// is one part away from `from`. The first `dims` codes are latent values, the others those of classes.
///
/// # Panics
///
/// If there are no legs, or the points are of different lengths.
pub fn there_and_back(from: &[i8], to: &[i8], dims: usize, legs: usize, curve: Curve) -> Vec<Vec<i8>> {
    assert!(legs > 0 && from.len() == to.len(), "a way of at least one leg between points of one space");
    let parts = (0..legs).chain((1..=legs).rev());
    parts.map(|part| station(from, to, dims, part as f64 / legs as f64, curve)).collect()
}

/// The nearest codes at `t`, 0 … 1.
fn station(from: &[i8], to: &[i8], dims: usize, t: f64, curve: Curve) -> Vec<i8> {
    let circle = match curve {
        Curve::Slerp => weights(&from[..dims], &to[..dims], t),
        Curve::Lerp => [1.0 - t, t],
    };
    let codes = from.iter().zip(to).enumerate().map(|(index, (&from, &to))| {
        let [a, b] = if index < dims { circle } else { [1.0 - t, t] };
        (a * f64::from(from) + b * f64::from(to)).round().clamp(-127.0, 127.0) as i8
    });
    codes.collect()
}

/// Of both ends, on the circle.
fn weights(from: &[i8], to: &[i8], t: f64) -> [f64; 2] {
    let dot = |a: &[i8], b: &[i8]| -> f64 { a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum() };
    let lengths = (dot(from, from) * dot(to, to)).sqrt();
    let angle = if lengths > 0.0 { (dot(from, to) / lengths).clamp(-1.0, 1.0).acos() } else { 0.0 };
    let sine = angle.sin();
    if sine < LEAST_SINE { [1.0 - t, t] } else { [((1.0 - t) * angle).sin() / sine, (t * angle).sin() / sine] }
}

/// Stations as a model file has them in its metadata.
pub fn to_text(stations: &[Vec<i8>]) -> String {
    let mut text = String::new();
    for code in stations.iter().flatten() {
        write!(text, "{code:02x}").expect("strings grow");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgegen_runtime::latent::Keyframes;

    const FROM: [i8; 5] = [60, 0, 30, 32, 0];
    const TO: [i8; 5] = [0, 60, 30, 0, 32];

    #[test]
    fn the_way_leads_there_and_back() {
        for curve in [Curve::Slerp, Curve::Lerp] {
            let stations = there_and_back(&FROM, &TO, 3, 4, curve);
            assert_eq!(stations.len(), 8);
            assert_eq!((&stations[0][..], &stations[4][..]), (&FROM[..], &TO[..]));
            for part in 1..4 {
                assert_eq!(stations[part], stations[8 - part], "the same places on the way back");
                assert_eq!(stations[part][3..], [32 - 8 * part as i8, 8 * part as i8], "classes mix and stay one");
            }
        }
        assert_eq!(there_and_back(&FROM, &TO, 3, 1, Curve::Slerp), [FROM, TO]);
    }

    #[test]
    fn the_circle_keeps_the_length_and_the_line_does_not() {
        let length = |codes: &[i8]| codes.iter().map(|&code| f64::from(code).powi(2)).sum::<f64>().sqrt();
        for station in there_and_back(&FROM, &TO, 3, 16, Curve::Slerp) {
            // Half a code of rounding in each of three values.
            assert!((length(&station[..3]) - length(&FROM[..3])).abs() < 0.87, "{station:?}");
        }
        let halfway = &there_and_back(&FROM, &TO, 3, 2, Curve::Lerp)[1];
        assert_eq!(halfway[..3], [30, 30, 30]);
        let angle = 36f64.to_radians();
        let [a, b] = weights(&[100, 0], &[81, 59], 0.5);
        assert!((a - (angle / 2.0).sin() / angle.sin()).abs() < 1e-3 && (a - b).abs() < 1e-12);
    }

    #[test]
    fn where_there_is_no_one_circle_the_way_is_straight() {
        for (from, to, halfway) in [([50, 0], [100, 0], [75, 0]), ([50, 0], [-50, 0], [0, 0]), ([0, 0], [9, 9], [5, 5])]
        {
            assert_eq!(there_and_back(&from, &to, 2, 2, Curve::Slerp)[1], halfway);
        }
    }

    #[test]
    fn the_runtime_reads_what_was_written() {
        let stations = [vec![1, -1, 127], vec![-127, 0, 16]];
        let text = to_text(&stations);
        assert_eq!(text, "01ff7f810010");
        assert_eq!(Keyframes::read(&text, 3).unwrap().count(), 2);
    }
}
