//! Points of the plane as a picture.

use image::{Rgb, RgbImage};

/// Side of the picture in pixels.
pub const SIDE: usize = 600;
const BACKGROUND: [u8; 3] = [255; 3];
const REAL: [u8; 3] = [175; 3];
const GENERATED: [u8; 3] = [210, 60, 20];

/// Generated points in orange over real ones in grey, each x and y in turn, as `[SIDE, SIDE, 3]` bytes. The picture shows −1 … 1 of both
/// axes, y upwards; points outside lie on its edge.
pub fn scatter(real: &[f32], generated: &[f32]) -> Vec<u8> {
    let mut picture = RgbImage::from_pixel(SIDE as u32, SIDE as u32, Rgb(BACKGROUND));
    // Real points are larger, so that a ring of grey remains where a generated one covers it.
    for (points, colour, radius) in [(real, REAL, 3), (generated, GENERATED, 1)] {
        for point in points.chunks_exact(2) {
            dot(&mut picture, [point[0], point[1]], Rgb(colour), radius);
        }
    }
    picture.into_raw()
}

/// A disc of `radius` pixels around its middle one.
fn dot(picture: &mut RgbImage, [x, y]: [f32; 2], colour: Rgb<u8>, radius: i32) {
    let last = SIDE as i32 - 1;
    // NaN, which a broken generator may make, becomes 0: the edge.
    let pixel = |at: f32| ((0.5 * (at + 1.0) * last as f32).round() as i32).clamp(0, last);
    let (x, y) = (pixel(x), last - pixel(y));
    for dy in -radius..=radius {
        for dx in -radius..=radius {
            let (x, y) = (x + dx, y + dy);
            if dx * dx + dy * dy <= radius * radius && (0..=last).contains(&x) && (0..=last).contains(&y) {
                picture.put_pixel(x as u32, y as u32, colour);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_lie_where_they_should() {
        let picture = scatter(&[0.0, 0.0], &[1.0, 1.0, -7.0, -1.0, 0.0, 0.5]);
        let at = |x: usize, y: usize| -> [u8; 3] { picture[3 * (y * SIDE + x)..][..3].try_into().unwrap() };
        assert_eq!(at(300, 299), REAL);
        assert_eq!(at(300, 302), REAL, "3 pixels of radius");
        assert_eq!(at(300, 304), BACKGROUND);
        assert_eq!(at(599, 0), GENERATED, "1, 1 is top right");
        assert_eq!(at(0, 599), GENERATED, "what is outside lies on the edge");
        assert_eq!(at(300, 150), GENERATED);
        assert_eq!(picture.len(), SIDE * SIDE * 3);
    }
}
