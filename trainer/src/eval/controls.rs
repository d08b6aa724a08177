//! Samplers that are bad on purpose. A measure that does not give them away measures nothing.

use crate::data::Dataset;
use crate::rng::Rng;

/// The controls, by name, and how each is bad.
pub const CONTROLS: [(&str, &str); 5] = [
    ("memorising", "training images with one level of noise"),
    ("collapsed", "one class only"),
    ("class missing", "training images without class 3"),
    ("blurred", "training images through a 3×3 mean"),
    ("noisy", "training images with noise of 0.1 of the range"),
];

/// `count` images of the control called `name`; `labels` of `train` decide what belongs to a class.
///
/// # Panics
///
/// If there is no such control, or the data has no labels or no image of class 3.
pub fn images(name: &str, train: &Dataset, count: usize, rng: &mut Rng) -> Vec<Vec<u8>> {
    let labels = train.labels.as_deref().expect("controls need classes");
    let class =
        |wanted: fn(u8) -> bool| -> Vec<usize> { (0..train.len()).filter(|&index| wanted(labels[index])).collect() };
    let from = match name {
        "collapsed" => class(|label| label == 3),
        "class missing" => class(|label| label != 3),
        _ => class(|_| true),
    };
    let mut pick = || train.image(from[rng.below(from.len())]).to_vec();
    let picked: Vec<Vec<u8>> = (0..count).map(|_| pick()).collect();
    let noise = |image: Vec<u8>, deviation: f32, rng: &mut Rng| -> Vec<u8> {
        image
            .into_iter()
            .map(|byte| (f32::from(byte) + deviation * rng.normal()).round().clamp(0.0, 255.0) as u8)
            .collect()
    };
    match name {
        "memorising" => picked.into_iter().map(|image| noise(image, 1.0, rng)).collect(),
        "collapsed" | "class missing" => picked,
        "blurred" => picked.iter().map(|image| blur(image, train.shape)).collect(),
        "noisy" => picked.into_iter().map(|image| noise(image, 25.5, rng)).collect(),
        _ => panic!("expected one of {CONTROLS:?}, found {name}"),
    }
}

/// The mean of each pixel's 3 × 3 neighbours that lie in the image.
fn blur(image: &[u8], [h, w, c]: [usize; 3]) -> Vec<u8> {
    let around = |at: usize, end: usize| at.saturating_sub(1)..(at + 2).min(end);
    (0..h * w * c)
        .map(|at| {
            let (y, x, channel) = (at / (w * c), at / c % w, at % c);
            let values =
                around(y, h).flat_map(|y| around(x, w).map(move |x| u32::from(image[(y * w + x) * c + channel])));
            let (sum, count) = values.fold((0, 0), |(sum, count), value| (sum + value, count + 1));
            ((sum + count / 2) / count) as u8
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset() -> Dataset {
        let image = |label: u8| (0..9).map(move |at| 20 * label + at);
        Dataset {
            name: "test".into(),
            images: (0..5).flat_map(image).collect(),
            labels: Some((0..5).collect()),
            class_names: Vec::new(),
            shape: [3, 3, 1],
        }
    }

    #[test]
    fn each_is_bad_in_its_way() {
        let data = dataset();
        let made = |name: &str| images(name, &data, 200, &mut Rng::new(1, 0));
        let near = |a: &[u8], b: &[u8]| a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 6);
        assert!(made("memorising").iter().all(|image| (0..5).any(|index| near(image, data.image(index)))));
        assert!(made("collapsed").iter().all(|image| image == data.image(3)));
        assert!(made("class missing").iter().all(|image| image != data.image(3)));
        assert!(made("blurred").iter().any(|image| image[4] == 4 && image[0] == 2), "the mean of 0, 1, 3 and 4 is 2");
        assert!(made("noisy").iter().any(|image| !(0..5).any(|index| near(image, data.image(index)))));
    }
}
